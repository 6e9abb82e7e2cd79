//! The same answer however the bytes are cut: captures are split into files at any row, asked in any order and by any
//! number of threads, and answer as the whole does.

mod synthetic;

use events::{Marks, Raw};
use format::rewrite::{Copied, Copier, Edit, Fate, Place};
use format::{Capture, Header, Options, Writer};
use pipeline::{Matcher, Question, Source, Stats};
use replay::Asker;
use replay::render::clock::Clock;
use replay::render::{Format, Printer, Style};
use scopes::{Plan, ScopeSet};
use synthetic::{Event, Made, process, snapshot, tcp_packet};

/// Numbers that look random and are the same every time (xorshift).
struct Random(u64);

impl Random {
    fn below(&mut self, bound: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 >> 20) % bound
    }
}

fn source(files: &[Vec<u8>]) -> Source {
    let open = |(number, bytes): (usize, &Vec<u8>)| {
        (format!("file {number}"), Capture::from_bytes(bytes.clone()).expect("a capture"))
    };
    Source::new(files.iter().enumerate().map(open).collect())
}

fn set(filters: &[&str]) -> ScopeSet {
    ScopeSet::parse(filters).expect("filters")
}

fn question<'a>(source: &'a Source, plan: &'a Plan, threads: usize) -> Question<'a> {
    rules::behaviours::install();
    let matchers = source.files().iter().map(|_| Matcher::new(plan)).collect();
    Question { threads, ..Question::new(source, matchers) }
}

fn printed(question: &Question<'_>) -> (String, Stats) {
    let printer = Printer { format: Format::Json, style: Style { clock: Clock::Utc, ..Style::default() } };
    let mut out = Vec::new();
    let stats = question.print(&[&printer], &mut |_, bytes| {
        out.extend_from_slice(bytes);
        Ok(())
    });
    (String::from_utf8(out).expect("UTF-8"), stats.expect("an answer"))
}

/// What files answer: printed, counted, explained, by any number of threads.
fn answer(files: &[Vec<u8>], filters: &[&str]) -> String {
    let source = source(files);
    let set = set(filters);
    let plan = Plan::compile(&set);
    let (rows, stats) = printed(&question(&source, &plan, 1));
    assert_eq!(rows.lines().count() as u64, stats.matched, "{filters:?}");
    for threads in [2, 5] {
        let (again, other) = printed(&question(&source, &plan, threads));
        assert!(rows == again, "{filters:?}, {threads} threads");
        assert_eq!(stats, other, "{filters:?}, {threads} threads");
    }
    let count = question(&source, &plan, 2).count().expect("a count");
    assert_eq!(count.matched, stats.matched, "{filters:?}: --count");
    if set.scopes().count() == 1 {
        let mut asker = Asker::new(&source, 2);
        let funnels = replay::explain::funnels(&mut asker, &set).expect("an explanation");
        assert_eq!(funnels[0].matched, stats.matched, "{filters:?}: explain");
    }
    rows
}

/// Shows the first line that differs.
fn assert_same(found: &str, expected: &str, what: &str) {
    if found == expected {
        return;
    }
    let (mut found_lines, mut expected_lines) = (found.lines(), expected.lines());
    for line in 1.. {
        let (found, expected) = (found_lines.next(), expected_lines.next());
        assert_eq!(found, expected, "{what}: line {line}");
    }
}

/// Keeps rows of a range, counted over the whole capture.
struct Between {
    from: usize,
    to: usize,
    /// Rows of the blocks before.
    before: usize,
}

impl Edit for Between {
    fn row(&mut self, row: &Copied<'_>) -> Fate {
        if (self.from..self.to).contains(&(self.before + row.row)) { Fate::Keep } else { Fate::Drop }
    }
}

