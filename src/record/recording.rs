//! Builds the run that an order asks for, and ends it.

use std::{
    collections::BTreeSet,
    path::{Path, PathBuf},
    sync::Arc,
    thread,
};

use anyhow::{Context as _, Result, bail};
use events::{EventId, catalogue};
use format::facts::FactSet;
use format::{Header, Side, Unavailable, User};
use recorder::{
    amount::Stretch,
    artifacts::HandOn,
    assemble::{Choice, NameService, Progress},
    containers::cgroup_table::CgroupTable,
    containers::container_runtimes::docker_socket,
    containers::names,
    containers::runtime_paths::RuntimePaths,
    file::rotate::{Rotation, part_path},
    file::write::{DEFAULT_FLIGHT_BYTES, Destination, Halt, Witness},
    hashes::{self, HashService, Opener},
    host::clocks,
    host::command,
    host::command::Command,
    host::description as host,
    host::memory::{self, Holds},
    host::priority,
    host::privileges::{self, Part},
    host::process_table::process_from,
    host::signals,
    host::snapshot::Snapshot,
    kernel::{self, Kernel},
    label::Judge,
    sample, select,
    session::{self, Session, Setup, Summary},
};
use scopes::{Plan, ScopeSet};

use super::{
    Capturing, Keeping, Options,
    artifacts::Keeps,
    findings,
    for_rules::ForRules,
    kernel_side::{kernel_options, numbers_of_recording, tell_unavailable, transport_name, unavailable},
    metrics::{self, Metrics},
    old_parts,
    order::{Attendant, Ended, Order, Scopes, Target},
    progress, standing,
    steer::Steer,
    trigger::Trigger,
    uploading::{Upload, Uploading},
};
use crate::{filters::Diagnostics, judging::Judging, outcome::Outcome, stderr};

/// Files that may wait to be hashed.
const HASH_QUEUE: usize = 1024;
/// Containers whose names may wait to be asked for.
const NAME_QUEUE: usize = 1024;

/// A recording as `record` asks for it.
pub fn record(options: &Options) -> Result<Outcome> {
    if options.only_matched && options.scopes.is_empty() {
        bail!("--only-matched needs filters to match (-f or -p)");
    }
    let trigger = Trigger::read(&options.keeping.trigger)?;
    let judging = Judging::read(&options.rules, &trigger.rules)?;
    if judging.is_none() && options.findings.is_some() {
        bail!(
            "--findings is about rules: give some with --rules, or choose of those of the program with --only"
        );
    }
    let scopes = Scopes::read(&options.scopes)?;
    for warning in scopes.set.warnings() {
        stderr::say_lines(warning);
    }
    let order = Order {
        capturing: &options.capturing,
        keeping: &options.keeping,
        target: Target::File {
            path: options.output.clone().unwrap_or_else(default_path),
            force: options.force,
            is_stream: options.stream,
        },
        inputs: options.scopes.paths(),
        scopes,
        only_matched: options.only_matched,
        also: BTreeSet::new(),
        trigger: trigger.events,
        exclude: Vec::new(),
        duration: options.duration,
        command: &options.command,
    };
    let upload = Upload::prepare(&options.keeping, order.target.path())?;
    let metrics = options.keeping.metrics.as_deref();
    let metrics = metrics
        .map(|path| Metrics::open(path, &options.keeping.labels, upload.as_ref().map(Upload::state)))
        .transpose()?;
    let is_confined = !options.capturing.keep_privileges;
    let mut attendant = Reporter { metrics, upload, is_confined, ..Reporter::default() };
    let (summary, exit_code) = match judging {
        Some(judging) => match findings::record(order, &mut attendant, &judging, options)? {
            Ok(ended) => ended,
            Err(code) => return Ok(Outcome::Code(code)),
        },
        None => match run(order, &mut attendant)? {
            Ended::Summary(summary, steer) => (*summary, steer.exit_code()),
            Ended::NotStarted(code) => return Ok(Outcome::Code(code)),
        },
    };
    stderr::say(progress::summary(&summary));
    attendant.end_upload(&options.keeping);
    outcome(summary, exit_code, options.keeping.flight.is_some())
}

/// Says on stderr how it goes.
#[derive(Default)]
struct Reporter {
    line: Option<progress::Line>,
    metrics: Option<Metrics>,
    writing: Option<metrics::Writing>,
    upload: Option<Upload>,
    uploading: Option<Uploading>,
    is_confined: bool,
}

impl Reporter {
    /// Once the last part is sealed.
    fn end_upload(&mut self, keeping: &Keeping) {
        let Some(url) = &keeping.upload else { return };
        let is_done = self.uploading.take().is_none_or(Uploading::end);
        // Only now the last metrics say what is true from here on: that nothing is uploaded any more.
        self.end_metrics();
        if !is_done {
            stderr::warn(format_args!(
                "not all parts were uploaded to {url}: they are here, and `tracer fleet upload FOLDER {url}` goes on"
            ));
        }
    }

