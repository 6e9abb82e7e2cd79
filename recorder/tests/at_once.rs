//! Several drains write the same rows as one: with the same arguments, contexts and scopes, though they read them at the same
//! time and in blocks that overlap.
#![cfg(target_os = "linux")]

mod noise;
mod synthetic;

use std::{collections::BTreeMap, path::Path, thread, time::Duration};

use events::{
    abi::{CONTEXT_BYTES, HEADER_BYTES, RecordHeader, Slot, files, form, hooks::Hook, kind},
    catalogue,
};
use format::{Capture, Expected, Process, Scratch, facts::Facts};
use noise::Noise;
use recorder::{
    amount::Stretch,
    file::rotate::Rotation,
    hashes::{HashRequest, HashService, Hashed},
    kernel::{Drain, Error, Records, SlotEvent},
    session::{Session, Setup, Step, Summary},
    source::Source,
    team::Team,
};
use scopes::{Plan, ScopeSet};
use synthetic::{Value, choice, setup};

const CALLS: [&str; 6] = ["openat", "write", "close", "setpgid", "ioctl", "set_fs_pwd"];
const CPUS: usize = 7;
const SECOND: u64 = 1_000_000_000;

fn slots() -> Vec<Option<SlotEvent>> {
    let mut slots = vec![None; Slot::COUNT];
    for (slot, name) in CALLS.iter().enumerate() {
        slots[slot] = catalogue::by_name(name).map(SlotEvent::new);
    }
    for (hook, name) in [
        (Hook::ProcessFork, "sched_process_fork"),
        (Hook::ProcessExec, "sched_process_exec"),
        (Hook::ProcessExit, "sched_process_exit"),
    ] {
        slots[usize::from(hook.slot())] = catalogue::by_name(name).map(SlotEvent::new);
    }
    slots
}

fn bytes(header: RecordHeader, words: &[u64], blobs: &[(u8, u8, u16, &[u8])]) -> Vec<u8> {
    let blob_bytes: usize = blobs.iter().map(|(.., bytes)| 8 + bytes.len().next_multiple_of(8)).sum();
    let length = (HEADER_BYTES + words.len() * 8 + blob_bytes) as u32;
    let mut out = Vec::new();
    out.extend(header.time_ns.to_ne_bytes());
    out.extend(length.to_ne_bytes());
    out.extend(header.slot.to_ne_bytes());
    out.extend([header.kind, words.len() as u8]);
    out.extend(header.context.to_ne_bytes());
    out.extend(header.ret.to_ne_bytes());
    out.extend(header.marks.to_ne_bytes());
    out.extend(header.cpu.to_ne_bytes());
    out.extend(header.more.to_ne_bytes());
    out.extend(words.iter().flat_map(|word| word.to_ne_bytes()));
    for (arg, form, place, bytes) in blobs {
        out.extend((bytes.len() as u32).to_ne_bytes());
        out.extend([*arg, *form]);
        out.extend(place.to_ne_bytes());
        out.extend_from_slice(bytes);
        out.resize(out.len().next_multiple_of(8), 0);
    }
    out
}

struct Task {
    pid: u32,
    cpu: usize,
    comm: u8,
    /// 0: it was not told.
    context: u64,
}

/// A machine on which tasks go from CPU to CPU, and what its programs write.
struct World {
    noise: Noise,
    now_ns: u64,
    tasks: Vec<Task>,
    next_pid: u32,
    next_id: u64,
    /// The file of each place.
    places: [u64; 4],
    logins: [bool; 4],
    events: u64,
    /// Nothing happens any more that has to be read in order.
    only_closes: bool,
    /// Time and bytes of each write, by the CPU.
    written: Vec<(u64, usize, Vec<u8>)>,
}

impl World {
    fn new(seed: u64) -> World {
        let tasks = (2..20).map(|pid| Task { pid, cpu: pid as usize % CPUS, comm: b'a', context: 0 });
        World {
            noise: Noise(seed),
            now_ns: 1000,
            tasks: tasks.collect(),
            next_pid: 100,
            next_id: 1 << 44,
            places: [0; 4],
            logins: [false; 4],
            events: 0,
            only_closes: false,
            written: Vec::new(),
        }
    }

