use crate::form::Body;
use crate::reader::{Corpus, Readers};
use crate::rule::Rule;

fn read(files: &[&str]) -> Corpus {
    let mut readers = Readers::default();
    for (number, text) in files.iter().enumerate() {
        readers.add(&format!("{number}.yaml"), text, true);
    }
    readers.finish()
}

fn rule<'a>(corpus: &'a Corpus, name: &str) -> &'a Rule {
    let told: Vec<String> = corpus.diagnostics.iter().map(ToString::to_string).collect();
    corpus.rules.iter().find(|rule| rule.id == name).unwrap_or_else(|| panic!("{}", told.join("\n")))
}

fn classes(rule: &Rule) -> Vec<String> {
    let Body::Event(query) = &rule.body else { panic!("{rule:?}") };
    query.arms.iter().map(|arm| format!("{:?}", arm.class)).collect()
}

const BASE: &str = r#"
- list: shells
  items: [bash, sh, '"(systemd)"']
- list: more
  items: [shells, zsh]
- macro: spawned
  condition: (evt.type in (execve, execveat))
- macro: open_write
  condition: (evt.type in (open, openat) and evt.is_open_write=true and fd.typechar='f' and fd.num>=0)
- rule: Shell
  desc: a shell
  condition: spawned and proc.name in (more) and not proc.pname = cron
  output: shell %proc.name of %proc.pname
  priority: WARNING
  tags: [maturity_stable, T1059]
- rule: Etc
  desc: etc
  condition: open_write and fd.name startswith /etc/ and container.id != host
  output: etc
  priority: ERROR
"#;

#[test]
fn macros_and_lists_are_put_in_and_types_of_events_become_arms() {
    let corpus = read(&[BASE]);
    let shell = rule(&corpus, "Shell");
    assert_eq!(classes(shell), ["Exec"]);
    assert_eq!(shell.tags, ["maturity_stable", "attack.t1059"]);
    let words = crate::rule::Template::Words("shell %proc.name of %proc.pname".into());
    assert_eq!(shell.output, Some(words));
    let Body::Event(query) = &shell.body else { panic!() };
    let text = format!("{:?}", query.arms[0].expr);
    assert!(text.contains(&format!("{:?}", b"(systemd)".to_vec())), "{text}");
    // An open that failed has no descriptor: only those that succeeded are asked.
    assert_eq!(classes(rule(&corpus, "Etc")), ["Open"]);
}

#[test]
fn later_files_append_replace_and_switch_off() {
    let corpus = read(&[
        BASE,
        "- list: more\n  items: [fish]\n  override: {items: append}\n- rule: Shell\n  condition: and proc.vpid=1\n  override: {condition: append}\n\
         - rule: Etc\n  enabled: false\n",
    ]);
    let Body::Event(query) = &rule(&corpus, "Shell").body else { panic!() };
    let fields: Vec<String> = query.arms[0].expr.fields().iter().map(ToString::to_string).collect();
    assert_eq!(fields, ["comm", "parent.comm", "pid in its namespace"]);
    assert_eq!((corpus.disabled, corpus.rules.len(), corpus.found), (1, 1, 2));
}

#[test]
fn exceptions_leave_out_what_they_name() {
    let text = format!(
        "{BASE}\n- rule: Run\n  desc: x\n  condition: spawned\n  output: x\n  priority: INFO\n  exceptions:\n    - name: pairs\n      \
         fields: [proc.name, proc.pname]\n      comps: [in, =]\n      values:\n        - [[a, b], c]\n    - name: one\n      fields: proc.name\n      \
         values: [d, e]\n"
    );
    let corpus = read(&[&text]);
    let Body::Event(query) = &rule(&corpus, "Run").body else { panic!() };
    let text = format!("{:?}", query.arms[0].expr);
    assert_eq!(text.matches("Not(").count(), 2, "{text}");
}

#[test]
fn unknown_names_are_told_with_the_nearest_and_fields_without_a_source_with_the_reason() {
    let text = format!(
        "{BASE}\n- rule: A\n  condition: spawned and proc.nam = x\n  desc: x\n  output: x\n  priority: INFO\n- rule: B\n  condition: spawnd\n  \
         desc: x\n  output: x\n  priority: INFO\n- rule: C\n  condition: spawned and proc.nargs = 2\n  desc: x\n  output: x\n  priority: INFO\n\
         - rule: D\n  condition: spawned and proc.name equals x\n  desc: x\n  output: x\n  priority: INFO\n"
    );
    let told: Vec<String> = read(&[&text]).diagnostics.iter().map(ToString::to_string).collect();
    let told = told.join("\n");
    for expected in [
        "the field \"proc.nam\" is not known",
        "did you mean \"proc.name\"?",
        "there is no macro \"spawnd\"",
        "did you mean \"spawned\"?",
        "proc.nargs cannot be asked: arguments are counted with the name of the program",
        "unknown operator \"equals\"",
    ] {
        assert!(told.contains(expected), "{expected}\nis not in\n{told}");
    }
}

#[test]
fn macros_that_name_themselves_and_lists_that_do_end() {
    let told: Vec<String> = read(&[
        "- macro: a\n  condition: b\n- macro: b\n  condition: a\n- list: l\n  items: [l, m]\n- list: m\n  items: [l]\n- rule: R\n  condition: a and evt.type=open\n  desc: x\n  output: x\n  priority: INFO\n- rule: S\n  condition: evt.type=execve and proc.name in (l)\n  desc: x\n  output: x\n  priority: INFO\n",
    ])
    .diagnostics
    .iter()
    .map(ToString::to_string)
    .collect();
    assert_eq!(told.len(), 1, "{told:?}");
    assert!(told[0].contains("names itself"), "{told:?}");
}
