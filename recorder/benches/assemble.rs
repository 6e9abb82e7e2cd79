//! From drained records to a written file, without a kernel: what the threads of a recording do together.

mod setup;

use std::time::Duration;

use divan::counter::ItemsCount;
use events::{Context, EventId, Marks, Raw};
use recorder::{
    kernel::{Error, Record, Records},
    session::{Session, Step},
    source::Source,
};
use scopes::{Plan, ScopeSet};

/// Records of one recording.
const RECORDS: u64 = 2_000_000;
const BATCH: u64 = 20_000;

fn main() {
    divan::main();
}

/// Calls of `dd`: one task, two calls in turn; or opens of many paths by many tasks.
#[derive(Clone, Copy, Debug)]
enum Load {
    Dd,
    Find,
}

struct Calls {
    load: Load,
    next: u64,
    paths: Vec<String>,
}

impl Calls {
    fn new(load: Load) -> Calls {
        let paths = (0..20_000).map(|n| format!("/usr/lib/x86_64/{}/{}", n % 97, n)).collect();
        Calls { load, next: 0, paths }
    }

    fn say(&mut self, count: u64, records: &mut impl Records) {
        for n in self.next..self.next + count {
            let (event, args) = match self.load {
                Load::Dd => {
                    (EventId((n & 1) as u16), [Raw::Number(n & 1), Raw::Number(0x7fff_0000), Raw::Number(1)])
                }
                Load::Find => {
                    let path = self.paths[(n.wrapping_mul(7919) % 20_000) as usize].as_bytes();
                    (EventId(257), [Raw::Number(u64::MAX - 99), Raw::Bytes(path), Raw::Number(0x80000)])
                }
            };
            let context = match self.load {
                Load::Dd => 1,
                Load::Find => 1 + (n / 500 % 64) as u32,
            };
            records.record(&Record {
                time_ns: 1_000_000 + n * 450 + (n & 7),
                event,
                cpu: (n >> 14 & 1) as u16,
                context,
                ret: (n & 1) as i64,
                marks: Marks(0),
                duration_ns: None,
                args: &args,
            });
        }
        self.next += count;
    }
}

impl Source for Calls {
    fn wait(&mut self, _: Duration) -> Result<(), Error> {
        Ok(())
    }

    fn drain(&mut self, records: &mut impl Records) -> Result<usize, Error> {
        if self.next == 0 {
            for id in 1..=64 {
                let context = Context {
                    pid: id,
                    tid: id,
                    comm: b"find",
                    exe: b"/usr/bin/find",
                    uts: b"host",
                    ..Context::default()
                };
                records.context(id, &context);
            }
        }
        let count = BATCH.min(RECORDS - self.next);
        self.say(count, records);
        Ok(count as usize)
    }

    fn finish(self, _: &mut impl Records) -> Result<(), Error> {
        Ok(())
    }
}

fn record(load: Load, plan: Plan, only_matched: bool) -> u64 {
    let mut left = RECORDS / BATCH + 1;
    let summary = Session::start(setup::setup(plan, only_matched)).and_then(|session| {
        session.record(Calls::new(load), &mut || {
            left = left.saturating_sub(1);
            if left == 0 { Step::Stop } else { Step::Go }
        })
    });
    summary.map_or(0, |summary| summary.lost)
}

#[divan::bench(args = [Load::Dd, Load::Find], sample_count = 5, sample_size = 1)]
fn broad(bencher: divan::Bencher<'_, '_>, load: Load) {
    bencher.counter(ItemsCount::new(RECORDS)).bench_local(|| record(load, Plan::everything(), false));
}

#[divan::bench(args = [Load::Dd, Load::Find], sample_count = 5, sample_size = 1)]
fn labelled_by_64_scopes(bencher: divan::Bencher<'_, '_>, load: Load) {
    let filters: Vec<String> = (1..=64).map(|n| format!("{n}:comm=find,x{n}")).collect();
    let plan =
        || ScopeSet::parse(&filters).map(|set| Plan::compile(&set)).unwrap_or_else(|_| Plan::everything());
    bencher.counter(ItemsCount::new(RECORDS)).bench_local(|| record(load, plan(), false));
}

#[divan::bench(args = [Load::Dd], sample_count = 5, sample_size = 1)]
fn only_matched_and_nothing_matches(bencher: divan::Bencher<'_, '_>, load: Load) {
    let plan = || {
        ScopeSet::parse(&["comm=other"]).map(|set| Plan::compile(&set)).unwrap_or_else(|_| Plan::everything())
    };
    bencher.counter(ItemsCount::new(RECORDS)).bench_local(|| record(load, plan(), true));
}
