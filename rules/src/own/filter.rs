//! A filter of a rule: as `-f` has it, over arguments and contexts, or over a field by its meaning.

use events::{ArgKind, Event, catalogue};
use scopes::filter::{Namespace, Target, Value as Given};
use scopes::key;
use scopes::pattern::Pattern as Written;
use scopes::syntax::{self, Op};
use scopes::{ScopeSet, nearest};

use super::names;
use crate::class::Class;
use crate::diagnostic::{Diagnostic, File};
use crate::form::{
    Atom, Case, Cidr, Comparison, ContainerFact, Expr, Field, FieldShape, Pattern, Piece, ProcessFact,
    SocketFact, Test,
};
use crate::yaml::Node;

/// What a filter is read for.
pub struct About<'a> {
    pub file: &'a File<'a>,
    /// The events whose arguments it may name.
    pub events: &'a [&'static Event],
}

/// A filter in words, or several: `any`, `all`, `not`, `same`.
pub fn read(about: &About<'_>, node: &Node, errors: &mut Vec<Diagnostic>) -> Expr {
    if let Some(text) = node.text() {
        return one(about, node, text).unwrap_or_else(|error| {
            errors.push(*error);
            Expr::Const(false)
        });
    }
    if let Some(list) = node.list() {
        return Expr::all(list.iter().map(|it| read(about, it, errors)).collect::<Vec<_>>());
    }
    let mut parts = Vec::new();
    for (key, value) in node.entries().unwrap_or_default() {
        let mut each = || value.one_or_more().iter().map(|it| read(about, it, errors)).collect::<Vec<_>>();
        parts.push(match key.text() {
            Some("any") => Expr::any(each()),
            Some("all") => Expr::all(each()),
            Some("not") => Expr::all(each()).negated(),
            Some("none") => Expr::any(each()).negated(),
            Some("same") => same(about, value, errors),
            other => {
                let given = other.unwrap_or_default();
                let known = ["any", "all", "not", "none", "same"];
                let error = key.error(about.file, format!("unknown key {given:?}"));
                errors.push(error.suggesting(nearest(given, known)).allowing(known.join(", ")));
                Expr::Const(false)
            }
        });
    }
    Expr::all(parts)
}

/// Two fields that have one value.
fn same(about: &About<'_>, node: &Node, errors: &mut Vec<Diagnostic>) -> Expr {
    let fields: Vec<_> = node.one_or_more().iter().map(|it| field(about.file, it, errors)).collect();
    match fields.as_slice() {
        [Some(left), Some(right)] => Expr::Atom(Atom {
            written: format!("{left} is {right}").into(),
            field: left.clone(),
            test: Test::SameAs(right.clone(), Case::Exact, FieldShape::Equals),
        }),
        [None, _] | [_, None] => Expr::Const(false),
        _ => {
            errors.push(node.error(about.file, "`same` takes two fields"));
            Expr::Const(false)
        }
    }
}

/// A field that keys and counts name.
pub fn field(file: &File<'_>, node: &Node, errors: &mut Vec<Diagnostic>) -> Option<Field> {
    let name = node.text().unwrap_or_default();
    let known = match name {
        "comm" => Some(Field::actor(ProcessFact::Comm)),
        "uid" => Some(Field::actor(ProcessFact::Uid)),
        "pid" => Some(Field::actor(ProcessFact::Pid)),
        "container" => Some(Field::Container(ContainerFact::Id)),
        "containerImage" => Some(Field::Container(ContainerFact::Image)),
        "host" => Some(Field::Host),
        name => names::field(name).or_else(|| name.strip_prefix("args.").map(Field::arg)),
    };
    if known.is_none() {
        let all = names::all();
        let error = node.error(file, format!("unknown field {name:?}"));
        let allowed =
            format!("comm, uid, pid, container, containerImage, host, args.NAME, {}", all.join(", "));
        errors.push(error.suggesting(nearest(name, all.iter().map(String::as_str))).allowing(allowed));
    }
    known
}

type Read<T> = Result<T, Box<Diagnostic>>;

