//! Sealed captures into an object store: each once, however often it is tried and whatever is killed meanwhile.
//!
//! ```text
//! a sealed part --> put under a name of its content --> asked for its size --> a mark in the folder
//!                   (a second time is the same object)                         (acknowledged: never again)
//! ```
//! A name has the head of the chain in it, so that a part that was put and not marked, since the program was killed in
//! between, is put under the same name with the same bytes. Nothing is removed here: whoever removes parts looks at the marks
//! ([`format::acknowledged`]). Files that are not finished are left for another time.
//!
//! The store itself is somebody else's: a [`Store`]. The recorder does not speak to one.

mod marks;
mod set;

use std::collections::{HashMap, HashSet};
use std::fs::{self, File, TryLockError};
use std::io;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use format::acknowledged::{SealedFile, sealed_file};
use format::{Capture, hex};

pub use marks::acknowledged_as;
pub use set::SetName;

/// Where objects go: a bucket, and a path in it.
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
    /// Captures that somebody writes: they are left for another time.
    pub unfinished: u64,
    /// Captures that are not sealed and that nobody writes any more: whoever recorded them was killed, and they stay as they are
    /// until somebody recovers them.
    pub abandoned: Vec<PathBuf>,
    /// Parts that the store did not take, or that do not read, and why.
    pub failed: Vec<(PathBuf, String)>,
    /// Parts that were not tried, for the store did not take those before them or the run was to end.
    pub untried: u64,
}

impl Uploaded {
    /// Sealed parts that the store has not said that it has.
    pub fn waiting(&self) -> u64 {
        self.failed.len() as u64 + self.untried
    }
}

/// A sealed capture, and what it is called in the store.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Part {
    pub path: PathBuf,
    pub bytes: u64,
    /// The head of its chain.
    pub head: [u8; 32],
    /// `host=web1/date=2026-11-30/web1.0042.0123456789abcdef.trz`; one that is encrypted does not say whose it is:
    /// `encrypted/web1.0042.0123456789abcdef.trz`.
    pub name: String,
}

/// Whether a recorder is writing a file: it holds a lock on it.
fn is_written(path: &Path) -> bool {
    File::open(path).is_ok_and(|file| matches!(file.try_lock_shared(), Err(TryLockError::WouldBlock)))
}

/// What is recovered of a part is called so: `s.0007.recovered.trz`.
pub fn recovered(path: &Path) -> PathBuf {
    let extension = path.extension().unwrap_or_default().to_string_lossy();
    path.with_extension(format!("recovered.{extension}").trim_end_matches('.'))
}

/// The capture's part, if it is sealed to its end.
pub fn part(path: &Path) -> format::Result<Option<Part>> {
    let Some(SealedFile { head, bytes, is_encrypted }) = sealed_file(path)? else { return Ok(None) };
    let stem = plain(&path.file_stem().unwrap_or_default().to_string_lossy());
    let hex = hex(&head);
    let file = format!("{stem}.{}.trz", hex.get(..16).unwrap_or(&hex));
    let name = if is_encrypted {
        format!("encrypted/{file}")
    } else {
        let capture = Capture::open(path)?;
        let header = capture.header();
        format!("host={}/date={}/{file}", plain(&header.host.hostname), date(header.clock.wall_ns))
    };
    Ok(Some(Part { path: path.to_owned(), bytes, head, name }))
}

/// The store did not take so many parts in a row: the rest is left for another run.
const MOST_FAILURES: usize = 3;

/// Uploads the captures of a folder, run by run.
#[derive(Debug)]
pub struct Uploader {
    folder: PathBuf,
    /// Before the names of objects, in words: `s3://bucket/prefix`. Marks say where a part is.
    destination: String,
    set: Option<SetName>,
    pub patience: Patience,
    /// Files that the store has, as they were when that was found out. A sealed file never changes; one that does is another.
    acknowledged: HashMap<PathBuf, (u64, Option<SystemTime>)>,
    /// How many marks there were when those of removed parts had been cleaned away.
    marks: usize,
    /// Held for as long as this one lives.
    _lock: File,
}

