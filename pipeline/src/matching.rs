//! Which rows of a block match which scopes.
//!
//! ```text
//! contexts  -> a mask each --+
//! events    -> a mask each --+-> rows that some scope wants -> arguments, results -> rows that match
//!                            +-> rows that something is derived from -> derived events -> those that match
//! ```
//! Only rows that survive make columns of arguments, times and results be decoded.

use events::{Context, Event, EventId, Marks, catalogue::process};
use format::{Block, ColumnView, Contexts};
use scopes::batch::{self, Table};
use scopes::{LineageBits, Plan, Subject};

use crate::derive::{Base, Derived, Rules};
use crate::predicates::{Predicates, asking};
use crate::source::{File, Host};
use crate::{Args, EventView};

/// Events that are in every capture because process state needs them; rows marked so are not shown.
const STATE_EVENTS: [EventId; 3] =
    [process::SCHED_PROCESS_FORK, process::SCHED_PROCESS_EXEC, process::SCHED_PROCESS_EXIT];

/// A plan, and whether it says the masks or the recording does.
#[derive(Debug)]
pub struct Matcher<'p> {
    plan: &'p Plan,
    recorded: bool,
    rules: Rules,
}

/// What a block's rows are judged by beside its columns.
#[derive(Clone, Copy, Debug)]
pub struct Facts<'a> {
    pub file: &'a File,
    pub host: &'a Host,
    /// By context code; empty when the plan asks for none.
    pub lineage: &'a [LineageBits],
}

/// Memory that is used from block to block. One for each thread.
#[derive(Debug, Default)]
pub struct Buffers {
    contexts: Table,
    events: Table,
    rows: Vec<u32>,
    masks: Vec<u64>,
    candidates: Vec<Candidate>,
    counters: Vec<u32>,
    derived: Derived,
    /// Contexts whose container started while they went on; see [`Split`]. By code, sorted.
    splits: Vec<(u16, Split)>,
}

/// A context's masks before and from a time on: `container=started` changes its answer while all else stays.
#[derive(Clone, Copy, Debug)]
struct Split {
    from_ns: u64,
    before: u64,
    after: u64,
}

/// A row that may match.
#[derive(Clone, Copy, Debug)]
struct Candidate {
    row: u32,
    /// Its number among the rows of its event.
    ordinal: u32,
    /// Scopes that see the row itself.
    visible: u64,
    /// Scopes that want something derived from it.
    base: u64,
}

/// One event of a block.
#[derive(Clone, Copy, Debug)]
struct Present {
    event: &'static Event,
    visible: u64,
    needed: u64,
    asking: u64,
    is_state: bool,
}

impl<'p> Matcher<'p> {
    /// Masks are what the plan says.
    pub fn new(plan: &'p Plan) -> Matcher<'p> {
        Matcher { plan, recorded: false, rules: Rules::new(|event| plan.event_mask(event.id)) }
    }

    /// Masks are what was recorded; the plan is that of the recording's filters, for derived events.
    pub fn recorded(plan: &'p Plan) -> Matcher<'p> {
        Matcher { recorded: true, ..Matcher::new(plan) }
    }

    /// Derives nothing: the source holds what was derived.
    pub fn without_derived(self) -> Matcher<'p> {
        Matcher { rules: Rules::default(), ..self }
    }

    pub fn plan(&self) -> &'p Plan {
        self.plan
    }

    /// Masks are those of the recording.
    pub fn is_recorded(&self) -> bool {
        self.recorded
    }

    /// Scopes that rows of this event can match or lead to something that does.
    pub fn wants(&self, event: &Event) -> u64 {
        if self.recorded { u64::MAX } else { self.plan.event_mask(event.id) | self.rules.needed(event) }
    }

