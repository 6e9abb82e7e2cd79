//! Redacting addresses: where they stand, as texts that patterns can fit, and their hashes.
//!
//! Hashes of hosts are addresses that no host has. An IPv4 host is 28 bits of hash in 240.0.0.0/4, the reserved class E,
//! so that it is never taken for a real one; of 10,000 hosts about one in six captures has two with the same hash. An IPv6
//! host is 120 bits in fd00::/8; one that is an IPv4 host (`::ffff:10.1.2.3`) stays one. Families and ports stay.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use events::show::{Leaf, Parts, Shape};

use super::bearing::{Form, TextIs};
use super::{Judged, Named, Redactor, Treatment, forms};
use crate::rewrite::Change;

const UNIX: u16 = 1;
const INET: u16 = 2;
const INET6: u16 = 10;

impl Redactor {
    /// What becomes of a socket address.
    pub(super) fn sockaddr(&self, named: Named<'_>, bytes: &[u8]) -> Change {
        let judged = match texts(bytes) {
            Some((is, texts)) => {
                let judged = texts.iter().find_map(|text| self.judge(named, Form::Text(is), text));
                judged.inspect(|judged| {
                    self.count(*judged, &texts.iter().map(Vec::as_slice).collect::<Vec<_>>())
                })
            }
            // Of other families nobody knows where the host stands.
            None => {
                let judged = self.judge(named, Form::Request, bytes);
                judged.inspect(|judged| self.count(*judged, &[]))
            }
        };
        match judged {
            None => Change::Keep,
            Some(Judged { treatment: Treatment::Drop, .. }) => Change::Missing,
            Some(Judged { treatment: Treatment::Hash, .. }) => Change::bytes(self.address(bytes)),
        }
    }

    /// A socket address of the same family with another host.
    pub(super) fn address(&self, bytes: &[u8]) -> Vec<u8> {
        let mut out = bytes.to_vec();
        match family(bytes) {
            UNIX => {
                let path = out.split_off(2.min(out.len()));
                let end = path.iter().skip(1).position(|b| *b == 0).map_or(path.len(), |end| end + 1);
                out.extend(self.hash_text(path.get(..end).unwrap_or_default()));
            }
            INET => match out.get_mut(4..8).and_then(|host| <&mut [u8; 4]>::try_from(host).ok()) {
                Some(host) => *host = self.host_v4(*host),
                None => out.truncate(2),
            },
            INET6 => match out.get_mut(8..24).and_then(|host| <&mut [u8; 16]>::try_from(host).ok()) {
                Some(host) => *host = self.host_v6(*host),
                None => out.truncate(2),
            },
            _ => out.truncate(2),
        }
        out
    }

    /// The host that takes the place of another.
    pub(super) fn host(&self, host: IpAddr) -> IpAddr {
        match host {
            IpAddr::V4(host) => self.host_v4(host.octets()).into(),
            IpAddr::V6(host) => self.host_v6(host.octets()).into(),
        }
    }

    fn host_v4(&self, host: [u8; 4]) -> [u8; 4] {
        let hash = blake3::keyed_hash(&self.key, &host);
        let [first, rest @ ..] = hash.as_bytes().first_chunk::<4>().copied().unwrap_or_default();
        [0xf0 | first & 0x0f, rest[0], rest[1], rest[2]]
    }

    fn host_v6(&self, host: [u8; 16]) -> [u8; 16] {
        if let Some(v4) = Ipv6Addr::from(host).to_ipv4_mapped() {
            return Ipv4Addr::from(self.host_v4(v4.octets())).to_ipv6_mapped().octets();
        }
        let hash = blake3::keyed_hash(&self.key, &host);
        let mut out = hash.as_bytes().first_chunk::<16>().copied().unwrap_or_default();
        out[0] = 0xfd;
        out
    }
}

fn family(sockaddr: &[u8]) -> u16 {
    sockaddr.first_chunk().map_or(0, |family| u16::from_le_bytes(*family))
}

/// What the host or path of a `struct sockaddr` is, as texts: `10.0.0.1`, `fe80::1`, `/run/x.sock`, `@abstract`. `None` where that is not known.
pub(super) fn texts(sockaddr: &[u8]) -> Option<(TextIs, Vec<Vec<u8>>)> {
    let address = |address: IpAddr| (TextIs::Address, forms::of_address(address));
    match family(sockaddr) {
        UNIX => {
            let path = sockaddr.get(2..)?;
            let (mark, name) = match path.split_first() {
                Some((0, name)) => (&b"@"[..], name),
                _ => (&b""[..], path),
            };
            let end = name.iter().position(|b| *b == 0).unwrap_or(name.len());
            Some((TextIs::Socket, vec![[mark, name.get(..end)?].concat()]))
        }
        INET => Some(address(Ipv4Addr::from(*sockaddr.get(4..)?.first_chunk::<4>()?).into())),
        INET6 => Some(address(Ipv6Addr::from(*sockaddr.get(8..)?.first_chunk::<16>()?).into())),
        _ => None,
    }
}

/// An IP packet.
pub(super) struct Packet;

impl Packet {
    /// Where it is from and where it goes.
    pub(super) fn ends(bytes: &[u8]) -> Vec<String> {
        let four = |at: usize| {
            bytes.get(at..).and_then(|b| b.first_chunk::<4>()).map(|b| Ipv4Addr::from(*b).to_string())
        };
        let six = |at: usize| {
            bytes.get(at..).and_then(|b| b.first_chunk::<16>()).map(|b| Ipv6Addr::from(*b).to_string())
        };
        match bytes.first().map(|first| first >> 4) {
            Some(4) => [four(12), four(16)].into_iter().flatten().collect(),
            Some(6) => [six(8), six(24)].into_iter().flatten().collect(),
            _ => Vec::new(),
        }
    }
}

/// Whether bytes are members or a list that holds texts, as imported logs have them.
pub(super) fn is_tree(bytes: &[u8]) -> bool {
    const LIST: u8 = 6;
    const MEMBERS: u8 = 7;
    matches!(bytes.first(), Some(&LIST | &MEMBERS)) && !leaves(bytes).is_empty()
}

/// The texts in a stored tree.
pub(super) fn leaves(tree: &[u8]) -> Vec<Vec<u8>> {
    struct Texts(Vec<Vec<u8>>);
    impl Parts for Texts {
        fn leaf(&mut self, leaf: Leaf<'_>) {
            if let Leaf::Text(text) | Leaf::Bytes(text) = leaf {
                self.0.push(text.to_vec());
            }
        }
        fn open(&mut self, _: Shape) {}
        fn member(&mut self, _: &str) {}
        fn close(&mut self, _: Shape) {}
    }
    let mut texts = Texts(Vec::new());
    events::tree::walk(tree, &mut texts);
    texts.0
}
