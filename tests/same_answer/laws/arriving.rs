//! Captures that are read as they come.

use std::fs;

use crate::case::{Case, ask, with};
use crate::program::{printed, printed_from, started, tracer};
use crate::random::Random;
use crate::rows::assert_same;

/// A capture that goes through a pipe is the same one.
pub fn pipes(case: &Case, _: &mut Random) {
    let file = case.path("by-name.trz");
    printed(&with(&["cut", case.one(), "-o", &file], &case.filters));
    let output = tracer(&with(&["cut", case.one(), "-o", "-"], &case.filters));
    assert!(
        output.status.success() && output.stdout == fs::read(&file).expect("a capture"),
        "{}",
        case.told()
    );
}

/// A capture that is read as it comes answers as its file does; so does what other tools make of it.
pub fn as_it_comes(case: &Case, random: &mut Random) {
    if case.asks_names() {
        // Not all answers of DNS are there yet.
        return;
    }
    let expected = ask(&[case.one()], &case.filters, &[]);
    let threads = random.of(&["1", "2", "5"]);
    let stdin = || fs::File::open(case.one()).expect("a capture");
    let arguments = ["replay", "-q", "-o", "json", "-", "--threads", threads];
    let rows = printed_from(stdin(), &with(&arguments, &case.filters));
    case.assert_arrived(&rows, &expected, "standard input");
    let count = printed_from(stdin(), &with(&["replay", "-q", "--count", "-"], &case.filters));
    if !case.shape.is_unordered || case.is_of_rows() {
        assert_eq!(count.trim(), expected.lines().count().to_string(), "--count -, {}", case.told());
    }
    let out = case.path("from-stdin.trz");
    printed_from(stdin(), &with(&["cut", "-", "-o", &out], &case.filters));
    assert_same(&ask(&[&out], &case.filters, &[]), &expected, &format!("cut -, {}", case.told()));
    // Where all rows stay, nothing waits for the end.
    let whole = case.path("whole-from-stdin.trz");
    printed_from(stdin(), &["cut", "-", "-o", &whole]);
    case.verify(&whole);
    let what = format!("cut - of all rows, {}", case.told());
    assert_same(&ask(&[&whole], &case.filters, &[]), &expected, &what);
}

/// A file that grows while it is asked answers as the whole one does.
pub fn growing(case: &Case, random: &mut Random) {
    if case.asks_names() {
        return;
    }
    let bytes = fs::read(case.one()).expect("a capture");
    let path = case.path("growing.trz");
    let mut file = fs::File::create(&path).expect("a folder");
    let expected = ask(&[case.one()], &case.filters, &[]);
    let arguments = with(&["replay", "-q", "-o", "json", "--follow", &path], &case.filters);
    let child = started(&arguments);
    let mut rest = bytes.as_slice();
    while !rest.is_empty() {
        let (piece, behind) = rest.split_at((1 + random.below(bytes.len() as u64) as usize).min(rest.len()));
        std::io::Write::write_all(&mut file, piece).expect("a file");
        rest = behind;
        std::thread::sleep(std::time::Duration::from_millis(random.below(20)));
    }
    let output = child.wait_with_output().expect("an answer");
    let told = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "--follow, {}: {told}", case.told());
    case.assert_arrived(&String::from_utf8_lossy(&output.stdout), &expected, "--follow");
}
