//! What a capture says about itself before its first event.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

use rkyv::util::AlignedVec;

use crate::schema::{EventSchema, Schema};
use crate::{Error, Result, archive, schema_text};

/// Where, when and how a capture was recorded, and what it was made from.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Header {
    /// Name and version of the program, such as `tracer 0.1.0`.
    pub program: String,
    pub host: Host,
    /// Taken when recording began. Blocks have their own.
    pub clock: Clock,
    /// The events that the writing program knew; a block's event ids are these.
    pub schema: Vec<EventSchema>,
    /// How it was recorded on `host`.
    pub recording: Recording,
    /// Further hosts of a merged capture: records with `host: 1` are of the first of these.
    pub more_hosts: Vec<Host>,
    /// How it was recorded on each of them. Before version 5 there is one recording for all hosts, and this is empty.
    pub more_recordings: Vec<Recording>,
    /// How the capture was made from others: the last step first. Empty when it came from a kernel or another program.
    pub provenance: Vec<Provenance>,
    /// What later versions of the program say, by name.
    pub more: BTreeMap<String, Vec<u8>>,
}

/// One step in which a capture was made from others.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Provenance {
    /// The command line, such as `tracer cut c.trz -o d.trz -f comm=ls`.
    pub command: Vec<String>,
    pub sources: Vec<SourceCapture>,
}

/// A capture that another was made from.
#[derive(Clone, PartialEq, Eq, Debug, Default, rkyv::Archive, rkyv::Serialize, rkyv::Deserialize)]
pub struct SourceCapture {
    /// As the user named it.
    pub name: String,
    /// The head of its chain of hashes, when it was whole.
    pub head: Option<[u8; 32]>,
    /// The public key that it was signed with, and the signature was good.
    pub signed_by: Option<String>,
    /// What verifying it came to: `good`, what is wrong with it, or `not verified`.
    pub verdict: String,
}

impl SourceCapture {
    /// Whether it was, byte for byte, what was written, and its index says what its blocks say.
    pub fn is_good(&self) -> bool {
        self.head.is_some()
    }
}

impl Header {
    /// How the capture was recorded on the host with this index.
    pub fn recording_of(&self, host: u16) -> &Recording {
        let more = usize::from(host).checked_sub(1).and_then(|at| self.more_recordings.get(at));
        more.unwrap_or(&self.recording)
    }

    /// All hosts, by index.
    pub fn hosts(&self) -> impl Iterator<Item = &Host> {
        std::iter::once(&self.host).chain(&self.more_hosts)
    }

    pub(crate) fn to_bytes(&self) -> Result<AlignedVec> {
        let hosts = (0u16..).zip(self.hosts()).map(|(at, host)| {
            let Recording { more, .. } = self.recording_of(at);
            HostV5 {
                host: host.clone(),
                recording: RecordingV1::from(self.recording_of(at).clone()),
                more: more.iter().map(|(name, value)| (name.clone(), value.clone().into_bytes())).collect(),
            }
        });
        let provenance = self.provenance.iter().cloned();
        archive::to_bytes(&HeaderV5 {
            program: self.program.clone(),
            clock: self.clock,
            schema: schema_text::write(&self.schema),
            hosts: hosts.collect(),
            provenance: provenance
                .map(|Provenance { command, sources }| ProvenanceV5 { command, sources, more: Vec::new() })
                .collect(),
            more: self.more.clone().into_iter().collect(),
        })
    }

    /// The header of a file of this version; `offset` is where it came from, for the error.
    pub(crate) fn read(version: u16, bytes: &[u8], offset: u64) -> Result<Header> {
        let (header, declared) = Header::read_parts(version, bytes, offset)?;
        Ok(Header { schema: declared.list(offset)?, ..header })
    }

