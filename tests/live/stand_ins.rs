//! Stand-ins are as wide as the hooks that they stand for, and a recorder that would tell the wrong ids refuses to.

use std::os::unix::fs::PermissionsExt as _;
use std::process::Command;

use libtest_mimic::Failed;
use serde_json::Value;

use crate::Test;
use crate::host::{TRACER, ensure, events, path, record, same, scratch};
use crate::workload::{name_of, own_program};

pub const TESTS: &[Test] = &[
    ("connects_are_told_to_the_hook_whatever_came_of_them", connects_that_fail_are_told),
    ("an_exec_that_gives_rights_is_a_change_of_credentials", set_uid_execs_are_told),
    ("connections_that_are_asked_for_are_told", asked_for_connections_are_told),
    ("a_recorder_in_a_pid_namespace_refuses_and_says_what_to_do", pid_namespaces_are_refused),
];

/// First argument: connect to where nobody listens, and leave.
pub const RUN: &str = "--connect-to-nobody";

pub fn run() -> ! {
    use rustix::net::{AddressFamily, SocketAddrV4, SocketFlags, SocketType, connect, socket_with};
    let nobody = SocketAddrV4::new([127, 0, 0, 1].into(), 1);
    for flags in [SocketFlags::empty(), SocketFlags::NONBLOCK] {
        if let Ok(socket) = socket_with(AddressFamily::INET, SocketType::STREAM, flags, None) {
            let _ = connect(&socket, &nobody);
        }
    }
    // SAFETY: no such descriptor: the kernel does not get to the hook.
    unsafe { libc::connect(4_000, std::ptr::null(), 16) };
    std::process::exit(0)
}

fn argument<'a>(row: &'a Value, name: &str) -> &'a Value {
    let mut all = row["args"].as_array().into_iter().flatten();
    all.find(|one| one["name"] == name).map_or(&Value::Null, |one| &one["value"])
}

fn connect_rows() -> Result<Vec<Value>, Failed> {
    let program = std::env::current_exe()?;
    let program = program.to_str().ok_or("this test's path is not UTF-8")?;
    let dir = scratch()?;
    let file = record(dir.path(), &[], &[program, RUN])?;
    events(&file, &["-f", &format!("binary={program}")])
}

fn connects_that_fail_are_told() -> Result<(), Failed> {
    let rows = connect_rows()?;
    let of = |event: &str| rows.iter().filter(|row| row["eventName"] == event).collect::<Vec<_>>();
    let results: Vec<_> = of("connect").iter().filter_map(|row| row["returnValue"].as_i64()).collect();
    ensure(results.len() == 3 && results.iter().all(|ret| *ret < 0), || format!("connects: {results:?}"))?;
    let told = of("security_socket_connect");
    same("connects that got to the hook", told.len(), 2)?;
    for row in told {
        same("the address", &argument(row, "remote_addr")["sin_port"], &Value::from("1"))?;
        same("the call", &row["syscall"], &Value::from("connect"))?;
    }
    Ok(())
}

fn asked_for_connections_are_told() -> Result<(), Failed> {
    let program = std::env::current_exe()?;
    let program = program.to_str().ok_or("this test's path is not UTF-8")?;
    let dir = scratch()?;
    let file = record(dir.path(), &[], &[program, RUN])?;
    let rows = events(&file, &["-f", "event=net_tcp_connect", "-f", &format!("binary={program}")])?;
    let asked: Vec<_> = rows.iter().map(|row| (argument(row, "dst"), argument(row, "dst_port"))).collect();
    let (address, port) = (Value::from("127.0.0.1"), Value::from(1));
    same("connections", asked, vec![(&address, &port); 2])
}

fn set_uid_execs_are_told() -> Result<(), Failed> {
    let has_setpriv = Command::new("setpriv").arg("--version").output().is_ok();
    if !has_setpriv {
        println!("an_exec_that_gives_rights_is_a_change_of_credentials: no setpriv here");
        return Ok(());
    }
    let dir = scratch()?;
    std::fs::set_permissions(dir.path(), std::fs::Permissions::from_mode(0o755))?;
    let program = own_program(dir.path(), "id")?;
    std::fs::set_permissions(&program, std::fs::Permissions::from_mode(0o4755))?;
    let user = ["setpriv", "--reuid", "65534", "--clear-groups", path(&program)?];
    let said = Command::new(user[0]).args(&user[1..]).output()?;
    if !String::from_utf8_lossy(&said.stdout).contains("euid=0") {
        println!("an_exec_that_gives_rights_is_a_change_of_credentials: set-uid is switched off here");
        return Ok(());
    }
    let file = record(dir.path(), &[], &user)?;
    let comm = format!("comm={}", name_of(&program));
    let rows = events(&file, &["-f", "event=commit_creds", "-f", &comm])?;
    let given = rows.iter().any(|row| {
        let new = argument(row, "new_cred").to_string();
        new.contains("65534") && new.to_lowercase().contains("\"euid\":0")
    });
    ensure(given, || format!("no change to euid 0: {rows:?}"))
}

fn pid_namespaces_are_refused() -> Result<(), Failed> {
    let dir = scratch()?;
    let capture = dir.path().join("c.trz");
    let namespaces = Command::new("unshare").args(["-pf", "--mount-proc", "true"]).status();
    if !namespaces.is_ok_and(|status| status.success()) {
        println!("a_recorder_in_a_pid_namespace_refuses_and_says_what_to_do: no namespaces here");
        return Ok(());
    }
    let recorder = [TRACER, "record", "--duration", "1s", "-o", path(&capture)?];
    let output = Command::new("unshare").args(["-pf", "--mount-proc"]).args(recorder).output()?;
    let said = String::from_utf8_lossy(&output.stderr);
    same("the exit code", output.status.code(), Some(2))?;
    ensure(said.contains("pid namespace") && said.contains("hostPID"), || said.clone().into_owned())?;
    ensure(!capture.exists(), || "a capture was made all the same".to_owned())
}