    fn header(&mut self, kind: u8, slot: u16, cpu: usize, context: u64) -> RecordHeader {
        self.now_ns += 1 + self.noise.below(300) as u64;
        RecordHeader { time_ns: self.now_ns, kind, slot, cpu: cpu as u16, context, ..RecordHeader::default() }
    }

    fn put(&mut self, header: RecordHeader, words: &[u64], blobs: &[(u8, u8, u16, &[u8])]) {
        self.events += u64::from(header.kind == kind::EVENT);
        let cpu = usize::from(header.cpu);
        self.written.push((header.time_ns, cpu, bytes(header, words, blobs)));
    }

    /// One of a place's file, told if it is another one than before.
    fn file(&mut self, cpu: usize) -> (u16, u64) {
        let place = self.noise.below(self.places.len());
        if self.places[place] == 0 || self.noise.below(4) == 0 {
            self.next_id += 1;
            self.places[place] = self.next_id;
            let header = self.header(kind::FILE, place as u16, cpu, self.next_id);
            let kind = self.noise.below(40);
            self.logins[place] = kind == 0;
            let path = match kind {
                0 => "loginuid\x007\0proc\0".to_owned(),
                1 => "3\0pts\0dev\0".to_owned(),
                n => format!("{n}\0tmp\0"),
            };
            self.put(header, &[0o100_644, 9, 0], &[(files::part::PATH, form::PATH, 0, path.as_bytes())]);
        }
        (place as u16, self.places[place])
    }

