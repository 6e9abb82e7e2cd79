//! `.scap` files, whoever wrote them: both layouts (calls as pairs of events, or their ends only), all versions of events and
//! tables. Which parameters an event has is told by their number, never by a version.
//!
//! A call is told where it ended; one that had not ended is told where it began. Threads are known by the process table and
//! by the clones and execs since; so are descriptors, by theirs and by the calls that open and close them.

mod blocks;
mod call;
mod cursor;
mod event;
mod state;
mod tables;
mod value;

use std::collections::{BTreeMap, VecDeque};
use std::io::{self, BufRead};

use format::Side;
use replay::import::{Line, Log};
use serde_json::{Map, Value};

use crate::scap::{block, number};
use blocks::Blocks;
use event::Raw;
use state::State;

/// A `.scap` file, unpacked.
#[derive(Debug)]
pub struct Scap<R> {
    blocks: Blocks<R>,
    reader: Reader,
    offset: u64,
    is_over: bool,
}

impl<R: BufRead> Scap<R> {
    pub fn new(file: R) -> Scap<R> {
        Scap { blocks: Blocks::new(file), reader: Reader::default(), offset: 0, is_over: false }
    }
}

impl<R: BufRead> Log for Scap<R> {
    fn kind(&self) -> &'static str {
        "scap"
    }

    fn unknown(&self) -> &'static [&'static str] {
        &[
            "uid after it was changed by what is not in the file",
            "namespaces but pids",
            "cgroups but containers",
            "arguments of calls that the format has no event for",
            "what was cut",
        ]
    }

    fn place(&self) -> &'static str {
        "byte"
    }

    fn sides(&mut self) -> Vec<Side> {
        self.reader.state.sides()
    }

    fn next(&mut self) -> io::Result<Option<(u64, Result<Line, String>)>> {
        loop {
            if let Some(line) = self.reader.ready.pop_front() {
                return Ok(Some((self.offset, Line::of_json(Value::Object(line)))));
            }
            if self.is_over {
                return Ok(None);
            }
            match self.blocks.next()? {
                None => {
                    self.is_over = true;
                    self.reader.unfinished();
                }
                Some(Err(reason)) => {
                    // Nothing follows what is no block; what was begun before it is told.
                    self.offset = self.blocks.offset();
                    self.reader.unfinished();
                    return Ok(Some((self.offset, Err(reason))));
                }
                Some(Ok(block)) => {
                    self.offset = block.offset;
                    if let Err(reason) = self.reader.block(block.kind, self.blocks.body()) {
                        return Ok(Some((self.offset, Err(reason))));
                    }
                }
            }
        }
    }
}

/// Calls that may be under way at once, and what these take: of a file that goes on beginning calls, the oldest are told as
/// having begun.
const BEGUN: usize = 65_536;
const BEGUN_BYTES: usize = 64 << 20;

/// Turns blocks into events.
#[derive(Debug, Default)]
struct Reader {
    state: State,
    sections: u32,
    /// Events that tell that a call begins, as they stand, by thread.
    begun: BTreeMap<u32, Begun>,
    begun_bytes: usize,
    ready: VecDeque<Map<String, Value>>,
}

#[derive(Debug)]
struct Begun {
    kind: u32,
    number: u16,
    body: Vec<u8>,
}

impl Reader {
    fn block(&mut self, kind: u32, body: &[u8]) -> Result<(), String> {
        let is_first = self.sections <= 1;
        let unread = |what: &str| format!("{what} that does not read");
        match kind {
            block::SECTION => {
                self.sections += 1;
                if self.sections > 1 {
                    self.unfinished();
                    self.state.forget();
                }
            }
            block::MACHINE => self.state.host = tables::host(body).ok_or_else(|| unread("a machine"))?,
            block::DESCRIPTORS | block::DESCRIPTORS_V1 => {
                let (tid, all) =
                    tables::descriptors(kind, body).ok_or_else(|| unread("a table of descriptors"))?;
                self.state.table(tid, all, is_first);
            }
            block::USERS | block::USERS_V1 => {
                self.state.users(tables::users(kind, body).ok_or_else(|| unread("a table of users"))?);
            }
            kind if block::PROCESSES.contains(&kind) => {
                let tasks = tables::tasks(kind, body).ok_or_else(|| unread("a process table"))?;
                self.state.tasks(tasks, is_first)?;
            }
            kind if block::INTERFACES.contains(&kind) => {}
            block::EVENT_V1
            | block::EVENT_FLAGS_V1
            | block::EVENT
            | block::EVENT_FLAGS
            | block::EVENT_LARGE
            | block::EVENT_FLAGS_LARGE => self.event(kind, body)?,
            other => return Err(format!("a block of kind {other:#x}, which is not known")),
        }
        Ok(())
    }

    fn event(&mut self, kind: u32, body: &[u8]) -> Result<(), String> {
        let raw = Raw::read(kind, body)?;
        let Some(pair) = crate::scap::events::pair(raw.number) else {
            return Err(format!("an event of number {}, which is not known", raw.number));
        };
        let tid = u32::try_from(raw.tid).unwrap_or(0);
        if matches!(raw.number, number::PROCESS_EXIT | number::PROCESS_EXIT_V1) {
            self.told(tid);
            return self.process_exit(&raw, tid);
        }
        if !is_call(raw.number) {
            self.other(pair.name, &raw, tid);
            return Ok(());
        }
        if raw.is_exit() {
            let begun = self.finish(tid);
            let begun = match begun {
                Some(begun) if begun.number + 1 == raw.number => Some(begun),
                Some(begun) => {
                    self.begun_only(&begun, tid)?;
                    None
                }
                None => None,
            };
            let enter = match &begun {
                Some(begun) => Some(Raw::read(begun.kind, &begun.body)?),
                None => None,
            };
            return self.call(enter.as_ref(), Some(&raw), tid);
        }
        self.told(tid);
        if self.begun.len() >= BEGUN || self.begun_bytes + body.len() > BEGUN_BYTES {
            self.unfinished();
        }
        self.begun_bytes += body.len();
        self.begun.insert(tid, Begun { kind, number: raw.number, body: body.to_vec() });
        Ok(())
    }

    /// The call that a thread has begun.
    fn finish(&mut self, tid: u32) -> Option<Begun> {
        let begun = self.begun.remove(&tid)?;
        self.begun_bytes -= begun.body.len();
        Some(begun)
    }

    /// A call of which no end follows is told as it began.
    fn told(&mut self, tid: u32) {
        if let Some(begun) = self.finish(tid) {
            // It read when it came.
            let _ = self.begun_only(&begun, tid);
        }
    }

    fn begun_only(&mut self, begun: &Begun, tid: u32) -> Result<(), String> {
        let raw = Raw::read(begun.kind, &begun.body)?;
        self.call(Some(&raw), None, tid)
    }

    /// Tells the calls that had not ended.
    fn unfinished(&mut self) {
        for tid in self.begun.keys().copied().collect::<Vec<_>>() {
            self.told(tid);
        }
    }
}

/// Whether an event is of a system call.
fn is_call(number: u16) -> bool {
    number & !1 == number::GENERIC || crate::scap::calls::of_number(number).is_some()
}

#[cfg(test)]
mod tests;