    /// The same, and what it declares apart from it.
    pub(crate) fn read_parts(version: u16, bytes: &[u8], offset: u64) -> Result<(Header, Declared)> {
        if version < TEXT_SCHEMA {
            let HeaderV1 { program, host, clock, schema, recording, more_hosts } =
                archive::read(bytes, offset)?;
            let recording = recording.into();
            let header = Header { program, host, clock, recording, more_hosts, ..Header::default() };
            return Ok((header, Declared::List(schema)));
        }
        if version < HOSTS {
            let HeaderV4 { program, host, clock, schema, recording, more_hosts } =
                archive::read(bytes, offset)?;
            let recording = recording.into();
            let header = Header { program, host, clock, recording, more_hosts, ..Header::default() };
            return Ok((header, Declared::Text(schema)));
        }
        let HeaderV5 { program, clock, schema, hosts, provenance, more } = archive::read(bytes, offset)?;
        let mut hosts = hosts.into_iter().map(|HostV5 { host, recording, more }| {
            let text =
                |(name, value): (String, Vec<u8>)| (name, String::from_utf8_lossy(&value).into_owned());
            (host, Recording { more: more.into_iter().map(text).collect(), ..recording.into() })
        });
        let no_host = Error::Damaged { offset, what: "the header has no host" };
        let (host, recording) = hosts.next().ok_or(no_host)?;
        let (more_hosts, more_recordings) = hosts.unzip();
        let provenance = provenance
            .into_iter()
            .map(|ProvenanceV5 { command, sources, .. }| Provenance { command, sources })
            .collect();
        let more = more.into_iter().collect();
        let header = Header {
            program,
            host,
            clock,
            schema: Vec::new(),
            recording,
            more_hosts,
            more_recordings,
            provenance,
            more,
        };
        Ok((header, Declared::Text(schema)))
    }
}

/// The events that a header declares, not yet looked at.
#[derive(Debug)]
pub(crate) enum Declared {
    List(Vec<EventSchema>),
    Text(String),
}

/// Schemas that were read last and their texts: most files declare what the one before them did.
static SCHEMAS: Mutex<Vec<(String, Arc<Schema>)>> = Mutex::new(Vec::new());
/// How many of them are kept.
const SCHEMAS_KEPT: usize = 8;

impl Declared {
    fn list(self, offset: u64) -> Result<Vec<EventSchema>> {
        match self {
            Declared::List(list) => Ok(list),
            Declared::Text(text) => schema_text::read(&text, offset),
        }
    }

    /// The events as the program's; those of a text that was seen lately are read no second time.
    pub(crate) fn schema(self, offset: u64) -> Result<Arc<Schema>> {
        let text = match self {
            Declared::List(list) => return Schema::of(&list).map(Arc::new),
            Declared::Text(text) => text,
        };
        let kept = || SCHEMAS.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((_, schema)) = kept().iter().find(|(known, _)| *known == text) {
            return Ok(Arc::clone(schema));
        }
        let schema = Arc::new(Schema::of(&schema_text::read(&text, offset)?)?);
        let mut kept = kept();
        if kept.len() >= SCHEMAS_KEPT {
            kept.remove(0);
        }
        kept.push((text, Arc::clone(&schema)));
        Ok(schema)
    }
}

/// The first version whose schema is text, and the first with a recording for each host.
const TEXT_SCHEMA: u16 = 4;
const HOSTS: u16 = 5;

/// Headers as they are archived: before version 4, in version 4, and since version 5. None of them changes.
#[derive(rkyv::Archive, rkyv::Serialize, rkyv::Deserialize)]
struct HeaderV1 {
    program: String,
    host: Host,
    clock: Clock,
    schema: Vec<EventSchema>,
    recording: RecordingV1,
    more_hosts: Vec<Host>,
}

#[derive(rkyv::Archive, rkyv::Serialize, rkyv::Deserialize)]
struct HeaderV4 {
    program: String,
    host: Host,
    clock: Clock,
    schema: String,
    recording: RecordingV1,
    more_hosts: Vec<Host>,
}

#[derive(rkyv::Archive, rkyv::Serialize, rkyv::Deserialize)]
struct HeaderV5 {
    program: String,
    clock: Clock,
    schema: String,
    hosts: Vec<HostV5>,
    provenance: Vec<ProvenanceV5>,
    /// What a reader may pass over, by name.
    more: Vec<(String, Vec<u8>)>,
}

#[derive(rkyv::Archive, rkyv::Serialize, rkyv::Deserialize)]
struct HostV5 {
    host: Host,
    recording: RecordingV1,
    more: Vec<(String, Vec<u8>)>,
}

#[derive(rkyv::Archive, rkyv::Serialize, rkyv::Deserialize)]
struct ProvenanceV5 {
    command: Vec<String>,
    sources: Vec<SourceCapture>,
    more: Vec<(String, Vec<u8>)>,
}

