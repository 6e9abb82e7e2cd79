//! `tracer case`, and queries that cases keep.

mod program;

use std::fs;

use program::{Folder, id_and_ls, printed, said, text, tracer};

const CASE: &str = "version = 1\ntitle = \"Login\"\n\n[[query]]\nname = \"what ls opened\"\nfilters = [\"comm=ls\", \"event=openat\"]\n";

#[test]
fn a_query_of_the_case_beside_the_capture_is_asked() {
    let folder = Folder::new();
    let file = folder.capture("c.trz", id_and_ls());
    let case = text(&folder.path("CASE.toml"));
    let none = said(&["replay", &file, "--query", "x"]);
    assert!(none.contains("CASE.toml"), "{none}");
    fs::write(&case, CASE).expect("a case");
    let count =
        |more: &[&str]| printed(&[&["replay", &file, "--count", "-q"], more].concat()).trim().to_owned();
    let by_hand = count(&["-f", "comm=ls", "-f", "event=openat"]);
    assert_eq!((count(&["--query", "what ls opened"]), by_hand.as_str()), ("1".to_owned(), "1"));
    assert_eq!(count(&["--query", "what ls opened", "-f", "openat.retval<0"]), "0");
    let elsewhere = text(&folder.path("other.toml"));
    fs::write(&elsewhere, CASE.replace("comm=ls", "comm=id")).expect("a case");
    assert_eq!(count(&["--case", &elsewhere, "--query", "what ls opened"]), "1");
    let told = said(&["replay", &file, "--query", "what ls opend"]);
    assert!(told.contains("did you mean \"what ls opened\"?"), "{told}");
    let page = printed(&["report", &file, "--case", &case, "--query", "what ls opened", "-o", "-"]);
    assert!(page.contains("comm=ls") && page.contains("event=openat"));
}

#[test]
fn a_case_is_signed_and_what_was_changed_since_is_found() {
    let folder = Folder::new();
    let path = |name: &str| text(&folder.path(name));
    let (case, key, other) = (path("CASE.toml"), path("key"), path("other"));
    fs::write(&case, CASE).expect("a case");
    printed(&["keygen", &key]);
    printed(&["keygen", &other]);
    assert!(printed(&["case", "verify", &case]).contains("not signed"));
    let code = |arguments: &[&str]| tracer(arguments).status.code();
    assert_eq!(code(&["case", "verify", &case, "--key", &format!("{key}.pub")]), Some(1), "nobody signed it");
    assert!(printed(&["case", "sign", &case, "--sign-key", &key]).contains("CASE.toml.sig"));
    let shown = printed(&["case", "show", &case]);
    assert!(shown.contains("signed by tracer-public-key-1:") && shown.contains("what ls opened"), "{shown}");
    assert!(printed(&["case", "verify", &case, "--key", &format!("{key}.pub")]).contains("good, signed by"));
    assert_eq!(code(&["case", "verify", &case, "--key", &format!("{other}.pub")]), Some(1));
    fs::write(&case, CASE.replace("Login", "Logout")).expect("a case");
    assert_eq!(code(&["case", "verify", &case]), Some(1));
    let file = folder.capture("c.trz", id_and_ls());
    let told = said(&["replay", &file, "--query", "what ls opened"]);
    assert!(told.contains("it was changed since"), "{told}");
    printed(&["keygen", "--forward=4", &path("evolving")]);
    assert!(said(&["case", "sign", &case, "--sign-key", &path("evolving")]).contains("signs captures alone"));
}
