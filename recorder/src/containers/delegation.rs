//! Who could have made a cgroup, and so who says that it is a container's.
//!
//! The kernel says which cgroup a task is in; that a cgroup is the container `web` is only in its name, and whoever owns
//! the directory above it chooses that name. Below a subtree that was given to a user (systemd gives `user@UID.service`
//! to each), anybody can `mkdir docker-<id of web>.scope`; inside a container, its root can.

use std::{
    fs,
    os::unix::fs::MetadataExt,
    path::{Path, PathBuf},
};

use crate::containers::identity::container_of;

/// Who vouches for the identity that a cgroup's path names.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Authority {
    /// Every directory above is root's, and none of them is a container: a runtime of the host named it.
    Host,
    /// The subtree was given to this user, whose own runtime may have named it, or the user.
    User(u32),
    /// It stands inside another container, which may have any name for it.
    Container,
}

impl Authority {
    /// Whether nobody but the host's root could have chosen the name.
    pub const fn is_verified(self) -> bool {
        matches!(self, Authority::Host)
    }
}

/// Who vouches for the container that this path names, below the mount of the unified hierarchy. Without a hierarchy to
/// look at (files of other hosts, tests) there is nobody to doubt.
pub fn authority(mount: Option<&Path>, path: &str) -> Authority {
    let components: Vec<&str> = path.split('/').filter(|component| !component.is_empty()).collect();
    // The components up to and with the one that has the id.
    let named = (1..=components.len())
        .find(|&end| components.get(..end).is_some_and(|part| container_of(&part.join("/")).is_some()));
    let innermost = container_of(path).map(|container| container.at);
    if let (Some(first), Some(innermost)) = (named, innermost)
        && first <= innermost
    {
        return Authority::Container;
    }
    let Some(mount) = mount else { return Authority::Host };
    let mut folder: PathBuf = mount.to_owned();
    // The cgroup itself is left out: runtimes give containers their own, which says nothing about who named them.
    let above = innermost.unwrap_or(components.len().saturating_sub(1));
    for component in components.iter().take(above) {
        folder.push(component);
        match fs::symlink_metadata(&folder) {
            Ok(meta) if meta.uid() != 0 => return Authority::User(meta.uid()),
            Ok(_) => {}
            // It is gone already: what is above it has been looked at.
            Err(_) => break,
        }
    }
    Authority::Host
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::chown;

    use super::*;

    const ID: &str = "e9cf0db70635a1b2c3d4e5f60718293a4b5c6d7e8f90a1b2c3d4e5f607182930";

    #[test]
    fn a_name_below_another_container_is_that_container_s_word() {
        let outer = "0".repeat(64);
        for (path, authority_of_it) in [
            (format!("/docker/{ID}"), Authority::Host),
            (format!("/docker/{ID}/init.scope"), Authority::Host),
            (format!("/docker/{outer}/docker/{ID}"), Authority::Container),
            (format!("/docker/{outer}/docker-{ID}.scope"), Authority::Container),
            (format!("/lxc.payload.web/system.slice/docker-{ID}.scope"), Authority::Container),
        ] {
            assert_eq!(authority(None, &path), authority_of_it, "{path}");
        }
    }

    #[test]
    fn a_name_below_a_user_s_subtree_is_the_user_s_word() {
        if !rustix::process::geteuid().is_root() {
            return;
        }
        let mount = tempfile::tempdir().unwrap();
        let service = mount.path().join("user.slice/user-1000.slice/user@1000.service");
        fs::create_dir_all(service.join(format!("docker-{ID}.scope"))).unwrap();
        let path = format!("/user.slice/user-1000.slice/user@1000.service/docker-{ID}.scope");
        assert_eq!(authority(Some(mount.path()), &path), Authority::Host);
        chown(&service, Some(1000), Some(1000)).unwrap();
        assert_eq!(authority(Some(mount.path()), &path), Authority::User(1000));
        // Also when it was removed at once, and also for one that root put below it.
        assert_eq!(authority(Some(mount.path()), &path.replace(ID, &"1".repeat(64))), Authority::User(1000));
        // A container's own cgroup may be its user's.
        let own = mount.path().join(format!("docker-{ID}.scope"));
        fs::create_dir(&own).unwrap();
        chown(&own, Some(1000), None).unwrap();
        assert_eq!(authority(Some(mount.path()), &format!("/docker-{ID}.scope")), Authority::Host);
    }
}
