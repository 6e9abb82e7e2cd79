//! Items of files: lists, macros and rules, each over those of its name in files before it.

use std::sync::Arc;

use scopes::nearest;

use crate::diagnostic::{Diagnostic, Kept};
use crate::yaml::{Node, Scalar};

/// A text of a file, which others may have appended to.
#[derive(Clone, Debug)]
pub struct Text {
    pub parts: Vec<(Arc<Kept>, Node)>,
}

#[derive(Clone, Debug)]
pub struct List {
    pub name: String,
    pub items: Vec<String>,
}

#[derive(Clone, Debug)]
pub struct Macro {
    pub name: String,
    pub condition: Text,
}

/// Values for which a rule is silent.
#[derive(Clone, Debug)]
pub struct Exception {
    pub file: Arc<Kept>,
    pub name: String,
    pub fields: Vec<Node>,
    pub comps: Vec<String>,
    pub values: Vec<Node>,
    /// `fields` is one field, and values are not tuples.
    pub is_single: bool,
}

#[derive(Clone, Debug)]
pub struct Rule {
    pub name: String,
    pub file: Arc<Kept>,
    pub node: Node,
    pub condition: Text,
    pub description: String,
    pub output: String,
    pub priority: Option<Node>,
    pub source: String,
    pub tags: Vec<String>,
    pub is_enabled: bool,
    pub exceptions: Vec<Exception>,
    pub skips_unknown: bool,
}

/// All items of all files.
#[derive(Clone, Debug, Default)]
pub struct Items {
    pub lists: Vec<List>,
    pub macros: Vec<Macro>,
    pub rules: Vec<Rule>,
}

const RULE_KEYS: [&str; 17] = [
    "rule",
    "condition",
    "desc",
    "output",
    "priority",
    "source",
    "tags",
    "enabled",
    "exceptions",
    "append",
    "override",
    "warn_evttypes",
    "skip-if-unknown-filter",
    "capture",
    "capture_duration",
    "required_engine_version",
    "tables",
];

impl Items {
    pub fn add(&mut self, file: &Arc<Kept>, document: &Node, errors: &mut Vec<Diagnostic>) {
        for item in document.list().unwrap_or_default() {
            let name = |key: &str| item.get(key).and_then(Node::text).map(|name| name.trim().to_owned());
            if let Some(name) = name("list") {
                self.list(file, item, name, errors);
            } else if let Some(name) = name("macro") {
                self.macro_(file, item, name, errors);
            } else if let Some(name) = name("rule") {
                self.rule(file, item, name, errors);
            } else {
                let known = ["required_engine_version", "required_plugin_versions"];
                if !known.iter().any(|key| item.get(key).is_some()) {
                    let error = item.error(&file.file(), "this is neither a rule, nor a macro, nor a list");
                    errors
                        .push(error.allowing(
                            "rule, macro, list, required_engine_version, required_plugin_versions",
                        ));
                }
            }
        }
    }

    fn list(&mut self, file: &Arc<Kept>, item: &Node, name: String, errors: &mut Vec<Diagnostic>) {
        let items = item.get("items").map(Node::one_or_more).unwrap_or_default();
        let items = items.iter().filter(|it| !it.is_null()).filter_map(Node::text).map(str::to_owned);
        let at = self.lists.iter().position(|list| list.name == name);
        match at.and_then(|at| self.lists.get_mut(at)) {
            Some(known) if is_appended(item, "items") => known.items.extend(items),
            None if is_appended(item, "items") => {
                errors.push(nothing_to_append(file, item, "list", &name));
            }
            // Order counts: names that were put in before keep what was there.
            Some(known) => known.items = items.collect(),
            None => self.lists.push(List { name, items: items.collect() }),
        }
    }

    fn macro_(&mut self, file: &Arc<Kept>, item: &Node, name: String, errors: &mut Vec<Diagnostic>) {
        let Some(condition) = item.get("condition") else {
            errors.push(item.error(&file.file(), "a macro has a condition"));
            return;
        };
        let part = (Arc::clone(file), condition.clone());
        let at = self.macros.iter().position(|known| known.name == name);
        match at.and_then(|at| self.macros.get_mut(at)) {
            Some(known) if is_appended(item, "condition") => known.condition.parts.push(part),
            None if is_appended(item, "condition") => {
                errors.push(nothing_to_append(file, item, "macro", &name));
            }
            Some(known) => known.condition = Text { parts: vec![part] },
            None => self.macros.push(Macro { name, condition: Text { parts: vec![part] } }),
        }
    }

