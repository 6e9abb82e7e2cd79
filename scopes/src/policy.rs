//! Policy files: YAML or JSON, one scope each.
//!
//! Both forms are read: Kubernetes' (`apiVersion`, `kind`, `metadata`, `spec`) and the older plain one (`type: policy`
//! with everything at the top). A file may hold several documents.

use std::collections::BTreeMap;

use events::{Event, EventId, Set, Source, catalogue, threat};
use serde::Deserialize;
use serde_saphyr::{Location, Spanned};

use crate::check::{self, Site};
use crate::chosen;
use crate::diagnostic::{Diagnostic, Severity, nearest};
use crate::filter::{Filter, Target, Value};
use crate::property;
use crate::set::{Scope, ScopeSet};
use crate::syntax::{self, Op, Piece};
use crate::vocabulary::Vocabulary;

#[derive(Deserialize, Debug)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
struct Document {
    api_version: Option<Spanned<String>>,
    kind: Option<Spanned<String>>,
    metadata: Option<Metadata>,
    spec: Option<Spec>,
    #[serde(rename = "type")]
    form: Option<Spanned<String>>,
    name: Option<Spanned<String>>,
    #[serde(rename = "description")]
    _description: Option<String>,
    scope: Option<Vec<Spanned<String>>>,
    #[serde(default)]
    default_actions: Vec<Spanned<String>>,
    /// Of releases before there could be several.
    default_action: Option<Spanned<String>>,
    rules: Option<Vec<Rule>>,
}

#[derive(Deserialize, Debug)]
#[serde(deny_unknown_fields)]
struct Metadata {
    name: Spanned<String>,
    #[serde(default, rename = "annotations")]
    _annotations: BTreeMap<String, String>,
    #[serde(default, rename = "labels")]
    _labels: BTreeMap<String, String>,
    #[serde(rename = "namespace")]
    _namespace: Option<String>,
}

#[derive(Deserialize, Debug)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
struct Spec {
    scope: Option<Vec<Spanned<String>>>,
    #[serde(default)]
    default_actions: Vec<Spanned<String>>,
    rules: Option<Vec<Rule>>,
}

#[derive(Deserialize, Debug)]
#[serde(deny_unknown_fields)]
struct Rule {
    event: Spanned<String>,
    /// Earlier releases called it `filter`.
    #[serde(default, alias = "filter")]
    filters: Vec<Spanned<String>>,
    #[serde(default)]
    actions: Vec<Spanned<String>>,
    action: Option<Spanned<String>>,
}

/// Adds each policy of a file to `set` as a scope of its own.
pub(crate) fn read(
    file: &str,
    text: &str,
    vocabulary: Vocabulary<'_>,
    set: &mut ScopeSet,
    errors: &mut Vec<Diagnostic>,
) {
    let options = serde_saphyr::options! { with_snippet: false };
    match serde_saphyr::from_multiple_with_options::<Document>(text, options) {
        Ok(documents) if documents.is_empty() => {
            errors.push(Reader::new(file).fail(None, "no policy in this file"))
        }
        Ok(documents) => {
            documents.into_iter().for_each(|document| policy(file, document, vocabulary, set, errors))
        }
        Err(error) => errors.push(malformed(file, error.without_snippet())),
    }
}

fn malformed(file: &str, error: &serde_saphyr::Error) -> Diagnostic {
    let reader = Reader::new(file);
    let location = error.location();
    if let serde_saphyr::Error::SerdeUnknownField { field, expected, .. } = error {
        let unknown = reader.fail(location.as_ref(), format!("unknown field {field:?}"));
        return Diagnostic {
            suggestion: nearest(field, expected.iter().copied()).map(str::to_owned),
            allowed: Some(expected.join(", ")),
            ..unknown
        };
    }
    let message = match error {
        serde_saphyr::Error::SerdeMissingField { field, .. } => format!("the field {field:?} is missing"),
        serde_saphyr::Error::DuplicateMappingKey { key: Some(key), .. } => {
            format!("field {key:?} stands twice")
        }
        serde_saphyr::Error::Unexpected { expected, .. } => {
            let expected = match *expected {
                "mapping start" => "names with values (`name: value`)",
                "sequence start" => "a list (`- value`)",
                "string scalar" => "a text",
                other => other,
            };
            format!("not a policy: expected {expected}")
        }
        // The place is said once.
        other => {
            let message = other.to_string();
            let first = message.lines().next().unwrap_or_default();
            format!("not a policy: {}", first.split(" at line ").next().unwrap_or(first))
        }
    };
    reader.fail(location.as_ref(), message)
}

/// Says where in a file something stands.
struct Reader<'a> {
    file: &'a str,
}

