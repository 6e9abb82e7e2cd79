//! No event is listed that nothing produces: each of the catalogue is provoked, and looked for in a capture.

use std::collections::BTreeSet;
use std::path::Path;
use std::process::Command;

use events::{Event, Source, catalogue};
use libtest_mimic::Failed;

use crate::Test;
use crate::compat::{self, NO_ENTRY};
use crate::host::{act, ensure, info, record, scratch, tracer_ok};

pub mod calls;
pub mod deeds;

pub const TESTS: &[Test] = &[
    ("every_system_call_of_the_catalogue_is_recorded_when_it_is_made", every_call),
    ("every_other_event_is_recorded_or_refused_when_it_happens", every_other_event),
];

/// What the deeds here do not bring about, and why.
const NOT_PROVOKED: &[(&str, &str)] = &[
    ("container_create", "takes a container; the tests of runtimes make one"),
    ("container_remove", "takes a container; the tests of runtimes end one"),
    ("existing_container", "takes a container; the tests of runtimes record beside one"),
    ("lost_events", "takes losses, which the tests of losses bring about"),
    ("security_kernel_read_file", "takes a module that this kernel loads"),
    ("security_kernel_post_read_file", "takes a module that this kernel loads"),
    ("module_load", "takes a module that this kernel loads"),
    ("module_free", "takes a module that this kernel loads"),
    ("do_init_module", "takes a module that this kernel loads"),
    ("register_chrdev", "takes a module that this kernel loads"),
    ("kallsyms_lookup_name", "takes a module that looks symbols up"),
    ("proc_create", "takes a part of the kernel that adds to /proc"),
    ("debugfs_create_file", "takes a part of the kernel that adds to debugfs"),
    ("debugfs_create_dir", "takes a part of the kernel that adds to debugfs"),
    ("device_add", "takes a device"),
    ("call_usermodehelper", "takes a kernel that wants a helper"),
    ("kprobe_attach", "takes a kprobe"),
    ("dirty_pipe_splice", "takes a kernel with the fault"),
    ("hidden_inodes", "takes a kernel that hides files"),
    ("security_settime64", "would set the clock of the host"),
    ("sigreturn", "leaves no number behind, as every return from a handler: it is told as rt_sigreturn"),
];

/// The events that a capture's blocks hold.
fn recorded(file: &Path) -> Result<BTreeSet<&'static str>, Failed> {
    let capture = format::Capture::open(file)?;
    let mut scratch = format::Scratch::new();
    let mut names = BTreeSet::new();
    for number in 0..capture.blocks().len() {
        let block = capture.block(number, &mut scratch)?;
        let ids = block.event_list().iter();
        names.extend(ids.filter_map(|id| capture.schema().event(*id)).map(|event| event.name));
    }
    Ok(names)
}

/// What the recorder said that it could not record.
fn unavailable(file: &Path) -> Result<BTreeSet<String>, Failed> {
    let info = info(file)?;
    let all = info["unavailable"].as_array().into_iter().flatten();
    Ok(all.filter_map(|it| it["event"].as_str().map(str::to_owned)).collect())
}

/// Fails with the events that are missing.
fn none_is_missing<'a>(
    expected: impl Iterator<Item = &'a Event>,
    recorded: &BTreeSet<&str>,
) -> Result<(), Failed> {
    let missing: Vec<_> = expected.map(|event| event.name).filter(|name| !recorded.contains(name)).collect();
    ensure(missing.is_empty(), || format!("{} events never came: {}", missing.len(), missing.join(", ")))
}

/// Behaviours have tests of their own, which do what they are about.
fn is_provoked(event: &&Event) -> bool {
    events::threat::of(event.id).is_none() && !NOT_PROVOKED.iter().any(|(name, _)| *name == event.name)
}

fn record_act(dir: &Path, options: &[&str], name: &str) -> Result<std::path::PathBuf, Failed> {
    let program = act(name, &dir.to_string_lossy())?;
    let program: Vec<&str> = program.iter().map(String::as_str).collect();
    record(dir, options, &program)
}

fn every_call() -> Result<(), Failed> {
    let own = std::env::current_exe()?;
    let has_compat = Command::new(own).arg(compat::RUN).status()?.code() != Some(NO_ENTRY);
    let dir = scratch()?;
    let file = record_act(dir.path(), &["--events", "syscalls"], "make-every-call")?;
    let is_made = |event: &&Event| match event.source {
        Source::Syscall(numbers) if cfg!(target_arch = "aarch64") => numbers.aarch64.is_some(),
        Source::Syscall(numbers) => numbers.x86_64.is_some() || numbers.i386.is_some() && has_compat,
        _ => false,
    };
    none_is_missing(catalogue::events().filter(is_made).filter(is_provoked), &recorded(&file)?)
}

fn every_other_event() -> Result<(), Failed> {
    let dir = scratch()?;
    let file = record_act(dir.path(), &[], "do-every-deed")?;
    let mut found = recorded(&file)?;
    let derived: Vec<_> = catalogue::events().filter(|event| event.is_derived()).collect();
    for event in derived {
        let counted = tracer_ok(&[
            "replay",
            "-q",
            "--count",
            "-f",
            &format!("event={}", event.name),
            &file.to_string_lossy(),
        ])?;
        if counted.trim() != "0" {
            found.insert(event.name);
        }
    }
    let mut lacking = unavailable(&file)?;

    // Those that are recorded when they are named only.
    let named: Vec<_> = catalogue::events()
        .filter(|event| scopes::select::is_named_only(event.id))
        .map(|event| event.name)
        .collect();
    let file = record_act(dir.path(), &["--events", &named.join(",")], "write-a-file")?;
    found.extend(recorded(&file)?);
    let refused = unavailable(&file)?;
    lacking.retain(|name| !named.contains(&name.as_str()) || refused.contains(name));

    let is_expected = |event: &&Event| {
        let is_supported = !matches!(event.source, Source::Unsupported(_) | Source::Syscall(_));
        is_provoked(event) && is_supported && !lacking.contains(event.name)
    };
    none_is_missing(catalogue::events().filter(is_expected), &found)
}
