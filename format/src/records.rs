//! Records beside the events as tables of version 5, and back.

mod settings;

use rkyv::util::AlignedVec;

use crate::args::Dictionary;
use crate::columns::acting;
use crate::facts::{Directories, Facts, Terminal};
use crate::schema::Schema;
use crate::table::{Table, TableBuilder};
use crate::{Artifact, Cgroup, ClockOffset, Container, Loss, Process, Result, Side, User, limits};

/// The names of the tables.
const PROCESSES: &str = "processes";
pub(crate) const CGROUPS: &str = "cgroups";
pub(crate) const LOSSES: &str = "losses";
pub(crate) const USERS: &str = "users";
pub(crate) const CLOCKS: &str = "clocks";
pub(crate) const ARTIFACTS: &str = "artifacts";

/// In place of a number that is not known.
const NONE: u64 = u64::MAX;

/// The tables that hold these records, several where one would be too large.
pub(crate) fn tables(side: &Side) -> Result<Vec<AlignedVec>> {
    match side {
        Side::Processes(all) => chunked(all, process_bytes, processes),
        Side::Cgroups(all) => chunked(all, cgroup_bytes, cgroups),
        Side::Losses(all) => chunked(all, |loss| loss.cause.len(), losses),
        Side::Users(all) => chunked(all, |user| user.name.len(), users),
        Side::Clocks(all) => chunked(all, |_| 0, clocks),
        Side::Artifacts(all) => chunked(all, |it| it.path.len() + it.left_out.len() + 64, artifacts),
    }
}

/// Cuts records into pieces by what they take, so that whoever reads one piece takes little memory for it.
fn chunked<T>(
    all: &[T],
    text_bytes: impl Fn(&T) -> usize,
    table: impl Fn(&[T]) -> Result<AlignedVec>,
) -> Result<Vec<AlignedVec>> {
    let mut tables = Vec::new();
    let mut start = 0;
    let mut bytes = 0;
    for (at, record) in all.iter().enumerate() {
        let more = text_bytes(record) + size_of::<T>();
        if at > start && bytes + more > limits::TABLE_BYTES {
            tables.push(table(all.get(start..at).unwrap_or_default())?);
            (start, bytes) = (at, 0);
        }
        bytes += more;
    }
    if start < all.len() {
        tables.push(table(all.get(start..).unwrap_or_default())?);
    }
    Ok(tables)
}

fn process_bytes(process: &Process) -> usize {
    let fds: usize = process.fds.iter().map(|(_, text)| text.len() + 8).sum();
    process.comm.len() + process.exe.len() + process.argv.len() + process.facts.bytes() + fds
}

fn cgroup_bytes(cgroup: &Cgroup) -> usize {
    let of_container = cgroup.container.as_ref().map_or(0, |it| {
        [
            &it.id,
            &it.runtime,
            &it.name,
            &it.image,
            &it.image_digest,
            &it.pod_name,
            &it.pod_namespace,
            &it.pod_uid,
        ]
        .map(String::len)
        .iter()
        .sum()
    });
    let settings = cgroup.container.as_ref().map_or(0, |it| it.settings.bytes());
    cgroup.path.len() + of_container + settings
}

fn processes(all: &[Process]) -> Result<AlignedVec> {
    let mut table = TableBuilder::new(PROCESSES, all.len());
    let mut number = |name: &str, of: &dyn Fn(&Process) -> u64| table.integers(name, all.iter().map(of));
    number("host", &|p| p.host.into());
    number("pid", &|p| p.pid.into());
    number("ppid", &|p| p.ppid.into());
    number("ns_pid", &|p| p.ns_pid.into());
    number("start_ns", &|p| p.start_ns);
    number("parent_start_ns", &|p| p.parent_start_ns);
    number("uid", &|p| p.uid.into());
    number("gid", &|p| p.gid.into());
    number("cgroup_id", &|p| p.cgroup_id);
    number("mnt_ns", &|p| p.mnt_ns.into());
    number("pid_ns", &|p| p.pid_ns.into());
    number("net_ns", &|p| p.net_ns.into());
    number("user_ns", &|p| p.user_ns.into());
    number("fds", &|p| p.fds.len() as u64);
    number("directories", &|p| p.facts.directories as u64);
    number("session", &|p| known(p.facts.session));
    number("process_group", &|p| known(p.facts.group));
    number("terminal", &|p| p.facts.terminal.stored());
    number("login_uid", &|p| known(p.facts.login_uid));
    number("audit_session", &|p| known(p.facts.audit_session));
    for (at, name) in acting::CREDENTIAL_NAMES.into_iter().enumerate() {
        let stored = |p: &Process| acting::store(p.credentials.as_ref()).get(at).copied().unwrap_or_default();
        table.integers(name, all.iter().map(stored));
    }
    table.strings("comm", all.iter().map(|p| p.comm.as_slice()));
    table.strings("exe", all.iter().map(|p| p.exe.as_slice()));
    table.strings("argv", all.iter().map(|p| p.argv.as_slice()));
    table.strings("cwd", all.iter().map(|p| p.facts.cwd.as_deref().unwrap_or_default()));
    let fds = || all.iter().flat_map(|p| &p.fds);
    table.integers("fd", fds().map(|(fd, _)| *fd as u32 as u64));
    table.strings("fd_text", fds().map(|(_, text)| text.as_slice()));
    table.to_bytes()
}

