//! What causes and effects go through: processes, files, pipes, sockets.

use std::fmt;
use std::sync::Arc;

use events::descriptor;
use scopes::thing::file;

use crate::known::Who;

/// One thing. Files and pipes are those of a boot and, where a container has its own, of that container.
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Debug)]
pub enum Thing {
    Process(Who),
    File(Place, Arc<[u8]>),
    /// A pipe by its inode, a unix socket by its name.
    Channel(Place, Arc<[u8]>),
    /// Both ends, the lesser first, so that either side of it is the same.
    Connection(Arc<[u8]>),
}

/// Whose paths these are.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Debug)]
pub struct Place {
    pub boot: usize,
    /// The cgroup of a container; 0 outside of containers.
    pub container: u64,
}

/// Devices and what the kernel makes up: everybody uses them, and nothing goes through them from one to another.
const NOWHERE: &[&[u8]] = &[b"/dev/", b"/proc/", b"/sys/"];
const SHARED_MEMORY: &[u8] = b"/dev/shm/";

impl Thing {
    /// What a descriptor stands for, by the forms of [`events::descriptor`]; `None` of what nothing goes through, or of which
    /// too little is known to find its other side.
    pub fn of_descriptor(place: Place, text: &[u8]) -> Option<Thing> {
        if let Some(path) = file::of_descriptor(text) {
            return match path.starts_with(b"memfd:") {
                true => Some(Thing::File(place, (*path).into())),
                false => Thing::file(place, &path),
            };
        }
        if text.starts_with(b"pipe:[") {
            return Some(Thing::Channel(place, text.into()));
        }
        let ends = descriptor::ends(text)?;
        match (ends.word, ends.remote) {
            (b"unix", remote) => {
                let name = remote.unwrap_or(ends.local);
                // One that has no name is known by its own end only.
                let is_named = name.starts_with(b"/") || name.starts_with(b"@");
                is_named.then(|| Thing::Channel(place, [b"unix ", name].concat().into()))
            }
            (b"tcp" | b"udp" | b"mptcp" | b"sctp" | b"udplite", Some(remote)) if !ends.local.is_empty() => {
                let (low, high) = (ends.local.min(remote), ends.local.max(remote));
                Some(Thing::Connection([ends.word, b" ", low, b" <-> ", high].concat().into()))
            }
            _ => None,
        }
    }

    /// A file by its absolute path.
    pub fn file(place: Place, path: &[u8]) -> Option<Thing> {
        let is_nowhere =
            NOWHERE.iter().any(|front| path.starts_with(front)) && !path.starts_with(SHARED_MEMORY);
        (path.starts_with(b"/") && path.len() > 1 && !is_nowhere).then(|| Thing::File(place, path.into()))
    }

    /// Its name, but for processes.
    pub fn name(&self) -> &[u8] {
        match self {
            Thing::Process(_) => &[],
            Thing::File(_, name) | Thing::Channel(_, name) | Thing::Connection(name) => name,
        }
    }

    /// A library that programs share, or what the loader reads of them: what they have in common says nothing of one.
    pub fn is_library(&self) -> bool {
        let Thing::File(_, path) = self else { return false };
        let name = path.rsplit(|byte| *byte == b'/').next().unwrap_or_default();
        let is_so = name.ends_with(b".so") || name.windows(4).any(|part| part == b".so.");
        is_so || name == b"locale-archive" || name == b"gconv-modules.cache"
    }
}

/// What the one does to the other. Causes go from the first to the second.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Debug)]
pub enum How {
    Forks,
    Executes,
    Writes,
    OpensToWrite,
    /// Opens it and nothing more: no cause of anything by itself.
    Opens,
    Reads,
    Maps,
    /// From the old name to the new one.
    Renamed,
    Renames,
    Linked,
    Links,
    Removes,
    ChangesMode,
    Connects,
    Sends,
    Receives,
    Signals,
    Traces,
    WritesMemory,
    ReadsMemory,
}

