//! What is lowered is what evaluating all of it gives, for every way in which parts can be true, false, or errors.

use std::sync::Arc;

use cel::{Context, Value};
use events::{Event, catalogue};
use proptest::prelude::*;

use super::lower::Lower;
use super::operand::{Lists, Scope};
use super::{functions, term};
use crate::form::{ContainerFact, Expr, Field, Owned, ProcessFact, Test};

#[derive(Debug)]
struct Shells;

impl Lists for Shells {
    fn values(&self, name: &str) -> Option<&[String]> {
        static VALUES: std::sync::LazyLock<Vec<String>> =
            std::sync::LazyLock::new(|| vec!["/bin/sh".to_owned(), "/bin/bash".to_owned()]);
        (name == "SHELLS").then(|| VALUES.as_slice())
    }

    fn names(&self) -> Vec<&str> {
        vec!["SHELLS"]
    }

    fn owner(&self) -> &str {
        ""
    }
}

fn exec() -> &'static Event {
    catalogue::by_name("sched_process_exec").expect("an event")
}

/// The values of fields.
#[derive(Default)]
struct Row(Vec<(Field, Vec<Owned>)>);

impl Row {
    fn insert(&mut self, field: Field, values: Vec<Owned>) {
        self.0.push((field, values));
    }

    fn get(&self, field: &Field) -> Vec<Owned> {
        let found = self.0.iter().find(|(known, _)| known == field);
        found.map(|(_, values)| values.clone()).unwrap_or_default()
    }
}

/// An expression over a row, atom by atom.
fn holds(expr: &Expr, row: &Row) -> bool {
    match expr {
        Expr::Const(is) => *is,
        Expr::Not(inner) => !holds(inner, row),
        Expr::All(parts) => parts.iter().all(|part| holds(part, row)),
        Expr::Any(parts) => parts.iter().any(|part| holds(part, row)),
        Expr::Atom(atom) => {
            let values = match &atom.field {
                Field::Computed(computed) => {
                    computed.values(computed.inputs().iter().map(|field| row.get(field)).collect()).to_vec()
                }
                field => row.get(field),
            };
            match &atom.test {
                Test::SameAs(..) => panic!("conditions do not compare fields by atoms"),
                test => values.iter().any(|value| test.passes(value.value())),
            }
        }
    }
}

/// `Some` of what it is, `None` for an error.
fn lowered(text: &str, row: &Row) -> Option<bool> {
    let term = term::parse(text).unwrap_or_else(|wrong| panic!("{text}: {wrong:?}"));
    let mut lower = Lower::new(Scope { event: exec(), processes: Vec::new(), lists: &Shells });
    let pair = lower.condition(&term).unwrap_or_else(|wrong| panic!("{text}: {wrong:?}"));
    match (holds(&pair.yes, row), holds(&pair.no, row)) {
        (true, true) => panic!("{text} is both true and false"),
        (true, false) => Some(true),
        (false, true) => Some(false),
        (false, false) => None,
    }
}

/// What a row is to the evaluator: data that is missing is null, members of `workload` are empty.
#[derive(Clone, Debug)]
struct Given {
    pathname: Option<String>,
    interp: Option<String>,
    inode: Option<i64>,
    argv: Option<Vec<String>>,
    container: Option<String>,
    uid: i64,
}

impl Given {
    fn row(&self) -> Row {
        let text = |text: &String| vec![Owned::text(text.as_bytes())];
        let mut row = Row::default();
        let mut put = |field, values: Option<Vec<Owned>>| {
            if let Some(values) = values {
                row.insert(field, values);
            }
        };
        put(Field::arg("pathname"), self.pathname.as_ref().map(text));
        put(Field::arg("interp"), self.interp.as_ref().map(text));
        put(Field::arg("inode"), self.inode.map(|number| vec![Owned::Number(number.into())]));
        put(Field::arg("argv"), self.argv.as_ref().map(|list| list.iter().flat_map(text).collect()));
        put(Field::Container(ContainerFact::Id), self.container.as_ref().map(text));
        put(Field::actor(ProcessFact::Uid), Some(vec![Owned::Number(self.uid.into())]));
        row
    }

