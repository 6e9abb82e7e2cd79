//! From the buffers to the sink: take what is there, release it in time order, read it, and account for what was lost.
//!
//! Where there are several drains and a look finds much, they share it: [`at_once`].

mod at_once;

use events::{
    EventId, Marks, Raw,
    abi::{HEADER_BYTES, RecordHeader, Slot, hooks::Hook, kind},
};

use super::{
    Record, Records, UNKNOWN_CONTEXT, bell,
    clock::{self, BootOffset},
    contexts::{Contexts, SentContext},
    decode::{self, Arguments, MAX_ARGS, SlotReader, Unread},
    execs::Execs,
    files::{Files, Known},
    losses::{Losses, Missed},
    order::{Merge, Stream},
    region::Regions,
    requests::{self, Requests},
    resync::Expected,
    socket_list::SocketOwner,
    tables::SlotEvent,
};
use crate::team::{Job, Team};
use at_once::Reader;

/// What reading needs to remember between drains.
#[derive(Debug)]
pub struct Drain {
    slots: Box<[Option<SlotReader>]>,
    /// One for each CPU's region, then one for each CPU's part of the ring buffer, then of that of packets; at their end
    /// those of packets that come by CPUs without a region.
    streams: Vec<Stream>,
    cpus: usize,
    merge: Merge,
    contexts: Contexts,
    /// What descriptors stand for.
    files: Files,
    /// To be announced before all others.
    owners: Vec<SocketOwner>,
    arguments: Arguments,
    execs: Execs,
    /// What io_urings have not done yet.
    requests: Requests,
    offset: BootOffset,
    released_ns: u64,
    losses: Losses,
    /// When the call began that is being read (monotonic clock), where that is told.
    began_ns: Option<u64>,
    /// The drains, where there are several, and what each remembers.
    team: Option<Team>,
    readers: Vec<Reader>,
    /// Bytes from which on a look is worth being shared.
    worth_bytes: usize,
}

/// What is spent on handing a look out and waiting for the last is some tenths of a millisecond; reading this much takes
/// several.
const WORTH_BYTES: usize = 1 << 20;

impl Drain {
    pub fn new(slots: Vec<Option<SlotEvent>>, cpus: usize, now_ns: u64, owners: Vec<SocketOwner>) -> Drain {
        Drain {
            slots: slots.into_iter().map(|slot| slot.map(SlotReader::new)).collect(),
            streams: (0..cpus * 3).map(|_| Stream::default()).collect(),
            cpus,
            merge: Merge::default(),
            contexts: Contexts::default(),
            files: Files::default(),
            owners,
            arguments: Arguments::default(),
            execs: Execs::default(),
            requests: Requests::default(),
            offset: BootOffset::measure(),
            released_ns: 0,
            losses: Losses::new(cpus, now_ns),
            began_ns: None,
            team: None,
            readers: Vec::new(),
            worth_bytes: WORTH_BYTES,
        }
    }

    /// Shares what there is with these from now on.
    pub fn employ(&mut self, team: Team) {
        if team.size() > 1 {
            self.readers = (0..team.size()).map(|_| Reader::default()).collect();
            self.team = Some(team);
        }
    }

    /// Shares looks from so many bytes on.
    pub fn share_from(&mut self, worth_bytes: usize) {
        self.worth_bytes = worth_bytes;
    }

    /// Which of so many drains reads a stream: CPUs in turn, since buffers of CPUs that may come online are the last ones.
    fn drain_of(stream: usize, cpus: usize, drains: usize) -> usize {
        if stream >= cpus * 3 { 0 } else { stream % cpus.max(1) % drains.max(1) }
    }

