//! What the model is told, and what it wants done.

use std::ops::Range;
use std::sync::Arc;

use pipeline::Cancellation;
use scopes::Diagnostic;

use crate::answer::Anchor;
use crate::engine::Style;
use crate::key::Key;
use crate::page::Page;
use crate::row::Row;
use crate::study::Study;

/// Something has happened.
#[derive(Debug)]
pub enum Message {
    Key(Key),
    /// The wheel, in lines; or a place that was clicked.
    Scroll(i64),
    Click(u16, u16),
    Paste(String),
    Resize(u16, u16),
    Progress(Box<Progress>),
    /// A question cannot be put.
    Refused {
        version: u64,
        wrong: Vec<Diagnostic>,
    },
    Rows(Rows),
    Detail {
        ticket: u64,
        page: Page,
    },
    Page {
        ticket: u64,
        page: Page,
    },
    /// Values that the filter may go on with.
    Candidates {
        text: String,
        found: Vec<(String, u64)>,
    },
    /// Events that a filter has by itself.
    Count {
        filter: String,
        count: u64,
    },
    /// Where something was found: a text, a parent.
    Found {
        ticket: u64,
        at: Option<Anchor>,
        what: String,
        /// What shows it where the filters do not.
        filter: Option<String>,
    },
    /// Blocks that could not be read.
    Gaps {
        version: u64,
        blocks: usize,
        rows: u64,
    },
    /// The capture has grown.
    Grown,
    Said(String),
    Failed(String),
}

/// How far a question is.
#[derive(Clone, Debug, Default)]
pub struct Progress {
    pub version: u64,
    pub found: u64,
    pub total: u64,
    /// Of all rows, how many were looked at: 0 to 1.
    pub part: f64,
    pub is_final: bool,
    pub from_ns: i64,
    pub to_ns: i64,
    /// Events that match, and all rows, by stretch of the range.
    pub matched: Vec<u64>,
    pub all: Vec<u64>,
}

/// A question to be put.
#[derive(Clone, Debug)]
pub struct Ask {
    pub version: u64,
    pub filters: Vec<String>,
    pub range: Option<Range<i64>>,
    /// Where it begins.
    pub near_wall_ns: Option<i64>,
    pub cancellation: Cancellation,
}

/// A place in an answer.
#[derive(Clone, PartialEq, Debug)]
pub enum Place {
    Row(Anchor),
    /// By its number in the answer, from 0.
    Number(u64),
    Last,
    /// 0 to 1.
    Part(f64),
    /// At this time of the wall clock, or the first one after it.
    Time(i64),
    /// By its number among all events in order of time, from 1.
    Event(u64),
}

/// Rows beside those that match.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Context {
    pub rows: u32,
    pub same_process: bool,
}

/// Rows to be read, or the detail of one.
#[derive(Clone, Debug)]
pub enum Read {
    Rows {
        version: u64,
        ticket: u64,
        place: Place,
        /// So many events further on.
        shift: i64,
        /// Rows before and after it.
        reach: usize,
        context: Context,
        style: Arc<Style>,
    },
    Detail {
        version: u64,
        ticket: u64,
        at: Anchor,
        style: Arc<Style>,
    },
}

/// Rows that were read.
#[derive(Debug, Default)]
pub struct Rows {
    pub version: u64,
    pub ticket: u64,
    pub rows: Vec<Row>,
    /// Which of them was asked for.
    pub cursor: usize,
    /// Numbers of the first and behind the last of them in the answer.
    pub numbers: Range<u64>,
    /// The event that was asked for is not in the answer.
    pub is_beside: bool,
}

/// What is to be done.
#[derive(Debug)]
pub enum Effect {
    Ask(Ask),
    Read(Read),
    Study {
        ticket: u64,
        study: Study,
        style: Arc<Style>,
    },
    /// Gives up what is looked up.
    Cancel,
    Complete(String),
    Count(Vec<String>),
    Find {
        ticket: u64,
        text: String,
        from: Anchor,
        is_backward: bool,
        style: Arc<Style>,
    },
    /// The exec of the parent of the process of an event.
    Parent {
        ticket: u64,
        of: Anchor,
    },
    Copy(String),
    Save {
        path: String,
    },
    Mouse(bool),
    Follow(bool),
    Redraw,
    Suspend,
    Quit,
}
