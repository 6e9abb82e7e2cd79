//! Columns beside those of contexts: what tasks act with, and where their processes stand. One value a context each; a column
//! that is not there is not known of any.
//!
//! ```text
//! numbers      column of integers: the number and 1, wrapping; 0 where it is not known
//! directories  byte strings, then a column of integers: the index of the context's and 1, 0 where it is not known
//! ```

use events::context::{Credentials, Standing};

use crate::archive::key;
use crate::args::Dictionary;
use crate::builder::{ContextRow, ContextTable};
use crate::bytestrings;
use crate::integers::{self, Torn, Work};

/// How many numbers there are of a context: as [`Acting::numbers`] has them.
pub(crate) const NUMBERS: usize = 16;

/// The keys of their columns.
pub(crate) const KEYS: [u32; NUMBERS] = [
    key::EUID,
    key::EGID,
    key::SUID,
    key::SGID,
    key::FSUID,
    key::FSGID,
    key::EFFECTIVE,
    key::PERMITTED,
    key::INHERITABLE,
    key::BOUNDING,
    key::AMBIENT,
    key::SESSION,
    key::GROUP,
    key::TERMINAL,
    key::LOGIN_UID,
    key::AUDIT_SESSION,
];

/// How many of them are of credentials, and their names in tables.
const CREDENTIALS: usize = 11;
pub(crate) const CREDENTIAL_NAMES: [&str; CREDENTIALS] = [
    "euid",
    "egid",
    "suid",
    "sgid",
    "fsuid",
    "fsgid",
    "effective",
    "permitted",
    "inheritable",
    "bounding",
    "ambient",
];

/// Credentials as they are stored: each number and 1, and 0 for all where they are not known.
pub(crate) fn store(credentials: Option<&Credentials>) -> [u64; CREDENTIALS] {
    let Some(it) = credentials else { return [0; CREDENTIALS] };
    let ids = [it.euid, it.egid, it.suid, it.sgid, it.fsuid, it.fsgid].map(|id| u64::from(id) + 1);
    let [euid, egid, suid, sgid, fsuid, fsgid] = ids;
    // No kernel has a capability 63, so that a set and 1 is never 0.
    let sets = [it.effective, it.permitted, it.inheritable, it.bounding, it.ambient];
    let [effective, permitted, inheritable, bounding, ambient] = sets.map(|set| set.wrapping_add(1));
    [euid, egid, suid, sgid, fsuid, fsgid, effective, permitted, inheritable, bounding, ambient]
}

/// They are known as a whole, by the effective user's id; what else is missing is 0.
pub(crate) fn load(stored: [u64; CREDENTIALS]) -> Option<Credentials> {
    let is_known = stored.first().is_some_and(|euid| *euid != 0);
    let [euid, egid, suid, sgid, fsuid, fsgid, effective, permitted, inheritable, bounding, ambient] =
        stored.map(|stored| stored.saturating_sub(1));
    let [euid, egid, suid, sgid, fsuid, fsgid] = [euid, egid, suid, sgid, fsuid, fsgid].map(|id| id as u32);
    is_known.then_some(Credentials {
        euid,
        egid,
        suid,
        sgid,
        fsuid,
        fsgid,
        effective,
        permitted,
        inheritable,
        bounding,
        ambient,
    })
}

/// What is stored of one context: its numbers, and the index of its directory and 1; 0 for what is not known.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Default)]
pub(crate) struct Acting {
    numbers: [u64; NUMBERS],
    directory: u32,
}

impl Acting {
    /// `directory`: gives a directory its index.
    pub(crate) fn new(
        credentials: Option<Credentials>,
        standing: &Standing<'_>,
        directory: impl FnOnce(&[u8]) -> u32,
    ) -> Acting {
        let Standing { cwd, session, group, terminal, login_uid, audit_session } = *standing;
        let standing = [session, group, terminal, login_uid, audit_session];
        let mut numbers = [0; NUMBERS];
        let stored = store(credentials.as_ref()).into_iter();
        let stored = stored.chain(standing.map(|number| number.map_or(0, |number| u64::from(number) + 1)));
        numbers.iter_mut().zip(stored).for_each(|(place, number)| *place = number);
        Acting { numbers, directory: cwd.map_or(0, |cwd| directory(cwd) + 1) }
    }

