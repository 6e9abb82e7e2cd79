//! The part of a plan that the kernel can apply to a task: contents of maps, for early drop.
//!
//! Every map gives the scopes that a value passes; the kernel ANDs them, and drops an event whose word is 0. It may keep
//! too much and never too little:
//!
//! | key | lowered |
//! |---|---|
//! | comm, binary | exact values exactly; a scope with wildcards passes every value that is not named exactly |
//! | binary in a namespace | every value passes |
//! | pid, tid, ppid, uid, ns ids, mntns, pidns, cgroupId | exactly, as sorted intervals; `new` and pinned ids: every value passes |
//! | pid, of threads | a scope that names a single number passes every pid (it may be the thread's) |
//! | container, uts, tree | not here: user space fills cgroup ids and inherited bits; unfilled, every value passes |
//! | follow | [`Lowered::follow`]: ORed over the process keys where the inherited bit is set |
//! | event, set | exactly, with what derived events need |
//! | arguments, results, contexts of one event | never: judged in user space |

use events::{EventId, catalogue};

use crate::key::Field;
use crate::plan::Plan;
use crate::predicate::context::{BinaryKey, Key};
use crate::predicate::id::Ids;
use crate::predicate::number::Intervals;
use crate::predicate::text::Texts;
use crate::words::{Gate, Words};

/// What the kernel can apply. Words have a bit per scope.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Lowered {
    /// All scopes.
    pub scopes: u64,
    /// Scopes that want an event, or something derived from it. Events that are not here are wanted by none.
    pub events: Vec<(EventId, u64)>,
    /// Scopes with `follow`: their bit passes the process keys of a task that inherited it.
    pub follow: u64,
    pub comm: Option<LoweredText>,
    pub binary: Option<LoweredText>,
    pub numbers: Vec<(Field, LoweredNumber)>,
    /// Keys that are judged in user space only.
    pub kept: Vec<Field>,
}

/// Texts by their exact bytes.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct LoweredText {
    /// Values that some scope names exactly, in order, and the scopes that each passes.
    pub values: Vec<(Box<[u8]>, u64)>,
    /// Scopes that any other value passes.
    pub others: u64,
}

/// Numbers by interval.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct LoweredNumber {
    /// First number of each interval, rising from 0, and the scopes that all numbers up to the next one pass.
    pub intervals: Vec<(u64, u64)>,
}

impl LoweredNumber {
    /// The scopes that a number passes.
    pub fn mask(&self, number: u64) -> u64 {
        let after = self.intervals.partition_point(|(start, _)| *start <= number);
        self.intervals.get(after.wrapping_sub(1)).map_or(u64::MAX, |(_, mask)| *mask)
    }

    /// At most `length` intervals: neighbours are joined, and then pass what either passes.
    pub fn shortened(mut self, length: usize) -> LoweredNumber {
        while self.intervals.len() > length.max(1) {
            let mut shorter = Vec::with_capacity(self.intervals.len() / 2 + 1);
            for pair in self.intervals.chunks(2) {
                let mask = pair.iter().fold(0, |mask, (_, more)| mask | more);
                shorter.extend(pair.first().map(|(start, _)| (*start, mask)));
            }
            self.intervals = shorter;
        }
        self
    }
}

impl LoweredText {
    /// The scopes that a text passes.
    pub fn mask(&self, text: &[u8]) -> u64 {
        match self.values.binary_search_by(|(value, _)| (**value).cmp(text)) {
            Ok(at) => self.values.get(at).map_or(self.others, |(_, mask)| *mask),
            Err(_) => self.others,
        }
    }

    fn new(gate: Gate, texts: &Texts) -> LoweredText {
        let wild = texts.wild().iter().fold(Words::default(), |mut all, (_, words)| {
            all.add(*words);
            all
        });
        let values = texts.exact_texts().into_iter().map(|text| (text.into(), gate.close(texts.words(text))));
        LoweredText { values: values.collect(), others: gate.close(Words { equal: wild.equal, not: 0 }) }
    }
}

