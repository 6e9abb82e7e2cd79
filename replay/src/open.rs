//! Opening captures, and what to tell the user about them before any answer.

use std::path::Path;

use events::catalogue;
use format::{Capture, Completeness};
use jiff::Timestamp;
use pipeline::{Error, Gap, Outline, Result, Source};

/// Opens files to be read as one source.
/// `files`: names for messages, and paths.
pub fn open(files: &[(String, &Path)], options: &format::OpenOptions) -> Result<Source> {
    open_beside(files, Vec::new(), options)
}

/// The same, beside captures that are not opened.
pub fn open_beside(
    files: &[(String, &Path)],
    unopened: Vec<Outline>,
    options: &format::OpenOptions,
) -> Result<Source> {
    let open = |(name, path): &(String, &Path)| {
        let name = name.clone();
        match Capture::open_with(path, options) {
            Ok(capture) => Ok((name, capture)),
            Err(_) if path.is_dir() => Err(Error::Folder { file: name }),
            Err(source) => Err(Error::Capture { file: name, source }),
        }
    };
    let open_all = |files: &[(String, &Path)]| files.iter().map(open).collect::<Result<Vec<_>>>();
    let threads = std::thread::available_parallelism().map_or(1, usize::from).min(files.len() / FEW_FILES);
    if threads <= 1 {
        return Ok(Source::beside(open_all(files)?, unopened));
    }
    let parts: Vec<Result<Vec<_>>> = std::thread::scope(|scope| {
        let parts = files.chunks(files.len().div_ceil(threads));
        let started: Vec<_> = parts.map(|files| (scope.spawn(|| open_all(files)), files)).collect();
        // A thread that ended early leaves its files to this one.
        started.into_iter().map(|(thread, files)| thread.join().unwrap_or_else(|_| open_all(files))).collect()
    });
    let captures = parts.into_iter().collect::<Result<Vec<_>>>()?;
    Ok(Source::beside(captures.into_iter().flatten().collect(), unopened))
}

/// Fewer files than this for each thread are opened by one.
const FEW_FILES: usize = 16;

/// What is missing from the files, a sentence each; empty when all is there that happened.
pub fn warnings(source: &Source) -> Vec<String> {
    let mut warnings = Vec::new();
    for file in source.files() {
        let name = &file.name;
        if let Completeness::Salvaged { lost_bytes, what } = file.capture.completeness() {
            warnings.push(format!("{name}: not finished: {what}; {lost_bytes} bytes at its end are lost"));
        }
        // Of an event that the file does not hold nothing is missing.
        let mut unread =
            file.capture.schema().unread().iter().filter(|(event, _)| holds(&file.capture, event));
        if let Some((event, arg)) = unread.next() {
            let others = match unread.count() {
                0 => String::new(),
                others => format!(" and {others} more arguments"),
            };
            warnings.push(format!(
                "{name}: {event}.{arg}{others}: stored in a form that this version does not read, and missing"
            ));
        }
        let lost: u64 = file.capture.losses().iter().map(|loss| loss.count).fold(0, u64::saturating_add);
        if lost > 0 {
            let noun = if lost == 1 { "event was" } else { "events were" };
            warnings.push(format!("{name}: {lost} {noun} lost while recording (tracer info says when)"));
        }
    }
    let lossy = source.unopened().iter().filter(|outline| outline.lost > 0);
    let (mut lost, mut captures, mut first) = (0u64, 0u64, None);
    for outline in lossy {
        lost = lost.saturating_add(outline.lost);
        captures += 1;
        first = first.or(Some(&outline.name));
    }
    if let Some(first) = first {
        let noun = if lost == 1 { "event was" } else { "events were" };
        let others = if captures > 1 { format!(" and {} more", captures - 1) } else { String::new() };
        warnings.push(format!(
            "{first}{others}: {lost} {noun} lost while recording, by the catalogue (tracer info says when)"
        ));
    }
    warnings
}

/// Whether a capture has rows of an event, or may have them.
fn holds(capture: &Capture, event: &str) -> bool {
    let Some(event) = catalogue::by_name(event) else { return true };
    (0..capture.block_count())
        .any(|block| capture.block_info(block).is_ok_and(|info| info.statistics.rows_of(event.id) > 0))
}

/// A block that is missing from an answer, in a sentence.
pub fn missing(gap: &Gap) -> String {
    let Gap { file, block, rows, what, .. } = gap;
    let time = |ns: i64| match Timestamp::from_nanosecond(ns.into()) {
        Ok(time) => format!("{time:.6}"),
        Err(_) => format!("{ns} ns"),
    };
    let (from, to) = (time(gap.from_ns), time(gap.to_ns));
    let missing = if gap.is_state {
        "what it says of who descends from whom, and of streams, is missing"
    } else {
        "what matches in it is missing"
    };
    format!("{file}: block {block} cannot be read ({rows} rows, {from} to {to}); {missing}: {what}")
}
