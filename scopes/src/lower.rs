//! The part of a plan that the kernel can apply to a task: contents of maps, for early drop.
//!
//! Every map gives the scopes that a value passes; the kernel ANDs them, and drops an event whose word is 0. It may keep
//! too much and never too little:
//!
//! | key | lowered |
//! |---|---|
//! | comm, binary, uts | exact values exactly; a scope with wildcards passes every value that is not named exactly |
//! | binary in a namespace | every value passes |
//! | tid, ppid, uid, ns ids, mntns, pidns, cgroupId | exactly, as sorted intervals; pinned ids pass with any start |
//! | pid | the same of the process; what names the thread ([`Lowered::threads`]) is ORed |
//! | pid=new, tid=new | exactly ([`New`]) |
//! | container | user space gives each cgroup its word ([`Plan::container_may`]); an unknown one passes |
//! | tree, follow | as bits that a process has from its fork on ([`LoweredTree`], [`Lowered::follow`]); unknown ones pass |
//! | event, set | exactly; what is derived from passes whatever its context is ([`Lowered::bases`]) |
//! | arguments, results, contexts of one event | never: judged in user space |
//!
//! [`Lowered::within`] makes it fit tables of a certain size, and [`Lowered::mask`] is the kernel's answer in Rust.

use events::{Context, EventId, catalogue};

use crate::key::Field;
use crate::plan::Plan;
use crate::predicate::context::{BinaryKey, Key};
use crate::predicate::id::Ids;
use crate::predicate::number::Intervals;
use crate::predicate::text::Texts;
use crate::subject::{ContainerFacts, LineageBits, Recording};
use crate::words::{Gate, Words};

/// What the kernel can apply. Words have a bit per scope.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Lowered {
    /// All scopes.
    pub scopes: u64,
    /// Scopes that want an event, or something derived from it. Events that are not here are wanted by none.
    pub events: Vec<(EventId, u64)>,
    /// Events that something wanted is derived from: they pass whatever their context is.
    pub bases: Vec<EventId>,
    /// Scopes with `follow`: their bit passes the process keys of a task that inherited it.
    pub follow: u64,
    pub comm: Option<LoweredText>,
    pub binary: Option<LoweredText>,
    pub uts: Option<LoweredText>,
    pub numbers: Vec<(Field, LoweredNumber)>,
    /// Scopes that `pid` passes a thread by its own number: ORed with what its process's number passes.
    pub threads: Option<LoweredNumber>,
    /// What `pid=new` and `tid=new` ask.
    pub new_process: New,
    pub new_thread: New,
    pub tree: Option<LoweredTree>,
    /// Whether a scope asks about containers.
    pub containers: bool,
    /// Keys that are judged in user space only.
    pub kept: Vec<Field>,
}

/// Texts by their exact bytes.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct LoweredText {
    /// Values that some scope names exactly, in order, and the scopes that each passes.
    pub values: Vec<(Box<[u8]>, u64)>,
    /// Scopes that any other value passes.
    pub others: u64,
}

/// Numbers by interval.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct LoweredNumber {
    /// First number of each interval, rising from 0, and the scopes that all numbers up to the next one pass.
    pub intervals: Vec<(u64, u64)>,
}

/// What is asked of a task that began after the recording did. Both are 0 when nothing is.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct New {
    /// Scopes that such a task passes, whatever its number.
    pub equal: u64,
    /// Scopes that exclude it.
    pub not: u64,
}

/// The named processes of `tree`. See [`crate::Lineage`] for what a process has of them.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct LoweredTree {
    /// Scopes that have the key.
    pub used: u64,
    /// Those of them that only exclude.
    pub default: u64,
    pub roots: Vec<Root>,
}

/// A process that `tree` names.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Root {
    pub pid: u32,
    pub equal: u64,
    pub not: u64,
    /// Pinned by its start in some scope: of a process with this number nothing can be said.
    pub is_unsure: bool,
}

