//! Files that somebody made to contradict themselves: sealed and signed by the book, and each lie is found.

use std::sync::Arc;

use events::{Context, Marks, Raw, catalogue};

use super::*;
use crate::statistics::{EventCount, Numbers, Texts};
use crate::trigrams::TrigramsBuilder;
use crate::{
    BlockBuilder, Capture, Completeness, EncodedBlock, Encoder, Header, Options, Process, Row, Scratch, Side,
    SigningKey, Writer, WriterOptions, current_schema,
};

fn block(number: u64) -> EncodedBlock {
    let mut builder = BlockBuilder::new();
    let pid = 100 + number as u32;
    let context = builder.intern(&Context { pid, comm: b"ls", exe: b"/bin/ls", ..Context::default() });
    let event = catalogue::by_name("openat").unwrap().id;
    for n in 0..20 {
        let path = format!("/etc/secret{number}/{n}");
        let args = [Raw::Number(3), Raw::Bytes(path.as_bytes())];
        let ret = if n % 4 == 0 { -2 } else { 3 };
        let (time_ns, marks) = (number * 1000 + n, Marks(if n % 5 == 0 { Marks::TRUNCATED } else { 0 }));
        builder
            .push(&Row {
                time_ns,
                event,
                cpu: 0,
                context,
                ret,
                scopes: 0,
                marks,
                duration_ns: None,
                args: &args,
            })
            .unwrap();
    }
    Encoder::new(Options::default()).encode(&mut builder).unwrap()
}

fn writer() -> Writer<Vec<u8>> {
    let schema = current_schema().into_iter().filter(|event| event.name == "openat").collect();
    let header = Header { program: "test".into(), schema, ..Header::default() };
    let sign = SigningKey::from_text(
        "tracer-secret-key-1:0000000000000000000000000000000000000000000000000000000000000001",
    );
    let options = WriterOptions { sign: Some(sign.unwrap().into()), ..WriterOptions::default() };
    Writer::create_with(Vec::new(), &header, options).unwrap()
}

/// Of three blocks, the second of which is changed before it is written.
fn with_block(change: impl Fn(&mut EncodedBlock)) -> Vec<u8> {
    let mut writer = writer();
    for number in 0..3 {
        let mut block = block(number);
        if number == 1 {
            change(&mut block);
        }
        writer.block(&block).unwrap();
    }
    writer.finish().unwrap().0
}

fn fault(bytes: &[u8]) -> String {
    let fault = verify_bytes(bytes.to_vec(), Expected::default()).unwrap().fault;
    fault.map_or("good".into(), |fault| fault.what)
}

#[test]
fn an_honest_file_is_good() {
    assert_eq!(fault(&with_block(|_| {})), "good");
}

