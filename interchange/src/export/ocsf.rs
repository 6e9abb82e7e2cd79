//! Open Cybersecurity Schema Framework 1.8: a line an event of the classes that it has for what a system does. Most calls have no
//! class; those are left out.

use events::consts::errno;
use pipeline::EventView;

use super::object::Object;
use super::{Writes, facts};

const VERSION: &[u8] = b"1.8.0";
/// Informational: what an event means is for rules to say.
const SEVERITY: i64 = 1;
/// What `type_id` says of a device or file that nothing more is known of.
const UNKNOWN: i64 = 0;
const REGULAR_FILE: i64 = 1;

/// A class and activity of the schema.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
struct Activity {
    class: Class,
    id: i64,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Class {
    File = 1001,
    Module = 1005,
    Process = 1007,
    Network = 4001,
}

/// Activities of files.
const CREATE: i64 = 1;
const OPEN: i64 = 14;

fn activity(name: &str) -> Option<Activity> {
    let of = |class, id| Some(Activity { class, id });
    match name {
        "sched_process_exec" => of(Class::Process, 1),
        "sched_process_exit" => of(Class::Process, 2),
        "ptrace" | "process_vm_readv" => of(Class::Process, 3),
        "process_vm_writev" => of(Class::Process, 4),
        "setuid" | "setresuid" | "setreuid" => of(Class::Process, 5),
        "creat" | "mknod" | "mknodat" | "mkdir" | "mkdirat" => of(Class::File, CREATE),
        "read" | "pread64" | "readv" | "preadv" | "preadv2" => of(Class::File, 2),
        "write" | "pwrite64" | "writev" | "pwritev" | "pwritev2" | "truncate" | "ftruncate" => {
            of(Class::File, 3)
        }
        "unlink" | "unlinkat" | "rmdir" => of(Class::File, 4),
        "rename" | "renameat" | "renameat2" => of(Class::File, 5),
        "chown" | "fchown" | "lchown" | "fchownat" | "utimensat" => of(Class::File, 6),
        "chmod" | "fchmod" | "fchmodat" => of(Class::File, 7),
        "mount" => of(Class::File, 12),
        "umount2" => of(Class::File, 13),
        "open" | "openat" | "openat2" => of(Class::File, OPEN),
        "connect" | "accept" | "accept4" => of(Class::Network, 1),
        "init_module" | "finit_module" => of(Class::Module, 1),
        "delete_module" => of(Class::Module, 2),
        _ => None,
    }
}

#[derive(Debug, Default)]
pub struct Ocsf;

impl Writes for Ocsf {
    fn event(&mut self, event: &EventView<'_>, out: &mut Vec<u8>) -> bool {
        let Some(Activity { class, mut id }) = activity(event.event.name) else { return false };
        // An open that made its file, and one that would have.
        match facts::created(event) {
            Some(true) => id = CREATE,
            Some(false) if class == Class::File && event.event.name == "creat" => id = OPEN,
            _ => {}
        }
        let (path, descriptor) = (facts::path(event), facts::descriptor(event));
        let stands_for = descriptor.map(|(_, text)| text).unwrap_or_default();
        let file = if path.is_empty() { stands_for } else { path };
        let (local, remote) = facts::addresses(event);
        // Reads of sockets and pipes are no activity of a file, a connection without an end none of the network.
        let has_subject = match class {
            Class::File => file.starts_with(b"/") || !path.is_empty(),
            Class::Network => remote.as_ref().or(local.as_ref()).is_some_and(|it| it.port.is_some()),
            Class::Module | Class::Process => true,
        };
        if !has_subject {
            return false;
        }
        let class_id = class as i64;
        let mut object = Object::open(out);
        object.number("class_uid", class_id);
        object.number("category_uid", class_id / 1000);
        object.number("activity_id", id);
        object.number("type_uid", class_id * 100 + id);
        object.number("severity_id", SEVERITY);
        object.number("time", event.wall_ns.div_euclid(1_000_000));
        let failed = errno::of_result(event.ret).filter(|_| event.event.is_syscall());
        object.number("status_id", if failed.is_some() { 2 } else { 1 });
        if let Some(name) = failed {
            object.text("status_code", name.as_bytes());
        }
        object.object_of("metadata", |it| {
            it.text("version", VERSION);
            it.text("event_code", event.event.name.as_bytes());
            it.value("profiles").extend_from_slice(if event.container.is_some() {
                b"[\"host\",\"container\"]"
            } else {
                b"[\"host\"]"
            });
            it.object_of("product", |it| {
                it.text("name", b"tracer");
                it.text("vendor_name", b"tracer");
                it.text("version", env!("CARGO_PKG_VERSION").as_bytes());
            });
        });
        object.object_of("device", |it| {
            it.number("type_id", UNKNOWN);
            it.some_text("hostname", event.host.name.as_bytes());
            it.object_of("os", |it| {
                it.text("name", b"Linux");
                it.number("type_id", 200);
            });
        });
        object.object_of("actor", |it| it.object_of("process", |it| process(event, it)));
        if let Some(container) = event.container.filter(|container| !container.id.is_empty()) {
            object.object_of("container", |it| {
                it.text("uid", container.id.as_bytes());
                it.some_text("name", container.name.as_bytes());
                if !container.image.is_empty() {
                    it.object_of("image", |it| it.text("name", container.image.as_bytes()));
                }
            });
        }
        match class {
            Class::Process => {
                object.object_of("process", |it| process(event, it));
                if event.event.name == "sched_process_exit"
                    && let Some(code) = facts::number(event, &["exit_code"])
                {
                    object.number("exit_code", code);
                }
            }
            Class::File => {
                object.object_of("file", |it| named(file, it));
                let second = facts::second_path(event);
                if id == 5 && !second.is_empty() {
                    object.object_of("file_result", |it| named(second, it));
                }
            }
            Class::Module => object.object_of("module", |it| {
                it.some_text("function_name", event.event.name.as_bytes());
                if !file.is_empty() {
                    it.object_of("file", |it| named(file, it));
                }
            }),
            Class::Network => {
                let ends = [("src_endpoint", &local), ("dst_endpoint", &remote)];
                for (name, end) in ends {
                    let Some(end) = end else { continue };
                    object.object_of(name, |it| {
                        it.text("ip", end.address.as_bytes());
                        if let Some(port) = end.port {
                            it.number("port", port);
                        }
                    });
                }
                // An accept comes in.
                let direction = if event.event.name == "connect" { 2 } else { 1 };
                object.object_of("connection_info", |it| it.number("direction_id", direction));
            }
        }
        object.close();
        out.push(b'\n');
        true
    }
}

fn named(path: &[u8], object: &mut Object<'_>) {
    let name = path.rsplit(|byte| *byte == b'/').next().unwrap_or(path);
    object.text("name", if name.is_empty() { path } else { name });
    object.text("path", path);
    object.number("type_id", REGULAR_FILE);
}

fn process(event: &EventView<'_>, object: &mut Object<'_>) {
    let context = event.context;
    object.number("pid", context.pid.into());
    object.text("uid", format!("{}@{}", context.pid, context.process_start_ns).as_bytes());
    object.text("name", context.comm);
    if !context.exe.is_empty() {
        object.object_of("file", |it| named(context.exe, it));
    }
    if let Some(argv) = facts::strings(event, &["argv"]) {
        let line: Vec<&[u8]> = argv.collect();
        object.some_text("cmd_line", &line.join(&b' '));
    }
    object.object_of("user", |it| it.text("uid", context.uid.to_string().as_bytes()));
    object.object_of("parent_process", |it| {
        it.number("pid", context.ppid.into());
        it.text("uid", format!("{}@{}", context.ppid, context.parent_start_ns).as_bytes());
    });
}
