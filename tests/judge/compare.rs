//! Is what strace shows the same as what the capture holds?

use std::collections::BTreeSet;
use std::fmt;
use std::net::IpAddr;

use crate::held::Held;
use crate::layouts;
use crate::members;
use crate::shown::Shown;

/// One place where the two do not say the same.
#[derive(Clone, Debug, PartialEq)]
pub struct Finding {
    /// Argument and members: `msg.msg_iov.0.iov_base`.
    pub place: String,
    pub what: Kind,
}

#[derive(Clone, Debug, PartialEq)]
pub enum Kind {
    /// Both have it, and it is not the same.
    Different { shown: String, held: String },
    /// strace shows it, and the capture has no such thing.
    Missing { shown: String },
    /// strace shows what was there before the call too; the capture has it as the call left it.
    Before { shown: String },
    /// strace shows an address where the capture holds what is there.
    AddressOnly,
    /// The capture has bytes where strace shows members.
    NoMembers,
}

impl fmt::Display for Finding {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let place = &self.place;
        match &self.what {
            Kind::Different { shown, held } => {
                write!(out, "{place}: strace shows {shown}, the capture has {held}")
            }
            Kind::Missing { shown } => write!(out, "{place}: strace shows {shown}, the capture has nothing"),
            Kind::Before { shown } => write!(out, "{place}: {shown} before the call"),
            Kind::AddressOnly => write!(out, "{place}: strace shows the address only"),
            Kind::NoMembers => write!(out, "{place}: bytes, not members"),
        }
    }
}

/// The bounds of a recording: values of such a length may be the start of longer ones.
#[derive(Clone, Copy, Debug)]
pub struct Bounds {
    pub string: usize,
    pub buffer: usize,
}

/// Collects what differs in one call.
#[derive(Debug)]
pub struct Comparison {
    pub bounds: Bounds,
    pub findings: Vec<Finding>,
}

impl Comparison {
    pub fn new(bounds: Bounds) -> Comparison {
        Comparison { bounds, findings: Vec::new() }
    }

    fn find(&mut self, place: &str, what: Kind) {
        self.findings.push(Finding { place: place.to_owned(), what });
    }

    /// strace shows a register, whatever the argument is.
    pub fn register(&mut self, place: &str, shown: &Shown, held: &Held, is_pointer: bool) {
        match (shown, held) {
            (Shown::Number(0), Held::Missing) => {}
            (Shown::Number(shown), Held::Number(held)) if is_pointer && shown != held => {
                self.find(place, Kind::AddressOnly);
            }
            _ => self.value(place, shown, held),
        }
    }

    fn different(&mut self, place: &str, shown: &Shown, held: &Held) {
        self.find(place, Kind::Different { shown: brief(shown), held: brief(held) });
    }

