//! What of a program holds for a row.

use super::row::Row;
use crate::compile::{Node, Program};
use crate::form::{Test, same};

impl Row<'_, '_> {
    /// Whether a program takes the row.
    pub fn is_taken(&self, program: &Program) -> bool {
        self.passes(program.guard) && self.holds(&program.node) && self.is_within(program)
    }

    /// Whether the log that the program is about has a record of the row.
    pub fn is_within(&self, program: &Program) -> bool {
        let Some(number) = program.within else { return true };
        let within = self.judged.programs.within.get(number as usize);
        within.is_some_and(|within| {
            within.parts.iter().any(|(guard, node)| self.passes(*guard) && self.holds(node))
        })
    }

    pub fn holds(&self, node: &Node) -> bool {
        match node {
            Node::Const(value) => *value,
            Node::Not(inner) => !self.holds(inner),
            Node::All(parts) => parts.iter().all(|part| self.holds(part)),
            Node::Any(parts) => parts.iter().any(|part| self.holds(part)),
            Node::Atom(atom) => {
                let column = self.judged.programs.column_of.get(*atom as usize).copied().unwrap_or_default();
                self.judged.has(column as usize, self, *atom)
            }
            Node::Time(atom) => self.is_at(*atom),
            Node::Same(atom, own, other) => {
                let Some(Test::SameAs(_, case, shape)) =
                    self.judged.programs.atoms.get(*atom as usize).map(|atom| &atom.test)
                else {
                    return false;
                };
                let mut holds = false;
                self.each_value(own, &mut |left| {
                    self.each_value(other, &mut |right| holds |= same(left, right, *case, *shape));
                });
                holds
            }
        }
    }
}
