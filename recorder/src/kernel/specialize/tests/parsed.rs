//! An object as a loader sees it, read by another way than the one that has written it.

use std::collections::BTreeMap;

use object::{
    Object as _, ObjectSection as _, ObjectSymbol as _, RelocationTarget, SectionKind, SymbolKind,
    read::elf::ElfFile64,
};

use super::super::{
    function::Function,
    instruction::{Instruction, SLOT},
};

/// Names of what relocations are for, in the order in which they were met: what two objects have of the same name has one
/// number.
#[derive(Default)]
pub struct Names {
    names: Vec<String>,
    /// Where each is in the read-only data.
    pub in_data: Vec<Option<u64>>,
}

impl Names {
    fn number(&mut self, name: &str, in_data: Option<u64>) -> usize {
        if let Some(number) = self.names.iter().position(|known| known == name) {
            return number;
        }
        self.names.push(name.to_owned());
        self.in_data.push(in_data);
        self.names.len() - 1
    }

    pub fn name(&self, number: usize) -> &str {
        &self.names[number]
    }
}

pub struct Parsed {
    /// By section and symbol. Calls of functions have the number of the callee's name in them.
    pub functions: BTreeMap<(String, String), Function>,
    /// Sections that are no code.
    pub others: BTreeMap<String, Vec<u8>>,
    /// Which function has which type, by what `.BTF.ext` says.
    pub types: Vec<(String, String, u32)>,
}

impl Parsed {
    pub fn slots(&self) -> usize {
        self.functions.values().map(|function| function.bytes() / SLOT).sum()
    }
}

/// Reads an object, and holds it to what a loader wants of it.
pub fn parse(bytes: &[u8], names: &mut Names) -> Result<Parsed, String> {
    let file: ElfFile64<'_> = ElfFile64::parse(bytes).map_err(|error| error.to_string())?;
    let mut starts: BTreeMap<(String, u64), String> = BTreeMap::new();
    for symbol in file.symbols().filter(|symbol| symbol.kind() == SymbolKind::Text) {
        let section = symbol.section_index().ok_or("a function is in no section")?;
        let section = file.section_by_index(section).map_err(|error| error.to_string())?;
        let place = (section.name().unwrap_or_default().to_owned(), symbol.address());
        starts.insert(place, symbol.name().unwrap_or_default().to_owned());
    }
    let mut parsed = Parsed { functions: BTreeMap::new(), others: BTreeMap::new(), types: Vec::new() };
    for section in file.sections() {
        let name = section.name().map_err(|error| error.to_string())?.to_owned();
        let data = section.data().map_err(|error| error.to_string())?.to_vec();
        if section.kind() != SectionKind::Text {
            let is_table = name.starts_with(".rel") || name.ends_with("tab") || name == ".BTF.ext";
            if !is_table {
                parsed.others.insert(name, data);
            }
            continue;
        }
        let mut relocations: BTreeMap<usize, usize> = BTreeMap::new();
        let mut callees: BTreeMap<usize, (String, u64, bool)> = BTreeMap::new();
        for (at, relocation) in section.relocations() {
            let RelocationTarget::Symbol(symbol) = relocation.target() else {
                return Err("a relocation is for no symbol".into());
            };
            let symbol = file.symbol_by_index(symbol).map_err(|error| error.to_string())?;
            let of = symbol.section_index().and_then(|index| file.section_by_index(index).ok());
            let of_name = of.map(|section| section.name().unwrap_or_default().to_owned()).unwrap_or_default();
            let in_data = (of_name == ".rodata").then(|| symbol.address());
            let is_section = symbol.kind() == SymbolKind::Section;
            let symbol_name = if is_section { &*of_name } else { symbol.name().unwrap_or_default() };
            let number = names.number(symbol_name, in_data);
            if relocations.insert(at as usize, number).is_some() {
                return Err(format!("two relocations at {at:#x} of {name}"));
            }
            callees.insert(at as usize, (of_name, symbol.address(), is_section));
        }
        // Each function follows the one before it.
        let mut next = 0;
        let mut used = 0;
        let of_section = file.symbols().filter(|symbol| {
            symbol.kind() == SymbolKind::Text && symbol.section_index() == Some(section.index())
        });
        let mut places: Vec<_> = of_section
            .map(|symbol| {
                (symbol.address() as usize, symbol.size() as usize, symbol.name().unwrap_or_default())
            })
            .collect();
        places.sort_unstable();
        for (start, size, symbol) in places {
            if start != next {
                return Err(format!(
                    "{symbol} begins at {start:#x} of {name}, and what is before it ends at {next:#x}"
                ));
            }
            next += size;
            let body = data.get(start..next).ok_or("a function is cut off")?;
            let mut function = Function::read(body, |at| relocations.get(&(start + at)).copied())
                .ok_or_else(|| format!("{symbol} is no function"))?;
            let placed: Vec<usize> = function.placed().map(|(place, _)| start + place).collect();
            for (instruction, place) in function.instructions.iter_mut().zip(placed) {
                used += usize::from(instruction.relocation.is_some());
                lead(instruction, place, &name, callees.get(&place), &starts, names)
                    .map_err(|error| format!("{symbol} at {place:#x} of {name}: {error}"))?;
            }
            parsed.functions.insert((name.clone(), symbol.to_owned()), function);
        }
        if next != data.len() {
            return Err(format!("{name} has more in it than functions"));
        }
        if used != relocations.len() {
            return Err(format!(
                "of {} relocations of {name} {used} are for an instruction",
                relocations.len()
            ));
        }
    }
    let ext = file.section_by_name(".BTF.ext").and_then(|section| section.data().ok()).unwrap_or_default();
    let btf = file.section_by_name(".BTF").and_then(|section| section.data().ok()).unwrap_or_default();
    for (section, at, kind) in records(ext, btf) {
        let function = starts.get(&(section.clone(), at));
        let function = function.ok_or_else(|| format!("BTF has a function at {at:#x} of {section}"))?;
        parsed.types.push((section, function.clone(), kind));
    }
    Ok(parsed)
}

