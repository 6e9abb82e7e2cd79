//! The state at a moment is the same however the rows before it are cut into blocks: within a block, rows whose effects are
//! gone at its end are not told.

#[path = "../replay/tests/synthetic/mod.rs"]
mod synthetic;

use events::{Context, Raw};
use format::Capture;
use pipeline::{History, Source};
use synthetic::{BOOT, Event, Made, process, snapshot};
use views::Known;
use views::state::{Listed, State, Wants};

/// As many worlds as are quick in a build that is not optimised; `TRACER_WORLDS` asks for more.
const WORLDS: u64 = 120;
const ROWS: usize = 220;
const AT_FDCWD: i64 = -100;
const CLONE_FILES: u64 = 0x400;

struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0.wrapping_mul(0x2545_f491_4f6c_dd1d) >> 16
    }

    fn below(&mut self, count: u64) -> u64 {
        self.next() % count
    }

    fn of<'a, T>(&mut self, all: &'a [T]) -> &'a T {
        &all[self.below(all.len() as u64) as usize]
    }
}

impl std::fmt::Debug for Step {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}/{} {} = {}", self.who.pid, self.who.tid, self.name, self.ret)?;
        for (name, arg) in &self.args {
            match arg {
                Arg::Number(number) => write!(f, " {name}={number:#x}")?,
                Arg::Bytes(bytes) => {
                    match Raw::Bytes(bytes).descriptor().filter(|(number, _)| (*number as i64).abs() < 1000) {
                        Some((number, what)) => {
                            write!(f, " {name}={}<{}>", number as i64, String::from_utf8_lossy(what))?
                        }
                        None => write!(f, " {name}={}", String::from_utf8_lossy(bytes))?,
                    }
                }
            }
        }
        Ok(())
    }
}

#[derive(Clone)]
enum Arg {
    Number(u64),
    Bytes(Vec<u8>),
}

impl Arg {
    fn raw(&self) -> Raw<'_> {
        match self {
            Arg::Number(number) => Raw::Number(*number),
            Arg::Bytes(bytes) => Raw::Bytes(bytes),
        }
    }
}

