//! Sockets as the kernel sees them, packets, and what is derived from packets.

use super::declare::{CALL, arg, event, fd, int, sockaddr, text, u32, u64};
use crate::ArgKind::{Bytes, StrArray, Tree, U8, U16};
use crate::{Event, EventId, Len, Names, Set, Source};

pub const INET_SOCK_SET_STATE: EventId = EventId(1300);
pub const SOCKET_DUP: EventId = EventId(1301);
pub const SOCKET_ACCEPT: EventId = EventId(1302);
pub const NET_PACKET: EventId = EventId(1303);
pub const NET_PACKET_IPV4: EventId = EventId(1304);
pub const NET_PACKET_IPV6: EventId = EventId(1305);
pub const NET_PACKET_TCP: EventId = EventId(1306);
pub const NET_PACKET_UDP: EventId = EventId(1307);
pub const NET_PACKET_ICMP: EventId = EventId(1308);
pub const NET_PACKET_ICMPV6: EventId = EventId(1309);
pub const NET_PACKET_DNS: EventId = EventId(1310);
pub const NET_PACKET_DNS_REQUEST: EventId = EventId(1311);
pub const NET_PACKET_DNS_RESPONSE: EventId = EventId(1312);
pub const NET_PACKET_HTTP: EventId = EventId(1313);
pub const NET_PACKET_HTTP_REQUEST: EventId = EventId(1314);
pub const NET_PACKET_HTTP_RESPONSE: EventId = EventId(1315);
pub const NET_FLOW_TCP_BEGIN: EventId = EventId(1316);
pub const NET_FLOW_TCP_END: EventId = EventId(1317);
pub const NET_TCP_CONNECT: EventId = EventId(1318);

