//! From rules to programs, one list for each event that a capture may hold.
//!
//! A program is a rule's expression for one event. Its atoms are grouped by the column that they look at, equal ones are one.
//! Which rows a program is looked at for is found in each block, by what it holds: see `judge::triggers`.

use std::cell::Cell;
use std::collections::hash_map::RandomState;
use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::hash::BuildHasher;
use std::sync::Arc;

use events::catalogue::network::NET_PACKET_DNS_RESPONSE;
use events::catalogue::process::{SCHED_PROCESS_EXEC, SCHED_PROCESS_FORK};
use events::{Event, EventId};
use format::facts::{Fact, FactSet};

use crate::access::{Access, access};
use crate::class::{Carrier, Class, Guard};
use crate::column::Machine;
use crate::form::{self, Arm, Atom, Body, Execution, Expr, Field, Test};
use crate::rule::Rule;

/// Programs for the events of a capture.
#[derive(Debug, Default)]
pub struct Programs {
    pub events: BTreeMap<EventId, EventPrograms>,
    /// Why rules cannot be answered, by number of the rule, and what is approximate of those that can.
    pub unanswerable: BTreeMap<usize, String>,
    pub notes: BTreeMap<usize, Vec<String>>,
    /// Some rule asks for the name of an address.
    pub needs_host_names: bool,
    /// The facts of processes that rules ask for, or that findings tell, as far as they can be followed.
    pub asked: FactSet,
    pub followed: FactSet,
    /// Executions that are asked for later, those that others are built on before them.
    pub executions: Vec<Execution>,
}

#[derive(Debug)]
pub struct EventPrograms {
    pub event: &'static Event,
    pub columns: Vec<Column>,
    /// By number of atom: its column.
    pub column_of: Vec<u32>,
    pub atoms: Vec<Atom>,
    pub programs: Vec<Program>,
    /// What programs are asked within: of each its parts, of which any takes the row.
    pub within: Vec<Within>,
    /// Every row is looked at, whatever its values.
    pub takes_all: bool,
}

impl EventPrograms {
    /// The atoms of a column.
    pub fn atoms_of(&self, column: usize) -> &[u32] {
        self.columns.get(column).map_or(&[], |column| &column.atoms)
    }
}

/// Rows that a log makes records of.
#[derive(Debug)]
pub struct Within {
    pub parts: Vec<(Guard, Node)>,
    pub written: String,
}

#[derive(Debug)]
pub struct Column {
    pub access: Access,
    pub machine: Machine,
    /// All that are asked of it.
    pub atoms: Vec<u32>,
}

#[derive(Debug)]
pub struct Program {
    pub rule: usize,
    /// Of a sequence: which step; the one after the last is `until`.
    pub step: usize,
    /// Programs of one rule are asked of a row in this order.
    rank: usize,
    pub class: Class,
    pub guard: Guard,
    pub node: Node,
    /// Which of [`EventPrograms::within`] takes the row as well.
    pub within: Option<u32>,
    /// The columns that its atoms are of, each once.
    pub columns: Box<[u32]>,
}

impl Node {
    /// Calls `see` with each atom that is asked of a column.
    pub fn each_atom(&self, see: &mut dyn FnMut(u32)) {
        match self {
            Node::Const(_) | Node::Same(..) | Node::Time(_) => {}
            Node::Atom(atom) => see(*atom),
            Node::Not(inner) => inner.each_atom(see),
            Node::All(parts) | Node::Any(parts) => parts.iter().for_each(|part| part.each_atom(see)),
        }
    }
}

#[derive(Clone, PartialEq, Debug)]
pub enum Node {
    Const(bool),
    Atom(u32),
    /// Two fields of the row are compared.
    Same(u32, Access, Access),
    /// The row's time.
    Time(u32),
    Not(Box<Node>),
    All(Vec<Node>),
    Any(Vec<Node>),
}

/// Whether a capture holds rows of an event; why not, where it does not.
pub type Holds<'a> = dyn Fn(&'static Event) -> Result<(), String> + 'a;

/// Whether a capture's rows of an event have an argument of this name.
pub type Tells<'a> = dyn Fn(&'static Event, &str) -> bool + 'a;

