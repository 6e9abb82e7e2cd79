//! What the container runtimes say of a container, in their own JSON: read, never asked for here.
//!
//! Docker answers `GET /containers/ID/json` and keeps the like in `config.v2.json`; containerd and CRI-O leave the
//! Kubernetes names as annotations in the bundle's `config.json`; podman keeps one `containers.json` for all.

use serde_json::Value;

use format::Settings;

use super::runtime_settings;
use crate::containers::identity::Runtime;

/// What people call a container. Empty texts are not known.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct ContainerNames {
    pub name: String,
    pub image: String,
    pub pod_name: String,
    pub pod_namespace: String,
    pub pod_uid: String,
    /// The pause container of a pod.
    pub pod_sandbox: bool,
    /// Who answered; the path may have left it open.
    pub runtime: Option<Runtime>,
    pub settings: Settings,
}

impl ContainerNames {
    pub fn is_empty(&self) -> bool {
        self.name.is_empty() && self.image.is_empty() && self.pod_name.is_empty()
    }
}

/// Docker's answer to `GET /containers/ID/json`, or its `config.v2.json`, which has the same names at the same places.
pub fn docker(json: &[u8]) -> Option<ContainerNames> {
    let root: Value = serde_json::from_slice(json).ok()?;
    let labels = root.pointer("/Config/Labels");
    let label = |key: &str| labels.and_then(|l| l.get(key)).map(text).unwrap_or_default();
    let names = ContainerNames {
        name: root.get("Name").map(text)?.trim_start_matches('/').to_owned(),
        image: root.pointer("/Config/Image").map(text).unwrap_or_default(),
        settings: runtime_settings::docker(&root),
        ..of_labels(label)
    };
    (!names.is_empty()).then_some(names)
}

/// Kubernetes over cri-dockerd names pods by labels.
fn of_labels(label: impl Fn(&str) -> String) -> ContainerNames {
    ContainerNames {
        pod_name: label("io.kubernetes.pod.name"),
        pod_namespace: label("io.kubernetes.pod.namespace"),
        pod_uid: label("io.kubernetes.pod.uid"),
        pod_sandbox: label("io.kubernetes.docker.type") == "podsandbox",
        runtime: Some(Runtime::Docker),
        ..ContainerNames::default()
    }
}

/// The container in Docker's answer to `GET /containers/json`, which podman gives too.
pub fn docker_list(json: &[u8], id: &str) -> Option<ContainerNames> {
    let root: Value = serde_json::from_slice(json).ok()?;
    let found = root.as_array()?.iter().find(|c| c.get("Id").map(text).as_deref() == Some(id))?;
    let label = |key: &str| found.get("Labels").and_then(|l| l.get(key)).map(text).unwrap_or_default();
    let mut all = found.get("Names")?.as_array()?.iter().map(text);
    // A link from another container is a name as well: `/other/alias`.
    let name = all.find_map(|name| {
        let name = name.trim_start_matches('/');
        (!name.contains('/')).then(|| name.to_owned())
    });
    let names = ContainerNames {
        name: name.unwrap_or_default(),
        image: found.get("Image").map(text).unwrap_or_default(),
        ..of_labels(label)
    };
    (!names.is_empty()).then_some(names)
}

/// Where `/etc/docker/daemon.json` puts Docker's state.
pub fn docker_data_root(json: &[u8]) -> Option<String> {
    let root: Value = serde_json::from_slice(json).ok()?;
    root.get("data-root").or_else(|| root.get("graph")).map(text).filter(|path| path.starts_with('/'))
}

/// A bundle's `config.json` (OCI runtime specification) with the annotations of containerd's CRI plug-in, of CRI-O or
/// of nerdctl.
pub fn bundle(json: &[u8]) -> Option<ContainerNames> {
    let root: Value = serde_json::from_slice(json).ok()?;
    let annotations = root.get("annotations")?.as_object()?;
    let first =
        |keys: &[&str]| keys.iter().find_map(|key| annotations.get(*key)).map(text).unwrap_or_default();
    let is_crio = annotations.keys().any(|key| key.starts_with("io.kubernetes.cri-o."));
    let names = ContainerNames {
        name: first(&["io.kubernetes.cri.container-name", "io.kubernetes.container.name", "nerdctl/name"]),
        image: first(&[
            "io.kubernetes.cri.image-name",
            "io.kubernetes.cri-o.ImageName",
            "io.kubernetes.cri-o.Image",
            "nerdctl/image-name",
        ]),
        pod_name: first(&["io.kubernetes.cri.sandbox-name", "io.kubernetes.pod.name"]),
        pod_namespace: first(&["io.kubernetes.cri.sandbox-namespace", "io.kubernetes.pod.namespace"]),
        pod_uid: first(&["io.kubernetes.cri.sandbox-uid", "io.kubernetes.pod.uid"]),
        pod_sandbox: first(&["io.kubernetes.cri.container-type", "io.kubernetes.cri-o.ContainerType"])
            == "sandbox",
        runtime: Some(if is_crio { Runtime::CriO } else { Runtime::Containerd }),
        settings: runtime_settings::bundle(&root),
    };
    (!names.is_empty()).then_some(names)
}

