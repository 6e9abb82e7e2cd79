//! Conditions to expressions over atoms.
//!
//! In CEL an error is neither true nor false, and `||` and `&&` take no notice of one where the other side decides. So a part
//! is two expressions: one that holds where it is true, and one that holds where it is false. Where neither does, it is an
//! error.

use super::computed::{Result as Evaluated, computed, printed};
use super::operand::{Ancestry, Missing, Operand, Scope, Shape, data, has_data, store};
use super::term::{Kind, Literal, Read, Term};
use super::times;
use crate::form::{Atom, Case, Comparison, Expr, Field, Pattern, Regex, Test, Value};

/// Atoms of all conditions that are asked of one event.
const MAX_ATOMS: usize = 1 << 12;
const MAX_REGEX_BYTES: usize = 1 << 20;

/// Where a part is true, and where it is false.
#[derive(Clone, PartialEq, Debug)]
pub struct Pair {
    pub yes: Expr,
    pub no: Expr,
}

impl Pair {
    pub fn constant(is: bool) -> Pair {
        Pair { yes: Expr::Const(is), no: Expr::Const(!is) }
    }

    fn error() -> Pair {
        Pair { yes: Expr::Const(false), no: Expr::Const(false) }
    }

    fn swapped(self) -> Pair {
        Pair { yes: self.no, no: self.yes }
    }

    fn swapped_if(self, swaps: bool) -> Pair {
        if swaps { self.swapped() } else { self }
    }

    fn all(parts: Vec<Pair>) -> Pair {
        let (yes, no): (Vec<Expr>, Vec<Expr>) = parts.into_iter().map(|part| (part.yes, part.no)).unzip();
        Pair { yes: Expr::all(yes), no: Expr::any(no) }
    }

    fn any(parts: Vec<Pair>) -> Pair {
        let (yes, no): (Vec<Expr>, Vec<Expr>) = parts.into_iter().map(|part| (part.yes, part.no)).unzip();
        Pair { yes: Expr::any(yes), no: Expr::all(no) }
    }
}

/// Lowers the conditions of one rule for one event.
#[derive(Debug)]
pub struct Lower<'s> {
    scope: Scope<'s>,
    /// So far.
    atoms: usize,
}

