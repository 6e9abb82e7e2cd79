//! Streams of TCP put together from what was kept of their packets.
//!
//! ```text
//! packets   seq 1: "GET /a"   seq 17: "\r\n..."   seq 7: " HTTP/1.1|(9 bytes not kept)"
//! stream    "GET /a" " HTTP/1.1" (a hole of 9) "\r\n..."        in order of sequence numbers, each byte once
//! messages  head "GET /a HTTP/1.1", cut
//! ```
//! Packets come from whoever sent them and may lie about everything, so what is held is bounded: in flows, in bytes, and in
//! segments that came early. What cannot be waited for is a hole, and a message with a hole in it is told as cut.

mod dns;
mod http;
mod restarts;

use std::collections::{BTreeMap, HashMap};

pub use http::begins_head;
pub use restarts::Restarts;

/// Streams that are held at once. Those that hold no part of a message make room; a new one for which there is no room is
/// told as far as its first packet goes.
const STREAMS: usize = 4096;
/// Bytes that all streams hold together.
const BYTES: usize = 16 << 20;
/// Segments of one stream that wait for one before them, and bytes of them.
const EARLY: usize = 64;
const EARLY_BYTES: usize = 256 << 10;
/// A jump in sequence numbers that no window explains: the stream is another one.
const JUMP: u32 = 1 << 30;

/// One direction of a connection, as one end of it on this host saw it.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct Key<A> {
    /// Which host's packets these are.
    pub host: u32,
    /// The socket; 0 where it is not known.
    pub cookie: u64,
    /// Sent or received: both ends may be on the host.
    pub direction: u8,
    pub source: (A, u16),
    pub destination: (A, u16),
}

/// What a stream is read as.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Protocol {
    Dns,
    Http,
}

/// The part of a packet that belongs to a stream.
#[derive(Clone, Copy, Debug, Default)]
pub struct Segment<'a> {
    pub sequence: u32,
    pub syn: bool,
    /// FIN or RST.
    pub ends: bool,
    /// What was kept of the payload.
    pub kept: &'a [u8],
    /// Bytes of payload on the wire; at least as many as were kept.
    pub length: u32,
}

/// A message, or what was kept of it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Message {
    pub protocol: Protocol,
    /// A DNS message without its length; an HTTP head with the empty line that ends it.
    pub bytes: Vec<u8>,
    /// More of it was sent than is here.
    pub is_cut: bool,
}

/// All streams that are being read. `P` is what is known of the last packet of one that waits for more.
#[derive(Clone, Debug)]
pub struct Streams<A, P> {
    streams: HashMap<Key<A>, Stream<P>>,
    /// Those that hold nothing, by when they were last used.
    quiet: BTreeMap<u64, Key<A>>,
    clock: u64,
    bytes: usize,
    limits: Limits,
}

#[derive(Clone, Copy, Debug)]
struct Limits {
    streams: usize,
    bytes: usize,
}

#[derive(Clone, Debug)]
struct Stream<P> {
    used: u64,
    /// Of the packet that came last, where a part of a message waits for the rest.
    last: Option<Box<P>>,
    /// The sequence number that comes next; `None` before the first segment.
    next: Option<u32>,
    early: Vec<Early>,
    reader: Reader,
    /// Some came out of it.
    has_messages: bool,
}

/// A segment before which something is missing.
#[derive(Clone, Debug)]
struct Early {
    sequence: u32,
    kept: Vec<u8>,
    length: u32,
}

#[derive(Clone, Debug)]
enum Reader {
    Dns(dns::Messages),
    Http(http::Heads),
}

impl<A: Copy + Eq + Ord + std::hash::Hash, P> Default for Streams<A, P> {
    fn default() -> Streams<A, P> {
        Streams::within(STREAMS, BYTES)
    }
}

impl<A: Copy + Eq + Ord + std::hash::Hash, P> Streams<A, P> {
    /// Streams that hold no more than this.
    fn within(streams: usize, bytes: usize) -> Streams<A, P> {
        Streams {
            streams: HashMap::new(),
            quiet: BTreeMap::new(),
            clock: 0,
            bytes: 0,
            limits: Limits { streams, bytes },
        }
    }

