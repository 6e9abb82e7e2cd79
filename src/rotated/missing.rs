//! Parts of rotated sets that should be there and are not: the first ones, some between, or the last.

use std::collections::{BTreeMap, BTreeSet};

use format::{Header, Heads, SetEnding, SetId, Verdict, recorded};

use super::{is_part, set};

/// What is known of one set among the files that were given.
#[derive(Default)]
struct Known {
    /// A file of it, for the message.
    name: String,
    /// Which file each part is.
    parts: BTreeMap<u32, usize>,
    /// `None` where names have no numbers.
    place: Option<Place>,
    /// Parts before this one were removed by a later recording that keeps to a limit, as its headers say.
    removed_before: u32,
}

/// What a file says of its place among others.
#[derive(Clone, Copy, Debug)]
pub struct Said<'a> {
    pub name: &'a str,
    pub boot_id: &'a str,
    /// When its recording began, boot clock ns.
    pub start_ns: u64,
    pub part: u32,
    /// It is as a recorder wrote it.
    pub is_recorded: bool,
}

impl<'a> Said<'a> {
    pub fn of(name: &'a str, header: &'a Header) -> Said<'a> {
        Said {
            name,
            boot_id: &header.host.boot_id,
            start_ns: header.recording.start_ns,
            part: header.recording.part,
            is_recorded: is_part(header),
        }
    }
}

impl Known {
    fn insert(&mut self, said: &Said<'_>, file: usize, removed: &BTreeMap<String, u32>) {
        let Said { name, part, .. } = *said;
        let set = SetId::of_recording(said.boot_id, said.start_ns);
        let before = removed.get(&recorded::removed_parts(set)).copied();
        self.removed_before = self.removed_before.max(before.unwrap_or_default());
        if self.name.is_empty() {
            self.name = set_name(name).map_or_else(|| name.to_owned(), |(set, _)| set);
        }
        if let Some((_, number)) = set_name(name) {
            let begins = number.saturating_sub(part);
            let place = self.place.get_or_insert(Place { last: number, begins });
            *place = Place { last: place.last.max(number), begins: place.begins.min(begins) };
        }
        self.parts.insert(part, file);
    }

    /// A sentence for each stretch of parts that is missing. `ending` is what a file says of its place in the set.
    fn sentences(&self, ending: &dyn Fn(usize) -> Option<SetEnding>) -> Vec<String> {
        let mut sentences = Vec::new();
        let name = &self.name;
        let (Some((first, _)), Some((last, _))) = (self.parts.first_key_value(), self.parts.last_key_value())
        else {
            return sentences;
        };
        // The newest may have no end, and then says nothing; the one before it has one.
        let mut newest = self.parts.iter().rev().take(2);
        let newest = newest.find_map(|(part, file)| Some((*part, ending(*file)?)));
        // Before version 5 nobody says which parts were removed on purpose.
        let oldest = newest.map_or(*first, |(_, ending)| ending.oldest_part).max(self.removed_before);
        if let Some(before) = first.checked_sub(1).filter(|before| *before >= oldest) {
            let missing = stretch(oldest, before);
            sentences.push(format!("{name}: the first of the set, part {missing}, is missing"));
        }
        for (one, next) in self.parts.keys().zip(self.parts.keys().skip(1)) {
            if next - one > 1 {
                let missing = stretch(one + 1, next - 1);
                sentences.push(format!("{name}: part {missing} of the set is missing between the others"));
            }
        }
        if let Some((newest, ending)) = newest
            && newest == *last
            && !ending.is_last_part
        {
            let next = last.saturating_add(1);
            sentences.push(format!(
                "{name}: part {next} of the set is missing, and whatever came after it; or the recorder was killed as it began"
            ));
        }
        sentences
    }
}

fn stretch(first: u32, last: u32) -> String {
    if first == last { first.to_string() } else { format!("{first} to {last}") }
}

