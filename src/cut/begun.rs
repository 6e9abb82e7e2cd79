//! Streams that are under way when a cut begins: the packets from which their messages are read on. They are kept unseen, so that
//! the cut gives the messages that the whole capture gives from there on.

use std::collections::HashMap;

use events::Raw;
use events::catalogue::network::NET_PACKET;
use format::Scratch;
use format::rewrite::Copied;
use pipeline::derive::packets::segment;
use pipeline::derive::packets::stream::Restarts;
use pipeline::{Args, Source};

use super::packets::{Packet, Stream};

/// By stream, the boot-clock time of its first packet that is kept.
#[derive(Default)]
pub struct Begun(HashMap<Stream, u64>);

/// A packet on its way into its stream.
struct Waiting {
    time_ns: u64,
    stream: Stream,
    data: Vec<u8>,
    length: u64,
    /// Of the stretch of time that is cut out.
    is_kept: bool,
}

/// How far the clocks of a block may be from what is known of its host's, ns.
const TOLERANCE_NS: i64 = 1_000_000_000;

impl Begun {
    /// Of the streams that are under way when a stretch of the wall clock begins, in the only file of a source. What the streams
    /// hold is bounded as when they are read, and nothing else is held but the packets of blocks that overlap.
    pub fn of(source: &Source, (from, to): (i64, i64)) -> Begun {
        let Some(file) = source.files().first() else { return Begun::default() };
        let is_before = |block: usize, time: i64| {
            let info = file.capture.block_info(block);
            info.is_ok_and(|info| file.wall(info.host(), info.statistics.first_ns) < time)
        };
        let blocks = source.blocks();
        // Behind the last block with rows from before, nothing changes what is needed.
        let end = from.saturating_add(TOLERANCE_NS);
        let fed = blocks.iter().rposition(|it| is_before(it.block, end)).map_or(0, |last| last + 1);
        let (mut restarts, mut waiting) = (Restarts::default(), Vec::new());
        let mut scratch = Scratch::new();
        for (at, reference) in blocks.iter().enumerate() {
            // Blocks come in order of their first rows.
            let is_due =
                |packet: &Waiting| file.key(packet.stream.host as u16, packet.time_ns) < reference.first;
            feed(&mut restarts, &mut waiting, is_due);
            let has_packets = file
                .capture
                .block_info(reference.block)
                .is_ok_and(|info| info.statistics.rows_of(NET_PACKET) > 0);
            if !has_packets || !is_before(reference.block, to.saturating_add(TOLERANCE_NS)) {
                continue;
            }
            // What cannot be read is told when it is copied.
            let Ok(block) = file.capture.block(reference.block, &mut scratch) else { continue };
            if at >= fed {
                feed(&mut restarts, &mut waiting, |_| true);
            }
            let _ = packets(&block, &mut |packet, time_ns, wall_ns| {
                let (stream, is_kept) = (packet.stream, wall_ns >= from);
                if at < fed {
                    let data = packet.data.to_vec();
                    waiting.push(Waiting { time_ns, stream, data, length: packet.length, is_kept });
                } else if is_kept && wall_ns < to {
                    restarts.goes_on(&stream);
                }
            });
        }
        feed(&mut restarts, &mut waiting, |_| true);
        Begun(restarts.needed())
    }

    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Whether a packet is one of them.
    pub fn has(&self, host: u16, row: &Copied<'_>) -> bool {
        if self.is_empty() {
            return false;
        }
        let since = Packet::of_row(host.into(), row).and_then(|packet| self.0.get(&packet.stream));
        since.is_some_and(|since| row.time_ns >= *since)
    }
}

/// Tells the packets that are due, in order of time.
fn feed(
    restarts: &mut Restarts<std::net::IpAddr>,
    waiting: &mut Vec<Waiting>,
    is_due: impl Fn(&Waiting) -> bool,
) {
    waiting.sort_by_key(|packet| packet.time_ns);
    for Waiting { time_ns, stream, data, length, is_kept } in waiting.extract_if(.., |packet| is_due(packet))
    {
        if let Some(part) = segment(&data, length) {
            restarts.feed(stream, part.protocol, part.segment, time_ns, is_kept);
        }
    }
}

/// Calls `see` with the packets of streams of a block, their boot and their wall clock.
fn packets(block: &format::Block, see: &mut dyn FnMut(Packet<'_>, u64, i64)) -> format::Result<()> {
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
        if let Some(packet) = Packet::of(block.host().into(), event, &Args::List(&values)) {
            see(packet, *time_ns, clock.wall(*time_ns) as i64);
        }
    }
    Ok(())
}
