//! Finding the frames of a file that has no end, or a damaged one.
//!
//! Frames are whole or not there: a block counts when its header, its head and every column group fit their checksums.
//! After a damaged stretch the next frame is looked for at every eighth byte, since frames are padded to that.
//!
//! A whole frame that does not chain to the one before it was not written after that: it is a **stray**, kept out unless
//! it is asked for. After a damaged stretch nothing can be said of the chain; then a frame counts whose number fits, that
//! is, as many frames as are missing may have stood in the damaged bytes.
//!
//! Nothing is kept of a frame: what is found is told, one after the other. A file takes time in proportion to its length:
//! what looking for frames in vain may cost, and what heads may decompress to, is counted.

use crate::compress::Decompressor;
use crate::content::Content;
use crate::directory::Directory;
use crate::frame::{self, FrameHeader, HEADER_BYTES, Kind, PREAMBLE_BYTES, padding};
use crate::reader::{self, Reader};
use crate::seal::Chain;
use crate::{Error, Result};

/// What a scan came to.
#[derive(Debug, Default)]
pub(crate) struct Salvage {
    pub(crate) lost_bytes: u64,
    /// Whole frames that do not chain to those before them.
    pub(crate) strays: u64,
    pub(crate) what: String,
}

/// A whole frame, at an offset.
pub(crate) enum Found {
    Block {
        directory: Box<Directory>,
        bytes: u64,
    },
    /// Records beside the events.
    Records,
    /// The bytes of an artifact.
    Content,
    Segment,
    Other,
}

/// Bytes that are searched at a time.
const STRETCH: usize = 1 << 20;

/// Goes through a file whose first frame, the header, is known to be whole.
pub(crate) fn scan(
    reader: &Reader,
    with_strays: bool,
    see: &mut dyn FnMut(u64, Found) -> Result<()>,
) -> Result<Salvage> {
    let length = reader.source.len();
    let mut scan = Scan {
        reader,
        decompressor: Decompressor::default(),
        buffer: Vec::new(),
        vain_bytes: (256 << 20) + 2 * length,
        head_bytes: (256 << 20) + 32 * length,
        notes: Vec::new(),
    };
    let mut salvage = Salvage::default();
    let mut offset = PREAMBLE_BYTES as u64;
    // The chain that the next frame must have, or `None` after damage; and the number of the last frame.
    let mut chain = Some(Chain::start(&reader.preamble.to_bytes()));
    let mut last: Option<u32> = None;
    let mut damaged_bytes = 0;
    let (mut blocks, mut finished) = (0, false);
    while offset < length {
        match scan.whole_frame(offset) {
            Ok((header, found, after)) => {
                let missing = header.number.wrapping_sub(last.map_or(0, |last| last.wrapping_add(1)));
                let fits = match chain {
                    Some(chain) => header.chain == chain.0,
                    None => u64::from(missing) <= damaged_bytes / HEADER_BYTES as u64,
                };
                let next = offset + header.frame_bytes();
                if !fits {
                    salvage.strays += 1;
                    if !with_strays {
                        offset = next;
                        continue;
                    }
                } else {
                    if missing != 0 {
                        let until = header.number.wrapping_sub(1);
                        scan.notes.push(format!("frames {} to {until} are missing", header.number - missing));
                    }
                    finished = header.kind == Kind::Seal;
                    last = Some(header.number);
                    chain = Some(after);
                    damaged_bytes = 0;
                }
                blocks += usize::from(matches!(found, Found::Block { .. }));
                see(offset, found)?;
                offset = next;
            }
            Err(error @ Error::Io { .. }) => return Err(error),
            // What stands after the seal is the footer.
            Err(_) if finished && length - offset <= frame::TRAILER_BYTES as u64 => {
                scan.notes.push("the footer is damaged".into());
                break;
            }
            Err(_) => {
                let next = scan.next_frame(offset + 8)?;
                let end = next.unwrap_or(length);
                salvage.lost_bytes += end - offset;
                damaged_bytes += end - offset;
                chain = None;
                scan.notes.push(match next {
                    Some(_) => format!("{} bytes after block {blocks} are damaged", end - offset),
                    None => format!("the file ends inside what follows {blocks} whole blocks"),
                });
                finished = false;
                offset = end;
            }
        }
    }
    let mut notes = scan.notes;
    if !finished {
        notes.push("the recording was not finished".into());
    }
    // A file in ruins has many stretches; the first ones say enough.
    if notes.len() > 8 {
        let more = notes.len() - 8;
        notes.truncate(8);
        notes.push(format!("and {more} more"));
    }
    if salvage.strays > 0 {
        let left = if with_strays { "" } else { ", and are left out" };
        notes.push(format!("{} frames do not chain to those before them{left}", salvage.strays));
    }
    salvage.what = if notes.is_empty() { "the index is damaged".into() } else { notes.join("; ") };
    Ok(salvage)
}

