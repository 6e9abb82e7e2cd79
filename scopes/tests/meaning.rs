//! What filters mean, sentence by sentence.

use events::{Context, EventId, Raw, catalogue};
use scopes::{ContainerFacts, Plan, Recording, ScopeSet, Subject};

fn plan(filters: &[&str]) -> Plan {
    match ScopeSet::parse(filters) {
        Ok(set) => Plan::compile(&set),
        Err(errors) => panic!("{}", errors.iter().map(|e| e.to_string()).collect::<Vec<_>>().join("\n")),
    }
}

fn id(name: &str) -> EventId {
    catalogue::by_name(name).unwrap().id
}

/// The scopes that a context passes.
fn context(filters: &[&str], context: &Context<'_>) -> u64 {
    plan(filters).context_mask(&Subject::of(context))
}

fn comm(text: &str) -> Context<'_> {
    Context { comm: text.as_bytes(), ..Context::default() }
}

fn uid(uid: u32) -> Context<'static> {
    Context { uid, ..Context::default() }
}

#[test]
fn scopes_are_ored_and_their_filters_are_anded() {
    let filters = ["3:comm=id", "3:uid=0", "9:comm=ls,id"];
    assert_eq!(context(&filters, &Context { uid: 0, ..comm("id") }), 0b1_0000_0100);
    assert_eq!(context(&filters, &Context { uid: 5, ..comm("id") }), 0b1_0000_0000);
    assert_eq!(context(&filters, &comm("ls")), 0b1_0000_0000);
}

#[test]
fn a_lone_exclusion_on_a_number_matches_all_others() {
    assert_eq!(context(&["uid!=1000"], &uid(0)), 1);
    assert_eq!(context(&["uid!=1000"], &uid(1000)), 0);
}

#[test]
fn an_inclusive_bound_keeps_its_end() {
    for (filter, below, at, above) in
        [("uid<=5", 1, 1, 0), ("uid>=5", 0, 1, 1), ("uid<5", 1, 0, 0), ("uid>5", 0, 0, 1)]
    {
        assert_eq!(
            (context(&[filter], &uid(4)), context(&[filter], &uid(5)), context(&[filter], &uid(6))),
            (below, at, above),
            "{filter}"
        );
    }
}

#[test]
fn several_bounds_all_hold() {
    let filters = ["uid>1", "uid>3", "uid<9", "uid<7"];
    let passing: Vec<u32> = (0..12).filter(|n| context(&filters, &uid(*n)) == 1).collect();
    assert_eq!(passing, [4, 5, 6]);
}

#[test]
fn an_equality_beside_bounds_widens_them_and_an_exclusion_beats_both() {
    let filters = ["uid=0", "uid>=1000", "uid!=1001"];
    let passing: Vec<u32> =
        [0, 1, 999, 1000, 1001, 1002].into_iter().filter(|n| context(&filters, &uid(*n)) == 1).collect();
    assert_eq!(passing, [0, 1000, 1002]);
    assert_eq!(context(&["comm=a*", "comm!=ab"], &comm("ab")), 0);
    assert_eq!(context(&["comm=a*", "comm!=ab"], &comm("ac")), 1);
}

#[test]
fn a_bound_of_one_scope_is_not_applied_to_another() {
    assert_eq!(context(&["1:uid>=1000", "2:uid=0", "3:comm=ls"], &Context { uid: 0, ..comm("ls") }), 0b110);
}

#[test]
fn a_wildcard_counts_beside_exact_values() {
    let filters = ["1:comm=ls", "2:comm=l*", "3:comm=*s", "4:comm=*l*s*"];
    assert_eq!(context(&filters, &comm("ls")), 0b1111);
    assert_eq!(context(&filters, &comm("less")), 0b1110);
    assert_eq!(context(&filters, &comm("cat")), 0);
}

#[test]
fn a_comm_of_sixteen_characters_is_cut_with_a_warning() {
    let set = ScopeSet::parse(&["comm=abcdefghijklmnop"]).unwrap();
    assert_eq!(set.warnings().len(), 1);
    assert_eq!(Plan::compile(&set).context_mask(&Subject::of(&comm("abcdefghijklmno"))), 1);
}