impl<'s> Lower<'s> {
    pub fn new(scope: Scope<'s>) -> Lower<'s> {
        Lower { scope, atoms: 0 }
    }

    /// An expression as a field of the row; `None` for an error or null.
    pub fn field(&mut self, term: &Term) -> Read<Option<Field>> {
        if let Some(literal) = constant(term) {
            return Ok(literal.written().map(|text| Field::Constant(text.into())));
        }
        if let Some(operand) = self.scope.operand(term)?.filter(|operand| operand.shape != Shape::Structure) {
            return Ok(Some(operand.field));
        }
        Ok(match computed(&self.scope, term, false)? {
            Evaluated::Constant(value) => {
                value.as_ref().and_then(printed).map(|text| Field::Constant(text.into()))
            }
            Evaluated::Computed(computed) => Some(Field::Computed(computed)),
        })
    }

    /// Where an expression has a value, which is neither an error nor null.
    pub fn present(&mut self, term: &Term) -> Read<Expr> {
        if let Some(operand) = self.scope.operand(term)? {
            return match operand.missing {
                Missing::Null => self.exists(operand.field, term),
                Missing::Default => Ok(Expr::Const(true)),
                Missing::Error(presence) => self.exists(presence, term),
            };
        }
        match self.field(term)? {
            None => Ok(Expr::Const(false)),
            Some(Field::Constant(_)) => Ok(Expr::Const(true)),
            Some(field) => self.exists(field, term),
        }
    }

    /// A condition, which is true or false.
    pub fn condition(&mut self, term: &Term) -> Read<Pair> {
        match &term.kind {
            Kind::Literal(Literal::Bool(is)) => return Ok(Pair::constant(*is)),
            Kind::Literal(_) | Kind::List(_) | Kind::Map(_) => {
                return Err(term.wrong("this is neither true nor false"));
            }
            Kind::Call { of: None, name, args } => match (name.as_str(), args.as_slice()) {
                ("_&&_", [left, right]) => {
                    return Ok(Pair::all(vec![self.condition(left)?, self.condition(right)?]));
                }
                ("_||_", [left, right]) => {
                    return Ok(Pair::any(vec![self.condition(left)?, self.condition(right)?]));
                }
                ("!_", [inner]) => return Ok(self.condition(inner)?.swapped()),
                ("_?_:_", [condition, yes, no]) => {
                    let (condition, yes, no) =
                        (self.condition(condition)?, self.condition(yes)?, self.condition(no)?);
                    let either = |yes: Expr, no: Expr| {
                        let (yes, no) = ([condition.yes.clone(), yes], [condition.no.clone(), no]);
                        Expr::any([Expr::all(yes), Expr::all(no)])
                    };
                    return Ok(Pair { yes: either(yes.yes, no.yes), no: either(yes.no, no.no) });
                }
                ("@in", [value, list]) => {
                    if let Some(pair) = self.within(term, value, list)? {
                        return Ok(pair);
                    }
                }
                (sign, [left, right]) => {
                    if let Some(comparison) = comparison(sign)
                        && let Some(pair) = self.compare(term, comparison, left, right)?
                    {
                        return Ok(pair);
                    }
                }
                _ => {}
            },
            Kind::Call { of: Some(of), name, args } => {
                if let Some(pair) = self.method(term, of, name, args)? {
                    return Ok(pair);
                }
            }
            _ => {}
        }
        if let Some([inner]) = term.call(Term::PRESENT) {
            let yes = self.present(inner)?;
            return Ok(Pair { no: yes.clone().negated(), yes });
        }
        if let Some(name) = has_data(term) {
            let operand = self.scope.operand(&data_of(name, term))?;
            return Ok(match operand {
                Some(operand) => {
                    let exists = self.exists(operand.field, term)?;
                    Pair { no: exists.clone().negated(), yes: exists }
                }
                None => Pair::constant(false),
            });
        }
        if let Some(operand) = self.scope.operand(term)? {
            return match operand.shape {
                Shape::Bool => self.test(&operand, equals("true"), term, Null::IsError),
                Shape::Mixed => Ok(Pair::error()),
                _ => Err(term.wrong("this is neither true nor false")),
            };
        }
        self.computed(term)
    }

    fn computed(&mut self, term: &Term) -> Read<Pair> {
        match computed(&self.scope, term, true)? {
            Evaluated::Constant(value) => Ok(match value {
                Some(cel::Value::Bool(is)) => Pair::constant(is),
                Some(_) => return Err(term.wrong("this is neither true nor false")),
                None => Pair::error(),
            }),
            Evaluated::Computed(computed) => {
                let atom = |is: &str| Atom {
                    field: Field::Computed(computed.clone()),
                    test: equals(is),
                    written: term.written().into(),
                };
                self.count(2, term)?;
                Ok(Pair { yes: Expr::Atom(atom("true")), no: Expr::Atom(atom("false")) })
            }
        }
    }

    /// `None`: it has to be computed.
    fn compare(
        &mut self,
        term: &Term,
        comparison: Comparison,
        left: &Term,
        right: &Term,
    ) -> Read<Option<Pair>> {
        if let Some(field) = times::compared(comparison, left, right)? {
            self.count(2, term)?;
            let is = |word| {
                Expr::Atom(Atom { field: field.clone(), test: equals(word), written: term.written().into() })
            };
            return Ok(Some(Pair { yes: is("true"), no: is("false") }));
        }
        let is_equality = matches!(comparison, Comparison::Equal | Comparison::NotEqual);
        let (left, right, comparison) = match (constant(left), constant(right)) {
            (None, Some(literal)) => (left, literal, comparison),
            (Some(literal), None) => (right, literal, flipped(comparison)),
            _ => return Ok(None),
        };
        if right == Literal::Null && is_equality {
            let Some(presence) = self.presence(left, term)? else { return Ok(None) };
            return Ok(Some(presence.swapped_if(comparison == Comparison::Equal)));
        }
        if let Some(ancestry) = self.sized(left)?
            && let Literal::Int(bound) = right
        {
            return self.size_of(ancestry, comparison, bound, term).map(Some);
        }
        let Some(operand) = self.scope.operand(left)? else { return Ok(None) };
        self.against(&operand, comparison, &right, term)
    }

    /// A value of the row against one that is always the same.
    fn against(
        &mut self,
        operand: &Operand,
        comparison: Comparison,
        literal: &Literal,
        term: &Term,
    ) -> Read<Option<Pair>> {
        let is_equality = matches!(comparison, Comparison::Equal | Comparison::NotEqual);
        let swaps = comparison == Comparison::NotEqual;
        let test = match (literal, operand.shape) {
            (_, Shape::Structure | Shape::Texts) => return Ok(None),
            (Literal::Text(text), Shape::Text | Shape::Mixed) if is_equality => equals(text),
            // Texts in their order are compared by the evaluator.
            (Literal::Text(_), Shape::Text | Shape::Mixed) => return Ok(None),
            (Literal::Bool(is), Shape::Bool) if is_equality => equals(&is.to_string()),
            (Literal::Bytes(_), _) => return Ok(None),
            (literal, Shape::Number | Shape::Mixed) => match number(literal) {
                Some((_, Some(digits))) if is_equality => equals(&digits),
                Some((number, _)) => Test::Number(if swaps { Comparison::Equal } else { comparison }, number),
                None => return self.unlike(operand, is_equality, swaps, term).map(Some),
            },
            _ => return self.unlike(operand, is_equality, swaps, term).map(Some),
        };
        let null = if is_equality { Null::IsFalse } else { Null::IsError };
        Ok(Some(self.test(operand, test, term, null)?.swapped_if(swaps)))
    }

    /// Values of two types: never equal, and not to be compared.
    fn unlike(&mut self, operand: &Operand, is_equality: bool, swaps: bool, term: &Term) -> Read<Pair> {
        if !is_equality {
            return Ok(Pair::error());
        }
        let no = match &operand.missing {
            Missing::Null | Missing::Default => Expr::Const(true),
            Missing::Error(presence) => self.exists(presence.clone(), term)?,
        };
        Ok(Pair { yes: Expr::Const(false), no }.swapped_if(swaps))
    }

    /// `value in list`
    fn within(&mut self, term: &Term, value: &Term, list: &Term) -> Read<Option<Pair>> {
        if let Some(literal) = constant(value) {
            let Some(operand) = self.scope.operand(list)?.filter(|it| it.shape == Shape::Texts) else {
                return Ok(None);
            };
            let Literal::Text(text) = literal else { return Ok(None) };
            return self.test(&operand, equals(&text), term, Null::IsError).map(Some);
        }
        let items: Option<Vec<Literal>> = match &list.kind {
            Kind::List(items) => items.iter().map(constant).collect(),
            Kind::Name(name) => match self.scope.lists.values(name) {
                Some(values) => Some(values.iter().cloned().map(Literal::Text).collect()),
                None => return Ok(None),
            },
            _ => None,
        };
        let (Some(items), Some(operand)) = (items, self.scope.operand(value)?) else { return Ok(None) };
        if matches!(operand.shape, Shape::Texts | Shape::Structure) {
            return Ok(None);
        }
        let mut patterns = Vec::new();
        for item in &items {
            match (item, operand.shape) {
                (Literal::Text(text), Shape::Text | Shape::Mixed) => {
                    patterns.push(Pattern::Equals(text.clone().into_bytes()));
                }
                (Literal::Bool(is), Shape::Bool) => {
                    patterns.push(Pattern::Equals(is.to_string().into_bytes()))
                }
                (Literal::Null | Literal::Bytes(_) | Literal::Float(_), _) => return Ok(None),
                (item, Shape::Number | Shape::Mixed) => {
                    let digits = number(item).and_then(|(_, digits)| digits);
                    patterns.extend(digits.map(|digits| Pattern::Equals(digits.into_bytes())));
                }
                _ => {}
            }
        }
        if patterns.is_empty() {
            return self.unlike(&operand, true, false, term).map(Some);
        }
        self.test(&operand, Test::Fits(Case::Exact, patterns), term, Null::IsFalse).map(Some)
    }

    fn method(&mut self, term: &Term, of: &Term, name: &str, args: &[Term]) -> Read<Option<Pair>> {
        if matches!(name, "exists" | "all")
            && let [variable, body] = args
            && let Some(ancestry) = self.scope.ancestry(of)?
        {
            let Kind::Name(variable) = &variable.kind else {
                return Err(variable.wrong("a name stands here, for each process of the list"));
            };
            return self.each(term, ancestry, variable, body, name == "exists").map(Some);
        }
        let make: fn(Vec<u8>) -> Pattern = match name {
            "startsWith" => Pattern::Prefix,
            "endsWith" => Pattern::Suffix,
            "contains" => Pattern::Contains,
            "matches" => {
                let [pattern] = args else { return Ok(None) };
                let Some(written) = pattern.text() else { return Ok(None) };
                let regex = regex(written).map_err(|why| pattern.wrong(why))?;
                let Some(operand) = self.scope.operand(of)? else { return Ok(None) };
                return self.of_text(&operand, Test::Regex(vec![regex]), term);
            }
            _ => return Ok(None),
        };
        let ([argument], Some(operand)) = (args, self.scope.operand(of)?) else { return Ok(None) };
        let Some(text) = argument.text() else { return Ok(None) };
        self.of_text(&operand, Test::Fits(Case::Exact, vec![make(text.as_bytes().to_vec())]), term)
    }

    fn of_text(&mut self, operand: &Operand, test: Test, term: &Term) -> Read<Option<Pair>> {
        match operand.shape {
            Shape::Text | Shape::Mixed => self.test(operand, test, term, Null::IsError).map(Some),
            Shape::Number | Shape::Bool => Ok(Some(Pair::error())),
            Shape::Texts | Shape::Structure => Ok(None),
        }
    }

    /// Whether a list of processes has some for which, or only those for which, something holds.
    fn each(
        &mut self,
        term: &Term,
        ancestry: Ancestry,
        variable: &str,
        body: &Term,
        is_exists: bool,
    ) -> Read<Pair> {
        let (mut yes, mut no) = (Vec::new(), Vec::new());
        for index in 0..ancestry.count {
            let who = ancestry.who(index);
            self.scope.processes.push((variable.to_owned(), who, ancestry.style));
            let held = self.condition(body);
            self.scope.processes.pop();
            let held = held?;
            let is_there = self.is_there(who, term)?;
            let here = |expr: Expr| Expr::all([is_there.clone(), expr]);
            let or_end = |expr: Expr| Expr::any([is_there.clone().negated(), expr]);
            if is_exists {
                yes.push(here(held.yes));
                no.push(or_end(held.no));
            } else {
                yes.push(or_end(held.yes));
                no.push(here(held.no));
            }
        }
        Ok(match is_exists {
            true => Pair { yes: Expr::any(yes), no: Expr::all(no) },
            false => Pair { yes: Expr::all(yes), no: Expr::any(no) },
        })
    }

    /// `list.size()` or `size(list)` of processes.
    fn sized(&self, term: &Term) -> Read<Option<Ancestry>> {
        match &term.kind {
            Kind::Call { of: Some(of), name, args } if name == "size" && args.is_empty() => {
                self.scope.ancestry(of)
            }
            Kind::Call { of: None, name, args } if name == "size" => match args.as_slice() {
                [list] => self.scope.ancestry(list),
                _ => Ok(None),
            },
            _ => Ok(None),
        }
    }

    fn size_of(&mut self, ancestry: Ancestry, comparison: Comparison, bound: i64, term: &Term) -> Read<Pair> {
        // Of each size whether it is the one: so many processes are there, and not one more.
        let mut any = Vec::new();
        for size in 0..=i64::from(ancestry.count) {
            if !comparison.holds(&size, &bound) {
                continue;
            }
            let index = size as u8;
            let at_least = match index.checked_sub(1) {
                Some(last) => self.is_there(ancestry.who(last), term)?,
                None => Expr::Const(true),
            };
            let more = match index < ancestry.count {
                true => self.is_there(ancestry.who(index), term)?,
                false => Expr::Const(false),
            };
            any.push(Expr::all([at_least, more.negated()]));
        }
        let yes = Expr::any(any);
        Ok(Pair { no: yes.clone().negated(), yes })
    }

    fn is_there(&mut self, who: crate::form::Who, term: &Term) -> Read<Expr> {
        match who {
            crate::form::Who::Actor => Ok(Expr::Const(true)),
            who => self.exists(Field::Process(who, crate::form::ProcessFact::Pid), term),
        }
    }

    /// Whether a value or an object is there: what `!= null` asks.
    fn presence(&mut self, of: &Term, term: &Term) -> Read<Option<Pair>> {
        if let Some(presence) = self.scope.looked_up(of)? {
            return Ok(Some(match presence {
                None => Pair::constant(true),
                Some(field) => {
                    let exists = self.exists(field, term)?;
                    Pair { no: exists.clone().negated(), yes: exists }
                }
            }));
        }
        let Some(operand) = self.scope.operand(of)? else { return Ok(None) };
        Ok(Some(match operand.missing {
            Missing::Null => {
                let exists = self.exists(operand.field, term)?;
                Pair { no: exists.clone().negated(), yes: exists }
            }
            Missing::Default => Pair::constant(true),
            Missing::Error(presence) => Pair { yes: self.exists(presence, term)?, no: Expr::Const(false) },
        }))
    }

    fn exists(&mut self, field: Field, term: &Term) -> Read<Expr> {
        self.count(1, term)?;
        Ok(Expr::Atom(Atom { field, test: Test::Exists, written: term.written().into() }))
    }

    fn test(&mut self, operand: &Operand, test: Test, term: &Term, null: Null) -> Read<Pair> {
        self.count(1, term)?;
        let holds_by_default = match operand.shape {
            Shape::Number => test.passes(Value::Number(0)),
            Shape::Bool => test.passes(Value::Text(b"false")),
            _ => test.passes(Value::Text(b"")),
        };
        let atom = Expr::Atom(Atom { field: operand.field.clone(), test, written: term.written().into() });
        let exists = self.exists(operand.field.clone(), term)?;
        let or_missing = |atom: Expr| match holds_by_default {
            true => Expr::any([exists.clone().negated(), atom]),
            false => atom,
        };
        Ok(match &operand.missing {
            Missing::Null if null == Null::IsFalse => Pair { no: atom.clone().negated(), yes: atom },
            Missing::Null => Pair { no: Expr::all([exists, atom.clone().negated()]), yes: atom },
            Missing::Default => {
                let yes = or_missing(atom);
                Pair { no: yes.clone().negated(), yes }
            }
            Missing::Error(presence) => {
                let is_there = self.exists(presence.clone(), term)?;
                let held = or_missing(atom);
                let no = Expr::all([is_there.clone(), held.clone().negated()]);
                Pair { yes: Expr::all([is_there, held]), no }
            }
        })
    }

    fn count(&mut self, atoms: usize, term: &Term) -> Read<()> {
        self.atoms += atoms;
        match self.atoms <= MAX_ATOMS {
            true => Ok(()),
            false => Err(term.wrong("with this the rule asks too much of one event")),
        }
    }
}

/// What `null` is to a test.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Null {
    /// It is equal to nothing else.
    IsFalse,
    IsError,
}

