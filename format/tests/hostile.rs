//! Damaged files give an error or a correct partial read: no panic, and no more memory than the limits say.

use events::{Context, Marks, Raw, catalogue};
use format::{
    BlockBuilder, Capture, Clock, Encoder, Header, Loss, Options, Process, Result, Row, Scratch, Side,
    Writer, current_schema,
};

/// Three small blocks and a few records, of few events so that the header is short.
fn small_capture() -> Vec<u8> {
    let names = ["openat", "read", "sched_process_exec"];
    let schema = current_schema().into_iter().filter(|e| names.contains(&e.name.as_str())).collect();
    let header = Header { program: "tracer test".into(), schema, ..Header::default() };
    let mut writer = Writer::create(Vec::new(), &header).unwrap();
    let mut encoder = Encoder::new(Options::default());
    let process = Process { pid: 1, comm: b"init".to_vec(), fds: vec![(0, vec![1])], ..Process::default() };
    writer.side(&Side::Processes(vec![process])).unwrap();
    let mut builder = BlockBuilder::new();
    for block in 0..3u64 {
        builder.set_clock(Clock { monotonic_ns: 1, boot_ns: 2, wall_ns: 3 });
        let contexts = [1, 2].map(|pid| {
            builder.intern(&Context { pid, tid: pid, comm: b"sh", exe: b"/bin/sh", ..Context::default() })
        });
        for n in 0..40 {
            let name = names[(n % 3) as usize];
            let path = format!("/usr/lib/file{}", n % 7);
            let bytes = [n as u8, 0, 1, 2, 3, 4, 5, 6];
            let args = match name {
                "openat" => [Raw::Number(n), Raw::Bytes(path.as_bytes()), Raw::Missing],
                "read" => [Raw::Number(3), Raw::Bytes(&bytes), Raw::Number(n * n * 7919)],
                _ => [Raw::Bytes(path.as_bytes()), Raw::Number(n), Raw::Missing],
            };
            let row = Row {
                time_ns: block * 1000 + n * 17,
                event: catalogue::by_name(name).unwrap().id,
                cpu: (n % 2) as u16,
                context: contexts[(n % 2) as usize],
                ret: (n % 5) as i64 - 2,
                scopes: n & 1,
                marks: Marks((n % 4) as u32),
                duration_ns: None,
                args: &args,
            };
            builder.push(&row).unwrap();
        }
        writer.block(&encoder.encode(&mut builder).unwrap()).unwrap();
    }
    let loss = Loss { host: 0, from_ns: 0, to_ns: 9, cpu: None, event: None, count: 3, cause: "full".into() };
    writer.side(&Side::Losses(vec![loss])).unwrap();
    writer.finish().unwrap().0
}

/// Everything that a block holds, in one text.
fn read_block(capture: &Capture, at: usize, scratch: &mut Scratch) -> Result<String> {
    use std::fmt::Write;
    let block = capture.block(at, scratch)?;
    let mut text = format!("{:?} {} {:?}\n", block.clock(), block.host(), block.event_list());
    for context in block.contexts()?.iter() {
        writeln!(text, "{context:?}").unwrap();
    }
    let (codes, contexts) = (block.event_codes()?, block.context_codes()?);
    let (times, rets, scopes) = (block.times()?, block.rets()?, block.scopes()?);
    let (marks, cpus) = (block.marks()?, block.cpus()?);
    for row in 0..block.rows() {
        let fixed = (codes[row], contexts[row], times[row], rets[row], scopes[row], marks[row], cpus[row]);
        writeln!(text, "{fixed:?}").unwrap();
    }
    for code in 0..block.event_list().len() as u16 {
        for position in 0..6 {
            let column = block.args(code).column(position)?;
            for ordinal in 0..block.rows_of(code) {
                writeln!(text, "{:?}", column.get(ordinal)).unwrap();
            }
        }
    }
    Ok(text)
}

/// What can be read of a file: the blocks that read whole, and whether all did.
fn read(bytes: Vec<u8>) -> Result<(Vec<String>, bool)> {
    let capture = Capture::from_bytes(bytes)?;
    let mut scratch = Scratch::new();
    let mut blocks = Vec::new();
    let mut whole = true;
    for at in 0..capture.blocks().len() {
        match read_block(&capture, at, &mut scratch) {
            Ok(block) => blocks.push(block),
            Err(_) => whole = false,
        }
    }
    Ok((blocks, whole))
}

#[test]
fn a_file_cut_at_any_byte_reads_up_to_its_last_whole_block() {
    let bytes = small_capture();
    let (blocks, whole) = read(bytes.clone()).unwrap();
    assert!(whole && blocks.len() == 3);
    let mut most = 0;
    for end in 0..bytes.len() {
        match read(bytes[..end].to_vec()) {
            Ok((read, whole)) => {
                assert!(whole && blocks.starts_with(&read), "cut at {end}");
                assert!(read.len() >= most, "cut at {end}: more bytes give fewer blocks");
                most = read.len();
            }
            Err(_) => assert_eq!(most, 0, "cut at {end}"),
        }
    }
    assert_eq!(most, 3);
}

#[test]
fn any_flipped_byte_gives_an_error_or_what_was_written() {
    let bytes = small_capture();
    let (blocks, _) = read(bytes.clone()).unwrap();
    for at in 0..bytes.len() {
        let change = [0x01, 0x80, 0xff][at % 3];
        let mut changed = bytes.clone();
        changed[at] ^= change;
        let Ok((read, _)) = read(changed) else { continue };
        // Padding and the chain of hashes are no part of what blocks say; a block that reads, reads as it was.
        assert!(read.iter().all(|block| blocks.contains(block)), "byte {at} ^ {change:#x}");
        assert!(read.len() >= 2, "byte {at} ^ {change:#x}: one byte costs one block at most");
    }
}

#[test]
fn zeroed_pages_cost_the_blocks_that_they_hit() {
    let bytes = small_capture();
    let (blocks, _) = read(bytes.clone()).unwrap();
    let info = Capture::from_bytes(bytes.clone()).unwrap();
    let second = info.blocks()[1].clone();
    for (start, end) in [
        (second.offset, second.offset + second.bytes),
        (second.offset + 100, second.offset + 200),
        (second.offset, bytes.len() as u64),
        (second.offset - 8, second.offset + 8),
    ] {
        let mut zeroed = bytes.clone();
        zeroed[start as usize..end as usize].fill(0);
        let (read, _) = read(zeroed).unwrap();
        assert!(read.contains(&blocks[0]) || start < second.offset, "{start}..{end}");
        assert!(!read.contains(&blocks[1]), "{start}..{end}");
        assert_eq!(read.contains(&blocks[2]), end < bytes.len() as u64, "{start}..{end}");
    }
}

#[test]
fn what_is_no_capture_is_said_to_be_none() {
    for bytes in [&b""[..], b"\x89TRZ", b"#!/bin/sh\nexit 0\n", &[0; 4096], &[0xff; 4096]] {
        let error = Capture::from_bytes(bytes.to_vec()).unwrap_err().to_string();
        assert!(error.starts_with("not a capture file"), "{error}");
    }
}
