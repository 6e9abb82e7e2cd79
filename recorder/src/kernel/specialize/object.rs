//! The functions of an object, taken out of it and put back where they have become shorter: what follows them in a section
//! moves up, and with it symbols, relocations, calls, and what BTF says of where functions begin.

use std::collections::HashMap;

use object::{
    build::{
        self, Id as _,
        elf::{Builder, Relocation, Section, SectionData, SectionId, Symbol, SymbolId},
    },
    elf::{SHF_EXECINSTR, SHT_PROGBITS, SHT_STRTAB, STT_FUNC, STT_SECTION},
};

use super::{
    constants::Data,
    evaluate,
    function::Function,
    instruction::{Instruction, OWN_FUNCTION, SLOT},
};

/// Why an object cannot be specialized: it is not one that `cargo xtask ebpf` makes.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    #[error("it cannot be read or written as ELF: {0}")]
    Elf(#[from] build::Error),
    #[error("it has no {0}")]
    Missing(String),
    #[error("{0} is not made of whole functions with instructions that are known")]
    Code(String),
    #[error("its section {0} is aligned to {1} bytes")]
    Alignment(String, u64),
    #[error("its BTF is cut off, or has more in it than functions")]
    Btf,
}

/// The object with its functions made what they come to where these globals of the read-only data have these values.
pub fn specialize(object: &[u8], globals: &[(&str, &[u8])]) -> Result<Vec<u8>, Error> {
    let mut builder = Builder::read64(object)?;
    are_aligned(&builder)?;
    let data = read_only_data(&builder, globals)?;
    let mut sections = Vec::new();
    for section in builder.sections.iter().filter(|section| is_code(section)) {
        sections.push(Code::read(&builder, section, &data)?);
    }
    let starts = Starts::of(&sections);
    for section in &sections {
        section.put_back(&mut builder, &starts)?;
    }
    move_function_info(&mut builder, &starts)?;
    separate_names(&mut builder);
    let mut written = Vec::new();
    builder.write(&mut written)?;
    Ok(written)
}

/// Whether sections are aligned as anything is: what writes the object puts as many bytes between them as they ask for.
fn are_aligned(builder: &Builder<'_>) -> Result<(), Error> {
    const MOST: u64 = 4096;
    let is_odd = |section: &&Section<'_>| {
        let align = section.sh_addralign;
        align > MOST || align > 1 && !align.is_power_of_two()
    };
    match builder.sections.iter().find(is_odd) {
        Some(section) => Err(Error::Alignment(name_of(section), section.sh_addralign)),
        None => Ok(()),
    }
}

/// The linker gives names of sections and of symbols one table; what writes the object wants one for each.
fn separate_names(builder: &mut Builder<'_>) {
    if !builder.sections.iter().any(|section| matches!(section.data, SectionData::SectionString)) {
        let names = builder.sections.add();
        names.name = ".shstrtab".into();
        names.sh_type = SHT_STRTAB;
        names.sh_addralign = 1;
        names.data = SectionData::SectionString;
    }
}

fn name_of(section: &Section<'_>) -> String {
    section.name.to_string()
}

fn bytes_of<'a>(section: &'a Section<'_>) -> Option<&'a [u8]> {
    match &section.data {
        SectionData::Data(bytes) => Some(bytes),
        _ => None,
    }
}

fn section_named<'a, 'data>(builder: &'a Builder<'data>, name: &str) -> Result<&'a Section<'data>, Error> {
    let mut sections = builder.sections.iter();
    sections
        .find(|section| section.name.as_slice() == name.as_bytes())
        .ok_or_else(|| Error::Missing(format!("section {name}")))
}

fn is_code(section: &Section<'_>) -> bool {
    section.sh_type == SHT_PROGBITS
        && section.sh_flags & u64::from(SHF_EXECINSTR) != 0
        && bytes_of(section).is_some_and(|bytes| !bytes.is_empty())
}

/// The section of read-only data, and what is in it when the programs run.
struct ReadOnly {
    section: SectionId,
    bytes: Vec<u8>,
}

