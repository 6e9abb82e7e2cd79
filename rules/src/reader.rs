//! What reads rule files: one reader for each language, and which of them a file is for.

use std::sync::Arc;

use crate::diagnostic::{Diagnostic, File};
use crate::elastic::Elastic;
use crate::falco::Falco;
use crate::own::Own;
use crate::rule::Rule;
use crate::sigma::Sigma;
use crate::yaml::{self, Node};

/// Reads files of one language. Files of a corpus belong together (macros, lists, correlations, overrides), so rules come when
/// all of them were added.
pub trait Reader {
    /// Reads a file; what is wrong with it is told by [`Reader::finish`].
    fn add(&mut self, file: &File<'_>, documents: &[Node]);

    fn finish(self: Box<Self>, corpus: &mut Corpus);
}

/// What was read.
#[derive(Debug, Default)]
pub struct Corpus {
    pub rules: Vec<Rule>,
    pub diagnostics: Vec<Diagnostic>,
    /// Rules that are in the files: those that were read, those that are wrong, and those below.
    pub found: usize,
    /// Rules of other systems and products: how many of which.
    pub foreign: Vec<(String, usize)>,
    /// Rules that their authors do not want to be asked.
    pub disabled: usize,
}

impl Corpus {
    pub fn foreign(&mut self, of: impl Into<String>) {
        let of = of.into();
        self.found += 1;
        match self.foreign.iter_mut().find(|(known, _)| *known == of) {
            Some((_, count)) => *count += 1,
            None => self.foreign.push((of, 1)),
        }
    }
}

/// Readers of all languages.
#[derive(Default)]
pub struct Readers {
    own: Option<Box<Own>>,
    sigma: Option<Box<Sigma>>,
    falco: Option<Box<Falco>>,
    elastic: Elastic,
    corpus: Corpus,
}

impl std::fmt::Debug for Readers {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        out.debug_struct("Readers").field("corpus", &self.corpus).finish_non_exhaustive()
    }
}

impl Readers {
    /// Reads a file of rules. `is_named`: the user named it, and did not only name a folder that it is in; a file of a folder
    /// that holds no rules is none, and left out.
    pub fn add(&mut self, name: &str, text: &str, is_named: bool) {
        let name: Arc<str> = name.into();
        let file = File { name: &name, text };
        match name.rsplit_once('.').map(|(_, extension)| extension) {
            Some("toml") => return self.elastic.add_rule(&file, is_named),
            Some("eql") => return self.elastic.add_query(&file),
            _ => {}
        }
        let (documents, errors) = yaml::documents(&file);
        match language_of(&documents) {
            Some(Kind::Own) => self.own.get_or_insert_default().add(&file, &documents),
            Some(Kind::Falco) => self.falco.get_or_insert_default().add(&file, &documents),
            Some(Kind::Sigma) => self.sigma.get_or_insert_default().add(&file, &documents),
            None if is_named && errors.is_empty() => {
                let allowed = "our own (rule, when or sequence), Tracee's detectors (type: detector), Falco (a list of rules, macros and lists), Sigma (title, logsource, detection; correlation; filter), Elastic's rules (.toml), EQL (.eql)";
                self.corpus.diagnostics.push(file.whole("no rules are in this file").allowing(allowed));
            }
            None => {}
        }
        if is_named || !documents.is_empty() || looks_like_rules(text) {
            self.corpus.diagnostics.extend(errors);
        }
    }

    /// All rules of all files, in order of languages and of files.
    pub fn finish(mut self) -> Corpus {
        if let Some(own) = self.own.take() {
            own.finish(&mut self.corpus);
        }
        if let Some(sigma) = self.sigma.take() {
            sigma.finish(&mut self.corpus);
        }
        if let Some(falco) = self.falco.take() {
            falco.finish(&mut self.corpus);
        }
        self.elastic.finish(&mut self.corpus);
        // By file, as they were given, and by place in it.
        let mut files: Vec<_> = Vec::new();
        for file in self.corpus.diagnostics.iter().map(|it| &it.place.file) {
            if !files.contains(file) {
                files.push(std::sync::Arc::clone(file));
            }
        }
        let number = |it: &Diagnostic| files.iter().position(|file| *file == it.place.file);
        self.corpus.diagnostics.sort_by_key(|it| (number(it), it.place.line, it.place.column));
        self.corpus
    }
}

/// Languages in YAML.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Kind {
    Own,
    Sigma,
    Falco,
}

/// The language that the documents of a file are written in: that of the first that tells.
fn language_of(documents: &[Node]) -> Option<Kind> {
    documents.iter().find_map(|document| {
        let has = |key| document.get(key).is_some();
        let is_sigma =
            has("detection") || has("logsource") || has("correlation") || has("filter") && has("title");
        if Own::reads(document) {
            return Some(Kind::Own);
        }
        if Falco::reads(document) {
            return Some(Kind::Falco);
        }
        is_sigma.then_some(Kind::Sigma)
    })
}

/// Whether a text that is no YAML was meant to be rules.
fn looks_like_rules(text: &str) -> bool {
    text.lines().any(|line| {
        ["detection:", "logsource:", "- rule:", "rule:", "type: detector"]
            .iter()
            .any(|key| line.starts_with(key))
    })
}
