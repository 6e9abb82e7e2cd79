//! Entrances for bytes that nobody has checked: each must come back, whatever it is given.

use events::dirents::Layout;

use crate::archive::{self, ArchivedBlockV1, ArchivedIndexV1};
use crate::args::Dictionary;
use crate::columns::{self, Column};
use crate::directory::Directory;
use crate::entries;
use crate::frame::{FrameHeader, Preamble, Trailer, VERSION};
use crate::index::Index;
use crate::segment::{self, SegmentV5};
use crate::{
    Block, Capture, Header, OpenOptions, Result, Schema, Scratch, bytestrings, integers, records, side_v1,
};

/// Reads a file as far as it goes.
pub fn capture(bytes: &[u8]) {
    drop(crate::verify_bytes(bytes.to_vec(), crate::Expected::default()));
    for with_strays in [false, true] {
        let options = OpenOptions { with_strays, ..OpenOptions::default() };
        let Ok(capture) = Capture::from_bytes_with(bytes.to_vec(), &options) else { return };
        for info in capture.contents().unwrap_or_default() {
            // What it says is not what is read.
            let mut read = 0;
            let content = capture.content(&info).and_then(|content| {
                content.read(&mut |some| {
                    read += some.len();
                    Ok(())
                })
            });
            assert!(read as u64 <= info.size && (content.is_err() || read as u64 == info.size));
        }
        let mut scratch = Scratch::new();
        assert_eq!(capture.blocks().len(), capture.block_count());
        for at in 0..capture.block_count() {
            if let Ok(block) = capture.block(at, &mut scratch) {
                drop(whole_block(&block));
            }
        }
    }
}

fn whole_block(block: &Block) -> Result<()> {
    let contexts = block.contexts()?;
    let codes = block.event_codes()?;
    assert!(codes.iter().all(|code| (*code as usize) < block.event_list().len()));
    assert!(block.context_codes()?.iter().all(|code| contexts.get(*code).is_some()));
    let lengths = [block.times()?.len(), block.rets()?.len(), block.scopes()?.len(), block.marks()?.len()];
    assert!(lengths.iter().all(|length| *length == block.rows()) && block.cpus()?.len() == block.rows());
    for code in 0..block.event_list().len() as u16 {
        for position in 0..16 {
            let column = block.args(code).column(position)?;
            assert_eq!(column.rows(), block.rows_of(code));
            assert!((0..column.rows()).all(|ordinal| column.get(ordinal) == column.get(ordinal)));
        }
    }
    Ok(())
}

/// What stands behind checksums, and can be read by itself.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Part {
    Frame,
    Header,
    /// The directory of a block.
    Block,
    /// Of a file before version 5.
    Index,
    /// Records beside the events of a file before version 5.
    Side,
    /// What an index segment knows of its blocks.
    Statistics,
    /// An index segment, whole.
    Segment,
    /// Records beside the events.
    Table,
    Integers,
    Strings,
    Argument,
    Contexts,
    Trailer,
}