#[test]
fn no_thread_slips_through_a_pid_exclusion() {
    let thread = Context { pid: 10, tid: 11, ..Context::default() };
    assert_eq!(context(&["pid!=10"], &thread), 0);
    assert_eq!(context(&["pid!=11"], &thread), 0);
    assert_eq!(context(&["pid!=12"], &thread), 1);
    assert_eq!(context(&["pid=10"], &thread), 1);
    assert_eq!(context(&["pid=11"], &thread), 1);
    assert_eq!(context(&["tid=10"], &thread), 0);
    assert_eq!(context(&["pid>10"], &thread), 0);
}

#[test]
fn a_pid_can_be_pinned_to_one_process_by_its_start() {
    let first = Context { pid: 510, tid: 510, process_start_ns: 1_000_000_000, ..Context::default() };
    let second = Context { process_start_ns: 9_000_000_000, ..first };
    assert_eq!(context(&["1:pid=510", "2:pid=510@1000000000", "3:pid!=510@1000000000"], &first), 0b011);
    assert_eq!(context(&["1:pid=510", "2:pid=510@1000000000", "3:pid!=510@1000000000"], &second), 0b101);
}

#[test]
fn a_namespace_qualified_binary_is_not_hidden_by_a_plain_one() {
    let plan = plan(&[
        "1:binary=/bin/ls",
        "2:binary=host:/bin/ls",
        "3:bin=77:/bin/ls",
        "4:exec=/bin/*",
        "5:binary!=77:/bin/ls",
    ]);
    let ask = |mnt_ns| {
        let context = Context { exe: b"/bin/ls", mnt_ns, ..Context::default() };
        let recording = Recording { start_ns: 0, host_mnt_ns: Some(1) };
        plan.context_mask(&Subject { recording, ..Subject::of(&context) })
    };
    assert_eq!((ask(1), ask(77), ask(5)), (0b11011, 0b01101, 0b11001));
}

#[test]
fn containers_are_known_by_id_prefix_name_age_and_absence() {
    let filters = [
        "1:container",
        "2:!container",
        "3:not-container",
        "4:container=abc",
        "5:c=web",
        "6:container!=abc",
        "7:container=new",
        "8:container!=new",
        "9:container=started",
        "10:container!=other",
    ];
    let plan = plan(&filters);
    let context = Context::default();
    let ask = |container: Option<&ContainerFacts<'_>>| {
        let recording = Recording { start_ns: 100, host_mnt_ns: None };
        plan.context_mask(&Subject { container, recording, time_ns: 150, ..Subject::of(&context) })
    };
    let bits = |scopes: &[u8]| scopes.iter().fold(0, |all, n| all | scopes::words::bit(*n));
    assert_eq!(ask(None), bits(&[2, 3, 6, 10]));
    let new =
        ContainerFacts { id: "abcdef", name: "web", created_ns: Some(120), ..ContainerFacts::default() };
    assert_eq!(ask(Some(&new)), bits(&[1, 4, 5, 7, 10]));
    assert_eq!(ask(Some(&ContainerFacts { started_ns: Some(150), ..new })), bits(&[1, 4, 5, 7, 9, 10]));
    let old = ContainerFacts { id: "fff", name: "other", started_ns: Some(0), ..ContainerFacts::default() };
    assert_eq!(ask(Some(&old)), bits(&[1, 6, 8, 9]));
}

#[test]
fn fields_that_only_a_container_has_fail_outside_of_one() {
    let plan = plan(&["openat.context.containerImage!=nginx"]);
    assert_eq!(plan.event_context_mask(id("openat"), &Subject::of(&Context::default())) & 1, 0);
}

#[test]
fn an_argument_filter_selects_its_event_and_constrains_only_it() {
    let plan = plan(&["1:openat.retval<0", "2:event=openat,close", "2:openat.args.pathname=/etc/*"]);
    assert_eq!(plan.event_mask(id("openat")), 0b11);
    assert_eq!(plan.event_mask(id("close")), 0b10);
    assert_eq!(plan.has_args(id("close")), 0);
    assert_eq!(plan.ret_mask(id("openat"), -13) & 3, 0b11);
    assert_eq!(plan.ret_mask(id("openat"), 3) & 3, 0b10);
    assert_eq!(plan.arg_mask(id("openat"), 1, Raw::Bytes(b"/etc/passwd")) & 3, 0b11);
    assert_eq!(plan.arg_mask(id("openat"), 1, Raw::Bytes(b"/tmp")) & 3, 0b01);
    assert_eq!(plan.arg_mask(id("openat"), 1, Raw::Missing) & 3, 0b01);
}

