//! What a user sees when asking the real captures under `fixtures/`: no root and no BPF needed.

use std::path::Path;
use std::process::Command;

/// Runs `tracer` on a fixture and gives back what it printed; a failure shows the command and both streams.
fn ask(subcommand: &str, fixture: &str, arguments: &[&str]) -> String {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures").join(fixture);
    let output = Command::new(env!("CARGO_BIN_EXE_tracer"))
        .arg(subcommand)
        .arg(&file)
        .args(arguments)
        .output()
        .expect("tracer can be started");
    assert!(
        output.status.success(),
        "tracer {subcommand} {fixture} {arguments:?} ended with {}\nstdout: {}\nstderr: {}",
        output.status,
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr)
    );
    String::from_utf8(output.stdout).expect("output is UTF-8")
}

fn replay(fixture: &str, arguments: &[&str]) -> String {
    let mut all = vec!["--utc", "-o", "table-verbose"];
    all.extend(arguments);
    ask("replay", fixture, &all)
}

fn count(fixture: &str, arguments: &[&str]) -> u64 {
    let mut all = vec!["--count"];
    all.extend(arguments);
    ask("replay", fixture, &all).trim().parse().expect("a number")
}

const FIXTURES: &[&str] =
    &["ls.trz", "id-ls.trz", "tree.trz", "denied.trz", "ptrace.trz", "threads.trz", "scopes.trz"];

#[test]
fn ls_is_seen_from_its_exec_to_its_exit() {
    insta::assert_snapshot!(replay("ls.trz", &["-f", "9:comm=ls"]));
}

#[test]
fn ls_in_json_has_the_fields_that_users_of_tracee_know() {
    let rows = ask(
        "replay",
        "ls.trz",
        &["-f", "9:comm=ls", "-f", "9:event=sched_process_exec,openat", "-o", "json"],
    );
    insta::assert_snapshot!(rows);
}

#[test]
fn two_detached_scopes_give_each_process_its_own_mask() {
    let scopes = [
        "-f",
        "3:event=sched_process_exit",
        "-f",
        "3:comm=id",
        "-f",
        "9:event=sched_process_exit",
        "-f",
        "9:comm=ls",
    ];
    insta::assert_snapshot!(replay("id-ls.trz", &scopes));
}

#[test]
fn two_intertwined_scopes_give_id_both_bits() {
    let scopes = ["-f", "3:event=sched_process_exit", "-f", "3:comm=id", "-f", "9:event=sched_process_exit"];
    insta::assert_snapshot!(replay("id-ls.trz", &scopes));
}

#[test]
fn scope_42_sees_the_exec_of_its_binary() {
    let scopes = ["-f", "42:event=sched_process_exec", "-f", "42:binary=/usr/bin/ls"];
    insta::assert_snapshot!(replay("id-ls.trz", &scopes));
}

#[test]
fn a_tree_s_forks_execs_and_exits_are_told() {
    let scopes = ["-f", "follow", "-f", "comm=sh", "-f", "event=sched_process_*"];
    insta::assert_snapshot!(replay("tree.trz", &scopes));
}

#[test]
fn denied_opens_of_another_user_are_found_by_errno_name() {
    insta::assert_snapshot!(replay(
        "denied.trz",
        &["-f", "5:openat.retval=EACCES", "-f", "7:openat.retval=ENOENT", "-f", "7:uid=1000"]
    ));
}

#[test]
fn ptrace_traceme_is_derived_as_anti_debugging() {
    let scopes =
        ["-f", "3:event=anti_debugging", "-f", "9:event=ptrace", "-f", "9:ptrace.request=PTRACE_TRACEME"];
    insta::assert_snapshot!(replay("ptrace.trz", &scopes));
}

#[test]
fn threads_of_one_process_keep_their_own_ids() {
    let scopes = ["-f", "comm=xz", "-f", "event=clone,clone3,sched_process_fork,sched_process_exit"];
    insta::assert_snapshot!(replay("threads.trz", &scopes));
}

#[test]
fn replay_without_filters_prints_the_recorded_scopes() {
    insta::assert_snapshot!(replay("scopes.trz", &[]));
}

#[test]
fn info_says_what_a_capture_holds() {
    let mut info: serde_json::Value =
        serde_json::from_str(&ask("info", "scopes.trz", &["-o", "json"])).expect("info prints JSON");
    if let Some(map) = info.as_object_mut() {
        map.remove("file");
    }
    insta::assert_json_snapshot!(info);
}

/// The invariant "same answer", on a real recording.
#[test]
fn replaying_with_the_recorded_filters_gives_the_recorded_masks() {
    let recorded = ask("replay", "scopes.trz", &["-o", "json"]);
    let filters = [
        "-f",
        "3:event=sched_process_exit",
        "-f",
        "3:comm=id",
        "-f",
        "9:event=sched_process_exit",
        "-f",
        "5:event=openat",
        "-f",
        "5:openat.retval<0",
        "-o",
        "json",
    ];
    assert!(recorded.lines().count() > 5, "too few events: {recorded}");
    assert_eq!(recorded, ask("replay", "scopes.trz", &filters));
}

#[test]
fn every_fixture_gives_the_same_bytes_on_any_number_of_threads() {
    for fixture in FIXTURES {
        let one = ask("replay", fixture, &["-o", "json", "--threads", "1"]);
        assert!(!one.is_empty(), "{fixture} is empty");
        for threads in ["2", "7"] {
            assert!(
                one == ask("replay", fixture, &["-o", "json", "--threads", threads]),
                "{fixture} with {threads}"
            );
        }
    }
}

#[test]
fn every_fixture_counts_what_it_prints() {
    for fixture in FIXTURES {
        for filters in
            [&["-f", "comm=sh"][..], &["-f", "event=openat"], &["-f", "set=fs", "-f", "openat.retval<0"]]
        {
            let mut printing = vec!["-o", "json"];
            printing.extend(filters);
            let printed = ask("replay", fixture, &printing).lines().count() as u64;
            assert_eq!(count(fixture, filters), printed, "{fixture} {filters:?}");
        }
    }
}
