//! What the capture keeps as bytes and strace takes apart: the same bytes, taken apart here.

use crate::held::Held;
use crate::shown::Shown;

/// The bytes as the structure that strace makes of them; `None` when it is none of those known here.
pub fn read(shown: &Shown, bytes: &[u8]) -> Option<Held> {
    match shown {
        Shown::List(elements) => match elements.first() {
            Some(Shown::Members(members)) if has(members, "cmsg_len") => Some(control(bytes)),
            Some(Shown::Members(_)) => {
                let one = read(elements.first()?, bytes)?;
                Some(Held::List(vec![one]))
            }
            Some(Shown::Number(_)) => numbers(elements.len(), bytes),
            Some(Shown::At(..)) => {
                elements.iter().map(|element| at(element, bytes)).collect::<Option<_>>().map(Held::List)
            }
            None if bytes.is_empty() => Some(Held::List(Vec::new())),
            _ => None,
        },
        Shown::Members(members) if has(members, "mtext") => {
            let kind = word(bytes, 0)?;
            Some(named([("mtype", Held::Number(kind)), ("mtext", raw(bytes.get(8..)?))]))
        }
        Shown::Members(members) if has(members, "allowed_access") => {
            Some(named([("allowed_access", Held::Number(word(bytes, 0)?)), ("parent_fd", half(bytes, 8)?)]))
        }
        Shown::Members(members) if has(members, "l_onoff") => {
            Some(named([("l_onoff", half(bytes, 0)?), ("l_linger", half(bytes, 4)?)]))
        }
        _ => None,
    }
}

fn has(members: &[(String, Shown)], name: &str) -> bool {
    members.iter().any(|(known, _)| known == name)
}

fn named<const N: usize>(members: [(&str, Held); N]) -> Held {
    Held::Members(members.map(|(name, value)| (name.to_owned(), value)).to_vec())
}

fn raw(bytes: &[u8]) -> Held {
    Held::Bytes(bytes.to_vec())
}

fn word(bytes: &[u8], at: usize) -> Option<i128> {
    bytes.get(at..)?.first_chunk().map(|b| u64::from_le_bytes(*b).into())
}

fn half(bytes: &[u8], at: usize) -> Option<Held> {
    bytes.get(at..)?.first_chunk().map(|b| Held::Number(u32::from_le_bytes(*b).into()))
}

/// `[VEOF]=0x4` or `[17]=0`: a byte at a place that may have a name.
fn at(element: &Shown, bytes: &[u8]) -> Option<Held> {
    const NAMES: [&str; 17] = [
        "VINTR", "VQUIT", "VERASE", "VKILL", "VEOF", "VTIME", "VMIN", "VSWTC", "VSTART", "VSTOP", "VSUSP",
        "VEOL", "VREPRINT", "VDISCARD", "VWERASE", "VLNEXT", "VEOL2",
    ];
    let Shown::At(place, _) = element else { return None };
    let index = NAMES.iter().position(|name| name == place).or_else(|| place.parse().ok())?;
    bytes.get(index).map(|byte| Held::Number((*byte).into()))
}

/// An array of as many numbers as strace shows, of whatever width makes them that many.
fn numbers(count: usize, bytes: &[u8]) -> Option<Held> {
    let width = bytes.len() / count;
    if !matches!(width, 1 | 2 | 4 | 8) || width * count != bytes.len() {
        return None;
    }
    let number =
        |chunk: &[u8]| Held::Number(chunk.iter().rev().fold(0, |value, byte| value << 8 | i128::from(*byte)));
    Some(Held::List(bytes.chunks_exact(width).map(number).collect()))
}

/// `struct cmsghdr` after `struct cmsghdr`.
fn control(mut bytes: &[u8]) -> Held {
    let mut messages = Vec::new();
    while let (Some(length), Some(level), Some(kind)) = (word(bytes, 0), half(bytes, 8), half(bytes, 12)) {
        let end = usize::try_from(length).unwrap_or(usize::MAX).min(bytes.len());
        messages.push(named([
            ("cmsg_len", Held::Number(length)),
            ("cmsg_level", level),
            ("cmsg_type", kind),
            ("cmsg_data", raw(bytes.get(16..end).unwrap_or_default())),
        ]));
        bytes = bytes.get(end.max(16).next_multiple_of(8)..).unwrap_or_default();
    }
    Held::List(messages)
}
