//! `tracer export`: what matches, in the format of another program.

use std::io::{BufWriter, Write};
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};
use clap::Args;
use interchange::export::About;
use interchange::export::perfetto::Tracks;
use interchange::export::scap::Surveyed;
use interchange::{Exporter, Format};
use pipeline::{Question, Source};
use scopes::nearest;

use crate::asking::{self, AskOptions};
use crate::cataloged::CatalogOptions;
use crate::export_table::{self, Done, Place};
use crate::filters::FilterOptions;
use crate::outcome::{self, Outcome};
use crate::output;
use crate::progress::Progress;
use crate::range::TimeRange;
use crate::stderr;

#[derive(Args, Debug)]
pub struct Options {
    #[command(flatten)]
    ask: AskOptions,
    #[command(flatten)]
    catalog: CatalogOptions,
    #[command(flatten)]
    scopes: FilterOptions,
    /// From this time on: 2026-07-01T12:00:00Z, 12:00:00 of the first event's day, +10s after the first event, -10m before
    /// the last one, or #7, the time of event 7
    #[arg(long, value_name = "TIME", allow_hyphen_values = true)]
    from: Option<String>,
    /// The format (strace, csv, pcapng, timesketch, ecs, otlp-json, ocsf, sysmon, scap, perfetto, parquet, arrow), and, given once more with a time, up to when
    #[arg(long, value_name = "FORMAT|TIME", required = true, allow_hyphen_values = true)]
    to: Vec<String>,
    /// The file to write, or - for stdout
    #[arg(long, short, value_name = "PATH", default_value = output::STDOUT)]
    output: PathBuf,
    /// Write over a file that is there
    #[arg(long)]
    force: bool,
    /// With `--to parquet` and a folder: only captures that the folder does not have yet, and that are closed
    #[arg(long)]
    since_last: bool,
    /// No warnings on stderr
    #[arg(long, short)]
    quiet: bool,
}

pub fn run(options: Options) -> Result<Outcome> {
    let (format, until) = target(&options.to)?;
    if options.since_last {
        return since_last(&options, format, until);
    }
    let scopes = narrowed(&options.scopes, format);
    let range = TimeRange { from: options.from.clone(), to: until };
    let source = match says_only_rows(format) {
        true => options.ask.source_for(&options.catalog, &scopes, &range)?,
        false => options.ask.source()?,
    };
    let asked = asking::asked(&scopes, &source, options.quiet)?;
    let range = options.ask.range(&range, &source)?;
    let question = Question { range, ..options.ask.question(&source, asked.matchers(&source)) };
    let files = options.ask.inputs.files()?;
    let progress = match options.output == Path::new(output::STDOUT) {
        true => Progress::unless_printing(files),
        false => Progress::of(files),
    };
    let exporter = match format {
        Format::Scap => Exporter::new(format, about(&source)).with_survey(surveyed(&question, &source)?),
        Format::Perfetto => Exporter::new(format, about(&source)).with_tracks(tracks(&question)?),
        _ => Exporter::new(format, about(&source)),
    };
    let inputs: Vec<&Path> = [options.ask.inputs.paths(), options.scopes.paths()].concat();
    if format == Format::Parquet {
        let place = Place::of(&options.output);
        let sources = options.ask.inputs.provenance()?;
        let facts = export_table::facts(&sources, &labels(&source));
        let stats = export_table::write(&place, "", options.force, &inputs, facts, |deliver| {
            Ok(question.print(&[&exporter], &mut |_, rows| deliver(rows))?)
        })?;
        return outcome::with_gaps(Outcome::Done, &stats.gaps, &source);
    }
    if format == Format::Arrow {
        let place = Place::of(&options.output);
        let facts = export_table::facts(&options.ask.inputs.provenance()?, &labels(&source));
        let stats = export_table::stream(&place, options.force, &inputs, &facts, |deliver| {
            Ok(question.print(&[&exporter], &mut |_, rows| deliver(rows))?)
        })?;
        return outcome::with_gaps(Outcome::Done, &stats.gaps, &source);
    }
    let name = options.output.display();
    let stats = if options.output == Path::new(output::STDOUT) {
        let mut out = BufWriter::with_capacity(1 << 16, output::stdout(&inputs)?);
        let stats = write(&exporter, &question, &mut out)?;
        out.flush()?;
        stats
    } else {
        let file = output::create(&options.output, options.force, &inputs)?;
        let mut out = BufWriter::with_capacity(1 << 18, file);
        let stats = write(&exporter, &question, &mut out).with_context(|| format!("writing {name}"))?;
        out.into_inner()
            .map_err(std::io::IntoInnerError::into_error)
            .and_then(output::OutputFile::finish)
            .with_context(|| format!("writing {name}"))?;
        stats
    };
    drop(progress);
    let left_out = exporter.left_out();
    if !options.quiet && !left_out.is_empty() {
        tell(format, &left_out, stats.matched);
    }
    if !options.quiet && exporter.cut() > 0 {
        stderr::warn(format_args!(
            "{} command lines or environments cut, which {} cannot hold whole",
            exporter.cut(),
            format.name()
        ));
    }
    outcome::with_gaps(Outcome::Done, &stats.gaps, &source)
}

