//! Rules asked of what goes on, for `watch` and `record`.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use anyhow::{Result, bail};
use events::EventId;
use pipeline::{Projection, Question};
use rules::Corpus;
use rules::finding::Finding;
use rules::scan::{Scan, events_for};

use crate::amounts::{grouped, plural};
use crate::live::{Onlooker, Sight};
use crate::rule_files::{RuleOptions, is_named};
use crate::stderr;

/// The rules that are asked, and those of which a finding is a trigger.
#[derive(Debug)]
pub struct Judging {
    corpus: Arc<Corpus>,
    /// By number of the rule.
    triggers: Arc<Vec<bool>>,
    found: Arc<AtomicU64>,
}

/// What becomes of findings.
pub trait Telling: Send {
    fn finding(&mut self, finding: Finding) -> Result<()>;

    /// There are no more.
    fn end(self: Box<Self>) -> Result<()> {
        Ok(())
    }
}

impl Judging {
    /// `None` where nothing is asked of rules. `triggers` name rules as `--only` does.
    pub fn read(options: &RuleOptions, triggers: &[String]) -> Result<Option<Judging>> {
        if options.is_empty() && triggers.is_empty() {
            return Ok(None);
        }
        let corpus = options.read()?;
        for name in triggers {
            if !corpus.rules.iter().any(|rule| is_named(rule, name)) {
                bail!(
                    "rule:{name}: no rule that is asked has this id, title or tag, or this level or a higher one"
                );
            }
        }
        let is_trigger = |rule| triggers.iter().any(|name| is_named(rule, name));
        let triggers = corpus.rules.iter().map(is_trigger).collect();
        Ok(Some(Judging { corpus: Arc::new(corpus), triggers: Arc::new(triggers), found: Arc::default() }))
    }

    pub fn corpus(&self) -> Arc<Corpus> {
        Arc::clone(&self.corpus)
    }

    /// What has to be recorded for them, with what derived events are derived from.
    pub fn events(&self) -> BTreeSet<EventId> {
        let names = events_for(&self.corpus.rules).join(",");
        scopes::select::select(&[names]).ok().flatten().unwrap_or_default()
    }

    /// Findings so far, to be read by whoever shows how it goes.
    pub fn found(&self) -> Arc<AtomicU64> {
        Arc::clone(&self.found)
    }

    /// Says before it begins what of the rules cannot be asked.
    pub fn tell(&self) {
        let unread = self.corpus.diagnostics.iter().filter(|it| it.is_error()).count();
        if unread > 0 {
            stderr::warn(format_args!(
                "{} could not be read (tracer rules check says why)",
                plural(unread as u64, "rule")
            ));
        }
    }

    /// Says at the end what was found, and what was not looked at.
    pub fn tell_end(&self, unseen: u64) {
        stderr::note(format_args!("{} of rules", plural(self.found.load(Ordering::Relaxed), "finding")));
        if unseen > 0 {
            stderr::warn(format_args!(
                "{} events were not judged by rules, since they came faster than that: findings may be missing",
                grouped(unseen)
            ));
        }
    }

    /// Judges what comes, until it ends or cannot be told.
    pub fn onlooker(&self, sight: Sight, threads: usize, mut telling: Box<dyn Telling>) -> Result<Onlooker> {
        let (corpus, triggers, found) = (self.corpus(), Arc::clone(&self.triggers), self.found());
        unanswerable(&Scan::new(&corpus.rules, &sight.source), &triggers)?;
        let undecided = triggers.contains(&true).then(|| sight.link.decide());
        Ok(Box::new(move || {
            let Sight { source, link, .. } = &sight;
            let scan = Scan::new(&corpus.rules, source);
            let mut finder = scan.finder(None);
            let mut told = Ok(());
            let question = Question {
                threads,
                cancellation: link.cancellation.clone(),
                ..Question::new(source, scan.matchers())
            };
            let stats = question.batches_in_parallel(
                Projection::NONE,
                &|batch| scan.look(batch),
                &mut |batch, looked| {
                    finder.take(batch, looked, &mut |finding| {
                        if told.is_err() {
                            return;
                        }
                        found.fetch_add(1, Ordering::Relaxed);
                        let is_trigger = triggers.get(finding.rule).copied().unwrap_or(false);
                        told = telling.finding(finding);
                        if is_trigger {
                            link.is_triggered.store(true, Ordering::Relaxed);
                        }
                        if told.is_err() {
                            link.is_enough.store(true, Ordering::Relaxed);
                        }
                    })
                },
            )?;
            if finder.forgotten() > 0 {
                stderr::warn(format_args!(
                    "{} of rules were given up for want of room: findings may be missing",
                    plural(finder.forgotten(), "state")
                ));
            }
            drop(undecided);
            told?;
            telling.end()?;
            Ok(stats)
        }))
    }
}

/// Says how many rules this host cannot answer. One that is waited for must be among the others.
fn unanswerable(scan: &Scan<'_>, triggers: &[bool]) -> Result<()> {
    let unanswerable = scan.unanswerable();
    for (number, why) in unanswerable {
        if triggers.get(*number) == Some(&true)
            && let Some(rule) = scan.rules.get(*number)
        {
            bail!("rule:{}: cannot be answered by what is recorded here: {why}", rule.id);
        }
    }
    if !unanswerable.is_empty() {
        stderr::note(format_args!(
            "{} of {} rules cannot be answered by what is recorded here (tracer scan --coverage says why of a capture)",
            unanswerable.len(),
            scan.rules.len()
        ));
    }
    Ok(())
}
