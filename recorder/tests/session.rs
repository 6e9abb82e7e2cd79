//! Sessions from a scripted source into real files, and back.

mod synthetic;

use std::{collections::BTreeMap, fs, io::Read, os::unix::fs::OpenOptionsExt, path::Path, time::Duration};

use events::{EventId, Marks, catalogue};
use format::{Capture, Completeness, Scratch};
use recorder::{
    amount::Stretch,
    file::output::{OutputPlace, Stream},
    file::rotate::Rotation,
    file::write::Halt,
    kernel::{Loss, LossCause},
    session::{Session, Step},
};
use synthetic::{Said, Script, Spoken, Value, openat, record, setup, task};

/// Every row of a capture with the comm of its context, in file order.
fn rows(capture: &Capture) -> Vec<(String, Spoken)> {
    let mut rows = Vec::new();
    let mut scratch = Scratch::new();
    for number in 0..capture.blocks().len() {
        let block = capture.block(number, &mut scratch).unwrap();
        let contexts = block.contexts().unwrap();
        let codes = block.event_codes().unwrap();
        let mut ordinals: BTreeMap<u16, usize> = BTreeMap::new();
        for (row, &code) in codes.iter().enumerate() {
            let ordinal = ordinals.entry(code).or_default();
            let event = block.event_list()[code as usize];
            let table = block.args(code);
            let declared = catalogue::by_id(event).map_or(0, |event| event.args.len());
            let args =
                (0..declared).map(|position| Value::of(table.get(*ordinal, position).unwrap())).collect();
            *ordinal += 1;
            let context = block.context_codes().unwrap()[row];
            let comm = contexts.get(context).unwrap().comm.to_vec();
            rows.push((
                String::from_utf8(comm).unwrap(),
                Spoken {
                    time_ns: block.times().unwrap()[row],
                    event,
                    cpu: block.cpus().unwrap()[row],
                    context: 0,
                    ret: block.rets().unwrap()[row],
                    marks: Marks(block.marks().unwrap()[row]),
                    args,
                },
            ));
        }
    }
    rows
}

fn many(count: u64) -> Vec<Said> {
    let mut said = vec![Said::Context(1, task(7, "ls"))];
    said.extend((0..count).map(|n| Said::Record(openat(1_000 + n, 1, &format!("/tmp/{}", n % 100), 3))));
    said
}

/// Rows that do not compress.
fn noise(count: u64) -> Vec<Said> {
    let mut said = vec![Said::Context(1, task(7, "ls"))];
    said.extend((0..count).map(|n| {
        let noise = n.wrapping_mul(0x9e37_79b9_7f4a_7c15);
        Said::Record(openat(1_000 + n, 1, &format!("/tmp/{noise:x}"), noise as i64))
    }));
    said
}

fn total_rows(capture: &Capture) -> u64 {
    capture.blocks().iter().map(|block| block.statistics.rows).sum()
}

#[test]
fn what_is_recorded_reads_back_equal() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("c.trz");
    let first = openat(100, 1, "/etc/passwd", 3);
    let mut second = openat(200, 2, "/nope", -2);
    second.marks = Marks(Marks::TRUNCATED);
    second.args[1] = Value::Missing;
    let third = openat(300, 1, "", 4);
    let script = Script {
        batches: [
            vec![Said::Context(1, task(7, "ls")), Said::Record(first.clone())],
            vec![Said::Context(2, task(8, "id")), Said::Record(second.clone())],
        ]
        .into(),
        at_the_end: vec![Said::Record(third.clone())],
        ..Script::default()
    };
    let summary = record(setup(&path), script);
    assert_eq!((summary.events, summary.lost, summary.produced), (3, 0, 3));
    assert_eq!(summary.bytes, fs::metadata(&path).unwrap().len());
    let capture = Capture::open(&path).unwrap();
    assert!(matches!(capture.completeness(), Completeness::Finished), "{:?}", capture.completeness());
    assert_eq!(capture.header().program, "tracer test");
    assert_eq!(capture.processes()[0].comm, b"init");
    let expected: Vec<(String, Spoken)> = [("ls", first), ("id", second), ("ls", third)]
        .map(|(comm, spoken)| (comm.to_owned(), Spoken { context: 0, ..spoken }))
        .into();
    assert_eq!(rows(&capture), expected);
}

