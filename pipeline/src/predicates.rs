//! What scopes ask of single rows of one event in one block: arguments, return value, context of this event alone.
//! Each distinct value is judged once.

use events::{Event, Marks, Raw};
use format::{Block, ColumnView, Contexts, Dictionary, Durations, MISSING, NUMBER};
use scopes::Plan;
use scopes::batch::Strings;
use scopes::plan::RowFacts;

use crate::column_first::Survivor;
use crate::memo::Memo;
use crate::things::ThingPredicate;

/// The predicates of one event over the columns of one block.
#[derive(Debug)]
pub struct Predicates<'a> {
    plan: &'a Plan,
    event: &'static Event,
    /// Scopes that ask anything of a row of this event; other scopes pass by context and event alone.
    asking: u64,
    columns: Vec<ArgPredicate<'a>>,
    things: Vec<ThingPredicate<'a>>,
    rets: Option<ColumnView<'a>>,
    /// Marks of the event's rows, where results are asked for and some row has none.
    marks: Option<ColumnView<'a>>,
    last_ret: Option<(i64, u64)>,
    rows: Option<RowColumns<'a>>,
    wall_offset: u64,
    /// What is asked of contexts for this event alone.
    contexts: Option<(Contexts<'a>, Memo)>,
    /// The answer of a context changes with time: each row is asked.
    contexts_change: bool,
}

/// What is asked of rows themselves: times, CPUs and marks.
#[derive(Debug)]
struct RowColumns<'a> {
    times: &'a [u64],
    cpus: &'a [u16],
    marks: &'a [u32],
    durations: Durations<'a>,
}

#[derive(Debug)]
struct ArgPredicate<'a> {
    position: usize,
    column: ColumnView<'a>,
    memo: Memo,
    last_number: Option<(u64, u64)>,
    missing: Option<u64>,
}

/// Fewer texts are judged as they come.
const FEW_TEXTS: usize = 32;

/// Scopes that ask something of rows of this event, beyond its name and its context.
pub fn asking(plan: &Plan, event: &Event) -> u64 {
    plan.has_args(event.id)
        | plan.has_things(event.id)
        | plan.has_ret(event.id)
        | plan.has_event_context(event.id)
        | plan.has_row(event.id)
}