impl Uploader {
    /// Of a folder's captures, or of a set's parts in it. One uploader works in a folder at a time.
    pub fn new(
        folder: &Path,
        destination: &str,
        set: Option<SetName>,
        patience: Patience,
    ) -> io::Result<Uploader> {
        let lock = marks::lock(folder)?;
        match lock.try_lock() {
            Err(TryLockError::WouldBlock) => {
                let why = "another uploader works in this folder: it takes what is sealed there";
                return Err(io::Error::new(io::ErrorKind::ResourceBusy, why));
            }
            Err(TryLockError::Error(error)) => return Err(error),
            Ok(()) => {}
        }
        let (folder, destination) = (folder.to_owned(), destination.trim_end_matches('/').to_owned());
        Ok(Uploader {
            folder,
            destination,
            set,
            patience,
            acknowledged: HashMap::new(),
            marks: 0,
            _lock: lock,
        })
    }

    /// Uploads what is sealed and not acknowledged yet, oldest name first. `wait` sleeps, and says `false` when the run is to
    /// end.
    pub fn run(
        &mut self,
        store: &mut dyn Store,
        wait: &mut dyn FnMut(Duration) -> bool,
    ) -> io::Result<Uploaded> {
        let mut done = Uploaded::default();
        let mut failures = 0;
        let mut is_over = false;
        for path in self.files()? {
            // One that was removed meanwhile, by the limits of its set, is none any more.
            let Ok(metadata) = fs::metadata(&path) else { continue };
            let as_it_is = (metadata.len(), metadata.modified().ok());
            if self.acknowledged.get(&path) == Some(&as_it_is) {
                done.known += 1;
                continue;
            }
            let Ok(true) = Capture::is_one(&path) else { continue };
            let part = match part(&path) {
                Ok(Some(part)) => part,
                Ok(None) => {
                    if is_written(&path) {
                        done.unfinished += 1;
                    } else if !recovered(&path).exists() {
                        done.abandoned.push(path);
                    }
                    continue;
                }
                Err(error) => {
                    done.failed.push((path, error.to_string()));
                    continue;
                }
            };
            let place = format!("{}/{}", self.destination, part.name);
            if marks::places(&self.folder, &part.head).contains(&place) {
                done.known += 1;
                self.acknowledged.insert(path, as_it_is);
                continue;
            }
            if is_over || failures >= MOST_FAILURES {
                done.untried += 1;
                continue;
            }
            match self.tried(&part, store, wait) {
                Ok(()) => {
                    marks::mark(&self.folder, &part, &place)?;
                    done.parts += 1;
                    done.bytes += part.bytes;
                    failures = 0;
                    self.acknowledged.insert(path, as_it_is);
                }
                Err(None) => {
                    is_over = true;
                    done.untried += 1;
                }
                // Removed while it was put: nobody waits for it.
                Err(Some(_)) if !path.exists() => {}
                Err(Some(error)) => {
                    failures += 1;
                    done.failed.push((part.path, error.to_string()));
                }
            }
        }
        self.clean();
        Ok(done)
    }

    /// Cleans marks of removed parts away, where there are many more than when that was done last: it takes a look at each file.
    /// That it fails costs a little room.
    fn clean(&mut self) {
        let count = marks::count(&self.folder);
        if count < self.marks + self.marks / 4 + 1 {
            return;
        }
        let heads = || -> io::Result<HashSet<[u8; 32]>> {
            let mut heads = HashSet::new();
            for entry in fs::read_dir(&self.folder)? {
                let path = entry?.path();
                // A folder is none, and what is gone meanwhile is none any more.
                if !path.is_file() || !Capture::is_one(&path)? {
                    continue;
                }
                heads.extend(sealed_file(&path).map_err(io::Error::other)?.map(|sealed| sealed.head));
            }
            Ok(heads)
        };
        if let Ok(heads) = heads()
            && marks::clean(&self.folder, &heads).is_ok()
        {
            self.marks = marks::count(&self.folder);
        }
    }