/// Sizes of the kernel's tables.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Limits {
    /// Values of one text key.
    pub texts: usize,
    pub comm_bytes: usize,
    pub path_bytes: usize,
    pub uts_bytes: usize,
    /// Intervals of one number.
    pub intervals: usize,
    /// Processes that `tree` names.
    pub roots: usize,
}

impl LoweredNumber {
    /// The scopes that a number passes.
    pub fn mask(&self, number: u64) -> u64 {
        let after = self.intervals.partition_point(|(start, _)| *start <= number);
        self.intervals.get(after.wrapping_sub(1)).map_or(u64::MAX, |(_, mask)| *mask)
    }

    /// At most `length` intervals: neighbours are joined, and then pass what either passes.
    pub fn shortened(mut self, length: usize) -> LoweredNumber {
        while self.intervals.len() > length.max(1) {
            let mut shorter = Vec::with_capacity(self.intervals.len() / 2 + 1);
            for pair in self.intervals.chunks(2) {
                let mask = pair.iter().fold(0, |mask, (_, more)| mask | more);
                shorter.extend(pair.first().map(|(start, _)| (*start, mask)));
            }
            self.intervals = shorter;
        }
        self
    }
}

impl LoweredText {
    /// The scopes that a text passes.
    pub fn mask(&self, text: &[u8]) -> u64 {
        match self.values.binary_search_by(|(value, _)| (**value).cmp(text)) {
            Ok(at) => self.values.get(at).map_or(self.others, |(_, mask)| *mask),
            Err(_) => self.others,
        }
    }

    fn new(gate: Gate, texts: &Texts) -> LoweredText {
        let wild = texts.wild().iter().fold(Words::default(), |mut all, (_, words)| {
            all.add(*words);
            all
        });
        let values = texts.exact_texts().into_iter().map(|text| (text.into(), gate.close(texts.words(text))));
        LoweredText { values: values.collect(), others: gate.close(Words { equal: wild.equal, not: 0 }) }
    }

    /// At most `count` values of at most `bytes`: the rest are among the others, which then pass what those pass.
    fn within(mut self, count: usize, bytes: usize) -> LoweredText {
        let mut kept = 0;
        let others = &mut self.others;
        self.values.retain(|(value, mask)| {
            let fits = value.len() <= bytes && kept < count;
            kept += usize::from(fits);
            *others |= if fits { 0 } else { *mask };
            fits
        });
        self
    }
}

impl LoweredTree {
    fn mask(&self, lineage: Option<LineageBits>) -> u64 {
        let Some(LineageBits { tree, named, .. }) = lineage else { return u64::MAX };
        (tree | (self.default & !named)) | !self.used
    }
}

impl Lowered {
    /// The same for tables of these sizes: what does not fit passes.
    pub fn within(mut self, limits: &Limits) -> Lowered {
        let fit = |text: Option<LoweredText>, bytes| text.map(|text| text.within(limits.texts, bytes));
        self.comm = fit(self.comm, limits.comm_bytes);
        self.binary = fit(self.binary, limits.path_bytes);
        self.uts = fit(self.uts, limits.uts_bytes);
        let shortened = |number: LoweredNumber| number.shortened(limits.intervals);
        self.numbers = self.numbers.into_iter().map(|(field, number)| (field, shortened(number))).collect();
        self.threads = self.threads.map(shortened);
        if self.tree.as_ref().is_some_and(|tree| tree.roots.len() > limits.roots) {
            self.tree = None;
            self.kept.push(Field::Tree);
        }
        self
    }

    /// Whether the kernel has to know what a process has of its ancestors.
    pub fn needs_lineage(&self) -> bool {
        self.follow != 0 || self.tree.is_some()
    }

