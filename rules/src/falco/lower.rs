//! Conditions to expressions: one for each type of event of which a condition can be true.

use std::collections::BTreeSet;
use std::sync::Arc;

use events::catalogue;
use scopes::nearest;

use super::document::{self, Exception, Items};
use super::fields::{self, Kind, Meaning};
use super::parse::{self, Check, Name, Place, Tree, Value};
use crate::class::Class;
use crate::diagnostic::Diagnostic;
use crate::form::{
    Arm, Atom, Body, Case, Cidr, Comparison, ContainerFact, Expr, Field, FieldShape, FileFact, Pattern,
    Piece, ProcessFact, Query, Regex, SocketFact, Test,
};
use crate::rule::{Language, Level, Rule};
use crate::yaml::Node;

pub fn rules(items: &Items, diagnostics: &mut Vec<Diagnostic>) -> Vec<Rule> {
    let mut rules = Vec::new();
    for rule in items.rules.iter().filter(|rule| rule.is_enabled) {
        match one(items, rule) {
            Ok(rule) => rules.push(rule),
            // Its author knows that it may name what a program does not have.
            Err(error) if rule.skips_unknown => diagnostics.push(error.as_warning()),
            Err(error) => diagnostics.push(*error),
        }
    }
    rules
}

type Read<T> = Result<T, Box<Diagnostic>>;

fn one(items: &Items, rule: &document::Rule) -> Read<Rule> {
    let file = rule.file.file();
    if !rule.source.is_empty() && rule.source != "syscall" {
        let error =
            rule.node.error(&file, format!("rules of the source {:?} are asked of other logs", rule.source));
        return Err(Box::new(error));
    }
    let mut tree = parse::condition(items, &rule.condition)?;
    for exception in &rule.exceptions {
        if let Some(excepted) = except(items, exception)? {
            tree = Tree::All(vec![tree, Tree::Not(Box::new(excepted))]);
        }
    }
    let level = match &rule.priority {
        None => Level::default(),
        Some(node) => priority(rule, node)?,
    };
    let mut lower = Lower { notes: Vec::new(), refused: None };
    let query = lower.query(&tree)?;
    if query.arms.is_empty() {
        let node = rule.condition.parts.first().map_or(&rule.node, |(_, node)| node);
        return Err(Box::new(match lower.refused {
            Some(error) => error,
            None => node.error(&file, "no type of event that is recorded can make this true"),
        }));
    }
    let tags = rule.tags.iter().map(|tag| match tag.strip_prefix('T') {
        Some(number) if number.starts_with(|c: char| c.is_ascii_digit()) => format!("attack.t{number}"),
        _ => tag.clone(),
    });
    Ok(Rule {
        id: rule.name.clone(),
        title: rule.name.clone(),
        level,
        language: Language::Falco,
        authors: Vec::new(),
        licence: None,
        description: rule.description.split_whitespace().collect::<Vec<_>>().join(" "),
        tags: tags.collect(),
        place: file.place(rule.node.line, rule.node.column),
        output: (!rule.output.is_empty())
            .then(|| rule.output.split_whitespace().collect::<Vec<_>>().join(" ")),
        body: Body::Event(query),
        is_told: true,
        notes: lower.notes,
    })
}

fn priority(rule: &document::Rule, node: &Node) -> Read<Level> {
    let given = node.text().unwrap_or_default();
    let names =
        ["emergency", "alert", "critical", "error", "warning", "notice", "informational", "info", "debug"];
    Level::parse(given).ok_or_else(|| {
        let error = node.error(&rule.file.file(), format!("unknown priority {given:?}"));
        Box::new(error.suggesting(nearest(&given.to_lowercase(), names)).allowing(names.join(", ")))
    })
}

