//! A real container that pings and resolves names.

use std::collections::BTreeMap;
use std::path::Path;

use libtest_mimic::Failed;
use serde_json::Value;

use crate::Test;
use crate::docker::{IMAGE, image};
use crate::host::{TRACER, arg, ensure, events, me, path, record, run, same};

pub const TESTS: &[Test] = &[
    Test {
        name: "a_container_that_pings_is_told_with_its_ids",
        needs: &["docker"],
        run: alone_in_its_network,
    },
    Test {
        name: "a_container_that_pings_in_the_hosts_network_is_told_with_its_ids",
        needs: &["docker"],
        run: in_the_hosts_network,
    },
    Test {
        name: "a_container_s_packets_to_another_network_and_its_names_are_told_apart_from_the_host_s",
        needs: &["docker", "ip", "nsenter", "tcpdump"],
        run: to_another_network,
    },
];

fn alone_in_its_network() -> Result<(), Failed> {
    pings("none", 2)
}

fn in_the_hosts_network() -> Result<(), Failed> {
    pings("host", 2)
}

/// Two pings in a container, then two on the host.
fn pings(network: &str, count: usize) -> Result<(), Failed> {
    image()?;
    let dir = tempfile::tempdir()?;
    let script = format!(
        "docker run --rm --network={network} {IMAGE} /bin/busybox ping -c {count} 127.0.0.1 \
         && busybox ping -c {count} 127.0.0.1"
    );
    let events_wanted = "net_packet,cgroup_mkdir,cgroup_attach_task";
    let file = record(dir.path(), events_wanted, &["sh", "-c", &script])?;
    let filters = ["3:event=net_packet_icmp", "3:container", "5:event=net_packet_icmp"];
    let rows = events(&file, &filters)?;
    let (inside, outside): (Vec<&Value>, Vec<&Value>) =
        rows.iter().partition(|row| row["containerId"].as_str().is_some_and(|id| !id.is_empty()));

    // Each ping is sent and comes back, and its raw socket hears both.
    ensure(inside.len() >= 2 * count, || format!("{} rows in the container: {rows:#?}", inside.len()))?;
    for row in &inside {
        same("mask in the container", row["matchedScopes"].as_u64(), Some(20))?;
        same("length of the id", row["containerId"].as_str().map(str::len), Some(64))?;
        same("process", row["processName"].as_str(), Some("busybox"))?;
        same("pid in the container", row["processId"].as_u64(), Some(1))?;
        ensure(row["hostProcessId"].as_u64().is_some_and(|pid| pid > 1), || format!("no host pid: {row:#}"))?;
    }
    let on_host: Vec<_> = outside.iter().filter(|row| row["processName"] == "busybox").collect();
    ensure(on_host.len() >= 2 * count, || format!("{} rows on the host: {rows:#?}", on_host.len()))?;
    for row in &outside {
        same("mask on the host", row["matchedScopes"].as_u64(), Some(16))?;
    }
    for row in &rows {
        same("src", arg(row, "src").as_str(), Some("127.0.0.1"))?;
        same("dst", arg(row, "dst").as_str(), Some("127.0.0.1"))?;
        let kind = arg(row, "proto_icmp")["typeCode"].as_str().unwrap_or_default();
        ensure(kind == "EchoRequest" || kind == "EchoReply", || format!("proto_icmp of {row:#}"))?;
    }
    let requests = inside.iter().filter(|row| arg(row, "proto_icmp")["typeCode"] == "EchoRequest");
    ensure(requests.count() >= count, || format!("too few requests: {inside:#?}"))
}

/// A container in a network of its own and a wire to another one, where a server tells names. `$1` tells the network's
/// name, `$2` the container's, `$3` the image, `$4` the program that serves, `$5` where the judge on the wire writes. The
/// largest ping does not fit the wire: it goes in three fragments.
const WIRED: &str = r#"
set -e
ip netns add "$1"
trap 'kill $server $judge || true; docker rm --force "$2" >/dev/null; ip netns del "$1"' EXIT
inside='b=/bin/busybox
until $b ip addr show eth0 2>/dev/null | $b grep -q 10.199.82.2; do $b sleep 0.05; done
$b ping -c 2 10.199.82.1
$b ping -c 1 -s 3000 10.199.82.1
$b nslookup a.tracer.test 10.199.82.1'
docker run --detach --network none --name "$2" "$3" /bin/busybox sh -c "$inside" >/dev/null
pid=$(docker inspect --format '{{.State.Pid}}' "$2")
ip link add eth0 netns "$pid" type veth peer name eth0 netns "$1"
ip -n "$1" addr add 10.199.82.1/24 dev eth0
ip -n "$1" link set lo up
ip -n "$1" link set eth0 up
ip netns exec "$1" tcpdump -i eth0 -nn --immediate-mode -s 128 -U -Z root -w "$5" ip 2>/dev/null & judge=$!
ip netns exec "$1" "$4" tell-names 10.199.82.1:53 & server=$!
nsenter --target "$pid" --net ip link set eth0 up
sleep 1
nsenter --target "$pid" --net ip addr add 10.199.82.2/24 dev eth0
docker wait "$2" >/dev/null
docker logs "$2"
kill $judge
ip netns exec "$1" busybox ping -c 2 127.0.0.1 >/dev/null
"#;