    /// Takes a segment and appends the messages that it completes, or that cannot be completed any more, to `found`. `last`
    /// says what is known of the packet, should it be the last one of a message.
    pub fn feed(
        &mut self,
        key: Key<A>,
        protocol: Protocol,
        segment: Segment<'_>,
        last: impl FnOnce() -> P,
        found: &mut Vec<Message>,
    ) {
        self.clock += 1;
        let mut stream = match self.streams.remove(&key) {
            Some(stream) => {
                self.quiet.remove(&stream.used);
                self.bytes -= stream.held().min(self.bytes);
                stream
            }
            None if !segment.syn && segment.length == 0 => return,
            // Most streams are neither: they cost nothing.
            None if protocol == Protocol::Http && !segment.syn && !http::may_begin(segment.kept) => return,
            None => Stream::new(protocol),
        };
        let before = found.len();
        stream.take(segment, found);
        stream.has_messages |= found.len() > before;
        if stream.is_neither() {
            return;
        }
        self.make_room();
        if self.streams.len() >= self.limits.streams || self.bytes + stream.held() > self.limits.bytes {
            // What came of it is told with its last packet: this one.
            stream.end(found);
            return;
        }
        stream.used = self.clock;
        stream.last = (stream.held() > 0).then(|| Box::new(last()));
        self.bytes += stream.held();
        if stream.held() == 0 {
            self.quiet.insert(self.clock, key);
        }
        self.streams.insert(key, stream);
    }

    /// Lets go of streams that hold nothing, those that were quiet for longest first: no message is lost with them.
    fn make_room(&mut self) {
        while self.streams.len() >= self.limits.streams {
            let Some((_, oldest)) = self.quiet.pop_first() else { break };
            self.streams.remove(&oldest);
        }
    }

    /// What was begun and not completed when there are no more packets of a host, in order of the last packets.
    pub fn finish(&mut self, host: u32) -> Vec<(P, Vec<Message>)> {
        let mut ended: Vec<_> =
            self.streams.extract_if(|key, _| key.host == host).map(|(_, it)| it).collect();
        ended.sort_unstable_by_key(|stream| stream.used);
        let mut messages = Vec::new();
        for mut stream in ended {
            self.quiet.remove(&stream.used);
            self.bytes -= stream.held().min(self.bytes);
            let mut found = Vec::new();
            stream.end(&mut found);
            if let Some(last) = stream.last.filter(|_| !found.is_empty()) {
                messages.push((*last, found));
            }
        }
        messages
    }

    pub fn is_empty(&self) -> bool {
        self.streams.is_empty()
    }

    /// Whether a stream is between two messages, so that what follows is read as if nothing had come before; `None` when it is
    /// not held.
    pub fn is_between(&self, key: &Key<A>) -> Option<bool> {
        self.streams.get(key).map(Stream::is_between)
    }

    /// Bytes that are held for what is to come.
    pub fn held(&self) -> usize {
        self.bytes
    }
}

impl<P> Stream<P> {
    fn new(protocol: Protocol) -> Stream<P> {
        let reader = match protocol {
            Protocol::Dns => Reader::Dns(dns::Messages::default()),
            Protocol::Http => Reader::Http(http::Heads::default()),
        };
        Stream { used: 0, last: None, next: None, early: Vec::new(), reader, has_messages: false }
    }

    /// What came of it up to now is no HTTP.
    fn is_neither(&self) -> bool {
        self.is_lost() && !self.has_messages && self.early.is_empty()
    }

    fn is_lost(&self) -> bool {
        matches!(&self.reader, Reader::Http(heads) if heads.is_lost())
    }

    fn is_between(&self) -> bool {
        let is_between = match &self.reader {
            Reader::Dns(messages) => messages.is_between(),
            Reader::Http(heads) => heads.is_between(),
        };
        is_between && self.early.is_empty()
    }

    fn held(&self) -> usize {
        let early: usize = self.early.iter().map(|early| early.kept.len()).sum();
        let begun = match &self.reader {
            Reader::Dns(messages) => messages.held(),
            Reader::Http(heads) => heads.held(),
        };
        early + begun
    }

