//! Rows that a part of a capture has for the state of processes alone. They stand before its own rows, among those of other
//! parts: what they tell waits for its time. A block's worth of each file waits at most, since batches come in order of
//! their first rows. Where a block of another part was judged already that goes beyond that time, it told the same, and what
//! would come late is left out: a change may mean something else by then.

use std::collections::BTreeMap;
use std::sync::Arc;

use events::Marks;
use events::catalogue::process::SCHED_PROCESS_EXIT;
use format::Block;

use super::following::change;
use crate::facts::Processes;

/// By time, and by the order in which they were found.
#[derive(Debug, Default)]
pub struct Unseen {
    waiting: BTreeMap<(u64, u64), (usize, Row)>,
    found: u64,
    /// By boot: how far its time was told.
    told: BTreeMap<usize, Told>,
}

/// Up to which time blocks told of a boot: those of the file that went furthest, and those of all others.
#[derive(Clone, Copy, Debug)]
struct Told {
    file: usize,
    until: u64,
    others_until: Option<u64>,
}

/// A row of a block.
#[derive(Debug)]
pub struct Row {
    block: Arc<Block>,
    row: u32,
    code: u16,
    ordinal: u32,
}

impl Unseen {
    /// A block of a file is judged that tells of a boot up to a time.
    pub fn tells(&mut self, boot: usize, file: usize, until: u64) {
        let told = self.told.entry(boot).or_insert(Told { file, until, others_until: None });
        if told.file == file {
            told.until = told.until.max(until);
        } else if until > told.until {
            *told = Told { file, until, others_until: Some(told.until) };
        } else {
            told.others_until = told.others_until.max(Some(until));
        }
    }

    /// A row of a file waits for its time; `at`: its number, the code of its event, and its number among those.
    pub fn wait(
        &mut self,
        time: u64,
        boot: usize,
        file: usize,
        block: impl FnOnce() -> Arc<Block>,
        at: (u32, u16, u32),
    ) {
        let told = self.told.get(&boot);
        let by_others =
            told.and_then(|told| if told.file == file { told.others_until } else { Some(told.until) });
        if by_others.is_some_and(|until| time <= until) {
            return;
        }
        let (block, (row, code, ordinal)) = (block(), at);
        self.waiting.insert((time, self.found), (boot, Row { block, row, code, ordinal }));
        self.found += 1;
    }

    /// The time of the first one.
    pub fn first(&self) -> Option<u64> {
        self.waiting.first_key_value().map(|((time, _), _)| *time)
    }

    /// Tells the first one.
    pub fn tell(&mut self, tell: &mut dyn FnMut(usize, Row) -> format::Result<()>) -> format::Result<()> {
        match self.waiting.pop_first() {
            Some((_, (boot, row))) => tell(boot, row),
            None => Ok(()),
        }
    }
}

impl Row {
    pub fn tell(self, processes: &mut Processes) -> format::Result<()> {
        let Row { block, row, code, ordinal } = self;
        let at = row as usize;
        let contexts = block.contexts()?;
        let Some(context) = block.context_codes()?.get(at).and_then(|code| contexts.get(*code)) else {
            return Ok(());
        };
        let event = block.event_list().get(usize::from(code)).copied();
        if event == Some(SCHED_PROCESS_EXIT) {
            if context.pid == context.tid {
                processes.exit(context.process());
            }
            return Ok(());
        }
        let ret = block.rets()?.get(at).copied().unwrap_or_default();
        let marks = Marks(block.marks()?.get(at).copied().unwrap_or_default());
        let time_ns = block.times()?.get(at).copied().unwrap_or_default();
        change(processes, &block, (code, ordinal), event, &context, (time_ns, ret, marks))
    }
}
