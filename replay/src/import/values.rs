//! Values of a log's JSON as a capture stores them.

use std::net::{Ipv4Addr, Ipv6Addr};

use events::dirents::{Dirent, Layout, TAG};
use events::{ArgKind, Event, Names, Raw};
use pipeline::derive::tree::Tree;
use serde_json::Value;

use super::line::Line;
use super::schema::Stored;
use crate::render::json_text;

/// A value whose bytes stand elsewhere.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Span {
    Missing,
    Number(u64),
    Bytes { start: usize, end: usize },
}

impl Span {
    pub fn raw(self, bytes: &[u8]) -> Raw<'_> {
        match self {
            Span::Missing => Raw::Missing,
            Span::Number(number) => Raw::Number(number),
            Span::Bytes { start, end } => bytes.get(start..end).map_or(Raw::Missing, Raw::Bytes),
        }
    }
}

/// Encodes the arguments of a line in the order of its event's declaration.
pub fn encode(line: &Line, args: Vec<(String, Stored)>, bytes: &mut Vec<u8>, spans: &mut Vec<Span>) {
    for (name, stored) in args {
        let value = line.args.iter().find(|argument| argument.name == name).map(|argument| &argument.value);
        let start = bytes.len();
        let number = match value {
            None | Some(Value::Null) => None,
            Some(value) => Some(one(line, value, stored, bytes)),
        };
        let caller = value.is_none().then(|| caller(line, &name)).flatten();
        let number = caller.map_or(number, |call| {
            bytes.extend(json_text::bytes_of(call));
            Some(Outcome::Bytes)
        });
        spans.push(match number {
            None | Some(Outcome::Missing) => Span::Missing,
            Some(Outcome::Number(number)) => Span::Number(number),
            Some(Outcome::Bytes) => Span::Bytes { start, end: bytes.len() },
        });
    }
}

/// The call that a line says it happened in, where the argument of this name is to hold it.
fn caller<'a>(line: &'a Line, name: &str) -> Option<&'a str> {
    let is_inside = !line.syscall.is_empty() && line.syscall != line.event_name;
    (name == Event::CALLER && is_inside).then_some(line.syscall.as_str())
}

enum Outcome {
    Missing,
    Number(u64),
    /// Appended.
    Bytes,
}

fn one(line: &Line, value: &Value, stored: Stored, bytes: &mut Vec<u8>) -> Outcome {
    match (stored, value) {
        // As logs have it that were made with names: `3=/etc/passwd`.
        (Stored::Kind(ArgKind::Fd, _), Value::String(text))
            if let Some((number, stands_for)) = described(text) =>
        {
            bytes.extend(number.to_le_bytes());
            bytes.extend(json_text::bytes_of(stands_for));
            Outcome::Bytes
        }
        (Stored::Kind(kind, names), value) if kind.is_number() => match number(value, names) {
            Some(number) => Outcome::Number(number),
            None => Outcome::Missing,
        },
        (Stored::Signed | Stored::Unsigned, value) => match number(value, Names::None) {
            Some(number) => Outcome::Number(number),
            None => Outcome::Missing,
        },
        // What could not be read is known by its address.
        (Stored::Kind(..), Value::Number(address)) => match address.as_u64() {
            Some(address) => Outcome::Number(address),
            None => Outcome::Missing,
        },
        (Stored::Text | Stored::Kind(ArgKind::Str | ArgKind::Text(_), _), Value::String(text)) => {
            bytes.extend(json_text::bytes_of(text));
            Outcome::Bytes
        }
        (Stored::Text | Stored::Kind(ArgKind::Str | ArgKind::Text(_), _), value) => {
            bytes.extend(value.to_string().into_bytes());
            Outcome::Bytes
        }
        (Stored::Kind(ArgKind::StrArray | ArgKind::StrList(_), _), value) => {
            let elements = value.as_array().map_or(std::slice::from_ref(value), Vec::as_slice);
            for element in elements {
                bytes.extend(json_text::bytes_of(element.as_str().unwrap_or_default()));
                bytes.push(0);
            }
            Outcome::Bytes
        }
        (Stored::Kind(ArgKind::Bytes(_), _), value) => match value.as_str().and_then(base64) {
            Some(decoded) => {
                bytes.extend(decoded);
                Outcome::Bytes
            }
            None => Outcome::Missing,
        },
        (Stored::Kind(ArgKind::Dirents(_), _), value) => {
            let layout = Layout::of(&line.event_name, line.context_flags.is_compat);
            match dirents(value, layout) {
                Some(entries) => bytes.extend(entries),
                None => tree(value, bytes),
            }
            Outcome::Bytes
        }
        (Stored::Kind(ArgKind::Sockaddr(_), _), Value::Object(members)) => {
            // Newer logs have numbers where older ones have their text.
            let member = |name: &str| match members.get(name)? {
                Value::String(text) => Some(text.clone()),
                Value::Number(number) => Some(number.to_string()),
                _ => None,
            };
            match sockaddr(&member) {
                Some(address) => bytes.extend(address),
                None => tree(value, bytes),
            }
            Outcome::Bytes
        }
        (_, value) => {
            tree(value, bytes);
            Outcome::Bytes
        }
    }
}