/// A capture as several, cut before these rows. Each has the records beside the events.
fn split(whole: &[u8], cuts: &[usize]) -> Vec<Vec<u8>> {
    let capture = Capture::from_bytes(whole.to_vec()).expect("a capture");
    let rows: usize = capture.blocks().iter().map(|block| block.statistics.rows as usize).sum();
    let starts = [0].into_iter().chain(cuts.iter().copied());
    let ends = cuts.iter().copied().chain([rows]);
    let part = |(number, (from, to)): (usize, (usize, usize))| {
        let mut header = capture.header().clone();
        header.recording.part = number as u32;
        header.schema = capture.schema().declarations();
        let mut writer = Writer::create(Vec::new(), &header).expect("a header");
        let mut copier = Copier::new(Options::default());
        let mut edit = Between { from, to, before: 0 };
        copier.sides(&capture, &mut writer, &mut edit, Place::default()).expect("side records");
        for (block, info) in capture.blocks().iter().enumerate() {
            let end = edit.before + info.statistics.rows as usize;
            if from < end && to > edit.before {
                copier.block(&capture, block, &mut writer, &mut edit, Place::default()).expect("a block");
            }
            edit.before = end;
        }
        writer.finish().expect("a footer").0
    };
    starts.zip(ends).enumerate().map(part).collect()
}

/// The same rows in fewer or more blocks.
fn reblocked(whole: &[u8], blocks: usize) -> Vec<u8> {
    let capture = Capture::from_bytes(whole.to_vec()).expect("a capture");
    let header = Header { schema: capture.schema().declarations(), ..capture.header().clone() };
    let mut writer = Writer::create(Vec::new(), &header).expect("a header");
    let mut copier = Copier::new(Options::default());
    let mut all = Between { from: 0, to: usize::MAX, before: 0 };
    copier.sides(&capture, &mut writer, &mut all, Place::default()).expect("side records");
    for (block, info) in capture.blocks().iter().enumerate() {
        let rows = info.statistics.rows as usize;
        let step = rows.div_ceil(blocks).max(1);
        for from in (0..rows).step_by(step) {
            let mut edit = Between { from, to: from + step, before: 0 };
            copier.block(&capture, block, &mut writer, &mut edit, Place::default()).expect("a block");
        }
    }
    writer.finish().expect("a footer").0
}

fn rows_of(bytes: &[u8]) -> usize {
    let capture = Capture::from_bytes(bytes.to_vec()).expect("a capture");
    capture.blocks().iter().map(|block| block.statistics.rows as usize).sum()
}

#[test]
fn real_captures_answer_the_same_however_they_are_split() {
    let mut random = Random(0x5eed);
    for (fixture, filters) in [
        ("tree.trz", &[&["tree=1"][..], &["comm=sh", "follow"], &["uid>=0"], &["comm=ls"]][..]),
        ("id-ls.trz", &[&["9:comm=ls", "3:comm=id"], &["event=openat"], &["openat.retval<0"]]),
        ("ptrace.trz", &[&["event=anti_debugging"], &["event=ptrace,anti_debugging"]]),
        ("threads.trz", &[&["uid>=0"]]),
        ("scopes.trz", &[&["1:uid=0", "9:event=execve", "64:pid>1"]]),
    ] {
        let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../fixtures/");
        let whole = std::fs::read(format!("{path}{fixture}")).expect("a fixture");
        let rows = rows_of(&whole);
        for filters in filters {
            let expected = answer(std::slice::from_ref(&whole), filters);
            for parts in [2, 5] {
                let mut cuts: Vec<usize> = (1..parts).map(|_| random.below(rows as u64) as usize).collect();
                cuts.sort_unstable();
                let mut files = split(&whole, &cuts);
                assert_same(
                    &answer(&files, filters),
                    &expected,
                    &format!("{fixture} {filters:?} cut at {cuts:?}"),
                );
                files.reverse();
                assert!(
                    answer(&files, filters) == expected,
                    "{fixture} {filters:?} cut at {cuts:?}, reversed"
                );
            }
            assert!(
                answer(&[reblocked(&whole, 3)], filters) == expected,
                "{fixture} {filters:?}, smaller blocks"
            );
        }
    }
}

/// A process of a host that is made up.
#[derive(Clone, Copy)]
struct Live {
    pid: u32,
    parent: u32,
    comm: &'static str,
}

