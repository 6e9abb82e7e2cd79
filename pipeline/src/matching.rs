//! Which rows of a block match which scopes.
//!
//! ```text
//! contexts  -> a mask each --+
//! events    -> a mask each --+-> rows that some scope wants -> arguments, results -> rows that match
//!                            +-> rows that something is derived from -> derived events -> those that match
//! ```
//! Where every context passes, rows are chosen from their events' own columns first (see `column_first`); otherwise only rows
//! that survive make columns of arguments, times and results be decoded.

use events::{
    Context, Event, EventId, Marks,
    catalogue::{network, process},
};
use format::{Block, Capture, Contexts, EventCount, Recording, Statistics};
use scopes::batch::{self, Table};
use scopes::{LineageBits, Plan, Subject};

use crate::bases;
use format::facts::FactChange;

use crate::batch::Selection;
use crate::column_first::Survivor;
use crate::derive::{Base, Derived, Narrow, Rules};
use crate::event::EventView;
use crate::predicates::asking;
use crate::selection::{Candidate, Hidden};
use crate::source::{File, Host};

/// Events that may be in a capture because state needs them: of processes, and of the streams that a part of a capture was
/// cut for. Rows marked so are not shown.
const STATE_EVENTS: [EventId; 4] = [
    process::SCHED_PROCESS_FORK,
    process::SCHED_PROCESS_EXEC,
    process::SCHED_PROCESS_EXIT,
    network::NET_PACKET,
];

/// Whether a capture may have unseen rows of an event: a part of one also keeps what tells of directories, sessions,
/// terminals and logins.
fn may_be_hidden(event: EventId) -> bool {
    STATE_EVENTS.contains(&event) || FactChange::may_be(event)
}

/// A plan, and whether it says the masks or the recording does.
#[derive(Clone, Debug)]
pub struct Matcher<'p> {
    plan: &'p Plan,
    recorded: bool,
    rules: Rules,
    /// Rows that are kept for the sake of state are rows like others.
    with_hidden: bool,
    /// Of the hosts after the first one of a merged capture, where they are asked otherwise.
    others: Vec<Matcher<'p>>,
}

/// What a block's rows are judged by beside its columns.
#[derive(Clone, Copy, Debug)]
pub struct Facts<'a> {
    pub file: &'a File,
    pub host: &'a Host,
    /// By context code; empty when the plan asks for none.
    pub lineage: &'a [LineageBits],
    /// The rows were told before, and are here only for what is derived from them.
    pub is_end: bool,
}

/// Memory that is used from block to block. One for each thread.
#[derive(Debug, Default)]
pub struct Buffers {
    pub(crate) contexts: Table,
    pub(crate) events: Table,
    pub(crate) rows: Vec<u32>,
    pub(crate) masks: Vec<u64>,
    pub(crate) candidates: Vec<Candidate>,
    pub(crate) survivors: Vec<Survivor>,
    pub(crate) counters: Vec<u32>,
    /// Contexts whose container started while they went on; see [`Split`]. By code, sorted.
    pub(crate) splits: Vec<(u16, Split)>,
}

/// A context's masks before and from a time on: `container=started` changes its answer while all else stays.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Split {
    pub from_ns: u64,
    pub before: u64,
    pub after: u64,
}

/// One event of a block.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Present {
    pub event: &'static Event,
    /// Scopes that see it.
    pub visible: u64,
    /// Scopes that need it for something derived.
    pub needed: u64,
    /// Scopes that ask something of single rows.
    pub asking: u64,
    pub is_state: bool,
    /// Its rows are chosen from its own columns: see [`crate::column_first`].
    pub is_column_first: bool,
}

impl<'p> Matcher<'p> {
    /// Masks are what the plan says.
    pub fn new(plan: &'p Plan) -> Matcher<'p> {
        let rules = Rules::new(|event| plan.event_mask(event.id));
        Matcher { plan, recorded: false, rules, with_hidden: false, others: Vec::new() }
    }

    /// Masks are what was recorded; the plan is that of the recording's filters, for derived events.
    pub fn recorded(plan: &'p Plan) -> Matcher<'p> {
        Matcher { recorded: true, ..Matcher::new(plan) }
    }

    /// Asks a capture's hosts by one plan. A log that held derived events still holds them: they are not derived a second time.
    pub fn of_capture(plan: &'p Plan, capture: &Capture) -> Matcher<'p> {
        let of = |recording: &Recording| {
            let matcher = Matcher::new(plan);
            if recording.is_made_from_log() { matcher.without_derived() } else { matcher }
        };
        let header = capture.header();
        of(&header.recording).with_others(header.more_recordings.iter().map(of).collect())
    }

    /// Derives nothing: the source holds what was derived.
    pub fn without_derived(self) -> Matcher<'p> {
        Matcher { rules: Rules::default(), ..self }
    }

    /// Finds rows too that a capture keeps for the sake of state and does not show.
    pub(crate) fn with_hidden(self) -> Matcher<'p> {
        let others = self.others.into_iter().map(Matcher::with_hidden).collect();
        Matcher { with_hidden: true, others, ..self }
    }

    /// Rows of the further hosts of a merged capture are asked by these, in their order.
    pub fn with_others(self, others: Vec<Matcher<'p>>) -> Matcher<'p> {
        Matcher { others, ..self }
    }

    /// What rows of the host with this index are asked by.
    pub fn of_host(&self, host: u16) -> &Matcher<'p> {
        usize::from(host).checked_sub(1).and_then(|at| self.others.get(at)).unwrap_or(self)
    }

    pub fn plan(&self) -> &'p Plan {
        self.plan
    }

