//! Rows as three workloads make them: a loop of one-byte reads and writes, a walk over a tree of files, a storm of forks.
//! Times and addresses are noisy as on a real host, from a fixed seed.

use events::context::Credentials;
use events::dirents::{Dirent, TAG};
use events::{Context, EventId, Marks, Raw, catalogue};
use format::{BlockBuilder, Row};

/// A row that owns its arguments.
#[derive(Debug)]
pub struct Event {
    pub time_ns: u64,
    pub event: EventId,
    pub cpu: u16,
    pub task: u32,
    pub ret: i64,
    pub args: Vec<Value>,
}

#[derive(Debug)]
pub enum Value {
    Number(u64),
    Bytes(Vec<u8>),
    Missing,
}

#[derive(Debug)]
pub struct Workload {
    pub name: &'static str,
    pub events: Vec<Event>,
}

/// Fills a builder; `true` when it is full.
pub fn push(builder: &mut BlockBuilder, events: &[Event]) {
    let mut codes = std::collections::HashMap::new();
    let mut args = Vec::new();
    for event in events {
        let context = *codes.entry(event.task).or_insert_with(|| builder.intern(&context(event.task)));
        args.clear();
        args.extend(event.args.iter().map(|value| match value {
            Value::Number(n) => Raw::Number(*n),
            Value::Bytes(b) => Raw::Bytes(b),
            Value::Missing => Raw::Missing,
        }));
        let row = Row {
            time_ns: event.time_ns,
            event: event.event,
            cpu: event.cpu,
            context,
            ret: event.ret,
            scopes: 1,
            marks: Marks(0),
            duration_ns: None,
            args: &args,
        };
        builder.push(&row).expect("rows fit");
    }
}

/// Even tasks are the shell's children before exec, odd ones after it.
fn context(task: u32) -> Context<'static> {
    let pid = 4000 + task / 2;
    let start = 900_000_000_000 + u64::from(task / 2) * 911_318 + u64::from(task / 2 * 7919 % 65_536);
    Context {
        pid,
        tid: pid,
        ppid: 3999,
        ns_pid: pid,
        ns_tid: pid,
        ns_ppid: 3999,
        uid: 0,
        gid: 0,
        mnt_ns: 0xf000_0000,
        pid_ns: 0xeffffffc,
        net_ns: 0xf0000098,
        user_ns: 0xeffffffd,
        cgroup_id: 5512,
        thread_start_ns: start,
        process_start_ns: start,
        parent_start_ns: 880_000_000_000,
        comm: if task.is_multiple_of(2) { b"bash" } else { b"true" },
        exe: if task.is_multiple_of(2) { b"/usr/bin/bash" } else { b"/usr/bin/true" },
        uts: b"host",
        credentials: Some(Credentials { effective: 0x1ff_ffff_ffff, ..Credentials::default() }),
        ..Context::default()
    }
}

struct Maker {
    seed: u64,
    now: u64,
    events: Vec<Event>,
}

impl Maker {
    fn new() -> Maker {
        Maker { seed: 0x1234_5678_9abc_def1, now: 1_000_000_000_000, events: Vec::new() }
    }

    fn random(&mut self) -> u64 {
        self.seed ^= self.seed << 13;
        self.seed ^= self.seed >> 7;
        self.seed ^= self.seed << 17;
        self.seed
    }

    /// About normal, with a tail of interrupts and switches.
    fn noisy(&mut self, mean: u64) -> u64 {
        let spread = mean / 10 + 1;
        let sum: u64 = (0..4).map(|_| self.random() % spread).sum();
        let tail = match self.random() % 1000 {
            0 => 20_000 + self.random() % 50_000,
            1..=9 => self.random() % 2000,
            _ => 0,
        };
        mean - spread + sum + tail
    }

    fn event(&mut self, task: u32, name: &str, cost_ns: u64, ret: i64, args: Vec<Value>) {
        self.now += self.noisy(cost_ns);
        let event = catalogue::by_name(name).unwrap_or_else(|| panic!("no event {name}")).id;
        self.events.push(Event { time_ns: self.now, event, cpu: (task / 2 % 2) as u16, task, ret, args });
    }
}

fn n(number: u64) -> Value {
    Value::Number(number)
}

fn b(bytes: impl AsRef<[u8]>) -> Value {
    Value::Bytes(bytes.as_ref().to_vec())
}

