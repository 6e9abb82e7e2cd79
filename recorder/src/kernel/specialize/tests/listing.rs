//! Functions as text, a line for each instruction. Jumps name the line they go to, from 0.

use super::super::{
    function::Function,
    instruction::{Instruction, alu, class, jump},
};

/// With the lines' numbers.
pub fn numbered(function: &Function) -> String {
    let lines = function.instructions.iter().enumerate();
    lines.map(|(index, instruction)| format!("{index:4}: {}\n", line(instruction))).collect()
}

pub fn lines(function: &Function) -> Vec<String> {
    function.instructions.iter().map(line).collect()
}

fn line(instruction: &Instruction) -> String {
    let Instruction { code, dst, src, off, imm, high, .. } = *instruction;
    let to = instruction.target.map_or_else(|| "nowhere".to_owned(), |target| target.to_string());
    let is_by_register = instruction.is_by_register();
    let class = instruction.class();
    let letter = if matches!(class, class::ALU | class::JMP32) { 'w' } else { 'r' };
    let second = if is_by_register { format!("{letter}{src}") } else { imm.to_string() };
    let bits = 8 * instruction.access_bytes();
    let place =
        |register: u8| format!("(r{register} {} {})", if off < 0 { '-' } else { '+' }, off.unsigned_abs());
    if instruction.is_load_immediate() {
        return match instruction.relocation {
            Some(relocation) => format!("r{dst} = address {relocation} + {imm}"),
            None => {
                let number = u64::from(imm.cast_unsigned()) | u64::from(high.cast_unsigned()) << 32;
                format!("r{dst} = {number:#x} ll")
            }
        };
    }
    if instruction.is_load() {
        return format!("r{dst} = *u{bits}{}", place(src));
    }
    if instruction.is_store() {
        let value = if class == class::ST { imm.to_string() } else { format!("r{src}") };
        return format!("*u{bits}{} = {value}", place(dst));
    }
    if instruction.is_arithmetic() {
        let sign = match instruction.operation() {
            alu::ADD => "+",
            alu::SUB => "-",
            alu::MUL => "*",
            alu::DIV => "/",
            alu::OR => "|",
            alu::AND => "&",
            alu::LSH => "<<",
            alu::RSH => ">>",
            alu::MOD => "%",
            alu::XOR => "^",
            alu::MOV => "",
            alu::ARSH => "s>>",
            alu::NEG => return format!("{letter}{dst} = -{letter}{dst}"),
            alu::END => {
                let order = match (class, is_by_register) {
                    (class::ALU64, _) => "bswap",
                    (_, true) => "be",
                    (_, false) => "le",
                };
                return format!("r{dst} = {order}{imm} r{dst}");
            }
            _ => return format!("unknown {instruction:?}"),
        };
        let signed = if off == 0 { String::new() } else { format!(" signed {off}") };
        return format!("{letter}{dst} {sign}= {second}{signed}");
    }
    if instruction.is_call() {
        return if src == 0 { format!("call {imm}") } else { format!("call own {imm}") };
    }
    if instruction.is_exit() {
        return "exit".to_owned();
    }
    if instruction.is_always_taken() {
        return format!("{} {to}", if class == class::JMP { "goto" } else { "gotol" });
    }
    if !instruction.is_jump() {
        return format!("code {code:#04x} r{dst} r{src} off {off} number {imm:#x}");
    }
    let sign = match instruction.operation() {
        jump::EQ => "==",
        jump::GT => ">",
        jump::GE => ">=",
        jump::SET => "&",
        jump::NE => "!=",
        jump::SGT => "s>",
        jump::SGE => "s>=",
        jump::LT => "<",
        jump::LE => "<=",
        jump::SLT => "s<",
        jump::SLE => "s<=",
        0xe0 => return format!("may_goto {to}"),
        _ => return format!("unknown {instruction:?}"),
    };
    format!("if {letter}{dst} {sign} {second} goto {to}")
}