struct Scan<'a> {
    reader: &'a Reader,
    decompressor: Decompressor,
    buffer: Vec<u8>,
    /// Bytes that may still be read of what then turns out to be no frame, and bytes that heads may decompress to.
    vain_bytes: u64,
    head_bytes: u64,
    notes: Vec<String>,
}

impl Scan<'_> {
    /// The frame at `offset`, when all of it is there as it was written, and the chain after it.
    fn whole_frame(&mut self, offset: u64) -> Result<(FrameHeader, Found, Chain)> {
        let damaged = |what| Error::Damaged { offset, what };
        let header = self.reader.frame(offset)?;
        if offset + header.frame_bytes() > self.reader.source.len() {
            return Err(damaged("the file ends inside a frame"));
        }
        let start = offset + HEADER_BYTES as u64;
        let stored = self.reader.source.read(start, header.payload as usize, &mut self.buffer)?;
        // As it was written: padding is zeros, whatever became of it.
        let zeros = [0; 8];
        let padding = zeros.get(..padding(stored.len())).unwrap_or_default();
        let after = Chain::next(&header.to_bytes(self.reader.preamble), stored, padding);
        let opened = match header.is_encrypted() {
            true => Some(self.reader.open_payload(&header, stored, offset)?),
            false => None,
        };
        // What the header says of the head, or what an encrypted frame says inside.
        let (inner, payload) = match &opened {
            Some(opened) => (opened.frame, opened.payload.as_slice()),
            None => (header, stored),
        };
        let (head, groups) = payload
            .split_at_checked(inner.head_stored as usize)
            .ok_or(damaged("a frame's head says it is larger than its frame"))?;
        let found = match header.kind {
            Kind::Block => {
                self.head_bytes = self.head_bytes.checked_sub(u64::from(inner.head_raw)).ok_or(damaged(
                    "heads of blocks take more memory than a file of this length may ask for",
                ))?;
                let head = reader::decompress(&inner, head, &mut self.decompressor).map_err(damaged)?;
                let directory = Box::new(reader::whole_block(&head, groups, offset).map_err(damaged)?);
                Found::Block { directory, bytes: header.frame_bytes() }
            }
            _ if crc32fast::hash(head) != inner.head_crc => {
                return Err(damaged("a frame's head does not fit its checksum"));
            }
            Kind::Side | Kind::Table => Found::Records,
            Kind::Content => {
                let head = reader::decompress(&inner, head, &mut self.decompressor).map_err(damaged)?;
                Content::from_frame(&head, groups.to_vec(), offset)?;
                Found::Content
            }
            Kind::Segment => Found::Segment,
            Kind::Header | Kind::Index | Kind::Seal | Kind::Other(_) => Found::Other,
        };
        Ok((header, found, after))
    }

    /// The next place from `from` on where a whole frame begins.
    fn next_frame(&mut self, from: u64) -> Result<Option<u64>> {
        let reader = self.reader;
        let mut start = from.next_multiple_of(8);
        let mut buffer = Vec::new();
        while start < reader.source.len() {
            let length = (reader.source.len() - start).min(STRETCH as u64) as usize;
            let stretch = reader.source.read(start, length, &mut buffer)?;
            let likely: Vec<u64> = (start..)
                .step_by(8)
                .zip(stretch.chunks(8))
                .filter(|(_, bytes)| bytes.starts_with(b"TFRM"))
                .map(|(at, _)| at)
                .collect();
            for at in likely {
                // What is no header costs nothing.
                let Ok(header) = reader.frame(at) else { continue };
                match self.whole_frame(at) {
                    Ok(_) => return Ok(Some(at)),
                    Err(error @ Error::Io { .. }) => return Err(error),
                    Err(_) => {}
                }
                match self.vain_bytes.checked_sub(header.frame_bytes()) {
                    Some(left) => self.vain_bytes = left,
                    None => {
                        self.notes.push("looking for more frames was given up".into());
                        return Ok(None);
                    }
                }
            }
            start += length as u64;
        }
        Ok(None)
    }
}

