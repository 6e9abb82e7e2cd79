//! Execs have the SHA-256 of what was executed, whatever becomes of the file and however short it runs.

use std::fs;
use std::path::Path;

use libtest_mimic::Failed;
use serde_json::Value;
use sha2::{Digest as _, Sha256};

use crate::Test;
use crate::host::{act, count, ensure, events, record, same, scratch};

pub const TESTS: &[Test] = &[
    ("execs_have_the_hashes_of_their_files", of_files),
    ("a_program_in_memory_has_a_hash", of_memory),
    ("nothing_is_hashed_where_that_is_not_wanted", of_nothing),
];

fn hash(bytes: &[u8]) -> String {
    Sha256::digest(bytes).iter().map(|byte| format!("{byte:02x}")).collect()
}

/// Paths and hashes of execs below a folder, in order.
fn execs(file: &Path, folder: &Path) -> Result<Vec<(String, Value)>, Failed> {
    let filter = format!("sched_process_exec.pathname={}/*", folder.display());
    let rows = events(file, &["-f", "event=sched_process_exec", "-f", &filter])?;
    let of = |row: &Value, name: &str| {
        let arguments = row["args"].as_array().into_iter().flatten();
        let found = arguments.filter(|one| one["name"] == name).map(|one| one["value"].clone()).next();
        found.unwrap_or_default()
    };
    Ok(rows
        .iter()
        .map(|row| (of(row, "pathname").as_str().unwrap_or_default().to_owned(), of(row, "sha256")))
        .collect())
}

/// Two programs that end at once, one of which is changed and run again, and one that is removed while it runs.
const SCRIPT: &str = r#"
cd "$0"
cp /bin/true first; cp /bin/false second
./first; ./second; ./first; sleep 0.3
printf more >>first; ./first
cp /bin/sleep third; ./third 0.5 & sleep 0.1; rm third; wait
"#;

fn of_files() -> Result<(), Failed> {
    let dir = scratch()?;
    let folder = dir.path().join("programs");
    fs::create_dir(&folder)?;
    let folder = folder.canonicalize()?;
    let (first, second, third) = (fs::read("/bin/true")?, fs::read("/bin/false")?, fs::read("/bin/sleep")?);
    let changed = [first.as_slice(), b"more"].concat();
    let expected =
        [("first", &first), ("second", &second), ("first", &first), ("first", &changed), ("third", &third)];
    let expected: Vec<(String, Value)> = expected
        .into_iter()
        .map(|(name, bytes)| (folder.join(name).display().to_string(), Value::from(hash(bytes))))
        .collect();
    let asked = format!("7:sched_process_exec.sha256={}", hash(&first));
    let place = folder.display().to_string();
    let file = record(dir.path(), &["-f", &asked], &["sh", "-c", SCRIPT, &place])?;
    let mut told = execs(&file, &folder)?;
    // The path of a file that is removed says so.
    told.iter_mut().for_each(|(path, _)| *path = path.trim_end_matches(" (deleted)").to_owned());
    same("execs", &told, &expected)?;
    // The scope was judged while it was recorded, and replay says the same.
    let filter = format!("sched_process_exec.pathname={place}/*");
    same("asked again", count(&file, &["-f", &asked, "-f", &format!("7:{filter}")])?, 2)?;
    let rows = events(&file, &["-f", "event=sched_process_exec", "-f", &filter])?;
    ensure(!rows.is_empty(), || "no execs".to_owned())?;
    let recorded = events(&file, &[])?;
    let of_scope = recorded.iter().filter(|row| row["eventName"] == "sched_process_exec");
    let of_scope = of_scope.filter(|row| row["scopes"] == Value::from(vec![7]));
    same("recorded in the scope", of_scope.count() as u64, count(&file, &["-f", &asked])?)
}

fn of_memory() -> Result<(), Failed> {
    let dir = scratch()?;
    let program = act("exec-from-memory", "/")?;
    let program: Vec<&str> = program.iter().map(String::as_str).collect();
    let file = record(dir.path(), &[], &program)?;
    let asked = format!("sched_process_exec.sha256={}", hash(&fs::read("/bin/sleep")?));
    same("execs", count(&file, &["-f", "sched_process_exec.pathname=*memfd:memory*", "-f", &asked])?, 1)
}

fn of_nothing() -> Result<(), Failed> {
    let dir = scratch()?;
    let file = record(dir.path(), &["--no-hashes"], &["true"])?;
    let execs = count(&file, &["-f", "event=sched_process_exec"])?;
    ensure(execs > 0, || "no execs".to_owned())?;
    let rows = events(&file, &["-f", "event=sched_process_exec"])?;
    let hashed =
        rows.iter().filter(|row| row.to_string().contains("sha256\",\"type\":\"const char*\",\"value\":\""));
    same("with a hash", hashed.count(), 0)
}
