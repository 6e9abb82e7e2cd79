//! Ids and capabilities, directories, sessions and terminals in the contexts of rows, against what /proc says of the same task at
//! that moment.

use std::collections::BTreeMap;
use std::io;
use std::path::Path;
use std::process::Command;

use libtest_mimic::Failed;
use serde_json::Value;

use crate::Test;
use crate::acts::{check, wait_for};
use crate::host::{act, count, ensure, events_where, path, record, same, scratch, tracer_ok};

pub const TESTS: &[Test] = &[
    ("contexts_have_the_ids_and_capabilities_of_proc_after_every_change", as_proc_after_changes),
    ("processes_of_the_start_and_what_setuid_files_give_are_as_proc_has_them", as_proc_at_the_start),
    ("what_filters_ask_of_tasks_is_recorded_as_replay_answers_it", asked_while_recording),
];

const NOBODY: u32 = 65_534;
const SYS_ADMIN: u32 = 21;
const SYS_TIME: u32 = 25;
const NET_RAW: u32 = 13;

/// As `capset` takes and gives them: effective, permitted and inheritable, the lower halves first.
type Sets = [[u32; 3]; 2];

#[repr(C)]
struct Header {
    version: u32,
    pid: i32,
}

impl Header {
    fn own() -> Header {
        Header { version: 0x2008_0522, pid: 0 }
    }
}

fn change_sets(change: impl Fn(&mut Sets)) -> io::Result<()> {
    let (mut header, mut sets) = (Header::own(), Sets::default());
    // SAFETY: structures as the kernel has them.
    check(unsafe { libc::syscall(libc::SYS_capget, &raw mut header, &raw mut sets) })?;
    change(&mut sets);
    // SAFETY: as above.
    check(unsafe { libc::syscall(libc::SYS_capset, &raw mut header, &raw const sets) }).map(drop)
}

fn call(number: i64, arguments: [i64; 3]) -> io::Result<()> {
    let [a, b, c] = arguments;
    // SAFETY: calls that take numbers alone.
    check(unsafe { libc::syscall(number, a, b, c, 0i64, 0i64) }).map(drop)
}

/// Writes what /proc says of the task now into a file whose opening is the row that is looked at.
fn note(folder: &str, name: &str) -> io::Result<()> {
    let status = std::fs::read_to_string("/proc/thread-self/status")?;
    let stat = std::fs::read_to_string("/proc/self/stat")?;
    let cwd = std::env::current_dir()?;
    let login = std::fs::read_to_string("/proc/self/loginuid").unwrap_or_default();
    let text = format!("{status}stat:\t{stat}cwd:\t{}\nloginuid:\t{login}\n", cwd.display());
    std::fs::write(format!("{folder}/note-{name}"), text)
}

