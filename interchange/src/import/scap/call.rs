//! What events say as rows of a capture: calls, forks, execs and exits, and the format's own events by their names.

use std::collections::HashMap;
use std::sync::LazyLock;

use events::Event;
use events::catalogue::{self, Arch};
use serde_json::{Map, Value, json};

use crate::import::row::{self, Container, Task, argument, text_of};
use crate::scap::address::Tuple;
use crate::scap::calls::{self, Call};
use crate::scap::events::Stored;
use crate::scap::forms::{self, CLONE_THREAD, Form};
use crate::scap::number;

use super::Reader;
use super::event::{self, Params, Raw};
use super::state::{Thread, container_of};
use super::value::{self, Arguments, based};

/// Where a program came from, as far as the flags of its exec say it.
fn origin(flags: u32) -> Vec<Value> {
    let layers = [(forms::EXEC_UPPER_LAYER, true), (forms::EXEC_LOWER_LAYER, false)];
    let layer = layers.iter().find(|(bit, _)| flags & bit != 0);
    let layer = layer.map(|(_, is_upper)| argument("upper_layer", "bool", json!(is_upper)));
    let memfd = (flags & forms::EXEC_FROM_MEMFD != 0).then(|| argument("memfd", "bool", json!(true)));
    layer.into_iter().chain(memfd).collect()
}

impl Reader {
    /// A call by both of its events, or by one of them.
    pub(super) fn call(
        &mut self,
        enter: Option<&Raw<'_>>,
        exit: Option<&Raw<'_>>,
        tid: u32,
    ) -> Result<(), String> {
        let Some(last) = exit.or(enter) else { return Ok(()) };
        let begins = enter.map(Raw::params);
        let ends = exit.map(Raw::params);
        if last.number & !1 == number::GENERIC {
            self.generic(begins.as_ref(), ends.as_ref(), last, exit.is_some(), tid);
            return Ok(());
        }
        let Some(call) = calls::of_number(last.number) else { return Ok(()) };
        let result = ends.as_ref().and_then(Params::result).unwrap_or(0);
        let is_clone = matches!(call.event.name, "clone" | "clone3" | "fork" | "vfork");
        if let Some(ends) = ends.as_ref().filter(|_| is_clone && result == 0) {
            return self.child(ends, last, tid);
        }
        let pid = self.state.process_of(tid);
        let mut arguments = Arguments::default();
        {
            let named = |number: i64| named(number, self.state.stands_for(pid, number));
            let is_exec = matches!(call.event.name, "execve" | "execveat");
            if let Some(begins) = &begins {
                arguments.take(call, begins, false, &named);
            }
            // What an exec and a clone say as they end is of their task.
            if let Some(ends) = ends.as_ref().filter(|_| !is_exec && !is_clone) {
                arguments.take(call, ends, true, &named);
            }
        }
        let all = [begins.as_ref(), ends.as_ref()];
        self.addresses(call, &all, &mut arguments);
        match call.event.name {
            "execve" | "execveat" => {
                return self.exec(call, arguments, &all, last, exit.is_some(), result, tid);
            }
            "clone" => {
                if let (Some((at, _)), Some(flags)) =
                    (call.event.arg("flags"), ends.as_ref().and_then(|ends| ends.number("flags")))
                {
                    arguments.set(at, json!(kernel_flags(flags)));
                }
            }
            "open" | "openat" | "openat2" | "creat" if result >= 0 => {
                // What older programs did not look for they do not say.
                let flags = ends.as_ref().and_then(|it| it.number("flags").or(it.number("creat_flags")));
                let is_created = flags.is_some_and(|flags| flags as u64 & forms::OPEN_CREATED != 0);
                if let Some((at, _)) = call.event.arg("created").filter(|_| is_created) {
                    arguments.set(at, json!(true));
                }
            }
            _ => {}
        }
        self.push(call.event, arguments, last, exit.is_some(), result, tid);
        if exit.is_some() {
            if is_clone && result > 0 {
                self.made(ends.as_ref(), last, result, tid)?;
            }
            self.follow(call, &all, result, pid);
            self.change_user(call, &all, result, tid)?;
        }
        Ok(())
    }

    /// Puts the row of a call.
    fn push(
        &mut self,
        event: &Event,
        arguments: Arguments,
        last: &Raw<'_>,
        has_ended: bool,
        result: i64,
        tid: u32,
    ) {
        let (args, unreadable) = arguments.finish(event);
        let mut line = self.line(tid, last, event.name, result);
        line.insert("syscall".to_owned(), event.name.into());
        line.insert("args".to_owned(), args.into());
        let told: &[&str] = if has_ended { &[] } else { &["atEntry"] };
        if !unreadable.is_empty() || !told.is_empty() {
            line.insert("marks".to_owned(), json!({ "unreadable": unreadable, "event": told }));
        }
        self.ready.push_back(line);
    }

