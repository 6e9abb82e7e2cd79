//! Rows that several drains fill blocks with at the same time: those of events that change nothing by which others are judged.
//! What they are judged by is as it is after all events up to their time; where something changed meanwhile, as it was then.

use super::{Assembler, Choice, Counts, EventBits, rows::Rows};
use crate::{
    containers::cgroup_table::CgroupTable,
    contexts::{ContextFacts, ContextTable},
    file::lanes::Lanes,
    host::clocks,
    host::standings::Standings,
    kernel::{Record, Share},
    loss::{self, Ledger},
};

/// Contexts of which a share remembers what it found out; then it begins anew.
const REMEMBERED: usize = 1 << 14;

/// What one share has of its own.
#[derive(Debug, Default)]
pub(super) struct RowsOfShare {
    pub rows: Rows,
    /// By the context's id.
    known: Vec<Option<Box<ContextFacts>>>,
    remembered: usize,
    counts: Counts,
    losses: Ledger,
    last_ns: u64,
    triggered: bool,
    handed_over: bool,
}

/// What all shares look at.
#[derive(Clone, Copy, Debug)]
struct Judged<'a> {
    choice: &'a Choice,
    wanted: Option<&'a EventBits>,
    contexts: &'a ContextTable,
    cgroups: &'a CgroupTable,
    standings: &'a Standings,
    lanes: &'a Lanes,
}

/// One of them at work.
#[derive(Debug)]
struct Taker<'a> {
    own: &'a mut RowsOfShare,
    by: Judged<'a>,
}

impl Share for Taker<'_> {
    fn record(&mut self, record: &Record<'_>) {
        self.own.take(record, self.by);
    }
}

impl RowsOfShare {
    fn take(&mut self, record: &Record<'_>, by: Judged<'_>) {
        self.counts.produced += 1;
        self.last_ns = self.last_ns.max(record.time_ns);
        let event = record.event;
        if by.wanted.is_some_and(|wanted| !wanted.has(event)) {
            self.counts.filtered += 1;
            return;
        }
        let known = remember(&mut self.known, &mut self.remembered, record.context, by.contexts);
        known.stand_at(by.standings, record.time_ns);
        let context = &known.context;
        let mask = by.choice.labels.mask(record, context, by.cgroups, &mut known.mask);
        if let Some(trigger) = &by.choice.trigger {
            self.triggered |= trigger.mask(record, context, by.cgroups, &mut known.trigger) != 0;
        }
        if by.choice.only_matched && mask == 0 && !by.choice.labels.derives_from(event) {
            self.counts.filtered += 1;
            return;
        }
        if !self.rows.is_open() {
            // Waiting for the queue once a block is enough.
            let is_hopeless = self.rows.blocked && by.lanes.is_full();
            self.rows.blocked = is_hopeless || !self.rows.hand_over(by.lanes, clocks::now());
            if self.rows.blocked {
                self.losses.add_one(record.time_ns, record.cpu, event, loss::QUEUE_FULL);
                return;
            }
            self.handed_over = true;
            self.rows.open(by.lanes);
        }
        match self.rows.push(record, known, mask, record.marks) {
            Ok(()) => self.counts.rows += 1,
            Err(_) => self.losses.add_one(record.time_ns, record.cpu, event, loss::REFUSED),
        }
    }
}

/// A context with what was found out about it here.
fn remember<'k>(
    known: &'k mut Vec<Option<Box<ContextFacts>>>,
    remembered: &mut usize,
    id: u32,
    contexts: &ContextTable,
) -> &'k mut ContextFacts {
    let all = contexts.find(id);
    // Of what was never announced there is one.
    let at = if all.announcement == 0 { 0 } else { id as usize + 1 };
    if *remembered >= REMEMBERED && known.get(at).is_none_or(Option::is_none) {
        known.clear();
        *remembered = 0;
    }
    if known.len() <= at {
        known.resize_with(at + 1, || None);
    }
    let place = &mut known[at];
    if place.as_ref().is_none_or(|here| here.announcement != all.announcement) {
        *remembered += usize::from(place.is_none());
        let fresh = ContextFacts { local: None, mask: None, trigger: None, standing: 0, ..all.clone() };
        *place = Some(Box::new(fresh));
    }
    place.get_or_insert_with(|| Box::new(all.clone()))
}

impl Assembler {
    /// Lets so many fill blocks at the same time.
    pub fn with_shares(mut self, count: usize) -> Assembler {
        self.shares =
            if count > 1 { (0..count).map(|_| RowsOfShare::default()).collect() } else { Vec::new() };
        self
    }

    /// Notes a context that shares may meet.
    pub(super) fn note_for_shares(&mut self, id: u32) {
        if !self.shares.is_empty() {
            self.unmet.push(id);
        }
    }

    /// Shares cannot look for what nobody has met.
    pub(super) fn meet(&mut self) {
        for id in std::mem::take(&mut self.unmet) {
            let known = self.contexts.find(id);
            self.cgroups.discover(&known.context.view());
            self.standings.meet(&known.context.view());
        }
    }

    pub(super) fn begin_stretch(&mut self) {
        self.is_sharing = true;
        self.standings.begin_past();
    }

    pub(super) fn takers(&mut self) -> Vec<Box<dyn Share + '_>> {
        self.meet();
        let by = Judged {
            choice: &self.choice,
            wanted: self.wanted.as_ref(),
            contexts: &self.contexts,
            cgroups: &self.cgroups,
            standings: &self.standings,
            lanes: &self.lanes,
        };
        let takers = self.shares.iter_mut().map(|own| -> Box<dyn Share + '_> { Box::new(Taker { own, by }) });
        takers.collect()
    }

    /// Takes over what the shares counted. Where a file may end, it ends between two stretches.
    pub(super) fn end_stretch(&mut self) {
        self.standings.end_past();
        self.is_sharing = false;
        for share in &mut self.shares {
            let Counts { produced, rows, filtered, .. } = std::mem::take(&mut share.counts);
            self.counts.produced += produced;
            self.counts.rows += rows;
            self.counts.filtered += filtered;
            self.last_ns = self.last_ns.max(share.last_ns);
            self.triggered |= std::mem::take(&mut share.triggered);
            self.is_stretch_begun |= std::mem::take(&mut share.handed_over);
            share.losses.take_unwritten();
            share.losses.take().iter().for_each(|loss| self.losses.add(loss));
        }
        if self.is_stretch_begun && self.wants_changes {
            // What the file's beginning says of processes is as of the blocks before it.
            self.is_stretch_begun = !self.roll();
        }
    }
}
