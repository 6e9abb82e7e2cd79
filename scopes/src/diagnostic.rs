//! What is wrong with a filter, where, what is allowed there, and what was perhaps meant.

use std::fmt;
use std::ops::Range;

use crate::is_printable;

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Severity {
    /// The run does not start; exit code 2.
    Error,
    /// The filter was changed to what it can mean, or is suspicious.
    Warning,
}

/// One message about one filter. Displays as several lines without a newline at the end:
///
/// ```text
/// error: unknown filter key "com" in -f 9:com=ls; did you mean "comm"?
///   -f 9:com=ls
///        ^^^
///   allowed: event, set, comm, ...
/// ```
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Diagnostic {
    pub severity: Severity,
    /// How the user gave it: `-f`, or `etc.yaml:12:9` for a policy file.
    pub flag: String,
    /// The filter as written.
    pub text: String,
    /// The bytes of `text` that are meant.
    pub span: Range<usize>,
    pub message: String,
    /// The nearest valid name.
    pub suggestion: Option<String>,
    /// What may stand there.
    pub allowed: Option<String>,
}

impl Diagnostic {
    pub fn is_error(&self) -> bool {
        self.severity == Severity::Error
    }
}

impl fmt::Display for Diagnostic {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let severity = match self.severity {
            Severity::Error => "error",
            Severity::Warning => "warning",
        };
        let (shown, flag) = (one_line(&self.text), one_line(&self.flag));
        write!(out, "{severity}: {} in {flag}", one_line(&self.message))?;
        if !shown.is_empty() {
            write!(out, " {shown}")?;
        }
        if let Some(name) = &self.suggestion {
            write!(out, "; did you mean {name:?}?")?;
        }
        if !shown.is_empty() {
            // Carets count what is shown, one cell per character.
            let cells = |to: usize| one_line(self.text.get(..to).unwrap_or(&self.text)).chars().count();
            let start = cells(self.span.start);
            let width = cells(self.span.end).saturating_sub(start).max(1);
            let indent = flag.chars().count() + 1 + start;
            write!(out, "\n  {flag} {shown}\n  {:indent$}{}", "", "^".repeat(width))?;
        }
        if let Some(allowed) = &self.allowed {
            write!(out, "\n  allowed: {}", one_line(allowed))?;
        }
        Ok(())
    }
}

/// Control characters would tear the caret line, and terminals obey them. Names of users and policies come from captures.
fn one_line(text: &str) -> String {
    text.chars().map(|c| if is_printable(c) { c } else { '\u{fffd}' }).collect()
}

/// The name among `known` that is nearest to `given`, if it is near enough to have been meant.
pub fn nearest<'a>(given: &str, known: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    if given.is_empty() {
        return None;
    }
    let lower = given.to_lowercase();
    let score = |name: &str| {
        let name = name.to_lowercase();
        let joined = strsim::jaro_winkler(&lower, &name);
        // What is all of it but a prefix, as `KILL` is of `SIGKILL`, is better than a misspelling, and so is a name behind a
        // prefix, as in `sys_openat`; a beginning is as good as one.
        let ends = |long: &str, short: &str| short.len() > 2 && long.ends_with(short);
        if ends(&name, &lower) || ends(&lower, &format!("_{name}")) {
            joined.max(0.98)
        } else if name.starts_with(&lower) {
            joined.max(0.9)
        } else {
            joined
        }
    };
    known
        .into_iter()
        .map(|name| (score(name), name))
        .filter(|(score, _)| *score >= 0.8)
        .max_by(|a, b| a.0.total_cmp(&b.0).then_with(|| b.1.cmp(a.1)))
        .map(|(_, name)| name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_caret_stands_under_what_is_wrong() {
        let diagnostic = Diagnostic {
            severity: Severity::Error,
            flag: "-f".into(),
            text: "9:com=ls".into(),
            span: 2..5,
            message: "unknown filter key \"com\"".into(),
            suggestion: nearest("com", ["container", "comm", "uid"]).map(String::from),
            allowed: None,
        };
        assert_eq!(
            diagnostic.to_string(),
            "error: unknown filter key \"com\" in -f 9:com=ls; did you mean \"comm\"?\n  -f 9:com=ls\n       ^^^"
        );
    }

    #[test]
    fn a_name_that_is_like_nothing_gets_no_suggestion() {
        assert_eq!(nearest("zzzz", ["openat", "close"]), None);
        assert_eq!(nearest("opnat", ["openat", "open", "close"]), Some("openat"));
        assert_eq!(nearest("sys_openat", ["sys_enter", "openat"]), Some("openat"));
        assert_eq!(nearest("filesystem", ["system"]), None);
        assert_eq!(nearest("inet", ["AF_INET6", "AF_INET"]), Some("AF_INET"));
    }
}
