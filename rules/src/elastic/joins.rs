//! What a step of a sequence asks of an earlier event that was given a name: `event0.file.path`. It cannot be asked of a row, and
//! is taken out of the step's condition, to be asked when the step would go on with a sequence that waits.

use std::ops::Range;

use super::ask::{Ask, Asked, Name, Wrong};
use crate::form::{Case, FieldShape};

/// Two fields that are compared, at least one of an earlier step.
#[derive(Clone, PartialEq, Debug)]
pub struct JoinAsk {
    pub left: Side,
    pub right: Side,
    pub case: Case,
    pub shape: FieldShape,
    pub is_negated: bool,
}

#[derive(Clone, PartialEq, Debug)]
pub struct Side {
    /// The number of the earlier step; `None` is this one.
    pub step: Option<usize>,
    pub name: Name,
}

/// A step's condition without what it asks of earlier events, and that. `names`: those of the steps before it, in their order.
pub fn split(ask: &Ask, names: &[Option<Name>]) -> Result<(Ask, Vec<JoinAsk>), Wrong> {
    if !mentions(ask, names) {
        return Ok((ask.clone(), Vec::new()));
    }
    let mut parts = Vec::new();
    conjuncts(ask, false, &mut parts);
    let (mut rest, mut joins) = (Vec::new(), Vec::new());
    for part in parts {
        if !mentions(&part, names) {
            rest.push(part);
            continue;
        }
        let (inner, is_negated) = match &part {
            Ask::Not(inner) => (&**inner, true),
            other => (other, false),
        };
        match inner {
            Ask::Test(name, Asked::Same(other, case, shape)) => {
                let (Some(left), Some(right)) = (side(name, names), side(other, names)) else {
                    return Err(unjoined(inner, names));
                };
                joins.push(JoinAsk { left, right, case: *case, shape: *shape, is_negated });
            }
            other => return Err(unjoined(other, names)),
        }
    }
    let rest = match rest.len() {
        0 => Ask::Const(true),
        1 => rest.remove(0),
        _ => Ask::All(rest),
    };
    Ok((rest, joins))
}

/// The parts of which all must hold.
fn conjuncts(ask: &Ask, is_negated: bool, out: &mut Vec<Ask>) {
    match ask {
        Ask::All(parts) if !is_negated => parts.iter().for_each(|part| conjuncts(part, false, out)),
        Ask::Any(parts) if is_negated => parts.iter().for_each(|part| conjuncts(part, true, out)),
        Ask::Not(inner) => conjuncts(inner, !is_negated, out),
        other => out.push(if is_negated { other.clone().negated() } else { other.clone() }),
    }
}

fn mentions(ask: &Ask, names: &[Option<Name>]) -> bool {
    let mut at = None;
    first_of(ask, names, &mut at);
    at.is_some()
}

/// The step that a name is about, and what of its event.
fn step_of<'n>(name: &'n Name, names: &[Option<Name>]) -> Option<(usize, &'n str)> {
    let of = |step: &Option<Name>| name.text.strip_prefix(&step.as_ref()?.text)?.strip_prefix('.');
    (0..).zip(names).find_map(|(step, named)| Some((step, of(named)?)))
}

/// A side of a comparison; `None` where it is made of fields of several events.
fn side(name: &Name, names: &[Option<Name>]) -> Option<Side> {
    let mut steps = Vec::new();
    name.each_field(&mut |name| steps.push(step_of(name, names).map(|(step, _)| step)));
    let step = steps.first().copied().flatten();
    let bare = |name: &Name| match step_of(name, names) {
        Some((_, field)) => {
            let start = name.span.end.saturating_sub(field.len()).max(name.span.start);
            Name::new(field, start..name.span.end)
        }
        None => name.clone(),
    };
    let is_one = steps.iter().all(|it| *it == step);
    is_one.then(|| Side { step, name: name.with_fields(&bare) })
}

fn unjoined(ask: &Ask, names: &[Option<Name>]) -> Wrong {
    let mut at = None;
    first_of(ask, names, &mut at);
    Wrong::new(
        at.unwrap_or_default(),
        "an earlier event's field is compared with a field of this event, as equal to it or a part of it, in a condition that and joins to the others",
    )
}

/// Where an earlier event is named first.
fn first_of(ask: &Ask, names: &[Option<Name>], at: &mut Option<Range<usize>>) {
    match ask {
        Ask::Executed { of, .. } => first_of(of, names, at),
        Ask::Not(inner) => first_of(inner, names, at),
        Ask::All(parts) | Ask::Any(parts) => parts.iter().for_each(|part| first_of(part, names, at)),
        Ask::Const(_) => {}
        Ask::Test(name, asked) => {
            let other = if let Asked::Same(other, ..) = asked { Some(other) } else { None };
            for name in std::iter::once(name).chain(other) {
                name.each_field(&mut |name| {
                    if step_of(name, names).is_some() {
                        at.get_or_insert_with(|| name.span.clone());
                    }
                });
            }
        }
    }
}
