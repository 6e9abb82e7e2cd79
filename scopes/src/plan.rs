//! Scopes compiled to shared predicates: the only evaluator there is.

use std::collections::BTreeMap;

use events::{Event, EventId, Marks, Raw, Source, catalogue};

use crate::batch::Strings;
use crate::filter::{Declaration, Filter, Target};
use crate::key::Field;
use crate::predicate::argument::ArgKey;
use crate::predicate::context::{ContextKeys, FlagKey, Key};
use crate::predicate::number::Numbers;
use crate::predicate::thing::ThingKey;
use crate::predicate::{Asked, gate};
use crate::selection::{Selection, bases};
use crate::set::ScopeSet;
use crate::subject::Subject;
use crate::thing::Thing;
use crate::words::bit;

/// Everything that a set of scopes asks, ready to be asked of contexts, events, arguments and return values.
#[derive(Debug)]
pub struct Plan {
    scopes: u64,
    names: Vec<(u8, String)>,
    pub(crate) context: ContextKeys,
    follow: u64,
    pub(crate) tree: TreeRoots,
    /// By event id.
    events: Box<[EventWords]>,
    /// Scopes that print events of which the catalogue knows nothing.
    unknown: u64,
    /// Scopes that say which events there are.
    choosing: u64,
    details: Vec<Detail>,
}

/// What a plan needs to be told of a capture; the rest need not be decoded.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Needs {
    /// `tree` or `follow`: [`Subject::lineage`] must be filled.
    pub lineage: bool,
    /// Containers: [`Subject::container`] must be filled.
    pub containers: bool,
    /// What only a container's runtime tells (its name, image, pod) may decide.
    pub container_names: bool,
    /// `container=started`: [`Subject::time_ns`] must be filled.
    pub started: bool,
}

/// Facts of a row that no dictionary holds; only times, CPUs, durations and marks ask.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct RowFacts {
    /// ns since the epoch.
    pub wall_ns: u64,
    pub cpu: u16,
    pub marks: Marks,
    /// How long the call took, where that is known.
    pub duration_ns: Option<u64>,
}

/// The processes that `tree` names, of all scopes.
#[derive(Debug, Default)]
pub(crate) struct TreeRoots {
    /// Pid, start (for pinned ones), and the scopes that have or exclude it.
    pub roots: Vec<(u32, Option<u64>, crate::words::Words)>,
}

#[derive(Clone, Copy, Debug, Default)]
struct EventWords {
    /// Ids are not dense.
    is_declared: bool,
    /// Scopes that ask for the event.
    asked: u64,
    /// Scopes that have the event's rows where a file holds them.
    stored: u64,
    /// Scopes that ask for something derived from it.
    needed: u64,
    /// Position in the details, plus one.
    detail: u32,
}

/// What is asked of one event alone.
#[derive(Debug, Default)]
pub(crate) struct Detail {
    has_args: u64,
    pub args: Vec<ArgKey>,
    positions: Vec<usize>,
    pub ret: Option<Numbers>,
    pub has_context: u64,
    pub context: ContextKeys,
    has_row: u64,
    pub row: Vec<RowKey>,
    has_things: u64,
    pub things: Vec<ThingKey>,
}

/// A key that each row is asked.
#[derive(Debug)]
pub(crate) enum RowKey {
    Number(Field, Numbers),
    /// Any of these bits.
    Mark(u32, FlagKey),
}

impl Plan {
    /// Scope 1 matches every recorded event.
    pub fn everything() -> Plan {
        let scope = crate::set::Scope { number: 1, name: None, filters: Vec::new() };
        let mut set = ScopeSet::default();
        set.insert(scope);
        Plan::compile(&set)
    }

