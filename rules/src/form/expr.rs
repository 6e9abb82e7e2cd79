//! Trees of and, or, not over atoms.

use super::{Atom, Field};

/// What is asked of one event. An atom over a field that the event does not have is false, and `not` of it true.
#[derive(Clone, PartialEq, Debug)]
pub enum Expr {
    Const(bool),
    Atom(Atom),
    Not(Box<Expr>),
    All(Vec<Expr>),
    Any(Vec<Expr>),
}

impl Expr {
    pub fn negated(self) -> Expr {
        match self {
            Expr::Const(value) => Expr::Const(!value),
            Expr::Not(inner) => *inner,
            other => Expr::Not(Box::new(other)),
        }
    }

    /// All of them, without levels that say nothing.
    pub fn all(parts: impl IntoIterator<Item = Expr>) -> Expr {
        join(parts, false)
    }

    /// Any of them, without levels that say nothing.
    pub fn any(parts: impl IntoIterator<Item = Expr>) -> Expr {
        join(parts, true)
    }

    /// Puts something else in the place of each atom.
    pub fn map(self, put: &mut impl FnMut(Atom) -> Expr) -> Expr {
        match self {
            Expr::Const(value) => Expr::Const(value),
            Expr::Atom(atom) => put(atom),
            Expr::Not(inner) => inner.map(put).negated(),
            Expr::All(parts) => Expr::all(parts.into_iter().map(|part| part.map(put)).collect::<Vec<_>>()),
            Expr::Any(parts) => Expr::any(parts.into_iter().map(|part| part.map(put)).collect::<Vec<_>>()),
        }
    }

    pub fn each_atom<'a>(&'a self, see: &mut impl FnMut(&'a Atom)) {
        match self {
            Expr::Const(_) => {}
            Expr::Atom(atom) => see(atom),
            Expr::Not(inner) => inner.each_atom(see),
            Expr::All(parts) | Expr::Any(parts) => parts.iter().for_each(|part| part.each_atom(see)),
        }
    }

    /// The fields that it looks at, each once.
    pub fn fields(&self) -> Vec<&Field> {
        let mut fields = Vec::new();
        self.each_atom(&mut |atom| {
            if !fields.contains(&&atom.field) {
                fields.push(&atom.field);
            }
        });
        fields
    }
}

/// `absorbing`: the value of a part that decides the whole, true for any and false for all.
fn join(parts: impl IntoIterator<Item = Expr>, absorbing: bool) -> Expr {
    let mut joined = Vec::new();
    for part in parts {
        match part {
            Expr::Const(value) if value == absorbing => return Expr::Const(absorbing),
            Expr::Const(_) => {}
            Expr::All(inner) if !absorbing => joined.extend(inner),
            Expr::Any(inner) if absorbing => joined.extend(inner),
            other => joined.push(other),
        }
    }
    match joined.len() {
        0 => Expr::Const(!absorbing),
        1 => joined.remove(0),
        _ if absorbing => Expr::Any(joined),
        _ => Expr::All(joined),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn constants_and_levels_fold_away() {
        let yes = || Expr::Const(true);
        assert_eq!(Expr::all([yes(), Expr::any([yes(), Expr::Const(false)])]), yes());
        assert_eq!(Expr::any([]), Expr::Const(false));
        assert_eq!(Expr::all([]), yes());
        assert_eq!(yes().negated().negated(), yes());
    }
}
