//! Events on their way from a question into the table, rendered on any thread.

use std::ops::ControlFlow;

use events::context::ContextFlags;
use events::{Event, EventId, Raw};
use hashbrown::HashMap;
use pipeline::source::RowRef;
use pipeline::{EventView, Projection, Question, Sink, Stats};
use views::{marks, values};

use super::kept::{Column, Kind, columns};
use super::table::{ContainerOf, Events, Task};
use crate::spelled::{REMARK, shortened, spelled};

/// There is no such value.
pub(super) const MISSING: u32 = u32::MAX;

/// Puts what matches into the table, in order of time.
pub fn collect(question: &Question<'_>, table: &mut Events) -> pipeline::Result<Stats> {
    question.ask(&Collecting, &mut |piece| {
        table.add(piece);
        Ok(ControlFlow::Continue(()))
    })
}

struct Collecting;

/// Up to about a thousand events with their texts.
#[derive(Debug, Default)]
pub(super) struct Piece {
    pub rows: Vec<Row>,
    pub texts: String,
    /// Of the columns of all rows, one row behind the other; [`MISSING`] where there is no value.
    pub lengths: Vec<u32>,
    pub tasks: Vec<Task>,
    places: HashMap<(u32, u32, u32), u32>,
}

#[derive(Debug)]
pub(super) struct Row {
    pub at: RowRef,
    pub wall_ns: i64,
    pub event: &'static Event,
    pub task: u32,
    pub ret: i64,
    /// Columns of the event, and one more for what is said of the whole row.
    pub columns: u32,
}

#[derive(Default)]
struct Worker {
    columns: HashMap<EventId, Vec<Column>>,
    text: Vec<u8>,
}

impl Sink for Collecting {
    type Worker = Worker;
    type Made = Piece;

    fn projection(&self) -> Projection {
        Projection { contexts: true, rets: true, marks: true, arguments: true, ..Projection::NONE }
    }

    fn worker(&self) -> Worker {
        Worker::default()
    }

    fn begin(&self) -> Piece {
        Piece::default()
    }

    fn event(&self, worker: &mut Worker, event: &EventView<'_>, piece: &mut Piece) {
        let Worker { columns: known, text } = worker;
        let list = known.entry(event.event.id).or_insert_with(|| columns(event.event));
        for column in list.iter() {
            match value(event, *column, text) {
                None => piece.lengths.push(MISSING),
                Some(value) => piece.push(&value),
            }
        }
        text.clear();
        marks::names(event, text);
        match text.is_empty() {
            true => piece.lengths.push(MISSING),
            false => piece.push(&String::from_utf8_lossy(text)),
        }
        let task = piece.task(event);
        piece.rows.push(Row {
            at: event.at,
            wall_ns: event.wall_ns,
            event: event.event,
            task,
            ret: event.ret,
            columns: list.len() as u32 + 1,
        });
    }

    fn size(&self, piece: &Piece) -> usize {
        piece.texts.len() + piece.rows.len() * size_of::<Row>() + piece.lengths.len() * 4
    }

    fn truncate(&self, piece: &mut Piece, events: usize) {
        piece.rows.truncate(events);
    }
}

impl Piece {
    fn push(&mut self, text: &str) {
        self.texts.push_str(text);
        self.lengths.push(text.len() as u32);
    }

    fn task(&mut self, event: &EventView<'_>) -> u32 {
        let key = (event.at.file, event.at.block, event.context_index);
        if let Some(known) = self.places.get(&key) {
            return *known;
        }
        let context = event.context;
        let of_container = |it: &pipeline::Container| ContainerOf {
            id: it.id.clone(),
            name: it.name.clone(),
            image: it.image.clone(),
        };
        self.tasks.push(Task {
            boot: event.host.boot,
            host: event.host.name.clone(),
            pid: context.pid,
            tid: context.tid,
            ppid: context.ppid,
            uid: context.uid,
            start_ns: context.process_start_ns,
            comm: context.comm.to_vec(),
            exe: context.exe.to_vec(),
            has_unknown_exe: context.exe.is_empty() && context.flags.has(ContextFlags::EXE_UNKNOWN),
            container: event.container.map(of_container),
        });
        let task = self.tasks.len() as u32 - 1;
        self.places.insert(key, task);
        task
    }
}

/// The text of a column; `None` where the event has no such value.
fn value(event: &EventView<'_>, column: Column, text: &mut Vec<u8>) -> Option<String> {
    let raw = event.args.get(column.position);
    if raw == Raw::Missing {
        return None;
    }
    let printed = |text: &mut Vec<u8>| {
        text.clear();
        values::text(event, column.position, true, text);
        String::from_utf8_lossy(text).into_owned()
    };
    let shown = match (column.kind, raw) {
        (Kind::StandsFor, raw) => match raw.descriptor() {
            Some((_, stands_for)) if !stands_for.is_empty() => spelled(stands_for),
            _ => return None,
        },
        // `3=/etc/passwd`: what it stands for is the next column.
        (Kind::Descriptor, _) => {
            let printed = printed(text);
            printed.split('=').next().unwrap_or_default().to_owned()
        }
        (Kind::Text, Raw::Bytes(bytes)) => spelled(bytes),
        _ => printed(text),
    };
    let mut shown = shortened(shown);
    if column.kind != Kind::StandsFor {
        text.clear();
        marks::of_argument(event, column.position, text);
        if !text.is_empty() {
            shown.push(REMARK);
            shown.push_str(&String::from_utf8_lossy(text));
        }
    }
    Some(shown)
}
