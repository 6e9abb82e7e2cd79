//! The catalogue as the kernel programs need it, and back: what to record of each slot, and which event a slot is.

mod roles;

use std::collections::BTreeMap;

use events::{
    Arg, ArgKind, Dir, Event, EventId, Returns, Source,
    abi::{
        Slot,
        hooks::Hook,
        lower::Scopes,
        multiplexed,
        tables::{SyscallEntry, descriptor, role},
    },
    capture::{self, op},
    catalogue::{self, kernel},
};

use scopes::select::is_named_only;

use super::{
    KernelOptions, NAMED_ONLY, Unavailable, early_drop,
    hook_table::KERNEL_STAND_INS,
    hooks::{self, Plan},
    numbers,
    stand_in::{self, StandIn},
};

/// Which event a slot is, and where its words go.
#[derive(Clone, Debug)]
pub struct SlotEvent {
    pub event: &'static Event,
    /// Of a 32-bit task's call: the number by which its structures lie.
    pub compat_number: Option<u16>,
    /// An exec: its arguments may have come ahead of it.
    pub is_exec: bool,
    /// It returns twice: in the parent, and as 0 in the child.
    pub is_fork: bool,
    /// Not asked for, and recorded because process state needs it.
    pub is_state_only: bool,
    /// Wanted only for what it stands in for.
    pub is_hidden: bool,
    /// The hooks that it stands in for.
    pub stand_ins: Vec<StandIn>,
    /// For hooks: the position of each word among the event's arguments.
    pub positions: Option<Vec<Option<u8>>>,
}

impl SlotEvent {
    /// A call's, with its words where the event has its arguments.
    pub fn new(event: &'static Event) -> SlotEvent {
        SlotEvent {
            event,
            compat_number: None,
            is_exec: false,
            is_fork: event.is_syscall() && matches!(event.name, "clone" | "clone3" | "fork" | "vfork"),
            is_state_only: false,
            is_hidden: false,
            stand_ins: Vec::new(),
            positions: None,
        }
    }

    /// A 32-bit task's call, by its own number.
    #[cfg(test)]
    pub fn in_compat(event: &'static Event) -> SlotEvent {
        let compat = CallSlot::of(event).into_iter().find_map(|slot| slot.compat_number);
        SlotEvent { compat_number: compat, ..SlotEvent::new(event) }
    }

    pub fn is_compat(&self) -> bool {
        self.compat_number.is_some()
    }
}

/// A slot of a system call, and of a 32-bit task's the number by which structures lie there.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct CallSlot {
    pub slot: usize,
    compat_number: Option<u16>,
}

impl CallSlot {
    /// All that a call has: by its own numbers, and where it is made through another one.
    fn of(event: &Event) -> Vec<CallSlot> {
        let Source::Syscall(numbers) = event.source else { return Vec::new() };
        let of_compat = |number: u16, compat_number| CallSlot {
            slot: Slot::COMPAT_BASE + usize::from(number),
            compat_number: Some(compat_number),
        };
        let native =
            numbers::native(numbers).map(|number| CallSlot { slot: number.into(), compat_number: None });
        let compat = numbers::compat(numbers).map(|number| of_compat(number, number));
        let own = numbers::through_others(event.name).map(|(number, through)| of_compat(number, through));
        native.into_iter().chain(compat).chain(own).collect()
    }
}

/// What the recorder tells the programs, and what it keeps to understand them.
#[derive(Debug)]
pub struct Tables {
    pub syscalls: Vec<SyscallEntry>,
    /// One in so many of a slot's calls is recorded; 0 where all are.
    pub samples: Vec<u32>,
    /// When calls begin is noted.
    pub timing: bool,
    pub hooks: u128,
    pub slots: Vec<Option<SlotEvent>>,
    pub unavailable: Vec<Unavailable>,
    /// What is dropped for scopes.
    pub scopes: Scopes,
    /// Where the events of hooks come from.
    pub carriers: Vec<Carrier>,
}

/// Where a hook's event comes from.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Carrier {
    pub event: EventId,
    /// Such as `fentry security_file_open`, or `exit of openat`.
    pub way: String,
    /// Why not from the function itself.
    pub instead_of: Option<String>,
}

/// Hooks that are recorded whether or not they were asked for.
pub const STATE_HOOKS: [Hook; 3] = [Hook::ProcessFork, Hook::ProcessExec, Hook::ProcessExit];

