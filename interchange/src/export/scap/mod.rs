//! `.scap`, which sysdig, Falco's tools, Stratoshark and Wireshark's sysdig dissector read.
//!
//! Each call is the pair of events that older readers know, one as it begins and one as it ends, both at the time at which it
//! ended: they stand in order of time, whatever is known of durations (`record --timing`). What the format has no event for is its generic event, with the call's number. Who the
//! threads are and what their descriptors stand for is in tables before the events, which a first reading fills: [`survey`].

mod params;
mod survey;
mod tables;

use std::sync::atomic::Ordering;

use events::{Event, Marks, Raw, catalogue};
use pipeline::EventView;

use super::{Writes, facts};
use crate::scap::events::{Pair, Param, Stored, generic_number, pair};
use crate::scap::{block, calls, forms, number};
use params::Params;
pub use survey::{Survey, Surveyed};
pub use tables::Machine;

/// A longer event is refused by readers.
const LONGEST: usize = 65_000;

/// Arguments or variables of an exec beyond so many bytes are left out.
const LONGEST_LIST: usize = 24_000;

/// Writes events behind the tables.
#[derive(Debug)]
pub struct Scap<'a> {
    surveyed: &'a Surveyed,
    params: Params,
}

impl Scap<'_> {
    pub fn new(surveyed: &Surveyed) -> Scap<'_> {
        Scap { surveyed, params: Params::default() }
    }
}

impl Writes for Scap<'_> {
    fn event(&mut self, event: &EventView<'_>, out: &mut Vec<u8>) -> bool {
        let start = out.len();
        let is_held = match event.event.name {
            "sched_process_exit" => self.exit(event, out),
            "sched_process_fork" => self.child(event, out),
            // Where the call was recorded too, that says the same.
            "sched_process_exec" if !self.surveyed.has_execs => self.call(event, number::EXECVE, out),
            _ if !event.event.is_syscall() || event.event.name == "unknown_syscall" => false,
            _ => match calls::of_event(event.event).and_then(|call| call.written) {
                Some(pair) => self.call(event, pair.number, out),
                None => self.generic(event, out),
            },
        };
        if !is_held {
            out.truncate(start);
        }
        is_held
    }
}

