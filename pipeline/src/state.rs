//! The clients of the stage with state that a question needs, brought forward together: each sees what those before it know
//! of the same moment.

use std::sync::Arc;

use format::{Block, BlockInfo, Clock};
use scopes::{Lineage, LineageBits};

use crate::derive::packets::stream::Message;
use crate::lineage::{self, Lineages};
use crate::matching::Matcher;
use crate::source::{BlockRef, Host, Source};
use crate::stage::{self, Client, Reads, Told};
use crate::streams::{self, StreamState};

/// The clients that a question has; a clone is a checkpoint.
#[derive(Clone, Debug)]
pub(crate) struct State<'q> {
    lineages: Option<Lineages<'q>>,
    streams: Option<StreamState>,
}

/// What blocks are to be scanned for.
#[derive(Clone, Debug, Default)]
pub(crate) struct Scans {
    lineage: Vec<Reads>,
    /// By boot: whether somebody asks for lineage there.
    boots: Vec<bool>,
    streams: Vec<Reads>,
    all: Vec<Reads>,
    /// Something may be left when a recording ends.
    has_ends: bool,
}

/// What a block takes out of the state when its rows are judged.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub(crate) struct Taken {
    /// By code of the block's contexts; empty where nobody asks, and before the block is matched.
    pub lineage: Vec<LineageBits>,
    /// Messages that packets of the block completed, with their rows, in order.
    pub messages: Vec<(u32, Message)>,
    /// The rows are copies of packets that were told before, for the sake of their messages.
    pub is_end: bool,
}

impl<'q> State<'q> {
    /// The clients that answers of these matchers depend on; `None` when there are none.
    pub fn new(source: &'q Source, matchers: &[Matcher<'q>]) -> Option<State<'q>> {
        let lineages = Lineages::new(source, matchers);
        let streams = matchers.iter().any(Matcher::reads_streams).then(StreamState::default);
        (lineages.is_some() || streams.is_some()).then_some(State { lineages, streams })
    }

    /// What the state is told of blocks.
    pub fn scans(&self) -> Scans {
        let (mut lineage, mut boots) = (Vec::new(), Vec::new());
        if let Some(lineages) = &self.lineages {
            lineage = lineage::reads();
            boots = lineages.boots();
        }
        let streams = if self.streams.is_some() { streams::reads() } else { Vec::new() };
        let all = [lineage.as_slice(), streams.as_slice()].concat();
        Scans { lineage, boots, streams, all, has_ends: self.streams.is_some() }
    }

    /// The moments when recordings begin, with file and host, for those who know something of them.
    pub fn beginnings(&self) -> Vec<(u64, usize, u16)> {
        self.lineages.as_ref().map(Lineages::beginnings).unwrap_or_default()
    }

    /// What the block of a job needs. All rows up to its last one were told.
    pub fn take(&mut self, job: usize, file: usize, host: u16, block: Option<Arc<Block>>) -> Ready {
        let lineage = self.lineages.as_ref().and_then(|lineages| lineages.now(file, host));
        let messages = self.streams.as_mut().map(|streams| streams.take(job)).unwrap_or_default();
        Ready { block, lineage, taken: Taken { messages, ..Taken::default() } }
    }

    /// What is left when the recording of a boot ends, as a block of this host; `None` when nothing is.
    pub fn end(&mut self, host: &Host, end_ns: u64) -> Option<Ready> {
        let unended = self.streams.as_mut()?.end(host.boot);
        let wall_ns = host.wall(end_ns) as u64;
        streams::ready(unended, host.number, Clock { monotonic_ns: end_ns, boot_ns: end_ns, wall_ns })
    }
}

impl Client for State<'_> {
    fn begin(&mut self, file: usize, host: u16) {
        if let Some(lineages) = &mut self.lineages {
            lineages.begin(file, host);
        }
    }

    fn tell(&mut self, row: &Told<'_>) {
        if let Some(lineages) = &mut self.lineages {
            lineages.tell(row);
        }
        if let Some(streams) = &mut self.streams {
            let lineages = &self.lineages;
            streams.tell(row, |context| {
                lineages.as_ref().map_or(LineageBits::default(), |lineages| lineages.of_task(row.of, context))
            });
        }
    }

    fn forget(&mut self, before: u64) {
        if let Some(lineages) = &mut self.lineages {
            lineages.forget(before);
        }
    }
}

impl Scans {
    /// All that is read of blocks.
    pub fn reads(&self) -> &[Reads] {
        &self.all
    }

    pub fn has_ends(&self) -> bool {
        self.has_ends
    }

    /// Whether the state is to be told anything of a block.
    pub fn has_rows(&self, reference: BlockRef, info: &BlockInfo) -> bool {
        let of_lineage = self.boots.get(reference.boot).copied().unwrap_or_default();
        of_lineage && stage::has_rows(&self.lineage, info) || stage::has_rows(&self.streams, info)
    }
}

/// A block whose turn has come to be matched, with what it took out of the state.
#[derive(Debug, Default)]
pub(crate) struct Ready {
    /// `None` when it was not opened yet.
    pub block: Option<Arc<Block>>,
    /// The processes of its host at its end; its own are looked up when it is matched, on any thread.
    pub lineage: Option<Arc<Lineage>>,
    pub taken: Taken,
}
