//! What is known of registers.

use super::{
    super::{
        constants::{self, Data},
        instruction::{Instruction, alu, jump},
    },
    listing::lines,
    make::*,
};

/// The first word is 16, the second 0xffff_ffff, the third has 64 bits, the fourth is 0.
fn folded(instructions: &[Instruction]) -> Vec<String> {
    let words = [16u64, 0xffff_ffff, 0x1234_5678_9abc_def0, 0];
    let bytes: Vec<u8> = words.iter().flat_map(|word| word.to_le_bytes()).collect();
    let mut function = function(instructions);
    constants::fold(&mut function, &Data { bytes: &bytes, symbols: &[Some(0), Some(8), None] });
    lines(&function)
}

#[test]
fn loads_of_settings_become_numbers() {
    let code =
        [address(1, 0, 0), load(4, 0, 1, 0), load(1, 2, 1, 17), address(3, 1, 8), load(2, 3, 3, -8), exit()];
    assert_eq!(
        folded(&code),
        ["r1 = address 0 + 0", "r0 = 16", "r2 = 222", "r3 = address 1 + 8", "r3 = 65535", "exit"]
    );
}

#[test]
fn numbers_of_32_bits_are_moved_without_a_sign_and_longer_ones_stay() {
    let code = [address(1, 0, 0), load(8, 0, 1, 8), load(8, 2, 1, 16), add(0, 1), exit()];
    assert_eq!(folded(&code), ["r1 = address 0 + 0", "w0 = -1", "r2 = *u64(r1 + 16)", "r0 += 1", "exit"]);
}

#[test]
fn what_is_not_in_the_data_is_not_known() {
    // Beyond the end of it, before its beginning, across its end, and of a map.
    let code = [
        address(1, 0, 32),
        load(1, 2, 1, 0),
        load(1, 3, 1, -33),
        load(8, 4, 1, -4),
        address(1, 2, 0),
        load(8, 0, 1, 0),
        exit(),
    ];
    let all = folded(&code);
    assert_eq!(
        all[1..],
        [
            "r2 = *u8(r1 + 0)",
            "r3 = *u8(r1 - 33)",
            "r4 = *u64(r1 - 4)",
            "r1 = address 2 + 0",
            "r0 = *u64(r1 + 0)",
            "exit"
        ]
    );
}

#[test]
fn half_of_an_address_is_none_and_addresses_compare_with_nothing() {
    let code = [
        address(1, 0, 0),
        narrow_by(alu::MOV, 2, 1),
        load(4, 3, 2, 0),
        copy(4, 1),
        narrow(alu::ADD, 4, 0),
        load(4, 4, 4, 0),
        jump_if(jump::EQ, 1, 0, 7),
        address(5, 1, -8),
        wide_by(alu::SUB, 5, 1),
        copy(0, 5),
        exit(),
    ];
    let (was, all) = (lines(&function(&code)), folded(&code));
    assert_eq!(all, was);
}

#[test]
fn an_index_that_is_a_number_leads_into_the_data_and_another_does_not() {
    let code = [
        address(1, 0, 0),
        set(2, 8),
        wide_by(alu::ADD, 2, 1),
        load(4, 0, 2, 8),
        wide_by(alu::ADD, 1, 3),
        load(4, 4, 1, 0),
        exit(),
    ];
    assert_eq!(
        folded(&code)[3..],
        ["w0 = -1698898192", "r1 += r3", "r4 = *u32(r1 + 0)", "exit"],
        "0x9abcdef0, which has no sign"
    );
}

#[test]
fn decided_branches_go_and_what_they_rule_out() {
    let code = [
        set(1, 5),
        jump_if(jump::EQ, 1, 5, 4),
        set(0, 1),
        exit(),
        jump_if(jump::GT, 1, 5, 2),
        jump_if_by(jump::NE, 2, 1, 7),
        set(0, 2),
        set(0, 3),
        exit(),
    ];
    assert_eq!(folded(&code), ["r1 = 5", "if r2 != 5 goto 3", "r0 = 2", "r0 = 3", "exit"]);
}

#[test]
fn comparisons_of_32_bits_see_32_bits() {
    let narrow = |jump: Instruction| Instruction { code: jump.code + 1, ..jump };
    let code = [
        set_all(1, 0xffff_ffff_0000_0000),
        narrow(jump_if(jump::EQ, 1, 0, 3)),
        call(5),
        set_all(2, 0xffff_ffff),
        narrow(jump_if(jump::SLT, 2, 0, 6)),
        call(5),
        jump_if(jump::SLT, 2, 0, 8),
        narrow(jump_if_by(jump::EQ, 3, 1, 9)),
        exit(),
        exit(),
    ];
    let all = folded(&code);
    assert_eq!(
        all,
        ["r1 = 0xffffffff00000000 ll", "r2 = 0xffffffff ll", "if w3 == 0 goto 4", "exit", "exit"]
    );
}

