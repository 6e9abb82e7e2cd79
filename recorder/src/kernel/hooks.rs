//! Programs on functions of the kernel, by the best kind that it takes: trampolines (fentry, fexit), security modules'
//! hooks, or kprobes. What it takes is found by trying; where it takes none, the exits of system calls stand in.

use std::{
    collections::BTreeMap,
    fs,
    os::fd::{AsFd as _, AsRawFd as _},
    path::Path,
};

use aya::{
    Ebpf,
    programs::{LsmAttachType, Program, ProgramError, ProgramType},
    sys::is_program_supported,
};
use events::abi::hooks::Hook;

use super::{
    HookPrograms,
    hook_table::{ATTACHMENTS, At, Attachment, KERNEL_STAND_INS},
    load::chain,
    object::Object,
    tables::Tables,
};
use crate::btf::Btf;

/// A kind of program that runs when a function does.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Kind {
    Trampoline,
    Lsm,
    Kprobe,
}

/// What has been found out of what this kernel takes.
#[derive(Debug)]
pub struct Plan {
    /// Kinds that are still to be tried; the first one is being tried.
    kinds: Vec<Kind>,
    /// Why the others were given up, in the order of trying.
    given_up: Vec<String>,
    /// Programs that failed alone, and why.
    failed: BTreeMap<&'static str, String>,
    /// Attachments whose function is there.
    applicable: Vec<&'static Attachment>,
}

/// Something did not load: everything is to be made anew by the changed plan.
#[derive(Debug)]
pub struct Changed;

/// So many programs refused for their kind and none taken: the others need not be tried.
const ENOUGH: usize = 3;

const KPROBES: &str = "/sys/bus/event_source/devices/kprobe/type";
const MODULES: &str = "/sys/kernel/security/lsm";

impl Plan {
    pub fn new(programs: HookPrograms, btf: &Btf) -> Plan {
        let kinds = match programs {
            HookPrograms::Auto => vec![Kind::Trampoline, Kind::Kprobe, Kind::Lsm],
            HookPrograms::Fentry => vec![Kind::Trampoline],
            HookPrograms::Lsm => vec![Kind::Lsm],
            HookPrograms::Kprobe => vec![Kind::Kprobe],
            HookPrograms::None => Vec::new(),
        };
        let is_there = |it: &&Attachment| match it.parameters {
            None => btf.has_function(it.function),
            Some(count) => btf.function_parameters(it.function) == Some(count),
        };
        let mut plan = Plan {
            kinds,
            given_up: Vec::new(),
            failed: BTreeMap::new(),
            applicable: ATTACHMENTS.iter().filter(is_there).collect(),
        };
        if programs == HookPrograms::None {
            plan.given_up.push("no programs on functions were asked for".to_owned());
        }
        plan.skip_missing();
        plan
    }

    /// Passes over kinds that this kernel is known not to have: to find it out with our own programs, all of them and
    /// their maps would have to be made anew.
    fn skip_missing(&mut self) {
        while let Some(reason) = self.kind().and_then(missing) {
            self.give_up(reason);
        }
    }

    fn give_up(&mut self, reason: String) {
        self.kinds.remove(0);
        self.given_up.push(reason);
        self.failed.clear();
    }

    pub fn kind(&self) -> Option<Kind> {
        self.kinds.first().copied()
    }

