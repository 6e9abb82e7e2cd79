//! Values of filters, read by what the filter is about.

use events::{Arg, ArgKind, Event, Source, capability, catalogue, consts::errno, descriptor};

use crate::check::{Checked, Site};
use crate::diagnostic::{Diagnostic, Severity};
use crate::filter::{Namespace, Target, Value};
use crate::key::{Class, Field};
use crate::pattern::Pattern;
use crate::syntax::{Op, Piece};
use crate::thing::peer::Peer;
use crate::thing::{Thing, file};

/// Bytes of a comm that the kernel keeps.
const COMM_BYTES: usize = 15;
/// Hexadecimal digits of a SHA-256.
const HASH_DIGITS: usize = 64;

const EQUALITY: &[Op] = &[Op::Equal, Op::NotEqual];
const ORDER: &[Op] = &[Op::Equal, Op::NotEqual, Op::Less, Op::Greater, Op::LessOrEqual, Op::GreaterOrEqual];

/// The operators that a target takes.
pub(crate) fn operators(target: &Target) -> &'static [Op] {
    match target {
        Target::Events => EQUALITY,
        Target::Follow | Target::Global => &[Op::Is],
        Target::Field(field) | Target::EventField(_, field) => field.class().operators(),
        Target::Thing(_) | Target::EventThing(..) => EQUALITY,
        Target::Ret(_) => ORDER,
        Target::Mark(_) | Target::EventMark(..) => Class::Flag.operators(),
        Target::Arg { .. } => match arg(target) {
            Some((arg, _)) if matches!(arg.kind, ArgKind::Str | ArgKind::StrArray | ArgKind::Bool) => {
                EQUALITY
            }
            _ => ORDER,
        },
    }
}

/// The declaration of the argument that a target means, and the member inside it.
pub(crate) fn arg(target: &Target) -> Option<(&'static Arg, &str)> {
    let Target::Arg { event, position, member } = target else { return None };
    event.0.args.get(*position).map(|arg| (arg, member.as_str()))
}

/// Whether the target is the name of the call that an event happens in.
fn is_caller(target: &Target) -> bool {
    let Target::Arg { event, position, .. } = target else { return false };
    event.caller() == Some(*position)
}

/// Reads one value into one or more of `found`: any of them is meant.
pub(crate) fn read(
    site: &Site<'_>,
    target: &Target,
    op: Op,
    piece: &Piece<'_>,
    found: &mut Vec<Value>,
    warnings: &mut Vec<Diagnostic>,
) -> Checked<()> {
    match target {
        Target::Events | Target::Follow | Target::Global => {}
        Target::Field(field) | Target::EventField(_, field) => {
            found.push(field_value(site, *field, op, piece, warnings)?);
        }
        Target::Thing(thing) | Target::EventThing(_, thing) => found.push(named(site, *thing, piece)?),
        Target::Ret(_) => found.push(Value::Number(result(site, piece)?)),
        Target::Mark(_) | Target::EventMark(..) => found.push(flag(site, piece)?),
        Target::Arg { .. } => {
            if let Some((declared, member)) = arg(target) {
                if is_caller(target) {
                    found.push(Value::Text(syscall(site, piece)?));
                    return Ok(());
                }
                if declared.name == Event::HASH {
                    found.push(Value::Text(hash(site, piece)?));
                    return Ok(());
                }
                argument(site, declared, member, op, piece, found)?;
            }
        }
    }
    Ok(())
}

