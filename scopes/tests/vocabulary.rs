//! What filters name beside the catalogue: lists of values, events that only a capture declares, marks of rows.

use std::collections::HashMap;

use events::{Arg, ArgKind, Context, Event, EventId, Marks, Raw, Returns, Sets, Source, catalogue};
use scopes::filter::Target;
use scopes::plan::RowFacts;
use scopes::{Diagnostic, Plan, ScopeSet, Subject, Vocabulary};

/// Checks filters with lists of these names.
fn listed(filters: &[&str], lists: &[(&str, &[u8])]) -> Result<ScopeSet, Vec<Diagnostic>> {
    let lists: HashMap<&str, &[u8]> = lists.iter().copied().collect();
    let read = |name: &str| lists.get(name).map(|bytes| bytes.to_vec()).ok_or("no such file".to_owned());
    let vocabulary = Vocabulary { lists: Some(&read), ..Vocabulary::default() };
    ScopeSet::with_vocabulary::<_, &str, &str>(filters, &[], vocabulary)
}

fn said(wrong: Result<ScopeSet, Vec<Diagnostic>>) -> String {
    let messages: Vec<String> = wrong.unwrap_err().iter().map(ToString::to_string).collect();
    messages.join("\n")
}

fn mask(set: &ScopeSet, context: &Context<'_>) -> u64 {
    Plan::compile(set).context_mask(&Subject::of(context))
}

fn comm(text: &[u8]) -> Context<'_> {
    Context { comm: text, ..Context::default() }
}

#[test]
fn a_list_is_its_values_one_a_line() {
    let list = b"\xef\xbb\xbf# indicators\nevil\r\n  miner*  \n\n@at\na,b\nx\xff\n" as &[u8];
    let set = listed(&["9:comm=ls,@iocs"], &[("iocs", list)]).unwrap();
    for (text, expected) in [
        (b"evil" as &[u8], 1 << 8),
        (b"miner-7", 1 << 8),
        (b"@at", 1 << 8),
        (b"a,b", 1 << 8),
        (b"x\xff", 1 << 8),
        (b"ls", 1 << 8),
        (b"# indicators", 0),
        (b"", 0),
        (b"a", 0),
    ] {
        assert_eq!(mask(&set, &comm(text)), expected, "{}", String::from_utf8_lossy(text));
    }
    let set = listed(&["uid!=@ids", "openat.pathname=@paths"], &[("ids", b"0\n0x3e8"), ("paths", b"/etc/*")])
        .unwrap();
    assert_eq!(mask(&set, &Context { uid: 1000, ..Context::default() }), 0);
    assert_eq!(mask(&set, &Context { uid: 7, ..Context::default() }), 1);
}

#[test]
fn a_filter_means_the_same_with_its_list_spelled_out() {
    let list = b"evil\na,b\n@at\nback\\\nx*" as &[u8];
    let filters = ["3:comm=ls,@iocs", "3:uid>0"];
    let set = listed(&filters, &[("iocs", list)]).unwrap();
    let spelled = set.without_lists(&filters);
    assert_eq!(spelled, [r"3:comm=ls,evil,a\,b,\@at,back\\,x*", "3:uid>0"]);
    let again = ScopeSet::parse(&spelled).unwrap();
    for text in [b"evil" as &[u8], b"a,b", b"@at", b"back\\", b"xyz", b"ls", b"b"] {
        let context = Context { uid: 5, ..comm(text) };
        assert_eq!(mask(&set, &context), mask(&again, &context));
    }
    assert!(set.is_within(&again) && again.is_within(&set));
}

