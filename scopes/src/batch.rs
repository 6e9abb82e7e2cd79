//! Masks of many rows at once, over a block's columns of codes.
//!
//! A row's context and event are codes into the block's dictionaries, so a block costs one [`Table`] entry per distinct
//! value and two look-ups and an AND per row. The number of scopes does not matter: all 64 are in one word.

/// A mask per code of a block. Any `u16` can be looked up; codes that were not filled give 0.
pub struct Table {
    words: Box<[u64; CODES]>,
    filled: usize,
}

const CODES: usize = 1 << 16;

impl Default for Table {
    fn default() -> Table {
        Table::new()
    }
}

impl std::fmt::Debug for Table {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        out.debug_struct("Table").field("filled", &self.filled).finish_non_exhaustive()
    }
}

impl Table {
    /// An empty table of 512 KiB; reuse it from block to block.
    pub fn new() -> Table {
        let words = vec![0; CODES].into_boxed_slice();
        match words.try_into() {
            Ok(words) => Table { words, filled: 0 },
            // The length is the constant above, so this arm is never taken; an array of the same size takes its place.
            Err(_) => Table { words: Box::new([0; CODES]), filled: 0 },
        }
    }

    /// Replaces what was there by the masks of codes 0, 1, 2 and so on; masks beyond 65,536 are ignored.
    pub fn fill(&mut self, masks: impl IntoIterator<Item = u64>) {
        let mut filled = 0;
        for (word, mask) in self.words.iter_mut().zip(masks) {
            *word = mask;
            filled += 1;
        }
        if let Some(stale) = self.words.get_mut(filled..self.filled.max(filled)) {
            stale.fill(0);
        }
        self.filled = filled;
    }

    pub fn get(&self, code: u16) -> u64 {
        self.words[usize::from(code)]
    }

    /// The masks that were filled.
    pub fn masks(&self) -> &[u64] {
        self.words.get(..self.filled).unwrap_or(&[])
    }

    /// Scopes that any filled code has.
    pub fn any(&self) -> u64 {
        self.masks().iter().fold(0, |any, mask| any | mask)
    }

    /// Scopes that all filled codes have.
    pub fn all(&self) -> u64 {
        self.masks().iter().fold(u64::MAX, |all, mask| all & mask)
    }
}

/// Writes the mask of each row to `out`. All three slices are read up to the shortest.
pub fn masks(contexts: &Table, events: &Table, context_codes: &[u16], event_codes: &[u16], out: &mut [u64]) {
    for ((out, context), event) in out.iter_mut().zip(context_codes).zip(event_codes) {
        *out = contexts.get(*context) & events.get(*event);
    }
}

/// How many rows have any scope, without writing masks.
pub fn count(contexts: &Table, events: &Table, context_codes: &[u16], event_codes: &[u16]) -> usize {
    let rows = context_codes.iter().zip(event_codes);
    rows.map(|(context, event)| usize::from(contexts.get(*context) & events.get(*event) != 0)).sum()
}

/// Appends the positions of rows that have any scope to `rows`, rising, and their masks to `found`.
pub fn select(
    contexts: &Table,
    events: &Table,
    context_codes: &[u16],
    event_codes: &[u16],
    rows: &mut Vec<u32>,
    found: &mut Vec<u64>,
) {
    for (row, (context, event)) in (0u32..).zip(context_codes.iter().zip(event_codes)) {
        let mask = contexts.get(*context) & events.get(*event);
        if mask != 0 {
            rows.push(row);
            found.push(mask);
        }
    }
}

/// Texts that stand one after the other, as a block's dictionary has them.
#[derive(Clone, Copy, Debug)]
pub struct Strings<'a> {
    bytes: &'a [u8],
    /// Where each ends in `bytes`, rising.
    ends: &'a [u32],
}

