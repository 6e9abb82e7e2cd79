//! Rotated sets: every part is whole and begins with the state of its beginning, and together they are one recording.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::time::Duration;

use libtest_mimic::Failed;

use crate::Test;
use crate::host::{TRACER, ensure, info, path, same, scratch, tracer, tracer_ok, wait_for};
use crate::workload::Loop;

pub const TESTS: &[Test] = &[
    ("a_set_rotated_by_size_replays_as_one_capture", rotated_by_size),
    ("a_set_whose_first_parts_are_gone_still_knows_older_processes", first_parts_are_gone),
    ("verify_finds_a_missing_and_an_exchanged_part_of_a_signed_set", missing_and_exchanged_parts),
    ("a_key_that_evolves_and_a_witness_show_missing_and_rewritten_parts", evolving_keys_and_a_witness),
    ("kill_9_while_rotating_leaves_a_set_that_replays", kill_9_while_rotating),
    #[cfg(feature = "encrypt")]
    ("an_encrypted_set_is_read_with_its_identity_and_not_without", encrypted_set),
];

/// The parts that are there, in their order.
pub fn parts(dir: &Path) -> Result<Vec<String>, Failed> {
    let mut parts: Vec<PathBuf> =
        fs::read_dir(dir)?.map(|entry| entry.map(|entry| entry.path())).collect::<Result<_, _>>()?;
    parts.retain(|part| part.extension().is_some_and(|extension| extension == "trz"));
    parts.sort();
    parts.iter().map(|part| Ok(path(part)?.to_owned())).collect()
}

/// Records a set into `dir` while `work` goes on.
fn record_set(dir: &Path, options: &[&str]) -> Result<Vec<String>, Failed> {
    let file = dir.join("s.trz");
    let mut arguments = vec!["record", "-o", path(&file)?];
    arguments.extend(options);
    tracer_ok(&arguments)?;
    parts(dir)
}

fn count_in(files: &[String], filters: &[&str]) -> Result<u64, Failed> {
    let mut arguments = vec!["replay", "--count", "-q"];
    arguments.extend(filters);
    arguments.extend(files.iter().map(String::as_str));
    Ok(tracer_ok(&arguments)?.trim().parse()?)
}

fn verify(options: &[&str], files: &[String]) -> Result<Output, Failed> {
    let mut arguments = vec!["verify"];
    arguments.extend(options);
    arguments.extend(files.iter().map(String::as_str));
    tracer(&arguments)
}

/// Verifies, expects an exit code, and that the answer holds these words.
fn verified(options: &[&str], files: &[String], code: i32, words: &str) -> Result<(), Failed> {
    let output = verify(options, files)?;
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    ensure(output.status.code() == Some(code) && said.contains(words), || {
        format!("expected exit code {code} and {words:?}, got {}:\n{said}", output.status)
    })
}

fn rotated_by_size() -> Result<(), Failed> {
    let dir = scratch()?;
    let work = Loop::start(dir.path(), "ls", "/", "")?;
    let files = record_set(dir.path(), &["--rotate", "150K", "--duration", "6s"])?;
    let named = format!("comm={}", work.name);
    drop(work);
    ensure(files.len() >= 3, || format!("only {files:?}"))?;
    let mut alone = 0;
    for (number, file) in files.iter().enumerate() {
        same("complete", info(Path::new(file))?["complete"].as_bool(), Some(true))?;
        // A block is a second at most, and a part is over when the next block would be too much.
        ensure(fs::metadata(file)?.len() < 2 << 20, || format!("{file} is large"))?;
        let found = count_in(&files[number..=number], &["-f", &named])?;
        ensure(found > 0, || format!("nothing of {named} in {file}"))?;
        alone += found;
    }
    same("events in all parts", count_in(&files, &["-f", &named])?, alone)?;
    // In any order on the command line, rows come in order of time.
    let mut arguments = vec!["replay", "-q", "-o", "json", "-f", &named];
    arguments.extend(files.iter().rev().map(String::as_str));
    let rows = tracer_ok(&arguments)?;
    let times: Vec<u64> = rows
        .lines()
        .map(|line| Ok(serde_json::from_str::<serde_json::Value>(line)?["timestamp"].as_u64().unwrap_or(0)))
        .collect::<Result<_, Failed>>()?;
    // In the order of the boot clock: the wall clock of a block may be nanoseconds behind that of the one before.
    let is_back = times.windows(2).find(|pair| pair[0] > pair[1] + 1_000);
    ensure(is_back.is_none(), || format!("rows are not in order of time: {is_back:?}"))?;
    same("rows", times.len() as u64, alone)?;
    verified(&[], &files, 0, "part 2 of its set, written after")
}

