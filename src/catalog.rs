//! `tracer catalog`: a row for each capture of a folder, in a file beside them.

use std::cmp::Ordering as Order;
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use anyhow::{Context, Result, bail};
use clap::Args;
use format::{Capture, Completeness, SigningKey};
use interchange::catalog::folder::{Contents, Found, is_capture};
use interchange::catalog::{self, Catalog, Columns, FILE, Row, Rows, SIGNATURE, Writer, signature};
use tempfile::NamedTempFile;

use crate::outcome::Outcome;
use crate::progress::Progress;
use crate::seal;
use crate::stderr;
use crate::threads::Threads;

/// Captures that are read, and whose rows are held, at a time.
const CHUNK: usize = 2048;

/// A question to a folder that has a catalogue opens only captures that may hold something of it. Rows of files that are as
/// they were are kept, so making it anew costs what is new; a file that has changed since is opened whatever its row says.
#[derive(Args, Debug)]
pub struct Options {
    /// The folder; those below it belong to it
    #[arg(value_name = "FOLDER")]
    folder: PathBuf,
    /// Read every capture, and compare: exit with 1 where the catalogue says otherwise
    #[arg(long)]
    check: bool,
    /// Read every capture anew
    #[arg(long, conflicts_with = "check")]
    rebuild: bool,
    /// Sign it with the key of this file (made by `tracer keygen`): who reads it with --catalog-key believes no other
    #[arg(long, value_name = "FILE", conflicts_with = "check")]
    sign_key: Option<PathBuf>,
    #[command(flatten)]
    threads: Threads,
}

pub fn run(options: Options) -> Result<Outcome> {
    let folder = &options.folder;
    let key = options.sign_key.as_deref().map(seal::signing_key).transpose()?;
    let files = named(folder)?;
    let path = folder.join(FILE);
    if options.check {
        return check(&options, &path, &files);
    }
    let before = before(&path, &options);
    let what = || format!("writing {}", path.display());
    let changed = changed(&files, before.as_ref());
    wait_for(changed.iter().map(|found| found.stamp.modified_ns).max());
    let progress = Progress::of(&changed.iter().map(|found| &found.path).collect::<Vec<_>>());
    let file = tempfile::Builder::new().prefix(".catalog.").tempfile_in(folder).with_context(what)?;
    let mut writer = Writer::new(file.as_file().try_clone()?).with_context(what)?;
    let mut known = Known::of(before.as_ref(), Columns::All);
    let mut sum = Sum::default();
    for chunk in files.chunks(CHUNK) {
        let kept = |(name, found): &(String, Found)| known.take(name).filter(|row| row.is_of(&found.stamp));
        let kept: Vec<Option<Row>> = chunk.iter().map(kept).collect();
        sum.kept += kept.iter().flatten().count();
        for row in rows(chunk, kept, options.threads.count())?.into_iter().flatten() {
            sum.add(&row);
            writer.push(row).with_context(what)?;
        }
    }
    writer.finish().with_context(what)?;
    drop(progress);
    if sum.rows == 0 {
        bail!("{}: there is no capture in this folder ({} other files)", folder.display(), files.len());
    }
    let was_signed = folder.join(SIGNATURE).exists();
    let gone = known.gone(&path);
    put(folder, &path, file, key.as_ref()).with_context(what)?;
    if was_signed && key.is_none() {
        stderr::warn("the catalogue was signed, and is no longer: --sign-key signs it");
    }
    let Sum { rows, kept, events, opened, why_opened } = sum;
    let mut out = io::stdout().lock();
    writeln!(
        out,
        "{}: {rows} captures of {events} events: {} read, {kept} as they were, {gone} gone",
        path.display(),
        rows - kept,
    )?;
    if let Some(why) = why_opened {
        writeln!(out, "{opened} of them are opened whatever is asked ({why})")?;
    }
    Ok(Outcome::Done)
}

/// What came of making it.
#[derive(Default)]
struct Sum {
    rows: usize,
    kept: usize,
    events: i64,
    /// Captures that are opened whatever is asked, and why the first of them is.
    opened: usize,
    why_opened: Option<String>,
}

impl Sum {
    fn add(&mut self, row: &Row) {
        self.rows += 1;
        self.events = self.events.saturating_add(row.events);
        if row.statistics.is_none() {
            self.opened += 1;
            self.why_opened.get_or_insert_with(|| row.state.clone());
        }
    }
}

