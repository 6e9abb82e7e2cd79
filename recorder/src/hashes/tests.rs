use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _};
use std::time::Duration;
use std::{fs, thread};

use events::{Marks, Raw};

use super::open::kernel_device;
use super::*;

fn at(pid: u32) -> At {
    At { time_ns: 1, event: SCHED_PROCESS_EXEC, pid, tid: pid }
}

fn request(path: &std::path::Path) -> HashRequest {
    let meta = fs::metadata(path).unwrap();
    let changed_ns = meta.ctime() as u64 * 1_000_000_000 + meta.ctime_nsec() as u64;
    let file = FileState { device: kernel_device(meta.dev()), inode: meta.ino(), changed_ns };
    HashRequest { file, at: at(0), parent: 0, path: path.to_str().unwrap().into() }
}

#[test]
fn a_file_is_found_by_its_path_and_must_be_the_one_that_was_executed() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("program");
    fs::write(&path, "#!/bin/sh").unwrap();
    let opener = Opener::default();
    let known = request(&path);
    assert_eq!(opener.open(&known).expect("it is there").1, 9);
    let other = |file| HashRequest { file, ..known.clone() };
    assert!(opener.open(&other(FileState { inode: known.file.inode + 1, ..known.file })).is_err());
    assert!(opener.open(&other(FileState { changed_ns: 1, ..known.file })).is_err());
    // No mount is known to be of it.
    assert!(opener.open(&other(FileState { device: 0xffff_ffff, ..known.file })).is_err());
    fs::write(&path, "#!/bin/bash").unwrap();
    fs::set_permissions(&path, fs::Permissions::from_mode(0o700)).unwrap();
    assert!(opener.open(&known).is_err(), "it was changed");
}

#[test]
fn the_first_exec_of_a_file_asks_and_later_ones_have_the_answer() {
    let (ask, requests) = crossbeam_channel::bounded(8);
    let (answer, answers) = crossbeam_channel::bounded(8);
    let mut hashes = Hashes::new(HashService { ask, answers });
    let event = catalogue::by_id(SCHED_PROCESS_EXEC).unwrap();
    let mut args = vec![Raw::Missing; event.args.len()];
    let mut set = |name: &str, value| args[event.arg(name).unwrap().0] = value;
    set("pathname", Raw::Bytes(b"/usr/bin/id"));
    set("dev", Raw::Number(8 << 20 | 1));
    set("inode", Raw::Number(77));
    set("ctime", Raw::Number(1_000));
    let record = Record {
        time_ns: 1,
        event: SCHED_PROCESS_EXEC,
        cpu: 0,
        context: 1,
        ret: 0,
        marks: Marks::default(),
        duration_ns: None,
        args: &args,
    };
    let who = |pid| Who { pid, parent: 4, tid: pid, mnt_ns: 1 };
    let file = hashes.request(&record, who(5)).expect("an answer to wait for");
    assert_eq!(hashes.request(&record, who(6)), None);
    let asked = requests.recv_timeout(Duration::from_secs(1)).unwrap();
    assert_eq!((asked.at.pid, asked.path.as_slice(), asked.file), (5, &b"/usr/bin/id"[..], file));
    assert_eq!(hashes.known(&record), None);
    thread::spawn(move || answer.send(Hashed { file, hash: Ok([b'a'; 64]) })).join().unwrap().unwrap();
    assert_eq!(hashes.receive(), Some(file));
    assert_eq!(hashes.known(&record), Some((event.arg("sha256").unwrap().0, [b'a'; 64])));
    let missed = hashes.missed();
    assert_eq!((missed.len(), missed[0].count, missed[0].left_out.as_str()), (1, 1, reasons::LATE));
}