/// `dd if=/dev/zero of=/dev/null bs=1`.
pub fn dd(count: usize) -> Workload {
    let mut make = Maker::new();
    while make.events.len() < count {
        make.event(1, "read", 380, 1, vec![n(0), b([0]), n(1)]);
        make.event(1, "write", 340, 1, vec![n(1), b([0]), n(1)]);
    }
    Workload { name: "dd", events: make.events }
}

/// `find / -xdev -type f`, over the names of this machine's `/usr`; `contents` says whether what getdents64 and
/// newfstatat fill is recorded too.
pub fn find(count: usize, contents: bool) -> Workload {
    let mut make = Maker::new();
    let mut stack = vec![(std::path::PathBuf::from("/usr"), "usr".to_owned())];
    let mut line = Vec::new();
    while let Some((path, name)) = stack.pop() {
        if make.events.len() >= count {
            break;
        }
        let Ok(entries) = std::fs::read_dir(&path) else { continue };
        let (depth, mut dirents, mut entries_count) = (path.components().count() as u64, vec![TAG], 0);
        for entry in entries.flatten() {
            let name = entry.file_name().to_string_lossy().into_owned();
            entries_count += 1;
            if dirents.len() < 256 {
                use std::os::unix::fs::DirEntryExt;
                let entry = Dirent { inode: entry.ino(), kind: 8, name: name.as_bytes() };
                entry.store(|part| dirents.extend_from_slice(part));
            }
            if entry.file_type().is_ok_and(|t| t.is_dir()) {
                stack.push((entry.path(), name));
            } else {
                line.extend_from_slice(entry.path().to_string_lossy().as_bytes());
                line.push(b'\n');
            }
        }
        let stat = stat_of(&path);
        let fd = 3 + depth;
        let statbuf = |yes: bool| if yes { b(stat) } else { n(0x7ffd_1234_5670) };
        make.event(1, "newfstatat", 700, 0, vec![n(fd - 1), b(&name), statbuf(contents), n(0x100)]);
        make.event(1, "openat", 1500, fd as i64, vec![n(fd - 1), b(&name), n(0x2_b0900), n(0), n(0)]);
        make.event(1, "newfstatat", 500, 0, vec![n(fd), b(""), statbuf(contents), n(0x1000)]);
        make.event(1, "fcntl", 250, 0, vec![n(fd), n(3), b(0u64.to_le_bytes())]);
        let dirp = if contents { b(&dirents) } else { n(0x5500_1234_5670) };
        make.event(1, "getdents64", 2500, entries_count * 32, vec![n(fd), dirp, n(32768)]);
        let dirp = if contents { Value::Missing } else { n(0x5500_1234_5670) };
        make.event(1, "getdents64", 200, 0, vec![n(fd), dirp, n(32768)]);
        make.event(1, "close", 300, 0, vec![n(fd)]);
        if line.len() >= 4096 {
            make.event(1, "write", 1200, 4096, vec![n(1), b(&line[..256]), n(4096)]);
            line.drain(..4096);
        }
    }
    Workload { name: if contents { "find, contents too" } else { "find" }, events: make.events }
}

fn stat_of(path: &std::path::Path) -> [u8; 144] {
    use std::os::unix::fs::MetadataExt;
    let mut stat = [0; 144];
    let Ok(m) = path.symlink_metadata() else { return stat };
    let mut put = |at: usize, value: u64| stat[at..at + 8].copy_from_slice(&value.to_le_bytes());
    for (at, value) in [
        (0, m.dev()),
        (8, m.ino()),
        (16, m.nlink()),
        (24, u64::from(m.mode()) | u64::from(m.uid()) << 32),
        (32, u64::from(m.gid())),
        (40, m.rdev()),
        (48, m.size()),
        (56, m.blksize()),
        (64, m.blocks()),
        (72, m.atime() as u64),
        (80, m.atime_nsec() as u64),
        (88, m.mtime() as u64),
        (96, m.mtime_nsec() as u64),
        (104, m.ctime() as u64),
        (112, m.ctime_nsec() as u64),
    ] {
        put(at, value);
    }
    stat
}

