//! What a descriptor stands for, as text: one form each for files, sockets and what else a descriptor can be.
//!
//! ```text
//! /etc/passwd                                a file or directory; "/tmp/x (deleted)" once it has no name
//! memfd:secret   pipe:[4711]   anon_inode:[eventfd]   nsfs:[4026531840]
//! tcp 10.0.0.1:4242->10.0.0.2:443            udp 0.0.0.0:53     tcp [::1]:80->[::1]:5000    tcp (no address yet)
//! unix /run/x.sock   unix ->/run/x.sock      unix @abstract     unix [4711] (no name at either end)
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

/// The ends of a socket; `None` for what is no socket, or one of which nothing but its kind is known.
pub fn ends(stands_for: &[u8]) -> Option<Ends<'_>> {
    if !is_socket(stands_for) {
        return None;
    }
    let at = stands_for.iter().position(|byte| *byte == b' ')?;
    let (word, rest) = (&stands_for[..at], &stands_for[at + 1..]);
    match rest.windows(2).position(|pair| pair == b"->") {
        Some(arrow) => Some(Ends { word, local: &rest[..arrow], remote: Some(&rest[arrow + 2..]) }),
        None => Some(Ends { word, local: rest, remote: None }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

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