#[test]
fn what_is_wrong_in_a_list_is_told_with_its_line() {
    let wrong = said(listed(&["uid=@ids"], &[("ids", b"0\n\nroot\n7x\n# 9x\n5000000000")]));
    let expected = "\"7x\" is neither a number nor a user's name in ids:4 7x\n  ids:4 7x\n        ^^";
    assert!(wrong.contains(expected), "{wrong}");
    assert!(wrong.contains("5000000000 does not fit in ids:6"), "{wrong}");
    assert_eq!(wrong.matches("error").count(), 2, "{wrong}");
    assert!(said(listed(&["comm=@none"], &[])).contains("the list \"none\" cannot be read: no such file"));
    assert!(said(listed(&["comm=@empty"], &[("empty", b"# nothing\n\n")])).contains("holds no value"));
    assert!(said(listed(&["comm=@"], &[])).contains("a list without a name"));
    assert!(
        said(listed(&["comm=@all"], &[("all", b"ls\n*")])).contains("a lone `*` filters nothing in all:2")
    );
    let many = "x y\n".repeat(1000);
    let wrong = said(listed(&["uid=@many"], &[("many", many.as_bytes())]));
    assert_eq!(wrong.matches("error: ").count(), 20, "{wrong}");
    assert!(wrong.contains("and 980 more lines of many are wrong"), "{wrong}");
}

#[test]
fn without_lists_an_at_sign_is_itself() {
    let set = ScopeSet::parse(&["comm=@x"]).unwrap();
    assert_eq!((mask(&set, &comm(b"@x")), mask(&set, &comm(b"x"))), (1, 0));
    assert_eq!(mask(&listed(&[r"comm=\@x"], &[]).unwrap(), &comm(b"@x")), 1);
}

const fn declared(id: u16, name: &'static str, args: &'static [Arg]) -> Event {
    Event {
        id: EventId(id),
        name,
        source: Source::Recorder,
        sets: Sets::of(&[]),
        args,
        returns: Returns::Nothing,
    }
}

static MINE: Event = declared(
    0x8000,
    "my_detection",
    &[Arg::new("reason", "string", ArgKind::Str), Arg::new("score", "int", ArgKind::I64)],
);
static OTHER: Event = declared(0x8001, "my_detection", &[Arg::new("why", "string", ArgKind::Str)]);

fn with_declared(filters: &[&str]) -> Result<ScopeSet, Vec<Diagnostic>> {
    let vocabulary = Vocabulary { declared: &[&MINE, &OTHER], ..Vocabulary::default() };
    ScopeSet::with_vocabulary::<_, &str, &str>(filters, &[], vocabulary)
}

#[test]
fn events_that_only_a_capture_declares_are_asked_like_all_others() {
    let events = |filters: &[&str]| {
        let plan = Plan::compile(&with_declared(filters).unwrap());
        let mask = |id| plan.event_mask(id);
        let openat = catalogue::by_name("openat").unwrap().id;
        (mask(MINE.id), mask(OTHER.id), mask(openat))
    };
    assert_eq!(events(&["event=my_detection"]), (1, 1, 0));
    assert_eq!(events(&["event=my_*"]), (1, 1, 0));
    assert_eq!(events(&["event!=my_*"]), (0, 0, 1));
    assert_eq!(events(&["comm=ls"]), (1, 1, 1));
    assert_eq!(events(&["event=*"]), (1, 1, 1));
    // Only one of the two declarations has it.
    assert_eq!(events(&["my_detection.reason=a*"]), (1, 0, 0));
    assert_eq!(events(&["my_detection.why=a*"]), (0, 1, 0));
    let plan = Plan::compile(&with_declared(&["my_detection.reason=a*", "my_detection.score>=7"]).unwrap());
    let args = |text: &'static [u8], score| {
        plan.arg_mask(MINE.id, 0, Raw::Bytes(text))
            & plan.arg_mask(MINE.id, 1, Raw::Number(score))
            & plan.scopes()
    };
    assert_eq!((args(b"abc", 7), args(b"abc", 6), args(b"bc", 7)), (1, 0, 0));
    let wrong = said(with_declared(&["my_detecton.reason=a"]));
    assert!(wrong.contains("did you mean \"my_detection\"?"), "{wrong}");
    let wrong = said(with_declared(&["my_detection.reson=a"]));
    assert!(wrong.contains("did you mean \"reason\"?"), "{wrong}");
}

