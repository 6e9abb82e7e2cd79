//! `tracer record`: kernel to file.

mod artifacts;
mod findings;
mod for_rules;
mod kernel_side;
mod metrics;
mod old_parts;
pub mod order;
pub mod progress;
pub mod recording;
mod standing;
mod steer;
pub mod trigger;
mod uploading;

use std::{ffi::OsString, path::PathBuf, time::Duration};

use anyhow::Result;
use clap::{Args, Parser, ValueEnum};
use recorder::{
    amount::{self, Stretch},
    file::retention,
    kernel::{BUFFER_BYTES, Lists},
};

use crate::{filters::FilterOptions, outcome::Outcome, rule_files::RuleOptions, seal::Sealing};

/// Everything is recorded unless --events says otherwise; scopes (-f, -p) only label what they match, so that replay can
/// ask for something else later. The recording ends with Ctrl-C, with COMMAND, or when a limit is reached.
#[derive(Args, Debug)]
pub struct Options {
    /// Capture to write; - is standard output [default: tracer-HOST-DATE.trz]
    #[arg(short, long, value_name = "FILE")]
    output: Option<PathBuf>,

    /// FILE is a FIFO or a device that is there: write into it as the events come
    #[arg(long, requires = "output", conflicts_with_all = ["force", "rotate"])]
    stream: bool,

    /// Replace the capture if it is there
    #[arg(long)]
    force: bool,

    /// Stop after this time (10s, 5m, 1h30m)
    #[arg(long, value_name = "TIME", value_parser = amount::time)]
    duration: Option<Duration>,

    #[command(flatten)]
    scopes: FilterOptions,

    /// Record only what -f and -p match; the capture says so
    #[arg(long)]
    only_matched: bool,

    #[command(flatten)]
    capturing: Capturing,

    #[command(flatten)]
    keeping: Keeping,

    /// Record while this command runs, and end with its exit code
    #[arg(last = true, value_name = "COMMAND")]
    command: Vec<OsString>,

    #[command(flatten, next_help_heading = "Rules that are asked meanwhile")]
    rules: RuleOptions,

    /// Write findings of --rules into this file as well, each a line of JSON as `tracer scan -o json` has them
    #[arg(long, value_name = "FILE")]
    findings: Option<PathBuf>,
}

/// What is recorded of the host, and how.
#[derive(Args, Debug)]
pub struct Capturing {
    /// Events to record: names, globs (sched_*), sets (fs), exclusions (-read or !read); separated by commas
    #[arg(short, long, value_name = "EVENTS", allow_hyphen_values = true)]
    pub events: Vec<String>,

    /// Record what the rules of a file or folder need, beside what --events names; says which of them this host cannot answer
    #[arg(long, value_name = "PATH")]
    pub for_rules: Vec<PathBuf>,

    /// Record one in N of these system calls (read,write=100); the rest is counted, and the capture says so
    #[arg(long, value_name = "EVENTS=N")]
    pub sample: Vec<String>,

    /// How records come from the kernel
    #[arg(long, value_enum, default_value_t = Transport::Region)]
    pub transport: Transport,

    /// Programs on functions of the kernel (security_file_open and its kin); without them, exits of system calls stand in
    #[arg(long, value_enum, default_value_t = Hooks::Auto)]
    pub hooks: Hooks,

    /// Buffer of each CPU, a power of two up to 256M [default: by the number of CPUs]
    #[arg(long, value_name = "SIZE", value_parser = buffer_bytes)]
    pub buffer: Option<u64>,

    /// CPUs that get a buffer, by number from 0 on; events of others are lost and counted [default: those that are online,
    /// and a quarter more, at least two, that may come online]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..))]
    pub cpus: Option<u16>,

    /// Threads that drain the buffers, each of CPUs of its own, and as many that encode [default: one for four CPUs, 16 at most]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u8).range(1..=64))]
    pub drains: Option<u8>,

