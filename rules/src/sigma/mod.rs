//! Sigma, specification 2.1: rules, correlations and filters.
//!
//! ```text
//! document -> source       which events it is about, and their fields: `names`
//!          -> detection    selections -> items -> `modifier` chains -> atoms
//!          -> condition    names of selections -> one expression
//! correlation, filter      over rules of all files, once all were read
//! ```

mod condition;
mod correlation;
mod detection;
mod document;
mod filter;
mod modifier;
mod names;
mod source;
#[cfg(test)]
mod tests;
pub(crate) mod text;

use std::sync::Arc;

use crate::audit::Profile;
use crate::diagnostic::{Diagnostic, File};
use crate::reader::{Corpus, Reader};
use crate::yaml::Node;

use document::Entry;

/// Reads Sigma's files.
#[derive(Debug, Default)]
pub struct Sigma {
    entries: Vec<Entry>,
    /// What audit was told.
    profile: Option<Arc<Profile>>,
    diagnostics: Vec<Diagnostic>,
    foreign: Vec<String>,
    found: usize,
}

impl Sigma {
    pub fn new(profile: Option<Arc<Profile>>) -> Sigma {
        Sigma { profile, ..Sigma::default() }
    }
}

impl Reader for Sigma {
    fn add(&mut self, file: &File<'_>, documents: &[Node]) {
        document::read(self, file, documents);
    }

    fn finish(mut self: Box<Self>, corpus: &mut Corpus) {
        filter::apply(&mut self);
        correlation::resolve(&mut self);
        corpus.found += self.found;
        corpus.diagnostics.append(&mut self.diagnostics);
        self.foreign.into_iter().for_each(|product| corpus.foreign(product));
        corpus.rules.extend(self.entries.into_iter().filter_map(|entry| match entry {
            Entry::Rule(rule) => Some(rule.rule),
            Entry::Correlation(it) => Some(it.rule),
            Entry::Filter(_) => None,
        }));
    }
}
