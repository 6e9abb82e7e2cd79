//! The table of types.

use hashbrown::HashMap;

use super::Error;

const MAGIC: u16 = 0xeb9f;

mod kind {
    pub const INT: u32 = 1;
    pub const PTR: u32 = 2;
    pub const ARRAY: u32 = 3;
    pub const STRUCT: u32 = 4;
    pub const UNION: u32 = 5;
    pub const ENUM: u32 = 6;
    pub const FWD: u32 = 7;
    pub const TYPEDEF: u32 = 8;
    pub const VOLATILE: u32 = 9;
    pub const CONST: u32 = 10;
    pub const RESTRICT: u32 = 11;
    pub const FUNC: u32 = 12;
    pub const FUNC_PROTO: u32 = 13;
    pub const VAR: u32 = 14;
    pub const DATASEC: u32 = 15;
    pub const FLOAT: u32 = 16;
    pub const DECL_TAG: u32 = 17;
    pub const TYPE_TAG: u32 = 18;
    pub const ENUM64: u32 = 19;
}

/// How deep anonymous members and qualifiers are followed: more than any kernel nests them.
const DEPTH: u32 = 16;

/// Parsed BTF.
#[derive(Debug)]
pub struct Btf {
    types: Vec<u8>,
    strings: Vec<u8>,
    /// Where each type starts in `types`, by id less one.
    starts: Vec<u32>,
    structs: HashMap<Vec<u8>, u32>,
    typedefs: HashMap<Vec<u8>, u32>,
    functions: HashMap<Vec<u8>, u32>,
}

/// The path of what lies behind a structure: its offset is the structure's size.
const BEHIND: &str = "+";

/// Where a member is.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Member {
    pub offset: u32,
    pub bytes: u32,
    type_id: u32,
}

/// One entry of the table: its fixed 12 bytes.
#[derive(Clone, Copy)]
struct Entry {
    name: u32,
    kind: u32,
    vlen: u32,
    kind_flag: bool,
    /// Size or type id, by kind.
    word: u32,
    /// Where its further bytes start.
    rest: usize,
}

fn u32_at(bytes: &[u8], at: usize) -> Result<u32, Error> {
    bytes.get(at..).and_then(|b| b.first_chunk()).map(|b| u32::from_ne_bytes(*b)).ok_or(Error::Torn { at })
}

impl Btf {
    pub fn parse(bytes: &[u8]) -> Result<Btf, Error> {
        let magic = bytes.first_chunk().map(|b| u16::from_ne_bytes(*b));
        if magic != Some(MAGIC) {
            return Err(Error::Magic);
        }
        let number = |at| u32_at(bytes, at).map(|n| n as usize);
        let header = number(4)?;
        let section = |start: usize, length: usize| {
            let start = header.checked_add(start).ok_or(Error::Torn { at: start })?;
            let end = start.checked_add(length).ok_or(Error::Torn { at: start })?;
            bytes.get(start..end).map(<[u8]>::to_vec).ok_or(Error::Torn { at: start })
        };
        let mut btf = Btf {
            types: section(number(8)?, number(12)?)?,
            strings: section(number(16)?, number(20)?)?,
            starts: Vec::new(),
            structs: HashMap::new(),
            typedefs: HashMap::new(),
            functions: HashMap::new(),
        };
        btf.index()?;
        Ok(btf)
    }

    fn index(&mut self) -> Result<(), Error> {
        let mut at = 0;
        while at < self.types.len() {
            let id = self.starts.len() as u32 + 1;
            let entry = self.entry_at(at)?;
            let rest = match entry.kind {
                kind::INT | kind::VAR | kind::DECL_TAG => 4,
                kind::ARRAY => 12,
                kind::STRUCT | kind::UNION | kind::DATASEC | kind::ENUM64 => 12 * entry.vlen as usize,
                kind::ENUM | kind::FUNC_PROTO => 8 * entry.vlen as usize,
                kind::PTR
                | kind::FWD
                | kind::TYPEDEF
                | kind::VOLATILE
                | kind::CONST
                | kind::RESTRICT
                | kind::FUNC
                | kind::FLOAT
                | kind::TYPE_TAG => 0,
                kind => return Err(Error::UnknownKind { id, kind }),
            };
            let name = self.name(entry.name).to_vec();
            let by_name = match entry.kind {
                kind::STRUCT => Some(&mut self.structs),
                kind::TYPEDEF => Some(&mut self.typedefs),
                kind::FUNC => Some(&mut self.functions),
                _ => None,
            };
            if let Some(by_name) = by_name {
                by_name.entry(name).or_insert(id);
            }
            self.starts.push(at as u32);
            at = entry.rest + rest;
        }
        if at == self.types.len() { Ok(()) } else { Err(Error::Torn { at }) }
    }

    fn entry_at(&self, at: usize) -> Result<Entry, Error> {
        let info = u32_at(&self.types, at + 4)?;
        Ok(Entry {
            name: u32_at(&self.types, at)?,
            kind: info >> 24 & 0x1f,
            vlen: info & 0xffff,
            kind_flag: info >> 31 != 0,
            word: u32_at(&self.types, at + 8)?,
            rest: at + 12,
        })
    }

    fn entry(&self, id: u32) -> Option<Entry> {
        let start = *self.starts.get((id as usize).checked_sub(1)?)?;
        self.entry_at(start as usize).ok()
    }

    fn name(&self, at: u32) -> &[u8] {
        let rest = self.strings.get(at as usize..).unwrap_or_default();
        rest.split(|b| *b == 0).next().unwrap_or_default()
    }

    pub fn has_struct(&self, name: &str) -> bool {
        self.structs.contains_key(name.as_bytes())
    }

