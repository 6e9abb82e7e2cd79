//! Hooks that this kernel does not carry, told from the system calls that did the thing.
//!
//! Where the call's own arguments say what the hook would have said, its record is given a second time under the hook's
//! name, when the call succeeded: marked as a stand-in, in the same context and at the same time. What only the kernel
//! knows (which file an open really opened) the programs record themselves.

use events::{ArgKind, Event, EventId, Marks, Raw, Source, catalogue};

/// Where an argument of the hook's event comes from.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum From {
    /// The call's argument at this position.
    Arg(u8),
    /// The same, a path: made absolute. Where it is relative, it begins at the directory that the argument before it
    /// stands for (`dirfd`), or else where the task is.
    Path {
        at: u8,
        has_dirfd: bool,
    },
    /// The call's result.
    Result,
    /// Always 0.
    Zero,
    Nothing,
}

/// One hook's event as one call gives it.
#[derive(Clone, Debug)]
pub struct StandIn {
    pub event: &'static Event,
    /// For each of the event's arguments.
    pub args: Vec<From>,
}

/// Arguments of hooks that are paths; the kernel's own hooks have them absolute.
const PATHS: &[&str] = &["old_path", "new_path", "pathname", "file_name", "linkpath", "path", "mountpoint"];

/// A hook's event, the call (or other hook) that stands in, and the hook's arguments by the call's. `=` is the result,
/// `0` the number.
struct Rule {
    event: &'static str,
    call: &'static str,
    args: &'static [(&'static str, &'static str)],
}

const fn rule(
    event: &'static str,
    call: &'static str,
    args: &'static [(&'static str, &'static str)],
) -> Rule {
    Rule { event, call, args }
}

const RENAME: &[(&str, &str)] = &[("old_path", "oldpath"), ("new_path", "newpath")];
const UNLINK: &[(&str, &str)] = &[("pathname", "pathname")];
const MKNOD: &[(&str, &str)] = &[("file_name", "pathname"), ("mode", "mode"), ("dev", "dev")];
const SYMLINK: &[(&str, &str)] = &[("linkpath", "linkpath"), ("target", "target")];
const SOCKET: &[(&str, &str)] =
    &[("family", "domain"), ("type", "type"), ("protocol", "protocol"), ("kern", "0")];
const ACCEPT: &[(&str, &str)] = &[("sockfd", "sockfd")];
const ACCEPTED: &[(&str, &str)] = &[("sockfd", "sockfd"), ("remote_addr", "addr")];
const MPROTECT: &[(&str, &str)] = &[("addr", "addr"), ("len", "len"), ("prot", "prot"), ("pkey", "pkey")];

const RULES: &[Rule] = &[
    rule("security_inode_rename", "rename", RENAME),
    rule("security_inode_rename", "renameat", RENAME),
    rule("security_inode_rename", "renameat2", RENAME),
    rule("security_inode_unlink", "unlink", UNLINK),
    rule("security_inode_unlink", "unlinkat", UNLINK),
    rule("security_inode_mknod", "mknod", MKNOD),
    rule("security_inode_mknod", "mknodat", MKNOD),
    rule("security_inode_symlink", "symlink", SYMLINK),
    rule("security_inode_symlink", "symlinkat", SYMLINK),
    rule("security_socket_create", "socket", SOCKET),
    rule("security_socket_create", "socketpair", SOCKET),
    rule("security_socket_listen", "listen", &[("sockfd", "sockfd"), ("backlog", "backlog")]),
    rule("security_socket_connect", "connect", &[("sockfd", "sockfd"), ("remote_addr", "addr")]),
    rule("security_socket_accept", "accept", ACCEPT),
    rule("security_socket_accept", "accept4", ACCEPT),
    rule("security_socket_bind", "bind", &[("sockfd", "sockfd"), ("local_addr", "addr")]),
    rule(
        "security_socket_setsockopt",
        "setsockopt",
        &[("sockfd", "sockfd"), ("level", "level"), ("optname", "optname")],
    ),
    rule(
        "security_sb_mount",
        "mount",
        &[("dev_name", "source"), ("path", "target"), ("type", "filesystemtype"), ("flags", "mountflags")],
    ),
    rule("security_sb_umount", "umount2", &[("mountpoint", "target"), ("flags", "flags")]),
    rule("security_file_mprotect", "mprotect", MPROTECT),
    rule("security_file_mprotect", "pkey_mprotect", MPROTECT),
    rule("security_bpf", "bpf", &[("cmd", "cmd")]),
    rule(
        "security_task_prctl",
        "prctl",
        &[("option", "option"), ("arg2", "arg2"), ("arg3", "arg3"), ("arg4", "arg4"), ("arg5", "arg5")],
    ),
    rule("socket_accept", "accept", ACCEPTED),
    rule("socket_accept", "accept4", ACCEPTED),
    rule("socket_dup", "dup", &[("oldfd", "oldfd"), ("newfd", "=")]),
    rule("socket_dup", "dup2", &[("oldfd", "oldfd"), ("newfd", "=")]),
    rule("socket_dup", "dup3", &[("oldfd", "oldfd"), ("newfd", "=")]),
    rule("do_truncate", "truncate", &[("pathname", "path"), ("length", "length")]),
    rule("inotify_watch", "inotify_add_watch", &[("pathname", "pathname")]),
    rule(
        "security_bprm_check",
        "sched_process_exec",
        &[("pathname", "pathname"), ("dev", "dev"), ("inode", "inode"), ("argv", "argv"), ("envp", "env")],
    ),
    rule("do_exit", "sched_process_exit", &[]),
    rule("security_path_notify", "inotify_add_watch", &[("pathname", "pathname"), ("mask", "mask")]),
];

