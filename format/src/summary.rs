//! What the index will say of a block, gathered while it is encoded.

use std::collections::BTreeSet;

use crate::builder::ContextTable;
use crate::index::Numbers;
use crate::limits;

/// The distinct values of a block's contexts.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Summary {
    /// comm, exe, uts; `None` when there are too many to list.
    pub(crate) strings: [Option<Vec<Vec<u8>>>; 3],
    /// pid, tid, ppid, uid, mnt_ns, pid_ns, cgroup_id.
    pub(crate) numbers: [Numbers; 7],
}

/// Where the numbers of a summary stand in a context's.
const NUMBERS: [usize; 6] = [0, 1, 2, 6, 8, 9];
/// Where its strings do.
const STRINGS: [usize; 3] = [13, 14, 15];

impl Summary {
    pub(crate) fn of(contexts: &ContextTable) -> Summary {
        let mut summary = Summary::default();
        for (list, at) in summary.strings.iter_mut().zip(STRINGS) {
            let codes: BTreeSet<u32> =
                contexts.rows.iter().filter_map(|row| row.numbers.get(at).copied()).collect();
            if codes.len() <= limits::INDEX_STRINGS {
                let string = |code: u32| contexts.strings.get(code as usize).cloned();
                *list = Some(codes.into_iter().filter_map(string).collect());
            }
        }
        for (numbers, at) in summary.numbers.iter_mut().zip(NUMBERS) {
            *numbers =
                distinct(contexts.rows.iter().filter_map(|row| row.numbers.get(at).map(|n| u64::from(*n))));
        }
        if let Some(cgroups) = summary.numbers.last_mut() {
            *cgroups = distinct(contexts.rows.iter().map(|row| row.wide[0]));
        }
        summary
    }
}

fn distinct(numbers: impl Iterator<Item = u64>) -> Numbers {
    let mut all: Vec<u64> = numbers.collect();
    all.sort_unstable();
    all.dedup();
    match (all.first(), all.last()) {
        (Some(&min), Some(&max)) if all.len() > limits::INDEX_NUMBERS => Numbers::Range { min, max },
        _ => Numbers::Exact(all),
    }
}
