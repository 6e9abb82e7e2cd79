//! Which programs the rows of an event may make hold, as far as their block alone tells.
//!
//! Of each program some atoms are found of which one holds wherever the program does: of all such choices the one that holds
//! for the fewest rows of this block, which is known once the block's values are judged. A rule about writes below `/etc` is
//! looked at where a path is below `/etc`, and not at each row that is an open.

use super::columns::Judged;
use super::own_row::{OwnRow, Truth};
use crate::compile::{EventPrograms, Node};

/// The programs that some row may make hold by the values that the block has; the cheap question, asked first.
pub fn possible(judged: &Judged<'_, '_>) -> Vec<u32> {
    let programs = judged.programs;
    let all = (0u32..).zip(&programs.programs);
    if judged.rows() == 0 {
        return Vec::new();
    }
    if programs.takes_all {
        return all.map(|(number, _)| number).collect();
    }
    // What contexts tell costs little, and leaves few programs whose other columns have to be judged.
    let mut may = vec![true; programs.atoms.len()];
    let mut left: Vec<u32> = all.map(|(number, _)| number).collect();
    for is_context in [true, false] {
        let asked = columns(programs, &left);
        for column in (0..programs.columns.len()).filter(|column| asked.get(*column) == Some(&true)) {
            if judged.is_context(column) == is_context && judged.judge_all(column) {
                mark(&mut may, programs.atoms_of(column), false);
                judged.each_answer(column, &mut |_, atoms| mark(&mut may, atoms, true));
            }
        }
        let may_hold = |atom: u32| may.get(atom as usize).copied().unwrap_or(true);
        left.retain(|number| {
            let program = programs.programs.get(*number as usize);
            program.is_some_and(|program| upper(&program.node, &may_hold))
        });
    }
    left
}

/// By column: whether some of the programs ask for it.
fn columns(programs: &EventPrograms, asking: &[u32]) -> Vec<bool> {
    let mut asked = vec![false; programs.columns.len()];
    for program in asking.iter().filter_map(|number| programs.programs.get(*number as usize)) {
        for column in &program.columns {
            if let Some(slot) = asked.get_mut(*column as usize) {
                *slot = true;
            }
        }
    }
    asked
}

fn mark(atoms: &mut [bool], marked: &[u32], may_hold: bool) {
    for atom in marked {
        if let Some(slot) = atoms.get_mut(*atom as usize) {
            *slot = may_hold;
        }
    }
}

/// Whether a node may hold for some row.
fn upper(node: &Node, may_hold: &dyn Fn(u32) -> bool) -> bool {
    match node {
        Node::Const(value) => *value,
        Node::Atom(atom) => may_hold(*atom),
        Node::Not(inner) => **inner != Node::Const(true),
        Node::All(parts) => parts.iter().all(|part| upper(part, may_hold)),
        Node::Any(parts) => parts.iter().any(|part| upper(part, may_hold)),
        Node::Same(..) | Node::Time(_) => true,
    }
}

/// The programs of an event that are possible in a block, and what tells the rows that may make them hold.
#[derive(Debug)]
pub struct Triggers {
    /// Programs for which every row is looked at.
    unguarded: Vec<u32>,
    guards: Vec<Guards>,
    /// All rows go through.
    takes_all: bool,
}

/// The atoms of a column that guard programs.
#[derive(Debug)]
struct Guards {
    column: usize,
    /// By number of the answer: programs that it may make hold.
    programs: Vec<Vec<u32>>,
    /// By atom; answers that come later are looked up.
    by_atom: Vec<(u32, u32)>,
}

