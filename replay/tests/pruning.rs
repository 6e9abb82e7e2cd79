//! Statistics rule out blocks, and never anything that matches: captures answer the same as their blocks without an index.

mod synthetic;

use events::{Context, Marks, Raw};
use format::Capture;
use pipeline::{Matcher, Question, Source, Stats};
use scopes::{Plan, ScopeSet};
use synthetic::{BOOT, CONTAINER_CGROUP, Event, Made, WALL, container, process, snapshot};

/// Numbers that look random and are the same every time (xorshift).
struct Random(u64);

impl Random {
    fn below(&mut self, bound: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 >> 20) % bound
    }

    fn one_of<T: Copy>(&mut self, all: &[T]) -> T {
        all[self.below(all.len() as u64) as usize]
    }
}

/// A host whose processes come and go: each block has a few of them, which fork and open files, some in a container.
fn made(seed: u64, blocks: u64) -> Vec<u8> {
    const PATHS: [&[u8]; 5] = [b"/etc/passwd", b"/usr/lib/x86_64/libc.so", b"/tmp/zzz", b"", b"relative"];
    let mut random = Random(seed);
    let mut made = Made::new();
    made.rows_per_block = 40;
    made.sides.push(snapshot(&[
        process(1, 0, 0, "init", "/sbin/init"),
        process(20, 1, 0, "sshd", "/usr/sbin/sshd"),
    ]));
    made.sides.push(container());
    for block in 0..blocks {
        let pids: Vec<u64> = (0..3).map(|_| 20 + random.below(60)).collect();
        let fails = random.below(3) == 0;
        for row in 0..40 {
            let at = (block * 40 + row) * 1_000_000;
            let pid = random.one_of(&pids) as u32;
            let comm = random.one_of(&["sh", "cc1", "nginx"]);
            let context = Context {
                tid: pid + (random.below(4) == 0) as u32,
                cgroup_id: if pid.is_multiple_of(5) { CONTAINER_CGROUP } else { 1 },
                ..process(
                    pid,
                    20 + pid % 7,
                    pid % 3 * 500,
                    comm,
                    random.one_of(&["/bin/sh", "/usr/bin/cc1", ""]),
                )
            };
            let ret = if fails && random.below(4) == 0 { -2 } else { random.below(9) as i64 };
            let path = random.one_of(&PATHS);
            let path = if path.is_empty() { Raw::Number(0x7f00_1234) } else { Raw::Bytes(path) };
            let (name, args) = match random.below(12) {
                0 => ("sched_process_fork", vec![("child_pid", Raw::Number(20 + random.below(60)))]),
                1 => ("sched_process_exit", vec![("process_group_exit", Raw::Number(1))]),
                2 => ("close", vec![("fd", Raw::Bytes(b"\x03\0\0\0/etc/shadow"))]),
                3 => ("ptrace", vec![("request", Raw::Number(0))]),
                4 => ("getpid", vec![]),
                _ => ("openat", vec![("dirfd", Raw::Number(-100i64 as u64)), ("pathname", path)]),
            };
            made.push(&Event { at, name, context, ret, scopes: 1, marks: Marks(0), args: &args });
        }
    }
    made.bytes()
}

/// The same without its index: all that is known of a block is what it says itself.
fn without_index(bytes: &[u8]) -> Vec<u8> {
    let capture = Capture::from_bytes(bytes.to_vec()).expect("a capture");
    let end = capture.blocks().iter().map(|info| info.offset + info.bytes).max().expect("blocks");
    bytes[..end as usize].to_vec()
}

fn ask(bytes: &[u8], filters: &[&str], range: Option<std::ops::Range<i64>>) -> (Vec<(u64, u64)>, Stats) {
    let source = Source::new(vec![("made".into(), Capture::from_bytes(bytes.to_vec()).expect("a capture"))]);
    rules::behaviours::install();
    let plan = Plan::compile(&ScopeSet::parse(filters).expect("filters"));
    let question = Question { range, strict: true, ..Question::new(&source, vec![Matcher::new(&plan)]) };
    let mut rows = Vec::new();
    let stats = question.each(&mut |_, view| rows.push((view.time_ns, view.scopes))).expect("an answer");
    assert_eq!(question.count().expect("a count").matched, stats.matched, "{filters:?}: --count");
    (rows, stats)
}