    fn take(&mut self, segment: Segment<'_>, found: &mut Vec<Message>) {
        let mut sequence = segment.sequence;
        if segment.syn {
            self.end(found);
            // The SYN itself has a number.
            sequence = sequence.wrapping_add(1);
            self.next = Some(sequence);
        }
        let kept = segment.kept.get(..segment.length as usize).unwrap_or(segment.kept);
        let length = segment.length.max(kept.len() as u32);
        if length > 0 {
            self.take_bytes(sequence, kept, length, found);
        }
        if segment.ends {
            self.end(found);
            // What comes from here on was sent again, unless a SYN says that it is another connection.
            self.next = Some(sequence.wrapping_add(length).wrapping_add(1));
        }
    }

    fn take_bytes(&mut self, sequence: u32, kept: &[u8], length: u32, found: &mut Vec<Message>) {
        let next = *self.next.get_or_insert(sequence);
        let ahead = sequence.wrapping_sub(next);
        if ahead == 0 {
            self.accept(sequence, kept, length, found);
        } else if ahead < JUMP {
            self.wait(Early { sequence, kept: kept.to_vec(), length }, found);
        } else if 0u32.wrapping_sub(ahead) < JUMP {
            // Sent again, perhaps with more behind it.
            self.accept(sequence, kept, length, found);
        } else {
            self.end(found);
            self.next = Some(sequence);
            self.accept(sequence, kept, length, found);
        }
        self.catch_up(found);
    }

    /// Reads a segment that begins at or before what comes next.
    fn accept(&mut self, sequence: u32, kept: &[u8], length: u32, found: &mut Vec<Message>) {
        let Some(next) = self.next else { return };
        let known = next.wrapping_sub(sequence);
        if known >= length {
            return;
        }
        let kept = kept.get(known as usize..).unwrap_or_default();
        let length = length - known;
        let hole = length - kept.len() as u32;
        // Only what begins with a segment of its own can be a fresh start after something was missed.
        match &mut self.reader {
            Reader::Dns(messages) => messages.read(kept, known == 0, hole, found),
            Reader::Http(heads) => heads.read(kept, known == 0, hole, found),
        }
        self.next = Some(next.wrapping_add(length));
    }

    /// Keeps a segment for later; where there are too many, what is missing before them is given up.
    fn wait(&mut self, early: Early, found: &mut Vec<Message>) {
        self.early.push(early);
        let bytes: usize = self.early.iter().map(|early| early.kept.len()).sum();
        if self.early.len() > EARLY || bytes > EARLY_BYTES {
            self.skip(found);
        }
    }

    /// Goes on with the first of the early segments as if what is before it were there, but not kept.
    fn skip(&mut self, found: &mut Vec<Message>) {
        let Some(next) = self.next else { return };
        let Some(missing) = self.early.iter().map(|early| early.sequence.wrapping_sub(next)).min() else {
            return;
        };
        match &mut self.reader {
            Reader::Dns(messages) => messages.read(&[], false, missing, found),
            Reader::Http(heads) => heads.read(&[], false, missing, found),
        }
        self.next = Some(next.wrapping_add(missing));
        self.catch_up(found);
    }

    /// Reads the early segments that are not early any more.
    fn catch_up(&mut self, found: &mut Vec<Message>) {
        while let Some(next) = self.next {
            let is_due = |early: &Early| early.sequence == next || next.wrapping_sub(early.sequence) < JUMP;
            let Some(at) = self.early.iter().position(is_due) else { return };
            let early = self.early.swap_remove(at);
            self.accept(early.sequence, &early.kept, early.length, found);
        }
    }

    /// Nothing follows.
    fn end(&mut self, found: &mut Vec<Message>) {
        while !self.early.is_empty() {
            self.skip(found);
        }
        match &mut self.reader {
            Reader::Dns(messages) => messages.end(found),
            Reader::Http(heads) => heads.end(found),
        }
        self.next = None;
    }
}

#[cfg(test)]
mod tests;
