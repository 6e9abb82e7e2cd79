//! Events of Sysmon for Linux, as its service writes them to syslog: what engines read that judge Sigma rules by its fields.

use events::consts::errno;
use pipeline::EventView;

use super::{Writes, facts, wall::Wall};

#[derive(Debug, Default)]
pub struct Sysmon {
    wall: Wall,
    text: Vec<u8>,
}

/// Number, and version of its fields.
fn numbered(name: &str) -> Option<(u32, u32)> {
    match name {
        "sched_process_exec" => Some((1, 5)),
        "connect" => Some((3, 5)),
        "sched_process_exit" => Some((5, 3)),
        "security_file_open" | "open" | "openat" | "openat2" | "creat" => Some((11, 2)),
        "unlink" | "unlinkat" => Some((23, 5)),
        _ => None,
    }
}

/// `O_CREAT`.
const CREATE: i64 = 0o100;

impl Writes for Sysmon {
    fn event(&mut self, event: &EventView<'_>, out: &mut Vec<u8>) -> bool {
        let Some((number, version)) = numbered(event.event.name) else { return false };
        let failed = event.event.is_syscall() && errno::of_result(event.ret).is_some();
        // Of a capture that does not say whether a file was made, those that may have been.
        let makes = facts::created(event).unwrap_or_else(|| {
            event.event.name == "creat" || facts::number(event, &["flags"]).is_some_and(|it| it & CREATE != 0)
        });
        // It tells what was done, not what was tried, and of opens those that made a file.
        if (failed && number != 3) || (number == 11 && !makes) {
            return false;
        }
        let context = event.context;
        let (local, remote) = facts::addresses(event);
        if number == 3 && remote.as_ref().is_none_or(|it| it.port.is_none()) {
            return false;
        }
        self.text.clear();
        self.wall.iso(event.wall_ns, &mut self.text);
        let time = String::from_utf8_lossy(&self.text).into_owned();
        out.extend_from_slice(
            format!(
                "<Event><System><Provider Name=\"Linux-Sysmon\" Guid=\"{{ff032593-a8d3-4f13-b0d6-01fc615a0f97}}\"/>\
                 <EventID>{number}</EventID><Version>{version}</Version><Level>4</Level><Task>{number}</Task><Opcode>0</Opcode>\
                 <Keywords>0x8000000000000000</Keywords><TimeCreated SystemTime=\"{time}\"/><Correlation/>\
                 <Channel>Linux-Sysmon/Operational</Channel><Computer>"
            )
            .as_bytes(),
        );
        escaped(event.host.name.as_bytes(), out);
        out.extend_from_slice(b"</Computer><Security UserId=\"0\"/></System><EventData>");
        data("RuleName", b"-", out);
        data("UtcTime", time.get(..23).unwrap_or(&time).replace('T', " ").as_bytes(), out);
        data("ProcessGuid", guid(context.pid, context.process_start_ns).as_bytes(), out);
        data("ProcessId", context.pid.to_string().as_bytes(), out);
        data("Image", known(context.exe), out);
        data("User", user(context.uid).as_bytes(), out);
        match number {
            1 => {
                let argv: Vec<&[u8]> = facts::strings(event, &["argv"]).into_iter().flatten().collect();
                data("CommandLine", known(&argv.join(&b' ')), out);
                data("ParentProcessGuid", guid(context.ppid, context.parent_start_ns).as_bytes(), out);
                data("ParentProcessId", context.ppid.to_string().as_bytes(), out);
            }
            3 => {
                data("Initiated", b"true", out);
                for (side, end) in [("Source", &local), ("Destination", &remote)] {
                    let Some(end) = end else { continue };
                    let is_v6: &[u8] = if end.address.contains(':') { b"true" } else { b"false" };
                    data(&format!("{side}IsIpv6"), is_v6, out);
                    data(&format!("{side}Ip"), end.address.as_bytes(), out);
                    data(&format!("{side}Port"), end.port.unwrap_or(0).to_string().as_bytes(), out);
                }
            }
            11 | 23 => data("TargetFilename", known(facts::path(event)), out),
            _ => {}
        }
        out.extend_from_slice(b"</EventData></Event>\n");
        true
    }
}

fn known(text: &[u8]) -> &[u8] {
    if text.is_empty() { b"-" } else { text }
}

/// Names of users are in no event; root's is the same everywhere.
fn user(uid: u32) -> String {
    if uid == 0 { "root".to_owned() } else { uid.to_string() }
}

/// The same for all events of one process and for no other.
fn guid(pid: u32, start_ns: u64) -> String {
    let [a, b, c, d, e, f, g, h] = start_ns.to_be_bytes();
    format!("{{{pid:08x}-{a:02x}{b:02x}-{c:02x}{d:02x}-{e:02x}{f:02x}-{g:02x}{h:02x}00000000}}")
}

fn data(name: &str, text: &[u8], out: &mut Vec<u8>) {
    out.extend_from_slice(format!("<Data Name=\"{name}\">").as_bytes());
    escaped(text, out);
    out.extend_from_slice(b"</Data>");
}

/// Text in XML 1.0, which has no place for most control characters and none for bytes that are no UTF-8: these are U+FFFD.
fn escaped(text: &[u8], out: &mut Vec<u8>) {
    for character in String::from_utf8_lossy(text).chars() {
        match character {
            '<' => out.extend_from_slice(b"&lt;"),
            '>' => out.extend_from_slice(b"&gt;"),
            '&' => out.extend_from_slice(b"&amp;"),
            '"' => out.extend_from_slice(b"&quot;"),
            '\t' => out.extend_from_slice(b"&#9;"),
            '\n' => out.extend_from_slice(b"&#10;"),
            '\0'..='\u{1f}' | '\u{7f}' | '\u{fffe}' | '\u{ffff}' => {
                out.extend_from_slice("\u{fffd}".as_bytes())
            }
            other => out.extend_from_slice(other.encode_utf8(&mut [0; 4]).as_bytes()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn any_text_is_text_in_xml() {
        let mut out = Vec::new();
        data("Image", b"</Data>\x1b\n\xff&", &mut out);
        let xml = String::from_utf8(out).expect("text");
        let read = roxmltree::Document::parse(&xml).expect("XML");
        assert_eq!(read.root_element().text(), Some("</Data>\u{fffd}\n\u{fffd}&"));
    }
}
