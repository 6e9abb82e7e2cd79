//! What matching makes of a block: the block, the rows that were selected, and a mask for each. It knows no consumer;
//! what consumers read of the rows is decoded late, and only for these rows' events.

use std::cell::OnceCell;
use std::ops::Range;
use std::sync::Arc;

use events::{Context, Event, Marks, Raw};
use format::{Block, ColumnView, Contexts, Durations};
use scopes::Subject;
use scopes::plan::RowFacts;

use crate::containers::Container;
use crate::derive::packets::stream::Message;
use crate::derive::{Base, Derived, DerivedRow, DerivedRows};
use crate::matching::{Facts, Matcher, Present};
use crate::selection::Candidate;
use crate::sink::Projection;
use crate::source::{BlockRef, File, Host, RowRef};
use crate::state::Taken;
use crate::{Args, EventView};

/// A block and what it has for a question.
#[derive(Debug)]
pub struct Batch<'q> {
    pub(crate) block: Arc<Block>,
    pub(crate) reference: BlockRef,
    pub(crate) file: &'q File,
    pub(crate) host: Arc<Host>,
    pub(crate) matcher: &'q Matcher<'q>,
    pub(crate) taken: Taken,
    pub(crate) selection: Selection,
    pub(crate) derived: DerivedRows,
    /// By row of the block: which row it was before the block was cut into slices; empty where it is whole.
    pub(crate) origins: Vec<u32>,
    pub(crate) projection: Projection,
}

/// The rows of a block that match, and those that something is derived from.
#[derive(Debug, Default)]
pub struct Selection {
    /// Rows that match and were only counted.
    pub(crate) counted: u64,
    /// By event code of the block.
    pub(crate) events: Vec<Present>,
    /// In order of rows.
    pub(crate) rows: Vec<Candidate>,
}

