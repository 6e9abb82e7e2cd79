//! Chains of modifiers: `CommandLine|base64offset|contains`, applied in the order in which they are written.

use base64::Engine;
use base64::prelude::BASE64_STANDARD;

use scopes::nearest;

use super::text;
use crate::diagnostic::{Diagnostic, File};
use crate::form::{Case, Cidr, Comparison, Expr, Field, FieldShape, Pattern, Piece, Regex, Test, TimePart};
use crate::yaml::{Node, Scalar};

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Modifier {
    Contains,
    StartsWith,
    EndsWith,
    All,
    Cased,
    Base64,
    Base64Offset,
    Utf16Le,
    Utf16Be,
    Utf16,
    Windash,
    Regex,
    /// Of a regular expression: no case, `^` and `$` at lines, `.` for line ends too.
    IgnoreCase,
    MultiLine,
    SingleLine,
    Cidr,
    Number(Comparison),
    Exists,
    FieldRef,
    Expand,
    Time(TimePart),
}

const NAMES: &[(&str, Modifier)] = &[
    ("contains", Modifier::Contains),
    ("startswith", Modifier::StartsWith),
    ("endswith", Modifier::EndsWith),
    ("all", Modifier::All),
    ("cased", Modifier::Cased),
    ("base64", Modifier::Base64),
    ("base64offset", Modifier::Base64Offset),
    ("utf16le", Modifier::Utf16Le),
    ("wide", Modifier::Utf16Le),
    ("utf16be", Modifier::Utf16Be),
    ("utf16", Modifier::Utf16),
    ("windash", Modifier::Windash),
    ("re", Modifier::Regex),
    ("i", Modifier::IgnoreCase),
    ("ignorecase", Modifier::IgnoreCase),
    ("m", Modifier::MultiLine),
    ("multiline", Modifier::MultiLine),
    ("s", Modifier::SingleLine),
    ("dotall", Modifier::SingleLine),
    ("cidr", Modifier::Cidr),
    ("lt", Modifier::Number(Comparison::Less)),
    ("lte", Modifier::Number(Comparison::LessOrEqual)),
    ("gt", Modifier::Number(Comparison::Greater)),
    ("gte", Modifier::Number(Comparison::GreaterOrEqual)),
    ("neq", Modifier::Number(Comparison::NotEqual)),
    ("exists", Modifier::Exists),
    ("fieldref", Modifier::FieldRef),
    ("expand", Modifier::Expand),
    ("minute", Modifier::Time(TimePart::Minute)),
    ("hour", Modifier::Time(TimePart::Hour)),
    ("day", Modifier::Time(TimePart::Day)),
    ("week", Modifier::Time(TimePart::Week)),
    ("month", Modifier::Time(TimePart::Month)),
    ("year", Modifier::Time(TimePart::Year)),
];

/// Reads the modifiers of an item's key, which begin at a byte of its text.
pub fn parse(file: &File<'_>, key: &Node, chain: &str, from: usize) -> Result<Vec<Modifier>, Diagnostic> {
    let mut modifiers = Vec::new();
    let mut at = from;
    for name in chain.split('|') {
        match NAMES.iter().find(|(known, _)| *known == name) {
            Some((_, modifier)) => modifiers.push(*modifier),
            None => {
                let names = || NAMES.iter().map(|(name, _)| *name);
                let error = key.error_at(file, at..at + name.len(), format!("unknown modifier {name:?}"));
                let allowed = names().collect::<Vec<_>>().join(", ");
                return Err(error.suggesting(nearest(name, names())).allowing(allowed));
            }
        }
        at += name.len() + 1;
    }
    Ok(modifiers)
}

/// What the modifiers of an item make of its values.
pub struct Chain<'a> {
    pub file: &'a File<'a>,
    pub field: Field,
    pub modifiers: &'a [Modifier],
    /// Which field another name stands for.
    pub field_of: &'a dyn Fn(&str) -> Option<Field>,
    /// As the item is written, for findings.
    pub written: &'a str,
}

