//! Sealed captures into an object store: each once, however often it is tried and whatever is killed meanwhile.
//!
//! ```text
//! a sealed part --> put under a name of its content --> asked for its size --> a mark in the folder
//!                   (a second time is the same object)                         (acknowledged: never again)
//! ```
//! A name has the head of the chain in it, so that a part that was put and not marked, since the program was killed in
//! between, is put under the same name with the same bytes. Nothing is removed here: whoever removes parts may ask
//! [`is_acknowledged`]. Files that are not finished are left for another time.
//!
//! The store itself is somebody else's: a [`Store`]. The recorder does not speak to one.

use std::ffi::OsString;
use std::fs::{self, File};
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::time::Duration;

use format::{Capture, Completeness, hex};

/// Marks of what has been acknowledged lie here, beside the captures.
pub const MARKS: &str = "_uploaded";

/// Where objects go.
pub trait Store {
    /// Puts a file under a name, whole or not at all. A name that is there already gets the same bytes.
    fn put(&mut self, name: &str, file: &Path) -> io::Result<()>;
    /// Bytes of an object; `None` when there is none of this name.
    fn bytes(&mut self, name: &str) -> io::Result<Option<u64>>;
}

/// How often a part is tried in one run, and how long is waited before that.
#[derive(Clone, Copy, Debug)]
pub struct Patience {
    pub tries: u32,
    /// Before the second try; twice as long before each further one.
    pub first_wait: Duration,
    pub longest_wait: Duration,
}

impl Default for Patience {
    fn default() -> Patience {
        Patience { tries: 5, first_wait: Duration::from_secs(1), longest_wait: Duration::from_secs(60) }
    }
}

/// What came of a run.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Uploaded {
    pub parts: u64,
    pub bytes: u64,
    /// Parts that were acknowledged before.
    pub known: u64,
    /// Captures that are not finished, or not sealed: they are left for another time.
    pub unfinished: u64,
    /// Parts that the store did not take, and why.
    pub failed: Vec<(PathBuf, String)>,
}

/// A sealed capture, and what it is called in the store.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Part {
    pub path: PathBuf,
    pub bytes: u64,
    /// The head of its chain, in hex.
    pub head: String,
    /// `host=web1/date=2026-11-30/web1.0042.0123456789abcdef.trz`
    pub name: String,
}

/// The capture's part, if it is sealed to its end.
pub fn part(path: &Path) -> format::Result<Option<Part>> {
    let capture = Capture::open(path)?;
    if *capture.completeness() != Completeness::Finished {
        return Ok(None);
    }
    let Some((head, _)) = capture.sealed_head() else { return Ok(None) };
    let head = hex(&head);
    let header = capture.header();
    let stem = plain(&path.file_stem().unwrap_or_default().to_string_lossy());
    let short = head.get(..16).unwrap_or(&head);
    let date = date(header.clock.wall_ns);
    let name = format!("host={}/date={date}/{stem}.{short}.trz", plain(&header.host.hostname));
    Ok(Some(Part { path: path.to_owned(), bytes: capture.bytes(), head, name }))
}

/// Whether the store has said that it has this part.
pub fn is_acknowledged(folder: &Path, part: &Part) -> bool {
    folder.join(MARKS).join(&part.head).exists()
}

