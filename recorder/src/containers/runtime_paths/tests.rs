use std::{os::unix::net::UnixListener, thread};

use super::*;

const ID: &str = "e9cf0db70635a1b2c3d4e5f60718293a4b5c6d7e8f90a1b2c3d4e5f607182930";

fn write(root: &Path, path: &str, text: &str) {
    let path = root.join(path);
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    fs::write(path, text).unwrap();
}

#[test]
fn each_runtime_s_state_on_disk_names_a_container() {
    let docker = r#"{"Name":"/web","Config":{"Image":"alpine"}}"#;
    let pod = r#"{"annotations":{"io.kubernetes.cri.container-name":"web","io.kubernetes.cri.image-name":"alpine"}}"#;
    let crio =
        r#"{"annotations":{"io.kubernetes.container.name":"web","io.kubernetes.cri-o.ImageName":"alpine"}}"#;
    let list = format!(r#"[{{"id":"{ID}","names":["web"],"metadata":"{{\"image-name\":\"alpine\"}}"}}]"#);
    for (path, text, runtime) in [
        ("var/lib/docker/containers/ID/config.v2.json", docker, Runtime::Docker),
        ("home/ann/.local/share/docker/containers/ID/config.v2.json", docker, Runtime::Docker),
        ("run/containerd/io.containerd.runtime.v2.task/k8s.io/ID/config.json", pod, Runtime::Containerd),
        ("run/k3s/containerd/io.containerd.runtime.v2.task/k8s.io/ID/config.json", pod, Runtime::Containerd),
        ("run/containers/storage/overlay-containers/ID/userdata/config.json", crio, Runtime::CriO),
        ("var/lib/containers/storage/overlay-containers/containers.json", &list, Runtime::Podman),
        ("var/lib/containers/storage/vfs-containers/volatile-containers.json", &list, Runtime::Podman),
        (
            "home/ann/.local/share/containers/storage/overlay-containers/containers.json",
            &list,
            Runtime::Podman,
        ),
    ] {
        let root = tempfile::tempdir().unwrap();
        let mut paths = RuntimePaths::below(root.path());
        write(root.path(), "etc/passwd", "root:x:0:0::/root:/bin/sh\nann:x:1000:1000::/home/ann:/bin/sh\n");
        let authority = if path.starts_with("home") { Authority::User(1000) } else { Authority::Host };
        assert_eq!(paths.look_up(ID, authority), None);
        write(root.path(), &path.replace("ID", ID), text);
        let names = paths.look_up(ID, authority).unwrap();
        assert_eq!(
            (names.name.as_str(), names.image.as_str(), names.runtime),
            ("web", "alpine", Some(runtime)),
            "{path}"
        );
        // Whoever could have made the name up learns nothing of what root keeps.
        for other in [Authority::Container, Authority::User(1001)] {
            assert_eq!(paths.look_up(ID, other), None, "{path}");
        }
    }
}

#[test]
fn docker_s_folder_may_have_been_moved() {
    let root = tempfile::tempdir().unwrap();
    write(root.path(), "etc/docker/daemon.json", r#"{"data-root": "/srv/docker"}"#);
    write(
        root.path(),
        &format!("srv/docker/containers/{ID}/config.v2.json"),
        r#"{"Name":"/web","Config":{"Image":"alpine"}}"#,
    );
    assert_eq!(RuntimePaths::below(root.path()).on_disk(ID).unwrap().name, "web");
}

#[test]
fn an_id_that_is_a_path_or_a_pipe_in_the_file_s_place_is_nothing() {
    let root = tempfile::tempdir().unwrap();
    write(root.path(), "etc/passwd", "ann:x:1000:1000::/home/ann:/bin/sh\n");
    let folder = root.path().join("home/ann/.local/share/docker/containers").join(ID);
    fs::create_dir_all(&folder).unwrap();
    rustix::fs::mknodat(
        rustix::fs::CWD,
        folder.join("config.v2.json"),
        rustix::fs::FileType::Fifo,
        rustix::fs::Mode::RUSR,
        0,
    )
    .unwrap();
    let mut paths = RuntimePaths::below(root.path());
    for id in [ID, "", "../../etc", ".", "..", "a/b", "a b"] {
        assert_eq!(paths.look_up(id, Authority::User(1000)), None, "{id}");
    }
}

#[test]
fn a_container_that_people_named_is_told_from_a_cgroup_by_its_bundle() {
    let root = tempfile::tempdir().unwrap();
    write(root.path(), "run/containerd/io.containerd.runtime.v2.task/default/web-1/config.json", "{}");
    let paths = RuntimePaths::below(root.path());
    let found = paths.bundle_of("/default/web-1").unwrap();
    assert_eq!((found.id, found.runtime), ("web-1", Runtime::Containerd));
    for path in ["/default/other", "/default", "/default/web-1/inner", "/", "", "/../web-1"] {
        assert_eq!(paths.bundle_of(path), None, "{path}");
    }
}

#[test]
fn the_docker_socket_is_asked_when_the_disk_says_nothing() {
    let root = tempfile::tempdir().unwrap();
    fs::create_dir_all(root.path().join("var/run")).unwrap();
    let listener = UnixListener::bind(root.path().join("var/run/docker.sock")).unwrap();
    let list = format!(r#"[{{"Id":"{ID}","Names":["/db/link","/web"],"Image":"alpine","Labels":{{}}}}]"#);
    let whole = r#"{"Name":"/old","Config":{"Image":"alpine"}}"#;
    let ok = |json: &str| format!("HTTP/1.0 200 OK\r\nA: b\r\n\r\n{json}");
    let no = || "HTTP/1.0 404 Not Found\r\n\r\n{}".to_owned();
    let answers = [ok("[]"), ok(&list), no(), ok(whole), no(), no()];
    let server = thread::spawn(move || -> Vec<String> {
        let asked = |answer: &String| {
            let (mut stream, _) = listener.accept().unwrap();
            let mut request = [0; 512];
            let read = stream.read(&mut request).unwrap();
            stream.write_all(answer.as_bytes()).unwrap();
            String::from_utf8_lossy(&request[..read]).lines().next().unwrap().to_owned()
        };
        answers.iter().map(asked).collect()
    });
    let mut paths = RuntimePaths::below(root.path());
    let mut name = || paths.look_up(ID, Authority::Host).map(|names| names.name);
    assert_eq!(name(), None);
    assert_eq!(name().as_deref(), Some("web"));
    assert_eq!(name().as_deref(), Some("old"));
    assert_eq!(name(), None);
    let asked = server.join().unwrap();
    let all = format!("GET /containers/json?all=1&filters=%7B%22id%22%3A%5B%22{ID}%22%5D%7D HTTP/1.0");
    let one = format!("GET /containers/{ID}/json HTTP/1.0");
    assert_eq!(asked, [&all, &all, &all, &one, &all, &one].map(String::as_str));
}
