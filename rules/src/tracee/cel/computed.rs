//! What of an expression has to be evaluated: its operands become variables, the rest stays as it is.

use std::sync::Arc;

use cel::Value;
use scopes::nearest;

use super::compute::{self, Cel, Source, Variable};
use super::cost::is_loop;
use super::functions;
use super::operand::{Scope, Shape, store};
use super::term::{Kind, MAX_PARTS, Read, Term};
use crate::form::{Computed, Field, ProcessFact, Who};

/// Brackets within each other that the parser is given again.
const MAX_DEPTH: usize = 40;

/// Functions that are evaluated, called by themselves and of something.
const FUNCTIONS: [&str; 13] = [
    "split", "join", "trim", "replace", "upper", "lower", "basename", "dirname", "size", "string", "int",
    "uint", "double",
];
const METHODS: [&str; 10] =
    ["startsWith", "endsWith", "contains", "matches", "size", "exists", "all", "exists_one", "map", "filter"];

/// Stores that captures do not have, and why.
const REFUSED: [(&str, &str, &str); 7] = [
    ("process", "getChildren", "which children a process has at a moment is not kept"),
    (
        "container",
        "getByName",
        "only the container of the event is looked up: container.get(workload.container.id)",
    ),
    ("kernel", "resolveSymbol", "symbols of the kernel are not recorded"),
    ("kernel", "getSymbolAddress", "symbols of the kernel are not recorded"),
    ("dns", "getResponse", "of an answer a member is asked: query, ips"),
    ("process", "get", "of a process a member is asked: name, exe, pid, ppid, uid, gid"),
    ("container", "get", "of a container a member is asked: id, name, image, runtime, pod"),
];

#[derive(Debug)]
pub enum Result {
    /// The same for all rows; `None` for an error.
    Constant(Option<Value>),
    Computed(Computed),
}

/// Makes an expression ready to be evaluated. `is_condition`: only what is true or false is a result.
pub fn computed(scope: &Scope<'_>, term: &Term, is_condition: bool) -> Read<Result> {
    let mut operands = Operands {
        scope,
        bound: Vec::new(),
        variables: Vec::new(),
        fields: Vec::new(),
        lists: Vec::new(),
        key: String::new(),
    };
    let ready = operands.replaced(term)?;
    if ready.depth() > MAX_DEPTH || ready.parts() > MAX_PARTS {
        return Err(term.wrong("this is too deep or too large to be evaluated"));
    }
    let written = ready.written();
    let parsed = functions::macros().parser().parse(&written);
    let expr = parsed.map_err(|errors| {
        let first =
            errors.errors.first().map(|first| first.msg.lines().next().unwrap_or_default().to_owned());
        term.wrong(format!("this cannot be evaluated: {}", first.unwrap_or_default()))
    })?;
    let Operands { variables, fields, lists, key, .. } = operands;
    let key = format!(
        "{written} with {key} {} {is_condition}",
        if lists.is_empty() { "" } else { scope.lists.owner() }
    );
    let is_constant = variables.is_empty();
    let cel = Cel { term: ready, expr, variables, lists, is_condition };
    if is_constant {
        return Ok(Result::Constant(cel.evaluate(&[])));
    }
    Ok(Result::Computed(Computed::new(key, term.written(), fields, cel)))
}

struct Operands<'a> {
    scope: &'a Scope<'a>,
    /// Variables of macros around what is looked at.
    bound: Vec<String>,
    variables: Vec<Variable>,
    fields: Vec<Field>,
    lists: Vec<(String, Arc<Vec<Value>>)>,
    /// What tells variables apart that are written alike.
    key: String,
}

