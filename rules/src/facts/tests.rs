use format::facts::{Fact, UNSET};

use super::*;

fn context(pid: u32, ppid: u32) -> Context<'static> {
    Context {
        pid,
        tid: pid,
        ppid,
        process_start_ns: u64::from(pid) * TICK_NS + 5,
        parent_start_ns: u64::from(ppid) * TICK_NS + 5,
        exe: b"/bin/sh",
        comm: b"sh",
        ..Context::default()
    }
}

fn following(followed: FactSet) -> Processes {
    Processes::new(followed, Arc::default(), Arc::default())
}

fn values(processes: &Processes, of: &Context<'_>, who: Who, fact: ProcessFact) -> Vec<String> {
    let mut values = Vec::new();
    processes.each_value(Subject::of(of), who, fact, 0, &|_| None, &mut |value| {
        values.push(String::from_utf8_lossy(&value.text()).into_owned());
    });
    values
}

#[test]
fn where_a_program_came_from_is_known_by_its_execution() {
    let mut processes = Processes::default();
    let origin = |processes: &Processes, context: &Context<'_>| {
        let facts = [ProcessFact::FromUpperLayer, ProcessFact::FromLowerLayer, ProcessFact::FromMemfd];
        facts.map(|fact| values(processes, context, Who::Actor, fact).join(","))
    };
    let written = Context { exe: b"/written", ..context(10, 1) };
    let program = Program::of(Raw::Number(1), Raw::Number(0));
    processes.exec(&written, 0, (Raw::Bytes(b"/written"), program), Raw::Missing, Raw::Missing);
    assert_eq!(origin(&processes, &written), ["true", "false", "false"]);
    // A child runs the same program, until it runs another one: of a file that is in no overlay no layer is known.
    let child = Context { exe: b"/written", ..context(11, 10) };
    processes.fork(&written, child.process(), 11, 0);
    assert_eq!(origin(&processes, &child), ["true", "false", "false"]);
    let beside = Context { exe: b"memfd:x", ..child };
    let program = Program::of(Raw::Missing, Raw::Number(1));
    processes.exec(&beside, 0, (Raw::Bytes(b"memfd:x"), program), Raw::Missing, Raw::Missing);
    assert_eq!(origin(&processes, &beside), ["", "", "true"]);
    // Nobody saw the execution: memory is known by the name, layers are not.
    let unseen = Context { exe: b"/memfd:y (deleted)", ..context(12, 1) };
    processes.see(&unseen);
    assert_eq!(origin(&processes, &unseen), ["", "", "true"]);
    processes.see(&Context { exe: b"/bin/ls", ..context(10, 1) });
    assert_eq!(origin(&processes, &context(10, 1)), ["", "", "false"]);
}

#[test]
fn a_child_has_what_its_parent_had_until_it_executes() {
    let mut processes = Processes::default();
    processes.exec(
        &context(10, 1),
        0,
        (Raw::Bytes(b"/bin/sh"), Program::default()),
        Raw::Bytes(b"sh\0-i\0"),
        Raw::Missing,
    );
    let child = context(11, 10);
    processes.fork(&context(10, 1), child.process(), 11, 0);
    assert_eq!(values(&processes, &child, Who::Actor, ProcessFact::CommandLine), ["sh -i"]);
    processes.exec(
        &child,
        0,
        (Raw::Bytes(b"/bin/ls"), Program::default()),
        Raw::Bytes(b"ls\0"),
        Raw::Missing,
    );
    assert_eq!(values(&processes, &child, Who::Actor, ProcessFact::Name), ["ls"]);
    assert_eq!(values(&processes, &child, Who::PARENT, ProcessFact::CommandLine), ["sh -i"]);
    // The parent executes something else: what was its command line is no longer.
    processes.exec(
        &context(10, 1),
        0,
        (Raw::Bytes(b"/bin/cat"), Program::default()),
        Raw::Bytes(b"cat\0x\0"),
        Raw::Missing,
    );
    assert_eq!(values(&processes, &child, Who::PARENT, ProcessFact::CommandLine), ["cat x"]);
}

#[test]
fn the_snapshot_knows_starts_in_ticks() {
    let mut processes = Processes::default();
    let recorded = Recorded {
        pid: 10,
        ppid: 1,
        start_ns: 10 * TICK_NS,
        exe: b"/usr/sbin/nginx".to_vec(),
        argv: b"nginx\0".to_vec(),
        ..Recorded::default()
    };
    processes.snapshot(vec![recorded]);
    assert_eq!(values(&processes, &context(11, 10), Who::PARENT, ProcessFact::Name), ["nginx"]);
    assert_eq!(values(&processes, &context(11, 10), Who::AnyAncestor, ProcessFact::Exe), ["/usr/sbin/nginx"]);
    assert_eq!(values(&processes, &context(11, 10), Who::Ancestor(2), ProcessFact::Exe), [""; 0]);
}

