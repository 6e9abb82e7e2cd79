//! Which artifacts are wanted: those of the events that filters match. And what there is to say of those events.

use std::collections::{HashMap, HashSet};
use std::ops::ControlFlow;

use anyhow::Result;
use events::catalogue::process::SCHED_PROCESS_EXEC;
use events::{EventId, Raw, catalogue};
use format::{Artifact, Sha256, hex};
use pipeline::{EventView, Gap, Question, Source};
use replay::Asked;
use scopes::{Plan, ScopeSet};

use super::Places;
use crate::asking;
use crate::filters::{Diagnostics, FilterOptions};
use crate::inputs::Damage;
use crate::threads::Threads;
use numbers::Numbers;

mod numbers;

/// An event as an artifact knows it: number of its host's boot, time of the boot clock, which, and thread.
pub type Key = (usize, u64, EventId, u32);

/// Execs of one program that are told one by one.
const EXECS_TOLD: usize = 100;

/// What is said of an event.
#[derive(Clone, Debug)]
pub struct Told {
    /// Among all events in order of time, from 1.
    pub number: u64,
    pub wall_ns: i64,
    pub name: &'static str,
    pub pid: u32,
    pub comm: Vec<u8>,
    pub exe: Vec<u8>,
    pub container: String,
}

/// What filters leave.
#[derive(Debug, Default)]
pub struct Chosen {
    /// Without filters all artifacts are wanted, also those of events that are not in the captures.
    pub is_all: bool,
    pub events: HashMap<Key, Told>,
    /// Execs whose programs' bytes are there, by hash; and how many there are.
    pub execs: HashMap<Sha256, (Vec<Key>, u64)>,
}

/// What an artifact of a file has in common with its event.
pub fn key(source: &Source, file: usize, artifact: &Artifact) -> Option<Key> {
    let host = source.files().get(file)?.hosts.get(usize::from(artifact.host))?;
    Some((host.boot, artifact.time_ns, artifact.event?, artifact.tid))
}

impl Chosen {
    pub fn of(
        source: &Source,
        places: &Places,
        filters: &FilterOptions,
        threads: &Threads,
        damage: Damage,
    ) -> Result<(Chosen, Vec<Gap>)> {
        let mut wanted: HashSet<Key> = HashSet::new();
        for (number, file) in source.files().iter().enumerate() {
            wanted.extend(file.capture.artifacts().iter().filter_map(|it| key(source, number, it)));
        }
        let mut chosen = Chosen { is_all: filters.is_empty(), ..Chosen::default() };
        if wanted.is_empty() && places.is_empty() {
            return Ok((chosen, Vec::new()));
        }
        let asked = match filters.is_empty() {
            true => Asked::Given(of_events(&wanted)?),
            false => asking::asked(filters, source, false)?,
        };
        let hashes: HashMap<String, Sha256> = places.keys().map(|hash| (hex(hash), *hash)).collect();
        let position = catalogue::by_id(SCHED_PROCESS_EXEC).and_then(|event| event.arg("sha256"));
        let position = position.map_or(usize::MAX, |(at, _)| at);
        let question = Question { strict: damage.strict, ..Question::new(source, asked.matchers(source)) };
        let stats = question.each(&mut |_, view| {
            let key = (view.host.boot, view.time_ns, view.event.id, view.context.tid);
            let of_exec = match (view.event.id, view.args.get(position)) {
                (SCHED_PROCESS_EXEC, Raw::Bytes(hash)) => {
                    std::str::from_utf8(hash).ok().and_then(|hash| hashes.get(hash))
                }
                _ => None,
            };
            let mut is_told = wanted.contains(&key);
            if let Some(hash) = of_exec {
                let (told, count) = chosen.execs.entry(*hash).or_default();
                *count += 1;
                if told.len() < EXECS_TOLD {
                    told.push(key);
                    is_told = true;
                }
            }
            if is_told {
                chosen.events.entry(key).or_insert_with(|| told(view));
            }
        })?;
        let mut gaps = stats.gaps;
        if !chosen.events.is_empty() {
            let plan = Plan::everything();
            let matchers = source.files().iter().map(|_| pipeline::Matcher::new(&plan)).collect();
            let question = Question {
                threads: threads.count(),
                strict: damage.strict,
                ..Question::new(source, matchers)
            };
            let mut before = 0;
            let sink = Numbers { wanted: &chosen.events.keys().copied().collect() };
            let mut numbers = Vec::new();
            let stats = question.ask(&sink, &mut |piece| {
                numbers.extend(piece.found.iter().map(|(at, key)| (*key, before + at + 1)));
                before += piece.events;
                Ok(ControlFlow::Continue(()))
            })?;
            for (key, number) in numbers {
                if let Some(told) = chosen.events.get_mut(&key) {
                    told.number = number;
                }
            }
            gaps.extend(stats.gaps.into_iter().filter(|gap| !gaps.contains(gap)).collect::<Vec<_>>());
        }
        Ok((chosen, gaps))
    }
}

fn told(view: &EventView<'_>) -> Told {
    Told {
        number: 0,
        wall_ns: view.wall_ns,
        name: view.event.name,
        pid: view.context.pid,
        comm: view.context.comm.to_vec(),
        exe: view.context.exe.to_vec(),
        container: view.container.map(|it| it.id.clone()).unwrap_or_default(),
    }
}

/// All events of the kinds that artifacts are of.
fn of_events(wanted: &HashSet<Key>) -> Result<Plan> {
    let ids: HashSet<EventId> = wanted.iter().map(|(_, _, event, _)| *event).collect();
    let mut names: Vec<&str> =
        ids.iter().filter_map(|id| catalogue::by_id(*id)).map(|event| event.name).collect();
    names.push("sched_process_exec");
    names.sort_unstable();
    names.dedup();
    let set = ScopeSet::parse(&[format!("event={}", names.join(","))]).map_err(Diagnostics)?;
    Ok(Plan::compile(&set))
}
