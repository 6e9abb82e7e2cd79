//! Captures made by the writer itself, for tests and benchmarks that need to know every row.
#![allow(dead_code)] // each test uses its part

use std::path::Path;

use events::{Context, EventId, Marks, Raw, catalogue};
use format::{
    BlockBuilder, Cgroup, Clock, Container, Encoder, Header, Host, Options, Process, Recording, Row, Side,
    Writer, current_schema,
};

/// Boot and wall clock at the start of the recording, ns.
pub const BOOT: u64 = 5_000_000_000_000;
pub const WALL: u64 = 1_668_542_955_041_923_000;

pub fn clock() -> Clock {
    Clock { monotonic_ns: BOOT, boot_ns: BOOT, wall_ns: WALL }
}

pub fn header() -> Header {
    Header {
        program: "tracer 0.1.0".into(),
        host: Host {
            hostname: "hb".into(),
            kernel_release: "6.18.5".into(),
            kernel_version: "#1 SMP".into(),
            arch: "x86_64".into(),
            boot_id: "b0".into(),
            os: "Debian GNU/Linux 12".into(),
            cpus: 2,
            clock_ticks: 100,
        },
        clock: clock(),
        schema: current_schema(),
        recording: Recording { start_ns: BOOT, ..Recording::default() },
        ..Header::default()
    }
}

/// A capture under construction: rows, and side records before them.
pub struct Made {
    pub header: Header,
    pub sides: Vec<Side>,
    /// Bytes of artifacts.
    pub contents: Vec<Vec<u8>>,
    builder: BlockBuilder,
    encoder: Encoder,
    blocks: Vec<format::EncodedBlock>,
    /// Rows of a block, at most.
    pub rows_per_block: usize,
    /// Of the blocks that begin from now on.
    pub clock: Clock,
    /// How long the calls of the rows that come took, ns.
    pub duration_ns: Option<u64>,
}

/// One row, by the names that people use.
#[derive(Clone)]
pub struct Event<'a> {
    /// ns after the start of the recording.
    pub at: u64,
    pub name: &'a str,
    pub context: Context<'a>,
    pub ret: i64,
    pub scopes: u64,
    pub marks: Marks,
    pub args: &'a [(&'a str, Raw<'a>)],
}

impl Default for Made {
    fn default() -> Made {
        Made::new()
    }
}

impl Made {
    pub fn new() -> Made {
        Made {
            header: header(),
            sides: Vec::new(),
            contents: Vec::new(),
            builder: BlockBuilder::new(),
            encoder: Encoder::new(Options::default()),
            blocks: Vec::new(),
            rows_per_block: 16_384,
            clock: clock(),
            duration_ns: None,
        }
    }

    pub fn push(&mut self, event: &Event<'_>) {
        let declared = catalogue::by_name(event.name).expect("an event of the catalogue");
        let mut args = vec![Raw::Missing; declared.args.len()];
        for (name, value) in event.args {
            let (position, _) = declared.arg(name).expect("an argument of the event");
            args[position] = *value;
        }
        let cpu = (event.at / 1_000_000 % 2) as u16;
        self.row(
            BOOT + event.at,
            declared.id,
            &event.context,
            event.ret,
            cpu,
            event.scopes,
            event.marks,
            &args,
        );
    }