fn read_only_data(builder: &Builder<'_>, globals: &[(&str, &[u8])]) -> Result<ReadOnly, Error> {
    let section = section_named(builder, ".rodata")?;
    let mut bytes = bytes_of(section).unwrap_or_default().to_vec();
    for (name, value) in globals {
        let mut symbols = builder.symbols.iter();
        let place = symbols
            .find(|symbol| symbol.section == Some(section.id()) && symbol.name.as_slice() == name.as_bytes())
            .filter(|symbol| symbol.st_size == value.len() as u64)
            .and_then(|symbol| {
                let at = usize::try_from(symbol.st_value).ok()?;
                bytes.get_mut(at..at.checked_add(value.len())?)
            });
        place.ok_or_else(|| Error::Missing((*name).to_owned()))?.copy_from_slice(value);
    }
    Ok(ReadOnly { section: section.id(), bytes })
}

/// A section of functions.
struct Code {
    section: SectionId,
    name: String,
    relocations: Option<SectionId>,
    /// As they were; instructions name them by their index.
    old_relocations: Vec<Relocation>,
    functions: Vec<Placed>,
}

/// A function and where it was.
struct Placed {
    symbol: SymbolId,
    /// The byte in its section.
    start: u64,
    function: Function,
}

impl Code {
    /// Reads a section's functions and evaluates them.
    fn read(builder: &Builder<'_>, section: &Section<'_>, data: &ReadOnly) -> Result<Code, Error> {
        let malformed = || Error::Code(name_of(section));
        let bytes = bytes_of(section).ok_or_else(malformed)?;
        let relocations = builder.sections.iter().find(|other| {
            other.sh_info_section == Some(section.id()) && matches!(other.data, SectionData::Relocation(_))
        });
        let old_relocations = match relocations.map(|relocations| &relocations.data) {
            Some(SectionData::Relocation(relocations)) => relocations.clone(),
            _ => Vec::new(),
        };
        let by_offset: HashMap<u64, usize> =
            old_relocations.iter().enumerate().map(|(index, one)| (one.r_offset, index)).collect();
        let symbol_of = |index: usize| {
            old_relocations.get(index).and_then(|one| one.symbol).map(|symbol| builder.symbols.get(symbol))
        };
        let data_symbols: Vec<Option<u64>> = (0..old_relocations.len())
            .map(|index| {
                symbol_of(index)
                    .filter(|symbol| symbol.section == Some(data.section))
                    .map(|symbol| symbol.st_value)
            })
            .collect();
        let mut symbols: Vec<_> = builder
            .symbols
            .iter()
            .filter(|symbol| symbol.section == Some(section.id()) && symbol.st_type() == STT_FUNC)
            .collect();
        symbols.sort_by_key(|symbol| symbol.st_value);
        let mut functions = Vec::new();
        let (mut end, mut found) = (0, 0);
        for symbol in symbols {
            if symbol.st_value != end {
                return Err(malformed());
            }
            let start = symbol.st_value;
            end = start.checked_add(symbol.st_size).ok_or_else(malformed)?;
            let range = usize::try_from(start).ok().zip(usize::try_from(end).ok());
            let body = range.and_then(|(start, end)| bytes.get(start..end)).ok_or_else(malformed)?;
            let relocation_of = |at: usize| by_offset.get(&(start + at as u64)).copied();
            let mut function = Function::read(body, relocation_of).ok_or_else(malformed)?;
            let places: Vec<usize> = function.placed().map(|(place, _)| place).collect();
            for (instruction, place) in function.instructions.iter_mut().zip(places) {
                let symbol = instruction.relocation.and_then(symbol_of);
                found += usize::from(instruction.relocation.is_some());
                // What leads to a function names where that is until it is known where it comes to lie.
                let slot = match Reference::of(builder, instruction, symbol).ok_or_else(malformed)? {
                    None => continue,
                    Some(Reference::Call(_)) => instruction.imm.checked_add(1),
                    Some(Reference::Address(_)) => {
                        (instruction.imm % SLOT as i32 == 0).then_some(instruction.imm / SLOT as i32)
                    }
                    Some(Reference::Near) => i32::try_from((start + place as u64) / SLOT as u64)
                        .ok()
                        .and_then(|here| here.checked_add(1)?.checked_add(instruction.imm)),
                };
                instruction.imm = slot.ok_or_else(malformed)?;
            }
            evaluate(&mut function, &Data { bytes: &data.bytes, symbols: &data_symbols });
            functions.push(Placed { symbol: symbol.id(), start, function });
        }
        if end != bytes.len() as u64 || found != old_relocations.len() {
            return Err(malformed());
        }
        Ok(Code {
            section: section.id(),
            name: name_of(section),
            relocations: relocations.map(Section::id),
            old_relocations,
            functions,
        })
    }

