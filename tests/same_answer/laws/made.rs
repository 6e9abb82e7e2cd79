//! Captures that other tools make of captures.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use serde_json::Value;

use super::parts::times;
use crate::case::{Case, ask, with};
use crate::program::{printed, tracer};
use crate::random::Random;
use crate::rows::{assert_part, assert_same, timestamp};

/// What is not redacted stays, row for row; equal values stay equal; what is, is nowhere.
pub fn redact(case: &Case, random: &mut Random) {
    let (out, all) = (case.path("redacted.trz"), ["event=*".to_owned()]);
    let rule = *random.of(&["paths", "argv", "addresses", "comm", "data", "hosts", "users", "containers"]);
    let how = *random.of(&["--hash", "--drop"]);
    printed(&["redact", case.one(), "-o", &out, how, rule, "--allow-unused", "--allow-leftovers"]);
    case.verify(&out);
    // Packets are dropped where addresses, data or hosts are, and what is derived from them goes with them; behaviours are
    // derived from names.
    let facts = |file: &str| -> String {
        let facts = |line: &str| {
            let row: Value = serde_json::from_str(line).expect("a row is JSON");
            let name = row["eventName"].as_str().expect("an event").to_owned();
            let fact = |member: &str| row[member].to_string();
            let facts =
                ["timestamp", "processId", "threadId", "userId", "returnValue", "cgroupId", "duration"]
                    .map(fact);
            let is_derived = events::catalogue::by_name(&name).is_some_and(events::Event::is_derived);
            (!is_derived).then(|| format!("{name} {}\n", facts.join(" ")))
        };
        ask(&[file], &all, &[]).lines().filter_map(facts).collect()
    };
    assert_same(&facts(&out), &facts(case.one()), &format!("redact {how} {rule}, {:?}", case.shape));
    let bytes = fs::read(&out).expect("a capture");
    let words: &[&str] = match rule {
        "paths" => &["/etc/passwd", "notes.txt", "libc.so"],
        "argv" => &["--token=hunter2"],
        "addresses" => &["10.1.2.3"],
        "comm" => &["\"cc1\"", "\"python3\""],
        "data" => &["password=hunter2"],
        "users" => &["alice"],
        "containers" => &["pinger"],
        _ => &["db.internal", "web0"],
    };
    let rows = ask(&[&out], &all, &[]);
    for word in words {
        let is_there = rows.contains(word) || bytes.windows(word.len()).any(|part| part == word.as_bytes());
        // A host's name may be that of another; a path or a user's name stands in arguments that no rule is about.
        let may_stay = rule == "users" || (case.one().contains("fixtures") && rule != "comm");
        assert!(!is_there || may_stay, "redact {how} {rule}: {word} is still there, {:?}", case.shape);
    }
    // Equal names have equal hashes: each name is asked for by its hash.
    if how == "--hash" && rule == "comm" {
        let names = |file: &str| -> Vec<String> {
            let name = |line: &str| serde_json::from_str::<Value>(line).expect("JSON")["processName"].clone();
            ask(&[file], &["pid>=0".into()], &[]).lines().map(|line| name(line).to_string()).collect()
        };
        let (before, after) = (names(case.one()), names(&out));
        for (one, hash) in before.iter().zip(&after) {
            let count = |names: &[String], name: &String| names.iter().filter(|other| *other == name).count();
            assert_eq!(count(&before, one), count(&after, hash), "{one} became {hash}, {:?}", case.shape);
        }
    }
}

