//! Random functions of the kind that the verifier takes: no register is read that nothing has been put into, loops end, and
//! read-only data is not written. They are made of what the kernel programs are made of, members of structures whose offsets
//! are read-only data above all, and of everything else that there is.

use super::{
    super::{
        function::Function,
        instruction::{BY_REGISTER, FRAME, Instruction, alu, class, jump},
    },
    make::*,
};

/// What is in a register.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Kind {
    Nothing,
    Number,
    /// An address of read-only data.
    Data,
    /// An address that is written to as well.
    Memory,
}

/// What is in each register; `None` where nothing leads.
type Kinds = Option<[Kind; 10]>;

const OPERATIONS: [u8; 12] = [
    alu::ADD,
    alu::SUB,
    alu::MUL,
    alu::DIV,
    alu::OR,
    alu::AND,
    alu::LSH,
    alu::RSH,
    alu::MOD,
    alu::XOR,
    alu::ARSH,
    alu::NEG,
];
const COMPARISONS: [u8; 11] = [
    jump::EQ,
    jump::GT,
    jump::GE,
    jump::SET,
    jump::NE,
    jump::SGT,
    jump::SGE,
    jump::LT,
    jump::LE,
    jump::SLT,
    jump::SLE,
];
const SIZES: [u8; 4] = [1, 2, 4, 8];

pub struct Made {
    pub function: Function,
    pub data: Vec<u8>,
    /// For each relocation where in the data it is; `None` of maps.
    pub symbols: Vec<Option<u64>>,
}

struct Maker {
    random: Random,
    code: Vec<Instruction>,
    kinds: Kinds,
    /// Registers that count loops.
    counters: Vec<u8>,
    symbols: Vec<Option<u64>>,
    data_bytes: usize,
}

/// A function of some so many statements.
pub fn function(seed: u64, statements: usize) -> Made {
    let mut random = Random(seed);
    let data: Vec<u8> = (0..16).flat_map(|_| random.number().to_le_bytes()).collect();
    let symbols = vec![None, Some(0), Some(8), Some(64)];
    let mut kinds = [Kind::Nothing; 10];
    kinds[1..=5].fill(Kind::Memory);
    let mut maker = Maker {
        random,
        code: Vec::new(),
        kinds: Some(kinds),
        counters: Vec::new(),
        symbols,
        data_bytes: data.len(),
    };
    // What the registers are for is decided at the beginning of each program as well.
    for register in [6, 7] {
        maker.put(copy(register, 1), Kind::Memory);
    }
    maker.statements(statements, 3);
    maker.leave();
    Made { function: Function { instructions: maker.code }, data, symbols: maker.symbols }
}

impl Maker {
    fn kind(&self, register: u8) -> Kind {
        match self.kinds {
            Some(kinds) => kinds.get(usize::from(register)).copied().unwrap_or(Kind::Memory),
            None => Kind::Nothing,
        }
    }

    fn mark(&mut self, register: u8, kind: Kind) {
        if let Some(kinds) = &mut self.kinds {
            kinds[usize::from(register)] = kind;
        }
    }

    /// An instruction that sets its register.
    fn put(&mut self, instruction: Instruction, kind: Kind) {
        self.code.push(instruction);
        self.mark(instruction.dst, kind);
    }

    /// A register to be written.
    fn any(&mut self) -> u8 {
        loop {
            let register = self.random.below(10) as u8;
            if !self.counters.contains(&register) {
                return register;
            }
        }
    }

    fn imm(&mut self) -> i32 {
        self.random.number() as i32
    }

    /// A register with something of a kind in it: one that there is, or one that it is put into.
    fn with(&mut self, kind: Kind) -> u8 {
        let have: Vec<u8> = (0..10).filter(|register| self.kind(*register) == kind).collect();
        if !have.is_empty() && !self.random.is_one_in(5) {
            return self.random.pick(&have);
        }
        let register = self.any();
        self.fill(register, kind);
        register
    }

    fn with_any(&mut self) -> u8 {
        let kind = self.random.pick(&[Kind::Number, Kind::Number, Kind::Number, Kind::Data, Kind::Memory]);
        self.with(kind)
    }

    fn fill(&mut self, register: u8, kind: Kind) {
        match kind {
            Kind::Nothing => {}
            Kind::Number if self.random.is_one_in(3) => {
                let number = self.random.number();
                self.put(set_all(register, number), kind);
            }
            Kind::Number => {
                let imm = self.imm();
                self.put(set(register, imm), kind);
            }
            Kind::Data => {
                let relocation = 1 + self.random.below(3);
                let imm = self.random.below(40) as i32;
                self.put(address(register, relocation, imm), kind);
            }
            Kind::Memory if self.random.is_one_in(4) => self.put(address(register, 0, 0), kind),
            Kind::Memory => {
                self.put(copy(register, FRAME), kind);
                let down = 8 * (1 + self.random.below(20) as i32);
                self.put(add(register, -down), kind);
            }
        }
    }

