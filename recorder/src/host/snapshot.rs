//! The processes that are there when a recording begins, read from /proc.
//!
//! Taken twice: once while the kernel side is still loading (that is the slow pass), and once when it is attached,
//! re-reading what may have changed since: of a process that has not executed anything, its arguments and its program are
//! as they were. What begins after that second pass has its fork event, so no
//! process is missed; one that both say is the same process.
//!
//! **Start times.** The kernel keeps a start in nanoseconds since boot and sends that with every event; /proc shows the
//! same number cut down to clock ticks, 10 ms. A snapshot's `start_ns` is therefore the tick's first nanosecond, and
//! equals an event's start when both are cut to ticks ([`same_start`]). Two processes of one pid cannot begin in one
//! tick: the pid numbers would have to go round in 10 ms.

use std::{
    collections::BTreeMap,
    io,
    os::fd::AsFd,
    path::Path,
    time::{Duration, Instant},
};

use events::context::Credentials;
use format::facts::{Facts, Terminal};
use rustix::fs::{CWD, Mode, OFlags, openat};

use crate::host::proc_files::{self, Stat};

/// Descriptors of one process that a snapshot lists; servers with more are rare, and their first ones say most.
const FD_BOUND: usize = 1024;
/// Descriptors of all processes together.
const ALL_FDS_BOUND: usize = 262_144;
/// Bytes of the working directories of all processes together; of those beyond it is not known.
const DIRECTORIES_BOUND: usize = 16 << 20;
/// How long descriptors are read again in the second pass, while events wait in the kernel's buffers already.
const FDS_AGAIN: Duration = Duration::from_millis(200);

/// One process at the time of the snapshot.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct ProcessState {
    /// Thread group id on the host.
    pub pid: u32,
    pub ppid: u32,
    /// Thread group id in the process's own pid namespace.
    pub ns_pid: u32,
    /// Since boot, cut to clock ticks; see the module's words on start times.
    pub start_ns: u64,
    /// The parent's, cut as well; 0 when the parent was gone.
    pub parent_start_ns: u64,
    /// Real ids, in the reader's user namespace.
    pub uid: u32,
    pub gid: u32,
    /// Inode numbers; 0 when they could not be read.
    pub mnt_ns: u32,
    pub pid_ns: u32,
    pub net_ns: u32,
    pub user_ns: u32,
    /// Path in the unified hierarchy; empty when there is none.
    pub cgroup: String,
    pub comm: Vec<u8>,
    /// Empty for kernel threads.
    pub exe: Vec<u8>,
    /// Each argument followed by a NUL.
    pub argv: Vec<u8>,
    /// Where they are in its memory, by which an exec is seen.
    arguments_at: u64,
    /// What each open descriptor stands for: a path, or `socket:[INODE]` and its like.
    pub fds: Vec<(i32, Vec<u8>)>,
    /// Of its session and terminal, its directory and its login.
    pub facts: Facts,
    /// Its ids beside the real ones, and its capabilities.
    pub credentials: Option<Credentials>,
}

/// All processes, by pid.
#[derive(Clone, Debug, Default)]
pub struct Snapshot {
    processes: BTreeMap<u32, ProcessState>,
    fds: usize,
    directory_bytes: usize,
    /// When descriptors are no longer read again.
    fds_until: Option<Instant>,
}

impl Snapshot {
    /// Reads every process below `proc`, usually `/proc`. Processes that end meanwhile are left out.
    pub fn take(proc: &Path) -> io::Result<Snapshot> {
        let mut snapshot = Snapshot::default();
        snapshot.refresh(proc)?;
        Ok(snapshot)
    }

    /// Reads what is new or has changed, and forgets what is gone.
    pub fn refresh(&mut self, proc: &Path) -> io::Result<()> {
        let dir = openat(CWD, proc, OFlags::DIRECTORY | OFlags::CLOEXEC, Mode::empty())?;
        let mut buffer = Vec::new();
        let mut seen = BTreeMap::new();
        self.fds_until = Instant::now().checked_add(FDS_AGAIN);
        self.directory_bytes = 0;
        for pid in proc_files::numbers(&dir)? {
            // A process may end at any moment between two reads: then it is simply not there.
            let Some(process) = self.process(&dir, pid, &mut buffer) else { continue };
            seen.insert(pid, process);
        }
        let starts: BTreeMap<u32, u64> = seen.iter().map(|(pid, p)| (*pid, p.start_ns)).collect();
        for process in seen.values_mut() {
            process.parent_start_ns = starts.get(&process.ppid).copied().unwrap_or_default();
        }
        self.processes = seen;
        Ok(())
    }

