//! `tracer story`: the chain of causes of something, and the spread of its effects.

use std::collections::{HashMap, HashSet};
use std::io::{self, BufWriter, Write};
use std::sync::Arc;

use anyhow::{Context, Result, bail};
use clap::{Args, ValueEnum};
use pipeline::{Gap, History, Matcher, Source};
use replay::render::clock::Hand;
use replay::render::columns::cut;
use replay::render::json_text;
use scopes::{Plan, Thing as Named};
use views::known::Who;
use views::story::show::Telling;
use views::story::{self, Chain, Flows, Limits, Moment, Root, Stretch, Thing, Way, numbers};
use views::tree::Forest;

use crate::asking::AskOptions;
use crate::caveats;
use crate::filters::FilterOptions;
use crate::outcome::{self, Outcome};
use crate::output;
use crate::sought;
use crate::stderr;
use crate::terminal;

#[derive(Args, Debug)]
pub struct Options {
    #[command(flatten)]
    ask: AskOptions,
    /// What it is about: #1204, the event of this number; path=/etc/cron.d/x; pid=510 or pid=510@START; peer=10.0.0.9:443
    /// (path and peer with * for any characters)
    #[arg(long, value_name = "WHAT")]
    of: String,
    /// What led to it [default: both]
    #[arg(long)]
    back: bool,
    /// What came of it
    #[arg(long)]
    forward: bool,
    /// Nothing that happened after this time, as replay's --to takes it
    #[arg(long, value_name = "TIME", allow_hyphen_values = true)]
    until: Option<String>,
    /// Follow hubs and libraries, too
    #[arg(long)]
    through: bool,
    /// A thing with more neighbours than this is a hub, and they are counted only
    #[arg(long, value_name = "N", default_value_t = 24)]
    hub: usize,
    /// How to print it
    #[arg(long, short, value_name = "FORMAT", default_value = "text")]
    output: Format,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug, ValueEnum)]
enum Format {
    /// A tree for people
    Text,
    /// One JSON object a thing, with what leads on from it
    Json,
    /// A graph for Graphviz
    Dot,
    /// A graph for Markdown
    Mermaid,
}

/// Where a story begins, each way.
pub struct Begin {
    pub back: Vec<Root>,
    pub forward: Vec<Root>,
    /// Wall clock of the event, where it is one.
    pub at: Option<i64>,
}

