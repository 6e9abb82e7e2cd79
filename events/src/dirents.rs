//! Entries of a directory: as `getdents` and `getdents64` lay them out, and as the recorder stores them, without the file
//! system's cursor (`d_off`, which means nothing to anybody else) and without padding.
//!
//! ```text
//! stored:          u8 TAG, then for each entry u64 inode (little endian), u8 type (DT_*), the name, NUL
//! linux_dirent64:  u64 d_ino, u64 d_off, u16 d_reclen, u8 d_type, d_name with a NUL
//! linux_dirent:    unsigned long d_ino, unsigned long d_off, u16 d_reclen, d_name with a NUL; the last byte is the type
//! ```

/// Before stored entries. No value that a log gave begins with it: see [`crate::tree`].
pub const TAG: u8 = 0x80;

/// Bytes of a stored entry, besides its name.
pub const FIXED_BYTES: usize = size_of::<u64>() + 2;

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Dirent<'a> {
    pub inode: u64,
    /// One of `DT_*`.
    pub kind: u8,
    pub name: &'a [u8],
}

/// How the kernel lays entries out.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Layout {
    Linux64,
    Linux,
    /// `struct compat_linux_dirent`: longs of 32 bits.
    Compat,
}

impl Layout {
    /// That of an event's entries; `None` when it has none.
    pub fn of(event: &str, is_compat: bool) -> Option<Layout> {
        match (event, is_compat) {
            ("getdents64", _) => Some(Layout::Linux64),
            ("getdents", false) => Some(Layout::Linux),
            ("getdents", true) => Some(Layout::Compat),
            _ => None,
        }
    }

    /// The layout of a value of which only the event is known: that of a 32-bit task where the other does not fit its
    /// first entry.
    pub fn of_value(self, bytes: &[u8]) -> Layout {
        let length =
            bytes.get(16..).and_then(|rest| rest.first_chunk()).map(|length| u16::from_le_bytes(*length));
        let fits = |length: u16| length.is_multiple_of(8) && usize::from(length) <= bytes.len();
        match self {
            Layout::Linux if !length.is_some_and(|length| length >= 24 && fits(length)) => Layout::Compat,
            layout => layout,
        }
    }

    /// The whole entries that the kernel's bytes begin with. One that was cut off has no type, or a name that may be
    /// another's.
    pub fn entries(self, bytes: &[u8]) -> impl Iterator<Item = Dirent<'_>> {
        let mut left = bytes;
        core::iter::from_fn(move || {
            let (entry, rest) = self.first(left)?;
            left = rest;
            Some(entry)
        })
    }

    fn first(self, bytes: &[u8]) -> Option<(Dirent<'_>, &[u8])> {
        let length_at = if self == Layout::Compat { 8 } else { 16 };
        let length = u16::from_le_bytes(*bytes.get(length_at..)?.first_chunk()?);
        let (entry, rest) = bytes.split_at_checked(length.into())?;
        let inode = match self {
            Layout::Compat => u32::from_le_bytes(*entry.first_chunk()?).into(),
            Layout::Linux | Layout::Linux64 => u64::from_le_bytes(*entry.first_chunk()?),
        };
        let (kind, name) = match self {
            Layout::Linux64 => (*entry.get(18)?, entry.get(19..)?),
            Layout::Linux | Layout::Compat => (*entry.last()?, entry.get(length_at + 2..)?),
        };
        let name = name.get(..name.iter().position(|byte| *byte == 0)?)?;
        Some((Dirent { inode, kind, name }, rest))
    }
}

/// The stored entries, up to the first torn one.
pub fn stored(bytes: &[u8]) -> impl Iterator<Item = Dirent<'_>> {
    let mut left = bytes.strip_prefix(&[TAG]).unwrap_or_default();
    core::iter::from_fn(move || {
        let (inode, rest) = left.split_first_chunk()?;
        let (kind, rest) = rest.split_first()?;
        let (name, rest) = rest.split_at_checked(rest.iter().position(|byte| *byte == 0)?)?;
        left = rest.get(1..)?;
        Some(Dirent { inode: u64::from_le_bytes(*inode), kind: *kind, name })
    })
}

impl Dirent<'_> {
    /// Hands on the bytes of the stored entry, in order.
    pub fn store(&self, mut append: impl FnMut(&[u8])) {
        append(&self.inode.to_le_bytes());
        append(&[self.kind]);
        append(self.name);
        append(&[0]);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const HOME: Dirent<'_> = Dirent { inode: 7, kind: 4, name: b"home" };
    const NOTE: Dirent<'_> = Dirent { inode: 8, kind: 8, name: b"" };

    /// Two entries in a layout: a header, `d_reclen`, and what follows it, padded to 8.
    fn laid_out(layout: Layout) -> ([u8; 64], usize) {
        let (mut bytes, mut at) = ([0; 64], 0);
        for entry in [HOME, NOTE] {
            let word = if layout == Layout::Compat { 4 } else { 8 };
            let name_at = at + 2 * word + 2 + usize::from(layout == Layout::Linux64);
            let end = (name_at + entry.name.len() + 2).next_multiple_of(8);
            bytes[at] = entry.inode as u8;
            bytes[at + word] = 0xee;
            bytes[at + 2 * word] = (end - at) as u8;
            bytes[if layout == Layout::Linux64 { name_at - 1 } else { end - 1 }] = entry.kind;
            bytes[name_at..name_at + entry.name.len()].copy_from_slice(entry.name);
            at = end;
        }
        (bytes, at)
    }

    #[test]
    fn whole_entries_of_each_layout_are_read_and_a_torn_one_is_not() {
        for layout in [Layout::Linux64, Layout::Linux, Layout::Compat] {
            let (bytes, end) = laid_out(layout);
            let mut entries = layout.entries(&bytes[..end]);
            assert_eq!(
                [entries.next(), entries.next(), entries.next()],
                [Some(HOME), Some(NOTE), None],
                "{layout:?}"
            );
            for cut in 0..end {
                assert!(layout.entries(&bytes[..cut]).count() < 2, "{layout:?} {cut}");
            }
        }
        assert_eq!(Layout::Linux64.entries(&[0; 64]).count(), 0);
    }

    #[test]
    fn a_32_bit_tasks_entries_are_told_from_others() {
        for layout in [Layout::Linux, Layout::Compat] {
            let (bytes, end) = laid_out(layout);
            assert_eq!(Layout::Linux.of_value(&bytes[..end]), layout);
        }
        assert_eq!(Layout::Linux64.of_value(&[]), Layout::Linux64);
    }

    #[test]
    fn stored_entries_read_back() {
        let (mut bytes, mut end) = ([0; 64], 1);
        bytes[0] = TAG;
        for entry in [HOME, NOTE] {
            entry.store(|part| {
                bytes[end..end + part.len()].copy_from_slice(part);
                end += part.len();
            });
        }
        assert_eq!(end, 1 + 2 * FIXED_BYTES + HOME.name.len());
        let mut entries = stored(&bytes[..end]);
        assert_eq!([entries.next(), entries.next(), entries.next()], [Some(HOME), Some(NOTE), None]);
        for cut in 0..end {
            assert!(stored(&bytes[..cut]).count() < 2, "{cut}");
        }
        assert_eq!(stored(&bytes[1..end]).count(), 0);
    }
}
