//! A line: which calls, which path, what of them, and under what key.

use std::ops::Range;

use events::{EventId, catalogue};
use scopes::nearest;

use super::written::{Action, Check, Comparison, Field, Line, Op, Path, Perms, Value, Written};
use crate::diagnostic::{Diagnostic, File, MAX_PER_LINE};
use crate::form::ProcessFact;

const OPS: [(&str, Op); 9] = [
    ("&=", Op::AllBits),
    ("!=", Op::NotEqual),
    ("<=", Op::LessOrEqual),
    (">=", Op::GreaterOrEqual),
    ("==", Op::Equal),
    ("=", Op::Equal),
    ("<", Op::Less),
    (">", Op::Greater),
    ("&", Op::AnyBit),
];

const FIELDS: [&str; 23] = [
    "auid",
    "sessionid",
    "arch",
    "path",
    "dir",
    "perm",
    "key",
    "pid",
    "ppid",
    "uid",
    "gid",
    "euid",
    "egid",
    "suid",
    "sgid",
    "fsuid",
    "fsgid",
    "exe",
    "success",
    "exit",
    "a0",
    "a1",
    "a2",
];

/// The ids of a task that `-C` compares.
fn id(name: &str) -> Option<ProcessFact> {
    Some(match name {
        "uid" => ProcessFact::Uid,
        "gid" => ProcessFact::Gid,
        "euid" => ProcessFact::Euid,
        "egid" => ProcessFact::Egid,
        "suid" => ProcessFact::Suid,
        "sgid" => ProcessFact::Sgid,
        "fsuid" => ProcessFact::Fsuid,
        "fsgid" => ProcessFact::Fsgid,
        "auid" | "loginuid" => ProcessFact::LoginUid,
        _ => return None,
    })
}

/// Fields that audit has and captures do not.
fn refused(field: &str) -> Option<&'static str> {
    Some(match field {
        "subj_user" | "subj_role" | "subj_type" | "subj_sen" | "subj_clr" => {
            "labels of SELinux are not recorded"
        }
        "obj_user" | "obj_role" | "obj_type" | "obj_lev_low" | "obj_lev_high" => {
            "labels of SELinux are not recorded"
        }
        "obj_uid" | "obj_gid" => "owners of files are not recorded",
        "inode" | "devmajor" | "devminor" | "filetype" | "fstype" => {
            "of files the path is asked, with path= or dir="
        }
        "pers" | "personality" => "personalities of tasks are not recorded",
        "saddr_fam" => "families of addresses are asked as the first argument of socket: a0=2",
        _ => return None,
    })
}

/// Options that set audit up, and how many words belong to each.
const CONTROLS: [(&str, usize); 17] = [
    ("-D", 0),
    ("-b", 1),
    ("-f", 1),
    ("-e", 1),
    ("-r", 1),
    ("-i", 0),
    ("-c", 0),
    ("-l", 0),
    ("-s", 0),
    ("-t", 0),
    ("-q", 1),
    ("--backlog_wait_time", 1),
    ("--loginuid-immutable", 0),
    ("--reset-lost", 0),
    ("--reset_backlog_wait_time_actual", 0),
    ("--signal", 1),
    ("-m", 1),
];

/// A word of a line: its bytes in the file, and the word without quotes.
#[derive(Clone, Debug)]
struct Word<'a> {
    span: Range<usize>,
    text: &'a str,
}

fn words(line: &str, at: usize) -> Vec<Word<'_>> {
    let mut words = Vec::new();
    let mut rest = 0;
    while let Some(from) = line.get(rest..).and_then(|it| it.find(|c: char| !c.is_whitespace())) {
        let start = rest + from;
        let Some(word) = line.get(start..) else { break };
        let quote = word.chars().next().filter(|c| matches!(c, '"' | '\''));
        let (text, length) = match quote.and_then(|quote| Some((quote, word.get(1..)?.find(quote)?))) {
            Some((_, length)) => (word.get(1..=length).unwrap_or_default(), length + 2),
            None => {
                let length = word.find(char::is_whitespace).unwrap_or(word.len());
                (word.get(..length).unwrap_or_default(), length)
            }
        };
        words.push(Word { span: at + start..at + start + length, text });
        rest = start + length;
    }
    words
}

