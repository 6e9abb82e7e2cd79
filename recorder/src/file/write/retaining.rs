//! Which finished files go: by number, by age, by what they take of the disk.

use std::{
    collections::VecDeque,
    sync::atomic::Ordering,
    time::{Duration, SystemTime},
};

use format::{Ending, SetId, removed_line};

use super::{BEGIN_BYTES, END_BYTES, Halt, OpenFile, Sink, parts::Closed};
use crate::{amount::Stretch, file::retention::Retention, file::writing::Writing};

impl Sink {
    /// Files of earlier recordings stand before this one's.
    pub(super) fn earlier(retention: &mut Retention) -> VecDeque<Closed> {
        std::mem::take(&mut retention.earlier).into_iter().map(Closed::earlier).collect()
    }

    /// What finished files take of the disk.
    pub(super) fn closed_bytes(&self) -> u64 {
        self.closed.iter().chain(&self.unremoved).map(|closed| closed.file.disk_bytes()).sum()
    }

    /// Makes sure that the open file can take `bytes` more and end after `end` more: within the limit, and on the disk.
    pub(super) fn reserve(&mut self, bytes: u64, end: u64) -> Result<(), Halt> {
        if !self.free(bytes + end)? {
            return Err(Halt::MaxDisk);
        }
        let Some(file) = &self.file else { return Ok(()) };
        let reserved = file.output.with(|output| output.reserve(bytes, end)).map_err(|_| Halt::DiskFull);
        self.tell_disk_bytes();
        reserved
    }

    /// Removes the oldest files until the limit holds so many bytes more of the open one. False when it does not though none
    /// is left; the open file is bounded by what there is.
    pub(super) fn free(&mut self, bytes: u64) -> Result<bool, Halt> {
        let Some(limit) = self.destination.retention.max_disk_bytes else { return Ok(true) };
        loop {
            let others = self.closed_bytes();
            let Some(file) = &self.file else { return Ok(true) };
            let need = file.output.with(|output| {
                output.bound(limit.saturating_sub(others));
                output.disk_bytes_with(bytes)
            });
            if others + need <= limit {
                return Ok(true);
            }
            let count = self.oldest_of(others + need - limit);
            if count == 0 {
                return Ok(false);
            }
            self.remove_oldest(count);
        }
    }

    /// How many of the oldest files take so many bytes; all, where all take less.
    fn oldest_of(&self, bytes: u64) -> usize {
        let mut sum = 0;
        let fewer = self.closed.iter().take_while(|closed| {
            let is_needed = sum < bytes;
            sum += closed.file.disk_bytes();
            is_needed
        });
        fewer.count()
    }

    /// Makes room for a set's first file, before it begins.
    pub(super) fn free_to_begin(&mut self) {
        if let Some(limit) = self.destination.retention.max_disk_bytes {
            let need = self.closed_bytes() + self.next_bytes();
            let count = self.oldest_of(need.saturating_sub(limit));
            self.remove_oldest(count);
        }
    }

    /// Room that a part takes from its beginning to its end, by the limits it is written to.
    fn next_bytes(&self) -> u64 {
        let retention = &self.destination.retention;
        let part = retention.part_bytes().unwrap_or_default();
        let part = match self.destination.rotation.map(|rotation| rotation.every) {
            Some(Stretch::Bytes(bytes)) => part.min(bytes),
            _ => part,
        };
        part + BEGIN_BYTES + 2 * END_BYTES + retention.step_bytes().unwrap_or_default()
    }

    /// How many of the finished files go when the open one ends as the next to last.
    pub(super) fn surplus(&self, file: &OpenFile, ending: Ending) -> usize {
        let keep = self.destination.rotation.as_ref().and_then(|rotation| rotation.keep);
        let by_number = keep.map_or(0, |keep| (self.closed.len() + 1).saturating_sub(keep.max(1)));
        let by_size = match self.destination.retention.max_disk_bytes {
            Some(limit) if ending == Ending::Part => {
                let own =
                    file.output.with(|output| output.disk_bytes_with(file.writer.end_bytes() + END_BYTES));
                self.oldest_of((self.closed_bytes() + own + self.next_bytes()).saturating_sub(limit))
            }
            _ => 0,
        };
        self.acknowledged_of(by_number).max(by_size).max(self.expired())
    }

