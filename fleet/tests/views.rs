//! Views beside the table of events say what the commands of the same names say.

mod support;

use events::{Marks, Raw};
use pipeline::Source;
use rules::scan::{Asking, Scan};
use support::synthetic::{Event, Made, process};
use support::{answer, busy, lines, number, save, tables};
use tracer_fleet::rule_files;
use tracer_fleet::views::FILES;
use views::tree::Forest;

fn fixture(name: &str) -> String {
    format!("{}/../fixtures/{name}.trz", env!("CARGO_MANIFEST_DIR"))
}

#[tokio::test]
async fn processes_are_those_of_the_tree() {
    for name in ["id-ls", "tree", "threads"] {
        let (session, opened) = tables(&[fixture(name)], &[], 2);
        let forest = Forest::of(&opened.source, 1).expect("a forest");
        assert_eq!(number(&session, "select count(*) from processes").await, forest.processes.len() as u64);
    }
    let (session, _) = tables(&[fixture("id-ls")], &[], 2);
    let query = "select p.comm, p.exit_code, q.comm from processes p join processes q on p.parent_entity = q.entity \
        where p.comm in ('id', 'ls')";
    assert_eq!(lines(&answer(&session, query).await.0), ["id|0|sh", "ls|0|sh"]);
    // A process is the same one in both tables.
    let query =
        "select distinct p.command from processes p join events e on e.entity = p.entity where e.comm = 'ls'";
    assert_eq!(lines(&answer(&session, query).await.0), ["ls /"]);
}

#[tokio::test]
async fn findings_are_those_of_scan() {
    let files: Vec<String> = ["ptrace", "artifacts", "denied"].map(fixture).to_vec();
    let corpus = rule_files::corpus(&[]).expect("the program's rules");
    let found = |source: &Source| {
        let mut found = Vec::new();
        Scan::new(&corpus.rules, source)
            .run(Asking { threads: 1, ..Asking::default() }, &mut |finding| {
                found.push(format!("{}|{}", corpus.rules[finding.rule].id, finding.process.pid));
            })
            .expect("findings");
        found.sort();
        found
    };
    let mut all = Vec::new();
    for file in &files {
        let (session, opened) = tables(std::slice::from_ref(file), &[], 2);
        let expected = found(&opened.source);
        assert_eq!(
            lines(&answer(&session, "select rule, host_pid from findings").await.0),
            expected,
            "{file}"
        );
        all.extend(expected);
    }
    assert!(!all.is_empty());
    all.sort();
    let (session, _) = tables(&files, &[], 2);
    assert_eq!(lines(&answer(&session, "select rule, host_pid from findings").await.0), all);
}

/// A response of DNS over UDP from 10.0.0.53 to 10.0.0.1: `example.com` is 192.0.2.7.
fn response() -> Vec<u8> {
    let name = b"\x07example\x03com\0";
    let mut dns = vec![0x12, 0x34, 0x81, 0x80, 0, 1, 0, 1, 0, 0, 0, 0];
    dns.extend_from_slice(name);
    dns.extend_from_slice(&[0, 1, 0, 1]);
    dns.extend_from_slice(&[0xc0, 12, 0, 1, 0, 1, 0, 0, 0, 60, 0, 4, 192, 0, 2, 7]);
    let udp = (dns.len() + 8) as u16;
    let total = udp + 20;
    let mut packet = vec![0x45, 0];
    packet.extend_from_slice(&total.to_be_bytes());
    packet.extend_from_slice(&[0, 1, 0, 0, 64, 17, 0, 0, 10, 0, 0, 53, 10, 0, 0, 1, 0, 53, 0x9c, 0x40]);
    packet.extend_from_slice(&udp.to_be_bytes());
    packet.extend_from_slice(&[0, 0]);
    packet.extend_from_slice(&dns);
    packet
}

#[tokio::test]
async fn answers_of_dns_are_rows() {
    let folder = tempfile::tempdir().expect("a folder");
    let mut made = Made::new();
    let packet = response();
    let args = [
        ("data", Raw::Bytes(&packet[..])),
        ("length", Raw::Number(packet.len() as u64)),
        ("direction", Raw::Number(2)),
    ];
    made.push(&Event {
        at: 1,
        name: "net_packet",
        context: process(7, 1, 0, "curl", "/usr/bin/curl"),
        ret: 0,
        scopes: 1,
        marks: Marks(0),
        args: &args,
    });
    let file = save(made, &folder.path().join("a.trz"));
    let (session, _) = tables(&[file], &[], 2);
    let query = "select comm, kind, src, dst, query, query_type, answer_type, answer, ttl from dns";
    assert_eq!(
        lines(&answer(&session, query).await.0),
        ["curl|response|10.0.0.53|10.0.0.1|example.com|A|A|192.0.2.7|60"]
    );
}

#[tokio::test]
async fn connections_and_files_are_told() {
    let folder = tempfile::tempdir().expect("a folder");
    let mut made = busy("web1", 9, 400, 100, false);
    let socket = |pid: u32, name: &'static str, ret: i64, made: &mut Made| {
        let fd = [&3u64.to_le_bytes()[..], b"tcp 10.0.0.1:4242->10.0.0.2:443"].concat();
        made.push(&Event {
            at: 900_000_000 + u64::from(pid),
            name,
            context: process(pid, 1, 0, "curl", "/usr/bin/curl"),
            ret,
            scopes: 1,
            marks: Marks(0),
            args: &[("fd", Raw::Bytes(&fd))],
        });
    };
    socket(70, "write", 100, &mut made);
    socket(71, "read", 250, &mut made);
    let file = save(made, &folder.path().join("a.trz"));
    let (session, _) = tables(&[file], &[], 2);
    let query = "select host, kind, local, peer, sent, received, calls, processes from connections";
    let rows = lines(&answer(&session, query).await.0);
    assert!(
        rows.iter().any(|row| row.starts_with("web1|tcp|10.0.0.1:4242|10.0.0.2:443|100|250|2|")),
        "{rows:?}"
    );
    session.sql(FILES).await.expect("a view");
    let query = "select count(*) from files where path = '/etc/shadow'";
    let direct = "select count(*) from events where pathname = '/etc/shadow'";
    assert_eq!(number(&session, query).await, number(&session, direct).await);
    assert!(number(&session, query).await > 0);
}