pub(super) const EVENTS: &[Event] = &[
    event(
        INET_SOCK_SET_STATE,
        "inet_sock_set_state",
        Source::Tracepoint("inet_sock_set_state"),
        &[Set::NetworkEvents],
        &[
            int("old_state").named(Names::TcpState),
            int("new_state").named(Names::TcpState),
            arg("protocol", "u16", U16).named(Names::IpProtocol),
            sockaddr("local_addr"),
            sockaddr("remote_addr"),
            arg("conn_direction", "u8", U8).named(Names::ConnDirection),
            u64("cookie"),
        ],
    ),
    event(
        SOCKET_DUP,
        "socket_dup",
        Source::Exit { of: &["dup", "dup2", "dup3", "fcntl"] },
        &[],
        &[fd("oldfd"), fd("newfd"), sockaddr("remote_addr"), CALL],
    ),
    event(
        SOCKET_ACCEPT,
        "socket_accept",
        Source::Exit { of: &["accept", "accept4"] },
        &[],
        &[fd("sockfd"), sockaddr("local_addr"), sockaddr("remote_addr"), CALL],
    ),
    event(
        NET_PACKET,
        "net_packet",
        Source::Packet,
        &[Set::NetworkEvents, Set::Packets],
        &[
            arg("data", "bytes", Bytes(Len::Probe)),
            u32("length"),
            arg("direction", "u8", U8).named(Names::PacketDirection),
            u32("ifindex"),
            u64("cookie"),
        ],
    ),
    event(
        NET_PACKET_IPV4,
        "net_packet_ipv4",
        Source::Derived { from: &["net_packet"] },
        &[Set::NetworkEvents],
        &[text("src"), text("dst"), arg("proto_ipv4", "trace.ProtoIPv4", Tree)],
    ),
    event(
        NET_PACKET_IPV6,
        "net_packet_ipv6",
        Source::Derived { from: &["net_packet"] },
        &[Set::NetworkEvents],
        &[text("src"), text("dst"), arg("proto_ipv6", "trace.ProtoIPv6", Tree)],
    ),
    event(
        NET_PACKET_TCP,
        "net_packet_tcp",
        Source::Derived { from: &["net_packet"] },
        &[Set::NetworkEvents],
        &[
            text("src"),
            text("dst"),
            arg("src_port", "u16", U16),
            arg("dst_port", "u16", U16),
            arg("proto_tcp", "trace.ProtoTCP", Tree),
        ],
    ),
    event(
        NET_PACKET_UDP,
        "net_packet_udp",
        Source::Derived { from: &["net_packet"] },
        &[Set::NetworkEvents],
        &[
            text("src"),
            text("dst"),
            arg("src_port", "u16", U16),
            arg("dst_port", "u16", U16),
            arg("proto_udp", "trace.ProtoUDP", Tree),
        ],
    ),
    event(
        NET_PACKET_ICMP,
        "net_packet_icmp",
        Source::Derived { from: &["net_packet"] },
        &[Set::Default, Set::NetworkEvents],
        &[text("src"), text("dst"), arg("proto_icmp", "trace.ProtoICMP", Tree)],
    ),
    event(
        NET_PACKET_ICMPV6,
        "net_packet_icmpv6",
        Source::Derived { from: &["net_packet"] },
        &[Set::Default, Set::NetworkEvents],
        &[text("src"), text("dst"), arg("proto_icmpv6", "trace.ProtoICMPv6", Tree)],
    ),
    event(
        NET_PACKET_DNS,
        "net_packet_dns",
        Source::Derived { from: &["net_packet"] },
        &[Set::NetworkEvents],
        &[
            text("src"),
            text("dst"),
            arg("src_port", "u16", U16),
            arg("dst_port", "u16", U16),
            arg("proto_dns", "trace.ProtoDNS", Tree),
        ],
    ),
    event(
        NET_PACKET_DNS_REQUEST,
        "net_packet_dns_request",
        Source::Derived { from: &["net_packet"] },
        &[Set::Default, Set::NetworkEvents],
        &[arg("metadata", "trace.PktMeta", Tree), arg("dns_questions", "[]trace.DnsQueryData", Tree)],
    ),
    event(
        NET_PACKET_DNS_RESPONSE,
        "net_packet_dns_response",
        Source::Derived { from: &["net_packet"] },
        &[Set::Default, Set::NetworkEvents],
        &[arg("metadata", "trace.PktMeta", Tree), arg("dns_response", "[]trace.DnsResponseData", Tree)],
    ),
    event(
        NET_PACKET_HTTP,
        "net_packet_http",
        Source::Derived { from: &["net_packet"] },
        &[Set::NetworkEvents],
        &[
            text("src"),
            text("dst"),
            arg("src_port", "u16", U16),
            arg("dst_port", "u16", U16),
            arg("proto_http", "trace.ProtoHTTP", Tree),
        ],
    ),
    event(
        NET_PACKET_HTTP_REQUEST,
        "net_packet_http_request",
        Source::Derived { from: &["net_packet"] },
        &[Set::Default, Set::NetworkEvents],
        &[arg("metadata", "trace.PktMeta", Tree), arg("http_request", "trace.ProtoHTTPRequest", Tree)],
    ),
    event(
        NET_PACKET_HTTP_RESPONSE,
        "net_packet_http_response",
        Source::Derived { from: &["net_packet"] },
        &[Set::Default, Set::NetworkEvents],
        &[arg("metadata", "trace.PktMeta", Tree), arg("http_response", "trace.ProtoHTTPResponse", Tree)],
    ),
    event(
        NET_FLOW_TCP_BEGIN,
        "net_flow_tcp_begin",
        Source::Derived { from: &["inet_sock_set_state"] },
        &[Set::NetworkEvents, Set::Flows],
        &[
            text("conn_direction"),
            text("src"),
            text("dst"),
            arg("src_port", "u16", U16),
            arg("dst_port", "u16", U16),
            arg("src_dns", "const char*const*", StrArray),
            arg("dst_dns", "const char*const*", StrArray),
        ],
    ),
    event(
        NET_FLOW_TCP_END,
        "net_flow_tcp_end",
        Source::Derived { from: &["inet_sock_set_state"] },
        &[Set::NetworkEvents, Set::Flows],
        &[
            text("conn_direction"),
            text("src"),
            text("dst"),
            arg("src_port", "u16", U16),
            arg("dst_port", "u16", U16),
            arg("src_dns", "const char*const*", StrArray),
            arg("dst_dns", "const char*const*", StrArray),
        ],
    ),
    event(
        NET_TCP_CONNECT,
        "net_tcp_connect",
        Source::Derived { from: &["inet_sock_set_state"] },
        &[Set::Default, Set::Flows],
        &[text("dst"), int("dst_port"), arg("dst_dns", "const char*const*", StrArray)],
    ),
];