fn read_processes(table: &Table<'_>) -> Result<Vec<Process>> {
    let numbers = |name| table.numbers(name);
    let (host, pid, ppid, ns_pid) = (numbers("host")?, numbers("pid")?, numbers("ppid")?, numbers("ns_pid")?);
    let (start, parent_start) = (numbers("start_ns")?, numbers("parent_start_ns")?);
    let (uid, gid, cgroup) = (numbers("uid")?, numbers("gid")?, numbers("cgroup_id")?);
    let (mnt_ns, pid_ns) = (numbers("mnt_ns")?, numbers("pid_ns")?);
    let (net_ns, user_ns) = (numbers("net_ns")?, numbers("user_ns")?);
    let (comm, exe, argv) = (table.texts("comm")?, table.texts("exe")?, table.texts("argv")?);
    let (directories, terminal, cwd) = (numbers("directories")?, numbers("terminal")?, table.texts("cwd")?);
    let (session, group) = (numbers("session")?, numbers("process_group")?);
    let (login_uid, audit_session) = (numbers("login_uid")?, numbers("audit_session")?);
    let mut credentials = acting::CREDENTIAL_NAMES.map(|_| Vec::new());
    for (column, name) in credentials.iter_mut().zip(acting::CREDENTIAL_NAMES) {
        *column = numbers(name)?;
    }
    let counts = numbers("fds")?;
    let total = counts.iter().try_fold(0usize, |sum, count| sum.checked_add(usize::try_from(*count).ok()?));
    let total = total.ok_or_else(|| table.torn())?;
    let (fd, fd_text) = (table.integers("fd", total)?, table.strings("fd_text", total)?);
    let mut fds = fd.iter().zip(fd_text.iter()).map(|(fd, text)| (*fd as u32 as i32, text.to_vec()));
    let at = |column: &[u64], row: usize| column.get(row).copied().unwrap_or_default();
    let process = |row: usize| Process {
        host: at(&host, row) as u16,
        pid: at(&pid, row) as u32,
        ppid: at(&ppid, row) as u32,
        ns_pid: at(&ns_pid, row) as u32,
        start_ns: at(&start, row),
        parent_start_ns: at(&parent_start, row),
        uid: at(&uid, row) as u32,
        gid: at(&gid, row) as u32,
        cgroup_id: at(&cgroup, row),
        mnt_ns: at(&mnt_ns, row) as u32,
        pid_ns: at(&pid_ns, row) as u32,
        net_ns: at(&net_ns, row) as u32,
        user_ns: at(&user_ns, row) as u32,
        comm: bytes(&comm, row),
        exe: bytes(&exe, row),
        argv: bytes(&argv, row),
        fds: fds.by_ref().take(at(&counts, row) as usize).collect(),
        facts: Facts {
            cwd: Some(bytes(&cwd, row)).filter(|cwd| !cwd.is_empty()).map(Into::into),
            directories: match at(&directories, row) {
                0 => Directories::One,
                1 => Directories::OfThreads,
                // Of a way that a later version knows the directory cannot be followed.
                _ => Directories::Shared,
            },
            session: read_known(at(&session, row)),
            group: read_known(at(&group, row)),
            terminal: Terminal::of_stored(at(&terminal, row)),
            login_uid: read_known(at(&login_uid, row)),
            audit_session: read_known(at(&audit_session, row)),
        },
        credentials: acting::load(credentials.each_ref().map(|column| at(column, row))),
    };
    Ok((0..table.rows()).map(process).collect())
}

/// Numbers of which a column that is not there says that they are not known: 0 is that, others are one more.
fn known(number: Option<u32>) -> u64 {
    number.map_or(0, |number| u64::from(number) + 1)
}