    /// How many of so many of the oldest files the store has, where somebody uploads them: they go from the oldest on, so the
    /// first one that it does not have keeps those behind it. One that is not sealed is uploaded by nobody, and goes.
    fn acknowledged_of(&self, count: usize) -> usize {
        if !self.destination.retention.is_uploaded {
            return count;
        }
        self.closed.iter().take(count).take_while(|closed| !self.is_awaited(closed)).count()
    }

    /// Whether it is to be uploaded, and the store has not said that it has it.
    fn is_awaited(&self, closed: &Closed) -> bool {
        closed.head.is_some_and(|head| !self.destination.place.is_acknowledged(&head))
    }

    /// How many of the finished files are too old.
    fn expired(&self) -> usize {
        let Some(keep_for) = self.destination.retention.keep_for else { return 0 };
        let now = SystemTime::now();
        let age = |closed: &Closed| now.duration_since(closed.finished).unwrap_or(Duration::ZERO);
        self.acknowledged_of(self.closed.iter().take_while(|closed| age(closed) >= keep_for).count())
    }

    /// Removes files that have become too old while the open one was written.
    pub(super) fn expire(&mut self) {
        let count = self.expired();
        if count > 0 {
            self.remove_oldest(count);
        }
    }

    /// The oldest part of this recording that is there once so many of the finished files are gone; `part` is that of the
    /// open file.
    pub(super) fn oldest_part(&self, gone: usize, part: u32) -> u32 {
        self.closed.iter().skip(gone).find_map(|closed| closed.part).unwrap_or(part)
    }

    /// Says in a seal of the open file which part is the oldest that stays, then removes those before it.
    fn remove_oldest(&mut self, count: usize) {
        let has_own = self.closed.iter().take(count).any(|closed| closed.part.is_some());
        let oldest = self.oldest_part(count, self.part);
        if let Some(file) = self.file.as_mut().filter(|_| has_own) {
            file.writer.set_oldest_part(oldest);
            match file.writer.checkpoint() {
                // A seal that a power cut takes back would say too little of what is gone.
                Ok(_) => drop(file.output.with(|output| output.sync())),
                Err(_) => file.output.with(|output| output.rewind(file.writer.bytes())),
            }
        }
        self.remove_first(count);
    }

    /// Removes the oldest of the finished files. One that cannot be removed stays, and counts.
    pub(super) fn remove_first(&mut self, count: usize) {
        for _ in 0..count {
            let Some(oldest) = self.closed.pop_front() else { break };
            let is_uploaded = self.destination.retention.is_uploaded;
            let is_in_no_store = is_uploaded && (oldest.head.is_none() || self.is_awaited(&oldest));
            if self.destination.place.remove(&oldest.file).is_err() {
                self.unremoved.push(oldest);
                continue;
            }
            let own = oldest.part.map(|part| (SetId::of(&self.header), part));
            if let (Some(witness), Some((set, part))) = (&self.destination.witness, own.or(oldest.of)) {
                witness.send(&removed_line(set, part));
            }
            Writing::add(&self.gauge.writing.removed_files, 1);
            if is_in_no_store {
                Writing::add(&self.gauge.writing.removed_unacknowledged_files, 1);
                self.result.removed_unacknowledged_files += 1;
                let count = self.result.removed_unacknowledged_files.to_string();
                let more = &mut self.header.recording.more;
                more.insert(format::recorded::REMOVED_UNACKNOWLEDGED.to_owned(), count);
            }
            if oldest.part.is_none() {
                // Their own seals cannot say so any more; the headers of this recording's further parts do.
                if let Some((set, part)) = oldest.of {
                    let more = &mut self.header.recording.more;
                    more.insert(format::recorded::removed_parts(set), part.to_string());
                }
                self.result.removed_earlier_files += 1;
                continue;
            }
            Writing::add(&self.gauge.writing.removed_rows, oldest.rows);
            self.gauge.bytes.fetch_sub(oldest.file.bytes, Ordering::Relaxed);
            self.result.rows -= oldest.rows;
            self.result.blocks -= oldest.blocks;
            self.result.removed_rows += oldest.rows;
            self.result.removed_files += 1;
        }
        self.tell_disk_bytes();
    }

    pub(super) fn tell_disk_bytes(&self) {
        let open = self.file.as_ref().map_or(0, |file| file.output.with(|output| output.disk_bytes_with(0)));
        self.gauge.writing.disk_bytes.store(self.closed_bytes() + open, Ordering::Relaxed);
    }
}