fn first_parts_are_gone() -> Result<(), Failed> {
    let dir = scratch()?;
    let work = Loop::start(dir.path(), "ls", "/", "0.05")?;
    let files = record_set(dir.path(), &["--rotate", "1s", "--keep", "2", "--duration", "7s"])?;
    let (named, tree) = (format!("comm={}", work.name), format!("tree={}", work.pid()));
    drop(work);
    same("parts", files.len(), 2)?;
    let first = info(Path::new(&files[0]))?;
    ensure(first["events"].as_u64() > Some(0), || "the oldest part is empty".to_owned())?;
    ensure(!files[0].contains("0000"), || format!("{files:?} begin with the first part"))?;
    let found = count_in(&files, &["-f", &named])?;
    ensure(found > 20, || format!("only {found} events"))?;
    // The shell's fork is in no part: that it is their parent is in the state at the beginning.
    same("events of the shell's tree", count_in(&files, &["-f", &named, "-f", &tree])?, found)?;
    let follow = ["-f", "comm=sh", "-f", "follow", "-f", &tree];
    ensure(count_in(&files, &follow)? >= found, || "children of the shell are not followed".to_owned())?;
    // They are missing on purpose, and the seals say so.
    verified(&[], &files, 0, "the parts before it are not among these files")?;
    verified(&[], &files[1..], 1, "INCOMPLETE")
}

fn missing_and_exchanged_parts() -> Result<(), Failed> {
    let dir = scratch()?;
    let key = dir.path().join("key");
    let public = tracer_ok(&["keygen", path(&key)?])?.trim().to_owned();
    // A part begins with what comes after the last one's time: where nothing happens, there are no further parts.
    let _work = Loop::start(dir.path(), "ls", "/", "0.05")?;
    let files = record_set(dir.path(), &["--rotate", "1s", "--duration", "6s", "--sign-key", path(&key)?])?;
    ensure(files.len() >= 4, || format!("only {files:?}"))?;
    verified(&["--key", &public], &files, 0, "signed by")?;
    let without: Vec<String> = files.iter().filter(|file| !file.contains("0002")).cloned().collect();
    verified(&["--key", &public], &without, 1, "part 2 is missing before part 3")?;
    // Signed with the right key, whole, of the right number, and of another recording.
    let other_dir = scratch()?;
    let other =
        record_set(other_dir.path(), &["--rotate", "1s", "--duration", "5s", "--sign-key", path(&key)?])?;
    fs::copy(&other[2], &files[2])?;
    verified(&["--key", &public], &files, 1, "part 2 is missing before part 3")?;
    fs::copy(&files[3], &files[2])?;
    verified(&["--key", &public], &files, 1, "of the same recording too")
}

fn kill_9_while_rotating() -> Result<(), Failed> {
    for after_ms in [3_300, 4_050] {
        let dir = scratch()?;
        let file = dir.path().join("s.trz");
        let work = Loop::start(dir.path(), "ls", "/", "")?;
        let mut recorder = Command::new(TRACER)
            .args(["record", "-o", path(&file)?, "--rotate", "20K"])
            .stderr(Stdio::null())
            .spawn()?;
        wait_for(&dir.path().join("s.0000.trz"))?;
        std::thread::sleep(Duration::from_millis(after_ms));
        recorder.kill()?;
        recorder.wait()?;
        let named = format!("comm={}", work.name);
        drop(work);
        let files = parts(dir.path())?;
        ensure(!files.is_empty(), || "no part was left".to_owned())?;
        let found = count_in(&files, &["-f", &named])?;
        ensure(found > 20, || format!("only {found} events in {files:?}"))?;
        let (last, before) = files.split_last().ok_or("no parts")?;
        for file in before {
            same(file, info(Path::new(file))?["complete"].as_bool(), Some(true))?;
        }
        // Killed between two parts, the last one is whole and the next one has no name yet.
        let is_between = fs::read_dir(dir.path())?
            .any(|entry| entry.is_ok_and(|entry| entry.path().extension().is_some_and(|it| it == "partial")));
        let expected = if is_between { 0 } else { 1 };
        same(last, verify(&["--partial"], std::slice::from_ref(last))?.status.code(), Some(expected))?;
        let clean = dir.path().join("clean.trz");
        tracer_ok(&["recover", last, "-o", path(&clean)?])?;
        same("recovered", verify(&[], &[path(&clean)?.to_owned()])?.status.code(), Some(0))?;
    }
    Ok(())
}

/// A key pair of age's: an example that anyone may know.
#[cfg(feature = "encrypt")]
const RECIPIENT: &str = "age1zvkyg2lqzraa2lnjvqej32nkuu0ues2s82hzrye869xeexvn73equnujwj";
#[cfg(feature = "encrypt")]
const IDENTITY: &str = "AGE-SECRET-KEY-1GFPYYSJZGFPYYSJZGFPYYSJZGFPYYSJZGFPYYSJZGFPYYSJZGFPQ4EGAEX";

