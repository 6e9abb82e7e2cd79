//! A source that plays a script, and the set-up of a session around it.
#![allow(dead_code)] // each test program uses its part

use std::{collections::VecDeque, path::Path, time::Duration};

use events::{Context, EventId, Marks, Raw};
use format::{Header, Process};
use recorder::{
    assemble::Choice,
    containers::cgroup_table::CgroupTable,
    file::output::OutputPlace,
    file::retention::Retention,
    file::write::{DEFAULT_FLIGHT_BYTES, Destination},
    kernel::{Error, Loss, Record, Records},
    label::Judge,
    session::{Session, Setup, Step, Summary},
    source::Source,
};
use scopes::Plan;

pub const OPENAT: EventId = EventId(257);

/// One thing that a source says.
#[derive(Clone, Debug)]
#[allow(clippy::large_enum_variant)] // a script is short
pub enum Said {
    Context(u32, Context<'static>),
    Record(Spoken),
    Lost(Loss),
}

/// A record that owns its arguments.
#[derive(Clone, PartialEq, Debug)]
pub struct Spoken {
    pub time_ns: u64,
    pub event: EventId,
    pub cpu: u16,
    pub context: u32,
    pub ret: i64,
    pub marks: Marks,
    pub args: Vec<Value>,
}

#[derive(Clone, PartialEq, Debug)]
pub enum Value {
    Missing,
    Number(u64),
    Bytes(Vec<u8>),
}

impl Value {
    pub fn raw(&self) -> Raw<'_> {
        match self {
            Value::Missing => Raw::Missing,
            Value::Number(n) => Raw::Number(*n),
            Value::Bytes(b) => Raw::Bytes(b),
        }
    }

    pub fn of(raw: Raw<'_>) -> Value {
        match raw {
            Raw::Missing => Value::Missing,
            Raw::Number(n) => Value::Number(n),
            Raw::Bytes(b) => Value::Bytes(b.to_vec()),
        }
    }
}

pub fn openat(time_ns: u64, context: u32, path: &str, ret: i64) -> Spoken {
    let (dirfd, path) = (Value::Number(-100_i64 as u64), Value::Bytes(path.into()));
    let created = if ret >= 0 { Value::Number(0) } else { Value::Missing };
    let args = vec![dirfd, path, Value::Number(0), Value::Number(0), created];
    Spoken { time_ns, event: OPENAT, cpu: (time_ns % 2) as u16, context, ret, marks: Marks(0), args }
}

pub fn task(pid: u32, comm: &'static str) -> Context<'static> {
    Context {
        pid,
        tid: pid,
        ppid: 1,
        ns_pid: pid,
        ns_tid: pid,
        process_start_ns: u64::from(pid) * 1_000_000_000,
        comm: comm.as_bytes(),
        exe: b"/usr/bin/x",
        uts: b"host",
        ..Context::default()
    }
}

/// Plays batches, one a drain.
#[derive(Debug, Default)]
pub struct Script {
    pub batches: VecDeque<Vec<Said>>,
    /// Plays what is left when the recording ends.
    pub at_the_end: Vec<Said>,
    /// Between two drains.
    pub pause: Duration,
}

impl Script {
    pub fn of(said: Vec<Said>) -> Script {
        Script { batches: VecDeque::from([said]), ..Script::default() }
    }

    fn say(said: &[Said], records: &mut impl Records) -> usize {
        for said in said {
            match said {
                Said::Context(id, context) => records.context(*id, context),
                Said::Lost(loss) => records.lost(loss),
                Said::Record(spoken) => {
                    let args: Vec<Raw<'_>> = spoken.args.iter().map(Value::raw).collect();
                    records.record(&Record {
                        time_ns: spoken.time_ns,
                        event: spoken.event,
                        cpu: spoken.cpu,
                        context: spoken.context,
                        ret: spoken.ret,
                        marks: spoken.marks,
                        duration_ns: None,
                        args: &args,
                    });
                }
            }
        }
        said.len()
    }
}

impl Source for Script {
    fn wait(&mut self, _: Duration) -> Result<(), Error> {
        std::thread::sleep(self.pause);
        Ok(())
    }

    fn drain(&mut self, records: &mut impl Records) -> Result<usize, Error> {
        Ok(self.batches.pop_front().map_or(0, |said| Script::say(&said, records)))
    }

    fn finish(self, records: &mut impl Records) -> Result<(), Error> {
        for batch in &self.batches {
            Script::say(batch, records);
        }
        Script::say(&self.at_the_end, records);
        Ok(())
    }
}

pub fn choice(plan: Plan) -> Choice {
    Choice {
        labels: Judge::new(plan, scopes::Recording::default(), 0),
        only_matched: false,
        wanted: None,
        trigger: None,
        early_drop: None,
        followed: format::facts::FactSet::ALL,
    }
}

pub fn setup(path: &Path) -> Setup {
    Setup {
        destination: Destination {
            place: OutputPlace::file(path, false).unwrap(),
            path: path.to_owned(),
            max_bytes: None,
            rotation: None,
            retention: Retention::default(),
            flight: None,
            flight_bytes: DEFAULT_FLIGHT_BYTES,
            seal: format::WriterOptions::default(),
            witness: None,
        },
        header: Header {
            program: "tracer test".into(),
            schema: format::current_schema(),
            ..Header::default()
        },
        compression: format::Compression::Fast,
        choice: choice(Plan::everything()),
        processes: vec![Process { pid: 1, comm: b"init".to_vec(), ..Process::default() }],
        users: Vec::new(),
        cgroups: CgroupTable::new(None),
        names: None,
        hashes: None,
        artifacts: None,
        after: Duration::ZERO,
        viewing: None,
        drains: 1,
        priority_boost: 0,
        is_confined: false,
    }
}

/// Records the script to its end.
pub fn record(setup: Setup, script: Script) -> Summary {
    let mut left = script.batches.len() + 1;
    let session = Session::start(setup).unwrap();
    session
        .record(script, &mut || {
            left = left.saturating_sub(1);
            if left == 0 { Step::Stop } else { Step::Go }
        })
        .unwrap()
}
