//! Every key and operator over a fresh recording of a mixed workload, 64 scopes at once, held against a judge that shares
//! no code with the program.

use std::fs;
use std::io::Write;
use std::net::TcpStream;
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use libtest_mimic::Failed;
use serde_json::Value;

use crate::Test;
use crate::host::{ensure, path, record, scratch, tracer_ok};
use crate::judge::{Filter, World};

pub const TESTS: &[Test] = &[("every_key_and_operator_answers_as_the_judge_does", every_key_and_operator)];

/// Users, namespaces, trees whose middle dies, failures, programs that are gone at once, and a program of a name of its own
/// that forks. `{dir}` is a folder of the test's, `{container}` a cgroup as container runtimes name them.
const WORK: &str = r#"
cd {dir}
id > /dev/null; ls / > /dev/null; cat /missing 2> /dev/null; echo x | cut -c1 > /dev/null
for user in 1 2 1000 65534; do
    setpriv --reuid $user --regid $user --clear-groups \
        sh -c 'id > /dev/null; cat /etc/shadow 2> /dev/null; cat /etc/passwd > /dev/null; true'
done
unshare --pid --fork --mount --uts sh -c 'hostname judged-1; id > /dev/null; ls /proc > /dev/null; sh -c "id -u > /dev/null; true"'
unshare --mount sh -c '/usr/bin/ls / > /dev/null; true'
./judged-shell -c 'id > /dev/null; (sh -c "sleep 0.05; id -u > /dev/null; ls /tmp > /dev/null; true" &) ; exit 0'
setpriv --reuid 65533 --regid 65533 --clear-groups sh -c 'setpriv --reuid 65533 sh -c "id -g > /dev/null"; true'
./averyverylongcommand16 0.01
echo x > 'with, comma=x!y*z'
mv 'with, comma=x!y*z' 'renamed.args.retval<0'
rm 'renamed.args.retval<0'
for i in 1 2 3 4 5 6 7 8; do (true); done
if mkdir -p {container} 2> /dev/null; then
    sh -c 'echo $$ > {container}/cgroup.procs; exec sh -c "id > /dev/null; ls / > /dev/null; cat /etc/passwd > /dev/null; (ls /tmp > /dev/null)"'
    sleep 0.1; rmdir {container}
fi
sleep 0.1
"#;

const CONTAINER_ID: &str = "abcd";

