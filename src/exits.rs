//! What exit codes mean, by subcommand: for help and manual pages.

const DONE: (&str, &str) = ("0", "it was done; a reader that has seen enough of a pipe (| head) is no error");
const ERROR: (&str, &str) = ("2", "an error; stderr says what");
const PARTIAL: (&str, &str) =
    ("2", "an error, or an answer from which something is missing; stderr says what");

/// What 1 is, where it is anything.
const FOUND: &[(&str, &str)] = &[
    ("watch", "with --until: it did not come"),
    ("replay", "with --exit-code: no event matched"),
    ("verify", "a file is not what was written, or a part of a rotated set is missing or exchanged"),
    ("catalog", "with --check: it says otherwise than a capture"),
    ("case", "verify: it is not what was signed"),
    ("diff", "the two sets of scopes see something differently"),
    ("scan", "with --fail-on: there is a finding of this level or above"),
    ("rules", "check: something cannot be read; test: something differs from what is expected"),
    ("doctor", "this host cannot record"),
];

/// Those that have no captures to answer from.
const ANSWERLESS: &[&str] =
    &["case", "catalog", "keygen", "events", "config", "completions", "help", "doctor", "record"];

/// The codes of a subcommand, each with what it means.
pub fn of(name: &str) -> Vec<(&'static str, &'static str)> {
    let mut codes = vec![DONE];
    codes.extend(FOUND.iter().filter(|(command, _)| *command == name).map(|(_, what)| ("1", *what)));
    codes.push(if ANSWERLESS.contains(&name) { ERROR } else { PARTIAL });
    if name == "record" {
        codes.push((
            "-- COMMAND",
            "the exit code of the command; 128 and the signal that ended it; 126 or 127 where it could not be started",
        ));
    }
    codes
}

/// The same as lines of help.
pub fn text(name: &str) -> String {
    let codes = of(name);
    let width = codes.iter().map(|(code, _)| code.len()).max().unwrap_or(0);
    let lines: Vec<String> = codes.iter().map(|(code, what)| format!("  {code:<width$}  {what}")).collect();
    format!("Exit codes:\n{}", lines.join("\n"))
}
