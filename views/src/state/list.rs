//! The objects of a state, as lists.

use std::collections::{BTreeMap, HashSet};
use std::rc::Rc;

use events::capability;
use events::consts::Named;
use events::context::Credentials;
use events::descriptor::{self, Ends};
use events::{Names, value};
use format::facts::Terminal;
use pipeline::Source;
use pipeline::source::{BootClocks, Host};
use scopes::{LineageBits, Plan, Subject};

use super::files::{Descriptor, OpenFile};
use super::mounts::MS_BIND;
use super::settings;
use super::{Boot, Object, Process, Since, State, Value};
use crate::Known;
use crate::known::Who;

/// What is listed.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Listed {
    Processes,
    Descriptors,
    Sockets,
    Mounts,
    Containers,
}

/// A boot and what is known around it.
struct Around<'s> {
    number: usize,
    boot: &'s Boot,
    host: &'s Host,
    source: &'s Source,
    known: &'s Known,
    /// Several hosts are shown: which one it is matters.
    names_hosts: bool,
    clocks: &'s BootClocks<'s>,
}

impl State<'_> {
    /// The objects of a kind, those alone that belong to processes which a plan matches. `wall_ns`: the moment.
    pub fn list(&self, listed: Listed, plan: Option<&Plan>, known: &Known, wall_ns: i64) -> Vec<Object> {
        self.list_if(listed, plan.is_some(), known, wall_ns, &|around, it| self.matches(around, plan, it))
    }

    /// The same of some processes.
    pub fn list_of(
        &self,
        listed: Listed,
        whose: Option<&HashSet<Who>>,
        known: &Known,
        wall_ns: i64,
    ) -> Vec<Object> {
        let is_theirs = |around: &Around<'_>, it: &Process| {
            whose.is_none_or(|whose| whose.contains(&Who::of(around.number, &it.context())))
        };
        self.list_if(listed, whose.is_some(), known, wall_ns, &is_theirs)
    }

    fn list_if(
        &self,
        listed: Listed,
        is_chosen: bool,
        known: &Known,
        wall_ns: i64,
        is_asked: &dyn Fn(&Around<'_>, &Process) -> bool,
    ) -> Vec<Object> {
        let names_hosts = self.source().has_hosts();
        let mut objects = Vec::new();
        let clocks = BootClocks::of(self.source());
        for (number, boot) in self.boots() {
            let (file, host) = boot.of;
            let Some(file) = self.source().files().get(file) else { continue };
            let Some(host) = file.host(host) else { continue };
            let source = self.source();
            let around = Around { number, boot, host, source, known, names_hosts, clocks: &clocks };
            let mut processes: Vec<&Process> =
                boot.processes.values().filter(|it| is_asked(&around, it)).collect();
            processes.sort_by_key(|it| it.pid);
            match listed {
                Listed::Processes => objects.extend(processes.iter().map(|it| around.process(it))),
                Listed::Descriptors => processes.iter().for_each(|it| around.descriptors(it, &mut objects)),
                Listed::Sockets => around.sockets(&processes, &mut objects),
                Listed::Mounts => around.mounts(&processes, is_chosen, &mut objects),
                Listed::Containers => around.containers(&processes, is_chosen, wall_ns, &mut objects),
            }
        }
        objects
    }

    fn matches(&self, around: &Around<'_>, plan: Option<&Plan>, process: &Process) -> bool {
        let Some(plan) = plan else { return true };
        let context = process.context();
        let container = around.host.containers().get(process.cgroup_id).map(|it| it.facts());
        let lineage = match self.lineages() {
            Some(lineages) => lineages.of_process(around.number, plan, &context),
            None => LineageBits::default(),
        };
        let subject = Subject {
            context: &context,
            container: container.as_ref(),
            lineage,
            recording: around.host.recording(),
            host: &around.host.name,
            time_ns: process.start_ns,
        };
        plan.context_mask(&subject) & plan.scopes() != 0
    }
}