impl Operands<'_> {
    fn replaced(&mut self, term: &Term) -> Read<Term> {
        // Variables of macros stand for what is evaluated, members and all.
        if let Some(name) = root(term)
            && self.bound.iter().any(|bound| bound == name)
        {
            return Ok(term.clone());
        }
        if let Some([inner]) = term.call(Term::PRESENT) {
            return Err(inner
                .wrong("whether a field of another detector is there is asked by itself, with && and ||"));
        }
        if let Some(operand) = self.scope.operand(term)? {
            if operand.shape == Shape::Structure {
                return Err(term.wrong("this has members: ask for one of them by its name behind a dot"));
            }
            let (source, fields) = compute::source(&operand, self.fields.len());
            self.key.push_str(&format!("{:?} {:?};", operand.shape, operand.missing));
            self.fields.extend(fields);
            return Ok(self.variable(source, term));
        }
        if let Some(ancestry) = self.scope.ancestry(term)? {
            let mut processes = Vec::new();
            for index in 0..ancestry.count {
                let who = ancestry.who(index);
                let next = ancestry.who(index + 1);
                let members = [
                    ("pid", who, ProcessFact::NsPid, Shape::Number),
                    ("ppid", next, ProcessFact::NsPid, Shape::Number),
                    ("name", who, ProcessFact::Comm, Shape::Text),
                    ("exe", who, ProcessFact::Exe, Shape::Text),
                    ("uid", who, ProcessFact::Uid, Shape::Number),
                    ("gid", who, ProcessFact::Gid, Shape::Number),
                ];
                processes.push(
                    members.map(|(name, who, fact, shape)| (name, self.input(who, fact), shape)).to_vec(),
                );
            }
            self.key.push_str(&format!("{ancestry:?};"));
            return Ok(self.variable(Source::Processes(processes), term));
        }
        let kind = match &term.kind {
            Kind::Literal(_) => return Ok(term.clone()),
            Kind::Name(name) => return self.list(term, name),
            Kind::Member(of, name) => Kind::Member(Box::new(self.replaced(of)?), name.clone()),
            Kind::List(items) => Kind::List(self.all(items)?),
            Kind::Map(entries) => {
                let entry = |(key, value): &(Term, Term)| Ok((self.replaced(key)?, self.replaced(value)?));
                Kind::Map(entries.iter().map(entry).collect::<Read<_>>()?)
            }
            Kind::Call { of: None, name, args } => {
                let is_operator = name.starts_with(['_', '@', '!', '-']);
                if !is_operator && !FUNCTIONS.contains(&name.as_str()) {
                    return Err(unknown(term, name, &FUNCTIONS));
                }
                Kind::Call { of: None, name: name.clone(), args: self.all(args)? }
            }
            Kind::Call { of: Some(of), name, args } => return self.method(term, of, name, args),
        };
        Ok(Term { kind, span: term.span.clone() })
    }

    fn method(&mut self, term: &Term, of: &Term, name: &str, args: &[Term]) -> Read<Term> {
        let call = |of: Term, args: Vec<Term>| {
            let kind = Kind::Call { of: Some(Box::new(of)), name: name.to_owned(), args };
            Term { kind, span: term.span.clone() }
        };
        if let Some((store, function, _)) = store(term)
            && !self.bound.iter().any(|bound| bound == store)
        {
            if store == "syscall" && matches!(function, "getName" | "getId") {
                return Ok(call(of.clone(), self.all(args)?));
            }
            if let Some((.., why)) =
                REFUSED.iter().find(|(known, name, _)| (*known, *name) == (store, function))
            {
                return Err(term.wrong(format!("{store}.{function} cannot be asked: {why}")));
            }
        }
        if !METHODS.contains(&name) {
            return Err(unknown(term, name, &METHODS));
        }
        let of = self.replaced(of)?;
        if !is_loop(name, args) {
            return Ok(call(of, self.all(args)?));
        }
        let [variable, body @ ..] = args else { return Ok(call(of, self.all(args)?)) };
        let Kind::Name(bound) = &variable.kind else {
            return Err(variable.wrong("a name stands here, for each element of the list"));
        };
        let is_taken = ["event", "workload", "timestamp", "process", "container", "system", "syscall"];
        if is_taken.contains(&bound.as_str()) || bound.starts_with("in_") {
            return Err(variable.wrong("this name is taken already"));
        }
        self.bound.push(bound.clone());
        let body = self.all(body);
        self.bound.pop();
        let args = std::iter::once(variable.clone()).chain(body?).collect();
        Ok(call(of, args))
    }

    fn all(&mut self, terms: &[Term]) -> Read<Vec<Term>> {
        terms.iter().map(|term| self.replaced(term)).collect()
    }

    /// A list of texts by its name.
    fn list(&mut self, term: &Term, name: &str) -> Read<Term> {
        let Some(values) = self.scope.lists.values(name) else {
            let mut known = self.scope.lists.names();
            known.extend(["workload", "event"]);
            return Err(unknown(term, name, &known));
        };
        if !self.lists.iter().any(|(known, _)| known == name) {
            let values = values.iter().map(|value| Value::String(value.clone().into())).collect();
            self.lists.push((name.to_owned(), Arc::new(values)));
        }
        Ok(term.clone())
    }

    fn input(&mut self, who: Who, fact: ProcessFact) -> usize {
        self.fields.push(Field::Process(who, fact));
        self.fields.len() - 1
    }

    fn variable(&mut self, source: Source, term: &Term) -> Term {
        let name = format!("in_{}", self.variables.len());
        self.variables.push(Variable { name: name.clone(), source });
        Term { kind: Kind::Name(name), span: term.span.clone() }
    }
}

/// What a value prints as; `None` of null, and of what has no text.
pub fn printed(value: &Value) -> Option<String> {
    let values = compute::owned(value);
    let texts = values.iter().map(|it| String::from_utf8_lossy(&it.value().text()).into_owned());
    (!values.is_empty()).then(|| texts.collect::<Vec<_>>().join(" "))
}

/// What members are taken of, if it is a name.
fn root(term: &Term) -> Option<&str> {
    match &term.kind {
        Kind::Name(name) => Some(name),
        Kind::Member(of, _) => root(of),
        _ => None,
    }
}

fn unknown(term: &Term, name: &str, known: &[&str]) -> super::term::Wrong {
    let close = nearest(name, known.iter().copied());
    let close = close.map(|close| format!("; did you mean {close}?")).unwrap_or_default();
    term.wrong(format!("{name} is not known here{close}"))
}
