//! Records as the kernel programs write them, from bytes that they did not write. The first byte of each piece says how it
//! comes and how long it is.
#![no_main]

use events::{Context, abi::Slot, catalogue};
use libfuzzer_sys::fuzz_target;
use recorder::kernel::{Drain, Loss, Record, Records, SlotEvent};

struct Judge;

impl Records for Judge {
    fn context(&mut self, _: u32, context: &Context<'_>) {
        std::hint::black_box(context);
    }

    fn record(&mut self, record: &Record<'_>) {
        let event = catalogue::by_id(record.event).expect("an event of the catalogue");
        assert_eq!(record.args.len(), event.args.len());
        let arg = |position: usize| record.args.get(position).copied().unwrap_or(events::Raw::Missing);
        for position in 0..event.args.len() {
            drop(events::show::shown(event, position, &arg, true).to_string());
        }
    }

    fn lost(&mut self, _: &Loss) {}
}

fuzz_target!(|bytes: &[u8]| {
    let mut slots = vec![None; Slot::COUNT];
    for (slot, event) in slots.iter_mut().zip(catalogue::events()) {
        *slot = Some(SlotEvent::new(event));
    }
    let mut drain = Drain::new(slots, 2, 0, Vec::new());
    let mut rest = bytes;
    while let Some((first, after)) = rest.split_first() {
        let length = (usize::from(*first >> 1) * 8).min(after.len());
        let (piece, after) = after.split_at(length);
        if first & 1 == 0 { drain.take_piece(piece) } else { drain.take_packet(piece) }
        rest = after;
    }
    drain.release(u64::MAX, &mut Judge);
});
