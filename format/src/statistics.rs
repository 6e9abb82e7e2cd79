//! Statistics: what is known of a block, or of many, without reading them. A question that they rule out needs no block.
//!
//! Everything here may say too much and never too little: `may_contain` that is `false` is certain.

use std::sync::Arc;

use events::EventId;

use crate::bloom::{self, Bloom};
use crate::limits;
use crate::mark_counts::{self, MarkCount};
use crate::trigrams::Trigrams;

/// What is known of rows without reading them.
#[derive(Clone, PartialEq, Debug, Default)]
pub struct Statistics {
    pub rows: u64,
    /// Boot clock of the first and the last row, ns. The rows of one block are in order of time.
    pub first_ns: u64,
    pub last_ns: u64,
    /// Indices of the hosts that the rows are of, sorted: one in a block.
    pub hosts: Vec<u16>,
    /// Rows of each event, by event id, each once.
    pub events: Vec<EventCount>,
    /// Rows whose return value is an error, -4095 to -1, of each event that has such. `None`: not known.
    pub failed: Option<Vec<EventCount>>,
    /// Whether any return value is below -4095, as hardly any is. `None`: not known.
    pub has_returns_below_errors: Option<bool>,
    /// What is added, wrapping, to a time of the boot clock for the wall clock. `None`: not known, or not the same for all.
    pub wall_offset_ns: Option<u64>,
    /// Rows of each event that have each mark, sorted. `None`: not known.
    pub marks: Option<Vec<MarkCount>>,
    /// Distinct command names.
    pub comms: Texts,
    /// Distinct paths of executables.
    pub exes: Texts,
    /// Distinct node names of uts namespaces.
    pub utses: Texts,
    pub pids: Numbers,
    pub tids: Numbers,
    pub ppids: Numbers,
    pub uids: Numbers,
    pub mnt_nss: Numbers,
    pub pid_nss: Numbers,
    pub cgroups: Numbers,
    /// Parts of the texts of all arguments of kind `str`, and of what all descriptors stood for. `None`: not known.
    pub argument_texts: Option<Trigrams>,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct EventCount {
    pub event: EventId,
    pub rows: u32,
}

/// The distinct numbers of a column of contexts.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub enum Numbers {
    /// Nothing is known: any number may be there.
    #[default]
    Unknown,
    /// All of them, sorted.
    Exact(Vec<u64>),
    /// Too many to list: all lie in this range.
    Range { min: u64, max: u64 },
    /// The same, and a filter that holds them.
    Filter { min: u64, max: u64, filter: Bloom },
}

/// The distinct texts of a column of contexts.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub enum Texts {
    /// Nothing is known: any text may be there.
    #[default]
    Unknown,
    /// All of them, sorted.
    Exact(Vec<Arc<[u8]>>),
}

impl Numbers {
    /// The sorted distinct numbers of a column.
    pub(crate) fn of(mut all: Vec<u64>) -> Numbers {
        all.sort_unstable();
        all.dedup();
        match (all.first(), all.last()) {
            (Some(&min), Some(&max)) if all.len() > limits::STATISTICS_NUMBERS => {
                let mut filter = Bloom::full_size();
                all.iter().for_each(|number| filter.insert(bloom::hash(*number)));
                filter.fold(usize::MAX);
                Numbers::Filter { min, max, filter }
            }
            _ => Numbers::Exact(all),
        }
    }

    /// Whether this number may be there; `false` is certain.
    pub fn may_contain(&self, number: u64) -> bool {
        match self {
            Numbers::Unknown => true,
            Numbers::Exact(all) => all.binary_search(&number).is_ok(),
            Numbers::Range { min, max } => (*min..=*max).contains(&number),
            Numbers::Filter { min, max, filter } => {
                (*min..=*max).contains(&number) && filter.may_contain(bloom::hash(number))
            }
        }
    }

    /// Whether a number of this inclusive range may be there.
    pub fn may_overlap(&self, low: u64, high: u64) -> bool {
        match self {
            Numbers::Unknown => true,
            Numbers::Exact(all) => {
                let at = all.partition_point(|n| *n < low);
                all.get(at).is_some_and(|n| *n <= high)
            }
            Numbers::Range { min, max } | Numbers::Filter { min, max, .. } => low <= *max && high >= *min,
        }
    }

