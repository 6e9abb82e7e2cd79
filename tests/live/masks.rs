//! Scopes: the recorded mask, and the same mask again offline.

use std::collections::BTreeMap;
use std::path::Path;

use libtest_mimic::Failed;

use crate::Test;
use crate::host::{ensure, events, path, record, same, scratch, tracer_ok};

pub const TESTS: &[Test] = &[
    ("two_detached_scopes_give_4_and_256", detached_scopes),
    ("two_intertwined_scopes_give_260_and_256", intertwined_scopes),
    ("a_binary_is_matched_at_its_own_exec", binary_at_exec),
    ("replay_with_the_recorded_filters_gives_the_recorded_masks", same_answer),
    ("sixty_four_scopes_at_once_give_the_recorded_masks", sixty_four_scopes),
];

const SHELL: &[&str] = &["sh", "-c", "id > /dev/null; ls / > /dev/null; true"];

/// How many events of each (process name, event) have which masks.
fn masks(file: &Path, options: &[&str], event: &str) -> Result<BTreeMap<String, Vec<u64>>, Failed> {
    let mut found: BTreeMap<String, Vec<u64>> = BTreeMap::new();
    for row in events(file, options)?.iter().filter(|row| row["eventName"] == event) {
        let name = row["processName"].as_str().unwrap_or_default().to_owned();
        found.entry(name).or_default().push(row["matchedScopes"].as_u64().unwrap_or_default());
    }
    Ok(found)
}

/// The whole host is recorded, so others may run programs of the same name: all of them have this mask.
fn all_have(found: &BTreeMap<String, Vec<u64>>, name: &str, mask: u64) -> Result<(), Failed> {
    let masks = found.get(name).map(Vec::as_slice).unwrap_or_default();
    let good = !masks.is_empty() && masks.iter().all(|found| *found == mask);
    ensure(good, || format!("{name}: expected mask {mask} throughout, got {masks:?}"))
}

fn detached_scopes() -> Result<(), Failed> {
    let dir = scratch()?;
    let file = record(dir.path(), &[], SHELL)?;
    let options = [
        "-f",
        "3:event=sched_process_exit",
        "-f",
        "3:comm=id",
        "-f",
        "9:event=sched_process_exit",
        "-f",
        "9:comm=ls",
    ];
    let found = masks(&file, &options, "sched_process_exit")?;
    all_have(&found, "id", 4)?;
    all_have(&found, "ls", 256)?;
    same("processes", found.len(), 2)
}

fn intertwined_scopes() -> Result<(), Failed> {
    let dir = scratch()?;
    let file = record(dir.path(), &[], SHELL)?;
    let options = ["-f", "3:event=sched_process_exit", "-f", "3:comm=id", "-f", "9:event=sched_process_exit"];
    let found = masks(&file, &options, "sched_process_exit")?;
    all_have(&found, "id", 260)?;
    all_have(&found, "ls", 256)?;
    ensure(found.iter().all(|(name, all)| name == "id" || all.iter().all(|mask| *mask == 256)), || {
        format!("others than id have scope 3: {found:?}")
    })
}

fn binary_at_exec() -> Result<(), Failed> {
    let dir = scratch()?;
    let file = record(dir.path(), &[], SHELL)?;
    let options = ["-f", "42:event=sched_process_exec", "-f", "42:binary=/usr/bin/ls"];
    let found = masks(&file, &options, "sched_process_exec")?;
    all_have(&found, "ls", 1 << 41)?;
    same("processes", found.len(), 1)
}

/// A workload with several users, trees, threads' ends, failures, short lives, and a cgroup as container runtimes name
/// them, where cgroups may be made.
pub const MIXED: &str = "id; ls / > /dev/null; cat /missing; (sleep 0.1; ls /tmp) & \
    inside=$(sed -n 's/^[^ ]* \\([^ ]*\\) cgroup2 .*/\\1/p' /proc/self/mounts | head -n 1)/docker/$(printf '%064x' $$); \
    if mkdir -p $inside 2> /dev/null; then \
        sh -c \"echo \\$\\$ > $inside/cgroup.procs; exec sh -c 'id; ls /; cat /etc/passwd; (ls /tmp)' > /dev/null\"; \
        sleep 0.1; rmdir $inside; \
    fi; \
    setpriv --reuid 65534 --regid 65534 --clear-groups cat /etc/shadow; \
    unshare --pid --fork --mount sh -c 'id; ls /proc > /dev/null'; sh -c 'sh -c true; id -u'; wait; true";

/// Records with filters, and checks event by event that replaying with them gives the recorded mask. Gives the scopes
/// that matched anything.
fn check_same_answer(filters: &[String]) -> Result<u64, Failed> {
    check_same_answer_of(filters, &[], MIXED)
}

