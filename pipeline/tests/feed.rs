//! Blocks that a recorder has just built are asked without a file, as they come.

use std::sync::Arc;
use std::sync::mpsc;
use std::time::Duration;

use events::{Context, EventId, Marks, Raw, catalogue};
use format::{
    BlockBuilder, Capture, Cgroup, Clock, Container, EncodedBlock, Encoder, Header, Options, Process, Row,
    Side, Writer, current_schema,
};
use pipeline::feed::{self, Sender};
use pipeline::{Cancellation, Error, Matcher, Question, Source};
use scopes::{Plan, ScopeSet};

const CLOCK: Clock = Clock { monotonic_ns: 0, boot_ns: 1_000, wall_ns: 1_700_000_000_000_001_000 };

fn header() -> Header {
    let mut header =
        Header { program: "test".into(), schema: current_schema(), clock: CLOCK, ..Header::default() };
    header.host.boot_id = "a boot".into();
    header.recording.start_ns = 1;
    header
}

/// The shell, which was there before.
fn sides() -> Vec<Side> {
    let shell = Process { pid: 7, start_ns: 70, comm: b"sh".to_vec(), ..Process::default() };
    vec![Side::Processes(vec![shell])]
}

fn context(pid: u32) -> Context<'static> {
    Context {
        pid,
        tid: pid,
        cgroup_id: u64::from(pid),
        process_start_ns: u64::from(pid) * 10,
        thread_start_ns: u64::from(pid) * 10,
        comm: b"cat",
        exe: b"/bin/cat",
        uts: b"host",
        ..Context::default()
    }
}

fn event(name: &str) -> EventId {
    catalogue::by_name(name).expect("an event").id
}

/// A block of rows: time and pid. Each is an open; but what the shell does is to fork the process 8.
fn block(rows: &[(u64, u32)]) -> Arc<EncodedBlock> {
    let mut builder = BlockBuilder::new();
    builder.set_clock(CLOCK);
    let fork = catalogue::by_name("sched_process_fork").expect("an event");
    let mut child = vec![Raw::Missing; fork.args.len()];
    for (name, value) in [("child_pid", 8), ("start_time", 80)] {
        child[fork.arg(name).expect("an argument").0] = Raw::Number(value);
    }
    for (time_ns, pid) in rows {
        let context = builder.intern(&context(*pid));
        let is_fork = *pid == 7;
        let args: &[Raw<'_>] = if is_fork { &child } else { &[Raw::Number(3), Raw::Bytes(b"/etc/passwd")] };
        let event = if is_fork { fork.id } else { event("openat") };
        let (time_ns, marks) = (*time_ns, Marks(0));
        let row = Row { time_ns, event, cpu: 0, context, ret: 0, scopes: 0, marks, duration_ns: None, args };
        builder.push(&row).expect("a block with room");
    }
    Arc::new(Encoder::new(Options::default()).encode(&mut builder).expect("a block"))
}

fn plan(filters: &[&str]) -> Plan {
    let filters: Vec<String> = filters.iter().map(|filter| (*filter).to_owned()).collect();
    Plan::compile(&ScopeSet::parse(&filters).expect("filters"))
}

/// Time, pid and container of each event.
type Seen = Vec<(u64, u32, String)>;

fn seen(source: &Source, plan: &Plan, see: &mut dyn FnMut(u64)) -> (Seen, pipeline::Stats) {
    let question = Question { strict: true, ..Question::new(source, vec![Matcher::new(plan)]) };
    let mut rows = Vec::new();
    let mut each = |event: &pipeline::EventView<'_>| {
        let container = event.container.map(|container| container.name.clone()).unwrap_or_default();
        rows.push((event.time_ns, event.context.pid, container));
        see(event.time_ns);
    };
    let stats = question.each(&mut |_, event| each(event)).expect("an answer");
    (rows, stats)
}

/// The same blocks in a file.
fn file(blocks: &[Arc<EncodedBlock>]) -> Source {
    let mut writer = Writer::create(Vec::new(), &header()).expect("a header");
    sides().iter().for_each(|side| writer.side(side).expect("a side record"));
    blocks.iter().for_each(|block| writer.block(block).expect("a block"));
    let (bytes, _) = writer.finish().expect("a capture");
    Source::new(vec![("file".into(), Capture::from_bytes(bytes).expect("a capture"))])
}

fn send(blocks: Vec<Arc<EncodedBlock>>) -> Source {
    let (mut sender, source) = feed::channel("live", &header(), &sides(), 2).expect("a channel");
    std::thread::spawn(move || blocks.into_iter().try_for_each(|block| sender.block(block)));
    source
}

#[test]
fn blocks_that_arrive_answer_as_those_of_a_file_do() {
    // The third block has a row that came late.
    let blocks: Vec<_> = [
        block(&[(10, 5), (20, 7), (30, 8)]),
        block(&[(31, 5), (50, 8)]),
        block(&[(45, 8), (60, 6)]),
        block(&[(70, 9)]),
        block(&[(80, 8)]),
    ]
    .into();
    for filters in [&["pid>=0"][..], &["tree=7"], &["pid=8"], &["comm=nobody"], &["openat.pathname=/etc/*"]] {
        let plan = plan(filters);
        let (expected, of_file) = seen(&file(&blocks), &plan, &mut |_| ());
        let (rows, stats) = seen(&send(blocks.clone()), &plan, &mut |_| ());
        // Rows are asked for block by block here; printing puts those that came late in order.
        assert_eq!((rows, stats.matched), (expected, of_file.matched), "{filters:?}");
        let count = |source: &Source, threads| {
            let matchers = vec![Matcher::new(&plan)];
            let question = Question { threads, ..Question::new(source, matchers) };
            question.count().expect("an answer").matched
        };
        for threads in [1, 3] {
            assert_eq!(count(&send(blocks.clone()), threads), of_file.matched, "{filters:?}, {threads}");
        }
    }
}

