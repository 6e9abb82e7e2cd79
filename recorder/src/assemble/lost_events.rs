//! Losses told as events, `lost_events`, so that they can be asked about like anything else. The file has them between
//! its blocks as well, where nothing can push them out.

use events::{EventId, Marks, Raw, catalogue, catalogue::recorder::LOST_EVENTS};

use super::Assembler;
use crate::{contexts::NOBODY, kernel::Record, loss::LossEntry};

impl Assembler {
    /// Tells the losses since the last time.
    pub(super) fn record_losses(&mut self) {
        let unwritten = self.losses.take_unwritten();
        // A row for a loss of such a row would never come to an end while the disk is too slow.
        for loss in unwritten.iter().filter(|loss| loss.event != Some(LOST_EVENTS)) {
            self.counts.produced += 1;
            // At the end of what is there: blocks are in order of time.
            let time_ns = if self.last_ns == 0 { loss.to_ns } else { self.last_ns };
            let (event, marks) = (LOST_EVENTS, Marks(Marks::NO_CONTEXT));
            let args = arguments(loss);
            self.place(&Record {
                time_ns,
                event,
                cpu: loss.cpu.unwrap_or_default(),
                context: NOBODY,
                ret: 0,
                marks,
                duration_ns: None,
                args: &args,
            });
        }
    }
}

/// The event's arguments as the catalogue declares them.
fn arguments(loss: &LossEntry) -> Vec<Raw<'_>> {
    let Some(event) = catalogue::by_id(LOST_EVENTS) else { return Vec::new() };
    event.args.iter().map(|arg| value(arg.name, loss)).collect()
}

fn value<'a>(name: &str, loss: &'a LossEntry) -> Raw<'a> {
    let name_of = |id: EventId| catalogue::by_id(id).map(|event| event.name);
    match name {
        "cpu" => loss.cpu.map_or(Raw::Missing, |cpu| Raw::Number(cpu.into())),
        "event" => loss.event.and_then(name_of).map_or(Raw::Missing, |name| Raw::Bytes(name.as_bytes())),
        "count" => Raw::Number(loss.count),
        "from" => Raw::Number(loss.from_ns),
        "to" => Raw::Number(loss.to_ns),
        "cause" => Raw::Bytes(loss.cause.as_bytes()),
        _ => Raw::Missing,
    }
}
