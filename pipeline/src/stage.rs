//! State that is brought forward in order of time, while blocks are read in parallel and overlap each other.
//!
//! Clients of the stage declare events and arguments that they read ([`Reads`]). Blocks that have such rows are scanned in
//! order of their first rows: any thread decodes the declared columns and lists the rows ([`scan`]). A block waits until all
//! blocks that may hold an earlier row than its last one are scanned; then the rows up to there are told to the clients,
//! in order of time, and the block takes out what it needs of their state.
//!
//! ```text
//! block a  |-----*-------|             * a declared row. Once b is scanned and c is the next: rows up to the end of a are
//! block b        |---*---------|       told, and a can be judged; b waits for c.
//! block c                  |----
//! ```
//! To add a client that answers of questions depend on: implement [`Client`], and give it a place in [`crate::state`], where
//! it says for which questions it is there and what blocks take out of it. One that is asked by itself, at some moments, is
//! brought forward by [`crate::History`].

pub(crate) mod copies;
mod passing;
mod repeats;
mod thinning;
mod transients;
mod view;

use std::collections::VecDeque;
use std::sync::Arc;

use events::{Context, EventId, Marks, Raw};
use format::facts::Passes;
use format::{Block, BlockInfo};
pub use passing::Passing;
use thinning::Thinning;
use view::View;

/// An event that a client reads, and its arguments by their positions in the catalogue's declaration.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Reads {
    pub event: EventId,
    pub args: Vec<usize>,
    /// Of the event's contexts too.
    pub contexts: bool,
    /// Results and marks as well.
    pub results: bool,
    /// Rows that it is told; all without.
    pub only: Option<Sieve>,
    /// What rows of the event do to descriptors, where that is all that they do to the client besides saying what the
    /// descriptors stand for that are read.
    pub descriptors: Option<DescriptorChange>,
}

/// What an event does to the descriptors of its process, beside saying what those stand for that are read.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum DescriptorChange {
    /// Nothing.
    None,
    /// It sets something of them.
    Sets,
    /// What it does to the one of `fd` depends on the number of another argument.
    Controls { fd: usize, command: usize, sets: &'static [u64], duplicates: &'static [u64] },
    /// Its result is a new one.
    Opens,
    /// Its result is a copy of the one of this argument.
    Duplicates(usize),
    /// The one of this argument is closed.
    Closes(usize),
    /// Nothing: it tells something of the call that it happens in, which has not returned yet.
    TellsOfCall,
    /// Nothing, and nothing to its process: whoever runs has no part in it.
    Elsewhere,
}

impl Reads {
    /// Arguments that the catalogue does not declare are left out: their values are missing.
    pub fn new(event: EventId, args: &[&str], contexts: bool) -> Reads {
        let declared = events::catalogue::by_id(event);
        let position = |name: &&str| Some(declared?.arg(name)?.0);
        Reads {
            event,
            args: args.iter().filter_map(position).collect(),
            contexts,
            results: false,
            only: None,
            descriptors: None,
        }
    }
}

/// The rows whose value of one argument may matter. A client may be told others as well.
#[derive(Clone, Copy, Debug)]
pub struct Sieve {
    pub position: usize,
    pub passes: Passes,
}

impl PartialEq for Sieve {
    fn eq(&self, other: &Sieve) -> bool {
        self.position == other.position && std::ptr::fn_addr_eq(self.passes, other.passes)
    }
}

impl Eq for Sieve {}

/// State that goes forward only, in order of time. Of what is per boot or host it keeps one each. A clone of it is a
/// checkpoint.
pub trait Client {
    /// A part of a host's recording begins, with what the file knows of that moment.
    fn begin(&mut self, _file: usize, _host: u16) {}

    /// A row of an event that it reads. Rows of events that other clients read come too.
    fn tell(&mut self, row: &Told<'_>);

    /// Nothing older than this time (on the ordering clock) will be asked any more.
    fn forget(&mut self, before: u64);
}

/// A block that was scanned.
#[derive(Debug)]
pub(crate) struct Scanned {
    pub job: usize,
    /// Number of its file in the source.
    pub file: usize,
    /// Number of its host's boot in the source.
    pub boot: usize,
    /// Somebody will see its rows.
    pub is_chosen: bool,
    pub block: Arc<Block>,
}

/// A row that a client declared.
#[derive(Debug)]
pub struct Told<'a> {
    /// On the ordering clock.
    pub time: u64,
    pub event: EventId,
    pub(crate) of: &'a Scanned,
    /// Where rows of one block follow each other: their columns.
    view: Option<&'a View<'a>>,
    pub(crate) row: u32,
    code: u16,
    ordinal: u32,
}

impl<'a> Told<'a> {
    /// The time on the boot clock of its host.
    pub fn boot_ns(&self) -> u64 {
        if let Some(view) = self.view {
            return view.time(self.row);
        }
        self.of.block.times().ok().and_then(|times| times.get(self.row as usize)).copied().unwrap_or_default()
    }

