//! Conditions that become filters give the rows that they give as conditions, and read as few blocks as `replay` does.

mod support;

use std::sync::Arc;

use datafusion::datasource::MemTable;
use datafusion::prelude::SessionContext;
use events::{Marks, Raw};
use support::synthetic::{Event, Made, process};
use support::{Numbers, answer, blocks_read, busy, lines, number, replayed, save, tables};

const RARE_PATH: &str = "/srv/rare/needle";

fn address(last: u8, port: u16) -> Vec<u8> {
    [&[2, 0][..], &port.to_be_bytes(), &[10, 0, 0, last], &[0; 8]].concat()
}

/// Files, connections and results of many kinds: also such as filters and columns might see otherwise.
fn odd(seed: u64, rows: u64) -> Made {
    let mut made = busy("web1", seed, rows, 100, false);
    let mut numbers = Numbers(seed ^ 77);
    let paths: [&[u8]; 8] = [
        b"/etc/passwd",
        b"/etc/shadow",
        b"",
        b"relative",
        b".../etc/passwd",
        b"/tmp/a,b*c",
        b"/tmp/\xff\xfe",
        b" /blank ",
    ];
    for at in 0..rows {
        let context = process(700 + numbers.below(5) as u32, 1, 0, "sh", "/bin/sh");
        let path = paths[numbers.below(paths.len() as u64) as usize];
        let other = paths[numbers.below(paths.len() as u64) as usize];
        let (near, far) = (
            address(numbers.below(4) as u8, 80 + numbers.below(2) as u16),
            address(numbers.below(4) as u8, 443 + numbers.below(2) as u16),
        );
        let fd = [&3u64.to_le_bytes()[..], b"tcp 10.0.0.1:4242->10.0.0.2:443"].concat();
        let ret = [-13, -2, 0, 7, 4096, -5000][numbers.below(6) as usize];
        let marks = if numbers.below(9) == 0 { Marks::UNFINISHED } else { 0 };
        let mut push = |name: &'static str, args: &[(&str, Raw<'_>)]| {
            let at = rows * 1_000_000 + at * 1_000;
            made.push(&Event { at, name, context, ret, scopes: 1, marks: Marks(marks), args });
        };
        let flags = ("flags", Raw::Number(numbers.below(3)));
        match numbers.below(9) {
            0 => push("openat", &[("pathname", Raw::Bytes(path)), flags]),
            1 => push("unlink", &[("pathname", Raw::Bytes(path))]),
            2 => push("rename", &[("oldpath", Raw::Bytes(path)), ("newpath", Raw::Bytes(other))]),
            3 => push("security_file_open", &[("pathname", Raw::Bytes(path)), flags]),
            4 => push("bind", &[("sockfd", Raw::Number(3)), ("addr", Raw::Bytes(&near))]),
            5 => push("connect", &[("sockfd", Raw::Number(3)), ("addr", Raw::Bytes(&far))]),
            6 => push(
                "inet_sock_set_state",
                &[("local_addr", Raw::Bytes(&near)), ("remote_addr", Raw::Bytes(&far))],
            ),
            7 => push("write", &[("fd", Raw::Bytes(&fd))]),
            _ => push("symlink", &[("target", Raw::Bytes(path)), ("linkpath", Raw::Bytes(other))]),
        }
    }
    made
}

/// One that holds for some of these rows.
fn condition(numbers: &mut Numbers, depth: u32) -> String {
    fn one<'a>(numbers: &mut Numbers, all: &[&'a str]) -> &'a str {
        all[numbers.below(all.len() as u64) as usize]
    }
    if depth > 0 && numbers.below(2) == 0 {
        let (a, b) = (condition(numbers, depth - 1), condition(numbers, depth - 1));
        return match numbers.below(5) {
            0 => format!("({a} or {b})"),
            1 => format!("not ({a} and {b})"),
            _ => format!("({a} and {b})"),
        };
    }
    let text = [
        "/etc/passwd",
        "/etc/shadow",
        "relative",
        ".../etc/passwd",
        "/tmp/a,b*c",
        " /blank ",
        "",
        "/tmp/a b",
        "10",
    ];
    let like = ["/etc/%", "%passwd", "%a,b*%", "/tmp/%", "%/%", "_tmp%", "%"];
    let events = ["openat", "connect", "unlink", "rename", "bind", "write", "read", "symlink", "nosuch"];
    let number = ["-13", "-2", "0", "7", "65", "4096", "-5000", "1"];
    let order = ["=", "<", ">", "<=", ">=", "<>"];
    let addresses = ["10.0.0.1", "10.0.0.2", "10.0.0.3", "::1", "none"];
    let (column, other) = (
        one(numbers, &["pathname", "path2"]),
        one(numbers, &["flags", "mode", "retval", "bytes", "remote_port"]),
    );
    match numbers.below(11) {
        0 | 1 => format!("{column} = '{}'", one(numbers, &text)),
        2 => format!(
            "{column} in ('{}', '{}', '{}', 'x', 'y')",
            one(numbers, &text),
            one(numbers, &text),
            one(numbers, &text)
        ),
        3 => format!("{column} like '{}'", one(numbers, &like)),
        4 => format!("{column} {} '{}'", one(numbers, &order), one(numbers, &text)),
        5 => format!("{other} {} {}", one(numbers, &order), one(numbers, &number)),
        6 => format!("retval between {} and {}", one(numbers, &number), one(numbers, &number)),
        7 => format!("remote_addr = '{}'", one(numbers, &addresses)),
        8 => format!("remote_addr like '{}'", one(numbers, &["10.0.%", "10.0.0.1%", "%.1", "1%"])),
        9 => format!("remote_port in ({}, 443)", one(numbers, &["80", "444", "0", "99999"])),
        _ => format!("event in ('{}', '{}')", one(numbers, &events), one(numbers, &events)),
    }
}

