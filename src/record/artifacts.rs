//! `record --artifacts`: what is kept, how much of it, and who keeps it.

use std::sync::{
    Arc,
    atomic::{AtomicU32, AtomicU64},
};
use std::thread;

use anyhow::{Result, anyhow, bail};
use clap::Args;
use format::recorded;
use recorder::amount;
use recorder::artifacts::{ArtifactService, EXECUTED, HandOn, Kinds, Limits, QUEUE, Service};
use recorder::hashes::Opener;
use recorder::host::privileges::{self, Part};

use super::order::Order;
use super::order::Target;
use crate::amounts::{bytes, grouped};

#[derive(Args, Debug)]
pub struct ArtifactOptions {
    /// Keep bytes inside the capture (`tracer extract`): of what is executed (exec), of files in memory (memfd), of kernel
    /// modules (module), of bpf programs (bpf), and of files that are written under paths (write=/tmp/**)
    #[arg(long, value_name = "KINDS", value_delimiter = ',')]
    pub artifacts: Vec<String>,

    /// Bytes kept of one artifact, at most 64M; of a larger one, its beginning [default: 16M]
    #[arg(long, value_name = "SIZE", requires = "artifacts", value_parser = amount::size)]
    pub artifact_size: Option<u64>,

    /// Bytes kept of all artifacts together, before compression; of a rotated set, in each file [default: 256M]
    #[arg(long, value_name = "SIZE", requires = "artifacts", value_parser = amount::size)]
    pub artifacts_total: Option<u64>,

    /// How many artifacts are kept, at most 32768; of a rotated set, in each file [default: 4096]
    #[arg(long, value_name = "N", requires = "artifacts")]
    pub artifacts_number: Option<u64>,
}

/// What is kept, and how much of it.
#[derive(Clone, Debug)]
pub struct Keeps {
    kinds: Kinds,
    limits: Limits,
}

impl Keeps {
    /// `None`: nothing is kept.
    pub fn read(order: &Order<'_>) -> Result<Option<Keeps>> {
        let options = &order.capturing.artifacts;
        let kinds = Kinds::parse(&options.artifacts).map_err(|what| anyhow!("--artifacts: {what}"))?;
        if kinds.is_empty() {
            return Ok(None);
        }
        if matches!(order.target, Target::Nothing) {
            bail!("--artifacts keeps bytes inside a capture: record one (watch: with -w FILE)");
        }
        if order.only_matched {
            bail!(
                "--artifacts goes with all events: record without --only-matched, and `tracer cut -f` leaves what matches, \
                 its artifacts too"
            );
        }
        if order.keeping.flight.is_some() {
            bail!(
                "--artifacts keeps bytes when they are there, and --flight writes only at last: give one of them"
            );
        }
        if kinds.exec && order.capturing.no_hashes {
            bail!("--artifacts exec needs the hashes of executed files: leave --no-hashes out");
        }
        let limits = Limits {
            each: options.artifact_size.unwrap_or(Limits::DEFAULT.each),
            total: options.artifacts_total.unwrap_or(Limits::DEFAULT.total),
            number: options.artifacts_number.unwrap_or(Limits::DEFAULT.number),
        };
        if limits.each == 0 || limits.each > Limits::EACH {
            bail!("--artifact-size is from 1 to {}", bytes(Limits::EACH));
        }
        if limits.number == 0 || limits.number > Limits::NUMBER {
            bail!("--artifacts-number is from 1 to {}", Limits::NUMBER);
        }
        Ok(Some(Keeps { kinds, limits }))
    }

    /// The events to be recorded: where some were named, also those that say when there is something to keep.
    pub fn events(&self, mut named: Vec<String>) -> Vec<String> {
        let is_named = |text: &String| text.split(',').any(|part| !part.trim().starts_with(['-', '!']));
        if named.iter().any(is_named) {
            named.push(self.kinds.events().join(","));
        }
        named
    }

    /// In words, for the first lines of a recording.
    pub fn text(&self) -> String {
        let Limits { each, total, number } = self.limits;
        format!(
            "keeping {}: at most {} of one, {} and {} of them together, which takes up to {} of memory",
            self.kinds.words().join(", "),
            bytes(each),
            bytes(total),
            grouped(number),
            bytes(self.limits.memory_bytes())
        )
    }

    pub fn memory_bytes(&self) -> u64 {
        self.limits.memory_bytes()
    }

    /// What the capture tells of it, by name.
    pub fn told(&self) -> [(String, String); 4] {
        let Limits { each, total, number } = self.limits;
        [
            (recorded::ARTIFACTS, self.kinds.words().join(",")),
            (recorded::ARTIFACT_BYTES, each.to_string()),
            (recorded::ARTIFACTS_BYTES, total.to_string()),
            (recorded::ARTIFACTS_NUMBER, number.to_string()),
        ]
        .map(|(name, value)| (name.to_owned(), value))
    }

    /// Starts who keeps them; with it, where whoever hashes hands executed files on.
    pub fn start(&self, is_confined: bool) -> Result<(ArtifactService, Option<HandOn>)> {
        let (ask, requests) = crossbeam_channel::bounded(QUEUE);
        let (hand_on, executed) = crossbeam_channel::bounded(EXECUTED);
        let (answer, answers) = crossbeam_channel::bounded(EXECUTED);
        let (part, refused) = (Arc::new(AtomicU32::new(0)), Arc::new(AtomicU64::new(0)));
        let service = Service {
            opener: Opener::default(),
            kinds: self.kinds.clone(),
            limits: self.limits,
            requests,
            executed,
            refused: Arc::clone(&refused),
            answers: answer,
            part: Arc::clone(&part),
        };
        let (ready, is_ready) = crossbeam_channel::bounded(1);
        thread::Builder::new().name("tracer-artifacts".into()).spawn(move || {
            // A thread that reads what users lay out has no more than that takes, or does nothing.
            let confined = if is_confined { privileges::confine(Part::Artifacts) } else { Ok(()) };
            let is_confined = confined.is_ok();
            let _ = ready.send(confined);
            if is_confined {
                service.run();
            }
        })?;
        is_ready.recv()??;
        let hand_on = self.kinds.exec.then_some(HandOn { executed: hand_on, refused });
        Ok((ArtifactService { kinds: self.kinds.clone(), ask, answers, part }, hand_on))
    }
}
