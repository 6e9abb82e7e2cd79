//! Findings of rules on their way from the thread that judges to the one that shows.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use anyhow::Result;
use crossbeam_channel::{Receiver, Sender, bounded};
use replay::render::Shown;
use rules::Corpus;
use rules::finding::Finding;
use views::Class;

use crate::judging::{Judging, Telling};
use crate::scan::{json, line};

/// Findings that wait to be shown: who finds more waits.
const WAITING: usize = 1024;

/// The end where they come out.
#[derive(Debug)]
pub struct Findings {
    waiting: Receiver<Finding>,
    corpus: Arc<Corpus>,
    found: Arc<AtomicU64>,
}

/// The end that they go into.
struct Sending(Sender<Finding>);

impl Findings {
    pub fn channel(judging: &Judging) -> (Box<dyn Telling>, Findings) {
        let (sender, waiting) = bounded(WAITING);
        (Box::new(Sending(sender)), Findings { waiting, corpus: judging.corpus(), found: judging.found() })
    }

    /// Those that wait.
    pub fn so_far(&self) -> impl Iterator<Item = Finding> {
        self.waiting.try_iter()
    }

    /// All that are to come, until nobody judges any more.
    pub fn rest(&self) -> impl Iterator<Item = Finding> {
        self.waiting.iter()
    }

    pub fn count(&self) -> u64 {
        self.found.load(Ordering::Relaxed)
    }

    /// A finding as a destination shows it.
    pub fn line(&self, finding: &Finding, shown: &Shown<'_>) -> Vec<u8> {
        let Some(rule) = self.corpus.rules.get(finding.rule) else { return Vec::new() };
        let words = |look: &views::Look, out: &mut Vec<u8>| line::words(finding, rule, look, out);
        shown.aside(Class::Alert, &words, &|string_numbers| json::line(finding, rule, string_numbers))
    }
}

impl Telling for Sending {
    fn finding(&mut self, finding: Finding) -> Result<()> {
        // Nobody shows them any more: it is over soon.
        let _ = self.0.send(finding);
        Ok(())
    }
}
