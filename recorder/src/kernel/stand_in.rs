//! Hooks that this kernel does not carry, told from the system calls that did the thing.
//!
//! Where the call's own arguments say what the hook would have said, its record is given a second time under the hook's
//! name, when the call succeeded: marked as a stand-in, in the same context and at the same time. What only the kernel
//! knows (which file an open really opened) the programs record themselves.

use events::{ArgKind, Event, EventId, Marks, Raw, Source, catalogue, marks::PARTIAL_PATH};

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
    /// Always the same.
    Always(u8),
    /// A number in the structure that an argument points to: its offset and bytes, of which 4 are signed.
    Field {
        arg: u8,
        at: u8,
        bytes: u8,
    },
    /// 1 when the argument points to something, else 0.
    Given(u8),
    /// How the handler in a `struct sigaction` is one: default, ignored, or a function.
    Method(u8),
    /// The name of the call.
    Name(&'static str),
    Nothing,
}

/// Of which results of a call a rule speaks.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum When {
    Succeeded,
    Failed,
    /// Any but these errors: they come before the kernel gets to the hook, others after it.
    Reached(&'static [i32]),
    /// It succeeded, or failed with one of these errors, which come after the hook.
    SucceededOr(&'static [i32]),
    /// It succeeded, and the argument at this position points to something.
    Gives(u8),
    /// Rights to memory were asked for, in the argument at this position: to execute, and with `true` to write as well.
    Executable(u8, bool),
}

/// What a rule asks of a call's arguments besides.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Given {
    Anything,
    /// The argument at this position has none of these bits.
    Lacks(u8, u64),
    /// It is this.
    Is(u8, u64),
    /// It is the mode of a device, a FIFO or a socket.
    Special(u8),
    /// The first is the number of an operation, and the argument at this position has none of these bits.
    OperationLacks(u64, u8, u64),
}

/// One hook's event as one call gives it.
#[derive(Clone, Debug)]
pub struct StandIn {
    pub event: &'static Event,
    /// For each of the event's arguments.
    pub args: Vec<From>,
    when: When,
    given: Given,
}

/// Arguments of hooks that are paths; the kernel's own hooks have them absolute.
const PATHS: &[&str] = &["old_path", "new_path", "pathname", "file_name", "linkpath", "path", "mountpoint"];

/// A hook's event, the call (or other hook) that stands in, and the hook's arguments by the call's. `=` is the result,
/// `#2` the number, `act@8` the 8 bytes at offset 8 of what it points to (`act@0:4`: 4 of them), `act?` whether it
/// points to something, `act!` the method of a handler.
struct Rule {
    event: &'static str,
    call: &'static str,
    args: &'static [(&'static str, &'static str)],
    when: When,
    given: Given,
    /// What the hook tells and the call does not, in words for people; empty where there is nothing.
    lacks: &'static str,
}

const fn rule(
    event: &'static str,
    call: &'static str,
    args: &'static [(&'static str, &'static str)],
) -> Rule {
    Rule { event, call, args, when: When::Succeeded, given: Given::Anything, lacks: "" }
}

impl Rule {
    const fn when(self, when: When) -> Rule {
        Rule { when, ..self }
    }

    const fn given(self, given: Given) -> Rule {
        Rule { given, ..self }
    }

    const fn lacks(self, lacks: &'static str) -> Rule {
        Rule { lacks, ..self }
    }
}

const EPERM: i32 = 1;
const ENOENT: i32 = 2;
const E2BIG: i32 = 7;
const EBADF: i32 = 9;
const EAGAIN: i32 = 11;
const EACCES: i32 = 13;
const EFAULT: i32 = 14;
const EBUSY: i32 = 16;
const ENOTDIR: i32 = 20;
const EINVAL: i32 = 22;
const ENAMETOOLONG: i32 = 36;
const ELOOP: i32 = 40;
const ENOTSOCK: i32 = 88;
const EAFNOSUPPORT: i32 = 97;

