use std::io::BufReader;

use replay::import::{BadLines, Log, survey};

use super::*;

/// Names and results of the events of a log, and what was wrong with lines that are none.
fn events(text: &str) -> Vec<String> {
    let mut log = Strace::new(BufReader::new(text.as_bytes()), 1_000_000);
    let mut told = Vec::new();
    while let Some((number, line)) = log.next().expect("it reads") {
        told.push(match line {
            Ok(line) => format!("{} {}", line.event_name, line.return_value),
            Err(reason) => format!("{number}: {reason}"),
        });
    }
    told
}

#[test]
fn calls_that_others_interrupted_are_put_together() {
    let log = r#"10 1.000001 clone(child_stack=NULL, flags=CLONE_CHILD_SETTID|SIGCHLD, child_tidptr=0x1) = 11
11 1.000002 read(3</a b>,  <unfinished ...>
10 1.000003 openat(AT_FDCWD, "/tmp/x) = 5", O_RDONLY) = -1 ENOENT (No such file or directory)
11 1.000004 <... read resumed>"x", 1)   = 1
strace: Process 12 attached
11 1.000005 --- SIGCHLD {si_signo=SIGCHLD, si_code=CLD_EXITED} ---
11 1.000006 execve("/usr/bin/ls", ["ls", "-l"], 0x7ffe /* 3 vars */) = 0
11 1.000007 exit_group(0) = ?
11 1.000008 +++ exited with 0 +++
10 1.000009 +++ killed by SIGKILL +++
"#;
    let expected = [
        "clone 11",
        "openat -2",
        "read 1",
        "execve 0",
        "sched_process_exec 0",
        "exit_group 0",
        "sched_process_exit 0",
        "sched_process_exit 0",
    ];
    assert_eq!(events(log), expected);
}

#[test]
fn a_child_of_vfork_is_known_before_its_parent_comes_back() {
    let log = r#"10 1.000001 vfork( <unfinished ...>
11 1.000002 execve("/usr/bin/ls", ["ls"], 0x7ffe /* 3 vars */) = 0
10 1.000003 <... vfork resumed>) = 11
11 1.000004 close(3) = 0
"#;
    let mut log = Strace::new(BufReader::new(log.as_bytes()), 0);
    let mut last = None;
    while let Some((_, line)) = log.next().expect("it reads") {
        last = Some(line.expect("an event"));
    }
    let line = last.expect("close");
    let context = line.context(0);
    assert_eq!((context.comm, context.pid, context.ppid), (&b"ls"[..], 11, 10));
}

#[test]
fn calls_that_never_end_take_bounded_memory() {
    let text = format!("{} <unfinished ...>\n", "x".repeat(9 << 20));
    let log: String = (1..9).map(|tid| format!("{tid} 1.000001 write(3, \"{text}")).collect();
    let told = events(&log);
    assert!(told.len() == 1 && told[0].starts_with("8: more than"), "{}", told.len());
}

#[test]
fn lines_that_are_none_say_why() {
    let log = "10 1.000001 nonsense\nread(3) = 0\n10 10:20:30.5 close(3) = 0\n10 1.1 close(3) = x\n";
    let told = events(log);
    assert_eq!(told[0], "1: no call: there is no (");
    assert!(told[1].starts_with("2: "), "{told:?}");
    assert_eq!(told[2], "close 0");
    assert_eq!(told[3], "4: \"x\" is no result");
    let log = Strace::new(BufReader::new(&b"10 1.000001 nonsense\n"[..]), 0);
    assert!(survey(log, BadLines::Refuse).is_err());
}

#[test]
fn any_bytes_read_or_are_refused() {
    let whole = r#"10 1.000001 sendmsg(3<UDP:[1:2->3:4]>, {msg_name=@"\0x", msg_iov=[{iov_base="a"..., iov_len=5}]}, 0) = 5"#;
    for end in 0..whole.len() {
        let _ = events(&whole[..end]);
        let mut bytes = whole.as_bytes().to_vec();
        for byte in [b'"', b'<', b'\\', b'(', 0xff] {
            bytes[end] = byte;
            let mut log = Strace::new(BufReader::new(&bytes[..]), 0);
            while log.next().expect("it reads").is_some() {}
        }
    }
}