    /// The whole expression, evaluated with variables for what it names.
    fn evaluated(&self, text: &str) -> Option<bool> {
        let names = [
            ("getEventData(\"pathname\")", "pathname"),
            ("getEventData(\"interp\")", "interp"),
            ("getEventData(\"inode\")", "inode"),
            ("getEventData(\"argv\")", "argv"),
            ("hasData(\"pathname\")", "(pathname != null)"),
            ("workload.container.id", "container"),
            ("workload.process.uid", "uid"),
        ];
        let text = names.iter().fold(text.to_owned(), |text, (known, name)| text.replace(known, name));
        let expr = functions::macros().parser().parse(&text).expect("an expression");
        let string = |text: &String| Value::String(text.clone().into());
        let or_null = |value: Option<Value>| value.unwrap_or(Value::Null);
        let list = |list: &[String]| Value::List(Arc::new(list.iter().map(string).collect()));
        let mut context = Context::with_env(functions::environment());
        context.add_variable_from_value("pathname", or_null(self.pathname.as_ref().map(string)));
        context.add_variable_from_value("interp", or_null(self.interp.as_ref().map(string)));
        context.add_variable_from_value("inode", or_null(self.inode.map(Value::Int)));
        context.add_variable_from_value("argv", or_null(self.argv.as_deref().map(list)));
        context.add_variable_from_value("container", string(&self.container.clone().unwrap_or_default()));
        context.add_variable_from_value("uid", Value::Int(self.uid));
        context.add_variable_from_value("SHELLS", list(Shells.values("SHELLS").expect("a list")));
        match Value::resolve(&expr, &context) {
            Ok(Value::Bool(is)) => Some(is),
            _ => None,
        }
    }
}

fn rows() -> impl Strategy<Value = Given> {
    let path = || prop::option::of(prop::sample::select(vec!["/bin/sh", "/tmp/x y", "", "nc"]));
    let owned = |text: Option<&str>| text.map(str::to_owned);
    let argv =
        prop::option::of(prop::collection::vec(prop::sample::select(vec!["nc", "-e", "/bin/sh"]), 1..4));
    let ids = (prop::option::of(0i64..4), prop::option::of(Just("abc")), 0i64..3);
    (path(), path(), argv, ids).prop_map(move |(pathname, interp, argv, (inode, container, uid))| Given {
        pathname: owned(pathname),
        interp: owned(interp),
        inode,
        argv: argv.map(|list| list.into_iter().map(str::to_owned).collect()),
        container: owned(container),
        uid,
    })
}

fn conditions() -> impl Strategy<Value = String> {
    let leaf = prop::sample::select(vec![
        "getEventData(\"pathname\") == \"/bin/sh\"",
        "getEventData(\"pathname\") != \"\"",
        "getEventData(\"pathname\").startsWith(\"/bin\")",
        "getEventData(\"pathname\").contains(\"\")",
        "getEventData(\"pathname\").matches(\"x.y$\")",
        "getEventData(\"pathname\") in SHELLS",
        "getEventData(\"pathname\") in [\"nc\", 3]",
        "getEventData(\"pathname\") == null",
        "getEventData(\"pathname\") == 3",
        "getEventData(\"pathname\") > 3",
        "getEventData(\"pathname\") < \"b\"",
        "getEventData(\"pathname\") == getEventData(\"interp\")",
        "getEventData(\"interp\").endsWith(\"sh\")",
        "getEventData(\"inode\") == 1",
        "getEventData(\"inode\") != 1",
        "2 >= getEventData(\"inode\")",
        "getEventData(\"inode\") in [0, 3]",
        "getEventData(\"inode\") + 1 == 2",
        "getEventData(\"inode\").startsWith(\"1\")",
        "6 / getEventData(\"inode\") > 2",
        "hasData(\"pathname\")",
        "\"-e\" in getEventData(\"argv\")",
        "getEventData(\"argv\").size() > 1",
        "getEventData(\"argv\").exists(a, a.startsWith(\"-\"))",
        "getEventData(\"argv\")[1] == \"-e\"",
        "basename(getEventData(\"pathname\")) == \"sh\"",
        "split(getEventData(\"pathname\"), \"/\").size() == 3",
        "workload.container.id != \"\"",
        "workload.container.id.startsWith(\"a\")",
        "workload.container.id in [\"\", \"b\"]",
        "workload.process.uid == 0",
        "workload.process.uid > 1",
        "true",
        "1 / 0 == 1",
    ]);
    leaf.prop_map(str::to_owned).prop_recursive(4, 16, 3, |inner| {
        prop_oneof![
            (inner.clone(), inner.clone()).prop_map(|(left, right)| format!("({left}) && ({right})")),
            (inner.clone(), inner.clone()).prop_map(|(left, right)| format!("({left}) || ({right})")),
            inner.clone().prop_map(|inner| format!("!({inner})")),
            (inner.clone(), inner.clone(), inner).prop_map(|(a, b, c)| format!("({a}) ? ({b}) : ({c})")),
        ]
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1_500))]

    #[test]
    fn lowering_a_condition_changes_nothing(text in conditions(), given in rows()) {
        prop_assert_eq!(lowered(&text, &given.row()), given.evaluated(&text), "{}", text);
    }
}

