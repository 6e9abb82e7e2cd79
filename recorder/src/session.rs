//! One recording from its first byte to its last.
//!
//! ```text
//! kernel --drain--> label --> blocks --queue--> encode --queue--> write --> file
//!           (this thread)                (thread)          (thread)
//! ```
//! Where there are many CPUs, several threads drain and several encode, and busy looks are shared among them.

use std::{
    path::PathBuf,
    sync::{Arc, atomic::Ordering},
    time::{Duration, Instant},
};

use format::{Compression, Header, Options, Process, Side, User};

use crate::{
    artifacts::ArtifactService,
    assemble::{Assembler, Choice, NameService, Progress},
    containers::cgroup_table::CgroupTable,
    file::lanes::{Crew, Gauge, Lanes, Viewer, Wait},
    file::output::OutputError,
    file::write::{Destination, Halt, Sink, Written},
    hashes::HashService,
    host::priority,
    host::privileges::{self, Part},
    kernel,
    label::Judge,
    source::Source,
    team::Team,
};

/// How long a drain sleeps at most while little happens.
const WAIT: Duration = Duration::from_millis(50);
/// With a command to watch, its end should be seen soon.
const SHORT_WAIT: Duration = Duration::from_millis(10);

/// With artifacts to keep.
const QUICK_WAIT: Duration = Duration::from_millis(2);

/// Everything that a session needs to know.
#[derive(Debug)]
pub struct Setup {
    pub destination: Destination,
    pub header: Header,
    pub compression: Compression,
    pub choice: Choice,
    pub processes: Vec<Process>,
    pub users: Vec<User>,
    pub cgroups: CgroupTable,
    pub names: Option<NameService>,
    /// Who hashes executed files; nobody does without.
    pub hashes: Option<HashService>,
    /// Who keeps the bytes of what is executed, loaded, written; nobody does without.
    pub artifacts: Option<ArtifactService>,
    /// How long a flight recorder goes on after its trigger. Without a flight recorder the trigger ends the recording.
    pub after: Duration,
    /// Who looks on.
    pub viewing: Option<Viewing>,
    /// How many threads drain, and as many encode, if there is nothing that has to be told in order ([`Setup::drains`]).
    pub drains: usize,
    /// How much the threads that drain and encode come before others.
    pub priority_boost: u8,
    /// The threads that encode and write give up what they do not need ([`crate::host::privileges`]).
    pub is_confined: bool,
}

/// The drains of a machine with so many CPUs. One reads what four busy CPUs write.
pub fn drains_for(cpus: usize) -> usize {
    const CPUS_OF_A_DRAIN: usize = 4;
    const MOST: usize = 16;
    (cpus / CPUS_OF_A_DRAIN).clamp(1, MOST)
}

/// The drains of this machine.
pub fn drains_here() -> usize {
    std::thread::available_parallelism().map_or(1, |cpus| drains_for(cpus.get()))
}

impl Setup {
    /// How many drain: one where somebody looks on, who is shown blocks in order of time, and where one event after the other
    /// tells what artifacts are about, or the names of containers that masks wait for.
    fn drains(&self) -> usize {
        let choice = &self.choice;
        let is_serial = self.viewing.is_some()
            || self.artifacts.is_some()
            || choice.labels.needs_names()
            || choice.trigger.as_ref().is_some_and(Judge::needs_names)
            || self.destination.place.is_stream();
        if is_serial { 1 } else { self.drains.max(1) }
    }
}

/// Somebody who is shown blocks as they are made.
#[derive(Debug)]
pub struct Viewing {
    pub viewer: Box<dyn Viewer>,
    /// How long an event waits at most for others of its block.
    pub block_age: Duration,
}

/// What the one who runs a session wants next.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Step {
    Go,
    /// The same, with somebody waiting for a quick end.
    Watch,
    /// Write out what the flight recorder holds.
    Trigger,
    Stop,
    /// The same, and somebody has asked for it: an output that takes nothing any more is not waited for as if nobody had.
    Hurry,
    /// Asked for once more.
    Abandon,
}

