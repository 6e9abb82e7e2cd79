//! Machines with state: counts, sequences and combinations, fed in order of time with the rows that rules take.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet, VecDeque};

use crate::compile::Program;
use crate::finding::{Finding, Seen as SeenEvent};
use crate::form::{Body, Count, Field, Measure, Missing, Order, Sequence, Together};
use crate::judge::Row;
use crate::rule::Rule;

/// Groups that one rule keeps.
const MAX_KEYS: usize = 1 << 16;
/// Events that one group of a count keeps.
const MAX_EVENTS: usize = 1 << 16;
/// Events of a count that a finding names.
const NAMED_EVENTS: usize = 16;

/// Combinations of values that were seen, by rule: what rules that tell what is new know.
pub type Seen = BTreeMap<String, BTreeSet<Vec<Vec<u8>>>>;

/// Values of a group; `None` where one is missing.
type Group = Vec<Option<Vec<u8>>>;

/// What a count keeps of an event: its time, the values that are counted, and what it was.
type Told = (u64, Group, Vec<SeenEvent>);

#[derive(Debug)]
pub struct Machines<'c> {
    rules: &'c [Rule],
    /// By number of rule: those that build on it.
    listeners: Vec<Vec<usize>>,
    states: Vec<State>,
    /// None of those that wait for what must not follow is over before this time.
    next_end: u64,
    /// What is new before this time is learned and not told.
    learn_until: Option<u64>,
    forgotten: u64,
}

/// What a rule keeps.
#[derive(Debug, Default)]
struct State {
    counts: HashMap<Group, Counted>,
    together: HashMap<Group, Vec<Option<Part>>>,
    /// By step, those that wait for the next one.
    pending: Vec<HashMap<Group, Pending>>,
    /// When what must not come before the first step came last.
    barred: HashMap<Group, u64>,
    /// Whole but for what must not follow until this time.
    ending: HashMap<Group, (u64, Finding)>,
    seen: BTreeSet<Vec<Vec<u8>>>,
}

#[derive(Debug, Default)]
struct Counted {
    events: VecDeque<Told>,
    /// The bounds held after the last event: a finding is told once.
    holds: bool,
}

#[derive(Clone, Debug)]
struct Part {
    time: u64,
    /// Of an ordered one: when its first part was.
    start: u64,
    events: Vec<SeenEvent>,
}

#[derive(Clone, Debug)]
struct Pending {
    start: u64,
    events: Vec<SeenEvent>,
}

