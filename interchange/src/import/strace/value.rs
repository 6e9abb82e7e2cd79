//! Values as strace writes them, as values of JSON.

use events::ArgKind;
use serde_json::{Map, Value};

use crate::import::row::text_of;

/// How deep values stand in each other; strace's do not go beyond six.
const DEPTH: u32 = 16;

/// Parts between commas that stand in nothing else.
pub fn split(text: &[u8]) -> Vec<&[u8]> {
    let (mut parts, mut start, mut depth) = (Vec::new(), 0, 0u32);
    let mut at = 0;
    while let Some(byte) = text.get(at) {
        match byte {
            b'"' => at = end_of_quoted(text, at),
            b'[' | b'{' | b'(' => depth += 1,
            b']' | b'}' | b')' => depth = depth.saturating_sub(1),
            // `3</a,b>`: what a descriptor stands for.
            b'<' if follows_a_number(text, at) => at = end_of_path(text, at),
            b'/' if text.get(at + 1) == Some(&b'*') => at = end_of_comment(text, at),
            b',' if depth == 0 => {
                parts.push(text.get(start..at).unwrap_or_default().trim_ascii());
                start = at + 1;
            }
            _ => {}
        }
        at += 1;
    }
    let last = text.get(start..).unwrap_or_default().trim_ascii();
    if !last.is_empty() || !parts.is_empty() {
        parts.push(last);
    }
    parts
}

/// The place of the closing quote, or of the last byte.
fn end_of_quoted(text: &[u8], open: usize) -> usize {
    let mut at = open + 1;
    while let Some(byte) = text.get(at) {
        match byte {
            b'\\' => at += 1,
            b'"' => return at,
            _ => {}
        }
        at += 1;
    }
    text.len()
}

fn follows_a_number(text: &[u8], at: usize) -> bool {
    at.checked_sub(1)
        .and_then(|before| text.get(before))
        .is_some_and(|byte| byte.is_ascii_digit() || *byte == b'D')
}

/// The place of the `>` that ends it. The arrow between two addresses is none.
fn end_of_path(text: &[u8], open: usize) -> usize {
    let mut at = open + 1;
    while let Some(byte) = text.get(at) {
        if *byte == b'>' && text.get(at - 1) != Some(&b'-') {
            return at;
        }
        at += 1;
    }
    text.len()
}

fn end_of_comment(text: &[u8], open: usize) -> usize {
    let rest = text.get(open..).unwrap_or_default();
    rest.windows(2).position(|window| window == b"*/").map_or(text.len(), |at| open + at + 1)
}

/// `flags=CLONE_VM`: the name of an argument that strace does not write by position.
pub fn name_of(text: &[u8]) -> (Option<&[u8]>, &[u8]) {
    let end = text.iter().position(|byte| !byte.is_ascii_lowercase() && *byte != b'_').unwrap_or(text.len());
    match (end > 0, text.get(end..).and_then(|rest| rest.strip_prefix(b"="))) {
        (true, Some(value)) => (text.get(..end), value),
        _ => (None, text),
    }
}

/// Names that strace has for arguments which the catalogue calls otherwise.
pub fn also(ours: &str, strace: &[u8]) -> bool {
    matches!(
        (ours, strace),
        ("stack", b"child_stack") | ("parent_tid", b"parent_tidptr") | ("child_tid", b"child_tidptr")
    )
}

/// The result; `None` for `?`.
pub fn result(text: &[u8]) -> Result<Option<i64>, String> {
    let word = text.split(|byte| *byte == b' ').next().unwrap_or_default();
    if word == b"?" {
        return Ok(None);
    }
    let wrong = || format!("{:?} is no result", String::from_utf8_lossy(text));
    let word = std::str::from_utf8(word).map_err(|_| wrong())?;
    let word = word.split('<').next().unwrap_or(word);
    let number = match word.strip_prefix("0x") {
        Some(hex) => u64::from_str_radix(hex, 16).ok().map(|number| number as i64),
        None if word.len() > 1 && word.starts_with('0') => i64::from_str_radix(word, 8).ok(),
        None => word.parse().ok().or_else(|| word.parse::<u64>().ok().map(|number| number as i64)),
    };
    match number {
        // The name says which error it was.
        Some(-1) => {
            let text = String::from_utf8_lossy(text);
            let name = text.split_whitespace().nth(1).unwrap_or_default();
            Ok(Some(events::consts::errno::number(name).map_or(-1, |number| -i64::from(number))))
        }
        number => number.map(Some).ok_or_else(wrong),
    }
}