#[test]
fn every_event_is_every_event_and_none_is_a_mistake() {
    let plan = Plan::compile(&ScopeSet::parse(&["event=*"]).unwrap());
    let id = |name: &str| catalogue::by_name(name).unwrap().id;
    assert_eq!((plan.event_mask(id("openat")), plan.event_mask(id("anti_debugging"))), (1, 1));
    assert_eq!(plan.event_mask(EventId(60_000)), 1);
    assert!(said(ScopeSet::parse(&["event!=*"])).contains("scope 1 can never match"));
    let plan = Plan::compile(&ScopeSet::parse(&["event=*", "event!=openat"]).unwrap());
    assert_eq!((plan.event_mask(id("openat")), plan.event_mask(id("close"))), (0, 1));
}

#[test]
fn derived_events_are_rows_where_a_file_holds_them() {
    let plan =
        Plan::compile(&ScopeSet::parse(&["1:comm=ping", "2:event!=ptrace", "3:event=openat"]).unwrap());
    let id = catalogue::by_name("anti_debugging").unwrap().id;
    assert_eq!((plan.event_mask(id), plan.stored_event_mask(id)), (0, 0b11));
    let plan = Plan::compile(&ScopeSet::parse(&["event!=anti_debugging"]).unwrap());
    assert_eq!((plan.event_mask(id), plan.stored_event_mask(id)), (0, 0));
}

/// The scopes of a row of this event with these marks.
fn marked(filters: &[&str], event: &str, marks: Marks) -> u64 {
    let plan = match ScopeSet::parse(filters) {
        Ok(set) => Plan::compile(&set),
        Err(wrong) => panic!("{wrong:#?}"),
    };
    let id = catalogue::by_name(event).unwrap().id;
    let mask = plan.event_mask(id);
    if plan.has_row(id) == 0 {
        mask
    } else {
        mask & plan.row_mask(id, RowFacts { wall_ns: 0, cpu: 0, marks, duration_ns: None })
    }
}

#[test]
fn marks_are_asked_of_rows_of_events_and_of_arguments() {
    let exec = catalogue::by_name("sched_process_exec").unwrap();
    let (argv, env) = (exec.arg("argv").unwrap().0, exec.arg("env").unwrap().0);
    let of = |filter: &str, marks| marked(&[filter], "sched_process_exec", marks);
    let with_cut = |position| exec.with_cut(Marks(0), position);
    let (none, cut) = (Marks(0), with_cut(argv));
    for filter in
        ["cut", "sched_process_exec.cut", "sched_process_exec.argv.cut", "sched_process_exec.args.argv.cut"]
    {
        assert_eq!((of(filter, cut), of(filter, none)), (1, 0), "{filter}");
        let denied = format!("!{filter}");
        assert_eq!((of(&denied, cut), of(&denied, none)), (0, 1), "{denied}");
        assert_eq!(of(&format!("{filter}=false"), none), 1);
    }
    assert_eq!(of("sched_process_exec.argv.cut", with_cut(env)), 0);
    assert_eq!(of("sched_process_exec.env.cut", with_cut(env)), 1);
    assert_eq!(of("sched_process_exec.argv.unreadable", exec.with_unreadable(Marks(0), argv)), 1);
    assert_eq!((of("lost", exec.with_unreadable(Marks(0), argv)), of("lost", cut)), (1, 0));
    let blocked = Marks(Marks::BLOCKED);
    assert_eq!(marked(&["1:blocked", "2:openat.blocked", "3:!blocked"], "openat", blocked), 0b011);
    assert_eq!(marked(&["1:blocked", "2:openat.blocked", "3:!blocked"], "close", blocked), 0b001);
    assert_eq!(marked(&["blocked", "event=close"], "close", none), 0);
    assert_eq!(marked(&["blocked", "event=close"], "openat", blocked), 0);
}