impl Tables {
    pub fn build(options: &KernelOptions, plan: &Plan) -> Tables {
        let mut tables = Tables {
            syscalls: vec![SyscallEntry::EMPTY; Slot::HOOK_BASE],
            samples: vec![0; Slot::HOOK_BASE],
            timing: options.timing,
            hooks: 0,
            slots: vec![None; Slot::COUNT],
            unavailable: Vec::new(),
            scopes: Scopes::NONE,
            carriers: Vec::new(),
        };
        let is_wanted = |event: EventId| match &options.events {
            Some(wanted) => wanted.contains(&event),
            None => !is_named_only(event),
        };
        let stands_in = |event: EventId| is_wanted(event) && !is_told_by_hook(event, plan);
        let of_completion = catalogue::by_id(kernel::IO_URING_COMPLETE).into_iter();
        let follows_requests = is_wanted(kernel::IO_URING_COMPLETE)
            || of_completion.flat_map(|event| stand_in::of_call(event, stands_in)).next().is_some();
        for event in catalogue::events() {
            let stand_ins = stand_in::of_call(event, stands_in);
            if options.events.is_none() && is_named_only(event.id) {
                tables.refuse(event.id, NAMED_ONLY);
            }
            let is_joined = follows_requests && event.id == kernel::IO_URING_SUBMIT_REQ;
            let is_hidden = !is_wanted(event.id) && (!stand_ins.is_empty() || is_joined);
            let is_wanted = is_wanted(event.id);
            match event.source {
                Source::Syscall(_) if is_wanted || is_hidden => {
                    let mut entry = syscall_entry(event, options);
                    if stand_ins.iter().any(StandIn::has_paths) {
                        entry.descriptors |= descriptor::RELATIVE;
                    }
                    let slots = CallSlot::of(event);
                    for slot in &slots {
                        let captures = slot
                            .compat_number
                            .map_or(entry.captures, |number| capture::captures_in_compat(event.args, number));
                        let entry = SyscallEntry { captures, ..entry };
                        tables.set_syscall(*slot, event, entry, is_hidden, &stand_ins);
                    }
                    if slots.is_empty() {
                        tables.refuse(event.id, "this architecture has no such system call");
                    }
                }
                Source::Tracepoint(_) | Source::Hook { .. } | Source::Exit { .. } | Source::Packet => {
                    tables.set_hook(event, is_wanted, is_hidden, stand_ins, plan)
                }
                // Of those that are not named there is nothing to say.
                Source::Unsupported(why) if is_wanted && options.events.is_some() => {
                    tables.refuse(event.id, why);
                }
                _ => {}
            }
        }
        tables.set_unknown();
        tables.set_multiplexed();
        tables.set_samples(&options.samples);
        tables.set_roles(plan);
        tables.set_descriptors();
        tables.set_vital_calls();
        tables.set_execs();
        if options.strict {
            tables.set_compared();
        }
        if let Some(lowered) = &options.scopes {
            tables.scopes = early_drop::apply(lowered, &mut tables);
        }
        tables
    }

    /// Tells the programs through which calls others are made.
    fn set_multiplexed(&mut self) {
        for number in multiplexed::ALL.into_iter().filter(|_| numbers::HAS_COMPAT) {
            if let Some(entry) = self.syscalls.get_mut(Slot::COMPAT_BASE + usize::from(number)) {
                entry.flags |= SyscallEntry::MULTIPLEXED;
            }
        }
    }

    /// Tells the programs which numbers no call of the catalogue has.
    fn set_unknown(&mut self) {
        if !self.wants(Hook::UnknownSyscall) {
            return;
        }
        for (slot, entry) in self.syscalls.iter_mut().enumerate() {
            if numbers::of_slot(slot).is_none() {
                entry.flags |= SyscallEntry::WANTED | SyscallEntry::UNKNOWN;
                entry.words = Hook::UnknownSyscall.words();
            }
        }
    }

    fn set_samples(&mut self, samples: &BTreeMap<EventId, u32>) {
        for ((slot, entry), every) in self.slots.iter().zip(&mut self.syscalls).zip(&mut self.samples) {
            if let Some(wanted) = slot.as_ref().and_then(|slot| samples.get(&slot.event.id)) {
                entry.flags |= SyscallEntry::SAMPLED;
                *every = *wanted;
            }
        }
    }

