//! What queries are read into, shown in short, and what is said of those that cannot be.

use super::{Query, parse};
use crate::elastic::ask::{Ask, Asked};
use crate::form::{Function, Owned, Test, Value};

fn shown(ask: &Ask) -> String {
    let list = |parts: &[Ask], sign: &str| parts.iter().map(shown).collect::<Vec<_>>().join(sign);
    match ask {
        Ask::Const(value) => value.to_string(),
        Ask::Not(inner) => format!("!{}", shown(inner)),
        Ask::All(parts) => format!("({})", list(parts, "&")),
        Ask::Any(parts) => format!("({})", list(parts, "|")),
        Ask::Test(name, _) => name.text.clone(),
        Ask::Executed { of, .. } => format!("descendant({})", shown(of)),
    }
}

fn event(text: &str) -> Ask {
    match parse(&format!("any where {text}")) {
        Ok(Query::Event(part)) => part.ask,
        other => panic!("{other:?}"),
    }
}

/// Whether the only test of a query takes a value.
fn takes(text: &str, value: &str) -> bool {
    fn ask(it: &Ask, value: Value<'_>) -> bool {
        match it {
            Ask::Const(is) => *is,
            Ask::Not(inner) => !ask(inner, value),
            Ask::All(parts) => parts.iter().all(|part| ask(part, value)),
            Ask::Any(parts) => parts.iter().any(|part| ask(part, value)),
            Ask::Test(name, Asked::Test(test)) => match &name.made {
                None => test.passes(value),
                Some(made) => {
                    let mut inputs = Vec::new();
                    name.each_field(&mut |_| inputs.push(vec![Owned::of(value)]));
                    made.values(&inputs).iter().any(|made| test.passes(made.value()))
                }
            },
            other => panic!("{other:?}"),
        }
    }
    ask(&event(text), Value::Text(value.as_bytes()))
}

#[test]
fn not_binds_closer_than_and_and_and_closer_than_or() {
    let read = |text: &str| shown(&event(text));
    assert_eq!(read("a == 1 or b == 1 and not c == 1"), "(a|(b&!c))");
    assert_eq!(read("(a == 1 or b == 1) AND c == 1"), "((a|b)&c)");
    assert_eq!(read("not (a == 1 and b == 1) or not not c == 1"), "(!(a&b)|c)");
    assert_eq!(read("a != null // why\n and /* and */ ?b == null"), "(a&!b)");
    assert_eq!(
        read("descendant of [process where process.name == \"x\"] and a"),
        "(descendant(process.name)&a)"
    );
}