fn data_of(name: &str, term: &Term) -> Term {
    let name = Term { kind: Kind::Literal(Literal::Text(name.to_owned())), span: term.span.clone() };
    let kind = Kind::Call { of: None, name: "getEventData".into(), args: vec![name] };
    debug_assert!(data(&Term { kind: kind.clone(), span: term.span.clone() }).is_some());
    Term { kind, span: term.span.clone() }
}

/// What is the same for all rows.
fn constant(term: &Term) -> Option<Literal> {
    if let Some(("syscall", "getId", [name])) = store(term) {
        return name.text().map(|name| Literal::Int(super::functions::id_of_call(name)));
    }
    if let Some([inner]) = term.call("-_") {
        return match inner.literal()? {
            Literal::Int(number) => number.checked_neg().map(Literal::Int),
            Literal::Float(number) => Some(Literal::Float(-number)),
            _ => None,
        };
    }
    term.literal().cloned()
}

/// As a number, and its digits where it is a whole one.
fn number(literal: &Literal) -> Option<(f64, Option<String>)> {
    match literal {
        Literal::Int(number) => Some((*number as f64, Some(number.to_string()))),
        Literal::Unsigned(number) => Some((*number as f64, Some(number.to_string()))),
        Literal::Float(number) => Some((*number, None)),
        _ => None,
    }
}

