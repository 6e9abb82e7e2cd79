//! Argument values as people read them.

use std::fmt;

use events::show::{Out, Parts, Text, argument};
use events::{ArgKind, Marks, Raw, tree};
use pipeline::EventView;

use crate::text;

/// Appends a value as tables show it; `named`: numbers as names.
pub fn text(event: &EventView<'_>, position: usize, named: bool, out: &mut Vec<u8>) {
    let mut safe = Safe(out);
    let mut listener = Text::new(&mut safe, named);
    walk(event, position, &mut listener);
    // Memory takes everything.
    let _ = listener.finish();
}

/// Walks over a value, as the capture or the log that it was imported from has it.
pub fn walk(event: &EventView<'_>, position: usize, parts: &mut dyn Parts) {
    if event.marks.has(Marks::IMPORTED)
        && let Some(arg) = event.event.args.get(position)
        && let Raw::Bytes(bytes) = event.args.get(position)
        && is_tree(arg.kind, bytes)
    {
        return tree::walk(bytes, parts);
    }
    argument(event.event, position, &|at| event.args.get(at), parts);
}

/// Whether an imported value is stored as a log told it, rather than as the kernel lays it out.
fn is_tree(kind: ArgKind, bytes: &[u8]) -> bool {
    match kind {
        ArgKind::Str | ArgKind::Text(_) | ArgKind::StrArray | ArgKind::StrList(_) | ArgKind::Bytes(_) => {
            false
        }
        ArgKind::Dirents(_) => bytes.first() != Some(&events::dirents::TAG),
        // Families that were put back into bytes are 1, 2 and 10; members are tagged 7.
        ArgKind::Sockaddr(_) => bytes.first().is_some_and(|tag| !matches!(tag, 1 | 2 | 10)),
        kind => kind.is_bytes(),
    }
}

/// Takes text on its way to a terminal.
struct Safe<'a>(&'a mut Vec<u8>);

impl Out for Safe<'_> {
    fn own(&mut self, text: &str) -> fmt::Result {
        self.0.extend_from_slice(text.as_bytes());
        Ok(())
    }

    fn foreign(&mut self, bytes: &[u8]) -> fmt::Result {
        text::shown(bytes, self.0);
        Ok(())
    }
}
