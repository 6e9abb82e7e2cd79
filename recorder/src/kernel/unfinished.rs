//! Calls that had not returned when the recording ended, where calls are timed: what the programs noted at their beginning
//! is told as rows of their own. Numbers are known then, and what they point to is not.

use events::{
    Marks,
    abi::{
        RecordHeader, Slot, kind,
        multiplexed::{self, source},
        tables::Begun,
    },
};

use super::{Records, decode::Unread, drain::Drain};

/// Arguments of a call.
const WORDS: usize = 6;

impl Drain {
    /// Gives the sink a row for each of these calls, at this time (monotonic clock), those that began first before others.
    pub fn give_unfinished(&mut self, mut begun: Vec<Begun>, now_ns: u64, sink: &mut impl Records) {
        begun.sort_unstable_by_key(|call| (call.time_ns, call.tid));
        for call in begun {
            let Some((slot, arguments)) = meant(&call) else { continue };
            let compat = if call.compat != 0 { Marks::COMPAT } else { 0 };
            let header = RecordHeader {
                time_ns: now_ns,
                slot,
                kind: kind::EVENT,
                words: WORDS as u8,
                context: self.context_of(call.tid as u32),
                marks: Marks::AT_ENTRY | Marks::UNFINISHED | compat,
                ..RecordHeader::default()
            };
            self.give(&Unread::new(header, &arguments), call.time_ns, sink);
        }
    }
}

/// The slot of the call that is meant, and its arguments, as far as they were in registers; `None` where the call cannot be
/// any that is recorded.
fn meant(call: &Begun) -> Option<(u16, [u64; WORDS])> {
    let slot = u16::try_from(call.slot).ok()?;
    let number =
        slot.checked_sub(Slot::COMPAT_BASE as u16).filter(|number| multiplexed::ALL.contains(number));
    let Some(number) = number else { return Some((slot, call.arguments)) };
    let [selector, ..] = call.arguments;
    let meant = multiplexed::TABLE.get(multiplexed::index(number, selector as u32)?)?;
    if meant.slot == 0 {
        return None;
    }
    let argument = |source: u8| match source {
        source::ARGUMENT..source::LIST => {
            call.arguments.get(usize::from(source - source::ARGUMENT)).copied().unwrap_or_default()
        }
        // In a list in its memory, which is not read.
        _ => 0,
    };
    Some((meant.slot, meant.sources.map(argument)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_call_through_another_one_is_told_as_what_it_means() {
        let base = Slot::COMPAT_BASE as u64;
        let call = |number: u16, arguments: [u64; 6]| Begun {
            slot: base + u64::from(number),
            arguments,
            ..Begun::default()
        };
        // ipc(SEMOP, id, count, 0, operations)
        let (slot, arguments) = meant(&call(multiplexed::IPC, [1, 7, 2, 0, 0xffee, 0])).unwrap();
        assert_eq!(slot, Slot::COMPAT_BASE as u16 + multiplexed::FIRST_OWN + 1);
        assert_eq!(arguments, [7, 0xffee, 2, 0, 0, 0]);
        assert_eq!(meant(&call(multiplexed::SOCKETCALL, [99, 0, 0, 0, 0, 0])), None);
        let read = call(3, [5, 0x1000, 16, 0, 0, 0]);
        assert_eq!(meant(&read), Some((Slot::COMPAT_BASE as u16 + 3, read.arguments)));
    }
}