    fn statements(&mut self, count: usize, depth: usize) {
        for _ in 0..count {
            if self.kinds.is_none() {
                return;
            }
            self.statement(depth);
        }
    }

    fn statement(&mut self, depth: usize) {
        let end = if depth > 0 { 26 } else { 21 };
        match self.random.below(end) {
            0 => {
                let register = self.any();
                self.fill(register, Kind::Number);
            }
            1..=3 => self.setting(),
            4 => self.member(),
            5 => self.table(),
            6 => {
                let (from, to) = (self.with_any(), self.any());
                let kind = self.kind(from);
                self.put(copy(to, from), kind);
            }
            7 => self.odd_copy(),
            8 | 9 => self.arithmetic(),
            10 => self.swap(),
            11..=13 => self.through_copy(),
            14 | 15 => self.shifts(),
            16 => self.atomic(),
            17 | 18 => self.call(),
            19 => self.access(),
            20 if self.random.is_one_in(4) => self.packet(),
            20 => self.access(),
            21..=23 => self.branch(depth - 1),
            24 => self.repeat(depth - 1),
            _ => self.skip(depth - 1),
        }
    }

    /// A load from read-only data, mostly into where the address was.
    fn setting(&mut self) {
        let from = self.with(Kind::Data);
        let to = if self.random.is_one_in(3) || self.counters.contains(&from) { self.any() } else { from };
        let (bytes, off) = (self.random.pick(&SIZES), self.random.below(24) as i16);
        let mut instruction = load(bytes, to, from, off);
        if bytes < 8 && self.random.is_one_in(8) {
            instruction.code = instruction.code & 0x1f | 0x80;
        }
        self.put(instruction, Kind::Number);
    }

    /// A member of a structure, whose offset is read-only data.
    fn member(&mut self) {
        let base = self.with(Kind::Memory);
        let (offset, place) = (self.any(), self.any());
        self.fill(offset, Kind::Data);
        let (bytes, off) = (self.random.pick(&SIZES), self.random.below(24) as i16);
        self.put(load(bytes, offset, offset, off), Kind::Number);
        if offset == base || place == offset || place == base && self.counters.contains(&base) {
            return;
        }
        if self.random.is_one_in(2) {
            let is_missing = self.code.len();
            self.code.push(jump_if(jump::EQ, offset, 0xffff, 0));
            self.put(copy(place, base), Kind::Memory);
            self.put(wide_by(alu::ADD, place, offset), Kind::Memory);
            self.put(load(bytes, place, place, 0), Kind::Number);
            let both = self.code.len();
            self.code.push(goto(both + 2));
            self.code[is_missing].target = Some(both + 1);
            self.put(set(place, 0), Kind::Number);
        } else {
            self.put(copy(place, base), Kind::Memory);
            self.put(wide_by(alu::ADD, place, offset), Kind::Memory);
            self.put(load(bytes, place, place, 0), Kind::Number);
        }
    }

    /// An entry of a table in read-only data.
    fn table(&mut self) {
        let (index, place) = (self.any(), self.any());
        if index == place {
            return;
        }
        let number = self.with(Kind::Number);
        self.put(copy(index, number), Kind::Number);
        let mask = self.data_bytes as i32 / 2 - 1;
        self.put(wide(alu::AND, index, mask), Kind::Number);
        self.put(address(place, 1, 0), Kind::Data);
        self.put(wide_by(alu::ADD, place, index), Kind::Data);
        let (bytes, off) = (self.random.pick(&SIZES), self.random.below(8) as i16);
        self.put(load(bytes, place, place, off), Kind::Number);
    }

    /// A copy of 32 bits, or one of fewer with their sign.
    fn odd_copy(&mut self) {
        let (from, to) = (self.with_any(), self.any());
        let is_wide = self.random.is_one_in(3);
        let mut instruction =
            if is_wide { wide_by(alu::MOV, to, from) } else { narrow_by(alu::MOV, to, from) };
        if self.random.is_one_in(3) {
            instruction.off = self.random.pick(if is_wide { &[8, 16, 32] } else { &[8, 16] });
        }
        self.put(instruction, Kind::Number);
    }

