//! Packets that hold parts of messages which a filter matched: they stay, so that the messages can be read again.

use std::collections::{HashMap, HashSet};

use anyhow::Result;
use events::Raw;
use events::catalogue::network::NET_PACKET;
use format::rewrite::Copied;
use pipeline::derive::packets::{Ends, segment};
use pipeline::{Args, Question};

/// Directions of connections, by the boot of their host and their ends. Their packets stay unseen; one that completed a
/// message stays as what that was derived from.
#[derive(Default)]
pub struct Streams {
    /// Up to when packets completed messages, boot clock: what follows is of messages that nobody asked for.
    completed: HashMap<(usize, Ends), u64>,
    /// Of messages that nothing completed: any of these packets may be their last one, whose task the message is told of.
    unended: HashSet<(usize, Ends)>,
}

/// What becomes of a packet that no filter matched by itself.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Part {
    /// It is none of these streams'.
    No,
    /// It holds a part of a message of another packet.
    OfCompleted,
    /// A message may be told with its process.
    OfUnended,
}

impl Streams {
    /// The streams with messages that a question matches.
    pub fn of(question: &Question<'_>) -> Result<Streams> {
        let mut streams = Streams::default();
        if !question.matchers.iter().any(pipeline::Matcher::reads_streams) {
            return Ok(streams);
        }
        question.each_in_block(&mut |_, reference, view| {
            let Some((base, args)) = view.base.filter(|(base, _)| base.id == NET_PACKET) else { return };
            let Some(ends) = base.arg("data").and_then(|(position, _)| ends(args, position)) else { return };
            let stream = (reference.boot, ends);
            if reference.is_end() {
                streams.unended.insert(stream);
            } else {
                let last = streams.completed.entry(stream).or_default();
                *last = view.time_ns.max(*last);
            }
        })?;
        Ok(streams)
    }

    pub fn is_empty(&self) -> bool {
        self.completed.is_empty() && self.unended.is_empty()
    }

    /// `boot`: that of the row's host.
    pub fn part(&self, boot: usize, row: &Copied<'_>) -> Part {
        if self.is_empty() || row.event.id != NET_PACKET {
            return Part::No;
        }
        let data = row.event.arg("data").map(|(position, _)| position);
        let Some(ends) = data.and_then(|position| ends(&Args::List(row.args), position)) else {
            return Part::No;
        };
        let stream = (boot, ends);
        if self.unended.contains(&stream) {
            return Part::OfUnended;
        }
        let is_part = self.completed.get(&stream).is_some_and(|last| row.time_ns <= *last);
        if is_part { Part::OfCompleted } else { Part::No }
    }
}

fn ends(args: &Args<'_>, data: usize) -> Option<Ends> {
    let Raw::Bytes(bytes) = args.get(data) else { return None };
    segment(bytes, bytes.len() as u64).map(|part| (part.source, part.destination))
}
