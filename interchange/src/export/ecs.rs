//! Elastic Common Schema: two lines an event, as the bulk API takes them. What the schema has no field for stands under
//! `tracer`.

use events::consts::errno;
use events::{ArgKind, Event, Raw, capability};
use pipeline::EventView;
use replay::render::values;

use super::object::Object;
use super::{About, Writes, facts, wall::Wall};

#[derive(Debug)]
pub struct Ecs<'a> {
    about: &'a About,
    wall: Wall,
    text: Vec<u8>,
}

impl Ecs<'_> {
    pub fn new(about: &About) -> Ecs<'_> {
        Ecs { about, wall: Wall::default(), text: Vec::new() }
    }
}

/// What kind of thing an event is, in the schema's words: `event.category` and `event.type`.
fn classified(event: &Event) -> (&'static str, &'static str) {
    match event.name {
        "sched_process_exec" | "execve" | "execveat" | "sched_process_fork" | "clone" | "clone3" | "fork"
        | "vfork" => ("process", "start"),
        "sched_process_exit" | "exit" | "exit_group" => ("process", "end"),
        "setuid" | "setgid" | "setresuid" | "setresgid" | "setreuid" | "setregid" | "commit_creds" => {
            ("process", "change")
        }
        "unlink" | "unlinkat" | "rmdir" | "security_inode_unlink" => ("file", "deletion"),
        "creat" | "mkdir" | "mkdirat" | "mknod" | "mknodat" | "symlink" | "symlinkat" | "link" | "linkat" => {
            ("file", "creation")
        }
        "rename"
        | "renameat"
        | "renameat2"
        | "chmod"
        | "fchmod"
        | "fchmodat"
        | "chown"
        | "fchown"
        | "fchownat"
        | "lchown"
        | "truncate"
        | "ftruncate"
        | "security_inode_rename" => ("file", "change"),
        "open" | "openat" | "openat2" | "security_file_open" => ("file", "access"),
        "connect"
        | "accept"
        | "accept4"
        | "security_socket_connect"
        | "security_socket_accept"
        | "net_tcp_connect"
        | "socket_accept"
        | "net_flow_tcp_begin" => ("network", "connection"),
        "net_flow_tcp_end" => ("network", "end"),
        "init_module" | "finit_module" | "module_load" => ("driver", "start"),
        name if name.starts_with("net_packet_dns") => ("network", "protocol"),
        name if name.starts_with("net_packet") => ("network", "info"),
        name if name.starts_with("security_socket") => ("network", "info"),
        name if name.starts_with("security_file") || name.starts_with("security_inode") => ("file", "info"),
        _ => ("host", "info"),
    }
}

impl Writes for Ecs<'_> {
    fn event(&mut self, event: &EventView<'_>, out: &mut Vec<u8>) -> bool {
        out.extend_from_slice(b"{\"create\":{}}\n");
        let mut object = Object::open(out);
        self.text.clear();
        self.wall.iso(event.wall_ns, &mut self.text);
        object.text("@timestamp", &self.text);
        object.object_of("ecs", |it| it.text("version", b"8.17.0"));
        if !self.about.labels.is_empty() {
            object.object_of("labels", |it| {
                // A dot would be another object in the index.
                self.about
                    .labels
                    .iter()
                    .for_each(|(name, text)| it.text(&name.replace('.', "_"), text.as_bytes()));
            });
        }
        object.object_of("event", |it| {
            let (category, kind) = match (classified(event.event), facts::created(event)) {
                (("file", _), Some(true)) => ("file", "creation"),
                (("file", _), Some(false)) => ("file", "access"),
                (known, _) => known,
            };
            it.text("kind", b"event");
            it.value("category").extend_from_slice(format!("[\"{category}\"]").as_bytes());
            it.value("type").extend_from_slice(format!("[\"{kind}\"]").as_bytes());
            it.text("action", event.event.name.as_bytes());
            let failed = event.event.is_syscall() && errno::of_result(event.ret).is_some();
            it.text("outcome", if failed { b"failure" } else { b"success" });
            it.text("module", b"tracer");
        });
        object.object_of("host", |it| it.text("name", event.host.name.as_bytes()));
        process(event, &mut object);
        let context = event.context;
        let credentials = context.credentials.as_ref();
        object.object_of("user", |it| {
            it.text("id", context.uid.to_string().as_bytes());
            if let Some(euid) = credentials.map(|it| it.euid) {
                it.object_of("effective", |it| it.text("id", euid.to_string().as_bytes()));
            }
        });
        object.object_of("group", |it| it.text("id", context.gid.to_string().as_bytes()));
        if let Some(path) = path(event) {
            object.object_of("file", |it| it.text("path", path));
        }
        if let Some(container) = event.container.filter(|container| !container.id.is_empty()) {
            object.object_of("container", |it| {
                it.text("id", container.id.as_bytes());
                it.some_text("name", container.name.as_bytes());
                it.some_text("runtime", container.runtime.as_bytes());
                if !container.image.is_empty() {
                    it.object_of("image", |it| it.text("name", container.image.as_bytes()));
                }
            });
            if !container.pod_name.is_empty() {
                object.object_of("orchestrator", |it| {
                    it.text("type", b"kubernetes");
                    it.some_text("namespace", container.pod_namespace.as_bytes());
                    it.object_of("resource", |it| {
                        it.text("type", b"pod");
                        it.text("name", container.pod_name.as_bytes());
                        it.some_text("id", container.pod_uid.as_bytes());
                    });
                });
            }
        }
        object.object_of("tracer", |it| {
            it.number("result", event.ret);
            if let Some(name) = errno::of_result(event.ret).filter(|_| event.event.is_syscall()) {
                it.text("errno", name.as_bytes());
            }
            let scopes: Vec<String> = (1..=64)
                .filter(|scope| event.scopes >> (scope - 1) & 1 == 1)
                .map(|scope| scope.to_string())
                .collect();
            it.value("scopes").extend_from_slice(format!("[{}]", scopes.join(",")).as_bytes());
            it.object_of("args", |it| {
                for (position, arg) in event.event.listed_args().iter().enumerate() {
                    // As text: one field of an index has one type, and arguments of one name have many.
                    self.text.clear();
                    values::text(event, position, true, &mut self.text);
                    it.text(arg.name, &self.text);
                }
            });
        });
        object.close();
        out.push(b'\n');
        true
    }
}

