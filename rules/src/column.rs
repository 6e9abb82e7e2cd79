//! All tests of one column at once: a value is looked at once, however many atoms ask for it.
//!
//! Whole values are looked up. What values begin with and end in is told by automata that stop where nothing goes on; of other
//! patterns the longest literal is looked for anywhere. Only patterns whose literal is there are compared with the value. What
//! has no literal is asked one by one. Automata are built when a value is judged first: most events of a capture's catalogue
//! are in no block of it.

use std::cell::RefCell;
use std::collections::HashMap as ByAtom;
use std::sync::OnceLock;

use aho_corasick::automaton::OverlappingState;
use aho_corasick::{AhoCorasick, AhoCorasickKind, Anchored, Input, MatchKind, StartKind};
use hashbrown::HashMap;

use crate::form::{Case, Pattern, Piece, Test, Value};

#[derive(Debug)]
pub struct Machine {
    patterns: Vec<Wanted>,
    /// By whole value, in lower case.
    whole: HashMap<Vec<u8>, Vec<u32>>,
    begins: Literals,
    /// Literals and values are turned around.
    ends: Literals,
    within: Literals,
    others: Vec<(u32, Test)>,
}

#[derive(Debug)]
struct Wanted {
    atom: u32,
    case: Case,
    pattern: Pattern,
}

/// Literals in lower case, each with the patterns that have it.
#[derive(Debug)]
struct Literals {
    is_anchored: bool,
    literals: Vec<Vec<u8>>,
    patterns: Vec<Vec<u32>>,
    /// `None` inside: there are more than an automaton can have.
    automaton: OnceLock<Option<AhoCorasick>>,
}

/// Where a literal of a pattern has to stand in a value.
enum Place {
    Whole(Vec<u8>),
    Begin(Vec<u8>),
    End(Vec<u8>),
    Within(Vec<u8>),
}

#[derive(Default)]
struct Scratch {
    lower: Vec<u8>,
    reversed: Vec<u8>,
    found: Vec<u32>,
}

thread_local! {
    static SCRATCH: RefCell<Scratch> = RefCell::default();
}

impl Machine {
    pub fn new(atoms: Vec<(u32, Test)>) -> Machine {
        let mut machine = Machine {
            patterns: Vec::new(),
            whole: HashMap::new(),
            begins: Literals::new(true),
            ends: Literals::new(true),
            within: Literals::new(false),
            others: Vec::new(),
        };
        let mut known: [ByAtom<Vec<u8>, usize>; 3] = Default::default();
        let [begins, ends, within] = &mut known;
        for (atom, test) in atoms {
            let Test::Fits(case, all) = test else {
                machine.others.push((atom, test));
                continue;
            };
            let mut without = Vec::new();
            for pattern in all {
                let number = machine.patterns.len() as u32;
                match place(&pattern) {
                    None => {
                        without.push(pattern);
                        continue;
                    }
                    Some(Place::Whole(text)) => machine.whole.entry(text).or_default().push(number),
                    Some(Place::Begin(text)) => machine.begins.add(text, number, begins),
                    Some(Place::End(mut text)) => {
                        text.reverse();
                        machine.ends.add(text, number, ends);
                    }
                    Some(Place::Within(text)) => machine.within.add(text, number, within),
                }
                machine.patterns.push(Wanted { atom, case, pattern });
            }
            if !without.is_empty() {
                machine.others.push((atom, Test::Fits(case, without)));
            }
        }
        machine
    }

    /// Appends the atoms that a value makes hold.
    pub fn judge(&self, value: Value<'_>, held: &mut Vec<u32>) {
        if !self.patterns.is_empty() {
            SCRATCH.with_borrow_mut(|scratch| self.fit(&value.text(), scratch, held));
        }
        for (atom, test) in &self.others {
            if !held.contains(atom) && test.passes(value) {
                held.push(*atom);
            }
        }
    }