pub fn change_credentials(folder: &str) -> io::Result<()> {
    let [keep, nobody] = [-1, i64::from(NOBODY)];
    note(folder, "begin")?;
    call(libc::SYS_setresuid, [keep, nobody, keep])?;
    note(folder, "euid")?;
    call(libc::SYS_setresuid, [keep, 0, nobody])?;
    note(folder, "suid")?;
    call(libc::SYS_setresuid, [keep, keep, 0])?;
    // It gives back what was.
    let _ = call(libc::SYS_setfsuid, [nobody, 0, 0]);
    note(folder, "fsuid")?;
    let _ = call(libc::SYS_setfsuid, [0; 3]);
    call(libc::SYS_setresgid, [keep, nobody, nobody])?;
    note(folder, "gids")?;
    call(libc::SYS_setresgid, [keep, 0, 0])?;
    change_sets(|[low, _]| low[0] &= !(1 << SYS_ADMIN))?;
    note(folder, "effective")?;
    change_sets(|[low, _]| low[0] |= 1 << SYS_ADMIN)?;
    note(folder, "raised")?;
    change_sets(|[low, _]| low[2] |= 1 << NET_RAW)?;
    call(libc::SYS_prctl, [libc::PR_CAP_AMBIENT.into(), libc::PR_CAP_AMBIENT_RAISE.into(), NET_RAW.into()])?;
    note(folder, "ambient")?;
    call(libc::SYS_prctl, [libc::PR_CAPBSET_DROP.into(), SYS_TIME.into(), 0])?;
    note(folder, "bounding")?;
    change_sets(|[low, _]| low.iter_mut().for_each(|set| *set &= !(1 << SYS_TIME)))?;
    note(folder, "permitted")?;
    std::env::set_current_dir("/usr")?;
    note(folder, "directory")?;
    // SAFETY: the child does what is written here, and leaves.
    let child = unsafe { libc::fork() };
    if child == 0 {
        // SAFETY: a call without arguments.
        let done = check(unsafe { libc::setsid() }.into()).and_then(|_| note(folder, "session"));
        std::process::exit(done.is_err().into());
    }
    wait_for(check(child.into())?)?;
    std::thread::scope(|scope| {
        let of_thread = scope.spawn(|| {
            call(libc::SYS_setresuid, [keep, nobody, keep])?;
            note(folder, "thread")
        });
        of_thread.join().map_err(|_| io::Error::other("the thread"))?
    })?;
    note(folder, "beside")?;
    call(libc::SYS_setresuid, [nobody; 3])?;
    note(folder, "nobody")
}

/// `name: value` lines by name.
fn lines(text: &str) -> BTreeMap<&str, &str> {
    text.lines().filter_map(|line| line.split_once(":\t")).collect()
}

/// What a status says, by the names of JSON.
fn of_status(text: &str) -> Result<Vec<(&'static str, String)>, Failed> {
    let lines = lines(text);
    let of = |key: &str| lines.get(key).copied().ok_or_else(|| format!("{key} is not in {text}"));
    let ids = |key: &str| -> Result<Vec<String>, Failed> {
        Ok(of(key)?.split_whitespace().map(str::to_owned).collect())
    };
    let set = |key: &str| -> Result<String, Failed> {
        Ok(format!("{:x}", u64::from_str_radix(of(key)?.trim(), 16)?))
    };
    let (uids, gids) = (ids("Uid")?, ids("Gid")?);
    Ok(vec![
        ("euid", uids[1].clone()),
        ("suid", uids[2].clone()),
        ("fsuid", uids[3].clone()),
        ("egid", gids[1].clone()),
        ("sgid", gids[2].clone()),
        ("fsgid", gids[3].clone()),
        ("cap", set("CapEff")?),
        ("capPermitted", set("CapPrm")?),
        ("capInheritable", set("CapInh")?),
        ("capBounding", set("CapBnd")?),
        ("capAmbient", set("CapAmb")?),
    ])
}

fn said(task: &Value, name: &str) -> String {
    match &task[name] {
        Value::String(text) => text.clone(),
        other => other.to_string(),
    }
}

