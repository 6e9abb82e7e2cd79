//! All tests of one column at once: a value is looked at once, however many atoms ask for it.
//!
//! Whole values are looked up. Of all other patterns the longest literal is looked for, by one automaton over the value between
//! two marks, so that what values begin with and end in are literals like others. Where a value begins as the one before it
//! did, as paths of one directory do, the automaton goes on where they part. Only patterns whose literal is there are compared
//! with the value. What has no literal is asked one by one. Automata are built when a value is judged first: most events of a
//! capture's catalogue are in no block of it.

use std::collections::HashMap as ByLiteral;
use std::sync::OnceLock;

use aho_corasick::automaton::{Automaton, StateID};
use aho_corasick::{Anchored, MatchKind, dfa, nfa::contiguous};
use hashbrown::HashMap;

use crate::form::{Case, Pattern, Piece, Test, Value};

/// What stands before and behind a value. They may be in it as well: what is found then is compared with all of the value.
const BEGIN: u8 = 0xff;
const END: u8 = 0xfe;

/// Bytes of literals up to which each state of an automaton has a table of what follows: faster, and much larger.
const MAX_DENSE_BYTES: usize = 1 << 11;

/// Beyond the states so far from the start, those of larger automata list what follows.
const DENSE_DEPTH: usize = 4;

#[derive(Debug)]
pub struct Machine {
    patterns: Vec<Wanted>,
    /// By whole value, in lower case.
    whole: HashMap<Vec<u8>, Vec<u32>>,
    /// A bit for each of their lengths; those of 127 bytes and more share one.
    lengths: u128,
    /// In lower case with the marks of their place, each with the patterns that have it.
    literals: Vec<Vec<u8>>,
    patterns_of: Vec<Vec<u32>>,
    /// `None` inside: there are more literals than an automaton can have.
    automaton: OnceLock<Option<Kind>>,
    others: Vec<(u32, Test)>,
}

#[derive(Debug)]
struct Wanted {
    atom: u32,
    case: Case,
    pattern: Pattern,
    /// A value in which its literal is fits it: nothing is left to compare.
    is_sure: bool,
}

#[derive(Debug)]
enum Kind {
    Dense(dfa::DFA),
    Sparse(contiguous::NFA),
}

/// Where a value that was judged led: the next one often begins alike.
#[derive(Debug, Default)]
pub struct Walk {
    /// The value in lower case behind its mark, and the state behind each byte.
    lower: Vec<u8>,
    states: Vec<StateID>,
    /// Literals, each with where it ends.
    found: Vec<(usize, u32)>,
    next: Vec<u8>,
    /// The last text that was judged by itself, and the atoms that it made hold.
    last: Option<Vec<u8>>,
    last_held: Vec<u32>,
}

impl Machine {
    pub fn new(atoms: Vec<(u32, Test)>) -> Machine {
        let mut machine = Machine {
            patterns: Vec::new(),
            whole: HashMap::new(),
            lengths: 0,
            literals: Vec::new(),
            patterns_of: Vec::new(),
            automaton: OnceLock::new(),
            others: Vec::new(),
        };
        let mut known = ByLiteral::new();
        for (atom, test) in atoms {
            let Test::Fits(case, all) = test else {
                machine.others.push((atom, test));
                continue;
            };
            let mut without = Vec::new();
            for pattern in all {
                let number = machine.patterns.len() as u32;
                let mut is_sure = false;
                if let Pattern::Equals(text) = &pattern {
                    machine.whole.entry(text.to_ascii_lowercase()).or_default().push(number);
                    machine.lengths |= length_bit(text);
                } else if let Some(literal) = literal(&pattern) {
                    is_sure = case == Case::Folded
                        && matches!(pattern, Pattern::Contains(_))
                        && !literal.iter().any(|byte| matches!(*byte, BEGIN | END));
                    machine.add(literal, number, &mut known);
                } else {
                    without.push(pattern);
                    continue;
                }
                machine.patterns.push(Wanted { atom, case, pattern, is_sure });
            }
            if !without.is_empty() {
                machine.others.push((atom, Test::Fits(case, without)));
            }
        }
        machine
    }

    fn add(&mut self, literal: Vec<u8>, pattern: u32, known: &mut ByLiteral<Vec<u8>, usize>) {
        let number = *known.entry(literal).or_insert_with_key(|literal| {
            self.literals.push(literal.clone());
            self.patterns_of.push(Vec::new());
            self.literals.len() - 1
        });
        if let Some(patterns) = self.patterns_of.get_mut(number) {
            patterns.push(pattern);
        }
    }

