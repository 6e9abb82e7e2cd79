//! The chain of causes of something, and the spread of its effects.
//!
//! After Samuel King and Peter Chen, "Backtracking Intrusions" (2003): events are gone through backwards in time, and one that
//! flows into what is in the story already brings its cause in. Since what comes is older than what was there, an event counts
//! only if it happened before what it explains. Forwards it is the same the other way round.
//!
//! ```text
//! time        1: curl writes /tmp/x     2: x executes /tmp/x     3: dpkg writes /tmp/x    4: x connects
//! backwards   from 4: x; 3: /tmp/x is not in the story yet; 2: /tmp/x; 1: curl
//! ```

use std::sync::Arc;

use hashbrown::HashMap;
use pipeline::stage::Told;
use scopes::Sought;
use scopes::thing::peer::end;

use super::flow::{Flow, Flows};
use super::thing::{How, Thing};

/// Which way.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Way {
    /// To causes.
    Back,
    /// To effects.
    Forward,
}

/// Where a story begins.
#[derive(Clone, Debug)]
pub enum Root {
    Thing(Thing),
    /// Files by path.
    Files(Arc<Sought>),
    /// Connections by either of their ends.
    Peers(Arc<Sought>),
}

/// When something happened, and by whom, so that its number can be found.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Debug)]
pub struct Moment {
    pub wall_ns: i64,
    pub boot: usize,
    pub tid: u32,
    pub event: u16,
}

#[derive(Clone, Debug)]
pub struct Node {
    pub thing: Thing,
    /// What leads on from it, in the order in which it was found.
    pub edges: Vec<usize>,
    pub is_root: bool,
    /// Things that are not shown, by why.
    pub folded: Folded,
    /// What happened to the name before is of another file.
    is_closed: bool,
    /// Where the edge stands by its far end and kind.
    by_far: HashMap<(usize, How), usize>,
}

/// What stands behind a thing and is counted only.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Folded {
    /// Files and pipes that nobody wrote while it was recorded.
    pub unwritten: u64,
    pub libraries: u64,
    /// What a hub has to do with.
    pub through: u64,
}

/// From one node to what caused it, or to what it caused.
#[derive(Clone, Debug)]
pub struct Edge {
    pub near: usize,
    pub far: usize,
    pub how: How,
    pub first: Moment,
    pub last: Moment,
    pub count: u64,
    pub bytes: u64,
}

/// How much is followed.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Limits {
    /// Hubs and libraries, too.
    pub through: bool,
    /// A thing with more neighbours than this, apart from who started it and what it runs, is a hub.
    pub hub: usize,
}

/// Neighbours of one thing that are kept while events are gone through; further ones are counted.
const MOST_NEIGHBOURS: usize = 4096;
/// Things in a story: about 300 bytes each.
const MOST_THINGS: usize = 1 << 20;

/// A story while it is told.
#[derive(Debug)]
pub struct Chain {
    way: Way,
    roots: Vec<Root>,
    limits: Limits,
    pub nodes: Vec<Node>,
    pub edges: Vec<Edge>,
    by_thing: HashMap<Thing, usize>,
    /// Things that there was no room for.
    pub left_out: u64,
    flows: Vec<Flow>,
}

impl Chain {
    pub fn new(way: Way, roots: Vec<Root>, limits: Limits) -> Chain {
        let mut chain = Chain {
            way,
            roots: Vec::new(),
            limits,
            nodes: Vec::new(),
            edges: Vec::new(),
            by_thing: HashMap::new(),
            left_out: 0,
            flows: Vec::new(),
        };
        for root in roots {
            match root {
                Root::Thing(thing) => {
                    chain.node(&thing, true);
                }
                pattern => chain.roots.push(pattern),
            }
        }
        chain
    }

    /// Rows come in order of time, backwards for causes.
    pub fn tell(&mut self, told: &Flows<'_>, row: &Told<'_>) {
        let mut flows = std::mem::take(&mut self.flows);
        flows.clear();
        told.of(row, &mut flows);
        flows.retain(|flow| flow.how != How::Opens);
        if flows.is_empty() {
            self.flows = flows;
            return;
        }
        let tid = row.context().map_or(0, |context| context.tid);
        let moment = Moment { wall_ns: row.wall_ns(), boot: row.boot(), tid, event: row.event.0 };
        match self.way {
            Way::Back => flows.iter().rev().for_each(|flow| self.flow(flow, &flow.to, &flow.from, moment)),
            Way::Forward => flows.iter().for_each(|flow| self.flow(flow, &flow.from, &flow.to, moment)),
        }
        self.flows = flows;
    }

    fn flow(&mut self, flow: &Flow, near: &Thing, far: &Thing, moment: Moment) {
        let known = self.by_thing.get(near).copied();
        let Some(at) = known.or_else(|| self.is_root(near).then(|| self.node(near, true)).flatten()) else {
            return;
        };
        if self.way == Way::Back && !self.is_of_this_file(at, flow.how) {
            return;
        }
        if !self.limits.through && far.is_library() && flow.how != How::Writes {
            if let Some(node) = self.nodes.get_mut(at) {
                node.folded.libraries += 1;
            }
            return;
        }
        let known = self.by_thing.get(far).copied();
        let edge = known.and_then(|far| self.nodes.get(at)?.by_far.get(&(far, flow.how)).copied());
        if let Some(edge) = edge.and_then(|edge| self.edges.get_mut(edge)) {
            edge.first = edge.first.min(moment);
            edge.last = edge.last.max(moment);
            edge.count += 1;
            edge.bytes = edge.bytes.saturating_add(flow.bytes);
            return;
        }
        if self.nodes.get(at).is_some_and(|it| it.edges.len() >= MOST_NEIGHBOURS) && !flow.how.is_descent() {
            self.left_out += 1;
            return;
        }
        let Some(far) = self.node(far, false) else { return };
        let edge = self.edges.len();
        let (first, last) = (moment, moment);
        self.edges.push(Edge { near: at, far, how: flow.how, first, last, count: 1, bytes: flow.bytes });
        if let Some(node) = self.nodes.get_mut(at) {
            node.edges.push(edge);
            node.by_far.insert((far, flow.how), edge);
        }
    }

