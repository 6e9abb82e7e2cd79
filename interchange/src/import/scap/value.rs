//! Parameters as values of arguments.

use std::collections::BTreeMap;
use std::net::SocketAddr;

use events::{ArgKind, Event, StructKind};
use replay::render::values::base64;
use serde_json::{Map, Value, json};

use crate::import::row::{address, argument, text_of};
use crate::scap::address::{Address, Tuple};
use crate::scap::calls::{Call, Source};
use crate::scap::events::{Param, Stored};
use crate::scap::forms::Form;
use crate::scap::{NULL, UNREADABLE};

use super::event::{Params, number};

/// The arguments of a call, by position, as far as both of its events say them.
#[derive(Debug, Default)]
pub struct Arguments {
    values: BTreeMap<usize, Value>,
    unreadable: Vec<&'static str>,
}

impl Arguments {
    /// Takes what parameters say; the end of a call says it last. `result` is what the first parameter of an end is.
    pub fn take(&mut self, call: &Call, params: &Params<'_>, is_exit: bool, named: &dyn Fn(i64) -> Value) {
        for (param, bytes) in params.0.iter().skip(usize::from(is_exit)) {
            if bytes.is_empty() {
                continue;
            }
            if let Some(source) = call.source(param.name) {
                self.one(call.event, source, *param, bytes, named);
            }
        }
    }

    fn one(
        &mut self,
        event: &'static Event,
        source: Source,
        param: Param,
        bytes: &[u8],
        named: &dyn Fn(i64) -> Value,
    ) {
        let Some(declared) = event.args.get(source.at) else { return };
        let value = match param.stored {
            Stored::Text => match bytes.split(|byte| *byte == 0).next().unwrap_or_default() {
                NULL => json!(0),
                UNREADABLE => {
                    self.unreadable.push(declared.name);
                    Value::Null
                }
                text => text_of(text),
            },
            Stored::Bytes if matches!(declared.kind, ArgKind::Bytes(_)) => based(bytes),
            Stored::Address => match Address::read(bytes) {
                Some(address) => address_value(&address),
                None => return,
            },
            stored => match number(stored, bytes) {
                Some(number) if declared.kind == ArgKind::Fd => named(number),
                Some(number) => {
                    let Some(number) = source.form.read(number as u64) else { return };
                    return self.number(source, declared.kind, number);
                }
                None => return,
            },
        };
        self.set(source.at, value);
    }

    fn number(&mut self, source: Source, kind: ArgKind, number: u64) {
        let value = match (kind, source.member) {
            _ if source.form == Form::Span => {
                json!({ "tv_sec": number / 1_000_000_000, "tv_nsec": number % 1_000_000_000 })
            }
            (ArgKind::Struct(StructKind::FdPair), Some(member)) => {
                let list = self.entry(source.at, || json!([0, 0]));
                if let Some(place) = list.get_mut(usize::from(member)) {
                    *place = json!(number as i32);
                }
                return;
            }
            (kind, Some(member)) => {
                let name = match (kind, member) {
                    (ArgKind::Struct(StructKind::Rlimit | StructKind::Rlimit64), 0) => "rlim_cur",
                    (ArgKind::Struct(StructKind::Rlimit | StructKind::Rlimit64), _) => "rlim_max",
                    (_, 0) => "flags",
                    (_, 1) => "mode",
                    _ => "resolve",
                };
                let structure = self.entry(source.at, || Value::Object(Map::new()));
                if let Value::Object(members) = structure {
                    members.insert(name.to_owned(), json!(number));
                }
                return;
            }
            (ArgKind::I32, None) => json!(number as i32),
            (ArgKind::I64, None) => json!(number as i64),
            (kind, None) if kind.is_number() => json!(number),
            // A number in the place of something that it points to.
            (ArgKind::Any(_), None) => json!(number),
            _ => return,
        };
        self.set(source.at, value);
    }

    pub fn set(&mut self, at: usize, value: Value) {
        *self.entry(at, || Value::Null) = value;
    }

    fn entry(&mut self, at: usize, make: impl FnOnce() -> Value) -> &mut Value {
        self.values.entry(at).or_insert_with(make)
    }

    pub fn has(&self, at: usize) -> bool {
        self.values.get(&at).is_some_and(|value| !value.is_null())
    }

    /// As a row has them, and the names of those that could not be read.
    pub fn finish(self, event: &Event) -> (Vec<Value>, Vec<&'static str>) {
        let values = self.values.into_iter().filter_map(|(at, value)| {
            let declared = event.args.get(at)?;
            Some(argument(declared.name, declared.ctype, value))
        });
        (values.collect(), self.unreadable)
    }
}

/// Bytes as JSON's text has them.
pub fn based(bytes: &[u8]) -> Value {
    let mut quoted = Vec::new();
    base64(bytes, &mut quoted);
    serde_json::from_slice(&quoted).unwrap_or_default()
}

pub fn address_value(of: &Address) -> Value {
    match of {
        Address::Inet(end) => address(&end.ip().to_string(), end.port().into()).unwrap_or_default(),
        Address::Unix(name) => json!({ "sa_family": "AF_UNIX", "sun_path": text_of(name) }),
    }
}

/// The address that a call gives or is given, of both ends that it says.
pub fn given(name: &str, tuple: &Tuple) -> Option<Value> {
    let end = match name {
        "connect" | "sendto" => &tuple.destination,
        "accept" | "accept4" | "recvfrom" => &tuple.source,
        _ => &None,
    };
    end.as_ref().map(address_value)
}

/// What a socket stands for, by both of its ends: who began the connection is the source.
pub fn socket(word: &str, tuple: &Tuple) -> Vec<u8> {
    let inet = |end: &Option<Address>| -> Option<SocketAddr> {
        match end {
            Some(Address::Inet(end)) => Some(*end),
            _ => None,
        }
    };
    match (inet(&tuple.source), inet(&tuple.destination)) {
        (Some(source), Some(destination)) => format!("{word} {source}->{destination}").into_bytes(),
        (Some(end), None) => format!("{word} {end}").into_bytes(),
        (None, Some(end)) => {
            let any = if end.is_ipv4() { "0.0.0.0:0" } else { "[::]:0" };
            format!("{word} {any}->{end}").into_bytes()
        }
        (None, None) => match tuple.destination.as_ref().or(tuple.source.as_ref()) {
            Some(Address::Unix(name)) => [b"unix ->", &name[..]].concat(),
            _ => word.as_bytes().to_vec(),
        },
    }
}
