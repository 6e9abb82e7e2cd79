//! Pids that processes of a container give each other, as the host knows them.

use std::collections::HashMap;

use super::Actor;

/// Numbers that are remembered; the oldest go all at once, since they are learned anew.
const MOST: usize = 1 << 17;

/// The pids of the host by namespace and the number there. Those of the host's own namespace need none.
#[derive(Clone, Debug, Default)]
pub struct NsPids(HashMap<(u32, u32), u32>);

impl NsPids {
    /// A process has this number in a namespace.
    pub fn learn(&mut self, pid_ns: u32, ns_pid: u32, pid: u32) {
        if ns_pid == pid || ns_pid == 0 {
            return;
        }
        if self.0.len() >= MOST {
            self.0.clear();
        }
        self.0.insert((pid_ns, ns_pid), pid);
    }

    /// The pid on the host of what `actor` calls by this number, itself by 0.
    pub(super) fn of(&self, actor: Actor, number: u32) -> Option<u32> {
        if number == 0 || number == actor.ns_pid {
            return Some(actor.pid);
        }
        if actor.ns_pid == actor.pid {
            return Some(number);
        }
        self.0.get(&(actor.pid_ns, number)).copied()
    }
}
