//! The rules that are part of the program, and the events that some of them are.
//!
//! A behaviour with an event is told in two ways by one rule file: `scan` finds it, and a filter such as
//! `event=anti_debugging` asks for it as for any derived event ([`pipeline::derive::Detector`]).

use std::collections::BTreeMap;
use std::sync::OnceLock;

use events::{Context, Event, EventId, Raw, catalogue, threat};
use pipeline::EventView;

use crate::access::{Access, OfRow, access, each_own_value};
use crate::class::Class;
use crate::form::{Body, Expr, Test, Value, same};
use crate::reader::{Corpus, Readers};
use crate::rule::Rule;

/// Names and texts of the rule files in the program.
pub const FILES: &[(&str, &str)] = &[
    ("behaviours/containers.yaml", include_str!("../behaviours/containers.yaml")),
    ("behaviours/files.yaml", include_str!("../behaviours/files.yaml")),
    ("behaviours/processes.yaml", include_str!("../behaviours/processes.yaml")),
    ("behaviours/sequences.yaml", include_str!("../behaviours/sequences.yaml")),
];

/// Adds the rules that are part of the program.
pub fn add(readers: &mut Readers) {
    FILES.iter().for_each(|(name, text)| readers.add(name, text, true));
}

/// The rules that are part of the program.
pub fn corpus() -> Corpus {
    let mut readers = Readers::default();
    add(&mut readers);
    readers.finish()
}

/// A behaviour that Tracee's users know, and why no rule asks for it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Refused {
    pub id: &'static str,
    pub name: &'static str,
    pub why: &'static str,
}

/// The behaviours that cannot be asked of what is recorded.
pub fn refused() -> impl Iterator<Item = Refused> {
    let corpus = corpus();
    let is_asked = move |id: &str| corpus.rules.iter().any(|rule| rule.id == id);
    let others = threat::THREATS.iter().filter(move |threat| !is_asked(threat.id));
    others.filter_map(|threat| match catalogue::by_id(threat.event)?.source {
        events::Source::Unsupported(why) => Some(Refused { id: threat.id, name: threat.name, why }),
        _ => None,
    })
}

/// Makes filters able to ask for the events of behaviours. Before the first question.
pub fn install() {
    static DETECTOR: Lazy = Lazy(OnceLock::new());
    pipeline::derive::install(&DETECTOR);
}

/// The behaviours, read when they are asked for first.
#[derive(Debug)]
struct Lazy(OnceLock<Behaviours>);

