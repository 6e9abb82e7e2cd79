//! Process and thread ids, with `new` and with processes pinned by their start.

use hashbrown::HashMap;

use crate::filter::Value;
use crate::key::Field;
use crate::predicate::number::{Intervals, ranges};
use crate::predicate::text::word;
use crate::predicate::{Asked, gate};
use crate::subject::Subject;
use crate::words::{Gate, Words};

/// Starts of processes are told apart by this: what `/proc` shows of them (a hundredth of a second).
const TICK_NS: u64 = 10_000_000;

/// A process or thread, told apart from later ones with its number.
pub(crate) fn pin(id: u32, start_ns: u64) -> (u32, u64) {
    (id, start_ns / TICK_NS)
}

/// A start that is told apart from others like that of a pinned process.
pub(crate) fn unpinned((_, tick): (u32, u64)) -> u64 {
    tick * TICK_NS
}

#[derive(Debug)]
pub(crate) struct Ids {
    field: Field,
    gate: Gate,
    numbers: Intervals,
    /// Of `pid`: what single numbers say of a thread's id. Bounds are about processes.
    threads: Intervals,
    pins: HashMap<(u32, u64), Words>,
    new: Words,
}

impl Ids {
    pub fn new(field: Field, asked: &[Asked<'_>]) -> Ids {
        let (mut pins, mut new) = (HashMap::new(), Words::default());
        for Asked { bit, filters } in asked {
            for filter in filters {
                let word = word(*bit, filter.is_positive());
                for value in &filter.values {
                    match value {
                        Value::New => new.add(word),
                        Value::Pin(id, start) => {
                            pins.entry(pin(*id, *start)).or_insert_with(Words::default).add(word);
                        }
                        _ => {}
                    }
                }
            }
        }
        let threads = if field == Field::Pid { ranges(asked, false) } else { Vec::new() };
        Ids {
            field,
            gate: gate(asked),
            numbers: Intervals::new(&ranges(asked, true)),
            threads: Intervals::new(&threads),
            pins,
            new,
        }
    }

    pub fn mask(&self, subject: &Subject<'_>) -> u64 {
        let context = subject.context;
        let (id, start) = match self.field {
            Field::Tid => (context.tid, context.thread_start_ns),
            Field::Ppid => (context.ppid, context.parent_start_ns),
            _ => (context.pid, context.process_start_ns),
        };
        let mut words = self.numbers.words(id.into());
        if self.field == Field::Pid {
            words.add(self.threads.words(context.tid.into()));
        }
        if !self.pins.is_empty() {
            words.add(self.pins.get(&pin(id, start)).copied().unwrap_or_default());
        }
        if start >= subject.recording.start_ns {
            words.add(self.new);
        }
        self.gate.close(words)
    }

    pub fn field(&self) -> Field {
        self.field
    }

    pub fn gate(&self) -> Gate {
        self.gate
    }

    /// What single numbers say of a thread's own id. Empty but for `pid`.
    pub fn threads(&self) -> &Intervals {
        &self.threads
    }

    /// The table of numbers, without pins, threads and starts.
    pub fn numbers(&self) -> &Intervals {
        &self.numbers
    }

    /// What is said of those that began after the recording did.
    pub fn new_words(&self) -> Words {
        self.new
    }

    /// Scopes that ask for some process or thread by its number and start.
    pub fn pinned(&self) -> u64 {
        self.pins.values().fold(0, |all, words| all | words.equal)
    }

    /// The numbers of those that are told apart by their start, in no order.
    pub fn pins(&self) -> impl Iterator<Item = (u32, Words)> {
        self.pins.iter().map(|((id, _), words)| (*id, *words))
    }
}