fn field_value(
    site: &Site<'_>,
    field: Field,
    op: Op,
    piece: &Piece<'_>,
    warnings: &mut Vec<Diagnostic>,
) -> Checked<Value> {
    let class = field.class();
    let wrong = |message: String| site.error(piece.span.clone(), message, class.values());
    match class {
        Class::Text if field == Field::Comm => comm(site, piece, warnings).map(Value::Text),
        Class::Text if field == Field::Syscall => syscall(site, piece).map(Value::Text),
        Class::Text => Ok(Value::Text(Pattern::parse(piece.text))),
        Class::Path => path(site, piece),
        Class::Container => Ok(match piece.text {
            "new" => Value::New,
            "started" => Value::Started,
            _ => Value::Text(Pattern::parse(piece.text)),
        }),
        Class::Flag => flag(site, piece),
        Class::Duration => match duration(piece.text) {
            Some(ns) => Ok(Value::Number(ns.into())),
            None => wrong(format!("{:?} is no time with a unit", piece.text)),
        },
        Class::Number { max, .. } => fitting(site, piece, max, class.values()),
        Class::Login if piece.text == "unset" => Ok(Value::Number(events::context::UNSET.into())),
        Class::Capability => capability(site, piece),
        Class::Directory if piece.text.starts_with(['/', '*']) => Ok(Value::Text(Pattern::parse(piece.text))),
        Class::Directory => wrong(format!("{:?} is a relative path", piece.text)),
        Class::Terminal => {
            Ok(Value::Text(Pattern::parse(piece.text.strip_prefix("/dev/").unwrap_or(piece.text))))
        }
        Class::User | Class::Login => {
            match piece.text.bytes().all(|b| b.is_ascii_digit() || b == b'-') || op.is_bound() {
                true => fitting(site, piece, u64::from(u32::MAX), class.values()),
                false if number(piece.text).is_some() => {
                    fitting(site, piece, u64::from(u32::MAX), class.values())
                }
                false if is_user_name(piece.text) => Ok(Value::User(piece.text.to_owned())),
                false => wrong(format!("{:?} is neither a number nor a user's name", piece.text)),
            }
        }
        Class::Id { new, pin } => match piece.text {
            "new" if new && !op.is_bound() => Ok(Value::New),
            "new" if new => wrong(format!("`new` cannot be compared by `{op}`")),
            text if new && strsim::levenshtein(&text.to_lowercase(), "new") < 2 => {
                let error =
                    site.message(Severity::Error, piece.span.clone(), format!("{text:?} is not a number"));
                let (suggestion, allowed) = (Some("new".to_owned()), Some(class.values().to_owned()));
                Err(Box::new(Diagnostic { suggestion, allowed, ..error }))
            }
            _ => id(site, piece, pin && !op.is_bound(), class.values()),
        },
        Class::Tree => id(site, piece, true, class.values()),
    }
}

/// A file or a peer.
fn named(site: &Site<'_>, thing: Thing, piece: &Piece<'_>) -> Checked<Value> {
    let text = piece.text;
    match thing {
        Thing::File if file::is_whole(text.as_bytes()) || text.starts_with('*') => {
            Ok(Value::Text(Pattern::parse(&file::of_value(text))))
        }
        Thing::File => {
            let message = format!("{text:?} is a relative path");
            let error = site.message(Severity::Error, piece.span.clone(), message);
            let allowed = Some(thing.values().to_owned());
            Err(Box::new(Diagnostic { suggestion: Some(format!("*/{text}")), allowed, ..error }))
        }
        Thing::Peer => match Peer::parse(text) {
            Ok(peer) => Ok(Value::Peer(peer)),
            Err((wrong, allowed)) => site.error(piece.span.clone(), wrong, allowed.unwrap_or(thing.values())),
        },
    }
}

fn flag(site: &Site<'_>, piece: &Piece<'_>) -> Checked<Value> {
    match piece.text {
        "true" | "1" => Ok(Value::Flag(true)),
        "false" | "0" => Ok(Value::Flag(false)),
        text => {
            let message = format!("{text:?} is neither true nor false");
            site.error(piece.span.clone(), message, Class::Flag.values())
        }
    }
}

/// A capability by its name, with `CAP_` or without, in whatever letters, or by its number.
fn capability(site: &Site<'_>, piece: &Piece<'_>) -> Checked<Value> {
    if number(piece.text).is_some() || looks_numeric(piece.text) {
        return fitting(site, piece, 63, Class::Capability.values());
    }
    let upper = piece.text.to_ascii_uppercase();
    let name = if upper.starts_with("CAP_") { upper } else { format!("CAP_{upper}") };
    match capability::number(&name) {
        Some(number) => Ok(Value::Number(number.into())),
        None => {
            let message = format!("no capability is called {:?}", piece.text);
            let allowed = Class::Capability.values();
            site.unknown(piece.span.clone(), message, &name, capability::names(), allowed)
        }
    }
}