/// What an exception leaves out: `None` when it has no values yet.
fn except(items: &Items, exception: &Exception) -> Read<Option<Tree>> {
    let file = exception.file.file();
    let mut any = Vec::new();
    let place = |node: &Node| Place { file: Arc::clone(&exception.file), node: node.clone(), span: 0..0 };
    let check = |field: &Node, op: &str, values: &[Node]| -> Read<Tree> {
        let name = field.text().unwrap_or_default();
        let (name, argument) = match name.split_once('[') {
            Some((name, rest)) => (name, Some(rest.trim_end_matches(']').to_owned())),
            None => (name, None),
        };
        let mut texts = Vec::new();
        for value in values.iter().filter_map(Node::text) {
            match items.lists.iter().find(|list| list.name == value) {
                Some(list) => texts.extend(list.items.iter().map(|it| parse::unquoted(it).to_owned())),
                None => texts.push(parse::unquoted(value).to_owned()),
            }
        }
        Ok(Tree::Check(Check {
            field: Name { functions: Vec::new(), name: name.to_owned(), argument },
            op: op.to_owned(),
            quantifier: None,
            values: texts.into_iter().map(Value::Text).collect(),
            place: place(field),
        }))
    };
    if exception.is_single {
        let Some(field) = exception.fields.first().filter(|_| !exception.values.is_empty()) else {
            return Ok(None);
        };
        let op = exception.comps.first().map_or("in", String::as_str);
        return check(field, op, &exception.values).map(Some);
    }
    for tuple in &exception.values {
        let values = tuple.one_or_more();
        if values.len() != exception.fields.len() {
            let message = format!("the exception {:?} has {} fields", exception.name, exception.fields.len());
            return Err(Box::new(tuple.error(&file, message)));
        }
        let mut all = Vec::new();
        for (number, (field, value)) in exception.fields.iter().zip(values).enumerate() {
            let op = exception.comps.get(number).map_or("=", String::as_str);
            all.push(check(field, op, value.one_or_more())?);
        }
        any.push(Tree::All(all));
    }
    Ok((!any.is_empty()).then_some(Tree::Any(any)))
}

struct Lower {
    notes: Vec<String>,
    /// Why a type of event is not asked.
    refused: Option<Diagnostic>,
}

/// A type of event, and a kind of row that carries it.
struct Target<'a> {
    name: &'a str,
    kind: Kind,
}

impl Lower {
    fn query(&mut self, tree: &Tree) -> Read<Query> {
        let mut types = BTreeSet::new();
        named_types(tree, &mut types);
        if types.is_empty() {
            let place = first_place(tree);
            let message = "this names no `evt.type`: rules are asked of the events that they name";
            let Some(place) = place else { return Ok(Query::default()) };
            return Err(Box::new(place.error(message)));
        }
        // Types that are asked the same of one carrier are one arm.
        let mut found: Vec<(Class, Expr, BTreeSet<String>)> = Vec::new();
        for name in &types {
            for (class, kind) in carriers(name) {
                let expr = match self.expr(tree, &Target { name, kind }) {
                    Ok(expr) => expr,
                    Err(error) => {
                        self.refused.get_or_insert(*error);
                        continue;
                    }
                };
                let expr = match kind {
                    Kind::NotOpened => {
                        let failed = Test::Number(Comparison::Less, 0.0);
                        let failed = Atom { field: Field::Ret, test: failed, written: "evt.failed".into() };
                        Expr::all([Expr::Atom(failed), expr])
                    }
                    _ => expr,
                };
                if expr == Expr::Const(false) {
                    continue;
                }
                match found.iter_mut().find(|(known, same, _)| *known == class && *same == expr) {
                    Some((.., names)) => drop(names.insert(name.clone())),
                    None => found.push((class, expr, BTreeSet::from([name.clone()]))),
                }
            }
        }
        // Field errors that concern every type are errors of the rule.
        let mut query = Query::default();
        for (class, expr, names) in found {
            let calls_it_all = match class {
                Class::Exec => names.len() == 2,
                Class::Calls(_) | Class::Fork | Class::Exit => true,
                _ => false,
            };
            let expr = if calls_it_all {
                expr
            } else {
                let names: Vec<Pattern> =
                    names.iter().map(|name| Pattern::Equals(name.clone().into_bytes())).collect();
                let test = Test::Fits(Case::Exact, names);
                Expr::all([Expr::Atom(Atom { field: Field::Call, test, written: "evt.type".into() }), expr])
            };
            match query.arms.iter_mut().find(|arm| arm.class == class) {
                Some(arm) => {
                    let before = std::mem::replace(&mut arm.expr, Expr::Const(false));
                    arm.expr = Expr::any([before, expr]);
                }
                None => query.arms.push(Arm { class, expr }),
            }
        }
        if let Some(error) = self.refused.as_ref().filter(|_| !query.arms.is_empty()) {
            self.notes.push(format!("not asked of all its types of events: {}", error.message));
        }
        self.notes.sort();
        self.notes.dedup();
        Ok(query)
    }

