//! Where strace's arguments stand among the call's own: it leaves some out and writes others in another order.

use crate::compare::{Bounds, Comparison, Finding, Kind};
use crate::held::{Held, Row};
use crate::lines::{Call, Outcome};
use crate::shown::{Reader, Shown};

/// The catalogue's name of a call that strace names otherwise, or does not know.
pub fn name(call: &Call) -> Option<&'static str> {
    let name = match call.name.as_str() {
        "_sysctl" => "sysctl",
        "afs_syscall" => "afs",
        name => match name.strip_prefix("syscall_0x") {
            Some(number) => {
                let number = u32::from_str_radix(number, 16).ok()?;
                return events::catalogue::syscall(events::catalogue::Arch::X86_64, number)
                    .map(|event| event.name);
            }
            None => name,
        },
    };
    events::catalogue::by_name(name).map(|event| event.name)
}

/// Whether strace knows what the arguments of this call are; if not, it shows registers.
pub fn is_known_to_strace(call: &Call) -> bool {
    !call.name.starts_with("syscall_0x")
}

/// The position of strace's argument `index` among the arguments of the event.
fn position(call: &Call, index: usize, row: &Row) -> Option<usize> {
    if let Some((name, _)) = call.arguments.get(index)
        && !name.is_empty()
    {
        let name = if name == "child_stack" { "stack" } else { name };
        return row.event.arg(name).map(|(position, _)| position);
    }
    // A position of 64 bits comes in two registers for the sake of 32-bit machines.
    let is_split = matches!(row.name.as_str(), "preadv2" | "pwritev2");
    if is_split && index == 4 {
        return Some(5);
    }
    // FUTEX_WAIT_BITSET has no second address.
    if row.name == "futex" && index == 4 && call.arguments.len() == 5 {
        return Some(5);
    }
    Some(index)
}

/// All that differs between what strace shows of a call and the capture's row of it.
pub fn compare(call: &Call, row: &Row, bounds: Bounds) -> Vec<Finding> {
    let mut comparison = Comparison::new(bounds);
    for (index, (_, shown)) in call.arguments.iter().enumerate() {
        let Some(position) = position(call, index, row) else {
            comparison.value("?", shown, &Held::Missing);
            continue;
        };
        match (row.event.args.get(position), row.arguments.get(position)) {
            (Some(arg), Some(held)) if is_known_to_strace(call) => match moved(row, arg.name, shown, held) {
                Some(before) => comparison.value(arg.name, &before, held),
                None => comparison.value(arg.name, shown, held),
            },
            (Some(arg), Some(held)) => {
                comparison.register(arg.name, shown, held, !arg.kind.is_number());
            }
            // Registers past the arguments of a call that strace does not know.
            _ if !is_known_to_strace(call) => {}
            _ => comparison.value(&format!("argument {index}"), shown, &Held::Missing),
        }
    }
    // `{flags=...} => {parent_tid=[7]}`: the number of the child, which is the result too.
    if let Some((_, Shown::Change(_, after))) = call.arguments.first()
        && row.name == "clone3"
        && let Shown::Members(written) = after.as_ref()
    {
        for (name, value) in written.iter().filter(|(name, _)| name == "parent_tid") {
            comparison.value(name, value, &Held::Number(row.result.into()));
        }
    }
    result(call, row, &mut comparison);
    note(call, row, &mut comparison);
    comparison.findings
}

/// The judge judged: arguments that could be wrong in the capture without [`compare`] finding it.
pub fn unnoticed(call: &Call, row: &Row, bounds: Bounds) -> Vec<&'static str> {
    let mut names = Vec::new();
    for (index, (_, shown)) in call.arguments.iter().enumerate() {
        let Some(position) = position(call, index, row) else { continue };
        let Some(wrong) = row.arguments.get(position).and_then(Held::wrong) else { continue };
        let mut row = row.clone();
        if let Some(argument) = row.arguments.get_mut(position) {
            *argument = wrong;
        }
        if *shown != Shown::Nothing && compare(call, &row, bounds).is_empty() {
            names.extend(row.event.args.get(position).map(|arg| arg.name));
        }
    }
    names
}

