//! Rotated sets: whether files that say they are parts of one recording follow each other.
//!
//! Each part's header names the head of the chain of the part before it, and is itself in its own part's chain. So a part
//! that was taken out, put in or exchanged for another breaks the set, although each file by itself is whole.

use std::collections::BTreeMap;

use format::{Header, Verdict};

use crate::provenance;

/// Whether parts are missing at the end of the set that this file is of: it is whole, says that another part follows, and
/// that one is not among the files. Before format version 5 files do not say it.
pub fn lacks_successor(files: &[(String, Verdict)], at: usize) -> bool {
    let Some((_, verdict)) = files.get(at) else { return false };
    let Some(header) = whole(verdict).filter(|header| is_part(header)) else { return false };
    let follows =
        |other: &Header| set(other) == set(header) && other.recording.part == header.recording.part + 1;
    verdict.is_last_part == Some(false)
        && !files.iter().filter_map(|(_, verdict)| whole(verdict)).any(follows)
}

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
        let previous =
            files.get(*at).and_then(|(_, verdict)| whole(verdict)).and_then(|h| h.recording.previous_head);
        let before = part.checked_sub(1).and_then(|before| parts.get(&(*of, before)));
        let is_oldest = !parts.range((*of, 0)..(*of, *part)).any(|_| true);
        let standing = match (previous, before.and_then(|before| Some((*before, files.get(*before)?)))) {
            (None, _) if *part == 0 => Standing::First,
            (None, _) => {
                Standing::Broken(format!("part {part} does not say which part it was written after"))
            }
            (Some(head), Some((before, (_, verdict)))) if verdict.head == head => {
                Standing::Follows { part: *part, before }
            }
            (Some(_), Some((_, (name, _)))) => {
                Standing::Broken(format!("part {part} was not written after {name}: that file was exchanged"))
            }
            (Some(_), None) if is_oldest => Standing::Oldest { part: *part },
            (Some(_), None) => Standing::Broken(format!("part {} is missing before part {part}", part - 1)),
        };
        put(&mut standings, *at, standing);
    }
    standings
}

/// What is wrong with sets among files that are read as one: a part that is missing between others, and parts of another
/// recording under the same name, as an older and longer set leaves them. By what the files say, which nobody verified.
pub fn warnings<'a>(files: impl Iterator<Item = (&'a str, &'a Header)>) -> Vec<String> {
    let mut sets: BTreeMap<(String, Set<'_>), Vec<u32>> = BTreeMap::new();
    for (name, header) in files.filter(|(_, header)| is_part(header)) {
        if let Some(of) = set_name(name) {
            sets.entry((of, set(header))).or_default().push(header.recording.part);
        }
    }
    let mut warnings = Vec::new();
    let mut before: Option<&str> = None;
    for ((name, _), parts) in &mut sets {
        parts.sort_unstable();
        for pair in parts.windows(2) {
            if let [one, next] = pair
                && next - one > 1
            {
                let (first, last) = (one + 1, next - 1);
                let missing = if first == last { first.to_string() } else { format!("{first} to {last}") };
                warnings.push(format!("{name}: part {missing} of the set is missing between the others"));
            }
        }
        if before == Some(name) {
            warnings.push(format!("{name}: parts of more than one recording have this name"));
        }
        before = Some(name);
    }
    warnings
}

/// `c.*.trz` of `c.0003.trz`; `None` of a name without a number.
fn set_name(name: &str) -> Option<String> {
    let is_number = |word: &str| word.len() >= 4 && word.bytes().all(|byte| byte.is_ascii_digit());
    let (before, last) = name.rsplit_once('.')?;
    if is_number(last) {
        return Some(format!("{before}.*"));
    }
    let (stem, number) = before.rsplit_once('.')?;
    is_number(number).then(|| format!("{stem}.*.{last}"))
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_that_are_missing_or_of_another_recording_are_told() {
        let header = |start_ns, part| {
            let mut header = Header::default();
            (header.recording.start_ns, header.recording.part) = (start_ns, part);
            header
        };
        let warned = |files: &[(&str, u64, u32)]| {
            let files: Vec<_> =
                files.iter().map(|(name, start, part)| (*name, header(*start, *part))).collect();
            warnings(files.iter().map(|(name, header)| (*name, header)))
        };
        assert_eq!(warned(&[("c.0000.trz", 5, 0), ("c.0001.trz", 5, 1), ("d.trz", 9, 0)]), [""; 0]);
        assert_eq!(
            warned(&[("c.0003.trz", 5, 3), ("c.0000.trz", 5, 0), ("c.0001.trz", 5, 1)]),
            ["c.*.trz: part 2 of the set is missing between the others"]
        );
        assert_eq!(
            warned(&[("a/c.0000", 5, 0), ("a/c.0001", 4, 1), ("b/c.0000", 3, 0)]),
            ["a/c.*: parts of more than one recording have this name"]
        );
    }
}
