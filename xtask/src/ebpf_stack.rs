//! How much stack the kernel programs need, along every chain of calls, as the strictest kernel counts it.
//!
//! Kernels with a stack of its own for each program (6.13 and later, on x86_64) take chains that others refuse with
//! "combined stack size of 5 calls is 544. Too large", after minutes of looking at them. So it is counted here.

use std::collections::BTreeMap;

use anyhow::{Context as _, ensure};
use object::{Object as _, ObjectSection as _, ObjectSymbol as _, RelocationTarget, SymbolKind};

/// What a program and all that it calls may use, bytes (`MAX_BPF_STACK`).
const LIMIT: usize = 512;
/// How many functions may be in one another (`MAX_CALL_FRAMES`).
const FRAMES: usize = 8;
/// Each function's part is rounded up to this, and is this much at least: before 6.13, and where nothing is compiled.
const UNIT: usize = 32;

const INSTRUCTION: usize = 8;
const FRAME_POINTER: u8 = 10;

/// A function: the index of its section, and its first instruction there.
type Place = (usize, usize);

#[derive(Debug, Default)]
struct Function {
    name: String,
    /// Bytes below the frame pointer that it uses.
    depth: usize,
    calls: Vec<Place>,
}

/// Checks every program of the object.
pub fn check(bytes: &[u8]) -> anyhow::Result<()> {
    let functions = functions(bytes)?;
    ensure!(!functions.is_empty(), "the object has no functions");
    let mut refused = Vec::new();
    for place in functions.keys() {
        let mut chain = Vec::new();
        let (bytes, deepest) = deepest(&functions, *place, &mut chain)?;
        if bytes > LIMIT || deepest.len() > FRAMES {
            refused.push(format!("{bytes} bytes, {} functions: {}", deepest.len(), deepest.join(" > ")));
        }
    }
    ensure!(
        refused.is_empty(),
        "kernels before 6.13 take {LIMIT} bytes of stack and {FRAMES} functions in one another; make functions of what \
         needs much and calls nothing, such as buffers:\n{}",
        refused.join("\n")
    );
    Ok(())
}

/// The chain of calls from a function on that needs most, and how much.
fn deepest(
    functions: &BTreeMap<Place, Function>,
    place: Place,
    chain: &mut Vec<Place>,
) -> anyhow::Result<(usize, Vec<String>)> {
    let function = functions.get(&place).context("a call leads to no function")?;
    ensure!(!chain.contains(&place), "{} calls itself", function.name);
    chain.push(place);
    let mut below = (0, Vec::new());
    for callee in &function.calls {
        let found = deepest(functions, *callee, chain)?;
        if (found.0, found.1.len()) > (below.0, below.1.len()) {
            below = found;
        }
    }
    chain.pop();
    let mut names = vec![format!("{} ({})", function.name, function.depth)];
    names.extend(below.1);
    Ok((below.0 + function.depth.max(1).next_multiple_of(UNIT), names))
}

fn functions(bytes: &[u8]) -> anyhow::Result<BTreeMap<Place, Function>> {
    let file = object::File::parse(bytes).context("the object is no ELF file")?;
    let mut functions = BTreeMap::new();
    for symbol in file.symbols().filter(|symbol| symbol.kind() == SymbolKind::Text && symbol.size() > 0) {
        let section = symbol.section_index().context("a function without a section")?;
        let first = symbol.address() as usize / INSTRUCTION;
        let count = symbol.size() as usize / INSTRUCTION;
        let code = file.section_by_index(section)?;
        let data =
            code.data()?.get(first * INSTRUCTION..(first + count) * INSTRUCTION).context("cut short")?;
        let mut function = Function { name: symbol.name()?.to_owned(), ..Function::default() };
        function.depth = depth(data);
        let relocations: BTreeMap<usize, RelocationTarget> = code
            .relocations()
            .map(|(offset, relocation)| (offset as usize / INSTRUCTION, relocation.target()))
            .collect();
        for (number, instruction) in (first..).zip(data.chunks_exact(INSTRUCTION)) {
            let Some(distance) = called(instruction) else { continue };
            // Without a relocation it counts from the next instruction, with one from the symbol.
            let callee = match relocations.get(&number) {
                Some(RelocationTarget::Symbol(index)) => {
                    let symbol = file.symbol_by_index(*index)?;
                    let section = symbol.section_index().context("a call of what is not in the object")?;
                    (section.0, (symbol.address() as usize / INSTRUCTION).wrapping_add_signed(distance + 1))
                }
                _ => (section.0, (number + 1).wrapping_add_signed(distance)),
            };
            function.calls.push(callee);
        }
        function.calls.sort_unstable();
        function.calls.dedup();
        functions.insert((section.0, first), function);
    }
    Ok(functions)
}

