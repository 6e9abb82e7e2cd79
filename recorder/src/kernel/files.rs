//! What descriptors stand for: the files that the programs have told of, as text, by place and id.

use std::{
    io::Write,
    net::{Ipv4Addr, Ipv6Addr, SocketAddr},
};

use events::{
    Marks, Names,
    abi::{
        RecordHeader,
        files::{PLACES, part, word},
        form,
        linux::{S_IFIFO, S_IFMT, S_IFSOCK},
    },
    descriptor,
};

use hashbrown::HashMap;

use super::decode;

/// The files that records may refer to: the last two of each place, since an event that began before the newer was told
/// may still refer to the older.
#[derive(Debug, Default)]
pub struct Files {
    places: Vec<[File; 2]>,
    /// Those that gave up their place since others are told of them, which read what is older: by place and id.
    passed: Option<HashMap<(u16, u64), File>>,
    text: Vec<u8>,
}

/// Files on behalf of one who reads records.
#[derive(Debug)]
pub enum Known<'f> {
    /// It alone reads, and may note what it needs again.
    Own(&'f mut Files),
    /// Others read at the same time.
    Shared(&'f Files),
}

impl Known<'_> {
    #[inline]
    pub fn get(&self, place: u16, id: u64) -> Option<&File> {
        match self {
            Known::Own(files) => files.get(place, id),
            Known::Shared(files) => files.get(place, id),
        }
    }

    /// See [`Files::value`].
    #[inline]
    pub fn value(&self, place: u16, id: u64, number: u64) -> Option<&[u8]> {
        match self {
            Known::Own(files) => files.value(place, id, number),
            Known::Shared(_) => None,
        }
    }
}

/// Bytes that all of them take at most, each with a path of the greatest length.
pub const BYTES_BOUND: usize = 2 * PLACES as usize * (4096 + 128);

/// Bytes of a descriptor's number, before what the descriptor stands for.
const NUMBER: usize = size_of::<u64>();

/// A file that was told of.
#[derive(Debug, Default)]
pub struct File {
    id: u64,
    /// The number of a descriptor that stood for it last, and what it is; nothing after the number when that could not
    /// be read.
    value: Box<[u8]>,
    /// Its path is longer than what was read of it.
    pub is_cut: bool,
}

impl File {
    /// What it is; empty when that could not be read.
    #[inline]
    pub fn text(&self) -> &[u8] {
        self.value.get(NUMBER..).unwrap_or_default()
    }
}

impl Files {
    /// Takes a FILE record.
    pub fn add(&mut self, header: &RecordHeader, record: &[u8]) {
        let place = usize::from(header.slot);
        if place >= PLACES as usize {
            return;
        }
        self.text.clear();
        self.text.extend([0; NUMBER]);
        describe(record, header.words, &mut self.text);
        if self.places.len() <= place {
            self.places.resize_with(place + 1, Default::default);
        }
        let Some([newer, older]) = self.places.get_mut(place) else { return };
        std::mem::swap(newer, older);
        if let Some(passed) = &mut self.passed
            && newer.id != 0
        {
            passed.insert((header.slot, newer.id), std::mem::take(newer));
        }
        let is_cut = Marks(header.marks).is_cut(part::PATH.into());
        *newer = File { id: header.context, value: self.text.as_slice().into(), is_cut };
    }

    /// A file by its place and id; `None` when it was never told of.
    #[inline]
    pub fn get(&self, place: u16, id: u64) -> Option<&File> {
        let of_place = self.places.get(usize::from(place))?.iter().find(|file| file.id == id && id != 0);
        of_place.or_else(|| self.passed.as_ref()?.get(&(place, id)))
    }

    /// Keeps all that are told of from here on, since records are read later that are older than some of them.
    pub fn keep_all(&mut self) {
        self.passed.get_or_insert_default();
    }

    /// Whatever is older than the last two of a place has been read.
    pub fn forget_passed(&mut self) {
        self.passed = None;
    }

    /// Makes a file's value that of a descriptor with this number, for [`Files::value`].
    #[inline]
    pub fn number(&mut self, place: u16, id: u64, number: u64) -> Option<&File> {
        let file =
            self.places.get_mut(usize::from(place))?.iter_mut().find(|file| file.id == id && id != 0)?;
        *file.value.first_chunk_mut()? = number.to_le_bytes();
        Some(file)
    }

    /// The value of a descriptor of this number that stands for the file, if the number is the last that was set.
    #[inline]
    pub fn value(&self, place: u16, id: u64, number: u64) -> Option<&[u8]> {
        let file = self.get(place, id)?;
        (file.value.first_chunk() == Some(&number.to_le_bytes())).then_some(&file.value)
    }
}