/// Processes that fork, exit, outlive their parents and open files, some of them after their end (files are closed then),
/// in files that begin with whoever lives then.
fn forking(seed: u64, events: usize, files: &[usize]) -> Vec<Vec<u8>> {
    const COMMS: [&str; 4] = ["sh", "cc1", "make", "sshd"];
    let mut random = Random(seed);
    let root = |pid, parent, comm| Live { pid, parent, comm };
    let mut live = vec![root(1, 0, "init"), root(20, 1, "sshd"), root(21, 20, "sh"), root(30, 1, "make")];
    let mut next_pid = 100;
    let mut ended = None;
    let context = |live: &Live| process(live.pid, live.parent, live.pid % 3 * 500, live.comm, "/usr/bin/x");
    let (mut made, mut done) = (Vec::new(), Vec::new());
    for row in 0..events {
        if row == 0 || files.contains(&row) {
            done.extend(made.pop().map(Made::bytes));
            let mut part = Made::new();
            part.rows_per_block = 60;
            part.header.recording.part = done.len() as u32;
            let contexts: Vec<_> = live.iter().map(context).collect();
            part.sides.push(snapshot(&contexts));
            made.push(part);
        }
        let Some(part) = made.last_mut() else { continue };
        let at = row as u64 * 1_000_000;
        let chosen = 1 + random.below(live.len() as u64 - 1) as usize;
        let mut it = live[chosen];
        let (name, args) = match random.below(11) {
            0 | 1 => {
                next_pid += 1;
                let child = Live { pid: next_pid, parent: it.pid, comm: COMMS[random.below(4) as usize] };
                live.push(child);
                let start = context(&child).process_start_ns;
                let args =
                    vec![("child_pid", Raw::Number(next_pid.into())), ("start_time", Raw::Number(start))];
                ("sched_process_fork", args)
            }
            2 if live.len() > 4 => {
                ended = Some(live.remove(chosen));
                live.iter_mut().filter(|other| other.parent == it.pid).for_each(|other| other.parent = 1);
                ("sched_process_exit", vec![("process_group_exit", Raw::Number(1))])
            }
            3 => {
                it = ended.unwrap_or(it);
                ("signal_generate", vec![("sig", Raw::Number(17))])
            }
            _ => ("openat", vec![("pathname", Raw::Bytes(b"/etc/passwd"))]),
        };
        let event =
            Event { at, name, context: context(&it), ret: 0, scopes: 1, marks: Marks(0), args: &args };
        part.push(&event);
    }
    done.extend(made.pop().map(Made::bytes));
    done
}

#[test]
fn ancestry_is_the_same_in_every_split_of_a_recording() {
    let mut random = Random(0xa11);
    for seed in 1..6 {
        const EVENTS: usize = 900;
        let whole = forking(seed, EVENTS, &[]);
        let mut cuts: Vec<usize> = (0..4).map(|_| 1 + random.below(EVENTS as u64 - 1) as usize).collect();
        cuts.sort_unstable();
        let mut parts = forking(seed, EVENTS, &cuts);
        for filters in [
            &["tree=20"][..],
            &["tree=30", "tree!=21"],
            &["tree!=20"],
            &["pid=21", "follow"],
            &["comm=cc1", "follow"],
            &["1:tree=20", "2:comm=sshd", "2:follow", "2:event=openat", "3:tree=105"],
        ] {
            let expected = answer(&whole, filters);
            assert!(!expected.is_empty());
            assert_same(
                &answer(&parts, filters),
                &expected,
                &format!("seed {seed}, {filters:?}, cut at {cuts:?}"),
            );
            parts.reverse();
            assert!(
                answer(&parts, filters) == expected,
                "seed {seed}, {filters:?}, cut at {cuts:?}, reversed"
            );
        }
    }
}

