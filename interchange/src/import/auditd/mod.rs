//! The audit daemon's log as it is on disk (`/var/log/audit/audit.log`, `ausearch --raw`), enriched or not.
//!
//! An event is several records of one time and serial, and records of several events stand among each other. They are held
//! until records are two seconds newer, as long as the daemon's own reader waits, and 64 events are, and told in order of
//! time and serial.

mod call;
mod paths;
mod record;

use std::collections::{BTreeMap, VecDeque};
use std::io::{self, BufRead};

use replay::import::{Line, Log, bounded_line};
use serde_json::{Value, json};

use super::row::{Task, argument, row, text_of};
use record::{Record, Stamp};

/// An audit log.
#[derive(Debug)]
pub struct Auditd<R> {
    log: R,
    number: u64,
    text: Vec<u8>,
    /// Events whose records may still come.
    pending: BTreeMap<Stamp, Vec<Record>>,
    /// Of all of them.
    pending_bytes: usize,
    newest_ns: u64,
    has_ended: bool,
    ready: VecDeque<Result<Line, String>>,
}

/// How long records of an event are waited for, in the log's own time.
const WAIT_NS: u64 = 2_000_000_000;
/// And how many newer events: in a quiet log two seconds may pass from one line to the next.
const WAIT_EVENTS: usize = 64;
/// What is held at once; the oldest event is told when there is more.
const PENDING: usize = 16_384;
const PENDING_BYTES: usize = 64 << 20;

impl<R: BufRead> Auditd<R> {
    pub fn new(log: R) -> Auditd<R> {
        Auditd {
            log,
            number: 0,
            text: Vec::new(),
            pending: BTreeMap::new(),
            pending_bytes: 0,
            newest_ns: 0,
            has_ended: false,
            ready: VecDeque::new(),
        }
    }

    fn take(&mut self, text: &[u8]) -> Result<(), String> {
        let (stamp, record) = record::read(text)?;
        self.newest_ns = self.newest_ns.max(stamp.wall_ns);
        // It says that no record follows, and nothing else.
        if record.kind == "EOE" {
            return Ok(());
        }
        self.pending_bytes += record.size();
        self.pending.entry(stamp).or_default().push(record);
        Ok(())
    }

    /// Tells the oldest event, where no record of it can come any more.
    fn tell(&mut self) {
        let Some((stamp, _)) = self.pending.first_key_value() else { return };
        let is_older =
            self.newest_ns.saturating_sub(stamp.wall_ns) > WAIT_NS && self.pending.len() > WAIT_EVENTS;
        let is_complete = self.has_ended || is_older;
        if !is_complete && self.pending.len() <= PENDING && self.pending_bytes <= PENDING_BYTES {
            return;
        }
        if let Some((stamp, records)) = self.pending.pop_first() {
            let bytes = records.iter().map(Record::size).sum();
            self.pending_bytes = self.pending_bytes.saturating_sub(bytes);
            self.ready.extend(events(&stamp, &records));
        }
    }
}

impl<R: BufRead> Log for Auditd<R> {
    fn kind(&self) -> &'static str {
        "auditd"
    }

    fn unknown(&self) -> &'static [&'static str] {
        &[
            "what no audit rule asked for",
            "threads",
            "arguments behind the fourth, and what pointers lead to but paths, argv and one address",
            "namespaces",
            "containers",
            "processor",
            "start of processes",
            "times below a millisecond",
        ]
    }

    fn next(&mut self) -> io::Result<Option<(u64, Result<Line, String>)>> {
        loop {
            if let Some(line) = self.ready.pop_front() {
                return Ok(Some((self.number, line)));
            }
            self.tell();
            if !self.ready.is_empty() {
                continue;
            }
            if self.has_ended {
                return match self.pending.is_empty() {
                    true => Ok(None),
                    false => continue,
                };
            }
            self.number += 1;
            match bounded_line(&mut self.log, &mut self.text)? {
                None => {
                    self.has_ended = true;
                    continue;
                }
                Some(Err(reason)) => return Ok(Some((self.number, Err(reason)))),
                Some(Ok(())) => {}
            }
            let text = std::mem::take(&mut self.text);
            // ausearch puts lines between the events.
            let is_between =
                text.trim_ascii().is_empty() || text.starts_with(b"----") || text.starts_with(b"time->");
            let read = if is_between { Ok(()) } else { self.take(&text) };
            self.text = text;
            if let Err(reason) = read {
                return Ok(Some((self.number, Err(reason))));
            }
        }
    }
}

