//! What a descriptor stands for, as text: one form each for files, sockets and what else a descriptor can be.
//!
//! ```text
//! /etc/passwd                                a file or directory; "/tmp/x (deleted)" once it has no name
//! memfd:secret   pipe:[4711]   anon_inode:[eventfd]   nsfs:[4026531840]
//! tcp 10.0.0.1:4242->10.0.0.2:443            udp 0.0.0.0:53     tcp [::1]:80->[::1]:5000    tcp (no address yet)
//! unix /run/x.sock   unix ->/run/x.sock      unix @abstract     unix [4711] (no name at either end)
//! unix "/tmp/a->b"->"/run/x"                 names that could be read as two, or as quoted, are quoted (see [`push_name`])
//! netlink NETLINK_ROUTE [4711]   packet [4711]
//! ```

/// The first words of what a socket is.
pub const SOCKETS: &[&str] = &[
    "tcp", "udp", "udplite", "mptcp", "sctp", "icmp", "icmpv6", "raw", "unix", "netlink", "packet", "vsock",
    "socket",
];

/// Whether the text says that the descriptor is a socket.
pub fn is_socket(stands_for: &[u8]) -> bool {
    let word = stands_for.split(|byte| *byte == b' ').next().unwrap_or_default();
    SOCKETS.iter().any(|known| known.as_bytes() == word)
}

/// The text of a socket in its parts.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Ends<'a> {
    /// What kind of socket it is.
    pub word: &'a [u8],
    pub local: &'a [u8],
    pub remote: Option<&'a [u8]>,
}

/// Whether a name of a unix socket must be quoted, so that where it ends is certain.
pub fn needs_quotes(name: &[u8]) -> bool {
    name.starts_with(b"\"") || name.windows(2).any(|pair| pair == b"->")
}

/// Calls `push` with the pieces of a name: as it is, or in quotes with a backslash before quotes and backslashes.
pub fn push_name(name: &[u8], is_quoted: bool, push: &mut dyn FnMut(&[u8])) {
    if !is_quoted {
        return push(name);
    }
    push(b"\"");
    for piece in name.split_inclusive(|byte| matches!(byte, b'"' | b'\\')) {
        match piece.split_last() {
            Some((last @ (b'"' | b'\\'), before)) => {
                push(before);
                push(&[b'\\', *last]);
            }
            _ => push(piece),
        }
    }
    push(b"\"");
}

/// Where the arrow between two ends stands.
fn arrow(ends: &[u8]) -> Option<usize> {
    let is_arrow = |at: &usize| ends.get(*at..at + 2) == Some(b"->");
    let Some(quoted) = ends.strip_prefix(b"\"") else { return (0..ends.len()).find(is_arrow) };
    let mut is_escaped = false;
    let end = quoted.iter().position(|byte| {
        let is_end = *byte == b'"' && !is_escaped;
        is_escaped = *byte == b'\\' && !is_escaped;
        is_end
    })?;
    Some(end + 2).filter(is_arrow)
}

/// A name without its quotes; its backslashes stay.
fn unquoted(name: &[u8]) -> &[u8] {
    name.strip_prefix(b"\"").and_then(|name| name.strip_suffix(b"\"")).unwrap_or(name)
}

/// The ends of a socket; `None` for what is no socket, or one of which nothing but its kind is known.
pub fn ends(stands_for: &[u8]) -> Option<Ends<'_>> {
    if !is_socket(stands_for) {
        return None;
    }
    let at = stands_for.iter().position(|byte| *byte == b' ')?;
    let (word, rest) = (&stands_for[..at], &stands_for[at + 1..]);
    let (local, remote) = match arrow(rest) {
        Some(arrow) => (&rest[..arrow], Some(&rest[arrow + 2..])),
        None => (rest, None),
    };
    Some(Ends { word, local: unquoted(local), remote: remote.map(unquoted) })
}

#[cfg(test)]
mod tests {
    extern crate std;

    use std::vec::Vec;

    use super::*;

    #[test]
    fn a_name_with_an_arrow_is_one_name() {
        let names: [&[u8]; 7] =
            [b"/run/x", b"/tmp/a->b", b"->", b"\"", b"/tmp/\"->\"", b"\\\"->\\", b"@a->\\\"b"];
        for local in names.into_iter().chain([&b""[..]]) {
            for remote in names {
                let is_quoted = needs_quotes(local) || needs_quotes(remote);
                let mut text = Vec::from(*b"unix ");
                push_name(local, is_quoted, &mut |piece| text.extend_from_slice(piece));
                text.extend_from_slice(b"->");
                push_name(remote, is_quoted, &mut |piece| text.extend_from_slice(piece));
                let found = ends(&text).unwrap();
                let escaped = |name: &[u8]| {
                    let mut text = Vec::new();
                    push_name(name, is_quoted, &mut |piece| text.extend_from_slice(piece));
                    Vec::from(unquoted(&text))
                };
                let told = text.escape_ascii();
                assert_eq!(found.local, escaped(local), "{told}");
                assert_eq!(found.remote, Some(&escaped(remote)[..]), "{told}");
            }
        }
    }

    #[test]
    fn a_socket_is_known_by_its_first_word_and_its_ends_by_the_arrow() {
        let tcp = b"tcp 10.0.0.1:4242->10.0.0.2:443";
        let (local, remote) = (&b"10.0.0.1:4242"[..], &b"10.0.0.2:443"[..]);
        assert_eq!(ends(tcp), Some(Ends { word: b"tcp", local, remote: Some(remote) }));
        assert_eq!(ends(b"unix ->/run/x"), Some(Ends { word: b"unix", local: b"", remote: Some(b"/run/x") }));
        assert_eq!(ends(b"tcp"), None);
        assert!(
            is_socket(b"tcp") && !is_socket(b"/tmp/tcp ") && !is_socket(b"memfd:udp 1") && !is_socket(b"")
        );
    }
}
