//! Pages that take their time: each on a thread of its own, given up when the next one is asked for.

mod copy;
mod explain;
mod findings;
mod processes;
mod state;
mod story;
mod sums;
mod table;

use std::sync::Arc;

use pipeline::{Cancellation, Question};
use replay::Asked;

use super::{Query, State, Style};
use crate::message::Message;
use crate::page::{Line, Page};
use crate::study::Study;

/// What a study is made with.
pub(super) struct Desk<'a> {
    pub state: &'a State,
    pub query: &'a Query,
    pub style: &'a Style,
    pub cancellation: &'a Cancellation,
}

/// What went wrong with a page, in words.
pub(super) type Made = Result<Page, String>;

pub fn run(state: &Arc<State>, ticket: u64, study: Study, style: &Style, cancellation: &Cancellation) {
    // The first question may not have been put yet.
    let query = loop {
        match state.query() {
            Some(query) => break query,
            None if cancellation.is_cancelled() => return,
            None => std::thread::sleep(std::time::Duration::from_millis(10)),
        }
    };
    let desk = Desk { state, query: &query, style, cancellation };
    let made = match study {
        Study::Explain(at) => explain::page(&desk, at),
        Study::Lineage(at) => processes::lineage(&desk, at),
        Study::Tree(of) => processes::tree(&desk, of),
        Study::Story(at) => story::page(&desk, at),
        Study::State(kind, wall_ns) => state::page(&desk, kind, wall_ns),
        Study::Findings => findings::page(&desk),
        Study::Losses => findings::losses(&desk),
        Study::Copy(at, page) => copy::page(&desk, at, *page),
        Study::Sums(group) => sums::page(&desk, group),
    };
    if cancellation.is_cancelled() {
        return;
    }
    let page = made.unwrap_or_else(|why| {
        let text = scopes::spelled_out(&why);
        Page { title: "This did not work".into(), lines: vec![Line::new(text)], ..Page::default() }
    });
    state.tell(Message::Page { ticket, page });
}

/// Counts filters, each by itself, over the time that is shown.
pub fn count(state: &Arc<State>, filters: &[String]) {
    let Some(query) = state.query() else { return };
    for filter in filters {
        let Ok(set) = (state.check)(std::slice::from_ref(filter)) else { continue };
        let Ok(asked) = Asked::given(set, &query.shared.source) else { continue };
        let source = &query.shared.source;
        let question = Question {
            threads: state.threads,
            range: query.range.clone(),
            ..Question::new(source, asked.matchers(source))
        };
        if let Ok(stats) = question.count() {
            state.tell(Message::Count { filter: filter.clone(), count: stats.matched });
        }
    }
}
