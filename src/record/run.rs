//! Builds the run that the options ask for, and ends it.

use std::{
    collections::{BTreeMap, BTreeSet},
    path::{Path, PathBuf},
    thread,
};

use anyhow::{Context as _, Result, bail};
use events::{EventId, catalogue};
use format::{Header, Unavailable, User, recorded};
use recorder::{
    amount::Stretch,
    assemble::{Choice, NameService},
    cgroup_table::CgroupTable,
    clocks, command,
    command::Command,
    container_runtimes::docker_socket,
    host,
    kernel::{self, HookPrograms, Kernel, KernelOptions, NAMED_ONLY},
    label::Judge,
    memory::{self, Holds},
    names,
    output::{Place, Stream},
    priority,
    privileges::{self, Part},
    process_table::process_from,
    rotate::{Rotation, part_path},
    runtime_paths::RuntimePaths,
    sample, select,
    session::{Session, Setup, Summary},
    signals,
    snapshot::Snapshot,
    write::{DEFAULT_FLIGHT_BYTES, Destination, Halt, Witness},
};
use scopes::{Lowered, Plan, ScopeSet};

use super::for_rules::ForRules;
use super::{Hooks, Options, Transport, old_parts, progress, steer::Steer};
use crate::{filters::Diagnostics, outcome::Outcome, stderr};

/// Containers whose names may wait to be asked for.
const NAME_QUEUE: usize = 1024;