/// Behind the path of a file that no directory names any more.
const DELETED: &[u8] = b" (deleted)";

/// Appends what a FILE record says, in the form of [`events::descriptor`]; nothing when it says too little.
fn describe(record: &[u8], words: u8, out: &mut Vec<u8>) {
    let number = |index| decode::word(record, index).unwrap_or(0);
    let (kind, inode) = (number(word::KIND), number(word::INODE));
    let (mode, family) = (kind as u16, (kind >> 16) as u16);
    if mode & S_IFMT == S_IFSOCK && family != 0 {
        return socket(family, (kind >> 32) as u16, inode, |part| blob(record, words, part), out);
    }
    let Some(path) = decode::blobs(record, words).find(|blob| blob.arg == part::PATH) else { return };
    let Some(components) = record.get(path.bytes()) else { return };
    let file_system = blob(record, words, part::FILE_SYSTEM);
    if path.form != form::PSEUDO_PATH {
        let start = out.len();
        decode::append_path(components, path.form, out);
        if number(word::UNLINKED) != 0 {
            out.extend_from_slice(DELETED);
        } else if out.ends_with(DELETED)
            && let Some(slash) = out.iter().skip(start).rposition(|byte| *byte == b'/')
        {
            // It is called so, and is there: the same path, which no file that is gone has.
            out.splice(start + slash + 1..start + slash + 1, *b"./");
        }
        return;
    }
    let name = decode::until_nul(components);
    // Memory takes everything.
    let _ = match file_system.unwrap_or_default() {
        _ if mode & S_IFMT == S_IFIFO => write!(out, "pipe:[{inode}]"),
        b"anon_inodefs" => out.write_all(b"anon_inode:").and_then(|()| out.write_all(name)),
        other if matches!(name, b"" | b"/") => out.write_all(other).and_then(|()| write!(out, ":[{inode}]")),
        _ => out.write_all(name),
    };
}

fn blob(record: &[u8], words: u8, part: u8) -> Option<&[u8]> {
    record.get(decode::blobs(record, words).find(|blob| blob.arg == part)?.bytes())
}

fn socket<'a>(
    family: u16,
    protocol: u16,
    inode: u64,
    part: impl Fn(u8) -> Option<&'a [u8]>,
    out: &mut Vec<u8>,
) {
    const UNIX: u16 = 1;
    const INET: u16 = 2;
    const INET6: u16 = 10;
    const NETLINK: u16 = 16;
    let (local, remote) = (part(part::LOCAL), part(part::REMOTE));
    let _ = match family {
        UNIX => {
            let (local, remote) = (local.map(unix_name), remote.map(unix_name));
            let is_named = |name: &Option<Vec<u8>>| name.as_ref().is_some_and(|name| !name.is_empty());
            out.extend_from_slice(b"unix ");
            if !is_named(&local) && !is_named(&remote) {
                write!(out, "[{inode}]")
            } else {
                let is_quoted =
                    [&local, &remote].into_iter().flatten().any(|name| descriptor::needs_quotes(name));
                let mut push = |piece: &[u8]| out.extend_from_slice(piece);
                if let Some(local) = local.filter(|name| !name.is_empty()) {
                    descriptor::push_name(&local, is_quoted, &mut push);
                }
                if let Some(remote) = remote.filter(|name| !name.is_empty()) {
                    push(b"->");
                    descriptor::push_name(&remote, is_quoted, &mut push);
                }
                Ok(())
            }
        }
        INET | INET6 => {
            match transport(protocol) {
                Some(word) => out.extend_from_slice(word.as_bytes()),
                None => out.extend_from_slice(b"raw"),
            }
            let (local, remote) = (local.and_then(internet), remote.and_then(internet));
            let is_set = |end: &SocketAddr| end.port() != 0 || !end.ip().is_unspecified();
            match (local.filter(is_set), remote.filter(is_set)) {
                (Some(local), Some(remote)) => write!(out, " {local}->{remote}"),
                (Some(local), None) => write!(out, " {local}"),
                (None, Some(remote)) => write!(out, " ->{remote}"),
                (None, None) => Ok(()),
            }
        }
        NETLINK => match NETLINK_FAMILIES.iter().find(|(number, _)| *number == protocol) {
            Some((_, name)) => write!(out, "netlink {name} [{inode}]"),
            None => write!(out, "netlink {protocol} [{inode}]"),
        },
        family => match Names::Domain.table().and_then(|table| table.name(u64::from(family))) {
            Some("AF_PACKET") => write!(out, "packet [{inode}]"),
            Some("AF_VSOCK") => write!(out, "vsock [{inode}]"),
            Some(name) => write!(out, "socket {name} [{inode}]"),
            None => write!(out, "socket {family} [{inode}]"),
        },
    };
}

