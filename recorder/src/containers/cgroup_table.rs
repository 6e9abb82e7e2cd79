//! Cgroups and containers as the recording goes on: what was there, what came, what started, what went.
//!
//! A container is known from its cgroup's path, so before its first event: from the walk at the start, from the
//! `cgroup_mkdir` event after it, and for a cgroup that neither showed, from the task that was seen in it. What people
//! call it comes later, from its runtime; it is told of again then.

use std::{
    collections::{BTreeMap, BTreeSet, VecDeque},
    fs,
    os::unix::fs::MetadataExt,
    path::PathBuf,
};

use events::Context;
use format::{Cgroup, Container, Settings};
use scopes::ContainerFacts;

use crate::{
    containers::cgroups::{self, FoundCgroup},
    containers::delegation::{self, Authority},
    containers::identity::container_of,
    containers::names::NameRequest,
    containers::runtime_paths::RuntimePaths,
    containers::runtime_state::ContainerNames,
};

/// Removed cgroups are forgotten this long after: events of theirs may still be on the way.
const FORGET_AFTER_NS: u64 = 10_000_000_000;
/// Cgroup ids that could not be found are remembered, so that not each of their events looks again.
const UNKNOWN_BOUND: usize = 65_536;
/// Bytes of all cgroups that are known, and what one takes beside its path.
pub const BYTES_BOUND: usize = 32 << 20;
const EACH_BYTES: usize = 512;
/// Containers that may wait to be asked for.
const UNNAMED_BOUND: usize = 4096;

#[derive(Debug, Default)]
pub struct CgroupTable {
    mount: Option<PathBuf>,
    /// Where runtimes keep their state.
    runtimes: Option<RuntimePaths>,
    known: BTreeMap<u64, Cgroup>,
    unknown: BTreeSet<u64>,
    /// Told of in the file already, unless in here.
    unwritten: BTreeSet<u64>,
    removed: BTreeSet<u64>,
    /// Containers whose names nobody has asked for yet.
    unnamed: VecDeque<NameRequest>,
    /// What all that is known takes.
    bytes: usize,
    /// Containers that were judged without names: these stay as they are.
    nameless: BTreeSet<u64>,
    late_names: u64,
    /// Containers whose entry point has not been executed yet.
    starting: BTreeSet<u64>,
    /// Rises with each change that an answer about a container may depend on.
    version: u64,
}

impl CgroupTable {
    /// An empty table that looks unknown cgroups up below `mount`, the unified hierarchy, if there is one.
    pub fn new(mount: Option<PathBuf>) -> CgroupTable {
        CgroupTable { mount, ..CgroupTable::default() }
    }

    /// The table of this host, filled by a walk.
    pub fn of_host() -> CgroupTable {
        let mounts = fs::read_to_string("/proc/self/mounts").unwrap_or_default();
        let mount = cgroups::unified_mount(&mounts);
        let found = mount.as_deref().and_then(|mount| cgroups::walk(mount).ok()).unwrap_or_default();
        let runtimes = Some(RuntimePaths::default());
        let mut table = CgroupTable { mount, runtimes, ..CgroupTable::default() };
        for cgroup in found {
            table.there(cgroup);
        }
        table
    }

    /// A cgroup that was there before the recording.
    pub fn there(&mut self, found: FoundCgroup) {
        self.insert(found, None);
    }

    /// A cgroup that was made while recording; whether it is a container's own.
    pub fn made(&mut self, found: FoundCgroup, time_ns: u64) -> bool {
        let id = found.id;
        let was_found = |known: &&mut Cgroup| {
            known.path == found.path && known.created_ns.is_none() && known.removed_ns.is_none()
        };
        if let Some(known) = self.known.get_mut(&id).filter(was_found) {
            // The walk at the start was later than the event, and found it already.
            known.created_ns = Some(time_ns);
            if is_own(known) {
                self.starting.insert(id);
            }
            self.unwritten.insert(id);
            self.version += 1;
            return false;
        }
        let known = self.known.contains_key(&id);
        self.insert(found, Some(time_ns));
        self.known.get(&id).is_some_and(|cgroup| !known && is_own(cgroup))
    }

    pub fn get(&self, id: u64) -> Option<&Cgroup> {
        self.known.get(&id)
    }

    /// The containers that are there, each once.
    pub fn containers(&self) -> Vec<Cgroup> {
        self.known.values().filter(|cgroup| is_own(cgroup)).cloned().collect()
    }

