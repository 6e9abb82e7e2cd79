//! What is known of a block's rows without reading them, taken from the builder as it stands.

use std::collections::BTreeSet;
use std::sync::Arc;

use events::EventId;

use crate::statistics::{EventCount, Numbers, Statistics, Texts};
use crate::{BlockBuilder, mark_counts};

/// What the builder's columns say, without the times.
pub(super) fn of_builder(b: &BlockBuilder, mut events: Vec<EventCount>) -> Statistics {
    /// Where numbers and texts stand in a context.
    const NUMBERS: [usize; 6] = [0, 1, 2, 6, 8, 9];
    const TEXTS: [usize; 3] = [13, 14, 15];
    let mut failed: Vec<EventCount> = events.iter().map(|count| EventCount { rows: 0, ..*count }).collect();
    for (code, ret) in b.events.iter().zip(&b.rets) {
        if (-4095..0).contains(ret)
            && let Some(count) = failed.get_mut(usize::from(*code))
        {
            count.rows += 1;
        }
    }
    failed.retain(|count| count.rows > 0);
    let of_codes: Vec<EventId> = events.iter().map(|count| count.event).collect();
    let marks = mark_counts::count(b.events.iter().zip(&b.marks), &of_codes);
    events.sort_unstable_by_key(|count| count.event);
    failed.sort_unstable_by_key(|count| count.event);
    let mut it = Statistics {
        hosts: vec![b.host],
        events,
        failed: Some(failed),
        has_returns_below_errors: Some(b.rets.iter().any(|ret| *ret < -4095)),
        wall_offset_ns: Some(b.clock.wall(0)),
        marks: Some(marks),
        ..Statistics::default()
    };
    let contexts = &b.contexts.rows;
    for (texts, at) in it.texts_mut().into_iter().zip(TEXTS) {
        let codes: BTreeSet<u32> = contexts.iter().filter_map(|row| row.numbers.get(at).copied()).collect();
        let text = |code: u32| b.contexts.strings.get(code).map(Arc::from);
        *texts = Texts::of(codes.into_iter().filter_map(text).collect());
    }
    let [pids, tids, ppids, uids, mnt_nss, pid_nss, cgroups] = it.numbers_mut();
    for (numbers, at) in [pids, tids, ppids, uids, mnt_nss, pid_nss].into_iter().zip(NUMBERS) {
        let column = contexts.iter().filter_map(|row| row.numbers.get(at).map(|number| u64::from(*number)));
        *numbers = Numbers::of(column.collect());
    }
    *cgroups = Numbers::of(contexts.iter().map(|row| row.wide[0]).collect());
    it
}