/// The files of a folder with their names below it, in the order of the catalogue's rows.
fn named(folder: &Path) -> Result<Vec<(String, Found)>> {
    let mut files = Vec::new();
    for found in Contents::of(folder)?.files {
        match below(folder, &found.path) {
            Some(name) => files.push((name, found)),
            None => {
                let path = found.path.display();
                stderr::note(format_args!("{path}: its name is no UTF-8: it is in no catalogue"));
            }
        }
    }
    files.sort_by(|(a, _), (b, _)| a.cmp(b));
    Ok(files)
}

/// The catalogue that there is, if it reads.
fn before(path: &Path, options: &Options) -> Option<Catalog> {
    if options.rebuild || !path.exists() {
        return None;
    }
    let not_read = |error| stderr::note(format_args!("{}: {error}; every capture is read", path.display()));
    Catalog::open(path, None).map_err(not_read).ok()
}

/// The files that a catalogue does not know as they are.
fn changed<'f>(files: &'f [(String, Found)], before: Option<&Catalog>) -> Vec<&'f Found> {
    let mut known = Known::of(before, Columns::Known);
    let mut is_changed =
        |name: &str, found: &Found| !known.take(name).is_some_and(|row| row.is_of(&found.stamp));
    files.iter().filter(|(name, found)| is_changed(name, found)).map(|(_, found)| found).collect()
}

/// The rows of a catalogue, which are taken by their names in the order of these. What does not read is not known.
struct Known<'a> {
    rows: Option<Rows<'a>>,
    next: Option<Row>,
    /// Rows that nobody took.
    passed: usize,
    failed: Option<catalog::Error>,
}

impl<'a> Known<'a> {
    fn of(catalog: Option<&'a Catalog>, columns: Columns) -> Known<'a> {
        Known { rows: catalog.map(|it| it.rows(columns)), next: None, passed: 0, failed: None }
    }

    fn take(&mut self, name: &str) -> Option<Row> {
        loop {
            if self.next.is_none() {
                self.next = self.read();
            }
            match self.next.as_ref()?.path.as_str().cmp(name) {
                Order::Less => {
                    self.next = None;
                    self.passed += 1;
                }
                Order::Equal => return self.next.take(),
                Order::Greater => return None,
            }
        }
    }

    fn read(&mut self) -> Option<Row> {
        match self.rows.as_mut()?.next()? {
            Ok(row) => Some(row),
            Err(error) => {
                self.failed = Some(error);
                None
            }
        }
    }

    /// How many rows nobody has taken.
    fn gone(&mut self, path: &Path) -> usize {
        self.passed += usize::from(self.next.take().is_some());
        while self.read().is_some() {
            self.passed += 1;
        }
        if let Some(error) = &self.failed {
            stderr::note(format_args!("{}: {error}; what it does not say is read", path.display()));
        }
        self.passed
    }
}

/// A path below the folder as rows have it; `None` of one that is no UTF-8, which is in no catalogue.
fn below(folder: &Path, path: &Path) -> Option<String> {
    let below = path.strip_prefix(folder).ok()?;
    let parts: Option<Vec<&str>> = below.components().map(|part| part.as_os_str().to_str()).collect();
    Some(parts?.join("/"))
}

/// Waits until no file is so new that it may change once more within one tick of the file system's clock.
fn wait_for(newest_ns: Option<i64>) {
    let Some(newest_ns) = newest_ns else { return };
    let now_ns = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |it| it.as_nanos() as i64);
    let left = catalog::racy_until_ns(newest_ns).saturating_sub(now_ns);
    // One of the future will be of the future for long; its row says nothing.
    if let Ok(left) = u64::try_from(left) {
        std::thread::sleep(Duration::from_nanos(left).min(Duration::from_millis(100)));
    }
}

/// The rows of these files, of which some are known; files that are no captures have none.
fn rows(files: &[(String, Found)], known: Vec<Option<Row>>, threads: usize) -> Result<Vec<Option<Row>>> {
    let next = AtomicUsize::new(0);
    let work = || -> Result<Vec<(usize, Row)>> {
        let mut rows = Vec::new();
        loop {
            let at = next.fetch_add(1, Ordering::Relaxed);
            let Some((name, found)) = files.get(at) else { return Ok(rows) };
            if known.get(at).is_none_or(Option::is_none) {
                rows.extend(row(name, found)?.map(|row| (at, row)));
            }
        }
    };
    let read = std::thread::scope(|scope| {
        let started: Vec<_> = (0..threads.max(1)).map(|_| scope.spawn(work)).collect();
        let mut all = Vec::new();
        for thread in started {
            all.extend(
                thread.join().map_err(|_| anyhow::anyhow!("a thread that read captures ended early"))??,
            );
        }
        anyhow::Ok(all)
    })?;
    let mut rows = known;
    for (at, row) in read {
        if let Some(place) = rows.get_mut(at) {
            *place = Some(row);
        }
    }
    Ok(rows)
}

