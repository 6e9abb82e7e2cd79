//! What registers hold whichever way an instruction is reached: numbers, and addresses of read-only data. By it loads of
//! settings become numbers, operands that are numbers go into instructions, and branches that are decided go away.
//!
//! Only ways that can be taken are followed, as the verifier does (sparse conditional constant propagation).

use super::{
    function::{Function, Leaders},
    instruction::{self, BY_REGISTER, Instruction, REGISTERS, alu, class},
};

/// The read-only data, as it is when the programs run.
#[derive(Clone, Copy, Debug)]
pub struct Data<'a> {
    pub bytes: &'a [u8],
    /// For each of the section's relocations where in it the symbol is; `None` for all that is elsewhere.
    pub symbols: &'a [Option<u64>],
}

impl Data<'_> {
    fn load(&self, at: u64, bytes: usize) -> Option<u64> {
        let at = usize::try_from(at).ok()?;
        let found = self.bytes.get(at..at.checked_add(bytes)?)?;
        let mut number = [0; 8];
        number.get_mut(..bytes)?.copy_from_slice(found);
        Some(u64::from_le_bytes(number))
    }
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Value {
    Number(u64),
    /// An address: so many bytes from the beginning of the read-only data.
    Data(u64),
    Unknown,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
struct State([Value; REGISTERS]);

impl State {
    fn get(&self, register: u8) -> Value {
        self.0.get(usize::from(register)).copied().unwrap_or(Value::Unknown)
    }

    fn set(&mut self, register: u8, value: Value) {
        if let Some(place) = self.0.get_mut(usize::from(register)) {
            *place = value;
        }
    }

    /// What is true of both.
    fn join(&mut self, other: &State) -> bool {
        let mut is_changed = false;
        for (mine, theirs) in self.0.iter_mut().zip(other.0) {
            if *mine != theirs && *mine != Value::Unknown {
                *mine = Value::Unknown;
                is_changed = true;
            }
        }
        is_changed
    }

    /// The second operand.
    fn operand(&self, instruction: &Instruction) -> Value {
        if instruction.is_by_register() {
            self.get(instruction.src)
        } else {
            Value::Number(i64::from(instruction.imm).cast_unsigned())
        }
    }

    /// What an instruction sets its register to.
    fn result(&self, instruction: &Instruction, data: &Data<'_>) -> Value {
        if instruction.is_load_immediate() {
            return match instruction.relocation {
                Some(relocation) => match data.symbols.get(relocation) {
                    Some(Some(symbol)) => {
                        Value::Data(symbol.wrapping_add(i64::from(instruction.imm).cast_unsigned()))
                    }
                    _ => Value::Unknown,
                },
                None if instruction.src == 0 => {
                    let low = u64::from(instruction.imm.cast_unsigned());
                    Value::Number(low | u64::from(instruction.high.cast_unsigned()) << 32)
                }
                None => Value::Unknown,
            };
        }
        if instruction.is_load() {
            let Value::Data(at) = self.get(instruction.src) else { return Value::Unknown };
            let at = at.wrapping_add(i64::from(instruction.off).cast_unsigned());
            return data.load(at, instruction.access_bytes()).map_or(Value::Unknown, Value::Number);
        }
        if !instruction.is_arithmetic() || instruction.off != 0 || instruction.operation() == alu::END {
            return Value::Unknown;
        }
        let is_wide = instruction.class() == class::ALU64;
        let (first, second) = (self.get(instruction.dst), self.operand(instruction));
        match (instruction.operation(), first, second) {
            (alu::MOV, _, Value::Data(at)) if is_wide => Value::Data(at),
            (alu::MOV, _, Value::Number(number)) => {
                instruction::arithmetic(alu::MOV, is_wide, 0, number).map_or(Value::Unknown, Value::Number)
            }
            (alu::ADD, Value::Data(at), Value::Number(number))
            | (alu::ADD, Value::Number(number), Value::Data(at))
                if is_wide =>
            {
                Value::Data(at.wrapping_add(number))
            }
            (alu::SUB, Value::Data(at), Value::Number(number)) if is_wide => {
                Value::Data(at.wrapping_sub(number))
            }
            (operation, Value::Number(first), Value::Number(second)) => {
                instruction::arithmetic(operation, is_wide, first, second)
                    .map_or(Value::Unknown, Value::Number)
            }
            _ => Value::Unknown,
        }
    }

    fn step(&mut self, instruction: &Instruction, data: &Data<'_>) {
        if instruction.is_pure() {
            let result = self.result(instruction, data);
            self.set(instruction.dst, result);
            return;
        }
        let written = instruction.writes();
        for register in (0..REGISTERS as u8).filter(|register| written & instruction::bit(*register) != 0) {
            self.set(register, Value::Unknown);
        }
    }

    /// Whether a conditional jump is taken, where that is known.
    fn decision(&self, instruction: &Instruction) -> Option<bool> {
        let (Value::Number(first), Value::Number(second)) =
            (self.get(instruction.dst), self.operand(instruction))
        else {
            return None;
        };
        instruction::is_taken(instruction.operation(), instruction.class() == class::JMP, first, second)
    }
}

/// Puts what is known into the function.
pub fn fold(function: &mut Function, data: &Data<'_>) {
    let leaders = function.leaders();
    let states = states(function, &leaders, data);
    let mut is_kept = vec![false; function.instructions.len()];
    let mut state = None;
    for ((index, instruction), is_kept) in function.instructions.iter_mut().enumerate().zip(&mut is_kept) {
        if let Some(leader) = leaders.number(index) {
            state = states.get(leader).copied().flatten();
        }
        let Some(known) = &mut state else { continue };
        *is_kept = true;
        let before = *known;
        known.step(instruction, data);
        if instruction.is_jump() && !instruction.is_always_taken() {
            match (before.decision(instruction), instruction.target) {
                (Some(true), Some(target)) => *instruction = Instruction::jump(target),
                (Some(false), _) => *is_kept = false,
                _ => take_number(instruction, &before),
            }
        } else if instruction.is_arithmetic() || instruction.is_load() {
            match known.get(instruction.dst) {
                Value::Number(number) => {
                    if let Some(number) = Instruction::number(instruction.dst, number) {
                        *instruction = number;
                    }
                }
                _ => take_number(instruction, &before),
            }
        }
        if instruction.ends_flow() {
            state = None;
        }
    }
    function.retain(is_kept);
}

/// Makes an operand that is a known number part of the instruction.
fn take_number(instruction: &mut Instruction, state: &State) {
    let is_comparison = instruction.is_jump();
    if !(is_comparison || instruction.is_arithmetic())
        || !instruction.is_by_register()
        || (!is_comparison && (instruction.off != 0 || instruction.operation() == alu::END))
    {
        return;
    }
    let Value::Number(number) = state.get(instruction.src) else { return };
    let is_wide = matches!(instruction.class(), class::ALU64 | class::JMP);
    let imm = if is_wide {
        let Ok(imm) = i32::try_from(number.cast_signed()) else { return };
        imm
    } else {
        (number as u32).cast_signed()
    };
    // What the verifier refuses in an instruction, and takes from a register.
    let is_refused = !is_comparison
        && match instruction.operation() {
            alu::DIV | alu::MOD => imm == 0,
            alu::LSH | alu::RSH | alu::ARSH => !(0..if is_wide { 64 } else { 32 }).contains(&imm),
            _ => false,
        };
    if !is_refused {
        instruction.code &= !BY_REGISTER;
        instruction.src = 0;
        instruction.imm = imm;
    }
}

/// What is known at each leader; `None` where it is never reached.
fn states(function: &Function, leaders: &Leaders, data: &Data<'_>) -> Vec<Option<State>> {
    let mut states = vec![None; leaders.count()];
    let mut waiting = Vec::new();
    let reach = |states: &mut Vec<Option<State>>, waiting: &mut Vec<usize>, index: usize, state: &State| {
        let Some(place) = leaders.number(index).and_then(|leader| states.get_mut(leader)) else { return };
        let is_changed = match place {
            None => {
                *place = Some(*state);
                true
            }
            Some(known) => known.join(state),
        };
        if is_changed {
            waiting.push(index);
        }
    };
    reach(&mut states, &mut waiting, 0, &State([Value::Unknown; REGISTERS]));
    while let Some(mut index) = waiting.pop() {
        let known = leaders.number(index).and_then(|leader| states.get(leader).copied().flatten());
        let Some(mut state) = known else { continue };
        while let Some(instruction) = function.instructions.get(index) {
            let decision = match instruction.is_jump() {
                true if instruction.is_always_taken() => Some(true),
                true => state.decision(instruction),
                false => Some(false),
            };
            state.step(instruction, data);
            if let (None | Some(true), Some(target)) = (decision, instruction.target) {
                reach(&mut states, &mut waiting, target, &state);
            }
            if decision == Some(true) || instruction.is_exit() {
                break;
            }
            index += 1;
            if leaders.number(index).is_some() {
                reach(&mut states, &mut waiting, index, &state);
                break;
            }
        }
    }
    states
}