    /// Whether the kernel has this tracepoint for programs that are typed by BTF.
    pub fn has_tracepoint(&self, name: &str) -> bool {
        self.typedefs.contains_key(format!("btf_trace_{name}").as_bytes())
    }

    pub fn has_function(&self, name: &str) -> bool {
        self.functions.contains_key(name.as_bytes())
    }

    pub fn function_id(&self, name: &str) -> Option<u32> {
        self.functions.get(name.as_bytes()).copied()
    }

    pub fn struct_id(&self, name: &str) -> Option<u32> {
        self.structs.get(name.as_bytes()).copied()
    }

    /// Whether a structure has a member of this name, a bit field or not.
    pub fn has_member(&self, of: &str, name: &str) -> bool {
        let Some(entry) = self.structs.get(of.as_bytes()).and_then(|id| self.entry(*id)) else {
            return false;
        };
        (0..entry.vlen as usize).any(|i| {
            u32_at(&self.types, entry.rest + i * 12).is_ok_and(|at| self.name(at) == name.as_bytes())
        })
    }

    /// How many arguments a function has.
    pub fn function_parameters(&self, name: &str) -> Option<u32> {
        let function = self.entry(*self.functions.get(name.as_bytes())?)?;
        let prototype = self.entry(function.word)?;
        (prototype.kind == kind::FUNC_PROTO).then_some(prototype.vlen)
    }

    /// Whether an enumeration has this name in it, such as `BPF_FUNC_task_pt_regs`.
    pub fn has_enumerator(&self, name: &str) -> bool {
        self.starts.iter().any(|start| {
            let Ok(entry) = self.entry_at(*start as usize) else { return false };
            let stride = match entry.kind {
                kind::ENUM => 8,
                kind::ENUM64 => 12,
                _ => return false,
            };
            (0..entry.vlen as usize).any(|i| {
                u32_at(&self.types, entry.rest + i * stride).is_ok_and(|at| self.name(at) == name.as_bytes())
            })
        })
    }

    /// Bytes of each argument of a tracepoint, without the private first one: arguments have come, gone and changed
    /// places from version to version.
    pub fn tracepoint_arguments(&self, name: &str) -> Option<Vec<u32>> {
        let typedef = self.entry(*self.typedefs.get(format!("btf_trace_{name}").as_bytes())?)?;
        let pointer = self.entry(typedef.word)?;
        let prototype = self.entry(pointer.word)?;
        if prototype.kind != kind::FUNC_PROTO {
            return None;
        }
        let types = (1..prototype.vlen as usize).map(|i| u32_at(&self.types, prototype.rest + i * 8 + 4));
        types.map(|id| self.size_of(id.ok()?, DEPTH)).collect()
    }

    /// Finds a member by a path such as `f_path.dentry`; anonymous members are looked through.
    pub fn member(&self, of: &str, path: &str) -> Option<Member> {
        let mut id = *self.structs.get(of.as_bytes())?;
        if path == BEHIND {
            return Some(Member { offset: self.entry(id)?.word, bytes: 0, type_id: id });
        }
        let mut found = Member { offset: 0, bytes: 0, type_id: id };
        for name in path.split('.') {
            let member = self.member_of(id, name.as_bytes(), DEPTH)?;
            id = self.plain(member.type_id)?;
            found = Member { offset: found.offset.checked_add(member.offset)?, ..member };
        }
        Some(found)
    }

    fn member_of(&self, id: u32, name: &[u8], depth: u32) -> Option<Member> {
        let entry = self.entry(id)?;
        if depth == 0 || !matches!(entry.kind, kind::STRUCT | kind::UNION) {
            return None;
        }
        for i in 0..entry.vlen as usize {
            let at = entry.rest + i * 12;
            let word = |n: usize| u32_at(&self.types, at + n * 4).ok();
            let (member_name, type_id, place) = (self.name(word(0)?), word(1)?, word(2)?);
            let (bit_offset, bits) =
                if entry.kind_flag { (place & 0xff_ffff, place >> 24) } else { (place, 0) };
            if member_name == name {
                // A bit field has no offset of its own.
                return (bits == 0 && bit_offset % 8 == 0).then_some(()).and_then(|()| {
                    Some(Member { offset: bit_offset / 8, bytes: self.size_of(type_id, DEPTH)?, type_id })
                });
            }
            if member_name.is_empty()
                && let Some(inner) = self.plain(type_id).and_then(|id| self.member_of(id, name, depth - 1))
            {
                return Some(Member { offset: inner.offset.checked_add(bit_offset / 8)?, ..inner });
            }
        }
        None
    }

    /// The type behind names and qualifiers.
    fn plain(&self, mut id: u32) -> Option<u32> {
        for _ in 0..DEPTH {
            let entry = self.entry(id)?;
            match entry.kind {
                kind::TYPEDEF | kind::VOLATILE | kind::CONST | kind::RESTRICT | kind::TYPE_TAG => {
                    id = entry.word
                }
                _ => return Some(id),
            }
        }
        None
    }

    fn size_of(&self, id: u32, depth: u32) -> Option<u32> {
        let entry = self.entry(self.plain(id)?)?;
        match entry.kind {
            kind::INT | kind::STRUCT | kind::UNION | kind::ENUM | kind::ENUM64 | kind::FLOAT => {
                Some(entry.word)
            }
            kind::PTR => Some(8),
            kind::ARRAY if depth > 0 => {
                let element = self.size_of(u32_at(&self.types, entry.rest).ok()?, depth - 1)?;
                element.checked_mul(u32_at(&self.types, entry.rest + 8).ok()?)
            }
            _ => None,
        }
    }
}
