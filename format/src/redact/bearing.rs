//! What a stored value may say of what a rule is about: decided here for every kind of argument and every subject, with
//! nothing left to a default. What is not known may say anything.

use events::{ArgKind, Event, Source, StructKind, variants};

use super::rule::Subject;
use crate::schema::FIRST_FOREIGN_ID;

/// How a stored value is taken apart.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub(super) enum Form {
    /// 64 bits, or numbers in a fixed layout.
    Numbers,
    Descriptor,
    Text(TextIs),
    Strings(StringsAre),
    Sockaddr,
    Packet,
    /// Bytes that a task read, wrote or sent.
    Buffer,
    /// Names one after the other: a directory, mounts, attributes.
    Listing,
    /// Messages with their addresses and control data.
    Messages,
    /// `uname`'s answer.
    NodeNames,
    /// What was handed to a driver or protocol: addresses, names of interfaces, routes.
    Request,
    /// Members and lists; `foreign` where the program does not know the event.
    Tree {
        foreign: bool,
    },
    /// Nobody knows how it reads.
    Unknown,
}

/// What a text is, by the name of its argument.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub(super) enum TextIs {
    Path,
    /// The path of a cgroup holds the ids and names of containers and pods.
    Cgroup,
    Comm,
    Host,
    Address,
    /// The path or name of a unix socket is an address too.
    Socket,
    /// What kind a descriptor is of, and no more: `pipe:[4711]`.
    Kind,
    User,
    Container,
    /// A value in a request: a mount's option, a description of a key.
    Value,
    /// An argument of an event that the program does not know.
    Foreign,
}

#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub(super) enum StringsAre {
    Argv,
    Env,
    Hosts,
    /// Names of extended attributes.
    Names,
    Foreign,
}

/// What a value may say of a subject.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Bearing {
    /// Nothing.
    Never,
    /// The value is of the subject, whole or in parts that are known: a glob is held against each.
    Is,
    /// Somewhere inside; a glob is looked for there.
    Holds,
    /// Somewhere inside, in a form that a glob cannot be looked for.
    Hides,
}

/// How an argument's value is taken apart, and of a variant where that part begins. `number` gives the number in the argument at a position.
pub(super) fn form(event: &Event, position: usize, number: &dyn Fn(usize) -> u64) -> (Form, usize) {
    let Some(arg) = event.args.get(position) else { return (Form::Unknown, 0) };
    match arg.kind {
        // Nobody knows that such a value begins with a number.
        ArgKind::Any(_) if event.id.0 >= FIRST_FOREIGN_ID => (Form::Unknown, 0),
        ArgKind::Any(selector) => {
            let selected = number(usize::from(selector)) as u32;
            let form = match variants::kind(event.id, position, selected) {
                Some(kind) => of_variant(event, selected, kind),
                None => Form::Unknown,
            };
            (form, 8)
        }
        kind => (of_kind(event, arg.name, kind), 0),
    }
}

pub(super) fn of_kind(event: &Event, name: &str, kind: ArgKind) -> Form {
    if event.id.0 >= FIRST_FOREIGN_ID {
        return of_foreign(kind);
    }
    match kind {
        ArgKind::I32
        | ArgKind::U32
        | ArgKind::I64
        | ArgKind::U64
        | ArgKind::U16
        | ArgKind::U8
        | ArgKind::Bool
        | ArgKind::Pointer
        | ArgKind::Absent
        | ArgKind::Bits(_) => Form::Numbers,
        ArgKind::Fd => Form::Descriptor,
        ArgKind::Str | ArgKind::Text(_) => Form::Text(text_is(event.name, name)),
        ArgKind::StrArray | ArgKind::StrList(_) => Form::Strings(match name {
            "envp" | "env" => StringsAre::Env,
            "src_dns" | "dst_dns" => StringsAre::Hosts,
            "argv" | "args" => StringsAre::Argv,
            _ => StringsAre::Names,
        }),
        ArgKind::Bytes(_) if matches!(event.source, Source::Packet) => Form::Packet,
        ArgKind::Bytes(_) if matches!(event.name, "statmount" | "listmount") => Form::Listing,
        ArgKind::Bytes(_) if matches!(event.name, "setsockopt" | "getsockopt" | "ioctl") => Form::Request,
        ArgKind::Bytes(_) | ArgKind::Iovec(_) => Form::Buffer,
        ArgKind::Dirents(_) => Form::Listing,
        ArgKind::Sockaddr(_) => Form::Sockaddr,
        ArgKind::Struct(of) | ArgKind::Sized(of, _) | ArgKind::Array(of, _) | ArgKind::Indirect(of, _) => {
            of_structure(of)
        }
        ArgKind::Msghdr | ArgKind::Mmsghdr(_) => Form::Messages,
        // Resolved by what selects it; one that stands alone cannot be.
        ArgKind::Any(_) => Form::Unknown,
        ArgKind::Tree => Form::Tree { foreign: false },
    }
}

