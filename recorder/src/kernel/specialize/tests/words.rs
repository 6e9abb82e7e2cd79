//! Upper halves of registers, and the shifts that clear them.

use super::{
    super::{
        instruction::{Instruction, alu, jump},
        words,
    },
    listing::lines,
    make::*,
};

fn folded(instructions: &[Instruction]) -> Vec<String> {
    let mut function = function(instructions);
    words::fold(&mut function);
    lines(&function)
}

fn shift(register: u8) -> Instruction {
    wide(alu::LSH, register, 32)
}

fn back(register: u8) -> Instruction {
    wide(alu::RSH, register, 32)
}

/// What two shifts of the first register come to behind something.
fn after(before: &[Instruction]) -> Vec<String> {
    let all = folded(&[before, &[shift(1), back(1), exit()]].concat());
    all[before.len()..all.len() - 1].to_vec()
}

#[test]
fn shifts_of_what_is_clear_go() {
    let nothing: [&str; 0] = [];
    for before in [
        load(4, 1, 2, 0),
        load(2, 1, 2, 0),
        load(1, 1, 2, 0),
        set(1, 7),
        narrow_by(alu::ADD, 1, 2),
        narrow(alu::NEG, 1, 0),
        wide(alu::AND, 1, 0x7fff_ffff),
        wide(alu::RSH, 1, 32),
        wide(alu::RSH, 1, 40),
    ] {
        assert_eq!(after(&[before]), nothing, "{:?}", lines(&function(&[before])));
    }
    let clear = load(4, 1, 2, 0);
    let other = load(4, 3, 2, 0);
    for before in [
        wide(alu::OR, 1, 9),
        wide_by(alu::OR, 1, 3),
        wide_by(alu::XOR, 1, 3),
        wide_by(alu::AND, 1, 4),
        wide(alu::AND, 1, -8),
        wide_by(alu::RSH, 1, 4),
        wide(alu::RSH, 1, 3),
        copy(1, 3),
    ] {
        assert_eq!(after(&[clear, other, before]), nothing, "{:?}", lines(&function(&[before])));
    }
}

#[test]
fn shifts_of_anything_else_become_a_move() {
    let swap = |code: u8| Instruction { code, dst: 1, imm: 64, ..Instruction::default() };
    let signed_load = Instruction { code: 0x91, ..load(1, 1, 2, 0) };
    let signed_move = Instruction { off: 8, ..copy(1, 3) };
    let (clear, other) = (load(4, 1, 2, 0), load(4, 3, 2, 0));
    for before in [
        load(8, 1, 2, 0),
        set(1, -1),
        set_all(1, 1),
        wide(alu::OR, 1, -1),
        wide_by(alu::OR, 1, 4),
        wide_by(alu::XOR, 1, 4),
        wide(alu::ADD, 1, 1),
        wide(alu::SUB, 1, 1),
        wide(alu::MUL, 1, 2),
        wide(alu::LSH, 1, 1),
        wide(alu::NEG, 1, 0),
        copy(1, 4),
        signed_load,
        signed_move,
        swap(0xd7),
        call(7),
        atomic(8, 10, -8, 1, 1),
        atomic(8, 1, 0, 10, 0x100),
    ] {
        assert_eq!(after(&[clear, other, before]), ["w1 = w1"], "{:?}", lines(&function(&[before])));
    }
    assert_eq!(after(&[wide(alu::AND, 1, -8)]), ["w1 = w1"], "a number with a sign has a sign");
    assert_eq!(after(&[]), ["w1 = w1"], "nothing is known of what a function is given");
    assert_eq!(after(&[clear, wide_by(alu::RSH, 4, 1)]), Vec::<String>::new());
}