#[tokio::test]
async fn conditions_give_the_same_rows_whether_they_become_filters_or_not() {
    let folder = tempfile::tempdir().expect("a folder");
    let file = save(odd(3, 1_500), &folder.path().join("a.trz"));
    let (session, _) = tables(&[file], &[], 2);
    let (batches, _) = answer(&session, "select * from events").await;
    let plain = SessionContext::new();
    let table = MemTable::try_new(batches[0].schema(), vec![batches]).expect("a table");
    plain.register_table("events", Arc::new(table)).expect("it is the first");
    // What a call returned that has not, nobody knows.
    assert!(number(&session, "select count(*) from events where retval is null").await > 10);
    let (mut numbers, mut with_rows) = (Numbers(11), 0);
    let mut conditions: Vec<String> = (0..250).map(|_| condition(&mut numbers, 2)).collect();
    conditions.extend((0..100).map(|_| {
        let parts = [condition(&mut numbers, 0), condition(&mut numbers, 0), condition(&mut numbers, 1)];
        parts.join(" and ")
    }));
    for condition in conditions {
        let query = format!(
            "select time, event, retval, pathname, path2, remote_addr, remote_port, flags from events where {condition}"
        );
        let ours = lines(&answer(&session, &query).await.0);
        let theirs = lines(&answer(&plain, &query).await.0);
        assert!(ours == theirs, "{query}: {} rows and {} without filters", ours.len(), theirs.len());
        with_rows += usize::from(!ours.is_empty());
    }
    assert!(with_rows > 150, "{with_rows} of them had rows");
}

#[tokio::test]
async fn conditions_on_arguments_read_as_few_blocks_as_replay() {
    let folder = tempfile::tempdir().expect("a folder");
    let mut made = busy("web1", 5, 20_000, 500, false);
    let context = process(900, 1, 0, "sh", "/bin/sh");
    let args = [("pathname", Raw::Bytes(RARE_PATH.as_bytes()))];
    for (at, ret) in [(0, 3), (1, -9)] {
        let at = 20_000 * 1_000_000 + at;
        made.push(&Event { at, name: "openat", context, ret, scopes: 1, marks: Marks(0), args: &args });
    }
    let file = save(made, &folder.path().join("a.trz"));
    let (session, opened) = tables(&[file], &[], 2);
    for (condition, filters) in [
        ("pathname = '/srv/rare/needle'", &["openat.pathname=/srv/rare/needle"][..]),
        ("pathname in ('/srv/rare/needle', '/srv/none')", &["openat.pathname=/srv/rare/needle,/srv/none"]),
        ("pathname like '/srv/rare/%'", &["openat.pathname=/srv/rare/*"]),
        ("pathname like '%needle%' and event = 'openat'", &["openat.pathname=*needle*"]),
        ("pathname = '/srv/none'", &["openat.pathname=/srv/none"]),
        (
            "pathname = '/srv/rare/needle' and retval < 0",
            &["openat.pathname=/srv/rare/needle", "openat.retval<0"],
        ),
        ("event = 'openat' and retval < -4095", &["openat.retval<-4095"]),
        ("event = 'read' and retval < 0", &["read.retval<0"]),
        ("comm = 'sh' and pathname like '/etc/%'", &["comm=sh", "openat.pathname=/etc/*"]),
    ] {
        let (_, read) = replayed(&opened.source, filters);
        assert!(read < 41, "{condition} reads all {read} blocks");
        for columns in ["count(*)", "count(comm)"] {
            let query = format!("select {columns} from events where {condition}");
            let (batches, plan) = answer(&session, &query).await;
            assert_eq!(blocks_read(&plan), (read as usize, 41), "{query}");
            let expected = match condition {
                it if it.contains("needle") && it.contains("retval") => Some("1"),
                it if it.contains("needle") || it.contains("rare") => Some("2"),
                _ => None,
            };
            expected.into_iter().for_each(|count| assert_eq!(lines(&batches), [count], "{query}"));
        }
    }
}
