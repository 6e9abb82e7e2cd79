//! Who the threads of a log are: processes by what clone and exec said of them.

use std::collections::BTreeMap;

use crate::import::row::comm_of;

/// A process, as far as the log tells.
#[derive(Clone, Debug, Default)]
pub struct Process {
    pub pid: u32,
    pub ppid: u32,
    pub comm: String,
    pub exe: String,
}

#[derive(Debug, Default)]
pub struct Processes {
    /// Process of each thread.
    threads: BTreeMap<u32, u32>,
    processes: BTreeMap<u32, Process>,
    /// The one that a log without pids is of: the first that it names, or none.
    first: u32,
}

/// Threads that are remembered: more than a machine has at a time.
const THREADS: usize = 1 << 20;

impl Processes {
    /// The thread of a line; `comm` as `-Y` says it.
    pub fn thread(&mut self, tid: Option<u32>, comm: Option<&[u8]>) -> Result<u32, String> {
        let tid = tid.unwrap_or(self.first);
        if self.first == 0 {
            self.first = tid;
        }
        if self.threads.len() >= THREADS && !self.threads.contains_key(&tid) {
            return Err(format!("more than {THREADS} threads are alive"));
        }
        let pid = *self.threads.entry(tid).or_insert(tid);
        let process = self.processes.entry(pid).or_insert_with(|| Process { pid, ..Process::default() });
        if let Some(comm) = comm {
            process.comm = String::from_utf8_lossy(comm).into_owned();
        }
        Ok(tid)
    }

    pub fn of(&self, tid: u32) -> Process {
        let pid = self.threads.get(&tid).copied().unwrap_or(tid);
        self.processes.get(&pid).cloned().unwrap_or(Process { pid, ..Process::default() })
    }

    pub fn exec(&mut self, tid: u32, path: &str) {
        let pid = self.threads.get(&tid).copied().unwrap_or(tid);
        let process = self.processes.entry(pid).or_insert_with(|| Process { pid, ..Process::default() });
        comm_of(path).clone_into(&mut process.comm);
        path.clone_into(&mut process.exe);
    }

    /// A thread of `tid`'s process, or a child of it.
    pub fn fork(&mut self, tid: u32, child: u32, shares: bool) {
        if self.threads.len() >= THREADS {
            // Its own first line says that there are too many.
            return;
        }
        let parent = self.of(tid);
        if shares {
            self.threads.insert(child, parent.pid);
            return;
        }
        self.threads.insert(child, child);
        // Of `vfork` the child may have said more before its parent came back.
        let ppid = parent.pid;
        let known = self.processes.entry(child).or_insert(Process { pid: child, ..parent });
        known.ppid = ppid;
    }

    /// Its number may be another's from now on.
    pub fn exit(&mut self, tid: u32) {
        if self.threads.remove(&tid) == Some(tid) && tid != self.first {
            self.processes.remove(&tid);
        }
    }
}
