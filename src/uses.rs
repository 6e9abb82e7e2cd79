//! `tracer file`, `user` and `conn`: one thing, and all that was done with it.

use std::collections::BTreeSet;
use std::io::Write;
use std::sync::Arc;

use anyhow::{Result, bail};
use clap::Args;
use pipeline::stage::{Client, Reads};
use pipeline::{Gap, Source};
use scopes::Thing;
use views::Known;
use views::connections::Connections;
use views::state::Object;
use views::story::{self, Flows};
use views::tree::Forest;
use views::uses::{Focus, Uses};

use crate::asking::AskOptions;
use crate::caveats;
use crate::filters::FilterOptions;
use crate::objects::{Format, Printer};
use crate::outcome::{self, Outcome};
use crate::range::TimeRange;
use crate::sought;
use crate::stderr;

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
#[command(override_usage = "tracer conn [OPTIONS] <FILE>... [PEER]")]
pub struct ConnOptions {
    #[command(flatten)]
    asked: Question,
    /// Only those to this address, ADDRESS:PORT, ADDRESS/BITS, :PORT, or name that DNS gave, with * for any characters; it may
    /// also stand behind the captures
    #[arg(long, value_name = "PEER")]
    peer: Option<String>,
}

#[derive(Args, Debug)]
struct Question {
    #[command(flatten)]
    ask: AskOptions,
    #[command(flatten)]
    range: TimeRange,
    /// How to print it
    #[arg(long, short, value_name = "FORMAT", default_value = "table")]
    output: Format,
}

pub fn file(options: &FileOptions) -> Result<Outcome> {
    let focus = |source: &Source, _: &Known| {
        Ok(Focus::Files(Arc::new(sought::of("PATH", Thing::File, &options.path, source)?)))
    };
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
    let source = asked.ask.source()?;
    let known = Known::of(&source, false)?;
    let focus = focus(&source, &known)?;
    caveats::tell(&source, None, &FilterOptions::default());
    let progress = asked.ask.progress()?;
    let forest = Forest::of(&source, asked.ask.threads.count())?;
    let flows = Flows::new(&source, story::lives(&forest));
    let uses = Uses::new(focus, &flows, asked.range(&source)?);
    let mut objects = Vec::new();
    let gaps = asked.ask(&source, &flows.reads(), uses, &mut |uses| {
        left_out(uses.left_out);
        objects = uses.objects(&forest, &known);
    })?;
    drop(progress);
    asked.print(&source, &objects, &gaps)
}

pub fn conn(mut options: ConnOptions) -> Result<Outcome> {
    let peer = options.peer.take().or_else(|| options.asked.ask.inputs.take_word());
    let asked = &options.asked;
    let source = asked.ask.source()?;
    caveats::tell(&source, None, &FilterOptions::default());
    let progress = asked.ask.progress()?;
    let forest = Forest::of(&source, asked.ask.threads.count())?;
    let names = source.names(asked.ask.threads.count())?;
    let peer = peer.map(|peer| sought::of("PEER", Thing::Peer, &peer, &source)).transpose()?;
    let connections = Connections::new(asked.range(&source)?);
    let reads = connections.reads();
    let mut objects = Vec::new();
    let gaps = asked.ask(&source, &reads, connections, &mut |connections| {
        left_out(connections.left_out);
        objects = connections.objects(peer.as_ref(), None, names, &forest);
    })?;
    drop(progress);
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
        let range = self.ask.range(&self.range, source)?;
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
        let history = self.ask.history(source, reads);
        Ok(history.at(&[end], client, &mut |_, client| see(client))?)
    }

    fn print(&self, source: &Source, objects: &[Object], gaps: &[Gap]) -> Result<Outcome> {
        let mut printer = Printer::new(source, self.output, self.ask.utc, &self.ask.inputs.paths())?;
        printer.print(objects, None)?;
        printer.out.flush()?;
        outcome::with_gaps(Outcome::Done, gaps, source)
    }
}
