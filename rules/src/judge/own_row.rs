//! A row by what its block holds of it, without anything that is known of processes over time.

use events::{Context, Event, Marks, Raw};
use format::Block;
use pipeline::derive::DerivedRow;

use super::At;
use super::columns::Judged;
use crate::access::OfRow;
use crate::class::Guard;
use crate::compile::Node;
use crate::form::{Test, Value};

/// `O_CREAT`, and which of read and write an open is for.
const O_CREAT: u64 = 0o100;

const O_ACCMODE: u64 = 3;

/// A file that an open made has changed no longer ago than this.
const CREATED_WITHIN_NS: u64 = 100_000_000;

/// Rows behind the one of a hook among which its call's is looked for.
const CALL_WITHIN_ROWS: usize = 256;

#[derive(Clone, Copy)]
pub struct OwnRow<'r, 'b> {
    pub at: At<'r>,
    pub block: &'r Block,
    pub judged: &'r Judged<'r, 'b>,
    pub row: u32,
    /// Its number among the rows of its event.
    pub ordinal: usize,
    pub context_code: u16,
    pub context: &'r Context<'r>,
    /// Boot clock.
    pub time_ns: u64,
    pub wall_ns: i64,
    /// On the clock that orders rows of all hosts.
    pub key_ns: u64,
    pub ret: i64,
    /// The row that is judged where it is derived; all else is that of the row which it is derived from.
    pub derived: Option<DerivedRow<'r>>,
}

/// What is known of a node by the row alone.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Truth {
    No,
    /// It goes by what is known of processes, hosts or users.
    Open,
    Yes,
}

impl Truth {
    fn of(holds: bool) -> Truth {
        if holds { Truth::Yes } else { Truth::No }
    }

    pub fn not(self) -> Truth {
        match self {
            Truth::No => Truth::Yes,
            Truth::Open => Truth::Open,
            Truth::Yes => Truth::No,
        }
    }
}

impl OwnRow<'_, '_> {
    /// What a node comes to as far as the row alone tells.
    pub fn truth(&self, node: &Node) -> Truth {
        match node {
            Node::Const(value) => Truth::of(*value),
            Node::Not(inner) => self.truth(inner).not(),
            Node::All(parts) => {
                let mut all = Truth::Yes;
                for part in parts {
                    match self.truth(part) {
                        Truth::No => return Truth::No,
                        Truth::Open => all = Truth::Open,
                        Truth::Yes => {}
                    }
                }
                all
            }
            Node::Any(parts) => {
                let mut any = Truth::No;
                for part in parts {
                    match self.truth(part) {
                        Truth::Yes => return Truth::Yes,
                        Truth::Open => any = Truth::Open,
                        Truth::No => {}
                    }
                }
                any
            }
            Node::Atom(atom) => {
                let column = self.judged.programs.column_of.get(*atom as usize).copied().unwrap_or_default();
                match self.judged.own(column as usize, self.ordinal, self.context_code) {
                    Some(answer) => Truth::of(self.judged.answer_has(column as usize, answer, *atom)),
                    None => Truth::Open,
                }
            }
            Node::Time(atom) => Truth::of(self.is_at(*atom)),
            Node::Same(..) => Truth::Open,
        }
    }

    /// Whether the row's time is what an atom asks for.
    pub fn is_at(&self, atom: u32) -> bool {
        let test: Option<&Test> = self.judged.programs.atoms.get(atom as usize).map(|atom| &atom.test);
        test.is_some_and(|test| test.passes(Value::Number(self.wall_ns.into())))
    }

    pub fn number(&self, name: &str) -> Option<u64> {
        match self.arg(self.judged.programs.event.arg(name)?.0) {
            Raw::Number(number) => Some(number),
            _ => None,
        }
    }

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
                Ok(Raw::Number(flags)) => Some(flags),
                _ => None,
            };
        }
        None
    }

    /// Whether an open of which it is not recorded if it made its file seems to have made it.
    fn seems_created(&self) -> bool {
        let event = self.judged.programs.event;
        if event.is_syscall() {
            let asks = event.name == "creat" || self.asked_flags().is_some_and(|flags| flags & O_CREAT != 0);
            return self.ret >= 0 && asks;
        }
        let changed = self.number("ctime").map(|ctime| ctime as i64);
        changed.is_some_and(|ctime| self.wall_ns.abs_diff(ctime) <= CREATED_WITHIN_NS)
            && self.open_flags().is_none_or(|flags| flags & O_CREAT != 0)
    }

    /// The flags of an open's own row, which `openat2` has in a structure that begins with them.
    fn asked_flags(&self) -> Option<u64> {
        let event = self.judged.programs.event;
        match event.arg("how").map(|(position, _)| self.arg(position)) {
            Some(Raw::Bytes(how)) => how.first_chunk().map(|flags| u64::from_le_bytes(*flags)),
            Some(_) => None,
            None => self.number("flags"),
        }
    }

    /// Whether the row is one of those that a program's class means.
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
            Guard::Created => match self.number("created") {
                Some(created) => created != 0,
                None => self.seems_created(),
            },
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

impl OfRow for OwnRow<'_, '_> {
    fn event(&self) -> &'static Event {
        self.judged.programs.event
    }

    fn arg(&self, position: usize) -> Raw<'_> {
        match &self.derived {
            Some(derived) => derived.args.get(position),
            None => self.judged.argument(position).get(self.ordinal),
        }
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
        self.at.host.containers().get(self.context.cgroup_id)
    }

    fn host(&self) -> &str {
        &self.at.host.name
    }
}
