//! Filters as on a command line, one a line.
#![no_main]

use libfuzzer_sys::fuzz_target;

fuzz_target!(|text: &str| {
    let filters: Vec<&str> = text.lines().collect();
    match scopes::ScopeSet::parse(&filters) {
        Ok(set) => drop(scopes::Plan::compile(&set)),
        Err(errors) => errors.iter().for_each(|error| drop(error.to_string())),
    }
});
