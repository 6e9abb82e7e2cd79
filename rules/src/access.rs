//! Where an event keeps what a field means.

use std::net::{Ipv4Addr, Ipv6Addr};

use events::descriptor as descriptor_text;
use events::show::{self, Leaf, Out};
use events::value::strings;
use events::{ArgKind, Context, Event, Raw};
use pipeline::Container;

use crate::class::Class;
use crate::facts::entity;
use crate::form::{
    ContainerFact, DescriptorFact, Field, FileFact, ProcessFact, SocketEnd, SocketFact, Value, Who,
};

/// How the values of a field are had of a row of an event.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub enum Access {
    /// The same for all rows.
    Fixed(Box<str>),
    /// Of an argument.
    Argument {
        position: usize,
        part: Part,
    },
    Ret,
    Outcome,
    Time,
    /// Of the context: the same for all rows that share it.
    Context(ContextPart),
    /// Of what is known of processes at that moment.
    Process(Who, ProcessFact),
    /// A variable of the process's environment, as its last exec got it.
    Variable(Box<str>),
    /// Of the first of these that has a value.
    First(Vec<Access>),
    /// Of each of these.
    Each(Vec<Access>),
}

/// What of an argument.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub enum Part {
    /// All of it: a number with its name, a text, each of a list.
    Whole,
    /// Texts of a list, joined by one blank.
    Joined,
    At(u16),
    Count,
    /// The last part of a path, what stands before it, and what follows the name's last dot.
    Name,
    Directory,
    Extension,
    /// In hexadecimal, as audit writes registers.
    Hexadecimal,
    Address,
    Port,
    /// A member, by its path.
    Member(Box<str>),
    /// The value behind `NAME=` in a list of texts.
    Variable(Box<str>),
    /// Of a descriptor.
    Descriptor(DescriptorFact),
    /// An end of the socket that a descriptor stands for.
    End {
        is_local: bool,
        fact: SocketFact,
    },
}

#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum ContextPart {
    Exe,
    ExeName,
    Comm,
    Uid,
    Gid,
    UserName,
    Pid,
    NsPid,
    Entity,
    ParentPid,
    ParentEntity,
    Container(ContainerFact),
    Host,
}

/// Arguments that hold the path that an event is about, the best first.
const PATHS: &[&str] =
    &["new_path", "newpath", "linkpath", "pathname", "file_path", "path", "filename", "file_name", "fd"];
const OLD_PATHS: &[&str] = &["old_path", "oldpath"];
const PASSED: &[&str] = &["syscall_pathname", "newpath", "linkpath", "pathname", "path", "filename"];

/// `None`: the event does not have it.
pub fn access(event: &'static Event, class: &Class, field: &Field) -> Option<Access> {
    let argument = |name: &str, part: Part| Some(Access::Argument { position: event.arg(name)?.0, part });
    let first = |names: &[&str], part: Part| names.iter().find_map(|name| argument(name, part.clone()));
    match field {
        Field::Event => Some(Access::Fixed(event.name.into())),
        Field::Call if event.is_syscall() => Some(Access::Fixed(event.name.into())),
        Field::Call => event.caller().map(|position| Access::Argument { position, part: Part::Whole }),
        Field::Arg(name) if name.as_ref() == "audit.nametype" => {
            let removes = matches!(event.name, "security_inode_unlink" | "rmdir");
            let makes = ["mkdir", "mknod", "link", "symlink"].iter().any(|word| event.name.contains(word))
                && !event.name.contains("unlink");
            Some(Access::Fixed(
                if removes {
                    "DELETE"
                } else if makes {
                    "CREATE"
                } else {
                    "NORMAL"
                }
                .into(),
            ))
        }
        Field::Arg(name) => match name.split_once('.') {
            None => argument(name, Part::Whole),
            Some((name, member)) => argument(name, Part::Member(member.into())),
        },
        Field::Register(n) => {
            let is_call = event.is_syscall() && event.args.get(usize::from(*n))?.kind.is_number();
            is_call.then_some(Access::Argument { position: usize::from(*n), part: Part::Hexadecimal })
        }
        Field::Ret => Some(Access::Ret),
        Field::Outcome => Some(Access::Outcome),
        Field::Time => Some(Access::Time),
        Field::Process(Who::Actor, fact) => actor(event, *fact),
        Field::Process(Who::Ancestor(1), ProcessFact::Pid) => Some(Access::Context(ContextPart::ParentPid)),
        Field::Process(Who::Ancestor(1), ProcessFact::Entity) => {
            Some(Access::Context(ContextPart::ParentEntity))
        }
        Field::Process(who, fact) => Some(Access::Process(*who, *fact)),
        Field::File(fact) => match fact {
            FileFact::Path => first(PATHS, Part::Whole),
            FileFact::Name => first(PATHS, Part::Name),
            FileFact::Directory => first(PATHS, Part::Directory),
            FileFact::Extension => first(PATHS, Part::Extension),
            FileFact::OldPath => first(OLD_PATHS, Part::Whole),
            FileFact::OldName => first(OLD_PATHS, Part::Name),
            FileFact::Passed => first(PASSED, Part::Whole),
        },
        Field::Socket(end, fact) => socket(event, class, *end, *fact),
        Field::Descriptor(fact) => {
            Some(Access::Argument { position: descriptor(event)?, part: Part::Descriptor(*fact) })
        }
        Field::Variable(name) if event.name == "sched_process_exec" => {
            argument("env", Part::Variable(name.clone()))
        }
        Field::Variable(name) => Some(Access::Variable(name.clone())),
        Field::Container(fact) => Some(Access::Context(ContextPart::Container(*fact))),
        Field::Host => Some(Access::Context(ContextPart::Host)),
        Field::AnyText => argument("argv", Part::Joined).or_else(|| argument("text", Part::Whole)),
        Field::Constant(text) => Some(Access::Fixed(text.clone())),
    }
}

