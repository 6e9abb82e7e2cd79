//! Rows that stand in two files: a part of a capture that was cut by time holds unseen copies of what its state rests on, and
//! the part before it holds the same rows for people to see.
//!
//! ```text
//! part 1   p1  p2  |               all seen
//! part 2   p1' p2' |  p3           p1' and p2' are there only so that p3 can be read
//! both     p1  p2     p3           each row is told once, and what p2 completes is seen
//! ```

use std::collections::HashMap;

use events::{EventId, Raw};

use super::{Row, Scanned, Told};

/// Rows of one task and event at one nanosecond that an unseen row is compared with, at most: a file may say that all are.
const COMPARED: usize = 16;

/// What rows must have in common to be compared: event, boot and time, and the task's number and start.
type Identity = (EventId, usize, u64, Option<(u32, u64)>);

/// The places of unseen rows of which a copy of another file is told, rising: one that people see, or an unseen one before it.
/// Rows come in order of time, and all of one time together.
pub(crate) fn of<'a>(rows: impl Iterator<Item = (usize, &'a Row, &'a Scanned)> + Clone) -> Vec<usize> {
    let mut copies = Vec::new();
    if !rows.clone().any(|(_, row, _)| row.is_hidden) {
        return copies;
    }
    let rows: Vec<_> = rows.collect();
    for at_once in rows.chunk_by(|(_, one, _), (_, other, _)| one.time == other.time) {
        if at_once.len() > 1 && at_once.iter().any(|(_, row, _)| row.is_hidden) {
            among(at_once, &mut copies);
        }
    }
    copies.sort_unstable();
    copies
}

fn among(at_once: &[(usize, &Row, &Scanned)], copies: &mut Vec<usize>) {
    let mut known: HashMap<Identity, Vec<Told<'_>>> = HashMap::new();
    for is_hidden in [false, true] {
        for (at, row, of) in at_once.iter().filter(|(_, row, _)| row.is_hidden == is_hidden) {
            let told = row.told(of);
            let alike = known.entry(identity(&told)).or_default();
            if is_hidden && alike.iter().any(|other| is_copy(&told, other)) {
                copies.push(*at);
            } else if alike.len() < COMPARED {
                alike.push(told);
            }
        }
    }
}

fn identity(told: &Told<'_>) -> Identity {
    let task = told.context().map(|context| (context.tid, context.thread_start_ns));
    (told.event, told.boot(), told.boot_ns(), task)
}

/// Whether an unseen row of one file is a row of another. Names and paths may have been left out of the unseen one.
fn is_copy(hidden: &Told<'_>, other: &Told<'_>) -> bool {
    let args = events::catalogue::by_id(hidden.event).map_or(0, |event| event.args.len());
    let is_same = |position| {
        let own = hidden.arg(position);
        own == Raw::Missing || own == other.arg(position)
    };
    hidden.file() != other.file() && (0..args).all(is_same)
}
