//! What descriptors stand for, and what paths are absolute: a program that uses them in every way, and what its rows show.

use std::collections::BTreeSet;
use std::path::Path;

use libtest_mimic::Failed;
use serde_json::Value;

use crate::Test;
use crate::host::{count, ensure, path, record, same, scratch, tracer_ok};

mod program;

pub use program::run as run_program;

pub const TESTS: &[Test] = &[
    ("descriptors_show_what_they_stand_for_and_can_be_asked_by_it", stand_for),
    ("asking_for_what_a_descriptor_stands_for_gives_the_recorded_masks", same_answer),
    ("paths_of_hooks_are_absolute_whatever_they_were_relative_to", absolute_paths),
    ("executable_mappings_and_memfds_are_seen", executable_mappings),
    ("a_file_that_is_opened_again_has_the_name_by_which_it_was_opened", opened_again),
];

/// One file by two mounts, again and again, so that open files and names come to lie where others were; then renamed,
/// followed by another of its name, and removed while open. Each read has a length of its own.
const OPENED_AGAIN: &str = r#"
set -e
cd "$1"; mkdir one two
head -c 100 /dev/zero > one/file
mount --bind one two
get() { dd bs="$1" count=1 of=/dev/null status=none; }
for round in 1 2 3 4; do
    get 11 < one/file
    get 12 < two/file
done
exec 3< one/file
mv one/file one/renamed
get 13 <&3
head -c 100 /dev/zero > one/file
exec 4< one/file
get 14 <&4
get 15 <&3
get 16 < two/file
rm one/file
get 17 <&4
head -c 100 /dev/zero > one/file
get 18 < one/file
get 19 <&4
"#;

/// Events of the program, as `"value"` of its arguments by their names.
fn rows(file: &Path, event: &str) -> Result<Vec<Value>, Failed> {
    let filter = format!("event={event}");
    let arguments =
        ["replay", path(file)?, "-f", &filter, "-f", "comm=descriptors", "-o", "json", "--parse-arguments"];
    tracer_ok(&arguments)?.lines().map(|line| Ok(serde_json::from_str(line)?)).collect()
}

/// The texts that an argument has in these rows.
fn shown(file: &Path, event: &str, argument: &str) -> Result<BTreeSet<String>, Failed> {
    let texts = rows(file, event)?.into_iter().filter_map(|row| {
        let argument = row["args"].as_array()?.iter().find(|one| one["name"] == argument)?.clone();
        argument["value"].as_str().map(str::to_owned)
    });
    Ok(texts.collect())
}

/// Records the program in a folder of its own, which is returned with the capture.
fn recorded(options: &[&str]) -> Result<(tempfile::TempDir, std::path::PathBuf, String), Failed> {
    let dir = scratch()?;
    let work = dir.path().join("work");
    std::fs::create_dir(&work)?;
    let work = std::fs::canonicalize(work)?;
    let work = path(&work)?.to_owned();
    let own = std::env::current_exe()?;
    let file = record(dir.path(), options, &[path(&own)?, "--use-descriptors", &work])?;
    Ok((dir, file, work))
}