impl<'c> Machines<'c> {
    pub fn new(rules: &'c [Rule]) -> Machines<'c> {
        let mut listeners = vec![Vec::new(); rules.len()];
        for (number, rule) in rules.iter().enumerate() {
            let of = rule.body.builds_on();
            for (base, _) in rules.iter().enumerate().filter(|(_, rule)| of.contains(&rule.id.as_str())) {
                if let Some(listeners) = listeners.get_mut(base) {
                    listeners.push(number);
                }
            }
        }
        let states = rules.iter().map(|_| State::default()).collect();
        Machines { rules, listeners, states, next_end: u64::MAX, learn_until: None, forgotten: 0 }
    }

    /// What is new before a time is learned and not told.
    pub fn learn_until(&mut self, key_ns: u64) {
        self.learn_until = Some(key_ns);
    }

    /// What was seen before is not new.
    pub fn know(&mut self, seen: &Seen) {
        for (rule, state) in self.rules.iter().zip(&mut self.states) {
            if let (Body::First { .. }, Some(known)) = (&rule.body, seen.get(&rule.id)) {
                state.seen.extend(known.iter().take(MAX_KEYS).cloned());
            }
        }
    }

    /// What was seen of rules that tell what is new.
    pub fn seen(&self) -> Seen {
        let known = self.rules.iter().zip(&self.states).filter(|(_, state)| !state.seen.is_empty());
        known.map(|(rule, state)| (rule.id.clone(), state.seen.clone())).collect()
    }

    /// Groups and events that were forgotten for want of room.
    pub fn forgotten(&self) -> u64 {
        self.forgotten
    }

    /// A program took a row.
    pub fn hit(&mut self, program: &Program, row: &Row<'_, '_>, found: &mut dyn FnMut(Finding)) {
        let rules = self.rules;
        let Some(rule) = rules.get(program.rule) else { return };
        match &rule.body {
            Body::Event(_) => {
                let mut finding = row.finding(program.rule, vec![row.seen(program)]);
                finding.output = row.output(rule, program);
                self.fired(finding, program, row, 0, found);
            }
            Body::First { fields, .. } => {
                let group = group(row, program, fields);
                let Some(state) = self.states.get_mut(program.rule) else { return };
                let Some(values) = group.iter().cloned().collect::<Option<Vec<_>>>() else { return };
                if state.seen.contains(&values) {
                    return;
                }
                if state.seen.len() >= MAX_KEYS {
                    self.forgotten += 1;
                    return;
                }
                state.seen.insert(values);
                if self.learn_until.is_some_and(|until| row.key_ns < until) {
                    return;
                }
                let mut finding = row.finding(program.rule, vec![row.seen(program)]);
                finding.group = named(fields.iter().map(ToString::to_string), &group);
                self.fired(finding, program, row, 0, found);
            }
            Body::Sequence(sequence) => {
                if let Some(finding) = self.step(sequence, program, row) {
                    self.fired(finding, program, row, 0, found);
                }
            }
            Body::Count(_) | Body::Together(_) => {}
        }
    }

    /// A rule found something: it is told, and goes into the rules that build on it.
    fn fired(
        &mut self,
        finding: Finding,
        program: &Program,
        row: &Row<'_, '_>,
        depth: usize,
        found: &mut dyn FnMut(Finding),
    ) {
        let rules = self.rules;
        let Some(rule) = rules.get(finding.rule) else { return };
        let listeners = self.listeners.get(finding.rule).cloned().unwrap_or_default();
        for listener in listeners.into_iter().filter(|_| depth < 8) {
            let body = rules.get(listener).map(|rule| &rule.body);
            let made = match body {
                Some(Body::Count(count)) => self.count(listener, count, rule, &finding, program, row),
                Some(Body::Together(together)) => {
                    self.together(listener, together, rule, &finding, program, row)
                }
                _ => None,
            };
            if let Some(made) = made {
                self.fired(made, program, row, depth + 1, found);
            }
        }
        if rule.is_told {
            found(finding);
        }
    }

    fn count(
        &mut self,
        number: usize,
        count: &Count,
        base: &Rule,
        of: &Finding,
        program: &Program,
        row: &Row<'_, '_>,
    ) -> Option<Finding> {
        let (names, group) = keys(&count.by, base, program, row);
        let now = row.key_ns;
        let fields: Vec<&Field> = match &count.measure {
            Measure::Events => Vec::new(),
            Measure::Distinct(fields) => fields.iter().collect(),
            Measure::Sum(field) | Measure::Average(field) | Measure::Percentile(field, _) => vec![field],
        };
        let values: Vec<_> = fields.into_iter().map(|field| row.value_of(program, field)).collect();
        let state = self.states.get_mut(number)?;
        if state.counts.len() >= MAX_KEYS && !state.counts.contains_key(&group) {
            // Groups whose span is over are gone anyway.
            let span = count.span_ns;
            state
                .counts
                .retain(|_, it| it.events.back().is_some_and(|(time, ..)| now.saturating_sub(*time) <= span));
            if state.counts.len() >= MAX_KEYS {
                self.forgotten += 1;
                return None;
            }
        }
        let counted = state.counts.entry(group.clone()).or_default();
        while counted.events.front().is_some_and(|(time, ..)| now.saturating_sub(*time) > count.span_ns) {
            counted.events.pop_front();
            counted.holds = false;
        }
        if counted.events.len() >= MAX_EVENTS {
            counted.events.pop_front();
            self.forgotten += 1;
        }
        counted.events.push_back((now, values, of.events.clone()));
        let measured = measure(&count.measure, &counted.events);
        let holds = count.bounds.hold(measured);
        let was = std::mem::replace(&mut counted.holds, holds);
        if !holds || was {
            return None;
        }
        let events = counted.events.iter().flat_map(|(.., seen)| seen).cloned();
        let mut events: Vec<SeenEvent> = events.collect();
        events.drain(..events.len().saturating_sub(NAMED_EVENTS));
        Some(Finding {
            rule: number,
            events,
            group: named(names, &group),
            count: Some(measured),
            ..of.clone()
        })
    }

    fn together(
        &mut self,
        number: usize,
        together: &Together,
        base: &Rule,
        of: &Finding,
        program: &Program,
        row: &Row<'_, '_>,
    ) -> Option<Finding> {
        let (names, group) = keys(&together.by, base, program, row);
        let at = together.of.iter().position(|id| *id == base.id)?;
        let now = row.key_ns;
        let state = self.states.get_mut(number)?;
        if state.together.len() >= MAX_KEYS && !state.together.contains_key(&group) {
            let span = together.span_ns;
            let is_over =
                |part: &Option<Part>| part.as_ref().is_none_or(|part| now.saturating_sub(part.time) > span);
            state.together.retain(|_, parts| !parts.iter().all(is_over));
            if state.together.len() >= MAX_KEYS {
                self.forgotten += 1;
                return None;
            }
        }
        let parts = state.together.entry(group.clone()).or_insert_with(|| vec![None; together.of.len()]);
        for part in parts.iter_mut() {
            if part.as_ref().is_some_and(|part| now.saturating_sub(part.start) > together.span_ns) {
                *part = None;
            }
        }
        let events = match together.order {
            Order::Any => {
                *parts.get_mut(at)? = Some(Part { time: now, start: now, events: of.events.clone() });
                let present = parts.iter().flatten().count();
                let is_whole = if together.bounds.0.is_empty() {
                    present == parts.len()
                } else {
                    together.bounds.hold(present as f64)
                };
                if !is_whole {
                    return None;
                }
                parts.iter_mut().filter_map(Option::take).flat_map(|part| part.events).collect::<Vec<_>>()
            }
            Order::AsWritten => {
                let before = match at.checked_sub(1) {
                    None => Part { time: now, start: now, events: Vec::new() },
                    Some(before) => parts.get(before).cloned().flatten()?,
                };
                let events = [before.events, of.events.clone()].concat();
                if at + 1 < parts.len() {
                    *parts.get_mut(at)? = Some(Part { time: now, start: before.start, events });
                    return None;
                }
                parts.iter_mut().for_each(|part| *part = None);
                events
            }
        };
        let mut events = events;
        events.sort_by_key(|seen| seen.wall_ns);
        Some(Finding { rule: number, events, group: named(names, &group), count: None, ..of.clone() })
    }

    /// One pending sequence at most waits in each step for each group; a newer one takes its place.
    fn step(&mut self, sequence: &Sequence, program: &Program, row: &Row<'_, '_>) -> Option<Finding> {
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
            let start = match at.checked_sub(1) {
                // What was not to be before it was there.
                None if state.barred.get(&group).is_some_and(|seen| !is_late(*seen)) => continue,
                None => now,
                Some(before) => {
                    let Some(waiting) = state.pending.get_mut(before).and_then(|it| it.remove(&group)) else {
                        continue;
                    };
                    if is_late(waiting.start) {
                        continue;
                    }
                    events.splice(0..0, waiting.events);
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
            pending.insert(group.clone(), Pending { start, events });
            // An event that goes on with a sequence does not begin another.
            return None;
        }
        None
    }

    /// Whether something is decided by time alone.
    pub fn waits(&self) -> bool {
        self.next_end != u64::MAX
    }

    /// Time has come to this: sequences whose last event was not to come are whole when it did not.
    pub fn advance(&mut self, now: u64, found: &mut dyn FnMut(Finding)) {
        if now <= self.next_end {
            return;
        }
        let mut whole = Vec::new();
        self.next_end = u64::MAX;
        for (number, state) in self.states.iter_mut().enumerate().filter(|(_, it)| !it.ending.is_empty()) {
            state.ending.retain(|_, (until, finding)| {
                let is_over = *until < now;
                if is_over {
                    whole.push((*until, number, finding.clone()));
                } else {
                    self.next_end = self.next_end.min(*until);
                }
                !is_over
            });
        }
        // A map gives them in no order.
        whole.sort_by(|left, right| {
            let key = |it: &(u64, usize, Finding)| (it.0, it.1, it.2.wall_ns, it.2.process.pid);
            key(left).cmp(&key(right))
        });
        for (_, number, finding) in whole {
            if self.rules.get(number).is_some_and(|rule| rule.is_told) {
                found(finding);
            }
        }
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
    let pending = Pending { start: row.key_ns, events: vec![row.seen(program)] };
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

fn group(row: &Row<'_, '_>, program: &Program, fields: &[Field]) -> Group {
    fields.iter().map(|field| row.value_of(program, field)).collect()
}

fn keys(
    keys: &[crate::form::Key],
    base: &Rule,
    program: &Program,
    row: &Row<'_, '_>,
) -> (Vec<String>, Group) {
    let of_base = |key: &crate::form::Key| {
        let own = key.fields.iter().find(|(rule, _)| rule.as_ref() == Some(&base.id));
        let any = || key.fields.iter().find(|(rule, _)| rule.is_none());
        own.or_else(any).and_then(|(_, field)| row.value_of(program, field))
    };
    (keys.iter().map(|key| key.name.clone()).collect(), keys.iter().map(of_base).collect())
}

fn named(names: impl IntoIterator<Item = String>, group: &Group) -> Vec<(String, String)> {
    let text = |value: &Option<Vec<u8>>| {
        value.as_ref().map(|value| String::from_utf8_lossy(value).into_owned()).unwrap_or_default()
    };
    names.into_iter().zip(group.iter().map(text)).collect()
}

fn measure(measure: &Measure, events: &VecDeque<Told>) -> f64 {
    let numbers = || {
        let numbers = events.iter().filter_map(|(_, values, _)| values.first()?.as_ref());
        numbers.filter_map(|value| std::str::from_utf8(value).ok()?.parse::<f64>().ok())
    };
    match measure {
        Measure::Events => events.len() as f64,
        Measure::Distinct(_) => {
            let whole = events.iter().map(|(_, values, _)| values).filter(|values| !values.contains(&None));
            whole.collect::<HashSet<_>>().len() as f64
        }
        Measure::Sum(_) => numbers().sum(),
        Measure::Average(_) => match numbers().count() {
            0 => 0.0,
            count => numbers().sum::<f64>() / count as f64,
        },
        Measure::Percentile(_, percent) => {
            let mut sorted: Vec<f64> = numbers().collect();
            sorted.sort_by(f64::total_cmp);
            let at = (percent / 100.0 * sorted.len().saturating_sub(1) as f64).round() as usize;
            sorted.get(at).copied().unwrap_or_default()
        }
    }
}