/// A value on its way through the modifiers. One may become several, of which any is meant (`base64offset`, `windash`).
enum Made {
    Texts(Vec<Vec<Piece>>),
    Test(Test),
    Not(Test),
}

impl Chain<'_> {
    fn has(&self, modifier: Modifier) -> bool {
        self.modifiers.contains(&modifier)
    }

    /// The item: its values, any of them or all. What is wrong with one is not told of the others.
    pub fn item(&self, value: &Node) -> Result<Expr, Diagnostic> {
        let values = value.one_or_more();
        let case = if self.has(Modifier::Cased) { Case::Exact } else { Case::Folded };
        let is_all = self.has(Modifier::All);
        let (mut parts, mut patterns) = (Vec::new(), Vec::new());
        for value in values {
            let made = self.value(value)?;
            match made {
                None => parts.push(self.atom(Test::Exists).negated()),
                Some(Made::Test(test)) => parts.push(self.atom(test)),
                Some(Made::Not(test)) => parts.push(self.atom(test).negated()),
                Some(Made::Texts(texts)) => {
                    let fits = texts.into_iter().map(Pattern::from_pieces);
                    if is_all {
                        parts.push(self.texts(case, fits.collect()));
                    } else {
                        patterns.extend(fits);
                    }
                }
            }
        }
        if is_all {
            return Ok(Expr::all(parts));
        }
        if !patterns.is_empty() {
            parts.push(self.texts(case, patterns));
        }
        Ok(Expr::any(parts))
    }

    fn atom(&self, test: Test) -> Expr {
        Expr::Atom(crate::form::Atom { field: self.field.clone(), test, written: self.written.into() })
    }

    fn texts(&self, case: Case, patterns: Vec<Pattern>) -> Expr {
        if case == Case::Exact {
            return self.atom(Test::Fits(case, patterns));
        }
        // Case is ASCII's, unless a pattern has more than ASCII.
        let is_ascii = |pattern: &Pattern| {
            pattern.pieces().iter().all(|piece| !matches!(piece, Piece::Literal(text) if !text.is_ascii()))
        };
        let (ascii, more): (Vec<_>, Vec<_>) = patterns.into_iter().partition(is_ascii);
        let mut parts = Vec::new();
        if !ascii.is_empty() {
            parts.push(self.atom(Test::Fits(case, ascii.into_iter().map(Pattern::lower).collect())));
        }
        let compiled: Vec<_> = more
            .iter()
            .filter_map(|pattern| regex::bytes::Regex::new(&text::regex(pattern)).ok().map(Regex))
            .collect();
        if !compiled.is_empty() {
            parts.push(self.atom(Test::Regex(compiled)));
        }
        Expr::any(parts)
    }

    /// `None`: the field is to be missing.
    fn value(&self, value: &Node) -> Result<Option<Made>, Diagnostic> {
        let Some(scalar) = value.scalar() else {
            return Err(value.error(self.file, "a list or map cannot stand among the values of a field"));
        };
        if scalar == Scalar::Null
            && self.modifiers.iter().all(|it| matches!(it, Modifier::All | Modifier::Cased))
        {
            return Ok(None);
        }
        let written = value.text().unwrap_or_default();
        let number = || match scalar {
            Scalar::Integer(number) => Ok(number as f64),
            Scalar::Float(number) => Ok(number),
            _ => written.trim().parse::<f64>().map_err(|_| value.error(self.file, "this is to be a number")),
        };
        let is_plain = |it: &&Modifier| !matches!(it, Modifier::All | Modifier::Cased);
        let mut texts = vec![text::pieces(written)];
        let mut made = None;
        for modifier in self.modifiers.iter().filter(is_plain) {
            if matches!(made, Some(Made::Test(Test::Regex(_)))) {
                match modifier {
                    Modifier::IgnoreCase | Modifier::MultiLine | Modifier::SingleLine => continue,
                    _ => {
                        return Err(
                            value.error(self.file, "nothing can follow the modifier re but i, m and s")
                        );
                    }
                }
            }
            match modifier {
                Modifier::Contains | Modifier::StartsWith | Modifier::EndsWith => {
                    if let Some(Made::Test(Test::SameAs(field, case, _))) = made.take() {
                        let shape = match modifier {
                            Modifier::Contains => FieldShape::Contains,
                            Modifier::StartsWith => FieldShape::Prefix,
                            _ => FieldShape::Suffix,
                        };
                        made = Some(Made::Test(Test::SameAs(field, case, shape)));
                        continue;
                    }
                    for text in &mut texts {
                        if *modifier != Modifier::StartsWith {
                            text.insert(0, Piece::Many);
                        }
                        if *modifier != Modifier::EndsWith {
                            text.push(Piece::Many);
                        }
                    }
                }
                Modifier::Base64 => {
                    texts = vec![
                        self.encode(value, &texts, |bytes| vec![BASE64_STANDARD.encode(bytes)])?.concat(),
                    ]
                }
                Modifier::Base64Offset => texts = self.encode(value, &texts, base64_at_all_offsets)?,
                Modifier::Utf16Le | Modifier::Utf16Be | Modifier::Utf16 => {
                    let modifier = *modifier;
                    texts =
                        texts.into_iter().map(|it| text::map(it, |bytes| utf16(bytes, modifier))).collect();
                }
                Modifier::Windash => texts = texts.iter().flat_map(|it| dashes(it)).collect(),
                Modifier::Regex => made = Some(Made::Test(Test::Regex(vec![self.regex(value, written)?]))),
                Modifier::IgnoreCase | Modifier::MultiLine | Modifier::SingleLine => {
                    return Err(value.error(self.file, "i, m and s follow the modifier re"));
                }
                Modifier::Cidr => match Cidr::parse(written) {
                    Some(cidr) => made = Some(Made::Test(Test::Cidr(vec![cidr]))),
                    None => return Err(value.error(self.file, "this is no network, such as 10.0.0.0/8")),
                },
                Modifier::Number(comparison) => {
                    made = Some(match made.take() {
                        Some(Made::Test(Test::Time(part, ..))) => {
                            Made::Test(Test::Time(part, *comparison, number()? as i64))
                        }
                        _ if *comparison == Comparison::NotEqual => {
                            let patterns =
                                texts.drain(..).map(|it| Pattern::from_pieces(it).lower()).collect();
                            Made::Not(Test::Fits(Case::Folded, patterns))
                        }
                        _ => Made::Test(Test::Number(*comparison, number()?)),
                    });
                }
                Modifier::Exists => {
                    made = Some(match scalar {
                        Scalar::Bool(true) => Made::Test(Test::Exists),
                        Scalar::Bool(false) => Made::Not(Test::Exists),
                        _ => return Err(value.error(self.file, "exists asks for true or false")),
                    });
                }
                Modifier::FieldRef => {
                    let Some(field) = (self.field_of)(written) else {
                        return Err(value.error(self.file, format!("unknown field {written:?}")));
                    };
                    let case = if self.has(Modifier::Cased) { Case::Exact } else { Case::Folded };
                    made = Some(Made::Test(Test::SameAs(field, case, FieldShape::Equals)));
                }
                Modifier::Time(part) => {
                    let is_compared = self.modifiers.iter().any(|it| matches!(it, Modifier::Number(_)));
                    let bound = if is_compared { 0 } else { number()? as i64 };
                    made = Some(Made::Test(Test::Time(*part, Comparison::Equal, bound)));
                }
                Modifier::Expand => {
                    let message =
                        "the modifier expand needs the values of its placeholders, which nobody gave";
                    return Err(value.error(self.file, message));
                }
                Modifier::All | Modifier::Cased => {}
            }
        }
        Ok(Some(made.unwrap_or(Made::Texts(texts))))
    }

    fn regex(&self, value: &Node, written: &str) -> Result<Regex, Diagnostic> {
        let built = regex::bytes::RegexBuilder::new(written)
            .case_insensitive(self.has(Modifier::IgnoreCase))
            .multi_line(self.has(Modifier::MultiLine))
            .dot_matches_new_line(self.has(Modifier::SingleLine))
            .size_limit(1 << 20)
            .build();
        built.map(Regex).map_err(|error| {
            let message = error.to_string();
            let last = message.lines().last().unwrap_or_default().trim_start_matches("error: ");
            value.error(self.file, format!("this regular expression cannot be used: {last}"))
        })
    }

    /// Encodes texts, which may have no wildcards but those that `contains` puts around them later.
    fn encode(
        &self,
        value: &Node,
        texts: &[Vec<Piece>],
        encode: impl Fn(&[u8]) -> Vec<String>,
    ) -> Result<Vec<Vec<Piece>>, Diagnostic> {
        let mut encoded = Vec::new();
        for text in texts {
            let Some(bytes) = text::literal(text) else {
                return Err(value.error(self.file, "a text with wildcards cannot be encoded in base64"));
            };
            encoded.extend(encode(&bytes).into_iter().map(|text| vec![Piece::Literal(text.into_bytes())]));
        }
        Ok(encoded)
    }
}

