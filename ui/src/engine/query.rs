//! A question that was put, and what is known of its answer.

use std::ops::Range;
use std::sync::{Arc, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};

use pipeline::{Cancellation, Question};
use replay::Asked;
use scopes::{Diagnostic, ScopeSet};

use super::Shared;
use crate::answer::Answer;

#[derive(Debug)]
pub struct Query {
    /// Counts the questions of a session.
    pub version: u64,
    pub shared: Arc<Shared>,
    pub filters: Vec<String>,
    /// The scopes; `None`: those of the recording.
    pub set: Option<ScopeSet>,
    pub asked: Asked,
    /// Wall clock, ns since the epoch.
    pub range: Option<Range<i64>>,
    pub cancellation: Cancellation,
    answer: RwLock<Answer>,
}

impl Query {
    pub fn new(
        ask: &crate::message::Ask,
        shared: Arc<Shared>,
        check: &crate::Check,
    ) -> Result<Query, Vec<Diagnostic>> {
        let set = check(&ask.filters)?;
        let set = if set.is_empty() { None } else { Some(set) };
        let asked = match &set {
            Some(set) => Asked::given(set.clone(), &shared.source)?,
            None => Asked::recorded(&shared.source),
        };
        let answer = RwLock::new(Answer::new(Arc::clone(&shared.layout)));
        Ok(Query {
            version: ask.version,
            shared,
            filters: ask.filters.clone(),
            set,
            asked,
            range: ask.range.clone(),
            cancellation: ask.cancellation.clone(),
            answer,
        })
    }

    /// The same question with the answer that it had when it was put before.
    pub fn again(
        &self,
        ask: &crate::message::Ask,
        shared: Arc<Shared>,
        check: &crate::Check,
    ) -> Option<Query> {
        let query = Query::new(ask, shared, check).ok()?;
        let answer = self.answer().clone();
        *query.answer_mut() = answer;
        Some(query)
    }

    pub fn answer(&self) -> RwLockReadGuard<'_, Answer> {
        self.answer.read().unwrap_or_else(PoisonError::into_inner)
    }

    pub fn answer_mut(&self) -> RwLockWriteGuard<'_, Answer> {
        self.answer.write().unwrap_or_else(PoisonError::into_inner)
    }

    /// What is asked of the pipeline, on so many threads.
    pub fn question(&self, threads: usize) -> Question<'_> {
        Question {
            threads,
            range: self.range.clone(),
            waiting_bytes: 64 << 20,
            cancellation: self.cancellation.clone(),
            ..Question::new(&self.shared.source, self.asked.matchers(&self.shared.source))
        }
    }
}
