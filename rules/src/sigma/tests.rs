//! What rules are read into, and what is said of those that cannot be.

use crate::form::{Body, Expr, Field, FileFact, ProcessFact, Test, Value};
use crate::reader::{Corpus, Readers};

fn read(text: &str) -> Corpus {
    let mut readers = Readers::default();
    readers.add("rule.yml", text, true);
    readers.finish()
}

fn rule(detection: &str) -> String {
    with_source("product: linux\n    category: process_creation", detection)
}

fn with_source(source: &str, detection: &str) -> String {
    let detection = detection.replace('\n', "\n    ");
    format!("title: T\nid: t\nlogsource:\n    {source}\ndetection:\n    {detection}\nlevel: high\n")
}

/// What a rule says of an event with one field.
fn says(detection: &str, values: &[(Field, &[u8])]) -> bool {
    let corpus = read(&rule(detection));
    assert!(corpus.diagnostics.is_empty(), "{}", told(&corpus));
    let Some(Body::Event(query)) = corpus.rules.first().map(|rule| &rule.body) else { panic!("no rule") };
    query.arms.iter().any(|arm| eval(&arm.expr, values))
}

fn eval(expr: &Expr, values: &[(Field, &[u8])]) -> bool {
    match expr {
        Expr::Const(value) => *value,
        Expr::Not(inner) => !eval(inner, values),
        Expr::All(parts) => parts.iter().all(|part| eval(part, values)),
        Expr::Any(parts) => parts.iter().any(|part| eval(part, values)),
        Expr::Atom(atom) => {
            let of = |field: &Field| {
                values.iter().find(|(known, _)| known == field).map(|(_, text)| Value::Text(text))
            };
            match &atom.test {
                Test::SameAs(other, case, shape) => of(&atom.field)
                    .zip(of(other))
                    .is_some_and(|(left, right)| crate::form::same(left, right, *case, *shape)),
                test => of(&atom.field).is_some_and(|value| test.passes(value)),
            }
        }
    }
}

fn told(corpus: &Corpus) -> String {
    corpus.diagnostics.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n")
}

const IMAGE: Field = Field::actor(ProcessFact::Exe);
const COMMAND: Field = Field::actor(ProcessFact::CommandLine);

#[test]
fn values_are_any_of_a_list_and_maps_are_all_of_their_items() {
    let detection = "s:\n    Image|endswith: ['/bash', '/sh']\n    CommandLine|contains: ' -i'\ncondition: s";
    assert!(says(detection, &[(IMAGE, b"/usr/bin/BASH"), (COMMAND, b"bash -I")]));
    assert!(!says(detection, &[(IMAGE, b"/usr/bin/bash"), (COMMAND, b"bash")]));
    assert!(!says(detection, &[(IMAGE, b"/usr/bin/zsh/x"), (COMMAND, b"bash -i")]));
}

#[test]
fn all_makes_a_list_mean_each_of_its_values() {
    let detection = "s:\n    CommandLine|contains|all: ['-a', '-b']\ncondition: s";
    assert!(says(detection, &[(COMMAND, b"x -b -a")]));
    assert!(!says(detection, &[(COMMAND, b"x -a")]));
}

#[test]
fn cased_tells_cases_apart_and_unicode_is_folded_otherwise() {
    assert!(!says("s:\n    CommandLine|cased: Foo\ncondition: s", &[(COMMAND, b"foo")]));
    assert!(says("s:\n    CommandLine: '\u{c4}x*'\ncondition: s", &[(COMMAND, "\u{e4}Xy".as_bytes())]));
}

#[test]
fn null_asks_for_a_missing_field_and_an_empty_text_for_an_empty_one() {
    assert!(says("s:\n    CommandLine: null\ncondition: s", &[]));
    assert!(!says("s:\n    CommandLine: null\ncondition: s", &[(COMMAND, b"")]));
    assert!(says("s:\n    CommandLine: ''\ncondition: s", &[(COMMAND, b"")]));
    assert!(!says("s:\n    CommandLine: ''\ncondition: s", &[]));
    assert!(says("s:\n    CommandLine|exists: false\ncondition: s", &[]));
    assert!(says("s:\n    CommandLine: x\ncondition: not s", &[]));
}

#[test]
fn modifiers_are_applied_in_order() {
    let encoded = "s:\n    CommandLine|base64offset|contains: /bin/bash\ncondition: s";
    assert!(says(encoded, &[(COMMAND, b"echo aGkgL2Jpbi9iYXNoIC1p | sh")]));
    let wide = "s:\n    CommandLine|utf16le|base64|contains: whoami\ncondition: s";
    assert!(says(wide, &[(COMMAND, b"x dwBoAG8AYQBtAGkA y")]));
    assert!(says("s:\n    CommandLine|re: 'a.c$'\ncondition: s", &[(COMMAND, b"xabc")]));
    assert!(!says("s:\n    CommandLine|re: 'a.c$'\ncondition: s", &[(COMMAND, b"xABC")]));
    assert!(says("s:\n    CommandLine|re|i: 'a.c$'\ncondition: s", &[(COMMAND, b"xABC")]));
    assert!(says("s:\n    CommandLine|fieldref: Image\ncondition: s", &[(COMMAND, b"/x"), (IMAGE, b"/X")]));
    assert!(says(
        "s:\n    CommandLine|fieldref|startswith: Image\ncondition: s",
        &[(COMMAND, b"/x y"), (IMAGE, b"/x")]
    ));
    assert!(says("s:\n    CommandLine|windash|contains: ' -e '\ncondition: s", &[(COMMAND, b"x /e y")]));
}

