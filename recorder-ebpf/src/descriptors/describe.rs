//! The record that says what a file is: its path, or what a socket is and where its ends are.

use aya_ebpf::helpers::generated::bpf_probe_read_kernel;
use events::abi::{
    RecordHeader,
    files::{id, part, word},
    form, kind,
    linux::{AF_INET, AF_INET6, AF_NETLINK, AF_UNIX, NETLINK_AUDIT, S_IFMT, S_IFSOCK},
};

use super::table::what;
use crate::{
    emit::{Started, Writer},
    logs,
    kernel::{Dentry, File, InetSock, Sock, Socket, UnixAddress, UnixSock, VfsMount},
    marks::marks_of,
    parts::kernel_string,
    path::{self, Outcome},
    probes::sockets,
};

/// Appends a record that says what a file is. Without a file: a directory that a task is in. Returns bits of [`what`].
#[inline(always)]
pub fn describe(
    writer: &mut Writer,
    id: u64,
    file: File<false>,
    dentry: Dentry<false>,
    mount: VfsMount<false>,
) -> u64 {
    let inode = dentry.inode();
    let mode = inode.mode();
    let (hashed, parent, _) = dentry.identity();
    let is_nameless = parent.0 == dentry.0 && mount.root().0 != dentry.0;
    let started = writer.start(word::COUNT);
    writer.set_word(started, word::KIND, mode as u64);
    writer.set_word(started, word::INODE, inode.ino());
    // Roots of file systems are found by no name, and are there all the same.
    writer.set_word(started, word::UNLINKED, (hashed == 0 && parent.0 != dentry.0) as u64);
    let (mut what, mut outcome) = (0, Outcome::Whole);
    if is_nameless {
        what = what::NAMELESS;
        if mode & S_IFMT == S_IFSOCK && !file.is_null() {
            what |= describe_socket(writer, started, mode, socket_of(file));
        } else {
            kernel_string(writer, part::FILE_SYSTEM, inode.sb().kind().name());
            outcome = path::append_from(writer, part::PATH, dentry, mount);
        }
    } else {
        outcome = path::append_from(writer, part::PATH, dentry, mount);
    }
    writer.end(started, RecordHeader {
        slot: id::place(id) as u16,
        kind: kind::FILE,
        words: word::COUNT,
        context: id | what::log(what),
        marks: marks_of(part::PATH as u32, outcome),
        more: 1,
        ..RecordHeader::default()
    });
    what
}

/// Appends what a socket is and where its ends are.
#[inline(always)]
fn describe_socket(writer: &mut Writer, started: Started, mode: u16, sock: Sock<false>) -> u64 {
    let family = sock.family();
    let kind = mode as u64 | (family as u64) << 16 | (sock.protocol() as u64) << 32;
    writer.set_word(started, word::KIND, kind);
    if family == AF_INET || family == AF_INET6 {
        // Kept when the connection ends, as the other number is not.
        let port = InetSock::<false>(sock.0).sport();
        sockets::address(writer, part::LOCAL, family, port, sock.rcv_saddr(), sock.v6_rcv_saddr());
        sockets::address(writer, part::REMOTE, family, sock.dport(), sock.daddr(), sock.v6_daddr());
        return what::INTERNET;
    }
    if family == AF_UNIX && UnixSock::<false>::is_known() {
        let sock = UnixSock::<false>(sock.0);
        unix_address(writer, part::LOCAL, sock.addr());
        let peer = sock.peer();
        if !peer.is_null() {
            unix_address(writer, part::REMOTE, peer.addr());
            if logs::is_log_of_kernel(peer.addr()) {
                return what::LOG;
            }
        }
    }
    if family == AF_NETLINK && sock.protocol() == NETLINK_AUDIT { what::AUDIT } else { 0 }
}

/// Appends a `struct sockaddr_un`, if the socket has one.
#[inline(always)]
fn unix_address(writer: &mut Writer, arg: u8, address: UnixAddress<false>) {
    const LONGEST: u32 = 110;
    if address.is_null() {
        return;
    }
    let length = address.length();
    let length = if length > LONGEST { LONGEST } else { length };
    // What is read beyond its end is not sent.
    // SAFETY: the write has room for a blob.
    let failed =
        unsafe { bpf_probe_read_kernel(writer.blob_bytes().cast(), LONGEST, address.name().cast()) != 0 };
    if !failed {
        writer.end_blob(arg, form::PLAIN, length);
    }
}

#[inline(always)]
pub fn socket_of<const TYPED: bool>(file: File<TYPED>) -> Sock<false> {
    Socket::<false>(file.private_data()).sk()
}