fn row(name: &str, found: &Found) -> Result<Option<Row>> {
    if !is_capture(&found.path)? {
        return Ok(None);
    }
    Ok(Some(match Capture::open(&found.path) {
        Ok(capture) => {
            if let Completeness::Salvaged { what, .. } = capture.completeness() {
                stderr::note(format_args!("{name}: not finished: {what}; it is opened whatever is asked"));
            }
            Row::of(name.to_owned(), &found.stamp, capture)
        }
        Err(error) => {
            stderr::note(format_args!("{name}: {error}; it is opened whatever is asked"));
            Row::unread(name.to_owned(), &found.stamp, "not read: encrypted, or damaged")
        }
    }))
}

/// Puts the catalogue, and its signature, in the place of those that were there. Whoever reads between the two finds that they
/// do not fit, and opens all captures.
fn put(folder: &Path, path: &Path, file: NamedTempFile, key: Option<&SigningKey>) -> Result<()> {
    let signed = key.map(|key| std::fs::read(file.path()).map(|bytes| signature::sign(key, &bytes)));
    let signed = signed.transpose()?;
    file.as_file().sync_all()?;
    file.persist(path).map_err(|error| error.error)?;
    let signature = folder.join(SIGNATURE);
    let Some(signed) = signed else {
        return match std::fs::remove_file(&signature) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => {
                Err(error).with_context(|| format!("removing {}", signature.display()))
            }
            _ => Ok(()),
        };
    };
    let mut file = tempfile::Builder::new().prefix(".catalog.").tempfile_in(folder)?;
    file.write_all(signed.as_bytes())?;
    file.as_file().sync_all()?;
    file.persist(&signature).map_err(|error| error.error)?;
    Ok(())
}

/// Reads every capture and says where the catalogue says otherwise.
fn check(options: &Options, path: &Path, files: &[(String, Found)]) -> Result<Outcome> {
    if !path.exists() {
        bail!("{} is not there: make it with `tracer catalog`", path.display());
    }
    let before = Catalog::open(path, None).with_context(|| path.display().to_string())?;
    let progress = Progress::of(&files.iter().map(|(_, found)| &found.path).collect::<Vec<_>>());
    let mut known = Known::of(Some(&before), Columns::All);
    let (mut wrong, mut older) = (0, 0);
    let mut lines = Vec::new();
    for chunk in files.chunks(CHUNK) {
        let now = rows(chunk, vec![None; chunk.len()], options.threads.count())?;
        for ((name, found), row) in chunk.iter().zip(now) {
            let Some(row) = row else { continue };
            match known.take(name).filter(|said| said.is_of(&found.stamp)) {
                None => older += 1,
                Some(said) => {
                    if (Row { cataloged_ns: row.cataloged_ns, ..said }) != row {
                        wrong += 1;
                        lines.push(format!("{name}: the catalogue says otherwise than the capture"));
                    }
                }
            }
        }
    }
    drop(progress);
    let mut out = io::stdout().lock();
    lines.iter().try_for_each(|line| writeln!(out, "{line}"))?;
    let gone = known.gone(path);
    if let Some(error) = known.failed {
        return Err(error).with_context(|| path.display().to_string());
    }
    let bytes = std::fs::read(path).with_context(|| path.display().to_string())?;
    let signed = match signature::text(path).and_then(|text| signature::signer(text.as_deref(), &bytes)) {
        Ok(Some(key)) => format!("signed by {key}"),
        Ok(None) => "not signed".to_owned(),
        Err(error) => {
            wrong += 1;
            error.to_string()
        }
    };
    writeln!(out, "{}: {signed}", path.display())?;
    writeln!(
        out,
        "{}: {wrong} rows are wrong, {older} captures are newer than their rows or have none (they are opened), \
         {gone} rows are of files that are gone",
        path.display()
    )?;
    Ok(if wrong > 0 { Outcome::Found } else { Outcome::Done })
}
