//! The columns of one event in a block, judged value by value.

use std::cell::RefCell;
use std::collections::HashMap;
use std::rc::Rc;

use events::{Context, Raw};
use format::{Block, ColumnView, Contexts};
use format::{MISSING, NUMBER};

use super::At;
use crate::access::{Access, ContextPart, Part, each_value, path_part};
use crate::compile::EventPrograms;
use crate::facts::{Processes, entity};
use crate::form::{ContainerFact, Value};

/// Distinct values of facts whose answers are kept for a block.
const MAX_FACTS: usize = 1 << 16;

/// Atoms that a value makes hold.
pub type Held = Rc<[u32]>;

/// One event of a block.
#[derive(Debug)]
pub struct Judged<'c, 'b> {
    pub programs: &'c EventPrograms,
    rows: usize,
    contexts: Contexts<'b>,
    /// By number of column.
    columns: Vec<View<'b>>,
    /// Arguments by position, for values.
    args: Vec<ColumnView<'b>>,
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
    pub processes: &'r Processes,
    pub user: &'r dyn Fn(u32) -> Option<String>,
}

impl<'c, 'b> Judged<'c, 'b> {
    pub fn new(programs: &'c EventPrograms, block: &'b Block, code: u16) -> format::Result<Judged<'c, 'b>> {
        let table = block.args(code);
        let count = programs.event.args.len();
        let args = (0..count).map(|position| table.column(position)).collect::<format::Result<Vec<_>>>()?;
        let contexts = block.contexts()?;
        let view = |access: &Access| {
            let (source, codes) = match access {
                Access::Argument { position, .. } => {
                    let column = args.get(*position).copied().unwrap_or(ColumnView::Missing { rows: 0 });
                    let codes = match column {
                        ColumnView::Bytes { dictionary, .. } | ColumnView::Mixed { dictionary, .. } => {
                            dictionary.len()
                        }
                        _ => 0,
                    };
                    (Source::Argument(column, *position), codes)
                }
                Access::Context(_) => (Source::Context, contexts.len()),
                _ => (Source::Row, 0),
            };
            View {
                source,
                by_code: RefCell::new(vec![None; codes]),
                by_number: RefCell::default(),
                by_fact: RefCell::default(),
            }
        };
        let columns = programs.columns.iter().map(|column| view(&column.access)).collect();
        Ok(Judged { programs, rows: table.rows(), contexts, columns, args, nothing: Rc::new([]) })
    }

    /// Whether any row may be taken, by the distinct values of the columns that guard.
    pub fn may_match(&self) -> bool {
        if self.rows == 0 || self.programs.programs.is_empty() {
            return false;
        }
        if !self.programs.unguarded.is_empty() {
            return true;
        }
        let guards = self.programs.columns.iter().enumerate().filter(|(_, column)| column.guards);
        for (number, _) in guards {
            let Some(view) = self.columns.get(number) else { continue };
            let distinct = view.by_code.borrow().len();
            let triggers = match &view.source {
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
            };
            if triggers {
                return true;
            }
        }
        false
    }

    /// Whether some program may take a row.
    pub fn triggers(&self, ordinal: usize, context: u16) -> bool {
        if !self.programs.unguarded.is_empty() {
            return true;
        }
        let mut guards = self.programs.columns.iter().enumerate().filter(|(_, column)| column.guards);
        guards.any(|(number, _)| match self.columns.get(number).map(|view| &view.source) {
            Some(Source::Argument(column, position)) => {
                self.of_argument(number, column, *position, ordinal).is_some_and(|answer| answer.triggers)
            }
            Some(Source::Context) => self.of_code(number, context.into()).triggers,
            _ => false,
        })
    }

    /// The atoms of a column that hold for a row.
    pub fn held(&self, number: usize, row: &Row<'_, '_>) -> Held {
        let (Some(view), Some(column)) = (self.columns.get(number), self.programs.columns.get(number)) else {
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
        let Some(view) = self.columns.get(number) else { return self.nothing() };
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
        let (Some(view), Some(column)) = (self.columns.get(number), self.programs.columns.get(number)) else {
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
            Access::Fixed(text) => see(Value::Text(text.as_bytes())),
            Access::Argument { position, part } => {
                each_value(self.judged.programs.event, *position, part, self.arg(*position), see);
            }
            Access::Ret => see(Value::Number(self.ret.into())),
            Access::Outcome => {
                let name = events::consts::errno::of_result(self.ret);
                see(Value::Text(name.unwrap_or("SUCCESS").as_bytes()));
            }
            Access::Time => see(Value::Number(self.wall_ns.into())),
            Access::Process(who, fact) => {
                self.processes.each_value(self.context, *who, *fact, self.time_ns, self.user, see);
            }
            Access::Context(ContextPart::UserName) => {
                if let Some(name) = (self.user)(self.context.uid) {
                    see(Value::Text(name.as_bytes()));
                }
            }
            Access::Context(ContextPart::Host) => see(Value::Text(self.at.host.name.as_bytes())),
            Access::Context(ContextPart::Container(fact)) => {
                let Some(container) = self.at.host.containers().get(self.context.cgroup_id) else { return };
                let text = match fact {
                    ContainerFact::Id => &container.id,
                    ContainerFact::Name => &container.name,
                    ContainerFact::Image => &container.image,
                    ContainerFact::PodName => &container.pod_name,
                    ContainerFact::PodNamespace => &container.pod_namespace,
                };
                if !text.is_empty() {
                    see(Value::Text(text.as_bytes()));
                }
            }
            Access::Context(part) => context_value(self.context, *part, see),
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

    pub fn arg(&self, position: usize) -> Raw<'_> {
        self.judged.args.get(position).map_or(Raw::Missing, |column| column.get(self.ordinal))
    }

    pub fn number(&self, name: &str) -> Option<u64> {
        match self.arg(self.judged.programs.event.arg(name)?.0) {
            Raw::Number(number) => Some(number),
            _ => None,
        }
    }
}

fn context_value(context: &Context<'_>, part: ContextPart, see: &mut dyn FnMut(Value<'_>)) {
    let mut text = |text: &[u8]| {
        if !text.is_empty() {
            see(Value::Text(text));
        }
    };
    match part {
        ContextPart::Exe => text(context.exe),
        ContextPart::ExeName => text(path_part(context.exe, &Part::Name).unwrap_or_default()),
        ContextPart::Comm => text(context.comm),
        ContextPart::Entity => text(entity(context.pid, context.process_start_ns).as_bytes()),
        ContextPart::ParentEntity => text(entity(context.ppid, context.parent_start_ns).as_bytes()),
        ContextPart::Uid => see(Value::Number(context.uid.into())),
        ContextPart::Gid => see(Value::Number(context.gid.into())),
        ContextPart::Pid => see(Value::Number(context.pid.into())),
        ContextPart::NsPid => see(Value::Number(context.ns_pid.into())),
        ContextPart::ParentPid => see(Value::Number(context.ppid.into())),
        ContextPart::UserName | ContextPart::Container(_) | ContextPart::Host => {}
    }
}