    /// Compares a value, and all that is inside it.
    pub fn value(&mut self, place: &str, shown: &Shown, held: &Held) {
        match (shown, held) {
            (Shown::Nothing, _) => {}
            (Shown::Change(before, after), _) => self.change(place, before, after, held),
            (Shown::Null, Held::Missing | Held::Number(0)) => {}
            (Shown::List(elements), Held::Missing) if elements.is_empty() => {}
            // No bytes are the same wherever they are.
            (Shown::Text { bytes, .. }, Held::Missing | Held::Number(_)) if bytes.is_empty() => {}
            (_, Held::Missing) => self.find(place, Kind::Missing { shown: brief(shown) }),
            (Shown::At(name, value), _) => self.value(&format!("{place}.{name}"), value, held),
            (Shown::Status(status), _) => self.status(place, status, held),
            (Shown::Made(name, arguments), _) => self.made(place, name, arguments, shown, held),
            (Shown::Or(parts), Held::Number(number)) => self.or(place, parts, *number),
            (Shown::Number(shown), Held::Number(held)) => self.number(place, *shown, *held),
            (Shown::Number(number), Held::Text(text)) if same_number(place, *number, text) => {}
            (Shown::Number(_), Held::Text(_) | Held::Bytes(_) | Held::List(_) | Held::Members(_)) => {
                self.find(place, Kind::AddressOnly);
            }
            (Shown::Text { bytes, is_cut }, Held::Text(_) | Held::Bytes(_)) => {
                self.text(place, bytes, *is_cut, held);
            }
            (Shown::Text { bytes, .. }, Held::Number(number)) => {
                self.wire_number(place, bytes, *number, shown, held);
            }
            (Shown::Members(members), Held::Members(held)) => self.members(place, members, held),
            (Shown::List(elements), Held::List(held)) if place.contains("node") => {
                self.nodes(place, elements, held);
            }
            (Shown::List(elements), Held::List(held))
                if is_set(place) && elements.iter().all(|element| matches!(element, Shown::Number(_))) =>
            {
                self.set(place, elements, held, false);
            }
            (Shown::AllBut(elements), Held::List(held)) => self.set(place, elements, held, true),
            (Shown::List(elements), Held::List(held)) => self.list(place, elements, held),
            (Shown::Text { bytes, is_cut }, Held::List(held)) => {
                // Strings that stand one after the other.
                let joined = held.iter().filter_map(|held| held.meanings().pop()).flat_map(|mut text| {
                    text.push(0);
                    text
                });
                self.text(place, bytes, *is_cut, &Held::Bytes(joined.collect()));
            }
            // A structure with one member.
            (Shown::List(elements), Held::Members(held))
                if matches!((&elements[..], &held[..]), ([Shown::Number(_)], [_])) =>
            {
                self.value(place, &elements[0], &held[0].1);
            }
            // A pointer to one structure or number stands in brackets.
            (Shown::List(elements), Held::Members(_) | Held::Number(_)) if elements.len() == 1 => {
                self.value(place, &elements[0], held);
            }
            (Shown::Members(_), Held::List(held)) if held.len() == 1 => self.value(place, shown, &held[0]),
            (Shown::Members(_) | Shown::List(_), Held::Text(_) | Held::Bytes(_)) => {
                let read = held.meanings().iter().find_map(|bytes| layouts::read(shown, bytes));
                match read {
                    Some(read) => self.value(place, shown, &read),
                    None => self.find(place, Kind::NoMembers),
                }
            }
            _ => self.different(place, shown, held),
        }
    }

    fn change(&mut self, place: &str, before: &Shown, after: &Shown, held: &Held) {
        if place == "cl_args" {
            // What clone3 wrote stands where its arguments point; the arguments are as they were.
            return self.value(place, before, held);
        }
        self.find(place, Kind::Before { shown: brief(before) });
        self.value(place, after, held);
    }

    /// Equal in the width that strace prints: it shows `uid_t` -1 as -1, and a `size_t` that the kernel takes as an int
    /// as 32 bits.
    fn number(&mut self, place: &str, shown: i128, held: i128) {
        let wide = (shown - held).rem_euclid(1 << 64) == 0;
        let narrow = |number: i128| (-(1 << 31)..1 << 32).contains(&number);
        let held_signed = if held >= 1 << 63 { held - (1 << 64) } else { held };
        let same_32 = narrow(shown) && narrow(held_signed) && (shown - held).rem_euclid(1 << 32) == 0;
        if !wide && !same_32 {
            let (shown, held) = (format!("{shown} ({shown:#x})"), format!("{held} ({held:#x})"));
            self.find(place, Kind::Different { shown, held });
        }
    }

    /// Flags in two words: strace joins the low and the high half with a bar, where a set has more than 32.
    fn or(&mut self, place: &str, parts: &[i128], held: i128) {
        let last = place.rsplit('.').next().unwrap_or_default();
        match parts {
            [low, high] if ["effective", "permitted", "inheritable"].contains(&last) => {
                self.number(place, high << 32 | low, held);
            }
            _ => self.number(place, parts.iter().fold(0, |all, part| all | part), held),
        }
    }

