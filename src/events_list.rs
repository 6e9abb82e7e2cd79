//! `tracer events`: the catalogue.

use std::collections::BTreeMap;
use std::io::{self, BufWriter, Write};

use anyhow::{Result, bail};
use clap::{Args, ValueEnum};
use events::{Event, EventId, Origin, Set, Source, catalogue};
#[cfg(feature = "record")]
use recorder::kernel::{Kernel, KernelOptions};
use replay::render::columns::cut;
use scopes::select::is_named_only;
use serde_json::json;

use crate::outcome::Outcome;
use crate::terminal;

#[derive(Args, Debug)]
pub struct Options {
    /// Only these events
    #[arg(value_name = "EVENT")]
    names: Vec<String>,
    /// Only events of this set
    #[arg(long, short, value_name = "SET")]
    set: Option<String>,
    /// Which of them this host can record, and why not (needs root: the probes are tried)
    #[cfg(feature = "record")]
    #[arg(long)]
    available: bool,
    /// How to print it
    #[arg(long, short, value_name = "FORMAT", default_value = "text")]
    output: Format,
}

/// What this host can record, and how.
#[derive(Default)]
struct Available {
    /// Why it cannot be recorded, or with `true` what is missing of it.
    lacking: BTreeMap<EventId, (bool, String)>,
    /// Where the events of hooks come from.
    carriers: BTreeMap<EventId, String>,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug, ValueEnum)]
enum Format {
    /// For people
    Text,
    /// One JSON array
    Json,
}

pub fn run(options: &Options) -> Result<Outcome> {
    let mut out = BufWriter::new(io::stdout().lock());
    let chosen = choose(options)?;
    #[cfg(feature = "record")]
    let available = if options.available { Some(available()?) } else { None };
    #[cfg(not(feature = "record"))]
    let available: Option<Available> = None;
    match options.output {
        Format::Text => {
            for event in chosen {
                match &available {
                    Some(available) => writeln!(out, "{:<28} {}", event.name, verdict(event, available))?,
                    None => {
                        let mut line = line(event).into_bytes();
                        // Arguments of all events are for grep; of one that is named they follow.
                        cut(&mut line, terminal::width());
                        line.push(b'\n');
                        out.write_all(&line)?;
                    }
                }
                if !options.names.is_empty() && available.is_none() {
                    for (at, arg) in event.listed_args().iter().enumerate() {
                        writeln!(out, "  {:<26} {:<28} {}", arg.name, arg.ctype, whose(event, at))?;
                    }
                }
            }
        }
        Format::Json => {
            let all: Vec<_> = chosen.into_iter().map(|event| object(event, available.as_ref())).collect();
            serde_json::to_writer_pretty(&mut out, &all).map_err(io::Error::from)?;
            writeln!(out)?;
        }
    }
    out.flush()?;
    Ok(Outcome::Done)
}

fn choose(options: &Options) -> Result<Vec<&'static Event>> {
    let set = match options.set.as_deref() {
        None => None,
        Some(name) => match Set::by_name(name) {
            Some(set) => Some(set),
            None => {
                let known: Vec<_> = Set::ALL.iter().map(|set| set.name()).collect();
                bail!("no event set {name:?}; known are {}", known.join(", "))
            }
        },
    };
    for name in &options.names {
        if catalogue::by_name(name).is_none() {
            let near = scopes::diagnostic::nearest(name, catalogue::events().map(|event| event.name));
            let hint = near.map_or(String::new(), |near| format!("; did you mean {near:?}?"));
            bail!("no event {name:?}{hint}");
        }
    }
    let named =
        |event: &Event| options.names.is_empty() || options.names.iter().any(|name| name == event.name);
    let in_set = |event: &Event| set.is_none_or(|set| event.sets.has(set));
    Ok(catalogue::events().filter(|event| named(event) && in_set(event)).collect())
}

/// `openat  syscalls,fs  (dirfd int, pathname const char*, ...)`.
fn line(event: &'static Event) -> String {
    let sets: Vec<_> = event.sets.iter().map(Set::name).collect();
    let args: Vec<_> = event.listed_args().iter().map(|arg| format!("{} {}", arg.name, arg.ctype)).collect();
    let (kind, _) = source(event);
    format!("{:<28} {:<10} {:<40} ({})", event.name, kind, sets.join(","), args.join(", "))
}

