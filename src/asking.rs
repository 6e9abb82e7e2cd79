//! From the filters of a command line to what is asked of captures, the same for every subcommand that answers.

use anyhow::Result;
use pipeline::Source;
use replay::Asked;

use crate::caveats;
use crate::filters::{Diagnostics, FilterOptions};
use crate::stderr;

/// What these filters ask of captures; without any, what they were recorded with. What there is to know before the answer goes
/// to stderr.
pub fn asked(filters: &FilterOptions, source: &Source, is_quiet: bool) -> Result<Asked> {
    let asked = compiled(filters, source, is_quiet)?;
    if !is_quiet {
        caveats::tell(source, asked.plan(), filters);
    }
    Ok(asked)
}

/// The same, for a further question to the same captures: only what there is to know of the filters is told.
pub fn compiled(filters: &FilterOptions, source: &Source, is_quiet: bool) -> Result<Asked> {
    if filters.is_empty() {
        return Ok(Asked::recorded(source));
    }
    let set = filters.scopes_of(source)?;
    let warnings: Vec<String> = set.warnings().iter().map(ToString::to_string).collect();
    let asked = Asked::given(set, source).map_err(Diagnostics)?;
    if !is_quiet {
        // Messages about filters say themselves what they are, and where.
        warnings.iter().for_each(stderr::say_lines);
    }
    Ok(asked)
}
