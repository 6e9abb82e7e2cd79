//! Hosts that are made up: processes that fork, exec, outlive their parents and do what filters ask about.

use events::context::{Credentials, Standing};
use events::{Context, Marks, Raw};
use format::facts::{Facts, Terminal, UNSET};
use format::{Artifact, Clock, Loss, Side, User};

use crate::program::synthetic::{self, BOOT, Event, Made, WALL};
use crate::random::Random;

pub const COMMS: [&str; 6] = ["sh", "cc1", "make", "sshd", "python3", "caf\u{e9}"];
pub const EXES: [&str; 5] = ["/bin/sh", "/usr/lib/cc1", "/usr/bin/make", "/usr/sbin/sshd", "memfd:x"];
pub const PATHS: [&[u8]; 7] = [
    b"/etc/passwd",
    b"/etc/shadow",
    b"/home/alice/notes.txt",
    b"/tmp/a,b=c*d",
    b"/tmp/\xff\xfe",
    b"",
    b"/usr/lib/x86_64-linux-gnu/libc.so.6",
];
const TEXTS: [&[u8]; 4] = [b"GET / HTTP/1.1\r\n", b"password=hunter2", b"\0\x01\xff", b"hello, world\n"];
const DESCRIPTORS: [&str; 4] =
    ["/etc/passwd", "tcp 10.1.2.3:4242->10.0.0.2:443", "pipe:[4711]", "unix ->/run/x"];

/// What a world is like.
#[derive(Clone, Copy, Debug)]
pub struct Shape {
    pub hosts: u64,
    pub rows: u64,
    /// The wall clock is set while something is recorded.
    pub steps: bool,
    /// Blocks do not come in order of time.
    pub is_unordered: bool,
    /// It was recorded how long calls took, but for the second host.
    pub is_timed: bool,
}

#[derive(Clone, Copy)]
struct Process {
    pid: u32,
    parent: u32,
    start_ns: u64,
    parent_start_ns: u64,
    comm: &'static str,
    exe: &'static str,
    uid: u32,
    is_inside: bool,
}

