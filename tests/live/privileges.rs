//! A running recorder has no more than its threads need.

use std::collections::BTreeMap;
use std::process::{Command, Stdio};

use libtest_mimic::Failed;
use rustix::process::{Pid, Signal, kill_process};

use crate::Test;
use crate::host::{TRACER, count, ensure, info, path, same, scratch, tracer, wait_for};

pub const TESTS: &[Test] = &[
    ("a_running_recorder_has_no_more_than_its_threads_need", running),
    ("the_command_of_a_recording_keeps_what_it_would_have_without", command),
    ("a_recorder_without_a_capability_says_which", missing),
    ("a_recorder_with_all_capabilities_but_one_records_or_says_which", all_but_one),
    ("a_kernel_that_is_locked_down_is_named", locked_down),
];

/// The lines of a thread's status, by name.
fn status(text: &str) -> BTreeMap<String, String> {
    let pairs = text.lines().filter_map(|line| line.split_once(':'));
    pairs.map(|(name, value)| (name.to_owned(), value.trim().to_owned())).collect()
}

fn running() -> Result<(), Failed> {
    let dir = scratch()?;
    let file = dir.path().join("c.trz");
    let mut recorder = Command::new(TRACER)
        .args(["record", "-o", path(&file)?, "--duration", "60s", "--artifacts", "exec,memfd,module,bpf"])
        .stderr(Stdio::null())
        .spawn()?;
    wait_for(&file)?;
    std::thread::sleep(std::time::Duration::from_secs(3));
    const DAC_OVERRIDE: u64 = 1 << 1;
    const DAC_READ_SEARCH: u64 = 1 << 2;
    const SYS_PTRACE: u64 = 1 << 19;
    const BPF: u64 = 1 << 39;
    const DRAIN: u64 = DAC_READ_SEARCH | SYS_PTRACE | 1 << 5 | 1 << 38 | 1 << 39;
    let mut seen = Vec::new();
    for task in std::fs::read_dir(format!("/proc/{}/task", recorder.id()))? {
        let status = status(&std::fs::read_to_string(task?.path().join("status"))?);
        let name = status.get("Name").cloned().unwrap_or_default();
        let (may, filter) = match name.as_str() {
            "tracer-encode" => (0, "2"),
            "tracer-write" => (DAC_OVERRIDE, "2"),
            "tracer-names" => (DAC_READ_SEARCH, "2"),
            "tracer-hashes" => (DAC_READ_SEARCH | SYS_PTRACE, "2"),
            // The kernel cuts names.
            "tracer-artifact" => (DAC_READ_SEARCH | SYS_PTRACE | BPF, "2"),
            "tracer" => (DRAIN, "2"),
            _ => (0, "0"),
        };
        for kind in ["CapEff", "CapPrm", "CapBnd", "CapInh", "CapAmb"] {
            let has = u64::from_str_radix(status.get(kind).map_or("", |it| it.as_str()), 16)?;
            ensure(has & !may == 0, || format!("{name}: {kind} {has:#x}, not only {may:#x}"))?;
        }
        same(&format!("{name}: NoNewPrivs"), status.get("NoNewPrivs").map_or("", |it| it.as_str()), "1")?;
        let seccomp = status.get("Seccomp").map_or("", |it| it.as_str());
        ensure(seccomp == filter, || format!("{name}: Seccomp {seccomp}"))?;
        seen.push(name);
    }
    for expected in [
        "tracer",
        "tracer-encode",
        "tracer-write",
        "tracer-names",
        "tracer-hashes",
        "tracer-artifact",
        "tracer-signals",
    ] {
        ensure(seen.iter().any(|name| name == expected), || format!("no thread {expected} in {seen:?}"))?;
    }
    // Not dumpable: its memory is nobody's but root's with the right to trace.
    let nobody = Command::new("setpriv")
        .args(["--reuid=65534", "--regid=65534", "--clear-groups", "cat"])
        .arg(format!("/proc/{}/environ", recorder.id()))
        .stderr(Stdio::null())
        .status()?;
    ensure(!nobody.success(), || "its environment is everybody's".to_owned())?;
    kill_process(Pid::from_child(&recorder), Signal::TERM)?;
    let asked = std::time::Instant::now();
    same("exit code", recorder.wait()?.code(), Some(0))?;
    // The signal's handler may run on a thread that may do little.
    ensure(asked.elapsed().as_secs() < 30, || "it did not end when told to".to_owned())?;
    ensure(info(&file)?["events"].as_u64() > Some(0), || "nothing was recorded".to_owned())
}

