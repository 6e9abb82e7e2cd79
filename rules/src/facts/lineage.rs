//! Executions that rules ask for later: decided when they happen, and passed on to whoever descends from the process.

use std::sync::Arc;

use events::context::Entity;

use super::{Process, Processes, Subject};
use crate::access::{each_computed, variable};
use crate::form::{Execution, Expr, Field, Kin, Test, Value, same};

/// The parent of whoever has none.
const NOBODY: Entity = Entity { pid: 0, start_ns: 0 };

/// Executions that were asked for, each with the executable.
type Executed = Arc<[(Execution, Arc<[u8]>)]>;

/// What a process executed itself, and what its ancestors did before they forked. `None`: nothing that is asked for.
#[derive(Clone, Debug, Default)]
pub struct Lineage {
    own: Option<Executed>,
    of_ancestors: Option<Executed>,
}

impl Lineage {
    fn of(&self, kin: Kin) -> &[(Execution, Arc<[u8]>)] {
        let executed = if kin == Kin::Ancestor { &self.of_ancestors } else { &self.own };
        executed.as_deref().unwrap_or_default()
    }
}

impl Processes {
    /// The lineage of a process that comes from this one now.
    pub(super) fn lineage_below(&self, parent: Entity) -> Lineage {
        if self.executions.is_empty() {
            return Lineage::default();
        }
        let Some(parent) = self.get(parent) else { return Lineage::default() };
        let of_ancestors = match (&parent.lineage.own, &parent.lineage.of_ancestors) {
            (None, known) | (known, None) => known.clone(),
            (Some(own), Some(known)) => {
                let new = own.iter().filter(|(it, _)| !known.iter().any(|(known, _)| known == it));
                Some(known.iter().chain(new).cloned().collect())
            }
        };
        Lineage { own: None, of_ancestors }
    }

    /// A process executed what is known of it by now.
    pub(super) fn executed(&mut self, entity: Entity, time_ns: u64) {
        for number in 0..self.executions.len() {
            let (Some(execution), Some(process)) = (self.executions.get(number), self.get(entity)) else {
                return;
            };
            let known = process.lineage.of(Kin::Own);
            if known.iter().any(|(known, _)| known == execution)
                || !self.holds(execution.expr(), process, time_ns)
            {
                continue;
            }
            let new = (execution.clone(), Arc::clone(&process.exe));
            let own: Executed = known.iter().cloned().chain([new]).collect();
            if let Some(process) = self.get_mut(entity) {
                process.lineage.own = Some(own);
            }
        }
    }

    /// Processes that were there before anything was seen of them, oldest first, count as having executed what they are.
    pub(super) fn trace(&mut self, told: &[Entity]) {
        if self.executions.is_empty() {
            return;
        }
        for entity in told.iter().copied() {
            let parent = self.get(entity).and_then(|process| process.parent);
            let lineage = parent.map(|parent| self.lineage_below(parent)).unwrap_or_default();
            if let Some(process) = self.get_mut(entity) {
                process.lineage = lineage;
            }
            self.executed(entity, entity.start_ns);
        }
    }

    /// Calls `see` with the executable of each execution that is asked for.
    pub fn each_execution(
        &self,
        subject: Subject,
        kin: Kin,
        execution: &Execution,
        see: &mut dyn FnMut(Value<'_>),
    ) {
        let process = match kin {
            Kin::Own | Kin::Ancestor => self.get(subject.process),
            Kin::Parent => self.get(subject.parent),
        };
        let executed = process.map(|process| process.lineage.of(kin)).unwrap_or_default();
        executed.iter().filter(|(it, _)| it == execution).for_each(|(_, exe)| see(Value::Text(exe)));
    }

    fn holds(&self, expr: &Expr, process: &Process, time_ns: u64) -> bool {
        match expr {
            Expr::Const(value) => *value,
            Expr::Not(inner) => !self.holds(inner, process, time_ns),
            Expr::All(parts) => parts.iter().all(|part| self.holds(part, process, time_ns)),
            Expr::Any(parts) => parts.iter().any(|part| self.holds(part, process, time_ns)),
            Expr::Atom(atom) => {
                let mut holds = false;
                self.each_field(process, &atom.field, time_ns, &mut |left| match &atom.test {
                    Test::SameAs(other, case, shape) => {
                        self.each_field(process, other, time_ns, &mut |right| {
                            holds |= same(left, right, *case, *shape);
                        })
                    }
                    test => holds |= test.passes(left),
                });
                holds
            }
        }
    }

    /// Calls `see` with each value of a field of a process.
    fn each_field(&self, process: &Process, field: &Field, time_ns: u64, see: &mut dyn FnMut(Value<'_>)) {
        let subject = Subject { process: process.entity(), parent: process.parent.unwrap_or(NOBODY) };
        match field {
            Field::Process(who, fact) => {
                let user = |uid: u32| self.users.get(&uid).cloned();
                self.each_value(subject, *who, *fact, time_ns, &user, see);
            }
            Field::Variable(name) => {
                if let Some(env) = process.env.as_deref() {
                    variable(env, name, see);
                }
            }
            Field::Constant(text) => see(Value::Text(text.as_bytes())),
            Field::Executed(kin, execution) => self.each_execution(subject, *kin, execution, see),
            Field::Computed(computed) => {
                let inputs = computed.inputs().iter();
                let values = &mut |input: &Field, see: &mut dyn FnMut(Value<'_>)| {
                    self.each_field(process, input, time_ns, see);
                };
                each_computed(computed, inputs.map(Some), values, see);
            }
            // `Execution::new` lets no other in.
            _ => {}
        }
    }
}
