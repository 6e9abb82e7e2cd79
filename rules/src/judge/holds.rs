//! What of a program holds for a row.

use events::Marks;

use super::columns::Row;
use crate::class::Guard;
use crate::compile::Node;
use crate::form::{Test, same};

/// `O_CREAT`, and which of read and write an open is for.
const O_CREAT: u64 = 0o100;

const O_ACCMODE: u64 = 3;

/// A file that an open made has changed no longer ago than this.
const CREATED_WITHIN_NS: u64 = 100_000_000;

/// Rows behind the one of a hook among which its call's is looked for.
const CALL_WITHIN_ROWS: usize = 256;

impl Row<'_, '_> {
    /// The flags that an open was given. Where the call's exit stands in for the hook, the file's own flags no longer have
    /// those that open asks for once: the call's row, which follows, has them. `None` where nothing tells.
    fn open_flags(&self) -> Option<u64> {
        let is_stand_in = self.block.marks().ok()?.get(self.row as usize)? & Marks::STAND_IN != 0;
        if !is_stand_in {
            return self.number("flags");
        }
        let (codes, contexts) = (self.block.event_codes().ok()?, self.block.contexts().ok()?);
        let context_codes = self.block.context_codes().ok()?;
        let from = self.row as usize + 1;
        for row in from..codes.len().min(from + CALL_WITHIN_ROWS) {
            let context = contexts.get(*context_codes.get(row)?)?;
            if context.tid != self.context.tid {
                continue;
            }
            let code = *codes.get(row)?;
            let event = events::catalogue::by_id(*self.block.event_list().get(usize::from(code))?)?;
            if !matches!(event.name, "open" | "openat" | "openat2" | "creat") {
                continue;
            }
            if event.name == "creat" {
                return Some(O_CREAT);
            }
            let ordinal = codes.get(..row)?.iter().filter(|other| **other == code).count();
            return match self.block.args(code).get(ordinal, event.arg("flags")?.0) {
                Ok(events::Raw::Number(flags)) => Some(flags),
                _ => None,
            };
        }
        None
    }

    /// Programs that may take the row.
    pub fn triggered(&self) -> Vec<u32> {
        let programs = self.judged.programs;
        let mut triggered = programs.unguarded.clone();
        for (number, _) in programs.columns.iter().enumerate().filter(|(_, column)| column.guards) {
            for atom in self.judged.held(number, self).iter() {
                triggered.extend(programs.guarded.get(*atom as usize).into_iter().flatten());
            }
        }
        triggered.sort_unstable();
        triggered.dedup();
        triggered
    }

    pub fn holds(&self, node: &Node) -> bool {
        match node {
            Node::Const(value) => *value,
            Node::Not(inner) => !self.holds(inner),
            Node::All(parts) => parts.iter().all(|part| self.holds(part)),
            Node::Any(parts) => parts.iter().any(|part| self.holds(part)),
            Node::Atom(atom) => {
                let column = self.judged.programs.column_of.get(*atom as usize).copied().unwrap_or_default();
                self.judged.held(column as usize, self).contains(atom)
            }
            Node::Time(atom) => {
                let test = self.judged.programs.atoms.get(*atom as usize).map(|atom| &atom.test);
                test.is_some_and(|test| test.passes(crate::form::Value::Number(self.wall_ns.into())))
            }
            Node::Same(atom, own, other) => {
                let Some(Test::SameAs(_, case, shape)) =
                    self.judged.programs.atoms.get(*atom as usize).map(|atom| &atom.test)
                else {
                    return false;
                };
                let mut holds = false;
                self.each_value(own, &mut |left| {
                    self.each_value(other, &mut |right| holds |= same(left, right, *case, *shape));
                });
                holds
            }
        }
    }

    pub fn passes(&self, guard: Guard) -> bool {
        match guard {
            Guard::All => true,
            Guard::Success => self.ret >= 0,
            Guard::WholeProcess => match self.number("process_group_exit") {
                Some(whole) => whole != 0,
                None => self.context.pid == self.context.tid,
            },
            Guard::Flags { argument, mask, bits, success } => {
                (!success || self.ret >= 0) && self.number(argument).is_some_and(|flags| flags & mask == bits)
            }
            Guard::Created => {
                let changed = self.number("ctime").map(|ctime| ctime as i64);
                changed.is_some_and(|ctime| self.wall_ns.abs_diff(ctime) <= CREATED_WITHIN_NS)
                    && self.open_flags().is_none_or(|flags| flags & O_CREAT != 0)
            }
            Guard::ForWriting { argument, success } => {
                let mode = self.number(argument).map(|flags| flags & O_ACCMODE);
                (!success || self.ret >= 0) && matches!(mode, Some(1 | 2))
            }
            Guard::State { old, new } => {
                self.number("old_state") == Some(old)
                    && self.number("new_state").is_some_and(|it| new.contains(&it))
            }
        }
    }
}
