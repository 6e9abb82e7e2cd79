//! Captures that are read as they come: standard input, and files that grow.

use std::fs::File;
use std::io::{self, Read};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use anyhow::{Context, Result, bail};
use pipeline::Source;
use pipeline::feed::{self, Parts};

use crate::inputs::Inputs;

/// How often a file is looked at that has not grown.
const EVERY: Duration = Duration::from_millis(50);

/// What stands for standard input among files.
pub const STDIN: &str = "-";

/// Reads what is given as it comes; `None` where files are given that are whole, or taken for that.
pub fn source(inputs: &Inputs, follow: bool) -> Result<Option<Source>> {
    let given = inputs.given();
    let is_stdin = given.iter().any(|path| path == Path::new(STDIN));
    if !follow && !is_stdin {
        return Ok(None);
    }
    let [path] = given else {
        let what = if follow { "--follow" } else { "standard input" };
        bail!("{what} is one recording, and {} files are given; of a rotated set name one part", given.len());
    };
    if inputs.reading.is_verified() {
        bail!("--verify reads a capture to its end first: write it to a file, and ask that");
    }
    let stop = Arc::new(AtomicBool::new(false));
    let name = path.display().to_string();
    let parts: Box<dyn Parts> = if is_stdin {
        // Whoever writes is interrupted too, and says what it has left: the second interrupt ends this program.
        catch_interrupt(&Arc::new(AtomicBool::new(false)))?;
        Box::new(io::stdin())
    } else {
        catch_interrupt(&stop)?;
        Box::new(Following::open(path, Arc::clone(&stop)).with_context(|| name.clone())?)
    };
    let options = inputs.reading.identity.options()?;
    Ok(Some(feed::stream(if is_stdin { "standard input" } else { &name }, parts, &options, stop)?))
}

/// Raises a flag at the first interrupt; the second ends the program as usual.
fn catch_interrupt(flag: &Arc<AtomicBool>) -> Result<()> {
    use signal_hook::consts::SIGINT;
    use signal_hook::flag;
    let caught = flag::register_conditional_default(SIGINT, Arc::clone(flag))
        .and_then(|_| flag::register(SIGINT, Arc::clone(flag)));
    caught.map(|_| ()).context("catching interrupts")
}

/// A file that grows, and the parts of its set that come after it.
struct Following {
    path: PathBuf,
    file: File,
    stop: Arc<AtomicBool>,
}

impl Following {
    fn open(path: &Path, stop: Arc<AtomicBool>) -> io::Result<Following> {
        Ok(Following { path: path.to_owned(), file: File::open(path)?, stop })
    }

    /// Waits a little; false when nobody waits any more.
    fn wait(&self) -> bool {
        std::thread::sleep(EVERY);
        !self.stop.load(Ordering::Relaxed)
    }
}

impl Parts for Following {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        loop {
            let read = self.file.read(buffer)?;
            if read > 0 || !self.wait() {
                return Ok(read);
            }
        }
    }

    fn next_part(&mut self) -> io::Result<bool> {
        let Some(next) = next_part(&self.path) else { return Ok(false) };
        loop {
            match File::open(&next) {
                Ok(file) => {
                    (self.path, self.file) = (next, file);
                    return Ok(true);
                }
                Err(error) if error.kind() == io::ErrorKind::NotFound => {}
                Err(error) => return Err(error),
            }
            if !self.wait() {
                return Ok(false);
            }
        }
    }
}

/// The path of the part after this one: `c.0001.trz` after `c.0000.trz`. `None` where the name has no number.
fn next_part(path: &Path) -> Option<PathBuf> {
    let name = path.file_name()?.to_str()?;
    let (at, digits) = name
        .split('.')
        .scan(0, |at, piece| {
            let from = *at;
            *at += piece.len() + 1;
            Some((from, piece))
        })
        .filter(|(from, piece)| *from > 0 && piece.len() >= 4 && piece.bytes().all(|b| b.is_ascii_digit()))
        .last()?;
    let next = digits.parse::<u32>().ok()?.checked_add(1)?;
    let (before, after) = (name.get(..at)?, name.get(at + digits.len()..)?);
    Some(path.with_file_name(format!("{before}{next:04}{after}")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_of_a_set_follow_each_other_by_their_numbers() {
        let next = |path: &str| next_part(Path::new(path)).map(|path| path.display().to_string());
        assert_eq!(next("/a/c.0000.trz").as_deref(), Some("/a/c.0001.trz"));
        assert_eq!(next("c.2026.0009.trz").as_deref(), Some("c.2026.0010.trz"));
        assert_eq!(next("c.9999").as_deref(), Some("c.10000"));
        assert_eq!(next("c.trz"), None);
        assert_eq!(next("0000.trz"), None);
    }
}
