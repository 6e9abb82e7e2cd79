//! Whether what one set of scopes matches lies within what another one does, where the filters alone show it.
//!
//! Filters of one key add up (`comm=ls` with `comm=id` is either) and keys are ANDed, so a scope that has all keys of
//! another with the very same filters, and more keys beside, matches nothing that the other does not. What events a scope
//! has is one key for this: names, sets, and the arguments and results that select their event. `follow` widens the
//! process keys, so it may not be among those that come on top.

use std::collections::{BTreeMap, BTreeSet};

use crate::filter::{Marked, Target};
use crate::key::Field;
use crate::set::{Scope, ScopeSet};
use crate::thing::Thing;

#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
enum Group {
    Events,
    Follow,
    Field(Field),
    Thing(Thing),
    Mark(Marked),
}

fn groups(scope: &Scope) -> BTreeMap<Group, BTreeSet<&str>> {
    let mut groups: BTreeMap<Group, BTreeSet<&str>> = BTreeMap::new();
    for filter in &scope.filters {
        let group = match filter.target {
            Target::Global => continue,
            Target::Follow => Group::Follow,
            Target::Field(field) => Group::Field(field),
            Target::Thing(thing) => Group::Thing(thing),
            Target::Mark(marked) => Group::Mark(marked),
            Target::Events
            | Target::Arg { .. }
            | Target::Ret(_)
            | Target::EventField(..)
            | Target::EventThing(..)
            | Target::EventMark(..) => Group::Events,
        };
        groups.entry(group).or_default().insert(filter.without_scope_and_lists());
    }
    groups
}

impl ScopeSet {
    /// Whether everything that these scopes match is known to be matched by some of the others. `false` may only mean
    /// that the filters are written differently.
    pub fn is_within(&self, other: &ScopeSet) -> bool {
        let wide: Vec<_> = other.scopes().map(groups).collect();
        self.scopes().map(groups).all(|narrow| wide.iter().any(|wide| is_narrower(&narrow, wide)))
    }
}

fn is_narrower(narrow: &BTreeMap<Group, BTreeSet<&str>>, wide: &BTreeMap<Group, BTreeSet<&str>>) -> bool {
    wide.iter().all(|(group, filters)| narrow.get(group) == Some(filters))
        && (wide.contains_key(&Group::Follow) || !narrow.contains_key(&Group::Follow))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn within(narrow: &[&str], wide: &[&str]) -> bool {
        ScopeSet::parse(narrow).unwrap().is_within(&ScopeSet::parse(wide).unwrap())
    }

    #[test]
    fn the_same_filters_and_more_keys_are_within() {
        assert!(within(&["comm=ls"], &["3:comm=ls"]));
        assert!(within(&["comm=ls", "uid=0", "2:comm=id"], &["3:comm=ls", "4:comm=id"]));
        assert!(within(&["comm=ls", "openat.retval<0"], &["comm=ls"]));
        assert!(within(&["comm=sh", "follow", "event=openat"], &["comm=sh", "follow"]));
    }

    #[test]
    fn other_values_fewer_keys_and_follow_are_not() {
        assert!(!within(&["uid=0"], &["3:comm=bash"]));
        assert!(!within(&["comm=ls", "comm=id"], &["comm=ls"]));
        assert!(!within(&["comm=ls"], &["comm=ls", "uid=0"]));
        assert!(!within(&["comm=ls", "follow"], &["comm=ls"]));
        assert!(!within(&["event=openat", "openat.retval<0"], &["event=openat", "openat.pathname=/etc/*"]));
        assert!(!within(&["comm=ls", "2:uid=0"], &["comm=ls"]));
    }
}
