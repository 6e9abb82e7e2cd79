use std::fmt::Write as _;

use crate::form::Body;
use crate::reader::{Corpus, Readers};

fn read(text: &str) -> Corpus {
    let mut readers = Readers::default();
    readers.add("audit.rules", text, true);
    readers.finish()
}

fn told(text: &str) -> String {
    let mut out = String::new();
    for diagnostic in read(text).diagnostics {
        let _ = writeln!(out, "{diagnostic}");
    }
    out
}

#[test]
fn watches_and_rules_of_calls_are_read_and_lines_that_set_audit_up_are_not() {
    let corpus = read(
        "# a file of rules\n-D\n-b 8192\n-f 1\n--backlog_wait_time 60000\n\n-w /etc/passwd -p wa -k identity\n\
         -a always,exit -F arch=b64 -S mount -S umount2 -F uid=0 -k mount\n\
         -a always,exit -F arch=b32 -S mount -S umount2 -F uid=0 -k mount\n\
         -a exit,always -F dir=/home -F perm=x -F key=run\n-a always,exclude -F msgtype=CWD\n-e 2\n",
    );
    assert!(corpus.diagnostics.is_empty(), "{:?}", corpus.diagnostics);
    let titles: Vec<&str> = corpus.rules.iter().map(|rule| rule.title.as_str()).collect();
    // What is said of calls of both widths is said once.
    assert_eq!((titles, corpus.found), (vec!["identity", "mount", "run"], 3));
    let classes = |rule: usize| match &corpus.rules[rule].body {
        Body::Event(query) => query.arms.iter().map(|arm| format!("{:?}", arm.class)).collect::<Vec<_>>(),
        _ => Vec::new(),
    };
    assert!(classes(0).iter().any(|it| it == "Attributes") && !classes(0).iter().any(|it| it == "Exec"));
    assert_eq!(classes(2), ["Exec"]);
}

#[test]
fn what_a_line_before_takes_lines_behind_it_do_not_see() {
    let excluded = |text: &str| {
        let corpus = read(text);
        let Body::Event(query) = &corpus.rules.last().expect("a rule").body else { return false };
        query.arms.iter().any(|arm| format!("{:?}", arm.expr).contains("Not("))
    };
    let watch = "-w /etc/shadow -p wa -k b\n";
    assert!(excluded(&format!("-a never,exit -F exe=/usr/sbin/sshd\n{watch}")));
    assert!(excluded(&format!("-w /etc -p wa -k a\n{watch}")));
    // What lies elsewhere, or comes behind it, is not asked.
    assert!(!excluded(&format!("-w /var -p wa -k a\n{watch}")));
    assert!(!excluded(watch));
    let corpus = read(&format!("{watch}-A never,exit -F path=/etc/shadow\n"));
    let Body::Event(query) = &corpus.rules[0].body else { panic!("no query") };
    assert!(
        format!("{:?}", query.arms[0].expr).contains("Not("),
        "one that goes first counts though it stands behind"
    );
}

#[test]
fn what_is_wrong_is_told_with_its_place_and_all_at_once() {
    let told = told(
        "-w /etc -p wb -k a\n-a always,exit -S opnat -k b\n-a always,exit -F obj_uid>=1000 -S open -k c\n\
         -a allways,exit -S open\n-F uid\n-w etc -p w\n-a always,exit -C uid!=obj_uid -S execve\n--loginuid\n",
    );
    for expected in [
        "unknown permission 'b' in audit.rules:1:12",
        "there is no system call \"opnat\" in audit.rules:2:19; did you mean \"openat\"?",
        "obj_uid cannot be asked: owners of files are not recorded in audit.rules:3:19",
        "\"allways\" is neither an action nor a list in audit.rules:4:4; did you mean \"always\"?",
        "\"uid\" compares nothing in audit.rules:5:4",
        "a path that is watched begins with / in audit.rules:6:4",
        "obj_uid cannot be asked: owners of files are not recorded in audit.rules:7:19",
        "unknown option \"--loginuid\" in audit.rules:8:1",
    ] {
        assert!(told.contains(expected), "{expected}\nis not in\n{told}");
    }
}

#[test]
fn arguments_are_asked_by_the_names_that_each_call_gives_them() {
    let corpus = read("-a always,exit -F arch=b64 -S socket -S personality -F a0=0x10 -k x\n");
    let Body::Event(query) = &corpus.rules[0].body else { panic!("no query") };
    let fields: Vec<String> =
        query.arms.iter().flat_map(|arm| arm.expr.fields()).map(ToString::to_string).collect();
    assert_eq!(fields, ["persona", "domain"]);
}

#[test]
fn ids_are_asked_and_compared() {
    let corpus = read("-a always,exit -C uid!=euid -F euid=0 -F auid!=unset -S execve -k x\n");
    assert!(corpus.diagnostics.is_empty(), "{:?}", corpus.diagnostics);
    let Body::Event(query) = &corpus.rules[0].body else { panic!("no query") };
    let expr = format!("{:?}", query.arms[0].expr);
    for expected in ["Process(Actor, Euid)", "SameAs(Process(Actor, Euid)", "Exists", "Not("] {
        assert!(expr.contains(expected), "{expected} is not in {expr}");
    }
}
