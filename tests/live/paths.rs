//! Paths are those of the mount that a file was opened through, and say so where their front is missing.

use std::fs::{self, File};
use std::io::{self, Read};
use std::path::Path;

use events::Marks;
use libtest_mimic::Failed;

use crate::Test;
use crate::acts::{self, name_self};
use crate::host::{act, count, ensure, events, marks, path, record, same, scratch};

pub const TESTS: &[Test] = &[
    ("a_file_in_two_mounts_has_the_path_that_it_was_opened_by", two_mounts),
    ("a_path_of_48_folders_is_whole", forty_eight_folders),
    ("a_path_that_is_too_deep_says_so_at_its_front", too_deep),
];

const ROUNDS: u64 = 2000;

/// The folder of a test's program, by its path without links.
fn work(dir: &Path) -> Result<String, Failed> {
    let work = dir.join("work");
    fs::create_dir_all(&work)?;
    Ok(path(&fs::canonicalize(work)?)?.to_owned())
}

fn two_mounts() -> Result<(), Failed> {
    let dir = scratch()?;
    let work = work(dir.path())?;
    for folder in ["m1", "m2"] {
        fs::create_dir(format!("{work}/{folder}"))?;
    }
    fs::write(format!("{work}/m1/f"), "xx")?;
    let script = r#"mount --bind "$1/m1" "$1/m2" && shift && exec "$@""#;
    let program = act("alternate-mounts", &work)?;
    let mut command = vec!["unshare", "-m", "sh", "-c", script, "sh", &work];
    command.extend(program.iter().map(String::as_str));
    let file = record(dir.path(), &[], &command)?;
    for (mount, bytes) in [("m1", 1), ("m2", 2)] {
        let (comm, path) = ("comm=mounts", format!("{work}/{mount}/f"));
        let reads = [format!("read.count={bytes}"), format!("read.fd={path}")];
        same(mount, count(&file, &["-f", comm, "-f", &reads[0], "-f", &reads[1]])?, ROUNDS)?;
        same(mount, count(&file, &["-f", comm, "-f", &reads[0]])?, ROUNDS)?;
        let opened = format!("security_file_open.pathname={path}");
        same(&opened, count(&file, &["-f", comm, "-f", &opened])?, ROUNDS)?;
        // The directory that a relative path begins at is a file in a mount as well.
        let linked = format!("security_inode_unlink.pathname={work}/{mount}/gone");
        same(&linked, count(&file, &["-f", comm, "-f", &linked])?, 20)?;
    }
    Ok(())
}

pub fn alternate_mounts(folder: &str) -> io::Result<()> {
    name_self("mounts")?;
    for _ in 0..ROUNDS {
        for (mount, bytes) in [("m1", 1), ("m2", 2)] {
            let mut buffer = [0; 2];
            let buffer = buffer.get_mut(..bytes).unwrap_or_default();
            File::open(format!("{folder}/{mount}/f"))?.read_exact(buffer)?;
        }
    }
    for _ in 0..20 {
        for mount in ["m1", "m2"] {
            std::env::set_current_dir(format!("{folder}/{mount}"))?;
            fs::write("gone", "")?;
            fs::remove_file("gone")?;
        }
    }
    Ok(())
}

/// The paths of executables, and of what is written, that a comm has.
fn executables(file: &Path, comm: &str) -> Result<Vec<String>, Failed> {
    let rows = events(file, &["-f", &format!("comm={comm}"), "-f", "event=sched_process_exit"])?;
    Ok(rows.iter().filter_map(|row| row["executable"]["path"].as_str().map(str::to_owned)).collect())
}

fn forty_eight_folders() -> Result<(), Failed> {
    let dir = scratch()?;
    let deep = format!("{}/usr/lib/systemd{}", work(dir.path())?, "/x".repeat(44));
    fs::create_dir_all(&deep)?;
    let program = format!("{deep}/deeptrue");
    fs::copy("/bin/true", &program)?;
    let file = record(dir.path(), &[], &[&program])?;
    same("executable", executables(&file, "deeptrue")?, vec![program.clone()])?;
    let asked = |filter: &str| count(&file, &["-f", "comm=deeptrue", "-f", filter]);
    ensure(asked(&format!("binary={}/*", work(dir.path())?))? > 0, || "not where it is".to_owned())?;
    same("binary=/usr/lib/*", asked("binary=/usr/lib/*")?, 0)
}

/// Deeper than any path that a call takes.
const DEPTH: usize = 2500;

fn too_deep() -> Result<(), Failed> {
    let dir = scratch()?;
    let work = work(dir.path())?;
    let program = act("go-deep", &work)?;
    let program: Vec<&str> = program.iter().map(String::as_str).collect();
    let file = record(dir.path(), &[], &program)?;
    let found = executables(&file, "toodeep")?;
    let [found] = found.as_slice() else { return Err(format!("not one: {found:?}").into()) };
    ensure(found.starts_with(".../") && found.ends_with("/x/x/toodeep"), || format!("executable: {found}"))?;
    let asked = |filters: &[&str]| -> Result<u64, Failed> {
        let with: Vec<&str> = filters.iter().flat_map(|filter| ["-f", filter]).collect();
        count(&file, &with)
    };
    same("binary=/*", asked(&["comm=toodeep", "binary=/x/*"])?, 0)?;
    ensure(asked(&["comm=toodeep", "binary=*/x/toodeep"])? > 0, || "not by its end".to_owned())?;
    // A descriptor, and the hook of its opening.
    same("write.fd=/*", asked(&["comm=go-deep", "write.fd=/x*"])?, 0)?;
    same("write.fd", asked(&["comm=go-deep", "write.fd=.../x/*/x/note"])?, 1)?;
    same("opened", asked(&["comm=go-deep", "security_file_open.pathname=.../x/*/x/note"])?, 1)?;
    let written = marks(&file, "write", "go-deep")?;
    let is_partial = |marks: &&Marks| marks.has(Marks::PARTIAL) && marks.is_cut(0);
    same("writes that say so", written.iter().filter(is_partial).count(), 1)
}

pub fn go_deep(folder: &str) -> io::Result<()> {
    use std::io::Write as _;

    name_self("go-deep")?;
    std::env::set_current_dir(folder)?;
    for _ in 0..DEPTH {
        fs::create_dir("x")?;
        std::env::set_current_dir("x")?;
    }
    fs::copy("/bin/true", "toodeep")?;
    File::create("note")?.write_all(b"x")?;
    let status = std::process::Command::new("./toodeep").status()?;
    // A tree of this depth is taken down from below: most programs would run out of paths, or of stack.
    for name in ["toodeep", "note"] {
        fs::remove_file(name)?;
    }
    for _ in 0..DEPTH {
        std::env::set_current_dir("..")?;
        fs::remove_dir("x")?;
    }
    acts::check(i64::from(status.success()) - 1).map(drop)
}