/// The parts of a set before this one were removed on purpose, as later recordings say ([`format::Recording::more`]).
fn removed_before<'a>(more: impl Iterator<Item = (&'a String, &'a String)>) -> BTreeMap<String, u32> {
    let mut removed = BTreeMap::new();
    for (name, part) in more {
        if let (true, Ok(part)) = (name.starts_with(recorded::REMOVED_PARTS), part.parse::<u32>()) {
            let before: &mut u32 = removed.entry(name.clone()).or_default();
            *before = (*before).max(part.saturating_add(1));
        }
    }
    removed
}

/// A sentence for each stretch of parts that is missing from the sets that verified files are of, by what their seals say
/// and by the heads that a witness holds.
pub fn missing(files: &[(String, Verdict)], heads: Option<&Heads>) -> Vec<String> {
    let mut sets: BTreeMap<(&str, u64), Known> = BTreeMap::new();
    let whole = files.iter().filter(|(_, verdict)| verdict.fault.is_none());
    let headers = whole.filter_map(|(_, verdict)| verdict.header.as_deref());
    let removed = removed_before(headers.flat_map(|header| &header.recording.more));
    for (at, (name, verdict)) in files.iter().enumerate() {
        let Some(header) = verdict.header.as_deref().filter(|header| is_part(header)) else { continue };
        sets.entry(set(header)).or_default().insert(&Said::of(name, header), at, &removed);
    }
    let ending = |at: usize| {
        let (_, verdict) = files.get(at).filter(|(_, verdict)| verdict.fault.is_none())?;
        let (is_last_part, oldest_part) = verdict.is_last_part.zip(verdict.oldest_part)?;
        Some(SetEnding { is_last_part, oldest_part })
    };
    let mut sentences: Vec<String> = sets.values().flat_map(|set| set.sentences(&ending)).collect();
    let Some(heads) = heads else { return sentences };
    let given: BTreeSet<[u8; 6]> = files.iter().map(|(_, verdict)| verdict.file).collect();
    let sets: BTreeSet<SetId> =
        given.iter().filter_map(|file| heads.last(*file)).map(|head| head.set).collect();
    for set in &sets {
        for (part, of) in heads.parts(*set).filter(|(_, of)| !of.iter().any(|file| given.contains(file))) {
            let file: Vec<String> =
                of.iter().map(|file| file.map(|byte| format!("{byte:02x}")).concat()).collect();
            sentences.push(format!(
                "the witness holds heads of part {part} of the set {set}, and its file ({}) is not here",
                file.join(", ")
            ));
        }
    }
    sentences
}

/// What is wrong with sets among files that are read as one: parts that are missing, and parts of another recording under
/// the same name, as an older and longer set leaves them. By what the files say, which nobody verified. `more`: what all of
/// their recordings say of themselves; `ending` is that of the file of this number.
pub fn warnings<'a>(
    files: impl Iterator<Item = Said<'a>>,
    more: impl Iterator<Item = (&'a String, &'a String)>,
    ending: &dyn Fn(usize) -> Option<SetEnding>,
) -> Vec<String> {
    let mut sets: BTreeMap<(String, (&str, u64)), Known> = BTreeMap::new();
    let removed = removed_before(more);
    for (at, said) in files.enumerate().filter(|(_, said)| said.is_recorded) {
        if let Some((of, _)) = set_name(said.name) {
            sets.entry((of, (said.boot_id, said.start_ns))).or_default().insert(&said, at, &removed);
        }
    }
    let mut warnings = Vec::new();
    let mut places: BTreeMap<&str, Vec<Place>> = BTreeMap::new();
    for ((name, _), known) in &sets {
        warnings.extend(known.sentences(ending));
        places.entry(name).or_default().extend(known.place);
    }
    for (name, mut places) in places {
        places.sort_unstable();
        // One that went on behind the others has a first part behind their last; what an older set has left has not.
        if !places.is_sorted_by(|before, place| place.begins > before.last) {
            warnings.push(format!("{name}: parts of more than one recording have this name"));
        }
    }
    warnings
}

/// Where the files of one recording stand among those of a name, by the numbers in their names.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct Place {
    last: u32,
    /// The number that its first part has, or had.
    begins: u32,
}