    fn end_metrics(&mut self) {
        if let Some(error) = self.writing.take().and_then(metrics::Writing::end) {
            stderr::warn(error);
        }
    }
}

impl Attendant for Reporter {
    fn started(&mut self, memory: kernel::Memory, bound_bytes: u64, progress: Arc<Progress>) {
        stderr::note(progress::start(memory, bound_bytes));
        let is_confined = self.is_confined;
        self.writing = self.metrics.take().map(|metrics| metrics.start(Arc::clone(&progress), is_confined));
        self.line = Some(progress::Line::start(progress));
        self.uploading = self.upload.take().map(|upload| upload.start(is_confined));
    }

    fn ended(&mut self) {
        if let Some(line) = self.line.take() {
            line.end();
        }
        match &self.writing {
            Some(writing) if self.uploading.is_some() => writing.recording_ends(),
            _ => self.end_metrics(),
        }
    }
}

/// Records until the order, a signal or the attendant says that it is enough.
pub fn run(order: Order<'_>, attendant: &mut dyn Attendant) -> Result<Ended> {
    let Order { capturing, keeping, .. } = order;
    // What others wrote and read is in this memory soon.
    privileges::hide_memory().context("cannot make the recorder's memory unreadable")?;
    let keeps = Keeps::read(&order)?;
    let for_rules = ForRules::read(&capturing.for_rules)?;
    let mut chosen = for_rules.events(&capturing.events);
    if let Some(keeps) = &keeps {
        chosen = keeps.events(chosen);
    }
    let mut wanted = select::select(&chosen)?;
    let samples = sample::samples(&capturing.sample)?;
    let users = host::users();
    let Scopes { set, filters, policies } = order.scopes;
    refuse_durations(capturing, std::iter::once(&set).chain(&order.trigger))?;
    let plan = if set.is_empty() { Plan::everything() } else { compile(set, &users)? };
    let trigger = order.trigger.map(|set| compile(set, &users)).transpose()?;
    if order.only_matched {
        // Events that no scope asks for are not even recorded by the kernel.
        let asks = |plan: &Plan, id: EventId| plan.event_mask(id) | plan.needed(id) != 0;
        let asked_for = |id: EventId| asks(&plan, id) || trigger.as_ref().is_some_and(|it| asks(it, id));
        let all = || {
            let events =
                catalogue::events().filter(|event| !event.is_derived() && !select::is_named_only(event.id));
            events.map(|event| event.id).collect()
        };
        let mut narrow: BTreeSet<EventId> = wanted.take().unwrap_or_else(all);
        narrow.retain(|id| asked_for(*id) || order.also.contains(id));
        wanted = Some(narrow);
    }
    let only_matched = order.only_matched && order.also.is_empty();
    let path = order.target.path().to_owned();
    let retention = old_parts::retention(keeping, &path, order.target.is_forced())?;
    let first =
        if keeping.rotate.is_some() { part_path(&path, retention.first_number) } else { path.clone() };
    let inputs = [order.inputs, keeping.sealing.paths()].concat();
    crate::output::refuse_inputs(&first, &inputs)?;
    let old_parts = match keeping.rotate {
        Some(_) if retention.first_number == 0 => old_parts::check(&path, order.target.is_forced())?,
        Some(_) | None => Vec::new(),
    };
    let seal = keeping.sealing.options()?;
    let witness = keeping.heads.as_deref().map(|heads| witness(heads, &first, &path)).transpose()?;
    // Before the signals: whoever waits for a file system that does not answer can be ended by them.
    let place = order.target.place(&first, keeping.rotate.is_some())?;
    let to_stdout = order.target.is_standard_output();

    // Before there are threads.
    memory::keep_little();
    let signals = signals::listen().context("cannot listen for signals")?;
    // The slow pass over /proc goes on while the kernel side is loaded; the quick one follows when it is attached.
    let snapshot =
        thread::Builder::new().name("tracer-snapshot".into()).spawn(|| Snapshot::take(Path::new("/proc")))?;
    let plans = || std::iter::once(&plan).chain(&trigger);
    let asked = standing::asked(plans());
    let attached = standing::attached(wanted.as_ref(), asked);
    // A trigger looks at more than the scopes do, and so does whoever follows what tells where processes stand.
    let drops_early = only_matched && trigger.is_none() && asked == FactSet::NONE;
    let lowered = drops_early.then(|| plan.lower());
    let options = kernel_options(capturing, attached.as_ref(), samples.clone(), lowered, order.exclude);
    let mut kernel = Kernel::load(&options)?;
    let clock = clocks::now();
    memory::give_back();
    let drains = capturing.drains.map_or_else(session::drains_here, usize::from);
    let holds = Holds {
        drains,
        is_set: keeping.rotate.is_some(),
        flight_bytes: keeping.flight.map(|_| flight_bytes(keeping)),
        viewed_bytes: attendant.viewed_bytes(),
        asks_ancestors: plan.needs().lineage,
    };
    let memory = kernel.memory();
    let kept_bytes = keeps.as_ref().map_or(0, Keeps::memory_bytes);
    let bound_bytes = memory::bound_bytes(memory, holds) + kept_bytes;
    let mut snapshot = snapshot.join().ok().and_then(Result::ok).unwrap_or_default();
    snapshot.refresh(Path::new("/proc")).context("cannot read the processes of /proc")?;
    let cgroups = CgroupTable::of_host();

    tell_unavailable(kernel.unavailable(), !chosen.is_empty());
    if let Some(reason) = kernel.refused_evaluation() {
        stderr::note(format_args!(
            "the programs are loaded as they were built, so that a call costs a little more: {}",
            reason.lines().next().unwrap_or_default()
        ));
    }
    let mut unavailable = unavailable(&kernel);
    unavailable.extend(samples.iter().filter_map(|(id, every)| {
        Some(Unavailable { event: catalogue::by_id(*id)?.name.to_owned(), reason: sample::reason(*every) })
    }));
    for_rules.tell(&unavailable);
    let followed = standing::followed(attached.as_ref(), &unavailable, drops_early);
    standing::tell(asked, followed);
    let header = Header {
        program: concat!("tracer ", env!("CARGO_PKG_VERSION")).to_owned(),
        host: host::host(),
        clock,
        schema: format::current_schema(),
        recording: format::Recording {
            command_line: std::env::args_os().map(|arg| arg.to_string_lossy().into_owned()).collect(),
            filters,
            policies: policies.into_iter().map(|(_, text)| text).collect(),
            // Where somebody looks at what is recorded for them alone, no other event is.
            events: match (&wanted, order.also.is_empty()) {
                (Some(narrow), false) => {
                    narrow.iter().filter_map(|id| Some(catalogue::by_id(*id)?.name.to_owned())).collect()
                }
                _ => chosen.clone(),
            },
            only_matched,
            start_ns: clock.boot_ns,
            string_bound: capturing.string_bound,
            buffer_bound: capturing.buffer_bound,
            snaplen: capturing.snaplen,
            transport: transport_name(capturing.transport).to_owned(),
            unavailable,
            more: numbers_of_recording(memory, kernel.lists(), bound_bytes)
                .into_iter()
                .chain(keeps.iter().flat_map(Keeps::told))
                .chain(keeping.upload.iter().map(|url| (format::recorded::UPLOAD.to_owned(), url.clone())))
                .chain(capturing.timing.then(|| (format::recorded::TIMING.to_owned(), String::new())))
                .chain(
                    keeping.labels.iter().map(|(name, text)| (format::recorded::label(name), text.clone())),
                )
                .collect(),
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
    let processes: Vec<_> = snapshot.processes().map(|p| process_from(p, cgroups.id_of(&p.cgroup))).collect();
    let viewing = attendant.viewing(&header, &|| {
        vec![
            Side::Processes(processes.clone()),
            Side::Users(users.clone()),
            Side::Cgroups(cgroups.containers()),
        ]
    })?;
    let is_confined = !capturing.keep_privileges;
    let (artifacts, hand_on) = match &keeps {
        Some(keeps) => {
            stderr::note(keeps.text());
            let (service, hand_on) = keeps.start(is_confined).context("starting what keeps artifacts")?;
            (Some(service), hand_on)
        }
        None => (None, None),
    };
    let setup = Setup {
        destination: Destination {
            place,
            path,
            max_bytes: keeping.max_size,
            rotation: keeping
                .rotate
                .map(|every| Rotation { every, keep: keeping.keep.map(|keep| keep as usize) }),
            retention,
            flight: keeping.flight,
            flight_bytes: flight_bytes(keeping),
            seal,
            witness,
        },
        header,
        compression: order.target.compression(keeping),
        choice: Choice {
            labels: Judge::new(plan, recording, wall_offset_ns).on(hostname.clone()),
            only_matched,
            wanted,
            trigger: trigger.map(|plan| Judge::new(plan, recording, wall_offset_ns).on(hostname)),
            early_drop: kernel.take_early_drop(),
            followed,
        },
        processes,
        users,
        cgroups,
        names: name_service(capturing),
        hashes: if capturing.no_hashes { None } else { hash_service(capturing, hand_on) },
        artifacts,
        after: keeping.after,
        viewing,
        drains,
        priority_boost: capturing.priority_boost.unwrap_or(priority::DEFAULT_BOOST),
        is_confined,
    };
    let session = Session::start(setup)?;
    // Only now: a recording that does not start replaces nothing.
    old_parts::remove(&old_parts)?;

    let command = match order.command {
        [] => None,
        arguments => match Command::start(arguments, to_stdout) {
            Ok(command) => Some(command),
            Err(error) => {
                // What was begun is finished: a capture without events.
                session.record(kernel, &mut || recorder::session::Step::Stop)?;
                let name =
                    arguments.first().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
                stderr::note(format_args!("cannot start {name}: {error}"));
                return Ok(Ended::NotStarted(command::start_failure_code(&error)));
            }
        },
    };
    attendant.started(memory, bound_bytes, session.progress());
    // Only now, since the command would inherit it.
    let by = capturing.priority_boost.unwrap_or(priority::DEFAULT_BOOST);
    if let Err(error) = priority::boost(by)
        && capturing.priority_boost.is_some()
    {
        stderr::note(format_args!("--priority-boost: {error}; setting it needs CAP_SYS_NICE"));
    }
    // After the boost, and after the command, which would inherit it as well.
    if !capturing.keep_privileges
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
    let mut steer = Steer::new(signals, command, order.duration);
    let summary = session.record(kernel, &mut || attendant.step(steer.step()));
    attendant.ended();
    Ok(Ended::Summary(Box::new(summary?), steer))
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

/// A stretch of bytes is its own bound; one of time has one beside it.
fn flight_bytes(keeping: &Keeping) -> u64 {
    match (keeping.flight_memory, keeping.flight) {
        (Some(bytes), _) | (None, Some(Stretch::Bytes(bytes))) => bytes,
        (None, _) => DEFAULT_FLIGHT_BYTES,
    }
}

/// Filters name users as this host does.
/// Filters that ask how long calls take, where that is not recorded.
fn refuse_durations<'s>(capturing: &Capturing, sets: impl Iterator<Item = &'s ScopeSet>) -> Result<()> {
    if capturing.timing {
        return Ok(());
    }
    let why = "how long calls take is recorded with --timing only";
    let allowed = "another filter; `--timing` records how long each call takes";
    let refused: Vec<_> = sets.flat_map(|set| set.refuse_durations(why, allowed)).collect();
    if refused.is_empty() { Ok(()) } else { Err(Diagnostics(refused).into()) }
}

fn compile(mut scopes: ScopeSet, users: &[User]) -> Result<Plan> {
    let users: Vec<(&str, u32)> = users.iter().map(|user| (user.name.as_str(), user.uid)).collect();
    scopes.resolve_users(&users).map_err(Diagnostics)?;
    if scopes.names_peers() {
        return Err(Diagnostics(scopes.refuse_peers()).into());
    }
    Ok(Plan::compile(&scopes))
}

/// The exit code, after everything is on the disk. A command that outlives its recording is waited for first.
pub fn outcome(summary: Summary, code: Option<u8>, is_flight: bool) -> Result<Outcome> {
    match summary.halt {
        None => {}
        Some(Halt::MaxSize) => {
            stderr::say("stopped at --max-size");
        }
        Some(Halt::MaxDisk) => {
            bail!(
                "--max-disk does not hold what had to be written, though all older parts are gone: the recording ended \
                 early, and the capture was finished with what fitted; give it more"
            )
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
    if is_flight && !summary.released {
        stderr::say("the flight recorder was never triggered: no events were written");
    }
    Ok(code.map_or(Outcome::Done, Outcome::Code))
}

/// `tracer-HOST-20261123T212605Z.trz`.
pub fn default_path() -> PathBuf {
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

/// Hashes executed files on a thread of its own; without it execs have no hashes.
fn hash_service(options: &Capturing, hand_on: Option<HandOn>) -> Option<HashService> {
    let is_confined = !options.keep_privileges;
    let opener = Opener::default();
    let (ask, requests) = crossbeam_channel::bounded(HASH_QUEUE);
    let (answer, answers) = crossbeam_channel::bounded(HASH_QUEUE);
    thread::Builder::new()
        .name("tracer-hashes".into())
        .spawn(move || {
            // A thread that reads what users execute has no more than that takes, or does nothing.
            if is_confined && privileges::confine(Part::Hashes).is_err() {
                return;
            }
            hashes::serve(&opener, &requests, &answer, hand_on.as_ref());
        })
        .ok()?;
    Some(HashService { ask, answers })
}

/// Asks for names on a thread of its own; without it containers have only their ids.
fn name_service(options: &Capturing) -> Option<NameService> {
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