impl Process {
    fn context(&self, thread: u32, hostname: &'static str) -> Context<'static> {
        let plain = synthetic::process(self.pid, self.parent, self.uid, self.comm, self.exe);
        Context {
            tid: self.pid + thread,
            ns_pid: if self.is_inside { self.pid % 100 } else { self.pid },
            process_start_ns: self.start_ns,
            thread_start_ns: self.start_ns + u64::from(thread),
            parent_start_ns: self.parent_start_ns,
            cgroup_id: if self.is_inside { synthetic::CONTAINER_CGROUP } else { 1 },
            pid_ns: plain.pid_ns + u32::from(self.is_inside),
            uts: hostname.as_bytes(),
            credentials: (!self.pid.is_multiple_of(5)).then(|| Credentials {
                euid: if self.pid.is_multiple_of(2) { 0 } else { self.uid },
                suid: self.uid,
                fsuid: self.pid % 3,
                effective: if self.pid.is_multiple_of(2) { 0x1ff_ffff_ffff } else { 1 << (self.pid % 41) },
                permitted: 1 << 21,
                ..Credentials::default()
            }),
            standing: Standing {
                cwd: [None, Some(&b"/home/500"[..]), Some(b"/tmp/\xff"), Some(b"/srv")]
                    [(self.pid + thread) as usize % 4],
                session: (!self.pid.is_multiple_of(3)).then_some(self.parent),
                group: (!self.pid.is_multiple_of(4)).then_some(self.pid),
                terminal: [None, Some(0), Some(34816), Some(34817)][self.pid as usize / 2 % 4],
                login_uid: (!self.pid.is_multiple_of(6)).then_some(if self.uid == 0 {
                    UNSET
                } else {
                    self.uid
                }),
                audit_session: self.pid.is_multiple_of(2).then_some(self.uid),
            },
            ..plain
        }
    }
}

pub const HOSTS: [&str; 3] = ["web0", "web1", "db.internal"];

/// The captures of all hosts of a world.
pub fn world(random: &mut Random, shape: Shape) -> Vec<Made> {
    (0..shape.hosts).map(|number| host(&mut Random::new(random.next()), shape, number)).collect()
}

fn host(random: &mut Random, shape: Shape, number: u64) -> Made {
    let hostname = HOSTS[number as usize % HOSTS.len()];
    let mut made = Made::new();
    made.rows_per_block = *random.of(&[7, 40, 200, 10_000]);
    made.header.host.hostname = hostname.into();
    made.header.host.boot_id = format!("b{number}");
    // Hosts were booted at different times, and overlap.
    let ahead = random.below(1_000_000) * 1_000;
    made.clock = Clock { wall_ns: WALL + ahead, ..synthetic::clock() };
    made.header.clock = made.clock;
    let is_timed = shape.is_timed && number != 1;
    if is_timed {
        made.header.recording.more.insert(format::recorded::TIMING.into(), "1".into());
    }
    let start = |pid: u32| BOOT - 10_000_000_000 + u64::from(pid) * 10_000_000;
    let old = |pid, parent, comm, exe| Process {
        pid,
        parent,
        start_ns: start(pid),
        parent_start_ns: if parent == 0 { 0 } else { start(parent) },
        comm,
        exe,
        uid: pid % 3 * 500,
        is_inside: false,
    };
    let mut live = vec![
        old(1, 0, "init", "/sbin/init"),
        old(20, 1, COMMS[3], EXES[3]),
        old(21, 20, COMMS[0], EXES[0]),
        Process { is_inside: true, ..old(30, 1, COMMS[2], EXES[2]) },
    ];
    let contexts: Vec<Context<'_>> = live.iter().map(|it| it.context(0, hostname)).collect();
    made.sides.push(with_facts(synthetic::snapshot(&contexts)));
    made.sides.push(synthetic::container());
    made.sides.push(Side::Users(vec![User { host: 0, uid: 500, name: "alice".into() }]));
    made.sides.push(Side::Losses(vec![Loss {
        host: 0,
        from_ns: BOOT + 5,
        to_ns: BOOT + 9,
        cpu: Some(0),
        event: None,
        count: 3,
        cause: "buffer full".into(),
    }]));
    let mut at = 0;
    let mut next_pid = 100;
    let mut ended = None;
    let mut connections: Vec<Connection> = (0..2).map(|number| Connection::new(number, random)).collect();
    for _ in 0..shape.rows {
        at += 1 + random.below(3_000_000);
        // Two events of one time.
        at -= u64::from(random.one_in(20));
        if shape.steps && random.one_in(120) {
            made.end_block();
            made.clock.wall_ns += random.below(3_600_000_000_000);
        }
        made.duration_ns = if is_timed { took(at) } else { None };
        let before = live.clone();
        row(random, &mut made, &mut live, &mut connections, &mut next_pid, at, hostname);
        ended = before.into_iter().find(|it| live.iter().all(|other| other.pid != it.pid)).or(ended);
        if let Some(ended) = ended.filter(|_| at.is_multiple_of(9)) {
            after_its_end(&mut made, ended, at, hostname);
        }
    }
    if is_timed {
        in_flight(&mut made, &live, at + 1, hostname);
    }
    if shape.is_unordered {
        made.shuffle(|bound| random.below(bound as u64) as usize)
    }
    made
}

/// A process tells its parent of its end, however much later.
fn after_its_end(made: &mut Made, it: Process, at: u64, hostname: &'static str) {
    made.duration_ns = None;
    let (name, args) = ("signal_generate", &[("sig", Raw::Number(17))]);
    made.push(&Event {
        at,
        name,
        context: it.context(0, hostname),
        ret: 0,
        scopes: 1,
        marks: Marks(0),
        args,
    });
}

/// How long a call took that ended then: mostly anything, now and then the same, and of some it is not known.
fn took(at: u64) -> Option<u64> {
    match at % 8 {
        0 => None,
        1 => Some(0),
        2 | 3 => Some(5_000_000),
        _ => Some(at.wrapping_mul(0x9e37_79b9_7f4a_7c15) % 10u64.pow((at % 11) as u32 + 1)),
    }
}

/// Calls that had not returned when the recording ended.
fn in_flight(made: &mut Made, live: &[Process], at: u64, hostname: &'static str) {
    for (number, it) in (0..4).zip(live) {
        made.duration_ns = Some(at >> number);
        let read = [("fd", Raw::Number(3)), ("count", Raw::Number(16))];
        let (name, args): (_, &[_]) = if number % 2 == 0 { ("read", &read) } else { ("pause", &[]) };
        let marks = Marks(Marks::AT_ENTRY | Marks::UNFINISHED);
        made.push(&Event { at, name, context: it.context(0, hostname), ret: 0, scopes: 1, marks, args });
    }
}

/// What /proc said beside of the processes of the beginning.
fn with_facts(mut side: Side) -> Side {
    if let Side::Processes(all) = &mut side {
        for it in all {
            it.facts = Facts {
                cwd: Some(format!("/home/{}", it.uid).into_bytes().into()),
                session: Some(it.ppid.max(1)),
                group: Some(it.pid),
                terminal: Terminal::device(if it.ppid > 1 { 0x8800 } else { 0 }),
                login_uid: Some(if it.uid == 0 { UNSET } else { it.uid }),
                ..Facts::default()
            };
        }
    }
    side
}

/// One event of some process, and what it does to the processes.
fn row(
    random: &mut Random,
    made: &mut Made,
    live: &mut Vec<Process>,
    connections: &mut [Connection],
    next_pid: &mut u32,
    at: u64,
    hostname: &'static str,
) {
    let chosen = 1 + random.below(live.len() as u64 - 1) as usize;
    let it = live[chosen];
    let thread = if random.one_in(4) { 10_000 } else { 0 };
    let mut context = it.context(thread, hostname);
    let number = Raw::Number;
    let failed = random.one_in(5);
    let mut marks = Marks(0);
    let descriptor = [&random.below(9).to_le_bytes()[..], random.of(&DESCRIPTORS).as_bytes()].concat();
    let path = *random.of(&PATHS);
    let text = *random.of(&TEXTS);
    let address = [2, 0, 1, 187, 10, 1, 2, random.below(4) as u8, 0, 0, 0, 0, 0, 0, 0, 0];
    let packet;
    let line;
    let terminal;
    let argv = b"run\0--token=hunter2\0";
    let (name, args): (&str, Vec<(&str, Raw<'_>)>) = match random.below(25) {
        0 | 1 => {
            *next_pid += 1;
            let child = Process {
                pid: *next_pid,
                parent: it.pid,
                start_ns: BOOT + at,
                parent_start_ns: it.start_ns,
                ..it
            };
            live.push(child);
            let pid = number(child.pid.into());
            let args = vec![("child_pid", pid), ("child_tid", pid), ("start_time", number(child.start_ns))];
            ("sched_process_fork", args)
        }
        2 if live.len() > 5 => {
            live.remove(chosen);
            let mut orphans = live.iter_mut().filter(|other| other.parent == it.pid);
            orphans.by_ref().for_each(|other| (other.parent, other.parent_start_ns) = (1, live_start()));
            context = it.context(0, hostname);
            ("sched_process_exit", vec![("exit_code", number(0)), ("process_group_exit", number(1))])
        }
        3 => {
            let which = random.below(EXES.len() as u64) as usize;
            let process = &mut live[chosen];
            (process.comm, process.exe) = (COMMS[which], EXES[which]);
            context = process.context(0, hostname);
            let exe = Raw::Bytes(process.exe.as_bytes());
            ("sched_process_exec", vec![("cmdpath", exe), ("pathname", exe), ("argv", Raw::Bytes(argv))])
        }
        4 => ("connect", vec![("sockfd", Raw::Bytes(&descriptor)), ("addr", Raw::Bytes(&address))]),
        5 | 6 => {
            if random.one_in(3) {
                marks = Marks(Marks::TRUNCATED).cut_arg(1);
            }
            // Some of it is said to the log.
            let is_told = path.is_empty();
            packet = [&[9, 0, 0, 0, 0, 0, 0, 0][..], b"unix ->/dev/log"].concat();
            let outcome = if address[7].is_multiple_of(2) { "Failed" } else { "Accepted" };
            line = format!(
                "<38>sshd[{}]: {outcome} password for alice from 10.1.2.{} port 22 ssh2",
                it.pid, address[7]
            );
            let (descriptor, text) = match is_told {
                true => (&packet, line.as_bytes()),
                false => (&descriptor, text),
            };
            (
                "write",
                vec![
                    ("fd", Raw::Bytes(descriptor)),
                    ("buf", Raw::Bytes(text)),
                    ("count", number(text.len() as u64)),
                ],
            )
        }
        7 => ("close", vec![("fd", Raw::Bytes(&descriptor))]),
        8 => ("ptrace", vec![("request", number(0)), ("pid", number(0))]),
        9 => {
            packet = match random.below(5) {
                0 => question(random),
                1 => request(random),
                2 => answer(random),
                _ => {
                    let which = random.below(connections.len() as u64) as usize;
                    connections[which].packet(random)
                }
            };
            let length = packet.len() as u64;
            (
                "net_packet",
                vec![("data", Raw::Bytes(&packet)), ("length", number(length)), ("direction", number(0))],
            )
        }
        10 => {
            let entry = [&[9, 0, 0, 0, 0, 0, 0, 0][..], &[0; 8], &[24, 0, 8], b"note\0"].concat();
            packet = entry;
            ("getdents64", vec![("fd", Raw::Bytes(&descriptor)), ("dirp", Raw::Bytes(&packet))])
        }
        // For reading, for writing, for both.
        11 => ("security_file_open", vec![("pathname", Raw::Bytes(path)), ("flags", number(at % 3))]),
        12 => ("setsid", vec![]),
        13 => ("setpgid", vec![("pid", number(0)), ("pgid", number(*random.of(&[0, 1, 20])))]),
        14 => {
            let caller = *random.of(&["chdir", "setns"]);
            (
                "set_fs_pwd",
                vec![("resolved_path", Raw::Bytes(path)), ("syscall", Raw::Bytes(caller.as_bytes()))],
            )
        }
        15 => {
            terminal = [&[0; 8][..], *random.of(&[b"/dev/pts/0", b"/dev/pts/7"])].concat();
            // Its own, given up, looked at; and one that has nothing to do with terminals.
            let request = *random.of(&[0x540e, 0x540e, 0x5422, 0x540f, 0x5451]);
            ("ioctl", vec![("fd", Raw::Bytes(&terminal)), ("request", number(request))])
        }
        16 => {
            terminal = [&[0; 8][..], b"/proc/20/loginuid"].concat();
            ("write", vec![("fd", Raw::Bytes(&terminal)), ("buf", Raw::Bytes(b"500")), ("count", number(3))])
        }
        17 => ("setuid", vec![("uid", number(random.below(3) * 500))]),
        _ => {
            let flags = *random.of(&[0, 0x241, 0x8_0000]);
            let at = ("dirfd", number(-100i64 as u64));
            (
                "openat",
                vec![at, ("pathname", Raw::Bytes(path)), ("flags", number(flags)), ("mode", number(0o644))],
            )
        }
    };
    // What is no call takes no time.
    let is_call = events::catalogue::by_name(name).is_some_and(events::Event::is_syscall);
    made.duration_ns = made.duration_ns.filter(|_| is_call);
    let ret = if failed { -(random.below(14) as i64) } else { random.below(9) as i64 };
    made.push(&Event { at, name, context, ret, scopes: 1, marks, args: &args });
    if at.is_multiple_of(7) {
        artifact(made, at, name, context.pid, context.tid);
    }
}

/// Bytes that were kept of an event, or were not; some are those of another.
fn artifact(made: &mut Made, at: u64, name: &str, pid: u32, tid: u32) {
    let bytes = format!("password=hunter2 of {}\n", at % 5).repeat(1 + (at % 3) as usize * 1000).into_bytes();
    let is_left_out = at.is_multiple_of(4);
    let size = bytes.len() as u64;
    let artifact = Artifact {
        kind: Artifact::KINDS[(at % 5) as usize].into(),
        time_ns: BOOT + at,
        event: events::catalogue::by_name(name).map(|event| event.id),
        pid,
        tid,
        path: PATHS[(at % 5) as usize].to_vec(),
        sha256: (!is_left_out).then(|| format::sha256(&bytes)),
        size: size + at % 2,
        kept: if is_left_out { 0 } else { size },
        left_out: if is_left_out { format::artifact::reasons::GONE.into() } else { String::new() },
        count: 1,
        ..Artifact::default()
    };
    made.sides.push(Side::Artifacts(vec![artifact]));
    if !is_left_out {
        made.contents.push(bytes);
    }
}

/// When init, which adopts, began.
fn live_start() -> u64 {
    BOOT - 10_000_000_000 + 10_000_000
}

/// A question to a name server, in UDP and IPv4.
fn question(random: &mut Random) -> Vec<u8> {
    const NAMES: [&[u8]; 2] = [b"\x07example\x03org\0", b"\x02db\x08internal\0"];
    let name = *random.of(&NAMES);
    let dns = [&[0x12, 0x34, 1, 0, 0, 1, 0, 0, 0, 0, 0, 0][..], name, &[0, 1, 0, 1]].concat();
    let udp = [&[0x9c, 0x40, 0, 53][..], &(dns.len() as u16 + 8).to_be_bytes(), &[0, 0], &dns].concat();
    ipv4(17, &udp)
}

/// What a name server answers: addresses that connections are to.
fn answer(random: &mut Random) -> Vec<u8> {
    const NAMES: [(&[u8], [u8; 4]); 3] = [
        (b"\x07example\x03org\0", [10, 1, 2, 1]),
        (b"\x07example\x03org\0", [10, 1, 2, 2]),
        (b"\x02db\x08internal\0", [10, 0, 0, 2]),
    ];
    let (name, address) = *random.of(&NAMES);
    let head = [0x12, 0x34, 0x81, 0x80, 0, 1, 0, 1, 0, 0, 0, 0];
    let record = [0xc0, 0x0c, 0, 1, 0, 1, 0, 0, 0, 60, 0, 4];
    let dns = [&head[..], name, &[0, 1, 0, 1], &record, &address].concat();
    let udp = [&[0, 53, 0x9c, 0x40][..], &(dns.len() as u16 + 8).to_be_bytes(), &[0, 0], &dns].concat();
    ipv4(17, &udp)
}

/// One direction of a TCP connection, whose messages come in pieces, some of them twice or late.
struct Connection {
    port: u16,
    to: u16,
    sequence: u32,
    /// What was not sent yet.
    rest: Vec<u8>,
    /// Sent out of order, and what came last.
    waiting: Option<Vec<u8>>,
    last: Option<Vec<u8>>,
}

impl Connection {
    fn new(number: u16, random: &mut Random) -> Connection {
        let to = *random.of(&[80, 53]);
        let sequence = random.next() as u32;
        Connection { port: 5000 + number, to, sequence, rest: Vec::new(), waiting: None, last: None }
    }

    fn packet(&mut self, random: &mut Random) -> Vec<u8> {
        if let Some(waiting) = self.waiting.take() {
            return waiting;
        }
        if let Some(last) = self.last.as_ref().filter(|_| random.one_in(8)) {
            return last.clone();
        }
        let packet = self.piece(random);
        if random.one_in(8) {
            self.waiting = Some(packet);
            return self.piece(random);
        }
        self.last = Some(packet.clone());
        packet
    }

    fn piece(&mut self, random: &mut Random) -> Vec<u8> {
        if self.rest.is_empty() {
            self.rest = self.message(random);
        }
        let length = (1 + random.below(60) as usize).min(self.rest.len());
        let piece: Vec<u8> = self.rest.drain(..length).collect();
        let packet = synthetic::tcp_packet(self.port, self.to, self.sequence, 16, &piece);
        self.sequence = self.sequence.wrapping_add(length as u32);
        packet
    }

    fn message(&self, random: &mut Random) -> Vec<u8> {
        if self.to == 53 {
            let dns =
                b"\x12\x34\x01\x00\x00\x01\x00\x00\x00\x00\x00\x00\x07example\x03org\x00\x00\x01\x00\x01";
            return [&(dns.len() as u16).to_be_bytes()[..], dns].concat();
        }
        let body = random.below(80) as usize;
        let head = format!("POST /a{} HTTP/1.1\r\nContent-Length: {body}\r\n\r\n", random.below(9));
        [head.as_bytes(), &vec![b'x'; body]].concat()
    }
}

/// The head of an HTTP request, in TCP and IPv4.
fn request(random: &mut Random) -> Vec<u8> {
    const PAYLOADS: [&[u8]; 2] = [b"GET /a HTTP/1.1\r\nHost: example.org\r\n\r\n", b"no head at all"];
    let http = *random.of(&PAYLOADS);
    let tcp =
        [&[0x9c, 0x40, 0x1f, 0x90, 0, 0, 0, 7, 0, 0, 0, 9, 0x50, 0x18, 4, 0, 0, 0, 0, 0][..], http].concat();
    ipv4(6, &tcp)
}

fn ipv4(protocol: u8, payload: &[u8]) -> Vec<u8> {
    let length = (payload.len() as u16 + 20).to_be_bytes();
    let head = [0x45, 0, length[0], length[1], 0, 0, 0, 0, 64, protocol, 0, 0, 10, 1, 2, 3, 8, 8, 8, 8];
    [&head[..], payload].concat()
}
