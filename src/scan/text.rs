//! Findings as people read them.

use std::collections::BTreeMap;
use std::io::{self, Write};

use jiff::Timestamp;
use jiff::tz::TimeZone;
use rules::finding::{Finding, Seen};
use rules::scan::{Report, Scan};
use rules::{Corpus, Level, Rule, Template};
use scopes::spelled_out;

use super::Counts;

/// Tests of an event that are told.
const TESTS: usize = 6;
/// Characters of a value that are told.
const VALUE: usize = 120;
/// Events of a finding that are told.
const EVENTS: usize = 8;

/// Tells findings, the severest first and those of a level by time. What one rule found of one program is told once, with how
/// often.
pub fn write(
    findings: &[Finding],
    rules: &[Rule],
    zone: &TimeZone,
    all: bool,
    out: &mut impl Write,
) -> io::Result<()> {
    let mut told: Vec<(&Finding, u64)> = Vec::new();
    let mut known: BTreeMap<(usize, &str, &str), usize> = BTreeMap::new();
    for finding in findings {
        let key = (finding.rule, finding.host.as_str(), finding.process.exe.as_str());
        match known.get(&key).and_then(|at| told.get_mut(*at)) {
            Some((_, count)) if !all => *count += 1,
            _ => {
                known.insert(key, told.len());
                told.push((finding, 1));
            }
        }
    }
    let level = |finding: &Finding| rules.get(finding.rule).map(|rule| rule.level);
    told.sort_by_key(|(finding, _)| (std::cmp::Reverse(level(finding)), finding.wall_ns));
    for (finding, count) in told {
        if let Some(rule) = rules.get(finding.rule) {
            one(finding, rule, count, zone, out)?;
        }
    }
    Ok(())
}

fn one(finding: &Finding, rule: &Rule, count: u64, zone: &TimeZone, out: &mut impl Write) -> io::Result<()> {
    let level = rule.level.name().to_uppercase();
    write!(out, "{level:<8}  {}  {}", rule.language.name(), spelled_out(&rule.title))?;
    let techniques: Vec<String> = rule.techniques().map(|id| spelled_out(&id)).collect();
    if !techniques.is_empty() {
        write!(out, "  {}", techniques.join(" "))?;
    }
    if count > 1 {
        write!(out, "  {count} times")?;
    }
    writeln!(out)?;
    write!(out, "          {}  {}", time(finding.wall_ns, zone), process(finding))?;
    if let Some(user) = &finding.process.user {
        write!(out, "  user {}", spelled_out(user))?;
    }
    if let Some(container) = &finding.container {
        write!(out, "  in {} ({})", spelled_out(&container.name), spelled_out(&container.image))?;
    }
    writeln!(out)?;
    for (name, value) in &finding.group {
        writeln!(out, "          {} {}", spelled_out(name), shortened(value))?;
    }
    if let Some(count) = finding.count {
        writeln!(out, "          came to {count}")?;
    }
    // Falco's words are for `-o falco`: what they say is told already.
    if matches!(rule.output, Some(Template::Fields(_))) {
        for (name, value) in finding.output.iter().flat_map(|output| &output.fields) {
            if let Some(value) = value {
                writeln!(out, "          {} {}", spelled_out(name), shortened(value))?;
            }
        }
    }
    let more = finding.events.len().saturating_sub(EVENTS);
    for seen in finding.events.iter().take(EVENTS) {
        event(seen, out)?;
    }
    if more > 0 {
        writeln!(out, "          ... and {more} more events")?;
    }
    if !rule.authors.is_empty() {
        writeln!(out, "          rule by {}", spelled_out(&rule.authors.join(", ")))?;
    }
    Ok(())
}

fn process(finding: &Finding) -> String {
    let own = std::iter::once((finding.process.name.as_str(), finding.process.pid));
    let above = finding.ancestry.iter().map(|it| (it.name.as_str(), it.pid));
    let chain: Vec<String> =
        own.chain(above).map(|(name, pid)| format!("{} {pid}", spelled_out(name))).collect();
    chain.join(" < ")
}

