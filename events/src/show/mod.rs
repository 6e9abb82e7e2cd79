//! Values as people read them: walked part by part, and printed.
//!
//! [`argument`] walks the value of an event's argument and tells a [`Parts`] what it meets; tables ([`Text`]), JSON and
//! filters ([`find`]) are such listeners, so that they can never disagree about what a value holds. Bytes may come from
//! a hostile file: what is torn is left out, and nothing panics.

mod dirent;
pub mod escape;
mod field;
mod find;
mod layout;
mod layout_system;
mod leaf;
mod sockaddr;
mod structure;
mod text;
mod vector;

use crate::args::ArgKind;
use crate::consts::Names;
use crate::event::Event;
use crate::value::{Raw, Value, strings};
use crate::variants;

pub use escape::{Escaped, Foreign, Out};
pub use find::find;
pub use leaf::Leaf;
pub use text::{Shown, Text, shown};

/// Listens to a walk over a value.
pub trait Parts {
    /// A value that has no parts.
    fn leaf(&mut self, leaf: Leaf<'_>);
    /// The parts that follow, up to the matching [`Parts::close`], are of one value.
    fn open(&mut self, shape: Shape);
    /// The name of the part that follows; never in a [`Shape::List`].
    fn member(&mut self, name: &str);
    fn close(&mut self, shape: Shape);
}

/// How the parts of a value belong together.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Shape {
    /// `[ls --color=auto]`
    List,
    /// A socket address: `map[sa_family:AF_INET sin_addr:127.0.0.1 sin_port:80]`. In JSON, Tracee writes every member
    /// as a string.
    Map,
    /// A structure of which tables show the values only: `{EchoRequest 36097 22 1}`.
    Struct,
    /// A structure of the kernel's interface: `{tv_sec:1 tv_nsec:0}`.
    Record,
}

/// Walks the argument at `position` of an event. `arg` gives the event's arguments by position: some say what others
/// are.
pub fn argument<'a>(event: &Event, position: usize, arg: &dyn Fn(usize) -> Raw<'a>, parts: &mut dyn Parts) {
    let Some(declared) = event.args.get(position) else { return parts.leaf(Leaf::Nothing) };
    let number_of = |at: usize| match (event.args.get(at).map(|arg| arg.kind), arg(at)) {
        (_, Raw::Number(number)) => number,
        (Some(ArgKind::Fd), stored) => stored.descriptor().map_or(0, |(number, _)| number),
        _ => 0,
    };
    let names = match declared.names {
        Names::SocketOption => {
            let level = event.arg("level").map_or(0, |(at, _)| number_of(at));
            declared.names.given(level)
        }
        names => names,
    };
    let read = Value::read(declared.kind, arg(position));
    match (declared.kind, read) {
        (ArgKind::Any(selector), Value::Any(number, pointed)) => {
            let selected = number_of(usize::from(selector)) as u32;
            match variants::kind(event.id, position, selected) {
                Some(kind) if !pointed.is_empty() => {
                    value(Value::read(kind, Raw::Bytes(pointed)), Names::None, parts);
                }
                // Empty text is no bytes at all.
                Some(ArgKind::Str) if number != 0 => parts.leaf(Leaf::Text(b"")),
                _ => match variants::names(event.id, position, selected) {
                    Names::None => parts.leaf(Leaf::Unsigned(number)),
                    names => parts.leaf(Leaf::Named(names.show(number))),
                },
            }
        }
        (_, Value::Struct(crate::StructKind::BpfAttr, bytes)) => structure::bpf(number_of(0), bytes, parts),
        (_, read) => value(read, names, parts),
    }
}

/// Walks a value that needs no other argument to be read.
pub fn value(value: Value<'_>, names: Names, parts: &mut dyn Parts) {
    match value {
        Value::Missing => parts.leaf(Leaf::Nothing),
        Value::Signed(number) if names == Names::None => parts.leaf(Leaf::Signed(number)),
        Value::Unsigned(number) if names == Names::None => parts.leaf(Leaf::Unsigned(number)),
        Value::Signed(number) => parts.leaf(Leaf::Named(names.show(number as u64))),
        Value::Unsigned(number) => parts.leaf(Leaf::Named(names.show(number))),
        Value::Bool(is) => parts.leaf(Leaf::Bool(is)),
        Value::Pointer(address) => parts.leaf(Leaf::Pointer(address)),
        Value::Descriptor(number, stands_for) => parts.leaf(Leaf::Descriptor(number, stands_for)),
        Value::Str(bytes) => parts.leaf(Leaf::Text(bytes)),
        Value::StrArray(bytes) => {
            parts.open(Shape::List);
            for string in strings(bytes) {
                parts.leaf(Leaf::Text(string));
            }
            parts.close(Shape::List);
        }
        Value::Bytes(bytes) => parts.leaf(Leaf::Bytes(bytes)),
        Value::Dirents(bytes) => dirent::entries(bytes, parts),
        Value::Sockaddr(bytes) => sockaddr::walk(bytes, parts),
        Value::Struct(kind, bytes) => structure::walk(kind, bytes, names, parts),
        Value::Array(kind, bytes) => structure::array(kind, bytes, names, parts),
        Value::Bits(bytes) => {
            parts.open(Shape::List);
            for (at, byte) in bytes.iter().enumerate() {
                for bit in (0..8).filter(|bit| byte & (1 << bit) != 0) {
                    parts.leaf(Leaf::Unsigned(at as u64 * 8 + bit));
                }
            }
            parts.close(Shape::List);
        }
        Value::Iovec(bytes) => vector::vectors(bytes, parts),
        Value::Messages { bytes, many } => vector::messages(bytes, many, parts),
        Value::Any(number, _) => parts.leaf(Leaf::Unsigned(number)),
        Value::Tree(bytes) => crate::tree::walk(bytes, parts),
    }
}