    /// Takes all that the regions hold.
    pub fn take(&mut self, regions: &mut Regions) {
        let is_worth = regions.waiting_bytes() >= self.worth_bytes;
        let (cpus, streams) = (self.cpus, self.streams.iter_mut().take(self.cpus));
        let mut torn = Vec::new();
        match self.team.as_mut().filter(|_| is_worth) {
            None => {
                for (cpu, (mut region, stream)) in regions.each().zip(streams).enumerate() {
                    if !region.take(&mut stream.bytes) {
                        torn.push(cpu);
                    }
                }
            }
            Some(team) => {
                let mut shares: Vec<Vec<_>> = (0..team.size()).map(|_| Vec::new()).collect();
                for (cpu, (region, stream)) in regions.each().zip(streams).enumerate() {
                    if let Some(share) = shares.get_mut(Self::drain_of(cpu, cpus, self.readers.len())) {
                        share.push((cpu, region, stream, true));
                    }
                }
                team.run(shares.iter_mut().map(|share| -> Job<'_> {
                    Box::new(|| {
                        for (_, region, stream, is_whole) in share {
                            *is_whole = region.take(&mut stream.bytes);
                        }
                    })
                }));
                let all = shares.into_iter().flatten();
                torn.extend(all.filter(|(.., is_whole)| !is_whole).map(|(cpu, ..)| cpu));
            }
        }
        torn.into_iter().for_each(|cpu| self.losses.add_malformed(cpu as u16, None));
    }

    /// Takes a piece of the ring buffer: the records of one write, and what was reserved beyond them; or what only rang the bell.
    pub fn take_piece(&mut self, piece: &[u8]) {
        if piece == bell::RING {
            return;
        }
        let (mut rest, mut is_more, mut cpu) = (piece, true, 0);
        while is_more {
            let header = decode::header(rest).filter(|header| usize::from(header.cpu) < self.cpus);
            let Some(header) = header else {
                self.losses.add_malformed(cpu, None);
                return;
            };
            let (record, after) = rest.split_at_checked(header.length as usize).unwrap_or((rest, &[]));
            if let Some(stream) = self.streams.get_mut(self.cpus + header.cpu as usize) {
                stream.bytes.extend_from_slice(record);
            }
            (rest, is_more, cpu) = (after, header.more != 0, header.cpu);
        }
    }

    /// Takes a packet's record: it stands in room for the largest.
    pub fn take_packet(&mut self, piece: &[u8]) {
        let Some(header) = decode::header(piece) else {
            self.losses.add_malformed(0, Some(Hook::Packet.slot()));
            return;
        };
        let place = self.cpus * 2 + header.cpu as usize;
        if place >= self.streams.len() {
            self.streams.resize_with(place + 1, Stream::default);
        }
        if let (Some(stream), Some(record)) =
            (self.streams.get_mut(place), piece.get(..header.length as usize))
        {
            stream.bytes.extend_from_slice(record);
        }
    }

    /// Gives the sink all records that are older than the limit (monotonic clock), in time order: but for those that change
    /// nothing that others need, which several drains may give to the sink's shares, each in time order.
    pub fn release(&mut self, limit_ns: u64, sink: &mut impl Records) -> usize {
        self.contexts.begin(sink);
        for owner in self.owners.drain(..) {
            self.contexts.add_owner(&owner, sink);
        }
        self.offset.refresh();
        let last_ns = limit_ns.saturating_sub(1);
        let mut count = 0;
        if self.team.is_some() {
            match self.release_at_once(last_ns, sink) {
                at_once::Outcome::Waits(released) if limit_ns < u64::MAX => {
                    self.compact();
                    return released;
                }
                at_once::Outcome::Released(released) | at_once::Outcome::Waits(released) => count += released,
            }
        }
        self.merge.clear();
        for stream in 0..self.streams.len() {
            self.find_next(stream);
        }
        while let Some((stream, until_ns)) = self.merge.take_earliest(last_ns) {
            count += self.release_stream(stream, until_ns, sink);
        }
        self.compact();
        self.contexts.forget_until(limit_ns, sink);
        count
    }

    fn compact(&mut self) {
        self.streams.iter_mut().for_each(Stream::compact);
    }

    /// Notes when the next record of a stream is from.
    fn find_next(&mut self, stream: usize) {
        let Some(bytes) = self.streams.get_mut(stream) else { return };
        let time = match decode::header(bytes.rest()) {
            Some(header) => Some(header.time_ns),
            None if bytes.rest().is_empty() => None,
            None => {
                let kind = (stream / self.cpus.max(1)).min(2);
                let cpu = (stream - kind * self.cpus) as u16;
                self.losses.add_malformed(cpu, None);
                let passed_over = Expected { cpu, until_ns: clock::monotonic_ns() }.next(bytes.rest());
                bytes.skip(passed_over);
                decode::header(bytes.rest()).map(|header| header.time_ns)
            }
        };
        if let Some(time_ns) = time {
            self.merge.add(time_ns, stream);
        }
    }

    /// Reads one stream's records up to a time.
    fn release_stream(&mut self, stream: usize, until_ns: u64, sink: &mut impl Records) -> usize {
        let mut count = 0;
        let Some(mut source) = self.streams.get_mut(stream).map(std::mem::take) else { return 0 };
        while let Some(header) = decode::header(source.rest()) {
            if header.time_ns > until_ns {
                break;
            }
            source.prefetch();
            if let Some(record) = source.rest().get(..header.length as usize) {
                count += self.read(&header, record, sink);
            }
            source.skip(header.length as usize);
        }
        if let Some(place) = self.streams.get_mut(stream) {
            *place = source;
        }
        self.find_next(stream);
        count
    }

    fn read(&mut self, header: &RecordHeader, record: &[u8], sink: &mut impl Records) -> usize {
        let (header, record, began) = &timed(header, record);
        self.began_ns = *began;
        match header.kind {
            kind::CONTEXT => self.contexts.add(header, record, sink),
            kind::FILE => self.files.add(header, record),
            kind::ENTRY => self.execs.begin(header, record),
            kind::EXECED => {
                self.execed(header, record, sink);
                return 1;
            }
            kind::EVENT => {
                self.event(header, record, sink);
                return 1;
            }
            _ => self.losses.add_malformed(header.cpu, Some(header.slot)),
        }
        0
    }

    fn event(&mut self, header: &RecordHeader, record: &[u8], sink: &mut impl Records) {
        let Some(reader) = self.slots.get(header.slot as usize).and_then(Option::as_ref) else {
            self.losses.add_malformed(header.cpu, Some(header.slot));
            return;
        };
        let told = self.contexts.told(header, &mut self.released_ns, self.offset).begun(self.began_ns);
        if reader.slot.is_exec
            && let Some(tid) = told.tid
        {
            self.execs.fail(tid);
        }
        let is_exit = header.slot == Hook::ProcessExit.slot();
        if is_exit
            && let Some(entry) = decode::word(record, EXITED_TASK).and_then(|task| self.execs.end(task))
            && let Some(entry_header) = decode::header(&entry)
            && let Some(reader) = self.slots.get(entry_header.slot as usize).and_then(Option::as_ref)
        {
            // It died in the exec: there is no result.
            let header = RecordHeader { ret: 0, cpu: header.cpu, ..entry_header };
            told.give(
                &header,
                reader,
                &entry,
                &mut self.arguments,
                (Known::Own(&mut self.files), Some(&mut self.requests)),
                &mut |record| sink.record(record),
            );
        }
        let known = (Known::Own(&mut self.files), Some(&mut self.requests));
        told.give(header, reader, record, &mut self.arguments, known, &mut |record| sink.record(record));
        if is_exit {
            self.contexts.end(header.context, header.time_ns);
        }
    }

    /// An exec has succeeded: the arguments as they were before the old memory went, and the result.
    fn execed(&mut self, header: &RecordHeader, record: &[u8], sink: &mut impl Records) {
        let told = self.contexts.told(header, &mut self.released_ns, self.offset).begun(self.began_ns);
        let entry = decode::word(record, 0).and_then(|task| self.execs.end(task));
        if let Some(entry) = entry
            && let Some(entry_header) = decode::header(&entry)
            && let Some(reader) = self.slots.get(entry_header.slot as usize).and_then(Option::as_ref)
        {
            let header = RecordHeader {
                slot: entry_header.slot,
                words: entry_header.words,
                // Whether it is a 32-bit call is the old program's affair.
                marks: entry_header.marks & !Marks::AT_ENTRY | header.marks & !Marks::COMPAT,
                ..*header
            };
            told.give(
                &header,
                reader,
                &entry,
                &mut self.arguments,
                (Known::Own(&mut self.files), Some(&mut self.requests)),
                &mut |record| sink.record(record),
            );
        } else if let Some(reader) = self.slots.get(header.slot as usize).and_then(Option::as_ref) {
            // Its entry was lost, and with it the arguments; the words of the record are none.
            let event = reader.slot.event;
            let lost = (0..event.args.len())
                .fold(Marks(header.marks), |marks, position| event.with_unreadable(marks, position));
            let header = RecordHeader { words: 0, length: HEADER_BYTES as u32, marks: lost.0, ..*header };
            let bare = record.get(..HEADER_BYTES).unwrap_or_default();
            told.give(
                &header,
                reader,
                bare,
                &mut self.arguments,
                (Known::Own(&mut self.files), Some(&mut self.requests)),
                &mut |record| sink.record(record),
            );
        }
    }

    /// The context that was last told of a thread; 0 is none.
    pub fn context_of(&self, tid: u32) -> u64 {
        self.contexts.latest(tid).unwrap_or(0)
    }

    /// Gives the sink a call of which no program has made a record, that began then.
    pub fn give(&mut self, call: &Unread, began_ns: u64, sink: &mut impl Records) {
        let Some(reader) = self.slots.get(call.header.slot as usize).and_then(Option::as_ref) else { return };
        let told = self.contexts.told(&call.header, &mut self.released_ns, self.offset).begun(Some(began_ns));
        let known = (Known::Own(&mut self.files), Some(&mut self.requests));
        let arguments = &mut self.arguments;
        told.give(&call.header, reader, &call.record, arguments, known, &mut |record| sink.record(record));
    }

    /// Reports what has been lost since the last time.
    pub fn report_losses(
        &mut self,
        regions: &Regions,
        without_region: Option<&[u64; Slot::COUNT]>,
        now_ns: u64,
        sink: &mut impl Records,
    ) {
        let Drain { slots, losses, offset, .. } = self;
        losses.report(regions, without_region, |slot| event_of(slots, slot), *offset, now_ns, sink);
    }

    /// Reports runs of programs that the kernel left out, by how many there have been since the start.
    pub fn report_misses(&mut self, misses: &[Missed], now_ns: u64, sink: &mut impl Records) {
        let Drain { slots, losses, offset, .. } = self;
        losses.report_misses(misses, |slot| event_of(slots, slot), *offset, now_ns, sink);
    }

    pub fn misses_since_ns(&self) -> u64 {
        self.losses.misses_since_ns()
    }

    /// When losses were last looked at (monotonic clock).
    pub fn losses_since_ns(&self) -> u64 {
        self.losses.since_ns()
    }
}

