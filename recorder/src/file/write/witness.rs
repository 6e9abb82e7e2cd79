//! Sends the heads of the chain to a witness as their seals are written: a file, a FIFO, or a socket on this host that
//! somebody forwards from.
//!
//! Recording never waits for the witness. What it does not take is kept, up to a bound, and tried again with the next
//! head; what it did not take by the end is counted.

use std::{
    collections::VecDeque,
    fmt,
    fs::{File, OpenOptions},
    io::{self, Write},
    os::unix::{
        fs::OpenOptionsExt,
        net::{UnixDatagram, UnixStream},
    },
    path::Path,
    sync::{Arc, Mutex, PoisonError},
    time::{Duration, Instant},
};

use format::HeadSink;

/// Lines that wait for a witness that takes nothing: of a day, at one a minute.
const WAITING: usize = 1440;
/// How long the end of a recording waits for the witness.
const LAST_WAIT: Duration = Duration::from_secs(1);
const LOOK_AGAIN: Duration = Duration::from_millis(20);

/// Where heads go. Clones share it.
#[derive(Clone)]
pub struct Witness(Arc<Mutex<Lines>>);

struct Lines {
    to: To,
    waiting: VecDeque<Vec<u8>>,
    sent: u64,
    lost: u64,
}

enum To {
    File(File),
    Stream(UnixStream),
    Datagrams(UnixDatagram),
}

impl fmt::Debug for Witness {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Witness")
    }
}

impl Witness {
    /// Lines are appended to a file, which is made for its owner alone where there is none. A FIFO must have a reader.
    pub fn file(path: &Path) -> io::Result<Witness> {
        let mut options = OpenOptions::new();
        options.append(true).create(true).mode(0o600).custom_flags(libc::O_NONBLOCK | libc::O_CLOEXEC);
        Ok(Witness::new(To::File(options.open(path)?)))
    }

    /// A socket that somebody listens on, with a line or a datagram for each head.
    pub fn socket(path: &Path) -> io::Result<Witness> {
        match UnixStream::connect(path) {
            Ok(stream) => {
                stream.set_nonblocking(true)?;
                Ok(Witness::new(To::Stream(stream)))
            }
            // What listens is of the other kind, as `/dev/log`.
            Err(error) if error.raw_os_error() == Some(libc::EPROTOTYPE) => {
                let socket = UnixDatagram::unbound()?;
                socket.connect(path)?;
                socket.set_nonblocking(true)?;
                Ok(Witness::new(To::Datagrams(socket)))
            }
            Err(error) => Err(error),
        }
    }

    fn new(to: To) -> Witness {
        Witness(Arc::new(Mutex::new(Lines { to, waiting: VecDeque::new(), sent: 0, lost: 0 })))
    }

    fn with<T>(&self, act: impl FnOnce(&mut Lines) -> T) -> T {
        act(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// What a writer tells its heads to.
    pub fn sink(&self) -> HeadSink {
        let witness = self.clone();
        HeadSink::new(move |head| witness.send(&head.to_string()))
    }

    /// Says a line, now or later.
    pub fn send(&self, line: &str) {
        self.with(|lines| {
            if lines.waiting.len() >= WAITING {
                lines.lost += 1;
            } else {
                lines.waiting.push_back(format!("{line}\n").into_bytes());
            }
            lines.send();
        });
    }

    /// Gives the witness a last chance, and says how many heads it took and how many it did not.
    pub fn finish(&self) -> (u64, u64) {
        let until = Instant::now() + LAST_WAIT;
        loop {
            let is_done = self.with(|lines| {
                lines.send();
                lines.waiting.is_empty()
            });
            if is_done || Instant::now() >= until {
                break;
            }
            std::thread::sleep(LOOK_AGAIN);
        }
        self.with(|lines| {
            if let To::File(file) = &lines.to {
                // A FIFO has nothing to bring to the disk.
                let _ = file.sync_data();
            }
            (lines.sent, lines.lost + lines.waiting.len() as u64)
        })
    }
}

impl Lines {
    /// Sends what waits, as far as it is taken.
    fn send(&mut self) {
        while let Some(line) = self.waiting.front_mut() {
            let sent = match &mut self.to {
                To::File(file) => file.write(line),
                To::Stream(stream) => stream.write(line),
                To::Datagrams(socket) => socket.send(line),
            };
            match sent {
                Ok(bytes) if bytes >= line.len() => {
                    self.waiting.pop_front();
                    self.sent += 1;
                }
                Ok(0) => return,
                // A stream took the beginning of a line; the rest goes next.
                Ok(bytes) => drop(line.drain(..bytes)),
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(_) => return,
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::io::Read;
    use std::os::unix::net::UnixListener;

    use super::*;

    #[test]
    fn a_file_is_appended_to_and_belongs_to_its_owner_alone() {
        use std::os::unix::fs::MetadataExt;
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("heads");
        for number in 0..2 {
            let witness = Witness::file(&path).unwrap();
            witness.send(&format!("line {number}"));
            assert_eq!(witness.finish(), (1, 0));
        }
        assert_eq!(std::fs::read_to_string(&path).unwrap(), "line 0\nline 1\n");
        assert_eq!(std::fs::metadata(&path).unwrap().mode() & 0o777, 0o600);
    }

    #[test]
    fn a_witness_that_takes_nothing_costs_no_time_and_no_memory_and_is_told_of() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("socket");
        let listener = UnixListener::bind(&path).unwrap();
        let witness = Witness::socket(&path).unwrap();
        let line = "x".repeat(1 << 10);
        let began = Instant::now();
        for _ in 0..3000 {
            witness.send(&line);
        }
        assert!(began.elapsed() < Duration::from_secs(10));
        let (waiting, lost) = witness.with(|lines| (lines.waiting.len(), lines.lost));
        assert!(waiting == WAITING && lost > 0, "{waiting} {lost}");
        // It comes back: all that is kept arrives, whole and in order.
        let reader = std::thread::spawn(move || {
            let mut text = String::new();
            listener.accept().unwrap().0.read_to_string(&mut text).unwrap();
            text
        });
        let (sent, missing) = witness.finish();
        assert_eq!((sent + missing, missing), (3000, lost));
        drop(witness);
        let text = reader.join().unwrap();
        assert!(text.lines().all(|it| it == line) && text.lines().count() as u64 == sent);
    }

    #[test]
    fn a_socket_of_datagrams_gets_one_a_head() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("log");
        let log = UnixDatagram::bind(&path).unwrap();
        let witness = Witness::socket(&path).unwrap();
        witness.send("one");
        witness.send("two");
        assert_eq!(witness.finish(), (2, 0));
        let mut buffer = [0; 64];
        let bytes = log.recv(&mut buffer).unwrap();
        assert_eq!(&buffer[..bytes], b"one\n");
        assert!(Witness::socket(&dir.path().join("nobody")).is_err());
    }
}
