//! The functions of EQL that make a value.

use super::made::{Sign, Single};
use crate::form::Case;

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Maker {
    Sign(Sign),
    Between,
    Concat,
    IndexOf,
    Length,
    Number,
    String,
    Substring,
    ToLower,
}

/// Functions by their names, with the fewest and the most arguments.
const MAKERS: &[(&str, Maker, usize, usize)] = &[
    ("add", Maker::Sign(Sign::Add), 2, 2),
    ("between", Maker::Between, 3, 4),
    ("concat", Maker::Concat, 1, 64),
    ("divide", Maker::Sign(Sign::Divide), 2, 2),
    ("indexOf", Maker::IndexOf, 2, 3),
    ("length", Maker::Length, 1, 1),
    ("modulo", Maker::Sign(Sign::Modulo), 2, 2),
    ("multiply", Maker::Sign(Sign::Multiply), 2, 2),
    ("number", Maker::Number, 1, 2),
    ("string", Maker::String, 1, 1),
    ("substring", Maker::Substring, 2, 3),
    ("subtract", Maker::Sign(Sign::Subtract), 2, 2),
    ("toLower", Maker::ToLower, 1, 1),
];

impl Maker {
    /// The function, and how many arguments it takes.
    pub fn by_name(name: &str) -> Option<(Maker, std::ops::RangeInclusive<usize>)> {
        let found = MAKERS.iter().find(|(known, ..)| known.eq_ignore_ascii_case(name));
        found.map(|(_, maker, least, most)| (*maker, *least..=*most))
    }

    pub fn names() -> impl Iterator<Item = &'static str> {
        MAKERS.iter().map(|(name, ..)| *name)
    }

    pub fn name(self) -> &'static str {
        MAKERS.iter().find(|(_, maker, ..)| *maker == self).map_or("", |(name, ..)| name)
    }

    pub fn of(self, arguments: &[Single], case: Case) -> Single {
        self.value(arguments, case).unwrap_or(Single::Null)
    }

    fn value(self, arguments: &[Single], case: Case) -> Option<Single> {
        let text = |at: usize| arguments.get(at)?.as_text();
        // What is compared, in lower case where case says nothing.
        let folded = |text: &[u8]| match case {
            Case::Exact => text.to_vec(),
            Case::Folded => text.to_ascii_lowercase(),
        };
        Some(match self {
            Maker::Sign(sign) => sign.of(arguments.first()?, arguments.get(1)?),
            Maker::Concat => {
                let texts = arguments.iter().map(Single::as_text).collect::<Option<Vec<_>>>()?;
                Single::Text(texts.concat())
            }
            Maker::Length => Single::Whole(chars(&text(0)?).len() as i128),
            Maker::String => Single::Text(text(0)?),
            Maker::ToLower => Single::Text(text(0)?.to_ascii_lowercase()),
            Maker::Number => match arguments.get(1).and_then(Single::as_whole) {
                None => arguments.first()?.as_number(),
                Some(base) => {
                    let text = String::from_utf8(text(0)?).ok()?;
                    let digits = if base == 16 { text.trim_start_matches("0x") } else { &text };
                    let base = u32::try_from(base).ok().filter(|base| (2..=36).contains(base))?;
                    Single::Whole(i128::from_str_radix(digits, base).ok()?)
                }
            },
            Maker::IndexOf => {
                let (source, part) = (folded(&text(0)?), folded(&text(1)?));
                let from = match arguments.get(2) {
                    Some(from) => byte_at(&source, from.as_whole()?.max(0)),
                    None => 0,
                };
                let at = from + memchr::memmem::find(source.get(from..)?, &part)?;
                Single::Whole(chars(source.get(..at)?).len() as i128)
            }
            Maker::Substring => {
                let source = text(0)?;
                let length = chars(&source).len() as i128;
                let place = |position: i128| if position < 0 { (length + position).max(0) } else { position };
                let from = place(arguments.get(1)?.as_whole()?);
                let to = match arguments.get(2) {
                    Some(to) => place(to.as_whole()?),
                    None => length,
                };
                let (from, to) = (byte_at(&source, from), byte_at(&source, to));
                Single::Text(source.get(from..to).unwrap_or_default().to_vec())
            }
            Maker::Between => {
                let source = text(0)?;
                let (searched, left, right) = (folded(&source), folded(&text(1)?), folded(&text(2)?));
                let is_greedy = arguments.get(3) == Some(&Single::Bool(true));
                let inside = || {
                    let from = memchr::memmem::find(&searched, &left)? + left.len();
                    let rest = searched.get(from..)?;
                    let length = match is_greedy {
                        true => memchr::memmem::rfind(rest, &right)?,
                        false => memchr::memmem::find(rest, &right)?,
                    };
                    source.get(from..from + length)
                };
                Single::Text(inside().unwrap_or_default().to_vec())
            }
        })
    }
}