/// The word of a process's exit that is the address of its task.
const EXITED_TASK: usize = 3;

/// What is common to all events that one record gives.
struct Told {
    time_ns: u64,
    /// As the sink knows it.
    context: u32,
    tid: Option<u32>,
    marks: u32,
    /// Of the call's record, by the monotonic clock; and how long the call took.
    ended_ns: u64,
    duration_ns: Option<u64>,
}

impl Contexts {
    fn told(&mut self, header: &RecordHeader, released_ns: &mut u64, offset: BootOffset) -> Told {
        Told::of(header, self.get(header.context), released_ns, offset)
    }
}

impl Told {
    fn of(
        header: &RecordHeader,
        known: Option<SentContext>,
        released_ns: &mut u64,
        offset: BootOffset,
    ) -> Told {
        let mut marks = 0;
        if known.is_none() {
            marks |= Marks::NO_CONTEXT;
        }
        if header.time_ns < *released_ns {
            marks |= Marks::LATE;
        }
        *released_ns = (*released_ns).max(header.time_ns);
        Told {
            time_ns: offset.boot_ns(header.time_ns),
            context: known.map_or(UNKNOWN_CONTEXT, |known| known.id),
            tid: known.map(|known| known.tid),
            marks,
            ended_ns: header.time_ns,
            duration_ns: None,
        }
    }

