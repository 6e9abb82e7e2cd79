//! The columns of one event in a block, judged value by value.

use std::cell::{OnceCell, RefCell};
use std::collections::HashMap;
use std::rc::Rc;

use events::{Context, Event, Raw};
use format::{Block, ColumnView, Contexts};
use format::{MISSING, NUMBER};
use pipeline::derive::DerivedRow;

use super::At;
use super::host_names::HostNames;
use crate::access::{
    Access, ContextPart, OfRow, context_value, each_computed, each_own_value, each_value, variable,
};
use crate::compile::EventPrograms;
use crate::facts::{Processes, Subject};
use crate::form::Value;

/// Distinct values of facts whose answers are kept for a block.
const MAX_FACTS: usize = 1 << 16;

/// Atoms that a value makes hold.
pub type Held = Rc<[u32]>;

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
    nothing: Held,
}

/// What is judged of a column, and the answers so far.
#[derive(Debug)]
struct View<'b> {
    source: Source<'b>,
    by_code: RefCell<Vec<Option<Answer>>>,
    by_number: RefCell<HashMap<u64, Answer>>,
    by_fact: RefCell<HashMap<Vec<u8>, Held>>,
}

#[derive(Clone, Debug)]
struct Answer {
    held: Held,
    /// One of the atoms guards a program.
    triggers: bool,
}

#[derive(Debug)]
enum Source<'b> {
    Argument(ColumnView<'b>, usize),
    Context,
    Row,
}

