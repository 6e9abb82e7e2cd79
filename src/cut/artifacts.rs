//! Artifacts of which the events stay.

use std::collections::HashSet;

use events::catalogue::process::SCHED_PROCESS_EXEC;
use events::{EventId, Raw};
use format::rewrite::Copied;
use format::{Artifact, Capture, Sha256, hex};

/// What an artifact has in common with its event.
type Key = (u16, u64, EventId, u32);

/// Artifacts of a capture, and which of their events were kept.
#[derive(Debug, Default)]
pub struct Artifacts {
    all: HashSet<Key>,
    kept: HashSet<Key>,
    /// Hashes of bytes that the capture holds, as execs have them, and those of execs that were kept.
    contents: HashSet<String>,
    named: HashSet<String>,
}

impl Artifacts {
    pub fn of(capture: &Capture) -> Artifacts {
        // What is wrong with the file is told when it is copied.
        let contents = capture.contents().unwrap_or_default().iter().map(|it| hex(&it.sha256)).collect();
        let all = capture.artifacts().iter().filter_map(key).collect();
        Artifacts { all, contents, ..Artifacts::default() }
    }

    pub fn is_empty(&self) -> bool {
        self.all.is_empty() && self.contents.is_empty()
    }

    /// A row that is kept.
    pub fn row(&mut self, host: u16, row: &Copied<'_>) {
        let key = (host, row.time_ns, row.event.id, row.context.tid);
        if self.all.contains(&key) {
            self.kept.insert(key);
        }
        if row.event.id != SCHED_PROCESS_EXEC || self.contents.is_empty() {
            return;
        }
        let hash = row.event.arg("sha256").and_then(|(at, _)| row.args.get(at));
        if let Some(Raw::Bytes(hash)) = hash
            && let Ok(hash) = std::str::from_utf8(hash)
            && self.contents.contains(hash)
        {
            self.named.insert(hash.to_owned());
        }
    }

    /// Numbers of those that were left out are about the whole recording.
    pub fn stays(&self, artifact: &Artifact) -> bool {
        key(artifact).is_none_or(|key| self.kept.contains(&key))
    }

    /// Whether an exec that was kept has this hash.
    pub fn is_named(&self, sha256: &Sha256) -> bool {
        self.named.contains(&hex(sha256))
    }
}

fn key(artifact: &Artifact) -> Option<Key> {
    Some((artifact.host, artifact.time_ns, artifact.event?, artifact.tid))
}
