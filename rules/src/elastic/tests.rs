//! What rules are read into, and what is said of those that cannot be.

use crate::class::Class;
use crate::form::{
    Body, Expr, Field, FileFact, Measure, Missing, ProcessFact, Query, SocketEnd, SocketFact, Value,
};
use crate::reader::{Corpus, Readers};
use crate::rule::{Language, Level};

fn read(text: &str) -> Corpus {
    let mut readers = Readers::default();
    readers.add("rule.toml", text, true);
    readers.finish()
}

fn rule(kind: &str, query: &str) -> String {
    let head = "[metadata]\nmaturity = \"production\"\n\n[rule]\nname = \"T\"\nrule_id = \"t\"\nseverity = \"high\"\n";
    format!("{head}type = \"{kind}\"\nquery = '''\n{query}\n'''\n")
}

fn told(corpus: &Corpus) -> String {
    corpus.diagnostics.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n")
}

fn body(query: &str) -> Body {
    let corpus = read(&rule("eql", query));
    assert!(corpus.diagnostics.is_empty(), "{}", told(&corpus));
    corpus.rules[0].body.clone()
}

fn query(text: &str) -> Query {
    match body(text) {
        Body::Event(query) => query,
        other => panic!("{other:?}"),
    }
}

fn classes(text: &str) -> Vec<Class> {
    query(text).arms.into_iter().map(|arm| arm.class).collect()
}

fn why(text: &str) -> String {
    let corpus = read(&rule("eql", text));
    assert!(corpus.rules.is_empty());
    corpus.diagnostics.iter().map(|it| it.message.to_string()).collect::<Vec<_>>().join("; ")
}

fn eval(expr: &Expr, values: &[(Field, &[u8])]) -> bool {
    match expr {
        Expr::Const(value) => *value,
        Expr::Not(inner) => !eval(inner, values),
        Expr::All(parts) => parts.iter().all(|part| eval(part, values)),
        Expr::Any(parts) => parts.iter().any(|part| eval(part, values)),
        Expr::Atom(atom) => {
            values.iter().any(|(field, text)| *field == atom.field && atom.test.passes(Value::Text(text)))
        }
    }
}

#[test]
fn the_words_of_a_rule_choose_its_events() {
    assert_eq!(classes("process where event.type == \"start\" and process.name == \"a\""), [Class::Exec]);
    assert_eq!(
        classes("process where event.action in (\"exec\", \"ProcessRollup2\") and process.pid > 1"),
        [Class::Exec]
    );
    assert_eq!(classes("process where event.action == \"fork\" and process.name == \"a\""), [Class::Fork]);
    assert_eq!(
        classes(
            "file where event.type != \"deletion\" and event.action == \"creation\" and file.name : \"a\""
        ),
        [Class::Create]
    );
    assert_eq!(
        classes("network where event.action == \"connection_attempted\" and destination.port == 1"),
        [Class::Connect]
    );
    assert_eq!(classes("process where auditd.data.syscall == \"splice\""), [Class::calls(["splice"])]);
    assert_eq!(
        classes("any where event.category == \"file\" and event.action : \"rename\" and file.name == \"a\""),
        [Class::Rename]
    );
    // Asked of an exec it is nothing but what is left of it.
    let arms = query(
        "process where host.os.type == \"linux\" and event.type == \"start\" and process.name == \"a\"",
    )
    .arms;
    assert!(matches!(&arms[0].expr, Expr::Atom(atom) if atom.field == Field::actor(ProcessFact::Name)));
}

#[test]
fn parts_about_other_systems_fold_away() {
    let text = "process where event.type == \"start\" and (host.os.type == \"windows\" and process.pe.original_file_name == \
                \"a\" and nothing.like.it == 1 or host.os.type == \"linux\" and process.args : \"b\")";
    let query = query(text);
    assert_eq!(query.arms[0].expr.fields(), [&Field::actor(ProcessFact::Args)]);
}

#[test]
fn a_missing_field_is_not_equal() {
    let query = query(
        "process where event.action == \"exec\" and not process.parent.name == \"cron\" and ?process.args == null",
    );
    assert!(eval(&query.arms[0].expr, &[]));
    assert!(!eval(&query.arms[0].expr, &[(Field::parent(ProcessFact::Name), b"cron")]));
    assert!(!eval(&query.arms[0].expr, &[(Field::actor(ProcessFact::Args), b"")]));
}

#[test]
fn the_hash_of_what_is_executed_is_asked() {
    let query = query("process where event.action == \"exec\" and process.hash.sha256 == \"ab\"");
    let hash = Field::arg("sha256");
    assert!(eval(&query.arms[0].expr, &[(hash.clone(), b"ab")]));
    assert!(!eval(&query.arms[0].expr, &[(hash, b"cd")]) && !eval(&query.arms[0].expr, &[]));
}

