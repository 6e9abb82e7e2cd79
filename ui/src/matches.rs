//! Which rows of a block an answer has: all of them, a bit a row, or a list where they are few. No text is held.

/// A row of a block, or something that is derived from it.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub struct Item {
    pub row: u32,
    /// 0 is the row itself; others count what is derived from it.
    pub derived: u16,
}

/// What an answer has of one block, in order of rows.
#[derive(Clone, Debug)]
pub struct Matches {
    items: Items,
    /// By item: its time on the ordering clock, where the block overlaps others; otherwise empty.
    keys: Box<[u64]>,
}

#[derive(Clone, Debug)]
enum Items {
    All(u32),
    Bits {
        words: Box<[u64]>,
        /// Bits before each stretch of [`STRETCH`] words.
        ranks: Box<[u32]>,
        len: usize,
    },
    List(Box<[Item]>),
}

const STRETCH: usize = 8;

impl Matches {
    /// `items` in order; `rows`: of the block. `keys`: by item, or empty.
    pub fn new(items: Vec<Item>, rows: u32, keys: Vec<u64>) -> Matches {
        let is_plain = items.iter().all(|item| item.derived == 0);
        let items = if is_plain && items.len() == rows as usize {
            Items::All(rows)
        } else if is_plain && items.len() > rows as usize / 64 {
            Items::bits(&items, rows)
        } else {
            Items::List(items.into())
        };
        Matches { items, keys: keys.into() }
    }

    /// Two parts of one block, of which the second comes behind the first.
    pub fn join(&self, behind: &Matches, rows: u32) -> Matches {
        let all = |of: &Matches| (0..of.len()).filter_map(|at| of.get(at)).collect::<Vec<_>>();
        let mut items = [all(self), all(behind)].concat();
        items.sort_unstable();
        items.dedup();
        let mut keys = [self.keys.as_ref(), behind.keys.as_ref()].concat();
        keys.sort_unstable();
        Matches::new(items, rows, keys)
    }

    /// What both have. `rows`: of the block.
    pub fn and(&self, other: &Matches, rows: u32) -> Matches {
        match (&self.items, &other.items) {
            (Items::All(_), _) => other.clone(),
            (_, Items::All(_)) => self.clone(),
            (Items::Bits { words: one, .. }, Items::Bits { words: two, .. })
                if self.keys.is_empty() && other.keys.is_empty() =>
            {
                Matches::of_words(one.iter().zip(two).map(|(one, two)| one & two), rows)
            }
            _ => {
                let (few, many) = if self.len() <= other.len() { (self, other) } else { (other, self) };
                let (mut items, mut keys) = (Vec::new(), Vec::new());
                for at in 0..few.len() {
                    let Some(item) = few.get(at).filter(|item| many.has(*item)) else { continue };
                    items.push(item);
                    keys.extend(few.keys.get(at));
                }
                Matches::new(items, rows, keys)
            }
        }
    }

    /// What either has.
    pub fn or(&self, other: &Matches, rows: u32) -> Matches {
        match (&self.items, &other.items) {
            (Items::All(_), _) => self.clone(),
            (_, Items::All(_)) => other.clone(),
            (Items::Bits { words: one, .. }, Items::Bits { words: two, .. })
                if self.keys.is_empty() && other.keys.is_empty() =>
            {
                Matches::of_words(one.iter().zip(two).map(|(one, two)| one | two), rows)
            }
            _ => {
                let all = |of: &Matches| {
                    let key = |at: usize| of.keys.get(at).copied();
                    (0..of.len()).filter_map(|at| Some((of.get(at)?, key(at)))).collect::<Vec<_>>()
                };
                let mut both = [all(self), all(other)].concat();
                both.sort_unstable();
                both.dedup_by_key(|(item, _)| *item);
                let keys = both.iter().filter_map(|(_, key)| *key).collect();
                Matches::new(both.into_iter().map(|(item, _)| item).collect(), rows, keys)
            }
        }
    }

