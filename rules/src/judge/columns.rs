//! The columns of one event in a block, judged value by value.

use std::cell::{OnceCell, RefCell};
use std::collections::HashMap;

use events::Raw;
use format::{Block, ColumnView, Contexts};
use format::{MISSING, NUMBER};

use super::answers::{Answers, Held, NOTHING};
use super::row::Row;
use crate::access::{Access, ContextPart, context_value, each_value};
use crate::column::Walk;
use crate::compile::{Column, EventPrograms};

/// Distinct values of facts whose answers are kept for a block.
const MAX_FACTS: usize = 1 << 16;

/// One event of a block. Columns are decoded when they are asked for first.
#[derive(Debug)]
pub struct Judged<'c, 'b> {
    pub programs: &'c EventPrograms,
    block: &'b Block,
    code: u16,
    rows: usize,
    contexts: Contexts<'b>,
    /// By number of column.
    columns: Vec<OnceCell<View<'b>>>,
    /// Arguments by position.
    args: Vec<OnceCell<ColumnView<'b>>>,
    /// Its rows are derived: they have no columns in the block, and are judged one by one.
    is_derived: bool,
    /// What could not be decoded: its values are missing until the block is given up for it.
    damage: RefCell<Option<format::Error>>,
}

/// What is judged of a column, and the answers so far.
#[derive(Debug)]
struct View<'b> {
    source: Source<'b>,
    answers: RefCell<Answers>,
    walk: RefCell<Walk>,
    by_fact: RefCell<HashMap<Vec<u8>, Held>>,
}

#[derive(Clone, Debug)]
enum Source<'b> {
    Argument(ColumnView<'b>, usize),
    Context(ContextPart),
    /// Looked up row by row.
    Row,
}

impl<'c, 'b> Judged<'c, 'b> {
    pub fn new(programs: &'c EventPrograms, block: &'b Block, code: u16) -> format::Result<Judged<'c, 'b>> {
        let columns = std::iter::repeat_with(OnceCell::new).take(programs.columns.len()).collect();
        let args = std::iter::repeat_with(OnceCell::new).take(programs.event.args.len()).collect();
        Ok(Judged {
            programs,
            block,
            code,
            rows: block.args(code).rows(),
            contexts: block.contexts()?,
            columns,
            args,
            is_derived: false,
            damage: RefCell::default(),
        })
    }

    /// Of rows that are derived from some of the block.
    pub fn of_derived(programs: &'c EventPrograms, block: &'b Block) -> format::Result<Judged<'c, 'b>> {
        Ok(Judged { is_derived: true, ..Judged::new(programs, block, u16::MAX)? })
    }

    /// Rows of the event in the block.
    pub fn rows(&self) -> usize {
        self.rows
    }

    /// What could not be decoded of what was asked for.
    pub fn damage(&self) -> Option<format::Error> {
        self.damage.borrow_mut().take()
    }

