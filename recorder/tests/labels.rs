//! The scopes that rows are labelled with while recording, and what `--only-matched` leaves out.

mod synthetic;

use std::path::Path;

use events::{Marks, catalogue};
use format::{Capture, Process, Scratch};
use recorder::{
    assemble::NameService,
    containers::cgroups::FoundCgroup,
    containers::names::{NameRequest, Named},
    containers::runtime_state::ContainerNames,
    session::{Session, Setup, Step},
};
use scopes::{Plan, ScopeSet};
use synthetic::{Said, Script, Spoken, Value, choice, openat, record, setup, task};

const ID: &str = "e9cf0db70635a1b2c3d4e5f60718293a4b5c6d7e8f90a1b2c3d4e5f607182930";

fn plan(filters: &[&str]) -> Plan {
    Plan::compile(&ScopeSet::parse(filters).unwrap())
}

fn labelled(path: &Path, filters: &[&str]) -> Setup {
    Setup { choice: choice(plan(filters)), ..setup(path) }
}

/// Time, event name, mask and marks of every row.
fn masks(path: &Path) -> Vec<(u64, &'static str, u64, u32)> {
    let capture = Capture::open(path).unwrap();
    let mut scratch = Scratch::new();
    let mut rows = Vec::new();
    for number in 0..capture.blocks().len() {
        let block = capture.block(number, &mut scratch).unwrap();
        let (times, scopes, marks) =
            (block.times().unwrap(), block.scopes().unwrap(), block.marks().unwrap());
        for (row, code) in block.event_codes().unwrap().iter().enumerate() {
            let event = catalogue::by_id(block.event_list()[usize::from(*code)]).unwrap();
            rows.push((times[row], event.name, scopes[row], marks[row]));
        }
    }
    rows
}

fn spoken(name: &str, time_ns: u64, context: u32, values: &[(&str, Value)]) -> Said {
    let event = catalogue::by_name(name).unwrap();
    let value =
        |name: &str| values.iter().find(|(n, _)| *n == name).map_or(Value::Missing, |(_, v)| v.clone());
    let args = event.args.iter().map(|arg| value(arg.name)).collect();
    Said::Record(Spoken { time_ns, event: event.id, cpu: 0, context, ret: 0, marks: Marks(0), args })
}

fn fork(time_ns: u64, context: u32, child: u32) -> Said {
    let number = |n: u64| Value::Number(n);
    spoken(
        "sched_process_fork",
        time_ns,
        context,
        &[
            ("child_tid", number(child.into())),
            ("child_pid", number(child.into())),
            ("start_time", number(u64::from(child) * 1_000_000_000)),
        ],
    )
}

#[test]
fn rows_carry_the_scopes_that_they_match() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("c.trz");
    let filters = ["3:comm=ls", "9:event=openat", "9:openat.pathname=/etc/*", "42:openat.retval<0"];
    let said = vec![
        Said::Context(1, task(7, "ls")),
        Said::Context(2, task(8, "id")),
        Said::Record(openat(10, 1, "/etc/passwd", 3)),
        Said::Record(openat(20, 1, "/tmp/x", -2)),
        Said::Record(openat(30, 2, "/etc/group", 3)),
        Said::Record(openat(40, 2, "/tmp/x", 3)),
    ];
    record(labelled(&path, &filters), Script::of(said));
    let found: Vec<u64> = masks(&path).into_iter().map(|row| row.2).collect();
    assert_eq!(found, [0b1_0000_0100, (1 << 41) | 0b100, 0b1_0000_0000, 0]);
}

#[test]
fn only_matched_keeps_what_matched_and_the_state_that_replay_needs() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("c.trz");
    let mut setup = labelled(&path, &["comm=ls"]);
    setup.choice.only_matched = true;
    let said = vec![
        Said::Context(1, task(7, "ls")),
        Said::Context(2, task(8, "id")),
        Said::Record(openat(10, 1, "/a", 3)),
        Said::Record(openat(20, 2, "/b", 3)),
        fork(30, 2, 9),
        spoken("sched_process_exit", 40, 1, &[]),
    ];
    let summary = record(setup, Script::of(said));
    let state = Marks::STATE_ONLY;
    assert_eq!(
        masks(&path),
        [(10, "openat", 1, 0), (30, "sched_process_fork", 0, state), (40, "sched_process_exit", 1, 0)]
    );
    assert_eq!((summary.events, summary.left_out, summary.produced), (3, 1, 4));
}

