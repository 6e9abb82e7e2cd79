//! When there is no more room: the file is finished, and what could not be written is counted in it.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

use libtest_mimic::Failed;
use rustix::process::{Pid, Signal, kill_process};

use crate::Test;
use crate::host::{TRACER, count, ensure, info, path, same, scratch, tracer, wait_for};
use crate::losses::losses;
use crate::sets::parts;
use crate::workload::Loop;

pub const TESTS: &[Test] = &[
    ("a_full_disk_ends_the_recording_with_a_whole_file_and_counted_losses", full_disk),
    ("a_set_that_fills_the_disk_ends_with_whole_parts_and_counted_losses", full_disk_with_rotation),
    ("a_disk_that_stands_still_costs_events_that_are_counted", still_disk),
    ("max_size_ends_the_recording_below_the_limit", max_size),
];

/// A file system of a few mebibytes.
struct SmallDisk(PathBuf);

impl SmallDisk {
    fn mount(at: PathBuf, size: &str) -> Result<SmallDisk, Failed> {
        std::fs::create_dir(&at)?;
        let size = format!("size={size}");
        let status =
            Command::new("mount").args(["-t", "tmpfs", "-o", &size, "tmpfs", path(&at)?]).status()?;
        ensure(status.success(), || format!("cannot mount a tmpfs: {status}"))?;
        Ok(SmallDisk(at))
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg("-l").arg(&self.0).status();
    }
}

fn fill(disk: &Path, options: &[&str], work: &Loop) -> Result<u64, Failed> {
    let file = disk.join("c.trz");
    let mut arguments = vec!["record", "-o", path(&file)?, "--duration", "60s"];
    arguments.extend(options);
    let output = tracer(&arguments)?;
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    ensure(output.status.code() == Some(2) && said.contains("the disk is full"), || {
        format!("{}: {said}", output.status)
    })?;
    let mut lost = 0;
    let mut found = 0;
    for part in parts(disk)? {
        let info = info(Path::new(&part))?;
        same(&part, info["complete"].as_bool(), Some(true))?;
        same(&part, tracer(&["verify", "--partial", &part])?.status.code(), Some(0))?;
        found += count(Path::new(&part), &["-f", &format!("comm={}", work.name)])?;
        for loss in info["losses"].as_array().into_iter().flatten() {
            if loss["cause"] == "disk full" {
                lost += loss["count"].as_u64().unwrap_or_default();
                // What was lost came after what was written.
                ensure(loss["from_ns"].as_u64() >= info["end_ns"].as_u64(), || format!("{info:#}"))?;
                ensure(loss["to_ns"].as_u64() > loss["from_ns"].as_u64(), || format!("{loss:#}"))?;
            }
        }
    }
    ensure(found > 100, || format!("only {found} events before the disk was full"))?;
    ensure(said.contains(" lost"), || said.clone())?;
    Ok(lost)
}

fn full_disk() -> Result<(), Failed> {
    let dir = scratch()?;
    let disk = SmallDisk::mount(dir.path().join("disk"), "1500K")?;
    let work = Loop::start(dir.path(), "find", "/usr/share/doc -xdev", "")?;
    let lost = fill(&disk.0, &[], &work)?;
    ensure(lost > 0, || "no loss was counted".to_owned())
}

fn full_disk_with_rotation() -> Result<(), Failed> {
    let dir = scratch()?;
    let disk = SmallDisk::mount(dir.path().join("disk"), "4M")?;
    let work = Loop::start(dir.path(), "find", "/usr/share/doc -xdev", "")?;
    let lost = fill(&disk.0, &["--rotate", "700K"], &work)?;
    ensure(lost > 0, || "no loss was counted".to_owned())?;
    ensure(parts(&disk.0)?.len() >= 2, || "there was only one part".to_owned())
}

fn max_size() -> Result<(), Failed> {
    let dir = scratch()?;
    let work = Loop::start(dir.path(), "find", "/usr/share/doc -xdev", "")?;
    let file = dir.path().join("c.trz");
    let output = tracer(&["record", "-o", path(&file)?, "--max-size", "700K", "--duration", "60s"])?;
    drop(work);
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    ensure(output.status.code() == Some(0) && said.contains("stopped at --max-size"), || said.clone())?;
    let bytes = std::fs::metadata(&file)?.len();
    ensure((100 << 10..=700 << 10).contains(&bytes), || format!("{bytes} bytes"))?;
    same("complete", info(&file)?["complete"].as_bool(), Some(true))
}

/// A file system of its own that can be made to take nothing for a while.
struct Freezer {
    at: PathBuf,
}

impl Freezer {
    fn mount(dir: &Path) -> Result<Freezer, Failed> {
        let (image, at) = (dir.join("image"), dir.join("frozen"));
        std::fs::create_dir(&at)?;
        // Sparse: a fast disk takes some hundred mebibytes in the time of the test, and it must not fill up here.
        std::fs::File::create(&image)?.set_len(4 << 30)?;
        let script = "mkfs.ext4 -q \"$1\" && mount -o loop \"$1\" \"$2\"";
        let status = Command::new("sh").args(["-c", script, "sh", path(&image)?, path(&at)?]).status()?;
        ensure(status.success(), || format!("cannot mount an image: {status}"))?;
        Ok(Freezer { at })
    }

    fn set(&self, how: &str) -> Result<(), Failed> {
        let status = Command::new("fsfreeze").arg(how).arg(&self.at).status()?;
        ensure(status.success(), || format!("fsfreeze {how}: {status}"))
    }
}

impl Drop for Freezer {
    fn drop(&mut self) {
        let _ = Command::new("fsfreeze").arg("-u").arg(&self.at).stderr(Stdio::null()).status();
        let _ = Command::new("umount").arg("-l").arg(&self.at).status();
    }
}

fn still_disk() -> Result<(), Failed> {
    let dir = scratch()?;
    let disk = Freezer::mount(dir.path())?;
    let file = disk.at.join("c.trz");
    let work = Loop::start(dir.path(), "dd", "if=/dev/urandom of=/dev/null bs=256 count=200000", "")?;
    let recorder = Command::new(TRACER)
        .args(["record", "-o", path(&file)?, "--buffer", "1M", "--duration", "120s"])
        .stderr(Stdio::piped())
        .spawn()?;
    wait_for(&file)?;
    std::thread::sleep(Duration::from_secs(1));
    disk.set("-f")?;
    std::thread::sleep(Duration::from_secs(12));
    disk.set("-u")?;
    std::thread::sleep(Duration::from_secs(1));
    kill_process(Pid::from_child(&recorder), Signal::TERM)?;
    let output = recorder.wait_with_output()?;
    drop(work);
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    ensure(output.status.success(), || said.clone())?;
    let info = info(&file)?;
    same("complete", info["complete"].as_bool(), Some(true))?;
    same("verify", tracer(&["verify", path(&file)?])?.status.code(), Some(0))?;
    same("events", info["events"].as_u64(), Some(count(&file, &[])?))?;
    let causes: Vec<String> = losses(&file)?.into_iter().map(|loss| loss.1).collect();
    ensure(causes.iter().any(|cause| cause == "queue full"), || format!("{causes:?}: {said}"))
}
