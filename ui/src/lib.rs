//! `tracer ui`: a capture on a terminal's screen. What is shown is a model that takes messages and gives effects, so that it is
//! tested without a terminal; threads answer, and stop at the next key.
//!
//! ```text
//! terminal --keys--> model --effects--> engine (asker, reader, studies)
//!    ^                 |  <--messages-------'
//!    '---- screen <----'
//! ```

mod answer;
mod engine;
pub mod key;
pub mod keys;
mod latency;
mod marks;
mod matches;
mod message;
mod model;
mod page;
mod row;
mod screen;
mod study;
mod terminal;
#[cfg(test)]
mod tests;

use std::fmt;
use std::sync::Arc;
use std::sync::mpsc::channel;

use pipeline::Source;

use scopes::{Diagnostic, ScopeSet};

/// Reads and checks filters, with the policies of the command line.
pub type Check = Arc<dyn Fn(&[String]) -> Result<ScopeSet, Vec<Diagnostic>> + Send + Sync>;

pub use marks::{Heads, Marks};
pub use model::{Moment, Setup, Times, shell};

pub type Complete = Arc<dyn Fn(&str) -> Vec<(String, u64)> + Send + Sync>;
pub type Save = Arc<dyn Fn(&Shown, &str) -> Result<String, String> + Send + Sync>;
pub type Rules = Arc<dyn Fn() -> Result<rules::Corpus, String> + Send + Sync>;
pub type Reopen = Arc<dyn Fn() -> Result<Option<Source>, String> + Send + Sync>;

/// What the screen leaves to the program around it.
#[derive(Clone)]
pub struct Help {
    /// What a filter may go on with, and how many events have it.
    pub complete: Complete,
    /// Writes what some filters leave of a stretch of time into a file, and says what it wrote.
    pub save: Save,
    /// The rules that findings are of.
    pub rules: Rules,
    /// The captures, opened anew where they have grown since; `None` where they have not.
    pub reopen: Reopen,
}

impl fmt::Debug for Help {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.debug_struct("Help").finish_non_exhaustive()
    }
}

/// What is shown: what a file that is written has.
#[derive(Clone, Debug, Default)]
pub struct Shown {
    pub filters: Vec<String>,
    pub range: Option<std::ops::Range<i64>>,
}

/// Shows captures until somebody leaves.
pub fn run(source: Source, setup: Setup, help: Help, threads: usize) -> std::io::Result<()> {
    let (sender, messages) = channel();
    let check = Arc::clone(&setup.check);
    let is_named =
        |column: &views::Column| matches!(column, views::Column::Parent | views::Column::Ancestors);
    let has_processes = setup.columns.iter().any(is_named);
    let engine = engine::Engine::start(source, has_processes, threads, check, help, sender.clone())?;
    let mut screen = terminal::Screen::take()?;
    let size = crossterm::terminal::size()?;
    terminal::listen(sender)?;
    let mut model = model::Model::new(setup, size);
    let shown =
        terminal::run(&mut screen, &mut model, &messages, &mut |effect, model| engine.perform(effect, model));
    drop(screen);
    shown.and_then(|()| model.marks.finish().map_err(std::io::Error::other))
}
