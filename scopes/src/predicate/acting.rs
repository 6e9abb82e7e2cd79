//! What a task acts with, and where its process stands. What is not known passes no filter.

use events::Context;
use events::context::Credentials;
use events::terminal::DeviceName;

use crate::key::Field;
use crate::predicate::number::Intervals;
use crate::predicate::number::ranges;
use crate::predicate::{Asked, gate};
use crate::words::{Gate, Words};

/// The number of a field; `None` of what is not known, and of fields that are no numbers.
pub(crate) fn number(field: Field, context: &Context<'_>) -> Option<u64> {
    let of = |id: fn(&Credentials) -> u32| context.credentials.as_ref().map(id).map(u64::from);
    let standing = &context.standing;
    match field {
        Field::Gid => Some(context.gid.into()),
        Field::Euid => of(|it| it.euid),
        Field::Egid => of(|it| it.egid),
        Field::Suid => of(|it| it.suid),
        Field::Sgid => of(|it| it.sgid),
        Field::Fsuid => of(|it| it.fsuid),
        Field::Fsgid => of(|it| it.fsgid),
        Field::Session => standing.session.map(u64::from),
        Field::Pgid => standing.group.map(u64::from),
        Field::LoginUid => standing.login_uid.map(u64::from),
        Field::AuditSession => standing.audit_session.map(u64::from),
        _ => None,
    }
}

/// The set of capabilities that a field is about.
pub(crate) fn capabilities(field: Field, context: &Context<'_>) -> Option<u64> {
    let it = context.credentials.as_ref()?;
    Some(match field {
        Field::Cap => it.effective,
        Field::CapPermitted => it.permitted,
        Field::CapInheritable => it.inheritable,
        Field::CapBounding => it.bounding,
        Field::CapAmbient => it.ambient,
        _ => return None,
    })
}

/// The text of a field, which may have to be made.
pub(crate) fn text<R>(field: Field, context: &Context<'_>, see: impl FnOnce(Option<&[u8]>) -> R) -> R {
    match (field, context.standing.terminal) {
        (Field::Tty, Some(terminal)) => see(Some(DeviceName(terminal).to_string().as_bytes())),
        (Field::Cwd, _) => see(context.standing.cwd),
        _ => see(None),
    }
}

/// Members of a set: it passes when it has one of those that are asked for, and none that is excluded.
#[derive(Debug)]
pub(crate) struct MembersKey {
    gate: Gate,
    members: Intervals,
}

impl MembersKey {
    pub fn new(asked: &[Asked<'_>]) -> MembersKey {
        MembersKey { gate: gate(asked), members: Intervals::new(&ranges(asked, false)) }
    }

    pub fn mask(&self, set: Option<u64>) -> u64 {
        let Some(set) = set else { return !self.gate.used };
        let mut words = Words::default();
        for member in (0..u64::BITS).filter(|member| set >> member & 1 != 0) {
            words.add(self.members.words(member.into()));
        }
        self.gate.close(words)
    }
}
