//! An evaluator written straight from the reference's sentences: one filter, one value, one scope at a time, with no
//! words, tables or intervals. Slow and plain, to hold the plan against.

/// One filter as the tests make them.
#[derive(Clone, Debug)]
pub struct Filter {
    pub scope: u8,
    pub key: &'static str,
    /// One of the [`spellings`] of the key.
    pub spelled: &'static str,
    pub op: &'static str,
    pub values: Vec<String>,
}

impl Filter {
    pub fn text(&self) -> String {
        format!("{}:{}", self.scope, self.as_key(self.spelled))
    }

    /// The filter with its key written so.
    pub fn as_key(&self, key: &str) -> String {
        match self.op {
            "!" => format!("!{key}"),
            op => format!("{key}{op}{}", self.values.join(",")),
        }
    }
}

/// Users of the recorded host. One name stands for two numbers, as when captures of two hosts are read together.
pub const USERS: &[(&str, u32)] = &[("root", 0), ("daemon", 1), ("twin", 2), ("twin", 4)];

/// All names of a key, short and long: they mean the same, also when they stand together.
pub fn spellings(key: &'static str) -> Vec<&'static str> {
    let others: &[&str] = match key {
        "event" => &["e", "eve"],
        "set" => &["s"],
        "binary" => &["bin", "exec", "executable"],
        "container" => &["c", "cont"],
        "pid" => &["p", "hostPid"],
        "tid" => &["t", "hostTid"],
        "ppid" => &["hostPpid"],
        "uid" => &["u"],
        "follow" => &["f", "fol"],
        "openat.pathname" => &["openat.args.pathname", "openat.data.pathname"],
        "read.fd" => &["read.data.fd"],
        "openat.context.comm" => &["openat.scope.comm", "openat.context.processName"],
        "openat.context.pid" => &["openat.context.p", "openat.scope.processId"],
        "openat.context.hostPid" => &["openat.context.hostProcessId"],
        "openat.context.tid" => &["openat.context.threadId"],
        "openat.context.ppid" => &["openat.context.parentProcessId"],
        "openat.context.uid" => &["openat.context.userId"],
        "openat.context.mntns" => &["openat.context.mountNamespace"],
        "openat.context.uts" => &["openat.context.hostName"],
        "openat.context.hostTid" => &["openat.context.hostThreadId"],
        "openat.context.hostPpid" => &["openat.context.hostParentProcessId"],
        "openat.context.podUid" => &["openat.context.podUID"],
        "openat.context.binary" => &["openat.context.executable"],
        _ => &[],
    };
    [&[key][..], others].concat()
}

/// One event with all that is known around it.
#[derive(Clone, Debug, Default)]
pub struct World {
    pub event: &'static str,
    pub comm: &'static str,
    pub exe: &'static str,
    pub uts: &'static str,
    pub pid: u32,
    pub tid: u32,
    pub ppid: u32,
    pub ns_pid: u32,
    pub ns_tid: u32,
    pub ns_ppid: u32,
    pub pid_ns: u32,
    pub cpu: u16,
    pub cgroup: u64,
    /// An ancestor that had this name when it forked what became this process.
    pub ancestor: Option<&'static str>,
    /// Of `sched_process_exec`.
    pub argv: Option<&'static [&'static str]>,
    /// Of `connect`.
    pub port: Option<u16>,
    pub uid: u32,
    pub mnt_ns: u32,
    pub start: u64,
    /// When the parent began.
    pub parent_start: u64,
    pub container: Option<Container>,
    /// Pids of the process and its ancestors, nearest first.
    pub line: Vec<u32>,
    /// How many of the oldest of these (with [`World::ancestor`]) were there when the recording began; the others were
    /// forked after it.
    pub were_there: usize,
    /// Arguments of `openat`.
    pub pathname: Option<&'static str>,
    pub flags: Option<u32>,
    pub ret: i64,
    /// The argument of `kill`: processes, or groups below zero.
    pub killed: i32,
    /// The argument of `read`: its number, and what it stands for, empty when that is not known.
    pub fd: Option<(i64, &'static str)>,
    /// The effective user, and the effective capabilities.
    pub credentials: Option<(u32, u64)>,
    pub cwd: Option<&'static str>,
    pub session: Option<u32>,
    /// The name of its terminal.
    pub tty: Option<&'static str>,
    pub loginuid: Option<u32>,
}

impl World {
    /// Pids of the process and its ancestors, nearest first, each with that of its parent.
    pub fn ancestors(&self) -> Vec<(u32, u32)> {
        let pids: Vec<u32> = self.line.iter().copied().chain(self.ancestor.map(|_| ANCESTOR)).collect();
        let parents = pids.iter().copied().skip(1).chain([0]);
        pids.iter().copied().zip(parents).collect()
    }
}

#[derive(Clone, Debug, Default)]
pub struct Container {
    pub id: &'static str,
    pub name: &'static str,
    pub image: &'static str,
    pub pod: &'static str,
    pub pod_namespace: &'static str,
    pub pod_uid: &'static str,
    pub pod_sandbox: bool,
    pub created: Option<u64>,
    pub started: Option<u64>,
}

/// When the recording of all worlds began, when their events happened, and the host's mount namespace.
pub const BEGAN: u64 = 50_000_000_000;
pub const NOW: u64 = 90_000_000_000;
pub const HOST_MNT_NS: u32 = 1;

/// Whether one scope's filters let an event pass.
pub fn scope_matches(filters: &[&Filter], world: &World) -> bool {
    let of_process = |key: &&'static str| !key.contains('.');
    let inside = keys(filters).into_iter().filter(of_process).all(|key| key_passes(key, filters, world));
    event_is_chosen(filters, world)
        && (inside || follows(filters, world))
        && keys(filters)
            .into_iter()
            .filter(|key| key.contains('.'))
            .all(|key| key_passes(key, filters, world))
}

/// "Once a process matches the scope's process filters, its descendants match too, from the fork on."
fn follows(filters: &[&Filter], world: &World) -> bool {
    if !filters.iter().any(|filter| filter.key == "follow") {
        return false;
    }
    // The processes that forked, as they were then: on the host, older than the recording.
    let ancestors = world.ancestors();
    (1..ancestors.len()).any(|at| {
        let (pid, ppid) = ancestors[at];
        let comm = if pid == ANCESTOR { world.ancestor.unwrap_or_default() } else { "" };
        let line = ancestors[at..].iter().map(|(pid, _)| *pid).collect();
        let parent = World { comm, pid, tid: pid, ppid, line, ..World::default() };
        keys(filters)
            .into_iter()
            .filter(|key| !key.contains('.'))
            .all(|key| key_passes(key, filters, &parent))
    })
}

/// The pid of [`World::ancestor`].
pub const ANCESTOR: u32 = 77;

fn keys(filters: &[&Filter]) -> Vec<&'static str> {
    let mut keys: Vec<_> = filters
        .iter()
        .map(|filter| filter.key)
        .filter(|key| !["event", "set", "follow"].contains(key))
        .collect();
    keys.dedup();
    keys
}

