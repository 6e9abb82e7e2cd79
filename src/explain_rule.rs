//! `tracer explain --rule`: why a rule takes events or does not.

use std::io::{self, BufWriter, Write};
use std::path::PathBuf;

use anyhow::{Result, bail};
use pipeline::Source;
use rules::Rule;
use rules::explain::{self, Explained, Funnel, Verdict};
use scopes::{nearest, spelled_out};

use crate::outcome::Outcome;
use crate::rule_files;

/// Characters of a value that are shown.
const VALUE: usize = 120;

pub fn run(id: &str, paths: &[PathBuf], source: &Source, event: Option<u64>) -> Result<Outcome> {
    let corpus = rule_files::read(paths, &[], paths.is_empty())?;
    let Some(rule) = corpus.rules.iter().find(|rule| rule.id == id || rule.title == id) else {
        let known = corpus.rules.iter().map(|rule| rule.id.as_str());
        match nearest(id, known) {
            Some(name) => bail!("no rule {id:?} was read; did you mean {name:?}?"),
            None => bail!("no rule {id:?} was read: `tracer rules list` lists them"),
        }
    };
    let base = rule.body.builds_on().first().and_then(|id| corpus.rules.iter().find(|rule| rule.id == *id));
    // A count is explained by what it counts.
    let asked = base.unwrap_or(rule);
    let mut out = BufWriter::new(io::stdout().lock());
    writeln!(out, "rule {}  {}  {}", spelled_out(&rule.id), spelled_out(&rule.title), rule.place)?;
    let why = match event {
        Some(number) => match explain::event(asked, source, number)? {
            Ok(found) => {
                if found.is_empty() {
                    writeln!(out, "event {number} is none that it asks about")?;
                }
                found.iter().try_for_each(|it| row(it, asked, &mut out))?;
                None
            }
            Err(why) => Some(why),
        },
        None => match explain::funnels(asked, source)? {
            Ok(found) => {
                if found.is_empty() {
                    writeln!(out, "the capture has no event that it asks about")?;
                }
                found.iter().try_for_each(|it| funnel(it, asked, &mut out))?;
                None
            }
            Err(why) => Some(why),
        },
    };
    out.flush()?;
    match why {
        Some(why) => bail!("{id} cannot be answered by this capture: {why}"),
        None => Ok(Outcome::Done),
    }
}

fn step(number: usize, rule: &Rule) -> String {
    match rule.body.queries().len() {
        0 | 1 => String::new(),
        steps if number >= steps => " (until)".to_owned(),
        _ => format!(" (step {})", number + 1),
    }
}

fn row(it: &Explained, rule: &Rule, out: &mut impl Write) -> io::Result<()> {
    let verdict = match (it.is_meant, it.holds) {
        (false, _) => "is not of the kind that it is about",
        (true, true) => "is taken",
        (true, false) => "is not taken",
    };
    let number = it.number.map_or(String::new(), |number| format!("event {number} "));
    writeln!(out, "{number}{}{}: {verdict}", it.event, step(it.step, rule))?;
    for line in &it.lines {
        let verdict = match line.verdict {
            Verdict::True => "true   ",
            Verdict::False => "false  ",
            Verdict::Missing => "missing",
        };
        write!(out, "  {verdict} {:indent$}{}", "", spelled_out(&line.text), indent = line.depth * 2)?;
        if let Some(value) = &line.value {
            let short: String = value.chars().take(VALUE).collect();
            write!(out, "   {}", spelled_out(&short))?;
        }
        writeln!(out)?;
    }
    Ok(())
}

fn funnel(it: &Funnel, rule: &Rule, out: &mut impl Write) -> io::Result<()> {
    writeln!(
        out,
        "{}{}: {} events, {} of the kind that it is about",
        it.event,
        step(it.step, rule),
        it.rows,
        it.meant
    )?;
    let width = it.left.iter().map(|(text, _)| text.chars().count()).max().unwrap_or(0).min(70);
    let mut before = it.meant;
    for (text, left) in &it.left {
        let text = spelled_out(text);
        writeln!(out, "  {text:width$}  removed {:>10}, {left:>10} left", before - left)?;
        before = *left;
    }
    if let Some(nearest) = it.nearest.as_ref().filter(|_| before == 0) {
        write!(out, "nearest: ")?;
        row(nearest, rule, out)?;
    }
    Ok(())
}
