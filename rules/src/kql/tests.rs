//! What queries are read into, and what is said of those that cannot be.

use super::parse;
use crate::elastic::ask::{Ask, Asked};
use crate::form::Value;

fn ask(it: &Ask, values: &[(&str, &str)]) -> bool {
    match it {
        Ask::Const(is) => *is,
        Ask::Not(inner) => !ask(inner, values),
        Ask::All(parts) => parts.iter().all(|part| ask(part, values)),
        Ask::Any(parts) => parts.iter().any(|part| ask(part, values)),
        Ask::Test(name, Asked::Test(test)) => values
            .iter()
            .any(|(known, text)| *known == name.text && test.passes(Value::Text(text.as_bytes()))),
        other => panic!("{other:?}"),
    }
}

fn says(text: &str, values: &[(&str, &str)]) -> bool {
    ask(&parse(text).unwrap(), values)
}

#[test]
fn values_may_have_stars_and_stand_in_brackets() {
    assert!(says("a:x and b:(y or z*)", &[("a", "x"), ("b", "zz")]));
    assert!(!says("a:x and b:(y or z*)", &[("a", "X"), ("b", "zz")]));
    assert!(says("not a:(x or y) or b:*", &[("a", "x"), ("b", "")]));
    assert!(says("a:(not (x or y))", &[("a", "z")]));
    assert!(says("a:\"x*\"", &[("a", "x*")]) && !says("a:\"x*\"", &[("a", "xy")]));
    assert!(says("a:x\\*", &[("a", "x*")]) && !says("a:x\\*", &[("a", "xy")]));
    assert!(says("a : (*b* and *c)", &[("a", "abc")]));
    assert!(says("a >= 3", &[("a", "3")]) && !says("a >= 3", &[("a", "2")]));
    assert!(says("destination.ip:10.0.0.0/8", &[("destination.ip", "10.1.2.3")]));
}

#[test]
fn errors_say_where() {
    let told = |text: &str| {
        let wrong = parse(text).unwrap_err();
        format!("{}: {}", text.get(wrong.span).unwrap_or("?"), wrong.message)
    };
    assert_eq!(told("a:(x or y"), "(: this bracket is not closed");
    assert_eq!(told("a:x y"), "y: and or or is expected here: values with blanks stand in quotes");
    assert_eq!(told("word"), "word: a colon and a value are expected behind the name of a field");
    assert_eq!(told("a:x and"), "d: the query ends too early");
    assert_eq!(told("a > b"), "b: a number is expected here");
    assert_eq!(told("a:\"x"), "\": this text is not closed");
}