#[test]
fn descendants_are_known_from_the_snapshot_and_from_forks() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("c.trz");
    let mut setup = labelled(&path, &["1:tree=7", "2:comm=sshd", "2:follow"]);
    // As /proc shows them: 8 is a child of 7, 20 a child of sshd.
    let there = |pid: u32, ppid: u32, comm: &str| Process {
        pid,
        ppid,
        start_ns: u64::from(pid) * 1_000_000_000,
        comm: comm.into(),
        ..Process::default()
    };
    setup.processes = vec![
        there(1, 0, "init"),
        there(7, 1, "a"),
        there(8, 7, "b"),
        there(10, 1, "sshd"),
        there(20, 10, "sh"),
    ];
    let said = vec![
        Said::Context(1, task(8, "b")),
        Said::Context(2, task(20, "sh")),
        Said::Record(openat(10, 1, "/x", 3)),
        Said::Record(openat(20, 2, "/x", 3)),
        fork(30, 1, 30),
        fork(40, 2, 40),
        Said::Context(3, task(30, "c")),
        Said::Context(4, task(40, "d")),
        Said::Context(5, task(50, "e")),
        Said::Record(openat(50, 3, "/x", 3)),
        Said::Record(openat(60, 4, "/x", 3)),
        Said::Record(openat(70, 5, "/x", 3)),
    ];
    record(setup, Script::of(said));
    let found: Vec<(u64, u64)> = masks(&path).into_iter().map(|row| (row.0, row.2)).collect();
    assert_eq!(found, [(10, 1), (20, 2), (30, 1), (40, 2), (50, 1), (60, 2), (70, 0)]);
}

#[test]
fn a_container_is_known_from_its_first_event_on() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("c.trz");
    let mut setup =
        labelled(&path, &["1:container", "2:container=new", "3:container=started", "4:container=e9cf0db7"]);
    setup.cgroups.there(FoundCgroup { id: 5, path: format!("/docker/{}", "a".repeat(64)) });
    let inside = |pid, comm, exe: &'static [u8], cgroup_id| {
        let context = task(pid, comm);
        Said::Context(pid, events::Context { cgroup_id, exe, ..context })
    };
    let made = format!("/docker/{ID}");
    let said = vec![
        inside(1, "dockerd", b"/usr/bin/dockerd", 1),
        inside(2, "old", b"/bin/old", 5),
        inside(3, "runc:[2:INIT]", b"/usr/sbin/runc", 7),
        Said::Record(openat(10, 2, "/x", 3)),
        spoken(
            "cgroup_mkdir",
            20,
            1,
            &[
                ("cgroup_id", Value::Number(7)),
                ("cgroup_path", Value::Bytes(made.into_bytes())),
                ("hierarchy_id", Value::Number(0)),
            ],
        ),
        Said::Record(openat(30, 3, "/x", 3)),
        inside(4, "sh", b"/bin/sh", 7),
        spoken("sched_process_exec", 40, 4, &[]),
        Said::Record(openat(50, 4, "/x", 3)),
        Said::Record(openat(60, 1, "/x", 3)),
    ];
    record(setup, Script::of(said));
    let rows = masks(&path);
    let said: Vec<&str> = rows.iter().map(|row| row.1).filter(|name| name.contains("container")).collect();
    assert_eq!(said, ["existing_container", "container_create"]);
    let of_tasks = rows.iter().filter(|row| !row.1.contains("container"));
    let found: Vec<(u64, u64)> = of_tasks.map(|row| (row.0, row.2)).collect();
    let (any, new, started, by_id) = (1, 2, 4, 8);
    assert_eq!(
        found,
        [
            (10, any | started),
            (20, 0),
            (30, any | new | by_id),
            (40, any | new | started | by_id),
            (50, any | new | started | by_id),
            (60, 0),
        ]
    );
    let capture = Capture::open(&path).unwrap();
    let told = capture.cgroups().iter().find(|cgroup| cgroup.id == 7).unwrap();
    assert_eq!((told.created_ns, told.container.as_ref().unwrap().started_ns), (Some(20), Some(40)));
}

