//! The names of hosts that are redacted: nothing that holds one may stay.

use std::collections::BTreeSet;

use aho_corasick::AhoCorasick;

/// Names in small letters. A merged capture may have sixty-five thousand hosts, so they are looked for all at once.
#[derive(Debug, Default)]
pub(super) struct HostNames {
    search: Option<Search>,
}

#[derive(Debug)]
enum Search {
    Names(AhoCorasick),
    /// More than can be looked for: any value may hold one.
    TooMany,
}

impl HostNames {
    pub fn of(names: &BTreeSet<Vec<u8>>) -> HostNames {
        let search =
            (!names.is_empty()).then(|| AhoCorasick::new(names).map_or(Search::TooMany, Search::Names));
        HostNames { search }
    }

    pub fn is_empty(&self) -> bool {
        self.search.is_none()
    }

    /// Whether a name is in any of these forms of a value.
    pub fn are_in(&self, forms: &[Vec<u8>]) -> bool {
        match &self.search {
            None => false,
            Some(Search::TooMany) => true,
            Some(Search::Names(names)) => forms.iter().any(|form| names.is_match(form)),
        }
    }
}
