use events::{Context, Raw};
use proptest::prelude::*;

use super::*;
use crate::{ScopeSet, Subject};

/// A row, and the container of each cgroup from 100 on.
#[derive(Clone, Debug)]
struct Row {
    pid: u32,
    tid: u32,
    ppid: u32,
    uid: u32,
    mnt_ns: u32,
    cgroup: u64,
    start_ns: u64,
    time_ns: u64,
    comm: &'static str,
    exe: &'static str,
    path: Option<&'static str>,
    ret: i64,
}

const RECORDING: Recording = Recording { start_ns: 1000, host_mnt_ns: Some(5) };
/// Of the wall clock over the boot clock.
const WALL: u64 = 1_000_000;

fn container(cgroup: u64) -> Option<ContainerFacts<'static>> {
    let id = ["3fd21", "93cc0", "93ccf"].get(usize::try_from(cgroup).ok()?.checked_sub(100)?)?;
    let name = if cgroup == 100 { "" } else { "web" };
    Some(ContainerFacts {
        id,
        name,
        image: "nginx",
        pod_sandbox: cgroup == 101,
        created_ns: (cgroup == 102).then_some(1500),
        started_ns: if cgroup == 102 { Some(1600) } else { Some(0) },
        ..ContainerFacts::default()
    })
}

/// Lists of everything that rows have; numbers beyond a few are a range, as large blocks have them.
struct Listed {
    rows: Vec<Row>,
    texts: [Vec<Arc<[u8]>>; 2],
    numbers: Vec<(NumberOf, Vec<u64>)>,
    lists: bool,
}

impl Listed {
    fn of(rows: &[Row], lists: bool) -> Listed {
        let texts = |of: fn(&Row) -> &'static str| {
            let mut texts: Vec<Arc<[u8]>> = rows.iter().map(|row| Arc::from(of(row).as_bytes())).collect();
            texts.sort();
            texts.dedup();
            texts
        };
        let numbers = |of: fn(&Row) -> u64| {
            let mut numbers: Vec<u64> = rows.iter().map(of).collect();
            numbers.sort_unstable();
            numbers.dedup();
            numbers
        };
        let numbers = vec![
            (NumberOf::Pid, numbers(|row| row.pid.into())),
            (NumberOf::Tid, numbers(|row| row.tid.into())),
            (NumberOf::Ppid, numbers(|row| row.ppid.into())),
            (NumberOf::Uid, numbers(|row| row.uid.into())),
            (NumberOf::MntNs, numbers(|row| row.mnt_ns.into())),
            (NumberOf::PidNs, vec![0]),
            (NumberOf::Cgroup, numbers(|row| row.cgroup)),
        ];
        Listed { rows: rows.to_vec(), texts: [texts(|row| row.comm), texts(|row| row.exe)], numbers, lists }
    }

    fn numbers(&self, of: NumberOf) -> &[u64] {
        self.numbers.iter().find(|(known, _)| *known == of).map_or(&[], |(_, numbers)| numbers)
    }
}

impl Statistics for Listed {
    fn texts(&self, of: TextOf) -> Option<&[Arc<[u8]>]> {
        match of {
            TextOf::Comm => Some(&self.texts[0]),
            TextOf::Exe => Some(&self.texts[1]),
            TextOf::Uts => None,
        }
    }

    fn listed(&self, of: NumberOf) -> Option<&[u64]> {
        self.lists.then(|| self.numbers(of))
    }

    fn may_overlap(&self, of: NumberOf, low: u64, high: u64) -> bool {
        let all = self.numbers(of);
        match self.lists {
            true => all.iter().any(|number| (low..=high).contains(number)),
            false => all.first().is_some_and(|min| *min <= high) && all.last().is_some_and(|max| *max >= low),
        }
    }