    fn set_syscall(
        &mut self,
        CallSlot { slot, compat_number }: CallSlot,
        event: &'static Event,
        entry: SyscallEntry,
        is_hidden: bool,
        stand_ins: &[StandIn],
    ) {
        let end = if compat_number.is_some() { Slot::HOOK_BASE } else { Slot::SYSCALLS };
        if slot >= end {
            return self.refuse(event.id, "its number is beyond the recorder's table");
        }
        if let (Some(place), Some(slot_event)) = (self.syscalls.get_mut(slot), self.slots.get_mut(slot)) {
            *place = entry;
            *slot_event = Some(SlotEvent {
                compat_number,
                is_exec: entry.flags & SyscallEntry::EXEC != 0,
                is_hidden,
                stand_ins: stand_ins.to_vec(),
                ..SlotEvent::new(event)
            });
        }
    }

    fn set_hook(
        &mut self,
        event: &'static Event,
        is_wanted: bool,
        is_hidden: bool,
        stand_ins: Vec<StandIn>,
        plan: &Plan,
    ) {
        let hook = Hook::ALL.iter().copied().find(|hook| hook.name() == event.name);
        let is_state = hook.is_some_and(|hook| STATE_HOOKS.contains(&hook));
        if !is_wanted && !is_state && !is_hidden {
            return;
        }
        if !matches!(event.source, Source::Tracepoint(_) | Source::Packet) {
            let by_function = hook.and_then(|hook| plan.carrier(hook));
            let in_kernel = hook.map_or(&[][..], hooks::stand_in_calls);
            let mut calls = in_kernel.to_vec();
            calls.extend(stand_in::calls(event));
            calls.dedup();
            let why = || match event.source {
                Source::Exit { .. } => String::new(),
                _ => hook.map_or_else(String::new, |hook| plan.reason(hook)),
            };
            let is_by_call = by_function.is_none();
            if is_by_call && calls.is_empty() {
                return self.refuse(event.id, why());
            }
            self.carriers.push(match by_function {
                Some(way) => Carrier { event: event.id, way, instead_of: None },
                None => Carrier {
                    event: event.id,
                    way: format!("exit of {}", calls.join(", ")),
                    instead_of: Some(why())
                        .filter(|why| !why.is_empty())
                        .map(|why| with_left_out(why, event)),
                },
            });
            if is_by_call && in_kernel.is_empty() {
                return;
            }
        }
        let Some(hook) = hook else {
            return self.refuse(event.id, "its hook is not among those that the recorder can attach");
        };
        self.hooks |= 1 << hook as u128;
        let positions =
            hook.args().iter().map(|name| event.arg(name).map(|(position, _)| position as u8)).collect();
        if let Some(slot_event) = self.slots.get_mut(hook.slot() as usize) {
            *slot_event = Some(SlotEvent {
                is_state_only: !is_wanted && is_state,
                is_hidden: is_hidden && !is_state,
                stand_ins,
                positions: Some(positions),
                ..SlotEvent::new(event)
            });
        }
    }

    /// Says that an event cannot be recorded; the first reason stands.
    pub fn refuse(&mut self, event: EventId, reason: impl Into<String>) {
        // What is missing of it does not matter any more.
        self.unavailable.retain(|known| known.event != event || !known.in_part);
        if !self.unavailable.iter().any(|known| known.event == event) {
            self.unavailable.push(Unavailable { event, in_part: false, reason: reason.into() });
        }
    }

    /// Says what is missing of an event that is recorded.
    pub fn limit(&mut self, event: EventId, reason: impl Into<String>) {
        if !self.unavailable.iter().any(|known| known.event == event) {
            self.unavailable.push(Unavailable { event, in_part: true, reason: reason.into() });
        }
    }

    /// Says that a hook cannot be attached.
    pub fn refuse_hook(&mut self, hook: Hook, reason: impl Into<String>) {
        self.hooks &= !(1 << hook as u128);
        let slot_event = self.slots.get(hook.slot() as usize).and_then(Option::as_ref);
        if let Some(event) = slot_event.map(|slot| slot.event.id) {
            self.refuse(event, reason);
        }
    }

    pub fn wants(&self, hook: Hook) -> bool {
        self.hooks & 1 << hook as u128 != 0
    }

    /// Whether it has to be known whose sockets are.
    pub fn wants_owners(&self) -> bool {
        self.wants(Hook::Packet) || self.wants(Hook::InetSockSetState)
    }

