//! `tracer-fleet catalog`: the catalogue of captures in an object store, as `tracer catalog` makes it of a folder.

use std::collections::HashMap;
use std::path::PathBuf;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};

use anyhow::{Context, Result, anyhow, bail};
use clap::Args;
use format::{Capture, OpenOptions, SigningKey};
use interchange::catalog::folder::Found;
use interchange::catalog::{Columns, FILE, Row, SIGNATURE, Writer, signature};

use crate::captures::read_secret;
use crate::sql::{Outcome, say};
use crate::store;

#[derive(Args, Debug)]
pub struct Options {
    /// The path in the store; all objects below it belong to it: s3://BUCKET/PREFIX
    #[arg(value_name = "URL")]
    url: String,
    /// Read every capture anew
    #[arg(long)]
    rebuild: bool,
    /// Sign it with the key of this file (made by `tracer keygen`): who reads it with --catalog-key believes no other
    #[arg(long, value_name = "FILE")]
    sign_key: Option<PathBuf>,
    /// Captures that are read at a time
    #[arg(long, value_name = "N", default_value_t = 16, value_parser = clap::value_parser!(u16).range(1..))]
    requests: u16,
}

pub fn run(options: &Options) -> Result<Outcome> {
    let url = options.url.trim_end_matches('/');
    if !store::is_url(url) {
        bail!("{url}: this is no URL of a store; `tracer catalog {url}` makes the catalogue of a folder");
    }
    let key = options.sign_key.as_deref().map(|path| {
        let name = || format!("--sign-key {}", path.display());
        SigningKey::from_text(&read_secret(path).with_context(name)?).with_context(name)
    });
    let key = key.transpose()?;
    let mut files = store::contents(url)?.files;
    files.sort_by(|a, b| a.path.as_os_str().cmp(b.path.as_os_str()));
    let mut before = if options.rebuild { HashMap::new() } else { before(url)? };
    let next = AtomicUsize::new(0);
    let known: Vec<Mutex<Option<Row>>> = files
        .iter()
        .map(|found| {
            let row = below(url, found).and_then(|name| before.remove(name));
            Mutex::new(row.filter(|row| row.is_of(&found.stamp)))
        })
        .collect();
    let kept = known.iter().filter(|row| row.lock().is_ok_and(|row| row.is_some())).count();
    // Reading one waits for the store, so many are read at a time.
    let work = || {
        while let Some((found, row)) = {
            let at = next.fetch_add(1, Ordering::Relaxed);
            files.get(at).zip(known.get(at))
        } {
            let Ok(mut row) = row.lock() else { continue };
            if row.is_none() {
                *row = below(url, found).map(|name| read(name, found));
            }
        }
    };
    std::thread::scope(|scope| {
        let threads: Vec<_> = (0..options.requests).map(|_| scope.spawn(work)).collect();
        threads.into_iter().try_for_each(|it| it.join())
    })
    .map_err(|_| anyhow!("a thread that read captures ended early"))?;
    let mut rows: Vec<Row> = known.into_iter().filter_map(|row| row.into_inner().ok()?).collect();
    rows.sort_by(|a, b| a.path.cmp(&b.path));
    let mut writer = Writer::new(Vec::new())?;
    let (count, events) = (rows.len(), rows.iter().map(|row| row.events).fold(0, i64::saturating_add));
    rows.into_iter().try_for_each(|row| writer.push(row))?;
    let bytes = writer.finish()?;
    let signed = key.map(|key| signature::sign(&key, &bytes));
    // Whoever reads between the two finds that they do not fit, and opens all captures.
    store::put(&format!("{url}/{FILE}"), bytes)?;
    match signed {
        Some(text) => store::put(&format!("{url}/{SIGNATURE}"), text.into_bytes())?,
        None => store::remove(&format!("{url}/{SIGNATURE}"))?,
    }
    let gone = before.len();
    say(&format!(
        "{url}/{FILE}: {count} captures of {events} events: {} read, {kept} as they were, {gone} gone",
        count - kept
    ));
    Ok(Outcome::Done)
}

/// The name of a capture below the path.
fn below<'f>(url: &str, found: &'f Found) -> Option<&'f str> {
    found.path.to_str()?.strip_prefix(url)?.strip_prefix('/')
}

/// The rows that there are, by their paths.
fn before(url: &str) -> Result<HashMap<String, Row>> {
    let Some(bytes) = store::bytes(&format!("{url}/{FILE}"))? else { return Ok(HashMap::new()) };
    let read = interchange::catalog::Catalog::of_bytes(bytes, None, None).and_then(|catalog| {
        catalog.rows(Columns::All).map(|row| row.map(|row| (row.path.clone(), row))).collect()
    });
    Ok(read.unwrap_or_else(|error| {
        say(&format!("{url}/{FILE}: {error}; every capture is read"));
        HashMap::new()
    }))
}

fn read(name: &str, found: &Found) -> Row {
    let url = found.path.to_string_lossy();
    let opened =
        store::reader(&url).and_then(|reader| Ok(Capture::from_reader(reader, &OpenOptions::default())?));
    match opened {
        Ok(capture) => Row::of(name.to_owned(), &found.stamp, capture),
        Err(error) => {
            say(&format!("{url}: {error}; it is opened whatever is asked"));
            Row::unread(name.to_owned(), &found.stamp, "not read: encrypted, or damaged")
        }
    }
}