    /// Wall clock by the clocks of its block, ns since the epoch.
    pub fn wall_ns(&self) -> i64 {
        if let Some(view) = self.view {
            return view.wall_ns(self.row);
        }
        self.of.block.clock().wall(self.boot_ns()) as i64
    }

    /// The file that it stands in, by its number in the source.
    pub fn file(&self) -> usize {
        self.of.file
    }

    /// Its host, by its number in the file.
    pub fn host(&self) -> u16 {
        self.of.block.host()
    }

    /// Which boot of the source it is of.
    pub fn boot(&self) -> usize {
        self.of.boot
    }

    /// What its result is; 0 when no client declared that it reads results.
    pub fn ret(&self) -> i64 {
        if let Some(view) = self.view {
            return view.ret(self.row);
        }
        self.of.block.rets().ok().and_then(|rets| rets.get(self.row as usize)).copied().unwrap_or_default()
    }

    pub fn marks(&self) -> Marks {
        if let Some(view) = self.view {
            return Marks(view.marks(self.row));
        }
        Marks(
            self.of
                .block
                .marks()
                .ok()
                .and_then(|all| all.get(self.row as usize))
                .copied()
                .unwrap_or_default(),
        )
    }

    /// What names its context until the next block is told: rows of equal names have equal contexts.
    pub fn context_name(&self) -> Option<(usize, u16)> {
        if let Some(view) = self.view {
            return Some((self.of.job, view.context_code(self.row)?));
        }
        let code = self.of.block.context_codes().ok()?.get(self.row as usize)?;
        Some((self.of.job, *code))
    }

    /// Its context; `None` when no client declared that it reads it.
    pub fn context(&self) -> Option<Context<'a>> {
        if let Some(view) = self.view {
            return view.context(self.row);
        }
        let block = &self.of.block;
        let code = block.context_codes().ok()?.get(self.row as usize)?;
        block.contexts().ok()?.get(*code)
    }

    /// An argument by its position.
    pub fn arg(&self, position: usize) -> Raw<'a> {
        if let Some(view) = self.view {
            return view.argument(self.code, position, self.ordinal);
        }
        let column = self.of.block.args(self.code).column(position);
        column.map_or(Raw::Missing, |column| column.get(self.ordinal as usize))
    }

    pub fn number(&self, position: usize) -> Option<u64> {
        match self.arg(position) {
            Raw::Number(number) => Some(number),
            _ => None,
        }
    }
}

/// A declared row in its block.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Row {
    time: u64,
    row: u32,
    ordinal: u32,
    code: u16,
    event: EventId,
    /// It is there only for the state that it changes.
    is_hidden: bool,
}

impl Row {
    /// On the ordering clock.
    pub fn time(&self) -> u64 {
        self.time
    }

    pub fn told<'a>(&self, of: &'a Scanned) -> Told<'a> {
        let Row { time, row, ordinal, code, event, is_hidden: _ } = *self;
        Told { time, event, of, view: None, row, code, ordinal }
    }

    fn told_of<'a>(&self, of: &'a Scanned, view: &'a View<'a>) -> Told<'a> {
        Told { view: Some(view), ..self.told(of) }
    }
}

/// Whether a block has rows that are read.
pub(crate) fn has_rows(reads: &[Reads], info: &BlockInfo) -> bool {
    reads.iter().any(|reads| info.statistics.rows_of(reads.event) > 0)
}

/// Decodes what is read of a block, and lists its rows in the order in which they stand.
/// `key`: of a time of the boot clock on the ordering clock. `is_alone`: nothing else is told, and nobody looks, between
/// its first row and its last one, so that rows can be left out whose effects are gone by then.
pub(crate) fn scan(
    reads: &[Reads],
    key: impl Fn(u64) -> u64,
    block: &Block,
    is_alone: bool,
) -> format::Result<Vec<Row>> {
    let mut is_read = vec![false; block.event_list().len()];
    let mut passing: Vec<Option<Passing>> = vec![None; is_read.len()];
    let (mut contexts, mut results) = (false, false);
    let of_events = (0u16..).zip(block.event_list()).zip(is_read.iter_mut().zip(&mut passing));
    for ((code, event), (is_read, passing)) in of_events {
        let own = || reads.iter().filter(|reads| reads.event == *event);
        if own().all(|reads| reads.only.is_some()) {
            let sieves = own().filter_map(|reads| reads.only);
            *passing = sieves
                .map(|sieve| Passing::of(block, code, sieve))
                .reduce(|one, other| Ok(one?.or(other?)))
                .transpose()?;
            if passing.as_ref().is_some_and(Passing::is_none) {
                continue;
            }
        }
        for reads in own() {
            *is_read = true;
            contexts |= reads.contexts;
            results |= reads.results;
            for position in &reads.args {
                block.args(code).column(*position)?;
            }
        }
    }
    let mut rows = Vec::new();
    if !is_read.contains(&true) {
        return Ok(rows);
    }
    if contexts {
        block.context_codes()?;
        block.contexts()?;
    }
    if results {
        block.rets()?;
    }
    let (times, marks) = (block.times()?, block.marks()?);
    let mut thinning = if is_alone && times.is_sorted() { Thinning::of(reads, block)? } else { None };
    let mut ordinals = vec![0; is_read.len()];
    for (row, code) in (0u32..).zip(block.event_codes()?) {
        let at = usize::from(*code);
        if !is_read.get(at).is_some_and(|is_read| *is_read) {
            continue;
        }
        let (Some(time), Some(event), Some(ordinal)) =
            (times.get(row as usize), block.event_list().get(at), ordinals.get_mut(at))
        else {
            continue;
        };
        let at_ordinal = *ordinal as usize;
        *ordinal += 1;
        if passing.get(at).and_then(Option::as_ref).is_some_and(|passing| !passing.has(at_ordinal)) {
            continue;
        }
        if thinning.as_mut().is_some_and(|thinning| thinning.leaves_out(row as usize, at, at_ordinal)) {
            continue;
        }
        let time = key(*time);
        let is_hidden = marks.get(row as usize).is_some_and(|marks| marks & Marks::STATE_ONLY != 0);
        rows.push(Row { time, row, ordinal: at_ordinal as u32, code: *code, event: *event, is_hidden });
    }
    if let Some(thinning) = thinning {
        thinning.thin(&mut rows);
    }
    Ok(rows)
}

