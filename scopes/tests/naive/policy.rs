//! A scope's filters written as a policy.

use crate::naive::Filter;

/// The policy's text, and the filters that it means: what can stand only once in a policy is left out of both. `None`
/// when they choose no event: then they are no policy.
pub fn of(filters: Vec<Filter>) -> Option<(String, Vec<Filter>)> {
    let (mut scope, mut meant) = (Vec::new(), Vec::new());
    // Each event with the filters of its rule.
    let mut rules: Vec<(String, Vec<String>)> = Vec::new();
    let mut other_rules: Vec<String> = Vec::new();
    for filter in filters {
        match filter.key.split_once('.') {
            None if ["event", "set"].contains(&filter.key) => {
                let mut values = Vec::new();
                for value in &filter.values {
                    let is_one = filter.key == "event" && !value.contains('*');
                    let known = rules.iter().any(|(event, _)| event == value)
                        || other_rules.iter().any(|rule| rule.trim_start_matches('-') == value);
                    let is_left_out = other_rules.iter().any(|rule| rule.strip_prefix('-') == Some(value));
                    match (filter.op, is_one && known) {
                        ("=", true) if !is_left_out => {}
                        (_, true) => continue,
                        ("=", false) if is_one => rules.push((value.clone(), Vec::new())),
                        ("=", false) => other_rules.push(value.clone()),
                        _ => other_rules.push(format!("-{value}")),
                    }
                    values.push(value.clone());
                }
                if !values.is_empty() {
                    meant.push(Filter { values, ..filter });
                }
            }
            None => {
                scope.push(filter.as_key(filter.spelled));
                meant.push(filter);
            }
            Some((event, key)) => {
                if other_rules.iter().any(|rule| rule.strip_prefix('-') == Some(event)) {
                    continue;
                }
                let own = match key.split_once('.') {
                    Some(("context", field)) => field.to_owned(),
                    _ if key == "retval" => key.to_owned(),
                    _ => format!("data.{key}"),
                };
                let text = filter.as_key(&own);
                match rules.iter_mut().find(|(known, _)| known == event) {
                    Some((_, filters)) => filters.push(text),
                    None => rules.push((event.to_owned(), vec![text])),
                }
                meant.push(filter);
            }
        }
    }
    if rules.is_empty() && other_rules.is_empty() {
        return None;
    }
    if scope.is_empty() {
        scope.push("global".to_owned());
    }
    let rules = rules.into_iter().chain(other_rules.into_iter().map(|event| (event, Vec::new())));
    let rules: Vec<String> =
        rules.map(|(event, filters)| format!("{{\"event\": {event:?}, \"filters\": {filters:?}}}")).collect();
    let rules = rules.join(", ");
    let text =
        format!("{{\"type\": \"policy\", \"name\": \"p\", \"scope\": {scope:?}, \"rules\": [{rules}]}}");
    Some((text, meant))
}
