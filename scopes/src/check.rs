//! Names and types of filters against the catalogue.

use std::ops::Range;

use events::mark_names::{self, Mark};
use events::{Arg, Event};

use crate::chosen::{events_like, set_events};
use crate::diagnostic::{Diagnostic, Severity, nearest};
use crate::filter::{Declaration, Filter, Marked, Target, Value};
use crate::guess;
use crate::key::{self, Field, Key};
use crate::list;
use crate::members;
use crate::pattern::Pattern;
use crate::syntax::{self, Op, Parts, Piece};
use crate::thing::Thing;
use crate::values;
use crate::vocabulary::Vocabulary;

/// A filter's text, where it was written, and what it may name.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Site<'a> {
    pub flag: &'a str,
    pub text: &'a str,
    pub vocabulary: Vocabulary<'a>,
}

pub(crate) type Checked<T> = Result<T, Box<Diagnostic>>;

/// All that is wrong with one filter.
pub(crate) type Wrong = Vec<Diagnostic>;

impl From<Box<Diagnostic>> for Wrong {
    fn from(one: Box<Diagnostic>) -> Wrong {
        vec![*one]
    }
}

impl Site<'_> {
    pub fn message(&self, severity: Severity, span: Range<usize>, message: String) -> Diagnostic {
        Diagnostic {
            severity,
            flag: self.flag.to_owned(),
            text: self.text.to_owned(),
            span,
            message,
            suggestion: None,
            allowed: None,
        }
    }

    /// An error about `span`, with what may stand there.
    pub fn error<T>(
        &self,
        span: Range<usize>,
        message: impl Into<String>,
        allowed: impl Into<String>,
    ) -> Checked<T> {
        let error = self.message(Severity::Error, span, message.into());
        Err(Box::new(Diagnostic { allowed: Some(allowed.into()), ..error }))
    }

    /// An error about a name that is none of `known`.
    pub fn unknown<'n, T>(
        &self,
        span: Range<usize>,
        message: String,
        given: &str,
        known: impl Iterator<Item = &'n str>,
        allowed: impl Into<String>,
    ) -> Checked<T> {
        let error = self.message(Severity::Error, span, message);
        let suggestion = nearest(given, known).map(str::to_owned);
        Err(Box::new(Diagnostic { suggestion, allowed: Some(allowed.into()), ..error }))
    }

    pub fn split(&self) -> Checked<Parts<'_>> {
        syntax::split(self.text).or_else(|wrong| self.error(wrong.span, wrong.message, wrong.allowed))
    }
}

/// Checks one `-f`. What is about an event of which captures have several declarations is a filter for each.
pub(crate) fn filter(site: Site<'_>, warnings: &mut Vec<Diagnostic>) -> Result<Vec<Filter>, Wrong> {
    let parts = site.split()?;
    let scope = match &parts.scope {
        None => 1,
        Some(piece) => scope_number(&site, piece)?,
    };
    with_scope(site, scope, parts, warnings)
}

/// Checks a filter of a policy's scope, which has no number of its own.
pub(crate) fn scope_filter(
    site: Site<'_>,
    scope: u8,
    warnings: &mut Vec<Diagnostic>,
) -> Result<Vec<Filter>, Wrong> {
    let parts = unnumbered(&site)?;
    let filters = with_scope(site, scope, parts, warnings)?;
    let about_events = |filter: &&Filter| filter.target == Target::Events || filter.target.event().is_some();
    if let Some(filter) = filters.iter().find(about_events) {
        let end = filter.span.end.max(1);
        let message = "events are chosen by rules, not by the policy's scope";
        return Ok(site.error(0..end, message, "keys of processes, or global")?);
    }
    Ok(filters)
}

/// Checks a filter of a policy's rule: it constrains `event` alone.
pub(crate) fn rule_filter(
    site: Site<'_>,
    scope: u8,
    event: &'static Event,
    warnings: &mut Vec<Diagnostic>,
) -> Result<Filter, Wrong> {
    let parts = unnumbered(&site)?;
    let key = parts.key.clone();
    let target = match key.text.split_once('.') {
        None if key.text == "retval" => Target::Ret(Declaration(event)),
        None => match key::context_field(key.text) {
            Some(field) => Target::EventField(Declaration(event), field),
            None if event.arg(key.text).is_none()
                && (mark_names::by_name(key.text).is_some() || Thing::by_name(key.text).is_some()) =>
            {
                event_target(&site, event, &key)?
            }
            None => arg_or_unknown(&site, event, &key)?,
        },
        Some(_) => event_target(&site, event, &key)?,
    };
    finish(site, scope, target, parts, warnings)
}

