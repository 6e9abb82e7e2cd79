//! Elastic's rules: TOML files with queries in EQL or KQL, and bare queries in EQL.
//!
//! ```text
//! `toml` -> `document`: metadata, and by its type what a rule asks
//! eql, kql -> `ask`: what is asked, by name -> `lower`: of each `kind` of event, by `ecs` -> form
//! ```

pub mod ask;
mod document;
mod ecs;
pub mod functions;
mod joins;
mod kind;
mod lower;
pub mod made;
#[cfg(test)]
mod tests;
mod toml;

use crate::diagnostic::{Diagnostic, File};
use crate::reader::Corpus;
use crate::rule::Rule;

/// Reads Elastic's files.
#[derive(Debug, Default)]
pub struct Elastic {
    rules: Vec<Rule>,
    diagnostics: Vec<Diagnostic>,
    foreign: Vec<String>,
    found: usize,
    disabled: usize,
}

impl Elastic {
    /// A rule in TOML; other files in TOML are none, and left out unless the user named them.
    pub fn add_rule(&mut self, file: &File<'_>, is_named: bool) {
        document::rule(self, file, is_named);
    }

    /// A query in EQL that has no rule around it: it is called as its file.
    pub fn add_query(&mut self, file: &File<'_>) {
        document::bare(self, file);
    }

    pub fn finish(self, corpus: &mut Corpus) {
        corpus.found += self.found;
        corpus.disabled += self.disabled;
        corpus.rules.extend(self.rules);
        corpus.diagnostics.extend(self.diagnostics);
        self.foreign.into_iter().for_each(|of| corpus.foreign(of));
    }
}