/// Where characters begin: bytes of UTF-8 that continue none.
fn chars(text: &[u8]) -> Vec<usize> {
    text.iter().enumerate().filter(|(_, byte)| **byte & 0xc0 != 0x80).map(|(at, _)| at).collect()
}

/// Where the n-th character begins, or the end.
fn byte_at(text: &[u8], n: i128) -> usize {
    let starts = chars(text);
    usize::try_from(n).ok().and_then(|n| starts.get(n).copied()).unwrap_or(text.len())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn made(name: &str, case: Case, arguments: &[Single]) -> String {
        let (maker, count) = Maker::by_name(name).expect(name);
        assert!(count.contains(&arguments.len()));
        let value = maker.of(arguments, case);
        value.as_text().map_or("null".to_owned(), |text| String::from_utf8_lossy(&text).into_owned())
    }

    #[test]
    fn functions_make_what_the_reference_says() {
        let text = |text: &str| Single::Text(text.as_bytes().to_vec());
        let whole = Single::Whole;
        let exact = |name: &str, arguments: &[Single]| made(name, Case::Exact, arguments);
        assert_eq!(exact("add", &[whole(4), Single::Decimal(0.5)]), "4.5");
        assert_eq!(exact("divide", &[whole(3), whole(2)]), "1");
        assert_eq!(exact("divide", &[whole(3), Single::Decimal(2.0)]), "1.5");
        assert_eq!(exact("divide", &[whole(3), whole(0)]), "null");
        assert_eq!(exact("modulo", &[whole(10), whole(6)]), "4");
        assert_eq!(exact("multiply", &[whole(i128::MAX), whole(2)]), "null");
        assert_eq!(exact("subtract", &[Single::Null, whole(2)]), "null");
        assert_eq!(exact("concat", &[text("pid "), whole(7)]), "pid 7");
        assert_eq!(exact("concat", &[text("pid "), Single::Null]), "null");
        assert_eq!(exact("length", &[text("gr\u{fc}n")]), "4");
        assert_eq!(exact("number", &[text("0x2a"), whole(16)]), "42");
        assert_eq!(exact("number", &[text("x")]), "null");
        assert_eq!(exact("indexOf", &[text("a.b.c"), text("."), whole(2)]), "3");
        assert_eq!(exact("indexOf", &[text("abc"), text("B")]), "null");
        assert_eq!(made("indexOf", Case::Folded, &[text("abc"), text("B")]), "1");
        assert_eq!(exact("substring", &[text("start this.sh"), whole(6)]), "this.sh");
        assert_eq!(exact("substring", &[text("start this.sh"), whole(0), whole(5)]), "start");
        assert_eq!(exact("substring", &[text("start this.sh"), whole(-3), whole(-1)]), ".s");
        assert_eq!(exact("substring", &[text("abc"), whole(2), whole(1)]), "");
        assert_eq!(exact("between", &[text("/a/b/c"), text("/"), text("/")]), "a");
        assert_eq!(exact("between", &[text("/a/b/c"), text("/"), text("/"), Single::Bool(true)]), "a/b");
        assert_eq!(exact("between", &[text("/A/b"), text("a/"), text("c")]), "");
        assert_eq!(made("between", Case::Folded, &[text("/A/bC"), text("a/"), text("c")]), "b");
    }
}