impl Scap<'_> {
    /// The pair of a call, or only its beginning where that is all that was seen.
    fn call(&mut self, event: &EventView<'_>, number: u16, out: &mut Vec<u8>) -> bool {
        let Some(pair) = pair(number) else { return false };
        let only_begins = event.marks.has(Marks::AT_ENTRY);
        self.half(event, pair, pair.number, out)
            && (only_begins || self.half(event, pair, pair.number + 1, out))
    }

    fn half(&mut self, event: &EventView<'_>, pair: &Pair, number: u16, out: &mut Vec<u8>) -> bool {
        let is_exit = number != pair.number;
        let params = if is_exit { &pair.exit } else { &pair.enter };
        self.params.clear();
        for (at, param) in params.iter().enumerate().filter(|(_, param)| !param.is_new) {
            self.params.push(|out| {
                if is_exit && at == 0 {
                    params::result(event.ret, param.stored, out);
                } else {
                    self.surveyed.param(event, param, is_exit, out);
                }
            });
        }
        self.write(event, event.context.tid, number, out)
    }

    /// A call that has no event of its own.
    fn generic(&mut self, event: &EventView<'_>, out: &mut Vec<u8>) -> bool {
        let native = catalogue::number(catalogue::Arch::X86_64, event.event.name).unwrap_or(u16::MAX);
        let id = generic_number(event.event.name);
        self.params.clear();
        self.params.push(|out| out.extend(id.to_le_bytes()));
        self.params.push(|out| out.extend(native.to_le_bytes()));
        if !self.write(event, event.context.tid, number::GENERIC, out) {
            return false;
        }
        if event.marks.has(Marks::AT_ENTRY) {
            return true;
        }
        self.params.clear();
        self.params.push(|out| out.extend(id.to_le_bytes()));
        self.write(event, event.context.tid, number::GENERIC + 1, out)
    }

    /// A child as it comes back from the call that made it: where the fork itself was recorded.
    fn child(&mut self, event: &EventView<'_>, out: &mut Vec<u8>) -> bool {
        let Some(child) = facts::number(event, &["child_tid"]) else { return false };
        let Some(pair) = pair(number::CLONE) else { return false };
        self.params.clear();
        for (at, param) in pair.exit.iter().enumerate().filter(|(_, param)| !param.is_new) {
            self.params.push(|out| {
                if at == 0 {
                    params::result(0, param.stored, out);
                } else {
                    self.surveyed.of_child(event, param, out);
                }
            });
        }
        self.write(event, child as u32, pair.number + 1, out)
    }

    /// The end of a thread: status, code, signal, and whether there is a core.
    fn exit(&mut self, event: &EventView<'_>, out: &mut Vec<u8>) -> bool {
        let code = facts::number(event, &["exit_code"]).unwrap_or(0);
        let signal = facts::number(event, &["signal_code"]).unwrap_or(0);
        self.params.clear();
        self.params.push(|out| out.extend(((code & 0xff) << 8 | signal & 0xff).to_le_bytes()));
        self.params.push(|out| out.extend(code.to_le_bytes()));
        self.params.push(|out| out.push(signal as u8 & 0x7f));
        self.params.push(|out| out.push(u8::from(signal & 0x80 != 0)));
        self.write(event, event.context.tid, number::PROCESS_EXIT, out)
    }

    /// Appends the block of an event with the parameters that were pushed; `false`: it is too long.
    fn write(&self, event: &EventView<'_>, tid: u32, number: u16, out: &mut Vec<u8>) -> bool {
        let length = EVENT_HEADER + self.params.size();
        if length > LONGEST || self.params.is_too_long() {
            return false;
        }
        tables::block(block::EVENT, out, |out| {
            out.extend(event.cpu.to_le_bytes());
            out.extend(event.wall_ns.max(0).to_le_bytes());
            out.extend(u64::from(tid).to_le_bytes());
            out.extend((length as u32).to_le_bytes());
            out.extend(number.to_le_bytes());
            self.params.write(out);
        });
        true
    }
}

/// Time, thread, length, number, and how many parameters there are.
const EVENT_HEADER: usize = 26;

impl Surveyed {
    /// Appends a parameter that is not the result.
    fn param(&self, event: &EventView<'_>, param: &Param, is_exit: bool, out: &mut Vec<u8>) {
        let is_argument = !is_exit && matches!(param.name, "dirfd" | "pathname" | "flags");
        if (is_exec(event.event) || is_clone(event.event)) && !is_argument {
            return self.of_task(event, param, out);
        }
        let Some(call) = calls::of_event(event.event) else { return params::unknown(param.stored, out) };
        if param.stored == Stored::Tuple {
            return params::tuple(event).write(out);
        }
        match call.source(param.name) {
            // Only its end knows what came of an open.
            Some(source) if is_exit && source.form == forms::Form::Open && params::is_created(event) => {
                params::argument(event, source, param.stored, forms::OPEN_CREATED, out);
            }
            Some(source) => params::argument(event, source, param.stored, 0, out),
            None => params::unknown(param.stored, out),
        }
    }

    /// What an exec or a clone says of its task.
    fn of_task(&self, event: &EventView<'_>, param: &Param, out: &mut Vec<u8>) {
        let context = event.context;
        let argv = || facts::strings(event, &["argv"]).into_iter().flatten();
        match param.name {
            "exe" if is_exec(event.event) => {
                params::text(argv().next().unwrap_or_else(|| facts::path(event)), out);
            }
            "args" if is_exec(event.event) => self.list(argv().skip(1), out),
            "flags" if is_exec(event.event) => out.extend(exec_flags(event).to_le_bytes()),
            "exe" => params::text(context.exe, out),
            "tid" => out.extend(i64::from(context.tid).to_le_bytes()),
            "pid" => out.extend(i64::from(context.pid).to_le_bytes()),
            "ptid" => out.extend(i64::from(context.ppid).to_le_bytes()),
            "comm" => params::text(context.comm, out),
            "cgroups" => self.cgroups(context.cgroup_id, out),
            "env" => self.list(facts::strings(event, &["envp", "env"]).into_iter().flatten(), out),
            "loginuid" => out.extend(u32::MAX.to_le_bytes()),
            "filename" => params::text(facts::path(event), out),
            "uid" => out.extend(context.uid.to_le_bytes()),
            "gid" => out.extend(context.gid.to_le_bytes()),
            "vtid" => out.extend(i64::from(context.ns_tid).to_le_bytes()),
            "vpid" => out.extend(i64::from(context.ns_pid).to_le_bytes()),
            "flags" if is_clone(event.event) => {
                let mut flags = forms::Form::Clone.write(clone_flags(event));
                if context.tid != context.ns_tid && context.ns_tid != 0 {
                    flags |= forms::CHILD_IN_NAMESPACE;
                }
                out.extend((flags as u32).to_le_bytes());
            }
            _ => params::unknown(param.stored, out),
        }
    }

