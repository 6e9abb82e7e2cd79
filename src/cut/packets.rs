//! Packets by the streams that they are of.

use std::net::IpAddr;

use events::catalogue::network::NET_PACKET;
use events::{Event, Raw};
use format::rewrite::Copied;
use pipeline::Args;
use pipeline::derive::packets::segment;
use pipeline::derive::packets::stream::Key;

/// One direction of a connection; the host is its number in its file, or that of its boot in the source: whatever tells hosts
/// apart where it is asked.
pub type Stream = Key<IpAddr>;

/// A packet that holds or changes anything of a stream.
pub struct Packet<'a> {
    pub stream: Stream,
    /// From its IP header on, and its length on the wire.
    pub data: &'a [u8],
    pub length: u64,
}

impl<'a> Packet<'a> {
    /// The packet that an event is; `None` of other events, and of packets that are of no stream.
    pub fn of(host: u32, event: &Event, args: &Args<'a>) -> Option<Packet<'a>> {
        if event.id != NET_PACKET {
            return None;
        }
        let arg = |name| event.arg(name).map_or(Raw::Missing, |(position, _)| args.get(position));
        let number = |name| if let Raw::Number(number) = arg(name) { number } else { 0 };
        let Raw::Bytes(data) = arg("data") else { return None };
        let length = number("length");
        let part = segment(data, length)?;
        let stream = Key {
            host,
            cookie: number("cookie"),
            direction: number("direction") as u8,
            source: part.source,
            destination: part.destination,
        };
        Some(Packet { stream, data, length })
    }

    pub fn of_row(host: u32, row: &Copied<'a>) -> Option<Packet<'a>> {
        Packet::of(host, row.event, &Args::List(row.args))
    }
}
