//! Sets that keep to a limit: the disk is never above it, whatever is killed when, and what stays is what was recorded, once.
#![cfg(unix)]

mod synthetic;

use std::{
    collections::BTreeMap,
    fs,
    io::Read,
    os::unix::fs::MetadataExt,
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    sync::atomic::Ordering,
    thread,
    time::{Duration, Instant},
};

use events::Raw;
use format::{Capture, Expected, Scratch};
use recorder::{
    amount::Stretch,
    file::output::OutputPlace,
    file::retention::{EarlierPart, Retention},
    file::rotate::{Rotation, part_path},
    file::writing::Writing,
    kernel::{Error, Record, Records},
    session::{Session, Step, Summary},
    source::Source,
};
use synthetic::{OPENAT, setup, task};

const FOLDER: &str = "TRACER_RETENTION_FOLDER";
const FIRST: &str = "TRACER_RETENTION_FIRST";
const LIMIT: u64 = 10 << 20;
/// Rows of one recording are numbered from a multiple of this on.
const GENERATION: u64 = 1 << 40;

/// Rows without an end, each with its number, that do not compress.
struct Endless {
    next: u64,
    is_known: bool,
}

impl Source for Endless {
    fn wait(&mut self, _: Duration) -> Result<(), Error> {
        Ok(())
    }

    fn drain(&mut self, records: &mut impl Records) -> Result<usize, Error> {
        if !std::mem::replace(&mut self.is_known, true) {
            records.context(1, &task(7, "noise"));
        }
        for _ in 0..4096 {
            let number = self.next;
            self.next += 1;
            let noise: Vec<u8> = (1..5u64)
                .flat_map(|n| {
                    (number ^ n << 60).wrapping_mul(0x9e37_79b9_7f4a_7c15).rotate_left(31).to_le_bytes()
                })
                .map(|byte| byte | 0x80)
                .collect();
            let args = [Raw::Number(0), Raw::Bytes(&noise), Raw::Number(0), Raw::Number(0)];
            records.record(&Record {
                time_ns: 1_000 + number,
                event: OPENAT,
                cpu: 0,
                context: 1,
                ret: number as i64,
                marks: events::Marks(0),
                duration_ns: None,
                args: &args,
            });
        }
        // What is lost since the disk does not keep up is another test's.
        thread::sleep(Duration::from_millis(4));
        Ok(4096)
    }

    fn finish(self, _: &mut impl Records) -> Result<(), Error> {
        Ok(())
    }
}

fn parts(folder: &Path) -> Vec<PathBuf> {
    let all = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    let mut parts: Vec<PathBuf> = all.filter(|path| path.extension().is_some_and(|it| it == "trz")).collect();
    parts.sort();
    parts
}

/// What the command line makes of the parts that are there.
fn retention(folder: &Path) -> Retention {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.extension().is_some_and(|it| it == "partial") {
            fs::remove_file(path).unwrap();
        }
    }
    let earlier: Vec<EarlierPart> = parts(folder).iter().map(|part| EarlierPart::at(part).unwrap()).collect();
    let last = earlier.last().map(|part| part.file.path.to_string_lossy().into_owned());
    let number = last.map_or(0, |path| path.rsplit('.').nth(1).unwrap().parse::<u32>().unwrap() + 1);
    Retention {
        max_disk_bytes: Some(LIMIT),
        keep_for: None,
        first_number: number,
        earlier,
        is_uploaded: false,
    }
}

