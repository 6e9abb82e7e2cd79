//! Structures of the kernel's interface.

use super::field::{Field, Form, field};
use super::{Leaf, Parts, Shape, layout, layout_system};
use crate::consts::Names;
use crate::structs::StructKind;

/// Walks one structure, as far as its bytes reach. `names`: of the number, where the structure is only a number.
pub(super) fn walk(kind: StructKind, bytes: &[u8], names: Names, parts: &mut dyn Parts) {
    if let Some(form) = scalar(kind) {
        let leaf = field("", 0, form).named(names).leaf(bytes);
        return parts.leaf(leaf.unwrap_or(Leaf::Nothing));
    }
    match kind {
        StructKind::SigSet => signals(bytes, parts),
        StructKind::FdPair => {
            parts.open(Shape::List);
            for descriptor in bytes.chunks_exact(4) {
                parts.leaf(field("", 0, Form::I32).leaf(descriptor).unwrap_or(Leaf::Nothing));
            }
            parts.close(Shape::List);
        }
        StructKind::SigInfo => signal_info(bytes, parts),
        StructKind::CapData => capabilities(bytes, parts),
        StructKind::SlimCred => fields(layout::of(kind), bytes, Shape::Struct, parts),
        _ => match layout::of(kind) {
            [] => parts.leaf(Leaf::Bytes(bytes)),
            known => fields(known, bytes, Shape::Record, parts),
        },
    }
}

/// Walks structures that stand one after the other.
pub(super) fn array(kind: StructKind, bytes: &[u8], names: Names, parts: &mut dyn Parts) {
    parts.open(Shape::List);
    for element in bytes.chunks_exact(usize::from(kind.size()).max(1)) {
        walk(kind, element, names, parts);
    }
    parts.close(Shape::List);
}

/// Walks the attributes of a `bpf` call, which its command tells apart.
pub(super) fn bpf(command: u64, bytes: &[u8], parts: &mut dyn Parts) {
    match layout_system::bpf(command) {
        [] => parts.leaf(Leaf::Bytes(bytes)),
        known => fields(known, bytes, Shape::Record, parts),
    }
}

fn fields(fields: &[Field], bytes: &[u8], shape: Shape, parts: &mut dyn Parts) {
    parts.open(shape);
    for field in fields {
        field.walk(bytes, parts);
    }
    parts.close(shape);
}

/// Structures that are only a number.
fn scalar(kind: StructKind) -> Option<Form> {
    Some(match kind {
        StructKind::Int => Form::I32,
        StructKind::UInt | StructKind::Id => Form::U32,
        StructKind::U16 => Form::U16,
        StructKind::Long => Form::I64,
        StructKind::ULong | StructKind::U64 => Form::U64,
        StructKind::Pointer => Form::Pointer,
        _ => return None,
    })
}

/// A set of signals, by name: bit 0 is signal 1.
fn signals(bytes: &[u8], parts: &mut dyn Parts) {
    parts.open(Shape::List);
    for (at, byte) in bytes.iter().enumerate() {
        for bit in (0..8).filter(|bit| byte & (1 << bit) != 0) {
            parts.leaf(Leaf::Named(Names::Signal.show(at as u64 * 8 + bit + 1)));
        }
    }
    parts.close(Shape::List);
}

/// Effective, permitted and inheritable sets: the low halves of all three, then the high halves.
fn capabilities(bytes: &[u8], parts: &mut dyn Parts) {
    let word =
        |at: usize| bytes.get(at..).and_then(|rest| rest.first_chunk()).map(|b| u32::from_le_bytes(*b));
    parts.open(Shape::Record);
    for (at, name) in ["effective", "permitted", "inheritable"].iter().enumerate() {
        let Some(low) = word(at * 4) else { continue };
        let high = word(12 + at * 4).unwrap_or(0);
        parts.member(name);
        parts.leaf(Leaf::Named(Names::CapabilitySet.show(u64::from(high) << 32 | u64::from(low))));
    }
    parts.close(Shape::Record);
}

/// What a `siginfo_t` holds depends on its signal and on who sent it.
fn signal_info(bytes: &[u8], parts: &mut dyn Parts) {
    const HEAD: [Field; 3] = [
        field("si_signo", 0, Form::I32).named(Names::Signal),
        field("si_errno", 4, Form::I32),
        field("si_code", 8, Form::I32),
    ];
    const CHILD: [Field; 5] = [
        field("si_pid", 16, Form::I32),
        field("si_uid", 20, Form::U32),
        field("si_status", 24, Form::I32),
        field("si_utime", 32, Form::I64),
        field("si_stime", 40, Form::I64),
    ];
    const FAULT: [Field; 1] = [field("si_addr", 16, Form::Pointer)];
    const SENT: [Field; 3] = [
        field("si_pid", 16, Form::I32),
        field("si_uid", 20, Form::U32),
        field("si_value", 24, Form::Pointer),
    ];
    let number =
        |at: usize| bytes.get(at..).and_then(|rest| rest.first_chunk()).map_or(0, |b| i32::from_le_bytes(*b));
    let tail: &[Field] = match (number(0), number(8)) {
        (17, 1..) => &CHILD,
        (4 | 5 | 7 | 8 | 11, 1..) => &FAULT,
        _ => &SENT,
    };
    parts.open(Shape::Record);
    for field in HEAD.iter().chain(tail) {
        field.walk(bytes, parts);
    }
    parts.close(Shape::Record);
}
