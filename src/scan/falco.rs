//! A finding as a line of JSON as Falco has it: its output is filled from the rule's template.

use std::io::{self, Write};

use rules::finding::Finding;
use rules::{Level, Rule};
use serde_json::{Map, Value, json};

use super::json::time;

pub fn write(finding: &Finding, rule: &Rule, out: &mut impl Write) -> io::Result<()> {
    serde_json::to_writer(&mut *out, &value(finding, rule))?;
    out.write_all(b"\n")
}

fn value(finding: &Finding, rule: &Rule) -> Value {
    let process = &finding.process;
    let text = match &finding.output {
        Some(output) => output.text.clone(),
        None => format!(
            "{} (process={} pid={} command={})",
            rule.title, process.name, process.pid, process.command_line
        ),
    };
    let clock = finding.wall_ns.rem_euclid(1_000_000_000);
    let at = time(finding.wall_ns);
    let priority = priority(rule.level);
    let mut fields = Map::new();
    fields.insert("evt.time".into(), json!(finding.wall_ns));
    fields.insert("proc.name".into(), json!(process.name));
    fields.insert("proc.pid".into(), json!(process.pid));
    fields.insert("proc.cmdline".into(), json!(process.command_line));
    fields.insert("user.uid".into(), json!(process.uid));
    for (name, value) in finding.output.iter().flat_map(|output| &output.fields) {
        fields.insert(name.clone(), value.as_ref().map_or(Value::Null, |value| json!(value)));
    }
    // `12:00:01.000000005: Warning ...`
    let second = at.get(11..19).unwrap_or_default();
    json!({
        "hostname": finding.host,
        "output": format!("{second}.{clock:09}: {priority} {text}"),
        "output_fields": fields,
        "priority": priority,
        "rule": rule.id,
        "source": "syscall",
        "tags": rule.tags,
        "time": at,
    })
}

fn priority(level: Level) -> &'static str {
    match level {
        Level::Info => "Notice",
        Level::Low => "Informational",
        Level::Medium => "Warning",
        Level::High => "Error",
        Level::Critical => "Critical",
    }
}
