//! Two sets of scopes side by side: each scope of the one with its like in the other, in plans that have both.

use crate::set::{Scope, ScopeSet};
use crate::words::bit;

/// Scopes that are compared in one plan: each takes two bits.
const PAIRS: usize = 32;

/// Scopes of two sets, paired by name, or by number where they have none.
#[derive(Debug, Default)]
pub struct Pairs {
    pub pairs: Vec<Pair>,
    /// To be compiled and asked one after the other.
    pub passes: Vec<ScopeSet>,
}

/// A scope before and after.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Pair {
    /// As `9`, or `9 (etc-writes)`.
    pub title: String,
    /// Which of [`Pairs::passes`] has its bits.
    pub pass: usize,
    before: u64,
    after: u64,
}

/// What became of an event in a scope.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Change {
    Gained,
    Lost,
    Same,
}

impl Pair {
    /// `None`: neither has the row.
    pub fn change(&self, mask: u64) -> Option<Change> {
        match (mask & self.before != 0, mask & self.after != 0) {
            (false, false) => None,
            (false, true) => Some(Change::Gained),
            (true, false) => Some(Change::Lost),
            (true, true) => Some(Change::Same),
        }
    }

    pub fn is_new(&self) -> bool {
        self.before == 0
    }

    pub fn is_gone(&self) -> bool {
        self.after == 0
    }
}

impl Pairs {
    pub fn of(before: &ScopeSet, after: &ScopeSet) -> Pairs {
        let mut matched: Vec<(Option<&Scope>, Option<&Scope>)> = Vec::new();
        for scope in before.scopes() {
            matched.push((Some(scope), after.scopes().find(|other| is_like(scope, other))));
        }
        for scope in after.scopes() {
            if !before.scopes().any(|other| is_like(scope, other)) {
                matched.push((None, Some(scope)));
            }
        }
        let mut pairs = Pairs::default();
        for chunk in matched.chunks(PAIRS) {
            let pass = pairs.passes.len();
            // Events that only a capture declares stay known by name.
            let declared = before.declared().iter().chain(after.declared());
            let mut set = ScopeSet::with_declared(declared.copied());
            for (at, (before, after)) in chunk.iter().enumerate() {
                let mut add = |scope: &Option<&Scope>, offset: usize| match scope {
                    Some(scope) => {
                        let number = u8::try_from(at * 2 + offset + 1).unwrap_or(64);
                        set.insert(Scope { number, ..(*scope).clone() });
                        bit(number)
                    }
                    None => 0,
                };
                let title = before.or(*after).map(Scope::title).unwrap_or_default();
                let (before, after) = (add(before, 0), add(after, 1));
                pairs.pairs.push(Pair { title, pass, before, after });
            }
            pairs.passes.push(set);
        }
        pairs
    }
}

/// Policies keep their name when files are added and their numbers shift.
fn is_like(one: &Scope, other: &Scope) -> bool {
    match (&one.name, &other.name) {
        (Some(one), Some(other)) => one == other,
        (None, None) => one.number == other.number,
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use events::Context;

    use super::*;
    use crate::{Plan, Subject};

    #[test]
    fn scopes_are_compared_with_their_like() {
        let before = ScopeSet::parse(&["1:comm=ls", "64:uid=0"]).unwrap();
        let after = ScopeSet::parse(&["1:comm=l*", "2:comm=id"]).unwrap();
        let pairs = Pairs::of(&before, &after);
        let plan = Plan::compile(&pairs.passes[0]);
        let changes = |comm: &[u8], uid| {
            let mask = plan.context_mask(&Subject::of(&Context { comm, uid, ..Context::default() }));
            pairs.pairs.iter().map(|pair| pair.change(mask)).collect::<Vec<_>>()
        };
        assert_eq!(pairs.pairs.iter().map(|pair| pair.title.as_str()).collect::<Vec<_>>(), ["1", "64", "2"]);
        assert_eq!(changes(b"ls", 5), [Some(Change::Same), None, None]);
        assert_eq!(changes(b"lsof", 0), [Some(Change::Gained), Some(Change::Lost), None]);
        assert_eq!(changes(b"id", 5), [None, None, Some(Change::Gained)]);
        assert!(pairs.pairs[1].is_gone() && pairs.pairs[2].is_new());
    }

    #[test]
    fn sixty_four_scopes_on_either_side_fit() {
        let filters: Vec<String> = (1..=64).map(|n| format!("{n}:uid={n}")).collect();
        let set = ScopeSet::parse(&filters).unwrap();
        let pairs = Pairs::of(&set, &set);
        assert_eq!((pairs.pairs.len(), pairs.passes.len()), (64, 2));
    }
}
