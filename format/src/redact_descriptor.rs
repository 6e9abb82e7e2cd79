//! Redacting what descriptors stand for: a path, or the two ends of a socket.

use std::net::SocketAddr;

use events::{Event, Raw, descriptor};

use crate::redact::{Redactor, Subject, Treatment};
use crate::rewrite::Change;

impl Redactor {
    /// A descriptor keeps its number; what it stands for is treated as a path or as addresses are elsewhere.
    pub(crate) fn descriptor(&self, event: &Event, name: &str, value: Raw<'_>) -> Change {
        let Some((number, stands_for)) = value.descriptor() else { return Change::Missing };
        let named = self.named(event.name, name, stands_for);
        if !descriptor::is_socket(stands_for) {
            return match named.or_else(|| self.treatment(&Subject::Paths, stands_for)) {
                None => Change::Keep,
                Some(Treatment::Drop) => Change::Number(number),
                Some(Treatment::Hash) => with(number, &self.hash_text(stands_for)),
            };
        }
        let Some(ends) = descriptor::ends(stands_for) else {
            return if named.is_some() { Change::Number(number) } else { Change::Keep };
        };
        let whole = named.or_else(|| self.treatment(&Subject::Addresses, stands_for));
        let of_end = |end: &[u8]| {
            whole.or_else(
                || if end.is_empty() { None } else { self.treatment(&Subject::Addresses, &host(end)) },
            )
        };
        let treatments = [of_end(ends.local), ends.remote.and_then(of_end)];
        if treatments == [None, None] {
            return Change::Keep;
        }
        if treatments.contains(&Some(Treatment::Drop)) {
            return Change::Number(number);
        }
        let end = |end: &[u8], is_hashed: bool| if is_hashed { self.end(end) } else { end.to_vec() };
        let mut out = [ends.word, b" ", &end(ends.local, treatments[0].is_some())].concat();
        if let Some(remote) = ends.remote {
            out.extend_from_slice(b"->");
            out.extend(end(remote, treatments[1].is_some()));
        }
        with(number, &out)
    }

    /// One end with another address: the one that the same address gets as an argument.
    fn end(&self, end: &[u8]) -> Vec<u8> {
        let changed = match address(end) {
            Some(SocketAddr::V4(v4)) => {
                let bytes = [&[2, 0][..], &v4.port().to_be_bytes(), &v4.ip().octets(), &[0; 8]].concat();
                let changed = self.address(&bytes);
                let host: Option<[u8; 4]> = changed.get(4..8).and_then(|host| host.try_into().ok());
                host.map(|host| SocketAddr::new(host.into(), v4.port()))
            }
            Some(SocketAddr::V6(v6)) => {
                let bytes =
                    [&[10, 0][..], &v6.port().to_be_bytes(), &[0; 4], &v6.ip().octets(), &[0; 4]].concat();
                let changed = self.address(&bytes);
                let host: Option<[u8; 16]> = changed.get(8..24).and_then(|host| host.try_into().ok());
                host.map(|host| SocketAddr::new(host.into(), v6.port()))
            }
            None => None,
        };
        match changed {
            Some(address) => address.to_string().into_bytes(),
            // The number of an inode says nothing of anybody.
            None if end.is_empty() || end.starts_with(b"[") && end.ends_with(b"]") => end.to_vec(),
            None => self.hash_text(end),
        }
    }
}

fn with(number: u64, text: &[u8]) -> Change {
    Change::Bytes([&number.to_le_bytes()[..], text].concat())
}

fn address(end: &[u8]) -> Option<SocketAddr> {
    std::str::from_utf8(end).ok()?.parse().ok()
}

/// What a rule about addresses is held against: a host without its port, or a name.
fn host(end: &[u8]) -> Vec<u8> {
    address(end).map_or_else(|| end.to_vec(), |address| address.ip().to_string().into_bytes())
}
