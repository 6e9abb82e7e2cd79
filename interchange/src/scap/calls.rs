//! Which call of the catalogue an event of the format is, and which argument a parameter is, from `calls.txt`.

use std::collections::HashMap;
use std::sync::LazyLock;

use events::{Event, catalogue};

use super::events::{Pair, pair};
use super::forms::Form;

/// A call that has an event of its own.
#[derive(Debug)]
pub struct Call {
    pub event: &'static Event,
    /// The event that is written for it; `None` where older readers know none.
    pub written: Option<&'static Pair>,
    numbers: Vec<u16>,
    /// By the name of a parameter; `None`: it is no argument.
    words: Vec<(&'static str, Option<Source>)>,
}

/// Which argument a parameter is.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Source {
    /// Position of the argument.
    pub at: usize,
    /// Which number of a structure.
    pub member: Option<u8>,
    pub form: Form,
}

impl Call {
    /// The argument that a parameter is. The first parameter of the end is the result, and is not asked for here.
    pub fn source(&self, param: &str) -> Option<Source> {
        if let Some((_, source)) = self.words.iter().find(|(name, _)| *name == param) {
            return *source;
        }
        let (at, _) = self.event.arg(param)?;
        Some(Source { at, member: None, form: Form::Plain })
    }
}

struct Calls {
    all: Vec<Call>,
    by_event: HashMap<u16, usize>,
    by_number: HashMap<u16, usize>,
}

static CALLS: LazyLock<Calls> = LazyLock::new(|| {
    let lines = include_str!("calls.txt").lines().filter(|line| !line.starts_with('#'));
    let all: Vec<Call> = lines.filter_map(read).collect();
    let by_event = all.iter().enumerate().map(|(at, call)| (call.event.id.0, at)).collect();
    let mut by_number = HashMap::new();
    for (at, call) in all.iter().enumerate() {
        for number in &call.numbers {
            by_number.entry(*number).or_insert(at);
        }
    }
    Calls { all, by_event, by_number }
});

/// The call that an event of the catalogue is, where the format has an event for it.
pub fn of_event(event: &Event) -> Option<&'static Call> {
    let calls: &'static Calls = &CALLS;
    calls.all.get(*calls.by_event.get(&event.id.0)?)
}

/// The call that an event of the format is, by its number.
pub fn of_number(number: u16) -> Option<&'static Call> {
    let calls: &'static Calls = &CALLS;
    calls.all.get(*calls.by_number.get(&(number & !1))?)
}

fn read(line: &'static str) -> Option<Call> {
    let mut words = line.split_whitespace().peekable();
    let event = catalogue::by_name(words.next()?)?;
    let mut numbers = Vec::new();
    while let Some(number) = words.peek().and_then(|word| word.parse::<u16>().ok()) {
        numbers.push(number);
        words.next();
    }
    let written = numbers.first().and_then(|number| pair(*number)).filter(|pair| pair.is_old());
    let words = words.filter_map(|word| {
        let (param, arg) = word.split_once('=')?;
        if arg == "_" {
            return Some((param, None));
        }
        let (arg, form) = arg.split_once(':').unwrap_or((arg, ""));
        let (arg, member) = arg.split_once('.').unwrap_or((arg, ""));
        let (at, _) = event.arg(arg)?;
        let form = Form::by_name(form).unwrap_or(Form::Plain);
        Some((param, Some(Source { at, member: member.parse().ok(), form })))
    });
    Some(Call { event, written, words: words.collect(), numbers })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_line_names_a_call_its_events_and_its_arguments() {
        let lines: Vec<_> = include_str!("calls.txt").lines().filter(|line| !line.starts_with('#')).collect();
        assert_eq!(CALLS.all.len(), lines.len());
        for (call, line) in CALLS.all.iter().zip(&lines) {
            let count = line.split_whitespace().filter(|word| word.contains('=')).count();
            assert_eq!(call.words.len(), count, "{line}: an argument that the call does not have");
            assert!(!call.numbers.is_empty(), "{line}");
            let pairs: Vec<_> = call.numbers.iter().map(|number| pair(*number).expect(line)).collect();
            for (param, _) in &call.words {
                let mut params = pairs.iter().flat_map(|pair| pair.enter.iter().chain(&pair.exit));
                assert!(params.any(|known| known.name == *param), "{line}: {param}");
            }
            for word in line.split_whitespace().filter_map(|word| word.split_once(':')) {
                assert!(Form::by_name(word.1).is_some(), "{line}: {}", word.1);
            }
        }
        let openat = of_number(307).expect("openat");
        assert_eq!(openat.event.name, "openat");
        assert_eq!(openat.source("name").map(|source| source.at), Some(1));
        assert_eq!(of_number(60).map(|call| call.event.name), Some("pipe"));
    }
}
