//! What was asked of DNS and what was answered, from the recorded packets: a row an answer, and one for a question or a response
//! without any.

use pipeline::Question;
use replay::Asked;
use replay::render::values;
use scopes::ScopeSet;
use serde_json::Value;

use super::{Column, Kind, Rows};
use crate::captures::Opened;
use crate::question::refused;

pub const COLUMNS: &[Column] = &[
    Column("time", Kind::Time),
    Column("host", Kind::Text),
    Column("host_pid", Kind::Int),
    Column("comm", Kind::Text),
    Column("exe", Kind::Text),
    Column("container_id", Kind::Text),
    Column("kind", Kind::Text),
    Column("src", Kind::Text),
    Column("dst", Kind::Text),
    Column("query", Kind::Text),
    Column("query_type", Kind::Text),
    Column("answer_type", Kind::Text),
    Column("answer", Kind::Text),
    Column("ttl", Kind::Int),
];

/// Each of these events holds a list of questions, or of responses with theirs.
const EVENTS: &str = "event=net_packet_dns_request,net_packet_dns_response";

pub fn rows(opened: &Opened) -> anyhow::Result<Rows> {
    let source = &opened.source;
    let set = ScopeSet::parse(&[EVENTS]).map_err(|found| refused(&found))?;
    let asked = Asked::given(set, source).map_err(|found| refused(&found))?;
    let question = Question { strict: opened.how.strict, ..Question::new(source, asked.matchers(source)) };
    let mut rows = Rows::new(COLUMNS);
    let stats = question.each(&mut |_, event| {
        let argument = |name: &str| {
            let (at, arg) = event.event.arg(name)?;
            let mut text = Vec::new();
            values::json(event, at, arg.kind, &mut text);
            serde_json::from_slice::<Value>(&text).ok()
        };
        let metadata = argument("metadata").unwrap_or_default();
        let (kind, messages) = match argument("dns_response") {
            Some(responses) => ("response", responses),
            None => ("request", argument("dns_questions").unwrap_or_default()),
        };
        let mut row = |question: &Value, answer: &Value| {
            let text = |of: &Value, name: &str| of[name].as_str().unwrap_or_default().to_owned();
            rows.time(event.wall_ns)
                .text(&event.host.name)
                .int(i64::from(event.context.pid))
                .bytes(event.context.comm)
                .bytes(event.context.exe)
                .text(event.container.map(|it| it.id.as_str()).unwrap_or_default())
                .text(kind)
                .text(text(&metadata, "src_ip"))
                .text(text(&metadata, "dst_ip"))
                .text(text(question, "query"))
                .text(text(question, "query_type"))
                .text(text(answer, "answer_type"))
                .text(text(answer, "answer"))
                .int(answer["ttl"].as_i64());
        };
        for message in messages.as_array().map(Vec::as_slice).unwrap_or_default() {
            let question = message.get("query_data").unwrap_or(message);
            let answers = message["dns_answer"].as_array().map(Vec::as_slice).unwrap_or_default();
            answers.iter().for_each(|answer| row(question, answer));
            if answers.is_empty() {
                row(question, &Value::Null);
            }
        }
    })?;
    opened.how.missing.add(stats.gaps);
    Ok(rows)
}