#[test]
fn a_row_is_seen_as_soon_as_nothing_can_come_before_it() {
    let (mut sender, source) = feed::channel("live", &header(), &sides(), 9).expect("a channel");
    let (tell, told) = mpsc::channel();
    let plan = plan(&["pid>=0"]);
    let wait = |expected: &[u64]| {
        for time in expected {
            assert_eq!(told.recv_timeout(Duration::from_secs(20)), Ok(*time));
        }
    };
    std::thread::scope(|scope| {
        scope.spawn(|| {
            let question = Question { threads: 2, ..Question::new(&source, vec![Matcher::new(&plan)]) };
            question.ask(&Times, &mut |times| {
                times.into_iter().for_each(|time| tell.send(time).expect("a reader"));
                Ok(std::ops::ControlFlow::Continue(()))
            })
        });
        sender.block(block(&[(10, 5), (20, 5)])).expect("a reader");
        sender.up_to(15).expect("a reader");
        wait(&[10]);
        sender.block(block(&[(16, 5)])).expect("a reader");
        sender.up_to(21).expect("a reader");
        wait(&[16, 20]);
        // Nothing is promised here, and nothing comes: that is not to hold back what has come.
        sender.block(block(&[(30, 5)])).expect("a reader");
        wait(&[30]);
        drop(sender);
    });
}

#[test]
fn containers_and_losses_are_learned_on_the_way() {
    let (mut sender, source) = feed::channel("live", &header(), &[], 9).expect("a channel");
    let container = Container { id: "c0ffee".into(), name: "web".into(), ..Container::default() };
    let cgroup = Cgroup { id: 5, container: Some(container), ..Cgroup::default() };
    let loss = format::Loss {
        host: 0,
        from_ns: 1,
        to_ns: 9,
        cpu: None,
        event: None,
        count: 3,
        cause: "test".into(),
    };
    sender.block(block(&[(10, 5)])).expect("a reader");
    sender.side(Side::Cgroups(vec![cgroup])).expect("a reader");
    sender.side(Side::Losses(vec![loss])).expect("a reader");
    sender.block(block(&[(20, 5), (21, 6)])).expect("a reader");
    drop(sender);
    let (rows, stats) = seen(&source, &plan(&["container"]), &mut |_| ());
    assert_eq!((rows, stats.lost), (vec![(20, 5, "web".to_owned())], 3));
}

#[test]
fn who_has_enough_or_stops_does_not_wait_for_the_end() {
    for threads in [1, 2] {
        let (mut sender, source) = feed::channel("live", &header(), &sides(), 9).expect("a channel");
        let plan = plan(&["pid>=0"]);
        sender.block(block(&[(10, 5), (20, 5), (30, 5)])).expect("a reader");
        let matchers = vec![Matcher::new(&plan)];
        let question = Question { threads, limit: Some(2), ..Question::new(&source, matchers) };
        let stats = question.ask(&Times, &mut |_| Ok(std::ops::ControlFlow::Continue(())));
        assert_eq!(stats.expect("an answer").matched, 2);
        // What arrives comes once.
        assert!(matches!(question.count(), Err(Error::Spent)));
        drop(sender);
        let (_sender, source) = feed::channel("live", &header(), &sides(), 9).expect("a channel");
        let cancellation = Cancellation::default();
        let cancel = cancellation.clone();
        std::thread::spawn(move || {
            std::thread::sleep(Duration::from_millis(50));
            cancel.cancel();
        });
        let question =
            Question { threads, cancellation, ..Question::new(&source, vec![Matcher::new(&plan)]) };
        assert!(matches!(question.count(), Err(Error::Cancelled)));
    }
}

#[test]
fn a_question_about_a_file_stops_within_a_block() {
    let rows: Vec<(u64, u32)> = (0..60_000).map(|time| (time, 5)).collect();
    let source = file(&[block(&rows)]);
    let plan = plan(&["pid>=0"]);
    for threads in [1, 2] {
        let cancellation = Cancellation::default();
        let matchers = vec![Matcher::new(&plan)];
        let question =
            Question { threads, cancellation: cancellation.clone(), ..Question::new(&source, matchers) };
        let mut seen = 0;
        let stopped = question.ask(&Times, &mut |times| {
            seen += times.len();
            cancellation.cancel();
            Ok(std::ops::ControlFlow::Continue(()))
        });
        assert!(matches!(stopped, Err(Error::Cancelled)));
        assert!(seen < 10_000, "{seen} rows were seen after it was stopped");
    }
}

/// A sink that takes times.
struct Times;

impl pipeline::Sink for Times {
    type Worker = ();
    type Made = Vec<u64>;

    fn projection(&self) -> pipeline::Projection {
        pipeline::Projection::NONE
    }

    fn worker(&self) {}

    fn begin(&self) -> Vec<u64> {
        Vec::new()
    }

    fn event(&self, (): &mut (), event: &pipeline::EventView<'_>, made: &mut Vec<u64>) {
        made.push(event.time_ns);
    }

    fn size(&self, made: &Vec<u64>) -> usize {
        made.len() * 8
    }

    fn truncate(&self, made: &mut Vec<u64>, events: usize) {
        made.truncate(events);
    }
}

/// What a recorder holds, so that it may be sent from its threads.
#[test]
fn both_ends_go_to_other_threads() {
    fn goes<T: Send>() {}
    goes::<Sender>();
    goes::<Source>();
}
