//! The running kernel as a source: a recording whose blocks are asked as they are made.
//!
//! ```text
//! drain -> encode --+--> write -> file, or nothing
//!                   +--> relay -> feed -> question -> whoever looks on
//!                   +--> relay -> feed -> question -> another one
//! ```
//! Nothing on the right ever holds up what is on the left, nor does one onlooker hold up another: when one is too slow, blocks
//! are left out for it and counted ([`Backlog`]). What may wait for each is [`WAITING_BYTES`].

mod onlookers;
mod relay;
mod verdict;

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, OnceLock};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use anyhow::{Result, anyhow};
use format::{Header, Side};
use pipeline::{Cancellation, Source, Stats};
use recorder::assemble::Progress;
use recorder::host::privileges::{self, Part};
use recorder::kernel;
use recorder::session::{Step, Summary, Viewing};

use crate::record::order::{Attendant, Ended, Order, Target};
use crate::record::recording;
use crate::stderr;

pub use onlookers::onlookers;
pub use relay::Backlog;
use relay::Relays;
use verdict::Verdict;

/// Encoded blocks that wait for one onlooker: some seconds of a busy host.
pub const WAITING_BYTES: u64 = 128 << 20;
/// Between two looks whether whoever looks on is done.
const LOOK_AGAIN: Duration = Duration::from_millis(5);
/// How long an event waits for others at most where nothing is written.
const BLOCK_AGE: Duration = Duration::from_millis(50);
/// The same where blocks are written as well, which are to be worth it.
const WRITTEN_BLOCK_AGE: Duration = Duration::from_millis(200);

/// How long the end of a recording waits for those that decide about it: well below what a file or a stream may stall.
const VERDICT_WAIT: Duration = Duration::from_secs(20);
const STREAM_VERDICT_WAIT: Duration = Duration::from_secs(1);

/// What both sides know of each other.
#[derive(Debug, Default)]
pub struct Link {
    /// Whoever looks on has seen enough.
    pub is_enough: AtomicBool,
    /// What the flight recorder holds is wanted; any other recording has met what it was to go on for.
    pub is_triggered: AtomicBool,
    /// What the recording was to go on for has come.
    pub is_met: AtomicBool,
    /// Whoever looks on is to stop where they are.
    pub cancellation: Cancellation,
    verdict: Verdict,
    /// The file was finished before all had been seen that might have triggered.
    is_undecided: AtomicBool,
    progress: OnceLock<Arc<Progress>>,
}

impl Link {
    /// It is attached, and that was said.
    pub fn has_begun(&self) -> bool {
        self.progress.get().is_some()
    }

    /// To be held by an onlooker for as long as it may still find a trigger: the end of a recording waits for it.
    pub fn decide(&self) -> verdict::Undecided {
        self.verdict.decide()
    }

    /// Whether the last moments of a recording triggered, once all that decide have seen them, or `wait` is over.
    fn was_triggered_at_last(&self, wait: Duration) -> bool {
        self.is_undecided.store(!self.verdict.wait(wait), Ordering::Relaxed);
        self.is_triggered.swap(false, Ordering::Relaxed)
    }

    /// Events that were recorded so far.
    pub fn recorded(&self) -> u64 {
        self.progress.get().map_or(0, |progress| progress.events.load(Ordering::Relaxed))
    }

    /// Events that were lost so far.
    pub fn lost(&self) -> u64 {
        self.progress.get().map_or(0, |progress| progress.lost.load(Ordering::Relaxed))
    }
}

/// What looks on, on a thread of its own.
pub type Onlooker = Box<dyn FnOnce() -> Result<Stats> + Send>;

/// What an onlooker is made of.
#[derive(Debug)]
pub struct Sight {
    pub source: Source,
    pub link: Arc<Link>,
    pub backlog: Arc<Backlog>,
}

/// Makes an onlooker: called once it is known what stands in front of the first block, and before this thread gives up its
/// privileges.
pub type Prepare<'p> = Box<dyn FnOnce(Sight) -> Result<Onlooker> + 'p>;

/// What came of it.
#[derive(Debug)]
pub struct Seen {
    pub summary: Summary,
    /// By onlooker: what its question came to, and rows that it was not shown.
    pub answers: Vec<(Stats, u64)>,
    /// What it was to go on for has come.
    pub is_met: bool,
    /// Of the command that was run.
    pub exit_code: Option<u8>,
}

/// Says that it has begun, and nothing more.
#[derive(Debug)]
pub struct Announcement(pub String);

impl Attendant for Announcement {
    fn started(&mut self, _: kernel::Memory, _: u64, _: Arc<Progress>) {
        if !self.0.is_empty() {
            stderr::note(&self.0);
        }
    }
}

