//! What the drain makes of bytes that no program wrote: nothing panics, every event that comes out is one of the catalogue
//! with as many arguments as it declares, can be shown, and the drain goes on with what follows.
//!
//!     TRACER_SECONDS=300 cargo test --test any_bytes        tries for so long
#![cfg(target_os = "linux")]

mod noise;

use std::time::{Duration, Instant};

use events::{
    Context,
    abi::{BLOB_HEADER_BYTES, HEADER_BYTES, Slot, files, form, kind},
    catalogue,
};
use noise::Noise;
use recorder::kernel::{Drain, Loss, Record, Records, SlotEvent};

/// Events of all kinds of arguments, by their slots.
const CALLS: [&str; 10] = [
    "read",
    "openat",
    "execve",
    "writev",
    "sendmsg",
    "connect",
    "getdents64",
    "epoll_wait",
    "bpf",
    "sched_process_exec",
];

#[derive(Default)]
struct Judge {
    events: u64,
    contexts: u64,
}

impl Records for Judge {
    fn context(&mut self, _: u32, _: &Context<'_>) {
        self.contexts += 1;
    }

    fn record(&mut self, record: &Record<'_>) {
        let event = catalogue::by_id(record.event).expect("an event of the catalogue");
        assert_eq!(record.args.len(), event.args.len(), "{}", event.name);
        let arg = |position: usize| record.args.get(position).copied().unwrap_or(events::Raw::Missing);
        for position in 0..event.args.len() {
            drop(events::show::shown(event, position, &arg, true).to_string());
        }
        self.events += 1;
    }

    fn lost(&mut self, _: &Loss) {}
}

fn slots() -> Vec<Option<SlotEvent>> {
    let mut slots = vec![None; Slot::COUNT];
    for (slot, name) in CALLS.iter().enumerate() {
        slots[slot] = catalogue::by_name(name).map(SlotEvent::new);
    }
    // All other events, wherever there is room.
    let others = catalogue::events().filter(|event| !CALLS.contains(&event.name));
    for (slot, event) in slots.iter_mut().skip(CALLS.len()).zip(others) {
        *slot = Some(SlotEvent::new(event));
    }
    slots
}

/// A record that could be one: its length is right, and its kind, slot, words and blobs are anything.
fn record(noise: &mut Noise) -> Vec<u8> {
    let kinds = [kind::EVENT, kind::EVENT, kind::CONTEXT, kind::FILE, kind::ENTRY, kind::EXECED, 77];
    let words = noise.below(20) as u8;
    let mut bytes = vec![0; HEADER_BYTES];
    for _ in 0..words {
        bytes.extend_from_slice(&noise.next().to_ne_bytes());
    }
    for _ in 0..noise.below(5) {
        let forms = [form::PLAIN, form::PATH, form::PSEUDO_PATH, form::PARTIAL_PATH, form::FILE, 99];
        let length = noise.below(60) as u32;
        // Now and then it says that it is longer than it is.
        let said = if noise.below(9) == 0 { noise.next() as u32 } else { length };
        bytes.extend_from_slice(&said.to_ne_bytes());
        bytes.extend([noise.below(10) as u8, forms[noise.below(forms.len())]]);
        bytes.extend_from_slice(&(noise.below(files::PLACES as usize * 2) as u16).to_ne_bytes());
        bytes.extend((0..length.next_multiple_of(8)).map(|_| noise.next() as u8));
    }
    let length = bytes.len() as u32;
    // Half of them are calls that have many kinds of arguments.
    let slots = if noise.below(2) == 0 { CALLS.len() } else { Slot::COUNT };
    let slot = noise.below(slots + 3);
    bytes[..8].copy_from_slice(&(noise.below(1_000_000) as u64).to_ne_bytes());
    bytes[8..12].copy_from_slice(&length.to_ne_bytes());
    bytes[12..14].copy_from_slice(&(slot as u16).to_ne_bytes());
    bytes[14] = kinds[noise.below(kinds.len())];
    bytes[15] = words;
    bytes[16..24].copy_from_slice(&(noise.below(50) as u64).to_ne_bytes());
    bytes[24..32].copy_from_slice(&noise.next().to_ne_bytes());
    bytes[32..36].copy_from_slice(&(noise.next() as u32).to_ne_bytes());
    bytes[36] = noise.below(3) as u8;
    bytes
}

#[test]
#[allow(clippy::print_stdout)]
fn any_bytes_are_records_or_none() {
    assert_eq!(BLOB_HEADER_BYTES, 8);
    let mut noise = Noise(0x9e37_79b9_7f4a_7c15);
    let (mut drain, mut judge) = (Drain::new(slots(), 2, 0, Vec::new()), Judge::default());
    let seconds = std::env::var("TRACER_SECONDS").ok().and_then(|text| text.parse().ok());
    let ends = seconds.map(|seconds| Instant::now() + Duration::from_secs(seconds));
    let mut rounds = 0;
    while rounds < 20_000 || ends.is_some_and(|ends| Instant::now() < ends) {
        let round = rounds;
        rounds += 1;
        let mut piece = record(&mut noise);
        for _ in 0..noise.below(4) {
            // Of the same write: the one before says that another follows.
            piece[38] = 1;
            piece.extend(record(&mut noise));
        }
        // Some are torn, some have bytes that were overwritten, and some are nothing at all.
        match noise.below(6) {
            0 => piece.truncate(noise.below(piece.len() + 1)),
            1 => {
                for _ in 0..1 + noise.below(6) {
                    let at = noise.below(piece.len());
                    piece[at] = noise.next() as u8;
                }
            }
            2 if round % 7 == 0 => piece.iter_mut().for_each(|byte| *byte = noise.next() as u8),
            _ => {}
        }
        if noise.below(5) == 0 {
            drain.take_packet(&piece)
        } else {
            drain.take_piece(&piece)
        }
        if round % 50 == 0 {
            drain.release(u64::MAX, &mut judge);
        }
    }
    drain.release(u64::MAX, &mut judge);
    println!("{rounds} pieces, {} events", judge.events);
    assert!(judge.events > 5_000, "only {} events came out", judge.events);
}
