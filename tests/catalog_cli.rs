//! `tracer catalog`: a folder's captures, each with a row. What is asked is answered as without it, byte for byte, from fewer
//! files; and a row that does not fit its file is never trusted.

mod program;

use std::fs;
use std::path::Path;

use events::Raw;
use interchange::catalog::{self, Row};
use program::{Folder, event, id_and_ls, printed, said, text, tracer};
use synthetic::{Made, WALL, process};

use program::synthetic;

const COMMS: [&str; 7] = ["bash", "ls", "id", "cron", "sshd", "nginx", "python3"];

/// One capture of many: a minute of a host, in which a few commands open a few files. Every tenth host is one of several
/// recordings of one boot.
fn capture(number: u64) -> Made {
    let mut made = Made::new();
    let host = if number.is_multiple_of(10) { 0 } else { number };
    made.header.host.hostname = format!("host{host}");
    made.header.host.boot_id = format!("boot{host}");
    let ahead = number * 60_000_000_000;
    made.clock.wall_ns = WALL + ahead;
    made.header.clock.wall_ns = WALL + ahead;
    made.header.recording.start_ns += number;
    let shell = process(500, 1, 1000, "bash", "/usr/bin/bash");
    made.sides.push(synthetic::snapshot(&[process(1, 0, 0, "init", "/sbin/init"), shell]));
    // Users come and go in one boot, and others are other hosts'.
    let user = |uid: u32, name: &str| format::User { host: 0, uid, name: name.into() };
    let mut users = vec![user(0, "root"), user(1000 + (number % 3) as u32, &format!("user{}", host % 7))];
    if number > 30 {
        users.push(user(1004, "late"));
    }
    made.sides.push(format::Side::Users(users));
    for step in 0..12u64 {
        let at = step * 1_000_000_000;
        let comm =
            COMMS[((number * 7 + step * step) % 4) as usize + usize::from(number.is_multiple_of(3)) * 2];
        let comm = if number == 17 && step == 5 { "xmrig" } else { comm };
        let exe = format!("/usr/bin/{comm}");
        let pid = 600 + (number * 13 + step) as u32 % 3_000;
        let task = process(pid, 500, if step == 3 { 0 } else { 1000 + (number % 5) as u32 }, comm, &exe);
        let path = format!("/srv/{}/file{}", number % 9, step);
        let args = [("dirfd", Raw::Number(-100i64 as u64)), ("pathname", Raw::Bytes(path.as_bytes()))];
        let mut open = event(at, "openat", task, &args);
        open.ret = if step == 7 { -2 } else { 3 };
        made.push(&open);
        if step == 2 && number.is_multiple_of(4) {
            made.push(&event(
                at + 5,
                "sched_process_exec",
                task,
                &[("pathname", Raw::Bytes(exe.as_bytes()))],
            ));
        }
    }
    made
}

fn folder(captures: u64) -> Folder {
    let folder = Folder::new();
    fs::create_dir(folder.path("below")).unwrap();
    for number in 0..captures {
        let name = if number.is_multiple_of(6) { "below/" } else { "" };
        folder.capture(&format!("{name}{number:04}.trz"), capture(number));
    }
    folder
}

/// What is left of the sentence on stderr about captures that were opened.
fn opened(all: &str, arguments: &[&str]) -> usize {
    let mut asked = vec!["replay", all, "--count", "--stats"];
    asked.extend(arguments);
    let said = said(&asked);
    let line = said.lines().find(|line| line.contains("captures opened"));
    line.map_or(usize::MAX, |line| {
        line.trim_start_matches("tracer: ").split(' ').next().unwrap().parse().unwrap()
    })
}

