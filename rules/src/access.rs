//! Where an event keeps what a field means.

use std::net::{Ipv4Addr, Ipv6Addr};

use events::show::{self, Leaf, Out};
use events::value::strings;
use events::{ArgKind, Event, Raw};

use crate::class::Class;
use crate::form::{ContainerFact, Field, FileFact, ProcessFact, SocketEnd, SocketFact, Value, Who};

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

fn socket(event: &'static Event, class: &Class, end: SocketEnd, fact: SocketFact) -> Option<Access> {
    let is_accept = *class == Class::Accept;
    match fact {
        SocketFact::Initiated => return Some(Access::Fixed(if is_accept { "false" } else { "true" }.into())),
        SocketFact::Protocol => {
            return Some(Access::Argument { position: event.arg("protocol")?.0, part: Part::Whole });
        }
        // Names come from DNS answers, which are not kept beside connections yet.
        SocketFact::HostName => return None,
        SocketFact::Address | SocketFact::Port => {}
    }
    let remote: &[&str] = &["remote_addr", "addr", "dst"];
    let local: &[&str] = &["local_addr"];
    let names = match (end, is_accept) {
        (SocketEnd::Local, _) | (SocketEnd::Source, false) | (SocketEnd::Destination, true) => local,
        _ => remote,
    };
    let position = names.iter().find_map(|name| event.arg(name))?.0;
    let part = if fact == SocketFact::Address { Part::Address } else { Part::Port };
    Some(Access::Argument { position, part })
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
        (Part::Joined | Part::At(_) | Part::Count, Raw::Number(_)) => {}
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
