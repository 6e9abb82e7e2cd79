//! TCP connections: where one is asked for, begins and ends for a socket. Each end of a connection that is on this host has its own.
//!
//! From the states of the socket and not from packets: a state comes once, whatever is sent again or arrives late, and
//! says whose socket it is.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use events::Raw;

use super::{Base, Derived};

pub const BASE: &str = "inet_sock_set_state";
pub const GIVES: &[&str] = &[CONNECT, "net_flow_tcp_begin", "net_flow_tcp_end"];

/// Whatever way it was asked for: by a call of 64 or of 32 bits, by io_uring, by the kernel itself.
const CONNECT: &str = "net_tcp_connect";

const ESTABLISHED: u64 = 1;
const SYN_SENT: u64 = 2;
const SYN_RECV: u64 = 3;
const CLOSE: u64 = 7;

const OUTGOING: u64 = 1;
const INCOMING: u64 = 2;

pub fn derive(base: &Base<'_>, derived: &mut Derived) {
    const IPPROTO_TCP: u64 = 6;
    let (Some(old), Some(new)) = (base.number("old_state"), base.number("new_state")) else { return };
    if base.number("protocol").is_some_and(|protocol| protocol != IPPROTO_TCP) {
        return;
    }
    let (name, by_state) = match (old, new) {
        (CLOSE, SYN_SENT) => (CONNECT, OUTGOING),
        (SYN_SENT, ESTABLISHED) => ("net_flow_tcp_begin", OUTGOING),
        (SYN_RECV, ESTABLISHED) => ("net_flow_tcp_begin", INCOMING),
        (ESTABLISHED, _) => ("net_flow_tcp_end", 0),
        _ => return,
    };
    let direction = if by_state != 0 { by_state } else { base.number("conn_direction").unwrap_or(0) };
    let (Some(local), Some(remote)) = (address(base.arg("local_addr")), address(base.arg("remote_addr")))
    else {
        return;
    };
    if !derived.begin(name) {
        return;
    }
    if name == CONNECT {
        derived.bytes("dst", |out| out.extend_from_slice(remote.0.to_string().as_bytes()));
        derived.number("dst_port", remote.1.into());
        return;
    }
    // The source is the end that asked for the connection; where that is not known, this one.
    let (source, destination) = if direction == INCOMING { (remote, local) } else { (local, remote) };
    match direction {
        OUTGOING => derived.bytes("conn_direction", |out| out.extend_from_slice(b"outgoing")),
        INCOMING => derived.bytes("conn_direction", |out| out.extend_from_slice(b"incoming")),
        _ => {}
    }
    derived.bytes("src", |out| out.extend_from_slice(source.0.to_string().as_bytes()));
    derived.bytes("dst", |out| out.extend_from_slice(destination.0.to_string().as_bytes()));
    derived.number("src_port", source.1.into());
    derived.number("dst_port", destination.1.into());
}

/// Address and port of a `struct sockaddr_in` or `sockaddr_in6`; IPv4 within IPv6 as what it is.
fn address(raw: Raw<'_>) -> Option<(IpAddr, u16)> {
    const AF_INET: u16 = 2;
    const AF_INET6: u16 = 10;
    let Raw::Bytes(bytes) = raw else { return None };
    let family = u16::from_ne_bytes(*bytes.first_chunk()?);
    let port = u16::from_be_bytes(*bytes.get(2..)?.first_chunk()?);
    match family {
        AF_INET => Some((Ipv4Addr::from(*bytes.get(4..)?.first_chunk::<4>()?).into(), port)),
        AF_INET6 => {
            let address = Ipv6Addr::from(*bytes.get(8..)?.first_chunk::<16>()?);
            Some((address.to_ipv4_mapped().map_or(address.into(), IpAddr::from), port))
        }
        _ => None,
    }
}
