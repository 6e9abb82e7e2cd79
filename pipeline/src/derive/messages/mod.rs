//! What programs say to logs and to audit, read out of what they write and send.
//!
//! ```text
//! unix ->/dev/log                          a message of syslog       log_message
//! unix ->/run/systemd/journal/socket       fields of a journal entry log_message
//! unix ->/run/systemd/journal/stdout       lines of a service        log_message
//! /var/log/..., .../.bash_history          lines                     log_message
//! netlink NETLINK_AUDIT [...]              messages of netlink       audit_user_message
//! ```
//! What a logger writes into its files was said by someone else before, but for what the kernel said: it is no message of
//! its own.

mod audit;
mod journal;
mod syslog;

use std::borrow::Cow;

use events::descriptor::{self, Ends};
use events::vectors::{Message, Vectors};
use events::{Raw, descriptor::is_socket};

use super::{Base, Derived};
use syslog::Entry;

pub const BASES: &[&str] = &["write", "writev", "sendto", "sendmsg", "sendmmsg"];
pub const GIVES: &[&str] = &[LOG, AUDIT];
/// The arguments that say where a call sends to.
pub const DESCRIPTORS: &[&str] = &["fd", "sockfd"];

const LOG: &str = "log_message";
const AUDIT: &str = "audit_user_message";

/// Programs that write what others said.
const LOGGERS: &[&[u8]] =
    &[b"rsyslogd", b"syslog-ng", b"syslogd", b"metalog", b"systemd-journald", b"auditd", b"socklog"];
/// The tag of what the kernel says.
const KERNEL: &[u8] = b"kernel";
/// Sockets that take messages of syslog, beside the journal's.
const SYSLOG: &[&[u8]] = &[b"/dev/log", b"/var/run/syslog"];
/// Where the journal's sockets are, or `.NAMESPACE` follows for a journal of its own.
const JOURNAL: &[u8] = b"/run/systemd/journal";
/// Lines of one write that become messages each.
const MAX_LINES: usize = 256;
/// Lines of which systemd tells the journal about a service's output before the service runs.
const STREAM_HEADER_LINES: usize = 7;

/// What takes a message.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Sink<'a> {
    Syslog,
    Journal,
    Stdout,
    /// A file of a log, by its path.
    File(&'a [u8]),
    History(&'a [u8]),
    Audit,
}

/// What one call sends.
struct Payload<'a> {
    bytes: Cow<'a, [u8]>,
    /// More was sent than was kept.
    is_cut: bool,
    /// The socket that it names itself; empty where the descriptor says where it goes.
    to: &'a [u8],
}

/// Whether what is sent to a descriptor may be a message: asked once of each value of a block.
pub fn may_be_sink(raw: Raw<'_>) -> bool {
    let Some((_, stands_for)) = raw.descriptor() else { return false };
    // A socket without a peer names one with each message.
    let is_open = stands_for.starts_with(b"unix ") && remote(stands_for).is_none();
    is_open || sink_of(stands_for).is_some()
}

pub fn derive(base: &Base<'_>, derived: &mut Derived) {
    if base.ret < 0 {
        return;
    }
    let known = DESCRIPTORS.iter().find_map(|name| base.arg(name).descriptor());
    let Some((_, stands_for)) = known else { return };
    each_payload(base, &mut |payload| {
        let sink = if payload.to.is_empty() { sink_of(stands_for) } else { socket(payload.to) };
        match sink {
            Some(Sink::Audit) => audit::derive(&payload.bytes, payload.is_cut, derived),
            Some(sink) => log(sink, payload, base.exe, derived),
            None => {}
        }
    });
}

fn sink_of(stands_for: &[u8]) -> Option<Sink<'_>> {
    if stands_for.starts_with(b"netlink NETLINK_AUDIT") {
        return Some(Sink::Audit);
    }
    if is_socket(stands_for) {
        return socket(remote(stands_for)?);
    }
    let name = stands_for.rsplit(|byte| *byte == b'/').next()?;
    if stands_for.starts_with(b"/var/log/") {
        return Some(Sink::File(stands_for));
    }
    let is_history = stands_for.starts_with(b"/") && name.starts_with(b".") && name.ends_with(b"_history");
    is_history.then_some(Sink::History(name))
}

/// The other end of a unix socket.
fn remote(stands_for: &[u8]) -> Option<&[u8]> {
    match descriptor::ends(stands_for)? {
        Ends { word: b"unix", remote, .. } => remote,
        _ => None,
    }
}

fn socket(path: &[u8]) -> Option<Sink<'static>> {
    if SYSLOG.contains(&path) {
        return Some(Sink::Syslog);
    }
    let behind = path.strip_prefix(JOURNAL)?;
    let slash = behind.iter().position(|byte| *byte == b'/')?;
    let (namespace, name) = behind.split_at_checked(slash)?;
    if !namespace.is_empty() && !namespace.starts_with(b".") {
        return None;
    }
    Some(match name {
        b"/dev-log" => Sink::Syslog,
        b"/socket" => Sink::Journal,
        b"/stdout" => Sink::Stdout,
        _ => return None,
    })
}

