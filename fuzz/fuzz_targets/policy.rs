//! Policy files.
#![no_main]

use libfuzzer_sys::fuzz_target;

fuzz_target!(|text: &str| {
    if let Err(errors) = scopes::ScopeSet::with_policies::<&str, _, _>(&[], &[("policy.yaml", text)]) {
        errors.iter().for_each(|error| drop(error.to_string()));
    }
});
