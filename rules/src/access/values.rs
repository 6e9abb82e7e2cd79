//! Values of an argument, and of a part of it.

use std::net::{Ipv4Addr, Ipv6Addr};

use events::descriptor as descriptor_text;
use events::show::{self, Leaf, Out};
use events::value::strings;
use events::{ArgKind, Event, Raw};

use super::Part;
use super::texts::{assigned, path_part, variable};
use crate::form::{DescriptorFact, SocketFact, Value};

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
        (Part::Assigned(name), Raw::Bytes(text)) => {
            if let Some(value) = assigned(text, name.as_bytes()) {
                see(Value::Text(value));
            }
        }
        (Part::Login(part), Raw::Bytes(text)) => {
            if let Some(value) = part.of(text) {
                see(Value::Text(value));
            }
        }
        (Part::Account(part), Raw::Bytes(text)) => part.each_of(text, &mut |value| see(Value::Text(value))),
        (Part::Uri(part), raw) => {
            show::find(event, position, &|at| given(at, position, raw), "uri_path", &mut |leaf| {
                if let Leaf::Text(uri) = leaf
                    && let Some(text) = part.of(uri)
                {
                    see(Value::Text(text));
                }
            });
        }
        (
            Part::Joined
            | Part::At(_)
            | Part::Count
            | Part::Variable(_)
            | Part::Assigned(_)
            | Part::Login(_)
            | Part::Account(_),
            Raw::Number(_),
        ) => {}
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

/// Only the one argument is looked at.
fn given(at: usize, position: usize, raw: Raw<'_>) -> Raw<'_> {
    if at == position { raw } else { Raw::Missing }
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
