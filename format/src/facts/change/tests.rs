use std::collections::BTreeMap;

use super::*;

/// Processes with their facts, and what events do to them.
#[derive(Default)]
struct World {
    facts: BTreeMap<u32, Facts>,
    ns_pids: NsPids,
}

fn host(pid: u32) -> Actor {
    Actor { pid, tid: pid, ns_pid: pid, pid_ns: 1 }
}

fn bytes(number: i64, text: &str) -> Vec<u8> {
    [&number.to_le_bytes()[..], text.as_bytes()].concat()
}

impl World {
    fn with(pids: &[u32]) -> World {
        World { facts: pids.iter().map(|pid| (*pid, Facts::default())).collect(), ..World::default() }
    }

    /// One event, with its arguments by name.
    fn event(&mut self, actor: Actor, name: &str, ret: i64, args: &[(&str, Raw<'_>)]) {
        let event = catalogue::by_name(name).unwrap();
        let arg = |at: usize| {
            let name = event.args.get(at).map(|arg| arg.name);
            args.iter().find(|(given, _)| Some(*given) == name).map_or(Raw::Missing, |(_, raw)| *raw)
        };
        if let Some((position, may)) = FactChange::sieve(event.id)
            && !may(arg(position))
        {
            assert_eq!(
                FactChange::of(event.id, ret, Marks(0), &arg),
                None,
                "the sieve lets through what changes"
            );
            return;
        }
        let Some(change) = FactChange::of(event.id, ret, Marks(0), &arg) else { return };
        let facts = &mut self.facts;
        change.apply(actor, &self.ns_pids, &mut |pid, change| {
            facts.get_mut(&pid).into_iter().for_each(&mut *change);
        });
    }

    fn ioctl(&mut self, actor: Actor, request: u32, path: &str) {
        let fd = bytes(0, path);
        self.event(actor, "ioctl", 0, &[("fd", Raw::Bytes(&fd)), ("request", Raw::Number(request.into()))]);
    }

    fn cwd(&self, pid: u32) -> Option<&str> {
        self.facts[&pid].cwd.as_deref().map(|cwd| std::str::from_utf8(cwd).unwrap())
    }
}

#[test]
fn directories_follow_the_kernel_and_are_the_main_threads_where_threads_have_their_own() {
    let mut world = World::with(&[7]);
    let changes = |world: &mut World, tid: u32, path: Raw<'_>| {
        world.event(Actor { tid, ..host(7) }, "set_fs_pwd", 0, &[("resolved_path", path)]);
    };
    changes(&mut world, 8, Raw::Bytes(b"/tmp"));
    assert_eq!(world.cwd(7), Some("/tmp"));
    world.event(Actor { tid: 8, ..host(7) }, "unshare", 0, &[("flags", Raw::Number(CLONE_NEWNS))]);
    changes(&mut world, 8, Raw::Bytes(b"/var"));
    assert_eq!(world.cwd(7), Some("/tmp"));
    changes(&mut world, 7, Raw::Bytes(b"/opt"));
    assert_eq!(world.cwd(7), Some("/opt"));
    // What was redacted, or not followed up to the root, is not known.
    changes(&mut world, 7, Raw::Missing);
    assert_eq!(world.cwd(7), None);
    changes(&mut world, 7, Raw::Bytes(b".../x"));
    assert_eq!(world.cwd(7), None);
}

#[test]
fn sessions_groups_and_terminals_follow_the_calls_that_succeed() {
    let mut world = World::with(&[10, 11]);
    world.event(host(10), "setsid", -1, &[]);
    assert_eq!(world.facts[&10], Facts::default());
    world.event(host(10), "setsid", 10, &[]);
    let known = |world: &World, pid: u32| {
        let facts = &world.facts[&pid];
        (facts.session, facts.group, facts.terminal.number())
    };
    assert_eq!(known(&world, 10), (Some(10), Some(10), Some(0)));
    world.ioctl(host(10), TIOCSCTTY, "/dev/pts/0");
    let child = world.facts.get_mut(&10).unwrap().fork(0, false);
    world.facts.insert(11, child);
    assert_eq!(known(&world, 11), (Some(10), Some(10), Some(0x8800)));
    let number = Raw::Number;
    world.event(host(10), "setpgid", 0, &[("pid", number(11)), ("pgid", number(0))]);
    assert_eq!(known(&world, 11), (Some(10), Some(11), Some(0x8800)));
    world.event(host(11), "setpgid", 0, &[("pid", number(0)), ("pgid", number(10))]);
    assert_eq!(known(&world, 11).1, Some(10));
    world.event(host(11), "setpgid", -1, &[("pid", number(0)), ("pgid", number(11))]);
    assert_eq!(known(&world, 11).1, Some(10));
    // A process leaves a terminal alone, the leader for all.
    world.ioctl(host(11), TIOCNOTTY, "/dev/tty");
    assert_eq!((known(&world, 10).2, known(&world, 11).2), (Some(0x8800), Some(0)));
    let other = world.facts.get_mut(&10).unwrap().fork(0, false);
    world.facts.insert(12, other);
    world.ioctl(host(10), TIOCNOTTY, "/dev/tty");
    assert_eq!((known(&world, 10).2, known(&world, 12).2), (Some(0), Some(0)));
}

#[test]
fn a_terminal_that_nobody_saw_taken_is_known_by_what_succeeds_on_it() {
    let mut world = World::with(&[10]);
    let child = world.facts.get_mut(&10).unwrap().fork(0, false);
    world.facts.insert(11, child);
    let opens = |world: &mut World, pid: u32, path: &str, flags: u64, ret: i64| {
        let path = Raw::Bytes(path.as_bytes());
        world.event(host(pid), "openat", ret, &[("pathname", path), ("flags", Raw::Number(flags))]);
    };
    opens(&mut world, 11, "/dev/tty", 0, 3);
    assert_eq!(world.facts[&10].terminal.is_there(), Some(true), "both have it of the same leader");
    assert_eq!(world.facts[&10].terminal.number(), None);
    world.ioctl(host(11), TIOCGPGRP, "/dev/pts/4");
    assert_eq!(world.facts[&10].terminal.name().as_deref(), Some("pts/4"));
    world.ioctl(host(11), TIOCGPGRP, "/dev/ptmx");
    assert_eq!(world.facts[&10].terminal.name().as_deref(), Some("pts/4"), "that is the other end of any");
    opens(&mut world, 11, "/dev/tty", 0, -ENXIO);
    assert_eq!(world.facts[&11].terminal.number(), Some(0));
    // The leader of a session without a terminal may have one by opening it: whether it does is not known.
    world.event(host(11), "setsid", 11, &[]);
    opens(&mut world, 11, "/dev/pts/5", O_NOCTTY | 2, 4);
    opens(&mut world, 11, "/dev/pts/5", 1, 4);
    opens(&mut world, 11, "/dev/pts/5", 2, -13);
    assert_eq!(world.facts[&11].terminal.is_there(), Some(false));
    opens(&mut world, 11, "/dev/pts/5", 2, 4);
    assert_eq!(world.facts[&11].terminal.is_there(), None);
    world.ioctl(host(11), TIOCSPGRP, "/dev/pts/5");
    assert_eq!(world.facts[&11].terminal.name().as_deref(), Some("pts/5"));
    world.event(host(11), "vhangup", 0, &[]);
    assert_eq!(world.facts[&11].terminal.number(), Some(0));
}

#[test]
fn numbers_of_a_container_are_those_of_its_namespace() {
    let mut world = World::with(&[500, 501, 7]);
    let inside = Actor { pid: 500, tid: 500, ns_pid: 1, pid_ns: 9 };
    let number = Raw::Number;
    // A process that nobody can tell by its number there is no other's.
    world.event(inside, "setpgid", 0, &[("pid", number(7)), ("pgid", number(7))]);
    assert_eq!((world.facts[&7].group, world.facts[&501].group), (None, None));
    world.ns_pids.learn(9, 7, 501);
    world.event(inside, "setpgid", 0, &[("pid", number(7)), ("pgid", number(7))]);
    assert_eq!((world.facts[&7].group, world.facts[&501].group), (None, Some(501)));
    world.event(inside, "setpgid", 0, &[("pid", number(7)), ("pgid", number(1))]);
    assert_eq!(world.facts[&501].group, Some(500));
    world.event(inside, "setsid", 1, &[]);
    assert_eq!(world.facts[&500].session, Some(500), "sessions are the host's numbers");
}

#[test]
fn a_login_is_what_was_written() {
    let mut world = World::with(&[7]);
    let writes = |world: &mut World, path: &str, text: &str| {
        let fd = bytes(3, path);
        let args = [("fd", Raw::Bytes(&fd)), ("buf", Raw::Bytes(text.as_bytes()))];
        world.event(host(7), "write", text.len() as i64, &args);
        world.facts[&7].login_uid
    };
    assert_eq!(writes(&mut world, "/proc/7/loginuid", "1000"), Some(1000));
    assert_eq!(writes(&mut world, "/home/x/loginuid", "0"), Some(1000), "any file may be called so");
    assert_eq!(writes(&mut world, "/proc/7/loginuid", "4294967295"), Some(UNSET));
    assert_eq!(world.facts[&7].audit_session, Some(UNSET));
    assert_eq!(writes(&mut world, "/proc/7/loginuid", "0\n"), Some(0));
    assert_eq!(world.facts[&7].audit_session, None);
    assert_eq!(writes(&mut world, "/proc/7/loginuid", "what"), None);
}

#[test]
fn what_is_needed_and_read_is_in_the_catalogue() {
    for fact in Fact::ALL {
        for name in fact.needs().iter().chain(fact.uses()) {
            let event = catalogue::by_name(name).unwrap();
            assert!(FactChange::may_be(event.id), "{name}");
            let reads = FactChange::reads(event);
            assert!(!reads.is_empty() || matches!(*name, "setsid" | "vhangup"), "{name}: {reads:?}");
        }
    }
}