/// The same with these options of the recording, of what this script does.
pub fn check_same_answer_of(filters: &[String], how: &[&str], script: &str) -> Result<u64, Failed> {
    let dir = scratch()?;
    let mut options: Vec<&str> = Vec::new();
    for filter in filters {
        options.extend(["-f", filter]);
    }
    let file = record(dir.path(), &[how, &options].concat(), &["sh", "-c", script])?;
    // As text: a busy host has more events than fit in memory as values.
    let rows = |options: &[&str]| -> Result<String, Failed> {
        tracer_ok(&[&["replay", path(&file)?, "-o", "json"], options].concat())
    };
    let (recorded, again) = (rows(&[])?, rows(&options)?);
    let count = recorded.lines().count();
    ensure(count > 50, || format!("only {count} events matched"))?;
    let differing = recorded.lines().zip(again.lines()).find(|(a, b)| a != b);
    ensure(differing.is_none(), || format!("first difference: {differing:#?}"))?;
    same("events", again.lines().count(), count)?;
    let mask = |row: &str| {
        let (_, rest) = row.split_once("\"matchedScopes\":")?;
        rest.split(',').next()?.parse::<u64>().ok()
    };
    Ok(recorded.lines().filter_map(mask).fold(0, |all, mask| all | mask))
}

fn same_answer() -> Result<(), Failed> {
    let me = std::process::id();
    let filters = [
        "1:comm=ls".to_owned(),
        "2:event=openat".to_owned(),
        "2:openat.retval<0".to_owned(),
        "3:comm=sh".to_owned(),
        "3:follow".to_owned(),
        format!("4:tree={me}"),
        "4:event=sched_process_exec,sched_process_exit,sched_process_fork".to_owned(),
        "5:uid>0".to_owned(),
        "6:binary=/usr/bin/id".to_owned(),
        "7:pid=new".to_owned(),
        "7:comm!=sh".to_owned(),
        "8:openat.pathname=/etc/*".to_owned(),
        format!("9:ppid={me}"),
    ];
    check_same_answer(&filters).map(|_| ())
}

fn sixty_four_scopes() -> Result<(), Failed> {
    let me = std::process::id();
    let shapes = [
        "comm=ls",
        "comm=id",
        "comm=sh",
        "comm!=ls",
        "uid=0",
        "uid!=0",
        "uid>=65534",
        "follow",
        "pid=new",
        "pid!=new",
        "binary=/usr/bin/ls",
        "binary!=/usr/bin/ls",
        "event=openat",
        "event=open*",
        "event!=openat",
        "set=fs",
        "set!=fs",
        "openat.pathname=/etc/*",
        "openat.pathname=*.so*",
        "openat.flags=*O_CLOEXEC*",
        "openat.retval<0",
        "openat.retval=EACCES",
        "container",
        "!container",
        "comm=s*",
        "comm=*d",
    ];
    let mut filters = Vec::new();
    for scope in 1..=64_usize {
        filters.push(format!("{scope}:{}", shapes[scope % shapes.len()]));
        if scope % 3 == 0 {
            filters.push(format!("{scope}:tree={me}"));
        }
        if shapes[scope % shapes.len()] == "follow" {
            filters.push(format!("{scope}:comm=sh"));
        }
    }
    let matched = check_same_answer(&filters)?;
    // What nothing matched, nothing was said of: those that were there before are in nobody's tree here, and where no
    // cgroup can be made there is no container.
    let may_be_silent = |shape: &str| matches!(shape, "pid!=new" | "container");
    let silent: Vec<&str> = (1..=64_usize)
        .filter(|scope| matched >> (scope - 1) & 1 == 0)
        .map(|scope| shapes[scope % shapes.len()])
        .filter(|shape| !may_be_silent(shape))
        .collect();
    ensure(silent.is_empty(), || format!("asked in vain: {silent:?}"))?;
    ensure(!can_make_cgroups() || container_scopes(&shapes) & matched != 0, || {
        "no container was seen".to_owned()
    })
}

fn can_make_cgroups() -> bool {
    let mounts = std::fs::read_to_string("/proc/self/mounts").unwrap_or_default();
    let root = mounts.lines().find_map(|line| {
        let mut words = line.split(' ').skip(1);
        let path = words.next()?;
        (words.next() == Some("cgroup2")).then_some(path)
    });
    let Some(root) = root else { return false };
    let probe = format!("{root}/tracer-test-{}", std::process::id());
    std::fs::create_dir(&probe).and_then(|()| std::fs::remove_dir(&probe)).is_ok()
}

fn container_scopes(shapes: &[&str]) -> u64 {
    let asks = |scope: &usize| shapes.get(scope % shapes.len()) == Some(&"container");
    (1..=64_usize).filter(asks).fold(0, |all, scope| all | 1 << (scope - 1))
}