/// One row every 50 ms for 2.5 seconds; how many blocks came of it.
fn blocks_of_an_idle_host(rotation: Option<Rotation>) -> u64 {
    let dir = tempfile::tempdir().unwrap();
    let mut setup = setup(&dir.path().join("c.trz"));
    setup.destination.rotation = rotation;
    let mut batches = vec![vec![Said::Context(1, task(7, "ls"))]];
    batches.extend((0..50).map(|n| vec![Said::Record(openat(1_000 + n, 1, "/tmp/a", 3))]));
    let script = Script { batches: batches.into(), at_the_end: Vec::new(), pause: Duration::from_millis(50) };
    let summary = record(setup, script);
    assert_eq!(summary.events, 50);
    summary.blocks
}

#[test]
fn an_idle_host_does_not_write_a_block_a_second() {
    assert_eq!(blocks_of_an_idle_host(None), 1);
    // Parts of a second each are asked for.
    let rotation = Rotation { every: Stretch::Time(Duration::from_secs(1)), keep: None };
    assert!(blocks_of_an_idle_host(Some(rotation)) >= 2);
}

#[test]
fn losses_of_the_kernel_are_in_the_file_and_the_sums_add_up() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("c.trz");
    let mut said = many(10);
    let event = Some(EventId(0));
    let lost = Loss { from_ns: 5, to_ns: 9, cpu: Some(1), event, count: 42, cause: LossCause::BufferFull };
    said.push(Said::Lost(lost));
    let summary = record(setup(&path), Script::of(said));
    // The recorder says the loss as an event too.
    assert_eq!((summary.events, summary.lost, summary.produced), (11, 42, 53));
    let capture = Capture::open(&path).unwrap();
    let [loss] = capture.losses() else { panic!("{:?}", capture.losses()) };
    assert_eq!((loss.from_ns, loss.to_ns, loss.cpu, loss.count), (5, 9, Some(1), 42));
    assert_eq!(loss.cause, "buffer full");
}

#[test]
fn a_disk_that_does_not_keep_up_costs_rows_that_are_counted() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("pipe");
    rustix::fs::mkfifoat(rustix::fs::CWD, &path, 0o600.into()).unwrap();
    // Opened for reading and not read until all has been recorded: writing stops when the pipe is full.
    let pipe = fs::OpenOptions::new().read(true).write(true).custom_flags(0).open(&path).unwrap();
    let batches = (0..14).map(|_| noise(65_536)).collect();
    let script = Script { batches, ..Script::default() };
    let mut left = script.batches.len() + 1;
    let mut streamed = setup(&dir.path().join("unused"));
    streamed.destination.place = OutputPlace::stream(Stream::open(&path).unwrap(), &path);
    let session = Session::start(streamed).unwrap();
    let (tell, told) = std::sync::mpsc::channel();
    let reader = std::thread::spawn(move || {
        told.recv().unwrap();
        let mut pipe = pipe;
        let mut bytes = Vec::new();
        let mut buffer = vec![0; 1 << 16];
        // The end of a capture is its trailer: this reader holds the pipe open itself and would wait for ever.
        while told.try_recv().is_err() {
            let ready = rustix::event::poll(
                &mut [rustix::event::PollFd::new(&pipe, rustix::event::PollFlags::IN)],
                Some(&Duration::from_millis(20).try_into().unwrap()),
            );
            if ready == Ok(1) {
                let read = pipe.read(&mut buffer).unwrap();
                bytes.extend_from_slice(&buffer[..read]);
            }
        }
        bytes
    });
    let teller = tell.clone();
    let summary = session
        .record(script, &mut || {
            // Asked again while the file is finished.
            if left > 0 {
                left -= 1;
                if left > 0 {
                    return Step::Go;
                }
                teller.send(()).unwrap();
            }
            Step::Stop
        })
        .unwrap();
    std::thread::sleep(Duration::from_millis(100));
    tell.send(()).unwrap();
    let capture = Capture::from_bytes(reader.join().unwrap()).unwrap();
    // And what the recorder says itself of what was lost.
    assert!((14 * 65_536..14 * 65_536 + 64).contains(&summary.produced), "{summary:?}");
    assert!(summary.lost > 0, "{summary:?}");
    assert_eq!(summary.events + summary.lost, summary.produced);
    assert_eq!(total_rows(&capture), summary.events);
    let in_file: u64 = capture.losses().iter().map(|loss| loss.count).sum();
    assert_eq!(in_file, summary.lost);
    let own = catalogue::by_name("lost_events").map(|event| event.id);
    assert!(capture.losses().iter().all(
        |loss| loss.cause == "queue full" && (loss.event == Some(synthetic::OPENAT) || loss.event == own)
    ));
}

