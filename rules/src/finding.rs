//! What a rule found, with what leads back to it.

/// A finding.
#[derive(Clone, PartialEq, Debug)]
pub struct Finding {
    /// Number of the rule among those that were asked.
    pub rule: usize,
    /// Of its last event: wall clock, ns since the epoch.
    pub wall_ns: i64,
    pub host: String,
    pub process: Actor,
    /// Parent first.
    pub ancestry: Vec<Ancestor>,
    pub container: Option<Container>,
    /// In order of time.
    pub events: Vec<Seen>,
    /// What the events have in common, of rules that group.
    pub group: Vec<(String, String)>,
    /// What a count came to.
    pub count: Option<f64>,
    /// What the rule's own template makes of it.
    pub output: Option<Output>,
}

/// A template, filled.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Output {
    pub text: String,
    /// The fields that it names, with their values where they have one.
    pub fields: Vec<(String, Option<String>)>,
}

/// Who did it.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Actor {
    pub pid: u32,
    pub start_ns: u64,
    pub name: String,
    pub exe: String,
    pub command_line: String,
    pub uid: u32,
    pub user: Option<String>,
    /// As it was at that moment; `None` of what is not known.
    pub cwd: Option<String>,
    pub session: Option<u32>,
    pub pgrp: Option<u32>,
    /// The name of its terminal; empty where it has none.
    pub tty: Option<String>,
    pub loginuid: Option<u32>,
}

#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Ancestor {
    pub pid: u32,
    pub name: String,
    pub exe: String,
}

#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Container {
    pub id: String,
    pub name: String,
    pub image: String,
}

/// An event of a finding.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Seen {
    pub name: &'static str,
    pub wall_ns: i64,
    /// The capture as it was named, the block's number in it and the row's in that.
    pub file: String,
    pub block: usize,
    pub row: u32,
    /// Among all events in order of time, from 1, as `explain --event` counts; where blocks of several hosts overlap it is
    /// not known.
    pub number: Option<u64>,
    pub deciding: Vec<Deciding>,
}

/// A test that held, and the value that made it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Deciding {
    pub field: String,
    /// As the rule writes it.
    pub written: String,
    pub value: String,
}
