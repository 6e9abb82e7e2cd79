//! What a capture says that a host was at a moment, against what the host's own tools say in the same second.

use std::collections::{BTreeMap, BTreeSet};
use std::io::{Read as _, Write as _};
use std::net::{TcpListener, TcpStream, UdpSocket};
use std::os::unix::process::CommandExt as _;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use libtest_mimic::Failed;
use serde_json::Value;

use crate::Test;
use crate::host::{TRACER, ensure, path, same, scratch, tracer_ok, wait_for};

pub const TESTS: &[Test] =
    &[("ps_lsof_and_ss_of_a_capture_are_those_of_the_host_in_the_same_second", same_as_the_host)];

/// Ends what it holds, also when a test fails.
struct Ends(Vec<Child>);

impl Drop for Ends {
    fn drop(&mut self) {
        for child in &mut self.0 {
            // What it has started, too: each is the leader of a group.
            let group = rustix::process::Pid::from_child(child);
            let _ = rustix::process::kill_process_group(group, rustix::process::Signal::KILL);
            let _ = child.wait();
        }
    }
}

fn objects(arguments: &[&str]) -> Result<Vec<Value>, Failed> {
    tracer_ok(arguments)?.lines().map(|line| Ok(serde_json::from_str(line)?)).collect()
}

fn said_by(command: &mut Command) -> Result<String, Failed> {
    Ok(String::from_utf8(command.output()?.stdout)?)
}

/// A shell that has opened files, a pipe and a process of its own, and then waits.
fn worker(folder: &str, name: &str) -> Result<Child, Failed> {
    let script = format!(
        "cd {folder}; exec 5<{folder}/in 6>>{folder}/{name} 7<>{folder}/both 8>&6 5<&-; \
         exec 5</etc/hostname; rm {folder}/both; sleep 600 | cat & echo ready; read wait"
    );
    let mut bash = Command::new("bash");
    bash.args(["-c", &script]).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::null());
    let mut child = bash.process_group(0).spawn()?;
    let mut first = [0; 6];
    child.stdout.as_mut().ok_or("no output")?.read_exact(&mut first)?;
    Ok(child)
}