/// A row that is judged.
#[derive(Clone, Copy)]
pub struct Row<'r, 'b> {
    pub at: At<'r>,
    pub block: &'r Block,
    pub judged: &'r Judged<'r, 'b>,
    pub row: u32,
    /// Its number among the rows of its event.
    pub ordinal: usize,
    pub context_code: u16,
    pub context: &'r Context<'r>,
    /// Boot clock.
    pub time_ns: u64,
    pub wall_ns: i64,
    /// On the clock that orders rows of all hosts.
    pub key_ns: u64,
    pub ret: i64,
    /// The row that is judged where it is derived; all else is that of the row which it is derived from.
    pub derived: Option<DerivedRow<'r>>,
    pub processes: &'r Processes,
    pub names: &'r HostNames,
    pub user: &'r dyn Fn(u32) -> Option<String>,
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
            nothing: Rc::new([]),
        })
    }

    /// Of rows that are derived from some of the block.
    pub fn of_derived(programs: &'c EventPrograms, block: &'b Block) -> format::Result<Judged<'c, 'b>> {
        Ok(Judged { is_derived: true, ..Judged::new(programs, block, u16::MAX)? })
    }

    /// What could not be decoded of what was asked for.
    pub fn damage(&self) -> Option<format::Error> {
        self.damage.borrow_mut().take()
    }

    /// An argument's column.
    fn argument(&self, position: usize) -> ColumnView<'b> {
        let missing = ColumnView::Missing { rows: 0 };
        let Some(cell) = self.args.get(position) else { return missing };
        *cell.get_or_init(|| {
            self.block.args(self.code).column(position).unwrap_or_else(|error| {
                self.damage.borrow_mut().get_or_insert(error);
                missing
            })
        })
    }

    fn view(&self, number: usize) -> Option<&View<'b>> {
        let access = &self.programs.columns.get(number)?.access;
        let view = || {
            let (source, codes) = match access {
                Access::Argument { .. } if self.is_derived => (Source::Row, 0),
                Access::Argument { position, .. } => {
                    let column = self.argument(*position);
                    let codes = match column {
                        ColumnView::Bytes { dictionary, .. } | ColumnView::Mixed { dictionary, .. } => {
                            dictionary.len()
                        }
                        _ => 0,
                    };
                    (Source::Argument(column, *position), codes)
                }
                Access::Context(_) => (Source::Context, self.contexts.len()),
                _ => (Source::Row, 0),
            };
            View {
                source,
                by_code: RefCell::new(vec![None; codes]),
                by_number: RefCell::default(),
                by_fact: RefCell::default(),
            }
        };
        Some(self.columns.get(number)?.get_or_init(view))
    }

    /// The columns of which some value may make a program hold; `None` where any row may be taken.
    pub fn guards(&self) -> Option<Vec<usize>> {
        if !self.programs.unguarded.is_empty() {
            return None;
        }
        let guards = self.programs.columns.iter().enumerate().filter(|(_, column)| column.guards);
        Some(guards.map(|(number, _)| number).filter(|number| self.may_trigger(*number)).collect())
    }

    fn may_trigger(&self, number: usize) -> bool {
        let Some(view) = self.view(number) else { return false };
        let distinct = view.by_code.borrow().len();
        match &view.source {
            Source::Argument(ColumnView::Constant { number: value, .. }, position) => {
                self.of_number(number, *position, *value).triggers
            }
            Source::Argument(ColumnView::Missing { .. }, _) => false,
            // Looked at row by row.
            Source::Argument(ColumnView::Numbers { .. } | ColumnView::Mixed { .. }, _) => true,
            Source::Argument(ColumnView::Bytes { .. }, _) => {
                distinct > self.rows || (0..distinct).any(|code| self.of_code(number, code).triggers)
            }
            // Those of other events' rows are among them.
            Source::Context => (0..distinct).any(|code| self.of_code(number, code).triggers),
            Source::Row => true,
        }
    }

    /// Whether there may be rows that are taken, given the columns that may trigger.
    pub fn may_match(&self, guards: Option<&[usize]>) -> bool {
        self.rows > 0 && !self.programs.programs.is_empty() && guards.is_none_or(|guards| !guards.is_empty())
    }

    /// Whether some program may take a row.
    pub fn triggers(&self, guards: Option<&[usize]>, ordinal: usize, context: u16) -> bool {
        let Some(guards) = guards else { return true };
        guards.iter().any(|number| match self.view(*number).map(|view| &view.source) {
            Some(Source::Argument(column, position)) => {
                self.of_argument(*number, column, *position, ordinal).is_some_and(|answer| answer.triggers)
            }
            Some(Source::Context) => self.of_code(*number, context.into()).triggers,
            _ => false,
        })
    }

    /// The atoms of a column that hold for a row.
    pub fn held(&self, number: usize, row: &Row<'_, '_>) -> Held {
        let (Some(view), Some(column)) = (self.view(number), self.programs.columns.get(number)) else {
            return Rc::clone(&self.nothing);
        };
        match &view.source {
            Source::Argument(argument, position) => self
                .of_argument(number, argument, *position, row.ordinal)
                .map_or_else(|| Rc::clone(&self.nothing), |answer| answer.held),
            Source::Context => match &column.access {
                // Names of users are not the context's own.
                Access::Context(ContextPart::UserName | ContextPart::Container(_) | ContextPart::Host) => {
                    self.of_row(view, column, row)
                }
                _ => self.of_code(number, row.context_code.into()).held,
            },
            Source::Row => self.of_row(view, column, row),
        }
    }

    fn of_row(&self, view: &View<'_>, column: &crate::compile::Column, row: &Row<'_, '_>) -> Held {
        let mut all: Vec<u32> = Vec::new();
        row.each_value(&column.access, &mut |value| {
            let text = value.text();
            let known = view.by_fact.borrow().get(text.as_ref()).cloned();
            let held = known.unwrap_or_else(|| {
                let mut held = Vec::new();
                column.machine.judge(value, &mut held);
                let held: Held = held.into();
                let mut kept = view.by_fact.borrow_mut();
                if kept.len() < MAX_FACTS {
                    kept.insert(text.into_owned(), Rc::clone(&held));
                }
                held
            });
            all.extend(held.iter());
        });
        all.into()
    }

    fn of_argument(
        &self,
        number: usize,
        column: &ColumnView<'_>,
        position: usize,
        ordinal: usize,
    ) -> Option<Answer> {
        match column {
            ColumnView::Missing { .. } => None,
            ColumnView::Constant { number: value, .. } => Some(self.of_number(number, position, *value)),
            ColumnView::Numbers { values, missing } => {
                let is_missing = missing.get(ordinal).copied().unwrap_or(false);
                let value = values.get(ordinal).filter(|_| !is_missing)?;
                Some(self.of_number(number, position, *value))
            }
            ColumnView::Bytes { codes, .. } => match codes.get(ordinal) {
                Some(&MISSING) => None,
                Some(code) => Some(self.of_code(number, *code as usize)),
                None if codes.is_empty() => Some(self.of_code(number, 0)),
                None => None,
            },
            ColumnView::Mixed { values, codes, .. } => match codes.get(ordinal)? {
                &MISSING => None,
                &NUMBER => Some(self.of_number(number, position, *values.get(ordinal)?)),
                code => Some(self.of_code(number, *code as usize)),
            },
        }
    }

    fn of_number(&self, number: usize, position: usize, value: u64) -> Answer {
        let Some(view) = self.view(number) else { return self.nothing() };
        if let Some(known) = view.by_number.borrow().get(&value) {
            return known.clone();
        }
        let answer = self.judge(number, position, Raw::Number(value));
        let mut kept = view.by_number.borrow_mut();
        if kept.len() < MAX_FACTS {
            kept.insert(value, answer.clone());
        }
        answer
    }

    /// The answer for a code of the column's dictionary, or of the block's contexts.
    fn of_code(&self, number: usize, code: usize) -> Answer {
        let (Some(view), Some(column)) = (self.view(number), self.programs.columns.get(number)) else {
            return self.nothing();
        };
        if let Some(Some(known)) = view.by_code.borrow().get(code) {
            return known.clone();
        }
        let answer = match &view.source {
            Source::Argument(argument, position) => {
                let dictionary = match argument {
                    ColumnView::Bytes { dictionary, .. } | ColumnView::Mixed { dictionary, .. } => {
                        Some(dictionary)
                    }
                    _ => None,
                };
                let raw = dictionary.and_then(|it| it.get(code as u32)).map_or(Raw::Missing, Raw::Bytes);
                self.judge(number, *position, raw)
            }
            Source::Context => {
                let mut held = Vec::new();
                match &column.access {
                    // What is looked up beside the context may hold: rows are looked at.
                    Access::Context(
                        ContextPart::UserName | ContextPart::Container(_) | ContextPart::Host,
                    ) => {
                        return Answer { held: Rc::clone(&self.nothing), triggers: true };
                    }
                    Access::Context(part) => {
                        if let Some(context) = self.contexts.get(code as u16) {
                            context_value(&context, *part, &mut |value| {
                                column.machine.judge(value, &mut held)
                            });
                        }
                    }
                    _ => {}
                }
                self.answer(held)
            }
            Source::Row => self.nothing(),
        };
        if let Some(slot) = view.by_code.borrow_mut().get_mut(code) {
            *slot = Some(answer.clone());
        }
        answer
    }

    fn judge(&self, number: usize, position: usize, raw: Raw<'_>) -> Answer {
        let mut held = Vec::new();
        if let Some(column) = self.programs.columns.get(number)
            && let Access::Argument { part, .. } = &column.access
        {
            let event = self.programs.event;
            each_value(event, position, part, raw, &mut |value| column.machine.judge(value, &mut held));
        }
        self.answer(held)
    }

    fn answer(&self, held: Vec<u32>) -> Answer {
        if held.is_empty() {
            return self.nothing();
        }
        let guards = |atom: &u32| self.programs.guarded.get(*atom as usize).is_some_and(|it| !it.is_empty());
        let triggers = held.iter().any(guards);
        Answer { held: held.into(), triggers }
    }

    fn nothing(&self) -> Answer {
        Answer { held: Rc::clone(&self.nothing), triggers: false }
    }
}

