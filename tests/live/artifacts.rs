//! Artifacts are the bytes that were there, whatever became of the files; and they are bounded.

use std::fs::{self, File};
use std::io::{self, Write as _};
use std::os::fd::FromRawFd as _;
use std::path::Path;
use std::process::Command;
use std::thread::sleep;
use std::time::Duration;

use libtest_mimic::Failed;
use serde_json::Value;

use crate::Test;
use crate::acts::{c_string, check};
use crate::host::{act, ensure, info, path, record, same, scratch, tracer, tracer_ok};

pub const TESTS: &[Test] = &[
    ("bytes_of_what_is_gone_come_out_as_they_were", of_what_is_gone),
    ("each_program_is_kept_or_named_as_missing", of_short_lives),
    ("artifacts_leave_with_their_events", of_parts),
    ("a_flood_of_files_is_bounded_and_counted", of_a_flood),
    ("every_part_of_a_set_has_the_bytes_of_its_artifacts", of_a_set),
];

const MOMENT: Duration = Duration::from_millis(300);
/// Two instructions that the verifier leaves as they are: r0 = 0; exit.
const PROGRAM: [u64; 2] = [0x0000_0000_0000_00b7, 0x95];

fn text(number: u32) -> String {
    format!("artifact {number}\n").repeat(1000)
}

/// Leaves files of each kind, and none of them behind.
pub fn leave(folder: &str) -> io::Result<()> {
    let folder = Path::new(folder);
    let program = folder.join("tool");
    fs::copy("/bin/sleep", &program)?;
    let mut child = Command::new(&program).arg("0.5").spawn()?;
    fs::remove_file(&program)?;
    // Written, and removed before it is closed.
    let removed = folder.join("removed");
    let mut file = File::create(&removed)?;
    file.write_all(text(1).as_bytes())?;
    sleep(MOMENT);
    fs::remove_file(&removed)?;
    file.write_all(b"and more")?;
    drop(file);
    // Closed at once, and left.
    fs::write(folder.join("quick"), text(2))?;
    // By a child, through what its parent opened.
    let script = "exec 3>\"$0\"; (sleep 0.3; echo of a child >&3) & exec 3>&-; wait";
    let of_child = folder.join("of-child");
    Command::new("sh").args(["-c", script]).arg(&of_child).status()?;
    // SAFETY: a name with its NUL; the descriptor is nobody else's.
    let mut memory = unsafe {
        let name = c_string("../in memory")?;
        File::from_raw_fd(check(libc::memfd_create(name.as_ptr(), 0).into())? as i32)
    };
    memory.write_all(text(3).as_bytes())?;
    sleep(MOMENT);
    drop(memory);
    let licence = c_string("GPL")?;
    const RAW_TRACEPOINT: u64 = 17;
    let attributes = [RAW_TRACEPOINT | 2 << 32, PROGRAM.as_ptr() as u64, licence.as_ptr() as u64, 0, 0, 0];
    // SAFETY: attributes that live as long as the call, and are as long as they are said to be.
    let loaded = check(unsafe { libc::syscall(libc::SYS_bpf, 5, attributes.as_ptr(), 48) })?;
    sleep(MOMENT);
    // SAFETY: a descriptor of our own.
    unsafe { libc::close(loaded as i32) };
    // Opened for writing and not written; and written elsewhere.
    drop(File::options().append(true).open(folder.join("quick"))?);
    child.wait().map(drop)
}

fn recorded(dir: &Path, options: &[&str]) -> Result<std::path::PathBuf, Failed> {
    let folder = dir.join("left");
    fs::create_dir(&folder)?;
    let folder = folder.canonicalize()?;
    let place = path(&folder)?.to_owned();
    let kinds = format!("exec,memfd,module,bpf,write={place}/**");
    let program = act("leave-artifacts", &place)?;
    let program: Vec<&str> = program.iter().map(String::as_str).collect();
    record(dir, &[&["--artifacts", &kinds], options].concat(), &program)
}

/// Extracts into a folder, and reads what the manifest says.
fn extract(file: &Path, into: &Path, filters: &[&str]) -> Result<Value, Failed> {
    tracer_ok(&[&["extract", path(file)?, "-o", path(into)?], filters].concat())?;
    Ok(serde_json::from_slice(&fs::read(into.join("manifest.json"))?)?)
}

/// The entry with an origin of this kind and this end of its path.
fn entry<'a>(manifest: &'a Value, kind: &str, end: &str) -> Result<&'a Value, Failed> {
    let is_it = |origin: &Value| {
        let path = origin["path"].as_str().unwrap_or_default();
        origin["kind"] == kind && path.trim_end_matches(" (deleted)").ends_with(end)
    };
    let all = manifest["artifacts"].as_array().into_iter().flatten();
    let found = all.into_iter().find(|it| it["origins"].as_array().into_iter().flatten().any(is_it));
    found.ok_or_else(|| format!("no {kind} {end} in {manifest:#}").into())
}