pub fn run(options: &Options) -> Result<Outcome> {
    let source = options.ask.source()?;
    caveats::tell(&source, None, &FilterOptions::default());
    let progress = options.ask.progress()?;
    let forest = Forest::of(&source, options.ask.threads.count())?;
    let flows = Flows::new(&source, story::lives(&forest));
    let reads = flows.reads();
    let history = options.ask.history(&source, &reads);
    // Events are numbered among all that there are, whatever the recording's scopes are.
    let everything = Plan::everything();
    let matchers = || -> Vec<Matcher<'_>> {
        source.files().iter().map(|file| Matcher::of_capture(&everything, &file.capture)).collect()
    };
    let begin = begin("--of", &options.of, &source, &history, &flows, &forest, matchers())?;
    let until = match &options.until {
        Some(text) => options.ask.moment(text, &source).context("--until")?,
        None => i64::MAX,
    };
    let limits = Limits { through: options.through, hub: options.hub };
    let both = options.back == options.forward;
    let mut stories = Vec::new();
    let mut gaps: Vec<Gap> = Vec::new();
    for (way, roots, is_asked) in [
        (Way::Back, begin.back, options.back || both),
        (Way::Forward, begin.forward, options.forward || both),
    ] {
        if !is_asked {
            continue;
        }
        let stretch = match way {
            Way::Back => Stretch { from_ns: i64::MIN, to_ns: until.min(begin.at.unwrap_or(i64::MAX)) },
            Way::Forward => Stretch { from_ns: begin.at.unwrap_or(i64::MIN), to_ns: until },
        };
        let (mut chain, more) = story::tell(&history, &flows, way, roots, limits, stretch)?;
        more.into_iter().for_each(|gap| {
            if !gaps.contains(&gap) {
                gaps.push(gap)
            }
        });
        let order = chain.fold();
        if chain.left_out > 0 {
            stderr::warn(format_args!(
                "{} events lead to more things than a story holds: they are left out",
                chain.left_out
            ));
        }
        stories.push((way, chain, order));
    }
    if stories.iter().all(|(_, chain, _)| chain.nodes.is_empty()) {
        bail!("nothing in the capture is {}: see `tracer story --help` for what it can be about", options.of);
    }
    let wanted: HashSet<Moment> =
        stories.iter().flat_map(|(_, chain, order)| moments(chain, order)).collect();
    let numbers = numbers::of(&source, matchers(), options.ask.threads.count(), &wanted)?;
    drop(progress);
    let mut out = BufWriter::new(output::stdout(&options.ask.inputs.paths())?);
    let clock = options.ask.clock();
    let days = source.start_wall_ns().zip(source.end_wall_ns());
    let dates = days.is_some_and(|(from, to)| clock.parts_days(from, to));
    for (at, (way, chain, order)) in stories.iter().enumerate() {
        let telling =
            Telling { chain, way: *way, forest: &forest, numbers: &numbers, hosts: source.has_hosts() };
        match options.output {
            Format::Text => {
                if both {
                    let title = if *way == Way::Back { "What led to it" } else { "What came of it" };
                    writeln!(out, "{}{title}:", if at > 0 { "\n" } else { "" })?;
                }
                let mut text = Vec::new();
                telling.tree(order, &mut Hand::new(&clock, dates), &mut text);
                for line in text.split_inclusive(|byte| *byte == b'\n') {
                    let mut line = line.strip_suffix(b"\n").unwrap_or(line).to_vec();
                    cut(&mut line, terminal::width());
                    line.push(b'\n');
                    out.write_all(&line)?;
                }
            }
            Format::Json => json(&telling, order, &mut out)?,
            Format::Dot => out.write_all(telling.dot(order).as_bytes())?,
            Format::Mermaid => out.write_all(telling.mermaid(order).as_bytes())?,
        }
    }
    out.flush()?;
    outcome::with_gaps(Outcome::Done, &gaps, &source)
}

/// The times of all events that a story names.
fn moments<'c>(chain: &'c Chain, order: &'c [usize]) -> impl Iterator<Item = Moment> + 'c {
    let nodes = order.iter().filter_map(|at| chain.nodes.get(*at));
    let edges = nodes.flat_map(|node| &node.edges).filter_map(|edge| chain.edges.get(*edge));
    edges.flat_map(|edge| [edge.first, edge.last])
}

/// Where the story of `path=/etc/x` begins; `flag` names the option that it was given with.
pub fn begin(
    flag: &str,
    of: &str,
    source: &Source,
    history: &History<'_>,
    flows: &Flows<'_>,
    forest: &Forest,
    matchers: Vec<Matcher<'_>>,
) -> Result<Begin> {
    if let Some(number) = of.strip_prefix('#') {
        let number: u64 = number.parse().with_context(|| format!("{flag} {of} is no event, such as #7"))?;
        let Some(event) = numbers::event(source, matchers, number)? else {
            bail!("{flag} {of}: there is no event {number}")
        };
        let (back, forward) = story::roots_at(history, flows, &event)?;
        return Ok(Begin { back, forward, at: Some(event.moment.wall_ns) });
    }
    let roots = match of.split_once('=') {
        Some(("path" | "file", path)) => {
            vec![Root::Files(Arc::new(
                sought::of(flag, Named::File, path, source).with_context(|| format!("{flag} {of}"))?,
            ))]
        }
        Some(("peer", peer)) => vec![Root::Peers(Arc::new(
            sought::of(flag, Named::Peer, peer, source).with_context(|| format!("{flag} {of}"))?,
        ))],
        Some(("pid", pid)) => processes(flag, pid, forest)?,
        _ => bail!(
            "{flag} {of}: a story is about #1204, path=/etc/cron.d/x, pid=510, pid=510@START or peer=10.0.0.9:443"
        ),
    };
    Ok(Begin { back: roots.clone(), forward: roots, at: None })
}