    /// How much the threads that drain and encode come before others (nice); 0: as all others [default: 10]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u8).range(0..=39))]
    pub priority_boost: Option<u8>,

    /// Socket of Docker's API to ask for names of containers, beside those where it listens by default and DOCKER_HOST
    #[arg(long, value_name = "PATH")]
    pub docker_socket: Vec<PathBuf>,

    /// Do not read executed files to work out their SHA-256 (sched_process_exec.sha256)
    #[arg(long)]
    pub no_hashes: bool,

    #[command(flatten)]
    pub artifacts: artifacts::ArtifactOptions,

    /// Keep all capabilities and system calls while recording, for kernels and containers that refuse to take them away
    #[arg(long)]
    pub keep_privileges: bool,

    /// Bytes kept of a string argument, such as a path
    #[arg(long, value_name = "BYTES", default_value_t = 4096, value_parser = clap::value_parser!(u32).range(16..=4096))]
    pub string_bound: u32,

    /// Bytes kept of a buffer argument, such as what is written
    #[arg(long, value_name = "BYTES", default_value_t = 256, value_parser = clap::value_parser!(u32).range(0..=4096))]
    pub buffer_bound: u32,

    /// Strings kept of a list, such as argv
    #[arg(long, value_name = "N", default_value_t = 8192, value_parser = clap::value_parser!(u32).range(1..=32768))]
    pub list_strings: u32,

    /// Bytes kept of a list of strings (4K to 896K): with so many, no string more; less where --buffer is below four times that
    #[arg(long, value_name = "SIZE", default_value = "128K", value_parser = list_bytes)]
    pub list_bytes: u32,

    /// Bytes kept of a packet, from its IP header on
    #[arg(long, value_name = "BYTES", default_value_t = 320, value_parser = clap::value_parser!(u32).range(20..=65535))]
    pub snaplen: u32,

    /// Compare what calls are given at entry and exit, and mark (`changed`) what somebody has changed in between
    #[arg(long)]
    pub strict: bool,

    /// Record how long each call takes, and at the end the calls that have not returned (duration>5ms); costs each call twice
    #[arg(long)]
    pub timing: bool,

    /// Keep the environment of executed programs as well
    #[arg(long)]
    pub env: bool,
}

/// The files that become of it.
#[derive(Args, Debug)]
pub struct Keeping {
    /// Stop before the capture is larger than this (100M, 2G)
    #[arg(long, value_name = "SIZE", value_parser = amount::size)]
    pub max_size: Option<u64>,

    /// Begin the next file after this much (100M) or this long (10m): FILE.0000, FILE.0001 and so on
    #[arg(long, value_name = "SIZE|TIME", value_parser = amount::stretch, conflicts_with = "flight")]
    pub rotate: Option<Stretch>,

    /// Keep this many files of a rotated set, the newest
    #[arg(long, value_name = "N", requires = "rotate", value_parser = clap::value_parser!(u32).range(1..))]
    pub keep: Option<u32>,

    /// With --rotate: all files of the set's name take no more of the disk than this (64M or more), also while one is written;
    /// the oldest go first, those of earlier recordings before those of this one, which goes on behind them. A part ends at a
    /// quarter of it
    #[arg(long, value_name = "SIZE", requires = "rotate", value_parser = disk_bytes)]
    pub max_disk: Option<u64>,

    /// With --rotate: remove files of the set's name this long after they were finished (7d, 12h), those of earlier recordings
    /// as well, behind which this one goes on
    #[arg(long, value_name = "TIME", requires = "rotate", value_parser = amount::time)]
    pub keep_for: Option<Duration>,

    /// With --rotate: upload finished parts to s3://BUCKET/PREFIX, by a process of its own (tracer-fleet) that is started again
    /// when it ends. --keep and --keep-for remove only what the store has; --max-disk removes the oldest all the same, and counts it
    #[arg(long, value_name = "URL", requires = "rotate", value_parser = store_url)]
    pub upload: Option<String>,

