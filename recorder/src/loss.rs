//! Losses: counted where they happen, gathered here, written into the file.
//!
//! Losses of one CPU, event and cause that follow each other become one entry with the time from the first to the last,
//! until the entries are taken to be written, which happens about once a second while there are any.

use std::collections::BTreeMap;

use events::EventId;

/// Events that did not get into the file.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct LossEntry {
    /// Boot clock; they happened between these times.
    pub from_ns: u64,
    pub to_ns: u64,
    /// `None` where it was counted for all of them together.
    pub cpu: Option<u16>,
    /// `None` where it cannot be said.
    pub event: Option<EventId>,
    pub count: u64,
    /// For people, such as `buffer full`.
    pub cause: &'static str,
}

/// Written when the queue to the disk was full: the disk, or the compressing, was too slow.
pub const QUEUE_FULL: &str = "queue full";
/// The block that the event was in could not be written: the disk was full.
pub const DISK_FULL: &str = "disk full";
/// The block that the event was in could not be written for another reason, which the recorder said when it ended.
pub const OUTPUT_FAILED: &str = "output failed";
/// A flight recorder let the event go before its time: its memory was full.
pub const FLIGHT_FULL: &str = "flight memory full";
/// The file has told of so many losses that it tells of the rest in one sum.
pub const TOO_MANY: &str = "too many losses to tell each";
/// The file format has no room for such a row (an argument of a mebibyte).
pub const REFUSED: &str = "refused";

/// Losses that are not in the file yet, and the sum of all.
#[derive(Debug, Default)]
pub struct Ledger {
    open: BTreeMap<Kind, Window>,
    /// The same for those that no event has told yet.
    unwritten: BTreeMap<Kind, Window>,
    total: u64,
    by_cause: BTreeMap<&'static str, u64>,
}

/// CPU, event and cause.
type Kind = (Option<u16>, Option<EventId>, &'static str);

#[derive(Clone, Copy, Debug)]
struct Window {
    from_ns: u64,
    to_ns: u64,
    count: u64,
}

impl Ledger {
    pub fn add(&mut self, loss: &LossEntry) {
        if loss.count == 0 {
            return;
        }
        self.total = self.total.saturating_add(loss.count);
        *self.by_cause.entry(loss.cause).or_default() += loss.count;
        for windows in [&mut self.open, &mut self.unwritten] {
            let new = Window { from_ns: loss.from_ns, to_ns: loss.to_ns, count: 0 };
            let window = windows.entry((loss.cpu, loss.event, loss.cause)).or_insert(new);
            window.from_ns = window.from_ns.min(loss.from_ns);
            window.to_ns = window.to_ns.max(loss.to_ns);
            window.count = window.count.saturating_add(loss.count);
        }
    }

    /// Counts one event that happened at `time_ns`.
    pub fn add_one(&mut self, time_ns: u64, cpu: u16, event: EventId, cause: &'static str) {
        let (from_ns, to_ns) = (time_ns, time_ns);
        self.add(&LossEntry { from_ns, to_ns, cpu: Some(cpu), event: Some(event), count: 1, cause });
    }

    /// All events lost so far, taken or not.
    pub fn total(&self) -> u64 {
        self.total
    }

    /// The same by cause.
    pub fn by_cause(&self) -> &BTreeMap<&'static str, u64> {
        &self.by_cause
    }

    pub fn is_empty(&self) -> bool {
        self.open.is_empty()
    }

    /// What is not in the file yet, in order of CPU, event and cause.
    pub fn take(&mut self) -> Vec<LossEntry> {
        entries(&mut self.open)
    }

    /// The same of what no event has told.
    pub fn take_unwritten(&mut self) -> Vec<LossEntry> {
        entries(&mut self.unwritten)
    }
}

fn entries(windows: &mut BTreeMap<Kind, Window>) -> Vec<LossEntry> {
    std::mem::take(windows)
        .into_iter()
        .map(|((cpu, event, cause), Window { from_ns, to_ns, count })| LossEntry {
            from_ns,
            to_ns,
            cpu,
            event,
            count,
            cause,
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn losses_of_one_kind_become_one_entry_and_the_sum_stays() {
        let mut ledger = Ledger::default();
        let openat = EventId(257);
        ledger.add_one(20, 0, openat, QUEUE_FULL);
        ledger.add_one(10, 0, openat, QUEUE_FULL);
        ledger.add_one(30, 1, openat, QUEUE_FULL);
        let kernel =
            LossEntry { from_ns: 5, to_ns: 50, cpu: Some(0), event: None, count: 7, cause: "buffer full" };
        ledger.add(&kernel);
        ledger.add(&LossEntry { count: 0, ..kernel.clone() });
        let taken = ledger.take();
        let (cause, event) = (QUEUE_FULL, Some(openat));
        let expected = [
            kernel,
            LossEntry { from_ns: 10, to_ns: 20, cpu: Some(0), event, count: 2, cause },
            LossEntry { from_ns: 30, to_ns: 30, cpu: Some(1), event, count: 1, cause },
        ];
        assert_eq!(taken, expected);
        assert!(ledger.is_empty() && ledger.take().is_empty());
        ledger.add_one(40, 0, openat, QUEUE_FULL);
        assert_eq!((ledger.total(), ledger.take().len()), (11, 1));
    }
}
