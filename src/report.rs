//! `tracer report`: captures as one page that is mailed and kept.

mod cases;

use std::io::{BufWriter, Write};
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};
use clap::Args;
use events::catalogue::network::{NET_PACKET_DNS_REQUEST, NET_PACKET_DNS_RESPONSE};
use format::SourceCapture;
use pipeline::{Matcher, Source};
use replay::{Asked, Info};
use rules::Rule;
use scopes::{Plan, ScopeSet};
use views::story::{self, Flows};
use views::tree::Forest;

use ::report::stories::Subject;
use ::report::{About, Asking, Gathered, MOST_EVENTS, OfCapture, Page, Written};

use crate::asking::{self, AskOptions};
use crate::caveats;
use crate::filters::{Diagnostics, FilterOptions};
use crate::outcome::{self, Outcome};
use crate::output;
use crate::range::TimeRange;
use crate::rule_files::RuleOptions;
use crate::stderr;
use crate::words;
use cases::Cased;

/// A page that is larger is slow in some browsers.
const LARGE_BYTES: u64 = 10_000_000;

#[derive(Args, Debug)]
pub struct Options {
    #[command(flatten)]
    ask: AskOptions,
    #[command(flatten)]
    scopes: FilterOptions,
    #[command(flatten)]
    range: TimeRange,
    #[command(flatten)]
    rules: RuleOptions,
    /// The page to write; - is standard output
    #[arg(long, short, value_name = "FILE")]
    output: PathBuf,
    /// Write over a file that is there
    #[arg(long)]
    force: bool,
    /// No more events than this in the page, the first ones; sums and findings are of all
    #[arg(long, value_name = "N", default_value_t = 1_000_000)]
    limit: u64,
    /// The page's title [default: the host and the day]
    #[arg(long, value_name = "TEXT")]
    title: Option<String>,
    /// Tell the stories of so many of the severest findings
    #[arg(long, value_name = "N", default_value_t = 3)]
    stories: usize,
    /// Tell the story of this, as `tracer story --of` does: #1204, path=/etc/cron.d/x, pid=510, peer=10.0.0.9:443 (repeatable)
    #[arg(long, value_name = "WHAT")]
    story: Vec<String>,
    /// A case, CASE.toml: its notes stand in the page, and its settings hold where nothing else is said
    #[arg(long, value_name = "FILE")]
    case: Option<PathBuf>,
    /// With --case: show what the case keeps under this name, in place of its settings' filters; -f narrows it
    #[arg(long, value_name = "NAME", requires = "case")]
    query: Option<String>,
}

pub fn run(mut options: Options) -> Result<Outcome> {
    if options.limit > MOST_EVENTS {
        bail!(
            "--limit {}: no browser shows more than {MOST_EVENTS} events in comfort; narrow it with -f, --from and --to",
            options.limit
        );
    }
    let case = options.case.as_deref().map(cases::read).transpose()?;
    if let Some(case) = &case {
        cases::settle(case, &mut options)?;
    }
    let source = options.ask.source()?;
    let provenance = options.ask.inputs.provenance()?;
    let cased = case.map(|case| Cased::of(case, &provenance)).unwrap_or_default();
    let asked = asking::compiled(&options.scopes, &source, false)?;
    let caveats = caveats::sentences(&source, asked.plan(), &options.scopes);
    caveats.iter().for_each(stderr::warn);
    let corpus = if options.rules.is_off() { None } else { Some(options.rules.read()?) };
    let rules: &[Rule] = corpus.as_ref().map_or(&[], |corpus| &corpus.rules);
    let names = names(&options, &source)?;
    let progress = options.ask.progress()?;
    let clock = options.ask.clock();
    let asking = Asking {
        source: &source,
        matchers: asked.matchers(&source),
        names: names.as_ref().map(|names| names.matchers(&source)),
        is_narrowed: !options.scopes.is_empty(),
        range: options.ask.range(&options.range, &source)?,
        limit: options.limit,
        rules,
        stories: options.stories,
        subjects: subjects(&options, &source)?,
        noted: cased.notes.iter().filter_map(|note| note.place).collect(),
        clock: &clock,
        threads: options.ask.threads.count(),
        strict: options.ask.damage.strict,
    };
    let gathered = Gathered::of(&asking)?;
    let captures = captures(&source, provenance);
    let about = about(&options, &source, &captures, caveats);
    let page = Page {
        about: &about,
        captures: &captures,
        source: &source,
        rules,
        gathered: &gathered,
        is_narrowed: asking.is_narrowed,
        notes: &cased.notes,
        clock: &clock,
        day: Page::day_of(&source, &clock),
    };
    let written = write(&options, &page)?;
    drop(progress);
    tell(&options, &gathered, &written);
    outcome::with_gaps(Outcome::Done, &gathered.gaps, &source)
}

/// What asks for the messages of DNS of the processes that the page is about, where its own filters do not.
fn names(options: &Options, source: &Source) -> Result<Option<Asked>> {
    let messages = [NET_PACKET_DNS_REQUEST, NET_PACKET_DNS_RESPONSE];
    let set = if options.scopes.is_empty() {
        Some(
            ScopeSet::parse(&["event=net_packet_dns_request,net_packet_dns_response"])
                .map_err(Diagnostics)?,
        )
    } else {
        asking::set(&options.scopes, source, true)?.naming(&messages)
    };
    let Some(set) = set else { return Ok(None) };
    Ok(Some(Asked::given(set, source).map_err(Diagnostics)?))
}

