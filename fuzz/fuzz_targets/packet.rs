//! What is derived from a packet's bytes, from the IP header on.
#![no_main]

use events::{Raw, catalogue};
use libfuzzer_sys::fuzz_target;
use pipeline::Args;
use pipeline::derive::packets::segment;
use pipeline::derive::packets::stream::{Key, Streams};
use pipeline::derive::{Base, Derived, Rules};

fuzz_target!(|packet: &[u8]| {
    let Some(event) = catalogue::by_name("net_packet") else { return };
    let values = [Raw::Bytes(packet), Raw::Number(packet.len() as u64), Raw::Number(0), Raw::Number(2)];
    let (mut streams, mut messages) = (Streams::default(), Vec::new());
    if let Some(part) = segment(packet, packet.len() as u64) {
        let key = Key { host: 0, cookie: 0, direction: 0, source: part.source, destination: part.destination };
        streams.feed(key, part.protocol, part.segment, || (), &mut messages);
        messages.extend(streams.finish(0).into_iter().flat_map(|((), messages)| messages));
    }
    let messages: Vec<_> = messages.into_iter().map(|message| (0, message)).collect();
    let mut derived = Derived::default();
    let base = Base { event, args: Args::List(&values), ret: 0, exe: b"", messages: &messages, only_messages: false };
    Rules::new(|_| 1).derive(&base, 1, &mut derived);
    for index in 0..derived.len() {
        let mut values = Vec::new();
        let event = derived.get(index, &mut values).expect("below its length");
        let arg = |position: usize| values.get(position).copied().unwrap_or(Raw::Missing);
        for position in 0..event.args.len() {
            drop(events::show::shown(event, position, &arg, true).to_string());
        }
    }
});
