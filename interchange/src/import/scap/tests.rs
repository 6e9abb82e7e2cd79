//! What is read of files that were put together here, of old versions, and of broken ones.

use replay::import::Log;
use serde_json::Value;

use super::Scap;
use crate::scap::{MAGIC, block};

fn block_of(kind: u32, body: &[u8]) -> Vec<u8> {
    let mut padded = body.to_vec();
    padded.resize(body.len().next_multiple_of(4), 0);
    let length = (padded.len() as u32 + 12).to_le_bytes();
    [&kind.to_le_bytes()[..], &length, &padded, &length].concat()
}

fn section() -> Vec<u8> {
    block_of(block::SECTION, &[&MAGIC.to_le_bytes()[..], &[1, 0, 2, 0], &[0xff; 8]].concat())
}

/// An event of a version that says how many parameters it has, or of the first, which does not.
fn event(is_v1: bool, time: u64, tid: u64, number: u16, params: &[&[u8]]) -> Vec<u8> {
    let mut rest = if is_v1 { Vec::new() } else { (params.len() as u32).to_le_bytes().to_vec() };
    params.iter().for_each(|param| rest.extend((param.len() as u16).to_le_bytes()));
    params.iter().for_each(|param| rest.extend_from_slice(param));
    let length = (22 + rest.len() as u32).to_le_bytes();
    let head =
        [&[1, 0][..], &time.to_le_bytes(), &tid.to_le_bytes(), &length, &number.to_le_bytes()].concat();
    block_of(if is_v1 { block::EVENT_V1 } else { block::EVENT }, &[head, rest].concat())
}

fn s64(number: i64) -> [u8; 8] {
    number.to_le_bytes()
}

/// What is read, a row a line: time, thread, name, result, and arguments by name; and why what does not read does not.
fn read(file: &[u8]) -> (Vec<String>, Vec<(u64, String)>) {
    let mut log = Scap::new(file);
    let (mut rows, mut bad) = (Vec::new(), Vec::new());
    while let Some((at, line)) = log.next().expect("bytes are read") {
        match line {
            Ok(line) => {
                let args = line.args.iter().filter(|arg| arg.value != Value::Null);
                let args: Vec<_> = args.map(|arg| format!("{}={}", arg.name, arg.value)).collect();
                rows.push(format!(
                    "{} {} {} {}",
                    line.timestamp,
                    line.event_name,
                    line.return_value,
                    args.join(" ")
                ));
            }
            Err(reason) => bad.push((at, reason)),
        }
    }
    (rows, bad)
}

#[test]
fn calls_are_read_of_pairs_and_of_ends_only_in_old_versions_and_in_new_ones() {
    let (fd, size) = (s64(3), 4096u32.to_le_bytes());
    let name = b"/etc/passwd\0";
    let flags = 0x1001u32.to_le_bytes();
    let old = [
        event(true, 1, 7, 2, &[]),
        // Before the device was told.
        event(true, 2, 7, 3, &[&fd, name, &flags, &[0; 4]]),
        event(true, 3, 7, 6, &[&fd, &size]),
        event(true, 4, 7, 7, &[&s64(5), b"root:"]),
        event(true, 5, 7, 4, &[&fd]),
        event(true, 6, 7, 5, &[&s64(0)]),
    ];
    let rows = [
        r#"2 open 3 pathname="/etc/passwd" flags=524288 mode=0"#,
        r#"4 read 5 fd="3=/etc/passwd" buf="cm9vdDo=" count=4096"#,
        r#"6 close 0 fd="3=/etc/passwd""#,
    ];
    assert_eq!(read(&[section(), old.concat()].concat()), (rows.map(str::to_owned).to_vec(), Vec::new()));
    // Ends only, as newer programs write them; with more parameters than are known here at the last.
    let new = [
        event(false, 2, 7, 3, &[&fd, name, &flags, &[0; 4], &[0; 4], &s64(77)]),
        event(false, 4, 7, 7, &[&s64(5), b"root:", &fd, &size]),
        event(false, 6, 7, 5, &[&s64(0), &fd, b"more"]),
    ];
    assert_eq!(read(&[section(), new.concat()].concat()), (rows.map(str::to_owned).to_vec(), Vec::new()));
}

