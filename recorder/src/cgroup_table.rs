//! Cgroups and containers as the recording goes on: what was there, what came, what started, what went.
//!
//! A container is known from its cgroup's path, so before its first event: from the walk at the start, from the
//! `cgroup_mkdir` event after it, and for a cgroup that neither showed, from the task that was seen in it. What people
//! call it comes later, from its runtime; it is told of again then.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    os::unix::fs::MetadataExt,
    path::PathBuf,
};

use events::Context;
use format::{Cgroup, Container};
use scopes::ContainerFacts;

use crate::{
    cgroups::{self, FoundCgroup},
    containers::container_of,
    names::NameRequest,
    runtime_paths::RuntimePaths,
    runtime_state::ContainerNames,
};

/// Removed cgroups are forgotten this long after: events of theirs may still be on the way.
const FORGET_AFTER_NS: u64 = 10_000_000_000;
/// Cgroup ids that could not be found are remembered, so that not each of their events looks again.
const UNKNOWN_BOUND: usize = 65_536;

#[derive(Debug, Default)]
pub struct CgroupTable {
    mount: Option<PathBuf>,
    /// Where runtimes keep their state.
    runtimes: Option<RuntimePaths>,
    known: BTreeMap<u64, Cgroup>,
    unknown: BTreeSet<u64>,
    /// Told of in the file already, unless in here.
    untold: BTreeSet<u64>,
    removed: BTreeSet<u64>,
    /// Containers whose names nobody has asked for yet.
    unnamed: Vec<NameRequest>,
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

    /// A cgroup that was made while recording; given back when it is a container's own.
    pub fn made(&mut self, found: FoundCgroup, time_ns: u64) -> Option<Cgroup> {
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
            self.untold.insert(id);
            self.version += 1;
            return None;
        }
        let known = self.known.contains_key(&id);
        self.insert(found, Some(time_ns));
        self.known.get(&id).filter(|cgroup| !known && is_own(cgroup)).cloned()
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
        let by_bundle = || self.runtimes.as_ref().and_then(|runtimes| runtimes.bundle_of(&path));
        let container = container_of(&path).or_else(by_bundle).map(|named| {
            // Cgroups inside a container (`.../init.scope`) do not start it a second time.
            let last = path.rsplit('/').next().unwrap_or_default();
            let is_own = last.contains(named.id) || last == "container";
            if created_ns.is_some() && is_own {
                self.starting.insert(id);
            }
            Container {
                id: named.id.to_owned(),
                runtime: named.runtime.name().to_owned(),
                pod_uid: named.pod_uid.unwrap_or_default(),
                ..Container::default()
            }
        });
        let container_id = container.as_ref().map(|container| container.id.clone());
        self.known.insert(id, Cgroup { id, path, created_ns, container, ..Cgroup::default() });
        self.unknown.remove(&id);
        self.untold.insert(id);
        self.version += 1;
        if let Some(container_id) = container_id {
            match self.runtimes.as_ref().and_then(|runtimes| runtimes.on_disk(&container_id)) {
                Some(names) => self.named(id, names),
                None => self.unnamed.push(NameRequest { cgroup_id: id, container_id }),
            }
        }
    }

    /// A cgroup that was removed; given back when it was a container's own.
    pub fn removed(&mut self, id: u64, time_ns: u64) -> Option<Cgroup> {
        let cgroup = self.known.get_mut(&id)?;
        cgroup.removed_ns = Some(time_ns);
        self.removed.insert(id);
        self.untold.insert(id);
        self.starting.remove(&id);
        Some(&*cgroup).filter(|cgroup| is_own(cgroup)).cloned()
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
            self.untold.insert(id);
            self.version += 1;
        }
    }

    /// From now on masks are given that the container's names, if any come, must not change.
    pub fn settle(&mut self, cgroup_id: u64) {
        self.nameless.insert(cgroup_id);
    }

    /// Containers whose names came after [`CgroupTable::settle`].
    pub fn late_names(&self) -> u64 {
        self.late_names
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
        let ContainerNames { name, image, pod_name, pod_namespace, pod_uid, pod_sandbox, runtime } = names;
        if let Some(runtime) = runtime.filter(|_| container.runtime.is_empty()) {
            container.runtime = runtime.name().to_owned();
        }
        (container.name, container.image) = (name, image);
        (container.pod_name, container.pod_namespace) = (pod_name, pod_namespace);
        container.pod_sandbox = pod_sandbox;
        if !pod_uid.is_empty() {
            container.pod_uid = pod_uid;
        }
        self.untold.insert(cgroup_id);
        self.version += 1;
    }

    /// Makes sure that the context's cgroup is known, if it can be: by its task, or by another walk.
    pub fn meet(&mut self, context: &Context<'_>) {
        let id = context.cgroup_id;
        if id == 0 || self.known.contains_key(&id) || self.unknown.contains(&id) {
            return;
        }
        let Some(mount) = self.mount.clone() else { return };
        let by_task = fs::read(format!("/proc/{}/cgroup", context.pid))
            .ok()
            .and_then(|text| crate::proc_files::unified(&text))
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
    pub fn take_untold(&mut self) -> Vec<Cgroup> {
        std::mem::take(&mut self.untold).iter().filter_map(|id| self.known.get(id).cloned()).collect()
    }

    /// Containers whose names should be asked for.
    pub fn take_unnamed(&mut self) -> Vec<NameRequest> {
        std::mem::take(&mut self.unnamed)
    }

    /// Forgets cgroups that were removed a while before `time_ns` and that the file knows of.
    pub fn forget_removed(&mut self, time_ns: u64) {
        let (known, untold, nameless) = (&mut self.known, &self.untold, &mut self.nameless);
        self.removed.retain(|id| {
            let gone = known.get(id).and_then(|c| c.removed_ns);
            let keep = untold.contains(id) || gone.is_some_and(|at| at + FORGET_AFTER_NS > time_ns);
            if !keep {
                known.remove(id);
                nameless.remove(id);
            }
            keep
        });
    }
}