/// Whose word an argument is, for people.
pub fn whose(event: &Event, position: usize) -> &'static str {
    match event.origin(position) {
        Origin::Caller if event.is_filled(position) => "the kernel's, in memory of the caller",
        Origin::Caller => "the caller's",
        Origin::Descriptor => "the caller's number, the kernel's file",
        Origin::Kernel => "the kernel's",
    }
}

/// Loads the probes and takes them away again.
#[cfg(feature = "record")]
fn available() -> Result<Available> {
    // Named, or those that cost much would not be tried.
    let events = catalogue::events().map(|event| event.id).collect();
    let kernel = Kernel::load(&KernelOptions { events: Some(events), ..KernelOptions::default() })?;
    let carriers = kernel.carriers().map(|(event, way, instead_of)| {
        let why = instead_of.map_or(String::new(), |why| format!(" (stand-in: {why})"));
        (event, format!("{way}{why}"))
    });
    Ok(Available {
        lacking: kernel.unavailable().iter().map(|it| (it.event, (it.in_part, it.reason.clone()))).collect(),
        carriers: carriers.collect(),
    })
}

/// `yes` and by what, or `no:` and the reason. A derived event is as available as what it is derived from.
fn verdict(event: &Event, available: &Available) -> String {
    let bases = match event.source {
        Source::Derived { from } => from.iter().filter_map(|name| catalogue::by_name(name)).collect(),
        _ => vec![event],
    };
    match bases.iter().find_map(|base| available.lacking.get(&base.id)) {
        Some((false, reason)) => return format!("no: {reason}"),
        Some((true, reason)) => return format!("yes: {reason}"),
        None => {}
    }
    let named = if is_named_only(event.id) { ", when --events names it" } else { "" };
    match available.carriers.get(&event.id) {
        Some(carrier) => format!("yes: {carrier}{named}"),
        None => format!("yes{named}"),
    }
}

fn object(event: &'static Event, available: Option<&Available>) -> serde_json::Value {
    let sets: Vec<_> = event.sets.iter().map(Set::name).collect();
    let args = event.listed_args().iter().enumerate();
    let args: Vec<_> = args
        .map(|(at, arg)| json!({"name": arg.name, "type": arg.ctype, "origin": event.origin(at).name()}))
        .collect();
    let (kind, detail) = source(event);
    let mut object = json!({"id": event.id.0, "name": event.name, "source": kind, "from": detail, "sets": sets, "args": args});
    if let Some(available) = available {
        let verdict = verdict(event, available);
        object["available"] = json!(verdict.starts_with("yes"));
        object["reason"] = json!(verdict.strip_prefix("no: "));
        object["by"] = json!(available.carriers.get(&event.id));
        object["named_only"] = json!(is_named_only(event.id));
    }
    object
}

/// Where an event comes from, in a word, and the kernel's or catalogue's names for that.
pub fn source(event: &Event) -> (&'static str, Vec<String>) {
    match event.source {
        Source::Syscall(numbers) => {
            let numbers = [("x86_64", numbers.x86_64), ("i386", numbers.i386), ("aarch64", numbers.aarch64)];
            let known = numbers.into_iter().filter_map(|(arch, number)| Some(format!("{arch}:{}", number?)));
            ("syscall", known.collect())
        }
        Source::Tracepoint(name) => ("tracepoint", vec![name.to_owned()]),
        Source::Hook { hook, stand_in } => {
            ("hook", std::iter::once(&hook).chain(stand_in).map(|name| (*name).to_owned()).collect())
        }
        Source::Packet => ("packet", Vec::new()),
        Source::Exit { of } => ("exit", of.iter().map(|name| (*name).to_owned()).collect()),
        Source::Unsupported(why) => ("none", vec![why.to_owned()]),
        Source::Derived { from } => ("derived", from.iter().map(|name| (*name).to_owned()).collect()),
        Source::Recorder => ("recorder", Vec::new()),
    }
}