/// Forks and execs of `/usr/bin/true` by a shell.
pub fn forks(count: usize) -> Workload {
    let mut make = Maker::new();
    let (stat, header) = (stat_of("/usr/bin/bash".as_ref()), [7u8; 256]);
    let mut process = 1;
    while make.events.len() < count {
        let (shell, child, run) = (0, process * 2, process * 2 + 1);
        let pid = i64::from(4000 + process);
        let libc = 0x7f00_0000_0000 | (make.random() & 0xff_ffff) << 12;
        let heap = 0x5500_0000_0000 | (make.random() & 0xff_ffff) << 12;
        let stack = 0x7ffc_0000_0000 | (make.random() & 0x3fff_ffff) << 4;
        let signals = |set: u64| vec![n(0), b(set.to_le_bytes()), b(0u64.to_le_bytes()), n(8)];
        make.event(shell, "rt_sigprocmask", 900, 0, signals(0x10000));
        make.event(shell, "sched_process_fork", 60_000, 0, vec![n(3999), n(3999), n(3999), n(pid as u64)]);
        make.event(shell, "clone", 3000, pid, vec![n(0x1200011), n(0), Value::Missing, n(libc), n(0)]);
        make.event(shell, "rt_sigprocmask", 800, 0, signals(0));
        for fd in 3..8 {
            make.event(child, "close", 400, if fd == 3 { 0 } else { -9 }, vec![n(fd)]);
        }
        for signal in 1..12 {
            make.event(child, "rt_sigaction", 250, 0, vec![n(signal), b([0; 32]), b([0; 32]), n(8)]);
        }
        let argv = b("/usr/bin/true\0");
        make.event(child, "sched_process_exec", 200_000, 0, vec![b("/usr/bin/true"), b("/usr/bin/true")]);
        make.event(
            run,
            "execve",
            3000,
            0,
            vec![b("/usr/bin/true"), argv, b("PATH=/usr/bin:/bin\0HOME=/root\0")],
        );
        make.event(run, "brk", 1500, heap as i64, vec![n(0)]);
        make.event(
            run,
            "mmap",
            1300,
            libc as i64 + 0x20_0000,
            vec![n(0), n(8192), n(3), n(34), n(-1i64 as u64), n(0)],
        );
        make.event(run, "access", 2200, -2, vec![b("/etc/ld.so.preload"), n(4)]);
        for (path, maps) in [("/etc/ld.so.cache", 1), ("/lib/x86_64-linux-gnu/libc.so.6", 5)] {
            make.event(run, "openat", 3100, 3, vec![n(-100i64 as u64), b(path), n(0x80000), n(0), n(0)]);
            if maps > 1 {
                make.event(run, "read", 900, 832, vec![n(3), b(header), n(832)]);
                for offset in [64, 848, 64] {
                    make.event(run, "pread64", 600, 784, vec![n(3), b(header), n(784), n(offset)]);
                }
            }
            make.event(run, "newfstatat", 500, 0, vec![n(3), b(""), b(stat), n(0x1000)]);
            for map in 0..maps {
                let at = libc + map * 0x2_6000;
                let args = vec![
                    n(if map == 0 { 0 } else { at }),
                    n(0x1d_0000 - map * 4096),
                    n(1),
                    n(2),
                    n(3),
                    n(map * 0x2_6000),
                ];
                make.event(run, "mmap", 1600, at as i64, args);
            }
            make.event(run, "close", 300, 0, vec![n(3)]);
        }
        make.event(run, "arch_prctl", 200, 0, vec![n(0x1002), n(libc + 0x1f_5740)]);
        make.event(run, "set_tid_address", 180, pid, vec![n(libc + 0x1f_5a10)]);
        make.event(run, "set_robust_list", 180, 0, vec![n(libc + 0x1f_5a20), n(24)]);
        make.event(run, "rseq", 190, 0, vec![n(libc + 0x1f_6060), n(32), n(0), n(0x5305_3053)]);
        for at in [libc + 0x1c_9000, heap - 0x10_0000, libc + 0x23_2000] {
            make.event(run, "mprotect", 1800, 0, vec![n(at), n(16384), n(1)]);
        }
        make.event(
            run,
            "prlimit64",
            300,
            0,
            vec![
                n(0),
                n(3),
                Value::Missing,
                b([0, 0, 128, 0, 0, 0, 0, 0, 255, 255, 255, 255, 255, 255, 255, 255]),
            ],
        );
        make.event(run, "munmap", 4000, 0, vec![n(libc + 0x20_4000), n(28_433)]);
        make.event(run, "exit_group", 9000, 0, vec![n(0)]);
        make.event(run, "sched_process_exit", 90_000, 0, vec![n(0), n(0), n(1)]);
        make.event(shell, "wait4", 40_000, pid, vec![n(-1i64 as u64), b([0; 4]), n(0), Value::Missing]);
        make.event(shell, "rt_sigaction", 300, 0, vec![n(2), b([0; 32]), b([0; 32]), n(8)]);
        make.event(shell, "wait4", 900, -10, vec![n(-1i64 as u64), Value::Missing, n(1), n(stack)]);
        process += 1;
    }
    Workload { name: "forks", events: make.events }
}