    /// The scopes that a task passes in the kernel. `cgroup` is the word of its cgroup ([`Plan::container_may`]), and
    /// `lineage` what it has of its ancestors; `None` is unknown.
    pub fn mask(
        &self,
        context: &Context<'_>,
        recording: Recording,
        cgroup: Option<u64>,
        lineage: Option<LineageBits>,
    ) -> u64 {
        let text = |key: &Option<LoweredText>, text| key.as_ref().map_or(u64::MAX, |key| key.mask(text));
        let mut mask = text(&self.comm, context.comm)
            & text(&self.binary, context.exe)
            & text(&self.uts, context.uts)
            & cgroup.unwrap_or(u64::MAX);
        for (field, key) in &self.numbers {
            let (number, start_ns, new) = match field {
                Field::Pid => (context.pid.into(), context.process_start_ns, self.new_process),
                Field::Tid => (context.tid.into(), context.thread_start_ns, self.new_thread),
                Field::Ppid => (context.ppid.into(), 0, New::default()),
                Field::Uid => (context.uid.into(), 0, New::default()),
                Field::NsPid => (context.ns_pid.into(), 0, New::default()),
                Field::NsTid => (context.ns_tid.into(), 0, New::default()),
                Field::NsPpid => (context.ns_ppid.into(), 0, New::default()),
                Field::MntNs => (context.mnt_ns.into(), 0, New::default()),
                Field::PidNs => (context.pid_ns.into(), 0, New::default()),
                Field::CgroupId => (context.cgroup_id, 0, New::default()),
                _ => continue,
            };
            let mut passes = key.mask(number);
            if *field == Field::Pid {
                passes |= self.threads.as_ref().map_or(0, |threads| threads.mask(context.tid.into()));
            }
            if start_ns >= recording.start_ns {
                passes = (passes | new.equal) & !new.not;
            }
            mask &= passes;
        }
        if let Some(tree) = &self.tree {
            mask &= tree.mask(lineage);
        }
        let followed = lineage.map_or(u64::MAX, |lineage| lineage.follow);
        (mask | (self.follow & followed)) & self.scopes
    }
}

impl Plan {
    /// What the kernel can apply of this plan. See the module's documentation for what it keeps too much.
    pub fn lower(&self) -> Lowered {
        let mut lowered = Lowered { scopes: self.scopes(), follow: self.follow(), ..Lowered::default() };
        let wanted = |id| self.event_mask(id) | self.needed(id);
        let events = || catalogue::events().filter(|event| !event.is_derived()).map(|event| event.id);
        lowered.events = events().map(|id| (id, wanted(id))).filter(|(_, mask)| *mask != 0).collect();
        lowered.bases = events().filter(|id| self.needed(*id) != 0).collect();
        for key in &self.context.keys {
            match key {
                Key::Text(Field::Comm, key) => lowered.comm = Some(LoweredText::new(key.gate, &key.texts)),
                Key::Text(Field::Uts, key) => lowered.uts = Some(LoweredText::new(key.gate, &key.texts)),
                Key::Binary(key) if key.is_plain() => lowered.binary = Some(binary(key)),
                Key::Binary(_) => lowered.kept.push(Field::Binary),
                Key::Number(field, key) if is_lowered(*field) => {
                    lowered.numbers.push((*field, number(key.gate, &key.intervals, 0)))
                }
                Key::Id(ids) => lowered.add_ids(ids),
                Key::Container(_) => lowered.containers = true,
                Key::Tree(gate) => lowered.tree = Some(self.lowered_tree(*gate)),
                Key::Text(field, _)
                | Key::Flag(field, _)
                | Key::Number(field, _)
                | Key::Standing(field, _)
                | Key::Members(field, _) => lowered.kept.push(*field),
                Key::Fixed(_) => {}
            }
        }
        lowered
    }

    /// The scopes that a cgroup's tasks may pass `container` in, now or once more is known of the container. `None`: the
    /// cgroup is no container's.
    pub fn container_may(&self, container: Option<&ContainerFacts<'_>>, recording: Recording) -> u64 {
        self.context.keys.iter().fold(u64::MAX, |mask, key| match key {
            Key::Container(key) => mask & key.may(container, recording),
            _ => mask,
        })
    }

