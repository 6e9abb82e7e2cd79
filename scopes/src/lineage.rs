//! Who descends from whom: the bits of `tree` and `follow`, from the processes at the start and every fork after it.
//!
//! Both are constant for a process from its fork on: `tree` because ancestry is, `follow` because a child takes what its
//! parent had or was at that moment. So a process costs one entry of 32 bytes, and an event a look-up.
//!
//! Memory: an entry per live process, and what [`Ended`] keeps of the others.

mod ended;

use events::Context;
use events::context::Entity;
use hashbrown::HashMap;

use crate::filter::Value;
use crate::plan::{Plan, TreeRoots};
use crate::predicate::text::word;
use crate::predicate::{Asked, id};
use crate::pruning::{Ancestry, NumberOf, Statistics};
use crate::subject::{LineageBits, Subject};
use crate::words::Words;

use ended::Ended;
pub use ended::{REMEMBERED, REMEMBERED_BYTES, REMEMBERED_NS};

impl TreeRoots {
    pub(crate) fn new(asked: &[Asked<'_>]) -> TreeRoots {
        let mut roots = TreeRoots::default();
        for Asked { bit, filters } in asked {
            for filter in filters {
                let words = word(*bit, filter.is_positive());
                for value in &filter.values {
                    match *value {
                        Value::Number(pid) => {
                            roots.roots.push((u32::try_from(pid).unwrap_or(0), None, words))
                        }
                        Value::Pin(pid, start) => roots.roots.push((pid, Some(start), words)),
                        _ => {}
                    }
                }
            }
        }
        roots
    }
}

/// The state of `tree` and `follow`. Tell it the processes at the start, then forks and exits in order of time. A clone of
/// it is a checkpoint.
#[derive(Clone, Debug)]
pub struct Lineage {
    roots: HashMap<u32, Vec<(Option<u64>, Words)>>,
    processes: HashMap<(u32, u64), LineageBits>,
    ended: Ended,
}

impl Lineage {
    pub fn new(plan: &Plan) -> Lineage {
        let mut roots: HashMap<u32, Vec<(Option<u64>, Words)>> = HashMap::new();
        for (pid, start, words) in &plan.tree.roots {
            roots.entry(*pid).or_default().push((*start, *words));
        }
        Lineage { roots, processes: HashMap::new(), ended: Ended::default() }
    }

