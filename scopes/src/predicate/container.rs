//! The container of a task.

use crate::filter::Value;
use crate::predicate::text::{TextKey, Texts, word};
use crate::predicate::{Asked, gate};
use crate::subject::{ContainerFacts, Recording, Subject};
use crate::syntax::Op;
use crate::words::{Gate, Words};

#[derive(Debug)]
pub(crate) struct ContainerKey {
    gate: Gate,
    /// Scopes that ask for any container: bare `container`, and whoever asks about its age.
    inside: u64,
    /// Scopes that ask for none.
    outside: u64,
    texts: Texts,
    new: Words,
    started: Words,
}

impl ContainerKey {
    pub fn new(asked: &[Asked<'_>]) -> ContainerKey {
        let (mut inside, mut outside, mut texts) = (0, 0, Vec::new());
        let (mut new, mut started) = (Words::default(), Words::default());
        let mut with_values = Vec::new();
        for Asked { bit, filters } in asked {
            let mut valued = Vec::new();
            for filter in filters {
                match filter.op {
                    Op::Is => inside |= bit,
                    Op::IsNot => outside |= bit,
                    _ => valued.push(*filter),
                }
                for value in &filter.values {
                    let word = word(*bit, filter.is_positive());
                    match value {
                        Value::New => new.add(word),
                        Value::Started => started.add(word),
                        Value::Text(pattern) => texts.push((pattern, word)),
                        _ => {}
                    }
                }
            }
            if !valued.is_empty() {
                with_values.push(Asked { bit: *bit, filters: valued });
            }
        }
        // "Not new" is said of a container: nothing on the host is that.
        inside |= new.not | started.not;
        ContainerKey { gate: gate(&with_values), inside, outside, texts: Texts::of(texts), new, started }
    }

    /// Whether a name may decide: what a scope writes is an id's beginning or a name, and only a look tells which.
    pub fn asks_texts(&self) -> bool {
        !self.texts.is_empty()
    }

    pub fn asks_started(&self) -> bool {
        self.started != Words::default()
    }

    pub fn mask(&self, subject: &Subject<'_>) -> u64 {
        let Some(container) = subject.container else {
            return self.gate.close(Words::default()) & !self.inside;
        };
        let mut words = self.texts.words_of_id(container.id.as_bytes());
        if !container.name.is_empty() {
            words.add(self.texts.words(container.name.as_bytes()));
        }
        if container.created_ns.is_some_and(|created| created >= subject.recording.start_ns) {
            words.add(self.new);
        }
        if container.started_ns.is_some_and(|started| started <= subject.time_ns) {
            words.add(self.started);
        }
        self.gate.close(words) & !self.outside
    }

    /// The scopes that a container's tasks may pass, now or when its name is known and its entry point has started.
    pub fn may(&self, container: Option<&ContainerFacts<'_>>, recording: Recording) -> u64 {
        let Some(container) = container else {
            return self.gate.close(Words::default()) & !self.inside;
        };
        let mut words = self.texts.words_of_id(container.id.as_bytes());
        if container.name.is_empty() {
            words.equal |= self.texts.all_equal();
        } else {
            words.add(self.texts.words(container.name.as_bytes()));
        }
        if container.created_ns.is_some_and(|created| created >= recording.start_ns) {
            words.add(self.new);
        }
        words.equal |= self.started.equal;
        self.gate.close(words) & !self.outside
    }
}

/// The mask of `containerId`, of which a beginning is enough.
pub(crate) fn id_mask(key: &TextKey, subject: &Subject<'_>) -> u64 {
    match subject.container {
        Some(container) => key.gate.close(key.texts.words_of_id(container.id.as_bytes())),
        None => !key.gate.used,
    }
}
