//! Which rows single filters have, kept for the next question: of several filters, the one that is added, changed or switched
//! is asked, and the others are known.
//!
//! ```text
//! comm=dd uid=0 read.retval>0         rows(comm=dd) & rows(uid=0) & rows(read.retval>0)
//! uid=0 read.retval>0                 known
//! uid=0 read.retval>0 read.fd=/x      only read.fd=/x is asked
//! ```

use std::sync::Arc;

use scopes::explain::{Part, Parts};

use super::{Query, Shared};
use crate::answer::Answer;

/// Bytes of answers that are kept: a bit a row and filter, so that 10 million events take 1.3 MB for each.
const KEPT_BYTES: usize = 32 << 20;

/// Answers by what was asked, the one that was needed last at the end.
#[derive(Debug, Default)]
pub struct Known {
    of: Option<Arc<Shared>>,
    answers: Vec<(String, Arc<Answer>)>,
}

/// What is known of a question.
#[derive(Debug)]
pub enum Composed {
    /// All of it.
    Whole(Answer),
    /// All but one filter of its only scope: that, and what the others leave.
    AllBut(Box<Part>, Answer),
    /// Less.
    Less,
}

impl Known {
    /// Forgets what was said of other captures.
    pub fn turn_to(&mut self, shared: &Arc<Shared>) {
        if !self.of.as_ref().is_some_and(|of| Arc::ptr_eq(of, shared)) {
            *self = Known { of: Some(Arc::clone(shared)), answers: Vec::new() };
        }
    }

    fn get(&mut self, identity: &str) -> Option<Arc<Answer>> {
        let at = self.answers.iter().position(|(known, _)| known == identity)?;
        let found = self.answers.remove(at);
        let answer = Arc::clone(&found.1);
        self.answers.push(found);
        Some(answer)
    }

    pub fn keep(&mut self, identity: &str, answer: Answer) {
        self.answers.retain(|(known, _)| known != identity);
        self.answers.push((identity.to_owned(), Arc::new(answer)));
        let memory = |of: &[(String, Arc<Answer>)]| of.iter().map(|(_, it)| it.memory()).sum::<usize>();
        while self.answers.len() > 1 && memory(&self.answers) > KEPT_BYTES {
            self.answers.remove(0);
        }
    }

    /// What single filters say of a question that is taken apart.
    pub fn compose(&mut self, scopes: &[Parts]) -> Composed {
        let mut whole: Option<Answer> = None;
        for scope in scopes {
            let (mut all, mut missing) = (None::<Answer>, Vec::new());
            for part in &scope.parts {
                match self.get(&part.identity) {
                    Some(known) => {
                        all = Some(all.map_or_else(|| (*known).clone(), |all| all.and(&known)));
                    }
                    None => missing.push(part),
                }
            }
            match (missing.as_slice(), all, scopes.len()) {
                ([], Some(all), _) => whole = Some(whole.map_or_else(|| all.clone(), |whole| whole.or(&all))),
                ([one], Some(all), 1) => return Composed::AllBut(Box::new((*one).clone()), all),
                _ => return Composed::Less,
            }
        }
        whole.map_or(Composed::Less, Composed::Whole)
    }

    /// The filters of a question that nothing is known of.
    pub fn missing<'p>(&self, scopes: &'p [Parts]) -> Vec<&'p Part> {
        let is_known = |part: &&Part| self.answers.iter().any(|(known, _)| *known == part.identity);
        let mut missing: Vec<&Part> =
            scopes.iter().flat_map(|it| &it.parts).filter(|it| !is_known(it)).collect();
        missing.dedup_by(|a, b| a.identity == b.identity);
        missing
    }
}

/// The filters of a question by themselves, where rows are those that all of a scope let pass.
pub fn of(query: &Query) -> Option<Vec<Parts>> {
    // A stretch of time ends inside of blocks.
    if query.range.is_some() {
        return None;
    }
    let mut set = query.set.clone()?;
    replay::asked::resolve(&mut set, &query.shared.source).ok()?;
    Parts::of(&set)
}
