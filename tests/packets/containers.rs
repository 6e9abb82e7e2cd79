//! A real container that pings.

use std::path::Path;

use libtest_mimic::Failed;
use serde_json::Value;

use crate::Test;
use crate::host::{arg, ensure, events, record, run, same};

pub const TESTS: &[Test] = &[
    Test {
        name: "a_container_that_pings_is_told_with_its_ids",
        needs: &["docker", "busybox"],
        run: alone_in_its_network,
    },
    Test {
        name: "a_container_that_pings_in_the_hosts_network_is_told_with_its_ids",
        needs: &["docker", "busybox"],
        run: in_the_hosts_network,
    },
];

const IMAGE: &str = "tracer-test-busybox:1";

/// An image of nothing but busybox, from this host's.
fn image() -> Result<(), Failed> {
    if run("docker", &["image", "inspect", IMAGE]).is_ok() {
        return Ok(());
    }
    let dir = tempfile::tempdir()?;
    let bin = dir.path().join("bin");
    std::fs::create_dir(&bin)?;
    let found = ["/bin/busybox", "/usr/bin/busybox"].into_iter().find(|path| Path::new(path).exists());
    std::fs::copy(found.ok_or("no busybox")?, bin.join("busybox"))?;
    let script = format!("tar -C '{}' -c . | docker import - {IMAGE}", dir.path().display());
    run("sh", &["-c", &script]).map(drop)
}

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
