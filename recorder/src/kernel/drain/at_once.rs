//! One look, shared by several drains. Each has CPUs of its own, reads their records in order of time, and gives them to a
//! share of the sink, which puts them into blocks of its own. Blocks overlap in time; who reads a capture puts rows in order.
//!
//! ```text
//! scan      | each drain, of its CPUs: which records have to be read in order ([`super::super::ordered`])
//! in order  | one, over all CPUs: contexts, files, processes that begin and end ...
//! the rest  | each drain, of its CPUs: all other records
//! ```
//! What is told in one look is known to all drains before any of them reads an event of it, whichever CPU it came by: a task
//! goes from CPU to CPU. Where a record that is read in order has to wait for an answer (the hash of an executed file), the
//! look ends there for all, and what is behind stays as it is, in bytes.

use super::{Drain, Merge, Told, timed};
use crate::{
    kernel::{
        Records, Share,
        clock::BootOffset,
        contexts::{Contexts, SentContext},
        decode::{self, Arguments, SlotReader},
        files::{Files, Known},
        order::Stream,
        ordered,
    },
    team::Job,
};

/// Bytes of a CPU that wait for an answer, at most. What is beyond goes on without.
const STALL_BYTES: usize = 4 << 20;

/// What came of sharing.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Outcome {
    /// So many records were read; what is left is for one to read.
    Released(usize),
    /// The same, and what is left has to wait.
    Waits(usize),
}

/// What one drain remembers.
#[derive(Debug, Default)]
pub(super) struct Reader {
    arguments: Arguments,
    merge: Merge,
    /// The context that was asked for last: records of one task follow each other.
    last: Option<(u64, SentContext)>,
}

/// A record that has to be read in order.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
struct Ordered {
    /// When it has its turn: no earlier than those before it in its stream.
    turn_ns: u64,
    stream: usize,
    at: usize,
}

/// Of a stream: what is to be read in order, in order; `None` where bytes are no record.
fn scan(slots: &[Option<SlotReader>], number: usize, stream: &Stream, last_ns: u64) -> Option<Vec<Ordered>> {
    let (mut rest, mut at, mut turn_ns, mut found) = (stream.rest(), stream.at(), 0, Vec::new());
    while !rest.is_empty() {
        let header = decode::header(rest)?;
        if header.time_ns > last_ns {
            break;
        }
        turn_ns = turn_ns.max(header.time_ns);
        let (record, after) = rest.split_at_checked(header.length as usize)?;
        let (untimed, record, _) = timed(&header, record);
        if ordered::is_ordered(slots, &untimed, record) {
            found.push(Ordered { turn_ns, stream: number, at });
        }
        (rest, at) = (after, at + header.length as usize);
    }
    Some(found)
}

/// What one drain reads of a look.
struct Part<'d> {
    reader: &'d mut Reader,
    streams: Vec<Scanned<'d>>,
    is_whole: bool,
    count: usize,
    released_ns: u64,
}

struct Scanned<'d> {
    number: usize,
    stream: &'d mut Stream,
    ordered: Vec<Ordered>,
    /// Up to here all of them have been read in order.
    done: usize,
}

/// What all drains read at the same time.
#[derive(Clone, Copy)]
struct Common<'d> {
    slots: &'d [Option<SlotReader>],
    contexts: &'d Contexts,
    files: &'d Files,
    offset: BootOffset,
    /// Records are read up to this time; those behind the last that was read in order are later, or stand before it.
    last_ns: u64,
}

impl Drain {
    /// Lets all drains read what there is up to a time.
    pub(super) fn release_at_once(&mut self, last_ns: u64, sink: &mut impl Records) -> Outcome {
        let waiting_bytes: usize = self.streams.iter().map(|stream| stream.rest().len()).sum();
        if sink.is_waiting() && last_ns < u64::MAX - 1 {
            if waiting_bytes < STALL_BYTES * self.cpus {
                return Outcome::Waits(0);
            }
            sink.give_up_waiting();
        }
        if waiting_bytes < self.worth_bytes || !sink.begin_sharing() {
            return Outcome::Released(0);
        }
        let mut streams = std::mem::take(&mut self.streams);
        let mut readers = std::mem::take(&mut self.readers);
        let outcome = self.release_parts(last_ns, &mut streams, &mut readers, sink);
        (self.streams, self.readers) = (streams, readers);
        self.files.forget_passed();
        sink.end_sharing();
        outcome
    }

