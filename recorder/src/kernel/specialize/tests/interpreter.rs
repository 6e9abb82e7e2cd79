//! Runs a function as the kernel would, and tells what of it can be seen from outside: its stores, its calls with what they
//! are given, and what it returns.
//!
//! It shares no arithmetic with what it is to judge. Memory is anywhere: what has not been stored is a number that depends on
//! the address alone. Like the verifier it takes no register that nothing has been put into.

use std::collections::HashMap;

use super::{
    super::{
        constants::Data,
        function::Function,
        instruction::{FRAME, Instruction, REGISTERS, alu, bit, class, jump},
    },
    make::mix,
};

pub const DATA: u64 = 0xffff_c900_0100_0000;
pub const FRAME_TOP: u64 = 0xffff_c900_0800_0000;

#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Event {
    Store {
        address: u64,
        bytes: usize,
        value: u64,
    },
    /// `None` of a register with nothing in it, which is no argument then.
    Call {
        number: i32,
        arguments: Vec<Option<u64>>,
    },
    /// A load of a packet's bytes.
    Packet {
        at: u64,
    },
    /// The same of a function of the program's own that returns nothing.
    Return(Option<u64>),
    /// It has been running for too long.
    Stopped,
}

pub struct Run<'a> {
    function: &'a Function,
    data: Data<'a>,
    seed: u64,
    registers: [Option<u64>; REGISTERS],
    stored: HashMap<u64, u8>,
    events: Vec<Event>,
    /// How many `may_goto` there have been.
    chances: u64,
}

/// Runs a function on memory that a number decides, for so many instructions. An error says what the verifier would not
/// have let pass.
pub fn run(function: &Function, data: &Data<'_>, seed: u64, steps: usize) -> Result<Vec<Event>, String> {
    let mut registers = [None; REGISTERS];
    for (register, place) in registers.iter_mut().enumerate().skip(1) {
        *place = (register <= 5).then(|| 0xffff_8880_0000_0000 | mix(seed ^ register as u64) >> 28);
    }
    registers[usize::from(FRAME)] = Some(FRAME_TOP);
    let mut run = Run {
        function,
        data: *data,
        seed,
        registers,
        stored: HashMap::new(),
        events: Vec::new(),
        chances: 0,
    };
    let mut at = 0;
    for _ in 0..steps {
        let instruction = run.function.instructions.get(at).ok_or("it runs beyond its end")?;
        match run.step(instruction).map_err(|error| format!("at {at}: {error}"))? {
            Flow::Next => at += 1,
            Flow::To(target) => at = target,
            Flow::Return => return Ok(run.events),
        }
    }
    run.events.push(Event::Stopped);
    Ok(run.events)
}

enum Flow {
    Next,
    To(usize),
    Return,
}

