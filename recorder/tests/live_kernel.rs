//! Loads the programs into the running kernel and looks at what they record. Skipped, by name, where that cannot be.
#![allow(clippy::print_stdout)]

use std::{collections::HashMap, process::Command, sync::Mutex, time::Duration};

use events::{Context, Marks, Raw, catalogue};
use recorder::kernel::{Kernel, KernelOptions, Loss, Record, Records, Transport};

/// The programs see the whole machine: one recording at a time.
static ONE_AT_A_TIME: Mutex<()> = Mutex::new(());

#[derive(Debug)]
struct Seen {
    name: &'static str,
    pid: u32,
    comm: String,
    exe: String,
    time_ns: u64,
    ret: i64,
    marks: Marks,
    args: Vec<(&'static str, Option<Vec<u8>>, u64)>,
}

#[derive(Default)]
struct Log {
    tasks: HashMap<u32, (u32, String, String)>,
    /// Only these; all when empty.
    comms: Vec<&'static str>,
    seen: Vec<Seen>,
    lost: HashMap<&'static str, u64>,
    last_ns: u64,
    out_of_order: u64,
}

impl Records for Log {
    fn context(&mut self, id: u32, context: &Context<'_>) {
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        self.tasks.insert(id, (context.pid, text(context.comm), text(context.exe)));
    }

    fn record(&mut self, record: &Record<'_>) {
        if record.time_ns < self.last_ns && !record.marks.has(Marks::LATE) {
            self.out_of_order += 1;
        }
        self.last_ns = self.last_ns.max(record.time_ns);
        let event = catalogue::by_id(record.event).expect("an event of the catalogue");
        let (pid, comm, exe) = self.tasks.get(&record.context).cloned().expect("the context was announced");
        if !self.comms.is_empty() && !self.comms.contains(&comm.as_str()) {
            return;
        }
        let args = event.args.iter().zip(record.args).map(|(arg, raw)| match raw {
            Raw::Missing => (arg.name, None, 0),
            Raw::Number(number) => (arg.name, None, *number),
            Raw::Bytes(bytes) => (arg.name, Some(bytes.to_vec()), 0),
        });
        self.seen.push(Seen {
            name: event.name,
            pid,
            comm,
            exe,
            time_ns: record.time_ns,
            ret: record.ret,
            marks: record.marks,
            args: args.collect(),
        });
    }

