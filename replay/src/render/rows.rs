//! Text whose rows are told apart, for answers that something stands between, or that begin in the middle.

use pipeline::{EventView, Output, Projection, Render, Sink};

#[expect(missing_debug_implementations, reason = "outputs need not be printable")]
/// Outputs whose rows are handed over with their times.
pub struct TimedRows<'o> {
    outputs: &'o [&'o dyn Output],
}

impl<'o> TimedRows<'o> {
    pub fn new(outputs: &'o [&'o dyn Output]) -> TimedRows<'o> {
        TimedRows { outputs }
    }
}

/// Some rows: their bytes by output, their times, and where each ends.
#[derive(Debug, Default)]
pub struct Rows {
    bytes: Vec<Vec<u8>>,
    /// Wall clock, ns since the epoch.
    times: Vec<i64>,
    /// Of each row, for each output in turn.
    ends: Vec<usize>,
}

impl Rows {
    /// Calls `see` with the time of each row and its bytes by output.
    pub fn each<E>(&self, mut see: impl FnMut(i64, &[&[u8]]) -> Result<(), E>) -> Result<(), E> {
        let outputs = self.bytes.len();
        let mut starts = vec![0; outputs];
        let mut row: Vec<&[u8]> = Vec::with_capacity(outputs);
        for (time, ends) in self.times.iter().zip(self.ends.chunks(outputs.max(1))) {
            row.clear();
            for ((bytes, start), end) in self.bytes.iter().zip(&mut starts).zip(ends) {
                row.push(bytes.get(*start..*end).unwrap_or_default());
                *start = *end;
            }
            see(*time, &row)?;
        }
        Ok(())
    }
}

impl<'o> Sink for TimedRows<'o> {
    type Worker = Vec<Box<dyn Render + 'o>>;
    type Made = Rows;

    fn projection(&self) -> Projection {
        Projection::ALL
    }

    fn worker(&self) -> Self::Worker {
        self.outputs.iter().map(|output| output.renderer()).collect()
    }

    fn begin(&self) -> Rows {
        Rows { bytes: vec![Vec::new(); self.outputs.len()], ..Rows::default() }
    }

    fn block(&self, worker: &mut Self::Worker) {
        worker.iter_mut().for_each(|render| render.block());
    }

    fn event(&self, worker: &mut Self::Worker, event: &EventView<'_>, made: &mut Rows) {
        made.times.push(event.wall_ns);
        for (render, bytes) in worker.iter_mut().zip(&mut made.bytes) {
            render.event(event, bytes);
            made.ends.push(bytes.len());
        }
    }

    fn size(&self, made: &Rows) -> usize {
        made.bytes.iter().map(Vec::len).sum()
    }

    fn truncate(&self, made: &mut Rows, events: usize) {
        made.times.truncate(events);
        made.ends.truncate(events * made.bytes.len());
    }
}
