//! States of TCP connections, by their ends: the kernel says them of sockets, not of descriptors.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use events::Names;
use hashbrown::HashMap;

/// Connections of one boot at one time that are kept.
const MOST_CONNECTIONS: usize = 1 << 20;
const CLOSE: u64 = 7;
const IPPROTO_TCP: u64 = 6;

/// Both ends of a connection; of one that listens the remote one is `None`.
type Ends = (SocketAddr, Option<SocketAddr>);

#[derive(Debug, Default)]
pub struct Connections {
    states: HashMap<Ends, u64>,
    /// By the kernel's cookie of the socket: when it is closed, it has no port of its own any more.
    ends_of: HashMap<u64, Ends>,
}

impl Connections {
    pub(crate) fn tell(
        &mut self,
        state: Option<u64>,
        local: Option<&[u8]>,
        remote: Option<&[u8]>,
        protocol: Option<u64>,
        cookie: Option<u64>,
    ) {
        let (Some(state), Some(local)) = (state, local.and_then(end)) else { return };
        if protocol.is_some_and(|protocol| protocol != IPPROTO_TCP) {
            return;
        }
        let ends = (local, remote.and_then(end).filter(is_set));
        let cookie = cookie.filter(|cookie| *cookie != 0);
        if state == CLOSE {
            let known = cookie.and_then(|cookie| self.ends_of.remove(&cookie));
            self.states.remove(&known.unwrap_or(ends));
            return;
        }
        if let Some(cookie) = cookie.filter(|_| local.port() != 0 && self.ends_of.len() < MOST_CONNECTIONS) {
            self.ends_of.insert(cookie, ends);
        }
        // Nobody asks for one without a port.
        if local.port() == 0 {
        } else if self.states.len() < MOST_CONNECTIONS || self.states.contains_key(&ends) {
            self.states.insert(ends, state);
        }
    }

    /// The name of a connection's state, by its ends as texts.
    pub fn state(&self, local: &[u8], remote: Option<&[u8]>) -> Option<&'static str> {
        let parse = |text: &[u8]| std::str::from_utf8(text).ok()?.parse::<SocketAddr>().ok().map(canonical);
        let remote = match remote {
            Some(text) => Some(parse(text)?),
            None => None,
        };
        let state = self.states.get(&(parse(local)?, remote))?;
        let name = Names::TcpState.table()?.name(*state)?;
        Some(name.strip_prefix("TCP_").unwrap_or(name))
    }
}

fn is_set(end: &SocketAddr) -> bool {
    end.port() != 0 || !end.ip().is_unspecified()
}

fn canonical(end: SocketAddr) -> SocketAddr {
    SocketAddr::new(end.ip().to_canonical(), end.port())
}

/// A `struct sockaddr_in` or `sockaddr_in6`.
pub fn end(bytes: &[u8]) -> Option<SocketAddr> {
    const AF_INET: u16 = 2;
    const AF_INET6: u16 = 10;
    let port = u16::from_be_bytes(*bytes.get(2..)?.first_chunk()?);
    let ip: IpAddr = match u16::from_le_bytes(*bytes.first_chunk()?) {
        AF_INET => Ipv4Addr::from(*bytes.get(4..)?.first_chunk::<4>()?).into(),
        AF_INET6 => Ipv6Addr::from(*bytes.get(8..)?.first_chunk::<16>()?).into(),
        _ => return None,
    };
    Some(canonical(SocketAddr::new(ip, port)))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn v4(port: u16, host: [u8; 4]) -> Vec<u8> {
        [&[2, 0][..], &port.to_be_bytes(), &host, &[0; 8]].concat()
    }

    #[test]
    fn a_socket_that_has_no_port_any_more_is_closed_by_its_cookie() {
        let (before, here, there) = (v4(0, [10, 0, 0, 1]), v4(4242, [10, 0, 0, 1]), v4(443, [10, 0, 0, 2]));
        let mut connections = Connections::default();
        connections.tell(Some(2), Some(&before), Some(&there), Some(6), Some(7));
        connections.tell(Some(1), Some(&here), Some(&there), Some(6), Some(7));
        assert_eq!(connections.state(b"10.0.0.1:4242", Some(b"10.0.0.2:443")), Some("ESTABLISHED"));
        connections.tell(Some(7), Some(&before), Some(&there), Some(6), Some(7));
        assert!(connections.states.is_empty() && connections.ends_of.is_empty());
    }

    #[test]
    fn a_connection_has_its_state_until_it_is_closed() {
        let (here, there) = (v4(80, [10, 0, 0, 1]), v4(5000, [10, 0, 0, 2]));
        let mut connections = Connections::default();
        let tell = |connections: &mut Connections, state| {
            connections.tell(Some(state), Some(&here), Some(&there), Some(6), None);
            connections.state(b"10.0.0.1:80", Some(b"10.0.0.2:5000"))
        };
        assert_eq!(tell(&mut connections, 3), Some("SYN_RECV"));
        assert_eq!(tell(&mut connections, 1), Some("ESTABLISHED"));
        assert_eq!(tell(&mut connections, 7), None);
        assert!(connections.states.is_empty());
        connections.tell(Some(10), Some(&v4(80, [0; 4])), Some(&v4(0, [0; 4])), Some(6), Some(9));
        assert_eq!(connections.state(b"0.0.0.0:80", None), Some("LISTEN"));
        assert_eq!(connections.state(b"[::ffff:0.0.0.0]:80", None), Some("LISTEN"));
    }
}
