//! Values as tests see them.

use std::borrow::Cow;
use std::net::IpAddr;

use super::test::parts_of;
use super::{Case, FieldShape, Test};

/// One value of a field.
#[derive(Clone, Copy, PartialEq, Debug)]
pub enum Value<'a> {
    Number(i128),
    Text(&'a [u8]),
}

impl<'a> Value<'a> {
    /// Its text: of a number its decimal digits.
    pub fn text(self) -> Cow<'a, [u8]> {
        match self {
            Value::Text(text) => Cow::Borrowed(text),
            Value::Number(number) => Cow::Owned(number.to_string().into_bytes()),
        }
    }

    /// The number, or the one that the text writes.
    pub fn number(self) -> Option<f64> {
        match self {
            Value::Number(number) => Some(number as f64),
            Value::Text(text) => std::str::from_utf8(text).ok()?.trim().parse().ok(),
        }
    }
}

impl Test {
    /// Whether a value passes. [`Test::SameAs`] wants the other value too: see [`same`].
    pub fn passes(&self, value: Value<'_>) -> bool {
        match self {
            Test::Exists => true,
            Test::Fits(case, patterns) => {
                let text = value.text();
                let text = match case {
                    Case::Exact => text,
                    Case::Folded => folded(text),
                };
                patterns.iter().any(|pattern| pattern.fits(&text))
            }
            Test::Regex(regexes) => {
                let text = value.text();
                regexes.iter().any(|regex| regex.0.is_match(&text))
            }
            Test::Cidr(networks) => {
                let text = value.text();
                let address: Option<IpAddr> = std::str::from_utf8(&text).ok().and_then(|it| it.parse().ok());
                address.is_some_and(|address| networks.iter().any(|network| network.holds(address)))
            }
            Test::Number(comparison, bound) => {
                value.number().is_some_and(|number| comparison.holds(&number, bound))
            }
            Test::AnyBit(bits) => matches!(value, Value::Number(number) if number as u64 & bits != 0),
            Test::SameAs(..) => false,
            Test::Time(part, comparison, bound) => match value {
                Value::Number(ns) => comparison.holds(&parts_of(ns as i64, *part), bound),
                Value::Text(_) => false,
            },
        }
    }
}

/// Whether one value is in another as a [`Test::SameAs`] asks.
pub fn same(value: Value<'_>, other: Value<'_>, case: Case, shape: FieldShape) -> bool {
    let (mut value, mut other) = (value.text(), other.text());
    if case == Case::Folded {
        (value, other) = (folded(value), folded(other));
    }
    match shape {
        FieldShape::Equals => value == other,
        FieldShape::Prefix => value.starts_with(&other),
        FieldShape::Suffix => value.ends_with(&other),
        FieldShape::Contains => memchr::memmem::find(&value, &other).is_some(),
    }
}

/// In lower case, where it is not already.
fn folded(text: Cow<'_, [u8]>) -> Cow<'_, [u8]> {
    if text.iter().any(u8::is_ascii_uppercase) { Cow::Owned(text.to_ascii_lowercase()) } else { text }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::form::{Comparison, Pattern, TimePart};

    #[test]
    fn a_number_is_its_digits_as_well() {
        let fits = Test::Fits(Case::Folded, vec![Pattern::Equals(b"42".to_vec())]);
        assert!(fits.passes(Value::Number(42)) && fits.passes(Value::Text(b"42")));
        let more = Test::Number(Comparison::Greater, 41.0);
        assert!(more.passes(Value::Number(42)) && more.passes(Value::Text(b"42")));
        assert!(!more.passes(Value::Number(41)) && !more.passes(Value::Text(b"x")));
    }

    #[test]
    fn parts_of_a_time_are_those_of_utc() {
        // 2026-11-28T22:04:45Z, a Saturday of week 48.
        let ns = Value::Number(1_795_903_485_000_000_000);
        for (part, expected) in [
            (TimePart::Minute, 4),
            (TimePart::Hour, 22),
            (TimePart::Day, 28),
            (TimePart::Week, 48),
            (TimePart::Month, 11),
            (TimePart::Year, 2026),
        ] {
            assert!(Test::Time(part, Comparison::Equal, expected).passes(ns), "{part:?}");
        }
    }
}