#[test]
fn an_error_is_absorbed_by_what_decides_without_it() {
    let row = Row::default();
    let error = "getEventData(\"pathname\").startsWith(\"/\")";
    for (text, expected) in [
        (error.to_owned(), None),
        (format!("!({error})"), None),
        (format!("{error} || true"), Some(true)),
        (format!("{error} || false"), None),
        (format!("{error} && false"), Some(false)),
        (format!("!({error} && false)"), Some(true)),
        (format!("{error} ? true : true"), None),
    ] {
        assert_eq!(lowered(&text, &row), expected, "{text}");
    }
}

/// Processes of a row: the one of the event, and so many ancestors.
fn family(names: &[&str]) -> Row {
    let mut row = Row::default();
    for (number, name) in (0u8..).zip(names) {
        let who = if number == 0 { crate::form::Who::Actor } else { crate::form::Who::Ancestor(number) };
        row.insert(Field::Process(who, ProcessFact::Comm), vec![Owned::text(name.as_bytes())]);
        row.insert(
            Field::Process(who, ProcessFact::Pid),
            vec![Owned::Number((100 - i128::from(number)) * 2)],
        );
        row.insert(Field::Process(who, ProcessFact::NsPid), vec![Owned::Number(100 - i128::from(number))]);
    }
    row
}

#[test]
fn ancestors_are_asked_one_by_one() {
    let of = |rest: &str| format!("process.getAncestry(workload.process.unique_id, 3){rest}");
    let row = family(&["nc", "sh", "nginx", "systemd"]);
    for (rest, expected) in [
        (".exists(p, p.name == \"sh\")", Some(true)),
        // The fourth is beyond what is asked for.
        (".exists(p, p.name == \"systemd\")", Some(false)),
        (".all(p, p.name != \"sh\")", Some(false)),
        (".all(p, p.pid > 97)", Some(true)),
        ("[1].name == \"sh\"", Some(true)),
        ("[1].ppid == 98", Some(true)),
        (".size() == 3", Some(true)),
        (".size() < 3", Some(false)),
        (".filter(p, p.name in [\"sh\", \"nginx\"])[1].name == \"nginx\"", Some(true)),
        (".filter(p, p.name == \"none\")[0].name == \"x\"", None),
    ] {
        assert_eq!(lowered(&of(rest), &row), expected, "{rest}");
    }
    let alone = family(&["nc"]);
    assert_eq!(lowered(&of("[1].name == \"sh\""), &alone), None);
    assert_eq!(lowered(&of("[1].name == \"sh\" || true"), &alone), Some(true));
    assert_eq!(lowered(&of(".size() == 1"), &alone), Some(true));
    assert_eq!(lowered("process.get(workload.process.unique_id).name == \"nc\"", &alone), Some(true));
}

#[test]
fn what_is_looked_up_may_not_be_there() {
    let get = |rest: &str| format!("container.get(workload.container.id){rest}");
    let outside = Row::default();
    let mut inside = Row::default();
    inside.insert(Field::Container(ContainerFact::Id), vec![Owned::text("abc")]);
    for (rest, of_outside, of_inside) in [
        (" != null", Some(false), Some(true)),
        (".image.startsWith(\"x\")", None, Some(false)),
        (".image == \"\"", None, Some(true)),
        (".pod != null", Some(false), Some(false)),
        (".pod.name == \"\"", None, None),
    ] {
        assert_eq!(lowered(&get(rest), &outside), of_outside, "{rest} outside");
        assert_eq!(lowered(&get(rest), &inside), of_inside, "{rest} inside");
    }
}

#[test]
fn what_cannot_be_asked_is_named_with_its_reason() {
    for (text, expected) in [
        ("process.getChildren(workload.process.unique_id).size() > 0", "process.getChildren cannot be asked"),
        ("kernel.getSymbolAddress(\"sys_read\") > 0u", "symbols of the kernel are not recorded"),
        ("dns.getResponse(\"x\").domains.size() > 1", "it has query and ips"),
        ("system.info().os_name == \"Debian\"", "system.info().os_name cannot be asked"),
        ("container.getByName(\"x\").image == \"y\"", "only the container of the event"),
        ("workload.proces.name == \"x\"", "did you mean workload.process.name?"),
        ("workload.k8s.pod.labels[\"a\"] == \"b\"", "captures do not hold it"),
        ("getEventData(\"pathname\") in SHELL", "did you mean SHELLS?"),
        ("lowr(getEventData(\"pathname\")) == \"x\"", "did you mean lower?"),
        ("getEventData(\"pathname\")", "neither true nor false"),
        ("getEventData(\"pathname\").matches(\"(\")", "no regular expression"),
        ("timestamp > 3", "of the time a part is asked"),
        ("timestamp < timestamp(\"yesterday\")", "this is no time"),
    ] {
        let term = term::parse(text).expect(text);
        let mut lower = Lower::new(Scope { event: exec(), processes: Vec::new(), lists: &Shells });
        let wrong = lower.condition(&term).expect_err(text);
        assert!(wrong.message.contains(expected), "{text}: {wrong:?}");
    }
}
