//! The columns that there are: names, widths and what kind of thing each shows; and lists of them as users write them.

use std::fmt;

use events::{Event, Set};
use pipeline::EventView;

/// One thing that is shown of an event.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Column {
    Time,
    Scopes,
    Host,
    Uts,
    Container,
    ContainerName,
    Image,
    Pod,
    MntNs,
    PidNs,
    NetNs,
    Uid,
    User,
    Gid,
    Euid,
    Cap,
    Cwd,
    Session,
    Tty,
    LoginUid,
    Comm,
    Exe,
    Pid,
    Tid,
    Ppid,
    Process,
    Cpu,
    Cgroup,
    Ret,
    Errno,
    Duration,
    Event,
    Syscall,
    Parent,
    Ancestors,
    Marks,
    Args,
    /// An argument: of one event (`openat.pathname`), or of each that has one of this name (`args.pathname`).
    Argument {
        event: Option<&'static str>,
        name: String,
    },
}

/// What is the same for all rows of a column.
#[derive(Debug)]
pub struct Shape {
    pub name: &'static str,
    /// Above the rows of a table.
    pub header: &'static str,
    /// Characters that the header takes, and that cells take. A longer one pushes the rest to the right.
    pub header_width: usize,
    pub width: usize,
    pub is_right: bool,
    /// For help: what it shows.
    pub what: &'static str,
}

const fn shape(name: &'static str, header: &'static str, width: usize, what: &'static str) -> Shape {
    Shape { name, header, header_width: width, width, is_right: false, what }
}

/// The columns of which there is one each, in the order in which help lists them.
const FIXED: &[(Column, Shape)] = &[
    (Column::Time, shape("time", "TIME", 16, "when, by the clock of --utc or --relative")),
    (Column::Scopes, shape("scopes", "SCOPES", 17, "the mask of the scopes that it matches, in hex")),
    (Column::Host, shape("host", "HOST", 16, "the recorded host")),
    (
        Column::Uts,
        Shape { header_width: 17, ..shape("uts", "UTS_NAME", 16, "the node name that the task saw") },
    ),
    (Column::Container, shape("container", "CONTAINER_ID", 13, "the first 12 digits of the container's id")),
    (Column::ContainerName, shape("container_name", "CONTAINER", 16, "the container's name")),
    (Column::Image, shape("image", "IMAGE", 16, "the container's image")),
    (Column::Pod, shape("pod", "POD", 24, "the pod, as NAMESPACE/NAME")),
    (Column::MntNs, shape("mnt_ns", "MNT_NS", 12, "the mount namespace")),
    (Column::PidNs, shape("pid_ns", "PID_NS", 12, "the pid namespace")),
    (Column::NetNs, shape("net_ns", "NET_NS", 12, "the network namespace")),
    (Column::Uid, shape("uid", "UID", 6, "the user's number")),
    (Column::User, shape("user", "USER", 12, "the user's name when recording began, else the number")),
    (Column::Gid, shape("gid", "GID", 6, "the group's number")),
    (Column::Euid, shape("euid", "EUID", 6, "the effective user's number")),
    (Column::Cap, shape("cap", "CAPABILITIES", 24, "the effective capabilities")),
    (Column::Cwd, shape("cwd", "CWD", 24, "the working directory")),
    (Column::Session, shape("session", "SESSION", 7, "the session, by its leader's pid")),
    (Column::Tty, shape("tty", "TTY", 8, "the controlling terminal")),
    (Column::LoginUid, shape("loginuid", "LOGINUID", 8, "who logged in")),
    (Column::Comm, shape("comm", "COMM", 16, "the task's name")),
    (Column::Exe, shape("exe", "EXE", 24, "the path of the executable")),
    (
        Column::Pid,
        shape("pid", "PID", 7, "the process; with containers as the container and as the host see it"),
    ),
    (Column::Tid, shape("tid", "TID", 7, "the thread")),
    (Column::Ppid, shape("ppid", "PPID", 7, "the parent")),
    (Column::Process, shape("process", "PROCESS", 24, "PID@START, as the filters pid and tree take it")),
    (Column::Cpu, shape("cpu", "CPU", 3, "the processor")),
    (Column::Cgroup, shape("cgroup", "CGROUP", 10, "the id of the cgroup")),
    (Column::Ret, shape("ret", "RET", 16, "the result")),
    (Column::Errno, shape("errno", "ERRNO", 12, "the name of the error of a failed call")),
    (
        Column::Duration,
        shape("duration", "DURATION", 10, "how long the call took, in seconds (record --timing)"),
    ),
    (Column::Event, shape("event", "EVENT", 25, "the event's name")),
    (Column::Syscall, shape("syscall", "SYSCALL", 16, "the call that it is, or that it happened in")),
    (Column::Parent, shape("parent", "PARENT", 24, "the parent's name and pid")),
    (
        Column::Ancestors,
        shape("ancestors", "ANCESTORS", 48, "all ancestors that are known, the parent first"),
    ),
    (Column::Marks, shape("marks", "MARKS", 12, "what is said of the row: cut, late, blocked and others")),
    (Column::Args, shape("args", "ARGS", 0, "all arguments")),
];

