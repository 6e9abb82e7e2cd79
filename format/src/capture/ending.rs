//! What the last seal of a file says of the set that the file is of.

use super::{Capture, Completeness};
use crate::compress::Decompressor;
use crate::frame::{self, Kind, TRAILER_BYTES, Trailer};
use crate::seal::{PublicKey, Seal};

/// The place of a file in its rotated set, as the file says. Only `verify` knows whether that is true.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct SetEnding {
    /// No part follows.
    pub is_last_part: bool,
    /// Parts before this one were removed on purpose.
    pub oldest_part: u32,
}

impl Capture {
    /// `None` of a file that was not finished, and before version 5.
    pub fn set_ending(&self) -> Option<SetEnding> {
        let seal = self.last_seal()?;
        let (is_last_part, oldest_part) = (seal.is_last_part(), seal.it.oldest_part);
        Some(SetEnding { is_last_part, oldest_part })
    }

    /// The head of the chain that the last seal of a finished file holds, and whose good signature it has. Whether the file
    /// comes to that head, only `verify` knows.
    pub fn sealed_head(&self) -> Option<([u8; 32], Option<PublicKey>)> {
        let seal = self.last_seal()?;
        Some((seal.it.head, seal.signer().ok()?))
    }

    fn last_seal(&self) -> Option<Seal> {
        if self.version() < frame::SEGMENTS || self.completeness != Completeness::Finished {
            return None;
        }
        let source = &self.reader.source;
        let at = source.len().checked_sub(TRAILER_BYTES as u64)?;
        let mut buffer = Vec::new();
        let trailer = Trailer::read(source.read(at, TRAILER_BYTES, &mut buffer).ok()?)?;
        let head = self.reader.head(trailer.seal, Kind::Seal, &mut Decompressor::default()).ok()?;
        Seal::read(self.version(), &head.bytes, trailer.seal).ok()
    }
}