/// How long the call took, as `-T` puts it behind the result: ns.
pub fn duration_ns(text: &[u8]) -> Option<u64> {
    let start = text.strip_suffix(b">")?;
    let start = start.get(start.iter().rposition(|byte| *byte == b'<')? + 1..)?;
    let (seconds, part) = std::str::from_utf8(start).ok()?.split_once('.')?;
    let is_number = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    if !is_number(seconds) || !is_number(part) || part.len() > 9 {
        return None;
    }
    let part = part.parse::<u64>().ok()? * 10u64.pow(9 - part.len() as u32);
    seconds.parse::<u64>().ok()?.checked_mul(1_000_000_000)?.checked_add(part)
}

/// The value of an argument of this kind; `cut` where strace cut it.
pub fn of_kind(kind: ArgKind, text: &[u8], cut: &mut bool) -> Value {
    let text = text.trim_ascii();
    match kind {
        ArgKind::Fd => descriptor(text),
        ArgKind::Bytes(_) if text.starts_with(b"\"") => {
            let (bytes, is_cut) = unquoted(text);
            *cut |= is_cut;
            Value::String(base64(&bytes))
        }
        kind if kind.is_number() => number(text),
        _ => value(text, cut, 0),
    }
}

/// Whatever it is.
fn value(text: &[u8], cut: &mut bool, depth: u32) -> Value {
    let text = text.trim_ascii();
    if depth > DEPTH {
        return plain(text);
    }
    match text {
        b"NULL" | b"" => Value::Null,
        [b'"', ..] => {
            let (bytes, is_cut) = unquoted(text);
            *cut |= is_cut;
            text_of(&bytes)
        }
        [b'@', b'"', ..] => {
            let (bytes, is_cut) = unquoted(&text[1..]);
            *cut |= is_cut;
            text_of(&[b"@", &bytes[..]].concat())
        }
        [b'[', inner @ .., b']'] => {
            let mut elements = Vec::new();
            // Sets of CPUs and of signals have blanks between their words: `[0 1]`, `[INT TERM]`.
            let is_word = |byte: &u8| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b' ');
            let parts = if inner.iter().all(is_word) {
                inner.split(|byte| *byte == b' ').filter(|word| !word.is_empty()).collect()
            } else {
                split(inner)
            };
            for part in parts {
                match part {
                    b"..." => *cut = true,
                    part => elements.push(value(part, cut, depth + 1)),
                }
            }
            Value::Array(elements)
        }
        [b'{', inner @ .., b'}'] => {
            let mut members = Map::new();
            for part in split(inner) {
                let (name, text) = name_of_member(part);
                match name {
                    None if part == b"..." => *cut = true,
                    None => drop(members.insert(format!("{}", members.len()), value(text, cut, depth + 1))),
                    Some(name) => {
                        members
                            .insert(String::from_utf8_lossy(name).into_owned(), value(text, cut, depth + 1));
                    }
                }
            }
            Value::Object(members)
        }
        text => plain(text),
    }
}

/// `sin6_port=htons(53)`: names of members may have digits.
fn name_of_member(text: &[u8]) -> (Option<&[u8]>, &[u8]) {
    let end =
        text.iter().position(|byte| !byte.is_ascii_alphanumeric() && *byte != b'_').unwrap_or(text.len());
    match (end > 0, text.get(end..).and_then(|rest| rest.strip_prefix(b"="))) {
        (true, Some(value)) => (text.get(..end), value),
        _ => (None, text),
    }
}

/// A number, names of flags, or a function of C around one of them.
fn plain(text: &[u8]) -> Value {
    for (before, after) in [("htons(", ")"), ("inet_addr(\"", "\")"), ("htonl(", ")")] {
        let inner = text.strip_prefix(before.as_bytes()).and_then(|rest| rest.strip_suffix(after.as_bytes()));
        if let Some(inner) = inner {
            return Value::String(String::from_utf8_lossy(inner).into_owned());
        }
    }
    if let Some(inner) = text.strip_prefix(b"inet_pton(AF_INET6, \"")
        && let Some(end) = inner.iter().position(|byte| *byte == b'"')
    {
        return Value::String(String::from_utf8_lossy(&inner[..end]).into_owned());
    }
    number(text)
}

