//! Streams that are under way when a cut begins: the packets from which their messages are read on. They are kept unseen, so that
//! the cut gives the messages that the whole capture gives from there on.

use std::collections::{HashMap, HashSet};
use std::net::IpAddr;

use events::Raw;
use events::catalogue::network::NET_PACKET;
use format::Scratch;
use format::rewrite::Copied;
use pipeline::derive::packets::segment;
use pipeline::derive::packets::stream::{Key, Streams};
use pipeline::{Args, Source};

type Stream = Key<IpAddr>;

/// By stream, the boot-clock time of its first packet that is kept.
#[derive(Default)]
pub struct Begun(HashMap<Stream, u64>);

/// A packet on its way into its stream.
struct Packet {
    time_ns: u64,
    host: u16,
    stream: Stream,
    data: Vec<u8>,
    length: u64,
}

impl Begun {
    /// Of the streams that are under way at a time of the wall clock in the only file of a source. What the streams hold is
    /// bounded as when they are read ([`Streams`]), and nothing else is held but the packets of blocks that overlap.
    pub fn at(source: &Source, from: i64) -> Begun {
        let Some(file) = source.files().first() else { return Begun::default() };
        let mut reading = Reading::default();
        let (mut scratch, mut waiting) = (Scratch::new(), Vec::new());
        for reference in source.blocks() {
            // Blocks come in order of their first rows.
            reading.tell(&mut waiting, |packet| file.key(packet.host, packet.time_ns) < reference.first);
            let has_packets = file
                .capture
                .block_info(reference.block)
                .is_ok_and(|info| info.statistics.rows_of(NET_PACKET) > 0);
            // What cannot be read is told when it is copied.
            if has_packets && let Ok(block) = file.capture.block(reference.block, &mut scratch) {
                let _ = packets(&block, &mut |packet, wall_ns| match wall_ns < from {
                    true => waiting.push(packet),
                    false => reading.goes_on(packet.stream),
                });
            }
        }
        reading.tell(&mut waiting, |_| true);
        reading.begun()
    }

    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Whether a packet is one of them.
    pub fn has(&self, host: u16, row: &Copied<'_>) -> bool {
        if self.0.is_empty() || row.event.id != NET_PACKET {
            return false;
        }
        let stream = stream(host, row.event, &Args::List(row.args));
        stream.and_then(|(stream, ..)| self.0.get(&stream)).is_some_and(|since| row.time_ns >= *since)
    }
}

/// Calls `see` with the packets of streams of a block, and their wall clock.
fn packets(block: &format::Block, see: &mut dyn FnMut(Packet, i64)) -> format::Result<()> {
    let Some((code, event)) = (0u16..)
        .zip(block.event_list())
        .find(|(_, event)| **event == NET_PACKET)
        .and_then(|(code, event)| Some((code, events::catalogue::by_id(*event)?)))
    else {
        return Ok(());
    };
    let (clock, table) = (block.clock(), block.args(code));
    let rows = block.times()?.iter().zip(block.event_codes()?).filter(|(_, of)| **of == code);
    for (ordinal, (time_ns, _)) in rows.enumerate() {
        let values: Vec<Raw<'_>> = (0..event.args.len())
            .map(|position| table.get(ordinal, position))
            .collect::<format::Result<_>>()?;
        let Some((stream, data, length)) = stream(block.host(), event, &Args::List(&values)) else {
            continue;
        };
        let packet = Packet { time_ns: *time_ns, host: block.host(), stream, data: data.to_vec(), length };
        see(packet, clock.wall(*time_ns) as i64);
    }
    Ok(())
}

/// The stream that a packet is of, its bytes and its length on the wire.
fn stream<'a>(host: u16, event: &events::Event, args: &Args<'a>) -> Option<(Stream, &'a [u8], u64)> {
    let arg = |name| event.arg(name).map_or(Raw::Missing, |(position, _)| args.get(position));
    let number = |name| if let Raw::Number(number) = arg(name) { number } else { 0 };
    let Raw::Bytes(data) = arg("data") else { return None };
    let length = number("length");
    let part = segment(data, length)?;
    let stream = Key {
        host: host.into(),
        cookie: number("cookie"),
        direction: number("direction") as u8,
        source: part.source,
        destination: part.destination,
    };
    Some((stream, data, length))
}

/// Streams as they are read, and when their last two messages began.
#[derive(Default)]
struct Reading {
    streams: Streams<IpAddr, ()>,
    began: HashMap<Stream, (u64, u64)>,
    /// Those with packets in the cut.
    go_on: HashSet<Stream>,
}

/// Streams that are known here and no longer held there are looked for when there are so many.
const KNOWN: usize = 16 << 10;

impl Reading {
    /// Tells the packets that are due, in order of time.
    fn tell(&mut self, waiting: &mut Vec<Packet>, is_due: impl Fn(&Packet) -> bool) {
        waiting.sort_by_key(|packet| packet.time_ns);
        for packet in waiting.extract_if(.., |packet| is_due(packet)) {
            let Packet { time_ns, stream, data, length, .. } = packet;
            let Some(part) = segment(&data, length) else { continue };
            let was_between = self.streams.is_between(&stream) != Some(false);
            let before = self.streams.next_sequence(&stream);
            self.streams.feed(stream, part.protocol, part.segment, || (), &mut Vec::new());
            if self.streams.is_between(&stream).is_none() {
                self.began.remove(&stream);
                continue;
            }
            let began = self.began.entry(stream).or_insert((time_ns, time_ns));
            // What was sent again begins no message.
            if was_between && self.streams.next_sequence(&stream) != before {
                // The message before is kept too: what of it is sent again is known then, as it is in the whole.
                *began = (began.1, time_ns);
            }
        }
        if self.began.len() > KNOWN {
            self.began.retain(|stream, _| self.streams.is_between(stream).is_some());
            self.go_on.retain(|stream| self.streams.is_between(stream).is_some());
        }
    }

    fn goes_on(&mut self, stream: Stream) {
        if self.streams.is_between(&stream).is_some() {
            self.go_on.insert(stream);
        }
    }

    fn begun(self) -> Begun {
        let Reading { streams, began, go_on } = self;
        let is_kept = |stream: &Stream| match streams.is_between(stream) {
            None => false,
            Some(is_between) => !is_between || go_on.contains(stream),
        };
        Begun(
            began
                .into_iter()
                .filter(|(stream, _)| is_kept(stream))
                .map(|(stream, (since, _))| (stream, since))
                .collect(),
        )
    }
}
