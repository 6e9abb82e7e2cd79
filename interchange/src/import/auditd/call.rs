//! A system call, put together from its records.

use events::catalogue::{self, Arch};
use events::{ArgKind, Event};
use replay::import::Line;
use serde_json::{Map, Value, json};

use super::record::{Record, Stamp};
use super::{paths, task};
use crate::import::row::{argument, exec, exit, row, text_of};

/// Strings of one `execve` that are kept: more than the kernel takes in most settings.
const STRINGS: usize = 65_536;
/// Bit of a number that says that it is x32's.
const X32: u32 = 0x4000_0000;

/// The architecture and the call of a `SYSCALL` record; `None` for those that the catalogue does not have.
fn declared(record: &Record) -> Option<(Arch, &'static Event)> {
    let arch = match record.hex("arch")? {
        0xc000_003e => Arch::X86_64,
        0x4000_0003 => Arch::I386,
        0xc000_00b7 => Arch::Aarch64,
        _ => return None,
    };
    let number = u32::try_from(record.number("syscall")?).ok()? & !X32;
    Some((arch, catalogue::syscall(arch, number)?))
}

/// The events of a call: the call, and the exec or exit that it was. `None` where it is none that the catalogue has.
pub fn events(stamp: &Stamp, call: &Record, records: &[Record]) -> Option<Result<Vec<Line>, String>> {
    let (arch, event) = declared(call)?;
    Some(told(stamp, call, records, arch, event))
}

fn told(
    stamp: &Stamp,
    call: &Record,
    records: &[Record],
    arch: Arch,
    event: &'static Event,
) -> Result<Vec<Line>, String> {
    let task = task(stamp, call);
    // A call that never came back has no result: exit_group.
    let ret = match call.field("exit").and_then(|text| text.word()) {
        None => 0,
        Some(word) => {
            word.parse().map_err(|_| format!("exit={word} is no number: a log that was interpreted?"))?
        }
    };
    let (args, marks) = arguments(event, call, records);
    let mut line = row(&task, stamp.wall_ns, event.name, ret);
    line.insert("syscall".to_owned(), event.name.into());
    line.insert("args".to_owned(), args.into());
    line.insert("marks".to_owned(), json!({ "cut": marks.cut, "unreadable": marks.unreadable }));
    if arch == Arch::I386 {
        line.insert("contextFlags".to_owned(), json!({ "isCompat": true }));
    }
    policies(&mut line, call);
    let mut lines = vec![Line::of_json(Value::Object(line))?];
    let succeeded = call.field("success").and_then(|text| text.word()) == Some("yes");
    if succeeded && matches!(event.name, "execve" | "execveat") {
        let (argv, cut) = argv(records);
        let path =
            records.iter().find(|record| record.kind == "PATH").and_then(|record| record.bytes("name"));
        let exe = task.exe.as_str().unwrap_or_default();
        let mut line = exec(&task, stamp.wall_ns, exe, argv);
        // By which name it was called: the executable is what that led to.
        if let (Some(path), Some(cmdpath)) = (path, line.get_mut("args").and_then(|args| args.get_mut(0))) {
            *cmdpath = argument("cmdpath", "const char*", text_of(&path));
        }
        if cut {
            line.insert("marks".to_owned(), json!({ "cut": ["argv"] }));
        }
        policies(&mut line, call);
        lines.push(Line::of_json(Value::Object(line))?);
    }
    if event.name == "exit_group" {
        let code = call.hex("a0").unwrap_or(0) & 0xff;
        let mut line = exit(&task, stamp.wall_ns, code as i64, 0);
        policies(&mut line, call);
        lines.push(Line::of_json(Value::Object(line))?);
    }
    Ok(lines)
}

/// The key of the audit rule that the call was logged for is a policy that it matched.
fn policies(line: &mut Map<String, Value>, call: &Record) {
    // Several keys of one rule stand in one text with a 1 byte between them.
    let keys = call.bytes("key").unwrap_or_default();
    let keys = keys.split(|byte| *byte == 1).filter(|key| !key.is_empty()).map(text_of);
    line.insert("matchedPolicies".to_owned(), keys.collect());
}

#[derive(Default)]
struct MarkedArgs {
    cut: Vec<&'static str>,
    unreadable: Vec<&'static str>,
}

