//! Seals, what a witness holds of them, and the end of the file.

use super::index::Stretch;
use super::{Sealed, Stop, Walk};
use crate::frame::{TRAILER_BYTES, Trailer};
use crate::seal::Seal;
use crate::segment::SegmentV5;
use crate::{Ends, forward};

impl Walk<'_> {
    /// Checks a seal that was just read, and begins what follows it.
    pub(super) fn sealed(&mut self, seal_at: u64, end: u64) -> Result<(), Stop> {
        let Some((seal, _)) = &self.seal else { return Ok(()) };
        let seal = seal.clone();
        if seal.it.head != self.chain.0 {
            return Err(self.fault(None, "the seal is of another chain of hashes"));
        }
        let counts = (seal.it.blocks, seal.it.rows);
        let is_silent = self.has_segments() && self.is_encrypted;
        if !self.is_opened && !is_silent {
            self.verdict.rows = seal.it.rows;
        }
        if counts != if is_silent { (0, 0) } else { (self.verdict.blocks, self.verdict.rows) } {
            return Err(self.fault(None, "the seal is of another number of blocks or rows"));
        }
        let before = self.verdict.sealed.map(|sealed| sealed.signed_by);
        let signed_by = match seal.signer() {
            Ok(signer) => signer,
            Err(what) => return Err(self.fault(None, what)),
        };
        if before.is_some_and(|before| before != signed_by) {
            return Err(self.fault(None, "the seals of the file are signed with different keys"));
        }
        if let Some(what) = forward::misplaced(self.sealed_before.as_ref(), &seal) {
            return Err(self.fault(None, what));
        }
        self.witness(&seal, end)?;
        self.verdict.seals += 1;
        self.verdict.key_file = seal.it.forward.as_ref().map(|forward| forward.file);
        self.verdict.oldest_part = self.has_segments().then_some(seal.it.oldest_part);
        match (self.expected.key, signed_by) {
            (Some(_), None) => return Err(self.fault(None, "the capture is not signed")),
            (Some(key), Some(signer)) if *key != signer => {
                return Err(self.fault(None, &format!("the capture is signed with another key, {signer}")));
            }
            _ => {}
        }
        self.verdict.signed_by = signed_by;
        let (blocks, rows, head) = (self.verdict.blocks, self.verdict.rows, seal.it.head);
        self.verdict.sealed = Some(Sealed { offset: end, blocks, rows, head, signed_by });
        self.verdict.is_last_part = self.has_segments().then(|| seal.is_last_part());
        self.is_ended = seal.is_last();
        let expected = SegmentV5 { from: end, ..std::mem::take(&mut self.stretch.expected) };
        self.stretch = Stretch { expected, ..Stretch::default() };
        self.sealed_before = Some(seal.clone());
        self.seal = Some((seal, seal_at));
        Ok(())
    }

    /// Compares a seal with what the witness holds of it.
    pub(super) fn witness(&mut self, seal: &Seal, end: u64) -> Result<(), Stop> {
        let number = self.verdict.seals;
        let held =
            self.expected.heads.and_then(|heads| heads.of(self.preamble.id, u32::try_from(number).ok()?));
        let Some(held) = held else { return Ok(()) };
        let is_end = held.ends != Ends::Nothing;
        if (held.head, held.bytes) != (seal.it.head, end) || is_end != seal.is_last() {
            return Err(self.fault(None, &format!("the witness holds another head of seal {number}")));
        }
        self.verdict.witnessed_seals = number + 1;
        Ok(())
    }

    /// Whether the witness knows of the file, and of no seal behind its end.
    pub(super) fn check_witness(&self) -> Result<(), Stop> {
        let Some(heads) = self.expected.heads else { return Ok(()) };
        match heads.last(self.preamble.id) {
            None => Err(self.fault(None, "the witness holds no head of this file")),
            Some(last) if u64::from(last.seal) >= self.verdict.seals => {
                Err(self.fault(None, "the file ended later once"))
            }
            Some(_) => Ok(()),
        }
    }

    /// Checks the footer.
    pub(super) fn check_end(&mut self) -> Result<(), Stop> {
        let Some((seal, seal_at)) = self.seal.take() else { return Ok(()) };
        let footer = Trailer { index: self.index, seal: seal_at }.to_bytes();
        let mut buffer = Vec::new();
        let rest = self.source.len() - self.offset;
        let found = match rest == TRAILER_BYTES as u64 {
            true => self.source.read(self.offset, TRAILER_BYTES, &mut buffer)?,
            false => &[],
        };
        if found != footer {
            return Err(self.fault(None, "the footer is not what was written"));
        }
        self.verdict.head = seal.it.head;
        Ok(())
    }
}