/// What is asked, a scope a line. `{me}` is the test's own pid, `{shell}` that of the workload, `{host}` the host's mount
/// namespace, `{pin}` a process with its start.
const SCOPES: &[&str] = &[
    "comm=ls",
    "comm!=ls",
    "comm=ls,id",
    "comm!=ls,id",
    "comm=l*",
    "comm=*s",
    "comm=*s*",
    "comm=a:b=c!d\\,*",
    "comm=j*d-s*l",
    "comm=ls comm=cat",
    "comm=c* comm!=cat",
    "comm=averyverylongco",
    "uid=1",
    "uid!=0",
    "uid>1",
    "uid>=1 uid<=2",
    "uid<2",
    "uid<=1",
    "uid=0 uid>=1000",
    "uid>0 uid!=1000",
    "uid>0 uid!=1000,65534",
    "u=1,2",
    "ui>1",
    "pid={shell}",
    "pid!={shell}",
    "p={shell},{me}",
    "pid>{shell}",
    "pid>={shell} pid<100000000",
    "pid<={shell}",
    "hostPid={me}",
    "tid={shell}",
    "tid!={shell}",
    "tid>{shell}",
    "t<={shell}",
    "ppid={shell}",
    "ppid!={shell}",
    "ppid>={shell}",
    "hostPpid<{shell}",
    "hostTid={shell}",
    "pid={pin}",
    "pid!={pin}",
    "nsPid=1",
    "nsPid<5",
    "nsTid=2",
    "nsPpid=0",
    "nsPpid!=1",
    "nsPid>=2 nsPid<=3 nsPid!={me}",
    "pid=new",
    "pid!=new",
    "pid=new uid=0 comm!=sh",
    "mntns={host}",
    "mntns!={host}",
    "pidns!=4026531836",
    "pidns=4026531836",
    "uts=judged-1",
    "uts!=judged*",
    "uts=*-1",
    "binary=/usr/bin/ls",
    "binary!=/usr/bin/ls",
    "binary=/usr/bin/*",
    "bin=*/id",
    "exec=*judged*",
    "binary=/usr/*/ls",
    "binary=host:/usr/bin/ls",
    "executable!=host:/usr/bin/*",
    "binary={host}:/usr/bin/id,/usr/bin/cat",
    "binary=/usr/bin/ls binary=host:/usr/bin/id",
    "binary=1:/usr/bin/ls,/usr/bin/cat",
    "tree={shell}",
    "tree!={shell}",
    "tree={me} tree!={shell}",
    "tree={shell},{me} event=sched_process_exec",
    "comm=judged-shell follow",
    "uid=65533 f",
    "binary=*judged-shell follow event=execve,sched_process_exec",
    "comm=judged-shell uid=0 foll openat.pathname=*tmp*",
    "container follow",
    "tree={shell} uid=1 follow",
    "uts=judged-1 follow",
    "pid={shell} follow",
    "container",
    "c",
    "!container",
    "not-container",
    "container=abcd",
    "c!=abcd",
    "container=new",
    "container!=new",
    "container=started",
    "contain!=started",
    "container container!=abce",
    "container comm=ls",
    "event=openat",
    "e=openat,close",
    "ev=open*",
    "event=*at",
    "event=*proc*",
    "event!=openat",
    "event=open* event!=openat",
    "event=s*exec comm!=sh",
    "event!=open*,close,read comm=ls",
    "openat.args.pathname=/etc/*",
    "openat.data.pathname=*.so*",
    "openat.pathname=/etc/passwd",
    "openat.pathname!=/etc/*",
    "openat.pathname=/etc/* openat.pathname!=/etc/passwd",
    "event=openat,close openat.args.pathname=/etc/*",
    "openat.pathname=/l*/*.so.6,/missing",
    "openat.pathname=with\\, comma=x!y\\*z",
    "openat.pathname=with\\, comma*",
    "renameat2.newpath=*.args.retval<0",
    "unlinkat.pathname=*args.retval*",
    "openat.flags=O_RDONLY|O_CLOEXEC",
    "openat.flags=O_CLOEXEC|O_RDONLY",
    "openat.flags!=O_RDONLY|O_CLOEXEC",
    "openat.flags=*O_CREAT*",
    "openat.flags=524288",
    "openat.flags=0x80000",
    "openat.flags>=64 openat.flags<100000",
    "openat.mode>0",
    "openat.dirfd=-100",
    "openat.dirfd!=AT_FDCWD",
    "openat.retval<0",
    "openat.retval>=0",
    "openat.retval=EACCES",
    "openat.retval=-2,EACCES",
    "openat.retval!=ENOENT",
    "openat.retval>2 openat.retval<=4",
    "openat.retval<0 openat.retval!=ENOENT",
    "close.retval=0 openat.retval<0",
    "connect.addr.sin_addr=127.0.0.1",
    "connect.addr.sin_port=1",
    "connect.addr.sin_port>=1 connect.addr.sin_port<10",
    "connect.addr.sun_path=/run/*",
    "connect.addr.sa_family=AF_UNIX",
    "connect.addr.sa_family!=AF_UNIX",
    "connect.retval=ECONNREFUSED",
    "sched_process_exec.argv=-u",
    "sched_process_exec.argv!=-u",
    "sched_process_exec.argv=*reuid*",
    "execve.argv=id",
    "sched_process_exec.pathname=/usr/bin/*",
    "sched_process_exit.exit_code!=0",
    "sched_process_exit.process_group_exit=true",
    "openat.context.comm=ls",
    "openat.context.processName!=cat event=openat,close",
    "openat.scope.uid=1",
    "openat.context.hostPid={shell}",
    "openat.context.hostTid!={me}",
    "openat.context.hostPpid={shell}",
    "openat.context.pid=1",
    "openat.context.tid>1",
    "openat.context.ppid<=1",
    "openat.context.mntns={host}",
    "openat.context.pidns!=4026531836",
    "openat.context.uts=judged-1",
    "openat.context.hostName!=judged-1",
    "openat.context.cgroupId>1",
    "openat.context.host=true",
    "openat.context.host=false",
    "openat.context.containerId=abcd",
    "openat.context.containerName!=x",
    "openat.context.containerImage!=x",
    "openat.context.container",
    "openat.context.processorId=0",
    "openat.context.processorId>=1",
    "openat.context.timestamp>0",
    "openat.context.syscall=openat",
    "close.context.syscall!=openat",
];

