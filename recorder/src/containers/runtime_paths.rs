//! Where container runtimes keep their state and listen, and what they say there of a container.
//!
//! | runtime | on disk | socket |
//! |---|---|---|
//! | Docker | `DATA-ROOT/containers/ID/config.v2.json` | Docker's API |
//! | containerd | `STATE/io.containerd.runtime.v2.task/NAMESPACE/ID/config.json`: Kubernetes' and nerdctl's annotations | |
//! | CRI-O | `STORAGE/overlay-containers/ID/userdata/config.json`: annotations | |
//! | podman | `STORAGE/overlay-containers/containers.json` | Docker's API |
//!
//! Root's state is looked at for containers that only root could have named, and a user's own (rootless runtimes keep
//! theirs in home folders) for those below what was given to that user: [`crate::containers::delegation`]. Whatever is read is read
//! as if a user had laid it out as a trap: [`crate::containers::beneath`].

use std::{
    fs,
    io::{Read, Write},
    os::unix::{fs::MetadataExt, net::UnixStream},
    path::{Path, PathBuf},
    time::{Duration, Instant},
};

use rustix::net::{AddressFamily, SocketAddrUnix, SocketFlags, SocketType, connect, socket_with};

use crate::{
    containers::beneath,
    containers::container_runtimes::DockerPlaces,
    containers::delegation::Authority,
    containers::identity::{PathContainer, Runtime},
    containers::runtime_settings,
    containers::runtime_state::{self, ContainerNames},
};

const SOCKET_TIMEOUT: Duration = Duration::from_secs(2);
/// State files and answers are some kilobytes; a list of all podman containers may be more.
const ANSWER_BOUND: u64 = 8 << 20;
/// Home folders, and namespaces of containerd, that are looked through.
const FOLDER_BOUND: usize = 256;

/// State folders of containerd: its own, those of Kubernetes distributions that bring one, and Docker's child.
const CONTAINERD: &[&str] = &[
    "run/containerd",
    "run/k3s/containerd",
    "var/snap/microk8s/common/run/containerd",
    "run/docker/containerd/daemon",
];
const TASKS: &str = "io.containerd.runtime.v2.task";
const STORAGES: &[&str] = &["run/containers/storage", "var/lib/containers/storage"];
const DRIVERS: &[&str] = &["overlay-containers", "vfs-containers", "btrfs-containers", "zfs-containers"];
const PODMAN_LISTS: &[&str] = &["containers.json", "volatile-containers.json"];
const SOCKETS: &[(&str, Runtime)] =
    &[("var/run/docker.sock", Runtime::Docker), ("run/podman/podman.sock", Runtime::Podman)];

/// Between two looks for daemons that were started meanwhile.
const DAEMONS_EVERY: Duration = Duration::from_secs(10);

/// Below a root that tests may move.
#[derive(Clone, Debug)]
pub struct RuntimePaths {
    root: PathBuf,
    /// Folders with Docker's `containers`.
    docker: Vec<PathBuf>,
    sockets: Vec<(PathBuf, Runtime)>,
    /// What was there before any daemon was looked for.
    given: Vec<PathBuf>,
    /// When the daemons that run were looked at last; `None` where none are looked for.
    looked: Option<Instant>,
}

impl Default for RuntimePaths {
    fn default() -> RuntimePaths {
        RuntimePaths::below("/")
    }
}

impl RuntimePaths {
    pub fn below(root: impl Into<PathBuf>) -> RuntimePaths {
        let root = root.into();
        let mut paths =
            RuntimePaths { root, docker: Vec::new(), sockets: Vec::new(), given: Vec::new(), looked: None };
        paths.set(&DockerPlaces::default());
        paths
    }

    /// Those of this host, with what its daemons were told when they were started, and with more sockets to ask.
    pub fn of_host(sockets: Vec<PathBuf>) -> RuntimePaths {
        let mut paths = RuntimePaths { given: sockets, ..RuntimePaths::below("/") };
        paths.look_for_daemons();
        paths
    }

    fn look_for_daemons(&mut self) {
        self.looked = Some(Instant::now());
        self.set(&DockerPlaces::of_running_daemons());
    }

