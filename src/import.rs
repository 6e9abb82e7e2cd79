//! `tracer import`: logs of others as a capture.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{self, BufReader, Read};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::SystemTime;

use anyhow::{Context, Result};
use clap::{Args, ValueEnum};
use format::{Side, recorded};
use interchange::import::{Auditd, Dialect, Objects, Scap, Strace, Sysmon};
use jiff::Timestamp;
use jiff::civil::Time;
use jiff::tz::TimeZone;
use replay::import::{self, BadLines, JsonLines, Line, Log};
use sha2::{Digest, Sha256};

use crate::outcome::Outcome;
use crate::progress::Progress;
use crate::stderr;
use crate::target::Target;

#[derive(Args, Debug)]
pub struct Options {
    /// What the log is
    #[arg(long, value_name = "FORMAT", default_value = "tracee-json")]
    from: Format,
    /// The log, packed by gzip, zstd or not
    #[arg(value_name = "FILE")]
    log: PathBuf,
    #[command(flatten)]
    target: Target,
    /// Leave out lines or blocks that are no events, and say how many there were
    #[arg(long)]
    skip_bad: bool,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug, ValueEnum)]
enum Format {
    /// JSON lines of Tracee, or of `replay -o json`
    TraceeJson,
    /// Text of `strace -f -tt` or `-ttt`
    Strace,
    /// The audit daemon's log, as it is on disk or of `ausearch --raw`
    Auditd,
    /// Sysmon for Linux, from syslog or bare
    Sysmon,
    /// JSON of Tetragon's export
    Tetragon,
    /// JSON of kunai
    Kunai,
    /// Alerts of Falco as JSON
    Falco,
    /// What sysdig, Falco's tools and Stratoshark capture
    Scap,
}

/// The log in the form that captures are made from; times without a date are of the day on which it was written.
struct Opened<'a> {
    log: Box<dyn Log + 'a>,
}

impl Log for Opened<'_> {
    fn kind(&self) -> &'static str {
        self.log.kind()
    }

    fn unknown(&self) -> &'static [&'static str] {
        self.log.unknown()
    }

    fn place(&self) -> &'static str {
        self.log.place()
    }

    fn sides(&mut self) -> Vec<Side> {
        self.log.sides()
    }

    fn next(&mut self) -> io::Result<Option<(u64, Result<Line, String>)>> {
        self.log.next()
    }
}

/// A log that says how much of it was read.
struct Counted {
    file: File,
    read: Arc<AtomicU64>,
}

impl Read for Counted {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let read = self.file.read(buffer)?;
        self.read.fetch_add(read as u64, Ordering::Relaxed);
        Ok(read)
    }
}

fn open(path: &Path, format: Format, read: &Arc<AtomicU64>) -> io::Result<Opened<'static>> {
    let file = File::open(path)?;
    let written = file.metadata()?.modified()?;
    let log = import::unpacked(BufReader::new(Counted { file, read: Arc::clone(read) }))?;
    Ok(Opened {
        log: match format {
            Format::TraceeJson => Box::new(JsonLines::new(log)),
            Format::Sysmon => Box::new(Sysmon::new(log)),
            Format::Tetragon => Box::new(Objects::new(log, Dialect::Tetragon)),
            Format::Kunai => Box::new(Objects::new(log, Dialect::Kunai)),
            Format::Falco => Box::new(Objects::new(log, Dialect::Falco)),
            Format::Auditd => Box::new(Auditd::new(log)),
            Format::Scap => Box::new(Scap::new(log)),
            Format::Strace => Box::new(Strace::new(log, midnight_before(written)?)),
        },
    })
}

/// The log's name and digest, so that what the capture says leads back to it.
fn said_of(path: &Path) -> io::Result<BTreeMap<String, String>> {
    let mut file = File::open(path)?;
    let mut digest = Sha256::new();
    let mut buffer = vec![0; 1 << 16];
    loop {
        match file.read(&mut buffer)? {
            0 => break,
            count => digest.update(buffer.get(..count).unwrap_or_default()),
        }
    }
    let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
    let digest = digest.finalize().iter().map(|byte| format!("{byte:02x}")).collect();
    Ok([(recorded::LOG_NAME.to_owned(), name), (recorded::LOG_SHA256.to_owned(), digest)].into())
}

/// Seconds since the epoch at which the local day of a time began.
fn midnight_before(time: SystemTime) -> io::Result<i64> {
    let zone = TimeZone::system();
    let local = zone.to_datetime(Timestamp::try_from(time).map_err(io::Error::other)?);
    let midnight = local.date().to_datetime(Time::midnight());
    Ok(zone.to_timestamp(midnight).map_err(io::Error::other)?.as_second())
}

pub fn run(options: Options) -> Result<Outcome> {
    let name = options.log.display().to_string();
    let read = Arc::new(AtomicU64::new(0));
    let open = || open(&options.log, options.from, &read).with_context(|| name.clone());
    let total = options.log.metadata().map_or(0, |log| log.len());
    let counter = Arc::clone(&read);
    let progress = Progress::start(total, move || counter.load(Ordering::Relaxed));
    let bad = if options.skip_bad { BadLines::Skip } else { BadLines::Refuse };
    let survey = import::survey(open()?, bad).with_context(|| name.clone())?;
    let writing = import::Writing {
        program: concat!("tracer ", env!("CARGO_PKG_VERSION")).to_owned(),
        writer: options.target.writer_options()?,
        encoder: options.target.encoder_options(),
        log: said_of(&options.log).with_context(|| name.clone())?,
    };
    let file = options.target.file(&[&options.log])?;
    let (file, finished, imported) =
        import::write(open()?, survey, writing, file).with_context(|| name.clone())?;
    drop(progress);
    options.target.close(file, &finished)?;
    stderr::note(format_args!("{} events imported", imported.events));
    if let Some(first) = &imported.first_skipped {
        let places = if options.from == Format::Scap { "blocks" } else { "lines" };
        stderr::warn(format_args!("{} {places} skipped; the first: {first}", imported.skipped));
    }
    Ok(Outcome::Done)
}