#[test]
fn a_thread_is_who_its_calls_made_it() {
    let (user, keeps) = (1000u32.to_le_bytes(), u32::MAX.to_le_bytes());
    let calls = [
        event(false, 1, 7, 198, &[&user]),
        event(false, 2, 7, 199, &[&s64(0)]),
        event(false, 3, 7, 5, &[&s64(0), &s64(4)]),
        // No root any more: the call changes the effective one at most.
        event(false, 4, 7, 198, &[&[5, 0, 0, 0]]),
        event(false, 5, 7, 199, &[&s64(0)]),
        event(false, 6, 7, 192, &[&keeps, &[9, 0, 0, 0], &keeps]),
        event(false, 7, 7, 193, &[&s64(0)]),
        event(false, 8, 7, 5, &[&s64(0), &s64(4)]),
    ];
    let file = [section(), calls.concat()].concat();
    let mut log = Scap::new(&file[..]);
    let mut uids = Vec::new();
    while let Some((_, line)) = log.next().expect("bytes are read") {
        let line = line.expect("an event");
        uids.push((line.event_name.clone(), line.context(0).uid));
    }
    let close: Vec<u32> = uids.iter().filter(|(name, _)| name == "close").map(|(_, uid)| *uid).collect();
    assert_eq!(close, [1000, 1000], "{uids:?}");
}

#[test]
fn what_had_not_ended_is_told_where_it_began() {
    let file =
        [section(), event(false, 1, 7, 6, &[&s64(0), &[0; 4]]), event(false, 2, 8, 4, &[&s64(9)])].concat();
    let (rows, bad) = read(&file);
    assert_eq!((rows.len(), bad.len()), (2, 0));
    assert!(rows[0].starts_with("1 read 0 fd=0") && rows[1].starts_with("2 close 0 fd=9"), "{rows:?}");
    // The end of another call is no end of this one.
    let file =
        [section(), event(false, 1, 7, 6, &[&s64(0), &[0; 4]]), event(false, 2, 7, 5, &[&s64(0)])].concat();
    let (rows, _) = read(&file);
    assert!(rows[0].starts_with("1 read") && rows[1].starts_with("2 close"), "{rows:?}");
}

#[test]
fn a_bad_event_is_left_out_and_what_is_no_block_ends_the_file() {
    let good = event(false, 5, 7, 5, &[&s64(0), &s64(4)]);
    let mut torn = event(false, 1, 7, 5, &[&s64(0), &s64(4)]);
    // A parameter that is longer than the event.
    torn[36] = 200;
    let unknown = event(false, 1, 7, 60_000, &[]);
    let head = section();
    let (rows, bad) = read(&[&head[..], &torn, &unknown, &good].concat());
    assert_eq!(rows, ["5 close 0 fd=4"]);
    let second = (head.len() + torn.len()) as u64;
    assert_eq!(bad.iter().map(|(at, _)| *at).collect::<Vec<_>>(), [head.len() as u64, second]);
    let (rows, bad) = read(&[&head[..], &good, &[1; 40]].concat());
    assert_eq!((rows.len(), bad.len()), (1, 1));
    assert_eq!(bad[0].0, (head.len() + good.len()) as u64);
    assert!(read(&[]).1[0].1.contains("it ends before"));
    let reversed = block_of(block::SECTION, &[&MAGIC.to_be_bytes()[..], &[0; 12]].concat());
    assert!(read(&reversed).1[0].1.contains("other byte order"));
}

#[test]
fn hostile_bytes_end_and_hold_no_more_than_they_are() {
    let whole = [
        section(),
        block_of(block::PROCESSES[8], &[0xff; 64]),
        block_of(block::DESCRIPTORS, &[0xff; 64]),
        block_of(block::USERS, &[0xff; 64]),
        event(false, 1, 7, 223, &[&s64(0)[..]; 20]),
        event(false, 1, 7, 293, &[&s64(0)[..]; 20]),
        event(false, 1, 7, 187, &[]),
        event(true, 1, 7, 23, &[&s64(0), &[2; 13]]),
    ]
    .concat();
    // Every byte takes other values, one at a time.
    for at in 16..whole.len() {
        for value in [0, 1, 0x7f, 0xff] {
            let mut broken = whole.clone();
            broken[at] = value;
            let _ = read(&broken);
        }
        let _ = read(&whole[..at]);
    }
}
