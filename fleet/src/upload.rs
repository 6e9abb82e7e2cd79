//! `tracer-fleet upload`: finished parts of a folder into an object store, once or as they are sealed.

use std::fs;
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use anyhow::{Context, Result, bail};
use clap::Args;
use interchange::upload::{Patience, SetName, Uploaded, Uploader, recovered};

use crate::sql::{Outcome, say};
use crate::store::Objects;

#[derive(Args, Debug)]
pub struct Options {
    /// The folder of the captures; those below it are other folders'
    #[arg(value_name = "FOLDER")]
    folder: PathBuf,
    /// Where they go: s3://BUCKET/PREFIX, or file:///FOLDER; keys, region and endpoint come from the environment (AWS_...)
    #[arg(value_name = "URL")]
    url: String,
    /// Only files of the rotated set of this name: c.trz are c.0000.trz, c.0001.trz and so on
    #[arg(long, value_name = "NAME")]
    set: Option<PathBuf>,
    /// Go on until a signal, and take what is sealed meanwhile
    #[arg(long)]
    follow: bool,
    /// With --follow: go on until the standard input ends, too; then what is sealed is taken once more
    #[arg(long, requires = "follow", hide = true)]
    until_stdin_ends: bool,
    /// With --follow: how often the folder is looked at
    #[arg(long, value_name = "SECONDS", default_value_t = 5, requires = "follow", value_parser = clap::value_parser!(u64).range(1..))]
    every: u64,
    /// How often a part is tried in one run: after 1 s, 2 s, 4 s and so on, up to a minute
    #[arg(long, value_name = "N", default_value_t = 5, value_parser = clap::value_parser!(u32).range(1..))]
    tries: u32,
    /// Write how it goes into this file, for Prometheus
    #[arg(long, value_name = "FILE")]
    metrics: Option<PathBuf>,
    /// Say nothing but errors
    #[arg(long, short)]
    quiet: bool,
}

/// What came of all runs, for metrics.
#[derive(Default)]
struct Sum {
    parts: u64,
    bytes: u64,
    failures: u64,
    waiting: u64,
    unfinished: u64,
    abandoned: u64,
    last_s: f64,
}

/// Why a run may end.
#[derive(Clone, Default)]
struct End {
    /// A signal: what is not begun is left.
    is_asked: Arc<AtomicBool>,
    /// The recording is over: what is sealed is taken once more.
    is_last: Arc<AtomicBool>,
}

/// How often somebody is asked whether it is enough.
const LOOK: Duration = Duration::from_millis(50);

pub fn run(options: &Options) -> Result<Outcome> {
    let mut store = Objects::open(&options.url)?;
    let patience = Patience { tries: options.tries, ..Patience::default() };
    let set = options.set.as_deref().map(SetName::of);
    let folder = options.folder.display();
    let mut uploader = Uploader::new(&options.folder, &options.url, set, patience)
        .with_context(|| format!("uploading from {folder}"))?;
    let end = End::default();
    end.on_signals()?;
    if options.until_stdin_ends {
        end.on_end_of_stdin();
    }
    let mut sum = Sum::default();
    let mut told = String::new();
    loop {
        let is_last = !options.follow || end.is_last.load(Ordering::Relaxed);
        // While more comes, the last wait is not longer than the next look at the folder would be.
        let mut wait = |pause| end.wait(pause, &|| false);
        let done = uploader.run(&mut store, &mut wait).with_context(|| format!("uploading from {folder}"))?;
        sum.add(&done);
        if let Some(path) = &options.metrics
            && let Err(error) = sum.write(path)
        {
            say(&format!("warning: writing --metrics {}: {error}", path.display()));
        }
        options.tell(&done, is_last, &mut told);
        if is_last || end.is_asked.load(Ordering::Relaxed) {
            let is_all = done.waiting() == 0;
            return Ok(if is_all { Outcome::Done } else { Outcome::Partial });
        }
        let is_over = || end.is_last.load(Ordering::Relaxed);
        end.wait(Duration::from_secs(options.every), &is_over);
    }
}

impl Options {
    /// Says what came of a run, and of several that came to the same only once.
    fn tell(&self, done: &Uploaded, is_last: bool, told: &mut String) {
        let failed = done.failed.iter().map(|(path, why)| format!("not uploaded: {}: {why}", path.display()));
        let abandoned = done.abandoned.iter().map(|path| {
            let (left, whole) = (path.display(), recovered(path));
            format!(
                "not uploaded: {left}: it is not finished, and nobody writes it any more: `tracer recover {left} -o {}` makes a \
                 capture of what is there, which is uploaded next time",
                whole.display()
            )
        });
        let text = failed.chain(abandoned).collect::<Vec<_>>().join("\n");
        if !text.is_empty() && *told != text {
            say(&text);
        }
        *told = text;
        if self.quiet || (done.parts == 0 && (self.follow || !is_last)) {
            return;
        }
        let left = match done.waiting() {
            0 => String::new(),
            left => format!(", {left} are left"),
        };
        let open = match done.unfinished {
            0 => String::new(),
            open => format!(", {open} are being written"),
        };
        say(&format!(
            "{} parts of {} bytes uploaded to {}, {} were there{open}{left}",
            done.parts, done.bytes, self.url, done.known
        ));
    }
}