#[test]
fn answers_are_the_same_byte_for_byte_and_few_captures_are_opened() {
    const CAPTURES: u64 = 60;
    let folder = folder(CAPTURES);
    // Captures that nobody may leave closed: made from others, of another version, not finished.
    let all = text(&folder.path(""));
    let first = text(&folder.path("0001.trz"));
    printed(&["cut", &first, "-f", "comm=bash", "-o", &text(&folder.path("part.trz"))]);
    for fixture in ["format-v2.trz", "ls.trz"] {
        fs::copy(Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures").join(fixture), folder.path(fixture))
            .unwrap();
    }
    let bytes = fs::read(folder.path("0002.trz")).unwrap();
    fs::write(folder.path("short.trz"), &bytes[..bytes.len() - 40]).unwrap();
    let made = printed(&["catalog", &all]);
    assert!(made.contains("64 captures") && made.contains("64 read"), "{made}");

    let from = |seconds: u64| (WALL + seconds * 1_000_000_000).to_string();
    let (a, b) = (from(600), from(700));
    let questions: &[&[&str]] = &[
        &["-f", "comm=xmrig"],
        &["-f", "comm=nobody"],
        &["-f", "comm=python3,sshd"],
        &["-f", "comm!=bash"],
        &["-f", "comm=x*"],
        &["-f", "exe=/usr/bin/xmrig"],
        &["-f", "pid=1234"],
        &["-f", "pid>3500"],
        &["-f", "uid=1003", "-f", "openat.pathname=/srv/3/*"],
        &["-f", "openat.pathname=/srv/8/file5"],
        &["-f", "openat.retval<0"],
        &["-f", "host=host12"],
        &["-f", "host=host0", "-f", "comm=ls"],
        &["-f", "event=sched_process_exec"],
        &["-f", "event=net_packet_dns"],
        &["-f", "1:comm=xmrig", "-f", "2:pid=640"],
        &["-f", "tree=500"],
        &["-f", "follow", "-f", "comm=xmrig"],
        &["-f", "uid=root"],
        &["-f", "container"],
        &["-f", "comm=ls", "--from", &a, "--to", &b],
        &["--from", &a, "--to", &b],
        &["--from", "+5m", "--to", "+6m"],
        &["--from", "-3m"],
        &["--from", "#7", "--to", "#9"],
        &["-f", "comm=xmrig", "--limit", "1"],
        &["-f", "comm=xmrig", "--losses"],
        &["-f", "comm=xmrig", "--columns", "time,host,user,comm,args"],
        &["-f", "host=host0", "-f", "comm=ls", "--columns", "+user"],
        &["-f", "comm=xmrig", "--columns", "+parent,+ancestors"],
        &[],
    ];
    for question in questions {
        for format in ["json", "table-verbose", "table"] {
            let mut asked = vec!["replay", all.as_str(), "--utc", "-o", format];
            asked.extend(*question);
            let with = tracer(&asked);
            asked.push("--no-catalog");
            let without = tracer(&asked);
            assert_eq!(
                with.status,
                without.status,
                "{question:?}: {}",
                String::from_utf8_lossy(&with.stderr)
            );
            assert!(
                with.stdout == without.stdout,
                "{question:?}:\n{}\nwithout the catalogue:\n{}",
                String::from_utf8_lossy(&with.stdout),
                String::from_utf8_lossy(&without.stdout)
            );
        }
    }
    // What is rare opens little: the one that has it, those that say nothing, and one for what there is to know of all.
    let rare = opened(&all, &["-f", "comm=xmrig"]);
    assert!(rare <= 8, "{rare} captures opened");
    assert!(opened(&all, &["-f", "host=host12"]) <= 8);
    assert!(opened(&all, &["--from", &a, "--to", &b]) <= 12);
    assert_eq!(opened(&all, &["-f", "tree=500"]), usize::MAX, "who descends from whom is asked of all");
}

/// The same bytes with the catalogue and without it.
fn same_bytes(asked: &[&str]) -> Vec<u8> {
    let with = tracer(asked);
    let without = tracer(&[asked, &["--no-catalog"]].concat());
    let said = String::from_utf8_lossy(&with.stderr);
    assert_eq!(with.status, without.status, "{asked:?}: {said}");
    assert!(
        with.stdout == without.stdout,
        "{asked:?}:\n{}\nwithout the catalogue:\n{}",
        String::from_utf8_lossy(&with.stdout),
        String::from_utf8_lossy(&without.stdout)
    );
    with.stdout
}

/// Captures that are no captures any more in all but their beginning and their size: who opens one fails.
fn unreadable(folder: &Folder, names: impl Iterator<Item = String>) {
    for name in names {
        let path = folder.path(&name);
        let (bytes, modified) = (fs::read(&path).unwrap(), fs::metadata(&path).unwrap().modified().unwrap());
        let mut broken = bytes.clone();
        broken[16..].fill(0);
        fs::write(&path, broken).unwrap();
        fs::File::options().write(true).open(&path).unwrap().set_modified(modified).unwrap();
    }
}

#[test]
fn all_commands_that_ask_it_answer_as_without_it() {
    let folder = folder(60);
    let all = text(&folder.path(""));
    printed(&["catalog", &all]);
    let below = text(&folder.path("below"));
    let first = text(&folder.path("0001.trz"));
    let from = (WALL + 600 * 1_000_000_000).to_string();
    let questions: &[&[&str]] = &[
        &["-f", "comm=xmrig"],
        &["-f", "comm=nobody"],
        &["-f", "host=host0", "-f", "comm=ls"],
        &["-f", "host=host12"],
        &["-f", "uid=1004"],
        &["-f", "openat.pathname=/srv/8/file5"],
        &["-f", "comm=ls", "--from", &from],
        &[],
    ];
    for question in questions {
        let ask = |command: &[&str], more: &[&str]| same_bytes(&[command, &[&all], more, question].concat());
        ask(&["top"], &["--utc", "--by", "comm,host,user,file", "-o", "table"]);
        ask(&["top"], &["--utc", "--by", "event,directory,errno", "-o", "json"]);
        ask(&["tree"], &["--utc", "-o", "json"]);
        ask(&["export"], &["-q", "--to", "otlp-json"]);
    }
    for to in ["csv", "strace", "ecs", "ocsf", "timesketch", "sysmon"] {
        same_bytes(&["export", &all, "-q", "--to", to, "-f", "comm=xmrig"]);
    }
    for format in ["text", "dot"] {
        same_bytes(&["tree", &all, "--utc", "-o", format, "-f", "comm=xmrig"]);
    }
    for question in [&["-f", "host=host12"][..], &["-f", "host=host0"], &["-f", "comm=xmrig"], &[]] {
        for command in ["ps", "lsof"] {
            for at in [&[][..], &["--at", "+7m"], &["--at", "#9"]] {
                same_bytes(&[&[command, &all, "--utc", "-o", "json"], at, question].concat());
            }
        }
    }
    let tree = ["tree", &all, "--utc"];
    for more in
        [&["--of", "comm=xmrig"][..], &["--all", "-f", "comm=xmrig"], &["--pid", "500", "-f", "comm=xmrig"]]
    {
        same_bytes(&[&tree, more].concat());
    }
    // Rows of one time come in the order in which captures are named.
    for named in [[&below, &all, &first], [&first, &all, &below]] {
        let named = named.map(String::as_str);
        let rows =
            same_bytes(&[&["replay", "--utc", "-o", "json", "-f", "comm=xmrig,ls"], &named[..]].concat());
        assert!(!rows.is_empty());
    }
    // What is ruled out is not opened.
    let (xmrig, host12) = (["-f", "comm=xmrig"], ["-f", "host=host12"]);
    let questions: [(&[&str], &[&str]); 5] = [
        (&["top", "--utc", "-o", "csv"], &xmrig),
        (&["export", "-q", "--to", "csv"], &xmrig),
        (&["tree", "--utc"], &xmrig),
        (&["ps", "--utc", "-o", "json"], &host12),
        (&["replay", "--utc", "-o", "json"], &xmrig),
    ];
    let ask = |(command, filters): &(&[&str], &[&str])| tracer(&[*command, &[&all], *filters].concat());
    let before: Vec<Vec<u8>> = questions.iter().map(|question| ask(question).stdout).collect();
    assert!(before.iter().all(|rows| rows.len() > 20), "{before:?}");
    unreadable(
        &folder,
        (33u32..57)
            .filter(|it| !it.is_multiple_of(6) && !it.is_multiple_of(10))
            .map(|it| format!("{it:04}.trz")),
    );
    for (question, before) in questions.iter().zip(before) {
        let after = ask(question);
        assert!(
            after.status.success() && after.stdout == before,
            "{question:?}: {}",
            String::from_utf8_lossy(&after.stderr)
        );
    }
    assert_eq!(
        tracer(&["top", &all, "-o", "csv", "-f", "comm=xmrig", "--no-catalog"]).status.code(),
        Some(2)
    );
}

#[test]
fn only_a_catalogue_that_the_key_has_signed_is_asked_where_it_must_verify() {
    let folder = folder(20);
    let all = text(&folder.path(""));
    let keys = Folder::new();
    let (key, other) = (text(&keys.path("key")), text(&keys.path("other")));
    printed(&["keygen", &key]);
    printed(&["keygen", &other]);
    let (public, others) = (format!("{key}.pub"), format!("{other}.pub"));
    printed(&["catalog", &all, "--sign-key", &key]);
    assert!(printed(&["catalog", &all, "--check"]).contains("signed by tracer-public-key-1:"));
    let ask = |more: &[&str]| {
        let output = tracer(&[&["replay", &all, "--count", "--stats", "-f", "comm=xmrig"], more].concat());
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(output.status.success(), "{more:?}: {said}");
        (String::from_utf8_lossy(&output.stdout).trim().to_owned(), said.contains("not opened"), said)
    };
    let count = ask(&["--no-catalog"]).0;
    assert_ne!(count, "0");
    let is_asked = |more: &[&str]| {
        let (found, is_asked, said) = ask(more);
        assert_eq!(found, count, "{more:?}: {said}");
        (is_asked, said)
    };
    assert!(is_asked(&[]).0);
    assert!(is_asked(&["--catalog-key", &public]).0);
    // Captures that are opened are verified, too, and without a key no catalogue says which.
    let (verified, said) = is_asked(&["--verify", "--catalog-key", &public]);
    assert!(verified && said.contains("verified"), "{said}");
    assert!(!is_asked(&["--verify"]).0);
    let (is_others, said) = is_asked(&["--catalog-key", &others]);
    assert!(!is_others && said.contains("another key has signed it"), "{said}");
    // Whoever takes a capture away is found by who signed.
    let path = folder.path("0005.trz");
    let bytes = fs::read(&path).unwrap();
    fs::remove_file(&path).unwrap();
    let (_, said) = is_asked(&["--catalog-key", &public]);
    assert!(said.contains("1 captures of the catalogue are gone") && said.contains("0005.trz"), "{said}");
    fs::write(&path, bytes).unwrap();
    // A row that hides a capture is believed without a key, and not with one.
    let file = folder.path(catalog::FILE);
    let mut lying = catalog::read(&file, None).unwrap();
    let at = lying.iter().position(|row| row.path == "0017.trz").unwrap();
    let innocent = lying.iter().find(|row| !row.comms.iter().any(|comm| comm == "xmrig")).unwrap().clone();
    lying[at].statistics.clone_from(&innocent.statistics);
    fs::write(&file, catalog::write(Vec::new(), &lying).unwrap()).unwrap();
    assert_eq!(ask(&[]).0, "0", "the row says that there is none");
    let (is_lie, said) = is_asked(&["--catalog-key", &public]);
    assert!(!is_lie && said.contains("its signature is not of this catalogue"), "{said}");
    // Made anew without a key, it is signed by nobody.
    let made = tracer(&["catalog", &all, "--rebuild"]);
    assert!(String::from_utf8_lossy(&made.stderr).contains("is no longer: --sign-key signs it"));
    let (is_unsigned, said) = is_asked(&["--catalog-key", &public]);
    assert!(!is_unsigned && said.contains("nobody has signed it"), "{said}");
    assert!(is_asked(&[]).0);
}

#[test]
fn a_capture_that_is_new_or_changed_is_opened_and_only_those_are_read_again() {
    let folder = folder(12);
    let all = text(&folder.path(""));
    printed(&["catalog", &all]);
    let count = || printed(&["replay", &all, "--count", "-f", "comm=id"]).trim().parse::<usize>().unwrap();
    let before = count();
    // A new one, one that was replaced, one that is gone.
    folder.capture("new.trz", id_and_ls());
    let of_new: usize = printed(&["replay", &text(&folder.path("new.trz")), "--count", "-f", "comm=id"])
        .trim()
        .parse()
        .unwrap();
    assert_eq!(count(), before + of_new);
    let path = folder.path("0003.trz");
    let of_old: usize =
        printed(&["replay", &text(&path), "--count", "-f", "comm=id"]).trim().parse().unwrap();
    folder.capture("0003.trz", id_and_ls());
    assert_eq!(count(), before - of_old + 2 * of_new);
    let gone = folder.path("0005.trz");
    let of_gone: usize =
        printed(&["replay", &text(&gone), "--count", "-f", "comm=id"]).trim().parse().unwrap();
    fs::remove_file(gone).unwrap();
    assert_eq!(count(), before - of_old - of_gone + 2 * of_new);
    let made = printed(&["catalog", &all]);
    assert!(made.contains("12 captures") && made.contains("2 read, 10 as they were, 1 gone"), "{made}");
    assert_eq!(count(), before - of_old - of_gone + 2 * of_new);
    assert_eq!(printed(&["catalog", &all]).matches("0 read, 12 as they were").count(), 1);
}

#[test]
fn a_row_that_lies_is_found_and_a_catalogue_that_does_not_read_hides_nothing() {
    let folder = folder(8);
    let all = text(&folder.path(""));
    printed(&["catalog", &all]);
    let path = folder.path(catalog::FILE);
    let rows = catalog::read(&path, None).unwrap();
    assert_eq!(rows.len(), 8);
    assert!(
        rows.iter().all(|row| row.state == "finished" && row.head.is_some() && row.events > 0),
        "{rows:?}"
    );
    let said_of = |arguments: &[&str]| {
        let output = tracer(arguments);
        (output.status.code(), String::from_utf8_lossy(&output.stdout).into_owned())
    };
    assert_eq!(said_of(&["catalog", &all, "--check"]).0, Some(0));
    let mut lying: Vec<Row> = rows.clone();
    lying[2].statistics.clone_from(&rows[3].statistics);
    let write = |rows: &[Row]| fs::write(&path, catalog::write(Vec::new(), rows).unwrap()).unwrap();
    write(&lying);
    let (code, said_of_lie) = said_of(&["catalog", &all, "--check"]);
    assert!(code == Some(1) && said_of_lie.contains(&rows[2].path), "{code:?} {said_of_lie}");
    // One that leads out of the folder is of nothing.
    let mut leading = rows.clone();
    leading[0].path = "../elsewhere.trz".into();
    write(&leading);
    let count = printed(&["replay", &all, "--count", "--no-catalog", "-f", "comm=ls"]);
    assert_eq!(printed(&["replay", &all, "--count", "-f", "comm=ls"]), count);
    let bytes = fs::read(&path).unwrap();
    for damaged in [&b"PAR1 no catalogue PAR1"[..], &bytes[..bytes.len() / 2], b""] {
        fs::write(&path, damaged).unwrap();
        assert_eq!(printed(&["replay", &all, "--count", "-f", "comm=ls"]), count);
        let warned = said(&["replay", &all, "--count", "-f", "comm=ls"]);
        assert!(warned.contains("all captures are opened"), "{warned}");
    }
    // Any byte may be another: an answer, or a word that the catalogue does not read; never a panic.
    for at in (0..bytes.len()).step_by(bytes.len() / 40) {
        let mut broken = bytes.clone();
        broken[at] ^= 0x41;
        fs::write(&path, &broken).unwrap();
        let output = tracer(&["replay", &all, "--count", "-f", "comm=nobody"]);
        let error = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.code().is_some() && !error.contains("panicked"), "byte {at}: {error}");
    }
    assert_eq!(printed(&["catalog", &all]).matches("8 captures").count(), 1);
    assert_eq!(said_of(&["catalog", &all, "--check"]).0, Some(0));
}
