//! The thread that finds out which rows match: from the cursor on first, so that what is looked at is there first.

use std::ops::Range;
use std::sync::Arc;
use std::sync::mpsc::Receiver;
use std::time::{Duration, Instant};

use pipeline::{Batch, Error, Matcher, Projection, Question};
use scopes::Plan;
use scopes::explain::{Part, Parts};

use super::parts::{self, Composed, Known};
use super::{Query, Shared, State, locked};
use crate::answer::Answer;
use crate::matches::{Item, Matches};
use crate::message::{Ask, Message, Progress};

/// Between two messages about how far it is.
const EVERY: Duration = Duration::from_millis(30);
/// A capture that has not grown for so long is taken to be whole.
const STILL: Duration = Duration::from_secs(2);
/// Bytes of answers that are kept for when they are asked for again.
const KEPT_BYTES: usize = 48 << 20;
/// Stretches of time that histograms have; what shows them adds some up.
pub const BUCKETS: usize = 480;

/// What a batch has.
struct Found {
    matches: Option<Matches>,
    events: u64,
}

pub fn run(state: &Arc<State>, asks: &Receiver<Ask>) {
    let mut kept: Vec<Arc<Query>> = Vec::new();
    let mut known_parts = Known::default();
    while let Ok(mut ask) = asks.recv() {
        // Only the last one is wanted.
        while let Ok(newer) = asks.try_recv() {
            ask = newer;
        }
        let shared = state.shared();
        kept.retain(|query| Arc::ptr_eq(&query.shared, &shared));
        let is_same = |query: &&Arc<Query>| query.filters == ask.filters && query.range == ask.range;
        let known =
            kept.iter().find(is_same).and_then(|query| query.again(&ask, Arc::clone(&shared), &state.check));
        let query = match known.map_or_else(|| Query::new(&ask, Arc::clone(&shared), &state.check), Ok) {
            Ok(query) => Arc::new(query),
            Err(wrong) => {
                state.tell(Message::Refused { version: ask.version, wrong });
                continue;
            }
        };
        *locked(&state.query) = Some(Arc::clone(&query));
        known_parts.turn_to(&shared);
        let parts = parts::of(&query).unwrap_or_default();
        let is_known = query.answer().is_final;
        if !is_known && let Err(error) = answer(state, &query, &parts, &mut known_parts, ask.near_wall_ns) {
            if !matches!(error, Error::Cancelled) {
                state.tell(Message::Failed(error.to_string()));
            }
            continue;
        }
        if query.cancellation.is_cancelled() {
            continue;
        }
        query.answer_mut().is_final = true;
        tell(state, &query, 1.0);
        kept.retain(|other| other.filters != query.filters || other.range != query.range);
        kept.push(Arc::clone(&query));
        while kept.len() > 1 && kept.iter().map(|it| it.answer().memory()).sum::<usize>() > KEPT_BYTES {
            kept.remove(0);
        }
        improve(state, &shared, &query);
        fill(state, &query, &parts, &mut known_parts);
    }
}

/// Finds out which rows match: from what is known of single filters, as far as that goes.
fn answer(
    state: &State,
    query: &Query,
    scopes: &[Parts],
    known: &mut Known,
    near_wall_ns: Option<i64>,
) -> Result<(), Error> {
    match known.compose(scopes) {
        Composed::Whole(answer) => {
            *query.answer_mut() = answer;
            Ok(())
        }
        // Where the others leave little, statistics and they together read less than the one alone.
        Composed::AllBut(part, rest) if rest.blocks_with_rows() * 4 > query.shared.layout.blocks().len() => {
            let alone = find(state, query, near_wall_ns, Some((&part, &rest)))?;
            known.keep(&part.identity, alone);
            Ok(())
        }
        Composed::AllBut(..) | Composed::Less => {
            find(state, query, near_wall_ns, None)?;
            if let [Parts { parts, .. }] = scopes
                && let [only] = parts.as_slice()
            {
                known.keep(&only.identity, query.answer().clone());
            }
            Ok(())
        }
    }
}

/// Asks single filters that nothing is known of while nobody waits, until somebody does.
fn fill(state: &State, query: &Query, scopes: &[Parts], known: &mut Known) {
    // What is known of a capture that still grows is old at once: a question about it is put anew all the time.
    if locked(&state.grown).is_some_and(|at| at.elapsed() < STILL) {
        return;
    }
    let missing: Vec<Part> = known.missing(scopes).into_iter().cloned().collect();
    for part in missing {
        let nothing = Answer::new(Arc::clone(&query.shared.layout));
        match find(state, query, None, Some((&part, &nothing))) {
            Ok(alone) => known.keep(&part.identity, alone),
            // Whoever asked for it all was told what is wrong.
            Err(_) => return,
        }
    }
}

/// Reads times for the histogram once nobody waits for rows.
fn improve(state: &Arc<State>, shared: &Arc<Shared>, query: &Arc<Query>) {
    if shared.has_times() {
        return;
    }
    let (state, shared, query) = (Arc::clone(state), Arc::clone(shared), Arc::clone(query));
    let read = move || {
        shared.read_times(|| Arc::ptr_eq(&state.shared(), &shared));
        if let Some(now) = state.query().filter(|now| now.version >= query.version && now.answer().is_final) {
            tell(&state, &now, 1.0);
        }
    };
    // Without it histograms are less exact.
    let _ = std::thread::Builder::new().name("tracer-times".into()).spawn(read);
}

