//! `--metrics`: how a recording goes, as a text file in Prometheus' exposition format.
//!
//! It is for the textfile collector of node_exporter, which reads whole files: each time it is written anew beside the old one
//! and takes its place. Counters begin at 0 with the recording, as Prometheus expects of a process that was started again.

use std::{
    collections::BTreeSet,
    ffi::{OsStr, OsString},
    fmt::Write as _,
    fs::File,
    io::{self, Write as _},
    os::fd::OwnedFd,
    path::{Path, PathBuf},
    sync::{
        Arc, PoisonError,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    thread::{self, JoinHandle},
    time::Duration,
};

use super::uploading;
use anyhow::{Context, Result};
use recorder::{
    assemble::Progress,
    host::clocks,
    host::privileges::{self, Part},
    loss,
};
use rustix::{
    fs::{AtFlags, CWD, Mode, OFlags, fchmod, openat, renameat, unlinkat},
    io::Errno,
};

/// Prometheus asks every 15 seconds at the shortest, as a rule.
const EVERY: Duration = Duration::from_secs(5);

/// Where it goes, and what is said of the recording itself.
#[derive(Debug)]
pub struct Metrics {
    place: Arc<Place>,
    labels: BTreeSet<(String, String)>,
    start_s: f64,
    /// Of `--upload`.
    upload: Option<Arc<uploading::State>>,
}

/// The thread that writes it.
#[derive(Debug)]
pub struct Writing {
    /// The recording is over.
    is_over: Arc<AtomicBool>,
    stop: Arc<AtomicBool>,
    thread: Option<JoinHandle<Option<io::Error>>>,
}

#[derive(Debug)]
struct Place {
    directory: OwnedFd,
    name: OsString,
    path: PathBuf,
}

impl Metrics {
    /// Opens the folder, and finds out whether files can be written there.
    pub fn open(
        path: &Path,
        labels: &[(String, String)],
        upload: Option<Arc<uploading::State>>,
    ) -> Result<Metrics> {
        let name = || format!("--metrics {}", path.display());
        let file = path.file_name().with_context(|| format!("{}: it names no file", name()))?;
        let parent = path.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."));
        let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC;
        let directory =
            openat(CWD, parent, flags, Mode::empty()).map_err(io::Error::from).with_context(name)?;
        let place = Place { directory, name: file.to_owned(), path: path.to_owned() };
        let fresh = place.fresh();
        place.create(&fresh).with_context(name)?;
        place.remove(&fresh);
        let labels = labels.iter().cloned().collect();
        let start_s = clocks::now().wall_ns as f64 / 1e9;
        Ok(Metrics { place: Arc::new(place), labels, start_s, upload })
    }

    /// Writes it every few seconds until that is ended.
    pub fn start(self, progress: Arc<Progress>, is_confined: bool) -> Writing {
        let (is_over, stop) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicBool::new(false)));
        let (over, stopped) = (Arc::clone(&is_over), Arc::clone(&stop));
        let thread = thread::Builder::new().name("tracer-metrics".into()).spawn(move || {
            if is_confined && let Err(error) = privileges::confine(Part::Metrics) {
                return Some(error);
            }
            let mut failed = None;
            loop {
                let is_last = stopped.load(Ordering::Relaxed);
                let is_recording = !is_last && !over.load(Ordering::Relaxed);
                failed = self.place.replace(&self.text(&progress, is_recording)).err().or(failed);
                if is_last {
                    return failed;
                }
                thread::park_timeout(EVERY);
            }
        });
        Writing { is_over, stop, thread: thread.ok() }
    }

    /// The whole file.
    fn text(&self, progress: &Progress, is_recording: bool) -> String {
        let read = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        let seconds = |ns: u64| ns as f64 / 1e9;
        let writing = &progress.writing;
        let (taken_ns, written_ns) = (read(&progress.last_ns), read(&writing.last_ns));
        let now = clocks::now();
        let last_event_s = match taken_ns {
            0 => 0.0,
            taken => seconds(now.wall_ns.wrapping_sub(now.boot_ns).wrapping_add(taken)),
        };
        let mut text = Exposition::default();
        text.family("tracer_build_info", "gauge", "The version of tracer.");
        text.sample("tracer_build_info", &[("version", env!("CARGO_PKG_VERSION"))], 1.0);
        text.family("tracer_label_info", "gauge", "What --labels says of the recording.");
        for (name, value) in &self.labels {
            text.sample("tracer_label_info", &[("name", name), ("value", value)], 1.0);
        }
        text.one(
            "tracer_recording",
            "gauge",
            "1 while events are recorded, 0 once that has ended.",
            u8::from(is_recording).into(),
        );
        text.one("tracer_start_time_seconds", "gauge", "When the recording began, Unix time.", self.start_s);
        text.one(
            "tracer_update_time_seconds",
            "gauge",
            "When this was written, Unix time.",
            seconds(now.wall_ns),
        );
        text.one(
            "tracer_events_total",
            "counter",
            "Events taken from the kernel.",
            read(&progress.events) as f64,
        );
        text.one(
            "tracer_events_written_total",
            "counter",
            "Events written into files.",
            read(&writing.rows) as f64,
        );
        text.one(
            "tracer_events_left_out_total",
            "counter",
            "Events left out, for no scope wanted them.",
            read(&progress.filtered) as f64,
        );
        text.family("tracer_events_lost_total", "counter", "Events lost, by cause.");
        let mut lost = progress.lost_by_cause.lock().unwrap_or_else(PoisonError::into_inner).clone();
        // The causes that matter most are there from the beginning, so that a rate sees the first loss.
        for cause in [loss::QUEUE_FULL, "buffer full"] {
            lost.entry(cause).or_default();
        }
        lost.insert("not written", read(&writing.lost_rows));
        for (cause, count) in &lost {
            text.sample("tracer_events_lost_total", &[("cause", cause)], *count as f64);
        }
        text.one(
            "tracer_buffer_fill_ratio",
            "gauge",
            "How full the fullest of the kernel's buffers was when it was drained last.",
            read(&progress.buffer_fill) as f64 / 1000.0,
        );
        text.one(
            "tracer_last_event_time_seconds",
            "gauge",
            "When the last event happened that was taken, Unix time.",
            last_event_s,
        );
        text.one(
            "tracer_file_lag_seconds",
            "gauge",
            "From the last event that is in a file to the last one that was taken.",
            seconds(taken_ns.saturating_sub(written_ns)) * f64::from(u8::from(written_ns > 0)),
        );
        text.one(
            "tracer_written_bytes_total",
            "counter",
            "Bytes of events written into files.",
            read(&writing.bytes) as f64,
        );
        text.one(
            "tracer_disk_bytes",
            "gauge",
            "What the set's files take of the disk, with room that was asked for ahead.",
            read(&writing.disk_bytes) as f64,
        );
        text.one("tracer_files_total", "counter", "Files begun.", read(&writing.files) as f64);
        text.one(
            "tracer_files_removed_total",
            "counter",
            "Files removed by --keep, --max-disk and --keep-for.",
            read(&writing.removed_files) as f64,
        );
        text.one(
            "tracer_events_removed_total",
            "counter",
            "Events that were in removed files of this recording.",
            read(&writing.removed_rows) as f64,
        );
        if let Some(upload) = &self.upload {
            text.one(
                "tracer_files_removed_unacknowledged_total",
                "counter",
                "Files removed before the store of --upload had said that it has them.",
                read(&writing.removed_unacknowledged_files) as f64,
            );
            text.one(
                "tracer_uploader_running",
                "gauge",
                "1 while the process of --upload runs.",
                u8::from(upload.is_running.load(Ordering::Relaxed)).into(),
            );
            text.one(
                "tracer_uploader_failures_total",
                "counter",
                "How often the process of --upload ended though the recording went on.",
                read(&upload.failures) as f64,
            );
        }
        text.text
    }
}

