//! Which container a cgroup belongs to.

use format::{Cgroup, Settings};
use hashbrown::HashMap;
use scopes::ContainerFacts;

/// What is known of a container. Fields that nobody told are empty.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Container {
    /// The runtime's full id (64 hex digits for most).
    pub id: String,
    pub runtime: String,
    pub name: String,
    pub image: String,
    pub pod_name: String,
    pub pod_namespace: String,
    pub pod_uid: String,
    /// It only holds a pod's namespaces (Kubernetes' pause container).
    pub pod_sandbox: bool,
    /// When its cgroup was made, boot clock ns; `None`: before the recording began.
    pub created_ns: Option<u64>,
    /// When its entry point was executed, boot clock ns; `None`: not seen, so before the recording began if the cgroup
    /// is as old, and never otherwise.
    pub started_ns: Option<u64>,
    pub settings: Settings,
}

impl Container {
    /// As filters see it.
    pub fn facts(&self) -> ContainerFacts<'_> {
        ContainerFacts {
            id: &self.id,
            name: &self.name,
            image: &self.image,
            pod_name: &self.pod_name,
            pod_namespace: &self.pod_namespace,
            pod_uid: &self.pod_uid,
            pod_sandbox: self.pod_sandbox,
            created_ns: self.created_ns,
            // One that is older than the recording had started before it.
            started_ns: self.started_ns.or(if self.created_ns.is_none() { Some(0) } else { None }),
        }
    }

    /// Whether its entry point had been executed by a time of the boot clock.
    pub fn started_by(&self, time_ns: u64) -> bool {
        match self.started_ns {
            Some(started) => started <= time_ns,
            None => self.created_ns.is_none(),
        }
    }
}

/// Containers by cgroup id.
#[derive(Clone, Debug, Default)]
pub struct Containers {
    by_cgroup: HashMap<u64, Container>,
}

impl Containers {
    /// Takes what a record says of a cgroup, if it is a container's. What was known of it before is overridden.
    pub(crate) fn learn(&mut self, cgroup: &Cgroup) {
        let Some(known) = &cgroup.container else { return };
        let container = Container {
            id: known.id.clone(),
            runtime: known.runtime.clone(),
            name: known.name.clone(),
            image: known.image.clone(),
            pod_name: known.pod_name.clone(),
            pod_namespace: known.pod_namespace.clone(),
            pod_uid: known.pod_uid.clone(),
            pod_sandbox: known.pod_sandbox,
            created_ns: cgroup.created_ns,
            started_ns: known.started_ns,
            settings: known.settings.clone(),
        };
        self.insert(cgroup.id, container);
    }

    pub fn insert(&mut self, cgroup_id: u64, container: Container) {
        self.by_cgroup.insert(cgroup_id, container);
    }

    pub fn get(&self, cgroup_id: u64) -> Option<&Container> {
        self.by_cgroup.get(&cgroup_id)
    }

    /// Cgroup ids and their containers, in no order.
    pub fn iter(&self) -> impl Iterator<Item = (u64, &Container)> {
        self.by_cgroup.iter().map(|(cgroup_id, container)| (*cgroup_id, container))
    }

    pub fn is_empty(&self) -> bool {
        self.by_cgroup.is_empty()
    }
}
