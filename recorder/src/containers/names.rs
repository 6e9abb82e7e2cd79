//! Names and images of containers, found out on a thread of their own.
//!
//! A container is known by its cgroup's path at once; what people call it only its runtime knows. Its state on disk is
//! looked at first (no waiting, and no lock of its own): nearly all write it before the cgroup is made. Where that says
//! nothing, sockets are asked, each with a time-out, and all a few times more for a container that nobody knows yet.
//! Containers that have been named are looked at now and then, since people rename them. Nothing here holds up the
//! drain, and the thread works for half of its time at most: who makes cgroups in a loop must not keep a CPU busy.

use std::{
    collections::VecDeque,
    thread,
    time::{Duration, Instant},
};

use crossbeam_channel::{Receiver, RecvTimeoutError, Sender};

use crate::{
    containers::delegation::Authority, containers::runtime_paths::RuntimePaths,
    containers::runtime_state::ContainerNames,
};

/// A container whose names are wanted.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct NameRequest {
    pub cgroup_id: u64,
    /// The whole id, from the path.
    pub container_id: String,
    /// Who says that it is that container.
    pub authority: Authority,
}

/// The answer to a [`NameRequest`].
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Named {
    pub cgroup_id: u64,
    /// `None`: nobody knows it yet, and it is not worth waiting for. An answer may still come.
    pub names: Option<ContainerNames>,
}

/// Waits before asking again for a container that no runtime knew.
const RETRIES: [Duration; 4] =
    [Duration::from_millis(50), Duration::from_millis(200), Duration::from_secs(1), Duration::from_secs(5)];
/// Failed attempts after which it is said that nobody knows.
const WORTH_WAITING: usize = 3;
/// Requests that wait; beyond that, containers keep their ids only.
const PENDING_BOUND: usize = 4096;

/// Between two looks whether a container has another name by now, and how many are looked at so.
const RENAMES_EVERY: Duration = Duration::from_secs(10);
const WATCHED_BOUND: usize = 4096;
/// Requests of users that wait while those of the host's runtimes go first.
const USERS_BOUND: usize = 256;

/// Something to look up at a time.
#[derive(Debug)]
struct Task {
    at: Instant,
    request: NameRequest,
    why: Why,
}

#[derive(Debug)]
enum Why {
    /// So many attempts have failed.
    Unknown(usize),
    /// It had these names.
    Rename(ContainerNames),
}

/// Answers requests until their sender is gone; meant for a thread of its own.
pub fn serve(mut paths: RuntimePaths, requests: &Receiver<NameRequest>, answers: &Sender<Named>) {
    let mut tasks: Vec<Task> = Vec::new();
    let mut of_users: VecDeque<NameRequest> = VecDeque::new();
    loop {
        let now = Instant::now();
        let next = tasks.iter().map(|task| task.at).min();
        let wait = if of_users.is_empty() { Duration::from_secs(3600) } else { Duration::ZERO };
        let wait = next.map_or(wait, |at| wait.min(at.saturating_duration_since(now)));
        let task = match requests.recv_timeout(wait) {
            Ok(request) if request.authority.is_verified() => Task { at: now, request, why: Why::Unknown(0) },
            Ok(request) => {
                if of_users.len() < USERS_BOUND {
                    of_users.push_back(request);
                }
                continue;
            }
            Err(RecvTimeoutError::Timeout) => {
                let due = tasks.iter().position(|task| task.at <= Instant::now());
                match (due, of_users.pop_front()) {
                    (Some(due), request) => {
                        of_users.extend(request);
                        tasks.swap_remove(due)
                    }
                    (None, Some(request)) => Task { at: now, request, why: Why::Unknown(0) },
                    (None, None) => continue,
                }
            }
            // The recording is over: what is not known by now stays unknown.
            Err(RecvTimeoutError::Disconnected) => return,
        };
        let began = Instant::now();
        let names = paths.look_up(&task.request.container_id, task.request.authority);
        if !answer(task, names, &mut tasks, answers) {
            return;
        }
        thread::sleep(began.elapsed());
    }
}

/// Answers, and notes when to look again. `false` when nobody listens any more.
fn answer(task: Task, names: Option<ContainerNames>, tasks: &mut Vec<Task>, answers: &Sender<Named>) -> bool {
    let Task { request, why, .. } = task;
    let cgroup_id = request.cgroup_id;
    let say = |names| answers.send(Named { cgroup_id, names }).is_ok();
    let again = |after: Duration, why| Task { at: Instant::now() + after, request: request.clone(), why };
    match (why, names) {
        (Why::Unknown(_), Some(names)) => {
            if tasks.len() < WATCHED_BOUND {
                tasks.push(again(RENAMES_EVERY, Why::Rename(names.clone())));
            }
            say(Some(names))
        }
        (Why::Unknown(failed), None) => {
            if let Some(wait) = RETRIES.get(failed).filter(|_| tasks.len() < PENDING_BOUND) {
                tasks.push(again(*wait, Why::Unknown(failed + 1)));
            }
            failed + 1 != WORTH_WAITING || say(None)
        }
        (Why::Rename(before), Some(names)) => {
            let is_news = before != names;
            tasks.push(again(RENAMES_EVERY, Why::Rename(names.clone())));
            !is_news || say(Some(names))
        }
        // It is gone, and is not looked at any more.
        (Why::Rename(_), None) => true,
    }
}

#[cfg(test)]
mod tests {
    use std::{fs, path::Path, thread};

    use super::*;

    const ID: &str = "e9cf0db70635a1b2c3d4e5f60718293a4b5c6d7e8f90a1b2c3d4e5f607182930";

    fn write(root: &Path, path: &str, text: &str) {
        let path = root.join(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }

    #[test]
    fn a_container_that_is_not_known_yet_is_asked_for_again() {
        let root = tempfile::tempdir().unwrap();
        let paths = RuntimePaths::below(root.path());
        let (ask, requests) = crossbeam_channel::bounded(4);
        let (answer, answers) = crossbeam_channel::bounded(4);
        let worker = thread::spawn(move || serve(paths, &requests, &answer));
        ask.send(NameRequest { cgroup_id: 7, container_id: ID.to_owned(), authority: Authority::Host })
            .unwrap();
        let docker = r#"{"Name":"/late","Config":{"Image":"alpine"}}"#;
        write(root.path(), &format!("var/lib/docker/containers/{ID}/config.v2.json"), docker);
        let named = answers.iter().find_map(|named| Some((named.cgroup_id, named.names?.name))).unwrap();
        assert_eq!(named, (7, "late".to_owned()));
        drop(ask);
        worker.join().unwrap();
    }

    #[test]
    fn that_nobody_knows_a_container_is_said_before_the_last_attempt() {
        let root = tempfile::tempdir().unwrap();
        let paths = RuntimePaths::below(root.path());
        let (ask, requests) = crossbeam_channel::bounded(4);
        let (answer, answers) = crossbeam_channel::bounded(4);
        let worker = thread::spawn(move || serve(paths, &requests, &answer));
        ask.send(NameRequest { cgroup_id: 7, container_id: ID.to_owned(), authority: Authority::Host })
            .unwrap();
        assert_eq!(answers.recv().unwrap(), Named { cgroup_id: 7, names: None });
        drop(ask);
        worker.join().unwrap();
    }
}