fn read_known(stored: u64) -> Option<u32> {
    u32::try_from(stored.checked_sub(1)?).ok()
}

fn cgroups(all: &[Cgroup]) -> Result<AlignedVec> {
    let mut table = TableBuilder::new(CGROUPS, all.len());
    let of = |cgroup: &Cgroup| cgroup.container.clone().unwrap_or_default();
    let containers: Vec<Container> = all.iter().map(of).collect();
    let time = |time: Option<u64>| time.unwrap_or(NONE);
    table.integers("host", all.iter().map(|c| c.host.into()));
    table.integers("id", all.iter().map(|c| c.id));
    table.strings("path", all.iter().map(|c| c.path.as_bytes()));
    table.integers("created_ns", all.iter().map(|c| time(c.created_ns)));
    table.integers("removed_ns", all.iter().map(|c| time(c.removed_ns)));
    table.integers("is_container", all.iter().map(|c| c.container.is_some().into()));
    let mut text = |name: &str, of: &dyn Fn(&Container) -> &str| {
        table.strings(name, containers.iter().map(|it| of(it).as_bytes()));
    };
    text("container_id", &|it| &it.id);
    text("runtime", &|it| &it.runtime);
    text("name", &|it| &it.name);
    text("image", &|it| &it.image);
    text("image_digest", &|it| &it.image_digest);
    text("pod_name", &|it| &it.pod_name);
    text("pod_namespace", &|it| &it.pod_namespace);
    text("pod_uid", &|it| &it.pod_uid);
    table.integers("pod_sandbox", containers.iter().map(|it| it.pod_sandbox.into()));
    table.integers("started_ns", containers.iter().map(|it| time(it.started_ns)));
    let settings = |cgroup: &Cgroup| cgroup.container.as_ref().map(|it| settings::texts(&it.settings));
    let settings: Vec<_> = all.iter().map(|cgroup| settings(cgroup).unwrap_or_default()).collect();
    table.integers("privileged", settings.iter().map(|it| it.privileged));
    table.strings("mounts", settings.iter().map(|it| it.mounts.as_slice()));
    table.strings("added_capabilities", settings.iter().map(|it| it.capabilities.as_slice()));
    table.to_bytes()
}

fn read_cgroups(table: &Table<'_>) -> Result<Vec<Cgroup>> {
    let (host, id, path) = (table.numbers("host")?, table.numbers("id")?, table.texts("path")?);
    let (created, removed) = (table.numbers("created_ns")?, table.numbers("removed_ns")?);
    let (is_container, sandbox) = (table.numbers("is_container")?, table.numbers("pod_sandbox")?);
    let started = table.numbers("started_ns")?;
    let privileged = table.numbers("privileged")?;
    let (mounts, capabilities) = (table.texts("mounts")?, table.texts("added_capabilities")?);
    let (container, runtime) = (table.texts("container_id")?, table.texts("runtime")?);
    let (name, image, digest) = (table.texts("name")?, table.texts("image")?, table.texts("image_digest")?);
    let (pod, namespace, uid) =
        (table.texts("pod_name")?, table.texts("pod_namespace")?, table.texts("pod_uid")?);
    let at = |column: &[u64], row: usize| column.get(row).copied().unwrap_or_default();
    let time = |column: &[u64], row| Some(at(column, row)).filter(|time| *time != NONE);
    let cgroup = |row: usize| Cgroup {
        host: at(&host, row) as u16,
        id: at(&id, row),
        path: text(&path, row),
        created_ns: time(&created, row),
        removed_ns: time(&removed, row),
        container: (at(&is_container, row) != 0).then(|| Container {
            id: text(&container, row),
            runtime: text(&runtime, row),
            name: text(&name, row),
            image: text(&image, row),
            image_digest: text(&digest, row),
            pod_name: text(&pod, row),
            pod_namespace: text(&namespace, row),
            pod_uid: text(&uid, row),
            pod_sandbox: at(&sandbox, row) != 0,
            started_ns: time(&started, row),
            settings: settings::read(at(&privileged, row), &bytes(&mounts, row), &bytes(&capabilities, row)),
        }),
    };
    Ok((0..table.rows()).map(cgroup).collect())
}

