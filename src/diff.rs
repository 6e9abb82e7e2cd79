//! `tracer diff`: what two sets of scopes see differently in the same capture.

use std::io::{self, BufWriter, Write};
use std::path::PathBuf;

use anyhow::{Context, Result, bail};
use clap::{Args, Parser};
use pipeline::Source;
use replay::diff::Difference;
use replay::render::{Format, Printer, Style};
use replay::{Asked, Asker};
use scopes::{ScopeSet, spelled_out};

use crate::asking::AskOptions;
use crate::caveats;
use crate::filters::{Diagnostics, FilterOptions, answered};
use crate::outcome::{self, Outcome};
use crate::stderr;
use crate::words;

#[derive(Args, Debug)]
pub struct Options {
    #[command(flatten)]
    ask: AskOptions,
    /// The scopes as they were: "-f 9:comm=ls -p policies/", or a policy file or folder (repeatable)
    #[arg(long, value_name = "SCOPES", required = true, allow_hyphen_values = true)]
    before: Vec<String>,
    /// The scopes as they are to be
    #[arg(long, value_name = "SCOPES", required = true, allow_hyphen_values = true)]
    after: Vec<String>,
    /// Print no more rows than this; counts are always of all
    #[arg(long, value_name = "N")]
    limit: Option<u64>,
    /// Print the counts only
    #[arg(long)]
    count: bool,
}

/// One side's words, read as a command line of their own.
#[derive(Parser, Debug)]
#[command(no_binary_name = true, disable_help_flag = true)]
struct Side {
    #[command(flatten)]
    scopes: FilterOptions,
    /// Policy files and folders without a flag before them
    paths: Vec<PathBuf>,
}

pub fn run(options: Options) -> Result<Outcome> {
    // A side that is no command line is told before a file is read.
    let [before, after] =
        [("--before", &options.before), ("--after", &options.after)].map(|(flag, texts)| side(flag, texts));
    let sides = [before?, after?];
    let source = options.ask.source()?;
    let (before, after) = scopes(&sides, &source)?;
    for warning in before.warnings().iter().chain(after.warnings()) {
        stderr::say_lines(warning);
    }
    for (side, set) in sides.iter().zip([&before, &after]) {
        let asked = answered(Asked::given(set.clone(), &source).map_err(replay::Error::Filters))?;
        caveats::tell(&source, asked.plan(), side);
    }
    let mut asker = Asker::new(&source, options.ask.threads.count());
    asker.strict = options.ask.damage.strict;
    let progress = options.ask.progress()?;
    let differences = answered(replay::diff::count(&mut asker, &before, &after))?;
    drop(progress);
    let mut out = BufWriter::new(io::stdout().lock());
    for difference in &differences {
        tell(difference, &mut out)?;
    }
    let differs = differences.iter().any(Difference::differs);
    if differs && !options.count {
        let style =
            Style { clock: options.ask.clock(), containers: source.has_containers(), ..Style::default() };
        let printer = Printer { format: Format::Table, style };
        write!(out, "\n  SCOPE  ")?;
        out.write_all(&printer.header())?;
        let sides = (&before, &after);
        answered(replay::diff::rows(&mut asker, sides, options.limit, &printer, &mut out))?;
    }
    out.flush()?;
    outcome::with_gaps(if differs { Outcome::Found } else { Outcome::Done }, &asker.gaps, &source)
}

fn tell(difference: &Difference, out: &mut impl Write) -> io::Result<()> {
    let Difference { title, is_new, is_gone, gained, lost, same } = difference;
    let title = spelled_out(title);
    let note = match (is_new, is_gone) {
        (true, _) => "  (only after)",
        (_, true) => "  (only before)",
        _ => "",
    };
    writeln!(out, "scope {title}: +{gained} -{lost} ={same}{note}")
}

fn side(flag: &str, texts: &[String]) -> Result<FilterOptions> {
    let mut words = Vec::new();
    for text in texts {
        words.extend(words::split(text).with_context(|| format!("{flag} {text}"))?);
    }
    let side = Side::try_parse_from(&words).map_err(|error| {
        // What follows its first line is the usage of a command that nobody gave.
        let said = error.to_string();
        anyhow::anyhow!("{flag}: {}", said.lines().next().unwrap_or_default().trim_start_matches("error: "))
    })?;
    // A filter without its flag would be taken for a file that is not there.
    if let Some(path) = side.paths.iter().find(|path| !path.exists())
        && path.to_str().is_some_and(|text| text.contains(['=', '<', '>', '!']))
    {
        bail!("{flag}: {} is no policy file; a filter is written -f {}", path.display(), path.display());
    }
    let mut scopes = side.scopes;
    scopes.policies.extend(side.paths);
    if scopes.is_empty() {
        bail!("{flag} names no filters and no policies");
    }
    Ok(scopes)
}

/// The scopes of both sides; what is wrong with the filters of either is told at once.
fn scopes([before, after]: &[FilterOptions; 2], source: &Source) -> Result<(ScopeSet, ScopeSet)> {
    match (before.scopes_of(source), after.scopes_of(source)) {
        (Ok(before), Ok(after)) => Ok((before, after)),
        (Err(error), Ok(_)) | (Ok(_), Err(error)) => Err(error),
        (Err(before), Err(after)) => match (before.downcast(), after.downcast()) {
            (Ok(Diagnostics(mut found)), Ok(Diagnostics(more))) => {
                found.extend(more);
                Err(Diagnostics(found).into())
            }
            (Err(error), _) | (_, Err(error)) => Err(error),
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_side_is_read_as_a_command_line() {
        let words = words::split(r#"-f 9:comm=ls  -f 'comm=a b' -f "uid>0" -f comm=a\,b"#).expect("words");
        assert_eq!(words, ["-f", "9:comm=ls", "-f", "comm=a b", "-f", "uid>0", "-f", r"comm=a\,b"]);
        assert!(words::split("-f 'x").is_err());
        let set = side("--before", &["-f 9:comm=ls -f !container".into()]).and_then(|side| side.scopes());
        let set = set.expect("scopes");
        assert_eq!(set.mask(), 0b1_0000_0001);
        assert!(side("--after", &["-f com=ls".into()]).expect("a side").scopes().is_err());
        assert!(side("--after", &["".into()]).is_err());
        let error = side("--after", &["comm=ls".into()]).expect_err("no flag").to_string();
        assert!(error.contains("a filter is written -f comm=ls"), "{error}");
    }
}
