//! Fields that our own rules ask about by their meaning, whatever event has them.

use crate::form::{CapabilitySet, Field, FileFact, Leader, ProcessFact, SocketEnd, SocketFact, Who};

/// What stands before a fact says whose it is.
const WHOSE: [(&str, Who); 6] = [
    ("parent.", Who::PARENT),
    ("grandparent.", Who::Ancestor(2)),
    ("ancestor.", Who::AnyAncestor),
    ("session_leader.", Who::Leader(Leader::Session)),
    ("group_leader.", Who::Leader(Leader::Group)),
    ("entry_leader.", Who::Leader(Leader::Entry)),
];

const OF_PROCESSES: [(&str, ProcessFact); 30] = [
    ("exe", ProcessFact::Exe),
    ("name", ProcessFact::Name),
    ("comm", ProcessFact::Comm),
    ("command_line", ProcessFact::CommandLine),
    ("argv", ProcessFact::Args),
    ("argc", ProcessFact::ArgCount),
    ("env", ProcessFact::Env),
    ("cwd", ProcessFact::WorkingDirectory),
    ("uid", ProcessFact::Uid),
    ("gid", ProcessFact::Gid),
    ("euid", ProcessFact::Euid),
    ("egid", ProcessFact::Egid),
    ("suid", ProcessFact::Suid),
    ("sgid", ProcessFact::Sgid),
    ("cap", ProcessFact::Capabilities(CapabilitySet::Effective)),
    ("capPermitted", ProcessFact::Capabilities(CapabilitySet::Permitted)),
    ("user", ProcessFact::UserName),
    ("pid", ProcessFact::Pid),
    ("process", ProcessFact::Entity),
    ("age_ns", ProcessFact::Age),
    ("session", ProcessFact::Session),
    ("pgrp", ProcessFact::Group),
    ("tty", ProcessFact::TerminalName),
    ("interactive", ProcessFact::Interactive),
    ("loginuid", ProcessFact::LoginUid),
    ("login", ProcessFact::LoginName),
    ("entry_type", ProcessFact::EntryType),
    ("from_upper_layer", ProcessFact::FromUpperLayer),
    ("from_lower_layer", ProcessFact::FromLowerLayer),
    ("from_memfd", ProcessFact::FromMemfd),
];

/// Of the process itself those that no filter of `-f` has already.
const OF_ACTOR: [&str; 18] = [
    "exe",
    "command_line",
    "argv",
    "argc",
    "env",
    "cwd",
    "user",
    "process",
    "age_ns",
    "session",
    "pgrp",
    "tty",
    "interactive",
    "loginuid",
    "login",
    "from_upper_layer",
    "from_lower_layer",
    "from_memfd",
];

const OTHERS: [(&str, Field); 15] = [
    ("exe.name", Field::actor(ProcessFact::Name)),
    ("path", Field::File(FileFact::Path)),
    ("path.name", Field::File(FileFact::Name)),
    ("path.directory", Field::File(FileFact::Directory)),
    ("path.extension", Field::File(FileFact::Extension)),
    ("path.passed", Field::File(FileFact::Passed)),
    ("path.old", Field::File(FileFact::OldPath)),
    ("path.old.name", Field::File(FileFact::OldName)),
    ("remote.address", Field::Socket(SocketEnd::Remote, SocketFact::Address)),
    ("remote.port", Field::Socket(SocketEnd::Remote, SocketFact::Port)),
    ("local.address", Field::Socket(SocketEnd::Local, SocketFact::Address)),
    ("local.port", Field::Socket(SocketEnd::Local, SocketFact::Port)),
    ("initiated", Field::Socket(SocketEnd::Either, SocketFact::Initiated)),
    ("event", Field::Event),
    ("text", Field::AnyText),
];

/// The field of this name.
pub fn field(name: &str) -> Option<Field> {
    if let Some((_, field)) = OTHERS.iter().find(|(known, _)| *known == name) {
        return Some(field.clone());
    }
    if let Some(variable) = name.strip_prefix("env.").filter(|it| !it.is_empty()) {
        return Some(Field::Variable(variable.into()));
    }
    let fact = |name: &str| OF_PROCESSES.iter().find(|(known, _)| *known == name).map(|(_, fact)| *fact);
    let whose = WHOSE.iter().find_map(|(prefix, who)| Some((name.strip_prefix(prefix)?, *who)));
    match whose {
        Some((name, who)) => fact(name).map(|fact| Field::Process(who, fact)),
        None => fact(name).filter(|_| OF_ACTOR.contains(&name)).map(Field::actor),
    }
}

/// All names, for messages.
pub fn all() -> Vec<String> {
    let of_others = WHOSE
        .iter()
        .flat_map(|(prefix, _)| OF_PROCESSES.iter().map(move |(name, _)| format!("{prefix}{name}")));
    let others: Vec<&str> = OTHERS.iter().map(|(name, _)| *name).collect();
    let own = OF_ACTOR.iter().copied().chain(others).map(str::to_owned);
    own.chain(["env.NAME".to_owned()]).chain(of_others).collect()
}
