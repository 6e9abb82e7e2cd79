//! An instruction of BPF, and what it reads and writes.

use events::abi::tables::{CAST_MARK, PREEMPT_DISABLE_MARK, PREEMPT_ENABLE_MARK};

/// Bytes of a slot: an instruction takes one, a load of 64 immediate bits two.
pub const SLOT: usize = 8;
pub const REGISTERS: usize = 11;
/// The frame: never written.
pub const FRAME: u8 = 10;

/// The low three bits of the code.
pub mod class {
    pub const LD: u8 = 0;
    pub const LDX: u8 = 1;
    pub const ST: u8 = 2;
    pub const STX: u8 = 3;
    pub const ALU: u8 = 4;
    pub const JMP: u8 = 5;
    pub const JMP32: u8 = 6;
    pub const ALU64: u8 = 7;
}

/// The high four bits of the code, of arithmetic.
pub mod alu {
    pub const ADD: u8 = 0x00;
    pub const SUB: u8 = 0x10;
    pub const MUL: u8 = 0x20;
    pub const DIV: u8 = 0x30;
    pub const OR: u8 = 0x40;
    pub const AND: u8 = 0x50;
    pub const LSH: u8 = 0x60;
    pub const RSH: u8 = 0x70;
    pub const NEG: u8 = 0x80;
    pub const MOD: u8 = 0x90;
    pub const XOR: u8 = 0xa0;
    pub const MOV: u8 = 0xb0;
    pub const ARSH: u8 = 0xc0;
    pub const END: u8 = 0xd0;
}

/// The same of jumps.
pub mod jump {
    pub const ALWAYS: u8 = 0x00;
    pub const EQ: u8 = 0x10;
    pub const GT: u8 = 0x20;
    pub const GE: u8 = 0x30;
    pub const SET: u8 = 0x40;
    pub const NE: u8 = 0x50;
    pub const SGT: u8 = 0x60;
    pub const SGE: u8 = 0x70;
    pub const CALL: u8 = 0x80;
    pub const EXIT: u8 = 0x90;
    pub const LT: u8 = 0xa0;
    pub const LE: u8 = 0xb0;
    pub const SLT: u8 = 0xc0;
    pub const SLE: u8 = 0xd0;
    /// `may_goto`: taken when the kernel says so.
    pub const PERHAPS: u8 = 0xe0;
}

/// Set where the second operand is a register.
pub const BY_REGISTER: u8 = 0x08;
/// `BPF_LD | BPF_IMM | BPF_DW`, which takes two slots.
pub const LOAD_IMMEDIATE: u8 = 0x18;
/// The high three bits of a code of memory, of an ordinary access.
pub const ORDINARY: u8 = 0x60;
/// The same of a load that extends the sign.
const SIGNED: u8 = 0x80;
/// The same of an atomic one.
const ATOMIC: u8 = 0xc0;
/// The same of loads of packets, from a number on and from a number and a register on.
const PACKET: u8 = 0x20;
const PACKET_BY_REGISTER: u8 = 0x40;
/// In the number of an atomic operation: the old value goes to a register.
const FETCHES: i32 = 1;
const COMPARES_AND_EXCHANGES: i32 = 0xf1;
/// A load that comes before what follows it, and a store that comes after what is before it.
const LOADS: i32 = 0x100;
const STORES: i32 = 0x110;
/// As the source register of a call: of a function of the program's own.
pub const OWN_FUNCTION: u8 = 1;

/// Registers, a bit for each.
pub type Set = u16;

#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Instruction {
    pub code: u8,
    pub dst: u8,
    pub src: u8,
    pub off: i16,
    pub imm: i32,
    /// The upper half of 64 immediate bits.
    pub high: i32,
    /// Where a jump goes: an index of the function's instructions.
    pub target: Option<usize>,
    /// Which of the section's relocations is for it.
    pub relocation: Option<usize>,
}

impl Instruction {
    pub fn of_slot(slot: [u8; SLOT]) -> Instruction {
        let [code, registers, off_low, off_high, a, b, c, d] = slot;
        Instruction {
            code,
            dst: registers & 0xf,
            src: registers >> 4,
            off: i16::from_le_bytes([off_low, off_high]),
            imm: i32::from_le_bytes([a, b, c, d]),
            ..Instruction::default()
        }
    }

    pub fn slot(&self) -> [u8; SLOT] {
        let [off_low, off_high] = self.off.to_le_bytes();
        let [a, b, c, d] = self.imm.to_le_bytes();
        [self.code, self.dst | self.src << 4, off_low, off_high, a, b, c, d]
    }