/// Calls that copy move their offsets by as much as they copied, which is their result: what strace shows as it was
/// before the call, as it is after it. `None` where that is not so.
fn moved(row: &Row, name: &str, shown: &Shown, held: &Held) -> Option<Shown> {
    let copies = ["sendfile", "copy_file_range", "splice"].contains(&row.name.as_str());
    let Held::Number(after) = held else { return None };
    let before = Shown::List(vec![Shown::Number(after - i128::from(row.result))]);
    let after = Shown::List(vec![Shown::Number(*after)]);
    let is_offset = copies && name.starts_with("off") && row.result >= 0;
    let is_same = match shown {
        Shown::Change(shown, _) => **shown == before,
        _ => *shown == before,
    };
    match shown {
        Shown::Change(_, shown_after) if is_offset && is_same => Some((**shown_after).clone()),
        _ if is_offset && is_same => Some(after),
        _ => None,
    }
}

fn result(call: &Call, row: &Row, comparison: &mut Comparison) {
    let held = Held::Number(row.result.into());
    match call.result {
        Outcome::Value(number) => comparison.value("result", &Shown::Number(number), &held),
        Outcome::Error(number) => comparison.value("result", &Shown::Number(number.into()), &held),
        Outcome::Unknown => {}
    }
}

/// What strace adds after the result: descriptors that are ready, and the time that is left.
fn note(call: &Call, row: &Row, comparison: &mut Comparison) {
    let (Some(note), Outcome::Value(_)) = (&call.note, call.result) else { return };
    match row.name.as_str() {
        "poll" | "ppoll" => polled(note, row, comparison),
        "select" | "pselect6" => selected(call, note, row, comparison),
        // The same number in words.
        _ => {}
    }
}

fn parts(note: &str) -> Vec<(String, Shown)> {
    let mut reader = Reader::new(note);
    let mut parts = Vec::new();
    loop {
        let name = ["in ", "out ", "except ", "left "].into_iter().find(|name| reader.take(name));
        match reader.value() {
            Ok(value) => parts.push((name.unwrap_or_default().trim().to_owned(), value)),
            Err(_) => return parts,
        }
        if !reader.take(", ") {
            return parts;
        }
    }
}

/// `[{fd=3, revents=0x1}]`: only the descriptors that are ready.
fn polled(note: &str, row: &Row, comparison: &mut Comparison) {
    let Some(Held::List(held)) = row.arguments.first() else { return };
    for (name, value) in parts(note) {
        if name == "left" {
            comparison.value("left", &value, row.arguments.get(2).unwrap_or(&Held::Missing));
        } else if let Shown::List(ready) = value {
            let has_events = |held: &&Held| match held {
                Held::Members(members) => {
                    members.iter().any(|(n, v)| n == "revents" && *v != Held::Number(0))
                }
                _ => false,
            };
            let held: Vec<Held> = held.iter().filter(has_events).cloned().collect();
            comparison.value("ready", &Shown::List(ready), &Held::List(held));
        }
    }
}

/// `in [3], left {tv_sec=0, tv_usec=0}`: the sets as the call left them, which is how the capture has them.
fn selected(call: &Call, note: &str, row: &Row, comparison: &mut Comparison) {
    for (name, value) in parts(note) {
        let position = match name.as_str() {
            "in" => 1,
            "out" => 2,
            "except" => 3,
            _ => 4,
        };
        let held = row.arguments.get(position).unwrap_or(&Held::Missing);
        let place = row.event.args.get(position).map_or("", |arg| arg.name);
        comparison.value(place, &value, held);
        // What it was before is not kept.
        let before = call.arguments.get(position).map(|(_, shown)| shown);
        if before != Some(&value) {
            comparison.findings.retain(|finding| {
                !(finding.place.starts_with(place) && matches!(finding.what, Kind::Different { .. }))
            });
            let shown = format!("{before:?}");
            comparison.findings.push(Finding { place: place.to_owned(), what: Kind::Before { shown } });
        }
    }
}
