//! What a recording is told to do, whoever asks for it: `record`, or something that looks on while it goes.

use std::{
    collections::BTreeSet,
    ffi::OsString,
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};

use anyhow::{Result, bail};
use events::EventId;
use format::{Compression, Header, Side};
use recorder::{
    assemble::Progress,
    file::output::{OutputPlace, Stream},
    kernel,
    session::{Step, Summary, Viewing},
};
use scopes::ScopeSet;

use super::{Capturing, Keeping, steer::Steer};
use crate::filters::FilterOptions;

/// Everything that a recording needs to be told.
#[derive(Debug)]
pub struct Order<'o> {
    pub capturing: &'o Capturing,
    pub keeping: &'o Keeping,
    pub target: Target,
    /// Files that are read, beside those of the sealing.
    pub inputs: Vec<&'o Path>,
    pub scopes: Scopes,
    pub only_matched: bool,
    /// Events that somebody else looks at: they are taken whole, whatever the scopes ask for.
    pub also: BTreeSet<EventId>,
    /// What makes a flight recorder write, and any other recording end.
    pub trigger: Option<ScopeSet>,
    /// Processes that are left out by the kernel, beside this one.
    pub exclude: Vec<u32>,
    pub duration: Option<Duration>,
    /// Empty: none.
    pub command: &'o [OsString],
}

/// Where it goes.
#[derive(Debug)]
pub enum Target {
    /// It is only looked at.
    Nothing,
    File {
        path: PathBuf,
        /// One that is there is replaced.
        force: bool,
        /// The path is a FIFO or a device.
        is_stream: bool,
    },
}

/// The scopes, and what the capture says of them.
#[derive(Debug)]
pub struct Scopes {
    pub set: ScopeSet,
    pub filters: Vec<String>,
    /// Names and texts.
    pub policies: Vec<(String, String)>,
}

/// How a recording ended.
#[derive(Debug)]
pub enum Ended {
    Summary(Box<Summary>, Steer),
    /// The command could not be started, and this is the exit code for it.
    NotStarted(u8),
}

/// Whoever goes along with a recording.
pub trait Attendant {
    /// Bytes of blocks that may wait to be looked at.
    fn viewed_bytes(&self) -> u64 {
        0
    }

    /// Asked once all is known that stands in front of the first block. `sides` is what a file would say there.
    fn viewing(&mut self, _header: &Header, _sides: &dyn Fn() -> Vec<Side>) -> Result<Option<Viewing>> {
        Ok(None)
    }

    /// It is attached, and goes on from here.
    fn started(&mut self, memory: kernel::Memory, bound_bytes: u64, progress: Arc<Progress>);

    /// What is to be done next: what the signals and the clock say, or something else.
    fn step(&mut self, step: Step) -> Step {
        step
    }

    /// The recording is over, and all blocks were shown.
    fn ended(&mut self) {}
}

impl Scopes {
    pub fn read(options: &FilterOptions) -> Result<Scopes> {
        let (set, policies) = options.scopes_and_policies()?;
        // A capture holds the values of lists, not the names of files that are on this host only.
        let filters = set.without_lists(&options.filters);
        Ok(Scopes { set, filters, policies })
    }
}

impl Target {
    pub fn path(&self) -> &Path {
        match self {
            Target::Nothing => Path::new(NULL),
            Target::File { path, .. } => path,
        }
    }

    pub fn is_forced(&self) -> bool {
        matches!(self, Target::File { force: true, .. })
    }

    pub fn is_standard_output(&self) -> bool {
        self.path() == Path::new("-")
    }

    /// Nobody reads what is written into nothing.
    pub fn compression(&self, keeping: &Keeping) -> Compression {
        match self {
            Target::Nothing => Compression::Fast,
            Target::File { .. } => keeping.sealing.compression.unwrap_or_default().into(),
        }
    }

    pub fn is_stream(&self) -> bool {
        self.is_standard_output() || matches!(self, Target::File { is_stream: true, .. })
    }

    /// Opens what the recording goes into: before anything is loaded, so that nobody's events wait for it. `first` is the
    /// path of its first file.
    pub fn place(&self, first: &Path, rotates: bool) -> Result<OutputPlace> {
        let Target::File { force, is_stream, .. } = self else {
            return Ok(OutputPlace::file(Path::new(NULL), false)?);
        };
        if self.is_standard_output() {
            if rotates {
                bail!("--rotate makes files, and standard output is one stream: name a file with -o");
            }
            return Ok(OutputPlace::stream(Stream::standard_output()?, Path::new("standard output")));
        }
        if *is_stream {
            return Ok(OutputPlace::stream(Stream::open(first)?, first));
        }
        Ok(OutputPlace::file(first, *force)?)
    }
}

/// It takes everything.
const NULL: &str = "/dev/null";