#[test]
fn an_argument_filter_does_not_reach_the_base_of_a_derived_event() {
    let plan = plan(&["3:anti_debugging.args.pid=5", "9:event=ptrace"]);
    assert_eq!(plan.event_mask(id("anti_debugging")), 0b100);
    assert_eq!(plan.event_mask(id("ptrace")), 0b1_0000_0000);
    assert_eq!(plan.needed(id("ptrace")), 0b100);
    assert_eq!(plan.has_args(id("ptrace")), 0);
}

#[test]
fn two_events_do_not_share_one_word() {
    let plan = plan(&["1:event=open", "2:event=openat", "3:event=open*", "3:event!=openat"]);
    assert_eq!((plan.event_mask(id("open")), plan.event_mask(id("openat"))), (0b101, 0b010));
}

#[test]
fn exclusions_take_away_from_what_there_would_have_been() {
    let plan = plan(&["1:event!=openat", "2:set=fs", "2:set!=fs_read_write", "3:comm=x"]);
    assert_eq!(plan.event_mask(id("openat")) & 1, 0);
    assert_eq!(plan.event_mask(id("close")) & 1, 1);
    assert_eq!(plan.event_mask(id("read")) & 2, 0);
    assert_eq!(plan.event_mask(id("openat")) & 2, 2);
    assert_eq!(plan.event_mask(id("openat")) & 4, 4);
    assert_eq!(plan.event_mask(id("anti_debugging")), 0);
}

#[test]
fn flags_compare_by_names_as_a_set_and_by_number() {
    let plan = plan(&[
        "1:openat.flags=O_CREAT|O_WRONLY",
        "2:openat.flags=*O_CREAT*",
        "3:openat.flags=65",
        "4:openat.flags=O_RDONLY",
        "5:openat.flags!=O_RDONLY",
    ]);
    let ask = |flags: u64| plan.arg_mask(id("openat"), 2, Raw::Number(flags)) & 0b11111;
    assert_eq!((ask(0o101), ask(0o102), ask(0)), (0b10111, 0b10010, 0b01000));
}

#[test]
fn an_array_compares_by_any_of_its_elements() {
    let plan = plan(&["1:sched_process_exec.argv=--color*", "2:sched_process_exec.argv!=-l"]);
    let (position, _) = catalogue::by_name("sched_process_exec").unwrap().arg("argv").unwrap();
    let ask = |argv: &[u8]| plan.arg_mask(id("sched_process_exec"), position, Raw::Bytes(argv)) & 3;
    assert_eq!((ask(b"ls\0--color=auto\0"), ask(b"ls\0-l\0"), ask(b"ls\0")), (0b11, 0, 0b10));
}

#[test]
fn an_address_compares_by_its_members() {
    let mut address = [0; 16];
    address[..8].copy_from_slice(&[2, 0, 0, 80, 127, 0, 0, 1]);
    let event = catalogue::by_name("connect").unwrap();
    let (position, arg) = event
        .args
        .iter()
        .enumerate()
        .find(|(_, arg)| matches!(arg.kind, events::ArgKind::Sockaddr(_)))
        .unwrap();
    let name = arg.name;
    let plan = plan(&[
        &format!("1:connect.args.{name}.sin_addr=127.0.0.*"),
        &format!("2:connect.args.{name}.sin_port=80"),
        &format!("3:connect.args.{name}.sin_port>=1024"),
        &format!("4:connect.args.{name}.sin6_addr!=::1"),
        &format!("5:connect.args.{name}=*127.0.0.1*"),
        &format!("6:connect.args.{name}.sa_family=AF_INET"),
    ]);
    assert_eq!(plan.arg_mask(event.id, position, Raw::Bytes(&address)) & 0b111111, 0b110011);
}