fn one(about: &About<'_>, node: &Node, text: &str) -> Read<Expr> {
    let parts = match syntax::split(text) {
        Ok(parts) => parts,
        Err(wrong) => {
            let error = node.error_at(about.file, wrong.span, wrong.message.to_string());
            return Err(Box::new(error.allowing(wrong.allowed)));
        }
    };
    let key = parts.key.text;
    let bare = ["args.", "data."].iter().find_map(|prefix| key.strip_prefix(prefix)).unwrap_or(key);
    let argument = bare.split('.').next().unwrap_or(bare);
    let owner = about.events.iter().find(|event| event.arg(argument).is_some());
    if key == bare
        && parts.scope.is_none()
        && let Some(field) = names::field(key)
    {
        return of_field(about, node, text, &parts, field);
    }
    // What names an argument or a result names it of its event.
    let prefix = match owner {
        Some(event) => Some(format!("{}.args.", event.name)),
        None if key == "retval" => about.events.first().map(|event| format!("{}.", event.name)),
        None => None,
    };
    let shift = prefix.as_ref().map_or(0, |prefix| prefix.len()) as isize - (key.len() - bare.len()) as isize;
    let given = match &prefix {
        Some(prefix) => format!("{prefix}{bare}{}", text.get(parts.key.span.end..).unwrap_or_default()),
        None => text.to_owned(),
    };
    let set = ScopeSet::parse(&[given]).map_err(|errors| {
        let Some(first) = errors.into_iter().next() else {
            return Box::new(node.error(about.file, "this is no filter"));
        };
        let at = |byte: usize| byte.saturating_add_signed(-shift).min(text.len());
        let span = at(first.span.start)..at(first.span.end);
        let mut error = node.error_at(about.file, span, first.message);
        if prefix.is_none() && error.message.starts_with("unknown filter key") {
            let mut known = names::all();
            known.extend(about.events.iter().flat_map(|event| event.args).map(|arg| arg.name.to_owned()));
            error = error.suggesting(nearest(key, known.iter().map(String::as_str)));
            return Box::new(error.allowing(known.join(", ")));
        }
        error = error.suggesting(first.suggestion.as_deref());
        Box::new(match first.allowed {
            Some(allowed) => error.allowing(allowed),
            None => error,
        })
    })?;
    let Some(filter) = set.scopes().next().and_then(|scope| scope.filters.first()) else {
        return Err(Box::new(node.error(about.file, "this is no filter")));
    };
    let mut values = filter.values.clone();
    let field = match &filter.target {
        Target::Arg { event, position, member } => {
            // What is true or false is compared as it is printed.
            if event.0.args.get(*position).is_some_and(|arg| arg.kind == ArgKind::Bool) {
                for value in &mut values {
                    if let Given::Number(number) = value {
                        *value = Given::Flag(*number != 0);
                    }
                }
            }
            let name = event.0.args.get(*position).map_or("", |arg| arg.name);
            match member.as_str() {
                "" => Field::arg(name),
                member => Field::arg(&format!("{name}.{member}")),
            }
        }
        Target::Ret(_) => Field::Ret,
        Target::Field(key::Field::Container) => {
            return container(about, node, filter.op, &filter.values, text);
        }
        Target::Field(key::Field::Host) => {
            let outside = exists(Field::Container(ContainerFact::Id), text).negated();
            let is_outside = filter.values.first() != Some(&Given::Flag(false)) && filter.is_positive();
            return Ok(if is_outside { outside } else { outside.negated() });
        }
        Target::Field(field) => context(*field).ok_or_else(|| {
            Box::new(node.error(about.file, format!("rules do not ask about {}", field.name())))
        })?,
        _ => {
            let message = "events are named by `event` or `kind`, not by a filter";
            return Err(Box::new(node.error(about.file, message)));
        }
    };
    tests(about, node, text, field, filter.op, &values)
}

/// The field of a context.
fn context(field: key::Field) -> Option<Field> {
    Some(match field {
        key::Field::Comm => Field::actor(ProcessFact::Comm),
        key::Field::Binary => Field::actor(ProcessFact::Exe),
        key::Field::Pid | key::Field::HostPid => Field::actor(ProcessFact::Pid),
        key::Field::Ppid => Field::parent(ProcessFact::Pid),
        key::Field::NsPid => Field::actor(ProcessFact::NsPid),
        key::Field::Uid => Field::actor(ProcessFact::Uid),
        key::Field::HostName => Field::Host,
        key::Field::Syscall => Field::Call,
        key::Field::ContainerId => Field::Container(ContainerFact::Id),
        key::Field::ContainerImage => Field::Container(ContainerFact::Image),
        key::Field::ContainerName => Field::Container(ContainerFact::Name),
        key::Field::PodName => Field::Container(ContainerFact::PodName),
        key::Field::PodNamespace => Field::Container(ContainerFact::PodNamespace),
        _ => return None,
    })
}

fn exists(field: Field, written: &str) -> Expr {
    Expr::Atom(Atom { field, test: Test::Exists, written: written.into() })
}

fn container(about: &About<'_>, node: &Node, op: Op, values: &[Given], written: &str) -> Read<Expr> {
    let id = || exists(Field::Container(ContainerFact::Id), written);
    let mut any = Vec::new();
    for value in values {
        any.push(match value {
            Given::Started => exists(Field::Container(ContainerFact::Started), written),
            Given::Text(pattern) => {
                let atom = |fact, pattern| {
                    let test = Test::Fits(Case::Exact, vec![pattern]);
                    Expr::Atom(Atom { field: Field::Container(fact), test, written: written.into() })
                };
                let pattern = of_scopes(pattern);
                let id = match &pattern {
                    Pattern::Equals(text) => Pattern::Prefix(text.clone()),
                    other => other.clone(),
                };
                Expr::any([atom(ContainerFact::Id, id), atom(ContainerFact::Name, pattern)])
            }
            _ => {
                return Err(Box::new(
                    node.error(
                        about.file,
                        "rules ask `container`, `container=started`, or for an id or name",
                    ),
                ));
            }
        });
    }
    Ok(match op {
        Op::Is => id(),
        Op::IsNot => id().negated(),
        Op::NotEqual => Expr::any(any).negated(),
        _ => Expr::any(any),
    })
}

