//! JSON lines for Timesketch: `message`, `datetime` and `timestamp_desc` are obligatory, the other keys become fields.

use pipeline::EventView;
use replay::render::values;

use super::object::Object;
use super::{Writes, wall::Wall};

#[derive(Debug, Default)]
pub struct Timesketch {
    wall: Wall,
    text: Vec<u8>,
}

/// What the time of an event means to an analyst.
fn described(name: &str) -> &'static str {
    match name {
        "sched_process_exec" | "execve" | "execveat" => "Process started",
        "sched_process_fork" | "clone" | "clone3" | "fork" | "vfork" => "Process forked",
        "sched_process_exit" | "exit" | "exit_group" => "Process ended",
        "open" | "openat" | "openat2" | "creat" | "security_file_open" => "File opened",
        "unlink" | "unlinkat" | "rmdir" | "security_inode_unlink" => "File deleted",
        "rename" | "renameat" | "renameat2" | "security_inode_rename" => "File renamed",
        "connect" | "security_socket_connect" | "net_tcp_connect" => "Connection opened",
        "accept" | "accept4" | "security_socket_accept" | "socket_accept" => "Connection accepted",
        "net_packet_dns_request" => "Name asked for",
        "init_module" | "finit_module" | "module_load" => "Kernel module loaded",
        "ptrace" => "Process traced",
        _ => "Event recorded",
    }
}

impl Writes for Timesketch {
    fn event(&mut self, event: &EventView<'_>, out: &mut Vec<u8>) -> bool {
        let context = event.context;
        let mut object = Object::open(out);
        self.text.clear();
        let comm = String::from_utf8_lossy(context.comm);
        self.text.extend_from_slice(format!("{comm}[{}] {}(", context.pid, event.event.name).as_bytes());
        for (position, arg) in event.event.listed_args().iter().enumerate() {
            if position > 0 {
                self.text.extend_from_slice(b", ");
            }
            self.text.extend_from_slice(arg.name.as_bytes());
            self.text.extend_from_slice(b": ");
            values::text(event, position, true, &mut self.text);
        }
        self.text.extend_from_slice(format!(") = {}", event.ret).as_bytes());
        object.text("message", &self.text);
        self.text.clear();
        self.wall.iso(event.wall_ns, &mut self.text);
        object.text("datetime", &self.text);
        object.text("timestamp_desc", described(event.event.name).as_bytes());
        object.number("timestamp", event.wall_ns.div_euclid(1000));
        object.text("data_type", b"linux:tracer:event");
        object.some_text("hostname", event.host.name.as_bytes());
        object.text("event", event.event.name.as_bytes());
        object.number("result", event.ret);
        object.number("pid", context.pid.into());
        object.number("ppid", context.ppid.into());
        object.number("uid", context.uid.into());
        object.text("process_name", context.comm);
        object.some_text("executable", context.exe);
        if let Some(container) = event.container {
            object.some_text("container_id", container.id.as_bytes());
            object.some_text("container_name", container.name.as_bytes());
        }
        object.close();
        out.push(b'\n');
        true
    }
}
