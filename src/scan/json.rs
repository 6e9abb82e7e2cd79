//! A finding as a line of JSON.

use std::io::{self, Write};

use jiff::Timestamp;
use rules::Rule;
use rules::finding::{Finding, Seen};
use serde_json::{Value, json};

pub fn write(finding: &Finding, rule: &Rule, out: &mut impl Write) -> io::Result<()> {
    serde_json::to_writer(&mut *out, &value(finding, rule))?;
    out.write_all(b"\n")
}

/// The same, with its line feed. Large numbers are strings for readers that keep numbers as doubles.
#[cfg(feature = "record")]
pub fn line(finding: &Finding, rule: &Rule, string_numbers: bool) -> Vec<u8> {
    let mut value = value(finding, rule);
    if string_numbers && let Some(timestamp) = value.get_mut("timestamp") {
        *timestamp = json!(finding.wall_ns.to_string());
    }
    let mut line = value.to_string().into_bytes();
    line.push(b'\n');
    line
}

fn value(finding: &Finding, rule: &Rule) -> Value {
    let process = &finding.process;
    let ancestors: Vec<Value> =
        finding.ancestry.iter().map(|it| json!({"pid": it.pid, "name": it.name, "exe": it.exe})).collect();
    let mut value = json!({
        "rule": {
            "id": rule.id,
            "title": rule.title,
            "level": rule.level.name(),
            "source": rule.language.name(),
            "authors": rule.authors,
            "tags": rule.tags,
            "file": &*rule.place.file,
            "line": rule.place.line,
        },
        "severity": rule.level.name(),
        "time": time(finding.wall_ns),
        "timestamp": finding.wall_ns,
        "host": finding.host,
        "process": {
            "pid": process.pid,
            "name": process.name,
            "exe": process.exe,
            "commandLine": process.command_line,
            "uid": process.uid,
            "user": process.user,
            "cwd": process.cwd,
            "session": process.session,
            "pgrp": process.pgrp,
            "tty": process.tty,
            "loginuid": process.loginuid,
            "ancestors": ancestors,
        },
        "events": finding.events.iter().map(event).collect::<Vec<_>>(),
    });
    let Some(fields) = value.as_object_mut() else { return value };
    if let Some(container) = &finding.container {
        let of = json!({"id": container.id, "name": container.name, "image": container.image});
        fields.insert("container".into(), of);
    }
    if !finding.group.is_empty() {
        let group: serde_json::Map<String, Value> =
            finding.group.iter().map(|(name, value)| (name.clone(), json!(value))).collect();
        fields.insert("group".into(), Value::Object(group));
    }
    if let Some(output) = &finding.output {
        let output: serde_json::Map<String, Value> =
            output.fields.iter().map(|(name, value)| (name.clone(), json!(value))).collect();
        fields.insert("output".into(), Value::Object(output));
    }
    if let Some(count) = finding.count {
        fields.insert("count".into(), json!(count));
    }
    value
}

fn event(seen: &Seen) -> Value {
    let matched: Vec<Value> = seen
        .deciding
        .iter()
        .map(|it| json!({"field": it.field, "test": it.written, "value": it.value}))
        .collect();
    json!({
        "number": seen.number,
        "name": seen.name,
        "time": time(seen.wall_ns),
        "file": seen.file,
        "block": seen.block,
        "row": seen.row,
        "matched": matched,
    })
}

pub fn time(wall_ns: i64) -> String {
    Timestamp::from_nanosecond(wall_ns.into()).map_or_else(|_| wall_ns.to_string(), |time| time.to_string())
}
