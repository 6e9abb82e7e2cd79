//! Rules that are asked of what is derived: lines of logs, messages to audit, DNS and HTTP.

#[path = "../../replay/tests/synthetic/mod.rs"]
mod synthetic;

use events::{Marks, Raw};
use format::Capture;
use pipeline::Source;
use rules::scan::{Asking, Scan};
use rules::{Corpus, Readers};
use synthetic::{Event, Made, process};

/// An event, its result, and its arguments.
type Row<'a> = (&'static str, i64, Vec<(&'static str, Raw<'a>)>);

/// Rules of some files, each with its name.
fn rules(files: &[(&str, &str)]) -> Corpus {
    let mut readers = Readers::default();
    files.iter().for_each(|(name, text)| readers.add(name, text, true));
    let corpus = readers.finish();
    assert!(corpus.diagnostics.is_empty(), "{:?}", corpus.diagnostics);
    corpus
}

/// What rules find: `rule at ns: value that decided`, in order.
fn found(files: &[&str], rows: &[Row<'_>]) -> Vec<String> {
    let files: Vec<(&str, &str)> = files.iter().map(|text| ("rules.yml", *text)).collect();
    found_in(&files, rows)
}

fn found_in(files: &[(&str, &str)], rows: &[Row<'_>]) -> Vec<String> {
    let mut made = Made::new();
    for (at, (name, ret, args)) in (1u64..).zip(rows) {
        let context = process(100, 1, 1000, "x", "/usr/sbin/x");
        made.push(&Event { at, name, context, ret: *ret, scopes: 1, marks: Marks(0), args });
    }
    let source = Source::new(vec![("made".into(), Capture::from_bytes(made.bytes()).expect("a capture"))]);
    let corpus = rules(files);
    let scan = Scan::new(&corpus.rules, &source);
    assert!(scan.unanswerable().is_empty(), "{:?}", scan.unanswerable());
    let mut all = Vec::new();
    let mut see = |finding: rules::finding::Finding| {
        let values = finding.events.iter().flat_map(|event| &event.deciding).map(|it| it.value.as_str());
        let values: Vec<&str> = values.collect();
        all.push(format!("{}: {}", corpus.rules[finding.rule].title, values.join(", ")));
    };
    scan.run(Asking { threads: 2, ..Asking::default() }, &mut see).expect("a scan");
    all
}

fn fd(stands_for: &str) -> Vec<u8> {
    [&3u64.to_le_bytes(), stands_for.as_bytes()].concat()
}

fn sent<'a>(to: &'a [u8], what: &'a [u8]) -> Row<'a> {
    ("sendto", what.len() as i64, vec![("sockfd", Raw::Bytes(to)), ("buf", Raw::Bytes(what))])
}

const LOGS: &str = "
title: Guessing
logsource: {product: linux, service: sshd}
detection:
  words: ['Failed password for']
  condition: words
---
title: Sudo to root
logsource: {product: linux, service: sudo}
detection:
  selection: {USER: root}
  condition: selection
---
title: Any log
logsource: {product: linux, service: syslog}
detection:
  words: ['segfault']
  condition: words
";

const OWN: &str = "
rule: own
title: Own
when: {event: log_message, where: ['severity=crit,alert', 'text=*fire*']}
";

#[test]
fn lines_of_logs_are_asked_by_their_service() {
    let log = fd("unix ->/dev/log");
    let (failed, other) = (
        &b"<38>Nov 29 06:12:01 sshd[812]: Failed password for root from 10.0.0.9"[..],
        &b"<38>Nov 29 06:12:01 vsftpd[812]: Failed password for root"[..],
    );
    let (session, sudo) = (
        &b"<86>sshd-session[9]: Failed password for eve"[..],
        &b"<85>sudo: eve : TTY=pts/0 ; PWD=/ ; USER=root ; COMMAND=/bin/sh"[..],
    );
    let rows = [
        sent(&log, failed),
        sent(&log, other),
        sent(&log, session),
        sent(&log, sudo),
        sent(&log, b"<85>sudo: eve : PWD=/ ; USER=rootless ; COMMAND=/bin/sh"),
        sent(&log, b"<26>app: on fire"),
        sent(&log, b"<30>app: on fire"),
        sent(&log, b"<26>kernel: app[1]: segfault at 0"),
    ];
    assert_eq!(
        found(&[LOGS, OWN], &rows),
        [
            "Guessing: sshd, Failed password for root from 10.0.0.9",
            "Guessing: sshd-session, Failed password for eve",
            "Sudo to root: sudo, root",
            "Own: crit, on fire",
            "Any log: app[1]: segfault at 0",
        ]
    );
}

/// A rule in TOML, of EQL or KQL.
fn elastic(kind: &str, query: &str) -> String {
    format!(
        "[rule]\nname = \"{kind}\"\nrule_id = \"{kind}\"\nrisk_score = 47\nseverity = \"medium\"\ntype = \"{kind}\"\n\
         language = \"{}\"\nquery = \'\'\'{query}\'\'\'\n",
        if kind == "eql" { "eql" } else { "kuery" }
    )
}

#[test]
fn logins_and_the_log_of_the_system_are_asked_by_their_fields() {
    let log = fd("unix ->/dev/log");
    let guessed = |user: &str, from: &str, word: &str| {
        format!("<38>sshd[812]: {word} password for {user} from {from} port 22 ssh2").into_bytes()
    };
    let lines = [
        guessed("root", "10.0.0.9", "Failed"),
        guessed("root", "10.0.0.8", "Failed"),
        guessed("root", "10.0.0.9", "Failed"),
        guessed("root", "10.0.0.8", "Accepted"),
        guessed("root", "10.0.0.9", "Accepted"),
        b"<4>kernel: x: Loading Out-of-tree module taints kernel.".to_vec(),
    ];
    let rows: Vec<Row<'_>> = lines.iter().map(|line| sent(&log, line)).collect();
    let guessing = elastic(
        "eql",
        "sequence by source.ip, user.name with maxspan=15s
           [authentication where event.action in (\"ssh_login\") and event.outcome == \"failure\"] with runs=2
           [authentication where event.action == \"ssh_login\" and event.outcome == \"success\"]",
    );
    let taint = elastic(
        "query",
        "host.os.type:linux and data_stream.dataset:\"system.syslog\" and process.name:kernel and
         message:(\"out-of-tree module\" and taint*)",
    );
    let found = found_in(&[("a.toml", &guessing), ("b.toml", &taint)], &rows);
    assert_eq!(found.len(), 2, "{found:?}");
    assert!(found[0].starts_with("eql: ") && found[0].contains("success"), "{found:?}");
    assert!(found[1].starts_with("query: kernel, x: Loading"), "{found:?}");
}

#[test]
fn a_recording_for_rules_holds_what_their_events_come_from() {
    let events = rules::scan::events_for(&rules(&[("own.yml", OWN)]).rules);
    assert!(
        ["write", "sendto", "sendmsg", "sched_process_exec"].iter().all(|name| events.contains(name)),
        "{events:?}"
    );
    assert!(!events.contains(&"log_message"), "{events:?}");
}

#[test]
fn messages_to_audit_are_asked_by_their_type() {
    let audit = fd("netlink NETLINK_AUDIT [1]");
    let message = |kind: u16, text: &str| {
        let length = 16 + text.len() as u32;
        [&length.to_le_bytes()[..], &kind.to_le_bytes(), &[0; 10], text.as_bytes()].concat()
    };
    let (added, stopped) =
        (message(1114, "op=add acct=\"eve\""), message(1131, "unit=auditd comm=\"systemd\""));
    let rules = "
title: User added
logsource: {product: linux, service: auditd}
detection:
  selection: {type: ADD_USER}
  condition: selection
---
title: Stopped
logsource: {product: linux, service: auditd}
detection:
  selection: {type: SERVICE_STOP, unit: [auditd, rsyslog]}
  condition: selection
";
    assert_eq!(
        found(&[rules], &[sent(&audit, &added), sent(&audit, &stopped)]),
        ["User added: ADD_USER", "Stopped: SERVICE_STOP, auditd"]
    );
}

/// Users and groups change in two words each: that of a log, and that of audit.
#[test]
fn changes_of_users_and_groups_are_asked_of_logs_and_of_audit() {
    let (log, audit) = (fd("unix ->/dev/log"), fd("netlink NETLINK_AUDIT [1]"));
    let message = |kind: u16, text: &str| {
        let length = 16 + text.len() as u32;
        [&length.to_le_bytes()[..], &kind.to_le_bytes(), &[0; 10], text.as_bytes()].concat()
    };
    let messages = [
        message(1114, "op=add-user acct=\"eve\" exe=\"/usr/sbin/useradd\" res=success"),
        message(1114, "op=add-user acct=\"bob\" exe=\"/usr/sbin/useradd\" res=failed"),
        message(1108, "op=change-password acct=\"eve\" res=success"),
        message(1112, "op=login acct=\"eve\" res=success"),
    ];
    let lines: [&[u8]; 5] = [
        b"<86>useradd[7]: new group: name=eve, GID=1001",
        b"<86>useradd[7]: new user: name=eve, UID=1001, GID=1001, home=/home/eve, shell=/bin/sh, from=none",
        b"<86>useradd[8]: failed adding user 'bob', exit code: 9",
        b"<86>other[8]: delete user 'eve'",
        b"<86>groupdel[9]: group 'eve' removed",
    ];
    let rows: Vec<Row<'_>> =
        lines.iter().map(|line| sent(&log, line)).chain(messages.iter().map(|it| sent(&audit, it))).collect();
    let found = |query: &str| found_in(&[("a.toml", &elastic("eql", query))], &rows).len();
    let of = "host.os.type == \"linux\" and event.outcome == \"success\"";
    assert_eq!(
        found(&format!("iam where {of} and event.type == \"user\" and event.type == \"creation\"")),
        2
    );
    assert_eq!(
        found(&format!("iam where {of} and event.type == \"group\" and event.type == \"creation\"")),
        1
    );
    assert_eq!(
        found(&format!(
            "iam where {of} and event.type in (\"group\", \"user\") and event.type == \"deletion\""
        )),
        1
    );
    let changed =
        "event.action in (\"changed-password\", \"added-user-account\", \"added-group-account-to\")";
    assert_eq!(
        found(&format!("iam where auditd.result == \"success\" and {changed} and process.name != null")),
        2
    );
    assert_eq!(found("iam where event.outcome == \"failure\" and user.name == \"bob\""), 1);
    assert_eq!(
        found(
            "any where event.category == \"iam\" and user.target.name == \"eve\" and event.type == \"change\""
        ),
        1
    );
    // Who is not asked for is none of the others.
    assert_eq!(
        found_in(
            &[("a.toml", &elastic("query", "event.category:iam and group.name:eve and event.type:deletion"))],
            &rows
        )
        .len(),
        1
    );
}

/// A detector asks what a name was answered before, and when it is.
#[test]
fn answers_and_times_are_asked_by_detectors() {
    let detector = |condition: &str| {
        format!(
            "type: detector\nid: d\nproduced_event: {{name: d, version: 1.0.0}}\nrequirements: {{events: [{{name: sched_process_exec}}]}}\n\
             conditions: ['{condition}']\n"
        )
    };
    let answer = packet(17, (53, 40000), &dns(true));
    let exec = || ("sched_process_exec", 0, vec![("pathname", Raw::Bytes(&b"evil.example"[..]))]);
    let rows = [exec(), seen(&answer), exec()];
    let found = |condition: &str| found_in(&[("d.yaml", &detector(condition))], &rows).len();
    assert_eq!(found("dns.getResponse(\"evil.example\").ips.exists(ip, ip.startsWith(\"10.9.\"))"), 1);
    assert_eq!(found("dns.getResponse(getEventData(\"pathname\")).ips.size() == 1"), 1);
    assert_eq!(found("dns.getResponse(\"other.example\").ips.size() == 0"), 0);
    // 2022-11-15T20:09:15Z
    assert_eq!(found("timestamp.getHours() == 20 && timestamp.getDayOfWeek() == 2"), 2);
    assert_eq!(found("timestamp < timestamp(\"2022-11-15T20:09:15Z\") || timestamp.getMonth() != 10"), 0);
}

#[test]
fn exits_have_a_code() {
    let exit = |code: u64| {
        (
            "sched_process_exit",
            0,
            vec![("exit_code", Raw::Number(code)), ("process_group_exit", Raw::Number(1))],
        )
    };
    let rows = [exit(0), exit(3)];
    let eql = elastic("eql", "process where event.action == \"end\" and process.exit_code != 0");
    assert_eq!(found_in(&[("a.toml", &eql)], &rows).len(), 1);
    let falco = "- rule: failed\n  desc: x\n  condition: evt.type = procexit and evt.arg.ret > 2\n  output: x\n  priority: NOTICE\n";
    assert_eq!(found(&[falco], &rows).len(), 1);
}

/// An IPv4 packet to port 53 or 80 of 10.0.0.9, with UDP or TCP before what it holds.
fn packet(protocol: u8, ports: (u16, u16), payload: &[u8]) -> Vec<u8> {
    let transport = match protocol {
        17 => {
            let length = 8 + payload.len() as u16;
            [&ports.0.to_be_bytes()[..], &ports.1.to_be_bytes(), &length.to_be_bytes(), &[0; 2]].concat()
        }
        _ => [
            &ports.0.to_be_bytes()[..],
            &ports.1.to_be_bytes(),
            &[0, 0, 0, 1, 0, 0, 0, 1, 0x50, 0x18, 0xff, 0xff, 0, 0, 0, 0],
        ]
        .concat(),
    };
    let length = (20 + transport.len() + payload.len()) as u16;
    let mut packet = vec![0x45, 0, 0, 0, 0, 0, 0, 0, 64, protocol, 0, 0, 10, 0, 0, 5, 10, 0, 0, 9];
    packet[2..4].copy_from_slice(&length.to_be_bytes());
    [packet, transport, payload.to_vec()].concat()
}

/// A DNS message that asks for evil.example, with the answer 10.9.8.7.
fn dns(is_answer: bool) -> Vec<u8> {
    let flags: [u8; 2] = if is_answer { [0x81, 0x80] } else { [1, 0] };
    let mut message = vec![0, 7, flags[0], flags[1], 0, 1, 0, u8::from(is_answer), 0, 0, 0, 0];
    message.extend_from_slice(b"\x04evil\x07example\0\0\x01\0\x01");
    if is_answer {
        message.extend_from_slice(&[0xc0, 12, 0, 1, 0, 1, 0, 0, 0, 60, 0, 4, 10, 9, 8, 7]);
    }
    message
}

fn seen(packet: &[u8]) -> Row<'_> {
    ("net_packet", 0, vec![("data", Raw::Bytes(packet)), ("length", Raw::Number(packet.len() as u64))])
}

const PACKETS: &str = "
title: Asked
logsource: {category: dns}
detection:
  selection: {query|endswith: evil.example}
  condition: selection
---
title: Answered
logsource: {category: dns}
detection:
  selection: {answer: 10.9.8.7}
  condition: selection
---
title: Traversal
logsource: {category: webserver}
detection:
  selection: {cs-uri-query|contains: '../', cs-method: GET}
  agent: {cs-user-agent|startswith: curl}
  condition: selection and agent
---
title: Status
logsource: {category: webserver}
detection:
  selection: {sc-status: 500}
  condition: selection
---
title: Word
logsource: {category: webserver}
detection:
  words: ['curl/8']
  condition: words and not other
  other: {cs-uri-query|contains: '..'}
---
title: To a name
logsource: {category: network_connection, product: linux}
detection:
  selection: {DestinationHostname: evil.example}
  condition: selection
";

#[test]
fn packets_and_names_of_addresses_are_asked() {
    let (question, answer) = (packet(17, (40000, 53), &dns(false)), packet(17, (53, 40000), &dns(true)));
    let get =
        packet(6, (40001, 80), b"GET /a.php?f=../etc HTTP/1.1\r\nHost: h\r\nuser-agent: curl/8\r\n\r\n");
    let other = packet(6, (40002, 80), b"GET /a.php?f=etc HTTP/1.1\r\nHost: h\r\nUser-Agent: curl/8\r\n\r\n");
    let status = packet(6, (80, 40001), b"HTTP/1.1 500 Oops\r\nContent-Length: 0\r\n\r\n");
    let address = |ip: [u8; 4]| [&[2, 0, 1, 0xbb][..], &ip, &[0; 8]].concat();
    let (known, unknown, own) = (address([10, 9, 8, 7]), address([10, 9, 8, 6]), address([10, 0, 0, 5]));
    let connected = |to| {
        let state = [
            ("old_state", Raw::Number(2)),
            ("new_state", Raw::Number(1)),
            ("protocol", Raw::Number(6)),
            ("local_addr", Raw::Bytes(own.as_slice())),
            ("remote_addr", Raw::Bytes(to)),
        ];
        ("inet_sock_set_state", 0, state.to_vec())
    };
    let rows = [
        connected(known.as_slice()),
        seen(&question),
        seen(&answer),
        connected(known.as_slice()),
        connected(unknown.as_slice()),
        seen(&get),
        seen(&other),
        seen(&status),
    ];
    assert_eq!(
        found(&[PACKETS], &rows),
        [
            "Asked: evil.example",
            "Answered: 10.9.8.7",
            "To a name: evil.example",
            "Traversal: f=../etc, GET, curl/8",
            "Word: curl/8",
            "Status: 500",
        ]
    );
}