    /// Whether something that happened to a name is of the file that is in the story: a name that was taken away and given
    /// again, or that another file was renamed to, was one of another file before.
    fn is_of_this_file(&mut self, at: usize, how: How) -> bool {
        let Some(node) = self.nodes.get(at) else { return false };
        if node.is_closed {
            return false;
        }
        let edges = &self.edges;
        let begins = |edge: &usize| edges.get(*edge).is_some_and(|it| it.how == How::OpensToWrite);
        let closes = match how {
            How::Removes => node.edges.iter().any(begins),
            How::Renamed => true,
            _ => false,
        };
        let is_root = node.is_root;
        if let Some(node) = self.nodes.get_mut(at) {
            node.is_closed = closes;
        }
        // Its removal is no cause of what it was.
        how != How::Removes || is_root && !closes
    }

    fn is_root(&self, thing: &Thing) -> bool {
        self.roots.iter().any(|root| match (root, thing) {
            (Root::Files(sought), Thing::File(_, path)) => sought.has_file(path),
            (Root::Peers(sought), Thing::Connection(ends)) => {
                let ends = ends.split(|byte| *byte == b' ').skip(1).filter_map(end);
                ends.into_iter().any(|end| sought.has_peer(end))
            }
            _ => false,
        })
    }

    fn node(&mut self, thing: &Thing, is_root: bool) -> Option<usize> {
        if let Some(at) = self.by_thing.get(thing) {
            return Some(*at);
        }
        if self.nodes.len() >= MOST_THINGS {
            self.left_out += 1;
            return None;
        }
        let node = Node {
            thing: thing.clone(),
            edges: Vec::new(),
            is_root,
            folded: Folded::default(),
            is_closed: false,
            by_far: HashMap::new(),
        };
        self.nodes.push(node);
        self.by_thing.insert(thing.clone(), self.nodes.len() - 1);
        Some(self.nodes.len() - 1)
    }

    /// Leaves what tells something: counts files that nobody wrote and what hubs have to do with, and puts edges in order of
    /// time. Returns the nodes that are left, the roots first.
    pub fn fold(&mut self) -> Vec<usize> {
        if self.way == Way::Back {
            self.fold_unwritten();
        }
        if !self.limits.through {
            self.fold_hubs();
        }
        let edges = &self.edges;
        for node in &mut self.nodes {
            node.edges.sort_by_key(|edge| edges.get(*edge).map(|it| (it.first, it.how)));
        }
        let mut seen = vec![false; self.nodes.len()];
        let mut order: Vec<usize> =
            (0..self.nodes.len()).filter(|at| self.nodes.get(*at).is_some_and(|it| it.is_root)).collect();
        order.iter().for_each(|at| seen[*at] = true);
        let mut next = 0;
        while let Some(at) = order.get(next).copied() {
            next += 1;
            for edge in self.nodes.get(at).map_or(&[][..], |it| it.edges.as_slice()) {
                let Some(far) = self.edges.get(*edge).map(|it| it.far) else { continue };
                if let Some(seen) = seen.get_mut(far).filter(|seen| !**seen) {
                    *seen = true;
                    order.push(far);
                }
            }
        }
        order
    }

    /// A file or a pipe without a cause explains nothing but that it was there. A connection says where something came from.
    fn fold_unwritten(&mut self) {
        let is_unwritten = |node: &Node| {
            node.edges.is_empty()
                && !node.is_root
                && matches!(node.thing, Thing::File(..) | Thing::Channel(..))
        };
        let unwritten: Vec<bool> = self.nodes.iter().map(is_unwritten).collect();
        let edges = &self.edges;
        for node in &mut self.nodes {
            let before = node.edges.len();
            // What a process runs is said, whoever wrote it.
            node.edges.retain(|edge| {
                edges.get(*edge).is_none_or(|it| {
                    it.how == How::Executes || !unwritten.get(it.far).copied().unwrap_or(false)
                })
            });
            node.folded.unwritten += (before - node.edges.len()) as u64;
        }
    }

    fn fold_hubs(&mut self) {
        let edges = &self.edges;
        for node in self.nodes.iter_mut().filter(|node| !node.is_root) {
            let is_data = |edge: &usize| edges.get(*edge).is_some_and(|it| !it.how.is_descent());
            let data = node.edges.iter().filter(|edge| is_data(edge)).count();
            // Of a hub's effects also its children are many, and each has little to do with what it took in.
            let children = node.edges.len() - data;
            let folds_children = self.way == Way::Forward && children > self.limits.hub;
            if data > self.limits.hub || folds_children {
                let before = node.edges.len();
                let folds_data = data > self.limits.hub;
                node.edges.retain(|edge| if is_data(edge) { !folds_data } else { !folds_children });
                node.folded.through += (before - node.edges.len()) as u64;
            }
        }
    }
}