    fn fit(&self, text: &[u8], scratch: &mut Scratch, held: &mut Vec<u32>) {
        let Scratch { lower, reversed, found } = scratch;
        lower.clear();
        lower.extend_from_slice(text);
        lower.make_ascii_lowercase();
        found.clear();
        if !self.whole.is_empty()
            && let Some(patterns) = self.whole.get(lower.as_slice())
        {
            found.extend_from_slice(patterns);
        }
        self.begins.find(lower, found);
        if !self.ends.literals.is_empty() {
            reversed.clear();
            reversed.extend(lower.iter().rev());
            self.ends.find(reversed, found);
        }
        self.within.find(lower, found);
        for wanted in found.iter().filter_map(|number| self.patterns.get(*number as usize)) {
            if held.contains(&wanted.atom) {
                continue;
            }
            let fits = match wanted.case {
                Case::Exact => wanted.pattern.fits(text),
                Case::Folded => wanted.pattern.fits(lower),
            };
            if fits {
                held.push(wanted.atom);
            }
        }
    }
}

impl Literals {
    fn new(is_anchored: bool) -> Literals {
        Literals { is_anchored, literals: Vec::new(), patterns: Vec::new(), automaton: OnceLock::new() }
    }

    fn add(&mut self, literal: Vec<u8>, pattern: u32, known: &mut ByAtom<Vec<u8>, usize>) {
        let number = *known.entry(literal).or_insert_with_key(|literal| {
            self.literals.push(literal.clone());
            self.patterns.push(Vec::new());
            self.patterns.len() - 1
        });
        if let Some(patterns) = self.patterns.get_mut(number) {
            patterns.push(pattern);
        }
    }

    /// Appends the patterns whose literal is in a text, or begins it; some of them may be told twice.
    fn find(&self, text: &[u8], found: &mut Vec<u32>) {
        if self.literals.is_empty() {
            return;
        }
        let automaton = self.automaton.get_or_init(|| {
            let start = if self.is_anchored { StartKind::Anchored } else { StartKind::Unanchored };
            let built = AhoCorasick::builder()
                .match_kind(MatchKind::Standard)
                .start_kind(start)
                .kind(Some(AhoCorasickKind::ContiguousNFA))
                .build(&self.literals);
            built.ok()
        });
        let Some(automaton) = automaton else {
            found.extend(self.patterns.iter().flatten());
            return;
        };
        let anchored = if self.is_anchored { Anchored::Yes } else { Anchored::No };
        let mut state = OverlappingState::start();
        // The iterator over all matches takes no anchored input.
        while automaton.try_find_overlapping(Input::new(text).anchored(anchored), &mut state).is_ok()
            && let Some(it) = state.get_match()
        {
            found.extend(self.patterns.get(it.pattern().as_usize()).into_iter().flatten());
        }
    }
}

/// The literal of a pattern that is looked for; `None` when it has none.
fn place(pattern: &Pattern) -> Option<Place> {
    let lower = |text: &[u8]| Some(text.to_ascii_lowercase()).filter(|text| !text.is_empty());
    match pattern {
        Pattern::Equals(text) => Some(Place::Whole(text.to_ascii_lowercase())),
        Pattern::Prefix(text) => lower(text).map(Place::Begin),
        Pattern::Suffix(text) => lower(text).map(Place::End),
        Pattern::Contains(text) => lower(text).map(Place::Within),
        // Of several literals the longest is in the fewest values.
        Pattern::Glob(pieces) => {
            let literals = pieces.iter().enumerate().filter_map(|(at, piece)| match piece {
                Piece::Literal(text) => Some((at, text)),
                _ => None,
            });
            let (at, longest) = literals.max_by_key(|(_, text)| text.len())?;
            lower(longest).map(|text| match at {
                0 => Place::Begin(text),
                _ if at + 1 == pieces.len() => Place::End(text),
                _ => Place::Within(text),
            })
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
            value in "[abAB]{0,12}",
        ) {
            let test = |(text, is_exact): &(String, bool)| {
                if *is_exact {
                    Test::Fits(Case::Exact, vec![pattern(text)])
                } else {
                    Test::Fits(Case::Folded, vec![pattern(text).lower()])
                }
            };
            let atoms: Vec<_> = (0u32..).zip(patterns.iter().map(test)).collect();
            let value = Value::Text(value.as_bytes());
            let expected: Vec<u32> = atoms.iter().filter(|(_, test)| test.passes(value)).map(|(atom, _)| *atom).collect();
            let mut held = Vec::new();
            Machine::new(atoms).judge(value, &mut held);
            held.sort_unstable();
            prop_assert_eq!(held, expected);
        }
    }
}
