//! Policy files under `record`: several of them beside filters, and the same masks again in replay.

use std::collections::BTreeMap;
use std::fs;

use libtest_mimic::Failed;

use crate::Test;
use crate::host::{ensure, events, path, record, same, scratch, tracer};
use crate::masks::MIXED;

pub const TESTS: &[Test] = &[
    ("policies_beside_filters_give_the_recorded_masks", recorded_masks),
    ("a_policy_that_cannot_be_read_is_told_with_the_wrong_filters", all_at_once),
];

const SECRETS: &str = "\
apiVersion: tracee.aquasec.com/v1beta1
kind: Policy
metadata: {name: secrets}
spec:
  scope: [global]
  defaultActions: [log]
  rules:
    - event: openat
      filters: [data.pathname=/etc/shadow]
    - event: sched_process_exec
      filters: [comm=id]
";
const OF_SHELLS: &str = "\
type: policy
name: of-shells
scope: [comm=sh, follow]
rules:
  - event: sched_process_exit
  - {event: openat, filters: [retval<0]}
";
const ENDS: &str = "\
apiVersion: tracee.aquasec.com/v1beta1
kind: Policy
metadata: {name: ends}
spec:
  scope: [uid=0]
  rules: [{event: sched_process_exit, filters: [comm=ls]}]
";

fn recorded_masks() -> Result<(), Failed> {
    let dir = scratch()?;
    let folder = dir.path().join("policies");
    fs::create_dir(&folder)?;
    fs::write(folder.join("b.yaml"), OF_SHELLS)?;
    fs::write(folder.join("a.yml"), SECRETS)?;
    let single = dir.path().join("ends.yaml");
    fs::write(&single, ENDS)?;
    // Filters have the numbers that they name; files take those that are left, in order.
    let options = ["-f", "2:comm=ls", "-p", path(&folder)?, "-p", path(&single)?];
    let file = record(dir.path(), &options, &["sh", "-c", MIXED])?;
    let recorded = events(&file, &[])?;
    let again = events(&file, &options)?;
    let differing = recorded.iter().zip(&again).find(|(a, b)| a != b);
    ensure(differing.is_none(), || format!("first difference: {differing:#?}"))?;
    same("events", again.len(), recorded.len())?;

    let mut by_name: BTreeMap<&str, usize> = BTreeMap::new();
    for row in &recorded {
        let mask = row["matchedScopes"].as_u64().unwrap_or_default();
        let names = [(1, "secrets"), (4, "of-shells"), (8, "ends")];
        let expected: Vec<&str> =
            names.iter().filter(|(bit, _)| mask & bit != 0).map(|(_, name)| *name).collect();
        ensure(row["matchedPolicies"] == serde_json::json!(expected), || format!("{mask}: {row}"))?;
        for name in expected {
            *by_name.entry(name).or_default() += 1;
        }
        if mask & 2 != 0 {
            *by_name.entry("filter").or_default() += 1;
        }
    }
    same("policies with events", by_name.len(), 4)?;
    // Each policy's rules in the mask, by what the event itself says.
    for row in &recorded {
        let mask = row["matchedScopes"].as_u64().unwrap_or_default();
        let shadow =
            row["args"].as_array().is_some_and(|args| args.iter().any(|arg| arg["value"] == "/etc/shadow"));
        let secret = row["eventName"] == "openat" && shadow
            || row["eventName"] == "sched_process_exec" && row["processName"] == "id";
        same("secrets", mask & 1 != 0, secret)?;
        let end =
            row["eventName"] == "sched_process_exit" && row["processName"] == "ls" && row["userId"] == 0;
        same("ends", mask & 8 != 0, end)?;
    }
    Ok(())
}

fn all_at_once() -> Result<(), Failed> {
    let dir = scratch()?;
    let missing = dir.path().join("missing.yaml");
    let output = tracer(&["record", "-p", path(&missing)?, "-f", "com=ls", "--", "true"])?;
    let said = String::from_utf8_lossy(&output.stderr);
    same("exit code", output.status.code(), Some(2))?;
    ensure(said.contains("missing.yaml") && said.contains("did you mean \"comm\"?"), || said.to_string())
}
