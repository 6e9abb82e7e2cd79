//! What hosts were at a moment, stories, and what was done with files and over connections: the same of a capture in parts, in any
//! order, and of what came before the moment alone.

use super::parts::times;
use crate::case::{Case, as_strs};
use crate::program::{printed, tracer};
use crate::random::Random;
use crate::rows::assert_same;

const KINDS: [&str; 5] = ["ps", "lsof", "ss", "mounts", "containers"];

fn state(kind: &str, files: &[&str], more: &[&str]) -> String {
    printed(&[&[kind][..], files, &["-o", "json", "--utc"], more].concat())
}

/// The state at a moment: of the whole, in parts, and of what came before it.
pub fn states(case: &Case, random: &mut Random) {
    let [at, _] = times(case, random).map(|time| time.to_string());
    let parts = as_strs(case.parts(random));
    let mut reversed = parts.clone();
    reversed.reverse();
    let mut others = case.files();
    others.reverse();
    let before = case.path("before.trz");
    printed(&["cut", case.one(), "-o", &before, "--to", &at]);
    for kind in KINDS {
        let what = |how: &str| format!("{kind} --at {at}, {how}, {}", case.told());
        let expected = state(kind, &[case.one()], &["--at", &at]);
        assert_same(&state(kind, &parts, &["--at", &at]), &expected, &what("in parts"));
        assert_same(&state(kind, &reversed, &["--at", &at]), &expected, &what("in parts, reversed"));
        assert_same(&state(kind, &[&before], &[]), &expected, &what("what came before"));
        let all = state(kind, &case.files(), &["--at", &at]);
        assert_same(&state(kind, &others, &["--at", &at]), &all, &what("files reversed"));
        assert_same(&state(kind, &case.files(), &["--at", &at, "--threads", "3"]), &all, &what("threads"));
    }
}

/// Stories, and what was done with files, by users and over connections.
pub fn uses(case: &Case, random: &mut Random) {
    let parts = as_strs(case.parts(random));
    let of = *random.of(&["pid=20", "pid=21", "path=/etc/passwd", "peer=10.0.0.2*", "path=*notes*"]);
    let path = *random.of(&["/etc/passwd", "/etc/*", "/tmp/*"]);
    let questions: [(&str, &[&str]); 4] =
        [("story", &["--of", of]), ("file", &[path]), ("user", &["alice"]), ("conn", &[])];
    for question in questions {
        let ask = |files: &[&str], more: &[&str]| {
            let (command, asked) = question;
            let output = tracer(&[&[command][..], files, asked, &["-o", "json"], more].concat());
            // What is nowhere is refused, in the parts as in the whole.
            (output.status.code(), String::from_utf8(output.stdout).expect("UTF-8"))
        };
        let expected = ask(&[case.one()], &[]);
        let what = |how: &str| format!("{question:?}, {how}, {}", case.told());
        for (how, found) in
            [("in parts", ask(&parts, &[])), ("threads", ask(&[case.one()], &["--threads", "3"]))]
        {
            assert_eq!(found.0, expected.0, "{}", what(how));
            assert_same(&found.1, &expected.1, &what(how));
        }
    }
}