/// `followed`: the facts of processes of which every change is recorded.
pub fn compile(rules: &[Rule], holds: &Holds<'_>, tells: &Tells<'_>, followed: FactSet) -> Programs {
    let mut builders: BTreeMap<EventId, Builder> = BTreeMap::new();
    let mut programs = Programs::default();
    for (number, rule) in rules.iter().enumerate() {
        let mut missing: Option<String> = None;
        let mut notes = rule.notes.clone();
        for (step, query) in rule.body.queries().into_iter().enumerate() {
            let place = Place { rule: number, step, rank: rank(rule, step) };
            let mut found = false;
            let mut reason = None;
            for arm in &query.arms {
                match carriers(&arm.class, holds) {
                    Err(why) => reason = Some(why),
                    Ok(carriers) => {
                        for carrier in carriers {
                            let known = Known { holds, tells, followed };
                            match add(&mut builders, place, arm, carrier, known, &mut notes) {
                                Ok(()) => found = true,
                                Err(why) => reason = Some(why),
                            }
                        }
                    }
                }
            }
            if !found {
                missing = missing.or(reason.or_else(|| Some("it asks for nothing".into())));
            }
        }
        if let Some(why) = missing {
            programs.unanswerable.insert(number, why);
        }
        notes.sort();
        notes.dedup();
        if !notes.is_empty() {
            programs.notes.insert(number, notes);
        }
    }
    let unanswerable = &programs.unanswerable;
    programs.events = builders
        .into_iter()
        .map(|(event, builder)| (event, builder.build(|rule| unanswerable.contains_key(&rule))))
        .filter(|(_, built)| !built.programs.is_empty())
        .collect();
    let mut columns = programs.events.values().flat_map(|it| &it.columns);
    programs.needs_host_names = columns.any(|column| column.access.asks_host_names());
    for column in programs.events.values().flat_map(|it| &it.columns) {
        column.access.add_executions(&mut programs.executions);
    }
    for field in rules.iter().flat_map(|rule| rule.body.keys()) {
        field.each_execution(&mut |execution| execution.add_to(&mut programs.executions));
    }
    let of_columns = programs.events.values().flat_map(|it| &it.columns).map(|column| column.access.facts());
    let of_keys = rules.iter().map(|rule| of_fields(&mut rule.body.keys()));
    programs.asked =
        of_columns.chain(of_keys).flat_map(FactSet::iter).filter(|it| followed.has(*it)).collect();
    let of_outputs =
        rules.iter().filter_map(|rule| rule.output.as_ref()).map(|it| of_fields(&mut it.fields()));
    // Those that every finding tells; the others take more rows to follow.
    let told = [Fact::Directory, Fact::Session, Fact::Group];
    programs.followed = (programs.asked.iter().chain(of_outputs.flat_map(FactSet::iter)).chain(told))
        .filter(|it| followed.has(*it))
        .collect();
    programs
}

fn of_fields(fields: &mut dyn Iterator<Item = Field>) -> FactSet {
    fields.flat_map(|field| field.facts().iter()).collect()
}

/// Which program of which rule.
#[derive(Clone, Copy)]
struct Place {
    rule: usize,
    step: usize,
    rank: usize,
}

/// Of a sequence the last step comes first: an event that fits two steps, one after the other, goes one step with a sequence
/// that waits, and not both. What ends sequences comes behind all steps.
fn rank(rule: &Rule, step: usize) -> usize {
    match &rule.body {
        Body::Sequence(sequence) if step < sequence.steps.len() => sequence.steps.len() - step,
        _ => step,
    }
}

/// What is known of a source.
#[derive(Clone, Copy)]
struct Known<'h> {
    holds: &'h Holds<'h>,
    tells: &'h Tells<'h>,
    followed: FactSet,
}

/// Rules that build on rules that cannot be answered cannot be either.
pub fn spread(rules: &[Rule], unanswerable: &mut BTreeMap<usize, String>) {
    for _ in 0..8 {
        let mut more = Vec::new();
        for (number, rule) in
            rules.iter().enumerate().filter(|(number, _)| !unanswerable.contains_key(number))
        {
            let missing = rule.body.builds_on().into_iter().find(|id| {
                let base = rules.iter().position(|rule| rule.id == *id);
                base.is_none_or(|base| unanswerable.contains_key(&base))
            });
            if let Some(id) = missing {
                more.push((number, format!("it builds on {id}, which cannot be answered")));
            }
        }
        if more.is_empty() {
            return;
        }
        unanswerable.extend(more);
    }
}

/// The events that carry a class in a capture.
fn carriers(class: &Class, holds: &Holds<'_>) -> Result<Vec<Carrier>, String> {
    if let Some(names) = class.named() {
        let mut found = Vec::new();
        let mut why = String::new();
        for name in names {
            match events::catalogue::by_name(name) {
                None => why = format!("there is no event {name}"),
                Some(event) => match holds(event) {
                    Ok(()) => {
                        let (guard, approximate, exact_by) = (Guard::All, None, None);
                        found.push(Carrier { event: event.name, guard, approximate, exact_by });
                    }
                    Err(reason) => why = reason,
                },
            }
        }
        return if found.is_empty() { Err(why) } else { Ok(found) };
    }
    let Some(alternatives) = class.alternatives() else {
        return Err("nothing carries it".into());
    };
    let mut why = String::new();
    for alternative in alternatives {
        let mut found = Vec::new();
        for carrier in *alternative {
            match events::catalogue::by_name(carrier.event).map(holds) {
                Some(Ok(())) => found.push(*carrier),
                Some(Err(reason)) if why.is_empty() => why = reason,
                _ => {}
            }
        }
        if !found.is_empty() {
            return Ok(found);
        }
    }
    Err(why)
}

