//! Perfetto's trace format, which `ui.perfetto.dev` and `trace_processor` open: a track a process and a thread, each event an
//! instant on its thread's track with its arguments as annotations, and the life of each process as a slice with the
//! programs that it ran inside. Calls of which it is known how long they took (`record --timing`) are slices on their
//! thread's track, from their beginning to their end.
//!
//! Tracks and slices stand before the events: a first reading fills them, see [`survey`].

mod proto;
mod survey;

use events::consts::errno;
use events::{Marks, Raw};
use pipeline::EventView;
use replay::render::values;

use super::{Writes, facts};
use proto::Message;
pub use survey::Tracks;

/// Fields of `Trace`, `TracePacket`, `TrackEvent` and what these hold.
mod field {
    pub const PACKET: u32 = 1;

    pub const CLOCK_SNAPSHOT: u32 = 6;
    pub const TIMESTAMP: u32 = 8;
    pub const SEQUENCE: u32 = 10;
    pub const TRACK_EVENT: u32 = 11;
    pub const SEQUENCE_FLAGS: u32 = 13;
    pub const TRACK_DESCRIPTOR: u32 = 60;

    pub const ANNOTATION: u32 = 4;
    pub const TYPE: u32 = 9;
    pub const TRACK: u32 = 11;
    pub const CATEGORY: u32 = 22;
    pub const NAME: u32 = 23;
    pub const FLOW: u32 = 47;
    pub const ENDING_FLOW: u32 = 48;

    pub const ANNOTATION_INT: u32 = 4;
    pub const ANNOTATION_TEXT: u32 = 6;
    pub const ANNOTATION_NAME: u32 = 10;
}

const SLICE_BEGIN: u64 = 1;
const SLICE_END: u64 = 2;
const INSTANT: u64 = 3;

/// Times rise within a sequence; slices are told before the events.
const EVENTS: u64 = 1;
const SLICES: u64 = 2;
/// What was said before on a sequence is forgotten.
const STATE_CLEARED: u64 = 1;

fn packet(out: &mut Vec<u8>, fill: impl FnOnce(&mut Message<'_>)) {
    Message(out).message(field::PACKET, fill);
}

#[derive(Debug, Default)]
pub struct Perfetto {
    text: Vec<u8>,
}

impl Writes for Perfetto {
    fn event(&mut self, event: &EventView<'_>, out: &mut Vec<u8>) -> bool {
        let text = &mut self.text;
        let ended_ns = event.wall_ns.max(0) as u64;
        let began_ns = event.duration_ns.map(|took_ns| ended_ns.saturating_sub(took_ns));
        packet(out, |packet| {
            packet.number(field::TIMESTAMP, began_ns.unwrap_or(ended_ns));
            packet.number(field::SEQUENCE, EVENTS);
            let kind = if began_ns.is_some() { SLICE_BEGIN } else { INSTANT };
            packet.message(field::TRACK_EVENT, |of| told(event, kind, text, of));
        });
        // What had not returned goes on to the end of the trace.
        if began_ns.is_some() && !event.marks.has(Marks::UNFINISHED) {
            packet(out, |packet| {
                packet.number(field::TIMESTAMP, ended_ns);
                packet.number(field::SEQUENCE, EVENTS);
                packet.message(field::TRACK_EVENT, |of| {
                    of.number(field::TYPE, SLICE_END);
                    of.number(field::TRACK, track_of(event));
                });
            });
        }
        true
    }
}

fn track_of(event: &EventView<'_>) -> u64 {
    thread_track(event.context.tid, event.context.thread_start_ns)
}

/// What is told of an event, as an instant or as the beginning of a slice.
fn told(event: &EventView<'_>, kind: u64, text: &mut Vec<u8>, of: &mut Message<'_>) {
    let context = event.context;
    of.number(field::TYPE, kind);
    of.number(field::TRACK, track_of(event));
    of.text(field::CATEGORY, if event.event.is_syscall() { b"syscall" } else { b"event" });
    of.text(field::NAME, event.event.name.as_bytes());
    if event.event.name == "sched_process_fork"
        && let Some(child) = facts::number(event, &["child_tid"])
    {
        of.fixed64(field::FLOW, flow(child as u32, event.wall_ns));
    }
    for (position, arg) in event.event.listed_args().iter().enumerate() {
        if event.args.get(position) == Raw::Missing {
            continue;
        }
        text.clear();
        values::text(event, position, true, text);
        annotate(arg.name, Annotation::Text(text), of);
    }
    if event.event.is_syscall() && !event.marks.has(Marks::UNFINISHED) {
        annotate("return", Annotation::Int(event.ret), of);
        if let Some(name) = errno::of_result(event.ret) {
            annotate("errno", Annotation::Text(name.as_bytes()), of);
        }
    }
    annotate("comm", Annotation::Text(context.comm), of);
    annotate("uid", Annotation::Int(context.uid.into()), of);
    if let Some(container) = event.container.filter(|container| !container.id.is_empty()) {
        annotate("container", Annotation::Text(container.id.as_bytes()), of);
    }
}

enum Annotation<'a> {
    Int(i64),
    Text(&'a [u8]),
}

fn annotate(name: &str, value: Annotation<'_>, of: &mut Message<'_>) {
    of.message(field::ANNOTATION, |annotation| {
        match value {
            Annotation::Int(number) => annotation.signed(field::ANNOTATION_INT, number),
            Annotation::Text(text) => annotation.text(field::ANNOTATION_TEXT, text),
        }
        annotation.text(field::ANNOTATION_NAME, name.as_bytes());
    });
}

/// Numbers are given again; with the time at which it began, one is the same thread or process for good.
fn thread_track(tid: u32, start_ns: u64) -> u64 {
    mixed(&[1, tid.into(), start_ns])
}

fn process_track(pid: u32, start_ns: u64) -> u64 {
    mixed(&[2, pid.into(), start_ns])
}

/// The arrow from a fork to its child.
fn flow(child: u32, wall_ns: i64) -> u64 {
    mixed(&[3, child.into(), wall_ns as u64])
}

/// FNV-1a; no track is 0.
fn mixed(words: &[u64]) -> u64 {
    let bytes = words.iter().flat_map(|word| word.to_le_bytes());
    bytes.fold(0xcbf2_9ce4_8422_2325, |hash: u64, byte| {
        (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3)
    }) | 1
}
