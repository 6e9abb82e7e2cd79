//! Redacting addresses: where they stand, as texts that patterns can fit, and their hashes.

use std::net::{Ipv4Addr, Ipv6Addr};

use events::show::{Leaf, Parts, Shape};
use events::vectors::Message;

use crate::redact::Redactor;

impl Redactor {
    /// A socket address of the same family: ports stay, hosts become hashes in private ranges.
    pub(crate) fn address(&self, bytes: &[u8]) -> Vec<u8> {
        let mut out = bytes.to_vec();
        let family = out.first_chunk().map_or(0, |family| u16::from_le_bytes(*family));
        let hashed = |range: std::ops::Range<usize>, prefix: u8, out: &mut Vec<u8>| {
            if let Some(host) = out.get_mut(range) {
                let hash = blake3::keyed_hash(&self.key, host);
                for (to, from) in host.iter_mut().zip(hash.as_bytes()) {
                    *to = *from;
                }
                if let Some(first) = host.first_mut() {
                    *first = prefix;
                }
            }
        };
        match family {
            1 => {
                let path = out.split_off(2.min(out.len()));
                let end = path.iter().skip(1).position(|b| *b == 0).map_or(path.len(), |end| end + 1);
                out.extend(self.hash_text(path.get(..end).unwrap_or_default()));
            }
            2 => hashed(4..8, 10, &mut out),
            10 => hashed(8..24, 0xfd, &mut out),
            _ => out.truncate(2),
        }
        out
    }
}

/// The host or path of a `struct sockaddr`, as it is written: `10.0.0.1`, `fe80::1`, `/run/x.sock`, `@abstract`.
pub(crate) fn text(sockaddr: &[u8]) -> Option<String> {
    match u16::from_le_bytes(*sockaddr.first_chunk()?) {
        1 => {
            let path = sockaddr.get(2..)?;
            let (mark, name) = match path.split_first() {
                Some((0, name)) => ("@", name),
                _ => ("", path),
            };
            let end = name.iter().position(|b| *b == 0).unwrap_or(name.len());
            Some(format!("{mark}{}", String::from_utf8_lossy(name.get(..end)?)))
        }
        2 => Some(Ipv4Addr::from(*sockaddr.get(4..)?.first_chunk::<4>()?).to_string()),
        10 => Some(Ipv6Addr::from(*sockaddr.get(8..)?.first_chunk::<16>()?).to_string()),
        _ => None,
    }
}

/// The addresses that stored messages are from or to.
pub(crate) fn of_messages(bytes: &[u8]) -> impl Iterator<Item = String> {
    Message::all(bytes)
        .filter(|message| !message.name.is_empty())
        .map(|message| text(message.name).unwrap_or_default())
}

/// An IP packet.
pub(crate) struct Packet;

impl Packet {
    /// Where it is from and where it goes.
    pub(crate) fn ends(bytes: &[u8]) -> Vec<String> {
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

/// The texts in a stored tree.
pub(crate) fn texts(tree: &[u8]) -> Vec<Vec<u8>> {
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
