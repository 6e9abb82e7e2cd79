//! What could not be captured whole, and how an event came about, beside its values in JSON.

use events::{Event, mark_names};
use pipeline::EventView;
use views::marks::{PARTS, told};

use super::json_text;

/// Appends the marks of an event as a member of JSON, where it has any:
/// `,"marks":{"cut":["argv"],"unreadable":[],"event":["blocked"]}`.
pub fn json(event: &EventView<'_>, out: &mut Vec<u8>) {
    if event.marks.0 & (PARTS | mark_names::OF_ROWS) == 0 {
        return;
    }
    out.extend_from_slice(b",\"marks\":{\"cut\":[");
    let (declared, marks) = (event.event, event.marks);
    names(arguments(declared, |position| declared.is_cut(marks, position)), out);
    out.extend_from_slice(b"],\"unreadable\":[");
    names(arguments(declared, |position| declared.is_unreadable(marks, position)), out);
    out.extend_from_slice(b"],\"event\":[");
    names(told(declared, marks).map(|mark| mark.name), out);
    out.extend_from_slice(b"]}");
}

fn arguments(event: &'static Event, has: impl Fn(usize) -> bool) -> impl Iterator<Item = &'static str> {
    event.listed_args().iter().enumerate().filter(move |(at, _)| has(*at)).map(|(_, arg)| arg.name)
}

fn names<'a>(names: impl Iterator<Item = &'a str>, out: &mut Vec<u8>) {
    for (at, name) in names.enumerate() {
        if at > 0 {
            out.push(b',');
        }
        json_text::quoted(name.as_bytes(), out);
    }
}
