//! Protocols of a captured packet. Its bytes come from whoever sent it: everything is parsed by libraries that take
//! hostile input, nothing is indexed unchecked, and a packet that the snap length cut gives what could still be read.

mod dns;
mod http;
mod ip;
pub mod stream;

use std::net::IpAddr;

use etherparse::{LaxNetSlice, LaxSlicedPacket, TransportSlice};
use events::Raw;

use super::{Base, Derived, tree::Members};
use stream::{Protocol, Segment};

/// The recorded event that all of these come from: the packet's bytes from the IP header on.
pub const BASE: &str = "net_packet";

pub const GIVES: &[&str] = &[
    "net_packet_ipv4",
    "net_packet_ipv6",
    "net_packet_tcp",
    "net_packet_udp",
    "net_packet_icmp",
    "net_packet_icmpv6",
    "net_packet_dns",
    "net_packet_dns_request",
    "net_packet_dns_response",
    "net_packet_http",
    "net_packet_http_request",
    "net_packet_http_response",
];

/// Those that are read from streams, where packets are of any.
pub const OF_STREAMS: &[&str] = &[
    "net_packet_dns",
    "net_packet_dns_request",
    "net_packet_dns_response",
    "net_packet_http",
    "net_packet_http_request",
    "net_packet_http_response",
];

/// The port that DNS servers answer on.
const DNS_PORT: u16 = 53;

/// What every packet has, once its IP header is read.
#[derive(Clone, Copy, Debug)]
struct Packet<'a> {
    base: &'a Base<'a>,
    source: IpAddr,
    destination: IpAddr,
    /// Zero where the protocol has no ports.
    source_port: u16,
    destination_port: u16,
    /// IP protocol number.
    protocol: u8,
    /// Of the whole packet on the wire, as its IP header says.
    length: u32,
    /// Bytes at the packet's end that were not kept.
    not_kept: u32,
}

pub fn derive(base: &Base<'_>, derived: &mut Derived) {
    // The bytes are the event's only buffer, whatever its name.
    let bytes = (0..base.event.args.len()).find_map(|position| match base.args.get(position) {
        Raw::Bytes(bytes) if matches!(base.event.args[position].kind, events::ArgKind::Bytes(_)) => {
            Some(bytes)
        }
        _ => None,
    });
    let Some(Ok(sliced)) = bytes.map(LaxSlicedPacket::from_ip) else { return };
    let Some(net) = &sliced.net else { return };
    let Some(mut packet) = ip::packet(base, net) else { return };
    let kept = bytes.map_or(0, <[u8]>::len) as u64;
    packet.not_kept = base.number("length").map_or(0, |length| length.saturating_sub(kept)) as u32;
    match &sliced.transport {
        Some(TransportSlice::Tcp(tcp)) => {
            (packet.source_port, packet.destination_port) = (tcp.source_port(), tcp.destination_port());
        }
        Some(TransportSlice::Udp(udp)) => {
            (packet.source_port, packet.destination_port) = (udp.source_port(), udp.destination_port());
        }
        _ => {}
    }
    if base.only_messages {
        messages(&packet, derived);
        return;
    }
    match net {
        LaxNetSlice::Ipv4(header) => ip::v4(&packet, &header.header(), derived),
        LaxNetSlice::Ipv6(header) => ip::v6(&packet, &header.header(), derived),
        LaxNetSlice::Arp(_) => return,
    }
    match &sliced.transport {
        Some(TransportSlice::Tcp(tcp)) => {
            ip::tcp(&packet, tcp, derived);
            messages(&packet, derived);
        }
        Some(TransportSlice::Udp(udp)) => {
            ip::udp(&packet, udp, derived);
            if packet.has_port(DNS_PORT) {
                dns::derive(&packet, udp.payload(), packet.not_kept > 0, derived);
            }
        }
        Some(TransportSlice::Icmpv4(icmp)) => ip::icmp(&packet, icmp, derived),
        Some(TransportSlice::Icmpv6(icmp)) => ip::icmpv6(&packet, icmp, derived),
        _ => {}
    }
}

/// What the packet completed of its stream.
fn messages(packet: &Packet<'_>, derived: &mut Derived) {
    for (_, message) in packet.base.messages {
        match message.protocol {
            Protocol::Dns => dns::derive(packet, &message.bytes, message.is_cut, derived),
            Protocol::Http => http::derive(packet, &message.bytes, message.is_cut, derived),
        }
    }
}

/// Address and port of the source and of the destination.
pub type Ends = ((IpAddr, u16), (IpAddr, u16));

/// A TCP segment that holds or changes anything of a stream.
#[derive(Clone, Copy, Debug)]
pub struct StreamPart<'a> {
    pub source: (IpAddr, u16),
    pub destination: (IpAddr, u16),
    pub protocol: Protocol,
    pub segment: Segment<'a>,
}

/// The part of a packet that belongs to a stream. `length`: of the packet on the wire.
pub fn segment(bytes: &[u8], length: u64) -> Option<StreamPart<'_>> {
    let sliced = LaxSlicedPacket::from_ip(bytes).ok()?;
    let Some(TransportSlice::Tcp(tcp)) = &sliced.transport else { return None };
    let (source, destination) = ip::ends(sliced.net.as_ref()?)?;
    let kept = tcp.payload();
    let not_kept = length.saturating_sub(bytes.len() as u64);
    let segment = Segment {
        sequence: tcp.sequence_number(),
        syn: tcp.syn(),
        ends: tcp.fin() || tcp.rst(),
        kept,
        length: u32::try_from(kept.len() as u64 + not_kept).ok()?,
    };
    if segment.length == 0 && !segment.syn && !segment.ends {
        return None;
    }
    let is_dns = [tcp.source_port(), tcp.destination_port()].contains(&DNS_PORT);
    let protocol = if is_dns { Protocol::Dns } else { Protocol::Http };
    let (source, destination) = ((source, tcp.source_port()), (destination, tcp.destination_port()));
    Some(StreamPart { source, destination, protocol, segment })
}

impl Packet<'_> {
    fn has_port(&self, port: u16) -> bool {
        self.source_port == port || self.destination_port == port
    }

    /// Fills the arguments that events of packets share; which of them an event declares is its own affair.
    fn common(&self, derived: &mut Derived) {
        derived.bytes("src", |out| out.extend_from_slice(self.source.to_string().as_bytes()));
        derived.bytes("dst", |out| out.extend_from_slice(self.destination.to_string().as_bytes()));
        derived.number("src_port", self.source_port.into());
        derived.number("dst_port", self.destination_port.into());
        derived.members("metadata", |members| self.metadata(members));
    }

    fn metadata(&self, members: &mut Members<'_>) {
        members
            .text("src_ip", self.source.to_string())
            .text("dst_ip", self.destination.to_string())
            .number("src_port", self.source_port)
            .number("dst_port", self.destination_port)
            .number("protocol", self.protocol)
            .number("packet_len", self.length)
            .text("iface", self.interface());
    }

    /// The interface's number: its name is not recorded with the packet.
    fn interface(&self) -> String {
        self.base.number("ifindex").map(|index| index.to_string()).unwrap_or_default()
    }
}
