//! Where events go.

use crate::EventView;

/// A kind of output. It makes one [`Render`] per thread; what those write is put together in time order.
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
