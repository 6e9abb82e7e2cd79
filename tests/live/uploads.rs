//! `record --upload`, `--max-disk` and `--metrics` as a user gives them. The process that uploads is this program under another
//! name: its store is a folder, it is killed where it hurts, and it says what it put.

use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::time::Duration;

use interchange::upload::{Patience, SetName, Store, Uploader};
use libtest_mimic::Failed;

use crate::Test;
use crate::host::{TRACER, ensure, info, path, same, scratch, tracer_ok};
use crate::sets::parts;
use crate::workload::Loop;

pub const TESTS: &[Test] = &[
    ("parts_of_a_set_are_uploaded_once_though_the_uploader_is_killed", uploaded_once),
    ("parts_that_the_store_does_not_take_stay_and_are_told", refused),
    ("a_set_keeps_to_max_disk_and_tells_metrics_what_went", max_disk),
];

/// The name that `record` looks for.
pub const PROGRAM: &str = "tracer-fleet";
/// The folder that stands for a store, in the environment.
const STORE: &str = "TRACER_TEST_STORE";

struct Folder(PathBuf);

impl Folder {
    fn has(&self, name: &str) -> bool {
        self.0.join(name).exists()
    }
}

impl Store for Folder {
    fn put(&mut self, name: &str, file: &Path) -> io::Result<()> {
        if self.has("refuses") {
            return Err(io::Error::other("the store takes nothing"));
        }
        let object = self.0.join(name);
        fs::create_dir_all(object.parent().unwrap_or(&self.0))?;
        fs::copy(file, &object)?;
        let puts = fs::read_to_string(self.0.join("puts")).unwrap_or_default();
        fs::write(self.0.join("puts"), format!("{puts}{name}\n"))?;
        // Killed between what the store has and the mark that it has it.
        if !self.has("killed") {
            fs::write(self.0.join("killed"), "")?;
            std::process::abort();
        }
        Ok(())
    }

    fn bytes(&mut self, name: &str) -> io::Result<Option<u64>> {
        if self.has("refuses") {
            return Err(io::Error::other("the store says nothing"));
        }
        Ok(fs::metadata(self.0.join(name)).ok().map(|object| object.len()))
    }
}

/// Uploads as `tracer-fleet upload --follow --until-stdin-ends --set NAME [--metrics FILE] -- FOLDER URL` does.
pub fn upload() -> ! {
    let words: Vec<String> = std::env::args().collect();
    let behind = |flag: &str| words.iter().skip_while(|word| *word != flag).nth(1).cloned();
    let (Some(set), [.., folder, url]) = (behind("--set"), words.as_slice()) else { std::process::exit(64) };
    let Some(store) = std::env::var_os(STORE) else { std::process::exit(65) };
    let mut store = Folder(store.into());
    let status = fs::read_to_string("/proc/self/status").unwrap_or_default();
    let _ = fs::write(store.0.join("status"), status);
    let patience = Patience { tries: 2, first_wait: Duration::from_millis(10), ..Patience::default() };
    let set = Some(SetName::of(Path::new(&set)));
    let Ok(mut uploader) = Uploader::new(Path::new(folder), url, set, patience) else {
        std::process::exit(66)
    };
    let (tell, told) = std::sync::mpsc::channel();
    std::thread::spawn(move || {
        let _ = io::copy(&mut io::stdin().lock(), &mut io::sink());
        let _ = tell.send(());
    });
    loop {
        let is_last = told.recv_timeout(Duration::from_millis(100)).is_ok();
        let mut wait = |pause| {
            std::thread::sleep(pause);
            true
        };
        let Ok(done) = uploader.run(&mut store, &mut wait) else { std::process::exit(67) };
        if is_last {
            std::process::exit(i32::from(done.waiting() > 0));
        }
    }
}

/// Records with the uploader beside it.
fn record(store: &Path, arguments: &[&str]) -> Result<Output, Failed> {
    let programs = store.join("programs");
    fs::create_dir_all(&programs)?;
    let program = programs.join(PROGRAM);
    if !program.exists() {
        std::os::unix::fs::symlink(std::env::current_exe()?, &program)?;
    }
    let search = std::env::var("PATH").unwrap_or_default();
    let mut command = Command::new(TRACER);
    command.arg("record").args(arguments).env(STORE, store);
    Ok(command.env("PATH", format!("{}:{search}", path(&programs)?)).output()?)
}

