//! `tracer sql` and `tracer fleet`, which are a program of their own: its engine is three hundred crates.

use std::ffi::OsString;
use std::io;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result};
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
    /// upload, catalog, scheduler or executor, and its options: `tracer fleet upload --help` lists them where tracer-fleet is installed
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

/// Becomes the other program.
fn run(words: Vec<OsString>) -> Result<Outcome> {
    let program = program()?;
    let error = become_program(Command::new(&program).args(words));
    Err(error).with_context(|| program.display().to_string())
}

/// The other program: the one beside this one, or the first in the search path.
pub fn program() -> Result<PathBuf> {
    let name = Path::new(PROGRAM).with_extension(std::env::consts::EXE_EXTENSION);
    let beside = std::env::current_exe().ok().and_then(|it| it.parent().map(Path::to_owned));
    let path = std::env::var_os("PATH").unwrap_or_default();
    let folders = beside.into_iter().chain(std::env::split_paths(&path));
    let found = folders.map(|folder| folder.join(&name)).find(|it| it.is_file());
    found.with_context(|| {
        format!(
            "this is done by a program of its own, {PROGRAM}, which is neither beside this one nor in PATH: \
             `cargo build --release` in fleet/ of tracer's sources makes it"
        )
    })
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