fn actor(event: &'static Event, fact: ProcessFact) -> Option<Access> {
    if event.name == "sched_process_exec" {
        // The process as it is after it.
        let argument = |name: &str, part: Part| Some(Access::Argument { position: event.arg(name)?.0, part });
        match fact {
            ProcessFact::Exe => return argument("pathname", Part::Whole),
            ProcessFact::Name => return argument("pathname", Part::Name),
            ProcessFact::CommandLine => return argument("argv", Part::Joined),
            ProcessFact::Args => return argument("argv", Part::Whole),
            ProcessFact::ArgAt(n) => return argument("argv", Part::At(n)),
            ProcessFact::ArgCount => return argument("argv", Part::Count),
            ProcessFact::Env => return argument("env", Part::Whole),
            _ => {}
        }
    }
    Some(Access::Context(match fact {
        ProcessFact::Exe => ContextPart::Exe,
        ProcessFact::Name => ContextPart::ExeName,
        ProcessFact::Comm => ContextPart::Comm,
        ProcessFact::Uid => ContextPart::Uid,
        ProcessFact::Gid => ContextPart::Gid,
        ProcessFact::UserName => ContextPart::UserName,
        ProcessFact::Pid => ContextPart::Pid,
        ProcessFact::NsPid => ContextPart::NsPid,
        ProcessFact::Entity => ContextPart::Entity,
        fact => return Some(Access::Process(Who::Actor, fact)),
    }))
}

/// Arguments that are the descriptor that a call is about, the best first.
const DESCRIPTORS: &[&str] = &["sockfd", "fd", "oldfd", "out_fd", "epfd"];

/// The descriptor that an event is about.
fn descriptor(event: &'static Event) -> Option<usize> {
    DESCRIPTORS.iter().find_map(|name| event.arg(name)).map(|(position, _)| position)
}

fn socket(event: &'static Event, class: &Class, end: SocketEnd, fact: SocketFact) -> Option<Access> {
    let is_accept = *class == Class::Accept || matches!(event.name, "accept" | "accept4");
    match fact {
        SocketFact::Initiated => return Some(Access::Fixed(if is_accept { "false" } else { "true" }.into())),
        SocketFact::Protocol => {
            let argument = |position, part| Access::Argument { position, part };
            return match event.arg("protocol").filter(|_| !event.is_syscall()) {
                Some((position, _)) => Some(argument(position, Part::Whole)),
                None => {
                    descriptor(event).map(|position| argument(position, Part::End { is_local: true, fact }))
                }
            };
        }
        // Names come from DNS answers, which are not kept beside connections yet.
        SocketFact::HostName => return None,
        SocketFact::Address | SocketFact::Port => {}
    }
    let is_local = match end {
        SocketEnd::Local => true,
        SocketEnd::Remote => false,
        SocketEnd::Source | SocketEnd::Client => !is_accept,
        SocketEnd::Destination | SocketEnd::Server => is_accept,
        SocketEnd::Either => {
            let ends = [SocketEnd::Remote, SocketEnd::Local];
            let ends = ends.into_iter().filter_map(|end| socket(event, class, end, fact));
            return Some(Access::Each(ends.collect())).filter(|it| *it != Access::Each(Vec::new()));
        }
    };
    let names: &[&str] =
        if is_local { &["local_addr"] } else { &["remote_addr", "addr", "dest_addr", "dst"] };
    let part = if fact == SocketFact::Address { Part::Address } else { Part::Port };
    let given = names.iter().find_map(|name| event.arg(name));
    let given = given.map(|(position, _)| Access::Argument { position, part });
    let known =
        descriptor(event).map(|position| Access::Argument { position, part: Part::End { is_local, fact } });
    match (given, known) {
        (Some(given), Some(known)) if event.is_syscall() => Some(Access::First(vec![given, known])),
        (given, known) => given.or(known),
    }
}