#[test]
fn the_old_extension_is_asked_of_the_old_name() {
    let query = query("file where event.action == \"rename\" and file.Ext.original.extension like \"dpkg*\"");
    let old = Field::File(FileFact::OldName);
    assert!(eval(&query.arms[0].expr, &[(old.clone(), b"a.dpkg-new")]));
    assert!(!eval(&query.arms[0].expr, &[(old.clone(), b"a.dpkg-new.x")]));
    assert!(!eval(&query.arms[0].expr, &[(old, b"dpkg-new")]));
}

#[test]
fn keys_are_fields_of_each_step() {
    let text = "sequence by host.id with maxspan=5s\n[process where event.action == \"exec\" and process.name == \"a\"] by \
                process.entity_id\n![network where event.action == \"connection_attempted\" and destination.port == 1] by \
                process.parent.entity_id\n[file where event.type == \"creation\" and file.name == \"b\"] by \
                process.parent.entity_id";
    let Body::Sequence(sequence) = body(text) else { panic!("a sequence") };
    let by: Vec<_> = sequence.steps.iter().map(|step| step.by.clone()).collect();
    let parent = vec![Field::Host, Field::parent(ProcessFact::Entity)];
    assert_eq!(by, [vec![Field::Host, Field::actor(ProcessFact::Entity)], parent.clone(), parent]);
    assert_eq!(sequence.steps[1].missing, Missing::Yes);
    assert_eq!(sequence.span_ns, Some(5_000_000_000));
}

#[test]
fn what_ancestors_executed_is_asked_whole() {
    let of = |kin: &str| {
        let text = format!(
            "process where event.action == \"exec\" and {kin} of [process where event.type == \"start\" and \
             process.name in (\"a\", \"b\") and process.args == \"c\" and not child of [process where user.id == 0]]"
        );
        let fields: Vec<Field> = query(&text).arms[0].expr.fields().into_iter().cloned().collect();
        let [Field::Executed(kin, execution)] = fields.as_slice() else { panic!("{fields:?}") };
        let mut list = Vec::new();
        execution.add_to(&mut list);
        assert_eq!(list.len(), 2);
        assert_eq!(list[1], *execution);
        *kin
    };
    use crate::form::Kin;
    assert_eq!([of("descendant"), of("child"), of("event")], [Kin::Ancestor, Kin::Parent, Kin::Own]);
    // What can never be executed is not there.
    let never =
        "process where event.action == \"exec\" and not descendant of [process where event.type == \"end\"]";
    assert_eq!(query(never).arms[0].expr, Expr::Const(true));
    assert_eq!(
        why("process where descendant of [file where file.name == \"a\"]"),
        "process where is expected here: it is asked what processes executed"
    );
    assert_eq!(
        why("process where descendant of [process where container.id != null]"),
        "of what processes executed before, the container is not known any more"
    );
    assert_eq!(
        why("process where descendant of [process where process.nmae == \"a\"]"),
        "the field \"process.nmae\" is not known"
    );
}

#[test]
fn what_captures_cannot_answer_is_refused_with_its_reason() {
    let why_of = |field: &str| why(&format!("process where event.action == \"exec\" and {field} == \"a\""));
    assert_eq!(
        why_of("process.entry_leader.entry_meta.source.ip"),
        "process.entry_leader.entry_meta.source.ip cannot be asked of a capture: from which address somebody came in is not known"
    );
    assert_eq!(
        why_of("aws.cloudtrail.user"),
        "aws.cloudtrail.user cannot be asked of a capture: it belongs to events of another product"
    );
    assert_eq!(why_of("process.nmae"), "the field \"process.nmae\" is not known");
    assert_eq!(
        why_of("group.name"),
        "group.name cannot be asked of a capture: names of groups are not recorded"
    );
    assert_eq!(
        why("session where user.name == \"a\""),
        "no event here is of the category session: sessions are read out of logs, whose fields are not known"
    );
    assert_eq!(
        why("network where event.action == \"disconnect_received\""),
        "this can never match: no event of the category network of a kernel has event.action disconnect_received"
    );
}

#[test]
fn rules_in_kql_are_queries_thresholds_and_new_terms() {
    let query = "event.category:process and host.os.type:linux and event.action:(exec or executed) and process.name:(a or b*)";
    let corpus = read(&rule("query", query));
    assert!(corpus.diagnostics.is_empty(), "{}", told(&corpus));
    assert!(matches!(&corpus.rules[0].body, Body::Event(query) if query.arms.len() == 1));
    assert_eq!((corpus.rules[0].language, corpus.rules[0].level), (Language::Kql, Level::High));

    let terms =
        "[rule.new_terms]\nfield = \"new_terms_fields\"\nvalue = [\"host.id\", \"process.executable\"]\n";
    let corpus = read(&format!("{}{terms}", rule("new_terms", query)));
    assert!(corpus.diagnostics.is_empty(), "{}", told(&corpus));
    let Body::First { fields, .. } = &corpus.rules[0].body else { panic!("first") };
    assert_eq!(*fields, [Field::Host, Field::actor(ProcessFact::Exe)]);

    let query = "event.category:network and event.action:connection_attempted";
    let threshold = "from = \"now-2m\"\n[rule.threshold]\nfield = [\"process.executable\"]\nvalue = 1\n\
                     [[rule.threshold.cardinality]]\nfield = \"destination.port\"\nvalue = 100\n";
    let corpus = read(&format!("{}{threshold}", rule("threshold", query)));
    assert!(corpus.diagnostics.is_empty(), "{}", told(&corpus));
    let [base, count] = corpus.rules.as_slice() else { panic!("two rules") };
    assert!(!base.is_told && count.is_told);
    let Body::Count(count) = &count.body else { panic!("a count") };
    assert_eq!(count.of, std::slice::from_ref(&base.id));
    assert_eq!(
        count.measure,
        Measure::Distinct(vec![Field::Socket(SocketEnd::Destination, SocketFact::Port)])
    );
    assert!(count.bounds.hold(100.0) && !count.bounds.hold(99.0));
    assert_eq!(count.span_ns, 120_000_000_000);
    assert_eq!(corpus.found, 1);
}