#[test]
fn a_recorder_that_is_killed_leaves_all_but_its_last_second() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("c.trz");
    let mut killed = Vec::new();
    let session = Session::start(setup(&path)).unwrap();
    let mut step = 0;
    session
        .record(Script::of(many(2_000)), &mut || {
            step += 1;
            match step {
                1 => Step::Go,
                // Older than a second now, and worth a block: written before the next thing happens.
                2 => {
                    std::thread::sleep(Duration::from_millis(1_100));
                    Step::Go
                }
                4.. => Step::Stop,
                _ => {
                    std::thread::sleep(Duration::from_millis(300));
                    killed = fs::read(&path).unwrap();
                    Step::Stop
                }
            }
        })
        .unwrap();
    let capture = Capture::from_bytes(killed).unwrap();
    assert!(!matches!(capture.completeness(), Completeness::Finished));
    assert_eq!(total_rows(&capture), 2_000);
    assert_eq!(rows(&capture).len(), 2_000);
}

#[test]
fn a_rotated_set_holds_every_row_and_each_file_its_state() {
    let dir = tempfile::tempdir().unwrap();
    let mut setup = setup(&dir.path().join("c.trz"));
    setup.destination.rotation =
        Some(Rotation { every: Stretch::Time(Duration::from_micros(100)), keep: None });
    // 65,536 rows, 1 ns apart, span 65 us: the second block makes the file too long.
    let mut said = many(200_000);
    said.insert(1, Said::Record(fork(500, 1, 9)));
    said.insert(2, Said::Record(fork(600, 1, 10)));
    said.insert(3, Said::Context(2, task(10, "sh")));
    said.insert(4, Said::Record(exit(700, 2)));
    let summary = record(setup, Script::of(said));
    assert_eq!((summary.events, summary.lost), (200_003, 0));
    assert!(summary.files.len() >= 3, "{:?}", summary.files);
    let captures: Vec<Capture> = summary.files.iter().map(|file| Capture::open(file).unwrap()).collect();
    assert_eq!(captures.iter().map(total_rows).sum::<u64>(), 200_003);
    for (part, capture) in captures.iter().enumerate() {
        assert_eq!(capture.header().recording.part, part as u32);
        let mut pids: Vec<u32> = capture.processes().iter().map(|p| p.pid).collect();
        pids.sort_unstable();
        let expected: &[u32] = if part == 0 { &[1] } else { &[1, 9] };
        assert_eq!(pids, expected, "part {part}");
        assert_eq!(capture.header().recording.previous_head.is_some(), part > 0);
    }
}