/// Tests of a field that is known by its meaning.
pub fn of_field(
    about: &About<'_>,
    node: &Node,
    text: &str,
    parts: &syntax::Parts<'_>,
    field: Field,
) -> Read<Expr> {
    let mut values = Vec::new();
    let mut networks = Vec::new();
    for piece in &parts.values {
        let is_address = matches!(field, Field::Socket(_, SocketFact::Address));
        match piece.text.parse::<i128>() {
            Ok(number) if parts.op.is_bound() => values.push(Given::Number(number)),
            Err(_) if parts.op.is_bound() => {
                let message = format!("{:?} is not a number", piece.text);
                return Err(Box::new(node.error_at(about.file, piece.span.clone(), message)));
            }
            _ if is_address && piece.text.contains('/') => match Cidr::parse(piece.text) {
                Some(network) => networks.push(network),
                None => {
                    let message = format!("{:?} is no network", piece.text);
                    return Err(Box::new(node.error_at(about.file, piece.span.clone(), message)));
                }
            },
            _ => values.push(Given::Text(Written::parse(piece.text))),
        }
    }
    if networks.is_empty() {
        return tests(about, node, text, field, parts.op, &values);
    }
    let within = Expr::Atom(Atom { field: field.clone(), test: Test::Cidr(networks), written: text.into() });
    let op = if parts.op == Op::NotEqual { Op::Equal } else { parts.op };
    let any = match values.is_empty() {
        true => within,
        false => Expr::any([within, tests(about, node, text, field.clone(), op, &values)?]),
    };
    Ok(match parts.op {
        Op::NotEqual => Expr::all([exists(field, text), any.negated()]),
        _ => any,
    })
}

/// Values are compared as they are printed. One that an event does not have fits nothing, nor anything but it.
fn tests(about: &About<'_>, node: &Node, text: &str, field: Field, op: Op, values: &[Given]) -> Read<Expr> {
    let atom = |test| Expr::Atom(Atom { field: field.clone(), test, written: text.into() });
    let comparison = match op {
        Op::Is => return Ok(exists(field, text)),
        Op::IsNot => return Ok(exists(field, text).negated()),
        Op::Equal | Op::NotEqual => None,
        Op::Less => Some(Comparison::Less),
        Op::Greater => Some(Comparison::Greater),
        Op::LessOrEqual => Some(Comparison::LessOrEqual),
        Op::GreaterOrEqual => Some(Comparison::GreaterOrEqual),
    };
    if let Some(comparison) = comparison {
        let bounds = values.iter().filter_map(|value| match value {
            Given::Number(number) => Some(atom(Test::Number(comparison, *number as f64))),
            _ => None,
        });
        return Ok(Expr::all(bounds.collect::<Vec<_>>()));
    }
    let mut patterns = Vec::new();
    for value in values {
        patterns.push(match value {
            Given::Number(number) => Pattern::Equals(number.to_string().into_bytes()),
            Given::Text(pattern) | Given::Path(Namespace::Any, pattern) => of_scopes(pattern),
            Given::Flag(flag) => Pattern::Equals(flag.to_string().into_bytes()),
            Given::User(_) => {
                return Err(Box::new(
                    node.error(about.file, "users are asked by number here, or by name as user=NAME"),
                ));
            }
            _ => return Err(Box::new(node.error(about.file, "rules do not ask for this value"))),
        });
    }
    let any = atom(Test::Fits(Case::Exact, patterns));
    Ok(match op {
        Op::NotEqual => Expr::all([exists(field, text), any.negated()]),
        _ => any,
    })
}

/// The same pattern as the form has it.
fn of_scopes(pattern: &Written) -> Pattern {
    let mut pieces = Vec::new();
    for (number, text) in pattern.pieces().into_iter().enumerate() {
        if number > 0 {
            pieces.push(Piece::Many);
        }
        pieces.push(Piece::Literal(text.to_vec()));
    }
    Pattern::from_pieces(pieces)
}

/// The events of a class, for the names of their arguments.
pub fn events_of(class: &Class) -> Vec<&'static Event> {
    match class.named() {
        Some(names) => names.iter().filter_map(|name| catalogue::by_name(name)).collect(),
        None => {
            let carriers = class.alternatives().unwrap_or_default().iter().copied().flatten();
            carriers.filter_map(|carrier| catalogue::by_name(carrier.event)).collect()
        }
    }
}
