//! Whose packets are: also of sockets that were there before the recording, and of threads that are gone.

use std::io::{BufRead as _, BufReader};
use std::process::{Command, Stdio};

use libtest_mimic::Failed;

use crate::Test;
use crate::host::{arg, ensure, events, me, record, same};
use crate::traffic::V4;

pub const TESTS: &[Test] = &[
    Test { name: "a_socket_older_than_the_recording_has_its_owner", needs: &[], run: older_socket },
    Test { name: "a_connection_begins_and_ends_once_for_each_of_its_ends", needs: &[], run: connections },
];

fn older_socket() -> Result<(), Failed> {
    let dir = tempfile::tempdir()?;
    let address = format!("{V4}:0");
    let mut receiver = Command::new(me()?).args(["receive", &address]).stdout(Stdio::piped()).spawn()?;
    let mut port = String::new();
    BufReader::new(receiver.stdout.take().ok_or("no output")?).read_line(&mut port)?;
    let address = format!("{V4}:{}", port.trim());
    let recorded = record(dir.path(), "net_packet", &[&me()?, "send", &address]);
    receiver.kill()?;
    receiver.wait()?;
    let file = recorded?;

    let rows = events(&file, &["event=net_packet_udp"])?;
    let to_port: u64 = port.trim().parse()?;
    let mine: Vec<_> = rows.iter().filter(|row| arg(row, "dst_port") == to_port).collect();
    same("packets sent and received", mine.len(), 6)?;
    let receiver = u64::from(receiver.id());
    let received = mine.iter().filter(|row| row["hostProcessId"] == receiver).count();
    same("packets of the receiver", received, 3)?;
    ensure(mine.iter().all(|row| row["hostProcessId"] != 0 && row["processName"] != ""), || {
        format!("somebody is not known: {mine:#?}")
    })
}

fn connections() -> Result<(), Failed> {
    let dir = tempfile::tempdir()?;
    let file = record(dir.path(), "inet_sock_set_state", &[&me()?, "exchange"])?;
    for event in ["net_flow_tcp_begin", "net_flow_tcp_end"] {
        let rows = events(&file, &[&format!("event={event}")])?;
        for (ip, port) in [(V4, crate::traffic::TCP_PORTS[0]), ("::1", crate::traffic::TCP_PORTS[1])] {
            let mine: Vec<_> =
                rows.iter().filter(|row| arg(row, "dst") == ip && arg(row, "dst_port") == port).collect();
            let count = |direction| mine.iter().filter(|row| arg(row, "conn_direction") == direction).count();
            // Three connections, each with two ends on this host, told from the asking end to the asked one.
            same(event, (mine.len(), count("outgoing"), count("incoming")), (6, 3, 3))?;
            ensure(mine.iter().all(|row| row["hostProcessId"] != 0), || format!("without owner: {mine:#?}"))?;
        }
    }
    Ok(())
}