    fn release_parts(
        &mut self,
        last_ns: u64,
        streams: &mut [Stream],
        readers: &mut [Reader],
        sink: &mut impl Records,
    ) -> Outcome {
        let (cpus, drains) = (self.cpus, readers.len());
        let before_ns = self.released_ns;
        let part =
            |reader| Part { reader, streams: Vec::new(), is_whole: true, count: 0, released_ns: before_ns };
        let mut parts: Vec<Part<'_>> = readers.iter_mut().map(part).collect();
        for (number, stream) in streams.iter_mut().enumerate() {
            if let Some(part) = parts.get_mut(Drain::drain_of(number, cpus, drains))
                && !stream.rest().is_empty()
            {
                part.streams.push(Scanned { number, stream, ordered: Vec::new(), done: 0 });
            }
        }
        let slots = &*self.slots;
        if let Some(team) = &mut self.team {
            team.run(parts.iter_mut().map(|part| -> Job<'_> { Box::new(|| part.scan(slots, last_ns)) }));
        }
        if parts.iter().any(|part| !part.is_whole) {
            // Bytes that are no record are passed over where one reads alone.
            return Outcome::Released(0);
        }
        let (in_order, last_ns, waits) = self.release_in_order(&mut parts, last_ns, sink);
        let common = Common {
            slots: &self.slots,
            contexts: &self.contexts,
            files: &self.files,
            offset: self.offset,
            last_ns,
        };
        let shares = sink.shares(parts.len());
        if let Some(team) = &mut self.team {
            team.run(
                parts
                    .iter_mut()
                    .zip(shares)
                    .map(|(part, share)| -> Job<'_> { Box::new(move || part.read(common, share)) }),
            );
        }
        let count = parts.iter().map(|part| part.count).sum::<usize>() + in_order;
        self.released_ns = parts.iter().map(|part| part.released_ns).fold(self.released_ns, u64::max);
        if waits { Outcome::Waits(count) } else { Outcome::Released(count) }
    }

    /// Reads what has to be read in order, until the sink waits for an answer. Says how many events these were, up to when all
    /// others may be read now, and whether the rest has to wait.
    fn release_in_order(
        &mut self,
        parts: &mut [Part<'_>],
        last_ns: u64,
        sink: &mut impl Records,
    ) -> (usize, u64, bool) {
        let mut all: Vec<(Ordered, usize, usize)> = Vec::new();
        for (part, streams) in parts.iter().enumerate() {
            for (place, scanned) in streams.streams.iter().enumerate() {
                all.extend(scanned.ordered.iter().map(|ordered| (*ordered, part, place)));
            }
        }
        all.sort_unstable();
        self.files.keep_all();
        let mut count = 0;
        for (ordered, part, place) in all {
            let scanned = parts.get_mut(part).and_then(|part| part.streams.get_mut(place));
            let Some(Scanned { stream, done, .. }) = scanned else { continue };
            let rest = stream.bytes_from(ordered.at);
            if let Some(header) = decode::header(rest)
                && let Some(record) = rest.get(..header.length as usize)
            {
                count += self.read(&header, record, sink);
            }
            *done += 1;
            if sink.is_waiting() {
                return (count, ordered.turn_ns.saturating_sub(1), true);
            }
        }
        (count, last_ns, false)
    }
}

impl Part<'_> {
    fn scan(&mut self, slots: &[Option<SlotReader>], last_ns: u64) {
        for scanned in &mut self.streams {
            match scan(slots, scanned.number, scanned.stream, last_ns) {
                Some(ordered) => scanned.ordered = ordered,
                None => self.is_whole = false,
            }
        }
    }

    /// Reads all others.
    fn read(&mut self, common: Common<'_>, mut share: Box<dyn Share + '_>) {
        self.reader.last = None;
        self.reader.merge.clear();
        for (place, scanned) in self.streams.iter().enumerate() {
            if let Some(header) = decode::header(scanned.stream.rest()) {
                self.reader.merge.add(header.time_ns, place);
            }
        }
        // Streams that were read in order beyond this time are read up to there.
        while let Some((place, until_ns)) = self.reader.merge.take_earliest(u64::MAX) {
            let Some(scanned) = self.streams.get_mut(place) else { continue };
            let (count, next_ns) =
                scanned.read(self.reader, common, until_ns, &mut self.released_ns, &mut *share);
            self.count += count;
            if let Some(next_ns) = next_ns {
                self.reader.merge.add(next_ns, place);
            }
        }
    }
}

impl Scanned<'_> {
    /// Reads one stream up to a time, and says when its next record is from that is to be read now.
    fn read(
        &mut self,
        reader: &mut Reader,
        common: Common<'_>,
        until_ns: u64,
        released_ns: &mut u64,
        share: &mut dyn Share,
    ) -> (usize, Option<u64>) {
        // Of those that were read in order, the last stands here; before it nothing has to wait.
        let done_at = self.done.checked_sub(1).and_then(|last| self.ordered.get(last)).map(|last| last.at);
        let mut next = self.ordered.partition_point(|ordered| ordered.at < self.stream.at());
        let mut count = 0;
        while let Some(header) = decode::header(self.stream.rest()) {
            let at = self.stream.at();
            if header.time_ns > common.last_ns && done_at.is_none_or(|done_at| at > done_at) {
                return (count, None);
            }
            if header.time_ns > until_ns {
                return (count, Some(header.time_ns));
            }
            self.stream.prefetch();
            let is_ordered = self.ordered.get(next).is_some_and(|ordered| ordered.at == at);
            if is_ordered {
                if next >= self.done {
                    // It has not had its turn.
                    return (count, None);
                }
                next += 1;
            } else if let Some(record) = self.stream.rest().get(..header.length as usize) {
                let (header, record, began_ns) = timed(&header, record);
                if let Some(slot) = common.slots.get(usize::from(header.slot)).and_then(Option::as_ref) {
                    let known = reader.known(common.contexts, header.context);
                    let told = Told::of(&header, known, released_ns, common.offset).begun(began_ns);
                    let files = (Known::Shared(common.files), None);
                    told.give(&header, slot, record, &mut reader.arguments, files, &mut |record| {
                        share.record(record);
                    });
                    count += 1;
                }
            }
            self.stream.skip(header.length as usize);
        }
        (count, None)
    }
}

impl Reader {
    #[inline]
    fn known(&mut self, contexts: &Contexts, wire_id: u64) -> Option<SentContext> {
        if let Some((last, known)) = self.last
            && last == wire_id
        {
            return Some(known);
        }
        let known = contexts.find(wire_id)?;
        self.last = Some((wire_id, known));
        Some(known)
    }
}
