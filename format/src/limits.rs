//! Every bound that a capture file must keep, in one place. A file that declares more is refused before memory is taken
//! for it; a writer never exceeds them.

/// Rows of one block, so that codes of contexts and events fit 16 bits.
pub const BLOCK_ROWS: usize = 65_536;
/// Bytes of the arguments of one block; a builder is full when it has more than half of them.
pub const BLOCK_BYTES: usize = 64 << 20;
/// Memory that one block may take while it is read: what its column groups decompress to, and what columns decode to.
pub const BLOCK_MEMORY: usize = 192 << 20;
/// Bytes of a frame's payload in the file.
pub const PAYLOAD_BYTES: usize = 96 << 20;
/// Bytes of a frame's head, decompressed. Heads are the header, a block's directory, the index, and records beside the
/// events.
pub const HEAD_BYTES: usize = 32 << 20;
/// Bytes of all records beside the events of one file, decompressed. A writer refuses more, and a reader leaves out what
/// comes after.
pub const SIDE_BYTES: usize = 96 << 20;
/// Column groups of one block.
pub const BLOCK_GROUPS: usize = 16_384;
/// Columns of one block.
pub const BLOCK_COLUMNS: usize = 131_072;
/// Texts that columns of one block share.
pub const BLOCK_TEXTS: usize = 1 << 20;
/// Arguments of one event.
pub const EVENT_ARGS: usize = 64;
/// Sets that an event of a schema may be in.
pub const EVENT_SETS: usize = 64;
/// Events that one file's schema may declare.
pub const SCHEMA_EVENTS: usize = 8192;
/// Declarations of unknown events that one program may come to hold, over all the files that it opens.
pub const FOREIGN_EVENTS: usize = 16_384;
/// Bytes of one argument's value.
pub const VALUE_BYTES: usize = 1 << 20;
/// Distinct numbers of a column of contexts that statistics list; above that they have a filter.
pub const STATISTICS_NUMBERS: usize = 4096;
/// Distinct texts of a column of contexts that statistics list.
pub const STATISTICS_TEXTS: usize = 512;
/// Blocks of one index segment, bytes of their frames, what their statistics take, and tables among them: whichever is
/// reached first, the segment is written.
pub const SEGMENT_BLOCKS: usize = 256;
pub const SEGMENT_BYTES: u64 = 64 << 20;
pub const SEGMENT_STATISTICS: usize = 4 << 20;
pub const SEGMENT_TABLES: usize = 4096;
/// Bytes of records that a writer puts into one table, before compression; one record that is larger has its own.
pub const TABLE_BYTES: usize = 1 << 20;
/// Memory that the columns of one table may take.
pub const TABLE_MEMORY: usize = 96 << 20;
/// Bytes of one artifact, decompressed, and artifacts whose bytes one file holds.
pub const CONTENT_BYTES: usize = 64 << 20;
pub const CONTENTS: usize = 1 << 16;
/// Blocks that are read of an unfinished or damaged file without a segment that lists them.
pub const SALVAGED_BLOCKS: usize = 1 << 18;
/// Blocks of one file.
pub const FILE_BLOCKS: usize = 1 << 22;
