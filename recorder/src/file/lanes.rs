//! From full builders to the disk: a thread that encodes and compresses, and one that writes, with bounded queues
//! between.
//!
//! ```text
//! drain --Work--> [3] --> encode --> [4] --> write --> file
//!   ^---- spare builders ----'
//! ```
//! Whoever drains the kernel never waits for the disk: when the first queue stays full it counts losses. Memory is
//! bounded by the builders there are and by the encoded blocks in the second queue. A [`Viewer`] is shown each block
//! before it is written, so that who looks on does not wait for the disk either.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU32, AtomicU64, Ordering},
    },
    thread::{self, JoinHandle},
    time::{Duration, Instant},
};

use crossbeam_channel::{Receiver, SendTimeoutError, Sender, bounded};
use format::{BlockBuilder, Encoder, Options, Side};

use crate::{
    artifacts::Taken,
    file::write::{Sink, Written},
    file::writing::Writing,
    host::priority,
    host::privileges::{self, Part},
    host::process_table::Change,
};

/// Builders that wait for the encoder. With the one being filled and the one being encoded there are five.
const WORK_QUEUE: usize = 3;
/// Empty builders that wait to be filled. What a burst needed beyond them is given up: the bound of the queue is that of the
/// builders as well.
const SPARES: usize = 1;
/// Encoded blocks that wait for the disk.
const WRITE_QUEUE: usize = 4;
/// Blocks that there are at once at most: being filled, waiting, being encoded; and encoded, one being made, one being written.
pub const BLOCKS: usize = WORK_QUEUE + 2 + WRITE_QUEUE + 2;
/// How long handing over may wait at most: the kernel's buffers hold more than that.
const PATIENCE: Duration = Duration::from_millis(10);
/// Between two looks whether the threads are done.
const LOOK_AGAIN: Duration = Duration::from_millis(5);
/// What a stream that was abandoned may take to end.
const LAST_WAIT: Duration = Duration::from_secs(1);

/// Whether the output is worth waiting for.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Wait {
    On,
    NoLonger,
}

/// What goes down the lanes, in order.
#[derive(Debug)]
pub enum Work {
    Block {
        builder: Box<BlockBuilder>,
        /// What its events did to the processes there are; empty when nobody asks.
        changes: Vec<Change>,
    },
    Side(Side),
    Artifacts(Taken),
    /// What the flight recorder holds is to be written, and what follows as well.
    Release,
}

/// An encoded block or what stands between blocks.
#[derive(Debug)]
pub enum Piece {
    Block { block: Arc<format::EncodedBlock>, changes: Vec<Change> },
    Side(Side),
    Artifacts(Taken),
    Release,
}

/// Looks on: it is shown every block and what stands between them, whether or not it is written. It runs on the thread that
/// encodes, so it must not wait, nor make a system call that [`Part::Encode`] has not.
pub trait Viewer: Send + std::fmt::Debug {
    fn block(&mut self, block: &Arc<format::EncodedBlock>);

    fn side(&mut self, side: &Side);

    /// There is no more. True: what was shown decides that the flight recorder's stretch is wanted. This may wait for whoever
    /// decides, for less time than an output may stall at the end: the file is finished afterwards.
    fn end(self: Box<Self>) -> bool;
}

/// What the lanes tell while they run.
#[derive(Debug, Default)]
pub struct Gauge {
    /// Bytes in all files of the recording.
    pub bytes: Arc<AtomicU64>,
    /// Rows that are in a file, or held by the flight recorder.
    pub rows: AtomicU64,
    /// The writer cannot go on: the recording should end.
    pub stuck: AtomicBool,
    /// The number of the file that is being written.
    pub part: Arc<AtomicU32>,
    /// Nobody waits for the output any longer.
    pub abandoned: Arc<AtomicBool>,
    /// What has been written so far.
    pub writing: Arc<Writing>,
}

/// The running threads.
#[derive(Debug)]
pub struct Lanes {
    work: Sender<Work>,
    spare: Receiver<Box<BlockBuilder>>,
    gauge: Arc<Gauge>,
    encode: JoinHandle<Result<(), format::Error>>,
    write: JoinHandle<Written>,
}