impl Around<'_> {
    fn object(&self, key: String) -> Object {
        let object = Object::new(format!("{} {key}", self.number));
        let name = Value::text(self.host.name.as_bytes());
        if self.names_hosts { object.column("host", "HOST", name) } else { object.fact("host", name) }
    }

    fn user(&self, uid: u32) -> Value {
        match self.known.user(self.number, uid) {
            Some(name) => Value::text(name.as_bytes()),
            None => Value::text(uid.to_string().as_bytes()),
        }
    }

    fn container(&self, process: &Process) -> Value {
        let container = self.host.containers().get(process.cgroup_id);
        container.map_or(Value::Nothing, |it| {
            Value::text(if it.name.is_empty() { &it.id } else { &it.name }.as_bytes())
        })
    }

    fn process(&self, process: &Process) -> Object {
        let parent = self.boot.parent(process);
        let entity = process.context().process();
        let start = process.start_wall_ns.or_else(|| self.clocks.wall(self.number, process.start_ns));
        let argv = process.argv.as_ref().map(|argv| value::strings(argv).map(<[u8]>::to_vec).collect());
        let mut object = self
            .object(format!("{} {}", process.pid, process.start_ns / 10_000_000))
            .column("user", "USER", self.user(process.uid))
            .column("pid", "PID", Value::Number(process.pid.into()))
            .column("ppid", "PPID", parent.map_or(Value::Unknown, |pid| Value::Number(pid.into())))
            .column("start", "START", start.map_or(Value::Unknown, Value::Time))
            .column("tty", "TTY", terminal(&process.facts.terminal));
        let of = |id: fn(&Credentials) -> u32| number(process.credentials.as_ref().map(id));
        let set = |of: fn(&Credentials) -> u64| capabilities(process.credentials.as_ref().map(of));
        if !self.host.containers().is_empty() {
            object = object.column("container", "CONTAINER", self.container(process));
        }
        object
            .fact("uid", Value::Number(process.uid.into()))
            .fact("gid", Value::Number(process.gid.into()))
            .fact("euid", of(|it| it.euid))
            .fact("egid", of(|it| it.egid))
            .fact("suid", of(|it| it.suid))
            .fact("sgid", of(|it| it.sgid))
            .fact("fsuid", of(|it| it.fsuid))
            .fact("fsgid", of(|it| it.fsgid))
            .fact("cap", set(|it| it.effective))
            .fact("cap_permitted", set(|it| it.permitted))
            .fact("cap_inheritable", set(|it| it.inheritable))
            .fact("cap_bounding", set(|it| it.bounding))
            .fact("cap_ambient", set(|it| it.ambient))
            .fact("ns_pid", Value::Number(process.ns_pid.into()))
            .fact("entity", Value::text(format!("{}@{}", entity.pid, entity.start_ns).as_bytes()))
            .fact("comm", Value::text(&process.comm))
            .fact("exe", if process.is_kernel_thread() { Value::Nothing } else { known_text(&process.exe) })
            .fact("argv", argv.map_or(Value::Unknown, Value::Texts))
            .fact("cwd", Value::maybe(process.facts.cwd.as_deref()))
            .fact("session", number(process.facts.session))
            .fact("pgrp", number(process.facts.group))
            .fact("loginuid", number(process.facts.login_uid))
            .fact("login_session", number(process.facts.audit_session))
            .fact("cgroup_id", Value::Number(process.cgroup_id.into()))
            .fact("mnt_ns", Value::Number(process.mnt_ns.into()))
            .fact("pid_ns", Value::Number(process.pid_ns.into()))
            .fact("net_ns", Value::Number(process.net_ns.into()))
            .fact("since", Value::Since(process.since, false))
            .column("command", "COMMAND", command(process))
    }

    fn descriptors(&self, process: &Process, objects: &mut Vec<Object>) {
        let row = |fd: String, kind: Value, since: Value, name: Value, key: &str| {
            self.object(format!("{} {} {key}", process.pid, process.start_ns / 10_000_000))
                .column("comm", "COMMAND", Value::text(&process.comm))
                .column("pid", "PID", Value::Number(process.pid.into()))
                .column("user", "USER", self.user(process.uid))
                .column("fd", "FD", Value::text(fd.as_bytes()))
                .column("type", "TYPE", kind)
                .column("since", "SINCE", since)
                .column("name", "NAME", name)
        };
        let own = Value::Since(process.since, false);
        if let Some(cwd) = &process.facts.cwd {
            objects.push(row("cwd".into(), Value::word("DIR"), own.clone(), Value::text(cwd), "cwd"));
        }
        if !process.exe.is_empty() {
            objects.push(row("txt".into(), Value::word("REG"), own, Value::text(&process.exe), "txt"));
        }
        for (fd, descriptor) in self.boot.descriptors.of(process.table) {
            let file = &descriptor.file;
            let what = file.what.borrow().clone();
            let name = match (&what, file.by) {
                (Some(what), _) => Value::text(what),
                (None, Some(call)) => Value::text(format!("? ({call})").as_bytes()),
                (None, None) => Value::Unknown,
            };
            let since = Value::Since(file.since, descriptor.is_doubtful);
            let key = format!("{fd} {}", file_key(file));
            let kind = what.as_deref().map_or(Value::Unknown, |what| kind(what, file.flags));
            objects.push(
                row(format!("{fd}{}", access(file.flags)), kind, since, name, &key)
                    .fact("number", Value::Number(fd.into()))
                    .fact("doubtful", Value::Flag(descriptor.is_doubtful))
                    .fact("close_on_exec", descriptor.closes_on_exec.map_or(Value::Unknown, Value::Flag)),
            );
        }
    }

    /// A socket once, with all that hold it.
    fn sockets(&self, processes: &[&Process], objects: &mut Vec<Object>) {
        type Holders<'a> = Vec<(&'a Process, i32)>;
        let mut sockets: BTreeMap<Vec<u8>, (Rc<OpenFile>, &Descriptor, Holders<'_>)> = BTreeMap::new();
        for process in processes {
            for (fd, descriptor) in self.boot.descriptors.of(process.table) {
                let what = descriptor.file.what.borrow().clone();
                let is_socket = match &what {
                    Some(what) => descriptor::is_socket(what) || what.starts_with(b"socket:["),
                    None => {
                        matches!(descriptor.file.by, Some("socket" | "socketpair" | "accept" | "accept4"))
                    }
                };
                if !is_socket {
                    continue;
                }
                // What was open before has the same number wherever it is the same; of others copies are one.
                let one = match &what {
                    Some(what) if what.starts_with(b"socket:[") => what.to_vec(),
                    _ => format!("{:p}", Rc::as_ptr(&descriptor.file)).into_bytes(),
                };
                let entry = sockets.entry(one);
                entry
                    .or_insert_with(|| (Rc::clone(&descriptor.file), descriptor, Vec::new()))
                    .2
                    .push((process, fd));
            }
        }
        let mut rows: Vec<_> = sockets.into_values().collect();
        rows.sort_by_key(|(.., holders)| holders.first().map(|(process, fd)| (process.pid, *fd)));
        for (file, descriptor, holders) in rows {
            objects.push(self.socket(&file, descriptor.is_doubtful, &holders));
        }
    }

    fn socket(&self, file: &OpenFile, is_doubtful: bool, holders: &[(&Process, i32)]) -> Object {
        let what = file.what.borrow().clone();
        let ends = what.as_deref().and_then(descriptor::ends);
        let word = what.as_deref().filter(|what| descriptor::is_socket(what));
        let word = word.and_then(|what| what.split(|byte| *byte == b' ').next());
        let users: Vec<Vec<u8>> = holders
            .iter()
            .map(|(process, fd)| {
                let mut user = process.comm.to_vec();
                user.extend_from_slice(format!("({},fd={fd})", process.pid).as_bytes());
                user
            })
            .collect();
        let pids = holders.iter().map(|(process, _)| process.pid.to_string().into_bytes()).collect();
        let local = ends.as_ref().map(|ends| ends.local).filter(|local| !local.is_empty());
        let remote = ends.as_ref().and_then(|ends| ends.remote);
        // Where the kind is known, so is that it has no end: the kernel said what there was.
        let end = |end: Option<&[u8]>| match end {
            Some(end) => Value::text(end),
            None if ends.is_some() => Value::Nothing,
            None => Value::Unknown,
        };
        let what_before = String::from_utf8_lossy(file.first.as_deref().unwrap_or_default()).into_owned();
        self.object(format!("{} {} {what_before}", file.number, file_key(file)))
            .column("netid", "NETID", Value::maybe(word))
            .column("state", "STATE", self.socket_state(file, word, ends.as_ref()))
            .column("local", "LOCAL", end(local))
            .column("peer", "PEER", end(remote))
            .column("since", "SINCE", Value::Since(file.since, is_doubtful))
            .fact("what", Value::maybe(what.as_deref()))
            .fact("pids", Value::Texts(pids))
            .column("users", "PROCESSES", Value::Texts(users))
    }

    /// The state that the kernel said, or that follows from the ends; otherwise it is not known.
    fn socket_state(&self, file: &OpenFile, word: Option<&[u8]>, ends: Option<&Ends<'_>>) -> Value {
        let of_connection = |ends: &Ends<'_>| self.boot.connections.state(ends.local, ends.remote);
        match word {
            Some(b"tcp") if ends.and_then(of_connection).is_some() => {
                ends.and_then(of_connection).map_or(Value::Unknown, Value::word)
            }
            _ if file.listens.get() => Value::word("LISTEN"),
            Some(b"udp") => match ends.and_then(|ends| ends.remote) {
                Some(_) => Value::word("ESTABLISHED"),
                None if ends.is_some() => Value::word("UNCONNECTED"),
                None => Value::Unknown,
            },
            _ => Value::Unknown,
        }
    }

    fn mounts(&self, processes: &[&Process], only_theirs: bool, objects: &mut Vec<Object>) {
        let mut used: hashbrown::HashSet<u32> = processes.iter().map(|it| it.mnt_ns).collect();
        if !only_theirs {
            used.extend(self.boot.processes.values().map(|it| it.mnt_ns));
        }
        for (namespace, mount) in self.boot.mounts.each(|namespace| used.contains(&namespace)) {
            let since = match mount.since {
                Since::At(ns) | Since::Seen(ns) => ns,
                Since::Before => 0,
            };
            let target = String::from_utf8_lossy(&mount.target);
            let kind = match (&mount.kind, mount.flags & MS_BIND != 0) {
                (_, true) => Value::word("bind"),
                (kind, false) => Value::maybe(kind.as_deref()),
            };
            let mut options = Vec::new();
            if mount.flags & !MS_BIND != 0 {
                let flags = Named { names: Names::MountFlags, number: mount.flags & !MS_BIND };
                options.extend_from_slice(flags.to_string().replace('|', ",").as_bytes());
            }
            objects.push(
                self.object(format!("{namespace} {target} {since}"))
                    .column("mnt_ns", "MNT_NS", Value::Number(namespace.into()))
                    .column("source", "SOURCE", Value::maybe(mount.source.as_deref()))
                    .column("target", "TARGET", Value::text(&mount.target))
                    .column("type", "TYPE", kind)
                    .column("options", "OPTIONS", Value::text(&options))
                    .column("since", "SINCE", Value::Since(mount.since, false)),
            );
        }
    }

    fn containers(&self, processes: &[&Process], only_theirs: bool, wall_ns: i64, objects: &mut Vec<Object>) {
        let mut cgroups: BTreeMap<u64, format::Cgroup> = BTreeMap::new();
        for file in self.source.files() {
            let is_ours = |host: u16| file.host(host).is_some_and(|host| host.boot == self.number);
            let records = file.capture.records().unwrap_or_default();
            let ours = records.cgroups.into_iter().filter(|it| it.container.is_some() && is_ours(it.host));
            cgroups.extend(ours.map(|cgroup| (cgroup.id, cgroup)));
        }
        let wall = |ns: u64| self.host.wall(ns);
        for (id, cgroup) in cgroups {
            let inside = processes.iter().filter(|it| it.cgroup_id == id).count();
            let is_there = cgroup.created_ns.is_none_or(|ns| wall(ns) < wall_ns)
                && cgroup.removed_ns.is_none_or(|ns| wall(ns) >= wall_ns);
            let Some(container) = cgroup.container.filter(|_| is_there && (!only_theirs || inside > 0))
            else {
                continue;
            };
            let short = container.id.get(..12).unwrap_or(&container.id);
            let pod = match container.pod_name.is_empty() {
                true => Value::Nothing,
                false => {
                    Value::text(format!("{}/{}", container.pod_namespace, container.pod_name).as_bytes())
                }
            };
            let created = match cgroup.created_ns {
                Some(ns) => Since::At(wall(ns)),
                None => Since::Before,
            };
            objects.push(
                self.object(container.id.clone())
                    .column("container", "CONTAINER", Value::text(short.as_bytes()))
                    .column("name", "NAME", known_text(container.name.as_bytes()))
                    .column("image", "IMAGE", known_text(container.image.as_bytes()))
                    .column("runtime", "RUNTIME", known_text(container.runtime.as_bytes()))
                    .column("pod", "POD", pod)
                    .column("privileged", "PRIVILEGED", settings::privileged(&container.settings))
                    .column("since", "CREATED", Value::Since(created, false))
                    .column("processes", "PROCESSES", Value::Number(inside as i128))
                    .fact("mounts", settings::mounts(&container.settings))
                    .fact("added_capabilities", settings::added_capabilities(&container.settings))
                    .fact("id", Value::text(container.id.as_bytes()))
                    .fact("cgroup_id", Value::Number(id.into())),
            );
        }
    }
}

