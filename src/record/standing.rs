//! What must be attached so that filters can ask where processes stand: the events that change it, whether they are recorded or not.

use std::collections::BTreeSet;

use events::{EventId, catalogue};
use format::Unavailable;
use format::facts::{Fact, FactSet};
use scopes::Plan;
use scopes::key::Field;
use scopes::select;

use crate::stderr;

/// The facts that some filter asks for.
pub fn asked<'a>(plans: impl Iterator<Item = &'a Plan> + Clone) -> FactSet {
    let asks = |field: Field| plans.clone().any(|plan| plan.asks_field(field));
    let fields = |fact: Fact| match fact {
        Fact::Directory => &[Field::Cwd][..],
        Fact::Session => &[Field::Session],
        Fact::Group => &[Field::Pgid],
        Fact::Terminal => &[Field::Tty],
        Fact::Login => &[Field::LoginUid, Field::AuditSession],
    };
    Fact::ALL.into_iter().filter(|fact| fields(*fact).iter().any(|field| asks(*field))).collect()
}

/// The events to attach: those that are wanted, and those that change what is asked for. `None`: all but what is recorded
/// when it is named only.
pub fn attached(wanted: Option<&BTreeSet<EventId>>, asked: FactSet) -> Option<BTreeSet<EventId>> {
    let mut attached = wanted?.clone();
    let names = asked.iter().flat_map(|fact| fact.needs().iter().chain(fact.uses()));
    attached.extend(names.filter_map(|name| catalogue::by_name(name)).map(|event| event.id));
    Some(attached)
}

/// The facts that can be followed.
pub fn followed(
    attached: Option<&BTreeSet<EventId>>,
    unavailable: &[Unavailable],
    drops_early: bool,
) -> FactSet {
    if drops_early {
        return FactSet::NONE;
    }
    FactSet::told_by(&|name| {
        let Some(event) = catalogue::by_name(name) else { return false };
        let is_attached =
            attached.map_or(!select::is_named_only(event.id), |attached| attached.contains(&event.id));
        is_attached && unavailable.iter().all(|it| it.event != name)
    })
}

/// Says what filters ask for and nobody will know.
pub fn tell(asked: FactSet, followed: FactSet) {
    for fact in asked.iter().filter(|fact| !followed.has(*fact)) {
        let name = fact.name();
        stderr::say(format_args!(
            "{name} are not known in this recording, since not all events that change them can be recorded \
             ({}): filters that ask for them match nothing",
            fact.needs().join(", ")
        ));
    }
}
