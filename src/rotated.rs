//! Rotated sets: whether files that say they are parts of one recording follow each other, and which are missing.
//!
//! Each part's header names the head of the chain of the part before it, and is itself in its own part's chain. So a part
//! that was taken out, put in or exchanged for another breaks the set, although each file by itself is whole. Each seal
//! says as well which is the oldest part that was kept, and whether another follows: so the ends that are missing show too.

mod missing;

use std::collections::BTreeMap;

use format::{Header, Verdict};
pub use missing::{Said, missing, warnings};

use crate::provenance;

/// What verifying a file came to, as far as its set goes.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Standing {
    /// It is no part of a set, or its file is not whole, so that what it says counts for nothing.
    Alone,
    /// The first part of its recording.
    First,
    /// The oldest part among the files, and not the first that there was.
    Oldest { part: u32 },
    /// It follows this file.
    Follows { part: u32, before: usize },
    /// In words, with what is wrong.
    Broken(String),
}

/// The recording that a part is of.
type Set<'a> = (&'a str, u64);

fn set(header: &Header) -> Set<'_> {
    (&header.host.boot_id, header.recording.start_ns)
}

/// Says of each file where it stands in its set.
pub fn standings(files: &[(String, Verdict)]) -> Vec<Standing> {
    let mut parts: BTreeMap<(Set<'_>, u32), usize> = BTreeMap::new();
    let mut standings = vec![Standing::Alone; files.len()];
    for (at, (_, verdict)) in files.iter().enumerate() {
        let Some(header) = whole(verdict).filter(|header| is_part(header)) else { continue };
        let part = header.recording.part;
        if let Some(other) = parts.get(&(set(header), part)).and_then(|other| files.get(*other)) {
            put(
                &mut standings,
                at,
                Standing::Broken(format!("{} is part {part} of the same recording too", other.0)),
            );
        } else {
            parts.insert((set(header), part), at);
        }
    }
    for ((of, part), at) in &parts {
        let Some((_, verdict)) = files.get(*at) else { continue };
        let previous = whole(verdict).and_then(|header| header.recording.previous_head);
        let before = part.checked_sub(1).and_then(|before| parts.get(&(*of, before)));
        let is_oldest = !parts.range((*of, 0)..(*of, *part)).any(|_| true);
        let standing = match (previous, before.and_then(|before| Some((*before, files.get(*before)?)))) {
            (None, _) if *part == 0 => Standing::First,
            (None, _) => {
                Standing::Broken(format!("part {part} does not say which part it was written after"))
            }
            (Some(head), Some((_, (name, before)))) if before.head != head => {
                Standing::Broken(format!("part {part} was not written after {name}: that file was exchanged"))
            }
            (Some(_), Some((_, (name, before)))) if !follows(before, verdict) => Standing::Broken(format!(
                "part {part} was not signed right after {name}: it was made anew with a key of later"
            )),
            (Some(_), Some((before, _))) => Standing::Follows { part: *part, before },
            (Some(_), None) if is_oldest => Standing::Oldest { part: *part },
            (Some(_), None) => Standing::Broken(format!("part {} is missing before part {part}", part - 1)),
        };
        put(&mut standings, *at, standing);
    }
    standings
}

/// Whether a part has the file's key that comes right after that of the part before, where keys evolve.
fn follows(before: &Verdict, part: &Verdict) -> bool {
    match (before.key_file, part.key_file) {
        (Some(before), Some(part)) => before.checked_add(1) == Some(part),
        (before, part) => before == part,
    }
}

fn put(standings: &mut [Standing], at: usize, standing: Standing) {
    if let Some(place) = standings.get_mut(at) {
        *place = standing;
    }
}

fn whole(verdict: &Verdict) -> Option<&Header> {
    verdict.header.as_deref().filter(|_| verdict.fault.is_none())
}

/// The first part is known only by others that follow it: every recording is the first part of something.
fn is_part(header: &Header) -> bool {
    provenance::is_recorded(header)
}
