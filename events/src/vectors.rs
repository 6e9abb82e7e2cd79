//! Buffers behind vectors, as the recorder stores them: `struct iovec[]` and `struct msghdr`.
//!
//! Little endian, nothing aligned.
//!
//! ```text
//! iovec:    u32 vectors, then for each {u64 address, u64 length}, then the contents of the first, the second, ...,
//!           each min(its length, what is left): the bytes end at the recorder's bound or the first fault
//! message:  u16 name, u16 vectors, u32 control, u32 data, u32 message   lengths of what follows ("vectors" is a count)
//!           struct msghdr as in the kernel (56 bytes; `mmsghdr`'s msg_len is the head's last u32, else 0)
//!           name bytes, vectors * 16 bytes, control bytes, data bytes (as the contents of an iovec)
//! messages: message after message
//! ```

/// The parts of a stored `struct iovec[]`.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Vectors<'a> {
    table: &'a [u8],
    data: &'a [u8],
}

/// One vector: where the task had it, how long it was, and what was kept of it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Vector<'a> {
    pub address: u64,
    pub length: u64,
    /// Shorter than `length` where the bound or a fault cut it.
    pub data: &'a [u8],
}

impl<'a> Vectors<'a> {
    /// Reads a stored `struct iovec[]`; `None` when it is torn.
    pub fn read(bytes: &'a [u8]) -> Option<Vectors<'a>> {
        let (count, rest) = bytes.split_first_chunk()?;
        let (table, data) = rest.split_at_checked((u32::from_le_bytes(*count) as usize).checked_mul(16)?)?;
        Some(Vectors { table, data })
    }

    pub fn iter(self) -> impl Iterator<Item = Vector<'a>> {
        let mut left = self.data;
        self.table.chunks_exact(16).map(move |entry| {
            let number = |at: usize| {
                entry.get(at..at + 8).and_then(|b| b.try_into().ok()).map_or(0, u64::from_le_bytes)
            };
            let (address, length) = (number(0), number(8));
            let (data, rest) = left.split_at(left.len().min(usize::try_from(length).unwrap_or(usize::MAX)));
            left = rest;
            Vector { address, length, data }
        })
    }
}

/// One stored message.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Message<'a> {
    /// `struct msghdr` as in the kernel.
    pub header: &'a [u8],
    /// The socket address.
    pub name: &'a [u8],
    pub vectors: Vectors<'a>,
    pub control: &'a [u8],
    /// `mmsghdr.msg_len`: bytes received or sent.
    pub length: u32,
}

/// Bytes before a message's `struct msghdr`.
pub const MESSAGE_HEAD: usize = 16;
/// Bytes of a `struct msghdr`.
pub const MSGHDR_BYTES: usize = 56;

impl<'a> Message<'a> {
    /// Reads the first message, and what follows it; `None` when it is torn.
    pub fn read(bytes: &'a [u8]) -> Option<(Message<'a>, &'a [u8])> {
        let (head, rest) = bytes.split_first_chunk::<MESSAGE_HEAD>()?;
        let [n0, n1, v0, v1, c0, c1, c2, c3, d0, d1, d2, d3, l0, l1, l2, l3] = *head;
        let (header, rest) = rest.split_at_checked(MSGHDR_BYTES)?;
        let (name, rest) = rest.split_at_checked(u16::from_le_bytes([n0, n1]) as usize)?;
        let (table, rest) = rest.split_at_checked(u16::from_le_bytes([v0, v1]) as usize * 16)?;
        let (control, rest) = rest.split_at_checked(u32::from_le_bytes([c0, c1, c2, c3]) as usize)?;
        let (data, rest) = rest.split_at_checked(u32::from_le_bytes([d0, d1, d2, d3]) as usize)?;
        let length = u32::from_le_bytes([l0, l1, l2, l3]);
        Some((Message { header, name, vectors: Vectors { table, data }, control, length }, rest))
    }

    /// The messages of a sequence, up to the first torn one.
    pub fn all(bytes: &'a [u8]) -> impl Iterator<Item = Message<'a>> {
        let mut left = bytes;
        core::iter::from_fn(move || {
            let (message, rest) = Message::read(left)?;
            left = rest;
            Some(message)
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn contents_are_cut_at_the_bound_and_given_to_their_vectors() {
        let mut stored = [0u8; 4 + 32 + 5];
        stored[0] = 2;
        stored[4] = 0x10;
        stored[12] = 3;
        stored[20] = 0x20;
        stored[28] = 9;
        stored[36..].copy_from_slice(b"abcde");
        let mut vectors = Vectors::read(&stored).unwrap().iter();
        assert_eq!(vectors.next(), Some(Vector { address: 0x10, length: 3, data: b"abc" }));
        assert_eq!(vectors.next(), Some(Vector { address: 0x20, length: 9, data: b"de" }));
        assert_eq!(vectors.next(), None);
        for end in 0..stored.len() {
            let _ = Vectors::read(&stored[..end]).map(|v| v.iter().count());
        }
    }

    #[test]
    fn messages_follow_each_other_until_one_is_torn() {
        let mut stored = [0u8; 2 * (16 + 56 + 2)];
        for start in [0, 74] {
            stored[start] = 2;
            stored[start + 12] = 7;
            stored[start + 72] = 1;
        }
        assert_eq!(Message::all(&stored).count(), 2);
        let first = Message::all(&stored).next().unwrap();
        assert_eq!((first.name, first.length, first.header.len()), (&[1u8, 0][..], 7, 56));
        assert_eq!(Message::all(&stored[..147]).count(), 1);
    }
}
