//! Falco's alerts as JSON: one event an alert, `falco_alert`, with the fields of its output as arguments. The rule is the
//! policy that it matched.

use serde_json::{Map, Value};

use super::row::{Container, Task, argument, name_of, row, wall_ns};

/// What it never says.
pub const UNKNOWN: [&str; 5] = [
    "events that no rule matched",
    "fields that no output has",
    "namespaces",
    "processor",
    "start of processes",
];

pub fn read(object: &Value) -> Result<Vec<Map<String, Value>>, String> {
    let rule = text(object, "rule").ok_or("it has no rule")?;
    let fields = object.get("output_fields").and_then(Value::as_object).ok_or("it has no output_fields")?;
    let field = |name: &str| fields.get(name).filter(|value| !value.is_null());
    let wall_ns = match text(object, "time") {
        Some(time) => wall_ns(time)?,
        None => field("evt.time").and_then(Value::as_u64).ok_or("it has no time")?,
    };
    let task = task(object, fields);
    let mut row = row(&task, wall_ns, "falco_alert", 0);
    let mut args = vec![argument("rule", "const char*", rule.into())];
    for name in ["priority", "output", "source", "tags"] {
        args.push(argument(name, "", object[name].clone()));
    }
    for (name, value) in fields {
        args.push(argument(&name_of(name), "", value.clone()));
    }
    row.insert("args".to_owned(), args.into());
    row.insert("matchedPolicies".to_owned(), vec![Value::from(rule)].into());
    if let Some(call) = field("evt.type").and_then(Value::as_str) {
        row.insert("syscall".to_owned(), call.into());
    }
    Ok(vec![row])
}

fn task(object: &Value, fields: &Map<String, Value>) -> Task {
    let id = |name: &str| {
        fields.get(name).and_then(Value::as_u64).and_then(|id| u32::try_from(id).ok()).unwrap_or(0)
    };
    let said = |name: &str| fields.get(name).and_then(Value::as_str).unwrap_or_default().to_owned();
    let container = match said("container.full_id") {
        id if id.is_empty() => said("container.id"),
        id => id,
    };
    Task {
        pid: id("proc.pid"),
        tid: Some(id("thread.tid")).filter(|tid| *tid != 0).unwrap_or(id("proc.pid")),
        ppid: id("proc.ppid"),
        uid: id("user.uid"),
        comm: said("proc.name").into(),
        exe: said("proc.exepath").into(),
        host: text(object, "hostname").unwrap_or_default().into(),
        container: Container {
            // What it calls those that are in none.
            id: if container == "host" { String::new() } else { container },
            name: said("container.name"),
            image: said("container.image"),
            pod_name: said("k8s.pod.name"),
            pod_namespace: said("k8s.ns.name"),
            pod_uid: said("k8s.pod.uid"),
        },
    }
}

fn text<'a>(object: &'a Value, name: &str) -> Option<&'a str> {
    object.get(name)?.as_str()
}
