//! Descriptors that are opened and closed within one block, with nothing else told meanwhile that could have copied or
//! inherited them: behind the last close it is as if they had never been. Programs that walk a tree of files do little else.
//! Only who looks at the state within the block would see them.
//!
//! ```text
//! open   -> 5 /a       left out, once 6 is closed, too: what is learned of the one is learned of the other
//! fstat     5 /a       left out
//! dup     5 -> 6       left out
//! close  5             told, unless 5 is closed again
//! read      6 /a       left out
//! close  6             told
//! ```

use hashbrown::HashMap;

/// Descriptors that are followed; of more all that came so far is told.
const MOST: usize = 256;

/// A descriptor: process and number.
pub(super) type Key = (u32, u64);

/// Rows that may be left out, by their number among those that were listed.
#[derive(Debug, Default)]
pub(super) struct Transients {
    rows: Vec<State>,
    groups: Vec<Group>,
    /// The group of each descriptor that was opened and is not closed.
    open: HashMap<Key, usize>,
    /// The last row that closed it.
    closed: HashMap<Key, usize>,
    /// By thread: the row that told of a call that has not returned yet.
    calls: HashMap<u32, usize>,
}

#[derive(Clone, Copy, Debug, Default)]
struct State {
    /// Groups that it says something about.
    holders: u8,
    is_kept: bool,
    is_left_out: bool,
    /// The row that told of this call.
    told: Option<usize>,
}

/// Descriptors that are one open file, which was opened since something else was told: who else may have it is known.
#[derive(Debug, Default)]
struct Group {
    rows: Vec<usize>,
    open: usize,
    is_kept: bool,
}

/// A row that is listed.
#[derive(Clone, Copy, Debug)]
pub(super) struct Row {
    pub thread: u32,
    /// It is told whatever comes.
    pub is_kept: bool,
}

impl Transients {
    /// Something else is told, which may copy descriptors or look at them.
    pub fn other(&mut self) {
        self.rows.push(State { is_kept: true, ..State::default() });
        self.forget();
    }

    /// A row that has nothing to do with descriptors.
    pub fn elsewhere(&mut self) {
        self.rows.push(State { is_kept: true, ..State::default() });
    }

    /// Something is told of a call that has not returned yet.
    pub fn tells_of_call(&mut self, row: Row) {
        let at = self.rows.len();
        self.rows.push(State { is_kept: row.is_kept, ..State::default() });
        // Of one call the last word counts.
        if let Some(before) = self.calls.insert(row.thread, at) {
            self.leave_out(before);
            // What is told has to be taken back.
            if self.rows.get(before).is_some_and(|row| row.is_kept) {
                self.keep(at);
            }
        }
    }

    /// A call said what descriptors stand for.
    pub fn uses(&mut self, row: Row, used: impl Iterator<Item = Key> + Clone) {
        let at = self.push(row, false);
        self.hold(at, used);
        if self.rows.get(at).is_some_and(|row| row.holders == 0) {
            self.leave_out(at);
        }
    }

    /// A call opened a descriptor, or failed to, and said what others stand for.
    pub fn opens(&mut self, row: Row, used: impl Iterator<Item = Key> + Clone, new: Option<Key>) {
        let at = self.push(row, true);
        self.hold(at, used);
        if let Some(new) = new {
            // Before the number's last file is gone: this row may have used it.
            self.held(at);
            self.replace(new);
            let group = self.groups.len();
            self.groups.push(Group { rows: vec![at], open: 1, is_kept: false });
            self.open.insert(new, group);
            self.bound();
        } else if self.rows.get(at).is_some_and(|row| row.holders == 0) {
            self.leave_out(at);
        }
    }