fn to_another_network() -> Result<(), Failed> {
    image()?;
    let dir = tempfile::tempdir()?;
    let name = format!("tracer-test-wired-{}", std::process::id());
    let dump = dir.path().join("wire.pcap");
    let script = ["sh", "-c", WIRED, "sh", &name, &name, IMAGE, &me()?, path(&dump)?];
    let file = record(dir.path(), "net_packet", &script)?;

    let filters = ["3:event=net_packet_icmp", "3:container", "5:event=net_packet_icmp"];
    let rows = events(&file, &filters)?;
    let mine: Vec<&Value> = rows.iter().filter(|row| row["containerName"] == name.as_str()).collect();
    let told = |kind: &str, src: &str, dst: &str| {
        let is = |row: &&&Value| {
            arg(row, "src") == src && arg(row, "dst") == dst && arg(row, "proto_icmp")["typeCode"] == kind
        };
        mine.iter().filter(is).count()
    };
    same("requests", told("EchoRequest", "10.199.82.2", "10.199.82.1"), 3)?;
    same("replies", told("EchoReply", "10.199.82.1", "10.199.82.2"), 3)?;
    for row in &mine {
        same("mask in the container", row["matchedScopes"].as_u64(), Some(20))?;
        let (inner, outer) = (row["processId"].as_u64(), row["hostProcessId"].as_u64());
        ensure(inner > Some(1) && inner < Some(1000) && outer > inner, || format!("pids of {row:#}"))?;
    }
    let is_ping = |row: &&Value| row["containerId"] == "" && row["processName"] == "busybox";
    let on_host: Vec<_> = rows.iter().filter(is_ping).collect();
    ensure(on_host.len() >= 4, || format!("the host's own ping is missing: {rows:#?}"))?;
    for row in rows.iter().filter(|row| row["containerId"] == "") {
        same("mask on the host", row["matchedScopes"].as_u64(), Some(16))?;
    }
    judge(&file, &dump, &name)?;
    names(&file, &name)?;
    table(&file, mine[0])
}

/// tcpdump on the other end of the wire saw the same packets, fragments counted with the packet that they are of.
fn judge(file: &Path, dump: &Path, name: &str) -> Result<(), Failed> {
    let mut seen: BTreeMap<(String, String), usize> = BTreeMap::new();
    let lines = run("tcpdump", &["-nn", "-q", "-t", "-r", path(dump)?])?;
    let address =
        |word: &str| word.split('.').take(4).collect::<Vec<_>>().join(".").trim_end_matches(':').to_owned();
    for line in lines.lines() {
        let words: Vec<&str> = line.split_whitespace().collect();
        let ["IP", from, ">", to, protocol, ..] = words.as_slice() else { continue };
        if protocol.starts_with("ICMP") || protocol.starts_with("UDP") {
            *seen.entry((address(from), address(to))).or_default() += 1;
        }
    }
    ensure(lines.contains("ip-proto-1"), || format!("no fragments on the wire:\n{lines}"))?;
    let mut recorded: BTreeMap<(String, String), usize> = BTreeMap::new();
    let filters = ["event=net_packet_icmp,net_packet_udp", "container"];
    for row in events(file, &filters)?.iter().filter(|row| row["containerName"] == name) {
        let text = |name| arg(row, name).as_str().unwrap_or_default().to_owned();
        *recorded.entry((text("src"), text("dst"))).or_default() += 1;
    }
    same("packets of the container", recorded, seen)
}

fn names(file: &Path, name: &str) -> Result<(), Failed> {
    let of = |event: &str| -> Result<Vec<Value>, Failed> {
        let rows = events(file, &[&format!("event={event}"), "container"])?;
        Ok(rows.into_iter().filter(|row| row["containerName"] == name).collect())
    };
    let asked = of("net_packet_dns_request")?;
    ensure(!asked.is_empty(), || "no request".to_owned())?;
    for request in &asked {
        same("query", arg(request, "dns_questions")[0]["query"].as_str(), Some("a.tracer.test"))?;
        same("asked by", request["processName"].as_str(), Some("busybox"))?;
    }
    let answered = of("net_packet_dns_response")?;
    let address = |row: &&Value| arg(row, "dns_response")[0]["dns_answer"][0]["answer"] == "10.1.2.3";
    ensure(answered.iter().any(|row| address(&row)), || format!("no address in {answered:#?}"))
}

/// As a user reads it: the short id, and each pid with its host's.
fn table(file: &Path, row: &Value) -> Result<(), Failed> {
    let filters = ["replay", path(file)?, "-f", "5:event=net_packet_icmp", "-f", "5:container"];
    let short = run(TRACER, &filters)?;
    let (head, first) = (short.lines().next().unwrap_or_default(), short.lines().nth(1).unwrap_or_default());
    let columns: Vec<&str> = head.split_whitespace().collect();
    let expected = ["TIME", "CONTAINER_ID", "UID", "COMM", "PID/host", "TID/host", "RET", "EVENT", "ARGS"];
    same("columns", columns.as_slice(), expected.as_slice())?;
    let pid = |key: &str| row[key].to_string();
    let pair = format!("{:<7}/{:<7}", pid("processId"), pid("hostProcessId"));
    let id = row["containerId"].as_str().and_then(|id| id.get(..12)).unwrap_or_default();
    for part in [&pair, id, "proto_icmp: {EchoRequest "] {
        ensure(first.contains(part), || format!("no {part:?} in {first}"))?;
    }
    Ok(())
}
