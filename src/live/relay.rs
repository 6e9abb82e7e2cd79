//! From the recorder's lanes to a feed: what is shown is handed over without waiting, and goes on from a thread of its own.

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;
use std::time::Duration;

use crossbeam_channel::{Sender, unbounded};
use format::{EncodedBlock, Side};
use recorder::file::lanes::Viewer;

use super::{Link, WAITING_BYTES};

/// What waits for one onlooker, and what it was not shown.
#[derive(Debug, Default)]
pub struct Backlog {
    waiting_bytes: AtomicU64,
    unseen: AtomicU64,
}

impl Backlog {
    /// Events that were recorded, and not shown since the onlooker was too slow.
    pub fn unseen(&self) -> u64 {
        self.unseen.load(Ordering::Relaxed)
    }
}

/// Takes what the recorder shows, for one onlooker.
#[derive(Debug)]
pub struct Relay {
    to: Sender<Shown>,
    backlog: Arc<Backlog>,
}

/// All of them.
#[derive(Debug)]
pub struct Relays {
    pub relays: Vec<Relay>,
    /// Whose onlookers may decide at the end, and how long that may take.
    pub deciding: Option<(Arc<Link>, Duration)>,
}

#[derive(Debug)]
enum Shown {
    Block(Arc<EncodedBlock>),
    Side(Side),
}

/// Starts the thread between; it ends with either side.
pub fn start(
    mut feed: pipeline::feed::Sender,
    backlog: Arc<Backlog>,
    confine: impl FnOnce() -> io::Result<()> + Send + 'static,
) -> io::Result<Relay> {
    let (to, from) = unbounded();
    let of_thread = Arc::clone(&backlog);
    thread::Builder::new().name("tracer-relay".into()).spawn(move || {
        if confine().is_err() {
            return;
        }
        for shown in from {
            let sent = match shown {
                Shown::Block(block) => {
                    let bytes = block.bytes() as u64;
                    let sent = feed.block(block);
                    of_thread.waiting_bytes.fetch_sub(bytes, Ordering::Relaxed);
                    sent
                }
                Shown::Side(side) => feed.side(side),
            };
            if sent.is_err() {
                return;
            }
        }
    })?;
    Ok(Relay { to, backlog })
}

impl Viewer for Relays {
    fn block(&mut self, block: &Arc<EncodedBlock>) {
        self.relays.iter().for_each(|relay| relay.block(block));
    }

    fn side(&mut self, side: &Side) {
        for relay in &self.relays {
            // Who looks on may be gone: the recording ends soon then.
            let _ = relay.to.send(Shown::Side(side.clone()));
        }
    }

    fn end(self: Box<Self>) -> bool {
        let Relays { relays, deciding } = *self;
        // Onlookers see the end when nobody can send any more.
        drop(relays);
        deciding.is_some_and(|(link, wait)| link.was_triggered_at_last(wait))
    }
}

impl Relay {
    fn block(&self, block: &Arc<EncodedBlock>) {
        let bytes = block.bytes() as u64;
        let waiting = self.backlog.waiting_bytes.load(Ordering::Relaxed);
        // One block may be larger than all that may wait.
        if waiting > 0 && waiting + bytes > WAITING_BYTES {
            self.backlog.unseen.fetch_add(block.rows().into(), Ordering::Relaxed);
            return;
        }
        self.backlog.waiting_bytes.fetch_add(bytes, Ordering::Relaxed);
        // As above.
        let _ = self.to.send(Shown::Block(Arc::clone(block)));
    }
}