    /// A call made a copy of a descriptor.
    pub fn duplicates(&mut self, row: Row, used: impl Iterator<Item = Key> + Clone, old: Key, new: Key) {
        let at = self.push(row, false);
        self.hold(at, used.chain([old]));
        if old == new {
            return;
        }
        // Another process may share its descriptors with this one.
        let others = self.open.iter().filter(|(key, _)| key.1 == old.1 && key.0 != old.0);
        let others: Vec<usize> = others.map(|(_, group)| *group).collect();
        others.into_iter().for_each(|group| self.keep_group(group));
        self.replace(new);
        if let Some(group) = self.open.get(&old).copied() {
            self.open.insert(new, group);
            self.groups.get_mut(group).into_iter().for_each(|group| group.open += 1);
        }
        self.bound();
    }

    /// A call closed a descriptor.
    pub fn closes(&mut self, row: Row, key: Key) {
        let at = self.push(row, false);
        self.replace(key);
        if let Some(before) = self.closed.insert(key, at) {
            self.leave_out(before);
        }
        self.bound();
    }

    /// Whether a listed row need not be told.
    pub fn has(&self, at: usize) -> bool {
        self.rows.get(at).is_some_and(|row| row.is_left_out)
    }

    /// A row of a call that returned. `takes_told`: it takes what was told of the call, which is told with it or not at all.
    fn push(&mut self, row: Row, takes_told: bool) -> usize {
        let at = self.rows.len();
        let mut state = State { is_kept: row.is_kept, ..State::default() };
        if let Some(told) = self.calls.remove(&row.thread) {
            if takes_told && !row.is_kept && !self.rows.get(told).is_some_and(|told| told.is_kept) {
                state.told = Some(told);
            } else {
                // It stays, and so does what makes it void.
                self.keep(told);
                state.is_kept = true;
            }
        }
        self.rows.push(state);
        at
    }

    /// What was open before may also be open elsewhere: what is learned of it is told.
    fn hold(&mut self, at: usize, used: impl Iterator<Item = Key> + Clone) {
        for key in used.clone() {
            let group = self.open.get(&key).and_then(|group| self.groups.get_mut(*group));
            match group.filter(|group| !group.is_kept) {
                Some(group) => {
                    group.rows.push(at);
                    self.held(at);
                }
                None => self.keep(at),
            }
        }
        if !self.rows.get(at).is_some_and(|row| row.is_kept) {
            return;
        }
        // Whatever it is told of has to be there.
        for key in used {
            self.closed.remove(&key);
            if let Some(group) = self.open.get(&key).copied() {
                self.keep_group(group);
            }
        }
    }

    fn keep_group(&mut self, at: usize) {
        let Some(group) = self.groups.get_mut(at) else { return };
        group.is_kept = true;
        std::mem::take(&mut group.rows).into_iter().for_each(|row| self.keep(row));
    }

    fn held(&mut self, at: usize) {
        self.rows.get_mut(at).into_iter().for_each(|row| row.holders += 1);
    }

    /// A number does not stand any more for what it stood for.
    fn replace(&mut self, key: Key) {
        let Some(group) = self.open.remove(&key).and_then(|group| self.groups.get_mut(group)) else { return };
        group.open -= 1;
        if group.open > 0 {
            return;
        }
        for row in std::mem::take(&mut group.rows) {
            let Some(state) = self.rows.get_mut(row) else { continue };
            state.holders -= 1;
            if state.holders == 0 {
                self.leave_out(row);
            }
        }
    }

    fn leave_out(&mut self, at: usize) {
        let Some(state) = self.rows.get_mut(at).filter(|row| !row.is_kept) else { return };
        state.is_left_out = true;
        if let Some(told) = state.told {
            self.leave_out(told);
        }
    }

    fn keep(&mut self, at: usize) {
        self.rows.get_mut(at).into_iter().for_each(|row| row.is_kept = true);
    }

    fn bound(&mut self) {
        if self.open.len() > MOST || self.closed.len() > MOST || self.calls.len() > MOST {
            self.forget();
        }
    }

    fn forget(&mut self) {
        self.groups.clear();
        self.open.clear();
        self.closed.clear();
        self.calls.clear();
    }
}