/// Records by `order`, and shows everything to what each of `prepare` makes. `with` goes along. `Err`: the command could not be
/// started, and this is the exit code for it.
pub fn run(
    order: Order<'_>,
    with: &mut dyn Attendant,
    prepare: Vec<Prepare<'_>>,
) -> Result<Result<Seen, u8>> {
    let block_age = match order.target {
        Target::Nothing => BLOCK_AGE,
        Target::File { .. } => WRITTEN_BLOCK_AGE,
    };
    let is_confined = !order.capturing.keep_privileges;
    let is_flight = order.keeping.flight.is_some();
    let verdict_wait = if order.target.is_stream() { STREAM_VERDICT_WAIT } else { VERDICT_WAIT };
    let link = Arc::new(Link::default());
    let looking_bytes = WAITING_BYTES * prepare.len() as u64;
    let mut looking = Looking {
        with,
        prepare,
        link: Arc::clone(&link),
        looking_bytes,
        block_age,
        is_confined,
        is_flight,
        verdict_wait,
        onlookers: Vec::new(),
    };
    let (summary, mut steer) = match recording::run(order, &mut looking)? {
        Ended::Summary(summary, steer) => (*summary, steer),
        Ended::NotStarted(code) => return Ok(Err(code)),
    };
    let onlookers = looking.onlookers;
    // Somebody who asks for the end once more does not want to see the rest.
    let asked = steer.asked();
    while !onlookers.iter().all(|(onlooker, _)| onlooker.is_finished()) {
        steer.step();
        if steer.asked() > asked {
            link.cancellation.cancel();
            break;
        }
        thread::sleep(LOOK_AGAIN);
    }
    let exit_code = steer.exit_code();
    let mut answers = Vec::new();
    for (onlooker, backlog) in onlookers {
        let stats = if link.cancellation.is_cancelled() {
            Stats::default()
        } else {
            onlooker.join().map_err(|_| anyhow!("a thread that looks at events ended early"))??
        };
        answers.push((stats, backlog.unseen()));
    }
    if link.is_undecided.load(Ordering::Relaxed) {
        stderr::warn(
            "rules were behind when the recording ended: what --flight held was decided without the last events",
        );
    }
    // What it was to go on for may have come in its last moments, and been seen when it had ended.
    let is_met =
        link.is_met.load(Ordering::Relaxed) || !is_flight && link.is_triggered.load(Ordering::Relaxed);
    Ok(Ok(Seen { summary, answers, is_met, exit_code }))
}

struct Looking<'a, 'p> {
    with: &'a mut dyn Attendant,
    prepare: Vec<Prepare<'p>>,
    link: Arc<Link>,
    looking_bytes: u64,
    block_age: Duration,
    is_confined: bool,
    is_flight: bool,
    verdict_wait: Duration,
    onlookers: Vec<(JoinHandle<Result<Stats>>, Arc<Backlog>)>,
}

impl Attendant for Looking<'_, '_> {
    fn viewed_bytes(&self) -> u64 {
        self.looking_bytes
    }

    fn viewing(&mut self, header: &Header, sides: &dyn Fn() -> Vec<Side>) -> Result<Option<Viewing>> {
        let confine = {
            let is_confined = self.is_confined;
            move || if is_confined { privileges::confine(Part::Other) } else { Ok(()) }
        };
        // All of them are made before the first thread is started: one that cannot be made leaves none behind.
        let mut made = Vec::new();
        for prepare in self.prepare.drain(..) {
            let (sender, source) = pipeline::feed::channel("the running kernel", header, &sides(), 2)?;
            let backlog = Arc::new(Backlog::default());
            let sight = Sight { source, link: Arc::clone(&self.link), backlog: Arc::clone(&backlog) };
            made.push((sender, prepare(sight)?, backlog));
        }
        let mut relays = Vec::new();
        for (sender, onlooker, backlog) in made {
            relays.push(relay::start(sender, Arc::clone(&backlog), confine)?);
            let thread = thread::Builder::new().name("tracer-look".into()).spawn(move || {
                confine()?;
                onlooker()
            })?;
            self.onlookers.push((thread, backlog));
        }
        let deciding = self.is_flight.then(|| (Arc::clone(&self.link), self.verdict_wait));
        let viewer = Box::new(Relays { relays, deciding });
        Ok(Some(Viewing { viewer, block_age: self.block_age }))
    }

    fn started(&mut self, memory: kernel::Memory, bound_bytes: u64, progress: Arc<Progress>) {
        self.with.started(memory, bound_bytes, Arc::clone(&progress));
        // Only now: what is said at the beginning does not come into what is shown of it.
        let _ = self.link.progress.set(progress);
    }

    fn ended(&mut self) {
        self.with.ended();
    }

    fn step(&mut self, step: Step) -> Step {
        let has_left = self.onlookers.iter().any(|(onlooker, _)| onlooker.is_finished());
        match step {
            Step::Go | Step::Watch if has_left || self.link.is_enough.load(Ordering::Relaxed) => Step::Stop,
            Step::Go | Step::Watch if self.link.is_triggered.swap(false, Ordering::Relaxed) => {
                if self.is_flight {
                    return Step::Trigger;
                }
                self.link.is_met.store(true, Ordering::Relaxed);
                Step::Stop
            }
            Step::Abandon => {
                self.link.cancellation.cancel();
                step
            }
            step => step,
        }
    }
}
