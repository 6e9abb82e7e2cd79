//! What a capture holds, from its header, statistics and side records; of a part of a capture whose statistics do not say what
//! its rows are marked with, the rows are read.

mod artifacts;
mod marks;

use std::collections::BTreeMap;
use std::fmt::Write as _;

use artifacts::ArtifactsInfo;
use events::EventId;
use format::{Capture, Completeness, Header, Provenance, Recording, SourceCapture, recorded};
use jiff::Timestamp;
use marks::Marked;
use pipeline::WallClock;
use scopes::is_printable;
use serde::Serialize;

/// The report of `tracer info`, and its JSON.
#[derive(Clone, Debug, Serialize)]
pub struct Info {
    pub file: String,
    pub program: String,
    pub host: String,
    pub kernel: String,
    pub kernel_version: String,
    pub arch: String,
    pub os: String,
    pub boot_id: String,
    pub cpus: u32,
    /// RFC 3339 in UTC, of the first and the last event; `null` without events.
    pub start: Option<String>,
    pub end: Option<String>,
    /// ns since the epoch.
    pub start_ns: Option<u64>,
    pub end_ns: Option<u64>,
    pub duration_ns: u64,
    /// Events in the file; `by_event` adds up to this.
    pub events: u64,
    /// Rows beside them that are there for the state of processes only, and are shown to nobody.
    pub hidden: u64,
    /// Events that happened and are not in the file.
    pub lost: u64,
    pub losses: Vec<LossInfo>,
    /// By name.
    pub by_event: BTreeMap<&'static str, u64>,
    /// Rows that have each mark, by the mark's name and the event's; `hidden` rows too.
    pub marks: BTreeMap<&'static str, BTreeMap<&'static str, u64>>,
    /// Blocks of whose rows the marks are not known: of versions before 5, or damaged.
    pub unknown_marks_blocks: u64,
    /// Of the file.
    pub bytes: u64,
    pub bytes_per_event: f64,
    pub blocks: usize,
    pub processes: usize,
    pub containers: Vec<ContainerInfo>,
    pub command_line: Vec<String>,
    pub filters: Vec<String>,
    /// Policy files that it was recorded with.
    pub policies: usize,
    /// As given with `--events`; empty: all.
    pub recorded_events: Vec<String>,
    pub only_matched: bool,
    pub string_bound: u32,
    pub buffer_bound: u32,
    pub snaplen: u32,
    /// Of lists of strings; `null` where the capture does not say: then it is 512 strings.
    pub list_strings: Option<u64>,
    pub list_bytes: Option<u64>,
    pub transport: String,
    /// What the recorder took; `null` where the capture does not say.
    pub memory: Option<MemoryInfo>,
    /// Bytes that were kept; `null` where there are none, and none were asked for.
    pub artifacts: Option<ArtifactsInfo>,
    /// How often an exec has no hash, by the reason.
    pub without_hash: BTreeMap<String, u64>,
    /// What who recorded it wanted to be said of it.
    pub labels: BTreeMap<String, String>,
    /// Where its recorder had finished parts uploaded; `null` where it did not.
    pub upload: Option<String>,
    /// Files of the set that a limit had removed, up to where this part begins, before the store had said that it has them.
    pub removed_unacknowledged: u64,
    /// What the store calls this file, where it has said that it has it: the mark that lies beside the file says so.
    pub uploaded_as: Option<String>,
    pub made_from: String,
    /// Name and SHA-256 of the log that the capture was made from; empty where that is not said.
    pub log: String,
    pub log_sha256: String,
    /// What the log never says that the capture was made from: no such event is not "it did not happen".
    pub not_known: Vec<String>,
    /// How it was made from other captures, the last step first: a line for each step, and behind it one for each source.
    pub provenance: Vec<String>,
    /// Number in a rotated set, from 0; 0 as well for a recording that was not rotated.
    pub part: u32,
    /// Further hosts of a merged capture.
    pub more_hosts: Vec<String>,
    pub unavailable: Vec<UnavailableInfo>,
    /// `true`: the file was finished; `false`: salvaged.
    pub complete: bool,
    /// What is missing of a salvaged file.
    pub missing: Option<String>,
}

