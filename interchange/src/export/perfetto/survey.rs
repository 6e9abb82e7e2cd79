//! A first reading: which threads and processes there are, when each process lived, and what it ran.

use std::collections::{BTreeMap, HashMap};
use std::ops::ControlFlow;

use pipeline::{EventView, Projection, Question, Sink};

use super::{
    EVENTS, SLICE_BEGIN, SLICE_END, SLICES, STATE_CLEARED, field, flow, packet, process_track, thread_track,
};
use crate::export::facts;

/// Tracks of processes and threads, and slices of what ran, as they stand before the events.
#[derive(Debug, Default)]
pub struct Tracks {
    /// The hosts that events are of. Processes are known by number in the viewer, so there can be only one.
    pub hosts: Vec<String>,
    written: Vec<u8>,
}

/// A number, and when what has it began: ns since boot.
type Key = (u32, u64);

#[derive(Debug, Default)]
struct Process {
    pid: u32,
    threads: BTreeMap<Key, Vec<u8>>,
    /// Its name is that of its last program.
    comm: Vec<u8>,
    begin: i64,
    end: i64,
    has_ended: bool,
    /// When it was made, where that was seen.
    born: Option<i64>,
    programs: Vec<Program>,
}

#[derive(Debug)]
struct Program {
    begin: i64,
    exe: Vec<u8>,
    comm: Vec<u8>,
}

impl Tracks {
    /// Reads what matches once.
    pub fn of(question: &Question<'_>) -> pipeline::Result<Tracks> {
        let mut survey = Survey::default();
        question.ask(&Seeing, &mut |seen| {
            seen.into_iter().for_each(|event| survey.see(event));
            Ok(ControlFlow::Continue(()))
        })?;
        Ok(survey.tracks())
    }

    pub fn written(&self) -> &[u8] {
        &self.written
    }
}

#[derive(Debug)]
struct Seen {
    host: String,
    wall_ns: i64,
    process: Key,
    thread: Key,
    comm: Vec<u8>,
    exe: Vec<u8>,
    act: Act,
}

#[derive(Debug)]
enum Act {
    Other,
    Forks(u32),
    Execs,
    Ends,
}

struct Seeing;

impl Sink for Seeing {
    type Worker = ();
    type Made = Vec<Seen>;

    fn projection(&self) -> Projection {
        Projection { contexts: true, arguments: true, ..Projection::NONE }
    }

    fn worker(&self) {}

    fn begin(&self) -> Vec<Seen> {
        Vec::new()
    }

    fn event(&self, (): &mut (), event: &EventView<'_>, made: &mut Vec<Seen>) {
        let context = event.context;
        let act = match event.event.name {
            "sched_process_fork" => match facts::number(event, &["child_tid"]) {
                Some(child) => Act::Forks(child as u32),
                None => Act::Other,
            },
            "sched_process_exec" => Act::Execs,
            "sched_process_exit" if context.pid == context.tid => Act::Ends,
            _ => Act::Other,
        };
        made.push(Seen {
            host: event.host.name.clone(),
            wall_ns: event.wall_ns,
            process: (context.pid, context.process_start_ns),
            thread: (context.tid, context.thread_start_ns),
            comm: context.comm.to_vec(),
            exe: context.exe.to_vec(),
            act,
        });
    }

    fn size(&self, made: &Vec<Seen>) -> usize {
        made.len() * 192
    }

    fn truncate(&self, made: &mut Vec<Seen>, events: usize) {
        made.truncate(events);
    }
}

#[derive(Debug, Default)]
struct Survey {
    hosts: Vec<String>,
    processes: BTreeMap<Key, Process>,
    /// When tasks were made that have not shown up yet.
    born: HashMap<u32, i64>,
    last: i64,
}

impl Survey {
    fn see(&mut self, seen: Seen) {
        if !self.hosts.contains(&seen.host) {
            self.hosts.push(seen.host.clone());
        }
        self.last = self.last.max(seen.wall_ns);
        let born = &mut self.born;
        let process = self.processes.entry(seen.process).or_insert_with(|| {
            let born = born.remove(&seen.process.0);
            let begin = born.unwrap_or(seen.wall_ns).min(seen.wall_ns);
            Process { pid: seen.process.0, born, begin, end: begin, ..Process::default() }
        });
        process.end = process.end.max(seen.wall_ns);
        let thread = process.threads.entry(seen.thread).or_default();
        if *thread != seen.comm {
            thread.clone_from(&seen.comm);
        }
        let is_another = process.programs.last().is_none_or(|last| last.exe != seen.exe);
        if !process.has_ended && (is_another || matches!(seen.act, Act::Execs)) {
            let begin = if process.programs.is_empty() { process.begin } else { seen.wall_ns };
            // One that another took the place of at once was never there.
            process.programs.retain(|program| program.begin < begin);
            process.programs.push(Program { begin, exe: seen.exe, comm: seen.comm.clone() });
        }
        if seen.thread.0 == seen.process.0 {
            process.comm = seen.comm;
        }
        match seen.act {
            Act::Forks(child) => {
                self.born.insert(child, seen.wall_ns);
            }
            Act::Ends => process.has_ended = true,
            Act::Execs | Act::Other => {}
        }
    }