fn arguments(event: &'static Event, call: &Record, records: &[Record]) -> (Vec<Value>, MarkedArgs) {
    let names: Vec<&'static str> = event.listed_args().iter().map(|arg| arg.name).collect();
    let looked_up = paths::arguments(event.name, &names, records);
    let mut marks = MarkedArgs::default();
    let mut args = Vec::new();
    for (position, declared) in event.listed_args().iter().enumerate() {
        // The record has the first four registers.
        let register = call.hex(&format!("a{position}"));
        let path = looked_up.iter().find(|(name, _)| *name == declared.name);
        let value = match declared.kind {
            ArgKind::StrArray if declared.name == "argv" => {
                let (argv, cut) = argv(records);
                if cut {
                    marks.cut.push(declared.name);
                }
                Some(argv).filter(|argv| !argv.is_null())
            }
            ArgKind::Sockaddr(_) => address(records),
            _ => path.and_then(|(_, record)| record.bytes("name")).map(|name| text_of(&name)),
        };
        let value = match (value, register) {
            (Some(value), _) => value,
            (None, None) => continue,
            (None, Some(register)) if declared.kind.is_number() => number(declared.kind, register),
            (None, Some(0)) => Value::Null,
            // What it points to is not in the log.
            (None, Some(register)) => {
                marks.unreadable.push(declared.name);
                register.into()
            }
        };
        args.push(argument(declared.name, declared.ctype, value));
    }
    (args, marks)
}

/// A register as the argument is: the record has it as it was, without a sign.
fn number(kind: ArgKind, register: u64) -> Value {
    match kind {
        ArgKind::I32 | ArgKind::Fd => (register as u32 as i32).into(),
        kind if kind.is_signed() => (register as i64).into(),
        ArgKind::U32 => (register as u32).into(),
        _ => register.into(),
    }
}

/// The arguments of an `execve`, and whether some are missing. Long ones come in parts: `a1[0]`, `a1[1]`.
fn argv(records: &[Record]) -> (Value, bool) {
    let execs = || records.iter().filter(|record| record.kind == "EXECVE");
    let Some(count) = execs().find_map(|record| record.number("argc")) else { return (Value::Null, false) };
    let count = usize::try_from(count).unwrap_or(0);
    let mut strings: Vec<Option<Vec<u8>>> = vec![None; count.min(STRINGS)];
    for (name, text) in execs().flat_map(|record| &record.fields) {
        let Some(rest) = name.strip_prefix('a') else { continue };
        let (number, part) = rest.split_once('[').map_or((rest, false), |(number, _)| (number, true));
        let Some(string) = number.parse().ok().and_then(|at: usize| strings.get_mut(at)) else { continue };
        let bytes = text.decoded().unwrap_or_else(|| text.as_written().to_vec());
        match string {
            Some(known) if part => known.extend(bytes),
            _ => *string = Some(bytes),
        }
    }
    let is_cut = count > STRINGS || strings.iter().any(Option::is_none);
    let known = strings.into_iter().take_while(Option::is_some).flatten();
    (known.map(|string| text_of(&string)).collect(), is_cut)
}

/// The address of the first `SOCKADDR` record, with the members that a socket address is shown by.
fn address(records: &[Record]) -> Option<Value> {
    let bytes = records.iter().find(|record| record.kind == "SOCKADDR")?.bytes("saddr")?;
    let (family, rest) = bytes.split_first_chunk::<2>()?;
    let port = || rest.first_chunk::<2>().map(|port| u16::from_be_bytes(*port).to_string());
    match u16::from_le_bytes(*family) {
        1 => {
            let path = match rest {
                [0, name @ ..] => [b"@", name].concat(),
                path => path.split(|byte| *byte == 0).next().unwrap_or_default().to_vec(),
            };
            Some(json!({ "sa_family": "AF_UNIX", "sun_path": text_of(&path) }))
        }
        2 => {
            let address = std::net::Ipv4Addr::from(*rest.get(2..6)?.first_chunk::<4>()?);
            Some(json!({ "sa_family": "AF_INET", "sin_port": port()?, "sin_addr": address.to_string() }))
        }
        10 => {
            let flow = u32::from_be_bytes(*rest.get(2..6)?.first_chunk::<4>()?);
            let address = std::net::Ipv6Addr::from(*rest.get(6..22)?.first_chunk::<16>()?);
            let scope = rest
                .get(22..26)
                .and_then(|scope| scope.first_chunk::<4>())
                .map_or(0, |scope| u32::from_le_bytes(*scope));
            Some(json!({
                "sa_family": "AF_INET6", "sin6_port": port()?, "sin6_flowinfo": flow.to_string(),
                "sin6_addr": address.to_string(), "sin6_scopeid": scope.to_string(),
            }))
        }
        other => Some(json!({ "sa_family": other })),
    }
}