fn is_user_name(text: &str) -> bool {
    let mut bytes = text.bytes();
    bytes.next().is_some_and(|b| b.is_ascii_alphabetic() || b == b'_')
        && bytes.all(|b| b.is_ascii_alphanumeric() || b"_-.$".contains(&b))
}

/// A number with a sign at will: decimal, `0x1a4`, `0o644`, `0b110`, with `_` between digits at will.
pub(crate) fn number(text: &str) -> Option<i128> {
    let (negative, digits) = match text.strip_prefix('-') {
        Some(digits) => (true, digits),
        None => (false, text),
    };
    let prefixes = [("0x", 16), ("0X", 16), ("0o", 8), ("0O", 8), ("0b", 2), ("0B", 2)];
    let known = prefixes.into_iter().find_map(|(prefix, radix)| Some((digits.strip_prefix(prefix)?, radix)));
    let (digits, radix) = known.unwrap_or((digits, 10));
    let is_digit = |byte: u8| (byte as char).is_digit(radix);
    let (first, last) = (digits.bytes().next()?, digits.bytes().last()?);
    let well_formed = is_digit(first) && is_digit(last) && !digits.contains("__");
    if !well_formed || !digits.bytes().all(|byte| is_digit(byte) || byte == b'_') {
        return None;
    }
    let magnitude = i128::from_str_radix(&digits.replace('_', ""), radix).ok()?;
    Some(if negative { -magnitude } else { magnitude })
}

/// A time as ns: a decimal number and its unit, without blanks between them. No unit is needed for zero.
fn duration(text: &str) -> Option<u64> {
    let unit_at = text.find(|c: char| !c.is_ascii_digit() && c != '.').unwrap_or(text.len());
    let (number, unit) = text.split_at(unit_at);
    let scale: u64 = match unit {
        "ns" => 1,
        "us" | "µs" | "μs" => 1_000,
        "ms" => 1_000_000,
        "s" => 1_000_000_000,
        "m" | "min" => 60_000_000_000,
        "h" => 3_600_000_000_000,
        "" if number == "0" => 1,
        _ => return None,
    };
    let (whole, part) = number.split_once('.').unwrap_or((number, "0"));
    // What is beyond a billionth says nothing of ns.
    let is_number = |digits: &str| !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit());
    if !is_number(whole) || !is_number(part) || part.len() > 9 {
        return None;
    }
    let billionths = part.parse::<u64>().ok()? * 10u64.pow(9 - part.len() as u32);
    let part = u128::from(scale) * u128::from(billionths) / 1_000_000_000;
    whole.parse::<u64>().ok()?.checked_mul(scale)?.checked_add(u64::try_from(part).ok()?)
}

/// Whether a number is one of a radix of two's power, which means bits rather than a quantity.
fn is_bits(text: &str) -> bool {
    ["0x", "0X", "0o", "0O", "0b", "0B"].iter().any(|prefix| text.starts_with(prefix))
}

fn looks_numeric(text: &str) -> bool {
    text.trim_start_matches('-').bytes().next().is_some_and(|b| b.is_ascii_digit())
}

fn fitting(site: &Site<'_>, piece: &Piece<'_>, max: u64, allowed: &str) -> Checked<Value> {
    match number(piece.text) {
        Some(number) if (0..=i128::from(max)).contains(&number) => Ok(Value::Number(number)),
        None if !looks_numeric(piece.text)
            || !piece.text.trim_start_matches('-').bytes().all(|b| b.is_ascii_digit()) =>
        {
            site.error(piece.span.clone(), format!("{:?} is not a number", piece.text), allowed)
        }
        _ => site.error(piece.span.clone(), format!("{} does not fit", piece.text), allowed),
    }
}

