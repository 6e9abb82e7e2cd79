//! Arguments of events: compared as printed, and numbers as numbers.

use std::fmt;

use events::show::{self, Out, Text};
use events::{ArgKind, Event, Names, Raw};

use crate::batch::Strings;
use crate::filter::{Filter, Value};
use crate::pattern::Pattern;
use crate::predicate::number::{Intervals, ranges};
use crate::predicate::text::{Texts, word};
use crate::predicate::{Asked, gate};
use crate::syntax::Op;
use crate::values::is_plain_number;
use crate::words::{Gate, Words};

/// All filters on one argument of one event, or on one member inside it.
#[derive(Debug)]
pub(crate) struct ArgKey {
    event: &'static Event,
    pub position: usize,
    member: String,
    gate: Gate,
    shape: Shape,
    numbers: Intervals,
    texts: Texts,
    /// Those of the texts that look like a list of bytes as it is printed: `[71 69 84*`.
    listed: Texts,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Shape {
    /// A number whose sign the kind says; texts are compared with its names.
    Number {
        signed: bool,
    },
    /// A number, and what it stands for where that is known: texts are compared with that.
    Descriptor,
    Text,
    /// Anything else: each of its parts, and all of it as printed.
    Parts,
}

impl ArgKey {
    pub fn new(event: &'static Event, position: usize, member: &str, asked: &[Asked<'_>]) -> Option<ArgKey> {
        let arg = event.args.get(position)?;
        let shape = match arg.kind {
            ArgKind::Fd if member.is_empty() => Shape::Descriptor,
            _ if is_plain_number(arg, member) => Shape::Number { signed: arg.kind.is_signed() },
            ArgKind::Str if member.is_empty() => Shape::Text,
            _ => Shape::Parts,
        };
        let asked_texts = || {
            let filters =
                asked.iter().flat_map(|asked| asked.filters.iter().map(|filter| (asked.bit, *filter)));
            filters.flat_map(|(bit, filter)| texts_of(filter, bit))
        };
        let texts = Texts::of(asked_texts());
        let is_list = |pattern: &Pattern| pattern.pieces().first().is_some_and(|it| it.starts_with(b"["));
        let listed = Texts::of(asked_texts().filter(|(pattern, _)| is_list(pattern)));
        let numbers = Intervals::new(&ranges(asked, true));
        Some(ArgKey {
            event,
            position,
            member: member.to_owned(),
            gate: gate(asked),
            shape,
            numbers,
            texts,
            listed,
        })
    }

    pub fn shape(&self) -> Shape {
        self.shape
    }

    pub fn gate(&self) -> Gate {
        self.gate
    }

    pub fn numbers(&self) -> &Intervals {
        &self.numbers
    }

    pub fn texts(&self) -> &Texts {
        &self.texts
    }

    /// The names that its numbers have.
    pub fn names(&self) -> Names {
        self.event.args.get(self.position).map_or(Names::None, |arg| arg.names)
    }

    pub fn mask(&self, raw: Raw<'_>) -> u64 {
        match self.words(raw) {
            Some(words) => self.gate.close(words),
            None => !self.gate.used,
        }
    }

    /// ANDs the masks of many texts with `masks`; `false` when it does not look at texts as they are.
    pub fn and_each(&self, strings: Strings<'_>, words: &mut Vec<Words>, masks: &mut [u64]) -> bool {
        if self.shape != Shape::Text {
            return false;
        }
        words.clear();
        words.resize(strings.len(), Words::default());
        self.texts.add_each(strings, words);
        for (mask, words) in masks.iter_mut().zip(words.iter()) {
            *mask &= self.gate.close(*words);
        }
        true
    }