fn event(seen: &Seen, out: &mut impl Write) -> io::Result<()> {
    match seen.number {
        Some(number) => write!(out, "          #{number} {}", seen.name)?,
        None => write!(
            out,
            "          {} block {} row {} {}",
            spelled_out(&seen.file),
            seen.block,
            seen.row,
            seen.name
        )?,
    }
    writeln!(out)?;
    // One value may decide several tests: it is told once.
    let mut values: Vec<(&str, &str, Vec<&str>)> = Vec::new();
    for it in &seen.deciding {
        match values.iter_mut().find(|(field, value, _)| *field == it.field && *value == it.value) {
            Some((.., tests)) => tests.push(&it.written),
            None => values.push((&it.field, &it.value, vec![&it.written])),
        }
    }
    for (field, value, mut tests) in values.into_iter().take(TESTS) {
        tests.dedup();
        writeln!(out, "            {field}: {}   [{}]", shortened(value), spelled_out(&tests.join(", ")))?;
    }
    Ok(())
}

/// A value, no longer than people read.
pub fn shortened(value: &str) -> String {
    let mut short: String = value.chars().take(VALUE).collect();
    if short.len() < value.len() {
        short.push_str("...");
    }
    spelled_out(&short)
}

fn time(wall_ns: i64, zone: &TimeZone) -> String {
    match Timestamp::from_nanosecond(wall_ns.into()) {
        Ok(time) => zone.to_datetime(time).strftime("%Y-%m-%d %H:%M:%S.%6f").to_string(),
        Err(_) => wall_ns.to_string(),
    }
}

/// Rules that cannot be answered, by reason, and those whose answers are approximate.
pub fn coverage(scan: &Scan<'_>, rules: &[Rule], out: &mut impl Write) -> io::Result<()> {
    let mut by_reason: BTreeMap<&str, Vec<&Rule>> = BTreeMap::new();
    for (number, why) in scan.unanswerable() {
        by_reason.entry(why).or_default().extend(rules.get(*number));
    }
    for (why, rules) in by_reason {
        writeln!(out, "cannot be answered: {}", spelled_out(why))?;
        rules.iter().try_for_each(|rule| {
            writeln!(out, "  {}  {}", spelled_out(&rule.id), spelled_out(&rule.title))
        })?;
    }
    let mut by_note: BTreeMap<&str, usize> = BTreeMap::new();
    let asked = scan.notes().iter().filter(|(number, _)| !scan.unanswerable().contains_key(number));
    for note in asked.flat_map(|(_, notes)| notes) {
        *by_note.entry(note).or_default() += 1;
    }
    for (note, count) in by_note {
        writeln!(out, "approximate for {count} rules: {}", spelled_out(note))?;
    }
    Ok(())
}

/// The end of a scan, in a few lines.
pub fn summary(counts: &Counts, corpus: &Corpus, scan: &Scan<'_>, report: &Report, seconds: f64) -> String {
    let levels = Level::ALL.into_iter().rev().filter_map(|level| {
        let count = counts.by_level.get(level as usize).copied().unwrap_or_default();
        (count > 0).then(|| format!("{count} {level}"))
    });
    let levels: Vec<String> = levels.collect();
    let findings = match counts.findings {
        0 => "no findings".to_owned(),
        1 => format!("1 finding: {}", levels.join(", ")),
        count => format!("{count} findings of {} rules: {}", counts.rules.len(), levels.join(", ")),
    };
    let unanswerable = scan.unanswerable().len();
    let asked = corpus.rules.len() - unanswerable;
    let unread = corpus.found.saturating_sub(corpus.rules.len() + foreign(corpus) + corpus.disabled);
    let mut text = format!("{findings}. {asked} rules asked");
    if unanswerable > 0 {
        text.push_str(&format!(", {unanswerable} cannot be answered here (--coverage says why)"));
    }
    if unread > 0 {
        text.push_str(&format!(", {unread} could not be read (tracer rules check says why)"));
    }
    if foreign(corpus) > 0 {
        text.push_str(&format!(", {} are of other systems", foreign(corpus)));
    }
    text.push_str(&format!(".\n{} events in {seconds:.2} s.\n", report.events));
    if report.forgotten > 0 {
        text.push_str(&format!(
            "{} states were given up for want of room: findings may be missing.\n",
            report.forgotten
        ));
    }
    text
}

fn foreign(corpus: &Corpus) -> usize {
    corpus.foreign.iter().map(|(_, count)| count).sum()
}