/// Asks the whole question; or one filter of it, of which then counts what the others leave, and all of which is returned.
fn find(
    state: &State,
    query: &Query,
    near_wall_ns: Option<i64>,
    one: Option<(&Part, &Answer)>,
) -> Result<Answer, Error> {
    let mut alone = Answer::new(Arc::clone(&query.shared.layout));
    let plan = one.map(|(part, _)| Plan::compile(&part.set));
    #[cfg(test)]
    locked(&state.asked).push(one.map_or_else(|| query.filters.join(" "), |(part, _)| part.identity.clone()));
    let all = query.range.clone().unwrap_or(i64::MIN..i64::MAX);
    let parts: Vec<Range<i64>> = match near_wall_ns.filter(|near| all.contains(near) && *near > all.start) {
        Some(near) => vec![near..all.end, all.start..near],
        None => vec![all],
    };
    let total = query.shared.layout.rows().max(1);
    let mut done = 0u64;
    let mut told = None;
    for part in parts {
        let is_all = part == (i64::MIN..i64::MAX);
        let question =
            Question { range: if is_all { None } else { Some(part) }, ..query.question(state.threads) };
        let question = match &plan {
            Some(plan) => {
                let files = query.shared.source.files().iter();
                let matchers = files.map(|file| Matcher::of_capture(plan, &file.capture)).collect();
                Question { matchers, ..question }
            }
            None => question,
        };
        let look = |batch: &Batch<'_>| look(query, batch);
        let stats = question.batches_in_parallel(Projection::NONE, &look, &mut |batch, found| {
            let reference = batch.reference();
            let found = found.map_err(|source| Error::Capture { file: batch.file().name.clone(), source })?;
            done += reference.rows;
            {
                let place = query.shared.layout.place(reference.file as u32, reference.block as u32);
                let mut answer = query.answer_mut();
                match (found.matches, place, one) {
                    (Some(matches), Some(place), Some((_, rest))) => {
                        if let Some(both) = rest.and_at(place, &matches) {
                            answer.add(place, both);
                        }
                        alone.add(place, matches);
                    }
                    (Some(matches), Some(place), None) => answer.add(place, matches),
                    _ => answer.behind += found.events,
                }
            }
            let is_shown = !query.answer().is_final;
            if is_shown && told.is_none_or(|told: Instant| told.elapsed() >= EVERY) {
                told = Some(Instant::now());
                tell(state, query, done as f64 / total as f64);
            }
            Ok(())
        })?;
        if query.cancellation.is_cancelled() {
            return Err(Error::Cancelled);
        }
        if !stats.gaps.is_empty() {
            let rows = stats.gaps.iter().map(|gap| gap.rows).sum();
            state.tell(Message::Gaps { version: query.version, blocks: stats.gaps.len(), rows });
        }
    }
    alone.is_final = true;
    Ok(alone)
}

/// Which rows of a batch match.
fn look(query: &Query, batch: &Batch<'_>) -> format::Result<Found> {
    let reference = batch.reference();
    if reference.is_end() {
        return Ok(Found { matches: None, events: batch.events() });
    }
    let place = query.shared.layout.place(reference.file as u32, reference.block as u32);
    let overlaps = place.is_some_and(|place| query.shared.layout.overlaps(place));
    let mut items = Vec::with_capacity(batch.len());
    let times = if overlaps { batch.block().times()? } else { &[] };
    let mut keys = Vec::new();
    for (row, _, visible) in batch.rows().filter(|(.., visible)| *visible != 0) {
        let _ = visible;
        items.push(Item { row: batch.at(row).row, derived: 0 });
        if overlaps {
            keys.push(batch.host().key(times.get(row as usize).copied().unwrap_or_default()));
        }
    }
    let plain = items.len();
    batch.each_deriving(&mut |view| {
        items.push(Item { row: view.at.row, derived: view.at.derived });
        if overlaps {
            keys.push(view.host.key(view.time_ns));
        }
    })?;
    if items.len() > plain {
        items.sort_unstable();
        keys.sort_unstable();
    }
    let events = items.len() as u64;
    Ok(Found { matches: Some(Matches::new(items, batch.block().rows() as u32, keys)), events })
}

fn tell(state: &State, query: &Query, part: f64) {
    if query.cancellation.is_cancelled() {
        return;
    }
    let answer = query.answer();
    let shared = &query.shared;
    let (from_ns, to_ns) = shared.extent();
    let (from_ns, to_ns) = match &query.range {
        Some(range) => (range.start.max(from_ns), range.end.min(to_ns).max(range.start.max(from_ns))),
        None => (from_ns, to_ns),
    };
    let progress = Progress {
        version: query.version,
        found: answer.len() + answer.behind,
        total: shared.layout.rows(),
        part,
        is_final: answer.is_final,
        from_ns,
        to_ns,
        matched: shared.histogram(Some(&answer), from_ns, to_ns, BUCKETS),
        all: shared.histogram(None, from_ns, to_ns, BUCKETS),
    };
    drop(answer);
    state.tell(Message::Progress(Box::new(progress)));
}
