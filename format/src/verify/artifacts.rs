//! The bytes of artifacts against their hashes, and those against the artifacts and the events that name them.

use std::collections::HashMap;

use events::catalogue::process::SCHED_PROCESS_EXEC;
use events::{EventId, Raw};

use super::{Fault, Stop, Verdict, Walk};
use crate::{Artifact, Capture, Content, Error, Result, Scratch, Sha256, hex};

/// Artifacts of one file that are held against what they name.
const MOST: usize = 1 << 20;

#[derive(Debug, Default)]
pub(super) struct Artifacts {
    /// Bytes that are there, and how many.
    contents: HashMap<Sha256, u64>,
    /// Bytes that should be.
    claimed: HashMap<Sha256, u64>,
    pub(super) named: Vec<NamedHash>,
    has_more: bool,
}

/// An event whose hash an artifact says.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub(super) struct NamedHash {
    time_ns: u64,
    host: u16,
    tid: u32,
    sha256: Sha256,
}

impl Artifacts {
    pub(super) fn take(&mut self, all: Vec<Artifact>) {
        for artifact in all {
            let Some(sha256) = artifact.sha256 else { continue };
            if self.claimed.len() >= MOST || self.named.len() >= MOST {
                self.has_more = true;
                return;
            }
            if artifact.content().is_some() {
                self.claimed.insert(sha256, artifact.kept);
            }
            let Artifact { time_ns, host, tid, event, .. } = artifact;
            if event == Some(SCHED_PROCESS_EXEC) && !artifact.is_cut() {
                self.named.push(NamedHash { time_ns, host, tid, sha256 });
            }
        }
    }
}

impl Walk<'_> {
    /// Reads the bytes of an artifact through.
    pub(super) fn content(&mut self, head: &[u8], body: &[u8]) -> Result<(), Stop> {
        let content = Content::from_frame(head, body.to_vec(), self.offset);
        let read = content.and_then(|content| {
            content.read(&mut |_| Ok(()))?;
            Ok(content)
        });
        match read {
            Ok(content) => {
                self.artifacts.contents.insert(content.sha256, content.size);
                Ok(())
            }
            Err(Error::Damaged { what, .. }) => Err(self.fault(None, what)),
            Err(error) => Err(error.into()),
        }
    }

    /// Every artifact that should be there is, as long as it should be.
    pub(super) fn check_artifacts(&mut self) -> Result<(), Stop> {
        if !self.is_opened {
            return Ok(());
        }
        let Artifacts { contents, claimed, has_more, .. } = &self.artifacts;
        if *has_more {
            return Err(self.fault(None, "it has more artifacts than any capture that is recorded"));
        }
        for (sha256, kept) in claimed {
            let what = match contents.get(sha256) {
                None => "the capture does not hold the bytes of an artifact",
                Some(size) if size != kept => "an artifact does not have as many bytes as is said of it",
                Some(_) => continue,
            };
            return Err(self.fault(None, &format!("{what}: {}", hex(sha256))));
        }
        Ok(())
    }
}

/// Looks whether events have the hashes that artifacts say of them. An event that is not there, or has no hash, says nothing.
pub(super) fn check_events(
    verdict: &mut Verdict,
    named: &[NamedHash],
    open: impl FnOnce() -> Result<Capture>,
) -> Result<()> {
    if verdict.fault.is_some() || named.is_empty() {
        return Ok(());
    }
    let mut named = named.to_vec();
    named.sort_unstable();
    let capture = open()?;
    let mut scratch = Scratch::new();
    for number in 0..capture.block_count() {
        let statistics = capture.block_info(number)?.statistics;
        let from = named.partition_point(|it| it.time_ns < statistics.first_ns);
        let to = named.partition_point(|it| it.time_ns <= statistics.last_ns);
        let Some(of_block) = named.get(from..to).filter(|some| !some.is_empty()) else { continue };
        if statistics.rows_of(SCHED_PROCESS_EXEC) == 0 {
            continue;
        }
        let block = capture.block(number, &mut scratch)?;
        if let Some(sha256) = contradicted(&capture, &block, of_block)? {
            let what = format!(
                "block {number}: an event has another hash than an artifact says it has: {}",
                hex(&sha256)
            );
            let offset = capture.block_info(number)?.offset;
            verdict.fault = Some(Fault { offset, block: Some(number as u64), what });
            return Ok(());
        }
    }
    Ok(())
}

fn contradicted(capture: &Capture, block: &crate::Block, named: &[NamedHash]) -> Result<Option<Sha256>> {
    let is_exec = |event: &EventId| *event == SCHED_PROCESS_EXEC;
    let code = block.event_list().iter().position(is_exec);
    let position = capture.schema().event(SCHED_PROCESS_EXEC).and_then(|event| event.arg("sha256"));
    let (Some(code), Some((position, _))) = (code, position) else { return Ok(None) };
    let code = code as u16;
    let (codes, times, contexts) = (block.event_codes()?, block.times()?, block.contexts()?);
    let column = block.args(code).column(position)?;
    let of_contexts = block.context_codes()?;
    let rows = codes.iter().enumerate().filter(|(_, of)| **of == code);
    for (ordinal, (row, _)) in rows.enumerate() {
        let time_ns = times.get(row).copied().unwrap_or_default();
        let first = named.partition_point(|it| it.time_ns < time_ns);
        let same = named.get(first..).unwrap_or_default().iter().take_while(|it| it.time_ns == time_ns);
        for it in same.filter(|it| it.host == block.host()) {
            let tid = of_contexts.get(row).and_then(|code| contexts.get(*code)).map(|context| context.tid);
            if tid != Some(it.tid) {
                continue;
            }
            if let Raw::Bytes(said) = column.get(ordinal)
                && said.len() == 64
                && said != hex(&it.sha256).as_bytes()
            {
                return Ok(Some(it.sha256));
            }
        }
    }
    Ok(None)
}