fn id(site: &Site<'_>, piece: &Piece<'_>, pin: bool, allowed: &str) -> Checked<Value> {
    let max = u64::from(u32::MAX);
    match piece.text.split_once('@') {
        Some((pid, start)) if pin => {
            let pid_piece = Piece { text: pid, span: piece.span.start..piece.span.start + pid.len() };
            let start_piece = Piece { text: start, span: piece.span.start + pid.len() + 1..piece.span.end };
            let pid = fitting(site, &pid_piece, max, allowed)?;
            let start = fitting(site, &start_piece, u64::MAX, "the start of the process: ns since boot")?;
            match (pid, start) {
                (Value::Number(pid), Value::Number(start)) => Ok(Value::Pin(pid as u32, start as u64)),
                _ => site.error(piece.span.clone(), "not a process", allowed),
            }
        }
        _ => fitting(site, piece, max, allowed),
    }
}

fn syscall(site: &Site<'_>, piece: &Piece<'_>) -> Checked<Pattern> {
    let pattern = Pattern::parse(piece.text);
    let calls = || catalogue::events().filter(|event| matches!(event.source, Source::Syscall(_)));
    if calls().any(|call| pattern.matches(call.name.as_bytes())) {
        return Ok(pattern);
    }
    let message = format!("no system call is called {:?}", piece.text);
    let names = calls().map(|call| call.name);
    site.unknown(piece.span.clone(), message, piece.text, names, "a system call's name, with * at will")
}

/// Digits of a hash, which captures have in small letters.
fn hash(site: &Site<'_>, piece: &Piece<'_>) -> Checked<Pattern> {
    let digits = piece.text.bytes().filter(|byte| *byte != b'*');
    let is_whole = !piece.text.contains('*');
    if digits.clone().all(|byte| byte.is_ascii_hexdigit())
        && (digits.clone().count() == HASH_DIGITS || !is_whole && digits.count() < HASH_DIGITS)
    {
        return Ok(Pattern::parse(&piece.text.to_ascii_lowercase()));
    }
    let message = format!("{:?} is no SHA-256", piece.text);
    site.error(piece.span.clone(), message, "64 hexadecimal digits, or some of them and *")
}

fn comm(site: &Site<'_>, piece: &Piece<'_>, warnings: &mut Vec<Diagnostic>) -> Checked<Pattern> {
    let pattern = Pattern::parse(piece.text);
    let pieces = pattern.pieces();
    let first = pieces.first().copied().unwrap_or_default();
    if first.len() > COMM_BYTES {
        let cut = first.get(..COMM_BYTES).unwrap_or(first).to_vec();
        let message = format!(
            "the kernel keeps {COMM_BYTES} bytes of a comm: {:?} is read as {:?}",
            piece.text,
            String::from_utf8_lossy(&cut)
        );
        warnings.push(site.message(Severity::Warning, piece.span.clone(), message));
        return Ok(Pattern::exact(cut));
    }
    let needed: usize = pieces.iter().map(|piece| piece.len()).sum();
    if needed > COMM_BYTES {
        let message = format!("{:?} is longer than any comm and can never match", piece.text);
        return site.error(piece.span.clone(), message, "at most 15 bytes beside the wildcards");
    }
    Ok(pattern)
}

fn path(site: &Site<'_>, piece: &Piece<'_>) -> Checked<Value> {
    let allowed = Class::Path.values();
    let (namespace, path) = match piece.text.split_once(':') {
        Some((before, path)) if !is_whole_path(piece.text) => match (before, number(before)) {
            ("host", _) => (Namespace::Host, path),
            (_, Some(number)) if (0..=i128::from(u32::MAX)).contains(&number) => {
                (Namespace::Is(number as u32), path)
            }
            _ => {
                let span = piece.span.start..piece.span.start + before.len();
                let message = format!("{before:?} is neither `host` nor a mount namespace's number");
                return site.error(span, message, allowed);
            }
        },
        _ => (Namespace::Any, piece.text),
    };
    let pattern = Pattern::parse(path);
    let span = piece.span.end - path.len()..piece.span.end;
    if path.is_empty() {
        return site.error(piece.span.clone(), "no path behind the `:`", allowed);
    }
    if pattern.is_lone_wildcard() {
        return site.error(
            span,
            "a lone `*` filters nothing",
            "an absolute path; mntns=NUMBER for a whole namespace",
        );
    }
    if !is_whole_path(path) {
        return site.error(span, format!("{path:?} is a relative path"), allowed);
    }
    Ok(Value::Path(namespace, pattern))
}

