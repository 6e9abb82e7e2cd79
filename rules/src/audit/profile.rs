//! What audit was told on a host, for rules of other languages that are asked of its records, and by which of its rules those
//! were made.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::Audit;
use crate::diagnostic::{Diagnostic, File};
use crate::form::{Arm, Body, Within};
use crate::reader::Corpus;

/// Rules of auditctl.
#[derive(Clone, PartialEq, Debug)]
pub struct Profile {
    keyed: BTreeMap<Option<String>, Keyed>,
    /// All that records are made of.
    taken: Arc<Within>,
}

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
        let written = "record of a rule of --audit-rules".to_owned();
        let taken = Arc::new(Within { arms: audit.taken(), written });
        let mut corpus = Corpus::default();
        audit.finish(&mut corpus);
        let mut keyed: BTreeMap<Option<String>, Keyed> = BTreeMap::new();
        for rule in corpus.rules {
            let Body::Event(query) = rule.body else { continue };
            let of_key = keyed.entry(rule.tags.into_iter().next()).or_default();
            of_key.arms.extend(query.arms);
            of_key.notes.extend(rule.notes);
        }
        (Profile { keyed, taken }, corpus.diagnostics)
    }

    /// Each key, `None` for the rules without one, and what those make records of.
    pub fn each(&self) -> impl Iterator<Item = (Option<&str>, &Keyed)> {
        self.keyed.iter().map(|(key, keyed)| (key.as_deref(), keyed))
    }

    pub fn keys(&self) -> impl Iterator<Item = &str> {
        self.keyed.keys().filter_map(Option::as_deref)
    }

    /// What records are made of, whatever their key.
    pub fn taken(&self) -> &Arc<Within> {
        &self.taken
    }

    pub fn notes(&self) -> impl Iterator<Item = &String> {
        self.keyed.values().flat_map(|keyed| &keyed.notes)
    }
}