    fn insert(&mut self, found: FoundCgroup, created_ns: Option<u64>) {
        let FoundCgroup { id, path } = found;
        if self.known.get(&id).is_some_and(|known| known.path == path && known.removed_ns.is_none()) {
            return;
        }
        let by_path = container_of(&path);
        let mount = self.mount.as_deref();
        let authority = if by_path.is_some() { delegation::authority(mount, &path) } else { Authority::Host };
        let by_bundle = || self.runtimes.as_ref().and_then(|runtimes| runtimes.bundle_of(&path));
        let container = by_path.or_else(by_bundle).map(|named| {
            // Cgroups inside a container (`.../init.scope`) do not start it a second time.
            let is_own = named.is_own || path.ends_with("/container");
            if created_ns.is_some() && is_own {
                self.starting.insert(id);
            }
            Container {
                id: named.id.to_owned(),
                runtime: if authority.is_verified() {
                    named.runtime.name().to_owned()
                } else {
                    format!("{} (unverified)", named.runtime.name()).trim_start().to_owned()
                },
                name: if named.runtime.names_by_path() { named.id.to_owned() } else { String::new() },
                pod_uid: named.pod_uid.unwrap_or_default(),
                ..Container::default()
            }
        });
        // Nobody is asked about what one container says of another, or of what its path names already.
        let asked = container.as_ref().filter(|it| authority != Authority::Container && it.name.is_empty());
        let container_id = asked.map(|container| container.id.clone());
        if !self.make_room(bytes_of(&path)) {
            return;
        }
        if let Some(older) = self.known.get(&id) {
            self.bytes -= bytes_of(&older.path) + settings_bytes(older);
        }
        self.bytes += bytes_of(&path);
        self.known.insert(id, Cgroup { id, path, created_ns, container, ..Cgroup::default() });
        self.unknown.remove(&id);
        self.unwritten.insert(id);
        self.version += 1;
        if let Some(container_id) = container_id {
            self.unnamed.push_back(NameRequest { cgroup_id: id, container_id, authority });
            // Whoever makes cgroups that look like containers in a loop gets no more than this many asked for.
            if self.unnamed.len() > UNNAMED_BOUND {
                let users = self.unnamed.iter().position(|it| !it.authority.is_verified());
                self.unnamed.remove(users.unwrap_or(0));
            }
        }
    }

    /// Makes room for a cgroup: who may make cgroups can make as many as there is memory for. Those that are gone are
    /// forgotten first; with too many alive, new ones stay unknown.
    fn make_room(&mut self, bytes: usize) -> bool {
        if self.bytes + bytes <= BYTES_BOUND {
            return true;
        }
        for id in std::mem::take(&mut self.removed) {
            self.forget(id);
        }
        self.bytes + bytes <= BYTES_BOUND
    }

    fn forget(&mut self, id: u64) {
        if let Some(cgroup) = self.known.remove(&id) {
            self.bytes -= bytes_of(&cgroup.path) + settings_bytes(&cgroup);
        }
        self.nameless.remove(&id);
        self.unwritten.remove(&id);
    }

    /// A cgroup that was removed; whether it was a container's own.
    pub fn removed(&mut self, id: u64, time_ns: u64) -> bool {
        let Some(cgroup) = self.known.get_mut(&id) else { return false };
        cgroup.removed_ns = Some(time_ns);
        self.removed.insert(id);
        self.unwritten.insert(id);
        self.starting.remove(&id);
        is_own(cgroup)
    }

    /// A task executed a program: the first one in a new container that is not the runtime's is its entry point.
    pub fn executed(&mut self, context: &Context<'_>, time_ns: u64) {
        let id = context.cgroup_id;
        if !self.starting.contains(&id) || is_runtime(context) {
            return;
        }
        self.starting.remove(&id);
        if let Some(container) = self.known.get_mut(&id).and_then(|cgroup| cgroup.container.as_mut()) {
            container.started_ns = Some(time_ns);
            self.unwritten.insert(id);
            self.version += 1;
        }
    }

    /// From now on masks are given that the container's names, if any come, must not change.
    pub fn freeze_names(&mut self, cgroup_id: u64) {
        self.nameless.insert(cgroup_id);
    }

    /// Containers whose names came after [`CgroupTable::freeze_names`].
    pub fn late_names(&self) -> u64 {
        self.late_names
    }

    /// Whether a runtime has said already what the container is called.
    pub fn is_named(&self, cgroup_id: u64) -> bool {
        let container = self.known.get(&cgroup_id).and_then(|cgroup| cgroup.container.as_ref());
        container.is_some_and(|container| !(container.name.is_empty() && container.pod_name.is_empty()))
    }

    /// A runtime's answer.
    pub fn named(&mut self, cgroup_id: u64, names: ContainerNames) {
        if self.nameless.remove(&cgroup_id) {
            self.late_names += 1;
            return;
        }
        let Some(container) = self.known.get_mut(&cgroup_id).and_then(|c| c.container.as_mut()) else {
            return;
        };
        let ContainerNames { name, image, pod_name, pod_namespace, pod_uid, pod_sandbox, runtime, settings } =
            names;
        // Where there is no room for them, they are not known.
        let bytes = settings.bytes();
        self.bytes -= container.settings.bytes();
        let has_room = self.bytes + bytes <= BYTES_BOUND;
        container.settings = if has_room { settings } else { Settings::default() };
        self.bytes += container.settings.bytes();
        if let Some(runtime) = runtime.filter(|_| container.runtime.is_empty()) {
            container.runtime = runtime.name().to_owned();
        }
        (container.name, container.image) = (name, image);
        (container.pod_name, container.pod_namespace) = (pod_name, pod_namespace);
        container.pod_sandbox = pod_sandbox;
        if !pod_uid.is_empty() {
            container.pod_uid = pod_uid;
        }
        self.unwritten.insert(cgroup_id);
        self.version += 1;
    }