    fn lowered_tree(&self, gate: Gate) -> LoweredTree {
        let mut roots: Vec<Root> = Vec::new();
        for (pid, start, words) in &self.tree.roots {
            let at = match roots.iter().position(|root| root.pid == *pid) {
                Some(at) => at,
                None => {
                    roots.push(Root { pid: *pid, equal: 0, not: 0, is_unsure: false });
                    roots.len() - 1
                }
            };
            if let Some(root) = roots.get_mut(at) {
                root.equal |= words.equal;
                root.not |= words.not;
                root.is_unsure |= start.is_some();
            }
        }
        LoweredTree { used: gate.used, default: gate.default, roots }
    }
}

impl Lowered {
    fn add_ids(&mut self, ids: &Ids) {
        // A pinned one passes with any start, and is not excluded.
        self.numbers.push((ids.field(), number(ids.gate(), ids.numbers(), ids.pinned())));
        let new = New { equal: ids.new_words().equal, not: ids.new_words().not };
        match ids.field() {
            Field::Pid => {
                self.new_process = new;
                let threads = ids.threads().iter().map(|(start, words)| (start, words.equal));
                let threads = LoweredNumber { intervals: unsigned(threads) };
                self.threads = Some(threads).filter(|it| it.intervals.iter().any(|(_, mask)| *mask != 0));
            }
            Field::Tid => self.new_thread = new,
            _ => {}
        }
    }
}

/// Numbers that the kernel side compares.
fn is_lowered(field: Field) -> bool {
    matches!(
        field,
        Field::Uid
            | Field::NsPid
            | Field::NsTid
            | Field::NsPpid
            | Field::MntNs
            | Field::PidNs
            | Field::CgroupId
    )
}

fn binary(key: &BinaryKey) -> LoweredText {
    LoweredText::new(key.gate, &key.anywhere)
}

/// `maybe`: scopes that a value may equal by more than its number.
fn number(gate: Gate, intervals: &Intervals, maybe: u64) -> LoweredNumber {
    let close = |words: Words| gate.close(Words { equal: words.equal | maybe, not: words.not });
    LoweredNumber { intervals: unsigned(intervals.iter().map(|(start, words)| (start, close(words)))) }
}

