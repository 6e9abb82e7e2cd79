//! Redacting what descriptors stand for: a path, or the two ends of a socket.

use std::net::SocketAddr;

use events::{Raw, descriptor};

use super::bearing::{Form, TextIs};
use super::{Judged, Named, Redactor, Treatment};
use crate::rewrite::Change;

impl Redactor {
    /// A descriptor keeps its number; what it stands for is treated as a path or as addresses are elsewhere.
    pub(super) fn descriptor(&self, named: Named<'_>, value: Raw<'_>) -> Change {
        let Some((number, stands_for)) = value.descriptor() else { return Change::Missing };
        match self.stands_for(named, stands_for) {
            None => Change::Keep,
            Some(text) if text.is_empty() => Change::Number(number),
            Some(text) => Change::bytes([&number.to_le_bytes()[..], &text].concat()),
        }
    }

    /// What takes the place of a descriptor's text; nothing where that is dropped.
    pub(super) fn stands_for(&self, named: Named<'_>, stands_for: &[u8]) -> Option<Vec<u8>> {
        if stands_for.is_empty() {
            return None;
        }
        if !descriptor::is_socket(stands_for) {
            let is = if is_kind(stands_for) { TextIs::Kind } else { TextIs::Path };
            let judged = self.judge(named, Form::Text(is), stands_for)?;
            return Some(self.treated(judged, stands_for));
        }
        let whole = self.judge(named, Form::Text(TextIs::Kind), stands_for);
        let Some(ends) = descriptor::ends(stands_for) else {
            // Nothing but what kind it is of.
            return whole.map(|judged| self.treated(judged, stands_for));
        };
        let of_end = |end: &[u8]| {
            let (is, text) = match address(end) {
                Some(address) => (TextIs::Address, address.ip().to_string().into_bytes()),
                None => (TextIs::Socket, end.to_vec()),
            };
            if end.is_empty() || is_inode(end) {
                return None;
            }
            let judged = self.judge(named, Form::Text(is), &text).or(whole)?;
            self.count(judged, &[&text]);
            Some(judged)
        };
        let judged = [of_end(ends.local), ends.remote.and_then(of_end)];
        if judged == [None, None] {
            return None;
        }
        let drops = |judged: &Judged| judged.treatment == Treatment::Drop;
        if judged.iter().flatten().any(drops) {
            return Some(Vec::new());
        }
        let end = |end: &[u8], is_hashed: bool| if is_hashed { self.end(end) } else { end.to_vec() };
        let mut out = [ends.word, b" ", &end(ends.local, judged[0].is_some())].concat();
        if let Some(remote) = ends.remote {
            out.extend_from_slice(b"->");
            out.extend(end(remote, judged[1].is_some()));
        }
        Some(out)
    }

    /// One end with another address: the one that the same address gets as an argument.
    fn end(&self, end: &[u8]) -> Vec<u8> {
        match address(end) {
            Some(address) => {
                SocketAddr::new(self.host(address.ip()), address.port()).to_string().into_bytes()
            }
            None => self.hash_text(end),
        }
    }
}

/// `pipe:[4711]`, `socket:[77]`, `anon_inode:[eventfd]` say what kind a descriptor is of, and nothing else.
pub(super) fn is_kind(text: &[u8]) -> bool {
    let Some(at) = text.windows(2).position(|pair| pair == b":[") else { return false };
    let word = |text: &[u8]| {
        text.iter().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || matches!(b, b'_' | b'-'))
    };
    let kinds: [&[u8]; 11] = [
        b"pipe",
        b"socket",
        b"anon_inode",
        b"nsfs",
        b"mnt",
        b"net",
        b"pid",
        b"user",
        b"uts",
        b"ipc",
        b"cgroup",
    ];
    let (kind, rest) = (text.get(..at).unwrap_or_default(), text.get(at + 2..).unwrap_or_default());
    kinds.contains(&kind) && rest.strip_suffix(b"]").is_some_and(word)
}

/// The number of an inode says nothing of anybody.
fn is_inode(end: &[u8]) -> bool {
    let digits = end.strip_prefix(b"[").and_then(|end| end.strip_suffix(b"]"));
    digits.is_some_and(|digits| digits.iter().all(u8::is_ascii_digit))
}

fn address(end: &[u8]) -> Option<SocketAddr> {
    std::str::from_utf8(end).ok()?.parse().ok()
}