fn losses(all: &[Loss]) -> Result<AlignedVec> {
    let mut table = TableBuilder::new(LOSSES, all.len());
    table.integers("host", all.iter().map(|loss| loss.host.into()));
    table.integers("from_ns", all.iter().map(|loss| loss.from_ns));
    table.integers("to_ns", all.iter().map(|loss| loss.to_ns));
    table.integers("cpu", all.iter().map(|loss| loss.cpu.map_or(NONE, u64::from)));
    table.integers("event", all.iter().map(|loss| loss.event.map_or(NONE, |event| event.0.into())));
    table.integers("count", all.iter().map(|loss| loss.count));
    table.strings("cause", all.iter().map(|loss| loss.cause.as_bytes()));
    table.to_bytes()
}

fn read_losses(table: &Table<'_>, schema: &Schema) -> Result<Vec<Loss>> {
    let numbers = |name| table.numbers(name);
    let (host, from, to) = (numbers("host")?, numbers("from_ns")?, numbers("to_ns")?);
    let (cpu, event, count) = (numbers("cpu")?, numbers("event")?, numbers("count")?);
    let cause = table.texts("cause")?;
    let at = |column: &[u64], row: usize| column.get(row).copied().unwrap_or_default();
    let loss = |row: usize| Loss {
        host: at(&host, row) as u16,
        from_ns: at(&from, row),
        to_ns: at(&to, row),
        cpu: u16::try_from(at(&cpu, row)).ok(),
        event: u16::try_from(at(&event, row))
            .ok()
            .and_then(|id| schema.by_file_id(id))
            .map(|file| file.event.id),
        count: at(&count, row),
        cause: text(&cause, row),
    };
    Ok((0..table.rows()).map(loss).collect())
}

fn users(all: &[User]) -> Result<AlignedVec> {
    let mut table = TableBuilder::new(USERS, all.len());
    table.integers("host", all.iter().map(|user| user.host.into()));
    table.integers("uid", all.iter().map(|user| user.uid.into()));
    table.strings("name", all.iter().map(|user| user.name.as_bytes()));
    table.to_bytes()
}

fn read_users(table: &Table<'_>) -> Result<Vec<User>> {
    let (host, uid, name) = (table.numbers("host")?, table.numbers("uid")?, table.texts("name")?);
    let users = host.iter().zip(&uid).enumerate();
    Ok(users
        .map(|(row, (host, uid))| User { host: *host as u16, uid: *uid as u32, name: text(&name, row) })
        .collect())
}

fn clocks(all: &[ClockOffset]) -> Result<AlignedVec> {
    let mut table = TableBuilder::new(CLOCKS, all.len());
    table.integers("host", all.iter().map(|it| it.host.into()));
    table.integers("from_ns", all.iter().map(|it| it.from_ns));
    table.integers("wall_offset_ns", all.iter().map(|it| it.wall_offset_ns));
    table.to_bytes()
}

fn read_clocks(table: &Table<'_>) -> Result<Vec<ClockOffset>> {
    let (host, from) = (table.numbers("host")?, table.numbers("from_ns")?);
    let offsets = table.numbers("wall_offset_ns")?;
    let rows = host.iter().zip(&from).zip(&offsets);
    Ok(rows
        .map(|((host, from_ns), wall_offset_ns)| ClockOffset {
            host: *host as u16,
            from_ns: *from_ns,
            wall_offset_ns: *wall_offset_ns,
        })
        .collect())
}

fn artifacts(all: &[Artifact]) -> Result<AlignedVec> {
    let mut table = TableBuilder::new(ARTIFACTS, all.len());
    let mut number = |name: &str, of: &dyn Fn(&Artifact) -> u64| table.integers(name, all.iter().map(of));
    number("host", &|it| it.host.into());
    number("time_ns", &|it| it.time_ns);
    number("event", &|it| it.event.map_or(NONE, |event| event.0.into()));
    number("pid", &|it| it.pid.into());
    number("tid", &|it| it.tid.into());
    number("size", &|it| it.size);
    number("kept", &|it| it.kept);
    number("count", &|it| it.count);
    table.strings("kind", all.iter().map(|it| it.kind.as_bytes()));
    table.strings("path", all.iter().map(|it| it.path.as_slice()));
    table.strings("found", all.iter().map(|it| it.found.as_bytes()));
    table.strings("sha256", all.iter().map(|it| it.sha256.as_ref().map_or(&[][..], |hash| &hash[..])));
    table.strings("left_out", all.iter().map(|it| it.left_out.as_bytes()));
    table.to_bytes()
}

