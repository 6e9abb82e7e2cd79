//! Additions that go into loads and stores.

use super::{
    super::{
        addresses,
        instruction::{FRAME, Instruction, alu, jump},
    },
    listing::lines,
    make::*,
};

fn folded(instructions: &[Instruction]) -> Vec<String> {
    let mut function = function(instructions);
    addresses::fold(&mut function);
    lines(&function)
}

/// What a load through the second register becomes behind something.
fn load_after(before: &[Instruction]) -> String {
    let all = folded(&[before, &[load(8, 0, 2, 4), exit()]].concat());
    all[before.len()].clone()
}

const STAYS: &str = "r0 = *u64(r2 + 4)";

#[test]
fn what_is_added_to_a_copy_goes_into_loads_and_stores() {
    assert_eq!(load_after(&[copy(2, 1), add(2, 16)]), "r0 = *u64(r1 + 20)");
    assert_eq!(load_after(&[copy(2, 1), add(2, 16), add(2, -40)]), "r0 = *u64(r1 - 20)");
    assert_eq!(load_after(&[copy(3, 1), add(3, 8), copy(2, 3), add(2, 8)]), "r0 = *u64(r1 + 20)");
    let code = [copy(2, 1), add(2, 8), store(4, 2, 2, 2), store_number(1, 2, 0, 5), load(2, 2, 2, 0), exit()];
    assert_eq!(
        folded(&code)[2..],
        ["*u32(r1 + 10) = r2", "*u8(r1 + 8) = 5", "r2 = *u16(r1 + 8)", "exit"],
        "what is stored stays what it is"
    );
}

#[test]
fn not_across_a_write_of_the_base_or_the_copy() {
    assert_eq!(load_after(&[copy(2, 1), add(2, 16), add(1, 1)]), STAYS);
    assert_eq!(load_after(&[copy(2, 1), add(2, 16), load(8, 1, 1, 0)]), STAYS);
    assert_eq!(load_after(&[copy(2, 1), add(2, 16), set_all(1, 5)]), STAYS);
    assert_eq!(load_after(&[copy(2, 1), add(2, 16), atomic(8, 10, -8, 1, 1)]), STAYS);
    assert_eq!(load_after(&[copy(2, 1), add(2, 16), wide_by(alu::ADD, 2, 3)]), STAYS);
    assert_eq!(load_after(&[copy(2, 1), add(2, 16), wide(alu::SUB, 2, 3)]), STAYS);
    assert_eq!(load_after(&[copy(2, 1), narrow(alu::ADD, 2, 16)]), STAYS);
    assert_eq!(load_after(&[copy(2, 1), copy(3, 2), copy(1, 3), copy(2, 1)]), "r0 = *u64(r1 + 4)");
    // A call leaves nothing in its arguments, and the others as they are.
    let code = [copy(7, 1), copy(8, 6), add(8, 8), call(5), load(8, 0, 7, 0), load(8, 0, 8, 0), exit()];
    assert_eq!(folded(&code)[4..], ["r0 = *u64(r7 + 0)", "r0 = *u64(r6 + 8)", "exit"]);
    // The copy of what becomes another is no copy of that.
    let code = [copy(2, 1), copy(3, 2), add(1, 8), add(3, 8), load(8, 0, 3, 0), exit()];
    assert_eq!(folded(&code)[4], "r0 = *u64(r3 + 0)");
    let code = [copy(1, 1), add(1, 8), load(8, 0, 1, 0), exit()];
    assert_eq!(folded(&code), lines(&function(&code)));
}

#[test]
fn only_whole_copies() {
    assert_eq!(load_after(&[narrow_by(alu::MOV, 2, 1), add(2, 16)]), STAYS);
    assert_eq!(load_after(&[Instruction { off: 32, ..copy(2, 1) }, add(2, 16)]), STAYS);
}

#[test]
fn not_across_blocks() {
    let code = [copy(2, 1), add(2, 8), jump_if(jump::EQ, 3, 0, 3), load(8, 0, 2, 4), exit()];
    assert_eq!(folded(&code)[3], STAYS);
    let code = [jump_if(jump::EQ, 3, 0, 3), copy(2, 1), add(2, 8), load(8, 0, 2, 4), exit()];
    assert_eq!(folded(&code)[3], STAYS);
}

#[test]
fn not_beyond_an_offset_s_16_bits() {
    assert_eq!(load_after(&[copy(2, 1), add(2, 32_763)]), "r0 = *u64(r1 + 32767)");
    assert_eq!(load_after(&[copy(2, 1), add(2, 32_764)]), STAYS);
    assert_eq!(load_after(&[copy(2, 1), add(2, -32_772)]), "r0 = *u64(r1 - 32768)");
    assert_eq!(load_after(&[copy(2, 1), add(2, -32_773)]), STAYS);
    assert_eq!(load_after(&[copy(2, 1), add(2, i32::MAX), add(2, i32::MAX)]), STAYS);
}

#[test]
fn not_beyond_the_frame() {
    assert_eq!(load_after(&[copy(2, FRAME), add(2, -16)]), "r0 = *u64(r10 - 12)");
    assert_eq!(load_after(&[copy(2, FRAME), add(2, -516)]), "r0 = *u64(r10 - 512)");
    assert_eq!(load_after(&[copy(2, FRAME), add(2, -517)]), STAYS);
    assert_eq!(load_after(&[copy(2, FRAME), add(2, -4)]), STAYS);
    assert_eq!(load_after(&[copy(2, FRAME), add(2, -5)]), "r0 = *u64(r10 - 1)", "as wrong as it was");
}

#[test]
fn atomic_instructions_stay() {
    let code = [copy(2, 1), add(2, 8), atomic(8, 2, 0, 3, 0), atomic(8, 3, 0, 2, 0x100), exit()];
    assert_eq!(folded(&code), lines(&function(&code)));
}