fn stand_for() -> Result<(), Failed> {
    let (_dir, file, work) = recorded(&[])?;
    let all = |event: &str, argument: &str| shown(&file, event, argument);
    let has = |event: &str, argument: &str, ends: &str| -> Result<(), Failed> {
        let texts = all(event, argument)?;
        ensure(texts.iter().any(|text| text.split_once('=').is_some_and(|(_, text)| text == ends)), || {
            format!("{event}.{argument}: no {ends} in {texts:#?}")
        })
    };
    let like = |event: &str, argument: &str, begin: &str| -> Result<(), Failed> {
        let texts = all(event, argument)?;
        let is_like = |text: &String| text.split_once('=').is_some_and(|(_, text)| text.starts_with(begin));
        ensure(texts.iter().any(is_like), || format!("{event}.{argument}: no {begin}... in {texts:#?}"))
    };
    // Files: plain, inherited, passed over a socket, duplicated, deleted, renamed, and with a renamed directory.
    for (event, argument, name) in [
        ("read", "fd", "secret"),
        ("fstat", "fd", "secret"),
        ("close", "fd", "secret"),
        ("close", "fd", "unused"),
        ("write", "fd", "inherited"),
        ("write", "fd", "passed"),
        ("dup2", "oldfd", "duplicated"),
        ("dup2", "newfd", "duplicated"),
        ("close", "fd", "duplicated"),
        ("write", "fd", "deleted (deleted)"),
        ("write", "fd", "after"),
        ("write", "fd", "moved/inside"),
    ] {
        has(event, argument, &format!("{work}/{name}"))?;
    }
    // Roots of file systems have no name in a directory, and are not deleted for that.
    has("getdents64", "fd", "/")?;
    has("getdents64", "fd", "/proc")?;
    has("getdents64", "fd", &work)?;
    let named = "getdents64.dirp.d_name=secret";
    let of_work = format!("getdents64.fd={work}");
    for filters in [&["-f", named][..], &["-f", named, "-f", &of_work]] {
        let count = tracer_ok(&[&["replay", path(&file)?, "--count"], filters].concat())?;
        ensure(count.trim() == "1", || format!("{filters:?}: {count}"))?;
    }
    // The first of two files that have the same addresses in the kernel is not taken for the second.
    for number in 0..20 {
        has("write", "fd", &format!("{work}/short-lived-{number}"))?;
    }
    like("write", "fd", "pipe:[")?;
    like("read", "fd", "pipe:[")?;
    has("write", "fd", "memfd:hidden")?;
    has("close", "fd", "memfd:hidden")?;
    has("write", "fd", "anon_inode:[eventfd]")?;
    like("sendto", "sockfd", "unix [")?;
    let port = std::fs::read_to_string(format!("{work}/port"))?;
    has("listen", "sockfd", &format!("tcp 127.0.0.1:{port}"))?;
    like("connect", "sockfd", "tcp 127.0.0.1:")?;
    let sent = all("sendto", "sockfd")?;
    let is_connected = |text: &String| text.ends_with(&format!("->127.0.0.1:{port}"));
    ensure(sent.iter().any(is_connected), || format!("no connection to {port} in {sent:#?}"))?;
    let received = all("recvfrom", "sockfd")?;
    ensure(received.iter().any(|text| text.contains(&format!("tcp 127.0.0.1:{port}->"))), || {
        format!("no connection from {port} in {received:#?}")
    })?;
    has("connect", "sockfd", &format!("unix ->{work}/sock"))?;
    // What failed on a descriptor that is none has its number.
    let closed = count(&file, &["-f", "comm=descriptors", "-f", "write.fd=999"])?;
    same("writes to a descriptor that is none", closed, 1)?;
    // Asking, by the text, by wildcards, and by the number.
    let asked = |filter: String| count(&file, &["-f", "comm=descriptors", "-f", &filter]);
    same("reads of the secret", asked(format!("read.args.fd={work}/secret"))?, 2)?;
    same("writes to deleted files", asked(format!("write.fd={work}/* (deleted)"))?, 1)?;
    ensure(asked("read.fd=pipe:*".into())? > 0, || "no read of a pipe".to_owned())?;
    same("sends to the port", asked(format!("sendto.sockfd=tcp *->127.0.0.1:{port}"))?, 1)?;
    let numbers = count(&file, &["-f", "comm=descriptors", "-f", "dup2.newfd=200"])?;
    same("duplicates as 200", numbers, 1)?;
    let table = tracer_ok(&["replay", path(&file)?, "-f", "comm=descriptors", "-f", "dup2.newfd=200"])?;
    ensure(table.contains(&format!("newfd: 200={work}/duplicated")), || table.clone())?;
    let plain = tracer_ok(&[
        "replay",
        path(&file)?,
        "-f",
        "comm=descriptors",
        "-f",
        "dup2.newfd=200",
        "--raw-arguments",
    ])?;
    ensure(plain.contains("newfd: 200") && !plain.contains("newfd: 200="), || plain.clone())?;
    let json =
        tracer_ok(&["replay", path(&file)?, "-f", "comm=descriptors", "-f", "dup2.newfd=200", "-o", "json"])?;
    ensure(json.contains(r#""name":"newfd","type":"int","value":200"#), || json.clone())?;
    let explained =
        tracer_ok(&["explain", path(&file)?, "-f", &format!("read.fd={work}/secret"), "--event", "1"])?;
    ensure(!explained.is_empty(), || "explain says nothing".to_owned())
}

fn same_answer() -> Result<(), Failed> {
    let filters = [
        "-f",
        "2:read.fd=/*/secret",
        "-f",
        "3:write.fd=*(deleted)",
        "-f",
        "4:close.fd=memfd:*",
        "-f",
        "5:sendto.sockfd=tcp *",
        "-f",
        "6:write.fd!=pipe:*",
        "-f",
        "6:comm=descriptors",
        "-f",
        "7:dup2.newfd=200",
    ];
    let (_dir, file, _) = recorded(&filters)?;
    let masks = |options: &[&str]| -> Result<Vec<(u64, u64)>, Failed> {
        let rows = crate::host::events(&file, options)?;
        let mask = |row: &Value| Some((row["timestamp"].as_u64()?, row["matchedScopes"].as_u64()?));
        Ok(rows.iter().filter_map(mask).collect())
    };
    let (recorded, replayed) = (masks(&[])?, masks(&filters)?);
    let all = recorded.iter().fold(0, |all, (_, mask)| all | mask);
    same("scopes that matched anything", all, 0b111_1110)?;
    same("masks", recorded, replayed)
}

fn absolute_paths() -> Result<(), Failed> {
    let (_dir, file, work) = recorded(&[])?;
    for (event, argument, name) in [
        ("security_file_open", "pathname", "relative"),
        ("security_inode_rename", "old_path", "before"),
        ("security_inode_rename", "new_path", "after"),
        ("security_inode_rename", "old_path", "sub/from-dirfd"),
        ("security_inode_rename", "new_path", "to-dirfd"),
        ("security_inode_unlink", "pathname", "deleted"),
        ("security_inode_unlink", "pathname", "sub/removed"),
        ("security_inode_symlink", "linkpath", "link"),
    ] {
        let texts = shown(&file, event, argument)?;
        ensure(texts.contains(&format!("{work}/{name}")), || {
            format!("{event}.{argument}: no {work}/{name} in {texts:#?}")
        })?;
        let filter = format!("{event}.{argument}={work}/{name}");
        let found = count(&file, &["-f", "comm=descriptors", "-f", &filter])?;
        ensure(found > 0, || format!("nothing matches {filter}"))?;
    }
    Ok(())
}

fn opened_again() -> Result<(), Failed> {
    let dir = scratch()?;
    let folder = std::fs::canonicalize(dir.path())?;
    let folder = path(&folder)?;
    let file = record(dir.path(), &[], &["unshare", "-m", "sh", "-c", OPENED_AGAIN, "sh", folder])?;
    for (length, times, name) in [
        (11, 4, "one/file"),
        (12, 4, "two/file"),
        (13, 1, "one/renamed"),
        (14, 1, "one/file"),
        (15, 1, "one/renamed"),
        (16, 1, "two/file"),
        (17, 1, "one/file (deleted)"),
        (18, 1, "one/file"),
        (19, 1, "one/file (deleted)"),
    ] {
        let (length, fd) = (format!("read.count={length}"), format!("read.fd={folder}/{name}"));
        let found = count(&file, &["-f", "comm=dd", "-f", &length, "-f", &fd])?;
        same(&format!("{length} {fd}"), found, times)?;
    }
    Ok(())
}

fn executable_mappings() -> Result<(), Failed> {
    let (_dir, file, work) = recorded(&[])?;
    for filter in [
        "mmap.prot=*PROT_EXEC*".to_owned(),
        format!("mmap.fd={work}/program"),
        "mprotect.prot=PROT_READ|PROT_EXEC".to_owned(),
        "security_file_mprotect.prot=PROT_READ|PROT_EXEC".to_owned(),
        "memfd_create.name=hidden".to_owned(),
        format!("security_sb_mount.path={work}/mounted"),
        format!("security_sb_umount.mountpoint={work}/mounted"),
    ] {
        let found = count(&file, &["-f", "comm=descriptors", "-f", &filter])?;
        ensure(found > 0, || format!("nothing matches {filter}"))?;
    }
    Ok(())
}