fn same_as_the_host() -> Result<(), Failed> {
    let dir = scratch()?;
    let file = dir.path().join("c.trz");
    let folder = path(&std::fs::canonicalize(dir.path())?)?.to_owned();
    for name in ["in", "both"] {
        std::fs::write(dir.path().join(name), "x")?;
    }
    let mut processes = Ends(vec![worker(&folder, "before")?]);
    let old_listener = TcpListener::bind("127.0.0.1:0")?;
    let mut recorder = Command::new(TRACER).args(["record", "-o", path(&file)?]).spawn()?;
    wait_for(&file)?;
    std::thread::sleep(Duration::from_millis(500));
    processes.0.push(worker(&folder, "during")?);
    let listener = TcpListener::bind("127.0.0.1:0")?;
    let mut client = TcpStream::connect(listener.local_addr()?)?;
    let (mut server, _) = listener.accept()?;
    let datagrams = UdpSocket::bind("127.0.0.1:0")?;
    client.write_all(b"x")?;
    server.read_exact(&mut [0])?;
    datagrams.send_to(b"x", datagrams.local_addr()?)?;
    old_listener.set_nonblocking(true)?;
    let _ = old_listener.accept();
    std::thread::sleep(Duration::from_millis(300));

    let moment = SystemTime::now().duration_since(UNIX_EPOCH)?.as_nanos().to_string();
    let ps = said_by(Command::new("ps").args(["-eo", "pid=,ppid=,uid=,comm="]))?;
    let lsof = said_by(Command::new("lsof").args(["-nP", "-F", "pfan"]))?;
    let ss = said_by(Command::new("ss").args(["-tunapH"]))?;
    let again = said_by(Command::new("ps").args(["-eo", "pid=,ppid=,uid=,comm="]))?;

    std::thread::sleep(Duration::from_millis(300));
    rustix::process::kill_process(
        rustix::process::Pid::from_child(&recorder),
        rustix::process::Signal::TERM,
    )?;
    same("exit code of the recorder", recorder.wait()?.code(), Some(0))?;
    let capture = path(&file)?;

    // Processes: those that stood in both looks lived at the moment between.
    let rows = |text: &str| -> BTreeSet<String> {
        text.lines().map(|line| line.split_whitespace().collect::<Vec<_>>().join(" ")).collect()
    };
    let (first, second) = (rows(&ps), rows(&again));
    let is_there = |row: &&String| second.contains(*row) && !row.contains("<defunct>");
    let told: BTreeMap<String, Value> = objects(&["ps", capture, "--at", &moment, "-o", "json"])?
        .into_iter()
        .map(|it| (it["pid"].to_string(), it))
        .collect();
    let mut wrong = Vec::new();
    let mut count = 0;
    for row in first.iter().filter(is_there) {
        let fields: Vec<&str> = row.splitn(4, ' ').collect();
        let [pid, ppid, uid, comm] = fields.as_slice() else { continue };
        // Kernel threads rename themselves as they work.
        let is_kernel = *ppid == "2" || *ppid == "0";
        count += 1;
        match told.get(*pid) {
            None => wrong.push(format!("missing: {row}")),
            Some(it) if is_kernel => {
                if it["ppid"] != ppid.parse::<u64>()? {
                    wrong.push(format!("{row}: {it}"));
                }
            }
            Some(it) => {
                let parent_is_right = it["ppid"].is_null() || it["ppid"] == ppid.parse::<u64>()?;
                if !parent_is_right || it["uid"] != uid.parse::<u64>()? || it["comm"] != **comm {
                    wrong.push(format!("{row}: {it}"));
                }
            }
        }
    }
    ensure(count > 10 && wrong.is_empty(), || {
        format!("{} of {count} processes differ:\n{}", wrong.len(), wrong.join("\n"))
    })?;
    let pids: BTreeSet<&str> = first.iter().filter_map(|row| row.split(' ').next()).collect();
    let dead: Vec<&String> = told.keys().filter(|pid| !pids.contains(pid.as_str())).collect();
    ensure(dead.is_empty(), || format!("{dead:?} do not live, but {capture} says so"))?;

    // Descriptors of processes that wait: those of the host, by number and name.
    let mut open: BTreeMap<(String, String), String> = BTreeMap::new();
    let (mut pid, mut fd) = (String::new(), String::new());
    for line in lsof.lines() {
        match line.split_at_checked(1) {
            Some(("p", rest)) => pid = rest.to_owned(),
            Some(("f", rest)) => fd = rest.to_owned(),
            Some(("n", rest)) => {
                open.insert((pid.clone(), fd.clone()), rest.to_owned());
            }
            _ => {}
        }
    }
    let told: BTreeMap<(String, String), Value> = objects(&["lsof", capture, "--at", &moment, "-o", "json"])?
        .into_iter()
        .map(|it| ((it["pid"].to_string(), it["number"].to_string()), it))
        .collect();
    for (child, is_new) in processes.0.iter().zip([false, true]) {
        let own = child.id().to_string();
        let files = open.iter().filter(|((pid, fd), _)| *pid == own && fd.parse::<u32>().is_ok());
        let mut seen = 0;
        for (key, name) in files {
            let it = told.get(key).ok_or_else(|| format!("no descriptor {key:?} ({name}) in {told:#?}"))?;
            seen += 1;
            // lsof names no pipe by itself; one that nobody has used has no number yet.
            let shown = it["name"].as_str().unwrap_or("?");
            let is_pipe =
                name.starts_with("pipe") && (shown.starts_with("pipe:[") || shown.starts_with("? ("));
            // That its name is gone is seen at its next use.
            let is_it = name == shown || name.strip_suffix(" (deleted)") == Some(shown);
            ensure(is_pipe || is_it, || format!("{key:?}: {shown}, and lsof says {name}"))?;
            if name.starts_with(&folder) {
                same(
                    "since when it is known",
                    it["known"].as_str(),
                    Some(if is_new { "begun" } else { "before" }),
                )?;
            }
        }
        ensure(seen >= 6, || format!("{seen} descriptors of {own} in {open:#?}"))?;
        let more: Vec<_> = told
            .keys()
            .filter(|(pid, fd)| *pid == own && fd.parse::<u32>().is_ok())
            .filter(|key| !open.contains_key(*key))
            .collect();
        ensure(more.is_empty(), || format!("{more:?} are not open, but {capture} says so"))?;
    }

    // Sockets of this program: those of the host, with both ends and their states.
    let sockets = objects(&["ss", capture, "--at", &moment, "-o", "json"])?;
    let own = format!("pid={},", std::process::id());
    let mut seen = 0;
    for line in ss.lines().filter(|line| line.contains(&own)) {
        let fields: Vec<&str> = line.split_whitespace().collect();
        let [netid, state, _, _, local, peer, ..] = fields.as_slice() else { continue };
        if *local == old_listener.local_addr()?.to_string() {
            continue;
        }
        seen += 1;
        let state = match *state {
            "ESTAB" => "ESTABLISHED",
            "UNCONN" => "UNCONNECTED",
            other => other,
        };
        let peer = if peer.ends_with(":*") { "" } else { peer };
        let is_it = |it: &&Value| {
            it["netid"] == **netid && it["local"] == **local && it["peer"] == *peer && it["state"] == state
        };
        ensure(sockets.iter().any(|it| is_it(&it)), || format!("{line} is not among {sockets:#?}"))?;
    }
    same("sockets of this program that the host names", seen, 4)?;
    // One that was there before and was used since is known by its address, and not since when.
    let old = old_listener.local_addr()?.to_string();
    let it =
        sockets.iter().find(|it| it["local"] == *old).ok_or_else(|| format!("no {old} in {sockets:#?}"))?;
    same("what is known of it", it["known"].as_str(), Some("before"))
}
