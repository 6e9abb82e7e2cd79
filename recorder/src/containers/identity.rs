//! Which container a cgroup belongs to, from its path alone.
//!
//! Runtimes name a container's cgroup after the container, so the path says whose it is before the first event of it
//! arrives and without asking anybody. The shapes, by cgroup driver:
//!
//! ```text
//! cgroupfs  /docker/ID   /kubepods/burstable/podUID/ID   /libpod_parent/libpod-ID   /default/ID
//! systemd   .../docker-ID.scope   .../cri-containerd-ID.scope   .../crio-ID.scope   .../libpod-ID.scope
//! mixed     /system.slice/containerd.service/kubepods-podUID.slice:cri-containerd:ID
//! by name   /lxc.payload.NAME   /lxc/NAME   /machine.slice/systemd-nspawn@NAME.service   .../machine-NAME.scope
//! others    /ecs/TASK/TASK-NUMBER   .../garden/HANDLE   .../buildkit/NUMBER
//! ```
//! ID is 64 hex digits. A cgroup below a container's (`.../init.scope`) belongs to the container, and where containers
//! nest the innermost one is meant. Who could have chosen the name is another question: [`crate::containers::delegation`].

/// Who runs the container, as far as the path tells. `Unknown` is a bare id, such as a Kubernetes pod's under the
/// cgroupfs driver, which is the same for every runtime.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Runtime {
    Docker,
    Containerd,
    CriO,
    Podman,
    /// LXC itself, and what is built on it: Incus and LXD.
    Lxc,
    Nspawn,
    Garden,
    Buildkit,
    Fargate,
    Unknown,
}

impl Runtime {
    /// As Tracee's users know it; empty when unknown.
    pub const fn name(self) -> &'static str {
        match self {
            Runtime::Docker => "docker",
            Runtime::Containerd => "containerd",
            Runtime::CriO => "crio",
            Runtime::Podman => "podman",
            Runtime::Lxc => "lxc",
            Runtime::Nspawn => "systemd-nspawn",
            Runtime::Garden => "garden",
            Runtime::Buildkit => "buildkit",
            Runtime::Fargate => "fargate",
            Runtime::Unknown => "",
        }
    }

    /// Its containers are named in the path by what people call them.
    pub const fn names_by_path(self) -> bool {
        matches!(self, Runtime::Lxc | Runtime::Nspawn)
    }
}

/// A container as its cgroup's path names it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct PathContainer<'a> {
    /// 64 lower-case hex digits, or a name.
    pub id: &'a str,
    pub runtime: Runtime,
    /// Which component of the path names it.
    pub at: usize,
    /// The path is the container's own, and not that of a cgroup inside it.
    pub is_own: bool,
    /// With dashes, whatever the driver wrote: `6e37ce5a-1b4e-4d5f-9d6b-0e0f0c0a0b01`.
    pub pod_uid: Option<String>,
}

/// The prefixes that runtimes put before the id.
const PREFIXES: &[(&str, Runtime)] = &[
    ("docker", Runtime::Docker),
    ("cri-containerd", Runtime::Containerd),
    ("nerdctl", Runtime::Containerd),
    ("crio", Runtime::CriO),
    ("libpod-payload", Runtime::Podman),
    ("libpod", Runtime::Podman),
];

/// Parents under which a bare id is this runtime's.
const PARENTS: &[(&str, Runtime)] = &[
    ("docker", Runtime::Docker),
    ("ecs", Runtime::Docker),
    ("default", Runtime::Containerd),
    ("k8s.io", Runtime::Containerd),
    ("moby", Runtime::Docker),
    ("libpod_parent", Runtime::Podman),
];