/// A log of JSON lines comes back as the same lines, and answers the same.
pub fn import(case: &Case, _: &mut Random) {
    let (log, out) = (case.path("log.json"), case.path("imported.trz"));
    let all = ["event=*".to_owned()];
    let rows = ask(&[case.one()], &all, &[]);
    fs::write(&log, &rows).expect("a folder");
    let imported = tracer(&["import", &log, "-o", &out]);
    if rows.is_empty() {
        return assert_eq!(imported.status.code(), Some(2), "an empty log");
    }
    assert!(imported.status.success(), "{}", String::from_utf8_lossy(&imported.stderr));
    case.verify(&out);
    assert_same(&ask(&[&out], &all, &[]), &rows, &format!("import, {:?}", case.shape));
    // A log says nothing of processes that were there before, of users' names, and of what only the capture knows.
    let is_said = |filter: &String| {
        ![
            "tree",
            "follow",
            "uid",
            "binary",
            "container",
            "write.fd",
            "!",
            "cut",
            "write.buf",
            "file",
            "peer",
            "write.file",
            "connect.peer",
        ]
        .iter()
        .any(|start| filter.starts_with(start))
    };
    // A scope without events has no derived ones; a log does not tell which are.
    let is_of_events = case.filters.iter().any(|filter| filter.starts_with("event="));
    if is_of_events && case.filters.iter().all(is_said) {
        let expected = ask(&[case.one()], &case.filters, &[]);
        assert_same(&ask(&[&out], &case.filters, &[]), &expected, &format!("import, {}", case.told()));
    }
}

/// What is encrypted answers the same, whole and torn.
pub fn encryption(case: &Case, random: &mut Random) {
    const IDENTITY: &str = "AGE-SECRET-KEY-1GFPYYSJZGFPYYSJZGFPYYSJZGFPYYSJZGFPYYSJZGFPYYSJZGFPQ4EGAEX";
    let identity = case.path("identity");
    fs::write(&identity, IDENTITY).expect("a folder");
    fs::set_permissions(&identity, fs::Permissions::from_mode(0o600)).expect("an own file");
    let recipient = "age1zvkyg2lqzraa2lnjvqej32nkuu0ues2s82hzrye869xeexvn73equnujwj";
    let (out, torn) = (case.path("encrypted.trz"), case.path("encrypted-torn.trz"));
    printed(&["cut", case.one(), "-o", &out, "--encrypt-to", recipient]);
    let expected = ask(&[case.one()], &case.filters, &[]);
    assert_same(
        &ask(&[&out], &case.filters, &["--identity", &identity]),
        &expected,
        &format!("encrypted, {}", case.told()),
    );
    assert!(printed(&["verify", "--identity", &identity, &out]).contains(": good"));
    let bytes = fs::read(&out).expect("a capture");
    let end = random.below(bytes.len() as u64) as usize;
    fs::write(&torn, &bytes[..end]).expect("a folder");
    let output =
        tracer(&with(&["replay", "-q", "-o", "json", "--identity", &identity, &torn], &case.filters));
    if case.is_of_rows() && output.status.success() {
        let rows = String::from_utf8_lossy(&output.stdout).into_owned();
        assert_part(&rows, &expected, &format!("encrypted and cut off at {end}, {}", case.told()));
    }
}

/// What was recorded with filters is asked with these when nobody gives others, also when it was cut or recovered.
pub fn recorded(case: &Case, random: &mut Random) {
    let (out, part, clean) =
        (case.path("asked.trz"), case.path("asked-part.trz"), case.path("asked-clean.trz"));
    let Some(made) = crate::recorded::with_masks(Path::new(case.one()), &case.filters) else { return };
    fs::write(&out, made).expect("a folder");
    let expected = ask(&[case.one()], &case.filters, &[]);
    let what = format!("recorded with {}", case.told());
    assert_same(&ask(&[&out], &[], &[]), &expected, &what);
    printed(&["recover", &out, "-o", &clean]);
    assert_same(&ask(&[&clean], &[], &[]), &expected, &format!("{what}, recovered"));
    let [from, _] = times(case, random);
    printed(&["cut", &out, "-o", &part, "--from", &from.to_string()]);
    let later: String = expected.split_inclusive('\n').filter(|line| timestamp(line) >= from).collect();
    if case.is_of_rows() {
        assert_same(&ask(&[&part], &[], &[]), &later, &format!("{what}, cut from {from}"));
    }
}
