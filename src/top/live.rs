//! `top --live`: the sums of what goes on, written anew every two seconds.

use std::collections::BTreeSet;
use std::io::{self, IsTerminal, Write};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::Result;
use pipeline::{Question, Source, Stats};
use replay::Asked;
use replay::render::clock::{Clock, Hand};
use replay::render::columns::cut;
use views::Known;
use views::sums::{By, Sums};

use super::{Format, Options, Shape, print, sum};
use crate::amounts::{clock, grouped};
use crate::filters::Diagnostics;
use crate::live::{self, Announcement, Link, Onlooker, Seen, Sight};
use crate::outcome::Outcome;
use crate::record::order::{Order, Scopes, Target};
use crate::record::{Capturing, Keeping, recording};
use crate::terminal::{self, Color};
use crate::{output, stderr};

/// How often a terminal is written anew.
const EVERY: Duration = Duration::from_secs(2);
const LOOK_AGAIN: Duration = Duration::from_millis(50);
/// Takes the cursor to the upper left corner, and clears what is below it.
const HOME: &[u8] = b"\x1b[H\x1b[J";

pub fn run(options: Options) -> Result<Outcome> {
    let scopes = Scopes::read(&options.scopes)?;
    scopes.set.warnings().iter().for_each(stderr::say_lines);
    let set = scopes.set.clone();
    let (capturing, keeping) = (Capturing::default(), Keeping::default());
    let policies = options.scopes.policies.clone();
    let order = Order {
        capturing: &capturing,
        keeping: &keeping,
        target: Target::Nothing,
        inputs: policies.iter().map(|path| path.as_path()).collect(),
        only_matched: !set.is_empty(),
        also: BTreeSet::new(),
        scopes,
        trigger: None,
        exclude: live::onlookers(),
        duration: options.duration,
        command: &[],
    };
    let prepare = move |sight: Sight| -> Result<Onlooker> {
        let Sight { source, link, .. } = sight;
        let asked = match set.is_empty() {
            true => Asked::recorded(&source),
            false => Asked::given(set, &source).map_err(Diagnostics)?,
        };
        let out = output::stdout(&[])?;
        Ok(Box::new(move || count(&options, &source, &asked, &link, out)))
    };
    let mut announcement = Announcement("counting; Ctrl-C ends it".to_owned());
    match live::run(order, &mut announcement, vec![Box::new(prepare)])? {
        Ok(Seen { summary, answers, exit_code, .. }) => {
            stderr::note(format_args!(
                "{} events in {}, {} lost",
                grouped(summary.events),
                clock(summary.took),
                grouped(summary.lost)
            ));
            let unseen = answers.first().map_or(0, |(_, unseen)| *unseen);
            if unseen > 0 {
                stderr::warn(format_args!(
                    "{} events are in no sum: they came faster than they were counted",
                    grouped(unseen)
                ));
            }
            recording::outcome(summary, exit_code, false)
        }
        Err(code) => Ok(Outcome::Code(code)),
    }
}

/// Counts until the source ends, and shows the sums.
fn count(
    options: &Options,
    source: &Source,
    asked: &Asked,
    link: &Link,
    mut out: impl Write + Send,
) -> Result<Stats> {
    let known = Known::of(source, false)?;
    let all: Vec<Mutex<Sums<'_>>> = options.by.iter().map(|by| Mutex::new(Sums::new(*by, &known))).collect();
    let table = Table { shape: options.shape(), by: &options.by, all: &all, clock: options.ask.clock() };
    let is_over = AtomicBool::new(false);
    let is_shown = options.output == Format::Table && io::stdout().is_terminal();
    let question = Question {
        threads: options.ask.threads.count(),
        cancellation: link.cancellation.clone(),
        ..Question::new(source, asked.matchers(source))
    };
    let (stats, shown) = thread::scope(|scope| {
        let shown = scope.spawn(|| -> io::Result<()> {
            let mut shown_at: Option<Instant> = None;
            while !is_over.load(Ordering::Relaxed) {
                if is_shown && shown_at.is_none_or(|at| at.elapsed() >= EVERY) {
                    shown_at = Some(Instant::now());
                    if let Err(error) = table.redraw(link, &mut out) {
                        link.is_enough.store(true, Ordering::Relaxed);
                        return Err(error);
                    }
                }
                thread::sleep(LOOK_AGAIN);
            }
            // What is left is for whoever reads the end.
            if is_shown { table.redraw(link, &mut out) } else { table.write(&mut out) }
        });
        let stats = sum(&question, &options.by, &known, &mut |made| {
            all.iter().zip(made).for_each(|(sums, more)| locked(sums).merge(more));
        });
        is_over.store(true, Ordering::Relaxed);
        (stats, shown.join())
    });
    link.is_enough.store(true, Ordering::Relaxed);
    if let Ok(shown) = shown {
        shown?;
    }
    Ok(stats?)
}

fn locked<'m, 'k>(sums: &'m Mutex<Sums<'k>>) -> MutexGuard<'m, Sums<'k>> {
    sums.lock().unwrap_or_else(PoisonError::into_inner)
}

struct Table<'t, 'k> {
    shape: Shape,
    by: &'t [By],
    all: &'t [Mutex<Sums<'k>>],
    clock: Clock,
}

impl Table<'_, '_> {
    fn write(&self, out: &mut impl Write) -> io::Result<()> {
        let mut text = Vec::new();
        for (at, (by, sums)) in self.by.iter().zip(self.all).enumerate() {
            print(self.shape, at, *by, &locked(sums), Hand::new(&self.clock, false), &mut text)?;
        }
        out.write_all(&text)?;
        out.flush()
    }

    /// On a terminal: in place of what was there, or below it where no escape sequences are wanted.
    fn redraw(&self, link: &Link, out: &mut impl Write) -> io::Result<()> {
        let mut text = Vec::new();
        self.write(&mut text)?;
        let (width, height) = (terminal::width(), terminal::height());
        let mut screen = Vec::new();
        let is_redrawn = Color::Auto.is_on();
        if is_redrawn {
            screen.extend_from_slice(HOME);
        }
        let state = format!("{} recorded, {} lost", grouped(link.recorded()), grouped(link.lost()));
        let lines = std::iter::once(state.as_bytes()).chain(text.split(|byte| *byte == b'\n'));
        let most = if is_redrawn { height.unwrap_or(24).saturating_sub(1) } else { usize::MAX };
        for line in lines.take(most) {
            let mut line = line.to_vec();
            cut(&mut line, width);
            line.push(b'\n');
            screen.extend_from_slice(&line);
        }
        out.write_all(&screen)?;
        out.flush()
    }
}
