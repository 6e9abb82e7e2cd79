//! Values of the events that a sequence has so far, for the steps that ask for them.

use crate::compile::Program;
use crate::form::{Field, Join, Sequence, Side, Step, Value, same};
use crate::judge::Row;

/// Bytes of values that one sequence keeps: command lines and paths. One that would need more is given up, and counted.
const MAX_BYTES: usize = 4096;

/// By step and field: its values.
#[derive(Clone, Debug, Default)]
pub struct Kept(Vec<(usize, Field, Vec<Vec<u8>>)>);

impl Kept {
    /// Keeps of the row, which is the event of the program's step, what later steps ask for. False: there is no room for it.
    pub fn keep(&mut self, sequence: &Sequence, program: &Program, row: &Row<'_, '_>) -> bool {
        for field in sequence.kept_of(program.step) {
            let values = row.values_of(program, field);
            // The last event of a step with runs is the one that is meant.
            self.0.retain(|(step, known, _)| *step != program.step || known != field);
            self.0.push((program.step, field.clone(), values));
        }
        self.0.iter().flat_map(|(.., values)| values).map(Vec::len).sum::<usize>() <= MAX_BYTES
    }

    /// Whether a row is what the step asks for, after the events from which this was kept. What is missing is equal to nothing.
    pub fn joins(&self, step: &Step, program: &Program, row: &Row<'_, '_>) -> bool {
        step.joins.iter().all(|join| self.holds(join, program, row) != join.is_negated)
    }

    fn holds(&self, join: &Join, program: &Program, row: &Row<'_, '_>) -> bool {
        let values = |side: &Side| match side.step {
            None => row.values_of(program, &side.field),
            Some(step) => {
                let found = self.0.iter().find(|(of, field, _)| *of == step && *field == side.field);
                found.map(|(.., values)| values.clone()).unwrap_or_default()
            }
        };
        let (left, right) = (values(&join.left), values(&join.right));
        left.iter().any(|left| {
            right.iter().any(|right| same(Value::Text(left), Value::Text(right), join.case, join.shape))
        })
    }
}