    fn each_container(&self, see: &mut dyn FnMut(Option<&ContainerFacts<'_>>)) {
        for cgroup in self.numbers(NumberOf::Cgroup) {
            see(container(*cgroup).as_ref());
        }
    }

    fn recording(&self) -> Recording {
        RECORDING
    }

    fn host(&self) -> &str {
        "web1"
    }

    fn boot_ns(&self) -> (u64, u64) {
        let times = || self.rows.iter().map(|row| row.time_ns);
        (times().min().unwrap_or_default(), times().max().unwrap_or_default())
    }

    fn wall_ns(&self) -> (u64, u64) {
        let (first, last) = self.boot_ns();
        (first + WALL, last + WALL)
    }

    fn returned(&self, _: EventId) -> Returned {
        let any = |is: fn(&i64) -> bool| self.rows.iter().map(|row| &row.ret).any(is);
        Returned {
            errors: any(|ret| (-4095..0).contains(ret)),
            successes: any(|ret| *ret >= 0),
            below_errors: any(|ret| *ret < -4095),
        }
    }

    fn may_have_part(&self, _: EventId, _: usize, part: &[u8], at_start: bool, at_end: bool) -> bool {
        self.rows.iter().filter_map(|row| row.path).map(str::as_bytes).any(|text| match (at_start, at_end) {
            (true, true) => text == part,
            (true, false) => text.starts_with(part),
            (false, true) => text.ends_with(part),
            (false, false) => part.is_empty() || text.windows(part.len()).any(|window| window == part),
        })
    }
}

/// Scopes that a row matches, without ancestors.
fn mask(plan: &Plan, row: &Row) -> u64 {
    let openat = openat();
    let context = Context {
        pid: row.pid,
        tid: row.tid,
        ppid: row.ppid,
        uid: row.uid,
        mnt_ns: row.mnt_ns,
        cgroup_id: row.cgroup,
        process_start_ns: row.start_ns,
        thread_start_ns: row.start_ns,
        comm: row.comm.as_bytes(),
        exe: row.exe.as_bytes(),
        ..Context::default()
    };
    let container = container(row.cgroup);
    let lineage = LineageBits::default();
    let subject = Subject {
        context: &context,
        container: container.as_ref(),
        lineage,
        recording: RECORDING,
        host: "web1",
        time_ns: row.time_ns,
    };
    let path = row.path.map_or(Raw::Number(0x7f12), |path| Raw::Bytes(path.as_bytes()));
    let facts = crate::plan::RowFacts {
        wall_ns: row.time_ns + WALL,
        cpu: 0,
        marks: events::Marks::default(),
        duration_ns: None,
    };
    plan.context_mask(&subject)
        & plan.event_mask(openat.id)
        & plan.arg_mask(openat.id, 1, path)
        & plan.arg_mask(openat.id, 0, Raw::Number(-100i64 as u64))
        & plan.ret_mask(openat.id, row.ret)
        & plan.event_context_mask(openat.id, &subject)
        & plan.row_mask(openat.id, facts)
}

fn may(plan: &Plan, rows: &Listed, ancestry: Ancestry) -> u64 {
    let event = openat().id;
    plan.may_match_contexts(rows, ancestry)
        & plan.event_mask(event)
        & plan.may_match_event(event, rows, ancestry)
}

fn openat() -> &'static events::Event {
    events::catalogue::by_name("openat").expect("openat")
}

const FILTERS: [&str; 57] = [
    "comm=ls",
    "comm!=ls",
    "comm=l*",
    "binary=/bin/l*",
    "binary!=/bin/ls",
    "binary=host:/bin/ls",
    "binary=5:/bin/ls",
    "pid=7",
    "pid!=7",
    "pid>7",
    "pid<9",
    "pid=new",
    "pid!=new",
    "pid=7@0",
    "tid=8",
    "tid!=8",
    "tid>8",
    "ppid=1",
    "ppid!=1",
    "uid=0",
    "uid!=0",
    "uid>=1000",
    "mntns=5",
    "mntns!=5",
    "container",
    "not-container",
    "container=93cc",
    "container!=93cc",
    "container=web",
    "container!=web",
    "container=new",
    "container!=new",
    "container=started",
    "container!=started",
    "follow",
    "tree!=7",
    "openat.pathname=/etc/passwd",
    "openat.pathname!=/etc/passwd",
    "openat.pathname=*zzz*",
    "openat.pathname=/etc/*",
    "openat.pathname=0x7f*",
    "openat.retval<0",
    "openat.retval>=0",
    "openat.retval=-2",
    "openat.retval!=3",
    "openat.retval<-5000",
    "openat.dirfd=-100",
    "openat.dirfd=AT_FDCWD",
    "openat.dirfd=*etc*",
    "openat.context.comm=ls",
    "openat.context.containerImage=nginx",
    "openat.context.podSandbox",
    "openat.context.host",
    "openat.context.timestamp>1001500",
    "openat.context.containerId=3f*",
    "openat.context.cgroupId=101",
    "openat.context.hostPid=7",
];

