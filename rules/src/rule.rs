//! A rule of any language: what it is called, where it stands, and what it asks.

use std::fmt;

use crate::diagnostic::Place;
use crate::form::{Body, Field};

/// A rule as it is asked. What its language was shows in its metadata only.
#[derive(Clone, PartialEq, Debug)]
pub struct Rule {
    /// What users name it by: an id of its author's, or its name where the language has no ids.
    pub id: String,
    pub title: String,
    pub level: Level,
    pub language: Language,
    pub authors: Vec<String>,
    pub licence: Option<String>,
    pub description: String,
    /// As the language writes them: `attack.t1059.004`, `maturity_stable`.
    pub tags: Vec<String>,
    pub place: Place,
    /// What a finding says beside what all of them say, where the language has it.
    pub output: Option<Template>,
    pub body: Body,
    /// Its findings are told; otherwise it is there for rules that build on it.
    pub is_told: bool,
    /// Where what is asked is not quite what its author meant, in words for the user.
    pub notes: Vec<String>,
}

/// What a rule wants to be told of its findings.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Template {
    /// Falco's words: `Shell %proc.name`.
    Words(String),
    /// Fields by name, of each event that it is asked of.
    Fields(Vec<OutputOf>),
}

impl Template {
    /// The fields of processes and others that it names.
    pub(crate) fn fields(&self) -> impl Iterator<Item = Field> {
        let all: Vec<Field> = match self {
            Template::Words(words) => crate::falco::fields_of(words),
            Template::Fields(all) => {
                all.iter().flat_map(|output| &output.fields).map(|(_, field)| field.clone()).collect()
            }
        };
        all.into_iter()
    }
}

#[derive(Clone, PartialEq, Eq, Debug)]
pub struct OutputOf {
    pub event: &'static str,
    pub fields: Vec<(String, Field)>,
}

impl Rule {
    /// The techniques of MITRE ATT&CK that it is about: `T1059.004`.
    pub fn techniques(&self) -> impl Iterator<Item = String> + '_ {
        let ids = self.tags.iter().filter_map(|tag| tag.strip_prefix("attack.t"));
        ids.filter(|id| id.starts_with(|c: char| c.is_ascii_digit())).map(|id| format!("T{id}"))
    }
}

/// How much a finding matters.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Default)]
pub enum Level {
    Info,
    Low,
    #[default]
    Medium,
    High,
    Critical,
}

impl Level {
    pub const ALL: [Level; 5] = [Level::Info, Level::Low, Level::Medium, Level::High, Level::Critical];

    pub fn name(self) -> &'static str {
        match self {
            Level::Info => "info",
            Level::Low => "low",
            Level::Medium => "medium",
            Level::High => "high",
            Level::Critical => "critical",
        }
    }

    /// By the name that any of the languages gives it.
    pub fn parse(name: &str) -> Option<Level> {
        Some(match name.to_ascii_lowercase().as_str() {
            "info" | "informational" | "information" | "notice" | "debug" => Level::Info,
            "low" => Level::Low,
            "medium" | "warning" => Level::Medium,
            "high" | "error" => Level::High,
            "critical" | "alert" | "emergency" => Level::Critical,
            _ => return None,
        })
    }
}

impl fmt::Display for Level {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(self.name())
    }
}

/// The language that a rule is written in.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum Language {
    /// Our own.
    Tracer,
    Sigma,
    Falco,
    Eql,
    Kql,
    /// Detectors in Tracee's YAML.
    Tracee,
    /// Rules of auditctl.
    Audit,
}

impl Language {
    pub fn name(self) -> &'static str {
        match self {
            Language::Tracer => "tracer",
            Language::Sigma => "sigma",
            Language::Falco => "falco",
            Language::Eql => "eql",
            Language::Kql => "kql",
            Language::Tracee => "tracee",
            Language::Audit => "audit",
        }
    }
}