fn add(
    builders: &mut BTreeMap<EventId, Builder>,
    place: Place,
    arm: &Arm,
    carrier: Carrier,
    source: Known<'_>,
    notes: &mut Vec<String>,
) -> Result<(), String> {
    let event = events::catalogue::by_name(carrier.event).ok_or("there is no such event")?;
    let expr = known(event, arm, source)?;
    let builder = builders.entry(event.id).or_insert_with(|| Builder::new(event));
    let within = arm.within.as_ref().map(|within| builder.within(within, source)).transpose()?;
    let is_exact = carrier.exact_by.is_some_and(|argument| (source.tells)(event, argument));
    notes.extend(carrier.approximate.filter(|_| !is_exact).map(|why| format!("{}: {why}", event.name)));
    builder.add(place, arm, carrier.guard, expr, within);
    Ok(())
}

/// What an arm asks of an event as far as that has it; why it can never hold, where it cannot.
fn known(event: &'static Event, arm: &Arm, source: Known<'_>) -> Result<Expr, String> {
    let Known { holds, followed, .. } = source;
    let has_names =
        || events::catalogue::by_id(NET_PACKET_DNS_RESPONSE).is_some_and(|answer| holds(answer).is_ok());
    let unfollowed: Cell<Option<String>> = Cell::new(None);
    let known = |field: &Field| {
        let access =
            access(event, &arm.class, field).filter(|access| !access.asks_host_names() || has_names())?;
        let fact = access.facts().iter().find(|fact| !followed.has(*fact));
        let why = fact.map(|fact| not_followed(fact, holds)).or_else(|| not_traced(&access, holds));
        match why {
            None => Some(access),
            Some(why) => {
                unfollowed.set(Some(why));
                None
            }
        }
    };
    // What the event does not have is missing: atoms over it are false.
    let mut lacking: Option<&Field> = None;
    let asked = Expr::all([arm.class.condition(), arm.expr.clone()]);
    let expr = asked.map(&mut |atom| match known(&atom.field) {
        None => {
            lacking = lacking_of(&arm.expr, &atom.field);
            Expr::Const(false)
        }
        Some(Access::Fixed(text)) => Expr::Const(atom.test.passes(crate::form::Value::Text(text.as_bytes()))),
        Some(_) => Expr::Atom(atom),
    });
    if expr != Expr::Const(false) {
        return Ok(expr);
    }
    if let Some(why) = unfollowed.take() {
        return Err(why);
    }
    Err(match lacking {
        Some(field) => format!("nothing tells the {field} of {}", event.name),
        None => format!("it can never hold for {}", event.name),
    })
}

/// Why a fact cannot be told.
fn not_followed(fact: Fact, holds: &Holds<'_>) -> String {
    let events = fact.needs().iter().filter_map(|name| events::catalogue::by_name(name));
    let why = events.filter_map(|event| holds(event).err()).next();
    match why {
        Some(why) => format!("{} cannot be followed: {why}", fact.name()),
        None => format!("{} cannot be followed: only what matched was recorded", fact.name()),
    }
}

/// Why nobody knows what processes and those before them executed, where that is asked.
fn not_traced(access: &Access, holds: &Holds<'_>) -> Option<String> {
    let mut executions = Vec::new();
    access.add_executions(&mut executions);
    let events = [SCHED_PROCESS_FORK, SCHED_PROCESS_EXEC].into_iter().filter_map(events::catalogue::by_id);
    let why = events.filter_map(|event| holds(event).err()).next().filter(|_| !executions.is_empty())?;
    Some(format!("what processes executed before cannot be followed: {why}"))
}

fn lacking_of<'a>(expr: &'a Expr, field: &Field) -> Option<&'a Field> {
    expr.fields().into_iter().find(|known| *known == field)
}

#[derive(Debug)]
struct Builder {
    event: &'static Event,
    columns: Vec<(Access, Vec<(u32, Test)>)>,
    by_access: HashMap<Access, u32>,
    atoms: Vec<Atom>,
    column_of: Vec<u32>,
    /// Atoms by their column and what a hash of their test is.
    known: HashMap<(u32, u64), Vec<u32>>,
    hasher: RandomState,
    programs: Vec<Program>,
    /// Each that was asked for; `None` where it takes no row of the event.
    within: Vec<(Arc<form::Within>, Option<Within>)>,
}

