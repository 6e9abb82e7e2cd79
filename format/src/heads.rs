//! Heads of the chain of hashes, as they leave the host: one line for each seal, which a witness elsewhere keeps.
//!
//! ```text
//! tracer-head-1 set=0f3c6a1b77e09d25 part=0 file=a1b2c3d4e5f6 seal=3 bytes=123456 head=9c1e... ends=no
//! ```
//! Whoever rewrites a file on its host later cannot rewrite what the witness holds.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

use crate::Header;

/// Stands for a recording: that of one boot of a host, from when it began.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct SetId(pub [u8; 8]);

/// What a seal comes to.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct SealHead {
    /// The recording that the file is of.
    pub set: SetId,
    /// Number of the file in a rotated set.
    pub part: u32,
    /// The file's own bytes, of its beginning.
    pub file: [u8; 6],
    /// Number of the seal in the file, from 0.
    pub seal: u32,
    /// Where it ends in the file.
    pub bytes: u64,
    /// The chain up to it.
    pub head: [u8; 32],
    pub ends: Ends,
}

/// What a seal is the last of.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Ends {
    Nothing,
    File,
    Set,
}

/// Takes each head as its seal is written.
#[derive(Clone)]
pub struct HeadSink(Arc<dyn Fn(&SealHead) + Send + Sync>);

impl HeadSink {
    pub fn new(take: impl Fn(&SealHead) + Send + Sync + 'static) -> HeadSink {
        HeadSink(Arc::new(take))
    }

    pub(crate) fn take(&self, head: &SealHead) {
        (self.0)(head);
    }
}

impl fmt::Debug for HeadSink {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("HeadSink")
    }
}

const TITLE: &str = "tracer-head-1";
/// Said instead when the recorder itself removes an old file (`--keep`).
const REMOVED: &str = "tracer-removed-1";

impl fmt::Display for SealHead {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let ends = match self.ends {
            Ends::Nothing => "no",
            Ends::File => "file",
            Ends::Set => "set",
        };
        let SealHead { set, part, file, seal, bytes, head, .. } = self;
        let (file, head) = (hex(file), hex(head));
        write!(
            f,
            "{TITLE} set={set} part={part} file={file} seal={seal} bytes={bytes} head={head} ends={ends}"
        )
    }
}

/// The line that says that a part of a set is removed by the recorder.
pub fn removed_line(set: SetId, part: u32) -> String {
    format!("{REMOVED} set={set} part={part}")
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn unhex<const N: usize>(text: &str) -> Option<[u8; N]> {
    let digits = text.as_bytes();
    let byte = |pair: &[u8]| u8::from_str_radix(std::str::from_utf8(pair).ok()?, 16).ok();
    let bytes = digits.chunks(2).map(byte).collect::<Option<Vec<u8>>>()?;
    (digits.len() == 2 * N && digits.iter().all(u8::is_ascii_hexdigit)).then(|| bytes.try_into().ok())?
}

impl fmt::Display for SetId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&hex(&self.0))
    }
}

impl SetId {
    /// Of the recording that a file is of: a hash of the host's boot and of when it began.
    pub fn of(header: &Header) -> SetId {
        SetId::of_recording(&header.host.boot_id, header.recording.start_ns)
    }

    /// Of the recording of a boot that began at this time of its clock.
    pub fn of_recording(boot_id: &str, start_ns: u64) -> SetId {
        let mut hasher = blake3::Hasher::new();
        hasher.update(boot_id.as_bytes());
        hasher.update(&start_ns.to_le_bytes());
        let mut id = [0; 8];
        hasher.finalize_xof().fill(&mut id);
        SetId(id)
    }
}

/// The heads that a witness holds.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Heads {
    files: HashMap<[u8; 6], BTreeMap<u32, SealHead>>,
    sets: BTreeMap<SetId, BTreeMap<u32, BTreeSet<[u8; 6]>>>,
    removed: BTreeSet<(SetId, u32)>,
    /// Lines that are neither; a log may hold others.
    pub other_lines: usize,
    /// Lines that say different heads of one seal: the witness itself was written to twice.
    pub contradictions: usize,
}

impl FromStr for Heads {
    type Err = std::convert::Infallible;

