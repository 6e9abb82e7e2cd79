//! Tracee's detectors in YAML, and the lists of texts beside them.
//!
//! ```text
//! files -> document     detectors and lists, each by itself
//!       -> chain        when all were read: the events that a detector is asked of, through those that others produce
//!          cel          conditions and fields of outputs, lowered for each event
//! ```

mod cel;
mod chain;
mod document;
#[cfg(test)]
mod tests;

use std::collections::BTreeSet;
use std::sync::Arc;

use document::{Detector, Document, List};

use crate::diagnostic::{Diagnostic, File, Kept};
use crate::reader::{Corpus, Reader};
use crate::yaml::Node;

/// Reads detectors and lists.
#[derive(Debug, Default)]
pub struct Tracee {
    detectors: Vec<Detector>,
    lists: Vec<List>,
    /// Events of detectors that could not be read.
    unread: BTreeSet<String>,
    diagnostics: Vec<Diagnostic>,
    found: usize,
}

impl Tracee {
    /// Whether a document is a detector or a list.
    pub fn reads(document: &Node) -> bool {
        matches!(document::kind(document).as_deref(), Some("detector" | "string_list"))
    }
}

impl Reader for Tracee {
    fn add(&mut self, file: &File<'_>, documents: &[Node]) {
        let kept = Arc::new(Kept::of(file));
        for node in documents.iter().filter(|document| !document.is_null()) {
            let mut errors = Vec::new();
            let mut document = Document { file: *file, errors: &mut errors };
            match document::kind(node).as_deref() {
                Some("detector") => {
                    self.found += 1;
                    let detector = document.detector(&kept, node);
                    if errors.iter().any(Diagnostic::is_error) {
                        let event = node.get("produced_event").and_then(|it| it.get("name")?.text());
                        self.unread.extend(event.map(str::to_owned));
                    } else {
                        self.detectors.extend(detector);
                    }
                }
                Some("string_list") => {
                    let list = document.list(node, kept.folder());
                    if let Some(list) = list.filter(|_| !errors.iter().any(Diagnostic::is_error)) {
                        self.list(file, node, list, &mut errors);
                    }
                }
                _ => errors.push(
                    node.error(file, "a file of detectors holds detectors and lists")
                        .allowing("type: detector, type: string_list"),
                ),
            }
            self.diagnostics.append(&mut errors);
        }
    }

    fn finish(self: Box<Self>, corpus: &mut Corpus) {
        let (rules, diagnostics) = chain::Chain::new(&self.detectors, &self.lists, &self.unread).rules();
        corpus.found += self.found;
        corpus.rules.extend(rules);
        corpus.diagnostics.extend(self.diagnostics.into_iter().chain(diagnostics));
    }
}

impl Tracee {
    fn list(&mut self, file: &File<'_>, node: &Node, list: List, errors: &mut Vec<Diagnostic>) {
        let is_known = |known: &List| known.folder == list.folder && known.name == list.name;
        if self.lists.iter().any(is_known) {
            let at = node.get("name").unwrap_or(node);
            errors.push(at.error(file, format!("the list {:?} is there already in this folder", list.name)));
        } else {
            self.lists.push(list);
        }
    }
}
