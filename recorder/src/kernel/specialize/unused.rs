//! What sets a register that nobody reads goes away (by liveness: backwards from the ends).

use super::{
    function::Function,
    instruction::{Instruction, Set},
};

pub fn drop(function: &mut Function) {
    let read_later = read_later(function);
    let is_used = |(instruction, later): (&Instruction, &Set)| {
        !instruction.is_pure() || instruction.writes() & later != 0
    };
    let is_kept: Vec<bool> = function.instructions.iter().zip(&read_later).map(is_used).collect();
    function.retain(is_kept);
}

/// For each instruction the registers that are read behind it before they are written. What sets a register that nobody
/// reads counts as reading nothing: so all of a chain goes at once.
fn read_later(function: &Function) -> Vec<Set> {
    let count = function.instructions.len();
    let mut before: Vec<Set> = vec![0; count + 1];
    let mut after: Vec<Set> = vec![0; count];
    loop {
        let mut is_settled = true;
        for (index, instruction) in function.instructions.iter().enumerate().rev() {
            let of = |index: usize| before.get(index).copied().unwrap_or(0);
            let mut later = if instruction.ends_flow() { 0 } else { of(index + 1) };
            if let Some(target) = instruction.target {
                later |= of(target);
            }
            let written = instruction.writes();
            let is_used = !instruction.is_pure() || written & later != 0;
            let earlier = later & !written | if is_used { instruction.reads() } else { 0 };
            if let Some(place) = after.get_mut(index) {
                *place = later;
            }
            if let Some(place) = before.get_mut(index).filter(|place| **place != earlier) {
                *place = earlier;
                is_settled = false;
            }
        }
        if is_settled {
            return after;
        }
    }
}