/// One container of podman's `containers.json`.
pub fn podman(json: &[u8], id: &str) -> Option<ContainerNames> {
    let root: Value = serde_json::from_slice(json).ok()?;
    let found = root.as_array()?.iter().find(|c| c.get("id").map(text).as_deref() == Some(id))?;
    // The storage layer knows images by id; their names stand in a JSON text within.
    let metadata: Option<Value> =
        found.get("metadata").and_then(Value::as_str).and_then(|m| serde_json::from_str(m).ok());
    let names = ContainerNames {
        name: found.pointer("/names/0").map(text).unwrap_or_default(),
        image: metadata.as_ref().and_then(|m| m.get("image-name")).map(text).unwrap_or_default(),
        runtime: Some(Runtime::Podman),
        ..ContainerNames::default()
    };
    (!names.is_empty()).then_some(names)
}

fn text(value: &Value) -> String {
    value.as_str().unwrap_or_default().to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn docker_names_lose_their_slash() {
        let json =
            br#"{"Id":"e9","Name":"/web","Image":"sha256:00","Config":{"Image":"alpine:3.20","Labels":{}}}"#;
        let names = docker(json).unwrap();
        assert_eq!((names.name.as_str(), names.image.as_str()), ("web", "alpine:3.20"));
        assert_eq!(names.runtime, Some(Runtime::Docker));
    }

    #[test]
    fn a_pod_is_named_by_either_plug_in() {
        let containerd = br#"{"ociVersion":"1.1.0","annotations":{"io.kubernetes.cri.container-name":"app",
            "io.kubernetes.cri.container-type":"container","io.kubernetes.cri.image-name":"docker.io/library/nginx:1",
            "io.kubernetes.cri.sandbox-name":"web-0","io.kubernetes.cri.sandbox-namespace":"shop",
            "io.kubernetes.cri.sandbox-uid":"6e37"}}"#;
        let crio = br#"{"annotations":{"io.kubernetes.container.name":"app","io.kubernetes.cri-o.ContainerType":"container",
            "io.kubernetes.cri-o.ImageName":"docker.io/library/nginx:1","io.kubernetes.pod.name":"web-0",
            "io.kubernetes.pod.namespace":"shop","io.kubernetes.pod.uid":"6e37"}}"#;
        let expected = ContainerNames {
            name: "app".into(),
            image: "docker.io/library/nginx:1".into(),
            pod_name: "web-0".into(),
            pod_namespace: "shop".into(),
            pod_uid: "6e37".into(),
            pod_sandbox: false,
            runtime: Some(Runtime::Containerd),
            settings: Settings::default(),
        };
        assert_eq!(bundle(containerd).unwrap(), expected);
        assert_eq!(bundle(crio).unwrap(), ContainerNames { runtime: Some(Runtime::CriO), ..expected });
    }

    #[test]
    fn podman_keeps_all_containers_in_one_list() {
        let json =
            br#"[{"id":"aa","names":["one"],"image":"00","metadata":"{\"image-name\":\"quay.io/x:latest\"}"},
            {"id":"bb","names":["two"],"metadata":"{"}]"#;
        assert_eq!(podman(json, "aa").unwrap().image, "quay.io/x:latest");
        assert_eq!(podman(json, "bb").unwrap().name, "two");
        assert_eq!(podman(json, "cc"), None);
    }

    #[test]
    fn other_json_names_nothing() {
        for json in [&b""[..], b"{}", b"[]", b"null", b"{\"annotations\":{}}", b"{\"Name\":3}", b"\xff"] {
            assert_eq!((docker(json), bundle(json), podman(json, "aa")), (None, None, None));
            assert_eq!((docker_list(json, "aa"), docker_data_root(json)), (None, None));
        }
    }
}
