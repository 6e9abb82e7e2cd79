//! What goes into a capture comes out of it.

use std::sync::Arc;

use events::context::{ContextFlags, Credentials, Standing};
use events::{Context, EventId, Marks, Raw, catalogue};
use format::{
    Block, BlockBuilder, Capture, Cgroup, Clock, ColumnView, Completeness, Container, Encoder, Header, Loss,
    Numbers, Options, Process, Row, Schema, Scratch, Side, Texts, User, Writer, current_schema,
};

fn openat() -> EventId {
    catalogue::by_name("openat").unwrap().id
}

fn exec() -> EventId {
    catalogue::by_name("sched_process_exec").unwrap().id
}

fn context(pid: u32) -> Context<'static> {
    Context {
        pid,
        tid: pid + 1,
        ppid: 1,
        ns_pid: 7,
        ns_tid: 8,
        ns_ppid: 1,
        uid: 1000,
        gid: 100,
        mnt_ns: 0xf000_0000,
        pid_ns: 0xf000_0001,
        net_ns: 0xf000_0002,
        user_ns: 0xf000_0003,
        cgroup_id: 1 << 40,
        thread_start_ns: 5_000_000_000 + u64::from(pid),
        process_start_ns: 5_000_000_000,
        parent_start_ns: 17,
        comm: if pid.is_multiple_of(2) { b"ls" } else { b"cat" },
        exe: b"/usr/bin/ls",
        uts: b"host",
        flags: ContextFlags(ContextFlags::COMPAT),
        credentials: (!pid.is_multiple_of(3)).then(|| Credentials {
            euid: pid % 5,
            effective: 1 << (pid % 41),
            bounding: u64::MAX >> 1,
            ..Credentials::default()
        }),
        standing: Standing {
            cwd: [None, Some(&b"/srv"[..]), Some(b"/home/a")][pid as usize % 3],
            session: pid.is_multiple_of(2).then_some(pid),
            terminal: (!pid.is_multiple_of(4)).then_some(34816 + pid % 2),
            login_uid: (!pid.is_multiple_of(5)).then_some(u32::MAX),
            ..Standing::default()
        },
    }
}

const CLOCK: Clock = Clock { monotonic_ns: 90, boot_ns: 100, wall_ns: 1_700_000_000_000_000_100 };

/// The first rows have none, nor have some of the others; the shortest is no time at all.
fn duration(n: u64) -> Option<u64> {
    (n > 30 && n % 4 != 1).then_some(n * (n % 6))
}

/// `rows` rows of two events by three processes, late ones among them.
fn builder(rows: u64) -> BlockBuilder {
    let mut builder = BlockBuilder::new();
    builder.set_clock(CLOCK);
    let contexts = [10, 11, 12].map(|pid| builder.intern(&context(pid)));
    for n in 0..rows {
        let path = format!("/etc/file{}", n % 50);
        let args = [
            Raw::Number(-100i64 as u64),
            if n % 7 == 0 { Raw::Number(0xdead) } else { Raw::Bytes(path.as_bytes()) },
            if n % 5 == 0 { Raw::Missing } else { Raw::Number(n * n) },
        ];
        let is_exec = n % 10 == 3;
        builder
            .push(&Row {
                time_ns: 1000 + n * 300 - if n % 20 == 9 { 700 } else { 0 },
                event: if is_exec { exec() } else { openat() },
                cpu: (n % 3) as u16,
                context: contexts[n as usize % 3],
                ret: if n % 4 == 0 { -2 } else { n as i64 },
                scopes: if is_exec { 256 } else { 0 },
                marks: Marks(if n % 9 == 0 { Marks::FAULT } else { 0 }),
                duration_ns: duration(n),
                args: if is_exec { &args[1..2] } else { &args },
            })
            .unwrap();
    }
    builder
}

fn capture(rows: &[u64]) -> Vec<u8> {
    let header =
        Header { program: "test".into(), schema: current_schema(), clock: CLOCK, ..Header::default() };
    let mut writer = Writer::create(Vec::new(), &header).unwrap();
    let mut encoder = Encoder::new(Options::default());
    for rows in rows {
        writer.block(&encoder.encode(&mut builder(*rows)).unwrap()).unwrap();
    }
    writer.finish().unwrap().0
}