/// Connections that speak HTTP and DNS at once: heads and messages in segments of any size, late, sent twice, cut by the end of
/// the recording; the texts of the heads and questions that come out whole, and how many messages do not.
fn speaking(seed: u64) -> (Vec<u8>, Vec<String>, usize) {
    const SYN: u8 = 2;
    const ACK: u8 = 16;
    let mut random = Random(seed);
    let mut made = Made::new();
    made.rows_per_block = 23;
    let context = process(100, 1, 0, "curl", "/usr/bin/curl");
    made.sides.push(snapshot(&[context]));
    let (mut expected, mut unended) = (Vec::new(), 0);
    // Of each connection what is still to be sent.
    let mut connections: Vec<Vec<(Vec<u8>, u64)>> = Vec::new();
    for number in 0..40u16 {
        let to = if number % 4 == 0 { 53 } else { 8080 };
        let mut stream = Vec::new();
        for message in 0..5 {
            if to == 53 {
                let label = format!("m{message}-{number}");
                let mut question = vec![0x12, 0x34, 1, 0, 0, 1, 0, 0, 0, 0, 0, 0, label.len() as u8];
                question.extend(label.as_bytes());
                question.extend(b"\x04test\0\0\x01\0\x01");
                stream.extend((question.len() as u16).to_be_bytes());
                stream.extend(question);
                expected.push(format!("{label}.test"));
            } else {
                let path = format!("/m{message}-{number}-{}", "x".repeat(random.below(400) as usize));
                let body = "y".repeat(random.below(200) as usize);
                let length = body.len();
                let head = format!("POST {path} HTTP/1.1\r\nContent-Length: {length}\r\n\r\n");
                stream.extend(format!("{head}{body}").into_bytes());
                expected.push(path);
            }
        }
        // The recording ends before some messages do.
        if number % 5 == 3 {
            stream.extend(match to {
                53 => b"\0\x40\x12\x34\x01\0\0\x01\0\0\0\0\0\0\x07unended".to_vec(),
                _ => format!("GET /unended-{number}").into_bytes(),
            });
            unended += 1;
        }
        let first = (random.below(1 << 32)) as u32;
        let mut segments = vec![(tcp_packet(20_000 + number, to, first, SYN, b""), number.into())];
        let mut at = 0;
        while at < stream.len() {
            let end = stream.len().min(at + 1 + random.below(300) as usize);
            let sequence = first.wrapping_add(1 + at as u32);
            segments.push((tcp_packet(20_000 + number, to, sequence, ACK, &stream[at..end]), number.into()));
            at = end;
        }
        for at in 1..segments.len() {
            match random.below(6) {
                0 if at + 1 < segments.len() => segments.swap(at, at + 1),
                1 => segments.push(segments[at].clone()),
                _ => {}
            }
        }
        segments.reverse();
        connections.push(segments);
    }
    let mut at = 0;
    while !connections.is_empty() {
        let chosen = random.below(connections.len() as u64) as usize;
        at += random.below(3) * 1_000;
        if let Some((packet, cookie)) = connections[chosen].pop() {
            let length = packet.len() as u64;
            let args = &[
                ("data", Raw::Bytes(&packet)),
                ("length", Raw::Number(length)),
                ("direction", Raw::Number(0)),
                ("cookie", Raw::Number(7 + cookie)),
            ];
            let event = Event { at, name: "net_packet", context, ret: 0, scopes: 1, marks: Marks(0), args };
            made.push(&event);
        } else {
            connections.remove(chosen);
        }
    }
    (made.bytes(), expected, unended)
}

