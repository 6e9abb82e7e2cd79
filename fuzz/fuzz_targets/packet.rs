//! What is derived from a packet's bytes, from the IP header on.
#![no_main]

use events::{Raw, catalogue};
use libfuzzer_sys::fuzz_target;
use pipeline::Args;
use pipeline::derive::{Base, Derived, Rules};

fuzz_target!(|packet: &[u8]| {
    let Some(event) = catalogue::by_name("net_packet") else { return };
    let values = [Raw::Bytes(packet), Raw::Number(packet.len() as u64), Raw::Number(0), Raw::Number(2)];
    let mut derived = Derived::default();
    Rules::new(|_| 1).derive(&Base { event, args: Args::List(&values), ret: 0 }, 1, &mut derived);
    for index in 0..derived.len() {
        let mut values = Vec::new();
        let event = derived.get(index, &mut values).expect("below its length");
        let arg = |position: usize| values.get(position).copied().unwrap_or(Raw::Missing);
        for position in 0..event.args.len() {
            drop(events::show::shown(event, position, &arg, true).to_string());
        }
    }
});