    pub fn compile(set: &ScopeSet) -> Plan {
        let mut fields: BTreeMap<Field, Vec<Asked<'_>>> = BTreeMap::new();
        let mut by_event: BTreeMap<Declaration, BTreeMap<&Target, Vec<Asked<'_>>>> = BTreeMap::new();
        let mut plan = Plan {
            scopes: set.mask(),
            names: set.names().map(|(number, name)| (number, name.to_owned())).collect(),
            context: ContextKeys::default(),
            follow: 0,
            tree: TreeRoots::default(),
            events: Box::default(),
            unknown: 0,
            choosing: 0,
            details: Vec::new(),
        };
        for scope in set.scopes() {
            let bit = bit(scope.number);
            for filter in &scope.filters {
                match (&filter.target, filter.target.declaration()) {
                    (Target::Field(field), _) if field.is_of_row() => {}
                    (Target::Field(field), _) => ask(fields.entry(*field).or_default(), bit, filter),
                    (Target::Follow, _) => plan.follow |= bit,
                    (target, Some(event)) => {
                        ask(by_event.entry(event).or_default().entry(target).or_default(), bit, filter);
                    }
                    _ => {}
                }
            }
        }
        if let Some(asked) = fields.get(&Field::Tree) {
            plan.tree = TreeRoots::new(asked);
        }
        plan.context = ContextKeys::new(&fields, None);
        plan.select(set);
        // A scope's question about what any argument names is one about each of its events that names anything.
        for scope in set.scopes() {
            let bit = bit(scope.number);
            for filter in &scope.filters {
                let Target::Thing(thing) = filter.target else { continue };
                for event in set.events().filter(|event| !thing.places(event).is_empty()) {
                    if (plan.stored_event_mask(event.id) | plan.event_mask(event.id)) & bit != 0 {
                        let targets = by_event.entry(Declaration(event)).or_default();
                        ask(targets.entry(&filter.target).or_default(), bit, filter);
                    }
                }
            }
        }
        // A scope's question about how long calls took is one about each call.
        for scope in set.scopes() {
            let bit = bit(scope.number);
            for filter in scope.filters.iter().filter(|filter| is_of_every_row(&filter.target)) {
                for event in set.events().filter(|event| plan.stored_event_mask(event.id) & bit != 0) {
                    let targets = by_event.entry(Declaration(event)).or_default();
                    ask(targets.entry(&filter.target).or_default(), bit, filter);
                }
            }
        }
        // A scope's question about marks is one about each of its events.
        for scope in set.scopes() {
            let asks_mark = |filter: &&Filter| matches!(filter.target, Target::Mark(_));
            let bit = bit(scope.number);
            for filter in scope.filters.iter().filter(asks_mark) {
                plan.unknown &= !bit;
                for event in set.events().filter(|event| plan.stored_event_mask(event.id) & bit != 0) {
                    let targets = by_event.entry(Declaration(event)).or_default();
                    ask(targets.entry(&filter.target).or_default(), bit, filter);
                }
            }
        }
        for (event, targets) in by_event {
            plan.add_detail(event.0, &targets);
        }
        plan
    }

