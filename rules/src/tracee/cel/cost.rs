//! What an evaluation costs at most, before it is begun: rules and what they are asked of are foreign, and texts that are
//! joined within loops within loops would grow without bound.

use super::term::{Kind, Literal, Term};

/// So much is evaluated; beyond it an expression is an error, as an evaluation that takes too long is.
const MAX_COST: u64 = 1_000_000;

/// Sizes of what names stand for: bytes of texts, and of lists their elements with them.
pub type Sizes<'a> = &'a dyn Fn(&str) -> u64;

/// Whether an evaluation is within the bound.
pub fn is_bounded(term: &Term, sizes: Sizes<'_>) -> bool {
    let mut meter = Meter { sizes, variables: Vec::new(), cost: 0 };
    meter.size(term, 1);
    meter.cost <= MAX_COST
}

struct Meter<'a> {
    sizes: Sizes<'a>,
    /// Variables of loops, and the size of what they stand for.
    variables: Vec<(String, u64)>,
    cost: u64,
}

impl Meter<'_> {
    /// The most that a part's value has. `times`: how often it is evaluated.
    fn size(&mut self, term: &Term, times: u64) -> u64 {
        let size = match &term.kind {
            Kind::Literal(Literal::Text(text)) => text.len() as u64,
            Kind::Literal(Literal::Bytes(bytes)) => bytes.len() as u64,
            Kind::Literal(_) => 1,
            Kind::Name(name) => match self.variables.iter().rev().find(|(known, _)| known == name) {
                Some((_, size)) => *size,
                None => (self.sizes)(name),
            },
            Kind::Member(of, _) => self.size(of, times),
            Kind::List(items) => self.sum(items, times),
            Kind::Map(entries) => {
                let parts = entries.iter().flat_map(|(key, value)| [key, value]);
                parts.fold(0, |sum: u64, part| sum.saturating_add(self.size(part, times)).saturating_add(1))
            }
            Kind::Call { of, name, args } => self.call(of.as_deref(), name, args, times),
        };
        self.cost = self.cost.saturating_add(size.saturating_add(1).saturating_mul(times));
        size
    }

    fn sum(&mut self, terms: &[Term], times: u64) -> u64 {
        terms.iter().fold(0, |sum: u64, term| sum.saturating_add(self.size(term, times)).saturating_add(1))
    }

    fn call(&mut self, of: Option<&Term>, name: &str, args: &[Term], times: u64) -> u64 {
        if let (Some(of), Some(Kind::Name(variable))) = (of, args.first().map(|arg| &arg.kind))
            && let Some(body) = args.get(1..).filter(|_| is_loop(name, args))
        {
            let elements = self.size(of, times);
            self.variables.push((variable.clone(), elements));
            let each = self.sum(body, times.saturating_mul(elements.max(1)));
            self.variables.pop();
            return match name {
                "map" => elements.saturating_mul(each.saturating_add(1)),
                "filter" => elements,
                _ => 1,
            };
        }
        let target = of.map_or(0, |of| self.size(of, times));
        let sizes: Vec<u64> = args.iter().map(|arg| self.size(arg, times)).collect();
        let sum = sizes.iter().fold(target, |sum, size| sum.saturating_add(*size));
        match (name, sizes.as_slice()) {
            ("replace", [text, _, new]) => text.saturating_add(1).saturating_mul(new.saturating_add(1)),
            ("join", [list, separator]) => list.saturating_mul(separator.saturating_add(1)),
            ("split", _) => sum.saturating_mul(2),
            ("upper" | "lower", _) => sum.saturating_mul(3),
            ("string", _) => sum.saturating_add(32),
            ("_?_:_", [_, yes, no]) => *yes.max(no),
            ("_+_", _) => sum,
            ("trim" | "basename" | "dirname" | "_[_]" | "bytes", [size, ..]) => *size,
            // Patterns are compiled, and their matches looked for.
            ("matches", [pattern]) => {
                let matching = target.saturating_add(1).saturating_mul(*pattern);
                self.cost = self.cost.saturating_add(matching.saturating_mul(times));
                1
            }
            _ => 1,
        }
    }
}

/// Whether a call of something is a macro that goes over its elements.
pub fn is_loop(name: &str, args: &[Term]) -> bool {
    match name {
        "exists" | "all" | "exists_one" | "filter" => args.len() == 2,
        "map" => matches!(args.len(), 2 | 3),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::super::term::parse;
    use super::*;

    #[test]
    fn what_grows_without_bound_is_not_evaluated() {
        let bounded = |text: &str| is_bounded(&parse(text).expect(text), &|_| 100);
        assert!(bounded("basename(x) == 'nc' && split(x, '/').size() > 2"));
        assert!(bounded("l.exists(a, a.startsWith('-'))"));
        let doubled = format!("[x]{}", ".map(a, a + a)".repeat(20));
        assert!(!bounded(&doubled));
        let grown = format!("{}x{}", "replace(".repeat(9), ", 'a', 'aaaaaaaa')".repeat(9));
        assert!(!bounded(&grown));
        assert!(!bounded("l.all(a, l.all(b, l.all(c, l.all(d, a == b))))"));
    }
}