    fn text(&mut self, place: &str, shown: &[u8], is_cut: bool, held: &Held) {
        let bounds = [self.bounds.string, self.bounds.string - 1, self.bounds.buffer];
        let meanings = held.meanings();
        let is_same = |held: &Vec<u8>| {
            shown == held
                || (bounds.contains(&held.len()) && shown.starts_with(held))
                || (is_cut && held.starts_with(shown))
                // The name of an abstract socket.
                || (held.first() == Some(&b'@') && shown.first() == Some(&0) && shown.get(1..) == held.get(1..))
                || is_address(shown, held)
        };
        if meanings.iter().any(is_same) {
            return;
        }
        if let Held::Text(text) = held
            && let Ok(number) = text.parse()
        {
            // A port or a flow label, in a map of strings.
            return self.wire_number(
                place,
                shown,
                number,
                &Shown::Text { bytes: shown.to_vec(), is_cut },
                held,
            );
        }
        let held = meanings.first().cloned().unwrap_or_default();
        let at = shown.iter().zip(&held).position(|(a, b)| a != b).unwrap_or(shown.len().min(held.len()));
        let part = |bytes: &[u8]| {
            let start = at.saturating_sub(8).min(bytes.len());
            let end = (at + 24).min(bytes.len());
            format!("{} bytes, at {at} {:?}", bytes.len(), String::from_utf8_lossy(&bytes[start..end]))
        };
        self.find(place, Kind::Different { shown: part(shown), held: part(&held) });
    }

    /// Ports and flow labels: strace shows their bytes on the wire.
    fn wire_number(&mut self, place: &str, bytes: &[u8], number: i128, shown: &Shown, held: &Held) {
        let big_endian = bytes.iter().fold(0i128, |value, byte| value << 8 | i128::from(*byte));
        if bytes.len() > 8 || big_endian != number {
            self.different(place, shown, held);
        }
    }

    fn members(&mut self, place: &str, shown: &[(String, Shown)], held: &[(String, Held)]) {
        for (name, value) in shown {
            if matches!(value, Shown::Nothing) {
                continue;
            }
            let inside = if name.is_empty() { format!("{place}.?") } else { format!("{place}.{name}") };
            match members::find(name, value, held) {
                members::Found::Member(held) => self.value(&inside, value, held),
                members::Found::Made(held) => self.value(&inside, value, &held),
                // strace nests what the capture's structure has side by side.
                members::Found::Same => self.value(&inside, value, &Held::Members(held.to_vec())),
                members::Found::None => self.find(&inside, Kind::Missing { shown: brief(value) }),
            }
        }
    }

    fn list(&mut self, place: &str, shown: &[Shown], held: &[Held]) {
        if shown.len() != held.len() {
            let (shown, held) = (format!("{} elements", shown.len()), format!("{} elements", held.len()));
            self.find(place, Kind::Different { shown, held });
            return;
        }
        for (index, (shown, held)) in shown.iter().zip(held).enumerate() {
            self.value(&format!("{place}.{index}"), shown, held);
        }
    }

    /// Small numbers in any order; `but`: strace lists the signals that are not in it.
    fn set(&mut self, place: &str, shown: &[Shown], held: &[Held], but: bool) {
        let numbers = |all: &mut dyn Iterator<Item = Option<i128>>| all.collect::<Option<BTreeSet<i128>>>();
        let listed =
            numbers(&mut shown.iter().map(|e| if let Shown::Number(n) = e { Some(*n) } else { None }));
        let held_set =
            numbers(&mut held.iter().map(|e| if let Held::Number(n) = e { Some(*n) } else { None }));
        let listed = if but {
            listed.map(|listed| (1..=64).filter(|n| !listed.contains(n)).collect())
        } else {
            listed
        };
        if listed.is_none() || listed != held_set {
            self.find(place, Kind::Different { shown: brief(&shown), held: brief(&held) });
        }
    }