fn unnumbered<'a>(site: &'a Site<'_>) -> Checked<Parts<'a>> {
    let parts = site.split()?;
    match &parts.scope {
        Some(piece) => site.error(
            piece.span.clone(),
            "a policy's filter has no scope number",
            "KEY OP VALUE; the policy is the scope",
        ),
        None => Ok(parts),
    }
}

fn scope_number(site: &Site<'_>, piece: &Piece<'_>) -> Checked<u8> {
    let span = piece.span.start..piece.span.end.max(1);
    match piece.text.parse::<u64>() {
        Ok(number @ 1..=64) if !piece.text.starts_with('+') => Ok(number as u8),
        Ok(number) if !(1..=64).contains(&number) => {
            site.error(span, format!("scope {number} does not exist"), "1 to 64")
        }
        Err(_) if values::number(piece.text).is_some() => {
            site.error(span, format!("scope {} does not exist", piece.text), "1 to 64")
        }
        _ => site.error(
            span,
            format!("scope {:?} is not a number", piece.text),
            "1 to 64, before the first `:`",
        ),
    }
}

fn with_scope(
    site: Site<'_>,
    scope: u8,
    parts: Parts<'_>,
    warnings: &mut Vec<Diagnostic>,
) -> Result<Vec<Filter>, Wrong> {
    let key = &parts.key;
    let target = match key.text.split_once('.') {
        Some((name, _)) => {
            let span = key.span.start..key.span.start + name.len();
            let events = guess::events_before_dot(&site, name, span)?;
            let start = key.span.start + name.len() + 1;
            let rest = Piece { text: &key.text[name.len() + 1..], span: start..key.span.end };
            let (mut filters, mut wrong) = (Vec::new(), None);
            for event in events {
                let target = event_target(&site, event, &rest).map_err(Wrong::from);
                match target.and_then(|target| finish(site, scope, target, parts.clone(), warnings)) {
                    Ok(filter) => filters.push(filter),
                    Err(error) => wrong = wrong.or(Some(error)),
                }
            }
            // A declaration that has not what is asked for has no event that passes.
            return match wrong {
                Some(wrong) if filters.is_empty() => Err(wrong),
                _ => Ok(filters),
            };
        }
        None if key.text == key::NOT_CONTAINER && parts.op == Op::Is => {
            let parts = Parts { op: Op::IsNot, ..parts };
            return Ok(vec![finish(site, scope, Target::Field(Field::Container), parts, warnings)?]);
        }
        None => match key::key(key.text) {
            Some(Key::Event | Key::Set) => Target::Events,
            Some(Key::Follow) => Target::Follow,
            Some(Key::Global) => Target::Global,
            Some(Key::Field(field)) => Target::Field(field),
            Some(Key::Thing(thing)) => Target::Thing(thing),
            Some(Key::Mark(mark)) => Target::Mark(Marked { mark, bits: mark.bits }),
            None => return Ok(guess::unknown_key(&site, key)?),
        },
    };
    Ok(vec![finish(site, scope, target, parts, warnings)?])
}

