//! Machines with state: counts, sequences and combinations, fed in order of time with the rows that rules take.

mod counts;
mod kept;
mod steps;

use std::collections::{BTreeMap, BTreeSet, HashMap, VecDeque};

use crate::compile::Program;
use crate::finding::{Finding, Seen as SeenEvent};
use crate::form::{Body, Field};
use crate::judge::Row;
use crate::rule::Rule;
use kept::Kept;

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
    kept: Kept,
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

fn group(row: &Row<'_, '_>, program: &Program, fields: &[Field]) -> Group {
    fields.iter().map(|field| row.value_of(program, field)).collect()
}

fn named(names: impl IntoIterator<Item = String>, group: &Group) -> Vec<(String, String)> {
    let text = |value: &Option<Vec<u8>>| {
        value.as_ref().map(|value| String::from_utf8_lossy(value).into_owned()).unwrap_or_default()
    };
    names.into_iter().zip(group.iter().map(text)).collect()
}
