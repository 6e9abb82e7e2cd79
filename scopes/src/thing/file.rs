//! Files by their names: paths that calls were given, and paths that descriptors stood for.

use std::borrow::Cow;

use events::show::{self, Leaf};
use events::{ArgKind, Event, Raw, descriptor};

use super::{Place, is_text, position};

/// What a table shows behind a path that no directory names any more.
const DELETED: &[u8] = b" (deleted)";

/// Descriptors of directories, by the paths that are relative to them.
const DIRECTORIES: &[(&str, &[&str])] = &[
    ("pathname", &["dirfd", "dfd"]),
    ("filename", &["dfd", "dirfd"]),
    ("path", &["dirfd", "dfd"]),
    ("oldpath", &["olddirfd"]),
    ("newpath", &["newdirfd"]),
    ("linkpath", &["newdirfd"]),
    ("from_path", &["from_dfd"]),
    ("to_path", &["to_dfd"]),
];

pub(super) fn place(event: &Event, at: usize) -> Option<Place> {
    let arg = event.args.get(at)?;
    match arg.kind {
        ArgKind::Fd => Some(Place::Descriptor(at)),
        ArgKind::Sockaddr(_) => Some(Place::Address(at)),
        ArgKind::Msghdr | ArgKind::Mmsghdr(_) => Some(Place::Message(at)),
        kind if is_text(kind) && is_path(event, arg.name) => {
            let directories = DIRECTORIES.iter().find(|(name, _)| *name == arg.name).map(|(_, names)| *names);
            let directory = directories.unwrap_or_default().iter().find_map(|name| position(event, name));
            Some(Place::Path(at, directory))
        }
        _ => None,
    }
}

/// Whether an argument of text is the path of a file.
fn is_path(event: &Event, name: &str) -> bool {
    match name {
        // Below the root of a hierarchy of cgroups.
        "cgroup_path" => false,
        "file_name" | "filename" | "oldname" | "newname" | "old_path" | "new_path" | "interp" => true,
        "mountpoint" | "new_root" | "put_old" | "special" | "source" | "dev_name" | "library" => true,
        "target" => matches!(
            event.name,
            "symlink" | "symlinkat" | "security_inode_symlink" | "mount" | "umount" | "umount2"
        ),
        "opened" | "in_file_path" | "library_path" => true,
        name => name.ends_with("path") || name.ends_with("pathname"),
    }
}

/// The file that a descriptor stands for, without the mark of one that no directory names any more; `None` of what is
/// no file.
pub fn of_descriptor(stands_for: &[u8]) -> Option<Cow<'_, [u8]>> {
    if !is_whole(stands_for) {
        return None;
    }
    Some(tidy(unmarked(stands_for)))
}

/// A path without the mark behind it. A file that is called like one has `/./` before its name.
pub fn unmarked(path: &[u8]) -> &[u8] {
    let is_name = || {
        let start = path.iter().rposition(|byte| *byte == b'/').unwrap_or(0);
        path.get(..start).is_some_and(|front| front.ends_with(b"/."))
    };
    match path.strip_suffix(DELETED) {
        Some(marked) if !is_name() => marked,
        _ => path,
    }
}

/// Whether a text is a path from the root on, one whose front is missing, or the name of a file in memory.
pub fn is_whole(text: &[u8]) -> bool {
    text.starts_with(b"/") || text.starts_with(b"memfd:") || text.starts_with(b".../")
}

/// The file that a path names, given what the descriptor of its directory stands for. What is relative to an unknown
/// directory stays as it was given; so does `..` behind a name, which may be a link.
pub fn of_path<'a>(path: &'a [u8], directory: &[u8]) -> Cow<'a, [u8]> {
    if path.starts_with(b"/") || path.is_empty() {
        return tidy(path);
    }
    let directory = unmarked(directory);
    if !directory.starts_with(b"/") {
        return tidy(path);
    }
    // The directory is as the kernel has it, without links: steps up from there are certain.
    let (mut directory, mut rest) = (directory.strip_suffix(b"/").unwrap_or(directory), path);
    loop {
        let (step, behind) = match rest.iter().position(|byte| *byte == b'/') {
            Some(at) => rest.split_at(at + 1),
            None => (rest, &rest[rest.len()..]),
        };
        match step {
            b".." | b"../" => {
                let parent = directory.iter().rposition(|byte| *byte == b'/').unwrap_or(0);
                directory = directory.get(..parent).unwrap_or_default();
            }
            b"." | b"./" | b"/" => {}
            _ => break,
        }
        rest = behind;
    }
    Cow::Owned(tidy(&[directory, b"/", rest].concat()).into_owned())
}

