//! Text of `strace -f -tt` or `-ttt`, with or without `-T`, `-yy` and `-v`. Calls that were interrupted by others are put
//! together again; each event stands where its call ended, as recorded ones do.

mod line;
mod processes;
mod value;

use std::collections::{BTreeMap, VecDeque};
use std::io::{self, BufRead};

use events::{Event, catalogue};
use replay::import::{Line, Log, bounded_line};
use serde_json::{Map, Value, json};

use super::row::{Task, exec, exit, row};
use line::{Clock, Said};
use processes::Processes;

/// A log of strace.
#[derive(Debug)]
pub struct Strace<R> {
    log: R,
    number: u64,
    text: Vec<u8>,
    clock: Clock,
    processes: Processes,
    /// Calls that have begun, by thread: what was said of each so far.
    unfinished: BTreeMap<u32, Vec<u8>>,
    /// Bytes of all of them.
    unfinished_bytes: usize,
    ready: VecDeque<Line>,
}

/// Threads whose calls may be under way at once, and what these take: a log that goes on beginning calls is no log of strace.
const UNFINISHED: usize = 65_536;
const UNFINISHED_BYTES: usize = 64 << 20;

impl<R: BufRead> Strace<R> {
    /// `midnight`: seconds since the epoch at which the day of the log began, for times that have no date.
    pub fn new(log: R, midnight: i64) -> Strace<R> {
        Strace {
            log,
            number: 0,
            text: Vec::new(),
            clock: Clock::new(midnight),
            processes: Processes::default(),
            unfinished: BTreeMap::new(),
            unfinished_bytes: 0,
            ready: VecDeque::new(),
        }
    }
}

impl<R: BufRead> Log for Strace<R> {
    fn kind(&self) -> &'static str {
        "strace"
    }

    fn unknown(&self) -> &'static [&'static str] {
        &[
            "uid",
            "containers",
            "namespaces",
            "comm and executable before the first exec",
            "processor",
            "start of processes",
        ]
    }

    fn next(&mut self) -> io::Result<Option<(u64, Result<Line, String>)>> {
        loop {
            if let Some(line) = self.ready.pop_front() {
                return Ok(Some((self.number, Ok(line))));
            }
            self.number += 1;
            match bounded_line(&mut self.log, &mut self.text)? {
                None => return Ok(None),
                Some(Err(reason)) => return Ok(Some((self.number, Err(reason)))),
                Some(Ok(())) => {}
            }
            let text = std::mem::take(&mut self.text);
            let read = self.read(text.trim_ascii());
            self.text = text;
            if let Err(reason) = read {
                return Ok(Some((self.number, Err(reason))));
            }
        }
    }
}

impl<R> Strace<R> {
    fn read(&mut self, text: &[u8]) -> Result<(), String> {
        // Its own messages stand between the calls.
        if text.is_empty() || text.starts_with(b"strace: ") {
            return Ok(());
        }
        let head = self.clock.head(text)?;
        let tid = self.processes.thread(head.tid, head.comm)?;
        match line::said(head.rest)? {
            Said::Call { name, arguments, result } => {
                // The line has the time at which the call began, and a row that at which it ended.
                let took_ns = value::duration_ns(result).and_then(|ns| i64::try_from(ns).ok()).unwrap_or(0);
                self.call(tid, head.wall_ns.saturating_add(took_ns), name, arguments, result)
            }
            Said::Unfinished(begun) => {
                self.finish(tid);
                if self.unfinished.len() >= UNFINISHED
                    || self.unfinished_bytes + begun.len() > UNFINISHED_BYTES
                {
                    return Err(format!(
                        "more than {UNFINISHED} calls, or {UNFINISHED_BYTES} bytes of them, are unfinished"
                    ));
                }
                self.unfinished_bytes += begun.len();
                self.unfinished.insert(tid, begun.to_vec());
                Ok(())
            }
            Said::Resumed { name, rest } => {
                // One that began before the log did is told with what is known of it.
                let mut whole = self.finish(tid).unwrap_or_else(|| [name, b"("].concat());
                whole.extend_from_slice(rest);
                match line::said(&whole)? {
                    Said::Call { name, arguments, result } => {
                        self.call(tid, head.wall_ns, name, arguments, result)
                    }
                    _ => Err("a call is resumed and does not end".to_owned()),
                }
            }
            Said::Exited(code) => {
                self.exit(tid, head.wall_ns, code, 0);
                Ok(())
            }
            Said::Killed { signal, dumped } => {
                let number =
                    events::Names::Signal.parse(signal).ok_or_else(|| format!("no signal {signal}"))?;
                self.exit(tid, head.wall_ns, 0, number | if dumped { 0x80 } else { 0 });
                Ok(())
            }
            Said::Signal => Ok(()),
        }
    }

