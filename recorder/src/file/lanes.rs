//! From full builders to the disk: threads that encode and compress, and one that writes, with bounded queues between.
//!
//! ```text
//! drain --Work--> [3] --> encode --> [4] --> write --> file
//!   ^---- spare builders ----'
//! ```
//! What is encoded is written in the order in which it was handed over: who takes work keeps a place in the second queue for
//! what will come of it.
//!
//! Whoever drains the kernel never waits for the disk: when the first queue stays full it counts losses. Memory is
//! bounded by the builders there are and by the encoded blocks in the second queue. A [`Viewer`] is shown each block
//! before it is written, so that who looks on does not wait for the disk either.

use std::{
    sync::{
        Arc, Mutex, PoisonError,
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

/// Builders that wait for an encoder; where there are several drains one more for each. With the one being filled and the one
/// being encoded there are five.
const WORK_QUEUE: usize = 3;
/// Empty builders that wait to be filled. What a burst needed beyond them is given up: the bound of the queue is that of the
/// builders as well.
const SPARES: usize = 1;
/// Encoded blocks that wait for the disk.
const WRITE_QUEUE: usize = 4;

/// Blocks that there are at once at most with so many drains and encoders: being filled, waiting, being encoded; and encoded, one
/// being made, one being written.
pub const fn blocks(drains: usize) -> usize {
    let one = WORK_QUEUE + 2 + WRITE_QUEUE + 2;
    // Each one more fills one, has one in either queue and encodes one. Where there are several, one reads what is in order.
    if drains > 1 { one + 1 + (drains - 1) * 5 } else { one }
}
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
        /// Others follow that are of the same time.
        goes_on: bool,
    },
    Side(Side),
    Artifacts(Taken),
    /// What the flight recorder holds is to be written, and what follows as well.
    Release,
}

/// An encoded block or what stands between blocks.
#[derive(Debug)]
pub enum Piece {
    Block { block: Arc<format::EncodedBlock>, changes: Vec<Change>, goes_on: bool },
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
    encode: Vec<JoinHandle<Result<(), format::Error>>>,
    write: JoinHandle<Written>,
}

/// How the threads are started.
#[derive(Clone, Copy, Debug)]
pub struct Crew {
    /// How many encode. With a viewer there is one.
    pub encoders: usize,
    /// How much the threads that encode come before others.
    pub boost: u8,
    /// They give up what they do not need.
    pub is_confined: bool,
}

impl Lanes {
    /// Starts the threads.
    pub fn start(
        options: Options,
        sink: Sink,
        viewer: Option<Box<dyn Viewer>>,
        gauge: Arc<Gauge>,
        crew: Crew,
    ) -> std::io::Result<Lanes> {
        let encoders = if viewer.is_some() { 1 } else { crew.encoders.max(1) };
        let (work, to_encode) = bounded(WORK_QUEUE + encoders - 1);
        let (spares, spare) = bounded(SPARES + encoders - 1);
        let (pieces, to_write) = bounded(WRITE_QUEUE + encoders - 1);
        let (tell_ready, ready) = bounded(encoders + 1);
        let confine = move |part| if crew.is_confined { privileges::confine(part) } else { Ok(()) };
        let turns = Arc::new(Mutex::new(Turns { work: to_encode, pieces }));
        let mut viewer = viewer;
        let encode = (0..encoders).map(|_| {
            let (turns, spares, tell_ready) = (Arc::clone(&turns), spares.clone(), tell_ready.clone());
            let viewer = viewer.take();
            thread::Builder::new().name("tracer-encode".into()).spawn(move || {
                // Refused without the capability, which whoever asked for it is told of.
                let _ = priority::boost(crew.boost);
                let _ = tell_ready.send(confine(Part::Encode));
                encode(options, &turns, viewer, &spares)
            })
        });
        let encode = encode.collect::<std::io::Result<Vec<_>>>()?;
        drop(turns);
        let write = thread::Builder::new().name("tracer-write".into()).spawn(move || {
            let _ = tell_ready.send(confine(Part::Write));
            // A place stays empty where encoding has failed, which its thread says when it is asked.
            sink.run(to_write.into_iter().filter_map(|place: Receiver<Piece>| place.recv().ok()))
        })?;
        // Nothing is handed over to a thread that can do more than it should.
        for ready in ready.iter().take(encoders + 1) {
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
        while !(self.encode.iter().all(JoinHandle::is_finished) && self.write.is_finished()) {
            thread::sleep(LOOK_AGAIN);
            if leave_at.is_none() && patience() == Wait::NoLonger {
                self.gauge.abandoned.store(true, Ordering::Relaxed);
                leave_at = Some(Instant::now() + LAST_WAIT);
            }
            if leave_at.is_some_and(|at| at <= Instant::now()) {
                return Ok(None);
            }
        }
        let encoded: Vec<_> = self.encode.into_iter().map(JoinHandle::join).collect();
        let written = self.write.join();
        let broken = || format::Error::Io {
            what: "finishing the capture",
            source: std::io::Error::other("a thread of the recorder ended early"),
        };
        for encoded in encoded {
            encoded.map_err(|_| broken())??;
        }
        written.map(Some).map_err(|_| broken())
    }
}

/// Where encoders take work, one after the other.
#[derive(Debug)]
struct Turns {
    work: Receiver<Work>,
    pieces: Sender<Receiver<Piece>>,
}

impl Turns {
    /// A place for what comes next of the pieces; `None` when nobody writes any more.
    fn place(&self) -> Option<Sender<Piece>> {
        let (place, piece) = bounded(1);
        self.pieces.send(piece).ok().map(|()| place)
    }
}

fn encode(
    options: Options,
    turns: &Mutex<Turns>,
    mut viewer: Option<Box<dyn Viewer>>,
    spares: &Sender<Box<BlockBuilder>>,
) -> Result<(), format::Error> {
    let mut encoder = Encoder::new(options);
    loop {
        let turn = turns.lock().unwrap_or_else(PoisonError::into_inner);
        let Ok(work) = turn.work.recv() else {
            if viewer.is_some_and(|viewer| viewer.end())
                && let Some(place) = turn.place()
            {
                let _ = place.send(Piece::Release);
            }
            return Ok(());
        };
        // The writer stays until all encoders are gone.
        let Some(place) = turn.place() else { return Ok(()) };
        drop(turn);
        let piece = match work {
            Work::Block { mut builder, changes, goes_on } => {
                let block = Arc::new(encoder.encode(&mut builder)?);
                let _ = spares.try_send(builder);
                if let Some(viewer) = &mut viewer {
                    viewer.block(&block);
                }
                Piece::Block { block, changes, goes_on }
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
        let _ = place.send(piece);
    }
}

impl Gauge {
    pub fn is_stuck(&self) -> bool {
        self.stuck.load(Ordering::Relaxed)
    }
}
