//! `--upload`: the process that takes finished parts to an object store, and who looks after it.
//!
//! ```text
//! recorder                                              tracer-fleet upload --follow
//!   writes parts, seals them ----- the folder ----------> reads sealed ones, puts them, writes marks
//!   removes what has a mark <----- _uploaded/ -----------
//!   a thread starts it again when it ends ----- stdin --> its end says that the recording is over
//! ```
//! The recorder speaks to no store, and reads nothing that the other process writes but whether a mark is there. The other
//! process inherits no capability and gains none; where it ends early, or cannot be started any more, recording goes on, parts
//! stay, and the metrics say so.

use std::{
    ffi::OsString,
    io,
    path::{Path, PathBuf},
    process::{Child, ChildStdin, Command, ExitStatus, Stdio},
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    thread::{self, JoinHandle},
    time::{Duration, Instant},
};

use anyhow::{Result, bail};
use recorder::host::privileges::{self, Part};

use super::Keeping;
use crate::{fleet_command, stderr};

/// Before a process that ended is started again; twice as long each time, up to the longest.
const FIRST_WAIT: Duration = Duration::from_secs(1);
const LONGEST_WAIT: Duration = Duration::from_secs(60);
/// A process that lived so long ended for another reason than the one before.
const LONG_LIFE: Duration = Duration::from_secs(120);
/// How often it is looked at.
const LOOK: Duration = Duration::from_millis(100);

/// What is to be started.
#[derive(Debug)]
pub struct Upload {
    program: PathBuf,
    words: Vec<OsString>,
    patience: Duration,
    state: Arc<State>,
}

/// How it goes, for metrics.
#[derive(Debug, Default)]
pub struct State {
    pub is_running: AtomicBool,
    /// How often it ended though the recording went on.
    pub failures: AtomicU64,
    is_over: AtomicBool,
    /// The recording was over, and not everything had been uploaded.
    is_partial: AtomicBool,
}

/// The thread that looks after it.
#[derive(Debug)]
pub struct Uploading {
    state: Arc<State>,
    thread: Option<JoinHandle<()>>,
}

impl Upload {
    /// Finds the program and puts its words together: before anything is recorded, so that who forgot it is told.
    pub fn prepare(keeping: &Keeping, path: &Path) -> Result<Option<Upload>> {
        let Some(url) = &keeping.upload else { return Ok(None) };
        if path == Path::new("-") {
            bail!(
                "--upload takes finished parts of a set, and standard output is one stream: name a file with -o"
            );
        }
        let program = fleet_command::program()?;
        let folder = path.parent().filter(|it| !it.as_os_str().is_empty()).unwrap_or(Path::new("."));
        let mut words: Vec<OsString> =
            ["upload", "--follow", "--until-stdin-ends", "--set"].map(OsString::from).into();
        words.push(path.file_name().unwrap_or_default().to_owned());
        if let Some(metrics) = &keeping.metrics {
            words.extend(["--metrics".into(), beside(metrics).into()]);
        }
        words.extend(["--".into(), folder.into(), url.into()]);
        Ok(Some(Upload { program, words, patience: keeping.upload_wait, state: Arc::default() }))
    }

    pub fn state(&self) -> Arc<State> {
        Arc::clone(&self.state)
    }

    /// Starts it, and again whenever it ends before the recording does.
    pub fn start(self, is_confined: bool) -> Uploading {
        let state = self.state();
        let thread = thread::Builder::new().name("tracer-upload".into()).spawn(move || {
            // What it starts inherits what is left: no capability, and no way to gain one.
            if is_confined && let Err(error) = privileges::confine(Part::Other) {
                stderr::warn(format_args!(
                    "--upload: nothing is uploaded: cannot give up privileges ({error})"
                ));
                return;
            }
            self.look_after();
        });
        Uploading { state, thread: thread.ok() }
    }