/// Calls `see` with each value that a part of an argument has; none when it is missing.
pub fn each_value(event: &Event, position: usize, part: &Part, raw: Raw<'_>, see: &mut dyn FnMut(Value<'_>)) {
    let Some(arg) = event.args.get(position) else { return };
    match (part, raw) {
        (_, Raw::Missing) => {}
        (Part::Whole, Raw::Bytes(text)) if arg.kind == ArgKind::Str => see(Value::Text(text)),
        (Part::Whole, Raw::Bytes(list)) if arg.kind == ArgKind::StrArray => {
            strings(list).for_each(|text| see(Value::Text(text)));
        }
        (Part::Whole, raw) => {
            show::find(event, position, &|at| given(at, position, raw), "", &mut |leaf| leaf_value(leaf, see))
        }
        (Part::Joined, Raw::Bytes(list)) => {
            let joined = strings(list).collect::<Vec<_>>().join(&b' ');
            see(Value::Text(&joined));
        }
        (Part::At(n), Raw::Bytes(list)) => {
            if let Some(text) = strings(list).nth(usize::from(*n)) {
                see(Value::Text(text));
            }
        }
        (Part::Count, Raw::Bytes(list)) => see(Value::Number(strings(list).count() as i128)),
        (Part::Name | Part::Directory | Part::Extension, raw) => {
            let path = match raw.descriptor() {
                Some((_, text)) if arg.kind == ArgKind::Fd => text,
                _ => match raw {
                    Raw::Bytes(text) => text,
                    _ => return,
                },
            };
            if let Some(text) = path_part(path, part) {
                see(Value::Text(text));
            }
        }
        (Part::Hexadecimal, raw) => {
            let number = match raw {
                Raw::Number(number) => Some(number),
                raw if arg.kind == ArgKind::Fd => raw.descriptor().map(|(number, _)| number),
                _ => None,
            };
            if let Some(number) = number {
                see(Value::Text(format!("{number:x}").as_bytes()));
            }
        }
        (Part::Address, raw) => {
            for member in ["sin_addr", "sin6_addr"] {
                show::find(event, position, &|at| given(at, position, raw), member, &mut |leaf| {
                    leaf_value(leaf, see)
                });
            }
        }
        (Part::Port, raw) => {
            for member in ["sin_port", "sin6_port"] {
                show::find(event, position, &|at| given(at, position, raw), member, &mut |leaf| {
                    leaf_value(leaf, see)
                });
            }
        }
        (Part::Member(member), raw) => {
            show::find(event, position, &|at| given(at, position, raw), member, &mut |leaf| {
                leaf_value(leaf, see)
            });
        }
        (Part::Variable(name), Raw::Bytes(list)) => variable(list, name, see),
        (Part::Descriptor(fact), raw) => {
            if let Some((number, text)) = raw.descriptor() {
                descriptor_value(number, text, *fact, see);
            }
        }
        (Part::End { is_local, fact }, raw) => {
            if let Some((_, text)) = raw.descriptor() {
                end_value(text, *is_local, *fact, see);
            }
        }
        (Part::Joined | Part::At(_) | Part::Count | Part::Variable(_), Raw::Number(_)) => {}
    }
}