/// Of an event that the program does not know, texts can be told from numbers, and no more.
fn of_foreign(kind: ArgKind) -> Form {
    match kind {
        ArgKind::Str | ArgKind::Text(_) => Form::Text(TextIs::Foreign),
        ArgKind::StrArray | ArgKind::StrList(_) => Form::Strings(StringsAre::Foreign),
        ArgKind::Tree => Form::Tree { foreign: true },
        kind if kind.is_number() && kind != ArgKind::Fd => Form::Numbers,
        _ => Form::Unknown,
    }
}

/// What `ioctl`, `fcntl`, `prctl` and their kin point to.
fn of_variant(event: &Event, selected: u32, kind: ArgKind) -> Form {
    const PR_SET_NAME: u32 = 15;
    const PR_GET_NAME: u32 = 16;
    match kind {
        ArgKind::Str | ArgKind::Text(_) => Form::Text(match (event.name, selected) {
            ("prctl", PR_SET_NAME | PR_GET_NAME) => TextIs::Comm,
            _ => TextIs::Value,
        }),
        ArgKind::Bytes(_) => Form::Request,
        other => of_kind(event, "", other),
    }
}

/// Names of the program's own events say what their texts are.
fn text_is(event: &str, name: &str) -> TextIs {
    match name {
        "old_name" | "new_name" if event == "task_rename" => TextIs::Comm,
        "name" if matches!(event, "sethostname" | "setdomainname") => TextIs::Host,
        "src" | "dst" if event.starts_with("net_") => TextIs::Address,
        "cgroup_path" => TextIs::Cgroup,
        _ if name == "comm" || name.ends_with("_comm") => TextIs::Comm,
        _ if event == "fsconfig" || event == "keyctl" || event.ends_with("_key") => TextIs::Value,
        _ => TextIs::Path,
    }
}

fn of_structure(kind: StructKind) -> Form {
    use StructKind as S;
    match kind {
        S::Utsname => Form::NodeNames,
        // They hold names, handles or what a driver makes of them.
        S::BpfAttr | S::FileHandle => Form::Request,
        S::Int
        | S::UInt
        | S::Long
        | S::ULong
        | S::U64
        | S::Pointer
        | S::U16
        | S::Id
        | S::FdPair
        | S::Vector
        | S::Timespec
        | S::Timeval
        | S::Timezone
        | S::Itimerspec
        | S::Itimerval
        | S::Timex
        | S::Tms
        | S::Utimbuf
        | S::Timespec32
        | S::Itimerspec32
        | S::Stat
        | S::Statx
        | S::Statfs
        | S::Ustat
        | S::OpenHow
        | S::Flock
        | S::MountAttr
        | S::XattrArgs
        | S::FileAttr
        | S::MntIdReq
        | S::NsIdReq
        | S::CachestatRange
        | S::Cachestat
        | S::PollFd
        | S::EpollEvent
        | S::Iocb
        | S::IoEvent
        | S::IoUringParams
        | S::IoSqringOffsets
        | S::IoCqringOffsets
        | S::Termios
        | S::Winsize
        | S::Rlimit
        | S::Rlimit64
        | S::Rusage
        | S::SchedParam
        | S::SchedAttr
        | S::CloneArgs
        | S::CapHeader
        | S::CapData
        | S::RobustListHead
        | S::FutexWaitv
        | S::Rseq
        | S::UserDesc
        | S::LandlockRuleset
        | S::SigSet
        | S::SigAction
        | S::SigInfo
        | S::SigStack
        | S::SigEvent
        | S::SigSetArg
        | S::Sembuf
        | S::ShmidDs
        | S::SemidDs
        | S::MsqidDs
        | S::MqAttr
        | S::Sysinfo
        | S::KexecSegment
        | S::PerfEventAttr
        | S::Linger
        | S::Ucred
        | S::SockFprog
        | S::SlimCred => Form::Numbers,
    }
}