/// Whether a file of the format says nothing but rows, and what all recordings say of themselves alike. Others have tables of
/// processes and descriptors, kernels of hosts, or the heads of all captures, and are made of all of them.
fn says_only_rows(format: Format) -> bool {
    !matches!(format, Format::Scap | Format::Perfetto | Format::Pcapng | Format::Parquet | Format::Arrow)
}

/// Each closed capture that the folder does not have yet, once: whatever is killed when, no row is missing or there twice.
fn since_last(options: &Options, format: Format, until: Option<String>) -> Result<Outcome> {
    let Place::Folder(root) = Place::of(&options.output) else {
        bail!("--since-last writes into a folder: give -o FOLDER/");
    };
    if format != Format::Parquet || options.from.is_some() || until.is_some() {
        bail!("--since-last goes with --to parquet, and takes whole captures: without --from and --to TIME");
    }
    let done = Done::of(&root, &options.scopes.filters);
    let inputs: Vec<&Path> = [options.ask.inputs.paths(), options.scopes.paths()].concat();
    let (mut new, mut open, mut outcome) = (0, 0, Outcome::Done);
    for file in options.ask.inputs.files()? {
        let source = options.ask.inputs.reading.source(std::slice::from_ref(file))?;
        if !source
            .files()
            .iter()
            .all(|file| matches!(file.capture.completeness(), format::Completeness::Finished))
        {
            open += 1;
            continue;
        }
        let provenance = options.ask.inputs.reading.provenance(file)?;
        let Some(head) = provenance.head.as_ref().map(|head| export_table::hex(head)) else {
            // That it does not verify has been said.
            outcome = Outcome::Partial;
            continue;
        };
        if done.has(&head)? {
            continue;
        }
        let asked = asking::asked(&options.scopes, &source, options.quiet)?;
        let question = options.ask.question(&source, asked.matchers(&source));
        let exporter = Exporter::new(format, about(&source));
        let place = Place::Folder(root.clone());
        let part = format!("{}-", head.get(..16).unwrap_or(&head));
        let facts = export_table::facts(&[provenance], &labels(&source));
        export_table::write(&place, &part, true, &inputs, facts, |deliver| {
            Ok(question.print(&[&exporter], &mut |_, rows| deliver(rows))?)
        })?;
        done.add(&head)?;
        new += 1;
    }
    if !options.quiet {
        let left = if open > 0 { format!("; {open} are not closed yet") } else { String::new() };
        stderr::note(format_args!("{new} captures exported{left}"));
    }
    Ok(outcome)
}

fn write(exporter: &Exporter, question: &Question<'_>, out: &mut impl Write) -> Result<pipeline::Stats> {
    out.write_all(&exporter.begin())?;
    let stats = question.print(&[exporter], &mut |_, bytes| out.write_all(bytes))?;
    out.write_all(&exporter.end())?;
    Ok(stats)
}

/// The values of `--to`: one is a format, and one more may be a time. No format looks like a time.
fn target(given: &[String]) -> Result<(Format, Option<String>)> {
    let (formats, times): (Vec<_>, Vec<_>) =
        given.iter().partition(|text| text.starts_with(|c: char| c.is_ascii_alphabetic()));
    let known = || Format::ALL.iter().map(|format| format.name());
    let [name] = formats.as_slice() else {
        let all: Vec<_> = known().collect();
        bail!("--to names one format: {}", all.join(", "));
    };
    let Some(format) = Format::by_name(name) else {
        let all: Vec<_> = known().collect();
        let meant =
            nearest(name, known()).map(|meant| format!("; did you mean {meant}?")).unwrap_or_default();
        bail!("no format {name:?} in --to{meant} (there are {})", all.join(", "));
    };
    match times.as_slice() {
        [] => Ok((format, None)),
        [time] => Ok((format, Some((*time).clone()))),
        [_, second, ..] => bail!("--to {second}: a time is given already"),
    }
}

/// The user's scopes, of the format's events where they name none and it cannot hold others.
fn narrowed(given: &FilterOptions, format: Format) -> FilterOptions {
    let mut scopes = FilterOptions { filters: given.filters.clone(), policies: given.policies.clone() };
    let Some(events) = format.events() else { return scopes };
    let number = |filter: &str| -> String {
        let number = filter.split_once(':').map(|(number, _)| number);
        number.filter(|it| it.parse::<u8>().is_ok()).unwrap_or("1").to_owned()
    };
    let mut numbers: Vec<String> = given.filters.iter().map(|filter| number(filter)).collect();
    if given.is_empty() {
        numbers.push("1".to_owned());
    }
    numbers.sort_unstable();
    numbers.dedup();
    let names_event = |number_: &str| {
        let of = |filter: &&String| number(filter) == number_;
        given
            .filters
            .iter()
            .filter(of)
            .any(|filter| filter.contains("event") || filter.contains("net_packet"))
    };
    for number in numbers.iter().filter(|number| !names_event(number)) {
        scopes.filters.push(format!("{number}:event={events}"));
    }
    scopes
}