/// The container that a cgroup path names, if it names one.
pub fn container_of(path: &str) -> Option<PathContainer<'_>> {
    let components: Vec<&str> = path.split('/').filter(|c| !c.is_empty()).collect();
    for (at, component) in components.iter().enumerate().rev() {
        let above = components.get(..at).unwrap_or_default();
        let is_own = at + 1 == components.len();
        if let Some((id, named)) = id_in(component) {
            let runtime = named.unwrap_or_else(|| runtime_by_parents(above));
            let pod_uid = pod_in(component).or_else(|| above.iter().rev().find_map(|c| pod_in(c)));
            return Some(PathContainer { id, runtime, at, is_own, pod_uid });
        }
        if let Some((id, runtime)) = name_in(component, above) {
            return Some(PathContainer { id, runtime, at, is_own, pod_uid: None });
        }
    }
    None
}

/// The container that one component names with something else than 64 digits.
fn name_in<'a>(component: &'a str, above: &[&str]) -> Option<(&'a str, Runtime)> {
    let parent = above.last().copied().unwrap_or_default();
    let found = if let Some(name) = component.strip_prefix("lxc.payload.") {
        (name, Runtime::Lxc)
    } else if parent == "lxc" && above.len() == 1 && !component.starts_with("lxc.") {
        (component, Runtime::Lxc)
    } else if let Some(name) = component.strip_prefix("systemd-nspawn@") {
        (name.strip_suffix(".service")?, Runtime::Nspawn)
    } else if parent == "machine.slice"
        && let Some(name) = component.strip_prefix("machine-")
    {
        // Virtual machines are registered there as well: `machine-qemu\x2d1\x2dvm.scope`.
        let name = name
            .strip_suffix(".scope")
            .filter(|name| !name.starts_with("qemu") && !name.starts_with("libvirt"))?;
        (name, Runtime::Nspawn)
    } else if parent == "garden" && is_handle(component) {
        (component, Runtime::Garden)
    } else if parent == "buildkit" && is_buildkit(component) {
        (component, Runtime::Buildkit)
    } else if let Some((task, number)) = component.split_once('-')
        && task == parent
        && above.iter().rev().nth(1) == Some(&"ecs")
        && !number.is_empty()
        && number.bytes().all(|b| b.is_ascii_digit())
    {
        (component, Runtime::Fargate)
    } else {
        return None;
    };
    (!found.0.is_empty()).then_some(found)
}

/// Cloud Foundry's handles are groups of hex digits: `6e37ce5a-1b4e-4d5f-4d5f-9d6b`, with a suffix for tasks.
fn is_handle(text: &str) -> bool {
    text.len() >= 27 && text.bytes().all(|b| b.is_ascii_hexdigit() || b == b'-') && text.contains('-')
}

/// BuildKit numbers its steps with 25 digits and letters.
fn is_buildkit(text: &str) -> bool {
    text.len() == 25 && text.bytes().all(|b| b.is_ascii_digit() || b.is_ascii_lowercase())
}

/// The id in one component, and the runtime when the component says it.
fn id_in(component: &str) -> Option<(&str, Option<Runtime>)> {
    let name = component.strip_suffix(".scope").unwrap_or(component);
    if is_id(name) {
        return Some((name, None));
    }
    // `slice:prefix:ID` is what a systemd path becomes when a cgroupfs runtime takes it literally.
    let (before, id) = name.rsplit_once(['-', ':'])?;
    if !is_id(id) {
        return None;
    }
    let prefix = before.rsplit_once(':').map_or(before, |(_, prefix)| prefix);
    // Conmon watches the container from outside: `crio-conmon-ID.scope`, `libpod-conmon-ID.scope`.
    let (_, runtime) = PREFIXES.iter().find(|(p, _)| *p == prefix)?;
    Some((id, Some(*runtime)))
}

fn is_id(text: &str) -> bool {
    text.len() == 64 && text.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f'))
}

fn runtime_by_parents(above: &[&str]) -> Runtime {
    above
        .iter()
        .rev()
        .find_map(|c| PARENTS.iter().find(|(parent, _)| parent == c))
        .map_or(Runtime::Unknown, |(_, runtime)| *runtime)
}

