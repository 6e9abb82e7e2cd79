//! Scopes: the recorded mask, and the same mask again offline.

use std::collections::BTreeMap;
use std::path::Path;

use libtest_mimic::Failed;

use crate::Test;
use crate::host::{ensure, events, record, same, scratch};

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

/// A workload with several users, trees, threads' ends, failures and short lives.
pub const MIXED: &str = "id; ls / > /dev/null; cat /missing; (sleep 0.1; ls /tmp) & \
    setpriv --reuid 65534 --regid 65534 --clear-groups cat /etc/shadow; \
    unshare --pid --fork --mount sh -c 'id; ls /proc > /dev/null'; sh -c 'sh -c true; id -u'; wait; true";

/// Records with filters, and checks event by event that replaying with them gives the recorded mask.
fn check_same_answer(filters: &[String]) -> Result<(), Failed> {
    let dir = scratch()?;
    let mut options: Vec<&str> = Vec::new();
    for filter in filters {
        options.extend(["-f", filter]);
    }
    let file = record(dir.path(), &options, &["sh", "-c", MIXED])?;
    let recorded = events(&file, &[])?;
    let again = events(&file, &options)?;
    ensure(recorded.len() > 50, || format!("only {} events matched", recorded.len()))?;
    let differing = recorded.iter().zip(&again).find(|(a, b)| a != b);
    ensure(differing.is_none(), || format!("first difference: {differing:#?}"))?;
    same("events", again.len(), recorded.len())
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
    check_same_answer(&filters)
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
    check_same_answer(&filters)
}
