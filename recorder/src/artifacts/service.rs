//! The thread that holds descriptors, reads what they lead to, and hands the bytes over.

use std::{
    collections::{HashMap, VecDeque},
    fs::File,
    io::{self, Read as _},
    sync::{
        Arc, Weak,
        atomic::{AtomicU32, AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};

use crossbeam_channel::{Receiver, RecvTimeoutError, Sender, TryRecvError, select};
use format::artifact::reasons;
use format::{Artifact, Compression, Content};

use super::{
    At, Executed, HELD, Kinds, Limits, Request, Taken,
    bpf::Program,
    ledger::Ledger,
    places::{self, Place, State},
};
use crate::{hashes::Opener, host::clocks};

/// Bytes that are read before the thread rests for as long as that took, up to the longest rest.
const PIECE: usize = 4 << 20;
const REST: Duration = Duration::from_millis(20);
/// Between two looks whether what was handed over is written.
const LOOK_AGAIN: Duration = Duration::from_millis(5);
/// Executed files are taken over as long as no more than this waits: what is written is not kept out by them.
const DUE_EXECUTED: usize = 8;
/// Clocks of files are as coarse as this.
const COARSE_NS: u64 = 20_000_000;

/// What the thread has.
#[derive(Debug)]
pub struct Service {
    pub opener: Opener,
    pub kinds: Kinds,
    pub limits: Limits,
    pub requests: Receiver<Request>,
    pub executed: Receiver<Executed>,
    /// Those that found no room.
    pub refused: Arc<AtomicU64>,
    pub answers: Sender<Taken>,
    pub part: Arc<AtomicU32>,
}

/// A file that somebody has open for writing.
struct Held {
    kind: &'static str,
    at: At,
    place: Place,
    /// Wall clock of its opening.
    opened_ns: u64,
}

/// What is to be read.
enum Due {
    File { kind: &'static str, at: At, place: Place, opened_ns: u64 },
    Opened { executed: Executed },
    Program { at: At, program: Program },
}

struct Worker {
    opener: Opener,
    kinds: Kinds,
    requests: Receiver<Request>,
    answers: Sender<Taken>,
    part: Arc<AtomicU32>,
    known_part: u32,
    ledger: Ledger,
    limits: Limits,
    held: HashMap<u64, Held>,
    due: VecDeque<Due>,
    /// The bytes that were handed over last, until they are written.
    handed: Weak<Content>,
    /// There are no more requests; whoever waits for the end is not kept waiting by rests.
    is_ending: bool,
    /// Nobody hears the answers.
    is_over: bool,
}

impl Service {
    /// Works until there are no more requests and all that was held was read; meant for a thread of its own.
    pub fn run(self) {
        let Service { opener, kinds, limits, requests, executed, refused, answers, part } = self;
        let known_part = part.load(Ordering::Relaxed);
        let ledger = Ledger::new(limits);
        let (held, due, handed) = (HashMap::new(), VecDeque::new(), Weak::new());
        let mut worker = Worker {
            opener,
            kinds,
            requests,
            answers,
            part,
            known_part,
            ledger,
            limits,
            held,
            due,
            handed,
            is_ending: false,
            is_over: false,
        };
        worker.run(&executed, &refused);
    }
}

impl Worker {
    fn run(&mut self, executed: &Receiver<Executed>, refused: &AtomicU64) {
        let mut has_executed = true;
        while !self.is_over {
            // Descriptors are held before anything is read: they do not wait.
            self.take_requests();
            while has_executed && self.due.len() < DUE_EXECUTED {
                match executed.try_recv() {
                    Ok(executed) => self.due.push_back(Due::Opened { executed }),
                    Err(TryRecvError::Empty) => break,
                    Err(TryRecvError::Disconnected) => has_executed = false,
                }
            }
            if self.is_ending && !has_executed {
                let held = std::mem::take(&mut self.held).into_values();
                self.due.extend(held.map(Held::due));
            }
            match self.due.pop_front() {
                Some(due) => self.take(due),
                None if self.is_ending && !has_executed => break,
                None if self.is_ending => {
                    if let Ok(executed) = executed.recv_timeout(LOOK_AGAIN) {
                        self.due.push_back(Due::Opened { executed });
                    }
                }
                None if has_executed => select! {
                    recv(self.requests) -> request => self.heard(request.ok()),
                    recv(executed) -> executed => match executed {
                        Ok(executed) => self.due.push_back(Due::Opened { executed }),
                        Err(_) => has_executed = false,
                    },
                },
                None => {
                    let request = self.requests.recv().ok();
                    self.heard(request);
                }
            }
        }
        let refused = refused.load(Ordering::Relaxed);
        if refused > 0 {
            self.ledger.count("exec", reasons::TOO_MANY_AT_ONCE, refused);
        }
        let sums = self.ledger.sums();
        if !sums.is_empty() {
            self.say(Taken { artifacts: sums, content: None });
        }
    }

    fn take_requests(&mut self) {
        loop {
            match self.requests.try_recv() {
                Ok(request) => self.request(request),
                Err(TryRecvError::Empty) => return,
                Err(TryRecvError::Disconnected) => {
                    self.is_ending = true;
                    return;
                }
            }
        }
    }

    fn heard(&mut self, request: Option<Request>) {
        match request {
            Some(request) => self.request(request),
            None => self.is_ending = true,
        }
    }

    /// Waits as long as work has taken, and holds what is opened meanwhile.
    fn rest(&mut self, worked: Duration) {
        let until = Instant::now() + worked.min(REST);
        while !self.is_ending {
            let left = until.saturating_duration_since(Instant::now());
            match self.requests.recv_timeout(left) {
                Ok(request) => self.request(request),
                Err(RecvTimeoutError::Timeout) => return,
                Err(RecvTimeoutError::Disconnected) => self.is_ending = true,
            }
        }
    }

    fn request(&mut self, request: Request) {
        match request {
            Request::Opened { hold, kind, at, fd, path, is_ours } => {
                self.opened(hold, kind, at, fd, &path, is_ours);
            }
            Request::Closed { hold } => {
                if let Some(held) = self.held.remove(&hold) {
                    self.due.push_back(held.due());
                }
            }
            Request::Module { at, fd, path, is_ours } => {
                let by_descriptor = places::of_process(&self.opener, at.pid, fd)
                    .and_then(|place| if place.path == path { Ok(place) } else { Err(reasons::GONE) });
                let place = match by_descriptor {
                    Err(reasons::GONE) if is_ours => places::at_path(&path),
                    other => other,
                };
                match place {
                    Ok(place) if self.has_room() => {
                        self.due.push_back(Due::File { kind: "module", at, place, opened_ns: 0 });
                    }
                    Ok(place) => self.leave_out("module", at, place.path, reasons::TOO_MANY_AT_ONCE),
                    Err(reason) => self.leave_out("module", at, path, reason),
                }
            }
            Request::Program { at, fd } => match Program::of(at.pid, fd) {
                Ok(program) if self.has_room() => self.due.push_back(Due::Program { at, program }),
                Ok(program) => self.leave_out("bpf", at, program.name(), reasons::TOO_MANY_AT_ONCE),
                Err(reason) => self.leave_out("bpf", at, Vec::new(), reason),
            },
            Request::Missed { kind, at, path, reason } => self.leave_out(kind, at, path, reason),
        }
    }

    fn has_room(&self) -> bool {
        self.held.len() + self.due.len() < HELD
    }

    fn opened(&mut self, hold: u64, kind: &'static str, at: At, fd: i32, path: &[u8], is_ours: bool) {
        let opened_ns = clocks::now().wall(at.time_ns).saturating_sub(COARSE_NS);
        let is_written = kind == "write";
        let place = match places::of_process(&self.opener, at.pid, fd) {
            Ok(place) if !is_written || place.path == path => place,
            // The path led there by links, or it was closed, and another one of these opened under its number.
            Ok(place) if self.kinds.wants_written(&place.path) => {
                let named =
                    if is_ours && self.kinds.wants_written(path) { places::at_path(path).ok() } else { None };
                named.filter(|named| named.state().is_ok()).unwrap_or(place)
            }
            // It may have been closed, and another file opened under its number.
            Ok(_) if !(path.starts_with(b"/") && self.kinds.wants_written(path)) => return,
            Err(_) if is_written && !self.kinds.wants_written(path) => return,
            // Closed before it was seen: what has its name may be it, and others may have it open.
            outcome => {
                let reason = outcome.err().unwrap_or(reasons::GONE);
                let found = if is_ours && is_written { places::at_path(path) } else { Err(reason) };
                match found {
                    Ok(place) => place,
                    Err(_) => return self.leave_out(kind, at, path.to_vec(), reason),
                }
            }
        };
        match self.has_room() {
            true => {
                self.held.insert(hold, Held { kind, at, place, opened_ns });
            }
            false => self.leave_out(kind, at, place.path, reasons::TOO_MANY_AT_ONCE),
        }
    }

    fn take(&mut self, due: Due) {
        let began = Instant::now();
        self.follow_part();
        match due {
            Due::File { kind, at, place, opened_ns } => self.take_file(kind, at, &place, opened_ns),
            Due::Opened { executed } => {
                let Executed { file: _, opened, at, path } = executed;
                match opened {
                    Ok((opened, size)) => {
                        self.take_opened(about("exec", at, path, "executable"), opened, size);
                    }
                    Err(reason) => self.leave_out("exec", at, path, reason),
                }
            }
            Due::Program { at, program } => {
                let mut artifact = about("bpf", at, program.name(), "descriptor");
                artifact.size = program.size();
                match self.refusal(artifact.size) {
                    Some(reason) => self.leave_out("bpf", at, artifact.path, reason),
                    None => match program.instructions(self.limits.each) {
                        Ok(bytes) => self.keep(artifact, &bytes),
                        Err(reason) => self.leave_out("bpf", at, artifact.path, reason),
                    },
                }
            }
        }
        self.rest(began.elapsed());
    }

    fn take_file(&mut self, kind: &'static str, at: At, place: &Place, opened_ns: u64) {
        let State { size, changed_ns } = match place.state() {
            Ok(state) => state,
            Err(reason) => return self.leave_out(kind, at, place.path.clone(), reason),
        };
        // Nobody wrote it, or there is nothing in it.
        let is_unwritten = kind == "write" && changed_ns < opened_ns;
        if is_unwritten || size == 0 {
            return;
        }
        match place.open() {
            Ok(file) => self.take_opened(about(kind, at, place.path.clone(), place.found), file, size),
            Err(reason) => self.leave_out(kind, at, place.path.clone(), reason),
        }
    }

    fn take_opened(&mut self, mut artifact: Artifact, file: File, size: u64) {
        if let Some(reason) = self.refusal(size) {
            artifact.size = size;
            artifact.left_out = reason.to_owned();
            return self.tell(artifact, None);
        }
        match self.read(file) {
            Ok((bytes, more)) => {
                artifact.size = if more { size.max(bytes.len() as u64 + 1) } else { bytes.len() as u64 };
                self.keep(artifact, &bytes);
            }
            Err(_) => {
                artifact.left_out = reasons::UNREADABLE.to_owned();
                self.tell(artifact, None);
            }
        }
    }

    fn refusal(&self, size: u64) -> Option<&'static str> {
        self.ledger.refusal(size)
    }

    /// Reads a file up to the bound, resting on the way; whether there is more.
    fn read(&mut self, mut file: File) -> io::Result<(Vec<u8>, bool)> {
        let mut bytes = Vec::new();
        loop {
            let began = Instant::now();
            let left = (self.limits.each + 1).saturating_sub(bytes.len() as u64);
            let read = file.by_ref().take(left.min(PIECE as u64)).read_to_end(&mut bytes)?;
            if read < PIECE {
                let more = bytes.len() as u64 > self.limits.each;
                bytes.truncate(self.limits.each as usize);
                return Ok((bytes, more));
            }
            self.rest(began.elapsed());
        }
    }

    /// Hands bytes over, unless the file has them.
    fn keep(&mut self, mut artifact: Artifact, bytes: &[u8]) {
        let sha256 = format::sha256(bytes);
        artifact.sha256 = Some(sha256);
        artifact.kept = bytes.len() as u64;
        if self.ledger.has(&sha256) {
            return self.tell(artifact, None);
        }
        // One at a time: what is handed over and not written yet takes memory.
        while self.handed.strong_count() > 0 && !self.is_over {
            if self.is_ending {
                std::thread::sleep(LOOK_AGAIN);
            } else {
                self.rest(LOOK_AGAIN);
            }
        }
        match Content::new(bytes, Compression::Default) {
            Ok(content) => {
                let content = Arc::new(content);
                self.handed = Arc::downgrade(&content);
                self.ledger.keep(sha256, artifact.kept);
                self.tell(artifact, Some(content));
            }
            Err(_) => {
                artifact.left_out = reasons::UNREADABLE.to_owned();
                self.tell(artifact, None);
            }
        }
    }

    fn leave_out(&mut self, kind: &'static str, at: At, path: Vec<u8>, reason: &'static str) {
        let mut artifact = about(kind, at, path, "");
        artifact.left_out = reason.to_owned();
        self.tell(artifact, None);
    }

    fn tell(&mut self, artifact: Artifact, content: Option<Arc<Content>>) {
        let artifacts: Vec<Artifact> = self.ledger.tell(&artifact).then_some(artifact).into_iter().collect();
        if !artifacts.is_empty() || content.is_some() {
            self.say(Taken { artifacts, content });
        }
    }

    fn say(&mut self, taken: Taken) {
        self.is_over |= self.answers.send(taken).is_err();
    }

    fn follow_part(&mut self) {
        let part = self.part.load(Ordering::Relaxed);
        if part != self.known_part {
            self.known_part = part;
            self.ledger.begin_part();
        }
    }
}

impl Held {
    fn due(self) -> Due {
        let Held { kind, at, place, opened_ns } = self;
        Due::File { kind, at, place, opened_ns }
    }
}

fn about(kind: &str, at: At, path: Vec<u8>, found: &str) -> Artifact {
    Artifact {
        kind: kind.to_owned(),
        time_ns: at.time_ns,
        event: Some(at.event),
        pid: at.pid,
        tid: at.tid,
        path,
        found: found.to_owned(),
        count: 1,
        ..Artifact::default()
    }
}