/// A descriptor and what it stands for.
fn described(text: &str) -> Option<(i64, &str)> {
    let (number, stands_for) = text.split_once('=')?;
    Some((number.parse().ok()?, stands_for)).filter(|(_, stands_for)| !stands_for.is_empty())
}

/// A number, or the text of one: decimal, hex, or names.
fn number(value: &Value, names: Names) -> Option<u64> {
    match value {
        Value::Bool(is) => Some(u64::from(*is)),
        Value::Number(number) => number.as_u64().or_else(|| number.as_i64().map(|number| number as u64)),
        Value::String(text) => {
            let hex = text.strip_prefix("0x").and_then(|digits| u64::from_str_radix(digits, 16).ok());
            let signed = || text.parse::<i64>().ok().map(|number| number as u64);
            hex.or_else(|| text.parse().ok()).or_else(signed).or_else(|| names.parse(text))
        }
        _ => None,
    }
}

/// Entries of a directory: as members, or in base64 as the kernel laid them out (logs of programs before version 4 of the
/// format). `None` for what is neither.
fn dirents(value: &Value, layout: Option<Layout>) -> Option<Vec<u8>> {
    let mut stored = vec![TAG];
    let mut put = |entry: Dirent<'_>| entry.store(|part| stored.extend_from_slice(part));
    match value {
        Value::Array(entries) => {
            for entry in entries {
                let name = json_text::bytes_of(entry.get("d_name")?.as_str()?);
                let kind = number(entry.get("d_type")?, Names::DirentType)?;
                put(Dirent {
                    inode: number(entry.get("d_ino")?, Names::None)?,
                    kind: u8::try_from(kind).ok()?,
                    name: name.split(|byte| *byte == 0).next()?,
                });
            }
        }
        Value::String(text) => layout?.entries(&base64(text)?).for_each(put),
        _ => return None,
    }
    Some(stored)
}

