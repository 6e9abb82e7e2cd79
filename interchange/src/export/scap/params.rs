//! Parameters of an event as the format stores them.

use events::show::{Leaf, Parts, Shape};
use events::{ArgKind, Raw};
use pipeline::EventView;
use views::values::walk;

use crate::export::facts;
use crate::scap::address::{Address, Tuple};
use crate::scap::calls::Source;
use crate::scap::events::Stored;
use crate::scap::forms::Form;
use crate::scap::{NULL, UNREADABLE};

/// The parameters of one event: their lengths, then their bytes.
#[derive(Debug, Default)]
pub struct Params {
    ends: Vec<usize>,
    bytes: Vec<u8>,
}

impl Params {
    pub fn clear(&mut self) {
        self.ends.clear();
        self.bytes.clear();
    }

    pub fn push(&mut self, write: impl FnOnce(&mut Vec<u8>)) {
        write(&mut self.bytes);
        self.ends.push(self.bytes.len());
    }

    fn lengths(&self) -> impl Iterator<Item = usize> {
        let starts = std::iter::once(0).chain(self.ends.iter().copied());
        self.ends.iter().zip(starts).map(|(end, start)| end - start)
    }

    /// Whether one is longer than its length can say.
    pub fn is_too_long(&self) -> bool {
        self.lengths().any(|length| length > usize::from(u16::MAX))
    }

    pub fn size(&self) -> usize {
        self.ends.len() * 2 + self.bytes.len()
    }

    pub fn write(&self, out: &mut Vec<u8>) {
        out.extend((self.ends.len() as u32).to_le_bytes());
        self.lengths().for_each(|length| out.extend((length as u16).to_le_bytes()));
        out.extend_from_slice(&self.bytes);
    }
}

/// A text with its NUL. One inside of it would end it.
pub fn text(text: &[u8], out: &mut Vec<u8>) {
    out.extend(text.split(|byte| *byte == 0).next().unwrap_or_default());
    out.push(0);
}

fn number(number: u64, bytes: u8, out: &mut Vec<u8>) {
    out.extend(number.to_le_bytes().into_iter().take(bytes.into()));
}

/// What a call came back with.
pub fn result(ret: i64, stored: Stored, out: &mut Vec<u8>) {
    match stored {
        Stored::Unsigned(bytes) | Stored::Signed(bytes) => number(ret as u64, bytes, out),
        // The second form is a plain result, the first one a descriptor.
        Stored::Variant => {
            out.push(1);
            out.extend(ret.to_le_bytes());
        }
        _ => out.extend(ret.to_le_bytes()),
    }
}

/// A parameter of which nothing is known.
pub fn unknown(stored: Stored, out: &mut Vec<u8>) {
    match stored {
        Stored::Unsigned(bytes) | Stored::Signed(bytes) => number(0, bytes, out),
        Stored::Fd => out.extend((-1i64).to_le_bytes()),
        Stored::Text => out.push(0),
        Stored::Variant => out.extend([0; 9]),
        // A list of descriptors: none.
        Stored::Other => out.extend([0; 2]),
        Stored::Bytes | Stored::Address | Stored::Tuple => {}
    }
}

/// Whether a call made the file that it opened.
pub fn is_created(event: &EventView<'_>) -> bool {
    facts::created(event) == Some(true)
}

/// A parameter that is an argument, with bits beside it that the format has there.
pub fn argument(event: &EventView<'_>, source: Source, stored: Stored, bits: u64, out: &mut Vec<u8>) {
    let Some(declared) = event.event.args.get(source.at) else { return unknown(stored, out) };
    let value = event.args.get(source.at);
    match stored {
        Stored::Unsigned(_) | Stored::Signed(_) if declared.name == "mode" && !makes_a_file(event) => {
            unknown(stored, out);
        }
        Stored::Unsigned(bytes) | Stored::Signed(bytes) => match number_of(event, declared.kind, source) {
            Some(value) => number(source.form.write(value) | bits, bytes, out),
            None => unknown(stored, out),
        },
        Stored::Fd => match number_of(event, declared.kind, source) {
            Some(value) => out.extend(i64::from(value as i32).to_le_bytes()),
            None => unknown(stored, out),
        },
        Stored::Variant => {
            out.push(0);
            out.extend(number_of(event, declared.kind, source).unwrap_or(0).to_le_bytes());
        }
        Stored::Text => match value {
            Raw::Bytes(bytes) => text(bytes, out),
            Raw::Number(0) => text(NULL, out),
            _ => text(UNREADABLE, out),
        },
        Stored::Bytes => {
            if let Raw::Bytes(bytes) = value {
                out.extend_from_slice(bytes);
            }
        }
        Stored::Address => {
            let address = match value {
                Raw::Bytes(bytes) => Address::of_kernel(bytes),
                _ => None,
            };
            if let Some(address) = address {
                address.write(out);
            }
        }
        Stored::Tuple | Stored::Other => unknown(stored, out),
    }
}

/// `open` has a mode only where it may make a file; elsewhere its register holds what was left there.
fn makes_a_file(event: &EventView<'_>) -> bool {
    const CREATES: i64 = 0o100 | 0o20_000_000;
    !matches!(event.event.name, "open" | "openat")
        || facts::number(event, &["flags"]).is_some_and(|flags| flags & CREATES != 0)
}

/// The number that an argument is, or that stands in its structure.
fn number_of(event: &EventView<'_>, kind: ArgKind, source: Source) -> Option<u64> {
    let value = event.args.get(source.at);
    if kind == ArgKind::Fd {
        return value.descriptor().map(|(number, _)| number);
    }
    let bytes = match value {
        Raw::Number(number) if kind.is_number() => return Some(number),
        Raw::Bytes(bytes) => bytes,
        _ => return None,
    };
    if matches!(kind, ArgKind::Any(_)) {
        return bytes.first_chunk().map(|number| u64::from_le_bytes(*number));
    }
    let members = numbers(event, source.at);
    match source.member {
        Some(member) => members.get(usize::from(member)).copied(),
        None if source.form == Form::Span => {
            let (seconds, rest) = (members.first()?, members.get(1)?);
            Some(seconds.wrapping_mul(1_000_000_000).wrapping_add(*rest))
        }
        None => None,
    }
}

/// The numbers of a structure, in order, however the capture came by it.
pub fn numbers(event: &EventView<'_>, at: usize) -> Vec<u64> {
    let mut numbers = Numbers(Vec::new());
    walk(event, at, &mut numbers);
    numbers.0
}

struct Numbers(Vec<u64>);

impl Parts for Numbers {
    fn leaf(&mut self, leaf: Leaf<'_>) {
        self.0.extend(leaf.number());
    }

    fn open(&mut self, _: Shape) {}

    fn member(&mut self, _: &str) {}

    fn close(&mut self, _: Shape) {}
}

/// Both ends of what a call is about: who sends is the source, who connects too.
pub fn tuple(event: &EventView<'_>) -> Tuple {
    let descriptor = facts::descriptor(event).map(|(_, stands_for)| stands_for).unwrap_or_default();
    let known = Tuple::of_descriptor(descriptor);
    let given = event.event.listed_args().iter().position(|arg| matches!(arg.kind, ArgKind::Sockaddr(_)));
    let given = match given.map(|at| event.args.get(at)) {
        Some(Raw::Bytes(bytes)) => Address::of_kernel(bytes),
        _ => None,
    };
    match event.event.name {
        "connect" | "sendto" | "sendmsg" => {
            Tuple { destination: given.or(known.destination), source: known.source }
        }
        _ => Tuple { source: given.or(known.destination), destination: known.source },
    }
}