/// What of an encoded text is the same whatever stands around it, at each of the three places where it may begin.
fn base64_at_all_offsets(bytes: &[u8]) -> Vec<String> {
    const BEGIN: [usize; 3] = [0, 2, 3];
    const CUT: [usize; 3] = [0, 3, 2];
    let at = |offset: usize| {
        let padded = [vec![b' '; offset], bytes.to_vec()].concat();
        let encoded = BASE64_STANDARD.encode(&padded);
        let cut = CUT[padded.len() % 3];
        encoded.get(BEGIN[offset]..encoded.len().saturating_sub(cut)).unwrap_or_default().to_owned()
    };
    (0..3).map(at).collect()
}

fn utf16(bytes: &[u8], modifier: Modifier) -> Vec<u8> {
    let text = String::from_utf8_lossy(bytes);
    let units = text.encode_utf16();
    match modifier {
        Modifier::Utf16Be => units.flat_map(u16::to_be_bytes).collect(),
        Modifier::Utf16 => [0xff, 0xfe].into_iter().chain(units.flat_map(u16::to_le_bytes)).collect(),
        _ => units.flat_map(u16::to_le_bytes).collect(),
    }
}

/// A text with each of the dashes that programs of Windows take, where one stands before a word.
fn dashes(text: &[Piece]) -> Vec<Vec<Piece>> {
    let mut all = vec![text.to_vec()];
    for dash in ["-", "/", "\u{2013}", "\u{2014}", "\u{2015}"] {
        let with = text::map(text.to_vec(), |bytes| {
            let mut changed = Vec::new();
            for (at, byte) in bytes.iter().enumerate() {
                let is_word =
                    |byte: Option<&u8>| byte.is_some_and(|it| it.is_ascii_alphanumeric() || *it == b'_');
                let before = at.checked_sub(1).and_then(|at| bytes.get(at));
                if matches!(byte, b'-' | b'/') && !is_word(before) && is_word(bytes.get(at + 1)) {
                    changed.extend(dash.as_bytes());
                } else {
                    changed.push(*byte);
                }
            }
            changed
        });
        if !all.contains(&with) {
            all.push(with);
        }
    }
    all
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn base64_is_found_at_every_offset() {
        for around in ["", "a", "ab", "abc"] {
            let whole = BASE64_STANDARD.encode(format!("{around}/bin/bash{around}"));
            let parts = base64_at_all_offsets(b"/bin/bash");
            assert!(parts.iter().any(|part| whole.contains(part.as_str())), "{whole} of {parts:?}");
        }
    }

    #[test]
    fn dashes_are_changed_before_words_only() {
        let texts = dashes(&text::pieces("-p a-b"));
        assert_eq!(texts.len(), 5);
        assert!(texts.contains(&text::pieces("/p a-b")));
    }
}