/// What argument columns have, but for their header.
const ARGUMENT: Shape = shape("args.NAME", "", 24, "one argument; EVENT.NAME of one event only");

/// What colour says of a cell.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum Class {
    #[default]
    Plain,
    /// What is there on every row and seldom looked at.
    Quiet,
    /// Who did it.
    Who,
    /// Processes that begin and end.
    Process,
    Network,
    /// A call that failed.
    Failure,
    /// What somebody should look at: alerts, modules, privileges.
    Alert,
    /// What is missing.
    Loss,
}

impl Column {
    pub fn all() -> impl Iterator<Item = (&'static Column, &'static Shape)> {
        FIXED.iter().map(|(column, shape)| (column, shape))
    }

    pub fn shape(&self) -> &'static Shape {
        FIXED.iter().find(|(column, _)| column == self).map_or(&ARGUMENT, |(_, shape)| shape)
    }

    /// As the user writes it.
    pub fn name(&self) -> String {
        match self {
            Column::Argument { event: Some(event), name } => format!("{event}.{name}"),
            Column::Argument { event: None, name } => format!("args.{name}"),
            fixed => fixed.shape().name.to_owned(),
        }
    }

    /// A column by its name. `declared` are events that captures bring along.
    pub fn by_name(name: &str, declared: &[&'static Event]) -> Result<Column, Unknown> {
        if let Some((column, _)) = FIXED.iter().find(|(_, shape)| shape.name == name) {
            return Ok(column.clone());
        }
        let Some((event, arg)) = name.split_once('.') else { return Err(Unknown::column(name)) };
        let arg = arg.strip_prefix("args.").unwrap_or(arg);
        if event == "args" {
            let known = events::catalogue::events().chain(declared.iter().copied());
            if known.into_iter().any(|event| event.arg(arg).is_some()) {
                return Ok(Column::Argument { event: None, name: arg.to_owned() });
            }
            return Err(Unknown { name: name.to_owned(), why: Why::NoArgument });
        }
        let found = declared.iter().copied().find(|known| known.name == event);
        match found.or_else(|| events::catalogue::by_name(event)) {
            Some(event) if event.arg(arg).is_some() => {
                Ok(Column::Argument { event: Some(event.name), name: arg.to_owned() })
            }
            Some(event) => Err(Unknown { name: name.to_owned(), why: Why::NotOf(event) }),
            None => Err(Unknown { name: name.to_owned(), why: Why::NoEvent }),
        }
    }

    /// What colour says of this column's cell for an event.
    pub fn class(&self, event: &EventView<'_>) -> Class {
        match self {
            Column::Time | Column::Scopes | Column::MntNs | Column::PidNs | Column::NetNs => Class::Quiet,
            Column::Comm | Column::Exe => Class::Who,
            Column::Ret | Column::Errno if event.event.is_syscall() && event.ret < 0 => Class::Failure,
            Column::Event => of_event(event.event),
            Column::Marks => Class::Loss,
            _ => Class::Plain,
        }
    }
}

