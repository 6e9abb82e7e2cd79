//! Blocks as a recorder builds them are asked without a file, and answer as their file does.

use std::path::Path;
use std::sync::Arc;

use events::Raw;
use format::{Capture, Scratch, Side};
use pipeline::{Args, Matcher, Question, Source, feed};
use scopes::{Plan, ScopeSet};

use crate::case::Case;
use crate::random::Random;

pub fn live(case: &Case, random: &mut Random) {
    let capture = Capture::open(Path::new(case.one())).expect("a capture");
    let mut scratch = Scratch::new();
    let blocks: Option<Vec<_>> = (0..capture.blocks().len())
        .map(|number| capture.stored_block(number, &mut scratch).expect("a block").map(Arc::new))
        .collect();
    // Of files of older versions blocks are made anew.
    let Some(blocks) = blocks else { return };
    let mut set = ScopeSet::parse(&case.filters).expect("filters that were asked before");
    if set.resolve_users(&replay::asked::users(std::iter::once(&capture))).is_err() {
        return;
    }
    rules::behaviours::install();
    let plan = Plan::compile(&set);
    let sides = [
        Side::Processes(capture.processes().to_vec()),
        Side::Cgroups(capture.cgroups().to_vec()),
        Side::Users(capture.users().to_vec()),
    ];
    let mut header = capture.header().clone();
    header.schema = capture.schema().declarations();
    let (mut sender, growing) = feed::channel("live", &header, &sides, 4).expect("a source");
    let sending = std::thread::spawn(move || {
        for block in blocks {
            sender.block(block).expect("somebody asks");
        }
    });
    let threads = *random.of(&[1, 2, 5]);
    let rows = told(&growing, &plan, threads);
    sending.join().expect("all blocks are sent");
    let whole = Source::new(vec![("whole".to_owned(), capture)]);
    case.assert_arrived(&rows, &told(&whole, &plan, 1), "live");
}

/// All that is seen of the events of an answer.
fn told(source: &Source, plan: &Plan, threads: usize) -> String {
    let question = Question { threads, ..Question::new(source, vec![Matcher::new(plan)]) };
    let mut rows = String::new();
    question
        .each(&mut |_, view| {
            let args: Vec<Raw<'_>> =
                (0..view.event.args.len()).map(|position| view.args.get(position)).collect();
            let is_derived = !matches!(view.args, Args::Row { .. });
            rows.push_str(&format!(
                "{} {} {} {is_derived} {} {} {:?} {} {:?} {:?} {args:?}\n",
                view.wall_ns,
                view.event.name,
                view.scopes,
                view.cpu,
                view.ret,
                view.duration_ns,
                view.marks.0,
                view.container,
                view.context
            ));
        })
        .expect("an answer");
    rows
}
