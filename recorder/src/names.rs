//! Names and images of containers, found out on a thread of their own.
//!
//! A container is known by its cgroup's path at once; what people call it only its runtime knows. The state that
//! runtimes keep on disk is looked at first, and at once (no waiting, and no lock of theirs): nearly all write it before
//! the cgroup is made. Where that says nothing, their sockets and the state of users' own runtimes are asked here, each
//! with a time-out, and a few times more for a container that nobody knows yet. Nothing here holds up the drain.

use std::{
    collections::VecDeque,
    time::{Duration, Instant},
};

use crossbeam_channel::{Receiver, RecvTimeoutError, Sender};

use crate::{runtime_paths::RuntimePaths, runtime_state::ContainerNames};

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
        let cgroup_id = request.cgroup_id;
        let names = paths.look_up(&request.container_id);
        let is_unknown = names.is_none();
        if (!is_unknown || attempt + 1 == WORTH_WAITING) && answers.send(Named { cgroup_id, names }).is_err()
        {
            return;
        }
        if is_unknown && let Some(wait) = RETRIES.get(attempt).filter(|_| again.len() < PENDING_BOUND) {
            again.push_back((Instant::now() + *wait, attempt + 1, request));
        }
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
        let worker = thread::spawn(move || serve(&paths, &requests, &answer));
        ask.send(NameRequest { cgroup_id: 7, container_id: ID.to_owned() }).unwrap();
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
        let worker = thread::spawn(move || serve(&paths, &requests, &answer));
        ask.send(NameRequest { cgroup_id: 7, container_id: ID.to_owned() }).unwrap();
        assert_eq!(answers.recv().unwrap(), Named { cgroup_id: 7, names: None });
        drop(ask);
        worker.join().unwrap();
    }
}