fn event_is_chosen(filters: &[&Filter], world: &World) -> bool {
    let is_it = |filter: &Filter| {
        filter.values.iter().any(|value| match filter.key {
            "set" => events::catalogue::by_name(world.event)
                .unwrap()
                .sets
                .has(events::Set::by_name(value).unwrap()),
            _ => like(value, world.event),
        })
    };
    let choosers = || filters.iter().filter(|f| ["event", "set"].contains(&f.key));
    let about_events = filters.iter().any(|f| f.key.contains('.'));
    let is_about =
        filters.iter().any(|f| f.key.split_once('.').is_some_and(|(event, _)| event == world.event));
    let positive = choosers().any(|f| f.op == "=");
    let chosen = if positive || about_events {
        choosers().any(|f| f.op == "=" && is_it(f)) || is_about
    } else {
        !events::catalogue::by_name(world.event).unwrap().is_derived()
    };
    chosen && !choosers().any(|f| f.op == "!=" && is_it(f))
}

/// "A value passes if it equals any positive value (or there is none), and lies within all bounds, and equals no negative
/// value"; with equalities and bounds, one of the two is enough.
fn key_passes(key: &str, filters: &[&Filter], world: &World) -> bool {
    let mine: Vec<&&Filter> = filters.iter().filter(|filter| filter.key == key).collect();
    if key.split_once('.').is_some_and(|(event, _)| event != world.event) {
        return true;
    }
    let missing = match key {
        "read.fd" | "close.fd" => world.fd.is_none(),
        "openat.pathname" => world.pathname.is_none(),
        "openat.flags" => world.flags.is_none(),
        "sched_process_exec.argv" => world.argv.is_none(),
        "connect.addr.sin_port" | "connect.addr.sin_addr" | "connect.addr.sa_family" => world.port.is_none(),
        "openat.context.podSandbox" => world.container.is_none(),
        "euid" | "cap" | "openat.context.euid" | "openat.context.cap" => world.credentials.is_none(),
        "cwd" | "openat.context.cwd" => world.cwd.is_none(),
        "session" => world.session.is_none(),
        "tty" => world.tty.is_none(),
        "loginuid" => world.loginuid.is_none(),
        "openat.context.containerId" => world.container.is_none(),
        "openat.context.containerName" => world.container.as_ref().is_none_or(|c| c.name.is_empty()),
        "openat.context.containerImage" => world.container.as_ref().is_none_or(|c| c.image.is_empty()),
        "openat.context.podName" => world.container.as_ref().is_none_or(|c| c.pod.is_empty()),
        "openat.context.podNamespace" => world.container.as_ref().is_none_or(|c| c.pod_namespace.is_empty()),
        "openat.context.podUid" => world.container.as_ref().is_none_or(|c| c.pod_uid.is_empty()),
        _ => false,
    };
    if missing {
        return false;
    }
    if key == "tree" {
        return tree_passes(&mine, world);
    }
    if key == "container" || key == "openat.context.container" {
        let bare = |op: &str| mine.iter().any(|f| f.op == op);
        let asks_age =
            mine.iter().any(|f| f.op == "!=" && f.values.iter().any(|v| v == "new" || v == "started"));
        if (bare("") || asks_age) && world.container.is_none() || bare("!") && world.container.is_some() {
            return false;
        }
    }
    let equals = |op: &str| mine.iter().any(|f| f.op == op && f.values.iter().any(|v| equal(key, v, world)));
    let bounds: Vec<bool> = mine
        .iter()
        .filter(|f| f.op.starts_with(['<', '>']))
        .flat_map(|f| f.values.iter().map(|v| bound(key, f.op, v, world)))
        .collect();
    let has_equalities = mine.iter().any(|f| f.op == "=");
    let included = match (has_equalities, bounds.is_empty()) {
        (false, true) => true,
        (true, true) => equals("="),
        (false, false) => bounds.iter().all(|within| *within),
        (true, false) => equals("=") || bounds.iter().all(|within| *within),
    };
    included && !equals("!=")
}

