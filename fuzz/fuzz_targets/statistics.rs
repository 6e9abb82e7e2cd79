//! What statistics rule out: a question asked of a capture, and of the same without its index, whose blocks are all read. The
//! first line is made into rows, the others are filters.
#![no_main]

use events::{Context, Marks, Raw, catalogue};
use format::{BlockBuilder, Capture, Encoder, Header, Options, Row, Writer};
use libfuzzer_sys::fuzz_target;
use pipeline::{Matcher, Question, Source};
use scopes::{Plan, ScopeSet};

const EVENTS: [&str; 5] = ["openat", "close", "ptrace", "sched_process_fork", "setuid"];

/// A row for each byte, a block for every eight of them. What rows say is taken from the text itself, so that filters, which
/// the fuzzer writes too, come to name it.
fn capture(text: &str) -> Option<Vec<u8>> {
    let header = Header { schema: format::current_schema(), ..Header::default() };
    let mut writer = Writer::create(Vec::new(), &header).ok()?;
    let (mut builder, mut encoder) = (BlockBuilder::new(), Encoder::new(Options::default()));
    let bytes = text.as_bytes();
    for (row, byte) in bytes.iter().enumerate().take(64) {
        let rest = bytes.get(row..(row + 1 + usize::from(byte % 9)).min(bytes.len())).unwrap_or_default();
        let number = u32::from(*byte);
        let context = Context {
            pid: number,
            tid: number + 1,
            ppid: number / 2,
            uid: number % 3,
            cgroup_id: u64::from(number % 5),
            comm: rest.get(..rest.len().min(15)).unwrap_or_default(),
            exe: rest,
            ..Context::default()
        };
        let context = builder.intern(&context);
        let event = catalogue::by_name(EVENTS[row % EVENTS.len()])?;
        let value = |kind: events::ArgKind| if kind.is_bytes() { Raw::Bytes(rest) } else { Raw::Number(number.into()) };
        let args: Vec<Raw<'_>> = event.args.iter().map(|arg| value(arg.kind)).collect();
        let (time_ns, ret) = (row as u64 * 1000, i64::from(*byte) - 100);
        let row_of = Row { time_ns, event: event.id, cpu: 0, context, ret, scopes: 1, marks: Marks(0), duration_ns: None, args: &args };
        builder.push(&row_of).ok()?;
        if row % 8 == 7 {
            writer.block(&encoder.encode(&mut builder).ok()?).ok()?;
        }
    }
    if !builder.is_empty() {
        writer.block(&encoder.encode(&mut builder).ok()?).ok()?;
    }
    Some(writer.finish().ok()?.0)
}

fn count(bytes: Vec<u8>, plan: &Plan) -> Option<(u64, u64)> {
    let source = Source::new(vec![("made".into(), Capture::from_bytes(bytes).ok()?)]);
    let question = Question { strict: true, ..Question::new(&source, vec![Matcher::new(plan)]) };
    let stats = question.count().expect("a capture that was just written");
    let mut seen = 0;
    question.each(&mut |_, _| seen += 1).expect("it was counted");
    Some((stats.matched, seen))
}

fuzz_target!(|text: &str| {
    let Some((rows, filters)) = text.split_once('\n') else { return };
    let filters: Vec<&str> = filters.lines().collect();
    let Ok(set) = ScopeSet::parse(&filters) else { return };
    let Some(whole) = capture(rows) else { return };
    let Ok(opened) = Capture::from_bytes(whole.clone()) else { return };
    let Some(end) = opened.blocks().iter().map(|block| block.offset + block.bytes).max() else { return };
    let without_index = whole[..end as usize].to_vec();
    let plan = Plan::compile(&set);
    assert_eq!(count(whole, &plan), count(without_index, &plan), "{filters:?}");
});
