//! What the capture holds of a call, as `tracer replay -o json` prints it.

use std::collections::{HashMap, HashSet};
use std::io::BufRead;

use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use serde_json::Value;

/// A value of the capture.
#[derive(Clone, Debug, PartialEq)]
pub enum Held {
    Missing,
    Number(i128),
    /// A string of the JSON: text, bytes in base64, or a name.
    Text(String),
    /// Bytes that were read out of others.
    Bytes(Vec<u8>),
    List(Vec<Held>),
    Members(Vec<(String, Held)>),
}

/// One recorded system call.
#[derive(Clone, Debug)]
pub struct Row {
    pub name: String,
    pub result: i64,
    pub event: &'static events::Event,
    pub arguments: Vec<Held>,
}

/// The system calls of each of these threads, in the order of time.
pub fn rows(json: impl BufRead, tids: &HashSet<u32>) -> Result<HashMap<u32, Vec<Row>>, String> {
    let mut threads: HashMap<u32, Vec<Row>> = HashMap::new();
    for line in json.lines() {
        let line = line.map_err(|error| error.to_string())?;
        // Only a few lines of a busy machine are worth reading whole.
        if !tid(&line).is_some_and(|tid| tids.contains(&tid)) {
            continue;
        }
        let value: Value = serde_json::from_str(&line).map_err(|error| format!("{error} in {line}"))?;
        let name = value.get("eventName").and_then(Value::as_str).unwrap_or_default();
        let Some(event) = events::catalogue::by_name(name) else { continue };
        if !event.is_syscall() {
            continue;
        }
        let number = |key: &str| value.get(key).and_then(Value::as_i64).ok_or(format!("no {key} in {line}"));
        let tid = u32::try_from(number("hostThreadId")?).map_err(|error| error.to_string())?;
        let arguments = value.get("args").and_then(Value::as_array).cloned().unwrap_or_default();
        let arguments = arguments.iter().map(|json| held(json.get("value").unwrap_or(&Value::Null)));
        let row = Row {
            name: name.to_owned(),
            result: number("returnValue")?,
            event,
            arguments: arguments.collect(),
        };
        threads.entry(tid).or_default().push(row);
    }
    Ok(threads)
}

/// The thread of a line, without reading the line whole.
fn tid(line: &str) -> Option<u32> {
    let (_, rest) = line.split_once("\"hostThreadId\":")?;
    rest.split(|c: char| !c.is_ascii_digit()).next()?.parse().ok()
}

impl Held {
    /// The same with another value in every place; `None` where there is no value.
    pub fn wrong(&self) -> Option<Held> {
        match self {
            Held::Missing => None,
            Held::Number(number) => Some(Held::Number(number + 1)),
            Held::Text(_) | Held::Bytes(_) => {
                let mut bytes = self.meanings().into_iter().next().unwrap_or_default();
                match bytes.first_mut() {
                    Some(first) => *first ^= 0xff,
                    None => bytes.push(b'?'),
                }
                Some(Held::Bytes(bytes))
            }
            Held::List(elements) => {
                let wrong: Vec<Held> = elements.iter().filter_map(Held::wrong).collect();
                (!wrong.is_empty()).then_some(Held::List(wrong))
            }
            Held::Members(members) => {
                let wrong = |(name, value): &(String, Held)| Some((name.clone(), value.wrong()?));
                let wrong: Vec<(String, Held)> = members.iter().filter_map(wrong).collect();
                (!wrong.is_empty()).then_some(Held::Members(wrong))
            }
        }
    }

    /// What a string may stand for: what it is in base64, and its text as bytes. Only strings have such meanings.
    pub fn meanings(&self) -> Vec<Vec<u8>> {
        match self {
            Held::Bytes(bytes) => vec![bytes.clone()],
            Held::Text(text) => {
                let mut meanings: Vec<Vec<u8>> = BASE64_STANDARD.decode(text).into_iter().collect();
                meanings.push(replay::render::json_text::bytes_of(text));
                meanings
            }
            _ => Vec::new(),
        }
    }
}

fn held(value: &Value) -> Held {
    match value {
        Value::Null => Held::Missing,
        Value::Bool(truth) => Held::Number(i128::from(*truth)),
        Value::Number(number) => Held::Number(number.as_i128().unwrap_or_default()),
        Value::String(text) => Held::Text(text.clone()),
        Value::Array(elements) => Held::List(elements.iter().map(held).collect()),
        Value::Object(members) => {
            Held::Members(members.iter().map(|(name, value)| (name.clone(), held(value))).collect())
        }
    }
}