/// Answers every request for names with these, one after the other, each after a pause.
fn runtime_that_says(answers: Vec<Option<&'static str>>) -> NameService {
    let (ask, requests) = crossbeam_channel::bounded::<NameRequest>(4);
    let (answer, heard) = crossbeam_channel::bounded(4);
    std::thread::spawn(move || {
        for request in requests {
            for name in &answers {
                std::thread::sleep(std::time::Duration::from_millis(30));
                let names = name.map(|name| ContainerNames { name: name.into(), ..Default::default() });
                let _ = answer.send(Named { cgroup_id: request.cgroup_id, names });
            }
        }
    });
    NameService { ask, answers: heard }
}

fn made(time_ns: u64, context: u32, cgroup_id: u64, path: &str) -> Said {
    spoken(
        "cgroup_mkdir",
        time_ns,
        context,
        &[
            ("cgroup_id", Value::Number(cgroup_id)),
            ("cgroup_path", Value::Bytes(path.as_bytes().to_vec())),
            ("hierarchy_id", Value::Number(0)),
        ],
    )
}

fn inside(id: u32, cgroup_id: u64) -> Said {
    Said::Context(id, events::Context { cgroup_id, ..task(id, "sh") })
}

#[test]
fn a_container_s_first_events_wait_for_the_name_that_only_its_runtime_knows() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("c.trz");
    let mut setup = labelled(&path, &["7:container=web", "8:container=old", "9:container=web", "9:follow"]);
    setup.cgroups.there(FoundCgroup { id: 5, path: format!("/docker/{}", "a".repeat(64)) });
    setup.names = Some(runtime_that_says(vec![Some("web")]));
    let said = vec![
        inside(1, 1),
        inside(2, 5),
        Said::Record(openat(10, 2, "/x", 3)),
        made(20, 1, 7, &format!("/docker/{ID}")),
        inside(3, 7),
        Said::Record(openat(30, 3, "/x", 3)),
        fork(40, 3, 4),
        // The child leaves the container, and is followed for what its parent was.
        inside(4, 1),
        Said::Record(openat(50, 4, "/x", 3)),
        Said::Record(openat(60, 1, "/x", 3)),
    ];
    let summary = record(setup, Script::of(said));
    let rows = masks(&path);
    let times: Vec<u64> = rows.iter().map(|row| row.0).filter(|time| *time > 0).collect();
    assert_eq!(times, [10, 20, 20, 30, 40, 50, 60]);
    let found: Vec<(u64, u64)> =
        rows.iter().filter(|row| !row.1.contains("container")).map(|row| (row.0, row.2)).collect();
    let (web, follow) = (1 << 6, 1 << 8);
    let both = web | follow;
    assert_eq!(found, [(10, both), (20, 0), (30, both), (40, both), (50, follow), (60, 0)]);
    assert_eq!((summary.late_names, summary.lost, summary.left_out), (0, 0, 0));
    let capture = Capture::open(&path).unwrap();
    let names: Vec<_> =
        capture.cgroups().iter().filter_map(|c| c.container.as_ref()).map(|c| c.name.as_str()).collect();
    assert_eq!(names, ["web", "web"]);
}

