//! Answers of DNS that give the names by which a filter asks for peers: their packets stay unseen, so that the cut knows whom
//! the name means as the whole does.

use std::collections::{HashMap, HashSet};

use anyhow::Result;
use pipeline::{Question, Source, names};
use scopes::pattern::Pattern;

use super::streams::Streams;

/// Rows of packets, by block.
#[derive(Default)]
pub struct Answers(HashMap<usize, HashSet<usize>>);

impl Answers {
    /// Those that give one of the names. Of an answer that came over TCP the whole stream stays.
    pub fn of(source: &Source, asked: &[Pattern], streams: &mut Streams) -> Result<Answers> {
        let mut answers = Answers::default();
        if asked.is_empty() {
            return Ok(answers);
        }
        let plan = names::plan();
        let question = Question::new(source, names::matchers(&plan, source));
        question.each_in_block(&mut |_, reference, view| {
            let mut is_asked = false;
            names::answers(view, &mut |name, _| {
                let name = name.trim_end_matches('.').to_ascii_lowercase();
                is_asked |= asked.iter().any(|pattern| pattern.matches(name.as_bytes()));
            });
            if !is_asked {
                return;
            }
            if !reference.is_end() {
                answers.0.entry(reference.block).or_default().insert(view.at.row as usize);
            }
            if let Some((event, args)) = view.base {
                streams.add(reference.boot, event, args);
            }
        })?;
        Ok(answers)
    }

    pub fn are_in(&self, block: usize) -> bool {
        self.0.contains_key(&block)
    }

    pub fn has(&self, block: usize, row: usize) -> bool {
        self.0.get(&block).is_some_and(|rows| rows.contains(&row))
    }
}