/// A [`Recording`] as it is archived.
#[derive(rkyv::Archive, rkyv::Serialize, rkyv::Deserialize)]
struct RecordingV1 {
    command_line: Vec<String>,
    filters: Vec<String>,
    policies: Vec<String>,
    events: Vec<String>,
    only_matched: bool,
    start_ns: u64,
    string_bound: u32,
    buffer_bound: u32,
    snaplen: u32,
    transport: String,
    unavailable: Vec<Unavailable>,
    made_from: String,
    unknown_fields: Vec<String>,
    part: u32,
    previous_head: Option<[u8; 32]>,
}

impl From<Recording> for RecordingV1 {
    fn from(it: Recording) -> RecordingV1 {
        RecordingV1 {
            command_line: it.command_line,
            filters: it.filters,
            policies: it.policies,
            events: it.events,
            only_matched: it.only_matched,
            start_ns: it.start_ns,
            string_bound: it.string_bound,
            buffer_bound: it.buffer_bound,
            snaplen: it.snaplen,
            transport: it.transport,
            unavailable: it.unavailable,
            made_from: it.made_from,
            unknown_fields: it.unknown_fields,
            part: it.part,
            previous_head: it.previous_head,
        }
    }
}

impl From<RecordingV1> for Recording {
    fn from(it: RecordingV1) -> Recording {
        Recording {
            command_line: it.command_line,
            filters: it.filters,
            policies: it.policies,
            events: it.events,
            only_matched: it.only_matched,
            start_ns: it.start_ns,
            string_bound: it.string_bound,
            buffer_bound: it.buffer_bound,
            snaplen: it.snaplen,
            transport: it.transport,
            unavailable: it.unavailable,
            made_from: it.made_from,
            unknown_fields: it.unknown_fields,
            part: it.part,
            previous_head: it.previous_head,
            more: BTreeMap::new(),
        }
    }
}

/// Archived as it is: a field more is another version of the format.
#[derive(Clone, PartialEq, Eq, Debug, Default, rkyv::Archive, rkyv::Serialize, rkyv::Deserialize)]
pub struct Host {
    pub hostname: String,
    /// `uname -r`, such as `6.18.5`.
    pub kernel_release: String,
    /// `uname -v`.
    pub kernel_version: String,
    /// `x86_64` or `aarch64`.
    pub arch: String,
    /// `/proc/sys/kernel/random/boot_id`.
    pub boot_id: String,
    /// `PRETTY_NAME` of `/etc/os-release`; empty when unknown.
    pub os: String,
    pub cpus: u32,
    /// `sysconf(_SC_CLK_TCK)`: the unit of start times read from /proc.
    pub clock_ticks: u32,
}

/// Three clocks read together, ns. `boot` counts from the boot and goes on in suspend, `wall` is since 1970 in UTC.
#[derive(
    Clone, Copy, PartialEq, Eq, Hash, Debug, Default, rkyv::Archive, rkyv::Serialize, rkyv::Deserialize,
)]
pub struct Clock {
    pub monotonic_ns: u64,
    pub boot_ns: u64,
    pub wall_ns: u64,
}

impl Clock {
    /// The wall clock at a time of the boot clock, ns since 1970.
    pub const fn wall(&self, boot_ns: u64) -> u64 {
        boot_ns.wrapping_add(self.wall_ns.wrapping_sub(self.boot_ns))
    }
}

/// How the recording was asked for.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Recording {
    pub command_line: Vec<String>,
    /// As given with `-f`, such as `9:comm=ls`.
    pub filters: Vec<String>,
    /// The text of each policy file that was given, in order.
    pub policies: Vec<String>,
    /// As given with `--events`; empty when everything was recorded.
    pub events: Vec<String>,
    /// The capture holds only what `filters` and `policies` matched.
    pub only_matched: bool,
    /// Boot clock when the probes were attached, ns.
    pub start_ns: u64,
    /// Bytes of a string, of a buffer and of a packet that were kept.
    pub string_bound: u32,
    pub buffer_bound: u32,
    pub snaplen: u32,
    /// `region` or `ringbuf`; empty for captures that did not come from a kernel.
    pub transport: String,
    /// Events and probes that this kernel could not carry.
    pub unavailable: Vec<Unavailable>,
    /// What the capture was made from, when not from a kernel: `tracee-json`, `merge`, `cut`.
    pub made_from: String,
    /// Fields that the source of an imported capture did not have, such as `ns_pid`.
    pub unknown_fields: Vec<String>,
    /// Number of this file in a rotated set, from 0.
    pub part: u32,
    /// Chain head of the file before this one in a rotated set.
    pub previous_head: Option<[u8; 32]>,
    /// What else is known of it, by name: the numbers of [`recorded`], and what later versions say.
    pub more: BTreeMap<String, String>,
}