    fn look_after(&self) {
        let mut pause = FIRST_WAIT;
        loop {
            let began = Instant::now();
            let ended = self.started().and_then(|(process, stdin)| self.watched(process, stdin));
            self.state.is_running.store(false, Ordering::Relaxed);
            let is_over = self.state.is_over.load(Ordering::Relaxed);
            if is_over {
                let is_done = ended.as_ref().is_ok_and(ExitStatus::success);
                self.state.is_partial.store(!is_done, Ordering::Relaxed);
                return;
            }
            self.state.failures.fetch_add(1, Ordering::Relaxed);
            if began.elapsed() > LONG_LIFE {
                pause = FIRST_WAIT;
            }
            let why = match ended {
                Ok(status) => format!("it ended ({status})"),
                Err(error) => error.to_string(),
            };
            stderr::warn(format_args!(
                "--upload: {}: {why}; it is started again in {} s, and parts stay until then",
                self.program.display(),
                pause.as_secs()
            ));
            let until = Instant::now() + pause;
            while Instant::now() < until && !self.state.is_over.load(Ordering::Relaxed) {
                thread::park_timeout(LOOK);
            }
            pause = (pause * 2).min(LONGEST_WAIT);
        }
    }

    fn started(&self) -> io::Result<(Child, Option<ChildStdin>)> {
        let mut command = Command::new(&self.program);
        command.args(&self.words).stdin(Stdio::piped()).stdout(Stdio::null());
        // A terminal's Ctrl-C ends the recording first; what is sealed then is still to be uploaded.
        std::os::unix::process::CommandExt::process_group(&mut command, 0);
        let mut process = command.spawn()?;
        let stdin = process.stdin.take();
        self.state.is_running.store(true, Ordering::Relaxed);
        Ok((process, stdin))
    }

    /// Waits for its end; once the recording is over, no longer than its patience.
    fn watched(&self, mut process: Child, stdin: Option<ChildStdin>) -> io::Result<ExitStatus> {
        let mut stdin = stdin;
        let mut until = None;
        loop {
            if let Some(status) = process.try_wait()? {
                return Ok(status);
            }
            if self.state.is_over.load(Ordering::Relaxed) && until.is_none() {
                drop(stdin.take());
                until = Some(Instant::now() + self.patience);
            }
            if until.is_some_and(|until| until <= Instant::now()) {
                process.kill()?;
                return process.wait();
            }
            thread::park_timeout(LOOK);
        }
    }
}

impl Uploading {
    /// The recording is over: waits until the last parts are uploaded, or for as long as it was told to wait. False where
    /// something is left.
    pub fn end(self) -> bool {
        self.state.is_over.store(true, Ordering::Relaxed);
        let Some(thread) = self.thread else { return false };
        thread.thread().unpark();
        thread.join().is_ok() && !self.state.is_partial.load(Ordering::Relaxed)
    }
}

/// The other process has a file of metrics of its own, which stands beside the recorder's: `tracer-upload.prom`.
fn beside(metrics: &Path) -> PathBuf {
    let mut name = metrics.file_stem().unwrap_or_default().to_owned();
    name.push("-upload");
    if let Some(extension) = metrics.extension() {
        name.push(".");
        name.push(extension);
    }
    metrics.with_file_name(name)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn upload(script: &str, patience: Duration) -> Upload {
        let words = ["-c", script, "sh"].map(OsString::from).into();
        Upload { program: "/bin/sh".into(), words, patience, state: Arc::default() }
    }

    #[test]
    fn a_process_that_ends_is_started_again_and_the_end_of_its_input_ends_it() {
        let folder = tempfile::tempdir().unwrap();
        let count = folder.path().join("count");
        let script = format!(
            "echo x >> {0}; test $(wc -l < {0}) -lt 3 && exit 7; cat > /dev/null; echo end >> {0}",
            count.display()
        );
        let upload = upload(&script, Duration::from_secs(60));
        let state = upload.state();
        let uploading = upload.start(false);
        let lines = || std::fs::read_to_string(&count).unwrap_or_default().lines().count();
        let until = Instant::now() + Duration::from_secs(60);
        while lines() < 3 {
            assert!(Instant::now() < until, "{} lines", lines());
            thread::sleep(LOOK);
        }
        assert!(uploading.end());
        assert_eq!((state.failures.load(Ordering::Relaxed), lines()), (2, 4));
    }

    #[test]
    fn one_that_does_not_end_is_ended_and_what_is_left_is_told() {
        let uploading = upload("exec sleep 1000", Duration::from_millis(1)).start(false);
        assert!(!uploading.end());
        let uploading = upload("cat > /dev/null; exit 1", Duration::from_secs(60)).start(false);
        assert!(!uploading.end());
    }

    #[test]
    fn its_metrics_stand_beside_the_recorders() {
        assert_eq!(beside(Path::new("/m/tracer.prom")), Path::new("/m/tracer-upload.prom"));
    }
}
