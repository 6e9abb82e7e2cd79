//! Why a scope did or did not match: each of its filters asked on its own.
//!
//! A check becomes a scope of its own in a plan that is asked over the same rows, so the explanation comes from the
//! evaluator that gave the answer. Bit 64 of such a plan has every row, whatever the checks say.

use std::fmt::Write;

use events::{Context, Event, EventId, Marks, Raw, capability, catalogue, mark_names, show};

use crate::filter::{Filter, Target, Value};
use crate::key::{Class, Field};
use crate::predicate::acting;
use crate::predicate::context::text;
use crate::predicate::thing::ThingKey;
use crate::selection::Selection;
use crate::set::{Scope, ScopeSet};
use crate::subject::{ContainerFacts, Subject};
use crate::syntax::Op;
use crate::thing::Thing;
use crate::words::bit;

/// The bit that every row has.
pub const EVERY_ROW: u64 = 1 << 63;
/// Checks of one plan: one bit is for every row.
const BITS: usize = 63;
/// Checks of one scope; what goes beyond is asked as one.
const CHECKS: usize = 48;

/// The filters of a set of scopes, to be asked one by one.
#[derive(Debug)]
pub struct Checks {
    pub scopes: Vec<ScopeChecks>,
    /// The rows that passes are asked over, in one scope that asks nothing else.
    pub rows: ScopeSet,
    /// To be compiled and asked over the same rows, one after the other.
    pub passes: Vec<ScopeSet>,
}

/// One scope, taken apart.
#[derive(Debug)]
pub struct ScopeChecks {
    pub number: u8,
    /// As `9`, or `9 (etc-writes)`.
    pub title: String,
    /// Which of [`Checks::passes`] has its bits.
    pub pass: usize,
    /// In the order in which they are asked: events first, then the process, then what is about one event.
    pub checks: Vec<Check>,
    /// The bit of all process filters with `follow` over them; 0 without `follow`.
    followed: u64,
}

/// The filters of one scope on one key.
#[derive(Debug)]
pub struct Check {
    /// As the user wrote them, without the scope's number: `comm=ls comm=id`.
    pub text: String,
    pub target: Target,
    bit: u64,
    /// What is asked, where several values of an event are.
    filters: Vec<Filter>,
}

impl Check {
    fn is_of_process(&self) -> bool {
        is_of_process(&self.target)
    }

    /// Whether a row with this mask passes it.
    pub fn passes(&self, mask: u64) -> bool {
        mask & self.bit != 0
    }

    /// The value that it saw, as people read it: of several, those that it speaks of.
    pub fn saw(&self, seen: &Seen<'_>) -> String {
        match &self.target {
            Target::Thing(thing) | Target::EventThing(_, thing) => seen.names(*thing, &self.filters),
            target => seen.value(target),
        }
    }

    /// Whether it asks anything of this event. What is about one event lets all others pass.
    pub fn is_about(&self, event: EventId) -> bool {
        self.target.event().is_none_or(|about| about == event)
    }
}

impl ScopeChecks {
    /// Whether a row passes a check, or is past asking because an ancestor of its process matched.
    pub fn lets_pass(&self, check: &Check, mask: u64) -> bool {
        check.passes(mask) || (check.is_of_process() && mask & self.followed != 0)
    }

    /// Whether the process is in the scope because of an ancestor only.
    pub fn only_follows(&self, mask: u64) -> bool {
        let own = self.checks.iter().filter(|check| check.is_of_process()).all(|check| check.passes(mask));
        mask & self.followed != 0 && !own
    }

    pub fn matches(&self, mask: u64) -> bool {
        self.first_failing(mask).is_none()
    }

    /// The first check that a row does not pass.
    pub fn first_failing(&self, mask: u64) -> Option<usize> {
        self.checks.iter().position(|check| !self.lets_pass(check, mask))
    }
}

