//! From a source of events to sinks, the same for captures and live: derive, match, deliver in time order.

pub mod containers;
pub mod derive;
pub mod event;
pub mod sink;

pub use containers::{Container, Containers};
pub use event::{Args, EventView};
pub use sink::{Output, Render};
