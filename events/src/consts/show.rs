//! Numbers as names, and names as numbers.

use core::fmt::{self, Display, Formatter};

use super::Names;
use crate::catalogue;
use crate::event::EventId;

/// A number shown by its names: `O_RDONLY|O_CLOEXEC`. What has no name stays a number beside the names:
/// `O_RDONLY|0x40000000`; a number without any name is shown in decimal.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Named {
    pub names: Names,
    /// Signed numbers are sign-extended.
    pub number: u64,
}

impl Display for Named {
    fn fmt(&self, out: &mut Formatter<'_>) -> fmt::Result {
        let number = self.number;
        if self.names == Names::Syscall
            && let Some(event) = u16::try_from(number).ok().and_then(|id| catalogue::by_id(EventId(id)))
            && event.is_syscall()
        {
            return out.write_str(event.name);
        }
        let Some(table) = self.names.table() else { return write!(out, "{}", number as i64) };
        if !table.is_flags() {
            return match table.name(number) {
                Some(name) => out.write_str(name),
                None => write!(out, "{}", number as i64),
            };
        }
        // Flags of an `int` whose highest bit is set were sign-extended.
        let number =
            if number as i64 == i64::from(number as i32) { u64::from(number as u32) } else { number };
        let mut left = number;
        let mut separator = "";
        if table.mask != 0
            && let Some(name) = table.name(number)
        {
            out.write_str(name)?;
            (separator, left) = ("|", left & !table.mask);
        }
        for (bits, name) in table.bits {
            if number & bits == *bits && left & bits != 0 {
                write!(out, "{separator}{name}")?;
                (separator, left) = ("|", left & !bits);
            }
        }
        match (left, separator, table.zero) {
            (0, "", Some(zero)) => out.write_str(zero),
            (0, "", None) => out.write_str("0"),
            (0, ..) => Ok(()),
            (_, "", _) => write!(out, "{left:#x}"),
            _ => write!(out, "{separator}{left:#x}"),
        }
    }
}

impl Names {
    /// The number, to be shown by its names.
    pub const fn show(self, number: u64) -> Named {
        Named { names: self, number }
    }

    /// The number that a text means: names joined with `|`, and numbers among them (decimal, `0x`, `0o`). `None` when a
    /// part is neither. A name's number has not the width of its argument yet: see [`crate::Arg::parse`].
    pub fn parse(self, text: &str) -> Option<u64> {
        text.split('|').try_fold(0, |all, part| Some(all | self.part(part.trim())?))
    }

    /// Whether its numbers are sets of flags.
    pub fn is_flags(self) -> bool {
        self.table().is_some_and(|table| table.is_flags())
    }

    fn part(self, text: &str) -> Option<u64> {
        if let Some(number) = number(text) {
            return Some(number);
        }
        match self {
            Names::None => None,
            Names::Syscall => {
                let call = catalogue::by_name(text).filter(|event| event.is_syscall());
                call.map(|event| u64::from(event.id.0))
            }
            _ => match self.table() {
                Some(table) => table.number(text),
                None => self.choices().iter().find_map(|names| names.part(text)),
            },
        }
    }
}

/// A number as people write it: decimal with a sign at will, `0x` or `0o`.
pub(crate) fn number(text: &str) -> Option<u64> {
    if let Some(hex) = text.strip_prefix("0x") {
        return u64::from_str_radix(hex, 16).ok();
    }
    if let Some(octal) = text.strip_prefix("0o") {
        return u64::from_str_radix(octal, 8).ok();
    }
    text.parse::<i64>().map(|number| number as u64).or_else(|_| text.parse()).ok()
}

#[cfg(test)]
mod tests {
    extern crate std;
    use std::string::ToString;

    use super::*;

