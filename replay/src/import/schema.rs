//! The events of a log: those of the catalogue by name, and declarations for the others.

use std::collections::BTreeMap;

use events::{ArgKind, Event, catalogue};
use format::{ArgSchema, EventSchema};
use serde_json::Value;

use super::line::Line;

/// How an argument's values are stored.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Stored {
    /// As the catalogue's kind is.
    Kind(ArgKind, events::Names),
    Text,
    Signed,
    Unsigned,
    /// As members and lists: [`events::tree`].
    Tree,
}

impl Stored {
    /// Whether such an argument can be cut or unreadable.
    pub fn has_marks(self) -> bool {
        match self {
            Stored::Kind(kind, _) => kind.has_marks(),
            Stored::Text | Stored::Tree => true,
            Stored::Signed | Stored::Unsigned => false,
        }
    }
}

/// Events beside those that any capture declares.
#[derive(Debug, Default)]
pub struct Foreign {
    /// By name.
    events: BTreeMap<String, Declared>,
}

#[derive(Debug)]
struct Declared {
    id: u16,
    syscall: bool,
    /// In the order in which the log's first line of this event has them.
    args: Vec<DeclaredArg>,
    /// Some line says in which call it happened: an argument behind the others.
    has_caller: bool,
}

#[derive(Debug)]
struct DeclaredArg {
    name: String,
    ctype: String,
    stored: Option<Stored>,
}

/// Ids of undeclared events in an imported file; the catalogue's are far below.
const FIRST_ID: u16 = 0x6000;
const MAX_EVENTS: usize = 4096;
/// One less than a capture may have: the call is one more.
const MAX_ARGS: usize = format::limits::EVENT_ARGS - 1;

impl Foreign {
    /// Takes note of a line's event. Derived events are declared too: a recorded capture has none, a log may.
    pub fn see(&mut self, line: &Line) -> Result<(), String> {
        if line.event_name.is_empty() {
            return Err("an event without a name".to_owned());
        }
        if catalogue::by_name(&line.event_name).is_some() {
            return Ok(());
        }
        let next = self.events.len();
        if next >= MAX_EVENTS && !self.events.contains_key(&line.event_name) {
            return Err(format!("more than {MAX_EVENTS} events that this program does not know"));
        }
        let declared = self.events.entry(line.event_name.clone()).or_insert_with(|| Declared {
            id: FIRST_ID + next as u16,
            syscall: line.syscall == line.event_name,
            args: Vec::new(),
            has_caller: false,
        });
        declared.has_caller |= !declared.syscall && !line.syscall.is_empty();
        for argument in &line.args {
            let (stored, count) = (guess(&argument.value), declared.args.len());
            let known = declared.args.iter_mut().find(|known| known.name == argument.name);
            match known {
                Some(known) => known.stored = join(known.stored, stored),
                None if count < MAX_ARGS => declared.args.push(DeclaredArg {
                    name: argument.name.clone(),
                    ctype: argument.ctype.clone(),
                    stored,
                }),
                None => return Err(format!("more than {MAX_ARGS} arguments")),
            }
        }
        Ok(())
    }

    /// The id of a line's event in the file, and its arguments in order.
    pub fn event(&self, line: &Line) -> Option<(u16, Vec<(String, Stored)>)> {
        if let Some(event) = catalogue::by_name(&line.event_name) {
            let args = event.args.iter().map(|arg| (arg.name.to_owned(), Stored::Kind(arg.kind, arg.names)));
            return Some((event.id.0, args.collect()));
        }
        let declared = self.events.get(&line.event_name)?;
        let args = declared.args.iter().map(|arg| (arg.name.clone(), arg.stored.unwrap_or(Stored::Tree)));
        let caller = declared.has_caller.then(|| (Event::CALLER.to_owned(), Stored::Text));
        Some((declared.id, args.chain(caller).collect()))
    }

    pub fn declarations(&self) -> Vec<EventSchema> {
        let derived = catalogue::events().filter(|event| event.is_derived()).map(of_catalogue);
        let foreign = self.events.iter().map(|(name, declared)| EventSchema {
            id: declared.id,
            name: name.clone(),
            sets: Vec::new(),
            args: declared
                .args
                .iter()
                .map(|arg| schema(&arg.name, &arg.ctype, word(arg.stored)))
                .chain(declared.has_caller.then(|| schema(Event::CALLER, "const char*", "str")))
                .collect(),
            syscall: declared.syscall,
        });
        derived.chain(foreign).collect()
    }
}

/// Derived events of the catalogue have text, numbers and trees only.
fn of_catalogue(event: &Event) -> EventSchema {
    let arg = |arg: &events::Arg| {
        let kind = match arg.kind {
            ArgKind::Str => "str",
            ArgKind::StrArray => "str_array",
            ArgKind::Tree => "tree",
            kind if kind.is_signed() => "i64",
            ArgKind::Pointer => "pointer",
            ArgKind::Bool => "bool",
            kind if kind.is_number() => "u64",
            _ => "bytes",
        };
        schema(arg.name, arg.ctype, kind)
    };
    EventSchema {
        id: event.id.0,
        name: event.name.to_owned(),
        sets: event.sets.iter().map(|set| set.name().to_owned()).collect(),
        args: event.args.iter().map(arg).collect(),
        syscall: false,
    }
}

fn schema(name: &str, ctype: &str, kind: &str) -> ArgSchema {
    ArgSchema { name: name.to_owned(), ctype: ctype.to_owned(), kind: kind.to_owned() }
}

fn word(stored: Option<Stored>) -> &'static str {
    match stored {
        Some(Stored::Text) => "str",
        Some(Stored::Signed) => "i64",
        Some(Stored::Unsigned) => "u64",
        _ => "tree",
    }
}

/// How a value would be stored if all others were like it.
fn guess(value: &Value) -> Option<Stored> {
    match value {
        Value::Null => None,
        Value::String(_) => Some(Stored::Text),
        Value::Number(number) if number.is_u64() => Some(Stored::Unsigned),
        Value::Number(number) if number.is_i64() => Some(Stored::Signed),
        _ => Some(Stored::Tree),
    }
}

/// How values of both kinds are stored.
fn join(a: Option<Stored>, b: Option<Stored>) -> Option<Stored> {
    match (a, b) {
        (None, it) | (it, None) => it,
        (Some(a), Some(b)) if a == b => Some(a),
        (Some(Stored::Signed | Stored::Unsigned), Some(Stored::Signed | Stored::Unsigned)) => {
            Some(Stored::Signed)
        }
        _ => Some(Stored::Tree),
    }
}
