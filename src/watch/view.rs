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
use rules::finding::Finding;
use rustix::event::{PollFd, PollFlags, poll};

use super::findings::Findings;
use super::keys::{Key, Keys};
use super::rows::{Rows, Summed};
use super::screen::{self, Screen};
use crate::amounts::{clock, grouped, plural};
use crate::live::{Backlog, Link};
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
    /// Of rules that are asked meanwhile.
    pub findings: Option<Findings>,
    /// What waits to be shown.
    pub backlog: Arc<Backlog>,
}

/// A terminal that several threads write to.
type Shared = Mutex<Screen<io::Stdout>>;

fn locked(screen: &Shared) -> MutexGuard<'_, Screen<io::Stdout>> {
    screen.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Where a destination's text goes.
enum Outlet<'v> {
    Screen(&'v Shared),
    Sink(Mutex<&'v mut Sink>),
}

impl Outlet<'_> {
    fn write(&self, bytes: &[u8]) -> io::Result<()> {
        match self {
            Outlet::Screen(screen) => locked(screen).text(bytes),
            // Whoever reads what comes is not to wait for a full buffer.
            Outlet::Sink(sink) => {
                let mut sink = sink.lock().unwrap_or_else(PoisonError::into_inner);
                sink.write_all(bytes).and_then(|()| sink.flush())
            }
        }
    }
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
        let mut outlets: Vec<Outlet<'_>> = Vec::new();
        for (at, (shown, (_, sink))) in shown.iter().zip(&mut self.sinks).enumerate() {
            let outlet = match &screen {
                Some(screen) if on_terminal == Some(at) => Outlet::Screen(screen),
                _ => Outlet::Sink(Mutex::new(sink)),
            };
            outlet.write(&shown.header())?;
            outlets.push(outlet);
        }
        let tell = |finding: &Finding| -> io::Result<()> {
            let Some(findings) = &self.findings else { return Ok(()) };
            let mut told = shown.iter().zip(&outlets);
            told.try_for_each(|(shown, outlet)| outlet.write(&findings.line(finding, shown)))
        };
        let ticker = Ticker {
            screen: screen.as_ref(),
            link,
            backlog: &self.backlog,
            findings: self.findings.as_ref(),
            tell: &tell,
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
        let (answer, ticked) = thread::scope(|scope| {
            let ticked = scope.spawn(|| ticker.run());
            let answer = question.ask(&rows, &mut |piece| {
                let whole = (0..).zip(&outlets).filter(|(at, _)| Some(*at) != summed);
                for (bytes, (_, outlet)) in piece.whole.iter().zip(whole) {
                    outlet.write(bytes)?;
                }
                if let Some(screen) = &screen {
                    locked(screen).seconds(&piece.seconds)?;
                }
                Ok(ControlFlow::Continue(()))
            });
            ticker.is_over.store(true, Ordering::Relaxed);
            (answer, ticked.join().unwrap_or(Ok(())))
        });
        link.is_enough.store(true, Ordering::Relaxed);
        let ended = match (&answer, ticked) {
            // The judges are still at it, or done: this ends when they do.
            (Ok(_), Ok(())) => self.findings.iter().flat_map(Findings::rest).try_for_each(|it| tell(&it)),
            (_, ticked) => ticked,
        };
        if let Some(screen) = &screen {
            locked(screen).finish()?;
        }
        let stats = answer?;
        ended?;
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
    backlog: &'t Backlog,
    findings: Option<&'t Findings>,
    tell: &'t (dyn Fn(&Finding) -> io::Result<()> + Sync),
    is_over: AtomicBool,
    flight: Option<&'t str>,
    is_quiet: bool,
}

impl Ticker<'_> {
    fn run(&self) -> io::Result<()> {
        let started = Instant::now();
        let mut keys = self.screen.and_then(|_| Keys::start());
        let (mut has_lost, mut was_unseen) = (false, false);
        while !self.is_over.load(Ordering::Relaxed) {
            thread::sleep(screen::EVERY);
            if is_reader_gone() {
                self.link.is_enough.store(true, Ordering::Relaxed);
            }
            if let Some(findings) = self.findings
                && let Err(error) = findings.so_far().try_for_each(|finding| (self.tell)(&finding))
            {
                self.link.is_enough.store(true, Ordering::Relaxed);
                return Err(error);
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
                if self.link.has_begun() {
                    screen.set_footer(self.footer(started.elapsed()));
                }
                // The thread that prints meets the same error, and ends for it.
                let _ = screen.tick(terminal::width().unwrap_or(80));
            } else if !self.is_quiet {
                if self.link.lost() > 0 && !std::mem::replace(&mut has_lost, true) {
                    stderr::warn("events are being lost; the last line will say how many");
                }
                if self.backlog.unseen() > 0 && !std::mem::replace(&mut was_unseen, true) {
                    stderr::warn("events come faster than they are taken, and some are not shown");
                }
            }
        }
        Ok(())
    }

    fn footer(&self, elapsed: Duration) -> String {
        let link = self.link;
        let mut line = format!(
            "{}  {} recorded  {} lost",
            clock(Duration::from_secs(elapsed.as_secs())),
            grouped(link.recorded()),
            grouped(link.lost())
        );
        if self.backlog.unseen() > 0 {
            line.push_str(&format!("  {} not shown", grouped(self.backlog.unseen())));
        }
        if let Some(findings) = self.findings {
            line.push_str(&format!("  {}", plural(findings.count(), "finding")));
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