    fn put_back(&self, builder: &mut Builder<'_>, starts: &Starts) -> Result<(), Error> {
        let malformed = || Error::Code(self.name.clone());
        let (mut bytes, mut relocations) = (Vec::new(), Vec::new());
        for placed in &self.functions {
            let start = bytes.len() as u64;
            let mut function = placed.function.clone();
            let places: Vec<usize> = function.placed().map(|(place, _)| place).collect();
            for (instruction, place) in function.instructions.iter_mut().zip(places) {
                let at = start + place as u64;
                let old = instruction.relocation.and_then(|index| self.old_relocations.get(index));
                relocations.extend(old.map(|old| Relocation { r_offset: at, ..*old }));
                let symbol = old.and_then(|old| old.symbol).map(|symbol| builder.symbols.get(symbol));
                let reference = Reference::of(builder, instruction, symbol).ok_or_else(malformed)?;
                let begins = |section: SectionId, instruction: &Instruction| {
                    let old = u64::try_from(instruction.imm).ok()? * SLOT as u64;
                    i32::try_from(starts.start(section, old)? / SLOT as u64).ok()
                };
                let imm = match reference {
                    None => continue,
                    Some(Reference::Call(section)) => begins(section, instruction).map(|slot| slot - 1),
                    Some(Reference::Address(section)) => {
                        begins(section, instruction).and_then(|slot| slot.checked_mul(SLOT as i32))
                    }
                    Some(Reference::Near) => begins(self.section, instruction)
                        .zip(i32::try_from(at / SLOT as u64).ok())
                        .map(|(slot, here)| slot - here - 1),
                };
                instruction.imm = imm.ok_or_else(malformed)?;
            }
            let written = function.write().ok_or_else(malformed)?;
            let symbol = builder.symbols.get_mut(placed.symbol);
            (symbol.st_value, symbol.st_size) = (start, written.len() as u64);
            bytes.extend_from_slice(&written);
        }
        let section = builder.sections.get_mut(self.section);
        section.sh_size = bytes.len() as u64;
        section.data = SectionData::Data(bytes.into());
        if let Some(id) = self.relocations {
            builder.sections.get_mut(id).data = SectionData::Relocation(relocations);
        }
        Ok(())
    }
}

/// How an instruction says which function it is about: by where that begins, which changes. A relocation for the function's
/// own symbol says it as well, and that symbol is moved.
enum Reference {
    /// A call: in slots from the beginning of a section, less one.
    Call(SectionId),
    /// A call of a function of the same section: in slots from the next instruction.
    Near,
    /// The address of a function, for a helper that calls it: in bytes from the beginning of a section.
    Address(SectionId),
}

impl Reference {
    /// `None` where the relocation is for something else than an instruction of its kind.
    fn of(
        builder: &Builder<'_>,
        instruction: &Instruction,
        symbol: Option<&Symbol<'_>>,
    ) -> Option<Option<Reference>> {
        let is_own = instruction.is_call() && instruction.src == OWN_FUNCTION;
        if instruction.relocation.is_none() {
            // Other addresses than those of relocations are a loader's.
            let is_loaded = instruction.is_load_immediate() && instruction.src != 0;
            return (!is_loaded).then_some(is_own.then_some(Reference::Near));
        }
        let symbol = symbol?;
        let code = symbol.section.filter(|section| is_code(builder.sections.get(*section)));
        let is_section = symbol.st_type() == STT_SECTION;
        if is_own {
            return match is_section {
                true => Some(Some(Reference::Call(code?))),
                false => (instruction.imm == -1).then_some(None),
            };
        }
        match (instruction.is_load_immediate(), code) {
            (true, None) => Some(None),
            (true, Some(section)) if is_section => Some(Some(Reference::Address(section))),
            (true, Some(_)) => (instruction.imm == 0).then_some(None),
            (false, _) => None,
        }
    }
}

