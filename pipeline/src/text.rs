//! Text outputs as one sink: a piece is the bytes of its events for each of them.

use std::sync::{Mutex, PoisonError};

use crate::sink::{Projection, Sink};
use crate::{EventView, Output, Render};

/// Several outputs that print the same events.
pub(crate) struct Texts<'o> {
    outputs: &'o [&'o dyn Output],
    /// Whether pieces may have to be cut short: then they remember where each event ends.
    is_limited: bool,
    /// Memory of pieces that were handed over.
    spare: Mutex<Vec<Text>>,
}

/// The bytes of some events, by output.
#[derive(Debug, Default)]
pub(crate) struct Text {
    pub bytes: Vec<Vec<u8>>,
    /// Of each event, for each output in turn: where its bytes end. Empty where nobody will cut it short.
    ends: Vec<usize>,
}

/// Bytes of a piece that was handed over and is kept for the next ones, and of all that are.
const SPARE_BYTES: usize = 4 << 20;
const ALL_SPARE_BYTES: usize = 32 << 20;

impl<'o> Texts<'o> {
    pub fn new(outputs: &'o [&'o dyn Output], is_limited: bool) -> Texts<'o> {
        Texts { outputs, is_limited, spare: Mutex::new(Vec::new()) }
    }

    /// Keeps the memory of a piece for the next ones.
    pub fn give_back(&self, mut text: Text) {
        text.bytes.iter_mut().for_each(Vec::clear);
        text.ends.clear();
        let mut spare = self.spare.lock().unwrap_or_else(PoisonError::into_inner);
        let kept: usize = spare.iter().map(Text::capacity).sum();
        if text.capacity() <= SPARE_BYTES && kept + text.capacity() <= ALL_SPARE_BYTES {
            spare.push(text);
        }
    }
}

impl Text {
    fn capacity(&self) -> usize {
        self.bytes.iter().map(Vec::capacity).sum::<usize>() + self.ends.capacity() * size_of::<usize>()
    }
}

impl<'o> Sink for Texts<'o> {
    type Worker = Vec<Box<dyn Render + 'o>>;
    type Made = Text;

    fn projection(&self) -> Projection {
        Projection::ALL
    }

    fn worker(&self) -> Self::Worker {
        self.outputs.iter().map(|output| output.renderer()).collect()
    }

    fn begin(&self) -> Text {
        let used = self.spare.lock().unwrap_or_else(PoisonError::into_inner).pop();
        used.unwrap_or_else(|| Text { bytes: vec![Vec::new(); self.outputs.len()], ends: Vec::new() })
    }

    fn block(&self, worker: &mut Self::Worker) {
        worker.iter_mut().for_each(|render| render.block());
    }

    fn event(&self, worker: &mut Self::Worker, event: &EventView<'_>, made: &mut Text) {
        for (render, bytes) in worker.iter_mut().zip(&mut made.bytes) {
            render.event(event, bytes);
            if self.is_limited {
                made.ends.push(bytes.len());
            }
        }
    }

    fn size(&self, made: &Text) -> usize {
        made.bytes.iter().map(Vec::len).sum()
    }

    fn truncate(&self, made: &mut Text, events: usize) {
        let outputs = made.bytes.len();
        for (output, bytes) in made.bytes.iter_mut().enumerate() {
            let end = match events.checked_sub(1) {
                Some(last) => made.ends.get(last * outputs + output).copied().unwrap_or(bytes.len()),
                None => 0,
            };
            bytes.truncate(end);
        }
        made.ends.truncate(events * outputs);
    }
}
