//! Policy files, as their users write them.

use events::{Context, EventId, Raw, catalogue};
use scopes::{Diagnostic, Plan, ScopeSet, Subject};

const ETC_WRITES: &str = "\
apiVersion: tracee.aquasec.com/v1beta1
kind: Policy
metadata:
  name: etc-writes
  annotations: {description: free text}
spec:
  scope: [comm=bash, uid>0]
  defaultActions: [log]
  rules:
    - event: openat
      filters:
        - data.pathname=/etc/*
        - retval>=0
        - comm=vim
    - event: sched_process_exec
";

fn id(name: &str) -> EventId {
    catalogue::by_name(name).unwrap().id
}

fn read(filters: &[&str], policies: &[(&str, &str)]) -> Result<ScopeSet, Vec<Diagnostic>> {
    ScopeSet::with_policies(filters, policies)
}

fn errors(text: &str) -> Vec<String> {
    read(&[], &[("p.yaml", text)]).unwrap_err().iter().map(|error| error.to_string()).collect()
}

#[test]
fn a_policy_is_a_scope_of_the_first_free_number() {
    let set = read(&["1:comm=ls", "3:comm=id"], &[("etc.yaml", ETC_WRITES)]).unwrap();
    assert_eq!(set.mask(), 0b111);
    assert_eq!(set.names().collect::<Vec<_>>(), [(2, "etc-writes")]);
    let plan = Plan::compile(&set);
    assert_eq!(plan.event_mask(id("openat")) & 2, 2);
    assert_eq!(plan.event_mask(id("sched_process_exec")) & 2, 2);
    assert_eq!(plan.event_mask(id("close")) & 2, 0);
    let bash = Context { comm: b"bash", uid: 5, ..Context::default() };
    assert_eq!(plan.context_mask(&Subject::of(&bash)) & 2, 2);
    assert_eq!(plan.context_mask(&Subject::of(&Context { uid: 0, ..bash })) & 2, 0);
    assert_eq!(plan.arg_mask(id("openat"), 1, Raw::Bytes(b"/etc/x")) & 2, 2);
    assert_eq!(plan.arg_mask(id("openat"), 1, Raw::Bytes(b"/tmp")) & 2, 0);
    assert_eq!(plan.ret_mask(id("openat"), -2) & 2, 0);
    assert_eq!(plan.event_context_mask(id("openat"), &Subject::of(&bash)) & 2, 0);
    assert_eq!(plan.event_context_mask(id("sched_process_exec"), &Subject::of(&bash)) & 2, 2);
}

#[test]
fn the_plain_form_and_several_documents_are_read() {
    let plain = "type: policy\nname: a\nscope: [global]\nrules: [{event: fs}]\n---\ntype: policy\nname: b\ndescription: x\nscope: [not-container]\nrules: [{event: '-openat'}]\n";
    let set = read(&[], &[("p.yaml", plain)]).unwrap();
    assert_eq!(set.names().collect::<Vec<_>>(), [(1, "a"), (2, "b")]);
    let plan = Plan::compile(&set);
    assert_eq!((plan.event_mask(id("openat")), plan.event_mask(id("socket"))), (0b01, 0b10));
}

#[test]
fn json_is_read_too() {
    let json = r#"{"type":"policy","name":"j","scope":["uid=0"],"rules":[{"event":"tag=fs"},{"event":"open*","filters":["retval<0"]}]}"#;
    let plan = Plan::compile(&read(&[], &[("p.json", json)]).unwrap());
    assert_eq!(plan.ret_mask(id("openat"), 3) & 1, 0);
    assert_eq!(plan.event_mask(id("close")), 1);
}

#[test]
fn an_unknown_field_is_named_with_line_and_column() {
    let errors = errors("type: policy\nname: a\nscope: [global]\nrulez:\n  - event: openat\n");
    assert_eq!(errors.len(), 1);
    assert!(
        errors[0].starts_with("error: unknown field \"rulez\" in p.yaml:4:1; did you mean \"rules\"?"),
        "{}",
        errors[0]
    );
}

#[test]
fn what_is_no_policy_is_told_in_words_with_its_place() {
    let said = |text: &str| errors(text).join("\n");
    let head = "type: policy\nname: a\n";
    assert_eq!(said("metadata: {}\n"), "error: the field \"name\" is missing in p.yaml:1:11");
    assert_eq!(said(&format!("{head}name: b\n")), "error: field \"name\" stands twice in p.yaml:3:1");
    assert_eq!(
        said(&format!("{head}scope: global\n")),
        "error: not a policy: expected a list (`- value`) in p.yaml:3:8"
    );
    assert_eq!(
        said("text\n"),
        "error: not a policy: expected names with values (`name: value`) in p.yaml:1:1"
    );
    for (rest, what) in
        [("scope: []", "the policy has no scope"), ("scope: [global]", "the policy has no rules")]
    {
        let said = said(&format!("{head}{rest}\n"));
        assert!(said.starts_with(&format!("error: {what} in p.yaml:2:7 a\n")), "{said}");
    }
}

#[test]
fn a_rule_about_a_detection_to_come_is_warned_of_and_the_others_stay() {
    let text = "name: a\nscope: [global]\nrules: [{event: rcd_modification_}, {event: openat}]\n";
    assert!(errors(text)[0].contains("unknown event"));
    let set = read(&[], &[("p.yaml", &text.replace("rcd_modification_", "syscall_hooking"))]).unwrap();
    assert!(set.warnings()[0].to_string().contains("does not detect syscall_hooking"));
    let plan = Plan::compile(&set);
    assert_eq!((plan.event_mask(id("openat")), plan.event_mask(id("close"))), (1, 0));
}

#[test]
fn every_wrong_filter_of_a_policy_is_named_with_its_place() {
    let errors = errors(
        "type: policy\nname: a\nscope:\n  - com=ls\n  - event=openat\nrules:\n  - event: opnat\n  - event: close\n    filters: [data.pathname=x, retval<a]\n    actions: [webhook]\n",
    );
    assert_eq!(errors.len(), 6, "{errors:#?}");
    let at = |place: &str, what: &str| errors.iter().any(|e| e.contains(place) && e.contains(what));
    assert!(at("p.yaml:4:5", "did you mean \"comm\"?"));
    assert!(at("p.yaml:5:5", "events are chosen by rules"));
    assert!(at("p.yaml:7:12", "did you mean \"openat\"?"));
    assert!(at("p.yaml:9:15", "close has no argument \"pathname\""));
    assert!(at("p.yaml:9:32", "neither a number nor an errno"));
    assert!(at("p.yaml:10:15", "action \"webhook\" is not supported"));
}

#[test]
fn hostile_files_are_errors() {
    for text in
        ["", "---\n", "[1,2", "a: &a [*a]", "type: 5", "type: policy", "kind: Pod", "\u{0}", "- - - -"]
    {
        assert!(!errors(text).is_empty(), "{text:?}");
    }
    let twice = read(&[], &[("a", ETC_WRITES), ("b", ETC_WRITES)]).unwrap_err();
    assert!(twice[0].to_string().contains("another policy has this name"));
}

#[test]
fn there_are_at_most_sixty_four_scopes() {
    let policies: Vec<(String, String)> = (0..65)
        .map(|n| {
            ("p".into(), format!("type: policy\nname: p{n}\nscope: [global]\nrules: [{{event: openat}}]\n"))
        })
        .collect();
    let errors = ScopeSet::with_policies::<&str, _, _>(&[], &policies).unwrap_err();
    assert_eq!(errors.len(), 1);
    assert!(errors[0].to_string().contains("more than 64 scopes"));
}

#[test]
fn detections_are_chosen_by_their_properties() {
    let policy = |event: &str| {
        let text = format!("type: policy\nname: a\nscope: [global]\nrules: [{{event: \"{event}\"}}]\n");
        read(&[], &[("p.yaml", text.as_str())]).map(|set| {
            let warned = set.warnings().len();
            (Plan::compile(&set).event_mask(id("anti_debugging")), warned)
        })
    };
    let chosen = [
        "threat.severity=low",
        "threat.severity>=low",
        "threat.severity<medium",
        "threat.severity!=high",
        "threat.severity=1",
        "threat.mitre.technique=T1622",
        "threat.mitre.technique=T1055,T16*",
        "threat.mitre.tactic=Defense*",
        "threat.name=Anti-Debugging*",
        "threat.name=TRC-102",
    ];
    for event in chosen {
        assert_eq!(policy(event), Ok((1, 0)), "{event}");
    }
    for event in ["threat.severity=critical", "threat.mitre.technique=T9999", "threat.name=TRC-9999"] {
        assert_eq!(policy(event), Ok((0, 1)), "{event}");
    }
    let wrong = |event: &str| policy(event).unwrap_err()[0].to_string();
    assert!(
        wrong("threat.severity>=hgh").contains("did you mean \"high\"?"),
        "{}",
        wrong("threat.severity>=hgh")
    );
    assert!(wrong("threat.severty=low").contains("did you mean \"threat.severity\"?"));
    assert!(wrong("threat.name>x").contains("operator `>` does not fit"));
    assert!(wrong("tag=fss").contains("did you mean \"fs\"?"));
}

#[test]
fn the_forms_of_earlier_releases_are_read() {
    let kubernetes = ETC_WRITES
        .replace("kind: Policy", "kind: TraceePolicy")
        .replace("tracee.aquasec.com", "aquasecurity.github.io");
    let plain = "name: p\ndescription: d\nscope: [global]\ndefaultActions: [log]\nrules: [{event: openat, filters: [args.pathname=/x]}]\n";
    let oldest = "name: o\ndescription: d\nscope: [global]\ndefaultAction: log\nrules: [{event: openat, filter: [args.pathname=/x], action: log}]\n";
    let set = read(&[], &[("k.yaml", &kubernetes), ("p.yaml", plain), ("o.yaml", oldest)]).unwrap();
    assert_eq!(set.names().collect::<Vec<_>>(), [(1, "etc-writes"), (2, "p"), (3, "o")]);
    assert_eq!(Plan::compile(&set).arg_mask(id("openat"), 1, Raw::Bytes(b"/y")) & 0b110, 0);
}