    /// `None`: there is no such value in this event.
    fn words(&self, raw: Raw<'_>) -> Option<Words> {
        match (self.shape, raw) {
            (_, Raw::Missing) => None,
            (Shape::Number { signed }, Raw::Number(number)) => {
                let value = if signed { i128::from(number as i64) } else { i128::from(number) };
                let mut words = self.numbers.words(value);
                if !self.texts.is_empty() {
                    words.add(self.texts.words(&self.printed(raw)));
                }
                Some(words)
            }
            (Shape::Descriptor, raw) => {
                let (number, stands_for) = raw.descriptor()?;
                let mut words = self.numbers.words(i128::from(number as i64));
                if stands_for.is_empty() {
                    // Known by its number or name alone.
                    if !self.texts.is_empty() {
                        words.add(self.texts.words(&self.printed(raw)));
                    }
                } else {
                    words.add(self.texts.words(stands_for));
                }
                Some(words)
            }
            (Shape::Text, Raw::Bytes(bytes)) => Some(self.texts.words(bytes)),
            _ => self.parts(raw),
        }
    }

    fn parts(&self, raw: Raw<'_>) -> Option<Words> {
        let mut words = Words::default();
        let (mut parts, mut nothing, mut text) = (0_usize, 0_usize, Vec::new());
        self.each_part(raw, &mut |part| {
            parts += 1;
            if let Some(number) = number_of(&part) {
                words.add(self.numbers.words(number));
            }
            match part {
                show::Leaf::Nothing => nothing += 1,
                show::Leaf::Text(bytes) => words.add(self.texts.words(bytes)),
                _ if self.texts.is_empty() => {}
                // Buffers hold text as often as not. That `*12*` is among the numbers that a table prints is not meant.
                show::Leaf::Bytes(bytes) => {
                    words.add(self.texts.words(bytes));
                    if !self.listed.is_empty() {
                        words.add(self.listed.words(bytes_of(&part, &mut text)));
                    }
                }
                part => words.add(self.texts.words(bytes_of(&part, &mut text))),
            }
        });
        if parts == nothing && (parts > 0 || !self.member.is_empty()) {
            return None;
        }
        if self.member.is_empty() && !self.texts.is_empty() && parts != 1 {
            words.add(self.texts.words(&self.printed(raw)));
        }
        Some(words)
    }

    fn each_part(&self, raw: Raw<'_>, found: &mut dyn FnMut(show::Leaf<'_>)) {
        let value = |at: usize| if at == self.position { raw } else { Raw::Missing };
        show::find(self.event, self.position, &value, &self.member, found);
    }

    /// As a table shows it, but for the escapes: those are read where the filter is.
    fn printed(&self, raw: Raw<'_>) -> Vec<u8> {
        let value = |at: usize| if at == self.position { raw } else { Raw::Missing };
        let mut bytes = Vec::new();
        let mut out = Unescaped(&mut bytes);
        show::argument(self.event, self.position, &value, &mut Text::new(&mut out, true));
        bytes
    }
}

/// A part as it is printed.
fn bytes_of<'t>(part: &show::Leaf<'_>, text: &'t mut Vec<u8>) -> &'t [u8] {
    text.clear();
    // Memory takes everything.
    let _ = part.write(&mut Unescaped(text));
    text
}

/// Takes what is printed, text of the capture as it is.
struct Unescaped<'a>(&'a mut Vec<u8>);

impl Out for Unescaped<'_> {
    fn own(&mut self, text: &str) -> fmt::Result {
        self.0.extend_from_slice(text.as_bytes());
        Ok(())
    }

    fn foreign(&mut self, bytes: &[u8]) -> fmt::Result {
        self.0.extend_from_slice(bytes);
        Ok(())
    }

    fn escapes(&self) -> bool {
        false
    }
}

fn texts_of(filter: &Filter, bit: u64) -> impl Iterator<Item = (&Pattern, Words)> {
    let compares = matches!(filter.op, Op::Equal | Op::NotEqual);
    let word = word(bit, filter.is_positive());
    filter.values.iter().filter_map(move |value| match value {
        Value::Text(pattern) if compares => Some((pattern, word)),
        _ => None,
    })
}

fn number_of(part: &show::Leaf<'_>) -> Option<i128> {
    let number = part.number()?;
    match part {
        show::Leaf::Unsigned(_) | show::Leaf::Pointer(_) => Some(i128::from(number)),
        _ => Some(i128::from(number as i64)),
    }
}