impl End {
    /// The first signal lets the part go through that is being put, the second does not.
    fn on_signals(&self) -> Result<()> {
        let is_asked = Arc::clone(&self.is_asked);
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
        let runtime = runtime.context("cannot listen for signals")?;
        let listen = move || {
            runtime.block_on(async move {
                use tokio::signal::unix::{SignalKind, signal};
                let (Ok(mut interrupt), Ok(mut terminate)) =
                    (signal(SignalKind::interrupt()), signal(SignalKind::terminate()))
                else {
                    return;
                };
                loop {
                    tokio::select! { _ = interrupt.recv() => {}, _ = terminate.recv() => {} }
                    if is_asked.swap(true, Ordering::Relaxed) {
                        std::process::exit(2);
                    }
                }
            });
        };
        thread::Builder::new().name("signals".into()).spawn(listen).context("cannot listen for signals")?;
        Ok(())
    }

    fn on_end_of_stdin(&self) {
        let is_last = Arc::clone(&self.is_last);
        thread::spawn(move || {
            // What is written there says nothing: only its end does.
            let _ = io::copy(&mut io::stdin().lock(), &mut io::sink());
            is_last.store(true, Ordering::Relaxed);
        });
    }

    /// Sleeps; false when a signal has said that it is enough.
    fn wait(&self, pause: Duration, is_over: &dyn Fn() -> bool) -> bool {
        let until = Instant::now() + pause;
        loop {
            if self.is_asked.load(Ordering::Relaxed) {
                return false;
            }
            let left = until.saturating_duration_since(Instant::now());
            if left.is_zero() || is_over() {
                return true;
            }
            thread::sleep(left.min(LOOK));
        }
    }
}

impl Sum {
    fn add(&mut self, done: &Uploaded) {
        self.parts += done.parts;
        self.bytes += done.bytes;
        self.failures += done.failed.len() as u64;
        (self.waiting, self.unfinished) = (done.waiting(), done.unfinished);
        self.abandoned = done.abandoned.len() as u64;
        if done.parts > 0 {
            self.last_s = now_s();
        }
    }

    /// Writes the file anew, whole: whoever collects it reads it at any time.
    fn write(&self, path: &Path) -> io::Result<()> {
        let name = path.file_name().ok_or_else(|| io::Error::other("it names no file"))?;
        let fresh = path.with_file_name(format!(".{}.partial", name.to_string_lossy()));
        let mut file = fs::File::create(&fresh)?;
        file.write_all(self.text().as_bytes())?;
        fs::rename(&fresh, path)
    }

    fn text(&self) -> String {
        let lines = [
            ("tracer_uploaded_parts_total", "counter", "Parts that the store has taken.", self.parts as f64),
            ("tracer_uploaded_bytes_total", "counter", "Bytes of these.", self.bytes as f64),
            (
                "tracer_upload_failures_total",
                "counter",
                "How often a part was given up in a run.",
                self.failures as f64,
            ),
            (
                "tracer_upload_waiting_parts",
                "gauge",
                "Sealed parts that the store does not have.",
                self.waiting as f64,
            ),
            (
                "tracer_upload_unfinished_parts",
                "gauge",
                "Captures that somebody writes.",
                self.unfinished as f64,
            ),
            (
                "tracer_upload_abandoned_parts",
                "gauge",
                "Captures that are not sealed and that nobody writes any more.",
                self.abandoned as f64,
            ),
            (
                "tracer_upload_last_success_time_seconds",
                "gauge",
                "When the last part was taken, Unix time; 0: none.",
                self.last_s,
            ),
            ("tracer_upload_update_time_seconds", "gauge", "When this was written, Unix time.", now_s()),
        ];
        let line = |(name, kind, help, value): (&str, &str, &str, f64)| {
            format!("# HELP {name} {help}\n# TYPE {name} {kind}\n{name} {value}\n")
        };
        lines.into_iter().map(line).collect()
    }
}

fn now_s() -> f64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0.0, |it| it.as_secs_f64())
}

/// Whether a URL names a place that can be written to.
pub fn check_url(url: &str) -> Result<()> {
    if url.starts_with("s3://") || url.starts_with("file:///") {
        return Ok(());
    }
    bail!("{url}: it is no s3://BUCKET/PREFIX, and no file:///FOLDER")
}
