//! Conditions of a query as scopes. What is made of one never leaves out a row that it holds for; where more may match, the
//! query looks again.

#[cfg(test)]
mod tests;

use std::collections::BTreeSet;

use datafusion::common::ScalarValue;
use datafusion::logical_expr::expr::{InList, ScalarFunction};
use datafusion::logical_expr::{Between, BinaryExpr, Expr, Like, Operator};
use events::{Source as From, catalogue};

use crate::arguments::{Argument, Known, Use};
use crate::question::Condition;
use crate::{scopes_function, words};

/// What can be made of a condition.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Translated {
    /// The query need not look again.
    Exact(Condition),
    /// Of time: ns since the epoch, from and without its end.
    Range(i64, i64),
    /// Something, perhaps only together with other conditions that hold as well: see [`together`].
    Part,
}

/// Columns that a key of filters asks, and how.
enum Key {
    Text(&'static str),
    Number(&'static str),
    Event,
    Container,
}

fn key(column: &str) -> Option<Key> {
    Some(match column {
        "event" => Key::Event,
        "host" => Key::Text("host"),
        "comm" => Key::Text("comm"),
        "exe" => Key::Text("binary"),
        "container_id" => Key::Container,
        "host_pid" => Key::Number("pid"),
        "host_tid" => Key::Number("tid"),
        "host_ppid" => Key::Number("ppid"),
        "pid" => Key::Number("nsPid"),
        "tid" => Key::Number("nsTid"),
        "ppid" => Key::Number("nsPpid"),
        "uid" => Key::Number("uid"),
        "gid" => Key::Number("gid"),
        "pid_ns" => Key::Number("pidns"),
        "mnt_ns" => Key::Number("mntns"),
        _ => return None,
    })
}

/// What scopes can say of a condition; `None` where it is the query's alone.
pub fn translate(expr: &Expr, known: &Known) -> Option<Translated> {
    if let Some((from, to)) = range(expr) {
        return Some(Translated::Range(from, to));
    }
    match masked(expr, known) {
        Some(condition) => condition.is_answerable(known.declared()).then_some(Translated::Exact(condition)),
        None => branches(expr).map(|_| Translated::Part),
    }
}

/// `matched(scopes('9:comm=ls'), 9)`.
fn masked(expr: &Expr, known: &Known) -> Option<Condition> {
    let Expr::ScalarFunction(ScalarFunction { func, args }) = expr else { return None };
    let [mask, number] = args.as_slice() else { return None };
    if func.name() != scopes_function::MATCHED {
        return None;
    }
    let Expr::Column(column) = uncast(mask) else { return None };
    let text = scopes_function::text_of(&column.name)?;
    let number = u8::try_from(integer(number)?).ok()?;
    let set = crate::question::checked(&words::split(text), known.declared()).ok()?;
    let scope = set.scopes().find(|scope| scope.number == number)?;
    let filters = scope.filters.iter().map(|filter| filter.without_scope().to_owned()).collect();
    Some(Condition { scopes: vec![filters], is_exact: true })
}

/// Conditions that all hold, as few sets of scopes as say as much of them as scopes can.
pub fn together(parts: &[&Expr], known: &Known) -> Vec<Condition> {
    // What is joined by AND is one scope, but for what one key is asked twice.
    let mut groups: Vec<Group> = Vec::new();
    for part in parts {
        let Some(branches) = branches(part) else { continue };
        let room = match branches.as_slice() {
            [one] => groups.iter_mut().find(|group| group.has_room_for(one)),
            _ => None,
        };
        match room {
            Some(group) => group.add(branches),
            None => groups.push(Group { together: branches.clone(), parts: vec![branches] }),
        }
    }
    // Which events are asked for narrows what is asked of their arguments, whatever asks it.
    let only = groups.iter().filter(|group| group.together.len() == 1);
    let events = only.flat_map(|group| &group.together).filter_map(|scope| scope.events.clone());
    let events = events.reduce(|a, b| &a & &b);
    let condition = |branches: &Vec<Scope>| {
        let filters = |scope: &Scope| scope.clone().among(events.as_ref()).filters(known);
        let scopes: Option<Vec<_>> = branches.iter().map(filters).collect();
        let condition = Condition { scopes: scopes?.into_iter().flatten().collect(), is_exact: false };
        condition.is_answerable(known.declared()).then_some(condition)
    };
    let mut conditions = Vec::new();
    for group in &groups {
        match condition(&group.together) {
            Some(condition) => conditions.push(condition),
            // What one of them asks cannot be asked: the others may still say something.
            None if group.parts.len() > 1 => conditions.extend(group.parts.iter().filter_map(condition)),
            None => {}
        }
    }
    conditions
}

/// Conditions that are asked as one.
struct Group {
    together: Vec<Scope>,
    parts: Vec<Vec<Scope>>,
}

impl Group {
    fn has_room_for(&self, other: &Scope) -> bool {
        matches!(self.together.as_slice(), [one] if one.has_room_for(other))
    }

    fn add(&mut self, branches: Vec<Scope>) {
        if let Some(one) = self.together.first_mut() {
            branches.iter().for_each(|other| one.add(other.clone()));
        }
        self.parts.push(branches);
    }
}

/// What holds at once.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
struct Scope {
    /// Filters of one key each.
    filters: Vec<String>,
    /// The event is one of these.
    events: Option<BTreeSet<String>>,
    /// Of arguments and results, which belong to events: the operator with the values.
    asked: Vec<(Argument, String)>,
    address: Option<String>,
    port: Option<String>,
}

/// The key of a filter.
fn key_of(filter: &str) -> &str {
    filter.split(['=', '!', '<', '>']).next().unwrap_or_default()
}

impl Scope {
    /// Whether both can be one scope: filters of one key are not ANDed by one.
    fn has_room_for(&self, other: &Scope) -> bool {
        let has = |key: &str| self.filters.iter().any(|filter| key_of(filter) == key);
        let asks = |argument: Argument| self.asked.iter().any(|(known, _)| *known == argument);
        !other.filters.iter().any(|filter| has(key_of(filter)))
            && !other.asked.iter().any(|(argument, _)| asks(*argument))
            && (self.address.is_none() || other.address.is_none())
            && (self.port.is_none() || other.port.is_none())
    }

    /// Adds what there is room for: what is left out makes it match more.
    fn add(&mut self, other: Scope) {
        for filter in other.filters {
            if !self.filters.iter().any(|known| key_of(known) == key_of(&filter)) {
                self.filters.push(filter);
            }
        }
        for asked in other.asked {
            if !self.asked.iter().any(|(argument, _)| *argument == asked.0) {
                self.asked.push(asked);
            }
        }
        self.events = match (self.events.take(), other.events) {
            (Some(own), Some(others)) => Some(&own & &others),
            (own, others) => own.or(others),
        };
        self.address = self.address.take().or(other.address);
        self.port = self.port.take().or(other.port);
    }

    /// Of these events alone.
    fn among(mut self, events: Option<&BTreeSet<String>>) -> Scope {
        if self.events.is_none() && !self.asked.is_empty() {
            self.events = events.cloned();
        }
        self
    }

    /// As filters: one of these scopes holds. `None` where nothing is left that narrows.
    fn filters(self, known: &Known) -> Option<Vec<Vec<String>>> {
        let Scope { mut filters, events, asked, address, port } = self;
        filters.extend(match (address, port) {
            (Some(address), Some(port)) if !address.contains(['*', ',']) && !port.contains(',') => {
                let is_v6 = address.contains(':');
                let (before, behind) = if is_v6 { ("[", "]") } else { ("", "") };
                Some(format!("peer={before}{address}{behind}:{port}"))
            }
            (Some(address), _) => Some(format!("peer={address}")),
            (None, Some(port)) => {
                let ports: Vec<String> = port.split(',').map(|port| format!(":{port}")).collect();
                Some(format!("peer={}", ports.join(",")))
            }
            (None, None) => None,
        });
        let listed = |events: &BTreeSet<String>| {
            format!("event={}", events.iter().map(String::as_str).collect::<Vec<_>>().join(","))
        };
        let uses = if asked.is_empty() { None } else { known.uses(&asked, events.as_ref()) };
        let Some(uses) = uses else {
            // An event that there is not: the query says so by itself.
            filters.extend(events.filter(|events| !events.is_empty()).map(|events| listed(&events)));
            return (!filters.is_empty()).then(|| vec![filters]);
        };
        let mut scopes = Vec::new();
        let mut open = BTreeSet::new();
        let mut constrained = filters.clone();
        for (event, of) in uses {
            if of.contains(&Use::Any) {
                open.insert(event);
                continue;
            }
            for (it, (_, value)) in of.iter().zip(&asked) {
                if let Use::Of(name) = it {
                    constrained.push(format!("{event}.{name}{value}"));
                }
            }
        }
        if constrained.len() > filters.len() {
            scopes.push(constrained);
        }
        if !open.is_empty() {
            scopes.push([&filters[..], &[listed(&open)]].concat());
        }
        (!scopes.is_empty()).then_some(scopes)
    }
}

/// Scopes of which one holds.
fn branches(expr: &Expr) -> Option<Vec<Scope>> {
    if let Expr::BinaryExpr(BinaryExpr { left, op: Operator::Or, right }) = expr {
        // What is compared with several values is one scope.
        if let Some((column, values)) = equalities(expr)
            && let Some(scope) = compared(column, Operator::Eq, &values)
        {
            return Some(vec![scope]);
        }
        let mut scopes = branches(left)?;
        scopes.extend(branches(right)?);
        return Some(scopes);
    }
    Some(vec![conjunction(expr)?])
}

/// `comm = 'ls' or comm = 'cat'`, as short lists are rewritten.
fn equalities(expr: &Expr) -> Option<(&str, Vec<&Expr>)> {
    match expr {
        Expr::BinaryExpr(BinaryExpr { left, op: Operator::Or, right }) => {
            let ((name, mut values), (other, more)) = (equalities(left)?, equalities(right)?);
            values.extend(more);
            (name == other).then_some((name, values))
        }
        Expr::BinaryExpr(BinaryExpr { left, op: Operator::Eq, right }) => match (column(left), column(right))
        {
            (Some(name), None) => Some((name, vec![right])),
            (None, Some(name)) => Some((name, vec![left])),
            _ => None,
        },
        _ => None,
    }
}

fn conjunction(expr: &Expr) -> Option<Scope> {
    if let Expr::BinaryExpr(BinaryExpr { left, op: Operator::And, right }) = expr {
        return [conjunction(left), conjunction(right)].into_iter().flatten().reduce(|mut scope, other| {
            scope.add(other);
            scope
        });
    }
    filter(expr)
}

fn filter(expr: &Expr) -> Option<Scope> {
    match expr {
        Expr::BinaryExpr(BinaryExpr { left, op, right }) => match (column(left), column(right)) {
            (Some(column), None) => compared(column, *op, &[right.as_ref()]),
            (None, Some(column)) => compared(column, op.swap()?, &[left.as_ref()]),
            _ => None,
        },
        Expr::InList(InList { expr, list, negated }) => {
            let op = if *negated { Operator::NotEq } else { Operator::Eq };
            compared(column(expr)?, op, &list.iter().collect::<Vec<_>>())
        }
        Expr::Like(Like { negated: false, expr, pattern, escape_char: None, case_insensitive: false }) => {
            like(column(expr)?, &text(pattern)?)
        }
        _ => None,
    }
}

fn of_filter(filter: String) -> Scope {
    Scope { filters: vec![filter], ..Scope::default() }
}

/// `comm=ls,cat`, `uid>=1000`.
fn compared(column: &str, op: Operator, values: &[&Expr]) -> Option<Scope> {
    if let Some(argument) = Argument::of(column) {
        return of_argument(argument, op, values);
    }
    if matches!(column, "remote_addr" | "remote_port") {
        return of_peer(column, op, values);
    }
    let is_equality = matches!(op, Operator::Eq | Operator::NotEq);
    let (key, values) = match key(column)? {
        Key::Number(key) => (key, numbers(values)?),
        _ if !is_equality => return None,
        Key::Text(key) => (key, plain_texts(values)?),
        // What is derived is no row where its name stands in a condition.
        Key::Event => {
            let names = values.iter().map(|value| stored_event(text(value)?));
            let names = names.collect::<Option<Vec<_>>>()?;
            if op == Operator::Eq {
                return Some(Scope { events: Some(names.into_iter().collect()), ..Scope::default() });
            }
            ("event", names)
        }
        Key::Container => {
            let is_id = |id: &String| id.len() >= 12 && id.bytes().all(|it| it.is_ascii_hexdigit());
            let values = values.iter().map(|value| text(value).filter(is_id));
            if op != Operator::Eq {
                // An id there is the beginning of others.
                return None;
            }
            ("container", values.collect::<Option<Vec<_>>>()?)
        }
    };
    // Of several bounds the query looks itself.
    let is_one = values.len() == 1 || is_equality;
    let op = sign(op)?;
    (is_one && !values.is_empty()).then(|| of_filter(format!("{key}{op}{}", values.join(","))))
}

fn sign(op: Operator) -> Option<&'static str> {
    Some(match op {
        Operator::Eq => "=",
        Operator::NotEq => "!=",
        Operator::Lt => "<",
        Operator::LtEq => "<=",
        Operator::Gt => ">",
        Operator::GtEq => ">=",
        _ => return None,
    })
}

fn numbers(values: &[&Expr]) -> Option<Vec<String>> {
    values.iter().map(|value| Some(integer(value)?.to_string())).collect()
}

fn plain_texts(values: &[&Expr]) -> Option<Vec<String>> {
    values.iter().map(|value| plain(&text(value)?)).collect()
}

/// Of a column that an argument fills, or the result. What is not there is null, which no comparison holds for: so only what
/// asks for something becomes a filter, for which an event has to have it.
fn of_argument(argument: Argument, op: Operator, values: &[&Expr]) -> Option<Scope> {
    let is_equality = op == Operator::Eq;
    let values = match argument {
        _ if op == Operator::NotEq => return None,
        _ if argument.is_text() => is_equality.then(|| plain_texts(values)).flatten()?,
        // Those that are larger may be written otherwise.
        Argument::Number(_) => {
            let is_small =
                |value: &&Expr| integer(value).is_some_and(|it| i32::try_from(it).is_ok_and(|it| it >= 0));
            (is_equality && values.iter().all(is_small)).then(|| numbers(values)).flatten()?
        }
        _ => numbers(values).filter(|values| is_equality || values.len() == 1)?,
    };
    let value = format!("{}{}", sign(op)?, values.join(","));
    (!values.is_empty()).then(|| Scope { asked: vec![(argument, value)], ..Scope::default() })
}

/// The other end of a connection: `peer` finds all that these columns hold, and more.
fn of_peer(column: &str, op: Operator, values: &[&Expr]) -> Option<Scope> {
    if op != Operator::Eq || values.is_empty() {
        return None;
    }
    if column == "remote_port" {
        let is_port = |value: &&Expr| integer(value).is_some_and(|it| (1..=0xffff).contains(&it));
        let ports = values.iter().all(is_port).then(|| numbers(values)).flatten()?;
        return Some(Scope { port: Some(ports.join(",")), ..Scope::default() });
    }
    let address = |value: &&Expr| Some(text(value)?.parse::<std::net::IpAddr>().ok()?.to_string());
    let addresses = values.iter().map(address).collect::<Option<Vec<_>>>()?;
    Some(Scope { address: Some(addresses.join(",")), ..Scope::default() })
}

/// `comm like 'systemd%'` is `comm=systemd*`.
fn like(column: &str, pattern: &str) -> Option<Scope> {
    let is_plain = !pattern.contains(['_', '\\']) && pattern.chars().any(|c| c != '%');
    if !is_plain {
        return None;
    }
    if column == "remote_addr" {
        // The address alone is compared, as it is written.
        let beginning = pattern.strip_suffix('%')?;
        let is_address = beginning.bytes().all(|byte| byte.is_ascii_digit() || byte == b'.');
        let is_enough = beginning.contains('.') && !beginning.starts_with('.');
        return (is_address && is_enough)
            .then(|| Scope { address: Some(format!("{beginning}*")), ..Scope::default() });
    }
    let parts: Option<Vec<String>> = pattern
        .split('%')
        .map(|part| if part.is_empty() { Some(String::new()) } else { plain(part) })
        .collect();
    let value = parts?.join("*");
    if let Some(argument) = Argument::of(column).filter(|argument| argument.is_text()) {
        return Some(Scope { asked: vec![(argument, format!("={value}"))], ..Scope::default() });
    }
    let Key::Text(key) = key(column)? else { return None };
    Some(of_filter(format!("{key}={value}")))
}

/// A text as the value of a filter. Texts that only look alike there are left to the query: an empty one, and bytes that are
/// no UTF-8, for which other characters stand in both.
fn plain(text: &str) -> Option<String> {
    let stands_for_a_byte = |c: char| ('\u{f0000}'..).contains(&c);
    if text.is_empty()
        || text.trim() != text
        || text.contains(|c: char| c.is_control() || stands_for_a_byte(c))
    {
        return None;
    }
    let mut value = String::new();
    for c in text.chars() {
        if matches!(c, ',' | '*' | '=' | '@' | '\\') {
            value.push('\\');
        }
        value.push(c);
    }
    Some(value)
}

fn stored_event(name: String) -> Option<String> {
    let event = catalogue::by_name(&name)?;
    (!matches!(event.source, From::Derived { .. })).then_some(name)
}

/// `time >= ...`, `time < ...`, `time between ... and ...`.
fn range(expr: &Expr) -> Option<(i64, i64)> {
    match expr {
        Expr::BinaryExpr(BinaryExpr { left, op, right }) => {
            let (op, ns) = match (column(left), column(right)) {
                (Some("time"), None) => (*op, moment(right)?),
                (None, Some("time")) => (op.swap()?, moment(left)?),
                _ => return None,
            };
            Some(match op {
                Operator::Eq => (ns, ns.checked_add(1)?),
                Operator::GtEq | Operator::Gt => (ns, i64::MAX),
                Operator::Lt => (i64::MIN, ns),
                Operator::LtEq => (i64::MIN, ns.checked_add(1)?),
                _ => return None,
            })
        }
        Expr::Between(Between { expr, negated: false, low, high }) if column(expr) == Some("time") => {
            Some((moment(low)?, moment(high)?.checked_add(1)?))
        }
        _ => None,
    }
}

/// ns since the epoch.
fn moment(expr: &Expr) -> Option<i64> {
    match uncast(expr) {
        Expr::Literal(ScalarValue::TimestampNanosecond(Some(ns), _), _) => Some(*ns),
        Expr::Literal(ScalarValue::TimestampMicrosecond(Some(us), _), _) => us.checked_mul(1_000),
        Expr::Literal(ScalarValue::TimestampMillisecond(Some(ms), _), _) => ms.checked_mul(1_000_000),
        Expr::Literal(ScalarValue::TimestampSecond(Some(s), _), _) => s.checked_mul(1_000_000_000),
        _ => None,
    }
}

/// The name of a column that stands alone. One that is cast compares as something else.
fn column(expr: &Expr) -> Option<&str> {
    match expr {
        Expr::Column(column) => Some(&column.name),
        _ => None,
    }
}

fn uncast(expr: &Expr) -> &Expr {
    match expr {
        Expr::Cast(cast) => uncast(&cast.expr),
        other => other,
    }
}

fn text(expr: &Expr) -> Option<String> {
    match expr {
        Expr::Literal(value, _) => value.try_as_str().flatten().map(str::to_owned),
        _ => None,
    }
}

fn integer(expr: &Expr) -> Option<i64> {
    let Expr::Literal(value, _) = expr else { return None };
    Some(match value {
        ScalarValue::Int8(it) => i64::from((*it)?),
        ScalarValue::Int16(it) => i64::from((*it)?),
        ScalarValue::Int32(it) => i64::from((*it)?),
        ScalarValue::Int64(it) => (*it)?,
        ScalarValue::UInt8(it) => i64::from((*it)?),
        ScalarValue::UInt16(it) => i64::from((*it)?),
        ScalarValue::UInt32(it) => i64::from((*it)?),
        ScalarValue::UInt64(it) => i64::try_from((*it)?).ok()?,
        _ => return None,
    })
}