/// `c.*.trz` and 3 of `c.0003.trz`; `None` of a name without a number.
fn set_name(name: &str) -> Option<(String, u32)> {
    let number = |word: &str| {
        let is_number = word.len() >= 4 && word.bytes().all(|byte| byte.is_ascii_digit());
        if is_number { word.parse::<u32>().ok() } else { None }
    };
    let (before, last) = name.rsplit_once('.')?;
    if let Some(number) = number(last) {
        return Some((format!("{before}.*"), number));
    }
    let (stem, word) = before.rsplit_once('.')?;
    number(word).map(|number| (format!("{stem}.*.{last}"), number))
}

#[cfg(test)]
mod tests {
    use super::*;

    const MORE: Option<SetEnding> = Some(SetEnding { is_last_part: false, oldest_part: 0 });
    const LAST: Option<SetEnding> = Some(SetEnding { is_last_part: true, oldest_part: 0 });
    const KEPT: Option<SetEnding> = Some(SetEnding { is_last_part: true, oldest_part: 3 });

    fn warned(files: &[(&str, u64, u32, Option<SetEnding>)]) -> Vec<String> {
        let header = |start_ns, part| {
            let mut header = Header::default();
            (header.recording.start_ns, header.recording.part) = (start_ns, part);
            header
        };
        let files: Vec<_> =
            files.iter().map(|(name, start, part, end)| (*name, header(*start, *part), *end)).collect();
        let said = files.iter().map(|(name, header, _)| Said::of(name, header));
        warnings(said, std::iter::empty(), &|at| files[at].2)
    }

    #[test]
    fn parts_that_are_missing_or_of_another_recording_are_told() {
        assert_eq!(
            warned(&[("c.0000.trz", 5, 0, MORE), ("c.0001.trz", 5, 1, LAST), ("d.trz", 9, 0, LAST)]),
            [""; 0]
        );
        assert_eq!(
            warned(&[("c.0003.trz", 5, 3, LAST), ("c.0000.trz", 5, 0, MORE), ("c.0001.trz", 5, 1, MORE)]),
            ["c.*.trz: part 2 of the set is missing between the others"]
        );
        assert_eq!(
            warned(&[("a/c.0000", 5, 0, LAST), ("a/c.0001", 4, 1, KEPT), ("b/c.0000", 3, 0, LAST)]),
            ["a/c.*: parts of more than one recording have this name"]
        );
    }

    #[test]
    fn a_recording_that_went_on_behind_another_is_no_leftover() {
        assert_eq!(
            warned(&[("c.0001.trz", 5, 1, KEPT), ("c.0002.trz", 9, 0, MORE), ("c.0003.trz", 9, 1, LAST)]),
            [""; 0]
        );
        // The older one was longer, and its last parts are still there.
        let leftover = warned(&[("c.0000.trz", 9, 0, LAST), ("c.0001.trz", 5, 1, KEPT)]);
        assert_eq!(leftover, ["c.*.trz: parts of more than one recording have this name"]);
    }

    #[test]
    fn missing_ends_are_told_unless_the_recorder_removed_them_itself() {
        assert_eq!(
            warned(&[("c.0002.trz", 5, 2, MORE), ("c.0003.trz", 5, 3, LAST)]),
            ["c.*.trz: the first of the set, part 0 to 1, is missing"]
        );
        assert_eq!(warned(&[("c.0003.trz", 5, 3, MORE), ("c.0004.trz", 5, 4, KEPT)]), [""; 0]);
        assert_eq!(
            warned(&[("c.0004.trz", 5, 4, KEPT)]),
            ["c.*.trz: the first of the set, part 3, is missing"]
        );
        let last = warned(&[("c.0000.trz", 5, 0, MORE), ("c.0001.trz", 5, 1, MORE)]);
        assert!(last.len() == 1 && last[0].starts_with("c.*.trz: part 2 of the set is missing"), "{last:?}");
        // A part that ends early is there; and what older versions do not say is not missing.
        assert_eq!(warned(&[("c.0000.trz", 5, 0, MORE), ("c.0001.trz", 5, 1, None)]), [""; 0]);
        assert_eq!(warned(&[("c.0002.trz", 5, 2, None), ("c.0003.trz", 5, 3, None)]), [""; 0]);
    }
}