    /// Masks are those of the recording.
    pub fn is_recorded(&self) -> bool {
        self.recorded
    }

    /// Scopes that want something derived from rows of this event.
    pub(crate) fn needed(&self, event: &Event) -> u64 {
        self.rules.needed(event)
    }

    /// What something comes of rows of this event by.
    pub(crate) fn narrow(&self, event: &Event) -> Option<(usize, Narrow)> {
        self.rules.narrow(event)
    }

    /// Whether something is wanted that is read from streams of packets.
    pub fn reads_streams(&self) -> bool {
        self.rules.reads_streams()
    }

    /// How many events these rows give, where their statistics tell: nothing is asked of contexts, of single rows, or for
    /// something derived.
    pub(crate) fn known_events(&self, file: &File, of: &Statistics) -> Option<u64> {
        if self.recorded || self.plan.asks_contexts() {
            return None;
        }
        let state_bit = Marks::STATE_ONLY.trailing_zeros() as u8;
        let mut events = 0;
        for EventCount { event: id, rows } in &of.events {
            let event = file.capture.schema().event(*id)?;
            let visible = self.plan.stored_event_mask(event.id);
            if self.rules.needed(event) != 0
                || (visible != 0 && visible & asking(self.plan, event) == visible)
            {
                return None;
            }
            let of_marks = |marks: &[format::MarkCount]| {
                let hidden =
                    marks.iter().filter(|it| it.event == *id && it.bit == state_bit).map(|it| it.rows);
                hidden.max().unwrap_or_default()
            };
            let hidden = match of.marks.as_deref() {
                Some(marks) if may_be_hidden(*id) => of_marks(marks),
                // Files that do not say it have no others.
                None if STATE_EVENTS.contains(id) => return None,
                _ => 0,
            };
            if visible != 0 {
                events += u64::from(rows.saturating_sub(hidden));
            }
        }
        Some(events)
    }

    /// Finds the rows of a block that match, and those that something is derived from. With `only_count` rows are counted
    /// where they can be.
    pub fn find(
        &self,
        block: &Block,
        facts: Facts<'_>,
        buffers: &mut Buffers,
        only_count: bool,
    ) -> format::Result<Selection> {
        buffers.candidates.clear();
        buffers.splits.clear();
        let mut present = self.present(block, facts);
        let bases = self.bases(block, &mut present)?;
        let wanted = |it: &Present| it.visible != 0 || it.needed != 0;
        if !present.iter().any(wanted) {
            return Ok(Selection::default());
        }
        let derives = present.iter().any(|it| it.needed != 0);
        if !self.recorded || derives {
            self.judge_contexts(block, facts, buffers)?;
            if !self.recorded && buffers.contexts.any() == 0 {
                return Ok(Selection::default());
            }
        }
        let plain = |it: &Present| it.visible == 0 || (it.asking == 0 && !it.is_state);
        let splits = !buffers.splits.is_empty();
        if only_count && !derives && !splits && (self.recorded || present.iter().all(plain)) {
            return Ok(Selection { counted: self.count(block, &present, buffers)?, ..Selection::default() });
        }
        self.mark_column_first(&mut present, buffers);
        let counts = only_count && !derives;
        if present.iter().any(|it| wanted(it) && !it.is_column_first) {
            self.find_candidates(block, &present, buffers)?;
            bases::narrow(&bases, block.event_codes()?, &mut buffers.candidates);
            self.filter_candidates(block, facts, &present, buffers)?;
        }
        let counted = self.find_column_first(block, facts, &present, buffers, counts)?;
        if counts {
            let rows = buffers.candidates.iter().filter(|candidate| candidate.visible != 0).count();
            return Ok(Selection { counted: counted + rows as u64, ..Selection::default() });
        }
        if present.iter().any(|it| it.is_column_first) {
            // Each event's are in order: runs, which a stable sort merges.
            buffers.candidates.sort_by_key(|candidate| candidate.row);
        }
        Ok(Selection { counted, events: present, rows: std::mem::take(&mut buffers.candidates) })
    }

