//! Which facts can be followed: those of which a recording tells every change.

use super::Fact;
use crate::Recording;

/// Some kinds of facts.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct FactSet(u8);

impl FactSet {
    pub const NONE: FactSet = FactSet(0);
    pub const ALL: FactSet = FactSet(u8::MAX >> (8 - Fact::ALL.len()));

    /// Those that a recording tells the changes of. What is known of others when it begins may be so no longer.
    /// `is_chosen`: whether an event is among [`Recording::events`].
    pub fn followed(recording: &Recording, is_chosen: &dyn Fn(&str) -> bool) -> FactSet {
        if recording.only_matched || recording.is_made_from_log() {
            return FactSet::NONE;
        }
        FactSet::told_by(&|name| is_chosen(name) && recording.unavailable.iter().all(|it| it.event != name))
    }

    /// Those whose changes are told by events of which these are seen, every one.
    pub fn told_by(is_seen: &dyn Fn(&str) -> bool) -> FactSet {
        Fact::ALL.into_iter().filter(|fact| fact.needs().iter().all(|name| is_seen(name))).collect()
    }

    pub const fn has(self, fact: Fact) -> bool {
        self.0 & 1 << fact as u8 != 0
    }

    pub const fn with(self, fact: Fact) -> FactSet {
        FactSet(self.0 | 1 << fact as u8)
    }

    pub const fn and(self, other: FactSet) -> FactSet {
        FactSet(self.0 & other.0)
    }

    pub fn iter(self) -> impl Iterator<Item = Fact> {
        Fact::ALL.into_iter().filter(move |fact| self.has(*fact))
    }
}

impl FromIterator<Fact> for FactSet {
    fn from_iter<I: IntoIterator<Item = Fact>>(facts: I) -> FactSet {
        facts.into_iter().fold(FactSet::NONE, FactSet::with)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Unavailable;

    #[test]
    fn facts_are_followed_where_all_that_changes_them_is_recorded() {
        let all = Recording::default();
        assert_eq!(FactSet::followed(&all, &|_| true), FactSet::ALL);
        let without = |name: &'static str| FactSet::followed(&all, &move |event| event != name);
        assert_eq!(without("write").iter().last(), Some(Fact::Terminal));
        assert_eq!(without("setsid").iter().collect::<Vec<_>>(), [Fact::Directory, Fact::Login]);
        assert_eq!(without("execve"), FactSet::ALL);
        let reason = "one in 100".to_owned();
        let unavailable = vec![Unavailable { event: "ioctl".into(), reason }];
        let sampled = FactSet::followed(&Recording { unavailable, ..Recording::default() }, &|_| true);
        assert!(!sampled.has(Fact::Terminal) && sampled.has(Fact::Group));
        let matched = Recording { only_matched: true, ..Recording::default() };
        assert_eq!(FactSet::followed(&matched, &|_| true), FactSet::NONE);
    }
}
