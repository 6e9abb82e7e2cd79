//! Logs of other programs as a capture. A [`Log`] gives events in the form of Tracee's JSON; JSON lines, Tracee's or our
//! own, are such a log, and what other programs write is read into that form.
//!
//! What a log does not say is missing in the capture and named in its header, never invented: its clocks are often the wall
//! clock only, a process's start is known for its main thread or from our own entity ids, and arguments are as far as
//! their text goes. The log is read twice: the header of a capture declares events that the program does not know, so
//! these must be known before the first row.

mod acting;
mod clock;
mod line;
mod schema;
mod values;
mod workload;

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader, Read, Write};

use events::{EventId, Marks, Raw};
use flate2::bufread::MultiGzDecoder;
use format::{
    BlockBuilder, Cgroup, Container, Encoder, Finished, Header, Host, Options, Recording, Row, Side, Writer,
    WriterOptions, current_schema,
};

use clock::LogClock;
pub use line::Line;
use schema::Foreign;

/// Rows of one block.
const BLOCK_ROWS: usize = 16_384;
/// A longer line is no event.
const LINE_BYTES: usize = 16 << 20;

#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    #[error("{place} {number}: {reason}")]
    Line { place: &'static str, number: u64, reason: String },
    #[error("reading the log")]
    Read(#[source] std::io::Error),
    #[error("writing the capture")]
    Write(#[from] format::Error),
    #[error("the log holds no event")]
    Empty,
}

/// What became of a log.
#[derive(Clone, Debug, Default)]
pub struct Imported {
    pub events: u64,
    /// Lines that were skipped: number and reason of the first of them, and how many there were.
    pub skipped: u64,
    pub first_skipped: Option<String>,
}

/// The first reading of a log: what its capture's header and side records must say.
#[derive(Debug, Default)]
pub struct Survey {
    kind: &'static str,
    unknown: &'static [&'static str],
    sides: Vec<Side>,
    foreign: Foreign,
    cgroups: BTreeMap<u64, Cgroup>,
    policies: Policies,
    says_less: bool,
    /// Some line says how long a call took.
    has_durations: bool,
    hostname: String,
    first_ns: Option<u64>,
    /// How far the wall clock was ahead of the boot clock in the first line that says so.
    ahead_ns: Option<u64>,
    imported: Imported,
}

/// Names of policies and the scopes that they are. A log without numbers gives each name the next one.
#[derive(Debug, Default)]
struct Policies {
    numbers: BTreeMap<String, u8>,
}

impl Policies {
    fn see(&mut self, line: &Line) {
        let names = line.matched_policies.iter().filter(|name| !name.is_empty());
        if line.matched_scopes == 0 {
            for name in names {
                let next = u8::try_from(self.numbers.len() + 1).unwrap_or(u8::MAX);
                if next <= 64 && !self.numbers.contains_key(name) {
                    self.numbers.insert(name.clone(), next);
                }
            }
        } else if names.clone().count() == line.matched_scopes.count_ones() as usize {
            // As many names as scopes: they stand in the same order.
            for (name, number) in names.zip(scopes::words::numbers(line.matched_scopes)) {
                self.numbers.insert(name.clone(), number);
            }
        }
    }

    fn mask(&self, line: &Line) -> u64 {
        let numbers = line.matched_policies.iter().filter_map(|name| self.numbers.get(name));
        numbers.fold(0, |mask, number| mask | scopes::words::bit(*number))
    }

    /// As the header of an imported capture keeps them: a number, a blank, the name.
    fn lines(&self) -> Vec<String> {
        self.numbers.iter().map(|(name, number)| format!("{number} {name}")).collect()
    }
}

/// Numbers and names of the policies of a log that became a capture.
pub fn policies(recording: &Recording) -> Vec<(u8, String)> {
    let read = |line: &String| {
        let (number, name) = line.split_once(' ')?;
        Some((number.parse().ok()?, name.to_owned()))
    };
    let lines = recording.policies.iter().filter(|_| recording.is_made_from_log());
    lines.filter_map(read).collect()
}

/// Whether lines that are no events end the import.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum BadLines {
    Refuse,
    Skip,
}

