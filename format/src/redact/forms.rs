//! The forms in which a text may stand in a value: other letters, UTF-16, labels of DNS, addresses within addresses.

use std::net::{IpAddr, SocketAddr};

/// The text in small letters.
pub(super) fn small(text: &[u8]) -> Vec<u8> {
    match std::str::from_utf8(text) {
        Ok(text) => text.to_lowercase().into_bytes(),
        Err(_) => text.to_ascii_lowercase(),
    }
}

/// All that a glob is held against as a whole: the text, and what address it is: `::ffff:10.1.2.3` is `10.1.2.3` too.
pub(super) fn whole(text: &[u8]) -> Vec<Vec<u8>> {
    let mut forms = vec![small(text)];
    let address = std::str::from_utf8(text).ok().and_then(|text| {
        text.parse::<IpAddr>().or_else(|_| text.parse::<SocketAddr>().map(|address| address.ip())).ok()
    });
    forms.extend(address.into_iter().flat_map(of_address));
    forms
}

/// An address as texts.
pub(super) fn of_address(address: IpAddr) -> Vec<Vec<u8>> {
    let mut texts = vec![address.to_string().into_bytes()];
    if address.to_canonical() != address {
        texts.push(address.to_canonical().to_string().into_bytes());
    }
    texts
}

/// All that a glob is looked for in: the bytes, every second byte (UTF-16 of either order), and names of DNS with dots.
pub(super) fn inside(bytes: &[u8]) -> Vec<Vec<u8>> {
    let mut forms = vec![small(bytes)];
    if bytes.len() >= 4 {
        for first in 0..2 {
            forms.push(small(&bytes.iter().skip(first).step_by(2).copied().collect::<Vec<_>>()));
        }
    }
    forms.extend(dns_names(bytes));
    forms
}

/// Where a message of DNS may begin in what was stored: in a buffer, behind its length on a stream, behind the headers of
/// IPv4 and IPv6 with UDP and with TCP. Names refer to earlier ones by their distance from there.
const MESSAGES: [usize; 8] = [0, 2, 28, 48, 40, 60, 42, 62];

/// Names written as labels, each with its length before it.
fn dns_names(bytes: &[u8]) -> Vec<Vec<u8>> {
    let mut names = Vec::new();
    let mut at = 0;
    while at < bytes.len() {
        match labels(bytes, at) {
            Some((name, end, refers)) => {
                for base in refers.iter().flat_map(|to| MESSAGES.map(|base| base + to)) {
                    if let Some((rest, _, _)) = labels(bytes, base) {
                        names.push([name.as_slice(), b".", &rest].concat());
                    }
                }
                names.push(name);
                at = end.max(at + 1);
            }
            None => at += 1,
        }
    }
    names
}

/// The name whose first label begins here: its text, where it ends, and what it refers to for its rest.
fn labels(bytes: &[u8], mut at: usize) -> Option<(Vec<u8>, usize, Option<usize>)> {
    let mut name = Vec::new();
    let is_letter = |byte: &u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_');
    loop {
        let length = usize::from(*bytes.get(at)?);
        match length {
            1..=63 => {
                let label = bytes.get(at + 1..at + 1 + length)?;
                if !label.iter().all(is_letter) {
                    return None;
                }
                if !name.is_empty() {
                    name.push(b'.');
                }
                name.extend_from_slice(&label.to_ascii_lowercase());
                at += 1 + length;
            }
            // A message that was cut inside its name still has what stands there.
            _ if name.is_empty() => return None,
            0xc0.. => {
                let to = (length & 0x3f) << 8 | usize::from(*bytes.get(at + 1)?);
                return Some((name, at + 2, Some(to)));
            }
            _ => return Some((name, at + 1, None)),
        }
        if name.len() > 255 || at >= bytes.len() {
            return Some((name, at, None));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn has(forms: &[Vec<u8>], text: &str) -> bool {
        forms.iter().any(|form| form.windows(text.len()).any(|it| it == text.as_bytes()))
    }

    #[test]
    fn a_text_is_found_in_the_forms_in_which_it_is_written() {
        assert!(has(&inside(b"x ALICE y"), "alice"));
        for skip in 0..2 {
            let wide: Vec<u8> = "Alice".encode_utf16().flat_map(u16::to_le_bytes).skip(skip).collect();
            assert!(has(&inside(&[&b"ab"[..], &wide].concat()), if skip == 0 { "alice" } else { "lice" }));
        }
        let dns =
            b"\x12\x34\x01\0\0\x01\0\0\0\0\0\0\x02db\x08Internal\x04corp\0\0\x01\0\x01\x03web\xc0\x0f\0";
        assert!(has(&inside(dns), "db.internal.corp"), "{:?}", dns_names(dns));
        assert!(has(&inside(dns), "web.internal.corp"), "{:?}", dns_names(dns));
        assert!(
            has(&whole(b"::ffff:10.1.2.3"), "10.1.2.3") && has(&whole(b"[::ffff:10.1.2.3]:80"), "10.1.2.3")
        );
    }

    #[test]
    fn anything_is_read_without_end_or_panic() {
        for byte in 0..=255 {
            for length in 0..80 {
                inside(&vec![byte; length]);
            }
        }
    }
}
