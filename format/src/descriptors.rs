//! Files that are opened again when they are needed: a program may read from more of them than it may have open.

use std::fs::{File, Metadata};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// Files that are open at a time, at most: less than the usual limit of 1,024 by far.
pub(crate) const MOST_OPEN: usize = 128;

/// The open ones with their numbers, the one that was used last at the end.
static OPEN: Mutex<Vec<(u64, Arc<File>)>> = Mutex::new(Vec::new());

fn open_files() -> MutexGuard<'static, Vec<(u64, Arc<File>)>> {
    OPEN.lock().unwrap_or_else(PoisonError::into_inner)
}

/// A file that may be closed while nobody reads it.
#[derive(Debug)]
pub(crate) struct SharedFile {
    number: u64,
    path: PathBuf,
    bytes: u64,
    inode: Option<(u64, u64)>,
}

impl SharedFile {
    pub(crate) fn new(path: &Path, file: File, metadata: &Metadata) -> SharedFile {
        static NEXT: AtomicU64 = AtomicU64::new(0);
        let number = NEXT.fetch_add(1, Ordering::Relaxed);
        keep(number, Arc::new(file));
        // A later change of the folder that names are relative to does not matter.
        let path = std::path::absolute(path).unwrap_or_else(|_| path.to_owned());
        SharedFile { number, path, bytes: metadata.len(), inode: inode(metadata) }
    }

    /// Bytes of the file when it was opened first.
    pub(crate) fn bytes(&self) -> u64 {
        self.bytes
    }

    pub(crate) fn open(&self) -> io::Result<Arc<File>> {
        {
            let mut open = open_files();
            if let Some(at) = open.iter().rposition(|(number, _)| *number == self.number) {
                let used = open.remove(at);
                let file = Arc::clone(&used.1);
                open.push(used);
                return Ok(file);
            }
        }
        let file = File::open(&self.path)?;
        if inode(&file.metadata()?) != self.inode {
            return Err(io::Error::other("another file has its name now"));
        }
        let file = Arc::new(file);
        keep(self.number, Arc::clone(&file));
        Ok(file)
    }
}

impl Drop for SharedFile {
    fn drop(&mut self) {
        open_files().retain(|(number, _)| *number != self.number);
    }
}

fn keep(number: u64, file: Arc<File>) {
    let mut open = open_files();
    if open.len() >= MOST_OPEN {
        open.remove(0);
    }
    open.push((number, file));
}

/// Which file it is, whatever its name.
#[cfg(unix)]
fn inode(metadata: &Metadata) -> Option<(u64, u64)> {
    use std::os::unix::fs::MetadataExt;
    Some((metadata.dev(), metadata.ino()))
}

#[cfg(not(unix))]
fn inode(_: &Metadata) -> Option<(u64, u64)> {
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn more_files_are_read_than_may_be_open_and_an_exchanged_one_is_not() {
        let folder = std::env::temp_dir().join(format!("tracer-descriptors-{}", std::process::id()));
        std::fs::create_dir_all(&folder).unwrap();
        let path = |n: usize| folder.join(n.to_string());
        let files: Vec<SharedFile> = (0..3 * MOST_OPEN)
            .map(|n| {
                std::fs::write(path(n), n.to_string()).unwrap();
                let file = File::open(path(n)).unwrap();
                let metadata = file.metadata().unwrap();
                SharedFile::new(&path(n), file, &metadata)
            })
            .collect();
        for (n, file) in files.iter().enumerate() {
            assert_eq!(io::read_to_string(&*file.open().unwrap()).unwrap(), n.to_string());
            assert!(open_files().len() <= MOST_OPEN);
        }
        std::fs::write(path(3 * MOST_OPEN), "another").unwrap();
        std::fs::rename(path(3 * MOST_OPEN), path(0)).unwrap();
        assert!(files[0].open().unwrap_err().to_string().contains("another file"));
        drop(files);
        std::fs::remove_dir_all(&folder).unwrap();
    }
}