    fn select(&mut self, set: &ScopeSet) {
        let length = set.events().map(|event| usize::from(event.id.0) + 1).max().unwrap_or(0);
        let mut events = vec![EventWords::default(); length].into_boxed_slice();
        for scope in set.scopes() {
            let selection = Selection::of(scope, set);
            let bit = bit(scope.number);
            if selection.unknown {
                self.unknown |= bit;
            } else {
                self.choosing |= bit;
            }
            for event in set.events() {
                if let Some(words) = events.get_mut(usize::from(event.id.0)) {
                    words.is_declared = true;
                    words.asked |= if selection.has(event.id) { bit } else { 0 };
                    words.stored |= if selection.has_stored(event.id) { bit } else { 0 };
                }
            }
        }
        // What is no call takes no time.
        for scope in set.scopes().filter(|scope| scope.filters.iter().any(|it| is_of_every_row(&it.target))) {
            let bit = bit(scope.number);
            self.unknown &= !bit;
            for event in set.events().filter(|event| !event.is_syscall()) {
                if let Some(words) = events.get_mut(usize::from(event.id.0)) {
                    words.asked &= !bit;
                    words.stored &= !bit;
                }
            }
        }
        // An event that names no file at all is none that names this one.
        for scope in set.scopes() {
            let bit = bit(scope.number);
            for thing in [Thing::File, Thing::Peer] {
                let wants = |filter: &Filter| filter.target == Target::Thing(thing) && filter.is_positive();
                if !scope.filters.iter().any(wants) {
                    continue;
                }
                self.unknown &= !bit;
                for event in set.events().filter(|event| thing.places(event).is_empty()) {
                    if let Some(words) = events.get_mut(usize::from(event.id.0)) {
                        words.asked &= !bit;
                        words.stored &= !bit;
                    }
                }
            }
        }
        // What a derived event needs, its bases are needed for, through any number of steps.
        loop {
            let mut changed = false;
            for event in catalogue::events() {
                let Some(words) = events.get(usize::from(event.id.0)) else { continue };
                let asked = if event.is_derived() { words.asked | words.needed } else { 0 };
                for base in bases(event).iter().filter_map(|name| catalogue::by_name(name)) {
                    if let Some(words) = events.get_mut(usize::from(base.id.0)) {
                        changed |= words.needed | asked != words.needed;
                        words.needed |= asked;
                    }
                }
            }
            if !changed {
                break;
            }
        }
        self.events = events;
    }

    fn add_detail(&mut self, event: &'static Event, targets: &BTreeMap<&Target, Vec<Asked<'_>>>) {
        let mut detail = Detail::default();
        let mut fields: BTreeMap<Field, Vec<Asked<'_>>> = BTreeMap::new();
        for (target, asked) in targets {
            let scopes = gate(asked).used;
            match target {
                Target::Arg { position, member, .. } => {
                    detail.has_args |= scopes;
                    detail.args.extend(ArgKey::new(event, *position, member, asked));
                    detail.positions.push(*position);
                }
                Target::Ret(_) => detail.ret = Some(Numbers::new(asked)),
                Target::Field(field) | Target::EventField(_, field) if field.is_of_row() => {
                    detail.has_row |= scopes;
                    detail.row.push(RowKey::Number(*field, Numbers::new(asked)));
                }
                Target::EventField(_, field) => {
                    detail.has_context |= scopes;
                    let copied = asked.iter().map(|one| Asked { bit: one.bit, filters: one.filters.clone() });
                    fields.insert(*field, copied.collect());
                }
                Target::Mark(marked) | Target::EventMark(_, marked) => {
                    detail.has_row |= scopes;
                    detail.row.push(RowKey::Mark(marked.bits, FlagKey::new(asked)));
                }
                Target::Thing(thing) | Target::EventThing(_, thing) => {
                    detail.has_things |= scopes;
                    detail.things.push(ThingKey::new(event, *thing, asked));
                }
                Target::Events | Target::Follow | Target::Global | Target::Field(_) => {}
            }
        }
        detail.positions.sort_unstable();
        detail.positions.dedup();
        let syscall = matches!(event.source, Source::Syscall(_)).then_some(event.name);
        detail.context = ContextKeys::new(&fields, syscall);
        self.details.push(detail);
        if let Some(words) = self.events.get_mut(usize::from(event.id.0)) {
            words.detail = u32::try_from(self.details.len()).unwrap_or(0);
        }
    }

    fn words(&self, event: EventId) -> EventWords {
        self.events
            .get(usize::from(event.0))
            .filter(|words| words.is_declared)
            .copied()
            .unwrap_or(EventWords { asked: self.unknown, stored: self.unknown, ..EventWords::default() })
    }

    pub(crate) fn detail(&self, event: EventId) -> Option<&Detail> {
        let at = usize::try_from(self.words(event).detail).ok()?.checked_sub(1)?;
        self.details.get(at)
    }

    /// Scopes that say which events they are about; the others are about all that are recorded, whatever these name.
    pub fn choosing(&self) -> u64 {
        self.choosing
    }

    /// All scopes of the plan.
    pub fn scopes(&self) -> u64 {
        self.scopes
    }

