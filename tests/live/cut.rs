//! What was cut says so: nothing ends where the recorder stopped reading without a mark.

use std::process::Command;

use libtest_mimic::Failed;

use crate::Test;
use crate::host::{TRACER, ensure, marks, path, record, scratch};

pub const TESTS: &[Test] = &[("an_argument_that_was_cut_is_marked_as_cut", padded_command_line)];

fn padded_command_line() -> Result<(), Failed> {
    let dir = scratch()?;
    let padding = "A".repeat(100_000);
    let file = record(dir.path(), &[], &["true", &padding, "--evil"])?;
    // The catalogue has argv at these positions.
    for (event, position) in [("execve", 1), ("sched_process_exec", 6)] {
        let rows = marks(&file, event, "true")?;
        ensure(rows.iter().any(|marks| marks.is_cut(position)), || format!("{event}: {rows:?}"))?;
    }
    // Ordinary work is whole: many arguments, and long ones.
    let many: Vec<String> =
        (0..300).map(|number| format!("--argument-{number}=aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa")).collect();
    let file = dir.path().join("whole.trz");
    let status =
        Command::new(TRACER).args(["record", "-o", path(&file)?, "--", "true"]).args(&many).status()?;
    ensure(status.success(), || format!("{status}"))?;
    for (event, position) in [("execve", 1), ("sched_process_exec", 6)] {
        let rows = marks(&file, event, "true")?;
        ensure(!rows.is_empty() && !rows.iter().any(|marks| marks.is_cut(position)), || {
            format!("{event}: {rows:?}")
        })?;
    }
    Ok(())
}