pub fn record(options: &Options) -> Result<Outcome> {
    // What others wrote and read is in this memory soon.
    privileges::hide_memory().context("cannot make the recorder's memory unreadable")?;
    let for_rules = ForRules::read(&options.for_rules)?;
    let chosen = for_rules.events(&options.events);
    let mut wanted = select::select(&chosen)?;
    let samples = sample::samples(&options.sample)?;
    if options.only_matched && options.scopes.is_empty() {
        bail!("--only-matched needs filters to match (-f or -p)");
    }
    let users = host::users();
    let (plan, filters, policies) = if options.scopes.is_empty() {
        (Plan::everything(), Vec::new(), Vec::new())
    } else {
        let (scopes, policies) = options.scopes.scopes_and_policies()?;
        for warning in scopes.warnings() {
            stderr::say_lines(warning);
        }
        // A capture holds the values of lists, not the names of files that are on this host only.
        let filters = scopes.without_lists(&options.scopes.filters);
        (compile(scopes, &users)?, filters, policies)
    };
    let trigger = match options.trigger.as_slice() {
        [] => None,
        filters => Some(compile(ScopeSet::parse(filters).map_err(Diagnostics)?, &users)?),
    };
    if options.only_matched {
        // Events that no scope asks for are not even recorded by the kernel.
        let asks = |plan: &Plan, id: EventId| plan.event_mask(id) | plan.needed(id) != 0;
        let asked_for = |id: EventId| asks(&plan, id) || trigger.as_ref().is_some_and(|it| asks(it, id));
        let all = || {
            let events =
                catalogue::events().filter(|event| !event.is_derived() && !select::is_named_only(event.id));
            events.map(|event| event.id).collect()
        };
        let mut narrow: BTreeSet<EventId> = wanted.take().unwrap_or_else(all);
        narrow.retain(|id| asked_for(*id));
        wanted = Some(narrow);
    }
    let path = options.output.clone().unwrap_or_else(default_path);
    let first = if options.rotate.is_some() { part_path(&path, 0) } else { path.clone() };
    let inputs = [options.scopes.paths(), options.sealing.paths()].concat();
    crate::output::refuse_inputs(&first, &inputs)?;
    let old_parts = match options.rotate {
        Some(_) => old_parts::check(&path, options.force)?,
        None => Vec::new(),
    };
    let seal = options.sealing.options()?;
    let witness = options.heads.as_deref().map(|heads| witness(heads, &first, &path)).transpose()?;
    // Before the signals: whoever waits for a file system that does not answer can be ended by them.
    let place = place(options, &first)?;
    let to_stdout = is_standard_output(options);

    // Before there are threads.
    memory::keep_little();
    let signals = signals::listen().context("cannot listen for signals")?;
    // The slow pass over /proc goes on while the kernel side is loaded; the quick one follows when it is attached.
    let snapshot =
        thread::Builder::new().name("tracer-snapshot".into()).spawn(|| Snapshot::take(Path::new("/proc")))?;
    // A trigger looks at more than the scopes do.
    let lowered = (options.only_matched && trigger.is_none()).then(|| plan.lower());
    let mut kernel = Kernel::load(&kernel_options(options, wanted.as_ref(), samples.clone(), lowered))?;
    let clock = clocks::now();
    memory::give_back();
    let holds = Holds {
        is_set: options.rotate.is_some(),
        flight_bytes: options.flight.map(|_| flight_bytes(options)),
    };
    let memory = kernel.memory();
    let bound_bytes = memory::bound_bytes(memory, holds);
    let mut snapshot = snapshot.join().ok().and_then(Result::ok).unwrap_or_default();
    snapshot.refresh(Path::new("/proc")).context("cannot read the processes of /proc")?;
    let cgroups = CgroupTable::of_host();

    tell_unavailable(kernel.unavailable(), !chosen.is_empty());
    let mut unavailable = unavailable(&kernel);
    unavailable.extend(samples.iter().filter_map(|(id, every)| {
        Some(Unavailable { event: catalogue::by_id(*id)?.name.to_owned(), reason: sample::reason(*every) })
    }));
    for_rules.tell(&unavailable);
    let header = Header {
        program: concat!("tracer ", env!("CARGO_PKG_VERSION")).to_owned(),
        host: host::host(),
        clock,
        schema: format::current_schema(),
        recording: format::Recording {
            command_line: std::env::args_os().map(|arg| arg.to_string_lossy().into_owned()).collect(),
            filters,
            policies: policies.into_iter().map(|(_, text)| text).collect(),
            events: chosen.clone(),
            only_matched: options.only_matched,
            start_ns: clock.boot_ns,
            string_bound: options.string_bound,
            buffer_bound: options.buffer_bound,
            snaplen: options.snaplen,
            transport: transport_name(options.transport).to_owned(),
            unavailable,
            more: memory_of_recording(memory, bound_bytes),
            ..format::Recording::default()
        },
        ..Header::default()
    };
    let recording = scopes::Recording {
        start_ns: clock.boot_ns,
        host_mnt_ns: scopes::Recording::host_mnt_ns(snapshot.processes().map(|it| (it.pid, it.mnt_ns))),
    };
    let wall_offset_ns = clock.wall_ns.wrapping_sub(clock.boot_ns) as i64;
    let hostname = header.host.hostname.clone();
    let processes = snapshot.processes().map(|p| process_from(p, cgroups.id_of(&p.cgroup))).collect();
    let setup = Setup {
        destination: Destination {
            place,
            path,
            max_bytes: options.max_size,
            rotation: options
                .rotate
                .map(|every| Rotation { every, keep: options.keep.map(|keep| keep as usize) }),
            flight: options.flight,
            flight_bytes: flight_bytes(options),
            seal,
            witness,
        },
        header,
        compression: options.sealing.compression.unwrap_or_default().into(),
        choice: Choice {
            labels: Judge::new(plan, recording, wall_offset_ns).on(hostname.clone()),
            only_matched: options.only_matched,
            wanted,
            trigger: trigger.map(|plan| Judge::new(plan, recording, wall_offset_ns).on(hostname)),
            early_drop: kernel.take_early_drop(),
        },
        processes,
        users,
        cgroups,
        names: name_service(options),
        after: options.after,
        priority_boost: options.priority_boost.unwrap_or(priority::DEFAULT_BOOST),
        is_confined: !options.keep_privileges,
    };
    let session = Session::start(setup)?;
    // Only now: a recording that does not start replaces nothing.
    old_parts::remove(&old_parts)?;

    let command = match options.command.as_slice() {
        [] => None,
        arguments => match Command::start(arguments, to_stdout) {
            Ok(command) => Some(command),
            Err(error) => {
                // What was begun is finished: a capture without events.
                session.record(kernel, &mut || recorder::session::Step::Stop)?;
                let name =
                    arguments.first().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
                stderr::note(format_args!("cannot start {name}: {error}"));
                return Ok(Outcome::Code(command::start_failure_code(&error)));
            }
        },
    };
    stderr::note(progress::start(memory, bound_bytes));
    let line = progress::Line::start(session.progress());
    // Only now, since the command would inherit it.
    let by = options.priority_boost.unwrap_or(priority::DEFAULT_BOOST);
    if let Err(error) = priority::boost(by)
        && options.priority_boost.is_some()
    {
        stderr::note(format_args!("--priority-boost: {error}; setting it needs CAP_SYS_NICE"));
    }
    // After the boost, and after the command, which would inherit it as well.
    if !options.keep_privileges
        && let Err(error) = privileges::confine(Part::Drain)
    {
        if let Some(command) = &command {
            command.terminate();
        }
        session.record(kernel, &mut || recorder::session::Step::Stop)?;
        bail!(
            "cannot give up privileges ({error}), so nothing is recorded; --keep-privileges records with all of them"
        );
    }
    let mut steer = Steer::new(signals, command, options.duration);
    let summary = session.record(kernel, &mut || steer.step());
    line.end();
    let summary = summary?;
    stderr::say(progress::summary(&summary));
    outcome(summary, options, steer)
}

