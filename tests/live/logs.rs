//! Messages for logs are kept longer than other buffers: by what a socket is connected to, and by where a call sends to.

use std::fs;
use std::io;
use std::os::fd::AsRawFd as _;
use std::os::unix::net::{UnixDatagram, UnixListener, UnixStream};

use events::Marks;
use libtest_mimic::Failed;

use crate::Test;
use crate::acts::{c_string, check, name_self};
use crate::host::{act, count, ensure, marks, record, same, scratch};

pub const TESTS: &[Test] = &[("messages_for_logs_are_kept_longer_than_other_buffers", kept)];

/// What is sent, in order: by which call, to which socket, how many bytes, and whether all of them are kept. Other buffers are
/// cut at 256 bytes, messages for logs at 1,024, those for audit at 4,096.
const SENT: &[(&str, &str, usize, bool)] = &[
    ("sendto", "/dev/log", 900, true),
    ("write", "/dev/log", 900, true),
    ("writev", "/dev/log", 900, true),
    ("sendto", "/dev/log", 1024, true),
    ("sendto", "/dev/log", 1025, false),
    ("sendto", "@/dev/log", 900, true),
    ("sendmsg", "@/dev/log", 900, true),
    ("sendmsg", "@/run/systemd/journal/socket", 900, true),
    ("sendmmsg", "@/run/systemd/journal.other/dev-log", 900, true),
    ("write", "/run/systemd/journal/stdout", 900, true),
    ("sendto", "/dev/logger", 900, false),
    ("sendto", "@/dev/logger", 900, false),
    ("sendmsg", "@/run/systemd/journalist", 900, false),
    ("sendto", "/run/other", 900, false),
    ("write", "/run/other", 900, false),
    ("write", "a file", 900, false),
    // What was sent to a log by the same descriptor before does not count.
    ("sendto", "@/run/other", 900, false),
];

/// A message whose end can be asked for.
fn message(bytes: usize) -> Vec<u8> {
    let start = b"<13>sender: ";
    [start, &vec![b'x'; bytes - start.len() - 3][..], b"END"].concat()
}

/// An address, with its length.
fn address(name: &str) -> (libc::sockaddr_un, u32) {
    // SAFETY: numbers only.
    let mut address: libc::sockaddr_un = unsafe { std::mem::zeroed() };
    address.sun_family = libc::AF_UNIX as u16;
    for (place, byte) in address.sun_path.iter_mut().zip(name.bytes()) {
        *place = byte as libc::c_char;
    }
    // With and without the NUL at its end.
    (address, 2 + name.len() as u32 + u32::from(name.len().is_multiple_of(2)))
}

/// Sends messages to logs and elsewhere, where `/dev` and `/run` are its own.
pub fn send(folder: &str) -> io::Result<()> {
    name_self("sendstologs")?;
    let (kind, root) = (c_string("tmpfs")?, c_string("/")?);
    let nothing = std::ptr::null();
    // SAFETY: strings with their NUL.
    unsafe {
        check(libc::unshare(libc::CLONE_NEWNS).into())?;
        let private = libc::MS_REC | libc::MS_PRIVATE;
        check(libc::mount(nothing, root.as_ptr(), nothing, private, nothing.cast()).into())?;
        for place in ["/dev", "/run"] {
            let place = c_string(place)?;
            check(libc::mount(kind.as_ptr(), place.as_ptr(), kind.as_ptr(), 0, nothing.cast()).into())?;
        }
    }
    fs::create_dir_all("/run/systemd/journal")?;
    fs::create_dir_all("/run/systemd/journal.other")?;
    let names = [
        "/dev/log",
        "/dev/logger",
        "/run/other",
        "/run/systemd/journal/socket",
        "/run/systemd/journal.other/dev-log",
        "/run/systemd/journalist",
    ];
    let _sockets = names.map(UnixDatagram::bind);
    let _stream = UnixListener::bind("/run/systemd/journal/stdout")?;
    let stream = UnixStream::connect("/run/systemd/journal/stdout")?;
    let file = fs::File::create(format!("{folder}/file"))?;
    let unconnected = UnixDatagram::unbound()?;
    for (call, to, bytes, _) in SENT {
        let text = message(*bytes);
        let connected = UnixDatagram::unbound()?;
        let fd = match to.strip_prefix('@') {
            Some(_) => unconnected.as_raw_fd(),
            None if *to == "a file" => file.as_raw_fd(),
            None if to.ends_with("stdout") => stream.as_raw_fd(),
            None => {
                connected.connect(to)?;
                connected.as_raw_fd()
            }
        };
        let (mut target, length) = address(to.strip_prefix('@').unwrap_or_default());
        let has_target = to.starts_with('@');
        // In two pieces, of which the second has most of it.
        let (first, second) = text.split_at(20);
        let mut pieces = [first, second]
            .map(|piece| libc::iovec { iov_base: piece.as_ptr().cast_mut().cast(), iov_len: piece.len() });
        // SAFETY: numbers and null pointers.
        let mut header: libc::mmsghdr = unsafe { std::mem::zeroed() };
        if has_target {
            header.msg_hdr.msg_name = (&raw mut target).cast();
            header.msg_hdr.msg_namelen = length;
        }
        header.msg_hdr.msg_iov = pieces.as_mut_ptr();
        header.msg_hdr.msg_iovlen = pieces.len();
        // SAFETY: descriptors of our own, and memory that lives until the call returns.
        let sent = unsafe {
            match *call {
                "write" => libc::write(fd, text.as_ptr().cast(), text.len()),
                "writev" => libc::writev(fd, pieces.as_ptr(), 2),
                "sendmsg" => libc::sendmsg(fd, &raw const header.msg_hdr, 0),
                "sendmmsg" => libc::sendmmsg(fd, &raw mut header, 1, 0) as isize,
                _ if has_target => {
                    libc::sendto(fd, text.as_ptr().cast(), text.len(), 0, (&raw const target).cast(), length)
                }
                _ => libc::send(fd, text.as_ptr().cast(), text.len(), 0),
            }
        };
        check(sent as i64).map_err(|error| io::Error::other(format!("{call} to {to}: {error}")))?;
    }
    tell_audit()
}