impl<'a> Predicates<'a> {
    /// `rows`: about how many will be asked.
    pub fn new(
        plan: &'a Plan,
        block: &'a Block,
        code: u16,
        event: &'static Event,
        rows: usize,
    ) -> format::Result<Predicates<'a>> {
        let id = event.id;
        let mut columns = Vec::new();
        if plan.has_args(id) != 0 {
            let table = block.args(code);
            for position in plan.arg_positions(id) {
                let mut column = ArgPredicate::new(*position, table.column(*position)?);
                column.judge_all(plan, event, rows);
                columns.push(column);
            }
        }
        let things = ThingPredicate::all(plan, block, code, id)?;
        let rets = if plan.has_ret(id) != 0 { Some(block.args(code).rets()?) } else { None };
        // Hardly any block has a call that had not returned.
        let marks = match rets {
            Some(_) if block.has_marked(code, Marks::UNFINISHED)? => Some(block.args(code).marks()?),
            _ => None,
        };
        let rows = if plan.has_row(id) != 0 {
            Some(RowColumns {
                times: block.times()?,
                cpus: block.cpus()?,
                marks: block.marks()?,
                durations: block.durations()?,
            })
        } else {
            None
        };
        let contexts = if plan.has_event_context(id) != 0 {
            let (contexts, mut memo) = (block.contexts()?, Memo::default());
            memo.reset(contexts.len());
            Some((contexts, memo))
        } else {
            None
        };
        let contexts_change = contexts.is_some() && plan.needs().started;
        let wall_offset = block.clock().wall(0);
        let asking = asking(plan, event);
        Ok(Predicates {
            plan,
            event,
            asking,
            columns,
            things,
            rets,
            marks,
            last_ret: None,
            rows,
            wall_offset,
            contexts,
            contexts_change,
        })
    }

    /// Whether rows are asked for more than their arguments and results: see [`Predicates::pass_row`].
    pub fn asks_rows(&self) -> bool {
        self.rows.is_some() || self.contexts.is_some()
    }

    /// Appends the rows of the event, of which there are `rows`, whose arguments and results let any scope of `visible`
    /// pass: their numbers among the event's rows, rising, and the scopes.
    pub fn survivors(&mut self, visible: u64, rows: usize, out: &mut Vec<Survivor>) {
        let (plan, event) = (self.plan, self.event);
        let mut columns = self.columns.iter_mut();
        match columns.next() {
            Some(first) => first.survivors(plan, event, visible, rows, out),
            None => out.extend((0..rows as u32).map(|ordinal| (ordinal, visible))),
        }
        for column in columns {
            out.retain_mut(|(ordinal, mask)| {
                *mask &= column.mask(plan, event, *ordinal as usize);
                *mask != 0
            });
        }
        for thing in &mut self.things {
            out.retain_mut(|(ordinal, mask)| {
                *mask &= thing.mask(*ordinal as usize);
                *mask != 0
            });
        }
        if self.rets.is_some() {
            out.retain_mut(|(ordinal, mask)| {
                *mask &= self.ret_mask(*ordinal as usize);
                *mask != 0
            });
        }
    }

    /// The scopes of `mask` that a row's arguments and result let pass. `ordinal`: its number among the rows of its event.
    pub fn pass(&mut self, mut mask: u64, ordinal: usize) -> u64 {
        if mask & self.asking == 0 {
            return mask;
        }
        mask &= self.ret_mask(ordinal);
        for column in &mut self.columns {
            if mask == 0 {
                return 0;
            }
            mask &= column.mask(self.plan, self.event, ordinal);
        }
        for thing in &mut self.things {
            if mask == 0 {
                return 0;
            }
            mask &= thing.mask(ordinal);
        }
        mask
    }

    /// The scopes of `mask` that the rest of the row lets pass. `event_context`: the answer of the plan for the row's
    /// context and this event, asked at most once for each context.
    pub fn pass_row(
        &mut self,
        mut mask: u64,
        row: usize,
        context: u16,
        event_context: impl FnOnce(Contexts<'_>) -> u64,
    ) -> u64 {
        if mask & self.asking == 0 {
            return mask;
        }
        if let Some((contexts, memo)) = &mut self.contexts {
            mask &= if self.contexts_change {
                event_context(*contexts)
            } else {
                memo.get(usize::from(context), || event_context(*contexts))
            };
        }
        if let Some(columns) = &self.rows {
            let time = columns.times.get(row).copied().unwrap_or(0);
            let facts = RowFacts {
                wall_ns: time.wrapping_add(self.wall_offset),
                cpu: columns.cpus.get(row).copied().unwrap_or(0),
                marks: Marks(columns.marks.get(row).copied().unwrap_or(0)),
                duration_ns: columns.durations.get(row),
            };
            mask &= self.plan.row_mask(self.event.id, facts);
        }
        mask
    }

    fn ret_mask(&mut self, ordinal: usize) -> u64 {
        let Some(rets) = &self.rets else { return u64::MAX };
        if let Some(marks) = &self.marks
            && matches!(marks.get(ordinal), Raw::Number(marks) if marks as u32 & Marks::UNFINISHED != 0)
        {
            return self.plan.no_ret_mask(self.event.id);
        }
        let ret = match rets.get(ordinal) {
            Raw::Number(ret) => ret as i64,
            _ => 0,
        };
        match self.last_ret {
            Some((last, answer)) if last == ret => answer,
            _ => {
                let answer = self.plan.ret_mask(self.event.id, ret);
                self.last_ret = Some((ret, answer));
                answer
            }
        }
    }
}

