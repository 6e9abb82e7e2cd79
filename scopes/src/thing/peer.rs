//! Other ends of connections: what descriptors, socket addresses and packets say of them.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use etherparse::{LaxNetSlice, LaxSlicedPacket, TransportSlice};
use events::show::{self, Leaf};
use events::{ArgKind, Event, Raw, descriptor};

use super::{Place, is_text, position};
use crate::pattern::Pattern;

/// Calls whose address is the socket's own.
const OWN: &[&str] = &["bind", "getsockname"];

pub(super) fn place(event: &Event, at: usize) -> Option<Place> {
    let arg = event.args.get(at)?;
    match (arg.kind, arg.name) {
        (ArgKind::Fd, _) => Some(Place::Descriptor(at)),
        (ArgKind::Sockaddr(_), name) => {
            (name != "local_addr" && !OWN.contains(&event.name)).then_some(Place::Address(at))
        }
        (ArgKind::Msghdr | ArgKind::Mmsghdr(_), _) => Some(Place::Message(at)),
        // Of a mount and of what else has a source, that is no address.
        (kind, "src" | "src_ip") if is_text(kind) && has_destination(event) => {
            Some(Place::Text(at, position(event, "src_port")))
        }
        (kind, "dst" | "dst_ip") if is_text(kind) => Some(Place::Text(at, position(event, "dst_port"))),
        (ArgKind::Tree, "metadata") => Some(Place::Metadata(at)),
        (ArgKind::Bytes(_), "data") if event.id == events::catalogue::network::NET_PACKET => {
            Some(Place::Packet(at))
        }
        _ => None,
    }
}

fn has_destination(event: &Event) -> bool {
    event.args.iter().any(|arg| matches!(arg.name, "dst" | "dst_ip"))
}

/// Calls `found` with each end that an event names at a place, given the values there. Port 0 is none.
pub fn each<'a>(
    event: &Event,
    place: Place,
    value: Raw<'a>,
    other: Raw<'a>,
    found: &mut dyn FnMut(SocketAddr),
) {
    match place {
        Place::Descriptor(_) => {
            let remote =
                value.descriptor().and_then(|(_, text)| descriptor::ends(text)).and_then(|it| it.remote);
            remote.and_then(end).into_iter().for_each(found);
        }
        Place::Address(at) => members(event, at, value, "", found),
        Place::Message(at) => members(event, at, value, "msg_name.", found),
        Place::Text(..) => {
            let port = match other {
                Raw::Number(port) => u16::try_from(port).unwrap_or(0),
                _ => 0,
            };
            if let Raw::Bytes(text) = value
                && let Some(address) = address(text)
            {
                found(SocketAddr::new(address, port));
            }
        }
        Place::Metadata(at) => {
            for side in ["src", "dst"] {
                pair(event, at, value, &format!("{side}_ip"), &format!("{side}_port"), found);
            }
        }
        Place::Packet(_) => {
            if let Raw::Bytes(bytes) = value {
                packet(bytes, found);
            }
        }
        Place::Path(..) => {}
    }
}

/// The addresses below a member of a value.
fn members<'a>(event: &Event, at: usize, value: Raw<'a>, below: &str, found: &mut dyn FnMut(SocketAddr)) {
    pair(event, at, value, &format!("{below}sin_addr"), &format!("{below}sin_port"), found);
    pair(event, at, value, &format!("{below}sin6_addr"), &format!("{below}sin6_port"), found);
}

/// Addresses and ports by the names of their members, of which a list has several.
fn pair<'a>(
    event: &Event,
    at: usize,
    value: Raw<'a>,
    address: &str,
    port: &str,
    found: &mut dyn FnMut(SocketAddr),
) {
    let arg = |position: usize| if position == at { value } else { Raw::Missing };
    let (mut addresses, mut ports) = (Vec::new(), Vec::new());
    show::find(event, at, &arg, address, &mut |leaf| addresses.push(address_of(&leaf)));
    if addresses.is_empty() {
        return;
    }
    show::find(event, at, &arg, port, &mut |leaf| {
        ports.push(leaf.number().and_then(|it| u16::try_from(it).ok()))
    });
    for (at, address) in addresses.into_iter().enumerate() {
        if let Some(address) = address {
            found(SocketAddr::new(address, ports.get(at).copied().flatten().unwrap_or(0)));
        }
    }
}

fn address_of(leaf: &Leaf<'_>) -> Option<IpAddr> {
    match leaf {
        Leaf::Ipv4(bytes) => Some(IpAddr::from(*bytes)),
        Leaf::Ipv6(bytes) => Some(IpAddr::from(*bytes).to_canonical()),
        Leaf::Text(text) => address(text),
        _ => None,
    }
}

