//! On the drain: which descriptors lead to files that may be wanted, and when the last of them is gone.
//!
//! Descriptors are followed as the kernel tells of them: copied within a process, taken over by a child, closed, or gone
//! with the process. Those that an exec closes are gone with the process too, which is later than they were. What is
//! followed is bounded; beyond that, nothing is held, and that is told.

use std::collections::VecDeque;

use crossbeam_channel::TrySendError;
use events::{Context, EventId, Marks, Raw, catalogue, catalogue::process};
use format::artifact::reasons;
use hashbrown::HashMap;

use super::{ArtifactService, At, Kinds, Request, Taken};
use crate::kernel::Record;

/// Descriptors that are followed.
const FOLLOWED: usize = 16 << 10;
/// Those of one process that a child takes over.
const INHERITED: usize = 256;

/// Who did something.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Who {
    pub pid: u32,
    pub parent: u32,
    pub tid: u32,
    pub mnt_ns: u32,
}

impl Who {
    pub fn of(context: &Context<'_>) -> Who {
        let Context { pid, ppid: parent, tid, mnt_ns, .. } = *context;
        Who { pid, parent, tid, mnt_ns }
    }
}

#[derive(Debug)]
pub struct Tracker {
    service: ArtifactService,
    ids: Ids,
    /// Of the recorder itself.
    mnt_ns: u32,
    /// By process: descriptors and what they hold.
    held: HashMap<u32, Vec<(i32, u64)>>,
    /// By what is held: how many descriptors lead to it.
    holders: HashMap<u64, u32>,
    next: u64,
    /// What nobody has open any more and the service was not told yet.
    closed: VecDeque<u64>,
    /// Requests that found no room, by kind: told once there is some.
    refused: Vec<(&'static str, u64)>,
}

/// Events by what they mean here.
#[derive(Debug)]
struct Ids {
    open: Option<EventId>,
    openat: Option<EventId>,
    openat2: Option<EventId>,
    creat: Option<EventId>,
    memfd_create: Option<EventId>,
    close: Option<EventId>,
    close_range: Option<EventId>,
    dup: Option<EventId>,
    dup2: Option<EventId>,
    dup3: Option<EventId>,
    fcntl: Option<EventId>,
    finit_module: Option<EventId>,
    init_module: Option<EventId>,
    bpf: Option<EventId>,
}

impl Ids {
    fn new() -> Ids {
        let id = |name| catalogue::by_name(name).map(|event| event.id);
        Ids {
            open: id("open"),
            openat: id("openat"),
            openat2: id("openat2"),
            creat: id("creat"),
            memfd_create: id("memfd_create"),
            close: id("close"),
            close_range: id("close_range"),
            dup: id("dup"),
            dup2: id("dup2"),
            dup3: id("dup3"),
            fcntl: id("fcntl"),
            finit_module: id("finit_module"),
            init_module: id("init_module"),
            bpf: id("bpf"),
        }
    }
}

fn number(record: &Record<'_>, name: &str) -> Option<u64> {
    value(record, name)?.descriptor().map(|(number, _)| number)
}

fn value<'a>(record: &Record<'a>, name: &str) -> Option<Raw<'a>> {
    let (position, _) = catalogue::by_id(record.event)?.arg(name)?;
    record.args.get(position).copied()
}

fn text(record: &Record<'_>, name: &str) -> Vec<u8> {
    match value(record, name) {
        Some(Raw::Bytes(bytes)) => bytes.to_vec(),
        _ => Vec::new(),
    }
}

impl Tracker {
    pub fn new(service: ArtifactService, mnt_ns: u32) -> Tracker {
        Tracker {
            service,
            ids: Ids::new(),
            mnt_ns,
            held: HashMap::new(),
            holders: HashMap::new(),
            next: 0,
            closed: VecDeque::new(),
            refused: Vec::new(),
        }
    }

    fn kinds(&self) -> &Kinds {
        &self.service.kinds
    }

    /// Whether an event means anything here: most do not.
    pub fn is_concerned(&self, event: EventId) -> bool {
        let Ids {
            open,
            openat,
            openat2,
            creat,
            memfd_create,
            close,
            close_range,
            dup,
            dup2,
            dup3,
            fcntl,
            finit_module,
            init_module,
            bpf,
        } = &self.ids;
        let event = Some(event);
        let changes = [close, close_range, dup, dup2, dup3, fcntl];
        (changes.contains(&&event) && !self.holders.is_empty())
            || [open, openat, openat2, creat].contains(&&event) && !self.kinds().write.is_empty()
            || [memfd_create, finit_module, init_module, bpf].contains(&&event)
            || event == Some(process::SCHED_PROCESS_FORK) && !self.holders.is_empty()
            || event == Some(process::SCHED_PROCESS_EXIT) && !self.holders.is_empty()
    }