/// Opens what is told the heads of the chain.
fn witness(heads: &Path, first: &Path, path: &Path) -> Result<Witness> {
    let name = || format!("--heads {}", heads.display());
    let socket = heads.to_str().and_then(|heads| heads.strip_prefix("unix:"));
    if let Some(socket) = socket {
        return Witness::socket(Path::new(socket)).with_context(name);
    }
    if heads == first || heads == path {
        bail!("{}: this is the capture, and its heads belong elsewhere", name());
    }
    Witness::file(heads).with_context(name)
}

/// Opens what the recording goes into: before anything is loaded, so that nobody's events wait for it.
fn place(options: &Options, first: &Path) -> Result<Place> {
    if is_standard_output(options) {
        if options.rotate.is_some() {
            bail!("--rotate makes files, and standard output is one stream: name a file with -o");
        }
        return Ok(Place::stream(Stream::standard_output()?, Path::new("standard output")));
    }
    if options.stream {
        return Ok(Place::stream(Stream::open(first)?, first));
    }
    Ok(Place::file(first, options.force)?)
}

fn is_standard_output(options: &Options) -> bool {
    options.output.as_deref() == Some(Path::new("-"))
}

/// A stretch of bytes is its own bound; one of time has one beside it.
fn flight_bytes(options: &Options) -> u64 {
    match (options.flight_memory, options.flight) {
        (Some(bytes), _) | (None, Some(Stretch::Bytes(bytes))) => bytes,
        (None, _) => DEFAULT_FLIGHT_BYTES,
    }
}

/// Filters name users as this host does.
fn compile(mut scopes: ScopeSet, users: &[User]) -> Result<Plan> {
    let users: Vec<(&str, u32)> = users.iter().map(|user| (user.name.as_str(), user.uid)).collect();
    scopes.resolve_users(&users).map_err(Diagnostics)?;
    Ok(Plan::compile(&scopes))
}

/// The exit code, after everything is on the disk. A command that outlives its recording is waited for first.
fn outcome(summary: Summary, options: &Options, steer: Steer) -> Result<Outcome> {
    let code = steer.exit_code();
    match summary.halt {
        None => {}
        Some(Halt::MaxSize) => {
            stderr::say("stopped at --max-size");
        }
        Some(Halt::DiskFull) => {
            bail!(
                "the disk is full: the recording ended early, and the capture was finished with what fitted"
            )
        }
        Some(Halt::ReaderGone) => {
            bail!("nobody reads the stream any more: the recording ended early, and the capture has no end")
        }
        Some(Halt::Abandoned) => {
            bail!("the stream's reader takes nothing any more: the capture ends where it stopped")
        }
        Some(Halt::Output(error)) => return Err(error.into()),
        Some(Halt::Failed(error)) => return Err(error).context("the recording ended early"),
    }
    if let Some(error) = summary.source_error {
        return Err(error).context("the recording ended early");
    }
    if options.flight.is_some() && !summary.released {
        stderr::say("the flight recorder was never triggered: no events were written");
    }
    Ok(code.map_or(Outcome::Done, Outcome::Code))
}

fn kernel_options(
    options: &Options,
    wanted: Option<&BTreeSet<EventId>>,
    samples: BTreeMap<EventId, u32>,
    scopes: Option<Lowered>,
) -> KernelOptions {
    let mut events = wanted.cloned();
    if let Some(events) = &mut events {
        // Containers are known by them, whatever else is recorded.
        events.extend([catalogue::cgroups::CGROUP_MKDIR, catalogue::cgroups::CGROUP_RMDIR]);
    }
    KernelOptions {
        events: events.map(|events| events.into_iter().collect()),
        transport: match options.transport {
            Transport::Region => kernel::Transport::Region,
            Transport::Ringbuf => kernel::Transport::Ringbuf,
        },
        hooks: match options.hooks {
            Hooks::Auto => HookPrograms::Auto,
            Hooks::Fentry => HookPrograms::Fentry,
            Hooks::Kprobe => HookPrograms::Kprobe,
            Hooks::Lsm => HookPrograms::Lsm,
            Hooks::None => HookPrograms::None,
        },
        cpus: options.cpus.map(usize::from),
        buffer_bytes: options.buffer.map(|bytes| usize::try_from(bytes).unwrap_or(usize::MAX)),
        string_bound: options.string_bound as usize,
        buffer_bound: options.buffer_bound as usize,
        snaplen: options.snaplen as usize,
        environment: options.env,
        strict: options.strict,
        samples,
        scopes,
        ..KernelOptions::default()
    }
}

