//! Values of members and lists, for what has no fixed layout: packet headers, DNS answers, what an imported log holds.
//!
//! ```text
//! value   := tag u8, then
//!   0 nothing    1 i64    2 u64    3 bool u8    4 text: u16 length, bytes    5 bytes: u16 length, bytes
//!   6 list: u16 count, values    7 members: u16 count, then {u8 length, name, value} each
//! ```
//! Little endian. Depth is at most [`MAX_DEPTH`].

use crate::show::{Leaf, Parts, Shape};

/// Values nest no deeper than this; deeper ones read as torn.
pub const MAX_DEPTH: usize = 8;

/// Walks a stored value. One that is torn ends where it tears: what was open is closed.
pub fn walk(bytes: &[u8], parts: &mut dyn Parts) {
    if let Err(Torn { told: false }) = value(bytes, MAX_DEPTH, parts) {
        parts.leaf(Leaf::Nothing);
    }
}

/// The bytes end, or are no value.
struct Torn {
    /// Whether something was told of the value before it tore.
    told: bool,
}

/// Walks one value and gives what follows it.
fn value<'a>(bytes: &'a [u8], depth: usize, parts: &mut dyn Parts) -> Result<&'a [u8], Torn> {
    let Some((tag, rest)) = bytes.split_first() else { return Err(Torn { told: false }) };
    if matches!(tag, 6 | 7) && depth > 0 {
        return match rest.split_first_chunk() {
            Some((count, rest)) => elements(u16::from_le_bytes(*count), rest, depth - 1, *tag == 7, parts),
            None => Err(Torn { told: false }),
        };
    }
    let Some((leaf, rest)) = leaf(*tag, rest) else { return Err(Torn { told: false }) };
    parts.leaf(leaf);
    Ok(rest)
}

fn leaf(tag: u8, rest: &[u8]) -> Option<(Leaf<'_>, &[u8])> {
    Some(match tag {
        0 => (Leaf::Nothing, rest),
        1 => rest.split_first_chunk().map(|(n, rest)| (Leaf::Signed(i64::from_le_bytes(*n)), rest))?,
        2 => rest.split_first_chunk().map(|(n, rest)| (Leaf::Unsigned(u64::from_le_bytes(*n)), rest))?,
        3 => rest.split_first().map(|(is, rest)| (Leaf::Bool(*is != 0), rest))?,
        4 | 5 => {
            let (length, rest) = rest.split_first_chunk()?;
            let (content, rest) = rest.split_at_checked(u16::from_le_bytes(*length).into())?;
            (if tag == 4 { Leaf::Text(content) } else { Leaf::Bytes(content) }, rest)
        }
        _ => return None,
    })
}

/// Walks the elements of a list, or with `named` the members of a structure.
fn elements<'a>(
    count: u16,
    bytes: &'a [u8],
    depth: usize,
    named: bool,
    parts: &mut dyn Parts,
) -> Result<&'a [u8], Torn> {
    let shape = if named { Shape::Struct } else { Shape::List };
    parts.open(shape);
    let mut left = Ok(bytes);
    for _ in 0..count {
        let Ok(mut rest) = left else { break };
        if named {
            let name = rest.split_first().and_then(|(length, rest)| rest.split_at_checked((*length).into()));
            let Some((name, after)) = name else {
                left = Err(Torn { told: true });
                break;
            };
            parts.member(str::from_utf8(name).unwrap_or("?"));
            rest = after;
        }
        left = value(rest, depth, parts);
        if let Err(Torn { told: false }) = left
            && named
        {
            // A member was announced: it has a value, though none that can be read.
            parts.leaf(Leaf::Nothing);
        }
    }
    parts.close(shape);
    left.map_err(|_| Torn { told: true })
}
