//! Scopes that can never match, whatever is recorded.

use std::collections::BTreeMap;

use crate::diagnostic::{Diagnostic, Severity};
use crate::filter::{Filter, Namespace, Target, Value};
use crate::key::{Class, Field};
use crate::pattern::Pattern;
use crate::predicate::Asked;
use crate::predicate::context::FlagKey;
use crate::predicate::number::Numbers;
use crate::predicate::text::TextKey;
use crate::selection::Selection;
use crate::set::{Scope, ScopeSet};
use crate::syntax::Op;
use crate::values;

/// The filters of a scope that leave nothing together; warnings where they leave nothing of one event among several.
pub(crate) fn find(scope: &Scope, set: &ScopeSet) -> Vec<Diagnostic> {
    let mut by_target: BTreeMap<&Target, Vec<&Filter>> = BTreeMap::new();
    for filter in &scope.filters {
        by_target.entry(&filter.target).or_default().push(filter);
    }
    // What is about one event leaves the scope its others, but it is as much of a mistake.
    let named = |target: &Target| match target.declaration() {
        Some(event) => format!("{} in {}", event.name, scope_named(scope)),
        None => scope_named(scope),
    };
    let (broken, whole): (Vec<_>, Vec<_>) =
        by_target.iter().partition(|(target, filters)| leaves_nothing(target, filters));
    let mut found: Vec<Diagnostic> =
        broken.into_iter().map(|(target, filters)| message(&named(target), filters)).collect();
    let selection = Selection::of(scope, set);
    // An event's own filters come on top of the scope's; what follows its parents passes those whatever it is.
    let follows = by_target.contains_key(&Target::Follow);
    let of_scope = || whole.iter().filter(|(target, _)| target.event().is_none() && !follows);
    for (at, (target, filters)) in
        whole.iter().enumerate().filter(|(_, (target, _))| target.event().is_some())
    {
        let event = target.event();
        let earlier = whole.iter().take(at).filter(|(other, _)| other.event() == event);
        let meets =
            |(other, others): &&(&&Target, &Vec<&Filter>)| excludes((other, others), (target, filters));
        if let Some((_, others)) = of_scope().chain(earlier).find(meets) {
            let both: Vec<&Filter> = others.iter().chain(filters.iter()).copied().collect();
            let said = message(&named(target), &both);
            // The scope may be about other events, as policies are: then it can still match.
            let is_all = event.is_some_and(|event| selection.is_within(event));
            found.push(Diagnostic {
                severity: if is_all { Severity::Error } else { Severity::Warning },
                ..said
            });
        }
    }
    // Events that name no file are none that name this one.
    for (target, filters) in &by_target {
        let Target::Thing(thing) = target else { continue };
        let wants = filters.iter().any(|filter| filter.is_positive());
        if wants
            && !set.events().any(|event| selection.has_stored(event.id) && !thing.places(event).is_empty())
        {
            let events = scope.filters.iter().filter(|filter| filter.target == Target::Events);
            let both: Vec<&Filter> = events.chain(filters.iter().copied()).collect();
            found.push(message(&scope_named(scope), &both));
        }
    }
    // What a property of a policy chooses may be nothing in this version: that was said as a warning.
    let chooses_nothing = |filter: &Filter| {
        filter.values.iter().any(|value| matches!(value, Value::Events(none) if none.is_empty()))
    };
    if selection.is_empty() && !scope.filters.iter().any(chooses_nothing) {
        let filters: Vec<&Filter> = scope
            .filters
            .iter()
            .filter(|filter| filter.target == Target::Events || filter.target.event().is_some())
            .collect();
        found.push(message(&scope_named(scope), &filters));
    }
    found
}

