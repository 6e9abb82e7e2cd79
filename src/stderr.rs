//! The one way to stderr. Names of policies, events and users, filters and reasons come out of captures, and a capture's
//! strings are chosen by whoever was recorded, so everything that is said here is made harmless first.
#![expect(clippy::disallowed_methods, reason = "this is the writer that all others are refused for")]

use std::fmt::Display;
use std::io::{self, IsTerminal, Write};
use std::sync::atomic::{AtomicUsize, Ordering};

use scopes::spelled_out;

/// Says one line as it is: the end of a run, or a result.
pub fn say(line: impl Display) {
    write(&harmless(&line.to_string(), false));
}

/// Says one line in the program's name.
pub fn note(line: impl Display) {
    say(format_args!("tracer: {line}"));
}

/// Says one line that the user should not miss.
pub fn warn(line: impl Display) {
    say(format_args!("tracer: warning: {line}"));
}

/// Says what has lines of its own, such as a filter and a caret below it.
pub fn say_lines(lines: impl Display) {
    write(&harmless(&lines.to_string(), true));
}

pub fn is_terminal() -> bool {
    io::stderr().is_terminal()
}

/// Characters that [`status`] has written into a terminal's last line.
static SHOWN: AtomicUsize = AtomicUsize::new(0);

/// Writes a terminal's last line anew; an empty one takes it away. No escape sequences are needed for it, and a line that
/// would not fit is cut: what goes on in the next line could not be taken away.
pub fn status(line: impl Display) {
    let width = terminal_size::terminal_size_of(io::stderr()).map_or(80, |(width, _)| usize::from(width.0));
    let line: String = harmless(&line.to_string(), false).chars().take(width.saturating_sub(1)).collect();
    let shown = line.chars().count();
    let before = SHOWN.swap(shown, Ordering::Relaxed);
    let blanks = before.saturating_sub(shown);
    let back = if shown == 0 { "\r" } else { "" };
    let _ = write!(io::stderr().lock(), "\r{line}{:blanks$}{back}", "");
}

/// Nobody is left to tell when stderr is closed.
fn write(text: &str) {
    let shown = SHOWN.swap(0, Ordering::Relaxed);
    let mut stderr = io::stderr().lock();
    if shown > 0 {
        let _ = write!(stderr, "\r{:shown$}\r", "");
    }
    let _ = writeln!(stderr, "{text}");
}

/// The text with its unprintable characters spelled out, but for its lines where it has lines of its own.
fn harmless(text: &str, has_lines: bool) -> String {
    if !has_lines {
        return spelled_out(text);
    }
    text.split('\n').map(spelled_out).collect::<Vec<_>>().join("\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_terminal_would_obey_is_spelled_out() {
        assert_eq!(
            harmless("scope 1 is \x1b]0;owned\x07\x1b[31mred", false),
            "scope 1 is \\x1b]0;owned\\x07\\x1b[31mred"
        );
        assert_eq!(harmless("a\nverified: good", false), "a\\x0averified: good");
        assert_eq!(harmless("error\n  ^\x1b[0m", true), "error\n  ^\\x1b[0m");
        assert_eq!(harmless("\u{202e}gnp.exe", false), "\\xe2\\x80\\xaegnp.exe");
        assert_eq!(harmless("Grüße 日本", false), "Grüße 日本");
    }
}