impl Batch<'_> {
    /// Which block this is of.
    pub fn reference(&self) -> BlockRef {
        self.reference
    }

    pub fn file(&self) -> &File {
        self.file
    }

    /// The block itself, for those who look at its columns.
    pub fn block(&self) -> &Block {
        &self.block
    }

    /// The same, to be looked at later.
    pub fn shared_block(&self) -> Arc<Block> {
        Arc::clone(&self.block)
    }

    pub fn host(&self) -> &Host {
        &self.host
    }

    /// Where a row of the block stands in the source.
    pub fn at(&self, row: u32) -> RowRef {
        let row = self.origins.get(row as usize).copied().unwrap_or(row);
        RowRef { file: self.reference.file as u32, block: self.reference.block as u32, row, derived: 0 }
    }

    /// Rows that were selected.
    pub fn len(&self) -> usize {
        self.selection.rows.len()
    }

    pub fn is_empty(&self) -> bool {
        self.selection.rows.is_empty()
    }

    /// The declaration of an event of the block, by its code.
    pub fn event(&self, code: u16) -> Option<&'static Event> {
        self.selection.events.get(usize::from(code)).map(|it| it.event)
    }

    /// The selected rows of which nothing is derived: each row's number in the block, that among the rows of its event, and
    /// the scopes that see it. [`Batch::each_deriving`] has the others.
    pub fn rows(&self) -> impl Iterator<Item = (u32, u32, u64)> {
        let plain = self.selection.rows.iter().filter(|it| it.base == 0);
        plain.map(|it| (it.row, it.ordinal, it.visible))
    }

    /// What is derived from the selected rows, and matches.
    pub fn derived(&self) -> &DerivedRows {
        &self.derived
    }

    /// The row of the block, and its number among the rows of its event, that a derived row was derived from.
    pub fn base_of(&self, derived: &DerivedRow<'_>) -> Option<(u32, u32)> {
        self.selection.rows.get(derived.base).map(|it| (it.row, it.ordinal))
    }

    /// Calls `emit` with the events of the rows that something is derived from, and with what is.
    pub fn each_deriving(&self, emit: &mut dyn FnMut(&EventView<'_>)) -> format::Result<()> {
        if self.selection.rows.iter().all(|it| it.base == 0) {
            return Ok(());
        }
        let rows = Rows::new(self)?;
        for at in (0..self.len()).filter(|at| self.selection.rows.get(*at).is_some_and(|it| it.base != 0)) {
            rows.each(at..at + 1, &mut |view| {
                emit(view);
                true
            })?;
        }
        Ok(())
    }

    /// Calls `emit` with each event of all selected rows, in order of rows.
    pub fn each(&self, emit: &mut dyn FnMut(&EventView<'_>)) -> format::Result<u64> {
        let mut events = 0;
        Rows::new(self)?.each(0..self.len(), &mut |view| {
            events += 1;
            emit(view);
            true
        })?;
        Ok(events)
    }

    /// About how many bytes it takes while it waits.
    pub(crate) fn memory(&self) -> usize {
        self.block.memory() + self.derived.memory() + self.selection.rows.len() * size_of::<Candidate>()
    }

    /// Events of all selected rows, with those that are derived from them.
    pub fn events(&self) -> u64 {
        let rows = self.selection.rows.iter().filter(|it| it.visible != 0);
        rows.count() as u64 + self.derived.len() as u64
    }

    /// Events of one selected row, with those that are derived from it.
    pub(crate) fn events_of(&self, at: usize) -> u64 {
        let own = self.selection.rows.get(at).is_some_and(|it| it.visible != 0);
        u64::from(own) + self.derived.of(at..at + 1).len() as u64
    }

    fn facts(&self) -> Facts<'_> {
        Facts { file: self.file, host: &self.host, lineage: &self.taken.lineage, is_end: self.taken.is_end }
    }

    /// Computes what is derived from the selected rows; those that match only for the sake of something that does not come
    /// out of them are no longer selected.
    pub(crate) fn derive(&mut self, scratch: &mut Derived) -> format::Result<()> {
        if self.selection.rows.iter().all(|it| it.base == 0) {
            return Ok(());
        }
        let (derived, kept) = Rows::new(self)?.derive(scratch)?;
        self.derived = derived;
        let mut kept = kept.into_iter();
        self.selection.rows.retain(|_| kept.next().unwrap_or(true));
        self.taken.messages = Vec::new();
        Ok(())
    }

    /// The time of a selected row on the ordering clock. Times must have been decoded.
    pub(crate) fn key(&self, at: usize) -> Option<u64> {
        let row = self.selection.rows.get(at)?.row as usize;
        let time = self.block.times().ok()?.get(row)?;
        Some(self.host.key(*time))
    }

    /// Decodes what the projection reads of the selected rows, so that damage shows before the first of them does, and
    /// threads that share the block find it there.
    pub(crate) fn decode(&self) -> format::Result<()> {
        if self.selection.rows.is_empty() {
            return Ok(());
        }
        let rows = Rows::new(self)?;
        let arguments = self.projection.arguments;
        for candidate in &self.selection.rows {
            if !arguments && candidate.base == 0 {
                continue;
            }
            if let Some((code, it)) = rows.event(candidate.row as usize) {
                rows.columns(it.event, code)?;
            }
        }
        Ok(())
    }
}

/// Whose rows are: of a code of the block's contexts.
struct Task<'b> {
    code: u16,
    context: Context<'b>,
    container: Option<&'b Container>,
}

/// The columns of a batch that a projection reads.
pub(crate) struct Rows<'b> {
    batch: &'b Batch<'b>,
    clock: format::Clock,
    times: &'b [u64],
    rets: &'b [i64],
    cpus: &'b [u16],
    marks: &'b [u32],
    durations: Durations<'b>,
    recorded: &'b [u64],
    event_codes: &'b [u16],
    context_codes: &'b [u16],
    contexts: Option<Contexts<'b>>,
    /// By event code.
    columns: Vec<OnceCell<Vec<ColumnView<'b>>>>,
}

