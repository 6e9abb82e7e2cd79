//! What a capture says about itself before its first event.

use rkyv::util::AlignedVec;

use crate::schema::EventSchema;
use crate::{Result, archive, schema_text};

/// Where, when and how a capture was recorded. Archived as it is before version 4.
#[derive(Clone, PartialEq, Eq, Debug, Default, rkyv::Archive, rkyv::Serialize, rkyv::Deserialize)]
pub struct Header {
    /// Name and version of the program, such as `tracer 0.1.0`.
    pub program: String,
    pub host: Host,
    /// Taken when recording began. Blocks have their own.
    pub clock: Clock,
    /// The events that the writing program knew; a block's event ids are these.
    pub schema: Vec<EventSchema>,
    pub recording: Recording,
    /// Further hosts of a merged capture: records with `host: 1` are of the first of these.
    pub more_hosts: Vec<Host>,
}

/// The same, as archived since version 4.
#[derive(rkyv::Archive, rkyv::Serialize, rkyv::Deserialize)]
struct HeaderV4 {
    program: String,
    host: Host,
    clock: Clock,
    schema: String,
    recording: Recording,
    more_hosts: Vec<Host>,
}

/// The first version whose schema is text.
const TEXT_SCHEMA: u16 = 4;

impl Header {
    pub(crate) fn to_bytes(&self) -> Result<AlignedVec> {
        let Header { program, host, clock, schema, recording, more_hosts } = self.clone();
        let schema = schema_text::write(&schema);
        archive::to_bytes(&HeaderV4 { program, host, clock, schema, recording, more_hosts })
    }

    /// The header of a file of this version; `offset` is where it came from, for the error.
    pub(crate) fn read(version: u16, bytes: &[u8], offset: u64) -> Result<Header> {
        if version < TEXT_SCHEMA {
            return archive::read(bytes, offset);
        }
        let read: HeaderV4 = archive::read(bytes, offset)?;
        let HeaderV4 { program, host, clock, schema, recording, more_hosts } = read;
        let schema = schema_text::read(&schema, offset)?;
        Ok(Header { program, host, clock, schema, recording, more_hosts })
    }
}

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
#[derive(Clone, PartialEq, Eq, Debug, Default, rkyv::Archive, rkyv::Serialize, rkyv::Deserialize)]
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
}

#[derive(Clone, PartialEq, Eq, Debug, Default, rkyv::Archive, rkyv::Serialize, rkyv::Deserialize)]
pub struct Unavailable {
    /// The event's name.
    pub event: String,
    pub reason: String,
}