    /// A number into a register; `None` where it takes more than the 32 bits that there are.
    pub fn number(dst: u8, number: u64) -> Option<Instruction> {
        let (class, imm) = if let Ok(imm) = i32::try_from(number.cast_signed()) {
            (class::ALU64, imm)
        } else {
            (class::ALU, u32::try_from(number).ok()?.cast_signed())
        };
        Some(Instruction { code: class | alu::MOV, dst, imm, ..Instruction::default() })
    }

    /// A jump that is always taken.
    pub fn jump(target: usize) -> Instruction {
        Instruction { code: class::JMP | jump::ALWAYS, target: Some(target), ..Instruction::default() }
    }

    /// Whether it is one of the instructions of which is known here what they read and write. Others may be added to BPF: an
    /// indirect jump goes elsewhere than an ordinary one of nearly the same code.
    pub fn is_known(&self) -> bool {
        let (mode, bytes) = (self.code & 0xe0, self.access_bytes());
        let is_code = match self.class() {
            class::LD => self.is_load_immediate() || matches!(mode, PACKET | PACKET_BY_REGISTER) && bytes < 8,
            class::LDX => mode == ORDINARY || mode == SIGNED && bytes < 8,
            class::ST => mode == ORDINARY,
            class::STX if mode == ATOMIC => match self.imm {
                LOADS | STORES => true,
                0xe1 | COMPARES_AND_EXCHANGES => bytes >= 4,
                imm => matches!(imm & !FETCHES, 0x00 | 0x40 | 0x50 | 0xa0) && bytes >= 4,
            },
            class::STX => mode == ORDINARY,
            class::ALU | class::ALU64 => match self.operation() {
                alu::NEG => !self.is_by_register(),
                alu::END => self.class() == class::ALU || !self.is_by_register(),
                operation => operation < alu::END,
            },
            class::JMP => match self.operation() {
                jump::ALWAYS | jump::CALL | jump::EXIT | jump::PERHAPS => !self.is_by_register(),
                operation => operation < jump::PERHAPS,
            },
            _ => match self.operation() {
                jump::ALWAYS => !self.is_by_register(),
                jump::CALL | jump::EXIT => false,
                operation => operation < jump::PERHAPS,
            },
        };
        is_code && self.dst <= FRAME && self.src <= FRAME && self.writes() & bit(FRAME) == 0
    }

    pub fn class(&self) -> u8 {
        self.code & 7
    }

    /// What arithmetic or a jump does.
    pub fn operation(&self) -> u8 {
        self.code & 0xf0
    }

    pub fn is_by_register(&self) -> bool {
        self.code & BY_REGISTER != 0
    }

    pub fn is_arithmetic(&self) -> bool {
        matches!(self.class(), class::ALU | class::ALU64)
    }

    pub fn is_move(&self) -> bool {
        self.is_arithmetic() && self.operation() == alu::MOV
    }

    /// A copy of all 64 bits.
    pub fn is_copy(&self) -> bool {
        self.class() == class::ALU64 && self.is_move() && self.is_by_register() && self.off == 0
    }

    pub fn is_load_immediate(&self) -> bool {
        self.code == LOAD_IMMEDIATE
    }

    /// A load from an address, as it stands there.
    pub fn is_load(&self) -> bool {
        self.class() == class::LDX && self.code & 0xe0 == ORDINARY
    }

    /// A store that is not atomic.
    pub fn is_store(&self) -> bool {
        matches!(self.class(), class::ST | class::STX) && self.code & 0xe0 == ORDINARY
    }

    /// Bytes of a load or store.
    pub fn access_bytes(&self) -> usize {
        match self.code & 0x18 {
            0x00 => 4,
            0x08 => 2,
            0x10 => 1,
            _ => 8,
        }
    }

    pub fn is_jump(&self) -> bool {
        matches!(self.class(), class::JMP | class::JMP32)
            && !matches!(self.operation(), jump::CALL | jump::EXIT)
    }

    pub fn is_call(&self) -> bool {
        self.class() == class::JMP && self.operation() == jump::CALL
    }

    pub fn is_exit(&self) -> bool {
        self.class() == class::JMP && self.operation() == jump::EXIT
    }

    pub fn is_always_taken(&self) -> bool {
        self.is_jump() && self.operation() == jump::ALWAYS
    }

    /// Whether what follows is never reached from here.
    pub fn ends_flow(&self) -> bool {
        self.is_exit() || self.is_always_taken()
    }

    pub fn slots(&self) -> usize {
        if self.is_load_immediate() { 2 } else { 1 }
    }

    /// Whether it does nothing but set its register.
    pub fn is_pure(&self) -> bool {
        self.is_arithmetic() || self.is_load_immediate() || self.class() == class::LDX
    }

