//! DNS over TCP: each message has its length before it, and they follow each other as they like.

use super::{Message, Protocol};

/// A header; nothing shorter is a message.
const LEAST: usize = 12;

/// The messages of one direction.
#[derive(Clone, Debug, Default)]
pub struct Messages {
    state: State,
}

#[derive(Clone, Debug)]
enum State {
    /// Before a message: the bytes of its length that are there.
    Length(Vec<u8>),
    Message {
        length: usize,
        /// Bytes of it that went by, kept or not.
        passed: usize,
        /// What was kept before the first hole.
        bytes: Vec<u8>,
    },
    /// Something was missed, and with it where the next message begins: a segment of its own may be it.
    Lost,
}

impl Default for State {
    fn default() -> State {
        State::Length(Vec::new())
    }
}

impl Messages {
    pub fn held(&self) -> usize {
        match &self.state {
            State::Length(bytes) | State::Message { bytes, .. } => bytes.len(),
            State::Lost => 0,
        }
    }

    pub fn is_between(&self) -> bool {
        matches!(&self.state, State::Length(length) if length.is_empty())
    }

    /// Where the next message begins is not known.
    pub fn is_lost(&self) -> bool {
        matches!(self.state, State::Lost)
    }

    /// Reads what follows: bytes, and then so many that were not kept. `fresh`: the bytes begin a segment.
    pub fn read(&mut self, mut bytes: &[u8], fresh: bool, hole: u32, found: &mut Vec<Message>) {
        if fresh && matches!(self.state, State::Lost) {
            self.state = State::default();
        }
        while let Some((first, rest)) = bytes.split_first() {
            match &mut self.state {
                State::Lost => break,
                State::Length(length) => {
                    length.push(*first);
                    bytes = rest;
                    if let [high, low] = length[..] {
                        let length = usize::from(u16::from_be_bytes([high, low]));
                        self.state = if length < LEAST {
                            State::Lost
                        } else {
                            State::Message { length, passed: 0, bytes: Vec::new() }
                        };
                    }
                }
                State::Message { length, passed, bytes: message } => {
                    let (here, rest) = bytes.split_at((*length - *passed).min(bytes.len()));
                    if message.len() == *passed {
                        message.extend_from_slice(here);
                    }
                    *passed += here.len();
                    bytes = rest;
                    self.complete(found);
                }
            }
        }
        self.miss(hole as usize, found);
    }

    fn miss(&mut self, hole: usize, found: &mut Vec<Message>) {
        if hole == 0 {
            return;
        }
        match &mut self.state {
            State::Message { length, passed, .. } => {
                let left = *length - *passed;
                *passed += left.min(hole);
                self.complete(found);
                if hole > left {
                    self.state = State::Lost;
                }
            }
            State::Length(_) | State::Lost => self.state = State::Lost,
        }
    }

    fn complete(&mut self, found: &mut Vec<Message>) {
        if let State::Message { length, passed, bytes } = &mut self.state
            && passed == length
        {
            let (bytes, length) = (std::mem::take(bytes), *length);
            self.state = State::default();
            found.push(Message { protocol: Protocol::Dns, is_cut: bytes.len() < length, bytes });
        }
    }

    pub fn end(&mut self, found: &mut Vec<Message>) {
        if let State::Message { bytes, .. } = std::mem::take(&mut self.state)
            && !bytes.is_empty()
        {
            found.push(Message { protocol: Protocol::Dns, bytes, is_cut: true });
        }
    }
}