/// Stand-ins that are only true of sockets; the call's record does not say what its descriptor is.
const NEEDS_SOCKET: &[&str] = &["socket_dup"];

/// The stand-ins of a call.
pub fn of_call(call: &Event, is_wanted: impl Fn(EventId) -> bool) -> Vec<StandIn> {
    let rules = RULES.iter().filter(|rule| rule.call == call.name && !NEEDS_SOCKET.contains(&rule.event));
    rules
        .filter_map(|rule| {
            let event = catalogue::by_name(rule.event).filter(|event| is_wanted(event.id))?;
            let args = event.args.iter().map(|arg| from(rule, arg.name, call)).collect();
            Some(StandIn { event, args })
        })
        .collect()
}

impl StandIn {
    /// Whether relative paths of the call are made absolute.
    pub fn has_paths(&self) -> bool {
        self.args.iter().any(|from| matches!(from, From::Path { .. }))
    }

    /// The paths that are relative in the call, by the call's position, made absolute. `directory` is where the task
    /// is; empty when that is not known.
    pub fn absolute(&self, args: &[Raw<'_>], directory: &[u8]) -> Vec<(u8, Vec<u8>)> {
        let mut absolute = Vec::new();
        for from in &self.args {
            let From::Path { at, has_dirfd } = *from else { continue };
            let Some(Raw::Bytes(path)) = args.get(usize::from(at)) else { continue };
            if path.is_empty() || path.starts_with(b"/") {
                continue;
            }
            let dirfd = if has_dirfd { args.get(usize::from(at) - 1) } else { None };
            let begins_at = match dirfd.and_then(|raw| raw.descriptor()) {
                Some((number, stands_for)) if number as i32 != AT_FDCWD => stands_for,
                _ => directory,
            };
            if begins_at.starts_with(b"/") {
                absolute.push((at, join(begins_at, path)));
            }
        }
        absolute
    }

    /// The hook's arguments, from those of the call. The marks say it is one, and nothing of the call's own arguments.
    pub fn fill<'a>(
        &self,
        args: &[Raw<'a>],
        absolute: &'a [(u8, Vec<u8>)],
        ret: i64,
        marks: Marks,
        out: &mut [Raw<'a>],
    ) -> Marks {
        const OF_ARGUMENTS: u32 = 0x00ff_ff00 | Marks::FAULT | Marks::TRUNCATED | Marks::STATE_ONLY;
        let mut filled = Marks(marks.0 & !OF_ARGUMENTS | Marks::STAND_IN);
        for (position, ((from, arg), place)) in self.args.iter().zip(self.event.args).zip(out).enumerate() {
            *place = match from {
                From::Arg(theirs) | From::Path { at: theirs, .. } => {
                    let known = absolute.iter().find(|(at, _)| at == theirs);
                    let theirs = usize::from(*theirs);
                    if marks.is_lost(theirs) {
                        filled = filled.lost_arg(position);
                    }
                    if marks.is_cut(theirs) {
                        filled = filled.cut_arg(position);
                    }
                    match known {
                        Some((_, path)) => Raw::Bytes(path),
                        None => as_kind(arg.kind, args.get(theirs).copied().unwrap_or(Raw::Missing)),
                    }
                }
                From::Result => Raw::Number(ret as u64),
                From::Zero => Raw::Number(0),
                From::Nothing => Raw::Missing,
            };
        }
        filled
    }
}

const AT_FDCWD: i32 = -100;

/// A relative path behind the directory that it begins at. What it goes up or stays at first is taken away, for the
/// directory is the kernel's own path; further on, a name may be a link.
fn join(directory: &[u8], path: &[u8]) -> Vec<u8> {
    let mut directory = directory.strip_suffix(b"/").unwrap_or(directory);
    let mut rest = path;
    loop {
        let (name, after) = match rest.iter().position(|byte| *byte == b'/') {
            Some(slash) => (rest.get(..slash), rest.get(slash + 1..)),
            None => (Some(rest), None),
        };
        match name {
            Some(b"" | b".") => {}
            Some(b"..") => {
                let parent = directory.iter().rposition(|byte| *byte == b'/').unwrap_or(0);
                directory = directory.get(..parent).unwrap_or_default();
            }
            _ => break,
        }
        rest = after.unwrap_or_default();
        if after.is_none() {
            break;
        }
    }
    if rest.is_empty() {
        return if directory.is_empty() { b"/".to_vec() } else { directory.to_vec() };
    }
    [directory, b"/", rest].concat()
}

/// A value as another kind stores it.
fn as_kind(kind: ArgKind, raw: Raw<'_>) -> Raw<'_> {
    match raw {
        // A number that may be a pointer: its 8 bytes, then what it points to.
        Raw::Bytes(_) if kind == ArgKind::Fd => raw,
        Raw::Bytes(bytes) if kind.is_number() => {
            bytes.first_chunk().map_or(Raw::Missing, |number| Raw::Number(u64::from_le_bytes(*number)))
        }
        Raw::Number(_) if !kind.is_number() => Raw::Missing,
        raw => raw,
    }
}

fn from(rule: &Rule, arg: &str, call: &Event) -> From {
    match rule.args.iter().find(|(name, _)| *name == arg) {
        Some((_, "=")) => From::Result,
        Some((_, "0")) => From::Zero,
        Some((_, name)) => match call.arg(name) {
            Some((position, theirs))
                if call.is_syscall() && theirs.kind == ArgKind::Str && PATHS.contains(&arg) =>
            {
                let before = position.checked_sub(1).and_then(|before| call.args.get(before));
                let has_dirfd = before.is_some_and(|before| before.kind == ArgKind::Fd);
                From::Path { at: position as u8, has_dirfd: has_dirfd && call.name != "inotify_add_watch" }
            }
            Some((position, _)) => From::Arg(position as u8),
            None => From::Nothing,
        },
        None => From::Nothing,
    }
}

/// Whether any call stands in for this event.
pub fn covers(event: &Event) -> bool {
    !NEEDS_SOCKET.contains(&event.name)
        && matches!(event.source, Source::Hook { .. } | Source::Exit { .. })
        && RULES.iter().any(|rule| rule.event == event.name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_rule_names_events_and_arguments_that_exist() {
        for rule in RULES {
            let event = catalogue::by_name(rule.event).unwrap_or_else(|| panic!("no event {}", rule.event));
            let call = catalogue::by_name(rule.call).unwrap_or_else(|| panic!("no call {}", rule.call));
            for (ours, theirs) in rule.args {
                assert!(event.arg(ours).is_some(), "{} has no argument {ours}", rule.event);
                // Not every call of a family has every argument (`mprotect` has no key).
                let is_known = matches!(*theirs, "=" | "0") || call.arg(theirs).is_some();
                assert!(is_known || *theirs == "pkey", "{} has no argument {theirs}", rule.call);
            }
        }
    }

    #[test]
    fn a_relative_path_begins_at_its_directory() {
        for (directory, path, joined) in [
            ("/home/u", "a", "/home/u/a"),
            ("/home/u", "./a/../b", "/home/u/a/../b"),
            ("/home/u", "../../x", "/x"),
            ("/home/u", "../../../x", "/x"),
            ("/home/u", "..", "/home"),
            ("/", "a", "/a"),
            ("/", "..", "/"),
            ("/home", ".//a/", "/home/a/"),
        ] {
            let found = join(directory.as_bytes(), path.as_bytes());
            assert_eq!(String::from_utf8_lossy(&found), joined, "{directory} {path}");
        }
    }

    #[test]
    fn a_rename_stands_in_with_both_paths_absolute() {
        let renameat = catalogue::by_name("renameat").expect("renameat is a call");
        let stand_ins = of_call(renameat, |_| true);
        let [stand_in] = stand_ins.as_slice() else { panic!("{stand_ins:?}") };
        let dirfd = [&7_u64.to_le_bytes()[..], b"/srv"].concat();
        let here = AT_FDCWD as i64 as u64;
        let args = [Raw::Number(here), Raw::Bytes(b"old"), Raw::Bytes(&dirfd), Raw::Bytes(b"new")];
        let absolute = stand_in.absolute(&args, b"/home/u");
        let mut own = [Raw::Missing; 2];
        stand_in.fill(&args, &absolute, 0, Marks(0), &mut own);
        assert_eq!(own, [Raw::Bytes(b"/home/u/old"), Raw::Bytes(b"/srv/new")]);
        // Where the directory is not known, the path stays as the call had it.
        let absolute = stand_in.absolute(&args, b"");
        stand_in.fill(&args, &absolute, 0, Marks(0), &mut own);
        assert_eq!(own, [Raw::Bytes(b"old"), Raw::Bytes(b"/srv/new")]);
    }

    #[test]
    fn a_connect_stands_in_for_its_hook() {
        let connect = catalogue::by_name("connect").expect("connect is a call");
        let stand_ins = of_call(connect, |_| true);
        let [stand_in] = stand_ins.as_slice() else { panic!("{stand_ins:?}") };
        assert_eq!(stand_in.event.name, "security_socket_connect");
        assert_eq!(stand_in.args, [From::Arg(0), From::Arg(1)]);
        assert!(of_call(connect, |_| false).is_empty());
    }
}
