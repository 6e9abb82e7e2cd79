//! Tetragon's JSON: `process_exec`, `process_exit`, `process_kprobe` and the others of its export.

use events::catalogue;
use serde_json::{Map, Value};

use super::row::{Container, Task, address, argument, argv_of, comm_of, exec, exit, name_of, row, wall_ns};

/// What it never says.
pub const UNKNOWN: [&str; 7] = [
    "what no tracing policy asked for",
    "where arguments of a command line begin and end",
    "namespaces",
    "processor",
    "cgroup (a number stands for each container)",
    "start of threads",
    "results of calls without a return probe",
];

pub fn read(object: &Value) -> Result<Vec<Map<String, Value>>, String> {
    let members = object.as_object().ok_or("no object")?;
    let (kind, event) = members
        .iter()
        .find(|(name, _)| name.starts_with("process_"))
        .ok_or("no process_exec, process_exit, process_kprobe or other event in it")?;
    let time = text(object, "time").or_else(|| text(&event["process"], "start_time"));
    let wall_ns = wall_ns(time.ok_or("it has no time")?)?;
    let process = &event["process"];
    let task = task(object, process, &event["parent"]);
    Ok(vec![match &kind[..] {
        "process_exec" => {
            let binary = text(process, "binary").unwrap_or_default();
            let argv = match text(process, "arguments").filter(|arguments| !arguments.is_empty()) {
                Some(arguments) => argv_of(&format!("{binary} {arguments}")),
                None => argv_of(binary),
            };
            exec(&task, wall_ns, binary, argv)
        }
        "process_exit" => {
            let signal =
                text(event, "signal").and_then(|name| events::Names::Signal.parse(name)).unwrap_or(0);
            exit(&task, wall_ns, event["status"].as_i64().unwrap_or(0), signal)
        }
        "process_kprobe" => probe(&task, wall_ns, event),
        "process_tracepoint" => {
            let name = format!(
                "tracepoint_{}_{}",
                text(event, "subsys").unwrap_or_default(),
                text(event, "event").unwrap_or_default()
            );
            other(&task, wall_ns, &name_of(&name), event)
        }
        "process_connect" => connect(&task, wall_ns, event),
        kind => other(&task, wall_ns, &format!("tetragon_{}", name_of(kind)), event),
    }])
}

fn task(object: &Value, process: &Value, parent: &Value) -> Task {
    let id = |value: &Value| value.as_u64().and_then(|id| u32::try_from(id).ok()).unwrap_or(0);
    let binary = text(process, "binary").unwrap_or_default();
    let pod = &process["pod"];
    let container = &pod["container"];
    let said = |value: &Value, name: &str| text(value, name).unwrap_or_default().to_owned();
    let full_id = said(container, "id");
    Task {
        pid: id(&process["pid"]),
        tid: Some(id(&process["tid"])).filter(|tid| *tid != 0).unwrap_or(id(&process["pid"])),
        ppid: id(&parent["pid"]),
        uid: id(&process["uid"]),
        comm: comm_of(binary).into(),
        exe: binary.into(),
        host: text(object, "node_name").unwrap_or_default().into(),
        container: Container {
            // `containerd://ID`.
            id: match full_id.split_once("://") {
                Some((_, id)) => id.to_owned(),
                None if full_id.is_empty() => said(process, "docker"),
                None => full_id,
            },
            name: said(container, "name"),
            image: said(&container["image"], "name"),
            pod_name: said(pod, "name"),
            pod_namespace: said(pod, "namespace"),
            pod_uid: said(pod, "uid"),
        },
    }
}

/// A call by its name in the kernel, such as `__x64_sys_openat`, is a call of the catalogue; other functions are events of
/// their own.
fn probe(task: &Task, wall_ns: u64, event: &Value) -> Map<String, Value> {
    let function = text(event, "function_name").unwrap_or_default();
    let call = ["__x64_sys_", "__arm64_sys_", "__ia32_sys_", "__se_sys_", "sys_"]
        .iter()
        .find_map(|prefix| function.strip_prefix(prefix))
        .and_then(catalogue::by_name)
        .filter(|event| event.is_syscall());
    let ret = value_of(&event["return"]).and_then(|value| value.as_i64()).unwrap_or(0);
    let args = event["args"].as_array().map_or(&[][..], Vec::as_slice);
    let Some(declared) = call else {
        let mut row = row(task, wall_ns, &format!("kprobe_{}", name_of(function)), ret);
        let args = args.iter().enumerate().map(|(position, arg)| {
            let name = text(arg, "label").map_or_else(|| format!("arg{position}"), name_of);
            argument(&name, "", value_of(arg).unwrap_or_default())
        });
        row.insert("args".to_owned(), args.collect());
        return row;
    };
    let mut row = row(task, wall_ns, declared.name, ret);
    // It tells those that its policy names, in order and without their positions; nearly all policies begin with the first.
    let args =
        declared.listed_args().iter().zip(args).map(|(declared, arg)| {
            argument(declared.name, declared.ctype, value_of(arg).unwrap_or_default())
        });
    row.insert("args".to_owned(), args.collect());
    row.insert("syscall".to_owned(), declared.name.into());
    row
}

/// Of releases before 0.9: a connection with both ends.
fn connect(task: &Task, wall_ns: u64, event: &Value) -> Map<String, Value> {
    let mut row = row(task, wall_ns, "connect", 0);
    let port = event["destination_port"].as_u64().unwrap_or(0);
    let to = text(event, "destination_ip").and_then(|ip| address(ip, port)).unwrap_or_default();
    row.insert("args".to_owned(), vec![argument("addr", "struct sockaddr*", to)].into());
    row.insert("syscall".to_owned(), "connect".into());
    row
}

/// What says most of an argument: `{"string_arg": "x"}`, `{"sock_arg": {...}}`.
fn value_of(arg: &Value) -> Option<Value> {
    let members = arg.as_object()?;
    let (name, value) = members.iter().find(|(name, _)| name.ends_with("_arg"))?;
    Some(match &name[..] {
        "file_arg" | "path_arg" => text(value, "path").map_or_else(|| value.clone(), Value::from),
        "size_arg" | "long_arg" | "ulong_arg" => number(value),
        "sockaddr_arg" => text(value, "addr")
            .and_then(|ip| address(ip, value["port"].as_u64().unwrap_or(0)))
            .unwrap_or_else(|| value.clone()),
        _ => value.clone(),
    })
}

/// Numbers of 64 bits are written as text.
fn number(value: &Value) -> Value {
    match value.as_str() {
        Some(text) => match (text.parse::<i64>(), text.parse::<u64>()) {
            (Ok(number), _) => number.into(),
            (_, Ok(number)) => number.into(),
            _ => value.clone(),
        },
        None => value.clone(),
    }
}

/// An event that the catalogue has none for: what it says beside the processes are its arguments.
fn other(task: &Task, wall_ns: u64, name: &str, event: &Value) -> Map<String, Value> {
    let mut row = row(task, wall_ns, name, 0);
    let members = event.as_object().into_iter().flatten();
    let args = members
        .filter(|(name, _)| !matches!(&name[..], "process" | "parent" | "ancestors"))
        .map(|(name, value)| argument(&name_of(name), "", value.clone()));
    row.insert("args".to_owned(), args.collect());
    row
}

fn text<'a>(object: &'a Value, name: &str) -> Option<&'a str> {
    object.get(name)?.as_str()
}
