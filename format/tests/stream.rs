//! A capture that comes in pieces is the one that a file holds.

use std::fs;
use std::path::Path;

use format::{Capture, Completeness, Error, OpenOptions, StreamReader, Streamed};

/// What a capture has: first time and rows of each block, how many records of a kind, whether it ended.
#[derive(Debug, Default, PartialEq)]
struct Seen {
    blocks: Vec<(u64, u64, u64)>,
    processes: usize,
    cgroups: usize,
    missing: Vec<String>,
    is_over: bool,
}

fn captures() -> Vec<(String, Vec<u8>)> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../fixtures");
    let mut captures = Vec::new();
    for entry in fs::read_dir(folder).expect("fixtures") {
        let path = entry.expect("an entry").path();
        if path.extension().is_some_and(|extension| extension == "trz") {
            captures.push((path.display().to_string(), fs::read(&path).expect("a capture")));
        }
    }
    captures.sort();
    assert!(captures.len() > 3);
    captures
}

fn of_file(bytes: &[u8]) -> Seen {
    let capture = Capture::from_bytes(bytes.to_vec()).expect("a capture");
    let blocks = capture.blocks().iter().map(|block| &block.statistics);
    Seen {
        blocks: blocks.map(|it| (it.first_ns, it.last_ns, it.rows)).collect(),
        processes: capture.processes().len(),
        cgroups: capture.cgroups().len(),
        missing: Vec::new(),
        is_over: *capture.completeness() == Completeness::Finished,
    }
}

fn streamed(bytes: &[u8], piece: usize) -> Result<Seen, Error> {
    let mut reader = StreamReader::new(OpenOptions::default());
    let mut seen = Seen::default();
    let mut take = |streamed: Streamed| match streamed {
        Streamed::Head(head) => {
            seen.processes += head.processes().len();
            seen.cgroups += head.cgroups().len();
        }
        Streamed::Block(block, statistics) => {
            assert_eq!(block.rows() as u64, statistics.rows);
            block.times().map(|times| assert_eq!(times.len(), block.rows())).ok();
            seen.blocks.push((statistics.first_ns, statistics.last_ns, statistics.rows));
        }
        Streamed::Side(format::Side::Processes(all)) => seen.processes += all.len(),
        Streamed::Side(format::Side::Cgroups(all)) => seen.cgroups += all.len(),
        Streamed::Side(_) | Streamed::Content(_) => {}
        Streamed::Missing(what) => seen.missing.push(what),
        Streamed::End { .. } => seen.is_over = true,
    };
    for piece in bytes.chunks(piece) {
        reader.push(piece);
        while let Some(streamed) = reader.pull()? {
            take(streamed);
        }
    }
    while let Some(streamed) = reader.end()? {
        take(streamed);
    }
    Ok(seen)
}

#[test]
fn pieces_of_any_size_give_what_the_file_gives() {
    for (name, bytes) in captures() {
        let expected = of_file(&bytes);
        for piece in [1 << 20, 4096, 61] {
            let seen = streamed(&bytes, piece).expect("a capture");
            assert_eq!(seen, expected, "{name} in pieces of {piece}");
        }
    }
}

#[test]
fn a_stream_that_ends_early_gives_what_is_whole_and_says_so() {
    let (name, bytes) = captures().remove(0);
    let whole = of_file(&bytes);
    for end in (0..bytes.len()).step_by(bytes.len() / 97 + 1) {
        match streamed(&bytes[..end], 1000) {
            Ok(seen) => {
                assert!(whole.blocks.starts_with(&seen.blocks), "{name} up to {end}");
                assert!(!seen.is_over && seen.missing.len() == 1, "{name} up to {end}: {seen:?}");
            }
            // Without its header it is no capture.
            Err(Error::NotACapture | Error::Damaged { .. }) => {}
            Err(error) => panic!("{name} up to {end}: {error}"),
        }
    }
}

#[test]
fn a_changed_byte_costs_one_frame_and_is_told() {
    for (name, bytes) in captures() {
        let whole = of_file(&bytes);
        for at in (0..bytes.len()).step_by(bytes.len() / 61 + 1) {
            let mut damaged = bytes.clone();
            damaged[at] ^= 4;
            let Ok(seen) = streamed(&damaged, 10_000) else { continue };
            let is_known = |block: &&(u64, u64, u64)| whole.blocks.contains(block);
            let known = seen.blocks.iter().filter(is_known).count();
            assert!(known + 1 >= whole.blocks.len(), "{name}, byte {at}: {} of them", seen.blocks.len());
            assert!(known == whole.blocks.len() || !seen.missing.is_empty(), "{name}, byte {at}: {seen:?}");
        }
    }
}