    fn arithmetic(&mut self) {
        let operation = self.random.pick(&OPERATIONS);
        let (mut second, first) = (self.with_any(), self.with(Kind::Number));
        if self.counters.contains(&first) {
            return;
        }
        // What is in the second may have been written over.
        if self.kind(second) == Kind::Nothing {
            second = first;
        }
        let is_wide = !self.random.is_one_in(3);
        let mut instruction = if operation == alu::NEG || self.random.is_one_in(2) {
            let imm = match operation {
                alu::NEG => 0,
                alu::DIV | alu::MOD => self.imm().max(1),
                alu::LSH | alu::RSH | alu::ARSH => self.random.below(if is_wide { 64 } else { 32 }) as i32,
                _ => self.imm(),
            };
            if is_wide { wide(operation, first, imm) } else { narrow(operation, first, imm) }
        } else if is_wide {
            wide_by(operation, first, second)
        } else {
            narrow_by(operation, first, second)
        };
        if matches!(operation, alu::DIV | alu::MOD) && self.random.is_one_in(4) {
            instruction.off = 1;
        }
        self.put(instruction, Kind::Number);
    }

    /// Bytes in another order.
    fn swap(&mut self) {
        let register = self.with(Kind::Number);
        if self.counters.contains(&register) {
            return;
        }
        let class = self.random.pick(&[class::ALU, class::ALU | BY_REGISTER, class::ALU64]);
        let imm = self.random.pick(&[16, 32, 64]);
        let instruction =
            Instruction { code: class | alu::END, dst: register, imm, ..Instruction::default() };
        self.put(instruction, Kind::Number);
    }

    /// A load or store through a copy of an address to which something is added, and anything in between.
    fn through_copy(&mut self) {
        let base = if self.random.is_one_in(3) { FRAME } else { self.with(Kind::Memory) };
        let place = self.any();
        self.put(copy(place, base), Kind::Memory);
        for _ in 0..self.random.below(3) {
            let by = if self.random.is_one_in(6) { self.imm() } else { self.random.below(64) as i32 - 128 };
            self.put(add(place, by), Kind::Memory);
        }
        let between = self.random.below(3);
        self.statements(between, 0);
        if self.kind(place) == Kind::Memory {
            self.access_at(place);
        }
    }

    fn access(&mut self) {
        let place = self.with(Kind::Memory);
        self.access_at(place);
    }

    fn access_at(&mut self, place: u8) {
        let bytes = self.random.pick(&SIZES);
        let off = self.random.below(64) as i16 - 32;
        match self.random.below(4) {
            0 | 1 => {
                let to = self.any();
                self.put(load(bytes, to, place, off), Kind::Number);
            }
            2 => {
                let imm = self.imm();
                self.code.push(store_number(bytes, place, off, imm));
            }
            _ => {
                let from = self.with_any();
                // The address may have been written over to have something to store.
                if self.kind(place) == Kind::Memory {
                    self.code.push(store(bytes, place, off, from));
                }
            }
        }
    }

    /// The upper half cleared by shifts.
    fn shifts(&mut self) {
        let register = self.with(Kind::Number);
        if self.counters.contains(&register) {
            return;
        }
        self.put(wide(alu::LSH, register, 32), Kind::Number);
        let between = self.random.below(3);
        let depth = usize::from(self.random.is_one_in(4));
        self.statements(between, depth);
        if self.kind(register) == Kind::Number && !self.counters.contains(&register) {
            let back = self.random.pick(&[alu::RSH, alu::RSH, alu::RSH, alu::ARSH]);
            self.put(wide(back, register, 32), Kind::Number);
        }
    }

    fn atomic(&mut self) {
        let (from, place) = (self.with(Kind::Number), self.with(Kind::Memory));
        if self.kind(from) != Kind::Number || self.counters.contains(&from) {
            return;
        }
        let bytes = self.random.pick(&[4, 8]);
        let imm = self.random.pick(&[0, 1, 0x40, 0x41, 0x50, 0x51, 0xa0, 0xa1, 0xe1, 0xf1, 0x100, 0x110]);
        let off = 8 * (self.random.below(8) as i16 - 4);
        if imm == 0x100 {
            let to = self.any();
            return self.put(atomic(bytes, to, off, place, imm), Kind::Number);
        }
        if imm == 0xf1 && (self.kind(0) == Kind::Nothing || self.counters.contains(&0)) {
            return;
        }
        self.code.push(atomic(bytes, place, off, from, imm));
        match imm {
            0xf1 => self.mark(0, Kind::Number),
            _ if imm & 1 != 0 => self.mark(from, Kind::Number),
            _ => {}
        }
    }

