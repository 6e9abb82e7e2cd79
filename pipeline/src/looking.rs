//! Batches that are looked at on several threads, and taken in order on one: for consumers with state of their own.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, PoisonError};

use crate::Result;
use crate::batch::Batch;
use crate::gap::Gap;
use crate::held::Held;
use crate::job::Job;
use crate::schedule::{Serial, Work};
use crate::sink::Nothing;
use crate::stats::Stats;
use crate::steps::Steps;
use crate::worker::{Asking, Found, Input, Looked, Worker};

/// The work of a question whose batches are looked at by `look`.
pub(crate) struct Looking<'q, 'l, T> {
    pub asking: Asking<'q, Nothing>,
    pub look: &'l (dyn Fn(&Batch<'_>) -> T + Sync),
}

/// A batch, and what looking at it gave.
pub(crate) struct Seen<'q, T> {
    batch: Option<(Arc<Held<'q>>, Mutex<Option<T>>)>,
    stats: Stats,
}

/// The same, handed over.
pub(crate) struct Taken<'q, T> {
    pub batch: Option<(Arc<Held<'q>>, T)>,
    pub stats: Stats,
}

impl<'q, T: Send> Work for Looking<'q, '_, T> {
    type Job = Job;
    type Worker = Worker<()>;
    type Scanned = Looked;
    type Input = Input;
    type Found = Result<(Found<'q>, Option<T>), Gap>;
    type Piece = Seen<'q, T>;
    type Made = Taken<'q, T>;

    fn scans(&self) -> bool {
        self.asking.scans()
    }

    fn worker(&self) -> Self::Worker {
        self.asking.worker()
    }

    fn scan(&self, worker: &mut Self::Worker, job: &Job) -> Looked {
        self.asking.scan(worker, job)
    }

    fn find(&self, worker: &mut Self::Worker, job: &Job, input: Option<Input>) -> Self::Found {
        let found = self.asking.find(worker, job, input)?;
        let seen = match &found {
            Found::Batch(held, _) => Some((self.look)(&held.batch)),
            _ => None,
        };
        Ok((found, seen))
    }

    fn make(
        &self,
        _: &mut Self::Worker,
        piece: &Seen<'q, T>,
        _: usize,
    ) -> Result<(Taken<'q, T>, Option<usize>)> {
        self.asking.question.cancellation.check()?;
        let batch = piece.batch.as_ref().and_then(|(held, seen)| {
            let seen = seen.lock().unwrap_or_else(PoisonError::into_inner).take()?;
            Some((Arc::clone(held), seen))
        });
        Ok((Taken { batch, stats: piece.stats.clone() }, None))
    }

    fn size(&self, _: &Taken<'q, T>) -> usize {
        0
    }

    fn held(&self) -> usize {
        self.asking.held()
    }
}

/// The serial steps: batches go on as they are, block by block.
pub(crate) struct Through<'q>(pub Steps<'q>);

impl<'q, T: Send> Serial<Looking<'q, '_, T>> for Through<'q> {
    fn scanned(&mut self, job: Job, scanned: Looked, ready: &mut VecDeque<(Job, Input)>) {
        self.0.advance(job, scanned, ready);
    }

    fn found(
        &mut self,
        _: Job,
        found: Result<(Found<'q>, Option<T>), Gap>,
        pieces: &mut VecDeque<Seen<'q, T>>,
    ) -> Result<()> {
        let mut seen = None;
        let found = found.map(|(found, it)| {
            seen = it;
            found
        });
        if let Some((held, seen)) = self.0.take(found)?.zip(seen) {
            let batch = Some((Arc::new(held), Mutex::new(Some(seen))));
            pieces.push_back(Seen { batch, stats: std::mem::take(&mut self.0.stats) });
        }
        Ok(())
    }

    fn finish(&mut self, pieces: &mut VecDeque<Seen<'q, T>>) -> Result<()> {
        self.0.check()?;
        pieces.push_back(Seen { batch: None, stats: std::mem::take(&mut self.0.stats) });
        Ok(())
    }
}
