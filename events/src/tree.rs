//! Values of members and lists, for what has no fixed layout: packet headers, DNS answers, credentials.
//!
//! ```text
//! value   := tag u8, then
//!   0 nothing    1 i64    2 u64    3 bool u8    4 text: u16 length, bytes    5 bytes: u16 length, bytes
//!   6 list: u16 count, values    7 members: u16 count, then {u8 length, name, value} each
//! ```
//! Little endian. Depth is at most [`MAX_DEPTH`].

/// Values nest no deeper than this; deeper ones read as torn.
pub const MAX_DEPTH: usize = 8;