fn bytes(folder: &Path, entry: &Value) -> Result<Vec<u8>, Failed> {
    Ok(fs::read(folder.join(entry["file"].as_str().ok_or("no file")?))?)
}

fn of_what_is_gone() -> Result<(), Failed> {
    let dir = scratch()?;
    let file = recorded(dir.path(), &[])?;
    tracer_ok(&["verify", path(&file)?])?;
    let into = dir.path().join("kept");
    let manifest = extract(&file, &into, &[])?;
    let program: Vec<u8> = PROGRAM.iter().flat_map(|it| it.to_le_bytes()).collect();
    let removed = [text(1).as_bytes(), b"and more"].concat();
    let expected = [
        ("exec", "/tool", fs::read("/bin/sleep")?),
        ("write", "/removed", removed),
        ("write", "/quick", text(2).into_bytes()),
        ("write", "/of-child", b"of a child\n".to_vec()),
        ("memfd", "memfd:../in memory", text(3).into_bytes()),
        ("bpf", ":", program),
    ];
    for (kind, end, expected) in expected {
        let entry = entry(&manifest, kind, end)?;
        let kept = bytes(&into, entry)?;
        ensure(kept == expected, || {
            format!("{kind} {end}: {} bytes, not those that were there", kept.len())
        })?;
        let sum =
            Command::new("sha256sum").arg(into.join(entry["file"].as_str().unwrap_or_default())).output()?;
        let sum = String::from_utf8(sum.stdout)?;
        same("sha256sum", sum.split(' ').next(), entry["sha256"].as_str())?;
        same(
            end,
            (entry["size"].as_u64(), &entry["cut"]),
            (Some(expected.len() as u64), &Value::from(false)),
        )?;
        let numbers = entry["origins"][0]["event_number"].as_u64();
        ensure(numbers.is_some_and(|number| number > 0), || format!("{kind} {end}: {entry:#}"))?;
    }
    // This program is larger than what is kept of one.
    let own = std::env::current_exe()?;
    let own = fs::read(own.canonicalize()?)?;
    let name = std::env::current_exe()?;
    let name = name.file_name().and_then(|name| name.to_str()).ok_or("no name")?.to_owned();
    if own.len() > 16 << 20 {
        let entry = entry(&manifest, "exec", &name)?;
        same("cut", (&entry["cut"], entry["whole_size"].as_u64()), (&true.into(), Some(own.len() as u64)))?;
        ensure(bytes(&into, entry)? == own[..16 << 20], || "it begins otherwise".to_owned())?;
    }
    // Nothing is written over, and the files are nobody else's and no programs.
    ensure(!tracer(&["extract", path(&file)?, "-o", path(&into)?])?.status.success(), || "twice".to_owned())?;
    for entry in fs::read_dir(&into)? {
        let mode = std::os::unix::fs::PermissionsExt::mode(&entry?.metadata()?.permissions());
        same("mode", mode & 0o7777, 0o600)?;
    }
    let listed = tracer_ok(&["extract", path(&file)?, "--list"])?;
    ensure(listed.contains("/removed") && listed.contains("memfd"), || listed.clone())?;
    let told = info(&file)?;
    ensure(told["artifacts"]["kept"].as_u64() >= Some(6), || format!("{:#}", told["artifacts"]))
}

/// Copied, executed and removed at once: some are there long enough.
fn of_short_lives() -> Result<(), Failed> {
    let dir = scratch()?;
    let script = "for i in 1 2 3 4 5 6 7 8 9; do cp /bin/true \"$0/short-$i\"; \"$0/short-$i\"; rm \"$0/short-$i\"; done";
    let folder = path(dir.path())?;
    let file = record(dir.path(), &["--artifacts", "exec"], &["sh", "-c", script, folder])?;
    let manifest = extract(&file, &dir.path().join("out"), &[])?;
    for number in 1..=9 {
        let name = format!("/short-{number}");
        let is_missing = |it: &Value| {
            let path = it["path"].as_str().unwrap_or_default();
            it["kind"] == "exec"
                && path.ends_with(&name)
                && it["reason"].is_string()
                && it["event_number"].is_u64()
        };
        let missing = manifest["left_out"].as_array().into_iter().flatten().any(is_missing);
        ensure(missing || entry(&manifest, "exec", &name).is_ok(), || {
            format!("{name} is not in {manifest:#}")
        })?;
    }
    Ok(())
}

