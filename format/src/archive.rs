//! The archived types: what rkyv lays out in heads of frames. Few, flat, and named by format version.
//!
//! None of them changes: a field more makes another format. What is to be added to goes into tables (see `table`). Cargo features choose rkyv's layout and unify over a whole build, so the
//! assertions below keep another crate from changing the file format.

use rkyv::api::high::{HighSerializer, HighValidator};
use rkyv::bytecheck::CheckBytes;
use rkyv::rancor;
use rkyv::ser::allocator::ArenaHandle;
use rkyv::util::AlignedVec;
use rkyv::{Archive, Deserialize, Portable, Serialize};

use crate::{Clock, Error, Result};

/// What a block's head says: what is in the block and where.
#[derive(Archive, Serialize, Deserialize, Clone, PartialEq, Debug, Default)]
pub(crate) struct BlockV1 {
    pub(crate) rows: u32,
    pub(crate) host: u16,
    pub(crate) clock: Clock,
    pub(crate) first_ns: u64,
    pub(crate) last_ns: u64,
    pub(crate) contexts: u32,
    /// By event code: the file's event ids, and rows of each.
    pub(crate) event_ids: Vec<u16>,
    pub(crate) event_rows: Vec<u32>,
    pub(crate) groups: Vec<GroupV1>,
    /// The directory of columns, each of the three sorted by `keys`; see [`column_key`].
    pub(crate) keys: Vec<u32>,
    /// Index of the group that holds the column, or [`INLINE`].
    pub(crate) in_group: Vec<u16>,
    /// Where it begins in the group, decompressed.
    pub(crate) offsets: Vec<u32>,
    pub(crate) lengths: Vec<u32>,
    /// Columns that are too small for a group.
    pub(crate) inline: Vec<u8>,
}

/// In place of a group: the column stands in the head.
pub(crate) const INLINE: u16 = u16::MAX;

/// One column group: a zstd frame in the payload, after the head.
#[derive(Archive, Serialize, Deserialize, Clone, Copy, PartialEq, Debug, Default)]
pub(crate) struct GroupV1 {
    /// From the end of the stored head.
    pub(crate) offset: u32,
    pub(crate) stored: u32,
    pub(crate) raw: u32,
    /// Of the stored bytes.
    pub(crate) crc: u32,
    pub(crate) codec: u8,
}

/// Columns of a whole block have keys below [`FIRST_ARG_KEY`]; those of an event come after, by code and position.
pub(crate) mod key {
    pub(crate) const EVENTS: u32 = 0;
    pub(crate) const CONTEXT_CODES: u32 = 1;
    pub(crate) const TIMES: u32 = 2;
    pub(crate) const CPUS: u32 = 3;
    pub(crate) const CONTEXTS: u32 = 4;
    /// Texts that columns of arguments share.
    pub(crate) const TEXTS: u32 = 5;
    /// Columns of contexts, beside those that every block has: see `columns::acting`.
    pub(crate) const EUID: u32 = 16;
    pub(crate) const EGID: u32 = 17;
    pub(crate) const SUID: u32 = 18;
    pub(crate) const SGID: u32 = 19;
    pub(crate) const FSUID: u32 = 20;
    pub(crate) const FSGID: u32 = 21;
    pub(crate) const EFFECTIVE: u32 = 22;
    pub(crate) const PERMITTED: u32 = 23;
    pub(crate) const INHERITABLE: u32 = 24;
    pub(crate) const SESSION: u32 = 25;
    pub(crate) const TERMINAL: u32 = 26;
    pub(crate) const LOGIN_UID: u32 = 27;
    pub(crate) const AUDIT_SESSION: u32 = 28;
    pub(crate) const GROUP: u32 = 29;
    pub(crate) const BOUNDING: u32 = 30;
    pub(crate) const AMBIENT: u32 = 31;
    pub(crate) const DIRECTORIES: u32 = 40;
    /// What every event has in its own table, beside its arguments.
    pub(crate) const RET: u32 = 64;
    pub(crate) const SCOPES: u32 = 65;
    pub(crate) const MARKS: u32 = 66;
    pub(crate) const DURATIONS: u32 = 67;
}

/// Keys of events' columns begin here.
pub(crate) const FIRST_ARG_KEY: u32 = 1 << 8;

/// The key of a column of an event: an argument's position, or one of [`key::RET`] and its kin.
pub(crate) const fn column_key(event_code: u16, position: u32) -> u32 {
    FIRST_ARG_KEY + ((event_code as u32) << 8) + position
}

/// The index: what is known of each block, and where the records beside the events stand. Parallel vectors, one entry a
/// block; `*_ends` say where a block's part of the vector named before them ends.
#[derive(Archive, Serialize, Deserialize, Clone, PartialEq, Debug, Default)]
pub(crate) struct IndexV1 {
    pub(crate) string_bytes: Vec<u8>,
    pub(crate) string_ends: Vec<u32>,
    pub(crate) offsets: Vec<u64>,
    pub(crate) bytes: Vec<u32>,
    pub(crate) rows: Vec<u32>,
    pub(crate) first_ns: Vec<u64>,
    pub(crate) last_ns: Vec<u64>,
    pub(crate) hosts: Vec<u16>,
    pub(crate) event_ids: Vec<u16>,
    pub(crate) event_rows: Vec<u32>,
    pub(crate) event_ends: Vec<u32>,
    /// For each of comm, exe and uts: [`ABSENT`] in place of a list that is not known.
    pub(crate) strings: Vec<u32>,
    pub(crate) strings_ends: Vec<u32>,
    /// For each of pid, tid, ppid, uid, mnt_ns, pid_ns and cgroup_id: `how` says whether it is unknown (0), a list (1) or
    /// a range (2).
    pub(crate) numbers: Vec<u64>,
    pub(crate) numbers_ends: Vec<u32>,
    pub(crate) numbers_how: Vec<u8>,
    /// Offsets of frames with records beside the events.
    pub(crate) sides: Vec<u64>,
}

