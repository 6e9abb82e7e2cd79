//! `tracer-fleet`: what `tracer sql` and `tracer fleet` run.

use std::process::ExitCode;

use clap::{Parser, Subcommand};
use tracer_fleet::sql::{self, Outcome, say};
use tracer_fleet::{bucket, cluster, findings, upload};

/// SQL over captures, here and on clusters.
#[derive(Parser, Debug)]
#[command(name = "tracer-fleet", version, disable_help_subcommand = true)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand, Debug)]
enum Command {
    /// Ask captures in SQL
    Sql(sql::Options),
    /// Ask captures rules, and tell all findings by time
    Scan(findings::Options),
    /// Upload sealed captures of a folder to an object store, each once
    Upload(upload::Options),
    /// Make the catalogue of captures in an object store
    Catalog(bucket::Options),
    /// Hand out the work of queries to executors
    Scheduler(cluster::SchedulerOptions),
    /// Do the work of queries that a scheduler hands out
    Executor(cluster::ExecutorOptions),
}

fn main() -> ExitCode {
    let ended = match Cli::parse().command {
        Command::Sql(options) => sql::run(&options),
        Command::Scan(options) => findings::run(&options),
        Command::Upload(options) => upload::run(&options),
        Command::Catalog(options) => bucket::run(&options),
        Command::Scheduler(options) => cluster::schedule(&options).map(|()| Outcome::Done),
        Command::Executor(options) => cluster::execute(&options).map(|()| Outcome::Done),
    };
    match ended {
        Ok(Outcome::Done) => ExitCode::SUCCESS,
        Ok(Outcome::Found) => ExitCode::from(1),
        Ok(Outcome::Partial) => ExitCode::from(2),
        // The reader has seen enough.
        Err(error) if is_closed_pipe(&error) => ExitCode::SUCCESS,
        Err(error) => {
            say(&chain(&error));
            ExitCode::from(2)
        }
    }
}

/// An error and its causes; a cause that the error before it already spelled out is not said again.
fn chain(error: &anyhow::Error) -> String {
    let mut text = String::new();
    for cause in error.chain() {
        let cause = cause.to_string();
        if !text.ends_with(&cause) {
            if !text.is_empty() {
                text.push_str(": ");
            }
            text.push_str(&cause);
        }
    }
    text
}

fn is_closed_pipe(error: &anyhow::Error) -> bool {
    error.chain().any(|cause| {
        cause.downcast_ref::<std::io::Error>().is_some_and(|it| it.kind() == std::io::ErrorKind::BrokenPipe)
    })
}