fn equals(text: &str) -> Test {
    Test::Fits(Case::Exact, vec![Pattern::Equals(text.as_bytes().to_vec())])
}

fn comparison(sign: &str) -> Option<Comparison> {
    Some(match sign {
        "_==_" => Comparison::Equal,
        "_!=_" => Comparison::NotEqual,
        "_<_" => Comparison::Less,
        "_<=_" => Comparison::LessOrEqual,
        "_>_" => Comparison::Greater,
        "_>=_" => Comparison::GreaterOrEqual,
        _ => return None,
    })
}

pub fn flipped(comparison: Comparison) -> Comparison {
    match comparison {
        Comparison::Less => Comparison::Greater,
        Comparison::LessOrEqual => Comparison::GreaterOrEqual,
        Comparison::Greater => Comparison::Less,
        Comparison::GreaterOrEqual => Comparison::LessOrEqual,
        same => same,
    }
}

fn regex(pattern: &str) -> Result<Regex, String> {
    let built = regex::bytes::RegexBuilder::new(pattern).size_limit(MAX_REGEX_BYTES).build();
    built.map(Regex).map_err(|error| match error {
        regex::Error::CompiledTooBig(_) => "this regular expression is too large".to_owned(),
        error => {
            let why = error.to_string();
            format!("this is no regular expression: {}", why.lines().last().unwrap_or_default())
        }
    })
}
