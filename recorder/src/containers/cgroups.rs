//! The cgroups of the unified hierarchy: their ids and paths.
//!
//! Events carry the id of the task's cgroup in the default (version 2) hierarchy, which is the inode number of its
//! directory. On a hybrid system that hierarchy is mounted beside the old ones and runtimes put containers into both.
//! On a system with only version 1 every task is in the root of the default hierarchy, and containers cannot be told.

use std::{
    fs, io,
    os::unix::fs::MetadataExt,
    path::{Path, PathBuf},
};

/// Directories that one walk reads at most; hosts with thousands of containers stay far below.
const WALK_BOUND: usize = 200_000;
/// Cgroups nest by bind-mounted subtrees only in theory, and by delegation a dozen deep in practice.
const DEPTH_BOUND: usize = 64;

/// One cgroup as found in the file system.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct FoundCgroup {
    /// Inode number: what events call the cgroup id.
    pub id: u64,
    /// From the root of the hierarchy, such as `/system.slice/docker-ID.scope`; the root itself is `/`.
    pub path: String,
}

/// Where the unified hierarchy is mounted, from `/proc/self/mounts`.
pub fn unified_mount(mounts: &str) -> Option<PathBuf> {
    mounts.lines().find_map(|line| {
        let mut fields = line.split(' ');
        let (_, point, kind) = (fields.next()?, fields.next()?, fields.next()?);
        (kind == "cgroup2").then(|| PathBuf::from(unescape(point)))
    })
}

/// All cgroups below `mount`, parents before children, siblings by name. Those that vanish meanwhile are left out.
pub fn walk(mount: &Path) -> io::Result<Vec<FoundCgroup>> {
    let mut found = vec![FoundCgroup { id: fs::metadata(mount)?.ino(), path: "/".to_owned() }];
    let mut at = 0;
    while let Some(parent) = found.get(at).cloned() {
        at += 1;
        let depth = parent.path.bytes().filter(|b| *b == b'/').count();
        if found.len() >= WALK_BOUND || depth > DEPTH_BOUND {
            continue;
        }
        let relative = parent.path.trim_start_matches('/');
        let Ok(entries) = fs::read_dir(mount.join(relative)) else { continue };
        let mut children: Vec<FoundCgroup> = entries
            .flatten()
            .filter(|entry| entry.file_type().is_ok_and(|kind| kind.is_dir()))
            .filter_map(|entry| {
                let id = entry.metadata().ok()?.ino();
                let name = entry.file_name();
                let path = format!("{}/{}", parent.path.trim_end_matches('/'), name.to_string_lossy());
                Some(FoundCgroup { id, path })
            })
            .collect();
        children.sort_by(|a, b| a.path.cmp(&b.path));
        found.append(&mut children);
    }
    Ok(found)
}

/// Mount tables write blanks and their like in octal, such as `\040`.
fn unescape(text: &str) -> String {
    let mut out = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((&first, after)) = rest.split_first() {
        let octal = after.get(..3).and_then(|digits| {
            let digits = std::str::from_utf8(digits).ok()?;
            u8::from_str_radix(digits, 8).ok()
        });
        match octal {
            Some(byte) if first == b'\\' => {
                out.push(byte);
                rest = after.get(3..).unwrap_or_default();
            }
            _ => {
                out.push(first);
                rest = after;
            }
        }
    }
    String::from_utf8_lossy(&out).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_unified_hierarchy_is_found_alone_and_beside_the_old_ones() {
        let hybrid = "tmpfs /sys/fs/cgroup tmpfs rw 0 0\n\
                      cgroup /sys/fs/cgroup/cpu cgroup rw,cpu 0 0\n\
                      cgroup2 /sys/fs/cgroup/unified cgroup2 rw,relatime 0 0\n";
        assert_eq!(unified_mount(hybrid), Some(PathBuf::from("/sys/fs/cgroup/unified")));
        assert_eq!(unified_mount("cgroup2 /sys/fs/cgroup cgroup2 rw 0 0"), Some("/sys/fs/cgroup".into()));
        assert_eq!(unified_mount("none /my\\040groups cgroup2 rw 0 0"), Some("/my groups".into()));
        assert_eq!(unified_mount("cgroup /sys/fs/cgroup/cpu cgroup rw,cpu 0 0\n\n"), None);
    }

    #[test]
    fn a_walk_lists_parents_before_children_with_their_inodes() {
        let root = tempfile::tempdir().unwrap();
        fs::create_dir_all(root.path().join("b/inner")).unwrap();
        fs::create_dir_all(root.path().join("a")).unwrap();
        fs::write(root.path().join("a/cgroup.procs"), "1\n").unwrap();
        let found = walk(root.path()).unwrap();
        let paths: Vec<&str> = found.iter().map(|c| c.path.as_str()).collect();
        assert_eq!(paths, ["/", "/a", "/b", "/b/inner"]);
        assert_eq!(found[3].id, fs::metadata(root.path().join("b/inner")).unwrap().ino());
    }
}
