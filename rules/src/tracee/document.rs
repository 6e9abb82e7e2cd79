//! Documents: detectors, and the lists of texts that their conditions name.

use std::sync::Arc;

use scopes::nearest;

use super::cel::{self, Term};
use crate::diagnostic::{Diagnostic, File, Kept};
use crate::form::{Body, Query};
use crate::rule::{Language, Level, Rule};
use crate::yaml::{Node, Scalar};

/// A detector as it was read; what it asks is known when all of them were.
#[derive(Clone, Debug)]
pub struct Detector {
    pub file: Arc<Kept>,
    /// Metadata; the body is still empty.
    pub rule: Rule,
    pub event: Node,
    pub version: Option<Version>,
    pub requirements: Vec<Requirement>,
    pub conditions: Vec<(Node, Term)>,
    pub outputs: Vec<Output>,
}

impl Detector {
    pub fn event(&self) -> &str {
        self.event.text().unwrap_or_default()
    }
}

/// An event that a detector is asked of.
#[derive(Clone, Debug)]
pub struct Requirement {
    pub name: Node,
    pub is_optional: bool,
    pub least: Option<Version>,
    pub most: Option<Version>,
    pub data_filters: Vec<Node>,
    pub scope_filters: Vec<Node>,
}

/// A field of the event that a detector produces.
#[derive(Clone, Debug)]
pub struct Output {
    pub name: String,
    pub node: Node,
    pub term: Term,
    pub is_optional: bool,
}

/// A list of texts.
#[derive(Clone, Debug)]
pub struct List {
    pub name: String,
    pub folder: String,
    pub values: Vec<String>,
}

#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub struct Version(u64, u64, u64);

impl Version {
    fn parse(text: &str) -> Option<Version> {
        let mut numbers = text.trim().trim_start_matches('v').split('.').map(|part| part.parse().ok());
        let version = Version(numbers.next()??, numbers.next()??, numbers.next()??);
        numbers.next().is_none().then_some(version)
    }
}

impl std::fmt::Display for Version {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(out, "{}.{}.{}", self.0, self.1, self.2)
    }
}

const ARCHITECTURES: [&str; 16] = [
    "amd64", "x86_64", "arm64", "aarch64", "386", "arm", "loong64", "mips", "mips64", "mips64le", "mipsle",
    "ppc64", "ppc64le", "riscv64", "s390x", "wasm",
];
const ENRICHMENTS: [&str; 3] = ["environment", "executable-hash", "container"];
const TYPES: [&str; 7] = ["string", "int32", "int64", "uint32", "uint64", "bool", "bytes"];

/// What a document is, without regard to case.
pub fn kind(document: &Node) -> Option<String> {
    document.get("type").and_then(Node::text).map(|kind| kind.trim().to_ascii_lowercase())
}

/// Reads with all errors at once.
pub struct Document<'a> {
    pub file: File<'a>,
    pub errors: &'a mut Vec<Diagnostic>,
}

