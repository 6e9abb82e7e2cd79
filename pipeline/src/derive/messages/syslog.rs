//! Messages of syslog, as the C library writes them (RFC 3164 without a host), as RFC 5424 has them, and as loggers write
//! them into files.
//!
//! ```text
//! <38>Nov 29 06:12:01 sshd[812]: Failed password for root          priority, time, tag, pid, text
//! <86>1 2026-11-29T06:12:01Z web sshd 812 - - Failed password      version 1 of RFC 5424
//! Nov 29 06:12:01 web sshd[812]: Failed password                   a line of a file
//! ```
//! Only what rules and filters ask is read; a part that is not as expected makes all of it the text.

/// One message.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Entry<'a> {
    /// Facility times eight, plus severity.
    pub priority: Option<u8>,
    pub tag: &'a [u8],
    pub pid: Option<u32>,
    pub text: &'a [u8],
}

const SEVERITIES: [&str; 8] = ["emerg", "alert", "crit", "err", "warning", "notice", "info", "debug"];
const FACILITIES: [&str; 24] = [
    "kern", "user", "mail", "daemon", "auth", "syslog", "lpr", "news", "uucp", "cron", "authpriv", "ftp",
    "ntp", "audit", "alert", "clock", "local0", "local1", "local2", "local3", "local4", "local5", "local6",
    "local7",
];
const MONTHS: [&[u8]; 12] =
    [b"Jan", b"Feb", b"Mar", b"Apr", b"May", b"Jun", b"Jul", b"Aug", b"Sep", b"Oct", b"Nov", b"Dec"];

pub fn severity(priority: u8) -> &'static str {
    SEVERITIES.get(usize::from(priority % 8)).copied().unwrap_or("info")
}

pub fn facility(priority: u8) -> &'static str {
    FACILITIES.get(usize::from(priority / 8)).copied().unwrap_or("user")
}

/// The number between angle brackets at the front, and what follows.
pub fn priority(text: &[u8]) -> (Option<u8>, &[u8]) {
    let read = || -> Option<(u8, &[u8])> {
        let rest = text.strip_prefix(b"<")?;
        let end = rest.iter().take(4).position(|byte| *byte == b'>')?;
        let number: u8 = std::str::from_utf8(rest.get(..end)?).ok()?.parse().ok()?;
        (usize::from(number) < 8 * FACILITIES.len()).then_some((number, rest.get(end + 1..)?))
    };
    read().map_or((None, text), |(number, rest)| (Some(number), rest))
}

/// What is sent to a socket of syslog.
pub fn message(bytes: &[u8]) -> Entry<'_> {
    let bytes = trim_end(bytes);
    let (priority, rest) = priority(bytes);
    let entry = rest.strip_prefix(b"1 ").filter(|_| priority.is_some()).and_then(structured);
    Entry { priority, ..entry.unwrap_or_else(|| line(rest)) }
}

/// A line without a priority: time and host are left out where they are there.
pub fn line(text: &[u8]) -> Entry<'_> {
    let after_time = time(text);
    let rest = after_time.unwrap_or(text);
    let plain = Entry { priority: None, tag: &[], pid: None, text: rest };
    if let Some(entry) = tagged(rest) {
        return entry;
    }
    // Files have the host before the tag.
    let host = rest.iter().position(|byte| *byte == b' ').filter(|_| after_time.is_some());
    host.and_then(|at| tagged(rest.get(at + 1..)?)).unwrap_or(plain)
}

/// `tag: text` or `tag[pid]: text`.
fn tagged(text: &[u8]) -> Option<Entry<'_>> {
    let end = text.iter().position(|byte| matches!(byte, b'[' | b':' | b' '))?;
    let tag = text.get(..end).filter(|tag| !tag.is_empty())?;
    let rest = text.get(end..)?;
    let (pid, rest) = match rest.strip_prefix(b"[") {
        Some(inside) => {
            let end = inside.iter().take(11).position(|byte| *byte == b']')?;
            let pid = std::str::from_utf8(inside.get(..end)?).ok()?.parse().ok()?;
            (Some(pid), inside.get(end + 1..)?)
        }
        None => (None, rest),
    };
    let text = rest.strip_prefix(b":")?;
    Some(Entry { priority: None, tag, pid, text: text.strip_prefix(b" ").unwrap_or(text) })
}

