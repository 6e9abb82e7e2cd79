//! `ui --live`: this host is recorded into a file, and the screen follows it. What a capture can be asked can be asked of it
//! while it goes on.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, anyhow};
use format::{EncodedBlock, Header, Side};
use recorder::assemble::Progress;
use recorder::file::lanes::Viewer;
use recorder::host::privileges::{self, Part};
use recorder::kernel;
use recorder::session::{Step, Viewing};
use scopes::ScopeSet;

use super::{Options, show};
use crate::live::onlookers;
use crate::outcome::Outcome;
use crate::record::order::{Attendant, Ended, Order, Scopes, Target};
use crate::record::{Capturing, Keeping, progress, recording};
use crate::stderr;

/// How long an event waits for others of its block.
const BLOCK_AGE: Duration = Duration::from_millis(200);
/// How long the first block may take.
const PATIENCE: Duration = Duration::from_secs(20);

/// Records everything, and shows it until somebody leaves. Without a file of its own it goes into one that is gone afterwards.
pub fn run(options: Arc<Options>) -> Result<Outcome> {
    let folder =
        tempfile::Builder::new().prefix("tracer-ui-").tempdir().context("a place for the recording")?;
    let path = options.write.clone().unwrap_or_else(|| folder.path().join("live.trz"));
    let is_kept = options.write.is_some();
    let (capturing, keeping) = (Capturing::default(), Keeping::default());
    let order = Order {
        capturing: &capturing,
        keeping: &keeping,
        target: Target::File { path: path.clone(), force: false, is_stream: false },
        inputs: options.scopes.paths(),
        // The screen's filters change; what is recorded is everything.
        scopes: Scopes { set: ScopeSet::default(), filters: Vec::new(), policies: Vec::new() },
        only_matched: false,
        also: BTreeSet::new(),
        trigger: None,
        exclude: onlookers(),
        duration: None,
        command: &[],
    };
    let folder = if is_kept { None } else { Some(folder) };
    let mut showing = Showing { options: Arc::clone(&options), path: path.clone(), folder, screen: None };
    match recording::run(order, &mut showing)? {
        Ended::Summary(summary, _) => {
            if let Some(screen) = showing.screen {
                screen.join().map_err(|_| anyhow!("the screen ended early"))??;
            }
            if is_kept {
                stderr::say(progress::summary(&summary));
            }
            recording::outcome(*summary, None, false)
        }
        Ended::NotStarted(code) => Ok(Outcome::Code(code)),
    }
}

/// Goes along with the recording: the screen is up while it goes, and it ends when the screen does.
struct Showing {
    options: Arc<Options>,
    path: PathBuf,
    /// Where the recording is that nobody keeps.
    folder: Option<tempfile::TempDir>,
    screen: Option<JoinHandle<Result<()>>>,
}

impl Attendant for Showing {
    fn viewing(&mut self, _: &Header, _: &dyn Fn() -> Vec<Side>) -> Result<Option<Viewing>> {
        Ok(Some(Viewing { viewer: Box::new(Nobody), block_age: BLOCK_AGE }))
    }

    fn started(&mut self, _: kernel::Memory, _: u64, _: Arc<Progress>) {
        let (options, path, folder) = (Arc::clone(&self.options), self.path.clone(), self.folder.take());
        let screen = move || {
            privileges::confine(Part::Other)?;
            let end = Instant::now() + PATIENCE;
            // A head alone has nothing to show.
            while !has_events(&path) && Instant::now() < end {
                thread::sleep(BLOCK_AGE);
            }
            let shown = show(&options, std::slice::from_ref(&path), true);
            // This thread may still take files away; the one that records may not. What is written on goes nowhere.
            drop(folder);
            shown
        };
        match thread::Builder::new().name("tracer-screen".into()).spawn(screen) {
            Ok(screen) => self.screen = Some(screen),
            Err(error) => stderr::warn(format_args!("no thread for the screen: {error}")),
        }
    }

    fn step(&mut self, step: Step) -> Step {
        match (&self.screen, step) {
            (Some(screen), Step::Go | Step::Watch) if screen.is_finished() => Step::Stop,
            (None, Step::Go | Step::Watch) => Step::Stop,
            (_, step) => step,
        }
    }
}

fn has_events(path: &Path) -> bool {
    format::Capture::open(path).is_ok_and(|capture| capture.block_count() > 0)
}

/// Looks at nothing: the file is read. Being looked at makes blocks come soon.
#[derive(Debug)]
struct Nobody;

impl Viewer for Nobody {
    fn block(&mut self, _: &Arc<EncodedBlock>) {}

    fn side(&mut self, _: &Side) {}

    fn end(self: Box<Self>) -> bool {
        false
    }
}