#[test]
fn rows_come_back_in_time_order_with_all_they_had() {
    for rows in [0, 1, 2, 21, 3000, 20_000] {
        let capture = Capture::from_bytes(capture(&[rows])).unwrap();
        assert_eq!(*capture.completeness(), Completeness::Finished);
        let mut scratch = Scratch::new();
        // Twice, for the buffers that are reused.
        for _ in 0..2 {
            let block = capture.block(0, &mut scratch).unwrap();
            assert_eq!((block.rows(), block.clock()), (rows as usize, CLOCK));
            assert!(block.times().unwrap().is_sorted());
            let mut expected: Vec<u64> = (0..rows).collect();
            expected.sort_by_key(|n| 1000 + n * 300 - if n % 20 == 9 { 700 } else { 0 });
            let mut ordinals = [0; 2];
            for (row, n) in expected.into_iter().enumerate() {
                let is_exec = n % 10 == 3;
                let code = block.event_codes().unwrap()[row];
                let event = block.event_list()[code as usize];
                assert_eq!(event, if is_exec { exec() } else { openat() });
                assert_eq!(block.cpus().unwrap()[row], (n % 3) as u16);
                let contexts = block.contexts().unwrap();
                let context_code = block.context_codes().unwrap()[row];
                assert_eq!(contexts.get(context_code), Some(context(10 + n as u32 % 3)));
                assert_eq!(block.rets().unwrap()[row], if n % 4 == 0 { -2 } else { n as i64 });
                assert_eq!(block.scopes().unwrap()[row], if is_exec { 256 } else { 0 });
                assert_eq!(block.durations().unwrap().get(row), duration(n));
                assert_eq!(block.marks().unwrap()[row], if n % 9 == 0 { Marks::FAULT } else { 0 });
                let path = format!("/etc/file{}", n % 50);
                let path = if n % 7 == 0 { Raw::Number(0xdead) } else { Raw::Bytes(path.as_bytes()) };
                let number = if n % 5 == 0 { Raw::Missing } else { Raw::Number(n * n) };
                let args = block.args(code);
                let ordinal = ordinals[usize::from(is_exec)];
                ordinals[usize::from(is_exec)] += 1;
                if is_exec {
                    assert_eq!(args.get(ordinal, 0).unwrap(), path);
                } else {
                    assert_eq!(args.get(ordinal, 0).unwrap(), Raw::Number(-100i64 as u64));
                    assert_eq!(args.get(ordinal, 1).unwrap(), path);
                    assert_eq!(args.get(ordinal, 2).unwrap(), number);
                }
                assert_eq!(args.get(ordinal, 3).unwrap(), Raw::Missing);
            }
        }
    }
}

#[test]
fn only_the_columns_that_are_asked_for_are_decompressed() {
    let capture = Capture::from_bytes(capture(&[60_000])).unwrap();
    let mut scratch = Scratch::new();
    let block = capture.block(0, &mut scratch).unwrap();
    assert_eq!(block.decompressed(), 0);
    block.event_codes().unwrap();
    block.context_codes().unwrap();
    let codes = block.decompressed();
    assert!(codes <= 120_100, "{codes} bytes for two columns of a byte each");
    let code = block.event_list().iter().position(|e| *e == openat()).unwrap() as u16;
    assert!(matches!(block.args(code).column(0).unwrap(), ColumnView::Constant { rows: 54_000, number: _ }));
    assert_eq!(block.decompressed(), codes, "a constant costs nothing");
}

/// All that a block says.
fn text(block: &Block) -> String {
    let mut text = format!("{:?} {} {:?}\n", block.clock(), block.host(), block.event_list());
    for context in block.contexts().unwrap().iter() {
        text += &format!("{context:?}\n");
    }
    let fixed = (block.event_codes().unwrap(), block.context_codes().unwrap(), block.times().unwrap());
    text += &format!("{fixed:?} {:?} {:?}\n", block.cpus().unwrap(), block.rets().unwrap());
    text += &format!("{:?} {:?}\n", block.scopes().unwrap(), block.marks().unwrap());
    for code in 0..block.event_list().len() as u16 {
        for ordinal in 0..block.rows_of(code) {
            let args = (0..3).map(|position| block.args(code).get(ordinal, position).unwrap());
            text += &format!("{:?}\n", args.collect::<Vec<_>>());
        }
    }
    text
}

