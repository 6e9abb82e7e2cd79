//! Any cause: the chain that led to something, and what came of it.

pub mod chain;
pub mod flow;
pub mod numbers;
pub mod show;
pub mod thing;

use std::ops::ControlFlow;

use pipeline::stage::{Client, Told};
use pipeline::{Gap, History};

pub use chain::{Chain, Edge, Folded, Limits, Moment, Node, Root, Way};
pub use flow::Flows;
pub use thing::{How, Place, Thing};

use crate::tree::Forest;

/// A chain that is told rows forwards.
struct Forward<'c, 's> {
    chain: Chain,
    flows: &'c Flows<'s>,
    from_ns: i64,
}

impl Client for Forward<'_, '_> {
    fn tell(&mut self, row: &Told<'_>) {
        if row.wall_ns() >= self.from_ns {
            self.chain.tell(self.flows, row);
        }
    }

    fn forget(&mut self, _: u64) {}
}

/// Where a story is looked for: wall clock, ns since the epoch, both included. Causes lie before its end, effects in it.
#[derive(Clone, Copy, Debug)]
pub struct Stretch {
    pub from_ns: i64,
    pub to_ns: i64,
}

/// Starts of the processes of a forest, for [`Flows::new`].
pub fn lives(forest: &Forest) -> impl Iterator<Item = (usize, u32, u64)> {
    forest.processes.iter().map(|process| (process.boot, process.pid, process.start_ns))
}

/// Tells the story from its roots.
pub fn tell<'s>(
    history: &History<'s>,
    flows: &Flows<'s>,
    way: Way,
    roots: Vec<Root>,
    limits: Limits,
    stretch: Stretch,
) -> pipeline::Result<(Chain, Vec<Gap>)> {
    let mut chain = Chain::new(way, roots, limits);
    match way {
        Way::Back => {
            let gaps = history.backward(stretch.to_ns, &mut |row| {
                chain.tell(flows, row);
                ControlFlow::Continue(())
            })?;
            Ok((chain, gaps))
        }
        Way::Forward => {
            let end = stretch.to_ns.saturating_add(1);
            let mut told = None;
            let client = Forward { chain, flows, from_ns: stretch.from_ns };
            let gaps = history.at(&[end], client, &mut |_, forward| {
                told = Some(std::mem::replace(&mut forward.chain, Chain::new(way, Vec::new(), limits)));
            })?;
            Ok((told.unwrap_or_else(|| Chain::new(way, Vec::new(), limits)), gaps))
        }
    }
}

/// What goes through the rows of one moment: where the story of an event begins, for its causes and for its effects. Both are
/// its process where nothing went anywhere.
pub fn roots_at(
    history: &History<'_>,
    flows: &Flows<'_>,
    event: &numbers::Numbered,
) -> pipeline::Result<(Vec<Root>, Vec<Root>)> {
    // Clocks of blocks may differ by this.
    const NEAR_NS: i64 = 1_000_000;
    let wall_ns = event.moment.wall_ns;
    let (mut causes, mut effects, mut all) = (Vec::new(), Vec::new(), Vec::new());
    history.backward(wall_ns, &mut |row| {
        if row.wall_ns() == wall_ns && row.event.0 == event.moment.event {
            all.clear();
            flows.of(row, &mut all);
            for flow in all.drain(..) {
                effects.push(Root::Thing(flow.to));
                causes.push(Root::Thing(flow.from));
            }
        }
        match row.wall_ns() < wall_ns.saturating_sub(NEAR_NS) {
            true => ControlFlow::Break(()),
            false => ControlFlow::Continue(()),
        }
    })?;
    let own = || vec![Root::Thing(Thing::Process(event.who))];
    if effects.is_empty() { Ok((own(), own())) } else { Ok((effects, causes)) }
}
