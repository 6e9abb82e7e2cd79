//! Who the threads of a file are, and what their descriptors stand for: by the tables, and by what events say since.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use format::facts::Facts;
use format::{Process, Side, User};

use super::tables;

/// A thread, with what is known of its process.
#[derive(Clone, Debug, Default)]
pub struct Thread {
    pub pid: u32,
    pub ppid: u32,
    pub uid: u32,
    pub ns_tid: u32,
    pub ns_pid: u32,
    /// Names are shared with the children that have them.
    pub comm: Arc<[u8]>,
    pub exe: Arc<[u8]>,
    /// 64 hex digits; empty for what is in no container.
    pub container: Arc<str>,
    /// When it was made, where that was seen: ns since the epoch.
    pub start_ns: u64,
}

/// Threads that are remembered, and descriptors of all: more than a machine has at a time.
const THREADS: usize = 1 << 20;
const DESCRIPTORS: usize = 1 << 20;
/// Linux has no longer paths.
const PATH: usize = 4096;

#[derive(Debug, Default)]
pub struct State {
    threads: HashMap<u32, Thread>,
    /// By process.
    descriptors: HashMap<u32, BTreeMap<i32, Arc<[u8]>>>,
    descriptor_count: usize,
    directories: HashMap<u32, Arc<[u8]>>,
    pub host: String,
    /// What was there before the first event, of the first section.
    processes: Vec<Process>,
    users: Vec<User>,
}

impl State {
    /// Another section begins: what was known is of another moment.
    pub fn forget(&mut self) {
        self.threads.clear();
        self.descriptors.clear();
        self.descriptor_count = 0;
        self.directories.clear();
    }

    /// The thread of an event; one that is not known is its own process.
    pub fn thread(&self, tid: u32) -> Thread {
        self.threads.get(&tid).cloned().unwrap_or(Thread { pid: tid, ..Thread::default() })
    }

    pub fn has(&self, tid: u32) -> bool {
        self.threads.contains_key(&tid)
    }

    /// The process that a thread is of.
    pub fn process_of(&self, tid: u32) -> u32 {
        self.threads.get(&tid).map_or(tid, |thread| thread.pid)
    }

    /// When a process began, where that is known.
    pub fn start_of(&self, pid: u32) -> u64 {
        self.threads.get(&pid).map_or(0, |thread| thread.start_ns)
    }

    pub fn set(&mut self, tid: u32, thread: Thread) -> Result<(), String> {
        if self.threads.len() >= THREADS && !self.threads.contains_key(&tid) {
            return Err(format!("more than {THREADS} threads are alive"));
        }
        self.threads.insert(tid, thread);
        Ok(())
    }

    pub fn tasks(&mut self, tasks: Vec<tables::Task>, is_first: bool) -> Result<(), String> {
        let pids: HashMap<u32, u32> = tasks.iter().map(|task| (task.tid, task.pid)).collect();
        for task in tasks {
            // The parent is a thread; what is kept is its process.
            let ppid = pids.get(&task.ptid).copied().unwrap_or(task.ptid);
            let thread = Thread {
                pid: task.pid,
                ppid,
                uid: task.uid,
                ns_tid: task.ns_tid,
                ns_pid: task.ns_pid,
                comm: task.comm.as_slice().into(),
                exe: task.exe.as_slice().into(),
                container: container_of(&task.cgroups).into(),
                start_ns: 0,
            };
            self.set(task.tid, thread)?;
            if task.tid != task.pid {
                continue;
            }
            if !task.cwd.is_empty() {
                self.directories.insert(task.pid, task.cwd.as_slice().into());
            }
            if is_first {
                let cwd = (!task.cwd.is_empty()).then(|| task.cwd.clone().into());
                self.processes.push(Process {
                    pid: task.pid,
                    ppid,
                    ns_pid: task.ns_pid,
                    uid: task.uid,
                    gid: task.gid,
                    comm: task.comm,
                    exe: task.exe,
                    argv: task.argv,
                    facts: Facts {
                        cwd,
                        session: (task.session != 0).then_some(task.session),
                        ..Facts::default()
                    },
                    ..Process::default()
                });
            }
        }
        Ok(())
    }

