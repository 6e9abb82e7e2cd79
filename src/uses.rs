//! `tracer file`, `user` and `conn`: one thing, and all that was done with it.

use std::collections::BTreeSet;
use std::io::Write;

use anyhow::{Result, bail};
use clap::Args;
use jiff::tz::TimeZone;
use pipeline::stage::{Client, Reads};
use pipeline::{Cancellation, Gap, History, Source};
use replay::Asked;
use scopes::ScopeSet;
use scopes::pattern::Pattern;
use views::Known;
use views::connections::{Connections, Names};
use views::state::Object;
use views::story::{self, Flows};
use views::tree::Forest;
use views::uses::{Focus, Uses};

use crate::caveats;
use crate::filters::{Diagnostics, FilterOptions};
use crate::inputs::{Damage, Inputs};
use crate::objects::{Format, Printer};
use crate::outcome::{self, Outcome};
use crate::range::TimeRange;
use crate::stderr;
use crate::threads::Threads;

#[derive(Args, Debug)]
pub struct FileOptions {
    #[command(flatten)]
    asked: Question,
    /// The file's absolute path, with * for any characters
    #[arg(required = true)]
    path: String,
}

#[derive(Args, Debug)]
pub struct UserOptions {
    #[command(flatten)]
    asked: Question,
    /// The user's name when recording began, or the number
    #[arg(required = true)]
    user: String,
}

#[derive(Args, Debug)]
pub struct ConnOptions {
    #[command(flatten)]
    asked: Question,
    /// Only those to this address, ADDRESS:PORT, or name that DNS gave, with * for any characters
    #[arg(long, value_name = "PEER")]
    peer: Option<String>,
}

#[derive(Args, Debug)]
struct Question {
    #[command(flatten)]
    inputs: Inputs,
    #[command(flatten)]
    range: TimeRange,
    /// How to print it
    #[arg(long, short, value_name = "FORMAT", default_value = "table")]
    output: Format,
    #[command(flatten)]
    threads: Threads,
    #[command(flatten)]
    damage: Damage,
    /// Times in UTC instead of local time
    #[arg(long)]
    utc: bool,
}

pub fn file(options: &FileOptions) -> Result<Outcome> {
    if !options.path.starts_with(['/', '*']) && !options.path.starts_with("memfd:") {
        bail!("{}: a file's path begins with / (or with * for any front)", options.path);
    }
    let focus = |_: &Source, _: &Known| Ok(Focus::Files(Pattern::parse(&options.path)));
    uses(&options.asked, focus)
}

pub fn user(options: &UserOptions) -> Result<Outcome> {
    uses(&options.asked, |source, _| {
        let wanted = &options.user;
        let number: Option<u32> = wanted.parse().ok();
        let mut users = BTreeSet::new();
        for file in source.files() {
            let boot = |host: u16| file.host(host).map_or(0, |host| host.boot);
            let named = file.capture.users();
            let named =
                named.iter().filter(|user| user.name == *wanted).map(|user| (boot(user.host), user.uid));
            users.extend(named);
            if let Some(number) = number {
                users.extend(file.hosts.iter().map(|host| (host.boot, number)));
            }
        }
        if users.is_empty() {
            bail!("{wanted}: no host of the capture had a user of this name when its recording began");
        }
        Ok(Focus::Users(users))
    })
}

fn uses(asked: &Question, focus: impl FnOnce(&Source, &Known) -> Result<Focus>) -> Result<Outcome> {
    let source = asked.inputs.source()?;
    let known = Known::of(&source, false)?;
    let focus = focus(&source, &known)?;
    caveats::tell(&source, None, &FilterOptions::default());
    let forest = Forest::of(&source)?;
    let flows = Flows::new(&source, story::lives(&forest));
    let uses = Uses::new(focus, &flows, asked.range(&source)?);
    let mut objects = Vec::new();
    let gaps = asked.ask(&source, &flows.reads(), uses, &mut |uses| {
        left_out(uses.left_out);
        objects = uses.objects(&forest, &known);
    })?;
    asked.print(&source, &objects, &gaps)
}

pub fn conn(options: &ConnOptions) -> Result<Outcome> {
    let asked = &options.asked;
    let source = asked.inputs.source()?;
    caveats::tell(&source, None, &FilterOptions::default());
    let forest = Forest::of(&source)?;
    let set = ScopeSet::parse(&["event=net_packet_dns_response"]).map_err(Diagnostics)?;
    let dns = Asked::given(set, &source).map_err(Diagnostics)?;
    let names = Names::of_source(&source, dns.matchers(&source), asked.threads.count())?;
    let peer = options.peer.as_deref().map(Pattern::parse);
    let connections = Connections::new(asked.range(&source)?);
    let reads = connections.reads();
    let mut objects = Vec::new();
    let gaps = asked.ask(&source, &reads, connections, &mut |connections| {
        left_out(connections.left_out);
        objects = connections.objects(peer.as_ref(), &names, &forest);
    })?;
    asked.print(&source, &objects, &gaps)
}

fn left_out(count: u64) {
    if count > 0 {
        stderr::warn(format_args!(
            "{count} events are of more lines than are kept: ask for less, or for a stretch of time"
        ));
    }
}

impl Question {
    /// Wall clock, ns since the epoch, without its end.
    fn range(&self, source: &Source) -> Result<(i64, i64)> {
        let zone = || if self.utc { TimeZone::UTC } else { TimeZone::system() };
        let range = self.range.resolve(source, zone)?;
        Ok(range.map_or((i64::MIN, i64::MAX), |range| (range.start, range.end)))
    }

    fn ask<C: Client>(
        &self,
        source: &Source,
        reads: &[Reads],
        client: C,
        see: &mut dyn FnMut(&mut C),
    ) -> Result<Vec<Gap>> {
        let (_, end) = self.range(source)?;
        let history = History {
            source,
            reads,
            threads: self.threads.count(),
            strict: self.damage.strict,
            cancellation: Cancellation::default(),
        };
        Ok(history.at(&[end], client, &mut |_, client| see(client))?)
    }

    fn print(&self, source: &Source, objects: &[Object], gaps: &[Gap]) -> Result<Outcome> {
        let mut printer = Printer::new(source, self.output, self.utc, &self.inputs.paths())?;
        printer.print(objects, None)?;
        printer.out.flush()?;
        outcome::with_gaps(Outcome::Done, gaps, source)
    }
}
