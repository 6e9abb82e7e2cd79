//! The offsets that the kernel programs need, from BTF.

use events::abi::layout::{ABSENT, FIELDS, Field, Width};

use super::{Btf, Error};

/// Offsets of all fields, in the order of the table: what the programs' `Layout` is made of.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Resolved {
    offsets: Vec<u32>,
}

impl Resolved {
    /// The bytes of a `Layout`.
    pub fn to_bytes(&self) -> Vec<u8> {
        self.offsets.iter().flat_map(|offset| offset.to_ne_bytes()).collect()
    }

    /// The offset of a field, `None` when the kernel has it not or the table has it not.
    pub fn offset(&self, of: &str, name: &str) -> Option<u32> {
        let position = FIELDS.iter().position(|field| field.of == of && field.name == name)?;
        self.offsets.get(position).copied().filter(|offset| *offset != ABSENT)
    }
}

/// Finds all fields. A required one that is missing or of another width is an error: a wrong offset would be believed.
pub fn resolve(btf: &Btf) -> Result<Resolved, Error> {
    let offsets = FIELDS.iter().map(|field| field_offset(btf, field)).collect::<Result<_, _>>()?;
    Ok(Resolved { offsets })
}

fn field_offset(btf: &Btf, field: &Field) -> Result<u32, Error> {
    let found = field.paths.iter().find_map(|path| Some((*path, btf.member(field.of, path)?)));
    match found {
        Some((path, member)) => {
            let (fits, wanted) = match field.width {
                Width::Exactly(bytes) => (member.bytes == bytes, bytes),
                Width::AtLeast(bytes) => (member.bytes >= bytes, bytes),
                Width::Any => (true, 0),
            };
            if fits {
                Ok(member.offset)
            } else {
                Err(Error::Width { of: field.of, path, found: member.bytes, wanted })
            }
        }
        None if !field.required => Ok(ABSENT),
        None if !btf.has_struct(field.of) => Err(Error::NoStruct { name: field.of }),
        None => Err(Error::NoField { of: field.of, paths: field.paths }),
    }
}