    /// Appends the atoms that a value makes hold. The same walk is given to all values of one column.
    pub fn judge(&self, value: Value<'_>, walk: &mut Walk, held: &mut Vec<u32>) {
        // Neighbours in a dictionary of paths have one directory and one extension.
        if let Value::Text(text) = value
            && held.is_empty()
        {
            if walk.last.as_deref() == Some(text) {
                return held.extend_from_slice(&walk.last_held);
            }
            self.judge_new(value, walk, held);
            let mut last = walk.last.take().unwrap_or_default();
            last.clear();
            last.extend_from_slice(text);
            walk.last = Some(last);
            walk.last_held.clear();
            walk.last_held.extend_from_slice(held);
            return;
        }
        self.judge_new(value, walk, held);
    }

    fn judge_new(&self, value: Value<'_>, walk: &mut Walk, held: &mut Vec<u32>) {
        if !self.patterns.is_empty() {
            self.fit(&value.text(), walk, held);
        }
        for (atom, test) in &self.others {
            if !held.contains(atom) && test.passes(value) {
                held.push(*atom);
            }
        }
    }

    fn fit(&self, text: &[u8], walk: &mut Walk, held: &mut Vec<u32>) {
        walk.next.clear();
        walk.next.push(BEGIN);
        walk.next.extend_from_slice(text);
        walk.next.make_ascii_lowercase();
        let lower = walk.next.get(1..).unwrap_or_default();
        if self.lengths & length_bit(lower) != 0
            && let Some(patterns) = self.whole.get(lower)
        {
            self.compare(patterns, text, lower, held);
        }
        if self.literals.is_empty() {
            return;
        }
        let behind = match self.automaton() {
            Some(Kind::Dense(automaton)) => walk.go_on(automaton),
            Some(Kind::Sparse(automaton)) => walk.go_on(automaton),
            None => {
                let lower = walk.next.get(1..).unwrap_or_default();
                return self
                    .patterns_of
                    .iter()
                    .for_each(|patterns| self.compare(patterns, text, lower, held));
            }
        };
        let lower = walk.lower.get(1..).unwrap_or_default();
        for (_, literal) in &walk.found {
            let patterns = self.patterns_of.get(*literal as usize).map(Vec::as_slice).unwrap_or_default();
            self.compare(patterns, text, lower, held);
        }
        let Some(behind) = behind else { return };
        let each = &mut |literal: usize| {
            let patterns = self.patterns_of.get(literal).map(Vec::as_slice).unwrap_or_default();
            self.compare(patterns, text, lower, held);
        };
        match self.automaton() {
            Some(Kind::Dense(automaton)) => each_match(automaton, behind, each),
            Some(Kind::Sparse(automaton)) => each_match(automaton, behind, each),
            None => {}
        }
    }

    fn compare(&self, patterns: &[u32], text: &[u8], lower: &[u8], held: &mut Vec<u32>) {
        for wanted in patterns.iter().filter_map(|number| self.patterns.get(*number as usize)) {
            if held.contains(&wanted.atom) {
                continue;
            }
            let fits = wanted.is_sure
                || match wanted.case {
                    Case::Exact => wanted.pattern.fits(text),
                    Case::Folded => wanted.pattern.fits(lower),
                };
            if fits {
                held.push(wanted.atom);
            }
        }
    }

    fn automaton(&self) -> Option<&Kind> {
        let build = || {
            let bytes: usize = self.literals.iter().map(Vec::len).sum();
            if bytes <= MAX_DENSE_BYTES {
                let mut builder = dfa::Builder::new();
                builder.match_kind(MatchKind::Standard).start_kind(aho_corasick::StartKind::Unanchored);
                return builder.prefilter(false).build(&self.literals).ok().map(Kind::Dense);
            }
            let mut builder = contiguous::Builder::new();
            builder.match_kind(MatchKind::Standard).dense_depth(DENSE_DEPTH).prefilter(false);
            builder.build(&self.literals).ok().map(Kind::Sparse)
        };
        self.automaton.get_or_init(build).as_ref()
    }
}

impl Walk {
    /// Walks over the next value, from where it parts from the last one. The state behind it and the mark of its end.
    fn go_on<A: Automaton>(&mut self, automaton: &A) -> Option<StateID> {
        let shared = shared_prefix(&self.lower, &self.next).min(self.states.len());
        std::mem::swap(&mut self.lower, &mut self.next);
        self.states.truncate(shared);
        while self.found.last().is_some_and(|(end, _)| *end >= shared) {
            self.found.pop();
        }
        let mut state = match self.states.last() {
            Some(state) => *state,
            None => automaton.start_state(Anchored::No).ok()?,
        };
        for (at, byte) in self.lower.iter().enumerate().skip(shared) {
            state = automaton.next_state(Anchored::No, state, *byte);
            self.states.push(state);
            if automaton.is_special(state) {
                each_match(automaton, state, &mut |literal| self.found.push((at, literal as u32)));
            }
        }
        let behind = automaton.next_state(Anchored::No, state, END);
        automaton.is_special(behind).then_some(behind)
    }
}