    fn step(&mut self) {
        let at = self.noise.below(self.tasks.len());
        if self.noise.below(10) == 0 {
            self.tasks[at].cpu = self.noise.below(CPUS);
        }
        if self.noise.below(60) == 0 {
            self.tasks[at].comm = b'a' + self.noise.below(5) as u8;
            self.tasks[at].context = 0;
        }
        let (pid, cpu) = (self.tasks[at].pid, self.tasks[at].cpu);
        if self.tasks[at].context == 0 {
            self.next_id += 1;
            self.tasks[at].context = self.next_id;
            let header = self.header(kind::CONTEXT, 0, cpu, self.next_id);
            let mut words = [0; CONTEXT_BYTES / 8];
            let start = u64::from(pid) * SECOND;
            // pid and tid, those in its namespace, starts, comm.
            (words[0], words[1], words[2]) = (u64::from(pid) << 32 | u64::from(pid), u64::from(pid) << 32, 1);
            (words[7], words[8]) = (start, start);
            words[11] = u64::from(self.tasks[at].comm);
            self.put(header, &words, &[(0, form::PATH, 0, b"x\0bin\0usr\0")]);
        }
        let context = self.tasks[at].context;
        match if self.only_closes { 99 } else { self.noise.below(100) } {
            0..3 => {
                let child = self.next_pid;
                self.next_pid += 1;
                let header = self.header(kind::EVENT, Hook::ProcessFork.slot(), cpu, context);
                let (pid, child64) = (u64::from(pid), u64::from(child));
                let flags = if self.noise.below(5) == 0 { 0x200 } else { 0 };
                let words = [
                    pid,
                    pid,
                    pid,
                    pid,
                    child64,
                    child64,
                    child64,
                    child64,
                    child64 * SECOND,
                    pid * SECOND,
                    flags,
                ];
                self.put(header, &words, &[]);
                let cpu = self.noise.below(CPUS);
                self.tasks.push(Task { pid: child, cpu, comm: b'a', context: 0 });
            }
            3..5 if self.tasks.len() > 10 => {
                let header = self.header(kind::EVENT, Hook::ProcessExit.slot(), cpu, context);
                self.put(header, &[0, 0, 1, 0xffff_0000 + u64::from(pid)], &[]);
                self.tasks.swap_remove(at);
            }
            5..8 => {
                let path = format!("/d{}\0", self.noise.below(6));
                let header = self.header(kind::EVENT, 5, cpu, context);
                self.put(header, &[], &[(1, form::PLAIN, 0, path.as_bytes())]);
            }
            8..10 => {
                let header = self.header(kind::EVENT, 3, cpu, context);
                self.put(header, &[0, 0], &[]);
            }
            10..14 => {
                let (place, id) = self.file(cpu);
                let header = RecordHeader { ret: 0, ..self.header(kind::EVENT, 4, cpu, context) };
                let request = [0x5410, 0x5401, 0x540e][self.noise.below(3)];
                self.put(header, &[7, request, 0], &[(0, form::FILE, place, &id.to_ne_bytes())]);
            }
            14..40 => {
                let (place, id) = self.file(cpu);
                let data: &[u8] = [&b"1000\n"[..], b"hello", b"\0"][self.noise.below(3)];
                // Nothing but a number becomes a login.
                let is_taken = data.len() == 5 && data[0] == b'1' || !self.logins[usize::from(place)];
                let ret = if is_taken { data.len() as i64 } else { -22 };
                let header = RecordHeader { ret, ..self.header(kind::EVENT, 1, cpu, context) };
                let blobs = [(0, form::FILE, place, &id.to_ne_bytes()[..]), (1, form::PLAIN, 0, data)];
                self.put(header, &[7, 0x7fff, data.len() as u64], &blobs);
            }
            40..60 => {
                let path = [&b"/dev/tty\0"[..], b"/etc/passwd\0", b"/tmp/1\0", b"x\0"][self.noise.below(4)];
                let header = RecordHeader { ret: 3, ..self.header(kind::EVENT, 0, cpu, context) };
                self.put(header, &[u64::MAX - 99, 0x7fff, 0, 0], &[(1, form::PLAIN, 0, path)]);
            }
            60 => {
                let inode = self.noise.below(50) as u64;
                let header = self.header(kind::EVENT, Hook::ProcessExec.slot(), cpu, context);
                self.put(header, &[0, 0, 8, inode, 1_000], &[(1, form::PLAIN, 0, b"/bin/x\0")]);
            }
            _ => {
                let (place, id) = self.file(cpu);
                let header = self.header(kind::EVENT, 2, cpu, context);
                self.put(header, &[7], &[(0, form::FILE, place, &id.to_ne_bytes())]);
            }
        }
    }
}

/// Gives what was written in so many looks; some CPUs are read a little later than others.
struct Looks {
    drain: Drain,
    /// What each look takes, and up to when it releases.
    looks: Vec<(u64, Vec<Vec<u8>>)>,
    /// Between two looks.
    pause: Duration,
}

impl Looks {
    fn of(world: &World, looks: usize) -> Looks {
        let (end_ns, mut next) = (world.now_ns + 1, 0);
        let mut drain = Drain::new(slots(), CPUS, 0, Vec::new());
        drain.share_from(1);
        let looks = (1..=looks as u64).map(|look| {
            let limit_ns = end_ns * look / looks as u64;
            let from = next;
            // What came meanwhile is taken, and held back.
            while world.written.get(next).is_some_and(|(time_ns, ..)| *time_ns < limit_ns + 2_000) {
                next += 1;
            }
            let taken = world.written[from..next].iter().map(|(.., bytes)| bytes.clone());
            (limit_ns, taken.collect())
        });
        let mut looks: Vec<_> = looks.collect();
        looks.reverse();
        Looks { drain, looks, pause: Duration::ZERO }
    }
}

impl Source for Looks {
    fn employ(&mut self, team: Team) {
        self.drain.employ(team);
    }

    fn wait(&mut self, _: Duration) -> Result<(), Error> {
        thread::sleep(self.pause);
        Ok(())
    }

    fn drain(&mut self, records: &mut impl Records) -> Result<usize, Error> {
        let Some((limit_ns, pieces)) = self.looks.pop() else { return Ok(0) };
        pieces.iter().for_each(|piece| self.drain.take_piece(piece));
        Ok(self.drain.release(limit_ns, records))
    }

