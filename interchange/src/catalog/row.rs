//! What a catalogue says of one capture.

use std::time::SystemTime;

use events::catalogue;
use format::{Capture, Completeness, Header, SetEnding, Statistics, hex, sha256};
use pipeline::Source;

use super::folder::{Stamp, ns};

/// The state of a capture that has statistics.
pub(super) const FINISHED: &str = "finished";

/// One capture, as it was when it was read.
#[derive(Clone, PartialEq, Debug, Default)]
pub struct Row {
    /// Below the catalogue's folder, with `/` between the parts.
    pub path: String,
    pub bytes: i64,
    /// When the file was modified last, ns since the epoch.
    pub modified_ns: i64,
    /// Of an object: its entity tag.
    pub tag: Option<String>,
    /// When it was read for the catalogue.
    pub cataloged_ns: i64,
    /// `finished`, or why the capture is opened whatever is asked.
    pub state: String,
    pub host: String,
    pub boot_id: String,
    /// Wall clock of the first and the last row, ns since the epoch.
    pub start_ns: Option<i64>,
    pub end_ns: Option<i64>,
    /// Boot clock of the first row, ns.
    pub first_ns: i64,
    pub events: i64,
    pub blocks: i64,
    pub lost: i64,
    pub event_names: Vec<String>,
    /// Distinct commands and executables; empty where there are too many to list.
    pub comms: Vec<String>,
    pub exes: Vec<String>,
    /// Of `record --labels`, as an object of JSON.
    pub labels: String,
    /// The head of the chain that the last seal holds, in hex, and who signed it.
    pub head: Option<String>,
    pub signer: Option<String>,
    /// The same for captures that were recorded alike: the same events, filters, policies, with durations or without.
    pub alike: String,
    /// The same for captures that know the same users by the same names.
    pub users: String,
    /// Its place in its set: when the recording began (boot clock ns), which part it is, and what its seal says.
    pub recording_start_ns: i64,
    pub part: i64,
    pub oldest_part: Option<i64>,
    pub is_last_part: Option<bool>,
    /// Parts of earlier sets that the recording removed, as an object of JSON.
    pub removed: String,
    pub host_mnt_ns: Option<i64>,
    pub has_containers: bool,
    /// [`Statistics::to_bytes`] of all rows together.
    pub statistics: Option<Vec<u8>>,
}

/// A file that was modified so shortly before it was read may be modified once more within one tick of the file system's
/// clock: then size and time would be the same, and the content another.
const RACY_NS: i64 = 20_000_000;

/// When a file that was modified at this time is no longer racy, ns since the epoch.
pub fn racy_until_ns(modified_ns: i64) -> i64 {
    modified_ns.saturating_add(RACY_NS)
}

impl Row {
    /// Whether the row is of this file as it is.
    pub fn is_of(&self, file: &Stamp) -> bool {
        self.bytes == file.bytes
            && self.modified_ns == file.modified_ns
            && self.tag == file.tag
            // What a store says of the content says more than a clock.
            && (self.tag.is_some() || self.cataloged_ns >= racy_until_ns(file.modified_ns))
    }

    /// The row of a file that cannot be read as a capture, or not without a key.
    pub fn unread(path: String, file: &Stamp, why: &str) -> Row {
        Row {
            path,
            bytes: file.bytes,
            modified_ns: file.modified_ns,
            tag: file.tag.clone(),
            cataloged_ns: ns(SystemTime::now()),
            state: why.to_owned(),
            labels: "{}".to_owned(),
            removed: "{}".to_owned(),
            ..Row::default()
        }
    }

