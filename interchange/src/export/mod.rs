//! Writers of other programs' formats. Each turns one event into bytes, so that the pipeline can make pieces on any thread;
//! what stands before the first event and behind the last one is the [`Exporter`]'s.

mod csv;
mod ecs;
mod errno_text;
pub mod facts;
mod object;
mod ocsf;
mod otlp;
pub mod parquet;
mod pcapng;
pub mod perfetto;
pub mod scap;
mod strace;
mod sysmon;
mod timesketch;
mod wall;

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};

use pipeline::{EventView, Output, Render};

/// The formats, by the names that users give.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Format {
    /// As `strace -f -ttt -yy` writes: system calls, and how threads ended.
    Strace,
    /// RFC 4180, a row an event, safe to open in a spreadsheet.
    Csv,
    /// Packets with the process that they are of.
    Pcapng,
    /// JSON lines that Timesketch and plaso's users import.
    Timesketch,
    /// Elastic Common Schema as lines of the bulk API.
    Ecs,
    /// Logs of OpenTelemetry as JSON lines, one `LogsData` each.
    OtlpJson,
    /// Open Cybersecurity Schema Framework 1.8, a line an event of its classes.
    Ocsf,
    /// Events of Sysmon for Linux, as in syslog.
    Sysmon,
    /// What sysdig, Falco's tools and Stratoshark capture.
    Scap,
    /// Protocol buffers of Perfetto: tracks, slices of processes, events as instants.
    Perfetto,
    /// One wide table; rows of [`parquet::Table`], not yet the file.
    Parquet,
    /// The same table; rows of [`parquet::Stream`], not yet the stream.
    Arrow,
}

impl Format {
    pub const ALL: &'static [Format] = &[
        Format::Strace,
        Format::Csv,
        Format::Pcapng,
        Format::Timesketch,
        Format::Ecs,
        Format::OtlpJson,
        Format::Ocsf,
        Format::Sysmon,
        Format::Scap,
        Format::Perfetto,
        Format::Parquet,
        Format::Arrow,
    ];

    pub const fn name(self) -> &'static str {
        match self {
            Format::Strace => "strace",
            Format::Csv => "csv",
            Format::Pcapng => "pcapng",
            Format::Timesketch => "timesketch",
            Format::Ecs => "ecs",
            Format::OtlpJson => "otlp-json",
            Format::Ocsf => "ocsf",
            Format::Sysmon => "sysmon",
            Format::Scap => "scap",
            Format::Perfetto => "perfetto",
            Format::Parquet => "parquet",
            Format::Arrow => "arrow",
        }
    }

    pub fn by_name(name: &str) -> Option<Format> {
        Format::ALL.iter().copied().find(|format| format.name() == name)
    }

    /// The only events that it can hold, where these are few: nothing else need be asked for.
    pub const fn events(self) -> Option<&'static str> {
        match self {
            Format::Pcapng => Some("net_packet,net_packet_dns_response"),
            _ => None,
        }
    }
}

/// One export: what is written, and what had to be left out.
#[derive(Debug)]
pub struct Exporter {
    format: Format,
    /// Of the machine that was recorded, for formats that say so once.
    about: About,
    left_out: LeftOut,
    names: pcapng::HostNames,
    /// Of a format whose tables stand before its events.
    surveyed: scap::Surveyed,
    tracks: perfetto::Tracks,
}

/// What is said once of all events.
#[derive(Clone, Debug, Default)]
pub struct About {
    /// `tracer 0.1.0`.
    pub program: String,
    /// Node name of the recorded host; of several, joined by commas.
    pub host: String,
    /// As `Linux 6.1.0`.
    pub kernel: String,
    /// As `x86_64`.
    pub machine: String,
    /// What was to be said of the recordings, where all of them say the same.
    pub labels: Vec<(String, String)>,
}

impl Exporter {
    pub fn new(format: Format, about: About) -> Exporter {
        Exporter {
            format,
            about,
            left_out: LeftOut::default(),
            names: pcapng::HostNames::default(),
            surveyed: scap::Surveyed::default(),
            tracks: perfetto::Tracks::default(),
        }
    }