/// A socket is found and its address read before the hook; whatever comes of it (`EINPROGRESS`, `ECONNREFUSED`), after.
const ADDRESSED: When = When::Reached(&[EBADF, EFAULT, EINVAL, ENOTSOCK]);
const ON_SOCKET: When = When::Reached(&[EBADF, ENOTSOCK]);
const NEW_SOCKET: When = When::Reached(&[EAFNOSUPPORT, EINVAL]);

/// Speaks for what an io_uring did.
const COMPLETION: &str = "io_uring_complete";
const OPENED: &[(&str, &str)] = &[
    ("pathname", "opened"),
    ("flags", "op_flags"),
    ("dev", "dev"),
    ("inode", "inode"),
    ("ctime", "ctime"),
    ("syscall_pathname", "pathname"),
];
const REFUSED: &str = "opens into a ring's table of files, and those that fail after the hook";

const AT_REMOVEDIR: u64 = 0x200;
const CLOCK_REALTIME: u64 = 0;

const OF_PROGRAMS: &str =
    "the interpreter that loads a program and programs that are refused after the hook (`ENOEXEC`)";
const RENAMES: &str = "renames that are refused after the hook; of an exchange, the second of both";
const NAMES: &str = "names that the hook itself or the file system refuses";
const ACCEPTS: &str = "accepts that wait still when the recording ends";
const OF_KERNEL: &str = "sockets of the kernel itself";
const SOCKET_FILES: &str = "files of unix sockets, which `bind` makes; names that the file system refuses";
const INVALID: &str = "calls that end in `EINVAL`, which may come before the hook or after it";
const TRUNCATES: &str = "`ftruncate`, opens with `O_TRUNC`, and truncations that the file system refuses";
const CLOCKS: &str = "`stime` and `clock_settime` of 32-bit programs, and steps by `adjtimex`";
const PROTECTS: &str = "changes that the hook itself refuses";

const RENAME: &[(&str, &str)] = &[("old_path", "oldpath"), ("new_path", "newpath")];
const UNLINK: &[(&str, &str)] = &[("pathname", "pathname")];
const MKNOD: &[(&str, &str)] = &[("file_name", "pathname"), ("mode", "mode"), ("dev", "dev")];
const SYMLINK: &[(&str, &str)] = &[("linkpath", "linkpath"), ("target", "target")];
const SOCKET: &[(&str, &str)] =
    &[("family", "domain"), ("type", "type"), ("protocol", "protocol"), ("kern", "#0")];
const ACCEPT: &[(&str, &str)] = &[("sockfd", "sockfd")];
const ACCEPTED: &[(&str, &str)] = &[("sockfd", "sockfd"), ("remote_addr", "addr")];
const MPROTECT: &[(&str, &str)] = &[("addr", "addr"), ("len", "len"), ("prot", "prot"), ("pkey", "pkey")];

const ALERT: &[(&str, &str)] = &[("alert", "#2"), ("addr", "addr"), ("len", "len"), ("prot", "prot")];
const WRITABLE_ALERT: &[(&str, &str)] =
    &[("alert", "#3"), ("addr", "addr"), ("len", "len"), ("prot", "prot")];
const FAILED_EXEC: &[(&str, &str)] =
    &[("dirfd", "dirfd"), ("flags", "flags"), ("pathname", "pathname"), ("argv", "argv"), ("envp", "envp")];