impl Row<'_, '_> {
    /// Calls `see` with each value that a field has in this row.
    pub fn each_value(&self, access: &Access, see: &mut dyn FnMut(Value<'_>)) {
        match access {
            Access::Process(who, fact) => {
                let subject = Subject::of(self.context);
                self.processes.each_value(subject, *who, *fact, self.time_ns, self.user, see);
            }
            Access::HostName(address) => self.each_value(address, &mut |address| {
                for name in self.names.of(&address.text()) {
                    see(Value::Text(name.as_bytes()));
                }
            }),
            Access::Resolved(name) => self.each_value(name, &mut |name| {
                for address in self.names.addresses(&name.text()) {
                    see(Value::Text(address.to_string().as_bytes()));
                }
            }),
            Access::Variable(name) => {
                let process = self.processes.get(self.context.process());
                if let Some(env) = process.and_then(|process| process.env.as_deref()) {
                    variable(env, name, see);
                }
            }
            Access::Context(ContextPart::UserName) => {
                if let Some(name) = (self.user)(self.context.uid) {
                    see(Value::Text(name.as_bytes()));
                }
            }
            Access::Computed(computed, inputs) => {
                let inputs = inputs.iter().map(Option::as_ref);
                each_computed(computed, inputs, &mut |access, see| self.each_value(access, see), see);
            }
            Access::Executed(kin, execution) => {
                let subject = Subject::of(self.context);
                self.processes.each_execution(subject, *kin, execution, see);
            }
            access => each_own_value(access, self, see),
        }
    }

    /// The first value of a field, as text.
    pub fn first(&self, access: &Access) -> Option<Vec<u8>> {
        let mut first = None;
        self.each_value(access, &mut |value| {
            first.get_or_insert_with(|| value.text().into_owned());
        });
        first
    }

    pub fn number(&self, name: &str) -> Option<u64> {
        match self.arg(self.judged.programs.event.arg(name)?.0) {
            Raw::Number(number) => Some(number),
            _ => None,
        }
    }
}

impl OfRow for Row<'_, '_> {
    fn event(&self) -> &'static Event {
        self.judged.programs.event
    }

    fn arg(&self, position: usize) -> Raw<'_> {
        match &self.derived {
            Some(derived) => derived.args.get(position),
            None => self.judged.argument(position).get(self.ordinal),
        }
    }

    fn ret(&self) -> i64 {
        self.ret
    }

    fn wall_ns(&self) -> i64 {
        self.wall_ns
    }

    fn time_ns(&self) -> u64 {
        self.time_ns
    }

    fn context(&self) -> &Context<'_> {
        self.context
    }

    fn container(&self) -> Option<&pipeline::Container> {
        self.at.host.containers().get(self.context.cgroup_id)
    }

    fn host(&self) -> &str {
        &self.at.host.name
    }
}
