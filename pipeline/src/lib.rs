//! From a source of events to sinks, the same for captures and live: derive, match, deliver in time order.

mod candidates;
pub mod containers;
pub mod derive;
pub mod error;
pub mod event;
pub mod matching;
mod memo;
mod narrow;
mod order;
mod predicates;
mod reading;
pub mod run;
mod select;
mod showing;
pub mod sink;
pub mod source;
mod state;
mod threads;

pub use containers::{Container, Containers};
pub use error::{Error, Result};
pub use event::{Args, EventView};
pub use matching::Matcher;
pub use run::{Question, Stats};
pub use sink::{Output, Render};
pub use source::Source;
