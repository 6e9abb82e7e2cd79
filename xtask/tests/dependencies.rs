//! What the workspace declares is used: a dependency that nobody has is one that somebody would still review.

use std::fs;
use std::path::Path;

#[test]
fn every_dependency_of_the_workspace_has_a_user() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    let manifest = fs::read_to_string(root.join("Cargo.toml")).unwrap();
    let (_, declared) = manifest.split_once("[workspace.dependencies]").unwrap();
    let (declared, rest) = declared.split_once("\n[").unwrap();
    let names: Vec<&str> = declared
        .lines()
        .filter(|line| line.starts_with(|first: char| first.is_ascii_alphabetic()))
        .map(|line| line.split([' ', '=']).next().unwrap_or_default())
        .collect();
    assert!(names.len() > 30, "the list was not read: {names:?}");
    let mut users = rest.to_owned();
    for folder in fs::read_dir(&root).unwrap().flatten() {
        users.push_str(&fs::read_to_string(folder.path().join("Cargo.toml")).unwrap_or_default());
    }
    let is_used = |name: &&&str| {
        users.lines().any(|line| {
            line.strip_prefix(**name)
                .is_some_and(|rest| rest.starts_with(".workspace") || rest.contains("workspace = true"))
        })
    };
    let unused: Vec<_> = names.iter().filter(|name| !is_used(name)).collect();
    assert!(unused.is_empty(), "declared in Cargo.toml, and used by no crate: {unused:?}");
}