impl Writing {
    /// The recording is over, and what it has left to do goes on.
    pub fn recording_ends(&self) {
        self.is_over.store(true, Ordering::Relaxed);
        self.thread.iter().for_each(|thread| thread.thread().unpark());
    }

    /// Writes it a last time; the last error that there was.
    pub fn end(self) -> Option<io::Error> {
        self.stop.store(true, Ordering::Relaxed);
        let thread = self.thread?;
        thread.thread().unpark();
        thread.join().ok().flatten()
    }
}

impl Place {
    fn fresh(&self) -> OsString {
        let mut fresh = OsString::from(".");
        fresh.push(&self.name);
        fresh.push(".partial");
        fresh
    }

    /// A new file that nobody has put there. One of its name was left behind by a recorder that was killed.
    fn create(&self, fresh: &OsStr) -> io::Result<File> {
        self.remove(fresh);
        let flags = OFlags::WRONLY | OFlags::CREATE | OFlags::EXCL | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        let file = openat(&self.directory, fresh, flags, Mode::from_raw_mode(0o644))?;
        // Whoever collects it is another user, whatever the umask says.
        fchmod(&file, Mode::from_raw_mode(0o644))?;
        Ok(file.into())
    }

    fn remove(&self, fresh: &OsStr) {
        let _: Result<(), Errno> = unlinkat(&self.directory, fresh, AtFlags::empty());
    }