#[test]
fn metadata_is_kept_and_techniques_are_tags() {
    let threat = "[[rule.threat]]\nframework = \"MITRE ATT&CK\"\n[[rule.threat.technique]]\nid = \"T1059\"\n\
                  [[rule.threat.technique.subtechnique]]\nid = \"T1059.004\"\n";
    let corpus = read(&format!("{}{threat}", rule("eql", "process where event.action == \"exec\"")));
    let rule = &corpus.rules[0];
    assert_eq!((rule.id.as_str(), rule.title.as_str(), rule.place.line), ("t", "T", 4));
    assert_eq!(rule.tags, ["attack.t1059", "attack.t1059.004"]);
}

#[test]
fn what_is_wrong_is_told_at_its_place_and_does_not_stop_the_others() {
    let mut readers = Readers::default();
    let wrong = rule(
        "eql",
        "process where event.action == \"exec\" and\n  process.nmae == \"a\" and prcess.args : \"b\"",
    );
    readers.add("a.toml", &wrong, false);
    readers.add("b.toml", &rule("esql", "from logs-*"), false);
    readers.add("c.toml", "[rule]\nname = \"x\nquery", false);
    readers.add("Cargo.toml", "[package]\nname = \"x\"\n", false);
    readers.add("d.toml", &rule("eql", "process where event.action == \"exec\""), false);
    readers.add("e.eql", "process where event.action == \"exec\" and process.name == \"a\"", false);
    let corpus = readers.finish();
    assert_eq!(corpus.rules.iter().map(|rule| rule.id.as_str()).collect::<Vec<_>>(), ["t", "e"]);
    assert_eq!(corpus.found, 5);
    let expected = r#"error: the field "process.nmae" is not known in a.toml:11:3; did you mean "process.name"?
  11 |   process.nmae == "a" and prcess.args : "b"
     |   ^^^^^^^^^^^^
error: the field "prcess.args" is not known in a.toml:11:27; did you mean "process.args"?
  11 |   process.nmae == "a" and prcess.args : "b"
     |                           ^^^^^^^^^^^
error: rules of the type esql are not read: ES|QL computes tables out of events, which is not read in b.toml:8:9
  8 | type = "esql"
    |         ^^^^
  allowed: eql, query, threshold, new_terms
error: this text is not closed on its line in c.toml:2:8
  2 | name = "x
    |        ^^"#;
    assert_eq!(told(&corpus), expected);
}

/// How many rules of a folder are read, and why others are not: `RULES=folder:folder cargo test -p tracer-rules -- --ignored
/// --nocapture coverage_of_a_folder`.
#[test]
#[ignore = "takes a folder of rules from the variable RULES"]
#[allow(clippy::print_stdout)]
fn coverage_of_a_folder() {
    let folders = std::env::var("RULES").expect("RULES names folders, with colons between them");
    let mut readers = Readers::default();
    let mut waiting: Vec<_> = folders.split(':').map(std::path::PathBuf::from).collect();
    while let Some(path) = waiting.pop() {
        if path.is_dir() {
            waiting.extend(std::fs::read_dir(&path).unwrap().map(|entry| entry.unwrap().path()));
        } else if path
            .extension()
            .is_some_and(|it| ["toml", "eql", "yml", "yaml"].iter().any(|known| it == *known))
        {
            readers.add(&path.display().to_string(), &std::fs::read_to_string(&path).unwrap(), false);
        }
    }
    let corpus = readers.finish();
    let told = corpus.rules.iter().filter(|rule| rule.is_told).count();
    println!("{} found, {told} read, {} of others {:?}", corpus.found, corpus.disabled, corpus.foreign);
    let mut reasons = std::collections::BTreeMap::<&str, std::collections::BTreeSet<&str>>::new();
    for it in corpus.diagnostics.iter() {
        reasons.entry(&it.message).or_default().insert(&it.place.file);
    }
    let mut reasons: Vec<_> = reasons.into_iter().collect();
    reasons.sort_by_key(|(_, files)| std::cmp::Reverse(files.len()));
    for (reason, files) in reasons {
        println!("{:4} {reason}    {}", files.len(), files.first().unwrap().rsplit('/').next().unwrap());
    }
}
