//! A process that asks to be traced, told as what it is: with strace as the one who asks.

use std::process::{Command, Stdio};

use libtest_mimic::Failed;
use serde_json::Value;

use crate::Test;
use crate::host::{ensure, events, record, same, scratch};

pub const TESTS: &[Test] = &[
    ("a_request_to_be_traced_has_mask_4_and_every_ptrace_256", apart),
    ("with_ptrace_in_both_scopes_every_ptrace_has_260", together),
];

/// Why no process can be traced here, if none can.
pub fn obstacle() -> Option<String> {
    let strace = Command::new("strace").args(["-o", "/dev/null", "true"]).stderr(Stdio::null()).status();
    if strace.is_ok_and(|status| status.success()) { None } else { Some("no strace here".to_owned()) }
}

const TRACED: &[&str] = &["strace", "-o", "/dev/null", "true"];

/// The masks of all events of this name, while strace runs a program; recorded and asked for again.
fn masks(first: &str, event: &str) -> Result<Vec<Option<u64>>, Failed> {
    let dir = scratch()?;
    let options = ["-f", first, "-f", "5:event=net_packet_icmp", "-f", "5:comm=ping", "-f", "9:event=ptrace"];
    let file = record(dir.path(), &options, TRACED)?;
    let of = |rows: &[Value]| -> Vec<Option<u64>> {
        let mine = rows.iter().filter(|row| row["eventName"] == event && row["processName"] == "strace");
        mine.map(|row| row["matchedScopes"].as_u64()).collect()
    };
    let recorded = of(&events(&file, &[])?);
    same("asked for again", &of(&events(&file, &options)?), &recorded)?;
    ensure(!recorded.is_empty(), || format!("no {event}"))?;
    Ok(recorded)
}

fn apart() -> Result<(), Failed> {
    let derived = masks("3:event=anti_debugging", "anti_debugging")?;
    ensure(derived.iter().all(|mask| *mask == Some(4)), || format!("anti_debugging: {derived:?}"))?;
    let base = masks("3:event=anti_debugging", "ptrace")?;
    ensure(base.len() > 20 && base.iter().all(|mask| *mask == Some(256)), || format!("ptrace: {base:?}"))
}

fn together() -> Result<(), Failed> {
    let derived = masks("3:event=anti_debugging,ptrace", "anti_debugging")?;
    ensure(derived.iter().all(|mask| *mask == Some(4)), || format!("anti_debugging: {derived:?}"))?;
    let base = masks("3:event=anti_debugging,ptrace", "ptrace")?;
    ensure(base.len() > 20 && base.iter().all(|mask| *mask == Some(260)), || format!("ptrace: {base:?}"))
}
