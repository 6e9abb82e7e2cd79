//! Functions from bytes and back.

use super::{
    super::{
        function::Function,
        instruction::{Instruction, SLOT, alu, jump},
    },
    listing::lines,
    make::*,
};

fn read(slots: &[Instruction]) -> Option<Function> {
    let bytes: Vec<u8> = slots.iter().flat_map(Instruction::slot).collect();
    Function::read(&bytes, |_| None)
}

/// An instruction as it stands in the bytes, with the distance of its jump.
fn by(off: i16, instruction: Instruction) -> Instruction {
    Instruction { off, target: None, ..instruction }
}

#[test]
fn what_is_read_is_written_again() {
    let slots = [
        set_all(1, 0x1234_5678_9abc_def0),
        Instruction { imm: 0x1234_5678, ..Instruction::default() },
        by(3, jump_if(jump::EQ, 1, 7, 0)),
        by(-4, jump_if_by(jump::SLT, 1, 2, 0)),
        Instruction { imm: -5, ..by(0, goto_far(0)) },
        by(0, goto(0)),
        exit(),
    ];
    let function = read(&slots).expect("it is a function");
    assert_eq!(
        lines(&function),
        [
            "r1 = 0x123456789abcdef0 ll",
            "if r1 == 7 goto 5",
            "if r1 s< r2 goto 0",
            "gotol 0",
            "goto 5",
            "exit"
        ]
    );
    assert_eq!(function.bytes(), 7 * SLOT);
    let bytes: Vec<u8> = slots.iter().flat_map(Instruction::slot).collect();
    assert_eq!(function.write(), Some(bytes));
}

#[test]
fn relocations_are_asked_for_by_byte() {
    let slots = [set_all(1, 0), Instruction::default(), call_own(-1), exit()];
    let bytes: Vec<u8> = slots.iter().flat_map(Instruction::slot).collect();
    let function = Function::read(&bytes, |at| Some(at + 1)).expect("it is a function");
    let found: Vec<_> = function.instructions.iter().map(|one| one.relocation).collect();
    assert_eq!(found, [Some(1), Some(17), Some(25)]);
}

#[test]
fn what_is_no_function_is_not_read() {
    let half = Function::read(&[0x95, 0, 0, 0, 0, 0, 0], |_| None);
    assert_eq!(half, None, "seven bytes");
    assert_eq!(read(&[set_all(1, 0)]), None, "half of a number");
    assert_eq!(read(&[set_all(1, 0), exit()]), None, "a number whose second half is another instruction");
    assert_eq!(read(&[by(1, goto(0)), exit()]), None, "a jump to the end");
    assert_eq!(read(&[by(-2, goto(0)), exit()]), None, "a jump before the beginning");
    let middle = [by(1, goto(0)), set_all(1, 0), Instruction::default(), exit()];
    assert_eq!(read(&middle), None, "a jump into a number");
    assert_eq!(read(&[Instruction { imm: i32::MAX, ..by(0, goto_far(0)) }, exit()]), None);
    assert_eq!(read(&[Instruction { imm: i32::MIN, ..by(0, goto_far(0)) }, exit()]), None);
}

#[test]
fn instructions_that_are_not_known_are_not_read() {
    let of = |code: u8| Instruction { code, ..Instruction::default() };
    let is_read = |one: Instruction| read(&[one, exit()]).is_some();
    for (code, name) in [
        (0x0d, "an indirect jump"),
        (0x8d, "a call of an address in a register"),
        (0x86, "a call of 32 bits"),
        (0x96, "an exit of 32 bits"),
        (0xe6, "may_goto of 32 bits"),
        (0xed, "may_goto by a register"),
        (0xf5, "a comparison that there is not"),
        (0xe4, "arithmetic that there is not"),
        (0x8f, "a negation of another register"),
        (0xdf, "a swap that there is not"),
        (0x99, "a load of 64 bits with a sign"),
        (0xa1, "a load of a mode that there is not"),
        (0xc2, "a number stored atomically"),
        (0xd3, "an atomic addition of a byte"),
        (0x00, "nothing"),
    ] {
        assert!(!is_read(of(code)), "{name}");
    }
    assert!(is_read(of(0xdb)), "an atomic addition");
    assert!(!is_read(Instruction { imm: 0x20, ..of(0xdb) }), "an atomic operation that there is not");
    assert!(!is_read(set(11, 0)) && !is_read(copy(1, 11)), "a register that there is not");
    assert!(!is_read(add(10, 8)), "the frame is not written");
    assert!(is_read(store(8, 10, -8, 1)));
}

#[test]
fn a_jump_that_is_too_far_is_not_written() {
    let of = |jump: Instruction, count: usize| {
        let mut code = vec![jump];
        code.extend(std::iter::repeat_n(set(0, 0), count));
        code.push(exit());
        let mut function = function(&code);
        function.instructions[0].target = Some(count + 1);
        function.write()
    };
    assert!(of(goto(0), 32_767).is_some());
    assert_eq!(of(goto(0), 32_768), None);
    assert!(of(goto_far(0), 32_768).is_some());
}

#[test]
fn jumps_follow_what_goes() {
    let code = [jump_if(jump::EQ, 1, 0, 3), set(2, 0), set(3, 0), set(4, 0), set(5, 0), goto(1), exit()];
    let mut function = function(&code);
    function.retain(vec![true, false, true, false, true, true, true]);
    assert_eq!(lines(&function), ["if r1 == 0 goto 2", "r3 = 0", "r5 = 0", "goto 1", "exit"]);
}

#[test]
fn a_jump_to_what_follows_goes_as_do_those_that_it_leaves() {
    let code = [goto(4), goto(3), set(1, 0), goto_far(4), jump_if(jump::EQ, 1, 0, 5), exit()];
    let mut function = function(&code);
    function.retain(vec![true, true, false, true, true, true]);
    assert_eq!(
        lines(&function),
        ["if r1 == 0 goto 1", "exit"],
        "the first became one when the others had gone"
    );
    let mut endless = super::make::function(&[set(1, 0), goto(0), exit()]);
    endless.retain(vec![false, true, true]);
    assert_eq!(lines(&endless), ["goto 0", "exit"], "not one to itself");
}

#[test]
fn blocks_begin_where_jumps_lead_and_behind_them() {
    let code = [
        set(1, 0),
        call(5),
        jump_if(jump::EQ, 1, 0, 5),
        set(2, 0),
        wide(alu::ADD, 2, 1),
        set(3, 0),
        exit(),
        exit(),
    ];
    let leaders = function(&code).leaders();
    let found: Vec<usize> = (0..code.len()).filter(|index| leaders.number(*index).is_some()).collect();
    assert_eq!(found, [0, 3, 5, 7]);
    assert_eq!(leaders.number(5), Some(2));
    assert_eq!(leaders.number(99), None);
}