impl Checks {
    pub fn of(set: &ScopeSet) -> Checks {
        // Rows that any scope may see: all that are recorded, and what is derived for those that ask for it.
        let selections: Vec<(&Scope, Selection)> =
            set.scopes().map(|scope| (scope, Selection::of(scope, set))).collect();
        let derived = catalogue::events().filter(|event| event.is_derived()).map(|event| event.id);
        let derived = derived.filter(|id| selections.iter().any(|(_, it)| it.has(*id))).collect();
        let rows = events_filter(1, vec![Value::Recorded, Value::Events(derived)]);
        let every_row = || {
            let mut every_row = ScopeSet::with_declared(set.declared().iter().copied());
            every_row.insert(Scope { number: 64, name: None, filters: vec![rows.clone()] });
            every_row
        };
        let mut checks = Checks { scopes: Vec::new(), rows: every_row(), passes: Vec::new() };
        let mut used = BITS;
        for (scope, selection) in &selections {
            let groups = groups(scope, set, selection);
            let follows = scope.filters.iter().any(|filter| filter.target == Target::Follow);
            if used + groups.len() + usize::from(follows) > BITS {
                checks.passes.push(every_row());
                used = 0;
            }
            let Some(pass) = checks.passes.last_mut() else { break };
            let mut add = |filters: Vec<Filter>| {
                used += 1;
                let number = u8::try_from(used).unwrap_or(64);
                pass.insert(Scope { number, name: None, filters });
                bit(number)
            };
            let mut found = Vec::new();
            for (target, mut filters) in groups {
                let texts: Vec<&str> = filters.iter().map(Filter::without_scope).collect();
                let text = texts.join(" ");
                let asked = if matches!(target, Target::Thing(_) | Target::EventThing(..)) {
                    filters.clone()
                } else {
                    Vec::new()
                };
                if target != Target::Events {
                    filters.push(rows.clone());
                }
                found.push(Check { text, target, bit: add(filters), filters: asked });
            }
            let followed = if follows {
                let of_process =
                    |filter: &&Filter| is_of_process(&filter.target) || filter.target == Target::Follow;
                let mut filters: Vec<Filter> = scope.filters.iter().filter(of_process).cloned().collect();
                filters.push(rows.clone());
                add(filters)
            } else {
                0
            };
            checks.scopes.push(ScopeChecks {
                number: scope.number,
                title: scope.title(),
                pass: checks.passes.len() - 1,
                checks: found,
                followed,
            });
        }
        checks
    }
}

/// One scope as the checks that it is the AND of.
#[derive(Clone, Debug)]
pub struct Parts {
    pub number: u8,
    pub parts: Vec<Part>,
}

/// A check that can be asked by itself: which rows it lets pass, whatever the others say.
#[derive(Clone, Debug)]
pub struct Part {
    /// Equal for checks that let the same rows pass.
    pub identity: String,
    /// The check in one scope, over all rows that are recorded.
    pub set: ScopeSet,
}

impl Parts {
    /// Takes scopes apart, whose rows are then those that all parts of one of them let pass. `None` where that is not so: what is
    /// derived has no place of its own, and what follows is let pass by its ancestors.
    pub fn of(set: &ScopeSet) -> Option<Vec<Parts>> {
        let derived: Vec<EventId> =
            catalogue::events().filter(|event| event.is_derived()).map(|event| event.id).collect();
        let mut all = Vec::new();
        for scope in set.scopes() {
            let selection = Selection::of(scope, set);
            let follows = scope.filters.iter().any(|filter| filter.target == Target::Follow);
            if follows || derived.iter().any(|id| selection.has(*id)) {
                return None;
            }
            let part = |(target, mut filters): (Target, Vec<Filter>)| {
                let chosen: Vec<&Value> = match target {
                    Target::Events => filters.iter().flat_map(|filter| &filter.values).collect(),
                    _ => Vec::new(),
                };
                let texts: Vec<&str> = filters.iter().map(Filter::without_scope_and_lists).collect();
                let identity = format!("{target:?} {texts:?} {chosen:?}");
                if target != Target::Events {
                    filters.push(events_filter(1, vec![Value::Recorded]));
                }
                filters.iter_mut().for_each(|filter| filter.scope = 1);
                let mut alone = ScopeSet::with_declared(set.declared().iter().copied());
                alone.insert(Scope { number: 1, name: None, filters });
                Part { identity, set: alone }
            };
            let parts = groups(scope, set, &selection).into_iter().map(part).collect();
            all.push(Parts { number: scope.number, parts });
        }
        Some(all)
    }
}

pub(crate) fn events_filter(scope: u8, values: Vec<Value>) -> Filter {
    Filter {
        scope,
        flag: String::new(),
        text: String::new(),
        target: Target::Events,
        op: Op::Equal,
        span: 0..0,
        spelled_out: None,
        values,
    }
}

