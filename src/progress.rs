//! How far a command is that takes long: a line on stderr, on terminals only, and not before a second has passed.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use crate::amounts::{bytes, clock};
use crate::stderr;

/// What takes less long needs no line.
const PATIENCE: Duration = Duration::from_secs(1);
const EVERY: Duration = Duration::from_millis(250);

/// The line, which is taken away when this is dropped: before anything is printed.
#[derive(Debug)]
pub struct Progress(Option<(Arc<AtomicBool>, JoinHandle<()>)>);

impl Progress {
    /// Of a command that reads these captures.
    pub fn of<P: AsRef<Path>>(files: &[P]) -> Progress {
        let sizes = files.iter().filter_map(|file| file.as_ref().metadata().ok()).map(|it| it.len());
        let before = format::bytes_read();
        Progress::start(sizes.sum(), move || format::bytes_read().saturating_sub(before))
    }

    /// The same, for one that prints as it goes: lines that appear on the terminal say themselves how far it is.
    pub fn unless_printing<P: AsRef<Path>>(files: &[P]) -> Progress {
        use std::io::IsTerminal as _;
        if std::io::stdout().is_terminal() { Progress(None) } else { Progress::of(files) }
    }

    /// Of what reads `total` bytes; `read` says how many it has read.
    pub fn start(total: u64, read: impl Fn() -> u64 + Send + 'static) -> Progress {
        if !stderr::is_terminal() {
            return Progress(None);
        }
        let is_over = Arc::new(AtomicBool::new(false));
        let of_thread = Arc::clone(&is_over);
        let show = move || {
            let started = Instant::now();
            loop {
                thread::park_timeout(EVERY);
                if of_thread.load(Ordering::Relaxed) {
                    return stderr::status("");
                }
                if started.elapsed() >= PATIENCE {
                    stderr::status(line(started.elapsed(), read(), total));
                }
            }
        };
        let thread = thread::Builder::new().name("tracer-progress".into()).spawn(show).ok();
        Progress(thread.map(|thread| (is_over, thread)))
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        if let Some((is_over, thread)) = self.0.take() {
            is_over.store(true, Ordering::Relaxed);
            thread.thread().unpark();
            let _ = thread.join();
        }
    }
}

/// What is read again, by a second pass, is more than there is.
fn line(elapsed: Duration, read: u64, total: u64) -> String {
    let elapsed = clock(Duration::from_secs(elapsed.as_secs()));
    match total {
        0 => format!("{elapsed}  {} read", bytes(read)),
        _ if read > total => format!("{elapsed}  {} read, again and again, of {}", bytes(read), bytes(total)),
        _ => format!("{elapsed}  {} of {} read ({} %)", bytes(read), bytes(total), read * 100 / total),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_says_how_much_of_what_there_is_was_read() {
        let said = |read, total| line(Duration::from_millis(2400), read, total);
        assert_eq!(said(1 << 20, 4 << 20), "2.0 s  1.0 MiB of 4.0 MiB read (25 %)");
        assert_eq!(said(6 << 20, 4 << 20), "2.0 s  6.0 MiB read, again and again, of 4.0 MiB");
        assert_eq!(said(1 << 20, 0), "2.0 s  1.0 MiB read");
    }
}
