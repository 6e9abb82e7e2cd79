//! Filters as on a command line, one a line; behind a line `---` is what every list that they name holds. Compiled filters
//! are asked of a context, of values and of marks.
#![no_main]

use events::{Arg, ArgKind, Context, Event, EventId, Marks, Raw, Returns, Sets, Source, catalogue};
use libfuzzer_sys::fuzz_target;
use scopes::plan::RowFacts;
use scopes::{Plan, ScopeSet, Subject, Vocabulary};

static DECLARED: Event = Event {
    id: EventId(0x8000),
    name: "my_detection",
    source: Source::Recorder,
    sets: Sets::of(&[]),
    args: &[Arg::new("reason", "string", ArgKind::Str), Arg::new("tree", "any", ArgKind::Tree)],
    returns: Returns::Nothing,
};

fuzz_target!(|text: &str| {
    let (filters, list) = text.split_once("\n---\n").unwrap_or((text, ""));
    let filters: Vec<&str> = filters.lines().collect();
    let lists = |_: &str| Ok::<_, String>(list.as_bytes().to_vec());
    let vocabulary = Vocabulary { declared: &[&DECLARED], lists: Some(&lists) };
    match ScopeSet::with_vocabulary::<_, &str, &str>(&filters, &[], vocabulary) {
        Ok(set) => ask(&set, &filters),
        Err(errors) => errors.iter().for_each(|error| drop(error.to_string())),
    }
});

fn ask(set: &ScopeSet, filters: &[&str]) {
    let plan = Plan::compile(set);
    let context = Context { comm: b"evil", exe: b"/bin/evil", ..Context::default() };
    let mask = plan.context_mask(&Subject::of(&context));
    for event in catalogue::events().chain([&DECLARED]).filter(|event| plan.event_mask(event.id) != 0) {
        for position in plan.arg_positions(event.id) {
            for value in [Raw::Missing, Raw::Number(7), Raw::Bytes(b"\x02\x00\x00\x50evil\xff")] {
                plan.arg_mask(event.id, *position, value);
            }
        }
        let texts: [&[u8]; 4] =
            [b"\x01\x00/run/evil.sock\0", b"\x03\0\0\0\0\0\0\0/etc/evil", b"/etc/../evil", b"\xff"];
        for text in texts {
            plan.things_mask(event.id, &|_| Raw::Bytes(text));
        }
        plan.ret_mask(event.id, -2);
        plan.row_mask(event.id, RowFacts { wall_ns: 1, cpu: 1, marks: Marks(0x0101_0003), duration_ns: Some(7) });
    }
    // The same filters with their lists spelled out are the same.
    let spelled = set.without_lists(filters);
    if !set.names_users() {
        let again = ScopeSet::with_vocabulary::<_, &str, &str>(
            &spelled,
            &[],
            Vocabulary { declared: &[&DECLARED], lists: None },
        );
        let again = again.unwrap_or_else(|errors| panic!("{spelled:?}: {errors:?}"));
        assert_eq!(Plan::compile(&again).context_mask(&Subject::of(&context)), mask, "{spelled:?}");
    }
}
