//! The numbers of some events among all of them, in order of time.

use std::collections::HashSet;

use pipeline::{EventView, Projection, Sink};

use super::Key;

pub struct Numbers<'a> {
    pub wanted: &'a HashSet<Key>,
}

/// A piece of all events: how many, and the wanted ones among them.
#[derive(Debug, Default)]
pub struct Piece {
    pub events: u64,
    pub found: Vec<(u64, Key)>,
}

impl Sink for Numbers<'_> {
    type Worker = ();
    type Made = Piece;

    fn projection(&self) -> Projection {
        Projection { contexts: true, ..Projection::NONE }
    }

    fn worker(&self) {}

    fn begin(&self) -> Piece {
        Piece::default()
    }

    fn event(&self, _: &mut (), event: &EventView<'_>, made: &mut Piece) {
        let key = (event.host.boot, event.time_ns, event.event.id, event.context.tid);
        if self.wanted.contains(&key) {
            made.found.push((made.events, key));
        }
        made.events += 1;
    }

    fn size(&self, made: &Piece) -> usize {
        made.found.len() * size_of::<(u64, Key)>()
    }

    fn truncate(&self, made: &mut Piece, events: usize) {
        made.events = made.events.min(events as u64);
        let left = made.events;
        made.found.retain(|(at, _)| *at < left);
    }
}
