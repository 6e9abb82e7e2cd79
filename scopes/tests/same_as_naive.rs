//! The plan against the naive evaluator: random filter sets over random events, hundreds of thousands of pairs.

mod naive;
#[path = "naive/policy.rs"]
mod policy;

use events::context::{Credentials, Entity, Standing};
use events::{Context, Raw, catalogue};
use naive::{ANCESTOR, BEGAN, Container, Filter, HOST_MNT_NS, NOW, USERS, World};
use proptest::prelude::*;
use proptest::sample::{select, subsequence};
use scopes::batch::{self, Table};
use scopes::lower::Limits;
use scopes::plan::RowFacts;
use scopes::{ContainerFacts, Diagnostic, Lineage, Lowered, Plan, Recording, ScopeSet, Subject};

const COMMS: &[&str] = &["ls", "lsof", "less", "cat", "a:b=c", "bash", ""];
const ARGVS: &[&[&str]] = &[&["ls"], &["ls", "-la"], &["ls", "--color"], &["cat", "ls*"], &[]];
const PATHS: &[&str] = &["/bin/ls", "/bin/less", "/usr/bin/ls", "/etc/passwd", "/etc", ""];

fn texts() -> impl Strategy<Value = Vec<String>> {
    let text =
        select(&["ls", "l*", "*s", "*a*", "l*s", "*s*s*", "cat", "a:b=c", "bash", "web", "*b*", "db"][..]);
    proptest::collection::vec(text.prop_map(String::from), 1..3)
}

fn paths() -> impl Strategy<Value = Vec<String>> {
    let path =
        select(&["/bin/ls", "/bin/*", "*/ls", "/etc/*", "*ss*", "/usr/*/ls", "*s*s*", "/*l*s*", "/etc"][..]);
    proptest::collection::vec(path.prop_map(String::from), 1..3)
}

fn binaries() -> impl Strategy<Value = Vec<String>> {
    let place = select(&["", "host:", "7:", "1:"][..]);
    let path = select(&["/bin/ls", "/bin/*", "*/ls", "/usr/*/ls"][..]);
    proptest::collection::vec((place, path).prop_map(|(place, path)| format!("{place}{path}")), 1..3)
}

fn few() -> impl Strategy<Value = Vec<String>> {
    proptest::collection::vec((0u32..6).prop_map(|number| number.to_string()), 1..3)
}

fn with(
    key: &'static str,
    ops: &'static [&'static str],
    values: impl Strategy<Value = Vec<String>> + 'static,
) -> BoxedStrategy<Filter> {
    (1u8..=6, select(ops), values, select(naive::spellings(key)))
        .prop_map(move |(scope, op, values, spelled)| Filter { scope, key, spelled, op, values })
        .boxed()
}

/// Users' names, and numbers beside them.
const NAMES: &[&str] = &["root", "daemon", "twin", "3", "1"];

const EQUALITY: &[&str] = &["=", "!="];
const ORDER: &[&str] = &["=", "!=", "<", ">", "<=", ">="];

