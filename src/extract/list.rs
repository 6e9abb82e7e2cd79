//! Artifacts as lines for people.

use std::io::{self, Write};

use events::show::Foreign;
use format::hex;

use super::manifest::{Manifest, Origin};

pub fn print(manifest: &Manifest, out: &mut impl Write) -> io::Result<()> {
    writeln!(out, "{:<16}  {:>10}  {:<6}  {:>8}  PATH", "SHA256", "BYTES", "KIND", "EVENT")?;
    for entry in manifest.entries() {
        let digits = hex(&entry.sha256);
        let short = digits.get(..16).unwrap_or_default();
        let mut first = (short, format!("{}{}", entry.size, if entry.whole.is_some() { "+" } else { "" }));
        if entry.origins.is_empty() {
            writeln!(out, "{:<16}  {:>10}", first.0, first.1)?;
        }
        for origin in &entry.origins {
            line(out, first.0, &first.1, origin, "")?;
            first = ("", String::new());
        }
        if entry.more_execs > 0 {
            writeln!(out, "{:<16}  {:>10}  exec    and {} times more", "", "", entry.more_execs)?;
        }
    }
    for it in manifest.left_out() {
        let times = if it.count > 1 { format!(", {} times", it.count) } else { String::new() };
        line(out, "-", "", &it.origin, &format!("({}{times})", Foreign(it.reason.as_bytes())))?;
    }
    Ok(())
}

fn line(out: &mut impl Write, hash: &str, size: &str, origin: &Origin, why: &str) -> io::Result<()> {
    let number = origin.event.as_ref().map(|event| format!("#{}", event.number)).unwrap_or_default();
    let (kind, path) = (Foreign(origin.kind.as_bytes()).to_string(), Foreign(&origin.path).to_string());
    let text = format!("{hash:<16}  {size:>10}  {kind:<6}  {number:>8}  {path} {why}");
    writeln!(out, "{}", text.trim_end())
}
