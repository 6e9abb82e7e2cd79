//! A host of a file, and what is known of it beside its events.

use std::sync::{Arc, OnceLock};

use format::{Capture, Cgroup, Clock, Records, WallClock};
use scopes::Recording;

use crate::containers::Containers;

/// What is known of a host beside its events.
#[derive(Clone, Debug, Default)]
pub struct Host {
    /// Its node name when the recording began.
    pub name: String,
    pub boot_id: String,
    /// Which boot of which machine this is: hosts of several files that have the same number are the same. Their
    /// order is that of boot ids, so that rows of one time stand in an order that does not depend on how files are given.
    pub boot: usize,
    /// When its recording began, ns of the boot clock.
    pub start_ns: u64,
    pub(crate) number: u16,
    facts: Arc<Facts>,
    /// Asked for when it is needed: its points stand in the blocks.
    clock: OnceLock<WallClock>,
    /// Whether rows are ordered by the wall clock: those of several boots are.
    pub(super) by_wall: bool,
}

/// What records beside the events say of the hosts of a file, once somebody asked.
#[derive(Debug, Default)]
struct Facts {
    capture: Option<Arc<Capture>>,
    of_hosts: OnceLock<Vec<HostFacts>>,
}

#[derive(Clone, Debug, Default)]
struct HostFacts {
    containers: Arc<Containers>,
    host_mnt_ns: Option<u32>,
}

impl Host {
    /// Those of a file.
    pub(super) fn all(capture: &Arc<Capture>) -> Vec<Host> {
        let facts = Arc::new(Facts { capture: Some(Arc::clone(capture)), of_hosts: OnceLock::new() });
        let header = capture.header();
        let hosts = (0u16..).zip(header.hosts()).map(|(number, host)| Host {
            name: host.hostname.clone(),
            boot_id: host.boot_id.clone(),
            boot: 0,
            start_ns: match header.recording_of(number).start_ns {
                0 => header.clock.boot_ns,
                start => start,
            },
            number,
            facts: Arc::clone(&facts),
            clock: OnceLock::new(),
            by_wall: false,
        });
        hosts.collect()
    }

    /// The wall clock of the host over the time of its file.
    pub fn clock(&self) -> &WallClock {
        self.clock.get_or_init(|| match &self.facts.capture {
            Some(capture) => WallClock::of(capture, self.number),
            None => WallClock::constant(Clock::default()),
        })
    }

    /// A boot-clock time on the clock that orders rows of all files.
    pub fn key(&self, boot_ns: u64) -> u64 {
        if self.by_wall { self.clock().key(boot_ns) } else { boot_ns }
    }

    /// Wall clock of a boot-clock time, ns since the epoch: see [`super::File::wall`].
    pub fn wall(&self, boot_ns: u64) -> i64 {
        self.clock().wall(boot_ns)
    }

    /// The same host, once more is known of it: of cgroups, and what the wall clock was at a time.
    pub(crate) fn with(&self, cgroups: &[Cgroup], clock: Option<(u64, Clock)>) -> Host {
        let mut host = self.clone();
        if !cgroups.is_empty() {
            let mut facts = self.facts().clone();
            let containers = Arc::make_mut(&mut facts.containers);
            cgroups.iter().for_each(|cgroup| containers.learn(cgroup));
            let mut of_hosts = vec![HostFacts::default(); usize::from(self.number) + 1];
            if let Some(own) = of_hosts.last_mut() {
                *own = facts;
            }
            host.facts = Arc::new(Facts { capture: self.facts.capture.clone(), of_hosts: of_hosts.into() });
        }
        if let Some((boot_ns, clock)) = clock {
            host.clock = self.clock().with(boot_ns, clock).into();
        }
        host
    }

    /// The same host with another clock.
    pub(crate) fn with_clock(&self, clock: WallClock) -> Host {
        Host { clock: clock.into(), ..self.clone() }
    }

    pub fn containers(&self) -> &Containers {
        &self.facts().containers
    }

    pub fn recording(&self) -> Recording {
        Recording { start_ns: self.start_ns, host_mnt_ns: self.facts().host_mnt_ns }
    }

    fn facts(&self) -> &HostFacts {
        static NOTHING: OnceLock<HostFacts> = OnceLock::new();
        let known = self
            .facts
            .of_hosts
            .get_or_init(|| self.facts.capture.as_ref().map(|it| facts(it)).unwrap_or_default());
        known.get(usize::from(self.number)).unwrap_or_else(|| NOTHING.get_or_init(HostFacts::default))
    }
}

/// By index of host.
fn facts(capture: &Capture) -> Vec<HostFacts> {
    let Records { processes, cgroups, .. } = capture.records().unwrap_or_default();
    let mut facts: Vec<HostFacts> = capture.header().hosts().map(|_| HostFacts::default()).collect();
    for cgroup in cgroups {
        if let Some(of) = facts.get_mut(usize::from(cgroup.host)) {
            Arc::make_mut(&mut of.containers).learn(&cgroup);
        }
    }
    let mut mounts: Vec<Vec<(u32, u32)>> = vec![Vec::new(); facts.len()];
    for process in &processes {
        if let Some(of) = mounts.get_mut(usize::from(process.host)) {
            of.push((process.pid, process.mnt_ns));
        }
    }
    for (of, mounts) in facts.iter_mut().zip(mounts) {
        of.host_mnt_ns = Recording::host_mnt_ns(mounts.into_iter());
    }
    facts
}