impl<'b> Rows<'b> {
    pub fn new(batch: &'b Batch<'b>) -> format::Result<Rows<'b>> {
        let Batch { block, projection, selection, .. } = batch;
        let derives = selection.events.iter().any(|it| it.needed != 0);
        // Filters look at these of what is derived.
        let wants = |column: bool| column || derives;
        let mut columns = Vec::new();
        columns.resize_with(selection.events.len(), OnceCell::new);
        let contexts = wants(projection.contexts);
        Ok(Rows {
            batch,
            clock: block.clock(),
            times: block.times()?,
            rets: if wants(projection.rets) { block.rets()? } else { &[] },
            cpus: if wants(projection.cpus) { block.cpus()? } else { &[] },
            marks: if wants(projection.marks) { block.marks()? } else { &[] },
            durations: if projection.durations { block.durations()? } else { Durations::default() },
            recorded: if projection.recorded { block.scopes()? } else { &[] },
            event_codes: block.event_codes()?,
            context_codes: if contexts { block.context_codes()? } else { &[] },
            contexts: if contexts { Some(block.contexts()?) } else { None },
            columns,
        })
    }

    fn event(&self, row: usize) -> Option<(u16, &'b Present)> {
        let code = *self.event_codes.get(row)?;
        Some((code, self.batch.selection.events.get(usize::from(code))?))
    }

    /// The columns of the arguments of an event.
    fn columns(&self, event: &Event, code: u16) -> format::Result<&[ColumnView<'b>]> {
        let Some(cell) = self.columns.get(usize::from(code)) else { return Ok(&[]) };
        if let Some(columns) = cell.get() {
            return Ok(columns);
        }
        let table = self.batch.block.args(code);
        let columns: Vec<_> =
            (0..event.args.len()).map(|position| table.column(position)).collect::<format::Result<_>>()?;
        Ok(cell.get_or_init(|| columns))
    }

    /// Whose a row is. `known`: whose one before it was, which is mostly the same.
    fn task<'t>(&self, row: usize, known: &'t mut Option<Task<'b>>) -> Option<&'t Task<'b>> {
        let code = self.context_codes.get(row).copied().unwrap_or(0);
        if known.as_ref().is_none_or(|known| known.code != code) {
            *known = self.task_of(code);
        }
        known.as_ref()
    }

    /// A default context where none is read.
    fn task_of(&self, code: u16) -> Option<Task<'b>> {
        let context = match &self.contexts {
            Some(contexts) => contexts.get(code)?,
            None => Context::default(),
        };
        let container = self.batch.host.containers().get(context.cgroup_id);
        Some(Task { code, context, container })
    }

    /// Calls `see` with a selected row as an event, unless nothing can be said of it.
    pub fn with(&self, candidate: &Candidate, see: impl FnOnce(&EventView<'_>)) -> format::Result<()> {
        let row = candidate.row as usize;
        if let Some((event_code, it)) = self.event(row)
            && let Some(task) = self.task(row, &mut None)
        {
            see(&self.view(candidate, event_code, it, task)?);
        }
        Ok(())
    }

    fn view<'v>(
        &'v self,
        candidate: &Candidate,
        event_code: u16,
        it: &Present,
        task: &'v Task<'v>,
    ) -> format::Result<EventView<'v>> {
        let row = candidate.row as usize;
        let args = if self.batch.projection.arguments || candidate.base != 0 {
            Args::Row { columns: self.columns(it.event, event_code)?, ordinal: candidate.ordinal as usize }
        } else {
            Args::List(&[])
        };
        let time_ns = self.times.get(row).copied().unwrap_or(0);
        Ok(EventView {
            at: self.batch.at(candidate.row),
            time_ns,
            wall_ns: self.clock.wall(time_ns) as i64,
            event: it.event,
            host: &self.batch.host,
            context: &task.context,
            context_index: task.code.into(),
            container: task.container,
            cpu: self.cpus.get(row).copied().unwrap_or(0),
            ret: self.rets.get(row).copied().unwrap_or(0),
            scopes: candidate.visible,
            duration_ns: self.durations.get(row),
            recorded: self.recorded.get(row).copied().unwrap_or(0),
            marks: Marks(self.marks.get(row).copied().unwrap_or(0)),
            args,
            base: None,
        })
    }

    /// Calls `emit` with each event of a range of selected rows, in order, each with what is derived from it behind it.
    /// `emit` says whether to go on; what is derived from a row is not parted from it. Returns where it stopped.
    pub fn each(
        &self,
        range: Range<usize>,
        emit: &mut dyn FnMut(&EventView<'_>) -> bool,
    ) -> format::Result<usize> {
        let mut at = range.start;
        let all = &self.batch.derived;
        let mut derived = all.of(range.clone()).filter_map(|number| all.get(number)).peekable();
        let mut known = None;
        for candidate in self.batch.selection.rows.get(range).unwrap_or_default() {
            let place = at;
            at += 1;
            let row = candidate.row as usize;
            let Some((event_code, it)) = self.event(row) else { continue };
            let Some(task) = self.task(row, &mut known) else { continue };
            let view = self.view(candidate, event_code, it, task)?;
            let mut goes_on = true;
            if candidate.visible != 0 {
                goes_on = emit(&view);
            }
            let mut at = view.at;
            while let Some(it) = derived.next_if(|it| it.base <= place) {
                if it.base == place {
                    at.derived = at.derived.saturating_add(1);
                    goes_on &= emit(&EventView {
                        at,
                        event: it.event,
                        scopes: it.scopes,
                        recorded: 0,
                        duration_ns: None,
                        marks: it.marks,
                        args: it.args,
                        base: Some((view.event, &view.args)),
                        ..view
                    });
                }
            }
            if !goes_on {
                break;
            }
        }
        Ok(at)
    }

    /// What is derived from the selected rows and passes the filters itself; and of each selected row whether anything of it
    /// is an event of the answer. Places of bases are those among the rows that are.
    fn derive(&self, scratch: &mut Derived) -> format::Result<(DerivedRows, Vec<bool>)> {
        let (mut rows, mut kept) = (DerivedRows::default(), Vec::new());
        let (mut place, mut known) = (0, None);
        for candidate in &self.batch.selection.rows {
            let before = rows.len();
            let row = candidate.row as usize;
            if candidate.base != 0
                && let Some((event_code, it)) = self.event(row)
                && let Some(task) = self.task(row, &mut known)
            {
                let view = self.view(candidate, event_code, it, task)?;
                let messages = of_row(&self.batch.taken.messages, candidate.row);
                let only_messages = self.batch.taken.is_end;
                let (args, ret, exe) = (view.args, view.ret, view.context.exe);
                let base = Base { event: it.event, args, ret, exe, messages, only_messages };
                self.batch.matcher.derive(&base, &view, candidate.base, scratch);
                self.judge_derived(&view, task.code, candidate.base, scratch, &mut |index, scopes, marks| {
                    rows.push(place, scratch, index, scopes, marks);
                });
            }
            let is_kept = candidate.visible != 0 || rows.len() > before;
            place += usize::from(is_kept);
            kept.push(is_kept);
        }
        Ok((rows, kept))
    }

    /// Calls `found` with each of the events that were derived from a row and pass the filters themselves, and their scopes.
    fn judge_derived(
        &self,
        base: &EventView<'_>,
        code: u16,
        scopes: u64,
        derived: &Derived,
        found: &mut dyn FnMut(usize, u64, Marks),
    ) {
        let matcher = self.batch.matcher;
        let plan = matcher.plan();
        for index in 0..derived.len() {
            let mut values = Vec::new();
            let Some(event) = derived.get(index, &mut values) else { continue };
            let marks = derived.marks(index, base.marks);
            let mut mask = scopes & plan.event_mask(event.id);
            if plan.has_ret(event.id) != 0 {
                mask &= plan.ret_mask(event.id, base.ret);
            }
            for position in plan.arg_positions(event.id) {
                let value = values.get(*position).copied().unwrap_or(Raw::Missing);
                mask &= plan.arg_mask(event.id, *position, value);
            }
            if plan.has_things(event.id) & mask != 0 {
                let value = |position: usize| values.get(position).copied().unwrap_or(Raw::Missing);
                mask &= plan.things_mask(event.id, &value);
            }
            if plan.has_event_context(event.id) & mask != 0 {
                let ask = |subject: &Subject<'_>| plan.event_context_mask(event.id, subject);
                mask &=
                    matcher.with_subject(base.context, code.into(), self.batch.facts(), base.time_ns, ask);
            }
            if plan.has_row(event.id) & mask != 0 {
                let row = RowFacts { wall_ns: base.wall_ns as u64, cpu: base.cpu, marks, duration_ns: None };
                mask &= plan.row_mask(event.id, row);
            }
            if mask != 0 {
                found(index, mask, marks);
            }
        }
    }
}

/// The messages of a row, given those of all rows in order.
fn of_row(all: &[(u32, Message)], row: u32) -> &[(u32, Message)] {
    let from = all.partition_point(|(other, _)| *other < row);
    let to = all.partition_point(|(other, _)| *other <= row);
    all.get(from..to).unwrap_or_default()
}
