//! Logs of OpenTelemetry in their JSON form, one `LogsData` a line, as the collector's file receiver reads them. Attributes
//! have the names of the semantic conventions; what these have no name for begins with `tracer.`.

use events::consts::errno;
use pipeline::EventView;
use replay::render::{json_text, values};

use super::{About, Writes};

#[derive(Debug)]
pub struct Otlp<'a> {
    about: &'a About,
    text: Vec<u8>,
}

impl Otlp<'_> {
    pub fn new(about: &About) -> Otlp<'_> {
        Otlp { about, text: Vec::new() }
    }
}

/// `SEVERITY_NUMBER_INFO`, and `SEVERITY_NUMBER_WARN` for what failed.
const INFO: &str = "9";
const WARN: &str = "13";

impl Writes for Otlp<'_> {
    fn event(&mut self, event: &EventView<'_>, out: &mut Vec<u8>) -> bool {
        let context = event.context;
        let mut to = Attributes { out, follows: false };
        to.raw(b"{\"resourceLogs\":[{\"resource\":{\"attributes\":[");
        to.text("host.name", event.host.name.as_bytes());
        to.text("os.type", b"linux");
        for (name, text) in &self.about.labels {
            to.text(&format!("tracer.label.{name}"), text.as_bytes());
        }
        if let Some(container) = event.container.filter(|container| !container.id.is_empty()) {
            to.text("container.id", container.id.as_bytes());
            to.some_text("container.name", container.name.as_bytes());
            to.some_text("container.image.name", container.image.as_bytes());
            to.some_text("container.runtime", container.runtime.as_bytes());
            to.some_text("k8s.pod.name", container.pod_name.as_bytes());
            to.some_text("k8s.namespace.name", container.pod_namespace.as_bytes());
            to.some_text("k8s.pod.uid", container.pod_uid.as_bytes());
        }
        to.raw(b"]},\"scopeLogs\":[{\"scope\":{\"name\":");
        json_text::quoted(self.about.program.as_bytes(), to.out);
        to.raw(b"},\"logRecords\":[{\"timeUnixNano\":\"");
        to.raw(event.wall_ns.max(0).to_string().as_bytes());
        let failed = if event.event.is_syscall() { errno::of_result(event.ret) } else { None };
        to.raw(b"\",\"severityNumber\":");
        to.raw(if failed.is_some() { WARN } else { INFO }.as_bytes());
        to.raw(b",\"eventName\":");
        json_text::quoted(event.event.name.as_bytes(), to.out);
        to.raw(b",\"attributes\":[");
        to.follows = false;
        to.number("process.pid", context.pid.into());
        to.number("process.parent_pid", context.ppid.into());
        to.number("thread.id", context.tid.into());
        to.text("process.executable.name", context.comm);
        to.some_text("process.executable.path", context.exe);
        to.number("process.real_user.id", context.uid.into());
        to.number("tracer.result", event.ret);
        if let Some(name) = failed {
            to.text("error.type", name.as_bytes());
        }
        for (position, arg) in event.event.listed_args().iter().enumerate() {
            self.text.clear();
            values::text(event, position, true, &mut self.text);
            to.text(&format!("tracer.args.{}", arg.name), &self.text);
        }
        to.raw(b"]}]}]}]}\n");
        true
    }
}

/// Writes attributes: `{"key":"host.name","value":{"stringValue":"web1"}}`.
struct Attributes<'a> {
    out: &'a mut Vec<u8>,
    follows: bool,
}

impl Attributes<'_> {
    fn raw(&mut self, bytes: &[u8]) {
        self.out.extend_from_slice(bytes);
    }

    fn key(&mut self, key: &str) {
        if self.follows {
            self.out.push(b',');
        }
        self.follows = true;
        self.raw(b"{\"key\":");
        json_text::quoted(key.as_bytes(), self.out);
        self.raw(b",\"value\":{");
    }

    fn text(&mut self, key: &str, text: &[u8]) {
        self.key(key);
        self.raw(b"\"stringValue\":");
        json_text::quoted(text, self.out);
        self.raw(b"}}");
    }

    fn some_text(&mut self, key: &str, text: &[u8]) {
        if !text.is_empty() {
            self.text(key, text);
        }
    }

    /// 64-bit numbers are text in this form.
    fn number(&mut self, key: &str, number: i64) {
        self.key(key);
        self.raw(format!("\"intValue\":\"{number}\"}}}}").as_bytes());
    }
}