#[test]
fn words_without_a_field_are_looked_for_in_all_texts() {
    let any = Field::AnyText;
    assert!(says("keywords: [rm -rf, shred]\ncondition: keywords", &[(any.clone(), b"sudo RM -rf /")]));
    let all = "keywords:\n    '|all': [curl, sh]\ncondition: keywords";
    assert!(says(all, &[(any.clone(), b"curl x | sh")]) && !says(all, &[(any, b"curl x")]));
}

#[test]
fn lists_of_maps_are_any_of_them() {
    let detection = "s:\n    - Image: /a\n    - CommandLine: b\ncondition: s";
    assert!(says(detection, &[(COMMAND, b"b")]) && says(detection, &[(IMAGE, b"/a")]));
    assert!(!says(detection, &[(IMAGE, b"/b")]));
}

#[test]
fn a_rule_of_audit_is_asked_of_the_records_of_its_types() {
    let source = "product: linux\n    service: auditd";
    let of = |detection: &str| {
        let corpus = read(&with_source(source, detection));
        assert!(corpus.diagnostics.is_empty(), "{}", told(&corpus));
        let Body::Event(query) = &corpus.rules[0].body else { panic!("an event") };
        query.arms.iter().map(|arm| format!("{:?} {:?}", arm.class, arm.expr.fields())).collect::<Vec<_>>()
    };
    let exec = of("s:\n    type: execve\n    a1|contains: foo\ncondition: s");
    assert_eq!(exec, ["Exec [Process(Actor, ArgAt(1))]"]);
    let call = of("s:\n    type: SYSCALL\n    SYSCALL: personality\n    a0: 40000\ncondition: s");
    assert_eq!(call, ["Calls({\"personality\"}) [Call, Register(0)]"]);
    let path = of("s:\n    type: PATH\n    name: /etc/shadow\ncondition: s");
    assert_eq!(path, [format!("Touch [{:?}]", Field::File(FileFact::Path))]);
    // Without a type: the arguments of a command.
    let arguments = of("s:\n    a1|startswith: foo\n    a7: bar\ncondition: s");
    assert_eq!(arguments, ["Exec [Process(Actor, ArgAt(1)), Process(Actor, ArgAt(7))]"]);
}

#[test]
fn what_nothing_tells_is_named() {
    let told = |field: &str| {
        let detection = format!("s:\n    type: SYSCALL\n    {field}: k\ncondition: s");
        told(&read(&with_source("product: linux\n    service: auditd", &detection)))
    };
    assert_eq!(told("euid"), "");
    let owner = told("ouid");
    assert!(owner.contains("this can never match: nothing here tells ouid in rule.yml:10:16"), "{owner}");
    let key = told("key");
    assert!(
        key.contains("key is that of a rule of auditctl: --audit-rules FILE says which there are"),
        "{key}"
    );
}

/// A record has the key of the first rule of audit that takes it, and only what such rules take is recorded.
#[test]
fn keys_are_those_of_rules_of_audit() {
    let lines = "-a always,exit -F arch=b64 -S connect -F a2=16 -F success=1 -k net\n-w /usr/bin/id -p x -k who\n\
                 -w /usr/bin -p x -k run\n-a always,exit -S sysinfo\n";
    let read = |detection: &str| {
        let files = [("audit.rules".to_owned(), lines.to_owned())];
        let mut readers = Readers::default().with_audit_rules(&files);
        readers.add("rule.yml", &with_source("product: linux\n    service: auditd", detection), true);
        readers.finish()
    };
    let arms = |detection: &str| {
        let corpus = read(detection);
        assert!(corpus.diagnostics.is_empty(), "{}", told(&corpus));
        let Body::Event(query) = &corpus.rules[0].body else { panic!("an event") };
        query.arms.iter().map(|arm| (format!("{:?}", arm.class), arm.expr.clone())).collect::<Vec<_>>()
    };
    let all = arms("s:\n    type: SYSCALL\n    exe|endswith: /nmap\n    key: NET\ncondition: s");
    let [(class, expr)] = all.as_slice() else { panic!("{all:?}") };
    assert_eq!(class, "Calls({\"connect\"})");
    let fields = expr.fields();
    assert!(fields.contains(&&IMAGE) && fields.contains(&&Field::arg("addrlen")), "{fields:?}");
    // What a line before takes has that one's key.
    let all = arms("s:\n    key: run\ncondition: s");
    assert_eq!(all.len(), 1);
    let path = Field::File(FileFact::Path);
    assert!(eval(&all[0].1, &[(path.clone(), b"/usr/bin/ls")]));
    assert!(!eval(&all[0].1, &[(path, b"/usr/bin/id")]));
    // Without a key, and with another.
    let classes = |detection: &str| arms(detection).into_iter().map(|(class, _)| class).collect::<Vec<_>>();
    assert_eq!(classes("s:\n    type: SYSCALL\n    key: null\ncondition: s"), ["Calls({\"sysinfo\"})"]);
    assert_eq!(
        classes("s:\n    type: SYSCALL\n    uid: 0\nk:\n    key|startswith: [r, w]\ncondition: s and not k"),
        ["Calls({\"sysinfo\"})", "Calls({\"connect\"})"]
    );
    let never = told(&read("s:\n    type: SYSCALL\n    key: other\ncondition: s"));
    assert!(never.contains("no rule of --audit-rules has such a key"), "{never}");
    assert!(never.contains("allowed: net, run, who"), "{never}");
}

