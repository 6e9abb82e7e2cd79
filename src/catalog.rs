//! `tracer catalog`: a row for each capture of a folder, in a file beside them.

use std::collections::HashMap;
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use anyhow::{Context, Result, bail};
use clap::Args;
use format::{Capture, Completeness, SigningKey};
use interchange::catalog::folder::{Contents, Found, is_capture};
use interchange::catalog::{self, FILE, Row, SIGNATURE, signature};

use crate::outcome::Outcome;
use crate::progress::Progress;
use crate::seal;
use crate::stderr;
use crate::threads::Threads;

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
    let files = Contents::of(folder)?.files;
    let path = folder.join(FILE);
    let before = before(&path, &options)?;
    if options.check {
        return check(&options, &path, files, before);
    }
    let (mut kept, mut changed) = (Vec::new(), Vec::new());
    for found in files {
        let name = below(folder, &found.path);
        match name.and_then(|name| before.get(&name)).filter(|row| row.is_of(&found.metadata)) {
            Some(row) => kept.push(row.clone()),
            None => changed.push(found),
        }
    }
    wait_for(changed.iter().chain([]).filter_map(|found| found.metadata.modified().ok()).max());
    let progress = Progress::of(&changed.iter().map(|found| &found.path).collect::<Vec<_>>());
    let read = rows(folder, &changed, options.threads.count())?;
    drop(progress);
    let (kept_count, read_count) = (kept.len(), read.len());
    let gone = before.len()
        - kept_count
        - before.keys().filter(|name| read.iter().any(|row| row.path == **name)).count();
    let mut all = kept;
    all.extend(read);
    if all.is_empty() {
        bail!("{}: there is no capture in this folder ({} other files)", folder.display(), changed.len());
    }
    all.sort_by(|a, b| a.path.cmp(&b.path));
    let was_signed = folder.join(SIGNATURE).exists();
    store(folder, &path, &all, key.as_ref())?;
    if was_signed && key.is_none() {
        stderr::warn("the catalogue was signed, and is no longer: --sign-key signs it");
    }
    let opened = all.iter().filter(|row| row.statistics.is_none()).count();
    let events: i64 = all.iter().map(|row| row.events).fold(0, i64::saturating_add);
    let mut out = io::stdout().lock();
    writeln!(
        out,
        "{}: {} captures of {events} events: {read_count} read, {kept_count} as they were, {gone} gone",
        path.display(),
        all.len(),
    )?;
    if opened > 0 {
        let why = all.iter().find(|row| row.statistics.is_none()).map_or("", |row| &row.state);
        writeln!(out, "{opened} of them are opened whatever is asked ({why})")?;
    }
    Ok(Outcome::Done)
}

/// The rows that there are, by path.
fn before(path: &Path, options: &Options) -> Result<HashMap<String, Row>> {
    if !path.exists() {
        if options.check {
            bail!("{} is not there: make it with `tracer catalog`", path.display());
        }
        return Ok(HashMap::new());
    }
    let rows = match catalog::read(path, true, None) {
        Ok(catalog) => catalog.rows,
        Err(error) if options.check => return Err(error).with_context(|| path.display().to_string()),
        Err(error) => {
            stderr::note(format_args!("{}: {error}; every capture is read", path.display()));
            Vec::new()
        }
    };
    let rows = if options.rebuild { Vec::new() } else { rows };
    Ok(rows.into_iter().map(|row| (row.path.clone(), row)).collect())
}

/// A path below the folder as rows have it; `None` of one that is no UTF-8, which is in no catalogue.
fn below(folder: &Path, path: &Path) -> Option<String> {
    let below = path.strip_prefix(folder).ok()?;
    let parts: Option<Vec<&str>> = below.components().map(|part| part.as_os_str().to_str()).collect();
    Some(parts?.join("/"))
}

/// Waits until no file is so new that it may change once more within one tick of the file system's clock.
fn wait_for(newest: Option<SystemTime>) {
    let ns = |time: SystemTime| time.duration_since(UNIX_EPOCH).map_or(0, |it| it.as_nanos() as i64);
    let Some(newest) = newest else { return };
    let left = catalog::racy_until_ns(ns(newest)).saturating_sub(ns(SystemTime::now()));
    // One of the future will be of the future for long; its row says nothing.
    if let Ok(left) = u64::try_from(left) {
        std::thread::sleep(Duration::from_nanos(left).min(Duration::from_millis(100)));
    }
}