/// How far from the next instruction the function begins that this one calls; none for others and for helpers.
fn called(instruction: &[u8]) -> Option<isize> {
    const CALL: u8 = 0x85;
    const OF_PROGRAM: u8 = 1;
    let distance = i32::from_le_bytes(instruction[4..8].try_into().ok()?);
    (instruction[0] == CALL && instruction[1] >> 4 == OF_PROGRAM).then_some(distance as isize)
}

/// How far below the frame pointer the instructions reach, or make addresses.
fn depth(code: &[u8]) -> usize {
    const LDX: u8 = 1;
    const ST: u8 = 2;
    const STX: u8 = 3;
    const ADD_NUMBER: u8 = 0x07;
    const MOVE: u8 = 0xbf;
    let mut depth = 0;
    // Registers that hold the frame pointer as it is.
    let mut copies = 0u16;
    for instruction in code.chunks_exact(INSTRUCTION) {
        let (operation, registers) = (instruction[0], instruction[1]);
        let (to, from) = (registers & 15, registers >> 4);
        let offset = i16::from_le_bytes([instruction[2], instruction[3]]);
        let number = i32::from_le_bytes([instruction[4], instruction[5], instruction[6], instruction[7]]);
        let reaches = match operation & 7 {
            LDX if from == FRAME_POINTER => i32::from(offset),
            ST | STX if to == FRAME_POINTER => i32::from(offset),
            _ if operation == ADD_NUMBER && copies >> to & 1 != 0 => number,
            _ => 0,
        };
        depth = depth.max(usize::try_from(-reaches).unwrap_or(0));
        let writes = matches!(operation & 7, 0 | LDX | 4 | 7);
        if operation == MOVE && from == FRAME_POINTER {
            copies |= 1 << to;
        } else if writes {
            copies &= !(1 << to);
        }
    }
    depth
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_program_fits_the_stack_of_old_kernels() {
        let object = std::fs::read(crate::shell::root().join("recorder/ebpf/tracer.bpf.o")).unwrap();
        let functions = functions(&object).unwrap();
        let of = |name: &str| functions.iter().find(|(_, function)| function.name == name).unwrap();
        let (_, exit) = of("sys_exit");
        assert!(exit.depth > 64, "{exit:?}");
        assert!(exit.calls.contains(of("context_send").0), "{exit:?}");
        check(&object).unwrap();
    }

    #[test]
    fn what_is_written_below_the_frame_pointer_counts() {
        // *(u64 *)(r10 - 8) = r1; r2 = r10; r2 += -24; r2 = 0; r2 += -400
        let code = [
            [0x7b, 0x1a, 0xf8, 0xff, 0, 0, 0, 0],
            [0xbf, 0xa2, 0, 0, 0, 0, 0, 0],
            [0x07, 0x02, 0, 0, 0xe8, 0xff, 0xff, 0xff],
            [0xb7, 0x02, 0, 0, 0, 0, 0, 0],
            [0x07, 0x02, 0, 0, 0x70, 0xfe, 0xff, 0xff],
        ];
        assert_eq!(depth(code.as_flattened()), 24);
    }
}
