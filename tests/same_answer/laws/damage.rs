//! Files that end anywhere, and files with a byte that was changed.

use std::fs;

use crate::case::{Case, ask, with};
use crate::program::tracer;
use crate::random::Random;
use crate::rows::{assert_part, assert_same, timestamp, without_containers};

/// A file that ends anywhere, asked as it is and recovered.
pub fn torn(case: &Case, random: &mut Random) {
    let bytes = fs::read(case.one()).expect("a capture");
    let end = random.below(bytes.len() as u64) as usize;
    let (torn, clean) = (case.path("torn.trz"), case.path("clean.trz"));
    fs::write(&torn, &bytes[..end]).expect("a folder");
    let output = tracer(&with(&["replay", "-q", "-o", "json", &torn], &case.filters));
    let expected = ask(&[case.one()], &case.filters, &[]);
    let what = format!("cut off at byte {end} of {}, {}", bytes.len(), case.told());
    let Ok(rows) = String::from_utf8(output.stdout) else { panic!("{what}: no UTF-8") };
    match output.status.code() {
        // What answers of DNS were cut off gave no names.
        Some(0) if case.asks_names() => {}
        Some(0) if !case.shape.is_unordered => assert_beginning(&torn, &rows, &expected, &what),
        Some(0) if case.is_of_rows() => assert_part(&rows, &expected, &what),
        Some(0) => {}
        // The names of users were cut off: one that is asked for is refused, and the capture is still one.
        Some(2) if String::from_utf8_lossy(&output.stderr).contains(" in -f ") => return,
        // Without its header it is no capture.
        code => assert!(code == Some(2) && rows.is_empty(), "{what}: {code:?}\n{rows}"),
    }
    let recovered = tracer(&["recover", &torn, "-o", &clean]);
    assert_eq!(recovered.status.code(), output.status.code(), "{what}: recover");
    if recovered.status.success() {
        case.verify(&clean);
        assert_same(&ask(&[&clean], &case.filters, &[]), &rows, &format!("{what}, recovered"));
    }
}

/// What is left of a capture says what the whole says of that time. Only messages that the end cut off are told otherwise: where
/// the recording ends now.
fn assert_beginning(torn: &str, rows: &str, expected: &str, what: &str) {
    let same = rows.lines().zip(expected.lines()).take_while(|(row, expected)| row == expected).count();
    let all = ask(&[torn], &["event=*".to_owned()], &[]);
    let end = all.lines().map(timestamp).max();
    for row in rows.lines().skip(same) {
        let is_message =
            row.contains("\"eventName\":\"net_packet_dns") || row.contains("\"eventName\":\"net_packet_http");
        assert!(
            is_message && Some(timestamp(row)) == end,
            "{what}: row {} is not of the whole: {row}",
            same + 1
        );
    }
}

/// A byte that was changed: it is found, and all else is answered.
pub fn damaged(case: &Case, random: &mut Random) {
    let mut bytes = fs::read(case.one()).expect("a capture");
    let at = random.below(bytes.len() as u64) as usize;
    bytes[at] ^= 1 << random.below(8);
    let (damaged, clean) = (case.path("damaged.trz"), case.path("mended.trz"));
    fs::write(&damaged, &bytes).expect("a folder");
    let what = format!("byte {at} of {} changed, {}", bytes.len(), case.told());
    assert!(!tracer(&["verify", &damaged]).status.success(), "{what}: verify");
    let output = tracer(&with(&["replay", "-q", "-o", "json", &damaged], &case.filters));
    assert!(matches!(output.status.code(), Some(0 | 2)), "{what}: {:?}", output.status);
    let rows = String::from_utf8(output.stdout).expect("rows are UTF-8");
    let expected = ask(&[case.one()], &case.filters, &[]);
    // Where the table of cgroups is damaged, nobody knows of containers any more.
    if case.is_of_rows() && !case.filters.iter().any(|filter| filter.contains("container")) {
        assert_part(&without_containers(&rows), &without_containers(&expected), &what);
    }
    if tracer(&["recover", &damaged, "-o", &clean]).status.success() {
        case.verify(&clean);
        assert_same(&ask(&[&clean], &case.filters, &[]), &rows, &format!("{what}, recovered"));
    }
}