/// Whether the cgroup is the container's own, and not one inside it.
fn is_own(cgroup: &Cgroup) -> bool {
    let last = cgroup.path.rsplit('/').next().unwrap_or_default();
    cgroup.container.as_ref().is_some_and(|container| last.contains(&container.id))
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
mod tests {
    use super::*;

    const ID: &str = "e9cf0db70635a1b2c3d4e5f60718293a4b5c6d7e8f90a1b2c3d4e5f607182930";

    fn docker(id: u64) -> FoundCgroup {
        FoundCgroup { id, path: format!("/system.slice/docker-{ID}.scope") }
    }

    fn task<'a>(cgroup_id: u64, comm: &'a [u8], exe: &'a [u8]) -> Context<'a> {
        Context { cgroup_id, comm, exe, ..Context::default() }
    }

    #[test]
    fn a_container_is_known_by_path_then_started_by_its_entry_point_then_named() {
        let mut table = CgroupTable::new(None);
        table.made(docker(7), 100);
        let facts = table.facts(7).unwrap();
        assert_eq!((facts.id, facts.created_ns, facts.started_ns), (ID, Some(100), None));
        for (comm, exe) in [
            (&b"6"[..], &b"/memfd:runc_cloned:/proc/self/exe"[..]),
            (b"runc:[2:INIT]", b"/usr/sbin/runc"),
            (b"exe", b"/"),
        ] {
            table.executed(&task(7, comm, exe), 150);
            assert_eq!(table.facts(7).unwrap().started_ns, None);
        }
        let before = table.version();
        table.executed(&task(7, b"sh", b"/bin/busybox"), 200);
        table.executed(&task(7, b"ls", b"/bin/busybox"), 300);
        assert_eq!(table.facts(7).unwrap().started_ns, Some(200));
        assert!(table.version() > before);
        let requests = table.take_unnamed();
        assert_eq!(requests, [NameRequest { cgroup_id: 7, container_id: ID.to_owned() }]);
        let names = ContainerNames {
            name: "web".into(),
            image: "alpine".into(),
            pod_sandbox: true,
            ..ContainerNames::default()
        };
        table.named(7, names);
        let facts = table.facts(7).unwrap();
        assert_eq!((facts.name, facts.image, facts.pod_sandbox), ("web", "alpine", true));
        let told = table.take_untold();
        assert_eq!(told[0].container.as_ref().unwrap().runtime, "docker");
        assert!(table.take_untold().is_empty());
    }

    #[test]
    fn a_container_older_than_the_recording_has_started() {
        let mut table = CgroupTable::new(None);
        table.there(docker(7));
        let facts = table.facts(7).unwrap();
        assert_eq!((facts.created_ns, facts.started_ns), (None, Some(0)));
        assert_eq!(table.facts(8), None);
        assert_eq!(table.id_of(&docker(7).path), 7);
    }

    #[test]
    fn removed_cgroups_are_told_of_and_then_forgotten() {
        let mut table = CgroupTable::new(None);
        table.made(docker(7), 100);
        table.removed(7, 200);
        table.forget_removed(200 + FORGET_AFTER_NS);
        assert_eq!(table.take_untold()[0].removed_ns, Some(200));
        table.forget_removed(199 + FORGET_AFTER_NS);
        assert!(table.facts(7).is_some());
        table.forget_removed(200 + FORGET_AFTER_NS);
        assert!(table.facts(7).is_none());
    }

    #[test]
    fn an_unknown_cgroup_is_looked_up_once() {
        let root = tempfile::tempdir().unwrap();
        let mut table = CgroupTable::new(Some(root.path().to_owned()));
        fs::create_dir(root.path().join(ID)).unwrap();
        let id = fs::metadata(root.path().join(ID)).unwrap().ino();
        table.meet(&task(id, b"ls", b"/bin/ls"));
        assert_eq!(table.facts(id).unwrap().id, ID);
        table.meet(&task(1, b"ls", b"/bin/ls"));
        assert_eq!(table.facts(1), None);
    }
}