    /// A bit a row.
    fn of_words(words: impl Iterator<Item = u64>, rows: u32) -> Matches {
        let words: Vec<u64> = words.collect();
        let bits = |(at, word): (usize, &u64)| {
            let word = *word;
            (0..64).filter(move |bit| word >> bit & 1 != 0).map(move |bit| at as u32 * 64 + bit)
        };
        let count: usize = words.iter().map(|word| word.count_ones() as usize).sum();
        if count == rows as usize || count <= rows as usize / 64 {
            let items = words.iter().enumerate().flat_map(bits).map(|row| Item { row, derived: 0 });
            return Matches::new(items.collect(), rows, Vec::new());
        }
        Matches { items: Items::of_words(words), keys: Box::default() }
    }

    pub fn len(&self) -> usize {
        match &self.items {
            Items::All(rows) => *rows as usize,
            Items::Bits { len, .. } => *len,
            Items::List(list) => list.len(),
        }
    }

    /// The item with this number, from 0.
    pub fn get(&self, at: usize) -> Option<Item> {
        match &self.items {
            Items::All(rows) => (at < *rows as usize).then_some(Item { row: at as u32, derived: 0 }),
            Items::List(list) => list.get(at).copied(),
            Items::Bits { words, ranks, .. } => {
                let stretch = ranks.partition_point(|before| *before as usize <= at).checked_sub(1)?;
                let mut left = at - *ranks.get(stretch)? as usize;
                for (number, word) in words.iter().enumerate().skip(stretch * STRETCH) {
                    let ones = word.count_ones() as usize;
                    if left < ones {
                        let bit = nth_bit(*word, left);
                        return Some(Item { row: number as u32 * 64 + bit, derived: 0 });
                    }
                    left -= ones;
                }
                None
            }
        }
    }

    /// How many items stand before this one, whether or not it is one.
    pub fn rank(&self, item: Item) -> usize {
        match &self.items {
            Items::All(rows) => (item.row as usize + usize::from(item.derived > 0)).min(*rows as usize),
            Items::List(list) => list.partition_point(|other| *other < item),
            Items::Bits { words, ranks, len } => {
                let row = item.row as usize + usize::from(item.derived > 0);
                let word = row / 64;
                if word >= words.len() {
                    return *len;
                }
                let stretch = word / STRETCH;
                let whole = words.get(stretch * STRETCH..word).unwrap_or_default();
                let inside = words.get(word).map_or(0, |bits| bits & ((1u64 << (row % 64)) - 1));
                let before = ranks.get(stretch).map_or(0, |before| *before as usize);
                before
                    + whole.iter().map(|it| it.count_ones() as usize).sum::<usize>()
                    + inside.count_ones() as usize
            }
        }
    }

    pub fn has(&self, item: Item) -> bool {
        self.get(self.rank(item)) == Some(item)
    }

    pub fn keys(&self) -> &[u64] {
        &self.keys
    }

    /// Bytes that it takes.
    pub fn memory(&self) -> usize {
        let items = match &self.items {
            Items::All(_) => 0,
            Items::Bits { words, ranks, .. } => words.len() * 8 + ranks.len() * 4,
            Items::List(list) => size_of_val(list.as_ref()),
        };
        size_of::<Matches>() + items + self.keys.len() * 8
    }
}

impl Items {
    fn bits(items: &[Item], rows: u32) -> Items {
        let mut words = vec![0u64; (rows as usize).div_ceil(64)];
        for item in items {
            if let Some(word) = words.get_mut(item.row as usize / 64) {
                *word |= 1 << (item.row % 64);
            }
        }
        Items::of_words(words)
    }

    fn of_words(words: Vec<u64>) -> Items {
        let mut before = 0;
        let ranks = words.chunks(STRETCH).map(|stretch| {
            let rank = before;
            before += stretch.iter().map(|word| word.count_ones()).sum::<u32>();
            rank
        });
        let ranks = ranks.collect();
        Items::Bits { words: words.into(), ranks, len: before as usize }
    }
}

