//! What was done to a capture before it is asked: `tracer cut` says in the header what it left.

use clap::Parser;
use scopes::ScopeSet;

use crate::filters::FilterOptions;
use crate::range::TimeRange;
use crate::words;

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
}

/// A sentence for each cut that may have taken away what is asked for.
pub fn warnings(made_from: &str, asked: &FilterOptions) -> Vec<String> {
    made_from
        .lines()
        .filter_map(|line| line.strip_prefix("cut"))
        .filter_map(|line| warning(line, asked))
        .collect()
}

fn warning(line: &str, asked: &FilterOptions) -> Option<String> {
    let whole = || Some(format!("holds only what this left: cut{line}"));
    let Ok(cut) = words::split(line).and_then(|words| Ok(Cut::try_parse_from(words)?)) else {
        return whole();
    };
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

    fn warned(made_from: &str, filters: &[&str]) -> usize {
        let filters = filters.iter().map(|&filter| filter.to_owned()).collect();
        warnings(made_from, &FilterOptions { filters, policies: Vec::new() }).len()
    }

    #[test]
    fn a_cut_is_told_to_those_who_ask_for_more_than_it_left() {
        let cut = "redact\ncut -f comm=ls\n  of a capture\nmerge";
        assert_eq!(warned(cut, &["comm=ls"]), 0);
        assert_eq!(warned(cut, &["comm=ls", "uid=0"]), 0);
        assert_eq!(warned(cut, &["comm=cat"]), 1);
        assert_eq!(warned(cut, &[]), 1);
        assert_eq!(warned("cut --from 12:00:00", &["comm=ls"]), 1);
        assert_eq!(warned("cut --drop '*.argv'", &["comm=ls"]), 1);
        assert_eq!(warned("cut", &[]), 0);
        assert_eq!(warned("cut --of-a-later-version", &[]), 1);
        assert_eq!(warned("merge\nrecover", &[]), 0);
    }
}
