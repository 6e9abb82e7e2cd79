//! Rules in our own YAML, a superset of Tracee's detectors: see [`crate::tracee`].
//!
//! ```text
//! document -> document     metadata; which events (`when`, `sequence`), and what they add up to
//!          -> filter       filters, as `-f` has them, and over fields that events have by their meaning: `names`
//! ```

mod document;
mod filter;
mod names;
#[cfg(test)]
mod tests;

use crate::diagnostic::{Diagnostic, File};
use crate::reader::{Corpus, Reader};
use crate::rule::Rule;
use crate::yaml::Node;

pub(crate) use filter::{About, events_of, of_field as filter_of, read as filter};

/// Reads our own files.
#[derive(Debug, Default)]
pub struct Own {
    rules: Vec<Rule>,
    diagnostics: Vec<Diagnostic>,
    found: usize,
}

impl Own {
    /// Whether a document is one of ours.
    pub fn reads(document: &Node) -> bool {
        let has = |key| document.get(key).is_some();
        has("rule") && (has("when") || has("sequence"))
    }
}

impl Reader for Own {
    fn add(&mut self, file: &File<'_>, documents: &[Node]) {
        for document in documents.iter().filter(|document| !document.is_null()) {
            let mut errors = Vec::new();
            let read = document::read(file, document, &mut errors);
            // A count is two rules, of which one is told.
            self.found += read.len().max(1);
            if !errors.iter().any(Diagnostic::is_error) {
                self.rules.extend(read);
            }
            self.diagnostics.append(&mut errors);
        }
    }

    fn finish(self: Box<Self>, corpus: &mut Corpus) {
        corpus.found += self.found;
        corpus.rules.extend(self.rules);
        corpus.diagnostics.extend(self.diagnostics);
    }
}
