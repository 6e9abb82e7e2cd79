//! One line of a log, in the form of Tracee 0.11 and our own `-o json`, with what later releases added to it. The form that
//! replaced it is read in [`super::workload`].

use events::context::ContextFlags;
use events::{Context, Event, Marks, mark_names, marks};
use serde::{Deserialize, Deserializer};

use super::acting::Acting;
use super::schema::Stored;
use crate::render::json_text;

/// The keys of Tracee's JSON, and those of ours that a capture can keep. Others are left out.
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Line {
    /// ns since the epoch.
    pub timestamp: u64,
    #[serde(default)]
    pub(super) thread_start_time: u64,
    #[serde(default)]
    pub processor_id: u16,
    #[serde(default)]
    pub(super) process_id: u32,
    #[serde(default)]
    pub cgroup_id: u64,
    #[serde(default)]
    pub(super) thread_id: u32,
    #[serde(default)]
    pub(super) parent_process_id: u32,
    #[serde(default)]
    pub(super) host_process_id: u32,
    #[serde(default)]
    pub(super) host_thread_id: u32,
    #[serde(default)]
    pub(super) host_parent_process_id: u32,
    #[serde(default)]
    pub(super) user_id: u32,
    #[serde(default)]
    pub(super) mount_namespace: u32,
    #[serde(default)]
    pub(super) pid_namespace: u32,
    #[serde(default)]
    pub(super) process_name: String,
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
    #[serde(default)]
    pub pod_sandbox: bool,
    pub event_name: String,
    #[serde(default)]
    pub matched_scopes: u64,
    #[serde(default)]
    pub return_value: i64,
    #[serde(default)]
    pub syscall: String,
    #[serde(default)]
    pub context_flags: Flags,
    #[serde(default, deserialize_with = "or_nothing")]
    pub args: Vec<Argument>,
    #[serde(default)]
    pub(super) executable: Executable,
    #[serde(default)]
    pub stand_in: bool,
    /// How long the call took, ns.
    #[serde(default)]
    pub duration: Option<u64>,
    #[serde(default)]
    pub(super) marks: MarkNames,
    /// Releases after 0.12 say these in objects of their own.
    #[serde(default)]
    pub(super) container: ContainerObject,
    #[serde(default)]
    pub(super) kubernetes: PodObject,
    /// Names of policies; releases after 0.12 have them instead of a mask.
    #[serde(default, deserialize_with = "or_nothing")]
    pub matched_policies: Vec<String>,
    #[serde(default)]
    pub(super) process_entity_id: serde_json::Value,
    #[serde(default)]
    pub(super) parent_entity_id: serde_json::Value,
    #[serde(default)]
    pub(super) task: Acting,
    /// It is in the form that says less: see [`super::workload`].
    #[serde(skip)]
    pub is_workload: bool,
    /// The same as bytes: see [`Line::complete`].
    #[serde(skip)]
    pub(super) names: Option<Box<Names>>,
}

#[derive(Debug)]
pub(super) struct Names {
    comm: Vec<u8>,
    uts: Vec<u8>,
    exe: Vec<u8>,
}

/// What this program's own JSON says of a row beside its values.
#[derive(Debug, Default, Deserialize)]
pub(super) struct MarkNames {
    #[serde(default)]
    cut: Vec<String>,
    #[serde(default)]
    unreadable: Vec<String>,
    #[serde(default)]
    event: Vec<String>,
}

