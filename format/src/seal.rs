//! The chain of hashes that makes a capture evidence.
//!
//! ```text
//! chain 0     = BLAKE3(the file's first 16 bytes)
//! chain n + 1 = BLAKE3(frame n, header and padding included)
//! ```
//! Each frame's header holds the chain over all frames before it, so a changed, removed, added or moved frame breaks the
//! chain there. The seal, last of all, holds the chain over everything, and a signature of it when a key was given.

/// The chain up to some frame.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Chain(pub(crate) [u8; 32]);

impl Chain {
    pub(crate) fn start(preamble: &[u8]) -> Chain {
        Chain(*blake3::hash(preamble).as_bytes())
    }

    /// The chain over one frame more; its header holds `self`.
    pub(crate) fn next(frame_header: &[u8], payload: &[u8], padding: &[u8]) -> Chain {
        let mut hasher = blake3::Hasher::new();
        hasher.update(frame_header);
        hasher.update(payload);
        hasher.update(padding);
        Chain(*hasher.finalize().as_bytes())
    }
}