const RULES: &[Rule] = &[
    rule("process_execute_failed", "execve", FAILED_EXEC).when(When::Failed),
    rule("process_execute_failed", "execveat", FAILED_EXEC).when(When::Failed),
    // What the rights were before, the call does not say.
    rule("mem_prot_alert", "mprotect", ALERT).when(When::Executable(2, false)),
    rule("mem_prot_alert", "pkey_mprotect", ALERT).when(When::Executable(2, false)),
    rule("mem_prot_alert", "mprotect", WRITABLE_ALERT).when(When::Executable(2, true)),
    rule("mem_prot_alert", "pkey_mprotect", WRITABLE_ALERT).when(When::Executable(2, true)),
    rule(
        "do_sigaction",
        "rt_sigaction",
        &[
            ("sig", "signum"),
            ("is_sa_initialized", "act?"),
            ("sa_flags", "act@8"),
            ("sa_mask", "act@24"),
            ("sa_handle_method", "act!"),
            ("sa_handler", "act@0"),
            ("is_old_sa_initialized", "oldact?"),
            ("old_sa_flags", "oldact@8"),
            ("old_sa_mask", "oldact@24"),
            ("old_sa_handle_method", "oldact!"),
            ("old_sa_handler", "oldact@0"),
        ],
    )
    .when(When::SucceededOr(&[EINVAL]))
    .lacks("handlers that 32-bit programs set by `signal` and `sigaction`"),
    rule(
        "security_task_setrlimit",
        "setrlimit",
        &[("resource", "resource"), ("new_rlim_cur", "rlim@0"), ("new_rlim_max", "rlim@8")],
    ),
    rule(
        "security_task_setrlimit",
        "prlimit64",
        &[("resource", "resource"), ("new_rlim_cur", "new_limit@0"), ("new_rlim_max", "new_limit@8")],
    )
    .when(When::Gives(2)),
    rule(
        "security_settime64",
        "clock_settime",
        &[("tv_sec", "tp@0"), ("tv_nsec", "tp@8"), ("tz_minuteswest", "#0"), ("tz_dsttime", "#0")],
    )
    .when(When::SucceededOr(&[EPERM]))
    .given(Given::Is(0, CLOCK_REALTIME))
    .lacks(CLOCKS),
    rule(
        "security_settime64",
        "settimeofday",
        &[("tv_sec", "tv@0"), ("tz_minuteswest", "tz@0:4"), ("tz_dsttime", "tz@4:4")],
    )
    .when(When::SucceededOr(&[EPERM]))
    .lacks(CLOCKS),
    rule("security_inode_rename", "rename", RENAME).lacks(RENAMES),
    rule("security_inode_rename", "renameat", RENAME).lacks(RENAMES),
    rule("security_inode_rename", "renameat2", RENAME).lacks(RENAMES),
    rule("security_inode_unlink", "unlink", UNLINK).lacks(NAMES),
    rule("security_inode_unlink", "unlinkat", UNLINK).given(Given::Lacks(2, AT_REMOVEDIR)).lacks(NAMES),
    rule("security_inode_mknod", "mknod", MKNOD).given(Given::Special(1)).lacks(SOCKET_FILES),
    rule("security_inode_mknod", "mknodat", MKNOD).given(Given::Special(2)).lacks(SOCKET_FILES),
    rule("security_inode_symlink", "symlink", SYMLINK).lacks(NAMES),
    rule("security_inode_symlink", "symlinkat", SYMLINK).lacks(NAMES),
    rule("security_socket_create", "socket", SOCKET).when(NEW_SOCKET).lacks(OF_KERNEL),
    rule("security_socket_create", "socketpair", SOCKET)
        .when(NEW_SOCKET)
        .lacks("the second socket of the pair"),
    rule("security_socket_listen", "listen", &[("sockfd", "sockfd"), ("backlog", "backlog")]).when(ON_SOCKET),
    rule("security_socket_connect", "connect", &[("sockfd", "sockfd"), ("remote_addr", "addr")])
        .when(ADDRESSED)
        .lacks(INVALID),
    rule("security_socket_accept", "accept", ACCEPT).when(ON_SOCKET).lacks(ACCEPTS),
    rule("security_socket_accept", "accept4", ACCEPT).when(ON_SOCKET).lacks(ACCEPTS),
    rule("security_socket_bind", "bind", &[("sockfd", "sockfd"), ("local_addr", "addr")])
        .when(ADDRESSED)
        .lacks(INVALID),
    rule(
        "security_socket_setsockopt",
        "setsockopt",
        &[("sockfd", "sockfd"), ("level", "level"), ("optname", "optname")],
    )
    .when(ON_SOCKET),
    rule(
        "security_sb_mount",
        "mount",
        &[("dev_name", "source"), ("path", "target"), ("type", "filesystemtype"), ("flags", "mountflags")],
    )
    .when(When::Reached(&[EFAULT, ENOENT, ENOTDIR, ENAMETOOLONG, ELOOP, EACCES]))
    .lacks("mounts made by `fsmount` and `move_mount`, for which the kernel has other hooks"),
    rule("security_sb_umount", "umount2", &[("mountpoint", "target"), ("flags", "flags")])
        .when(When::SucceededOr(&[EBUSY, EAGAIN])),
    rule("security_sb_umount", "umount", &[("mountpoint", "target"), ("flags", "#0")])
        .when(When::SucceededOr(&[EBUSY, EAGAIN])),
    rule("security_file_mprotect", "mprotect", MPROTECT).lacks(PROTECTS),
    rule("security_file_mprotect", "pkey_mprotect", MPROTECT).lacks(PROTECTS),
    rule("security_bpf", "bpf", &[("cmd", "cmd")])
        .when(When::Reached(&[EFAULT, EPERM, E2BIG]))
        .lacks("commands that end in `EPERM`, which comes before the hook or of it"),
    rule(
        "security_task_prctl",
        "prctl",
        &[("option", "option"), ("arg2", "arg2"), ("arg3", "arg3"), ("arg4", "arg4"), ("arg5", "arg5")],
    )
    .when(When::Reached(&[])),
    rule("socket_accept", "accept", ACCEPTED),
    rule("socket_accept", "accept4", ACCEPTED),
    rule("do_truncate", "truncate", &[("pathname", "path"), ("length", "length")]).lacks(TRUNCATES),
    rule("do_truncate", "truncate64", &[("pathname", "path"), ("length", "length")]).lacks(TRUNCATES),
    rule("inotify_watch", "inotify_add_watch", &[("pathname", "pathname")]),
    rule(
        "security_bprm_check",
        "sched_process_exec",
        &[("pathname", "pathname"), ("dev", "dev"), ("inode", "inode"), ("argv", "argv"), ("envp", "env")],
    )
    .lacks(OF_PROGRAMS),
    rule(
        "load_elf_phdrs",
        "sched_process_exec",
        &[("pathname", "pathname"), ("dev", "dev"), ("inode", "inode")],
    )
    .lacks(OF_PROGRAMS),
    rule("do_exit", "sched_process_exit", &[]),
    // What is done by way of an io_uring, by the numbers of its operations.
    rule("security_file_open", COMPLETION, OPENED).given(Given::Is(0, 18)).lacks(REFUSED),
    rule("security_file_open", COMPLETION, OPENED).given(Given::Is(0, 28)).lacks(REFUSED),
    rule("security_inode_rename", COMPLETION, &[("old_path", "pathname"), ("new_path", "new_pathname")])
        .given(Given::Is(0, 35))
        .lacks(RENAMES),
    rule("security_inode_unlink", COMPLETION, UNLINK)
        .given(Given::OperationLacks(36, 7, AT_REMOVEDIR))
        .lacks(NAMES),
    rule("security_inode_symlink", COMPLETION, &[("linkpath", "new_pathname"), ("target", "pathname")])
        .given(Given::Is(0, 38))
        .lacks(NAMES),
    rule("security_socket_connect", COMPLETION, &[("sockfd", "fd"), ("remote_addr", "addr")])
        .when(ADDRESSED)
        .given(Given::Is(0, 16))
        .lacks(INVALID),
    rule("security_socket_accept", COMPLETION, &[("sockfd", "fd")])
        .when(ON_SOCKET)
        .given(Given::Is(0, 13))
        .lacks(ACCEPTS),
    rule("security_path_notify", "inotify_add_watch", &[("pathname", "pathname"), ("mask", "mask")])
        .lacks("watches by `fanotify_mark` and `F_NOTIFY`"),
];

