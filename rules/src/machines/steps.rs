//! Events one after the other, and in any order.

use std::collections::HashMap;

use super::kept::Kept;
use super::{Group, MAX_KEYS, Machines, Pending, State, group, named};
use crate::compile::Program;
use crate::finding::{Finding, Seen as SeenEvent};
use crate::form::{Field, Missing, Sequence};
use crate::judge::Row;

impl Machines<'_> {
    /// One pending sequence at most waits in each step for each group; a newer one takes its place.
    pub fn step(&mut self, sequence: &Sequence, program: &Program, row: &Row<'_, '_>) -> Option<Finding> {
        let now = row.key_ns;
        let plan = Positions::of(sequence);
        let steps = plan.steps.as_slice();
        let state = self.states.get_mut(program.rule)?;
        state.pending.resize_with(steps.len(), HashMap::new);
        if program.step >= sequence.steps.len() {
            let group = group(row, program, &sequence.until_by);
            state.pending.iter_mut().for_each(|pending| drop(pending.remove(&group)));
            state.ending.remove(&group);
            return None;
        }
        let step = sequence.steps.get(program.step)?;
        let by = &step.by;
        let group = group(row, program, by);
        // What is missing joins nothing.
        if group.contains(&None) {
            return None;
        }
        let has_room = |len: usize| len < MAX_KEYS;
        if step.missing == Missing::Yes {
            // It was not to be here: what waits for what comes behind it is over.
            match plan.before(program.step) {
                0 if has_room(state.barred.len()) || state.barred.contains_key(&group) => {
                    state.barred.insert(group, now);
                }
                0 => self.forgotten += 1,
                before if before == steps.len() => drop(state.ending.remove(&group)),
                before => drop(state.pending.get_mut(before - 1)?.remove(&group)),
            }
            return None;
        }
        if sequence.is_sample {
            return sample(state, steps.len(), program, row, group, by);
        }
        let is_late = |start: u64| sequence.span_ns.is_some_and(|span| now.saturating_sub(start) > span);
        // The last step first, so that one event does not go two steps.
        for at in (0..steps.len()).rev().filter(|at| steps.get(*at) == Some(&program.step)) {
            let mut events = vec![row.seen(program)];
            let mut kept = Kept::default();
            let start = match at.checked_sub(1) {
                // What was not to be before it was there.
                None if state.barred.get(&group).is_some_and(|seen| !is_late(*seen)) => continue,
                None => now,
                Some(before) => {
                    let waits = state.pending.get_mut(before)?;
                    // What does not fit the events before it is not this step's event.
                    if !waits.get(&group).is_some_and(|it| it.kept.joins(step, program, row)) {
                        continue;
                    }
                    let Some(waiting) = waits.remove(&group) else { continue };
                    if is_late(waiting.start) {
                        continue;
                    }
                    events.splice(0..0, waiting.events);
                    kept = waiting.kept;
                    waiting.start
                }
            };
            if at + 1 == steps.len() {
                let mut finding = row.finding(program.rule, events);
                finding.group = named(by.iter().map(ToString::to_string), &group);
                if !plan.ends_missing {
                    return Some(finding);
                }
                // Whether what must not follow does is known when its time is over.
                let until = start.saturating_add(sequence.span_ns.unwrap_or_default());
                if has_room(state.ending.len()) || state.ending.contains_key(&group) {
                    state.ending.insert(group, (until, finding));
                    self.next_end = self.next_end.min(until);
                } else {
                    self.forgotten += 1;
                }
                return None;
            }
            let pending = state.pending.get_mut(at)?;
            if pending.len() >= MAX_KEYS && !pending.contains_key(&group) {
                pending.retain(|_, waiting| !is_late(waiting.start));
                if pending.len() >= MAX_KEYS {
                    self.forgotten += 1;
                    return None;
                }
            }
            if !kept.keep(sequence, program, row) {
                self.forgotten += 1;
                return None;
            }
            pending.insert(group.clone(), Pending { start, events, kept });
            // An event that goes on with a sequence does not begin another.
            return None;
        }
        None
    }
}

/// Where the steps of a sequence stand: `with runs` stands for so many, those that must not come for none.
struct Positions {
    steps: Vec<usize>,
    /// The last step must not come.
    ends_missing: bool,
}

impl Positions {
    fn of(sequence: &Sequence) -> Positions {
        let mut steps = Vec::new();
        for (number, step) in sequence.steps.iter().enumerate().filter(|(_, it)| it.missing == Missing::No) {
            steps.extend(std::iter::repeat_n(number, step.runs.max(1) as usize));
        }
        let ends_missing = sequence.steps.last().is_some_and(|step| step.missing == Missing::Yes);
        Positions { steps, ends_missing }
    }

    /// How many stand before a step.
    fn before(&self, step: usize) -> usize {
        self.steps.iter().filter(|number| **number < step).count()
    }
}

/// Events in any order: whole when each was there.
fn sample(
    state: &mut State,
    steps: usize,
    program: &Program,
    row: &Row<'_, '_>,
    group: Group,
    by: &[Field],
) -> Option<Finding> {
    let pending = Pending { start: row.key_ns, events: vec![row.seen(program)], kept: Kept::default() };
    state.pending.get_mut(program.step)?.insert(group.clone(), pending);
    if !state.pending.iter().all(|step| step.contains_key(&group)) || state.pending.len() != steps {
        return None;
    }
    let parts = state.pending.iter_mut().filter_map(|step| step.remove(&group));
    let mut events: Vec<SeenEvent> = parts.flat_map(|part| part.events).collect();
    events.sort_by_key(|seen| seen.wall_ns);
    let mut finding = row.finding(program.rule, events);
    finding.group = named(by.iter().map(ToString::to_string), &group);
    Some(finding)
}
