//! Which scopes can match nothing in rows of which only statistics are known.
//!
//! A key of a scope can pass only if some value that the rows may have passes it. The keys are judged one by one, so a
//! scope may be told to match where no single row passes all of its keys; the opposite never happens.
//!
//! ```text
//! pid=99999      pids of the block: 1, 40 to 120     no row can match: the block is skipped
//! comm=ls        comms: bash, ls                     it must be read
//! ```

use std::sync::Arc;

use events::{EventId, Names};

use crate::key::Field;
use crate::pattern::Pattern;
use crate::plan::{Plan, RowKey};
use crate::predicate::argument::{ArgKey, Shape};
use crate::predicate::container;
use crate::predicate::context::{self, BinaryKey, ContextKeys, Key};
use crate::predicate::id::Ids;
use crate::predicate::number::Intervals;
use crate::predicate::text::Texts;
use crate::predicate::thing::ThingKey;
use crate::subject::{ContainerFacts, LineageBits, Recording, Subject};
use crate::thing::Place;
use crate::words::{Gate, Words};

/// Texts of contexts that statistics list.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum TextOf {
    Comm,
    Exe,
    Uts,
}

/// Numbers of contexts that statistics list, or hold in a filter.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum NumberOf {
    Pid,
    Tid,
    Ppid,
    Uid,
    MntNs,
    PidNs,
    Cgroup,
}

/// Which return values rows of an event may have.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Returned {
    /// From -4095 to -1.
    pub errors: bool,
    /// From 0 on.
    pub successes: bool,
    /// Below -4095: hardly anything returns such (`fcntl` does, for a process group).
    pub below_errors: bool,
}

impl Returned {
    /// Nothing is known.
    pub const ANY: Returned = Returned { errors: true, successes: true, below_errors: true };
}

/// What is known of rows of one host without reading them. Everything may say too much, and never too little.
pub trait Statistics {
    /// All texts that contexts of the rows have; `None` when that is not known.
    fn texts(&self, of: TextOf) -> Option<&[Arc<[u8]>]>;
    /// All numbers that contexts of the rows have; `None` when they are not listed.
    fn listed(&self, of: NumberOf) -> Option<&[u64]>;
    /// Whether contexts of the rows may have a number of this inclusive range.
    fn may_overlap(&self, of: NumberOf, low: u64, high: u64) -> bool;
    /// Calls `see` with each container that the rows may be of, and with `None` when they may be of none.
    fn each_container(&self, see: &mut dyn FnMut(Option<&ContainerFacts<'_>>));
    fn recording(&self) -> Recording;
    /// The name of the host; empty when unknown.
    fn host(&self) -> &str;
    /// First and last time of the rows, ns of the boot clock.
    fn boot_ns(&self) -> (u64, u64);
    /// The same on the wall clock: no row is outside.
    fn wall_ns(&self) -> (u64, u64);
    fn returned(&self, event: EventId) -> Returned;
    /// Whether this argument, a text or what a descriptor stands for, may have this part: at its beginning, at its end, or
    /// anywhere.
    fn may_have_part(
        &self,
        event: EventId,
        position: usize,
        part: &[u8],
        at_start: bool,
        at_end: bool,
    ) -> bool;
}

/// What is known of the ancestors of the tasks that rows are of.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Ancestry {
    Unknown,
    /// Neither they nor their ancestors are named by `tree`, and none followed anybody.
    Unnamed,
}

/// More patterns than this on one key are not looked at: reading takes no longer.
const MOST_PATTERNS: usize = 4096;

impl Plan {
    /// Scopes that some row may pass, as far as contexts decide.
    pub fn may_match_contexts(&self, rows: &impl Statistics, ancestry: Ancestry) -> u64 {
        let followed = if ancestry == Ancestry::Unknown { self.follow() } else { 0 };
        (self.context.may(rows, ancestry) | followed) & self.scopes()
    }

