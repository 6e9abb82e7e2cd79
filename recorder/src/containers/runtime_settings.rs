//! How containers were made, from what their runtimes keep: whether they are privileged, what of the host is mounted in them,
//! and which capabilities they have beyond those that all have.
//!
//! Docker writes down what was asked for (`hostconfig.json`, `MountPoints`). Of the others there is the bundle's `config.json`
//! (OCI runtime specification), which says what came of it: a container is told to be privileged there when nothing of /proc
//! and /sys is hidden from it and it has the capabilities that rule a host.

use format::{ContainerMount, Settings};
use serde_json::Value;

/// Bytes of texts that are kept of one container; with more, that list is not known.
const BOUND: usize = 8 << 10;

/// What containers have unless somebody says otherwise, in Docker, podman and CRI.
const DEFAULT: [&str; 14] = [
    "CAP_AUDIT_WRITE",
    "CAP_CHOWN",
    "CAP_DAC_OVERRIDE",
    "CAP_FOWNER",
    "CAP_FSETID",
    "CAP_KILL",
    "CAP_MKNOD",
    "CAP_NET_BIND_SERVICE",
    "CAP_NET_RAW",
    "CAP_SETFCAP",
    "CAP_SETGID",
    "CAP_SETPCAP",
    "CAP_SETUID",
    "CAP_SYS_CHROOT",
];
/// What only privileged ones have all of.
const OF_HOSTS: [&str; 3] = ["CAP_SYS_ADMIN", "CAP_SYS_MODULE", "CAP_SYS_RAWIO"];

/// Docker's `config.v2.json`, which has the mounts, or its answer to `GET /containers/ID/json`, which has all.
pub fn docker(root: &Value) -> Settings {
    let points = root.get("MountPoints").and_then(Value::as_object);
    let list = root.get("Mounts").and_then(Value::as_array);
    let mounts = match (points, list) {
        (Some(points), _) => Some(points.values().filter_map(docker_mount).collect()),
        (None, Some(list)) => Some(list.iter().filter_map(docker_mount).collect()),
        // Without any, older daemons leave it out.
        (None, None) => None,
    };
    let mut settings = Settings { mounts, ..Settings::default() };
    if let Some(host) = root.get("HostConfig") {
        of_host_config(host, &mut settings);
    }
    bounded(settings)
}

/// Docker's `hostconfig.json`.
pub fn docker_host(json: &[u8], settings: &mut Settings) {
    if let Ok(host) = serde_json::from_slice::<Value>(json) {
        of_host_config(&host, settings);
        *settings = bounded(std::mem::take(settings));
    }
}

fn of_host_config(host: &Value, settings: &mut Settings) {
    let Some(privileged) = host.get("Privileged").and_then(Value::as_bool) else { return };
    settings.privileged = Some(privileged);
    let added = host.get("CapAdd").and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default();
    settings.added_capabilities = Some(added.iter().filter_map(Value::as_str).map(capability).collect());
}

fn docker_mount(mount: &Value) -> Option<ContainerMount> {
    let text = |key: &str| mount.get(key).and_then(Value::as_str).unwrap_or_default().to_owned();
    let (source, destination) = (text("Source"), text("Destination"));
    let is_writable = mount.get("RW").and_then(Value::as_bool).unwrap_or(true);
    (!destination.is_empty()).then_some(ContainerMount { source, destination, is_writable })
}

/// A name as the kernel's headers have it: Docker takes `NET_ADMIN` and `net_admin` too.
fn capability(name: &str) -> String {
    let name = name.to_ascii_uppercase();
    if name.starts_with("CAP_") { name } else { format!("CAP_{name}") }
}

/// A bundle's `config.json`.
pub fn of_bundle(json: &[u8]) -> Settings {
    serde_json::from_slice(json).map(|root| bundle(&root)).unwrap_or_default()
}

pub fn bundle(root: &Value) -> Settings {
    let mounts = root.get("mounts").and_then(Value::as_array);
    let bounding = root.pointer("/process/capabilities/bounding").and_then(Value::as_array);
    let bounding: Option<Vec<String>> =
        bounding.map(|all| all.iter().filter_map(Value::as_str).map(capability).collect());
    let hidden =
        ["/linux/maskedPaths", "/linux/readonlyPaths"].map(|at| root.pointer(at).and_then(Value::as_array));
    let hides = hidden.iter().flatten().any(|paths| !paths.is_empty());
    let privileged = bounding.as_ref().map(|all| {
        let has = |name: &&str| all.iter().any(|it| it == name);
        !hides && OF_HOSTS.iter().all(has)
    });
    let added = bounding.map(|all| all.into_iter().filter(|it| !DEFAULT.contains(&it.as_str())).collect());
    bounded(Settings {
        privileged,
        mounts: mounts.map(|all| all.iter().filter_map(bound_mount).collect()),
        added_capabilities: added,
    })
}

