//! A case: what people found out about captures, in one small text file beside them, `CASE.toml`. Captures are evidence and
//! are never written to; what somebody marks, notes and asks of them stands here, and a colleague who has the captures opens
//! the same case.
//!
//! ```toml
//! version = 1
//! title = "Login on web-3"
//!
//! [[capture]]
//! file = "web-3.trz"
//! head = "5c1f..."            # the head of its chain, as `tracer verify` prints it
//!
//! [[mark]]
//! key = "a"                   # the letter that goes to it; left out where there is none
//! capture = 1                 # the first of the captures above
//! block = 12
//! row = 511
//! time = 1668542955041923000  # wall clock, ns since the epoch
//! event = "openat"
//! note = "reads the password file"
//!
//! [[query]]
//! name = "what it opened"
//! filters = ["tree=510", "event=openat"]
//!
//! [report]
//! title = "What happened on web-3"
//! filters = ["tree=510"]
//! stories = ["path=/etc/cron.d/x"]
//! ```

mod file;
mod head;
pub mod signature;

use serde::{Deserialize, Serialize};

pub use file::{Error, FILE_NAME, beside};
pub use head::Head;

/// What this program writes. A file of a later version is refused, since it may say what is not understood here.
pub const VERSION: u32 = 1;

#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Case {
    pub version: u32,
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub title: String,
    #[serde(default, rename = "capture", skip_serializing_if = "Vec::is_empty")]
    pub captures: Vec<CaptureOf>,
    #[serde(default, rename = "mark", skip_serializing_if = "Vec::is_empty")]
    pub marks: Vec<Mark>,
    #[serde(default, rename = "query", skip_serializing_if = "Vec::is_empty")]
    pub queries: Vec<Query>,
    #[serde(default, skip_serializing_if = "Settings::is_empty")]
    pub report: Settings,
}

/// A capture that the case is about.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CaptureOf {
    /// Its name without a folder: the case lies beside it.
    pub file: String,
    /// The head of its chain. Without one (the file was still growing) the name is all that it is known by.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub head: Option<Head>,
}

/// An event that somebody marked, or wrote a note on.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Mark {
    /// The key that goes to it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub key: Option<char>,
    /// Which of the captures, from 1.
    pub capture: usize,
    pub block: u32,
    pub row: u32,
    /// Which of the events that are derived from the row, from 1; 0 is the row itself.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub derived: u16,
    /// Wall clock, ns since the epoch.
    pub time: i64,
    pub event: String,
    /// The process, for people: `bash 510`.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub process: String,
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub note: String,
}

/// Filters that have a name.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Query {
    pub name: String,
    /// As `-f` takes them.
    pub filters: Vec<String>,
}

/// What `tracer report` is to show, unless its command line says something else.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Settings {
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub title: String,
    /// As `-f` takes them.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub filters: Vec<String>,
    /// Files and folders of rules, seen from the folder of the case.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub rules: Vec<String>,
    /// As `tracer story --of` takes them.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub stories: Vec<String>,
    /// As `--from` and `--to` take them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub from: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub to: Option<String>,
}

fn is_zero(number: &u16) -> bool {
    *number == 0
}

impl Settings {
    pub fn is_empty(&self) -> bool {
        *self == Settings::default()
    }
}

impl Default for Case {
    fn default() -> Case {
        Case {
            version: VERSION,
            title: String::new(),
            captures: Vec::new(),
            marks: Vec::new(),
            queries: Vec::new(),
            report: Settings::default(),
        }
    }
}

impl Case {
    /// The query of this name.
    pub fn query(&self, name: &str) -> Option<&Query> {
        self.queries.iter().find(|query| query.name == name)
    }

    /// Keeps filters under a name, in place of those that had it.
    pub fn keep_query(&mut self, name: &str, filters: Vec<String>) {
        match self.queries.iter_mut().find(|query| query.name == name) {
            Some(known) => known.filters = filters,
            None => self.queries.push(Query { name: name.to_owned(), filters }),
        }
    }

    /// The number of a capture, from 1; it is added where the case does not know it. One that was known by its name alone gets
    /// its head, and one whose file has another name by now is known by its head.
    pub fn capture(&mut self, file: &str, head: Option<Head>) -> usize {
        if let Some(at) = self.place(file, head.as_ref()) {
            if let Some(known) = self.captures.get_mut(at - 1)
                && known.head.is_none()
            {
                known.head = head;
            }
            return at;
        }
        self.captures.push(CaptureOf { file: file.to_owned(), head });
        self.captures.len()
    }

    /// The number of a capture that the case knows, from 1.
    pub fn place(&self, file: &str, head: Option<&Head>) -> Option<usize> {
        let by_head =
            head.and_then(|head| self.captures.iter().position(|it| it.head.as_ref() == Some(head)));
        // A file of this name with another head is another capture.
        let is_named = |it: &CaptureOf| it.file == file && (it.head.is_none() || head.is_none());
        by_head.or_else(|| self.captures.iter().position(is_named)).map(|at| at + 1)
    }

    /// Sets a mark. A key goes to one place only, and an event has one mark.
    pub fn mark(&mut self, mark: Mark) {
        self.marks.retain(|known| {
            let is_taken = mark.key.is_some() && known.key == mark.key;
            !is_taken && !known.is_at(&mark)
        });
        self.marks.push(mark);
        self.marks.sort_by_key(|it| (it.time, it.capture, it.block, it.row, it.derived));
    }
}

impl Mark {
    /// Whether both are of one event.
    pub fn is_at(&self, other: &Mark) -> bool {
        let place = |it: &Mark| (it.capture, it.block, it.row, it.derived);
        place(self) == place(other)
    }
}
