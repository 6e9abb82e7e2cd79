//! Artifacts go with their events, however captures are cut and put together.

use serde_json::Value;

use crate::case::{Case, as_strs, with};
use crate::program::printed;
use crate::random::Random;

/// What can be extracted, an artifact and an event a line, in order; without what depends on the capture it is in.
fn told(files: &[&str], filters: &[String]) -> Vec<String> {
    let arguments = [&["extract", "--list", "--json"][..], files].concat();
    let all: Value = serde_json::from_str(&printed(&with(&arguments, filters))).expect("JSON");
    let mut lines = Vec::new();
    for entry in all["artifacts"].as_array().expect("a list") {
        for origin in entry["origins"].as_array().expect("a list") {
            lines.push(line(origin, &entry["sha256"], &entry["size"]));
        }
    }
    for it in all["left_out"].as_array().expect("a list") {
        lines.push(line(it, &it["reason"], &it["size"]));
    }
    lines.sort_unstable();
    lines
}

fn line(origin: &Value, what: &Value, size: &Value) -> String {
    let members = ["kind", "path", "host", "event", "timestamp", "pid", "comm"];
    format!("{what} {size} {}", members.map(|member| origin[member].to_string()).join(" "))
}

pub fn artifacts(case: &Case, random: &mut Random) {
    let all = told(&[case.one()], &[]);
    let filtered = told(&[case.one()], &case.filters);
    let is_in = |some: &[String], all: &[String]| some.iter().all(|line| all.contains(line));
    assert!(is_in(&filtered, &all), "those of some events are some of all, {}", case.told());
    // Whole copies have all; what a filter cuts out has those that it finds, and no others that it does not name.
    let [copy, cut, merged, redacted, kept] =
        ["copy", "cut", "merged", "redacted", "kept"].map(|name| case.path(&format!("artifacts-{name}.trz")));
    printed(&["recover", case.one(), "-o", &copy]);
    case.verify(&copy);
    assert_eq!(told(&[&copy], &[]), all, "recover, {}", case.told());
    printed(&with(&["cut", case.one(), "-o", &cut], &case.filters));
    case.verify(&cut);
    assert_eq!(told(&[&cut], &case.filters), filtered, "cut, {}", case.told());
    assert!(is_in(&told(&[&cut], &[]), &all), "a cut has none of its own, {}", case.told());
    // Parts of time have them all together.
    let parts = as_strs(case.parts(random));
    assert_eq!(told(&parts, &[]), all, "parts, {}", case.told());
    if case.files.len() > 1 {
        printed(&[&["merge"][..], &case.files(), &["-o", &merged]].concat());
        case.verify(&merged);
        assert_eq!(told(&[&merged], &[]), told(&case.files(), &[]), "merge, {}", case.told());
    }
    let redact = ["redact", case.one(), "--hash", "comm", "--allow-unused", "--allow-leftovers", "-o"];
    printed(&[&redact[..], &[&redacted]].concat());
    let bytes_of = |file: &str| format::Capture::open(file.as_ref()).expect("a capture").has_contents();
    assert!(!bytes_of(&redacted), "redacted, {}", case.told());
    printed(&[&redact[..], &[&kept, "--keep-artifacts", "exec,memfd,module,bpf,write"]].concat());
    case.verify(&kept);
    assert_eq!(bytes_of(&kept), bytes_of(case.one()), "redacted and kept, {}", case.told());
}