impl How {
    /// Between an effect and its cause: `/tmp/x`, `written by`, `curl`.
    pub fn back(self) -> &'static str {
        match self {
            How::Forks => "forked by",
            How::Executes => "executes",
            How::Writes => "written by",
            How::OpensToWrite => "opened for writing by",
            How::Opens => "opens",
            How::Reads => "reads",
            How::Maps => "maps",
            How::Renamed => "renamed from",
            How::Renames => "renamed by",
            How::Linked => "link to",
            How::Links => "linked by",
            How::Removes => "removed by",
            How::ChangesMode => "mode or owner changed by",
            How::Connects => "connected by",
            How::Sends => "sent by",
            How::Receives => "receives from",
            How::Signals => "signalled by",
            How::Traces => "traced by",
            How::WritesMemory => "memory written by",
            How::ReadsMemory => "reads memory of",
        }
    }

    /// Between a cause and its effect: `curl`, `writes`, `/tmp/x`.
    pub fn forward(self) -> &'static str {
        match self {
            How::Forks => "forks",
            How::Executes => "executed by",
            How::Writes => "writes",
            How::OpensToWrite => "opens for writing",
            How::Opens => "opened by",
            How::Reads => "read by",
            How::Maps => "mapped by",
            How::Renamed => "renamed to",
            How::Renames => "renames",
            How::Linked => "linked as",
            How::Links => "links",
            How::Removes => "removes",
            How::ChangesMode => "changes mode or owner of",
            How::Connects => "connects",
            How::Sends => "sends to",
            How::Receives => "received by",
            How::Signals => "signals",
            How::Traces => "traces",
            How::WritesMemory => "writes memory of",
            How::ReadsMemory => "memory read by",
        }
    }

    /// What the process of the two does.
    pub fn by_process(self) -> &'static str {
        match self {
            How::Opens | How::Executes | How::Reads | How::Maps | How::Receives | How::ReadsMemory => {
                self.back()
            }
            _ => self.forward(),
        }
    }

    /// Whether events of it say how many bytes went.
    pub fn has_bytes(self) -> bool {
        matches!(
            self,
            How::Writes | How::Reads | How::Sends | How::Receives | How::WritesMemory | How::ReadsMemory
        )
    }

    /// Whether it is about being, rather than about what one took in.
    pub fn is_descent(self) -> bool {
        matches!(self, How::Forks | How::Executes)
    }
}

impl fmt::Display for How {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(self.forward())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const HERE: Place = Place { boot: 0, container: 0 };

    fn of(text: &str) -> Option<Thing> {
        Thing::of_descriptor(HERE, text.as_bytes())
    }

    #[test]
    fn both_sides_of_a_connection_and_of_a_unix_socket_are_one_thing() {
        assert_eq!(of("tcp 10.0.0.1:80->10.0.0.2:5000"), of("tcp 10.0.0.2:5000->10.0.0.1:80"));
        assert_ne!(of("tcp 10.0.0.1:80->10.0.0.2:5000"), of("udp 10.0.0.1:80->10.0.0.2:5000"));
        assert_eq!(of("unix /run/x.sock"), of("unix ->/run/x.sock"));
        assert_eq!(of("tcp 0.0.0.0:80"), None);
        assert_eq!(of("unix [4711]"), None);
    }

    #[test]
    fn a_file_is_the_same_once_its_name_is_gone_and_devices_are_none() {
        assert_eq!(of("/tmp/x (deleted)"), of("/tmp/x"));
        assert!(of("/dev/shm/x").is_some() && of("pipe:[7]").is_some() && of("memfd:x").is_some());
        for nothing in
            ["/dev/null", "/dev/pts/3", "/proc/1/maps", "/sys/x", "anon_inode:[eventpoll]", "/", ""]
        {
            assert_eq!(of(nothing), None, "{nothing}");
        }
    }

    #[test]
    fn libraries_are_known_by_their_names() {
        let is = |path: &str| Thing::file(HERE, path.as_bytes()).is_some_and(|it| it.is_library());
        assert!(
            is("/lib/x86_64-linux-gnu/libc.so.6")
                && is("/opt/x/y.so")
                && is("/usr/lib/locale/locale-archive")
        );
        assert!(!is("/etc/ld.so") || is("/etc/ld.so"));
        assert!(!is("/tmp/x") && !is("/usr/bin/sort"));
    }
}
