//! Descriptors of processes. Copies of one (by `dup`, by a fork) are one open file, as in the kernel: what is learned of it by
//! one holder holds for all.

use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;
use std::rc::Rc;
use std::sync::Arc;

use events::descriptor;
use hashbrown::HashMap;

use super::{MOST_DESCRIPTORS, Since};

/// An open file, socket, pipe or whatever else a descriptor stands for.
#[derive(Debug)]
pub struct OpenFile {
    /// What it stands for, as [`events::descriptor`] has it; `None` where nobody saw it.
    pub what: RefCell<Option<Arc<[u8]>>>,
    /// The call that gave it.
    pub by: Option<&'static str>,
    /// The number that it had first, as far as that was seen.
    pub number: i32,
    pub since: Since,
    /// What it was known as first.
    pub first: Option<Arc<[u8]>>,
    /// Flags that it was opened with.
    pub flags: Option<u64>,
    pub listens: Cell<bool>,
}

#[derive(Clone, Debug)]
pub struct Descriptor {
    pub file: Rc<OpenFile>,
    /// Closed by an exec; `None` where nobody saw whether it is.
    pub closes_on_exec: Option<bool>,
    /// It may be closed: an exec has happened that closes it or does not.
    pub is_doubtful: bool,
}

/// The descriptors of one process, or of several that share them.
#[derive(Debug, Default)]
struct Table {
    holders: usize,
    descriptors: BTreeMap<i32, Descriptor>,
}

/// All tables, by number. 0 is none.
#[derive(Debug, Default)]
pub struct Descriptors {
    tables: HashMap<u64, Table>,
    last: u64,
    count: usize,
    /// Not kept, since there were too many.
    pub(crate) left_out: u64,
}

impl OpenFile {
    pub fn new(what: Option<&[u8]>, by: Option<&'static str>, number: i32, since: Since) -> OpenFile {
        let first: Option<Arc<[u8]>> = what.map(Arc::from);
        let what = RefCell::new(first.clone());
        OpenFile { what, by, number, since, first, flags: None, listens: Cell::new(false) }
    }
}

impl Descriptor {
    pub fn new(file: OpenFile, closes_on_exec: Option<bool>) -> Descriptor {
        Descriptor { file: Rc::new(file), closes_on_exec, is_doubtful: false }
    }
}

impl Descriptors {
    /// A table of a process of whose descriptors nothing is known.
    pub(crate) fn empty(&mut self) -> u64 {
        self.last += 1;
        self.tables.insert(self.last, Table { holders: 1, ..Table::default() });
        self.last
    }

    /// What a process had open when the recording began. `is_fresh`: the recorder looked at that moment.
    pub(crate) fn take_snapshot(&mut self, known: &[(i32, Vec<u8>)], is_fresh: bool) -> u64 {
        let table = self.empty();
        for (fd, text) in known {
            let file = OpenFile::new(Some(text), None, *fd, Since::Before);
            self.put(table, *fd, Descriptor { is_doubtful: !is_fresh, ..Descriptor::new(file, None) });
        }
        table
    }

    pub(crate) fn put(&mut self, table: u64, fd: i32, descriptor: Descriptor) {
        let Some(table) = self.tables.get_mut(&table) else { return };
        if self.count >= MOST_DESCRIPTORS && !table.descriptors.contains_key(&fd) {
            self.left_out += 1;
            return;
        }
        if table.descriptors.insert(fd, descriptor).is_none() {
            self.count += 1;
        }
    }

    pub(crate) fn get(&self, table: u64, fd: i32) -> Option<&Descriptor> {
        self.tables.get(&table)?.descriptors.get(&fd)
    }

    pub(crate) fn get_mut(&mut self, table: u64, fd: i32) -> Option<&mut Descriptor> {
        self.tables.get_mut(&table)?.descriptors.get_mut(&fd)
    }

    pub(crate) fn close(&mut self, table: u64, fd: i32) {
        if let Some(table) = self.tables.get_mut(&table)
            && table.descriptors.remove(&fd).is_some()
        {
            self.count -= 1;
        }
    }