    /// A call of a helper with what it reads, or of a function, which may be left some of it.
    fn call(&mut self) {
        let number = self.random.pick(&[1, 5, 7, 8, 14, 35, 113, 112, 2, 6, 26, 80]);
        let is_own = self.random.is_one_in(4);
        let instruction = if is_own { call_own(number) } else { call(number) };
        if self.counters.iter().any(|counter| *counter < 6) {
            return;
        }
        let read = instruction.reads();
        for register in 1..=5 {
            let is_missing = self.kind(register) == Kind::Nothing;
            if read >> register & 1 != 0 && if is_own { self.random.is_one_in(3) } else { is_missing } {
                let kind = self.random.pick(&[Kind::Number, Kind::Data, Kind::Memory]);
                self.fill(register, kind);
            }
        }
        self.code.push(instruction);
        let kind = if number == 1 { Kind::Memory } else { Kind::Number };
        (1..=5).for_each(|register| self.mark(register, Kind::Nothing));
        self.mark(0, kind);
    }

    /// A load of a packet's bytes, as socket filters do it.
    fn packet(&mut self) {
        if self.kind(6) == Kind::Nothing || self.counters.iter().any(|counter| *counter < 6) {
            return;
        }
        let imm = self.imm();
        if self.random.is_one_in(2) {
            self.code.push(Instruction { code: 0x30, imm, ..Instruction::default() });
        } else {
            let src = self.with(Kind::Number);
            self.code.push(Instruction { code: 0x48, src, imm, ..Instruction::default() });
        }
        (1..=5).for_each(|register| self.mark(register, Kind::Nothing));
        self.mark(0, Kind::Number);
    }

    /// A comparison whose target is not known yet.
    fn condition(&mut self) -> Instruction {
        let (first, mut second) = (self.with_any(), self.with_any());
        if self.kind(second) == Kind::Nothing {
            second = FRAME;
        }
        let first = if self.kind(first) == Kind::Nothing { second } else { first };
        let operation = self.random.pick(&COMPARISONS);
        let mut instruction = if self.random.is_one_in(3) {
            jump_if_by(operation, first, second, 0)
        } else {
            let imm = self.imm();
            jump_if(operation, first, imm, 0)
        };
        if self.random.is_one_in(4) {
            instruction.code = instruction.code & !7 | class::JMP32;
        }
        instruction
    }

    fn branch(&mut self, depth: usize) {
        let condition = self.condition();
        let from = self.code.len();
        self.code.push(condition);
        let before = self.kinds;
        let count = self.random.below(4);
        self.statements(count, depth);
        if self.random.is_one_in(6) {
            self.leave();
        }
        let otherwise = self.code.len();
        if self.random.is_one_in(2) {
            // Another way, which the first jumps over.
            self.code.push(if self.random.is_one_in(3) { goto_far(0) } else { goto(0) });
            let first = self.kinds;
            self.kinds = before;
            self.code[from].target = Some(self.code.len());
            let count = self.random.below(4);
            self.statements(count, depth);
            self.code[otherwise].target = Some(self.code.len());
            self.join(first);
        } else {
            self.code[from].target = Some(otherwise);
            self.join(before);
        }
        self.land();
    }

    /// Something that the kernel may skip.
    fn skip(&mut self, depth: usize) {
        let from = self.code.len();
        self.code.push(may_goto(0));
        let before = self.kinds;
        let count = self.random.below(3);
        self.statements(count, depth);
        self.code[from].target = Some(self.code.len());
        self.join(before);
        self.land();
    }

    /// A loop that is run a few times.
    fn repeat(&mut self, depth: usize) {
        let counter = self.any();
        self.put(set(counter, 0), Kind::Number);
        self.counters.push(counter);
        let (start, before) = (self.code.len(), self.kinds);
        let count = 1 + self.random.below(4);
        self.statements(count, depth);
        if let (Some(before), Some(_)) = (before, self.kinds) {
            // What the next turn reads is there again.
            for register in 0..10 {
                if self.kind(register) != before[usize::from(register)] {
                    self.fill(register, before[usize::from(register)]);
                }
            }
            self.code.push(add(counter, 1));
            let turns = 1 + self.random.below(4) as i32;
            self.code.push(jump_if(jump::LT, counter, turns, start));
        }
        self.counters.pop();
    }

    /// What is there whichever way one has come.
    fn join(&mut self, other: Kinds) {
        self.kinds = match (self.kinds, other) {
            (Some(mut mine), Some(theirs)) => {
                for (mine, theirs) in mine.iter_mut().zip(theirs) {
                    if *mine != theirs {
                        *mine = Kind::Nothing;
                    }
                }
                Some(mine)
            }
            (mine, theirs) => mine.or(theirs),
        };
    }

    /// Something for jumps to lead to where nothing follows.
    fn land(&mut self) {
        if self.kinds.is_none() {
            self.code.push(set(0, 0));
            self.code.push(exit());
        }
    }

    /// Returns, with anything.
    fn leave(&mut self) {
        if self.kinds.is_some() {
            if self.kind(0) == Kind::Nothing {
                self.fill(0, Kind::Number);
            }
            self.code.push(exit());
            self.kinds = None;
        }
    }
}