    /// In order of pid.
    pub fn processes(&self) -> impl ExactSizeIterator<Item = &ProcessState> {
        self.processes.values()
    }

    fn process(&mut self, proc: &impl AsFd, pid: u32, buffer: &mut Vec<u8>) -> Option<ProcessState> {
        let dir = proc_files::directory(proc, pid.to_string().as_str())?;
        let stat = Stat::parse(proc_files::read(&dir, "stat", buffer)?)?;
        let known = self.processes.remove(&pid).filter(|known| known.start_ns == stat.start_ns);
        self.fds = self.fds.saturating_sub(known.as_ref().map_or(0, |known| known.fds.len()));
        let (ran, old_fds) = match known {
            Some(ProcessState { exe, argv, fds, arguments_at, .. }) => {
                let is_same = arguments_at == stat.arguments_at;
                (is_same.then_some((exe, argv)), Some(fds))
            }
            None => (None, None),
        };
        let status = proc_files::read(&dir, "status", buffer).map(proc_files::Status::parse)?;
        let cgroup =
            proc_files::read(&dir, "cgroup", buffer).and_then(proc_files::unified).unwrap_or_default();
        let (exe, argv) = ran.unwrap_or_else(|| {
            let argv = proc_files::read(&dir, "cmdline", buffer).map(<[u8]>::to_vec);
            (proc_files::executable(&dir), argv.unwrap_or_default())
        });
        let is_in_time = self.fds_until.is_none_or(|until| Instant::now() < until);
        let fds = old_fds.filter(|_| !is_in_time).unwrap_or_else(|| {
            let room = FD_BOUND.min(ALL_FDS_BOUND - self.fds.min(ALL_FDS_BOUND));
            proc_files::descriptors(&dir, room)
        });
        self.fds += fds.len();
        let facts = self.facts(&dir, &stat, buffer);
        Some(ProcessState {
            pid,
            ppid: stat.ppid,
            ns_pid: status.ns_pid.unwrap_or(pid),
            start_ns: stat.start_ns,
            parent_start_ns: 0,
            uid: status.uid,
            gid: status.gid,
            mnt_ns: proc_files::namespace(&dir, "ns/mnt"),
            pid_ns: proc_files::namespace(&dir, "ns/pid"),
            net_ns: proc_files::namespace(&dir, "ns/net"),
            user_ns: proc_files::namespace(&dir, "ns/user"),
            cgroup,
            comm: stat.comm,
            exe,
            argv,
            arguments_at: stat.arguments_at,
            fds,
            facts,
            credentials: status.credentials,
        })
    }

    /// What may have changed since the last look, all of it read again.
    fn facts(&mut self, dir: &impl AsFd, stat: &Stat, buffer: &mut Vec<u8>) -> Facts {
        let has_room = self.directory_bytes < DIRECTORIES_BOUND;
        let cwd = if has_room { proc_files::working_directory(dir) } else { None };
        self.directory_bytes += cwd.as_ref().map_or(0, Vec::len);
        Facts {
            cwd: cwd.map(Into::into),
            session: Some(stat.session),
            group: Some(stat.group),
            terminal: Terminal::device(stat.terminal),
            // Kernels without audit have neither.
            login_uid: proc_files::number(dir, "loginuid", buffer),
            audit_session: proc_files::number(dir, "sessionid", buffer),
            ..Facts::default()
        }
    }
}

/// Nanoseconds of a clock tick, in which /proc counts.
pub fn tick_ns() -> u64 {
    1_000_000_000 / rustix::param::clock_ticks_per_second().max(1)
}

