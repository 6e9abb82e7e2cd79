//! `-f` and `-p`: the scopes of a command line, read the same by every subcommand.

use std::{
    fs,
    io::{self, Write},
    path::{Path, PathBuf},
};

use anyhow::{Context, Result, bail};
use clap::Args;
use scopes::{Diagnostic, ScopeSet};

#[derive(Args, Clone, Debug, Default)]
pub struct ScopeOptions {
    /// A filter, with the number of its scope before it (9:comm=ls); filters of one scope are ANDed, scopes ORed
    #[arg(short, long = "filter", value_name = "[N:]FILTER")]
    pub filters: Vec<String>,

    /// Policies: a YAML or JSON file, or a folder of them; each is a scope
    #[arg(short, long = "policy", value_name = "FILE|DIR")]
    pub policies: Vec<PathBuf>,
}

impl ScopeOptions {
    pub fn is_empty(&self) -> bool {
        self.filters.is_empty() && self.policies.is_empty()
    }

    /// Name and text of each policy file; of a folder those directly in it, by name.
    pub fn policy_texts(&self) -> Result<Vec<(String, String)>> {
        let mut texts = Vec::new();
        for path in &self.policies {
            for file in policy_files(path)? {
                let text = fs::read_to_string(&file).with_context(|| format!("policy {}", file.display()))?;
                texts.push((file.display().to_string(), text));
            }
        }
        Ok(texts)
    }

    /// Checks them all. Warnings go to stderr, and every mistake is in the one error.
    pub fn scopes(&self, policies: &[(String, String)]) -> Result<ScopeSet> {
        let set = ScopeSet::with_policies(&self.filters, policies).map_err(|errors| all(&errors))?;
        for warning in set.warnings() {
            writeln!(io::stderr(), "{warning}")?;
        }
        Ok(set)
    }
}

/// Several diagnostics as one error, each on lines of its own.
pub fn all(errors: &[Diagnostic]) -> anyhow::Error {
    let texts: Vec<String> = errors.iter().map(ToString::to_string).collect();
    let what = if errors.len() == 1 { "a filter cannot be used" } else { "filters cannot be used" };
    anyhow::anyhow!("{what}\n{}", texts.join("\n"))
}

fn policy_files(path: &Path) -> Result<Vec<PathBuf>> {
    let meta = fs::metadata(path).with_context(|| format!("policy {}", path.display()))?;
    if !meta.is_dir() {
        return Ok(vec![path.to_owned()]);
    }
    let mut files = Vec::new();
    for entry in fs::read_dir(path).with_context(|| format!("policies of {}", path.display()))? {
        let file = entry?.path();
        let is_policy = file.extension().is_some_and(|e| e == "yaml" || e == "yml" || e == "json");
        if is_policy && file.is_file() {
            files.push(file);
        }
    }
    files.sort();
    if files.is_empty() {
        bail!("{} holds no policies (.yaml, .yml or .json)", path.display());
    }
    Ok(files)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_folder_gives_its_policies_by_name_and_nothing_else() {
        let dir = tempfile::tempdir().unwrap();
        for name in ["b.yaml", "a.yml", "c.json", "notes.txt"] {
            fs::write(dir.path().join(name), name).unwrap();
        }
        fs::create_dir(dir.path().join("d.yaml")).unwrap();
        let options = ScopeOptions { policies: vec![dir.path().to_owned()], ..ScopeOptions::default() };
        let texts: Vec<String> = options.policy_texts().unwrap().into_iter().map(|(_, text)| text).collect();
        assert_eq!(texts, ["a.yml", "b.yaml", "c.json"]);
        let empty = ScopeOptions { policies: vec![dir.path().join("d.yaml")], ..ScopeOptions::default() };
        assert!(empty.policy_texts().unwrap_err().to_string().contains("holds no policies"));
    }

    #[test]
    fn every_mistake_of_a_command_line_is_told_at_once() {
        let filters = ["com=ls", "event=opneat"].map(str::to_owned).into();
        let options = ScopeOptions { filters, ..ScopeOptions::default() };
        let said = options.scopes(&[]).unwrap_err().to_string();
        assert!(said.contains("com=ls") && said.contains("openat"), "{said}");
    }
}
