//! The running kernel as a source: a recording whose blocks are asked as they are made.
//!
//! ```text
//! drain -> encode --+--> write -> file, or nothing
//!                   +--> relay -> feed -> question -> whoever looks on
//! ```
//! Nothing on the right ever holds up what is on the left: when whoever looks on is too slow, blocks are left out for them
//! and counted ([`Link::unseen`]). What may wait is [`WAITING_BYTES`].

mod onlookers;
mod relay;

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, OnceLock};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use anyhow::{Result, anyhow};
use format::{Header, Side};
use pipeline::{Cancellation, Source, Stats};
use recorder::assemble::Progress;
use recorder::kernel;
use recorder::privileges::{self, Part};
use recorder::session::{Step, Summary, Viewing};

use crate::record::order::{Attendant, Ended, Order, Target};
use crate::record::recording;
use crate::stderr;

pub use onlookers::onlookers;

/// Encoded blocks that wait for whoever looks on: some seconds of a busy host.
pub const WAITING_BYTES: u64 = 128 << 20;
/// Between two looks whether whoever looks on is done.
const LOOK_AGAIN: Duration = Duration::from_millis(5);
/// How long an event waits for others at most where nothing is written.
const BLOCK_AGE: Duration = Duration::from_millis(50);
/// The same where blocks are written as well, which are to be worth it.
const WRITTEN_BLOCK_AGE: Duration = Duration::from_millis(200);

/// What both sides know of each other.
#[derive(Debug, Default)]
pub struct Link {
    /// Whoever looks on has seen enough.
    pub is_enough: AtomicBool,
    /// What the flight recorder holds is wanted.
    pub is_triggered: AtomicBool,
    /// Whoever looks on is to stop where they are.
    pub cancellation: Cancellation,
    /// Rows that they were not shown.
    unseen: AtomicU64,
    /// Bytes of blocks that wait.
    waiting: AtomicU64,
    progress: OnceLock<Arc<Progress>>,
}

impl Link {
    /// Events that were recorded so far.
    pub fn recorded(&self) -> u64 {
        self.progress.get().map_or(0, |progress| progress.events.load(Ordering::Relaxed))
    }

    /// Events that were lost so far.
    pub fn lost(&self) -> u64 {
        self.progress.get().map_or(0, |progress| progress.lost.load(Ordering::Relaxed))
    }

    /// Events that were recorded, and not shown since whoever looks on was too slow.
    pub fn unseen(&self) -> u64 {
        self.unseen.load(Ordering::Relaxed)
    }
}

/// What looks on, on a thread of its own.
pub type Onlooker = Box<dyn FnOnce() -> Result<Stats> + Send>;

/// What came of it.
#[derive(Debug)]
pub struct Seen {
    pub summary: Summary,
    pub stats: Stats,
    pub link: Arc<Link>,
    /// Of the command that was run.
    pub exit_code: Option<u8>,
}

/// Records by `order`, and shows everything to what `prepare` makes: it is called once it is known what stands in front of
/// the first block, and before this thread gives up its privileges. `None`: the command could not be started, and this is
/// the exit code for it. `announcement` is said when all is attached; empty: nothing is.
pub fn run<P>(order: Order<'_>, announcement: &str, prepare: P) -> Result<Result<Seen, u8>>
where
    P: FnOnce(Source, Arc<Link>) -> Result<Onlooker>,
{
    let block_age = match order.target {
        Target::Nothing => BLOCK_AGE,
        Target::File { .. } => WRITTEN_BLOCK_AGE,
    };
    let is_confined = !order.capturing.keep_privileges;
    let link = Arc::new(Link::default());
    let mut looking = Looking {
        prepare: Some(prepare),
        link: Arc::clone(&link),
        announcement,
        block_age,
        is_confined,
        onlooker: None,
    };
    let (summary, mut steer) = match recording::run(order, &mut looking)? {
        Ended::Summary(summary, steer) => (*summary, steer),
        Ended::NotStarted(code) => return Ok(Err(code)),
    };
    let onlooker = looking.onlooker.take().ok_or_else(|| anyhow!("nobody looked on"))?;
    // Somebody who asks for the end once more does not want to see the rest.
    let asked = steer.asked();
    while !onlooker.is_finished() {
        steer.step();
        if steer.asked() > asked {
            link.cancellation.cancel();
            break;
        }
        thread::sleep(LOOK_AGAIN);
    }
    let exit_code = steer.exit_code();
    let stats = if link.cancellation.is_cancelled() {
        Stats::default()
    } else {
        onlooker.join().map_err(|_| anyhow!("the thread that shows events ended early"))??
    };
    Ok(Ok(Seen { summary, stats, link, exit_code }))
}

struct Looking<'a, P> {
    announcement: &'a str,
    prepare: Option<P>,
    link: Arc<Link>,
    block_age: Duration,
    is_confined: bool,
    onlooker: Option<JoinHandle<Result<Stats>>>,
}

impl<P> Attendant for Looking<'_, P>
where
    P: FnOnce(Source, Arc<Link>) -> Result<Onlooker>,
{
    fn viewed_bytes(&self) -> u64 {
        WAITING_BYTES
    }

    fn viewing(&mut self, header: &Header, sides: &dyn Fn() -> Vec<Side>) -> Result<Option<Viewing>> {
        let Some(prepare) = self.prepare.take() else { return Ok(None) };
        let (sender, source) = pipeline::feed::channel("the running kernel", header, &sides(), 2)?;
        let onlooker = prepare(source, Arc::clone(&self.link))?;
        let confine = {
            let is_confined = self.is_confined;
            move || if is_confined { privileges::confine(Part::Other) } else { Ok(()) }
        };
        let viewer = relay::start(sender, Arc::clone(&self.link), confine)?;
        self.onlooker = Some(thread::Builder::new().name("tracer-look".into()).spawn(move || {
            confine()?;
            onlooker()
        })?);
        Ok(Some(Viewing { viewer: Box::new(viewer), block_age: self.block_age }))
    }

    fn started(&mut self, _: kernel::Memory, _: u64, progress: Arc<Progress>) {
        let _ = self.link.progress.set(progress);
        if !self.announcement.is_empty() {
            stderr::note(self.announcement);
        }
    }

    fn step(&mut self, step: Step) -> Step {
        let has_left = self.onlooker.as_ref().is_some_and(JoinHandle::is_finished);
        match step {
            Step::Go | Step::Watch if has_left || self.link.is_enough.load(Ordering::Relaxed) => Step::Stop,
            Step::Go | Step::Watch if self.link.is_triggered.swap(false, Ordering::Relaxed) => Step::Trigger,
            step => step,
        }
    }
}