/// Source and destination of a packet; nothing of one that is none.
fn packet(bytes: &[u8], found: &mut dyn FnMut(SocketAddr)) {
    let Ok(sliced) = LaxSlicedPacket::from_ip(bytes) else { return };
    let (source, destination): (IpAddr, IpAddr) = match &sliced.net {
        Some(LaxNetSlice::Ipv4(slice)) => {
            (slice.header().source_addr().into(), slice.header().destination_addr().into())
        }
        Some(LaxNetSlice::Ipv6(slice)) => {
            (slice.header().source_addr().into(), slice.header().destination_addr().into())
        }
        _ => return,
    };
    let (from, to) = match &sliced.transport {
        Some(TransportSlice::Tcp(tcp)) => (tcp.source_port(), tcp.destination_port()),
        Some(TransportSlice::Udp(udp)) => (udp.source_port(), udp.destination_port()),
        _ => (0, 0),
    };
    found(SocketAddr::new(source.to_canonical(), from));
    found(SocketAddr::new(destination.to_canonical(), to));
}

fn address(text: &[u8]) -> Option<IpAddr> {
    let address: IpAddr = std::str::from_utf8(text).ok()?.parse().ok()?;
    Some(address.to_canonical())
}

/// An end as descriptors show it: `10.0.0.2:443`, `[::1]:53`; IPv4 within IPv6 as what it is.
pub fn end(text: &[u8]) -> Option<SocketAddr> {
    let end: SocketAddr = std::str::from_utf8(text).ok()?.parse().ok()?;
    Some(SocketAddr::new(end.ip().to_canonical(), end.port()))
}

/// Which peers a filter asks for.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Peer {
    /// Addresses whose first bits are these, at this port where there is one.
    Net {
        address: IpAddr,
        bits: u8,
        port: Option<u16>,
    },
    Port(u16),
    /// Addresses as they are written, with or without their port, by a text with wildcards that is no name: none is made of
    /// numbers alone.
    Written(Pattern, Option<u16>),
    /// Names that DNS answers gave, in lower case, or with wildcards also addresses as they are written; at this port where
    /// there is one.
    Name(Pattern, Option<u16>),
}

/// What is wrong with a peer, and what to do about it.
pub(crate) type Wrong = (String, Option<&'static str>);

impl Peer {
    pub(crate) fn parse(text: &str) -> Result<Peer, Wrong> {
        if text.starts_with('/') {
            return Err((
                format!("{text:?} is a path, and no end of a connection"),
                Some("file=PATH, which also asks for unix sockets by their paths"),
            ));
        }
        if let Ok(address) = text.parse::<IpAddr>() {
            return Ok(Peer::host(address, None));
        }
        let port = text.strip_prefix("*:").or(text.strip_prefix(':'));
        if let Some(port) = port.filter(|port| !port.contains([':', '*', '/'])) {
            return Ok(Peer::Port(port_of(port)?));
        }
        if let Some((front, port)) = text.rsplit_once(':')
            && let Some(address) = bracketed(front)
            && (port == "*" || !port.contains('*'))
        {
            let port = if port == "*" { None } else { Some(port_of(port)?) };
            return Ok(Peer::host(address, port));
        }
        if let Some(address) = text.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')) {
            return match address.parse::<IpAddr>() {
                Ok(address) => Ok(Peer::host(address, None)),
                Err(_) => Err((format!("{address:?} is no address"), None)),
            };
        }
        if let Some((address, bits)) = text.split_once('/') {
            return net(address, bits);
        }
        let looks_like_address =
            |text: &str| text.contains('.') && text.bytes().all(|byte| byte.is_ascii_digit() || byte == b'.');
        let front = text.split(':').next().unwrap_or(text);
        if looks_like_address(front) && front.parse::<IpAddr>().is_err() {
            let hint = "all four numbers from 0 to 255; with * for the rest (10.0.*), or 10.0.0.0/16";
            return Err((format!("{front:?} is no address"), Some(hint)));
        }
        let (name, port) = match text.rsplit_once(':') {
            Some((name, port)) if !name.contains(':') && port.bytes().all(|it| it.is_ascii_digit()) => {
                (name, Some(port_of(port)?))
            }
            _ => (text, None),
        };
        if !name.contains('*') && !is_name(name) {
            return Err((format!("{name:?} is neither an address nor a name"), None));
        }
        let is_of_address = |byte: u8| byte.is_ascii_digit() || matches!(byte, b'.' | b'*');
        if name.contains('*') && (name.contains(':') || name.bytes().all(is_of_address)) {
            return Ok(Peer::Written(Pattern::parse(&name.to_ascii_lowercase()), port));
        }
        Ok(Peer::Name(Pattern::parse(&name.trim_end_matches('.').to_ascii_lowercase()), port))
    }

    pub(crate) fn host(address: IpAddr, port: Option<u16>) -> Peer {
        let address = address.to_canonical();
        Peer::Net { address, bits: width(address), port }
    }
}

fn bracketed(front: &str) -> Option<IpAddr> {
    match front.strip_prefix('[') {
        Some(rest) => rest.strip_suffix(']')?.parse().ok(),
        None => front.parse::<Ipv4Addr>().ok().map(IpAddr::from),
    }
}

fn port_of(text: &str) -> Result<u16, Wrong> {
    match text.parse::<u16>() {
        Ok(port) if port > 0 && text.bytes().all(|it| it.is_ascii_digit()) => Ok(port),
        _ => Err((format!("{text:?} is no port"), Some("a port from 1 to 65535"))),
    }
}

