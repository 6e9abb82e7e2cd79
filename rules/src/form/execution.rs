//! Executions that a process, its parent or its ancestors are asked for: `descendant of [process where process.name == "yum"]`.

use std::cmp::Ordering;
use std::fmt;
use std::hash::{Hash, Hasher};
use std::sync::Arc;

use format::facts::FactSet;

use super::{Expr, Field, Test};

/// Who is asked whether it executed such a program.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Debug)]
pub enum Kin {
    /// The process itself, by its last exec or one before.
    Own,
    Parent,
    /// The parent, its parent, and so on, up to the first.
    Ancestor,
}

/// What is asked of a process right after its exec. It is decided then, and remembered for as long as the process and what
/// descends from it: `yum` may have ended, or executed something else.
#[derive(Clone)]
pub struct Execution(Arc<Inner>);

struct Inner {
    /// Says all that is asked: two with one key are one.
    key: Box<str>,
    expr: Expr,
}

impl Execution {
    /// The error is a field that is not known of a process by itself.
    pub fn new(expr: Expr) -> Result<Execution, Field> {
        let mut unknown = None;
        expr.each_atom(&mut |atom| {
            let other = if let Test::SameAs(other, ..) = &atom.test { Some(other) } else { None };
            for field in std::iter::once(&atom.field).chain(other).filter(|field| !is_known(field)) {
                unknown.get_or_insert_with(|| field.clone());
            }
        });
        match unknown {
            Some(field) => Err(field),
            None => Ok(Execution(Arc::new(Inner { key: format!("{expr:?}").into(), expr }))),
        }
    }

    pub fn expr(&self) -> &Expr {
        &self.0.expr
    }

    /// The facts of processes that it asks for.
    pub fn facts(&self) -> FactSet {
        self.0.expr.fields().into_iter().flat_map(|field| field.facts().iter()).collect()
    }

    /// Adds it to a list behind those that it is built on, each once.
    pub fn add_to(&self, list: &mut Vec<Execution>) {
        for field in self.0.expr.fields() {
            field.each_execution(&mut |inner| inner.add_to(list));
        }
        if !list.contains(self) {
            list.push(self.clone());
        }
    }
}

/// Whether a field is one of a process, or the same for all.
fn is_known(field: &Field) -> bool {
    match field {
        Field::Process(..) | Field::Variable(_) | Field::Constant(_) | Field::Executed(..) => true,
        Field::Computed(computed) => computed.inputs().iter().all(is_known),
        _ => false,
    }
}

impl PartialEq for Execution {
    fn eq(&self, other: &Execution) -> bool {
        Arc::ptr_eq(&self.0, &other.0) || self.0.key == other.0.key
    }
}

impl Eq for Execution {}

impl Hash for Execution {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.0.key.hash(state);
    }
}

impl PartialOrd for Execution {
    fn partial_cmp(&self, other: &Execution) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Execution {
    fn cmp(&self, other: &Execution) -> Ordering {
        self.0.key.cmp(&other.0.key)
    }
}

impl fmt::Debug for Execution {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.debug_tuple("Execution").field(&self.0.key).finish()
    }
}