impl<'a> Strings<'a> {
    pub fn new(bytes: &'a [u8], ends: &'a [u32]) -> Strings<'a> {
        Strings { bytes, ends }
    }

    pub fn len(&self) -> usize {
        self.ends.len()
    }

    pub fn is_empty(&self) -> bool {
        self.ends.is_empty()
    }

    pub fn iter(&self) -> impl Iterator<Item = &'a [u8]> {
        let (bytes, mut start) = (self.bytes, 0);
        self.ends.iter().map(move |end| {
            let text = bytes.get(start..*end as usize).unwrap_or_default();
            start = *end as usize;
            text
        })
    }

    /// Calls `found` with the position of each text that has the needle inside: one search over all of them.
    pub(crate) fn containing(&self, finder: &memchr::memmem::Finder<'_>, mut found: impl FnMut(usize)) {
        let (mut from, mut at) = (0, 0);
        while let Some(start) = self.bytes.get(from..).and_then(|rest| finder.find(rest)).map(|it| from + it)
        {
            while self.ends.get(at).is_some_and(|end| *end as usize <= start) {
                at += 1;
            }
            let Some(end) = self.ends.get(at).map(|end| *end as usize) else { break };
            // What reaches into the next text is in neither.
            if start + finder.needle().len() <= end {
                found(at);
                from = end;
            } else {
                from = start + 1;
            }
        }
    }
}

impl<'a> Strings<'a> {
    /// Calls `found` with position and bytes of each text in which `find` finds anything that begins there, given all
    /// bytes and where to begin. What it finds may reach over the text's end: the text is to be asked itself.
    pub(crate) fn where_found(
        &self,
        mut find: impl FnMut(&'a [u8], usize) -> Option<usize>,
        mut found: impl FnMut(usize, &'a [u8]),
    ) {
        let (mut from, mut at) = (0, 0);
        while let Some(start) = find(self.bytes, from) {
            while self.ends.get(at).is_some_and(|end| *end as usize <= start) {
                at += 1;
            }
            let Some(end) = self.ends.get(at).map(|end| *end as usize) else { break };
            let before = at.checked_sub(1).and_then(|before| self.ends.get(before));
            let text = before.map_or(0, |end| *end as usize)..end;
            found(at, self.bytes.get(text).unwrap_or_default());
            from = end;
        }
    }
}

/// How many rows each scope has: `counts[N-1]` is increased for scope N.
pub fn count_per_scope(masks: &[u64], counts: &mut [u64; 64]) {
    for mask in masks {
        let mut left = *mask;
        while left != 0 {
            if let Some(count) = counts.get_mut(left.trailing_zeros() as usize) {
                *count += 1;
            }
            left &= left - 1;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_row_has_the_scopes_of_both_its_context_and_its_event() {
        let (mut contexts, mut events) = (Table::new(), Table::new());
        contexts.fill([0b01, 0b11, 0b00]);
        events.fill([0b10, 0b11]);
        let (context_codes, event_codes) = ([0, 1, 2, 1], [1, 0, 1, 1]);
        let mut out = [9; 4];
        masks(&contexts, &events, &context_codes, &event_codes, &mut out);
        assert_eq!(out, [0b01, 0b10, 0, 0b11]);
        assert_eq!(count(&contexts, &events, &context_codes, &event_codes), 3);
        let (mut rows, mut found) = (vec![], vec![]);
        select(&contexts, &events, &context_codes, &event_codes, &mut rows, &mut found);
        assert_eq!((rows, found), (vec![0, 1, 3], vec![0b01, 0b10, 0b11]));
        let mut counts = [0; 64];
        count_per_scope(&out, &mut counts);
        assert_eq!(counts[..3], [2, 2, 0]);
    }

    #[test]
    fn a_search_over_many_texts_finds_those_that_have_it() {
        let texts = ["abab", "", "xab", "a", "b", "aab", "ba", "ab"];
        let (bytes, mut ends) = (texts.concat(), Vec::new());
        texts.iter().for_each(|text| ends.push(ends.last().copied().unwrap_or(0) + text.len() as u32));
        let strings = Strings::new(bytes.as_bytes(), &ends);
        assert!(strings.iter().eq(texts.iter().map(|text| text.as_bytes())));
        for needle in ["ab", "a", "b", "aba", "ba", "x", "zz"] {
            let mut found = Vec::new();
            strings.containing(&memchr::memmem::Finder::new(needle), |at| found.push(at));
            let expected: Vec<usize> = (0..texts.len()).filter(|at| texts[*at].contains(needle)).collect();
            assert_eq!(found, expected, "{needle}");
        }
    }

    #[test]
    fn a_refilled_table_forgets_the_block_before() {
        let mut table = Table::new();
        table.fill([1, 2, 3]);
        table.fill([4]);
        assert_eq!((table.get(0), table.get(1), table.get(2), table.get(u16::MAX)), (4, 0, 0, 0));
        table.fill([0b110, 0b011]);
        assert_eq!((table.any(), table.all()), (0b111, 0b010));
    }
}