fn filters() -> impl Strategy<Value = Vec<Filter>> {
    let words = |words: &'static [&'static str]| {
        proptest::collection::vec(select(words).prop_map(String::from), 1..3)
    };
    let one = prop_oneof![
        with("comm", EQUALITY, texts()),
        with("uts", EQUALITY, texts()),
        with("binary", EQUALITY, binaries()),
        with("uid", ORDER, few()),
        with("uid", EQUALITY, words(NAMES)),
        with("pid", ORDER, few()),
        with("tid", ORDER, few()),
        with("ppid", ORDER, few()),
        with("tid", EQUALITY, words(&["new", "3@60000000001", "4@50000000000", "2"])),
        with("ppid", EQUALITY, words(&["3@60000000000", "4@0", "2@50000000000", "1"])),
        with("tree", EQUALITY, words(&["3@60000000000", "4@0", "2@50000000000", "5@49999999999", "1"])),
        with("nsPid", ORDER, few()),
        with("nsTid", ORDER, few()),
        with("nsPpid", ORDER, few()),
        with("pidns", EQUALITY, few()),
        with("follow", &[""], Just(Vec::new())),
        with("follow", &[""], Just(Vec::new())),
        with("mntns", EQUALITY, few()),
        with("tree", EQUALITY, few()),
        with("pid", EQUALITY, words(&["new", "3@60000000000", "4@60000000000", "2"])),
        with("container", &["", "!"], Just(Vec::new())),
        with("container", EQUALITY, words(&["abc", "abd", "web", "new", "started", "w*"])),
        with("event", EQUALITY, words(&["openat", "close", "open*", "*e*", "sched_*"])),
        with("set", EQUALITY, words(&["fs", "proc", "fs_read_write"])),
        with("openat.pathname", EQUALITY, paths()),
        with(
            "openat.flags",
            EQUALITY,
            words(&["O_RDONLY", "O_WRONLY|O_CREAT", "O_CREAT|O_WRONLY", "*O_CREAT*", "0", "64", "O_CLOEXEC"])
        ),
        with("read.fd", ORDER, few()),
        with(
            "read.fd",
            EQUALITY,
            words(&["/bin/ls", "/bin/*", "*:80*", "tcp *", "tcp 10.0.0.1:80", "3", "*3"])
        ),
        with("openat.retval", ORDER, few()),
        with("openat.retval", EQUALITY, words(&["EACCES", "ENOENT", "-13", "3"])),
        with("openat.context.comm", EQUALITY, texts()),
        with("openat.context.hostPid", ORDER, few()),
        with("openat.context.hostTid", ORDER, few()),
        with("openat.context.tid", ORDER, few()),
        with("openat.context.processorId", ORDER, few()),
        with("openat.context.host", EQUALITY, words(&["true", "false"])),
        with("openat.context.hostPid", EQUALITY, words(&["new", "3@60000000000", "4@0", "2"])),
        with("openat.context.hostTid", EQUALITY, words(&["new", "3@60000000001", "5@1", "2"])),
        with("openat.context.hostPpid", EQUALITY, words(&["3@60000000000", "4@0", "2"])),
        with("openat.context.uid", EQUALITY, words(NAMES)),
        with("openat.context.binary", EQUALITY, binaries()),
        with("openat.context.container", &["", "!"], Just(Vec::new())),
        with("openat.context.container", EQUALITY, words(&["abc", "abd", "web", "new", "started", "w*"])),
        with("openat.context.podNamespace", EQUALITY, words(&["shop", "s*", "*p", "kube-*"])),
        with("openat.context.podUid", EQUALITY, words(&["1-2-3", "1-*", "*-4"])),
        with("openat.context.podSandbox", EQUALITY, words(&["true", "false"])),
        with("openat.context.syscall", EQUALITY, words(&["openat", "close", "open*"])),
        with("sched_process_exec.argv", EQUALITY, words(&["ls", "-l*", "*color*", "--c*o"])),
        with("connect.addr.sin_port", ORDER, few()),
        with("connect.addr.sa_family", EQUALITY, words(&["AF_INET", "AF_INET*", "AF_UNIX"])),
        with("connect.addr.sin_addr", EQUALITY, words(&["127.0.0.1", "127.*", "*.1", "10.0.0.1"])),
        with("openat.context.pid", ORDER, few()),
        with("openat.context.ppid", ORDER, few()),
        with("openat.context.hostPpid", ORDER, few()),
        with("openat.context.uid", ORDER, few()),
        with("openat.context.mntns", EQUALITY, few()),
        with("openat.context.pidns", EQUALITY, few()),
        with("openat.context.cgroupId", ORDER, few()),
        with("openat.context.uts", EQUALITY, texts()),
        with("openat.context.timestamp", ORDER, words(&["89999999999", "90000000000", "90000000001", "0"])),
        with("openat.context.containerName", EQUALITY, texts()),
        with("openat.context.containerId", EQUALITY, words(&["abcdef", "abc", "ab*", "*d", "fff"])),
        with("openat.context.containerImage", EQUALITY, words(&["nginx:1", "nginx*", "*:1", "redis"])),
        with("openat.context.podName", EQUALITY, words(&["front-1", "front*", "back*"])),
        with("euid", ORDER, few()),
        with("euid", EQUALITY, words(NAMES)),
        with("openat.context.euid", ORDER, few()),
        with("cap", EQUALITY, words(&["CAP_CHOWN", "chown", "0", "sys_admin", "21"])),
        with("openat.context.cap", EQUALITY, words(&["CAP_SYS_ADMIN", "chown"])),
        with("cwd", EQUALITY, paths()),
        with("openat.context.cwd", EQUALITY, paths()),
        with("session", ORDER, few()),
        with("tty", EQUALITY, words(&["pts/0", "/dev/pts/1", "pts/*", "none", "*1"])),
        with("loginuid", ORDER, few()),
        with("loginuid", EQUALITY, words(&["unset", "root", "3"])),
        with("kill.pid", ORDER, words(&["-2", "-1", "0", "3"])),
        with("read.retval", ORDER, few()),
        with("close.fd", ORDER, few()),
    ];
    // Filters of few keys meet each other more often than those of all.
    let few_keys = prop_oneof![
        with("uid", ORDER, few()),
        with("uid", EQUALITY, words(NAMES)),
        with("pid", ORDER, few()),
        with("comm", EQUALITY, texts()),
        with("openat.context.comm", EQUALITY, texts()),
        with("openat.context.uid", ORDER, few()),
        with("binary", EQUALITY, binaries()),
        with("tree", EQUALITY, few()),
        with("follow", &[""], Just(Vec::new())),
        with("openat.pathname", EQUALITY, paths()),
        with("openat.retval", ORDER, few()),
        with("event", EQUALITY, words(&["openat", "close", "open*", "*e*"])),
    ];
    let one = prop_oneof![3 => one, 2 => few_keys];
    proptest::collection::vec(one, 1..14)
}