    fn files(&mut self) -> io::Result<Vec<PathBuf>> {
        let mut paths: Vec<PathBuf> =
            fs::read_dir(&self.folder)?.map(|entry| entry.map(|it| it.path())).collect::<io::Result<_>>()?;
        let is_wanted = |path: &PathBuf| self.set.as_ref().is_none_or(|set| set.has(path)) && path.is_file();
        paths.retain(is_wanted);
        paths.sort();
        let there: std::collections::HashSet<&PathBuf> = paths.iter().collect();
        self.acknowledged.retain(|path, _| there.contains(path));
        Ok(paths)
    }

    /// Tries until the store has the part; `Err(None)` when the run is to end before.
    fn tried(
        &self,
        part: &Part,
        store: &mut dyn Store,
        wait: &mut dyn FnMut(Duration) -> bool,
    ) -> Result<(), Option<io::Error>> {
        let name = &part.name;
        let mut pause = self.patience.first_wait;
        let mut failed = io::Error::other("it was never tried");
        for attempt in 0..self.patience.tries.max(1) {
            let pause_now = if attempt == 0 { Duration::ZERO } else { pause };
            if !wait(pause_now) {
                return Err(None);
            }
            if attempt > 0 {
                pause = (pause * 2).min(self.patience.longest_wait);
            }
            // An earlier run may have put it and been killed before it said so.
            let put = match store.bytes(name) {
                Ok(Some(bytes)) if bytes == part.bytes => return Ok(()),
                Ok(_) => store.put(name, &part.path).and_then(|()| store.bytes(name)),
                Err(error) => Err(error),
            };
            match put {
                Ok(Some(bytes)) if bytes == part.bytes => return Ok(()),
                Ok(bytes) => {
                    let bytes = bytes.unwrap_or_default();
                    failed =
                        io::Error::other(format!("{name}: the store has {bytes} bytes of {}", part.bytes));
                }
                Err(error) => failed = error,
            }
        }
        Err(Some(failed))
    }
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