#[test]
fn messages_of_streams_are_the_same_however_their_packets_are_cut_into_blocks_and_files() {
    const FILTERS: &[&[&str]] = &[
        &["event=net_packet_http_request,net_packet_dns_request"],
        &["net_packet_http_request.http_request.uri_path=/m3*"],
        &["1:event=net_packet_dns", "2:event=net_packet,net_packet_http_request", "3:tree=100"],
    ];
    for seed in [3, 4] {
        let (whole, expected, unended) = speaking(seed);
        let rows = rows_of(&whole);
        let mut random = Random(seed * 31);
        for (number, filters) in FILTERS.iter().enumerate() {
            let answered = answer(std::slice::from_ref(&whole), filters);
            if number == 0 {
                for text in &expected {
                    let found = answered.lines().filter(|line| line.contains(&format!("\"{text}\""))).count();
                    assert_eq!(found, 1, "{text}");
                }
                // What never ended comes at the end, and says that it is cut.
                assert_eq!(answered.lines().count(), expected.len() + unended);
                let last = answered.lines().skip(expected.len());
                assert_eq!(last.filter(|line| line.contains(r#""cut":["#)).count(), unended);
            }
            for parts in [2, 6] {
                let mut cuts: Vec<usize> = (1..parts).map(|_| random.below(rows as u64) as usize).collect();
                cuts.sort_unstable();
                let what = format!("{filters:?} cut at {cuts:?}");
                assert_same(&answer(&split(&whole, &cuts), filters), &answered, &what);
            }
            assert_same(&answer(&[reblocked(&whole, 5)], filters), &answered, "smaller blocks");
        }
    }
}

/// A host of its own, its rows scattered over the time of the others.
fn host(number: u64, boot_id: &str, rows: usize) -> Vec<u8> {
    let mut random = Random(number * 77 + 5);
    let mut made = Made::new();
    made.rows_per_block = 150;
    made.header.host.hostname = format!("web{number}");
    made.header.host.boot_id = boot_id.into();
    let context = process(100 + number as u32, 1, 0, "nginx", "/usr/sbin/nginx");
    made.sides.push(snapshot(&[context]));
    let mut at = 0;
    for _ in 0..rows {
        at += random.below(2_000);
        let args = &[("pathname", Raw::Bytes(b"/var/www"))];
        made.push(&Event { at, name: "openat", context, ret: 3, scopes: 1, marks: Marks(0), args });
    }
    made.bytes()
}

#[test]
fn any_number_of_hosts_that_overlap_comes_out_sorted() {
    let mut hosts: Vec<Vec<u8>> = (0..60).map(|number| host(number, &format!("b{number}"), 700)).collect();
    let rows = answer(&hosts, &["uid>=0"]);
    let times: Vec<&str> = rows.lines().map(|line| &line[..33]).collect();
    assert_eq!(times.len(), 60 * 700);
    assert!(times.is_sorted());
    hosts.reverse();
    assert!(answer(&hosts, &["uid>=0"]) == rows, "in another order of files");
}

#[test]
fn hosts_whose_boot_nobody_knows_are_not_taken_for_one() {
    // Two hosts with the same pids: what 105 of one is to the other's 101 says nothing.
    let unknown = |number: u64| {
        let mut made = Made::new();
        made.header.host.boot_id.clear();
        made.header.clock.wall_ns += number * 5_000;
        let parent = if number == 0 { 101 } else { 1 };
        let [one, other] =
            [(101, 1), (105, parent)].map(|(pid, ppid)| process(pid, ppid, 0, "sh", "/bin/sh"));
        made.sides.push(snapshot(&[one, other]));
        for at in 0..10 {
            let args = &[("pathname", Raw::Bytes(b"/x"))];
            let event = Event {
                at: at * 1_000,
                name: "openat",
                context: other,
                ret: 3,
                scopes: 1,
                marks: Marks(0),
                args,
            };
            made.push(&event);
        }
        made.bytes()
    };
    let files = [unknown(0), unknown(1)];
    for files in [files.clone(), [files[1].clone(), files[0].clone()]] {
        let rows = answer(&files, &["uid>=0"]);
        assert!(rows.lines().map(|line| &line[..33]).is_sorted(), "by wall clock");
        assert_eq!(answer(&files, &["tree=101"]).lines().count(), 10);
    }
}

#[test]
fn a_damaged_block_is_a_gap_and_the_rest_is_answered() {
    let whole = host(1, "b", 1500);
    let capture = Capture::from_bytes(whole.clone()).expect("a capture");
    let all = answer(std::slice::from_ref(&whole), &["uid>=0"]);
    let damaged: Vec<usize> = vec![3, 7];
    let mut bytes = whole;
    for block in &damaged {
        let info = &capture.blocks()[*block];
        // Behind the head: in its columns.
        let at = (info.offset + info.bytes) as usize - 12;
        bytes[at] ^= 0x55;
    }
    let rows = answer(std::slice::from_ref(&bytes), &["uid>=0"]);
    let expected: Vec<&str> = all
        .lines()
        .enumerate()
        .filter(|(row, _)| !damaged.contains(&(row / 150)))
        .map(|(_, line)| line)
        .collect();
    assert_eq!(rows.lines().collect::<Vec<_>>(), expected);
    let source = source(&[bytes]);
    let plan = Plan::compile(&set(&["tree=1"]));
    let mut question = question(&source, &plan, 2);
    let gaps = question.count().expect("an answer").gaps;
    assert_eq!(gaps.iter().map(|gap| (gap.block, gap.rows)).collect::<Vec<_>>(), [(3, 150), (7, 150)]);
    question.strict = true;
    let error = question.count().expect_err("a strict answer");
    assert!(error.to_string().contains("block 3"), "{error}");
}

#[test]
fn splitting_keeps_every_row() {
    let whole = host(2, "b", 500);
    let parts = split(&whole, &[1, 150, 151, 400]);
    assert_eq!(parts.iter().map(|part| rows_of(part)).collect::<Vec<_>>(), [1, 149, 1, 249, 100]);
}