/// Intervals from 0 on, those that pass the same joined.
fn unsigned(intervals: impl Iterator<Item = (i128, u64)>) -> Vec<(u64, u64)> {
    let mut lowered: Vec<(u64, u64)> = Vec::new();
    for (start, mask) in intervals {
        let Ok(start) = u64::try_from(start.max(0)) else { continue };
        match lowered.last_mut() {
            // Several intervals below zero: the last of them reaches it.
            Some((same, last)) if *same == start => *last = mask,
            Some((_, last)) if *last == mask => {}
            _ => lowered.push((start, mask)),
        }
    }
    lowered
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{ScopeSet, Subject};

    const ANY: Recording = Recording { start_ns: 1000, host_mnt_ns: None };

    fn lower(filters: &[&str]) -> (Plan, Lowered) {
        let plan = Plan::compile(&ScopeSet::parse(filters).unwrap());
        let lowered = plan.lower();
        (plan, lowered)
    }

    #[test]
    fn what_is_lowered_keeps_everything_that_the_plan_keeps() {
        let (plan, lowered) = lower(&[
            "1:comm=ls",
            "2:comm=l*",
            "2:comm!=lsof",
            "3:comm!=ls",
            "4:uid>=1000",
            "4:uid!=1001",
            "5:pid=7",
            "6:pid!=7",
            "7:binary=/bin/ls",
            "8:binary!=/bin/*",
            "9:pid=new",
            "10:uid=0,5",
            "11:binary=host:/bin/ls",
        ]);
        let tight = Limits { texts: 1, comm_bytes: 2, path_bytes: 7, uts_bytes: 4, intervals: 2, roots: 0 };
        let limited = lowered.clone().within(&tight);
        for comm in ["ls", "lsof", "cat", ""] {
            for uid in [0, 5, 6, 999, 1000, 1001, u32::MAX] {
                for (pid, tid, start) in [(7, 7, 5), (8, 7, 5), (7, 9, 5000), (1, 1, 5000)] {
                    let context = Context {
                        comm: comm.as_bytes(),
                        uid,
                        pid,
                        tid,
                        exe: b"/bin/ls",
                        process_start_ns: start,
                        ..Context::default()
                    };
                    let exact = plan.context_mask(&Subject { recording: ANY, ..Subject::of(&context) });
                    let kept = lowered.mask(&context, ANY, None, None);
                    assert_eq!(exact & !kept, 0, "{context:?}");
                    assert_eq!(kept & !limited.mask(&context, ANY, None, None), 0, "{context:?}");
                }
            }
        }
        assert_eq!(lowered.comm.as_ref().unwrap().mask(b"cat") & 0b111, 0b110);
        assert_eq!(lowered.kept, [Field::Binary]);
    }

    #[test]
    fn a_process_id_is_lowered_exactly_with_its_threads_and_its_age() {
        let (_, lowered) = lower(&["1:pid=7", "2:pid!=7", "3:pid=new", "4:pid!=new", "5:pid>=7", "5:pid<9"]);
        let mask = |pid, tid, process_start_ns| {
            let context = Context { pid, tid, process_start_ns, ..Context::default() };
            lowered.mask(&context, ANY, None, None)
        };
        assert_eq!(mask(7, 7, 5), 0b11001);
        assert_eq!(mask(8, 8, 5), 0b11010);
        assert_eq!(mask(9, 9, 5), 0b01010);
        assert_eq!(mask(9, 9, 1000), 0b00110);
        // Thread 7 of another process: scope 1 wants it, and what scope 2 excludes is judged later.
        assert_eq!(mask(9, 7, 5) & 0b1, 1);
    }

    #[test]
    fn ancestors_and_containers_that_are_not_known_pass() {
        let (plan, lowered) = lower(&["1:tree=7", "2:tree!=7", "3:comm=sshd", "3:follow", "4:container"]);
        let context = Context { comm: b"sh", ..Context::default() };
        let none = LineageBits::default();
        let child = LineageBits { tree: 0b1, named: 0b11, follow: 0b100 };
        assert_eq!(lowered.mask(&context, ANY, None, None), 0b1111);
        assert_eq!(lowered.mask(&context, ANY, None, Some(none)), 0b1010);
        assert_eq!(lowered.mask(&context, ANY, None, Some(child)), 0b1101);
        assert_eq!(plan.container_may(None, ANY) & 0b1111, 0b0111);
        let roots = &lowered.tree.as_ref().unwrap().roots;
        assert_eq!(roots, &[Root { pid: 7, equal: 0b1, not: 0b10, is_unsure: false }]);
    }

    #[test]
    fn a_container_whose_name_is_to_come_passes_every_name() {
        let (plan, _) =
            lower(&["1:container=web", "2:container!=web", "3:container=abc", "4:container=started"]);
        let unnamed = ContainerFacts { id: "abd0", ..ContainerFacts::default() };
        assert_eq!(plan.container_may(Some(&unnamed), ANY) & 0b1111, 0b1111);
        let named = ContainerFacts { name: "db", ..unnamed };
        assert_eq!(plan.container_may(Some(&named), ANY) & 0b1111, 0b1010);
    }

    #[test]
    fn events_are_lowered_with_what_is_derived_from_them() {
        let (_, lowered) = lower(&["2:event=anti_debugging", "3:event=close"]);
        let id = |name: &str| catalogue::by_name(name).unwrap().id;
        let mask =
            |name: &str| lowered.events.iter().find(|(known, _)| *known == id(name)).map(|(_, mask)| *mask);
        assert_eq!((mask("ptrace"), mask("close"), mask("open")), (Some(0b10), Some(0b100), None));
        assert_eq!(lowered.bases, [id("ptrace")]);
    }
}
