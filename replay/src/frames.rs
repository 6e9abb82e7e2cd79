//! Events as frames in memory: for answers that are put together from what every event says, rather than printed as it
//! comes. A frame is a u32 length and that many bytes, so that deliveries can be taken apart again.

use std::io;
use std::ops::ControlFlow;

use pipeline::{EventView, Output, Question, Render, Result, Source};
use scopes::{Diagnostic, ScopeSet};

use crate::Asked;

/// Writes one frame per event.
pub(crate) trait Framed: Sync {
    fn frame(&self, event: &EventView<'_>, render: &mut dyn Render, out: &mut Vec<u8>);
}

/// A renderer of rows for frames that hold a row.
pub(crate) struct Frames<'a, F> {
    pub framed: F,
    pub rows: &'a dyn Output,
}

impl<F: Framed> Output for Frames<'_, F> {
    fn renderer(&self) -> Box<dyn Render + '_> {
        Box::new(Renderer { framed: &self.framed, row: self.rows.renderer(), bytes: Vec::new() })
    }
}

struct Renderer<'a, F> {
    framed: &'a F,
    row: Box<dyn Render + 'a>,
    bytes: Vec<u8>,
}

impl<F: Framed> Render for Renderer<'_, F> {
    fn block(&mut self) {
        self.row.block();
    }

    fn event(&mut self, event: &EventView<'_>, out: &mut Vec<u8>) {
        self.bytes.clear();
        self.framed.frame(event, &mut *self.row, &mut self.bytes);
        // A frame is a few lines of text.
        out.extend_from_slice(&u32::try_from(self.bytes.len()).unwrap_or(0).to_le_bytes());
        out.extend_from_slice(&self.bytes);
    }
}

/// What went wrong between a question and its answer.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// Filters that do not fit this capture.
    #[error("{}", .0.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n"))]
    Filters(Vec<Diagnostic>),
    #[error(transparent)]
    Capture(#[from] pipeline::Error),
    #[error(transparent)]
    Io(#[from] std::io::Error),
}

/// Asks one plan's scopes over a source; `each` gets the frame of every event in order of time, and says whether to go on.
pub(crate) fn ask<F: Framed>(
    source: &Source,
    set: &ScopeSet,
    threads: usize,
    frames: &Frames<'_, F>,
    each: &mut dyn FnMut(&[u8]) -> ControlFlow<()>,
) -> Result<(), Error> {
    let asked = Asked::given(set.clone(), source).map_err(Error::Filters)?;
    let question = Question { source, matchers: asked.matchers(source), threads, limit: None };
    let mut enough = false;
    let answer = question.print(&[frames], &mut |_, bytes| {
        let mut left = bytes;
        while let Some((length, rest)) = left.split_first_chunk() {
            let length = u32::from_le_bytes(*length) as usize;
            let (frame, rest) = rest.split_at_checked(length).unwrap_or((rest, &[]));
            if each(frame).is_break() {
                enough = true;
                return Err(io::ErrorKind::Interrupted.into());
            }
            left = rest;
        }
        Ok(())
    });
    match answer {
        Err(_) if enough => Ok(()),
        answer => Ok(answer.map(|_| ())?),
    }
}

/// The first eight bytes of a frame as a number, and what follows them.
pub(crate) fn number(frame: &[u8]) -> (u64, &[u8]) {
    match frame.split_first_chunk() {
        Some((number, rest)) => (u64::from_le_bytes(*number), rest),
        None => (0, &[]),
    }
}
