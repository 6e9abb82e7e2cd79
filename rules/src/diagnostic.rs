//! What is wrong with a rule file, where, and what was perhaps meant.

use std::fmt;
use std::sync::Arc;

use scopes::is_printable;

/// Where something stands in a file of rules.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct Place {
    pub file: Arc<str>,
    /// From 1; 0 stands for the whole file.
    pub line: u32,
    /// From 1, in characters.
    pub column: u32,
}

impl fmt::Display for Place {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "{}", one_line(&self.file))?;
        if self.line > 0 {
            write!(out, ":{}:{}", self.line, self.column)?;
        }
        Ok(())
    }
}

#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum Severity {
    /// The rule is not asked.
    Error,
    /// It is asked, and does perhaps not say what was meant.
    Warning,
}

/// One message about one place in a file of rules:
///
/// ```text
/// error: unknown modifier "contians" in shell.yml:12:22; did you mean "contains"?
///   12 |         CommandLine|contians: foo
///      |                     ^^^^^^^^
/// ```
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Diagnostic {
    pub severity: Severity,
    pub place: Place,
    /// Characters that are meant, from the column on.
    pub width: u32,
    /// The line of the file.
    pub text: Box<str>,
    pub message: Box<str>,
    pub suggestion: Option<Box<str>>,
    pub allowed: Option<Box<str>>,
}

impl Diagnostic {
    pub fn suggesting(mut self, name: Option<&str>) -> Diagnostic {
        self.suggestion = name.map(Box::from);
        self
    }

    pub fn allowing(mut self, allowed: impl Into<String>) -> Diagnostic {
        self.allowed = Some(allowed.into().into_boxed_str());
        self
    }

    pub fn as_warning(self) -> Diagnostic {
        Diagnostic { severity: Severity::Warning, ..self }
    }

    pub fn is_error(&self) -> bool {
        self.severity == Severity::Error
    }
}

/// What is said of one line, at most.
pub const MAX_PER_LINE: usize = 16;

/// Leaves so many of each line, which stand together, and says that there are more.
pub fn bounded(all: Vec<Diagnostic>) -> Vec<Diagnostic> {
    let mut left: Vec<Diagnostic> = Vec::with_capacity(all.len());
    let mut of_line = 0;
    for it in all {
        let is_same = left.last().is_some_and(|last: &Diagnostic| {
            last.place.line > 0 && (&last.place.file, last.place.line) == (&it.place.file, it.place.line)
        });
        of_line = if is_same { of_line + 1 } else { 0 };
        match of_line {
            MAX_PER_LINE => left.push(Diagnostic {
                message: "more than this is wrong with this line".into(),
                suggestion: None,
                allowed: None,
                ..it
            }),
            of_line if of_line > MAX_PER_LINE => {}
            _ => left.push(it),
        }
    }
    left
}

impl fmt::Display for Diagnostic {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let severity = match self.severity {
            Severity::Error => "error",
            Severity::Warning => "warning",
        };
        write!(out, "{severity}: {} in {}", one_line(&self.message), self.place)?;
        if let Some(name) = &self.suggestion {
            write!(out, "; did you mean {name:?}?")?;
        }
        if self.place.line > 0 && !self.text.is_empty() {
            let number = self.place.line.to_string();
            let indent = (self.place.column as usize).saturating_sub(1);
            // A caret under what is not there would be nowhere.
            let left = self.text.chars().count().saturating_sub(indent).max(1);
            let carets = "^".repeat((self.width as usize).clamp(1, left));
            write!(out, "\n  {number} | {}", one_line(&self.text))?;
            write!(out, "\n  {:width$} | {:indent$}{carets}", "", "", width = number.len())?;
        }
        if let Some(allowed) = &self.allowed {
            write!(out, "\n  allowed: {}", one_line(allowed))?;
        }
        Ok(())
    }
}

/// Files of rules are foreign: control characters would tear the caret line, and terminals obey them.
fn one_line(text: &str) -> String {
    text.chars().map(|c| if is_printable(c) { c } else { '\u{fffd}' }).collect()
}

/// A file of rules as it was given.
#[derive(Clone, Copy, Debug)]
pub struct File<'a> {
    pub name: &'a Arc<str>,
    pub text: &'a str,
}

impl File<'_> {
    pub fn place(&self, line: u32, column: u32) -> Place {
        Place { file: Arc::clone(self.name), line, column }
    }

    /// An error about `width` characters from a place on.
    pub fn error(&self, line: u32, column: u32, width: u32, message: impl Into<String>) -> Diagnostic {
        let text = (line as usize).checked_sub(1).and_then(|at| self.text.lines().nth(at)).unwrap_or("");
        // Tabs have no width of their own; a very long line would hide the caret.
        let text: String = text.replace('\t', " ").chars().take(240).collect();
        Diagnostic {
            severity: Severity::Error,
            place: self.place(line, column),
            width,
            text: text.into_boxed_str(),
            message: message.into().into_boxed_str(),
            suggestion: None,
            allowed: None,
        }
    }

    /// An error about some bytes of the file; of several lines the first is shown.
    pub fn error_within(&self, span: std::ops::Range<usize>, message: impl Into<String>) -> Diagnostic {
        let before = self.text.get(..span.start).unwrap_or(self.text);
        let line = before.matches('\n').count() as u32 + 1;
        let column = before.rsplit('\n').next().unwrap_or("").chars().count() as u32 + 1;
        let inside = self.text.get(span).unwrap_or("").lines().next().unwrap_or("");
        self.error(line, column, inside.chars().count().max(1) as u32, message)
    }

    /// An error about the whole file.
    pub fn whole(&self, message: impl Into<String>) -> Diagnostic {
        self.error(0, 0, 0, message)
    }
}

/// A file that is kept until all were read: what is wrong shows when names are put in.
#[derive(Clone, Debug)]
pub struct Kept {
    name: Arc<str>,
    text: Arc<str>,
}

impl Kept {
    pub fn of(file: &File<'_>) -> Kept {
        Kept { name: Arc::clone(file.name), text: file.text.into() }
    }

    pub fn file(&self) -> File<'_> {
        File { name: &self.name, text: &self.text }
    }

    /// The folder that it is in, as it was named.
    pub fn folder(&self) -> &str {
        self.name.rsplit_once('/').map_or("", |(folder, _)| folder)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_caret_stands_under_what_is_wrong() {
        let name: Arc<str> = "shell.yml".into();
        let file = File { name: &name, text: "a: b\n  CommandLine|contians: foo\n" };
        let told = file.error(2, 15, 8, "unknown modifier \"contians\"").suggesting(Some("contains"));
        assert_eq!(
            told.to_string(),
            "error: unknown modifier \"contians\" in shell.yml:2:15; did you mean \"contains\"?\n\
             \x20 2 |   CommandLine|contians: foo\n\
             \x20   |               ^^^^^^^^"
        );
    }
}
