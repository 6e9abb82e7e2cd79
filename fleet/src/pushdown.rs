//! Conditions of a query as scopes. What is made of one never leaves out a row that it holds for; where more may match, the
//! query looks again.

use datafusion::common::ScalarValue;
use datafusion::logical_expr::expr::{InList, ScalarFunction};
use datafusion::logical_expr::{Between, BinaryExpr, Expr, Like, Operator};
use events::{Event, Source as From, catalogue};

use crate::question::Condition;
use crate::{scopes_function, words};

/// What a condition became.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Translated {
    Condition(Condition),
    /// Of time: ns since the epoch, from and without its end.
    Range(i64, i64),
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
pub fn translate(expr: &Expr, declared: &[&'static Event]) -> Option<Translated> {
    if let Some((from, to)) = range(expr) {
        return Some(Translated::Range(from, to));
    }
    let condition = match masked(expr, declared) {
        Some(condition) => condition,
        None => Condition { scopes: alternatives(expr)?, is_exact: false },
    };
    condition.is_answerable(declared).then_some(Translated::Condition(condition))
}

/// `matched(scopes('9:comm=ls'), 9)`.
fn masked(expr: &Expr, declared: &[&'static Event]) -> Option<Condition> {
    let Expr::ScalarFunction(ScalarFunction { func, args }) = expr else { return None };
    let [mask, number] = args.as_slice() else { return None };
    if func.name() != scopes_function::MATCHED {
        return None;
    }
    let Expr::Column(column) = uncast(mask) else { return None };
    let text = scopes_function::text_of(&column.name)?;
    let number = u8::try_from(integer(number)?).ok()?;
    let set = crate::question::checked(&words::split(text), declared).ok()?;
    let scope = set.scopes().find(|scope| scope.number == number)?;
    let filters = scope.filters.iter().map(|filter| filter.without_scope().to_owned()).collect();
    Some(Condition { scopes: vec![filters], is_exact: true })
}

/// Scopes of which one holds.
fn alternatives(expr: &Expr) -> Option<Vec<Vec<String>>> {
    match expr {
        Expr::BinaryExpr(BinaryExpr { left, op: Operator::Or, right }) => {
            let mut scopes = alternatives(left)?;
            scopes.extend(alternatives(right)?);
            Some(scopes)
        }
        _ => Some(vec![conjunction(expr)?]),
    }
}

/// Filters that all hold. Filters of one key are not ANDed by a scope, so each key is asked once; what is left out makes the
/// scope match more.
fn conjunction(expr: &Expr) -> Option<Vec<String>> {
    if let Expr::BinaryExpr(BinaryExpr { left, op: Operator::And, right }) = expr {
        let mut filters: Vec<String> = Vec::new();
        for filter in [conjunction(left), conjunction(right)].into_iter().flatten().flatten() {
            let key = |filter: &str| filter.split(['=', '!', '<', '>']).next().unwrap_or_default().to_owned();
            if !filters.iter().any(|known| key(known) == key(&filter)) {
                filters.push(filter);
            }
        }
        return (!filters.is_empty()).then_some(filters);
    }
    filter(expr).map(|filter| vec![filter])
}

fn filter(expr: &Expr) -> Option<String> {
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

/// `comm=ls,cat`, `uid>=1000`.
fn compared(column: &str, op: Operator, values: &[&Expr]) -> Option<String> {
    let is_equality = matches!(op, Operator::Eq | Operator::NotEq);
    let (key, values) = match key(column)? {
        Key::Number(key) => {
            let values = values.iter().map(|value| Some(integer(value)?.to_string()));
            (key, values.collect::<Option<Vec<_>>>()?)
        }
        _ if !is_equality => return None,
        Key::Text(key) => {
            let values = values.iter().map(|value| plain(&text(value)?));
            (key, values.collect::<Option<Vec<_>>>()?)
        }
        // What is derived is no row where its name stands in a condition.
        Key::Event => {
            let values = values.iter().map(|value| stored_event(text(value)?));
            ("event", values.collect::<Option<Vec<_>>>()?)
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
    let op = match op {
        Operator::Eq => "=",
        Operator::NotEq => "!=",
        Operator::Lt => "<",
        Operator::LtEq => "<=",
        Operator::Gt => ">",
        Operator::GtEq => ">=",
        _ => return None,
    };
    // Of several bounds the query looks itself.
    let is_one = values.len() == 1 || is_equality;
    (is_one && !values.is_empty()).then(|| format!("{key}{op}{}", values.join(",")))
}

/// `comm like 'systemd%'` is `comm=systemd*`.
fn like(column: &str, pattern: &str) -> Option<String> {
    let Key::Text(key) = key(column)? else { return None };
    let is_plain = !pattern.contains(['_', '\\']) && pattern.chars().any(|c| c != '%');
    let parts: Option<Vec<String>> = pattern
        .split('%')
        .map(|part| if part.is_empty() { Some(String::new()) } else { plain(part) })
        .collect();
    is_plain.then_some(format!("{key}={}", parts?.join("*")))
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

#[cfg(test)]
mod tests {
    use datafusion::prelude::{col, lit};

    use super::*;

    fn scopes(expr: Expr) -> Option<Vec<Vec<String>>> {
        match translate(&expr, &[])? {
            Translated::Condition(it) => Some(it.scopes),
            Translated::Range(..) => panic!("{expr} is no range"),
        }
    }

    fn one(filters: &[&str]) -> Option<Vec<Vec<String>>> {
        Some(vec![filters.iter().map(|it| (*it).to_owned()).collect()])
    }

    #[test]
    fn comparisons_become_filters() {
        assert_eq!(scopes(col("comm").eq(lit("ls"))), one(&["comm=ls"]));
        assert_eq!(scopes(lit(1000).lt_eq(col("uid"))), one(&["uid>=1000"]));
        assert_eq!(scopes(col("comm").in_list(vec![lit("a,b"), lit("c*")], false)), one(&[r"comm=a\,b,c\*"]));
        assert_eq!(scopes(col("comm").like(lit("sys%d"))), one(&["comm=sys*d"]));
        assert_eq!(scopes(col("event").eq(lit("openat"))), one(&["event=openat"]));
        let both = col("comm").eq(lit("ls")).and(col("uid").eq(lit(0)));
        assert_eq!(
            scopes(both.clone().or(col("gid").gt(lit(5)))).map(|it| it.len()),
            Some(2),
            "each side of OR is a scope"
        );
        assert_eq!(scopes(both), one(&["comm=ls", "uid=0"]));
        // A scope would take either of two values of one key.
        let either = col("comm").eq(lit("ls")).and(col("comm").eq(lit("cat")));
        assert_eq!(scopes(either), one(&["comm=ls"]));
    }

    #[test]
    fn what_scopes_would_answer_otherwise_is_left_to_the_query() {
        for expr in [
            col("comm").eq(lit("")),
            col("comm").gt(lit("ls")),
            col("comm").eq(col("exe")),
            col("comm").like(lit("l_")),
            col("comm").like(lit("%")),
            col("event").eq(lit("net_packet_dns")),
            col("event").eq(lit("no_such_event")),
            col("exe").eq(lit("relative")),
            col("pathname").eq(lit("/etc/passwd")),
            col("comm").eq(lit("ls")).or(col("pathname").eq(lit("x"))),
            col("uid").eq(lit(-1)),
        ] {
            assert_eq!(translate(&expr, &[]), None, "{expr}");
        }
    }

    #[test]
    fn bounds_of_time_become_a_stretch() {
        let at = |ns| lit(ScalarValue::TimestampNanosecond(Some(ns), Some("UTC".into())));
        assert_eq!(translate(&col("time").gt_eq(at(7)), &[]), Some(Translated::Range(7, i64::MAX)));
        assert_eq!(translate(&at(9).gt_eq(col("time")), &[]), Some(Translated::Range(i64::MIN, 10)));
        assert_eq!(translate(&col("time").between(at(1), at(2)), &[]), Some(Translated::Range(1, 3)));
    }
}
