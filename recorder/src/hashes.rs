//! SHA-256 of the files that are executed, worked out on a thread of their own.
//!
//! A file is what the kernel says was executed: a device, an inode, and when that was changed last. It is hashed once, and
//! whoever executes it again finds the hash. The first exec waits for it, in order with all that follows, for a moment
//! ([`crate::held`]); a large file is not waited for, and its later execs have the hash.
//!
//! ```text
//! exec of a new file     other events            hash is there, or its time is over
//!        |-------------------- held ------------------------------|
//! ```
//! Nothing here holds up the drain, and the thread works for half of its time at most: who executes new files in a loop
//! must not keep a CPU busy.

pub mod open;
mod service;

use std::collections::BTreeMap;

use crossbeam_channel::{Receiver, Sender, TrySendError};
use events::{Raw, catalogue, catalogue::process::SCHED_PROCESS_EXEC};
use format::{Artifact, artifact::reasons};
use hashbrown::HashMap;

use crate::{
    artifacts::{At, Who},
    kernel::Record,
};
pub use open::Opener;
pub use service::serve;

/// Files whose hashes are remembered.
const REMEMBERED: usize = 64 << 10;

/// A state of a file: one that is changed is another.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct FileState {
    /// As the kernel numbers it: the major number in the upper 12 of 32 bits, the minor in the others.
    pub device: u32,
    pub inode: u64,
    /// Of the wall clock, ns since 1970.
    pub changed_ns: u64,
}

/// A file that is to be hashed, and where it may be found.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct HashRequest {
    pub file: FileState,
    /// The exec: whose executable it was a moment ago.
    pub at: At,
    /// The parent of that process.
    pub parent: u32,
    /// From the root of the one who executed it.
    pub path: Vec<u8>,
}

/// The answer to a [`HashRequest`].
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Hashed {
    pub file: FileState,
    /// Or why there is none. Of a file that takes too long to be waited for, an answer may still come.
    pub hash: Result<Hash, &'static str>,
}

/// In hexadecimal digits.
pub type Hash = [u8; 64];

/// Who is asked for hashes, and where the answers come.
#[derive(Debug)]
pub struct HashService {
    pub ask: Sender<HashRequest>,
    pub answers: Receiver<Hashed>,
}

/// What is known of executed files.
#[derive(Debug)]
pub struct Hashes {
    service: HashService,
    known: HashMap<FileState, Result<Hash, &'static str>>,
    /// Execs without a hash, by the reason.
    missed: BTreeMap<&'static str, u64>,
    args: Positions,
}

/// Where arguments of an exec stand.
#[derive(Clone, Copy, Debug)]
struct Positions {
    path: usize,
    device: usize,
    inode: usize,
    changed: usize,
    hash: usize,
}

impl Hashes {
    pub fn new(service: HashService) -> Hashes {
        let declared = catalogue::by_id(SCHED_PROCESS_EXEC);
        let position = |name| declared.and_then(|event| event.arg(name)).map_or(usize::MAX, |(at, _)| at);
        let args = Positions {
            path: position("pathname"),
            device: position("dev"),
            inode: position("inode"),
            changed: position("ctime"),
            hash: position("sha256"),
        };
        Hashes { service, known: HashMap::new(), missed: BTreeMap::new(), args }
    }

    fn file(&self, record: &Record<'_>) -> Option<FileState> {
        let number = |at| match record.args.get(at) {
            Some(Raw::Number(number)) => Some(*number),
            _ => None,
        };
        let Positions { device, inode, changed, .. } = self.args;
        (record.event == SCHED_PROCESS_EXEC).then_some(())?;
        Some(FileState {
            device: u32::try_from(number(device)?).ok()?,
            inode: number(inode)?,
            changed_ns: number(changed)?,
        })
    }

    /// Asks for the hash of what was executed, if nobody did; tells the file when there is an answer to wait for.
    pub fn request(&mut self, record: &Record<'_>, who: Who) -> Option<FileState> {
        let file = self.file(record)?;
        if self.known.contains_key(&file) {
            return None;
        }
        let path = match record.args.get(self.args.path) {
            Some(Raw::Bytes(path)) => path.to_vec(),
            _ => Vec::new(),
        };
        let at = At { time_ns: record.time_ns, event: record.event, pid: who.pid, tid: who.tid };
        match self.service.ask.try_send(HashRequest { file, at, parent: who.parent, path }) {
            Ok(()) => {
                self.remember(file, Err(reasons::LATE));
                Some(file)
            }
            // With so many new files waiting, the next exec of it asks again.
            Err(TrySendError::Full(_) | TrySendError::Disconnected(_)) => None,
        }
    }

    /// The next answer that came.
    pub fn receive(&mut self) -> Option<FileState> {
        let Hashed { file, hash } = self.service.answers.try_recv().ok()?;
        self.remember(file, hash);
        Some(file)
    }

    /// Asks anew for every file: whoever keeps bytes begins another file, which has none yet.
    pub fn forget(&mut self) {
        self.known.clear();
    }

    fn remember(&mut self, file: FileState, hash: Result<Hash, &'static str>) {
        if self.known.len() >= REMEMBERED {
            self.known.clear();
        }
        self.known.insert(file, hash);
    }

    /// Where the hash stands among the arguments of an exec, and what is known of it. That there is none is counted.
    pub fn known(&mut self, record: &Record<'_>) -> Option<(usize, Hash)> {
        if record.event != SCHED_PROCESS_EXEC {
            return None;
        }
        let known = match self.file(record) {
            Some(file) => self.known.get(&file).copied().unwrap_or(Err(reasons::TOO_MANY_AT_ONCE)),
            None => Err(reasons::UNNAMED),
        };
        match known {
            Ok(hash) => Some((self.args.hash, hash)),
            Err(reason) => {
                *self.missed.entry(reason).or_default() += 1;
                None
            }
        }
    }

    /// How often an exec had no hash, by the reason; as the capture tells of it.
    pub fn missed(&mut self) -> Vec<Artifact> {
        let missed = std::mem::take(&mut self.missed).into_iter();
        missed
            .map(|(reason, count)| Artifact {
                kind: Artifact::HASH.to_owned(),
                left_out: reason.to_owned(),
                count,
                ..Artifact::default()
            })
            .collect()
    }
}

#[cfg(test)]
mod tests;
