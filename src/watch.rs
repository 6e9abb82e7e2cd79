//! `tracer watch`: the running kernel, asked as captures are.

mod explain;
mod findings;
mod keys;
mod quiet;
mod rows;
mod screen;
mod view;

use std::io::IsTerminal;
use std::path::PathBuf;
use std::time::Duration;

use anyhow::{Result, bail};
use clap::Args;
use recorder::amount::{self, Stretch};
use recorder::session::Summary;
use replay::Asked;
use replay::render::{Destination, Format};
use scopes::{Plan, ScopeSet};

use crate::amounts::{bytes, clock, grouped, plural};
use crate::filters::{Diagnostics, FilterOptions};
use crate::judging::Judging;
use crate::live::{self, Announcement, Onlooker, Prepare, Seen, Sight};
use crate::look::LookOptions;
use crate::outcome::Outcome;
use crate::record::order::{Order, Scopes, Target};
use crate::record::trigger::Trigger;
use crate::record::{Capturing, Keeping, progress, recording};
use crate::rule_files::RuleOptions;
use crate::threads::Threads;
use crate::{sink, stderr};
use findings::Findings;

/// Shows what happens on this host while it happens, with the filters, columns and formats of `replay`. Without filters, what
/// changes a host is shown, and who talks to whom; `-f 'event=*'` shows all of it.
#[derive(Args, Debug)]
pub struct Options {
    #[command(flatten)]
    scopes: FilterOptions,
    #[command(flatten)]
    look: LookOptions,
    /// A format, and a file if not stdout: table, table-verbose, json, json:FILE (repeatable) [default: table]
    #[arg(long, short, value_name = "FORMAT[:FILE]")]
    output: Vec<Destination>,
    /// Write over files that are there
    #[arg(long)]
    force: bool,
    /// What draws this terminal and what reads this pipe, too
    #[arg(long)]
    all: bool,
    /// Rows of one second that a terminal shows; those above it are summed up (0: none are)
    #[arg(long, value_name = "N", default_value_t = 100)]
    rate: usize,
    /// Say which filters are judged in the kernel
    #[arg(long)]
    explain: bool,
    /// Stop after so many events
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..))]
    limit: Option<u64>,
    /// Stop after this time (10s, 5m, 1h30m)
    #[arg(long = "for", value_name = "TIME", value_parser = amount::time)]
    duration: Option<Duration>,
    /// Stop when an event matches this filter, shown or not (repeatable, all of them on one event), or with rule:ID when a rule
    /// of this id, title, tag or level finds something; exit code 1 if nothing of it came
    #[arg(long, value_name = "FILTER|rule:ID", conflicts_with_all = ["flight", "trigger"])]
    until: Vec<String>,
    /// Record everything into this file at the same time, as `tracer record` does
    #[arg(long, short, value_name = "FILE")]
    write: Option<PathBuf>,
    /// No notes on stderr
    #[arg(long, short)]
    quiet: bool,
    #[command(flatten)]
    threads: Threads,
    #[command(flatten, next_help_heading = "Rules that are asked meanwhile")]
    rules: RuleOptions,
    #[command(flatten, next_help_heading = "Options of the recording")]
    capturing: Capturing,
    #[command(flatten)]
    keeping: Keeping,
}

pub fn run(options: Options) -> Result<Outcome> {
    let writes = options.write.is_some() || options.keeping.flight.is_some();
    if !writes && let Some(option) = options.keeping.given() {
        bail!("{option} is about the file that -w writes: name one, or leave it out");
    }
    let triggers = if options.until.is_empty() { &options.keeping.trigger } else { &options.until };
    let trigger = Trigger::read(triggers)?;
    let judging = Judging::read(&options.rules, &trigger.rules)?;
    let is_default = options.scopes.is_empty();
    let mut scopes = Scopes::read(&options.scopes)?;
    if is_default {
        scopes = of_quiet()?;
    }
    let onlookers = if options.all { Vec::new() } else { live::onlookers() };
    // What is recorded is recorded whole: then they are left out here.
    let mut asked_set = scopes.set.clone();
    let (exclude, only_matched) = if writes {
        asked_set = asked_set.without_processes(&onlookers);
        (Vec::new(), false)
    } else {
        (onlookers, true)
    };
    if is_default && writes {
        // The capture has all of it; what is shown of it is nobody's filter.
        scopes = Scopes { set: ScopeSet::default(), filters: Vec::new(), policies: Vec::new() };
    }
    if !options.quiet {
        tell(&options, &asked_set, is_default, writes, judging.is_some());
        judging.iter().for_each(Judging::tell);
    }
    let target = match (&options.write, writes) {
        (Some(path), _) => Target::File { path: path.clone(), force: options.force, is_stream: false },
        (None, true) => Target::File { path: recording::default_path(), force: false, is_stream: false },
        (None, false) => Target::Nothing,
    };
    let order = Order {
        capturing: &options.capturing,
        keeping: &options.keeping,
        target,
        inputs: options.scopes.paths(),
        scopes,
        only_matched,
        also: judging.as_ref().filter(|_| only_matched).map(Judging::events).unwrap_or_default(),
        trigger: trigger.events,
        exclude,
        duration: options.duration,
        command: &[],
    };
    let announcement = match options.quiet {
        true => String::new(),
        false => announcement(&options, asked_set.scopes().count(), judging.as_ref()),
    };
    let mut prepare: Vec<Prepare<'_>> = Vec::new();
    let (telling, findings) = judging.as_ref().map(Findings::channel).unzip();
    prepare.push(Box::new(|sight| show(&options, asked_set, findings, sight)));
    if let (Some(judging), Some(telling)) = (&judging, telling) {
        let threads = options.threads.count();
        prepare.push(Box::new(move |sight| judging.onlooker(sight, threads, telling)));
    }
    match live::run(order, &mut Announcement(announcement), prepare)? {
        Ok(seen) => ended(&options, seen, writes, judging.as_ref()),
        Err(code) => Ok(Outcome::Code(code)),
    }
}

