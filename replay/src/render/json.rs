//! JSON lines: Tracee's keys in Tracee's order, then ours.
//!
//! Written by hand rather than through a serialiser: two thirds of a line are the same for every event of a context,
//! and are written once a block. The tests read every kind of line back with `serde_json`.

use pipeline::{EventView, Render};

use super::{Style, digits, json_text, memo::Memo, values};

/// JSON objects, one a line.
#[derive(Debug)]
pub struct Json<'a> {
    style: &'a Style,
    /// `threadStartTime`, which stands before the processor.
    starts: Memo,
    /// From `processId` to `podSandbox`.
    contexts: Memo,
    /// From `executable` to `parentEntityId`.
    entities: Memo,
    scratch: Vec<u8>,
}

impl<'a> Json<'a> {
    pub fn new(style: &'a Style) -> Json<'a> {
        let (starts, contexts, entities) = Default::default();
        Json { style, starts, contexts, entities, scratch: Vec::new() }
    }
}

impl Render for Json<'_> {
    fn block(&mut self) {
        self.starts.clear();
        self.contexts.clear();
        self.entities.clear();
    }

    fn event(&mut self, event: &EventView<'_>, out: &mut Vec<u8>) {
        out.extend_from_slice(b"{\"timestamp\":");
        digits::signed(event.wall_ns, out);
        self.starts.append(event.context_index, out, |out| {
            out.extend_from_slice(b",\"threadStartTime\":");
            digits::signed(event.wall_of(event.context.thread_start_ns), out);
        });
        out.extend_from_slice(b",\"processorId\":");
        digits::unsigned(u64::from(event.cpu), out);
        self.contexts.append(event.context_index, out, |out| context(event, out));

        let declared = event.event;
        out.extend_from_slice(b",\"eventId\":\"");
        digits::unsigned(u64::from(declared.id.0), out);
        out.extend_from_slice(b"\",\"eventName\":");
        json_text::quoted(declared.name.as_bytes(), out);
        out.extend_from_slice(b",\"matchedScopes\":");
        digits::unsigned(event.scopes, out);
        out.extend_from_slice(b",\"argsNum\":");
        digits::unsigned(declared.args.len() as u64, out);
        out.extend_from_slice(b",\"returnValue\":");
        digits::signed(event.ret, out);
        out.extend_from_slice(b",\"syscall\":\"");
        if declared.is_syscall() {
            json_text::inner(declared.name.as_bytes(), out);
        }
        out.extend_from_slice(b"\",\"stackAddresses\":[],\"contextFlags\":{\"containerStarted\":");
        boolean(event.container_started(), out);
        out.extend_from_slice(b",\"isCompat\":");
        boolean(event.marks.has(events::Marks::COMPAT), out);
        out.extend_from_slice(b"},\"args\":[");
        for (position, arg) in declared.args.iter().enumerate() {
            out.extend_from_slice(if position == 0 { b"{\"name\":" } else { b",{\"name\":" });
            json_text::quoted(arg.name.as_bytes(), out);
            out.extend_from_slice(b",\"type\":");
            values::json(event, position, self.style.parse_arguments, &mut self.scratch, out);
            out.push(b'}');
        }
        out.extend_from_slice(b"],\"scopes\":[");
        numbers(event.scopes, out);
        out.push(b']');
        self.entities.append(event.context_index, out, |out| entities(event, out));
        out.extend_from_slice(b",\"matchedPolicies\":[");
        let mut first = true;
        for (scope, name) in &self.style.policies {
            if (1..=64).contains(scope) && event.scopes >> (scope - 1) & 1 == 1 {
                if !first {
                    out.push(b',');
                }
                first = false;
                json_text::quoted(name.as_bytes(), out);
            }
        }
        out.push(b']');
        // Told by the exit of a call instead of the hook that it is named after.
        if event.marks.has(events::Marks::STAND_IN) {
            out.extend_from_slice(b",\"standIn\":true");
        }
        out.extend_from_slice(b"}\n");
    }
}

fn context(event: &EventView<'_>, out: &mut Vec<u8>) {
    let context = event.context;
    let mut number = |key: &str, number: u64| {
        out.extend_from_slice(b",\"");
        out.extend_from_slice(key.as_bytes());
        out.extend_from_slice(b"\":");
        digits::unsigned(number, out);
    };
    number("processId", context.ns_pid.into());
    number("cgroupId", context.cgroup_id);
    number("threadId", context.ns_tid.into());
    number("parentProcessId", context.ns_ppid.into());
    number("hostProcessId", context.pid.into());
    number("hostThreadId", context.tid.into());
    number("hostParentProcessId", context.ppid.into());
    number("userId", context.uid.into());
    number("mountNamespace", context.mnt_ns.into());
    number("pidNamespace", context.pid_ns.into());
    let mut string = |key: &str, bytes: &[u8]| {
        out.extend_from_slice(b",\"");
        out.extend_from_slice(key.as_bytes());
        out.extend_from_slice(b"\":");
        json_text::quoted(bytes, out);
    };
    string("processName", context.comm);
    string("hostName", context.uts);
    let none = Default::default();
    let container = event.container.unwrap_or(&none);
    string("containerId", container.id.as_bytes());
    string("containerImage", container.image.as_bytes());
    string("containerName", container.name.as_bytes());
    string("podName", container.pod_name.as_bytes());
    string("podNamespace", container.pod_namespace.as_bytes());
    string("podUID", container.pod_uid.as_bytes());
    out.extend_from_slice(b",\"podSandbox\":");
    boolean(container.pod_sandbox, out);
}

fn entities(event: &EventView<'_>, out: &mut Vec<u8>) {
    out.extend_from_slice(b",\"executable\":{\"path\":");
    json_text::quoted(event.context.exe, out);
    out.extend_from_slice(b"},\"processEntityId\":");
    entity(event.context.process(), out);
    out.extend_from_slice(b",\"parentEntityId\":");
    entity(event.context.parent(), out);
}

/// As the `pid` filter takes it: `510@START`, start in ns since boot.
fn entity(entity: events::context::Entity, out: &mut Vec<u8>) {
    out.push(b'"');
    digits::unsigned(entity.pid.into(), out);
    out.push(b'@');
    digits::unsigned(entity.start_ns, out);
    out.push(b'"');
}

fn boolean(value: bool, out: &mut Vec<u8>) {
    out.extend_from_slice(if value { b"true" } else { b"false" });
}

/// The numbers of a mask's scopes, rising.
fn numbers(mut scopes: u64, out: &mut Vec<u8>) {
    let mut first = true;
    while scopes != 0 {
        if !first {
            out.push(b',');
        }
        first = false;
        digits::unsigned(u64::from(scopes.trailing_zeros()) + 1, out);
        scopes &= scopes - 1;
    }
}
