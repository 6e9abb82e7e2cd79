//! Values as tables show them.

use core::fmt::{self, Display, Formatter};

use super::escape::{Escaped, Out, member_text};
use super::{Leaf, Parts, Shape, argument};
use crate::event::Event;
use crate::value::Raw;

/// Prints a walk as tables show it.
#[derive(Debug)]
pub struct Text<'a, O> {
    out: &'a mut O,
    /// Numbers by their names.
    named: bool,
    /// Something stands before the next part.
    follows: bool,
    /// A bit for each open value, the lowest for the innermost: whether its members are shown without their names.
    /// Walks are not 64 deep.
    anonymous: u64,
    /// Open values that have members, and those of them that are socket addresses.
    depth: u32,
    addresses: u32,
    result: fmt::Result,
}

impl<'a, O: Out> Text<'a, O> {
    pub fn new(out: &'a mut O, named: bool) -> Text<'a, O> {
        Text { out, named, follows: false, anonymous: 0, depth: 0, addresses: 0, result: Ok(()) }
    }

    /// The first error of the writer.
    pub fn finish(self) -> fmt::Result {
        self.result
    }

    fn write(&mut self, text: &str) {
        if self.result.is_ok() {
            self.result = self.out.own(text);
        }
    }

    fn separate(&mut self) {
        if self.follows {
            self.write(" ");
        }
    }
}

impl<O: Out> Parts for Text<'_, O> {
    fn leaf(&mut self, leaf: Leaf<'_>) {
        self.separate();
        let leaf = if self.named { leaf } else { leaf.raw() };
        if self.result.is_ok() {
            self.result = match leaf {
                // A path is no abstract socket, though it may begin like one.
                leaf if !self.out.escapes() => leaf.write(self.out),
                Leaf::Text(bytes @ [b'@', ..]) if self.addresses > 0 => {
                    self.out.own("\\").and_then(|()| member_text(bytes, self.out))
                }
                Leaf::Text(bytes) if self.depth > 0 => member_text(bytes, self.out),
                Leaf::Abstract(bytes) => self.out.own("@").and_then(|()| member_text(bytes, self.out)),
                leaf => leaf.write(self.out),
            };
        }
        self.follows = true;
    }

    fn open(&mut self, shape: Shape) {
        self.separate();
        self.write(match shape {
            Shape::List => "[",
            Shape::Map => "map[",
            Shape::Struct | Shape::Record => "{",
        });
        self.anonymous = self.anonymous << 1 | u64::from(shape == Shape::Struct);
        self.depth += u32::from(shape != Shape::List);
        self.addresses += u32::from(shape == Shape::Map);
        self.follows = false;
    }

    fn member(&mut self, name: &str) {
        self.separate();
        if self.anonymous & 1 == 0 {
            if self.result.is_ok() {
                // Of an imported log it may be anything.
                self.result = self.out.foreign(name.as_bytes());
            }
            self.write(":");
        }
        self.follows = false;
    }

    fn close(&mut self, shape: Shape) {
        self.write(match shape {
            Shape::List | Shape::Map => "]",
            Shape::Struct | Shape::Record => "}",
        });
        self.anonymous >>= 1;
        self.depth = self.depth.saturating_sub(u32::from(shape != Shape::List));
        self.addresses = self.addresses.saturating_sub(u32::from(shape == Shape::Map));
        self.follows = true;
    }
}

/// An argument, to be printed as tables show it.
#[derive(Clone, Copy)]
pub struct Shown<'e, 'f, 'a> {
    event: &'e Event,
    position: usize,
    arg: &'f dyn Fn(usize) -> Raw<'a>,
    named: bool,
}

/// The argument at `position` of an event, to be printed; `named`: numbers by their names.
pub fn shown<'e, 'f, 'a>(
    event: &'e Event,
    position: usize,
    arg: &'f dyn Fn(usize) -> Raw<'a>,
    named: bool,
) -> Shown<'e, 'f, 'a> {
    Shown { event, position, arg, named }
}

impl fmt::Debug for Shown<'_, '_, '_> {
    fn fmt(&self, out: &mut Formatter<'_>) -> fmt::Result {
        Display::fmt(self, out)
    }
}

impl Display for Shown<'_, '_, '_> {
    fn fmt(&self, out: &mut Formatter<'_>) -> fmt::Result {
        let mut escaped = Escaped(out);
        let mut text = Text::new(&mut escaped, self.named);
        argument(self.event, self.position, self.arg, &mut text);
        text.finish()
    }
}