/// Something that is to be told.
#[derive(Debug)]
enum Pending {
    Begin { time: u64, file: usize, host: u16 },
    Row { row: Row, of: Arc<Scanned> },
}

impl Pending {
    fn time(&self) -> u64 {
        match self {
            Pending::Begin { time, .. } => *time,
            Pending::Row { row, .. } => row.time,
        }
    }
}

/// The state, what is to be told to it, and what waits for it.
#[derive(Debug)]
pub(crate) struct Stage<S: Client, W> {
    state: S,
    pending: Vec<Pending>,
    waiting: VecDeque<Judged<W>>,
}

#[derive(Debug)]
struct Judged<W> {
    first: u64,
    last: u64,
    what: W,
}

impl<S: Client, W> Stage<S, W> {
    pub fn new(state: S) -> Stage<S, W> {
        Stage { state, pending: Vec::new(), waiting: VecDeque::new() }
    }

    pub fn state(&self) -> &S {
        &self.state
    }

    pub fn into_state(self) -> S {
        self.state
    }

    /// A file's recording of a host begins at this time.
    pub fn begin(&mut self, time: u64, file: usize, host: u16) {
        self.pending.push(Pending::Begin { time, file, host });
    }

    /// Rows that are to be told. Blocks come in order of their first rows.
    pub fn rows(&mut self, of: &Arc<Scanned>, rows: Vec<Row>) {
        self.pending.extend(rows.into_iter().map(|row| Pending::Row { row, of: Arc::clone(of) }));
    }

    /// Something with rows of this time waits for the state. In order of the first rows.
    pub fn wait(&mut self, first: u64, last: u64, what: W) {
        self.waiting.push_back(Judged { first, last, what });
    }

    /// Calls `judge` with what need not wait any longer. `next`: the first time of the blocks that are still to be scanned.
    pub fn advance(&mut self, next: Option<u64>, mut judge: impl FnMut(&mut S, W)) {
        // What came late stands among others of its time; those of one time in the order in which they were found.
        self.pending.sort_by_key(Pending::time);
        while let Some(judged) =
            self.waiting.pop_front_if(|judged| next.is_none_or(|next| next > judged.last))
        {
            self.state.forget(judged.first);
            self.tell(|time| time <= judged.last);
            judge(&mut self.state, judged.what);
        }
        if self.waiting.is_empty() {
            // Nobody waits for these: what is read next begins no earlier than they are, or asks for them anyway.
            self.tell(|time| next.is_none_or(|next| time < next));
        }
    }

    fn tell(&mut self, is_due: impl Fn(u64) -> bool) {
        let due = self.pending.partition_point(|pending| is_due(pending.time()));
        let rows = self.pending.get(..due).unwrap_or_default().iter().enumerate();
        let copies = copies::of(rows.filter_map(|(at, pending)| match pending {
            Pending::Row { row, of } => Some((at, row, &**of)),
            Pending::Begin { .. } => None,
        }));
        let is_copy = |at: usize| copies.binary_search(&at).is_ok();
        let mut pending = self.pending.drain(..due).enumerate().peekable();
        while let Some((at, next)) = pending.next() {
            let (row, of) = match next {
                Pending::Begin { file, host, .. } => {
                    self.state.begin(file, host);
                    continue;
                }
                Pending::Row { row, of } => (row, of),
            };
            let view = View::new(&of.block);
            if !is_copy(at) {
                self.state.tell(&row.told_of(&of, &view));
            }
            let is_same =
                |next: &Pending| matches!(next, Pending::Row { of: other, .. } if Arc::ptr_eq(other, &of));
            while let Some((at, Pending::Row { row, .. })) = pending.next_if(|(_, next)| is_same(next)) {
                if !is_copy(at) {
                    self.state.tell(&row.told_of(&of, &view));
                }
            }
        }
    }
}

#[cfg(test)]
mod tests;
