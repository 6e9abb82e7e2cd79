//! Values in tables, most of them without a walk: numbers and strings are written as they are, and what needs looking up
//! (flags, modes) is written once and copied while it comes again.

use events::consts::Names;
use events::{Arg, ArgKind, Event, Marks, Raw};
use pipeline::EventView;

use views::{digits, text, values};

/// What is the same in all rows of an event, and texts of values that came lately.
#[derive(Debug, Default)]
pub struct Values {
    /// By the event's id, written when an event is first met.
    events: Vec<Option<Box<Known>>>,
    numbers: Vec<Named>,
}

/// The texts of one event.
#[derive(Debug)]
pub struct Known {
    event: &'static Event,
    /// The cell with its name.
    pub name: Vec<u8>,
    /// What stands before each argument's value: `, flags: `.
    pub labels: Vec<Vec<u8>>,
}

/// A number that has a name, as an argument of an event.
#[derive(Clone, Debug, Default)]
struct Named {
    argument: (u16, usize),
    number: u64,
    /// Empty: no number was written here yet.
    text: Vec<u8>,
}

/// Numbers that are remembered. Flags of a program's calls are few: `find` has 30 of them.
const NUMBERS: usize = 256;

impl Values {
    /// The texts of an event, written by `name` when it is first met.
    pub fn of(&mut self, event: &'static Event, name: impl FnOnce(&mut Vec<u8>)) -> &Known {
        let at = usize::from(event.id.0);
        if self.events.len() <= at {
            self.events.resize_with(at + 1, || None);
        }
        let slot = &mut self.events[at];
        if slot.as_ref().is_none_or(|known| !std::ptr::eq(known.event, event)) {
            let mut cell = Vec::new();
            name(&mut cell);
            let labels = event.listed_args().iter().enumerate().map(|(position, arg)| label(position, arg));
            *slot = Some(Box::new(Known { event, name: cell, labels: labels.collect() }));
        }
        slot.get_or_insert_with(|| Box::new(Known { event, name: Vec::new(), labels: Vec::new() }))
    }

    /// Appends what stands before an argument's value, of an event that [`Values::of`] was asked for.
    pub fn label(&self, event: &Event, position: usize, out: &mut Vec<u8>) {
        let known = self.events.get(usize::from(event.id.0)).and_then(Option::as_ref);
        if let Some(label) = known.and_then(|known| known.labels.get(position)) {
            out.extend_from_slice(label);
        }
    }

    /// Appends the value of an argument as [`values::text`] writes it; `named`: numbers as names.
    pub fn append(&mut self, event: &EventView<'_>, position: usize, named: bool, out: &mut Vec<u8>) {
        let (Some(arg), raw) = (event.event.args.get(position), event.args.get(position)) else {
            return values::text(event, position, named, out);
        };
        // What an imported log told may be a value of another shape.
        if event.marks.has(Marks::IMPORTED) {
            return values::text(event, position, named, out);
        }
        let is_named = named && arg.names != Names::None;
        match (arg.kind, raw) {
            // What these show depends on other arguments too.
            (ArgKind::Any(_), _) => values::text(event, position, named, out),
            (_, Raw::Missing) => out.extend_from_slice(b"<nil>"),
            (ArgKind::I32 | ArgKind::I64 | ArgKind::Fd, Raw::Number(number)) if !is_named => {
                digits::signed(number as i64, out);
            }
            (ArgKind::U8 | ArgKind::U16 | ArgKind::U32 | ArgKind::U64, Raw::Number(number))
                if named && !is_named =>
            {
                digits::unsigned(number, out);
            }
            (ArgKind::Pointer, Raw::Number(number)) => hex(number, out),
            (ArgKind::Str, Raw::Bytes(bytes)) => text::shown(bytes, out),
            (ArgKind::Fd, Raw::Bytes(_)) => match raw.descriptor() {
                Some((number, stands_for)) => {
                    digits::signed(number as i64, out);
                    if named && !stands_for.is_empty() {
                        out.push(b'=');
                        text::shown(stands_for, out);
                    }
                }
                None => out.extend_from_slice(b"<nil>"),
            },
            (kind, Raw::Number(number)) if !kind.is_bytes() && arg.names != Names::SocketOption => {
                self.named(event, position, number, named, out);
            }
            _ => values::text(event, position, named, out),
        }
    }

    fn named(&mut self, event: &EventView<'_>, position: usize, number: u64, named: bool, out: &mut Vec<u8>) {
        if self.numbers.is_empty() {
            self.numbers.resize(NUMBERS, Named::default());
        }
        let argument = (event.event.id.0, position);
        let mixed = (number ^ (u64::from(argument.0) << 32) ^ ((position as u64) << 56))
            .wrapping_mul(0x9e37_79b9_7f4a_7c15);
        let slot = &mut self.numbers[(mixed >> 56) as usize % NUMBERS];
        if slot.text.is_empty() || slot.argument != argument || slot.number != number {
            slot.text.clear();
            values::text(event, position, named, &mut slot.text);
            (slot.argument, slot.number) = (argument, number);
        }
        out.extend_from_slice(&slot.text);
    }
}

fn label(position: usize, arg: &Arg) -> Vec<u8> {
    let mut label = if position > 0 { b", ".to_vec() } else { Vec::new() };
    text::shown(arg.name.as_bytes(), &mut label);
    label.extend_from_slice(b": ");
    label
}

/// `0x7ffd1c`.
fn hex(number: u64, out: &mut Vec<u8>) {
    out.extend_from_slice(b"0x");
    let nibbles = (u64::BITS - number.leading_zeros()).div_ceil(4).max(1);
    out.extend((0..nibbles).rev().map(|at| b"0123456789abcdef"[(number >> (at * 4)) as usize & 15]));
}

#[cfg(test)]
mod tests {
    use events::{Context, catalogue};
    use pipeline::{Args, Host};

    use super::*;

    /// Every argument of every event with values of each shape, twice so that the second comes from memory, against the walk.
    #[test]
    fn what_is_written_without_a_walk_is_what_the_walk_writes() {
        let host = Host::default();
        let context = Context::default();
        let descriptor = [&7u64.to_le_bytes()[..], b"/etc/a,b"].concat();
        let raws = [
            Raw::Missing,
            Raw::Number(0),
            Raw::Number(1),
            Raw::Number(577),
            Raw::Number(-100i64 as u64),
            Raw::Number(u64::MAX >> 1),
            Raw::Bytes(b""),
            Raw::Bytes(b"/tmp/\x1b[1m)"),
            Raw::Bytes(&descriptor),
        ];
        for named in [true, false] {
            let mut values = Values::default();
            for event in catalogue::events() {
                for raw in raws.iter().chain(&raws) {
                    let args = vec![*raw; event.args.len()];
                    let view = EventView {
                        at: pipeline::RowRef::default(),
                        time_ns: 0,
                        wall_ns: 0,
                        event,
                        host: &host,
                        context: &context,
                        context_index: 0,
                        container: None,
                        cpu: 0,
                        ret: 0,
                        scopes: 1,
                        duration_ns: None,
                        recorded: 0,
                        marks: Marks(0),
                        args: Args::List(&args),
                        base: None,
                    };
                    for position in 0..event.args.len() {
                        let (mut expected, mut found) = (Vec::new(), Vec::new());
                        views::values::text(&view, position, named, &mut expected);
                        values.append(&view, position, named, &mut found);
                        let told = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
                        assert_eq!(
                            told(&found),
                            told(&expected),
                            "{} {} {raw:?} {named}",
                            event.name,
                            event.args[position].name
                        );
                    }
                }
            }
        }
    }
}