    fn expr(&mut self, tree: &Tree, target: &Target<'_>) -> Read<Expr> {
        Ok(match tree {
            Tree::Not(inner) => self.expr(inner, target)?.negated(),
            Tree::All(parts) => {
                let mut all = Vec::new();
                let mut wrong = None;
                for part in parts {
                    // What makes the whole false need not be answered otherwise.
                    match self.expr(part, target) {
                        Ok(Expr::Const(false)) => return Ok(Expr::Const(false)),
                        Ok(expr) => all.push(expr),
                        Err(error) => wrong = wrong.or(Some(error)),
                    }
                }
                if let Some(error) = wrong {
                    return Err(error);
                }
                Expr::all(all)
            }
            Tree::Any(parts) => {
                let mut any = Vec::new();
                let mut wrong = None;
                for part in parts {
                    match self.expr(part, target) {
                        Ok(Expr::Const(true)) => return Ok(Expr::Const(true)),
                        Ok(expr) => any.push(expr),
                        Err(error) => wrong = wrong.or(Some(error)),
                    }
                }
                if let Some(error) = wrong {
                    return Err(error);
                }
                Expr::any(any)
            }
            Tree::Check(check) => self.check(check, target)?,
        })
    }

    fn check(&mut self, check: &Check, target: &Target<'_>) -> Read<Expr> {
        let wrong = |message: String| Box::new(check.place.error(message));
        let mut folds = false;
        let mut shortens = false;
        for function in &check.field.functions {
            match function.as_str() {
                "tolower" | "toupper" => folds = true,
                "basename" => shortens = true,
                other => {
                    let error = wrong(format!("the function {other:?} is not asked"));
                    return Err(Box::new(error.allowing("tolower, toupper, basename")));
                }
            }
        }
        let name = check.field.name.as_str();
        if name == "evt.type" {
            return Ok(Expr::Const(
                test(check, folds).map_err(wrong)?.passes(crate::form::Value::Text(target.name.as_bytes())),
            ));
        }
        let field = match fields::meaning(target.kind, name, check.field.argument.as_deref()) {
            Meaning::Unknown => {
                let error = check.place.error(format!("the field {name:?} is not known"));
                let known = fields::KNOWN;
                return Err(Box::new(error.suggesting(nearest(name, known)).allowing(known.join(", "))));
            }
            Meaning::Refused(why) => return Err(wrong(format!("{name} cannot be asked: {why}"))),
            Meaning::Missing => return Ok(Expr::Const(false)),
            Meaning::Text(text) => return constant(check, folds, crate::form::Value::Text(text.as_bytes())),
            Meaning::Number(number) => {
                return constant(check, folds, crate::form::Value::Number(number.into()));
            }
            Meaning::Holds(expr) => {
                if name == "fd.name_changed" {
                    self.notes.push("which address a socket had before a call is not known".into());
                }
                return boolean(check, expr);
            }
            Meaning::Container => return container(check).map_err(wrong),
            Meaning::Field(field) if shortens => match shortened(&field) {
                Some(field) => field,
                None => return Err(wrong(format!("basename of {name} is not asked"))),
            },
            Meaning::Field(field) => field,
        };
        let written = || format!("{name} {}", check.op).into_boxed_str();
        let exists = || Expr::Atom(Atom { field: field.clone(), test: Test::Exists, written: name.into() });
        if check.op == "exists" {
            return Ok(exists());
        }
        let is_address = matches!(field, Field::Socket(_, SocketFact::Address));
        let is_negative = check.op == "!=";
        let positive = if let Some(Value::Field(other)) = check.values.first() {
            let Meaning::Field(other) = fields::meaning(target.kind, &other.name, other.argument.as_deref())
            else {
                return Err(wrong(format!("{} cannot be compared with", other.name)));
            };
            let shape = match check.op.as_str() {
                "=" | "==" | "!=" => FieldShape::Equals,
                "contains" | "icontains" => FieldShape::Contains,
                "startswith" => FieldShape::Prefix,
                "endswith" => FieldShape::Suffix,
                op => return Err(wrong(format!("{op} does not compare two fields"))),
            };
            let case = if folds || check.op == "icontains" { Case::Folded } else { Case::Exact };
            Expr::Atom(Atom {
                field: field.clone(),
                test: Test::SameAs(other, case, shape),
                written: written(),
            })
        } else if check.quantifier.as_deref() == Some("allof") {
            let mut all = Vec::new();
            for value in &check.values {
                let one = Check { values: vec![value.clone()], quantifier: None, ..check.clone() };
                all.push(Expr::Atom(Atom {
                    field: field.clone(),
                    test: test(&one, folds).map_err(wrong)?,
                    written: written(),
                }));
            }
            Expr::all(all)
        } else {
            let test = if is_address { addresses(check) } else { test(check, folds) }.map_err(wrong)?;
            Expr::Atom(Atom { field: field.clone(), test, written: written() })
        };
        // What has no value makes every operator false, this one too.
        Ok(if is_negative { Expr::all([exists(), positive.negated()]) } else { positive })
    }
}