fn number(known: Option<u32>) -> Value {
    known.map_or(Value::Unknown, |number| Value::Number(number.into()))
}

/// The names of a set of capabilities.
fn capabilities(set: Option<u64>) -> Value {
    let Some(set) = set else { return Value::Unknown };
    let name = |member: u32| capability::name(member).map_or_else(|| member.to_string(), str::to_owned);
    Value::Texts(capability::members(set).map(|member| name(member).into_bytes()).collect())
}

/// By its name, as `ps` has it; `tty` where there is one that nobody saw the name of.
fn terminal(terminal: &Terminal) -> Value {
    match (terminal.is_there(), terminal.name()) {
        (None, _) => Value::Unknown,
        (Some(false), _) => Value::Nothing,
        (Some(true), Some(name)) => Value::text(name.as_bytes()),
        (Some(true), None) => Value::word("tty"),
    }
}

/// Bytes of which empty ones say that nobody told them.
fn known_text(bytes: &[u8]) -> Value {
    if bytes.is_empty() { Value::Unknown } else { Value::text(bytes) }
}

/// What tells an open file from others at the same number: when it was opened, or by what it is known.
fn file_key(file: &OpenFile) -> String {
    match file.since {
        Since::Before => String::from("before"),
        Since::At(ns) | Since::Seen(ns) => ns.to_string(),
    }
}

