//! Values as tables show them.

use core::fmt::{self, Display, Formatter, Write};

use super::leaf::{self, text};
use super::{Leaf, Parts, Shape, argument};
use crate::event::Event;
use crate::value::Raw;

/// Prints a walk as tables show it.
#[derive(Debug)]
pub struct Text<'a, W> {
    out: &'a mut W,
    /// Numbers by their names.
    named: bool,
    /// Something stands before the next part.
    follows: bool,
    /// A bit for each open value, the lowest for the innermost: whether its members are shown without their names.
    /// Walks are not 64 deep.
    anonymous: u64,
    result: fmt::Result,
}

impl<'a, W: Write> Text<'a, W> {
    pub fn new(out: &'a mut W, named: bool) -> Text<'a, W> {
        Text { out, named, follows: false, anonymous: 0, result: Ok(()) }
    }

    /// The first error of the writer.
    pub fn finish(self) -> fmt::Result {
        self.result
    }

    fn write(&mut self, text: &str) {
        if self.result.is_ok() {
            self.result = self.out.write_str(text);
        }
    }

    fn separate(&mut self) {
        if self.follows {
            self.write(" ");
        }
    }
}

impl<W: Write> Parts for Text<'_, W> {
    fn leaf(&mut self, leaf: Leaf<'_>) {
        self.separate();
        let leaf = if self.named { leaf } else { leaf.raw() };
        if self.result.is_ok() {
            self.result = match leaf {
                Leaf::Text(bytes) => text(bytes, self.out),
                Leaf::Bytes(bytes) => leaf::bytes(bytes, self.out),
                leaf => write!(self.out, "{leaf}"),
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
        self.follows = false;
    }

    fn member(&mut self, name: &str) {
        self.separate();
        if self.anonymous & 1 == 0 {
            self.write(name);
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
        let mut text = Text::new(out, self.named);
        argument(self.event, self.position, self.arg, &mut text);
        text.finish()
    }
}
