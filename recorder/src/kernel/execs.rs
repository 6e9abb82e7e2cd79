//! Execs under way. The arguments of one that succeeds are gone by its exit, so they come ahead of it, as an ENTRY record
//! that waits here.

use std::collections::VecDeque;

use events::abi::RecordHeader;

/// Entries that wait, at most, and their bytes once there are more than a few. Where the oldest goes to make room, its
/// exec comes without arguments, marked as lost.
const MOST: usize = 4096;
const FEW: usize = 16;
pub const BYTES: usize = 16 << 20;

/// What an exec was given, by the task that makes it.
#[derive(Debug)]
struct Waiting {
    /// The address of its `task_struct`: of what a thread is known by, all that an exec leaves as it is.
    task: u64,
    /// The thread's number at the entry, which is still its own when the exec fails.
    tid: u32,
    record: Vec<u8>,
}

/// Entries whose exits have not come.
#[derive(Debug, Default)]
pub struct Execs {
    /// The latest last.
    waiting: VecDeque<Waiting>,
    /// Of all records that wait.
    bytes: usize,
}

impl Execs {
    /// Keeps an entry. What the same task left, it left by an exit that was lost.
    pub fn begin(&mut self, header: &RecordHeader, record: &[u8]) {
        let task = header.ret as u64;
        self.take(|waiting| waiting.task == task);
        while self.waiting.len() >= MOST || self.waiting.len() >= FEW && self.bytes + record.len() > BYTES {
            self.bytes -= self.waiting.pop_front().map_or(0, |oldest| oldest.record.len());
        }
        self.bytes += record.len();
        self.waiting.push_back(Waiting { task, tid: header.context as u32, record: record.to_vec() });
    }

    /// The entry of a task whose exec succeeded, or that ended in it.
    pub fn end(&mut self, task: u64) -> Option<Vec<u8>> {
        self.take(|waiting| waiting.task == task)
    }

    /// An exec of this thread failed: its exit has the arguments itself.
    pub fn fail(&mut self, tid: u32) {
        self.take(|waiting| waiting.tid == tid);
    }

    fn take(&mut self, is_meant: impl Fn(&Waiting) -> bool) -> Option<Vec<u8>> {
        let position = self.waiting.iter().rposition(is_meant)?;
        let record = self.waiting.remove(position)?.record;
        self.bytes -= record.len();
        Some(record)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn header(task: u64, tid: u32) -> RecordHeader {
        RecordHeader { ret: task as i64, context: u64::from(tid), ..RecordHeader::default() }
    }

    #[test]
    fn a_thread_that_fails_leaves_what_its_sibling_was_given() {
        let mut execs = Execs::default();
        execs.begin(&header(0xa, 10), b"of the one");
        execs.begin(&header(0xb, 11), b"of the other");
        execs.fail(11);
        // By now the thread may have its leader's number: the task is the same.
        assert_eq!(execs.end(0xa).as_deref(), Some(&b"of the one"[..]));
        assert_eq!((execs.end(0xa), execs.end(0xb)), (None, None));
    }

    #[test]
    fn a_new_entry_takes_the_place_of_one_whose_exit_was_lost() {
        let mut execs = Execs::default();
        execs.begin(&header(0xa, 10), b"first");
        execs.begin(&header(0xa, 10), b"second");
        assert_eq!(execs.end(0xa).as_deref(), Some(&b"second"[..]));
        assert_eq!(execs.end(0xa), None);
    }

    #[test]
    fn the_oldest_makes_room() {
        let mut execs = Execs::default();
        for task in 0..=MOST as u64 {
            execs.begin(&header(task + 1, 0), b"");
        }
        assert_eq!((execs.end(1), execs.end(2)), (None, Some(Vec::new())));
    }

    #[test]
    fn long_ones_take_no_more_than_their_bytes() {
        let mut execs = Execs::default();
        for task in 0..1000 {
            execs.begin(&header(task + 1, 0), &[0; 48 << 10]);
        }
        assert!(execs.bytes <= BYTES && execs.end(1000).is_some());
    }
}