#[test]
fn a_name_that_comes_after_masks_were_given_without_it_is_left_out_of_the_file() {
    let dir = tempfile::tempdir().unwrap();
    for (filter, expected) in [("7:container=web", ("", 1)), ("7:container", ("web", 0))] {
        let path = dir.path().join(expected.0);
        let path = path.with_extension("trz");
        let mut setup = labelled(&path, &[filter]);
        setup.names = Some(runtime_that_says(vec![None, Some("web")]));
        let said = vec![
            inside(1, 1),
            made(20, 1, 7, &format!("/docker/{ID}")),
            inside(3, 7),
            Said::Record(openat(30, 3, "/x", 3)),
        ];
        let mut steps = 0;
        let summary = Session::start(setup)
            .unwrap()
            .record(Script::of(said), &mut || {
                steps += 1;
                std::thread::sleep(std::time::Duration::from_millis(10));
                if steps < 30 { Step::Go } else { Step::Stop }
            })
            .unwrap();
        let capture = Capture::open(&path).unwrap();
        let told = capture.cgroups().iter().find(|cgroup| cgroup.id == 7).unwrap();
        let name = told.container.as_ref().unwrap().name.as_str();
        assert_eq!((name, summary.late_names), expected, "{filter}");
    }
}

#[test]
fn a_cgroup_that_the_walk_at_the_start_found_before_its_event_came_is_new() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("c.trz");
    let mut setup = labelled(&path, &["1:container=new", "2:container=started"]);
    setup.cgroups.there(FoundCgroup { id: 7, path: format!("/docker/{ID}") });
    let said = vec![
        inside(1, 1),
        made(20, 1, 7, &format!("/docker/{ID}")),
        inside(3, 7),
        Said::Record(openat(30, 3, "/x", 3)),
        spoken("sched_process_exec", 40, 3, &[]),
    ];
    record(setup, Script::of(said));
    let found: Vec<(u64, u64)> =
        masks(&path).into_iter().filter(|row| row.0 >= 30).map(|row| (row.0, row.2)).collect();
    assert_eq!(found, [(30, 1), (40, 3)]);
}

#[test]
fn events_that_nobody_asked_for_feed_the_state_and_stay_out_of_sight() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("c.trz");
    let mut setup = labelled(&path, &["comm=ls"]);
    setup.choice.wanted = Some([synthetic::OPENAT].into());
    let said = vec![
        Said::Context(1, task(7, "ls")),
        Said::Record(openat(10, 1, "/a", 3)),
        fork(20, 1, 9),
        spoken(
            "cgroup_mkdir",
            30,
            1,
            &[("cgroup_id", Value::Number(7)), ("cgroup_path", Value::Bytes(b"/a".into()))],
        ),
    ];
    record(setup, Script::of(said));
    assert_eq!(masks(&path), [(10, "openat", 1, 0), (20, "sched_process_fork", 1, Marks::STATE_ONLY)]);
    assert!(Capture::open(&path).unwrap().cgroups().iter().any(|cgroup| cgroup.path == "/a"));
}

#[test]
fn a_flight_recorder_is_triggered_by_an_event() {
    let dir = tempfile::tempdir().unwrap();
    for (comm, expected) in [("ls", 3), ("other", 0)] {
        let path = dir.path().join(comm);
        let mut setup = setup(&path);
        setup.destination.flight = Some(recorder::amount::Stretch::Bytes(1 << 20));
        setup.choice.trigger =
            Some(recorder::label::Judge::new(plan(&["comm=ls"]), scopes::Recording::default(), 0));
        setup.after = std::time::Duration::from_secs(60);
        let context = if comm == "ls" { task(7, "ls") } else { task(7, "other") };
        let said = vec![
            Said::Context(1, task(8, "id")),
            Said::Context(2, context),
            Said::Record(openat(10, 1, "/a", 3)),
            Said::Record(openat(20, 2, "/b", 3)),
        ];
        let script = Script {
            batches: [said].into(),
            at_the_end: vec![Said::Record(openat(30, 1, "/c", 3))],
            ..Script::default()
        };
        let session = Session::start(setup).unwrap();
        let mut step = 0;
        let summary = session
            .record(script, &mut || {
                step += 1;
                if step < 3 { Step::Go } else { Step::Stop }
            })
            .unwrap();
        assert_eq!((summary.events, summary.released), (expected, expected > 0));
    }
}