struct Parser<'a, 'e> {
    file: &'a File<'a>,
    errors: &'e mut Vec<Diagnostic>,
    written: Written,
    /// Where the list and the action stand.
    list: Option<String>,
}

/// Reads a line that begins at byte `at` of the file.
pub fn line(file: &File<'_>, line: &str, at: usize, errors: &mut Vec<Diagnostic>) -> Line {
    let words = words(line, at);
    let Some(first) = words.first().filter(|word| !word.text.starts_with('#')) else { return Line::Nothing };
    let text = line.trim();
    let number = file.text.get(..at).unwrap_or("").matches('\n').count() as u32 + 1;
    let written = Written {
        line: number,
        text: text.to_owned(),
        action: Action::Always,
        is_first: false,
        calls: Vec::new(),
        path: None,
        perms: None,
        checks: Vec::new(),
        comparisons: Vec::new(),
        key: None,
        is_compat: false,
    };
    let whole = first.span.start..words.last().map_or(first.span.end, |last| last.span.end);
    let mut parser = Parser { file, errors, written, list: None };
    let is_rule = parser.words(&words);
    let Parser { written, list, .. } = parser;
    if !is_rule {
        return Line::Control;
    }
    // Lists that are not about calls have nothing to find.
    if list.as_deref().is_some_and(|list| list != "exit") {
        return Line::Control;
    }
    let asks = !written.checks.is_empty() || !written.comparisons.is_empty();
    if written.calls.is_empty() && written.path.is_none() && !asks && list.is_none() {
        errors.push(
            file.error_within(whole, "this asks for nothing: -w PATH, or -a always,exit with -S or -F"),
        );
    }
    Line::Rule(Box::new(written))
}

impl Parser<'_, '_> {
    fn error(&mut self, span: &Range<usize>, message: impl Into<String>) {
        if self.errors.len() > MAX_PER_LINE {
            return;
        }
        self.errors.push(self.file.error_within(span.clone(), message));
    }

