//! Entries as programs send them to the journal: `NAME=value` a line, or a name alone, its value's length (u64) and the value.

use super::syslog::Entry;

/// The entry that fields make, and whether its text was not kept to its end.
pub fn entry(bytes: &[u8], is_cut: bool) -> (Entry<'_>, bool) {
    let mut entry = Entry { priority: None, tag: &[], pid: None, text: &[] };
    let (mut severity, mut facility, mut has_text, mut text_is_cut) = (None, None, false, false);
    let number = |value: &[u8]| std::str::from_utf8(value).ok()?.parse::<u32>().ok();
    each_field(bytes, &mut |name, value, is_whole| match name {
        b"MESSAGE" => (entry.text, has_text, text_is_cut) = (value, true, !is_whole),
        b"PRIORITY" => severity = number(value).filter(|it| *it < 8),
        b"SYSLOG_FACILITY" => facility = number(value).filter(|it| *it < 24),
        b"SYSLOG_IDENTIFIER" => entry.tag = value,
        b"SYSLOG_PID" => entry.pid = number(value),
        _ => {}
    });
    // Programs that say no facility are those of users.
    entry.priority = severity.map(|severity| (facility.unwrap_or(1) * 8 + severity) as u8);
    (entry, is_cut && (text_is_cut || !has_text))
}

/// Calls `see` with the name and value of each field, and whether the value is whole.
fn each_field<'a>(mut bytes: &'a [u8], see: &mut dyn FnMut(&'a [u8], &'a [u8], bool)) {
    while !bytes.is_empty() {
        let end = bytes.iter().position(|byte| *byte == b'\n');
        let line = bytes.get(..end.unwrap_or(bytes.len())).unwrap_or_default();
        let rest = end.and_then(|end| bytes.get(end + 1..)).unwrap_or_default();
        if let Some(at) = line.iter().position(|byte| *byte == b'=') {
            let (name, value) = (line.get(..at).unwrap_or_default(), line.get(at + 1..).unwrap_or_default());
            see(name, value, end.is_some());
            bytes = rest;
            continue;
        }
        let Some((length, rest)) = rest.split_first_chunk() else { return };
        let length = usize::try_from(u64::from_le_bytes(*length)).unwrap_or(usize::MAX);
        let (value, rest) = rest.split_at(length.min(rest.len()));
        see(line, value, value.len() == length);
        bytes = rest.strip_prefix(b"\n").unwrap_or(rest);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_stand_behind_their_names_or_have_a_length() {
        let mut sent = b"PRIORITY=3\nSYSLOG_IDENTIFIER=sudo\nSYSLOG_FACILITY=10\nMESSAGE\n".to_vec();
        sent.extend_from_slice(&5u64.to_le_bytes());
        sent.extend_from_slice(b"two\nl\nSYSLOG_PID=7\n");
        let text = &b"two\nl"[..];
        assert_eq!(
            entry(&sent, false),
            (Entry { priority: Some(83), tag: b"sudo", pid: Some(7), text }, false)
        );
        // What ends early ends with what was kept.
        let (cut, is_cut) = entry(&sent[..sent.len() - 16], true);
        assert_eq!((cut.text, is_cut), (&b"two"[..], true));
        for end in 0..sent.len() {
            let _ = entry(&sent[..end], true);
        }
    }
}
