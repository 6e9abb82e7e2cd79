//! From which packet on streams can be read without those before it, so that whoever keeps only a part of a capture keeps
//! enough of the packets before that part.
//!
//! A packet is a restart where its stream is between two messages and nothing that is known of the stream makes a difference
//! from there on: the packet is the one that comes next, and whether messages came before is no longer asked.

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::hash::Hash;

use super::{Key, Protocol, Reader, Segment, Stream, Streams, http};

/// Streams that are known here and no longer held are looked for when there are so many.
const KNOWN: usize = 16 << 10;

/// Streams up to the part that is kept.
#[derive(Debug)]
pub struct Restarts<A> {
    streams: Streams<A, ()>,
    known: HashMap<Key<A>, Known>,
}

#[derive(Clone, Copy, Debug)]
struct Known {
    /// Time of the last packet that is a restart.
    since: u64,
    /// Of one that is a restart as soon as a message comes of what follows it.
    candidate: Option<u64>,
    /// Of the last packet.
    last: u64,
    /// Packets of the part that is kept were read: what they need does not change any more.
    goes_on: bool,
}

impl<A: Copy + Eq + Ord + Hash> Default for Restarts<A> {
    fn default() -> Restarts<A> {
        Restarts { streams: Streams::default(), known: HashMap::new() }
    }
}

impl<A: Copy + Eq + Ord + Hash> Restarts<A> {
    /// Takes a segment, in order of time. `is_kept`: it is of the part that is kept.
    pub fn feed(
        &mut self,
        key: Key<A>,
        protocol: Protocol,
        segment: Segment<'_>,
        time_ns: u64,
        is_kept: bool,
    ) {
        let stream = self.streams.streams.get(&key);
        let was_held = stream.is_some();
        let is_restart = stream.is_some_and(|stream| stream.is_restart(protocol, segment));
        let mut found = Vec::new();
        self.streams.feed(key, protocol, segment, || (), &mut found);
        let Some(stream) = self.streams.streams.get(&key) else {
            // What was kept of it goes on needing what it needed.
            if self.known.get(&key).is_some_and(|known| !known.goes_on) {
                self.known.remove(&key);
            }
            return;
        };
        let fresh = Known { since: time_ns, candidate: None, last: time_ns, goes_on: is_kept };
        let known = match self.known.entry(key) {
            Entry::Vacant(entry) => {
                entry.insert(fresh);
                self.forget();
                return;
            }
            Entry::Occupied(entry) => entry.into_mut(),
        };
        if known.goes_on || is_kept {
            known.goes_on = true;
            return;
        }
        if !was_held {
            *known = fresh;
            return;
        }
        // Of packets of one time, all or none are kept.
        if is_restart && known.last < time_ns {
            let (mut alone, mut fresh) = (Vec::new(), Stream::<()>::new(protocol));
            fresh.take(segment, &mut alone);
            // A SYN ends the message before it, which is none of those that follow.
            match protocol == Protocol::Dns || stream.has_messages != alone.is_empty() {
                true => (known.since, known.candidate) = (time_ns, None),
                false => known.candidate = Some(known.candidate.unwrap_or(time_ns)),
            }
        } else if !found.is_empty()
            && let Some(candidate) = known.candidate.take()
        {
            known.since = candidate;
        }
        // Without a message before it, a stream that is lost is let go.
        if stream.is_lost() {
            known.candidate = None;
        }
        known.last = time_ns;
    }

    /// A packet of the part that is kept, behind all that are fed.
    pub fn goes_on(&mut self, key: &Key<A>) {
        if let Some(known) = self.known.get_mut(key) {
            known.goes_on = true;
        }
    }

    /// The streams that the part needs packets of, each with the time from which on: those with packets in the part, and those that
    /// were in a message when it began.
    pub fn needed(self) -> HashMap<Key<A>, u64> {
        let Restarts { streams, known } = self;
        let is_needed = |key: &Key<A>, known: &Known| known.goes_on || streams.is_between(key) == Some(false);
        known
            .into_iter()
            .filter(|(key, known)| is_needed(key, known))
            .map(|(key, known)| (key, known.since))
            .collect()
    }

    fn forget(&mut self) {
        if self.known.len() > KNOWN {
            let streams = &self.streams.streams;
            self.known.retain(|key, known| known.goes_on || streams.contains_key(key));
        }
    }
}

impl<P> Stream<P> {
    /// Whether this segment is read as if it were the first one of its stream.
    fn is_restart(&self, protocol: Protocol, segment: Segment<'_>) -> bool {
        if segment.syn {
            return true;
        }
        let is_ready = match &self.reader {
            Reader::Dns(messages) => messages.is_between() || messages.is_lost(),
            Reader::Http(heads) => heads.is_between() || heads.is_lost(),
        };
        let is_next = self.next == Some(segment.sequence) && segment.length > 0;
        let may_begin = protocol == Protocol::Dns || http::may_begin(segment.kept);
        is_ready && self.early.is_empty() && is_next && may_begin
    }
}

#[cfg(test)]
mod tests;