impl Recording {
    /// What a capture can say that it was made from where that was the log of another tool. Nothing is derived from its events:
    /// a log that held derived events still holds them.
    pub const LOG_KINDS: [&str; 8] =
        ["tracee-json", "strace", "auditd", "sysmon", "tetragon", "kunai", "falco", "scap"];

    /// Whether it was made from a log, or from a capture that was: the newest of what was done stands first.
    pub fn is_made_from_log(&self) -> bool {
        self.made_from.split(['\n', ',']).any(|line| Self::LOG_KINDS.contains(&line.trim()))
    }

    /// What who recorded it wanted to be said of it, by name.
    pub fn labels(&self) -> impl Iterator<Item = (&str, &str)> {
        let labels = self.more.iter().map(|(name, text)| (name.strip_prefix(recorded::LABEL), text));
        labels.filter_map(|(name, text)| Some((name?, text.as_str())))
    }

    /// A number that is known of it, by one of the names of [`recorded`].
    pub fn number(&self, name: &str) -> Option<u64> {
        self.more.get(name)?.parse().ok()
    }

    /// Whether it was recorded how long calls took.
    pub fn has_durations(&self) -> bool {
        self.more.contains_key(recorded::TIMING)
    }
}

/// Names of what a recorder tells of its memory and its bounds, each a number in [`Recording::more`].
pub mod recorded {
    /// CPUs that have a buffer.
    pub const BUFFER_CPUS: &str = "buffer_cpus";
    /// Bytes of all buffers together.
    pub const BUFFER_BYTES: &str = "buffer_bytes";
    /// What is kept of lists of strings, such as argv: strings, and bytes.
    pub const LIST_STRINGS: &str = "list_strings";
    pub const LIST_BYTES: &str = "list_bytes";
    /// Bytes of the kernel's memory, buffers included.
    pub const KERNEL_BYTES: &str = "kernel_bytes";
    /// Bytes that the recorder's own memory may come to.
    pub const MEMORY_BOUND_BYTES: &str = "memory_bound_bytes";
    /// There, whatever it says, where it was recorded how long calls took.
    pub const TIMING: &str = "timing";
    /// Kinds of artifacts that are kept, bytes of one, and bytes and number of all together.
    pub const ARTIFACTS: &str = "artifacts";
    pub const ARTIFACT_BYTES: &str = "artifact_bytes";
    pub const ARTIFACTS_BYTES: &str = "artifacts_bytes";
    pub const ARTIFACTS_NUMBER: &str = "artifacts_number";
    /// When what is known of the host's processes at the start was so, boot clock ns, in a capture that was cut: with the first
    /// rows of what it was cut from.
    pub const BEGAN_NS: &str = "began_ns";
    /// When the host's rows ended in what a capture was cut from, boot clock ns: what waits for more rows is told then.
    pub const ENDED_NS: &str = "ended_ns";
    /// Of a capture that was made from a log: the log's name, and its SHA-256 in hex.
    pub const LOG_NAME: &str = "log_name";
    pub const LOG_SHA256: &str = "log_sha256";
    /// What stands before the names of labels.
    pub const LABEL: &str = "label.";

    pub fn label(name: &str) -> String {
        format!("{LABEL}{name}")
    }

    /// What stands before the set in the name of [`removed_parts`].
    pub const REMOVED_PARTS: &str = "removed_parts.";

    /// Of a recording that keeps to a limit: the last part of an earlier set that was removed before this part began.
    pub fn removed_parts(set: crate::SetId) -> String {
        format!("{REMOVED_PARTS}{set}")
    }

    /// Where parts of a set go, as `--upload` was told, without what may be secret in it.
    pub const UPLOAD: &str = "upload";
    /// Files that a limit has removed before the store had said that it has them, up to where this part begins.
    pub const REMOVED_UNACKNOWLEDGED: &str = "removed_unacknowledged";

    /// [`ENDED_NS`] where rows follow that were cut away: what waits for them is not told.
    pub const GOES_ON: u64 = u64::MAX;
}

/// Archived as it is.
#[derive(Clone, PartialEq, Eq, Debug, Default, rkyv::Archive, rkyv::Serialize, rkyv::Deserialize)]
pub struct Unavailable {
    /// The event's name.
    pub event: String,
    pub reason: String,
}