    /// An argument's column.
    pub fn argument(&self, position: usize) -> ColumnView<'b> {
        let missing = ColumnView::Missing { rows: 0 };
        let Some(cell) = self.args.get(position) else { return missing };
        *cell.get_or_init(|| {
            self.block.args(self.code).column(position).unwrap_or_else(|error| {
                self.damage.borrow_mut().get_or_insert(error);
                missing
            })
        })
    }

    fn view(&self, number: usize) -> Option<(&View<'b>, &'c Column)> {
        let column = self.programs.columns.get(number)?;
        let view = || {
            let source = match &column.access {
                Access::Argument { position, .. } if !self.is_derived => {
                    Source::Argument(self.argument(*position), *position)
                }
                // What is looked up beside the context is not the context's own.
                Access::Context(ContextPart::UserName | ContextPart::Container(_) | ContextPart::Host) => {
                    Source::Row
                }
                Access::Context(part) => Source::Context(*part),
                _ => Source::Row,
            };
            let codes = match &source {
                Source::Argument(
                    ColumnView::Bytes { dictionary, .. } | ColumnView::Mixed { dictionary, .. },
                    _,
                ) => dictionary.len(),
                Source::Context(_) => self.contexts.len(),
                _ => 0,
            };
            View {
                source,
                answers: RefCell::new(Answers::new(codes)),
                walk: RefCell::default(),
                by_fact: RefCell::default(),
            }
        };
        Some((self.columns.get(number)?.get_or_init(view), column))
    }

    /// Whether an atom of a column holds for a row.
    pub fn has(&self, number: usize, row: &Row<'_, '_>, atom: u32) -> bool {
        match self.own(number, row.ordinal, row.context_code) {
            Some(answer) => self.answer_has(number, answer, atom),
            None => self.of_row(number, row, atom),
        }
    }

    /// Whether an atom is in an answer of its column.
    pub fn answer_has(&self, number: usize, answer: u32, atom: u32) -> bool {
        let Some((view, _)) = self.view(number) else { return false };
        view.answers.borrow().sets().get(answer as usize).is_some_and(|set| set.binary_search(&atom).is_ok())
    }

    /// Calls `see` with the atoms of each answer of a column so far, by its number.
    pub fn each_answer(&self, number: usize, see: &mut dyn FnMut(u32, &[u32])) {
        let Some((view, _)) = self.view(number) else { return };
        (0u32..).zip(view.answers.borrow().sets()).for_each(|(answer, set)| see(answer, set));
    }

    /// The answer of a column for a row, where the block itself tells; `None` where rows are looked up one by one.
    pub fn own(&self, number: usize, ordinal: usize, context: u16) -> Option<u32> {
        let (view, column) = self.view(number)?;
        match &view.source {
            Source::Argument(argument, position) => {
                Some(self.of_argument(view, column, argument, *position, ordinal))
            }
            Source::Context(part) => Some(self.of_context(view, column, *part, context)),
            Source::Row => None,
        }
    }

    fn of_row(&self, number: usize, row: &Row<'_, '_>, atom: u32) -> bool {
        let Some((view, column)) = self.view(number) else { return false };
        let mut holds = false;
        row.each_value(&column.access, &mut |value| {
            if holds {
                return;
            }
            let text = value.text();
            let known = view.by_fact.borrow().get(text.as_ref()).map(|held| held.contains(&atom));
            holds = known.unwrap_or_else(|| {
                let mut held = Vec::new();
                column.machine.judge(value, &mut view.walk.borrow_mut(), &mut held);
                let holds = held.contains(&atom);
                let mut kept = view.by_fact.borrow_mut();
                if kept.len() < MAX_FACTS {
                    kept.insert(text.into_owned(), held.into());
                }
                holds
            });
        });
        holds
    }

    fn of_argument(
        &self,
        view: &View<'b>,
        column: &Column,
        argument: &ColumnView<'b>,
        position: usize,
        ordinal: usize,
    ) -> u32 {
        let number = |value: u64| {
            let judge = |held: &mut Vec<u32>| self.judge(view, column, position, Raw::Number(value), held);
            view.answers.borrow_mut().of_number(value, judge)
        };
        let code = |code: u32| self.of_dictionary(view, column, argument, position, code);
        match argument {
            ColumnView::Missing { .. } => NOTHING,
            ColumnView::Constant { number: value, .. } => number(*value),
            ColumnView::Numbers { values, missing } => match values.get(ordinal) {
                Some(value) if !missing.get(ordinal).copied().unwrap_or(false) => number(*value),
                _ => NOTHING,
            },
            ColumnView::Bytes { codes, .. } => match codes.get(ordinal) {
                Some(&MISSING) => NOTHING,
                Some(at) => code(*at),
                None if codes.is_empty() => code(0),
                None => NOTHING,
            },
            ColumnView::Mixed { values, codes, .. } => match codes.get(ordinal) {
                None | Some(&MISSING) => NOTHING,
                Some(&NUMBER) => values.get(ordinal).map_or(NOTHING, |value| number(*value)),
                Some(at) => code(*at),
            },
        }
    }

    fn of_dictionary(
        &self,
        view: &View<'b>,
        column: &Column,
        argument: &ColumnView<'b>,
        position: usize,
        code: u32,
    ) -> u32 {
        view.answers.borrow_mut().of_code(code as usize, |held| {
            let dictionary = match argument {
                ColumnView::Bytes { dictionary, .. } | ColumnView::Mixed { dictionary, .. } => *dictionary,
                _ => return,
            };
            if let Some(bytes) = dictionary.get(code) {
                self.judge(view, column, position, Raw::Bytes(bytes), held);
            }
        })
    }

    fn of_context(&self, view: &View<'b>, column: &Column, part: ContextPart, code: u16) -> u32 {
        view.answers.borrow_mut().of_code(code.into(), |held| {
            if let Some(context) = self.contexts.get(code) {
                let walk = &mut view.walk.borrow_mut();
                context_value(&context, part, &mut |value| column.machine.judge(value, walk, held));
            }
        })
    }

    fn judge(&self, view: &View<'b>, column: &Column, position: usize, raw: Raw<'_>, held: &mut Vec<u32>) {
        if let Access::Argument { part, .. } = &column.access {
            let walk = &mut view.walk.borrow_mut();
            each_value(self.programs.event, position, part, raw, &mut |value| {
                column.machine.judge(value, walk, held);
            });
        }
    }

    /// Judges all values that a column has in the block, where there are fewer of them than rows: then its answers are all
    /// that there are. What contexts tell is told of those of all events.
    pub fn judge_all(&self, number: usize) -> bool {
        let Some((view, column)) = self.view(number) else { return false };
        match &view.source {
            Source::Argument(ColumnView::Missing { .. }, _) => true,
            Source::Argument(argument @ ColumnView::Constant { .. }, position) => {
                self.of_argument(view, column, argument, *position, 0);
                true
            }
            Source::Argument(argument @ ColumnView::Bytes { dictionary, .. }, position) => {
                let is_short = dictionary.len() <= self.rows;
                let codes = if is_short { dictionary.len() as u32 } else { 0 };
                (0..codes).for_each(|code| {
                    self.of_dictionary(view, column, argument, *position, code);
                });
                is_short
            }
            Source::Argument(ColumnView::Numbers { .. } | ColumnView::Mixed { .. }, _) | Source::Row => false,
            Source::Context(part) => {
                (0..self.contexts.len() as u16).for_each(|code| {
                    self.of_context(view, column, *part, code);
                });
                true
            }
        }
    }

    /// Whether a column is one of contexts.
    pub fn is_context(&self, number: usize) -> bool {
        self.programs.columns.get(number).is_some_and(|column| matches!(column.access, Access::Context(_)))
    }

    /// Whether the block itself tells what a column's answers are.
    pub fn is_own(&self, number: usize) -> bool {
        self.view(number).is_some_and(|(view, _)| !matches!(view.source, Source::Row))
    }
}
