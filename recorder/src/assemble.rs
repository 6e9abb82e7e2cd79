//! What the kernel recorded becomes rows of blocks, labelled with the scopes that they matched.

mod artifacts;
mod holding;
mod lost_events;
mod place;
mod rows;
mod shares;

use std::{
    collections::{BTreeMap, BTreeSet, VecDeque},
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};

use crossbeam_channel::{Receiver, Sender};
use events::EventId;
use format::facts::FactSet;
use format::{Clock, Loss, Side};
use rows::Rows;
use shares::RowsOfShare;

use crate::{
    artifacts::{ArtifactService, Taken, Tracker, places},
    containers::cgroup_table::CgroupTable,
    containers::container_events,
    containers::names::{NameRequest, Named},
    contexts::ContextTable,
    file::lanes::{Gauge, Lanes, Wait, Work},
    file::write::Written,
    file::writing::Writing,
    hashes::{HashService, Hashes},
    held::{HappenedAt, Waiting},
    host::clocks,
    host::process_table::Change,
    host::standings::Standings,
    kernel::{EarlyDrop, Record},
    label::Judge,
    loss::{Ledger, LossEntry},
};

/// A block is written at the latest this long after it was begun: so much a killed recorder loses.
pub const BLOCK_AGE: Duration = Duration::from_secs(1);
/// A block with fewer rows than are worth one waits this long where nobody reads along: an idle host writes six blocks a
/// minute.
pub const QUIET_BLOCK_AGE: Duration = Duration::from_secs(10);
/// Rows that are worth a block of their own.
const WORTH_ROWS: usize = 1024;
/// How often it is looked whether the wall clock was set.
const CLOCK_EVERY: Duration = Duration::from_millis(100);
/// More than what slewing moves the wall clock between two looks.
const CLOCK_STEP_NS: u64 = 10_000_000;
/// A block of this many bytes is handed over though it has few rows, so that memory stays bounded.
pub const BLOCK_BYTES: usize = 16 << 20;
/// With so much between blocks that waits for room in the queue, nothing more is gathered.
const SIDES_BOUND: usize = 1024;

/// How a session labels and chooses rows.
#[derive(Debug)]
pub struct Choice {
    /// Gives the recorded mask.
    pub labels: Judge,
    /// Rows that match nothing are left out.
    pub only_matched: bool,
    /// The events that were asked for; others only feed the state. `None` is all.
    pub wanted: Option<BTreeSet<EventId>>,
    /// What makes a flight recorder write, and any other recording end.
    pub trigger: Option<Judge>,
    /// Told what the kernel needs to drop what matches nothing, where it does.
    pub early_drop: Option<EarlyDrop>,
    /// Facts of processes whose changes come by, wanted or not: contexts have them.
    pub followed: FactSet,
}

/// Numbers that others may read while the recording runs.
#[derive(Debug, Default)]
pub struct Progress {
    /// Rows taken, written or about to be.
    pub events: AtomicU64,
    pub lost: AtomicU64,
    pub bytes: Arc<AtomicU64>,
    /// Left out, for no scope wanted them.
    pub filtered: AtomicU64,
    /// Events lost before they were in a block, by cause.
    pub lost_by_cause: Mutex<BTreeMap<&'static str, u64>>,
    /// How full the fullest of the kernel's buffers was when it was drained last, in thousandths.
    pub buffer_fill: AtomicU64,
    /// Boot clock of the last event taken, ns.
    pub last_ns: AtomicU64,
    /// What the writing end has done.
    pub writing: Arc<Writing>,
}

/// Sums of a recording, from the drain's point of view.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Counts {
    /// Records that came from the source, and those that it said it lost.
    pub produced: u64,
    /// Rows that were put into blocks.
    pub rows: u64,
    /// Left out because they matched no scope (in the kernel or here), or only told of cgroups that nobody asked for.
    pub filtered: u64,
    /// Lost before they were in a block.
    pub lost: u64,
    /// Containers whose names came after masks had been given without them.
    pub late_names: u64,
    /// Calls of which it is not known how long they took, for too many threads were in calls.
    pub untimed: u64,
}

/// Who asks for names of containers, and where the answers come.
#[derive(Debug)]
pub struct NameService {
    pub ask: Sender<NameRequest>,
    pub answers: Receiver<Named>,
}

/// A set of events that is asked for each row.
#[derive(Debug)]
struct EventBits(Box<[u64]>);

impl EventBits {
    fn of(events: &BTreeSet<EventId>) -> EventBits {
        let mut bits = vec![0; (1 << 16) / 64].into_boxed_slice();
        for event in events {
            if let Some(word) = bits.get_mut(usize::from(event.0) / 64) {
                *word |= 1 << (event.0 % 64);
            }
        }
        EventBits(bits)
    }