fn as_proc_after_changes() -> Result<(), Failed> {
    let dir = scratch()?;
    let folder = dir.path().join("notes");
    std::fs::create_dir(&folder)?;
    open_to_all(dir.path())?;
    open_to_all(&folder)?;
    let command = act("change-credentials", path(&folder)?)?;
    let command: Vec<&str> = command.iter().map(String::as_str).collect();
    let file = record(dir.path(), &[], &command)?;
    let pattern = format!("openat.pathname={}/note-*", path(&folder)?);
    let rows = events_where(&file, &["-f", &pattern], |_| true)?;
    let mut seen = 0;
    for row in &rows {
        let opened = row["args"].as_array().and_then(|args| args.iter().find(|it| it["name"] == "pathname"));
        let opened = opened.and_then(|it| it["value"].as_str()).ok_or("no path")?;
        let text = std::fs::read_to_string(opened)?;
        let task = &row["task"];
        for (name, expected) in of_status(&text)? {
            same(&format!("{name} at {opened}"), said(task, name), expected)?;
        }
        let lines = lines(&text);
        same("directory", said(task, "cwd"), lines["cwd"].to_owned())?;
        let stat: Vec<&str> = lines["stat"].rsplit(") ").next().unwrap_or_default().split(' ').collect();
        same(&format!("group at {opened}"), said(task, "pgid"), stat[2].to_owned())?;
        same(&format!("session at {opened}"), said(task, "session"), stat[3].to_owned())?;
        if let Some(login) = lines.get("loginuid").filter(|login| !login.is_empty()) {
            same(&format!("login at {opened}"), said(task, "loginuid"), (*login).to_owned())?;
        }
        seen += 1;
    }
    ensure(seen >= 14, || format!("{seen} notes"))?;
    let asks = |filter: &str| count(&file, &["-f", &pattern, "-f", filter]);
    // euid, thread and nobody.
    same("as nobody", asks("euid=nobody")?, 3)?;
    same("by number", asks("euid=65534")?, 3)?;
    same("without the capability", asks("cap!=CAP_SYS_ADMIN")?, asks("cap!=21")?)?;
    same("either", asks("cap=sys_admin")? + asks("cap!=sys_admin")?, seen)?;
    ensure(asks("cap!=sys_admin")? >= 3, || "effective, thread, nobody".into())?;
    same("ambient", asks("capAmbient=net_raw")?.min(1), 1)?;
    same("in /usr", asks("cwd=/usr")?, asks("cwd=/us*")?)?;
    ensure(asks("cwd=/usr")? >= 5, || "directory and what follows".into())?;
    same("by a context", asks("openat.context.euid=65534")?, 3)
}

fn open_to_all(folder: &Path) -> Result<(), Failed> {
    use std::os::unix::fs::PermissionsExt as _;
    Ok(std::fs::set_permissions(folder, std::fs::Permissions::from_mode(0o777))?)
}

/// Programs that wait, each with other credentials, and how they are started.
const WAITING: [&str; 5] = [
    "exec sleep 700",
    "exec setpriv --reuid 65534 --regid 65534 --clear-groups sleep 701",
    "exec setpriv --inh-caps=+net_raw --ambient-caps=+net_raw --bounding-set=-sys_time sleep 702",
    "exec \"$DIR/suid-sleep\" 703",
    "exec setpriv --ruid 65534 --euid 0 --clear-groups sleep 704",
];

struct Killed(Vec<std::process::Child>);

impl Drop for Killed {
    fn drop(&mut self) {
        for child in &mut self.0 {
            let _ = child.kill();
            let _ = child.wait();
        }
    }
}

fn start(dir: &Path) -> Result<Killed, Failed> {
    let mut started = Killed(Vec::new());
    for script in WAITING {
        started.0.push(Command::new("sh").args(["-c", script]).env("DIR", dir).spawn()?);
    }
    Ok(started)
}

