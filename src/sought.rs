//! One file or peer that a subcommand is about: what it means is what the filters `file=` and `peer=` mean.

use anyhow::Result;
use pipeline::Source;
use replay::asked;
use scopes::{ScopeSet, Sought, Thing};

use crate::filters::Diagnostics;
use crate::stderr;

/// Reads what was given with an option or in its place; `flag` names that in messages. Names of peers are those that recorded
/// answers of DNS gave.
pub fn of(flag: &str, thing: Thing, value: &str, source: &Source) -> Result<Sought> {
    let filter = format!("{}={value}", thing.name());
    let wrong = |mut wrong: Vec<scopes::Diagnostic>| {
        wrong.iter_mut().for_each(|one| one.flag = flag.to_owned());
        Diagnostics(wrong)
    };
    let mut set = ScopeSet::parse(&[filter]).map_err(wrong)?;
    for name in asked::resolve(&mut set, source).map_err(wrong)? {
        stderr::warn(format_args!("{}", unnamed(&name)));
    }
    Ok(Sought::of(thing, &set))
}

/// What is said of a name of a peer that nothing is known of.
pub fn unnamed(name: &str) -> String {
    format!("no recorded answer of DNS names {name}: ask for its address, if you know it")
}