/// "The nearest named ancestor decides."
fn tree_passes(filters: &[&&Filter], world: &World) -> bool {
    // Of the ancestors of the tests, all but the process itself began when the machine did.
    let start = |pid: u32| if pid == world.pid { world.start } else { 0 };
    let is = |value: &String, pid: u32| match pinned(value) {
        Some(pin) => is_pin(pin, pid, start(pid)),
        None => *value == pid.to_string(),
    };
    let names = |op: &str, pid: u32| {
        filters.iter().any(|f| f.op == op && f.values.iter().any(|value| is(value, pid)))
    };
    for pid in &world.line {
        match (names("=", *pid), names("!=", *pid)) {
            (_, true) => return false,
            (true, _) => return true,
            _ => {}
        }
    }
    !filters.iter().any(|f| f.op == "=")
}

/// The parts of `PID@START`.
fn pinned(value: &str) -> Option<(u32, u64)> {
    let (pid, start) = value.split_once('@')?;
    Some((pid.parse().unwrap(), start.parse().unwrap()))
}

/// Starts are told apart by a hundredth of a second.
fn is_pin(pin: (u32, u64), pid: u32, start: u64) -> bool {
    pin.0 == pid && pin.1 / 10_000_000 == start / 10_000_000
}

/// The number and the start of the process or thread that a key is about.
fn entity(key: &str, world: &World) -> Option<(u32, u64)> {
    match key {
        "pid" | "openat.context.hostPid" => Some((world.pid, world.start)),
        "tid" | "openat.context.hostTid" => Some((world.tid, world.start + 1)),
        "ppid" | "openat.context.hostPpid" => Some((world.ppid, world.parent_start)),
        _ => None,
    }
}

