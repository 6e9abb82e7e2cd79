//! Offsets of members go into the loads and stores that they are for: what was a copy of a pointer, an addition and a
//! load becomes the load alone.
//!
//! Within blocks only. The verifier holds an offset in an instruction against what a pointer is to as it does one that has
//! been added.

use super::{
    function::Function,
    instruction::{FRAME, Instruction, REGISTERS, alu, class},
};

/// A register that is another one and a number.
#[derive(Clone, Copy)]
struct Sum {
    base: u8,
    /// How often the base had been written then.
    writes: u32,
    number: i64,
}

/// What is known within a block.
#[derive(Clone, Copy)]
struct Block {
    sums: [Option<Sum>; REGISTERS],
    writes: [u32; REGISTERS],
}

impl Block {
    fn writes_of(&self, register: u8) -> u32 {
        self.writes.get(usize::from(register)).copied().unwrap_or(0)
    }

    fn sum(&self, register: u8) -> Option<Sum> {
        let sum = self.sums.get(usize::from(register)).copied().flatten()?;
        (self.writes_of(sum.base) == sum.writes).then_some(sum)
    }

    fn step(&mut self, instruction: &Instruction) {
        let dst = instruction.dst;
        let is_addition = instruction.class() == class::ALU64
            && instruction.operation() == alu::ADD
            && !instruction.is_by_register();
        let sum = if instruction.is_copy() {
            let of_source = Sum { base: instruction.src, writes: self.writes_of(instruction.src), number: 0 };
            Some(self.sum(instruction.src).unwrap_or(of_source))
        } else if is_addition {
            self.sum(dst).map(|sum| Sum { number: sum.number + i64::from(instruction.imm), ..sum })
        } else {
            None
        };
        let written = instruction.writes();
        for (register, (writes, place)) in self.writes.iter_mut().zip(&mut self.sums).enumerate() {
            if written >> register & 1 != 0 {
                *writes += 1;
                *place = None;
            }
        }
        if let (Some(sum), Some(place)) =
            (sum.filter(|sum| sum.base != dst), self.sums.get_mut(usize::from(dst)))
        {
            *place = Some(sum);
        }
    }
}

pub fn fold(function: &mut Function) {
    let leaders = function.leaders();
    let nothing = Block { sums: [None; REGISTERS], writes: [0; REGISTERS] };
    let mut block = nothing;
    for (index, instruction) in function.instructions.iter_mut().enumerate() {
        if leaders.number(index).is_some() {
            block = nothing;
        }
        let address = match (instruction.is_load(), instruction.is_store()) {
            (true, _) => Some(instruction.src),
            (_, true) => Some(instruction.dst),
            _ => None,
        };
        if let Some(sum) = address.and_then(|address| block.sum(address))
            && let Ok(off) = i16::try_from(sum.number + i64::from(instruction.off))
            && is_within_frame(sum.base, off)
        {
            *(if instruction.is_load() { &mut instruction.src } else { &mut instruction.dst }) = sum.base;
            instruction.off = off;
        }
        block.step(instruction);
    }
}

/// Whether an offset from the frame is one that the verifier takes.
fn is_within_frame(base: u8, off: i16) -> bool {
    const FRAME_BYTES: i16 = 512;
    base != FRAME || (-FRAME_BYTES..0).contains(&off)
}
