//! Blocks that arrive one after the other, without a file that could be gone through: standard input, a file that grows,
//! what a recorder has just built.
//!
//! ```text
//! recorder --EncodedBlock--> Sender --+
//! bytes --format::StreamReader--------+--> Feed --> Source::growing --> Question
//! ```
//! To add a kind: implement [`Feed`], or run a thread that fills a [`channel`]. Rows are put in order of time as far as blocks
//! that are under way allow it: see [`crate::arriving`].

mod stream;

use std::fmt;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, sync_channel};
use std::time::Duration;

use format::{Block, Capture, EncodedBlock, Header, Scratch, Side, Statistics, Writer};

use crate::Source;
pub use stream::{Parts, stream};

/// How long nobody hears of a feed that has nothing to say.
const PATIENCE: Duration = Duration::from_millis(200);

/// Gives blocks and what stands beside them, in the order in which they were written.
pub trait Feed: Send + fmt::Debug {
    /// Waits for what comes next; [`Fed::Nothing`] when that takes longer than some tenths of a second. `None` at the end.
    fn next(&mut self) -> format::Result<Option<Fed>>;
}

/// What a feed gives.
#[derive(Debug)]
pub enum Fed {
    /// A block, and what is known of its rows without reading them.
    Block(Arc<Block>, Box<Statistics>),
    /// What was learned of the host meanwhile.
    Side(Side),
    /// No block that comes later has a row before this time, boot clock ns: what waits for such rows need not any longer.
    UpTo(u64),
    /// Nothing came for a while.
    Nothing,
    /// Something is missing here, in words.
    Missing(String),
}

/// A source that another thread fills with blocks that a recorder has built. Neither side waits for the other, as long as no
/// more than `capacity` blocks and records are under way.
///
/// `header` and `sides` say of the host what a file would say in front of its first block.
pub fn channel(
    name: &str,
    header: &Header,
    sides: &[Side],
    capacity: usize,
) -> format::Result<(Sender, Source)> {
    let mut head = Writer::create(Vec::new(), header)?;
    sides.iter().try_for_each(|side| head.side(side))?;
    let head = Capture::growing(head.get_ref().clone(), &format::OpenOptions::default())?;
    let (sender, receiver) = sync_channel(capacity);
    let schema = Arc::clone(head.schema());
    let feed = Receiving(receiver);
    let source = Source::growing(name.to_owned(), head, Box::new(feed));
    Ok((Sender { sender, schema, scratch: Scratch::new() }, source))
}

/// The end of a [`channel`] that blocks go into. Dropping it ends the recording.
#[derive(Debug)]
pub struct Sender {
    sender: SyncSender<format::Result<Fed>>,
    schema: Arc<format::Schema>,
    scratch: Scratch,
}

/// Nobody asks any more.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Gone;

impl Sender {
    /// Sends a block, and waits while there is no room.
    pub fn block(&mut self, block: Arc<EncodedBlock>) -> Result<(), Gone> {
        let statistics = Box::new(block.statistics().clone());
        let block = Block::from_encoded(block, &self.schema, &mut self.scratch);
        self.send(block.map(|block| Fed::Block(Arc::new(block), statistics)))
    }

    /// Sends what was learned of the host.
    pub fn side(&mut self, side: Side) -> Result<(), Gone> {
        self.send(Ok(Fed::Side(side)))
    }

    /// Promises that no row before this time will be sent, boot clock ns: see [`Fed::UpTo`].
    pub fn up_to(&mut self, boot_ns: u64) -> Result<(), Gone> {
        self.send(Ok(Fed::UpTo(boot_ns)))
    }

    fn send(&mut self, fed: format::Result<Fed>) -> Result<(), Gone> {
        self.sender.send(fed).map_err(|_| Gone)
    }
}

/// What another thread sends; an error is the last of it.
#[derive(Debug)]
pub struct Receiving(pub Receiver<format::Result<Fed>>);

impl Feed for Receiving {
    fn next(&mut self) -> format::Result<Option<Fed>> {
        match self.0.recv_timeout(PATIENCE) {
            Ok(fed) => fed.map(Some),
            Err(RecvTimeoutError::Timeout) => Ok(Some(Fed::Nothing)),
            Err(RecvTimeoutError::Disconnected) => Ok(None),
        }
    }
}
