//! Whether an open made its file: the kernel's word, for every call that opens.

use std::io;
use std::path::Path;

use libtest_mimic::Failed;
use serde_json::Value;

use crate::Test;
use crate::acts::{c_string, check, name_self};
use crate::host::{act, count, ensure, events, path, record, same, scratch, tracer_ok};

pub const TESTS: &[Test] = &[
    ("an_open_says_whether_it_made_its_file", opens),
    ("rules_that_ask_for_new_files_find_those_that_were_made", rules),
];

/// What the act opens, in order: the call, the name, and whether the kernel made the file.
const OPENED: &[(&str, &str, Option<bool>)] = &[
    ("openat", "new", Some(true)),
    ("openat", "new", Some(false)),
    ("open", "by-open", Some(true)),
    ("open", "by-open", Some(false)),
    ("creat", "by-creat", Some(true)),
    ("creat", "by-creat", Some(false)),
    ("openat2", "by-openat2", Some(true)),
    ("openat2", "by-openat2", Some(false)),
    // Exclusively: made, and then refused.
    ("openat", "exclusive", Some(true)),
    ("openat", "exclusive", None),
    ("openat", "missing", None),
    // A name that only stands for the file, and one without a name, which no directory has.
    ("openat", "new", Some(false)),
    ("openat", "", Some(false)),
];

/// Opens files in every way.
pub fn open_files(folder: &str) -> io::Result<()> {
    name_self("opensfiles")?;
    let named = |name: &str| c_string(&format!("{folder}/{name}"));
    let flags = libc::O_WRONLY | libc::O_CREAT;
    for (at, (call, name, created)) in OPENED.iter().enumerate() {
        let given = if name.is_empty() { c_string(folder)? } else { named(name)? };
        let flags = match *name {
            "exclusive" => flags | libc::O_EXCL,
            "missing" => libc::O_RDONLY,
            "" => libc::O_WRONLY | libc::O_TMPFILE,
            "new" if at > 1 => libc::O_PATH,
            _ => flags,
        };
        let how = [flags as u64, 0o600, 0];
        // SAFETY: strings with their NUL and a structure of three numbers.
        let opened = unsafe {
            match *call {
                "openat" => libc::syscall(libc::SYS_openat, libc::AT_FDCWD, given.as_ptr(), flags, 0o600),
                "open" => libc::syscall(libc::SYS_open, given.as_ptr(), flags, 0o600),
                "creat" => libc::syscall(libc::SYS_creat, given.as_ptr(), 0o600),
                _ => libc::syscall(libc::SYS_openat2, libc::AT_FDCWD, given.as_ptr(), how.as_ptr(), 24),
            }
        };
        match created {
            // SAFETY: a descriptor of our own.
            Some(_) => check(unsafe { libc::close(check(opened)? as i32) }.into()).map(drop)?,
            None if opened < 0 => {}
            None => return Err(io::Error::other(format!("{call} of {name} succeeded"))),
        }
    }
    Ok(())
}

fn argument(row: &Value, name: &str) -> Value {
    let mut all = row["args"].as_array().into_iter().flatten();
    all.find(|one| one["name"] == name).map_or(Value::Null, |one| one["value"].clone())
}

/// Of the act's rows of an event that are about the folder: what was opened, and whether it was made.
fn told(file: &Path, event: &str, folder: &str) -> Result<Vec<(String, Option<bool>)>, Failed> {
    let rows = events(file, &["-f", "comm=opensfiles", "-f", &format!("event={event}")])?;
    let named = rows.iter().filter_map(|row| {
        let path =
            argument(row, "pathname").as_str()?.strip_prefix(folder)?.trim_start_matches('/').to_owned();
        Some((path, argument(row, "created").as_bool()))
    });
    Ok(named.collect())
}

fn recorded(options: &[&str]) -> Result<(tempfile::TempDir, std::path::PathBuf, String), Failed> {
    let dir = scratch()?;
    let work = dir.path().join("work");
    std::fs::create_dir(&work)?;
    let work = path(&work.canonicalize()?)?.to_owned();
    let act = act("open-files", &work)?;
    let command: Vec<&str> = act.iter().map(String::as_str).collect();
    let file = record(dir.path(), options, &command)?;
    Ok((dir, file, work))
}