    /// The processes that were there when a recording began, in any order. Of one boot there may be several recordings
    /// (parts of a rotated set): tell the oldest first, and each later one when its time has come. A process that is known
    /// stays as it is: its fork was seen, or an earlier recording saw its parents, some of which may have ended since.
    ///
    /// Parents of the others are taken to have been at the fork what they are now: the only thing that is known of forks
    /// that were not recorded.
    pub fn snapshot(&mut self, plan: &Plan, processes: &[Subject<'_>]) {
        let by_pid: HashMap<u32, usize> =
            processes.iter().enumerate().map(|(at, subject)| (subject.context.pid, at)).collect();
        let is_known = |subject: &Subject<'_>| self.known(subject.context.process()).is_some();
        // A damaged snapshot may hold circles: each process is told once.
        let mut told: Vec<bool> = processes.iter().map(is_known).collect();
        let mut chain = Vec::new();
        for at in 0..processes.len() {
            // Ancestors first.
            let mut next = Some(at);
            while let Some(at) = next.filter(|at| told.get(*at) == Some(&false)) {
                if let Some(told) = told.get_mut(at) {
                    *told = true;
                }
                chain.push(at);
                next = processes.get(at).and_then(|subject| by_pid.get(&subject.context.ppid)).copied();
            }
            while let Some(subject) = chain.pop().and_then(|at| processes.get(at)) {
                let parent = by_pid.get(&subject.context.ppid).and_then(|at| processes.get(*at));
                let bits = match parent {
                    Some(parent) if parent.context.pid != subject.context.pid => {
                        let above = self.bits(parent.context);
                        let parent = Subject { lineage: above, ..*parent };
                        LineageBits { follow: above.follow | plan.seeds(&parent), ..above }
                    }
                    // Its parent has ended: an earlier recording may have seen it.
                    _ => self.known(subject.context.parent()).unwrap_or_default(),
                };
                let entity = subject.context.process();
                self.insert(entity, bits);
            }
        }
    }

    fn known(&self, entity: Entity) -> Option<LineageBits> {
        let key = id::pin(entity.pid, entity.start_ns);
        self.processes.get(&key).copied().or_else(|| self.ended.get(key))
    }

    /// A process was forked. `parent` is the forking task as it was then; its `lineage` is looked up here. New threads
    /// of the parent's own process are no forks and change nothing.
    pub fn fork(&mut self, plan: &Plan, parent: &Subject<'_>, child: Entity) {
        if child.pid == parent.context.pid {
            return;
        }
        let above = self.bits(parent.context);
        let parent = Subject { lineage: above, ..*parent };
        self.insert(child, LineageBits { follow: above.follow | plan.seeds(&parent), ..above });
    }

    fn insert(&mut self, entity: Entity, above: LineageBits) {
        let bits = self.named(entity, above);
        self.processes.insert(id::pin(entity.pid, entity.start_ns), bits);
    }

    /// What a process has of its ancestors, and of being named itself: the nearest named one decides.
    fn named(&self, entity: Entity, above: LineageBits) -> LineageBits {
        let (pid, tick) = id::pin(entity.pid, entity.start_ns);
        let mut own = Words::default();
        for (start, words) in self.roots.get(&pid).map_or(&[][..], Vec::as_slice) {
            if start.is_none_or(|start| id::pin(pid, start).1 == tick) {
                own.add(*words);
            }
        }
        let mentioned = own.equal | own.not;
        LineageBits {
            tree: (above.tree & !mentioned) | (own.equal & !own.not),
            named: above.named | mentioned,
            follow: above.follow,
        }
    }

    /// The last thread of a process ended at this time (boot clock).
    pub fn exit(&mut self, entity: Entity, time_ns: u64) {
        let key = id::pin(entity.pid, entity.start_ns);
        if let Some(bits) = self.processes.remove(&key) {
            self.ended.insert(key, bits, time_ns);
        }
    }

    /// Whether [`Lineage::forget`] would forget something.
    pub fn forgets_any(&self, first_ns: u64) -> bool {
        self.ended.forgets_any(first_ns)
    }

    /// Forgets processes that ended long before this time, the first that is still asked of.
    pub fn forget(&mut self, first_ns: u64) {
        self.ended.forget(first_ns);
    }

    /// What a task has of its ancestors. A process whose fork was lost is judged by its parent.
    pub fn bits(&self, context: &Context<'_>) -> LineageBits {
        let entity = context.process();
        if let Some(bits) = self.known(entity) {
            return bits;
        }
        let parent = context.parent();
        let above = match self.known(parent) {
            Some(bits) => bits,
            // Of an unknown parent at least its number can be named.
            None if context.ppid != 0 => self.named(parent, LineageBits::default()),
            None => LineageBits::default(),
        };
        self.named(entity, above)
    }

    /// What there is to know of the ancestors of tasks of which only statistics are known. Where neither a process with an
    /// ancestor that a scope names is among them, nor one that a scope may name itself, their ancestors do not matter.
    pub fn ancestry(&self, plan: &Plan, rows: &impl Statistics) -> Ancestry {
        let is_there = |pid: u32| {
            let may_be = |of| rows.may_overlap(of, pid.into(), pid.into());
            may_be(NumberOf::Pid) || may_be(NumberOf::Ppid)
        };
        let mut marked = self.all().filter(|(_, bits)| *bits != LineageBits::default());
        if plan.may_begin_lineage(rows) != 0 || marked.any(|((pid, _), _)| is_there(pid)) {
            Ancestry::Unknown
        } else {
            Ancestry::Unnamed
        }
    }

    /// The processes that are remembered: id, start (cut to what starts are told apart by), and bits. In no order.
    pub fn processes(&self) -> impl Iterator<Item = (u32, u64, LineageBits)> {
        self.all().map(|(key, bits)| (key.0, id::unpinned(key), bits))
    }

    fn all(&self) -> impl Iterator<Item = ((u32, u64), LineageBits)> {
        self.processes.iter().map(|(key, bits)| (*key, *bits)).chain(self.ended.iter())
    }

    /// Processes that are remembered.
    pub fn len(&self) -> usize {
        self.all().count()
    }

    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ScopeSet;

    fn context(pid: u32, ppid: u32, comm: &'static [u8]) -> Context<'static> {
        let start = |pid: u32| u64::from(pid) * 1_000_000_000;
        Context {
            pid,
            tid: pid,
            ppid,
            process_start_ns: start(pid),
            parent_start_ns: start(ppid),
            comm,
            ..Context::default()
        }
    }

    fn plan(filters: &[&str]) -> Plan {
        Plan::compile(&ScopeSet::parse(filters).unwrap())
    }

    #[test]
    fn a_process_whose_fork_was_lost_is_judged_by_its_parent() {
        let plan = plan(&["1:tree=5", "2:tree!=5", "3:comm=sshd", "3:follow", "4:tree=7"]);
        let mut lineage = Lineage::new(&plan);
        let sshd = context(5, 1, b"sshd");
        lineage.snapshot(&plan, &[Subject::of(&context(1, 0, b"init")), Subject::of(&sshd)]);
        lineage.fork(&plan, &Subject::of(&sshd), Entity { pid: 6, start_ns: 6_000_000_000 });
        let lost = lineage.bits(&context(7, 6, b"sh"));
        assert_eq!((lost.tree & 0b1011, lost.named & 0b1011, lost.follow), (0b1001, 0b1011, 0b100));
        // Of an unknown parent the number at least is known, and whose process it is itself.
        let orphan = lineage.bits(&context(9, 7, b"sh"));
        assert_eq!((orphan.tree, orphan.named, orphan.follow), (0b1000, 0b1000, 0));
        // A parent of the same number that began at another time is another one.
        let other = Context { parent_start_ns: 1, ..context(8, 6, b"sh") };
        assert_eq!(lineage.bits(&other), LineageBits::default());
    }

    #[test]
    fn what_ended_is_forgotten_when_nothing_comes_of_it_any_more() {
        let plan = plan(&["tree=5"]);
        let mut lineage = Lineage::new(&plan);
        let root = context(5, 1, b"a");
        lineage.snapshot(&plan, &[Subject::of(&root)]);
        lineage.exit(root.process(), 100);
        let last = 100 + REMEMBERED_NS;
        assert!(!lineage.forgets_any(last));
        lineage.forget(last);
        assert_eq!(lineage.bits(&root).tree, 1);
        assert!(lineage.forgets_any(last + 1));
        lineage.forget(last + 1);
        assert!(lineage.is_empty());
    }

    #[test]
    fn a_flood_of_processes_that_end_costs_bounded_memory() {
        let plan = plan(&["tree=5"]);
        let mut lineage = Lineage::new(&plan);
        let parent = context(1, 0, b"a");
        let child = |number| Entity { pid: 10 + number, start_ns: 0 };
        for number in 0..2 * REMEMBERED as u32 {
            lineage.fork(&plan, &Subject::of(&parent), child(number));
            lineage.exit(child(number), 100);
            lineage.forget(100);
        }
        assert_eq!(lineage.len(), REMEMBERED);
        assert!(lineage.known(child(2 * REMEMBERED as u32 - 1)).is_some());
        assert!(lineage.known(child(0)).is_none() && !lineage.forgets_any(100));
    }
}
