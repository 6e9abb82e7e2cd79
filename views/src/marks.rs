//! What could not be captured whole, and how an event came about, beside its values.

use events::mark_names::{self, Mark};
use events::show::escape::{CUT, UNREADABLE};
use events::{Event, Marks};
use pipeline::EventView;

/// Appends to an argument of a table what is wrong with it: `argv: [true AAAA] (cut)`.
pub fn of_argument(event: &EventView<'_>, position: usize, out: &mut Vec<u8>) {
    if event.marks.0 & PARTS == 0 {
        return;
    }
    if event.event.is_cut(event.marks, position) {
        out.extend_from_slice(CUT.as_bytes());
    }
    if event.event.is_unreadable(event.marks, position) {
        out.extend_from_slice(UNREADABLE.as_bytes());
    }
}

/// Appends to a row of a table what is said of all of it: `, marks: blocked|late`.
pub fn of_row(event: &EventView<'_>, out: &mut Vec<u8>) {
    let mut before = if event.event.listed_args().is_empty() { "marks: " } else { ", marks: " };
    for mark in told(event.event, event.marks) {
        out.extend_from_slice(before.as_bytes());
        out.extend_from_slice(mark.name.as_bytes());
        before = "|";
    }
}

/// Marks of single arguments.
pub const PARTS: u32 = Marks::TRUNCATED | Marks::FAULT;

/// The marks of all of a row. That something was cut or unreadable is one of them where no argument says what.
pub fn told(event: &Event, marks: Marks) -> impl Iterator<Item = &'static Mark> {
    let has = |is: fn(&Event, Marks, usize) -> bool| (0..event.args.len()).any(|at| is(event, marks, at));
    let nameless = |bit: u32, is: fn(&Event, Marks, usize) -> bool| {
        if marks.has(bit) && !has(is) { bit } else { 0 }
    };
    let bits = marks.0 & mark_names::OF_ROWS
        | nameless(Marks::TRUNCATED, Event::is_cut)
        | nameless(Marks::FAULT, Event::is_unreadable);
    mark_names::ALL.iter().filter(move |mark| mark.bits & bits != 0)
}

/// Appends the names of what is said of all of a row: `blocked|late`.
pub fn names(event: &EventView<'_>, out: &mut Vec<u8>) {
    for (at, mark) in told(event.event, event.marks).enumerate() {
        if at > 0 {
            out.push(b'|');
        }
        out.extend_from_slice(mark.name.as_bytes());
    }
}
