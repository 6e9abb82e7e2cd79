//! `-f` and `-p`, the same for all subcommands that take them.

use std::fmt;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use anyhow::Result;
use clap::Args;
use clap::builder::{OsStringValueParser, TypedValueParser};
use events::Event;
use format::Schema;
use pipeline::Source;
use scopes::{Diagnostic, ScopeSet, Severity, Vocabulary};

#[derive(Args, Debug, Default)]
pub struct FilterOptions {
    /// A scope filter such as 9:comm=ls; filters of one scope are ANDed, scopes are ORed (repeatable)
    #[arg(short, long = "filter", value_name = "[N:]FILTER", allow_hyphen_values = true, value_parser = written())]
    pub filters: Vec<String>,
    /// A policy file, or a folder of them; each is one scope (repeatable)
    #[arg(short, long = "policy", value_name = "PATH")]
    pub policies: Vec<PathBuf>,
}

impl FilterOptions {
    pub fn is_empty(&self) -> bool {
        self.filters.is_empty() && self.policies.is_empty()
    }

    /// Every file that is read.
    pub fn paths(&self) -> Vec<&Path> {
        self.policies.iter().map(PathBuf::as_path).collect()
    }

    /// Reads the policies and checks everything; all that is wrong is in one error.
    pub fn scopes(&self) -> Result<ScopeSet> {
        self.scopes_and_policies().map(|(scopes, _)| scopes)
    }

    /// The same for a question about captures: they may declare events that the catalogue does not know.
    pub fn scopes_of(&self, source: &Source) -> Result<ScopeSet> {
        let mut declared: Vec<&'static Event> = Vec::new();
        let mut schemas: Vec<&Arc<Schema>> = Vec::new();
        for schema in source.files().iter().map(|file| file.capture.schema()) {
            // Many files have the same.
            if schemas.iter().any(|known| Arc::ptr_eq(known, schema)) {
                continue;
            }
            schemas.push(schema);
            for event in schema.events() {
                if !declared.iter().any(|known| known.id == event.id) {
                    declared.push(event);
                }
            }
        }
        self.checked(&declared).map(|(scopes, _)| scopes)
    }

    /// The scopes, with names and texts of the policy files.
    pub fn scopes_and_policies(&self) -> Result<(ScopeSet, Vec<(String, String)>)> {
        self.checked(&[])
    }