fn process(event: &EventView<'_>, object: &mut Object<'_>) {
    let context = event.context;
    object.object_of("process", |it| {
        it.number("pid", context.pid.into());
        it.text("name", context.comm);
        it.some_text("executable", context.exe);
        it.text("entity_id", format!("{}@{}", context.pid, context.process_start_ns).as_bytes());
        it.some_text("working_directory", context.standing.cwd.unwrap_or_default());
        if let Some(terminal) = context.standing.terminal {
            it.value("interactive").extend_from_slice(if terminal != 0 { b"true" } else { b"false" });
        }
        if let Some(session) = context.standing.session {
            it.object_of("session_leader", |it| it.number("pid", session.into()));
        }
        if let Some(group) = context.standing.group {
            it.object_of("group_leader", |it| it.number("pid", group.into()));
        }
        if let Some(of) = &context.credentials {
            // The effective user, as the schema says.
            let users = [("user", of.euid), ("real_user", context.uid), ("saved_user", of.suid)];
            let groups = [("group", of.egid), ("real_group", context.gid), ("saved_group", of.sgid)];
            for (name, id) in users.into_iter().chain(groups) {
                it.object_of(name, |it| it.text("id", id.to_string().as_bytes()));
            }
        }
        it.object_of("thread", |it| {
            it.number("id", context.tid.into());
            let Some(of) = &context.credentials else { return };
            it.object_of("capabilities", |it| {
                capabilities("effective", of.effective, it);
                capabilities("permitted", of.permitted, it);
            });
        });
        it.object_of("parent", |it| {
            it.number("pid", context.ppid.into());
            it.text("entity_id", format!("{}@{}", context.ppid, context.parent_start_ns).as_bytes());
        });
        if event.event.name == "sched_process_exit"
            && let Some((at, _)) = event.event.arg("exit_code")
            && let Raw::Number(code) = event.args.get(at)
        {
            it.number("exit_code", code as i32 as i64);
        }
        let argv = event.event.arg("argv").filter(|(_, arg)| arg.kind == ArgKind::StrArray);
        if let Some((at, _)) = argv
            && let Raw::Bytes(argv) = event.args.get(at)
        {
            let out = it.value("args");
            out.push(b'[');
            for (at, word) in events::value::strings(argv).enumerate() {
                if at > 0 {
                    out.push(b',');
                }
                replay::render::json_text::quoted(word, out);
            }
            out.push(b']');
        }
    });
}

fn capabilities(name: &str, set: u64, object: &mut Object<'_>) {
    let names: Vec<String> =
        capability::members(set).filter_map(capability::name).map(|name| format!("\"{name}\"")).collect();
    object.value(name).extend_from_slice(format!("[{}]", names.join(",")).as_bytes());
}

/// The file that an event is about, where an argument names one.
fn path<'a>(event: &EventView<'a>) -> Option<&'a [u8]> {
    ["pathname", "path", "file_path", "oldpath"].into_iter().find_map(|name| {
        let (at, arg) = event.event.arg(name)?;
        match (arg.kind, event.args.get(at)) {
            (ArgKind::Str, Raw::Bytes(path)) if !path.is_empty() => Some(path),
            _ => None,
        }
    })
}