/// Behaviours by the events that show them.
#[derive(Debug)]
struct Behaviours {
    by_base: BTreeMap<EventId, Vec<(&'static Event, Tree)>>,
}

/// An expression over one event, its fields looked up.
#[derive(Debug)]
enum Tree {
    Const(bool),
    Test(Access, Test),
    Same(Access, Access, Test),
    Not(Box<Tree>),
    All(Vec<Tree>),
    Any(Vec<Tree>),
}

impl Behaviours {
    fn new() -> Behaviours {
        let mut by_base: BTreeMap<EventId, Vec<(&'static Event, Tree)>> = BTreeMap::new();
        for rule in &corpus().rules {
            let (Some(event), Body::Event(query)) = (event_of(rule), &rule.body) else { continue };
            for arm in &query.arms {
                for base in crate::own::events_of(&arm.class) {
                    let tree = tree(base, &arm.class, &arm.expr);
                    if !matches!(tree, Tree::Const(false)) {
                        by_base.entry(base.id).or_default().push((event, tree));
                    }
                }
            }
        }
        Behaviours { by_base }
    }
}

/// The derived event that a rule tells.
pub fn event_of(rule: &Rule) -> Option<&'static Event> {
    let named = rule.tags.iter().filter_map(|tag| catalogue::by_name(tag));
    named.into_iter().find(|event| event.is_derived() && threat::of(event.id).is_some())
}

fn tree(event: &'static Event, class: &Class, expr: &Expr) -> Tree {
    let all = |parts: &[Expr]| parts.iter().map(|part| tree(event, class, part)).collect();
    match expr {
        Expr::Const(value) => Tree::Const(*value),
        Expr::Not(inner) => Tree::Not(Box::new(tree(event, class, inner))),
        Expr::All(parts) => Tree::All(all(parts)),
        Expr::Any(parts) => Tree::Any(all(parts)),
        Expr::Atom(atom) => match (access(event, class, &atom.field), &atom.test) {
            (Some(own), Test::SameAs(other, ..)) => match access(event, class, other) {
                Some(other) => Tree::Same(own, other, atom.test.clone()),
                None => Tree::Const(false),
            },
            (Some(access), test) => Tree::Test(access, test.clone()),
            (None, _) => Tree::Const(false),
        },
    }
}

impl pipeline::derive::Detector for Lazy {
    fn detect(
        &self,
        base: &EventView<'_>,
        is_wanted: &dyn Fn(&'static Event) -> bool,
        found: &mut dyn FnMut(&'static Event),
    ) {
        let mut last = None;
        let known = self.0.get_or_init(Behaviours::new);
        for (event, tree) in known.by_base.get(&base.event.id).into_iter().flatten() {
            // A rule may name the base in several ways; it is one event all the same.
            if last != Some(event.id) && is_wanted(event) && holds(tree, base) {
                last = Some(event.id);
                found(event);
            }
        }
    }
}

fn holds(tree: &Tree, row: &EventView<'_>) -> bool {
    match tree {
        Tree::Const(value) => *value,
        Tree::Not(inner) => !holds(inner, row),
        Tree::All(parts) => parts.iter().all(|part| holds(part, row)),
        Tree::Any(parts) => parts.iter().any(|part| holds(part, row)),
        Tree::Test(access, test) => {
            let mut passes = false;
            each_own_value(access, row, &mut |value| passes = passes || test.passes(value));
            passes
        }
        Tree::Same(own, other, test) => {
            let Test::SameAs(_, case, shape) = test else { return false };
            let mut holds = false;
            each_own_value(own, row, &mut |left: Value<'_>| {
                each_own_value(other, row, &mut |right| holds |= same(left, right, *case, *shape));
            });
            holds
        }
    }
}

impl OfRow for EventView<'_> {
    fn event(&self) -> &'static Event {
        self.event
    }

    fn arg(&self, position: usize) -> Raw<'_> {
        self.args.get(position)
    }

    fn ret(&self) -> i64 {
        self.ret
    }

    fn wall_ns(&self) -> i64 {
        self.wall_ns
    }

    fn time_ns(&self) -> u64 {
        self.time_ns
    }

    fn context(&self) -> &Context<'_> {
        self.context
    }

    fn container(&self) -> Option<&pipeline::Container> {
        self.container
    }

    fn host(&self) -> &str {
        &self.host.name
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::form::Field;

    #[test]
    fn every_behaviour_of_the_catalogue_has_a_rule_and_is_derived_from_what_that_asks() {
        let corpus = corpus();
        let told: Vec<String> = corpus.diagnostics.iter().map(ToString::to_string).collect();
        assert!(told.is_empty(), "{}", told.join("\n"));
        for threat in threat::THREATS {
            let event = catalogue::by_id(threat.event).expect("an event");
            let events::Source::Derived { from } = event.source else { continue };
            let rule = corpus.rules.iter().find(|rule| event_of(rule).is_some_and(|it| it.id == event.id));
            let rule = rule.unwrap_or_else(|| panic!("no rule tells {}", event.name));
            assert_eq!(rule.id, threat.id);
            let Body::Event(query) = &rule.body else { panic!("{}: several events", rule.id) };
            let mut bases = Vec::new();
            for arm in &query.arms {
                bases.extend(crate::own::events_of(&arm.class).into_iter().map(|base| base.name));
                // Of one row nothing else is known.
                arm.expr.each_atom(&mut |atom| {
                    let needs_state =
                        matches!(atom.field, Field::Process(who, _) if who != crate::form::Who::Actor);
                    assert!(
                        !needs_state && !matches!(atom.field, Field::Variable(_)),
                        "{}: {}",
                        rule.id,
                        atom.written
                    );
                });
            }
            bases.sort_unstable();
            bases.dedup();
            let mut from = from.to_vec();
            from.sort_unstable();
            assert_eq!(bases, from, "{}", event.name);
        }
    }
}