#[test]
fn errors_have_names() {
    let plan = plan(&["1:openat.retval=EACCES", "2:openat.retval=-13", "3:openat.retval!=EACCES,ENOENT"]);
    let ask = |ret| plan.ret_mask(id("openat"), ret) & 7;
    assert_eq!((ask(-13), ask(-2), ask(3)), (0b011, 0, 0b100));
}

#[test]
fn operators_and_key_words_inside_a_value_are_part_of_it() {
    assert_eq!(context(&[r"comm=a:b\,c=d!e"], &comm("a:b,c=d!e")), 1);
    assert_eq!(context(&["comm=x.args.y"], &comm("x.args.y")), 1);
    assert_eq!(context(&["comm=x.retval<0"], &comm("x.retval<0")), 1);
    assert_eq!(context(&[r"comm=a\*"], &comm("ab")), 0);
}

#[test]
fn everything_is_scope_one_and_shows_what_was_recorded() {
    let plan = Plan::everything();
    assert_eq!((plan.scopes(), plan.event_mask(id("openat")), plan.event_mask(EventId(60_000))), (1, 1, 1));
    assert_eq!(plan.context_mask(&Subject::of(&Context::default())), 1);
}

/// The scopes that an argument's value passes.
fn argument(filter: &str, value: Raw<'_>) -> u64 {
    let plan = plan(&[filter]);
    let (event, rest) = filter.split_once('.').unwrap();
    let event = catalogue::by_name(event).unwrap();
    let name: String = rest.chars().take_while(|c| c.is_alphanumeric() || *c == '_').collect();
    let position = event.arg(&name).unwrap().0;
    plan.arg_mask(event.id, position, value) & plan.scopes()
}

#[test]
fn text_in_buffers_is_found_as_text() {
    let bytes = Raw::Bytes(b"user=root password=hunter2 12\xff");
    for filter in ["write.buf=*password*", "write.buf=user=*", r"write.buf=*\xff", "write.buf=[117 115 101*"]
    {
        assert_eq!(argument(filter, bytes), 1, "{filter}");
    }
    // 114 is printed, and is not meant.
    for filter in ["write.buf=*114*", "write.buf=*Password*", "write.buf!=*password*", "write.buf=*[117*"] {
        assert_eq!(argument(filter, bytes), 0, "{filter}");
    }
}

#[test]
fn numbers_are_read_in_their_usual_notations() {
    for filter in ["openat.mode=0o644", "openat.mode=0x1a4", "openat.mode=420", "openat.mode=0b1_1010_0100"] {
        assert_eq!(argument(filter, Raw::Number(0o644)), 1, "{filter}");
        assert_eq!(argument(filter, Raw::Number(644)), 0, "{filter}");
    }
    assert_eq!(context(&["uid=1_000"], &uid(1000)), 1);
}

#[test]
fn an_executable_without_a_path_is_asked_by_what_it_is_called() {
    let exe = |exe: &'static str| Context { exe: exe.as_bytes(), ..Context::default() };
    for filter in ["binary=memfd:x", "binary=memfd:*", "binary=host:memfd:x"] {
        let plan = plan(&[filter]);
        let recording = Recording { host_mnt_ns: Some(0), ..Recording::default() };
        let of = |context: &Context<'_>| plan.context_mask(&Subject { recording, ..Subject::of(context) });
        assert_eq!((of(&exe("memfd:x")), of(&exe("/memfd:x"))), (1, 0), "{filter}");
    }
    assert_eq!(context(&["binary=/usr/*"], &exe(".../usr/lib/true")), 0);
    assert_eq!(context(&["binary=.../usr/*"], &exe(".../usr/lib/true")), 1);
}

#[test]
fn an_executable_that_is_not_known_is_neither_this_one_nor_another() {
    let flags = events::context::ContextFlags(events::context::ContextFlags::EXE_UNKNOWN);
    let unknown = Context { flags, ..Context::default() };
    assert_eq!(context(&["1:binary=/bin/ls", "2:binary!=/bin/ls", "3:comm!=ls"], &unknown), 0b100);
    // A kernel thread has none, and that is known.
    assert_eq!(context(&["binary!=/bin/ls"], &Context::default()), 1);
}