    /// Numbers and names of the scopes that have a name.
    pub fn names(&self) -> &[(u8, String)] {
        &self.names
    }

    pub fn needs(&self) -> Needs {
        let all = || std::iter::once(&self.context).chain(self.details.iter().map(|detail| &detail.context));
        let asks = |what: fn(&Key) -> bool| all().any(|keys| keys.asks(what));
        Needs {
            lineage: self.follow != 0 || asks(|key| matches!(key, Key::Tree(_))),
            containers: asks(|key| match key {
                Key::Container(_) | Key::Flag(..) => true,
                Key::Text(field, _) => field.is_of_container(),
                _ => false,
            }),
            container_names: asks(|key| match key {
                Key::Container(container) => container.asks_texts(),
                Key::Text(field, _) => matches!(
                    field,
                    Field::ContainerImage
                        | Field::ContainerName
                        | Field::PodName
                        | Field::PodNamespace
                        | Field::PodUid
                ),
                Key::Flag(field, _) => matches!(field, Field::PodSandbox),
                _ => false,
            }),
            started: asks(|key| matches!(key, Key::Container(container) if container.asks_started())),
        }
    }

    /// Whether some scope asks for a field of contexts, of all events or of one.
    pub fn asks_field(&self, field: Field) -> bool {
        let is_it = |key: &Key| match key {
            Key::Number(of, _) | Key::Standing(of, _) | Key::Members(of, _) | Key::Text(of, _) => {
                *of == field
            }
            _ => false,
        };
        let of_events = self.details.iter().map(|detail| &detail.context);
        std::iter::once(&self.context).chain(of_events).any(|keys| keys.asks(is_it))
    }

    /// Scopes with `follow`.
    pub fn follow(&self) -> u64 {
        self.follow
    }

    /// Scopes that ask for this event: those that print it when everything else about it matches. For an event that
    /// nobody declared: those that ask for all events.
    #[inline]
    pub fn event_mask(&self, event: EventId) -> u64 {
        self.words(event).asked
    }

    /// Scopes that print a row of this event that a file holds. More than [`Plan::event_mask`] for derived events: an
    /// imported log holds them, and there they are recorded like all others.
    #[inline]
    pub fn stored_event_mask(&self, event: EventId) -> u64 {
        self.words(event).stored
    }

    /// Scopes that print something derived from this event. Only visible rows need [`Plan::event_mask`].
    pub fn needed(&self, event: EventId) -> u64 {
        self.words(event).needed
    }

    /// Scopes that a context passes: all process keys, with `follow` over them. Once per distinct context.
    pub fn context_mask(&self, subject: &Subject<'_>) -> u64 {
        (self.context.mask(subject) | (self.follow & subject.lineage.follow)) & self.scopes
    }

    /// Whether any scope asks anything of contexts; otherwise [`Plan::context_mask`] is the same for all of them.
    pub fn asks_contexts(&self) -> bool {
        !self.context.keys.is_empty()
    }

    /// Scopes with `follow` that the process itself matches, whatever its ancestors did: its children will follow.
    pub fn seeds(&self, subject: &Subject<'_>) -> u64 {
        if self.follow == 0 { 0 } else { self.context.mask(subject) & self.follow }
    }

    /// Scopes that constrain arguments of this event.
    #[inline]
    pub fn has_args(&self, event: EventId) -> u64 {
        self.detail(event).map_or(0, |detail| detail.has_args)
    }

    /// Positions of the arguments of this event that some scope constrains, rising.
    pub fn arg_positions(&self, event: EventId) -> &[usize] {
        self.detail(event).map_or(&[], |detail| &detail.positions)
    }

    /// Scopes that an argument's value passes. Once per distinct value; all of them for an unconstrained argument.
    pub fn arg_mask(&self, event: EventId, position: usize, value: Raw<'_>) -> u64 {
        let Some(detail) = self.detail(event) else { return u64::MAX };
        let keys = detail.args.iter().filter(|key| key.position == position);
        keys.fold(u64::MAX, |mask, key| mask & key.mask(value))
    }