/// The stand-ins of a call.
pub fn of_call(call: &Event, is_wanted: impl Fn(EventId) -> bool) -> Vec<StandIn> {
    let rules = RULES.iter().filter(|rule| rule.call == call.name);
    rules
        .filter_map(|rule| {
            let event = catalogue::by_name(rule.event).filter(|event| is_wanted(event.id))?;
            let args = event.args.iter().map(|arg| from(rule, arg.name, call)).collect();
            Some(StandIn { event, args, when: rule.when, given: rule.given })
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
            if begins_at.starts_with(b"/") || begins_at.starts_with(PARTIAL_PATH) {
                absolute.push((at, join(begins_at, path)));
            }
        }
        absolute
    }

    /// Whether a call that came to this did what the event says.
    pub fn applies(&self, args: &[Raw<'_>], ret: i64) -> bool {
        const WRITE: u64 = 2;
        const EXECUTE: u64 = 4;
        if !self.given.holds(args) {
            return false;
        }
        let is_one_of = |errors: &[i32]| errors.iter().any(|error| ret == -i64::from(*error));
        match self.when {
            When::Succeeded => ret >= 0,
            When::Failed => ret < 0,
            When::Reached(errors) => !is_one_of(errors),
            When::SucceededOr(errors) => ret >= 0 || is_one_of(errors),
            When::Gives(position) => ret >= 0 && bytes_of(args, position).is_some(),
            When::Executable(position, also_writable) => {
                let rights = match args.get(usize::from(position)) {
                    Some(Raw::Number(rights)) => *rights,
                    _ => 0,
                };
                ret >= 0 && rights & EXECUTE != 0 && (rights & WRITE != 0) == also_writable
            }
        }
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
        // What only a call can tell is no stand-in for anything.
        let stand_in = if matches!(self.event.source, Source::Exit { .. }) { 0 } else { Marks::STAND_IN };
        let mut filled = Marks(marks.0 & !OF_ARGUMENTS | stand_in);
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
                        Some((_, path)) => {
                            if path.starts_with(PARTIAL_PATH) {
                                filled = filled.partial_arg(position);
                            }
                            Raw::Bytes(path)
                        }
                        None => as_kind(arg.kind, args.get(theirs).copied().unwrap_or(Raw::Missing)),
                    }
                }
                From::Result => Raw::Number(ret as u64),
                From::Always(number) => Raw::Number(u64::from(*number)),
                From::Field { arg, at, bytes } => field(args, *arg, *at, *bytes),
                From::Given(arg) => Raw::Number(matches!(bytes_of(args, *arg), Some([_, ..])).into()),
                From::Method(arg) => match field(args, *arg, 0, 8) {
                    Raw::Number(handler) => Raw::Number(handler.min(2)),
                    raw => raw,
                },
                From::Name(name) => Raw::Bytes(name.as_bytes()),
                From::Nothing => Raw::Missing,
            };
        }
        filled
    }
}