fn container() -> impl Strategy<Value = Option<Container>> {
    let age = || proptest::option::of(select(&[0, BEGAN - 1, BEGAN, NOW, NOW + 1][..]));
    let told = (
        select(&["web", "db", ""][..]),
        select(&["nginx:1", "redis:2", ""][..]),
        select(&["front-1", "back-2", ""][..]),
        select(&["shop", "kube-system", ""][..]),
        select(&["1-2-3", "1-4", ""][..]),
        any::<bool>(),
    );
    let one = (select(&["abcdef", "abd", "fff"][..]), told, age(), age());
    proptest::option::of(one.prop_map(|(id, told, created, started)| {
        let (name, image, pod, pod_namespace, pod_uid, pod_sandbox) = told;
        Container { id, name, image, pod, pod_namespace, pod_uid, pod_sandbox, created, started }
    }))
}

fn world() -> impl Strategy<Value = World> {
    let who = (select(COMMS), select(PATHS), select(COMMS), 0u32..6, 1u32..6, 0u32..6, 1u32..4);
    let line = (subsequence(vec![1u32, 2, 4, 5], 0..=4).prop_shuffle(), 0usize..6);
    let args = (
        proptest::option::of(select(PATHS)),
        proptest::option::of(select(&[0u32, 1, 2, 0o100, 0o101, 0o102, 0o2000000, 0o2000101][..])),
        select(&[-13i64, -2, 0, 1, 3, 5, i64::MIN, i64::MAX][..]),
        proptest::option::of((
            -1i64..7,
            select(&["", "/bin/ls", "/etc/passwd", "tcp 10.0.0.1:80", "pipe:[3]"][..]),
        )),
    );
    let events = [
        "openat",
        "openat",
        "open",
        "close",
        "read",
        "connect",
        "sched_process_exec",
        "anti_debugging",
        "kill",
    ];
    let event = select(events.to_vec());
    let more = (
        (1u32..4, 0u32..4, select(&[1u32, 5][..]), 0u16..4, 0u64..4),
        proptest::option::of(select(COMMS)),
        proptest::option::of(select(ARGVS)),
        proptest::option::of(0u16..6),
        -3i32..5,
        (
            proptest::option::of((0u32..6, select(&[0u64, 1, 1 << 21, 1 | 1 << 21][..]))),
            proptest::option::of(select(&["/bin/ls", "/etc", "/usr/bin/ls", "/"][..])),
            proptest::option::of(0u32..6),
            proptest::option::of(select(&["none", "pts/0", "pts/1", "tty1"][..])),
            proptest::option::of(select(&[0u32, 1, 3, u32::MAX][..])),
        ),
    );
    let start = || select(&[0, BEGAN - 1, BEGAN, 60_000_000_000][..]);
    (event, who, (0u32..6, select(&[1u32, 7, 3][..]), start(), start()), container(), line, args, more)
        .prop_map(
            |(
                event,
                (comm, exe, uts, uid, pid, ns_pid, tid_offset),
                (ppid, mnt_ns, start, parent_start),
                container,
                (line, were_there),
                (pathname, flags, ret, fd),
                ((ns_tid, ns_ppid, pid_ns, cpu, cgroup), ancestor, argv, port, killed, acting),
            )| {
                let (credentials, cwd, session, tty, loginuid) = acting;
                let mut ancestors = vec![pid];
                ancestors.extend(line.into_iter().filter(|ancestor| *ancestor != pid));
                World {
                    event,
                    comm,
                    exe,
                    uts,
                    pid,
                    ppid,
                    ns_pid,
                    ns_tid,
                    ns_ppid,
                    pid_ns,
                    cpu,
                    cgroup,
                    ancestor,
                    argv,
                    port,
                    killed,
                    uid,
                    mnt_ns,
                    start,
                    parent_start,
                    container,
                    pathname,
                    flags,
                    ret,
                    fd,
                    tid: if tid_offset == 1 { pid } else { pid + tid_offset },
                    line: ancestors,
                    were_there,
                    credentials,
                    cwd,
                    session,
                    tty,
                    loginuid,
                }
            },
        )
}

