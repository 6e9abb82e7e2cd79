//! A finding as a line of OCSF 1.8.0: class 2004, Detection Finding.

use std::io::{self, Write};

use rules::finding::{Finding, Seen};
use rules::{Level, Rule};
use serde_json::{Map, Value, json};

pub fn write(finding: &Finding, rule: &Rule, out: &mut impl Write) -> io::Result<()> {
    serde_json::to_writer(&mut *out, &value(finding, rule))?;
    out.write_all(b"\n")
}

fn value(finding: &Finding, rule: &Rule) -> Value {
    let (severity_id, severity) = severity(rule.level);
    let ms = |wall_ns: i64| wall_ns.div_euclid(1_000_000);
    let first = finding.events.first().map_or(finding.wall_ns, |seen| seen.wall_ns);
    let attacks: Vec<Value> = rule
        .techniques()
        .map(|id| match id.split_once('.') {
            Some((technique, _)) => json!({"technique": {"uid": technique}, "sub_technique": {"uid": id}}),
            None => json!({"technique": {"uid": id}}),
        })
        .collect();
    let mut info = json!({
        "uid": uid(finding, rule),
        "title": rule.title,
        "desc": rule.description,
        "types": [rule.language.name()],
        "analytic": {"uid": rule.id, "name": rule.title, "type": "Rule", "type_id": 1},
        "created_time": ms(finding.wall_ns),
        "first_seen_time": ms(first),
        "last_seen_time": ms(finding.wall_ns),
    });
    if let Some(info) = info.as_object_mut().filter(|_| !attacks.is_empty()) {
        info.insert("attacks".into(), Value::Array(attacks));
    }
    json!({
        "category_uid": 2,
        "category_name": "Findings",
        "class_uid": 2004,
        "class_name": "Detection Finding",
        "activity_id": 1,
        "activity_name": "Create",
        "type_uid": 200_401,
        "type_name": "Detection Finding: Create",
        "time": ms(finding.wall_ns),
        "severity_id": severity_id,
        "severity": severity,
        "status_id": 1,
        "status": "New",
        "is_alert": rule.level >= Level::Medium,
        "message": rule.title,
        "metadata": {
            "version": "1.8.0",
            "product": {"name": "tracer", "version": env!("CARGO_PKG_VERSION"), "vendor_name": "tracer"},
            "profiles": ["container", "host"],
        },
        "device": {"hostname": finding.host, "type_id": 0, "type": "Unknown"},
        "finding_info": info,
        "evidences": evidences(finding),
    })
}

fn severity(level: Level) -> (u8, &'static str) {
    match level {
        Level::Info => (1, "Informational"),
        Level::Low => (2, "Low"),
        Level::Medium => (3, "Medium"),
        Level::High => (4, "High"),
        Level::Critical => (5, "Critical"),
    }
}

/// Where it was found: the same finding has the same one whenever it is looked for.
fn uid(finding: &Finding, rule: &Rule) -> String {
    let last = finding.events.last();
    let (block, row) = last.map_or((0, 0), |seen| (seen.block, seen.row));
    format!("{}/{}/{}/{block}/{row}", rule.id, finding.host, finding.wall_ns)
}

fn evidences(finding: &Finding) -> Vec<Value> {
    let process = process(finding);
    let of = |seen: &Seen| {
        let mut evidence = Map::new();
        evidence.insert("process".into(), process.clone());
        let decided: Map<String, Value> =
            seen.deciding.iter().map(|it| (it.field.clone(), json!(it.value))).collect();
        let value = |field: &str| seen.deciding.iter().find(|it| it.field == field).map(|it| &it.value);
        if let Some(path) = value("path").or_else(|| value("pathname")) {
            evidence
                .insert("file".into(), json!({"path": path, "name": path.rsplit('/').next(), "type_id": 1}));
        }
        if let Some(address) = value("remote address") {
            let port = value("remote port").and_then(|port| port.parse::<u16>().ok());
            evidence.insert("dst_endpoint".into(), json!({"ip": address, "port": port}));
        }
        if let Some(container) = &finding.container {
            let image = json!({"name": container.image});
            evidence.insert(
                "container".into(),
                json!({"uid": container.id, "name": container.name, "image": image}),
            );
        }
        evidence.insert(
            "data".into(),
            json!({
                "event": seen.name,
                "number": seen.number,
                "file": seen.file,
                "block": seen.block,
                "row": seen.row,
                "matched": decided,
            }),
        );
        Value::Object(evidence)
    };
    finding.events.iter().map(of).collect()
}

/// With its ancestors, each within the one that it started.
fn process(finding: &Finding) -> Value {
    let mut above = Value::Null;
    for ancestor in finding.ancestry.iter().rev() {
        let mut process = json!({"pid": ancestor.pid, "name": ancestor.name, "file": file(&ancestor.exe)});
        if let Some(fields) = process.as_object_mut().filter(|_| !above.is_null()) {
            fields.insert("parent_process".into(), above);
        }
        above = process;
    }
    let it = &finding.process;
    let mut process = json!({
        "pid": it.pid,
        "name": it.name,
        "cmd_line": it.command_line,
        "file": file(&it.exe),
        "user": {"uid": it.uid.to_string(), "name": it.user},
    });
    if let Some(fields) = process.as_object_mut().filter(|_| !above.is_null()) {
        fields.insert("parent_process".into(), above);
    }
    process
}

fn file(path: &str) -> Value {
    json!({"path": path, "name": path.rsplit('/').next(), "type_id": 1})
}
