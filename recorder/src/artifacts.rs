//! Artifacts: the bytes of what was executed, loaded into the kernel, kept in memory or written.
//!
//! ```text
//! drain --Request--> [hold a descriptor] ... closed: [read, hash, compress] --Taken--> drain --> encode --> write
//!                    '------------------ thread of artifacts ------------'
//! hashes --Executed--^
//! ```
//! Bytes are there only as long as somebody holds them, so what may be wanted is held at once: a descriptor that opens
//! nothing (`O_PATH`) keeps a file that was removed, or lives in memory, until it was read. It is let go of as soon as the
//! one who wrote it does. Reading takes half of the thread's time at most, and nothing here holds up the drain: what does not
//! fit into the queue, or is gone, is counted and told.

mod bpf;
mod kinds;
mod ledger;
pub mod places;
mod service;
mod tracker;

use std::{
    fs::File,
    sync::{
        Arc,
        atomic::{AtomicU32, AtomicU64, Ordering},
    },
};

use crossbeam_channel::{Receiver, Sender};
use events::EventId;
use format::{Artifact, Content};

use crate::hashes::FileState;
pub use kinds::Kinds;
pub use service::Service;
pub use tracker::{Tracker, Who};

/// Requests that may wait.
pub const QUEUE: usize = 4096;
/// Descriptors that are held at once, of open files and of those that wait to be read.
pub const HELD: usize = 128;
/// Executed files that wait to be read.
pub const EXECUTED: usize = 32;

/// How much may be kept, in each file of a recording.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Limits {
    /// Bytes of one artifact: of a larger one, the first so many are kept.
    pub each: u64,
    /// Bytes of all together, before compression.
    pub total: u64,
    pub number: u64,
}

impl Limits {
    pub const DEFAULT: Limits = Limits { each: 16 << 20, total: 256 << 20, number: 4096 };
    /// What one may be at most.
    pub const EACH: u64 = format::limits::CONTENT_BYTES as u64;
    /// A part of a set may get some that were meant for the one before it, and must not be full then.
    pub const NUMBER: u64 = format::limits::CONTENTS as u64 / 2;

    /// Bytes of memory that are taken at most: one artifact as it is read, compressed twice (as it is made and as it is
    /// written), and what is held for requests and records.
    pub fn memory_bytes(self) -> u64 {
        3 * self.each.min(Limits::EACH) + (16 << 20)
    }
}

/// The event that an artifact is of.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct At {
    pub time_ns: u64,
    pub event: EventId,
    pub pid: u32,
    pub tid: u32,
}

/// What the drain tells of.
#[derive(Debug)]
pub enum Request {
    /// A file was opened for writing, or made in memory. `path`: as it was asked for; `is_ours`: in the recorder's own mount
    /// namespace, so that the path may be looked up here.
    Opened { hold: u64, kind: &'static str, at: At, fd: i32, path: Vec<u8>, is_ours: bool },
    /// Nobody has it open any more.
    Closed { hold: u64 },
    /// A module was loaded from a file. `path`: what the descriptor stood for.
    Module { at: At, fd: i32, path: Vec<u8>, is_ours: bool },
    /// A bpf program was loaded.
    Program { at: At, fd: i32 },
    /// Something that cannot be had.
    Missed { kind: &'static str, at: At, path: Vec<u8>, reason: &'static str },
}

/// A file that was executed.
#[derive(Debug)]
pub struct Executed {
    pub file: FileState,
    /// Hashed, from its beginning on, with its size; or why it could not be.
    pub opened: Result<(File, u64), &'static str>,
    pub at: At,
    pub path: Vec<u8>,
}

/// Where executed files are handed on, and how many found no room there.
#[derive(Clone, Debug)]
pub struct HandOn {
    pub executed: Sender<Executed>,
    pub refused: Arc<AtomicU64>,
}

impl HandOn {
    /// Never waits: hashes are waited for.
    pub fn send(&self, executed: Executed) {
        if self.executed.try_send(executed).is_err() {
            self.refused.fetch_add(1, Ordering::Relaxed);
        }
    }
}

/// What came of it: artifacts, and the bytes that they name where the file does not have them yet.
#[derive(Debug, Default)]
pub struct Taken {
    pub artifacts: Vec<Artifact>,
    pub content: Option<Arc<Content>>,
}

/// Who is told, and where the answers come.
#[derive(Debug)]
pub struct ArtifactService {
    pub kinds: Kinds,
    pub ask: Sender<Request>,
    pub answers: Receiver<Taken>,
    /// The number of the file that is being written: each has the bytes that its own artifacts name.
    pub part: Arc<AtomicU32>,
}
