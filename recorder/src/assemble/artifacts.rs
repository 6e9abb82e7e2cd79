//! What comes of artifacts, on its way to the file.

use std::time::{Duration, Instant};

use crossbeam_channel::RecvTimeoutError;
use format::{Artifact, Side, artifact::reasons};

use super::{Assembler, Wait, Work};
use crate::{
    artifacts::{Taken, Who},
    kernel::Record,
};

/// Between two looks whether anybody waits for the end.
const LOOK_AGAIN: Duration = Duration::from_millis(20);
/// How long what is left to be read is waited for at the end.
const LAST_WAIT: Duration = Duration::from_secs(20);

impl Assembler {
    /// Whose a record is, whether or not its context waits.
    pub(super) fn who(&mut self, context: u32) -> Who {
        let waiting = self.waiting.process(context);
        waiting.unwrap_or_else(|| Who::of(&self.contexts.get(context).context.view()))
    }

    /// Tells of a record that may be about an artifact. It is told when it comes, whatever is waited for: descriptors are not
    /// open for long.
    pub(super) fn track(&mut self, record: &Record<'_>) {
        if self.tracker.as_ref().is_none_or(|tracker| !tracker.is_concerned(record.event)) {
            return;
        }
        let who = self.who(record.context);
        if let Some(tracker) = &mut self.tracker {
            tracker.record(record, who);
        }
    }

    /// Hands over what has come, as long as there is room.
    pub(super) fn send_artifacts(&mut self) {
        let Some(tracker) = &mut self.tracker else { return };
        let part = tracker.part();
        if part != self.part {
            // What is executed from now on is kept in this file.
            self.part = part;
            if let Some(hashes) = &mut self.hashes {
                hashes.forget();
            }
        }
        while !self.lanes.is_full() {
            let Some(taken) = self.taken.take().or_else(|| tracker.receive()) else { return };
            if let Err(Work::Artifacts(taken)) = self.lanes.hand_over(Work::Artifacts(taken)) {
                self.taken = Some(taken);
                return;
            }
        }
    }

    /// Waits for what is left to be read, for a while, and tells how often there was no hash.
    pub(super) fn finish_artifacts(&mut self, patience: &mut dyn FnMut() -> Wait) {
        // Whoever hashes ends with it.
        let missed = self.hashes.take().map(|mut hashes| hashes.missed()).unwrap_or_default();
        if let Some(taken) = self.taken.take() {
            self.lanes.hand_over_at_last(Work::Artifacts(taken), patience);
        }
        if let Some(tracker) = self.tracker.take() {
            let (answers, refused) = tracker.finish();
            let until = Instant::now() + LAST_WAIT;
            let mut last = count(refused, reasons::TOO_MANY_AT_ONCE);
            loop {
                match answers.recv_timeout(LOOK_AGAIN) {
                    Ok(taken) => self.lanes.hand_over_at_last(Work::Artifacts(taken), patience),
                    Err(RecvTimeoutError::Disconnected) => break,
                    Err(RecvTimeoutError::Timeout) => {}
                }
                if Instant::now() >= until || patience() == Wait::NoLonger {
                    last.extend(count(vec![("", 1)], reasons::ENDED));
                    break;
                }
            }
            if !last.is_empty() {
                let taken = Taken { artifacts: last, content: None };
                self.lanes.hand_over_at_last(Work::Artifacts(taken), patience);
            }
        }
        if !missed.is_empty() {
            self.lanes.hand_over_at_last(Work::Side(Side::Artifacts(missed)), patience);
        }
    }
}

fn count(of: Vec<(&'static str, u64)>, reason: &str) -> Vec<Artifact> {
    let tell = |(kind, count): (&str, u64)| Artifact {
        kind: kind.to_owned(),
        left_out: reason.to_owned(),
        count,
        ..Artifact::default()
    };
    of.into_iter().map(tell).collect()
}
