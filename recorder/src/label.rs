//! Which scopes an event matched: the recorded mask.
//!
//! The answer of a context is kept with the context until a fact about containers changes (what a process has of its
//! ancestors never does); a row then costs the words of its event, and a look at its arguments only where a scope asks
//! for them.

use events::{Context, EventId, Marks, catalogue::process, context::Entity};
use format::Process;
use scopes::{Lineage, LineageBits, Plan, Recording, Subject, plan::RowFacts};

use crate::{
    containers::cgroup_table::CgroupTable,
    contexts::OwnedContext,
    host::process_table::{Fork, ends_process},
    kernel::Record,
};

/// An answer and the version of the facts that it was given with.
pub type Remembered = Option<(u64, u64)>;

/// A plan with the state that it needs, asked event by event in time order.
#[derive(Debug)]
pub struct Judge {
    plan: Plan,
    recording: Recording,
    /// The name of the host.
    host: String,
    needs: scopes::plan::Needs,
    /// Boot to wall clock.
    wall_offset_ns: i64,
    /// Kept only when a scope asks for ancestors.
    lineage: Option<Lineage>,
}

impl Judge {
    pub fn new(plan: Plan, recording: Recording, wall_offset_ns: i64) -> Judge {
        let needs = plan.needs();
        let lineage = needs.lineage.then(|| Lineage::new(&plan));
        Judge { plan, recording, host: String::new(), needs, wall_offset_ns, lineage }
    }

    /// The same on a host of this name.
    pub fn on(self, host: String) -> Judge {
        Judge { host, ..self }
    }

    /// The processes that are there when the recording begins.
    pub fn snapshot(&mut self, processes: &[Process], cgroups: &CgroupTable) {
        let Some(lineage) = &mut self.lineage else { return };
        let contexts: Vec<Context<'_>> = processes.iter().map(Process::context).collect();
        let facts: Vec<_> = contexts.iter().map(|context| cgroups.facts(context.cgroup_id)).collect();
        let subjects: Vec<Subject<'_>> = contexts
            .iter()
            .zip(&facts)
            .map(|(context, facts)| Subject {
                context,
                container: facts.as_ref(),
                lineage: LineageBits::default(),
                recording: self.recording,
                host: &self.host,
                time_ns: self.recording.start_ns,
            })
            .collect();
        lineage.snapshot(&self.plan, &subjects);
    }

    /// Keeps what a fork or exit changes. To be told after [`Judge::mask`] was asked about the record itself.
    pub fn follow(&mut self, record: &Record<'_>, context: &OwnedContext, cgroups: &CgroupTable) {
        let Some(lineage) = &mut self.lineage else { return };
        let context = &context.view();
        match record.event {
            process::SCHED_PROCESS_FORK => {
                let Some(child) = Fork::read(record) else { return };
                let facts = cgroups.facts(context.cgroup_id);
                let parent = Subject {
                    context,
                    container: facts.as_ref(),
                    lineage: LineageBits::default(),
                    recording: self.recording,
                    host: &self.host,
                    time_ns: record.time_ns,
                };
                lineage.fork(&self.plan, &parent, Entity { pid: child.pid, start_ns: child.start_ns });
            }
            process::SCHED_PROCESS_EXIT if ends_process(record, context) => {
                lineage.exit(context.process(), record.time_ns);
                lineage.forget(record.time_ns);
            }
            _ => {}
        }
    }

    /// Whether some scope asks for what only a container's runtime tells.
    pub fn needs_names(&self) -> bool {
        self.needs.container_names
    }

    /// What each process that is known has of its ancestors: id, start, bits.
    pub fn lineage(&self) -> impl Iterator<Item = (u32, u64, LineageBits)> {
        self.lineage.iter().flat_map(Lineage::processes)
    }

    /// The scopes that tasks of each known cgroup may pass, now or once more is known of it.
    pub fn cgroup_words(&self, cgroups: &CgroupTable) -> impl Iterator<Item = (u64, u64)> {
        cgroups.ids().map(|id| (id, self.plan.container_may(cgroups.facts(id).as_ref(), self.recording)))
    }

    /// Whether some scope asks for something that is derived from this event.
    pub fn derives_from(&self, event: EventId) -> bool {
        self.plan.needed(event) != 0
    }

    /// The scopes that this record matches.
    pub fn mask(
        &self,
        record: &Record<'_>,
        context: &OwnedContext,
        cgroups: &CgroupTable,
        remembered: &mut Remembered,
    ) -> u64 {
        let event = record.event;
        let plan = &self.plan;
        let mut mask = plan.event_mask(event);
        if mask == 0 {
            return 0;
        }
        mask &= match *remembered {
            Some((mask, version)) if version == cgroups.version() || !self.needs.containers => mask,
            _ => {
                let mask = self
                    .evaluate(record.time_ns, &context.view(), cgroups, |subject| plan.context_mask(subject));
                *remembered = Some((mask, cgroups.version()));
                mask
            }
        };
        if mask & plan.has_event_context(event) != 0 {
            mask &= self.evaluate(record.time_ns, &context.view(), cgroups, |subject| {
                plan.event_context_mask(event, subject)
            });
        }
        if mask & plan.has_ret(event) != 0 {
            mask &= match record.marks.has(Marks::UNFINISHED) {
                true => plan.no_ret_mask(event),
                false => plan.ret_mask(event, record.ret),
            };
        }
        if mask & plan.has_row(event) != 0 {
            let wall_ns = record.time_ns.wrapping_add_signed(self.wall_offset_ns);
            mask &= plan.row_mask(
                event,
                RowFacts { wall_ns, cpu: record.cpu, marks: record.marks, duration_ns: record.duration_ns },
            );
        }
        if mask & plan.has_args(event) != 0 {
            mask = self.arguments(mask, event, record);
        }
        if mask & plan.has_things(event) != 0 {
            let value = |position: usize| record.args.get(position).copied().unwrap_or(events::Raw::Missing);
            mask &= plan.things_mask(event, &value);
        }
        mask
    }

    fn arguments(&self, mut mask: u64, event: EventId, record: &Record<'_>) -> u64 {
        for &position in self.plan.arg_positions(event) {
            let value = record.args.get(position).copied().unwrap_or(events::Raw::Missing);
            mask &= self.plan.arg_mask(event, position, value);
            if mask == 0 {
                break;
            }
        }
        mask
    }

    /// Asks with everything that is known around a context.
    fn evaluate(
        &self,
        time_ns: u64,
        context: &Context<'_>,
        cgroups: &CgroupTable,
        question: impl FnOnce(&Subject<'_>) -> u64,
    ) -> u64 {
        let facts = if self.needs.containers { cgroups.facts(context.cgroup_id) } else { None };
        question(&Subject {
            context,
            container: facts.as_ref(),
            lineage: self.lineage.as_ref().map(|lineage| lineage.bits(context)).unwrap_or_default(),
            recording: self.recording,
            host: &self.host,
            time_ns,
        })
    }
}
