//! `.scap` files as other programs meet them: what is exported, `sysdig` and `tshark` read as it was recorded; what is imported
//! again is what the format holds.

#![allow(clippy::print_stderr)] // a test that cannot run here says so

mod program;

use std::collections::{BTreeMap, BTreeSet};
use std::process::Command;

use events::{Marks, Raw};
use program::{Folder, event, id_and_ls, printed, said, synthetic, text, tracer};
use serde_json::Value;
use synthetic::{Event, Made, process};

/// A process with sockets, a pipe, files and calls that the format has no event for; its descriptor 5 was open before.
fn made() -> Made {
    let mut made = id_and_ls();
    let task = process(700, 500, 0, "worker", "/usr/bin/worker");
    let peer = [2, 0, 0, 80, 127, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0];
    let mut at = 5_000_000;
    let mut call = |name: &str, ret: i64, args: &[(&str, Raw<'_>)]| {
        at += 1000;
        made.push(&Event { ret, ..event(at, name, task, args) });
    };
    let fd = |number: u64, stands_for: &str| [&number.to_le_bytes(), stands_for.as_bytes()].concat();
    let number = Raw::Number;
    let (file, socket) = (fd(5, "/etc/passwd"), fd(3, "tcp"));
    call("read", 5, &[("fd", Raw::Bytes(&file)), ("buf", Raw::Bytes(b"root:")), ("count", number(4096))]);
    call("socket", 3, &[("domain", number(2)), ("type", number(1)), ("protocol", number(6))]);
    let to = [("sockfd", Raw::Bytes(&socket)), ("addr", Raw::Bytes(&peer)), ("addrlen", number(16))];
    call("connect", -111, &to);
    let connected = fd(3, "tcp 127.0.0.1:4242->127.0.0.1:80");
    let to = [("sockfd", Raw::Bytes(&connected)), ("addr", Raw::Bytes(&peer)), ("addrlen", number(16))];
    call("connect", 0, &to);
    call("write", 2, &[("fd", Raw::Bytes(&connected)), ("buf", Raw::Bytes(b"hi")), ("count", number(2))]);
    call("pipe2", 0, &[("pipefd", Raw::Bytes(&[7, 0, 0, 0, 8, 0, 0, 0])), ("flags", number(0))]);
    let here = number(-100i64 as u64);
    let open = [
        ("dirfd", here),
        ("pathname", Raw::Bytes(b"/tmp/new")),
        ("flags", number(0o2_000_101)),
        ("mode", number(0o640)),
    ];
    call("openat", 9, &open);
    call("openat", -13, &[("dirfd", here), ("pathname", Raw::Bytes(b"/root/x")), ("flags", number(0))]);
    call("fchmod", 0, &[("fd", Raw::Bytes(&fd(9, "/tmp/new"))), ("mode", number(0o600))]);
    call("close", 0, &[("fd", Raw::Bytes(&fd(9, "/tmp/new")))]);
    call("rename", 0, &[("oldpath", Raw::Bytes(b"/tmp/new")), ("newpath", Raw::Bytes(b"/tmp/old"))]);
    call("unlinkat", 0, &[("dirfd", here), ("pathname", Raw::Bytes(b"/tmp/old")), ("flags", number(0))]);
    call("mkdir", -17, &[("pathname", Raw::Bytes(b"/tmp")), ("mode", number(0o755))]);
    call("chdir", 0, &[("path", Raw::Bytes(b"/tmp"))]);
    call("kill", 0, &[("pid", number(510)), ("sig", number(15))]);
    call("setuid", -1, &[("uid", number(1000))]);
    let map = [
        ("addr", number(0)),
        ("length", number(8192)),
        ("prot", number(3)),
        ("flags", number(0x22)),
        ("fd", number(-1i64 as u64)),
        ("off", number(0)),
    ];
    call("mmap", 0x7000_0000_0000, &map);
    call("mprotect", 0, &[("addr", number(0x7000)), ("len", number(4096)), ("prot", number(5))]);
    call(
        "ptrace",
        0,
        &[("request", number(16)), ("pid", number(511)), ("addr", number(0)), ("data", number(0))],
    );
    call("dup", 10, &[("oldfd", Raw::Bytes(&file))]);
    call("getpid", 0, &[]);
    call("landlock_restrict_self", -1, &[]);
    let child = [
        ("child_tid", number(710)),
        ("child_pid", number(710)),
        ("clone_flags", number(0x0120_0011)),
        ("parent_tid", number(700)),
        ("parent_pid", number(700)),
    ];
    made.push(&event(6_000_000, "sched_process_fork", task, &child));
    let before = process(710, 700, 0, "worker", "/usr/bin/worker");
    made.push(&Event {
        ret: 4,
        ..event(6_000_100, "read", before, &[("fd", Raw::Bytes(&file)), ("count", number(4))])
    });
    let after = process(710, 700, 0, "cat", "/usr/bin/cat");
    let exec = [("pathname", Raw::Bytes(b"/usr/bin/cat")), ("argv", Raw::Bytes(b"cat\0-n\0a b\0"))];
    made.push(&event(6_000_200, "execve", after, &exec));
    made.push(&event(6_000_210, "sched_process_exec", after, &exec));
    let marks = Marks(Marks::AT_ENTRY);
    made.push(&Event { marks, ..event(6_000_300, "exit_group", after, &[("status", number(3))]) });
    made.push(&event(6_000_400, "sched_process_exit", after, &[("exit_code", number(3))]));
    made
}

/// What an event is for readers of both: its time, thread, process, name, call, and whether it is the end.
type Row = (u64, u64, u64, String, String, char);

/// Names that the format has for calls which it does not tell apart.
fn name_of(call: &str) -> &str {
    match call {
        "pread64" => "pread",
        "pwrite64" => "pwrite",
        "prlimit64" => "prlimit",
        "pipe2" => "pipe",
        "eventfd2" => "eventfd",
        "signalfd4" => "signalfd",
        "inotify_init1" => "inotify_init",
        "dup2" | "dup3" => "dup",
        "accept4" => "accept",
        "umount2" => "umount",
        other => other,
    }
}

/// The rows of a capture that the format holds, as readers show them. Of calls that may not come back, `has_end` says whether
/// they did.
fn ours(file: &str, has_end: impl Fn(u64, u64) -> bool) -> Vec<Row> {
    let mut rows = Vec::new();
    for line in printed(&["replay", file, "-o", "json", "-q"]).lines() {
        let event: Value = serde_json::from_str(line).expect("JSON");
        let number = |key: &str| event[key].as_u64().expect(key);
        let argument = |name: &str| {
            let args = event["args"].as_array().expect("arguments");
            args.iter().find(|arg| arg["name"] == name).and_then(|arg| arg["value"].as_u64())
        };
        let name = event["eventName"].as_str().expect("a name");
        let comm = event["processName"].as_str().expect("a name").to_owned();
        let (time, tid, pid) = (number("timestamp"), number("hostThreadId"), number("hostProcessId"));
        match name {
            "sched_process_exit" => rows.push((time, tid, pid, comm, "procexit".to_owned(), '>')),
            "sched_process_fork" => {
                if let (Some(child), Some(child_pid)) = (argument("child_tid"), argument("child_pid")) {
                    rows.push((time, child, child_pid, comm, "clone".to_owned(), '<'));
                }
            }
            name if event["syscall"] == name && name != "unknown_syscall" => {
                let name = name_of(name).to_owned();
                rows.push((time, tid, pid, comm.clone(), name.clone(), '>'));
                let may_stay =
                    ["exit", "exit_group", "execve", "execveat", "rt_sigreturn"].contains(&name.as_str());
                if !may_stay || has_end(time, tid) {
                    rows.push((time, tid, pid, comm, name, '<'));
                }
            }
            _ => {}
        }
    }
    rows
}

/// What `sysdig` makes of a file; nothing where it is not installed.
fn of_sysdig(file: &str, fields: &str) -> Option<Vec<Vec<String>>> {
    let Ok(output) = Command::new("sysdig").args(["-r", file, "-p", &format!("*{fields}")]).output() else {
        eprintln!("skipped: sysdig is not installed");
        return None;
    };
    let (out, err) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert!(output.status.success(), "sysdig: {err}");
    Some(out.lines().map(|line| line.split('\t').map(str::to_owned).collect()).collect())
}

const FIELDS: &str =
    "%evt.rawtime\t%thread.tid\t%proc.pid\t%proc.name\t%evt.type\t%evt.dir\t%fd.name\t%evt.args";

/// Compares a capture with what `sysdig` reads of its export, row by row.
fn compare(file: &str, scap: &str) -> Option<()> {
    let theirs = of_sysdig(scap, FIELDS)?;
    let number = |text: &str| text.parse::<u64>().unwrap_or(0);
    let ended: BTreeSet<(u64, u64)> =
        theirs.iter().filter(|row| row[5] == "<").map(|row| (number(&row[0]), number(&row[1]))).collect();
    let ours = ours(file, |time, tid| ended.contains(&(time, tid)));
    assert_eq!(ours.len(), theirs.len(), "{file}");
    for (row, theirs) in ours.iter().zip(&theirs) {
        let (time, tid, pid, comm, name, direction) = row;
        assert_eq!(
            (number(&theirs[0]), theirs[5].as_str()),
            (*time, direction.to_string().as_str()),
            "{row:?} {theirs:?}"
        );
        assert!(theirs[4] == *name || theirs[4] == "<unknown>", "{row:?} {theirs:?}");
        // The thread of a child that comes back is made by that event, so it has no name yet.
        if name == "clone" && theirs[2] == "<NA>" {
            continue;
        }
        assert_eq!((number(&theirs[1]), number(&theirs[2])), (*tid, *pid), "{row:?} {theirs:?}");
        // An exec begins under the name that was before.
        let is_exec = name.starts_with("execve") && *direction == '>';
        assert!(is_exec || theirs[3] == *comm, "{row:?} {theirs:?}");
    }
    Some(())
}

#[test]
fn sysdig_reads_what_is_exported_row_by_row() {
    let folder = Folder::new();
    let file = folder.capture("a.trz", made());
    let scap = text(&folder.path("a.scap"));
    let err = said(&["export", &file, "--to", "scap", "-o", &scap]);
    // Two forks of the first program do not say whom they made.
    assert!(err.contains("5 of 36 events left out, which scap cannot hold: 3 of sched_process_exec, 2 of sched_process_fork"), "{err}");
    if compare(&file, &scap).is_none() {
        return;
    }
    let rows = of_sysdig(&scap, FIELDS).expect("sysdig");
    let find = |name: &str, direction: &str, at: usize| {
        let mut rows = rows.iter().filter(|row| row[1] == "700" || row[1] == "710");
        let row = rows.by_ref().filter(|row| row[4] == name && row[5] == direction).nth(at);
        row.unwrap_or_else(|| panic!("{name} {direction}"))
    };
    assert_eq!(find("read", "<", 0)[6], "/etc/passwd");
    assert_eq!(find("read", "<", 0)[7], "res=5 data=root: ");
    assert_eq!(find("write", ">", 0)[6], "127.0.0.1:4242->127.0.0.1:80");
    assert!(find("connect", ">", 0)[7].contains("addr=127.0.0.1:80"), "{:?}", find("connect", ">", 0));
    assert!(
        find("openat", "<", 0)[7].contains("name=/tmp/new flags=4102(O_CREAT|O_WRONLY|O_CLOEXEC) mode=0640"),
        "{:?}",
        find("openat", "<", 0)
    );
    assert_eq!(find("close", "<", 0)[6], "/tmp/new");
    assert!(find("openat", "<", 1)[7].starts_with("fd=-13(EACCES)"), "{:?}", find("openat", "<", 1));
    assert!(find("kill", ">", 0)[7].contains("sig=15(SIGTERM)"), "{:?}", find("kill", ">", 0));
    assert!(find("ptrace", ">", 0)[7].contains("PTRACE_ATTACH"), "{:?}", find("ptrace", ">", 0));
    assert!(find("mprotect", ">", 0)[7].contains("PROT_READ|PROT_EXEC"), "{:?}", find("mprotect", ">", 0));
    // What a child has from its parent, and what it becomes.
    assert_eq!(find("read", "<", 1)[6], "/etc/passwd");
    assert!(
        find("execve", "<", 0)[7].contains("exe=cat args=-n.a b. tid=710(cat)"),
        "{:?}",
        find("execve", "<", 0)
    );
    assert!(find("procexit", ">", 0)[7].contains("status=768"), "{:?}", find("procexit", ">", 0));
}

#[test]
fn real_captures_are_read_by_sysdig_and_tshark() {
    let folder = Folder::new();
    for name in ["denied", "id-ls", "ls", "ptrace", "scopes", "threads", "tree"] {
        let file = format!("{}/fixtures/{name}.trz", env!("CARGO_MANIFEST_DIR"));
        let scap = text(&folder.path(&format!("{name}.scap")));
        printed(&["export", &file, "--to", "scap", "-o", &scap]);
        compare(&file, &scap);
        let Ok(output) = Command::new("tshark").args(["-r", &scap]).output() else {
            eprintln!("skipped: tshark is not installed");
            continue;
        };
        let shown = String::from_utf8_lossy(&output.stdout).to_lowercase();
        assert!(output.status.success() && !shown.is_empty(), "{}", String::from_utf8_lossy(&output.stderr));
        assert!(!shown.contains("malformed"), "{name}");
    }
}

/// Rows as they can be compared: time, thread, process, call, result, and the arguments that the format holds, as text.
type Held = (u64, u64, u64, String, i64, BTreeMap<String, String>);

/// Rows of calls, forks, execs and exits. `all`: of the arguments only those that stand there too.
fn held(file: &str) -> Vec<Held> {
    let lines = printed(&["replay", file, "-o", "json", "-q"]);
    let rows = lines.lines().map(|line| {
        let event: Value = serde_json::from_str(line).expect("JSON");
        let number = |key: &str| event[key].as_u64().expect(key);
        let args = event["args"].as_array().expect("arguments").iter();
        let args = args.filter(|arg| !arg["value"].is_null());
        let args =
            args.map(|arg| (arg["name"].as_str().expect("a name").to_owned(), arg["value"].to_string()));
        let name = match event["eventName"].as_str().expect("a name") {
            "pipe2" => "pipe",
            other => other,
        };
        let ret = event["returnValue"].as_i64().expect("a result");
        (
            number("timestamp"),
            number("hostThreadId"),
            number("hostProcessId"),
            name.to_owned(),
            ret,
            args.collect(),
        )
    });
    rows.collect()
}

#[test]
fn what_is_exported_comes_back_as_it_was() {
    let folder = Folder::new();
    let file = folder.capture("a.trz", made());
    let (scap, back) = (text(&folder.path("a.scap")), text(&folder.path("back.trz")));
    printed(&["export", &file, "--to", "scap", "-o", &scap, "-q"]);
    printed(&["import", "--from", "scap", &scap, "-o", &back]);
    let before = held(&file);
    let after = held(&back);
    // A program's first event is told by both of the events that its exec is.
    let of = |rows: &[Held]| -> Vec<(u64, String)> {
        let rows = rows.iter().filter(|row| {
            row.3 != "sched_process_exec" && !(row.3 == "sched_process_fork" && row.5.is_empty())
        });
        rows.map(|row| (row.1, row.3.clone())).collect()
    };
    assert_eq!(of(&after), of(&before));
    let mut compared = 0;
    for row in &after {
        let Some(same) = before.iter().find(|it| (it.0, it.1, &it.3) == (row.0, row.1, &row.3)) else {
            continue;
        };
        assert_eq!(row.2, same.2, "{row:?}");
        // Results of calls without an event of their own are not kept.
        let is_generic = ["getpid", "landlock_restrict_self", "exit_group"].contains(&row.3.as_str());
        assert!(is_generic || row.4 == same.4, "{row:?} {same:?}");
        for (name, value) in row.5.iter().filter(|_| row.3 != "sched_process_fork") {
            if let Some(known) = same.5.get(name) {
                assert_eq!(value, known, "{} {name} of {row:?}", row.3);
                compared += 1;
            }
        }
    }
    assert!(compared > 50, "{compared}");
    // A second time, byte for byte.
    let again = text(&folder.path("again.scap"));
    let twice = text(&folder.path("twice.trz"));
    printed(&["export", &back, "--to", "scap", "-o", &again, "-q"]);
    printed(&["import", "--from", "scap", &again, "-o", &twice]);
    let lines = |file: &str| printed(&["replay", file, "-o", "json"]);
    for (twice, once) in lines(&twice).lines().zip(lines(&back).lines()) {
        assert_eq!(twice, once);
    }
    // The same questions have the same answers.
    for (filter, count) in [
        ("read.fd=/etc/passwd", "2\n"),
        ("openat.retval=EACCES", "1\n"),
        ("connect.addr.sin_port=80", "2\n"),
        ("write.fd=tcp *:80", "1\n"),
        ("comm=cat", "3\n"),
        ("mmap.prot=PROT_READ|PROT_WRITE", "1\n"),
    ] {
        let expected = printed(&["replay", &file, "--count", "-q", "-f", filter]);
        let counted = printed(&["replay", &back, "--count", "-q", "-f", filter]);
        assert_eq!(counted, expected, "{filter}");
        assert!(filter == "comm=cat" || counted == count, "{filter}: {counted}");
    }
    let info = printed(&["info", &back]);
    assert!(info.contains("Made from      scap"), "{info}");
    assert!(info.contains("Log            a.scap, SHA-256 "), "{info}");
    assert!(!info.contains("processes before the first event"), "{info}");
}

#[test]
fn packed_files_read_alike_and_broken_ones_say_where() {
    let folder = Folder::new();
    let file = folder.capture("a.trz", made());
    let scap = folder.path("a.scap");
    printed(&["export", &file, "--to", "scap", "-o", &text(&scap), "-q"]);
    let whole = std::fs::read(&scap).expect("a file");
    let import = |name: &str, bytes: &[u8], more: &[&str]| {
        let path = folder.path(name);
        std::fs::write(&path, bytes).expect("a file");
        let out = text(&folder.path(&format!("{name}.trz")));
        let path = text(&path);
        let run = tracer(&[&["import", "--from", "scap", &path, "-o", &out, "--force"][..], more].concat());
        (run.status.code(), String::from_utf8_lossy(&run.stderr).into_owned(), out)
    };
    let rows = |out: &str| printed(&["replay", out, "-o", "json", "-q"]);
    let (_, _, plain) = import("plain", &whole, &[]);
    let mut gzip = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    std::io::Write::write_all(&mut gzip, &whole).expect("bytes");
    let (code, err, packed) = import("gzip", &gzip.finish().expect("bytes"), &[]);
    assert_eq!(code, Some(0), "{err}");
    assert_eq!(rows(&packed), rows(&plain));
    let (code, err, packed) = import("zstd", &zstd::encode_all(&whole[..], 1).expect("bytes"), &[]);
    assert_eq!(code, Some(0), "{err}");
    assert_eq!(rows(&packed), rows(&plain));
    // Cut in the middle of a block.
    let (code, err, _) = import("cut", &whole[..whole.len() - 30], &[]);
    assert!(
        code == Some(2) && err.contains("byte ") && err.contains("the file ends within a block"),
        "{err}"
    );
    let (code, err, out) = import("cut", &whole[..whole.len() - 30], &["--skip-bad"]);
    assert!(code == Some(0) && err.contains("1 blocks skipped; the first: byte "), "{err}");
    assert!(rows(&out).lines().count() + 2 >= rows(&plain).lines().count());
    let (code, err, _) = import("none", b"hello, this is no capture", &[]);
    assert!(code == Some(2) && err.contains("does not begin with a section"), "{err}");
}