/// Threads, sockets and files of the test itself while the recorder runs.
fn beside(stop: &AtomicBool, dir: &Path) {
    let thread = |name: &str| {
        let opened = dir.join("thread");
        let work = move || {
            let _ = fs::write(&opened, "x");
            let _ = fs::read("/etc/passwd");
            let _ = fs::read("/nope");
        };
        std::thread::Builder::new().name(name.to_owned()).spawn(work).map(|thread| thread.join().is_ok())
    };
    while !stop.load(Ordering::Relaxed) {
        for name in ["a:b=c!d,e1", "a:b=c!d,e2"] {
            let _ = thread(name);
        }
        let _ = TcpStream::connect("127.0.0.1:1").map(|mut stream| stream.write_all(b"x").is_ok());
        let _ = TcpStream::connect("[::1]:2");
        let _ = UnixStream::connect("/run/nobody-listens");
        std::thread::sleep(Duration::from_millis(30));
    }
}

fn every_key_and_operator() -> Result<(), Failed> {
    let dir = scratch()?;
    for (from, to) in [("/bin/sh", "judged-shell"), ("/bin/sleep", "averyverylongcommand16")] {
        fs::copy(from, dir.path().join(to))?;
    }
    let id = format!("{CONTAINER_ID}{:060x}", std::process::id());
    let container = cgroup_root()?.join("docker").join(id);
    let script = WORK.replace("{dir}", path(dir.path())?).replace("{container}", path(&container)?);
    let stop = AtomicBool::new(false);
    let file = std::thread::scope(|threads| {
        threads.spawn(|| beside(&stop, dir.path()));
        let file = record(dir.path(), &[], &["sh", "-c", &script]);
        stop.store(true, Ordering::Relaxed);
        file
    })?;
    let raw = lines(&file, &[])?;
    let named = lines(&file, &["--parse-arguments"])?;
    let world = World::new(raw.into_iter().zip(named).collect(), host_mnt_ns()?);
    let scopes = filled_in(&world)?;
    for (number, chunk) in scopes.chunks(64).enumerate() {
        hold(&world, &file, chunk).map_err(|error| {
            // A capture that a filter fails on is worth a look.
            let kept = std::env::temp_dir().join(format!("judged-{}-{number}.trz", std::process::id()));
            let _ = fs::copy(&file, &kept);
            Failed::from(format!("{}\nthe capture: {}", error.message().unwrap_or_default(), kept.display()))
        })?;
    }
    Ok(())
}

fn lines(file: &Path, options: &[&str]) -> Result<Vec<Value>, Failed> {
    crate::host::events(file, options)
}

/// The scopes with the numbers of this run.
fn filled_in(world: &World) -> Result<Vec<String>, Failed> {
    let rows = || world.rows.iter().map(|(row, _)| row);
    let shell = rows().find(|row| row["processName"] == "judged-shell").ok_or("no row of judged-shell")?;
    let shell = shell["hostParentProcessId"].to_string();
    let pin = rows().find(|row| row["processName"] == "averyverylongco").ok_or("no row of the long name")?;
    let pin = pin["processEntityId"].as_str().unwrap_or_default();
    let me = std::process::id().to_string();
    let host = world.host_mnt_ns.to_string();
    let fill = |scope: &&str| {
        scope.replace("{me}", &me).replace("{shell}", &shell).replace("{host}", &host).replace("{pin}", pin)
    };
    Ok(SCOPES.iter().map(fill).collect())
}

/// The filters of a scope: blanks part them, where a key follows.
fn filters(scope: &str) -> Vec<&str> {
    let mut found = Vec::new();
    let mut from = 0;
    for (at, _) in scope.match_indices(' ') {
        let rest = &scope[at + 1..];
        let key = rest.split(['=', '<', '>', '!', ' ']).next().unwrap_or_default();
        let is_key =
            !key.is_empty() && key.chars().all(|c| c.is_ascii_alphanumeric() || c == '.' || c == '_');
        if is_key && key != "comma" && !key.starts_with("comma") {
            found.push(&scope[from..at]);
            from = at + 1;
        }
    }
    found.push(&scope[from..]);
    found
}