#[test]
fn only_the_newest_files_of_a_set_are_kept() {
    let dir = tempfile::tempdir().unwrap();
    let mut setup = setup(&dir.path().join("c.trz"));
    setup.destination.rotation =
        Some(Rotation { every: Stretch::Time(Duration::from_micros(50)), keep: Some(2) });
    let summary = record(setup, Script::of(many(400_000)));
    let there: Vec<_> = fs::read_dir(dir.path()).unwrap().flatten().map(|entry| entry.path()).collect();
    assert_eq!((summary.files.len(), there.len()), (2, 2));
    assert!(summary.files.iter().all(|file| there.contains(file)));
    let kept: u64 = summary.files.iter().map(|file| total_rows(&Capture::open(file).unwrap())).sum();
    assert_eq!((summary.events, summary.events + summary.removed), (kept, 400_000));
    let bytes: u64 = there.iter().map(|file| fs::metadata(file).unwrap().len()).sum();
    assert_eq!((summary.bytes, summary.removed_files > 2), (bytes, true), "{summary:?}");
}

#[test]
fn a_flight_recorder_writes_what_it_holds_when_triggered_and_nothing_before() {
    let dir = tempfile::tempdir().unwrap();
    for (name, trigger) in [("quiet.trz", false), ("triggered.trz", true)] {
        let path = dir.path().join(name);
        let mut setup = setup(&path);
        setup.destination.flight = Some(Stretch::Time(Duration::from_secs(60)));
        setup.after = Duration::from_secs(60);
        let session = Session::start(setup).unwrap();
        let mut step = 0;
        let summary = session
            .record(Script::of(many(100)), &mut || {
                step += 1;
                match step {
                    1 => Step::Go,
                    2 if trigger => Step::Trigger,
                    _ => Step::Stop,
                }
            })
            .unwrap();
        let capture = Capture::open(&path).unwrap();
        let expected = if trigger { (100, 0) } else { (0, 100) };
        assert_eq!((summary.events, summary.left_out), expected);
        assert_eq!((total_rows(&capture), summary.released), (expected.0, trigger));
        assert_eq!(capture.processes().len(), 1);
    }
}

#[test]
fn a_flight_recorder_holds_no_more_than_it_was_told() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("c.trz");
    let mut setup = setup(&path);
    setup.destination.flight = Some(Stretch::Time(Duration::from_micros(100)));
    setup.after = Duration::from_secs(60);
    let session = Session::start(setup).unwrap();
    let mut step = 0;
    let summary = session
        .record(Script::of(many(65_536 * 10)), &mut || {
            step += 1;
            match step {
                1 => Step::Go,
                2 => Step::Trigger,
                _ => Step::Stop,
            }
        })
        .unwrap();
    assert_eq!(summary.events + summary.left_out + summary.lost, summary.produced);
    let capture = Capture::open(&path).unwrap();
    let last = capture.blocks().iter().map(|block| block.statistics.last_ns).max().unwrap();
    let first = capture.blocks().iter().map(|block| block.statistics.first_ns).min().unwrap();
    // Whole blocks: the stretch, what begins in the oldest block that reaches into it, and those that were on their way to
    // the thread that holds them when the trigger came, which follow it.
    const ON_THEIR_WAY: u64 = 3;
    assert!(last - first <= 100_000 + 65_536 * (1 + ON_THEIR_WAY), "{} ns", last - first);
}

#[test]
fn a_capture_stays_below_its_largest_size() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("c.trz");
    let mut setup = setup(&path);
    setup.destination.max_bytes = Some(1 << 20);
    let mut said = noise(300_000);
    // What is told of losses afterwards does not open the file again.
    let lost =
        Loss { from_ns: 5, to_ns: 9, cpu: Some(1), event: None, count: 7, cause: LossCause::BufferFull };
    for at in [250_000, 200_000, 150_000] {
        said.insert(at, Said::Lost(lost));
    }
    let summary = record(setup, Script::of(said));
    assert!(matches!(summary.halt, Some(Halt::MaxSize)), "{summary:?}");
    assert!(summary.bytes <= 1 << 20 && summary.bytes > 1 << 19, "{} bytes", summary.bytes);
    assert_eq!(summary.events + summary.left_out + summary.lost, summary.produced);
    let capture = Capture::open(&path).unwrap();
    assert!(matches!(capture.completeness(), Completeness::Finished));
    assert_eq!(total_rows(&capture), summary.events);
}