/// Records until `is_enough` of what was written.
fn record(
    folder: &Path,
    first: u64,
    change: impl FnOnce(&mut Retention),
    is_enough: impl Fn(&Writing) -> bool,
) -> Summary {
    let path = folder.join("s.trz");
    let mut retention = retention(folder);
    change(&mut retention);
    let mut setup = setup(&folder.join("unused.trz"));
    setup.destination.place = OutputPlace::file(&part_path(&path, retention.first_number), false).unwrap();
    setup.destination.path = path;
    setup.destination.rotation = Some(Rotation { every: Stretch::Bytes(4 << 20), keep: None });
    setup.destination.retention = retention;
    setup.header.recording.start_ns = first + 1;
    setup.header.host.boot_id = "boot".into();
    let source = Endless { next: first, is_known: false };
    let session = Session::start(setup).unwrap();
    let progress = session.progress();
    let summary =
        session.record(source, &mut || if is_enough(&progress.writing) { Step::Stop } else { Step::Go });
    summary.unwrap()
}

/// The child: records until it is killed.
#[test]
fn child() {
    let Some(folder) = std::env::var_os(FOLDER) else { return };
    let first: u64 = std::env::var(FIRST).unwrap().parse().unwrap();
    record(Path::new(&folder), first, |_| {}, |_| false);
}

/// What all files of the folder take of the disk, while nobody writes them.
fn disk_bytes(folder: &Path) -> u64 {
    let all = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().metadata().unwrap());
    all.map(|it| it.blocks() * 512).sum()
}

fn signal(child: &Child, signal: libc::c_int) {
    // SAFETY: the child was not waited for, so its number is still its own.
    unsafe { libc::kill(child.id() as i32, signal) };
}

/// Stops the child and looks.
fn looked(child: &Child, folder: &Path) -> u64 {
    signal(child, libc::SIGSTOP);
    let mut status = 0;
    // SAFETY: the status is this function's.
    unsafe { libc::waitpid(child.id() as i32, &raw mut status, libc::WUNTRACED) };
    let bytes = disk_bytes(folder);
    signal(child, libc::SIGCONT);
    bytes
}

/// The numbers of all rows of a file, and the oldest part that its last seal says stays.
fn read(path: &Path) -> (Vec<u64>, Option<u32>) {
    let capture = Capture::open(path).unwrap();
    let mut scratch = Scratch::new();
    let mut rows = Vec::new();
    for block in 0..capture.block_count() {
        let block = capture.block(block, &mut scratch).unwrap();
        let (codes, events) = (block.event_codes().unwrap(), block.event_list());
        let all = block.rets().unwrap().iter().zip(codes);
        let own = all.filter(|(_, code)| events[usize::from(**code)] == OPENAT);
        rows.extend(own.map(|(ret, _)| *ret as u64));
    }
    let verdict = format::verify(path, Expected::default()).unwrap();
    (rows, verdict.oldest_part)
}