/// A row, a millisecond behind the one before it.
#[derive(Clone)]
struct Step {
    name: &'static str,
    who: Context<'static>,
    ret: i64,
    args: Vec<(&'static str, Arg)>,
}

fn fd(number: i64, what: &str) -> Arg {
    Arg::Bytes([&number.to_le_bytes()[..], what.as_bytes()].concat())
}

fn text(text: &str) -> Arg {
    Arg::Bytes(text.as_bytes().to_vec())
}

/// Three processes, one of them with a second thread, two of which may share their descriptors.
fn world(seed: u64) -> Vec<Step> {
    let random = &mut Random(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1);
    let shell = process(500, 1, 1000, "bash", "/usr/bin/bash");
    let other = process(510, 500, 1000, "work", "/usr/bin/work");
    let third = process(511, 500, 0, "more", "/usr/bin/more");
    let thread = Context { tid: 520, ns_tid: 520, comm: b"thread", ..other };
    let apart = Context { mnt_ns: 7, ..thread };
    let whos = [shell, other, other, third, thread, apart];
    let texts = ["/tmp/a", "/tmp/b", "/tmp/a (deleted)", "pipe:[7]", "tcp 10.0.0.1:1->10.0.0.2:2", ""];
    let directories = ["/home", "/srv"];
    let mut steps = Vec::new();
    let mut who = shell;
    while steps.len() < ROWS {
        if random.below(4) == 0 {
            who = *random.of(&whos);
        }
        let number = random.below(5) as i64 + 3;
        let what = *random.of(&texts);
        let is_failure = random.below(8) == 0;
        let ret = if is_failure { -2 } else { number };
        let mut step = |name, ret, args: &[(&'static str, Arg)]| {
            steps.push(Step { name, who, ret, args: args.to_vec() });
        };
        let directory = match random.below(3) {
            0 => fd(number + 1, what),
            _ => fd(AT_FDCWD, random.of::<&str>(&directories)),
        };
        match random.below(34) {
            0..=5 => {
                if random.below(4) != 0 {
                    step("security_file_open", 0, &[("pathname", text(what))]);
                    if random.below(6) == 0 {
                        step("security_file_open", 0, &[("pathname", text("/real/one"))]);
                    }
                }
                let path = *random.of(&["relative", "/tmp/asked"]);
                let flags = *random.of(&[0, 0o2_000_000]);
                step(
                    "openat",
                    ret,
                    &[("dirfd", directory), ("pathname", text(path)), ("flags", Arg::Number(flags))],
                );
            }
            6..=12 => step("close", if is_failure { -9 } else { 0 }, &[("fd", fd(number, what))]),
            13..=17 => step("read", ret, &[("fd", fd(number, what))]),
            18 => step(
                "newfstatat",
                if is_failure { -2 } else { 0 },
                &[("dirfd", directory), ("pathname", text("x"))],
            ),
            19 => step("mmap", 7, &[("fd", fd(if is_failure { -1 } else { number }, what))]),
            20..=22 => {
                let command = *random.of(&[0u64, 1030, 2, 3]);
                let value = ("arg", Arg::Number(random.below(2)));
                step(
                    "fcntl",
                    ret,
                    &[("fd", fd(random.below(5) as i64 + 3, what)), ("cmd", Arg::Number(command)), value],
                );
            }
            23 => step(
                "dup2",
                ret,
                &[("oldfd", fd(random.below(5) as i64 + 3, what)), ("newfd", fd(number, ""))],
            ),
            24 => step("dup", ret, &[("oldfd", fd(random.below(5) as i64 + 3, what))]),
            25 => step(
                "socket",
                ret,
                &[("domain", Arg::Number(2)), ("type", Arg::Number(1)), ("protocol", Arg::Number(0))],
            ),
            26 => step(
                "accept4",
                ret,
                &[("sockfd", fd(random.below(5) as i64 + 3, what)), ("flags", Arg::Number(0))],
            ),
            27 => step("listen", if is_failure { -2 } else { 0 }, &[("sockfd", fd(number, what))]),
            28 => {
                let request = *random.of(&[0x5451u64, 0x5450, 0x5401]);
                step(
                    "ioctl",
                    if is_failure { -2 } else { 0 },
                    &[("fd", fd(number, what)), ("request", Arg::Number(request))],
                );
            }
            29 => step(
                "copy_file_range",
                ret,
                &[("fd_in", fd(number, what)), ("fd_out", fd(random.below(5) as i64 + 3, what))],
            ),
            30 if random.below(2) == 0 => {
                let child = *random.of(&[510u64, 511]);
                let flags = *random.of(&[17, 17 | CLONE_FILES]);
                let start = BOOT + child * 1_000_000;
                let args = [
                    ("child_pid", Arg::Number(child)),
                    ("child_tid", Arg::Number(child)),
                    ("child_ns_pid", Arg::Number(child)),
                    ("start_time", Arg::Number(start)),
                    ("clone_flags", Arg::Number(flags)),
                ];
                step("sched_process_fork", 0, &args);
            }
            31 if random.below(3) == 0 => step("sched_process_exec", 0, &[("argv", text("work\0-v\0"))]),
            32 if random.below(3) == 0 => {
                step("sched_process_exit", 0, &[("process_group_exit", Arg::Number(random.below(2)))]);
            }
            33 => step("chdir", 0, &[("path", text("/srv"))]),
            _ => step(
                "pipe2",
                if is_failure { -2 } else { 0 },
                &[("pipefd", Arg::Bytes([3i32, 4].iter().flat_map(|it| it.to_le_bytes()).collect()))],
            ),
        }
    }
    steps
}

fn source(steps: &[Step], rows_per_block: usize) -> Source {
    let mut made = Made::new();
    made.rows_per_block = rows_per_block;
    made.sides.push(snapshot(&[
        process(1, 0, 0, "init", "/sbin/init"),
        process(500, 1, 1000, "bash", "/usr/bin/bash"),
    ]));
    if let Some(format::Side::Processes(all)) = made.sides.first_mut() {
        all[1].fds = vec![(3, b"/tmp/b".to_vec()), (4, b"socket:[4711]".to_vec())];
    }
    for (at, step) in (1u64..).zip(steps) {
        let args: Vec<(&str, Raw<'_>)> = step.args.iter().map(|(name, arg)| (*name, arg.raw())).collect();
        let (context, ret, marks) = (step.who, step.ret, events::Marks(0));
        let name = step.name;
        made.push(&Event { at: at * 1_000_000, name, context, ret, scopes: 0, marks, args: &args });
    }
    Source::new(vec![("made".into(), Capture::from_bytes(made.bytes()).expect("a capture"))])
}

/// What is there at moments, ns after the boot.
fn states(source: &Source, moments: &[i64], wants: Wants) -> Vec<String> {
    let known = Known::of(source, false).expect("names");
    let state = State::new(source, wants, None);
    let reads = state.reads();
    let mut lists = Vec::new();
    let history = History::new(source, &reads);
    let gaps = history.at(moments, state, &mut |at, state: &mut State<'_>| {
        for listed in [Listed::Processes, Listed::Descriptors, Listed::Sockets] {
            for object in state.list(listed, None, &known, moments[at]) {
                lists.push(format!("{at} {listed:?} {object:?}"));
            }
        }
    });
    assert!(gaps.expect("states").is_empty());
    lists
}

#[test]
fn a_state_is_the_same_however_the_rows_before_it_are_cut() {
    let worlds = std::env::var("TRACER_WORLDS").ok().and_then(|it| it.parse().ok()).unwrap_or(WORLDS);
    let seeds: Vec<u64> = match std::env::var("TRACER_SEED").ok().and_then(|it| it.parse().ok()) {
        Some(seed) => vec![seed],
        None => (1..=worlds).collect(),
    };
    for seed in seeds {
        let steps = world(seed);
        let rows_per_block = [7, 61, 1000][seed as usize % 3];
        let facts = seed % 2 == 0;
        let moments = &[seed as i64 % ROWS as i64, END][usize::from(seed % 4 < 2)..];
        let differ = |steps: &[Step]| difference(steps, rows_per_block, moments, facts).is_some();
        if differ(&steps) {
            let least = shrunk(steps, differ);
            let difference = difference(&least, rows_per_block, moments, facts);
            panic!("seed {seed}, blocks of {rows_per_block}, facts {facts}: {difference:#?} of {least:#?}");
        }
    }
}

/// In ms after the first row.
const END: i64 = 1 << 20;

fn difference(
    steps: &[Step],
    rows_per_block: usize,
    moments: &[i64],
    facts: bool,
) -> Option<(String, String)> {
    let alone = source(steps, 1);
    let first = alone.start_wall_ns().unwrap_or_default();
    let moments: Vec<i64> = moments.iter().map(|moment| first + moment * 1_000_000).collect();
    let wants = Wants { files: true, facts, ..Wants::default() };
    let expected = states(&alone, &moments, wants);
    let whole = states(&source(steps, rows_per_block), &moments, wants);
    let all = expected.len().max(whole.len());
    let at = |lines: &[String], at: usize| lines.get(at).cloned().unwrap_or_default();
    (0..all).map(|number| (at(&expected, number), at(&whole, number))).find(|(one, other)| one != other)
}

/// The steps without those that play no part.
fn shrunk(mut steps: Vec<Step>, differ: impl Fn(&[Step]) -> bool) -> Vec<Step> {
    let mut size = steps.len() / 2;
    while size > 0 {
        let mut at = 0;
        while at < steps.len() {
            let rest: Vec<Step> = [&steps[..at], &steps[(at + size).min(steps.len())..]].concat();
            if differ(&rest) {
                steps = rest;
            } else {
                at += size;
            }
        }
        size /= 2;
    }
    steps
}