fn constant(check: &Check, folds: bool, value: crate::form::Value<'_>) -> Read<Expr> {
    if check.op == "exists" {
        return Ok(Expr::Const(true));
    }
    let passes = test(check, folds).map_err(|message| Box::new(check.place.error(message)))?.passes(value);
    Ok(Expr::Const(passes != (check.op == "!=")))
}

fn boolean(check: &Check, expr: Expr) -> Read<Expr> {
    let given = match check.values.first() {
        Some(Value::Text(text)) => text.as_str(),
        _ => "true",
    };
    let is_equal = match check.op.as_str() {
        "=" | "==" | "in" => true,
        "!=" => false,
        "exists" => return Ok(Expr::Const(true)),
        op => return Err(Box::new(check.place.error(format!("{op} does not fit what is true or false")))),
    };
    match given {
        "true" | "1" => Ok(if is_equal { expr } else { expr.negated() }),
        "false" | "0" => Ok(if is_equal { expr.negated() } else { expr }),
        other => Err(Box::new(check.place.error(format!("{other:?} is neither true nor false")))),
    }
}

/// `host` outside of containers, else the beginning of the id.
fn container(check: &Check) -> Result<Expr, String> {
    let field = Field::Container(ContainerFact::Id);
    let atom = |test| Expr::Atom(Atom { field: field.clone(), test, written: "container.id".into() });
    let mut any = Vec::new();
    for value in &check.values {
        let Value::Text(text) = value else { return Err("container.id is compared with texts".into()) };
        any.push(match (check.op.as_str(), text.as_str()) {
            ("=" | "==" | "!=" | "in", "host") => atom(Test::Exists).negated(),
            // Falco fills it in late; here it is known or there is none.
            ("=" | "==" | "!=" | "in", "" | "<NA>") => Expr::Const(false),
            ("=" | "==" | "!=" | "in" | "startswith", text) => {
                atom(Test::Fits(Case::Exact, vec![Pattern::Prefix(text.as_bytes().to_vec())]))
            }
            (op, _) => return Err(format!("{op} does not fit container.id")),
        });
    }
    let any = Expr::any(any);
    Ok(match check.op.as_str() {
        "exists" => Expr::Const(true),
        "!=" => any.negated(),
        _ => any,
    })
}

