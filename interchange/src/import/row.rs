//! An event of a log as the JSON that captures are made from: see [`replay::import::Line`].

use jiff::Timestamp;
use replay::render::json_text;
use serde_json::{Map, Value, json};

/// Who did it, as far as a log says; what it does not say is 0 or nothing.
#[derive(Clone, Debug, Default)]
pub struct Task {
    pub pid: u32,
    pub tid: u32,
    pub ppid: u32,
    pub uid: u32,
    pub comm: Value,
    pub exe: Value,
    pub host: Value,
    pub container: Container,
}

/// The container of a task; nothing for tasks of the host.
#[derive(Clone, Debug, Default)]
pub struct Container {
    pub id: String,
    pub name: String,
    pub image: String,
    pub pod_name: String,
    pub pod_namespace: String,
    pub pod_uid: String,
}

/// The keys that every event has.
pub fn row(task: &Task, wall_ns: u64, name: &str, ret: i64) -> Map<String, Value> {
    let text = |value: &Value| if value.is_string() { value.clone() } else { Value::String(String::new()) };
    let Container { id, name: container, image, pod_name, pod_namespace, pod_uid } = &task.container;
    let row = json!({
        "timestamp": wall_ns,
        "processId": task.pid, "threadId": task.tid, "parentProcessId": task.ppid,
        "hostProcessId": task.pid, "hostThreadId": task.tid, "hostParentProcessId": task.ppid,
        "userId": task.uid,
        "processName": text(&task.comm),
        "executable": { "path": text(&task.exe) },
        "hostName": text(&task.host),
        "containerId": id, "containerName": container, "containerImage": image,
        "podName": pod_name, "podNamespace": pod_namespace, "podUID": pod_uid,
        "eventName": name,
        "returnValue": ret,
    });
    match row {
        Value::Object(row) => row,
        _ => Map::new(),
    }
}

pub fn argument(name: &str, ctype: &str, value: Value) -> Value {
    json!({ "name": name, "type": ctype, "value": value })
}

/// Text of a log as JSON's text keeps it, no byte lost.
pub fn text_of(bytes: &[u8]) -> Value {
    let mut quoted = Vec::new();
    json_text::quoted(bytes, &mut quoted);
    serde_json::from_slice(&quoted).unwrap_or_default()
}

/// What the kernel has as the name of a task that runs the program at `path`: 15 bytes of its last part.
pub fn comm_of(path: &str) -> &str {
    let name = path.rsplit('/').next().unwrap_or(path);
    let end = (0..=name.len().min(15)).rev().find(|end| name.is_char_boundary(*end)).unwrap_or(0);
    &name[..end]
}

/// A command line of which the log does not say where its arguments end: cut at blanks, so that these put it together again.
pub fn argv_of(command_line: &str) -> Value {
    command_line.split(' ').map(Value::from).collect()
}

/// ns since the epoch of a time such as `2022-02-01T18:01:56.411Z`.
pub fn wall_ns(time: &str) -> Result<u64, String> {
    let time: Timestamp = time.parse().map_err(|error| format!("{time:?} is no time: {error}"))?;
    u64::try_from(time.as_nanosecond()).map_err(|_| format!("{time} lies before 1970"))
}

/// An address and port with the members that a socket address is shown by.
pub fn address(ip: &str, port: u64) -> Option<Value> {
    Some(match ip.parse().ok()? {
        std::net::IpAddr::V4(ip) => {
            json!({ "sa_family": "AF_INET", "sin_port": port.to_string(), "sin_addr": ip.to_string() })
        }
        std::net::IpAddr::V6(ip) => json!({
            "sa_family": "AF_INET6", "sin6_port": port.to_string(), "sin6_flowinfo": "0",
            "sin6_addr": ip.to_string(), "sin6_scopeid": "0",
        }),
    })
}

/// The event of a program that was begun.
pub fn exec(task: &Task, wall_ns: u64, path: &str, argv: Value) -> Map<String, Value> {
    let mut row = row(task, wall_ns, "sched_process_exec", 0);
    let args = vec![
        argument("cmdpath", "const char*", path.into()),
        argument("pathname", "const char*", path.into()),
        argument("argv", "const char**", argv),
    ];
    row.insert("args".to_owned(), args.into());
    row
}

/// The event of a process that ended.
pub fn exit(task: &Task, wall_ns: u64, code: i64, signal: u64) -> Map<String, Value> {
    let mut row = row(task, wall_ns, "sched_process_exit", 0);
    let args =
        vec![argument("exit_code", "long", code.into()), argument("signal_code", "long", signal.into())];
    row.insert("args".to_owned(), args.into());
    row
}

/// A name that filters can ask: what stands between letters and digits is one `_`.
pub fn name_of(text: &str) -> String {
    let mut name = String::with_capacity(text.len());
    for character in text.chars() {
        if character.is_ascii_alphanumeric() {
            name.push(character.to_ascii_lowercase());
        } else if !name.ends_with('_') {
            name.push('_');
        }
    }
    name.trim_matches('_').to_owned()
}