/// Whether an executable can be called so: by an absolute path, by one whose front is missing, or as a memory file.
fn is_whole_path(path: &str) -> bool {
    path.starts_with(['/', '*']) || path.starts_with("memfd:") || path.starts_with(".../")
}

fn result(site: &Site<'_>, piece: &Piece<'_>) -> Checked<i128> {
    const ALLOWED: &str =
        "a number from -9223372036854775808 to 9223372036854775807, or an errno's name (EACCES means -13)";
    if let Some(number) = number(piece.text) {
        return match i64::try_from(number) {
            Ok(_) => Ok(number),
            // Addresses are returned too: hexadecimal means the bits.
            Err(_) => match u64::try_from(number) {
                Ok(bits) if is_bits(piece.text) => Ok(i128::from(bits as i64)),
                _ => site.error(piece.span.clone(), format!("{} does not fit", piece.text), ALLOWED),
            },
        };
    }
    let name = piece.text.strip_prefix('-').unwrap_or(piece.text);
    match errno::number(name) {
        Some(errno) => Ok(-i128::from(errno)),
        None if looks_numeric(piece.text) => {
            site.error(piece.span.clone(), format!("{:?} is not a number", piece.text), ALLOWED)
        }
        None => {
            let message = format!("{name:?} is neither a number nor an errno");
            site.unknown(piece.span.clone(), message, name, errno::names(), ALLOWED)
        }
    }
}

/// Whether an argument's values are known to be one number.
pub(crate) fn is_plain_number(arg: &Arg, member: &str) -> bool {
    member.is_empty() && arg.kind.is_number() && arg.kind != ArgKind::Absent
}

fn argument(
    site: &Site<'_>,
    arg: &'static Arg,
    member: &str,
    op: Op,
    piece: &Piece<'_>,
    found: &mut Vec<Value>,
) -> Checked<()> {
    let text = piece.text;
    let pattern = Pattern::parse(text);
    if arg.kind == ArgKind::Absent {
        let message = format!("the kernel's call has no {}: it is never there", arg.name);
        return site.error(piece.span.clone(), message, "an argument that the call has");
    }
    if matches!(arg.kind, ArgKind::Str | ArgKind::StrArray) {
        found.push(Value::Text(pattern));
        return Ok(());
    }
    if is_plain_number(arg, member) {
        return plain_number(site, arg, op, piece, pattern, found);
    }
    // What it is shows only in the event: numbers compare as numbers, everything as printed.
    match number(text) {
        Some(number) if !(i128::from(i64::MIN)..=i128::from(u64::MAX)).contains(&number) => {
            let message = format!("{text} does not fit any number of {}", arg.name);
            let allowed = format!("a number from {} to {}", i64::MIN, u64::MAX);
            return site.error(piece.span.clone(), message, allowed);
        }
        Some(number) => found.push(Value::Number(number)),
        None if op.is_bound() => {
            return site.error(
                piece.span.clone(),
                format!("{text:?} is not a number"),
                "a number after an order operator",
            );
        }
        None => {
            if let Some(number) = arg.names.parse(text).filter(|_| member.is_empty()) {
                found.push(Value::Number(i128::from(number as i64)));
            }
        }
    }
    if !op.is_bound() {
        found.push(Value::Text(pattern));
    }
    Ok(())
}

