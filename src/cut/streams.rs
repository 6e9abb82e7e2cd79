//! Packets that hold parts of messages which a filter matched: they stay, so that the messages can be read again.

use std::collections::HashSet;

use anyhow::Result;
use events::Raw;
use events::catalogue::network::NET_PACKET;
use format::rewrite::{Copied, Fate};
use pipeline::derive::packets::{Ends, segment};
use pipeline::{Args, Question};

/// Directions of connections by their ends.
#[derive(Default)]
pub struct Streams {
    /// Of messages that packets completed. Those packets stay as what a message was derived from; the others stay unseen.
    completed: HashSet<Ends>,
    /// Of messages that nothing completed: any of these packets may be their last one.
    unended: HashSet<Ends>,
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
            if let Some(ends) = base.arg("data").and_then(|(position, _)| ends(args, position)) {
                let streams = if reference.is_end() { &mut streams.unended } else { &mut streams.completed };
                streams.insert(ends);
            }
        })?;
        Ok(streams)
    }

    pub fn is_empty(&self) -> bool {
        self.completed.is_empty() && self.unended.is_empty()
    }

    /// What becomes of a packet that no filter matched by itself.
    pub fn fate(&self, row: &Copied<'_>) -> Fate {
        if self.is_empty() || row.event.id != NET_PACKET {
            return Fate::Drop;
        }
        let data = row.event.arg("data").map(|(position, _)| position);
        match data.and_then(|position| ends(&Args::List(row.args), position)) {
            Some(ends) if self.unended.contains(&ends) => Fate::Keep,
            Some(ends) if self.completed.contains(&ends) => Fate::StateOnly,
            _ => Fate::Drop,
        }
    }
}

fn ends(args: &Args<'_>, data: usize) -> Option<Ends> {
    let Raw::Bytes(bytes) = args.get(data) else { return None };
    segment(bytes, bytes.len() as u64).map(|part| (part.source, part.destination))
}
