//! Events chosen by what they are about: `threat.severity>=high`, `threat.mitre.technique=T1055`, `tag=fs`.

use events::threat::{self, Severity, Threat};
use events::{EventId, Set, catalogue};

use crate::check::{Checked, Site};
use crate::pattern::Pattern;
use crate::policy::in_set;
use crate::syntax::{self, Op, Piece};

/// A property and the values that are asked for.
#[derive(Debug)]
pub(crate) enum Property {
    Tag(Set),
    Severity(Op, Vec<Severity>),
    Text(Text, Op, Vec<Pattern>),
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Text {
    Name,
    Description,
    Tactic,
    Technique,
    TechniqueName,
}

const SEVERITY: &str = "threat.severity";
const TEXTS: [(&str, Text); 5] = [
    ("threat.name", Text::Name),
    ("threat.description", Text::Description),
    ("threat.mitre.tactic", Text::Tactic),
    ("threat.mitre.technique", Text::Technique),
    ("threat.mitre.name", Text::TechniqueName),
];
const EQUALITY: &[Op] = &[Op::Equal, Op::NotEqual];

/// Reads what stands for an event in a rule and has an operator.
pub(crate) fn read(site: &Site<'_>, written: &Piece<'_>) -> Checked<Property> {
    let shift = written.span.start;
    let parts = match syntax::split(written.text) {
        Ok(parts) => parts,
        Err(wrong) => {
            return site.error(
                wrong.span.start + shift..wrong.span.end + shift,
                wrong.message,
                wrong.allowed,
            );
        }
    };
    let moved = |piece: &Piece<'_>| piece.span.start + shift..piece.span.end + shift;
    let text = TEXTS.iter().find(|(name, _)| *name == parts.key.text).map(|(_, text)| *text);
    if text.is_none() && parts.key.text != SEVERITY && parts.key.text != "tag" {
        let known = || TEXTS.iter().map(|(name, _)| *name).chain([SEVERITY, "tag"]);
        let allowed: Vec<&str> = known().collect();
        let message = format!("unknown property {:?}", parts.key.text);
        return site.unknown(moved(&parts.key), message, parts.key.text, known(), allowed.join(", "));
    }
    let is_severity = parts.key.text == SEVERITY;
    let fits = if parts.key.text == "tag" {
        parts.op == Op::Equal
    } else {
        is_severity || EQUALITY.contains(&parts.op)
    };
    if !fits {
        let message = format!("operator `{}` does not fit {:?}", parts.op, parts.key.text);
        let allowed = if text.is_some() { syntax::list(EQUALITY) } else { syntax::list(&[Op::Equal]) };
        return site.error(parts.op_span.start + shift..parts.op_span.end + shift, message, allowed);
    }
    if let Some(text) = text {
        let patterns = parts.values.iter().map(|piece| Pattern::parse(piece.text)).collect();
        return Ok(Property::Text(text, parts.op, patterns));
    }
    if is_severity {
        let severity = |piece: &Piece<'_>| match Severity::parse(piece.text) {
            Some(severity) => Ok(severity),
            None => {
                let names = || Severity::ALL.iter().map(|severity| severity.name());
                let allowed: Vec<&str> = names().collect();
                let message = format!("unknown severity {:?}", piece.text);
                site.unknown(
                    moved(piece),
                    message,
                    piece.text,
                    names(),
                    format!("{}, or 0 to 4", allowed.join(", ")),
                )
            }
        };
        return Ok(Property::Severity(parts.op, parts.values.iter().map(severity).collect::<Checked<_>>()?));
    }
    let Some(piece) = parts.values.first() else {
        return site.error(moved(&parts.key), "tag without a name", "tag=SET");
    };
    match Set::by_name(piece.text) {
        Some(set) => Ok(Property::Tag(set)),
        None => {
            let names = || Set::ALL.iter().map(|set| set.name());
            let allowed: Vec<&str> = names().collect();
            let message = format!("unknown tag {:?}", piece.text);
            site.unknown(moved(piece), message, piece.text, names(), allowed.join(", "))
        }
    }
}

impl Property {
    /// The events that have it.
    pub fn events(&self) -> Vec<EventId> {
        match self {
            Property::Tag(set) => in_set(*set),
            _ => catalogue::events()
                .map(|event| event.id)
                .filter(|id| threat::of(*id).is_some_and(|threat| self.is_of(threat)))
                .collect(),
        }
    }

    fn is_of(&self, threat: &Threat) -> bool {
        match self {
            Property::Tag(_) => false,
            Property::Severity(op, asked) => {
                let compare = |asked: &Severity| match op {
                    Op::Less => threat.severity < *asked,
                    Op::LessOrEqual => threat.severity <= *asked,
                    Op::Greater => threat.severity > *asked,
                    Op::GreaterOrEqual => threat.severity >= *asked,
                    _ => threat.severity == *asked,
                };
                match op {
                    Op::NotEqual => !asked.iter().any(compare),
                    op if op.is_bound() => asked.iter().all(compare),
                    _ => asked.iter().any(compare),
                }
            }
            Property::Text(text, op, asked) => {
                let values: &[&str] = match text {
                    Text::Name => &[threat.name, threat.id],
                    Text::Description => &[threat.description],
                    Text::Tactic => &[threat.tactic],
                    Text::Technique => &[threat.technique],
                    Text::TechniqueName => &[threat.technique_name],
                };
                let named =
                    asked.iter().any(|asked| values.iter().any(|value| asked.matches(value.as_bytes())));
                named == (*op != Op::NotEqual)
            }
        }
    }
}
