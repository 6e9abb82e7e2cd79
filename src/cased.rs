//! `--case` and `--query`: filters that a case keeps under a name.

use std::path::{Path, PathBuf};

use anyhow::{Result, bail};
use case::signature::{self, Verdict};
use case::{Case, Query};
use clap::Args;

use crate::filters::FilterOptions;
use crate::stderr;

#[derive(Args, Debug, Default)]
pub struct QueryOptions {
    /// A case, CASE.toml [default: the one beside the first capture]
    #[arg(long, value_name = "FILE", requires = "query")]
    case: Option<PathBuf>,
    /// Ask what the case keeps under this name; -f narrows it (`tracer case show` lists them)
    #[arg(long, value_name = "NAME")]
    query: Option<String>,
}

impl QueryOptions {
    /// Adds the filters of the query to those of the command line. `first`: the first capture.
    pub fn settle(&self, first: Option<&Path>, filters: &mut FilterOptions) -> Result<()> {
        let Some(name) = &self.query else { return Ok(()) };
        let file = match (&self.case, first) {
            (Some(file), _) => file.clone(),
            (None, Some(first)) => case::beside(first),
            (None, None) => bail!("--query {name}: which case? --case FILE says it"),
        };
        add(&load(&file)?, &file, name, filters)
    }
}

/// Reads a case. That it was changed after it was signed is said.
pub fn load(file: &Path) -> Result<Case> {
    let case = Case::load(file)?;
    if let Verdict::Changed(signer) = signature::verify(file, None)? {
        stderr::warn(format_args!("{}: it was changed since {signer} signed it", file.display()));
    }
    Ok(case)
}

/// Adds the filters that a case keeps under a name.
pub fn add(case: &Case, file: &Path, name: &str, filters: &mut FilterOptions) -> Result<()> {
    let Some(Query { filters: kept, .. }) = case.query(name) else {
        let names: Vec<&str> = case.queries.iter().map(|query| query.name.as_str()).collect();
        let hint = match scopes::nearest(name, names.iter().copied()) {
            Some(near) => format!("; did you mean {near:?}?"),
            None if names.is_empty() => "; it keeps none: `:query NAME` in `tracer ui` keeps one".to_owned(),
            None => format!("; it keeps {}", names.join(", ")),
        };
        bail!("{}: it keeps no query {name:?}{hint}", file.display());
    };
    filters.filters.extend(kept.iter().cloned());
    Ok(())
}