pub(crate) const ABSENT: u32 = u32::MAX;

/// The seal of a file before version 5: what the chain came to, and who vouches for it.
#[derive(Archive, Serialize, Deserialize, Clone, PartialEq, Debug, Default)]
pub(crate) struct SealV1 {
    /// The chain over everything before the seal.
    pub(crate) head: [u8; 32],
    pub(crate) blocks: u64,
    pub(crate) rows: u64,
    /// An ed25519 public key, and its signature of the words of `docs/format.md` and the three fields above.
    pub(crate) signature: Option<([u8; 32], Vec<u8>)>,
}

/// A seal since version 5.
#[derive(Archive, Serialize, Deserialize, Clone, PartialEq, Debug, Default)]
pub(crate) struct SealV5 {
    /// The chain over everything before this seal, earlier seals included.
    pub(crate) head: [u8; 32],
    /// All up to here; 0 in an encrypted capture.
    pub(crate) blocks: u64,
    pub(crate) rows: u64,
    /// [`seal_flags`].
    pub(crate) flags: u32,
    /// Of the rotated set that the file is of, the oldest part that is there once this file ends: those before it were
    /// removed on purpose.
    pub(crate) oldest_part: u32,
    /// What else is vouched for, by name.
    pub(crate) more: Vec<(String, Vec<u8>)>,
    /// Whom the key of the signature stands for, when it is one of many that evolve.
    pub(crate) forward: Option<ForwardV5>,
    /// As before, of all of the above.
    pub(crate) signature: Option<([u8; 32], Vec<u8>)>,
}

/// What a seal says of its key, which signed nothing else (see `forward`).
#[derive(Archive, Serialize, Deserialize, Clone, PartialEq, Debug, Default)]
pub(crate) struct ForwardV5 {
    /// The public key that everybody knows.
    pub(crate) signer: [u8; 32],
    /// Which of its files this is, from 0.
    pub(crate) file: u64,
    /// The public key of the file's first seal.
    pub(crate) first: [u8; 32],
    /// `signer`'s signature of the two.
    pub(crate) certificate: Vec<u8>,
    /// The public key of the next seal; zeros in the last.
    pub(crate) next: [u8; 32],
}

/// What a seal says of its place.
pub(crate) mod seal_flags {
    /// Nothing but the trailer follows.
    pub(crate) const LAST: u32 = 1;
    /// The recording ended with this file: no part of its set follows.
    pub(crate) const LAST_PART: u32 = 2;
}

// Little endian, no alignment, 32-bit relative pointers.
const _: () = assert!(size_of::<ArchivedGroupV1>() == 17 && align_of::<ArchivedGroupV1>() == 1);
const _: () = assert!(size_of::<ArchivedBlockV1>() == 4 + 2 + 24 + 8 + 8 + 4 + 8 * 8);
const _: () = assert!(align_of::<ArchivedBlockV1>() == 1 && align_of::<ArchivedIndexV1>() == 1);
const _: () = assert!(size_of::<rkyv::vec::ArchivedVec<u8>>() == 8);

/// Archives a value.
pub(crate) fn to_bytes<T>(value: &T) -> Result<AlignedVec>
where
    T: for<'a> Serialize<HighSerializer<AlignedVec, ArenaHandle<'a>, rancor::Failure>>,
{
    rkyv::to_bytes::<rancor::Failure>(value).map_err(|_| Error::TooLarge {
        what: "a frame's head",
        value: 0,
        limit: crate::limits::HEAD_BYTES as u64,
    })
}

/// Archived bytes as their type, once they are known to be one. `offset` is where they came from, for the error.
pub(crate) fn access<T>(bytes: &[u8], offset: u64) -> Result<&T>
where
    T: Portable + for<'a> CheckBytes<HighValidator<'a, rancor::Failure>>,
{
    rkyv::access::<T, rancor::Failure>(bytes)
        .map_err(|_| Error::Damaged { offset, what: "a frame's head is not laid out as it should be" })
}

/// Archived bytes as the value they were made of.
pub(crate) fn read<T>(bytes: &[u8], offset: u64) -> Result<T>
where
    T: Archive,
    T::Archived: Portable
        + for<'a> CheckBytes<HighValidator<'a, rancor::Failure>>
        + Deserialize<T, rancor::Strategy<rkyv::de::Pool, rancor::Failure>>,
{
    let archived = access::<T::Archived>(bytes, offset)?;
    rkyv::deserialize::<T, rancor::Failure>(archived)
        .map_err(|_| Error::Damaged { offset, what: "a frame's head cannot be read" })
}
