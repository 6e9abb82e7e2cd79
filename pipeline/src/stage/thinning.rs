//! Rows about descriptors whose effects are gone at the end of their block: they are found where blocks are scanned, which
//! any thread does, so that they are not told in order, which all wait for. What is left brings a client to the same state.

use events::{Context, Marks};
use format::{Block, ColumnView};
use hashbrown::HashMap;

use super::repeats::{Descriptor, Kind, MOST_DESCRIPTORS, Repeats};
use super::transients::{self, Transients};
use super::{DescriptorChange, Passing, Reads, Row};

#[derive(Debug)]
pub(super) struct Thinning<'a> {
    block: &'a Block,
    /// By code of the event.
    deeds: Vec<Deed<'a>>,
    contexts: &'a [u16],
    rets: &'a [i64],
    marks: &'a [u32],
    actors: Actors<'a>,
    repeats: Repeats<'a>,
    transients: Transients,
}

/// What rows of an event do, as far as it is known.
#[derive(Clone, Debug, Default)]
struct Deed<'a> {
    used: Vec<ColumnView<'a>>,
    /// `None`: anything.
    change: Option<Change<'a>>,
    /// Rows that do something else as well.
    more: Option<Passing>,
}

#[derive(Clone, Copy, Debug)]
enum Change<'a> {
    None,
    Sets,
    Controls { fd: ColumnView<'a>, command: ColumnView<'a>, sets: &'static [u64], duplicates: &'static [u64] },
    Opens,
    Duplicates(ColumnView<'a>),
    Closes(ColumnView<'a>),
    TellsOfCall,
    Elsewhere,
}

impl<'a> Thinning<'a> {
    /// `None` where nothing is known of any event.
    pub fn of(reads: &[Reads], block: &'a Block) -> format::Result<Option<Thinning<'a>>> {
        let mut deeds = Vec::with_capacity(block.event_list().len());
        for (code, event) in (0u16..).zip(block.event_list()) {
            let own: Vec<&Reads> = reads.iter().filter(|reads| reads.event == *event).collect();
            deeds.push(Deed::of(block, code, &own)?);
        }
        if deeds.iter().all(|deed| deed.change.is_none()) {
            return Ok(None);
        }
        let (contexts, rets, marks) = (block.context_codes()?, block.rets()?, block.marks()?);
        Ok(Some(Thinning {
            block,
            deeds,
            contexts,
            rets,
            marks,
            actors: Actors::default(),
            repeats: Repeats::default(),
            transients: Transients::default(),
        }))
    }

    /// Whether a row that is read need not even be listed. Rows are asked in their order, each once.
    pub fn leaves_out(&mut self, row: usize, code: usize, ordinal: usize) -> bool {
        self.judge(row, code, ordinal).unwrap_or_else(|| {
            self.actors.forget();
            self.repeats.forget();
            self.transients.other();
            false
        })
    }

    /// Removes the rows that need not be told from those that were listed.
    pub fn thin(self, rows: &mut Vec<Row>) {
        let mut at = 0;
        rows.retain(|_| {
            at += 1;
            !self.transients.has(at - 1)
        });
    }

    /// `None` where anything may have happened.
    fn judge(&mut self, row: usize, code: usize, ordinal: usize) -> Option<bool> {
        let Deed { used, change, more } = self.deeds.get(code)?;
        let change = (*change)?;
        if more.as_ref().is_some_and(|more| more.has(ordinal)) {
            return None;
        }
        if matches!(change, Change::Elsewhere) {
            self.transients.elsewhere();
            return Some(false);
        }
        let (context, ret, marks) = (*self.contexts.get(row)?, *self.rets.get(row)?, *self.marks.get(row)?);
        if marks & Marks::NO_CONTEXT != 0 {
            return None;
        }
        let actor = self.actors.of(self.block, context)?;
        let is_failure = ret < 0 || marks & Marks::UNDONE != 0;
        let mut descriptors = [None; MOST_DESCRIPTORS];
        for (slot, column) in descriptors.iter_mut().zip(used) {
            *slot = column.get(ordinal).descriptor();
        }
        let descriptors = descriptors.into_iter().flatten();
        let mut is_kept = self.actors.are_news(actor);
        // What is no open file may be the working directory.
        for (number, what) in
            descriptors.clone().filter(|(number, what)| !is_file(*number) && !what.is_empty())
        {
            is_kept |= self.actors.is_other_directory(actor, number, what);
        }
        let listed = transients::Row { thread: actor.thread, is_kept };
        let key = |number: u64| (actor.process, number);
        let used = descriptors.clone().filter(|(number, _)| is_file(*number)).map(|(number, _)| key(number));
        let kind = Kind { event: code as u16, context, marks, is_failure };
        let uses = |thinning: &mut Self| {
            if !is_kept && thinning.repeats.has_seen(kind, descriptors.clone()) {
                return true;
            }
            thinning.transients.uses(listed, used.clone());
            false
        };
        // Of those that are no uses all say something new.
        if !matches!(change, Change::None | Change::Controls { .. }) {
            self.repeats.tell(descriptors.clone());
        }
        match change {
            Change::None => return Some(uses(self)),
            Change::Controls { command, sets, duplicates, fd } => {
                let command = match command.get(ordinal) {
                    events::Raw::Number(command) => command,
                    _ => return None,
                };
                if duplicates.contains(&command) && !is_failure {
                    let old = key(fd.get(ordinal).descriptor()?.0);
                    self.repeats.tell(descriptors.clone());
                    self.repeats.forget_number(ret as u64);
                    self.transients.duplicates(listed, used, old, key(ret as u64));
                } else if sets.contains(&command) {
                    self.repeats.tell(descriptors.clone());
                    self.transients.uses(listed, used);
                } else {
                    return Some(uses(self));
                }
            }
            Change::Sets => self.transients.uses(listed, used),
            Change::Opens => {
                self.repeats.forget_number(ret as u64);
                self.transients.opens(listed, used, (!is_failure).then(|| key(ret as u64)));
            }
            Change::Duplicates(_) if is_failure => self.transients.uses(listed, used),
            Change::Duplicates(old) => {
                let old = key(old.get(ordinal).descriptor()?.0);
                self.repeats.forget_number(ret as u64);
                self.transients.duplicates(listed, used, old, key(ret as u64));
            }
            Change::Closes(_) if is_failure => self.transients.uses(listed, std::iter::empty()),
            Change::Closes(fd) => {
                let (number, _) = fd.get(ordinal).descriptor()?;
                self.repeats.forget_number(number);
                self.transients.closes(listed, key(number));
            }
            Change::TellsOfCall => {
                self.repeats.forget_failures();
                self.transients.tells_of_call(listed);
            }
            Change::Elsewhere => {}
        }
        Some(false)
    }
}

/// Whether a number can be that of an open file.
fn is_file(number: u64) -> bool {
    i32::try_from(number as i64).is_ok_and(|number| number >= 0)
}

impl<'a> Deed<'a> {
    fn of(block: &'a Block, code: u16, reads: &[&Reads]) -> format::Result<Deed<'a>> {
        let change = reads.iter().find_map(|reads| reads.descriptors);
        let others = || reads.iter().filter(|reads| reads.descriptors.is_none());
        if change.is_none() || reads.len() != others().count() + 1 {
            return Ok(Deed::default());
        }
        let mut more: Option<Passing> = None;
        for other in others() {
            let Some(sieve) = other.only else { return Ok(Deed::default()) };
            let passing = Passing::of(block, code, sieve)?;
            more = Some(match more {
                Some(before) => before.or(passing),
                None => passing,
            });
        }
        let column = |position: usize| block.args(code).column(position);
        let event = block.event_list().get(usize::from(code)).and_then(|id| events::catalogue::by_id(*id));
        let args = event.map_or(&[][..], |event| event.args);
        let positions = (0..).zip(args).filter(|(_, arg)| arg.kind == events::ArgKind::Fd);
        let used: Vec<_> = positions.map(|(position, _)| column(position)).collect::<format::Result<_>>()?;
        let change = match change {
            _ if used.len() > MOST_DESCRIPTORS => None,
            None => None,
            Some(DescriptorChange::None) => Some(Change::None),
            Some(DescriptorChange::Sets) => Some(Change::Sets),
            Some(DescriptorChange::Controls { fd, command, sets, duplicates }) => {
                Some(Change::Controls { fd: column(fd)?, command: column(command)?, sets, duplicates })
            }
            Some(DescriptorChange::Opens) => Some(Change::Opens),
            Some(DescriptorChange::Duplicates(old)) => Some(Change::Duplicates(column(old)?)),
            Some(DescriptorChange::Closes(fd)) => Some(Change::Closes(column(fd)?)),
            Some(DescriptorChange::TellsOfCall) => Some(Change::TellsOfCall),
            Some(DescriptorChange::Elsewhere) => Some(Change::Elsewhere),
        };
        Ok(Deed { used, change, more })
    }
}

/// Who does something, and what is known of it: contexts that say nothing new of their process need not be told.
#[derive(Debug, Default)]
struct Actors<'a> {
    /// By code of the context.
    known: Vec<Option<Actor>>,
    processes: HashMap<OfProcess<'a>, u32>,
    leaders: HashMap<(&'a [u8], u32, u32), u32>,
    /// By process: what was told last.
    told: HashMap<u32, (u32, Option<u32>)>,
    directories: HashMap<u32, Descriptor<'a>>,
}

#[derive(Clone, Copy, Debug)]
struct Actor {
    process: u32,
    thread: u32,
    /// What every thread says of the process, by number.
    of_process: u32,
    /// What its leader says as well.
    of_leader: Option<u32>,
}

/// What every thread's context says of its process.
type OfProcess<'a> = (u64, u32, u64, &'a [u8], [u32; 4], u64);

impl<'a> Actors<'a> {
    fn of(&mut self, block: &'a Block, code: u16) -> Option<Actor> {
        let at = usize::from(code);
        if let Some(known) = self.known.get(at).copied().flatten() {
            return Some(known);
        }
        let context: Context<'a> = block.contexts().ok()?.get(code)?;
        let Context { mnt_ns, pid_ns, net_ns, user_ns, .. } = context;
        let of_process = (
            context.process_start_ns,
            context.ppid,
            context.parent_start_ns,
            context.exe,
            [mnt_ns, pid_ns, net_ns, user_ns],
            context.cgroup_id,
        );
        let next = self.processes.len() as u32;
        let of_process = *self.processes.entry(of_process).or_insert(next);
        let next = self.leaders.len() as u32;
        let is_leader = context.pid == context.tid;
        let of_leader =
            is_leader.then(|| *self.leaders.entry((context.comm, context.uid, context.gid)).or_insert(next));
        let actor = Actor { process: context.pid, thread: context.tid, of_process, of_leader };
        if self.known.len() <= at {
            self.known.resize(at + 1, None);
        }
        if let Some(slot) = self.known.get_mut(at) {
            *slot = Some(actor);
        }
        Some(actor)
    }

    /// Whether a context says of its process what was not told last; it is told now.
    fn are_news(&mut self, actor: Actor) -> bool {
        let told = self.told.entry(actor.process).or_insert((u32::MAX, None));
        let are_news = told.0 != actor.of_process || actor.of_leader.is_some() && actor.of_leader != told.1;
        *told = (actor.of_process, actor.of_leader.or(told.1));
        are_news
    }

    /// The same of a working directory.
    fn is_other_directory(&mut self, actor: Actor, number: u64, what: &'a [u8]) -> bool {
        self.directories.insert(actor.process, (number, what)) != Some((number, what))
    }

    fn forget(&mut self) {
        self.told.clear();
        self.directories.clear();
    }
}