    /// With what a first reading found, for a format whose tables stand before its events.
    pub fn with_survey(self, surveyed: scap::Surveyed) -> Exporter {
        Exporter { surveyed, ..self }
    }

    /// The same for tracks.
    pub fn with_tracks(self, tracks: perfetto::Tracks) -> Exporter {
        Exporter { tracks, ..self }
    }

    /// What stands before the first event.
    pub fn begin(&self) -> Vec<u8> {
        match self.format {
            Format::Csv => csv::header(),
            Format::Pcapng => pcapng::header(&self.about),
            Format::Scap => self.surveyed.tables().to_vec(),
            Format::Perfetto => self.tracks.written().to_vec(),
            _ => Vec::new(),
        }
    }

    /// What stands behind the last event.
    pub fn end(&self) -> Vec<u8> {
        match self.format {
            Format::Pcapng => self.names.block(),
            _ => Vec::new(),
        }
    }

    /// Command lines and environments that the format cannot hold whole.
    pub fn cut(&self) -> u64 {
        self.surveyed.cut()
    }

    /// Events that the format cannot hold, by name, with how many there were.
    pub fn left_out(&self) -> Vec<(String, u64)> {
        let counts = self.left_out.counts.lock().unwrap_or_else(PoisonError::into_inner);
        counts.iter().map(|(name, count)| ((*name).to_owned(), *count)).collect()
    }
}

impl Output for Exporter {
    fn renderer(&self) -> Box<dyn Render + '_> {
        match self.format {
            Format::Strace => self.counting(strace::Strace),
            Format::Csv => self.counting(csv::Csv::default()),
            Format::Pcapng => self.counting(pcapng::Pcapng::new(&self.names)),
            Format::Timesketch => self.counting(timesketch::Timesketch::default()),
            Format::Ecs => self.counting(ecs::Ecs::new(&self.about)),
            Format::OtlpJson => self.counting(otlp::Otlp::new(&self.about)),
            Format::Ocsf => self.counting(ocsf::Ocsf),
            Format::Sysmon => self.counting(sysmon::Sysmon::default()),
            Format::Scap => self.counting(scap::Scap::new(&self.surveyed)),
            Format::Perfetto => self.counting(perfetto::Perfetto::default()),
            Format::Parquet | Format::Arrow => self.counting(parquet::Parquet::default()),
        }
    }
}

impl Exporter {
    fn counting<'a, W: Writes + 'a>(&'a self, writer: W) -> Box<dyn Render + 'a> {
        Box::new(Counting { writer, left_out: &self.left_out, counts: BTreeMap::new() })
    }
}

/// Writes events in one format.
trait Writes: Send {
    /// Appends an event; `false`: the format has no place for it, and nothing was appended.
    fn event(&mut self, event: &EventView<'_>, out: &mut Vec<u8>) -> bool;
}

/// Events that a format cannot hold, counted by all threads.
#[derive(Debug, Default)]
struct LeftOut {
    counts: Mutex<BTreeMap<&'static str, u64>>,
}

/// Counts on one thread what its writer leaves out, and hands it over at the end.
struct Counting<'a, W> {
    writer: W,
    left_out: &'a LeftOut,
    counts: BTreeMap<&'static str, u64>,
}

impl<W: Writes> Render for Counting<'_, W> {
    fn block(&mut self) {}

    fn event(&mut self, event: &EventView<'_>, out: &mut Vec<u8>) {
        if !self.writer.event(event, out) {
            *self.counts.entry(event.event.name).or_default() += 1;
        }
    }
}

impl<W> Drop for Counting<'_, W> {
    fn drop(&mut self) {
        let mut all = self.left_out.counts.lock().unwrap_or_else(PoisonError::into_inner);
        for (name, count) in &self.counts {
            *all.entry(name).or_default() += count;
        }
    }
}