#[test]
fn a_block_that_was_just_encoded_reads_as_it_does_from_a_file() {
    let schema = Schema::current();
    for rows in [0, 1, 500, 9000] {
        let encoded = Arc::new(Encoder::new(Options::default()).encode(&mut builder(rows)).unwrap());
        let statistics = encoded.statistics().clone();
        let block = Block::from_encoded(encoded, &schema, &mut Scratch::new()).unwrap();
        let capture = Capture::from_bytes(capture(&[rows])).unwrap();
        let of_file = capture.block(0, &mut Scratch::new()).unwrap();
        drop(capture);
        // Neither needs what it came from any more.
        assert_eq!(std::thread::spawn(move || text(&block)).join().unwrap(), text(&of_file));
        assert_eq!(statistics.rows, rows);
    }
}

#[test]
fn statistics_tell_failed_calls_and_parts_of_texts() {
    let encoded = Encoder::new(Options::default()).encode(&mut builder(100)).unwrap();
    let it = encoded.statistics();
    // Every fourth row fails; of those, rows 3, 13, ... are execs.
    assert_eq!((it.failed_of(openat()), it.failed_of(exec())), (Some(25), Some(0)));
    let texts = it.argument_texts.as_ref().unwrap();
    assert!(texts.may_contain(b"/etc/file42") && texts.may_contain_part(b"c/fi", false, false));
    assert!(!texts.may_contain_part(b"shadow", false, false) && !texts.may_contain(b"/etc/fil"));
}

#[test]
fn the_index_says_what_a_block_has() {
    let capture = Capture::from_bytes(capture(&[100, 2])).unwrap();
    let [first, second] = capture.blocks() else { panic!("two blocks") };
    let (first, second) = (&first.statistics, &second.statistics);
    assert_eq!((first.rows, first.rows_of(openat()), first.rows_of(exec())), (100, 90, 10));
    assert_eq!((second.rows, second.rows_of(exec()), second.first_ns, second.last_ns), (2, 0, 1000, 1300));
    let names = |texts: &Texts| -> Vec<String> {
        texts.exact().unwrap().iter().map(|text| String::from_utf8_lossy(text).into_owned()).collect()
    };
    assert_eq!(names(&first.comms), ["cat", "ls"]);
    assert_eq!(names(&first.exes), ["/usr/bin/ls"]);
    assert_eq!(first.pids, Numbers::Exact(vec![10, 11, 12]));
    assert_eq!(first.cgroups, Numbers::Exact(vec![1 << 40]));
    assert!(first.uids.may_contain(1000) && !first.uids.may_contain(0));
}

#[test]
fn records_beside_the_events_come_back() {
    let header = Header { program: "test".into(), schema: current_schema(), ..Header::default() };
    let mut writer = Writer::create(Vec::new(), &header).unwrap();
    let process = Process {
        pid: 1,
        comm: b"init".to_vec(),
        argv: b"init\0".to_vec(),
        fds: vec![(0, b"/dev/null".to_vec())],
        ..Process::default()
    };
    let container = Container { id: "ab".repeat(32), name: "web".into(), ..Container::default() };
    let cgroup = Cgroup { id: 9, path: "/docker/x".into(), container: Some(container), ..Cgroup::default() };
    let loss = Loss {
        host: 0,
        from_ns: 1,
        to_ns: 2,
        cpu: Some(3),
        event: Some(openat()),
        count: 4,
        cause: "buffer full".into(),
    };
    let user = User { host: 0, uid: 0, name: "root".into() };
    writer.side(&Side::Processes(vec![process.clone(); 5000])).unwrap();
    writer.side(&Side::Cgroups(vec![cgroup.clone()])).unwrap();
    writer.side(&Side::Losses(vec![loss.clone()])).unwrap();
    writer.side(&Side::Users(vec![user.clone()])).unwrap();
    let (bytes, finished) = writer.finish().unwrap();
    assert_eq!(finished.bytes, bytes.len() as u64);
    let unfinished = bytes[..bytes.len() - 8].to_vec();
    for bytes in [bytes, unfinished] {
        let capture = Capture::from_bytes(bytes).unwrap();
        assert!(capture.schema().event(openat()).is_some_and(|event| event.name == "openat"));
        assert_eq!(*capture.header(), Header { schema: Vec::new(), ..header.clone() });
        assert_eq!(capture.processes(), vec![process.clone(); 5000]);
        assert_eq!(capture.cgroups(), std::slice::from_ref(&cgroup));
        assert_eq!(capture.losses(), std::slice::from_ref(&loss));
        assert_eq!(capture.users(), std::slice::from_ref(&user));
    }
}

