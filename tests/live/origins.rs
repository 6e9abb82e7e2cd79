//! Where a program came from, by the kernel as it was executed: the upper layer of an overlay, a lower one, or memory.

use std::path::Path;

use libtest_mimic::Failed;
use serde_json::Value;

use crate::Test;
use crate::docker::Container;
use crate::host::{act, count, ensure, events, path, record, same, scratch, tracer_ok};

pub const TESTS: &[Test] = &[
    ("a_program_is_of_the_layer_of_an_overlay_that_it_was_executed_from", layers),
    ("a_program_from_memory_is_told_from_one_that_is_called_so", memory),
];

/// With Docker.
pub const IN_CONTAINERS: &[Test] =
    &[("a_program_that_was_written_in_a_container_is_told_from_those_of_its_image", in_container)];

fn argument(row: &Value, name: &str) -> Value {
    let mut all = row["args"].as_array().into_iter().flatten();
    all.find(|one| one["name"] == name).map_or(Value::Null, |one| one["value"].clone())
}

/// Whether a program came from an upper layer, and whether from memory.
type Origin = (Option<bool>, Option<bool>);

/// Whether programs came from an upper layer and from memory, by the end of their paths.
fn origins(file: &Path, program: &str) -> Result<Vec<Origin>, Failed> {
    let rows = events(file, &["-f", "event=sched_process_exec"])?;
    let of = rows
        .iter()
        .filter(|row| argument(row, "pathname").as_str().is_some_and(|path| path.ends_with(program)));
    Ok(of.map(|row| (argument(row, "upper_layer").as_bool(), argument(row, "memfd").as_bool())).collect())
}

fn layers() -> Result<(), Failed> {
    let dir = scratch()?;
    let base = path(dir.path())?.to_owned();
    // One that is in the lower layer, one that is copied up when it is touched, and one that is written above. The last two
    // run outside of it. Of a directory elsewhere on the host no layer is told.
    let script = "set -e; cd \"$0\"; mkdir lower upper work merged; cp /bin/true lower/below; cp /bin/true lower/copied; \
         mount -t overlay overlay -o lowerdir=lower,upperdir=upper,workdir=work merged; \
         cp /bin/true merged/above; touch merged/copied; cp /bin/true beside; \
         merged/below; merged/above; merged/copied; ./beside; umount merged";
    let command = ["unshare", "--mount", "sh", "-c", script, &base];
    let file = record(dir.path(), &[], &command)?;
    same("in the lower layer", origins(&file, "merged/below")?, vec![(Some(false), Some(false))])?;
    same("written above", origins(&file, "merged/above")?, vec![(Some(true), Some(false))])?;
    same("copied up", origins(&file, "merged/copied")?, vec![(Some(true), Some(false))])?;
    same("in no overlay", origins(&file, "/beside")?, vec![(None, Some(false))])?;
    let asked =
        |filter: &str| count(&file, &["-f", &format!("sched_process_exec.pathname={base}/*"), "-f", filter]);
    same("from the upper layer", asked("sched_process_exec.upper_layer=true")?, 2)?;
    same("from a lower one", asked("sched_process_exec.upper_layer=false")?, 1)?;
    Ok(())
}

fn memory() -> Result<(), Failed> {
    let dir = scratch()?;
    let base = path(dir.path())?.to_owned();
    let act = act("exec-from-memory", &base)?.join(" ");
    let script = format!("cp /bin/true '{base}/memfd:x'; '{base}/memfd:x'; {act}; sleep 3");
    let file = record(dir.path(), &[], &["sh", "-c", &script])?;
    same("from memory", origins(&file, "memfd:memory")?, vec![(None, Some(true))])?;
    let called = origins(&file, &format!("{base}/memfd:x"))?;
    ensure(called.len() == 1 && called[0].1 == Some(false), || {
        format!("a file that is called so: {called:?}")
    })?;
    same("executions from memory", count(&file, &["-f", "sched_process_exec.memfd=true"])?, 1)?;
    found(&file, "proc.is_exe_from_memfd=true", "", &["memfd:memory"])
}

/// Holds the programs that a condition of Falco's finds among executions and ends to these.
fn found(file: &Path, condition: &str, of: &str, expected: &[&str]) -> Result<(), Failed> {
    let dir = scratch()?;
    let rules = dir.path().join("rules.yaml");
    let rule = |name: &str, kind: &str| {
        format!(
            "- rule: {name}\n  desc: x\n  condition: evt.type = {kind} and {condition}{of}\n  output: found %proc.exepath\n  priority: INFO\n"
        )
    };
    std::fs::write(&rules, rule("Executed", "execve") + &rule("Ended", "procexit"))?;
    let scan = ["scan", path(file)?, "--no-builtin", "--rules", path(&rules)?, "--all", "-o", "falco"];
    let said = tracer_ok(&scan)?;
    for rule in ["Executed", "Ended"] {
        let of_rule = said.lines().filter(|line| line.contains(&format!("\"rule\":\"{rule}\"")));
        let mut names: Vec<String> = of_rule
            .filter_map(|line| Some(line.split("found ").nth(1)?.split('"').next()?.to_owned()))
            .collect();
        names.sort();
        same(&format!("{rule}: {condition}"), names, expected.iter().map(|it| (*it).to_owned()).collect())?;
    }
    Ok(())
}

fn in_container() -> Result<(), Failed> {
    let script = "/bin/busybox cp /bin/busybox /written; /written true; /bin/busybox true";
    let container = Container::create("layers", &["/bin/busybox", "sh", "-c", script])?;
    let dir = scratch()?;
    let file = record(dir.path(), &[], &["sh", "-c", "docker start --attach \"$0\"; true", &container.name])?;
    same("written in the container", origins(&file, "/written")?, vec![(Some(true), Some(false))])?;
    let of_image = origins(&file, "/bin/busybox")?;
    let are_lower = of_image.iter().all(|it| *it == (Some(false), Some(false)));
    ensure(of_image.len() >= 3 && are_lower, || format!("of the image: {of_image:?}"))?;
    let here = format!(" and container.name = {}", container.name);
    found(&file, "proc.is_exe_upper_layer=true", &here, &["/written"])
}
