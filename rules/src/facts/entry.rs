//! By what somebody or something came into a machine: the process that each other goes back to, told when it executes.
//!
//! The leader of a session on a serial line, the login on a console, what the first process started, what a daemon of logins
//! or the runtime of containers started. All others have the entry of their parent, or of who leads their session or group.
//! These are the entries of Elastic's agents (`process.entry_leader`), which rules are written for.

use events::context::Entity;

use super::{Process, Processes};
use crate::access::{Part, path_part};
use crate::form::Leader;

/// What an entry came by.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Entry {
    Init,
    Sshd,
    /// An agent by which Amazon's machines are managed.
    Ssm,
    Container,
    Terminal,
    Console,
    Unknown,
}

/// Pids of the first process, and of the parent of the kernel's own.
const INIT: u32 = 1;
const KTHREADD: u32 = 2;

/// What names of executables begin with that run containers, and of others that are part of how one comes in: what they start
/// is the entry, and not they.
const RUNTIMES: [&[u8]; 3] = [b"containerd-shim", b"runc", b"conmon"];
const PARTS_OF_ENTRIES: [&[u8]; 5] =
    [b"runc", b"containerd-shim", b"calico-node", b"check-status", b"conmon"];

/// What serves one login; from OpenSSH 9.8 on that is a program of its own.
const SSHD: [&[u8]; 2] = [b"sshd", b"sshd-session"];

impl Entry {
    pub const fn name(self) -> &'static str {
        match self {
            Entry::Init => "init",
            Entry::Sshd => "sshd",
            Entry::Ssm => "ssm",
            Entry::Container => "container",
            Entry::Terminal => "terminal",
            Entry::Console => "console",
            Entry::Unknown => "unknown",
        }
    }
}

/// A kind of terminal, by its device.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Line {
    Serial,
    Console,
    Pseudo,
    Other,
}

impl Line {
    fn of(device: u32) -> Line {
        let (major, minor) = (device >> 8 & 0xfff, device & 0xff | device >> 12 & 0xfff00);
        match (major, minor) {
            (4, 0..=63) => Line::Console,
            (4, 64..=255) => Line::Serial,
            (136..=143, _) => Line::Pseudo,
            _ => Line::Other,
        }
    }
}

impl Processes {
    /// A process executed what is known of it by now.
    pub(super) fn enter(&mut self, entity: Entity) {
        let Some(process) = self.get(entity) else { return };
        let (own, leader) = (process.entity(), self.entry_of(process));
        let Some((leader, entry)) = leader else { return };
        if let Some(process) = self.get_mut(own) {
            process.entry_leader = Some(leader);
            process.entry = entry.or(process.entry);
        }
    }

    /// Who leads the entry of a process; with what it came by where that is the process itself. `None`: nothing new is known.
    fn entry_of(&self, process: &Process) -> Option<(Entity, Option<Entry>)> {
        let parent = process.parent.filter(|parent| parent.pid != 0);
        if process.pid == INIT || process.pid == KTHREADD || parent.is_some_and(|it| it.pid == KTHREADD) {
            return None;
        }
        let leads_session = process.facts.session == Some(process.pid);
        if leads_session && let Some(entry) = self.entry_led(process, parent) {
            return Some((process.entity(), Some(entry)));
        }
        let of_parent = || self.get(parent?)?.entry_leader;
        let of_leader = |leader| self.leader(process, leader)?.entry_leader;
        let inherited =
            of_parent().or_else(|| of_leader(Leader::Session)).or_else(|| of_leader(Leader::Group));
        match inherited {
            Some(leader) => Some((leader, None)),
            None if leads_session => Some((process.entity(), Some(Entry::Unknown))),
            None => None,
        }
    }

    /// What the leader of a session came by, where it is an entry itself.
    fn entry_led(&self, process: &Process, parent: Option<Entity>) -> Option<Entry> {
        let name = name_of(process);
        let line = process.facts.terminal.number().map_or(Line::Other, Line::of);
        match line {
            Line::Serial => return Some(Entry::Terminal),
            Line::Console if name == b"login" => return Some(Entry::Console),
            _ => {}
        }
        if parent.is_some_and(|parent| parent.pid == INIT) {
            return Some(Entry::Init);
        }
        if begins_with_one(name, &PARTS_OF_ENTRIES) {
            return None;
        }
        let parent = name_of(self.get(parent?)?);
        if line == Line::Pseudo && parent == b"ssm-session-worker" {
            Some(Entry::Ssm)
        } else if SSHD.contains(&parent) && !SSHD.contains(&name) {
            Some(Entry::Sshd)
        } else if begins_with_one(parent, &RUNTIMES) {
            Some(Entry::Container)
        } else {
            None
        }
    }
}

fn name_of(process: &Process) -> &[u8] {
    path_part(&process.exe, &Part::Name).unwrap_or_default()
}