    fn replace(&self, text: &str) -> io::Result<()> {
        let fresh = self.fresh();
        let fail = |error: io::Error| {
            io::Error::new(error.kind(), format!("writing --metrics {}: {error}", self.path.display()))
        };
        let mut file = self.create(&fresh).map_err(fail)?;
        file.write_all(text.as_bytes()).map_err(fail)?;
        renameat(&self.directory, &fresh, &self.directory, &self.name).map_err(|error| fail(error.into()))
    }
}

/// Lines of the format: <https://prometheus.io/docs/instrumenting/exposition_formats/>, version 0.0.4.
#[derive(Debug, Default)]
struct Exposition {
    text: String,
}

impl Exposition {
    fn family(&mut self, name: &str, kind: &str, help: &str) {
        let _ = writeln!(self.text, "# HELP {name} {help}\n# TYPE {name} {kind}");
    }

    fn one(&mut self, name: &str, kind: &str, help: &str, value: f64) {
        self.family(name, kind, help);
        self.sample(name, &[], value);
    }

    fn sample(&mut self, name: &str, labels: &[(&str, &str)], value: f64) {
        self.text.push_str(name);
        for (at, (label, text)) in labels.iter().enumerate() {
            let (before, text) = (if at == 0 { '{' } else { ',' }, escaped(text));
            let _ = write!(self.text, "{before}{label}=\"{text}\"");
        }
        let end = if labels.is_empty() { "" } else { "}" };
        let _ = writeln!(self.text, "{end} {value}");
    }
}

