//! Which arguments of an event the page has, and as what.

use events::{Arg, ArgKind, Event};

/// How the page's filter compares a column.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Kind {
    /// As a text.
    Text,
    /// As a number, where it is printed as one.
    Number,
    /// The number of a descriptor.
    Descriptor,
    /// What the descriptor before it stands for.
    StandsFor,
    /// It is shown and not asked.
    Shown,
}

impl Kind {
    pub fn name(self) -> &'static str {
        match self {
            Kind::Text => "text",
            Kind::Number => "number",
            Kind::Descriptor => "fd",
            Kind::StandsFor => "of",
            Kind::Shown => "shown",
        }
    }

    /// What is left out first where a page would be too large: the greatest.
    pub fn is_dispensable(self) -> u8 {
        match self {
            Kind::Text | Kind::StandsFor => 0,
            Kind::Shown => 1,
            Kind::Descriptor => 2,
            Kind::Number => 3,
        }
    }
}

/// A column: an argument's position and how it is compared.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Column {
    pub position: usize,
    pub kind: Kind,
}

/// The columns of an event, in the order of its arguments. Addresses of memory, buffers and structures stay in the capture.
pub fn columns(event: &Event) -> Vec<Column> {
    let mut columns = Vec::new();
    for (position, arg) in event.args.iter().enumerate() {
        if let Some(kind) = kind(arg) {
            columns.push(Column { position, kind });
            if kind == Kind::Descriptor {
                columns.push(Column { position, kind: Kind::StandsFor });
            }
        }
    }
    columns
}

fn kind(arg: &Arg) -> Option<Kind> {
    Some(match arg.kind {
        ArgKind::I32
        | ArgKind::U32
        | ArgKind::I64
        | ArgKind::U64
        | ArgKind::U16
        | ArgKind::U8
        | ArgKind::Bool => Kind::Number,
        ArgKind::Fd => Kind::Descriptor,
        ArgKind::Str => Kind::Text,
        ArgKind::Text(_) | ArgKind::StrArray | ArgKind::StrList(_) | ArgKind::Sockaddr(_) | ArgKind::Tree => {
            Kind::Shown
        }
        ArgKind::Pointer
        | ArgKind::Absent
        | ArgKind::Bytes(_)
        | ArgKind::Dirents(_)
        | ArgKind::Struct(_)
        | ArgKind::Sized(..)
        | ArgKind::Array(..)
        | ArgKind::Indirect(..)
        | ArgKind::Bits(_)
        | ArgKind::Iovec(_)
        | ArgKind::Msghdr
        | ArgKind::Mmsghdr(_)
        | ArgKind::Any(_) => return None,
    })
}