fn write(options: &Options, page: &Page<'_>) -> Result<Written> {
    let inputs: Vec<&Path> = [options.ask.inputs.paths(), options.scopes.paths()].concat();
    let inputs: Vec<&Path> = inputs.into_iter().chain(options.case.as_deref()).collect();
    if options.output == Path::new(output::STDOUT) {
        let mut out = BufWriter::with_capacity(1 << 16, output::stdout(&inputs)?);
        let written = page.write(&mut out)?;
        out.flush()?;
        return Ok(written);
    }
    let name = || format!("writing {}", options.output.display());
    let mut out = BufWriter::with_capacity(1 << 18, output::create(&options.output, options.force, &inputs)?);
    let written = page.write(&mut out).with_context(name)?;
    let file = out.into_inner().map_err(std::io::IntoInnerError::into_error).with_context(name)?;
    file.finish().with_context(name)?;
    Ok(written)
}

/// Says what the page amounts to, and what is not in it.
fn tell(options: &Options, gathered: &Gathered, written: &Written) {
    let total = gathered.events_asked();
    let Written { bytes, events, left_out } = written;
    stderr::say(format_args!("{}: {events} events, {bytes} bytes", options.output.display()));
    if *events < total {
        stderr::warn(format_args!(
            "{} events behind the first {events} are not in the page: --limit {total} has them all, -f and --from leave some out",
            total - events
        ));
    }
    if !left_out.is_empty() {
        let (names, more) = (left_out.iter().take(5), left_out.len().saturating_sub(5));
        let more = if more > 0 { format!(" and {more} others") } else { String::new() };
        stderr::warn(format_args!(
            "arguments are left out of the page, which would be too large: {}{more}",
            names.cloned().collect::<Vec<_>>().join(", ")
        ));
    }
    gathered.left_out.iter().for_each(|what| stderr::warn(format_args!("left out: {what}")));
    if *bytes > LARGE_BYTES {
        stderr::warn(format_args!(
            "some browsers are slow with a page of {bytes} bytes: --limit makes it smaller"
        ));
    }
}

/// What `--story` asks for.
fn subjects(options: &Options, source: &Source) -> Result<Vec<Subject>> {
    if options.story.is_empty() {
        return Ok(Vec::new());
    }
    let forest = Forest::of(source, options.ask.threads.count())?;
    let flows = Flows::new(source, story::lives(&forest));
    let reads = flows.reads();
    let history = options.ask.history(source, &reads);
    let everything = Plan::everything();
    let files = || source.files().iter();
    let subject = |of: &String| {
        let matchers = files().map(|file| Matcher::of_capture(&everything, &file.capture)).collect();
        let begin = crate::story::begin("--story", of, source, &history, &flows, &forest, matchers)?;
        Ok(Subject { title: of.clone(), back: begin.back, forward: begin.forward, at: begin.at })
    };
    options.story.iter().map(subject).collect()
}

fn captures(source: &Source, provenance: Vec<SourceCapture>) -> Vec<OfCapture> {
    let files = source.files().iter().zip(provenance);
    files
        .map(|(file, provenance)| OfCapture { info: Info::of(file.name.clone(), &file.capture), provenance })
        .collect()
}

fn about(options: &Options, source: &Source, captures: &[OfCapture], caveats: Vec<String>) -> About {
    let zone = options.ask.zone();
    let start = source.start_wall_ns().unwrap_or_default();
    let title = options.title.clone().unwrap_or_else(|| {
        let mut hosts: Vec<&str> = captures.iter().map(|capture| capture.info.host.as_str()).collect();
        hosts.dedup();
        let day = jiff::Timestamp::from_nanosecond(start.into())
            .map_or_else(|_| String::new(), |time| zone.to_datetime(time).date().to_string());
        format!("{} on {day}", hosts.join(", "))
    });
    About {
        title,
        command: command(options, captures),
        filters: filters(&options.scopes),
        caveats,
        zone: Page::zone_name(&zone, start),
    }
}

fn filters(scopes: &FilterOptions) -> Vec<String> {
    let policies = scopes.policies.iter().map(|path| format!("-p {}", file_name(path)));
    scopes.filters.iter().cloned().chain(policies).collect()
}

/// The command line, without where files lie: that is nobody's business, and the page is the same wherever it is made.
fn command(options: &Options, captures: &[OfCapture]) -> String {
    let mut words: Vec<String> = vec!["tracer".into(), "report".into()];
    words.extend(captures.iter().take(8).map(|capture| capture.provenance.name.clone()));
    if captures.len() > 8 {
        words.push(format!("and {} more", captures.len() - 8));
    }
    let mut add = |option: &str, value: &str| words.extend([option.to_owned(), value.to_owned()]);
    options.scopes.filters.iter().for_each(|filter| add("-f", filter));
    options.scopes.policies.iter().for_each(|path| add("-p", &file_name(path)));
    options.rules.rules.iter().for_each(|path| add("--rules", &file_name(path)));
    options.rules.only.iter().for_each(|only| add("--only", only));
    for (option, value) in [("--from", &options.range.from), ("--to", &options.range.to)] {
        value.iter().for_each(|value| add(option, value));
    }
    options.story.iter().for_each(|story| add("--story", story));
    options.case.iter().for_each(|path| add("--case", &file_name(path)));
    if options.rules.no_builtin {
        words.push("--no-builtin".into());
    }
    if options.ask.utc {
        words.push("--utc".into());
    }
    words::join(&words)
}

fn file_name(path: &Path) -> String {
    path.file_name().map_or_else(|| path.display().to_string(), |name| name.to_string_lossy().into_owned())
}