/// Where functions begin now, by where they began.
struct Starts(HashMap<(usize, u64), u64>);

impl Starts {
    fn of(sections: &[Code]) -> Starts {
        let mut starts = HashMap::new();
        for section in sections {
            let mut next = 0;
            for placed in &section.functions {
                starts.insert((section.section.index(), placed.start), next);
                next += placed.function.bytes() as u64;
            }
        }
        Starts(starts)
    }

    fn start(&self, section: SectionId, old: u64) -> Option<u64> {
        self.0.get(&(section.index(), old)).copied()
    }
}

/// Moves what `.BTF.ext` says of functions. There are no lines in it, which would have to be moved as well: they are dropped
/// when the object is built. Nor is there anything to be relocated by it, since offsets of members are read-only data.
fn move_function_info(builder: &mut Builder<'_>, starts: &Starts) -> Result<(), Error> {
    let names = section_named(builder, ".BTF")?;
    let names = bytes_of(names).and_then(strings).ok_or(Error::Btf)?.to_vec();
    let ids: HashMap<Vec<u8>, SectionId> =
        builder.sections.iter().map(|section| (section.name.as_slice().to_vec(), section.id())).collect();
    let section = section_named(builder, ".BTF.ext")?;
    let (id, mut bytes) = (section.id(), bytes_of(section).ok_or(Error::Btf)?.to_vec());
    let moved = move_functions(&mut bytes, |name, old| {
        let name = names.get(name..)?.split(|byte| *byte == 0).next()?;
        starts.start(*ids.get(name)?, old)
    });
    moved.ok_or(Error::Btf)?;
    builder.sections.get_mut(id).data = SectionData::Data(bytes.into());
    Ok(())
}

fn number(bytes: &[u8], at: usize) -> Option<usize> {
    let number = u32::from_le_bytes(*bytes.get(at..)?.first_chunk()?);
    usize::try_from(number).ok()
}

/// The names of BTF.
fn strings(btf: &[u8]) -> Option<&[u8]> {
    const HEADER_LENGTH: usize = 4;
    const STRINGS: usize = 16;
    let (header, at, length) =
        (number(btf, HEADER_LENGTH)?, number(btf, STRINGS)?, number(btf, STRINGS + 4)?);
    let start = header.checked_add(at)?;
    btf.get(start..start.checked_add(length)?)
}

/// Each record of a function in `.BTF.ext` begins with the byte where the function begins in its section.
fn move_functions(ext: &mut [u8], new: impl Fn(usize, u64) -> Option<u64>) -> Option<()> {
    const HEADER_LENGTH: usize = 4;
    const FUNCTIONS: usize = 8;
    const LINES: usize = 16;
    const RELOCATIONS: usize = 24;
    /// Of the functions that a section has: where it begins and what type it has.
    const LEAST_RECORD: usize = 8;
    let header = number(ext, HEADER_LENGTH)?;
    let is_none = |at: usize| header < at + 8 || number(ext, at + 4) == Some(0);
    if !is_none(LINES) || !is_none(RELOCATIONS) {
        return None;
    }
    let start = header.checked_add(number(ext, FUNCTIONS)?)?;
    let end = start.checked_add(number(ext, FUNCTIONS + 4)?)?;
    let record = number(ext, start).filter(|record| *record >= LEAST_RECORD)?;
    let mut at = start + 4;
    while at < end {
        let (name, count) = (number(ext, at)?, number(ext, at + 4)?);
        at += 8;
        for _ in 0..count {
            let old = number(ext, at)? as u64;
            let moved = u32::try_from(new(name, old)?).ok()?;
            ext.get_mut(at..at + 4)?.copy_from_slice(&moved.to_le_bytes());
            at = at.checked_add(record)?;
        }
    }
    Some(())
}
