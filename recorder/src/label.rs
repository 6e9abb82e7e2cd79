//! Which scopes an event matched: the recorded mask.
//!
//! The answer of a context is kept with the context until a fact about containers changes; a row then costs the words of
//! its event, and a look at its arguments only where a scope asks for them.

use events::{Context, EventId};
use scopes::{LineageBits, Plan, Recording, Subject, plan::RowFacts};

use crate::{cgroup_table::CgroupTable, kernel::Record};

/// An answer and the version of the facts that it was given with.
pub type Remembered = Option<(u64, u64)>;

/// A plan with the state that it needs, asked event by event in time order.
#[derive(Debug)]
pub struct Judge {
    plan: Plan,
    recording: Recording,
    needs: scopes::plan::Needs,
    /// Boot to wall clock.
    wall_offset_ns: i64,
}

impl Judge {
    pub fn new(plan: Plan, recording: Recording, wall_offset_ns: i64) -> Judge {
        let needs = plan.needs();
        Judge { plan, recording, needs, wall_offset_ns }
    }

    pub fn needs_containers(&self) -> bool {
        self.needs.containers
    }

    /// The scopes that this record matches.
    pub fn mask(
        &self,
        record: &Record<'_>,
        context: &Context<'_>,
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
                let mask = self.ask(record.time_ns, context, cgroups, |subject| plan.context_mask(subject));
                *remembered = Some((mask, cgroups.version()));
                mask
            }
        };
        if mask & plan.has_event_context(event) != 0 {
            mask &=
                self.ask(record.time_ns, context, cgroups, |subject| plan.event_context_mask(event, subject));
        }
        if mask & plan.has_ret(event) != 0 {
            mask &= plan.ret_mask(event, record.ret);
        }
        if mask & plan.has_row(event) != 0 {
            let wall_ns = record.time_ns.wrapping_add_signed(self.wall_offset_ns);
            mask &= plan.row_mask(event, RowFacts { wall_ns, cpu: record.cpu });
        }
        if mask & plan.has_args(event) != 0 {
            mask = self.arguments(mask, event, record);
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
    fn ask(
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
            lineage: LineageBits::default(),
            recording: self.recording,
            time_ns,
        })
    }
}