impl Builder {
    fn new(event: &'static Event) -> Builder {
        Builder {
            event,
            columns: Vec::new(),
            by_access: HashMap::new(),
            atoms: Vec::new(),
            column_of: Vec::new(),
            known: HashMap::new(),
            hasher: RandomState::new(),
            programs: Vec::new(),
            within: Vec::new(),
        }
    }

    fn add(&mut self, place: Place, arm: &Arm, guard: Guard, expr: Expr, within: Option<u32>) {
        let Place { rule, step, rank } = place;
        let node = self.node(&arm.class, expr);
        let class = arm.class.clone();
        let mut columns = BTreeSet::new();
        node.each_atom(&mut |atom| columns.extend(self.column_of.get(atom as usize)));
        let columns = columns.into_iter().collect();
        self.programs.push(Program { rule, step, rank, class, guard, node, within, columns });
    }

    /// The number of what an arm is asked within; why it takes no row of the event, where it takes none.
    fn within(&mut self, asked: &Arc<form::Within>, source: Known<'_>) -> Result<u32, String> {
        let at = match self.within.iter().position(|(known, _)| Arc::ptr_eq(known, asked)) {
            Some(at) => at,
            None => {
                let parts = self.parts(asked, source);
                let within = (!parts.is_empty()).then(|| Within { parts, written: asked.written.clone() });
                self.within.push((Arc::clone(asked), within));
                self.within.len() - 1
            }
        };
        match self.within.get(at) {
            Some((_, Some(_))) => Ok(at as u32),
            _ => Err(format!("no {} is of {}", asked.written, self.event.name)),
        }
    }

    fn parts(&mut self, asked: &form::Within, source: Known<'_>) -> Vec<(Guard, Node)> {
        let mut parts = Vec::new();
        for arm in &asked.arms {
            let carriers = carriers(&arm.class, source.holds).unwrap_or_default();
            let Some(carrier) = carriers.iter().find(|carrier| carrier.event == self.event.name) else {
                continue;
            };
            if let Ok(expr) = known(self.event, arm, source) {
                parts.push((carrier.guard, self.node(&arm.class, expr)));
            }
        }
        parts
    }

    fn node(&mut self, class: &Class, expr: Expr) -> Node {
        match expr {
            Expr::Const(value) => Node::Const(value),
            Expr::Not(inner) => Node::Not(Box::new(self.node(class, *inner))),
            Expr::All(parts) => Node::All(parts.into_iter().map(|part| self.node(class, part)).collect()),
            Expr::Any(parts) => Node::Any(parts.into_iter().map(|part| self.node(class, part)).collect()),
            Expr::Atom(atom) => {
                let Some(own) = access(self.event, class, &atom.field) else { return Node::Const(false) };
                let other = match &atom.test {
                    Test::SameAs(field, ..) => match access(self.event, class, field) {
                        Some(other) => Some(other),
                        None => return Node::Const(false),
                    },
                    _ => None,
                };
                let is_time = own == Access::Time;
                let number = self.atom(atom, &own);
                match other {
                    Some(other) => Node::Same(number, own, other),
                    None if is_time => Node::Time(number),
                    None => Node::Atom(number),
                }
            }
        }
    }

    fn atom(&mut self, atom: Atom, access: &Access) -> u32 {
        let column = *self.by_access.entry(access.clone()).or_insert_with(|| {
            self.columns.push((access.clone(), Vec::new()));
            self.columns.len() as u32 - 1
        });
        let known = self.known.entry((column, self.hasher.hash_one(&atom.test))).or_default();
        let is_same =
            |number: &&u32| self.atoms.get(**number as usize).is_some_and(|it| it.test == atom.test);
        if let Some(number) = known.iter().find(is_same) {
            return *number;
        }
        let number = self.atoms.len() as u32;
        known.push(number);
        if let Some((_, atoms)) = self.columns.get_mut(column as usize) {
            atoms.push((number, atom.test.clone()));
        }
        self.column_of.push(column);
        self.atoms.push(atom);
        number
    }

    fn build(self, is_left_out: impl Fn(usize) -> bool) -> EventPrograms {
        let Builder { event, columns, atoms, column_of, mut programs, within, .. } = self;
        programs.retain(|program| !is_left_out(program.rule));
        programs.sort_by_key(|program| (program.rule, program.rank));
        let columns = columns.into_iter().map(|(access, atoms)| Column {
            access,
            atoms: atoms.iter().map(|(atom, _)| *atom).collect(),
            machine: Machine::new(atoms),
        });
        // One that takes no row has no program; its place is kept, since programs know theirs by number.
        let nothing = || Within { parts: Vec::new(), written: String::new() };
        let within = within.into_iter().map(|(_, within)| within.unwrap_or_else(nothing)).collect();
        let columns = columns.collect();
        EventPrograms { event, columns, column_of, atoms, programs, within, takes_all: false }
    }
}
