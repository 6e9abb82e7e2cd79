//! What is known of a process that no context tells and its own calls change: its working directory, session, group,
//! terminal, and who logged in.
//!
//! The recorder reads these of every process when a recording begins ([`crate::Process::facts`]), and a child has what its
//! parent had. From then on events change them: [`FactChange`] says what one event does, to whoever keeps facts by process.
//! What nobody saw is not known, and nothing is guessed.

mod change;
mod followed;
mod ns_pids;
mod terminal;

use std::collections::HashMap;
use std::sync::Arc;

use events::context::Standing;
pub use events::context::UNSET;

pub use change::{Actor, Fact, FactChange, OfProcess, Passes};
pub use followed::FactSet;
pub use ns_pids::NsPids;
pub use terminal::{Terminal, device_name, named_device};

use crate::Process;

const CLONE_FS: u64 = 0x200;

/// The facts of one process. `None`: not known.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Facts {
    /// The working directory: that of the main thread, where threads have their own.
    pub cwd: Option<Arc<[u8]>>,
    pub directories: Directories,
    /// Its session, and its group, as the pids of their leaders on the host.
    pub session: Option<u32>,
    pub group: Option<u32>,
    pub terminal: Terminal,
    /// Who logged in, whatever users have been since; [`UNSET`] for what nobody's login led to.
    pub login_uid: Option<u32>,
    /// Number of that login, by audit; [`UNSET`] for none.
    pub audit_session: Option<u32>,
}

/// Whose calls change the working directory.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
#[repr(u8)]
pub enum Directories {
    /// All threads have one.
    #[default]
    One = 0,
    /// Threads have their own: the process's is that of its main thread.
    OfThreads = 1,
    /// Another process has the same one, and changes it as well: it is never known.
    Shared = 2,
}

impl Facts {
    /// What a new process has of this one, which forked it with these flags.
    pub fn fork(&mut self, clone_flags: u64, is_kernel_thread: bool) -> Facts {
        let mut child = Facts { directories: Directories::One, ..self.clone() };
        // Threads of the kernel all share a directory that none of them changes.
        if clone_flags & CLONE_FS != 0 && !is_kernel_thread {
            for of in [self, &mut child] {
                (of.cwd, of.directories) = (None, Directories::Shared);
            }
        }
        child
    }

    /// The process ends: with the leader of a session goes the terminal of all that are in it.
    pub fn end(&self, pid: u32) {
        if self.session == Some(pid) {
            self.terminal.hang_up();
        }
    }

    /// Takes over what another source knows and this one does not.
    pub fn complete(&mut self, other: &Facts) {
        if self.cwd.is_none() && self.directories == Directories::One {
            (self.cwd, self.directories) = (other.cwd.clone(), other.directories);
        }
        self.session = self.session.or(other.session);
        self.group = self.group.or(other.group);
        self.login_uid = self.login_uid.or(other.login_uid);
        self.audit_session = self.audit_session.or(other.audit_session);
        if !self.terminal.is_known() {
            self.terminal = other.terminal.clone();
        }
    }

    /// The same as they are now, whatever becomes of the terminal.
    pub fn as_now(&self) -> Facts {
        Facts { terminal: self.terminal.apart(), ..self.clone() }
    }

    /// Makes facts of other kinds unknown.
    pub fn keep(&mut self, kinds: FactSet) {
        for fact in Fact::ALL.into_iter().filter(|fact| !kinds.has(*fact)) {
            match fact {
                Fact::Directory => self.cwd = None,
                Fact::Session => self.session = None,
                Fact::Group => self.group = None,
                Fact::Terminal => self.terminal = Terminal::default(),
                Fact::Login => (self.login_uid, self.audit_session) = (None, None),
            }
        }
    }

    /// As the context of one of its threads has them.
    pub fn standing(&self, is_main_thread: bool) -> Standing<'_> {
        let is_its = is_main_thread || self.directories == Directories::One;
        Standing {
            cwd: self.cwd.as_deref().filter(|_| is_its),
            session: self.session,
            group: self.group,
            terminal: self.terminal.number(),
            login_uid: self.login_uid,
            audit_session: self.audit_session,
        }
    }

    /// Memory beside the struct.
    pub fn bytes(&self) -> usize {
        self.cwd.as_ref().map_or(0, |cwd| cwd.len())
    }
}

/// Gives processes of one session that have the same terminal one terminal, which goes for all of them at once.
pub fn share_terminals<'a>(processes: impl Iterator<Item = &'a mut Process>) {
    let mut terminals: HashMap<(u16, u32, u64), Terminal> = HashMap::new();
    for process in processes {
        let facts = &mut process.facts;
        if let Some(session) = facts.session {
            let key = (process.host, session, facts.terminal.stored());
            facts.terminal = terminals.entry(key).or_insert_with(|| facts.terminal.apart()).clone();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_child_has_what_its_parent_had_and_loses_the_terminal_with_the_sessions_leader() {
        let mut shell = Facts {
            cwd: Some(b"/root".as_slice().into()),
            session: Some(10),
            group: Some(10),
            terminal: Terminal::device(34816),
            login_uid: Some(1000),
            ..Facts::default()
        };
        let child = shell.fork(0, false);
        assert_eq!(child, shell);
        child.end(11);
        assert_eq!(child.terminal.number(), Some(34816), "only the leader takes it along");
        shell.end(10);
        assert_eq!((child.terminal.number(), child.session), (Some(0), Some(10)));
    }

    #[test]
    fn a_directory_that_two_processes_share_is_known_of_neither() {
        let mut parent = Facts { cwd: Some(b"/".as_slice().into()), ..Facts::default() };
        assert_eq!(parent.clone().fork(CLONE_FS, true).cwd.as_deref(), Some(&b"/"[..]));
        let mut child = parent.fork(CLONE_FS, false);
        assert_eq!((&parent.cwd, &child.cwd), (&None, &None));
        let actor = Actor { pid: 7, tid: 7, ..Actor::default() };
        let mut of = |_: u32, change: &mut dyn FnMut(&mut Facts)| change(&mut child);
        FactChange::Directory(Some(b"/tmp".as_slice().into())).apply(actor, &NsPids::default(), &mut of);
        assert_eq!(child.cwd, None);
        assert_eq!(child.fork(0, false).directories, Directories::One);
    }

    #[test]
    fn terminals_of_one_session_are_one_and_those_of_others_their_own() {
        let of = |pid, session, terminal| Process {
            pid,
            facts: Facts { session: Some(session), terminal, ..Facts::default() },
            ..Process::default()
        };
        let mut all = [
            of(10, 10, Terminal::device(34816)),
            of(11, 10, Terminal::device(34816)),
            of(12, 10, Terminal::none()),
            of(20, 20, Terminal::device(34816)),
        ];
        share_terminals(all.iter_mut());
        all[0].facts.end(10);
        let left: Vec<Option<u32>> = all.iter().map(|it| it.facts.terminal.number()).collect();
        assert_eq!(left, [Some(0), Some(0), Some(0), Some(34816)]);
    }
}