    /// Checks other filters with the same policies, again and again: what is wrong with them is not yet told.
    pub fn checked_with(
        &self,
        filters: &[String],
        declared: &[&'static Event],
    ) -> Result<ScopeSet, Vec<Diagnostic>> {
        let (policies, wrong) = read_policies(&self.policies);
        if !wrong.is_empty() {
            return Err(wrong);
        }
        let vocabulary = Vocabulary { declared, lists: Some(&read_list) };
        ScopeSet::with_vocabulary(filters, &policies, vocabulary)
    }

    fn checked(&self, declared: &[&'static Event]) -> Result<(ScopeSet, Vec<(String, String)>)> {
        let (policies, mut wrong) = read_policies(&self.policies);
        let vocabulary = Vocabulary { declared, lists: Some(&read_list) };
        match ScopeSet::with_vocabulary(&self.filters, &policies, vocabulary) {
            Ok(scopes) if wrong.is_empty() => return Ok((scopes, policies)),
            Ok(_) => {}
            Err(found) => wrong.extend(found),
        }
        Err(Diagnostics(wrong).into())
    }
}

/// Takes a filter from the command line. Bytes that are no UTF-8 become `\xNN`, which filters read as the bytes.
fn written() -> impl TypedValueParser<Value = String> {
    OsStringValueParser::new().map(|text| {
        let mut written = String::new();
        for chunk in text.as_encoded_bytes().utf8_chunks() {
            written.push_str(chunk.valid());
            chunk.invalid().iter().for_each(|byte| written.push_str(&format!("\\x{byte:02x}")));
        }
        written
    })
}

/// The bytes of a list of values, `@FILE` in a filter.
fn read_list(name: &str) -> Result<Vec<u8>, String> {
    let size = fs::metadata(name).map_err(|error| error.to_string())?.len();
    if size > LIST_BYTES {
        return Err(format!("it has {size} bytes, and at most {LIST_BYTES} are allowed"));
    }
    fs::read(name).map_err(|error| error.to_string())
}

/// Of a list of values: a million lines and more.
const LIST_BYTES: u64 = 64 << 20;

/// The answer to a question of scopes. Filters that do not fit the capture say so as all others do.
pub fn answered<T>(answer: Result<T, replay::Error>) -> Result<T> {
    match answer {
        Err(replay::Error::Filters(found)) => Err(Diagnostics(found).into()),
        answer => Ok(answer?),
    }
}

/// Names and texts of policy files (of a folder, those directly in it, in order of name), and what could not be read.
fn read_policies(paths: &[PathBuf]) -> (Vec<(String, String)>, Vec<Diagnostic>) {
    let (mut policies, mut unread) = (Vec::new(), Vec::new());
    for path in paths {
        let files = match files_of(path) {
            Ok(files) if files.is_empty() => {
                unread.push(unreadable(path, "no .yaml, .yml or .json file is in this folder".into()));
                continue;
            }
            Ok(files) => files,
            Err(error) => {
                unread.push(unreadable(path, error.to_string()));
                continue;
            }
        };
        for file in files {
            match fs::read_to_string(&file) {
                Ok(text) => policies.push((file.display().to_string(), text)),
                Err(error) => unread.push(unreadable(&file, error.to_string())),
            }
        }
    }
    (policies, unread)
}

fn files_of(path: &Path) -> io::Result<Vec<PathBuf>> {
    if !fs::metadata(path)?.is_dir() {
        return Ok(vec![path.to_owned()]);
    }
    let entries = fs::read_dir(path)?.map(|entry| entry.map(|entry| entry.path()));
    let mut files: Vec<PathBuf> = entries.collect::<io::Result<_>>()?;
    files.retain(|file| is_policy(file));
    files.sort();
    Ok(files)
}

fn unreadable(path: &Path, why: String) -> Diagnostic {
    let text = path.display().to_string();
    Diagnostic {
        severity: Severity::Error,
        flag: "-p".into(),
        span: 0..text.len(),
        text,
        message: format!("this policy cannot be read: {why}"),
        suggestion: None,
        allowed: None,
    }
}

fn is_policy(file: &Path) -> bool {
    let extension = file.extension().and_then(|extension| extension.to_str());
    matches!(extension, Some("yaml" | "yml" | "json"))
}

/// Everything that is wrong with the filters of a command line.
#[derive(Debug)]
pub struct Diagnostics(pub Vec<Diagnostic>);

impl fmt::Display for Diagnostics {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (number, diagnostic) in self.0.iter().enumerate() {
            let newline = if number == 0 { "" } else { "\n" };
            write!(out, "{newline}{diagnostic}")?;
        }
        Ok(())
    }
}

impl std::error::Error for Diagnostics {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_errors_of_a_command_line_are_told_at_once() {
        let options = FilterOptions { filters: vec!["65:comm=ls".into(), "com=ls".into()], policies: vec![] };
        let error = options.scopes().expect_err("two mistakes").to_string();
        assert!(error.contains("65") && error.contains("did you mean \"comm\"?"), "{error}");
    }

    #[test]
    fn policies_of_a_folder_come_in_order_of_name() {
        let folder = tempfile::tempdir().expect("a folder");
        for name in ["b.yaml", "a.json", "c.yml", "notes.txt"] {
            fs::write(folder.path().join(name), name).expect("a file");
        }
        let (read, unread) = read_policies(&[folder.path().to_owned()]);
        assert_eq!(unread.len(), 0);
        assert_eq!(
            read.iter().map(|(_, text)| text.as_str()).collect::<Vec<_>>(),
            ["a.json", "b.yaml", "c.yml"]
        );
    }

    #[test]
    fn policies_that_cannot_be_read_are_told_with_all_that_is_wrong() {
        let folder = tempfile::tempdir().expect("a folder");
        let bad = folder.path().join("bad.yaml");
        fs::write(&bad, "type: policy\nname: x\nscope: [global]\nrules: [{event: opnat}]\n").expect("a file");
        let policies = vec![folder.path().join("missing.yaml"), bad];
        let options = FilterOptions { filters: vec!["com=ls".into()], policies };
        let error = options.scopes().expect_err("three mistakes").to_string();
        for said in ["missing.yaml", "cannot be read", "did you mean \"comm\"?", "opnat"] {
            assert!(error.contains(said), "{error}");
        }
        let empty = tempfile::tempdir().expect("a folder");
        let options = FilterOptions { filters: Vec::new(), policies: vec![empty.path().to_owned()] };
        let error = options.scopes().expect_err("nothing there").to_string();
        assert!(error.contains("no .yaml, .yml or .json file is in this folder"), "{error}");
    }
}
