//! What a filter may go on with: a key, an event and its arguments, a value.

use std::path::PathBuf;

use events::consts::errno;
use events::{Event, Set, capability, catalogue};
use scopes::key::{self, Class, Field, Key};
use scopes::{Plan, ScopeSet, Thing};
use views::sums::By;

use super::values::{self, Value};

/// What may stand for the filter that was begun.
pub fn candidates(text: &str, captures: &[PathBuf]) -> Vec<Value> {
    let digits = text.bytes().take_while(u8::is_ascii_digit).count();
    let (scope, body) = match text.get(digits..) {
        Some(rest) if digits > 0 && rest.starts_with(':') => text.split_at(digits + 1),
        _ => ("", text),
    };
    let found = match body.find(['=', '!', '<', '>']) {
        Some(at) if at > 0 => {
            let end = body.len()
                - body.get(at..).unwrap_or_default().trim_start_matches(['=', '!', '<', '>']).len();
            let (head, listed) = body.split_at(end);
            let (before, last) = split_last(listed);
            of_key(body.get(..at).unwrap_or_default(), last, captures)
                .into_iter()
                .filter(|value| value.text.starts_with(last))
                .map(|value| Value { text: format!("{head}{before}{}", escaped(&value.text)), ..value })
                .collect()
        }
        _ => keys(body, captures),
    };
    found.into_iter().map(|value: Value| Value { text: format!("{scope}{}", value.text), ..value }).collect()
}

/// Values that commas part: those before the last, and the last.
fn split_last(listed: &str) -> (&str, &str) {
    let mut commas =
        listed.match_indices(',').filter(|(at, _)| !listed.get(..*at).is_some_and(|it| it.ends_with('\\')));
    let end = commas.next_back().map_or(0, |(at, _)| at + 1);
    listed.split_at(end)
}

/// A value as filters read it back.
fn escaped(value: &str) -> String {
    let mut text = String::with_capacity(value.len());
    for character in value.chars() {
        if matches!(character, ',' | '*' | '\\') {
            text.push('\\');
        }
        text.push(character);
    }
    text
}

fn keys(body: &str, captures: &[PathBuf]) -> Vec<Value> {
    if let Some((name, rest)) = body.split_once('.') {
        let Some(event) = catalogue::by_name(name) else { return Vec::new() };
        return parts(event)
            .into_iter()
            .filter(|part| part.starts_with(rest))
            .map(|part| Value::plain(format!("{name}.{part}")))
            .collect();
    }
    let own = key::key_names().filter(|name| name.starts_with(body)).map(|name| {
        let takes_value = match key::key(name) {
            Some(Key::Event | Key::Set) => true,
            Some(Key::Thing(_)) => true,
            Some(Key::Field(field)) => !matches!(field.class(), Class::Container | Class::Flag),
            _ => false,
        };
        Value::plain(if takes_value { format!("{name}=") } else { name.to_owned() })
    });
    let mut found: Vec<Value> = own.collect();
    // Of a capture its own events; of all that there are only those that were begun.
    if !captures.is_empty() {
        let events = values::of_captures(By::Event, captures).into_iter();
        let begun = events.filter(|event| event.text.starts_with(body));
        found.extend(begun.map(|event| Value { text: format!("{}.", event.text), ..event }));
    } else if !body.is_empty() {
        found.extend(super::event_names(body).map(|name| Value::plain(format!("{name}."))));
    }
    found
}

/// What stands behind an event and a point.
fn parts(event: &'static Event) -> Vec<String> {
    let mut parts: Vec<String> = event.listed_args().iter().map(|arg| format!("{}=", arg.name)).collect();
    parts.push("retval".to_owned());
    parts.push("context.".to_owned());
    parts.extend(key::context_field_names().map(|name| format!("context.{name}=")));
    parts
}

fn of_key(name: &str, begun: &str, captures: &[PathBuf]) -> Vec<Value> {
    if let Some((event, argument)) = name.split_once('.') {
        let Some(event) = catalogue::by_name(event) else { return Vec::new() };
        let introduced = argument.strip_prefix("args.").or(argument.strip_prefix("data."));
        let argument = introduced.filter(|argument| event.arg(argument).is_some()).unwrap_or(argument);
        if argument == "retval" {
            // A number that was begun is nobody's name.
            let is_name = begun.starts_with(|c: char| c.is_ascii_uppercase());
            return errno::names().filter(|_| is_name).map(Value::plain).collect();
        }
        let filter = format!("event={}", event.name);
        let Ok(set) = ScopeSet::parse(&[filter]) else { return Vec::new() };
        return values::of_argument(event.id, argument, &Plan::compile(&set), captures);
    }
    let by = match key::key(name) {
        Some(Key::Event) if captures.is_empty() => {
            return super::event_names("").map(Value::plain).collect();
        }
        Some(Key::Set) => return Set::ALL.iter().map(|set| Value::plain(set.name())).collect(),
        Some(Key::Event) => By::Event,
        Some(Key::Thing(Thing::File)) => By::File,
        Some(Key::Thing(Thing::Peer)) => By::Peer,
        Some(Key::Field(Field::Comm)) => By::Comm,
        Some(Key::Field(Field::Binary)) => By::Binary,
        Some(Key::Field(Field::Container)) => By::Container,
        Some(Key::Field(field)) if matches!(field.class(), Class::User | Class::Login) => By::User,
        Some(Key::Field(field)) if field.class() == Class::Capability => {
            return capability::names().map(Value::plain).collect();
        }
        Some(Key::Field(Field::HostName)) => By::Host,
        _ => return Vec::new(),
    };
    let mut values = values::of_captures(by, captures);
    // What a group names that the key does not take.
    match key::key(name) {
        Some(Key::Thing(Thing::File)) => {
            values.retain(|it| it.text.starts_with('/') || it.text.starts_with("memfd:"))
        }
        Some(Key::Thing(Thing::Peer)) => values.retain(|it| !it.text.starts_with(['/', '@'])),
        _ => {}
    }
    values
}
