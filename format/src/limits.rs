//! Every bound that a capture file must keep, in one place. A file that declares more is refused before memory is taken
//! for it; a writer never exceeds them.

/// Rows of one block, so that codes of contexts and events fit 16 bits.
pub const BLOCK_ROWS: usize = 65_536;
/// Bytes that a block's rows may take before they are compressed; a builder is full when it has more than half of them.
pub const BLOCK_BYTES: usize = 64 << 20;
/// Bytes of one compressed column group, and of what it decompresses to.
pub const FRAME_BYTES: usize = 128 << 20;
/// Arguments of one event.
pub const EVENT_ARGS: usize = 64;
/// Events that one file's schema may declare.
pub const SCHEMA_EVENTS: usize = 8192;
/// Bytes of one argument's value.
pub const VALUE_BYTES: usize = 1 << 20;