/// A log as it is, or unpacked where it begins as gzip or zstd do. Several packed pieces, one after the other, are one log.
pub fn unpacked<'a>(mut log: impl BufRead + 'a) -> std::io::Result<Box<dyn BufRead + 'a>> {
    const GZIP: &[u8] = &[0x1f, 0x8b];
    const ZSTD: &[u8] = &[0x28, 0xb5, 0x2f, 0xfd];
    Ok(match log.fill_buf()? {
        begin if begin.starts_with(GZIP) => {
            Box::new(BufReader::with_capacity(1 << 16, MultiGzDecoder::new(log)))
        }
        begin if begin.starts_with(ZSTD) => {
            Box::new(BufReader::with_capacity(1 << 16, zstd::stream::read::Decoder::with_buffer(log)?))
        }
        _ => Box::new(log),
    })
}

/// A log, one event after the other. It is read twice, and must give the same both times.
pub trait Log {
    /// What the capture's header says that it was made from; one of [`Recording::LOG_KINDS`].
    fn kind(&self) -> &'static str;

    /// What such a log never says, besides what no log does.
    fn unknown(&self) -> &'static [&'static str] {
        &[]
    }

    /// What the number of an event counts: lines, or bytes from the beginning.
    fn place(&self) -> &'static str {
        "line"
    }

    /// What is known beside the events, once all of them were read.
    fn sides(&mut self) -> Vec<Side> {
        Vec::new()
    }

    /// The next event with the number of its line, or why the line is none; `None` at the end.
    fn next(&mut self) -> std::io::Result<Option<(u64, Result<Line, String>)>>;
}

/// Reads a log for the first time.
pub fn survey(mut log: impl Log, bad: BadLines) -> Result<Survey, Error> {
    let mut survey = Survey { kind: log.kind(), unknown: log.unknown(), ..Survey::default() };
    let mut imported = each_line(&mut log, bad, |line| {
        survey.foreign.see(&line)?;
        survey.policies.see(&line);
        survey.says_less |= line.is_workload;
        survey.has_durations |= line.duration.is_some();
        survey.first_ns = Some(survey.first_ns.unwrap_or(u64::MAX).min(line.timestamp));
        survey.ahead_ns = survey.ahead_ns.or(line.ahead_ns());
        if survey.hostname.is_empty() {
            survey.hostname = line.host_name.clone();
        }
        let started = line.context_flags.container_started;
        if !line.container_id.is_empty() {
            let cgroup = survey.cgroups.entry(line.cgroup_id).or_insert_with(|| Cgroup {
                id: line.cgroup_id,
                created_ns: Some(line.timestamp),
                container: Some(container(&line)),
                ..Cgroup::default()
            });
            if let Some(container) = cgroup.container.as_mut().filter(|_| started) {
                let first = container.started_ns.unwrap_or(u64::MAX).min(line.timestamp);
                container.started_ns = Some(first);
            }
        }
        Ok(())
    })?;
    if imported.events == 0 {
        return Err(Error::Empty);
    }
    std::mem::swap(&mut survey.imported, &mut imported);
    survey.sides = log.sides();
    Ok(survey)
}

/// How the capture of a log is written.
#[derive(Debug)]
pub struct Writing {
    /// Name and version of the program.
    pub program: String,
    pub writer: WriterOptions,
    pub encoder: Options,
    /// What the header says of the log itself, by the names of [`format::recorded`].
    pub log: BTreeMap<String, String>,
}