    /// How a program is attached, as far as is known; `None` when it is not.
    fn way(&self, it: &Attachment) -> Option<&'static str> {
        if self.failed.contains_key(it.program) {
            return None;
        }
        Some(match (self.kind()?, it.at) {
            (Kind::Trampoline, At::Entry) => "fentry",
            (Kind::Trampoline, At::Exit { .. } | At::Both { .. }) => "fexit",
            (Kind::Lsm, _) => it.lsm.map(|_| "lsm")?,
            (Kind::Kprobe, At::Entry) => "kprobe",
            (Kind::Kprobe, At::Exit { .. } | At::Both { .. }) => "kretprobe",
        })
    }

    /// How a hook's event comes from the function itself, such as `fentry security_file_open`.
    pub fn carrier(&self, hook: Hook) -> Option<String> {
        let mut all = self.applicable.iter().filter(|it| it.hooks.contains(&hook));
        all.find_map(|it| Some(format!("{} {}", self.way(it)?, it.function)))
    }

    /// Why it does not.
    pub fn reason(&self, hook: Hook) -> String {
        let of_hook = || ATTACHMENTS.iter().filter(|it| it.hooks.contains(&hook));
        let Some(first) = of_hook().next() else {
            return "no function of the kernel tells it".to_owned();
        };
        if let Some(why) = of_hook().find_map(|it| self.failed.get(it.program)) {
            return why.clone();
        }
        if !self.applicable.iter().any(|it| it.hooks.contains(&hook)) {
            return format!("this kernel has no function {} that can be looked at", first.function);
        }
        if self.kind() == Some(Kind::Lsm) {
            return format!("{} is no hook of security modules", first.function);
        }
        self.given_up.join("; ")
    }

    /// The object with its programs declared to be of the kind that is tried: they are the same bytes.
    pub fn declare(&self, object: &mut Object) {
        let Some(kind) = self.kind() else { return };
        for it in ATTACHMENTS {
            let program = match it.at {
                At::Entry => it.program,
                At::Both { enter, .. } => enter,
                At::Exit { .. } => continue,
            };
            let old = format!("fentry/{program}");
            let new = match (kind, it.lsm) {
                (Kind::Trampoline, _) => continue,
                (Kind::Kprobe, _) => format!("kprobe/{program}"),
                // Which hook it is for is said when it is loaded.
                (Kind::Lsm, Some(_)) => format!("lsm/fn/{program}"),
                (Kind::Lsm, None) => continue,
            };
            object.rename_section(&old, &new);
        }
    }

    /// Loads all programs that have something to record. On failure the plan is another one.
    pub fn load(
        &mut self,
        ebpf: &mut Ebpf,
        tables: &Tables,
        btf: &aya::Btf,
    ) -> Result<Vec<LoadedHook>, Changed> {
        let mut loaded = Vec::new();
        let mut failed = Vec::new();
        // Refused without a look at them, before any was not: some, for a function may be refused as well as a kind.
        let mut of_kind = 0;
        for it in &self.applicable {
            if self.way(it).is_none() || !it.hooks.iter().any(|hook| tables.wants(*hook)) {
                continue;
            }
            if loaded.is_empty() && of_kind == ENOUGH {
                break;
            }
            for program in programs(it, self.kind()) {
                match load_one(ebpf, program, it, btf) {
                    Ok(()) => loaded.push(LoadedHook { program, attachment: it }),
                    Err(error) => {
                        of_kind += usize::from(is_of_kind(&error));
                        failed.push((it.program, brief(&error)));
                        break;
                    }
                }
            }
        }
        let Some((first, reason)) = failed.first() else { return Ok(loaded) };
        if loaded.is_empty() && of_kind == failed.len() {
            let way = self.applicable.iter().find(|it| it.program == *first).and_then(|it| self.way(it));
            self.give_up(format!("{}: {reason}", way.unwrap_or_default()));
            self.skip_missing();
        } else {
            self.failed.extend(failed);
        }
        Err(Changed)
    }

    /// Attaches what was loaded.
    pub fn attach(&mut self, ebpf: &mut Ebpf, loaded: &[LoadedHook]) -> Result<(), Changed> {
        let mut failed = Vec::new();
        for LoadedHook { program, attachment } in loaded {
            if let Err(error) = attach_one(ebpf, program, attachment.function) {
                failed.push((attachment.program, brief(&error)));
            }
        }
        if failed.is_empty() {
            return Ok(());
        }
        self.failed.extend(failed);
        Err(Changed)
    }
}

/// A program that is in the kernel.
#[derive(Clone, Copy, Debug)]
pub struct LoadedHook {
    pub program: &'static str,
    pub attachment: &'static Attachment,
}

impl LoadedHook {
    /// Whether the program keeps arguments for another one, which counts the call as one whose entry is not known when this
    /// one did not run.
    pub fn is_counted_at_exit(&self) -> bool {
        matches!(self.attachment.at, At::Exit { enter, .. } if enter == self.program)
    }
}

/// How often the kernel did not run a program, because it was running already on that CPU: for a task that was preempted or
/// interrupted in it.
pub fn misses(ebpf: &Ebpf, program: &str) -> u64 {
    let fd = ebpf.program(program).and_then(|program| Some(program.fd().ok()?.as_fd().as_raw_fd()));
    let Some(fd) = fd else { return 0 };
    let info = fs::read_to_string(format!("/proc/self/fdinfo/{fd}")).unwrap_or_default();
    let count = info.lines().find_map(|line| line.strip_prefix("recursion_misses:"));
    count.and_then(|count| count.trim().parse().ok()).unwrap_or(0)
}