    /// Whether they are a rule.
    fn words(&mut self, words: &[Word<'_>]) -> bool {
        let mut is_rule = false;
        let mut words = words.iter();
        while let Some(word) = words.next() {
            let mut argument = || words.next().cloned();
            match word.text {
                "-w" | "-a" | "-A" | "-S" | "-F" | "-C" | "-p" | "-k" => {
                    is_rule |= matches!(word.text, "-w" | "-a" | "-A");
                    match argument() {
                        Some(value) => self.option(word, &value),
                        None => self.error(&word.span, format!("{} takes a value", word.text)),
                    }
                }
                "-W" | "-d" => {
                    self.error(
                        &word.span,
                        format!("{} takes a rule back: leave the rule out instead", word.text),
                    );
                    return false;
                }
                other => match CONTROLS.iter().find(|(known, _)| *known == other) {
                    Some((_, count)) => drop(words.by_ref().take(*count).count()),
                    None => {
                        let known: Vec<&str> = ["-w", "-a", "-A", "-S", "-F", "-C", "-p", "-k", "-W", "-d"]
                            .into_iter()
                            .chain(CONTROLS.map(|(name, _)| name))
                            .collect();
                        let error =
                            self.file.error_within(word.span.clone(), format!("unknown option {other:?}"));
                        let error = error.suggesting(nearest(other, known.iter().copied()));
                        self.errors.push(error.allowing(known.join(", ")));
                    }
                },
            }
        }
        is_rule
    }

    fn option(&mut self, option: &Word<'_>, value: &Word<'_>) {
        match option.text {
            "-w" => match value.text.starts_with('/') {
                true => self.path(value, Path::Watch(trimmed(value.text))),
                false => self.error(&value.span, "a path that is watched begins with /"),
            },
            "-p" => self.perms(value, value.text),
            "-k" => self.written.key = Some(value.text.to_owned()),
            "-S" => value.text.split(',').for_each(|name| self.call(value, name)),
            "-F" => self.field(value),
            "-C" => self.comparison(value),
            _ => self.list(option, value),
        }
    }

    /// Two ids of the task.
    fn comparison(&mut self, word: &Word<'_>) {
        let (is_equal, sides) = match word.text.split_once("!=") {
            Some(sides) => (false, Some(sides)),
            None => (true, word.text.split_once('=')),
        };
        let Some((one, other)) = sides else {
            let message = format!("{:?} compares nothing", word.text);
            let error = self.file.error_within(word.span.clone(), message);
            self.errors.push(error.allowing("uid!=euid, gid=egid, auid!=uid"));
            return;
        };
        let mut known = |name: &str| {
            let fact = id(name);
            if fact.is_none() {
                let message = match refused(name) {
                    Some(why) => format!("{name} cannot be asked: {why}"),
                    None => format!("{name:?} is no id of a task"),
                };
                self.error(&word.span, message);
            }
            fact
        };
        let (one, other) = (known(one), known(other));
        if let (Some(one), Some(other)) = (one, other) {
            let text = word.text.to_owned();
            self.written.comparisons.push(Comparison { one, other, is_equal, text });
        }
    }

    fn list(&mut self, option: &Word<'_>, value: &Word<'_>) {
        self.written.is_first = option.text == "-A";
        for part in value.text.split(',') {
            match part {
                "always" => self.written.action = Action::Always,
                "never" => self.written.action = Action::Never,
                "exit" | "task" | "user" | "exclude" | "filesystem" | "io_uring" => {
                    self.list = Some(part.to_owned())
                }
                other => {
                    let known =
                        ["always", "never", "exit", "task", "user", "exclude", "filesystem", "io_uring"];
                    let error = self.file.error_within(
                        value.span.clone(),
                        format!("{other:?} is neither an action nor a list"),
                    );
                    self.errors.push(
                        error
                            .suggesting(nearest(other, known))
                            .allowing("always,exit and never,exit, in either order"),
                    );
                }
            }
        }
        if self.list.is_none() {
            self.error(&value.span, "this names no list: always,exit");
        }
    }

    fn path(&mut self, value: &Word<'_>, path: Path) {
        if self.written.path.is_some() {
            self.error(&value.span, "a rule has one path");
        }
        self.written.path = Some(path);
    }

    fn perms(&mut self, word: &Word<'_>, text: &str) {
        let mut perms = Perms::default();
        for c in text.chars() {
            match c {
                'r' => perms.read = true,
                'w' => perms.write = true,
                'x' => perms.execute = true,
                'a' => perms.attributes = true,
                other => {
                    let error =
                        self.file.error_within(word.span.clone(), format!("unknown permission {other:?}"));
                    self.errors.push(error.allowing("r, w, x, a"));
                }
            }
        }
        self.written.perms = Some(perms);
    }

    fn call(&mut self, word: &Word<'_>, name: &str) {
        if name == "all" {
            return;
        }
        let known = match name.parse::<u16>() {
            Ok(number) => catalogue::by_id(EventId(number)),
            Err(_) => catalogue::by_name(name),
        };
        match known.filter(|event| event.is_syscall()) {
            Some(event) if self.written.calls.iter().any(|known| known == event.name) => {}
            Some(event) => self.written.calls.push(event.name.to_owned()),
            // Calls that only 32-bit programs have are recorded as those that do the same.
            None if self.written.is_compat => {}
            None => {
                let known = catalogue::events().filter(|event| event.is_syscall()).map(|event| event.name);
                let error =
                    self.file.error_within(word.span.clone(), format!("there is no system call {name:?}"));
                self.errors.push(error.suggesting(nearest(name, known)));
            }
        }
    }

    fn field(&mut self, word: &Word<'_>) {
        let at = word.text.find(['=', '!', '<', '>', '&']);
        let split = at.and_then(|at| {
            let (name, rest) = word.text.split_at_checked(at)?;
            let (sign, op) = OPS.iter().find(|(sign, _)| rest.starts_with(sign))?;
            Some((name, *op, rest.get(sign.len()..)?))
        });
        let Some((name, op, value)) = split else {
            let message = format!("{:?} compares nothing", word.text);
            self.errors.push(
                self.file
                    .error_within(word.span.clone(), message)
                    .allowing("uid=0, a1&0x40, path=/etc/passwd"),
            );
            return;
        };
        if let Some(why) = refused(name) {
            self.error(&word.span, format!("{name} cannot be asked: {why}"));
            return;
        }
        let is_equal = op == Op::Equal;
        let field = match name {
            "arch" => {
                match value {
                    "b32" | "i386" | "i686" | "arm" => self.written.is_compat = true,
                    "b64" | "x86_64" | "aarch64" => {}
                    _ => self.error(&word.span, format!("unknown architecture {value:?}")),
                }
                return;
            }
            "key" if is_equal => {
                self.written.key = Some(value.to_owned());
                return;
            }
            "perm" if is_equal => return self.perms(word, value),
            "path" if is_equal => return self.path(word, Path::File(trimmed(value))),
            "dir" if is_equal => return self.path(word, Path::Below(trimmed(value))),
            "key" | "perm" | "path" | "dir" => {
                self.error(&word.span, format!("{name} is asked with = only"));
                return;
            }
            // What records are left out is not about calls.
            "msgtype" => return,
            "pid" => Field::Pid,
            "ppid" => Field::ParentPid,
            "uid" => Field::Uid,
            "gid" => Field::Gid,
            "euid" => Field::Credentials(ProcessFact::Euid),
            "egid" => Field::Credentials(ProcessFact::Egid),
            "suid" => Field::Credentials(ProcessFact::Suid),
            "sgid" => Field::Credentials(ProcessFact::Sgid),
            "fsuid" => Field::Credentials(ProcessFact::Fsuid),
            "fsgid" => Field::Credentials(ProcessFact::Fsgid),
            "auid" | "loginuid" => Field::LoginUid,
            "sessionid" | "ses" => Field::LoginSession,
            "exe" => Field::Exe,
            "success" => Field::Success,
            "exit" => Field::Exit,
            "a0" | "a1" | "a2" | "a3" => {
                Field::Argument(name.as_bytes().last().map_or(0, |last| last - b'0'))
            }
            other => {
                let error = self.file.error_within(word.span.clone(), format!("unknown field {other:?}"));
                self.errors.push(error.suggesting(nearest(other, FIELDS)).allowing(FIELDS.join(", ")));
                return;
            }
        };
        match value_of(field, value) {
            Some(value) => {
                let is_text = matches!(value, Value::Text(_)) || field == Field::Success;
                if is_text && !matches!(op, Op::Equal | Op::NotEqual) {
                    self.error(&word.span, format!("{name} is asked with = and != only"));
                }
                self.written.checks.push(Check { field, op, value, text: word.text.to_owned() });
            }
            None => self.error(&word.span, format!("{value:?} is no value of {name}")),
        }
    }
}

fn trimmed(path: &str) -> String {
    let trimmed = path.trim_end_matches('/');
    if trimmed.is_empty() { "/".to_owned() } else { trimmed.to_owned() }
}

fn value_of(field: Field, text: &str) -> Option<Value> {
    match field {
        Field::Exe => text.starts_with('/').then(|| Value::Text(text.to_owned())),
        Field::Success => match text {
            "1" | "yes" => Some(Value::Number(1)),
            "0" | "no" => Some(Value::Number(0)),
            _ => None,
        },
        // Ids that are all bits are written as -1, too.
        Field::Uid | Field::Gid | Field::Credentials(_) | Field::LoginUid | Field::LoginSession
            if matches!(text, "unset" | "-1") =>
        {
            Some(Value::Number(u32::MAX.into()))
        }
        Field::Uid | Field::LoginUid => {
            Some(number(text).map_or_else(|| Value::Text(text.to_owned()), Value::Number))
        }
        Field::Exit => {
            let (sign, name) = match text.strip_prefix('-') {
                Some(rest) => (-1, rest),
                None => (1, text),
            };
            let named = || events::consts::errno::number(name).map(|number| sign * i64::from(number));
            number(text).or_else(named).map(Value::Number)
        }
        _ => number(text).map(Value::Number),
    }
}

/// Decimal, `0x40` or `0100`.
fn number(text: &str) -> Option<i64> {
    let (sign, digits) = match text.strip_prefix('-') {
        Some(rest) => (-1i64, rest),
        None => (1, text),
    };
    let parsed = match digits.split_at_checked(2) {
        Some(("0x" | "0X", rest)) => i64::from_str_radix(rest, 16).ok(),
        _ if digits.len() > 1 && digits.starts_with('0') => i64::from_str_radix(digits, 8).ok(),
        _ => digits.parse().ok(),
    };
    parsed?.checked_mul(sign)
}