/// What came of a recording.
#[derive(Debug)]
pub struct Summary {
    /// Rows in the files.
    pub events: u64,
    /// Events that happened while recording and are in no file: from the kernel's full buffers to the full disk.
    pub lost: u64,
    /// Left out by `--only-matched`, by a flight recorder that let them go, or after `--max-size` was reached.
    pub left_out: u64,
    /// In files that `--keep`, `--max-disk` or `--keep-for` has removed since, and how many files those were.
    pub removed: u64,
    pub removed_files: u64,
    /// Files of earlier recordings of the set's name that were removed.
    pub removed_earlier_files: u64,
    /// Removed files, earlier ones included, that the store had not said that it has (`--upload`).
    pub removed_unacknowledged_files: u64,
    /// Events that the source produced: `events + lost + left_out + removed`.
    pub produced: u64,
    pub bytes: u64,
    pub blocks: u64,
    pub files: Vec<PathBuf>,
    pub took: Duration,
    /// Heads of the chain that the witness did not take (`--heads`).
    pub lost_heads: u64,
    pub halt: Option<Halt>,
    /// The source failed, and what it had given until then was written.
    pub source_error: Option<kernel::Error>,
    /// A flight recorder wrote what it held.
    pub released: bool,
    /// The trigger matched, and ended a recording that is none of a flight recorder.
    pub triggered: bool,
    /// Containers of which the file has the id only, since their names came after masks had been given without them.
    pub late_names: u64,
    /// Calls of which it is not known how long they took, for too many threads were in calls.
    pub untimed: u64,
    /// CPUs on which a program did not end the record that it began, so that nothing was recorded there any more. A bug.
    pub stuck_cpus: Vec<u16>,
}

#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    #[error(transparent)]
    Output(#[from] OutputError),
    #[error("the disk is full: nothing was recorded")]
    DiskFull,
    #[error("cannot write the capture: {0}")]
    Format(#[from] format::Error),
    #[error("cannot start a thread, or take its privileges away: {0}")]
    Thread(std::io::Error),
    #[error(
        "the output takes nothing any more and was given up: what it took before is a capture without its end (`tracer recover`)"
    )]
    Hung,
    #[error("nobody reads the stream: nothing was recorded")]
    NoReader,
}

/// A recording whose file has been begun.
#[derive(Debug)]
pub struct Session {
    assembler: Assembler,
    /// Who drains, where there are several.
    team: Option<Team>,
    progress: Arc<Progress>,
    started: Instant,
    after: Duration,
    is_flight: bool,
    is_stream: bool,
    /// Descriptors that may be wanted are not open for long.
    is_quick: bool,
}

impl Session {
    /// Creates the file, and writes the header and the state that there is.
    pub fn start(setup: Setup) -> Result<Session, Error> {
        let progress = Arc::new(Progress::default());
        let drains = setup.drains();
        let part = setup.artifacts.as_ref().map(|service| Arc::clone(&service.part)).unwrap_or_default();
        let (bytes, writing) = (Arc::clone(&progress.bytes), Arc::clone(&progress.writing));
        let gauge = Arc::new(Gauge { bytes, part, writing, ..Gauge::default() });
        let is_flight = setup.destination.flight.is_some();
        let is_stream = setup.destination.place.is_stream();
        let mut quiet_age = setup.destination.quiet_block_age();
        let start_ns = setup.header.recording.start_ns;
        let sink =
            Sink::create(setup.destination, setup.header, Arc::clone(&gauge)).map_err(|halt| match halt {
                Halt::Output(error) => Error::Output(error),
                Halt::Failed(error) => Error::Format(error),
                Halt::DiskFull | Halt::MaxSize | Halt::MaxDisk => Error::DiskFull,
                Halt::ReaderGone | Halt::Abandoned => Error::NoReader,
            })?;
        let is_quick = setup.artifacts.is_some();
        let wants_changes = sink.wants_changes();
        let viewer = setup.viewing.map(|Viewing { viewer, block_age }| {
            quiet_age = quiet_age.min(block_age);
            viewer
        });
        let lanes = Lanes::start(
            Options::new(setup.compression),
            sink,
            viewer,
            gauge,
            Crew { encoders: drains, boost: setup.priority_boost, is_confined: setup.is_confined },
        )
        .map_err(Error::Thread)?;
        let team = if drains > 1 {
            let (boost, is_confined) = (setup.priority_boost, setup.is_confined);
            let prepare = move || {
                // Refused without the capability, which whoever asked for it is told of.
                let _ = priority::boost(boost);
                if is_confined { privileges::confine(Part::Encode) } else { Ok(()) }
            };
            Some(Team::start(drains, prepare).map_err(Error::Thread)?)
        } else {
            None
        };
        let mut assembler = Assembler::new(
            setup.choice,
            setup.cgroups,
            setup.names,
            lanes,
            wants_changes,
            Arc::clone(&progress),
        )
        .with_quiet_age(quiet_age)
        .with_shares(drains)
        .with_hashes(setup.hashes)
        .with_artifacts(setup.artifacts);
        assembler.push_side(Side::Processes(setup.processes.clone()));
        assembler.push_side(Side::Users(setup.users));
        assembler.begin(setup.processes, start_ns);
        Ok(Session {
            assembler,
            team,
            progress,
            started: Instant::now(),
            after: setup.after,
            is_flight,
            is_stream,
            is_quick,
        })
    }

