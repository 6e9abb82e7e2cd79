//! From the recorder's lanes to a feed: what is shown is handed over without waiting, and goes on from a thread of its own.

use std::io;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::thread;

use crossbeam_channel::{Sender, unbounded};
use format::{EncodedBlock, Side};
use recorder::lanes::Viewer;

use super::{Link, WAITING_BYTES};

/// Takes what the recorder shows.
#[derive(Debug)]
pub struct Relay {
    to: Sender<Shown>,
    link: Arc<Link>,
}

#[derive(Debug)]
enum Shown {
    Block(Arc<EncodedBlock>),
    Side(Side),
}

/// Starts the thread between; it ends with either side.
pub fn start(
    mut feed: pipeline::feed::Sender,
    link: Arc<Link>,
    confine: impl FnOnce() -> io::Result<()> + Send + 'static,
) -> io::Result<Relay> {
    let (to, from) = unbounded();
    let of_thread = Arc::clone(&link);
    thread::Builder::new().name("tracer-relay".into()).spawn(move || {
        if confine().is_err() {
            return;
        }
        for shown in from {
            let sent = match shown {
                Shown::Block(block) => {
                    let bytes = block.bytes() as u64;
                    let sent = feed.block(block);
                    of_thread.waiting.fetch_sub(bytes, Ordering::Relaxed);
                    sent
                }
                Shown::Side(side) => feed.side(side),
            };
            if sent.is_err() {
                return;
            }
        }
    })?;
    Ok(Relay { to, link })
}

impl Viewer for Relay {
    fn block(&mut self, block: &Arc<EncodedBlock>) {
        let bytes = block.bytes() as u64;
        let waiting = self.link.waiting.load(Ordering::Relaxed);
        // One block may be larger than all that may wait.
        if waiting > 0 && waiting + bytes > WAITING_BYTES {
            self.link.unseen.fetch_add(block.rows().into(), Ordering::Relaxed);
            return;
        }
        self.link.waiting.fetch_add(bytes, Ordering::Relaxed);
        // Who looks on may be gone: the recording ends soon then.
        let _ = self.to.send(Shown::Block(Arc::clone(block)));
    }

    fn side(&mut self, side: &Side) {
        let _ = self.to.send(Shown::Side(side.clone()));
    }
}