    #[expect(clippy::too_many_arguments)] // a row has as many fields
    pub fn row(
        &mut self,
        time_ns: u64,
        event: EventId,
        context: &Context<'_>,
        ret: i64,
        cpu: u16,
        scopes: u64,
        marks: Marks,
        args: &[Raw<'_>],
    ) {
        if self.builder.is_empty() {
            self.builder.set_clock(self.clock);
        }
        let context = self.builder.intern(context);
        let duration_ns = self.duration_ns;
        let row = Row { time_ns, event, cpu, context, ret, scopes, marks, duration_ns, args };
        self.builder.push(&row).expect("a block with room");
        if self.builder.len() >= self.rows_per_block || self.builder.is_full() {
            self.end_block();
        }
    }

    /// Ends a block early.
    pub fn end_block(&mut self) {
        if !self.builder.is_empty() {
            self.blocks.push(self.encoder.encode(&mut self.builder).expect("a block"));
        }
    }

    /// Puts the blocks into another order; `below` gives a number below another.
    pub fn shuffle(&mut self, mut below: impl FnMut(usize) -> usize) {
        self.end_block();
        for at in (1..self.blocks.len()).rev() {
            self.blocks.swap(at, below(at + 1));
        }
    }

    pub fn bytes(mut self) -> Vec<u8> {
        self.end_block();
        let mut writer = Writer::create(Vec::new(), &self.header).expect("a header");
        for side in &self.sides {
            writer.side(side).expect("a side record");
        }
        for bytes in &self.contents {
            let content = format::Content::new(bytes, format::Compression::Fast).expect("few bytes");
            writer.content(&content).expect("bytes of an artifact");
        }
        for block in &self.blocks {
            writer.block(block).expect("a block");
        }
        writer.finish().expect("a footer").0
    }

    pub fn save(self, path: &Path) {
        std::fs::write(path, self.bytes()).expect("a writable directory");
    }
}

/// A process on the host, started `pid` ms after the recording began.
pub fn process<'a>(pid: u32, ppid: u32, uid: u32, comm: &'a str, exe: &'a str) -> Context<'a> {
    let start = |pid: u32| BOOT + u64::from(pid) * 1_000_000;
    Context {
        pid,
        tid: pid,
        ppid,
        ns_pid: pid,
        ns_tid: pid,
        ns_ppid: ppid,
        uid,
        gid: uid,
        mnt_ns: 4_026_531_841,
        pid_ns: 4_026_531_836,
        net_ns: 4_026_531_840,
        user_ns: 4_026_531_837,
        cgroup_id: 1,
        thread_start_ns: start(pid),
        process_start_ns: start(pid),
        parent_start_ns: start(ppid),
        comm: comm.as_bytes(),
        exe: exe.as_bytes(),
        uts: b"hb",
        ..Context::default()
    }
}

/// An IPv4 packet from one port of 10.0.0.1 to one of 10.0.0.2, without checksums.
pub fn tcp_packet(from: u16, to: u16, sequence: u32, flags: u8, payload: &[u8]) -> Vec<u8> {
    let length = (40 + payload.len()) as u16;
    let mut packet = vec![0x45, 0];
    packet.extend(length.to_be_bytes());
    packet.extend([0, 0, 0, 0, 64, 6, 0, 0, 10, 0, 0, 1, 10, 0, 0, 2]);
    packet.extend(from.to_be_bytes());
    packet.extend(to.to_be_bytes());
    packet.extend(sequence.to_be_bytes());
    packet.extend([0, 0, 0, 1, 5 << 4, flags, 4, 0, 0, 0, 0, 0]);
    packet.extend(payload);
    packet
}

/// The cgroup of a container.
pub const CONTAINER_CGROUP: u64 = 77;
pub const CONTAINER_ID: &str = "e9cf0db706352b26d08bc0c10cd1d7c31b5d28ac0b8ee7d5c0d1d4bd9a2b0ee1";

pub fn container() -> Side {
    Side::Cgroups(vec![Cgroup {
        id: CONTAINER_CGROUP,
        path: format!("/system.slice/docker-{CONTAINER_ID}.scope"),
        created_ns: Some(BOOT + 1),
        container: Some(Container {
            id: CONTAINER_ID.into(),
            runtime: "docker".into(),
            name: "pinger".into(),
            image: "alpine:3.20".into(),
            started_ns: Some(BOOT + 2),
            ..Container::default()
        }),
        ..Cgroup::default()
    }])
}

/// The processes that were there before.
pub fn snapshot(processes: &[Context<'_>]) -> Side {
    let process = |context: &Context<'_>| Process {
        pid: context.pid,
        ppid: context.ppid,
        ns_pid: context.ns_pid,
        start_ns: context.process_start_ns / 10_000_000 * 10_000_000,
        parent_start_ns: context.parent_start_ns / 10_000_000 * 10_000_000,
        uid: context.uid,
        gid: context.gid,
        cgroup_id: context.cgroup_id,
        mnt_ns: context.mnt_ns,
        pid_ns: context.pid_ns,
        comm: context.comm.to_vec(),
        exe: context.exe.to_vec(),
        ..Process::default()
    };
    Side::Processes(processes.iter().map(process).collect())
}

/// A busy host: `count` system calls of 64 processes, one of them `rare` and only once in `count` rows. About the mix of a
/// build: opens of 2,000 paths, reads and writes, closes, now and then an exec.
pub fn busy(count: usize, rows_per_block: usize) -> Made {
    let mut made = Made { rows_per_block, ..Made::new() };
    let names = ["cc1", "as", "ld", "make", "sh", "ls", "grep", "python3"];
    let processes: Vec<(String, String)> =
        (0..64).map(|n| (names[n % 8].to_owned(), format!("/usr/bin/{}", names[n % 8]))).collect();
    let paths: Vec<String> = (0..2000).map(|n| format!("/usr/include/c++/12/bits/header_{n}.h")).collect();
    let openat = catalogue::by_name("openat").expect("openat");
    let calls = ["read", "write", "close", "newfstatat", "mmap"]
        .map(|name| catalogue::by_name(name).expect("a call"));
    let mut seed = 0x9e37_79b9_7f4a_7c15u64;
    let mut next = || {
        seed ^= seed << 13;
        seed ^= seed >> 7;
        seed ^= seed << 17;
        seed
    };
    let mut time = BOOT;
    for row in 0..count {
        let random = next();
        time += 300 + random % 900;
        let number = (random >> 32) as usize % processes.len();
        let (comm, exe) = &processes[number];
        let mut context = process(1000 + number as u32, 1, (number % 3) as u32 * 500, comm, exe);
        if row == count / 2 {
            context.comm = b"rare";
        }
        let cpu = (random >> 40) as u16 % 2;
        if random >> 61 == 0 {
            let path = paths[(random >> 20) as usize % paths.len()].as_bytes();
            let failed = random >> 50 & 7 == 0;
            let ret = if failed { -2 } else { 3 + (random >> 56) as i64 % 8 };
            let args = [Raw::Number(-100i64 as u64), Raw::Bytes(path), Raw::Number(0x8_0000), Raw::Number(0)];
            made.row(time, openat.id, &context, ret, cpu, 1, Marks(0), &args);
        } else {
            let call = calls[(random >> 24) as usize % calls.len()];
            let args = [
                Raw::Number(3 + random % 8),
                Raw::Number(0x7ffd_0000 + random % 4096),
                Raw::Number(random % 4096),
            ];
            let kept = call.args.len().min(1);
            made.row(time, call.id, &context, (random % 4096) as i64, cpu, 1, Marks(0), &args[..kept]);
        }
    }
    made
}