/// Whom a netlink socket speaks to, by its protocol (`linux/netlink.h`).
const NETLINK_FAMILIES: &[(u16, &str)] = &[
    (0, "NETLINK_ROUTE"),
    (2, "NETLINK_USERSOCK"),
    (4, "NETLINK_SOCK_DIAG"),
    (6, "NETLINK_XFRM"),
    (7, "NETLINK_SELINUX"),
    (8, "NETLINK_ISCSI"),
    (9, "NETLINK_AUDIT"),
    (10, "NETLINK_FIB_LOOKUP"),
    (11, "NETLINK_CONNECTOR"),
    (12, "NETLINK_NETFILTER"),
    (15, "NETLINK_KOBJECT_UEVENT"),
    (16, "NETLINK_GENERIC"),
    (18, "NETLINK_SCSITRANSPORT"),
    (20, "NETLINK_RDMA"),
    (21, "NETLINK_CRYPTO"),
];

/// The word for a protocol of the internet families.
fn transport(protocol: u16) -> Option<&'static str> {
    Some(match protocol {
        1 => "icmp",
        6 => "tcp",
        17 => "udp",
        58 => "icmpv6",
        132 => "sctp",
        136 => "udplite",
        262 => "mptcp",
        _ => return None,
    })
}

/// A `struct sockaddr_in` or `sockaddr_in6`.
fn internet(bytes: &[u8]) -> Option<SocketAddr> {
    let port = u16::from_be_bytes(*bytes.get(2..)?.first_chunk()?);
    if bytes.len() >= 28 {
        let address: [u8; 16] = *bytes.get(8..)?.first_chunk()?;
        return Some(SocketAddr::new(Ipv6Addr::from(address).into(), port));
    }
    let address: [u8; 4] = *bytes.get(4..)?.first_chunk()?;
    Some(SocketAddr::new(Ipv4Addr::from(address).into(), port))
}

/// The name in a `struct sockaddr_un`: a path, or what stands after the NUL of an abstract one, with `@` before it.
fn unix_name(bytes: &[u8]) -> Vec<u8> {
    match bytes.get(2..) {
        Some([0, name @ ..]) if !name.is_empty() => {
            let end = name.iter().rposition(|byte| *byte != 0).map_or(0, |last| last + 1);
            [b"@", name.get(..end).unwrap_or(name)].concat()
        }
        Some(path) => match decode::until_nul(path) {
            // A relative path that looks like an abstract name, a number or a peer.
            path @ [b'@' | b'[' | b'-', ..] => [b"./", path].concat(),
            path => path.to_vec(),
        },
        None => Vec::new(),
    }
}

#[cfg(test)]
mod tests {
    use events::abi::kind;

    use super::*;
    use crate::kernel::decode::tests::record;

    /// What a FILE record of these words and blobs reads as.
    fn told(words: [u64; 3], blobs: &[(u8, u8, &[u8])]) -> String {
        let mut out = Vec::new();
        describe(&record(&words, blobs, 0), word::COUNT, &mut out);
        String::from_utf8(out).expect("text")
    }

    fn nameless(mode: u64, name: &[u8], file_system: &[u8]) -> String {
        let blobs = [(part::PATH, form::PSEUDO_PATH, name), (part::FILE_SYSTEM, form::PLAIN, file_system)];
        told([mode, 4711, 0], &blobs)
    }

    #[test]
    fn files_have_their_path_and_whether_it_is_gone() {
        let path = [(part::PATH, form::PATH, &b"passwd\0etc\0"[..])];
        assert_eq!(told([0o100_644, 9, 0], &path), "/etc/passwd");
        assert_eq!(told([0o100_644, 9, 1], &path), "/etc/passwd (deleted)");
        assert_eq!(told([0o040_755, 2, 0], &[(part::PATH, form::PATH, b"")]), "/");
        let called_so = [(part::PATH, form::PATH, &b"x (deleted)\0tmp\0"[..])];
        assert_eq!(told([0o100_644, 9, 0], &called_so), "/tmp/./x (deleted)");
        assert_eq!(told([0o100_644, 9, 1], &called_so), "/tmp/x (deleted) (deleted)");
        assert_eq!(told([0o100_644, 9, 0], &[]), "");
    }

    #[test]
    fn what_has_no_path_is_named_as_proc_names_it() {
        assert_eq!(nameless(0o010_600, b"\0", b"pipefs"), "pipe:[4711]");
        assert_eq!(nameless(0o600, b"[eventfd]\0", b"anon_inodefs"), "anon_inode:[eventfd]");
        assert_eq!(nameless(0o100_777, b"memfd:x\0", b"tmpfs"), "memfd:x");
        assert_eq!(nameless(0o100_444, b"/\0", b"nsfs"), "nsfs:[4711]");
    }

