//! `-f` and `-p`, the same for all subcommands that take them.

use std::fmt;
use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};
use clap::Args;
use scopes::{Diagnostic, ScopeSet};

#[derive(Args, Debug, Default)]
pub struct FilterOptions {
    /// A scope filter such as 9:comm=ls; filters of one scope are ANDed, scopes are ORed (repeatable)
    #[arg(short, long = "filter", value_name = "[N:]FILTER", allow_hyphen_values = true)]
    pub filters: Vec<String>,
    /// A policy file, or a folder of them; each is one scope (repeatable)
    #[arg(short, long = "policy", value_name = "PATH")]
    pub policies: Vec<PathBuf>,
}

impl FilterOptions {
    pub fn is_empty(&self) -> bool {
        self.filters.is_empty() && self.policies.is_empty()
    }

    /// Reads the policies and checks everything; all that is wrong is in one error.
    pub fn scopes(&self) -> Result<ScopeSet> {
        let policies = read_policies(&self.policies)?;
        ScopeSet::with_policies(&self.filters, &policies).map_err(|found| Diagnostics(found).into())
    }
}

/// How many threads to answer with: all processors where none are asked for.
pub fn threads(asked: Option<u16>) -> usize {
    match asked {
        Some(threads) => threads.into(),
        None => std::thread::available_parallelism().map_or(1, |threads| threads.get()),
    }
}

/// Names and texts of policy files; of a folder, those directly in it, in order of name.
pub fn read_policies(paths: &[PathBuf]) -> Result<Vec<(String, String)>> {
    let mut policies = Vec::new();
    for path in paths {
        let name = path.display().to_string();
        if fs::metadata(path).with_context(|| name.clone())?.is_dir() {
            let mut files = Vec::new();
            for entry in fs::read_dir(path).with_context(|| name.clone())? {
                let file = entry.with_context(|| name.clone())?.path();
                if is_policy(&file) {
                    files.push(file);
                }
            }
            files.sort();
            if files.is_empty() {
                bail!("{name}: no .yaml, .yml or .json file is in this folder");
            }
            for file in files {
                policies.push(read(&file)?);
            }
        } else {
            policies.push(read(path)?);
        }
    }
    Ok(policies)
}

fn is_policy(file: &Path) -> bool {
    let extension = file.extension().and_then(|extension| extension.to_str());
    matches!(extension, Some("yaml" | "yml" | "json"))
}

fn read(file: &Path) -> Result<(String, String)> {
    let name = file.display().to_string();
    let text = fs::read_to_string(file).with_context(|| name.clone())?;
    Ok((name, text))
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
        let read = read_policies(&[folder.path().to_owned()]).expect("policies");
        assert_eq!(
            read.iter().map(|(_, text)| text.as_str()).collect::<Vec<_>>(),
            ["a.json", "b.yaml", "c.yml"]
        );
    }
}