    /// The same of a call that began then.
    fn begun(self, began_ns: Option<u64>) -> Told {
        let duration_ns = began_ns.map(|began_ns| self.ended_ns.saturating_sub(began_ns));
        Told { duration_ns, ..self }
    }

    /// Gives the event of a record, and what the call stands in for. Without requests it is none of an io_uring.
    fn give(
        &self,
        header: &RecordHeader,
        reader: &SlotReader,
        record: &[u8],
        arguments: &mut Arguments,
        (files, requests): (Known<'_>, Option<&mut Requests>),
        put: &mut impl FnMut(&Record<'_>),
    ) {
        let (slot, ret) = (&reader.slot, reader.result(header));
        let more = self.marks | if slot.is_state_only { Marks::STATE_ONLY } else { 0 };
        arguments.read(reader, header, record, files, |args: &[Raw<'_>], marks: Marks, directory: &[u8]| {
            let (event, count) = (slot.event, args.len());
            let submitted;
            let mut joined = [Raw::Missing; MAX_ARGS];
            let (mut args, mut directory) = (args, directory);
            if let Some(requests) =
                requests.filter(|_| requests::is_completion(event.id) || requests::is_submission(event.id))
            {
                submitted =
                    if requests::is_completion(event.id) { requests.completed(event, args) } else { None };
                if let Some(submitted) = &submitted {
                    submitted.fill(event, args, &mut joined);
                    (args, directory) = (joined.get(..count).unwrap_or_default(), &submitted.directory);
                } else if requests::is_submission(event.id) {
                    requests.submitted(event, args, directory, &mut joined);
                    args = joined.get(..count).unwrap_or_default();
                }
            }
            let marks = Marks(marks.0 | more);
            let record = Record {
                time_ns: self.time_ns,
                event: slot.event.id,
                cpu: header.cpu,
                context: self.context,
                ret,
                marks,
                duration_ns: self.duration_ns.filter(|_| slot.event.is_syscall()),
                args,
            };
            if !slot.is_hidden {
                put(&record);
            }
            // A call that was taken back did nothing, not even fail.
            if marks.has(Marks::UNDONE) {
                return;
            }
            for stand_in in slot.stand_ins.iter().filter(|it| it.applies(args, ret)) {
                let mut own = [Raw::Missing; MAX_ARGS];
                let count = stand_in.args.len().min(MAX_ARGS);
                let absolute = stand_in.absolute(args, directory);
                let marks = stand_in.fill(args, &absolute, ret, marks, &mut own);
                let args = own.get(..count).unwrap_or_default();
                let record =
                    Record { event: stand_in.event.id, ret: 0, marks, duration_ns: None, args, ..record };
                put(&record);
            }
        });
    }
}

/// A record without what says when its call began, and that.
fn timed<'r>(header: &RecordHeader, record: &'r [u8]) -> (RecordHeader, &'r [u8], Option<u64>) {
    if header.kind & kind::TIMED == 0 {
        return (*header, record, None);
    }
    let (record, began) = record.split_last_chunk::<8>().unwrap_or((record, &[0; 8]));
    let began_ns = Some(u64::from_ne_bytes(*began)).filter(|began_ns| *began_ns != 0);
    let header = RecordHeader { kind: header.kind & !kind::TIMED, length: record.len() as u32, ..*header };
    (header, record, began_ns)
}

fn event_of(slots: &[Option<SlotReader>], slot: usize) -> Option<EventId> {
    slots.get(slot).and_then(Option::as_ref).map(|reader| reader.slot.event.id)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kernel::Loss;

    /// Takes what it is told of.
    #[derive(Default)]
    struct Told(Vec<u64>);

    impl Records for Told {
        fn context(&mut self, _: u32, _: &events::Context<'_>) {}

        fn record(&mut self, record: &Record<'_>) {
            self.0.extend(record.args.iter().find_map(|arg| match arg {
                Raw::Number(number) => Some(*number),
                _ => None,
            }));
        }

        fn lost(&mut self, _: &Loss) {}
    }

    #[test]
    fn malformed_bytes_cost_what_they_lie_on_and_are_counted_with_their_event() {
        const CLOSE: u16 = 3;
        let mut slots = vec![None; Slot::COUNT];
        slots[usize::from(CLOSE)] = events::catalogue::by_name("close").map(SlotEvent::new);
        let record = |time_ns: u64, kind: u8| {
            let mut bytes = decode::tests::record(&[time_ns], &[], 0);
            bytes[..8].copy_from_slice(&time_ns.to_ne_bytes());
            (bytes[12], bytes[14]) = (CLOSE as u8, kind);
            bytes
        };
        let good = |time_ns| record(time_ns, kind::EVENT);
        let mut drain = Drain::new(slots, 1, 0, Vec::new());
        drain.streams[0].bytes = [good(1), vec![0xff; 48], good(2), good(4), record(5, 77)].concat();
        // Of the ring buffer: one that is none, one of a CPU that is not there, and one that is torn off.
        let mut foreign = good(5);
        foreign[36] = 9;
        let mut torn = good(6);
        torn[38] = 1;
        for piece in [&[0u8; 16][..], &foreign, &torn] {
            drain.take_piece(piece);
        }
        // What rings the bell is no record.
        drain.take_piece(&[0; 8]);
        drain.take_packet(&[0; 8]);
        let mut told = Told::default();
        drain.release(u64::MAX, &mut told);
        assert_eq!(told.0, [1, 2, 4, 6]);
        let (close, packet) = (Some(CLOSE), Some(Hook::Packet.slot()));
        let mut malformed = drain.losses.take_malformed();
        malformed.sort_unstable();
        assert_eq!(malformed, [(0, None), (0, None), (0, None), (0, None), (0, close), (0, packet)]);
    }
}