    /// Scopes that some row of this event may pass, as far as arguments, results and what is asked of the event alone decide.
    pub fn may_match_event(&self, event: EventId, rows: &impl Statistics, ancestry: Ancestry) -> u64 {
        let Some(detail) = self.detail(event) else { return u64::MAX };
        let mut mask = detail.args.iter().fold(u64::MAX, |mask, key| mask & key.may(event, rows));
        mask = detail.things.iter().fold(mask, |mask, key| mask & key.may(event, rows));
        if let Some(ret) = &detail.ret {
            let Returned { errors, successes, below_errors } = rows.returned(event);
            mask &= ret.intervals.may(ret.gate, |low, high| {
                (errors && low < 0 && high >= LOWEST_ERROR)
                    || (successes && high >= 0)
                    || (below_errors && low < LOWEST_ERROR)
            });
        }
        if detail.has_context != 0 {
            mask &= detail.context.may(rows, ancestry);
        }
        for key in &detail.row {
            if let RowKey::Number(Field::Timestamp, numbers) = key {
                let (first, last) = rows.wall_ns();
                let overlaps = |low, high| low <= i128::from(last) && high >= i128::from(first);
                mask &= numbers.intervals.may(numbers.gate, overlaps);
            }
        }
        mask
    }

    /// Scopes that may get a lineage from some row: those that name one of its processes in `tree`, or follow what it is of.
    pub fn may_begin_lineage(&self, rows: &impl Statistics) -> u64 {
        let is_there = |pid: u32| {
            [NumberOf::Pid, NumberOf::Tid, NumberOf::Ppid]
                .into_iter()
                .any(|of| rows.may_overlap(of, pid.into(), pid.into()))
        };
        let named = self.tree.roots.iter().filter(|(pid, ..)| is_there(*pid));
        let named = named.fold(0, |all, (_, _, words)| all | words.equal | words.not);
        let seeds = match self.follow() {
            0 => 0,
            follow => self.context.may(rows, Ancestry::Unknown) & follow,
        };
        named | seeds
    }
}

/// The lowest return value that is an error.
const LOWEST_ERROR: i128 = -4095;

impl ContextKeys {
    fn may(&self, rows: &impl Statistics, ancestry: Ancestry) -> u64 {
        self.keys
            .iter()
            .fold(u64::MAX, |mask, key| if mask == 0 { 0 } else { mask & key.may(rows, ancestry) })
    }
}

impl Key {
    fn may(&self, rows: &impl Statistics, ancestry: Ancestry) -> u64 {
        match self {
            Key::Text(Field::Comm, key) => each_text(rows, TextOf::Comm, |text| key.mask(Some(text))),
            Key::Text(Field::Uts, key) => each_text(rows, TextOf::Uts, |text| key.mask(Some(text))),
            Key::Text(field @ Field::HostName, key) => {
                let context = events::Context::default();
                key.mask(context::text(*field, &Subject { host: rows.host(), ..Subject::of(&context) }))
            }
            Key::Binary(key) => each_text(rows, TextOf::Exe, |path| key.may(path)),
            Key::Number(field, key) => match number_of(*field) {
                Some(of) => key.intervals.may_list(key.gate, rows, of),
                None => u64::MAX,
            },
            Key::Id(key) => key.may(rows),
            Key::Text(Field::ContainerId, key) => {
                each_container(rows, |subject| container::id_mask(key, subject))
            }
            Key::Text(field, key) => each_container(rows, |subject| key.mask(context::text(*field, subject))),
            Key::Flag(..) | Key::Container(_) => each_container(rows, |subject| self.mask(subject)),
            Key::Tree(gate) => match ancestry {
                Ancestry::Unknown => u64::MAX,
                Ancestry::Unnamed => context::tree_mask(*gate, LineageBits::default()),
            },
            Key::Fixed(mask) => *mask,
            // Statistics say nothing of these.
            Key::Standing(..) | Key::Members(..) => u64::MAX,
        }
    }
}

/// The list of numbers that has a field's.
fn number_of(field: Field) -> Option<NumberOf> {
    match field {
        Field::Uid => Some(NumberOf::Uid),
        Field::MntNs => Some(NumberOf::MntNs),
        Field::PidNs => Some(NumberOf::PidNs),
        Field::CgroupId => Some(NumberOf::Cgroup),
        _ => None,
    }
}

fn each_text(rows: &impl Statistics, of: TextOf, mask: impl Fn(&[u8]) -> u64) -> u64 {
    match rows.texts(of) {
        Some(texts) => texts.iter().fold(0, |all, text| all | mask(text)),
        None => u64::MAX,
    }
}

/// The masks of all containers that rows may be of, at the first row and at the last: a container starts once.
fn each_container(rows: &impl Statistics, mask: impl Fn(&Subject<'_>) -> u64) -> u64 {
    let (first_ns, last_ns) = rows.boot_ns();
    let context = events::Context::default();
    let mut all = 0;
    rows.each_container(&mut |container| {
        for time_ns in [first_ns, last_ns] {
            let (lineage, recording) = (LineageBits::default(), rows.recording());
            let host = rows.host();
            all |= mask(&Subject { context: &context, container, lineage, recording, host, time_ns });
        }
    });
    all
}

impl Intervals {
    /// Scopes that a number passes which is in some interval that `overlaps` says may have one. It is asked with inclusive
    /// bounds.
    fn may(&self, gate: Gate, overlaps: impl Fn(i128, i128) -> bool) -> u64 {
        self.fold(overlaps, 0, |all, words| all | gate.close(words))
    }

    fn may_list(&self, gate: Gate, rows: &impl Statistics, of: NumberOf) -> u64 {
        self.fold_list(rows, of, 0, |all, words| all | gate.close(words))
    }

    fn fold<T>(&self, overlaps: impl Fn(i128, i128) -> bool, begin: T, add: impl Fn(T, Words) -> T) -> T {
        let ends = self.iter().skip(1).map(|(start, _)| start - 1).chain([i128::MAX]);
        let all = self.iter().zip(ends).filter(|((low, _), high)| overlaps(*low, *high));
        all.fold(begin, |sum, ((_, words), _)| add(sum, words))
    }

    /// Folds the words of all numbers that rows may have; some of them more than once.
    fn fold_list<T>(&self, rows: &impl Statistics, of: NumberOf, begin: T, add: impl Fn(T, Words) -> T) -> T {
        match rows.listed(of) {
            Some(listed) if listed.len() < self.iter().len() => {
                listed.iter().fold(begin, |sum, number| add(sum, self.words((*number).into())))
            }
            _ => {
                let overlaps = |low: i128, high: i128| {
                    let (low, high) = (low.max(0), high.min(u64::MAX.into()));
                    low <= high && rows.may_overlap(of, low as u64, high as u64)
                };
                self.fold(overlaps, begin, add)
            }
        }
    }
}

impl Ids {
    /// A process passes when it is not excluded, and is named: by its number, its start, or its thread's number.
    fn may(&self, rows: &impl Statistics) -> u64 {
        let of = match self.field() {
            Field::Tid => NumberOf::Tid,
            Field::Ppid => NumberOf::Ppid,
            _ => NumberOf::Pid,
        };
        /// Scopes that name any of the numbers, and scopes that do not exclude all of them.
        type Sum = (u64, u64);
        let add = |(equal, left): Sum, words: Words| (equal | (words.equal & !words.not), left | !words.not);
        let (mut equal, mut left) = self.numbers().fold_list(rows, of, (0, 0), add);
        if self.field() == Field::Pid {
            let (named, not_excluded) = self.threads().fold_list(rows, NumberOf::Tid, (0, 0), add);
            equal |= named;
            left &= not_excluded;
        }
        for (id, words) in self.pins() {
            if rows.may_overlap(of, id.into(), id.into()) {
                equal |= words.equal;
            }
        }
        self.gate().close(Words { equal: equal | self.new_words().equal, not: !left })
    }
}

impl BinaryKey {
    /// Scopes that the path may pass in some mount namespace.
    fn may(&self, path: &[u8]) -> u64 {
        let anywhere = self.anywhere.words(path);
        let elsewhere = self.in_namespaces().fold(0, |equal, texts| equal | texts.words(path).equal);
        self.gate.close(Words { equal: anywhere.equal | elsewhere, not: anywhere.not })
    }
}

impl ArgKey {
    fn may(&self, event: EventId, rows: &impl Statistics) -> u64 {
        // Where it is a number, an unreadable pointer or a descriptor without a path, its printed form is compared.
        let is_printed: fn(&u8) -> bool = match self.shape() {
            Shape::Text => |byte| byte.is_ascii_hexdigit() || matches!(byte, b'x' | b'-'),
            Shape::Descriptor if self.names() == Names::None => |byte| byte.is_ascii_digit() || *byte == b'-',
            Shape::Descriptor => |byte| {
                byte.is_ascii_uppercase()
                    || byte.is_ascii_digit()
                    || matches!(byte, b'-' | b'_' | b'|' | b' ' | b'x')
            },
            Shape::Number { .. } | Shape::Parts => return u64::MAX,
        };
        let numbers = self.numbers().iter().fold(0, |all, (_, words)| all | words.equal);
        let may = |pattern: &Pattern| {
            let pieces = pattern.pieces();
            let last = pieces.len().saturating_sub(1);
            pieces.iter().all(|piece| piece.iter().all(is_printed))
                || pieces
                    .iter()
                    .enumerate()
                    .all(|(at, piece)| rows.may_have_part(event, self.position, piece, at == 0, at == last))
        };
        let equal = numbers | may_texts(self.texts(), may);
        self.gate().close(Words { equal, not: 0 })
    }
}

impl ThingKey {
    fn may(&self, event: EventId, rows: &impl Statistics) -> u64 {
        let mut equal = 0;
        for place in self.places() {
            let (position, directory) = place.positions();
            // A path that is taken from a directory stands in two texts. Its steps stand in either of them.
            let has = |part: &[u8], at_end: bool| {
                let has = |position| rows.may_have_part(event, position, part, false, at_end);
                has(position) || directory.is_some_and(has)
            };
            equal |= match (place, self.files(), self.peers()) {
                (
                    Place::Path(..) | Place::Descriptor(_) | Place::Address(_) | Place::Message(_),
                    Some(texts),
                    _,
                ) => may_texts(texts, |pattern| {
                    let steps = |piece: &&[u8]| -> Vec<Vec<u8>> {
                        piece.split(|byte| *byte == b'/').map(<[u8]>::to_vec).collect()
                    };
                    pattern.pieces().iter().flat_map(steps).all(|step| has(&step, false))
                }),
                (Place::Descriptor(_), _, Some(peers)) => peers.may(&has),
                (_, texts, peers) => {
                    texts.map_or(0, Texts::all_equal) | peers.map_or(0, |peers| peers.may(&|_, _| true))
                }
            };
        }
        self.gate().close(Words { equal, not: 0 })
    }
}

/// Scopes that name a text which may be there.
fn may_texts(texts: &Texts, may: impl Fn(&Pattern) -> bool) -> u64 {
    if texts.len() > MOST_PATTERNS {
        return texts.all_equal();
    }
    let exact = texts.exact().map(|(text, words)| (Pattern::exact(text), words));
    let wild = texts.wild().iter().map(|(pattern, words)| (pattern.clone(), *words));
    exact.chain(wild).fold(0, |equal, (pattern, words)| {
        // A pattern that adds nothing new need not be looked for.
        if words.equal & !equal == 0 || !may(&pattern) { equal } else { equal | words.equal }
    })
}

#[cfg(test)]
mod tests;