impl Given {
    fn holds(self, args: &[Raw<'_>]) -> bool {
        const S_IFMT: u64 = 0o170_000;
        const S_IFREG: u64 = 0o100_000;
        let number = |position: u8| match args.get(usize::from(position)) {
            Some(Raw::Number(number)) => *number,
            _ => 0,
        };
        match self {
            Given::Anything => true,
            Given::Lacks(position, bits) => number(position) & bits == 0,
            Given::Is(position, value) => number(position) == value,
            Given::OperationLacks(operation, position, bits) => {
                number(0) == operation && number(position) & bits == 0
            }
            Given::Special(position) => !matches!(number(position) & S_IFMT, 0 | S_IFREG),
        }
    }
}

/// What is left out of an event where a call stands in for its hook: the call, the arguments that it does not say, and
/// what else is missing, in words; in the order of the rules.
pub fn left_out(event: &Event) -> impl Iterator<Item = (&'static str, Vec<&'static str>, &'static str)> {
    let of_event = RULES.iter().filter(move |rule| rule.event == event.name);
    of_event.filter_map(|rule| {
        let call = catalogue::by_name(rule.call)?;
        let listed = event.listed_args().iter().map(|arg| arg.name);
        let unsaid = listed.filter(|name| from(rule, name, call) == From::Nothing);
        Some((rule.call, unsaid.collect(), rule.lacks))
    })
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

fn bytes_of<'a>(args: &[Raw<'a>], position: u8) -> Option<&'a [u8]> {
    match args.get(usize::from(position)) {
        Some(Raw::Bytes(bytes)) => Some(bytes),
        _ => None,
    }
}