fn length_bit(text: &[u8]) -> u128 {
    1 << text.len().min(127)
}

/// Calls `see` with the literals that end in a state.
fn each_match<A: Automaton>(automaton: &A, state: StateID, see: &mut dyn FnMut(usize)) {
    if automaton.is_match(state) {
        (0..automaton.match_len(state)).for_each(|at| see(automaton.match_pattern(state, at).as_usize()));
    }
}

fn shared_prefix(one: &[u8], other: &[u8]) -> usize {
    let words = one.as_chunks::<8>().0.iter().zip(other.as_chunks::<8>().0);
    let whole = 8 * words.take_while(|(one, other)| one == other).count();
    let (one, other) = (one.get(whole..).unwrap_or_default(), other.get(whole..).unwrap_or_default());
    whole + one.iter().zip(other).take_while(|(one, other)| one == other).count()
}

/// The literal of a pattern that is looked for, with the marks of its place; `None` when it has none.
fn literal(pattern: &Pattern) -> Option<Vec<u8>> {
    let marked = |before: &[u8], text: &[u8], behind: &[u8]| {
        let literal = [before, &text.to_ascii_lowercase(), behind].concat();
        (!text.is_empty()).then_some(literal)
    };
    match pattern {
        Pattern::Equals(text) => marked(&[BEGIN], text, &[END]),
        Pattern::Prefix(text) => marked(&[BEGIN], text, &[]),
        Pattern::Suffix(text) => marked(&[], text, &[END]),
        Pattern::Contains(text) => marked(&[], text, &[]),
        // Of several literals the longest is in the fewest values.
        Pattern::Glob(pieces) => {
            let literals = pieces.iter().enumerate().filter_map(|(at, piece)| match piece {
                Piece::Literal(text) => Some((at, text)),
                _ => None,
            });
            let (at, longest) = literals.max_by_key(|(_, text)| text.len())?;
            let before: &[u8] = if at == 0 { &[BEGIN] } else { &[] };
            let behind: &[u8] = if at + 1 == pieces.len() { &[END] } else { &[] };
            marked(before, longest, behind)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn pattern(text: &str) -> Pattern {
        let piece = |c: char| match c {
            '*' => Piece::Many,
            '?' => Piece::One,
            c => Piece::Literal(c.to_string().into_bytes()),
        };
        Pattern::from_pieces(text.chars().map(piece).collect())
    }

    proptest! {
        /// The automaton finds what asking each pattern by itself finds.
        #[test]
        fn all_at_once_is_the_same_as_one_by_one(
            patterns in prop::collection::vec(("[abA*?]{0,9}", any::<bool>()), 1..20),
            values in prop::collection::vec("[abAB]{0,12}", 1..8),
        ) {
            let test = |(text, is_exact): &(String, bool)| {
                if *is_exact {
                    Test::Fits(Case::Exact, vec![pattern(text)])
                } else {
                    Test::Fits(Case::Folded, vec![pattern(text).lower()])
                }
            };
            let atoms: Vec<_> = (0u32..).zip(patterns.iter().map(test)).collect();
            let (machine, mut walk) = (Machine::new(atoms.clone()), Walk::default());
            for value in &values {
                let value = Value::Text(value.as_bytes());
                let passing = atoms.iter().filter(|(_, test)| test.passes(value)).map(|(atom, _)| *atom);
                let mut held = Vec::new();
                machine.judge(value, &mut walk, &mut held);
                held.sort_unstable();
                prop_assert_eq!(held, passing.collect::<Vec<u32>>());
            }
        }

        /// Bytes that are the marks are bytes like others.
        #[test]
        fn marks_within_values_mean_nothing(
            patterns in prop::collection::vec(
                (prop::collection::vec(prop::sample::select(vec![b'a', BEGIN, END]), 1..4), 0..4usize), 1..8),
            value in prop::collection::vec(prop::sample::select(vec![b'a', BEGIN, END]), 0..7),
        ) {
            let test = |(text, kind): &(Vec<u8>, usize)| {
                let text = text.clone();
                let pattern = match kind {
                    0 => Pattern::Equals(text),
                    1 => Pattern::Prefix(text),
                    2 => Pattern::Suffix(text),
                    _ => Pattern::Contains(text),
                };
                Test::Fits(Case::Folded, vec![pattern])
            };
            let atoms: Vec<_> = (0u32..).zip(patterns.iter().map(test)).collect();
            let value = Value::Text(&value);
            let passing = atoms.iter().filter(|(_, test)| test.passes(value)).map(|(atom, _)| *atom);
            let expected: Vec<u32> = passing.collect();
            let mut held = Vec::new();
            Machine::new(atoms).judge(value, &mut Walk::default(), &mut held);
            held.sort_unstable();
            prop_assert_eq!(held, expected);
        }
    }
}