fn said(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

/// Values by series, of a file in Prometheus' format.
fn metrics(file: &Path) -> Result<BTreeMap<String, f64>, Failed> {
    let text = fs::read_to_string(file)?;
    let lines = text.lines().filter(|line| !line.starts_with('#'));
    lines
        .map(|line| {
            let (series, value) = line.rsplit_once(' ').ok_or("a line without a value")?;
            Ok((series.to_owned(), value.parse()?))
        })
        .collect()
}

fn value(metrics: &BTreeMap<String, f64>, name: &str) -> Result<u64, Failed> {
    let value = metrics.get(name).ok_or_else(|| format!("no {name} in {metrics:#?}"))?;
    Ok(*value as u64)
}

fn uploaded_once() -> Result<(), Failed> {
    let (dir, store) = (scratch()?, scratch()?);
    let (file, prom) = (dir.path().join("s.trz"), dir.path().join("tracer.prom"));
    let work = Loop::start(dir.path(), "ls", "/", "0.05")?;
    let output = record(
        store.path(),
        &[
            "-o",
            path(&file)?,
            "--rotate",
            "1s",
            "--keep",
            "2",
            "--duration",
            "12s",
            "--metrics",
            path(&prom)?,
            "--upload",
            "s3://bucket/web",
        ],
    )?;
    drop(work);
    ensure(output.status.success() && !said(&output).contains("not all parts"), || said(&output))?;
    ensure(said(&output).contains("started again in 1 s"), || said(&output))?;
    let metrics = metrics(&prom)?;
    let begun = value(&metrics, "tracer_files_total")?;
    ensure(value(&metrics, "tracer_uploader_failures_total")? >= 1, || format!("{metrics:#?}"))?;
    same("removed before they were there", value(&metrics, "tracer_files_removed_unacknowledged_total")?, 0)?;
    // Each part is there once, whole, and the last one too.
    let puts = fs::read_to_string(store.path().join("puts"))?;
    let mut names: Vec<&str> = puts.lines().collect();
    same("puts", names.len() as u64, begun)?;
    names.sort_unstable();
    names.dedup();
    same("objects", names.len() as u64, begun)?;
    for name in &names {
        same(name, tracer_ok(&["verify", "--partial", path(&store.path().join(name))?]).is_ok(), true)?;
    }
    let kept = parts(dir.path())?;
    ensure(kept.len() < names.len(), || format!("nothing was removed: {kept:?}"))?;
    for part in &kept {
        let info = info(Path::new(part))?;
        same("destination", info["upload"].as_str(), Some("s3://bucket/web"))?;
        let place = info["uploaded_as"].as_str().unwrap_or_default().to_owned();
        let name = place.strip_prefix("s3://bucket/web/").ok_or_else(|| format!("{part} is at {place:?}"))?;
        ensure(fs::read(part)? == fs::read(store.path().join(name))?, || format!("{part} is not {name}"))?;
    }
    // It had nothing that the recorder had, but for its user.
    let status = fs::read_to_string(store.path().join("status"))?;
    for (line, value) in [("CapEff", "0000000000000000"), ("CapPrm", "0000000000000000"), ("NoNewPrivs", "1")]
    {
        let found = status.lines().find_map(|it| it.strip_prefix(line)?.strip_prefix(':'));
        same(line, found.map(str::trim), Some(value))?;
    }
    Ok(())
}

fn refused() -> Result<(), Failed> {
    let (dir, store) = (scratch()?, scratch()?);
    let (file, prom) = (dir.path().join("s.trz"), dir.path().join("tracer.prom"));
    for name in ["refuses", "killed"] {
        fs::write(store.path().join(name), "")?;
    }
    let work = Loop::start(dir.path(), "ls", "/", "0.05")?;
    let limits = ["--rotate", "1s", "--keep", "1", "--keep-for", "1s"];
    let arguments = |more: &[&str]| -> Result<Vec<String>, Failed> {
        let words = ["-o", path(&file)?, "--metrics", path(&prom)?, "--upload", "s3://bucket/web"];
        Ok([&words, &limits[..], more].concat().into_iter().map(str::to_owned).collect())
    };
    let run = |more: &[&str]| -> Result<Output, Failed> {
        let words = arguments(more)?;
        record(store.path(), &words.iter().map(String::as_str).collect::<Vec<_>>())
    };
    let output = run(&["--duration", "5s"])?;
    ensure(output.status.success() && said(&output).contains("not all parts were uploaded"), || {
        said(&output)
    })?;
    let begun = value(&metrics(&prom)?, "tracer_files_total")?;
    ensure(begun >= 3, || format!("only {begun} parts"))?;
    same("parts that stay", parts(dir.path())?.len() as u64, begun)?;
    // The next recording goes on behind them; once the store takes them, they may go.
    fs::remove_file(store.path().join("refuses"))?;
    let output = run(&["--duration", "5s"])?;
    drop(work);
    ensure(output.status.success() && !said(&output).contains("not all parts"), || said(&output))?;
    let all = begun + value(&metrics(&prom)?, "tracer_files_total")?;
    let puts = fs::read_to_string(store.path().join("puts"))?;
    same("puts", puts.lines().count() as u64, all)?;
    let left = parts(dir.path())?.len() as u64;
    ensure(left < all, || format!("{left} of {all} are there"))
}

/// Bytes that the set's files take of the disk.
fn disk_bytes(dir: &Path) -> u64 {
    use std::os::unix::fs::MetadataExt;
    let files = fs::read_dir(dir).into_iter().flatten().flatten();
    let parts = files.filter(|it| it.file_name().to_string_lossy().starts_with("s."));
    parts.filter_map(|it| Some(it.metadata().ok()?.blocks() * 512)).sum()
}

const LIMIT: u64 = 64 << 20;

fn max_disk() -> Result<(), Failed> {
    let (dir, store) = (scratch()?, scratch()?);
    let (file, prom) = (dir.path().join("s.trz"), dir.path().join("tracer.prom"));
    for name in ["refuses", "killed"] {
        fs::write(store.path().join(name), "")?;
    }
    // What is written is recorded, and does not compress.
    let mut work = Command::new("dd")
        .args(["if=/dev/urandom", "of=/dev/null", "bs=4096"])
        .stderr(Stdio::null())
        .spawn()?;
    let folder = dir.path().to_owned();
    let (stop, stopped) = std::sync::mpsc::channel::<()>();
    let watch = std::thread::spawn(move || {
        let mut most = 0;
        while stopped.recv_timeout(Duration::from_millis(20)).is_err() {
            most = most.max(disk_bytes(&folder));
        }
        most
    });
    let output = record(
        store.path(),
        &[
            "-o",
            path(&file)?,
            "-e",
            "write",
            "--buffer-bound",
            "4096",
            "--rotate",
            "1h",
            "--max-disk",
            "64M",
            "--duration",
            "15s",
            "--metrics",
            path(&prom)?,
            "--upload",
            "s3://bucket/web",
            "--upload-wait",
            "1s",
        ],
    );
    work.kill()?;
    work.wait()?;
    let _ = stop.send(());
    let most = watch.join().map_err(|_| "the thread that watches ended early")?;
    let output = output?;
    ensure(output.status.success(), || said(&output))?;
    ensure(most <= LIMIT && most > LIMIT / 2, || format!("{most} bytes at most"))?;
    let metrics = metrics(&prom)?;
    let value = |name: &str| value(&metrics, name);
    let removed = value("tracer_files_removed_total")?;
    ensure(removed > 0, || format!("nothing was removed: {metrics:#?}"))?;
    // The limit went before the store, and that is told wherever somebody looks.
    same("of them unacknowledged", value("tracer_files_removed_unacknowledged_total")?, removed)?;
    let files = if removed == 1 { "file" } else { "files" };
    ensure(said(&output).contains(&format!("warning: {removed} {files} removed before the store")), || {
        said(&output)
    })?;
    let kept = parts(dir.path())?;
    let last = info(Path::new(kept.last().ok_or("no part")?))?;
    ensure(last["removed_unacknowledged"].as_u64() > Some(0), || format!("{last:#}"))?;
    same("recording", value("tracer_recording")?, 0)?;
    same("files", value("tracer_files_total")?, kept.len() as u64 + removed)?;
    ensure(value("tracer_disk_bytes")? <= LIMIT, || format!("{metrics:#?}"))?;
    // What was written is there, or was removed.
    let mut there = 0;
    for part in &kept {
        // Rows that are there for the state of processes alone are not events that were asked for.
        let info = info(Path::new(part))?;
        there += ["events", "hidden"].iter().filter_map(|name| info[*name].as_u64()).sum::<u64>();
    }
    let written = value("tracer_events_written_total")?;
    same("events", there + value("tracer_events_removed_total")?, written)?;
    ensure(value("tracer_events_total")? >= written, || format!("{metrics:#?}"))
}