    fn rule(&mut self, file: &Arc<Kept>, item: &Node, name: String, errors: &mut Vec<Diagnostic>) {
        for (key, _) in item.entries().unwrap_or_default() {
            let given = key.text().unwrap_or_default();
            if !RULE_KEYS.contains(&given) {
                let error = key.error(&file.file(), format!("unknown key {given:?}"));
                errors.push(error.suggesting(nearest(given, RULE_KEYS)).allowing(RULE_KEYS.join(", ")));
            }
        }
        let at = self.rules.iter().position(|known| known.name == name);
        let changes = item.get("override").is_some()
            || item.get("append").and_then(Node::scalar) == Some(Scalar::Bool(true));
        let is_enabled = item.get("enabled").map(|it| it.scalar() != Some(Scalar::Bool(false)));
        match at.and_then(|at| self.rules.get_mut(at)) {
            Some(known) if changes => known.change(file, item, errors),
            None if changes => errors.push(nothing_to_append(file, item, "rule", &name)),
            // Only switched on or off.
            Some(known) if item.get("condition").is_none() => match is_enabled {
                Some(is_enabled) => known.is_enabled = is_enabled,
                None => errors.push(item.error(&file.file(), "a rule has a condition")),
            },
            known => {
                let Some(condition) = item.get("condition") else {
                    errors.push(item.error(&file.file(), "a rule has a condition"));
                    return;
                };
                let text =
                    |key: &str| item.get(key).and_then(Node::text).unwrap_or_default().trim().to_owned();
                let rule = Rule {
                    name,
                    file: Arc::clone(file),
                    node: item.clone(),
                    condition: Text { parts: vec![(Arc::clone(file), condition.clone())] },
                    description: text("desc"),
                    output: text("output"),
                    priority: item.get("priority").cloned(),
                    source: text("source"),
                    tags: tags(item),
                    is_enabled: is_enabled.unwrap_or(true),
                    exceptions: exceptions(file, item, errors),
                    skips_unknown: item.get("skip-if-unknown-filter").and_then(Node::scalar)
                        == Some(Scalar::Bool(true)),
                };
                match known {
                    Some(known) => *known = rule,
                    None => self.rules.push(rule),
                }
            }
        }
    }
}

impl Rule {
    fn change(&mut self, file: &Arc<Kept>, item: &Node, errors: &mut Vec<Diagnostic>) {
        let text = |key: &str| item.get(key).and_then(Node::text).map(|text| text.trim().to_owned());
        if let Some(condition) = item.get("condition") {
            let part = (Arc::clone(file), condition.clone());
            if is_appended(item, "condition") {
                self.condition.parts.push(part);
            } else {
                self.condition = Text { parts: vec![part] };
            }
        }
        let put = |key: &str, slot: &mut String| {
            if let Some(text) = text(key) {
                if is_appended(item, key) {
                    slot.push(' ');
                    slot.push_str(&text);
                } else {
                    *slot = text;
                }
            }
        };
        put("output", &mut self.output);
        put("desc", &mut self.description);
        if item.get("tags").is_some() {
            if !is_appended(item, "tags") {
                self.tags.clear();
            }
            self.tags.extend(tags(item));
        }
        if let Some(priority) = item.get("priority") {
            self.priority = Some(priority.clone());
        }
        if let Some(enabled) = item.get("enabled") {
            self.is_enabled = enabled.scalar() != Some(Scalar::Bool(false));
        }
        let more = exceptions(file, item, errors);
        if item.get("exceptions").is_some() && !is_appended(item, "exceptions") {
            self.exceptions.clear();
        }
        for exception in more {
            let known = self.exceptions.iter_mut().find(|known| known.name == exception.name);
            match known {
                Some(known) if exception.fields.is_empty() => known.values.extend(exception.values),
                Some(known) => *known = exception,
                None => self.exceptions.push(exception),
            }
        }
    }
}

fn tags(item: &Node) -> Vec<String> {
    let tags = item.get("tags").map(Node::one_or_more).unwrap_or_default();
    tags.iter().filter_map(Node::text).map(str::to_owned).collect()
}

/// Whether a key of an item is added to what was there.
fn is_appended(item: &Node, key: &str) -> bool {
    if item.get("append").and_then(Node::scalar) == Some(Scalar::Bool(true)) {
        return true;
    }
    item.get("override").and_then(|it| it.get(key)).and_then(Node::text) == Some("append")
}

fn nothing_to_append(file: &Arc<Kept>, item: &Node, kind: &str, name: &str) -> Diagnostic {
    item.error(&file.file(), format!("there is no {kind} {name:?} before this that it could be added to"))
}

fn exceptions(file: &Arc<Kept>, item: &Node, errors: &mut Vec<Diagnostic>) -> Vec<Exception> {
    let mut found = Vec::new();
    for node in item.get("exceptions").and_then(Node::list).unwrap_or_default() {
        let Some(name) = node.get("name").and_then(Node::text) else {
            errors.push(node.error(&file.file(), "an exception has a name"));
            continue;
        };
        let fields = node.get("fields");
        let comps = node.get("comps").map(Node::one_or_more).unwrap_or_default();
        found.push(Exception {
            file: Arc::clone(file),
            name: name.to_owned(),
            fields: fields.map(|it| it.one_or_more().to_vec()).unwrap_or_default(),
            comps: comps.iter().filter_map(Node::text).map(str::to_owned).collect(),
            values: node.get("values").and_then(Node::list).map(<[Node]>::to_vec).unwrap_or_default(),
            is_single: fields.is_some_and(|it| it.list().is_none()),
        });
    }
    found
}