impl Lanes {
    /// Starts both threads.
    pub fn start(
        options: Options,
        sink: Sink,
        viewer: Option<Box<dyn Viewer>>,
        gauge: Arc<Gauge>,
        boost: u8,
        is_confined: bool,
    ) -> std::io::Result<Lanes> {
        let (work, to_encode) = bounded(WORK_QUEUE);
        let (spares, spare) = bounded(SPARES);
        let (pieces, to_write) = bounded(WRITE_QUEUE);
        let (encoder_ready, ready) = bounded(2);
        let writer_ready = encoder_ready.clone();
        let confine = move |part| if is_confined { privileges::confine(part) } else { Ok(()) };
        let encode = thread::Builder::new().name("tracer-encode".into()).spawn(move || {
            // Refused without the capability, which whoever asked for it is told of.
            let _ = priority::boost(boost);
            let _ = encoder_ready.send(confine(Part::Encode));
            encode(options, &to_encode, viewer, &spares, &pieces)
        })?;
        let write = thread::Builder::new().name("tracer-write".into()).spawn(move || {
            let _ = writer_ready.send(confine(Part::Write));
            sink.run(&to_write)
        })?;
        // Nothing is handed over to a thread that can do more than it should.
        for ready in ready.iter().take(2) {
            ready?;
        }
        Ok(Lanes { work, spare, gauge, encode, write })
    }

    pub fn gauge(&self) -> Arc<Gauge> {
        Arc::clone(&self.gauge)
    }

    /// An empty builder.
    pub fn builder(&self) -> Box<BlockBuilder> {
        self.spare.try_recv().unwrap_or_default()
    }

    /// Hands work over; gives it back when the queue stays full.
    pub fn hand_over(&self, work: Work) -> Result<(), Work> {
        match self.work.send_timeout(work, PATIENCE) {
            Ok(()) => Ok(()),
            Err(SendTimeoutError::Timeout(work) | SendTimeoutError::Disconnected(work)) => Err(work),
        }
    }

    /// Whether handing over would wait.
    pub fn is_full(&self) -> bool {
        self.work.is_full()
    }

    /// Hands over and waits as long as `patience` does: at the end, when nothing is drained any more.
    pub fn hand_over_at_last(&self, mut work: Work, patience: &mut dyn FnMut() -> Wait) {
        loop {
            match self.work.send_timeout(work, LOOK_AGAIN) {
                Err(SendTimeoutError::Timeout(back)) if patience() == Wait::On => work = back,
                // Refused only when the encoder is gone; `finish` says why.
                _ => return,
            }
        }
    }

    /// Waits until everything is written and the file is finished, as long as `patience` does. A stream is then told to
    /// end; a file system that does not answer is left, with the threads that wait for it: `None`.
    pub fn finish(self, patience: &mut dyn FnMut() -> Wait) -> Result<Option<Written>, format::Error> {
        drop(self.work);
        let mut leave_at = None;
        while !(self.encode.is_finished() && self.write.is_finished()) {
            thread::sleep(LOOK_AGAIN);
            if leave_at.is_none() && patience() == Wait::NoLonger {
                self.gauge.abandoned.store(true, Ordering::Relaxed);
                leave_at = Some(Instant::now() + LAST_WAIT);
            }
            if leave_at.is_some_and(|at| at <= Instant::now()) {
                return Ok(None);
            }
        }
        let encoded = self.encode.join();
        let written = self.write.join();
        let broken = || format::Error::Io {
            what: "finishing the capture",
            source: std::io::Error::other("a thread of the recorder ended early"),
        };
        encoded.map_err(|_| broken())??;
        written.map(Some).map_err(|_| broken())
    }
}

fn encode(
    options: Options,
    work: &Receiver<Work>,
    mut viewer: Option<Box<dyn Viewer>>,
    spares: &Sender<Box<BlockBuilder>>,
    pieces: &Sender<Piece>,
) -> Result<(), format::Error> {
    let mut encoder = Encoder::new(options);
    for work in work {
        let piece = match work {
            Work::Block { mut builder, changes } => {
                let block = Arc::new(encoder.encode(&mut builder)?);
                let _ = spares.try_send(builder);
                if let Some(viewer) = &mut viewer {
                    viewer.block(&block);
                }
                Piece::Block { block, changes }
            }
            Work::Side(side) => {
                if let Some(viewer) = &mut viewer {
                    viewer.side(&side);
                }
                Piece::Side(side)
            }
            Work::Artifacts(taken) => Piece::Artifacts(taken),
            Work::Release => Piece::Release,
        };
        // The writer stays until this thread is gone.
        if pieces.send(piece).is_err() {
            return Ok(());
        }
    }
    if viewer.is_some_and(|viewer| viewer.end()) {
        // As above.
        let _ = pieces.send(Piece::Release);
    }
    Ok(())
}

impl Gauge {
    pub fn is_stuck(&self) -> bool {
        self.stuck.load(Ordering::Relaxed)
    }
}
