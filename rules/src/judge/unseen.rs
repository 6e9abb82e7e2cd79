//! Rows that a part of a capture has for the state of processes alone. They stand before its own rows, among those of other
//! parts: what they tell waits for its time. A block's worth of each file waits at most, since batches come in order of
//! their first rows.

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
    /// A row of a boot waits for its time; `at`: its number, the code of its event, and its number among those.
    pub fn wait(&mut self, time: u64, boot: usize, block: Arc<Block>, at: (u32, u16, u32)) {
        let (row, code, ordinal) = at;
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