/// A scope's filters by key: which events there are, then the process, then single events.
fn groups(scope: &Scope, set: &ScopeSet, selection: &Selection) -> Vec<(Target, Vec<Filter>)> {
    let mut groups: Vec<(Target, Vec<Filter>)> = Vec::new();
    if scope.names_events() {
        let chosen = set.events().map(|event| event.id).filter(|id| selection.has(*id)).collect();
        let explicit = scope.filters.iter().filter(|filter| filter.target == Target::Events);
        let texts: Vec<&str> = explicit.map(|filter| filter.without_scope()).collect();
        let text = match texts.as_slice() {
            [] => "event=(those that its filters name)".to_owned(),
            texts => texts.join(" "),
        };
        groups.push((Target::Events, vec![Filter { text, ..events_filter(1, vec![Value::Events(chosen)]) }]));
    }
    let process = scope.filters.iter().filter(|filter| is_of_process(&filter.target));
    let of_any = |filter: &&Filter| match &filter.target {
        Target::Field(field) => field.is_of_row(),
        target => matches!(target, Target::Mark(_) | Target::Thing(_)),
    };
    let marks = scope.filters.iter().filter(of_any);
    let single = scope.filters.iter().filter(|filter| filter.target.event().is_some());
    for filter in process.chain(marks).chain(single) {
        let known = groups.iter().position(|(target, _)| *target == filter.target);
        let full = (groups.len() >= CHECKS).then(|| groups.len() - 1);
        match known.or(full).and_then(|at| groups.get_mut(at)) {
            Some((_, filters)) => filters.push(filter.clone()),
            None => groups.push((filter.target.clone(), vec![filter.clone()])),
        }
    }
    groups
}

/// Whether a filter is about who does something, of whatever event.
fn is_of_process(target: &Target) -> bool {
    matches!(target, Target::Field(field) if !field.is_of_row())
}

/// One event, as far as filters can see it.
#[derive(Clone, Copy)]
pub struct Seen<'a> {
    pub event: &'static Event,
    pub context: &'a Context<'a>,
    pub container: Option<&'a ContainerFacts<'a>>,
    /// The name of the host that it was recorded on.
    pub host: &'a str,
    pub arg: &'a dyn Fn(usize) -> Raw<'a>,
    pub ret: i64,
    pub wall_ns: u64,
    pub cpu: u16,
    pub marks: Marks,
    pub duration_ns: Option<u64>,
}

impl std::fmt::Debug for Seen<'_> {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        out.debug_struct("Seen").field("event", &self.event.name).finish_non_exhaustive()
    }
}