/// A number as strace writes it: decimal, hex, octal, names of flags; behind it there may be a comment.
fn number(text: &[u8]) -> Value {
    let end = text.windows(3).position(|window| window == b" /*").unwrap_or(text.len());
    let text = String::from_utf8_lossy(text.get(..end).unwrap_or_default()).trim().to_owned();
    if text.is_empty() {
        return Value::Null;
    }
    if text == "NULL" {
        return 0.into();
    }
    // Octal among names: S_IFREG|0644.
    let words: Vec<String> = text
        .split('|')
        // It is 0, and stands for none of the flags beside it.
        .filter(|word| *word != "AT_STATX_SYNC_AS_STAT" || text == *word)
        .map(|word| match (octal(word), word.strip_suffix("_PRIVATE")) {
            (Some(number), _) => format!("{number:#x}"),
            (None, Some(operation)) if operation.starts_with("FUTEX_") => {
                format!("{operation}|FUTEX_PRIVATE_FLAG")
            }
            (None, _) => word.to_owned(),
        })
        .collect();
    let one = words.join("|");
    let signed = one.parse::<i64>().ok().map(Value::from);
    let hex =
        || one.strip_prefix("0x").and_then(|digits| u64::from_str_radix(digits, 16).ok()).map(Value::from);
    signed.or_else(|| one.parse::<u64>().ok().map(Value::from)).or_else(hex).unwrap_or(Value::String(one))
}

fn octal(word: &str) -> Option<u64> {
    let digits = word.strip_prefix('0').filter(|digits| !digits.is_empty())?;
    u64::from_str_radix(digits, 8).ok()
}

/// `3`, `AT_FDCWD</home>`, `4<TCP:[127.0.0.1:1->127.0.0.1:2]>`.
fn descriptor(text: &[u8]) -> Value {
    let open = text.iter().position(|byte| *byte == b'<').unwrap_or(text.len());
    let (number, rest) = text.split_at(open);
    let number = match number {
        b"AT_FDCWD" => "-100".to_owned(),
        number => String::from_utf8_lossy(number).trim().to_owned(),
    };
    let Ok(value) = number.parse::<i64>() else { return self::number(text) };
    let end = end_of_path(rest, 0).min(rest.len());
    let Some(inside) = rest.get(1..end).filter(|inside| !inside.is_empty()) else { return value.into() };
    let (inside, _) = unescaped(inside);
    let socket = inside.iter().position(|byte| *byte == b':').and_then(|colon| {
        let (kind, rest) = inside.split_at(colon);
        let addresses = rest.strip_prefix(b":[")?.strip_suffix(b"]")?;
        matches!(kind, b"TCP" | b"UDP" | b"TCPv6" | b"UDPv6").then_some((kind, addresses))
    });
    let stands_for = match socket {
        Some((kind, addresses)) => {
            let kind = String::from_utf8_lossy(kind).replace("v6", "").to_lowercase();
            [kind.as_bytes(), b" ", addresses].concat()
        }
        None => inside,
    };
    match text_of(&stands_for) {
        Value::String(text) => Value::String(format!("{value}={text}")),
        _ => value.into(),
    }
}

/// The bytes of a quoted text, and whether it was cut: dots stand behind it.
fn unquoted(text: &[u8]) -> (Vec<u8>, bool) {
    let end = end_of_quoted(text, 0).min(text.len());
    let (bytes, _) = unescaped(text.get(1..end).unwrap_or_default());
    (bytes, text.get(end + 1..).is_some_and(|rest| rest.starts_with(b"...")))
}