    /// The registers that it reads.
    pub fn reads(&self) -> Set {
        let (dst, src) = (bit(self.dst), bit(self.src));
        match self.class() {
            class::LD if self.is_load_immediate() => 0,
            // Of packets: the context is in the sixth.
            class::LD if self.code & 0xe0 == PACKET_BY_REGISTER => src | bit(6),
            class::LD => bit(6),
            class::LDX => src,
            class::ST => dst,
            class::STX if self.code & 0xe0 == ATOMIC && self.imm == COMPARES_AND_EXCHANGES => {
                dst | src | bit(0)
            }
            class::STX if self.code & 0xe0 == ATOMIC && self.imm == LOADS => src,
            class::STX => dst | src,
            class::ALU | class::ALU64 => {
                let second = if self.is_by_register() && self.operation() != alu::END { src } else { 0 };
                if self.is_move() { second } else { dst | second }
            }
            _ if self.is_exit() => bit(0),
            _ if self.is_call() => (1..=self.arguments()).map(bit).fold(0, |set, one| set | one),
            _ if self.is_always_taken() || self.operation() == jump::PERHAPS => 0,
            _ => dst | if self.is_by_register() { src } else { 0 },
        }
    }

    /// The registers that it writes, or leaves with nothing in them.
    pub fn writes(&self) -> Set {
        const SCRATCHED: Set = 0b11_1111;
        match self.class() {
            class::LD if self.is_load_immediate() => bit(self.dst),
            class::LD => SCRATCHED,
            class::LDX | class::ALU | class::ALU64 => bit(self.dst),
            class::STX if self.code & 0xe0 == ATOMIC && self.imm == COMPARES_AND_EXCHANGES => bit(0),
            class::STX if self.code & 0xe0 == ATOMIC && self.imm == LOADS => bit(self.dst),
            class::STX if self.code & 0xe0 == ATOMIC && self.imm & FETCHES != 0 => bit(self.src),
            _ if self.is_call() => SCRATCHED,
            _ => 0,
        }
    }

    /// How many registers a call reads, at most.
    fn arguments(&self) -> u8 {
        const MOST: u8 = 5;
        if self.src != 0 {
            return MOST;
        }
        match self.imm {
            PREEMPT_DISABLE_MARK | PREEMPT_ENABLE_MARK => 0,
            CAST_MARK => 2,
            // Lookups, the clock, random numbers, the CPU, threads and cgroups, the current task; reads of memory.
            1 => 2,
            5 | 7 | 8 | 14 | 35 | 80 | 125 | 158 => 0,
            112..=115 => 3,
            _ => MOST,
        }
    }
}

pub fn bit(register: u8) -> Set {
    1 << (register & 0xf)
}

/// What arithmetic makes of two numbers; `None` where it is none of the operations that are known here.
pub fn arithmetic(operation: u8, is_wide: bool, first: u64, second: u64) -> Option<u64> {
    let bits = if is_wide { 64 } else { 32 };
    let narrow = |number: u64| if is_wide { number } else { number & u64::from(u32::MAX) };
    let (first, second) = (narrow(first), narrow(second));
    let shift = second as u32 & (bits - 1);
    let value = match operation {
        alu::ADD => first.wrapping_add(second),
        alu::SUB => first.wrapping_sub(second),
        alu::MUL => first.wrapping_mul(second),
        alu::DIV => first.checked_div(second).unwrap_or(0),
        alu::OR => first | second,
        alu::AND => first & second,
        alu::LSH => first << shift,
        alu::RSH => first >> shift,
        alu::NEG => first.wrapping_neg(),
        alu::MOD => first.checked_rem(second).unwrap_or(first),
        alu::XOR => first ^ second,
        alu::MOV => second,
        alu::ARSH if is_wide => (first.cast_signed() >> shift).cast_unsigned(),
        alu::ARSH => u64::from(((first as u32).cast_signed() >> shift).cast_unsigned()),
        _ => return None,
    };
    Some(narrow(value))
}

/// Whether a jump is taken; `None` where it compares in a way that is not known here.
pub fn is_taken(operation: u8, is_wide: bool, first: u64, second: u64) -> Option<bool> {
    let narrow = |number: u64| if is_wide { number } else { number & u64::from(u32::MAX) };
    let signed = |number: u64| {
        if is_wide { number.cast_signed() } else { i64::from((number as u32).cast_signed()) }
    };
    let (a, b) = (narrow(first), narrow(second));
    let (signed_a, signed_b) = (signed(first), signed(second));
    Some(match operation {
        jump::EQ => a == b,
        jump::NE => a != b,
        jump::GT => a > b,
        jump::GE => a >= b,
        jump::LT => a < b,
        jump::LE => a <= b,
        jump::SET => a & b != 0,
        jump::SGT => signed_a > signed_b,
        jump::SGE => signed_a >= signed_b,
        jump::SLT => signed_a < signed_b,
        jump::SLE => signed_a <= signed_b,
        _ => return None,
    })
}