/// Every form and every subject. A new one of either does not compile until it is decided here.
pub(super) fn bearing(form: Form, subject: Subject) -> Bearing {
    use Bearing::{Hides, Holds, Is, Never};
    use Subject as S;
    match form {
        // Their unused bytes may hold anything, so `any` looks at them as well.
        Form::Numbers => match subject {
            S::Any => Holds,
            S::Argv | S::Env | S::Paths | S::Addresses | S::Hosts => Never,
            S::Comm | S::Data | S::Users | S::Containers => Never,
        },
        Form::Descriptor => match subject {
            S::Any | S::Paths | S::Addresses => Is,
            S::Argv | S::Env | S::Hosts | S::Comm | S::Data | S::Users | S::Containers => Never,
        },
        Form::Text(is) => of_text(is, subject),
        Form::Strings(are) => match (are, subject) {
            (StringsAre::Foreign, S::Any | S::Argv | S::Env | S::Paths | S::Addresses | S::Hosts) => Is,
            (StringsAre::Foreign, S::Comm | S::Data | S::Users | S::Containers) => Is,
            (StringsAre::Argv, S::Any | S::Argv) => Is,
            (StringsAre::Env, S::Any | S::Env) => Is,
            (StringsAre::Hosts, S::Any | S::Hosts | S::Addresses) => Is,
            (StringsAre::Names, S::Any | S::Data | S::Paths | S::Argv) => Is,
            (StringsAre::Argv, S::Env | S::Paths | S::Addresses | S::Hosts) => Never,
            (StringsAre::Argv, S::Comm | S::Data | S::Users | S::Containers) => Never,
            (StringsAre::Env, S::Argv | S::Paths | S::Addresses | S::Hosts) => Never,
            (StringsAre::Env, S::Comm | S::Data | S::Users | S::Containers) => Never,
            (StringsAre::Hosts, S::Argv | S::Env | S::Paths) => Never,
            (StringsAre::Hosts, S::Comm | S::Data | S::Users | S::Containers) => Never,
            (StringsAre::Names, S::Env | S::Addresses | S::Hosts) => Never,
            (StringsAre::Names, S::Comm | S::Users | S::Containers) => Never,
        },
        // The path of a unix socket is an address and a path.
        Form::Sockaddr => match subject {
            S::Any | S::Addresses | S::Paths => Is,
            S::Argv | S::Env | S::Hosts | S::Comm | S::Data | S::Users | S::Containers => Never,
        },
        Form::Packet | Form::Messages => match subject {
            S::Any | S::Data | S::Hosts => Holds,
            S::Addresses => Is,
            S::Paths => match form {
                // A message's address may be that of a unix socket.
                Form::Messages => Is,
                _ => Never,
            },
            S::Argv | S::Env | S::Comm | S::Users | S::Containers => Never,
        },
        Form::Buffer => match subject {
            S::Any | S::Data => Holds,
            S::Argv | S::Env | S::Paths | S::Addresses | S::Hosts => Never,
            S::Comm | S::Users | S::Containers => Never,
        },
        // A listing has the last parts of paths, so a glob of whole paths says nothing of it.
        Form::Listing => match subject {
            S::Any | S::Data => Holds,
            S::Paths => Hides,
            S::Argv | S::Env | S::Addresses | S::Hosts | S::Comm | S::Users | S::Containers => Never,
        },
        Form::NodeNames => match subject {
            S::Any => Holds,
            S::Hosts => Hides,
            S::Argv | S::Env | S::Paths | S::Addresses | S::Comm | S::Data | S::Users | S::Containers => {
                Never
            }
        },
        Form::Request => match subject {
            S::Any | S::Hosts | S::Comm => Holds,
            // Addresses are binary there, and names are cut to what a driver takes.
            S::Addresses | S::Paths | S::Data => Hides,
            S::Argv | S::Env | S::Users | S::Containers => Never,
        },
        Form::Tree { foreign: false } => match subject {
            S::Any | S::Data | S::Addresses | S::Hosts | S::Paths => Holds,
            S::Argv | S::Env | S::Comm | S::Users | S::Containers => Never,
        },
        Form::Tree { foreign: true } => match subject {
            S::Any | S::Argv | S::Env | S::Paths | S::Addresses | S::Hosts => Holds,
            S::Comm | S::Data | S::Users | S::Containers => Holds,
        },
        Form::Unknown => match subject {
            S::Any => Holds,
            S::Argv | S::Env | S::Paths | S::Addresses | S::Hosts => Hides,
            S::Comm | S::Data | S::Users | S::Containers => Hides,
        },
    }
}

