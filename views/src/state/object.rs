//! What is shown of a thing: fields with names and values, for tables, JSON and comparisons alike.

use std::borrow::Cow;

use super::Since;
use crate::clock::Hand;
use crate::text;

/// A process, a descriptor, a socket, a mount or a container at a moment.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Object {
    /// What tells it from all others, at any time.
    pub key: Vec<u8>,
    pub fields: Vec<Field>,
}

/// One fact of an object.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Field {
    /// In JSON.
    pub name: &'static str,
    /// Above its column in a table; `None` of what tables do not show.
    pub header: Option<&'static str>,
    pub is_right: bool,
    pub value: Value,
}

/// Bytes are a capture's own: whoever shows them spells out what a terminal would obey.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Value {
    /// Nobody saw it.
    Unknown,
    /// It is known that there is none.
    Nothing,
    Text(Cow<'static, [u8]>),
    Number(i128),
    Flag(bool),
    /// Wall clock, ns since the epoch.
    Time(i64),
    /// Since when it is known, and whether it may be gone.
    Since(Since, bool),
    Texts(Vec<Vec<u8>>),
}

impl Object {
    pub fn new(key: impl Into<Vec<u8>>) -> Object {
        Object { key: key.into(), fields: Vec::new() }
    }

    /// Adds a column of tables.
    pub fn column(mut self, name: &'static str, header: &'static str, value: Value) -> Object {
        self.fields.push(Field {
            name,
            header: Some(header),
            is_right: matches!(value, Value::Number(_)),
            value,
        });
        self
    }

    /// Adds what JSON alone has.
    pub fn fact(mut self, name: &'static str, value: Value) -> Object {
        self.fields.push(Field { name, header: None, is_right: false, value });
        self
    }
}

impl Value {
    /// Bytes of which empty ones say that there is none.
    pub fn text(bytes: &[u8]) -> Value {
        if bytes.is_empty() { Value::Nothing } else { Value::Text(Cow::Owned(bytes.to_vec())) }
    }

    /// Bytes that may not be known.
    pub fn maybe(bytes: Option<&[u8]>) -> Value {
        bytes.map_or(Value::Unknown, Value::text)
    }

    pub fn word(word: &'static str) -> Value {
        Value::Text(Cow::Borrowed(word.as_bytes()))
    }

    /// Appends the text of a table's cell; a terminal obeys nothing in it.
    pub fn write(&self, hand: &mut Hand<'_>, out: &mut Vec<u8>) {
        match self {
            Value::Unknown => out.push(b'?'),
            Value::Nothing => out.push(b'-'),
            Value::Text(bytes) => text::shown(bytes, out),
            Value::Number(number) => out.extend_from_slice(number.to_string().as_bytes()),
            Value::Flag(flag) => out.extend_from_slice(if *flag { b"yes" } else { b"no" }),
            Value::Time(ns) => hand.write(*ns, out),
            Value::Since(since, is_doubtful) => {
                match since {
                    Since::Before => out.extend_from_slice(b"before"),
                    Since::At(ns) => hand.write(*ns, out),
                    Since::Seen(ns) => {
                        out.extend_from_slice(b"<=");
                        hand.write(*ns, out);
                    }
                }
                if *is_doubtful {
                    out.push(b'?');
                }
            }
            Value::Texts(texts) => {
                for (at, bytes) in texts.iter().enumerate() {
                    if at > 0 {
                        out.push(b' ');
                    }
                    text::shown(bytes, out);
                }
            }
        }
    }
}

/// What came and what went between two moments, each in order of keys.
pub fn differences(before: Vec<Object>, after: Vec<Object>) -> (Vec<Object>, Vec<Object>) {
    let keys = |all: &[Object]| all.iter().map(|it| it.key.clone()).collect::<hashbrown::HashSet<_>>();
    let (old, new) = (keys(&before), keys(&after));
    let gone = before.into_iter().filter(|it| !new.contains(&it.key)).collect();
    let came = after.into_iter().filter(|it| !old.contains(&it.key)).collect();
    (came, gone)
}
