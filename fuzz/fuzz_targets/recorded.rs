//! Filters and policies that a capture says it was recorded with: they are read where nobody gives others, and they are
//! anybody's. Filters are lines; behind a line `---` stands a policy.
#![no_main]

use events::{Context, Marks, catalogue};
use format::{BlockBuilder, Capture, Encoder, Header, Options, Row, Writer};
use libfuzzer_sys::fuzz_target;
use pipeline::{Question, Source};
use replay::asked::Asked;

fn capture(filters: &str, policy: &str) -> Option<Vec<u8>> {
    let mut header = Header { schema: format::current_schema(), ..Header::default() };
    header.recording.filters = filters.lines().map(str::to_owned).collect();
    header.recording.policies = if policy.is_empty() { Vec::new() } else { vec![policy.to_owned()] };
    header.more_hosts = vec![format::Host { hostname: "other".into(), ..format::Host::default() }];
    header.more_recordings = vec![header.recording.clone()];
    let mut writer = Writer::create(Vec::new(), &header).ok()?;
    let (mut builder, mut encoder) = (BlockBuilder::new(), Encoder::new(Options::default()));
    for host in 0..2 {
        builder.set_host(host);
        let context = builder.intern(&Context { pid: 7, comm: b"sh", exe: b"/bin/sh", ..Context::default() });
        for (time_ns, name) in (0u64..).zip(["openat", "close", "sched_process_exec"]) {
            let event = catalogue::by_name(name)?.id;
            let row = Row { time_ns, event, cpu: 0, context, ret: 0, scopes: 5, marks: Marks(0), duration_ns: None, args: &[] };
            builder.push(&row).ok()?;
        }
        writer.block(&encoder.encode(&mut builder).ok()?).ok()?;
    }
    Some(writer.finish().ok()?.0)
}

fuzz_target!(|text: &str| {
    let (filters, policy) = text.split_once("\n---\n").unwrap_or((text, ""));
    let Some(bytes) = capture(filters, policy) else { return };
    let source = Source::new(vec![("made".into(), Capture::from_bytes(bytes).expect("just written"))]);
    let asked = Asked::recorded(&source);
    let question = Question { strict: true, ..Question::new(&source, asked.matchers(&source)) };
    let counted = question.count().expect("just written").matched;
    let mut seen = 0;
    question.each(&mut |_, _| seen += 1).expect("just written");
    assert_eq!(counted, seen, "{filters:?} {policy:?}");
    asked.names();
});
