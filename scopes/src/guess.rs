//! What was probably meant by a filter that is none, or that is one but asks for something odd.

use std::ops::Range;

use events::Event;

use crate::check::{Checked, Site};
use crate::diagnostic::{Diagnostic, Severity};
use crate::filter::{Marked, Target};
use crate::key::{self, Field, Key};
use crate::syntax::{self, Piece};
use crate::values;

/// What was probably meant by a key that is none.
pub(crate) fn unknown_key<T>(site: &Site<'_>, key: &Piece<'_>) -> Checked<T> {
    let text = key.text;
    let trimmed = text.trim();
    if trimmed != text && !trimmed.is_empty() {
        let message = format!("blanks beside the key {trimmed:?}");
        return site.error(key.span.clone(), message, "KEY OP VALUE without blanks between");
    }
    if text == key::NOT_CONTAINER {
        let message = "`not-container` stands alone";
        return site.error(key.span.clone(), message, "not-container, !container, or container!=VALUE");
    }
    // What cannot be in a key was meant to end it.
    if let Some(at) = text.find(|c: char| !c.is_alphanumeric() && !"_-.: ".contains(c))
        && let Some((target, end)) = text.get(..at).and_then(key_before).zip(text[at..].chars().next())
    {
        let start = key.span.start + at;
        let message = format!("`{end}` is no operator");
        return site.error(start..start + end.len_utf8(), message, syntax::list(values::operators(&target)));
    }
    if let Some(event) = site.vocabulary.named(text).first() {
        let message = format!("{text:?} is an event, not a key");
        let example = event.args.first().map_or("retval", |arg| arg.name);
        let allowed = format!("event={text} to choose it, {text}.{example} to ask about it");
        return site.error(key.span.clone(), message, allowed);
    }
    if key::context_field(text).is_some() {
        let message = format!("{text:?} can be asked of single events only");
        return site.error(
            key.span.clone(),
            message,
            format!("EVENT.context.{text}, such as openat.context.{text}"),
        );
    }
    let allowed: Vec<&str> = key::key_names().collect();
    let allowed = format!("{}, EVENT.args.NAME, EVENT.retval, EVENT.context.FIELD", allowed.join(", "));
    let message = format!("unknown filter key {text:?}");
    site.unknown(key.span.clone(), message, text, key::key_names(), allowed)
}

/// What a key by itself is about.
fn key_before(text: &str) -> Option<Target> {
    Some(match key::key(text)? {
        Key::Event | Key::Set => Target::Events,
        Key::Follow => Target::Follow,
        Key::Global => Target::Global,
        Key::Field(field) => Target::Field(field),
        Key::Thing(thing) => Target::Thing(thing),
        Key::Mark(mark) => Target::Mark(Marked { mark, bits: mark.bits }),
    })
}

/// An event that does not exist, where a list of events is allowed.
pub(crate) fn unknown_event<T>(site: &Site<'_>, name: &str, span: Range<usize>) -> Checked<T> {
    let mut allowed = "an event's name (see `tracer events`)";
    if name.starts_with(['-', '!']) {
        allowed = "event!=NAME excludes an event";
    } else if name.contains([' ', ';', '|', '+']) {
        allowed = "names of events (see `tracer events`), parted by commas";
    }
    let names = site.vocabulary.events().map(|event| event.name);
    site.unknown(span, format!("unknown event {name:?}"), name, names, allowed)
}

/// The event that an argument, a result or a context is asked of, in each of its declarations.
pub(crate) fn events_before_dot(
    site: &Site<'_>,
    name: &str,
    span: Range<usize>,
) -> Checked<Vec<&'static Event>> {
    match site.vocabulary.named(name) {
        none if none.is_empty() && name.contains(['*', ',']) => {
            let message = "what stands before the `.` is one event, without wildcards and lists";
            site.error(span, message, "EVENT.NAME OP VALUE, a filter for each event")
        }
        none if none.is_empty() => unknown_event(site, name, span),
        events => Ok(events),
    }
}

/// Warns of a value that can be asked for, though hardly anything else than another one was meant.
pub(crate) fn odd_value(site: &Site<'_>, target: &Target, piece: &Piece<'_>, warnings: &mut Vec<Diagnostic>) {
    let text = piece.text;
    let mut warn = |message: String| {
        warnings.push(site.message(Severity::Warning, piece.span.clone(), message));
    };
    let is_quoted = |quote: char| text.len() > 1 && text.starts_with(quote) && text.ends_with(quote);
    if is_quoted('"') || is_quoted('\'') {
        warn(format!("the quotes of {text} are taken as part of the value"));
    }
    if is_octal(text) && reads_numbers(target) {
        warn(format!("{text} is read as a decimal number; octal {text} is {:#x}", octal(text)));
    }
    match target.field() {
        Some(Field::Comm) if text.starts_with('/') => {
            warn(format!("a comm is a program's name without its folder; binary={text} asks for the file"));
        }
        Some(Field::Container) if text.starts_with('!') => {
            let name = text.trim_start_matches('!');
            warn(format!("no container's name begins with `!`; container!={name} excludes"));
        }
        _ => {}
    }
}

fn is_octal(text: &str) -> bool {
    text.len() > 1 && text.starts_with('0') && text.bytes().all(|b| (b'0'..=b'7').contains(&b))
}

fn octal(text: &str) -> u64 {
    u64::from_str_radix(text, 8).unwrap_or(u64::MAX)
}

fn reads_numbers(target: &Target) -> bool {
    values::domain(target).is_some()
}