fn as_proc_at_the_start() -> Result<(), Failed> {
    let dir = tempfile::tempdir_in("/var/tmp")?;
    open_to_all(dir.path())?;
    let suid = dir.path().join("suid-sleep");
    let made = Command::new("sh")
        .args(["-c", "install -m 4755 -o 65534 \"$(command -v sleep)\" \"$0\""])
        .arg(&suid)
        .status()?;
    ensure(made.success(), || "a setuid file".into())?;
    let before = start(dir.path())?;
    let file = dir.path().join("c.trz");
    let mut recorder =
        Command::new(crate::host::TRACER).args(["record", "-o", path(&file)?, "--force"]).spawn()?;
    crate::host::wait_for(&file)?;
    std::thread::sleep(std::time::Duration::from_millis(500));
    let during = start(dir.path())?;
    std::thread::sleep(std::time::Duration::from_millis(700));
    let pids: Vec<u32> = before.0.iter().chain(&during.0).map(std::process::Child::id).collect();
    let status: Vec<String> = pids
        .iter()
        .map(|pid| std::fs::read_to_string(format!("/proc/{pid}/status")))
        .collect::<Result<_, _>>()?;
    rustix::process::kill_process(
        rustix::process::Pid::from_child(&recorder),
        rustix::process::Signal::TERM,
    )?;
    same("exit code of the recorder", recorder.wait()?.code(), Some(0))?;
    let told = tracer_ok(&["ps", "-o", "json", path(&file)?])?;
    let told: Vec<Value> = told.lines().map(serde_json::from_str).collect::<Result<_, _>>()?;
    for (pid, status) in pids.iter().zip(&status) {
        let it = told.iter().find(|it| it["pid"] == *pid).ok_or_else(|| format!("{pid} is not told"))?;
        let mut distinct = Vec::new();
        for (name, expected) in of_status(status)? {
            let name = match name {
                "capPermitted" => "cap_permitted",
                "capInheritable" => "cap_inheritable",
                "capBounding" => "cap_bounding",
                "capAmbient" => "cap_ambient",
                name => name,
            };
            let actual = match &it[name] {
                Value::Array(names) => {
                    let numbers =
                        names.iter().filter_map(Value::as_str).filter_map(events::capability::number);
                    format!("{:x}", numbers.fold(0u64, |set, number| set | 1 << number))
                }
                other => other.to_string(),
            };
            distinct.push(actual.clone());
            same(&format!("{name} of {pid}, {it}"), actual, expected)?;
        }
    }
    let as_nobody = count(&file, &["-f", "event=sched_process_exec", "-f", "euid=65534", "-f", "uid=0"])?;
    same("execs of the setuid file", as_nobody, 1)?;
    drop((before, during));
    Ok(())
}

fn asked_while_recording() -> Result<(), Failed> {
    let dir = scratch()?;
    let script = "setpriv --reuid 65534 --regid 65534 --clear-groups cat /etc/shadow; cd /usr; ls > /dev/null; \
                  setsid sh -c 'id > /dev/null'; setpriv --bounding-set=-sys_admin id > /dev/null; cd /; true";
    let filters = [
        "1:euid=nobody",
        "2:cap!=sys_admin",
        "3:cwd=/usr",
        "4:session!=0",
        "5:tty=none",
        "6:loginuid=unset",
        "7:openat.context.cwd=/usr",
        "8:cwd=/usr",
        "8:follow",
        "9:fsuid>0",
        "10:capBounding!=sys_admin",
    ];
    let mut options: Vec<&str> = filters.iter().flat_map(|filter| ["-f", filter]).collect();
    // Events that tell where processes stand are not among those that are kept, and are seen all the same.
    for more in [&[][..], &["--only-matched"], &["-e", "openat,sched_process_exec"]] {
        let kept = options.len();
        options.extend(more);
        let file = record(dir.path(), &options, &["sh", "-c", script])?;
        options.truncate(kept);
        let rows = |options: &[&str]| tracer_ok(&[&["replay", path(&file)?, "-o", "json"], options].concat());
        let (recorded, again) = (rows(&[])?, rows(&options)?);
        let differing = recorded.lines().zip(again.lines()).find(|(one, other)| one != other);
        ensure(differing.is_none(), || format!("{more:?}: first difference: {differing:#?}"))?;
        same("rows", recorded.lines().count(), again.lines().count())?;
        for scope in [1, 2, 3, 4, 7, 8, 9, 10] {
            let filters: Vec<&str> = filters
                .iter()
                .filter(|it| it.starts_with(&format!("{scope}:")))
                .flat_map(|it| ["-f", it.split_once(':').map_or(*it, |(_, filter)| filter)])
                .collect();
            ensure(count(&file, &filters)? > 0, || format!("{more:?}: scope {scope} matched nothing"))?;
        }
    }
    Ok(())
}