/// What is bound from the host; others are file systems of the container's own.
fn bound_mount(mount: &Value) -> Option<ContainerMount> {
    let text = |key: &str| mount.get(key).and_then(Value::as_str).unwrap_or_default();
    let options = mount.get("options").and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default();
    let has = |option: &str| options.iter().any(|it| it.as_str() == Some(option));
    let is_bound = text("type") == "bind" || has("bind") || has("rbind");
    is_bound.then(|| ContainerMount {
        source: text("source").to_owned(),
        destination: text("destination").to_owned(),
        is_writable: !has("ro"),
    })
}

/// Lists that are too long are not known.
fn bounded(settings: Settings) -> Settings {
    let of = |settings: Settings| if settings.bytes() > BOUND { Settings::default() } else { settings };
    let Settings { privileged, mounts, added_capabilities } = settings;
    let mounts = of(Settings { mounts, ..Settings::default() }).mounts;
    let added_capabilities = of(Settings { added_capabilities, ..Settings::default() }).added_capabilities;
    Settings { privileged, mounts, added_capabilities }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn mount(source: &str, destination: &str, is_writable: bool) -> ContainerMount {
        ContainerMount { source: source.into(), destination: destination.into(), is_writable }
    }

    #[test]
    fn docker_says_what_was_asked_for() {
        let config = br#"{"Name":"/web","MountPoints":{"/host":{"Source":"/","Destination":"/host","RW":false},
            "/data":{"Type":"volume","Name":"v","Source":"/var/lib/docker/volumes/v/_data","Destination":"/data","RW":true}}}"#;
        let mut settings = docker(&serde_json::from_slice(config).unwrap());
        assert_eq!(settings.privileged, None);
        docker_host(br#"{"Privileged":false,"CapAdd":["NET_ADMIN","CAP_SYS_PTRACE"]}"#, &mut settings);
        assert_eq!(settings.privileged, Some(false));
        assert_eq!(settings.added_capabilities.unwrap(), ["CAP_NET_ADMIN", "CAP_SYS_PTRACE"]);
        let mut mounts = settings.mounts.unwrap();
        mounts.sort_by(|a, b| a.destination.cmp(&b.destination));
        let volume = mount("/var/lib/docker/volumes/v/_data", "/data", true);
        assert_eq!(mounts, [volume, mount("/", "/host", false)]);
        let answer = br#"{"Name":"/web","HostConfig":{"Privileged":true,"CapAdd":null},
            "Mounts":[{"Source":"/etc","Destination":"/e","RW":true}]}"#;
        let settings = docker(&serde_json::from_slice(answer).unwrap());
        assert_eq!(
            (settings.privileged, settings.mounts.unwrap()),
            (Some(true), vec![mount("/etc", "/e", true)])
        );
        assert_eq!(settings.added_capabilities, Some(Vec::new()));
    }

    #[test]
    fn a_bundle_says_what_came_of_it() {
        let bundle = |bounding: &str, masked: &str| {
            let json = format!(
                r#"{{"process":{{"capabilities":{{"bounding":[{bounding}]}}}},"linux":{{"maskedPaths":[{masked}]}},
                "mounts":[{{"destination":"/proc","type":"proc","source":"proc"}},
                {{"destination":"/run/x.sock","type":"bind","source":"/run/x.sock","options":["rbind","ro"]}}]}}"#
            );
            of_bundle(json.as_bytes())
        };
        let plain = bundle(r#""CAP_CHOWN","CAP_NET_ADMIN""#, r#""/proc/kcore""#);
        assert_eq!(
            (plain.privileged, plain.added_capabilities.unwrap()),
            (Some(false), vec!["CAP_NET_ADMIN".to_owned()])
        );
        assert_eq!(plain.mounts.unwrap(), [mount("/run/x.sock", "/run/x.sock", false)]);
        let all = r#""CAP_SYS_ADMIN","CAP_SYS_MODULE","CAP_SYS_RAWIO""#;
        assert_eq!(bundle(all, "").privileged, Some(true));
        assert_eq!(bundle(all, r#""/proc/kcore""#).privileged, Some(false));
        for json in [&b""[..], b"{}", b"[]", b"{\"mounts\":3}"] {
            assert_eq!(of_bundle(json), Settings::default());
        }
    }

    #[test]
    fn lists_without_end_are_not_known() {
        let mounts = (0..1000).map(|at| mount("/", &format!("/{at}"), true)).collect();
        let settings =
            bounded(Settings { privileged: Some(true), mounts: Some(mounts), ..Settings::default() });
        assert_eq!((settings.privileged, settings.mounts), (Some(true), None));
    }
}
