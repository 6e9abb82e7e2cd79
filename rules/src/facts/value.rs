//! Values of what is known of one process.

use events::value::strings;
use format::facts::UNSET;

use super::entry::Entry;
use super::{Process, credentials, entity};
use crate::access::{Part, path_part};
use crate::form::{ProcessFact, Value};

/// The number of the device by which every process means its own terminal.
const DEV_TTY: u32 = 5 << 8;

/// Calls `see` with each value of a fact that the process has by itself.
pub fn each_value(
    process: &Process,
    fact: ProcessFact,
    time_ns: u64,
    user: &dyn Fn(u32) -> Option<String>,
    see: &mut dyn FnMut(Value<'_>),
) {
    let mut text = |text: &[u8]| {
        if !text.is_empty() {
            see(Value::Text(text));
        }
    };
    let argv = process.argv.as_deref();
    match fact {
        ProcessFact::Exe => text(&process.exe),
        ProcessFact::Name => text(path_part(&process.exe, &Part::Name).unwrap_or_default()),
        ProcessFact::Comm => text(&process.comm),
        ProcessFact::CommandLine => {
            if let Some(argv) = argv {
                text(&strings(argv).collect::<Vec<_>>().join(&b' '));
            }
        }
        ProcessFact::Args => argv.into_iter().flat_map(strings).for_each(|it| see(Value::Text(it))),
        ProcessFact::ArgAt(n) => {
            if let Some(it) = argv.and_then(|argv| strings(argv).nth(usize::from(n))) {
                see(Value::Text(it));
            }
        }
        ProcessFact::ArgCount => {
            if let Some(argv) = argv {
                see(Value::Number(strings(argv).count() as i128));
            }
        }
        ProcessFact::Env => {
            process.env.as_deref().into_iter().flat_map(strings).for_each(|it| see(Value::Text(it)));
        }
        ProcessFact::WorkingDirectory => {
            if let Some(cwd) = &process.facts.cwd {
                text(cwd);
            }
        }
        ProcessFact::CommAndArgs => {
            if let Some(argv) = argv {
                let rest = strings(argv).skip(1);
                let all: Vec<&[u8]> = std::iter::once(&*process.comm).chain(rest).collect();
                text(&all.join(&b' '));
            }
        }
        ProcessFact::Arguments => {
            if let Some(argv) = argv {
                text(&strings(argv).skip(1).collect::<Vec<_>>().join(&b' '));
            }
        }
        ProcessFact::UserName => {
            if let Some(name) = user(process.uid) {
                text(name.as_bytes());
            }
        }
        ProcessFact::Uid => see(Value::Number(process.uid.into())),
        ProcessFact::Gid => see(Value::Number(process.gid.into())),
        ProcessFact::Euid
        | ProcessFact::Egid
        | ProcessFact::Suid
        | ProcessFact::Sgid
        | ProcessFact::Fsuid
        | ProcessFact::Fsgid
        | ProcessFact::ActingUid
        | ProcessFact::ActingGid
        | ProcessFact::Capabilities(_) => {
            credentials::each_value(process.credentials.as_ref(), (process.uid, process.gid), fact, see)
        }
        ProcessFact::Pid => see(Value::Number(process.pid.into())),
        ProcessFact::NsPid => see(Value::Number(process.ns_pid.into())),
        ProcessFact::Entity => text(entity(process.pid, process.start_ns).as_bytes()),
        ProcessFact::Session => number(process.facts.session, see),
        ProcessFact::Group => number(process.facts.group, see),
        // Known by the leader, not by the process alone.
        ProcessFact::NsGroup => {}
        ProcessFact::LeadsSession => flag(process.facts.session.map(|it| it == process.pid), see),
        ProcessFact::LeadsGroup => flag(process.facts.group.map(|it| it == process.pid), see),
        ProcessFact::LeadsEntry => flag(process.entry_leader.map(|it| it == process.entity()), see),
        ProcessFact::EntryType => text(process.entry.map(Entry::name).unwrap_or_default().as_bytes()),
        ProcessFact::Interactive => flag(process.facts.terminal.is_there(), see),
        ProcessFact::Terminal => {
            let terminal = &process.facts.terminal;
            number(terminal.number().or(terminal.is_there().map(|_| DEV_TTY)), see);
        }
        ProcessFact::TerminalName => {
            if process.facts.terminal.is_there() == Some(true) {
                text(process.facts.terminal.name().as_deref().unwrap_or("tty").as_bytes());
            }
        }
        ProcessFact::AuditTerminal => {
            match (process.facts.terminal.is_there(), process.facts.terminal.name()) {
                (Some(false), _) => text(b"(none)"),
                (Some(true), Some(name)) => text(name.replace('/', "").as_bytes()),
                (Some(true) | None, _) => {}
            }
        }
        ProcessFact::LoginUid => {
            number(process.facts.login_uid, see);
            if process.facts.login_uid == Some(UNSET) {
                see(Value::Text(b"unset"));
            }
        }
        ProcessFact::LoginUidOrMinus => {
            if let Some(uid) = process.facts.login_uid {
                see(Value::Number(if uid == UNSET { -1 } else { uid.into() }));
            }
        }
        ProcessFact::LoginName => {
            if let Some(name) = process.facts.login_uid.filter(|uid| *uid != UNSET).and_then(user) {
                text(name.as_bytes());
            }
        }
        ProcessFact::AuditSession => number(process.facts.audit_session, see),
        ProcessFact::FromUpperLayer => flag(process.program.upper_layer, see),
        ProcessFact::FromLowerLayer => flag(process.program.upper_layer.map(|is_upper| !is_upper), see),
        ProcessFact::FromMemfd => flag(process.program.memfd.or_else(|| is_memfd(&process.exe)), see),
        ProcessFact::Age => see(Value::Number(time_ns.saturating_sub(process.start_ns).into())),
    }
}

/// Whether a program whose execution nobody saw came from a memfd, by the name that the kernel gives those: as the kernel
/// programs tell it, and as `/proc` does.
fn is_memfd(exe: &[u8]) -> Option<bool> {
    let is = exe.starts_with(b"memfd:") || exe.starts_with(b"/memfd:");
    (!exe.is_empty()).then_some(is)
}

fn number(known: Option<u32>, see: &mut dyn FnMut(Value<'_>)) {
    if let Some(number) = known {
        see(Value::Number(number.into()));
    }
}

fn flag(known: Option<bool>, see: &mut dyn FnMut(Value<'_>)) {
    if let Some(is) = known {
        see(Value::Text(if is { b"true" } else { b"false" }));
    }
}
