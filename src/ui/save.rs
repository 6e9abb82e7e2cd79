//! Writing what is shown into a file: by the commands that write such files, so that both write the same.

use std::path::{Path, PathBuf};
use std::process::Command;

use ui::Shown;

use super::Options;

/// What the end of a file's name says that it is to be.
enum Written {
    Capture,
    /// An output format of `replay`.
    Printed(&'static str),
    /// A format of `export`.
    Exported(&'static str),
}

/// Ends of names.
const ENDS: &[(&str, Written)] = &[
    ("trz", Written::Capture),
    ("json", Written::Printed("json")),
    ("jsonl", Written::Printed("json")),
    ("txt", Written::Printed("table")),
    ("csv", Written::Exported("csv")),
    ("strace", Written::Exported("strace")),
    ("pcapng", Written::Exported("pcapng")),
    ("parquet", Written::Exported("parquet")),
];

/// Writes what the filters leave of the time that is shown, and says so.
pub fn save(files: &[PathBuf], options: &Options, shown: &Shown, path: &str) -> Result<String, String> {
    let end = Path::new(path).extension().and_then(|it| it.to_str()).unwrap_or_default();
    let Some((_, written)) = ENDS.iter().find(|(known, _)| *known == end) else {
        let known: Vec<&str> = ENDS.iter().map(|(known, _)| *known).collect();
        return Err(format!("{path}: what is this to be? The name ends in one of .{}", known.join(", .")));
    };
    let program =
        std::env::current_exe().map_err(|error| format!("the program cannot start itself: {error}"))?;
    let mut command = Command::new(program);
    match written {
        Written::Capture => command.args(["cut", "-o", path]),
        Written::Printed(format) => command.args(["replay", "-o", &format!("{format}:{path}")]),
        Written::Exported(format) => command.args(["export", "--to", format, "-o", path]),
    };
    shown.filters.iter().for_each(|filter| {
        command.args(["-f", filter]);
    });
    options.scopes.policies.iter().for_each(|policy| {
        command.arg("-p").arg(policy);
    });
    if let Some(range) = &shown.range {
        if range.start > i64::MIN {
            command.arg(format!("--from={}", range.start));
        }
        if range.end < i64::MAX {
            command.arg(format!("--to={}", range.end));
        }
    }
    if let Some(identity) = options.ask.inputs.reading.identity.paths() {
        command.arg("--identity").arg(identity);
    }
    let output = command.arg("--").args(files).output().map_err(|error| format!("{path}: {error}"))?;
    let said = String::from_utf8_lossy(&output.stderr);
    let last = said.lines().rfind(|line| !line.trim().is_empty()).unwrap_or_default();
    // An answer from which something is missing is written all the same.
    match output.status.code() {
        Some(0) => Ok(format!("written: {path} {last}").trim_end().to_owned()),
        _ => Err(format!("{path}: {last}")),
    }
}
