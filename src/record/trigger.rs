//! What a recording waits for: `--trigger` and its like.

use anyhow::Result;
use scopes::ScopeSet;

use crate::filters::Diagnostics;

/// In front of what names rules.
const RULE: &str = "rule:";

/// An event that matches all filters, or a finding of one of the rules.
#[derive(Debug, Default)]
pub struct Trigger {
    pub events: Option<ScopeSet>,
    /// As `--only` names rules.
    pub rules: Vec<String>,
}

impl Trigger {
    pub fn read(given: &[String]) -> Result<Trigger> {
        let (rules, filters): (Vec<&String>, Vec<&String>) =
            given.iter().partition(|text| text.starts_with(RULE));
        let events = match filters.as_slice() {
            [] => None,
            filters => Some(ScopeSet::parse(filters).map_err(Diagnostics)?),
        };
        let rules = rules.iter().filter_map(|text| text.strip_prefix(RULE)).map(str::to_owned);
        Ok(Trigger { events, rules: rules.collect() })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rules_are_told_from_filters() {
        let given = ["rule:TRC-1", "comm=nc", "rule:high"].map(str::to_owned);
        let trigger = Trigger::read(&given).unwrap();
        assert_eq!(trigger.rules, ["TRC-1", "high"]);
        assert_eq!(trigger.events.unwrap().scopes().count(), 1);
        assert!(Trigger::read(&given[..1]).unwrap().events.is_none());
        assert!(Trigger::read(&["com=nc".to_owned()]).is_err());
    }
}
