//! tcpdump as the judge: every packet that it sees is in the capture, flow by flow.

use std::collections::BTreeMap;
use std::io::{BufRead as _, BufReader, Read as _};
use std::path::Path;
use std::process::{Command, Stdio};

use libtest_mimic::Failed;

use crate::Test;
use crate::host::{arg, ensure, events, me, path, record, run, same};
use crate::traffic::{TCP_PORTS, UDP_PORTS};

pub const TESTS: &[Test] =
    &[Test { name: "tcpdump_counts_the_same_packets_in_every_flow", needs: &["tcpdump"], run: counts }];

/// Protocol, from and to as tcpdump writes them, `127.0.0.1.53`.
type Flow = (&'static str, String, String);

fn counts() -> Result<(), Failed> {
    let dir = tempfile::tempdir()?;
    let dump = dir.path().join("lo.pcap");
    let ports = TCP_PORTS
        .iter()
        .chain(&UDP_PORTS)
        .map(|port| format!("port {port}"))
        .collect::<Vec<_>>()
        .join(" or ");
    let mut judge = Command::new("tcpdump")
        .args([
            "-i",
            "lo",
            "-nn",
            "--immediate-mode",
            "-s",
            "128",
            "-U",
            "-B",
            "8192",
            "-Z",
            "root",
            "-w",
            path(&dump)?,
            &ports,
        ])
        .stderr(Stdio::piped())
        .spawn()?;
    let mut said = BufReader::new(judge.stderr.take().ok_or("no standard error")?);
    said.read_line(&mut String::new())?; // "listening on lo"
    let recorded = record(dir.path(), "net_packet", &[&me()?, "exchange"]);
    std::thread::sleep(std::time::Duration::from_millis(1500));
    run("kill", &["-INT", &judge.id().to_string()])?;
    judge.wait()?;
    let mut last = String::new();
    said.read_to_string(&mut last)?;
    ensure(last.contains("0 packets dropped by kernel"), || format!("the judge lost packets: {last}"))?;

    let expected = seen(&dump)?;
    let rows = events(&recorded?, &["event=net_packet"])?;
    let mut sent: BTreeMap<Flow, usize> = BTreeMap::new();
    let mut received: BTreeMap<Flow, usize> = BTreeMap::new();
    for row in &rows {
        let Some(flow) = flow(row)? else { continue };
        let into = if arg(row, "direction") == 1 { &mut sent } else { &mut received };
        *into.entry(flow).or_default() += 1;
    }
    // Six connections' and two hundred datagrams' worth, or the judge was not there.
    ensure(expected.values().sum::<usize>() > 250, || format!("the judge saw {expected:?}"))?;
    same("packets sent, by flow", &sent, &expected)?;
    // What arrives at a socket that has closed already reaches no program; every datagram does.
    for (flow, count) in expected.iter().filter(|((protocol, ..), _)| *protocol == "UDP") {
        same("datagrams received", received.get(flow), Some(count))?;
    }
    Ok(())
}

/// What tcpdump wrote, counted.
fn seen(dump: &Path) -> Result<BTreeMap<Flow, usize>, Failed> {
    let mut flows = BTreeMap::new();
    for line in run("tcpdump", &["-nn", "-q", "-t", "-r", path(dump)?])?.lines() {
        let words: Vec<&str> = line.split_whitespace().collect();
        let [_, from, ">", to, protocol, ..] = words.as_slice() else {
            return Err(format!("a line that is no packet: {line}").into());
        };
        let protocol = if protocol.starts_with("UDP") { "UDP" } else { "TCP" };
        *flows.entry((protocol, (*from).to_owned(), to.trim_end_matches(':').to_owned())).or_default() += 1;
    }
    Ok(flows)
}

/// The flow of a recorded packet, read by this test's own eyes; `None` for those of others.
fn flow(row: &serde_json::Value) -> Result<Option<Flow>, Failed> {
    use base64::Engine as _;
    let text = arg(row, "data").as_str().ok_or("a packet without bytes")?;
    let bytes = base64::engine::general_purpose::STANDARD.decode(text)?;
    let Some(first) = bytes.first() else { return Ok(None) };
    let (protocol, from, to, header) = if first >> 4 == 4 {
        let ip = |at: usize| bytes[at..at + 4].iter().map(u8::to_string).collect::<Vec<_>>().join(".");
        (bytes[9], ip(12), ip(16), usize::from(first & 0xf) * 4)
    } else {
        let ip = |at: usize| {
            let octets: [u8; 16] = bytes[at..at + 16].try_into().expect("sixteen bytes");
            std::net::Ipv6Addr::from(octets).to_string()
        };
        (bytes[6], ip(8), ip(24), 40)
    };
    let protocol = match protocol {
        6 => "TCP",
        17 => "UDP",
        _ => return Ok(None),
    };
    let port = |at: usize| u16::from_be_bytes([bytes[at], bytes[at + 1]]);
    let (source, destination) = (port(header), port(header + 2));
    let known = |port| TCP_PORTS.contains(&port) || UDP_PORTS.contains(&port);
    let is_ours = known(source) || known(destination);
    Ok(is_ours.then(|| (protocol, format!("{from}.{source}"), format!("{to}.{destination}"))))
}