/// Uploads what is sealed in a folder and not acknowledged yet, oldest name first. `wait` sleeps, and says `false` when the
/// run is to end.
pub fn upload(
    folder: &Path,
    prefix: &str,
    store: &mut dyn Store,
    patience: Patience,
    wait: &mut dyn FnMut(Duration) -> bool,
) -> io::Result<Uploaded> {
    let mut done = Uploaded::default();
    let mut paths: Vec<PathBuf> =
        fs::read_dir(folder)?.map(|entry| entry.map(|it| it.path())).collect::<io::Result<_>>()?;
    paths.retain(|path| path.is_file());
    paths.sort();
    for path in paths {
        // One that was removed meanwhile, by the limits of its set, is none any more.
        let Ok(true) = Capture::is_one(&path) else { continue };
        let part = match part(&path) {
            Ok(Some(part)) => part,
            Ok(None) => {
                done.unfinished += 1;
                continue;
            }
            Err(error) => {
                done.failed.push((path, error.to_string()));
                continue;
            }
        };
        if is_acknowledged(folder, &part) {
            done.known += 1;
            continue;
        }
        match tried(&part, prefix, store, patience, wait) {
            Ok(()) => {
                mark(folder, &part)?;
                done.parts += 1;
                done.bytes += part.bytes;
            }
            Err(None) => return Ok(done),
            Err(Some(error)) => done.failed.push((part.path, error.to_string())),
        }
    }
    Ok(done)
}

/// Tries until the store has the part; `Err(None)` when the run is to end before.
fn tried(
    part: &Part,
    prefix: &str,
    store: &mut dyn Store,
    patience: Patience,
    wait: &mut dyn FnMut(Duration) -> bool,
) -> Result<(), Option<io::Error>> {
    let name = if prefix.is_empty() { part.name.clone() } else { format!("{prefix}/{}", part.name) };
    let mut pause = patience.first_wait;
    let mut failed = io::Error::other("it was never tried");
    for attempt in 0..patience.tries.max(1) {
        if attempt > 0 {
            if !wait(pause) {
                return Err(None);
            }
            pause = (pause * 2).min(patience.longest_wait);
        }
        // An earlier run may have put it and been killed before it said so.
        let put = match store.bytes(&name) {
            Ok(Some(bytes)) if bytes == part.bytes => return Ok(()),
            Ok(_) => store.put(&name, &part.path).and_then(|()| store.bytes(&name)),
            Err(error) => Err(error),
        };
        match put {
            Ok(Some(bytes)) if bytes == part.bytes => return Ok(()),
            Ok(bytes) => {
                let bytes = bytes.unwrap_or_default();
                failed = io::Error::other(format!("{name}: the store has {bytes} bytes of {}", part.bytes));
            }
            Err(error) => failed = error,
        }
    }
    Err(Some(failed))
}

/// Writes down that the store has a part: on the disk, before anybody relies on it.
fn mark(folder: &Path, part: &Part) -> io::Result<()> {
    let marks = folder.join(MARKS);
    fs::create_dir_all(&marks)?;
    let mut fresh = OsString::from(&part.head);
    fresh.push(".partial");
    let fresh = marks.join(fresh);
    let mut file = File::create(&fresh)?;
    writeln!(file, "{}", part.name)?;
    file.sync_all()?;
    fs::rename(&fresh, marks.join(&part.head))?;
    File::open(&marks)?.sync_all()
}

/// A word of a name in the store: no separators, nothing that a shell or a query engine reads otherwise.
fn plain(text: &str) -> String {
    let word: String =
        text.chars().map(|c| if c.is_ascii_alphanumeric() || "-._".contains(c) { c } else { '_' }).collect();
    if word.is_empty() || word.chars().all(|c| c == '.') { "unknown".to_owned() } else { word }
}

