//! Templates of outputs: `Shell %proc.name of %proc.pname`.

use events::Event;

use super::fields::{Kind, Meaning, meaning};
use crate::class::Class;
use crate::finding::Output;
use crate::form::{ContainerFact, Field};

/// What is printed for what has no value.
const NOTHING: &str = "<NA>";
/// Ancestors that `%proc.aname[]` lists at most.
const LONGEST: usize = 16 << 10;

/// Fills a template. `value`: of a field of the row, as text.
pub fn fill(
    template: &str,
    class: &Class,
    event: &'static Event,
    value: &mut dyn FnMut(&Field) -> Option<String>,
) -> Output {
    let kind = kind(class, event);
    let mut output = Output::default();
    let mut rest = template;
    while let Some(at) = rest.find('%') {
        let (before, field) = rest.split_at(at);
        output.text.push_str(before);
        let field = field.get(1..).unwrap_or_default();
        let length = length(field);
        let (name, after) = field.split_at(length);
        rest = after;
        if name.is_empty() {
            output.text.push('%');
            continue;
        }
        let found = one(kind, event, name, value);
        if output.text.len() < LONGEST {
            output.text.push_str(found.as_deref().unwrap_or(NOTHING));
        }
        if !output.fields.iter().any(|(known, _)| known == name) {
            output.fields.push((name.to_owned(), found));
        }
    }
    output.text.push_str(rest);
    output
}

/// The fields that a template names, of any kind of row.
pub fn fields_of(template: &str) -> Vec<Field> {
    let names = template.split('%').skip(1).filter_map(|rest| rest.get(..length(rest)));
    let of = |name: &str| {
        let (name, argument) = match name.split_once('[') {
            Some((name, rest)) => (name, Some(rest.trim_end_matches(']')).filter(|it| !it.is_empty())),
            None => (name, None),
        };
        match meaning(Kind::Exec, name, argument) {
            Meaning::Field(field) => Some(field),
            _ => None,
        }
    };
    names.filter_map(of).collect()
}

/// Bytes of a field's name, with what stands in square brackets behind it.
fn length(text: &str) -> usize {
    let is_name = |c: char| c.is_ascii_alphanumeric() || c == '_' || c == '.';
    let name = text.find(|c| !is_name(c)).unwrap_or(text.len());
    // A dot at the end is one of the sentence.
    let trimmed = text.get(..name).unwrap_or_default().trim_end_matches('.').len();
    match text.get(trimmed..).filter(|rest| rest.starts_with('[')).and_then(|rest| rest.find(']')) {
        Some(end) => trimmed + end + 1,
        None => trimmed,
    }
}

fn kind(class: &Class, event: &'static Event) -> Kind {
    match class {
        Class::Exec => Kind::Exec,
        Class::Open => Kind::Opened,
        Class::Fork => Kind::Fork,
        Class::Exit => Kind::Exit,
        _ if event.is_syscall() => Kind::Call,
        _ => Kind::Done,
    }
}

fn one(
    kind: Kind,
    event: &'static Event,
    name: &str,
    value: &mut dyn FnMut(&Field) -> Option<String>,
) -> Option<String> {
    let (name, argument) = match name.split_once('[') {
        Some((name, rest)) => (name, Some(rest.trim_end_matches(']')).filter(|it| !it.is_empty())),
        None => (name, None),
    };
    if name == "evt.type" {
        return value(&Field::Call).or_else(|| Some(event.name.to_owned()));
    }
    match meaning(kind, name, argument) {
        Meaning::Field(field) => value(&field),
        Meaning::Text(text) => Some(text.to_owned()),
        Meaning::Number(number) => Some(number.to_string()),
        Meaning::Container => {
            let id = value(&Field::Container(ContainerFact::Id));
            Some(id.map_or_else(|| "host".to_owned(), |id| id.chars().take(12).collect()))
        }
        Meaning::Holds(_) | Meaning::Missing | Meaning::Refused(_) | Meaning::Unknown => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fields_are_filled_and_what_has_no_value_is_said() {
        let event = events::catalogue::by_name("sched_process_exec").expect("an event");
        let mut value = |field: &Field| (field.to_string() == "comm").then(|| "bash".to_owned());
        let output =
            fill("Shell %proc.name of %proc.aname[2] (%proc.tty). 100%", &Class::Exec, event, &mut value);
        assert_eq!(output.text, "Shell bash of <NA> (<NA>). 100%");
        assert_eq!(output.fields.len(), 3);
        assert_eq!(output.fields[0], ("proc.name".to_owned(), Some("bash".to_owned())));
    }
}