/// Which bit of a word is the one with this number among those that are set.
fn nth_bit(word: u64, number: usize) -> u32 {
    let mut left = word;
    for _ in 0..number {
        left &= left.wrapping_sub(1);
    }
    left.trailing_zeros()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn item(row: u32, derived: u16) -> Item {
        Item { row, derived }
    }

    proptest! {
        #[test]
        fn items_are_found_by_number_and_by_row_however_they_are_held(
            mut rows in prop::collection::btree_map(0u32..2000, 0u16..3, 0..1500),
            plain in any::<bool>(),
        ) {
            if plain {
                rows.values_mut().for_each(|derived| *derived = 0);
            }
            let items: Vec<Item> = rows.iter().map(|(row, derived)| item(*row, *derived)).collect();
            let matches = Matches::new(items.clone(), 2000, Vec::new());
            prop_assert_eq!(matches.len(), items.len());
            for (at, it) in items.iter().enumerate() {
                prop_assert_eq!(matches.get(at), Some(*it));
                prop_assert_eq!(matches.rank(*it), at);
            }
            prop_assert_eq!(matches.get(items.len()), None);
            for row in (0..2000).step_by(7) {
                let expected = items.iter().filter(|it| **it < item(row, 0)).count();
                prop_assert_eq!(matches.rank(item(row, 0)), expected);
                prop_assert_eq!(matches.has(item(row, 0)), items.contains(&item(row, 0)));
            }
        }
    }

    #[test]
    fn a_bit_a_row_is_what_many_rows_take() {
        let half: Vec<Item> = (0..65_536).step_by(2).map(|row| item(row, 0)).collect();
        assert!(Matches::new(half, 65_536, Vec::new()).memory() < 9 << 10);
        let all: Vec<Item> = (0..65_536).map(|row| item(row, 0)).collect();
        assert!(Matches::new(all, 65_536, Vec::new()).memory() < 200);
    }

    proptest! {
        #[test]
        fn what_both_or_either_have_is_what_single_rows_say(
            one in prop::collection::btree_set(0u32..3000, 0..3000),
            two in prop::collection::btree_set(0u32..3000, 0..100),
            is_whole in any::<bool>(),
            has_keys in any::<bool>(),
        ) {
            let one = if is_whole { (0..3000).collect() } else { one };
            let of = |rows: &std::collections::BTreeSet<u32>| {
                let keys = if has_keys { rows.iter().map(|row| u64::from(row * 2)).collect() } else { Vec::new() };
                Matches::new(rows.iter().map(|row| item(*row, 0)).collect(), 3000, keys)
            };
            let all = |of: &Matches| (0..of.len()).map(|at| of.get(at).unwrap().row).collect::<Vec<_>>();
            for (made, expected) in [
                (of(&one).and(&of(&two), 3000), one.intersection(&two).copied().collect::<Vec<_>>()),
                (of(&two).and(&of(&one), 3000), one.intersection(&two).copied().collect()),
                (of(&one).or(&of(&two), 3000), one.union(&two).copied().collect()),
            ] {
                prop_assert_eq!(all(&made), expected.clone());
                prop_assert_eq!(made.len(), expected.len());
                let keys: Vec<u64> = expected.iter().map(|row| u64::from(row * 2)).collect();
                prop_assert_eq!(made.keys(), if has_keys { keys.as_slice() } else { &[] });
            }
        }
    }

    #[test]
    fn two_parts_of_a_block_are_one() {
        let first = Matches::new(vec![item(1, 0), item(3, 1)], 10, vec![5, 6]);
        let second = Matches::new(vec![item(7, 0)], 10, vec![9]);
        let both = first.join(&second, 10);
        assert_eq!(
            (0..3).filter_map(|at| both.get(at)).collect::<Vec<_>>(),
            [item(1, 0), item(3, 1), item(7, 0)]
        );
        assert_eq!(both.keys(), [5, 6, 9]);
    }
}
