//! What a task acts with, and where its process stands, as a JSON object: by the names of the filter keys, and only
//! what is known. Sets of capabilities are hexadecimal, as in /proc.

use events::Context;
use events::context::Standing;
use events::terminal::DeviceName;

use views::digits;

use super::json_text;

/// Appends them as an object with a comma before it; nothing where nothing is known.
pub fn json(context: &Context<'_>, out: &mut Vec<u8>) {
    if context.credentials.is_none() && context.standing == Standing::default() {
        return;
    }
    out.extend_from_slice(b",\"task\":{");
    let begin = out.len();
    members(context, out);
    // Each member has a comma before it.
    out.remove(begin);
    out.push(b'}');
}

fn members(context: &Context<'_>, out: &mut Vec<u8>) {
    if let Some(it) = &context.credentials {
        let ids = [
            ("euid", it.euid),
            ("egid", it.egid),
            ("suid", it.suid),
            ("sgid", it.sgid),
            ("fsuid", it.fsuid),
            ("fsgid", it.fsgid),
        ];
        for (key, id) in ids {
            member(key, out);
            digits::unsigned(id.into(), out);
        }
        let sets = [
            ("cap", it.effective),
            ("capPermitted", it.permitted),
            ("capInheritable", it.inheritable),
            ("capBounding", it.bounding),
            ("capAmbient", it.ambient),
        ];
        for (key, set) in sets {
            member(key, out);
            out.extend_from_slice(format!("\"{set:x}\"").as_bytes());
        }
    }
    let it = &context.standing;
    if let Some(cwd) = it.cwd {
        member("cwd", out);
        json_text::quoted(cwd, out);
    }
    let numbers = [
        ("session", it.session),
        ("pgid", it.group),
        ("loginuid", it.login_uid),
        ("auditSession", it.audit_session),
    ];
    for (key, number) in numbers {
        let Some(number) = number else { continue };
        member(key, out);
        digits::unsigned(number.into(), out);
    }
    if let Some(terminal) = it.terminal {
        member("tty", out);
        json_text::quoted(DeviceName(terminal).to_string().as_bytes(), out);
    }
}

fn member(key: &str, out: &mut Vec<u8>) {
    out.extend_from_slice(b",\"");
    out.extend_from_slice(key.as_bytes());
    out.extend_from_slice(b"\":");
}