    fn has(&self, event: EventId) -> bool {
        self.0.get(usize::from(event.0) / 64).is_some_and(|word| word & (1 << (event.0 % 64)) != 0)
    }
}

#[derive(Debug)]
pub struct Assembler {
    choice: Choice,
    wanted: Option<EventBits>,
    contexts: ContextTable,
    standings: Standings,
    cgroups: CgroupTable,
    names: Option<NameService>,
    /// Of executed files, where they are asked for.
    hashes: Option<Hashes>,
    /// Of artifacts, where they are asked for.
    tracker: Option<Tracker>,
    /// Some scope, or the trigger, asks for what only a container's runtime tells.
    needs_names: bool,
    waiting: Waiting,
    /// What waited is taken when there is room for it in the file. At the end that may never be.
    waits_for_room: bool,
    lanes: Lanes,
    /// What is being filled here, and what the shares fill.
    rows: Rows,
    shares: Vec<RowsOfShare>,
    /// Contexts that shares may meet and that nobody has looked at.
    unmet: Vec<u32>,
    /// Shares take rows that are older than the last ones here, or have taken some.
    is_sharing: bool,
    /// A block of the stretch that is shared was handed over.
    is_stretch_begun: bool,
    opened: Instant,
    /// The clocks as they were last read, and when that was.
    clock: Clock,
    clock_read: Instant,
    /// How long a block with few rows waits for more.
    quiet_age: Duration,
    losses_said: Instant,
    changes: Vec<Change>,
    wants_changes: bool,
    losses: Ledger,
    sides: VecDeque<Side>,
    /// Artifacts that found no room.
    taken: Option<Taken>,
    /// The file that was being written when hashes were asked for last.
    part: u32,
    counts: Counts,
    /// Where a program does not end the record that it began.
    stuck_cpus: Vec<u16>,
    progress: Arc<Progress>,
    /// The trigger matched, or was asked for.
    triggered: bool,
    last_ns: u64,
}

impl Assembler {
    pub fn new(
        choice: Choice,
        cgroups: CgroupTable,
        names: Option<NameService>,
        lanes: Lanes,
        wants_changes: bool,
        progress: Arc<Progress>,
    ) -> Assembler {
        Assembler {
            wanted: choice.wanted.as_ref().map(EventBits::of),
            needs_names: choice.labels.needs_names()
                || choice.trigger.as_ref().is_some_and(Judge::needs_names),
            waiting: Waiting::default(),
            waits_for_room: true,
            standings: Standings::new(choice.followed),
            choice,
            contexts: ContextTable::default(),
            cgroups,
            names,
            hashes: None,
            tracker: None,
            taken: None,
            part: 0,
            lanes,
            rows: Rows::default(),
            shares: Vec::new(),
            unmet: Vec::new(),
            is_sharing: false,
            is_stretch_begun: false,
            opened: Instant::now(),
            clock: clocks::now(),
            clock_read: Instant::now(),
            quiet_age: BLOCK_AGE,
            losses_said: Instant::now(),
            changes: Vec::new(),
            wants_changes,
            losses: Ledger::default(),
            sides: VecDeque::new(),
            counts: Counts::default(),
            stuck_cpus: Vec::new(),
            progress,
            triggered: false,
            last_ns: 0,
        }
    }

    /// Lets blocks with few rows wait this long for more.
    pub fn with_quiet_age(self, quiet_age: Duration) -> Assembler {
        Assembler { quiet_age, ..self }
    }

    /// Gives execs the hashes of their files.
    pub fn with_hashes(self, service: Option<HashService>) -> Assembler {
        Assembler { hashes: service.map(Hashes::new), ..self }
    }

    /// Tells of what may become an artifact.
    pub fn with_artifacts(self, service: Option<ArtifactService>) -> Assembler {
        Assembler { tracker: service.map(|service| Tracker::new(service, places::own_mnt_ns())), ..self }
    }

    pub fn counts(&self) -> Counts {
        Counts { lost: self.losses.total(), late_names: self.cgroups.late_names(), ..self.counts }
    }

    /// CPUs that recorded nothing any more, by a fault of the programs.
    pub fn stuck_cpus(&self) -> &[u16] {
        &self.stuck_cpus
    }

    pub fn is_stuck(&self) -> bool {
        self.lanes.gauge().is_stuck()
    }

    pub fn gauge(&self) -> Arc<Gauge> {
        self.lanes.gauge()
    }

    /// Whether the trigger has matched since this was last asked.
    pub fn take_triggered(&mut self) -> bool {
        std::mem::take(&mut self.triggered)
    }