/// A number in the structure that an argument points to.
fn field<'a>(args: &[Raw<'a>], position: u8, at: u8, bytes: u8) -> Raw<'a> {
    let Some(rest) = bytes_of(args, position).and_then(|all| all.get(usize::from(at)..)) else {
        return Raw::Missing;
    };
    let number = match bytes {
        4 => rest.first_chunk().map(|word| i64::from(i32::from_le_bytes(*word)) as u64),
        _ => rest.first_chunk().map(|word| u64::from_le_bytes(*word)),
    };
    number.map_or(Raw::Missing, Raw::Number)
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
        Some((_, theirs)) if theirs.starts_with('#') => {
            theirs.get(1..).and_then(|number| number.parse().ok()).map_or(From::Nothing, From::Always)
        }
        Some((_, theirs)) => {
            let (name, what) = parts(theirs);
            let Some((position, known)) = call.arg(name) else { return From::Nothing };
            let at = position as u8;
            match what.split_at_checked(1) {
                Some(("?", _)) => From::Given(at),
                Some(("!", _)) => From::Method(at),
                Some(("@", place)) => {
                    let (offset, bytes) = place.split_once(':').unwrap_or((place, "8"));
                    From::Field {
                        arg: at,
                        at: offset.parse().unwrap_or(0),
                        bytes: bytes.parse().unwrap_or(8),
                    }
                }
                _ if (call.is_syscall() || call.name == COMPLETION)
                    && known.kind == ArgKind::Str
                    && PATHS.contains(&arg) =>
                {
                    let before = position.checked_sub(1).and_then(|before| call.args.get(before));
                    let has_dirfd = before.is_some_and(|before| before.kind == ArgKind::Fd);
                    From::Path { at, has_dirfd: has_dirfd && call.name != "inotify_add_watch" }
                }
                _ => From::Arg(at),
            }
        }
        None if arg == Event::CALLER && call.is_syscall() => From::Name(call.name),
        None if arg == Event::CALLER => call.caller().map_or(From::Nothing, |at| From::Arg(at as u8)),
        None => From::Nothing,
    }
}

/// The name of a call's argument, and what of it is meant.
fn parts(theirs: &str) -> (&str, &str) {
    theirs.split_at(theirs.find(['@', '?', '!']).unwrap_or(theirs.len()))
}