/// Reads bytes as one part of a file; of a column, as one of so many rows.
pub fn part(part: Part, rows: usize, bytes: &[u8]) {
    const MEMORY: usize = 1 << 20;
    match part {
        Part::Frame => {
            for version in [VERSION - 1, VERSION] {
                drop(FrameHeader::read(bytes, 0, Preamble { version, id: [0; 6] }));
            }
        }
        Part::Header => {
            for version in [3, 4, 5] {
                drop(Header::read(version, bytes, 0).and_then(|header| Schema::of(&header.schema)));
            }
        }
        Part::Block => {
            if let Ok(block) = archive::access::<ArchivedBlockV1>(bytes, 0) {
                drop(Directory::read(block, 1 << 20));
            }
        }
        Part::Index => {
            if let Ok(index) = archive::access::<ArchivedIndexV1>(bytes, 0) {
                drop(Index::read(index, 1 << 40, |id| Some(events::EventId(id))));
            }
        }
        Part::Side => {
            for version in [3, 4] {
                drop(side_v1::read(version, bytes, &Schema::default(), 0));
            }
        }
        Part::Statistics => {
            let head = SegmentV5 { blocks: rows as u32, ..SegmentV5::default() };
            drop(segment::read(&head, bytes, 0, |id| Some(events::EventId(id))));
        }
        Part::Segment => {
            let Some((length, rest)) = bytes.split_first_chunk::<2>() else { return };
            let Some((head, rest)) = rest.split_at_checked(usize::from(u16::from_le_bytes(*length))) else {
                return;
            };
            let Ok(head) = archive::read::<SegmentV5>(head, 0) else { return };
            // What follows is compressed: it is taken as it is, too, so that what stands there is reached.
            let bodies = [segment::body(&head, rest, 0).ok(), Some(rest.to_vec())];
            for body in bodies.into_iter().flatten() {
                drop(segment::read(&head, &body, 0, |id| Some(events::EventId(id))));
            }
        }
        Part::Table => drop(records::read(bytes, &Schema::default(), 0)),
        Part::Integers => drop(integers::decode::<u64>(bytes, rows, &mut Vec::new())),
        Part::Strings => {
            let mut dictionary = Dictionary::default();
            if bytestrings::decode(bytes, rows, MEMORY, &mut dictionary).is_ok() {
                assert_eq!(dictionary.iter().count(), dictionary.len());
                let bound = entries::lifted_bytes(&dictionary);
                for layout in [Layout::Linux64, Layout::Linux] {
                    let mut lifted = dictionary.clone();
                    entries::lift(&mut lifted, layout);
                    assert!(lifted.bytes.len() <= bound && lifted.len() == dictionary.len());
                }
            }
        }
        Part::Argument => {
            let mut column = Column::default();
            let mut texts = Dictionary::default();
            texts.bytes.extend_from_slice(b"/usr/bin/dd/usr/lib");
            texts.ends.extend([0, 11, 19]);
            if column.decode(bytes, rows, MEMORY, &texts).is_ok() {
                let view = column.view(rows);
                assert!((0..rows).all(|row| view.get(row) == view.get(row)));
            }
        }
        Part::Contexts => {
            let mut texts = Dictionary::default();
            let _ = columns::decode_contexts(bytes, rows, MEMORY, &mut Vec::new(), &mut texts);
        }
        Part::Trailer => drop(Trailer::read(bytes)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use events::dirents;

    const ALL: [Part; 13] = [
        Part::Frame,
        Part::Header,
        Part::Block,
        Part::Index,
        Part::Side,
        Part::Statistics,
        Part::Segment,
        Part::Table,
        Part::Integers,
        Part::Strings,
        Part::Argument,
        Part::Contexts,
        Part::Trailer,
    ];

    /// What fuzzing does, for as long as a test may take: random bytes, and mutations of what encoders write.
    #[test]
    fn no_bytes_make_a_part_panic() {
        let mut seed = 0x1234_5678_9abc_def1u64;
        let mut random = move || {
            seed ^= seed << 13;
            seed ^= seed >> 7;
            seed ^= seed << 17;
            seed
        };
        let mut work = integers::Work::default();
        let mut good: Vec<(Part, Vec<u8>)> = Vec::new();
        let mut column = |part: Part, write: &mut dyn FnMut(&mut Vec<u8>)| {
            let mut bytes = Vec::new();
            write(&mut bytes);
            good.push((part, bytes));
        };
        let values: Vec<u64> = (0..40).map(|n| n * n).collect();
        column(Part::Integers, &mut |out| integers::encode(&values, out, &mut work));
        let few: Vec<u64> = (0..40).map(|n| [1 << 40, 7 << 50, 3][n % 3]).collect();
        column(Part::Integers, &mut |out| integers::encode(&few, out, &mut work));
        let strings: Vec<Vec<u8>> = (0..40u64).map(|n| (n * 77).to_le_bytes().to_vec()).collect();
        let strings: Vec<&[u8]> = strings.iter().map(Vec::as_slice).collect();
        column(Part::Strings, &mut |out| bytestrings::encode(&strings, out, &mut work));
        column(Part::Strings, &mut |out| {
            bytestrings::encode(&[b"/usr/lib/a", b"/usr/lib/b", b"/usr"], out, &mut work)
        });
        let entries = [&[dirents::TAG, 9, 0, 0, 0, 0, 0, 0, 0, 8][..], b"note\0"].concat();
        column(Part::Argument, &mut |out| {
            out.extend_from_slice(&[6, 40, 0, 0, 0, 0, 0, 0, 0]);
            assert!(entries::encode(std::iter::repeat_n(&entries[..], 40), out, &mut work));
            integers::encode(&values, out, &mut work);
        });
        let schema = crate::current_schema().into_iter().take(5).collect();
        let header = Header { schema, program: "x".into(), ..Header::default() };
        column(Part::Header, &mut |out| out.extend_from_slice(&header.to_bytes().unwrap()));
        let block = crate::archive::BlockV1 {
            rows: 1,
            event_ids: vec![1],
            event_rows: vec![1],
            ..Default::default()
        };
        column(Part::Block, &mut |out| out.extend_from_slice(&archive::to_bytes(&block).unwrap()));
        let mut builder = crate::segment::SegmentBuilder::new(80);
        let statistics = crate::Statistics {
            rows: 3,
            hosts: vec![0],
            events: vec![crate::EventCount { event: events::EventId(1), rows: 3 }],
            failed: Some(Vec::new()),
            marks: Some(vec![crate::MarkCount { event: events::EventId(1), bit: 1, rows: 2 }]),
            comms: crate::Texts::of(vec![b"ls"[..].into()]),
            pids: crate::Numbers::of((0..9).collect()),
            tids: crate::Numbers::of((0..9000).collect()),
            ppids: crate::Numbers::Range { min: 3, max: 9 },
            ..crate::Statistics::default()
        };
        builder.block(80, 100, &statistics);
        builder.block(180, 100, &statistics);
        column(Part::Statistics, &mut |out| out.extend_from_slice(&builder.statistics().unwrap()));
        column(Part::Segment, &mut |out| {
            let head = archive::to_bytes(&SegmentV5 { blocks: 2, rows: 6, ..SegmentV5::default() }).unwrap();
            out.extend_from_slice(&(head.len() as u16).to_le_bytes());
            out.extend_from_slice(&head);
            out.extend_from_slice(&builder.statistics().unwrap());
        });
        let processes = vec![crate::Process { pid: 7, fds: vec![(0, vec![1])], ..Default::default() }; 3];
        let tables = records::tables(&crate::Side::Processes(processes)).unwrap();
        column(Part::Table, &mut |out| tables.iter().for_each(|table| out.extend_from_slice(table)));
        let index = crate::archive::IndexV1 { offsets: vec![1], sides: vec![2], ..Default::default() };
        column(Part::Index, &mut |out| out.extend_from_slice(&archive::to_bytes(&index).unwrap()));
        for _ in 0..20_000 {
            let (kind, mut bytes) = good[random() as usize % good.len()].clone();
            for _ in 0..random() % 4 {
                let at = random() as usize % bytes.len();
                bytes[at] = random() as u8;
            }
            if random() % 8 == 0 {
                bytes.truncate(random() as usize % bytes.len());
            }
            part(kind, random() as usize % 64, &bytes);
            part(kind, 40, &bytes);
            // A dictionary is most of an argument, and a beginning of contexts.
            part(Part::Argument, 40, &[&[random() as u8 % 7], bytes.as_slice()].concat());
            // Of one whose texts the block has, two counts are the beginning.
            let counts = [random() as u8 % 48, 0, 0, 0, random() as u8 % 48, 0, 0, 0];
            part(
                Part::Argument,
                40,
                &[&[4 + random() as u8 % 2], &counts[..], bytes.as_slice(), bytes.as_slice()].concat(),
            );
            part(Part::Contexts, 40, &bytes);
            let noise: Vec<u8> = (0..random() % 80).map(|_| random() as u8).collect();
            for any in ALL {
                part(any, random() as usize % 256, &noise);
            }
        }
    }
}