/// A path without what means nothing in it: doubled slashes, `.` steps, a slash at its end.
fn tidy(path: &[u8]) -> Cow<'_, [u8]> {
    let is_tidy = path.len() < 2
        || !(path.ends_with(b"/")
            || path.ends_with(b"/.")
            || path.starts_with(b"./")
            || path.windows(2).any(|pair| pair == b"//")
            || path.windows(3).any(|three| three == b"/./"));
    if is_tidy {
        return Cow::Borrowed(path);
    }
    let mut tidied = Vec::with_capacity(path.len());
    for step in path.split(|byte| *byte == b'/').filter(|step| !matches!(step, [] | [b'.'])) {
        if !tidied.is_empty() || path.starts_with(b"/") {
            tidied.push(b'/');
        }
        tidied.extend_from_slice(step);
    }
    if tidied.is_empty() {
        tidied.push(if path.starts_with(b"/") { b'/' } else { b'.' });
    }
    Cow::Owned(tidied)
}

/// A value of a filter as the names of files are written.
pub(crate) fn of_value(path: &str) -> Cow<'_, str> {
    match tidy(unmarked(path.as_bytes())) {
        Cow::Borrowed(bytes) => Cow::Borrowed(std::str::from_utf8(bytes).unwrap_or(path)),
        // Only slashes and points were taken away.
        Cow::Owned(bytes) => String::from_utf8(bytes).map_or(Cow::Borrowed(path), Cow::Owned),
    }
}

/// Calls `found` with each file that an event names at a place, given the values there.
pub fn each<'a>(event: &Event, place: Place, value: Raw<'a>, other: Raw<'a>, found: &mut dyn FnMut(&[u8])) {
    match (place, value) {
        (Place::Path(..), Raw::Bytes(path)) if !path.is_empty() => {
            let directory = other.descriptor().map_or(&b""[..], |(_, stands_for)| stands_for);
            found(&of_path(path, directory));
        }
        (Place::Descriptor(_), value) => {
            let Some((_, stands_for)) = value.descriptor() else { return };
            if let Some(path) = of_descriptor(stands_for) {
                return found(&path);
            }
            // A unix socket with a path is a file, too, at either end.
            if let Some(ends) = descriptor::ends(stands_for).filter(|ends| ends.word == b"unix") {
                [Some(ends.local), ends.remote]
                    .into_iter()
                    .flatten()
                    .filter(|name| name.starts_with(b"/"))
                    .for_each(found);
            }
        }
        // Also where nobody was there: then no descriptor has the path.
        (Place::Address(at), value) => unix(event, at, value, "sun_path", found),
        (Place::Message(at), value) => unix(event, at, value, "msg_name.sun_path", found),
        _ => {}
    }
}

/// The paths of unix sockets below a value. One that is relative stays as it was given; abstract names are no files.
fn unix<'a>(event: &Event, at: usize, value: Raw<'a>, member: &str, found: &mut dyn FnMut(&[u8])) {
    let arg = |position: usize| if position == at { value } else { Raw::Missing };
    show::find(event, at, &arg, member, &mut |leaf| {
        if let Leaf::Text(path) = leaf
            && !path.is_empty()
        {
            found(&tidy(path));
        }
    });
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_is_taken_from_the_directory_that_it_is_relative_to() {
        let of = |path: &str, directory: &str| {
            String::from_utf8(of_path(path.as_bytes(), directory.as_bytes()).into_owned()).unwrap()
        };
        assert_eq!(of("shadow", "/etc"), "/etc/shadow");
        assert_eq!(of("./shadow", "/"), "/shadow");
        assert_eq!(of("../../x/../y", "/a/b/c"), "/a/x/../y");
        assert_eq!(of("../../..", "/a"), "/");
        assert_eq!(of("/etc//./shadow", "/tmp"), "/etc/shadow");
        assert_eq!(of("/etc/", ""), "/etc");
        assert_eq!(of("shadow", ""), "shadow");
        assert_eq!(of("./x", "pipe:[7]"), "x");
        assert_eq!(of(".", ""), ".");
        assert_eq!(of("/", ""), "/");
        assert_eq!(of("x", "/gone (deleted)"), "/gone/x");
    }

    #[test]
    fn a_removed_file_keeps_its_name_and_a_name_like_the_mark_stays() {
        let of = |text: &'static str| {
            of_descriptor(text.as_bytes()).map(|it| String::from_utf8_lossy(&it).into_owned())
        };
        assert_eq!(of("/tmp/x (deleted)").as_deref(), Some("/tmp/x"));
        assert_eq!(of("/tmp/./x (deleted)").as_deref(), Some("/tmp/x (deleted)"));
        assert_eq!(of("memfd:x").as_deref(), Some("memfd:x"));
        assert_eq!(of("tcp 10.0.0.1:80"), None);
        assert_eq!(of("pipe:[7]"), None);
    }

    #[test]
    fn unix_sockets_with_paths_are_files() {
        let mut names = Vec::new();
        let value = [&3u64.to_le_bytes()[..], b"unix ->/run/docker.sock"].concat();
        let connect = events::catalogue::by_name("connect").unwrap();
        let fd = Raw::Bytes(&value);
        each(connect, Place::Descriptor(0), fd, Raw::Missing, &mut |name| names.push(name.to_vec()));
        assert_eq!(names, [b"/run/docker.sock"]);
    }
}