fn told(ret: i64, name: &str, args: &[(&str, Raw<'_>)]) -> FactChange {
    let event = events::catalogue::by_name(name).expect("an event");
    let value = |position: usize| {
        let name = event.args.get(position).map(|arg| arg.name);
        args.iter().find(|(given, _)| Some(*given) == name).map_or(Raw::Missing, |(_, raw)| *raw)
    };
    FactChange::of(event.id, ret, events::Marks(0), &value).expect("a change")
}

#[test]
fn sessions_and_groups_have_leaders_that_are_known_when_they_have_ended_too() {
    let mut processes = following(FactSet::ALL);
    let shell = Context { exe: b"/bin/bash", comm: b"bash", ..context(10, 1) };
    let child = Context { exe: b"/bin/ls", comm: b"ls", ..context(11, 10) };
    processes.exec(
        &shell,
        0,
        (Raw::Bytes(b"/bin/bash"), Program::default()),
        Raw::Bytes(b"bash\0"),
        Raw::Missing,
    );
    assert_eq!(values(&processes, &shell, Who::Actor, ProcessFact::Interactive), [""; 0]);
    processes.change(&shell, &told(10, "setsid", &[]));
    let pty = [&0u64.to_le_bytes()[..], b"/dev/pts/3"].concat();
    let take = [("fd", Raw::Bytes(&pty)), ("request", Raw::Number(0x540e))];
    processes.change(&shell, &told(0, "ioctl", &take));
    processes.fork(&shell, child.process(), 11, 0);
    processes.exec(
        &child,
        0,
        (Raw::Bytes(b"/bin/ls"), Program::default()),
        Raw::Bytes(b"ls\0"),
        Raw::Missing,
    );
    processes.change(&child, &told(0, "setpgid", &[("pid", Raw::Number(0)), ("pgid", Raw::Number(0))]));
    let of = |processes: &Processes, who, fact| values(processes, &child, who, fact).join(",");
    let leader = Who::Leader(Leader::Session);
    assert_eq!(of(&processes, leader, ProcessFact::Exe), "/bin/bash");
    assert_eq!(of(&processes, leader, ProcessFact::LeadsSession), "true");
    assert_eq!(of(&processes, Who::Actor, ProcessFact::LeadsSession), "false");
    assert_eq!(of(&processes, Who::Leader(Leader::Group), ProcessFact::Name), "ls");
    assert_eq!(of(&processes, Who::ParentsLeader(Leader::Group), ProcessFact::Name), "bash");
    assert_eq!(of(&processes, Who::Actor, ProcessFact::Terminal), "34819");
    assert_eq!(of(&processes, Who::Actor, ProcessFact::TerminalName), "pts/3");
    assert_eq!(of(&processes, Who::Actor, ProcessFact::Interactive), "true");
    processes.exit(shell.process());
    assert_eq!(of(&processes, leader, ProcessFact::Exe), "/bin/bash");
    assert_eq!(of(&processes, Who::Actor, ProcessFact::Interactive), "false");
    assert_eq!(of(&processes, Who::Actor, ProcessFact::AuditTerminal), "(none)");
}

#[test]
fn the_eldest_of_a_session_stands_for_a_leader_that_nobody_knows() {
    let mut processes = following(FactSet::ALL);
    let known = |pid: u32, ppid: u32, comm: &str| Recorded {
        pid,
        ppid,
        start_ns: u64::from(pid) * TICK_NS,
        parent_start_ns: u64::from(ppid) * TICK_NS,
        comm: comm.as_bytes().to_vec(),
        facts: Facts { session: Some(7), login_uid: Some(UNSET), ..Facts::default() },
        ..Recorded::default()
    };
    processes.snapshot(vec![known(10, 1, "make"), known(11, 10, "cc")]);
    let of = |who, fact| values(&processes, &context(11, 10), who, fact);
    assert_eq!(of(Who::Leader(Leader::Session), ProcessFact::Comm), [""; 0]);
    assert_eq!(of(Who::Leader(Leader::EldestOfSession), ProcessFact::Comm), ["make"]);
    assert_eq!(of(Who::Actor, ProcessFact::LoginUid), ["4294967295", "unset"]);
    assert_eq!(of(Who::Actor, ProcessFact::LoginUidOrMinus), ["-1"]);
    assert_eq!(of(Who::Actor, ProcessFact::LoginName), [""; 0]);
}

#[test]
fn what_is_not_followed_is_not_known_even_where_the_snapshot_says_it() {
    let mut processes = following(FactSet::NONE.with(Fact::Session));
    let facts = Facts { cwd: Some(b"/root".as_slice().into()), session: Some(1), ..Facts::default() };
    processes.snapshot(vec![Recorded { pid: 10, start_ns: 10 * TICK_NS, facts, ..Recorded::default() }]);
    let of = |fact| values(&processes, &context(10, 1), Who::Actor, fact);
    assert_eq!(of(ProcessFact::WorkingDirectory), [""; 0]);
    assert_eq!(of(ProcessFact::Session), ["1"]);
}