impl<'a> Reader<'a> {
    fn new(file: &'a str) -> Reader<'a> {
        Reader { file }
    }

    fn place(&self, location: Option<&Location>) -> String {
        match location {
            Some(at) if at.line() > 0 => format!("{}:{}:{}", self.file, at.line(), at.column()),
            _ => self.file.to_owned(),
        }
    }

    fn fail(&self, location: Option<&Location>, message: impl Into<String>) -> Diagnostic {
        Diagnostic {
            severity: Severity::Error,
            flag: self.place(location),
            text: String::new(),
            span: 0..0,
            message: message.into(),
            suggestion: None,
            allowed: None,
        }
    }

    fn about(&self, what: &Spanned<String>, message: impl Into<String>, allowed: &str) -> Diagnostic {
        let text = what.value.clone();
        let failed = self.fail(Some(&what.referenced), message);
        Diagnostic { span: 0..text.len(), text, allowed: Some(allowed.to_owned()), ..failed }
    }
}

fn policy(
    file: &str,
    document: Document,
    vocabulary: Vocabulary<'_>,
    set: &mut ScopeSet,
    errors: &mut Vec<Diagnostic>,
) {
    let reader = Reader::new(file);
    let (name, scope, actions, rules) = match parts(&reader, document) {
        Ok(parts) => parts,
        Err(error) => return errors.push(*error),
    };
    if name.value.trim().is_empty() {
        errors.push(reader.fail(Some(&name.referenced), "the policy's name is empty"));
    }
    if set.names().any(|(_, known)| known == name.value) {
        errors.push(reader.about(
            &name,
            "another policy has this name",
            "a name that is unique among all policies",
        ));
        return;
    }
    let of_rules = rules.iter().flat_map(|rule| rule.actions.iter().chain(&rule.action));
    for action in actions.iter().chain(of_rules) {
        if action.value != "log" {
            errors.push(reader.about(action, format!("action {:?} is not supported", action.value), "log"));
        }
    }
    let Some(number) = set.free_number() else {
        errors.push(reader.fail(Some(&name.referenced), "more than 64 scopes"));
        return;
    };
    let warnings = set.warnings_mut();
    let mut policy = Policy { reader, vocabulary, number, filters: Vec::new(), errors, warnings };
    for filter in &scope {
        policy.scope(filter);
    }
    let mut seen: Vec<EventId> = Vec::new();
    for rule in &rules {
        policy.rule(rule, &mut seen);
    }
    let filters = policy.filters;
    set.insert(Scope { number, name: Some(name.value), filters });
}

type Parts = (Spanned<String>, Vec<Spanned<String>>, Vec<Spanned<String>>, Vec<Rule>);

/// The same parts of both forms.
fn parts(reader: &Reader<'_>, document: Document) -> Result<Parts, Box<Diagnostic>> {
    let fail = |message: &str| Box::new(reader.fail(None, message));
    let about =
        |at: &Spanned<String>, message: &str, allowed: &str| Box::new(reader.about(at, message, allowed));
    let (name, scope, actions, rules) = match (&document.form, &document.kind) {
        (form, None) if form.as_ref().map_or(document.rules.is_some(), |form| form.value == "policy") => {
            let name = document.name.ok_or_else(|| fail("the policy has no name"))?;
            let actions = document.default_actions.into_iter().chain(document.default_action).collect();
            (name, document.scope, actions, document.rules)
        }
        (Some(form), _) => {
            return Err(about(form, "not a policy", "type: policy, or apiVersion and kind: Policy"));
        }
        (None, Some(kind)) if matches!(kind.value.as_str(), "Policy" | "TraceePolicy") => {
            // The second name of each is that of earlier releases.
            let groups = ["tracee.aquasec.com/", "aquasecurity.github.io/"];
            let is_known = |version: &str| groups.iter().any(|group| version.starts_with(group));
            if let Some(version) = document.api_version.filter(|version| !is_known(&version.value)) {
                return Err(about(&version, "unknown apiVersion", "tracee.aquasec.com/v1beta1"));
            }
            let metadata =
                document.metadata.ok_or_else(|| fail("the policy has no metadata with its name"))?;
            let spec = document.spec.ok_or_else(|| fail("the policy has no spec"))?;
            (metadata.name, spec.scope, spec.default_actions, spec.rules)
        }
        (None, Some(kind)) => return Err(about(kind, "not a policy", "kind: Policy")),
        (None, None) => return Err(fail("not a policy: neither `type: policy` nor `kind: Policy`")),
    };
    let empty = |message: &str, allowed: &str| about(&name, message, allowed);
    let no_scope = || empty("the policy has no scope", "`scope: [global]` is everything");
    let scope = scope.filter(|scope| !scope.is_empty()).ok_or_else(no_scope)?;
    let no_rules = || empty("the policy has no rules", "`rules:` with `- event: NAME`");
    let rules = rules.filter(|rules| !rules.is_empty()).ok_or_else(no_rules)?;
    Ok((name, scope, actions, rules))
}

/// One policy on its way to being a scope.
struct Policy<'a> {
    reader: Reader<'a>,
    vocabulary: Vocabulary<'a>,
    number: u8,
    filters: Vec<Filter>,
    errors: &'a mut Vec<Diagnostic>,
    warnings: &'a mut Vec<Diagnostic>,
}