/// Bytes, and the number of CPUs that had a buffer.
#[derive(Clone, Debug, Serialize)]
pub struct MemoryInfo {
    pub buffer_cpus: u64,
    /// Of all buffers together.
    pub buffer_bytes: u64,
    /// Of the kernel, buffers included.
    pub kernel_bytes: u64,
    /// What the recorder's own memory could have come to.
    pub bound_bytes: u64,
}

impl MemoryInfo {
    fn of(recording: &Recording) -> Option<MemoryInfo> {
        Some(MemoryInfo {
            buffer_cpus: recording.number(recorded::BUFFER_CPUS)?,
            buffer_bytes: recording.number(recorded::BUFFER_BYTES)?,
            kernel_bytes: recording.number(recorded::KERNEL_BYTES)?,
            bound_bytes: recording.number(recorded::MEMORY_BOUND_BYTES)?,
        })
    }
}

#[derive(Clone, Debug, Serialize)]
pub struct LossInfo {
    pub from_ns: u64,
    pub to_ns: u64,
    pub cpu: Option<u16>,
    pub event: Option<&'static str>,
    pub count: u64,
    pub cause: String,
}

#[derive(Clone, Debug, Serialize)]
pub struct ContainerInfo {
    pub id: String,
    pub name: String,
    pub image: String,
    pub runtime: String,
}

#[derive(Clone, Debug, Serialize)]
pub struct UnavailableInfo {
    pub event: String,
    pub reason: String,
}

