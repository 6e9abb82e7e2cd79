//! The distinct contexts of a block.

use events::Context;
use events::context::ContextFlags;

use crate::args::Dictionary;
use crate::builder::ContextRow;

/// The distinct contexts of a block; [`Block::context_codes`] index it.
#[derive(Clone, Copy, Debug)]
pub struct Contexts<'a> {
    pub(super) rows: &'a [ContextRow],
    pub(super) strings: &'a Dictionary,
}

impl<'a> Contexts<'a> {
    pub fn len(&self) -> usize {
        self.rows.len()
    }

    pub fn is_empty(&self) -> bool {
        self.rows.is_empty()
    }

    pub fn get(&self, code: u16) -> Option<Context<'a>> {
        let row = self.rows.get(code as usize)?;
        let [
            pid,
            tid,
            ppid,
            ns_pid,
            ns_tid,
            ns_ppid,
            uid,
            gid,
            mnt_ns,
            pid_ns,
            net_ns,
            user_ns,
            flags,
            comm,
            exe,
            uts,
        ] = row.numbers;
        let [cgroup_id, thread_start_ns, process_start_ns, parent_start_ns] = row.wide;
        let string = |code| self.strings.get(code).unwrap_or_default();
        Some(Context {
            pid,
            tid,
            ppid,
            ns_pid,
            ns_tid,
            ns_ppid,
            uid,
            gid,
            mnt_ns,
            pid_ns,
            net_ns,
            user_ns,
            cgroup_id,
            thread_start_ns,
            process_start_ns,
            parent_start_ns,
            comm: string(comm),
            exe: string(exe),
            uts: string(uts),
            flags: ContextFlags(flags),
        })
    }

    /// By code.
    pub fn iter(&self) -> impl Iterator<Item = Context<'a>> + use<'a> {
        let contexts = *self;
        (0..self.len()).filter_map(move |code| contexts.get(code as u16))
    }
}