fn of_text(is: TextIs, subject: Subject) -> Bearing {
    use Bearing::{Holds, Is, Never};
    use Subject as S;
    match is {
        TextIs::Path => match subject {
            S::Any | S::Paths => Is,
            S::Argv | S::Env | S::Addresses | S::Hosts | S::Comm | S::Data | S::Users | S::Containers => {
                Never
            }
        },
        TextIs::Cgroup => match subject {
            S::Any | S::Paths => Is,
            S::Containers => Holds,
            S::Argv | S::Env | S::Addresses | S::Hosts | S::Comm | S::Data | S::Users => Never,
        },
        TextIs::Comm => match subject {
            S::Any | S::Comm => Is,
            S::Argv | S::Env | S::Paths | S::Addresses | S::Hosts | S::Data | S::Users | S::Containers => {
                Never
            }
        },
        TextIs::Host => match subject {
            S::Any | S::Hosts => Is,
            S::Argv | S::Env | S::Paths | S::Addresses | S::Comm | S::Data | S::Users | S::Containers => {
                Never
            }
        },
        TextIs::Address => match subject {
            S::Any | S::Addresses => Is,
            S::Argv | S::Env | S::Paths | S::Hosts | S::Comm | S::Data | S::Users | S::Containers => Never,
        },
        TextIs::Socket => match subject {
            S::Any | S::Paths | S::Addresses => Is,
            S::Argv | S::Env | S::Hosts | S::Comm | S::Data | S::Users | S::Containers => Never,
        },
        TextIs::Kind => match subject {
            S::Any => Is,
            S::Argv | S::Env | S::Paths | S::Addresses | S::Hosts => Never,
            S::Comm | S::Data | S::Users | S::Containers => Never,
        },
        TextIs::User => match subject {
            S::Any | S::Users => Is,
            S::Argv | S::Env | S::Paths | S::Addresses | S::Hosts => Never,
            S::Comm | S::Data | S::Containers => Never,
        },
        TextIs::Container => match subject {
            S::Any | S::Containers => Is,
            S::Argv | S::Env | S::Paths | S::Addresses | S::Hosts => Never,
            S::Comm | S::Data | S::Users => Never,
        },
        // A path, an address or a secret, as the request wants it.
        TextIs::Value => match subject {
            S::Any | S::Paths | S::Data | S::Addresses | S::Hosts => Is,
            S::Argv | S::Env | S::Comm | S::Users | S::Containers => Never,
        },
        TextIs::Foreign => match subject {
            S::Any | S::Argv | S::Env | S::Paths | S::Addresses | S::Hosts => Is,
            S::Comm | S::Data | S::Users | S::Containers => Is,
        },
    }
}
