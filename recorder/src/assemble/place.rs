//! One record on its way into the block: which scopes it matches, whether it is wanted, and where it stands.

use events::{EventId, Marks, Raw, catalogue::process};
use format::facts::FactChange;

use super::Assembler;
use crate::{
    containers::container_events,
    held::{HappenedAt, Pending},
    host::process_table::Change,
    kernel::Record,
    loss,
};

impl Assembler {
    /// Takes a record whose turn it is.
    pub(super) fn take(&mut self, record: &Record<'_>) {
        let happened = container_events::follow(&mut self.cgroups, record);
        match self.hashes.as_mut().and_then(|hashes| hashes.known(record)) {
            None => self.place(record),
            Some((at, hash)) => {
                let mut args = record.args.to_vec();
                if let Some(arg) = args.get_mut(at) {
                    *arg = Raw::Bytes(&hash);
                }
                self.place(&Record { args: &args, ..*record });
            }
        }
        let Some((happened, cgroup_id)) = happened else { return };
        let Record { time_ns, cpu, context, marks, .. } = *record;
        let at = HappenedAt { happened, cgroup_id, time_ns, cpu, context, marks };
        self.request_names();
        if self.waiting.is_waiting() {
            // Its name is on the way, and belongs to the event.
            self.waiting.push_first(Pending::Happened(at));
        } else {
            self.record_container_event(at);
        }
    }

    /// Labels a record and puts it into the block, or leaves it out.
    pub(super) fn place(&mut self, record: &Record<'_>) {
        let event = record.event;
        let is_wanted = self.wanted.as_ref().is_none_or(|wanted| wanted.has(event));
        let is_state = is_process_state(event);
        let known = self.contexts.get(record.context);
        self.standings.see(record, &known.context);
        if !is_wanted && !is_state {
            self.counts.filtered += 1;
            return;
        }
        known.stand(&mut self.standings);
        if known.mask.is_none() {
            self.cgroups.discover(&known.context.view());
        }
        if event == process::SCHED_PROCESS_EXEC {
            self.cgroups.executed(&known.context.view(), record.time_ns);
        }
        let context = &known.context;
        let mask = self.choice.labels.mask(record, context, &self.cgroups, &mut known.mask);
        if let Some(trigger) = &self.choice.trigger {
            self.triggered |= trigger.mask(record, context, &self.cgroups, &mut known.trigger) != 0;
        }
        if is_state {
            self.choice.labels.follow(record, context, &self.cgroups);
            if let Some(trigger) = &mut self.choice.trigger {
                trigger.follow(record, context, &self.cgroups);
            }
        }
        let changes = self.wants_changes && (is_state || FactChange::may_be(event));
        let change = if changes { Change::of(record, &known.context) } else { None };
        self.standings.leave(record, &known.context);
        let mut marks = record.marks;
        if !is_wanted {
            marks = Marks(marks.0 | Marks::STATE_ONLY);
        }
        // What is derived from an event passes the filters itself: its base stays.
        if self.choice.only_matched && mask == 0 && !self.choice.labels.derives_from(event) {
            if !is_state {
                self.counts.filtered += 1;
                return;
            }
            marks = Marks(marks.0 | Marks::STATE_ONLY);
        }
        if !self.has_room() {
            self.losses.add_one(record.time_ns, record.cpu, event, loss::QUEUE_FULL);
            return;
        }
        // Borrowed again: rolling to the next block needed all of `self`.
        let known = self.contexts.get(record.context);
        match self.rows.push(record, known, mask, marks) {
            Ok(()) => {
                self.counts.rows += 1;
                self.changes.extend(change);
            }
            Err(_) => self.losses.add_one(record.time_ns, record.cpu, event, loss::REFUSED),
        }
    }
}

/// Events that the process tree is made of: they are in every file.
fn is_process_state(event: EventId) -> bool {
    matches!(event, process::SCHED_PROCESS_FORK | process::SCHED_PROCESS_EXEC | process::SCHED_PROCESS_EXIT)
}