fn descriptor_value(number: u64, text: &[u8], fact: DescriptorFact, see: &mut dyn FnMut(Value<'_>)) {
    let is_socket = descriptor_text::is_socket(text);
    let is_path = text.starts_with(b"/");
    let kind = || -> Option<(&'static str, &'static str)> {
        let is = |prefix: &str| text.starts_with(prefix.as_bytes());
        Some(match () {
            () if is_path => ("file", "f"),
            () if is("unix") => ("unix", "u"),
            () if is("netlink") => ("netlink", "n"),
            () if is_socket => {
                let is_six = text.contains(&b'[');
                if is_six { ("ipv6", "6") } else { ("ipv4", "4") }
            }
            () if is("pipe:") => ("pipe", "p"),
            () if is("memfd:") => ("memfd", "m"),
            () if is("anon_inode:[eventfd]") => ("event", "e"),
            () if is("anon_inode:[signalfd]") => ("signalfd", "s"),
            () if is("anon_inode:[timerfd]") => ("timerfd", "t"),
            () if is("anon_inode:[eventpoll]") => ("eventpoll", "l"),
            () if is("anon_inode:inotify") => ("inotify", "i"),
            () if is("anon_inode:") => ("other", "o"),
            () => return None,
        })
    };
    let mut word = |word: Option<&str>| {
        if let Some(word) = word {
            see(Value::Text(word.as_bytes()));
        }
    };
    match fact {
        // Numbers that are negative come as the register held them.
        DescriptorFact::Number => see(Value::Number((number as i32).into())),
        DescriptorFact::Type => word(kind().map(|(name, _)| name)),
        DescriptorFact::TypeLetter => word(kind().map(|(_, letter)| letter)),
        DescriptorFact::SocketFamily => {
            word(is_socket.then(|| if text.starts_with(b"unix") { "unix" } else { "ip" }));
        }
        DescriptorFact::Name if is_socket => {
            if let Some(at) = text.iter().position(|byte| *byte == b' ') {
                let ends = text.get(at + 1..).unwrap_or_default();
                see(Value::Text(ends.strip_prefix(b"->").unwrap_or(ends)));
            }
        }
        DescriptorFact::Name if !text.is_empty() => see(Value::Text(text)),
        DescriptorFact::Directory | DescriptorFact::FileName if is_path => {
            let part = if fact == DescriptorFact::Directory { Part::Directory } else { Part::Name };
            if let Some(text) = path_part(text, &part) {
                see(Value::Text(text));
            }
        }
        DescriptorFact::Name | DescriptorFact::Directory | DescriptorFact::FileName => {}
    }
}

fn end_value(text: &[u8], is_local: bool, fact: SocketFact, see: &mut dyn FnMut(Value<'_>)) {
    if fact == SocketFact::Protocol {
        if descriptor_text::is_socket(text) {
            see(Value::Text(text.split(|byte| *byte == b' ').next().unwrap_or_default()));
        }
        return;
    }
    let Some(ends) = descriptor_text::ends(text) else { return };
    let end = if is_local { Some(ends.local) } else { ends.remote };
    // `10.0.0.1:4242`, `[::1]:80`; an end of a unix socket is neither.
    let end = end.and_then(|end| std::str::from_utf8(end).ok());
    let Some((address, port)) = end.and_then(|end| end.rsplit_once(':')) else { return };
    match fact {
        SocketFact::Address => {
            let address = address.trim_start_matches('[').trim_end_matches(']');
            if address.parse::<std::net::IpAddr>().is_ok() {
                see(Value::Text(address.as_bytes()));
            }
        }
        SocketFact::Port => {
            if let Ok(port) = port.parse::<u16>() {
                see(Value::Number(port.into()));
            }
        }
        SocketFact::Protocol | SocketFact::Initiated | SocketFact::HostName => {}
    }
}

/// An image without its tag and digest: `ghcr.io/x/web` of `ghcr.io/x/web:1.27@sha256:...`.
fn repository(image: &str) -> &str {
    let image = image.split('@').next().unwrap_or(image);
    match image.rsplit_once(':') {
        // A colon before the last slash is that of a registry's port.
        Some((name, tag)) if !tag.contains('/') => name,
        _ => image,
    }
}

/// The value of a variable in a list of `NAME=value`.
pub fn variable(list: &[u8], name: &str, see: &mut dyn FnMut(Value<'_>)) {
    let value = |text: &[u8]| -> Option<usize> {
        let rest = text.strip_prefix(name.as_bytes())?.strip_prefix(b"=")?;
        Some(text.len() - rest.len())
    };
    if let Some(text) = strings(list).find(|text| value(text).is_some()) {
        see(Value::Text(value(text).and_then(|at| text.get(at..)).unwrap_or_default()));
    }
}

/// A row, and what it is known by itself: everything but what is known of processes over time.
pub trait OfRow {
    fn event(&self) -> &'static Event;
    fn arg(&self, position: usize) -> Raw<'_>;
    fn ret(&self) -> i64;
    /// Wall clock, ns since the epoch.
    fn wall_ns(&self) -> i64;
    /// Boot clock, ns.
    fn time_ns(&self) -> u64;
    fn context(&self) -> &Context<'_>;
    fn container(&self) -> Option<&Container>;
    fn host(&self) -> &str;
}

/// Calls `see` with each value that a field has in a row by itself.
pub fn each_own_value(access: &Access, row: &impl OfRow, see: &mut dyn FnMut(Value<'_>)) {
    match access {
        Access::Fixed(text) => see(Value::Text(text.as_bytes())),
        Access::Argument { position, part } => {
            each_value(row.event(), *position, part, row.arg(*position), see)
        }
        Access::Ret => see(Value::Number(row.ret().into())),
        Access::Outcome => {
            let name = events::consts::errno::of_result(row.ret());
            see(Value::Text(name.unwrap_or("SUCCESS").as_bytes()));
        }
        Access::Time => see(Value::Number(row.wall_ns().into())),
        Access::Context(ContextPart::Host) => see(Value::Text(row.host().as_bytes())),
        Access::Context(ContextPart::Container(fact)) => {
            if let Some(container) = row.container() {
                container_value(container, *fact, row.time_ns(), see);
            }
        }
        Access::Context(part) => context_value(row.context(), *part, see),
        Access::First(all) => {
            let mut any = false;
            for access in all.iter() {
                if !any {
                    each_own_value(access, row, &mut |value| {
                        any = true;
                        see(value);
                    });
                }
            }
        }
        Access::Each(all) => all.iter().for_each(|access| each_own_value(access, row, see)),
        // What is known of processes is not the row's own.
        Access::Process(..) | Access::Variable(_) => {}
    }
}

pub fn container_value(
    container: &Container,
    fact: ContainerFact,
    time_ns: u64,
    see: &mut dyn FnMut(Value<'_>),
) {
    let text = match fact {
        ContainerFact::Id => &container.id,
        ContainerFact::Name => &container.name,
        ContainerFact::Image => &container.image,
        ContainerFact::PodName => &container.pod_name,
        ContainerFact::PodNamespace => &container.pod_namespace,
        ContainerFact::Repository => {
            let name = repository(&container.image);
            if !name.is_empty() {
                see(Value::Text(name.as_bytes()));
            }
            return;
        }
        ContainerFact::Started => {
            if container.started_by(time_ns) {
                see(Value::Text(b"true"));
            }
            return;
        }
    };
    if !text.is_empty() {
        see(Value::Text(text.as_bytes()));
    }
}

pub fn context_value(context: &Context<'_>, part: ContextPart, see: &mut dyn FnMut(Value<'_>)) {
    let mut text = |text: &[u8]| {
        if !text.is_empty() {
            see(Value::Text(text));
        }
    };
    match part {
        ContextPart::Exe => text(context.exe),
        ContextPart::ExeName => text(path_part(context.exe, &Part::Name).unwrap_or_default()),
        ContextPart::Comm => text(context.comm),
        ContextPart::Entity => text(entity(context.pid, context.process_start_ns).as_bytes()),
        ContextPart::ParentEntity => text(entity(context.ppid, context.parent_start_ns).as_bytes()),
        ContextPart::Uid => see(Value::Number(context.uid.into())),
        ContextPart::Gid => see(Value::Number(context.gid.into())),
        ContextPart::Pid => see(Value::Number(context.pid.into())),
        ContextPart::NsPid => see(Value::Number(context.ns_pid.into())),
        ContextPart::ParentPid => see(Value::Number(context.ppid.into())),
        ContextPart::UserName | ContextPart::Container(_) | ContextPart::Host => {}
    }
}

/// Only the one argument is looked at.
fn given(at: usize, position: usize, raw: Raw<'_>) -> Raw<'_> {
    if at == position { raw } else { Raw::Missing }
}

/// A part of a path; `None` where it has none.
pub fn path_part<'a>(path: &'a [u8], part: &Part) -> Option<&'a [u8]> {
    let slash = path.iter().rposition(|byte| *byte == b'/');
    let name = slash.map_or(path, |at| path.get(at + 1..).unwrap_or_default());
    match part {
        Part::Directory => slash.map(|at| path.get(..at).unwrap_or_default()),
        Part::Extension => {
            let dot = name.iter().rposition(|byte| *byte == b'.').filter(|at| *at > 0)?;
            name.get(dot + 1..)
        }
        _ => Some(name),
    }
}

fn leaf_value(leaf: Leaf<'_>, see: &mut dyn FnMut(Value<'_>)) {
    match leaf {
        Leaf::Nothing => {}
        Leaf::Signed(number) => see(Value::Number(number.into())),
        Leaf::Unsigned(number) | Leaf::Pointer(number) => see(Value::Number(number.into())),
        Leaf::Bool(is) => see(Value::Text(if is { b"true" } else { b"false" })),
        Leaf::Descriptor(number, text) => {
            see(Value::Number(number.into()));
            if !text.is_empty() {
                see(Value::Text(text));
            }
        }
        Leaf::Text(text) | Leaf::Bytes(text) => see(Value::Text(text)),
        Leaf::Abstract(name) => see(Value::Text(&[b"@", name].concat())),
        Leaf::Word(word) => see(Value::Text(word.as_bytes())),
        // A number with names is both.
        Leaf::Named(named) => {
            see(Value::Number((named.number as i64).into()));
            see(Value::Text(named.to_string().as_bytes()));
        }
        Leaf::Ipv4(address) => see(Value::Text(Ipv4Addr::from(address).to_string().as_bytes())),
        Leaf::Ipv6(address) => see(Value::Text(Ipv6Addr::from(address).to_string().as_bytes())),
        Leaf::Hardware(_) => {
            let mut text = Words(String::new());
            if leaf.write(&mut text).is_ok() {
                see(Value::Text(text.0.as_bytes()));
            }
        }
    }
}

/// Gathers what a leaf writes of itself.
struct Words(String);

impl Out for Words {
    fn own(&mut self, text: &str) -> std::fmt::Result {
        self.0.push_str(text);
        Ok(())
    }

    fn foreign(&mut self, bytes: &[u8]) -> std::fmt::Result {
        self.0.push_str(&String::from_utf8_lossy(bytes));
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn values(event: &str, name: &str, part: Part, raw: Raw<'_>) -> Vec<String> {
        let event = events::catalogue::by_name(event).expect("an event");
        let position = event.arg(name).expect("an argument").0;
        let mut values = Vec::new();
        each_value(event, position, &part, raw, &mut |value| {
            values.push(String::from_utf8_lossy(&value.text()).into_owned());
        });
        values
    }

    #[test]
    fn arguments_of_a_command_are_joined_by_one_blank_and_kept_apart() {
        let argv = Raw::Bytes(b"sh\0-c\0echo  x\0");
        assert_eq!(values("sched_process_exec", "argv", Part::Joined, argv), ["sh -c echo  x"]);
        assert_eq!(values("sched_process_exec", "argv", Part::Whole, argv), ["sh", "-c", "echo  x"]);
        assert_eq!(values("sched_process_exec", "argv", Part::At(1), argv), ["-c"]);
        assert_eq!(values("sched_process_exec", "argv", Part::Count, argv), ["3"]);
    }

    #[test]
    fn addresses_and_ports_are_members_of_socket_addresses() {
        let address = Raw::Bytes(&[2, 0, 0x1f, 0x90, 10, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0]);
        assert_eq!(values("security_socket_connect", "remote_addr", Part::Address, address), ["10.0.0.1"]);
        assert_eq!(values("security_socket_connect", "remote_addr", Part::Port, address), ["8080"]);
    }

    #[test]
    fn paths_have_a_name_a_directory_and_an_extension() {
        let part = |path: &str, part| {
            path_part(path.as_bytes(), &part).map(|it| String::from_utf8_lossy(it).into_owned())
        };
        assert_eq!(part("/a/b.tar.gz", Part::Extension).as_deref(), Some("gz"));
        assert_eq!(part("/a/.profile", Part::Extension), None);
        assert_eq!(part("/a/b", Part::Directory).as_deref(), Some("/a"));
        assert_eq!(part("/b", Part::Directory).as_deref(), Some(""));
        assert_eq!(part("b", Part::Name).as_deref(), Some("b"));
    }
}
