//! Captures that are read as they come: from a pipe, or a file that grows.

use std::io::{self, Read};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{SyncSender, sync_channel};

use format::{Capture, OpenOptions, Side, StreamReader, Streamed};

use super::{Fed, Receiving};
use crate::{Error, Result, Source};

/// Blocks and records that are read before somebody asks for them.
const AHEAD: usize = 4;
/// Bytes that are read at a time.
const PIECE: usize = 256 << 10;

/// What a recording is read from: one stream, or one after the other, as the parts of a rotated set follow each other.
pub trait Parts: Send {
    /// Waits for more bytes of the part; 0 at its end, or when nobody wants more.
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize>;

    /// Goes on to the part that follows; false when there is none.
    fn next_part(&mut self) -> io::Result<bool> {
        Ok(false)
    }
}

/// One stream.
impl Parts for io::Stdin {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        Read::read(self, buffer)
    }
}

/// Reads a capture as it comes, once: [`Source::growing`]. This waits for its first block, so that what stands in front of it
/// is known before anything is asked. Raising `stop` ends it where it is.
pub fn stream(
    name: &str,
    mut parts: Box<dyn Parts>,
    options: &OpenOptions,
    stop: Arc<AtomicBool>,
) -> Result<Source> {
    let capture = |source| Error::Capture { file: name.to_owned(), source };
    let mut reader = StreamReader::new(options.clone());
    let mut buffer = vec![0; PIECE];
    let head = loop {
        if let Some(Streamed::Head(head)) = reader.pull().map_err(capture)? {
            break head;
        }
        let read = read(&mut *parts, &mut buffer).map_err(capture)?;
        reader.push(buffer.get(..read).unwrap_or_default());
        if read == 0 {
            match reader.end().map_err(capture)? {
                Some(Streamed::Head(head)) => break head,
                _ => return Err(capture(format::Error::NotACapture)),
            }
        }
    };
    let (sender, receiver) = sync_channel(AHEAD);
    let options = options.clone();
    let run = move || {
        let mut thread = Reading { parts, options, reader, buffer, stop, sender };
        // Whoever asks is gone, or is told of the error.
        if let Err(error) = thread.run() {
            let _ = thread.sender.send(Err(error));
        }
    };
    let started = std::thread::Builder::new().spawn(run);
    started.map_err(|source| Error::Thread { source })?;
    Ok(Source::growing(name.to_owned(), *head, Box::new(Receiving(receiver))))
}

/// What the thread has that reads.
struct Reading {
    parts: Box<dyn Parts>,
    options: OpenOptions,
    reader: StreamReader,
    buffer: Vec<u8>,
    stop: Arc<AtomicBool>,
    sender: SyncSender<format::Result<Fed>>,
}

impl Reading {
    fn run(&mut self) -> format::Result<()> {
        loop {
            let mut is_last = false;
            while let Some(streamed) = self.reader.pull()? {
                match streamed {
                    Streamed::End { is_last_part } => is_last = is_last_part,
                    streamed => {
                        if !self.send(streamed) {
                            return Ok(());
                        }
                    }
                }
            }
            if self.reader.is_over() {
                let goes_on = !is_last && self.parts.next_part().map_err(io_error)?;
                if !goes_on || self.stop.load(Ordering::Relaxed) {
                    return Ok(());
                }
                self.reader = StreamReader::new(self.options.clone());
            }
            let read = read(&mut *self.parts, &mut self.buffer)?;
            if self.stop.load(Ordering::Relaxed) {
                return Ok(());
            }
            if read == 0 {
                while let Some(streamed) = self.reader.end()? {
                    if !self.send(streamed) {
                        break;
                    }
                }
                return Ok(());
            }
            self.reader.push(self.buffer.get(..read).unwrap_or_default());
        }
    }

    /// False when nobody wants it any more.
    fn send(&mut self, streamed: Streamed) -> bool {
        let all = match streamed {
            Streamed::Head(head) => sides(&head),
            Streamed::Block(block, statistics) => vec![Fed::Block(block, statistics)],
            Streamed::Side(side) => vec![Fed::Side(side)],
            Streamed::Missing(what) => vec![Fed::Missing(what)],
            // Nobody asks for the bytes of artifacts as they come.
            Streamed::Content(_) | Streamed::End { .. } => Vec::new(),
        };
        all.into_iter().all(|fed| self.sender.send(Ok(fed)).is_ok())
    }
}

/// What stands in front of the first block of a later part.
fn sides(head: &Capture) -> Vec<Fed> {
    let cgroups = Side::Cgroups(head.cgroups().to_vec());
    vec![Fed::Side(cgroups), Fed::Side(Side::Losses(head.losses().to_vec()))]
}

fn read(parts: &mut dyn Parts, buffer: &mut [u8]) -> format::Result<usize> {
    loop {
        match parts.read(buffer) {
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            read => return read.map_err(io_error),
        }
    }
}

fn io_error(source: io::Error) -> format::Error {
    format::Error::Io { what: "reading the capture", source }
}