    pub(crate) fn present(&self, block: &Block, facts: Facts<'_>) -> Vec<Present> {
        let judge = |(code, id): (u16, &EventId)| {
            let event = facts.file.capture.schema().event(*id).unwrap_or(&UNDECLARED);
            let visible = if self.recorded { u64::MAX } else { self.plan.stored_event_mask(event.id) };
            Present {
                event,
                visible: if facts.is_end { 0 } else { visible },
                needed: self.rules.needed(event),
                asking: if self.recorded { 0 } else { asking(self.plan, event) },
                is_state: !self.with_hidden
                    && (STATE_EVENTS.contains(&event.id)
                        || may_be_hidden(event.id)
                            && block.has_marked(code, Marks::STATE_ONLY).unwrap_or(true)),
                is_column_first: false,
            }
        };
        (0u16..).zip(block.event_list()).map(judge).collect()
    }

    /// The mask of each distinct context.
    fn judge_contexts(&self, block: &Block, facts: Facts<'_>, buffers: &mut Buffers) -> format::Result<()> {
        let Buffers { contexts: table, splits, .. } = buffers;
        splits.clear();
        if !self.plan.asks_contexts() {
            table.fill(std::iter::repeat_n(self.plan.scopes(), block.context_count()));
            return Ok(());
        }
        let contexts = block.contexts()?;
        let first = if self.plan.needs().started { first_times(block, contexts.len())? } else { Vec::new() };
        table.fill(contexts.iter().enumerate().map(|(code, context)| {
            let mask_at = |time_ns: u64| {
                self.with_subject(&context, code, facts, time_ns, |subject| self.plan.context_mask(subject))
            };
            let time_ns = first.get(code).copied().unwrap_or(0);
            let before = mask_at(time_ns);
            let started = match facts.host.containers().get(context.cgroup_id) {
                Some(container) if !first.is_empty() => container.started_ns,
                _ => None,
            };
            match started.filter(|started| time_ns < *started).map(|from_ns| (from_ns, mask_at(from_ns))) {
                Some((from_ns, after)) if after != before => {
                    splits.push((code as u16, Split { from_ns, before, after }));
                    before | after
                }
                _ => before,
            }
        }));
        Ok(())
    }

    pub(crate) fn with_subject<T>(
        &self,
        context: &Context<'_>,
        code: usize,
        facts: Facts<'_>,
        time_ns: u64,
        ask: impl FnOnce(&Subject<'_>) -> T,
    ) -> T {
        let container = facts.host.containers().get(context.cgroup_id).map(|container| container.facts());
        let lineage = facts.lineage.get(code).copied().unwrap_or_default();
        let recording = facts.host.recording();
        let host = facts.host.name.as_str();
        ask(&Subject { context, container: container.as_ref(), lineage, recording, host, time_ns })
    }

    /// The answer of the plan for a context and one event alone.
    pub(crate) fn event_context(
        &self,
        event: &Event,
        contexts: Contexts<'_>,
        code: u16,
        facts: Facts<'_>,
        time_ns: u64,
    ) -> u64 {
        let Some(context) = contexts.get(code) else { return 0 };
        let ask = |subject: &Subject<'_>| self.plan.event_context_mask(event.id, subject);
        self.with_subject(&context, usize::from(code), facts, time_ns, ask)
    }

    pub(crate) fn derive(&self, base: &Base<'_>, view: &EventView<'_>, scopes: u64, derived: &mut Derived) {
        self.rules.derive(base, scopes, derived);
        self.rules.add_behaviours(base, view, derived);
    }

    /// Matching rows where masks of contexts and events decide alone.
    fn count(&self, block: &Block, present: &[Present], buffers: &mut Buffers) -> format::Result<u64> {
        if self.recorded {
            let hidden = Hidden::of(block, present)?;
            let shown =
                block.scopes()?.iter().enumerate().filter(|(row, scopes)| **scopes != 0 && !hidden.is(*row));
            return Ok(shown.count() as u64);
        }
        buffers.events.fill(present.iter().map(|it| it.visible));
        let (contexts, events) = (block.context_codes()?, block.event_codes()?);
        Ok(batch::count(&buffers.contexts, &buffers.events, contexts, events) as u64)
    }
}

/// Stands for an event that the file's own schema does not declare (a damaged header).
static UNDECLARED: Event = Event {
    id: EventId(u16::MAX),
    name: "undeclared_event",
    source: events::Source::Recorder,
    sets: events::Sets::of(&[]),
    args: &[],
    returns: events::event::Returns::Nothing,
};

/// The time of the first row of each context.
fn first_times(block: &Block, contexts: usize) -> format::Result<Vec<u64>> {
    let mut first = vec![u64::MAX; contexts];
    for (time, code) in block.times()?.iter().zip(block.context_codes()?) {
        if let Some(slot) = first.get_mut(usize::from(*code)) {
            *slot = (*slot).min(*time);
        }
    }
    Ok(first)
}