fn net(address: &str, text: &str) -> Result<Peer, Wrong> {
    let Ok(address) = address.parse::<IpAddr>() else {
        return Err((format!("{address:?} is no address"), Some("ADDRESS/BITS, such as 10.0.0.0/8")));
    };
    let (bits, port) = match text.split_once(':') {
        Some((bits, port)) => (bits, Some(port_of(port)?)),
        None => (text, None),
    };
    let address = address.to_canonical();
    match bits.parse::<u8>() {
        Ok(bits) if bits <= width(address) => Ok(Peer::Net { address: masked(address, bits), bits, port }),
        _ => {
            let most = if address.is_ipv4() {
                "a number of bits from 0 to 32"
            } else {
                "a number of bits from 0 to 128"
            };
            Err((format!("{bits:?} is no number of bits of {address}"), Some(most)))
        }
    }
}

fn is_name(text: &str) -> bool {
    !text.is_empty() && text.chars().all(|it| it.is_alphanumeric() || matches!(it, '.' | '-' | '_' | '\\'))
}

/// The bits of an address.
pub(crate) fn width(address: IpAddr) -> u8 {
    if address.is_ipv4() { 32 } else { 128 }
}

/// The first bits of an address, and no others.
pub(crate) fn masked(address: IpAddr, bits: u8) -> IpAddr {
    match address {
        IpAddr::V4(address) => {
            let mask = u32::MAX.checked_shl(32u32.saturating_sub(bits.into())).unwrap_or(0);
            Ipv4Addr::from_bits(address.to_bits() & mask).into()
        }
        IpAddr::V6(address) => {
            let mask = u128::MAX.checked_shl(128u32.saturating_sub(bits.into())).unwrap_or(0);
            Ipv6Addr::from_bits(address.to_bits() & mask).into()
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(text: &str) -> Peer {
        Peer::parse(text).unwrap_or_else(|(wrong, _)| panic!("{text}: {wrong}"))
    }

    #[test]
    fn addresses_nets_ports_and_names_are_told_apart() {
        let host = |text: &str, port| Peer::host(text.parse().unwrap(), port);
        assert_eq!(of("10.0.0.9"), host("10.0.0.9", None));
        assert_eq!(of("10.0.0.9:443"), host("10.0.0.9", Some(443)));
        assert_eq!(of("::1"), host("::1", None));
        assert_eq!(of("[::1]:53"), host("::1", Some(53)));
        assert_eq!(of("[::1]"), host("::1", None));
        assert_eq!(of("::ffff:10.0.0.9"), host("10.0.0.9", None));
        assert_eq!(of(":443"), Peer::Port(443));
        assert_eq!(of("*:443"), Peer::Port(443));
        assert_eq!(of("10.1.2.3/8"), Peer::Net { address: "10.0.0.0".parse().unwrap(), bits: 8, port: None });
        assert_eq!(
            of("10.1.2.3/8:22"),
            Peer::Net { address: "10.0.0.0".parse().unwrap(), bits: 8, port: Some(22) }
        );
        assert_eq!(of("0.0.0.0/0"), Peer::Net { address: "0.0.0.0".parse().unwrap(), bits: 0, port: None });
        assert_eq!(of("fe80::1/10"), Peer::Net { address: "fe80::".parse().unwrap(), bits: 10, port: None });
        assert_eq!(of("Evil.example.com."), Peer::Name(Pattern::parse("evil.example.com"), None));
        assert_eq!(of("evil.example.com:8443"), Peer::Name(Pattern::parse("evil.example.com"), Some(8443)));
        assert_eq!(of("*.evil.com"), Peer::Name(Pattern::parse("*.evil.com"), None));
        assert_eq!(of("10.0.0.9:*"), host("10.0.0.9", None));
        assert_eq!(of("10.0.0.9:4*"), Peer::Written(Pattern::parse("10.0.0.9:4*"), None));
        assert_eq!(of("10.0.*"), Peer::Written(Pattern::parse("10.0.*"), None));
        assert_eq!(of("10.0.*:443"), Peer::Written(Pattern::parse("10.0.*"), Some(443)));
        assert_eq!(of("fe80::*"), Peer::Written(Pattern::parse("fe80::*"), None));
        assert_eq!(of("*"), Peer::Written(Pattern::parse("*"), None));
        assert_eq!(of("10.0.*.example"), Peer::Name(Pattern::parse("10.0.*.example"), None));
    }

    #[test]
    fn what_is_none_of_them_is_refused() {
        for text in [
            "10.0.0",
            "10.0.0.256",
            "10.0.0.1:0",
            "10.0.0.1:65536",
            "10.0.0.1:http",
            "10.0.0.0/33",
            "::/129",
            "x/8",
            "/run/x",
            ":",
            "a b",
            "[::1",
            "tcp 10.0.0.1:80",
            "1.2.3.4.5",
        ] {
            assert!(Peer::parse(text).is_err(), "{text}: {:?}", Peer::parse(text));
        }
    }
}