/// The rows of these files; files that are no captures have none.
fn rows(folder: &Path, files: &[Found], threads: usize) -> Result<Vec<Row>> {
    let next = AtomicUsize::new(0);
    let work = || -> Result<Vec<Row>> {
        let mut rows = Vec::new();
        while let Some(found) = files.get(next.fetch_add(1, Ordering::Relaxed)) {
            rows.extend(row(folder, found)?);
        }
        Ok(rows)
    };
    std::thread::scope(|scope| {
        let started: Vec<_> = (0..threads.max(1)).map(|_| scope.spawn(work)).collect();
        let mut all = Vec::new();
        for thread in started {
            all.extend(
                thread.join().map_err(|_| anyhow::anyhow!("a thread that read captures ended early"))??,
            );
        }
        Ok(all)
    })
}

fn row(folder: &Path, found: &Found) -> Result<Option<Row>> {
    let Some(name) = below(folder, &found.path) else {
        stderr::note(format_args!("{}: its name is no UTF-8: it is in no catalogue", found.path.display()));
        return Ok(None);
    };
    if !is_capture(&found.path)? {
        return Ok(None);
    }
    Ok(Some(match Capture::open(&found.path) {
        Ok(capture) => {
            if let Completeness::Salvaged { what, .. } = capture.completeness() {
                stderr::note(format_args!("{name}: not finished: {what}; it is opened whatever is asked"));
            }
            Row::of(name, &found.metadata, capture)
        }
        Err(error) => {
            stderr::note(format_args!("{name}: {error}; it is opened whatever is asked"));
            Row::unread(name, &found.metadata, "not read: encrypted, or damaged")
        }
    }))
}

/// Puts the catalogue, and its signature, in the place of those that were there. Whoever reads between the two finds that they
/// do not fit, and opens all captures.
fn store(folder: &Path, path: &Path, rows: &[Row], key: Option<&SigningKey>) -> Result<()> {
    let what = || format!("writing {}", path.display());
    let bytes = catalog::write(Vec::new(), rows).with_context(what)?;
    let replace = |path: &Path, bytes: &[u8]| -> Result<()> {
        let mut file = tempfile::Builder::new().prefix(".catalog.").tempfile_in(folder)?;
        file.write_all(bytes)?;
        file.as_file().sync_all()?;
        file.persist(path).map_err(|error| error.error)?;
        Ok(())
    };
    replace(path, &bytes).with_context(what)?;
    let signature = folder.join(SIGNATURE);
    match key {
        Some(key) => replace(&signature, signature::sign(key, &bytes).as_bytes()).with_context(what)?,
        None => match std::fs::remove_file(&signature) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => {
                return Err(error).with_context(|| format!("removing {}", signature.display()));
            }
            _ => {}
        },
    }
    Ok(())
}

/// Reads every capture and says where the catalogue says otherwise.
fn check(options: &Options, path: &Path, files: Vec<Found>, before: HashMap<String, Row>) -> Result<Outcome> {
    let progress = Progress::of(&files.iter().map(|found| &found.path).collect::<Vec<_>>());
    let mut now = rows(&options.folder, &files, options.threads.count())?;
    drop(progress);
    now.sort_by(|a, b| a.path.cmp(&b.path));
    let (mut wrong, mut older) = (0, 0);
    let mut out = io::stdout().lock();
    let metadata: HashMap<String, &Found> =
        files.iter().filter_map(|found| Some((below(&options.folder, &found.path)?, found))).collect();
    let mut known = before;
    for row in now {
        let Some(said) = known.remove(&row.path) else {
            older += 1;
            continue;
        };
        if metadata.get(&row.path).is_none_or(|found| !said.is_of(&found.metadata)) {
            older += 1;
            continue;
        }
        let is_same = Row { cataloged_ns: row.cataloged_ns, ..said } == row;
        if !is_same {
            wrong += 1;
            writeln!(out, "{}: the catalogue says otherwise than the capture", row.path)?;
        }
    }
    let gone = known.len();
    let signed =
        match signature::signer(path, &std::fs::read(path).with_context(|| path.display().to_string())?) {
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