/// Reads a log for the second time and writes its capture.
pub fn write<W: Write>(
    mut log: impl Log,
    survey: Survey,
    writing: Writing,
    out: W,
) -> Result<(W, Finished, Imported), Error> {
    let mut writer =
        Writer::create_with(out, &header(&survey, &writing.program, writing.log), writing.writer)?;
    let mut clock = LogClock::new(survey.ahead_ns);
    let by_boot_clock = |cgroup: &Cgroup| {
        let mut cgroup = cgroup.clone();
        let started = cgroup.container.as_mut().map(|container| &mut container.started_ns);
        for time in std::iter::once(&mut cgroup.created_ns).chain(started) {
            *time = time.map(|wall_ns| clock.boot_ns(wall_ns));
        }
        cgroup
    };
    for side in &survey.sides {
        writer.side(side)?;
    }
    writer.side(&Side::Cgroups(survey.cgroups.values().map(by_boot_clock).collect()))?;
    let mut builder = BlockBuilder::new();
    let mut encoder = Encoder::new(writing.encoder);
    let (mut bytes, mut spans) = (Vec::new(), Vec::new());
    let mut failed = None;
    each_line(&mut log, BadLines::Skip, |line| {
        let Some((id, args)) = survey.foreign.event(&line) else {
            return Err("an event that changed".into());
        };
        let before_ns = clock.ahead_ns();
        let time_ns = clock.advance(line.timestamp, line.ahead_ns());
        // A block has one clock.
        if clock.ahead_ns() != before_ns && !builder.is_empty() && failed.is_none() {
            failed = encoder.encode(&mut builder).and_then(|block| writer.block(&block)).err();
        }
        if builder.is_empty() {
            builder.set_clock(clock.at(line.timestamp));
        }
        bytes.clear();
        spans.clear();
        let marks = line.marks.marks(&args);
        values::encode(&line, args, &mut bytes, &mut spans);
        let args: Vec<Raw<'_>> = spans.iter().map(|span| span.raw(&bytes)).collect();
        let context = builder.intern(&line.context(clock.ahead_ns()));
        let row = Row {
            time_ns,
            event: EventId(id),
            cpu: line.processor_id,
            context,
            ret: line.return_value,
            scopes: match (line.matched_scopes, survey.policies.mask(&line)) {
                (0, 0) => 1,
                (0, named) => named,
                (said, _) => said,
            },
            marks: Marks(
                Marks::IMPORTED
                    | marks.0
                    | if line.context_flags.is_compat { Marks::COMPAT } else { 0 }
                    | if line.stand_in { Marks::STAND_IN } else { 0 },
            ),
            duration_ns: line.duration,
            args: &args,
        };
        builder.push(&row).map_err(|error| error.to_string())?;
        if (builder.len() >= BLOCK_ROWS || builder.is_full()) && failed.is_none() {
            failed = encoder.encode(&mut builder).and_then(|block| writer.block(&block)).err();
        }
        Ok(())
    })?;
    if let Some(error) = failed {
        return Err(error.into());
    }
    if !builder.is_empty() {
        writer.block(&encoder.encode(&mut builder)?)?;
    }
    let (out, finished) = writer.finish()?;
    Ok((out, finished, survey.imported))
}

fn header(survey: &Survey, program: &str, log: BTreeMap<String, String>) -> Header {
    let mut schema = current_schema();
    schema.extend(survey.foreign.declarations());
    let less: &[&str] = if survey.says_less { &UNKNOWN_OF_WORKLOADS } else { &[] };
    let has_processes = survey.sides.iter().any(|side| matches!(side, Side::Processes(_)));
    let (clock, first_ns) = (LogClock::new(survey.ahead_ns), survey.first_ns.unwrap_or(0));
    let timing = survey.has_durations.then(|| (format::recorded::TIMING.to_owned(), String::new()));
    let boot: &[&str] = if survey.ahead_ns.is_some_and(|ahead| ahead != 0) { &[] } else { &["boot clock"] };
    Header {
        program: program.to_owned(),
        host: Host { hostname: survey.hostname.clone(), ..Host::default() },
        clock: clock.at(first_ns),
        schema,
        recording: Recording {
            start_ns: clock.boot_ns(first_ns),
            made_from: survey.kind.to_owned(),
            policies: survey.policies.lines(),
            unknown_fields: boot
                .iter()
                .chain(UNKNOWN.iter().filter(|it| **it != PROCESSES || !has_processes))
                .chain(survey.unknown)
                .chain(less)
                .map(|field| (*field).to_owned())
                .collect(),
            more: log.into_iter().chain(timing).collect(),
            ..Recording::default()
        },
        ..Header::default()
    }
}

/// Logs of JSON lines, as the header of an imported capture names them.
const TRACEE_JSON: &str = "tracee-json";

