//! All tests of one column at once: a value is looked at once, however many atoms ask for it.
//!
//! Every text pattern has a longest literal, and all of them are one automaton; only patterns whose literal is in a value are
//! compared with it. What has no literal is asked one by one.

use aho_corasick::{AhoCorasick, AhoCorasickKind, MatchKind};

use crate::form::{Case, Pattern, Piece, Test, Value};

#[derive(Debug)]
pub struct Machine {
    literals: Option<AhoCorasick>,
    /// By number of literal: patterns that have it.
    patterns: Vec<Vec<Wanted>>,
    others: Vec<(u32, Test)>,
}

#[derive(Debug)]
struct Wanted {
    atom: u32,
    case: Case,
    pattern: Pattern,
}

impl Machine {
    pub fn new(atoms: Vec<(u32, Test)>) -> Machine {
        let mut literals: Vec<Vec<u8>> = Vec::new();
        let mut numbers = std::collections::HashMap::new();
        let mut patterns: Vec<Vec<Wanted>> = Vec::new();
        let mut others = Vec::new();
        for (atom, test) in atoms {
            let Test::Fits(case, all) = test else {
                others.push((atom, test));
                continue;
            };
            let mut without = Vec::new();
            for pattern in all {
                let Some(literal) = longest(&pattern) else {
                    without.push(pattern);
                    continue;
                };
                let number = *numbers.entry(literal.clone()).or_insert_with(|| {
                    literals.push(literal);
                    patterns.push(Vec::new());
                    patterns.len() - 1
                });
                if let Some(of_literal) = patterns.get_mut(number) {
                    of_literal.push(Wanted { atom, case, pattern });
                }
            }
            if !without.is_empty() {
                others.push((atom, Test::Fits(case, without)));
            }
        }
        let built = AhoCorasick::builder()
            .match_kind(MatchKind::Standard)
            .kind(Some(AhoCorasickKind::ContiguousNFA))
            .build(&literals);
        match built {
            Ok(automaton) if !literals.is_empty() => Machine { literals: Some(automaton), patterns, others },
            Ok(_) => Machine { literals: None, patterns, others },
            // More literals than an automaton can have: they are asked one by one.
            Err(_) => {
                let wanted = patterns.into_iter().flatten();
                others.extend(wanted.map(|it| (it.atom, Test::Fits(it.case, vec![it.pattern]))));
                Machine { literals: None, patterns: Vec::new(), others }
            }
        }
    }

    /// Appends the atoms that a value makes hold.
    pub fn judge(&self, value: Value<'_>, held: &mut Vec<u32>) {
        if let Some(literals) = &self.literals {
            let text = value.text();
            let lower = text.to_ascii_lowercase();
            for found in literals.find_overlapping_iter(&lower) {
                for wanted in self.patterns.get(found.pattern().as_usize()).into_iter().flatten() {
                    if held.contains(&wanted.atom) {
                        continue;
                    }
                    let fits = match wanted.case {
                        Case::Exact => wanted.pattern.fits(&text),
                        Case::Folded => wanted.pattern.fits(&lower),
                    };
                    if fits {
                        held.push(wanted.atom);
                    }
                }
            }
        }
        for (atom, test) in &self.others {
            if !held.contains(atom) && test.passes(value) {
                held.push(*atom);
            }
        }
    }
}

/// The longest literal of a pattern, in lower case; `None` when it has none.
fn longest(pattern: &Pattern) -> Option<Vec<u8>> {
    let literals = pattern.pieces().into_iter().filter_map(|piece| match piece {
        Piece::Literal(text) => Some(text),
        _ => None,
    });
    literals.filter(|text| !text.is_empty()).max_by_key(Vec::len).map(|text| text.to_ascii_lowercase())
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
            patterns in prop::collection::vec(("[abA*?]{0,6}", any::<bool>()), 1..20),
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