fn of_event(event: &Event) -> Class {
    let is = |set| event.sets.has(set);
    if is(Set::Signatures) || is(Set::SecurityAlert) || is(Set::SystemModule) {
        Class::Alert
    } else if is(Set::ProcLife) || event.name.starts_with("sched_process_") {
        Class::Process
    } else if is(Set::Net) || is(Set::NetworkEvents) {
        Class::Network
    } else {
        Class::Plain
    }
}

/// Reads a list of columns. A list that begins with `+` or `-` changes `default`: `+exe,-uid`. What is added goes before
/// the arguments, which end a line.
pub fn parse(text: &str, default: &[Column], declared: &[&'static Event]) -> Result<Vec<Column>, Unknown> {
    let is_change = text.starts_with(['+', '-']);
    let mut columns = if is_change { default.to_vec() } else { Vec::new() };
    for item in text.split(',').map(str::trim) {
        if let Some(name) = item.strip_prefix('-') {
            let column = Column::by_name(name, declared)?;
            columns.retain(|known| *known != column);
            continue;
        }
        let column = Column::by_name(item.strip_prefix('+').unwrap_or(item), declared)?;
        match columns.last() {
            Some(Column::Args) if is_change => columns.insert(columns.len() - 1, column),
            _ => columns.push(column),
        }
    }
    if columns.is_empty() { Err(Unknown { name: text.to_owned(), why: Why::Nothing }) } else { Ok(columns) }
}

/// A name that is no column, and what was meant, perhaps.
#[derive(Debug)]
pub struct Unknown {
    name: String,
    why: Why,
}

#[derive(Debug)]
enum Why {
    NoColumn,
    NoEvent,
    NoArgument,
    NotOf(&'static Event),
    Nothing,
}

impl Unknown {
    fn column(name: &str) -> Unknown {
        Unknown { name: name.to_owned(), why: Why::NoColumn }
    }
}

impl fmt::Display for Unknown {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let name = &self.name;
        match self.why {
            Why::NoColumn => {
                let known: Vec<_> = Column::all().map(|(_, shape)| shape.name).collect();
                write!(
                    out,
                    "no column {name:?}; there are {}, args.NAME and EVENT.NAME (openat.pathname)",
                    known.join(", ")
                )
            }
            Why::NoEvent => write!(out, "{name:?} is no column: there is no such event"),
            Why::NoArgument => write!(out, "{name:?} is no column: no event has such an argument"),
            Why::NotOf(event) => {
                let args: Vec<_> = event.args.iter().map(|arg| arg.name).collect();
                write!(out, "{name:?} is no column: the arguments of {} are {}", event.name, args.join(", "))
            }
            Why::Nothing => write!(out, "{name:?} leaves no column"),
        }
    }
}

impl std::error::Error for Unknown {}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(text: &str) -> String {
        let default = [Column::Time, Column::Uid, Column::Comm, Column::Args];
        match parse(text, &default, &[]) {
            Ok(columns) => columns.iter().map(Column::name).collect::<Vec<_>>().join(","),
            Err(error) => error.to_string(),
        }
    }

    #[test]
    fn a_list_stands_for_itself_and_signs_change_the_default() {
        assert_eq!(names("time,host,comm,event,args"), "time,host,comm,event,args");
        assert_eq!(names("+exe,-uid"), "time,comm,exe,args");
        assert_eq!(names("+parent,+ancestors"), "time,uid,comm,parent,ancestors,args");
        assert_eq!(names("openat.args.pathname, args.fd"), "openat.pathname,args.fd");
    }

    #[test]
    fn what_is_no_column_is_told_what_is_one() {
        for (text, said) in [
            ("tiem", "there are time, scopes"),
            ("opnat.pathname", "no such event"),
            ("openat.path", "arguments of openat are dirfd, pathname"),
            ("args.nothing", "no event has"),
            ("-time,-uid,-comm,-args", "leaves no column"),
        ] {
            assert!(names(text).contains(said), "{text}: {}", names(text));
        }
    }

    #[test]
    fn every_column_has_a_name_and_says_what_it_shows() {
        for (column, shape) in Column::all() {
            assert_eq!(Column::by_name(shape.name, &[]).ok().as_ref(), Some(column));
            assert!(!shape.what.is_empty() && shape.width >= shape.header.len() || *column == Column::Args);
        }
    }
}
