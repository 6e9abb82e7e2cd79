//! Who waits for names and hashes, and how those that waited get their turn.

use std::{thread, time::Duration};

use crossbeam_channel::TrySendError;
use events::catalogue::process::SCHED_PROCESS_EXEC;
use events::{Context, Marks};
use format::Process;

use super::Assembler;
use crate::{
    containers::container_events::Happened,
    contexts::NOBODY,
    file::lanes::Wait,
    hashes::Hashes,
    held::{Awaited, HappenedAt, OwnedRecord, Pending},
    kernel::{self, Record, Records, Share},
    loss::LossEntry,
};

/// Between two looks for an answer when there is nothing else to do.
const LOOK_AGAIN: Duration = Duration::from_millis(2);

impl Records for Assembler {
    fn context(&mut self, id: u32, context: &Context<'_>) {
        if self.waiting.is_empty() {
            let context = self.contexts.own(context);
            self.contexts.announce(id, context);
            self.note_for_shares(id);
        } else {
            let context = self.contexts.own(context);
            self.waiting.push(Pending::Context(id, Box::new(context)));
        }
    }

    fn record(&mut self, record: &Record<'_>) {
        self.counts.produced += 1;
        self.last_ns = self.last_ns.max(record.time_ns);
        self.track(record);
        let is_hashed = self.request_hash(record);
        if is_hashed || !self.waiting.is_empty() || self.needs_names && self.must_wait(record.context) {
            self.waiting.push(Pending::Record(OwnedRecord::new(record)));
        } else {
            self.take(record);
        }
    }

    fn lost(&mut self, lost: &kernel::Loss) {
        self.counts.produced += lost.count;
        self.losses.add(&LossEntry {
            from_ns: lost.from_ns,
            to_ns: lost.to_ns,
            cpu: lost.cpu,
            event: lost.event,
            count: lost.count,
            cause: lost.cause.name(),
        });
    }

    fn stuck(&mut self, cpu: u16) {
        self.stuck_cpus.push(cpu);
    }

    fn left_out(&mut self, count: u64) {
        self.counts.produced += count;
        self.counts.filtered += count;
    }

    fn untimed(&mut self, count: u64) {
        self.counts.untimed += count;
    }

    fn forget(&mut self, id: u32) {
        if self.waiting.is_empty() {
            self.contexts.forget(id);
        } else {
            self.waiting.push(Pending::Forget(id));
        }
    }

    fn is_waiting(&self) -> bool {
        !self.shares.is_empty() && !self.waiting.is_empty()
    }

    fn give_up_waiting(&mut self) {
        self.waiting.give_up_all();
        self.release_held();
    }

    fn begin_sharing(&mut self) -> bool {
        let can_share = !self.shares.is_empty() && self.waiting.is_empty();
        if can_share {
            self.begin_stretch();
        }
        can_share
    }

    fn shares(&mut self, _: usize) -> Vec<Box<dyn Share + '_>> {
        self.takers()
    }

    fn end_sharing(&mut self) {
        self.end_stretch();
    }
}

impl Assembler {
    /// Takes the state before the first event.
    pub fn begin(&mut self, processes: Vec<Process>, start_ns: u64) {
        self.request_names();
        if self.waiting.is_waiting() {
            self.waiting.push(Pending::Begin { processes, start_ns });
        } else {
            self.take_state(&processes, start_ns);
        }
        self.tick();
    }

    fn take_state(&mut self, processes: &[Process], start_ns: u64) {
        self.standings.begin(processes);
        self.choice.labels.snapshot(processes, &self.cgroups);
        if let Some(trigger) = &mut self.choice.trigger {
            trigger.snapshot(processes, &self.cgroups);
        }
        if let Some(early_drop) = &mut self.choice.early_drop {
            early_drop.begin(start_ns, self.choice.labels.lineage());
        }
        for cgroup in self.cgroups.containers() {
            let marks = Marks(Marks::NO_CONTEXT);
            let (happened, cgroup_id) = (Happened::Existing, cgroup.id);
            self.record_container_event(HappenedAt {
                happened,
                cgroup_id,
                time_ns: start_ns,
                cpu: 0,
                context: NOBODY,
                marks,
            });
        }
        self.gather_sides();
        self.send_sides();
    }