#[test]
fn operators_tell_cases_and_wildcards_apart() {
    for (text, yes, no) in [
        (r#"a == "x*""#, "x*", "xy"),
        (r#"a != "x""#, "X", "x"),
        (r#"a : "X*y?""#, "x__yz", "x__y"),
        (r#"a : ("b", "C")"#, "c", "d"),
        (r#"a in ("b", "c")"#, "c", "C"),
        (r#"a not in ("b", "c")"#, "C", "b"),
        (r#"a in~ ("b", "c")"#, "C", "d"),
        (r#"a like "/tmp/*""#, "/tmp/x", "/TMP/x"),
        (r#"a like~ ("/tmp/*", "/dev/shm/?")"#, "/DEV/SHM/x", "/dev/shm/xy"),
        (r#"a regex "x[0-9]+""#, "x42", "ax42"),
        (r#"a regex~ """X\d""""#, "x4", "x"),
        (r#"startsWith(a, "ab")"#, "abc", "Abc"),
        (r#"startsWith~(a, "ab")"#, "ABc", "cab"),
        (r#"endswith(a, "ab", "cd")"#, "xcd", "cdx"),
        (r#"stringContains(a, "?")"#, "a?b", "axb"),
        (r#"wildcard~(a, "*.SO", "lib*")"#, "x.so", "x.so.1"),
        (r#"cidrMatch(a, "10.0.0.0/8", "fe80::/10")"#, "fe80::1", "192.168.0.1"),
        (r#"length(a) > 2"#, "\u{e4}\u{f6}\u{fc}", "\u{e4}\u{f6}"),
        (r#"length(a) <= 2"#, "", "abc"),
        (r#"a >= 10"#, "10", "9"),
        (r#"10 > a"#, "9", "10"),
        (r#"string(a) == "7""#, "7", "8"),
        ("a : \"\u{c4}x\"", "\u{e4}X", "ax"),
        (r#"a == "q\"\\\u{41}""#, "q\"\\A", "q"),
        (r#"arrayContains(a, "b", "c")"#, "c", "d"),
        ("a == 2 * 3 + 10 / 4 - -1", "9", "8"),
        ("a - 1 > 60 * 2", "122", "121"),
        ("10 % (a + 1) == 1", "2", "3"),
        ("(a + 1) / 2 == 1 and (a < 3)", "1", "4"),
        ("a / 2.0 == 1.5", "3", "2"),
        ("a*a-1 == 8", "3", "4"),
        (r#"concat("x", a) == "xy""#, "y", "z"),
        (r#"concat(a, a) : "YY""#, "y", "z"),
        (r#"length(a) + 1 >= 4"#, "abc", "ab"),
        (r#"substring(a, -3) in (".sh", ".py")"#, "a.sh", "a.so"),
        (r#"startsWith(between(a, "(", ")"), "i")"#, "f(in)", "f(out)"),
        (r#"indexOf(a, "b") != null"#, "abc", "xyz"),
        (r#"a >= "m""#, "n", "a"),
    ] {
        assert!(takes(text, yes), "{text} takes {yes}");
        assert!(!takes(text, no), "{text} does not take {no}");
    }
}

#[test]
fn values_of_a_list_become_one_test() {
    let Ask::Test(_, Asked::Test(Test::Fits(_, patterns))) = event(r#"a in ("x", "y", "z")"#) else {
        panic!("a test")
    };
    assert_eq!(patterns.len(), 3);
    let Ask::Any(parts) = event(r#"a in ("x", 5)"#) else { panic!("two tests") };
    assert_eq!(parts.len(), 2);
}

#[test]
fn sequences_have_keys_spans_runs_and_an_end() {
    let text = "sequence by host.id with maxspan=30s\n [process where a == 1] by process.entity_id with runs=3\n \
                ![file where b == 1] by ?process.parent.entity_id\n [any where true] by x\n until [process where c == 1] by y";
    let Ok(Query::Sequence(sequence)) = parse(text) else { panic!("a sequence") };
    assert_eq!(sequence.span_ns, Some(30_000_000_000));
    let steps: Vec<_> = sequence
        .steps
        .iter()
        .map(|step| {
            let by: Vec<_> = step.by.iter().map(|name| name.text.as_str()).collect();
            (by.join(","), step.runs, step.is_missing, step.part.category.is_some())
        })
        .collect();
    let expected = [
        ("host.id,process.entity_id".to_owned(), 3, false, true),
        ("host.id,process.parent.entity_id".to_owned(), 1, true, true),
        ("host.id,x".to_owned(), 1, false, false),
    ];
    assert_eq!(steps, expected);
    assert!(sequence.until.is_some() && !sequence.is_sample);
    let sample = parse("sample by host.id [process where a] [file where b]");
    assert!(matches!(sample, Ok(Query::Sequence(it)) if it.is_sample));
}

#[test]
fn errors_say_where() {
    let told = |text: &str| {
        let wrong = parse(text).unwrap_err();
        format!("{}: {}", text.get(wrong.span).unwrap_or("?"), wrong.message)
    };
    assert_eq!(told("process where a = "), " : the query ends too early");
    assert_eq!(told("process whre a"), "whre: where is expected after the category of events");
    assert_eq!(told("any where (a == 1"), "(: this bracket is not closed");
    assert_eq!(told("any where a in \"x\""), "\"x\": a list in ( ) is expected after in");
    assert_eq!(told("any where a == 'x'"), "': texts stand in double quotes");
    assert_eq!(told("any where a == \"x"), "\": this text is not closed on its line");
    assert_eq!(told("any where a == \"\\d\""), "\\d: \\d is no escape: a backslash is written \\\\");
    assert_eq!(
        told("any where a regex \"(\""),
        "\"(\": this regular expression cannot be used: unclosed group"
    );
    assert_eq!(
        told("any where cidrMatch(a, \"x\")"),
        "\"x\": this is no network: an address, a slash, and how many bits"
    );
    assert_eq!(told("any where a + 1"), "1: a comparison is expected here");
    assert_eq!(told("any where a == 1 + (b == 2)"), "==: ) is expected here");
    assert_eq!(told("any where a == (1, 2)"), "(: a list stands behind in, like, regex or :");
    assert_eq!(
        told("any where a == 1 + startsWith(b, \"x\")"),
        "+: what is true or false cannot be computed with"
    );
    assert_eq!(told("any where substring(a) == \"x\""), "substring: substring takes 2 to 3 values");
    let deep = format!("any where a == {}1", "-".repeat(100_000));
    assert!(told(&deep).contains("more than 64 brackets"));
    let deep = format!("any where a == {}1", "concat(".repeat(100_000));
    assert!(told(&deep).contains("more than 64 brackets"));
    let long = format!("any where a == 1{}", "+b".repeat(100_000));
    assert!(told(&long).contains("more than 64 of these signs in a row"));
    assert_eq!(
        told("any where a == 1 | head 5"),
        "|: pipes are not read: a rule asks for all that it describes"
    );
    assert_eq!(told("any where startWith(a, \"x\")"), "startWith: there is no function \"startWith\"");
    assert!(told("any where arrayCount(a, b) == 1").starts_with("arrayCount: arrayCount asks each element"));
    assert!(told("sequence [any where a]").contains("two steps at least"));
    assert!(
        told("sequence by x [any where a] by y [any where b]")
            .contains("this step has 1 keys, and the first has 2")
    );
    assert!(told("sequence [any where a] ![any where b]").contains("needs with maxspan"));
    assert!(
        told("sequence [any where a] with runs=0 [any where b]").contains("a whole number from 1 to 100")
    );
    assert_eq!(
        told("sequence [any where a] as e [any where b] as e"),
        "e: an event before has this name already"
    );
    assert_eq!(
        told("sequence [any where a] as [any where b]"),
        "[: a name for this event is expected after as"
    );
    let deep = format!("any where {}a{}", "(".repeat(500), ")".repeat(500));
    assert!(told(&deep).contains("more than 64 brackets"));
}

proptest::proptest! {
    #[test]
    fn any_text_is_read_or_refused(text in "(sequence|sample|process|where|by|with|maxspan|=|\\[|\\]|\\(|\\)|!|\\?|\"|`|in~|:|[a-z.0-9]| |not|\\PC){0,60}") {
        if let Err(wrong) = parse(&text) {
            proptest::prop_assert!(wrong.span.start <= text.len());
        }
    }
}