    pub(crate) fn credentials(&self) -> Option<Credentials> {
        load(*self.numbers.first_chunk()?)
    }

    pub(crate) fn standing<'a>(&self, directories: &'a Dictionary) -> Standing<'a> {
        let [.., session, group, terminal, login_uid, audit_session] = self.numbers;
        let known = |stored: u64| u32::try_from(stored.checked_sub(1)?).ok();
        Standing {
            cwd: self.directory.checked_sub(1).and_then(|at| directories.get(at)),
            session: known(session),
            group: known(group),
            terminal: known(terminal),
            login_uid: known(login_uid),
            audit_session: known(audit_session),
        }
    }
}

/// Appends the column of a key; nothing where it is known of no context.
pub(crate) fn encode(contexts: &ContextTable, at: usize, out: &mut Vec<u8>, work: &mut Work) -> bool {
    let number = |row: &ContextRow| row.acting.numbers.get(at).copied().unwrap_or_default();
    if contexts.rows.iter().all(|row| number(row) == 0) {
        return false;
    }
    let numbers: Vec<u64> = contexts.rows.iter().map(number).collect();
    integers::encode(&numbers, out, work);
    true
}

/// Appends the column of working directories, if any is known.
pub(crate) fn encode_directories(contexts: &ContextTable, out: &mut Vec<u8>, work: &mut Work) -> bool {
    if contexts.directories.is_empty() {
        return false;
    }
    let texts: Vec<&[u8]> = contexts.directories.texts().collect();
    bytestrings::encode(&texts, out, work);
    let indices: Vec<u64> = contexts.rows.iter().map(|row| row.acting.directory.into()).collect();
    integers::encode(&indices, out, work);
    true
}

/// Reads the column of a key into the contexts that are there.
pub(crate) fn decode(bytes: &[u8], at: usize, rows: &mut [ContextRow]) -> Result<(), Torn> {
    let mut numbers: Vec<u64> = Vec::new();
    let rest = integers::decode(bytes, rows.len(), &mut numbers)?;
    for (row, number) in rows.iter_mut().zip(numbers) {
        if let Some(place) = row.acting.numbers.get_mut(at) {
            *place = number;
        }
    }
    rest.is_empty().then_some(()).ok_or(Torn)
}

/// Reads the column of working directories.
pub(crate) fn decode_directories(
    bytes: &[u8],
    memory: usize,
    rows: &mut [ContextRow],
    directories: &mut Dictionary,
) -> Result<(), Torn> {
    let rest = bytestrings::decode(bytes, rows.len(), memory, directories)?;
    let mut indices: Vec<u32> = Vec::new();
    let rest = integers::decode(rest, rows.len(), &mut indices)?;
    for (row, index) in rows.iter_mut().zip(indices) {
        if index as usize > directories.len() {
            return Err(Torn);
        }
        row.acting.directory = index;
    }
    rest.is_empty().then_some(()).ok_or(Torn)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_known_comes_back_and_what_is_not_stays_so() {
        let credentials = Credentials {
            euid: 0,
            egid: u32::MAX,
            suid: 1000,
            effective: 0x1ff_ffff_ffff,
            bounding: u64::MAX - 1,
            ..Credentials::default()
        };
        let standing = Standing {
            cwd: Some(b"/srv"),
            session: Some(0),
            terminal: Some(34816),
            login_uid: Some(u32::MAX),
            ..Standing::default()
        };
        let directories = Dictionary { bytes: b"/srv".to_vec(), ends: vec![4] };
        let stored = Acting::new(Some(credentials), &standing, |_| 0);
        assert_eq!((stored.credentials(), stored.standing(&directories)), (Some(credentials), standing));
        let unknown = Acting::new(None, &Standing::default(), |_| 0);
        assert_eq!(unknown, Acting::default());
        assert_eq!((unknown.credentials(), unknown.standing(&directories)), (None, Standing::default()));
    }
}
