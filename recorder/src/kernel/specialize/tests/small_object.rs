//! A small object with each way of leading to a function, and bytes that are no object any more.

use object::{
    Endianness,
    build::elf::{Builder, Relocation, SectionData, SectionId, SymbolId},
    elf::{
        EM_BPF, ET_REL, SHF_ALLOC, SHF_EXECINSTR, SHF_INFO_LINK, SHT_PROGBITS, SHT_REL, SHT_STRTAB,
        SHT_SYMTAB, STB_GLOBAL, STB_LOCAL, STT_FUNC, STT_OBJECT, STT_SECTION,
    },
};

use super::{
    super::{
        function::Function,
        instruction::{Instruction, SLOT, jump},
        object::{Error, specialize},
    },
    listing::lines,
    make::*,
    parsed::{Names, parse},
};

const ADDRESS: u32 = 1;
const CALL: u32 = 10;
const PROGRAM: &str = "fentry/f";

/// What may be wrong with it.
#[derive(Clone, Default)]
struct Wrong {
    /// An address of a function that is this far beyond its beginning.
    beyond: i32,
    /// The number in a call of a function's symbol.
    call: Option<i32>,
    /// A relocation for the instruction that begins in this slot of the program.
    stray: Option<u64>,
    /// Bytes after the functions.
    rest: usize,
    /// Numbers of `.BTF.ext`, from this one on.
    ext: Option<(usize, u32)>,
}

fn bytes_of(functions: &[&Function]) -> Vec<u8> {
    functions.iter().flat_map(|function| function.write().expect("its jumps are short")).collect()
}

/// Functions `first`, `shared` and `last` of `.text`, and a program that leads to them.
fn object(wrong: &Wrong) -> Vec<u8> {
    // What goes when the setting is none is at the beginning of each, so that all that follows moves.
    let setting = [address(1, 0, 8), load(4, 1, 1, 0)];
    let maybe = |last: &[Instruction]| {
        let mut code = [&setting[..], &[jump_if(jump::EQ, 1, 0, 5), call(7), call(7)]].concat();
        code.extend_from_slice(last);
        function(&code)
    };
    let first = maybe(&[set(0, 1), exit()]);
    // The call of `last` is four slots before its end, and nothing is for it.
    let shared = maybe(&[call_own(2), set(0, 2), exit()]);
    let last = maybe(&[set(0, 3), exit()]);
    let program = maybe(&[
        call_own(-1),
        Instruction { imm: wrong.call.unwrap_or(-1), ..call_own(0) },
        address(2, 3, (first.bytes() + shared.bytes()) as i32 + wrong.beyond),
        store(8, 10, -8, 2),
        set(0, 4),
        exit(),
    ]);
    let mut text = bytes_of(&[&first, &shared, &last]);
    text.extend(vec![0; wrong.rest]);
    let starts = [0, first.bytes(), first.bytes() + shared.bytes()].map(|start| start as u64);

    let mut builder = Builder::new(Endianness::Little, true);
    builder.header.e_type = ET_REL;
    builder.header.e_machine = EM_BPF;
    let flags = u64::from(SHF_ALLOC);
    let code = flags | u64::from(SHF_EXECINSTR);
    let mut add = |name: &str, flags: u64, data: Vec<u8>| {
        let section = builder.sections.add();
        section.name = name.to_owned().into_bytes().into();
        section.sh_type = SHT_PROGBITS;
        section.sh_flags = flags;
        section.sh_addralign = 8;
        section.data = SectionData::Data(data.into());
        section.id()
    };
    let text = add(".text", code, text);
    let program_section = add(PROGRAM, code, bytes_of(&[&program]));
    let data = add(".rodata", flags, vec![0; 16]);
    let names = b"\0.text\0fentry/f\0";
    let btf = [0x1_eb9f, 24, 0, 0, 0, names.len() as u32].map(u32::to_le_bytes).concat();
    add(".BTF", 0, [&btf[..], names].concat());
    let program_start = 0;
    let mut ext = vec![0x1_eb9f, 24, 0, 56, 56, 0, 8];
    ext.extend([1, 3, starts[0] as u32, 11, starts[1] as u32, 12, starts[2] as u32, 13]);
    ext.extend([7, 1, program_start, 14]);
    ext[3] = 4 * (ext.len() as u32 - 6);
    if let Some((at, number)) = wrong.ext {
        ext[at] = number;
    }
    add(".BTF.ext", 0, ext.into_iter().flat_map(u32::to_le_bytes).collect());

    let mut symbol = |name: &str, section: SectionId, binding: u8, kind: u8, at: u64, size: usize| {
        let symbol = builder.symbols.add();
        symbol.name = name.to_owned().into_bytes().into();
        symbol.section = Some(section);
        (symbol.st_value, symbol.st_size) = (at, size as u64);
        symbol.set_st_info(binding, kind);
        symbol.id()
    };
    let of_text = symbol("", text, STB_LOCAL, STT_SECTION, 0, 0);
    symbol("first", text, STB_LOCAL, STT_FUNC, starts[0], first.bytes());
    symbol("last", text, STB_LOCAL, STT_FUNC, starts[2], last.bytes());
    let of_shared = symbol("shared", text, STB_GLOBAL, STT_FUNC, starts[1], shared.bytes());
    symbol("program", program_section, STB_GLOBAL, STT_FUNC, 0, program.bytes());
    let of_data = symbol("CONFIG", data, STB_GLOBAL, STT_OBJECT, 0, 16);

    let names = builder.sections.add();
    names.name = ".strtab".into();
    (names.sh_type, names.data) = (SHT_STRTAB, SectionData::String);
    let names = names.id();
    let table = builder.sections.add();
    table.name = ".symtab".into();
    (table.sh_type, table.data) = (SHT_SYMTAB, SectionData::Symbol);
    (table.sh_addralign, table.sh_entsize, table.sh_link_section) = (8, 24, Some(names));
    let table = table.id();
    let relocation = |slot: u64, symbol: SymbolId, r_type: u32| Relocation {
        r_offset: SLOT as u64 * slot,
        symbol: Some(symbol),
        r_type,
        r_addend: 0,
    };
    let mut add = |name: &str, section: SectionId, relocations: Vec<Relocation>| {
        let added = builder.sections.add();
        added.name = name.to_owned().into_bytes().into();
        (added.sh_type, added.sh_flags, added.sh_addralign) = (SHT_REL, SHF_INFO_LINK.into(), 8);
        (added.sh_entsize, added.sh_link_section, added.sh_info_section) = (16, Some(table), Some(section));
        added.data = SectionData::Relocation(relocations);
    };
    let of_config = |start: u64| relocation(start / SLOT as u64, of_data, ADDRESS);
    add(".rel.text", text, starts.map(of_config).to_vec());
    let mut of_program = vec![
        of_config(0),
        relocation(6, of_text, CALL),
        relocation(7, of_shared, CALL),
        relocation(8, of_text, ADDRESS),
    ];
    of_program.extend(wrong.stray.map(|slot| relocation(slot, of_data, ADDRESS)));
    add(".relfentry/f", program_section, of_program);
    let names = builder.sections.add();
    names.name = ".shstrtab".into();
    (names.sh_type, names.data) = (SHT_STRTAB, SectionData::SectionString);
    let mut bytes = Vec::new();
    builder.write(&mut bytes).expect("it is written");
    bytes
}

