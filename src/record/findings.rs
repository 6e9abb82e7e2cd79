//! `record --rules`: what rules find is told while it is recorded.

use std::io::Write;
use std::sync::Arc;

use anyhow::Result;
use recorder::session::Summary;
use rules::Corpus;
use rules::finding::Finding;
use views::Look;
use views::clock::Clock;

use super::Options;
use super::order::{Attendant, Order};
use crate::judging::{Judging, Telling};
use crate::live::{self, Onlooker, Sight};
use crate::output::{self, OutputFile};
use crate::scan::{json, line};
use crate::stderr;
use crate::threads::Threads;

/// Records, and judges at the same time. `Err`: the command could not be started, and this is the exit code for it.
pub fn record(
    order: Order<'_>,
    with: &mut dyn Attendant,
    judging: &Judging,
    options: &Options,
) -> Result<Result<(Summary, Option<u8>), u8>> {
    judging.tell();
    let prepare = |sight: Sight| -> Result<Onlooker> {
        let file = match &options.findings {
            Some(path) => Some(output::create(path, options.force, &options.scopes.paths())?),
            None => None,
        };
        let look = Look { clock: Clock::local(), ..Look::default() };
        let telling = Lines { corpus: judging.corpus(), look, file };
        judging.onlooker(sight, Threads::default().count(), Box::new(telling))
    };
    let seen = match live::run(order, with, vec![Box::new(prepare)])? {
        Ok(seen) => seen,
        Err(code) => return Ok(Err(code)),
    };
    judging.tell_end(seen.answers.first().map_or(0, |(_, unseen)| *unseen));
    Ok(Ok((seen.summary, seen.exit_code)))
}

/// Findings as lines on stderr, and as JSON in a file.
struct Lines {
    corpus: Arc<Corpus>,
    look: Look,
    file: Option<OutputFile>,
}

impl Telling for Lines {
    fn finding(&mut self, finding: Finding) -> Result<()> {
        let Some(rule) = self.corpus.rules.get(finding.rule) else { return Ok(()) };
        if let Some(file) = &mut self.file {
            file.write_all(&json::line(&finding, rule, false))?;
        }
        let mut words = Vec::new();
        line::words(&finding, rule, &self.look, &mut words);
        stderr::say(String::from_utf8_lossy(&words));
        Ok(())
    }

    fn end(self: Box<Self>) -> Result<()> {
        if let Some(file) = self.file {
            file.finish()?;
        }
        Ok(())
    }
}
