//! What a capture was made from: written into its header, and read back for what a cut left out.

use clap::Parser;
use events::catalogue::network::NET_PACKET;
use format::{Capture, Header, Provenance, SourceCapture, recorded};
use pipeline::File;
use scopes::ScopeSet;

use crate::filters::FilterOptions;
use crate::range::TimeRange;
use crate::words;

/// The header of a capture that is made from these in one step. `command` is what was asked for, in words that may be
/// given away: not where files lie.
pub fn header(captures: &[&Capture], command: Vec<String>, sources: Vec<SourceCapture>) -> Header {
    let Some(first) = captures.first() else { return Header::default() };
    let mut header = first.header().clone();
    header.schema = first.schema().declarations();
    // What follows a part of a rotated set is not this.
    header.recording.previous_head = None;
    header.provenance = vec![Provenance { command, sources }];
    for step in captures.iter().flat_map(|capture| &capture.header().provenance) {
        if !header.provenance.contains(step) {
            header.provenance.push(step.clone());
        }
    }
    header
}

/// Writes down when the recording of each host ended, whose packets may wait for others: the last rows may be missing.
/// `to`: where the new capture ends, wall clock.
pub fn tell_ends(header: &mut Header, file: &File, to: i64) {
    let has_packets = |block: &format::BlockInfo| block.statistics.rows_of(NET_PACKET) > 0;
    if !file.capture.blocks().iter().any(has_packets) {
        return;
    }
    let recordings = std::iter::once(&mut header.recording).chain(&mut header.more_recordings);
    for ((number, host), recording) in (0u16..).zip(&file.hosts).zip(recordings) {
        let end = file.recording_end(number).filter(|end| host.wall(*end) < to);
        recording.more.insert(recorded::ENDED_NS.into(), end.unwrap_or(recorded::GOES_ON).to_string());
    }
}

/// Writes down when what is known of each host's processes at the start was so: the first rows may be missing.
pub fn tell_beginnings(header: &mut Header, file: &File) {
    let recordings = std::iter::once(&mut header.recording).chain(&mut header.more_recordings);
    for (number, recording) in (0u16..).zip(recordings) {
        recording.more.insert(recorded::BEGAN_NS.into(), file.first(number).to_string());
    }
}

/// Whether a capture holds what was recorded, and not a part or a mixture of it.
pub fn is_recorded(header: &Header) -> bool {
    header.provenance.is_empty() && header.recording.made_from.is_empty()
}

/// A cut, read back from what the header tells of it.
#[derive(Parser, Debug)]
#[command(no_binary_name = true, disable_help_flag = true)]
struct Cut {
    #[command(flatten)]
    range: TimeRange,
    #[command(flatten)]
    scopes: FilterOptions,
    #[arg(long)]
    keep: Vec<String>,
    #[arg(long)]
    drop: Vec<String>,
    #[arg(long)]
    keep_others: bool,
}

/// A sentence for each cut that may have taken away what is asked for.
pub fn cuts(steps: &[Provenance], asked: &FilterOptions) -> Vec<String> {
    let options = |step: &Provenance| match step.command.as_slice() {
        [_, cut, options @ ..] if cut == "cut" => warning(options, asked),
        _ => None,
    };
    steps.iter().filter_map(options).collect()
}

fn warning(options: &[String], asked: &FilterOptions) -> Option<String> {
    let whole = || Some(format!("holds only what this left: tracer cut {}", words::join(options)));
    let Ok(cut) = Cut::try_parse_from(options) else { return whole() };
    let is_within = asked.policies.is_empty()
        && !asked.is_empty()
        && ScopeSet::parse(&cut.scopes.filters)
            .is_ok_and(|left| asked.scopes().is_ok_and(|asked| asked.is_within(&left)));
    let lacks_rows = !cut.scopes.is_empty() && !is_within;
    let lacks_time = cut.range.from.is_some() || cut.range.to.is_some();
    let lacks_columns = !cut.keep.is_empty() || !cut.drop.is_empty();
    if lacks_rows || lacks_time || lacks_columns { whole() } else { None }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn warned(commands: &[&str], filters: &[&str]) -> usize {
        let step = |command: &&str| Provenance {
            command: words::split(command).expect("words"),
            ..Provenance::default()
        };
        let steps: Vec<Provenance> = commands.iter().map(step).collect();
        let filters = filters.iter().map(|&filter| filter.to_owned()).collect();
        cuts(&steps, &FilterOptions { filters, policies: Vec::new() }).len()
    }

    #[test]
    fn a_cut_is_told_to_those_who_ask_for_more_than_it_left() {
        let steps = ["tracer redact", "tracer cut -f comm=ls", "tracer merge"];
        assert_eq!(warned(&steps, &["comm=ls"]), 0);
        assert_eq!(warned(&steps, &["comm=ls", "uid=0"]), 0);
        assert_eq!(warned(&steps, &["comm=cat"]), 1);
        assert_eq!(warned(&steps, &[]), 1);
        assert_eq!(warned(&["tracer cut --from 12:00:00"], &["comm=ls"]), 1);
        assert_eq!(warned(&["tracer cut --drop '*.argv'"], &["comm=ls"]), 1);
        assert_eq!(warned(&["tracer cut"], &[]), 0);
        assert_eq!(warned(&["tracer cut --of-a-later-version"], &[]), 1);
        assert_eq!(warned(&["tracer merge", "tracer recover"], &[]), 0);
    }
}