fn good() -> Vec<u8> {
    object(&Wrong::default())
}

fn functions(bytes: &[u8]) -> Vec<(String, Vec<String>)> {
    let mut names = Names::default();
    let parsed = parse(bytes, &mut names).expect("it is an object");
    let shown = |function: &Function| {
        let mut shown = lines(function);
        for (line, one) in shown.iter_mut().zip(&function.instructions) {
            let number = if one.is_call() && one.src == 1 { Some(one.imm as usize) } else { one.relocation };
            if let Some(number) = number {
                *line = format!("{} of {}", &line[..7], names.name(number));
            }
        }
        shown
    };
    parsed.functions.iter().map(|((_, name), function)| (name.clone(), shown(function))).collect()
}

#[test]
fn functions_move_and_what_leads_to_them_with_them() {
    let bytes = good();
    let with = |setting: u32| {
        let config = [0, 0, setting, 0].map(u32::to_le_bytes).concat();
        let written = specialize(&bytes, &[("CONFIG", &config)]).expect("it is specialized");
        let (mut before, mut after) = (Names::default(), Names::default());
        let types = |bytes: &[u8], names: &mut Names| parse(bytes, names).expect("it is an object").types;
        assert_eq!(types(&bytes, &mut before), types(&written, &mut after));
        functions(&written)
    };
    // A function may take what is in its registers; there is nothing in them where another one has been called.
    for (setting, calls) in [(0, 0), (1, 2)] {
        let expected = |rest: &[&'static str]| {
            let rest = &rest[usize::from(calls > 0 && rest[0] == "r1 = 0")..];
            [&["call 7"; 2][..calls], rest].concat()
        };
        let found = with(setting);
        let found: Vec<(&str, Vec<&str>)> = found
            .iter()
            .map(|(name, lines)| (name.as_str(), lines.iter().map(String::as_str).collect()))
            .collect();
        assert_eq!(
            found,
            [
                ("first", expected(&["r0 = 1", "exit"])),
                ("last", expected(&["r0 = 3", "exit"])),
                ("shared", expected(&["r1 = 0", "call ow of last", "r0 = 2", "exit"])),
                (
                    "program",
                    expected(&[
                        "r1 = 0",
                        "call ow of first",
                        "call ow of shared",
                        "r2 = ad of last",
                        "*u64(r10 - 8) = r2",
                        "r0 = 4",
                        "exit"
                    ])
                ),
            ]
        );
    }
}