/// The events of exactly this name.
pub(crate) fn events_named(site: &Site<'_>, name: &str, span: Range<usize>) -> Checked<Vec<&'static Event>> {
    match site.vocabulary.named(name) {
        none if none.is_empty() => guess::unknown_event(site, name, span),
        events => Ok(events),
    }
}

/// What stands behind `EVENT.`
fn event_target(site: &Site<'_>, event: &'static Event, rest: &Piece<'_>) -> Checked<Target> {
    let (first, behind) = match rest.text.split_once('.') {
        Some((first, behind)) => (first, Some(behind)),
        None => (rest.text, None),
    };
    let after = || Piece {
        text: behind.unwrap_or_default(),
        span: (rest.span.start + first.len() + 1).min(rest.span.end)..rest.span.end,
    };
    // Arguments may be called like a prefix: `net_packet_tcp.data.cut`, `mount.data`, `socketcall.args`.
    if is_of_argument(event, first, behind) {
        return arg_target(site, event, rest);
    }
    match (first, behind) {
        ("retval", None) => Ok(Target::Ret(Declaration(event))),
        ("retval", Some(_)) => site.error(after().span, "nothing stands behind retval", "EVENT.retval"),
        ("args" | "data", Some(_)) => arg_target(site, event, &after()),
        ("context" | "scope", Some(name)) => match key::context_field(name) {
            // It is kept with each event, where that is no call itself.
            Some(field) => match event.caller().filter(|_| field == Field::Syscall) {
                Some(position) => {
                    Ok(Target::Arg { event: Declaration(event), position, member: String::new() })
                }
                None => Ok(Target::EventField(Declaration(event), field)),
            },
            None => {
                let allowed: Vec<&str> = key::context_field_names().collect();
                let message = format!("unknown context field {name:?}");
                site.unknown(after().span, message, name, key::context_field_names(), allowed.join(", "))
            }
        },
        (name, None) if event.arg(name).is_none() && mark_names::by_name(name).is_some() => {
            Ok(event_mark(event, name, |mark| mark.bits).unwrap_or(Target::Ret(Declaration(event))))
        }
        (name, None) if event.arg(name).is_none() && Thing::by_name(name).is_some() => {
            let thing = Thing::by_name(name).unwrap_or(Thing::File);
            if thing.places(event).is_empty() {
                let message = format!("{} names no {name}", event.name);
                let allowed = format!("{name}=VALUE for all events that name one");
                return site.error(rest.span.clone(), message, allowed);
            }
            Ok(Target::EventThing(Declaration(event), thing))
        }
        ("args" | "data" | "context" | "scope", None) => {
            let message = format!("{first} of {} without a name", event.name);
            site.error(rest.span.clone(), message, format!("{}.{first}.NAME", event.name))
        }
        _ => arg_target(site, event, rest),
    }
}

/// Whether `EVENT.first.behind` is about an argument that is called `first`, whatever else that word may introduce: it is
/// when nothing stands behind it, when that is a mark or a member of the argument's, and when the event has no argument of
/// that name which `first` could introduce.
fn is_of_argument(event: &Event, first: &str, behind: Option<&str>) -> bool {
    let Some((position, _)) = event.arg(first) else { return false };
    let Some(behind) = behind else { return true };
    let name = behind.split_once('.').map_or(behind, |(name, _)| name);
    let is_mark = ARGUMENT_MARKS.contains(&behind) && event.has_bytes(position);
    let is_member = members::of(event, position).is_some_and(|members| members.contains(behind));
    let is_introduced = match first {
        "context" | "scope" => key::context_field(behind).is_some(),
        _ => event.arg(name).is_some(),
    };
    is_mark || is_member || !is_introduced
}

/// What may stand behind an argument of text or bytes.
const ARGUMENT_MARKS: [&str; 3] = ["cut", "unreadable", "lost"];

fn arg_target(site: &Site<'_>, event: &'static Event, path: &Piece<'_>) -> Checked<Target> {
    let (name, member) = path.text.split_once('.').unwrap_or((path.text, ""));
    if let Some((position, arg)) = event.arg(name) {
        if let Some(marked) = arg_mark(site, event, position, path)? {
            return Ok(marked);
        }
        if path.text.len() > name.len() {
            let span = path.span.start + name.len() + 1..path.span.end;
            check_member(site, event, position, arg, &Piece { text: member, span })?;
        }
        return Ok(Target::Arg { event: Declaration(event), position, member: member.to_owned() });
    }
    let known = || event.listed_args().iter().map(|arg| arg.name);
    let allowed = match event.listed_args() {
        [] => format!("{} has no arguments; retval, context.FIELD", event.name),
        _ => format!("{}; retval, context.FIELD", known().collect::<Vec<_>>().join(", ")),
    };
    let span = path.span.start..path.span.start + name.len();
    let message = format!("{} has no argument {name:?}", event.name);
    site.unknown(span, message, name, known().chain(["retval"]), allowed)
}

/// `EVENT.ARG.cut` and `EVENT.ARG.unreadable`, unless the argument has a member that is called so.
fn arg_mark(
    site: &Site<'_>,
    event: &'static Event,
    position: usize,
    path: &Piece<'_>,
) -> Checked<Option<Target>> {
    let Some((name, mark)) = path.text.rsplit_once('.') else { return Ok(None) };
    let bit = match mark {
        "cut" => event.cut_bits(position),
        "unreadable" | "lost" => event.unreadable_bits(position),
        _ => return Ok(None),
    };
    let is_member = members::of(event, position).is_some_and(|members| members.contains(mark));
    if name.contains('.') || is_member {
        return Ok(None);
    }
    if !event.has_bytes(position) {
        let message = format!("{name} of {} is a number: it is never {mark}", event.name);
        let span = path.span.start + name.len() + 1..path.span.end;
        return site.error(
            span,
            message,
            format!("{}.{mark}, or an argument with text or bytes", event.name),
        );
    }
    Ok(event_mark(event, mark, |_| bit))
}

fn event_mark(event: &'static Event, name: &str, bits: impl Fn(&Mark) -> u32) -> Option<Target> {
    let mark = mark_names::by_name(name)?;
    Some(Target::EventMark(Declaration(event), Marked { mark, bits: bits(mark) }))
}

fn check_member(
    site: &Site<'_>,
    event: &'static Event,
    position: usize,
    arg: &Arg,
    member: &Piece<'_>,
) -> Checked<()> {
    match members::of(event, position) {
        None if !member.text.is_empty() => Ok(()),
        Some(known) if known.contains(member.text) => Ok(()),
        Some(known) if !known.is_empty() => {
            let message = format!("{} of {} has no member {:?}", arg.name, event.name, member.text);
            let names = || known.iter().map(String::as_str);
            let allowed = names().collect::<Vec<_>>().join(", ");
            site.unknown(member.span.clone(), message, member.text, names(), allowed)
        }
        _ => {
            let message =
                format!("{} of {} is of type {}: it has no members", arg.name, event.name, arg.ctype);
            site.error(member.span.clone(), message, format!("{}.{} OP VALUE", event.name, arg.name))
        }
    }
}

fn arg_or_unknown(site: &Site<'_>, event: &'static Event, key: &Piece<'_>) -> Checked<Target> {
    if event.arg(key.text).is_some() {
        return arg_target(site, event, key);
    }
    let fields = key::context_field_names();
    let known: Vec<&str> =
        fields.chain(event.listed_args().iter().map(|arg| arg.name)).chain(["retval"]).collect();
    let args: Vec<String> = event.listed_args().iter().map(|arg| format!("data.{}", arg.name)).collect();
    let allowed = format!("retval, {}, or a context field", args.join(", "));
    let message = format!("unknown filter key {:?} for {}", key.text, event.name);
    site.unknown(key.span.clone(), message, key.text, known.into_iter(), allowed)
}

fn finish(
    site: Site<'_>,
    scope: u8,
    target: Target,
    parts: Parts<'_>,
    warnings: &mut Vec<Diagnostic>,
) -> Result<Filter, Wrong> {
    let allowed = values::operators(&target);
    if !allowed.contains(&parts.op) {
        let span = match parts.op {
            Op::Is | Op::IsNot => parts.key.span.clone(),
            _ => parts.op_span.clone(),
        };
        let message = match parts.op {
            Op::Is => format!("{:?} needs an operator and a value", parts.key.text),
            Op::IsNot => format!("{:?} cannot be denied by `!`", parts.key.text),
            op => format!("operator `{op}` does not fit {:?}", parts.key.text),
        };
        return Ok(site.error(span, message, syntax::list(allowed))?);
    }
    let sets = matches!(key::key(parts.key.text), Some(Key::Set));
    let (mut found, mut wrong) = (Vec::new(), Wrong::new());
    let mut read = |site: &Site<'_>, piece: &Piece<'_>, warnings: &mut Vec<Diagnostic>| {
        value(site, &target, parts.op, sets, piece, &mut found, warnings)?;
        guess::odd_value(site, &target, piece, warnings);
        Ok(())
    };
    let (mut spelled_out, mut has_lists) = (String::new(), false);
    for piece in &parts.values {
        match site.vocabulary.lists.filter(|_| piece.text.starts_with('@')) {
            Some(lists) => {
                has_lists = true;
                let listed = list::read(&site, piece, lists, warnings, &mut spelled_out, &mut read);
                wrong.extend(listed.err().unwrap_or_default());
            }
            None => {
                let comma = if spelled_out.is_empty() { "" } else { "," };
                spelled_out.extend([comma, piece.text]);
                wrong.extend(read(&site, piece, warnings).err().map(|error| *error));
            }
        }
    }
    if !wrong.is_empty() {
        return Err(wrong);
    }
    let span = match (parts.values.first(), parts.values.last()) {
        (Some(first), Some(last)) => first.span.start..last.span.end,
        _ => parts.key.span.clone(),
    };
    let before = site.text.get(..span.start).filter(|_| has_lists);
    let spelled_out = before.map(|before| [before, &spelled_out].concat().into_boxed_str());
    Ok(Filter {
        scope,
        flag: site.flag.to_owned(),
        text: site.text.to_owned(),
        target,
        op: parts.op,
        span,
        spelled_out,
        values: found,
    })
}

/// Reads one value.
fn value(
    site: &Site<'_>,
    target: &Target,
    op: Op,
    sets: bool,
    piece: &Piece<'_>,
    found: &mut Vec<Value>,
    warnings: &mut Vec<Diagnostic>,
) -> Checked<()> {
    match target {
        Target::Events if sets => found.push(Value::Events(set_events(site, piece)?)),
        Target::Events if Pattern::parse(piece.text).is_lone_wildcard() => found.push(Value::EveryEvent),
        Target::Events => found.push(Value::Events(events_like(site, piece)?)),
        _ if Pattern::parse(piece.text).is_lone_wildcard() => {
            let allowed = "leave the filter out, or write more than `*`";
            return site.error(piece.span.clone(), "a lone `*` filters nothing", allowed);
        }
        _ => values::read(site, target, op, piece, found, warnings)?,
    }
    Ok(())
}
