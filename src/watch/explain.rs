//! `--explain`: which filters are judged in the kernel, and which are not.

use scopes::{Judged, Plan, ScopeSet};

/// A line for each scope and each of its filters. With `everything`, all of it is recorded whatever the filters are.
pub fn lines(set: &ScopeSet, plan: &Plan, everything: Option<&str>) -> Vec<String> {
    let lowered = plan.lower();
    let mut lines = Vec::new();
    for scope in set.scopes() {
        lines.push(format!("scope {}:", scope.title()));
        let mut told: Vec<(String, Judged)> = Vec::new();
        for filter in &scope.filters {
            let judged = match everything {
                Some(_) => Judged::After(""),
                None => lowered.judges(filter),
            };
            told.push((filter.without_scope().to_owned(), judged));
        }
        let width = told.iter().map(|(text, _)| text.chars().count()).max().unwrap_or(0).min(40);
        for (text, judged) in told {
            let place = match (judged, everything) {
                (_, Some(why)) => format!("here: {why}"),
                (Judged::InKernel, _) => "in the kernel".to_owned(),
                (Judged::InPart(why), _) => format!("in the kernel in part: {why}"),
                (Judged::After(why), _) => format!("here: {why}"),
            };
            lines.push(format!("  {text:<width$}  {place}"));
        }
        if everything.is_none() {
            let bit = 1 << (scope.number - 1);
            let events = lowered.events.iter().filter(|(_, mask)| mask & bit != 0).count();
            lines.push(format!("  {events} kinds of events are looked at in the kernel, and no others"));
        }
    }
    lines
}