fn date(wall_ns: u64) -> String {
    let time = jiff::Timestamp::from_nanosecond(wall_ns.into()).unwrap_or_default();
    time.strftime("%Y-%m-%d").to_string()
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use format::{Header, Writer, current_schema};

    use super::*;

    /// A store that fails: before it has the object, or after that, without having said so.
    #[derive(Default)]
    struct Failing {
        objects: BTreeMap<String, Vec<u8>>,
        puts: Vec<String>,
        random: u64,
        /// Of 8.
        failures: u64,
        /// Steps until the program is killed; none: never.
        left: Option<u32>,
    }

    impl Failing {
        fn next(&mut self, most: u64) -> u64 {
            self.random ^= self.random << 13;
            self.random ^= self.random >> 7;
            self.random ^= self.random << 17;
            self.random % most
        }

        fn step(&mut self) -> io::Result<()> {
            if let Some(left) = &mut self.left {
                *left = left.saturating_sub(1);
                assert!(*left > 0, "killed");
            }
            if self.next(8) < self.failures { Err(io::Error::other("no network")) } else { Ok(()) }
        }
    }

    impl Store for Failing {
        fn put(&mut self, name: &str, file: &Path) -> io::Result<()> {
            self.step()?;
            let bytes = fs::read(file)?;
            let before = self.objects.insert(name.to_owned(), bytes.clone());
            assert!(before.is_none_or(|before| before == bytes), "{name} is another object now");
            self.puts.push(name.to_owned());
            self.step()
        }

        fn bytes(&mut self, name: &str) -> io::Result<Option<u64>> {
            self.step()?;
            Ok(self.objects.get(name).map(|object| object.len() as u64))
        }
    }

    fn sealed(folder: &Path, number: u32, is_finished: bool) {
        let mut header = Header { schema: current_schema(), ..Header::default() };
        header.host.hostname = "web 1/x".into();
        header.clock.wall_ns = 1_796_000_000_000_000_000;
        header.recording.part = number;
        let file = File::create(folder.join(format!("s.{number:04}.trz"))).unwrap();
        let mut writer = Writer::create(file, &header).unwrap();
        if is_finished {
            writer.finish().unwrap();
        } else {
            writer.flush().unwrap();
        }
    }

    fn run(folder: &Path, store: &mut Failing) -> Option<Uploaded> {
        let patience = Patience { tries: 3, ..Patience::default() };
        let mut run = || upload(folder, "captures", store, patience, &mut |_| true).unwrap();
        std::panic::catch_unwind(std::panic::AssertUnwindSafe(&mut run)).ok()
    }

    #[test]
    fn killed_and_refused_at_any_step_each_part_gets_there_once() {
        let quiet = std::panic::take_hook();
        std::panic::set_hook(Box::new(|_| {}));
        for seed in 1..40u64 {
            let folder = tempfile::tempdir().unwrap();
            (0..24).for_each(|number| sealed(folder.path(), number, true));
            sealed(folder.path(), 24, false);
            let mut store = Failing { random: seed * 0x9e37_79b9, failures: 3, ..Failing::default() };
            let mut runs = 0;
            loop {
                runs += 1;
                assert!(runs < 400, "seed {seed}");
                let steps = store.next(30) as u32 + 1;
                store.left = Some(steps);
                if run(folder.path(), &mut store).is_some_and(|done| done.known + done.parts == 24) {
                    break;
                }
            }
            assert_eq!(store.objects.len(), 24, "seed {seed}");
            store.left = None;
            store.failures = 0;
            let puts = store.puts.len();
            let last = run(folder.path(), &mut store).unwrap();
            assert_eq!(last, Uploaded { known: 24, unfinished: 1, ..Uploaded::default() });
            assert_eq!(store.puts.len(), puts, "what was acknowledged is not put again");
            for (name, object) in &store.objects {
                assert!(name.starts_with("captures/host=web_1_x/date=2026-11-30/s.00"), "{name}");
                assert!(Capture::from_bytes(object.clone()).is_ok(), "{name}");
            }
        }
        std::panic::set_hook(quiet);
    }

    #[test]
    fn what_the_store_never_takes_is_told_and_tried_again() {
        let folder = tempfile::tempdir().unwrap();
        sealed(folder.path(), 0, true);
        let mut store = Failing { random: 7, failures: 8, ..Failing::default() };
        let done = run(folder.path(), &mut store).unwrap();
        assert!(
            matches!(done.failed.as_slice(), [(path, why)] if path.ends_with("s.0000.trz") && why == "no network")
        );
        store.failures = 0;
        assert_eq!(run(folder.path(), &mut store).unwrap().parts, 1);
    }
}
