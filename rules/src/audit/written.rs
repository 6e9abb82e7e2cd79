//! What a line of auditctl says.

use crate::form::ProcessFact;

/// What a line is.
pub enum Line {
    /// A comment, or empty.
    Nothing,
    /// It sets audit up, and asks for nothing.
    Control,
    Rule(Box<Written>),
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Action {
    Always,
    /// What it takes, lines behind it do not see.
    Never,
}

/// A rule as it is written.
#[derive(Clone, PartialEq, Debug)]
pub struct Written {
    pub line: u32,
    pub text: String,
    pub action: Action,
    /// It goes before those that are there already.
    pub is_first: bool,
    /// Names of calls; all of them when empty.
    pub calls: Vec<String>,
    pub path: Option<Path>,
    pub perms: Option<Perms>,
    pub checks: Vec<Check>,
    pub comparisons: Vec<Comparison>,
    pub key: Option<String>,
    /// It is about calls of 32-bit programs.
    pub is_compat: bool,
}

impl Written {
    /// Whether they say the same of calls of two widths.
    pub fn is_twin_of(&self, other: &Written) -> bool {
        self.is_compat != other.is_compat
            && self.action == other.action
            && self.calls == other.calls
            && self.path == other.path
            && self.perms == other.perms
            && self.checks == other.checks
            && self.comparisons == other.comparisons
            && self.key == other.key
    }
}

/// Two ids of the task that are the same or are not (`-C`).
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Comparison {
    pub one: ProcessFact,
    pub other: ProcessFact,
    pub is_equal: bool,
    /// As it is written: `uid!=euid`.
    pub text: String,
}

#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Path {
    /// This and nothing else.
    File(String),
    /// A folder and all below it.
    Below(String),
    /// A file, or a folder and all below it: which of them it is, is known where it is watched.
    Watch(String),
}

impl Path {
    pub fn text(&self) -> &str {
        match self {
            Path::File(path) | Path::Below(path) | Path::Watch(path) => path,
        }
    }
}

/// What is done with a file.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Perms {
    pub read: bool,
    pub write: bool,
    pub execute: bool,
    pub attributes: bool,
}

impl Perms {
    pub const ALL: Perms = Perms { read: true, write: true, execute: true, attributes: true };
}

#[derive(Clone, PartialEq, Debug)]
pub struct Check {
    pub field: Field,
    pub op: Op,
    pub value: Value,
    /// As it is written: `a1&0x40`.
    pub text: String,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Field {
    Pid,
    ParentPid,
    Uid,
    Gid,
    /// An effective, saved or file-system id.
    Credentials(ProcessFact),
    LoginUid,
    LoginSession,
    Exe,
    Success,
    Exit,
    Argument(u8),
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Op {
    Equal,
    NotEqual,
    Less,
    LessOrEqual,
    Greater,
    GreaterOrEqual,
    AnyBit,
    AllBits,
}

#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Value {
    Number(i64),
    Text(String),
}