    /// Takes an event; `who` is asked only where it matters.
    pub fn record(&mut self, record: &Record<'_>, who: Who) {
        if record.marks.has(Marks::UNFINISHED) {
            return;
        }
        let event = Some(record.event);
        let at = At { time_ns: record.time_ns, event: record.event, pid: who.pid, tid: who.tid };
        let is_ours = who.mnt_ns == self.mnt_ns;
        let fd = i32::try_from(record.ret).ok().filter(|fd| *fd >= 0);
        let ids = &self.ids;
        if record.event == process::SCHED_PROCESS_FORK {
            let of = |name| number(record, name).map(|pid| pid as u32);
            if let (Some(parent), Some(child)) = (of("parent_pid"), of("child_pid")) {
                self.fork(parent, child);
            }
        } else if record.event == process::SCHED_PROCESS_EXIT {
            if number(record, "process_group_exit").is_some_and(|is| is != 0) {
                self.exit(who.pid);
            }
        } else if event == ids.close {
            if let Some(fd) = number(record, "fd") {
                self.close(who.pid, fd as i32);
            }
        } else if event == ids.close_range {
            const CLOEXEC: u64 = 4;
            let (first, last) = (number(record, "first"), number(record, "last"));
            if let (Some(first), Some(last)) = (first, last)
                && number(record, "flags").unwrap_or_default() & CLOEXEC == 0
            {
                self.close_all(who.pid, first as u32, last as u32);
            }
        } else if [ids.dup, ids.dup2, ids.dup3, ids.fcntl].contains(&event) {
            let is_copy = event != ids.fcntl
                || number(record, "cmd")
                    .is_some_and(|cmd| [libc::F_DUPFD as u64, libc::F_DUPFD_CLOEXEC as u64].contains(&cmd));
            let old = number(record, if event == ids.fcntl { "fd" } else { "oldfd" });
            if let (Some(old), Some(new), true) = (old, fd, is_copy) {
                self.copy(who.pid, old as i32, new);
            }
        } else if event == ids.memfd_create {
            if let (Some(fd), true) = (fd, self.kinds().memfd) {
                let path = [b"memfd:", text(record, "name").as_slice()].concat();
                self.open(at, fd, "memfd", path, false);
            }
        } else if event == ids.finit_module {
            if let (Some(file), true) = (value(record, "fd"), self.kinds().module) {
                let (fd, path) = file.descriptor().unwrap_or_default();
                let path = path.to_vec();
                self.ask("module", Request::Module { at, fd: fd as i32, path, is_ours });
            }
        } else if event == ids.init_module {
            if self.kinds().module {
                let path = b"(the caller's memory)".to_vec();
                let reason = reasons::IN_MEMORY;
                self.ask("module", Request::Missed { kind: "module", at, path, reason });
            }
        } else if event == ids.bpf {
            const PROG_LOAD: u64 = 5;
            if let (Some(fd), true) = (fd, self.kinds().bpf)
                && number(record, "cmd") == Some(PROG_LOAD)
            {
                self.ask("bpf", Request::Program { at, fd });
            }
        } else if let Some(fd) = fd
            && self.is_writing(record)
        {
            self.open(at, fd, "write", text(record, "pathname"), is_ours);
        }
    }

    /// Whether a file is opened so that it can be written.
    fn is_writing(&self, record: &Record<'_>) -> bool {
        let event = Some(record.event);
        let flags = if event == self.ids.creat {
            Some(libc::O_WRONLY as u64)
        } else if event == self.ids.openat2 {
            // `struct open_how` begins with them.
            match value(record, "how") {
                Some(Raw::Bytes(how)) => how.first_chunk().map(|flags| u64::from_le_bytes(*flags)),
                _ => None,
            }
        } else if [self.ids.open, self.ids.openat].contains(&event) {
            number(record, "flags")
        } else {
            None
        };
        let is_writing = |flags: u64| {
            flags & libc::O_ACCMODE as u64 != libc::O_RDONLY as u64 && flags & libc::O_PATH as u64 == 0
        };
        flags.is_some_and(is_writing) && !self.kinds().write.is_empty()
    }

    fn open(&mut self, at: At, fd: i32, kind: &'static str, path: Vec<u8>, is_ours: bool) {
        // Of a descriptor that was closed unseen, this is the end.
        self.close(at.pid, fd);
        // What is told as left out was wanted, as far as its path says.
        let is_wanted = kind != "write" || !path.starts_with(b"/") || self.kinds().wants_written(&path);
        if self.holders.len() + self.closed.len() >= FOLLOWED {
            if is_wanted {
                self.refuse(kind);
            }
            return;
        }
        let hold = self.next;
        self.next += 1;
        let request = Request::Opened { hold, kind, at, fd, path, is_ours };
        let is_told = match is_wanted {
            true => self.ask(kind, request),
            false => self.service.ask.try_send(request).is_ok(),
        };
        if is_told {
            self.held.entry(at.pid).or_default().push((fd, hold));
            self.holders.insert(hold, 1);
        }
    }

