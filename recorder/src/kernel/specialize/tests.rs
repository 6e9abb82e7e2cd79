//! Whole functions, run before and after by an interpreter.

mod addresses;
mod constants;
mod function;
mod interpreter;
mod listing;
mod make;
mod marks;
mod objects;
mod parsed;
mod random_function;
mod small_object;
mod unused;
mod words;

use self::{interpreter::Event, random_function::Made};
use super::{constants::Data, evaluate, function::Function, instruction::SLOT};

/// What the verifier refuses whatever the registers hold.
fn is_well_formed(function: &Function) -> Result<(), String> {
    use super::instruction::{FRAME, alu, class};
    let last = function.instructions.last().ok_or("there is nothing")?;
    if !last.ends_flow() {
        return Err("it does not end in an exit or a jump".into());
    }
    let mut is_reached = vec![false; function.instructions.len()];
    let mut waiting = vec![0];
    while let Some(index) = waiting.pop() {
        let instruction = function.instructions.get(index).ok_or("a way leads out of it")?;
        if !std::mem::replace(&mut is_reached[index], true) {
            waiting.extend(instruction.target);
            waiting.extend((!instruction.ends_flow()).then_some(index + 1));
        }
    }
    if let Some(index) = is_reached.iter().position(|is_reached| !is_reached) {
        return Err(format!("{index} is never reached"));
    }
    for (index, instruction) in function.instructions.iter().enumerate() {
        let bits = if instruction.class() == class::ALU64 { 64 } else { 32 };
        let is_number = instruction.is_arithmetic() && !instruction.is_by_register();
        let is_refused = match instruction.operation() {
            alu::DIV | alu::MOD => is_number && instruction.imm == 0,
            alu::LSH | alu::RSH | alu::ARSH => is_number && !(0..bits).contains(&instruction.imm),
            _ => false,
        };
        let is_unclean = is_number && instruction.src != 0
            || instruction.is_arithmetic()
                && instruction.is_by_register()
                && instruction.imm != 0
                && instruction.operation() != alu::END
            || instruction.is_pure() && instruction.dst >= FRAME;
        if is_refused || is_unclean {
            return Err(format!("{index} is refused"));
        }
    }
    let bytes = function.write().ok_or("it cannot be written")?;
    if bytes.len() != function.bytes() {
        return Err("its bytes are not as many as it says".into());
    }
    let relocations: Vec<_> = function.placed().map(|(at, one)| (at, one.relocation)).collect();
    let relocation_of = |at| relocations.iter().find(|(place, _)| *place == at).and_then(|(_, one)| *one);
    match Function::read(&bytes, relocation_of) {
        Some(read) if read.instructions.len() == function.instructions.len() => {
            // Distances stand in the bytes only.
            let is_same = read.write().as_ref() == Some(&bytes)
                && read
                    .instructions
                    .iter()
                    .zip(&function.instructions)
                    .all(|(read, one)| (read.target, read.relocation) == (one.target, one.relocation));
            is_same.then_some(()).ok_or_else(|| "it is read as another one".into())
        }
        _ => Err("it is not read back".into()),
    }
}

/// Runs a function before and after on several memories.
fn compare(
    before: &Function,
    after: &Function,
    data: &Data<'_>,
    seeds: u64,
    steps: usize,
) -> Result<(), String> {
    is_well_formed(after)?;
    for seed in 0..seeds {
        let expected = interpreter::run(before, data, seed, steps)
            .unwrap_or_else(|error| panic!("{error} before it is evaluated:\n{}", listing::numbered(before)));
        let mut found = interpreter::run(after, data, seed, steps)?;
        // What has fewer instructions gets farther.
        if expected.last() == Some(&Event::Stopped) {
            found.truncate(expected.len() - 1);
            found.push(Event::Stopped);
        }
        if let Some(at) = (0..expected.len().max(found.len())).find(|at| expected.get(*at) != found.get(*at))
        {
            return Err(format!(
                "memory {seed}, event {at}: {:x?} was {:x?}",
                found.get(at),
                expected.get(at)
            ));
        }
    }
    Ok(())
}

/// The seed, and whether a case is beyond the last: after so many, or after the seconds of the environment.
fn extent(count: u64) -> (u64, impl Fn(u64) -> bool) {
    let variable = |name: &str| std::env::var(name).ok().and_then(|value| value.parse::<u64>().ok());
    let (seconds, begun) = (variable("TRACER_SECONDS"), std::time::Instant::now());
    let is_over = move |case: u64| match seconds {
        Some(seconds) => begun.elapsed().as_secs() >= seconds,
        None => case >= count,
    };
    (variable("TRACER_SEED").unwrap_or(1), is_over)
}

#[test]
fn random_functions_do_what_they_did() {
    let (seed, is_over) = extent(3000);
    let (mut before_bytes, mut after_bytes) = (0, 0);
    for case in (0..).take_while(|case| !is_over(*case)) {
        let Made { function, data, symbols } =
            random_function::function(seed << 40 | case, 2 + case as usize % 24);
        let data = Data { bytes: &data, symbols: &symbols };
        let mut after = function.clone();
        evaluate(&mut after, &data);
        if let Err(error) = compare(&function, &after, &data, 3, 100_000) {
            panic!(
                "case {case}: {error}\nbefore:\n{}after:\n{}data: {:x?}",
                listing::numbered(&function),
                listing::numbered(&after),
                data.bytes
            );
        }
        before_bytes += function.bytes() / SLOT;
        after_bytes += after.bytes() / SLOT;
    }
    assert!(
        after_bytes * 5 < before_bytes * 4,
        "{before_bytes} slots became {after_bytes}: too little is tried"
    );
}