fn command() -> Result<(), Failed> {
    let dir = scratch()?;
    let file = dir.path().join("c.trz");
    let own = status(&std::fs::read_to_string("/proc/self/status")?);
    let output = tracer(&["record", "-o", path(&file)?, "--", "cat", "/proc/self/status"])?;
    let child = status(&String::from_utf8_lossy(&output.stdout));
    for name in ["CapEff", "CapBnd", "NoNewPrivs", "Seccomp"] {
        same(name, child.get(name), own.get(name))?;
    }
    Ok(())
}

fn missing() -> Result<(), Failed> {
    let dir = scratch()?;
    let file = dir.path().join("c.trz");
    for (bounding, word) in [("-bpf,-sys_admin", "bpf"), ("-perfmon,-sys_admin", "perfmon"), ("-all", "root")]
    {
        let output = Command::new("setpriv")
            .args([&format!("--bounding-set={bounding}"), "--inh-caps=-all", TRACER, "record"])
            .args(["-o", path(&file)?, "--duration", "1s"])
            .output()?;
        let said = String::from_utf8_lossy(&output.stderr).to_lowercase();
        same("exit code", output.status.code(), Some(2))?;
        ensure(said.contains(word), || format!("without {bounding}: {said}"))?;
    }
    let nobody = Command::new("setpriv")
        .args(["--reuid=65534", "--regid=65534", "--clear-groups", TRACER, "record", "-o", "/tmp/never.trz"])
        .output()?;
    let said = String::from_utf8_lossy(&nobody.stderr);
    ensure(nobody.status.code() == Some(2) && said.contains("root"), || said.to_string())
}

/// What loading needs is asked for by name; whatever else root may do is not missed.
fn all_but_one() -> Result<(), Failed> {
    let dir = scratch()?;
    let file = dir.path().join("c.trz");
    let names = [
        ("sys_ptrace", true),
        ("dac_read_search", true),
        ("dac_override", true),
        ("sys_resource", true),
        ("sys_nice", true),
        ("setpcap", true),
        ("kill", true),
        ("syslog", true),
        ("net_admin", false),
        ("sys_admin", false),
    ];
    for (name, is_needless) in names {
        let output = Command::new("setpriv")
            .args([&format!("--bounding-set=-{name}"), "--inh-caps=-all", TRACER, "record", "--force"])
            .args(["-o", path(&file)?, "--", "true"])
            .output()?;
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        match output.status.code() {
            Some(0) => {
                let execs = count(&file, &["-f", "event=sched_process_exec", "-f", "comm=true"])?;
                ensure(execs > 0, || format!("without {name} nothing was recorded: {said}"))?;
            }
            Some(2) if !is_needless => {
                ensure(said.to_lowercase().contains(&format!("cap_{name}")), || {
                    format!("without {name}: {said}")
                })?;
            }
            code => return Err(format!("without {name}: {code:?}, {said}").into()),
        }
    }
    Ok(())
}

/// A file in the place where the kernel says so, seen by the recorder alone.
fn locked_down() -> Result<(), Failed> {
    let dir = scratch()?;
    let (file, modes) = (dir.path().join("c.trz"), dir.path().join("security"));
    std::fs::create_dir(&modes)?;
    let record = |mode: &str| {
        std::fs::write(modes.join("lockdown"), mode)?;
        let script = "mount --bind \"$1\" /sys/kernel/security && shift && exec \"$@\"";
        let output = Command::new("unshare")
            .args(["--mount", "sh", "-c", script, "sh", path(&modes)?, TRACER, "record", "--force"])
            .args(["-o", path(&file)?, "--", "true"])
            .output()?;
        Ok::<_, Failed>((output.status.code(), String::from_utf8_lossy(&output.stderr).into_owned()))
    };
    let (code, said) = record("none [integrity] confidentiality\n")?;
    ensure(code == Some(0), || format!("{code:?}: {said}"))?;
    let (code, said) = record("none integrity [confidentiality]\n")?;
    ensure(code == Some(2) && said.contains("lockdown=integrity"), || format!("{code:?}: {said}"))
}
