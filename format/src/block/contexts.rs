//! The distinct contexts of a block.

use events::Context;
use events::context::ContextFlags;

use super::Block;
use super::scratch::lock;
use crate::Result;
use crate::archive::key;
use crate::args::Dictionary;
use crate::builder::ContextRow;
use crate::columns::{self, acting};
use crate::integers::Torn;

/// The columns of contexts, decoded.
#[derive(Debug, Default)]
pub(super) struct ContextColumns {
    rows: Vec<ContextRow>,
    strings: Dictionary,
    directories: Dictionary,
}

/// The distinct contexts of a block; [`Block::context_codes`] index it.
#[derive(Clone, Copy, Debug)]
pub struct Contexts<'a> {
    pub(super) columns: &'a ContextColumns,
}

impl Block {
    pub(super) fn decode_contexts(&self) -> Result<ContextColumns> {
        let mut decoded = lock(&self.buffers).contexts.pop().unwrap_or_default();
        let ContextColumns { rows, strings, directories } = &mut decoded;
        let torn = |Torn| self.damaged("its contexts are torn");
        let count = self.context_count();
        self.take(count * size_of::<ContextRow>())?;
        let bytes = self.column_bytes(key::CONTEXTS)?.ok_or(self.damaged("it has no contexts"))?;
        columns::decode_contexts(bytes, count, self.memory_left(), rows, strings).map_err(torn)?;
        self.take(strings.bytes.len())?;
        for (at, key) in acting::KEYS.into_iter().enumerate() {
            if let Some(bytes) = self.column_bytes(key)? {
                acting::decode(bytes, at, rows).map_err(torn)?;
            }
        }
        directories.bytes.clear();
        directories.ends.clear();
        if let Some(bytes) = self.column_bytes(key::DIRECTORIES)? {
            acting::decode_directories(bytes, self.memory_left(), rows, directories).map_err(torn)?;
            self.take(directories.bytes.len())?;
        }
        Ok(decoded)
    }
}

impl<'a> Contexts<'a> {
    pub fn len(&self) -> usize {
        self.columns.rows.len()
    }

    pub fn is_empty(&self) -> bool {
        self.columns.rows.is_empty()
    }

    pub fn get(&self, code: u16) -> Option<Context<'a>> {
        let ContextColumns { rows, strings, directories } = self.columns;
        let row = rows.get(code as usize)?;
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
        let string = |code| strings.get(code).unwrap_or_default();
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
            credentials: row.acting.credentials(),
            standing: row.acting.standing(directories),
        })
    }

    /// By code.
    pub fn iter(&self) -> impl Iterator<Item = Context<'a>> + use<'a> {
        let contexts = *self;
        (0..self.len()).filter_map(move |code| contexts.get(code as u16))
    }
}