fn escaped(text: &str) -> String {
    text.replace('\\', "\\\\").replace('"', "\\\"").replace('\n', "\\n")
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;

    /// Reads the format as its description has it, and is as strict as promtool: each family once, with help and type before
    /// its samples, which stand together; no series twice; counters end in `_total`.
    pub fn parsed(text: &str) -> BTreeMap<String, f64> {
        assert!(text.ends_with('\n'), "the last line has no end");
        let is_name = |name: &str| {
            !name.is_empty()
                && !name.starts_with(|c: char| c.is_ascii_digit())
                && name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_' || c == ':')
        };
        let (mut families, mut series) = (BTreeMap::new(), BTreeMap::new());
        let mut current = String::new();
        let mut helped = String::new();
        for line in text.lines() {
            if let Some(rest) = line.strip_prefix("# HELP ") {
                helped = rest.split_once(' ').expect("help has a text").0.to_owned();
                continue;
            }
            if let Some(rest) = line.strip_prefix("# TYPE ") {
                let (name, kind) = rest.split_once(' ').expect("a type");
                assert!(is_name(name) && name == helped && matches!(kind, "counter" | "gauge"), "{line}");
                assert_eq!(kind == "counter", name.ends_with("_total"), "{line}");
                assert!(families.insert(name.to_owned(), kind.to_owned()).is_none(), "{name} twice");
                current = name.to_owned();
                continue;
            }
            let (series_text, value) = line.rsplit_once(' ').expect("a value");
            let name = series_text.split('{').next().unwrap();
            assert_eq!(name, current, "a sample outside its family");
            if let Some(labels) = series_text.strip_prefix(name).filter(|labels| !labels.is_empty()) {
                let mut rest = labels.strip_prefix('{').and_then(|it| it.strip_suffix('}')).expect("braces");
                while !rest.is_empty() {
                    let (label, after) = rest.split_once("=\"").expect("a label");
                    assert!(is_name(label) && !label.contains(':'), "{label}");
                    let mut is_escaped = false;
                    let end = after.find(|c| {
                        let is_end = c == '"' && !is_escaped;
                        assert!(!is_escaped || matches!(c, '\\' | '"' | 'n'), "{line}");
                        is_escaped = c == '\\' && !is_escaped;
                        is_end
                    });
                    let (_, after) = after.split_at(end.expect("the end of a text"));
                    rest = after[1..].strip_prefix(',').unwrap_or(&after[1..]);
                }
            }
            let value: f64 = value.parse().expect("a number");
            assert!(series.insert(series_text.to_owned(), value).is_none(), "{series_text} twice");
        }
        series
    }

    #[test]
    fn what_is_written_is_what_prometheus_reads_and_takes_the_place_of_the_old_whole() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("tracer.prom");
        let labels = [("team", "a \"b\" \\ c"), ("k8s.io/zone", "x"), ("team", "a \"b\" \\ c")];
        let labels = labels.map(|(name, value)| (name.to_owned(), value.to_owned()));
        std::fs::write(folder.path().join(".tracer.prom.partial"), "left behind").unwrap();
        let progress = Arc::new(Progress::default());
        progress.events.store(7, Ordering::Relaxed);
        progress.last_ns.store(5_500_000_000, Ordering::Relaxed);
        progress.writing.last_ns.store(5_000_000_000, Ordering::Relaxed);
        progress.buffer_fill.store(250, Ordering::Relaxed);
        progress.lost_by_cause.lock().unwrap().insert("buffer full", 3);
        let metrics = Metrics::open(&path, &labels, Some(Arc::default())).unwrap();
        let series = parsed(&metrics.text(&progress, true));
        let writing = metrics.start(Arc::clone(&progress), false);
        assert!(writing.end().is_none());
        let ended = parsed(&std::fs::read_to_string(&path).unwrap());
        for (name, value) in [
            ("tracer_recording", 1.0),
            ("tracer_events_total", 7.0),
            ("tracer_buffer_fill_ratio", 0.25),
            ("tracer_file_lag_seconds", 0.5),
            ("tracer_uploader_running", 0.0),
            ("tracer_uploader_failures_total", 0.0),
            ("tracer_files_removed_unacknowledged_total", 0.0),
            ("tracer_events_lost_total{cause=\"buffer full\"}", 3.0),
            ("tracer_events_lost_total{cause=\"queue full\"}", 0.0),
            ("tracer_label_info{name=\"team\",value=\"a \\\"b\\\" \\\\ c\"}", 1.0),
            ("tracer_label_info{name=\"k8s.io/zone\",value=\"x\"}", 1.0),
        ] {
            assert_eq!(series.get(name), Some(&value), "{name} in {series:#?}");
        }
        assert_eq!((ended["tracer_recording"], ended["tracer_events_total"]), (0.0, 7.0));
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 1, "nothing is left beside it");
        let refused = Metrics::open(&folder.path().join("no/x.prom"), &labels, None).unwrap_err();
        assert!(refused.to_string().contains("--metrics"), "{refused}");
    }
}