/// Asks up to 64 scopes at once, and the judge of every row.
fn hold(world: &World, file: &Path, scopes: &[String]) -> Result<(), Failed> {
    let written: Vec<String> = (1..)
        .zip(scopes)
        .flat_map(|(number, scope)| {
            filters(scope).into_iter().map(move |filter| format!("{number}:{filter}")).collect::<Vec<_>>()
        })
        .collect();
    let options: Vec<&str> = written.iter().flat_map(|filter| ["-f", filter.as_str()]).collect();
    let mut answer = lines(file, &options)?.into_iter().peekable();
    let read: Vec<Vec<Filter>> =
        scopes.iter().map(|scope| filters(scope).into_iter().map(Filter::read).collect()).collect();
    let (mut matched, mut failures) = (vec![0_u64; scopes.len()], Vec::new());
    for (at, (row, _)) in world.rows.iter().enumerate() {
        let mask = match answer.next_if(|found| same_row(found, row)) {
            Some(found) => found["matchedScopes"].as_u64().unwrap_or_default(),
            None => 0,
        };
        for (number, filters) in read.iter().enumerate() {
            let said = mask >> number & 1 == 1;
            matched[number] += u64::from(said);
            if world.passes(filters, at).is_some_and(|judged| judged != said) && failures.len() < 5 {
                failures.push(format!("{}: said {said} of {row}", scopes[number]));
            }
        }
    }
    ensure(answer.next().is_none(), || "an answer that is no row of the capture".to_owned())?;
    ensure(failures.is_empty(), || format!("the judge disagrees:\n{}", failures.join("\n")))?;
    let silent: Vec<&String> =
        scopes.iter().zip(&matched).filter(|(_, matched)| **matched == 0).map(|(scope, _)| scope).collect();
    let may_be_silent = |scope: &&&String| {
        NOTHING.iter().any(|nothing| scope.starts_with(nothing))
            || (!has_containers(world) && scope.contains('c'))
    };
    let silent: Vec<_> = silent.iter().filter(|scope| !may_be_silent(scope)).collect();
    ensure(silent.is_empty(), || format!("asked in vain, so not tested: {silent:?}"))
}

/// Filters that match nothing here, and must not.
const NOTHING: &[&str] = &[
    "container!=new",
    "event=open* event!=openat",
    "openat.context.containerName",
    "openat.context.containerImage",
    "openat.pathname=with\\, comma=x!y",
    "tree={me}",
    "close.context.syscall!=openat",
    "nsPid>=2",
    "binary=1:",
];

fn has_containers(world: &World) -> bool {
    world.rows.iter().any(|(row, _)| row["containerId"].as_str().is_some_and(|id| !id.is_empty()))
}

/// The same event, whatever scopes it is in.
fn same_row(one: &Value, other: &Value) -> bool {
    ["timestamp", "hostThreadId", "eventName", "returnValue", "processorId", "args", "processName"]
        .iter()
        .all(|key| one[key] == other[key])
}

/// The mount namespace of init, or where that may not be read, of the kernel's threads.
fn host_mnt_ns() -> Result<u64, Failed> {
    let link = fs::read_link("/proc/1/ns/mnt").or_else(|_| fs::read_link("/proc/2/ns/mnt"))?;
    let text = link.to_string_lossy();
    let digits = text.trim_start_matches("mnt:[").trim_end_matches(']');
    Ok(digits.parse()?)
}

/// Where cgroups of version 2 are.
fn cgroup_root() -> Result<PathBuf, Failed> {
    let mounts = fs::read_to_string("/proc/self/mounts")?;
    let mount = mounts.lines().find(|line| line.split(' ').nth(2) == Some("cgroup2"));
    let root = mount.and_then(|line| line.split(' ').nth(1)).ok_or("no cgroup2 is mounted")?;
    // Only to say early that tracer runs at all.
    tracer_ok(&["--version"])?;
    Ok(PathBuf::from(root))
}