/// The processes of `510` or `510@START`.
fn processes(flag: &str, text: &str, forest: &Forest) -> Result<Vec<Root>> {
    let wrong = || format!("{flag} pid={text} is no process, such as pid=510 or pid=510@START");
    let (pid, start) = match text.split_once('@') {
        Some((pid, start)) => (pid, Some(start.parse::<u64>().with_context(wrong)?)),
        None => (text, None),
    };
    let pid: u32 = pid.parse().with_context(wrong)?;
    let is_it = |it: &&views::tree::Process| {
        it.pid == pid
            && start.is_none_or(|start| Who::new(it.boot, pid, start) == Who::new(it.boot, pid, it.start_ns))
    };
    let all = forest.processes.iter().filter(is_it);
    let roots: Vec<Root> =
        all.map(|it| Root::Thing(Thing::Process(Who::new(it.boot, it.pid, it.start_ns)))).collect();
    if roots.is_empty() {
        bail!("{flag} pid={text}: no process of the capture is that");
    }
    Ok(roots)
}

fn json(telling: &Telling<'_>, order: &[usize], out: &mut impl Write) -> io::Result<()> {
    let names: HashMap<usize, usize> = order.iter().enumerate().map(|(name, at)| (*at, name)).collect();
    for at in order {
        let Some(node) = telling.chain.nodes.get(*at) else { continue };
        let (kind, process) = match &node.thing {
            Thing::Process(who) => ("process", telling.forest.find(who)),
            Thing::File(..) => ("file", None),
            Thing::Channel(..) => ("channel", None),
            Thing::Connection(_) => ("connection", None),
        };
        let way = if telling.way == Way::Back { "back" } else { "forward" };
        let mut line = format!(
            "{{\"story\":\"{way}\",\"id\":{},\"kind\":\"{kind}\",\"root\":{},\"name\":",
            names.get(at).copied().unwrap_or_default(),
            node.is_root
        )
        .into_bytes();
        match process {
            Some(process) => {
                json_text::quoted(&process.comm, &mut line);
                let entity = process.entity();
                line.extend_from_slice(
                    format!(
                        ",\"pid\":{},\"processEntityId\":\"{}@{}\",\"argv\":[",
                        entity.pid, entity.pid, entity.start_ns
                    )
                    .as_bytes(),
                );
                for (at, word) in process.argv.iter().enumerate() {
                    if at > 0 {
                        line.push(b',');
                    }
                    json_text::quoted(word, &mut line);
                }
                line.push(b']');
            }
            None => json_text::quoted(node.thing.name(), &mut line),
        }
        let folded = node.folded;
        line.extend_from_slice(
            format!(
                ",\"folded\":{{\"unwritten\":{},\"libraries\":{},\"hub\":{}}},\"edges\":[",
                folded.unwritten, folded.libraries, folded.through
            )
            .as_bytes(),
        );
        let mut is_first = true;
        for edge in &node.edges {
            let Some(edge) = telling.chain.edges.get(*edge) else { continue };
            let Some(to) = names.get(&edge.far) else { continue };
            if !is_first {
                line.push(b',');
            }
            is_first = false;
            let number = |moment: &Moment| {
                telling.numbers.get(moment).map_or("null".to_owned(), |it| it.number.to_string())
            };
            line.extend_from_slice(
                format!(
                    "{{\"how\":\"{}\",\"to\":{to},\"first\":{},\"last\":{},\"firstTime\":{},\"lastTime\":{},\"events\":{},\"bytes\":{}}}",
                    telling.verb(edge),
                    number(&edge.first),
                    number(&edge.last),
                    edge.first.wall_ns,
                    edge.last.wall_ns,
                    edge.count,
                    edge.bytes
                )
                .as_bytes(),
            );
        }
        line.extend_from_slice(b"]}\n");
        out.write_all(&line)?;
    }
    Ok(())
}