/// Tables in which next to nothing has room.
const TIGHT: Limits = Limits { texts: 1, comm_bytes: 3, path_bytes: 8, uts_bytes: 3, intervals: 2, roots: 1 };

/// The mask of one event, put together as replay and recorder do.
fn mask(plan: &Plan, lowered: &Lowered, tight: &Lowered, tables: &mut (Table, Table), world: &World) -> u64 {
    let event = catalogue::by_name(world.event).unwrap();
    let context = Context {
        pid: world.pid,
        tid: world.tid,
        ppid: world.ppid,
        ns_pid: world.ns_pid,
        ns_tid: world.ns_tid,
        ns_ppid: world.ns_ppid,
        pid_ns: world.pid_ns,
        uid: world.uid,
        mnt_ns: world.mnt_ns,
        cgroup_id: world.cgroup,
        process_start_ns: world.start,
        thread_start_ns: world.start + 1,
        parent_start_ns: world.parent_start,
        comm: world.comm.as_bytes(),
        exe: world.exe.as_bytes(),
        uts: world.uts.as_bytes(),
        credentials: world.credentials.map(|(euid, effective)| Credentials {
            euid,
            effective,
            ..Credentials::default()
        }),
        standing: Standing {
            cwd: world.cwd.map(str::as_bytes),
            session: world.session,
            terminal: world.tty.and_then(events::terminal::by_name),
            login_uid: world.loginuid,
            ..Standing::default()
        },
        ..Context::default()
    };
    let facts = world.container.as_ref().map(|container| ContainerFacts {
        id: container.id,
        name: container.name,
        image: container.image,
        pod_name: container.pod,
        pod_namespace: container.pod_namespace,
        pod_uid: container.pod_uid,
        pod_sandbox: container.pod_sandbox,
        created_ns: container.created,
        started_ns: container.started,
    });
    let recording = Recording { start_ns: BEGAN, host_mnt_ns: Some(HOST_MNT_NS) };
    let subject = Subject {
        context: &context,
        container: facts.as_ref(),
        recording,
        time_ns: NOW,
        ..Subject::of(&context)
    };
    let subject = Subject { lineage: lineage(plan, world, &context), ..subject };
    let mut mask = in_columns(tables, plan.context_mask(&subject), plan.event_mask(event.id));
    assert_eq!(mask & !plan.scopes(), 0);
    if plan.has_event_context(event.id) != 0 {
        mask &= plan.event_context_mask(event.id, &subject);
    }
    if plan.has_ret(event.id) != 0 {
        mask &= plan.ret_mask(event.id, world.ret);
    }
    let stored = world.fd.map(|(number, text)| [&number.to_le_bytes(), text.as_bytes()].concat());
    if plan.has_row(event.id) != 0 {
        mask &= plan.row_mask(
            event.id,
            RowFacts { wall_ns: NOW, cpu: world.cpu, marks: events::Marks(0), duration_ns: None },
        );
    }
    let argv: Vec<u8> =
        world.argv.unwrap_or_default().iter().flat_map(|arg| [arg.as_bytes(), b"\0"].concat()).collect();
    let address = [&[2, 0][..], &world.port.unwrap_or(0).to_be_bytes(), &[127, 0, 0, 1], &[0; 8]].concat();
    for position in plan.arg_positions(event.id) {
        let value = match event.args[*position].name {
            "argv" => world.argv.map_or(Raw::Missing, |_| Raw::Bytes(&argv)),
            "addr" => world.port.map_or(Raw::Missing, |_| Raw::Bytes(&address)),
            "fd" => match (world.fd, &stored) {
                (Some((number, "")), _) => Raw::Number(number as u64),
                (_, Some(stored)) => Raw::Bytes(stored),
                _ => Raw::Missing,
            },
            "pid" => Raw::Number(i64::from(world.killed) as u64),
            "pathname" => world.pathname.map_or(Raw::Missing, |path| Raw::Bytes(path.as_bytes())),
            _ => world.flags.map_or(Raw::Missing, |flags| Raw::Number(flags.into())),
        };
        let alone = plan.arg_mask(event.id, *position, value);
        if let Raw::Bytes(text) = value {
            // As replay asks a block's dictionary: among others, all at once.
            let others = [&b"/etc/passw"[..], text, b"d/bin/ls", text];
            let ends: Vec<u32> =
                (1..=others.len()).map(|count| others[..count].concat().len() as u32).collect();
            let bytes = others.concat();
            let strings = scopes::batch::Strings::new(&bytes, &ends);
            if let Some(masks) = plan.text_masks(event.id, *position, strings) {
                assert_eq!([masks[1], masks[3]], [alone; 2], "{text:?} among others");
            }
        }
        mask &= alone;
    }
    let known = lowered.events.iter().find(|(id, _)| *id == event.id).map_or(0, |(_, mask)| *mask);
    assert!(event.is_derived() || mask & !known == 0, "the kernel would drop {}", world.event);
    let cgroup = plan.container_may(facts.as_ref(), recording);
    for (lowered, lineage) in
        [(lowered, Some(subject.lineage)), (lowered, None), (tight, Some(subject.lineage))]
    {
        let kept = lowered.mask(&context, recording, Some(cgroup), lineage);
        assert_eq!(mask & !kept, 0, "the kernel would drop {context:?}");
    }
    mask
}