    /// Nodes of memory: strace shows words of 64 bits.
    fn nodes(&mut self, place: &str, shown: &[Shown], held: &[Held]) {
        let mut nodes = Vec::new();
        for (index, word) in shown.iter().enumerate() {
            let Shown::Number(word) = word else { continue };
            nodes.extend(
                (0..64).filter(|bit| word >> bit & 1 == 1).map(|bit| Shown::Number(index as i128 * 64 + bit)),
            );
        }
        self.set(place, &nodes, held, false);
    }

    fn status(&mut self, place: &str, status: &str, held: &Held) {
        let mut number = None;
        for part in status.split(" && ") {
            let value = part.split_once("== ").map(|(_, value)| value.trim()).unwrap_or_default();
            if part.starts_with("WEXITSTATUS") {
                number = value.parse::<i128>().ok().map(|code| code << 8);
            } else if part.starts_with("WTERMSIG") {
                number = signal(value);
            } else if part.starts_with("WCOREDUMP") {
                number = number.map(|number| number | 0x80);
            }
        }
        match (number, held) {
            (Some(number), Held::Number(held)) => self.number(place, number, *held),
            _ => self.find(place, Kind::Different { shown: status.to_owned(), held: brief(held) }),
        }
    }

    fn made(&mut self, place: &str, name: &str, arguments: &[Shown], shown: &Shown, held: &Held) {
        match (name, arguments, held) {
            ("htons", [Shown::Number(port)], Held::Number(register)) => {
                let swapped = u16::try_from(*port).unwrap_or_default().to_be();
                self.number(place, swapped.into(), *register);
            }
            _ => self.different(place, shown, held),
        }
    }
}

/// Whether a place holds a set, by the names that such places have.
fn is_set(place: &str) -> bool {
    let last = place.rsplit('.').next().unwrap_or_default();
    last.ends_with("mask")
        || last.ends_with("set")
        || last.ends_with("fds")
        || last.ends_with("user_mask_ptr")
}

/// An address in words stands for its bytes.
fn is_address(shown: &[u8], held: &[u8]) -> bool {
    match std::str::from_utf8(held).ok().and_then(|text| text.parse::<IpAddr>().ok()) {
        Some(IpAddr::V4(address)) => address.octets() == shown,
        Some(IpAddr::V6(address)) => address.octets() == shown,
        None => false,
    }
}

/// A number in a map of strings: in digits, or an address family by its name.
fn same_number(place: &str, number: i128, text: &str) -> bool {
    if let Ok(held) = text.parse::<i128>() {
        return held == number;
    }
    let family = u64::try_from(number).ok().filter(|_| place.ends_with("sa_family"));
    family.is_some_and(|family| {
        events::Names::Domain.table().and_then(|table| table.name(family)) == Some(text)
    })
}

/// The number of a signal that strace names even when it shows raw numbers.
fn signal(name: &str) -> Option<i128> {
    const NAMES: &[(&str, i128)] = &[
        ("SIGHUP", 1),
        ("SIGINT", 2),
        ("SIGILL", 4),
        ("SIGABRT", 6),
        ("SIGKILL", 9),
        ("SIGUSR1", 10),
        ("SIGSEGV", 11),
        ("SIGUSR2", 12),
        ("SIGPIPE", 13),
        ("SIGALRM", 14),
        ("SIGTERM", 15),
    ];
    NAMES.iter().find(|(known, _)| *known == name).map(|(_, number)| *number)
}

/// Enough of a value for a message.
fn brief(value: &impl fmt::Debug) -> String {
    let text = format!("{value:?}");
    match text.char_indices().nth(160) {
        Some((end, _)) => format!("{}...", &text[..end]),
        None => text,
    }
}
