//! Several sets of scopes asked of the same captures, one after the other: for answers that compare them.

use std::ops::ControlFlow;

use pipeline::{Gap, Question, Sink, Source, Stats};
use scopes::ScopeSet;

use crate::{Asked, Error};

/// Captures that are asked, and what was found missing from them while they were.
#[derive(Debug)]
pub struct Asker<'a> {
    pub source: &'a Source,
    pub threads: usize,
    /// The first damaged block ends the answer; otherwise it is a gap in it.
    pub strict: bool,
    /// Blocks that could not be read, each once.
    pub gaps: Vec<Gap>,
}

impl<'a> Asker<'a> {
    pub fn new(source: &'a Source, threads: usize) -> Asker<'a> {
        Asker { source, threads, strict: false, gaps: Vec::new() }
    }

    /// Asks one set of scopes; `take` gets what pieces of the answer became, and says whether to go on.
    pub(crate) fn ask<S: Sink>(
        &mut self,
        set: &ScopeSet,
        sink: &S,
        take: &mut dyn FnMut(S::Made) -> ControlFlow<()>,
    ) -> Result<(), Error> {
        self.with(set, |question| Ok(((), question.ask(sink, &mut |made| Ok(take(made)))?)))
    }

    /// Puts a question with one set of scopes in another way.
    pub(crate) fn with<T>(
        &mut self,
        set: &ScopeSet,
        ask: impl FnOnce(Question<'_>) -> pipeline::Result<(T, Stats)>,
    ) -> Result<T, Error> {
        let asked = Asked::given(set.clone(), self.source).map_err(Error::Filters)?;
        let matchers = asked.matchers(self.source);
        let question =
            Question { threads: self.threads, strict: self.strict, ..Question::new(self.source, matchers) };
        let (answer, stats) = ask(question)?;
        for gap in stats.gaps {
            if !self.gaps.contains(&gap) {
                self.gaps.push(gap);
            }
        }
        Ok(answer)
    }
}