/// A row's context and event by their codes in a block, as replay looks them up.
fn in_columns((contexts, events): &mut (Table, Table), context: u64, event: u64) -> u64 {
    contexts.fill([u64::MAX, context]);
    events.fill([0, u64::MAX, event]);
    let (contexts_of_rows, events_of_rows) = ([0, 1, 1], [0, 2, 1]);
    let mut masks = [0; 3];
    batch::masks(contexts, events, &contexts_of_rows, &events_of_rows, &mut masks);
    let (mut rows, mut found) = (Vec::new(), Vec::new());
    batch::select(contexts, events, &contexts_of_rows, &events_of_rows, &mut rows, &mut found);
    assert_eq!(rows.iter().position(|row| *row == 1).map_or(0, |at| found[at]), masks[1]);
    masks[1]
}

/// The oldest ancestors as they were when the recording began, and forks from there down to the process.
fn lineage(plan: &Plan, world: &World, context: &Context<'_>) -> scopes::LineageBits {
    let mut lineage = Lineage::new(plan);
    let recording = Recording { start_ns: BEGAN, host_mnt_ns: Some(HOST_MNT_NS) };
    let of_pid = |(pid, ppid): (u32, u32)| {
        let comm = if pid == ANCESTOR { world.ancestor.unwrap_or_default() } else { "" };
        let process_start_ns = if pid == world.pid { world.start } else { 0 };
        Context { pid, tid: pid, ppid, comm: comm.as_bytes(), process_start_ns, ..Context::default() }
    };
    let youngest_first = world.ancestors();
    let contexts: Vec<Context<'_>> = youngest_first.into_iter().rev().map(of_pid).collect();
    let (there, forked) = contexts.split_at(world.were_there.min(contexts.len()));
    let mut snapshot: Vec<Subject<'_>> =
        there.iter().map(|context| Subject { recording, ..Subject::of(context) }).collect();
    // In any order.
    snapshot.rotate_left(there.len() / 2);
    lineage.snapshot(plan, &snapshot);
    for (at, child) in forked.iter().enumerate() {
        let parent = (there.len() + at).checked_sub(1).and_then(|parent| contexts.get(parent));
        match parent {
            Some(parent) => {
                let parent = Subject { recording, ..Subject::of(parent) };
                lineage.fork(plan, &parent, Entity { pid: child.pid, start_ns: child.process_start_ns });
            }
            // The oldest has no parent that could fork it.
            None => lineage.snapshot(plan, &[Subject { recording, ..Subject::of(child) }]),
        }
    }
    lineage.bits(context)
}

