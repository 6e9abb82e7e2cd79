//! What is looked up beside the table: pages that take their time, and can be given up.

use crate::answer::Anchor;
use crate::page::Page;

/// What a page is to be about.
#[derive(Clone, PartialEq, Debug)]
pub enum Study {
    /// Which filter of each scope let an event pass or stopped it.
    Explain(Anchor),
    /// Who started whom, down to the process of an event.
    Lineage(Anchor),
    /// All processes.
    Tree(Option<(u32, u64)>),
    /// What led to an event, and what came of it.
    Story(Anchor),
    /// What a host was at a moment, wall clock ns.
    State(Kind, i64),
    Findings,
    Losses,
    /// What can be copied: what is at hand, and what is looked up of an event.
    Copy(Anchor, Box<Page>),
    /// Sums of what the answer has.
    Sums(Group),
}

/// Objects of a state.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Kind {
    Processes,
    Descriptors,
    Sockets,
    Mounts,
    Containers,
}

/// What events are summed by.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Group {
    Processes,
    Files,
    Directories,
    Connections,
    Containers,
    Events,
    Errors,
    Users,
    Names,
    Hosts,
}

impl Kind {
    pub const ALL: [(Kind, &'static str); 5] = [
        (Kind::Processes, "processes"),
        (Kind::Descriptors, "open files"),
        (Kind::Sockets, "sockets"),
        (Kind::Mounts, "mounts"),
        (Kind::Containers, "containers"),
    ];
}
