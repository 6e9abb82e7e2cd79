//! DNS over TCP and HTTP: messages of streams, whatever segments they come in.

use libtest_mimic::Failed;
use serde_json::Value;

use crate::Test;
use crate::host::{arg, events, me, record, same};
use crate::traffic::long_path;

pub const TESTS: &[Test] = &[Test {
    name: "messages_over_tcp_are_told_whatever_segments_they_come_in",
    needs: &[],
    run: messages_of_streams,
}];

/// Each as its sender and as its receiver saw it.
const SEEN: usize = 2;

fn messages_of_streams() -> Result<(), Failed> {
    let dir = tempfile::tempdir()?;
    let file = record(dir.path(), "net_packet", &[&me()?, "speak"])?;
    let is_ours = |event: &Value| {
        let ends = &arg(event, "metadata");
        ["src_ip", "dst_ip"].iter().any(|end| ends[end] == "127.0.0.83")
    };
    let ours = |name: &str| -> Result<Vec<Value>, Failed> {
        Ok(events(&file, &[&format!("event={name}")])?.into_iter().filter(is_ours).collect())
    };

    let asked = ours("net_packet_dns_request")?;
    same("questions", asked.len(), 2 * SEEN)?;
    for request in &asked {
        same("query", &arg(request, "dns_questions")[0]["query"], &"a.tracer.test".into())?;
    }
    let answered = ours("net_packet_dns_response")?;
    same("answers", answered.len(), 2 * SEEN)?;
    for response in &answered {
        let answer = &arg(response, "dns_response")[0]["dns_answer"][0]["answer"];
        same("answer", answer, &"10.1.2.3".into())?;
    }

    let requests = ours("net_packet_http_request")?;
    let paths: Vec<(String, bool)> = requests
        .iter()
        .map(|request| {
            let path = arg(request, "http_request")["uri_path"].as_str().unwrap_or_default();
            (path.to_owned(), request["marks"]["cut"] == serde_json::json!(["http_request"]))
        })
        .collect();
    for path in ["/pieces", "/second", "/last"] {
        same(path, paths.iter().filter(|it| **it == (path.to_owned(), false)).count(), SEEN)?;
    }
    // Of the long one as much as was kept, and it says so.
    let long = paths.iter().filter(|(path, is_cut)| {
        *is_cut && path.len() > 200 && path.len() < 1000 && long_path().starts_with(path)
    });
    same("long heads", long.count(), SEEN)?;
    same("requests", requests.len(), 4 * SEEN)?;
    let responses = ours("net_packet_http_response")?;
    let codes = responses.iter().filter_map(|it| arg(it, "http_response")["status_code"].as_u64());
    let mut codes: Vec<u64> = codes.collect();
    codes.sort_unstable();
    same("status codes", codes, [[200; SEEN], [404; SEEN]].concat())
}
