//! Fields of the kernel's structures.

use super::{Leaf, Parts, structure};
use crate::consts::Names;
use crate::structs::StructKind;

/// One field: where it stands and how it reads.
#[derive(Clone, Copy, Debug)]
pub(super) struct Field {
    pub name: &'static str,
    pub at: usize,
    pub form: Form,
    pub names: Names,
}

/// How a field reads; little endian.
#[derive(Clone, Copy, Debug)]
pub(super) enum Form {
    U8,
    U16,
    I16,
    U32,
    I32,
    U64,
    I64,
    Pointer,
    /// Text in so many bytes, up to a NUL.
    Text(usize),
    /// So many bytes.
    Bytes(usize),
    /// All that follows.
    Rest,
    Struct(StructKind),
}

pub(super) const fn field(name: &'static str, at: usize, form: Form) -> Field {
    Field { name, at, form, names: Names::None }
}

impl Field {
    pub(super) const fn named(self, names: Names) -> Field {
        Field { names, ..self }
    }

    /// Walks the field of a structure, name first; nothing when the bytes do not reach it.
    pub(super) fn walk(&self, bytes: &[u8], parts: &mut dyn Parts) {
        if let Form::Struct(kind) = self.form {
            let Some(inner) = bytes.get(self.at..).filter(|inner| !inner.is_empty()) else { return };
            let size = usize::from(kind.size());
            parts.member(self.name);
            return structure::walk(kind, inner.get(..size).unwrap_or(inner), Names::None, parts);
        }
        if let Some(leaf) = self.leaf(bytes) {
            parts.member(self.name);
            parts.leaf(leaf);
        }
    }

    /// The field as a leaf.
    pub(super) fn leaf<'a>(&self, bytes: &'a [u8]) -> Option<Leaf<'a>> {
        let rest = bytes.get(self.at..)?;
        let signed = |number: i64| match self.names {
            Names::None => Leaf::Signed(number),
            names => Leaf::Named(names.show(number as u64)),
        };
        let unsigned = |number: u64| match self.names {
            Names::None => Leaf::Unsigned(number),
            names => Leaf::Named(names.show(number)),
        };
        Some(match self.form {
            Form::U8 => unsigned(u64::from(*rest.first()?)),
            Form::U16 => unsigned(u16::from_le_bytes(*rest.first_chunk()?).into()),
            Form::I16 => signed(i16::from_le_bytes(*rest.first_chunk()?).into()),
            Form::U32 => unsigned(u32::from_le_bytes(*rest.first_chunk()?).into()),
            Form::I32 => signed(i32::from_le_bytes(*rest.first_chunk()?).into()),
            Form::U64 => unsigned(u64::from_le_bytes(*rest.first_chunk()?)),
            Form::I64 => signed(i64::from_le_bytes(*rest.first_chunk()?)),
            Form::Pointer => Leaf::Pointer(u64::from_le_bytes(*rest.first_chunk()?)),
            Form::Text(length) => {
                let text = rest.get(..length.min(rest.len()))?;
                Leaf::Text(text.split(|byte| *byte == 0).next()?)
            }
            Form::Bytes(length) => Leaf::Bytes(rest.get(..length)?),
            Form::Rest => Leaf::Bytes(rest),
            Form::Struct(_) => return None,
        })
    }
}