    /// [`Plan::arg_mask`] of many texts at once, where the argument is a text: faster than one by one.
    pub fn text_masks(&self, event: EventId, position: usize, strings: Strings<'_>) -> Option<Vec<u64>> {
        let (mut masks, mut words) = (vec![u64::MAX; strings.len()], Vec::new());
        let keys = self.detail(event)?.args.iter().filter(|key| key.position == position);
        let mut all = keys.map(|key| key.and_each(strings, &mut words, &mut masks));
        all.all(|done| done).then_some(masks)
    }

    /// Scopes that ask what any of this event's arguments names.
    #[inline]
    pub fn has_things(&self, event: EventId) -> u64 {
        self.detail(event).map_or(0, |detail| detail.has_things)
    }

    /// What is asked of whatever arguments of this event name.
    pub fn things(&self, event: EventId) -> &[ThingKey] {
        self.detail(event).map_or(&[], |detail| &detail.things)
    }

    /// Scopes that the things pass which arguments of a row name.
    pub fn things_mask<'a>(&self, event: EventId, value: &dyn Fn(usize) -> Raw<'a>) -> u64 {
        self.things(event).iter().fold(u64::MAX, |mask, key| mask & key.mask(value))
    }

    /// Scopes that constrain the return value of this event.
    #[inline]
    pub fn has_ret(&self, event: EventId) -> u64 {
        self.detail(event).and_then(|detail| detail.ret.as_ref()).map_or(0, |ret| ret.gate.used)
    }

    /// The same where there is no result: the call has not returned.
    pub fn no_ret_mask(&self, event: EventId) -> u64 {
        !self.has_ret(event)
    }

    /// Scopes that a return value passes.
    pub fn ret_mask(&self, event: EventId, ret: i64) -> u64 {
        match self.detail(event).and_then(|detail| detail.ret.as_ref()) {
            Some(numbers) => numbers.mask(Some(ret.into())),
            None => u64::MAX,
        }
    }

    /// Scopes that constrain the context of this event alone (`openat.context.comm=ls`).
    #[inline]
    pub fn has_event_context(&self, event: EventId) -> u64 {
        self.detail(event).map_or(0, |detail| detail.has_context)
    }

    /// Scopes that a context passes for this event alone; to be ANDed with [`Plan::context_mask`].
    pub fn event_context_mask(&self, event: EventId, subject: &Subject<'_>) -> u64 {
        self.detail(event).map_or(u64::MAX, |detail| detail.context.mask(subject))
    }

    /// Scopes that constrain this event's time, CPU or marks.
    #[inline]
    pub fn has_row(&self, event: EventId) -> u64 {
        self.detail(event).map_or(0, |detail| detail.has_row)
    }

    /// Scopes that a row's own facts pass.
    pub fn row_mask(&self, event: EventId, row: RowFacts) -> u64 {
        let Some(detail) = self.detail(event) else { return u64::MAX };
        detail.row.iter().fold(u64::MAX, |mask, key| {
            mask & match key {
                RowKey::Number(Field::Timestamp, numbers) => numbers.mask(Some(row.wall_ns.into())),
                RowKey::Number(Field::Duration, numbers) => numbers.mask(row.duration_ns.map(i128::from)),
                RowKey::Number(_, numbers) => numbers.mask(Some(row.cpu.into())),
                RowKey::Mark(bits, flag) => flag.mask(Some(row.marks.has(*bits))),
            }
        })
    }
}

/// Whether a filter without an event is asked of every row.
fn is_of_every_row(target: &Target) -> bool {
    matches!(target, Target::Field(field) if field.is_of_row())
}

/// Adds a filter to its scope's filters on the same key.
fn ask<'a>(asked: &mut Vec<Asked<'a>>, bit: u64, filter: &'a Filter) {
    match asked.iter_mut().find(|known| known.bit == bit) {
        Some(known) => known.filters.push(filter),
        None => asked.push(Asked { bit, filters: vec![filter] }),
    }
}