impl MarkNames {
    /// The marks, given the names of the event's arguments in order.
    pub fn marks(&self, args: &[(String, Stored)]) -> Marks {
        let has_marks =
            |at: usize| args.get(at).is_some_and(|(name, stored)| stored.has_marks() && name != Event::HASH);
        let bit = |name: &String| {
            let position = args.iter().position(|(known, _)| known == name)?;
            marks::mark_bit(position, has_marks)
        };
        let mut marks = Marks(0);
        for name in &self.event {
            marks.0 |= mark_names::by_name(name).map_or(0, |mark| mark.bits);
        }
        marks = self.cut.iter().filter_map(bit).fold(marks, Marks::cut_arg);
        self.unreadable.iter().filter_map(bit).fold(marks, Marks::lost_arg)
    }
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
pub(super) struct Executable {
    #[serde(default)]
    pub path: String,
}

#[derive(Debug, Default, Deserialize)]
pub(super) struct ContainerObject {
    #[serde(default)]
    id: String,
    #[serde(default)]
    name: String,
    #[serde(default)]
    image: String,
}

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct PodObject {
    #[serde(default)]
    pod_name: String,
    #[serde(default)]
    pod_namespace: String,
    #[serde(default, rename = "podUID")]
    pod_uid: String,
    #[serde(default)]
    pod_sandbox: bool,
}

/// An empty list is written as `null` too.
fn or_nothing<'de, D: Deserializer<'de>, T: Deserialize<'de> + Default>(from: D) -> Result<T, D::Error> {
    Ok(Option::deserialize(from)?.unwrap_or_default())
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
    /// An event that was put together as JSON: by readers of other logs.
    pub fn of_json(value: serde_json::Value) -> Result<Line, String> {
        serde_json::from_value::<Line>(value).map(Line::complete).map_err(|error| error.to_string())
    }

    /// Brings together what forms say in different places, and turns the strings of the context back to the bytes that
    /// they stand for; before [`Line::context`].
    pub fn complete(mut self) -> Line {
        let said = |field: &mut String, elsewhere: &mut String| {
            if field.is_empty() {
                *field = std::mem::take(elsewhere);
            }
        };
        said(&mut self.container_id, &mut self.container.id);
        said(&mut self.container_name, &mut self.container.name);
        said(&mut self.container_image, &mut self.container.image);
        said(&mut self.pod_name, &mut self.kubernetes.pod_name);
        said(&mut self.pod_namespace, &mut self.kubernetes.pod_namespace);
        said(&mut self.pod_uid, &mut self.kubernetes.pod_uid);
        self.pod_sandbox |= self.kubernetes.pod_sandbox;
        if self.cgroup_id == 0 && !self.container_id.is_empty() {
            self.cgroup_id = stand_in(&self.container_id);
        }
        self.task.complete();
        self.names = Some(Box::new(Names {
            comm: json_text::bytes_of(&self.process_name),
            uts: json_text::bytes_of(&self.host_name),
            exe: json_text::bytes_of(&self.executable.path),
        }));
        self
    }

    /// How far the wall clock was ahead of the boot clock, in ns: our own logs say the start of a main thread by both.
    pub fn ahead_ns(&self) -> Option<u64> {
        let boot = start_of(&self.process_entity_id).filter(|boot| *boot != 0)?;
        let is_main = self.host_process_id == self.host_thread_id;
        self.thread_start_time.checked_sub(boot).filter(|_| is_main)
    }

    /// With the wall clock so far ahead of the boot clock.
    pub fn context(&self, ahead_ns: u64) -> Context<'_> {
        let (comm, uts, exe) = match &self.names {
            Some(names) => (&names.comm[..], &names.uts[..], &names.exe[..]),
            None => {
                (self.process_name.as_bytes(), self.host_name.as_bytes(), self.executable.path.as_bytes())
            }
        };
        // A main thread is as old as its process; of other threads' processes only our own logs say the start.
        let thread_start_ns = self.thread_start_time.saturating_sub(ahead_ns);
        let own = if self.host_process_id == self.host_thread_id { thread_start_ns } else { 0 };
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
            thread_start_ns,
            process_start_ns: start_of(&self.process_entity_id).unwrap_or(own),
            parent_start_ns: start_of(&self.parent_entity_id).unwrap_or(0),
            comm,
            exe,
            uts,
            flags: ContextFlags(flags),
            credentials: self.task.credentials(),
            standing: self.task.standing(),
            ..Context::default()
        }
    }
}

/// A cgroup for the container of a log that says none: containers are known by cgroup. No kernel has such numbers.
fn stand_in(container_id: &str) -> u64 {
    let hash = container_id.bytes().fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| {
        (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3)
    });
    hash | 1 << 63
}

/// The start in `"510@START"`. Tracee's own entity ids are numbers that say nothing else.
fn start_of(entity: &serde_json::Value) -> Option<u64> {
    entity.as_str()?.split_once('@')?.1.parse().ok()
}