impl Plan {
    /// What the kernel can apply of this plan. See the module's documentation for what it keeps too much.
    pub fn lower(&self) -> Lowered {
        let mut lowered = Lowered { scopes: self.scopes(), follow: self.follow(), ..Lowered::default() };
        let wanted = |id| self.event_mask(id) | self.needed(id);
        let events = catalogue::events().filter(|event| !event.is_derived());
        lowered.events =
            events.map(|event| (event.id, wanted(event.id))).filter(|(_, mask)| *mask != 0).collect();
        for key in &self.context.keys {
            match key {
                Key::Text(Field::Comm, key) => lowered.comm = Some(LoweredText::new(key.gate, &key.texts)),
                Key::Binary(key) if key.is_plain() => lowered.binary = Some(binary(key)),
                Key::Binary(_) => lowered.kept.push(Field::Binary),
                Key::Number(field, key) => {
                    lowered.numbers.push((*field, number(key.gate, &key.intervals, 0, 0)));
                }
                Key::Id(ids) => lowered.numbers.push((ids.field(), id(ids))),
                Key::Text(field, _) | Key::Flag(field, _) => lowered.kept.push(*field),
                Key::Container(_) => lowered.kept.push(Field::Container),
                Key::Tree(_) => lowered.kept.push(Field::Tree),
                Key::Fixed(_) => {}
            }
        }
        lowered
    }
}

fn binary(key: &BinaryKey) -> LoweredText {
    LoweredText::new(key.gate, &key.anywhere)
}

/// `maybe`: scopes that a value may equal by more than its number; `spared`: scopes whose exclusions do not count.
fn number(gate: Gate, intervals: &Intervals, maybe: u64, spared: u64) -> LoweredNumber {
    let mut lowered: Vec<(u64, u64)> = Vec::new();
    for (start, words) in intervals.iter() {
        let mask = gate.close(Words { equal: words.equal | maybe, not: words.not & !spared });
        let Ok(start) = u64::try_from(start.max(0)) else { continue };
        match lowered.last_mut() {
            // Several intervals below zero: the last of them reaches it.
            Some((same, last)) if *same == start => *last = mask,
            Some((_, last)) if *last == mask => {}
            _ => lowered.push((start, mask)),
        }
    }
    LoweredNumber { intervals: lowered }
}

fn id(ids: &Ids) -> LoweredNumber {
    let beyond = ids.beyond_numbers();
    let threads = ids.thread_words();
    number(ids.gate(), ids.numbers(), beyond.equal | threads.equal, 0)
}

#[cfg(test)]
mod tests {
    use events::Context;

    use super::*;
    use crate::{ScopeSet, Subject};

    #[test]
    fn what_is_lowered_keeps_everything_that_the_plan_keeps() {
        let filters = [
            "1:comm=ls",
            "2:comm=l*",
            "2:comm!=lsof",
            "3:comm!=ls",
            "4:uid>=1000",
            "4:uid!=1001",
            "5:pid=7",
            "6:pid!=7",
            "7:binary=/bin/ls",
            "8:binary!=/bin/*",
            "9:pid=new",
            "10:uid=0,5",
            "11:binary=host:/bin/ls",
        ];
        let plan = Plan::compile(&ScopeSet::parse(&filters).unwrap());
        let lowered = plan.lower();
        let number = |field| lowered.numbers.iter().find(|(known, _)| *known == field).unwrap().1.clone();
        for comm in ["ls", "lsof", "cat", ""] {
            for uid in [0, 5, 6, 999, 1000, 1001, u32::MAX] {
                for (pid, tid) in [(7, 7), (8, 7), (7, 9), (1, 1)] {
                    let context = Context {
                        comm: comm.as_bytes(),
                        uid,
                        pid,
                        tid,
                        exe: b"/bin/ls",
                        ..Context::default()
                    };
                    let kept = lowered.comm.as_ref().unwrap().mask(comm.as_bytes())
                        & number(Field::Uid).mask(uid.into())
                        & number(Field::Pid).mask(pid.into());
                    let exact = plan.context_mask(&Subject::of(&context));
                    assert_eq!(exact & !kept, 0, "{context:?}");
                    let short = number(Field::Uid).shortened(2).mask(uid.into());
                    assert_eq!(number(Field::Uid).mask(uid.into()) & !short, 0);
                }
            }
        }
        assert_eq!(lowered.comm.as_ref().unwrap().mask(b"cat") & 0b111, 0b110);
        assert_eq!(number(Field::Uid).mask(5) >> 9 & 1, 1);
        assert_eq!(number(Field::Uid).mask(6) >> 9 & 1, 0);
        assert_eq!(lowered.kept, [Field::Binary]);
    }

    #[test]
    fn events_are_lowered_with_what_is_derived_from_them() {
        let plan = Plan::compile(&ScopeSet::parse(&["2:event=anti_debugging", "3:event=close"]).unwrap());
        let mask = |name: &str| {
            let id = catalogue::by_name(name).unwrap().id;
            plan.lower().events.iter().find(|(known, _)| *known == id).map(|(_, mask)| *mask)
        };
        assert_eq!((mask("ptrace"), mask("close"), mask("open")), (Some(0b10), Some(0b100), None));
    }
}
