//! What is recorded in the benchmark.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Instant;

use anyhow::{Context, Result};
use clap::Args;

use crate::{bench_calls, shell};

pub struct Workload {
    pub name: &'static str,
    calls: Option<u64>,
    prepare: fn(&Path) -> Result<()>,
    run: fn(&Path) -> Result<()>,
}

pub const ALL: &[Workload] = &[
    Workload { name: "dd", calls: Some(2_000_000), prepare: nothing, run: dd },
    Workload { name: "find", calls: None, prepare: find, run: find },
    Workload { name: "fork-exec", calls: None, prepare: nothing, run: fork_exec },
    Workload { name: "compile", calls: None, prepare: write_source, run: compile },
    Workload { name: "opens", calls: Some(2 * OPENS), prepare: nothing, run: opens },
];

/// Files that `opens` opens, one after the other.
const OPENS: u64 = 300_000;

impl Workload {
    /// What has to be there, and in the page cache, before the first run.
    pub fn prepare(&self, dir: &Path) -> Result<()> {
        (self.prepare)(dir)
    }

    /// System calls that it makes, where that is known.
    pub fn calls(&self) -> Option<u64> {
        self.calls
    }
}

/// Run one workload and write the seconds it took to a file; `bench` runs this under each tracer.
#[derive(Args)]
pub struct Options {
    name: String,
    dir: PathBuf,
    report: PathBuf,
}

pub fn run(options: &Options) -> Result<()> {
    if options.name == bench_calls::WORKLOAD {
        return bench_calls::make(&options.dir, &options.report);
    }
    let workload = ALL
        .iter()
        .find(|workload| workload.name == options.name)
        .with_context(|| format!("no workload {:?}", options.name))?;
    let start = Instant::now();
    (workload.run)(&options.dir)?;
    fs::write(&options.report, format!("{}", start.elapsed().as_secs_f64()))?;
    Ok(())
}

fn nothing(_: &Path) -> Result<()> {
    Ok(())
}

fn dd(_: &Path) -> Result<()> {
    shell::run(Command::new("dd").args([
        "if=/dev/zero",
        "of=/dev/null",
        "bs=1",
        "count=1000000",
        "status=none",
    ]))
}

fn find(_: &Path) -> Result<()> {
    shell::run(
        Command::new("find")
            .args(["/usr", "-xdev", "-type", "f", "-newer", "/etc/passwd"])
            .stdout(Stdio::null()),
    )
}

/// Opens and closes the same few thousand libraries and headers again and again.
fn opens(_: &Path) -> Result<()> {
    let listed = shell::text(Command::new("find").args(["/usr/lib", "/usr/include", "-type", "f"]))?;
    let files: Vec<&str> = listed.lines().take(5000).collect();
    for file in files.iter().cycle().take(OPENS as usize) {
        drop(fs::File::open(file)?);
    }
    Ok(())
}

fn fork_exec(_: &Path) -> Result<()> {
    shell::run(Command::new("sh").args(["-c", "i=0; while [ $i -lt 500 ]; do /bin/true; i=$((i+1)); done"]))
}

/// A program of many small functions, so that the compiler has a second of work.
fn write_source(dir: &Path) -> Result<()> {
    let mut source = String::from("#include <stdio.h>\n#include <stdlib.h>\n#include <string.h>\n");
    for n in 0..600 {
        source += &format!(
            "int f{n}(int x) {{ char b[64]; snprintf(b, 64, \"%d\", x + {n}); return atoi(b) * {n}; }}\n"
        );
    }
    fs::write(dir.join("source.c"), source)?;
    Ok(())
}

fn compile(dir: &Path) -> Result<()> {
    shell::run(Command::new("cc").current_dir(dir).args(["-O1", "-c", "source.c", "-o", "source.o"]))
}