impl Info {
    pub fn of(file: String, capture: &Capture) -> Info {
        let header = capture.header();
        let recording = &header.recording;
        let schema = capture.schema();
        let mut by_event = BTreeMap::new();
        let mut events = 0u64;
        for block in capture.blocks() {
            events = events.saturating_add(block.statistics.rows);
            for count in &block.statistics.events {
                let known = by_event.entry(name_of(capture, count.event)).or_insert(0u64);
                *known = known.saturating_add(count.rows.into());
            }
        }
        // Only what left something out keeps rows for the state alone.
        let is_part =
            recording.only_matched || !recording.made_from.is_empty() || !header.provenance.is_empty();
        let Marked { by_mark, hidden: hidden_rows, unknown_blocks } = Marked::of(capture, is_part);
        let mut hidden = 0u64;
        for (event, rows) in hidden_rows {
            if let Some(count) = by_event.get_mut(name_of(capture, event)) {
                *count = count.saturating_sub(rows);
            }
            hidden = hidden.saturating_add(rows);
        }
        events -= hidden.min(events);
        by_event.retain(|_, count| *count > 0);
        // Times are told as tables show them: by the clocks of the blocks.
        let clocks: Vec<WallClock> =
            (0u16..).zip(header.hosts()).map(|(host, _)| WallClock::of(capture, host)).collect();
        let wall = |host: u16, boot_ns: u64| match clocks.get(usize::from(host)) {
            Some(clock) => u64::try_from(clock.wall(boot_ns)).unwrap_or_default(),
            None => header.clock.wall(boot_ns),
        };
        let filled = || capture.blocks().iter().filter(|block| block.statistics.rows > 0);
        let first = filled().map(|block| wall(block.host(), block.statistics.first_ns)).min();
        let last = filled().map(|block| wall(block.host(), block.statistics.last_ns)).max();
        let losses = capture.losses().iter().map(|loss| LossInfo {
            from_ns: wall(loss.host, loss.from_ns),
            to_ns: wall(loss.host, loss.to_ns),
            cpu: loss.cpu,
            event: loss.event.and_then(|id| schema.event(id)).map(|event| event.name),
            count: loss.count,
            cause: loss.cause.clone(),
        });
        let mut containers = BTreeMap::new();
        for container in capture.cgroups().iter().filter_map(|cgroup| cgroup.container.as_ref()) {
            let info = ContainerInfo {
                id: container.id.clone(),
                name: container.name.clone(),
                image: container.image.clone(),
                runtime: container.runtime.clone(),
            };
            containers.insert(container.id.clone(), info);
        }
        let unavailable = recording.unavailable.iter();
        let missing = match capture.completeness() {
            Completeness::Finished => None,
            Completeness::Growing => Some("still being written".to_owned()),
            Completeness::Salvaged { lost_bytes, what } => Some(format!("{what} ({lost_bytes} bytes lost)")),
        };
        Info {
            file,
            program: header.program.clone(),
            host: header.host.hostname.clone(),
            kernel: header.host.kernel_release.clone(),
            kernel_version: header.host.kernel_version.clone(),
            arch: header.host.arch.clone(),
            os: header.host.os.clone(),
            boot_id: header.host.boot_id.clone(),
            cpus: header.host.cpus,
            start: first.map(rfc3339),
            end: last.map(rfc3339),
            start_ns: first,
            end_ns: last,
            duration_ns: duration_ns(capture).unwrap_or_default(),
            events,
            hidden,
            lost: capture.losses().iter().fold(0, |sum, loss| sum.saturating_add(loss.count)),
            losses: losses.collect(),
            by_event,
            marks: by_mark,
            unknown_marks_blocks: unknown_blocks,
            bytes: capture.bytes(),
            bytes_per_event: if events == 0 { 0.0 } else { capture.bytes() as f64 / events as f64 },
            blocks: capture.blocks().len(),
            processes: capture.processes().len(),
            containers: containers.into_values().collect(),
            command_line: recording.command_line.clone(),
            filters: recording.filters.clone(),
            policies: recording.policies.len(),
            recorded_events: recording.events.clone(),
            only_matched: recording.only_matched,
            string_bound: recording.string_bound,
            buffer_bound: recording.buffer_bound,
            snaplen: recording.snaplen,
            list_strings: recording.number(recorded::LIST_STRINGS),
            list_bytes: recording.number(recorded::LIST_BYTES),
            transport: recording.transport.clone(),
            memory: MemoryInfo::of(recording),
            artifacts: ArtifactsInfo::of(capture),
            without_hash: artifacts::without_hash(capture),
            labels: recording.labels().map(|(name, text)| (name.to_owned(), text.to_owned())).collect(),
            upload: recording.more.get(recorded::UPLOAD).cloned(),
            removed_unacknowledged: recording.number(recorded::REMOVED_UNACKNOWLEDGED).unwrap_or_default(),
            uploaded_as: None,
            made_from: recording.made_from.clone(),
            log: recording.more.get(recorded::LOG_NAME).cloned().unwrap_or_default(),
            log_sha256: recording.more.get(recorded::LOG_SHA256).cloned().unwrap_or_default(),
            not_known: recording.unknown_fields.clone(),
            provenance: provenance(header),
            part: recording.part,
            more_hosts: header.more_hosts.iter().map(|host| host.hostname.clone()).collect(),
            unavailable: unavailable
                .map(|it| UnavailableInfo { event: it.event.clone(), reason: it.reason.clone() })
                .collect(),
            complete: missing.is_none(),
            missing,
        }
    }

    /// How much of an argument is kept, for people.
    fn kept(&self) -> String {
        let lists = match (self.list_strings, self.list_bytes) {
            (Some(strings), Some(bytes)) => {
                format!(", {} strings or {} bytes of a list", grouped(strings), grouped(bytes))
            }
            _ => String::new(),
        };
        format!(
            "{} bytes of a string, {} of a buffer{lists}, {} of a packet",
            grouped(self.string_bound.into()),
            grouped(self.buffer_bound.into()),
            grouped(self.snaplen.into())
        )
    }