    /// How long the end of the recording waits for the last parts to be uploaded
    #[arg(long, value_name = "TIME", requires = "upload", default_value = "60s", value_parser = amount::time)]
    pub upload_wait: Duration,

    /// Keep the last stretch (60s or 256M) in memory, and write it on --trigger or SIGUSR1
    #[arg(long, value_name = "SIZE|TIME", value_parser = amount::stretch)]
    pub flight: Option<Stretch>,

    /// Memory that --flight may hold: what does not fit goes before its time, and is told as a loss [default: 512M]
    #[arg(long, value_name = "SIZE", requires = "flight", value_parser = amount::size)]
    pub flight_memory: Option<u64>,

    /// Write what --flight holds when an event matches this filter, or with rule:ID when a rule of this id, title, tag or level
    /// finds something (repeatable: all filters on one event, any of the rules)
    #[arg(long, value_name = "FILTER|rule:ID", requires = "flight")]
    pub trigger: Vec<String>,

    /// Go on this long after the trigger, then stop
    #[arg(long, value_name = "TIME", requires = "flight", default_value = "10s", value_parser = amount::time)]
    pub after: Duration,

    /// What the capture is to say of where and what for it was recorded: NAME=TEXT, several with commas; shown by `tracer info`, exported
    #[arg(long, value_name = "NAME=TEXT", value_delimiter = ',', value_parser = label)]
    pub labels: Vec<(String, String)>,

    /// Write how it goes into this file every few seconds, for Prometheus (the textfile directory of node_exporter: NAME.prom):
    /// events, losses by cause, how full the buffers are, how far behind the file is, bytes, files
    #[arg(long, value_name = "FILE")]
    pub metrics: Option<PathBuf>,

    #[command(flatten)]
    pub sealing: Sealing,

    /// Say the head of the chain of hashes at each seal: a line appended to FILE, or sent to the socket unix:PATH, from where
    /// it should leave this host (`tracer verify --heads`)
    #[arg(long, value_name = "FILE|unix:PATH")]
    pub heads: Option<PathBuf>,
}

/// As the command line has it when nothing is given.
impl Default for Capturing {
    fn default() -> Capturing {
        #[derive(Parser)]
        struct Only {
            #[command(flatten)]
            capturing: Capturing,
        }
        Only::parse_from(["tracer"]).capturing
    }
}

impl Default for Keeping {
    fn default() -> Keeping {
        #[derive(Parser)]
        struct Only {
            #[command(flatten)]
            keeping: Keeping,
        }
        Only::parse_from(["tracer"]).keeping
    }
}

impl Keeping {
    /// An option that was given, for who has no file that it could be about.
    pub fn given(&self) -> Option<&'static str> {
        let sealing = &self.sealing;
        let given = [
            (self.max_size.is_some(), "--max-size"),
            (self.rotate.is_some(), "--rotate"),
            (self.flight.is_some(), "--flight"),
            (self.upload.is_some(), "--upload"),
            (sealing.sign_key.is_some(), "--sign-key"),
            (!sealing.encrypt_to.is_empty(), "--encrypt-to"),
            (self.heads.is_some(), "--heads"),
            (!self.labels.is_empty(), "--labels"),
            (self.metrics.is_some(), "--metrics"),
        ];
        given.into_iter().find(|(is_given, _)| *is_given).map(|(_, name)| name)
    }
}

#[derive(Clone, Copy, PartialEq, Eq, Debug, ValueEnum)]
pub enum Transport {
    /// A memory-mapped region of each CPU
    Region,
    /// One BPF ring buffer
    Ringbuf,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug, ValueEnum)]
pub enum Hooks {
    /// The first kind of the following that this kernel takes
    Auto,
    /// Trampolines (fentry, fexit)
    Fentry,
    /// Kprobes and kretprobes
    Kprobe,
    /// Hooks of security modules, where bpf is one of them (lsm=)
    Lsm,
    None,
}