/// Whether nothing passes both of two keys.
fn excludes((one, ones): (&Target, &[&Filter]), (other, others): (&Target, &[&Filter])) -> bool {
    let places = (place(one, ones), place(other, others));
    if matches!(
        places,
        (Some(Place::Host), Some(Place::Container)) | (Some(Place::Container), Some(Place::Host))
    ) {
        return true;
    }
    let Some(field) = one.field().filter(|field| other.field() == Some(*field)) else { return false };
    let asked = [Asked { bit: 1, filters: ones.to_vec() }, Asked { bit: 2, filters: others.to_vec() }];
    let values = || ones.iter().chain(others).flat_map(|filter| &filter.values);
    // A task has several capabilities.
    if field.class() == Class::Capability {
        return false;
    }
    if values().all(|value| matches!(value, Value::Number(_))) && values().next().is_some() {
        return !some_number_passes(one, &asked, 0b11);
    }
    // Of texts it is known where one of the two names all that it wants.
    let is_text = matches!(field.class(), Class::Text | Class::Directory | Class::Terminal)
        && field != Field::ContainerId;
    is_text
        && [ones, others].into_iter().any(|filters| {
            let wanted: Vec<&Value> =
                filters.iter().filter(|f| f.is_positive()).flat_map(|f| &f.values).collect();
            let exact = |value: &&Value| match value {
                Value::Text(Pattern::Exact(text)) => Some(text.clone()),
                _ => None,
            };
            let texts: Option<Vec<_>> = wanted.iter().map(exact).collect();
            let key = TextKey::new(&asked);
            texts.is_some_and(|texts| {
                !texts.is_empty() && texts.iter().all(|text| key.mask(Some(text)) & 0b11 != 0b11)
            })
        })
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Place {
    Host,
    Container,
}

/// Where all that passes a key is.
fn place(target: &Target, filters: &[&Filter]) -> Option<Place> {
    let has = |op: Op| filters.iter().any(|filter| filter.op == op);
    match target.field()? {
        Field::Container if has(Op::IsNot) => Some(Place::Host),
        Field::Container => {
            let age = |value: &Value| matches!(value, Value::New | Value::Started);
            let asks_age = filters.iter().flat_map(|filter| &filter.values).any(age);
            (has(Op::Is) || has(Op::Equal) || asks_age).then_some(Place::Container)
        }
        field if field.is_of_container() => Some(Place::Container),
        Field::Host => {
            let key = FlagKey::new(&[Asked { bit: 1, filters: filters.to_vec() }]);
            match (key.mask(Some(true)) & 1 != 0, key.mask(Some(false)) & 1 != 0) {
                (true, false) => Some(Place::Host),
                (false, true) => Some(Place::Container),
                _ => None,
            }
        }
        _ => None,
    }
}

fn scope_named(scope: &Scope) -> String {
    format!("scope {}", scope.title())
}

fn message(what: &str, filters: &[&Filter]) -> Diagnostic {
    let texts: Vec<&str> = filters.iter().map(|filter| filter.without_scope()).collect();
    let (flag, text, span) = match filters.last() {
        Some(last) => (last.flag.clone(), last.text.clone(), last.span.clone()),
        None => (String::from("-f"), String::new(), 0..0),
    };
    let together = if texts.len() > 1 { " together" } else { "" };
    let allowed = match filters {
        [one] => values::domain(&one.target).map(|(low, high)| format!("a number from {low} to {high}")),
        _ => Some("filters that leave something; those of another scope do not meet these".to_owned()),
    };
    Diagnostic {
        severity: Severity::Error,
        flag,
        text,
        span,
        message: format!("{what} can never match: nothing passes {}{together}", texts.join(" and ")),
        suggestion: None,
        allowed,
    }
}

fn leaves_nothing(target: &Target, filters: &[&Filter]) -> bool {
    if *target == Target::Events {
        return false;
    }
    let has = |op: Op| filters.iter().any(|filter| filter.op == op);
    if has(Op::Is) && has(Op::IsNot) {
        return true;
    }
    // No container, but a certain one.
    if has(Op::IsNot) && filters.iter().any(|filter| filter.op == Op::Equal) {
        return target.field() == Some(Field::Container);
    }
    if matches!(target, Target::Mark(_) | Target::EventMark(..)) {
        let key = FlagKey::new(&[Asked { bit: 1, filters: filters.to_vec() }]);
        return (key.mask(Some(true)) | key.mask(Some(false))) & 1 == 0;
    }
    let values = || filters.iter().flat_map(|filter| &filter.values);
    if values().next().is_none() {
        return false;
    }
    if values().all(|value| matches!(value, Value::Number(_))) {
        return !some_number_passes(target, &[Asked { bit: 1, filters: filters.to_vec() }], 1);
    }
    if let (Target::EventField(event, Field::Syscall), asked) =
        (target, [Asked { bit: 1, filters: filters.to_vec() }])
    {
        let call = event.is_syscall().then_some(event.name);
        return TextKey::new(&asked).mask(call.map(str::as_bytes)) & 1 == 0;
    }
    if filters.iter().any(|filter| filter.op.is_bound()) {
        return false;
    }
    let (wanted, denied): (Vec<&&Filter>, Vec<&&Filter>) =
        filters.iter().partition(|filter| filter.is_positive());
    let mut wanted = wanted.iter().flat_map(|filter| &filter.values).peekable();
    // Lists may be long on both sides: what is not found soon is taken to leave something.
    let mut left = COMPARISONS;
    wanted.peek().is_some()
        && wanted.all(|wanted| {
            let mut denied = denied.iter().flat_map(|filter| &filter.values).take(left);
            denied.any(|denied| {
                left -= 1;
                covers(denied, wanted)
            })
        })
}

/// Values that are compared with each other to find out whether anything passes.
const COMPARISONS: usize = 100_000;

/// Whether there is a number that passes all of `bits`.
fn some_number_passes(target: &Target, asked: &[Asked<'_>], bits: u64) -> bool {
    let (low, high) = values::domain(target).unwrap_or((i128::MIN, i128::MAX));
    let numbers = Numbers::new(asked);
    let mut starts = numbers.intervals.iter().map(|(start, _)| start.max(low)).filter(|start| *start <= high);
    starts.any(|start| numbers.mask(Some(start)) & bits == bits)
}

/// Whether what `denied` excludes is all that `wanted` names.
fn covers(denied: &Value, wanted: &Value) -> bool {
    match (denied, wanted) {
        (Value::Text(denied), Value::Text(wanted)) => denied.covers(wanted),
        (Value::Path(denied_in, denied), Value::Path(wanted_in, wanted)) => {
            (*denied_in == Namespace::Any || denied_in == wanted_in) && denied.covers(wanted)
        }
        (Value::Number(denied), Value::Pin(wanted, _)) => *denied == i128::from(*wanted),
        (denied, wanted) => denied == wanted,
    }
}