    fn finish(mut self, records: &mut impl Records) -> Result<(), Error> {
        self.drain.release(u64::MAX, records);
        Ok(())
    }
}

fn recording(path: &Path, drains: usize) -> Setup {
    let filters = [
        "1:comm=a",
        "2:cwd=/d3*",
        "3:openat.pathname=/etc/*",
        "4:tree=5",
        "5:loginuid=1000",
        "6:comm=b",
        "6:follow",
        "7:close.fd=/tmp/*",
    ];
    let plan = Plan::compile(&ScopeSet::parse(&filters).unwrap());
    let process = |pid: u32| Process {
        pid,
        ppid: 1,
        ns_pid: pid,
        start_ns: u64::from(pid) * SECOND,
        comm: b"a".to_vec(),
        facts: Facts {
            cwd: Some(b"/".as_slice().into()),
            session: Some(1),
            group: Some(pid),
            login_uid: Some(0),
            ..Facts::default()
        },
        ..Process::default()
    };
    Setup { choice: choice(plan), processes: (1..20).map(process).collect(), drains, ..setup(path) }
}

fn run(setup: Setup, looks: Looks) -> Summary {
    let mut left = looks.looks.len() + 2;
    let session = Session::start(setup).unwrap();
    let step = &mut || {
        left = left.saturating_sub(1);
        if left == 0 { Step::Stop } else { Step::Go }
    };
    session.record(looks, step).unwrap()
}

/// All rows in order of time, from the first on, as text, and how many blocks begin before the one in front of them ends.
fn rows(path: &Path) -> (Vec<(u64, String)>, usize) {
    let capture = Capture::open(path).unwrap();
    let (mut scratch, mut rows) = (Scratch::new(), Vec::new());
    let (mut last, mut overlapping) = (0, 0);
    for number in 0..capture.blocks().len() {
        let block = capture.block(number, &mut scratch).unwrap();
        let times = block.times().unwrap();
        assert!(times.is_sorted());
        overlapping += usize::from(times[0] < last);
        last = last.max(times[times.len() - 1]);
        let contexts = block.contexts().unwrap();
        let mut ordinals: BTreeMap<u16, usize> = BTreeMap::new();
        for (row, &code) in block.event_codes().unwrap().iter().enumerate() {
            let ordinal = ordinals.entry(code).or_default();
            let event = catalogue::by_id(block.event_list()[usize::from(code)]).unwrap();
            let table = block.args(code);
            let args: Vec<_> =
                (0..event.args.len()).map(|at| Value::of(table.get(*ordinal, at).unwrap())).collect();
            *ordinal += 1;
            let context = contexts.get(block.context_codes().unwrap()[row]).unwrap();
            let text = format!(
                "{} cpu {} = {} marks {:x} scopes {:b} {args:?} {context:?}",
                event.name,
                block.cpus().unwrap()[row],
                block.rets().unwrap()[row],
                block.marks().unwrap()[row],
                block.scopes().unwrap()[row],
            );
            rows.push((times[row], text));
        }
    }
    rows.sort();
    // How far the clocks are apart is measured by each drain, to some nanoseconds.
    let first_ns = rows[0].0;
    rows.iter_mut().for_each(|(time_ns, _)| *time_ns -= first_ns);
    (rows, overlapping)
}

/// Answers each question for a hash a little later.
fn hashing() -> HashService {
    let (ask, asked) = crossbeam_channel::bounded::<HashRequest>(64);
    let (answer, answers) = crossbeam_channel::unbounded();
    thread::spawn(move || {
        for HashRequest { file, .. } in asked {
            thread::sleep(Duration::from_millis(2));
            let digit = b'0' + (file.inode % 10) as u8;
            let _ = answer.send(Hashed { file, hash: Ok([digit; 64]) });
        }
    });
    HashService { ask, answers }
}

