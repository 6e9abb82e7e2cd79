//! Files of auditctl: watches and rules of system calls, a line each.
//!
//! ```text
//! line   -> parse  words with places, what they say (`written`), and all that is wrong
//!        -> lower  for each kind of happening where the line's rule holds; lines before it go first
//! lines  -> profile  by key, for rules of other languages that ask for it
//! ```

mod lower;
mod parse;
mod profile;
#[cfg(test)]
mod tests;
mod written;

use std::collections::BTreeSet;
use std::sync::Arc;

use lower::Lowered;
pub use profile::Profile;
use written::{Action, Line, Written};

use crate::class::Class;
use crate::diagnostic::{Diagnostic, File, Kept};
use crate::form::{Arm, Body, Expr, Query};
use crate::reader::Corpus;
use crate::rule::{Language, Level, Rule};

/// Lines that are read of one file: each is asked whether one before it goes first.
const MAX_LINES: usize = 8192;

/// Reads files of auditctl. Rules of all files are one list, in order of files, as they are loaded.
#[derive(Debug, Default)]
pub struct Audit {
    rules: Vec<(Arc<Kept>, Written)>,
    diagnostics: Vec<Diagnostic>,
    found: usize,
}

impl Audit {
    /// Whether a text is such a file: its first line that says something begins with an option of auditctl.
    pub fn reads(text: &str) -> bool {
        let mut lines = text.lines().map(str::trim).filter(|line| !line.is_empty() && !line.starts_with('#'));
        let first = lines.next().and_then(|line| line.split_whitespace().next());
        first.is_some_and(|word| {
            word.starts_with("--") || word.len() == 2 && word.starts_with('-') && word.is_ascii()
        })
    }

    pub fn add(&mut self, file: &File<'_>) {
        let kept = Arc::new(Kept::of(file));
        let mut at = 0;
        for (number, line) in file.text.split_inclusive('\n').enumerate() {
            if number >= MAX_LINES {
                self.diagnostics.push(file.whole(format!("more than {MAX_LINES} lines")));
                return;
            }
            let mut errors = Vec::new();
            match parse::line(file, line, at, &mut errors) {
                Line::Nothing => {}
                Line::Control => {}
                Line::Rule(written) => {
                    self.found += usize::from(written.action == Action::Always);
                    let is_wrong = errors.iter().any(Diagnostic::is_error);
                    // One that is wrong is kept for those behind it, which would be hidden by it.
                    if !is_wrong && written.is_first {
                        self.rules.insert(0, (Arc::clone(&kept), *written));
                    } else if !is_wrong {
                        self.rules.push((Arc::clone(&kept), *written));
                    }
                }
            }
            self.diagnostics.append(&mut errors);
            at += line.len();
        }
    }

    /// All that records are made of, of each kind of happening: where the first line that fits is no `never`.
    pub fn taken(&self) -> Vec<Arm> {
        let lowered: Vec<Lowered<'_>> = self.rules.iter().map(|(_, written)| Lowered::new(written)).collect();
        let making = lowered.iter().filter(|it| it.written.action == Action::Always);
        // Lines name calls in sets that overlap: each call by itself is asked once.
        let classes: BTreeSet<Class> = making.flat_map(Lowered::classes).flat_map(lower::single).collect();
        let arms = classes.into_iter().map(|class| {
            let expr = lower::taken(&lowered, &class);
            Arm::new(class, expr)
        });
        arms.filter(|arm| arm.expr != Expr::Const(false)).collect()
    }

    pub fn finish(self, corpus: &mut Corpus) {
        corpus.found += self.found;
        corpus.diagnostics.extend(self.diagnostics);
        let lowered: Vec<Lowered<'_>> = self.rules.iter().map(|(_, written)| Lowered::new(written)).collect();
        for (number, ((kept, written), own)) in self.rules.iter().zip(&lowered).enumerate() {
            let earlier = lowered.get(..number).unwrap_or_default();
            // A call of either width is one event here: the line that says the same for the other says nothing more.
            let twin = earlier.iter().find(|other| other.written.is_twin_of(written));
            if written.action == Action::Never || twin.is_some() {
                corpus.found -= usize::from(written.action == Action::Always);
                continue;
            }
            corpus.rules.push(rule(kept, written, own, earlier));
        }
    }
}

fn rule(kept: &Kept, written: &Written, own: &Lowered<'_>, earlier: &[Lowered<'_>]) -> Rule {
    let file = kept.file();
    let earlier: Vec<&Lowered<'_>> = earlier.iter().filter(|other| other.may_meet(own)).collect();
    let before =
        |class: &Class| Expr::any(earlier.iter().filter_map(|other| other.expr(class)).collect::<Vec<_>>());
    let mut classes = own.classes();
    // A line before it that asks for a register goes first as well.
    if earlier.iter().any(|other| other.asks_arguments()) {
        classes = classes.into_iter().flat_map(lower::single).collect();
    }
    let arms = classes.into_iter().filter_map(|class| {
        let expr = own.expr(&class)?;
        let expr = Expr::all([expr, before(&class).negated()]);
        (expr != Expr::Const(false)).then(|| Arm::new(class, expr))
    });
    let place = file.place(written.line, 1);
    let title = written.key.clone().unwrap_or_else(|| written.text.clone());
    let mut notes = own.notes();
    if written.is_compat {
        notes.push("calls of 32-bit programs are not told apart from those of 64-bit ones".into());
    }
    Rule {
        id: format!("{title}:{}", written.line),
        title,
        level: Level::Info,
        language: Language::Audit,
        authors: Vec::new(),
        licence: None,
        description: written.text.clone(),
        tags: written.key.iter().cloned().collect(),
        place,
        output: None,
        body: Body::Event(Query { arms: arms.collect() }),
        is_told: true,
        notes,
    }
}
