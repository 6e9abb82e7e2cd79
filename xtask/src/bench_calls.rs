//! What a recorder adds to one system call, by kind of call: loops of each kind, timed in pieces of some milliseconds. The
//! least of the pieces is a call that nothing else came between, and is the same within a few nanoseconds from run to run.

use std::fs::{self, File};
use std::io::{Read as _, Write as _};
use std::path::{Path, PathBuf};
use std::time::Instant;

use anyhow::{Context as _, Result};

/// The name by which the program that is recorded is asked for these loops.
pub const WORKLOAD: &str = "calls";

const PIECES: usize = 60;

/// Files that the calls use.
struct Files {
    zero: File,
    null: File,
    file: PathBuf,
    directory: PathBuf,
}

/// A kind of call: its name, how many times a piece makes it, and how; which gives the number of calls.
struct Kind {
    name: &'static str,
    times: usize,
    make: fn(&mut Files) -> Result<u32>,
}

const KINDS: [Kind; 5] = [
    Kind {
        name: "getppid",
        times: 20_000,
        make: |_| {
            std::hint::black_box(std::os::unix::process::parent_id());
            Ok(1)
        },
    },
    Kind {
        name: "read and write of one byte",
        times: 10_000,
        make: |files| {
            let mut byte = [0];
            files.zero.read_exact(&mut byte)?;
            files.null.write_all(&byte)?;
            Ok(2)
        },
    },
    Kind {
        name: "openat and close",
        times: 5_000,
        make: |files| {
            drop(File::open(&files.file)?);
            Ok(2)
        },
    },
    Kind {
        name: "statx",
        times: 10_000,
        make: |files| {
            fs::metadata(&files.file)?;
            Ok(1)
        },
    },
    Kind {
        name: "a directory of 200 files (openat, fstat, 2 getdents64, close)",
        times: 200,
        make: |files| {
            fs::read_dir(&files.directory)?.try_for_each(|entry| entry.map(drop))?;
            Ok(1)
        },
    },
];

/// Nanoseconds of one call: the least of the pieces and their median.
#[derive(Clone, Debug)]
pub struct Cost {
    pub name: String,
    pub least_ns: f64,
    pub median_ns: f64,
}

/// Makes the calls, and writes what each took, a line each.
pub fn make(work: &Path, report: &Path) -> Result<()> {
    let (file, directory) = (work.join("file"), work.join("directory"));
    fs::write(&file, "some bytes")?;
    fs::create_dir_all(&directory)?;
    for number in 0..200 {
        fs::write(directory.join(format!("entry-{number}")), "")?;
    }
    let mut files = Files {
        zero: File::open("/dev/zero")?,
        null: File::options().write(true).open("/dev/null")?,
        file,
        directory,
    };
    let mut lines = String::new();
    for kind in &KINDS {
        let mut pieces = Vec::with_capacity(PIECES);
        for _ in 0..PIECES {
            let (began, mut calls) = (Instant::now(), 0);
            for _ in 0..kind.times {
                calls += (kind.make)(&mut files)?;
            }
            pieces.push(began.elapsed().as_nanos() as f64 / f64::from(calls));
        }
        pieces.sort_by(f64::total_cmp);
        let (least, median) = (pieces.first(), pieces.get(PIECES / 2));
        let (least, median) = least.zip(median).context("no pieces")?;
        lines.push_str(&format!("{least}\t{median}\t{}\n", kind.name));
    }
    fs::write(report, lines)?;
    Ok(())
}

/// Reads what [`make`] wrote.
pub fn read(report: &Path) -> Result<Vec<Cost>> {
    let text = fs::read_to_string(report)?;
    let cost = |line: &str| {
        let mut fields = line.splitn(3, '\t');
        let mut number = || fields.next()?.parse().ok();
        let (least_ns, median_ns) = (number()?, number()?);
        Some(Cost { name: fields.next()?.to_owned(), least_ns, median_ns })
    };
    text.lines().map(|line| cost(line).with_context(|| format!("{line:?} is no cost"))).collect()
}

/// The least of several runs by kind of call.
#[derive(Default)]
pub struct Least(Vec<Cost>);

impl Least {
    pub fn add(&mut self, costs: Vec<Cost>) {
        if self.0.is_empty() {
            self.0 = costs;
            return;
        }
        for (known, cost) in self.0.iter_mut().zip(costs) {
            known.least_ns = known.least_ns.min(cost.least_ns);
            known.median_ns = known.median_ns.min(cost.median_ns);
        }
    }
}

/// A table: what each recorder adds to a call, and how much of what the last one adds.
pub fn markdown(recorders: &[(&str, Least)]) -> String {
    let mut text = String::from("| ns a call |");
    for (name, _) in recorders {
        text.push_str(&format!(" {name} |"));
    }
    text.push_str("\n|---|");
    text.push_str(&"---:|".repeat(recorders.len()));
    let kinds = recorders.first().map_or(0, |(_, least)| least.0.len());
    for kind in 0..kinds {
        let of = |least: &Least| least.0.get(kind).map_or(f64::NAN, |cost| cost.least_ns);
        let Some((_, untraced)) = recorders.first() else { break };
        let name = untraced.0.get(kind).map_or("", |cost| cost.name.as_str());
        let last = recorders.last().map_or(f64::NAN, |(_, last)| of(last) - of(untraced));
        text.push_str(&format!("\n| {name} | {:.0} |", of(untraced)));
        for (_, least) in recorders.iter().skip(1) {
            let added = of(least) - of(untraced);
            text.push_str(&format!(" +{added:.0} ({:.2}) |", added / last));
        }
    }
    text.push('\n');
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_is_read_and_told_beside_what_the_last_one_adds() {
        let folder = tempfile::tempdir().unwrap();
        let report = folder.path().join("report");
        fs::write(&report, "100\t110\tgetppid\n").unwrap();
        let mut untraced = Least::default();
        untraced.add(read(&report).unwrap());
        fs::write(&report, "300\t330\tgetppid\n").unwrap();
        let mut last = Least::default();
        last.add(read(&report).unwrap());
        fs::write(&report, "150\t130\tgetppid\n").unwrap();
        let mut first = Least::default();
        first.add(read(&report).unwrap());
        let table = markdown(&[("untraced", untraced), ("this", first), ("that", last)]);
        assert!(table.ends_with("| getppid | 100 | +50 (0.25) | +200 (1.00) |\n"), "{table}");
    }
}