/// A socket address from the members that Tracee shows; `None` for families that are kept as they are shown.
fn sockaddr(member: &dyn Fn(&str) -> Option<String>) -> Option<Vec<u8>> {
    // What is 0 is left out by newer logs.
    let number = |name: &str| member(name).map_or(Ok(0), |text| text.parse::<u32>());
    let port = |name: &str| number(name).ok().and_then(|port| u16::try_from(port).ok());
    match member("sa_family")?.as_str() {
        "AF_INET" | "2" => {
            let address: Ipv4Addr = member("sin_addr")?.parse().ok()?;
            let port = port("sin_port")?;
            let mut bytes = vec![2, 0];
            bytes.extend(port.to_be_bytes());
            bytes.extend(address.octets());
            bytes.extend([0; 8]);
            Some(bytes)
        }
        "AF_INET6" | "10" => {
            let address: Ipv6Addr = member("sin6_addr")?.parse().ok()?;
            let port = port("sin6_port")?;
            let flow: u32 = number("sin6_flowinfo").ok()?;
            let scope: u32 = number("sin6_scopeid").ok()?;
            let mut bytes = vec![10, 0];
            bytes.extend(port.to_be_bytes());
            bytes.extend(flow.to_be_bytes());
            bytes.extend(address.octets());
            bytes.extend(scope.to_le_bytes());
            Some(bytes)
        }
        "AF_UNIX" | "1" => {
            let path = json_text::bytes_of(&member("sun_path")?);
            let mut bytes = vec![1, 0];
            match path.strip_prefix(b"@") {
                Some(name) => {
                    bytes.push(0);
                    bytes.extend(name);
                }
                None => {
                    bytes.extend(path);
                    bytes.push(0);
                }
            }
            Some(bytes)
        }
        _ => None,
    }
}

/// Nesting beyond what stored trees may have ends as nothing.
fn tree(value: &Value, bytes: &mut Vec<u8>) {
    node(value, &mut Tree::new(bytes), events::tree::MAX_DEPTH);
}

fn node(value: &Value, tree: &mut Tree<'_>, depth: usize) {
    match value {
        Value::Bool(is) => tree.boolean(*is),
        Value::Number(number) => match (number.as_u64(), number.as_i64()) {
            (Some(number), _) => tree.unsigned(number),
            (None, Some(number)) => tree.signed(number),
            // Fractions have no stored form: their text does.
            (None, None) => tree.text(number.to_string().as_bytes()),
        },
        Value::String(text) => tree.text(&json_text::bytes_of(text)),
        Value::Array(elements) if depth > 0 => {
            tree.list(elements, |element, tree| node(element, tree, depth - 1));
        }
        Value::Object(members) if depth > 0 => tree.members(|out| {
            for (name, member) in members {
                out.value(name, |tree| node(member, tree, depth - 1));
            }
        }),
        _ => tree.nothing(),
    }
}

fn base64(text: &str) -> Option<Vec<u8>> {
    let digits = text.trim_end_matches('=').as_bytes();
    let mut bytes = Vec::with_capacity(digits.len() * 3 / 4);
    for chunk in digits.chunks(4) {
        let mut word = 0u32;
        for digit in chunk {
            let six = match digit {
                b'A'..=b'Z' => digit - b'A',
                b'a'..=b'z' => digit - b'a' + 26,
                b'0'..=b'9' => digit - b'0' + 52,
                b'+' => 62,
                b'/' => 63,
                _ => return None,
            };
            word = word << 6 | u32::from(six);
        }
        word <<= 6 * (4 - chunk.len());
        let [_, a, b, c] = word.to_be_bytes();
        bytes.extend([a, b, c].iter().take((chunk.len() * 6) / 8));
    }
    Some(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn base64_reads_what_is_written() {
        let all = [
            ("", &b""[..]),
            ("Zg==", b"f"),
            ("Zm8=", b"fo"),
            ("Zm9v", b"foo"),
            ("//79/A==", b"\xff\xfe\xfd\xfc"),
        ];
        for (text, bytes) in all {
            assert_eq!(base64(text).as_deref(), Some(bytes));
        }
        assert_eq!(base64("a b"), None);
    }

    #[test]
    fn numbers_are_read_in_every_spelling() {
        let read = |text: &str| number(&Value::String(text.into()), Names::None);
        assert_eq!(
            [read("7"), read("0x10"), read("-100"), read("x")],
            [Some(7), Some(16), Some(-100i64 as u64), None]
        );
        assert_eq!(number(&Value::Bool(true), Names::None), Some(1));
    }
}
