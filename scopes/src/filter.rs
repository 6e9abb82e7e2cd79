//! One checked filter: what it is about, how it compares, with what.

use std::ops::Range;

use events::EventId;

use crate::key::Field;
use crate::pattern::Pattern;
use crate::syntax::Op;

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
        event: EventId,
        position: usize,
        member: String,
    },
    Ret(EventId),
    /// A field, for one event alone.
    EventField(EventId, Field),
}

impl Target {
    /// The event that it constrains, and so selects.
    pub fn event(&self) -> Option<EventId> {
        match self {
            Target::Arg { event, .. } | Target::Ret(event) | Target::EventField(event, _) => Some(*event),
            Target::Events | Target::Follow | Target::Global | Target::Field(_) => None,
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

    /// The filter without its scope's number.
    pub fn without_scope(&self) -> &str {
        let end = self.text.find(['=', '<', '>']).unwrap_or(self.text.len());
        match self.text.get(..end).and_then(|head| head.find(':')) {
            Some(colon) => self.text.get(colon + 1..).unwrap_or(&self.text),
            None => &self.text,
        }
    }
}
