//! From the filters of a command line to what is asked of captures, the same for every subcommand that answers.

use std::ops::Range;

use anyhow::Result;
use clap::Args;
use interchange::catalog::MadeOf;
use jiff::tz::TimeZone;
use pipeline::stage::Reads;
use pipeline::{Cancellation, History, Matcher, Question, Source};
use replay::render::clock::{Clock, local_zone};
use replay::{Asked, asked};
use scopes::ScopeSet;

use crate::cataloged::{Asking, CatalogOptions};
use crate::caveats;
use crate::filters::{Diagnostics, FilterOptions};
use crate::inputs::{Damage, Inputs};
use crate::moment::Extent;
use crate::progress::Progress;
use crate::range::{self, TimeRange};
use crate::sought;
use crate::stderr;
use crate::threads::Threads;

/// Which captures are asked, and how: the same for every subcommand whose answer is not a stream of events.
#[derive(Args, Debug)]
pub struct AskOptions {
    #[command(flatten)]
    pub inputs: Inputs,
    #[command(flatten)]
    pub threads: Threads,
    #[command(flatten)]
    pub damage: Damage,
    /// Times in UTC instead of local time
    #[arg(long)]
    pub utc: bool,
}

impl AskOptions {
    pub fn source(&self) -> Result<Source> {
        self.inputs.source()
    }

    /// The captures that may hold something of what is asked, where catalogues say so.
    pub fn source_for(
        &self,
        catalog: &CatalogOptions,
        filters: &FilterOptions,
        range: &TimeRange,
    ) -> Result<Source> {
        let (filters, zone) = (vec![filters], self.zone());
        let asking = Asking { filters, range, zone, made_of: MadeOf::Rows, by_host: false };
        self.inputs.source_for(catalog, &asking)
    }

    /// Says how far it is, until that is dropped: before anything is printed.
    pub fn progress(&self) -> Result<Progress> {
        Ok(Progress::of(self.inputs.files()?))
    }

    /// The zone of times that are given without one.
    pub fn zone(&self) -> TimeZone {
        if self.utc { TimeZone::UTC } else { local_zone() }
    }

    pub fn clock(&self) -> Clock {
        if self.utc { Clock::Utc } else { Clock::local() }
    }

    /// The stretch of the wall clock that is asked about; `None` where all is.
    pub fn range(&self, range: &TimeRange, source: &Source) -> Result<Option<Range<i64>>> {
        range.resolve(source, || self.zone())
    }

    /// The time of `#7`, or of a time as users write it.
    pub fn moment(&self, text: &str, source: &Source) -> Result<i64> {
        range::moment(text, source, Extent::of(source), &self.zone())
    }

    pub fn question<'a>(&self, source: &'a Source, matchers: Vec<Matcher<'a>>) -> Question<'a> {
        Question {
            threads: self.threads.count(),
            strict: self.damage.strict,
            ..Question::new(source, matchers)
        }
    }

    pub fn history<'a>(&self, source: &'a Source, reads: &'a [Reads]) -> History<'a> {
        History {
            source,
            reads,
            threads: self.threads.count(),
            strict: self.damage.strict,
            cancellation: Cancellation::default(),
        }
    }
}

/// What these filters ask of captures; without any, what they were recorded with. What there is to know before the answer goes
/// to stderr.
pub fn asked(filters: &FilterOptions, source: &Source, is_quiet: bool) -> Result<Asked> {
    let asked = compiled(filters, source, is_quiet)?;
    if !is_quiet {
        caveats::tell(source, asked.plan(), filters);
    }
    Ok(asked)
}

/// The same, for a further question to the same captures: only what there is to know of the filters is told.
pub fn compiled(filters: &FilterOptions, source: &Source, is_quiet: bool) -> Result<Asked> {
    if filters.is_empty() {
        return Ok(Asked::recorded(source));
    }
    let set = set(filters, source, is_quiet)?;
    Ok(Asked::given(set, source).map_err(Diagnostics)?)
}

/// The scopes that filters make for these captures.
pub fn set(filters: &FilterOptions, source: &Source, is_quiet: bool) -> Result<ScopeSet> {
    let set = filters.scopes_of(source)?;
    if !is_quiet {
        // Messages about filters say themselves what they are, and where.
        set.warnings().iter().for_each(stderr::say_lines);
        if set.names_peers() && !source.is_growing() {
            let unnamed = asked::resolve(&mut set.clone(), source).map_err(Diagnostics)?;
            unnamed.iter().for_each(|name| stderr::warn(sought::unnamed(name)));
        }
    }
    Ok(set)
}
