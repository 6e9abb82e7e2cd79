//! Names and images of containers, found out on a thread of their own.
//!
//! A container is known by its cgroup's path at once; what people call it only its runtime knows. The state that
//! runtimes keep on disk is looked at first, and at once (no waiting, and no lock of theirs): nearly all write it before
//! the cgroup is made, so that the first event of a container is labelled with its name known. Then their sockets are
//! asked, on a thread of its own, each with a time-out, and a few times more for a container that nobody knows yet.
//! Nothing here ever holds up the recording.

use std::{
    collections::VecDeque,
    fs::File,
    io::{Read, Write},
    os::unix::net::UnixStream,
    path::{Path, PathBuf},
    time::{Duration, Instant},
};

use crossbeam_channel::{Receiver, RecvTimeoutError, Sender};

use crate::runtime_state::{self, ContainerNames};

/// A container whose names are wanted.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct NameRequest {
    pub cgroup_id: u64,
    /// The whole id, from the path.
    pub container_id: String,
}

/// The answer to a [`NameRequest`].
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Named {
    pub cgroup_id: u64,
    pub names: ContainerNames,
}

/// Waits before asking again for a container that no runtime knew.
const RETRIES: [Duration; 4] =
    [Duration::from_millis(50), Duration::from_millis(200), Duration::from_secs(1), Duration::from_secs(5)];
const SOCKET_TIMEOUT: Duration = Duration::from_secs(2);
/// State files and answers are some kilobytes; a list of all podman containers may be more.
const ANSWER_BOUND: u64 = 8 << 20;
/// Requests that wait; beyond that, containers keep their ids only.
const PENDING_BOUND: usize = 4096;

/// Where runtimes keep their state and listen, below a root that tests may move.
#[derive(Clone, Debug)]
pub struct RuntimePaths {
    root: PathBuf,
}

impl Default for RuntimePaths {
    fn default() -> RuntimePaths {
        RuntimePaths::below("/")
    }
}

/// Folders that hold `ID/FILE` per container, and how the file reads.
type Reader = fn(&[u8]) -> Option<ContainerNames>;
const STATE_FILES: &[(&str, &str, Reader)] = &[
    ("var/lib/docker/containers", "config.v2.json", runtime_state::docker),
    ("run/containerd/io.containerd.runtime.v2.task/k8s.io", "config.json", runtime_state::bundle),
    ("run/containerd/io.containerd.runtime.v2.task/default", "config.json", runtime_state::bundle),
    ("run/containers/storage/overlay-containers", "userdata/config.json", runtime_state::bundle),
    ("var/lib/containers/storage/overlay-containers", "userdata/config.json", runtime_state::bundle),
];
const PODMAN_LISTS: &[&str] = &[
    "var/lib/containers/storage/overlay-containers/containers.json",
    "var/lib/containers/storage/overlay-containers/volatile-containers.json",
];
const SOCKETS: &[&str] = &["var/run/docker.sock", "run/podman/podman.sock"];

impl RuntimePaths {
    pub fn below(root: impl Into<PathBuf>) -> RuntimePaths {
        RuntimePaths { root: root.into() }
    }

    /// What any runtime says of the container now.
    pub fn look_up(&self, container_id: &str) -> Option<ContainerNames> {
        self.on_disk(container_id).or_else(|| {
            if !is_plain(container_id) {
                return None;
            }
            SOCKETS.iter().find_map(|socket| {
                let body = ask(&self.root.join(socket), container_id)?;
                runtime_state::docker(&body)
            })
        })
    }

    /// What the state on disk says: some tens of microseconds, and never a wait for a runtime.
    pub fn on_disk(&self, id: &str) -> Option<ContainerNames> {
        if !is_plain(id) {
            return None;
        }
        STATE_FILES
            .iter()
            .find_map(|(folder, file, read)| {
                read(&read_bounded(&self.root.join(folder).join(id).join(file))?)
            })
            .or_else(|| {
                PODMAN_LISTS
                    .iter()
                    .find_map(|list| runtime_state::podman(&read_bounded(&self.root.join(list))?, id))
            })
    }
}

/// The id becomes part of paths and of a request line.
fn is_plain(id: &str) -> bool {
    !id.is_empty() && id.bytes().all(|b| b.is_ascii_alphanumeric())
}

fn read_bounded(path: &Path) -> Option<Vec<u8>> {
    let mut bytes = Vec::new();
    File::open(path).ok()?.take(ANSWER_BOUND).read_to_end(&mut bytes).ok()?;
    Some(bytes)
}