    /// Puts something between the blocks.
    pub fn push_side(&mut self, side: Side) {
        self.sides.push_back(side);
    }

    /// What is to be done now and then, between drains.
    pub fn tick(&mut self) {
        self.receive_answers();
        self.release_held();
        self.meet();
        self.watch_clock();
        if let Some(early_drop) = &mut self.choice.early_drop {
            let words = || self.choice.labels.cgroup_words(&self.cgroups);
            early_drop.update_cgroups(self.cgroups.version(), words);
        }
        if self.losses_said.elapsed() >= BLOCK_AGE {
            self.losses_said = Instant::now();
            self.record_losses();
        }
        let age = self.opened.elapsed();
        let rows = self.rows.len() + self.shares.iter().map(|share| share.rows.len()).sum::<usize>();
        if is_due(rows, age, self.quiet_age) && !self.lanes.is_full() {
            self.roll();
        }
        if age >= BLOCK_AGE && rows == 0 {
            self.opened = Instant::now();
            self.gather_sides();
        }
        self.send_sides();
        self.send_artifacts();
        self.cgroups.forget_removed(self.last_ns);
        self.tell_progress();
    }

    fn tell_progress(&self) {
        let (progress, lost) = (&self.progress, self.losses.total());
        progress.events.store(self.counts.rows, Ordering::Relaxed);
        progress.filtered.store(self.counts.filtered, Ordering::Relaxed);
        progress.last_ns.store(self.last_ns, Ordering::Relaxed);
        if progress.lost.swap(lost, Ordering::Relaxed) != lost {
            let mut by_cause = progress.lost_by_cause.lock().unwrap_or_else(PoisonError::into_inner);
            by_cause.clone_from(self.losses.by_cause());
        }
    }

    /// Where the wall clock was set, a block ends: its rows keep the clock that was, for a block has one only.
    fn watch_clock(&mut self) {
        if self.clock_read.elapsed() < CLOCK_EVERY {
            return;
        }
        self.clock_read = Instant::now();
        let now = clocks::now();
        let ahead = |clock: Clock| clock.wall_ns.wrapping_sub(clock.boot_ns);
        let step = ahead(now).wrapping_sub(ahead(self.clock)) as i64;
        if step.unsigned_abs() > CLOCK_STEP_NS {
            let before = Clock { wall_ns: now.boot_ns.wrapping_add(ahead(self.clock)), ..now };
            if self.lanes.is_full() || !self.roll_at(before) {
                // It is tried again when there is room.
                return;
            }
        }
        self.clock = now;
    }

    /// Everything recorded up to now is to be written, and all that follows.
    pub fn release(&mut self, patience: &mut dyn FnMut() -> Wait) {
        self.roll();
        self.send_sides();
        self.lanes.hand_over_at_last(Work::Release, patience);
    }

    /// Hands over what is left and waits until the file is finished, as long as `patience` does.
    pub fn finish(
        mut self,
        patience: &mut dyn FnMut() -> Wait,
    ) -> (Counts, Result<Option<Written>, format::Error>) {
        // Names that came meanwhile still get into the file.
        self.finish_waiting(patience);
        self.record_losses();
        self.tick();
        // Twice: what had no room among the others comes after them.
        for _ in 0..2 {
            self.gather_sides();
            for side in std::mem::take(&mut self.sides) {
                self.lanes.hand_over_at_last(Work::Side(side), patience);
            }
        }
        let clock = clocks::now();
        let shared = self.shares.iter_mut().filter_map(|share| share.rows.take(clock));
        for builder in shared.collect::<Vec<_>>() {
            let work = Work::Block { builder, changes: Vec::new(), goes_on: true };
            self.lanes.hand_over_at_last(work, patience);
        }
        if let Some(builder) = self.rows.take(clock) {
            let changes = std::mem::take(&mut self.changes);
            self.lanes.hand_over_at_last(Work::Block { builder, changes, goes_on: false }, patience);
        }
        self.finish_artifacts(patience);
        let counts = self.counts();
        self.tell_progress();
        (counts, self.lanes.finish(patience))
    }

    /// Hands the block over and begins another. Without room in the queue nothing changes.
    fn roll(&mut self) -> bool {
        self.roll_at(clocks::now())
    }

    /// The same, by the clocks that its rows have. What shares hold is as old, and goes first: a file that ends behind a block
    /// has all that is older than it.
    fn roll_at(&mut self, clock: Clock) -> bool {
        if !self.is_sharing && !self.roll_shares(clock) {
            return false;
        }
        if !self.rows.is_empty() {
            self.gather_sides();
            self.send_sides();
            let changes = std::mem::take(&mut self.changes);
            if let Err(changes) = self.rows.hand_over_with(&self.lanes, clock, changes, self.is_sharing) {
                self.changes = changes;
                return false;
            }
            self.is_stretch_begun |= self.is_sharing;
        }
        self.opened = Instant::now();
        true
    }

