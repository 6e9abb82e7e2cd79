//! Numbers of 32 bits in registers of 64.
//!
//! Without instructions of 32 bits a compiler clears the upper half of a register by shifting it there and back. Where it is
//! clear already both shifts go; elsewhere one move of 32 bits takes their place.

use super::{
    function::{Function, Leaders},
    instruction::{self, Instruction, REGISTERS, Set, alu, class},
};

/// Of each register whether its upper half is clear.
#[derive(Clone, Copy, PartialEq, Eq)]
struct Clear(Set);

impl Clear {
    fn has(self, register: u8) -> bool {
        self.0 & instruction::bit(register) != 0
    }

    fn step(&mut self, instruction: &Instruction) {
        let is_clear = instruction.is_pure() && self.leaves_clear(instruction);
        self.0 &= !instruction.writes();
        if is_clear {
            self.0 |= instruction::bit(instruction.dst);
        }
    }

    /// Whether an instruction sets its register to what has a clear upper half.
    fn leaves_clear(self, instruction: &Instruction) -> bool {
        if instruction.is_load() {
            return instruction.access_bytes() < 8;
        }
        if !instruction.is_arithmetic() || instruction.off != 0 {
            return false;
        }
        if instruction.class() == class::ALU {
            return instruction.operation() != alu::END;
        }
        let is_clear = self.has(instruction.dst);
        let (is_number, is_clear_operand) = match instruction.is_by_register() {
            true => (false, self.has(instruction.src)),
            false => (true, instruction.imm >= 0),
        };
        match instruction.operation() {
            alu::MOV => is_clear_operand,
            alu::AND => is_clear || is_clear_operand,
            alu::OR | alu::XOR => is_clear && is_clear_operand,
            alu::RSH => is_clear || is_number && instruction.imm >= 32,
            _ => false,
        }
    }
}

pub fn fold(function: &mut Function) {
    let leaders = function.leaders();
    let states = states(function, &leaders);
    let mut is_kept = vec![true; function.instructions.len()];
    let mut clear = Clear(0);
    for index in 0..function.instructions.len() {
        if let Some(leader) = leaders.number(index) {
            clear = states.get(leader).copied().flatten().unwrap_or(Clear(0));
        }
        let Some(instruction) = function.instructions.get(index).copied() else { break };
        if is_shift(&instruction, alu::LSH)
            && let Some(back) = shift_back(function, &leaders, index)
        {
            let register = instruction.dst;
            if let (true, Some(is_kept)) = (clear.has(register), is_kept.get_mut(index)) {
                *is_kept = false;
            } else if let Some(place) = function.instructions.get_mut(index) {
                *place = Instruction {
                    code: class::ALU | alu::MOV | instruction::BY_REGISTER,
                    dst: register,
                    src: register,
                    ..Instruction::default()
                };
            }
            if let Some(is_kept) = is_kept.get_mut(back) {
                *is_kept = false;
            }
            clear.0 |= instruction::bit(register);
            continue;
        }
        if is_kept.get(index) == Some(&true) {
            clear.step(&instruction);
        }
    }
    function.retain(is_kept);
}

fn is_shift(instruction: &Instruction, operation: u8) -> bool {
    instruction.class() == class::ALU64
        && instruction.operation() == operation
        && !instruction.is_by_register()
        && instruction.imm == 32
}

/// The shift back of what is shifted here, where nothing else has to do with the register in between.
fn shift_back(function: &Function, leaders: &Leaders, shift: usize) -> Option<usize> {
    let register = function.instructions.get(shift)?.dst;
    let mut index = shift + 1;
    loop {
        let instruction = function.instructions.get(index)?;
        if leaders.number(index).is_some() {
            return None;
        }
        if is_shift(instruction, alu::RSH) && instruction.dst == register {
            return Some(index);
        }
        let touched = instruction.reads() | instruction.writes();
        if touched & instruction::bit(register) != 0 || instruction.is_jump() || instruction.is_exit() {
            return None;
        }
        index += 1;
    }
}

/// What is clear at each leader; `None` where nothing leads there.
fn states(function: &Function, leaders: &Leaders) -> Vec<Option<Clear>> {
    let mut states: Vec<Option<Clear>> = vec![None; leaders.count()];
    let mut waiting = Vec::new();
    let reach = |states: &mut Vec<Option<Clear>>, waiting: &mut Vec<usize>, index: usize, clear: Clear| {
        let Some(place) = leaders.number(index).and_then(|leader| states.get_mut(leader)) else { return };
        let joined = Clear(place.map_or(clear.0, |known| known.0 & clear.0));
        if *place != Some(joined) {
            *place = Some(joined);
            waiting.push(index);
        }
    };
    reach(&mut states, &mut waiting, 0, Clear(0));
    while let Some(mut index) = waiting.pop() {
        let known = leaders.number(index).and_then(|leader| states.get(leader).copied().flatten());
        let Some(mut clear) = known else { continue };
        while let Some(instruction) = function.instructions.get(index) {
            clear.step(instruction);
            if let Some(target) = instruction.target {
                reach(&mut states, &mut waiting, target, clear);
            }
            if instruction.ends_flow() {
                break;
            }
            index += 1;
            if leaders.number(index).is_some() {
                reach(&mut states, &mut waiting, index, clear);
                break;
            }
        }
    }
    states
}

const _: () = assert!(REGISTERS <= Set::BITS as usize);