#[test]
fn a_file_that_ends_early_reads_up_to_its_last_whole_block() {
    let bytes = capture(&[5000, 300, 4]);
    let ends: Vec<u64> =
        Capture::from_bytes(bytes.clone()).unwrap().blocks().iter().map(|b| b.offset + b.bytes).collect();
    for (end, blocks) in
        [(ends[2], 3), (ends[2] + 5, 3), (ends[2] - 1, 2), (ends[0] + 70, 1), (ends[0], 1), (ends[0] - 1, 0)]
    {
        let capture = Capture::from_bytes(bytes[..end as usize].to_vec()).unwrap();
        let Completeness::Salvaged { what, .. } = capture.completeness() else { panic!("cut at {end}") };
        assert!(what.ends_with("the recording was not finished"), "{what}");
        assert_eq!(capture.blocks().len(), blocks, "cut at {end}");
        let mut scratch = Scratch::new();
        for at in 0..blocks {
            let block = capture.block(at, &mut scratch).unwrap();
            assert_eq!(block.rets().unwrap().len(), block.rows());
        }
    }
}

/// The same paths as descriptors of two events, and as a text of a third.
#[test]
fn texts_that_columns_share_are_stored_once() {
    let events = ["read", "close", "openat"].map(|name| catalogue::by_name(name).unwrap().id);
    let mut builder = BlockBuilder::new();
    builder.set_clock(CLOCK);
    let context = builder.intern(&context(10));
    let value = |n: u64| {
        let path = format!("/usr/share/doc/{}", n / 3);
        ([&(3 + n % 2).to_le_bytes()[..], path.as_bytes()].concat(), path)
    };
    let args_of = |n: u64| -> [Option<Vec<u8>>; 2] {
        let (descriptor, path) = value(n);
        match n % 3 {
            // Some descriptors have their number alone, and some rows have nothing.
            0 | 1 if n % 10 == 9 => [None, None],
            0 | 1 => [Some(descriptor), None],
            _ => [None, Some(path.into_bytes())],
        }
    };
    for n in 0..6000u64 {
        let args = args_of(n);
        let args = [
            args[0].as_deref().map_or(if n % 4 == 0 { Raw::Missing } else { Raw::Number(n) }, Raw::Bytes),
            args[1].as_deref().map_or(Raw::Missing, Raw::Bytes),
        ];
        let (time_ns, event) = (1000 + n, events[(n % 3) as usize]);
        let row = Row {
            time_ns,
            event,
            cpu: 0,
            context,
            ret: 0,
            scopes: 0,
            marks: Marks(0),
            duration_ns: None,
            args: &args,
        };
        builder.push(&row).unwrap();
    }
    let header = Header { schema: current_schema(), ..Header::default() };
    let mut writer = Writer::create(Vec::new(), &header).unwrap();
    writer.block(&Encoder::new(Options::default()).encode(&mut builder).unwrap()).unwrap();
    let capture = Capture::from_bytes(writer.finish().unwrap().0).unwrap();
    let mut scratch = Scratch::new();
    let block = capture.block(0, &mut scratch).unwrap();
    for n in 0..6000u64 {
        let code = block.event_codes().unwrap()[n as usize];
        let args = args_of(n);
        let read = block.args(code);
        for (position, expected) in args.iter().enumerate() {
            let read = read.get((n / 3) as usize, position).unwrap();
            match expected {
                Some(bytes) => assert_eq!(read, Raw::Bytes(bytes), "row {n}, argument {position}"),
                None => assert!(!matches!(read, Raw::Bytes(_)), "row {n}, argument {position}"),
            }
        }
    }
    let sizes = block.column_sizes();
    let raw = |wanted: &dyn Fn(&format::ColumnSize) -> bool| -> u64 {
        sizes.iter().filter(|size| wanted(size)).map(|size| size.raw).sum()
    };
    let texts = raw(&|size| size.column == format::ColumnName::Texts);
    let paths = raw(&|size| {
        size.event.is_some_and(|it| it.event == events[2]) && size.column == format::ColumnName::Argument(1)
    });
    assert!(texts > 2000, "2,000 paths share little more than their beginning: {texts}");
    assert!(paths > 0 && paths < 5000, "openat's own column has codes and no paths: {paths}");
}