#[test]
fn a_killed_set_is_never_above_its_limit_and_holds_each_row_once() {
    let folder = tempfile::tempdir().unwrap();
    let seed = std::process::id() as u64 ^ 0x5bd1_e995;
    let mut random = seed;
    let mut next = |most: u64| {
        random ^= random << 13;
        random ^= random >> 7;
        random ^= random << 17;
        random % most
    };
    let (mut most, mut looks) = (0, 0);
    // Twenty-four parts at least, whichever way they are cut.
    let mut generations = 0;
    let mut begun = 0;
    while generations < 6 || begun < 24 {
        let first = generations * GENERATION;
        generations += 1;
        assert!(generations < 100, "only {begun} parts after {generations} recordings, seed {seed}");
        let mut child = Command::new(std::env::current_exe().unwrap())
            .args(["--exact", "child", "--nocapture"])
            .env(FOLDER, folder.path())
            .env(FIRST, first.to_string())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let until = Instant::now() + Duration::from_millis(300 + next(1700));
        while Instant::now() < until {
            let bytes = looked(&child, folder.path());
            most = most.max(bytes);
            looks += 1;
            assert!(bytes <= LIMIT, "{bytes} bytes, seed {seed}");
            thread::sleep(Duration::from_micros(500 + next(4000)));
        }
        child.kill().unwrap();
        let status = child.wait().unwrap();
        let mut said = String::new();
        child.stderr.take().unwrap().read_to_string(&mut said).unwrap();
        assert!(status.code().is_none(), "it ended by itself: {said}");
        let last = parts(folder.path()).pop().map(|part| part.to_string_lossy().into_owned());
        begun = last.map_or(0, |part| part.rsplit('.').nth(1).unwrap().parse::<u32>().unwrap() + 1);
    }
    assert!(most > LIMIT / 2 && looks > 100, "{most} bytes at most, {looks} looks, seed {seed}");

    // A last one ends by itself, and what is left is whole.
    let first = generations * GENERATION;
    let files = |writing: &Writing| writing.files.load(Ordering::Relaxed);
    let summary = record(folder.path(), first, |_| {}, |writing| files(writing) > 3);
    assert!(summary.halt.is_none(), "{summary:?}");
    assert!(summary.removed_earlier_files > 0, "{summary:?}");
    let mut rows: BTreeMap<u64, Vec<u64>> = BTreeMap::new();
    let mut own_rows = 0;
    for part in parts(folder.path()) {
        let (numbers, _) = read(&part);
        let Some(one) = numbers.first() else { continue };
        if *one >= first {
            own_rows += numbers.len() as u64;
        }
        rows.entry(one / GENERATION).or_default().extend(numbers);
    }
    for (generation, rows) in &rows {
        let is_once = rows.windows(2).all(|pair| pair[0] < pair[1]);
        assert!(is_once, "rows of recording {generation} are not each once and in order, seed {seed}");
    }
    // The recorder's own row says that events were lost; it has a result of its own.
    assert!(own_rows <= summary.events && own_rows > 0, "{own_rows} rows, {summary:?}");
    assert_eq!(summary.events + summary.removed + summary.lost, summary.produced);
    assert!(disk_bytes(folder.path()) <= LIMIT);
}

#[test]
fn seals_say_which_parts_were_removed_to_keep_to_the_limit() {
    let folder = tempfile::tempdir().unwrap();
    let removed = |writing: &Writing| writing.removed_files.load(Ordering::Relaxed);
    let summary = record(folder.path(), 0, |_| {}, |writing| removed(writing) > 2);
    assert!(summary.removed_files > 2 && summary.halt.is_none(), "{summary:?}");
    let parts = parts(folder.path());
    assert_eq!(parts, summary.files);
    let number = |part: &PathBuf| part.to_string_lossy().rsplit('.').nth(1).unwrap().parse::<u32>().unwrap();
    let oldest = number(&parts[0]);
    let (_, said) = read(parts.last().unwrap());
    assert_eq!(said, Some(oldest), "the last seal says otherwise which part is the oldest");
    for part in &parts {
        let (_, said) = read(part);
        assert!(said.is_some_and(|said| said <= number(part)), "{part:?} says that it is gone");
    }
}

#[test]
fn parts_go_when_they_are_too_old() {
    let folder = tempfile::tempdir().unwrap();
    let files = |writing: &Writing| writing.files.load(Ordering::Relaxed);
    let first =
        record(folder.path(), 0, |retention| retention.max_disk_bytes = None, |writing| files(writing) > 1);
    assert!(first.files.len() >= 2 && first.removed_files == 0, "{first:?}");
    let week = Duration::from_secs(7 * 86_400);
    let old = std::time::SystemTime::now() - week;
    for file in &first.files[..first.files.len() - 1] {
        fs::File::options().append(true).open(file).unwrap().set_modified(old).unwrap();
    }
    let change = |retention: &mut Retention| {
        (retention.max_disk_bytes, retention.keep_for) = (None, Some(week - Duration::from_secs(60)));
    };
    let second = record(folder.path(), GENERATION, change, |writing| files(writing) > 1);
    assert_eq!(second.removed_earlier_files, first.files.len() as u64 - 1);
    let left = parts(folder.path());
    assert_eq!(left[0], *first.files.last().unwrap(), "the one that is not old enough stays");
    assert_eq!(left.len(), 1 + second.files.len());
}
