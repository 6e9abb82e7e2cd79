//! Where Docker daemons that run on this host keep their state and listen, as they were told when they were started.

use std::{fs, path::PathBuf};

use rustix::fs::{CWD, Mode, OFlags, open};

use crate::host::proc_files;

/// The places that one daemon was given.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct DockerPlaces {
    pub data_roots: Vec<PathBuf>,
    pub sockets: Vec<PathBuf>,
    /// Other files than `/etc/docker/daemon.json` that may say where its state is.
    pub config_files: Vec<PathBuf>,
}

impl DockerPlaces {
    /// What root's daemons were given. Another user's `dockerd` is whatever that user calls so.
    pub fn of_running_daemons() -> DockerPlaces {
        let mut all = DockerPlaces::default();
        let Ok(proc) = open("/proc", OFlags::DIRECTORY | OFlags::CLOEXEC, Mode::empty()) else { return all };
        let mut buffer = Vec::new();
        for pid in proc_files::numbers(&proc).unwrap_or_default() {
            let is_root = || {
                let meta = rustix::fs::statat(CWD, format!("/proc/{pid}"), rustix::fs::AtFlags::empty());
                meta.is_ok_and(|meta| meta.st_uid == 0)
            };
            if fs::read(format!("/proc/{pid}/comm")).is_ok_and(|comm| comm == b"dockerd\n") && is_root() {
                let arguments = proc_files::read(&proc, &format!("{pid}/cmdline"), &mut buffer);
                all.add(arguments.unwrap_or_default());
            }
        }
        all
    }

    /// Reads a command line, each argument followed by a NUL.
    fn add(&mut self, command_line: &[u8]) {
        let mut arguments = command_line.split(|b| *b == 0).map(String::from_utf8_lossy).skip(1);
        while let Some(argument) = arguments.next() {
            let (name, value) = match argument.split_once('=') {
                Some((name, value)) => (name.to_owned(), Some(value.to_owned())),
                None => (argument.into_owned(), None),
            };
            let target = match name.as_str() {
                "--data-root" | "--graph" | "-g" => &mut self.data_roots,
                "--config-file" => &mut self.config_files,
                "-H" | "--host" => &mut self.sockets,
                _ => continue,
            };
            let Some(value) = value.or_else(|| arguments.next().map(|value| value.into_owned())) else {
                return;
            };
            let path = if matches!(name.as_str(), "-H" | "--host") {
                docker_socket(&value)
            } else {
                Some(PathBuf::from(value))
            };
            target.extend(path.filter(|path| path.is_absolute()));
        }
    }
}

/// The socket that `DOCKER_HOST` or `--host` names, if it names one of this host: `unix:///run/docker.sock`.
pub fn docker_socket(host: &str) -> Option<PathBuf> {
    host.strip_prefix("unix://").map(PathBuf::from).filter(|path| path.is_absolute())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_daemon_s_command_line_says_where_it_keeps_its_state_and_listens() {
        let mut places = DockerPlaces::default();
        places.add(b"/usr/bin/dockerd\0--data-root\0/srv/docker\0-H\0fd://\0--host=unix:///run/d.sock\0");
        places.add(b"dockerd\0--data-root=/srv/other\0-g\0relative\0-H\0tcp://0.0.0.0\0--config-file\0/etc/d.json\0-g");
        let paths = |texts: &[&str]| texts.iter().map(PathBuf::from).collect::<Vec<_>>();
        assert_eq!(places.data_roots, paths(&["/srv/docker", "/srv/other"]));
        assert_eq!(places.sockets, paths(&["/run/d.sock"]));
        assert_eq!(places.config_files, paths(&["/etc/d.json"]));
    }

    #[test]
    fn only_sockets_of_this_host_are_taken_from_the_environment() {
        assert_eq!(docker_socket("unix:///run/d.sock"), Some("/run/d.sock".into()));
        for host in ["tcp://10.0.0.1:2375", "ssh://root@host", "unix://d.sock", "/run/d.sock", ""] {
            assert_eq!(docker_socket(host), None, "{host}");
        }
    }
}