    use format::acknowledged;
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
        let mut uploader = Uploader::new(folder, "s3://b/captures/", None, patience).unwrap();
        let mut run = || uploader.run(store, &mut |_| true).unwrap();
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
            let Uploaded { known, ref abandoned, .. } = last;
            assert_eq!((known, abandoned.len(), last.waiting()), (24, 1, 0), "{last:?}");
            assert_eq!(store.puts.len(), puts, "what was acknowledged is not put again");
            for (name, object) in &store.objects {
                assert!(name.starts_with("host=web_1_x/date=2026-11-30/s.00"), "{name}");
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

    #[test]
    fn a_store_that_takes_nothing_is_not_asked_for_every_part_and_the_oldest_come_first() {
        let folder = tempfile::tempdir().unwrap();
        (0..9).for_each(|number| sealed(folder.path(), number, true));
        let mut store = Failing { random: 7, failures: 8, ..Failing::default() };
        let done = run(folder.path(), &mut store).unwrap();
        assert_eq!((done.failed.len(), done.untried, done.waiting()), (3, 6, 9));
        assert!(done.failed[0].0.ends_with("s.0000.trz"), "{done:?}");
        store.failures = 0;
        let mut uploader =
            Uploader::new(folder.path(), "s3://b/captures", None, Patience::default()).unwrap();
        let mut left = 4;
        let mut wait = |_| {
            left -= 1;
            left >= 0
        };
        let done = uploader.run(&mut store, &mut wait).unwrap();
        assert_eq!((done.parts, done.untried), (4, 5), "a run that is to end ends");
        let another = Uploader::new(folder.path(), "s3://b/captures", None, Patience::default());
        assert!(another.unwrap_err().to_string().contains("another uploader"));
    }

    #[test]
    fn a_part_that_nobody_writes_is_told_until_it_is_recovered() {
        let folder = tempfile::tempdir().unwrap();
        sealed(folder.path(), 1, false);
        let path = folder.path().join("s.0001.trz");
        let mut store = Failing { random: 7, ..Failing::default() };
        let recorder = File::open(&path).unwrap();
        recorder.lock().unwrap();
        let done = run(folder.path(), &mut store).unwrap();
        assert_eq!((done.unfinished, done.abandoned), (1, Vec::new()), "somebody writes it");
        drop(recorder);
        let done = run(folder.path(), &mut store).unwrap();
        assert_eq!((done.unfinished, done.abandoned.as_slice()), (0, &[path.clone()][..]));
        sealed(folder.path(), 2, true);
        assert_eq!(recovered(&path), folder.path().join("s.0001.recovered.trz"));
        fs::rename(folder.path().join("s.0002.trz"), recovered(&path)).unwrap();
        let done = run(folder.path(), &mut store).unwrap();
        assert_eq!((done.parts, done.abandoned.len()), (1, 0));
    }

    #[test]
    fn marks_of_parts_that_are_gone_are_cleaned_away() {
        let folder = tempfile::tempdir().unwrap();
        (0..12).for_each(|number| sealed(folder.path(), number, true));
        let mut store = Failing { random: 7, ..Failing::default() };
        assert_eq!(run(folder.path(), &mut store).unwrap().parts, 12);
        (0..9).for_each(|number| fs::remove_file(folder.path().join(format!("s.{number:04}.trz"))).unwrap());
        let marks = folder.path().join(acknowledged::UPLOADED);
        fs::write(marks.join(format!("{}.partial", "ab".repeat(32))), "half of it").unwrap();
        fs::write(marks.join("notes"), "somebody's").unwrap();
        assert_eq!(run(folder.path(), &mut store).unwrap().known, 3);
        let left = fs::read_dir(&marks).unwrap().count();
        assert_eq!(left, 3 + 2, "three marks, the lock, and what is no mark");
        assert!(acknowledged_as(&folder.path().join("s.0011.trz")).is_some());
        // One that comes back has the same name there, and the same bytes.
        sealed(folder.path(), 3, true);
        run(folder.path(), &mut store).unwrap();
        assert!(acknowledged_as(&folder.path().join("s.0003.trz")).is_some());
    }

    #[test]
    fn parts_of_one_set_are_taken_and_no_others() {
        let folder = tempfile::tempdir().unwrap();
        (0..3).for_each(|number| sealed(folder.path(), number, true));
        fs::copy(folder.path().join("s.0002.trz"), folder.path().join("other.trz")).unwrap();
        let set = Some(SetName::of(Path::new("s.trz")));
        let mut uploader = Uploader::new(folder.path(), "s3://b", set, Patience::default()).unwrap();
        let mut store = Failing { random: 7, ..Failing::default() };
        assert_eq!(uploader.run(&mut store, &mut |_| true).unwrap().parts, 3);
        let path = folder.path().join("s.0001.trz");
        let place = acknowledged_as(&path).unwrap();
        assert!(store.objects.contains_key(place.strip_prefix("s3://b/").unwrap()), "{place}");
        // Another file of this name is not the one that the store has.
        sealed(folder.path(), 7, true);
        fs::rename(folder.path().join("s.0007.trz"), &path).unwrap();
        assert_eq!(acknowledged_as(&path), None);
        assert_eq!(uploader.run(&mut store, &mut |_| true).unwrap().parts, 1);
        // What one store has, another does not.
        drop(uploader);
        let mut elsewhere = Uploader::new(folder.path(), "s3://c/d", None, Patience::default()).unwrap();
        let mut another = Failing { random: 7, ..Failing::default() };
        let of_both = elsewhere.run(&mut another, &mut |_| true).unwrap();
        assert_eq!((of_both.parts, of_both.known), (4, 0));
        assert_eq!(acknowledged_as(&path).unwrap().split(", ").count(), 2);
    }
}