    /// Makes sure that the context's cgroup is known, if it can be: by its task, or by another walk.
    pub fn discover(&mut self, context: &Context<'_>) {
        let id = context.cgroup_id;
        if id == 0 || self.known.contains_key(&id) || self.unknown.contains(&id) {
            return;
        }
        let Some(mount) = self.mount.clone() else { return };
        let by_task = fs::read(format!("/proc/{}/cgroup", context.pid))
            .ok()
            .and_then(|text| crate::host::proc_files::unified(&text))
            .filter(|path| {
                fs::metadata(mount.join(path.trim_start_matches('/'))).is_ok_and(|m| m.ino() == id)
            });
        match by_task {
            Some(path) => self.there(FoundCgroup { id, path }),
            None => {
                for found in cgroups::walk(&mount).unwrap_or_default() {
                    self.there(found);
                }
                if !self.known.contains_key(&id) && self.unknown.len() < UNKNOWN_BOUND {
                    self.unknown.insert(id);
                }
            }
        }
    }

    /// Ids of the cgroups that are known, rising.
    pub fn ids(&self) -> impl Iterator<Item = u64> {
        self.known.keys().copied()
    }

    pub fn facts(&self, cgroup_id: u64) -> Option<ContainerFacts<'_>> {
        let cgroup = self.known.get(&cgroup_id)?;
        let container = cgroup.container.as_ref()?;
        Some(ContainerFacts {
            id: &container.id,
            name: &container.name,
            image: &container.image,
            pod_name: &container.pod_name,
            pod_namespace: &container.pod_namespace,
            pod_uid: &container.pod_uid,
            pod_sandbox: container.pod_sandbox,
            created_ns: cgroup.created_ns,
            started_ns: match cgroup.created_ns {
                None => Some(0),
                Some(_) => container.started_ns,
            },
        })
    }

    /// Changes whenever [`Self::facts`] may answer differently than before.
    pub fn version(&self) -> u64 {
        self.version
    }

    /// The id of the cgroup with this path; 0 when there is none.
    pub fn id_of(&self, path: &str) -> u64 {
        self.known.values().find(|c| c.path == path && c.removed_ns.is_none()).map_or(0, |c| c.id)
    }

    /// Every cgroup that is known, for the beginning of a file.
    pub fn all(&self) -> Vec<Cgroup> {
        self.known.values().cloned().collect()
    }

    /// What the file has not been told of, or not in this state.
    pub fn take_unwritten(&mut self) -> Vec<Cgroup> {
        std::mem::take(&mut self.unwritten).iter().filter_map(|id| self.known.get(id).cloned()).collect()
    }

    /// Containers whose names should be asked for.
    pub fn take_unnamed(&mut self) -> VecDeque<NameRequest> {
        std::mem::take(&mut self.unnamed)
    }

    /// Those that could not be asked for yet.
    pub fn put_back_unnamed(&mut self, requests: impl Iterator<Item = NameRequest>) {
        self.unnamed = requests.chain(std::mem::take(&mut self.unnamed)).collect();
    }

    /// Forgets cgroups that were removed a while before `time_ns` and that the file knows of.
    pub fn forget_removed(&mut self, time_ns: u64) {
        let is_kept = |id: &u64| {
            let gone = self.known.get(id).and_then(|c| c.removed_ns);
            self.unwritten.contains(id) || gone.is_some_and(|at| at + FORGET_AFTER_NS > time_ns)
        };
        let (kept, over) = std::mem::take(&mut self.removed).into_iter().partition(is_kept);
        self.removed = kept;
        let over: BTreeSet<u64> = over;
        over.into_iter().for_each(|id| self.forget(id));
    }
}

fn bytes_of(path: &str) -> usize {
    EACH_BYTES + path.len()
}

fn settings_bytes(cgroup: &Cgroup) -> usize {
    cgroup.container.as_ref().map_or(0, |container| container.settings.bytes())
}

/// Whether the cgroup is the container's own, and not one inside it.
fn is_own(cgroup: &Cgroup) -> bool {
    let Some(container) = &cgroup.container else { return false };
    match container_of(&cgroup.path) {
        Some(named) => named.is_own,
        None => cgroup.path.rsplit('/').next() == Some(&container.id),
    }
}

/// Whether the program is the runtime's own, on its way to the entry point: `runc init` executes itself, from a
/// sealed copy with the number of its stage as comm, or from a mount of itself alone that is detached then: its path has
/// nothing but the root.
fn is_runtime(context: &Context<'_>) -> bool {
    let name = context.exe.rsplit(|b| *b == b'/').next().unwrap_or_default();
    let name = name.strip_prefix(b"memfd:").unwrap_or(name);
    [&b"runc"[..], b"crun", b"youki", b"kata", b"conmon", b"containerd-shim"]
        .iter()
        .any(|program| name.starts_with(program))
        || context.exe == b"/"
        || context.exe.starts_with(b"/memfd:runc")
        || context.exe.starts_with(b"memfd:runc")
        || context.comm.starts_with(b"runc:[")
}

#[cfg(test)]
mod tests;
