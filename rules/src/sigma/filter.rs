//! Filters: what rules of others are not to find here.

use std::sync::Arc;

use super::document::Entry as Document;
use super::source::Source;
use super::{Sigma, detection};
use crate::diagnostic::{Diagnostic, File, Place};
use crate::form::{Body, Expr};
use crate::yaml::Node;

/// A filter, to be read for each source that it goes for: names mean what they mean there.
#[derive(Debug)]
pub struct Entry {
    place: Place,
    text: Arc<str>,
    node: Node,
    source: Source,
    /// By id or name; all when empty.
    rules: Vec<String>,
}

pub fn read(
    file: &File<'_>,
    text: Arc<str>,
    node: &Node,
    source: Source,
    errors: &mut Vec<Diagnostic>,
) -> Option<Entry> {
    let Some(rules) = node.get("rules") else {
        errors.push(
            node.error(file, "a filter says the rules that it goes for: a list of ids or names, or any"),
        );
        return None;
    };
    let mut names: Vec<String> =
        rules.one_or_more().iter().filter_map(Node::text).map(str::to_owned).collect();
    if names.len() == 1 && names.iter().all(|name| name == "any") {
        names.clear();
    }
    // What is wrong with it shows even when no rule is there that it goes for.
    detection::read(file, node, &source, None, errors);
    Some(Entry { place: file.place(node.line, node.column), text, node: node.clone(), source, rules: names })
}

/// Puts filters on the rules that they go for.
pub fn apply(sigma: &mut Sigma) {
    let (filters, mut entries): (Vec<_>, Vec<_>) = std::mem::take(&mut sigma.entries)
        .into_iter()
        .partition(|entry| matches!(entry, Document::Filter(_)));
    for filter in &filters {
        let Document::Filter(filter) = filter else { continue };
        let file = File { name: &filter.place.file, text: &filter.text };
        let mut found = vec![false; filter.rules.len()];
        for entry in &mut entries {
            let Document::Rule(entry) = entry else { continue };
            let named = filter
                .rules
                .iter()
                .position(|name| *name == entry.rule.id || entry.name.as_deref() == Some(name.as_str()));
            if let Some(found) = named.and_then(|at| found.get_mut(at)) {
                *found = true;
            } else if !filter.rules.is_empty() {
                continue;
            }
            if !filter.source.covers(&entry.source) {
                continue;
            }
            // It was read before: what is wrong was told.
            let profile = sigma.profile.as_deref();
            let (unwanted, _) = detection::read(&file, &filter.node, &entry.source, profile, &mut Vec::new());
            let Body::Event(query) = &mut entry.rule.body else { continue };
            for arm in &mut query.arms {
                let of_class = unwanted.arms.iter().filter(|other| other.class == arm.class);
                let unwanted = Expr::any(of_class.map(|other| other.expr.clone()).collect::<Vec<_>>());
                let wanted = std::mem::replace(&mut arm.expr, Expr::Const(false));
                arm.expr = Expr::all([wanted, unwanted.negated()]);
            }
        }
        for (name, _) in filter.rules.iter().zip(found).filter(|(_, found)| !found) {
            let message = format!("this filter goes for {name:?}, which is not among the rules");
            sigma.diagnostics.push(filter.node.error(&file, message).as_warning());
        }
    }
    sigma.entries = entries;
}