impl Triggers {
    /// `possible`: of these programs; `contexts`: the codes of the contexts of the event's rows.
    pub fn new(judged: &Judged<'_, '_>, possible: Vec<u32>, contexts: &[u16]) -> Triggers {
        let programs = judged.programs;
        if programs.takes_all {
            return Triggers { unguarded: possible, guards: Vec::new(), takes_all: true };
        }
        let is_asked = columns(programs, &possible);
        // How many rows an atom holds for; `None` where rows are looked up one by one.
        let mut rows: Vec<Option<u64>> = vec![None; programs.atoms.len()];
        for column in (0..programs.columns.len()).filter(|column| is_asked.get(*column) == Some(&true)) {
            if !judged.is_own(column) {
                continue;
            }
            let mut by_answer: Vec<u64> = Vec::new();
            for (ordinal, context) in contexts.iter().enumerate() {
                let answer = judged.own(column, ordinal, *context).unwrap_or_default() as usize;
                if by_answer.len() <= answer {
                    by_answer.resize(answer + 1, 0);
                }
                if let Some(count) = by_answer.get_mut(answer) {
                    *count += 1;
                }
            }
            for atom in programs.atoms_of(column) {
                if let Some(slot) = rows.get_mut(*atom as usize) {
                    *slot = Some(0);
                }
            }
            judged.each_answer(column, &mut |answer, atoms| {
                let count = by_answer.get(answer as usize).copied().unwrap_or_default();
                for atom in atoms {
                    if let Some(Some(rows)) = rows.get_mut(*atom as usize) {
                        *rows += count;
                    }
                }
            });
        }
        let cost = |atom: u32| rows.get(atom as usize).copied().flatten();
        let mut unguarded = Vec::new();
        let mut by_column: Vec<Vec<(u32, u32)>> = vec![Vec::new(); programs.columns.len()];
        for number in possible {
            let Some(program) = programs.programs.get(number as usize) else { continue };
            let Some((_, atoms)) = guard(&program.node, &cost) else {
                unguarded.push(number);
                continue;
            };
            for atom in atoms.into_iter().filter(|atom| cost(*atom) != Some(0)) {
                let column = programs.column_of.get(atom as usize).copied().unwrap_or_default();
                if let Some(guards) = by_column.get_mut(column as usize) {
                    guards.push((atom, number));
                }
            }
        }
        let guards = by_column.into_iter().enumerate().filter(|(_, by_atom)| !by_atom.is_empty());
        let guards = guards.map(|(column, mut by_atom)| {
            by_atom.sort_unstable();
            let mut of_answers = Vec::new();
            judged.each_answer(column, &mut |_, atoms| of_answers.push(guarded(&by_atom, atoms)));
            Guards { column, programs: of_answers, by_atom }
        });
        Triggers { unguarded, guards: guards.collect(), takes_all: false }
    }

    /// Whether no row goes through.
    pub fn is_empty(&self) -> bool {
        self.unguarded.is_empty() && self.guards.is_empty()
    }

    /// Appends the programs that a row may make hold by the atoms that guard them.
    pub fn of_row(&self, judged: &Judged<'_, '_>, ordinal: usize, context: u16, out: &mut Vec<u32>) {
        out.extend_from_slice(&self.unguarded);
        let mut parts = usize::from(!self.unguarded.is_empty());
        for guards in &self.guards {
            let Some(answer) = judged.own(guards.column, ordinal, context) else { continue };
            let before = out.len();
            match guards.programs.get(answer as usize) {
                Some(programs) => out.extend_from_slice(programs),
                // All answers were known when this was made, but for numbers that are too many to be kept.
                None => judged.each_answer(guards.column, &mut |it, atoms| {
                    if it == answer {
                        out.extend(guarded(&guards.by_atom, atoms));
                    }
                }),
            }
            parts += usize::from(out.len() > before);
        }
        if parts > 1 {
            out.sort_unstable();
            out.dedup();
        }
    }

    /// Leaves those of the triggered programs that the row may make hold by all that it has itself.
    pub fn keep(&self, row: &OwnRow<'_, '_>, programs: &mut Vec<u32>) {
        if self.takes_all {
            return;
        }
        programs.retain(|number| {
            let program = row.judged.programs.programs.get(*number as usize);
            program.is_some_and(|it| row.passes(it.guard) && row.truth(&it.node) != Truth::No)
        });
    }
}

/// The programs that some of these atoms guard.
fn guarded(by_atom: &[(u32, u32)], atoms: &[u32]) -> Vec<u32> {
    let mut programs = Vec::new();
    for atom in atoms {
        let from = by_atom.partition_point(|(it, _)| it < atom);
        let of_atom = by_atom.iter().skip(from).take_while(|(it, _)| it == atom);
        programs.extend(of_atom.map(|(_, program)| *program));
    }
    programs.sort_unstable();
    programs.dedup();
    programs
}

/// Atoms of which one holds whenever the node does, with the rows that they hold for; `None` where there are none. `rows`:
/// of an atom.
fn guard(node: &Node, rows: &dyn Fn(u32) -> Option<u64>) -> Option<(u64, Vec<u32>)> {
    match node {
        Node::Const(true) | Node::Not(_) | Node::Same(..) | Node::Time(_) => None,
        Node::Const(false) => Some((0, Vec::new())),
        Node::Atom(atom) => rows(*atom).map(|rows| (rows, vec![*atom])),
        Node::Any(parts) => {
            let (mut sum, mut all) = (0, Vec::new());
            for part in parts {
                let (rows, atoms) = guard(part, rows)?;
                sum += rows;
                all.extend(atoms);
            }
            Some((sum, all))
        }
        Node::All(parts) => {
            parts.iter().filter_map(|part| guard(part, rows)).min_by_key(|(rows, atoms)| (*rows, atoms.len()))
        }
    }
}
