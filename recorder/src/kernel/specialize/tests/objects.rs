//! The objects that are built, with the read-only data as it stands in them and as kernels and recordings have it.

use std::collections::BTreeMap;

use super::{
    super::{
        constants::Data,
        instruction::Instruction,
        object::{Error, specialize},
    },
    compare,
    make::Random,
    parsed::{Names, Parsed, parse},
};

const NAMES: [&str; 2] = ["tracer.bpf.o", "tracer.aarch64.bpf.o"];

fn object(name: &str) -> Vec<u8> {
    let path = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("ebpf").join(name);
    std::fs::read(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// Where a global is in the read-only data, and its bytes.
fn global(bytes: &[u8], name: &str) -> (usize, usize) {
    use object::{Object as _, ObjectSymbol as _, read::elf::ElfFile64};
    let file: ElfFile64<'_> = ElfFile64::parse(bytes).expect("it is an object");
    let symbol = file.symbol_by_name(name).expect("it has the global");
    (symbol.address() as usize, symbol.size() as usize)
}

type Globals = Vec<(&'static str, Vec<u8>)>;

/// What a kernel and a recording might have: offsets of members and some that are missing, settings that are mostly off or
/// small, masks.
fn made_up(bytes: &[u8], random: &mut Random) -> Globals {
    let mut words = |name: &'static str, size: usize, word: &mut dyn FnMut(&mut Random) -> u64| {
        let (_, all) = global(bytes, name);
        let numbers = (0..all / size).flat_map(|_| word(random).to_le_bytes().into_iter().take(size));
        (name, numbers.collect::<Vec<u8>>())
    };
    let setting = |random: &mut Random| match random.below(8) {
        0..=2 => 0,
        3 => 1,
        4 => 1 << random.below(32),
        5 => (1 << random.below(32)) - 1,
        6 => random.below(4096) as u64,
        _ => random.next(),
    };
    vec![
        words("LAYOUT", 4, &mut |random| {
            if random.is_one_in(6) { 0xffff_ffff } else { 8 * random.below(400) as u64 }
        }),
        words("CONFIG", 4, &mut { setting }),
        words("SCOPES", 8, &mut { setting }),
        words("WRITE_MASK", 8, &mut |_| 0xffff),
        words("SLOT_MASK", 8, &mut |_| 0x1ff),
        words("SYSCALLS", 8, &mut { setting }),
        words("SAMPLES", 4, &mut { setting }),
    ]
    .into_iter()
    .filter(|(name, value)| value.len() == global(bytes, name).1)
    .collect()
}

fn borrowed(globals: &Globals) -> Vec<(&str, &[u8])> {
    globals.iter().map(|(name, value)| (*name, value.as_slice())).collect()
}

/// The read-only data with these globals.
fn data_of(bytes: &[u8], parsed: &Parsed, globals: &Globals) -> Vec<u8> {
    let mut data = parsed.others[".rodata"].clone();
    for (name, value) in globals {
        let (at, _) = global(bytes, name);
        data[at..at + value.len()].copy_from_slice(value);
    }
    data
}

/// What an object was and what it has become, held against each other.
fn is_same(before: &Parsed, after: &Parsed, names: &Names, data: &Data<'_>, seeds: u64, steps: usize) {
    assert!(before.functions.keys().eq(after.functions.keys()), "it has the same functions");
    assert_eq!(before.others, after.others, "what is not code is as it was");
    assert_eq!(before.types, after.types, "the functions are of the types that they were of");
    for (name, function) in &before.functions {
        let evaluated = &after.functions[name];
        let calls = |instructions: &[Instruction]| -> Vec<Instruction> {
            instructions.iter().filter(|one| one.is_call()).copied().collect()
        };
        let mut all = calls(&function.instructions).into_iter();
        for call in calls(&evaluated.instructions) {
            let named = |call: &Instruction| (call.src == 1).then(|| names.name(call.imm as usize));
            assert!(all.any(|one| one == call), "{name:?} calls {:?} anew", named(&call));
        }
        // An address whose relocation is lost would be a number that was not there.
        let numbers = |instructions: &[Instruction]| {
            let mut numbers: BTreeMap<(i32, i32, Option<usize>), usize> = BTreeMap::new();
            for one in instructions.iter().filter(|one| one.is_load_immediate()) {
                *numbers.entry((one.imm, one.high, one.relocation)).or_default() += 1;
            }
            numbers
        };
        let had = numbers(&function.instructions);
        for (number, count) in numbers(&evaluated.instructions) {
            assert!(had.get(&number).is_some_and(|had| *had >= count), "{name:?} has {number:?} anew");
        }
        assert!(evaluated.bytes() <= function.bytes());
        if let Err(error) = compare(function, evaluated, data, seeds, steps) {
            panic!("{name:?}: {error}");
        }
    }
}

/// Evaluates an object, holds the result against it, and evaluates that once more. Says how many slots there are each time.
fn evaluated(bytes: &[u8], globals: &Globals, seeds: u64, steps: usize) -> [usize; 3] {
    let mut names = Names::default();
    let before = parse(bytes, &mut names).expect("it is an object");
    let data = data_of(bytes, &before, globals);
    let written = specialize(bytes, &borrowed(globals)).expect("it is specialized");
    let after = parse(&written, &mut names).expect("it is an object still");
    let again = specialize(&written, &borrowed(globals)).expect("it is specialized again");
    let twice = parse(&again, &mut names).expect("it is an object then");
    let in_data = names.in_data.clone();
    let data = Data { bytes: &data, symbols: &in_data };
    is_same(&before, &after, &names, &data, seeds, steps);
    is_same(&after, &twice, &names, &data, 1, steps);
    [before.slots(), after.slots(), twice.slots()]
}

#[test]
fn the_objects_do_what_they_did() {
    for name in NAMES {
        let bytes = object(name);
        let [before, after, twice] = evaluated(&bytes, &Vec::new(), 1, 1000);
        assert!(after < before, "{name}: {before} slots became {after}");
        assert!(twice <= after && after - twice < after / 100, "{name}: {after} slots became {twice}");
    }
}

#[test]
fn the_objects_do_what_they_did_where_they_are_told_more() {
    let (seed, is_over) = super::extent(1);
    for case in (0..).take_while(|case| !is_over(*case)) {
        for name in NAMES {
            let bytes = object(name);
            let globals = made_up(&bytes, &mut Random(seed << 40 | case));
            assert!(globals.len() == 7, "{:?}", globals.iter().map(|(name, _)| name).collect::<Vec<_>>());
            let [before, after, twice] = evaluated(&bytes, &globals, 1 + case % 8, 1000);
            assert!(after * 10 < before * 9, "{name}: {before} slots became {after}");
            assert!(twice <= after && after - twice < after / 100, "{name}: {after} slots became {twice}");
        }
    }
}

#[test]
fn globals_that_it_does_not_have_are_told() {
    let bytes = object(NAMES[0]);
    for (name, length) in [("LAYOUT", 4), ("LAYOUT", 1 << 20), ("NO_SUCH", 8), ("REGIONS", 28)] {
        let value = vec![0; length];
        let result = specialize(&bytes, &[(name, &value)]);
        assert!(matches!(&result, Err(Error::Missing(missing)) if missing == name), "{name}: {result:?}");
    }
}

#[test]
fn what_is_cut_off_is_refused() {
    let bytes = object(NAMES[0]);
    for length in [0, 1, 4, 63, 64, 65, 4096, bytes.len() / 2, bytes.len() - 64, bytes.len() - 1] {
        assert!(specialize(&bytes[..length], &[]).is_err(), "its first {length} bytes");
    }
}
