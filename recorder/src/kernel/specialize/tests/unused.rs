//! What nobody reads.

use super::{
    super::{
        instruction::{BY_REGISTER, Instruction, alu, jump},
        unused,
    },
    listing::lines,
    make::*,
};

fn dropped(instructions: &[Instruction]) -> Vec<String> {
    let mut function = function(instructions);
    unused::drop(&mut function);
    lines(&function)
}

#[test]
fn chains_that_nobody_reads_go_whole() {
    let code = [
        set(1, 1),
        copy(2, 1),
        wide_by(alu::ADD, 2, 1),
        load(8, 3, 2, 0),
        address(4, 0, 0),
        set(0, 0),
        exit(),
    ];
    assert_eq!(dropped(&code), ["r0 = 0", "exit"]);
    // Round a loop as well: each turn reads only what the one before has left for it.
    let code = [set(6, 0), set(7, 9), add(6, 1), add(7, -1), jump_if(jump::NE, 7, 0, 2), set(0, 0), exit()];
    assert_eq!(dropped(&code), ["r7 = 9", "r7 += -1", "if r7 != 0 goto 1", "r0 = 0", "exit"]);
}

#[test]
fn what_is_written_over_goes_unless_a_way_reads_it() {
    let code = [set(0, 1), set(0, 2), exit()];
    assert_eq!(dropped(&code), ["r0 = 2", "exit"]);
    let code = [set(0, 1), jump_if(jump::EQ, 1, 0, 3), set(0, 2), exit()];
    assert_eq!(dropped(&code), lines(&function(&code)));
    let code = [set(2, 1), jump_if(jump::EQ, 1, 0, 4), copy(0, 2), exit(), set(0, 0), exit()];
    assert_eq!(dropped(&code), lines(&function(&code)));
}

#[test]
fn arguments_stay_and_what_a_helper_does_not_take_goes() {
    let arguments = [set(1, 1), set(2, 2), set(3, 3), set(4, 4), set(5, 5)];
    let kept = |call: Instruction| {
        let all = dropped(&[&arguments[..], &[call, set(0, 0), exit()]].concat());
        all.len() - 3
    };
    assert_eq!(kept(call(5)), 0, "the clock");
    assert_eq!(kept(call(1)), 2, "a lookup");
    assert_eq!(kept(call(113)), 3, "a read of the kernel's memory");
    assert_eq!(kept(call(2)), 5, "a helper of which nothing is known here");
    assert_eq!(kept(call_own(-1)), 5, "a function's");
    assert_eq!(kept(Instruction { src: 2, ..call(1) }), 5, "a function of the kernel's, whatever its number");
    // What is in them after the call is not what was in them before.
    let code = [set(6, 1), set(1, 1), call(5), copy(0, 6), exit()];
    assert_eq!(dropped(&code), ["r6 = 1", "call 5", "r0 = r6", "exit"]);
}

#[test]
fn what_does_more_than_to_set_a_register_stays() {
    let code = [
        store(8, 10, -8, 1),
        store_number(4, 10, -16, 1),
        atomic(8, 10, -8, 2, 1),
        atomic(8, 10, -8, 3, 0),
        set(0, 4),
        atomic(8, 10, -8, 4, 0xf1),
        atomic(8, 5, 0, 10, 0x100),
        may_goto(8),
        call(5),
        set(0, 0),
        exit(),
    ];
    assert_eq!(dropped(&code), lines(&function(&code)));
}

#[test]
fn an_instruction_that_reads_what_it_sets_counts() {
    // A swap of bytes, whatever its register of the source, and a negation.
    let swap = |code: u8| Instruction { code, imm: 32, ..Instruction::default() };
    for operation in [swap(0xd4), swap(0xdc), swap(0xd7), wide(alu::NEG, 0, 0), narrow(alu::ADD, 0, 1)] {
        let code = [set(0, 1), operation, exit()];
        assert_eq!(dropped(&code), lines(&function(&code)));
    }
    // A move does not read it.
    assert_eq!(dropped(&[set(0, 1), narrow_by(alu::MOV, 0, 2), exit()]), ["w0 = w2", "exit"]);
}

#[test]
fn what_compares_and_what_loads_of_packets_take_stays() {
    let by_register = jump_if_by(jump::EQ, 1, 2, 3);
    assert_eq!(by_register.code & BY_REGISTER, BY_REGISTER);
    let code = [set(1, 1), set(2, 2), by_register, set(0, 0), exit()];
    assert_eq!(dropped(&code), lines(&function(&code)));
    let packet = |code: u8, src: u8| Instruction { code, src, ..Instruction::default() };
    let code = [set(6, 1), set(2, 2), packet(0x48, 2), packet(0x28, 0), exit()];
    assert_eq!(dropped(&code), lines(&function(&code)));
}
