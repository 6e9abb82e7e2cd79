//! Kinds of events and their parameters, from `events.txt`.

use std::sync::LazyLock;

/// How a parameter is stored.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Stored {
    /// A number of so many bytes.
    Unsigned(u8),
    Signed(u8),
    /// A descriptor, of eight bytes.
    Fd,
    /// Ends in a NUL.
    Text,
    Bytes,
    /// Family, and an address and port or a name.
    Address,
    /// Family, and both ends.
    Tuple,
    /// A byte that says which form the value behind it has.
    Variant,
    /// Nothing that is read or written here.
    Other,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Param {
    pub name: &'static str,
    pub stored: Stored,
    /// Older readers do not know it: it is read, and never written.
    pub is_new: bool,
}

/// The event that tells that a call begins, and the one that tells that it ended.
#[derive(Debug)]
pub struct Pair {
    /// Of the first; the other is one more.
    pub number: u16,
    pub name: &'static str,
    pub enter: Vec<Param>,
    pub exit: Vec<Param>,
}

/// From this number on, events are not known by older readers.
const FIRST_NEW: u16 = 336;

impl Pair {
    /// Whether every reader knows it.
    pub fn is_old(&self) -> bool {
        self.number < FIRST_NEW
    }
}

static PAIRS: LazyLock<Vec<Pair>> = LazyLock::new(|| {
    let lines = include_str!("events.txt").lines().filter(|line| !line.starts_with('#'));
    lines.filter_map(read).collect()
});

/// The pair that an event is of, by the event's number.
pub fn pair(number: u16) -> Option<&'static Pair> {
    let pairs: &'static [Pair] = &PAIRS;
    let at = pairs.binary_search_by_key(&(number & !1), |pair| pair.number).ok()?;
    pairs.get(at)
}

fn read(line: &'static str) -> Option<Pair> {
    let mut parts = line.split('|');
    let (number, name) = parts.next()?.trim().split_once(' ')?;
    let (enter, exit) = (parts.next()?, parts.next().unwrap_or_default());
    Some(Pair { number: number.parse().ok()?, name, enter: params(enter), exit: params(exit) })
}

fn params(text: &'static str) -> Vec<Param> {
    let mut is_new = false;
    let mut params = Vec::new();
    for word in text.split_whitespace() {
        match word.split_once(':') {
            None => is_new = true,
            Some((name, stored)) => params.push(Param { name, stored: stored_of(stored), is_new }),
        }
    }
    params
}

fn stored_of(word: &str) -> Stored {
    match word {
        "u8" => Stored::Unsigned(1),
        "u16" => Stored::Unsigned(2),
        "u32" => Stored::Unsigned(4),
        "u64" => Stored::Unsigned(8),
        "s16" => Stored::Signed(2),
        "s32" => Stored::Signed(4),
        "s64" | "pid" => Stored::Signed(8),
        "pid32" | "fd32" => Stored::Signed(4),
        "fd" => Stored::Fd,
        "text" => Stored::Text,
        "bytes" => Stored::Bytes,
        "address" => Stored::Address,
        "tuple" => Stored::Tuple,
        "variant" => Stored::Variant,
        _ => Stored::Other,
    }
}

/// The number that the format gives a system call which has no event of its own; 0 for those that it does not know.
pub fn generic_number(name: &str) -> u16 {
    static NAMES: LazyLock<Vec<&'static str>> = LazyLock::new(|| {
        let lines = include_str!("syscalls.txt").lines().filter(|line| !line.starts_with('#'));
        lines.flat_map(str::split_whitespace).collect()
    });
    NAMES.iter().position(|known| *known == name).map_or(0, |at| at as u16)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_line_reads_and_numbers_rise() {
        let lines = include_str!("events.txt").lines().filter(|line| !line.starts_with('#')).count();
        assert_eq!(PAIRS.len(), lines);
        assert!(PAIRS.windows(2).all(|two| two[0].number < two[1].number && two[0].number % 2 == 0));
        let openat = pair(307).expect("openat");
        assert_eq!((openat.name, openat.enter.len(), openat.exit.len()), ("openat", 4, 7));
        assert_eq!(openat.exit.iter().filter(|param| param.is_new).count(), 1);
        assert_eq!((generic_number("restart_syscall"), generic_number("clone3")), (1, 328));
        assert_eq!(generic_number("landlock_create_ruleset"), 0);
    }
}
