//! The thread that looks: asks what comes, and prints it.

use std::io::{self, IsTerminal, Write};
use std::ops::ControlFlow;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::Result;
use pipeline::{Output, Question, Source, Stats};
use replay::Asked;
use replay::render::{Destination, Format, Shown};
use rustix::event::{PollFd, PollFlags, poll};

use super::keys::{Key, Keys};
use super::rows::{Rows, Summed};
use super::screen::{self, Screen};
use crate::amounts::{clock, grouped};
use crate::live::Link;
use crate::look::Look;
use crate::sink::Sink;
use crate::{stderr, terminal};

/// What is looked at, and how it is shown.
pub struct View {
    pub asked: Asked,
    pub look: Look,
    pub destinations: Vec<Destination>,
    /// Where they go, with names for messages.
    pub sinks: Vec<(String, Sink)>,
    /// Rows a second on a terminal; 0: all.
    pub rate: usize,
    pub limit: Option<u64>,
    pub threads: usize,
    /// What the key for the flight recorder keeps, in words.
    pub flight: Option<String>,
    pub is_quiet: bool,
}

/// A terminal that several threads write to.
type Shared = Mutex<Screen<io::Stdout>>;

fn locked(screen: &Shared) -> MutexGuard<'_, Screen<io::Stdout>> {
    screen.lock().unwrap_or_else(PoisonError::into_inner)
}

impl View {
    /// Prints until the source ends, or nobody reads it any more.
    pub fn run(mut self, source: &Source, link: &Arc<Link>) -> Result<Stats> {
        let shown: Vec<Shown<'_>> =
            self.destinations.iter().map(|it| self.look.shown(it)).collect::<Result<_>>()?;
        let on_terminal = self.destinations.iter().position(|it| it.file.is_none());
        let on_terminal = on_terminal.filter(|_| io::stdout().is_terminal());
        let is_summed = |number: usize| {
            let is_table = self.destinations.get(number).is_some_and(|it| it.format != Format::Json);
            is_table && self.rate > 0 && self.limit.is_none()
        };
        let summed = on_terminal.filter(|number| is_summed(*number));
        let width = || terminal::width().unwrap_or(80);
        let screen = on_terminal.map(|_| Mutex::new(Screen::new(io::stdout(), width(), self.rate)));
        let outputs: Vec<&dyn Output> = shown.iter().map(|shown| shown as &dyn Output).collect();
        let rows = Rows {
            whole: (0..).zip(&outputs).filter(|(at, _)| Some(*at) != summed).map(|(_, it)| *it).collect(),
            summed: summed
                .and_then(|at| outputs.get(at))
                .map(|output| Summed { output: *output, rate: self.rate }),
        };
        // In the order of the texts of whole outputs; `None` is the screen.
        let mut writers: Vec<Option<&mut (String, Sink)>> = Vec::new();
        for (at, (shown, sink)) in shown.iter().zip(&mut self.sinks).enumerate() {
            let is_screen = on_terminal == Some(at);
            match &screen {
                Some(screen) if is_screen => locked(screen).text(&shown.header())?,
                _ => sink.1.write_all(&shown.header()).and_then(|()| sink.1.flush())?,
            }
            if summed != Some(at) {
                writers.push((!is_screen).then_some(sink));
            }
        }
        let ticker = Ticker {
            screen: screen.as_ref(),
            link,
            is_over: AtomicBool::new(false),
            flight: self.flight.as_deref(),
            is_quiet: self.is_quiet,
        };
        let question = Question {
            threads: self.threads,
            limit: self.limit,
            cancellation: link.cancellation.clone(),
            ..Question::new(source, self.asked.matchers(source))
        };
        let answer = thread::scope(|scope| {
            scope.spawn(|| ticker.run());
            let answer = question.ask(&rows, &mut |piece| {
                for (bytes, writer) in piece.whole.iter().zip(&mut writers) {
                    match (writer, &screen) {
                        // Whoever reads what comes is not to wait for a full buffer.
                        (Some((_, sink)), _) => sink.write_all(bytes).and_then(|()| sink.flush())?,
                        (None, Some(screen)) => locked(screen).text(bytes)?,
                        (None, None) => {}
                    }
                }
                if let Some(screen) = &screen {
                    locked(screen).seconds(&piece.seconds)?;
                }
                Ok(ControlFlow::Continue(()))
            });
            ticker.is_over.store(true, Ordering::Relaxed);
            answer
        });
        link.is_enough.store(true, Ordering::Relaxed);
        if let Some(screen) = &screen {
            locked(screen).finish()?;
        }
        let stats = answer?;
        for (_, sink) in self.sinks {
            sink.finish()?;
        }
        Ok(stats)
    }
}

/// What is to be done every so often, whether or not anything happens.
struct Ticker<'t> {
    screen: Option<&'t Shared>,
    link: &'t Link,
    is_over: AtomicBool,
    flight: Option<&'t str>,
    is_quiet: bool,
}

impl Ticker<'_> {
    fn run(&self) {
        let started = Instant::now();
        let mut keys = self.screen.and_then(|_| Keys::start());
        let (mut has_lost, mut was_unseen) = (false, false);
        while !self.is_over.load(Ordering::Relaxed) {
            thread::sleep(screen::EVERY);
            if is_reader_gone() {
                self.link.is_enough.store(true, Ordering::Relaxed);
            }
            match keys.as_mut().and_then(Keys::pressed) {
                Some(Key::Keep) if self.flight.is_some() => {
                    self.link.is_triggered.store(true, Ordering::Relaxed);
                }
                Some(Key::End) => self.link.is_enough.store(true, Ordering::Relaxed),
                _ => {}
            }
            if let Some(screen) = self.screen {
                let mut screen = locked(screen);
                screen.set_footer(self.footer(started.elapsed()));
                // The thread that prints meets the same error, and ends for it.
                let _ = screen.tick(terminal::width().unwrap_or(80));
            } else if !self.is_quiet {
                if self.link.lost() > 0 && !std::mem::replace(&mut has_lost, true) {
                    stderr::warn("events are being lost; the last line will say how many");
                }
                if self.link.unseen() > 0 && !std::mem::replace(&mut was_unseen, true) {
                    stderr::warn("events come faster than they are taken, and some are not shown");
                }
            }
        }
    }

    fn footer(&self, elapsed: Duration) -> String {
        let link = self.link;
        let mut line = format!(
            "{}  {} recorded  {} lost",
            clock(Duration::from_secs(elapsed.as_secs())),
            grouped(link.recorded()),
            grouped(link.lost())
        );
        if link.unseen() > 0 {
            line.push_str(&format!("  {} not shown", grouped(link.unseen())));
        }
        if let Some(kept) = self.flight {
            line.push_str(&format!("  w keeps the last {kept}"));
        }
        line.push_str("  q ends");
        line
    }
}

/// Whether nobody can read any more what goes to standard output.
fn is_reader_gone() -> bool {
    let stdout = io::stdout();
    let mut ends = [PollFd::new(&stdout, PollFlags::empty())];
    let polled = poll(&mut ends, Some(&rustix::event::Timespec { tv_sec: 0, tv_nsec: 0 }));
    let gone = PollFlags::ERR | PollFlags::HUP;
    polled.is_ok() && ends.iter().any(|end| end.revents().intersects(gone))
}