#[test]
fn where_two_ways_meet_only_what_both_say_is_known() {
    let code = [
        jump_if(jump::EQ, 1, 0, 4),
        set(6, 1),
        set(7, 3),
        goto(6),
        set(6, 2),
        set(7, 3),
        jump_if(jump::EQ, 7, 3, 8),
        call(5),
        jump_if(jump::EQ, 6, 1, 9),
        copy(0, 7),
        exit(),
    ];
    assert_eq!(
        folded(&code)[6..],
        ["if r6 == 1 goto 7", "r0 = 3", "exit"],
        "the same on both ways, and another on each"
    );
}

#[test]
fn a_way_that_is_never_taken_says_nothing() {
    let code = [set(1, 0), set(6, 1), jump_if(jump::EQ, 1, 0, 4), set(6, 2), copy(0, 6), exit()];
    assert_eq!(folded(&code), ["r1 = 0", "r6 = 1", "r0 = 1", "exit"]);
}

#[test]
fn what_a_loop_changes_is_not_known_in_it() {
    let code =
        [set(6, 0), set(7, 4), add(6, 1), copy(8, 7), jump_if_by(jump::LT, 6, 8, 2), copy(0, 6), exit()];
    assert_eq!(
        folded(&code),
        ["r6 = 0", "r7 = 4", "r6 += 1", "r8 = 4", "if r6 < 4 goto 2", "r0 = r6", "exit"]
    );
}

#[test]
fn a_call_leaves_nothing_in_the_registers_that_it_may_use() {
    let code = [set(1, 1), set(6, 6), call(5), copy(7, 6), copy(2, 0), exit()];
    assert_eq!(folded(&code), ["r1 = 1", "r6 = 6", "call 5", "r7 = 6", "r2 = r0", "exit"]);
    let code = [set(0, 1), set(2, 2), atomic(8, 10, -8, 2, 0xf1), copy(3, 0), copy(4, 2), exit()];
    assert_eq!(folded(&code)[3..], ["r3 = r0", "r4 = 2", "exit"], "an exchange changes the first register");
    let code = [set(2, 2), atomic(8, 10, -8, 2, 1), copy(3, 2), exit()];
    assert_eq!(folded(&code)[2..], ["r3 = r2", "exit"], "it fetches");
}

#[test]
fn operands_that_the_verifier_refuses_stay_in_registers() {
    let code = [
        set(1, 0),
        set(2, 64),
        set(4, 32),
        set_all(5, 1 << 40),
        wide_by(alu::DIV, 3, 1),
        wide_by(alu::MOD, 3, 1),
        wide_by(alu::LSH, 3, 2),
        wide_by(alu::LSH, 3, 4),
        narrow_by(alu::ARSH, 3, 4),
        narrow_by(alu::DIV, 3, 5),
        wide_by(alu::AND, 3, 5),
        narrow_by(alu::AND, 3, 2),
        exit(),
    ];
    assert_eq!(
        folded(&code)[4..],
        [
            "r3 /= r1",
            "r3 %= r1",
            "r3 <<= r2",
            "r3 <<= 32",
            "w3 s>>= w4",
            "w3 /= w5",
            "r3 &= r5",
            "w3 &= 64",
            "exit"
        ]
    );
}

#[test]
fn what_is_not_reckoned_here_is_not_known() {
    // Byte swaps, moves and loads with a sign, signed divisions: all of them leave another number than there was.
    let swap = Instruction { code: 0xdc, dst: 1, imm: 16, ..Instruction::default() };
    let signed_move = Instruction { off: 8, ..copy(2, 1) };
    let signed_load = Instruction { code: 0x91, ..load(1, 4, 3, 8) };
    let signed_division = Instruction { off: 1, ..wide_by(alu::DIV, 5, 6) };
    let code = [
        set(1, 255),
        signed_move,
        swap,
        address(3, 0, 0),
        signed_load,
        set(5, -8),
        set(6, 2),
        signed_division,
        copy(7, 1),
        copy(8, 2),
        copy(9, 4),
        copy(0, 5),
        exit(),
    ];
    assert_eq!(folded(&code)[7..], ["r5 /= r6 signed 1", "r7 = r1", "r8 = r2", "r9 = r4", "r0 = r5", "exit"]);
}

#[test]
fn a_chance_to_leave_a_loop_stays() {
    let code = [set(0, 0), may_goto(3), goto(1), exit()];
    assert_eq!(folded(&code), ["r0 = 0", "may_goto 3", "goto 1", "exit"]);
}