#[test]
fn what_is_between_the_shifts_must_leave_the_register_alone() {
    let (first, last) = (load(8, 1, 2, 0), exit());
    let stays = |between: Instruction| {
        let all = folded(&[first, shift(1), between, back(1), last]);
        all.len() == 5 && all[1] == "r1 <<= 32" && all[3] == "r1 >>= 32"
    };
    assert!(!stays(set(3, 1)));
    assert_eq!(
        folded(&[first, shift(1), set(3, 1), back(1), last]),
        ["r1 = *u64(r2 + 0)", "w1 = w1", "r3 = 1", "exit"]
    );
    for between in [
        copy(3, 1),
        store(8, 10, -8, 1),
        store_number(8, 1, 0, 0),
        add(1, 1),
        call(5),
        call(113),
        jump_if(jump::EQ, 3, 0, 4),
        jump_if(jump::EQ, 1, 0, 4),
        goto(4),
    ] {
        assert!(stays(between), "{:?}", lines(&function(&[between])));
    }
    assert_eq!(folded(&[first, shift(1), shift(1), back(1), last])[1..3], ["r1 <<= 32", "w1 = w1"]);
    // A call may be between those of a register that it leaves.
    assert_eq!(folded(&[shift(6), call(5), back(6), last]), ["w6 = w6", "call 5", "exit"]);
}

#[test]
fn a_shift_back_that_a_jump_leads_to_stays() {
    let code = [jump_if(jump::EQ, 2, 0, 3), load(8, 1, 2, 0), shift(1), back(1), exit()];
    assert_eq!(folded(&code)[2..], ["r1 <<= 32", "r1 >>= 32", "exit"]);
    // A jump to the first shift does both.
    let code = [jump_if(jump::EQ, 2, 0, 2), load(8, 1, 2, 0), shift(1), back(1), exit()];
    assert_eq!(folded(&code), ["if r2 == 0 goto 2", "r1 = *u64(r2 + 0)", "w1 = w1", "exit"]);
    let code = [set(1, 5), jump_if(jump::EQ, 2, 0, 3), load(4, 1, 2, 0), shift(1), back(1), exit()];
    assert_eq!(folded(&code), ["r1 = 5", "if r2 == 0 goto 3", "r1 = *u32(r2 + 0)", "exit"]);
}

#[test]
fn other_shifts_are_not_those_of_32_bits() {
    for code in [
        [wide(alu::LSH, 1, 31), wide(alu::RSH, 1, 31), exit()],
        [wide(alu::LSH, 1, 32), wide(alu::ARSH, 1, 32), exit()],
        [wide(alu::LSH, 1, 32), wide(alu::RSH, 1, 33), exit()],
        [wide_by(alu::LSH, 1, 2), wide(alu::RSH, 1, 32), exit()],
        [narrow(alu::LSH, 1, 16), narrow(alu::RSH, 1, 16), exit()],
        [wide(alu::LSH, 1, 32), wide(alu::RSH, 2, 32), exit()],
    ] {
        assert_eq!(folded(&code), lines(&function(&code)));
    }
}

#[test]
fn a_register_is_clear_where_it_is_on_every_way() {
    let both = |first: Instruction, second: Instruction| {
        folded(&[jump_if(jump::EQ, 2, 0, 3), first, goto(4), second, shift(1), back(1), exit()])
            .last_chunk::<2>()
            .map(|[last, _]| last.clone())
    };
    assert_eq!(both(set(1, 1), load(4, 1, 2, 0)).as_deref(), Some("r1 = *u32(r2 + 0)"));
    assert_eq!(both(set(1, 1), load(8, 1, 2, 0)).as_deref(), Some("w1 = w1"));
    assert_eq!(both(set(1, -1), load(4, 1, 2, 0)).as_deref(), Some("w1 = w1"));
    // A loop that makes it another: the second turn comes with it.
    let code = [set(1, 0), shift(1), back(1), add(1, 1), jump_if(jump::LT, 1, 9, 1), exit()];
    assert_eq!(folded(&code)[1], "w1 = w1");
    let code = [set(1, 0), shift(1), back(1), wide(alu::OR, 1, 1), jump_if(jump::LT, 1, 9, 1), exit()];
    assert_eq!(folded(&code), ["r1 = 0", "r1 |= 1", "if r1 < 9 goto 1", "exit"]);
}
