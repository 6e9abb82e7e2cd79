//! Falco's rules: rules, macros, lists, exceptions, and what later files append to them or put in their place.
//!
//! ```text
//! files -> document     items in order; a later one of a name goes over an earlier one
//!       -> token, parse conditions to trees, with macros and lists put in
//!       -> lower        a tree for each type of event that it can be true of, with what `carriers` it has
//!       -> check        a comparison of a field, by `fields`, `transform` and `operators`
//! ```

mod carriers;
mod check;
mod document;
mod fields;
mod lower;
mod operators;
mod output;
mod parse;
#[cfg(test)]
mod tests;
mod token;
mod transform;

pub use output::{fields_of, fill};

use std::sync::Arc;

use crate::diagnostic::{Diagnostic, File, Kept};
use crate::reader::{Corpus, Reader};
use crate::yaml::Node;

/// Reads Falco's files.
#[derive(Debug, Default)]
pub struct Falco {
    items: document::Items,
    diagnostics: Vec<Diagnostic>,
}

impl Falco {
    /// Whether a document is a file of rules: a list of items.
    pub fn reads(document: &Node) -> bool {
        let keys = ["rule", "macro", "list", "required_engine_version"];
        document.list().is_some_and(|items| {
            items
                .iter()
                .any(|item| keys.iter().any(|key| item.entries().is_some() && item.get(key).is_some()))
        })
    }
}

impl Reader for Falco {
    fn add(&mut self, file: &File<'_>, documents: &[Node]) {
        let kept = Arc::new(Kept::of(file));
        for document in documents {
            self.items.add(&kept, document, &mut self.diagnostics);
        }
    }

    fn finish(mut self: Box<Self>, corpus: &mut Corpus) {
        let found = lower::rules(&self.items, &mut self.diagnostics);
        corpus.found += self.items.rules.len();
        corpus.disabled += self.items.rules.iter().filter(|rule| !rule.is_enabled).count();
        corpus.rules.extend(found);
        corpus.diagnostics.append(&mut self.diagnostics);
    }
}