#[test]
fn what_leads_to_no_beginning_of_a_function_is_refused() {
    let code = |wrong: Wrong| match specialize(&object(&wrong), &[]) {
        Err(Error::Code(section)) => section,
        other => panic!("{other:?}"),
    };
    assert_eq!(code(Wrong { beyond: 8, ..Wrong::default() }), PROGRAM, "an address in a function");
    assert_eq!(code(Wrong { beyond: 1, ..Wrong::default() }), PROGRAM, "an address in an instruction");
    assert_eq!(code(Wrong { beyond: i32::MAX - 200, ..Wrong::default() }), PROGRAM);
    assert_eq!(code(Wrong { call: Some(3), ..Wrong::default() }), PROGRAM, "a call into a function");
    assert_eq!(code(Wrong { call: Some(i32::MAX), ..Wrong::default() }), PROGRAM);
    assert_eq!(code(Wrong { stray: Some(2), ..Wrong::default() }), PROGRAM, "a relocation of a load");
    assert_eq!(code(Wrong { stray: Some(1), ..Wrong::default() }), PROGRAM, "one within an instruction");
    assert_eq!(code(Wrong { stray: Some(6), ..Wrong::default() }), PROGRAM, "two of one instruction");
    assert_eq!(code(Wrong { stray: Some(99), ..Wrong::default() }), PROGRAM, "one beyond the end");
    assert_eq!(code(Wrong { rest: 8, ..Wrong::default() }), ".text", "bytes that are no function's");
}

#[test]
fn btf_that_would_not_be_moved_is_refused() {
    const LINES: usize = 5;
    const RECORD: usize = 6;
    let result = |at: usize, number: u32| {
        specialize(&object(&Wrong { ext: Some((at, number)), ..Wrong::default() }), &[])
    };
    assert!(result(LINES, 0).is_ok());
    for (at, number) in
        [(LINES, 4), (RECORD, 0), (RECORD, 4), (RECORD, u32::MAX), (7, 3), (8, u32::MAX), (9, 8), (3, 500)]
    {
        let result = result(at, number);
        assert!(matches!(result, Err(Error::Btf)), "{number} at {at}: {result:?}");
    }
}

#[test]
fn alignments_that_nothing_has_are_refused() {
    for align in [3, 1 << 20, 1 << 40, 1 << 63, u64::MAX] {
        let mut bytes = good();
        let old = 8u64.to_le_bytes();
        // Of the first section's header, which follows an empty one.
        let headers = u64::from_le_bytes(*bytes[40..].first_chunk().expect("a header")) as usize;
        let place = headers + 64 + 48;
        assert_eq!(bytes[place..place + 8], old);
        bytes[place..place + 8].copy_from_slice(&align.to_le_bytes());
        let result = specialize(&bytes, &[]);
        assert!(matches!(result, Err(Error::Alignment(..))), "{align:#x}: {result:?}");
    }
}

#[test]
fn any_bytes_are_refused_or_evaluated() {
    let bytes = good();
    for length in 0..bytes.len() {
        let _ = specialize(&bytes[..length], &[]);
    }
    let (seed, is_over) = super::extent(4000);
    let mut refused = 0;
    for case in (0..).take_while(|case| !is_over(*case)) {
        let mut random = Random(seed << 40 | case);
        let mut bytes = bytes.clone();
        for _ in 0..=random.below(4) {
            let at = random.below(bytes.len());
            match random.below(4) {
                0 => bytes[at] ^= 1 << random.below(8),
                1 => bytes[at] = random.next() as u8,
                _ => {
                    let at = at / 8 * 8;
                    let number = random.number();
                    let size = random.pick(&[1, 2, 4, 8]);
                    let place = bytes.iter_mut().skip(at).take(size);
                    place.zip(number.to_le_bytes()).for_each(|(place, byte)| *place = byte);
                }
            }
        }
        match specialize(&bytes, &[("CONFIG", &[0; 16])]) {
            // What comes of it is an object as much as it was one.
            Ok(written) => {
                let was = parse(&bytes, &mut Names::default());
                let is = parse(&written, &mut Names::default());
                assert!(was.is_err() || is.is_ok(), "case {case}: {:?}", is.err());
            }
            Err(_) => refused += 1,
        }
    }
    assert!(seed != 1 || refused > 500, "{refused} were refused");
}
