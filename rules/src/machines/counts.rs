//! How many findings of other rules there are within a span, and which of several rules.

use std::collections::{HashSet, VecDeque};

use super::{Group, MAX_EVENTS, MAX_KEYS, Machines, NAMED_EVENTS, Part, Told, named};
use crate::compile::Program;
use crate::finding::{Finding, Seen as SeenEvent};
use crate::form::{Count, Field, Measure, Order, Together};
use crate::judge::Row;
use crate::rule::Rule;

impl Machines<'_> {
    pub fn count(
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

    pub fn together(
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