    pub fn table(&mut self, tid: u32, all: Vec<(i32, Vec<u8>)>, is_first: bool) {
        let pid = self.process_of(tid);
        for (number, stands_for) in &all {
            self.open(pid, *number, stands_for);
        }
        let process = self.processes.iter_mut().find(|process| process.pid == tid);
        if let Some(process) = process.filter(|_| is_first) {
            process.fds = all;
        }
    }

    pub fn users(&mut self, users: Vec<(u32, String)>) {
        self.users = users.into_iter().map(|(uid, name)| User { host: 0, uid, name }).collect();
    }

    /// What a capture keeps beside the events.
    pub fn sides(&mut self) -> Vec<Side> {
        let mut sides = Vec::new();
        if !self.processes.is_empty() {
            sides.push(Side::Processes(std::mem::take(&mut self.processes)));
        }
        if !self.users.is_empty() {
            sides.push(Side::Users(std::mem::take(&mut self.users)));
        }
        sides
    }

    /// What a descriptor stands for; nothing where that is not known.
    pub fn stands_for(&self, pid: u32, number: i64) -> &[u8] {
        let number = i32::try_from(number).ok();
        let known = number.and_then(|number| self.descriptors.get(&pid)?.get(&number));
        known.map(|text| &text[..]).unwrap_or_default()
    }

    pub fn open(&mut self, pid: u32, number: i32, stands_for: &[u8]) {
        if stands_for.is_empty() || self.descriptor_count >= DESCRIPTORS {
            return self.close(pid, number);
        }
        let before = self.descriptors.entry(pid).or_default().insert(number, stands_for.into());
        self.descriptor_count += usize::from(before.is_none());
    }

    pub fn close(&mut self, pid: u32, number: i32) {
        let removed = self.descriptors.get_mut(&pid).and_then(|all| all.remove(&number));
        self.descriptor_count -= usize::from(removed.is_some());
    }

    /// A process has what its parent has.
    pub fn inherit(&mut self, child: u32, parent: u32) {
        self.end_process(child);
        if let Some(cwd) = self.directories.get(&parent).cloned() {
            self.directories.insert(child, cwd);
        }
        let Some(all) = self.descriptors.get(&parent) else { return };
        if self.descriptor_count + all.len() <= DESCRIPTORS {
            self.descriptor_count += all.len();
            let all = all.clone();
            self.descriptors.insert(child, all);
        }
    }

    pub fn end(&mut self, tid: u32) {
        if self.threads.remove(&tid).is_none_or(|thread| thread.pid == tid) {
            self.end_process(tid);
        }
    }

    fn end_process(&mut self, pid: u32) {
        self.descriptor_count -= self.descriptors.remove(&pid).map_or(0, |all| all.len());
        self.directories.remove(&pid);
    }

    pub fn go_to(&mut self, pid: u32, path: &[u8]) {
        match self.resolved(pid, None, path) {
            Some(path) => self.directories.insert(pid, path.into()),
            None => self.directories.remove(&pid),
        };
    }

    /// A path from its root, where the directory that it begins at is known.
    pub fn resolved(&self, pid: u32, directory: Option<i64>, path: &[u8]) -> Option<Vec<u8>> {
        const CURRENT: i64 = -100;
        if path.starts_with(b"/") {
            return Some(path.to_vec());
        }
        let base = match directory.filter(|number| *number != CURRENT) {
            None => self.directories.get(&pid).map(|path| &path[..])?,
            Some(number) => self.stands_for(pid, number),
        };
        if path.is_empty() || !base.starts_with(b"/") || base.len() + path.len() > PATH {
            return None;
        }
        let path = path.strip_prefix(b"./").unwrap_or(path);
        let between: &[u8] = if base.ends_with(b"/") { b"" } else { b"/" };
        Some([base, between, path].concat())
    }
}

/// The container that some cgroups are of: the 64 hex digits of its id.
pub fn container_of(cgroups: &[u8]) -> String {
    const DIGITS: usize = 64;
    let mut run = 0;
    for (at, byte) in cgroups.iter().enumerate() {
        run = if byte.is_ascii_hexdigit() { run + 1 } else { 0 };
        let ends = cgroups.get(at + 1).is_none_or(|next| !next.is_ascii_hexdigit());
        if run == DIGITS && ends {
            let id = cgroups.get(at + 1 - DIGITS..=at).unwrap_or_default();
            return String::from_utf8_lossy(id).into_owned();
        }
    }
    String::new()
}