    fn tracks(self) -> Tracks {
        let mut out = Vec::new();
        let first = self.processes.values().map(|process| process.begin).min().unwrap_or(0);
        clocks(first, &mut out);
        for (key, process) in &self.processes {
            descriptors(*key, process, &mut out);
        }
        slices(&self.processes, self.last, &mut out);
        Tracks { hosts: self.hosts, written: out }
    }
}

/// The trace's clock is the wall clock; what viewers take for the time since boot is the same.
fn clocks(first: i64, out: &mut Vec<u8>) {
    const REALTIME: u64 = 1;
    const BOOTTIME: u64 = 6;
    for sequence in [EVENTS, SLICES] {
        packet(out, |packet| {
            packet.message(field::CLOCK_SNAPSHOT, |snapshot| {
                for clock in [BOOTTIME, REALTIME] {
                    snapshot.message(1, |of| {
                        of.number(1, clock);
                        of.number(2, first.max(0) as u64);
                    });
                }
            });
            packet.number(field::SEQUENCE, sequence);
            packet.number(field::SEQUENCE_FLAGS, STATE_CLEARED);
        });
    }
}

fn descriptors((pid, start_ns): Key, process: &Process, out: &mut Vec<u8>) {
    let parent = process_track(pid, start_ns);
    let track = |out: &mut Vec<u8>, fill: &dyn Fn(&mut super::Message<'_>)| {
        packet(out, |packet| {
            packet.number(field::SEQUENCE, EVENTS);
            packet.message(field::TRACK_DESCRIPTOR, fill);
        });
    };
    track(out, &|of| {
        of.number(1, parent);
        of.message(3, |of| {
            of.number(1, process.pid.into());
            of.text(6, &process.comm);
        });
    });
    for ((tid, thread_start), comm) in &process.threads {
        track(out, &|of| {
            of.number(1, thread_track(*tid, *thread_start));
            of.number(5, parent);
            of.message(4, |of| {
                of.number(1, process.pid.into());
                of.number(2, (*tid).into());
                of.text(5, comm);
            });
        });
    }
}

/// A slice that begins or ends: its time, which of those at one time comes first, its track, and its bytes.
type Edge = (i64, u8, u64, Vec<u8>);

/// Lives of processes, and in each the programs that it ran, all closed.
fn slices(processes: &BTreeMap<Key, Process>, last: i64, out: &mut Vec<u8>) {
    let mut edges: Vec<Edge> = Vec::new();
    for ((pid, start_ns), process) in processes {
        let track = process_track(*pid, *start_ns);
        let end = if process.has_ended { process.end } else { last };
        let begin = |name: &[u8], flow: Option<u64>| edge(track, Some(name), flow);
        let life = format!("process {pid}");
        let arrow = process.born.map(|born| flow(*pid, born));
        edges.push((process.begin, 1, track, begin(life.as_bytes(), arrow)));
        for (at, program) in process.programs.iter().enumerate() {
            let name = if program.exe.is_empty() { &program.comm } else { &program.exe };
            let until = process.programs.get(at + 1).map_or(end, |next| next.begin);
            edges.push((program.begin, 2, track, begin(name, None)));
            // What ends when another begins ends before it; at the end, the inner one first.
            edges.push((
                until.max(program.begin),
                if until == program.begin { 3 } else { 0 },
                track,
                edge(track, None, None),
            ));
        }
        edges.push((end.max(process.begin), 4, track, edge(track, None, None)));
    }
    edges.sort_by_key(|(time, order, track, _)| (*time, *track, *order));
    for (time, _, _, event) in edges {
        packet(out, |packet| {
            packet.number(field::TIMESTAMP, time.max(0) as u64);
            packet.number(field::SEQUENCE, SLICES);
            packet.bytes(field::TRACK_EVENT, &event);
        });
    }
}

/// The beginning of a slice with its name, or the end of the innermost one.
fn edge(track: u64, name: Option<&[u8]>, flow: Option<u64>) -> Vec<u8> {
    let mut out = Vec::new();
    let mut of = super::Message(&mut out);
    of.number(field::TYPE, if name.is_some() { SLICE_BEGIN } else { SLICE_END });
    of.number(field::TRACK, track);
    if let Some(name) = name {
        of.text(field::CATEGORY, b"process");
        of.text(field::NAME, name);
    }
    if let Some(flow) = flow {
        of.fixed64(field::ENDING_FLOW, flow);
    }
    out
}