/// Filter sets of one run: a few seconds' worth, or as many as `PROPTEST_CASES` says.
fn cases() -> u32 {
    std::env::var("PROPTEST_CASES").ok().and_then(|count| count.parse().ok()).unwrap_or(600)
}

/// What is asked, and the same as filters of numbered scopes for the naive evaluator.
#[derive(Debug)]
struct Asked {
    texts: Vec<String>,
    policies: Vec<(String, String)>,
    filters: Vec<Filter>,
}

/// Writes the filters as `-f`; those of `scope` as a policy, when they can be one.
fn written(filters: &[Filter], scope: u8) -> Asked {
    let (mine, mut others): (Vec<Filter>, Vec<Filter>) =
        filters.iter().cloned().partition(|filter| filter.scope == scope);
    let texts: Vec<String> = others.iter().map(Filter::text).collect();
    let Some((text, same)) = policy::of(mine) else {
        return Asked {
            texts: filters.iter().map(Filter::text).collect(),
            policies: Vec::new(),
            filters: filters.to_vec(),
        };
    };
    let free = (1..).find(|number| others.iter().all(|filter| filter.scope != *number)).unwrap();
    others.extend(same.into_iter().map(|filter| Filter { scope: free, ..filter }));
    Asked { texts, policies: vec![("p.json".to_owned(), text)], filters: others }
}

fn read(asked: &Asked) -> Result<ScopeSet, Vec<Diagnostic>> {
    let mut set = ScopeSet::with_policies(&asked.texts, &asked.policies)?;
    set.resolve_users(USERS)?;
    Ok(set)
}

/// The scope that can never match, and the event that this is said of, if it is said of one.
fn refused(error: &Diagnostic) -> (u8, Option<&str>) {
    let (before, after) = error.message.split_once("scope ").unwrap();
    let digits: String = after.chars().take_while(char::is_ascii_digit).collect();
    (digits.parse().unwrap(), before.strip_suffix(" in "))
}

proptest! {
    #![proptest_config(ProptestConfig { cases: cases(), failure_persistence: None, ..ProptestConfig::default() })]

    /// Each filter set over 64 events, six scopes at once, one of which may be a policy.
    #[test]
    fn every_random_filter_set_gives_the_naive_answer(
        filters in filters(),
        as_policy in 1u8..=6,
        worlds in proptest::collection::vec(world(), 64),
    ) {
        // Scopes that can never match are refused as a whole: the others are asked without them.
        let mut asked = written(&filters, as_policy);
        let set = loop {
            match read(&asked) {
                Ok(set) => break set,
                Err(errors) => {
                    for error in &errors {
                        prop_assert!(error.message.contains("can never match"), "{}", error);
                        let (scope, about) = refused(error);
                        let filters: Vec<&Filter> = asked.filters.iter().filter(|filter| filter.scope == scope).collect();
                        // What is about one event says nothing of the others.
                        for world in worlds.iter().filter(|world| about.is_none_or(|about| world.event == about)) {
                            prop_assert!(!naive::scope_matches(&filters, world), "refused, but matches {:?}: {:?}", world, filters);
                        }
                    }
                    let scopes: Vec<u8> = errors.iter().map(|error| refused(error).0).collect();
                    asked.filters.retain(|filter| !scopes.contains(&filter.scope));
                    asked = written(&asked.filters, 0);
                }
            }
        };
        let plan = Plan::compile(&set);
        let lowered = plan.lower();
        let tight = lowered.clone().within(&TIGHT);
        let mut tables = (Table::new(), Table::new());
        for world in &worlds {
            let mask = mask(&plan, &lowered, &tight, &mut tables, world);
            for scope in 1..=6u8 {
                let filters: Vec<&Filter> = asked.filters.iter().filter(|filter| filter.scope == scope).collect();
                let expected = !filters.is_empty() && naive::scope_matches(&filters, world);
                prop_assert_eq!(mask >> (scope - 1) & 1 == 1, expected, "scope {} of {:?} over {:?}", scope, asked, world);
            }
        }
    }
}