impl<'a> ArgPredicate<'a> {
    fn new(position: usize, column: ColumnView<'a>) -> ArgPredicate<'a> {
        let mut memo = Memo::default();
        if let ColumnView::Bytes { dictionary, .. } | ColumnView::Mixed { dictionary, .. } = &column {
            memo.reset(dictionary.len());
        }
        ArgPredicate { position, column, memo, last_number: None, missing: None }
    }

    /// Judges all distinct texts at once where most of them will be asked anyway.
    fn judge_all(&mut self, plan: &Plan, event: &Event, rows: usize) {
        if let ColumnView::Bytes { dictionary, .. } = self.column
            && dictionary.len() >= FEW_TEXTS
            && rows >= dictionary.len()
        {
            let (bytes, ends) = dictionary.parts();
            if let Some(masks) = plan.text_masks(event.id, self.position, Strings::new(bytes, ends)) {
                self.memo.fill(masks);
            }
        }
    }

    /// Appends those of the event's `rows` that pass for any scope of `visible`.
    fn survivors(&mut self, plan: &Plan, event: &Event, visible: u64, rows: usize, out: &mut Vec<Survivor>) {
        let missing = self.missing(plan, event);
        // Where all texts were judged, a row is a look-up; rows without one have no mask there.
        if let (ColumnView::Bytes { codes, .. }, Some(masks)) = (self.column, self.memo.all())
            && !codes.is_empty()
        {
            let found = (0..).zip(codes).map(|(ordinal, code)| {
                (ordinal, visible & masks.get(*code as usize).copied().unwrap_or(missing))
            });
            return out.extend(found.filter(|(_, mask)| *mask != 0));
        }
        for ordinal in 0..rows {
            let mask = visible & self.mask(plan, event, ordinal);
            if mask != 0 {
                out.push((ordinal as u32, mask));
            }
        }
    }

    fn mask(&mut self, plan: &Plan, event: &Event, ordinal: usize) -> u64 {
        match self.column {
            ColumnView::Missing { .. } => self.missing(plan, event),
            ColumnView::Constant { rows, number } if ordinal < rows => self.number(plan, event, number),
            ColumnView::Constant { .. } => self.missing(plan, event),
            ColumnView::Numbers { values, missing } => match values.get(ordinal) {
                Some(number) if !missing.get(ordinal).copied().unwrap_or(false) => {
                    self.number(plan, event, *number)
                }
                _ => self.missing(plan, event),
            },
            ColumnView::Bytes { rows, dictionary, codes } => match codes.get(ordinal) {
                Some(&MISSING) => self.missing(plan, event),
                Some(code) => self.bytes(plan, event, dictionary, *code),
                None if codes.is_empty() && ordinal < rows => self.bytes(plan, event, dictionary, 0),
                None => self.missing(plan, event),
            },
            ColumnView::Mixed { values, dictionary, codes } => match codes.get(ordinal) {
                Some(&NUMBER) => match values.get(ordinal) {
                    Some(number) => self.number(plan, event, *number),
                    None => self.missing(plan, event),
                },
                Some(&MISSING) | None => self.missing(plan, event),
                Some(code) => self.bytes(plan, event, dictionary, *code),
            },
        }
    }

    fn missing(&mut self, plan: &Plan, event: &Event) -> u64 {
        *self.missing.get_or_insert_with(|| plan.arg_mask(event.id, self.position, Raw::Missing))
    }

    fn number(&mut self, plan: &Plan, event: &Event, number: u64) -> u64 {
        match self.last_number {
            Some((last, answer)) if last == number => answer,
            _ => {
                let answer = plan.arg_mask(event.id, self.position, Raw::Number(number));
                self.last_number = Some((number, answer));
                answer
            }
        }
    }

    fn bytes(&mut self, plan: &Plan, event: &Event, dictionary: &Dictionary, code: u32) -> u64 {
        let position = self.position;
        self.memo.get(code as usize, || {
            let value = dictionary.get(code).map_or(Raw::Missing, Raw::Bytes);
            plan.arg_mask(event.id, position, value)
        })
    }
}