    /// All of them, when they are listed.
    pub fn exact(&self) -> Option<&[u64]> {
        match self {
            Numbers::Exact(all) => Some(all),
            _ => None,
        }
    }

    /// A filter that holds what two hold of which one is a filter. What is listed goes into the other's as it is: a filter made of
    /// it alone would be small, and two filters can only be one of the smaller's size.
    fn filter_of_both(&self, other: &Numbers) -> Option<Bloom> {
        match (self, other) {
            (Numbers::Filter { filter, .. }, Numbers::Filter { filter: other, .. }) => {
                let mut both = filter.clone();
                both.add(other);
                Some(both)
            }
            (Numbers::Filter { filter, .. }, Numbers::Exact(all))
            | (Numbers::Exact(all), Numbers::Filter { filter, .. }) => {
                let mut both = filter.clone();
                all.iter().for_each(|number| both.insert(bloom::hash(*number)));
                Some(both)
            }
            _ => None,
        }
    }

    fn add(&mut self, other: &Numbers) {
        let bounds = |numbers: &Numbers| match numbers {
            Numbers::Exact(all) => all.first().copied().zip(all.last().copied()),
            Numbers::Range { min, max } | Numbers::Filter { min, max, .. } => Some((*min, *max)),
            Numbers::Unknown => None,
        };
        *self = match (&*self, other) {
            (Numbers::Unknown, _) | (_, Numbers::Unknown) => Numbers::Unknown,
            (Numbers::Exact(own), Numbers::Exact(others)) => {
                Numbers::of(own.iter().chain(others).copied().collect())
            }
            (own, others) => match (bounds(own), bounds(others)) {
                (Some((min, max)), Some((low, high))) => {
                    let (min, max) = (min.min(low), max.max(high));
                    // A filter that says "perhaps" of nearly everything only takes room.
                    const FULL: usize = 200;
                    match own.filter_of_both(others).filter(|filter| filter.density() <= FULL) {
                        Some(filter) => Numbers::Filter { min, max, filter },
                        None => Numbers::Range { min, max },
                    }
                }
                (Some((min, max)), None) | (None, Some((min, max))) => Numbers::Range { min, max },
                (None, None) => Numbers::Exact(Vec::new()),
            },
        };
    }
}

impl Texts {
    pub(crate) fn of(mut all: Vec<Arc<[u8]>>) -> Texts {
        all.sort_unstable();
        all.dedup();
        if all.len() > limits::STATISTICS_TEXTS { Texts::Unknown } else { Texts::Exact(all) }
    }

    /// Whether this text may be there; `false` is certain.
    pub fn may_contain(&self, text: &[u8]) -> bool {
        self.exact().is_none_or(|all| all.binary_search_by(|known| known.as_ref().cmp(text)).is_ok())
    }

    /// All of them, when they are listed.
    pub fn exact(&self) -> Option<&[Arc<[u8]>]> {
        match self {
            Texts::Unknown => None,
            Texts::Exact(all) => Some(all),
        }
    }

    fn add(&mut self, other: &Texts) {
        *self = match (&*self, other) {
            (Texts::Exact(own), Texts::Exact(others)) => {
                Texts::of(own.iter().chain(others).cloned().collect())
            }
            _ => Texts::Unknown,
        };
    }
}

impl Statistics {
    /// How many rows are of this event.
    pub fn rows_of(&self, event: EventId) -> u32 {
        count_of(&self.events, event)
    }

    /// How many rows of this event have an error as their return value; `None` when that is not known.
    pub fn failed_of(&self, event: EventId) -> Option<u32> {
        self.failed.as_ref().map(|failed| count_of(failed, event))
    }

    /// How many rows of this event have this bit of [`events::Marks`]; `None` when that is not known.
    pub fn marked(&self, event: EventId, mark: u32) -> Option<u32> {
        let bit = mark.trailing_zeros() as u8;
        let marks = self.marks.as_ref()?;
        let at = marks.binary_search_by_key(&(event, bit), |count| (count.event, count.bit)).ok();
        Some(at.and_then(|at| marks.get(at)).map_or(0, |count| count.rows))
    }