impl Document<'_> {
    fn error(&mut self, node: &Node, message: impl Into<String>) {
        let error = node.error(&self.file, message);
        self.errors.push(error);
    }

    /// Keys that are not known are left out, as by Tracee, and told.
    fn keys(&mut self, map: &Node, known: &[&str]) {
        for (key, _) in map.entries().unwrap_or_default() {
            let name = key.text().unwrap_or_default();
            if !known.contains(&name) {
                let error = key.error(&self.file, format!("unknown key {name:?} is left out"));
                let error = error.suggesting(nearest(name, known.iter().copied()));
                self.errors.push(error.allowing(known.join(", ")).as_warning());
            }
        }
    }

    fn one_of(&mut self, node: &Node, what: &str, known: &[&str]) -> bool {
        let given = node.text().unwrap_or_default();
        let is_known = known.contains(&given);
        if !is_known {
            let error = node.error(&self.file, format!("unknown {what} {given:?}"));
            let error = error.suggesting(nearest(given, known.iter().copied()));
            self.errors.push(error.allowing(known.join(", ")));
        }
        is_known
    }

    fn required<'n>(&mut self, map: &'n Node, key: &str, what: &str) -> Option<&'n Node> {
        let found = present(map, key).filter(|it| it.text().is_none_or(|text| !text.trim().is_empty()));
        if found.is_none() {
            self.error(map, format!("{what} has `{key}`"));
        }
        found
    }

    pub fn list(&mut self, document: &Node, folder: &str) -> Option<List> {
        self.keys(document, &["type", "name", "values"]);
        let node = self.required(document, "name", "a list")?;
        let name = node.text().unwrap_or_default();
        let fits = |c: char| c.is_ascii_uppercase() || c.is_ascii_digit() || c == '_';
        if !name.starts_with(|c: char| c.is_ascii_uppercase()) || !name.chars().all(fits) {
            self.error(node, format!("{name:?} is no name of a list: it is in capitals, SHELL_BINARIES"));
            return None;
        }
        let values = present(document, "values").map(Node::one_or_more).unwrap_or_default();
        let mut texts = Vec::new();
        for value in values {
            match value.text() {
                Some(text) => texts.push(text.to_owned()),
                None => self.error(value, "a list holds texts"),
            }
        }
        Some(List { name: name.to_owned(), folder: folder.to_owned(), values: texts })
    }

    pub fn detector(&mut self, kept: &Arc<Kept>, document: &Node) -> Option<Detector> {
        let known = [
            "type",
            "id",
            "produced_event",
            "requirements",
            "threat",
            "auto_populate",
            "conditions",
            "output",
        ];
        self.keys(document, &known);
        let id = self.required(document, "id", "a detector").and_then(Node::text).map(str::to_owned);
        let produced = self.required(document, "produced_event", "a detector");
        let requirements = self.required(document, "requirements", "a detector");
        let event =
            produced.and_then(|produced| self.required(produced, "name", "a produced event")).cloned();
        let mut rule = Rule {
            title: event.as_ref().and_then(Node::text).unwrap_or_default().to_owned(),
            id: id.clone().unwrap_or_default(),
            level: Level::Info,
            language: Language::Tracee,
            authors: Vec::new(),
            licence: None,
            description: String::new(),
            tags: Vec::new(),
            place: self.file.place(document.line, document.column),
            output: None,
            body: Body::Event(Query::default()),
            is_told: true,
            notes: Vec::new(),
        };
        let version = produced.and_then(|produced| self.produced(produced, &mut rule));
        if let Some(threat) = present(document, "threat") {
            self.threat(threat, &mut rule);
        }
        if let Some(node) = present(document, "auto_populate") {
            self.keys(node, &["threat", "detected_from", "process_ancestry"]);
            for (key, value) in node.entries().unwrap_or_default() {
                if !matches!(value.scalar(), Some(Scalar::Bool(_))) {
                    let message = format!("{} is true or false", key.text().unwrap_or_default());
                    self.error(value, message);
                }
            }
        }
        let events = requirements.map(|node| self.requirements(node, &mut rule)).unwrap_or_default();
        let conditions = present(document, "conditions").map(Node::one_or_more).unwrap_or_default();
        let conditions =
            conditions.iter().filter_map(|it| Some((it.clone(), self.expression(it)?))).collect();
        let outputs = present(document, "output").map(|it| self.outputs(it, produced)).unwrap_or_default();
        id?;
        let file = Arc::clone(kept);
        Some(Detector { file, rule, event: event?, version, requirements: events, conditions, outputs })
    }

    fn produced(&mut self, node: &Node, rule: &mut Rule) -> Option<Version> {
        self.keys(node, &["name", "version", "description", "tags", "fields"]);
        let text = |key: &str| node.get(key).and_then(Node::text).map(|text| text.trim().to_owned());
        rule.description = text("description").unwrap_or_default();
        rule.tags.extend(text("name"));
        let tags = present(node, "tags").map(Node::one_or_more).unwrap_or_default();
        rule.tags.extend(tags.iter().filter_map(Node::text).map(str::to_owned));
        let mut names: Vec<&str> = Vec::new();
        for field in present(node, "fields").map(Node::one_or_more).unwrap_or_default() {
            self.keys(field, &["name", "type", "description", "optional"]);
            let name = self.required(field, "name", "a field").and_then(Node::text).unwrap_or_default();
            if names.contains(&name) {
                self.error(field, format!("the field {name:?} is there already"));
            }
            names.push(name);
            if let Some(kind) = self.required(field, "type", "a field") {
                self.one_of(kind, "type", &TYPES);
            }
        }
        let version = self.required(node, "version", "a produced event")?;
        self.version(version)
    }

    fn threat(&mut self, node: &Node, rule: &mut Rule) {
        self.keys(node, &["name", "description", "severity", "mitre", "properties"]);
        let text = |path: &[&str]| {
            let found = path.iter().try_fold(node, |node, key| node.get(key));
            found.and_then(Node::text).map(|text| text.trim().to_owned()).filter(|text| !text.is_empty())
        };
        if let Some(title) = text(&["name"]) {
            rule.title = title;
        }
        if let Some(description) = text(&["description"]) {
            rule.description = description;
        }
        if let Some(severity) = self.required(node, "severity", "a threat") {
            let given = severity.text().unwrap_or_default();
            let names = Level::ALL.map(Level::name);
            match Level::parse(given) {
                Some(level) => rule.level = level,
                None => drop(self.one_of(severity, "severity", &names)),
            }
        }
        if let Some(mitre) = present(node, "mitre") {
            self.keys(mitre, &["technique", "tactic"]);
        }
        rule.tags.extend(
            text(&["mitre", "technique", "id"]).map(|id| format!("attack.{}", id.to_ascii_lowercase())),
        );
        let tactic = text(&["mitre", "tactic", "name"]);
        rule.tags.extend(
            tactic.map(|name| format!("attack.{}", name.to_ascii_lowercase().replace([' ', '-'], "_"))),
        );
    }

    fn version(&mut self, node: &Node) -> Option<Version> {
        let given = node.text().unwrap_or_default();
        let version = Version::parse(given);
        if version.is_none() {
            let error = node.error(&self.file, format!("{given:?} is no version"));
            self.errors.push(error.allowing("1.2.3"));
        }
        version
    }

    fn span(&mut self, node: &Node, least: &str, most: &str) -> (Option<Version>, Option<Version>) {
        let mut version = |key: &str| present(node, key).and_then(|it| self.version(it));
        let (least, most) = (version(least), version(most));
        if let (Some(low), Some(high)) = (least, most)
            && low >= high
        {
            self.error(node, format!("no version is {low} or later and before {high}"));
        }
        (least, most)
    }

    fn requirements(&mut self, node: &Node, rule: &mut Rule) -> Vec<Requirement> {
        self.keys(
            node,
            &["events", "enrichments", "architectures", "min_tracee_version", "max_tracee_version"],
        );
        let (least, most) = self.span(node, "min_tracee_version", "max_tracee_version");
        for (word, version) in [("from", least.filter(|it| *it != Version(0, 0, 0))), ("up to", most)] {
            rule.notes.extend(version.map(|it| format!("it is made for versions of Tracee {word} {it}")));
        }
        let architectures = present(node, "architectures").map(Node::one_or_more).unwrap_or_default();
        for it in architectures {
            self.one_of(it, "architecture", &ARCHITECTURES);
        }
        let names: Vec<&str> = architectures.iter().filter_map(Node::text).collect();
        if !names.is_empty() {
            rule.notes
                .push(format!("it is made for {}, and asked of captures of any machine", names.join(", ")));
        }
        let mut known: Vec<&str> = Vec::new();
        for it in present(node, "enrichments").map(Node::one_or_more).unwrap_or_default() {
            self.keys(it, &["name", "dependency", "config"]);
            self.dependency(it);
            let Some(name) = self.required(it, "name", "an enrichment") else { continue };
            let text = name.text().unwrap_or_default();
            if known.contains(&text) {
                self.error(name, format!("the enrichment {text:?} is there already"));
            }
            known.push(text);
            if self.one_of(name, "enrichment", &ENRICHMENTS) && text == "executable-hash" {
                rule.notes.push("it wants hashes of executables, which captures do not hold".into());
            }
        }
        let events = present(node, "events").map(Node::one_or_more).unwrap_or_default();
        if events.is_empty() {
            self.error(node, "a detector asks for one event or more: `events`");
        }
        let mut requirements: Vec<Requirement> = Vec::new();
        for event in events {
            let filters = ["data_filters", "scope_filters"];
            self.keys(
                event,
                &[["name", "dependency", "min_version", "max_version"].as_slice(), &filters].concat(),
            );
            let is_optional = self.dependency(event);
            let (least, most) = self.span(event, "min_version", "max_version");
            let Some(name) = self.required(event, "name", "an event") else { continue };
            if requirements.iter().any(|known| known.name.text() == name.text()) {
                self.error(name, format!("the event {:?} is there already", name.text().unwrap_or_default()));
            }
            let [data_filters, scope_filters] =
                filters.map(|key| present(event, key).map(Node::one_or_more).unwrap_or_default().to_vec());
            let name = name.clone();
            requirements.push(Requirement { name, is_optional, least, most, data_filters, scope_filters });
        }
        requirements
    }

    /// Whether a dependency is optional.
    fn dependency(&mut self, of: &Node) -> bool {
        let Some(node) = present(of, "dependency") else { return false };
        self.one_of(node, "dependency", &["required", "optional"]) && node.text() == Some("optional")
    }

    fn outputs(&mut self, node: &Node, produced: Option<&Node>) -> Vec<Output> {
        self.keys(node, &["fields"]);
        let declared =
            produced.and_then(|it| present(it, "fields")).map(Node::one_or_more).unwrap_or_default();
        let declared: Vec<&str> = declared.iter().filter_map(|it| it.get("name")?.text()).collect();
        let mut outputs: Vec<Output> = Vec::new();
        for field in present(node, "fields").map(Node::one_or_more).unwrap_or_default() {
            self.keys(field, &["name", "expression", "optional"]);
            let name = self.required(field, "name", "a field");
            let expression = self.required(field, "expression", "a field");
            let (Some(name), Some(expression)) = (name, expression) else { continue };
            let text = name.text().unwrap_or_default();
            let is_optional = field.get("optional").and_then(Node::scalar) == Some(Scalar::Bool(true));
            if outputs.iter().any(|known| known.name == text) {
                self.error(name, format!("the field {text:?} is there already"));
            }
            if !is_optional && !declared.is_empty() && !declared.contains(&text) {
                let error =
                    name.error(&self.file, format!("{text:?} is not among the fields of the produced event"));
                self.errors.push(
                    error.suggesting(nearest(text, declared.iter().copied())).allowing(declared.join(", ")),
                );
            }
            let Some(term) = self.expression(expression) else { continue };
            outputs.push(Output { name: text.to_owned(), node: expression.clone(), term, is_optional });
        }
        outputs
    }

    fn expression(&mut self, node: &Node) -> Option<Term> {
        let Some(text) = node.text() else {
            self.error(node, "an expression is a text");
            return None;
        };
        match cel::parse(text) {
            Ok(term) => Some(term),
            Err(wrong) => {
                let error = node.error_at(&self.file, wrong.span, wrong.message);
                self.errors.push(error);
                None
            }
        }
    }
}

/// A key's value, unless it is null.
fn present<'n>(map: &'n Node, key: &str) -> Option<&'n Node> {
    map.get(key).filter(|node| !node.is_null())
}
