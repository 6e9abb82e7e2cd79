//! Where events go.

use crate::EventView;

/// What consumes the events that match. Pieces of the answer are made on any thread, and handed over in order.
pub trait Sink: Sync {
    /// What one thread keeps from event to event. It remembers nothing of one block when it comes to another:
    /// see [`Sink::block`].
    type Worker;
    /// What a piece of the answer becomes.
    type Made: Send;

    /// The columns that it reads. Nothing else is decoded for it.
    fn projection(&self) -> Projection;

    /// Whether pieces must come in order of time; otherwise they come block by block.
    fn is_ordered(&self) -> bool {
        true
    }

    fn worker(&self) -> Self::Worker;

    /// An empty piece.
    fn begin(&self) -> Self::Made;

    /// What follows is of another block: context indices mean other contexts from here on.
    fn block(&self, _worker: &mut Self::Worker) {}

    /// Adds one event to a piece. What it adds must depend on nothing but the event, so that it is the same whatever
    /// thread it came to.
    fn event(&self, worker: &mut Self::Worker, event: &EventView<'_>, made: &mut Self::Made);

    /// Bytes that a piece takes: a large one is handed over before it is whole.
    fn size(&self, made: &Self::Made) -> usize;

    /// Leaves only the first events of a piece.
    fn truncate(&self, made: &mut Self::Made, events: usize);
}

/// Columns of an event that a sink reads. Those that it does not read are zero or missing in what it gets; time, event
/// and mask are always there.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Projection {
    /// Context and container.
    pub contexts: bool,
    pub cpus: bool,
    pub rets: bool,
    pub marks: bool,
    pub durations: bool,
    /// Masks that were recorded.
    pub recorded: bool,
    pub arguments: bool,
}

impl Projection {
    pub const ALL: Projection = Projection {
        contexts: true,
        cpus: true,
        rets: true,
        marks: true,
        durations: true,
        recorded: true,
        arguments: true,
    };
    /// Time, event and mask only.
    pub const NONE: Projection = Projection {
        contexts: false,
        cpus: false,
        rets: false,
        marks: false,
        durations: false,
        recorded: false,
        arguments: false,
    };
}

/// Makes nothing of events: for who looks at batches. Whoever does says which columns those are to have.
pub(crate) struct Nothing(pub Projection);

impl Sink for Nothing {
    type Worker = ();
    type Made = ();

    fn projection(&self) -> Projection {
        self.0
    }

    /// Batches come as they are read, and whole: nothing waits for its turn.
    fn is_ordered(&self) -> bool {
        false
    }

    fn worker(&self) {}

    fn begin(&self) {}

    fn event(&self, _: &mut (), _: &EventView<'_>, _: &mut ()) {}

    fn size(&self, _: &()) -> usize {
        0
    }

    fn truncate(&self, _: &mut (), _: usize) {}
}

/// A kind of output that is text. It makes one [`Render`] per thread; what those write is put together in time order.
pub trait Output: Sync {
    fn renderer(&self) -> Box<dyn Render + '_>;
}

/// Turns events into bytes on one thread. The bytes of an event must depend on nothing but the event, so that they are
/// the same whatever thread it came to.
pub trait Render: Send {
    /// What follows is of another block: context indices mean other contexts from here on.
    fn block(&mut self);

    /// Appends the bytes of one event.
    fn event(&mut self, event: &EventView<'_>, out: &mut Vec<u8>);
}