/// As `lsof` has it: read, write, or both; nothing where nobody saw how it was opened.
fn access(flags: Option<u64>) -> &'static str {
    match flags.map(|flags| flags & 3) {
        Some(0) => "r",
        Some(1) => "w",
        Some(2) => "u",
        _ => "",
    }
}

/// As `lsof` has it, as far as it is known: a path alone does not say whether it is a file, a directory or a device.
fn kind(what: &[u8], flags: Option<u64>) -> Value {
    const O_DIRECTORY: u64 = 0o200_000;
    if let Some(ends) = descriptor::ends(what) {
        let is_six = ends.local.starts_with(b"[") || ends.remote.is_some_and(|it| it.starts_with(b"["));
        return match ends.word {
            b"unix" | b"netlink" | b"packet" | b"vsock" => Value::text(ends.word),
            _ if is_six => Value::word("IPv6"),
            _ => Value::word("IPv4"),
        };
    }
    if descriptor::is_socket(what) || what.starts_with(b"socket:[") {
        Value::word("sock")
    } else if what.starts_with(b"pipe:[") {
        Value::word("FIFO")
    } else if what.starts_with(b"anon_inode:") {
        Value::word("a_inode")
    } else if what.starts_with(b"memfd:") || what.starts_with(b"/memfd:") {
        Value::word("REG")
    } else if flags.is_some_and(|flags| flags & O_DIRECTORY != 0) {
        Value::word("DIR")
    } else {
        Value::Unknown
    }
}

/// The command line where it is known, else the name in brackets, as `ps` has it.
fn command(process: &Process) -> Value {
    let words: Vec<Vec<u8>> =
        process.argv.iter().flat_map(|argv| value::strings(argv)).map(<[u8]>::to_vec).collect();
    if words.is_empty() {
        return Value::text(&[b"[", &*process.comm, b"]"].concat());
    }
    Value::text(&words.join(&b' '))
}
