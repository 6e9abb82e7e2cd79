//! `--rules` and `--only`, the same for all subcommands that take rules.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};
use clap::Args;
use rules::{Corpus, Level, Readers, Rule};

/// A file of rules that is larger is none.
const FILE_BYTES: u64 = 16 << 20;
/// Folders within each other.
const DEPTH: usize = 32;

#[derive(Args, Debug, Default)]
pub struct RuleOptions {
    /// A file of rules, or a folder that is read with all below it; Sigma, Falco, Elastic's rules, EQL, Tracee's detectors, auditctl's rules, our own (repeatable)
    #[arg(long, value_name = "PATH")]
    pub rules: Vec<PathBuf>,
    /// Leave out the rules that are part of the program
    #[arg(long)]
    pub no_builtin: bool,
    /// What audit is told on the host, as `auditctl -R` reads it: Sigma's rules about audit are asked of the records that these lines make, and know their keys (repeatable: one list)
    #[arg(long, value_name = "FILE")]
    pub audit_rules: Vec<PathBuf>,
    /// Only rules with this id, title or tag, or of this level and above (repeatable: any of them)
    #[arg(long, value_name = "ID|TAG|LEVEL")]
    pub only: Vec<String>,
}

impl RuleOptions {
    /// Nothing is said of rules.
    #[cfg(feature = "record")]
    pub fn is_empty(&self) -> bool {
        self.rules.is_empty() && self.only.is_empty() && !self.no_builtin && self.audit_rules.is_empty()
    }

    /// There is none to ask.
    pub fn is_off(&self) -> bool {
        self.rules.is_empty() && self.no_builtin
    }

    /// All rules that were chosen, and what is wrong with the files.
    pub fn read(&self) -> Result<Corpus> {
        if self.is_off() {
            bail!("no rules to ask: give files or folders of them with --rules");
        }
        let mut corpus = read(&self.rules, &self.audit_rules, !self.no_builtin)?;
        if !self.only.is_empty() {
            choose(&mut corpus.rules, &self.only)?;
        }
        Ok(corpus)
    }
}

/// Reads files, and folders with all below them; before them, where they are wanted, the rules that are part of the program.
/// `audit_rules`: files that say what audit is told.
pub fn read(paths: &[PathBuf], audit_rules: &[PathBuf], has_builtin: bool) -> Result<Corpus> {
    let mut readers = Readers::default();
    if !audit_rules.is_empty() {
        let files: Vec<(String, String)> =
            audit_rules.iter().map(|path| text(path, "--audit-rules")).collect::<Result<_>>()?;
        readers = readers.with_audit_rules(&files);
    }
    if has_builtin {
        rules::behaviours::add(&mut readers);
    }
    for path in paths {
        let kind = fs::metadata(path).with_context(|| format!("--rules {}", path.display()))?;
        if !kind.is_dir() {
            add(&mut readers, path, true)?;
            continue;
        }
        let mut files = Vec::new();
        below(path, &mut files, 0).with_context(|| format!("--rules {}", path.display()))?;
        for file in &files {
            add(&mut readers, file, false)?;
        }
    }
    Ok(readers.finish())
}

fn add(readers: &mut Readers, path: &Path, is_named: bool) -> Result<()> {
    let name = path.display().to_string();
    let size = fs::metadata(path).with_context(|| name.clone())?.len();
    if size > FILE_BYTES {
        bail!("{name} has {size} bytes, and a file of rules at most {FILE_BYTES}");
    }
    let bytes = fs::read(path).with_context(|| name.clone())?;
    match String::from_utf8(bytes) {
        Ok(text) => readers.add(&name, &text, is_named),
        Err(_) if is_named => bail!("{name} is no text in UTF-8"),
        Err(_) => {}
    }
    Ok(())
}

/// The name and the text of a file that an option names.
fn text(path: &Path, option: &str) -> Result<(String, String)> {
    let name = path.display().to_string();
    let size = fs::metadata(path).with_context(|| format!("{option} {name}"))?.len();
    if size > FILE_BYTES {
        bail!("{option} {name} has {size} bytes, and a file of rules at most {FILE_BYTES}");
    }
    match String::from_utf8(fs::read(path).with_context(|| format!("{option} {name}"))?) {
        Ok(text) => Ok((name, text)),
        Err(_) => bail!("{option} {name} is no text in UTF-8"),
    }
}