/// The pod's uid in a component such as `pod6e37...` or `kubepods-burstable-pod6e37ce5a_1b4e_....slice`.
fn pod_in(component: &str) -> Option<String> {
    let name = component.split(':').next().unwrap_or_default();
    let name = name.strip_suffix(".slice").unwrap_or(name);
    let uid = match name.rsplit_once("-pod") {
        Some((before, uid)) if before.contains("kubepods") => uid,
        _ => name.strip_prefix("pod")?,
    };
    let hex = |b: u8| matches!(b, b'0'..=b'9' | b'a'..=b'f' | b'-' | b'_');
    // Static pods have 32 digits without dashes, all others a uuid of 36.
    ((uid.len() == 36 || uid.len() == 32) && uid.bytes().all(hex)).then(|| uid.replace('_', "-"))
}

#[cfg(test)]
mod tests {
    use super::*;

    const ID: &str = "e9cf0db70635a1b2c3d4e5f60718293a4b5c6d7e8f90a1b2c3d4e5f607182930";
    const UID: &str = "6e37ce5a-1b4e-4d5f-9d6b-0e0f0c0a0b01";

    fn read(path: &str) -> Option<(Runtime, Option<String>)> {
        let path = path.replace("UID", UID).replace("U_ID", &UID.replace('-', "_")).replace("ID", ID);
        container_of(&path).map(|c| {
            assert_eq!(c.id, ID, "{path}");
            (c.runtime, c.pod_uid)
        })
    }

    #[test]
    fn every_runtime_and_driver_is_recognised() {
        for (path, runtime) in [
            ("/docker/ID", Runtime::Docker),
            ("/system.slice/docker-ID.scope", Runtime::Docker),
            ("/user.slice/user-1000.slice/user@1000.service/user.slice/docker-ID.scope", Runtime::Docker),
            ("/ecs/0a1b2c3d4e5f60718293a4b5c6d7e8f9/ID", Runtime::Docker),
            ("/default/ID", Runtime::Containerd),
            ("/k8s.io/ID", Runtime::Containerd),
            ("/system.slice/nerdctl-ID.scope", Runtime::Containerd),
            ("/system.slice/crio-ID.scope", Runtime::CriO),
            ("/machine.slice/libpod-ID.scope", Runtime::Podman),
            ("/machine.slice/libpod-ID.scope/container", Runtime::Podman),
            ("/libpod_parent/libpod-ID", Runtime::Podman),
            ("/machine.slice/web.service/libpod-payload-ID", Runtime::Podman),
            (
                "/machine.slice/machine-libpod_pod_8a1b2c3d4e5f60718293a4b5c6d7e8f9.slice/libpod-ID.scope",
                Runtime::Podman,
            ),
            ("/user.slice/user-1000.slice/user@1000.service/user.slice/libpod-ID.scope", Runtime::Podman),
            ("/actions_job/ID", Runtime::Unknown),
        ] {
            assert_eq!(read(path), Some((runtime, None)), "{path}");
        }
    }

    #[test]
    fn pods_are_named_by_both_drivers() {
        for (path, runtime) in [
            ("/kubepods/podUID/ID", Runtime::Unknown),
            ("/kubepods/burstable/podUID/ID", Runtime::Unknown),
            ("/kubepods/besteffort/podUID/ID", Runtime::Unknown),
            (
                "/kubepods.slice/kubepods-burstable.slice/kubepods-burstable-podU_ID.slice/cri-containerd-ID.scope",
                Runtime::Containerd,
            ),
            ("/kubepods.slice/kubepods-podU_ID.slice/crio-ID.scope", Runtime::CriO),
            (
                "/kubepods.slice/kubepods-besteffort.slice/kubepods-besteffort-podU_ID.slice/crio-ID.scope/container",
                Runtime::CriO,
            ),
            (
                "/kubelet.slice/kubelet-kubepods.slice/kubelet-kubepods-podU_ID.slice/cri-containerd-ID.scope",
                Runtime::Containerd,
            ),
            (
                "/system.slice/containerd.service/kubepods-burstable-podU_ID.slice:cri-containerd:ID",
                Runtime::Containerd,
            ),
        ] {
            assert_eq!(read(path), Some((runtime, Some(UID.to_owned()))), "{path}");
        }
    }