/// An argument of `--labels`.
fn label(text: &str) -> Result<(String, String), String> {
    const NAME: usize = 63;
    const TEXT: usize = 255;
    let (name, value) = text.split_once('=').ok_or("it is no NAME=TEXT, such as team=web")?;
    let is_named = name.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"_.-/".contains(&byte));
    if name.is_empty() || name.len() > NAME || !is_named {
        return Err(format!("its name {name:?} is not of 1 to {NAME} letters, digits, and _ . - /"));
    }
    if value.len() > TEXT || value.chars().any(char::is_control) {
        return Err(format!("its text is longer than {TEXT} bytes, or holds what does not print"));
    }
    Ok((name.to_owned(), value.to_owned()))
}

/// The argument of `--upload`.
fn store_url(text: &str) -> Result<String, String> {
    let rest = text.strip_prefix("s3://").or(text.strip_prefix("file:///"));
    match rest.and_then(|rest| rest.split('/').next()) {
        Some(bucket) if !bucket.is_empty() && !bucket.contains('@') => Ok(text.to_owned()),
        // Captures say where they went, and say no secrets.
        Some(bucket) if bucket.contains('@') => {
            Err("keys belong into AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY".into())
        }
        _ => Err(format!("{text} is no s3://BUCKET/PREFIX (or file:///FOLDER)")),
    }
}

/// The argument of `--max-disk`.
fn disk_bytes(text: &str) -> Result<u64, String> {
    let bytes = amount::size(text).map_err(|error| error.to_string())?;
    if bytes < retention::LEAST_DISK_BYTES {
        return Err(format!(
            "{text} is less than 64M, which hardly holds what each part of a set begins with"
        ));
    }
    Ok(bytes)
}

/// The argument of `--buffer`.
fn buffer_bytes(text: &str) -> Result<u64, String> {
    let bytes = amount::size(text).map_err(|error| error.to_string())?;
    let is_fitting = usize::try_from(bytes).is_ok_and(|bytes| bytes <= *BUFFER_BYTES.end());
    is_fitting.then_some(bytes).ok_or_else(|| {
        format!("{text} is more than 256M: a CPU's buffer cannot be larger, kernels refuse the programs")
    })
}

/// The argument of `--list-bytes`.
fn list_bytes(text: &str) -> Result<u32, String> {
    let bytes = amount::size(text).map_err(|error| error.to_string())?;
    let fitting = u32::try_from(bytes).ok().filter(|bytes| Lists::BYTES.contains(bytes));
    fitting.ok_or_else(|| format!("{text} is not from 4K to 896K: a record of one call has less than 1M"))
}

pub fn run(options: Options) -> Result<Outcome> {
    recording::record(&options)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn stores_are_named_by_urls_without_keys() {
        for good in ["s3://captures/web", "s3://captures", "file:///srv/captures"] {
            assert_eq!(store_url(good), Ok(good.to_owned()));
        }
        for bad in
            ["captures/web", "s3://", "s3:///web", "http://captures/web", "s3://key:secret@captures/web"]
        {
            assert!(store_url(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn buffers_are_no_larger_than_programs_may_write_in() {
        assert_eq!(buffer_bytes("256M"), Ok(256 << 20));
        assert!(buffer_bytes("512M").is_err_and(|error| error.contains("256M")));
        assert!(buffer_bytes("257M").is_err() && buffer_bytes("much").is_err());
    }

    #[test]
    fn labels_are_names_with_texts() {
        let read = |text: &str| label(text).map(|(name, text)| format!("{name}|{text}"));
        assert_eq!(read("team=web"), Ok("team|web".to_owned()));
        assert_eq!(read("k8s.io/zone=a=b c"), Ok("k8s.io/zone|a=b c".to_owned()));
        assert_eq!(read("empty="), Ok("empty|".to_owned()));
        for bad in ["team", "=x", "a b=c", "a=x\ny", &format!("a={}", "x".repeat(256))] {
            assert!(label(bad).is_err(), "{bad}");
        }
    }
}