    /// Whether a hook's program has work, be it for other events: owners follow the states of sockets.
    pub fn needs(&self, hook: Hook) -> bool {
        self.wants(hook) || hook == Hook::InetSockSetState && self.wants(Hook::Packet)
    }

    /// Whether anything is taken from the exits of system calls.
    pub fn wants_syscalls(&self) -> bool {
        let is_looked_at =
            |entry: &SyscallEntry| entry.flags & SyscallEntry::WANTED != 0 || entry.role != role::NONE;
        self.wants(Hook::UnknownSyscall) || self.syscalls.iter().any(is_looked_at)
    }

    /// Whether a successful exec's arguments are wanted.
    pub fn wants_exec(&self) -> bool {
        let wanted = SyscallEntry::WANTED | SyscallEntry::EXEC;
        self.syscalls.iter().any(|entry| entry.flags & wanted == wanted)
    }
}

/// A reason for a stand-in, and what it leaves out.
fn with_left_out(why: String, event: &Event) -> String {
    let in_kernel = KERNEL_STAND_INS.iter().filter(|it| it.hook.name() == event.name).map(|it| it.lacks);
    let by_call = stand_in::left_out(event).map(|(.., lacks)| lacks);
    let mut lacks: Vec<&str> = in_kernel.chain(by_call).filter(|lacks| !lacks.is_empty()).collect();
    lacks.dedup();
    if lacks.is_empty() { why } else { format!("{why}; left out: {}", lacks.join("; ")) }
}

/// The calls that run another program.
const EXECS: [&str; 2] = ["execve", "execveat"];

/// The slots of a system call.
pub fn slots_of(name: &str) -> impl Iterator<Item = usize> {
    catalogue::by_name(name).map(CallSlot::of).unwrap_or_default().into_iter().map(|slot| slot.slot)
}

fn hook_of(event: EventId) -> Option<Hook> {
    let event = catalogue::by_id(event)?;
    Hook::ALL.iter().copied().find(|hook| hook.name() == event.name)
}

/// Whether the hook itself gives an event, so that no call's record is to be read as it.
fn is_told_by_hook(event: EventId, plan: &Plan) -> bool {
    hook_of(event).is_some_and(|hook| plan.carrier(hook).is_some())
}

/// Whether an argument of a call is none that the caller gives, but what its result came to.
pub fn is_told(arg: &Arg) -> bool {
    arg.kind.is_number() && arg.dir == Dir::Out
}

fn syscall_entry(event: &Event, options: &KernelOptions) -> SyscallEntry {
    let mut entry = SyscallEntry {
        flags: SyscallEntry::WANTED,
        words: event.args.len().min(capture::ARGUMENTS) as u8,
        captures: capture::captures(event.args),
        ..SyscallEntry::EMPTY
    };
    if EXECS.contains(&event.name) {
        entry.flags |= SyscallEntry::EXEC;
    }
    // Registers 0 to 4 can be told; no call has a descriptor in the last one.
    let mut descriptors = (1..6).zip(event.args).filter(|(_, arg)| arg.kind == ArgKind::Fd).map(|(at, _)| at);
    entry.first = descriptors.next().unwrap_or(0);
    entry.second = descriptors.next().unwrap_or(0);
    if event.returns == Returns::Fd {
        entry.descriptors |= descriptor::RETURNED;
    }
    if event.args.last().is_some_and(is_told) {
        entry.descriptors |= descriptor::CREATED;
    }
    for (position, arg) in event.args.iter().take(capture::ARGUMENTS).enumerate() {
        let is_unwanted_environment = arg.name == "envp" && !options.environment;
        if let Some(capture) = entry.captures.get(position)
            && capture.op != op::NUMBER
            && !is_unwanted_environment
        {
            entry.followed |= 1 << position;
        }
    }
    let followed = |is_filled: bool| {
        entry.captures.iter().enumerate().any(|(position, capture)| {
            let is_bytes = capture.op == op::BYTES || capture.op == op::STRING;
            let fills = capture.dir & !capture::Capture::SAME_IN_COMPAT != 0;
            entry.followed & 1 << position != 0 && is_bytes && fills == is_filled
        })
    };
    if followed(true) && followed(false) {
        entry.flags |= SyscallEntry::OVERLAPS;
    }
    entry
}