    fn set(&mut self, daemons: &DockerPlaces) {
        let root = self.root.clone();
        let mut docker = daemons.data_roots.clone();
        let configs = daemons.config_files.iter().cloned().chain([root.join("etc/docker/daemon.json")]);
        for config in configs {
            let moved = read_state(&root, &config).and_then(|json| runtime_state::docker_data_root(&json));
            docker.extend(moved.map(|moved| root.join(moved.trim_start_matches('/'))));
        }
        docker.extend([root.join("var/lib/docker"), root.join("var/snap/docker/common/var-lib-docker")]);
        self.docker = docker;
        let told = self.given.iter().chain(&daemons.sockets).map(|socket| (socket.clone(), Runtime::Docker));
        self.sockets = told.chain(SOCKETS.iter().map(|(socket, of)| (root.join(socket), *of))).collect();
    }

    /// What any runtime says of the container now, of those that can have named it.
    pub fn look_up(&mut self, id: &str, authority: Authority) -> Option<ContainerNames> {
        if !is_plain(id) {
            return None;
        }
        let uid = match authority {
            Authority::Host => {
                let found = self.of_root(id);
                let is_due = self.looked.is_some_and(|at| at.elapsed() >= DAEMONS_EVERY);
                if found.is_none() && is_due {
                    self.look_for_daemons();
                    return self.of_root(id);
                }
                return found;
            }
            Authority::User(uid) => uid,
            Authority::Container => return None,
        };
        let share = self.home_of(uid)?.join(".local/share");
        let names = docker_state(&share.join("docker"), id);
        names.or_else(|| stored(&share.join("containers/storage"), id))
    }

    fn of_root(&self, id: &str) -> Option<ContainerNames> {
        let by_socket = || self.sockets.iter().find_map(|(socket, of)| query(socket, id, *of));
        self.on_disk(id).or_else(by_socket)
    }

    /// What the state on disk says that root keeps.
    fn on_disk(&self, id: &str) -> Option<ContainerNames> {
        let docker = || self.docker.iter().find_map(|folder| docker_state(folder, id));
        let bundle = || {
            let config = Path::new(id).join("config.json");
            let found = self.task_folders();
            found.into_iter().find_map(|tasks| runtime_state::bundle(&read_state(&tasks, &config)?))
        };
        let stored = || STORAGES.iter().find_map(|storage| stored(&self.root.join(storage), id));
        docker().or_else(bundle).or_else(stored)
    }

    /// The user's home folder, from the list of users, or else the one of /home that is theirs.
    fn home_of(&self, uid: u32) -> Option<PathBuf> {
        let users = read_state(&self.root, Path::new("etc/passwd")).unwrap_or_default();
        let listed = String::from_utf8_lossy(&users).lines().find_map(|line| {
            let mut fields = line.split(':').skip(2);
            let (of, home) = (fields.next()?.parse::<u32>().ok()?, fields.nth(2)?);
            (of == uid && home.starts_with('/')).then(|| self.root.join(home.trim_start_matches('/')))
        });
        listed.or_else(|| {
            let homes = folders(&self.root.join("home"));
            homes.into_iter().find(|home| fs::symlink_metadata(home).is_ok_and(|meta| meta.uid() == uid))
        })
    }

    /// The container of a cgroup that only containerd can tell from others: `/NAMESPACE/ID`, with an id that people chose
    /// (`ctr run IMAGE web`).
    pub fn bundle_of<'p>(&self, cgroup_path: &'p str) -> Option<PathContainer<'p>> {
        let (namespace, id) = cgroup_path.strip_prefix('/')?.split_once('/')?;
        if !is_plain(namespace) || !is_plain(id) {
            return None;
        }
        let bundle = Path::new(TASKS).join(namespace).join(id).join("config.json");
        CONTAINERD.iter().find(|state| self.root.join(state).join(&bundle).exists())?;
        Some(PathContainer { id, runtime: Runtime::Containerd, at: 1, is_own: true, pod_uid: None })
    }

    /// A folder for each of containerd's namespaces.
    fn task_folders(&self) -> Vec<PathBuf> {
        CONTAINERD.iter().flat_map(|state| folders(&self.root.join(state).join(TASKS))).collect()
    }
}

fn docker_state(data_root: &Path, id: &str) -> Option<ContainerNames> {
    let folder = Path::new("containers").join(id);
    let mut names = runtime_state::docker(&read_state(data_root, &folder.join("config.v2.json"))?)?;
    // It is written before the container starts.
    if let Some(host) = read_state(data_root, &folder.join("hostconfig.json")) {
        runtime_settings::docker_host(&host, &mut names.settings);
    }
    Some(names)
}

