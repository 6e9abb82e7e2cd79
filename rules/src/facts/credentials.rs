//! Values of what a task acts with.

use events::capability;
use events::context::Credentials;

use crate::form::{CapabilitySet, ProcessFact, Value};

/// Calls `see` with each value of a fact that credentials tell; nothing of other facts. `real`: its real user and group.
pub fn each_value(
    credentials: Option<&Credentials>,
    real: (u32, u32),
    fact: ProcessFact,
    see: &mut dyn FnMut(Value<'_>),
) {
    let id = match (fact, credentials) {
        (ProcessFact::Euid, Some(it)) => it.euid,
        (ProcessFact::Egid, Some(it)) => it.egid,
        (ProcessFact::Suid, Some(it)) => it.suid,
        (ProcessFact::Sgid, Some(it)) => it.sgid,
        (ProcessFact::Fsuid, Some(it)) => it.fsuid,
        (ProcessFact::Fsgid, Some(it)) => it.fsgid,
        (ProcessFact::ActingUid, it) => it.map_or(real.0, |it| it.euid),
        (ProcessFact::ActingGid, it) => it.map_or(real.1, |it| it.egid),
        (ProcessFact::Capabilities(set), Some(it)) => {
            let set = match set {
                CapabilitySet::Effective => it.effective,
                CapabilitySet::Permitted => it.permitted,
                CapabilitySet::Inheritable => it.inheritable,
            };
            let names = capability::members(set).filter_map(capability::name);
            return names.for_each(|name| see(Value::Text(name.as_bytes())));
        }
        _ => return,
    };
    see(Value::Number(id.into()));
}

/// Whether a fact is one of these.
pub const fn tell(fact: ProcessFact) -> bool {
    matches!(
        fact,
        ProcessFact::Euid
            | ProcessFact::Egid
            | ProcessFact::Suid
            | ProcessFact::Sgid
            | ProcessFact::Fsuid
            | ProcessFact::Fsgid
            | ProcessFact::ActingUid
            | ProcessFact::ActingGid
            | ProcessFact::Capabilities(_)
    )
}