impl Seen<'_> {
    /// The value that a filter about `target` saw, as people read it.
    pub fn value(&self, target: &Target) -> String {
        match target {
            Target::Events => self.event.name.to_owned(),
            Target::Follow | Target::Global => String::new(),
            Target::Ret(_) => match events::consts::errno::of_result(self.ret) {
                Some(name) => format!("{} ({name})", self.ret),
                None => self.ret.to_string(),
            },
            Target::Arg { position, member, .. } => self.argument(*position, member),
            Target::Field(field) | Target::EventField(_, field) => self.field(*field),
            Target::Mark(_) | Target::EventMark(..) => self.marks(),
            Target::Thing(thing) | Target::EventThing(_, thing) => self.names(*thing, &[]),
        }
    }

    /// What arguments of the event name, each with the argument's name: what the filters speak of, or else all of it.
    fn names(&self, thing: Thing, filters: &[Filter]) -> String {
        let key = ThingKey::of_filters(self.event, thing, filters);
        let (mut all, mut meant) = (Vec::new(), Vec::new());
        key.each_name(self.arg, &mut |argument, name, is_meant| {
            let text = format!("{argument} {name}");
            if is_meant && !meant.contains(&text) {
                meant.push(text.clone());
            }
            if !all.contains(&text) {
                all.push(text);
            }
        });
        match (all.is_empty(), meant.is_empty()) {
            (true, _) => format!("no {}", thing.name()),
            (false, true) => all.join(", "),
            (false, false) => meant.join(", "),
        }
    }

    /// All marks of the event, those of single arguments with their names.
    fn marks(&self) -> String {
        let mut found = Vec::new();
        for mark in mark_names::ALL.iter().filter(|mark| self.marks.has(mark.bits)) {
            let has = |position: &usize| match mark.name {
                "cut" => self.event.is_cut(self.marks, *position),
                "unreadable" => self.event.is_unreadable(self.marks, *position),
                _ => false,
            };
            let args: Vec<&str> = (0..self.event.args.len())
                .filter(has)
                .filter_map(|position| self.event.args.get(position))
                .map(|arg| arg.name)
                .collect();
            found.push(if args.is_empty() {
                mark.name.to_owned()
            } else {
                format!("{} {}", args.join(", "), mark.name)
            });
        }
        if found.is_empty() { "no marks".to_owned() } else { found.join("; ") }
    }

    fn argument(&self, position: usize, member: &str) -> String {
        if member.is_empty() {
            return show::shown(self.event, position, self.arg, true).to_string();
        }
        let mut text = String::new();
        show::find(self.event, position, self.arg, member, &mut |part| {
            // Writing to a string does not fail.
            let _ = write!(text, "{}{part}", if text.is_empty() { "" } else { ", " });
        });
        if text.is_empty() { "<nil>".to_owned() } else { text }
    }

    fn field(&self, field: Field) -> String {
        let context = self.context;
        let none = || "none".to_owned();
        let unknown = || "not known".to_owned();
        match field {
            Field::Binary => {
                format!("{} (mount namespace {})", String::from_utf8_lossy(context.exe), context.mnt_ns)
            }
            Field::Container => match self.container {
                None => "on the host".to_owned(),
                Some(container) if container.name.is_empty() => container.id.to_owned(),
                Some(container) => format!("{} ({})", container.id, container.name),
            },
            Field::Pid if context.pid == context.tid => {
                format!("{} (began at {})", context.pid, context.process_start_ns)
            }
            Field::Pid => {
                format!("{} (thread {}; began at {})", context.pid, context.tid, context.process_start_ns)
            }
            Field::Tid => context.tid.to_string(),
            Field::Ppid => context.ppid.to_string(),
            Field::HostPid => context.pid.to_string(),
            Field::NsPid => context.ns_pid.to_string(),
            Field::NsTid => context.ns_tid.to_string(),
            Field::NsPpid => context.ns_ppid.to_string(),
            Field::Uid => context.uid.to_string(),
            Field::MntNs => context.mnt_ns.to_string(),
            Field::PidNs => context.pid_ns.to_string(),
            Field::CgroupId => context.cgroup_id.to_string(),
            Field::Tree => format!("pid {}, parent {}", context.pid, context.ppid),
            Field::Host => self.container.is_none().to_string(),
            Field::PodSandbox => {
                self.container.map_or_else(none, |container| container.pod_sandbox.to_string())
            }
            Field::Timestamp => self.wall_ns.to_string(),
            Field::ProcessorId => self.cpu.to_string(),
            Field::Duration => self.duration_ns.map_or_else(unknown, |ns| format!("{ns}ns")),
            Field::Syscall if self.event.is_syscall() => self.event.name.to_owned(),
            Field::Syscall => none(),
            Field::Tty | Field::Cwd => {
                let shown = |text: &[u8]| String::from_utf8_lossy(text).into_owned();
                acting::text(field, context, |text| text.map_or_else(unknown, shown))
            }
            _ if field.class() == Class::Capability => acting::capabilities(field, context)
                .map_or_else(unknown, |set| capability::Set(set).to_string()),
            _ if matches!(field.class(), Class::Number { .. } | Class::User | Class::Login) => {
                acting::number(field, context).map_or_else(unknown, |number| number.to_string())
            }
            _ => {
                let subject = Subject { container: self.container, host: self.host, ..Subject::of(context) };
                text(field, &subject).map_or_else(none, |text| String::from_utf8_lossy(text).into_owned())
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Plan;

    fn row(checks: &Checks, event: &str, context: &Context<'_>, ret: i64) -> u64 {
        let plan = Plan::compile(&checks.passes[0]);
        let id = catalogue::by_name(event).unwrap().id;
        plan.event_mask(id) & plan.context_mask(&Subject::of(context)) & plan.ret_mask(id, ret)
    }

    #[test]
    fn each_filter_is_asked_on_its_own() {
        let filters = ["9:event=open*", "9:comm=ls", "9:comm=id", "9:openat.retval<0", "9:uid=0"];
        let checks = Checks::of(&ScopeSet::parse(&filters).unwrap());
        let scope = &checks.scopes[0];
        let texts: Vec<&str> = scope.checks.iter().map(|check| check.text.as_str()).collect();
        assert_eq!(texts, ["event=open*", "comm=ls comm=id", "uid=0", "openat.retval<0"]);
        let id = Context { comm: b"id", uid: 5, ..Context::default() };
        let failing = |mask| scope.first_failing(mask).map(|at| texts[at]);
        assert_eq!(failing(row(&checks, "close", &id, 0)), Some("event=open*"));
        assert_eq!(failing(row(&checks, "openat", &id, 0)), Some("uid=0"));
        assert_eq!(failing(row(&checks, "openat", &Context { uid: 0, ..id }, 0)), Some("openat.retval<0"));
        assert_eq!(failing(row(&checks, "open", &Context { uid: 0, ..id }, 0)), None);
        assert!(scope.matches(row(&checks, "openat", &Context { uid: 0, ..id }, -2)));
        assert_ne!(row(&checks, "close", &id, 0) & EVERY_ROW, 0);
    }

    #[test]
    fn many_scopes_take_several_passes() {
        let filters: Vec<String> =
            (1..=64).flat_map(|n| [format!("{n}:comm=a{n}"), format!("{n}:uid={n}")]).collect();
        let checks = Checks::of(&ScopeSet::parse(&filters).unwrap());
        assert_eq!((checks.scopes.len(), checks.passes.len()), (64, 3));
        assert!(checks.passes.iter().all(|pass| pass.mask() & EVERY_ROW != 0));
    }
}