/// Who a record is of.
fn task(stamp: &Stamp, record: &Record) -> Task {
    let id = |name: &str| record.number(name).and_then(|id| u32::try_from(id).ok()).unwrap_or(0);
    let text = |name: &str| record.bytes(name).map_or(Value::Null, |bytes| text_of(&bytes));
    Task {
        pid: id("pid"),
        // The log has no threads.
        tid: id("pid"),
        ppid: id("ppid"),
        uid: id("uid"),
        comm: text("comm"),
        exe: text("exe"),
        host: match &stamp.node[..] {
            [] => Value::Null,
            node => text_of(node),
        },
        ..Task::default()
    }
}

/// Records that only say more of a call, and are in it.
const OF_CALLS: [&str; 6] = ["SYSCALL", "CWD", "PATH", "EXECVE", "SOCKADDR", "PROCTITLE"];

/// The events of what was logged under one stamp.
fn events(stamp: &Stamp, records: &[Record]) -> Vec<Result<Line, String>> {
    let call = records.iter().find(|record| record.kind == "SYSCALL");
    let told = call.and_then(|call| call::events(stamp, call, records));
    let is_call = told.is_some();
    let mut lines = match told {
        Some(Ok(lines)) => lines.into_iter().map(Ok).collect(),
        Some(Err(reason)) => vec![Err(reason)],
        None => Vec::new(),
    };
    // The others are events of their own, by the task that made the call.
    let others = records.iter().filter(|record| !is_call || !OF_CALLS.contains(&&record.kind[..]));
    lines.extend(others.map(|record| message(stamp, record, call)));
    lines
}

/// A record as an event: `audit_user_login` with the record's fields as arguments.
fn message(stamp: &Stamp, record: &Record, call: Option<&Record>) -> Result<Line, String> {
    let kind: String = record
        .kind
        .chars()
        .map(|character| if character.is_ascii_alphanumeric() { character.to_ascii_lowercase() } else { '_' })
        .collect();
    let task = task(stamp, if record.field("pid").is_some() { record } else { call.unwrap_or(record) });
    let succeeded = record.field("res").and_then(|text| text.word());
    let ret = if matches!(succeeded, Some("failed" | "0")) { -1 } else { 0 };
    let mut line = row(&task, stamp.wall_ns, &format!("audit_{}", kind.trim_end_matches('_')), ret);
    let mut args: Vec<Value> = Vec::new();
    for (name, text) in &record.fields {
        let is_known = args.iter().any(|argument| argument["name"] == name[..]);
        if !is_known && args.len() < ARGUMENTS {
            args.push(argument(name, "const char*", said(name, text)));
        }
    }
    line.insert("args".to_owned(), args.into());
    if call.is_some_and(|call| call.field("key").is_some()) || record.field("key").is_some() {
        let keys = record.bytes("key").or_else(|| call.and_then(|call| call.bytes("key")));
        line.insert(
            "matchedPolicies".to_owned(),
            json!(keys.iter().map(|key| text_of(key)).collect::<Vec<_>>()),
        );
    }
    Line::of_json(Value::Object(line))
}

/// Arguments of one event; a record has a dozen.
const ARGUMENTS: usize = 48;

/// Fields that the kernel or libaudit writes in hex where their text could be mistaken.
const ENCODED: [&str; 19] = [
    "acct",
    "comm",
    "exe",
    "name",
    "cwd",
    "proctitle",
    "cmd",
    "key",
    "data",
    "path",
    "dir",
    "file",
    "vm",
    "old-disk",
    "new-disk",
    "grp",
    "device",
    "new_group",
    "old",
];

fn said(name: &str, text: &record::Text) -> Value {
    match text.decoded() {
        None => Value::Null,
        Some(bytes) if ENCODED.contains(&name) => text_of(&bytes),
        Some(_) => text_of(text.as_written()),
    }
}

#[cfg(test)]
mod tests;