    fn v4(port: u16, host: [u8; 4]) -> Vec<u8> {
        [&[2, 0][..], &port.to_be_bytes(), &host, &[0; 8]].concat()
    }

    fn a_socket(family: u64, protocol: u64, local: &[u8], remote: &[u8]) -> String {
        let kind = 0o140_777 | family << 16 | protocol << 32;
        let blobs = [(part::LOCAL, form::PLAIN, local), (part::REMOTE, form::PLAIN, remote)];
        told([kind, 4711, 0], &blobs)
    }

    #[test]
    fn sockets_have_their_protocol_and_both_ends() {
        let (here, there, nowhere) = (v4(4242, [10, 0, 0, 1]), v4(443, [10, 0, 0, 2]), v4(0, [0; 4]));
        assert_eq!(a_socket(2, 6, &here, &there), "tcp 10.0.0.1:4242->10.0.0.2:443");
        assert_eq!(a_socket(2, 17, &v4(53, [0; 4]), &nowhere), "udp 0.0.0.0:53");
        assert_eq!(a_socket(2, 6, &nowhere, &nowhere), "tcp");
        let mut v6 = vec![0; 28];
        (v6[0], v6[3], v6[23]) = (10, 80, 1);
        assert_eq!(a_socket(10, 6, &v6, &v6), "tcp [::1]:80->[::1]:80");
        assert_eq!(a_socket(16, 0, &[], &[]), "netlink NETLINK_ROUTE [4711]");
        assert_eq!(a_socket(17, 3, &[], &[]), "packet [4711]");
    }

    #[test]
    fn unix_sockets_have_a_name_at_either_end_or_a_number() {
        let unix = |name: &[u8]| [&[1, 0], name].concat();
        assert_eq!(a_socket(1, 0, &unix(b"/run/x\0"), &[]), "unix /run/x");
        assert_eq!(a_socket(1, 0, &[], &unix(b"/run/x\0")), "unix ->/run/x");
        assert_eq!(a_socket(1, 0, &unix(b"\0abc"), &[]), "unix @abc");
        assert_eq!(a_socket(1, 0, &unix(b"@abc\0"), &[]), "unix ./@abc");
        assert_eq!(a_socket(1, 0, &unix(b"[4711]\0"), &[]), "unix ./[4711]");
        assert_eq!(a_socket(1, 0, &unix(b"->/run/x\0"), &[]), "unix \"./->/run/x\"");
        assert_eq!(a_socket(1, 0, &unix(b"sock\0"), &[]), "unix sock");
        assert_eq!(a_socket(1, 0, &[], &[]), "unix [4711]");
    }

    #[test]
    fn the_last_two_files_of_a_place_are_known() {
        let mut files = Files::default();
        let add = |files: &mut Files, id: u64, name: &[u8]| {
            let bytes = record(&[0o100_644, 9, 0], &[(part::PATH, form::PATH, name)], 0);
            let header =
                RecordHeader { kind: kind::FILE, words: 3, slot: 5, context: id, ..RecordHeader::default() };
            files.add(&header, &bytes);
        };
        add(&mut files, 1, b"a\0");
        add(&mut files, 2, b"b\0");
        add(&mut files, 3, b"c\0");
        let text = |place, id| files.get(place, id).map(File::text);
        assert_eq!([1, 2, 3].map(|id| text(5, id)), [None, Some(&b"/b"[..]), Some(b"/c")]);
        assert_eq!(text(6, 3), None);
        files.keep_all();
        add(&mut files, 4, b"d\0");
        add(&mut files, 5, b"e\0");
        let text = |files: &Files, id| files.get(5, id).map(|file| file.text().to_vec());
        assert_eq!(text(&files, 2).as_deref(), Some(&b"/b"[..]));
        files.forget_passed();
        assert_eq!((text(&files, 2), text(&files, 4).as_deref()), (None, Some(&b"/d"[..])));
    }

    #[test]
    fn a_files_value_is_that_of_the_descriptor_that_was_set_last() {
        let mut files = Files::default();
        let told = record(&[0o100_644, 9, 0], &[(part::PATH, form::PATH, b"a\0")], 0);
        files.add(&RecordHeader { words: 3, slot: 2, context: 4, ..RecordHeader::default() }, &told);
        assert!(files.number(2, 4, 7).is_some() && files.number(2, 5, 7).is_none());
        assert_eq!(files.value(2, 4, 7), Some(&b"\x07\0\0\0\0\0\0\0/a"[..]));
        assert_eq!(files.value(2, 4, 8), None);
    }
}
