//! What is asked of a field's values.

use std::hash::{Hash, Hasher};
use std::net::IpAddr;

use super::{Case, Field, Pattern};

/// One field and one test. A field with several values (arguments of a command, ancestors) passes when one of them does.
#[derive(Clone, PartialEq, Debug)]
pub struct Atom {
    pub field: Field,
    pub test: Test,
    /// As the rule writes it: `CommandLine|contains`.
    pub written: Box<str>,
}

#[derive(Clone, PartialEq, Debug)]
pub enum Test {
    /// There is a value.
    Exists,
    /// The text fits one of these. A number's text is its decimal digits.
    Fits(Case, Vec<Pattern>),
    /// One of these is found in the text.
    Regex(Vec<Regex>),
    /// An address in one of these networks.
    Cidr(Vec<Cidr>),
    /// The number, or the number that the text writes.
    Number(Comparison, f64),
    /// Some of these bits are set.
    AnyBit(u64),
    /// The same as another field of the event: equal, or with that as its beginning, end or part.
    SameAs(Field, Case, FieldShape),
    /// A part of a time, in UTC.
    Time(TimePart, Comparison, i64),
}

impl Hash for Test {
    fn hash<H: Hasher>(&self, state: &mut H) {
        std::mem::discriminant(self).hash(state);
        match self {
            Test::Exists => {}
            Test::Fits(case, patterns) => (case, patterns).hash(state),
            Test::Regex(all) => all.iter().for_each(|regex| regex.0.as_str().hash(state)),
            Test::Cidr(networks) => networks.hash(state),
            // Equal numbers may differ in their bits (0 and -0): of these the comparison alone.
            Test::Number(comparison, _) => comparison.hash(state),
            Test::AnyBit(bits) => bits.hash(state),
            Test::SameAs(field, case, shape) => (field, case, shape).hash(state),
            Test::Time(part, comparison, number) => (part, comparison, number).hash(state),
        }
    }
}

/// How one field is in another.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Debug)]
pub enum FieldShape {
    Equals,
    Prefix,
    Suffix,
    Contains,
}

#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum Comparison {
    Equal,
    NotEqual,
    Less,
    LessOrEqual,
    Greater,
    GreaterOrEqual,
}

impl Comparison {
    pub fn holds<T: PartialOrd>(self, left: &T, right: &T) -> bool {
        match self {
            Comparison::Equal => left == right,
            Comparison::NotEqual => left != right,
            Comparison::Less => left < right,
            Comparison::LessOrEqual => left <= right,
            Comparison::Greater => left > right,
            Comparison::GreaterOrEqual => left >= right,
        }
    }

    pub fn sign(self) -> &'static str {
        match self {
            Comparison::Equal => "=",
            Comparison::NotEqual => "!=",
            Comparison::Less => "<",
            Comparison::LessOrEqual => "<=",
            Comparison::Greater => ">",
            Comparison::GreaterOrEqual => ">=",
        }
    }
}

/// A regular expression that was compiled when the rule was read, so that it is known to be one.
#[derive(Clone, Debug)]
pub struct Regex(pub regex::bytes::Regex);

impl PartialEq for Regex {
    fn eq(&self, other: &Regex) -> bool {
        self.0.as_str() == other.0.as_str()
    }
}

#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum TimePart {
    Minute,
    Hour,
    Day,
    Week,
    Month,
    Year,
}

/// A part of a time, ns since the epoch, in UTC.
pub(super) fn parts_of(ns: i64, part: TimePart) -> i64 {
    let seconds = ns.div_euclid(1_000_000_000);
    let days = seconds.div_euclid(86_400);
    match part {
        TimePart::Minute => seconds.div_euclid(60).rem_euclid(60),
        TimePart::Hour => seconds.div_euclid(3600).rem_euclid(24),
        TimePart::Day => date(days).2,
        TimePart::Month => date(days).1,
        TimePart::Year => date(days).0,
        TimePart::Week => {
            // ISO 8601: the week of a day is that of its Thursday. Day 0 was a Thursday.
            let thursday = days - (days + 3).rem_euclid(7) + 3;
            let (year, ..) = date(thursday);
            (thursday - day_of(year)).div_euclid(7) + 1
        }
    }
}

/// Year, month and day of a day since the epoch: Howard Hinnant's arithmetic of eras of 400 years.
fn date(days: i64) -> (i64, i64, i64) {
    let days = days + 719_468;
    let era = days.div_euclid(146_097);
    let of_era = days.rem_euclid(146_097);
    let year_of_era = (of_era - of_era / 1460 + of_era / 36_524 - of_era / 146_096) / 365;
    let of_year = of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    // Years begin in March, so that the day that is not in each year is the last.
    let month = (5 * of_year + 2) / 153;
    let day = of_year - (153 * month + 2) / 5 + 1;
    let month = if month < 10 { month + 3 } else { month - 9 };
    (year_of_era + era * 400 + i64::from(month <= 2), month, day)
}

/// The first day of a year, since the epoch.
fn day_of(year: i64) -> i64 {
    let before = year - 1;
    365 * (year - 1970) + (before.div_euclid(4) - before.div_euclid(100) + before.div_euclid(400)) - 477
}

/// A network: `10.0.0.0/8`.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct Cidr {
    network: IpAddr,
    bits: u8,
}

impl Cidr {
    /// `None` for what is no network. Without `/` it is one address.
    pub fn parse(text: &str) -> Option<Cidr> {
        let (address, bits) = match text.split_once('/') {
            Some((address, bits)) => (address, Some(bits)),
            None => (text, None),
        };
        let network: IpAddr = address.trim().parse().ok()?;
        let most = if network.is_ipv4() { 32 } else { 128 };
        let bits = match bits {
            Some(bits) => bits.trim().parse().ok().filter(|bits| *bits <= most)?,
            None => most,
        };
        Some(Cidr { network, bits })
    }

    pub fn holds(&self, address: IpAddr) -> bool {
        match (self.network, address.to_canonical()) {
            (IpAddr::V4(network), IpAddr::V4(address)) => {
                let mask = u32::MAX.checked_shl(32 - u32::from(self.bits)).unwrap_or(0);
                u32::from(network) & mask == u32::from(address) & mask
            }
            (IpAddr::V6(network), IpAddr::V6(address)) => {
                let mask = u128::MAX.checked_shl(128 - u32::from(self.bits)).unwrap_or(0);
                u128::from(network) & mask == u128::from(address) & mask
            }
            _ => false,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn networks_hold_their_addresses() {
        let holds = |network: &str, address: &str| {
            Cidr::parse(network).expect("a network").holds(address.parse().expect("an address"))
        };
        assert!(holds("10.0.0.0/8", "10.1.2.3") && !holds("10.0.0.0/8", "11.0.0.1"));
        assert!(holds("0.0.0.0/0", "8.8.8.8") && holds("::1", "::1") && !holds("::/0", "1.2.3.4"));
        assert!(holds("fe80::/10", "febf::1") && holds("127.0.0.0/8", "::ffff:127.0.0.1"));
        assert_eq!(Cidr::parse("10.0.0.0/33"), None);
        assert_eq!(Cidr::parse("x/8"), None);
    }
}
