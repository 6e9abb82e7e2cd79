//! Which records have to be read in order over all CPUs, by one: those that others are read or judged by. All others can be
//! read by several at once, each by the CPUs that are its own.
//!
//! - what is told once and referred to later: contexts, files, the arguments of execs, requests to io_urings;
//! - events that change what is known of processes and control groups, and so what contexts say and which scopes they match.
//!
//! A few kinds of calls do so in one of many thousands (a write to `/proc/PID/loginuid`, the opening of a terminal). Their
//! records are looked at: one that may be such a one is read in order.

use events::{
    ArgKind, Event, Raw,
    abi::{RecordHeader, form, kind},
    catalogue::{cgroups, process},
};
use format::facts::{FactChange, Passes};

use super::{
    decode::{self, SlotReader, until_nul},
    requests,
};

/// What is known of a slot's records before they are looked at.
#[derive(Clone, Copy, Debug)]
pub enum Order {
    /// They change nothing that others need.
    Free,
    /// They may.
    Kept,
    /// They may where the value of this argument passes.
    Sieved { position: usize, passes: Passes },
}

impl Order {
    /// Of an event and all that it stands in for.
    pub fn of<'e>(events: impl IntoIterator<Item = &'e Event>) -> Order {
        let mut all = Order::Free;
        for event in events {
            all = match (all, Order::of_event(event)) {
                (all, Order::Free) => all,
                (Order::Free, one) => one,
                // One argument is looked at.
                _ => Order::Kept,
            };
        }
        all
    }

    fn of_event(event: &Event) -> Order {
        let is_state = matches!(
            event.id,
            process::SCHED_PROCESS_FORK
                | process::SCHED_PROCESS_EXEC
                | process::SCHED_PROCESS_EXIT
                | cgroups::CGROUP_MKDIR
                | cgroups::CGROUP_RMDIR
        );
        if is_state || requests::is_submission(event.id) || requests::is_completion(event.id) {
            return Order::Kept;
        }
        if !FactChange::may_be(event.id) {
            return Order::Free;
        }
        // What a descriptor stands for is not known before files are; what is written to become a login is a number.
        if matches!(event.name, "write" | "pwrite64")
            && let Some((position, _)) = event.arg("buf")
        {
            return Order::Sieved { position, passes: may_be_number };
        }
        match FactChange::sieve(event.id) {
            Some((position, passes)) => Order::Sieved { position, passes },
            None => Order::Kept,
        }
    }

    /// Whether an event's record has to be read in order.
    pub fn keeps(self, reader: &SlotReader, header: &RecordHeader, record: &[u8]) -> bool {
        match self {
            Order::Free => false,
            Order::Kept => true,
            Order::Sieved { position, passes } => passes(value(reader, header, record, position)),
        }
    }
}

/// Whether a record has to be read in order.
#[inline]
pub fn is_ordered(slots: &[Option<SlotReader>], header: &RecordHeader, record: &[u8]) -> bool {
    if header.kind & !kind::TIMED != kind::EVENT {
        return true;
    }
    match slots.get(usize::from(header.slot)).and_then(Option::as_ref) {
        Some(reader) => reader.order.keeps(reader, header, record),
        None => true,
    }
}

/// An argument's value as the record has it. Descriptors are numbers.
fn value<'r>(reader: &SlotReader, header: &RecordHeader, record: &'r [u8], position: usize) -> Raw<'r> {
    let is_its = |blob: &decode::Blob| {
        blob.form == form::PLAIN && reader.slot.position(usize::from(blob.arg)) == Some(position)
    };
    if let Some(bytes) =
        decode::blobs(record, header.words).find(is_its).and_then(|blob| record.get(blob.bytes()))
    {
        let is_text =
            reader.slot.event.args.get(position).is_some_and(|arg| matches!(arg.kind, ArgKind::Str));
        return Raw::Bytes(if is_text { until_nul(bytes) } else { bytes });
    }
    reader.number(record, usize::from(header.words), position)
}

/// Whether bytes may be what `kstrtou32` takes, or are not known.
fn may_be_number(raw: Raw<'_>) -> bool {
    const MOST: usize = 67;
    match raw {
        Raw::Bytes([first, rest @ ..]) => {
            let is_digit = |byte: &u8| byte.is_ascii_digit();
            (is_digit(first) || matches!(first, b'+' | b'-'))
                && rest.len() < MOST
                && rest.iter().all(|byte| is_digit(byte) || matches!(byte, b'\n' | 0))
        }
        Raw::Bytes([]) => false,
        _ => true,
    }
}

#[cfg(test)]
mod tests {
    use events::catalogue;

    use super::*;
    use crate::kernel::{decode::tests::record, tables::SlotEvent};

    fn keeps(name: &str, words: &[u64], blobs: &[(u8, u8, &[u8])]) -> bool {
        let reader = SlotReader::new(SlotEvent::new(catalogue::by_name(name).unwrap()));
        let record = record(words, blobs, 0);
        let header = decode::header(&record).unwrap();
        reader.order.keeps(&reader, &header, &record)
    }

    #[test]
    fn what_changes_facts_or_may_is_kept_in_order() {
        assert!(matches!(Order::of(catalogue::by_id(process::SCHED_PROCESS_FORK)), Order::Kept));
        for name in ["setsid", "setpgid", "set_fs_pwd", "unshare", "io_uring_complete", "cgroup_mkdir"] {
            assert!(matches!(Order::of(catalogue::by_name(name)), Order::Kept), "{name}");
        }
        for name in ["read", "close", "newfstatat", "connect", "security_file_open"] {
            assert!(matches!(Order::of(catalogue::by_name(name)), Order::Free), "{name}");
        }
        // Each event that changes facts is known here.
        for event in catalogue::events().filter(|event| FactChange::may_be(event.id)) {
            assert!(!matches!(Order::of([event]), Order::Free), "{}", event.name);
        }
    }

    #[test]
    fn of_calls_that_rarely_change_facts_those_that_may_are_kept() {
        let write = |data: &[u8]| keeps("write", &[5, 0x1000, 9], &[(1, form::PLAIN, data)]);
        assert!(write(b"1000\n") && write(b"0") && write(b"+7"));
        assert!(!write(b"\0") && !write(b"hello") && !write(b"1000 bottles") && !write(&[b'1'; 80]));
        assert!(keeps("write", &[5, 0x1000, 9], &[]), "it is not known what");
        let open = |path: &[u8]| keeps("openat", &[3, 0x1000, 0, 0], &[(1, form::PLAIN, path)]);
        assert!(open(b"/dev/tty\0") && open(b"/dev/pts/3\0"));
        assert!(!open(b"/etc/passwd\0"));
        let ioctl = |request| keeps("ioctl", &[3, request, 0], &[]);
        assert!(ioctl(0x540e) && !ioctl(0x5401));
    }
}