fn begins_with_one(name: &[u8], beginnings: &[&[u8]]) -> bool {
    beginnings.iter().any(|beginning| name.starts_with(beginning))
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use events::{Context, Raw};
    use format::facts::{FactSet, Facts, Terminal};

    use super::super::{Program, Subject};
    use super::*;
    use crate::form::{ProcessFact, Who};

    const PTS_0: u32 = 136 << 8;

    /// A process with a terminal (0: none) in a session, as it is told when a recording begins.
    fn told(pid: u32, ppid: u32, session: u32, exe: &str, terminal: u32) -> format::Process {
        format::Process {
            pid,
            ns_pid: pid,
            ppid,
            start_ns: start(pid),
            parent_start_ns: start(ppid),
            exe: exe.as_bytes().to_vec(),
            facts: Facts {
                session: Some(session),
                group: Some(session),
                terminal: Terminal::device(terminal),
                ..Facts::default()
            },
            ..format::Process::default()
        }
    }

    fn start(pid: u32) -> u64 {
        u64::from(pid) * 20_000_000
    }

    fn processes(told: Vec<format::Process>) -> Processes {
        let mut processes = Processes::new(FactSet::ALL, Arc::default(), Arc::default());
        processes.snapshot(told);
        processes
    }

    /// Pid and type of the entry of a process.
    fn entry(processes: &Processes, pid: u32) -> Option<(u32, &'static str)> {
        let process = processes.get(Entity { pid, start_ns: start(pid) })?;
        let leader = processes.leader(process, Leader::Entry)?;
        Some((leader.pid, leader.entry.map_or("", Entry::name)))
    }

    #[test]
    fn who_was_there_has_the_entry_of_whoever_let_it_in() {
        let processes = processes(vec![
            told(1, 0, 1, "/usr/lib/systemd/systemd", 0),
            told(2, 0, 0, "", 0),
            told(3, 2, 0, "", 0),
            told(10, 1, 10, "/usr/sbin/sshd", 0),
            told(11, 10, 11, "/usr/sbin/sshd", 0),
            told(12, 11, 12, "/bin/bash", PTS_0),
            told(13, 12, 12, "/usr/bin/vi", PTS_0),
            told(20, 1, 20, "/usr/bin/containerd-shim-runc-v2", 0),
            told(21, 20, 21, "/bin/sh", 0),
            told(22, 21, 21, "/bin/sleep", 0),
            told(23, 20, 23, "/usr/bin/runc", 0),
            told(30, 1, 30, "/bin/login", 4 << 8 | 1),
            told(31, 30, 31, "/bin/bash", 4 << 8 | 1),
            told(40, 1, 40, "/sbin/agetty", 4 << 8 | 64),
            told(50, 1, 50, "/usr/bin/amazon-ssm-agent", 0),
            told(51, 50, 50, "/usr/bin/ssm-session-worker", 0),
            told(52, 51, 52, "/bin/sh", PTS_0),
            told(60, 1, 60, "/usr/sbin/sshd-session", 0),
            told(61, 60, 61, "/bin/sh", PTS_0),
        ]);
        let expected = [
            (1, None),
            (2, None),
            (3, None),
            (10, Some((10, "init"))),
            (11, Some((10, "init"))),
            (12, Some((12, "sshd"))),
            (13, Some((12, "sshd"))),
            (20, Some((20, "init"))),
            (21, Some((21, "container"))),
            (22, Some((21, "container"))),
            (23, Some((20, "init"))),
            (30, Some((30, "console"))),
            (31, Some((30, "console"))),
            (40, Some((40, "terminal"))),
            (51, Some((50, "init"))),
            (52, Some((52, "ssm"))),
            (61, Some((61, "sshd"))),
        ];
        for (pid, leader) in expected {
            assert_eq!(entry(&processes, pid), leader, "{pid}");
        }
    }

    #[test]
    fn an_entry_begins_with_an_exec_and_is_inherited_by_forks() {
        let mut processes = processes(vec![
            told(1, 0, 1, "/sbin/init", 0),
            told(20, 1, 20, "/usr/bin/containerd-shim", 0),
            told(21, 20, 21, "/usr/bin/runc", 0),
        ]);
        let context = |pid: u32, ppid: u32, exe: &'static str| Context {
            pid,
            tid: pid,
            ppid,
            process_start_ns: start(pid),
            parent_start_ns: start(ppid),
            exe: exe.as_bytes(),
            ..Context::default()
        };
        let entrypoint = context(21, 20, "/entrypoint");
        processes.exec(
            &entrypoint,
            0,
            (Raw::Bytes(b"/entrypoint"), Program::default()),
            Raw::Missing,
            Raw::Missing,
        );
        let child = context(22, 21, "/entrypoint");
        processes.fork(&entrypoint, child.process(), 2, 0);
        assert_eq!(entry(&processes, 22), Some((21, "container")));

        let tool = context(22, 21, "/bin/sh");
        processes.exec(&tool, 0, (Raw::Bytes(b"/bin/sh"), Program::default()), Raw::Missing, Raw::Missing);
        let ask = |of: &Context<'_>, who, fact| {
            let mut values = Vec::new();
            processes.each_value(Subject::of(of), who, fact, 0, &|_| None, &mut |value| {
                values.push(String::from_utf8_lossy(&value.text()).into_owned());
            });
            values.concat()
        };
        let leader = Who::Leader(Leader::Entry);
        assert_eq!(ask(&tool, leader, ProcessFact::EntryType), "container");
        assert_eq!(ask(&tool, leader, ProcessFact::Exe), "/entrypoint");
        assert_eq!(ask(&tool, Who::ParentsLeader(Leader::Entry), ProcessFact::Pid), "21");
        assert_eq!(ask(&tool, Who::Actor, ProcessFact::LeadsEntry), "false");
        assert_eq!(ask(&entrypoint, Who::Actor, ProcessFact::LeadsEntry), "true");
    }

    /// Where sessions are not followed, nobody is said to lead any.
    #[test]
    fn nothing_is_made_up_of_what_is_not_known() {
        let mut processes = Processes::new(FactSet::NONE, Arc::default(), Arc::default());
        processes.snapshot(vec![told(10, 1, 10, "/usr/sbin/sshd", 0), told(12, 10, 12, "/bin/bash", PTS_0)]);
        assert_eq!(entry(&processes, 12), None);
    }
}