/// Files that may be rules, in order of name; what is hidden is left out, and links are not followed into folders.
fn below(folder: &Path, files: &mut Vec<PathBuf>, depth: usize) -> io::Result<()> {
    let mut entries: Vec<_> = fs::read_dir(folder)?.collect::<io::Result<_>>()?;
    entries.sort_by_key(fs::DirEntry::file_name);
    for entry in entries {
        let (path, kind) = (entry.path(), entry.file_type()?);
        if entry.file_name().as_encoded_bytes().starts_with(b".") {
            continue;
        }
        if kind.is_dir() {
            if depth < DEPTH {
                below(&path, files, depth + 1)?;
            }
        } else if matches!(
            path.extension().and_then(|it| it.to_str()),
            Some("yml" | "yaml" | "toml" | "eql" | "rules")
        ) && path.is_file()
        {
            files.push(path);
        }
    }
    Ok(())
}

/// Leaves the rules that were chosen; those that they build on stay, and are not told.
fn choose(rules: &mut Vec<Rule>, only: &[String]) -> Result<()> {
    for wanted in only {
        if !rules.iter().any(|rule| is_named(rule, wanted)) {
            bail!("--only {wanted}: no rule has this id, title or tag, or this level or a higher one");
        }
    }
    let mut keep: Vec<bool> =
        rules.iter().map(|rule| only.iter().any(|wanted| is_named(rule, wanted))).collect();
    let chosen = keep.clone();
    loop {
        let needed: Vec<&str> = rules
            .iter()
            .zip(&keep)
            .filter(|(_, keep)| **keep)
            .flat_map(|(rule, _)| rule.body.builds_on())
            .collect();
        let more: Vec<usize> = rules
            .iter()
            .enumerate()
            .filter(|(at, rule)| keep.get(*at) == Some(&false) && needed.contains(&rule.id.as_str()))
            .map(|(at, _)| at)
            .collect();
        if more.is_empty() {
            break;
        }
        more.into_iter().for_each(|at| keep[at] = true);
    }
    let flags: Vec<(bool, bool)> = keep.into_iter().zip(chosen).collect();
    let mut at = flags.iter();
    rules.retain_mut(|rule| {
        let (keep, chosen) = at.next().copied().unwrap_or_default();
        rule.is_told &= chosen;
        keep
    });
    Ok(())
}

/// Whether a rule is what `--only` calls so: its id, title or tag, or a level that it reaches.
pub fn is_named(rule: &Rule, wanted: &str) -> bool {
    let is_tag = |tag: &String| {
        let technique = tag.strip_prefix("attack.").unwrap_or(tag);
        tag.eq_ignore_ascii_case(wanted) || technique.eq_ignore_ascii_case(wanted)
    };
    rule.id == wanted
        || rule.title == wanted
        || rule.tags.iter().any(is_tag)
        || Level::parse(wanted).is_some_and(|level| rule.level >= level)
}

#[cfg(test)]
mod tests {
    use super::*;

    const RULE: &str = "title: A\nid: a\nlogsource:\n  product: linux\n  category: process_creation\ndetection:\n  s:\n    \
                        Image: /a\n  condition: s\nlevel: low\ntags: [attack.t1059]\n";

    #[test]
    fn folders_are_read_with_all_below_them_and_what_is_no_rule_is_left_out() {
        let folder = tempfile::tempdir().expect("a folder");
        fs::create_dir(folder.path().join("b")).expect("a folder");
        for (name, text) in [("b/a.yml", RULE), ("c.yaml", "just: yaml\n"), (".d.yml", RULE), ("e.txt", RULE)]
        {
            fs::write(folder.path().join(name), text).expect("a file");
        }
        let corpus = read(&[folder.path().to_owned()], &[], false).expect("a corpus");
        assert_eq!((corpus.rules.len(), corpus.diagnostics.len()), (1, 0));
    }

    #[test]
    fn rules_that_chosen_ones_build_on_stay_and_are_not_told() {
        let folder = tempfile::tempdir().expect("a folder");
        let count = "---\ntitle: C\nid: c\nlevel: high\ncorrelation:\n  type: event_count\n  rules: [a]\n  timespan: 1m\n  \
                     condition: {gte: 2}\n  generate: true\n";
        fs::write(folder.path().join("a.yml"), format!("{RULE}{count}")).expect("a file");
        let options = |only: &str| RuleOptions {
            rules: vec![folder.path().to_owned()],
            no_builtin: true,
            only: vec![only.into()],
            ..RuleOptions::default()
        };
        let told = |only: &str| {
            let rules = options(only).read().expect("rules").rules;
            rules.iter().map(|rule| (rule.id.clone(), rule.is_told)).collect::<Vec<_>>()
        };
        assert_eq!(told("high"), [("a".to_owned(), false), ("c".to_owned(), true)]);
        assert_eq!(told("T1059"), [("a".to_owned(), true)]);
        assert!(options("zzz").read().expect_err("no rule").to_string().contains("--only zzz"));
    }
}