/// What the tables of a `.scap` file are to say.
fn surveyed(question: &Question<'_>, source: &Source) -> Result<Surveyed> {
    let surveyed = Surveyed::of(question, source)?;
    one_host("scap", &surveyed.hosts)?;
    Ok(surveyed)
}

fn tracks(question: &Question<'_>) -> Result<Tracks> {
    let tracks = Tracks::of(question)?;
    one_host("perfetto", &tracks.hosts)?;
    Ok(tracks)
}

/// Formats that know processes by number alone can be of one host only.
fn one_host(format: &str, hosts: &[String]) -> Result<()> {
    if let [first, _, ..] = hosts {
        let all = hosts.join(", ");
        bail!("{format} is of one host, and these events are of {all}: choose one, as by -f host={first}");
    }
    Ok(())
}

/// What all of these recordings say of themselves.
fn labels(source: &Source) -> Vec<(String, String)> {
    let recordings = || source.files().iter().map(|file| &file.capture.header().recording);
    let mut labels: Vec<(&str, &str)> =
        recordings().next().map(|first| first.labels().collect()).unwrap_or_default();
    labels.retain(|label| {
        let is_it = |(name, text): &(String, String)| (name.as_str(), text.as_str()) == *label;
        recordings().all(|other| other.labels().any(|it| it == *label))
            && source.unopened().iter().all(|outline| outline.labels.iter().any(is_it))
    });
    labels.into_iter().map(|(name, text)| (name.to_owned(), text.to_owned())).collect()
}

fn about(source: &Source) -> About {
    let mut hosts: Vec<&str> = Vec::new();
    let (mut kernel, mut machine) = (String::new(), String::new());
    for file in source.files() {
        let host = &file.capture.header().host;
        if kernel.is_empty() {
            kernel = format!("Linux {}", host.kernel_release);
            machine.clone_from(&host.arch);
        }
        for host in &file.hosts {
            if !hosts.contains(&host.name.as_str()) {
                hosts.push(&host.name);
            }
        }
    }
    let program = concat!("tracer ", env!("CARGO_PKG_VERSION")).to_owned();
    About { program, host: hosts.join(","), kernel, machine, labels: labels(source) }
}

/// Names that are told of what was left out; the rest is a number.
const NAMED: usize = 5;

fn tell(format: Format, left_out: &[(String, u64)], matched: u64) {
    let total: u64 = left_out.iter().map(|(_, count)| count).sum();
    let mut most: Vec<_> = left_out.iter().collect();
    most.sort_by(|a, b| b.1.cmp(&a.1).then_with(|| a.0.cmp(&b.0)));
    let names: Vec<String> =
        most.iter().take(NAMED).map(|(name, count)| format!("{count} of {name}")).collect();
    let others = match most.len().saturating_sub(NAMED) {
        0 => String::new(),
        others => format!(" and {others} other kinds"),
    };
    stderr::warn(format_args!(
        "{total} of {matched} events left out, which {} cannot hold: {}{others}",
        format.name(),
        names.join(", ")
    ));
}

#[cfg(test)]
mod tests {
    use super::*;

    fn to(given: &[&str]) -> Result<(Format, Option<String>), String> {
        target(&given.iter().map(|it| (*it).to_owned()).collect::<Vec<_>>())
            .map_err(|error| error.to_string())
    }

    #[test]
    fn a_format_and_a_time_are_told_apart() {
        assert_eq!(to(&["csv"]), Ok((Format::Csv, None)));
        assert_eq!(to(&["+10s", "strace"]), Ok((Format::Strace, Some("+10s".to_owned()))));
        assert_eq!(to(&["ecs", "14:03"]), Ok((Format::Ecs, Some("14:03".to_owned()))));
        assert!(to(&["14:03"]).is_err_and(|error| error.contains("names one format")));
        assert!(to(&["csvv"]).is_err_and(|error| error.contains("did you mean csv?")));
        assert!(to(&["csv", "14:03", "14:04"]).is_err_and(|error| error.contains("given already")));
    }

    #[test]
    fn packets_are_asked_for_where_no_event_is_named() {
        let narrowed = |filters: &[&str]| {
            let filters = filters.iter().map(|it| (*it).to_owned()).collect();
            narrowed(&FilterOptions { filters, policies: Vec::new() }, Format::Pcapng).filters
        };
        assert_eq!(narrowed(&[]), ["1:event=net_packet,net_packet_dns_response"]);
        assert_eq!(narrowed(&["9:comm=curl"])[1], "9:event=net_packet,net_packet_dns_response");
        assert_eq!(narrowed(&["net_packet.length>100"]).len(), 1);
    }
}