    /// What the child's return says, told by the fork.
    fn of_child(&self, event: &EventView<'_>, param: &Param, out: &mut Vec<u8>) {
        let id = |name: &str| facts::number(event, &[name]).unwrap_or(0);
        let (tid, pid, ns_tid) = (id("child_tid"), id("child_pid"), id("child_ns_tid"));
        match param.name {
            "tid" => out.extend(tid.to_le_bytes()),
            "pid" => out.extend(pid.to_le_bytes()),
            "ptid" => out.extend(i64::from(event.context.pid).to_le_bytes()),
            "vtid" => out.extend(if ns_tid == 0 { tid } else { ns_tid }.to_le_bytes()),
            "vpid" => {
                let ns_pid = id("child_ns_pid");
                out.extend(if ns_pid == 0 { pid } else { ns_pid }.to_le_bytes());
            }
            "flags" => {
                let mut flags = facts::number(event, &["clone_flags"]).unwrap_or(0) as u64;
                if tid != pid {
                    flags |= forms::CLONE_THREAD;
                }
                let mut written = forms::Form::Clone.write(flags);
                if ns_tid != 0 && ns_tid != tid {
                    written |= forms::CHILD_IN_NAMESPACE;
                }
                out.extend((written as u32).to_le_bytes());
            }
            _ => self.of_task(event, param, out),
        }
    }

    /// Strings one behind the other, as many as an event has room for.
    fn list<'a>(&self, strings: impl Iterator<Item = &'a [u8]>, out: &mut Vec<u8>) {
        let start = out.len();
        for string in strings {
            if out.len() - start + string.len() >= LONGEST_LIST {
                self.cut.fetch_add(1, Ordering::Relaxed);
                return;
            }
            params::text(string, out);
        }
    }

    fn cgroups(&self, cgroup: u64, out: &mut Vec<u8>) {
        if let Some(path) = self.cgroups.get(&cgroup) {
            params::text(&[b"memory=", &path[..]].concat(), out);
        }
    }
}

fn is_exec(event: &Event) -> bool {
    matches!(event.name, "execve" | "execveat" | "sched_process_exec")
}

fn is_clone(event: &Event) -> bool {
    matches!(event.name, "clone" | "clone3" | "fork" | "vfork" | "sched_process_fork")
}

/// Where a program came from.
fn exec_flags(event: &EventView<'_>) -> u32 {
    let layer = match facts::number(event, &["upper_layer"]) {
        Some(0) => forms::EXEC_LOWER_LAYER,
        Some(_) => forms::EXEC_UPPER_LAYER,
        None => 0,
    };
    let is_memfd = facts::number(event, &["memfd"]).is_some_and(|memfd| memfd != 0);
    layer | if is_memfd { forms::EXEC_FROM_MEMFD } else { 0 }
}

/// The flags of a call that makes a task, as the kernel has them.
fn clone_flags(event: &EventView<'_>) -> u64 {
    const VFORK: u64 = 0x4000 | 0x100;
    match event.event.name {
        "vfork" => VFORK,
        "clone3" => match event.event.arg("cl_args").map(|(at, _)| event.args.get(at)) {
            Some(Raw::Bytes(bytes)) => bytes.first_chunk().map_or(0, |flags| u64::from_le_bytes(*flags)),
            _ => 0,
        },
        _ => facts::number(event, &["flags"]).unwrap_or(0) as u64,
    }
}
