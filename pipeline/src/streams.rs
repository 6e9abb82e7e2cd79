//! Messages of TCP streams: DNS over TCP and HTTP.
//!
//! Packets are told in order of time, whatever blocks they stand in, and a message goes with the packet that completed it:
//! what is derived from that packet is read from the message. What is not complete when the recording of a host ends is told
//! there, as a copy of its last packet. So the answer depends neither on how rows are cut into blocks and files nor on threads.

mod unended;

use std::collections::BTreeMap;
use std::net::IpAddr;

use events::catalogue::{self, network::NET_PACKET};
use events::{Context, Raw};

use scopes::LineageBits;

use crate::derive::packets;
use crate::derive::packets::stream::{Key, Message, Streams};
use crate::stage::{Reads, Told};
pub(crate) use unended::{LastPacket, ready};

/// The streams of all boots, and the messages of rows that are still to be judged.
#[derive(Clone, Debug)]
pub(crate) struct StreamState {
    streams: Streams<IpAddr, LastPacket>,
    /// By job: rows and what they completed.
    found: BTreeMap<usize, Vec<(u32, Message)>>,
    messages: Vec<Message>,
    args: Positions,
}

/// Where the arguments of packets stand.
#[derive(Clone, Copy, Debug)]
struct Positions {
    data: usize,
    length: usize,
    direction: usize,
    cookie: usize,
}

/// What is read of packets.
pub(crate) fn reads() -> Vec<Reads> {
    vec![Reads::new(NET_PACKET, &["data", "length", "direction", "ifindex", "cookie"], true)]
}

impl Default for StreamState {
    fn default() -> StreamState {
        let declared = catalogue::by_id(NET_PACKET);
        let position = |name| declared.and_then(|event| event.arg(name)).map_or(usize::MAX, |(at, _)| at);
        let args = Positions {
            data: position("data"),
            length: position("length"),
            direction: position("direction"),
            cookie: position("cookie"),
        };
        StreamState { streams: Streams::default(), found: BTreeMap::new(), messages: Vec::new(), args }
    }
}

impl StreamState {
    /// The messages of a job's rows, in order. Jobs come in order: what is there for one before it is nobody's.
    pub fn take(&mut self, job: usize) -> Vec<(u32, Message)> {
        let later = self.found.split_off(&(job + 1));
        let mut messages = self.found.remove(&job).unwrap_or_default();
        self.found = later;
        // Rows of a block whose times go back were told in order of time.
        messages.sort_by_key(|(row, _)| *row);
        messages
    }

    /// What is not complete when there are no more packets of a boot.
    pub fn end(&mut self, boot: usize) -> Vec<(LastPacket, Vec<Message>)> {
        self.streams.finish(boot as u32)
    }

    /// `lineage`: of a packet's task.
    pub fn tell(&mut self, row: &Told<'_>, lineage: impl Fn(&Context<'_>) -> LineageBits) {
        let Positions { data, length, direction, cookie } = self.args;
        if row.event != NET_PACKET {
            return;
        }
        let Raw::Bytes(bytes) = row.arg(data) else { return };
        let Some(packet) = packets::segment(bytes, row.number(length).unwrap_or_default()) else { return };
        let key = Key {
            host: row.of.boot as u32,
            cookie: row.number(cookie).unwrap_or_default(),
            direction: row.number(direction).unwrap_or_default() as u8,
            source: packet.source,
            destination: packet.destination,
        };
        let last = || LastPacket::of(row, lineage);
        self.streams.feed(key, packet.protocol, packet.segment, last, &mut self.messages);
        let found = self.messages.drain(..).map(|message| (row.row, message));
        if row.of.is_chosen {
            let mut found = found.peekable();
            if found.peek().is_some() {
                self.found.entry(row.of.job).or_default().extend(found);
            }
        }
    }
}
