//! `record --for-rules`: what rules need is recorded, and what this host cannot give them is said.

use std::collections::BTreeMap;
use std::path::PathBuf;

use anyhow::Result;
use format::Unavailable;
use rules::Corpus;
use rules::scan::{answerable_without, events_for};
use scopes::spelled_out;

use crate::{rule_files, stderr};

/// Reasons that are told.
const REASONS: usize = 5;

/// The rules that a recording is made for.
pub struct ForRules(Option<Corpus>);

impl ForRules {
    pub fn read(paths: &[PathBuf]) -> Result<ForRules> {
        let corpus = (!paths.is_empty()).then(|| rule_files::read(paths, &[], false)).transpose()?;
        if let Some(corpus) = &corpus {
            let wrong = corpus.diagnostics.iter().filter(|it| it.is_error()).count();
            if wrong > 0 {
                stderr::warn(format_args!("{wrong} rules could not be read (tracer rules check says why)"));
            }
        }
        Ok(ForRules(corpus))
    }

    /// The events to be recorded: those that were named, and those that the rules need.
    pub fn events(&self, named: &[String]) -> Vec<String> {
        let needed = self.0.as_ref().map(|corpus| events_for(&corpus.rules).join(","));
        named.iter().cloned().chain(needed).collect()
    }

    /// Says which rules captures of this host cannot answer, and why.
    pub fn tell(&self, unavailable: &[Unavailable]) {
        let Some(corpus) = &self.0 else { return };
        let lacks = |event: &'static events::Event| {
            let known = unavailable.iter().find(|it| it.event == event.name);
            known.map(|it| format!("not recorded: {}", it.reason))
        };
        let unanswerable = answerable_without(&corpus.rules, &lacks);
        if unanswerable.is_empty() {
            return;
        }
        let mut by_reason: BTreeMap<&str, usize> = BTreeMap::new();
        for why in unanswerable.values() {
            *by_reason.entry(why).or_default() += 1;
        }
        let mut reasons: Vec<(&str, usize)> = by_reason.into_iter().collect();
        reasons.sort_by_key(|(why, count)| (std::cmp::Reverse(*count), *why));
        let more = if reasons.len() > REASONS { "; ..." } else { "" };
        let told: Vec<String> = reasons
            .iter()
            .take(REASONS)
            .map(|(why, count)| format!("{count}: {}", spelled_out(why)))
            .collect();
        stderr::warn(format_args!(
            "{} of {} rules cannot be answered by what this host records ({}{more})",
            unanswerable.len(),
            corpus.rules.len(),
            told.join("; ")
        ));
    }
}