#[test]
fn correlations_silence_the_rules_that_they_are_about() {
    let base = rule("s:\n    Image: /bin/su\ncondition: s");
    let correlation = "---\ntitle: C\nid: c\ncorrelation:\n    type: event_count\n    rules: [t]\n    group-by: [User]\n    \
                       timespan: 5m\n    condition:\n        gte: 3\n        lt: 9\n";
    let corpus = read(&format!("{base}{correlation}"));
    assert!(corpus.diagnostics.is_empty(), "{}", told(&corpus));
    let [base, correlation] = corpus.rules.as_slice() else { panic!("two rules") };
    assert!(!base.is_told && correlation.is_told);
    let Body::Count(count) = &correlation.body else { panic!("a count") };
    assert_eq!((count.of.as_slice(), count.span_ns), (["t".to_owned()].as_slice(), 300_000_000_000));
    assert!(count.bounds.hold(3.0) && !count.bounds.hold(9.0) && !count.bounds.hold(2.0));
    assert_eq!(count.by[0].fields, [(Some("t".into()), Field::actor(ProcessFact::UserName))]);
}

#[test]
fn filters_take_away_from_the_rules_that_they_go_for() {
    let base = rule("s:\n    Image|endswith: /nmap\ncondition: s");
    let filter = "---\ntitle: F\nlogsource:\n    product: linux\n    category: process_creation\nfilter:\n    rules: [t]\n    \
                  ours:\n        CommandLine|contains: inventory\n    condition: ours\n";
    let corpus = read(&format!("{base}{filter}"));
    assert!(corpus.diagnostics.is_empty(), "{}", told(&corpus));
    let Body::Event(query) = &corpus.rules[0].body else { panic!("an event") };
    let asked = |command: &[u8]| eval(&query.arms[0].expr, &[(IMAGE, b"/usr/bin/nmap"), (COMMAND, command)]);
    assert!(asked(b"nmap host") && !asked(b"nmap --inventory"));
    assert_eq!(corpus.found, 1);
}

#[test]
fn rules_of_other_systems_are_counted_and_not_read() {
    let corpus =
        read(&with_source("product: windows\n    category: process_creation", "s:\n    A: b\ncondition: s"));
    assert_eq!(corpus.foreign, [("windows".to_owned(), 1)]);
    assert!(corpus.rules.is_empty() && corpus.diagnostics.is_empty());
}

#[test]
fn everything_that_is_wrong_is_told_at_its_place_and_does_not_stop_the_others() {
    let wrong = rule(
        "s:\n    Imge|endswith: /bash\n    CommandLine|contians: x\n    User|re: '(a'\ncondition: s and t",
    );
    let corpus = read(&format!("{wrong}---\n{}", rule("s:\n    Image: /a\ncondition: s")));
    assert_eq!(corpus.rules.len(), 1);
    let expected = r#"error: the field "Imge" is not known of these events in rule.yml:8:9; did you mean "Image"?
  8 |         Imge|endswith: /bash
    |         ^^^^
  allowed: CommandLine, CurrentDirectory, Image, LogonId, ParentCommandLine, ParentImage, ParentProcessGuid, ParentProcessId, ParentUser, ProcessGuid, ProcessId, User
error: unknown modifier "contians" in rule.yml:9:21; did you mean "contains"?
  9 |         CommandLine|contians: x
    |                     ^^^^^^^^
  allowed: contains, startswith, endswith, all, cased, base64, base64offset, utf16le, wide, utf16be, utf16, windash, re, i, ignorecase, m, multiline, s, dotall, cidr, lt, lte, gt, gte, neq, exists, fieldref, expand, minute, hour, day, week, month, year
error: this regular expression cannot be used: unclosed group in rule.yml:10:18
  10 |         User|re: '(a'
     |                  ^^^^
error: there is no selection "t" in rule.yml:11:22
  11 |     condition: s and t
     |                      ^
  allowed: s"#;
    assert_eq!(told(&corpus), expected);
}
