//! Instructions made tersely, and random numbers.

use super::super::{
    function::Function,
    instruction::{BY_REGISTER, Instruction, LOAD_IMMEDIATE, ORDINARY, alu, class, jump},
};

pub fn function(instructions: &[Instruction]) -> Function {
    Function { instructions: instructions.to_vec() }
}

/// Arithmetic of 64 bits with a number.
pub fn wide(operation: u8, dst: u8, imm: i32) -> Instruction {
    Instruction { code: class::ALU64 | operation, dst, imm, ..Instruction::default() }
}

/// The same with a register.
pub fn wide_by(operation: u8, dst: u8, src: u8) -> Instruction {
    Instruction { code: class::ALU64 | operation | BY_REGISTER, dst, src, ..Instruction::default() }
}

/// Arithmetic of 32 bits with a number.
pub fn narrow(operation: u8, dst: u8, imm: i32) -> Instruction {
    Instruction { code: class::ALU | operation, dst, imm, ..Instruction::default() }
}

/// The same with a register.
pub fn narrow_by(operation: u8, dst: u8, src: u8) -> Instruction {
    Instruction { code: class::ALU | operation | BY_REGISTER, dst, src, ..Instruction::default() }
}

pub fn set(dst: u8, imm: i32) -> Instruction {
    wide(alu::MOV, dst, imm)
}

pub fn copy(dst: u8, src: u8) -> Instruction {
    wide_by(alu::MOV, dst, src)
}

pub fn add(dst: u8, imm: i32) -> Instruction {
    wide(alu::ADD, dst, imm)
}

pub fn set_all(dst: u8, number: u64) -> Instruction {
    Instruction {
        code: LOAD_IMMEDIATE,
        dst,
        imm: number as i32,
        high: (number >> 32) as i32,
        ..Instruction::default()
    }
}

/// The address of what a relocation is for.
pub fn address(dst: u8, relocation: usize, imm: i32) -> Instruction {
    Instruction { code: LOAD_IMMEDIATE, dst, imm, relocation: Some(relocation), ..Instruction::default() }
}

/// The bits of a code for an access of so many bytes.
pub fn size(bytes: u8) -> u8 {
    match bytes {
        1 => 0x10,
        2 => 0x08,
        4 => 0x00,
        _ => 0x18,
    }
}

pub fn load(bytes: u8, dst: u8, src: u8, off: i16) -> Instruction {
    Instruction { code: class::LDX | ORDINARY | size(bytes), dst, src, off, ..Instruction::default() }
}

pub fn store(bytes: u8, dst: u8, off: i16, src: u8) -> Instruction {
    Instruction { code: class::STX | ORDINARY | size(bytes), dst, src, off, ..Instruction::default() }
}

pub fn store_number(bytes: u8, dst: u8, off: i16, imm: i32) -> Instruction {
    Instruction { code: class::ST | ORDINARY | size(bytes), dst, off, imm, ..Instruction::default() }
}

pub fn atomic(bytes: u8, dst: u8, off: i16, src: u8, imm: i32) -> Instruction {
    Instruction { code: class::STX | 0xc0 | size(bytes), dst, src, off, imm, ..Instruction::default() }
}

pub fn jump_if(operation: u8, dst: u8, imm: i32, target: usize) -> Instruction {
    Instruction { code: class::JMP | operation, dst, imm, target: Some(target), ..Instruction::default() }
}

pub fn jump_if_by(operation: u8, dst: u8, src: u8, target: usize) -> Instruction {
    Instruction {
        code: class::JMP | operation | BY_REGISTER,
        dst,
        src,
        target: Some(target),
        ..Instruction::default()
    }
}

pub fn goto(target: usize) -> Instruction {
    Instruction::jump(target)
}

/// A jump whose distance has 32 bits.
pub fn goto_far(target: usize) -> Instruction {
    Instruction { code: class::JMP32 | jump::ALWAYS, ..Instruction::jump(target) }
}

/// `may_goto`: the kernel takes it when it has been here too often.
pub fn may_goto(target: usize) -> Instruction {
    Instruction { code: class::JMP | 0xe0, ..Instruction::jump(target) }
}

pub fn call(number: i32) -> Instruction {
    Instruction { code: class::JMP | jump::CALL, imm: number, ..Instruction::default() }
}

/// A call of a function of the program's own.
pub fn call_own(number: i32) -> Instruction {
    Instruction { src: 1, ..call(number) }
}

pub fn exit() -> Instruction {
    Instruction { code: class::JMP | jump::EXIT, ..Instruction::default() }
}

/// The same numbers in every run (splitmix64).
pub struct Random(pub u64);

impl Random {
    pub fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        mix(self.0)
    }

    pub fn below(&mut self, end: usize) -> usize {
        (self.next() % end as u64) as usize
    }

    pub fn is_one_in(&mut self, count: usize) -> bool {
        self.below(count) == 0
    }

    pub fn pick<T: Copy>(&mut self, choices: &[T]) -> T {
        choices[self.below(choices.len())]
    }

    /// A number of the kinds that make a difference: at the edges of 16, 32 and 64 bits, and small.
    pub fn number(&mut self) -> u64 {
        let edge = self.pick(&[0u64, 1 << 15, 1 << 16, 1 << 31, 1 << 32, 1 << 63]);
        match self.below(4) {
            0 => self.next(),
            1 => (self.below(80) as u64).wrapping_sub(8),
            _ => edge.wrapping_add(self.below(3) as u64).wrapping_sub(1),
        }
    }
}

pub fn mix(number: u64) -> u64 {
    let z = (number ^ number >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let z = (z ^ z >> 27).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ z >> 31
}
