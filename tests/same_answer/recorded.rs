//! Captures as they would have been recorded with filters: each row with the mask that it had got.

use std::collections::{HashMap, VecDeque};
use std::path::Path;

use events::{Event, Marks, Raw};
use format::{BlockBuilder, Capture, Encoder, Header, Options, Row, Scratch, Side, Writer};
use pipeline::{Args, Matcher, Question, Source};
use scopes::{Plan, ScopeSet};

/// Host and place of a row: its event, its time, its number among the rows of its event and block.
type Place = (&'static str, u64, usize);

/// The capture with the filters in its header and their masks in its rows.
pub fn with_masks(path: &Path, filters: &[String]) -> Option<Vec<u8>> {
    let capture = Capture::open(path).expect("a capture");
    let mut set = ScopeSet::parse(filters).expect("filters that were asked before");
    if set.names_peers() {
        // Not all answers of DNS are there when something is recorded.
        return None;
    }
    set.resolve_users(&replay::asked::users(std::iter::once(&capture))).ok()?;
    rules::behaviours::install();
    let plan = Plan::compile(&set);
    let source = Source::new(vec![("it".to_owned(), capture)]);
    let question = Question { strict: true, ..Question::new(&source, vec![Matcher::new(&plan)]) };
    let mut masks: HashMap<Place, VecDeque<u64>> = HashMap::new();
    question
        .each(&mut |_, view| {
            if let Args::Row { ordinal, .. } = view.args {
                masks.entry((view.event.name, view.time_ns, ordinal)).or_default().push_back(view.scopes);
            }
        })
        .expect("an answer");
    let capture = &source.files().first()?.capture;
    let mut header: Header = capture.header().clone();
    header.schema = capture.schema().declarations();
    header.recording.filters = filters.to_vec();
    let mut writer = Writer::create(Vec::new(), &header).expect("a header");
    for side in [
        Side::Processes(capture.processes().to_vec()),
        Side::Cgroups(capture.cgroups().to_vec()),
        Side::Users(capture.users().to_vec()),
        Side::Losses(capture.losses().to_vec()),
    ] {
        writer.side(&side).expect("a side record");
    }
    let (mut builder, mut encoder) = (BlockBuilder::new(), Encoder::new(Options::default()));
    let mut scratch = Scratch::new();
    for number in 0..capture.blocks().len() {
        let block = capture.block(number, &mut scratch).expect("a block");
        builder.set_clock(block.clock());
        let mut ordinals = vec![0; block.event_list().len()];
        for row in 0..block.rows() {
            let code = block.event_codes().expect("codes")[row];
            let event: &'static Event =
                capture.schema().event(block.event_list()[code as usize]).expect("an event");
            let ordinal = ordinals[code as usize];
            ordinals[code as usize] += 1;
            let args: Vec<Raw<'_>> = (0..event.args.len())
                .map(|at| block.args(code).get(ordinal, at).expect("an argument"))
                .collect();
            let context = block.contexts().expect("contexts").get(block.context_codes().expect("codes")[row]);
            let context = builder.intern(&context.expect("a context"));
            let time_ns = block.times().expect("times")[row];
            let mask = masks.get_mut(&(event.name, time_ns, ordinal)).and_then(VecDeque::pop_front);
            builder
                .push(&Row {
                    time_ns,
                    event: event.id,
                    cpu: block.cpus().expect("cpus")[row],
                    context,
                    ret: block.rets().expect("results")[row],
                    scopes: mask.unwrap_or_default(),
                    marks: Marks(block.marks().expect("marks")[row]),
                    duration_ns: block.durations().expect("durations").get(row),
                    args: &args,
                })
                .expect("a row");
        }
        writer.block(&encoder.encode(&mut builder).expect("a block")).expect("a block");
    }
    Some(writer.finish().expect("a footer").0)
}
