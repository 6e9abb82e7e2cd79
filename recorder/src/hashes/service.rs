//! The thread that hashes.

use std::{
    collections::VecDeque,
    fs::File,
    io::{self, Read, Seek as _},
    thread,
    time::{Duration, Instant},
};

use crossbeam_channel::{Receiver, Sender, TryRecvError};
use format::artifact::reasons;
use sha2::{Digest, Sha256};

use super::{Hash, HashRequest, Hashed, open::Opener};
use crate::artifacts::{Executed, HandOn};

/// A larger file is not waited for, and is hashed while there is nothing else to do.
const SOON: u64 = 32 << 20;
/// A larger one is not hashed.
const BOUND: u64 = 1 << 30;
/// Large files that wait.
const LARGE: usize = 64;
/// Bytes that are read at a time, and after how many pieces the thread rests.
const PIECE: usize = 256 << 10;
const PIECES: usize = 32;
/// The longest rest.
const REST: Duration = Duration::from_millis(20);

/// Answers requests until their sender is gone; meant for a thread of its own. `opener` is made before that thread gives up what
/// it has no use for.
/// Files are handed on to `executed`, where there is one, once they are hashed.
pub fn serve(
    opener: &Opener,
    requests: &Receiver<HashRequest>,
    answers: &Sender<Hashed>,
    executed: Option<&HandOn>,
) {
    let mut buffer = vec![0; PIECE];
    let mut large: VecDeque<Job> = VecDeque::new();
    loop {
        let next = match large.is_empty() {
            true => requests.recv().ok(),
            false => match requests.try_recv() {
                Ok(request) => Some(request),
                Err(TryRecvError::Empty) => None,
                Err(TryRecvError::Disconnected) => return,
            },
        };
        let began = Instant::now();
        let answer = match (next, large.front_mut()) {
            (Some(request), _) => {
                let file = request.file;
                let missed = |request: HashRequest, reason: &'static str| {
                    hand_on(request, Err(reason), executed);
                    Some(Hashed { file, hash: Err(reason) })
                };
                match opener.open(&request) {
                    Ok((_, size)) if size > BOUND => missed(request, reasons::TOO_LARGE),
                    Ok((opened, size)) if size > SOON => {
                        if large.len() < LARGE {
                            large.push_back(Job::new(request, opened, size));
                            Some(Hashed { file, hash: Err(reasons::LATE) })
                        } else {
                            missed(request, reasons::TOO_MANY_AT_ONCE)
                        }
                    }
                    Ok((opened, size)) => {
                        let mut job = Job::new(request, opened, size);
                        let hashed = job.finish(&mut buffer);
                        job.hand_on(hashed, executed);
                        Some(hashed)
                    }
                    Err(reason) => missed(request, reason),
                }
            }
            (None, Some(job)) => {
                let hashed = job.advance(&mut buffer, PIECES);
                if let Some(hashed) = hashed
                    && let Some(job) = large.pop_front()
                {
                    job.hand_on(hashed, executed);
                }
                hashed
            }
            (None, None) => return,
        };
        // Whoever is no longer there to hear it ends the work.
        if answer.is_some_and(|answer| answers.send(answer).is_err()) {
            return;
        }
        thread::sleep(began.elapsed().min(REST));
    }
}

/// Hands a file on to whoever keeps its bytes, or says why there are none.
fn hand_on(request: HashRequest, opened: Result<(File, u64), &'static str>, executed: Option<&HandOn>) {
    let HashRequest { file, at, path, .. } = request;
    if let Some(executed) = executed {
        executed.send(Executed { file, opened, at, path });
    }
}

/// A file that is being hashed.
struct Job {
    request: HashRequest,
    opened: File,
    size: u64,
    sum: Sha256,
}

impl Job {
    fn new(request: HashRequest, opened: File, size: u64) -> Job {
        Job { request, opened, size, sum: Sha256::new() }
    }

    /// Hands the file on to whoever keeps its bytes.
    fn hand_on(mut self, hashed: Hashed, executed: Option<&HandOn>) {
        let opened = match (hashed.hash, self.opened.rewind()) {
            (Err(reason), _) => Err(reason),
            (Ok(_), Err(_)) => Err(reasons::UNREADABLE),
            (Ok(_), Ok(())) => Ok((self.opened, self.size)),
        };
        hand_on(self.request, opened, executed);
    }

    /// Reads to the end, resting as long as it works.
    fn finish(&mut self, buffer: &mut [u8]) -> Hashed {
        loop {
            let began = Instant::now();
            if let Some(hashed) = self.advance(buffer, PIECES) {
                return hashed;
            }
            thread::sleep(began.elapsed().min(REST));
        }
    }

    /// Reads so many pieces; the hash, or its absence, when that was all.
    fn advance(&mut self, buffer: &mut [u8], pieces: usize) -> Option<Hashed> {
        let file = self.request.file;
        for _ in 0..pieces {
            match self.opened.read(buffer) {
                Ok(0) => {
                    return Some(Hashed { file, hash: Ok(digits(self.sum.finalize_reset())) });
                }
                Ok(read) => self.sum.update(buffer.get(..read).unwrap_or_default()),
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(_) => return Some(Hashed { file, hash: Err(reasons::UNREADABLE) }),
            }
        }
        None
    }
}

/// In hexadecimal digits.
fn digits(hash: impl IntoIterator<Item = u8>) -> Hash {
    let mut digits = [0; 64];
    for (byte, place) in hash.into_iter().zip(digits.chunks_exact_mut(2)) {
        let digit = |value: u8| if value < 10 { b'0' + value } else { b'a' + value - 10 };
        place.copy_from_slice(&[digit(byte >> 4), digit(byte & 15)]);
    }
    digits
}

#[cfg(test)]
mod tests {
    use std::io::Write as _;

    use super::*;
    use crate::artifacts::At;
    use crate::hashes::FileState;

    #[test]
    fn a_file_is_hashed_to_its_end() {
        let of = |bytes: &[u8]| {
            let mut opened = tempfile::tempfile().unwrap();
            opened.write_all(bytes).unwrap();
            io::Seek::rewind(&mut opened).unwrap();
            let file = FileState { device: 1, inode: 2, changed_ns: 3 };
            let at = At { time_ns: 0, event: events::EventId(0), pid: 0, tid: 0 };
            let request = HashRequest { file, at, parent: 0, path: Vec::new() };
            let hashed = Job::new(request, opened, 0).finish(&mut [0; 1000]);
            assert_eq!(hashed.file, file);
            String::from_utf8(hashed.hash.unwrap().to_vec()).unwrap()
        };
        assert_eq!(of(b""), "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
        assert_eq!(of(b"abc"), "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
        let million = vec![b'a'; 1_000_000];
        assert_eq!(of(&million), "cdc76e5c9914fb9281a1c7e284d73e67f1809a48a497200e046d39ccc7112cd0");
    }
}
