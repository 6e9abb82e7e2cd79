//! Finding the frames of a file that has no index, or a damaged one.
//!
//! Frames are whole or not there: a block counts when its header, its head and every column group fit their checksums.
//! After a damaged stretch the next frame is looked for at every eighth byte, since frames are padded to that.

use crate::archive::{self, ArchivedBlockV1};
use crate::capture::{Head, read_head};
use crate::directory::Directory;
use crate::frame::{FrameHeader, HEADER_BYTES, Kind, PREAMBLE_BYTES};
use crate::source::Source;
use crate::{Error, Identity, Result};

/// What a scan came to.
pub(crate) struct Salvage {
    /// With offsets, in the file's order.
    pub(crate) frames: Vec<(Found, u64)>,
    pub(crate) lost_bytes: u64,
    pub(crate) what: String,
}

pub(crate) enum Found {
    Block(Head),
    Side(Head),
}

/// Bytes that are searched at a time.
const STRETCH: usize = 1 << 20;

/// Goes through a file whose first frame, the header, is known to be whole.
pub(crate) fn scan(source: &Source, identity: Option<&Identity>) -> Result<Salvage> {
    let mut salvage = Salvage { frames: Vec::new(), lost_bytes: 0, what: String::new() };
    let mut notes: Vec<String> = Vec::new();
    let mut offset = PREAMBLE_BYTES as u64;
    let mut number = 0;
    let mut blocks = 0;
    let mut finished = false;
    while offset < source.len() {
        match whole_frame(source, offset, identity) {
            Ok((header, found)) => {
                if header.number != number {
                    notes.push(format!("frames {number} to {} are missing", header.number.wrapping_sub(1)));
                }
                number = header.number.wrapping_add(1);
                finished |= header.kind == Kind::Seal;
                let end = offset + header.frame_bytes();
                if let Some(found) = found {
                    blocks += usize::from(matches!(found, Found::Block(_)));
                    salvage.frames.push((found, offset));
                }
                offset = end;
            }
            Err(error @ Error::Io { .. }) => return Err(error),
            // What stands after the seal is the footer.
            Err(_) if finished && source.len() - offset <= 32 => {
                notes.push("the footer is damaged".into());
                break;
            }
            Err(_) => {
                let next = next_frame(source, offset + 8, identity)?;
                let end = next.unwrap_or(source.len());
                salvage.lost_bytes += end - offset;
                notes.push(match next {
                    Some(_) => format!("{} bytes after block {blocks} are damaged", end - offset),
                    None => format!("the file ends inside what follows {blocks} whole blocks"),
                });
                offset = end;
            }
        }
    }
    if !finished {
        notes.push("the recording was not finished".into());
    }
    // A file in ruins has many stretches; the first ones say enough.
    if notes.len() > 8 {
        let more = notes.len() - 8;
        notes.truncate(8);
        notes.push(format!("and {more} more"));
    }
    salvage.what = if notes.is_empty() { "the index is damaged".into() } else { notes.join("; ") };
    Ok(salvage)
}

/// The frame at `offset`, when all of it is there as it was written.
fn whole_frame(
    source: &Source,
    offset: u64,
    identity: Option<&Identity>,
) -> Result<(FrameHeader, Option<Found>)> {
    let mut buffer = Vec::new();
    let header = FrameHeader::read(source.read(offset, HEADER_BYTES, &mut buffer)?, offset)?;
    let end = offset + header.frame_bytes();
    if end > source.len() {
        return Err(Error::Damaged { offset, what: "the file ends inside a frame" });
    }
    let head = read_head(source, offset, header.kind, identity)?;
    let found = match header.kind {
        Kind::Block => {
            check_groups(source, offset, &head)?;
            Some(Found::Block(head))
        }
        Kind::Side => Some(Found::Side(head)),
        Kind::Header | Kind::Index | Kind::Seal => None,
    };
    Ok((header, found))
}

fn check_groups(source: &Source, offset: u64, head: &Head) -> Result<()> {
    if head.payload.is_some() {
        // Decryption has authenticated it.
        return Ok(());
    }
    let damaged = |what| Error::Damaged { offset, what };
    let start = offset + HEADER_BYTES as u64 + u64::from(head.frame.head_stored);
    let length = u64::from(head.frame.payload - head.frame.head_stored);
    let block = archive::access::<ArchivedBlockV1>(&head.bytes, offset)?;
    let directory = Directory::read(block, length).map_err(damaged)?;
    let mut buffer = Vec::new();
    for group in &directory.groups {
        let stored = source.read(start + u64::from(group.offset), group.stored as usize, &mut buffer)?;
        if crc32fast::hash(stored) != group.crc {
            return Err(damaged("a column group does not fit its checksum"));
        }
    }
    Ok(())
}

/// The next place from `from` on where a whole frame begins.
fn next_frame(source: &Source, from: u64, identity: Option<&Identity>) -> Result<Option<u64>> {
    let mut start = from.next_multiple_of(8);
    let mut buffer = Vec::new();
    while start < source.len() {
        let length = (source.len() - start).min(STRETCH as u64) as usize;
        let stretch = source.read(start, length, &mut buffer)?;
        let likely: Vec<u64> = (start..)
            .step_by(8)
            .zip(stretch.chunks(8))
            .filter(|(_, bytes)| bytes.starts_with(b"TFRM"))
            .map(|(at, _)| at)
            .collect();
        for at in likely {
            match whole_frame(source, at, identity) {
                Ok(_) => return Ok(Some(at)),
                Err(error @ Error::Io { .. }) => return Err(error),
                Err(_) => {}
            }
        }
        start += length as u64;
    }
    Ok(None)
}