    /// Hands over what shares hold. Behind the last block nothing older follows, so that a file may end there: that is the last
    /// share's where nothing was read in order.
    fn roll_shares(&mut self, clock: Clock) -> bool {
        let has_rows = |share: &RowsOfShare| !share.rows.is_empty();
        let last = self.shares.iter().rposition(has_rows).filter(|_| self.rows.is_empty());
        let (lanes, others) = (&self.lanes, last.unwrap_or(self.shares.len()));
        if !self.shares.iter_mut().take(others).all(|share| share.rows.hand_over(lanes, clock)) {
            return false;
        }
        if last.is_some() {
            self.gather_sides();
            self.send_sides();
        }
        let Some(share) = last.and_then(|last| self.shares.get_mut(last)) else { return true };
        let changes = std::mem::take(&mut self.changes);
        match share.rows.hand_over_with(&self.lanes, clock, changes, false) {
            Ok(()) => true,
            Err(changes) => {
                self.changes = changes;
                false
            }
        }
    }

    /// What is to stand between the blocks. While there is no room for it, it stays where it is gathered, and losses of one
    /// kind become one.
    fn gather_sides(&mut self) {
        if self.sides.len() >= SIDES_BOUND {
            return;
        }
        let cgroups = self.cgroups.take_unwritten();
        if !cgroups.is_empty() {
            self.push_side(Side::Cgroups(cgroups));
        }
        let losses = self.losses.take();
        if !losses.is_empty() {
            self.push_side(Side::Losses(losses.into_iter().map(side_loss).collect()));
        }
    }

    fn send_sides(&mut self) {
        while !self.lanes.is_full() {
            let Some(side) = self.sides.pop_front() else { return };
            if let Err(Work::Side(side)) = self.lanes.hand_over(Work::Side(side)) {
                self.sides.push_front(side);
                return;
            }
        }
    }

    /// Whether a row can be taken now.
    fn has_room(&mut self) -> bool {
        if self.rows.is_open() {
            return true;
        }
        // Waiting for the queue once a block is enough: until it has room, rows are lost without waiting.
        if self.rows.blocked && self.lanes.is_full() {
            return false;
        }
        let is_free = self.rows.is_empty() || self.roll();
        self.rows.blocked = !is_free;
        if is_free {
            self.rows.open(&self.lanes);
        }
        is_free
    }

    /// Says what happened to a container, as an event of the task that it happened to.
    fn record_container_event(&mut self, at: HappenedAt) {
        let Some(cgroup) = self.cgroups.get(at.cgroup_id).cloned() else { return };
        let Some(container) = &cgroup.container else { return };
        let wall_ns = cgroup.created_ns.map(|made_ns| clocks::now().wall(made_ns));
        let args = container_events::arguments(at.happened, &cgroup, container, wall_ns);
        let HappenedAt { happened, time_ns, cpu, context, marks, .. } = at;
        self.counts.produced += 1;
        self.place(&Record {
            time_ns,
            event: happened.event(),
            cpu,
            context,
            ret: 0,
            marks,
            duration_ns: None,
            args: &args,
        });
    }
}

/// Whether a block of so many rows, begun so long ago, is written though it is not full.
fn is_due(rows: usize, age: Duration, quiet_age: Duration) -> bool {
    rows > 0 && age >= if rows >= WORTH_ROWS { quiet_age.min(BLOCK_AGE) } else { quiet_age }
}

fn side_loss(entry: LossEntry) -> Loss {
    Loss {
        host: 0,
        from_ns: entry.from_ns,
        to_ns: entry.to_ns,
        cpu: entry.cpu,
        event: entry.event,
        count: entry.count,
        cause: entry.cause.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_block_with_few_rows_waits_longer_than_one_with_many() {
        let (second, quiet) = (BLOCK_AGE, QUIET_BLOCK_AGE);
        for (rows, age, quiet_age, expected) in [
            (0, quiet, quiet, false),
            (1, second, quiet, false),
            (WORTH_ROWS - 1, quiet - Duration::from_millis(1), quiet, false),
            (1, quiet, quiet, true),
            (1, second, second, true),
            (1, second / 2, second, false),
            (WORTH_ROWS, second, quiet, true),
            (WORTH_ROWS, second / 2, quiet, false),
            // Somebody looks on.
            (1, second / 20, second / 20, true),
            (WORTH_ROWS, second / 20, second / 20, true),
        ] {
            assert_eq!(is_due(rows, age, quiet_age), expected, "{rows} rows after {age:?}");
        }
    }
}
