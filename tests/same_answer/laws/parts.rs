//! Parts of captures, by time and by filters, and captures put together.

use crate::case::{Case, as_strs, ask, with};
use crate::program::{printed, tracer};
use crate::random::Random;
use crate::rows::{assert_same, timestamp, without_boot_times};

/// Two times between those of rows, as `--from` and `--to` take them.
pub fn times(case: &Case, random: &mut Random) -> [u64; 2] {
    let all: Vec<u64> = ask(&[case.one()], &["pid>=0".into()], &[]).lines().map(timestamp).collect();
    let mut pick =
        || all.get(random.below(all.len() as u64) as usize).map_or(0, |time| time + random.below(2));
    let (one, other) = (pick(), pick());
    [one.min(other), one.max(other)]
}

pub fn stretch(case: &Case, random: &mut Random) {
    let [from, to] = times(case, random);
    let (from_text, to_text) = (from.to_string(), to.to_string());
    let range = ["--from", from_text.as_str(), "--to", to_text.as_str()];
    let within = |rows: &str| -> String {
        rows.split_inclusive('\n').filter(|line| (from..to).contains(&timestamp(line))).collect()
    };
    let expected = within(&case.rows);
    assert_same(
        &ask(&case.files(), &case.filters, &range),
        &expected,
        &format!("{range:?}, {}", case.told()),
    );
    let counted = ask(&case.files(), &case.filters, &[&range[..], &["--count"]].concat());
    assert_eq!(counted.trim(), expected.lines().count().to_string(), "{range:?} --count, {}", case.told());
    if case.asks_names() {
        // Answers of DNS outside of the stretch are not in its cut.
        return;
    }
    let part = case.path("stretch.trz");
    printed(&[&["cut", case.one(), "-o", &part][..], &range].concat());
    case.verify(&part);
    // What came before is there, unseen: for the state of processes, and of the streams that were under way.
    let expected = within(&ask(&[case.one()], &case.filters, &[]));
    assert_same(&ask(&[&part], &case.filters, &[]), &expected, &format!("cut {range:?}, {}", case.told()));
    let both = case.path("stretch-filtered.trz");
    printed(&with(&[&["cut", case.one(), "-o", &both][..], &range].concat(), &case.filters));
    case.verify(&both);
    assert_same(
        &ask(&[&both], &case.filters, &[]),
        &expected,
        &format!("cut {range:?} with the filters, {}", case.told()),
    );
}

/// What a filter cuts out is what it finds, and so is what a narrower one finds.
pub fn cut(case: &Case, random: &mut Random) {
    let out = case.path("cut.trz");
    let level = random.of(&["fast", "default"]);
    printed(&with(&["cut", case.one(), "-o", &out, "--compression", level], &case.filters));
    case.verify(&out);
    let expected = ask(&[case.one()], &case.filters, &[]);
    assert_same(&ask(&[&out], &case.filters, &[]), &expected, &format!("cut, {}", case.told()));
    let again = case.path("again.trz");
    printed(&with(&["cut", &out, "-o", &again], &case.filters));
    assert_same(&ask(&[&again], &case.filters, &[]), &expected, &format!("cut twice, {}", case.told()));
    let narrower = [&case.filters[..], &[format!("uid{}500", random.of(&["=", "!=", ">="]))]].concat();
    if !case.filters.iter().any(|filter| filter.starts_with("follow") || filter.starts_with("uid"))
        && tracer(&with(&["replay", "-q", "--count", case.one()], &narrower)).status.success()
    {
        let expected = ask(&[case.one()], &narrower, &[]);
        assert_same(
            &ask(&[&out], &narrower, &[]),
            &expected,
            &format!("cut, then {narrower:?}, {:?}", case.shape),
        );
    }
}

/// A capture cut into three parts, by time: [`Case::parts`].
pub fn in_parts(case: &Case, number: usize, random: &mut Random) -> Vec<String> {
    let [first, second] = times(case, random).map(|time| time.to_string());
    let paths = [0, 1, 2].map(|part| case.path(&format!("split-{number}-part-{part}.trz")));
    let ranges: [&[&str]; 3] =
        [&["--to", &first], &["--from", &first, "--to", &second], &["--from", &second]];
    for (path, range) in paths.iter().zip(ranges) {
        printed(&[&["cut", case.one(), "-o", path], range].concat());
    }
    paths.into()
}

/// A capture in parts of time answers as the whole does.
pub fn parts(case: &Case, random: &mut Random) {
    let expected = ask(&[case.one()], &case.filters, &[]);
    let mut files = as_strs(case.parts(random));
    for how in ["in order", "reversed"] {
        let what = format!("{files:?} {how}, {}", case.told());
        assert_same(&ask(&files, &case.filters, &[]), &expected, &what);
        files.reverse();
    }
}

pub fn merge(case: &Case, _: &mut Random) {
    if case.files.len() < 2 {
        return;
    }
    let out = case.path("merged.trz");
    printed(&[&["merge"][..], &case.files(), &["-o", &out]].concat());
    case.verify(&out);
    let rows = ask(&[&out], &case.filters, &[]);
    assert_same(
        &without_boot_times(&rows),
        &without_boot_times(&case.rows),
        &format!("merge, {}", case.told()),
    );
    // What is merged can be cut and asked as the files can.
    let cut = case.path("merged-cut.trz");
    printed(&with(&["cut", &out, "-o", &cut], &case.filters));
    assert_same(&ask(&[&cut], &case.filters, &[]), &rows, &format!("merge, then cut, {}", case.told()));
}
