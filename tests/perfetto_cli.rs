//! `tracer export --to perfetto`: decoded again, every event is there once, tracks are known, and slices are closed.

mod program;

use std::collections::{BTreeMap, HashMap, HashSet};

use program::{Folder, printed, text, tracer};
use serde_json::Value;

/// Fields of a message: numbers, and bytes.
#[derive(Debug, Default)]
struct Message {
    numbers: HashMap<u64, Vec<u64>>,
    bytes: HashMap<u64, Vec<Vec<u8>>>,
}

impl Message {
    fn read(mut bytes: &[u8]) -> Message {
        let mut message = Message::default();
        while !bytes.is_empty() {
            let key = varint(&mut bytes);
            let field = key >> 3;
            match key & 7 {
                0 => message.numbers.entry(field).or_default().push(varint(&mut bytes)),
                1 => {
                    let (number, rest) = bytes.split_first_chunk().expect("eight bytes");
                    bytes = rest;
                    message.numbers.entry(field).or_default().push(u64::from_le_bytes(*number));
                }
                2 => {
                    let length = varint(&mut bytes) as usize;
                    let (value, rest) = bytes.split_at(length);
                    bytes = rest;
                    message.bytes.entry(field).or_default().push(value.to_vec());
                }
                wire => panic!("wire type {wire}"),
            }
        }
        message
    }

    fn number(&self, field: u64) -> Option<u64> {
        self.numbers.get(&field)?.first().copied()
    }

    fn message(&self, field: u64) -> Option<Message> {
        Some(Message::read(self.bytes.get(&field)?.first()?))
    }

    fn text(&self, field: u64) -> Option<String> {
        Some(String::from_utf8(self.bytes.get(&field)?.first()?.clone()).expect("UTF-8"))
    }
}

fn varint(bytes: &mut &[u8]) -> u64 {
    let mut number = 0;
    for shift in (0..64).step_by(7) {
        let (byte, rest) = bytes.split_first().expect("a byte");
        *bytes = rest;
        number |= u64::from(byte & 0x7f) << shift;
        if byte & 0x80 == 0 {
            break;
        }
    }
    number
}

#[test]
fn a_trace_has_each_event_once_on_its_thread_and_closes_its_slices() {
    let folder = Folder::new();
    for name in ["tree", "threads", "id-ls"] {
        let file = format!("{}/fixtures/{name}.trz", env!("CARGO_MANIFEST_DIR"));
        let target = text(&folder.path(&format!("{name}.pftrace")));
        printed(&["export", &file, "--to", "perfetto", "-o", &target, "-q", "-f", "pid>=0"]);
        let trace = Message::read(&std::fs::read(&target).expect("a trace"));
        let packets: Vec<Message> = trace.bytes[&1].iter().map(|packet| Message::read(packet)).collect();
        let mut threads: HashMap<u64, (u64, u64)> = HashMap::new();
        let mut processes: HashMap<u64, u64> = HashMap::new();
        let mut open: HashMap<u64, usize> = HashMap::new();
        let mut last: BTreeMap<u64, u64> = BTreeMap::new();
        let (mut flows, mut ended) = (HashSet::new(), HashSet::new());
        let lines = printed(&["replay", &file, "-o", "json", "-q", "-f", "pid>=0"]);
        let mut lines = lines.lines().map(|line| serde_json::from_str::<Value>(line).expect("JSON"));
        let mut programs = Vec::new();
        for packet in &packets {
            let sequence = packet.number(10).expect("a sequence");
            if let Some(track) = packet.message(60) {
                let uuid = track.number(1).expect("a track");
                match (track.message(3), track.message(4)) {
                    (Some(process), None) => {
                        assert!(processes.insert(uuid, process.number(1).expect("a pid")).is_none());
                        assert!(process.text(6).is_some());
                    }
                    (None, Some(thread)) => {
                        let ids = (thread.number(1).expect("a pid"), thread.number(2).expect("a tid"));
                        assert_eq!(processes.get(&track.number(5).expect("a parent")), Some(&ids.0));
                        assert!(threads.insert(uuid, ids).is_none() && thread.text(5).is_some());
                    }
                    other => panic!("{other:?}"),
                }
            }
            let Some(event) = packet.message(11) else { continue };
            let time = packet.number(8).expect("a time");
            let before = last.insert(sequence, time).unwrap_or(0);
            assert!(sequence == 1 || before <= time, "slices are in order of time");
            let track = event.number(11).expect("a track");
            match event.number(9).expect("a type") {
                3 => {
                    let line = lines.next().expect("as many events");
                    assert_eq!(Some(time), line["timestamp"].as_u64());
                    assert_eq!(event.text(23).as_deref(), line["eventName"].as_str());
                    let (pid, tid) = threads[&track];
                    assert_eq!(
                        (Some(pid), Some(tid)),
                        (line["hostProcessId"].as_u64(), line["hostThreadId"].as_u64())
                    );
                    let annotations: HashMap<String, Message> = event.bytes[&4]
                        .iter()
                        .map(|bytes| Message::read(bytes))
                        .map(|annotation| (annotation.text(10).expect("a name"), annotation))
                        .collect();
                    for arg in line["args"].as_array().expect("arguments") {
                        let is_there = annotations.contains_key(arg["name"].as_str().expect("a name"));
                        assert_eq!(is_there, !arg["value"].is_null(), "{line}");
                    }
                    if line["syscall"] == line["eventName"] {
                        let ret = annotations["return"].number(4).expect("a number") as i64;
                        assert_eq!(Some(ret), line["returnValue"].as_i64());
                    }
                    flows.extend(event.numbers.get(&47).into_iter().flatten().copied());
                }
                1 => {
                    assert!(processes.contains_key(&track));
                    *open.entry(track).or_default() += 1;
                    programs.push(event.text(23).expect("a name"));
                    ended.extend(event.numbers.get(&48).into_iter().flatten().copied());
                }
                2 => *open.get_mut(&track).filter(|open| **open > 0).expect("an open slice") -= 1,
                other => panic!("type {other}"),
            }
        }
        assert!(lines.next().is_none(), "{name}: an event is missing");
        assert!(open.values().all(|open| *open == 0), "{name}: {open:?}");
        assert!(ended.is_subset(&flows), "{name}: an arrow without a beginning");
        assert!(!ended.is_empty() || name == "threads", "{name}: a child has an arrow from its fork");
        assert!(programs.iter().any(|program| program.starts_with('/')), "{programs:?}");
    }
}

#[test]
fn a_trace_is_of_one_host() {
    let file = format!("{}/fixtures/format-v5.trz", env!("CARGO_MANIFEST_DIR"));
    let output = tracer(&["export", &file, "--to", "perfetto", "-q", "-f", "pid>=0"]);
    let hosts = printed(&["replay", &file, "-q", "-f", "pid>=0", "--columns", "host"]);
    let hosts: HashSet<&str> = hosts.lines().skip(1).map(str::trim).collect();
    assert_eq!(output.status.success(), hosts.len() == 1, "{hosts:?}");
}
