//! How the records of a slot are read: which word is which argument, and what its structures look like.

use events::{
    Arg, ArgKind, Marks, Names, Raw, Returns,
    abi::{RecordHeader, files::told, multiplexed},
    catalogue::Arch,
    dirents,
};

use super::{
    super::{
        numbers,
        ordered::Order,
        tables::{self, SlotEvent},
    },
    MAX_ARGS,
    machine::{self, Relayout},
    narrow::Narrow,
    word,
};

/// What a word of a record is read as.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Word {
    /// The event has no such argument, or a blob has its value.
    Nothing,
    Number(ArgKind),
    /// 64 bits that a 32-bit task gave 32 of.
    Widened,
    /// Yes, no or nothing, which the programs say and no register: [`told`].
    Told,
    /// Flags of `open` as aarch64 numbers them.
    OpenFlags(ArgKind),
    /// Where nothing was read (the call failed, or the memory was gone), the address is what is known.
    Address,
}

impl Word {
    pub(super) fn read(self, register: u64) -> Raw<'static> {
        match self {
            Word::Number(kind) => kind.read_register(register),
            Word::OpenFlags(kind) => kind.read_register(machine::open_flags(register)),
            Word::Told if register & told::NOTHING != 0 => Raw::Missing,
            Word::Told => Raw::Number(register & told::YES),
            Word::Widened => Raw::Number(register as i32 as i64 as u64),
            Word::Address if register != 0 => Raw::Number(register),
            Word::Address | Word::Nothing => Raw::Missing,
        }
    }
}

/// How the records of a slot are read, worked out once.
#[derive(Debug)]
pub struct SlotReader {
    pub slot: SlotEvent,
    /// For each word, how it is read and its argument's position.
    pub(super) words: Box<[(Word, u8)]>,
    /// How the structures of its arguments are laid out anew, by position; empty where none is.
    pub(super) relayouts: Box<[Option<Relayout>]>,
    /// How its directories' entries are laid out, if it has some.
    pub(super) dirents: Option<dirents::Layout>,
    /// The argument that says which call the record's first word is the number of.
    pub(super) call: Option<usize>,
    /// The argument that names the call that it happened in.
    pub(super) caller: Option<usize>,
    /// Of a 32-bit task's call, how its structures lie.
    pub(super) narrow: Option<Narrow>,
    /// Whether its records have to be read in order over all CPUs.
    pub order: Order,
}

impl SlotReader {
    pub fn new(slot: SlotEvent) -> SlotReader {
        let is_aarch64 = numbers::NATIVE == Arch::Aarch64;
        // Where the kernel is built with CONFIG_CLONE_BACKWARDS.
        let is_backwards = slot.event.name == "clone" && (slot.is_compat() || is_aarch64);
        let words = (0..MAX_ARGS).map(|word| {
            let word = if is_backwards { machine::clone_backwards(word) } else { word };
            let position = slot.position(word).filter(|position| *position < MAX_ARGS);
            let Some((position, arg)) = position.and_then(|at| Some((at, slot.event.args.get(at)?))) else {
                return (Word::Nothing, 0);
            };
            let read = match arg.kind {
                // A list has the offset of a mapping without a sign.
                ArgKind::I64 if slot.is_compat() && slot.compat_number != Some(multiplexed::OLD_MMAP) => {
                    Word::Widened
                }
                _ if tables::is_told(arg) => Word::Told,
                kind if is_aarch64 && machine::are_open_flags(arg) => Word::OpenFlags(kind),
                kind if kind.is_number() => Word::Number(kind),
                _ if slot.event.is_syscall() => Word::Address,
                _ => Word::Nothing,
            };
            (read, position as u8)
        });
        let dirents = dirents::Layout::of(slot.event.name, slot.is_compat());
        let names_call = |arg: &Arg| arg.names == Names::Syscall;
        let call = slot.event.args.iter().position(names_call).filter(|_| !slot.event.is_syscall());
        let relayouts = slot.event.args.iter().map(Relayout::of).filter(|_| is_aarch64).collect();
        let narrow = Narrow::of(&slot);
        let stand_ins = slot.stand_ins.iter().map(|stand_in| stand_in.event);
        let order = match slot.is_exec {
            true => Order::Kept,
            false => Order::of(std::iter::once(slot.event).chain(stand_ins)),
        };
        SlotReader {
            order,
            words: words.collect(),
            relayouts,
            dirents,
            call,
            caller: slot.event.caller(),
            narrow,
            slot,
        }
    }

    /// The number that a word of a record is as this argument.
    pub fn number(&self, record: &[u8], words: usize, position: usize) -> Raw<'static> {
        let at = self
            .words
            .iter()
            .take(words)
            .position(|(read, of)| usize::from(*of) == position && *read != Word::Nothing);
        let read = at.and_then(|at| Some((self.words.get(at)?.0, word(record, at)?)));
        read.map_or(Raw::Missing, |(read, register)| read.read(register))
    }

    /// What a record came to: of a hook's, the header says something else in its place.
    pub fn result(&self, header: &RecordHeader) -> i64 {
        let has_result = self.slot.positions.is_none() || self.slot.event.returns != Returns::Nothing;
        if has_result { header.ret } else { 0 }
    }
}

impl SlotEvent {
    /// The marks with their bits of arguments where the event has those arguments.
    pub(super) fn marks(&self, wire: u32) -> Marks {
        let given = Marks(wire);
        if wire & Marks::OF_ARGUMENTS == 0 {
            return given;
        }
        let mut marks = Marks(wire & !Marks::OF_ARGUMENTS);
        for word in 0..8 {
            let Some(position) = self.position(word as usize) else { continue };
            if given.is_lost(word) {
                marks = self.event.with_unreadable(marks, position);
            }
            if given.is_cut(word) {
                marks = self.event.with_cut(marks, position);
            }
        }
        marks
    }

    /// The position of a word or blob among the event's arguments.
    pub fn position(&self, word: usize) -> Option<usize> {
        match &self.positions {
            None => Some(word),
            Some(positions) => positions.get(word).copied().flatten().map(usize::from),
        }
    }
}
