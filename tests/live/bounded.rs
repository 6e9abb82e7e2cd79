//! Whatever unprivileged processes do, the recorder's memory stays within what it says.

use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use libtest_mimic::Failed;
use rustix::process::{Pid, Signal, kill_process};

use crate::Test;
use crate::host::{TRACER, count, ensure, info, path, same, scratch, wait_for};

pub const TESTS: &[Test] = &[
    ("a_process_that_renames_itself_below_a_long_path_costs_bounded_memory", renames),
    ("a_flight_recorder_of_a_time_stays_within_its_memory_under_a_flood", flight),
];

/// Where a process can be held to a limit.
pub const LIMITED: &[Test] = &[("a_recorder_lives_within_the_memory_that_it_tells", within_limit)];

/// The flag by which this program becomes the process that renames itself.
pub const RENAME: &str = "--rename-for-ever";

/// Gives itself another name as fast as it can, for some seconds.
pub fn rename() {
    let until = Instant::now() + Duration::from_secs(8);
    let mut number = 0_u64;
    while Instant::now() < until {
        for _ in 0..1000 {
            number += 1;
            let name = format!("n{number:014}\0");
            // SAFETY: the name ends with a NUL and lives until the call is over.
            unsafe { libc::prctl(libc::PR_SET_NAME, name.as_ptr()) };
        }
    }
}

/// The most memory that a process had, in KiB.
fn peak_kib(process: &Child) -> Result<u64, Failed> {
    let status = std::fs::read_to_string(format!("/proc/{}/status", process.id()))?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).unwrap_or_default();
    Ok(line.trim().trim_end_matches(" kB").trim().parse()?)
}

fn recorder(file: &Path, options: &[&str]) -> Result<Child, Failed> {
    let arguments = [&["record", "-o", path(file)?, "--buffer", "4M", "--duration", "90s"], options].concat();
    let recorder = Command::new(TRACER).args(arguments).stderr(Stdio::null()).spawn()?;
    wait_for(file)?;
    Ok(recorder)
}

fn end(mut recorder: Child) -> Result<(), Failed> {
    kill_process(Pid::from_child(&recorder), Signal::TERM)?;
    same("exit code", recorder.wait()?.code(), Some(0))
}

fn as_nobody(program: &Path, arguments: &[&str]) -> Result<Child, Failed> {
    let mut command = Command::new("setpriv");
    command.args(["--reuid=65534", "--regid=65534", "--clear-groups"]).arg(program).args(arguments);
    Ok(command.stdout(Stdio::null()).stderr(Stdio::null()).spawn()?)
}

fn renames() -> Result<(), Failed> {
    let dir = scratch()?;
    std::fs::set_permissions(dir.path(), std::os::unix::fs::PermissionsExt::from_mode(0o755))?;
    let mut folder = dir.path().to_owned();
    for _ in 0..14 {
        folder.push("d".repeat(240));
    }
    std::fs::create_dir_all(&folder)?;
    let program = folder.join("renames");
    std::fs::copy(std::env::current_exe()?, &program)?;
    let file = dir.path().join("c.trz");
    let recorder = recorder(&file, &[])?;
    let before = peak_kib(&recorder)?;
    let mut hostile = [as_nobody(&program, &[RENAME])?, as_nobody(&program, &[RENAME])?];
    for process in &mut hostile {
        ensure(process.wait()?.success(), || "the process that renames itself did not run".to_owned())?;
    }
    let after = peak_kib(&recorder)?;
    end(recorder)?;
    let info = info(&file)?;
    let lost: u64 =
        info["losses"].as_array().into_iter().flatten().filter_map(|loss| loss["count"].as_u64()).sum();
    let renames = count(&file, &["-f", "event=task_rename"])?;
    ensure(renames + lost > 1_000, || format!("only {renames} renames, {lost} lost"))?;
    // 64 MiB of contexts with their tables, and the blocks that are filled and encoded meanwhile.
    ensure(after < before + (320 << 10), || format!("{before} KiB before, {after} KiB after"))
}

