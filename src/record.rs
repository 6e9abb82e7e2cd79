//! `tracer record`: kernel to file.

mod for_rules;
mod old_parts;
mod progress;
mod run;
mod steer;

use std::{ffi::OsString, path::PathBuf, time::Duration};

use anyhow::Result;
use clap::{Args, ValueEnum};
use recorder::amount::{self, Stretch};

use crate::{filters::FilterOptions, outcome::Outcome, seal::Sealing};

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

    /// Stop before the capture is larger than this (100M, 2G)
    #[arg(long, value_name = "SIZE", value_parser = amount::size)]
    max_size: Option<u64>,

    /// Events to record: names, globs (sched_*), sets (fs), exclusions (-read or !read); separated by commas
    #[arg(short, long, value_name = "EVENTS", allow_hyphen_values = true)]
    events: Vec<String>,

    /// Record what the rules of a file or folder need, beside what --events names; says which of them this host cannot answer
    #[arg(long, value_name = "PATH")]
    for_rules: Vec<PathBuf>,

    /// Record one in N of these system calls (read,write=100); the rest is counted, and the capture says so
    #[arg(long, value_name = "EVENTS=N")]
    sample: Vec<String>,

    #[command(flatten)]
    scopes: FilterOptions,

    /// Record only what -f and -p match; the capture says so
    #[arg(long)]
    only_matched: bool,

    /// How records come from the kernel
    #[arg(long, value_enum, default_value_t = Transport::Region)]
    transport: Transport,

    /// Programs on functions of the kernel (security_file_open and its kin); without them, exits of system calls stand in
    #[arg(long, value_enum, default_value_t = Hooks::Auto)]
    hooks: Hooks,

    /// Buffer of each CPU [default: by the number of CPUs]
    #[arg(long, value_name = "SIZE", value_parser = amount::size)]
    buffer: Option<u64>,

    /// CPUs that get a buffer, by number from 0 on; events of others are lost and counted [default: those that are online,
    /// and a quarter more, at least two, that may come online]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..))]
    cpus: Option<u16>,

    /// How much the threads that drain and encode come before others (nice); 0: as all others [default: 10]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u8).range(0..=39))]
    priority_boost: Option<u8>,

    /// Socket of Docker's API to ask for names of containers, beside those where it listens by default and DOCKER_HOST
    #[arg(long, value_name = "PATH")]
    docker_socket: Vec<PathBuf>,

    /// Keep all capabilities and system calls while recording, for kernels and containers that refuse to take them away
    #[arg(long)]
    keep_privileges: bool,

    /// Bytes kept of a string argument, such as a path
    #[arg(long, value_name = "BYTES", default_value_t = 4096, value_parser = clap::value_parser!(u32).range(16..=4096))]
    string_bound: u32,

    /// Bytes kept of a buffer argument, such as what is written
    #[arg(long, value_name = "BYTES", default_value_t = 256, value_parser = clap::value_parser!(u32).range(0..=4096))]
    buffer_bound: u32,

    /// Bytes kept of a packet, from its IP header on
    #[arg(long, value_name = "BYTES", default_value_t = 320, value_parser = clap::value_parser!(u32).range(20..=65535))]
    snaplen: u32,

    /// Compare what calls are given at entry and exit, and mark (`changed`) what somebody has changed in between
    #[arg(long)]
    strict: bool,

    /// Keep the environment of executed programs as well
    #[arg(long)]
    env: bool,

    /// Begin the next file after this much (100M) or this long (10m): FILE.0000, FILE.0001 and so on
    #[arg(long, value_name = "SIZE|TIME", value_parser = amount::stretch, conflicts_with = "flight")]
    rotate: Option<Stretch>,

    /// Keep this many files of a rotated set, the newest
    #[arg(long, value_name = "N", requires = "rotate", value_parser = clap::value_parser!(u32).range(1..))]
    keep: Option<u32>,

    /// Keep the last stretch (60s or 256M) in memory, and write it on --trigger or SIGUSR1
    #[arg(long, value_name = "SIZE|TIME", value_parser = amount::stretch)]
    flight: Option<Stretch>,

    /// Memory that --flight may hold: what does not fit goes before its time, and is told as a loss [default: 512M]
    #[arg(long, value_name = "SIZE", requires = "flight", value_parser = amount::size)]
    flight_memory: Option<u64>,

    /// Write what --flight holds when an event matches this filter
    #[arg(long, value_name = "FILTER", requires = "flight")]
    trigger: Vec<String>,

    /// Go on this long after the trigger, then stop
    #[arg(long, value_name = "TIME", requires = "flight", default_value = "10s", value_parser = amount::time)]
    after: Duration,

    #[command(flatten)]
    sealing: Sealing,

    /// Say the head of the chain of hashes at each seal: a line appended to FILE, or sent to the socket unix:PATH, from where
    /// it should leave this host (`tracer verify --heads`)
    #[arg(long, value_name = "FILE|unix:PATH")]
    heads: Option<PathBuf>,

    /// Record while this command runs, and end with its exit code
    #[arg(last = true, value_name = "COMMAND")]
    command: Vec<OsString>,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug, ValueEnum)]
enum Transport {
    /// A memory-mapped region of each CPU
    Region,
    /// One BPF ring buffer
    Ringbuf,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug, ValueEnum)]
enum Hooks {
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

pub fn run(options: Options) -> Result<Outcome> {
    run::record(&options)
}