fn shortened(field: &Field) -> Option<Field> {
    Some(match field {
        Field::Process(who, ProcessFact::Exe) => Field::Process(*who, ProcessFact::Name),
        Field::File(FileFact::Path) => Field::File(FileFact::Name),
        Field::File(FileFact::OldPath) => Field::File(FileFact::OldName),
        Field::Descriptor(crate::form::DescriptorFact::Name) => {
            Field::Descriptor(crate::form::DescriptorFact::FileName)
        }
        _ => return None,
    })
}

/// Addresses, networks, or both.
fn addresses(check: &Check) -> Result<Test, String> {
    let mut networks = Vec::new();
    for value in &check.values {
        let Value::Text(text) = value else { return Err("addresses are compared with texts".into()) };
        let text = text.trim_matches('"');
        match Cidr::parse(text) {
            Some(network) => networks.push(network),
            // Names in lists of addresses are those that Falco resolves while it runs.
            None => return Err(format!("{text:?} is neither an address nor a network")),
        }
    }
    match check.op.as_str() {
        "=" | "==" | "!=" | "in" | "intersects" => Ok(Test::Cidr(networks)),
        op => Err(format!("{op} does not fit an address")),
    }
}

/// The test of an operator, not negated.
fn test(check: &Check, folds: bool) -> Result<Test, String> {
    let texts = || {
        check.values.iter().filter_map(|value| match value {
            Value::Text(text) => Some(text.as_str()),
            Value::Field(_) => None,
        })
    };
    let case = if folds { Case::Folded } else { Case::Exact };
    let folded = |case: Case, patterns: Vec<Pattern>| match case {
        Case::Folded => Test::Fits(case, patterns.into_iter().map(Pattern::lower).collect()),
        Case::Exact => Test::Fits(case, patterns),
    };
    let fits = |case, make: &dyn Fn(Vec<u8>) -> Pattern| {
        folded(case, texts().map(|text| make(text.as_bytes().to_vec())).collect())
    };
    let bytes = |text: &str| -> Result<Vec<u8>, String> {
        let digits = text.as_bytes().chunks(2).map(|pair| {
            let pair = std::str::from_utf8(pair).ok().filter(|pair| pair.len() == 2)?;
            u8::from_str_radix(pair, 16).ok()
        });
        digits.collect::<Option<Vec<u8>>>().ok_or_else(|| format!("{text:?} are no bytes in hexadecimal"))
    };
    let number = |comparison| -> Result<Test, String> {
        let text = texts().next().unwrap_or_default();
        let number = text.parse::<f64>().map_err(|_| format!("{text:?} is no number"))?;
        Ok(Test::Number(comparison, number))
    };
    Ok(match check.op.as_str() {
        "=" | "==" | "!=" | "in" | "intersects" => fits(case, &Pattern::Equals),
        "contains" => fits(case, &Pattern::Contains),
        "icontains" => fits(Case::Folded, &Pattern::Contains),
        "startswith" => fits(case, &Pattern::Prefix),
        "istartswith" => fits(Case::Folded, &Pattern::Prefix),
        "endswith" => fits(case, &Pattern::Suffix),
        "bcontains" | "bstartswith" => {
            let bytes: Vec<Vec<u8>> = texts().map(bytes).collect::<Result<_, _>>()?;
            let make = if check.op == "bcontains" { Pattern::Contains } else { Pattern::Prefix };
            Test::Fits(Case::Exact, bytes.into_iter().map(make).collect())
        }
        "glob" | "iglob" => {
            let case = if check.op == "iglob" { Case::Folded } else { case };
            if texts().any(|text| text.contains('[')) {
                let regexes = texts().map(|text| bracketed(text, case)).collect::<Result<_, _>>()?;
                Test::Regex(regexes)
            } else {
                folded(case, texts().map(glob).collect())
            }
        }
        "pmatch" => {
            let under = |text: &str| {
                let path = text.trim_end_matches('/');
                [glob(path), glob(&format!("{path}/*"))]
            };
            folded(case, texts().flat_map(under).collect())
        }
        "regex" => Test::Regex(
            texts()
                .map(|text| regex(&format!("(?s)^(?:{text})$")).map_err(|why| format!("{text:?}: {why}")))
                .collect::<Result<_, _>>()?,
        ),
        "<" => number(Comparison::Less)?,
        "<=" => number(Comparison::LessOrEqual)?,
        ">" => number(Comparison::Greater)?,
        ">=" => number(Comparison::GreaterOrEqual)?,
        op => return Err(format!("the operator {op:?} is not known")),
    })
}

