//! `tracer top`: sums against those of this test, made from the JSON of every row.

mod program;

use std::collections::BTreeMap;

use program::{Folder, event, printed, said, synthetic, tracer};
use synthetic::{Event, Made, busy, process};

use events::Raw;

type Group = (u64, u64, u64, i64, i64);

/// The groups by name, as another program adds them up.
fn naive(
    file: &str,
    filters: &[&str],
    name: impl Fn(&serde_json::Value) -> Option<String>,
) -> BTreeMap<String, Group> {
    let mut arguments = vec!["replay", file, "-o", "json"];
    filters.iter().for_each(|filter| arguments.extend(["-f", filter]));
    let mut groups: BTreeMap<String, Group> = BTreeMap::new();
    for line in printed(&arguments).lines() {
        let row: serde_json::Value = serde_json::from_str(line).expect("JSON");
        let Some(name) = name(&row) else { continue };
        let (ret, time) = (row["returnValue"].as_i64().unwrap(), row["timestamp"].as_i64().unwrap());
        let group = groups.entry(name).or_insert((0, 0, 0, i64::MAX, i64::MIN));
        let moves = matches!(row["eventName"].as_str(), Some("read" | "write"));
        group.0 += 1;
        group.1 += u64::from(row["syscall"] != "" && ret < 0);
        group.2 += if moves && ret > 0 { ret as u64 } else { 0 };
        group.3 = group.3.min(time);
        group.4 = group.4.max(time);
    }
    groups
}

fn top(file: &str, filters: &[&str], by: &str) -> BTreeMap<String, Group> {
    let mut arguments = vec!["top", file, "-o", "json", "--limit", "100000", "--by", by];
    filters.iter().for_each(|filter| arguments.extend(["-f", filter]));
    let mut groups = BTreeMap::new();
    let mut counts = Vec::new();
    for line in printed(&arguments).lines() {
        let row: serde_json::Value = serde_json::from_str(line).expect("JSON");
        let number = |key: &str| row[key].as_u64().unwrap_or_else(|| panic!("{key} in {line}"));
        let time = |key: &str| row[key].as_i64().unwrap();
        assert_eq!(row["by"], by);
        counts.push(number("events"));
        let group = (number("events"), number("failures"), number("bytes"), time("first"), time("last"));
        assert_eq!(
            groups.insert(row["name"].as_str().unwrap().to_owned(), group),
            None,
            "{line} is there twice"
        );
    }
    assert!(counts.is_sorted_by(|a, b| a >= b), "the most come first");
    groups
}

fn text(row: &serde_json::Value, key: &str) -> Option<String> {
    row[key].as_str().map(str::to_owned)
}

fn path(row: &serde_json::Value) -> Option<String> {
    let args = row["args"].as_array()?;
    text(
        args.iter().find(|arg| arg["name"] == "pathname" && arg["value"] != serde_json::Value::Null)?,
        "value",
    )
}

#[test]
fn sums_are_those_of_another_program_over_the_json() {
    let folder = Folder::new();
    let file = folder.capture("busy.trz", busy(4_000, 500));
    for filters in [&[][..], &["comm=cc1,as"], &["3:openat.retval<0", "5:event=read"]] {
        let same = |by: &str, name: &dyn Fn(&serde_json::Value) -> Option<String>| {
            assert_eq!(top(&file, filters, by), naive(&file, filters, name), "by {by} of {filters:?}");
        };
        same("comm", &|row| text(row, "processName"));
        same("event", &|row| text(row, "eventName"));
        same("binary", &|row| text(&row["executable"], "path"));
        same("user", &|row| Some(row["userId"].to_string()));
        same("host", &|row| text(row, "host"));
        same("file", &path);
        same("directory", &|row| path(row).and_then(|it| Some(it.rsplit_once('/')?.0.to_owned())));
        same("syscall", &|row| text(row, "syscall").filter(|call| !call.is_empty()));
        same("errno", &|row| (row["returnValue"] == -2).then(|| "ENOENT".to_owned()));
    }
}

/// Reads of a file and of a socket, a connect, and closes in a container.
fn mixed() -> Made {
    let mut made = Made::new();
    made.sides.push(synthetic::container());
    let shell = process(500, 1, 1000, "bash", "/usr/bin/bash");
    let inside = events::Context { cgroup_id: synthetic::CONTAINER_CGROUP, ..shell };
    let fd = |text: &str| [&3u64.to_le_bytes()[..], text.as_bytes()].concat();
    let (passwd, tcp) = (fd("/etc/passwd"), fd("tcp 10.0.0.1:4242->10.0.0.2:443"));
    for (at, value, ret) in [(1, &passwd, 100), (2, &tcp, 1000), (3, &tcp, -11), (4, &passwd, 28)] {
        let args = [("fd", Raw::Bytes(value))];
        made.push(&Event { ret, ..event(at * 1_000_000, "read", shell, &args) });
    }
    let mut address = vec![2, 0, 1, 187, 10, 0, 0, 9];
    address.resize(16, 0);
    made.push(&Event {
        ret: -111,
        ..event(5_000_000, "connect", inside, &[("sockfd", Raw::Number(3)), ("addr", Raw::Bytes(&address))])
    });
    made.push(&event(6_000_000, "close", inside, &[("fd", Raw::Number(3))]));
    made
}

#[test]
fn files_peers_and_containers_are_named_as_users_know_them() {
    let folder = Folder::new();
    let file = folder.capture("mixed.trz", mixed());
    let table = |by: &str| printed(&["top", &file, "--utc", "--by", by]);
    insta::assert_snapshot!(
        "top_mixed",
        ["file", "directory", "peer", "container", "errno"].map(table).join("\n")
    );
    insta::assert_snapshot!(
        "top_csv",
        printed(&["top", &file, "--by", "comm,event", "--limit", "2", "-o", "csv"])
    );
}

#[test]
fn what_is_not_shown_is_said_and_what_is_no_group_is_refused() {
    let folder = Folder::new();
    let file = folder.capture("mixed.trz", mixed());
    assert!(said(&["top", &file, "--by", "event", "--limit", "1"]).contains("1 of 3 groups by event"));
    let wrong = tracer(&["top", &file, "--by", "colour"]);
    assert_eq!(wrong.status.code(), Some(2));
    assert!(String::from_utf8_lossy(&wrong.stderr).contains("groups are comm, event"));
    let first = printed(&["top", &file, "--by", "event", "--sort", "bytes", "--limit", "1", "-o", "csv"]);
    assert!(first.lines().nth(1).is_some_and(|line| line.starts_with("event,\"read\",4,1,1128,")), "{first}");
}
