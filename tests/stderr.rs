//! What comes out of a capture never reaches a terminal raw.

mod program;

use events::Raw;
use format::{Side, Unavailable, User};
use program::synthetic::{Made, process};
use program::{Folder, event, text, tracer};

const TITLE: &str = "\u{1b}]0;owned\u{7}\u{1b}[31mred\u{202e}\u{200b}\ntracer: verified";

/// The same as YAML writes it.
const YAML: &str = r#""\e]0;owned\a\e[31mred\u202e\u200b\ntracer: verified""#;

/// A capture whose every string of the header and beside the events is what a terminal would obey.
fn hostile(folder: &Folder) -> String {
    let mut made = Made::new();
    made.header.program = TITLE.into();
    made.header.host.hostname = TITLE.into();
    let recording = &mut made.header.recording;
    recording.only_matched = true;
    recording.filters = vec![format!("comm={TITLE}"), "64:comm=id".into()];
    recording.policies =
        vec![format!("type: policy\nname: {YAML}\nscope: [global]\nrules: [{{event: openat}}]\n")];
    recording.events = vec!["openat".into(), format!("-{TITLE}")];
    recording.command_line = vec![TITLE.into()];
    recording.made_from = TITLE.into();
    recording.unavailable = vec![Unavailable { event: "close".into(), reason: TITLE.into() }];
    let user = User { host: 0, uid: 7, name: TITLE.into() };
    made.sides.push(Side::Users(vec![user]));
    let evil = process(500, 1, 1000, TITLE, TITLE);
    made.push(&event(1_000_000, "openat", evil, &[("pathname", Raw::Bytes(TITLE.as_bytes()))]));
    folder.capture("hostile.trz", made)
}

#[test]
fn a_hostile_capture_moves_no_cursor_whatever_is_asked_of_it() {
    let folder = Folder::new();
    let file = hostile(&folder);
    let out = text(&folder.path("out.trz"));
    let torn = text(&folder.path("torn.trz"));
    let whole = std::fs::read(&file).unwrap();
    std::fs::write(&torn, &whole[..whole.len() - 33]).unwrap();
    for arguments in [
        vec!["replay", &file],
        vec!["replay", &file, "-f", "comm=id"],
        vec!["replay", &file, "-f", "event=close,openat", "--stats"],
        vec!["replay", &file, "-f", "user=nobody-there"],
        vec!["replay", &torn, "-f", "comm=id"],
        vec!["replay", "no\u{1b}[31msuch.trz"],
        vec!["info", &file],
        vec!["verify", &file],
        vec!["explain", &file, "-f", "user=nobody-there"],
        vec!["explain", &file, "-f", "comm=id", "--event", "1"],
        vec!["diff", &file, "--before", "-f comm=id", "--after", "-f user=nobody-there"],
        vec!["cut", &file, "-f", "user=nobody-there", "-o", &out],
        vec!["recover", &torn, "-o", &out, "--force"],
        vec!["redact", &torn, "--drop", "any", "-o", &out, "--force"],
    ] {
        let output = tracer(&arguments);
        for stream in [output.stdout, output.stderr] {
            let said = String::from_utf8(stream).expect("what is printed is UTF-8");
            let raw = said.chars().find(|c| *c != '\n' && !scopes::is_printable(*c));
            assert_eq!(raw, None, "{arguments:?}: {said:?}");
            assert!(!said.contains("\ntracer: verified"), "{arguments:?}: {said}");
        }
    }
}

#[test]
fn names_of_policies_are_told_with_their_controls_spelled_out() {
    let folder = Folder::new();
    let output = tracer(&["replay", &hostile(&folder)]);
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(said.contains("\\x1b]0;owned\\x07\\x1b[31mred"), "{said}");
}
