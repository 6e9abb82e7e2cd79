//! Numbers: every equality, bound and exclusion of all scopes in one sorted table.

use crate::filter::Value;
use crate::predicate::{Asked, gate};
use crate::syntax::Op;
use crate::words::{Gate, Words};

/// Below and above every number that is compared.
const LOWEST: i128 = i128::MIN;
const HIGHEST: i128 = i128::MAX;

/// The words of every number: constant between neighbouring starts.
///
/// ```text
/// uid>=1000 in scope 2, uid=0 in scope 1:   LOWEST   0     1     1000
///                                           |  -     | 1   |  -  |  2 ...
/// ```
#[derive(Debug, Default)]
pub(crate) struct Intervals {
    starts: Vec<i128>,
    words: Vec<Words>,
}

impl Intervals {
    /// From inclusive ranges and the words that each adds.
    pub fn new(ranges: &[(i128, i128, Words)]) -> Intervals {
        let mut starts = vec![LOWEST];
        for (low, high, _) in ranges.iter().filter(|(low, high, _)| low <= high) {
            starts.push(*low);
            starts.extend(high.checked_add(1));
        }
        starts.sort_unstable();
        starts.dedup();
        let mut words = vec![Words::default(); starts.len()];
        for (low, high, add) in ranges.iter().filter(|(low, high, _)| low <= high) {
            let from = starts.partition_point(|start| start < low);
            let to = starts.partition_point(|start| start <= high);
            for words in words.get_mut(from..to).unwrap_or_default() {
                words.add(*add);
            }
        }
        Intervals { starts, words }
    }

    pub fn words(&self, number: i128) -> Words {
        let after = self.starts.partition_point(|start| *start <= number);
        self.words.get(after.wrapping_sub(1)).copied().unwrap_or_default()
    }

    /// Each interval: its first number and its words, rising.
    pub fn iter(&self) -> impl ExactSizeIterator<Item = (i128, Words)> {
        self.starts.iter().copied().zip(self.words.iter().copied())
    }
}

/// The ranges that the filters of all scopes name: equalities and exclusions as single numbers, and for each scope with
/// bounds the one range that is within all of them.
pub(crate) fn ranges(asked: &[Asked<'_>], bounds: bool) -> Vec<(i128, i128, Words)> {
    let mut ranges = Vec::new();
    for Asked { bit, filters } in asked {
        let (mut low, mut high, mut bounded) = (LOWEST, HIGHEST, false);
        for filter in filters {
            for value in &filter.values {
                let Value::Number(number) = *value else { continue };
                match filter.op {
                    Op::NotEqual => ranges.push((number, number, Words { equal: 0, not: *bit })),
                    Op::Less => high = high.min(number.saturating_sub(1)),
                    Op::LessOrEqual => high = high.min(number),
                    Op::Greater => low = low.max(number.saturating_add(1)),
                    Op::GreaterOrEqual => low = low.max(number),
                    Op::Equal | Op::Is | Op::IsNot => {
                        ranges.push((number, number, Words { equal: *bit, not: 0 }));
                    }
                }
                bounded |= filter.op.is_bound();
            }
        }
        if bounded && bounds {
            ranges.push((low, high, Words { equal: *bit, not: 0 }));
        }
    }
    ranges
}

/// A key whose values are plain numbers.
#[derive(Debug)]
pub(crate) struct Numbers {
    pub gate: Gate,
    pub intervals: Intervals,
}

impl Numbers {
    pub fn new(asked: &[Asked<'_>]) -> Numbers {
        Numbers { gate: gate(asked), intervals: Intervals::new(&ranges(asked, true)) }
    }

    /// `None` is a value that is not there: it fails every filter on it.
    pub fn mask(&self, number: Option<i128>) -> u64 {
        match number {
            Some(number) => self.gate.close(self.intervals.words(number)),
            None => !self.gate.used,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranges_keep_both_of_their_ends() {
        let word = |equal| Words { equal, not: 0 };
        let intervals =
            Intervals::new(&[(1, 3, word(1)), (3, 3, word(2)), (9, 4, word(4)), (5, HIGHEST, word(8))]);
        let equal: Vec<u64> = (0..7).map(|n| intervals.words(n).equal).collect();
        assert_eq!(equal, [0, 1, 1, 3, 0, 8, 8]);
        assert_eq!(intervals.words(LOWEST).equal, 0);
        assert_eq!(intervals.words(HIGHEST).equal, 8);
    }
}
