//! Messages to the kernel's audit: netlink's header and a text each.

use crate::derive::Derived;

/// `nlmsghdr`: u32 length of all, u16 type, u16 flags, u32 sequence, u32 port.
const HEADER: usize = 16;
/// Types that programs may send: `AUDIT_USER`, and the two ranges of messages of users.
const OF_USERS: [std::ops::RangeInclusive<u16>; 3] = [1005..=1005, 1100..=1199, 2100..=2999];

pub fn derive(mut bytes: &[u8], is_cut: bool, derived: &mut Derived) {
    while let Some((header, rest)) = bytes.split_first_chunk::<HEADER>() {
        let [l0, l1, l2, l3, t0, t1, ..] = *header;
        let Some(length) = (u32::from_le_bytes([l0, l1, l2, l3]) as usize).checked_sub(HEADER) else {
            return;
        };
        let kind = u16::from_le_bytes([t0, t1]);
        let (payload, is_torn) = match rest.get(..length) {
            Some(payload) => (payload, false),
            None => (rest, is_cut),
        };
        if OF_USERS.iter().any(|range| range.contains(&kind)) && derived.begin(super::AUDIT) {
            let text = payload.split(|byte| *byte == 0).next().unwrap_or_default();
            derived.number("type", kind.into());
            derived.bytes("text", |out| out.extend_from_slice(text));
            if is_torn {
                derived.cut("text");
            }
        }
        // Messages begin at multiples of four.
        bytes = rest.get(length.next_multiple_of(4)..).unwrap_or_default();
    }
}
