//! From a source of events to sinks, the same for captures and live.
//!
//! ```text
//! source -> pruning -> (scan -> stage with state)    -> match -> order -> make -> sink
//! blocks    statistics   forks,   lineage, TCP streams   batches  by keys  pieces  text, counts, ...
//!                        packets
//! ```
//! [`question`] puts these together, [`worker`] does the parallel steps, [`schedule`] says which thread does what. A [`Source`] is
//! some captures, whose blocks are known from the beginning; or one that grows, whose blocks come from a [`Feed`]: then
//! [`arriving`] makes the jobs that [`question`] makes of captures.
//!
//! Where a change goes:
//!
//! | you want | see |
//! |---|---|
//! | blocks from elsewhere: a socket, a kernel | [`feed`]: a [`feed::channel`] to fill, or a [`Feed`] of your own |
//! | another output | [`sink::Sink`]; text: [`sink::Output`] |
//! | to look at batches of rows yourself | [`Question::batches`] |
//! | state that goes from event to event, for questions: lineage, streams | [`stage::Client`], and [`state`] |
//! | such state by itself, at some moments | [`History`] |
//! | events made of others | [`derive`] |
//! | rows in any order, as views scroll | [`Access`], [`Question::nth`], [`Question::skip`] |
//! | to skip more blocks | [`block_pruning`], and `scopes::pruning` for what plans ask |
//! | to leave captures closed of which statistics are known | [`Outline`], [`Source::beside`] |
//! | to stop what runs | [`Cancellation`] |

mod access;
mod arriving;
mod bases;
mod batch;
mod block_pruning;
mod cancellation;
mod choosing;
mod column_first;
pub mod containers;
pub mod derive;
pub mod error;
pub mod event;
pub mod feed;
mod followed;
mod gap;
mod held;
mod history;
mod job;
mod lineage;
mod looking;
pub mod matching;
mod memo;
pub mod names;
mod order;
pub mod outline;
mod planning;
mod predicates;
mod question;
mod schedule;
mod seek;
mod selection;
pub mod sink;
mod slices;
pub mod source;
mod spill;
pub mod stage;
mod state;
mod stats;
mod steps;
mod streams;
mod text;
mod things;
mod unread_rows;
mod worker;

pub use access::{Access, Wanted};
pub use batch::Batch;
pub use cancellation::Cancellation;
pub use containers::{Container, Containers};
pub use error::{Error, Result};
pub use event::{Args, EventView};
pub use feed::{Fed, Feed};
pub use format::WallClock;
pub use gap::Gap;
pub use history::History;
pub use lineage::Lineages;
pub use matching::Matcher;
pub use names::Names;
pub use outline::Outline;
pub use question::Question;
pub use seek::Found;
pub use sink::{Output, Projection, Render, Sink};
pub use slices::Meter;
pub use source::{File, Host, RowRef, Source};
pub use stats::Stats;