/// What is different about a recording.
#[derive(Clone, Copy, Default)]
struct How {
    only_matched: bool,
    hashes: bool,
}

fn compare(seed: u64, looks: usize, how: How) {
    let mut world = World::new(seed);
    (0..6_000).for_each(|_| world.step());
    let dir = tempfile::tempdir().unwrap();
    let record = |name: &str, drains: usize| {
        let path = dir.path().join(name);
        let mut setup = recording(&path, drains);
        setup.choice.only_matched = how.only_matched;
        setup.hashes = how.hashes.then(hashing);
        let mut looks = Looks::of(&world, looks);
        looks.pause = Duration::from_millis(if how.hashes { 3 } else { 0 });
        let summary = run(setup, looks);
        assert_eq!(summary.events + summary.lost + summary.left_out, summary.produced);
        assert_eq!((summary.produced, summary.lost), (world.events, 0), "seed {seed}");
        format::verify(&path, Expected::default()).unwrap();
        rows(&path)
    };
    let (alone, _) = record("alone.trz", 1);
    for drains in [2, 3, CPUS + 2] {
        let (together, overlapping) = record(&format!("{drains}.trz"), drains);
        if let Some((one, other)) = alone.iter().zip(&together).find(|(one, other)| one != other) {
            panic!("seed {seed}, {drains} drains, {looks} looks:\n{one:?}\n{other:?}");
        }
        assert_eq!(alone.len(), together.len());
        assert!(how.only_matched || overlapping > 0, "nothing was shared");
    }
}

#[test]
fn several_drains_write_the_rows_of_one() {
    for seed in 1..9 {
        compare(seed * 0x9e37_79b9, 1 + seed as usize * 3, How::default());
        compare(seed * 0x9e37_79b9, 4, How { only_matched: true, ..How::default() });
    }
}

#[test]
fn what_waits_for_a_hash_holds_all_drains_and_loses_nothing() {
    compare(5, 40, How { hashes: true, ..How::default() });
    compare(6, 200, How { hashes: true, ..How::default() });
}

/// A set that three drains record, in which each block but the first makes a file too long.
fn set(dir: &Path, world: &World, looks: usize) -> Summary {
    let mut setup = recording(&dir.join("c.trz"), 3);
    setup.destination.rotation = Some(Rotation { every: Stretch::Time(Duration::from_nanos(1)), keep: None });
    let summary = run(setup, Looks::of(world, looks));
    assert_eq!((summary.events, summary.lost), (world.events, 0));
    summary
}

/// A file ends where nothing older follows, so that its beginning fits to what the next one has.
#[test]
fn files_of_a_set_do_not_overlap() {
    let mut world = World::new(77);
    // More than one block for each of three.
    (0..300_000).for_each(|_| world.step());
    let dir = tempfile::tempdir().unwrap();
    let summary = set(dir.path(), &world, 5);
    assert!((3..=6).contains(&summary.files.len()), "{:?}", summary.files);
    let mut last_ns = 0;
    for file in &summary.files {
        let capture = Capture::open(file).unwrap();
        let (mut scratch, mut times) = (Scratch::new(), Vec::new());
        for number in 0..capture.blocks().len() {
            times.extend_from_slice(capture.block(number, &mut scratch).unwrap().times().unwrap());
        }
        let (first_ns, end_ns) = (times.iter().min().unwrap(), times.iter().max().unwrap());
        assert!(*first_ns > last_ns, "{}: {first_ns} after {last_ns}", file.display());
        last_ns = *end_ns;
    }
}

/// Rows of shares alone make files end as well.
#[test]
fn files_of_a_set_end_though_no_event_is_read_in_order() {
    let mut world = World::new(78);
    (0..100).for_each(|_| world.step());
    world.only_closes = true;
    (0..400_000).for_each(|_| world.step());
    let dir = tempfile::tempdir().unwrap();
    let summary = set(dir.path(), &world, 12);
    // The first of them when the events before are written.
    assert!(summary.files.len() > 2, "{:?}", summary.files);
}
