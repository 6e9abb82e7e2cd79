//! Rows of the reference pages, character by character.

use std::sync::LazyLock;

use events::args::{Arg, ArgKind};
use events::event::Returns;
use events::{Context, Event, EventId, Marks, Raw, Sets, Source, catalogue};
use pipeline::source::Host;
use pipeline::{Args, Container, EventView, Output};
use replay::render::clock::Clock;
use replay::render::{Format, Printer, Style};

static HOST: LazyLock<Host> = LazyLock::new(Host::default);

static EXIT: Event = Event {
    id: EventId(1002),
    name: "sched_process_exit",
    source: Source::Tracepoint("sched_process_exit"),
    sets: Sets::of(&[]),
    args: &[
        Arg::new("exit_code", "long", ArgKind::I64),
        Arg::new("process_group_exit", "bool", ArgKind::Bool),
    ],
    returns: Returns::Nothing,
};

static EXEC: Event = Event {
    id: EventId(1001),
    name: "security_bprm_creds_for_exec",
    source: Source::Tracepoint("sched_process_exec"),
    sets: Sets::of(&[]),
    args: &[
        Arg::new("pathname", "const char*", ArgKind::Str),
        Arg::new("argv", "const char**", ArgKind::StrArray),
        Arg::new("addr", "void*", ArgKind::Pointer),
        Arg::new("env", "const char**", ArgKind::StrArray),
    ],
    returns: Returns::Nothing,
};

const WALL: i64 = 1_668_542_955_041_923_000;

fn id() -> Context<'static> {
    Context {
        pid: 471_990,
        tid: 471_991,
        ppid: 470_503,
        ns_pid: 471_990,
        ns_tid: 471_991,
        ns_ppid: 470_503,
        uid: 1000,
        mnt_ns: 4_026_531_841,
        pid_ns: 4_026_531_836,
        cgroup_id: 42,
        thread_start_ns: 900,
        process_start_ns: 800,
        parent_start_ns: 700,
        comm: b"id",
        exe: b"/usr/bin/id",
        uts: b"hb",
        ..Context::default()
    }
}

fn in_container() -> (Context<'static>, Container) {
    let context = Context {
        pid: 902_559,
        ns_pid: 8,
        tid: 902_559,
        ns_tid: 8,
        ns_ppid: 1,
        uts: b"e9cf0db70635",
        ..id()
    };
    let container = Container {
        id: "e9cf0db706352b26d08bc0c10cd1d7c31b5d28ac0b8ee7d5c0d1d4bd9a2b0ee1".into(),
        name: "pinger".into(),
        image: "alpine:3.20".into(),
        ..Container::default()
    };
    (context, container)
}

fn view<'a>(event: &'static Event, context: &'a Context<'a>, args: &'a [Raw<'a>]) -> EventView<'a> {
    EventView {
        at: pipeline::RowRef::default(),
        time_ns: 1_000,
        wall_ns: WALL,
        event,
        context,
        context_index: 0,
        host: &HOST,
        container: None,
        cpu: 3,
        ret: 0,
        scopes: 1 << 2,
        duration_ns: None,
        recorded: 0,
        marks: Marks(0),
        args: Args::List(args),
        base: None,
    }
}

