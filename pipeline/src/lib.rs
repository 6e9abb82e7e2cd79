//! From a source of events to sinks, the same for captures and live.
//!
//! ```text
//! source -> pruning -> (scan -> stage with state)    -> match -> order -> make -> sink
//! blocks    statistics   forks,   lineage, TCP streams   batches  by keys  pieces  text, counts, ...
//!                        packets
//! ```
//! [`question`] puts these together, [`worker`] does the parallel steps, [`schedule`] says which thread does what.

mod batch;
mod clock;
mod column_first;
pub mod containers;
pub mod derive;
pub mod error;
pub mod event;
mod gap;
mod lineage;
pub mod matching;
mod memo;
mod order;
mod predicates;
mod pruning;
mod question;
mod schedule;
mod selection;
pub mod sink;
pub mod source;
mod stage;
mod state;
mod steps;
mod streams;
mod text;
mod worker;

pub use batch::Batch;
pub use clock::WallClock;
pub use containers::{Container, Containers};
pub use error::{Error, Result};
pub use event::{Args, EventView};
pub use gap::Gap;
pub use matching::Matcher;
pub use question::{Question, Stats};
pub use sink::{Output, Projection, Render, Sink};
pub use source::Source;
