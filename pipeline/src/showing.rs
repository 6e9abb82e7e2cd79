//! Rows that match as events, and what is derived from them.

use std::cell::OnceCell;
use std::ops::Range;

use events::{Event, Marks, Raw};
use format::{Block, ColumnView};
use scopes::Subject;
use scopes::plan::RowFacts;

use crate::derive::{Base, Derived};
use crate::matching::{Facts, Found, Matcher};
use crate::{Args, EventView};

/// Rows of what was found, as far as there is room for them.
pub(crate) struct Stretch<'s> {
    pub range: Range<usize>,
    pub is_full: &'s dyn Fn() -> bool,
}

impl Matcher<'_> {
    /// Decodes what showing any of the rows needs, so that damage shows before the first one does, and threads that share
    /// the block find it there.
    pub(crate) fn decode_shown(&self, block: &Block, found: &Found) -> format::Result<()> {
        block.contexts()?;
        let rows = Rows::new(block, found.present.len())?;
        for candidate in &found.candidates {
            let row = candidate.row as usize;
            if let Some(it) = rows.event_code(row).and_then(|code| found.present.get(usize::from(code))) {
                rows.columns(it.event, row)?;
            }
        }
        Ok(())
    }

    /// Calls `emit` with each event of a stretch of what was found, in order of rows, and with what is derived from them;
    /// returns how many there were, and where it stopped.
    pub(crate) fn show(
        &self,
        block: &Block,
        facts: Facts<'_>,
        found: &Found,
        wanted: Stretch<'_>,
        derived: &mut Derived,
        mut emit: Option<&mut dyn FnMut(&EventView<'_>)>,
    ) -> format::Result<(u64, usize)> {
        let mut at = wanted.range.start;
        let candidates = found.candidates.get(wanted.range).unwrap_or_default();
        if candidates.is_empty() {
            return Ok((0, at));
        }
        let mut count = 0;
        let contexts = block.contexts()?;
        let rows = Rows::new(block, found.present.len())?;
        for candidate in candidates {
            if (wanted.is_full)() {
                break;
            }
            at += 1;
            let row = candidate.row as usize;
            let visible = candidate.visible != 0;
            count += u64::from(visible);
            let Some(it) = rows.event_code(row).and_then(|code| found.present.get(usize::from(code))) else {
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
            if let (Some(emit), true) = (&mut emit, visible) {
                emit(&view);
            }
            if candidate.base != 0 {
                let base = Base { event: it.event, args, ret: view.ret };
                self.derive(&base, candidate.base, derived);
                count += self.emit_derived(&view, code, facts, candidate.base, derived, &mut emit);
            }
        }
        Ok((count, at))
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
        let plan = self.plan();
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
            if plan.has_event_context(event.id) & mask != 0 {
                let ask = |subject: &Subject<'_>| plan.event_context_mask(event.id, subject);
                mask &= self.with_subject(base.context, code.into(), facts, base.time_ns, ask);
            }
            if plan.has_row(event.id) & mask != 0 {
                let row = RowFacts { wall_ns: base.wall_ns as u64, cpu: base.cpu, marks };
                mask &= plan.row_mask(event.id, row);
            }
            if mask != 0 {
                count += 1;
                if let Some(emit) = emit {
                    emit(&EventView {
                        event,
                        scopes: mask,
                        recorded: 0,
                        marks,
                        args: Args::List(&values),
                        ..*base
                    });
                }
            }
        }
        count
    }
}

/// Columns that showing rows needs, decoded once.
struct Rows<'a> {
    block: &'a Block,
    clock: format::Clock,
    times: &'a [u64],
    rets: &'a [i64],
    cpus: &'a [u16],
    marks: &'a [u32],
    scopes: &'a [u64],
    event_codes: &'a [u16],
    context_codes: &'a [u16],
    /// By event code.
    columns: Vec<OnceCell<Vec<ColumnView<'a>>>>,
}

impl<'a> Rows<'a> {
    fn new(block: &'a Block, events: usize) -> format::Result<Rows<'a>> {
        let mut columns = Vec::new();
        columns.resize_with(events, OnceCell::new);
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