fn of_parts() -> Result<(), Failed> {
    let dir = scratch()?;
    let file = recorded(dir.path(), &[])?;
    let at = |name: &str| dir.path().join(name);
    let only = extract(&file, &at("only"), &["-f", "event=memfd_create"])?;
    same("by a filter", only["artifacts"].as_array().map(Vec::len), Some(1))?;
    let make = |command: &str, out: &str, options: &[&str]| -> Result<std::path::PathBuf, Failed> {
        let out = at(out);
        tracer_ok(&[&[command, path(&file)?, "-o", path(&out)?], options].concat())?;
        tracer_ok(&["verify", path(&out)?])?;
        Ok(out)
    };
    let all = extract(&file, &at("all"), &[])?;
    for (command, options) in [("recover", &[][..]), ("cut", &["--compression", "fast"])] {
        let copy = make(command, &format!("{command}.trz"), options)?;
        same(command, &extract(&copy, &at(command), &[])?, &all)?;
    }
    let part = make("cut", "part.trz", &["-f", "event=memfd_create"])?;
    let part = extract(&part, &at("part"), &[])?;
    same("cut", part["artifacts"].as_array().map(Vec::len), Some(1))?;
    same("cut", bytes(&at("part"), entry(&part, "memfd", "in memory")?)?, text(3).into_bytes())?;
    // Nothing of them leaves unless somebody says so.
    let redacted = make("redact", "redacted.trz", &["--hash", "comm", "--allow-leftovers"])?;
    let redacted = extract(&redacted, &at("redacted"), &[])?;
    same("redact", redacted["artifacts"].as_array().map(Vec::len), Some(0))?;
    let options = ["--hash", "comm", "--allow-leftovers", "--keep-artifacts", "bpf"];
    let kept = make("redact", "kept.trz", &options)?;
    let kept = extract(&kept, &at("kept"), &[])?;
    let is_bpf = |it: &Value| it["origins"].as_array().into_iter().flatten().all(|it| it["kind"] == "bpf");
    let artifacts = kept["artifacts"].as_array().cloned().unwrap_or_default();
    ensure(!artifacts.is_empty() && artifacts.iter().all(is_bpf), || format!("{kept:#}"))
}

fn of_a_flood() -> Result<(), Failed> {
    let dir = scratch()?;
    let folder = dir.path().join("flood");
    fs::create_dir(&folder)?;
    let place = path(&folder)?;
    let script = "i=0; while [ $i -lt 3000 ]; do echo file $i > \"$0/$i\"; i=$((i+1)); done; \
                  head -c 300000 /dev/urandom > \"$0/large\"; sleep 1";
    let kinds = format!("write={place}/**");
    let bounds = ["--artifact-size", "100K", "--artifacts-total", "150K", "--artifacts-number", "20"];
    let file =
        record(dir.path(), &[&["--artifacts", &kinds], &bounds[..]].concat(), &["sh", "-c", script, place])?;
    tracer_ok(&["verify", path(&file)?])?;
    let told = info(&file)?;
    let artifacts = &told["artifacts"];
    same("lost", &told["lost"], &0.into())?;
    ensure(artifacts["kept"].as_u64() <= Some(20), || format!("{artifacts:#}"))?;
    ensure(artifacts["kept_bytes"].as_u64() <= Some(150 << 10), || format!("{artifacts:#}"))?;
    let left_out: u64 = artifacts["left_out"]["write"]
        .as_object()
        .into_iter()
        .flat_map(|reasons| reasons.values())
        .filter_map(Value::as_u64)
        .sum();
    let kept = artifacts["kept"].as_u64().unwrap_or_default();
    // Of others, a path that was given from elsewhere may count too where there was no room to look it up.
    ensure(left_out + kept >= 3001, || format!("{left_out} and {kept}: {artifacts:#}"))
}

fn of_a_set() -> Result<(), Failed> {
    let dir = scratch()?;
    let file = dir.path().join("c.trz");
    let script = "for i in 1 2 3 4; do cp /bin/true \"$0/$i\"; \"$0/$i\"; sleep 1; done";
    let place = path(dir.path())?.to_owned();
    let options = ["record", "--rotate", "1s", "--artifacts", "exec", "-o", path(&file)?, "--"];
    tracer_ok(&[&options[..], &["sh", "-c", script, &place]].concat())?;
    let mut parts = 0;
    for number in 0..10 {
        let part = dir.path().join(format!("c.{number:04}.trz"));
        if !part.exists() {
            break;
        }
        parts += 1;
        let listed: Value =
            serde_json::from_str(&tracer_ok(&["extract", path(&part)?, "--list", "--json"])?)?;
        let left_out = listed["left_out"].as_array().into_iter().flatten();
        let missing: Vec<_> =
            left_out.filter(|it| it["reason"].as_str().is_some_and(|it| it.contains("part"))).collect();
        ensure(missing.len() <= 1, || format!("part {number}: {missing:?}"))?;
    }
    ensure(parts >= 3, || format!("{parts} parts"))
}