    /// For people.
    pub fn text(&self) -> String {
        let mut text = String::new();
        let mut line = |label: &str, value: String| {
            // Strings of a capture are foreign: no line may forge another.
            let value: String = value.chars().map(|c| if is_printable(c) { c } else { '\u{fffd}' }).collect();
            let _ = writeln!(text, "{label:<14} {value}");
        };
        line("File", self.file.clone());
        line("Recorded by", self.program.clone());
        line("Host", format!("{} ({} cpus, {})", self.host, self.cpus, self.os));
        if !self.more_hosts.is_empty() {
            line("Other hosts", self.more_hosts.join(", "));
        }
        line("Kernel", format!("{} {} {}", self.kernel, self.arch, self.kernel_version));
        let time = |time: &Option<String>| time.clone().unwrap_or_else(|| "-".to_owned());
        line("Start", time(&self.start));
        line("End", time(&self.end));
        line("Duration", format!("{:.6} s", self.duration_ns as f64 / 1e9));
        let hidden = match self.hidden {
            0 => String::new(),
            hidden => format!(", and {} rows for the state of processes", grouped(hidden)),
        };
        line("Events", format!("{}{hidden}", grouped(self.events)));
        line("Lost", grouped(self.lost));
        line(
            "Size",
            format!(
                "{} bytes, {:.2} an event, {} blocks",
                grouped(self.bytes),
                self.bytes_per_event,
                self.blocks
            ),
        );
        line("Complete", self.missing.clone().map_or("yes".to_owned(), |missing| format!("no: {missing}")));
        if !self.command_line.is_empty() {
            line("Command", self.command_line.join(" "));
        }
        if let Some(memory) = &self.memory {
            let mib = |bytes: u64| format!("{:.1} MiB", bytes as f64 / 1_048_576.0);
            let (buffers, kernel, own) =
                (mib(memory.buffer_bytes), mib(memory.kernel_bytes), mib(memory.bound_bytes));
            line(
                "Memory",
                format!(
                    "{kernel} of the kernel ({} buffers, {buffers}), at most {own} of the recorder",
                    memory.buffer_cpus
                ),
            );
        }
        if !self.transport.is_empty() {
            line("Kept", self.kept());
        }
        if let Some(artifacts) = &self.artifacts {
            artifacts.lines().into_iter().enumerate().for_each(|(at, told)| {
                line(if at == 0 { "Artifacts" } else { "" }, told);
            });
        }
        for (at, (reason, count)) in self.without_hash.iter().enumerate() {
            let noun = if *count == 1 { "exec" } else { "execs" };
            line(if at == 0 { "Without hash" } else { "" }, format!("{} {noun}: {reason}", grouped(*count)));
        }
        if !self.labels.is_empty() {
            let labels: Vec<String> =
                self.labels.iter().map(|(name, text)| format!("{name}={text}")).collect();
            line("Labels", labels.join(", "));
        }
        if let Some(upload) = &self.upload {
            let gone = match self.removed_unacknowledged {
                0 => String::new(),
                1 => "; 1 file of the set was removed before it was there".to_owned(),
                gone => format!("; {} files of the set were removed before they were there", grouped(gone)),
            };
            line("Uploaded to", format!("{upload}{gone}"));
        }
        if let Some(name) = &self.uploaded_as {
            line("Uploaded as", name.clone());
        }
        if !self.made_from.is_empty() {
            line("Made from", self.made_from.clone());
        }
        if !self.log_sha256.is_empty() {
            line("Log", format!("{}, SHA-256 {}", self.log, self.log_sha256));
        }
        if !self.not_known.is_empty() {
            line("Not known", self.not_known.join("; "));
        }
        for (number, step) in self.provenance.iter().enumerate() {
            line(if number == 0 { "Made by" } else { "" }, step.clone());
        }
        if self.part > 0 {
            line("Part", format!("{} of a rotated set", self.part));
        }
        if !self.filters.is_empty() {
            let narrow = if self.only_matched { " (only what matched was recorded)" } else { "" };
            line("Filters", format!("{}{narrow}", self.filters.join(" ")));
        }
        if !self.recorded_events.is_empty() {
            line("Only events", self.recorded_events.join(","));
        }
        for container in &self.containers {
            line(
                "Container",
                format!("{:.12} {} {} {}", container.id, container.name, container.image, container.runtime),
            );
        }
        let mut by_reason: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
        for it in &self.unavailable {
            by_reason.entry(&it.reason).or_default().push(&it.event);
        }
        for (reason, events) in by_reason {
            line("Not recorded", format!("{}: {reason}", events.join(", ")));
        }
        for loss in &self.losses {
            let event = loss.event.unwrap_or("any event");
            let cpu = loss.cpu.map_or(String::new(), |cpu| format!(" on cpu {cpu}"));
            let window = format!("{} to {}", rfc3339(loss.from_ns), rfc3339(loss.to_ns));
            line("Loss", format!("{} of {event}{cpu}, {window}: {}", grouped(loss.count), loss.cause));
        }
        let mut by_event: Vec<_> = self.by_event.iter().collect();
        by_event.sort_by_key(|(name, count)| (std::cmp::Reverse(**count), **name));
        for (place, (name, count)) in by_event.into_iter().enumerate() {
            line(if place == 0 { "By event" } else { "" }, format!("{:>14} {name}", grouped(*count)));
        }
        for (place, told) in Marked::lines(&self.marks).enumerate() {
            line(if place == 0 { "Marked" } else { "" }, told);
        }
        if self.unknown_marks_blocks > 0 {
            let blocks = grouped(self.unknown_marks_blocks);
            line("Marks unknown", format!("of {blocks} blocks"));
        }
        text
    }
}