fn each_payload<'a>(base: &Base<'a>, see: &mut dyn FnMut(&Payload<'a>)) {
    let sent = base.ret as u64;
    match (base.event.name, base.arg("buf"), base.arg("iov"), base.arg("msg"), base.arg("msgvec")) {
        (_, Raw::Bytes(bytes), ..) => {
            let is_cut = (bytes.len() as u64) < sent;
            see(&Payload { bytes: bytes.into(), is_cut, to: path(base.arg("dest_addr")) });
        }
        (_, _, Raw::Bytes(iov), ..) => {
            if let Some(vectors) = Vectors::read(iov) {
                see(&gathered(vectors, &[]));
            }
        }
        (_, _, _, Raw::Bytes(message), _) => {
            if let Some((message, _)) = Message::read(message) {
                see(&gathered(message.vectors, path(Raw::Bytes(message.name))));
            }
        }
        (.., Raw::Bytes(messages)) => {
            // The result is how many of them were sent.
            for message in Message::all(messages).take(sent as usize) {
                see(&gathered(message.vectors, path(Raw::Bytes(message.name))));
            }
        }
        _ => {}
    }
}

fn gathered<'a>(vectors: Vectors<'a>, to: &'a [u8]) -> Payload<'a> {
    let mut bytes = Vec::new();
    let mut length = 0u64;
    for vector in vectors.iter() {
        bytes.extend_from_slice(vector.data);
        length = length.saturating_add(vector.length);
    }
    Payload { is_cut: (bytes.len() as u64) < length, bytes: bytes.into(), to }
}

/// The path of a `struct sockaddr_un`; empty where it has none.
fn path(address: Raw<'_>) -> &[u8] {
    const AF_UNIX: [u8; 2] = 1u16.to_le_bytes();
    match address {
        Raw::Bytes(bytes) if bytes.starts_with(&AF_UNIX) => {
            let path = bytes.get(2..).unwrap_or_default();
            path.split(|byte| *byte == 0).next().unwrap_or_default()
        }
        _ => &[],
    }
}

fn log(sink: Sink<'_>, payload: &Payload<'_>, exe: &[u8], derived: &mut Derived) {
    let program = exe.rsplit(|byte| *byte == b'/').next().unwrap_or_default();
    let bytes = &*payload.bytes;
    let add = |derived: &mut Derived, via, entry: &Entry<'_>, is_cut| add(derived, via, entry, is_cut);
    match sink {
        Sink::Syslog => add(derived, "syslog", &syslog::message(bytes), payload.is_cut),
        Sink::Journal => {
            let (entry, is_cut) = journal::entry(bytes, payload.is_cut);
            add(derived, "journal", &entry, is_cut);
        }
        Sink::Stdout => {
            let lines = lines(bytes, payload.is_cut);
            let is_number = |line: &[u8]| line.len() == 1 && line.iter().all(u8::is_ascii_digit);
            let last = bytes.split(|byte| *byte == b'\n').skip(2).take(STREAM_HEADER_LINES - 2);
            let is_header = bytes.iter().filter(|byte| **byte == b'\n').count() == STREAM_HEADER_LINES
                && last.into_iter().all(is_number);
            for (line, is_cut) in lines.filter(|_| !is_header) {
                let (priority, text) = syslog::priority(line);
                let entry = Entry { priority, tag: program, pid: None, text };
                add(derived, "stdout", &entry, is_cut);
            }
        }
        Sink::File(path) => {
            // Files of records (wtmp, journals) are no text.
            if bytes.contains(&0) {
                return;
            }
            let is_logger = LOGGERS.contains(&program);
            let name = path.rsplit(|byte| *byte == b'/').next().unwrap_or_default();
            let stem = name.split(|byte| *byte == b'.').next().unwrap_or_default();
            for (line, is_cut) in lines(bytes, payload.is_cut) {
                let entry = syslog::line(line);
                // What loggers write others have said, but for the kernel, which says it to nobody else.
                if is_logger && entry.tag != KERNEL {
                    continue;
                }
                let tag = if entry.tag.is_empty() { stem } else { entry.tag };
                add(derived, "file", &Entry { tag, ..entry }, is_cut);
            }
        }
        Sink::History(name) => {
            let tag = name.strip_prefix(b".").unwrap_or(name);
            for (text, is_cut) in lines(bytes, payload.is_cut) {
                add(derived, "history", &Entry { priority: None, tag, pid: None, text }, is_cut);
            }
        }
        Sink::Audit => {}
    }
}

/// The lines of a text that are not empty, each with whether its end was not kept.
fn lines(bytes: &[u8], is_cut: bool) -> impl Iterator<Item = (&[u8], bool)> {
    let end = bytes.len();
    let mut at = 0;
    bytes
        .split(|byte| *byte == b'\n')
        .map(move |line| {
            at += line.len() + 1;
            (line.strip_suffix(b"\r").unwrap_or(line), is_cut && at > end)
        })
        .filter(|(line, _)| !line.is_empty())
        .take(MAX_LINES)
}

fn add(derived: &mut Derived, via: &str, entry: &Entry<'_>, is_cut: bool) {
    if !derived.begin(LOG) {
        return;
    }
    let mut text = |name: &str, text: &[u8]| derived.bytes(name, |out| out.extend_from_slice(text));
    text("via", via.as_bytes());
    if let Some(priority) = entry.priority {
        text("facility", syslog::facility(priority).as_bytes());
        text("severity", syslog::severity(priority).as_bytes());
    }
    text("tag", entry.tag);
    text("text", entry.text);
    if let Some(pid) = entry.pid {
        derived.number("pid", pid.into());
    }
    if is_cut {
        derived.cut("text");
    }
}