fn flight() -> Result<(), Failed> {
    let dir = scratch()?;
    let file = dir.path().join("c.trz");
    let recorder = recorder(&file, &["--flight", "60s", "--flight-memory", "32M", "--after", "1s"])?;
    let before = peak_kib(&recorder)?;
    let dd = Path::new("dd");
    let mut hostile = Vec::new();
    for _ in 0..2 {
        hostile.push(as_nobody(dd, &["if=/dev/urandom", "of=/dev/null", "bs=256"])?);
    }
    std::thread::sleep(Duration::from_secs(15));
    let after = peak_kib(&recorder)?;
    for process in &mut hostile {
        process.kill()?;
        process.wait()?;
    }
    kill_process(Pid::from_child(&recorder), Signal::USR1)?;
    let mut recorder = recorder;
    same("exit code", recorder.wait()?.code(), Some(0))?;
    // What it holds, and the blocks that are filled and encoded meanwhile.
    ensure(after < before + (256 << 10), || format!("{before} KiB before, {after} KiB after"))?;
    let info = info(&file)?;
    let causes: Vec<&str> =
        info["losses"].as_array().into_iter().flatten().filter_map(|loss| loss["cause"].as_str()).collect();
    ensure(causes.contains(&"flight memory full"), || format!("{info:#}"))?;
    ensure(std::fs::metadata(&file)?.len() < 64 << 20, || "the file is larger than the memory".to_owned())
}

/// A group of processes whose memory is limited; with either version of the kernel's interface.
struct Limit(PathBuf);

impl Limit {
    fn folder() -> Option<(PathBuf, &'static str)> {
        let is_there = |path: &str| Path::new(path).exists();
        if is_there("/sys/fs/cgroup/memory/memory.limit_in_bytes") {
            return Some(("/sys/fs/cgroup/memory".into(), "memory.limit_in_bytes"));
        }
        let listed = std::fs::read_to_string("/sys/fs/cgroup/cgroup.subtree_control").unwrap_or_default();
        listed.contains("memory").then(|| ("/sys/fs/cgroup".into(), "memory.max"))
    }

    fn of(bytes: u64) -> Result<Limit, Failed> {
        let (parent, name) = Limit::folder().ok_or("no memory controller")?;
        let limit = Limit(parent.join(format!("tracer-test-{}", std::process::id())));
        std::fs::create_dir(&limit.0)?;
        std::fs::write(limit.0.join(name), bytes.to_string())?;
        Ok(limit)
    }
}

impl Drop for Limit {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir(&self.0);
    }
}

pub fn limit_obstacle() -> Option<String> {
    Limit::folder().is_none().then(|| "no memory controller of cgroups here".to_owned())
}

/// Whoever goes beyond its limit is killed. Nobody's processes rename themselves, open files by long paths and call as fast
/// as they can.
fn within_limit() -> Result<(), Failed> {
    let dir = scratch()?;
    let file = dir.path().join("told.trz");
    Command::new(TRACER).args(["record", "-o", path(&file)?, "--buffer", "4M", "--", "true"]).output()?;
    let told = info(&file)?["memory"].clone();
    let number = |name: &str| told[name].as_u64().ok_or("no figures of memory in the capture");
    let limit = Limit::of(number("kernel_bytes")? + number("bound_bytes")?)?;

    let file = dir.path().join("c.trz");
    let script = "echo $$ > \"$1/cgroup.procs\" && shift && exec \"$@\"";
    let recorder = Command::new("sh")
        .args(["-c", script, "sh", path(&limit.0)?, TRACER, "record", "-o", path(&file)?])
        .args(["--buffer", "4M", "--duration", "120s"])
        .stderr(Stdio::null())
        .spawn()?;
    wait_for(&file)?;
    let own = std::env::current_exe()?;
    let mut hostile = vec![as_nobody(&own, &[RENAME])?, as_nobody(&own, &[RENAME])?];
    for what in ["paths", "closes"] {
        hostile.push(as_nobody(&own, &[crate::losses::RUN, what, "8"])?);
    }
    for mut process in hostile {
        process.wait()?;
    }
    end(recorder)?;
    same("complete", info(&file)?["complete"].as_bool(), Some(true))
}
