//! One checked filter: what it is about, how it compares, with what.

use std::cmp::Ordering;
use std::hash::{Hash, Hasher};
use std::ops::{Deref, Range};

use events::mark_names::Mark;
use events::{Event, EventId};

use crate::key::Field;
use crate::pattern::Pattern;
use crate::syntax::Op;
use crate::thing::Thing;
use crate::thing::peer::Peer;

/// A filter whose names and types fit the catalogue.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Filter {
    /// 1 to 64.
    pub scope: u8,
    /// Where it was written, for messages: `-f`, or file, line and column.
    pub flag: String,
    /// As written.
    pub text: String,
    pub target: Target,
    pub op: Op,
    /// The bytes of `text` that are the values.
    pub span: Range<usize>,
    /// The text with the values of its lists in place of their names; `None` where it names no list.
    pub spelled_out: Option<Box<str>>,
    pub values: Vec<Value>,
}

/// What a filter is about.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum Target {
    /// `event` and `set`: which events there are at all.
    Events,
    Follow,
    /// A policy's `global`: everything.
    Global,
    Field(Field),
    /// An argument of one event, or a member inside it (`remote_addr.sin_addr`); an empty member means all of it.
    Arg {
        event: Declaration,
        position: usize,
        member: String,
    },
    Ret(Declaration),
    /// A field, for one event alone.
    EventField(Declaration, Field),
    /// `file` and `peer`: what any argument names.
    Thing(Thing),
    /// The same, for one event alone.
    EventThing(Declaration, Thing),
    /// What rows are marked with.
    Mark(Marked),
    /// The same, of rows of one event or of one of its arguments.
    EventMark(Declaration, Marked),
}

/// A mark that is asked for.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct Marked {
    pub mark: &'static Mark,
    /// Of [`events::Marks`]: those of the mark, or that of one argument.
    pub bits: u32,
}

/// An event of the catalogue, or one that only a capture declares. Its id is its identity.
#[derive(Clone, Copy, Debug)]
pub struct Declaration(pub &'static Event);

impl Deref for Declaration {
    type Target = Event;

    fn deref(&self) -> &Event {
        self.0
    }
}

impl PartialEq for Declaration {
    fn eq(&self, other: &Declaration) -> bool {
        self.id == other.id
    }
}

impl Eq for Declaration {}

impl PartialOrd for Declaration {
    fn partial_cmp(&self, other: &Declaration) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Declaration {
    fn cmp(&self, other: &Declaration) -> Ordering {
        self.id.cmp(&other.id)
    }
}

impl Hash for Declaration {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.id.hash(state);
    }
}

impl Target {
    /// The event that it constrains, and so selects.
    pub fn event(&self) -> Option<EventId> {
        self.declaration().map(|event| event.id)
    }

    /// The declaration of the event that it constrains.
    pub fn declaration(&self) -> Option<Declaration> {
        match self {
            Target::Arg { event, .. }
            | Target::Ret(event)
            | Target::EventField(event, _)
            | Target::EventThing(event, _)
            | Target::EventMark(event, _) => Some(*event),
            Target::Events
            | Target::Follow
            | Target::Global
            | Target::Field(_)
            | Target::Thing(_)
            | Target::Mark(_) => None,
        }
    }

    /// The field, of the whole scope or of one event.
    pub fn field(&self) -> Option<Field> {
        match self {
            Target::Field(field) | Target::EventField(_, field) => Some(*field),
            _ => None,
        }
    }
}

/// What a filter compares with.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Value {
    /// The events that a name, a glob or a set stands for.
    Events(Vec<EventId>),
    /// `event=*`: all of them, also those that the catalogue does not know.
    EveryEvent,
    /// All that are recorded, as in a scope that chooses no event.
    Recorded,
    Number(i128),
    Text(Pattern),
    /// `pid=new`, `container=new`: younger than the recording.
    New,
    /// `container=started`.
    Started,
    /// `510@START`: the process that began at this time (boot clock, ns).
    Pin(u32, u64),
    /// A user's name, until [`crate::ScopeSet::resolve_users`] knows its number.
    User(String),
    Path(Namespace, Pattern),
    Peer(Peer),
    Flag(bool),
}

/// Where a `binary` path is looked at.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum Namespace {
    Any,
    Host,
    /// The inode number of a mount namespace.
    Is(u32),
}

impl Filter {
    /// Whether its values are ones to be had, rather than excluded.
    pub fn is_positive(&self) -> bool {
        !matches!(self.op, Op::NotEqual | Op::IsNot)
    }

    /// The filter as it means the same without the files of its lists.
    pub fn without_lists(&self) -> &str {
        self.spelled_out.as_deref().unwrap_or(&self.text)
    }

    /// The filter without its scope's number.
    pub fn without_scope(&self) -> &str {
        unnumbered(&self.text)
    }

    /// The filter without its scope's number, and with the values of its lists.
    pub fn without_scope_and_lists(&self) -> &str {
        unnumbered(self.without_lists())
    }
}

fn unnumbered(text: &str) -> &str {
    let end = text.find(['=', '<', '>']).unwrap_or(text.len());
    match text.get(..end).and_then(|head| head.find(':')) {
        Some(colon) => text.get(colon + 1..).unwrap_or(text),
        None => text,
    }
}
