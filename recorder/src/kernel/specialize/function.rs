//! A function's instructions, from the bytes of a section and back.

use super::instruction::{Instruction, SLOT, class};

#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Function {
    pub instructions: Vec<Instruction>,
}

impl Function {
    /// Reads a function. `relocation_of` says which relocation is for an instruction, by its byte. `None` where these are
    /// no instructions, or others than those that are known.
    pub fn read(bytes: &[u8], relocation_of: impl Fn(usize) -> Option<usize>) -> Option<Function> {
        let (slots, []) = bytes.as_chunks::<SLOT>() else { return None };
        let mut instructions = Vec::with_capacity(slots.len());
        // The instruction that begins in a slot.
        let mut of_slot = vec![None; slots.len() + 1];
        let mut at = 0;
        while let Some(slot) = slots.get(at) {
            let mut instruction = Instruction::of_slot(*slot);
            if !instruction.is_known() {
                return None;
            }
            if instruction.is_load_immediate() {
                let upper = Instruction::of_slot(*slots.get(at + 1)?);
                instruction.high = upper.imm;
                if upper != (Instruction { imm: upper.imm, ..Instruction::default() }) {
                    return None;
                }
            }
            instruction.relocation = relocation_of(at * SLOT);
            *of_slot.get_mut(at)? = Some(instructions.len());
            at += instruction.slots();
            instructions.push((at, instruction));
        }
        let target = |(next, instruction): (usize, Instruction)| {
            let target = if instruction.is_jump() {
                let is_long = instruction.class() == class::JMP32 && instruction.is_always_taken();
                let by = if is_long { i64::from(instruction.imm) } else { i64::from(instruction.off) };
                let slot = usize::try_from(i64::try_from(next).ok()?.checked_add(by)?).ok()?;
                Some((*of_slot.get(slot)?)?)
            } else {
                None
            };
            Some(Instruction { target, ..instruction })
        };
        Some(Function { instructions: instructions.into_iter().map(target).collect::<Option<_>>()? })
    }

    /// Bytes that it takes.
    pub fn bytes(&self) -> usize {
        self.instructions.iter().map(|instruction| instruction.slots() * SLOT).sum()
    }

    /// Each instruction with the byte where it is.
    pub fn placed(&self) -> impl Iterator<Item = (usize, &Instruction)> {
        self.instructions.iter().scan(0, |at, instruction| {
            let place = *at;
            *at += instruction.slots() * SLOT;
            Some((place, instruction))
        })
    }

    /// Writes it out; `None` where a jump is too far.
    pub fn write(&self) -> Option<Vec<u8>> {
        let places: Vec<usize> = self.placed().map(|(place, _)| place / SLOT).collect();
        let mut bytes = Vec::with_capacity(self.bytes());
        for (place, instruction) in self.placed() {
            let mut instruction = *instruction;
            if let Some(target) = instruction.target {
                let next = place / SLOT + 1;
                let by = i64::try_from(*places.get(target)?).ok()? - i64::try_from(next).ok()?;
                if instruction.class() == class::JMP32 && instruction.is_always_taken() {
                    instruction.imm = i32::try_from(by).ok()?;
                } else {
                    instruction.off = i16::try_from(by).ok()?;
                }
            }
            bytes.extend_from_slice(&instruction.slot());
            if instruction.is_load_immediate() {
                let upper = Instruction { imm: instruction.high, ..Instruction::default() };
                bytes.extend_from_slice(&upper.slot());
            }
        }
        Some(bytes)
    }

    /// The instructions that others jump to or that follow a jump: where what is known has to be looked at anew.
    pub fn leaders(&self) -> Leaders {
        let mut is_leader = vec![false; self.instructions.len() + 1];
        let mut set = |index: usize| {
            if let Some(is_leader) = is_leader.get_mut(index) {
                *is_leader = true;
            }
        };
        set(0);
        for (index, instruction) in self.instructions.iter().enumerate() {
            if let Some(target) = instruction.target {
                set(target);
            }
            if instruction.is_jump() || instruction.is_exit() {
                set(index + 1);
            }
        }
        let mut count = 0;
        let mut number = |is_leader: bool| {
            let number = count;
            count += usize::from(is_leader);
            is_leader.then_some(number)
        };
        let numbers = is_leader.into_iter().map(&mut number).collect();
        Leaders { numbers, count }
    }

    /// Keeps these instructions. A jump to one that goes leads to the next that stays: what goes does nothing, or is never
    /// reached. Then jumps to what follows them go as well.
    pub fn retain(&mut self, mut is_kept: Vec<bool>) {
        loop {
            let mut next = 0;
            let places: Vec<usize> = is_kept
                .iter()
                .map(|is_kept| {
                    let place = next;
                    next += usize::from(*is_kept);
                    place
                })
                .collect();
            let place_of = |index: usize| places.get(index).copied().unwrap_or(next);
            let mut is_settled = true;
            let instructions = self.instructions.iter().enumerate();
            for ((index, instruction), is_kept) in
                instructions.zip(&mut is_kept).filter(|(_, is_kept)| **is_kept)
            {
                let is_idle = instruction.is_always_taken()
                    && instruction.target.is_some_and(|target| place_of(target) == place_of(index) + 1);
                if is_idle {
                    (*is_kept, is_settled) = (false, false);
                }
            }
            if is_settled {
                let kept = self.instructions.iter().zip(&is_kept).filter(|(_, is_kept)| **is_kept);
                let target = |target: Option<usize>| target.map(place_of);
                self.instructions = kept
                    .map(|(instruction, _)| Instruction {
                        target: target(instruction.target),
                        ..*instruction
                    })
                    .collect();
                return;
            }
        }
    }
}

/// Where blocks begin, and their numbers.
#[derive(Debug)]
pub struct Leaders {
    numbers: Vec<Option<usize>>,
    count: usize,
}

impl Leaders {
    /// The number of the block that begins with an instruction, if one does.
    pub fn number(&self, index: usize) -> Option<usize> {
        self.numbers.get(index).copied().flatten()
    }

    pub fn count(&self) -> usize {
        self.count
    }
}