fn number(key: &str, world: &World) -> i128 {
    match key {
        "uid" | "openat.context.uid" => world.uid.into(),
        "euid" | "openat.context.euid" => world.credentials.unwrap().0.into(),
        "session" => world.session.unwrap().into(),
        "loginuid" => world.loginuid.unwrap().into(),
        "pid" => world.pid.into(),
        "tid" => world.tid.into(),
        "ppid" | "openat.context.hostPpid" => world.ppid.into(),
        "nsPid" | "openat.context.pid" => world.ns_pid.into(),
        "mntns" | "openat.context.mntns" => world.mnt_ns.into(),
        "pidns" | "openat.context.pidns" => world.pid_ns.into(),
        "nsTid" | "openat.context.tid" => world.ns_tid.into(),
        "nsPpid" | "openat.context.ppid" => world.ns_ppid.into(),
        "openat.context.hostPid" => world.pid.into(),
        "openat.context.hostTid" => world.tid.into(),
        "openat.context.processorId" => world.cpu.into(),
        "connect.addr.sin_port" => world.port.unwrap_or(0).into(),
        "openat.context.cgroupId" => world.cgroup.into(),
        "openat.context.timestamp" => NOW.into(),
        "openat.retval" | "read.retval" => world.ret.into(),
        "openat.flags" => world.flags.unwrap_or(0).into(),
        "kill.pid" => world.killed.into(),
        "read.fd" | "close.fd" => world.fd.unwrap().0.into(),
        other => panic!("{other}"),
    }
}

fn bound(key: &str, op: &str, value: &str, world: &World) -> bool {
    let (number, value): (i128, i128) = (number(key, world), value.parse().unwrap());
    match op {
        "<" => number < value,
        "<=" => number <= value,
        ">" => number > value,
        _ => number >= value,
    }
}

