//! DNS: a question and its answer, told with who asked.

use std::net::UdpSocket;
use std::thread;

use libtest_mimic::Failed;

use crate::Test;
use crate::host::{arg, ensure, events, me, record, same};
use crate::traffic::{ADDRESS, QUERY};

pub const TESTS: &[Test] = &[Test {
    name: "a_name_that_is_asked_for_is_told_with_its_answer",
    needs: &[],
    run: question_and_answer,
}];

const SERVER: &str = "127.0.0.82:53";

/// The question again, and 10.1.2.3 for an hour.
fn answer() -> Vec<u8> {
    let mut bytes = QUERY.to_vec();
    bytes[2..8].copy_from_slice(b"\x81\x80\0\x01\0\x01");
    bytes.extend(ADDRESS);
    bytes
}

fn question_and_answer() -> Result<(), Failed> {
    let dir = tempfile::tempdir()?;
    let server = UdpSocket::bind(SERVER)?;
    let answering = thread::spawn(move || -> std::io::Result<()> {
        let (_, from) = server.recv_from(&mut [0; 512])?;
        server.send_to(&answer(), from).map(drop)
    });
    let file = record(dir.path(), "net_packet", &[&me()?, "ask", SERVER])?;
    answering.join().map_err(|_| "the server panicked")??;

    let asked = events(&file, &["event=net_packet_dns_request"])?;
    // Once as the asker sends it, once as the server gets it: this process, which stood before the recording.
    same("requests", asked.len(), 2)?;
    for request in &asked {
        same("query", &arg(request, "dns_questions")[0]["query"], &"a.tracer.test".into())?;
        same("type", &arg(request, "dns_questions")[0]["query_type"], &"A".into())?;
        same("server", &arg(request, "metadata")["dst_ip"], &"127.0.0.82".into())?;
    }
    let server = u64::from(std::process::id());
    let askers: Vec<u64> = asked.iter().filter_map(|row| row["hostProcessId"].as_u64()).collect();
    ensure(askers.contains(&server) && askers.iter().any(|pid| *pid != server && *pid != 0), || {
        format!("asked by {askers:?}, and this process is {server}")
    })?;
    let answered = events(&file, &["event=net_packet_dns_response"])?;
    same("responses", answered.len(), 2)?;
    same("answer", &arg(&answered[0], "dns_response")[0]["dns_answer"][0]["answer"], &"10.1.2.3".into())
}
