//! kunai's JSON: `{"data": {...}, "info": {"event": {"name": "execve"}, "task": {...}, "utc_time": "..."}}`.

use serde_json::{Map, Value};

use super::row::{Container, Task, address, argument, argv_of, exec, exit, name_of, row, wall_ns};

/// What it never says.
pub const UNKNOWN: [&str; 6] = [
    "what its configuration left out",
    "where arguments of a command line begin and end",
    "pid namespaces",
    "processor",
    "cgroup (a number stands for each container)",
    "descriptors",
];

pub fn read(object: &Value) -> Result<Vec<Map<String, Value>>, String> {
    let (info, data) = (&object["info"], &object["data"]);
    let name = text(&info["event"], "name").ok_or("it has no info.event.name")?;
    let wall_ns = wall_ns(text(info, "utc_time").ok_or("it has no info.utc_time")?)?;
    let task = task(info, data);
    let exe = text(&data["exe"], "path").unwrap_or_default();
    let mut row = match name {
        "execve" | "execve_script" => {
            let command_line = text(data, "command_line").unwrap_or_default();
            exec(&task, wall_ns, exe, argv_of(command_line))
        }
        "exit" | "exit_group" => {
            let code = data["error_code"].as_u64().unwrap_or(0);
            // As the kernel keeps it: the signal below, the code above.
            exit(&task, wall_ns, ((code >> 8) & 0xff) as i64, code & 0x7f)
        }
        "connect" => {
            let destination = &data["dst"];
            let port = destination["port"].as_u64().unwrap_or(0);
            let to = text(destination, "ip").and_then(|ip| address(ip, port)).unwrap_or_default();
            let is_connected = data["connected"].as_bool().unwrap_or(true);
            let mut row = self::row(&task, wall_ns, "connect", if is_connected { 0 } else { -1 });
            row.insert("args".to_owned(), vec![argument("addr", "struct sockaddr*", to)].into());
            row.insert("syscall".to_owned(), "connect".into());
            row
        }
        "file_unlink" => file(&task, wall_ns, "security_inode_unlink", data, &[("pathname", "path")]),
        "file_rename" => {
            file(&task, wall_ns, "security_inode_rename", data, &[("old_path", "old"), ("new_path", "new")])
        }
        name => other(&task, wall_ns, name, data),
    };
    let mount_namespace = &info["task"]["namespaces"]["mnt"];
    if mount_namespace.is_u64() {
        row.insert("mountNamespace".to_owned(), mount_namespace.clone());
    }
    Ok(vec![row])
}

fn task(info: &Value, data: &Value) -> Task {
    let (task, parent, host) = (&info["task"], &info["parent_task"], &info["host"]);
    let id = |value: &Value| value.as_u64().and_then(|id| u32::try_from(id).ok()).unwrap_or(0);
    let said = |value: &Value, name: &str| text(value, name).unwrap_or_default().to_owned();
    Task {
        // Its `pid` is the thread's.
        pid: id(&task["tgid"]),
        tid: id(&task["pid"]),
        ppid: id(&parent["tgid"]),
        uid: id(&task["uid"]),
        comm: said(task, "name").into(),
        exe: said(&data["exe"], "path").into(),
        host: said(host, "name").into(),
        container: Container { id: said(&host["container"], "name"), ..Container::default() },
    }
}

/// An event of the catalogue whose arguments are texts of the data.
fn file(task: &Task, wall_ns: u64, name: &str, data: &Value, args: &[(&str, &str)]) -> Map<String, Value> {
    let failed = data["success"].as_bool() == Some(false);
    let mut row = row(task, wall_ns, name, if failed { -1 } else { 0 });
    let args = args.iter().map(|(ours, its)| argument(ours, "const char*", data[*its].clone()));
    row.insert("args".to_owned(), args.collect());
    row
}

/// An event that the catalogue has none for, or says in another way: the data are its arguments.
fn other(task: &Task, wall_ns: u64, name: &str, data: &Value) -> Map<String, Value> {
    let failed = data["success"].as_bool() == Some(false);
    let mut row = row(task, wall_ns, &format!("kunai_{}", name_of(name)), if failed { -1 } else { 0 });
    let args = data
        .as_object()
        .into_iter()
        .flatten()
        .map(|(name, value)| argument(&name_of(name), "", value.clone()));
    row.insert("args".to_owned(), args.collect());
    row
}

fn text<'a>(object: &'a Value, name: &str) -> Option<&'a str> {
    object.get(name)?.as_str()
}
