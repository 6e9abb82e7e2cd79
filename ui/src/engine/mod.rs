//! What answers while somebody looks: threads that ask the source, and can be stopped at every key.
//!
//! ```text
//! model --Effect--> asker    which rows match, block by block from the cursor on   --Progress-->
//!                   reader   rows, details: some blocks at a time                  --Rows------>  model
//!                   studies  trees, stories, findings, counts: a thread each       --Page------>
//! ```

mod asker;
mod detail;
mod find;
mod follow;
mod parts;
mod query;
mod reader;
mod rows;
mod shared;
mod studies;

use std::sync::mpsc::{Sender, channel};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::Instant;

use pipeline::{Cancellation, Source};

use crate::Help;
use crate::message::{Ask, Effect, Message, Read};
use crate::model::Model;
use crate::study::Study;
pub use query::Query;
pub use rows::Style;
pub use shared::Shared;

/// The threads, and what they are told.
#[derive(Debug)]
pub struct Engine {
    asks: Sender<Ask>,
    reads: Sender<Read>,
    state: Arc<State>,
}

/// What the threads know of each other.
pub struct State {
    pub(crate) threads: usize,
    pub(crate) has_processes: bool,
    pub(crate) shared: Mutex<Arc<Shared>>,
    /// The question that was put last and could be compiled.
    pub(crate) query: Mutex<Option<Arc<Query>>>,
    /// The one that is asked for by now: those before it need not go on.
    pub(crate) wanted: Mutex<Cancellation>,
    pub(crate) check: crate::Check,
    pub(crate) help: Help,
    /// Of what is looked up.
    pub(crate) study: Mutex<Cancellation>,
    pub(crate) find: Mutex<Cancellation>,
    pub(crate) follow: Mutex<Cancellation>,
    pub(crate) messages: Sender<Message>,
    /// When the captures were last found grown.
    pub(crate) grown: Mutex<Option<Instant>>,
    /// What was asked of rows, one after the other: so that tests can see that what is known is not asked.
    #[cfg(test)]
    pub(crate) asked: Mutex<Vec<String>>,
}

impl std::fmt::Debug for State {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        out.debug_struct("State").field("threads", &self.threads).finish_non_exhaustive()
    }
}

pub(crate) fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Engine {
    /// Starts the threads. What they find out goes to `messages`.
    pub fn start(
        source: Source,
        has_processes: bool,
        threads: usize,
        check: crate::Check,
        help: Help,
        messages: Sender<Message>,
    ) -> std::io::Result<Engine> {
        let shared = Arc::new(Shared::new(source, has_processes));
        let state = Arc::new(State {
            threads,
            has_processes,
            shared: Mutex::new(shared),
            query: Mutex::default(),
            wanted: Mutex::default(),
            check,
            help,
            study: Mutex::default(),
            find: Mutex::default(),
            follow: Mutex::default(),
            messages,
            grown: Mutex::default(),
            #[cfg(test)]
            asked: Mutex::default(),
        });
        let (asks, asked) = channel();
        let (reads, read) = channel();
        let of_asker = Arc::clone(&state);
        thread::Builder::new().name("tracer-ask".into()).spawn(move || asker::run(&of_asker, &asked))?;
        let of_reader = Arc::clone(&state);
        thread::Builder::new().name("tracer-read".into()).spawn(move || reader::run(&of_reader, &read))?;
        Ok(Engine { asks, reads, state })
    }

    /// Puts a question, and gives up the one before.
    pub fn ask(&self, ask: Ask) {
        {
            let mut wanted = locked(&self.state.wanted);
            wanted.cancel();
            *wanted = ask.cancellation.clone();
        }
        // A thread that has ended has said why.
        let _ = self.asks.send(ask);
    }

    /// What was asked of rows so far.
    #[cfg(test)]
    pub(crate) fn asked(&self) -> Vec<String> {
        locked(&self.state.asked).clone()
    }

    pub fn read(&self, read: Read) {
        let _ = self.reads.send(read);
    }

    /// Does what the model wants done, on threads of its own where it takes long.
    pub fn perform(&self, effect: Effect, model: &Model) {
        match effect {
            Effect::Ask(ask) => self.ask(ask),
            Effect::Read(read) => self.read(read),
            Effect::Study { ticket, study, style } => {
                // A tree beside the table does not end a page that lies over it, nor the other way round.
                let cancellation = match &study {
                    Study::Tree(None) => Cancellation::default(),
                    _ => self.state.anew(&self.state.study),
                };
                self.state.aside(move |state| studies::run(state, ticket, study, &style, &cancellation));
            }
            Effect::Cancel => {
                self.state.anew(&self.state.study);
                self.state.anew(&self.state.find);
            }
            Effect::Complete(text) => self.state.aside(move |state| {
                let found = (state.help.complete)(&text);
                state.tell(Message::Candidates { text, found });
            }),
            Effect::Count(filters) => self.state.aside(move |state| studies::count(state, &filters)),
            Effect::Find { ticket, text, from, is_backward, style } => {
                let cancellation = self.state.anew(&self.state.find);
                self.state.aside(move |state| {
                    find::text(state, ticket, &text, from, is_backward, &style, &cancellation);
                });
            }
            Effect::Parent { ticket, of } => {
                let cancellation = self.state.anew(&self.state.find);
                self.state.aside(move |state| find::parent(state, ticket, of, &cancellation));
            }
            Effect::Save { path } => {
                let shown = crate::Shown { filters: model.filters.active(), range: model.range.clone() };
                self.state.aside(move |state| match (state.help.save)(&shown, &path) {
                    Ok(said) => state.tell(Message::Said(said)),
                    Err(why) => state.tell(Message::Failed(why)),
                });
            }
            Effect::Follow(is_on) => {
                let cancellation = self.state.anew(&self.state.follow);
                if is_on {
                    self.state.aside(move |state| follow::run(state, &cancellation));
                }
            }
            // These are the terminal's.
            Effect::Copy(_) | Effect::Mouse(_) | Effect::Redraw | Effect::Suspend | Effect::Quit => {}
        }
    }
}

impl State {
    pub(crate) fn shared(&self) -> Arc<Shared> {
        Arc::clone(&locked(&self.shared))
    }

    pub(crate) fn query(&self) -> Option<Arc<Query>> {
        locked(&self.query).clone()
    }

    /// Stops what was done with a token, and gives the next one.
    fn anew(&self, token: &Mutex<Cancellation>) -> Cancellation {
        let mut token = locked(token);
        token.cancel();
        *token = Cancellation::default();
        token.clone()
    }

    /// Does something on a thread of its own.
    fn aside(self: &Arc<State>, work: impl FnOnce(&Arc<State>) + Send + 'static) {
        let state = Arc::clone(self);
        let started = thread::Builder::new().name("tracer-study".into()).spawn(move || work(&state));
        if let Err(error) = started {
            self.tell(Message::Failed(format!("no thread for this: {error}")));
        }
    }

    /// Nobody listens any more when the program ends.
    pub(crate) fn tell(&self, message: Message) {
        let _ = self.messages.send(message);
    }
}