#[cfg(feature = "encrypt")]
fn encrypted_set() -> Result<(), Failed> {
    let dir = scratch()?;
    let identity = dir.path().join("identity");
    fs::write(&identity, format!("# created by hand\n{IDENTITY}\n"))?;
    fs::set_permissions(&identity, std::os::unix::fs::PermissionsExt::from_mode(0o600))?;
    let with = ["--identity", path(&identity)?];
    let work = Loop::start(dir.path(), "ls", "/", "0.05")?;
    let files = record_set(dir.path(), &["--rotate", "1s", "--duration", "5s", "--encrypt-to", RECIPIENT])?;
    let named = format!("comm={}", work.name);
    drop(work);
    ensure(files.len() >= 3, || format!("only {files:?}"))?;
    for file in &files {
        let bytes = fs::read(file)?;
        ensure(!bytes.windows(6).any(|part| part == b"tracer"), || format!("{file} has words in clear"))?;
    }
    let refused = tracer(&["replay", "--count", &files[0]])?;
    same("exit code without identity", refused.status.code(), Some(2))?;
    let said = String::from_utf8_lossy(&refused.stderr).into_owned();
    ensure(said.contains("encrypted") && said.contains("identity"), || said.clone())?;
    let found = count_in(&files, &["-f", &named, with[0], with[1]])?;
    ensure(found > 20, || format!("only {found} events"))?;
    verified(&[], &files, 0, "good")?;
    verified(&with, &files, 0, "part 2 of its set, written after")?;
    let without: Vec<String> = files.iter().filter(|file| !file.contains("0001")).cloned().collect();
    verified(&with, &without, 1, "part 1 is missing before part 2")?;
    let cut = dir.path().join("cut.trz");
    let cut = path(&cut)?;
    tracer_ok(&["cut", &files[1], with[0], with[1], "-f", &named, "-o", cut, "--encrypt-to", RECIPIENT])?;
    same("exit code of the cut", tracer(&["info", cut])?.status.code(), Some(2))?;
    let cut = [cut.to_owned()];
    let all = count_in(&files[1..2], &["-f", &named, with[0], with[1]])?;
    same("events in the cut", count_in(&cut, &["-f", &named, with[0], with[1]])?, all)?;
    // A changed byte of a block is found with and without the identity.
    let mut bytes = fs::read(&files[1])?;
    let middle = bytes.len() / 2;
    bytes[middle] ^= 1;
    fs::write(&files[1], bytes)?;
    verified(&[], &files[1..2], 1, "BAD")?;
    verified(&with, &files[1..2], 1, "BAD")
}

/// Whoever takes the host over has the set, the key's file and all that is on the disk.
fn evolving_keys_and_a_witness() -> Result<(), Failed> {
    let dir = scratch()?;
    let key = dir.path().join("key");
    let public = tracer_ok(&["keygen", "--forward=64", path(&key)?])?.trim().to_owned();
    let heads = dir.path().join("heads");
    let witness = path(&heads)?;
    let _work = Loop::start(dir.path(), "ls", "/", "0.05")?;
    let options = ["--rotate", "1s", "--duration", "6s", "--sign-key", path(&key)?, "--heads", witness];
    let files = record_set(dir.path(), &options)?;
    ensure(files.len() >= 4, || format!("only {files:?}"))?;
    let all = ["--key", &public, "--heads", witness];
    verified(&all, &files, 0, "file 1 of a key that evolves")?;

    // Each end, and the middle.
    let without = |number: usize| {
        let mut left = files.clone();
        left.remove(number);
        left
    };
    for missing in [0, 1, files.len() - 1] {
        let left = without(missing);
        verified(&["--key", &public], &left, 1, "missing")?;
        verified(&all, &left, 1, &format!("the witness holds heads of part {missing} of the set"))?;
        let mut arguments = vec!["replay", "--count"];
        arguments.extend(left.iter().map(String::as_str));
        let output = tracer(&arguments)?;
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        ensure(said.contains("is missing"), || format!("replay without part {missing} says {said}"))?;
        arguments.splice(..2, ["info"]);
        let said = String::from_utf8_lossy(&tracer(&arguments)?.stderr).into_owned();
        ensure(said.contains("is missing"), || format!("info without part {missing} says {said}"))?;
    }
    verified(&["--key", &public, "--partial"], &without(0), 0, "is missing")?;

    // The last part made anew with the key as it is now, and the right head before it: it is a later file of the key.
    let last = files.last().ok_or("no parts")?;
    let forged = dir.path().join("forged.trz");
    tracer_ok(&["cut", last, "-o", path(&forged)?, "--sign-key", path(&key)?])?;
    let number = format!("file {} of a key that evolves", files.len());
    verified(&["--key", &public], &[path(&forged)?.to_owned()], 0, &number)?;
    let mut exchanged = files.clone();
    exchanged.pop();
    exchanged.push(path(&forged)?.to_owned());
    verified(&all, &exchanged, 1, "the witness holds no head of this file")
}