fn equal(key: &str, value: &str, world: &World) -> bool {
    if let Some((id, start)) = entity(key, world) {
        match (value, pinned(value)) {
            ("new", _) => return start >= BEGAN,
            (_, Some(pin)) => return is_pin(pin, id, start),
            _ => {}
        }
    }
    match key {
        "comm" | "openat.context.comm" => like(value, world.comm),
        "uts" | "openat.context.uts" => like(value, world.uts),
        "binary" | "openat.context.binary" => match value.split_once(':') {
            Some(("host", path)) => world.mnt_ns == HOST_MNT_NS && like(path, world.exe),
            Some((namespace, path)) => world.mnt_ns.to_string() == namespace && like(path, world.exe),
            None => like(value, world.exe),
        },
        "openat.pathname" => like(value, world.pathname.unwrap()),
        "openat.context.containerId" => {
            let id = world.container.as_ref().unwrap().id;
            // Of what has no wildcard, a beginning is enough.
            if value.contains('*') { like(value, id) } else { id.starts_with(value) }
        }
        "openat.context.containerName" => like(value, world.container.as_ref().unwrap().name),
        "openat.context.containerImage" => like(value, world.container.as_ref().unwrap().image),
        "openat.context.podName" => like(value, world.container.as_ref().unwrap().pod),
        "container" | "openat.context.container" => {
            world.container.as_ref().is_some_and(|container| match value {
                "new" => container.created.is_some_and(|created| created >= BEGAN),
                "started" => container.started.is_some_and(|started| started <= NOW),
                value => {
                    container.id.starts_with(value)
                        || (!container.name.is_empty() && like(value, container.name))
                }
            })
        }
        "openat.context.podNamespace" => like(value, world.container.as_ref().unwrap().pod_namespace),
        "openat.context.podUid" => like(value, world.container.as_ref().unwrap().pod_uid),
        "cap" | "openat.context.cap" => {
            let number = match value {
                "CAP_CHOWN" | "chown" | "0" => 0,
                "CAP_SYS_ADMIN" | "sys_admin" | "21" => 21,
                other => panic!("{other}"),
            };
            world.credentials.unwrap().1 >> number & 1 == 1
        }
        "cwd" | "openat.context.cwd" => like(value, world.cwd.unwrap()),
        "tty" => like(value.strip_prefix("/dev/").unwrap_or(value), world.tty.unwrap()),
        "euid" | "openat.context.euid" => {
            let euid = world.credentials.unwrap().0;
            euid.to_string() == value || USERS.contains(&(value, euid))
        }
        "loginuid" => {
            let login = world.loginuid.unwrap();
            login.to_string() == value
                || USERS.contains(&(value, login))
                || value == "unset" && login == u32::MAX
        }
        "uid" | "openat.context.uid" => world.uid.to_string() == value || USERS.contains(&(value, world.uid)),
        "pid" => value == world.pid.to_string() || value == world.tid.to_string(),
        // A number is the descriptor's; a text is what it stands for, or its number where nothing is known of it.
        "read.fd" => match (value.parse::<i64>(), world.fd.unwrap()) {
            (Ok(value), (number, _)) => value == number,
            (Err(_), (number, "")) => like(value, &number.to_string()),
            (Err(_), (_, stands_for)) => like(value, stands_for),
        },
        "sched_process_exec.argv" => world.argv.unwrap().iter().any(|element| like(value, element)),
        "connect.addr.sin_addr" => like(value, "127.0.0.1"),
        "openat.context.host" => (value == "true") == world.container.is_none(),
        "openat.context.podSandbox" => (value == "true") == world.container.as_ref().unwrap().pod_sandbox,
        "connect.addr.sa_family" => like(value, "AF_INET"),
        "openat.context.syscall" => like(value, "openat"),
        "openat.flags" => flags_equal(value, world.flags.unwrap()),
        "openat.retval" => match value {
            "EACCES" => world.ret == -13,
            "ENOENT" => world.ret == -2,
            value => world.ret.to_string() == value,
        },
        key => number(key, world).to_string() == value,
    }
}

/// The names of the flags that the tests use.
fn flags_equal(value: &str, flags: u32) -> bool {
    let mut names = vec![match flags & 3 {
        0 => "O_RDONLY",
        1 => "O_WRONLY",
        _ => "O_RDWR",
    }];
    names.extend(
        [(0o100, "O_CREAT"), (0o200, "O_EXCL"), (0o2000000, "O_CLOEXEC")]
            .iter()
            .filter(|(bit, _)| flags & bit != 0)
            .map(|(_, name)| *name),
    );
    if value.contains('*') {
        return like(value, &names.join("|"));
    }
    if let Ok(number) = value.parse::<u32>() {
        return number == flags;
    }
    let mut wanted: Vec<&str> = value.split('|').collect();
    // O_RDONLY is no bit: it is there when no other access mode is.
    if !wanted.iter().any(|name| ["O_RDONLY", "O_WRONLY", "O_RDWR"].contains(name)) {
        wanted.push("O_RDONLY");
    }
    wanted.sort_unstable();
    names.sort_unstable();
    wanted == names
}

/// `*` stands for any text, also none.
pub fn like(pattern: &str, text: &str) -> bool {
    match pattern.split_once('*') {
        None => pattern == text,
        Some((before, after)) => text.strip_prefix(before).is_some_and(|rest| {
            (0..=rest.len()).filter(|at| rest.is_char_boundary(*at)).any(|at| like(after, &rest[at..]))
        }),
    }
}