/// `GET /containers/ID/json` over a unix socket. HTTP/1.0, so that the answer is whole and ends with the connection.
fn ask(socket: &Path, id: &str) -> Option<Vec<u8>> {
    let mut stream = UnixStream::connect(socket).ok()?;
    stream.set_read_timeout(Some(SOCKET_TIMEOUT)).ok()?;
    stream.set_write_timeout(Some(SOCKET_TIMEOUT)).ok()?;
    let request = format!("GET /containers/{id}/json HTTP/1.0\r\nHost: localhost\r\n\r\n");
    stream.write_all(request.as_bytes()).ok()?;
    let mut answer = Vec::new();
    stream.take(ANSWER_BOUND).read_to_end(&mut answer).ok()?;
    let head = answer.windows(4).position(|w| w == b"\r\n\r\n")?;
    let status = answer.get(..head)?.split(|b| *b == b' ').nth(1)?;
    (status == b"200").then(|| answer.split_off(head + 4))
}

/// Answers requests until their sender is gone; meant for a thread of its own.
pub fn serve(paths: &RuntimePaths, requests: &Receiver<NameRequest>, answers: &Sender<Named>) {
    let mut again: VecDeque<(Instant, usize, NameRequest)> = VecDeque::new();
    loop {
        let next = again.iter().map(|(at, ..)| *at).min();
        let wait = next.map_or(Duration::from_secs(3600), |at| at.saturating_duration_since(Instant::now()));
        let (attempt, request) = match requests.recv_timeout(wait) {
            Ok(request) => (0, request),
            Err(RecvTimeoutError::Timeout) => {
                let Some(due) = again.iter().position(|(at, ..)| *at <= Instant::now()) else { continue };
                let Some((_, attempt, request)) = again.remove(due) else { continue };
                (attempt, request)
            }
            // The recording is over: what is not known by now stays unknown.
            Err(RecvTimeoutError::Disconnected) => return,
        };
        match paths.look_up(&request.container_id) {
            Some(names) => {
                if answers.send(Named { cgroup_id: request.cgroup_id, names }).is_err() {
                    return;
                }
            }
            None => {
                if let Some(wait) = RETRIES.get(attempt).filter(|_| again.len() < PENDING_BOUND) {
                    again.push_back((Instant::now() + *wait, attempt + 1, request));
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::{fs, os::unix::net::UnixListener, thread};

    use super::*;

    const ID: &str = "e9cf0db70635a1b2c3d4e5f60718293a4b5c6d7e8f90a1b2c3d4e5f607182930";

    fn write(root: &Path, path: &str, text: &str) {
        let path = root.join(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }

    #[test]
    fn state_on_disk_names_a_container() {
        let root = tempfile::tempdir().unwrap();
        let docker = r#"{"Name":"/web","Config":{"Image":"alpine"}}"#;
        write(root.path(), &format!("var/lib/docker/containers/{ID}/config.v2.json"), docker);
        let paths = RuntimePaths::below(root.path());
        assert_eq!(paths.look_up(ID).unwrap().name, "web");
        assert_eq!(paths.look_up("../../etc"), None);
        assert_eq!(paths.look_up(""), None);
    }

    #[test]
    fn the_docker_socket_is_asked_when_the_disk_says_nothing() {
        let root = tempfile::tempdir().unwrap();
        fs::create_dir_all(root.path().join("var/run")).unwrap();
        let listener = UnixListener::bind(root.path().join("var/run/docker.sock")).unwrap();
        let server = thread::spawn(move || {
            for answer in
                ["HTTP/1.0 404 Not Found\r\n\r\n{}", "HTTP/1.0 200 OK\r\nA: b\r\n\r\n{\"Name\":\"/web\"}"]
            {
                let (mut stream, _) = listener.accept().unwrap();
                let mut request = [0; 512];
                let read = stream.read(&mut request).unwrap();
                assert!(
                    request[..read].starts_with(format!("GET /containers/{ID}/json HTTP/1.0\r\n").as_bytes())
                );
                stream.write_all(answer.as_bytes()).unwrap();
            }
        });
        let paths = RuntimePaths::below(root.path());
        assert_eq!(paths.look_up(ID), None);
        assert_eq!(paths.look_up(ID).unwrap().name, "web");
        server.join().unwrap();
    }

    #[test]
    fn a_container_that_is_not_known_yet_is_asked_for_again() {
        let root = tempfile::tempdir().unwrap();
        let paths = RuntimePaths::below(root.path());
        let (ask, requests) = crossbeam_channel::bounded(4);
        let (answer, answers) = crossbeam_channel::bounded(4);
        let worker = thread::spawn(move || serve(&paths, &requests, &answer));
        ask.send(NameRequest { cgroup_id: 7, container_id: ID.to_owned() }).unwrap();
        let docker = r#"{"Name":"/late","Config":{"Image":"alpine"}}"#;
        write(root.path(), &format!("var/lib/docker/containers/{ID}/config.v2.json"), docker);
        let named = answers.recv_timeout(Duration::from_secs(20)).unwrap();
        assert_eq!((named.cgroup_id, named.names.name.as_str()), (7, "late"));
        drop(ask);
        worker.join().unwrap();
    }
}