/// The calls whose records are read as this event.
pub fn calls(event: &Event) -> Vec<&'static str> {
    RULES.iter().filter(|rule| rule.event == event.name).map(|rule| rule.call).collect()
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
                let is_known =
                    *theirs == "=" || theirs.starts_with('#') || call.arg(parts(theirs).0).is_some();
                let is_of_family = matches!(*theirs, "pkey" | "dirfd" | "flags");
                assert!(is_known || is_of_family, "{} has no argument {theirs}", rule.call);
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
        let mut own = [Raw::Missing; 3];
        stand_in.fill(&args, &absolute, 0, Marks(0), &mut own);
        let call = Raw::Bytes(b"renameat");
        assert_eq!(own, [Raw::Bytes(b"/home/u/old"), Raw::Bytes(b"/srv/new"), call]);
        // Where the directory is not known, the path stays as the call had it.
        let absolute = stand_in.absolute(&args, b"");
        stand_in.fill(&args, &absolute, 0, Marks(0), &mut own);
        assert_eq!(own, [Raw::Bytes(b"old"), Raw::Bytes(b"/srv/new"), call]);
    }

    #[test]
    fn a_handler_that_was_set_is_read_from_its_structure() {
        let call = catalogue::by_name("rt_sigaction").expect("rt_sigaction is a call");
        let stand_ins = of_call(call, |_| true);
        let [stand_in] = stand_ins.as_slice() else { panic!("{stand_ins:?}") };
        let action: Vec<u8> =
            [1u64, 0x0400_0000, 0, 0x10].iter().flat_map(|word| word.to_le_bytes()).collect();
        let args = [Raw::Number(12), Raw::Bytes(&action), Raw::Missing, Raw::Number(8)];
        let mut own = [Raw::Missing; 11];
        stand_in.fill(&args, &[], 0, Marks(0), &mut own);
        let numbers = [12, 1, 0x0400_0000, 0x10, 1, 1].map(Raw::Number);
        assert_eq!(own[..6], numbers);
        assert_eq!(own[6..8], [Raw::Number(0), Raw::Missing]);
    }

    #[test]
    fn memory_made_executable_is_alarming_by_what_was_asked() {
        let call = catalogue::by_name("mprotect").expect("mprotect is a call");
        let alert = |protection: u64, ret: i64| {
            let args = [Raw::Number(0x1000), Raw::Number(4096), Raw::Number(protection)];
            let all = of_call(call, |event| event == catalogue::memory::MEM_PROT_ALERT);
            let stand_in = all.iter().find(|stand_in| stand_in.applies(&args, ret))?;
            let mut own = [Raw::Missing; 9];
            stand_in.fill(&args, &[], ret, Marks(0), &mut own);
            Some((own[0], own[4]))
        };
        assert_eq!(alert(5, 0), Some((Raw::Number(2), Raw::Missing)));
        assert_eq!(alert(7, 0), Some((Raw::Number(3), Raw::Missing)));
        assert_eq!(alert(3, 0), None);
        assert_eq!(alert(5, -13), None);
    }

    #[test]
    fn an_exec_that_failed_is_an_event_of_its_own() {
        let call = catalogue::by_name("execve").expect("execve is a call");
        let all = of_call(call, |event| event == catalogue::process::PROCESS_EXECUTE_FAILED);
        let [stand_in] = all.as_slice() else { panic!("{all:?}") };
        assert!(stand_in.applies(&[], -2) && !stand_in.applies(&[], 0));
        let mut own = [Raw::Missing; 5];
        let marks =
            stand_in.fill(&[Raw::Bytes(b"/no"), Raw::Missing, Raw::Missing], &[], -2, Marks(0), &mut own);
        assert_eq!((own[2], marks), (Raw::Bytes(b"/no"), Marks(0)));
    }

    #[test]
    fn a_hook_is_reached_by_calls_that_fail_after_it() {
        let told = |call: &str, args: &[Raw<'_>], ret: i64| -> bool {
            let call = catalogue::by_name(call).expect("a call");
            of_call(call, |_| true).iter().any(|stand_in| stand_in.applies(args, ret))
        };
        for (call, after, before) in [
            ("connect", &[0, -115, -111, -110, -101, -13, -11, -4][..], &[-9, -14, -22, -88][..]),
            ("bind", &[0, -98, -99, -13], &[-9, -14, -88]),
            ("accept4", &[7, -11, -22], &[-9, -88]),
            ("setsockopt", &[0, -92, -22], &[-9, -88]),
            ("mount", &[0, -1, -19, -16, -22], &[-14, -2, -20]),
            ("umount2", &[0, -16], &[-1, -22, -2]),
            ("prctl", &[0, -22, -14, -1], &[]),
            ("bpf", &[0, -2, -22], &[-14, -1, -7]),
            ("listen", &[0, -98, -95], &[-9, -88]),
        ] {
            assert!(after.iter().all(|ret| told(call, &[], *ret)), "{call} {after:?}");
            assert!(before.iter().all(|ret| !told(call, &[], *ret)), "{call} {before:?}");
        }
        // The kernel has other hooks for directories and for regular files.
        let unlinkat = |flags| told("unlinkat", &[Raw::Missing, Raw::Missing, Raw::Number(flags)], 0);
        assert!(unlinkat(0) && !unlinkat(AT_REMOVEDIR));
        let mknod = |mode| told("mknod", &[Raw::Missing, Raw::Number(mode)], 0);
        assert!(mknod(0o010_644) && mknod(0o020_600) && !mknod(0o644) && !mknod(0o100_644));
    }

    #[test]
    fn a_connect_stands_in_for_its_hook() {
        let connect = catalogue::by_name("connect").expect("connect is a call");
        let stand_ins = of_call(connect, |_| true);
        let [stand_in] = stand_ins.as_slice() else { panic!("{stand_ins:?}") };
        assert_eq!(stand_in.event.name, "security_socket_connect");
        assert_eq!(stand_in.args, [From::Arg(0), From::Arg(1), From::Name("connect")]);
        assert!(of_call(connect, |_| false).is_empty());
    }
}