    /// Calls `see` with each descriptor of a range.
    pub(crate) fn each_of(&mut self, table: u64, first: u32, last: u32, see: impl FnMut(&mut Descriptor)) {
        let Some(table) = self.tables.get_mut(&table) else { return };
        let bound = |fd: u32| i32::try_from(fd).unwrap_or(i32::MAX);
        if first <= last {
            table.descriptors.range_mut(bound(first)..=bound(last)).map(|(_, it)| it).for_each(see);
        }
    }

    pub(crate) fn close_range(&mut self, table: u64, first: u32, last: u32) {
        self.retain(table, |fd, _| !(first..=last).contains(&(fd as u32)));
    }

    fn retain(&mut self, table: u64, mut keeps: impl FnMut(i32, &mut Descriptor) -> bool) {
        let Some(table) = self.tables.get_mut(&table) else { return };
        let before = table.descriptors.len();
        table.descriptors.retain(|fd, it| keeps(*fd, it));
        self.count -= before - table.descriptors.len();
    }

    /// The table of a child: its parent's, or a copy of it.
    pub(crate) fn fork(&mut self, parent: u64, shares: bool) -> u64 {
        if shares && let Some(table) = self.tables.get_mut(&parent) {
            table.holders += 1;
            return parent;
        }
        let copy = self.tables.get(&parent).map(|it| it.descriptors.clone()).unwrap_or_default();
        let room = MOST_DESCRIPTORS.saturating_sub(self.count);
        let table = self.empty();
        self.left_out += copy.len().saturating_sub(room) as u64;
        for (fd, descriptor) in copy.into_iter().take(room) {
            self.put(table, fd, descriptor);
        }
        table
    }

    /// A table that is its holder's alone from here on.
    pub(crate) fn unshare(&mut self, table: u64) -> u64 {
        if self.tables.get(&table).is_none_or(|it| it.holders <= 1) {
            return table;
        }
        let own = self.fork(table, false);
        self.release(table);
        own
    }

    /// What an exec leaves. Where nobody saw whether it is closed, it is doubtful from here on.
    pub(crate) fn exec(&mut self, table: u64) {
        self.retain(table, |_, it| {
            it.is_doubtful |= it.closes_on_exec.is_none();
            it.closes_on_exec != Some(true)
        });
    }

    /// One of its holders is gone.
    pub(crate) fn release(&mut self, table: u64) {
        let Some(found) = self.tables.get_mut(&table) else { return };
        found.holders -= 1;
        if found.holders == 0 {
            self.count -= found.descriptors.len();
            self.tables.remove(&table);
        }
    }

    pub fn of(&self, table: u64) -> impl Iterator<Item = (i32, &Descriptor)> {
        let table = self.tables.get(&table).into_iter();
        table.flat_map(|table| table.descriptors.iter().map(|(fd, it)| (*fd, it)))
    }

    /// A call used a descriptor, and the kernel said what it stands for.
    pub(crate) fn use_of(&mut self, table: u64, fd: i32, what: &[u8], wall_ns: i64) {
        if let Some(known) = self.get_mut(table, fd) {
            known.is_doubtful = false;
            if known.file.what.borrow().as_deref() == Some(what) {
                return;
            }
            let text = known.file.what.borrow().clone();
            if text.is_none_or(|text| may_become(&text, what)) {
                *known.file.what.borrow_mut() = Some(what.into());
                return;
            }
        }
        // It was opened, or given another file, unseen.
        let file = OpenFile::new(Some(what), None, fd, Since::Seen(wall_ns));
        self.put(table, fd, Descriptor::new(file, None));
    }
}

/// Whether one open file can be told by the one text and later by the other: sockets get addresses, files lose their names.
/// A file that was renamed cannot be told from another one, and is known from then on.
fn may_become(text: &[u8], later: &[u8]) -> bool {
    let word = |text: &[u8]| text.split(|byte| *byte == b' ').next().map(<[u8]>::to_vec);
    if descriptor::is_socket(later) {
        return text.starts_with(b"socket:[") || word(text) == word(later);
    }
    later.strip_suffix(b" (deleted)") == Some(text) || text.strip_suffix(b" (deleted)") == Some(later)
}
