//! Vectors of buffers and messages.

use super::{Leaf, Parts, Shape, sockaddr};
use crate::consts::Names;
use crate::vectors::{Message, Vector, Vectors};

pub(super) fn vectors(bytes: &[u8], parts: &mut dyn Parts) {
    match Vectors::read(bytes) {
        Some(vectors) => list(vectors, parts),
        None => parts.leaf(Leaf::Nothing),
    }
}

pub(super) fn messages(bytes: &[u8], many: bool, parts: &mut dyn Parts) {
    if !many {
        return match Message::read(bytes) {
            Some((message, _)) => walk(&message, None, parts),
            None => parts.leaf(Leaf::Nothing),
        };
    }
    parts.open(Shape::List);
    for message in Message::all(bytes) {
        walk(&message, Some(message.length), parts);
    }
    parts.close(Shape::List);
}

fn list(vectors: Vectors<'_>, parts: &mut dyn Parts) {
    parts.open(Shape::List);
    for Vector { address, length, data } in vectors.iter() {
        parts.open(Shape::Record);
        parts.member("iov_base");
        // Where nothing was kept, the address is what is known.
        parts.leaf(if data.is_empty() && length > 0 { Leaf::Pointer(address) } else { Leaf::Bytes(data) });
        parts.member("iov_len");
        parts.leaf(Leaf::Unsigned(length));
        parts.close(Shape::Record);
    }
    parts.close(Shape::List);
}

fn walk(message: &Message<'_>, length: Option<u32>, parts: &mut dyn Parts) {
    // In struct msghdr: msg_namelen at 8, msg_iovlen at 24, msg_controllen at 40, msg_flags at 48.
    let word = |at: usize| {
        message.header.get(at..).and_then(|rest| rest.first_chunk()).map(|b| u32::from_le_bytes(*b))
    };
    let size = |at: usize| {
        let bytes = message.header.get(at..).and_then(|rest| rest.first_chunk());
        Leaf::Unsigned(bytes.map_or(0, |b| u64::from_le_bytes(*b)))
    };
    parts.open(Shape::Record);
    parts.member("msg_name");
    if message.name.is_empty() {
        parts.leaf(Leaf::Nothing)
    } else {
        sockaddr::walk(message.name, parts)
    }
    parts.member("msg_namelen");
    parts.leaf(Leaf::Unsigned(word(8).unwrap_or(0).into()));
    parts.member("msg_iov");
    list(message.vectors, parts);
    parts.member("msg_iovlen");
    parts.leaf(size(24));
    parts.member("msg_control");
    if message.control.is_empty() {
        parts.leaf(Leaf::Nothing)
    } else {
        parts.leaf(Leaf::Bytes(message.control))
    }
    parts.member("msg_controllen");
    parts.leaf(size(40));
    parts.member("msg_flags");
    parts.leaf(Leaf::Named(Names::MsgFlags.show(word(48).unwrap_or(0).into())));
    if let Some(length) = length {
        parts.member("msg_len");
        parts.leaf(Leaf::Unsigned(length.into()));
    }
    parts.close(Shape::Record);
}