/// Whether a start from /proc and one from an event, or two of either, are the same moment as far as /proc can tell.
pub fn same_start(a_ns: u64, b_ns: u64) -> bool {
    a_ns / tick_ns() == b_ns / tick_ns()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_reader_finds_itself_with_its_parent() {
        let snapshot = Snapshot::take(Path::new("/proc")).unwrap();
        let find = |pid: u32| snapshot.processes().find(|p| p.pid == pid).cloned();
        let me = find(std::process::id()).unwrap();
        let parent = find(me.ppid).unwrap();
        assert_eq!(me.parent_start_ns, parent.start_ns);
        assert!(me.start_ns >= parent.start_ns && parent.start_ns > 0);
        assert_eq!(me.exe, std::env::current_exe().unwrap().into_os_string().into_encoded_bytes());
        let argv: Vec<String> = std::env::args().collect();
        assert_eq!(me.argv, (argv.join("\0") + "\0").into_bytes());
        assert_eq!(me.uid, rustix::process::getuid().as_raw());
        assert!(me.mnt_ns != 0 && me.pid_ns != 0 && me.ns_pid != 0);
        assert!(me.fds.iter().any(|(fd, _)| *fd == 1 || *fd == 2));
        let cwd = std::env::current_dir().unwrap().into_os_string().into_encoded_bytes();
        assert_eq!(me.facts.cwd.as_deref(), Some(cwd.as_slice()));
        // A leader of another pid namespace has the number 0, which rustix takes for impossible.
        // SAFETY: neither has arguments that could be wrong, and neither can fail for its caller.
        let (session, group) = unsafe { (libc::getsid(0), libc::getpgrp()) };
        assert_eq!((me.facts.session, me.facts.group), (Some(session as u32), Some(group as u32)));
        let of_file = |name: &str| {
            let text = std::fs::read_to_string(format!("/proc/self/{name}"));
            text.ok().and_then(|text| text.trim().parse::<u32>().ok())
        };
        assert_eq!((me.facts.login_uid, me.facts.audit_session), (of_file("loginuid"), of_file("sessionid")));
        assert!(me.facts.terminal.is_known());
    }

    #[test]
    fn a_directory_that_was_removed_is_called_as_it_was_and_one_that_is_called_so_too() {
        let folder = tempfile::tempdir().unwrap();
        let folder = folder.path().canonicalize().unwrap();
        for (name, is_removed) in [("gone", true), ("kept (deleted)", false)] {
            let directory = folder.join(name);
            std::fs::create_dir(&directory).unwrap();
            let mut child =
                std::process::Command::new("sleep").arg("60").current_dir(&directory).spawn().unwrap();
            if is_removed {
                std::fs::remove_dir(&directory).unwrap();
            }
            let snapshot = Snapshot::take(Path::new("/proc")).unwrap();
            let found = snapshot.processes().find(|p| p.pid == child.id()).cloned().unwrap();
            child.kill().unwrap();
            child.wait().unwrap();
            assert_eq!(found.facts.cwd.as_deref(), Some(directory.as_os_str().as_encoded_bytes()));
        }
    }

    #[test]
    fn a_refresh_adds_children_and_drops_those_that_ended() {
        let mut snapshot = Snapshot::take(Path::new("/proc")).unwrap();
        let mut child = std::process::Command::new("sleep").arg("60").spawn().unwrap();
        snapshot.refresh(Path::new("/proc")).unwrap();
        let found = snapshot.processes().find(|p| p.pid == child.id()).cloned().unwrap();
        assert_eq!(found.ppid, std::process::id());
        child.kill().unwrap();
        child.wait().unwrap();
        snapshot.refresh(Path::new("/proc")).unwrap();
        assert!(snapshot.processes().all(|p| p.pid != child.id()));
    }

    #[test]
    fn a_refresh_sees_what_a_process_has_opened_and_run_since() {
        use std::{
            io::{BufRead as _, BufReader, Write as _},
            process::{Command, Stdio},
        };
        // A shell that tells when it has come so far, and waits to be told to go on. It keeps its name when it executes itself.
        let script = "echo 1; read l; exec 9</etc/passwd; echo 2; read l; exec sh -c 'echo 3; read l' other";
        let mut child = Command::new("sh")
            .args(["-c", script])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut told = BufReader::new(child.stdout.take().unwrap()).lines();
        let mut go_on = child.stdin.take().unwrap();
        let mut snapshot = Snapshot::default();
        let mut seen = Vec::new();
        for step in ["1", "2", "3"] {
            assert_eq!(told.next().unwrap().unwrap(), step);
            snapshot.refresh(Path::new("/proc")).unwrap();
            let state = snapshot.processes().find(|p| p.pid == child.id()).cloned().unwrap();
            let has_file = state.fds.iter().any(|(fd, file)| *fd == 9 && file == b"/etc/passwd");
            seen.push((has_file, state.argv.ends_with(b"\0other\0")));
            go_on.write_all(b"\n").unwrap();
        }
        assert_eq!(seen, [(false, false), (true, false), (true, true)]);
        child.wait().unwrap();
    }

    #[test]
    fn starts_compare_in_ticks() {
        assert!(same_start(1_230_000_000, 1_239_999_999));
        assert!(!same_start(1_230_000_000, 1_240_000_000));
    }
}