    /// The row of a capture. `file` is what was known of it before it was opened.
    pub fn of(path: String, file: &Stamp, capture: Capture) -> Row {
        let source = Source::new(vec![(path.clone(), capture)]);
        let mut row = Row::unread(path, file, "");
        let Some(opened) = source.files().first() else { return row };
        let (capture, header) = (&opened.capture, opened.capture.header());
        let mut sum = Statistics::default();
        let mut wall: Option<(i64, i64)> = None;
        let mut is_read = true;
        for block in 0..capture.block_count() {
            let Ok(info) = capture.block_info(block) else {
                is_read = false;
                continue;
            };
            row.blocks += 1;
            if info.statistics.rows == 0 {
                continue;
            }
            let (host, it) = (info.host(), &info.statistics);
            let (first, last) = (opened.wall(host, it.first_ns), opened.wall(host, it.last_ns));
            wall = Some(wall.map_or((first, last), |(from, to)| (from.min(first), to.max(last))));
            sum.add(it);
        }
        // This reads what stands beside the events.
        let recording = opened.host(0).map(|host| host.recording());
        let is_read = is_read && capture.unread_records().is_none();
        row.state = why_opened(capture, header, &sum, is_read).unwrap_or(FINISHED).to_owned();
        (row.host, row.boot_id) = (header.host.hostname.clone(), header.host.boot_id.clone());
        (row.start_ns, row.end_ns) = (wall.map(|(from, _)| from), wall.map(|(_, to)| to));
        row.first_ns = sum.first_ns as i64;
        row.events = i64::try_from(sum.rows).unwrap_or(i64::MAX);
        let lost = capture.losses().iter().map(|loss| loss.count).fold(0, u64::saturating_add);
        row.lost = i64::try_from(lost).unwrap_or(i64::MAX);
        let schema = capture.schema();
        let named = sum.events.iter().filter_map(|count| schema.event(count.event));
        row.event_names = named.map(|event| event.name.to_owned()).collect();
        row.comms = texts(sum.comms.exact());
        row.exes = texts(sum.exes.exact());
        row.labels = object(header.recording.labels());
        row.removed = object(
            header
                .recording
                .more
                .iter()
                .map(|(name, text)| (name.as_str(), text.as_str()))
                .filter(|(name, _)| name.starts_with(format::recorded::REMOVED_PARTS)),
        );
        if let Some((head, signer)) = capture.sealed_head() {
            row.head = Some(hex(&head));
            row.signer = signer.map(|key| key.to_string());
        }
        row.alike = alike(header);
        row.users = users(capture);
        row.recording_start_ns = header.recording.start_ns as i64;
        row.part = header.recording.part.into();
        let ending = capture.set_ending();
        row.oldest_part = ending.map(|SetEnding { oldest_part, .. }| oldest_part.into());
        row.is_last_part = ending.map(|ending| ending.is_last_part);
        row.host_mnt_ns = recording.and_then(|recording| recording.host_mnt_ns).map(i64::from);
        row.has_containers = capture.has_containers();
        if row.state == FINISHED {
            row.statistics = sum.to_bytes().ok();
        }
        row
    }

    pub(super) fn ending(&self) -> Option<SetEnding> {
        let oldest_part = u32::try_from(self.oldest_part?).ok()?;
        Some(SetEnding { is_last_part: self.is_last_part?, oldest_part })
    }
}

/// Why a capture is opened whatever is asked; `None` of one as a recorder finished it.
fn why_opened(capture: &Capture, header: &Header, sum: &Statistics, is_read: bool) -> Option<&'static str> {
    let is_shifted = header.clock.boot_ns == header.clock.wall_ns;
    let is_foreign = sum.events.iter().any(|count| catalogue::by_id(count.event).is_none());
    match capture.completeness() {
        Completeness::Salvaged { .. } => return Some("not finished, or damaged"),
        Completeness::Growing => return Some("being written"),
        Completeness::Finished => {}
    }
    if !is_read {
        Some("with statistics or records that do not read")
    } else if !header.provenance.is_empty() || header.recording.is_made_from_log() {
        Some("made from others")
    } else if header.hosts().count() != 1 || sum.hosts.iter().any(|host| *host != 0) {
        Some("of several hosts")
    } else if header.host.boot_id.is_empty() || is_shifted {
        Some("of an unknown boot")
    } else if is_foreign || !capture.schema().unread().is_empty() {
        Some("of another version")
    } else if sum.rows == 0 {
        Some("without events")
    } else {
        None
    }
}

/// What an answer depends on beside its rows: what there is to say of how they were recorded, and what can be asked of them.
fn alike(header: &Header) -> String {
    let recording = &header.recording;
    let unavailable = recording.unavailable.iter().flat_map(|it| [&it.event, &it.reason]);
    let mut bytes = Vec::new();
    let lists = [recording.filters.iter(), recording.policies.iter(), recording.events.iter()];
    for list in lists {
        list.for_each(|text| bytes.extend_from_slice(&[text.as_bytes(), b"\0"].concat()));
        bytes.push(1);
    }
    unavailable.for_each(|text| bytes.extend_from_slice(&[text.as_bytes(), b"\0"].concat()));
    bytes.push(recording.only_matched.into());
    // Filters that ask how long calls took are refused where no capture knows.
    if recording.has_durations() {
        bytes.push(1);
    }
    hex(&sha256(&bytes))
}

/// What names of users an answer may take from a capture.
fn users(capture: &Capture) -> String {
    let users = capture.users();
    let mut bytes = Vec::new();
    for user in users.iter() {
        bytes.extend_from_slice(&user.host.to_le_bytes());
        bytes.extend_from_slice(&user.uid.to_le_bytes());
        bytes.extend_from_slice(&[user.name.as_bytes(), b"\0"].concat());
    }
    hex(&sha256(&bytes))
}

fn texts(all: Option<&[std::sync::Arc<[u8]>]>) -> Vec<String> {
    all.unwrap_or_default().iter().map(|text| String::from_utf8_lossy(text).into_owned()).collect()
}

fn object<'a>(texts: impl Iterator<Item = (&'a str, &'a str)>) -> String {
    let all: serde_json::Map<String, serde_json::Value> =
        texts.map(|(name, text)| (name.to_owned(), text.into())).collect();
    serde_json::Value::Object(all).to_string()
}