/// The scopes when nothing is asked for.
fn of_quiet() -> Result<Scopes> {
    let none: [&str; 0] = [];
    let policies = vec![(quiet::NAME.to_owned(), quiet::policy())];
    let set = ScopeSet::with_policies(&none, &policies).map_err(Diagnostics)?;
    Ok(Scopes { set, filters: Vec::new(), policies })
}

/// Says what is going to be shown.
fn tell(options: &Options, set: &ScopeSet, is_default: bool, writes: bool, judges: bool) {
    set.warnings().iter().for_each(stderr::say_lines);
    if is_default {
        stderr::note(format_args!("showing {}; -f and -p ask for something else", quiet::SAID));
    }
    for (number, name) in set.names().filter(|_| !is_default) {
        stderr::note(format_args!("scope {number} is {name}"));
    }
    if options.explain {
        let plan = Plan::compile(set);
        let everything = if writes {
            Some("everything is recorded")
        } else if judges {
            Some("rules look at more than the filters do")
        } else if !options.until.is_empty() {
            Some("--until looks at more than the filters do")
        } else {
            None
        };
        explain::lines(set, &plan, everything).iter().for_each(stderr::say);
    }
}

/// What is said when it begins.
fn announcement(options: &Options, scopes: usize, judging: Option<&Judging>) -> String {
    let mut line = format!("watching: {}", plural(scopes as u64, "scope"));
    if let Some(judging) = judging {
        line.push_str(&format!(" and {}", plural(judging.corpus().rules.len() as u64, "rule")));
    }
    if let Some(file) = &options.write {
        line.push_str(&format!(", and everything goes into {}", file.display()));
    }
    line.push_str("; Ctrl-C ends it");
    line
}

/// Makes what looks, while this may still open files.
fn show(options: &Options, set: ScopeSet, findings: Option<Findings>, sight: Sight) -> Result<Onlooker> {
    let Sight { source, link, backlog } = sight;
    let asked = Asked::given(set, &source).map_err(Diagnostics)?;
    let look = options.look.look(&source, &asked)?;
    let usual = Destination { format: options.look.default_format(), file: None };
    let destinations = if options.output.is_empty() { vec![usual] } else { options.output.clone() };
    let inputs = [options.scopes.paths(), options.keeping.sealing.paths()].concat();
    let sinks = destinations
        .iter()
        .map(|destination| sink::open(destination, options.force, &inputs, true))
        .collect::<Result<Vec<_>>>()?;
    let is_table = destinations.iter().any(|it| it.format != Format::Json && it.file.is_none());
    if is_table && std::io::stdout().is_terminal() && !options.quiet {
        look.zone(&source).into_iter().for_each(stderr::note);
    }
    let view = view::View {
        asked,
        look,
        destinations,
        sinks,
        rate: options.rate,
        limit: options.limit,
        threads: options.threads.count(),
        flight: options.keeping.flight.map(|stretch| match stretch {
            Stretch::Time(time) => clock(time),
            Stretch::Bytes(size) => bytes(size),
        }),
        is_quiet: options.quiet,
        findings,
        backlog,
    };
    Ok(Box::new(move || view.run(&source, &link)))
}

/// Says how it ended.
fn ended(options: &Options, seen: Seen, writes: bool, judging: Option<&Judging>) -> Result<Outcome> {
    let Seen { summary, answers, is_met, exit_code } = seen;
    let mut answers = answers.into_iter();
    let (stats, unseen) = answers.next().unwrap_or_default();
    let unjudged = answers.next().map_or(0, |(_, unseen)| unseen);
    if !options.quiet {
        stderr::note(last_line(&summary, stats.matched, unseen));
        if let Some(judging) = judging {
            judging.tell_end(unjudged);
        }
        if writes {
            stderr::say(progress::summary(&summary));
        }
    }
    let was_met = summary.triggered || is_met;
    let outcome = recording::outcome(summary, exit_code, options.keeping.flight.is_some())?;
    Ok(if options.until.is_empty() || was_met { outcome } else { Outcome::Found })
}

fn last_line(summary: &Summary, matched: u64, unseen: u64) -> String {
    let mut line = format!(
        "{} events matched in {}, {} lost",
        grouped(matched),
        clock(summary.took),
        grouped(summary.lost)
    );
    if unseen > 0 {
        line.push_str(&format!(", {} not shown since they were not taken fast enough", grouped(unseen)));
    }
    line
}
