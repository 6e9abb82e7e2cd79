//! A finding in one line, for tables of events and for stderr.

use std::io::Write;

use rules::Rule;
use rules::finding::Finding;
use scopes::spelled_out;
use views::Look;
use views::clock::Hand;

use super::text::shortened;

/// Values and ancestors that are told.
const VALUES: usize = 3;
const ANCESTORS: usize = 2;

/// `14:03:07.123456  HIGH  Code is executed from memory  payload 4711 < bash 4000  memfd_create name=x`.
pub fn words(finding: &Finding, rule: &Rule, look: &Look, out: &mut Vec<u8>) {
    Hand::new(&look.clock, look.dates).write(finding.wall_ns, out);
    let level = rule.level.name().to_uppercase();
    // Nothing fails that is written into memory.
    let _ = write!(out, "  {level}  {}", spelled_out(&rule.title));
    let _ = write!(out, "  {} {}", spelled_out(&finding.process.name), finding.process.pid);
    for it in finding.ancestry.iter().take(ANCESTORS) {
        let _ = write!(out, " < {} {}", spelled_out(&it.name), it.pid);
    }
    if finding.ancestry.len() > ANCESTORS {
        let _ = write!(out, " < ...");
    }
    if let Some(container) = &finding.container {
        let shown = if container.name.is_empty() { &container.id } else { &container.name };
        let _ = write!(out, "  in {}", spelled_out(shown));
    }
    if let Some(count) = finding.count {
        let _ = write!(out, "  came to {count}");
    }
    let Some(last) = finding.events.last() else { return };
    let _ = write!(out, "  {}", last.name);
    let mut told: Vec<&str> = Vec::new();
    for value in &last.deciding {
        if told.len() < VALUES && !told.contains(&value.field.as_str()) {
            told.push(&value.field);
            let _ = write!(out, " {}={}", value.field, shortened(&value.value));
        }
    }
}
