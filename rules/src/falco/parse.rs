//! Conditions as trees, with macros and lists put in.

use std::ops::Range;
use std::sync::Arc;

use scopes::nearest;

use super::document::{Items, Text};
use super::token::{Kind, Token, tokens};
use crate::diagnostic::{Diagnostic, Kept};
use crate::yaml::Node;

/// Brackets, `not` and macros within each other.
const MAX_DEPTH: usize = 100;
/// Atoms of a condition with all macros put in: each may name others twice.
const MAX_ATOMS: usize = 1 << 15;

/// A condition.
#[derive(Clone, Debug)]
pub enum Tree {
    All(Vec<Tree>),
    Any(Vec<Tree>),
    Not(Box<Tree>),
    Check(Box<Check>),
}

/// A field compared with values.
#[derive(Clone, Debug)]
pub struct Check {
    pub field: Name,
    pub op: String,
    /// `oneof`, `anyof`, `allof` behind the operator.
    pub quantifier: Option<String>,
    pub values: Vec<Value>,
    pub place: Place,
}

/// A field as written, with the functions around it, outermost first.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Name {
    pub functions: Vec<String>,
    pub name: String,
    pub argument: Option<String>,
    /// What `join` and `concat` put together, where the name is one of these; the separator of `join` first.
    pub parts: Vec<Value>,
}

#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Value {
    Text(String),
    /// `val(field)`.
    Field(Name),
}

/// Where something stands.
#[derive(Clone, Debug)]
pub struct Place {
    pub file: Arc<Kept>,
    pub node: Node,
    pub span: Range<usize>,
}

impl Place {
    pub fn error(&self, message: impl Into<String>) -> Diagnostic {
        self.node.error_at(&self.file.file(), self.span.clone(), message)
    }
}

type Read<T> = Result<T, Box<Diagnostic>>;

/// A text and what others appended to it: `... and ...` is written there.
pub fn condition(items: &Items, text: &Text) -> Read<Tree> {
    let mut atoms = 0;
    whole(items, text, &mut Vec::new(), &mut atoms)
}

fn whole(items: &Items, text: &Text, inside: &mut Vec<String>, atoms: &mut usize) -> Read<Tree> {
    let mut all: Option<Tree> = None;
    for (file, node) in &text.parts {
        let written = node.text().unwrap_or_default();
        let place = |span| Place { file: Arc::clone(file), node: node.clone(), span };
        let tokens = tokens(written).map_err(|(span, message)| Box::new(place(span).error(message)))?;
        let mut parser = Parser { items, file, node, tokens, at: 0, depth: 0, inside, atoms };
        // What is appended begins with `and` or `or`.
        let joint = match (&all, parser.peek()) {
            (Some(_), Some(Kind::Word(word))) if word == "and" || word == "or" => {
                let word = word.clone();
                parser.at += 1;
                Some(word)
            }
            _ => None,
        };
        let tree = parser.any()?;
        if let Some(token) = parser.tokens.get(parser.at) {
            return Err(Box::new(place(token.span.clone()).error("`and`, `or` or the end was to be here")));
        }
        all = Some(match (all, joint.as_deref()) {
            (Some(before), Some("or")) => Tree::Any(vec![before, tree]),
            (Some(before), _) => Tree::All(vec![before, tree]),
            (None, _) => tree,
        });
    }
    Ok(all.unwrap_or(Tree::All(Vec::new())))
}

struct Parser<'a> {
    items: &'a Items,
    file: &'a Arc<Kept>,
    node: &'a Node,
    tokens: Vec<Token>,
    at: usize,
    depth: usize,
    /// Macros that are being put in.
    inside: &'a mut Vec<String>,
    atoms: &'a mut usize,
}

const SIGNS: [&str; 14] = [
    "contains",
    "icontains",
    "bcontains",
    "startswith",
    "bstartswith",
    "endswith",
    "glob",
    "iglob",
    "regex",
    "in",
    "intersects",
    "pmatch",
    "exists",
    "istartswith",
];