/// Why this kernel takes no programs of a kind, as far as an empty one or a look at its files tells.
fn missing(kind: Kind) -> Option<String> {
    match kind {
        Kind::Trampoline => refused("fentry", ProgramType::Tracing),
        Kind::Kprobe if !Path::new(KPROBES).exists() => {
            Some("kprobes: this kernel is built without".to_owned())
        }
        Kind::Kprobe => None,
        Kind::Lsm if !lists_bpf(&fs::read_to_string(MODULES).unwrap_or_default()) => {
            Some("security modules: bpf is not among this kernel's (lsm=)".to_owned())
        }
        Kind::Lsm => refused("lsm", ProgramType::Lsm(LsmAttachType::Mac)),
    }
}

/// Why an empty program of a type is not taken. What else goes wrong with it says nothing of ours.
fn refused(way: &str, kind: ProgramType) -> Option<String> {
    match is_program_supported(kind) {
        Ok(false) => Some(format!("{way}: this kernel has no such programs")),
        Err(ProgramError::SyscallError(error)) => Some(format!("{way}: {}", error.io_error)),
        Ok(true) | Err(_) => None,
    }
}

/// The calls whose exits tell a hook's event in the kernel.
pub fn stand_in_calls(hook: Hook) -> &'static [&'static str] {
    KERNEL_STAND_INS.iter().find(|it| it.hook == hook).map_or(&[], |it| it.calls)
}

fn lists_bpf(modules: &str) -> bool {
    modules.trim().split(',').any(|module| module == "bpf")
}

fn programs(it: &Attachment, kind: Option<Kind>) -> Vec<&'static str> {
    match it.at {
        At::Exit { enter, leave } | At::Both { enter, leave } if kind == Some(Kind::Kprobe) => {
            vec![enter, leave]
        }
        At::Both { enter, .. } => vec![enter, it.program],
        At::Entry | At::Exit { .. } => vec![it.program],
    }
}

fn load_one(ebpf: &mut Ebpf, name: &str, it: &Attachment, btf: &aya::Btf) -> Result<(), ProgramError> {
    match ebpf.program_mut(name) {
        Some(Program::FEntry(program)) => program.load(it.function, btf),
        Some(Program::FExit(program)) => program.load(it.function, btf),
        Some(Program::Lsm(program)) => program.load(it.lsm.unwrap_or_default(), btf),
        Some(Program::KProbe(program)) => program.load(),
        _ => Err(ProgramError::UnexpectedProgramType),
    }
}

fn attach_one(ebpf: &mut Ebpf, name: &str, function: &str) -> Result<(), ProgramError> {
    match ebpf.program_mut(name) {
        Some(Program::FEntry(program)) => program.attach().map(drop),
        Some(Program::FExit(program)) => program.attach().map(drop),
        Some(Program::Lsm(program)) => program.attach().map(drop),
        Some(Program::KProbe(program)) => program.attach(function, 0).map(drop),
        _ => Err(ProgramError::UnexpectedProgramType),
    }
}

/// Whether the kernel refused the kind of program rather than this one: without looking at it.
fn is_of_kind(error: &ProgramError) -> bool {
    matches!(error, ProgramError::LoadError { verifier_log, .. } if verifier_log.to_string().trim().is_empty())
}

/// The error in one line, with the verifier's last word.
pub(super) fn brief(error: &ProgramError) -> String {
    let ProgramError::LoadError { io_error, verifier_log } = error else { return chain(error) };
    let log = verifier_log.to_string();
    // What the kernel ends with when it has said why.
    const STATISTICS: [&str; 3] = ["processed ", "verification time ", "stack depth "];
    let is_word = |line: &&str| {
        !line.trim().is_empty() && !STATISTICS.iter().any(|statistics| line.starts_with(statistics))
    };
    match log.lines().rev().find(is_word) {
        Some(line) => format!("{io_error}: {}", line.trim()),
        None => io_error.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bpf_is_a_module_only_by_its_whole_name() {
        assert!(lists_bpf("lockdown,capability,yama,bpf\n"));
        assert!(!lists_bpf("lockdown,capability,notbpf"));
    }
}
