//! Socket addresses.

use super::{Leaf, Parts, Shape};
use crate::consts::Names;

/// Walks a `struct sockaddr`. Members that the bytes do not reach are left out; of one too short for any, what there
/// is.
pub(super) fn walk(bytes: &[u8], parts: &mut dyn Parts) {
    let Some(family) = number::<2>(bytes, 0).map(u16::from_le_bytes) else {
        return parts.leaf(Leaf::Nothing);
    };
    parts.open(Shape::Map);
    parts.member("sa_family");
    match Names::Domain.table().and_then(|table| table.name(u64::from(family))) {
        Some(name) => parts.leaf(Leaf::Word(name)),
        None => parts.leaf(Leaf::Unsigned(u64::from(family))),
    }
    match family {
        INET | INET6 | NETLINK | PACKET | VSOCK if bytes.len() < 4 => {
            member("sa_data", bytes.get(2..).filter(|data| !data.is_empty()).map(Leaf::Bytes), parts);
        }
        UNIX => unix(bytes, parts),
        INET => {
            member("sin_addr", number(bytes, 4).map(Leaf::Ipv4), parts);
            member("sin_port", be16(bytes, 2), parts);
        }
        INET6 => {
            member("sin6_addr", number(bytes, 8).map(Leaf::Ipv6), parts);
            member(
                "sin6_flowinfo",
                number(bytes, 4).map(|b| Leaf::Unsigned(u32::from_be_bytes(b).into())),
                parts,
            );
            member("sin6_port", be16(bytes, 2), parts);
            member("sin6_scopeid", ne32(bytes, 24), parts);
        }
        NETLINK => {
            member("nl_groups", ne32(bytes, 8), parts);
            member("nl_pid", ne32(bytes, 4), parts);
        }
        PACKET => {
            let length = bytes.get(11).map_or(0, |length| usize::from(*length));
            let address = bytes.get(12..).map(|rest| &rest[..rest.len().min(length)]);
            member("sll_addr", address.map(Leaf::Hardware), parts);
            member(
                "sll_hatype",
                number(bytes, 8).map(|b| Leaf::Unsigned(u16::from_le_bytes(b).into())),
                parts,
            );
            member(
                "sll_ifindex",
                number(bytes, 4).map(|b| Leaf::Signed(i32::from_le_bytes(b).into())),
                parts,
            );
            member("sll_pkttype", bytes.get(10).map(|kind| Leaf::Unsigned(u64::from(*kind))), parts);
            member("sll_protocol", be16(bytes, 2), parts);
        }
        VSOCK => {
            member("svm_cid", ne32(bytes, 8), parts);
            member("svm_port", ne32(bytes, 4), parts);
        }
        _ => {}
    }
    parts.close(Shape::Map);
}

const UNIX: u16 = 1;
const INET: u16 = 2;
const INET6: u16 = 10;
const NETLINK: u16 = 16;
const PACKET: u16 = 17;
const VSOCK: u16 = 40;

/// A path, the name of an abstract socket (which begins with a NUL and may hold more), or nothing: an unnamed one.
fn unix(bytes: &[u8], parts: &mut dyn Parts) {
    let path = bytes.get(2..).unwrap_or(&[]);
    let leaf = match path.split_first() {
        Some((0, name)) if name.iter().any(|byte| *byte != 0) => {
            let end = name.iter().rposition(|byte| *byte != 0).map_or(0, |last| last + 1);
            Leaf::Abstract(name.get(..end).unwrap_or(name))
        }
        _ => Leaf::Text(path.split(|byte| *byte == 0).next().unwrap_or(&[])),
    };
    member("sun_path", Some(leaf), parts);
}

fn member(name: &str, leaf: Option<Leaf<'_>>, parts: &mut dyn Parts) {
    if let Some(leaf) = leaf {
        parts.member(name);
        parts.leaf(leaf);
    }
}

fn number<const N: usize>(bytes: &[u8], at: usize) -> Option<[u8; N]> {
    bytes.get(at..)?.first_chunk().copied()
}

fn be16(bytes: &[u8], at: usize) -> Option<Leaf<'static>> {
    number(bytes, at).map(|b| Leaf::Unsigned(u16::from_be_bytes(b).into()))
}

fn ne32(bytes: &[u8], at: usize) -> Option<Leaf<'static>> {
    number(bytes, at).map(|b| Leaf::Unsigned(u32::from_le_bytes(b).into()))
}
