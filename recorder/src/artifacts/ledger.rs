//! What was kept in the file that is being written, and what was left out and how often.

use std::collections::{BTreeMap, HashSet};

use format::artifact::reasons;
use format::{Artifact, Sha256};

use super::Limits;

/// Artifacts that are told one by one, bytes of their paths, and those among them whose bytes were left out.
const TOLD: u64 = 16 << 10;
const TOLD_BYTES: usize = 8 << 20;
const LEFT_OUT_TOLD: u64 = 1024;

#[derive(Debug)]
pub(super) struct Ledger {
    limits: Limits,
    kept: HashSet<Sha256>,
    bytes: u64,
    told: u64,
    told_bytes: usize,
    left_out: u64,
    /// What is told as a number: by kind and reason.
    sums: BTreeMap<(String, String), u64>,
}

impl Ledger {
    pub fn new(limits: Limits) -> Ledger {
        Ledger {
            limits,
            kept: HashSet::new(),
            bytes: 0,
            told: 0,
            told_bytes: 0,
            left_out: 0,
            sums: BTreeMap::new(),
        }
    }

    /// Another file begins: it has nothing yet. Numbers that were not told go into it.
    pub fn begin_part(&mut self) {
        let sums = std::mem::take(&mut self.sums);
        *self = Ledger { sums, ..Ledger::new(self.limits) };
    }

    /// Why so many bytes cannot be kept; `None` when they can.
    pub fn refusal(&self, size: u64) -> Option<&'static str> {
        if self.kept.len() as u64 >= self.limits.number {
            return Some(reasons::NUMBER);
        }
        let is_over = self.bytes + size.min(self.limits.each) > self.limits.total;
        is_over.then_some(reasons::TOTAL)
    }

    /// Whether the file has these bytes.
    pub fn has(&self, sha256: &Sha256) -> bool {
        self.kept.contains(sha256)
    }

    pub fn keep(&mut self, sha256: Sha256, bytes: u64) {
        if self.kept.insert(sha256) {
            self.bytes += bytes;
        }
    }

    /// Whether an artifact is told by itself; otherwise it is counted.
    pub fn tell(&mut self, artifact: &Artifact) -> bool {
        let is_left_out = !artifact.left_out.is_empty();
        let is_full = self.told >= TOLD
            || self.told_bytes >= TOLD_BYTES
            || is_left_out && self.left_out >= LEFT_OUT_TOLD;
        if is_full {
            let reason = if is_left_out { artifact.left_out.as_str() } else { reasons::MORE };
            self.count(&artifact.kind, reason, 1);
            return false;
        }
        self.told += 1;
        self.told_bytes += artifact.path.len();
        self.left_out += u64::from(is_left_out);
        true
    }

    pub fn count(&mut self, kind: &str, reason: &str, count: u64) {
        *self.sums.entry((kind.to_owned(), reason.to_owned())).or_default() += count;
    }

    /// The numbers of what was not told.
    pub fn sums(&mut self) -> Vec<Artifact> {
        let sums = std::mem::take(&mut self.sums).into_iter();
        sums.map(|((kind, left_out), count)| Artifact { kind, left_out, count, ..Artifact::default() })
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_are_counted_once_and_bounded_in_size_and_number() {
        let mut it = Ledger::new(Limits { each: 10, total: 25, number: 3 });
        assert_eq!(it.refusal(1_000), None);
        it.keep([1; 32], 10);
        it.keep([1; 32], 10);
        it.keep([2; 32], 10);
        assert_eq!((it.refusal(5), it.refusal(6)), (None, Some(reasons::TOTAL)));
        it.keep([3; 32], 1);
        assert_eq!(it.refusal(0), Some(reasons::NUMBER));
        it.begin_part();
        assert!(!it.has(&[1; 32]) && it.refusal(10).is_none());
    }

    #[test]
    fn a_flood_is_told_as_a_number() {
        let mut it = Ledger::new(Limits::DEFAULT);
        let gone = Artifact {
            kind: "write".into(),
            left_out: reasons::GONE.into(),
            count: 1,
            ..Artifact::default()
        };
        let told = (0..5_000).filter(|_| it.tell(&gone)).count() as u64;
        assert_eq!(told, LEFT_OUT_TOLD);
        let sums = it.sums();
        assert_eq!(sums.len(), 1);
        assert_eq!((sums[0].count, sums[0].left_out.as_str()), (5_000 - LEFT_OUT_TOLD, reasons::GONE));
        assert!(it.sums().is_empty());
    }
}
