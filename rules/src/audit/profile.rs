//! What audit was told on a host, for rules of other languages that ask by which of its rules a record was made.

use std::collections::BTreeMap;

use super::Audit;
use crate::diagnostic::{Diagnostic, File};
use crate::form::{Arm, Body};
use crate::reader::Corpus;

/// Rules of auditctl, by their keys.
#[derive(Clone, PartialEq, Debug, Default)]
pub struct Profile(BTreeMap<Option<String>, Keyed>);

/// What the rules of one key make records of.
#[derive(Clone, PartialEq, Debug, Default)]
pub struct Keyed {
    pub arms: Vec<Arm>,
    /// What of that is not quite what audit does.
    pub notes: Vec<String>,
}

impl Profile {
    /// Reads files of auditctl, by name and text: their rules are one list. What is wrong with them stands beside.
    pub fn read(files: &[(String, String)]) -> (Profile, Vec<Diagnostic>) {
        let mut audit = Audit::default();
        for (name, text) in files {
            audit.add(&File { name: &name.as_str().into(), text });
        }
        let mut corpus = Corpus::default();
        audit.finish(&mut corpus);
        let mut profile = Profile::default();
        for rule in corpus.rules {
            let Body::Event(query) = rule.body else { continue };
            let keyed = profile.0.entry(rule.tags.into_iter().next()).or_default();
            keyed.arms.extend(query.arms);
            keyed.notes.extend(rule.notes);
        }
        (profile, corpus.diagnostics)
    }

    /// Each key, `None` for the rules without one, and what those make records of.
    pub fn each(&self) -> impl Iterator<Item = (Option<&str>, &Keyed)> {
        self.0.iter().map(|(key, keyed)| (key.as_deref(), keyed))
    }

    pub fn keys(&self) -> impl Iterator<Item = &str> {
        self.0.keys().filter_map(Option::as_deref)
    }
}
