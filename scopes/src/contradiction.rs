//! Scopes that can never match, whatever is recorded.

use std::collections::BTreeMap;

use events::catalogue;

use crate::diagnostic::{Diagnostic, Severity};
use crate::filter::{Filter, Namespace, Target, Value};
use crate::predicate::Asked;
use crate::predicate::number::Numbers;
use crate::selection::Selection;
use crate::set::Scope;
use crate::syntax::Op;
use crate::values;

/// The filters of a scope that leave nothing, if there are any.
pub(crate) fn find(scope: &Scope) -> Option<Diagnostic> {
    let mut by_target: BTreeMap<&Target, Vec<&Filter>> = BTreeMap::new();
    for filter in &scope.filters {
        by_target.entry(&filter.target).or_default().push(filter);
    }
    let broken = by_target.into_iter().find(|(target, filters)| leaves_nothing(target, filters));
    if let Some((target, filters)) = broken {
        // What is about one event leaves the scope its others, but it is as much of a mistake.
        let event = target.event().and_then(catalogue::by_id);
        let what = event
            .map_or_else(|| scope_named(scope), |event| format!("{} in {}", event.name, scope_named(scope)));
        return Some(message(&what, &filters));
    }
    // What a property of a policy chooses may be nothing in this version: that was said as a warning.
    let chooses_nothing = |filter: &Filter| {
        filter.values.iter().any(|value| matches!(value, Value::Events(none) if none.is_empty()))
    };
    if Selection::of(scope).is_empty() && !scope.filters.iter().any(chooses_nothing) {
        let filters: Vec<&Filter> = scope
            .filters
            .iter()
            .filter(|filter| filter.target == Target::Events || filter.target.event().is_some())
            .collect();
        return Some(message(&scope_named(scope), &filters));
    }
    None
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
    Diagnostic {
        severity: Severity::Error,
        flag,
        text,
        span,
        message: format!("{what} can never match: nothing passes {}{together}", texts.join(" and ")),
        suggestion: None,
        allowed: None,
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
        return target.field() == Some(crate::key::Field::Container);
    }
    let values = || filters.iter().flat_map(|filter| &filter.values);
    if values().next().is_none() {
        return false;
    }
    if values().all(|value| matches!(value, Value::Number(_))) {
        let (low, high) = values::domain(target).unwrap_or((i128::MIN, i128::MAX));
        let numbers = Numbers::new(&[Asked { bit: 1, filters: filters.to_vec() }]);
        let starts = numbers.intervals.iter().map(|(start, _)| start.max(low)).filter(|start| *start <= high);
        return !starts.into_iter().any(|start| numbers.mask(Some(start)) & 1 != 0);
    }
    if filters.iter().any(|filter| filter.op.is_bound()) {
        return false;
    }
    let (wanted, denied): (Vec<&&Filter>, Vec<&&Filter>) =
        filters.iter().partition(|filter| filter.is_positive());
    let mut wanted = wanted.iter().flat_map(|filter| &filter.values).peekable();
    wanted.peek().is_some()
        && wanted.all(|wanted| {
            denied.iter().flat_map(|filter| &filter.values).any(|denied| covers(denied, wanted))
        })
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
