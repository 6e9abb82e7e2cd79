//! What answering takes.

use std::fs;

use crate::case::{Case, with};
use crate::memory;
use crate::random::Random;
use crate::rows::assert_same;

/// One answer takes no more memory than is written down, and a large share of it is for blocks that are larger than these.
pub fn bounded(case: &Case, _: &mut Random) {
    const BYTES: u64 = 160 << 20;
    let arguments = [&["replay", "-q", "-o", "json", "--threads", "2"][..], &case.files()].concat();
    let output = memory::within(BYTES, &with(&arguments, &case.filters));
    assert!(output.status.success(), "{}: {}", case.told(), String::from_utf8_lossy(&output.stderr));
    assert_same(&String::from_utf8_lossy(&output.stdout), &case.rows, &case.told());
}

/// Nor does making captures of captures; what they write is about as large as what they read.
pub fn tools_bounded(case: &Case, _: &mut Random) {
    const BYTES: u64 = 200 << 20;
    let out = case.path("bounded.trz");
    let one = case.one();
    for arguments in [
        vec!["cut", one, "--compression", "fast"],
        vec!["recover", one],
        vec!["redact", one, "--hash", "comm", "--allow-unused", "--allow-leftovers"],
    ] {
        let arguments = [&arguments[..], &["-o", &out, "--force"]].concat();
        let output = memory::within(BYTES, &arguments);
        let said = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{arguments:?}, {}: {said}", case.told());
        let (read, written) = [one, &out].map(|file| fs::metadata(file).expect("a file").len()).into();
        assert!(written <= read * 2 + 8192, "{arguments:?}: {read} bytes became {written}");
    }
}