    /// Numbers to show while it runs.
    pub fn progress(&self) -> Arc<Progress> {
        Arc::clone(&self.progress)
    }

    /// Records until `steer` says stop, or nothing more can be written; then takes what is left and finishes the file.
    pub fn record<S: Source>(
        mut self,
        mut source: S,
        steer: &mut dyn FnMut() -> Step,
    ) -> Result<Summary, Error> {
        if let Some(team) = self.team.take() {
            source.employ(team);
        }
        let mut until: Option<Instant> = None;
        let mut source_error = None;
        let mut triggered = false;
        loop {
            let wait = match steer() {
                Step::Stop | Step::Hurry | Step::Abandon => break,
                Step::Go => WAIT,
                Step::Watch => SHORT_WAIT,
                Step::Trigger => {
                    self.trigger(&mut until, steer);
                    WAIT
                }
            };
            if self.assembler.is_stuck() || until.is_some_and(|until| until <= Instant::now()) {
                break;
            }
            let wait = if self.is_quick { wait.min(QUICK_WAIT) } else { wait };
            let drained = source.wait(wait).and_then(|()| source.drain(&mut self.assembler));
            if let Err(error) = drained {
                source_error = Some(error);
                break;
            }
            self.assembler.tick();
            self.progress.buffer_fill.store(source.buffer_fill(), Ordering::Relaxed);
            if self.assembler.take_triggered() {
                if !self.is_flight {
                    triggered = true;
                    break;
                }
                self.trigger(&mut until, steer);
            }
        }
        if let Err(error) = source.finish(&mut self.assembler) {
            source_error.get_or_insert(error);
        }
        let mut patience = Patience::new(self.assembler.gauge(), self.is_stream);
        self.assembler.finish_waiting(&mut || patience.with(steer()));
        // What triggers at the very end is worth keeping as well.
        if self.assembler.take_triggered() {
            triggered |= !self.is_flight;
            self.trigger(&mut until, steer);
        }
        let took = self.started.elapsed();
        let stuck_cpus = self.assembler.stuck_cpus().to_vec();
        let mut patience = Patience::new(self.assembler.gauge(), self.is_stream);
        let (counts, written) = self.assembler.finish(&mut || patience.with(steer()));
        let Written {
            files,
            bytes,
            rows,
            blocks,
            removed_rows,
            removed_files,
            removed_earlier_files,
            removed_unacknowledged_files,
            lost_rows,
            left_out_rows,
            lost_heads,
            halt,
            released,
        } = written?.ok_or(Error::Hung)?;
        Ok(Summary {
            events: rows,
            lost: counts.lost + lost_rows,
            left_out: counts.filtered + left_out_rows,
            removed: removed_rows,
            removed_files,
            removed_earlier_files,
            removed_unacknowledged_files,
            produced: counts.produced,
            bytes,
            blocks,
            files,
            took,
            lost_heads,
            halt,
            source_error,
            released,
            triggered,
            late_names: counts.late_names,
            untimed: counts.untimed,
            stuck_cpus,
        })
    }

    fn trigger(&mut self, until: &mut Option<Instant>, steer: &mut dyn FnMut() -> Step) {
        if self.is_flight && until.is_none() {
            let mut patience = Patience::new(self.assembler.gauge(), self.is_stream);
            self.assembler.release(&mut || patience.with(steer()));
            *until = Some(Instant::now() + self.after);
        }
    }
}

/// How long an output that takes nothing is waited for at the end.
#[derive(Debug)]
struct Patience {
    gauge: Arc<Gauge>,
    is_stream: bool,
    /// Bytes that it had taken, and since when it takes no more.
    bytes: u64,
    since: Instant,
}

/// A reader that has not read for so long has stopped, or a disk.
const STREAM_STALL: Duration = Duration::from_secs(2);
const FILE_STALL: Duration = Duration::from_secs(60);

impl Patience {
    fn new(gauge: Arc<Gauge>, is_stream: bool) -> Patience {
        let bytes = gauge.bytes.load(Ordering::Relaxed);
        Patience { gauge, is_stream, bytes, since: Instant::now() }
    }

    /// Nobody who did not ask for the end is kept from it; who asks once waits for a slow disk, who asks twice does not.
    fn with(&mut self, step: Step) -> Wait {
        let bytes = self.gauge.bytes.load(Ordering::Relaxed);
        if bytes != self.bytes {
            (self.bytes, self.since) = (bytes, Instant::now());
        }
        let stall = match step {
            Step::Hurry if !self.is_stream => FILE_STALL,
            Step::Hurry | Step::Abandon => STREAM_STALL,
            _ => return Wait::On,
        };
        if self.since.elapsed() < stall { Wait::On } else { Wait::NoLonger }
    }
}