impl Run<'_> {
    fn get(&self, register: u8) -> Result<u64, String> {
        let value = self.registers.get(usize::from(register)).copied().flatten();
        value.ok_or_else(|| format!("r{register} is read, and there is nothing in it"))
    }

    fn set(&mut self, register: u8, value: u64) -> Result<(), String> {
        if register >= FRAME {
            return Err(format!("r{register} is written"));
        }
        self.registers[usize::from(register)] = Some(value);
        Ok(())
    }

    fn load(&self, address: u64, bytes: usize) -> u64 {
        let byte = |address: u64| match self.data.bytes.get(address.wrapping_sub(DATA) as usize) {
            Some(byte) => *byte,
            None => match self.stored.get(&address) {
                Some(byte) => *byte,
                None => mix(self.seed ^ address >> 3).to_le_bytes()[(address & 7) as usize],
            },
        };
        (0..bytes as u64).rev().fold(0, |number, at| number << 8 | u64::from(byte(address.wrapping_add(at))))
    }

    fn store(&mut self, address: u64, bytes: usize, value: u64) -> Result<(), String> {
        for (at, byte) in value.to_le_bytes().into_iter().enumerate().take(bytes) {
            let address = address.wrapping_add(at as u64);
            if address.wrapping_sub(DATA) < self.data.bytes.len() as u64 {
                return Err("it writes to read-only data".into());
            }
            self.stored.insert(address, byte);
        }
        let value = low(value, bytes);
        self.events.push(Event::Store { address, bytes, value });
        Ok(())
    }

    /// The address that a load or store is for.
    fn place(&self, register: u8, instruction: &Instruction) -> Result<u64, String> {
        if register == FRAME && !(-512..0).contains(&instruction.off) {
            return Err(format!("{} from the frame", instruction.off));
        }
        Ok(self.get(register)?.wrapping_add(i64::from(instruction.off) as u64))
    }

    fn second(&self, instruction: &Instruction) -> Result<u64, String> {
        if instruction.code & 0x08 != 0 {
            self.get(instruction.src)
        } else {
            Ok(i64::from(instruction.imm) as u64)
        }
    }

    fn step(&mut self, instruction: &Instruction) -> Result<Flow, String> {
        let Instruction { code, dst, src, imm, .. } = *instruction;
        let bytes = instruction.access_bytes();
        match instruction.class() {
            class::LD if code == 0x18 => {
                let value = match instruction.relocation {
                    Some(relocation) => match self.data.symbols.get(relocation).copied().flatten() {
                        Some(symbol) => DATA.wrapping_add(symbol).wrapping_add(i64::from(imm) as u64),
                        None => 0xffff_8881_0000_0000 + ((relocation as u64) << 12),
                    },
                    None => u64::from(imm as u32) | u64::from(instruction.high as u32) << 32,
                };
                self.set(dst, value)?;
            }
            class::LD => {
                let by = if code & 0xe0 == 0x40 { self.get(src)? } else { 0 };
                let at = self.get(6)?.wrapping_add(by).wrapping_add(imm as u64);
                self.events.push(Event::Packet { at });
                self.registers[..6].fill(None);
                self.set(0, low(mix(at), bytes))?;
            }
            class::LDX => {
                let value = self.load(self.place(src, instruction)?, bytes);
                self.set(dst, if code & 0xe0 == 0x80 { extend(value, 8 * bytes) } else { value })?;
            }
            class::ST => {
                self.store(self.place(dst, instruction)?, bytes, i64::from(imm) as u64)?;
            }
            class::STX if code & 0xe0 == 0x60 => {
                let value = self.get(src)?;
                self.store(self.place(dst, instruction)?, bytes, value)?;
            }
            class::STX => self.atomic(instruction)?,
            class::ALU | class::ALU64 => self.arithmetic(instruction)?,
            _ => return self.jump(instruction),
        }
        Ok(Flow::Next)
    }

    fn atomic(&mut self, instruction: &Instruction) -> Result<(), String> {
        let Instruction { dst, src, imm, .. } = *instruction;
        let bytes = instruction.access_bytes();
        if imm == 0x100 {
            let value = self.load(self.place(src, instruction)?, bytes);
            return self.set(dst, value);
        }
        let address = self.place(dst, instruction)?;
        let (old, given) = (self.load(address, bytes), self.get(src)?);
        let new = match imm & !1 {
            0x00 => old.wrapping_add(given),
            0x40 => old | given,
            0x50 => old & given,
            0xa0 => old ^ given,
            0xe0 | 0x110 => given,
            0xf0 if low(self.get(0)?, bytes) == old => given,
            0xf0 => old,
            _ => return Err(format!("atomic operation {imm:#x}")),
        };
        self.store(address, bytes, new)?;
        match imm {
            0xf1 => self.set(0, old),
            _ if imm & 1 != 0 => self.set(src, old),
            _ => Ok(()),
        }
    }

    fn arithmetic(&mut self, instruction: &Instruction) -> Result<(), String> {
        let Instruction { code, dst, off, imm, .. } = *instruction;
        let is_wide = instruction.class() == class::ALU64;
        let operation = code & 0xf0;
        if operation == alu::END {
            let value = self.get(dst)?;
            let is_swapped = is_wide || code & 0x08 != 0;
            let value = match (imm, is_swapped) {
                (16, true) => u64::from((value as u16).swap_bytes()),
                (32, true) => u64::from((value as u32).swap_bytes()),
                (_, true) => value.swap_bytes(),
                (_, false) => low(value, imm as usize / 8),
            };
            return self.set(dst, value);
        }
        let second = self.second(instruction)?;
        if operation == alu::MOV {
            let value = if off == 0 { second } else { extend(low(second, off as usize / 8), off as usize) };
            return self.set(dst, if is_wide { value } else { value & 0xffff_ffff });
        }
        let first = self.get(dst)?;
        let value = if is_wide {
            wide(operation, off != 0, first, second)
        } else {
            narrow(operation, off != 0, first as u32, second as u32).map(u64::from)
        };
        self.set(dst, value.ok_or_else(|| format!("operation {code:#x}"))?)
    }

    fn jump(&mut self, instruction: &Instruction) -> Result<Flow, String> {
        let Instruction { code, dst, imm, .. } = *instruction;
        let is_wide = instruction.class() == class::JMP;
        let target = instruction.target.map(Flow::To).ok_or("a jump leads nowhere");
        let is_taken = match code & 0xf0 {
            jump::CALL => {
                let read = instruction.reads();
                let read = (1..=5).filter(|register| read & bit(*register) != 0);
                let arguments: Vec<Option<u64>> =
                    read.map(|register| self.registers[usize::from(register)]).collect();
                // A helper that is not known here takes five at most.
                if arguments.len() < 5 && arguments.contains(&None) {
                    return Err(format!("call {imm} has an argument with nothing in it"));
                }
                let given =
                    arguments.iter().fold(imm as u64, |sum, argument| mix(sum ^ argument.unwrap_or(1)));
                self.events.push(Event::Call { number: imm, arguments });
                self.registers[..6].fill(None);
                // As often nothing is found, or it is a small number.
                self.set(0, given >> ((given & 3) * 20))?;
                return Ok(Flow::Next);
            }
            jump::EXIT => {
                self.events.push(Event::Return(self.registers[0]));
                return Ok(Flow::Return);
            }
            jump::ALWAYS => true,
            0xe0 => {
                self.chances += 1;
                mix(self.chances) & 7 == 0
            }
            comparison => {
                let (first, second) = (self.get(dst)?, self.second(instruction)?);
                let is_taken = if is_wide {
                    compare(comparison, first, second, first as i64, second as i64)
                } else {
                    let (first, second) = (first as u32, second as u32);
                    let signed = |number: u32| i64::from(number as i32);
                    compare(comparison, first.into(), second.into(), signed(first), signed(second))
                };
                is_taken.ok_or_else(|| format!("comparison {code:#x}"))?
            }
        };
        if is_taken { Ok(target?) } else { Ok(Flow::Next) }
    }
}

