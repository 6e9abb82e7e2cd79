//! Captures as one page: a file that is mailed, opened without a network and kept. What it says is what the other commands
//! say, from the same code; this crate puts it together and writes the markup.
//!
//! ```text
//! captures ─▶ gather: findings, stories, totals, files, network, processes, events
//!                └─▶ page: markup with escaped texts, and the columns of events deflated in base64 for the page's script
//! ```
//! Nothing of a capture becomes markup or script: [`html::Html`] takes texts by one way only, and everything else is base64.
//! The same captures and the same question give the same bytes: there is no time of day, no random number and no order of a
//! hash map in it.

mod events;
pub mod findings;
mod gather;
mod html;
mod packed;
mod page;
mod sections;
mod spelled;
pub mod stories;
mod totals;

pub use gather::{Asking, Gathered};
pub use page::{About, Note, OfCapture, Page, Written};

/// Events that a page may have at all: no browser shows more in comfort.
pub const MOST_EVENTS: u64 = 4_000_000;