#[test]
fn statistics_that_hide_rows_are_found() {
    type Lie = (&'static str, fn(&mut EncodedBlock));
    let lies: [Lie; 14] = [
        ("commands", |block| block.statistics.comms = Texts::of(vec![Arc::from(&b"cat"[..])])),
        ("commands", |block| block.statistics.comms = Texts::of(Vec::new())),
        ("executables", |block| block.statistics.exes = Texts::of(Vec::new())),
        ("ids", |block| block.statistics.pids = Numbers::Exact(vec![7])),
        ("ids", |block| block.statistics.pids = Numbers::Range { min: 102, max: 1000 }),
        ("ids", |block| block.statistics.cgroups = Numbers::Exact(Vec::new())),
        ("ids", |block| block.statistics.uids = Numbers::Exact(vec![0, 1000])),
        ("failed", |block| block.statistics.failed = Some(Vec::new())),
        ("marked", |block| block.statistics.marks = Some(Vec::new())),
        ("texts", |block| {
            let mut others = TrigramsBuilder::default();
            others.clear();
            others.text(b"/etc/passwd");
            block.statistics.argument_texts = others.finish(1 << 16);
        }),
        ("another host", |block| block.statistics.hosts = vec![3]),
        ("another time", |block| block.statistics.first_ns += 5),
        ("another time", |block| block.statistics.last_ns += 5),
        ("which events", |block| {
            let event = events::EventId(block.statistics.events[0].event.0);
            block.statistics.events = vec![EventCount { event, rows: 19 }, EventCount { event, rows: 1 }];
        }),
    ];
    for (number, (what, lie)) in lies.into_iter().enumerate() {
        let found = fault(&with_block(lie));
        assert!(found.contains(what) && found.starts_with("block 1: "), "lie {number}: {found}");
    }
    // What is not known, or only roughly, is no lie.
    for truth in [
        |block: &mut EncodedBlock| block.statistics.comms = Texts::Unknown,
        |block: &mut EncodedBlock| block.statistics.pids = Numbers::Range { min: 0, max: 1000 },
        |block: &mut EncodedBlock| block.statistics.argument_texts = None,
        |block: &mut EncodedBlock| block.statistics.failed = None,
        |block: &mut EncodedBlock| block.statistics.marks = None,
    ] {
        assert_eq!(fault(&with_block(truth)), "good");
    }
}

#[test]
fn segments_that_list_other_blocks_or_tables_than_there_are_are_found() {
    type Lie = (&'static str, fn(&mut Writer<Vec<u8>>));
    let lies: [Lie; 8] = [
        ("twice", |writer| {
            let again = writer.segment.blocks[1].clone();
            writer.segment.blocks.push(again);
            writer.segment.head.blocks += 1;
            writer.segment.head.rows += 20;
        }),
        ("leaves one out", |writer| {
            writer.segment.blocks.remove(1);
            writer.segment.head.blocks -= 1;
            writer.segment.head.rows -= 20;
        }),
        ("leaves one out", |writer| writer.segment.head.tables.clear()),
        ("leaves one out", |writer| writer.segment.head.from += 8),
        ("not in the order", |writer| writer.segment.blocks.swap(0, 1)),
        ("as many", |writer| writer.segment.head.rows = 7),
        ("another time", |writer| writer.segment.head.first_ns = 7),
        ("does not say", |writer| writer.segment.head.first_block = 7),
    ];
    for (number, (what, lie)) in lies.into_iter().enumerate() {
        let mut writer = writer();
        writer.side(&Side::Processes(vec![Process { pid: 1, ..Process::default() }])).unwrap();
        (0..3).for_each(|number| writer.block(&block(number)).unwrap());
        lie(&mut writer);
        let bytes = writer.finish().unwrap().0;
        let found = fault(&bytes);
        assert!(found.contains(what), "lie {number}: {found}");
        // Whoever only reads finds all blocks, or is told that something is wrong.
        let capture = Capture::from_bytes(bytes).unwrap();
        let rows: u64 = capture.blocks().iter().map(|block| block.statistics.rows).sum();
        let is_told = *capture.completeness() != Completeness::Finished;
        assert!(is_told || (rows, capture.processes().len()) == (60, 1), "lie {number}");
    }
}

#[test]
fn a_block_that_is_not_what_the_index_says_does_not_open() {
    let bytes = with_block(|block| block.statistics.hosts = vec![3]);
    let capture = Capture::from_bytes(bytes).unwrap();
    let error = capture.block(1, &mut Scratch::new()).unwrap_err().to_string();
    assert_eq!(error, "block 1: the index says that it is of another host");
    assert!(capture.block(2, &mut Scratch::new()).is_ok());
}

#[test]
fn many_segments_follow_each_other_and_one_may_not_be_left_out() {
    let write = |blocks: u64| {
        let mut writer = writer();
        for number in 0..blocks {
            writer.block(&block(number)).unwrap();
            if number % 3 == 2 {
                assert!(writer.checkpoint().unwrap().is_some() && writer.checkpoint().unwrap().is_none());
            }
        }
        writer
    };
    let bytes = write(10).finish().unwrap().0;
    let verdict = verify_bytes(bytes.clone(), Expected::default()).unwrap();
    assert_eq!((verdict.fault, verdict.blocks, verdict.rows), (None, 10, 200));
    assert!(verdict.is_last_part == Some(true) && verdict.signed_by.is_some());
    let capture = Capture::from_bytes(bytes.clone()).unwrap();
    assert_eq!(
        capture.segments().map(|it| (it.first_block, it.blocks)).collect::<Vec<_>>(),
        [(0, 3), (3, 3), (6, 3), (9, 1)]
    );
    assert_eq!(capture.block_info(7).unwrap().statistics.pids.exact(), Some(&[107][..]));
    let openat = catalogue::by_name("openat").unwrap().id;
    let marked = |mark| capture.block_info(7).unwrap().statistics.marked(openat, mark);
    assert_eq!((marked(Marks::TRUNCATED), marked(Marks::FAULT)), (Some(4), Some(0)));
    assert!(capture.block_info(10).is_err() && capture.block(9, &mut Scratch::new()).is_ok());
    // Another segment before the last.
    let mut writer = write(10);
    writer.segment.head.previous = capture.block_info(3).unwrap().offset;
    assert!(fault(&writer.finish().unwrap().0).contains("does not say what stands before it"));
    let mut writer = write(10);
    writer.segment.head.number = 2;
    let bytes = writer.finish().unwrap().0;
    assert!(fault(&bytes).contains("does not say"));
    let capture = Capture::from_bytes(bytes).unwrap();
    assert_eq!((capture.block_count(), *capture.completeness() == Completeness::Finished), (10, false));
}

#[test]
fn a_recording_that_was_killed_is_vouched_for_and_skippable_up_to_its_last_segment() {
    let mut writer = writer();
    for number in 0..8 {
        writer.block(&block(number)).unwrap();
        if number == 5 {
            writer.checkpoint().unwrap();
        }
    }
    let bytes = writer.get_ref().clone();
    let verdict = verify_bytes(bytes.clone(), Expected::default()).unwrap();
    assert!(verdict.fault.unwrap().what.contains("without a seal"));
    let sealed = verdict.sealed.unwrap();
    assert_eq!((sealed.blocks, sealed.rows, sealed.signed_by.is_some()), (6, 120, true));
    let capture = Capture::from_bytes(bytes).unwrap();
    assert_eq!((capture.block_count(), capture.segments().len()), (8, 2));
    let known = |block: usize| capture.block_info(block).unwrap().statistics.pids.exact().is_some();
    assert!((0..6).all(known) && !known(6) && !known(7));
}

#[test]
fn frames_that_do_not_chain_are_kept_out_unless_they_are_asked_for() {
    let mut writer = writer();
    (0..2).for_each(|number| writer.block(&block(number)).unwrap());
    let mut bytes = writer.get_ref().clone();
    let foreign = {
        let mut other = self::writer();
        other.block(&block(7)).unwrap();
        let at = writer_block_start(&other);
        other.get_ref()[at..].to_vec()
    };
    bytes.extend_from_slice(&foreign);
    let capture = Capture::from_bytes(bytes.clone()).unwrap();
    assert_eq!((capture.block_count(), capture.strays()), (2, 1));
    let Completeness::Salvaged { what, .. } = capture.completeness() else { panic!("not finished") };
    assert!(what.contains("1 frames do not chain"), "{what}");
    let options = crate::OpenOptions { with_strays: true, ..Default::default() };
    let capture = Capture::from_bytes_with(bytes, &options).unwrap();
    assert_eq!((capture.block_count(), capture.strays()), (3, 1));
}

/// Where the first block of a file stands.
fn writer_block_start(writer: &Writer<Vec<u8>>) -> usize {
    writer.segment.blocks[0].offset as usize
}

#[test]
fn a_clock_that_is_told_must_be_that_of_the_blocks() {
    let with_clock = |wall_offset_ns| {
        let mut writer = writer();
        let clock = crate::ClockOffset { wall_offset_ns, ..crate::ClockOffset::default() };
        writer.side(&Side::Clocks(vec![clock])).unwrap();
        writer.block(&block(0)).unwrap();
        writer.finish().unwrap().0
    };
    assert_eq!(fault(&with_clock(0)), "good");
    assert_eq!(
        fault(&with_clock(1)),
        "blocks of host 0 have another wall clock than the capture tells of it"
    );
}