impl Policy<'_> {
    fn keep(&mut self, checked: Result<Vec<Filter>, check::Wrong>) {
        match checked {
            Ok(filters) => self.filters.extend(filters),
            Err(wrong) => self.errors.extend(wrong),
        }
    }

    fn site<'s>(&self, flag: &'s str, text: &'s str) -> Site<'s>
    where
        Self: 's,
    {
        Site { flag, text, vocabulary: self.vocabulary }
    }

    fn scope(&mut self, filter: &Spanned<String>) {
        let flag = self.reader.place(Some(&filter.referenced));
        let checked = check::scope_filter(self.site(&flag, &filter.value), self.number, self.warnings);
        self.keep(checked);
    }

    fn rule(&mut self, rule: &Rule, seen: &mut Vec<EventId>) {
        let flag = self.reader.place(Some(&rule.event.referenced));
        let text = rule.event.value.as_str();
        let site = Site { flag: &flag, text, vocabulary: self.vocabulary };
        let (op, name) = match text.strip_prefix('-') {
            Some(name) => (Op::NotEqual, name),
            None => (Op::Equal, text),
        };
        let start = text.len() - name.len();
        let events = match self.events(&site, Piece { text: name, span: start..text.len() }) {
            Ok(events) => events,
            Err(error) => return self.errors.push(*error),
        };
        if op == Op::NotEqual && !rule.filters.is_empty() {
            let message = "an excluded event has no filters";
            self.errors.push(self.reader.about(&rule.event, message, "filters of events that are wanted"));
            return;
        }
        if let [id] = events.as_slice() {
            if seen.contains(id) {
                let message = format!("two rules of this policy are about {name}");
                let allowed = "one rule for each event: more filters in it, or another policy";
                self.errors.push(self.reader.about(&rule.event, message, allowed));
                return;
            }
            seen.push(*id);
        }
        let vocabulary = self.vocabulary;
        for event in events.iter().filter_map(|id| vocabulary.by_id(*id)) {
            if !self.rule_filters(rule, event) {
                break;
            }
        }
        self.filters.push(Filter {
            scope: self.number,
            flag,
            text: format!("event{op}{name}"),
            target: Target::Events,
            op,
            span: 0..0,
            spelled_out: None,
            values: vec![Value::Events(events)],
        });
    }

    /// Whether all filters fit this event; of a set of events, the first that does not is enough to say so.
    fn rule_filters(&mut self, rule: &Rule, event: &'static Event) -> bool {
        let before = self.errors.len();
        for filter in &rule.filters {
            let flag = self.reader.place(Some(&filter.referenced));
            let site = self.site(&flag, &filter.value);
            let checked = check::rule_filter(site, self.number, event, self.warnings);
            self.keep(checked.map(|filter| vec![filter]));
        }
        self.errors.len() == before
    }

    /// The events of a rule: a name, a glob, a set, or a property.
    fn events(&mut self, site: &Site<'_>, name: Piece<'_>) -> check::Checked<Vec<EventId>> {
        if let Ok(parts) = syntax::split(name.text)
            && parts.op != Op::Is
        {
            return self.property(site, &name);
        }
        if self.vocabulary.named(name.text).is_empty()
            && let Some(set) = Set::by_name(name.text)
        {
            return Ok(in_set(set));
        }
        if name.text == "*" {
            return site.error(name.span, "a lone `*` filters nothing", "events, sets, or an exclusion");
        }
        // A policy is written for more than one version: what this one cannot tell chooses nothing.
        if let Some(Event { source: Source::Unsupported(why), id, .. }) = catalogue::by_name(name.text)
            && threat::of(*id).is_some()
        {
            let message = format!("this version does not detect {}: it {why}", name.text);
            self.warnings.push(site.message(Severity::Warning, name.span, message));
            return Ok(Vec::new());
        }
        chosen::events_like(site, &name)
    }

    fn property(&mut self, site: &Site<'_>, name: &Piece<'_>) -> check::Checked<Vec<EventId>> {
        let property = property::read(site, name)?;
        let events = property.events();
        if events.is_empty() {
            let message = format!("no event of this version has {}: nothing is chosen by it", name.text);
            self.warnings.push(site.message(Severity::Warning, name.span.clone(), message));
        }
        Ok(events)
    }
}

pub(crate) fn in_set(set: Set) -> Vec<EventId> {
    catalogue::events().filter(|event| event.sets.has(set)).map(|event| event.id).collect()
}
