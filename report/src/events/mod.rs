//! The events of a page: collected from a question in order of time, and packed in columns.

mod collect;
mod kept;
mod pack;
mod table;

pub use collect::collect;
pub use pack::{MOST_BYTES, Packed, pack};
pub use table::{Events, Place, Task};
