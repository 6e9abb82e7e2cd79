//! JSON lines: Tracee's keys in Tracee's order, then ours.
//!
//! Written by hand rather than through a serialiser: most of a line is the same for every event of a context, or for every
//! event of a name, and is copied from where it was written once. The tests read every kind of line back with
//! `serde_json`.

use events::Raw;
use pipeline::{EventView, Render};
use views::digits;

use super::acting;
use super::json_event::{BEHIND_SYSCALL, Known, SYSCALL};
use super::{Style, json_text, marks, memo::Memo, values};

/// JSON objects, one a line.
#[derive(Debug)]
pub struct Json<'a> {
    style: &'a Style,
    /// The second whose text is `timestamp`, with the key before it.
    second: i64,
    timestamp: Vec<u8>,
    /// From `threadStartTime` to before the processor.
    starts: Memo,
    /// From `processId` to `podSandbox`.
    contexts: Memo,
    /// What is the same for all events of a name.
    events: Known,
    /// From `executable` to `host`.
    entities: Memo,
    /// The scopes of which the texts are before and behind that.
    scopes: u64,
    before: Vec<u8>,
    behind: Vec<u8>,
    scratch: Vec<u8>,
}

const SECOND: i64 = 1_000_000_000;

impl<'a> Json<'a> {
    pub fn new(style: &'a Style) -> Json<'a> {
        let (starts, contexts, events, entities) = Default::default();
        let mut json = Json {
            style,
            second: i64::MIN,
            timestamp: Vec::new(),
            starts,
            contexts,
            events,
            entities,
            scopes: 0,
            before: Vec::new(),
            behind: Vec::new(),
            scratch: Vec::new(),
        };
        json.spell_scopes(0);
        json
    }

    /// Appends the `timestamp`, the first member.
    fn timestamp(&mut self, wall_ns: i64, out: &mut Vec<u8>) {
        let second = wall_ns / SECOND;
        if second <= 0 {
            // A clock before 1970, or little after it: no digits to leave alone.
            out.extend_from_slice(b"{\"timestamp\":");
            return digits::signed(wall_ns, out);
        }
        if second != self.second {
            self.timestamp.clear();
            self.timestamp.extend_from_slice(b"{\"timestamp\":");
            digits::signed(second, &mut self.timestamp);
            self.second = second;
        }
        out.extend_from_slice(&self.timestamp);
        digits::padded((wall_ns % SECOND) as u64, 9, out);
    }

    fn spell_scopes(&mut self, scopes: u64) {
        self.scopes = scopes;
        self.before.clear();
        self.before.extend_from_slice(b"],\"scopes\":[");
        numbers(scopes, &mut self.before);
        self.before.push(b']');
        self.behind.clear();
        self.behind.extend_from_slice(b",\"matchedPolicies\":[");
        let mut first = true;
        for (scope, name) in &self.style.policies {
            if (1..=64).contains(scope) && scopes >> (scope - 1) & 1 == 1 {
                if !first {
                    self.behind.push(b',');
                }
                first = false;
                json_text::quoted(name.as_bytes(), &mut self.behind);
            }
        }
        self.behind.push(b']');
    }
}

impl Render for Json<'_> {
    fn block(&mut self) {
        self.starts.clear();
        self.contexts.clear();
        self.entities.clear();
    }

    fn event(&mut self, event: &EventView<'_>, out: &mut Vec<u8>) {
        self.timestamp(event.wall_ns, out);
        self.starts.append(event.context_index, out, |out| {
            out.extend_from_slice(b",\"threadStartTime\":");
            digits::signed(event.wall_of(event.context.thread_start_ns), out);
            out.extend_from_slice(b",\"processorId\":");
        });
        digits::unsigned(u64::from(event.cpu), out);
        self.contexts.append(event.context_index, out, |out| context(event, out));

        let declared = event.event;
        let known = self.events.of(declared);
        out.extend_from_slice(known.up_to_result(event.scopes));
        digits::signed(event.ret, out);
        if let Some(position) = known.caller
            && let Raw::Bytes(call) = event.args.get(position)
        {
            out.extend_from_slice(SYSCALL);
            json_text::inner(call, out);
        } else {
            out.extend_from_slice(&known.call);
        }
        out.extend_from_slice(BEHIND_SYSCALL);
        let is_compat = event.marks.has(events::Marks::COMPAT);
        out.extend_from_slice(match (event.container_started(), is_compat) {
            (false, false) => b"false,\"isCompat\":false},\"args\":[".as_slice(),
            (true, false) => b"true,\"isCompat\":false},\"args\":[",
            (false, true) => b"false,\"isCompat\":true},\"args\":[",
            (true, true) => b"true,\"isCompat\":true},\"args\":[",
        });
        for (position, (arg, known)) in declared.listed_args().iter().zip(&known.args).enumerate() {
            if self.style.parse_arguments {
                // The type depends on what the value turns out to be.
                self.scratch.clear();
                let is_word = values::parsed_json(event, position, &mut self.scratch);
                out.extend_from_slice(if is_word { &known.word } else { &known.value });
                out.extend_from_slice(&self.scratch);
            } else {
                out.extend_from_slice(&known.value);
                values::json(event, position, arg.kind, out);
            }
            out.push(b'}');
        }
        if event.scopes != self.scopes {
            self.spell_scopes(event.scopes);
        }
        out.extend_from_slice(&self.before);
        self.entities.append(event.context_index, out, |out| entities(event, out));
        out.extend_from_slice(&self.behind);
        // Told by the exit of a call instead of the hook that it is named after.
        if event.marks.has(events::Marks::STAND_IN) {
            out.extend_from_slice(b",\"standIn\":true");
        }
        if let Some(ns) = event.duration_ns {
            out.extend_from_slice(b",\"duration\":");
            digits::unsigned(ns, out);
        }
        marks::json(event, out);
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
    out.extend_from_slice(b"}");
    acting::json(event.context, out);
    out.extend_from_slice(b",\"processEntityId\":");
    entity(event.context.process(), out);
    out.extend_from_slice(b",\"parentEntityId\":");
    entity(event.context.parent(), out);
    // `hostName` is the node name that the task saw: in a container the container's.
    out.extend_from_slice(b",\"host\":");
    json_text::quoted(event.host.name.as_bytes(), out);
    objects(event, out);
}

/// The container and its pod as today's Tracee has them, empty where there are none: programs that read its output look for
/// these objects.
fn objects(event: &EventView<'_>, out: &mut Vec<u8>) {
    let none = Default::default();
    let it = event.container.unwrap_or(&none);
    let container = [("id", &it.id), ("name", &it.name), ("image", &it.image)];
    let pod = [("podName", &it.pod_name), ("podNamespace", &it.pod_namespace), ("podUID", &it.pod_uid)];
    for (name, members, is_sandbox) in [("container", container, false), ("kubernetes", pod, it.pod_sandbox)]
    {
        out.extend_from_slice(b",\"");
        out.extend_from_slice(name.as_bytes());
        out.extend_from_slice(b"\":{");
        let mut before: &[u8] = b"\"";
        for (key, value) in members.into_iter().filter(|(_, value)| !value.is_empty()) {
            out.extend_from_slice(before);
            out.extend_from_slice(key.as_bytes());
            out.extend_from_slice(b"\":");
            json_text::quoted(value.as_bytes(), out);
            before = b",\"";
        }
        if is_sandbox {
            out.extend_from_slice(before);
            out.extend_from_slice(b"podSandbox\":true");
        }
        out.push(b'}');
    }
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