/// What such a log does not say.
const UNKNOWN: [&str; 6] = ["gid", "net_ns", "user_ns", PROCESSES, "losses", "truncation"];
const PROCESSES: &str = "processes before the first event";

/// What lines with a workload do not say besides.
const UNKNOWN_OF_WORKLOADS: [&str; 5] =
    ["processor", "cgroup (a number stands for each container)", "mnt_ns", "pid_ns", "host name"];

fn container(line: &Line) -> Container {
    Container {
        id: line.container_id.clone(),
        name: line.container_name.clone(),
        image: line.container_image.clone(),
        pod_name: line.pod_name.clone(),
        pod_namespace: line.pod_namespace.clone(),
        pod_uid: line.pod_uid.clone(),
        pod_sandbox: line.pod_sandbox,
        ..Container::default()
    }
}

/// A line in either of its forms.
fn event_of(text: &[u8]) -> Result<Line, String> {
    match serde_json::from_slice::<Line>(text) {
        Ok(line) => Ok(line),
        Err(error) if error.is_data() => match workload::read(text) {
            Ok(Some(line)) => Ok(line),
            Ok(None) => Err(error.to_string()),
            Err(reason) => Err(reason),
        },
        Err(error) => Err(error.to_string()),
    }
}

/// JSON lines, Tracee's or our own.
#[derive(Debug)]
pub struct JsonLines<R> {
    log: R,
    number: u64,
    text: Vec<u8>,
}

impl<R: BufRead> JsonLines<R> {
    pub fn new(log: R) -> JsonLines<R> {
        JsonLines { log, number: 0, text: Vec::new() }
    }
}

impl<R: BufRead> Log for JsonLines<R> {
    fn kind(&self) -> &'static str {
        TRACEE_JSON
    }

    fn next(&mut self) -> std::io::Result<Option<(u64, Result<Line, String>)>> {
        loop {
            self.number += 1;
            let read = match bounded_line(&mut self.log, &mut self.text)? {
                None => return Ok(None),
                Some(read) => read,
            };
            // What some editors and shells put before UTF-8.
            const BYTE_ORDER_MARK: &[u8] = b"\xef\xbb\xbf";
            if self.number == 1 && self.text.starts_with(BYTE_ORDER_MARK) {
                self.text.drain(..BYTE_ORDER_MARK.len());
            }
            match read {
                Ok(()) if self.text.trim_ascii().is_empty() => {}
                Ok(()) => return Ok(Some((self.number, event_of(&self.text).map(Line::complete)))),
                Err(reason) => return Ok(Some((self.number, Err(reason)))),
            }
        }
    }
}

/// Reads one line into `text`; `None` at the end. One that is longer than any event is left out, and that is said.
pub fn bounded_line(
    log: &mut impl BufRead,
    text: &mut Vec<u8>,
) -> std::io::Result<Option<Result<(), String>>> {
    text.clear();
    if Read::take(&mut *log, LINE_BYTES as u64).read_until(b'\n', text)? == 0 {
        return Ok(None);
    }
    if text.len() == LINE_BYTES && !text.ends_with(b"\n") && log.skip_until(b'\n')? > 0 {
        return Ok(Some(Err("longer than 16 MiB".to_owned())));
    }
    Ok(Some(Ok(())))
}

/// Calls `see` with each event of a log. A line that `see` refuses is as bad as one that does not read.
fn each_line(
    log: &mut impl Log,
    bad: BadLines,
    mut see: impl FnMut(Line) -> Result<(), String>,
) -> Result<Imported, Error> {
    let mut imported = Imported::default();
    while let Some((number, line)) = log.next().map_err(Error::Read)? {
        match line.and_then(&mut see) {
            Ok(()) => imported.events += 1,
            Err(reason) if bad == BadLines::Skip => {
                imported.skipped += 1;
                let place = log.place();
                imported.first_skipped.get_or_insert_with(|| format!("{place} {number}: {reason}"));
            }
            Err(reason) => return Err(Error::Line { place: log.place(), number, reason }),
        }
    }
    Ok(imported)
}