impl Parser<'_> {
    fn peek(&self) -> Option<&Kind> {
        self.tokens.get(self.at).map(|token| &token.kind)
    }

    fn place(&self, at: usize) -> Place {
        let end = self.node.text().map_or(0, str::len);
        let span = self.tokens.get(at).map_or(end.saturating_sub(1)..end, |token| token.span.clone());
        Place { file: Arc::clone(self.file), node: self.node.clone(), span }
    }

    fn error<T>(&self, message: impl Into<String>) -> Read<T> {
        Err(Box::new(self.place(self.at).error(message)))
    }

    fn is_word(&self, word: &str) -> bool {
        matches!(self.peek(), Some(Kind::Word(it)) if it == word)
    }

    fn any(&mut self) -> Read<Tree> {
        let mut parts = vec![self.all()?];
        while self.is_word("or") {
            self.at += 1;
            parts.push(self.all()?);
        }
        Ok(if parts.len() == 1 { parts.remove(0) } else { Tree::Any(parts) })
    }

    fn all(&mut self) -> Read<Tree> {
        let mut parts = vec![self.one()?];
        while self.is_word("and") {
            self.at += 1;
            parts.push(self.one()?);
        }
        Ok(if parts.len() == 1 { parts.remove(0) } else { Tree::All(parts) })
    }

    fn one(&mut self) -> Read<Tree> {
        if self.depth >= MAX_DEPTH {
            return self.error(format!("more than {MAX_DEPTH} brackets and `not` within each other"));
        }
        self.depth += 1;
        let tree = match self.peek() {
            Some(Kind::Word(word)) if word == "not" => {
                self.at += 1;
                Tree::Not(Box::new(self.one()?))
            }
            Some(Kind::Open) => {
                self.at += 1;
                let tree = self.any()?;
                if self.peek() != Some(&Kind::Close) {
                    return self.error("`)` was to be here");
                }
                self.at += 1;
                tree
            }
            Some(Kind::Word(_)) => self.check()?,
            _ => return self.error("a field or a macro was to be here"),
        };
        self.depth -= 1;
        Ok(tree)
    }

    /// A field with its comparison, or a macro.
    fn check(&mut self) -> Read<Tree> {
        let from = self.at;
        let Some(Kind::Word(word)) = self.peek().cloned() else { return self.error("a name was to be here") };
        let is_call = self.tokens.get(self.at + 1).is_some_and(|token| token.kind == Kind::Open);
        if !is_call && !word.contains('.') {
            self.at += 1;
            return self.macro_(&word, from);
        }
        let field = self.name()?;
        let op = match self.peek() {
            Some(Kind::Sign(sign)) => (*sign).to_owned(),
            Some(Kind::Word(word)) if SIGNS.contains(&word.as_str()) => word.clone(),
            Some(Kind::Word(word)) => {
                let error = self.place(self.at).error(format!("unknown operator {word:?}"));
                let allowed = format!("= != < <= > >= {}", SIGNS.join(" "));
                return Err(Box::new(error.suggesting(nearest(word, SIGNS)).allowing(allowed)));
            }
            _ => return self.error("an operator was to be here"),
        };
        self.at += 1;
        let quantifier = match self.peek() {
            Some(Kind::Word(word)) if ["oneof", "anyof", "allof"].contains(&word.as_str()) => {
                let word = word.clone();
                self.at += 1;
                Some(word)
            }
            _ => None,
        };
        let takes_list = quantifier.is_some() || ["in", "intersects", "pmatch"].contains(&op.as_str());
        let values = match (op.as_str(), takes_list) {
            ("exists", _) => Vec::new(),
            (_, true) => self.list()?,
            _ => vec![self.value()?],
        };
        *self.atoms += values.len().max(1);
        if *self.atoms > MAX_ATOMS {
            return self.error(format!("more than {MAX_ATOMS} values with all macros and lists put in"));
        }
        let mut place = self.place(from);
        let last = self.place(self.at.saturating_sub(1)).span.end;
        place.span.end = last.max(place.span.end);
        Ok(Tree::Check(Box::new(Check { field, op, quantifier, values, place })))
    }

    fn macro_(&mut self, name: &str, from: usize) -> Read<Tree> {
        let items = self.items;
        let Some(known) = items.macros.iter().find(|it| it.name == name) else {
            let names = items.macros.iter().map(|it| it.name.as_str());
            let error = self.place(from).error(format!("there is no macro {name:?}"));
            return Err(Box::new(error.suggesting(nearest(name, names))));
        };
        if self.inside.iter().any(|it| it == name) || self.inside.len() >= MAX_DEPTH {
            return Err(Box::new(self.place(from).error(format!("the macro {name:?} names itself"))));
        }
        self.inside.push(name.to_owned());
        let tree = whole(items, &known.condition, self.inside, self.atoms);
        self.inside.pop();
        tree
    }

    /// A field, in functions at will: `tolower(proc.name)`.
    fn name(&mut self) -> Read<Name> {
        let mut functions = Vec::new();
        loop {
            let Some(Kind::Word(word)) = self.peek().cloned() else {
                return self.error("a field was to be here");
            };
            self.at += 1;
            let mut parts = Vec::new();
            if self.peek() == Some(&Kind::Open) {
                self.depth += 1;
                if functions.len() + self.depth >= MAX_DEPTH {
                    return self.error("too many functions within each other");
                }
                self.at += 1;
                if !matches!(word.as_str(), "join" | "concat") {
                    functions.push(word);
                    self.depth -= 1;
                    continue;
                }
                self.parts(&mut parts)?;
                self.depth -= 1;
            }
            let (name, argument) = match word.split_once('[') {
                Some((name, rest)) => (name.to_owned(), Some(rest.trim_end_matches(']').to_owned())),
                None => (word, None),
            };
            for _ in &functions {
                if self.peek() != Some(&Kind::Close) {
                    return self.error("`)` was to be here");
                }
                self.at += 1;
            }
            return Ok(Name { functions, name, argument, parts });
        }
    }

    /// Fields and texts up to the bracket that closes, which may stand in brackets of their own.
    fn parts(&mut self, parts: &mut Vec<Value>) -> Read<()> {
        let mut open = 1;
        while open > 0 {
            match self.peek().cloned() {
                Some(Kind::Open) => open += 1,
                Some(Kind::Close) => open -= 1,
                Some(Kind::Comma) => {}
                Some(Kind::Quoted(text)) => parts.push(Value::Text(text)),
                Some(Kind::Word(_)) => {
                    parts.push(Value::Field(self.name()?));
                    continue;
                }
                _ => return self.error("a field, a text, `,` or `)` was to be here"),
            }
            self.at += 1;
        }
        *self.atoms += parts.len();
        Ok(())
    }

    fn value(&mut self) -> Read<Value> {
        let is_field =
            self.is_word("val") && self.tokens.get(self.at + 1).is_some_and(|token| token.kind == Kind::Open);
        if is_field {
            let mut name = self.name()?;
            name.functions.remove(0);
            return Ok(Value::Field(name));
        }
        match self.peek().cloned() {
            Some(Kind::Word(word) | Kind::Quoted(word)) => {
                self.at += 1;
                Ok(Value::Text(word))
            }
            _ => self.error("a value was to be here"),
        }
    }

    /// `(a, b, list_name)`, or the name of a list without brackets.
    fn list(&mut self) -> Read<Vec<Value>> {
        let mut values = Vec::new();
        if self.peek() != Some(&Kind::Open) {
            let Some(Kind::Word(word) | Kind::Quoted(word)) = self.peek().cloned() else {
                return self.error("`(` was to be here");
            };
            self.at += 1;
            self.put(word, &mut Vec::new(), &mut values);
            return Ok(values);
        }
        self.at += 1;
        loop {
            match self.peek().cloned() {
                Some(Kind::Close) => {
                    self.at += 1;
                    return Ok(values);
                }
                Some(Kind::Comma) => self.at += 1,
                Some(Kind::Word(word)) => {
                    self.at += 1;
                    self.put(word, &mut Vec::new(), &mut values);
                }
                Some(Kind::Quoted(word)) => {
                    self.at += 1;
                    values.push(Value::Text(word));
                }
                _ => return self.error("a value, `,` or `)` was to be here"),
            }
            if values.len() > MAX_ATOMS {
                return self.error(format!("more than {MAX_ATOMS} values with all lists put in"));
            }
        }
    }

    /// A value, or what a list of this name holds; lists may name lists.
    fn put(&self, word: String, inside: &mut Vec<String>, values: &mut Vec<Value>) {
        match self.items.lists.iter().find(|list| list.name == word) {
            Some(list) if !inside.contains(&word) && values.len() <= MAX_ATOMS => {
                inside.push(word);
                for item in &list.items {
                    self.put(unquoted(item).to_owned(), inside, values);
                }
                inside.pop();
            }
            _ => values.push(Value::Text(word)),
        }
    }
}

/// Items of lists may be quoted once more: `'"(systemd)"'`.
pub fn unquoted(item: &str) -> &str {
    let quoted = ['"', '\''].iter().find_map(|quote| item.strip_prefix(*quote)?.strip_suffix(*quote));
    quoted.unwrap_or(item)
}
