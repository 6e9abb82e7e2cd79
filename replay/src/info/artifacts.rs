//! What a capture holds of artifacts, and what was left out of it.

use std::collections::{BTreeMap, BTreeSet};

use format::{Artifact, Capture, recorded};
use serde::Serialize;

use super::grouped;

#[derive(Clone, Debug, Default, Serialize)]
pub struct ArtifactsInfo {
    /// Kinds that were asked for; empty where the capture does not say.
    pub kinds: String,
    /// Bounds: bytes of one, and bytes and number of all together.
    pub each_bytes: Option<u64>,
    pub total_bytes: Option<u64>,
    pub number: Option<u64>,
    /// Distinct ones of which the bytes are in the capture, and how many bytes those are.
    pub kept: u64,
    pub kept_bytes: u64,
    /// Of these, the beginning is.
    pub cut: u64,
    /// By kind and reason: how many are not.
    pub left_out: BTreeMap<String, BTreeMap<String, u64>>,
}

impl ArtifactsInfo {
    pub fn of(capture: &Capture) -> Option<ArtifactsInfo> {
        let recording = &capture.header().recording;
        let told = || capture.artifacts().iter().filter(|it| it.kind != Artifact::HASH);
        let kinds = recording.more.get(recorded::ARTIFACTS).cloned().unwrap_or_default();
        if kinds.is_empty() && told().next().is_none() && !capture.has_contents() {
            return None;
        }
        let contents = capture.contents().unwrap_or_default();
        let mut left_out: BTreeMap<String, BTreeMap<String, u64>> = BTreeMap::new();
        for artifact in told().filter(|it| !it.left_out.is_empty()) {
            let of_kind = left_out.entry(artifact.kind.clone()).or_default();
            let count = of_kind.entry(artifact.left_out.clone()).or_default();
            *count = count.saturating_add(artifact.count.max(1));
        }
        let cut: BTreeSet<_> = told().filter(|it| it.is_cut()).filter_map(Artifact::content).collect();
        Some(ArtifactsInfo {
            kinds,
            each_bytes: recording.number(recorded::ARTIFACT_BYTES),
            total_bytes: recording.number(recorded::ARTIFACTS_BYTES),
            number: recording.number(recorded::ARTIFACTS_NUMBER),
            kept: contents.len() as u64,
            kept_bytes: contents.iter().map(|it| it.size).sum(),
            cut: cut.len() as u64,
            left_out,
        })
    }

    /// For people.
    pub fn lines(&self) -> Vec<String> {
        let cut = if self.cut > 0 { format!(", {} of them cut", grouped(self.cut)) } else { String::new() };
        let mut lines = vec![format!("{} kept, {} bytes{cut}", grouped(self.kept), grouped(self.kept_bytes))];
        if let (Some(each), Some(total), Some(number)) = (self.each_bytes, self.total_bytes, self.number) {
            lines.push(format!(
                "asked for {}: at most {} bytes of one, {} bytes and {} of them together",
                self.kinds,
                grouped(each),
                grouped(total),
                grouped(number)
            ));
        }
        for (kind, reasons) in &self.left_out {
            for (reason, count) in reasons {
                let kind = if kind.is_empty() { "any" } else { kind };
                lines.push(format!("{} left out ({kind}): {reason}", grouped(*count)));
            }
        }
        lines
    }
}

/// How often an exec has no hash, by the reason.
pub fn without_hash(capture: &Capture) -> BTreeMap<String, u64> {
    let mut by_reason = BTreeMap::new();
    for artifact in capture.artifacts().iter().filter(|it| it.kind == Artifact::HASH) {
        let count = by_reason.entry(artifact.left_out.clone()).or_insert(0u64);
        *count = count.saturating_add(artifact.count);
    }
    by_reason
}