    /// Calls `emit` with each event that matches, in order of rows, and returns how many there were. Without `emit`,
    /// only what counting needs is decoded.
    pub fn block(
        &self,
        block: &Block<'_>,
        facts: Facts<'_>,
        buffers: &mut Buffers,
        emit: Option<&mut dyn FnMut(&EventView<'_>)>,
    ) -> format::Result<u64> {
        let present = self.present(block, facts.file);
        let wanted = |it: &Present| it.visible != 0 || it.needed != 0;
        if !present.iter().any(wanted) {
            return Ok(0);
        }
        let contexts = block.contexts()?;
        let derives = present.iter().any(|it| it.needed != 0);
        if !self.recorded || derives {
            self.judge_contexts(block, contexts, facts, buffers)?;
            if !self.recorded && buffers.contexts.any() == 0 {
                return Ok(0);
            }
        }
        let plain = |it: &Present| it.visible == 0 || (it.asking == 0 && !it.is_state);
        let splits = !buffers.splits.is_empty();
        if emit.is_none() && !derives && !splits && (self.recorded || present.iter().all(plain)) {
            return self.count(block, &present, buffers);
        }
        self.find_candidates(block, &present, buffers)?;
        if buffers.candidates.is_empty() {
            return Ok(0);
        }
        self.filter_candidates(block, contexts, facts, &present, buffers)?;
        self.emit_candidates(block, contexts, facts, &present, buffers, emit)
    }

    fn present(&self, block: &Block<'_>, file: &File) -> Vec<Present> {
        let judge = |id: &EventId| {
            let event = file.capture.schema().event(*id).unwrap_or(&UNDECLARED);
            let visible = if self.recorded { u64::MAX } else { self.plan.event_mask(event.id) };
            Present {
                event,
                visible,
                needed: self.rules.needed(event),
                asking: if self.recorded { 0 } else { asking(self.plan, event) },
                is_state: STATE_EVENTS.contains(&event.id),
            }
        };
        block.event_list().iter().map(judge).collect()
    }

    /// The mask of each distinct context.
    fn judge_contexts(
        &self,
        block: &Block<'_>,
        contexts: Contexts<'_>,
        facts: Facts<'_>,
        buffers: &mut Buffers,
    ) -> format::Result<()> {
        let Buffers { contexts: table, splits, .. } = buffers;
        splits.clear();
        let first = if self.plan.needs().started { first_times(block, contexts.len())? } else { Vec::new() };
        table.fill(contexts.iter().enumerate().map(|(code, context)| {
            let mask_at = |time_ns: u64| {
                self.with_subject(&context, code, facts, time_ns, |subject| self.plan.context_mask(subject))
            };
            let time_ns = first.get(code).copied().unwrap_or(0);
            let before = mask_at(time_ns);
            let started = match facts.host.containers.get(context.cgroup_id) {
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

    fn with_subject<T>(
        &self,
        context: &Context<'_>,
        code: usize,
        facts: Facts<'_>,
        time_ns: u64,
        ask: impl FnOnce(&Subject<'_>) -> T,
    ) -> T {
        let container = facts.host.containers.get(context.cgroup_id).map(|container| container.facts());
        let lineage = facts.lineage.get(code).copied().unwrap_or_default();
        let recording = facts.host.recording;
        ask(&Subject { context, container: container.as_ref(), lineage, recording, time_ns })
    }

    /// Matching rows where masks of contexts and events decide alone.
    fn count(&self, block: &Block<'_>, present: &[Present], buffers: &mut Buffers) -> format::Result<u64> {
        if self.recorded {
            let hidden = self.hidden(block, present)?;
            let shown =
                block.scopes()?.iter().enumerate().filter(|(row, scopes)| **scopes != 0 && !hidden.is(*row));
            return Ok(shown.count() as u64);
        }
        buffers.events.fill(present.iter().map(|it| it.visible));
        let (contexts, events) = (block.context_codes()?, block.event_codes()?);
        Ok(batch::count(&buffers.contexts, &buffers.events, contexts, events) as u64)
    }

    fn find_candidates(
        &self,
        block: &Block<'_>,
        present: &[Present],
        buffers: &mut Buffers,
    ) -> format::Result<()> {
        let Buffers { contexts, events, rows, masks, candidates, counters, splits, .. } = buffers;
        candidates.clear();
        let times = if splits.is_empty() { &[] } else { block.times()? };
        // What a row's own time leaves of its context's mask.
        let left = |row: usize, context: Option<&u16>| match context {
            Some(context) if !splits.is_empty() => {
                at_time(splits, *context, times.get(row).copied().unwrap_or(0))
            }
            _ => u64::MAX,
        };
        let event_codes = block.event_codes()?;
        let of = |row: usize| event_codes.get(row).and_then(|code| present.get(usize::from(*code)));
        let hidden = self.hidden(block, present)?;
        if self.recorded {
            let context_codes = block.context_codes()?;
            for (row, scopes) in block.scopes()?.iter().enumerate() {
                let needed = of(row).map_or(0, |it| it.needed);
                let base = match context_codes.get(row) {
                    Some(context) if needed != 0 => {
                        contexts.get(*context) & needed & left(row, Some(context))
                    }
                    _ => 0,
                };
                let visible = if hidden.is(row) { 0 } else { *scopes };
                if visible | base != 0 {
                    candidates.push(Candidate { row: row as u32, ordinal: 0, visible, base });
                }
            }
        } else {
            events.fill(present.iter().map(|it| it.visible | it.needed));
            rows.clear();
            masks.clear();
            let context_codes = block.context_codes()?;
            batch::select(contexts, events, context_codes, event_codes, rows, masks);
            for (row, mask) in rows.iter().zip(masks.iter()) {
                let mask = mask & left(*row as usize, context_codes.get(*row as usize));
                let Some(it) = of(*row as usize) else { continue };
                let visible = if hidden.is(*row as usize) { 0 } else { mask & it.visible };
                let base = mask & it.needed;
                if visible | base != 0 {
                    candidates.push(Candidate { row: *row, ordinal: 0, visible, base });
                }
            }
        }
        count_ordinals(event_codes, present.len(), counters, candidates);
        Ok(())
    }

    /// Rows that are there for the state of processes only.
    fn hidden<'b>(&self, block: &'b Block<'_>, present: &[Present]) -> format::Result<Hidden<'b>> {
        if present.iter().any(|it| it.is_state && it.visible != 0) {
            Ok(Hidden { marks: block.marks()? })
        } else {
            Ok(Hidden { marks: &[] })
        }
    }

    /// Lets predicates on arguments, results and single events at the candidates' visible masks.
    fn filter_candidates(
        &self,
        block: &Block<'_>,
        contexts: Contexts<'_>,
        facts: Facts<'_>,
        present: &[Present],
        buffers: &mut Buffers,
    ) -> format::Result<()> {
        if present.iter().all(|it| it.asking == 0) {
            return Ok(());
        }
        let (event_codes, context_codes) = (block.event_codes()?, block.context_codes()?);
        let times = if self.plan.needs().started { block.times()? } else { &[] };
        let mut predicates: Vec<Option<Predicates<'_>>> = Vec::new();
        predicates.resize_with(present.len(), || None);
        let rows = buffers.candidates.len();
        for candidate in &mut buffers.candidates {
            let row = candidate.row as usize;
            let Some(code) = event_codes.get(row).copied() else { continue };
            let Some(it) = present.get(usize::from(code)) else { continue };
            if candidate.visible & it.asking == 0 {
                continue;
            }
            let Some(slot) = predicates.get_mut(usize::from(code)) else { continue };
            let predicate = match slot {
                Some(predicate) => predicate,
                None => slot.insert(Predicates::new(self.plan, block, code, it.event, rows)?),
            };
            let context = context_codes.get(row).copied().unwrap_or(0);
            candidate.visible =
                predicate.pass(candidate.visible, row, candidate.ordinal as usize, context, || {
                    let Some(known) = contexts.get(context) else { return 0 };
                    let ask = |subject: &Subject<'_>| self.plan.event_context_mask(it.event.id, subject);
                    let time_ns = times.get(row).copied().unwrap_or(0);
                    self.with_subject(&known, usize::from(context), facts, time_ns, ask)
                });
        }
        buffers.candidates.retain(|candidate| candidate.visible | candidate.base != 0);
        Ok(())
    }

    fn emit_candidates(
        &self,
        block: &Block<'_>,
        contexts: Contexts<'_>,
        facts: Facts<'_>,
        present: &[Present],
        buffers: &mut Buffers,
        mut emit: Option<&mut dyn FnMut(&EventView<'_>)>,
    ) -> format::Result<u64> {
        let Buffers { candidates, derived, .. } = buffers;
        let visible = candidates.iter().filter(|candidate| candidate.visible != 0).count() as u64;
        let derives = candidates.iter().any(|candidate| candidate.base != 0);
        if candidates.is_empty() || (emit.is_none() && !derives) {
            return Ok(visible);
        }
        let rows = Rows::new(block, present.len())?;
        let mut count = visible;
        for candidate in candidates.iter() {
            let row = candidate.row as usize;
            let Some(it) = rows.event_code(row).and_then(|code| present.get(usize::from(code))) else {
                continue;
            };
            let code = rows.context_code(row);
            let Some(context) = contexts.get(code) else { continue };
            let columns = rows.columns(it.event, row)?;
            let args = Args::Row { columns, ordinal: candidate.ordinal as usize };
            let container = facts.host.containers.get(context.cgroup_id);
            let time_ns = rows.times.get(row).copied().unwrap_or(0);
            let view = EventView {
                time_ns,
                wall_ns: rows.clock.wall(time_ns) as i64,
                event: it.event,
                context: &context,
                context_index: code.into(),
                container,
                cpu: rows.cpus.get(row).copied().unwrap_or(0),
                ret: rows.rets.get(row).copied().unwrap_or(0),
                scopes: candidate.visible,
                recorded: rows.scopes.get(row).copied().unwrap_or(0),
                marks: Marks(rows.marks.get(row).copied().unwrap_or(0)),
                args,
            };
            if let (Some(emit), true) = (&mut emit, candidate.visible != 0) {
                emit(&view);
            }
            if candidate.base != 0 {
                let base = Base { event: it.event, args, ret: view.ret };
                self.rules.derive(&base, candidate.base, derived);
                count += self.emit_derived(&view, code, facts, candidate.base, derived, &mut emit);
            }
        }
        Ok(count)
    }

    /// Events that were derived from one row pass the filters themselves.
    fn emit_derived(
        &self,
        base: &EventView<'_>,
        code: u16,
        facts: Facts<'_>,
        scopes: u64,
        derived: &Derived,
        emit: &mut Option<&mut dyn FnMut(&EventView<'_>)>,
    ) -> u64 {
        let mut count = 0;
        for index in 0..derived.len() {
            let mut values = Vec::new();
            let Some(event) = derived.get(index, &mut values) else { continue };
            let mut mask = scopes & self.plan.event_mask(event.id);
            if self.plan.has_ret(event.id) != 0 {
                mask &= self.plan.ret_mask(event.id, base.ret);
            }
            for position in self.plan.arg_positions(event.id) {
                let value = values.get(*position).copied().unwrap_or(events::Raw::Missing);
                mask &= self.plan.arg_mask(event.id, *position, value);
            }
            if self.plan.has_event_context(event.id) & mask != 0 {
                let ask = |subject: &Subject<'_>| self.plan.event_context_mask(event.id, subject);
                mask &= self.with_subject(base.context, code.into(), facts, base.time_ns, ask);
            }
            if self.plan.has_row(event.id) & mask != 0 {
                let row = scopes::plan::RowFacts { wall_ns: base.wall_ns as u64, cpu: base.cpu };
                mask &= self.plan.row_mask(event.id, row);
            }
            if mask != 0 {
                count += 1;
                if let Some(emit) = emit {
                    emit(&EventView { event, scopes: mask, recorded: 0, args: Args::List(&values), ..*base });
                }
            }
        }
        count
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

#[derive(Clone, Copy, Debug)]
struct Hidden<'a> {
    marks: &'a [u32],
}

impl Hidden<'_> {
    fn is(&self, row: usize) -> bool {
        self.marks.get(row).is_some_and(|marks| marks & Marks::STATE_ONLY != 0)
    }
}

/// Columns that showing rows needs, decoded once.
struct Rows<'a> {
    block: &'a Block<'a>,
    clock: format::Clock,
    times: &'a [u64],
    rets: &'a [i64],
    cpus: &'a [u16],
    marks: &'a [u32],
    scopes: &'a [u64],
    event_codes: &'a [u16],
    context_codes: &'a [u16],
    /// By event code.
    columns: Vec<std::cell::OnceCell<Vec<ColumnView<'a>>>>,
}

impl<'a> Rows<'a> {
    fn new(block: &'a Block<'a>, events: usize) -> format::Result<Rows<'a>> {
        let mut columns = Vec::new();
        columns.resize_with(events, std::cell::OnceCell::new);
        Ok(Rows {
            block,
            clock: block.clock(),
            times: block.times()?,
            rets: block.rets()?,
            cpus: block.cpus()?,
            marks: block.marks()?,
            scopes: block.scopes()?,
            event_codes: block.event_codes()?,
            context_codes: block.context_codes()?,
            columns,
        })
    }

    fn event_code(&self, row: usize) -> Option<u16> {
        self.event_codes.get(row).copied()
    }

    fn context_code(&self, row: usize) -> u16 {
        self.context_codes.get(row).copied().unwrap_or(0)
    }

    /// The columns of the arguments of a row's event.
    fn columns(&self, event: &Event, row: usize) -> format::Result<&[ColumnView<'a>]> {
        let code = self.event_code(row).unwrap_or(0);
        let Some(cell) = self.columns.get(usize::from(code)) else { return Ok(&[]) };
        if let Some(columns) = cell.get() {
            return Ok(columns);
        }
        let table = self.block.args(code);
        let columns: Vec<_> =
            (0..event.args.len()).map(|position| table.column(position)).collect::<format::Result<_>>()?;
        Ok(cell.get_or_init(|| columns))
    }
}

/// The mask that a context has at a time, where it changes; all scopes where it does not.
fn at_time(splits: &[(u16, Split)], context: u16, time_ns: u64) -> u64 {
    match splits.binary_search_by_key(&context, |(code, _)| *code) {
        Ok(at) => splits
            .get(at)
            .map_or(u64::MAX, |(_, split)| if time_ns < split.from_ns { split.before } else { split.after }),
        Err(_) => u64::MAX,
    }
}

/// The time of the first row of each context.
fn first_times(block: &Block<'_>, contexts: usize) -> format::Result<Vec<u64>> {
    let mut first = vec![u64::MAX; contexts];
    for (time, code) in block.times()?.iter().zip(block.context_codes()?) {
        if let Some(slot) = first.get_mut(usize::from(*code)) {
            *slot = (*slot).min(*time);
        }
    }
    Ok(first)
}

/// Gives each candidate its number among the rows of its event.
fn count_ordinals(event_codes: &[u16], events: usize, counters: &mut Vec<u32>, candidates: &mut [Candidate]) {
    counters.clear();
    counters.resize(events, 0);
    let mut row = 0;
    for candidate in candidates {
        let until = candidate.row as usize;
        for code in event_codes.get(row..until).unwrap_or(&[]) {
            if let Some(counter) = counters.get_mut(usize::from(*code)) {
                *counter += 1;
            }
        }
        row = until;
        let code = event_codes.get(until).copied().unwrap_or(0);
        candidate.ordinal = counters.get(usize::from(code)).copied().unwrap_or(0);
    }
}
