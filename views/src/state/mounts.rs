//! Mounts that were made while a recording ran, by mount namespace.

use std::collections::BTreeMap;

use hashbrown::HashSet;

use super::Since;

const MS_REMOUNT: u64 = 0x20;
pub const MS_BIND: u64 = 0x1000;
const MS_MOVE: u64 = 0x2000;
/// How events of mounts go from one namespace to another: no mount by itself.
const PROPAGATION: u64 = 0xf << 17;
/// Mounts of all namespaces that are kept: the kernel's own limit for one of them (`fs.mount-max`).
const MOST_MOUNTS: usize = 100_000;

#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Mount {
    /// As the kernel had it, or as the call named it.
    pub target: Vec<u8>,
    /// `None` where the call did not say it.
    pub source: Option<Vec<u8>>,
    pub kind: Option<Vec<u8>>,
    pub flags: u64,
    pub since: Since,
}

#[derive(Debug, Default)]
pub struct Mounts {
    by_namespace: BTreeMap<u32, Vec<Mount>>,
    count: usize,
    pruned_to: usize,
    pub(crate) left_out: u64,
}

impl Mounts {
    pub(crate) fn mount(
        &mut self,
        namespace: u32,
        source: Option<&[u8]>,
        target: Option<&[u8]>,
        kind: Option<&[u8]>,
        flags: u64,
        since: Since,
    ) {
        let Some(target) = target.map(<[u8]>::to_vec) else { return };
        let mounts = self.by_namespace.entry(namespace).or_default();
        if flags & MS_REMOUNT != 0 {
            if let Some(known) = mounts.iter_mut().rfind(|mount| mount.target == target) {
                known.flags = flags & !MS_REMOUNT;
            }
            return;
        }
        if flags & MS_MOVE != 0 {
            if let Some(known) = mounts.iter_mut().rfind(|mount| Some(mount.target.as_slice()) == source) {
                known.target = target;
            }
            return;
        }
        if flags & PROPAGATION != 0 && flags & MS_BIND == 0 {
            return;
        }
        if self.count >= MOST_MOUNTS {
            self.left_out += 1;
            return;
        }
        self.count += 1;
        let kind = if flags & MS_BIND != 0 { None } else { kind };
        let source = source.map(<[u8]>::to_vec);
        mounts.push(Mount { target, source, kind: kind.map(<[u8]>::to_vec), flags, since });
    }

    /// The topmost mount at a place is gone. One that was there before the recording was not known anyway.
    pub(crate) fn unmount(&mut self, namespace: u32, target: Option<&[u8]>) {
        let Some(mounts) = self.by_namespace.get_mut(&namespace) else { return };
        if let Some(at) = mounts.iter().rposition(|mount| Some(mount.target.as_slice()) == target) {
            mounts.remove(at);
            self.count -= 1;
        }
    }

    /// A namespace begins as a copy of another.
    pub(crate) fn copy(&mut self, from: u32, to: u32) {
        let Some(mounts) = self.by_namespace.get(&from).cloned() else { return };
        if self.count + mounts.len() > MOST_MOUNTS {
            self.left_out += mounts.len() as u64;
            return;
        }
        if !self.by_namespace.contains_key(&to) {
            self.count += mounts.len();
            self.by_namespace.insert(to, mounts);
        }
    }

    /// All paths of the namespace begin at another root: those that were told before mean nothing any more.
    pub(crate) fn pivot(&mut self, namespace: u32) {
        self.count -= self.by_namespace.remove(&namespace).map_or(0, |mounts| mounts.len());
    }

    /// Namespaces that nobody is in any more are gone with their mounts.
    pub(crate) fn each(&self, is_used: impl Fn(u32) -> bool) -> impl Iterator<Item = (u32, &Mount)> {
        let used = self.by_namespace.iter().filter(move |(namespace, _)| is_used(**namespace));
        used.flat_map(|(namespace, mounts)| mounts.iter().map(|mount| (*namespace, mount)))
    }

    /// Forgets what is in namespaces that nobody uses, once there are twice as many as were used the last time.
    pub(crate) fn prune(&mut self, used: impl FnOnce() -> HashSet<u32>) {
        const MANY: usize = 1024;
        if self.by_namespace.len() > MANY.max(2 * self.pruned_to) {
            let used = used();
            self.by_namespace.retain(|namespace, _| used.contains(namespace));
            self.count = self.by_namespace.values().map(Vec::len).sum();
            self.pruned_to = self.by_namespace.len();
        }
    }
}