/// What the capture tells of it, in bytes and by name.
fn memory_of_recording(memory: kernel::Memory, bound_bytes: u64) -> BTreeMap<String, String> {
    let buffers = memory.buffer_bytes as u64 * memory.cpus as u64;
    [
        (recorded::BUFFER_CPUS, memory.cpus as u64),
        (recorded::BUFFER_BYTES, buffers),
        (recorded::KERNEL_BYTES, memory.map_bytes),
        (recorded::MEMORY_BOUND_BYTES, bound_bytes),
    ]
    .map(|(name, number)| (name.to_owned(), number.to_string()))
    .into()
}

const fn transport_name(transport: Transport) -> &'static str {
    match transport {
        Transport::Region => "region",
        Transport::Ringbuf => "ringbuf",
    }
}

fn unavailable(kernel: &Kernel) -> Vec<Unavailable> {
    let missing = kernel.unavailable().iter();
    missing.map(|it| Unavailable { event: name_of(it).to_owned(), reason: it.reason.clone() }).collect()
}

fn name_of(missing: &kernel::Unavailable) -> &'static str {
    catalogue::by_id(missing.event).map(|event| event.name).unwrap_or_default()
}

/// Said once: each with its reason when events were asked for, else a few names of them. The file's header has them all.
fn tell_unavailable(unavailable: &[kernel::Unavailable], asked_for: bool) {
    for missing in unavailable.iter().filter(|it| asked_for || it.in_part) {
        let is = if missing.in_part { "is" } else { "cannot be recorded here:" };
        stderr::note(format_args!("{} {is} {}", name_of(missing), missing.reason));
    }
    if asked_for {
        return;
    }
    const SHOWN: usize = 4;
    let lacking = unavailable.iter().filter(|it| !it.in_part && it.reason != NAMED_ONLY);
    let names: Vec<&str> = lacking.map(name_of).collect();
    if let Some(shown) = names.get(..names.len().min(SHOWN)).filter(|shown| !shown.is_empty()) {
        let more = if names.len() > SHOWN { ", ..." } else { "" };
        stderr::note(format_args!(
            "{} events cannot be recorded on this kernel ({}{more}): `tracer events --available` says why",
            names.len(),
            shown.join(", "),
        ));
    }
}

/// `tracer-HOST-20261123T212605Z.trz`.
fn default_path() -> PathBuf {
    let now = jiff::Timestamp::now().to_string();
    let seconds = now.split('.').next().unwrap_or_default();
    let date: String = seconds.chars().filter(char::is_ascii_alphanumeric).collect();
    let host: String = host::host()
        .hostname
        .chars()
        .map(|c| if c.is_ascii_alphanumeric() || matches!(c, '-' | '.' | '_') { c } else { '_' })
        .collect();
    PathBuf::from(format!("tracer-{host}-{date}Z.trz"))
}

/// Asks for names on a thread of its own; without it containers have only their ids.
fn name_service(options: &Options) -> Option<NameService> {
    let is_confined = !options.keep_privileges;
    let mut sockets = options.docker_socket.clone();
    sockets.extend(std::env::var("DOCKER_HOST").ok().and_then(|host| docker_socket(&host)));
    let (ask, requests) = crossbeam_channel::bounded(NAME_QUEUE);
    let (answer, answers) = crossbeam_channel::bounded(NAME_QUEUE);
    thread::Builder::new()
        .name("tracer-names".into())
        .spawn(move || {
            // A thread that reads what users lay out has no more than that takes, or does nothing.
            if is_confined && privileges::confine(Part::Names).is_err() {
                return;
            }
            names::serve(RuntimePaths::of_host(sockets), &requests, &answer);
        })
        .ok()?;
    Some(NameService { ask, answers })
}