    fn copy(&mut self, pid: u32, old: i32, new: i32) {
        if old == new {
            return;
        }
        let hold = self.held.get(&pid).and_then(|all| all.iter().find(|(fd, _)| *fd == old)).copied();
        self.close(pid, new);
        if let Some((_, hold)) = hold {
            self.held.entry(pid).or_default().push((new, hold));
            *self.holders.entry(hold).or_default() += 1;
        }
    }

    fn fork(&mut self, parent: u32, child: u32) {
        if parent == child {
            return;
        }
        let Some(inherited) = self.held.get(&parent).cloned() else { return };
        self.exit(child);
        let room = INHERITED.min(FOLLOWED.saturating_sub(self.held.len()));
        let inherited: Vec<_> = inherited.into_iter().take(room).collect();
        for (_, hold) in &inherited {
            *self.holders.entry(*hold).or_default() += 1;
        }
        if !inherited.is_empty() {
            self.held.insert(child, inherited);
        }
    }

    fn close(&mut self, pid: u32, fd: i32) {
        self.close_all(pid, fd as u32, fd as u32);
    }

    fn close_all(&mut self, pid: u32, first: u32, last: u32) {
        let Some(all) = self.held.get_mut(&pid) else { return };
        let mut gone = Vec::new();
        all.retain(|(fd, hold)| {
            let is_in = (first..=last).contains(&(*fd as u32));
            gone.extend(is_in.then_some(*hold));
            !is_in
        });
        if all.is_empty() {
            self.held.remove(&pid);
        }
        gone.into_iter().for_each(|hold| self.release(hold));
    }

    fn exit(&mut self, pid: u32) {
        for (_, hold) in self.held.remove(&pid).unwrap_or_default() {
            self.release(hold);
        }
    }

    fn release(&mut self, hold: u64) {
        let Some(count) = self.holders.get_mut(&hold) else { return };
        *count -= 1;
        if *count == 0 {
            self.holders.remove(&hold);
            self.closed.push_back(hold);
            self.tell_closed();
        }
    }

    /// Tells what was closed, as far as there is room: what is held without need keeps others out.
    fn tell_closed(&mut self) {
        while let Some(hold) = self.closed.front().copied() {
            if self.service.ask.try_send(Request::Closed { hold }).is_err() {
                return;
            }
            self.closed.pop_front();
        }
    }

    fn refuse(&mut self, kind: &'static str) {
        match self.refused.iter_mut().find(|(of, _)| *of == kind) {
            Some((_, count)) => *count += 1,
            None => self.refused.push((kind, 1)),
        }
    }

    /// Tells the service; false without room.
    fn ask(&mut self, kind: &'static str, request: Request) -> bool {
        match self.service.ask.try_send(request) {
            Ok(()) => true,
            Err(TrySendError::Full(_) | TrySendError::Disconnected(_)) => {
                self.refuse(kind);
                false
            }
        }
    }

    /// The next that came of requests.
    pub fn receive(&mut self) -> Option<Taken> {
        self.tell_closed();
        self.service.answers.try_recv().ok()
    }

    /// The number of the file that is being written.
    pub fn part(&self) -> u32 {
        self.service.part.load(std::sync::atomic::Ordering::Relaxed)
    }

    /// There are no more events: what is left comes from here, and when that ends, it was all. And what was refused.
    pub fn finish(self) -> (crossbeam_channel::Receiver<Taken>, Vec<(&'static str, u64)>) {
        (self.service.answers, self.refused)
    }
}

#[cfg(test)]
mod tests {
    use std::sync::{Arc, atomic::AtomicU32};

    use crossbeam_channel::{Receiver, bounded};
    use events::Marks;

    use super::*;

    fn tracker(words: &[&str]) -> (Tracker, Receiver<Request>) {
        let kinds = Kinds::parse(&words.iter().map(|word| (*word).to_owned()).collect::<Vec<_>>()).unwrap();
        let (ask, requests) = bounded(64);
        let (_, answers) = bounded(1);
        let service = ArtifactService { kinds, ask, answers, part: Arc::new(AtomicU32::new(0)) };
        (Tracker::new(service, 1), requests)
    }

    /// What the service is told of: `+` a file that is held, `-` one that is let go of.
    fn told(requests: &Receiver<Request>) -> String {
        let word = |request| match request {
            Request::Opened { hold, .. } => format!("+{hold}"),
            Request::Closed { hold } => format!("-{hold}"),
            other => format!("{other:?}"),
        };
        requests.try_iter().map(word).collect::<Vec<_>>().join(" ")
    }