    #[test]
    fn containers_that_have_names_or_shorter_ids_are_recognised() {
        let task = "0a1b2c3d4e5f60718293a4b5c6d7e8f9";
        let fargate = format!("/ecs/{task}/{task}-2531612879");
        let id = format!("{task}-2531612879");
        for (path, id, runtime, is_own) in [
            ("/lxc.payload.web", "web", Runtime::Lxc, true),
            ("/lxc.payload.prod_web-1/system.slice/web.service", "prod_web-1", Runtime::Lxc, false),
            ("/lxc/web/init.scope", "web", Runtime::Lxc, false),
            ("/machine.slice/systemd-nspawn@web.service/payload", "web", Runtime::Nspawn, false),
            ("/machine.slice/machine-web.scope", "web", Runtime::Nspawn, true),
            (
                "/system.slice/garden.service/garden/6e37ce5a-1b4e-4d5f-4d5f-9d6b",
                "6e37ce5a-1b4e-4d5f-4d5f-9d6b",
                Runtime::Garden,
                true,
            ),
            (
                "/docker/buildkit/r8hskq5xw3e4wzqvczkpcb7n1",
                "r8hskq5xw3e4wzqvczkpcb7n1",
                Runtime::Buildkit,
                true,
            ),
            (
                "/system.slice/docker.service/buildkit/r8hskq5xw3e4wzqvczkpcb7n1",
                "r8hskq5xw3e4wzqvczkpcb7n1",
                Runtime::Buildkit,
                true,
            ),
            (fargate.as_str(), id.as_str(), Runtime::Fargate, true),
        ] {
            let found = container_of(path).unwrap_or_else(|| panic!("{path}"));
            assert_eq!((found.id, found.runtime, found.is_own), (id, runtime, is_own), "{path}");
        }
    }

    #[test]
    fn a_static_pods_uid_has_no_dashes() {
        let path = format!("/kubepods/burstable/pod0a1b2c3d4e5f60718293a4b5c6d7e8f9/{ID}");
        assert_eq!(container_of(&path).unwrap().pod_uid.as_deref(), Some("0a1b2c3d4e5f60718293a4b5c6d7e8f9"));
    }

    #[test]
    fn cgroups_below_a_container_belong_to_it_and_the_innermost_container_wins() {
        assert_eq!(read("/docker/ID/system.slice/cron.service"), Some((Runtime::Docker, None)));
        let outer = "0".repeat(64);
        assert_eq!(
            read(&format!("/docker/{outer}/kubelet/kubepods/podUID/ID")),
            Some((Runtime::Docker, Some(UID.to_owned())))
        );
        assert_eq!(read(&format!("/docker/{outer}/docker/ID")), Some((Runtime::Docker, None)));
    }

    #[test]
    fn what_watches_a_container_is_not_in_it_and_other_cgroups_are_no_containers() {
        for path in [
            "/",
            "",
            "/system.slice/docker.service",
            "/system.slice/crio-conmon-ID.scope",
            "/machine.slice/libpod-conmon-ID.scope",
            "/user.slice/user-1000.slice/session-3.scope",
            "/docker/e9cf0db70635",
            "/kubepods/burstable/podUID",
            "/system.slice/run-ID.mount",
            "/lxc",
            "/lxc.monitor.web",
            "/lxc.payload.",
            "/lxc.pivot",
            "/user.slice/lxc/web",
            "/machine.slice",
            "/machine.slice/machine-qemu\\x2d1\\x2dvm.scope",
            "/system.slice/garden.service/garden",
            "/buildkit/cache",
            "/ecs/0a1b2c3d4e5f60718293a4b5c6d7e8f9",
            "/docker/E9CF0DB70635A1B2C3D4E5F60718293A4B5C6D7E8F90A1B2C3D4E5F607182930",
        ] {
            assert_eq!(read(path), None, "{path}");
        }
    }
}
