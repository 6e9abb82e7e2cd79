//! One line of a log.

use events::Context;
use events::context::ContextFlags;
use serde::Deserialize;

use crate::render::json_text;

/// The keys of Tracee's JSON, and those of ours that a capture can keep. Others are left out.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Line {
    /// ns since the epoch.
    pub timestamp: u64,
    #[serde(default)]
    thread_start_time: u64,
    #[serde(default)]
    pub processor_id: u16,
    #[serde(default)]
    process_id: u32,
    #[serde(default)]
    pub cgroup_id: u64,
    #[serde(default)]
    thread_id: u32,
    #[serde(default)]
    parent_process_id: u32,
    #[serde(default)]
    host_process_id: u32,
    #[serde(default)]
    host_thread_id: u32,
    #[serde(default)]
    host_parent_process_id: u32,
    #[serde(default)]
    user_id: u32,
    #[serde(default)]
    mount_namespace: u32,
    #[serde(default)]
    pid_namespace: u32,
    #[serde(default)]
    process_name: String,
    #[serde(default)]
    pub host_name: String,
    #[serde(default)]
    pub container_id: String,
    #[serde(default)]
    pub container_image: String,
    #[serde(default)]
    pub container_name: String,
    #[serde(default)]
    pub pod_name: String,
    #[serde(default)]
    pub pod_namespace: String,
    #[serde(default, rename = "podUID")]
    pub pod_uid: String,
    pub event_name: String,
    #[serde(default)]
    pub matched_scopes: u64,
    #[serde(default)]
    pub return_value: i64,
    #[serde(default)]
    pub syscall: String,
    #[serde(default)]
    pub context_flags: Flags,
    #[serde(default)]
    pub args: Vec<Argument>,
    #[serde(default)]
    executable: Executable,
    #[serde(default)]
    process_entity_id: serde_json::Value,
    #[serde(default)]
    parent_entity_id: serde_json::Value,
    /// The same as bytes: see [`Line::with_bytes`].
    #[serde(skip)]
    names: Option<Box<Names>>,
}

#[derive(Debug)]
struct Names {
    comm: Vec<u8>,
    uts: Vec<u8>,
    exe: Vec<u8>,
}

#[derive(Clone, Copy, Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Flags {
    #[serde(default)]
    pub container_started: bool,
    #[serde(default)]
    pub is_compat: bool,
}

#[derive(Debug, Default, Deserialize)]
struct Executable {
    #[serde(default)]
    path: String,
}

#[derive(Debug, Deserialize)]
pub struct Argument {
    pub name: String,
    #[serde(default, rename = "type")]
    pub ctype: String,
    #[serde(default)]
    pub value: serde_json::Value,
}

impl Line {
    /// Turns the strings of the context back to the bytes that they stand for; before [`Line::context`].
    pub fn with_bytes(mut self) -> Line {
        self.names = Some(Box::new(Names {
            comm: json_text::bytes_of(&self.process_name),
            uts: json_text::bytes_of(&self.host_name),
            exe: json_text::bytes_of(&self.executable.path),
        }));
        self
    }

    pub fn context(&self) -> Context<'_> {
        let (comm, uts, exe) = match &self.names {
            Some(names) => (&names.comm[..], &names.uts[..], &names.exe[..]),
            None => {
                (self.process_name.as_bytes(), self.host_name.as_bytes(), self.executable.path.as_bytes())
            }
        };
        // A main thread is as old as its process; of other threads' processes only our own logs say the start.
        let own = if self.host_process_id == self.host_thread_id { self.thread_start_time } else { 0 };
        let mut flags = 0;
        if self.context_flags.is_compat {
            flags |= ContextFlags::COMPAT;
        }
        if exe.is_empty() {
            flags |= ContextFlags::EXE_UNKNOWN;
        }
        Context {
            pid: self.host_process_id,
            tid: self.host_thread_id,
            ppid: self.host_parent_process_id,
            ns_pid: self.process_id,
            ns_tid: self.thread_id,
            ns_ppid: self.parent_process_id,
            uid: self.user_id,
            mnt_ns: self.mount_namespace,
            pid_ns: self.pid_namespace,
            cgroup_id: self.cgroup_id,
            thread_start_ns: self.thread_start_time,
            process_start_ns: start_of(&self.process_entity_id).unwrap_or(own),
            parent_start_ns: start_of(&self.parent_entity_id).unwrap_or(0),
            comm,
            exe,
            uts,
            flags: ContextFlags(flags),
            ..Context::default()
        }
    }
}

/// The start in `"510@START"`. Tracee's own entity ids are numbers that say nothing else.
fn start_of(entity: &serde_json::Value) -> Option<u64> {
    entity.as_str()?.split_once('@')?.1.parse().ok()
}
