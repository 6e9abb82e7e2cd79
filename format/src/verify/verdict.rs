//! What a capture is held to, and what verifying it came to.

use crate::{Header, Heads, Identity, PublicKey};

/// What verifying came to.
#[derive(Clone, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub struct Verdict {
    /// Whole blocks, up to the first that is bad.
    pub blocks: u64,
    /// 0 of an encrypted file that is verified without an identity.
    pub rows: u64,
    /// The chain over everything, of a file without fault.
    pub head: [u8; 32],
    /// Whose signature the last seal has, and it is good.
    pub signed_by: Option<PublicKey>,
    /// The last good seal: up to there, the file is what was written, whatever is wrong behind it.
    pub sealed: Option<Sealed>,
    /// Which file of a key that evolves this is, from 0; `None` when an ordinary key signed it.
    pub key_file: Option<u64>,
    /// The file's own bytes, of its beginning.
    pub file: [u8; 6],
    /// How many seals from the first on the witness's heads vouch for, the last of them with those between; 0 without.
    pub witnessed_seals: u64,
    /// Seals of the file.
    pub seals: u64,
    /// Whether the file says that no part of its set follows it; `None` before version 5, which does not say.
    pub is_last_part: Option<bool>,
    /// The oldest part of its set that the file says was kept; `None` before version 5.
    pub oldest_part: Option<u32>,
    /// What the file says of itself, once its frame was found to be whole; `None` of an encrypted file that is verified
    /// without an identity.
    pub header: Option<Box<Header>>,
    /// The first fault.
    pub fault: Option<Fault>,
}

/// Up to where a file is vouched for.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Sealed {
    /// Where the seal ends in the file.
    pub offset: u64,
    pub blocks: u64,
    pub rows: u64,
    /// Of the chain up to the seal.
    pub head: [u8; 32],
    pub signed_by: Option<PublicKey>,
}

/// The first place where a capture is not what was written.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Fault {
    /// In the file.
    pub offset: u64,
    /// The block that is bad, from 0; `None` when something other than a block is.
    pub block: Option<u64>,
    /// In words, with what is bad: `block 3 is not the one that was written`.
    pub what: String,
}

/// What to hold a file to.
#[derive(Clone, Copy, Debug, Default)]
pub struct Expected<'a> {
    /// It must have been signed with this key.
    pub key: Option<&'a PublicKey>,
    /// Opens encrypted frames, so that what is in them is checked too; the chain and the signature need none.
    pub identity: Option<&'a Identity>,
    /// What a witness holds: the file must have these heads.
    pub heads: Option<&'a Heads>,
}