/// What follows `Nov 29 06:12:01 ` or `2026-11-29T06:12:01.123+01:00 `.
fn time(text: &[u8]) -> Option<&[u8]> {
    let is_clock = |text: &[u8]| {
        text.len() == 8
            && text.iter().enumerate().all(|(at, byte)| match at {
                2 | 5 => *byte == b':',
                _ => byte.is_ascii_digit(),
            })
    };
    if text.get(..3).is_some_and(|month| MONTHS.contains(&month)) && text.get(7..15).is_some_and(is_clock) {
        return text.get(15..)?.strip_prefix(b" ");
    }
    let is_date = text.len() > 19 && text.get(10) == Some(&b'T') && text.get(11..19).is_some_and(is_clock);
    let end = text.iter().position(|byte| *byte == b' ').filter(|_| is_date)?;
    text.get(end + 1..)
}

/// Time, host, program, process, id of the message, data, text: as RFC 5424 has them.
fn structured(text: &[u8]) -> Option<Entry<'_>> {
    let mut fields = text.splitn(6, |byte| *byte == b' ');
    let (_time, _host) = (fields.next()?, fields.next()?);
    let (tag, pid, _id, rest) = (fields.next()?, fields.next()?, fields.next()?, fields.next()?);
    let pid = std::str::from_utf8(pid).ok().and_then(|pid| pid.parse().ok());
    let text = match rest.strip_prefix(b"-") {
        Some(rest) => rest,
        None => rest.get(data_end(rest)?..)?,
    };
    let text = text.strip_prefix(b" ").unwrap_or(text);
    let text = text.strip_prefix(b"\xef\xbb\xbf").unwrap_or(text);
    Some(Entry { priority: None, tag: if tag == b"-" { &[] } else { tag }, pid, text })
}

/// Where `[id name="value"]...` ends.
fn data_end(text: &[u8]) -> Option<usize> {
    let (mut is_inside, mut is_quoted, mut is_escaped) = (false, false, false);
    for (at, byte) in text.iter().enumerate() {
        match byte {
            _ if is_escaped => is_escaped = false,
            b'\\' if is_quoted => is_escaped = true,
            b'"' => is_quoted = !is_quoted,
            _ if is_quoted => {}
            b'[' => is_inside = true,
            b']' => is_inside = false,
            _ if !is_inside => return Some(at),
            _ => {}
        }
    }
    (!is_inside && !is_quoted).then_some(text.len())
}

fn trim_end(bytes: &[u8]) -> &[u8] {
    let end = bytes.iter().rposition(|byte| !matches!(byte, b'\n' | b'\0' | b'\r'));
    end.map_or(&[], |at| bytes.get(..=at).unwrap_or(bytes))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entry<'a>(priority: Option<u8>, tag: &'a str, pid: Option<u32>, text: &'a str) -> Entry<'a> {
        Entry { priority, tag: tag.as_bytes(), pid, text: text.as_bytes() }
    }

    #[test]
    fn the_forms_of_one_message_say_the_same() {
        let (some, text) = (Some(38), "Failed password for root from 10.0.0.9: 3 times");
        for form in [
            "<38>Nov 29 06:12:01 sshd[812]: ",
            "<38>Nov  9 06:12:01 web sshd[812]: ",
            "<38>2026-11-29T06:12:01.123456+01:00 web sshd[812]: ",
            "<38>sshd[812]: ",
            "<38>1 2026-11-29T06:12:01Z web sshd 812 - - ",
            "<38>1 - - sshd 812 ID7 [a@1 b=\"\\\"]\"][c] ",
        ] {
            let sent = format!("{form}{text}\n");
            assert_eq!(message(sent.as_bytes()), entry(some, "sshd", Some(812), text), "{form}");
        }
        assert_eq!((facility(38), severity(38)), ("auth", "info"));
    }

    #[test]
    fn what_is_not_as_expected_is_text() {
        assert_eq!(message(b"no header at all"), entry(None, "", None, "no header at all"));
        assert_eq!(message(b"<999>x"), entry(None, "", None, "<999>x"));
        assert_eq!(message(b"<38>Nov 29 06:12:01 just words"), entry(Some(38), "", None, "just words"));
        assert_eq!(
            line(b"Nov 29 06:12:01 web CRON[7]: (root) CMD (x)"),
            entry(None, "CRON", Some(7), "(root) CMD (x)")
        );
        assert_eq!(message(b"<38>1 a b"), entry(Some(38), "", None, "1 a b"));
        assert_eq!(message(b""), entry(None, "", None, ""));
    }
}
