//! The capture file: blocks of columns in checksummed frames, index segments, and a chain of hashes over all of it.
//!
//! Writing: rows go into a [`BlockBuilder`], an [`Encoder`] turns a full one into an [`EncodedBlock`], and a [`Writer`]
//! appends that. The three are apart so that a recorder can give each its own thread. Reading: a [`Capture`] says what
//! the file holds and which blocks a question can skip; a [`Block`] decodes only the columns that are asked for.
//!
//! `docs/format.md` specifies the bytes.

pub mod acknowledged;
mod archive;
mod args;
pub mod artifact;
mod block;
mod bloom;
mod builder;
mod bytestrings;
mod capture;
mod columns;
mod compress;
mod content;
mod descriptors;
mod directory;
mod distinct;
mod encode;
mod encrypt;
mod entries;
mod envelope;
mod error;
pub mod facts;
mod forward;
mod frame;
#[doc(hidden)]
pub mod fuzzing;
mod header;
mod heads;
mod high_water;
mod index;
mod integers;
mod kinds;
pub mod limits;
mod map;
mod mark_counts;
mod reader;
mod records;
pub mod redact;
pub mod rewrite;
mod row;
mod salvage;
mod schema;
mod schema_text;
mod seal;
mod segment;
mod side;
mod side_v1;
mod sizes;
mod source;
mod statistics;
mod stream;
mod table;
mod trigrams;
mod verify;
mod wall_clock;
mod writer;

pub use args::{ArgTable, ColumnView, Dictionary, MISSING, NUMBER};
pub use artifact::{Artifact, Sha256, hex};
pub use block::{Block, Contexts, Durations, Scratch};
pub use bloom::Bloom;
pub use builder::BlockBuilder;
pub use capture::{Capture, Completeness, OpenOptions, Records, SegmentSummary, SetEnding};
pub use content::{Content, ContentInfo, sha256};
pub use encode::{BlockHead, Compression, EncodedBlock, Encoder, Options};
pub use encrypt::{Identity, Recipients};
pub use error::{Error, Result};
pub use forward::{ForwardKey, Signer};
pub use header::{Clock, Header, Host, Provenance, Recording, SourceCapture, Unavailable, recorded};
pub use heads::{Ends, HeadSink, Heads, SealHead, SetId, removed_line};
pub use high_water::HighWater;
pub use index::BlockInfo;
pub use mark_counts::MarkCount;
pub use row::Row;
pub use schema::{ArgSchema, EventSchema, Schema, current_schema};
pub use seal::{PublicKey, SigningKey};
pub use segment::Segment;
pub use side::{Cgroup, ClockOffset, Container, ContainerMount, Loss, Process, Settings, Side, User};
pub use sizes::{ColumnName, ColumnSize};
pub use source::{ReadAt, bytes_read};
pub use statistics::{EventCount, Numbers, Statistics, Texts};
pub use stream::{StreamReader, Streamed};
pub use trigrams::Trigrams;
pub use verify::{Expected, Fault, Sealed, Verdict, verify, verify_bytes};
pub use wall_clock::{TOLERANCE_NS as CLOCK_TOLERANCE_NS, WallClock};
pub use writer::{Ending, Finished, Writer, WriterOptions};