    /// Reads all lines that hold a head, with whatever a log puts before it.
    fn from_str(text: &str) -> Result<Heads, Self::Err> {
        let mut heads = Heads::default();
        for line in text.lines() {
            if let Some(head) = line.find(TITLE).and_then(|at| line.get(at..)).and_then(read) {
                heads.insert(head);
            } else if let Some((set, part)) =
                line.find(REMOVED).and_then(|at| line.get(at..)).and_then(read_removed)
            {
                heads.removed.insert((set, part));
            } else if !line.trim().is_empty() {
                heads.other_lines += 1;
            }
        }
        Ok(heads)
    }
}

fn field<'a>(line: &'a str, name: &str) -> Option<&'a str> {
    line.split_ascii_whitespace().find_map(|word| word.strip_prefix(name)?.strip_prefix('='))
}

fn read(line: &str) -> Option<SealHead> {
    Some(SealHead {
        set: SetId(unhex(field(line, "set")?)?),
        part: field(line, "part")?.parse().ok()?,
        file: unhex(field(line, "file")?)?,
        seal: field(line, "seal")?.parse().ok()?,
        bytes: field(line, "bytes")?.parse().ok()?,
        head: unhex(field(line, "head")?)?,
        ends: match field(line, "ends")? {
            "no" => Ends::Nothing,
            "file" => Ends::File,
            "set" => Ends::Set,
            _ => return None,
        },
    })
}

fn read_removed(line: &str) -> Option<(SetId, u32)> {
    Some((SetId(unhex(field(line, "set")?)?), field(line, "part")?.parse().ok()?))
}

impl Heads {
    fn insert(&mut self, head: SealHead) {
        self.sets.entry(head.set).or_default().entry(head.part).or_default().insert(head.file);
        let of_file = self.files.entry(head.file).or_default();
        // The first counts: a later one is what somebody would rather have said.
        if *of_file.entry(head.seal).or_insert(head) != head {
            self.contradictions += 1;
        }
    }

    /// How many seals of how many files they tell of.
    pub fn counts(&self) -> (usize, usize) {
        (self.files.values().map(BTreeMap::len).sum(), self.files.len())
    }

    pub(crate) fn of(&self, file: [u8; 6], seal: u32) -> Option<&SealHead> {
        self.files.get(&file)?.get(&seal)
    }

    /// The last seal of a file that they tell of.
    pub fn last(&self, file: [u8; 6]) -> Option<&SealHead> {
        self.files.get(&file)?.values().next_back()
    }

    /// The parts of a set that they tell of, and the beginnings of the files that they were, without those that the
    /// recorder removed itself.
    pub fn parts(&self, set: SetId) -> impl Iterator<Item = (u32, &BTreeSet<[u8; 6]>)> {
        let parts = self.sets.get(&set).into_iter().flatten().map(|(part, files)| (*part, files));
        parts.filter(move |(part, _)| !self.removed.contains(&(set, *part)))
    }

    /// The sets that they tell of.
    pub fn sets(&self) -> impl Iterator<Item = SetId> {
        self.sets.keys().copied()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn head(part: u32, seal: u32) -> SealHead {
        let (set, file) = (SetId([1; 8]), [part as u8; 6]);
        SealHead { set, part, file, seal, bytes: 100, head: [seal as u8; 32], ends: Ends::Nothing }
    }

    #[test]
    fn heads_are_read_back_from_whatever_log_they_went_through() {
        let text = format!(
            "{}\nNov 28 17:00:01 web1 tracer: {}\n\nsomething else\n{}\n{}",
            head(0, 0),
            SealHead { ends: Ends::Set, ..head(1, 7) },
            SealHead { head: [9; 32], ..head(0, 0) },
            removed_line(SetId([1; 8]), 0),
        );
        let heads: Heads = text.parse().unwrap();
        assert_eq!((heads.counts(), heads.other_lines, heads.contradictions), ((2, 2), 1, 1));
        assert_eq!(heads.of([0; 6], 0), Some(&head(0, 0)));
        assert_eq!(heads.last([1; 6]).unwrap().ends, Ends::Set);
        assert_eq!(heads.parts(SetId([1; 8])).map(|(part, _)| part).collect::<Vec<_>>(), [1]);
    }

    #[test]
    fn lines_that_are_cut_say_nothing() {
        let line = head(3, 4).to_string();
        for end in 0..line.len() - 2 {
            let heads: Heads = line[..end].parse().unwrap();
            assert_eq!(heads.counts(), (0, 0), "{end}");
        }
    }
}