    /// What was said of the call that a thread has begun.
    fn finish(&mut self, tid: u32) -> Option<Vec<u8>> {
        let begun = self.unfinished.remove(&tid)?;
        self.unfinished_bytes -= begun.len();
        Some(begun)
    }

    fn call(
        &mut self,
        tid: u32,
        wall_ns: i64,
        name: &[u8],
        arguments: &[u8],
        result: &[u8],
    ) -> Result<(), String> {
        let name = std::str::from_utf8(name).map_err(|_| "a call whose name is no text".to_owned())?;
        let declared = catalogue::by_name(name).filter(|event| event.is_syscall());
        let ret = value::result(result)?;
        let (args, cut) = match declared {
            Some(event) => named(event, arguments),
            None => unnamed(arguments),
        };
        // Of `?` nothing came back: the call did not return.
        let returned = ret.unwrap_or(0);
        let mut line = self.line(tid, wall_ns, name, returned);
        line.insert("syscall".to_owned(), name.into());
        line.insert("args".to_owned(), args);
        if let Some(ns) = value::duration_ns(result) {
            line.insert("duration".to_owned(), ns.into());
        }
        if !cut.is_empty() {
            line.insert("marks".to_owned(), json!({ "cut": cut }));
        }
        let argument = |key: &str| argument(&line, key);
        let succeeded = returned >= 0 && ret.is_some();
        let begun = (succeeded && matches!(name, "execve" | "execveat")).then(|| {
            (
                argument("pathname").and_then(Value::as_str).unwrap_or_default().to_owned(),
                argument("argv").cloned(),
            )
        });
        let shares =
            argument("flags").and_then(Value::as_str).is_some_and(|flags| flags.contains("CLONE_THREAD"));
        self.put(line)?;
        if let Some((path, argv)) = begun {
            self.processes.exec(tid, &path);
            let line = exec(&self.task(tid), wall_ns.max(0) as u64, &path, argv.unwrap_or(Value::Null));
            self.put(line)?;
        }
        if succeeded && returned > 0 && matches!(name, "clone" | "clone3" | "fork" | "vfork") {
            self.processes.fork(tid, returned as u32, shares);
        }
        Ok(())
    }

    fn exit(&mut self, tid: u32, wall_ns: i64, code: i64, signal: u64) {
        self.finish(tid);
        let line = exit(&self.task(tid), wall_ns.max(0) as u64, code, signal);
        // What is put together here reads.
        let _ = self.put(line);
        self.processes.exit(tid);
    }

    fn put(&mut self, line: Map<String, Value>) -> Result<(), String> {
        self.ready.push_back(Line::of_json(Value::Object(line))?);
        Ok(())
    }

    fn line(&self, tid: u32, wall_ns: i64, name: &str, ret: i64) -> Map<String, Value> {
        row(&self.task(tid), wall_ns.max(0) as u64, name, ret)
    }

    fn task(&self, tid: u32) -> Task {
        let process = self.processes.of(tid);
        Task {
            pid: process.pid,
            tid,
            ppid: process.ppid,
            comm: process.comm.into(),
            exe: process.exe.into(),
            ..Task::default()
        }
    }
}

fn argument<'a>(line: &'a Map<String, Value>, name: &str) -> Option<&'a Value> {
    line.get("args")?.as_array()?.iter().find(|argument| argument["name"] == name)?.get("value")
}

/// Arguments in the catalogue's order, or by the names that strace gives (`clone(child_stack=NULL, flags=...)`); and the
/// names of those that were cut.
fn named(event: &Event, arguments: &[u8]) -> (Value, Vec<&'static str>) {
    let (mut args, mut cut) = (Vec::new(), Vec::new());
    for (position, text) in value::split(arguments).into_iter().enumerate() {
        let (name, text) = value::name_of(text);
        let declared = match name {
            Some(name) => {
                event.args.iter().find(|arg| arg.name.as_bytes() == name || value::also(arg.name, name))
            }
            None => event.listed_args().get(position),
        };
        let Some(declared) = declared else { continue };
        let mut is_cut = false;
        let value = value::of_kind(declared.kind, text, &mut is_cut);
        if is_cut {
            cut.push(declared.name);
        }
        args.push(json!({ "name": declared.name, "type": declared.ctype, "value": value }));
    }
    (Value::Array(args), cut)
}

/// Arguments of a call that the catalogue does not have, by position.
fn unnamed(arguments: &[u8]) -> (Value, Vec<&'static str>) {
    let args = value::split(arguments).into_iter().enumerate().map(|(position, text)| {
        let text = String::from_utf8_lossy(text);
        json!({ "name": format!("arg{position}"), "type": "text", "value": text })
    });
    (args.collect(), Vec::new())
}

#[cfg(test)]
mod tests;
