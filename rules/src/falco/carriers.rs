//! Types of events: which of them a condition names, and what carries them.

use std::collections::BTreeSet;

use events::catalogue;

use super::fields::Kind;
use super::parse::{Place, Tree, Value};
use crate::class::Class;

/// Types of events that a condition names.
pub fn named_types(tree: &Tree, types: &mut BTreeSet<String>) {
    match tree {
        Tree::All(parts) | Tree::Any(parts) => parts.iter().for_each(|part| named_types(part, types)),
        Tree::Not(inner) => named_types(inner, types),
        Tree::Check(check) if check.field.name == "evt.type" => {
            types.extend(check.values.iter().filter_map(|value| match value {
                Value::Text(text) => Some(text.clone()),
                Value::Field(_) => None,
            }));
        }
        Tree::Check(_) => {}
    }
}

pub fn first_place(tree: &Tree) -> Option<&Place> {
    match tree {
        Tree::All(parts) | Tree::Any(parts) => parts.iter().find_map(first_place),
        Tree::Not(inner) => first_place(inner),
        Tree::Check(check) => Some(&check.place),
    }
}

/// The rows that carry a type of event; none of those that nothing here records.
pub fn carriers(name: &str) -> Vec<(Class, Kind)> {
    match name {
        "execve" | "execveat" => vec![(Class::Exec, Kind::Exec)],
        "open" | "openat" | "openat2" | "creat" => {
            vec![(Class::Open, Kind::Opened), (Class::calls([name]), Kind::NotOpened)]
        }
        "clone" | "clone3" | "fork" | "vfork" => vec![(Class::Fork, Kind::Fork)],
        "procexit" => vec![(Class::Exit, Kind::Exit)],
        "rename" | "renameat" | "renameat2" => vec![(Class::Rename, Kind::Done)],
        "unlink" | "unlinkat" => vec![(Class::events(["security_inode_unlink"]), Kind::Done)],
        "symlink" | "symlinkat" => vec![(Class::events(["security_inode_symlink"]), Kind::Done)],
        name => match catalogue::by_name(name).filter(|event| event.is_syscall()) {
            Some(event) => vec![(Class::calls([event.name]), Kind::Call)],
            None => Vec::new(),
        },
    }
}
