//! What reads rule files: one reader for each language, and which of them a file is for.

use std::collections::HashMap;
use std::sync::Arc;

use crate::audit::{Audit, Profile};
use crate::diagnostic::{Diagnostic, File, bounded};
use crate::elastic::Elastic;
use crate::falco::Falco;
use crate::own::Own;
use crate::rule::Rule;
use crate::sigma::Sigma;
use crate::tracee::Tracee;
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
    tracee: Option<Box<Tracee>>,
    sigma: Option<Box<Sigma>>,
    falco: Option<Box<Falco>>,
    elastic: Elastic,
    audit: Audit,
    /// What audit was told, for rules that ask for its keys.
    profile: Option<Arc<Profile>>,
    corpus: Corpus,
}

impl std::fmt::Debug for Readers {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        out.debug_struct("Readers").field("corpus", &self.corpus).finish_non_exhaustive()
    }
}

impl Readers {
    /// Reads rules of auditctl, by name and text, so that rules in Sigma may ask for their keys. It comes before any other.
    pub fn with_audit_rules(mut self, files: &[(String, String)]) -> Readers {
        let (profile, diagnostics) = Profile::read(files);
        self.profile = Some(Arc::new(profile));
        self.corpus.diagnostics.extend(diagnostics);
        self
    }

    /// Reads a file of rules. `is_named`: the user named it, and did not only name a folder that it is in; a file of a folder
    /// that holds no rules is none, and left out.
    pub fn add(&mut self, name: &str, text: &str, is_named: bool) {
        let name: Arc<str> = name.into();
        let file = File { name: &name, text };
        match name.rsplit_once('.').map(|(_, extension)| extension) {
            Some("toml") => return self.elastic.add_rule(&file, is_named),
            Some("eql") => return self.elastic.add_query(&file),
            // Others write files that end so as well.
            Some("rules") if is_named || Audit::reads(text) => return self.audit.add(&file),
            Some("rules") => return,
            _ => {}
        }
        let (documents, errors) = yaml::documents(&file);
        match language_of(&documents) {
            Some(Kind::Own) => self.own.get_or_insert_default().add(&file, &documents),
            Some(Kind::Tracee) => self.tracee.get_or_insert_default().add(&file, &documents),
            Some(Kind::Falco) => self.falco.get_or_insert_default().add(&file, &documents),
            Some(Kind::Sigma) => {
                let profile = self.profile.clone();
                self.sigma.get_or_insert_with(|| Box::new(Sigma::new(profile))).add(&file, &documents);
            }
            None if is_named && errors.is_empty() => {
                let allowed = "our own (rule, when or sequence), Tracee's detectors (type: detector or string_list), Falco (a list of rules, macros and lists), Sigma (title, logsource, detection; correlation; filter), Elastic's rules (.toml), EQL (.eql), rules of auditctl (.rules)";
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
        if let Some(tracee) = self.tracee.take() {
            tracee.finish(&mut self.corpus);
        }
        if let Some(sigma) = self.sigma.take() {
            sigma.finish(&mut self.corpus);
        }
        if let Some(falco) = self.falco.take() {
            falco.finish(&mut self.corpus);
        }
        self.elastic.finish(&mut self.corpus);
        self.audit.finish(&mut self.corpus);
        // By file, as they were given, and by place in it.
        let mut files: HashMap<Arc<str>, usize> = HashMap::new();
        for it in &self.corpus.diagnostics {
            let next = files.len();
            files.entry(Arc::clone(&it.place.file)).or_insert(next);
        }
        let number = |it: &Diagnostic| files.get(&it.place.file).copied();
        self.corpus.diagnostics.sort_by_key(|it| (number(it), it.place.line, it.place.column));
        self.corpus.diagnostics = bounded(std::mem::take(&mut self.corpus.diagnostics));
        self.corpus
    }
}

/// Languages in YAML.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Kind {
    Own,
    Tracee,
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
        if Tracee::reads(document) {
            return Some(Kind::Tracee);
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
        ["detection:", "logsource:", "- rule:", "rule:", "type: detector", "type: string_list"]
            .iter()
            .any(|key| line.starts_with(key))
    })
}
