//! What can be said of many contexts from the values that their keys have, without seeing any context whole.
//!
//! An index lists the distinct values of a block. A scope may match in the block only if, for each key, some value passes;
//! that is never too little, and enough to skip most blocks when what is asked for is rare.

use crate::key::Field;
use crate::plan::Plan;
use crate::predicate::context::{BinaryKey, Key};
use crate::words::Words;

/// Keys of texts that an index lists.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum TextOf {
    Comm,
    Exe,
    Uts,
}

/// Keys of numbers that an index lists.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum NumberOf {
    Pid,
    Tid,
    Ppid,
    Uid,
    MntNs,
    PidNs,
}

impl Plan {
    /// Whether any scope constrains this key, so that its values are worth a look.
    pub fn asks_text(&self, of: TextOf) -> bool {
        self.context_keys().keys.iter().any(|key| of.is(key))
    }

    /// Scopes that a context with this value may pass, as far as the value decides.
    pub fn may_text(&self, of: TextOf, value: &[u8]) -> u64 {
        let keys = self.context_keys().keys.iter().filter(|key| of.is(key));
        keys.fold(u64::MAX, |mask, key| {
            mask & match key {
                Key::Text(_, key) => key.mask(Some(value)),
                Key::Binary(key) => key.may(value),
                _ => u64::MAX,
            }
        }) | self.follow()
    }

    /// The same for numbers.
    pub fn asks_number(&self, of: NumberOf) -> bool {
        self.context_keys().keys.iter().any(|key| of.is(key))
    }

    /// The same for numbers. A thread's id may be asked for as `pid`: of a block's threads ask [`NumberOf::Pid`] too.
    pub fn may_number(&self, of: NumberOf, value: u64) -> u64 {
        let keys = self.context_keys().keys.iter().filter(|key| of.is(key));
        keys.fold(u64::MAX, |mask, key| {
            mask & match key {
                Key::Number(_, key) => key.mask(Some(value.into())),
                Key::Id(key) => key.may(value),
                _ => u64::MAX,
            }
        }) | self.follow()
    }
}

impl TextOf {
    fn is(self, key: &Key) -> bool {
        match self {
            TextOf::Comm => matches!(key, Key::Text(Field::Comm, _)),
            TextOf::Exe => matches!(key, Key::Binary(_)),
            TextOf::Uts => matches!(key, Key::Text(Field::Uts, _)),
        }
    }
}

impl NumberOf {
    fn is(self, key: &Key) -> bool {
        match (self, key) {
            (NumberOf::Uid, Key::Number(field, _)) => *field == Field::Uid,
            (NumberOf::MntNs, Key::Number(field, _)) => *field == Field::MntNs,
            (NumberOf::PidNs, Key::Number(field, _)) => *field == Field::PidNs,
            (NumberOf::Tid, Key::Id(ids)) => ids.field() == Field::Tid,
            (NumberOf::Ppid, Key::Id(ids)) => ids.field() == Field::Ppid,
            (NumberOf::Pid, Key::Id(ids)) => !matches!(ids.field(), Field::Tid | Field::Ppid),
            _ => false,
        }
    }
}

impl BinaryKey {
    /// Scopes that the path may pass in some mount namespace.
    fn may(&self, path: &[u8]) -> u64 {
        let anywhere = self.anywhere.words(path);
        let elsewhere = self.in_namespaces().fold(0, |equal, texts| equal | texts.words(path).equal);
        self.gate.close(Words { equal: anywhere.equal | elsewhere, not: anywhere.not })
    }
}

#[cfg(test)]
mod tests {
    use events::Context;

    use super::*;
    use crate::{ScopeSet, Subject};

    /// Whatever a whole context passes, each of its values may pass.
    #[test]
    fn no_value_is_ruled_out_that_a_context_passes() {
        let filters = [
            "1:comm=ls",
            "2:comm!=ls",
            "3:binary=/usr/bin/l*",
            "4:pid=7",
            "5:pid!=7",
            "6:tid>7",
            "7:uid=0",
            "8:uid!=0",
            "9:mntns=5",
            "10:uts=web*",
            "11:pid=new",
            "12:ppid=1",
            "12:comm=*s",
            "13:comm=id",
            "13:follow",
        ];
        let set = ScopeSet::parse(&filters).expect("filters");
        let plan = Plan::compile(&set);
        for number in 0..64u32 {
            let pick = |shift: u32, yes, no| if number >> shift & 1 == 1 { yes } else { no };
            let context = Context {
                pid: pick(0, 7, 9),
                tid: pick(1, 7, 10),
                ppid: pick(2, 1, 2),
                uid: pick(3, 0, 1000),
                mnt_ns: pick(4, 5, 6),
                comm: if number % 3 == 0 { b"ls" } else { b"id" },
                exe: if number % 5 == 0 { b"/usr/bin/ls" } else { b"/bin/id" },
                uts: if number % 7 == 0 { b"web1" } else { b"db" },
                process_start_ns: u64::from(number),
                ..Context::default()
            };
            let mask = plan.context_mask(&Subject::of(&context));
            let pids = plan.may_number(NumberOf::Pid, context.pid.into())
                | plan.may_number(NumberOf::Pid, context.tid.into());
            let may = plan.may_text(TextOf::Comm, context.comm)
                & plan.may_text(TextOf::Exe, context.exe)
                & plan.may_text(TextOf::Uts, context.uts)
                & plan.may_number(NumberOf::Tid, context.tid.into())
                & plan.may_number(NumberOf::Ppid, context.ppid.into())
                & plan.may_number(NumberOf::Uid, context.uid.into())
                & plan.may_number(NumberOf::MntNs, context.mnt_ns.into())
                & pids;
            assert_eq!(mask & !may, 0, "{context:?}");
        }
        let only = |text: &str| {
            let set = ScopeSet::parse(&[text]).expect("a filter");
            Plan::compile(&set)
        };
        assert_eq!(only("comm=rare").may_text(TextOf::Comm, b"ls"), !1);
        assert_eq!(only("pid=7").may_number(NumberOf::Pid, 8), !1);
        assert!(!only("uid=0").asks_text(TextOf::Comm) && only("uid=0").asks_number(NumberOf::Uid));
    }
}
