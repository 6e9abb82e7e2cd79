//! What rules that tell what is new know from before: earlier captures, the first part of this one, a file.

use std::fs::{self, File};
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use clap::Args;
use rules::Rule;
use rules::scan::{Asking, Scan, Seen};
use serde_json::Value;

use crate::inputs::Reading;

#[derive(Args, Debug)]
pub struct Memory {
    /// An earlier capture: what was there is not new to rules that tell what is (repeatable)
    #[arg(long, value_name = "FILE")]
    history: Vec<PathBuf>,
    /// For so long from the first event on, rules that tell what is new only learn: 30s, 5m, 1h, 2d
    #[arg(long, value_name = "SPAN", value_parser = span)]
    learn: Option<u64>,
    /// What was seen is read from this file when it is there, and written into it at the end
    #[arg(long, value_name = "FILE")]
    baseline: Option<PathBuf>,
}

fn span(text: &str) -> Result<u64, String> {
    let units = [("s", 1u64), ("m", 60), ("h", 3600), ("d", 86_400)];
    let read = |(unit, seconds): (&str, u64)| {
        text.strip_suffix(unit)?.parse::<u64>().ok()?.checked_mul(seconds)?.checked_mul(1_000_000_000)
    };
    units.into_iter().find_map(read).ok_or_else(|| "no span of time: 30s, 5m, 1h, 2d".to_owned())
}

impl Memory {
    pub fn learn_ns(&self) -> u64 {
        self.learn.unwrap_or_default()
    }

    /// What is known before the first event.
    pub fn seen(&self, rules: &[Rule], reading: &Reading) -> Result<Seen> {
        let mut seen = match &self.baseline {
            None => Seen::new(),
            Some(path) => match fs::read(path) {
                Ok(bytes) => {
                    let value = serde_json::from_slice(&bytes).map_err(anyhow::Error::from);
                    let read = value.and_then(|value| read(&value).context("no file of what was seen"));
                    read.with_context(|| format!("--baseline {}", path.display()))?
                }
                Err(error) if error.kind() == io::ErrorKind::NotFound => Seen::new(),
                Err(error) => return Err(error).with_context(|| format!("--baseline {}", path.display())),
            },
        };
        if !self.history.is_empty() {
            let source = reading.source(&self.history)?;
            let asking = Asking { threads: 1, seen, ..Asking::default() };
            seen = Scan::new(rules, &source).run(asking, &mut |_| {})?.seen;
        }
        Ok(seen)
    }

    /// Keeps what is known now. Values come from captures: only the user is to read them.
    pub fn save(&self, seen: &Seen) -> Result<()> {
        let Some(path) = &self.baseline else { return Ok(()) };
        let rules: serde_json::Map<String, Value> = seen
            .iter()
            .map(|(rule, all)| {
                let tuple =
                    |values: &Vec<Vec<u8>>| values.iter().map(|value| text(value)).collect::<Vec<_>>();
                (
                    rule.clone(),
                    Value::from(all.iter().map(|values| Value::from(tuple(values))).collect::<Vec<_>>()),
                )
            })
            .collect();
        let bytes = serde_json::to_vec_pretty(&serde_json::json!({"version": 1, "seen": rules}))?;
        // One that is being written is not to be taken for one that is whole.
        let new = path.with_added_extension("new");
        let written = private_file(&new).and_then(|mut file| {
            file.write_all(&bytes)?;
            file.sync_all()?;
            fs::rename(&new, path)
        });
        written.with_context(|| format!("--baseline {}", path.display()))
    }
}

#[cfg(unix)]
fn private_file(path: &Path) -> io::Result<File> {
    use std::os::unix::fs::OpenOptionsExt as _;
    File::options().write(true).create(true).truncate(true).mode(0o600).open(path)
}

#[cfg(not(unix))]
fn private_file(path: &Path) -> io::Result<File> {
    File::create(path)
}

/// Bytes as a text that they can be had back from: what is no UTF-8 is written as `\\xNN`, and a backslash as two.
fn text(bytes: &[u8]) -> String {
    let mut text = String::new();
    for chunk in bytes.utf8_chunks() {
        text.push_str(&chunk.valid().replace('\\', "\\\\"));
        chunk.invalid().iter().for_each(|byte| text.push_str(&format!("\\x{byte:02x}")));
    }
    text
}

fn bytes(text: &str) -> Option<Vec<u8>> {
    let mut bytes = Vec::new();
    let mut rest = text;
    while let Some(at) = rest.find('\\') {
        let (before, escape) = rest.split_at(at);
        bytes.extend_from_slice(before.as_bytes());
        if let Some(behind) = escape.strip_prefix("\\\\") {
            bytes.push(b'\\');
            rest = behind;
        } else {
            let digits = escape.strip_prefix("\\x")?;
            bytes.push(u8::from_str_radix(digits.get(..2)?, 16).ok()?);
            rest = digits.get(2..)?;
        }
    }
    bytes.extend_from_slice(rest.as_bytes());
    Some(bytes)
}

fn read(value: &Value) -> Option<Seen> {
    let mut seen = Seen::new();
    for (rule, all) in value.get("seen")?.as_object()? {
        for values in all.as_array()? {
            let tuple: Option<Vec<Vec<u8>>> =
                values.as_array()?.iter().map(|value| bytes(value.as_str()?)).collect();
            seen.entry(rule.clone()).or_default().insert(tuple?);
        }
    }
    Some(seen)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn any_bytes_come_back_from_their_text() {
        for value in [&b"/bin/sh"[..], b"a\\b\\x41", b"\xff\xfe\\", "\u{e9}".as_bytes(), b""] {
            assert_eq!(bytes(&text(value)).as_deref(), Some(value));
        }
        assert_eq!(bytes("\\x4"), None);
    }
}
