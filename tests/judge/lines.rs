//! The log of `strace -f -o`: lines of several threads, put together to whole calls.

use std::collections::HashMap;

use crate::errnos;
use crate::shown::{NotUnderstood, Reader, Shown};

/// One system call that strace saw.
#[derive(Clone, Debug, PartialEq)]
pub struct Call {
    pub tid: u32,
    pub name: String,
    pub arguments: Vec<(String, Shown)>,
    pub result: Outcome,
    /// What strace adds in brackets after the result, without the brackets.
    pub note: Option<String>,
    /// The line, or its two halves.
    pub line: String,
}

#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Outcome {
    Value(i128),
    /// A negated errno.
    Error(i64),
    /// The call did not return (`exit`), or its result was not seen.
    Unknown,
}

/// The calls of a log, each thread's in the order in which they ended.
pub fn calls(log: &str) -> Result<Vec<Call>, NotUnderstood> {
    let mut calls = Vec::new();
    let mut open: HashMap<u32, String> = HashMap::new();
    for line in log.lines() {
        let Some((tid, text)) = line.split_once(' ') else { continue };
        let Ok(tid) = tid.parse::<u32>() else { continue };
        let text = text.trim_start();
        if text.starts_with("+++") || text.starts_with("---") {
            continue;
        }
        if let Some(start) = text.strip_suffix("<unfinished ...>") {
            open.insert(tid, start.trim_end().to_owned());
            continue;
        }
        let whole = match text.strip_prefix("<... ").and_then(|rest| rest.split_once(" resumed>")) {
            Some((_, rest)) => {
                let Some(start) = open.remove(&tid) else {
                    return Err(NotUnderstood(format!("resumed but never begun: {line}")));
                };
                format!("{start}{rest}")
            }
            None => text.to_owned(),
        };
        let call =
            call(tid, &whole).map_err(|NotUnderstood(why)| NotUnderstood(format!("{why} in {whole}")))?;
        calls.push(call);
    }
    // What did not come back when the log ended: `exit_group` of a process with other threads.
    for (tid, start) in open {
        let mut call = call(tid, &format!("{}) = ?", start.trim_end_matches([',', ' '])))?;
        call.result = Outcome::Unknown;
        calls.push(call);
    }
    Ok(calls)
}

/// `name(arguments) = result`.
fn call(tid: u32, line: &str) -> Result<Call, NotUnderstood> {
    let Some((name, rest)) = line.split_once('(') else {
        return Err(NotUnderstood("no bracket after the name".to_owned()));
    };
    let mut reader = Reader::new(rest);
    let arguments = reader.arguments()?;
    let rest = reader.rest().trim_start();
    let Some(result) = rest.strip_prefix('=') else {
        return Err(NotUnderstood("no result".to_owned()));
    };
    let result = result.trim();
    let (value, after) = result.split_once(' ').unwrap_or((result, ""));
    let mut note = None;
    if let Some(start) = after.find('(')
        && let Some(inside) = after.get(start + 1..).and_then(|text| text.strip_suffix(')'))
    {
        note = Some(inside.to_owned());
    }
    let word = after.split([' ', '(']).next().unwrap_or_default();
    let result = match (value, errnos::number(word)) {
        ("-1" | "?", Some(errno)) => Outcome::Error(-errno),
        ("?", None) => Outcome::Unknown,
        _ => match Reader::new(value).value()? {
            Shown::Number(number) => Outcome::Value(number),
            other => return Err(NotUnderstood(format!("a result that is no number: {other:?}"))),
        },
    };
    Ok(Call { tid, name: name.to_owned(), arguments, result, note, line: line.to_owned() })
}