/// CRI-O's and podman's storage.
fn stored(storage: &Path, id: &str) -> Option<ContainerNames> {
    DRIVERS.iter().map(Path::new).find_map(|driver| {
        let bundle = || read_state(storage, &driver.join(id).join("userdata/config.json"));
        let listed = |list: &str| {
            runtime_state::podman(&read_state(storage, &driver.join(list)).unwrap_or_default(), id)
        };
        let bundle = bundle();
        let named = || {
            let mut names = PODMAN_LISTS.iter().find_map(|list| listed(list))?;
            names.settings = bundle.as_deref().map(runtime_settings::of_bundle).unwrap_or_default();
            Some(names)
        };
        bundle.as_deref().and_then(runtime_state::bundle).or_else(named)
    })
}

fn folders(parent: &Path) -> Vec<PathBuf> {
    let Ok(entries) = fs::read_dir(parent) else { return Vec::new() };
    let mut found: Vec<PathBuf> = entries.flatten().take(FOLDER_BOUND).map(|entry| entry.path()).collect();
    found.sort();
    found
}

/// The id becomes part of paths and of a request line. containerd lets people choose ids such as `web-1.test`.
fn is_plain(id: &str) -> bool {
    id.starts_with(|c: char| c.is_ascii_alphanumeric())
        && id.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'_' | b'-'))
}

/// A regular file of a runtime's state, which is below the folder.
fn read_state(folder: &Path, path: &Path) -> Option<Vec<u8>> {
    let path = path.strip_prefix(folder).unwrap_or(path);
    // One that was named by its whole path, and is not below the folder.
    let (folder, path) = match (path.is_absolute(), path.parent(), path.file_name()) {
        (true, Some(parent), Some(name)) => (parent, Path::new(name)),
        _ => (folder, path),
    };
    beneath::read(&beneath::start(folder)?, path, ANSWER_BOUND)
}

/// A connection, without waiting for a daemon whose queue is full.
fn connected(socket: &Path) -> Option<UnixStream> {
    let flags = SocketFlags::CLOEXEC | SocketFlags::NONBLOCK;
    let stream = socket_with(AddressFamily::UNIX, SocketType::STREAM, flags, None).ok()?;
    connect(&stream, &SocketAddrUnix::new(socket).ok()?).ok()?;
    let stream = UnixStream::from(stream);
    stream.set_nonblocking(false).ok()?;
    Some(stream)
}

/// Asks for one container of the list of all, which Docker answers even while it starts that very container (its
/// `/containers/ID/json` waits for the start to be over).
fn query(socket: &Path, id: &str, runtime: Runtime) -> Option<ContainerNames> {
    let listed = get(socket, &format!("/containers/json?all=1&filters=%7B%22id%22%3A%5B%22{id}%22%5D%7D"));
    let whole = || runtime_state::docker(&get(socket, &format!("/containers/{id}/json"))?);
    let names = match listed {
        Some(json) => runtime_state::docker_list(&json, id),
        None => whole(),
    };
    names.map(|names| ContainerNames { runtime: Some(runtime), ..names })
}

/// `GET` over a unix socket. HTTP/1.0, so that the answer is whole and ends with the connection.
fn get(socket: &Path, target: &str) -> Option<Vec<u8>> {
    let until = Instant::now() + SOCKET_TIMEOUT;
    let mut stream = connected(socket)?;
    stream.set_write_timeout(Some(SOCKET_TIMEOUT)).ok()?;
    stream.write_all(format!("GET {target} HTTP/1.0\r\nHost: localhost\r\n\r\n").as_bytes()).ok()?;
    let mut answer = Vec::new();
    let mut piece = [0; 16384];
    loop {
        let left = until.checked_duration_since(Instant::now()).filter(|left| !left.is_zero())?;
        stream.set_read_timeout(Some(left)).ok()?;
        let read = stream.read(&mut piece).ok()?;
        if read == 0 {
            break;
        }
        answer.extend_from_slice(piece.get(..read)?);
        if answer.len() as u64 > ANSWER_BOUND {
            return None;
        }
    }
    let head = answer.windows(4).position(|w| w == b"\r\n\r\n")?;
    let status = answer.get(..head)?.split(|b| *b == b' ').nth(1)?;
    (status == b"200").then(|| answer.split_off(head + 4))
}

#[cfg(test)]
mod tests;