const FILTERS: [&str; 46] = [
    "comm=nginx",
    "comm!=nginx",
    "comm=c*",
    "binary=/bin/sh",
    "binary!=/bin/sh",
    "pid=27",
    "pid!=27",
    "pid>70",
    "pid=new",
    "pid=99999",
    "tid=28",
    "tid!=28",
    "ppid=22",
    "ppid!=22",
    "uid=500",
    "uid!=500",
    "container",
    "not-container",
    "container=pinger",
    "container=e9cf",
    "container=nowhere",
    "container!=pinger",
    "container=new",
    "tree=22",
    "tree!=22",
    "follow",
    "openat.pathname=/tmp/zzz",
    "file=/tmp/zzz",
    "file=/usr/*",
    "file!=/tmp/zzz",
    "file=/nowhere/at/all",
    "peer=10.0.0.9",
    "peer=:443",
    "openat.pathname=*zzz*",
    "openat.pathname=*nowhere*",
    "openat.pathname!=/tmp/zzz",
    "openat.pathname=0x7f*",
    "openat.retval<0",
    "openat.retval>=0",
    "openat.retval=-2",
    "close.fd=/etc/shadow",
    "close.fd=*nowhere*",
    "openat.dirfd=AT_FDCWD",
    "openat.context.comm=cc1",
    "event=anti_debugging",
    "openat.context.containerName=pinger",
];

#[test]
fn what_is_skipped_has_nothing_that_matches() {
    let mut random = Random(0x0bad_5eed);
    let mut skipped = 0;
    for round in 0..12 {
        let whole = made(round + 3, 12);
        let bare = without_index(&whole);
        for _ in 0..40 {
            let filters: Vec<String> = (0..1 + random.below(4))
                .map(|_| format!("{}:{}", 1 + random.below(2), random.one_of(&FILTERS)))
                .collect();
            let filters: Vec<&str> = filters.iter().map(String::as_str).collect();
            if ScopeSet::parse(&filters).is_err() {
                continue;
            }
            let at = |random: &mut Random| WALL as i64 + random.below(480) as i64 * 1_000_000;
            let range = (random.below(3) == 0).then(|| at(&mut random)..at(&mut random));
            let (rows, stats) = ask(&whole, &filters, range.clone());
            let (expected, without) = ask(&bare, &filters, range.clone());
            assert!(rows == expected, "round {round}, {filters:?}, {range:?}");
            assert!(stats.blocks_skipped >= without.blocks_skipped, "{filters:?}");
            skipped += stats.blocks_skipped - without.blocks_skipped;
        }
    }
    assert!(skipped > 500, "{skipped}");
}

#[test]
fn what_is_nowhere_is_not_looked_for() {
    let whole = made(5, 20);
    for filter in [
        "pid=99999",
        "tid=99999",
        "ppid=99999",
        "pid>99999",
        "uid=77",
        "comm=nobody",
        "binary=/bin/none",
        "mntns=77",
        "container=nowhere",
        "openat.pathname=*nowhere*",
        "close.fd=*nowhere*",
        "event=execve",
        "openat.context.timestamp<5",
        "getpid.retval<0",
    ] {
        let (rows, stats) = ask(&whole, &[filter], None);
        let expected = if filter == "getpid.retval<0" { stats.blocks_read.min(10) } else { 0 };
        assert!(stats.blocks_read <= expected, "{filter}: {stats:?}");
        assert!(stats.bytes_skipped > 0 && rows.len() <= 40 * expected as usize, "{filter}");
    }
    let start = WALL as i64;
    let (rows, stats) = ask(&whole, &["uid>=0"], Some(start..start + 60_000_000));
    assert_eq!((rows.len(), stats.blocks_read), (60, 2));
    assert!(rows.iter().all(|(time, _)| *time < BOOT + 60_000_000));
}