/// Messages of users to audit, of which no bound of other logs cuts anything.
const AUDITED: [usize; 2] = [3000, 4080];

fn tell_audit() -> io::Result<()> {
    const AUDIT_USER: u16 = 1005;
    const NLM_F_REQUEST: u16 = 1;
    // SAFETY: numbers.
    let socket = unsafe { libc::socket(libc::AF_NETLINK, libc::SOCK_RAW, libc::NETLINK_AUDIT) };
    if socket < 0 {
        eprintln!("this kernel has no audit");
        return Ok(());
    }
    for bytes in AUDITED {
        let text = message(bytes);
        let mut sent = ((text.len() + 16) as u32).to_ne_bytes().to_vec();
        sent.extend(AUDIT_USER.to_ne_bytes());
        sent.extend(NLM_F_REQUEST.to_ne_bytes());
        sent.extend([0; 8]);
        sent.extend(text);
        // SAFETY: a descriptor of our own, and memory that lives until the call returns.
        check(unsafe { libc::send(socket, sent.as_ptr().cast(), sent.len(), 0) } as i64)?;
    }
    Ok(())
}

fn kept() -> Result<(), Failed> {
    let dir = scratch()?;
    let folder = crate::host::path(dir.path())?.to_owned();
    let act = act("send-to-logs", &folder)?;
    let command: Vec<&str> = act.iter().map(String::as_str).collect();
    let file = record(dir.path(), &[], &command)?;
    for call in ["sendto", "write", "writev", "sendmsg", "sendmmsg"] {
        let event = events::catalogue::by_name(call).ok_or("no such event")?;
        let found = marks(&file, call, "sendstologs")?;
        let are_cut: Vec<bool> = found.iter().map(|marks| event.is_cut(*marks, 1)).collect();
        let mut expected: Vec<bool> =
            SENT.iter().filter(|(by, ..)| *by == call).map(|(.., whole)| !whole).collect();
        // Behind them come those to audit, where there is one, and what is written when there is none.
        if are_cut.len() > expected.len() {
            let more = are_cut.len() - expected.len();
            ensure(more == AUDITED.len() || call == "write", || format!("{call}: {are_cut:?}"))?;
            expected.extend(vec![false; more]);
        }
        same(&format!("which messages of {call} are cut"), are_cut, expected)?;
        ensure(found.iter().all(|marks| !marks.has(Marks::FAULT)), || format!("{call}: unreadable"))?;
    }
    // What is derived from them has the whole text.
    let whole = |filters: &[&str]| {
        count(&file, &[&["-f", "comm=sendstologs", "-f", "log_message.text=*END"][..], filters].concat())
    };
    same("messages of syslog that are whole", whole(&["-f", "log_message.via=syslog"])?, 7)?;
    let audited = count(&file, &["-f", "comm=sendstologs", "-f", "event=audit_user_message"])?;
    let whole = count(&file, &["-f", "comm=sendstologs", "-f", "audit_user_message.text=*END"])?;
    same("messages to audit that are whole", whole, audited)?;
    ensure(audited == 0 || audited == AUDITED.len() as u64, || format!("{audited} messages to audit"))
}