    /// Waits for the last answers, and takes all that waited for them: for room in the file as long as `patience` does. Then
    /// what finds none is lost, and counted.
    pub fn finish_waiting(&mut self, patience: &mut dyn FnMut() -> Wait) {
        loop {
            self.receive_answers();
            self.release_held();
            if self.waiting.is_empty() && !self.waiting.is_waiting() {
                return;
            }
            thread::sleep(LOOK_AGAIN);
            self.waits_for_room &= patience() == Wait::On;
        }
    }

    /// Whether a record with this context cannot be judged yet.
    fn must_wait(&mut self, context: u32) -> bool {
        let known = self.contexts.get(context);
        if known.mask.is_none() {
            self.cgroups.discover(&known.context.view());
        }
        self.request_names();
        self.waiting.is_waiting()
    }

    /// Asks for the names of new containers. One that the host's runtime has made is waited for: it knows the names.
    pub(super) fn request_names(&mut self) {
        let requests = self.cgroups.take_unnamed();
        let Some(names) = &self.names else { return };
        let mut requests = requests.into_iter();
        while let Some(request) = requests.next() {
            let (cgroup_id, authority) = (request.cgroup_id, request.authority);
            match names.ask.try_send(request) {
                Ok(()) => {}
                Err(TrySendError::Full(request)) => {
                    self.cgroups.put_back_unnamed(std::iter::once(request).chain(requests));
                    return;
                }
                Err(TrySendError::Disconnected(_)) => return,
            }
            if authority.is_verified() {
                self.waiting.wait_for(cgroup_id);
            } else if self.needs_names && !self.waiting.wait_for_user(cgroup_id) {
                self.cgroups.freeze_names(cgroup_id);
            }
        }
    }

    /// Takes the answers that came, and the time that passed without one.
    pub(super) fn receive_answers(&mut self) {
        self.receive_hashes();
        self.request_names();
        while let Some(named) = self.names.as_ref().and_then(|names| names.answers.try_recv().ok()) {
            self.waiting.answered(Awaited::Names(named.cgroup_id));
            match named.names {
                // Masks that were given with the old name must not differ from what replay says with a new one.
                Some(_) if self.needs_names && self.cgroups.is_named(named.cgroup_id) => {}
                Some(names) => self.cgroups.named(named.cgroup_id, names),
                None if self.needs_names => self.cgroups.freeze_names(named.cgroup_id),
                None => {}
            }
        }
        for awaited in self.waiting.give_up() {
            match awaited {
                Awaited::Names(cgroup_id) if self.needs_names => self.cgroups.freeze_names(cgroup_id),
                Awaited::Names(_) | Awaited::Hash(_) => {}
            }
        }
    }

    /// Asks for the hash of what an exec executed; true when there is an answer to wait for.
    fn request_hash(&mut self, record: &Record<'_>) -> bool {
        if record.event != SCHED_PROCESS_EXEC || self.hashes.is_none() {
            return false;
        }
        let who = self.who(record.context);
        let asked = self.hashes.as_mut().and_then(|hashes| hashes.request(record, who));
        if let Some(file) = asked {
            self.waiting.wait_for_hash(file);
        }
        asked.is_some()
    }

    /// Takes the hashes that came.
    fn receive_hashes(&mut self) {
        while let Some(file) = self.hashes.as_mut().and_then(Hashes::receive) {
            self.waiting.answered(Awaited::Hash(file));
        }
    }

    /// Takes what waited, as long as no answer is missing and the queue to the disk has room.
    pub(super) fn release_held(&mut self) {
        while !self.waiting.is_empty() && !self.waiting.is_waiting() {
            if let Some(context) = self.waiting.next_record().map(OwnedRecord::context) {
                if self.needs_names && self.must_wait(context) {
                    return;
                }
                // With too much waiting, a full queue is a loss as it is for any other record.
                if !self.has_room() && !self.waiting.is_full() && !self.is_stuck() && self.waits_for_room {
                    return;
                }
            }
            match self.waiting.pop() {
                Some(Pending::Begin { processes, start_ns }) => self.take_state(&processes, start_ns),
                Some(Pending::Context(id, context)) => {
                    self.contexts.announce(id, *context);
                    self.note_for_shares(id);
                }
                Some(Pending::Forget(id)) => self.contexts.forget(id),
                Some(Pending::Record(record)) => record.view(|record| self.take(record)),
                Some(Pending::Happened(at)) => self.record_container_event(at),
                None => return,
            }
        }
    }
}