/// From the first event to the last, by the boot clock, which nobody sets.
fn duration_ns(capture: &Capture) -> Option<u64> {
    let filled = || capture.blocks().iter().filter(|block| block.statistics.rows > 0);
    let first = filled().map(|block| block.statistics.first_ns).min()?;
    let last = filled().map(|block| block.statistics.last_ns).max()?;
    Some(last.saturating_sub(first))
}

/// A line for each step in which a capture was made from others, and one for each source of a step.
fn provenance(header: &Header) -> Vec<String> {
    let mut lines = Vec::new();
    for Provenance { command, sources } in &header.provenance {
        lines.push(command.join(" "));
        for SourceCapture { name, head, signed_by, verdict } in sources {
            let name = if name.is_empty() { "a capture" } else { name };
            let head = head.map(|head| head.map(|byte| format!("{byte:02x}")).concat());
            let head = head.map_or(String::new(), |head| format!(" with chain head {head}"));
            let signer = signed_by.as_ref().map_or("not signed".into(), |key| format!("signed by {key}"));
            lines.push(format!("  of {name}{head}: {verdict}, {signer}"));
        }
    }
    lines
}

fn name_of(capture: &Capture, event: EventId) -> &'static str {
    capture.schema().event(event).map_or("undeclared_event", |event| event.name)
}

/// A wall-clock time in UTC.
fn rfc3339(wall_ns: u64) -> String {
    match Timestamp::from_nanosecond(wall_ns.into()) {
        Ok(time) => format!("{time:.9}"),
        // Beyond what calendars say: the number is better than nothing.
        Err(_) => format!("{wall_ns} ns"),
    }
}

/// 1234567 as 1,234,567.
pub(crate) fn grouped(number: u64) -> String {
    let digits = number.to_string();
    let mut text = String::new();
    for (place, digit) in digits.chars().enumerate() {
        if place > 0 && (digits.len() - place).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_grouped_and_times_keep_their_nanoseconds() {
        assert_eq!([grouped(0), grouped(999), grouped(1_234_567)], ["0", "999", "1,234,567"]);
        assert_eq!(rfc3339(1_668_542_955_041_923_001), "2022-11-15T20:09:15.041923001Z");
    }
}