fn opens() -> Result<(), Failed> {
    let (dir, file, work) = recorded(&[])?;
    for call in ["openat", "open", "creat", "openat2"] {
        let expected = OPENED.iter().filter(|(by, ..)| *by == call);
        let expected: Vec<_> = expected.map(|(_, name, made)| (String::from(*name), *made)).collect();
        same(call, told(&file, call, &work)?, expected)?;
    }
    // The hook is told of what was opened, but not of names that only stand for a file, nor of what has no name.
    let hook: Vec<_> =
        told(&file, "security_file_open", &work)?.into_iter().filter(|(name, _)| !name.is_empty()).collect();
    let of_hook = OPENED
        .iter()
        .enumerate()
        .filter(|(at, (_, name, made))| made.is_some() && !name.is_empty() && (*name != "new" || *at < 2));
    let of_hook: Vec<_> = of_hook.map(|(_, (_, name, made))| (String::from(*name), *made)).collect();
    let hook: Vec<_> = hook.into_iter().filter(|(name, _)| !name.starts_with('#')).collect();
    same("security_file_open", hook, of_hook)?;
    // Asked by a filter, shown in a table, exported.
    let asked = |filter: &str| {
        count(&file, &["-f", "comm=opensfiles", "-f", filter, "-f", &format!("file={work}/*")])
    };
    same("made by openat", asked("openat.created=true")?, 2)?;
    same("made by openat, as a number", asked("openat.created=1")?, 2)?;
    same("made", asked("security_file_open.created=true")?, 5)?;
    same("not made by creat", asked("creat.created=false")?, 1)?;
    let table = tracer_ok(&["replay", path(&file)?, "-f", "comm=opensfiles", "-f", "creat.created=true"])?;
    ensure(table.contains("created: true"), || table.clone())?;
    // Of strace a call has the arguments that it was given.
    let log = dir.path().join("log");
    tracer_ok(&["export", "--to", "strace", path(&file)?, "-o", path(&log)?, "-f", "comm=opensfiles"])?;
    let log = std::fs::read_to_string(&log)?;
    ensure(log.contains("by-creat\", 0600) = "), || log.clone())?;
    // While recording, too: a replay without filters shows the masks that were recorded.
    let filters = ["-f", "3:openat.created=true", "-f", "3:comm=opensfiles"];
    let (_dir, masked, work) = recorded(&filters)?;
    let made = events(&masked, &[])?.into_iter().filter(|row| row["matchedScopes"].as_u64() == Some(4));
    let mut names: Vec<String> =
        made.map(|row| argument(&row, "pathname").as_str().unwrap_or_default().to_owned()).collect();
    names.retain(|name| name.starts_with(&work));
    same("made, as masks say", names, vec![format!("{work}/new"), format!("{work}/exclusive")])
}

fn rules() -> Result<(), Failed> {
    let (dir, file, work) = recorded(&[])?;
    let falco = dir.path().join("rules.yaml");
    std::fs::write(
        &falco,
        format!(
            "- rule: Made\n  desc: x\n  condition: evt.type in (open, openat, openat2, creat) and evt.is_open_create=true and fd.name startswith {work}\n  \
             output: made %fd.name\n  priority: INFO\n"
        ),
    )?;
    let eql = dir.path().join("rules.eql");
    std::fs::write(&eql, format!("file where event.type == \"creation\" and file.path : \"{work}/*\""))?;
    for rules in [&falco, &eql] {
        let scan = ["scan", path(&file)?, "--no-builtin", "--rules", path(rules)?];
        let found = tracer_ok(&[&scan[..], &["-o", "json"]].concat())?;
        // `new`, `by-open`, `by-creat`, `by-openat2` and `exclusive`, each once.
        let lines = found.lines().filter(|line| line.contains(&work)).count();
        ensure(lines == 5, || format!("{}: {lines} findings\n{found}", rules.display()))?;
        // It is no guess, where the kernel's word is recorded.
        let coverage = tracer_ok(&[&scan[..], &["--coverage"]].concat())?;
        ensure(!coverage.contains("approximate"), || coverage.clone())?;
    }
    Ok(())
}
