//! The progress line, and the last one.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    thread::{self, JoinHandle},
    time::{Duration, Instant},
};

use recorder::{
    assemble::Progress,
    host::privileges::{self, Part},
    kernel,
    session::Summary,
};

use crate::amounts::{bytes, clock, grouped, plural};
use crate::stderr;

const EVERY: Duration = Duration::from_millis(250);

/// A line on stderr that is written anew as the recording goes on. Only on a terminal.
#[derive(Debug)]
pub struct Line {
    stop: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl Line {
    pub fn start(progress: Arc<Progress>) -> Line {
        let stop = Arc::new(AtomicBool::new(false));
        let thread = stderr::is_terminal().then(|| {
            let stop = Arc::clone(&stop);
            thread::Builder::new().name("tracer-progress".into()).spawn(move || show(&progress, &stop)).ok()
        });
        Line { stop, thread: thread.flatten() }
    }

    /// Takes the line away.
    pub fn end(self) {
        self.stop.store(true, Ordering::Relaxed);
        if let Some(thread) = self.thread {
            thread.thread().unpark();
            let _ = thread.join();
        }
    }
}

fn show(progress: &Progress, stop: &AtomicBool) {
    // It only counts and prints.
    let _ = privileges::confine(Part::Other);
    let started = Instant::now();
    let (mut before, mut at) = (0, started);
    while !stop.load(Ordering::Relaxed) {
        thread::park_timeout(EVERY);
        let events = progress.events.load(Ordering::Relaxed);
        let rate = (events - before) as f64 / at.elapsed().as_secs_f64().max(0.001);
        (before, at) = (events, Instant::now());
        let line = format!(
            "{}  {} events  {}/s  {} lost  {}",
            clock(started.elapsed()),
            grouped(events),
            grouped(rate as u64),
            grouped(progress.lost.load(Ordering::Relaxed)),
            bytes(progress.bytes.load(Ordering::Relaxed)),
        );
        stderr::status(line);
    }
    stderr::status("");
}

/// The first line: what it takes of the machine's memory.
pub fn start(memory: kernel::Memory, bound_bytes: u64) -> String {
    format!(
        "recording {} with buffers of {} each: {} of the kernel's memory, and at most {} of its own",
        plural(memory.cpus as u64, "CPU"),
        bytes(memory.buffer_bytes as u64),
        bytes(memory.map_bytes),
        bytes(bound_bytes),
    )
}

/// The last line: what was recorded.
pub fn summary(summary: &Summary) -> String {
    let files = match summary.files.as_slice() {
        [] => "no file".to_owned(),
        [file] => file.display().to_string(),
        [first, .., last] => {
            format!("{} to {} ({} files)", first.display(), last.display(), summary.files.len())
        }
    };
    let mut line = format!(
        "{files}: {} events in {}, {} lost, {}",
        grouped(summary.events),
        clock(summary.took),
        grouped(summary.lost),
        bytes(summary.bytes),
    );
    if summary.events > 0 {
        let each = summary.bytes as f64 / summary.events as f64;
        line.push_str(&format!(" ({each:.1} bytes an event)"));
    }
    if summary.left_out > 0 {
        line.push_str(&format!(", {} left out", grouped(summary.left_out)));
    }
    if summary.late_names > 0 {
        line.push_str(&format!(
            ", {} known by id only: their names came after the filters had been applied",
            plural(summary.late_names, "container")
        ));
    }
    if summary.untimed > 0 {
        line.push_str(&format!(
            ", {} without a duration: more threads were in calls than are remembered",
            plural(summary.untimed, "call")
        ));
    }
    if summary.removed_files > 0 {
        line.push_str(&format!(
            ", {} removed with {} older files",
            grouped(summary.removed),
            grouped(summary.removed_files)
        ));
    }
    if summary.removed_earlier_files > 0 {
        let files = plural(summary.removed_earlier_files, "file");
        line.push_str(&format!(", {files} of earlier recordings removed"));
    }
    if summary.removed_unacknowledged_files > 0 {
        line.push_str(&format!(
            "\nwarning: {} removed before the store of --upload had said that it has them: they are gone",
            plural(summary.removed_unacknowledged_files, "file")
        ));
    }
    if summary.lost_heads > 0 {
        line.push_str(&format!(
            "\nwarning: the witness of --heads did not take {}: what they vouch for rests on this host alone",
            plural(summary.lost_heads, "head")
        ));
    }
    if !summary.stuck_cpus.is_empty() {
        let cpus: Vec<String> = summary.stuck_cpus.iter().map(u16::to_string).collect();
        line.push_str(&format!(
            "\nwarning: the programs got stuck on CPU {} and recorded nothing there any more: this is a bug of tracer, please \
             report it with the kernel's version",
            cpus.join(", ")
        ));
    }
    line
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_line_says_what_it_takes() {
        let memory = kernel::Memory { cpus: 2, buffer_bytes: 16 << 20, map_bytes: 94 << 20 };
        assert_eq!(
            start(memory, 500 << 20),
            "recording 2 CPUs with buffers of 16.0 MiB each: 94.0 MiB of the kernel's memory, and at most 500.0 MiB of its own"
        );
    }

    #[test]
    fn the_last_line_says_what_was_recorded_lost_and_left_out() {
        let mut recorded = Summary {
            events: 2_000,
            lost: 3,
            left_out: 0,
            removed: 0,
            removed_files: 0,
            removed_earlier_files: 0,
            removed_unacknowledged_files: 0,
            produced: 2_003,
            bytes: 4_096,
            blocks: 1,
            files: vec!["c.trz".into()],
            took: Duration::from_millis(1_500),
            lost_heads: 0,
            halt: None,
            source_error: None,
            released: false,
            triggered: false,
            late_names: 0,
            untimed: 0,
            stuck_cpus: Vec::new(),
        };
        assert_eq!(summary(&recorded), "c.trz: 2,000 events in 1.5 s, 3 lost, 4.0 KiB (2.0 bytes an event)");
        recorded.files = vec!["c.0000.trz".into(), "c.0001.trz".into()];
        recorded.left_out = 7;
        recorded.late_names = 1;
        (recorded.removed, recorded.removed_files, recorded.removed_earlier_files) = (40, 3, 1);
        recorded.removed_unacknowledged_files = 2;
        assert_eq!(
            summary(&recorded),
            "c.0000.trz to c.0001.trz (2 files): 2,000 events in 1.5 s, 3 lost, 4.0 KiB (2.0 bytes an event), 7 left out, 1 container known by id only: their names came after the filters had been applied, 40 removed with 3 older files, 1 file of earlier recordings removed\nwarning: 2 files removed before the store of --upload had said that it has them: they are gone"
        );
    }
}