    /// Whether any row may be of this inclusive stretch of the boot clock.
    pub fn may_overlap_time(&self, from_ns: u64, to_ns: u64) -> bool {
        self.rows > 0 && from_ns <= self.last_ns && to_ns >= self.first_ns
    }

    /// Makes these the statistics of their own rows and of `other`'s.
    pub fn add(&mut self, other: &Statistics) {
        if other.rows == 0 {
            return;
        }
        if self.rows == 0 {
            *self = other.clone();
            return;
        }
        self.rows += other.rows;
        self.first_ns = self.first_ns.min(other.first_ns);
        self.last_ns = self.last_ns.max(other.last_ns);
        self.hosts.extend(&other.hosts);
        self.hosts.sort_unstable();
        self.hosts.dedup();
        add_counts(&mut self.events, &other.events);
        match (&mut self.failed, &other.failed) {
            (Some(own), Some(others)) => add_counts(own, others),
            (own, _) => *own = None,
        }
        self.has_returns_below_errors =
            self.has_returns_below_errors.zip(other.has_returns_below_errors).map(|(own, other)| own | other);
        self.wall_offset_ns = self.wall_offset_ns.filter(|own| other.wall_offset_ns == Some(*own));
        match (&mut self.marks, &other.marks) {
            (Some(own), Some(others)) => mark_counts::add(own, others),
            (own, _) => *own = None,
        }
        self.comms.add(&other.comms);
        self.exes.add(&other.exes);
        self.utses.add(&other.utses);
        self.pids.add(&other.pids);
        self.tids.add(&other.tids);
        self.ppids.add(&other.ppids);
        self.uids.add(&other.uids);
        self.mnt_nss.add(&other.mnt_nss);
        self.pid_nss.add(&other.pid_nss);
        self.cgroups.add(&other.cgroups);
        match (&mut self.argument_texts, &other.argument_texts) {
            (Some(own), Some(others)) => own.add(others),
            (own, _) => *own = None,
        }
    }

    /// As bytes, to be kept elsewhere. Ids of events are the program's: whoever keeps them keeps the names as well.
    pub fn to_bytes(&self) -> crate::Result<Vec<u8>> {
        crate::segment::to_bytes(self)
    }

    /// Reads them back. `event` gives the program's id for one that stands in the bytes.
    pub fn from_bytes(bytes: &[u8], event: impl Fn(u16) -> Option<EventId>) -> crate::Result<Statistics> {
        crate::segment::from_bytes(bytes, event)
    }