    /// Addresses that are told by both ends of a connection.
    fn addresses(&self, call: &Call, all: &[Option<&Params<'_>>], arguments: &mut Arguments) {
        let Some((at, _)) = ["addr", "dest_addr", "src_addr"].iter().find_map(|name| call.event.arg(name))
        else {
            return;
        };
        if let Some(given) = tuple(all).and_then(|tuple| value::given(call.event.name, &tuple))
            && !arguments.has(at)
        {
            arguments.set(at, given);
        }
    }

    #[expect(clippy::too_many_arguments)] // what both events said, and what came of it
    fn exec(
        &mut self,
        call: &Call,
        mut arguments: Arguments,
        all: &[Option<&Params<'_>>],
        last: &Raw<'_>,
        has_ended: bool,
        result: i64,
        tid: u32,
    ) -> Result<(), String> {
        let Some(ends) = all.iter().rev().flatten().next().filter(|_| has_ended) else {
            let path = all.iter().flatten().find_map(|params| params.text("filename"));
            if let (Some((at, _)), Some(path)) = (call.event.arg("pathname"), path) {
                arguments.set(at, text_of(path));
            }
            self.push(call.event, arguments, last, false, result, tid);
            return Ok(());
        };
        let exe = ends.text("exe").unwrap_or_default();
        let path = all
            .iter()
            .flatten()
            .find_map(|params| params.text("filename").or_else(|| params.text("pathname")));
        let trusted = ends.text("trusted_exepath");
        let path = path.or(trusted).unwrap_or(exe).to_vec();
        let list = |bytes: &[u8]| -> Vec<Value> {
            let whole = bytes.strip_suffix(b"\0").unwrap_or(bytes);
            if bytes.is_empty() { Vec::new() } else { whole.split(|byte| *byte == 0).map(text_of).collect() }
        };
        let mut argv = vec![text_of(exe)];
        argv.extend(list(ends.bytes("args")));
        let mut set = |name: &str, value: Value| {
            if let Some((at, _)) = call.event.arg(name) {
                arguments.set(at, value);
            }
        };
        set("pathname", text_of(&path));
        set("argv", argv.clone().into());
        let env = list(ends.bytes("env"));
        if !env.is_empty() {
            set("envp", env.into());
        }
        if result == 0 {
            self.became(ends, trusted.unwrap_or(&path), tid)?;
        }
        self.push(call.event, arguments, last, true, result, tid);
        if result == 0 {
            let mut line = self.line(tid, last, "sched_process_exec", 0);
            let args = [("cmdpath", text_of(&path)), ("pathname", text_of(&path)), ("argv", argv.into())];
            let mut args: Vec<Value> =
                args.into_iter().map(|(name, value)| argument(name, "const char*", value)).collect();
            args.extend(origin(ends.number("flags").unwrap_or(0) as u32));
            line.insert("args".to_owned(), args.into());
            self.ready.push_back(line);
        }
        Ok(())
    }

    /// A thread runs another program from now on.
    fn became(&mut self, ends: &Params<'_>, path: &[u8], tid: u32) -> Result<(), String> {
        let known = self.state.thread(tid);
        let id = |name: &str| ends.number(name).and_then(|id| u32::try_from(id).ok());
        let pid = id("pid").filter(|pid| *pid != 0).unwrap_or(known.pid);
        let ppid = id("ptid").map_or(known.ppid, |ptid| self.state.process_of(ptid));
        let comm = match ends.text("comm") {
            Some(comm) => comm.into(),
            None => row::comm_of(&String::from_utf8_lossy(path)).as_bytes().into(),
        };
        let container = container_of(ends.bytes("cgroups"));
        let uid = id("uid").unwrap_or(known.uid);
        let exe = self.state.resolved(pid, None, path).unwrap_or_else(|| path.to_vec()).into();
        let container = if container.is_empty() { known.container.clone() } else { container.into() };
        self.state.set(tid, Thread { pid, ppid, uid, comm, exe, container, ..known })
    }

    /// A child as it comes back from the call that made it: the fork, as its parent did it.
    fn child(&mut self, ends: &Params<'_>, last: &Raw<'_>, tid: u32) -> Result<(), String> {
        let id = |name: &str| ends.number(name).and_then(|id| u32::try_from(id).ok()).unwrap_or(0);
        let flags = kernel_flags(ends.number("flags").unwrap_or(0));
        let is_thread = flags & CLONE_THREAD != 0;
        let pid = if is_thread && id("pid") != 0 { id("pid") } else { tid };
        // Of a thread, the other one is its parent's; its own process made it.
        let parent_tid = if is_thread { pid } else { id("ptid") };
        let parent = self.state.thread(parent_tid);
        self.state.set(tid, child_of(ends, &parent, pid, is_thread, last.wall_ns))?;
        if !is_thread {
            self.state.inherit(pid, parent.pid);
        }
        let Some(fork) = catalogue::by_name("sched_process_fork") else { return Ok(()) };
        let mut line = self.line(parent_tid, last, fork.name, 0);
        let ns = |name: &str, id_: u32| if id(name) == 0 { id_ } else { id(name) };
        let args = [
            ("parent_tid", parent_tid),
            ("parent_pid", parent.pid),
            ("child_tid", tid),
            ("child_ns_tid", ns("vtid", tid)),
            ("child_pid", pid),
            ("child_ns_pid", ns("vpid", pid)),
        ];
        let mut args: Vec<Value> = args.iter().map(|(name, id)| argument(name, "int", json!(id))).collect();
        args.push(argument("clone_flags", "unsigned long", json!(flags)));
        line.insert("args".to_owned(), args.into());
        self.ready.push_back(line);
        Ok(())
    }

    /// A clone came back in the parent; a child in a namespace of its own is known by its own return only.
    fn made(
        &mut self,
        ends: Option<&Params<'_>>,
        last: &Raw<'_>,
        child: i64,
        tid: u32,
    ) -> Result<(), String> {
        const IN_NAMESPACE: i64 = 1 << 29;
        let Some(ends) = ends else { return Ok(()) };
        let written = ends.number("flags").unwrap_or(0);
        let own = ends.number("vtid").is_some_and(|vtid| vtid != i64::from(tid) && vtid > 0);
        let child = u32::try_from(child).unwrap_or(0);
        if written & IN_NAMESPACE != 0 || own || self.state.has(child) {
            return Ok(());
        }
        let is_thread = kernel_flags(written) & CLONE_THREAD != 0;
        let parent = self.state.thread(tid);
        let pid = if is_thread { parent.pid } else { child };
        let thread = Thread {
            pid,
            ppid: if is_thread { parent.ppid } else { parent.pid },
            ns_tid: child,
            ns_pid: pid,
            start_ns: if is_thread { 0 } else { last.wall_ns },
            ..parent.clone()
        };
        self.state.set(child, thread)?;
        if !is_thread {
            self.state.inherit(child, parent.pid);
        }
        Ok(())
    }

    /// Who a thread is from now on. Of a thread that is no root, `setuid` changes what is not kept here.
    fn change_user(
        &mut self,
        call: &Call,
        all: &[Option<&Params<'_>>],
        result: i64,
        tid: u32,
    ) -> Result<(), String> {
        let known = self.state.thread(tid);
        let name = match call.event.name {
            "setuid" if known.uid == 0 => "uid",
            "setresuid" | "setreuid" => "ruid",
            _ => return Ok(()),
        };
        let said = all.iter().rev().flatten().find_map(|params| params.number(name));
        // All bits: it stays.
        let said = said.map(|uid| uid as u32).filter(|uid| *uid != u32::MAX);
        match said.filter(|_| result == 0) {
            Some(uid) => self.state.set(tid, Thread { uid, ..known }),
            None => Ok(()),
        }
    }

    /// What a call does to descriptors and directories.
    fn follow(&mut self, call: &Call, all: &[Option<&Params<'_>>], result: i64, pid: u32) {
        let say = |name: &str| all.iter().rev().flatten().find_map(|params| params.number(name));
        let text = |name: &str| all.iter().flatten().find_map(|params| params.text(name));
        // A connection that is still being made has its ends already.
        const IN_PROGRESS: i64 = -115;
        if result < 0 && !(call.event.name == "connect" && result == IN_PROGRESS) {
            return;
        }
        let made = i32::try_from(result).unwrap_or(-1);
        let first = || all.first().copied().flatten().and_then(|params| params.number("fd"));
        match call.event.name {
            "open" | "openat" | "openat2" | "creat" => {
                let path = text("name").and_then(|path| self.state.resolved(pid, say("dirfd"), path));
                self.state.open(pid, made, &path.unwrap_or_default());
            }
            "close" => self.state.close(pid, say("fd").unwrap_or(-1) as i32),
            "chdir" => self.state.go_to(pid, text("path").unwrap_or_default()),
            "fchdir" => {
                let path = self.state.stands_for(pid, say("fd").unwrap_or(-1)).to_vec();
                self.state.go_to(pid, &path);
            }
            "socket" => {
                let kind = say("type").unwrap_or(0) & 0xf;
                let word = match (say("domain").unwrap_or(0), kind) {
                    (2 | 10, 1) => "tcp",
                    (2 | 10, 2) => "udp",
                    (2 | 10, 3) => "raw",
                    (1, _) => "unix",
                    (16, _) => "netlink",
                    (17, _) => "packet",
                    _ => "socket",
                };
                self.state.open(pid, made, word.as_bytes());
            }
            "connect" => {
                if let (Some(number), Some(tuple)) = (say("fd"), tuple(all)) {
                    let text = value::socket(&self.word(pid, number), &tuple);
                    self.state.open(pid, number as i32, &text);
                }
            }
            "accept" | "accept4" => {
                let tuple = tuple(all).unwrap_or_default();
                let text = value::socket("tcp", &tuple.swapped());
                self.state.open(pid, made, &text);
            }
            "pipe" | "pipe2" => {
                let inode = say("ino").unwrap_or(0);
                for name in ["fd1", "fd2"] {
                    let number = say(name).unwrap_or(-1) as i32;
                    self.state.open(pid, number, format!("pipe:[{inode}]").as_bytes());
                }
            }
            "socketpair" => {
                for name in ["fd1", "fd2"] {
                    self.state.open(pid, say(name).unwrap_or(-1) as i32, b"unix");
                }
            }
            "dup" | "dup2" | "dup3" => {
                let from = say("oldfd").or_else(first).unwrap_or(-1);
                let text = self.state.stands_for(pid, from).to_vec();
                self.state.open(pid, made, &text);
            }
            "fcntl" if matches!(say("cmd"), Some(1 | 26)) => {
                let text = self.state.stands_for(pid, first().unwrap_or(-1)).to_vec();
                self.state.open(pid, made, &text);
            }
            "eventfd" | "eventfd2" => self.state.open(pid, made, b"anon_inode:[eventfd]"),
            "signalfd" | "signalfd4" => self.state.open(pid, made, b"anon_inode:[signalfd]"),
            "timerfd_create" => self.state.open(pid, made, b"anon_inode:[timerfd]"),
            "inotify_init" | "inotify_init1" => self.state.open(pid, made, b"anon_inode:inotify"),
            _ => {}
        }
    }

    /// The first word of what a socket stands for.
    fn word(&self, pid: u32, number: i64) -> String {
        let known = self.state.stands_for(pid, number);
        let word = known.split(|byte| *byte == b' ').next().unwrap_or_default();
        let word = if events::descriptor::is_socket(word) { word } else { b"tcp" };
        String::from_utf8_lossy(word).into_owned()
    }

    /// A call that has no event of its own: only which one it was is known.
    fn generic(
        &mut self,
        begins: Option<&Params<'_>>,
        ends: Option<&Params<'_>>,
        last: &Raw<'_>,
        has_ended: bool,
        tid: u32,
    ) {
        let say = |name: &str| [begins, ends].into_iter().flatten().find_map(|params| params.number(name));
        let native = say("nativeID").and_then(|native| u16::try_from(native).ok());
        match native.and_then(of_native) {
            // What came of it is not said.
            Some(event) => self.push(event, Arguments::default(), last, has_ended, 0, tid),
            None => {
                let mut line = self.line(tid, last, "scap_syscall", 0);
                let id = argument("id", "u16", json!(say("ID").unwrap_or(0)));
                line.insert("args".to_owned(), json!([id]));
                self.ready.push_back(line);
            }
        }
    }

    pub(super) fn process_exit(&mut self, raw: &Raw<'_>, tid: u32) -> Result<(), String> {
        let params = raw.params();
        let status = params.number("status").unwrap_or(0);
        let code = params.number("ret").unwrap_or(status >> 8 & 0xff);
        let signal = params.number("sig").unwrap_or(status & 0x7f);
        let core = match params.number("core") {
            Some(core) => core != 0,
            None => status & 0x80 != 0,
        };
        let signal = signal | if core { 0x80 } else { 0 };
        let mut line = row::exit(&self.task(tid), raw.wall_ns, code, signal as u64);
        self.add_ids(&mut line, raw, tid);
        self.ready.push_back(line);
        self.state.end(tid);
        Ok(())
    }

    /// An event of the format's own, with its parameters as they are.
    pub(super) fn other(&mut self, name: &str, raw: &Raw<'_>, tid: u32) {
        let params = raw.params();
        let args = params.0.iter().filter(|(_, bytes)| !bytes.is_empty()).map(|(param, bytes)| {
            let value = match param.stored {
                Stored::Text => text_of(bytes.split(|byte| *byte == 0).next().unwrap_or_default()),
                Stored::Bytes => based(bytes),
                stored => event::number(stored, bytes).map_or_else(|| based(bytes), |number| json!(number)),
            };
            argument(param.name, "any", value)
        });
        let args: Vec<Value> = args.collect();
        let mut line = self.line(tid, raw, &format!("scap_{name}"), 0);
        line.insert("args".to_owned(), args.into());
        self.ready.push_back(line);
    }

    fn line(&self, tid: u32, raw: &Raw<'_>, name: &str, result: i64) -> Map<String, Value> {
        let mut line = row::row(&self.task(tid), raw.wall_ns, name, result);
        self.add_ids(&mut line, raw, tid);
        line
    }

    /// What a row says of its task beside the keys that all logs have.
    fn add_ids(&self, line: &mut Map<String, Value>, raw: &Raw<'_>, tid: u32) {
        let thread = self.state.thread(tid);
        line.insert("processorId".to_owned(), json!(raw.cpu));
        if thread.ns_tid != 0 {
            line.insert("threadId".to_owned(), json!(thread.ns_tid));
        }
        if thread.ns_pid != 0 {
            line.insert("processId".to_owned(), json!(thread.ns_pid));
        }
        if thread.start_ns != 0 && thread.pid == tid {
            line.insert("threadStartTime".to_owned(), json!(thread.start_ns));
        }
        let entity = |pid: u32| format!("{pid}@{}", self.state.start_of(pid)).into();
        line.insert("processEntityId".to_owned(), entity(thread.pid));
        line.insert("parentEntityId".to_owned(), entity(thread.ppid));
    }

    fn task(&self, tid: u32) -> Task {
        let thread = self.state.thread(tid);
        Task {
            pid: thread.pid,
            tid,
            ppid: thread.ppid,
            uid: thread.uid,
            comm: text_of(&thread.comm),
            exe: text_of(&thread.exe),
            host: self.state.host.clone().into(),
            container: Container { id: thread.container.to_string(), ..Container::default() },
        }
    }
}

/// Flags of a clone as the kernel has them.
fn kernel_flags(written: i64) -> u64 {
    Form::Clone.read(written as u64).unwrap_or(0)
}

fn child_of(ends: &Params<'_>, parent: &Thread, pid: u32, is_thread: bool, wall_ns: u64) -> Thread {
    let id = |name: &str| ends.number(name).and_then(|id| u32::try_from(id).ok()).unwrap_or(0);
    let container = container_of(ends.bytes("cgroups"));
    Thread {
        pid,
        ppid: if is_thread { parent.ppid } else { parent.pid },
        uid: ends.number("uid").map_or(parent.uid, |uid| uid as u32),
        ns_tid: id("vtid"),
        ns_pid: id("vpid"),
        comm: ends.text("comm").map_or_else(|| parent.comm.clone(), Into::into),
        exe: parent.exe.clone(),
        container: if container.is_empty() { parent.container.clone() } else { container.into() },
        start_ns: if is_thread { 0 } else { wall_ns },
    }
}

/// The call of a number that Linux gives it on x86-64.
fn of_native(number: u16) -> Option<&'static Event> {
    static CALLS: LazyLock<HashMap<u16, &'static Event>> = LazyLock::new(|| {
        let calls = catalogue::events().filter(|event| event.is_syscall());
        calls.filter_map(|event| Some((catalogue::number(Arch::X86_64, event.name)?, event))).collect()
    });
    CALLS.get(&number).copied()
}

/// Both ends of a connection, as the last event that says them does.
fn tuple(all: &[Option<&Params<'_>>]) -> Option<Tuple> {
    all.iter().rev().flatten().find_map(|params| {
        let (_, bytes) = params.get("tuple")?;
        Tuple::read(bytes)
    })
}

/// A descriptor with what it stands for, as logs that were made with names have it.
fn named(number: i64, stands_for: &[u8]) -> Value {
    match stands_for {
        b"" => json!(number),
        text => text_of(&[number.to_string().as_bytes(), b"=", text].concat()),
    }
}