    fn lost(&mut self, loss: &Loss) {
        let name = loss.event.and_then(catalogue::by_id).map_or("?", |event| event.name);
        *self.lost.entry(name).or_default() += loss.count;
    }
}

impl Seen {
    fn bytes(&self, arg: &str) -> Option<&[u8]> {
        self.args.iter().find(|(name, ..)| *name == arg).and_then(|(_, bytes, _)| bytes.as_deref())
    }
}

/// Records while `work` runs. `None` where this host cannot: then says so.
fn recorded(test: &str, options: &KernelOptions, comms: &[&'static str], work: impl FnOnce()) -> Option<Log> {
    if !rustix::process::geteuid().is_root() {
        println!("skipped: {test}: not root");
        return None;
    }
    if !std::path::Path::new("/sys/kernel/btf/vmlinux").exists() {
        println!("skipped: {test}: the kernel has no BTF");
        return None;
    }
    let _guard = ONE_AT_A_TIME.lock().unwrap_or_else(|poisoned| poisoned.into_inner());
    let mut kernel = Kernel::load(options).unwrap_or_else(|error| panic!("{error}"));
    let mut log = Log { comms: comms.to_vec(), ..Log::default() };
    let done = std::sync::atomic::AtomicBool::new(false);
    std::thread::scope(|scope| {
        let draining = scope.spawn(|| {
            while !done.load(std::sync::atomic::Ordering::Relaxed) {
                kernel.wait(Duration::from_millis(5)).expect("waiting");
                kernel.drain(&mut log).expect("draining");
            }
            kernel.finish(&mut log).expect("finishing");
            log
        });
        work();
        done.store(true, std::sync::atomic::Ordering::Relaxed);
        Some(draining.join().expect("the draining thread"))
    })
}

fn run(program: &str, args: &[&str]) -> u32 {
    let mut child = Command::new(program)
        .args(args)
        .stdout(std::process::Stdio::null())
        .stderr(std::process::Stdio::null())
        .spawn()
        .expect("the program starts");
    let pid = child.id();
    child.wait().expect("the program ends");
    pid
}

#[test]
fn a_program_is_seen_from_its_birth_to_its_end() {
    let mut pid = 0;
    let work = || pid = run("/bin/cat", &["/etc/hostname", "/nonexistent"]);
    let name = "a_program_is_seen_from_its_birth_to_its_end";
    let Some(log) = recorded(name, &KernelOptions::default(), &[], work) else { return };
    let own: Vec<&Seen> = log.seen.iter().filter(|seen| seen.pid == pid).collect();
    let one = |name: &str| {
        let mut all = own.iter().filter(|seen| seen.name == name);
        let first = all.next().unwrap_or_else(|| panic!("no {name} of {pid}"));
        assert!(all.next().is_none(), "more than one {name}");
        first
    };
    let execve =
        own.iter().find(|seen| seen.name == "execve" && seen.ret == 0).expect("an execve that succeeded");
    assert_eq!(execve.bytes("pathname"), Some(&b"/bin/cat"[..]));
    assert_eq!(execve.bytes("argv"), Some(&b"/bin/cat\0/etc/hostname\0/nonexistent\0"[..]));
    assert_eq!((execve.comm.as_str(), execve.marks), ("cat", Marks(0)));
    let exec = one("sched_process_exec");
    assert_eq!(exec.bytes("cmdpath"), Some(&b"/bin/cat"[..]));
    assert_eq!(exec.bytes("pathname"), Some(exec.exe.as_bytes()));
    let missing = own
        .iter()
        .find(|seen| seen.name == "openat" && seen.bytes("pathname") == Some(b"/nonexistent"))
        .expect("the open that failed");
    assert_eq!(missing.ret, -2);
    let opened = own
        .iter()
        .find(|seen| {
            seen.name == "security_file_open" && seen.bytes("syscall_pathname") == Some(b"/etc/hostname")
        })
        .expect("what the open opened");
    assert_eq!(opened.bytes("pathname"), Some(&b"/etc/hostname"[..]));
    let (leaving, exit) = (one("exit_group"), one("sched_process_exit"));
    assert!(leaving.marks.has(Marks::AT_ENTRY) && leaving.time_ns <= exit.time_ns);
    assert_eq!(exit.args.iter().find(|(name, ..)| *name == "exit_code").map(|(.., code)| *code), Some(1));
    assert_eq!(log.out_of_order, 0);
}

fn dd_adds_up(name: &str, transport: Transport, as_built: bool) {
    const COUNT: u64 = 1_000_000;
    let calls: Vec<_> =
        ["read", "write"].iter().filter_map(|name| catalogue::by_name(name)).map(|e| e.id).collect();
    let options = KernelOptions { events: Some(calls), transport, as_built, ..KernelOptions::default() };
    let work = || {
        run("/bin/dd", &["if=/dev/zero", "of=/dev/null", "bs=1", "count=1000000"]);
    };
    let Some(log) = recorded(name, &options, &["dd"], work) else { return };
    for call in ["read", "write"] {
        let recorded = log.seen.iter().filter(|seen| seen.name == call).count() as u64;
        let lost = log.lost.get(call).copied().unwrap_or(0);
        // A few more: what dd and its loader read besides, and others' among the lost.
        assert!(recorded + lost >= COUNT, "{call}: {recorded} recorded and {lost} lost");
        assert!(recorded <= COUNT + 100, "{call}: {recorded} recorded");
        assert!(lost > 0 || recorded >= COUNT, "{call}: {recorded} recorded, none lost");
    }
}

#[test]
fn what_is_recorded_and_what_is_lost_make_up_what_ran() {
    dd_adds_up("what_is_recorded_and_what_is_lost_make_up_what_ran", Transport::Region, false);
}

#[test]
fn the_programs_record_as_they_were_built_too() {
    dd_adds_up("the_programs_record_as_they_were_built_too", Transport::Region, true);
}

#[test]
fn the_ring_buffer_accounts_for_losses_too() {
    dd_adds_up("the_ring_buffer_accounts_for_losses_too", Transport::Ringbuf, false);
}

#[test]
fn excluded_processes_leave_no_record() {
    // The recorder's own process is always excluded: it makes calls all the time, and none of them is there.
    let own = std::process::id();
    let name = "excluded_processes_leave_no_record";
    let work = || std::thread::sleep(Duration::from_millis(200));
    let Some(log) = recorded(name, &KernelOptions::default(), &[], work) else { return };
    assert_eq!(log.seen.iter().find(|seen| seen.pid == own).map(|seen| seen.name), None);
}