/// The bytes of a text with C's escapes.
fn unescaped(text: &[u8]) -> (Vec<u8>, usize) {
    let mut bytes = Vec::with_capacity(text.len());
    let mut at = 0;
    while let Some(byte) = text.get(at) {
        at += 1;
        if *byte != b'\\' {
            bytes.push(*byte);
            continue;
        }
        let escaped = text.get(at).copied().unwrap_or(b'\\');
        at += 1;
        match escaped {
            b'n' => bytes.push(b'\n'),
            b't' => bytes.push(b'\t'),
            b'r' => bytes.push(b'\r'),
            b'v' => bytes.push(0x0b),
            b'f' => bytes.push(0x0c),
            b'a' => bytes.push(7),
            b'b' => bytes.push(8),
            b'x' => {
                let digits = digits(text, at, 2, |byte| byte.is_ascii_hexdigit());
                bytes.push(u8::from_str_radix(digits, 16).unwrap_or(b'x'));
                at += digits.len();
            }
            b'0'..=b'7' => {
                at -= 1;
                let digits = digits(text, at, 3, |byte| matches!(byte, b'0'..=b'7'));
                bytes.push(u16::from_str_radix(digits, 8).unwrap_or(0) as u8);
                at += digits.len();
            }
            other => bytes.push(other),
        }
    }
    (bytes, at)
}

fn digits(text: &[u8], at: usize, most: usize, is: impl Fn(u8) -> bool) -> &str {
    let rest = text.get(at..).unwrap_or_default();
    let count = rest.iter().take(most).take_while(|byte| is(**byte)).count();
    std::str::from_utf8(&rest[..count]).unwrap_or_default()
}

fn base64(bytes: &[u8]) -> String {
    let mut quoted = Vec::new();
    replay::render::values::base64(bytes, &mut quoted);
    String::from_utf8_lossy(&quoted).trim_matches('"').to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn parts(text: &str) -> Vec<String> {
        split(text.as_bytes()).into_iter().map(|part| String::from_utf8_lossy(part).into_owned()).collect()
    }

    #[test]
    fn arguments_are_split_where_they_end_and_nowhere_else() {
        assert_eq!(
            parts(r#"3</a,b>, "x, \"y", [1, 2], {a=1, b=(2, 3)}, 0x7ffe /* 2 vars, or so */"#).len(),
            5
        );
        assert_eq!(parts("4<TCP:[1.2.3.4:5->6.7.8.9:10]>, 5"), ["4<TCP:[1.2.3.4:5->6.7.8.9:10]>", "5"]);
        assert!(parts("").is_empty());
    }

    #[test]
    fn values_are_what_they_say() {
        let read = |text: &str| {
            let mut cut = false;
            (value(text.as_bytes(), &mut cut, 0), cut)
        };
        assert_eq!(read(r#""a\n\"\3771""#), (json!("a\n\"\u{10ffff}1"), false));
        assert_eq!(read(r#""abc"..."#), (json!("abc"), true));
        assert_eq!(read(r#"["ls", "-l"]"#), (json!(["ls", "-l"]), false));
        assert_eq!(read("[0 1]"), (json!([0, 1]), false));
        assert_eq!(read("[INT TERM]"), (json!(["INT", "TERM"]), false));
        let address = r#"{sa_family=AF_INET, sin_port=htons(80), sin_addr=inet_addr("127.0.0.1")}"#;
        assert_eq!(
            read(address).0,
            json!({"sa_family": "AF_INET", "sin_port": "80", "sin_addr": "127.0.0.1"})
        );
        assert_eq!(read("S_IFREG|0644").0, json!("S_IFREG|0x1a4"));
        assert_eq!(descriptor(b"4<TCP:[1.2.3.4:5->6.7.8.9:10]>"), json!("4=tcp 1.2.3.4:5->6.7.8.9:10"));
        assert_eq!(descriptor(b"AT_FDCWD</a\\40b>"), json!("-100=/a b"));
    }

    #[test]
    fn results_are_numbers_or_errors_by_name() {
        assert_eq!(result(b"-1 ENOENT (No such file or directory)"), Ok(Some(-2)));
        assert_eq!(result(b"0x7f00 "), Ok(Some(0x7f00)));
        assert_eq!(result(b"3</etc/passwd> <0.000012>"), Ok(Some(3)));
        assert_eq!(result(b"? ERESTARTSYS (To be restarted if SA_RESTART is set)"), Ok(None));
        assert!(result(b"nothing").is_err());
        assert_eq!(duration_ns(b"3</etc/passwd> <0.000012>"), Some(12_000));
        assert_eq!(duration_ns(b"-1 EINTR (Interrupted system call) <12.5>"), Some(12_500_000_000));
        assert_eq!(
            (duration_ns(b"3</etc/passwd>"), duration_ns(b"4</1.5>"), duration_ns(b"0")),
            (None, None, None)
        );
    }
}