/// The low bytes of a number.
fn low(number: u64, bytes: usize) -> u64 {
    if bytes >= 8 { number } else { number & ((1 << (8 * bytes)) - 1) }
}

/// A number of so many bits with its sign.
fn extend(number: u64, bits: usize) -> u64 {
    let shift = 64 - bits as u32;
    ((number << shift) as i64 >> shift) as u64
}

fn wide(operation: u8, is_signed: bool, a: u64, b: u64) -> Option<u64> {
    let (signed_a, signed_b) = (a as i64, b as i64);
    Some(match operation {
        alu::ADD => a.wrapping_add(b),
        alu::SUB => a.wrapping_sub(b),
        alu::MUL => a.wrapping_mul(b),
        alu::DIV if b == 0 => 0,
        alu::DIV if is_signed => signed_a.wrapping_div(signed_b) as u64,
        alu::DIV => a / b,
        alu::MOD if b == 0 => a,
        alu::MOD if is_signed => signed_a.wrapping_rem(signed_b) as u64,
        alu::MOD => a % b,
        alu::OR => a | b,
        alu::AND => a & b,
        alu::XOR => a ^ b,
        alu::LSH => a.wrapping_shl(b as u32),
        alu::RSH => a.wrapping_shr(b as u32),
        alu::ARSH => signed_a.wrapping_shr(b as u32) as u64,
        alu::NEG => 0u64.wrapping_sub(a),
        _ => return None,
    })
}

fn narrow(operation: u8, is_signed: bool, a: u32, b: u32) -> Option<u32> {
    let (signed_a, signed_b) = (a as i32, b as i32);
    Some(match operation {
        alu::ADD => a.wrapping_add(b),
        alu::SUB => a.wrapping_sub(b),
        alu::MUL => a.wrapping_mul(b),
        alu::DIV if b == 0 => 0,
        alu::DIV if is_signed => signed_a.wrapping_div(signed_b) as u32,
        alu::DIV => a / b,
        alu::MOD if b == 0 => a,
        alu::MOD if is_signed => signed_a.wrapping_rem(signed_b) as u32,
        alu::MOD => a % b,
        alu::OR => a | b,
        alu::AND => a & b,
        alu::XOR => a ^ b,
        alu::LSH => a.wrapping_shl(b),
        alu::RSH => a.wrapping_shr(b),
        alu::ARSH => signed_a.wrapping_shr(b) as u32,
        alu::NEG => 0u32.wrapping_sub(a),
        _ => return None,
    })
}

fn compare(operation: u8, a: u64, b: u64, signed_a: i64, signed_b: i64) -> Option<bool> {
    Some(match operation {
        jump::EQ => a == b,
        jump::NE => a != b,
        jump::SET => a & b != 0,
        jump::GT => a > b,
        jump::GE => a >= b,
        jump::LT => a < b,
        jump::LE => a <= b,
        jump::SGT => signed_a > signed_b,
        jump::SGE => signed_a >= signed_b,
        jump::SLT => signed_a < signed_b,
        jump::SLE => signed_a <= signed_b,
        _ => return None,
    })
}