fn regex(text: &str) -> Result<Regex, String> {
    let built = regex::bytes::RegexBuilder::new(text).unicode(false).size_limit(1 << 20).build();
    built.map(Regex).map_err(|error| match error {
        regex::Error::CompiledTooBig(_) => "this regular expression is too large".to_owned(),
        error => {
            format!("this is no regular expression: {}", error.to_string().lines().last().unwrap_or_default())
        }
    })
}

/// `*` and `?`, which go over slashes too, and backslashes before them.
fn glob(text: &str) -> Pattern {
    let mut pieces = Vec::new();
    let mut chars = text.chars();
    while let Some(c) = chars.next() {
        pieces.push(match c {
            '*' => Piece::Many,
            '?' => Piece::One,
            '\\' => Piece::Literal(chars.next().unwrap_or('\\').to_string().into_bytes()),
            c => Piece::Literal(c.to_string().into_bytes()),
        });
    }
    Pattern::from_pieces(pieces)
}

/// Globs with sets of characters.
fn bracketed(text: &str, case: Case) -> Result<Regex, String> {
    let mut written = String::from(if case == Case::Folded { "(?is)^" } else { "(?s)^" });
    let mut is_inside = false;
    for c in text.chars() {
        match c {
            '[' if !is_inside => {
                is_inside = true;
                written.push('[');
            }
            ']' if is_inside => {
                is_inside = false;
                written.push(']');
            }
            '!' if is_inside && written.ends_with('[') => written.push('^'),
            c if is_inside && c != '\\' && c != '[' => written.push(c),
            '*' => written.push_str(".*"),
            '?' => written.push('.'),
            c => written.push_str(&regex::escape(&c.to_string())),
        }
    }
    written.push('$');
    regex(&written)
}

/// Types of events that a condition names.
fn named_types(tree: &Tree, types: &mut BTreeSet<String>) {
    match tree {
        Tree::All(parts) | Tree::Any(parts) => parts.iter().for_each(|part| named_types(part, types)),
        Tree::Not(inner) => named_types(inner, types),
        Tree::Check(check) if check.field.name == "evt.type" => {
            types.extend(check.values.iter().filter_map(|value| match value {
                Value::Text(text) => Some(text.clone()),
                Value::Field(_) => None,
            }));
        }
        Tree::Check(_) => {}
    }
}

fn first_place(tree: &Tree) -> Option<&Place> {
    match tree {
        Tree::All(parts) | Tree::Any(parts) => parts.iter().find_map(first_place),
        Tree::Not(inner) => first_place(inner),
        Tree::Check(check) => Some(&check.place),
    }
}

/// The rows that carry a type of event; none of those that nothing here records.
fn carriers(name: &str) -> Vec<(Class, Kind)> {
    match name {
        "execve" | "execveat" => vec![(Class::Exec, Kind::Exec)],
        "open" | "openat" | "openat2" | "creat" => {
            vec![(Class::Open, Kind::Opened), (Class::calls([name]), Kind::NotOpened)]
        }
        "clone" | "clone3" | "fork" | "vfork" => vec![(Class::Fork, Kind::Fork)],
        "procexit" => vec![(Class::Exit, Kind::Exit)],
        "rename" | "renameat" | "renameat2" => vec![(Class::Rename, Kind::Done)],
        "unlink" | "unlinkat" => vec![(Class::events(["security_inode_unlink"]), Kind::Done)],
        "symlink" | "symlinkat" => vec![(Class::events(["security_inode_symlink"]), Kind::Done)],
        name => match catalogue::by_name(name).filter(|event| event.is_syscall()) {
            Some(event) => vec![(Class::calls([event.name]), Kind::Call)],
            None => Vec::new(),
        },
    }
}
