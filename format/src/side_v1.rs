//! Records beside the events as they were archived before version 5. Nothing of this changes any more.

use rkyv::{Archive, Deserialize, Serialize};

use crate::facts::Facts;
use crate::schema::Schema;
use crate::{Cgroup, Container, Loss, Process, Result, Side, User, archive};

/// Records of one frame.
#[derive(Archive, Serialize, Deserialize, Clone, PartialEq, Debug, Default)]
pub(crate) struct SideV1 {
    processes: Vec<ProcessV1>,
    cgroups: Vec<CgroupV1>,
    losses: Vec<LossV1>,
    users: Vec<UserV1>,
}

/// The same in version 4.
#[derive(Archive, Serialize, Deserialize, Clone, PartialEq, Debug, Default)]
pub(crate) struct SideV4 {
    processes: Vec<ProcessV1>,
    cgroups: Vec<CgroupV1>,
    losses: Vec<LossV1>,
    users: Vec<UserV1>,
    /// Which of the cgroups are of containers that are sandboxes of pods.
    sandboxes: Vec<u32>,
}

#[derive(Archive, Serialize, Deserialize, Clone, PartialEq, Debug, Default)]
struct ProcessV1 {
    host: u16,
    pid: u32,
    ppid: u32,
    ns_pid: u32,
    start_ns: u64,
    parent_start_ns: u64,
    uid: u32,
    gid: u32,
    cgroup_id: u64,
    mnt_ns: u32,
    pid_ns: u32,
    net_ns: u32,
    user_ns: u32,
    comm: Vec<u8>,
    exe: Vec<u8>,
    argv: Vec<u8>,
    fds: Vec<(i32, Vec<u8>)>,
}

#[derive(Archive, Serialize, Deserialize, Clone, PartialEq, Debug, Default)]
struct CgroupV1 {
    host: u16,
    id: u64,
    path: String,
    created_ns: Option<u64>,
    removed_ns: Option<u64>,
    container: Option<ContainerV1>,
}

#[derive(Archive, Serialize, Deserialize, Clone, PartialEq, Debug, Default)]
struct ContainerV1 {
    id: String,
    runtime: String,
    name: String,
    image: String,
    image_digest: String,
    pod_name: String,
    pod_namespace: String,
    pod_uid: String,
    started_ns: Option<u64>,
}

#[derive(Archive, Serialize, Deserialize, Clone, PartialEq, Debug, Default)]
struct LossV1 {
    host: u16,
    from_ns: u64,
    to_ns: u64,
    cpu: Option<u16>,
    /// By the file's schema.
    event: Option<u16>,
    count: u64,
    cause: String,
}

#[derive(Archive, Serialize, Deserialize, Clone, PartialEq, Debug, Default)]
struct UserV1 {
    host: u16,
    uid: u32,
    name: String,
}

/// The first version with [`SideV4`].
const WITH_SANDBOXES: u16 = 4;

/// Records of a file of this version; `offset` is where they came from, for the error.
pub(crate) fn read(version: u16, bytes: &[u8], schema: &Schema, offset: u64) -> Result<[Side; 4]> {
    let side = if version < WITH_SANDBOXES {
        let SideV1 { processes, cgroups, losses, users } = archive::read(bytes, offset)?;
        SideV4 { processes, cgroups, losses, users, sandboxes: Vec::new() }
    } else {
        archive::read(bytes, offset)?
    };
    let mut cgroups: Vec<Cgroup> = side.cgroups.into_iter().map(Cgroup::from).collect();
    for at in side.sandboxes {
        let cgroup = cgroups.get_mut(at as usize);
        if let Some(container) = cgroup.and_then(|cgroup| cgroup.container.as_mut()) {
            container.pod_sandbox = true;
        }
    }
    let losses = side.losses.into_iter().map(|loss| Loss {
        host: loss.host,
        from_ns: loss.from_ns,
        to_ns: loss.to_ns,
        cpu: loss.cpu,
        event: loss.event.and_then(|id| schema.by_file_id(id)).map(|file| file.event.id),
        count: loss.count,
        cause: loss.cause,
    });
    let users = side.users.into_iter().map(|it| User { host: it.host, uid: it.uid, name: it.name });
    Ok([
        Side::Processes(side.processes.into_iter().map(Process::from).collect()),
        Side::Cgroups(cgroups),
        Side::Losses(losses.collect()),
        Side::Users(users.collect()),
    ])
}

impl From<ProcessV1> for Process {
    fn from(it: ProcessV1) -> Process {
        Process {
            host: it.host,
            pid: it.pid,
            ppid: it.ppid,
            ns_pid: it.ns_pid,
            start_ns: it.start_ns,
            parent_start_ns: it.parent_start_ns,
            uid: it.uid,
            gid: it.gid,
            cgroup_id: it.cgroup_id,
            mnt_ns: it.mnt_ns,
            pid_ns: it.pid_ns,
            net_ns: it.net_ns,
            user_ns: it.user_ns,
            comm: it.comm,
            exe: it.exe,
            argv: it.argv,
            fds: it.fds,
            // No version before 5 knows any.
            facts: Facts::default(),
            credentials: None,
        }
    }
}

impl From<CgroupV1> for Cgroup {
    fn from(it: CgroupV1) -> Cgroup {
        Cgroup {
            host: it.host,
            id: it.id,
            path: it.path,
            created_ns: it.created_ns,
            removed_ns: it.removed_ns,
            container: it.container.map(Container::from),
        }
    }
}

impl From<ContainerV1> for Container {
    fn from(it: ContainerV1) -> Container {
        Container {
            id: it.id,
            runtime: it.runtime,
            name: it.name,
            image: it.image,
            image_digest: it.image_digest,
            pod_name: it.pod_name,
            pod_namespace: it.pod_namespace,
            pod_uid: it.pod_uid,
            started_ns: it.started_ns,
            ..Container::default()
        }
    }
}
