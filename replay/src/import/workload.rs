//! The form of Tracee's lines that newer releases write: an event with a `workload`, whose arguments are `data`.
//!
//! Less is said there than in the older form: no processor, no namespaces but those that ids are of, no cgroup.

use serde::Deserialize;

use super::line::{Argument, Line};

#[derive(Debug, Deserialize)]
struct Event {
    /// RFC 3339.
    timestamp: String,
    name: String,
    #[serde(default)]
    policies: Option<Policies>,
    #[serde(default)]
    workload: Option<Workload>,
    #[serde(default)]
    data: Option<Vec<Argument>>,
}

#[derive(Debug, Default, Deserialize)]
struct Policies {
    #[serde(default)]
    matched: Vec<String>,
}

#[derive(Debug, Default, Deserialize)]
struct Workload {
    #[serde(default)]
    process: Process,
    container: Option<Container>,
    k8s: Option<Kubernetes>,
}

#[derive(Debug, Default, Deserialize)]
struct Process {
    executable: Option<Named>,
    #[serde(default, alias = "hostPid")]
    host_pid: u32,
    #[serde(default)]
    pid: u32,
    #[serde(alias = "realUser")]
    real_user: Option<User>,
    thread: Option<Thread>,
    #[serde(default)]
    ancestors: Vec<Option<Process>>,
}

#[derive(Debug, Default, Deserialize)]
struct User {
    #[serde(default)]
    id: u32,
}

#[derive(Debug, Default, Deserialize)]
struct Thread {
    #[serde(default, alias = "startTime")]
    start_time: String,
    #[serde(default)]
    name: String,
    #[serde(default, alias = "hostTid")]
    host_tid: u32,
    #[serde(default)]
    tid: u32,
    #[serde(default)]
    syscall: String,
    #[serde(default)]
    compat: bool,
}

/// Whatever has a name, a path or a number by which it is known.
#[derive(Debug, Default, Deserialize)]
struct Named {
    #[serde(default)]
    path: String,
    #[serde(default)]
    name: String,
    #[serde(default)]
    uid: String,
}

#[derive(Debug, Default, Deserialize)]
struct Container {
    #[serde(default)]
    id: String,
    #[serde(default)]
    name: String,
    image: Option<Named>,
    #[serde(default, alias = "isRunning")]
    started: bool,
}

#[derive(Debug, Default, Deserialize)]
struct Kubernetes {
    pod: Option<Named>,
    namespace: Option<Named>,
}

/// Of the data of system calls, what the older form says beside the arguments.
const RESULT: &str = "returnValue";

/// A line in this form; `None` when it is in none of ours.
pub fn read(text: &[u8]) -> Result<Option<Line>, String> {
    let known = serde_json::from_slice::<serde_json::Map<String, serde_json::Value>>(text)
        .is_ok_and(|keys| keys.contains_key("name") && !keys.contains_key("eventName"));
    if !known {
        return Ok(None);
    }
    let event: Event = serde_json::from_slice(text).map_err(|error| error.to_string())?;
    line(event).map(Some)
}

fn line(event: Event) -> Result<Line, String> {
    let workload = event.workload.unwrap_or_default();
    let process = workload.process;
    let parent = process.ancestors.into_iter().next().flatten().unwrap_or_default();
    let thread = process.thread.unwrap_or_default();
    let container = workload.container.unwrap_or_default();
    let k8s = workload.k8s.unwrap_or_default();
    let pod = k8s.pod.unwrap_or_default();
    let mut line = Line {
        timestamp: wall_ns(&event.timestamp)?,
        thread_start_time: if thread.start_time.is_empty() { 0 } else { wall_ns(&thread.start_time)? },
        process_id: process.pid,
        thread_id: thread.tid,
        parent_process_id: parent.pid,
        host_process_id: process.host_pid,
        host_thread_id: thread.host_tid,
        host_parent_process_id: parent.host_pid,
        user_id: process.real_user.unwrap_or_default().id,
        process_name: thread.name,
        container_id: container.id,
        container_image: container.image.unwrap_or_default().name,
        container_name: container.name,
        pod_name: pod.name,
        pod_namespace: k8s.namespace.unwrap_or_default().name,
        pod_uid: pod.uid,
        event_name: event.name,
        syscall: thread.syscall,
        args: event.data.unwrap_or_default(),
        matched_policies: event.policies.unwrap_or_default().matched,
        is_workload: true,
        ..Line::default()
    };
    line.executable.path = process.executable.unwrap_or_default().path;
    line.context_flags.container_started = container.started;
    line.context_flags.is_compat = thread.compat;
    if let Some(at) = line.args.iter().position(|argument| argument.name == RESULT) {
        let result = line.args.remove(at).value;
        line.return_value = result.as_i64().or_else(|| result.as_str()?.parse().ok()).unwrap_or(0);
    }
    Ok(line)
}

fn wall_ns(text: &str) -> Result<u64, String> {
    let time: jiff::Timestamp = text.parse().map_err(|_| format!("{text:?} is no time"))?;
    u64::try_from(time.as_nanosecond()).map_err(|_| format!("{text:?} is before 1970"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_with_a_workload_says_what_the_older_form_says() {
        let text = r#"{"timestamp":"2026-02-03T04:05:06.000000007Z","id":258,"name":"openat",
            "policies":{"matched":["etc"]},"workload":{"process":{"executable":{"path":"/usr/bin/cat"},
            "unique_id":9,"host_pid":70,"pid":7,"real_user":{"id":1000},"thread":{"start_time":"2026-02-03T04:05:05Z",
            "name":"cat","unique_id":9,"host_tid":70,"tid":7,"syscall":"openat","compat":true},
            "ancestors":[{"host_pid":60,"pid":6},null]},
            "container":{"id":"abc","name":"web","image":{"id":"x","name":"nginx"},"started":true},
            "k8s":{"pod":{"name":"p","uid":"u"},"namespace":{"name":"n"}}},
            "data":[{"name":"pathname","value":"/etc/x"},{"name":"returnValue","value":-13}]}"#;
        let line = read(text.as_bytes()).unwrap().unwrap().complete();
        assert_eq!((line.timestamp, line.return_value, line.args.len()), (1_770_091_506_000_000_007, -13, 1));
        let context = line.context(0);
        assert_eq!(
            (context.pid, context.ns_pid, context.ppid, context.ns_ppid, context.uid),
            (70, 7, 60, 6, 1000)
        );
        assert_eq!((context.comm, context.exe), (&b"cat"[..], &b"/usr/bin/cat"[..]));
        assert_eq!((line.container_image.as_str(), line.pod_namespace.as_str()), ("nginx", "n"));
        assert!(line.context_flags.container_started && line.context_flags.is_compat);
    }

    #[test]
    fn what_is_in_neither_form_is_left_to_the_other() {
        assert!(read(b"{\"a\":1}").unwrap().is_none());
        assert!(read(b"{\"name\":\"x\",\"timestamp\":\"yesterday\"}").unwrap_err().contains("yesterday"));
    }
}
