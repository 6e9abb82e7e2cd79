//! `tracer sql` and `tracer fleet`, which are a program of their own: its engine is three hundred crates.

use std::ffi::OsString;
use std::io;
use std::path::PathBuf;
use std::process::Command;

use anyhow::{Context, Result, bail};
use clap::Args;

use crate::outcome::Outcome;

/// The program that does it.
const PROGRAM: &str = "tracer-fleet";

#[derive(Args, Debug)]
pub struct SqlOptions {
    /// Captures, folders of them, s3://bucket/path, then a query, and options: `tracer sql --help` lists them where
    /// tracer-fleet is installed
    #[arg(
        value_name = "FILE... QUERY",
        trailing_var_arg = true,
        allow_hyphen_values = true,
        required = true
    )]
    words: Vec<OsString>,
}

#[derive(Args, Debug)]
pub struct FleetOptions {
    /// scheduler or executor, and its options: `tracer fleet executor --help` lists them where tracer-fleet is installed
    #[arg(value_name = "WHAT", trailing_var_arg = true, allow_hyphen_values = true, required = true)]
    words: Vec<OsString>,
}

pub fn sql(options: SqlOptions) -> Result<Outcome> {
    run(std::iter::once("sql".into()).chain(options.words).collect())
}

pub fn fleet(options: FleetOptions) -> Result<Outcome> {
    run(options.words)
}

/// `tracer scan --cluster`, with the words behind `scan`.
pub fn scan(words: Vec<OsString>) -> Result<Outcome> {
    run(std::iter::once("scan".into()).chain(words).collect())
}

/// Becomes the other program: the one beside this one, or the first in the search path.
fn run(words: Vec<OsString>) -> Result<Outcome> {
    let beside = std::env::current_exe().ok().and_then(|it| Some(it.parent()?.join(PROGRAM)));
    let beside =
        beside.map(|it| it.with_extension(std::env::consts::EXE_EXTENSION)).filter(|it| it.is_file());
    let program = beside.unwrap_or_else(|| PathBuf::from(PROGRAM));
    let error = become_program(Command::new(&program).args(words));
    if error.kind() == io::ErrorKind::NotFound {
        bail!(
            "this is done by a program of its own, {PROGRAM}, which is neither beside this one nor in PATH: \
             `cargo build --release` in fleet/ of tracer's sources makes it"
        );
    }
    Err(error).with_context(|| program.display().to_string())
}

#[cfg(unix)]
fn become_program(command: &mut Command) -> io::Error {
    std::os::unix::process::CommandExt::exec(command)
}

/// Where a process cannot become another, it waits for it and ends as it did.
#[cfg(not(unix))]
fn become_program(command: &mut Command) -> io::Error {
    match command.status() {
        Ok(status) => std::process::exit(status.code().unwrap_or(2)),
        Err(error) => error,
    }
}