/// Gives a call, or an address, the name of the function that it leads to.
fn lead(
    instruction: &mut Instruction,
    place: usize,
    section: &str,
    relocation: Option<&(String, u64, bool)>,
    starts: &BTreeMap<(String, u64), String>,
    names: &mut Names,
) -> Result<(), String> {
    let (is_own, is_address) =
        (instruction.is_call() && instruction.src == 1, instruction.is_load_immediate());
    if relocation.is_some() && !is_own && !is_address {
        return Err("a relocation for neither a call nor an address".into());
    }
    let imm = i64::from(instruction.imm);
    let callee = match relocation {
        Some((of, _, true)) if is_own => (of.clone(), 8 * (imm + 1)),
        Some((of, at, false)) if is_own => (of.clone(), *at as i64 + 8 * (imm + 1)),
        None if is_own => (section.to_owned(), place as i64 + 8 * (imm + 1)),
        Some((of, at, _)) if starts.keys().any(|(code, _)| code == of) => (of.clone(), *at as i64 + imm),
        _ => return Ok(()),
    };
    let name = starts.get(&(callee.0.clone(), callee.1 as u64));
    let name = name.ok_or_else(|| format!("nothing begins at {:#x} of {}", callee.1, callee.0))?;
    instruction.imm = names.number(name, None) as i32;
    instruction.relocation = is_address.then_some(instruction.imm as usize);
    Ok(())
}

fn number(bytes: &[u8], at: usize) -> u32 {
    u32::from_le_bytes(*bytes[at..].first_chunk().expect("four bytes"))
}

/// Section, byte and type of each function in `.BTF.ext`.
fn records(ext: &[u8], btf: &[u8]) -> Vec<(String, u64, u32)> {
    let mut records = Vec::new();
    let start = (number(ext, 4) + number(ext, 8)) as usize;
    let (end, record) = (start + number(ext, 12) as usize, number(ext, start) as usize);
    let names = (number(btf, 4) + number(btf, 16)) as usize;
    let mut at = start + 4;
    while at < end {
        let name = &btf[names + number(ext, at) as usize..];
        let name: Vec<u8> = name.iter().copied().take_while(|byte| *byte != 0).collect();
        let count = number(ext, at + 4);
        at += 8;
        for _ in 0..count {
            let name = String::from_utf8_lossy(&name).into_owned();
            records.push((name, number(ext, at).into(), number(ext, at + 4)));
            at += record;
        }
    }
    records
}