fn plain_number(
    site: &Site<'_>,
    arg: &'static Arg,
    op: Op,
    piece: &Piece<'_>,
    pattern: Pattern,
    found: &mut Vec<Value>,
) -> Checked<()> {
    let text = piece.text;
    let (low, high) = range(arg.kind);
    if arg.kind == ArgKind::Bool && matches!(text, "true" | "false") {
        found.push(Value::Number(i128::from(text == "true")));
        return Ok(());
    }
    if let Some(number) = number(text) {
        let unsigned_width = 2 * high + 1;
        let fits = (low..=high).contains(&number);
        // Hexadecimal means the bits of a signed number.
        let bits = arg.kind.is_signed() && is_bits(text) && (high + 1..=unsigned_width).contains(&number);
        return match (fits, bits) {
            (true, _) => {
                found.push(Value::Number(number));
                Ok(())
            }
            (_, true) => {
                found.push(Value::Number(number - unsigned_width - 1));
                Ok(())
            }
            _ => {
                let message = format!("{text} does not fit {} of type {}", arg.name, arg.ctype);
                site.error(piece.span.clone(), message, format!("a number from {low} to {high}"))
            }
        };
    }
    if !pattern.is_exact() && !op.is_bound() {
        found.push(Value::Text(pattern));
        return Ok(());
    }
    if let Some(stored) = arg.parse(text) {
        let signed = arg.kind.is_signed();
        found.push(Value::Number(if signed { i128::from(stored as i64) } else { i128::from(stored) }));
        return Ok(());
    }
    if arg.kind == ArgKind::Fd && !op.is_bound() {
        return stands_for(site, arg, piece, pattern, found);
    }
    let part = text.split('|').find(|part| arg.names.parse(part).is_none()).unwrap_or(text);
    let start = piece.span.start + text.find(part).unwrap_or(0);
    let span = start..start + part.len();
    let known: Vec<&str> = known_names(arg);
    let allowed = match known.as_slice() {
        [] => format!("a number from {low} to {high}"),
        few if few.len() <= 12 => format!("a number, or of {}", few.join(", ")),
        many => format!("a number, or names such as {}", many.get(..8).unwrap_or(many).join(", ")),
    };
    let message = match known.is_empty() {
        true => format!("{part:?} is not a number"),
        false => format!("{part:?} is no name that {} knows", arg.name),
    };
    site.unknown(span, message, part, known.iter().copied(), allowed)
}

/// What a descriptor stands for: a text that can be such a thing, so that a misspelt number or name is not taken for one.
fn stands_for(
    site: &Site<'_>,
    arg: &'static Arg,
    piece: &Piece<'_>,
    pattern: Pattern,
    found: &mut Vec<Value>,
) -> Checked<()> {
    const ALLOWED: &str = "a number, or what it stands for: a path, pipe:[4711], memfd:x, tcp 10.0.0.1:80->*";
    let text = piece.text;
    if text.starts_with('/') || text.contains([':', '[', ' ']) || descriptor::is_socket(text.as_bytes()) {
        found.push(Value::Text(pattern));
        return Ok(());
    }
    let known = known_names(arg);
    let allowed =
        if known.is_empty() { ALLOWED.to_owned() } else { format!("{ALLOWED}; or {}", known.join(", ")) };
    let message = format!("{text:?} is neither a number nor what a descriptor can stand for");
    site.unknown(piece.span.clone(), message, text, known.iter().copied(), allowed)
}

fn known_names(arg: &Arg) -> Vec<&'static str> {
    let tables = std::iter::once(&arg.names).chain(arg.names.choices());
    tables.filter_map(|names| names.table()).flat_map(|table| table.names()).collect()
}

fn range(kind: ArgKind) -> (i128, i128) {
    match kind {
        ArgKind::I32 | ArgKind::Fd => (i128::from(i32::MIN), i128::from(i32::MAX)),
        ArgKind::I64 => (i128::from(i64::MIN), i128::from(i64::MAX)),
        ArgKind::U32 => (0, i128::from(u32::MAX)),
        ArgKind::U16 => (0, i128::from(u16::MAX)),
        ArgKind::U8 => (0, i128::from(u8::MAX)),
        ArgKind::Bool => (0, 1),
        _ => (0, i128::from(u64::MAX)),
    }
}

/// The numbers that a target's values can be; `None` when it is not one plain number.
pub(crate) fn domain(target: &Target) -> Option<(i128, i128)> {
    match target {
        Target::Ret(_) => Some((i128::from(i64::MIN), i128::from(i64::MAX))),
        Target::Field(field) | Target::EventField(_, field) => match field.class() {
            Class::Number { max, .. } => Some((0, i128::from(max))),
            Class::Id { .. } | Class::User | Class::Login => Some((0, i128::from(u32::MAX))),
            Class::Duration => Some((0, i128::from(u64::MAX))),
            _ => None,
        },
        Target::Arg { .. } => {
            arg(target).filter(|(arg, member)| is_plain_number(arg, member)).map(|(arg, _)| range(arg.kind))
        }
        _ => None,
    }
}
