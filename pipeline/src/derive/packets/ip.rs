//! IP, TCP, UDP and ICMP headers.

use std::net::IpAddr;

use etherparse::{
    Icmpv4Slice, Icmpv6Slice, Ipv4HeaderSlice, Ipv6HeaderSlice, LaxNetSlice, TcpSlice, UdpSlice,
};

use super::{Base, Derived, Packet};

/// Source and destination.
pub fn ends(net: &LaxNetSlice<'_>) -> Option<(IpAddr, IpAddr)> {
    match net {
        LaxNetSlice::Ipv4(slice) => {
            Some((slice.header().source_addr().into(), slice.header().destination_addr().into()))
        }
        LaxNetSlice::Ipv6(slice) => {
            Some((slice.header().source_addr().into(), slice.header().destination_addr().into()))
        }
        LaxNetSlice::Arp(_) => None,
    }
}

pub fn packet<'a>(base: &'a Base<'a>, net: &LaxNetSlice<'_>) -> Option<Packet<'a>> {
    let (source, destination, protocol, length) = match net {
        LaxNetSlice::Ipv4(slice) => {
            let header = slice.header();
            let length = u32::from(header.total_len());
            (
                header.source_addr().into(),
                header.destination_addr().into(),
                slice.payload_ip_number().0,
                length,
            )
        }
        LaxNetSlice::Ipv6(slice) => {
            let header = slice.header();
            let length = u32::from(header.payload_length()) + 40;
            let protocol = slice.payload().ip_number.0;
            (header.source_addr().into(), header.destination_addr().into(), protocol, length)
        }
        LaxNetSlice::Arp(_) => return None,
    };
    Some(Packet {
        base,
        source,
        destination,
        source_port: 0,
        destination_port: 0,
        protocol,
        length,
        not_kept: 0,
    })
}

pub fn v4(packet: &Packet<'_>, header: &Ipv4HeaderSlice<'_>, derived: &mut Derived) {
    if !derived.begin("net_packet_ipv4") {
        return;
    }
    packet.common(derived);
    derived.members("proto_ipv4", |members| {
        let flags = u8::from(header.dont_fragment()) << 1 | u8::from(header.more_fragments());
        members
            .number("version", header.version())
            .number("IHL", header.ihl())
            .number("TOS", header.dcp().value() << 2 | header.ecn().value())
            .number("length", header.total_len())
            .number("id", header.identification())
            .number("flags", flags)
            .number("fragOffset", header.fragments_offset().value())
            .number("TTL", header.ttl())
            .text("protocol", protocol(header.protocol().0))
            .number("checksum", header.header_checksum())
            .text("srcIP", header.source_addr().to_string())
            .text("dstIP", header.destination_addr().to_string());
    });
}

pub fn v6(packet: &Packet<'_>, header: &Ipv6HeaderSlice<'_>, derived: &mut Derived) {
    if !derived.begin("net_packet_ipv6") {
        return;
    }
    packet.common(derived);
    derived.members("proto_ipv6", |members| {
        members
            .number("version", header.version())
            .number("trafficClass", header.traffic_class())
            .number("flowLabel", header.flow_label().value())
            .number("length", header.payload_length())
            .text("nextHeader", protocol(header.next_header().0))
            .number("hopLimit", header.hop_limit())
            .text("srcIP", header.source_addr().to_string())
            .text("dstIP", header.destination_addr().to_string());
    });
}

pub fn tcp(packet: &Packet<'_>, tcp: &TcpSlice<'_>, derived: &mut Derived) {
    if !derived.begin("net_packet_tcp") {
        return;
    }
    packet.common(derived);
    derived.members("proto_tcp", |members| {
        let flag = u8::from;
        members
            .number("srcPort", tcp.source_port())
            .number("dstPort", tcp.destination_port())
            .number("seq", tcp.sequence_number())
            .number("ack", tcp.acknowledgment_number())
            .number("dataOffset", tcp.data_offset())
            .number("FIN", flag(tcp.fin()))
            .number("SYN", flag(tcp.syn()))
            .number("RST", flag(tcp.rst()))
            .number("PSH", flag(tcp.psh()))
            .number("ACK", flag(tcp.ack()))
            .number("URG", flag(tcp.urg()))
            .number("ECE", flag(tcp.ece()))
            .number("CWR", flag(tcp.cwr()))
            .number("NS", flag(tcp.ns()))
            .number("window", tcp.window_size())
            .number("checksum", tcp.checksum())
            .number("urgent", tcp.urgent_pointer());
    });
}

pub fn udp(packet: &Packet<'_>, udp: &UdpSlice<'_>, derived: &mut Derived) {
    if !derived.begin("net_packet_udp") {
        return;
    }
    packet.common(derived);
    derived.members("proto_udp", |members| {
        members
            .number("srcPort", udp.source_port())
            .number("dstPort", udp.destination_port())
            .number("length", udp.length())
            .number("checksum", udp.checksum());
    });
}