#[test]
fn a_flight_recorder_of_a_time_holds_no_more_than_its_memory_and_tells_what_it_let_go() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("c.trz");
    let mut flight = setup(&path);
    flight.destination.flight = Some(Stretch::Time(Duration::from_secs(3600)));
    flight.destination.flight_bytes = 3 << 20;
    let script = Script { batches: (0..12).map(|_| noise(65_536)).collect(), ..Script::default() };
    let mut left = script.batches.len() + 1;
    let session = Session::start(flight).unwrap();
    let summary = session
        .record(script, &mut || {
            left = left.saturating_sub(1);
            // Slow enough for blocks to be encoded and held, rather than lost on the way.
            std::thread::sleep(Duration::from_millis(if left > 1 { 400 } else { 0 }));
            match left {
                0 => Step::Stop,
                1 => Step::Trigger,
                _ => Step::Go,
            }
        })
        .unwrap();
    assert!(summary.released && summary.bytes < 4 << 20, "{summary:?}");
    assert_eq!(summary.events + summary.lost + summary.left_out, summary.produced);
    let capture = Capture::open(&path).unwrap();
    assert_eq!(total_rows(&capture), summary.events);
    let told: u64 = capture
        .losses()
        .iter()
        .filter(|loss| loss.cause == "flight memory full")
        .map(|loss| loss.count)
        .sum();
    assert!(told > 0 && told <= summary.lost, "{told} of {}", summary.lost);
}

#[test]
fn a_capture_that_is_there_is_not_replaced() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("c.trz");
    fs::write(&path, "precious").unwrap();
    let error = OutputPlace::file(&path, false).unwrap_err();
    assert!(error.to_string().contains("--force"), "{error}");
    // One that comes to be there while the recording is made ready is not replaced either.
    let raced = setup(&dir.path().join("raced.trz"));
    fs::write(dir.path().join("raced.trz"), "precious").unwrap();
    let error = Session::start(raced).unwrap_err();
    assert!(error.to_string().contains("--force"), "{error}");
    assert_eq!(fs::read(dir.path().join("raced.trz")).unwrap(), b"precious");
    assert_eq!(fs::read(&path).unwrap(), b"precious");
    let mut forced = setup(&dir.path().join("unused"));
    forced.destination.place = OutputPlace::file(&path, true).unwrap();
    forced.destination.path = path.clone();
    record(forced, Script::of(many(1)));
    assert_eq!(total_rows(&Capture::open(&path).unwrap()), 1);
    assert!(Capture::open(Path::new(&path)).is_ok());
}

/// A fork event of a task, with the arguments that the catalogue declares.
fn fork(time_ns: u64, context: u32, child: u64) -> Spoken {
    spoken(
        "sched_process_fork",
        time_ns,
        context,
        &[
            ("child_tid", child),
            ("child_pid", child),
            ("child_ns_pid", child),
            ("start_time", child * 1_000_000_000),
        ],
    )
}

fn exit(time_ns: u64, context: u32) -> Spoken {
    spoken("sched_process_exit", time_ns, context, &[("process_group_exit", 1)])
}

fn spoken(name: &str, time_ns: u64, context: u32, values: &[(&str, u64)]) -> Spoken {
    let event = catalogue::by_name(name).unwrap();
    let args = event
        .args
        .iter()
        .map(|arg| {
            let value = values.iter().find(|(name, _)| *name == arg.name);
            value.map_or(Value::Missing, |(_, number)| Value::Number(*number))
        })
        .collect();
    Spoken { time_ns, event: event.id, cpu: 0, context, ret: 0, marks: Marks(0), args }
}
