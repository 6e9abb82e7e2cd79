//! Bytes that wait for their turn: in memory as long as they are few, and behind that in a file without a name, which goes with
//! the program however that ends.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// Bytes that wait in memory, at most.
const MEMORY_BYTES: usize = 64 << 20;

/// Where bytes wait.
#[derive(Debug)]
pub(crate) struct Spill {
    /// Bytes that may wait in memory, and those that do.
    most: usize,
    memory: AtomicUsize,
    file: Mutex<Paging>,
}

#[derive(Debug, Default)]
struct Paging {
    file: Option<File>,
    end: u64,
    /// Stretches that nobody uses any more: length by place. None touches another.
    free: BTreeMap<u64, u64>,
}

/// Bytes that wait. Dropping them makes room for others.
#[derive(Debug)]
pub(crate) struct Kept {
    spill: Arc<Spill>,
    length: usize,
    place: Place,
}

#[derive(Debug)]
enum Place {
    Memory(Vec<u8>),
    File(u64),
}

impl Default for Spill {
    fn default() -> Spill {
        Spill::new(MEMORY_BYTES)
    }
}

impl Spill {
    fn new(most: usize) -> Spill {
        Spill { most, memory: AtomicUsize::new(0), file: Mutex::default() }
    }

    pub fn keep(self: &Arc<Spill>, mut bytes: Vec<u8>) -> io::Result<Kept> {
        let (spill, length) = (Arc::clone(self), bytes.len());
        let before = self.memory.fetch_add(length, Ordering::Relaxed);
        if before + length <= self.most {
            bytes.shrink_to_fit();
            return Ok(Kept { spill, length, place: Place::Memory(bytes) });
        }
        self.memory.fetch_sub(length, Ordering::Relaxed);
        let at = self.paging().write(&bytes)?;
        Ok(Kept { spill, length, place: Place::File(at) })
    }

    fn paging(&self) -> MutexGuard<'_, Paging> {
        self.file.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Kept {
    /// Bytes that it has.
    pub fn read(&self) -> io::Result<Vec<u8>> {
        match &self.place {
            Place::Memory(bytes) => Ok(bytes.clone()),
            Place::File(at) => self.spill.paging().read(*at, self.length),
        }
    }
}

impl Drop for Kept {
    fn drop(&mut self) {
        match self.place {
            Place::Memory(_) => {
                self.spill.memory.fetch_sub(self.length, Ordering::Relaxed);
            }
            Place::File(at) => self.spill.paging().free(at, self.length as u64),
        }
    }
}

impl Paging {
    fn write(&mut self, bytes: &[u8]) -> io::Result<u64> {
        let length = bytes.len() as u64;
        let file = match &mut self.file {
            Some(file) => file,
            none => none.insert(tempfile::tempfile()?),
        };
        let fits = self.free.iter().find(|(_, free)| **free >= length).map(|(at, free)| (*at, *free));
        let at = fits.map_or(self.end, |(at, _)| at);
        file.seek(SeekFrom::Start(at))?;
        file.write_all(bytes)?;
        match fits {
            Some((at, free)) => {
                self.free.remove(&at);
                if free > length {
                    self.free.insert(at + length, free - length);
                }
            }
            None => self.end += length,
        }
        Ok(at)
    }

    fn read(&mut self, at: u64, length: usize) -> io::Result<Vec<u8>> {
        let file = self.file.as_mut().ok_or(io::ErrorKind::NotFound)?;
        let mut bytes = vec![0; length];
        file.seek(SeekFrom::Start(at))?;
        file.read_exact(&mut bytes)?;
        Ok(bytes)
    }

    fn free(&mut self, mut at: u64, mut length: u64) {
        if let Some((before, free)) = self.free.range(..at).next_back().map(|(at, free)| (*at, *free))
            && before + free == at
        {
            self.free.remove(&before);
            (at, length) = (before, length + free);
        }
        if let Some(free) = self.free.remove(&(at + length)) {
            length += free;
        }
        if at + length == self.end {
            self.end = at;
        } else {
            self.free.insert(at, length);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_does_not_fit_into_memory_is_read_back_from_the_file_and_its_room_is_used_again() {
        let spill = Arc::new(Spill::new(1000));
        let bytes = |n: usize| vec![n as u8; 300 + n % 7];
        for _ in 0..5 {
            let mut kept: Vec<(usize, Kept)> =
                (0..40).map(|n| (n, spill.keep(bytes(n)).expect("room"))).collect();
            assert!(spill.memory.load(Ordering::Relaxed) <= 1000);
            for (n, kept) in &kept {
                assert_eq!(kept.read().expect("bytes"), bytes(*n));
            }
            // In an order in which holes come about and meet.
            for n in [3, 30, 4, 20, 5, 8, 7, 6] {
                kept.retain(|(number, _)| *number != n);
            }
            kept.push((41, spill.keep(bytes(41)).expect("room")));
            for (n, kept) in &kept {
                assert_eq!(kept.read().expect("bytes"), bytes(*n));
            }
        }
        let paging = spill.paging();
        assert_eq!((paging.end, paging.free.len()), (0, 0));
        assert_eq!(spill.memory.load(Ordering::Relaxed), 0);
    }
}