    /// How these, which an index gives, are wrong about rows of which `actual` lists everything; `None` when all that they
    /// say is true. What they leave unsaid is no lie.
    pub(crate) fn contradicts(&self, actual: &Statistics) -> Option<&'static str> {
        if let Some(what) = crate::capture::contradiction(self, actual) {
            return Some(what);
        }
        if self.failed.is_some() && self.failed != actual.failed {
            return Some("the index says otherwise how many calls failed");
        }
        if self.marks.is_some() && self.marks != actual.marks {
            return Some("the index says otherwise how many rows are marked");
        }
        if self.has_returns_below_errors.is_some()
            && self.has_returns_below_errors != actual.has_returns_below_errors
        {
            return Some("the index says otherwise which return values it has");
        }
        if self.wall_offset_ns.is_some() && self.wall_offset_ns != actual.wall_offset_ns {
            return Some("the index says that it has another wall clock");
        }
        let lists = [
            "the index lists other commands than it has",
            "the index lists other executables than it has",
            "the index lists other node names than it has",
        ];
        for ((index, actual), what) in self.texts().into_iter().zip(actual.texts()).zip(lists) {
            if index.exact().is_some_and(|index| actual.exact() != Some(index)) {
                return Some(what);
            }
        }
        for (index, actual) in self.numbers().into_iter().zip(actual.numbers()) {
            let actual = actual.exact().unwrap_or_default();
            let is_true = match index {
                Numbers::Exact(index) => index == actual,
                index => actual.iter().all(|number| index.may_contain(*number)),
            };
            if !is_true {
                return Some(
                    "the index lists other ids of processes, users, namespaces or cgroups than it has",
                );
            }
        }
        match (&self.argument_texts, &actual.argument_texts) {
            (Some(index), Some(actual)) if !actual.0.fits_into(&index.0) => {
                Some("the index rules out texts that it has")
            }
            _ => None,
        }
    }

    /// About how many bytes it takes in memory, and at most in a file.
    pub(crate) fn memory(&self) -> usize {
        let texts = self.texts().into_iter().flat_map(|texts| texts.exact().unwrap_or_default());
        let numbers = self.numbers().into_iter().map(|numbers| match numbers {
            Numbers::Exact(all) => all.len() * 8,
            Numbers::Filter { filter, .. } => filter.bytes() + 16,
            _ => 16,
        });
        let counts = self.events.len() + self.failed.as_ref().map_or(0, Vec::len);
        let filter = self.argument_texts.as_ref().map_or(0, Trigrams::bytes);
        size_of::<Statistics>()
            + texts.map(|text| text.len() + 16).sum::<usize>()
            + numbers.sum::<usize>()
            + counts * size_of::<EventCount>()
            + self.marks.as_ref().map_or(0, Vec::len) * size_of::<MarkCount>()
            + filter
    }

    /// comm, exe, uts.
    pub(crate) fn texts_mut(&mut self) -> [&mut Texts; 3] {
        [&mut self.comms, &mut self.exes, &mut self.utses]
    }

    /// The same.
    pub(crate) fn texts(&self) -> [&Texts; 3] {
        [&self.comms, &self.exes, &self.utses]
    }

    /// pid, tid, ppid, uid, mnt_ns, pid_ns, cgroup_id.
    pub(crate) fn numbers_mut(&mut self) -> [&mut Numbers; 7] {
        [
            &mut self.pids,
            &mut self.tids,
            &mut self.ppids,
            &mut self.uids,
            &mut self.mnt_nss,
            &mut self.pid_nss,
            &mut self.cgroups,
        ]
    }

    /// The same.
    pub(crate) fn numbers(&self) -> [&Numbers; 7] {
        [&self.pids, &self.tids, &self.ppids, &self.uids, &self.mnt_nss, &self.pid_nss, &self.cgroups]
    }
}

fn count_of(counts: &[EventCount], event: EventId) -> u32 {
    let at = counts.binary_search_by_key(&event, |count| count.event);
    at.ok().and_then(|at| counts.get(at)).map_or(0, |count| count.rows)
}

fn add_counts(own: &mut Vec<EventCount>, others: &[EventCount]) {
    own.extend_from_slice(others);
    own.sort_by_key(|count| count.event);
    own.dedup_by(|later, first| {
        let is_same = later.event == first.event;
        if is_same {
            first.rows = first.rows.saturating_add(later.rows);
        }
        is_same
    });
}

#[cfg(test)]
mod tests {
    use super::*;

    fn statistics(pids: &[u64], comm: &str, event: u16) -> Statistics {
        let event = EventId(event);
        Statistics {
            rows: 10,
            first_ns: 100,
            last_ns: 200,
            hosts: vec![0],
            events: vec![EventCount { event, rows: 10 }],
            failed: Some(vec![EventCount { event, rows: 4 }]),
            comms: Texts::of(vec![Arc::from(comm.as_bytes())]),
            pids: Numbers::of(pids.to_vec()),
            ..Statistics::default()
        }
    }