fn read_artifacts(table: &Table<'_>, schema: &Schema) -> Result<Vec<Artifact>> {
    let numbers = |name| table.numbers(name);
    let (host, time, event) = (numbers("host")?, numbers("time_ns")?, numbers("event")?);
    let (pid, tid, count) = (numbers("pid")?, numbers("tid")?, numbers("count")?);
    let (size, kept) = (numbers("size")?, numbers("kept")?);
    let (kind, path, found) = (table.texts("kind")?, table.texts("path")?, table.texts("found")?);
    let (sha256, left_out) = (table.texts("sha256")?, table.texts("left_out")?);
    let at = |column: &[u64], row: usize| column.get(row).copied().unwrap_or_default();
    let artifact = |row: usize| Artifact {
        host: at(&host, row) as u16,
        kind: text(&kind, row),
        time_ns: at(&time, row),
        event: u16::try_from(at(&event, row))
            .ok()
            .and_then(|id| schema.by_file_id(id))
            .map(|file| file.event.id),
        pid: at(&pid, row) as u32,
        tid: at(&tid, row) as u32,
        path: bytes(&path, row),
        found: text(&found, row),
        sha256: sha256.get(row as u32).and_then(|hash| hash.try_into().ok()),
        size: at(&size, row),
        kept: at(&kept, row),
        left_out: text(&left_out, row),
        count: at(&count, row),
    };
    Ok((0..table.rows()).map(artifact).collect())
}

/// The records of a table; `None` of one that this program does not know.
pub(crate) fn read(head: &[u8], schema: &Schema, offset: u64) -> Result<Option<Side>> {
    read_wanted(head, schema, offset, &|_| true)
}

/// The same; `None` too of a table whose name is not wanted.
pub(crate) fn read_wanted(
    head: &[u8],
    schema: &Schema,
    offset: u64,
    wanted: &dyn Fn(&str) -> bool,
) -> Result<Option<Side>> {
    let table = Table::read(head, offset)?;
    if !wanted(table.name()) {
        return Ok(None);
    }
    Ok(Some(match table.name() {
        PROCESSES => Side::Processes(read_processes(&table)?),
        CGROUPS => Side::Cgroups(read_cgroups(&table)?),
        LOSSES => Side::Losses(read_losses(&table, schema)?),
        USERS => Side::Users(read_users(&table)?),
        CLOCKS => Side::Clocks(read_clocks(&table)?),
        ARTIFACTS => Side::Artifacts(read_artifacts(&table, schema)?),
        _ => return Ok(None),
    }))
}

fn bytes(texts: &Dictionary, row: usize) -> Vec<u8> {
    texts.get(row as u32).unwrap_or_default().to_vec()
}

fn text(texts: &Dictionary, row: usize) -> String {
    String::from_utf8_lossy(texts.get(row as u32).unwrap_or_default()).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn records_are_cut_into_tables_by_what_they_take_and_come_back() {
        let processes: Vec<Process> = (0..100)
            .map(|pid| Process {
                pid,
                argv: vec![b'a'; limits::TABLE_BYTES / 10],
                fds: vec![(-1, b"/dev/null".to_vec()); (pid % 3) as usize],
                ..Process::default()
            })
            .collect();
        let tables = tables(&Side::Processes(processes.clone())).unwrap();
        assert!((11..20).contains(&tables.len()), "{}", tables.len());
        let mut read = Vec::new();
        for table in tables {
            match super::read(&table, &Schema::default(), 0).unwrap() {
                Some(Side::Processes(some)) => read.extend(some),
                other => panic!("{other:?}"),
            }
        }
        assert_eq!(read, processes);
    }

    #[test]
    fn facts_come_back_and_what_is_not_known_stays_so() {
        let facts = Facts {
            cwd: Some(b"/srv".as_slice().into()),
            directories: Directories::OfThreads,
            session: Some(0),
            group: Some(u32::MAX),
            terminal: Terminal::device(34816),
            login_uid: Some(u32::MAX),
            audit_session: Some(3),
        };
        let none = Facts { terminal: Terminal::none(), ..Facts::default() };
        let processes = [facts, Facts::default(), none].map(|facts| Process { facts, ..Process::default() });
        let [table] = tables(&Side::Processes(processes.to_vec())).unwrap().try_into().unwrap();
        let read = super::read(&table, &Schema::default(), 0).unwrap();
        assert_eq!(read, Some(Side::Processes(processes.to_vec())));
    }

    #[test]
    fn a_table_of_a_later_version_is_passed_over() {
        let table = TableBuilder::new("executables", 3).to_bytes().unwrap();
        assert_eq!(super::read(&table, &Schema::default(), 0).unwrap(), None);
    }
}
