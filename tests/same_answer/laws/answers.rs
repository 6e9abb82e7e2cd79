//! One question asked in several ways: other threads, files in another order, counts, scopes together.

use crate::case::{Case, ask, with};
use crate::program::{printed, tracer};
use crate::random::Random;
use crate::rows::{assert_same, scopes, without};

pub fn threads(case: &Case, random: &mut Random) {
    for threads in ["1", "2", *random.of(&["3", "5", "8"])] {
        let rows = ask(&case.files(), &case.filters, &["--threads", threads]);
        assert_same(&rows, &case.rows, &format!("{threads} threads, {}", case.told()));
    }
}

pub fn count(case: &Case, random: &mut Random) {
    let lines = case.rows.lines().count();
    let counted = ask(&case.files(), &case.filters, &["--count"]);
    assert_eq!(counted.trim(), lines.to_string(), "--count, {}", case.told());
    let explained = printed(&with(&[&["explain"][..], &case.files()].concat(), &case.filters));
    let matches =
        explained.split("matches ").nth(1).and_then(|rest| rest.split(' ').next()).expect(&explained);
    let expected = if lines == 0 { "none".to_owned() } else { lines.to_string() };
    assert_eq!(matches, expected, "explain, {}\n{explained}", case.told());
    let limit = random.below(lines as u64 + 2);
    let first: String = case.rows.split_inclusive('\n').take(limit as usize).collect();
    let limited = ask(&case.files(), &case.filters, &["--limit", &limit.to_string()]);
    assert_same(&limited, &first, &format!("--limit {limit}, {}", case.told()));
}

pub fn order(case: &Case, _: &mut Random) {
    let mut files = case.files();
    files.reverse();
    assert_same(&ask(&files, &case.filters, &[]), &case.rows, &format!("reversed, {}", case.told()));
}

/// Rows of two scopes in one question are those of either.
pub fn two_scopes(case: &Case, _: &mut Random) {
    let numbered = |number: u8, filters: &[String]| -> Vec<String> {
        filters.iter().map(|filter| format!("{number}:{filter}")).collect()
    };
    let both = [numbered(3, &case.filters), numbered(64, &case.others)].concat();
    let rows = ask(&case.files(), &both, &[]);
    let of = |bit: u32| -> String {
        rows.split_inclusive('\n').filter(|line| scopes(line) & (1 << (bit - 1)) != 0).collect()
    };
    let masks = &["matchedScopes", "scopes"];
    let others = ask(&case.files(), &case.others, &[]);
    for (number, expected) in [(3, &case.rows), (64, &others)] {
        let what = format!("scope {number} of {both:?}, {:?}", case.shape);
        assert_same(&without(&of(number), masks), &without(expected, masks), &what);
    }
    assert!(rows.lines().all(|line| scopes(line) & ((1 << 2) | (1 << 63)) != 0), "{both:?}");
}

pub fn diff(case: &Case, _: &mut Random) {
    let side =
        |filters: &[String]| -> String { filters.iter().map(|filter| format!("-f '{filter}' ")).collect() };
    let (before, after) = (side(&case.filters), side(&case.others));
    let sides = ["--before", before.as_str(), "--after", after.as_str(), "--count"];
    let output = tracer(&[&["diff"][..], &case.files(), &sides].concat());
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    let numbers: Vec<u64> =
        said.split(['+', '-', '=', ' ', '\n']).filter_map(|word| word.parse().ok()).collect();
    let [.., gained, lost, same] = numbers[..] else {
        panic!("{said}{}", String::from_utf8_lossy(&output.stderr))
    };
    let others = ask(&case.files(), &case.others, &["--count"]);
    assert_eq!(
        (same + lost, same + gained),
        (case.rows.lines().count() as u64, others.trim().parse().expect("a number")),
        "{said} {} {}",
        case.told(),
        after
    );
}