pub fn icmp(packet: &Packet<'_>, icmp: &Icmpv4Slice<'_>, derived: &mut Derived) {
    if !derived.begin("net_packet_icmp") {
        return;
    }
    packet.common(derived);
    derived.members("proto_icmp", |members| {
        let [id0, id1, seq0, seq1] = icmp.bytes5to8();
        members
            .text("typeCode", icmp_type(icmp.type_u8(), icmp.code_u8()))
            .number("checksum", icmp.checksum())
            .number("id", u16::from_be_bytes([id0, id1]))
            .number("seq", u16::from_be_bytes([seq0, seq1]));
    });
}

pub fn icmpv6(packet: &Packet<'_>, icmp: &Icmpv6Slice<'_>, derived: &mut Derived) {
    if !derived.begin("net_packet_icmpv6") {
        return;
    }
    packet.common(derived);
    derived.members("proto_icmpv6", |members| {
        members
            .text("typeCode", icmpv6_type(icmp.type_u8(), icmp.code_u8()))
            .number("checksum", icmp.checksum());
    });
}

/// Names of IP protocols, as IANA and the packet library of Tracee write them; others are their number.
fn protocol(number: u8) -> String {
    let name = match number {
        0 => "IPv6HopByHop",
        1 => "ICMPv4",
        2 => "IGMP",
        4 => "IPv4",
        6 => "TCP",
        17 => "UDP",
        33 => "DCCP",
        41 => "IPv6",
        43 => "IPv6Routing",
        44 => "IPv6Fragment",
        47 => "GRE",
        50 => "ESP",
        51 => "AH",
        58 => "ICMPv6",
        59 => "NoNextHeader",
        60 => "IPv6Destination",
        89 => "OSPF",
        112 => "VRRP",
        132 => "SCTP",
        136 => "UDPLite",
        _ => return number.to_string(),
    };
    name.to_owned()
}

/// Types and codes of RFC 792 and its followers, `DestinationUnreachable(Port)`; others are numbers.
fn icmp_type(kind: u8, code: u8) -> String {
    let codes: &[&str] = match kind {
        3 => &[
            "Net",
            "Host",
            "Protocol",
            "Port",
            "FragmentationNeeded",
            "SourceRoutingFailed",
            "NetUnknown",
            "HostUnknown",
            "SourceIsolated",
            "NetAdminProhibited",
            "HostAdminProhibited",
            "NetTOS",
            "HostTOS",
            "CommAdminProhibited",
            "HostPrecedence",
            "PrecedenceCutoff",
        ],
        5 => &["Net", "Host", "TOS+Net", "TOS+Host"],
        11 => &["TTLExceeded", "FragmentReassemblyTimeExceeded"],
        12 => &["PointerIndicatesError", "MissingOption", "BadLength"],
        _ => &[],
    };
    let name = match kind {
        0 => "EchoReply",
        3 => "DestinationUnreachable",
        4 => "SourceQuench",
        5 => "Redirect",
        8 => "EchoRequest",
        9 => "RouterAdvertisement",
        10 => "RouterSolicitation",
        11 => "TimeExceeded",
        12 => "ParameterProblem",
        13 => "TimestampRequest",
        14 => "TimestampReply",
        15 => "InfoRequest",
        16 => "InfoReply",
        17 => "AddressMaskRequest",
        18 => "AddressMaskReply",
        _ => return format!("{kind}({code})"),
    };
    with_code(name, code, codes)
}

/// Types and codes of RFC 4443 and 4861.
fn icmpv6_type(kind: u8, code: u8) -> String {
    let codes: &[&str] = match kind {
        1 => &[
            "NoRouteToDst",
            "AdminProhibited",
            "BeyondScopeOfSrc",
            "AddressUnreachable",
            "PortUnreachable",
            "SrcAddressFailedPolicy",
            "RejectRouteToDst",
        ],
        3 => &["HopLimitExceeded", "FragmentReassemblyTimeExceeded"],
        4 => &["ErroneousHeader", "UnrecognizedNextHeader", "UnrecognizedIPv6Option"],
        _ => &[],
    };
    let name = match kind {
        1 => "DestinationUnreachable",
        2 => "PacketTooBig",
        3 => "TimeExceeded",
        4 => "ParameterProblem",
        128 => "EchoRequest",
        129 => "EchoReply",
        133 => "RouterSolicitation",
        134 => "RouterAdvertisement",
        135 => "NeighborSolicitation",
        136 => "NeighborAdvertisement",
        137 => "Redirect",
        _ => return format!("{kind}({code})"),
    };
    with_code(name, code, codes)
}

fn with_code(name: &str, code: u8, codes: &[&str]) -> String {
    match codes.get(usize::from(code)) {
        Some(code) => format!("{name}({code})"),
        None if code == 0 => name.to_owned(),
        None => format!("{name}({code})"),
    }
}