    #[test]
    fn flags_keep_the_bits_that_have_no_name() {
        let open = |flags| Names::OpenFlags.show(flags).to_string();
        assert_eq!(open(0), "O_RDONLY");
        assert_eq!(open(0o2000000), "O_RDONLY|O_CLOEXEC");
        assert_eq!(open(0o1101), "O_WRONLY|O_CREAT|O_TRUNC");
        assert_eq!(open(0o4010002), "O_RDWR|O_SYNC");
        assert_eq!(open(0o20200002), "O_RDWR|O_DIRECTORY|O_TMPFILE");
        assert_eq!(open(0x4000_0000), "O_RDONLY|0x40000000");
        assert_eq!(Names::Prot.show(0).to_string(), "PROT_NONE");
        assert_eq!(Names::Prot.show(0x40).to_string(), "0x40");
        assert_eq!(Names::MapFlags.show(0x22).to_string(), "MAP_PRIVATE|MAP_ANONYMOUS");
        assert_eq!(Names::SocketType.show(0o2000002).to_string(), "SOCK_DGRAM|SOCK_CLOEXEC");
        assert_eq!(Names::FileMode.show(0o100755 & !0o77).to_string(), "S_IFREG|S_IRUSR|S_IWUSR|S_IXUSR");
        assert_eq!(Names::FileMode.show(0o20000).to_string(), "S_IFCHR");
        assert_eq!(Names::FileMode.show(0).to_string(), "0");
        assert_eq!(
            Names::CloneFlags.show(0x0120_0011).to_string(),
            "SIGCHLD|CLONE_CHILD_CLEARTID|CLONE_CHILD_SETTID"
        );
    }

    #[test]
    fn a_number_without_a_name_stays_a_number() {
        assert_eq!(Names::PtraceRequest.show(0).to_string(), "PTRACE_TRACEME");
        assert_eq!(Names::PtraceRequest.show(9999).to_string(), "9999");
        assert_eq!(Names::DirFd.show(-100i64 as u64).to_string(), "AT_FDCWD");
        assert_eq!(Names::DirFd.show(3).to_string(), "3");
        assert_eq!(
            Names::RebootCommand.show(0x89ab_cdefu32 as i32 as i64 as u64).to_string(),
            "LINUX_REBOOT_CMD_CAD_ON"
        );
        assert_eq!(Names::Syscall.show(257).to_string(), "openat");
        assert_eq!(Names::Syscall.show(1000).to_string(), "1000");
        assert_eq!(Names::SocketOption.given(6).show(1).to_string(), "TCP_NODELAY");
        assert_eq!(Names::SocketOption.given(1).show(2).to_string(), "SO_REUSEADDR");
        assert_eq!(Names::SocketOption.show(2).to_string(), "2");
    }

    #[test]
    fn text_means_names_or_numbers() {
        assert_eq!(Names::OpenFlags.parse("O_WRONLY|O_CREAT"), Some(0o101));
        assert_eq!(Names::OpenFlags.parse("O_RDONLY|0x40000000"), Some(0x4000_0000));
        assert_eq!(Names::OpenFlags.parse("577"), Some(577));
        assert_eq!(Names::OpenFlags.parse("O_NOPE"), None);
        assert_eq!(Names::DirFd.parse("AT_FDCWD"), Some(-100i64 as u64));
        assert_eq!(Names::None.parse("-1"), Some(u64::MAX));
        assert_eq!(Names::None.parse(""), None);
        assert_eq!(Names::Syscall.parse("openat"), Some(257));
        assert_eq!(Names::Syscall.parse("sched_process_exec"), None);
        assert_eq!(Names::SocketOption.parse("SO_REUSEADDR"), Some(2));
    }

    #[test]
    fn every_name_reads_back_as_the_number_that_it_was_shown_for() {
        for names in Names::TABLES {
            let table = names.table().expect("listed because it has one");
            let numbers = table
                .values
                .iter()
                .map(|(value, _)| *value as u64)
                .chain(table.bits.iter().map(|(bits, _)| *bits));
            for number in numbers {
                let text = names.show(number).to_string();
                assert_eq!(names.parse(&text), Some(number), "{names:?} {text}");
            }
            let mut seen = std::collections::HashSet::new();
            for name in table.names() {
                assert!(seen.insert(name), "{names:?} has {name} twice");
                assert!(table.number(name).is_some());
            }
        }
    }

    #[test]
    fn errors_have_names_both_ways() {
        use crate::consts::errno;
        assert_eq!(errno::of_result(-13), Some("EACCES"));
        assert_eq!(errno::of_result(-516), Some("ERESTART_RESTARTBLOCK"));
        assert_eq!(errno::of_result(0), None);
        assert_eq!(errno::of_result(i64::MIN), None);
        assert_eq!(errno::number("ENOENT"), Some(2));
        assert_eq!(errno::number("EWOULDBLOCK"), Some(11));
    }
}