#[test]
fn marks_that_nothing_can_have_are_refused() {
    let wrong = said(ScopeSet::parse(&["openat.flags.cut"]));
    assert!(wrong.contains("flags of openat is a number: it is never cut"), "{wrong}");
    assert!(said(ScopeSet::parse(&["cut", "!cut"])).contains("can never match"));
    assert!(said(ScopeSet::parse(&["cut=maybe"])).contains("neither true nor false"));
    assert!(said(ScopeSet::parse(&["blockd"])).contains("did you mean \"blocked\"?"));
}

static LIKE_PREFIXES: Event = declared(
    0x8002,
    "like_prefixes",
    &[
        Arg::new("data", "string", ArgKind::Str),
        Arg::new("args", "string", ArgKind::Str),
        Arg::new("context", "string", ArgKind::Str),
        Arg::new("retval", "string", ArgKind::Str),
        Arg::new("reason", "string", ArgKind::Str),
        Arg::new("cut", "string", ArgKind::Str),
    ],
);

/// What a filter is about: the position of an argument, a mark, a result, or a field of the context.
fn about(filter: &str) -> String {
    let vocabulary = Vocabulary { declared: &[&LIKE_PREFIXES], ..Vocabulary::default() };
    let set = ScopeSet::with_vocabulary::<_, &str, &str>(&[filter], &[], vocabulary);
    match set.map(|set| set.scopes().next().map(|scope| scope.filters[0].target.clone())) {
        Ok(Some(Target::Arg { event, position, member })) => {
            let name = event.0.args.get(position).map_or("?", |arg| arg.name);
            if member.is_empty() { name.to_owned() } else { format!("{name} -> {member}") }
        }
        Ok(Some(Target::EventMark(_, marked))) => format!("mark {}", marked.mark.name),
        Ok(Some(Target::Ret(_))) => "the result".to_owned(),
        Ok(Some(Target::EventField(_, field))) => format!("field {field:?}"),
        other => format!("{other:?}"),
    }
}

#[test]
fn an_argument_that_is_called_like_a_prefix_is_the_argument() {
    for (filter, expected) in [
        // Of the catalogue: packets, mounts and traced tasks have `data`, and `socketcall` has `args`.
        ("net_packet.data.cut", "mark cut"),
        ("net_packet.args.data.cut", "mark cut"),
        ("net_packet.data.data.cut", "mark cut"),
        ("net_packet.data=*x*", "data"),
        ("net_packet.data.length>=9", "length"),
        ("mount.data=size*", "data"),
        ("mount.data.cut", "mark cut"),
        ("mount.data.unreadable", "mark unreadable"),
        ("mount.data.source=/dev/sda", "source"),
        ("ptrace.data=5", "data"),
        ("ptrace.data.pid=5", "pid"),
        ("ptrace.data.data=5", "data"),
        ("socketcall.args=5", "args"),
        ("socketcall.args.call=3", "call"),
        ("socketcall.args.args=5", "args"),
        ("openat.data.pathname=/x", "pathname"),
        ("openat.context.comm=ls", "field Comm"),
        ("openat.retval=0", "the result"),
        // Of a capture that declares its own.
        ("like_prefixes.data=x", "data"),
        ("like_prefixes.args=x", "args"),
        ("like_prefixes.context=x", "context"),
        ("like_prefixes.retval=x", "retval"),
        ("like_prefixes.args.retval=x", "retval"),
        ("like_prefixes.data.reason=x", "reason"),
        ("like_prefixes.context.comm=ls", "field Comm"),
        ("like_prefixes.context.cut", "mark cut"),
        ("like_prefixes.data.cut", "mark cut"),
        ("like_prefixes.cut=x", "cut"),
    ] {
        assert_eq!(about(filter), expected, "{filter}");
    }
    for wrong in [
        "openat.data=x",
        "openat.args",
        "openat.context=x",
        "mount.data.nosuch=1",
        "socketcall.args.nosuch=1",
    ] {
        assert!(ScopeSet::parse(&[wrong]).is_err(), "{wrong}");
    }
}
