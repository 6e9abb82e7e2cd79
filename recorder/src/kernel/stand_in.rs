//! Hooks that this kernel does not carry, told from the system calls that did the thing.
//!
//! Where the call's own arguments say what the hook would have said, its record is given a second time under the hook's
//! name, when the call succeeded: marked as a stand-in, in the same context and at the same time. What only the kernel
//! knows (which file an open really opened) the programs record themselves.

mod rules;
#[cfg(test)]
mod tests;

use events::{
    ArgKind, Event, EventId, Marks, Raw, Source,
    abi::linux::{S_IFMT, S_IFREG},
    catalogue,
    marks::PARTIAL_PATH,
};

use rules::{COMPLETION, RULES, Rule};

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
    /// The call that stands in.
    call: &'static Event,
    /// For each of the event's arguments.
    pub args: Vec<From>,
    when: When,
    given: Given,
}

/// Arguments of hooks that are paths; the kernel's own hooks have them absolute.
const PATHS: &[&str] = &["old_path", "new_path", "pathname", "file_name", "linkpath", "path", "mountpoint"];

/// The stand-ins of a call.
pub fn of_call(call: &'static Event, is_wanted: impl Fn(EventId) -> bool) -> Vec<StandIn> {
    let rules = RULES.iter().filter(|rule| rule.call == call.name);
    rules
        .filter_map(|rule| {
            let event = catalogue::by_name(rule.event).filter(|event| is_wanted(event.id))?;
            let args = event.args.iter().map(|arg| from(rule, arg.name, call)).collect();
            Some(StandIn { event, call, args, when: rule.when, given: rule.given })
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
        // What only a call can tell is no stand-in for anything.
        let stand_in = if matches!(self.event.source, Source::Exit { .. }) { 0 } else { Marks::STAND_IN };
        let mut filled = Marks(marks.of_row().0 & !Marks::STATE_ONLY | stand_in);
        for (position, ((from, arg), place)) in self.args.iter().zip(self.event.args).zip(out).enumerate() {
            *place = match from {
                From::Arg(theirs) | From::Path { at: theirs, .. } => {
                    let known = absolute.iter().find(|(at, _)| at == theirs);
                    let theirs = usize::from(*theirs);
                    if self.call.is_unreadable(marks, theirs) {
                        filled = self.event.with_unreadable(filled, position);
                    }
                    if self.call.is_cut(marks, theirs) {
                        filled = self.event.with_cut(filled, position);
                    }
                    match known {
                        Some((_, path)) => {
                            if path.starts_with(PARTIAL_PATH) {
                                filled = self.event.with_partial(filled, position);
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
            Given::Special(position) => !matches!(number(position) as u16 & S_IFMT, 0 | S_IFREG),
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