fn print(format: Format, style: Style, views: &[EventView<'_>]) -> String {
    let printer = Printer { format, style };
    let mut out = printer.header();
    let mut renderer = printer.renderer();
    renderer.block();
    views.iter().for_each(|view| renderer.event(view, &mut out));
    String::from_utf8(out).expect("output is UTF-8")
}

fn utc() -> Style {
    Style { clock: Clock::Utc, ..Style::default() }
}

const EXIT_ARGS: &[Raw<'static>] = &[Raw::Number(0), Raw::Number(1)];

#[test]
fn a_table_has_the_columns_of_the_reference() {
    let context = id();
    insta::assert_snapshot!(print(Format::Table, utc(), &[view(&EXIT, &context, EXIT_ARGS)]));
}

#[test]
fn a_verbose_table_shows_scopes_and_namespaces() {
    let context = id();
    let mut event = view(&EXIT, &context, EXIT_ARGS);
    event.scopes = 1 << 41;
    insta::assert_snapshot!(print(Format::TableVerbose, utc(), &[event]));
}

#[test]
fn with_containers_ids_come_in_pairs() {
    let (context, container) = in_container();
    let event = EventView { container: Some(&container), ..view(&EXIT, &context, EXIT_ARGS) };
    let style = |images| Style { containers: true, images, ..utc() };
    insta::assert_snapshot!(print(Format::Table, style(false), &[event]));
    insta::assert_snapshot!(print(Format::TableVerbose, style(true), &[event]));
}

#[test]
fn a_plain_table_shortens_long_event_names_and_a_verbose_one_does_not() {
    let context = id();
    let args = [Raw::Bytes(b"/bin/ls\n"), Raw::Bytes(b"ls\0--color=auto\0"), Raw::Number(0x10), Raw::Missing];
    let event = view(&EXEC, &context, &args);
    insta::assert_snapshot!(print(Format::Table, utc(), &[event]));
    insta::assert_snapshot!(print(Format::TableVerbose, utc(), &[event]));
}

#[test]
fn json_has_the_keys_of_the_reference_in_their_order_and_ours_after_them() {
    let (context, container) = in_container();
    let args = [Raw::Bytes(b"/bin/l\xff"), Raw::Bytes(b"ls\0\0"), Raw::Number(0x10), Raw::Missing];
    let event =
        EventView { container: Some(&container), scopes: 1 << 63 | 4, ..view(&EXEC, &context, &args) };
    let style = Style { policies: vec![(3, "etc-writes".into()), (4, "other".into())], ..utc() };
    let line = print(Format::Json, style, &[event]);
    let read: serde_json::Value = serde_json::from_str(&line).expect("a line is JSON");
    assert_eq!(read["matchedScopes"].as_u64(), Some(1 << 63 | 4));
    insta::assert_snapshot!(serde_json::to_string_pretty(&read).expect("JSON"));
}

fn named(name: &str) -> &'static Event {
    catalogue::by_name(name).expect("an event of the catalogue")
}

#[test]
fn tables_name_flags_and_addresses_unless_asked_not_to() {
    let context = id();
    let open = [
        Raw::Number(-100i64 as u64),
        Raw::Bytes(b"/etc/ld.so.cache"),
        Raw::Number(0x48_0000),
        Raw::Number(0),
    ];
    let address = [2, 0, 0, 80, 127, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0];
    let connect = [Raw::Number(3), Raw::Bytes(&address), Raw::Number(16)];
    let trace = [Raw::Number(0), Raw::Number(0), Raw::Number(0), Raw::Number(0)];
    let events = [
        EventView { ret: 3, ..view(named("openat"), &context, &open) },
        EventView { ret: -111, ..view(named("connect"), &context, &connect) },
        view(named("anti_debugging"), &context, &trace),
    ];
    insta::assert_snapshot!(print(Format::Table, utc(), &events));
    insta::assert_snapshot!(print(Format::Table, Style { raw_arguments: true, ..utc() }, &events));
    assert!(
        print(Format::Table, Style { errno: true, ..utc() }, &events).contains("-111 ECONNREFUSED connect ")
    );
}

#[test]
fn descriptors_show_what_they_stand_for_unless_numbers_are_asked_for() {
    let context = id();
    let file = [&3_u64.to_le_bytes()[..], b"/etc/pass\"wd\x1b"].concat();
    let socket = [&5_u64.to_le_bytes()[..], b"tcp 10.0.0.1:4242->10.0.0.2:443"].concat();
    let read = [Raw::Bytes(&file), Raw::Missing, Raw::Number(7)];
    let dup = [Raw::Bytes(&socket), Raw::Number(9)];
    let events = [view(named("read"), &context, &read), view(named("dup2"), &context, &dup)];
    let table = print(Format::Table, utc(), &events);
    // What a terminal would take for a command is shown as text.
    assert!(table.contains("fd: 3=/etc/pass\"wd") && !table.contains('\x1b'), "{table}");
    assert!(table.contains("oldfd: 5=tcp 10.0.0.1:4242->10.0.0.2:443, newfd: 9"), "{table}");
    let table = print(Format::Table, Style { raw_arguments: true, ..utc() }, &events);
    assert!(table.contains("fd: 3, buf") && table.contains("oldfd: 5, newfd: 9"), "{table}");
    let values = |style: Style| -> Vec<serde_json::Value> {
        let lines = print(Format::Json, style, &events);
        let read = |line| -> serde_json::Value { serde_json::from_str(line).expect("a line is JSON") };
        lines.lines().map(|line| read(line)["args"][0].clone()).collect()
    };
    let first = |values: &[serde_json::Value]| (values[0]["type"].clone(), values[0]["value"].clone());
    assert_eq!(first(&values(utc())), ("int".into(), 3.into()));
    let parsed = values(Style { parse_arguments: true, ..utc() });
    assert_eq!(first(&parsed), ("string".into(), "3=/etc/pass\"wd\u{1b}".into()));
    assert_eq!(parsed[1]["value"], "5=tcp 10.0.0.1:4242->10.0.0.2:443");
}

#[test]
fn json_has_raw_numbers_and_names_only_when_asked() {
    let context = id();
    let open = [Raw::Number(-100i64 as u64), Raw::Bytes(b"/x"), Raw::Number(0x48_0000), Raw::Number(0)];
    let address = [2, 0, 0, 80, 127, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0];
    let connect = [Raw::Number(3), Raw::Bytes(&address), Raw::Number(16)];
    let mmap = [Raw::Number(0x7f00_0000), Raw::Number(4096), Raw::Number(5), Raw::Number(2)];
    let events = [
        view(named("openat"), &context, &open),
        view(named("connect"), &context, &connect),
        view(named("mmap"), &context, &mmap),
    ];
    let args = |style: Style| {
        let lines = print(Format::Json, style, &events);
        let args = lines.lines().map(|line| {
            let read: serde_json::Value = serde_json::from_str(line).expect("a line is JSON");
            read["args"].to_string()
        });
        args.collect::<Vec<_>>().join("\n")
    };
    insta::assert_snapshot!(args(utc()));
    insta::assert_snapshot!(args(Style { parse_arguments: true, ..utc() }));
}

#[test]
fn a_ping_is_told_as_in_the_reference() {
    let packet = [
        0x45, 0, 0, 28, 0, 0, 0, 0, 64, 1, 0, 0, 172, 17, 0, 2, 8, 8, 8, 8, // IPv4
        8, 0, 0x95, 0x71, 0, 8, 0, 0, // echo request
    ];
    let base = [Raw::Bytes(&packet)];
    let rules = pipeline::derive::Rules::new(|event| u64::from(event.name == "net_packet_icmp"));
    let mut derived = pipeline::derive::Derived::default();
    let base = pipeline::derive::Base {
        event: named("net_packet"),
        args: Args::List(&base),
        ret: 0,
        messages: &[],
        exe: b"",
        only_messages: false,
    };
    rules.derive(&base, 1, &mut derived);
    let mut values = Vec::new();
    let event = derived.get(0, &mut values).expect("a ping");
    let (context, container) = in_container();
    let event = EventView { container: Some(&container), ..view(event, &context, &values) };
    let style = |format| (format, Style { containers: true, ..utc() });
    let (format, containers) = style(Format::Table);
    insta::assert_snapshot!(print(format, containers, &[event]));
    let (format, containers) = style(Format::Json);
    let line: serde_json::Value = serde_json::from_str(&print(format, containers, &[event])).expect("JSON");
    insta::assert_snapshot!(line["args"].to_string());
}

/// A table of one exec with this path and these arguments, without its header and the columns before the arguments.
fn shown(pathname: &[u8], argv: &[u8], marks: Marks) -> String {
    let (context, args) = (id(), [Raw::Bytes(pathname), Raw::Bytes(argv), Raw::Number(0x7ffe), Raw::Missing]);
    let row = EventView { marks, ..view(&EXEC, &context, &args) };
    let table = print(Format::Table, utc(), &[row]);
    let row = table.lines().nth(1).expect("a row");
    row.split_once("pathname: ").expect("its arguments").1.to_owned()
}

#[test]
fn no_name_in_a_table_can_be_taken_for_anything_else() {
    let names: [&[u8]; 10] = [
        b"/bin/x, argv: [true], addr: 0x0",
        b"/bin/a\\x0ab",
        b"/bin/a\nb\x1b[2J",
        b"/bin/x (cut)",
        b"/bin/x (deleted)",
        "/bin/a\u{61c}b\u{200b}c\u{feff}d\u{ad}e\u{e0041}f".as_bytes(),
        "/bin/Gr\u{fc}\u{df}e \u{65e5}\u{672c}".as_bytes(),
        b"/bin/\xff\xfe",
        b"/bin/ordinary name, with commas:colons (and more)",
        b"/bin/x, marks: blocked",
    ];
    let rows: Vec<String> = names.iter().map(|name| shown(name, b"x\0", Marks(0))).collect();
    insta::assert_snapshot!(rows.join("\n"));
}

#[test]
fn what_a_table_shows_of_a_name_can_be_asked_for() {
    for name in
        [&b"/bin/x, argv: [true]"[..], b"/a\\x0ab", b"/a\nb", b"/x (cut)", b"/\xff", "/a\u{61c}b".as_bytes()]
    {
        let row = shown(name, b"x\0", Marks(0));
        let (text, _) = row.rsplit_once(", argv: [x]").expect("a path");
        // Commas and stars part and widen values.
        let filter = format!("security_bprm_check.pathname={}", text.replace("\\,", ",").replace(',', "\\,"));
        let set = scopes::ScopeSet::parse(&[&filter]).expect("a filter");
        let plan = scopes::Plan::compile(&set);
        let event = named("security_bprm_check");
        let position = event.arg("pathname").expect("an argument").0;
        assert_eq!(plan.arg_mask(event.id, position, Raw::Bytes(name)) & 1, 1, "{filter}");
    }
}

#[test]
fn marks_stand_beside_what_they_are_about() {
    let cut = Marks(0).cut_arg(1).lost_arg(2).lost_arg(3);
    let row = shown(b"/bin/true", b"true\0AAAA\0", Marks(cut.0 | Marks::BLOCKED | Marks::LATE));
    assert_eq!(
        row,
        "/bin/true, argv: [true AAAA] (cut), addr: 0x7ffe, env: <nil> (unreadable), marks: blocked|late"
    );
    // Nothing that is common is said of a row.
    assert!(!shown(b"/bin/true", b"true\0", Marks(Marks::STAND_IN | Marks::COMPAT)).contains("marks"));
    let (context, args) =
        (id(), [Raw::Bytes(b"/bin/true"), Raw::Bytes(b"true\0"), Raw::Number(1), Raw::Missing]);
    let json = |marks| print(Format::Json, utc(), &[EventView { marks, ..view(&EXEC, &context, &args) }]);
    let line = json(Marks(cut.0 | Marks::BLOCKED));
    let expected = r#","marks":{"cut":["argv"],"unreadable":["env"],"event":["blocked"]}}"#;
    assert!(line.trim_end().ends_with(expected), "{line}");
    serde_json::from_str::<serde_json::Value>(line.trim_end()).expect("JSON");
    assert!(!json(Marks(0)).contains("\"marks\""));
}
