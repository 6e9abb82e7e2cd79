//! What a question asks, as far as catalogues can rule captures out.

use std::ops::Range;

use anyhow::Result;
use clap::Args;
use format::PublicKey;
use interchange::catalog::MadeOf;
use jiff::tz::TimeZone;
use pipeline::outline::Conditions;
use scopes::ScopeSet;
use scopes::filter::Target;

use crate::filters::FilterOptions;
use crate::inputs::public_key;
use crate::range::TimeRange;

/// Whether a folder's catalogue is asked, for commands that ask it.
#[derive(Args, Debug, Default)]
pub struct CatalogOptions {
    /// Open every capture of a folder, whatever its catalogue says (`tracer catalog`)
    #[arg(long)]
    no_catalog: bool,
    /// Ask only a catalogue that this key has signed (a file, or the key's line itself); with --verify none is asked otherwise
    #[arg(long, value_name = "KEY", conflicts_with = "no_catalog")]
    catalog_key: Option<String>,
}

impl CatalogOptions {
    /// Whether catalogues are asked, and by which key. `is_verified`: captures must verify before they are read, and so must
    /// what says that others need not be read.
    pub fn key(&self, is_verified: bool) -> Result<Option<Option<PublicKey>>> {
        match &self.catalog_key {
            _ if self.no_catalog => Ok(None),
            Some(key) => Ok(Some(Some(public_key(key)?))),
            None => Ok((!is_verified).then_some(None)),
        }
    }
}

/// A question to captures that may be many.
#[derive(Debug)]
pub struct Asking<'a> {
    /// All of these are asked: a capture is opened for what any of them may match.
    pub filters: Vec<&'a FilterOptions>,
    pub range: &'a TimeRange,
    pub zone: TimeZone,
    pub made_of: MadeOf,
    /// Of the filters only hosts count: what is asked for need not have rows.
    pub by_host: bool,
}

impl Asking<'_> {
    /// What catalogues are asked. `range`: the stretch of time, where it is known before captures are opened.
    pub fn conditions(&self, range: Option<Range<i64>>) -> Conditions {
        let mut conditions = Conditions::within(range);
        conditions.any_of(self.filters.iter().map(|filters| set(filters, self.by_host)));
        conditions
    }
}

/// What filters ask; `None` where that is everything, or of events that only captures know.
fn set(filters: &FilterOptions, by_host: bool) -> Option<ScopeSet> {
    if filters.is_empty() {
        return None;
    }
    // What is wrong with them is told when they are read for the captures.
    let (set, _) = filters.scopes_and_policies().ok()?;
    if by_host { hosts(&set) } else { Some(set) }
}

/// The same scopes with what they say of hosts alone; `None` where one of them says nothing of hosts.
fn hosts(set: &ScopeSet) -> Option<ScopeSet> {
    let mut filters = Vec::new();
    for scope in set.scopes() {
        let is_of_host =
            |text: &&str| text.strip_prefix("host").is_some_and(|rest| rest.starts_with(['=', '!']));
        let fields = scope.filters.iter().filter(|filter| matches!(filter.target, Target::Field(_)));
        let of_host: Vec<&str> = fields.map(|filter| filter.without_scope()).filter(is_of_host).collect();
        if of_host.is_empty() {
            return None;
        }
        filters.extend(of_host.iter().map(|filter| format!("{}:{filter}", scope.number)));
    }
    ScopeSet::parse(&filters).ok()
}