#[cfg(test)]
mod tests {
    use std::time::{Duration, Instant};

    use crate::frame::{FrameHeader, HEADER_BYTES, Kind, PREAMBLE_BYTES, Preamble};
    use crate::{Capture, Completeness, Header, Process, Side, Writer, limits};

    fn header() -> Header {
        Header { program: "test".into(), ..Header::default() }
    }

    /// Each of these headers claims all that follows it, and none of it fits: looking at each in full would take as many
    /// reads of the file as there are headers.
    #[test]
    fn headers_that_each_claim_the_rest_of_the_file_take_no_more_than_a_few_readings_of_it() {
        let mut bytes = Writer::create(Vec::new(), &header()).unwrap().get_ref().clone();
        let preamble = Preamble::read(&bytes[..PREAMBLE_BYTES]).unwrap();
        const HEADERS: usize = 100_000;
        for n in 0..HEADERS {
            let claimed = ((HEADERS - n - 1) * HEADER_BYTES) as u32;
            let frame = FrameHeader {
                kind: Kind::Block,
                head_codec: 0,
                flags: 0,
                number: 1,
                payload: claimed,
                head_stored: claimed,
                head_raw: claimed,
                head_crc: 7,
                chain: [0; 32],
            };
            bytes.extend_from_slice(&frame.to_bytes(preamble));
        }
        let start = Instant::now();
        let capture = Capture::from_bytes(bytes).unwrap();
        assert!(start.elapsed() < Duration::from_secs(60), "{:?}", start.elapsed());
        let Completeness::Salvaged { what, .. } = capture.completeness() else { panic!("not finished") };
        assert!(what.contains("given up"), "{what}");
    }

    /// What a writer refuses, a file may still hold.
    #[test]
    fn records_beyond_what_may_be_read_are_left_out_and_told() {
        let mut writer = Writer::create(Vec::new(), &header()).unwrap();
        let process = Process { pid: 1, argv: vec![0; limits::HEAD_BYTES - 4096], ..Process::default() };
        let side = Side::Processes(vec![process]);
        for _ in 0..4 {
            writer.side_bytes = 0;
            writer.side(&side).unwrap();
        }
        writer.side_bytes = limits::SIDE_BYTES;
        assert!(writer.side(&side).unwrap_err().to_string().contains("records beside the events"));
        let unfinished = writer.get_ref().clone();
        for bytes in [writer.finish().unwrap().0, unfinished] {
            let capture = Capture::from_bytes(bytes).unwrap();
            assert_eq!(capture.processes().len(), 3);
            let Completeness::Salvaged { what, .. } = capture.completeness() else { panic!("not told") };
            assert!(what.contains("left out"), "{what}");
        }
    }
}
