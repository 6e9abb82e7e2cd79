//! Streams of which a filter matched something, where it may ask for messages: all of their packets stay, so that the messages of the
//! cut are those of the whole, told with the same packets.

use std::collections::HashSet;

use anyhow::Result;
use events::Event;
use format::rewrite::Copied;
use pipeline::{Args, Question};

use super::packets::{Packet, Stream};

/// By the boot of their host. Their packets stay unseen where no filter matches them.
#[derive(Default)]
pub struct Streams(HashSet<Stream>);

impl Streams {
    /// The streams with messages or packets that a question matches. A part of a stream would be read as another one: a message
    /// of which one packet matches would be told as cut, and what nobody asked for would be found.
    pub fn of(question: &Question<'_>) -> Result<Streams> {
        let mut streams = Streams::default();
        if !question.matchers.iter().any(pipeline::Matcher::reads_streams) {
            return Ok(streams);
        }
        question.each_in_block(&mut |_, reference, view| {
            let (event, args) = view.base.unwrap_or((view.event, &view.args));
            streams.add(reference.boot, event, args);
        })?;
        Ok(streams)
    }

    /// Adds the stream that a packet is of.
    pub fn add(&mut self, boot: usize, event: &Event, args: &Args<'_>) {
        self.0.extend(Packet::of(boot as u32, event, args).map(|packet| packet.stream));
    }

    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Whether a packet is of one of them. `boot`: that of the row's host.
    pub fn has(&self, boot: usize, row: &Copied<'_>) -> bool {
        !self.is_empty()
            && Packet::of_row(boot as u32, row).is_some_and(|packet| self.0.contains(&packet.stream))
    }
}