    #[test]
    fn what_is_listed_rules_out_all_else_and_what_is_unknown_nothing() {
        let it = statistics(&[7, 3, 7], "ls", 5);
        assert_eq!(it.pids.exact(), Some(&[3, 7][..]));
        assert!(it.pids.may_contain(3) && !it.pids.may_contain(4) && !it.pids.may_overlap(4, 6));
        assert!(it.comms.may_contain(b"ls") && !it.comms.may_contain(b"cat"));
        assert!(it.exes.may_contain(b"cat") && it.tids.may_contain(4) && it.tids.may_overlap(4, 6));
        assert_eq!((it.rows_of(EventId(5)), it.rows_of(EventId(6))), (10, 0));
        assert_eq!((it.failed_of(EventId(5)), it.failed_of(EventId(6))), (Some(4), Some(0)));
        assert_eq!(Statistics::default().failed_of(EventId(5)), None);
        assert!(it.may_overlap_time(200, 300) && !it.may_overlap_time(201, 300));
    }

    #[test]
    fn more_numbers_than_may_be_listed_become_a_filter_that_has_them_all() {
        let many: Vec<u64> = (0..limits::STATISTICS_NUMBERS as u64 + 1).map(|n| n * 1000).collect();
        let numbers = Numbers::of(many.clone());
        assert!(matches!(numbers, Numbers::Filter { .. }) && numbers.exact().is_none());
        assert!(many.iter().all(|number| numbers.may_contain(*number)));
        assert!(!numbers.may_contain(u64::MAX) && !numbers.may_overlap(u64::MAX - 1, u64::MAX));
        let wrong = many.iter().filter(|number| numbers.may_contain(**number + 1)).count();
        assert!(wrong * 4 < many.len(), "{wrong}");
    }

    #[test]
    fn filters_of_many_blocks_hold_what_each_of_them_does_until_they_are_full() {
        let many = |from: u64| Numbers::of((from..from + 5000).map(|n| n * 1_000_003).collect());
        let mut sum = Numbers::of(vec![7]);
        sum.add(&many(0));
        assert!(
            matches!(sum, Numbers::Filter { .. }) && sum.may_contain(7) && sum.may_contain(4999 * 1_000_003)
        );
        assert!(!sum.may_contain(8 << 40));
        for from in 1..20 {
            sum.add(&many(from * 5000));
        }
        assert!((0..100_000).step_by(97).all(|n| sum.may_contain(n * 1_000_003)), "{sum:?}");
        assert!(matches!(sum, Numbers::Range { .. }), "too full to say no to anything");
    }

    #[test]
    fn statistics_are_the_same_as_bytes() {
        let mut it = statistics(&[3, 7], "ls", 5);
        it.tids = Numbers::Range { min: 4, max: 9 };
        it.ppids = Numbers::of((0..5000).map(|n| n * 977).collect());
        it.rows = u64::from(u32::MAX) * 3;
        let bytes = it.to_bytes().unwrap();
        assert_eq!(Statistics::from_bytes(&bytes, |id| Some(EventId(id))).unwrap(), it);
        let moved = Statistics::from_bytes(&bytes, |id| Some(EventId(id + 1))).unwrap();
        assert_eq!((moved.rows_of(EventId(5)), moved.rows_of(EventId(6))), (0, 10));
        assert!(Statistics::from_bytes(&bytes, |_| None).is_err(), "an event of another program");
        assert!(
            (0..bytes.len())
                .all(|cut| Statistics::from_bytes(&bytes[..cut], |id| Some(EventId(id))).is_err())
        );
    }

    #[test]
    fn statistics_of_two_blocks_are_of_both() {
        let mut both = statistics(&[3, 7], "ls", 5);
        let mut other = statistics(&[9], "cat", 6);
        (other.first_ns, other.last_ns, other.hosts) = (50, 150, vec![1]);
        both.add(&other);
        assert_eq!((both.rows, both.first_ns, both.last_ns), (20, 50, 200));
        assert_eq!((both.rows_of(EventId(5)), both.failed_of(EventId(6))), (10, Some(4)));
        assert_eq!(both.hosts, [0, 1]);
        assert_eq!(both.pids.exact(), Some(&[3, 7, 9][..]));
        assert!(both.comms.may_contain(b"ls") && both.comms.may_contain(b"cat"));
        // What one of them does not know, both do not.
        other.pids = Numbers::Unknown;
        both.add(&other);
        assert!(both.pids.may_contain(4));
        both.add(&Statistics::default());
        assert_eq!(both.rows, 30);
    }
}
