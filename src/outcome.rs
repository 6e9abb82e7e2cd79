//! How a run ends: exit codes, closed pipes and errors, in one place.

use std::io;
use std::process::ExitCode;

use anyhow::Result;
use pipeline::{Gap, Source};

use crate::filters::Diagnostics;
use crate::stderr;

/// What a run that went well found. Errors are exit code 2.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Outcome {
    /// Exit code 0.
    Done,
    /// Exit code 1: `verify`, `diff` and `scan` found something, or `replay --exit-code` found nothing.
    Found,
    /// Exit code 2: an answer was given, and said what is missing from it.
    Partial,
    #[cfg(feature = "record")]
    /// `record -- COMMAND` passes the command's own exit code on.
    Code(u8),
}

/// Tells the blocks that are missing from an answer, and records beside the events that it needed and that could not be read:
/// it is a partial one then.
pub fn with_gaps(outcome: Outcome, gaps: &[Gap], source: &Source) -> Result<Outcome> {
    let mut is_partial = !gaps.is_empty();
    for file in source.files() {
        if let Some(what) = file.capture.unread_records() {
            is_partial = true;
            stderr::note(format_args!(
                "{}: processes, containers or users that it knew cannot be read, and what depends on them is missing: {what}",
                file.name
            ));
        }
    }
    for gap in gaps {
        stderr::note(replay::open::missing(gap));
    }
    if let [_, .., _] = gaps {
        let rows: u64 = gaps.iter().filter(|gap| !gap.is_state).map(|gap| gap.rows).sum();
        stderr::note(format_args!("{} blocks with {rows} rows could not be read", gaps.len()));
    }
    Ok(if is_partial { Outcome::Partial } else { outcome })
}

/// Turns the end of a run into an exit code, and says on stderr what went wrong, once.
pub fn report(result: anyhow::Result<Outcome>) -> ExitCode {
    match result {
        Ok(Outcome::Done) => ExitCode::SUCCESS,
        Ok(Outcome::Found) => ExitCode::from(1),
        Ok(Outcome::Partial) => ExitCode::from(2),
        #[cfg(feature = "record")]
        Ok(Outcome::Code(code)) => ExitCode::from(code),
        Err(error) if is_closed_pipe(&error) => ExitCode::SUCCESS,
        Err(error) if error.is::<Diagnostics>() => {
            // They say of themselves what they are, and where.
            stderr::say_lines(error);
            ExitCode::from(2)
        }
        Err(error) => {
            stderr::note(chain(&error));
            ExitCode::from(2)
        }
    }
}

/// An error and its causes in one line; a cause that the error before it already spelled out is not said again.
fn chain(error: &anyhow::Error) -> String {
    let mut line = String::new();
    for cause in error.chain() {
        let cause = cause.to_string();
        if !line.ends_with(&cause) {
            if !line.is_empty() {
                line.push_str(": ");
            }
            line.push_str(&cause);
        }
    }
    line
}

/// `tracer replay ... | head` is not an error: the reader has seen enough.
fn is_closed_pipe(error: &anyhow::Error) -> bool {
    error.chain().any(|cause| {
        cause.downcast_ref::<io::Error>().is_some_and(|error| error.kind() == io::ErrorKind::BrokenPipe)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cause_is_said_once() {
        let error = anyhow::anyhow!("no such device").context("opening x: no such device").context("a.trz");
        assert_eq!(chain(&error), "a.trz: opening x: no such device");
    }

    #[test]
    fn a_closed_pipe_is_found_below_other_causes() {
        let pipe = io::Error::from(io::ErrorKind::BrokenPipe);
        assert!(is_closed_pipe(&anyhow::Error::new(pipe).context("writing the table")));
        let other = io::Error::from(io::ErrorKind::StorageFull);
        assert!(!is_closed_pipe(&anyhow::Error::new(other).context("writing the table")));
    }
}
