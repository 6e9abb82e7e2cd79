//! A pid that two processes had, one after the other: their start times tell them apart.

use std::collections::BTreeMap;
use std::fs;

use libtest_mimic::Failed;

use crate::Test;
use crate::host::{count, ensure, events, path, record, same, scratch};

pub const TESTS: &[Test] = &[("a_pid_that_is_used_again_is_told_apart_by_its_start", used_again)];

/// The kernel gives the next process the number after the one that it is told; others may take it before us. Starts are told
/// apart by the hundredth of a second, as /proc shows them, so a while passes in between.
const SHELL: &str = r#"
cd "$1"
sh -c 'echo $$ > first; cat /etc/passwd > /dev/null; true'
read first < first
sleep 0.05
for try in 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19 20 21 22 23 24 25 26 27 28 29 30; do
    echo $((first - 1)) > /proc/sys/kernel/ns_last_pid
    sh -c 'echo $$ > second; cat /etc/hostname > /dev/null; true'
    read second < second
    if [ "$second" = "$first" ]; then exit 0; fi
done
exit 1
"#;

fn used_again() -> Result<(), Failed> {
    let dir = scratch()?;
    let folder = path(dir.path())?;
    let file = record(dir.path(), &[], &["sh", "-c", SHELL, "sh", folder])?;
    let pid: u64 = fs::read_to_string(dir.path().join("first"))?.trim().parse()?;
    let second: u64 = fs::read_to_string(dir.path().join("second"))?.trim().parse()?;
    same("the pid of both", second, pid)?;

    // What each of them did, by the names that its events give it.
    let mut processes: BTreeMap<String, u64> = BTreeMap::new();
    for row in events(&file, &["-f", &format!("pid={pid}")])? {
        same("pid", row["hostProcessId"].as_u64(), Some(pid))?;
        *processes.entry(row["processEntityId"].as_str().unwrap_or_default().to_owned()).or_default() += 1;
    }
    // In the order of their starts.
    let mut entities: Vec<(u64, &str, u64)> = Vec::new();
    for (entity, events) in &processes {
        let start = entity.split_once('@').and_then(|(_, start)| start.parse().ok());
        entities.push((start.ok_or_else(|| format!("no start in {entity}"))?, entity, *events));
    }
    entities.sort_unstable();
    let [(_, first, of_first), (_, second, of_second)] = entities[..] else {
        return Err(format!("not two processes: {entities:?}").into());
    };
    let opened = |tree: &str, file_name: &str| {
        count(&file, &["-f", tree, "-f", &format!("openat.pathname={file_name}")])
    };
    for (own, events, opens, others) in [
        (first, of_first, "/etc/passwd", "/etc/hostname"),
        (second, of_second, "/etc/hostname", "/etc/passwd"),
    ] {
        same(own, count(&file, &["-f", &format!("pid={own}")])?, events)?;
        let tree = format!("tree={own}");
        ensure(opened(&tree, opens)? > 0, || format!("{tree} has no {opens}"))?;
        same(&tree, opened(&tree, others)?, 0)?;
        ensure(opened(&format!("tree={pid}"), opens)? > 0, || format!("tree={pid} has no {opens}"))?;
        let excluded = count(&file, &["-f", &format!("pid={pid}"), "-f", &format!("pid!={own}")])?;
        same("all but that one", excluded, of_first + of_second - events)?;
    }
    Ok(())
}