    fn tell(tracker: &mut Tracker, pid: u32, name: &str, ret: i64, args: &[(&str, Raw<'_>)]) {
        let event = catalogue::by_name(name).unwrap();
        let mut values = vec![Raw::Missing; event.args.len()];
        for (name, value) in args {
            values[event.arg(name).unwrap_or_else(|| panic!("{name}")).0] = *value;
        }
        let record = Record {
            time_ns: 1,
            event: event.id,
            cpu: 0,
            context: 1,
            ret,
            marks: Marks::default(),
            duration_ns: None,
            args: &values,
        };
        if tracker.is_concerned(event.id) {
            tracker.record(&record, Who { pid, parent: 1, tid: pid, mnt_ns: 1 });
        }
    }

    const WRITE: Raw<'_> = Raw::Number(libc::O_WRONLY as u64);

    #[test]
    fn a_file_is_held_until_the_last_descriptor_of_it_is_gone() {
        let (mut it, requests) = tracker(&["write=/tmp/**"]);
        let path = ("pathname", Raw::Bytes(b"/tmp/x"));
        tell(&mut it, 5, "openat", 3, &[path, ("flags", Raw::Number(0))]);
        tell(&mut it, 5, "openat", -2, &[path, ("flags", WRITE)]);
        assert_eq!(told(&requests), "", "read, or not opened at all");
        tell(&mut it, 5, "openat", 3, &[path, ("flags", WRITE)]);
        assert_eq!(told(&requests), "+0");
        // As a shell does it: copied, closed, taken over by a child.
        tell(&mut it, 5, "dup2", 1, &[("oldfd", Raw::Number(3)), ("newfd", Raw::Number(1))]);
        tell(&mut it, 5, "close", 0, &[("fd", Raw::Number(3))]);
        let fork = |child| [("parent_pid", Raw::Number(5)), ("child_pid", Raw::Number(child))];
        tell(&mut it, 5, "sched_process_fork", 0, &fork(5));
        tell(&mut it, 5, "sched_process_fork", 0, &fork(6));
        tell(&mut it, 5, "close_range", 0, &[("first", Raw::Number(0)), ("last", Raw::Number(9))]);
        assert_eq!(told(&requests), "");
        let exit = |all| [("process_group_exit", Raw::Number(all))];
        tell(&mut it, 6, "sched_process_exit", 0, &exit(0));
        assert_eq!(told(&requests), "");
        tell(&mut it, 6, "sched_process_exit", 0, &exit(1));
        assert_eq!(told(&requests), "-0");
        assert!(it.held.is_empty() && it.holders.is_empty());
    }

    #[test]
    fn a_descriptor_that_is_used_anew_lets_go_of_what_it_was() {
        let (mut it, requests) = tracker(&["memfd"]);
        for _ in 0..2 {
            tell(&mut it, 5, "memfd_create", 4, &[("name", Raw::Bytes(b"x"))]);
        }
        assert_eq!(told(&requests), "+0 -0 +1");
        tell(&mut it, 5, "memfd_create", 5, &[("name", Raw::Bytes(b"y"))]);
        tell(&mut it, 5, "dup3", 4, &[("oldfd", Raw::Number(5)), ("newfd", Raw::Number(4))]);
        assert_eq!(told(&requests), "+2 -1");
    }

    #[test]
    fn what_finds_no_room_is_counted() {
        let (mut it, requests) = tracker(&["memfd"]);
        for fd in 0..100 {
            tell(&mut it, 5, "memfd_create", fd, &[("name", Raw::Bytes(b"x"))]);
        }
        assert_eq!(requests.len(), 64);
        assert_eq!(it.finish().1, [("memfd", 36)]);
    }

    #[test]
    fn programs_and_modules_are_told_of_when_they_are_loaded() {
        let (mut it, requests) = tracker(&["module", "bpf"]);
        tell(&mut it, 5, "bpf", 7, &[("cmd", Raw::Number(5))]);
        tell(&mut it, 5, "bpf", 7, &[("cmd", Raw::Number(0))]);
        tell(&mut it, 5, "bpf", -1, &[("cmd", Raw::Number(5))]);
        let file = [&3u64.to_le_bytes()[..], b"/lib/modules/x.ko"].concat();
        tell(&mut it, 5, "finit_module", 0, &[("fd", Raw::Bytes(&file))]);
        let told: Vec<Request> = requests.try_iter().collect();
        let [Request::Program { fd: 7, .. }, Request::Module { fd: 3, path, is_ours: true, .. }] = &told[..]
        else {
            panic!("{told:?}")
        };
        assert_eq!(path, b"/lib/modules/x.ko");
    }
}
