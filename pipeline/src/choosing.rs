//! Which blocks of captures a question reads: those that statistics do not rule out, and those that the state is told of.

use std::collections::VecDeque;
use std::ops::Range;
use std::sync::Arc;

use scopes::pruning::Ancestry;

use crate::block_pruning::Pruning;
use crate::job::{Bound, Job};
use crate::question::Question;
use crate::source::BlockRef;
use crate::state::Scans;
use crate::stats::Stats;

/// Fewer files than this for each thread, and one thread chooses among them.
const FILES_PER_THREAD: usize = 16;

/// Chooses among the blocks of captures.
pub(crate) struct Choice<'q> {
    pub question: &'q Question<'q>,
    pub scans: Option<&'q Scans>,
}

impl Choice<'_> {
    /// What is to be read, in order: blocks that statistics do not rule out, and those that the state is told of.
    pub fn jobs(&self) -> (VecDeque<Job>, Stats) {
        let files = self.question.source.files();
        let threads = self.question.threads.min(files.len() / FILES_PER_THREAD).max(1);
        let (mut jobs, mut stats) = (Vec::new(), Vec::new());
        if threads == 1 {
            stats.push(self.among(0..files.len(), &mut jobs));
        } else {
            let step = files.len().div_ceil(threads);
            let parts: Vec<_> = std::thread::scope(|scope| {
                let starts = (0..files.len()).step_by(step);
                let started: Vec<_> = starts
                    .map(|start| {
                        scope.spawn(move || {
                            let (mut jobs, files) = (Vec::new(), start..(start + step).min(files.len()));
                            let stats = self.among(files, &mut jobs);
                            (jobs, stats)
                        })
                    })
                    .collect();
                started.into_iter().map(|thread| thread.join().unwrap_or_default()).collect()
            });
            for (part, of_part) in parts {
                jobs.extend(part);
                stats.push(of_part);
            }
        }
        if jobs.iter().any(|job| job.is_chosen) && self.scans.is_some_and(Scans::has_ends) {
            jobs.extend(self.question.source.last_blocks().into_iter().filter_map(|last| self.end(last)));
        }
        jobs.sort_by_key(|job| job.reference);
        // Behind the last chosen block nobody asks.
        let end =
            jobs.iter().rposition(|job| job.is_chosen || job.end.is_some()).and_then(|last| jobs.get(last));
        let end =
            end.map_or(0, |last| jobs.partition_point(|job| job.reference.first <= last.reference.last));
        jobs.truncate(end);
        let mut next = Bound::NONE;
        for job in jobs.iter_mut().rev() {
            job.next = next;
            next.any = Some(job.reference.first);
            if job.is_chosen || job.end.is_some() {
                next.chosen = Some((job.reference.first, job.reference.boot));
            }
        }
        for (number, job) in jobs.iter_mut().enumerate() {
            job.number = number;
        }
        let mut all = Stats::default();
        stats.into_iter().for_each(|stats| all.add(stats));
        (jobs.into(), all)
    }

    /// The same for some of the files, in no order.
    fn among(&self, files: Range<usize>, jobs: &mut Vec<Job>) -> Stats {
        let mut stats = Stats::default();
        for number in files.take_while(|_| !self.question.cancellation.is_cancelled()) {
            let Some((file, matcher)) =
                self.question.source.files().get(number).zip(self.question.matchers.get(number))
            else {
                continue;
            };
            for (segment, summary) in file.capture.segments().enumerate() {
                // What is known of a whole segment comes first: its blocks need not be looked at then.
                if self.scans.is_none()
                    && let [host] = file.hosts.as_slice()
                    && !self.question.is_in_range(host, summary.first_ns, summary.last_ns)
                {
                    stats.blocks_skipped += summary.blocks as u64;
                    stats.rows_skipped += summary.rows;
                    stats.bytes_skipped += summary.bytes;
                    continue;
                }
                file.each_block(number, segment, &mut |reference, info| {
                    let it = &info.statistics;
                    let host = file.host(info.host());
                    let is_asked = self
                        .question
                        .among
                        .as_ref()
                        .is_none_or(|among| among.contains(&(number, reference.block)));
                    let is_chosen = is_asked
                        && host.is_some_and(|host| {
                            self.question.is_in_range(host, it.first_ns, it.last_ns)
                                && Pruning::new(matcher.of_host(info.host()), file, host)
                                    .may_match(it, |_| Ancestry::Unknown)
                        });
                    if !is_chosen {
                        stats.blocks_skipped += 1;
                        stats.rows_skipped += it.rows;
                        stats.bytes_skipped += info.bytes;
                    }
                    let is_told = self.scans.is_some_and(|scans| scans.has_rows(reference, info));
                    if is_chosen || is_told {
                        let host = host.map(Arc::clone);
                        jobs.push(Job { reference, host, is_chosen, is_told, ..Job::default() });
                    }
                });
            }
        }
        stats
    }

    /// The job in which it is told what is left when a boot's rows end; `None` when that is of no time that is asked for.
    fn end(&self, last: BlockRef) -> Option<Job> {
        let file = self.question.source.file(last)?;
        let hosts = (0u16..).zip(&file.hosts).filter(|(_, host)| host.boot == last.boot);
        let ends = hosts.map(|(number, host)| Some((host, file.recording_end(number)?)));
        // Where a cut left rows out behind this file, what waits for them is no news of this time.
        let ends: Vec<_> = ends.collect::<Option<_>>()?;
        let is_asked = |range: &Range<i64>| ends.iter().any(|(host, end)| host.wall(*end) < range.end);
        if !self.question.range.as_ref().is_none_or(is_asked) {
            return None;
        }
        let (host, end) = ends.first()?;
        let reference = last.end(host.key(*end).max(last.last));
        Some(Job { reference, host: Some(Arc::clone(host)), end: Some(*end), ..Job::default() })
    }
}