fn row() -> impl Strategy<Value = Row> {
    let ids = (prop::sample::select(vec![7, 8, 9, 40]), prop::sample::select(vec![7, 8, 9, 41]), 1u32..3);
    let rest = (
        prop::sample::select(vec![0, 33, 1000]),
        4u32..7,
        99u64..103,
        prop::sample::select(vec![5, 1_005, 20_000_000]),
        1400u64..1700,
    );
    let texts = (
        prop::sample::select(vec!["ls", "id"]),
        prop::sample::select(vec!["/bin/ls", "/bin/id", ""]),
        prop::option::weighted(0.8, prop::sample::select(vec!["/etc/passwd", "/usr/lib/x", "zzz", ""])),
        prop::sample::select(vec![-2, -1, 0, 3, -9000]),
    );
    (ids, rest, texts).prop_map(|((pid, tid, ppid), (uid, mnt_ns, cgroup, start_ns, time_ns), texts)| {
        let (comm, exe, path, ret) = texts;
        Row { pid, tid, ppid, uid, mnt_ns, cgroup, start_ns, time_ns, comm, exe, path, ret }
    })
}

fn filters() -> impl Strategy<Value = Vec<String>> {
    let one = (1u8..4, prop::sample::select(FILTERS.to_vec()));
    prop::collection::vec(one.prop_map(|(scope, filter)| format!("{scope}:{filter}")), 1..7)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 4096, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn no_scope_is_ruled_out_that_some_row_matches(
        rows in prop::collection::vec(row(), 1..5),
        filters in filters(),
        lists in any::<bool>(),
    ) {
        // Some filters contradict each other, and such sets are refused.
        let filters: Vec<&str> = filters.iter().map(String::as_str).collect();
        let Ok(set) = ScopeSet::parse(&filters) else { return Ok(()) };
        let plan = Plan::compile(&set);
        let matched = rows.iter().fold(0, |all, row| all | mask(&plan, row));
        let listed = Listed::of(&rows, lists);
        for ancestry in [Ancestry::Unknown, Ancestry::Unnamed] {
            prop_assert_eq!(matched & !may(&plan, &listed, ancestry), 0, "{:?}", filters);
        }
    }

    /// With one row and one filter there is nothing to be unsure of, but for starts, ancestors and printed numbers.
    #[test]
    fn of_one_row_and_one_filter_the_answer_is_known(row in row(), filter in prop::sample::select(FILTERS.to_vec())) {
        const UNSURE: [&str; 7] = ["=new", "@", "follow", "retval=-2", "retval!=3", "host:/bin", "5:/bin"];
        let plan = Plan::compile(&ScopeSet::parse(&[filter]).expect("a filter"));
        let listed = Listed::of(std::slice::from_ref(&row), true);
        let unsure = UNSURE.iter().any(|part| filter.contains(part)) || filter.starts_with("openat.pathname") || filter.starts_with("openat.dirfd");
        if !unsure {
            prop_assert_eq!(mask(&plan, &row), may(&plan, &listed, Ancestry::Unnamed), "{}", filter);
        }
    }
}

#[test]
fn what_cannot_be_there_is_ruled_out() {
    let row = Row {
        pid: 7,
        tid: 8,
        ppid: 1,
        uid: 0,
        mnt_ns: 5,
        cgroup: 1,
        start_ns: 5,
        time_ns: 1500,
        comm: "ls",
        exe: "/bin/ls",
        path: Some("/etc/passwd"),
        ret: 3,
    };
    let rows = [row.clone(), Row { pid: 90, ..row }];
    let ruled_out = |filter: &str, lists| {
        let plan = Plan::compile(&ScopeSet::parse(&[filter]).expect("a filter"));
        may(&plan, &Listed::of(&rows, lists), Ancestry::Unknown) == 0
    };
    for filter in [
        "pid=99999",
        "tid=99999",
        "ppid=99999",
        "pid=99999@5",
        "uid=7",
        "mntns=6",
        "container=nowhere",
        "container",
        "openat.pathname=*zzz*",
        "openat.retval<0",
        "openat.context.timestamp>9000000",
        "openat.dirfd=*zzz*",
        "openat.context.cgroupId=101",
        "openat.context.comm=id",
        "comm=id",
        "binary=/bin/id",
    ] {
        assert!(ruled_out(filter, true), "{filter}");
    }
    assert!(ruled_out("pid=99999", false) && !ruled_out("pid=50", false) && ruled_out("pid=50", true));
    for filter in ["pid=7", "uid=0", "openat.pathname=0x7f*", "openat.retval>=0", "tree=5", "pid=new"] {
        assert!(!ruled_out(filter, true), "{filter}");
    }
}
