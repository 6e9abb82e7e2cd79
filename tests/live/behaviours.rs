//! Behaviours, done for real: filters see each as its event, and rules find it.

use std::collections::BTreeSet;
use std::fs::{self, File, OpenOptions};
use std::io::{self, Write as _};
use std::net::{TcpListener, TcpStream};
use std::os::fd::{AsRawFd as _, FromRawFd as _};
use std::path::Path;
use std::process::Command;

use libtest_mimic::Failed;

use crate::Test;
use crate::acts::{c_string, check, name_self, wait_for};
use crate::host::{act, count, ensure, path, record, scratch, tracer_ok};

pub const TESTS: &[Test] = &[("behaviours_are_events_of_filters_and_findings_of_rules", found)];

/// What is done here, as rules and as filters call it.
const DONE: &[(&str, &str)] = &[
    ("TRC-101", "stdio_over_socket"),
    ("TRC-102", "anti_debugging"),
    ("TRC-103", "ptrace_code_injection"),
    ("TRC-104", "dynamic_code_loading"),
    ("TRC-105", "fileless_execution"),
    ("TRC-107", "ld_preload"),
    ("TRC-109", "aslr_inspection"),
    ("TRC-1012", "default_loader_mod"),
    ("TRC-1015", "hidden_file_created"),
    ("TRC-1016", "illegitimate_shell"),
    ("TRC-1018", "k8s_cert_theft"),
    ("TRC-1023", "proc_mem_access"),
    ("TRC-1024", "proc_mem_code_injection"),
    ("TRC-1025", "process_vm_write_inject"),
    ("TRC-1026", "rcd_modification"),
    ("TRC-1027", "scheduled_task_mod"),
    ("TRC-1028", "sudoers_modification"),
];
/// And what no filter has a name for.
const RULES: &[&str] = &["reverse_shell", "shell_on_socket", "log_tampering", "credentials_read"];

fn found() -> Result<(), Failed> {
    let dir = scratch()?;
    let program = act("misbehave", path(dir.path())?)?;
    let program: Vec<&str> = program.iter().map(String::as_str).collect();
    let file = record(dir.path(), &[], &program)?;
    let found = tracer_ok(&["scan", path(&file)?, "-o", "json", "--all"])?;
    let mut rules = BTreeSet::new();
    for line in found.lines() {
        let finding: serde_json::Value = serde_json::from_str(line)?;
        rules.extend(finding["rule"]["id"].as_str().map(str::to_owned));
    }
    let mut wrong = Vec::new();
    // A stand-in of `mem_prot_alert` does not know what the protection was, and one of `magic_write` is recorded only when it
    // is named.
    let available = tracer_ok(&["events", "--available"])?;
    let is_stood_in = |event: &str| {
        let line = available.lines().find(|line| line.split(' ').next() == Some(event));
        line.is_some_and(|line| line.contains("(stand-in"))
    };
    let needs = |event: &str| match event {
        "dynamic_code_loading" => Some("mem_prot_alert"),
        "hidden_file_created" => Some("magic_write"),
        _ => None,
    };
    for (rule, event) in DONE.iter().filter(|(_, event)| !needs(event).is_some_and(is_stood_in)) {
        let seen = count(&file, &["-f", &format!("event={event}")])?;
        if seen == 0 || !rules.contains(*rule) {
            wrong.push(format!("{event}: filters see {seen}, rules find it: {}", rules.contains(*rule)));
        }
    }
    wrong.extend(RULES.iter().filter(|rule| !rules.contains(**rule)).map(|rule| format!("no {rule}")));
    ensure(wrong.is_empty(), || wrong.join("\n"))
}

/// Does what the rules are about, where it harms nobody: with files of its own in the place of the host's.
pub fn misbehave(folder: &str) -> io::Result<()> {
    let folder = Path::new(folder);
    type Deed = fn(&Path) -> io::Result<()>;
    let deeds: [(&str, Deed); 8] = [
        ("files", files),
        ("tracing", tracing),
        ("memory", memory),
        ("memory of processes", memory_of_processes),
        ("programs", programs),
        ("web server", web_server),
        ("sockets", sockets),
        ("logs", logs),
    ];
    // What is mounted from here on is seen by nobody else.
    let root = c_string("/")?;
    // SAFETY: strings with their NUL.
    unsafe {
        check(libc::unshare(libc::CLONE_NEWNS).into())?;
        check(
            libc::mount(
                std::ptr::null(),
                root.as_ptr(),
                std::ptr::null(),
                libc::MS_REC | libc::MS_PRIVATE,
                std::ptr::null(),
            )
            .into(),
        )?;
    }
    name_self("misbehave")?;
    for (name, deed) in deeds {
        if let Err(error) = deed(folder) {
            eprintln!("{name}: {error}");
        }
    }
    Ok(())
}

/// An empty folder in the place of one of the host.
fn empty(folder: &str) -> io::Result<()> {
    let (target, kind) = (c_string(folder)?, c_string("tmpfs")?);
    // SAFETY: strings with their NUL.
    let mounted = unsafe { libc::mount(kind.as_ptr(), target.as_ptr(), kind.as_ptr(), 0, std::ptr::null()) };
    check(mounted.into()).map(drop)
}

/// In a child, which the other deeds are not to suffer from.
fn in_a_child(work: impl FnOnce() -> io::Result<()>) -> io::Result<()> {
    // SAFETY: this program has one thread.
    let child = check(unsafe { libc::fork() }.into())?;
    if child == 0 {
        let code = if work().is_ok() { 0 } else { 1 };
        // SAFETY: a plain number.
        unsafe { libc::_exit(code) };
    }
    wait_for(child)
}

fn files(folder: &Path) -> io::Result<()> {
    fs::read("/proc/sys/kernel/randomize_va_space")?;
    fs::write(folder.join(".hidden"), b"\x7fELF\x02\x01\x01")?;
    in_a_child(|| {
        // SAFETY: a plain number.
        check(unsafe { libc::unshare(libc::CLONE_NEWNS) }.into())?;
        empty("/etc")?;
        fs::create_dir_all("/etc/init.d")?;
        fs::create_dir_all("/etc/kubernetes/pki")?;
        for path in [
            "/etc/ld.so.preload",
            "/etc/init.d/x",
            "/etc/crontab",
            "/etc/sudoers",
            "/etc/kubernetes/pki/ca.key",
            "/etc/shadow",
        ] {
            fs::write(path, b"")?;
        }
        fs::read("/etc/kubernetes/pki/ca.key")?;
        fs::read("/etc/shadow")?;
        let library = fs::canonicalize("/lib64")?;
        empty(&library.to_string_lossy())?;
        fs::write(library.join("ld-linux-x.so.2"), b"")
    })
}

fn tracing(_: &Path) -> io::Result<()> {
    // SAFETY: this program has one thread; what is poked is a word of the child's own stack, which is a copy.
    unsafe {
        let word = 0usize;
        let child = check(libc::fork().into())?;
        if child == 0 {
            libc::ptrace(libc::PTRACE_TRACEME, 0, 0, 0);
            libc::raise(libc::SIGSTOP);
            libc::_exit(0);
        }
        let mut status = 0;
        check(libc::waitpid(child as i32, &raw mut status, 0).into())?;
        libc::ptrace(libc::PTRACE_POKEDATA, child as i32, &raw const word, 0);
        let local = libc::iovec { iov_base: (&raw const word).cast_mut().cast(), iov_len: 8 };
        libc::process_vm_writev(child as i32, &raw const local, 1, &raw const local, 1, 0);
        libc::ptrace(libc::PTRACE_CONT, child as i32, 0, 0);
        wait_for(child)
    }
}

fn memory(_: &Path) -> io::Result<()> {
    // SAFETY: pages of our own that nobody else knows.
    unsafe {
        let writable = libc::PROT_READ | libc::PROT_WRITE;
        let page =
            libc::mmap(std::ptr::null_mut(), 4096, writable, libc::MAP_PRIVATE | libc::MAP_ANONYMOUS, -1, 0);
        page.cast::<u8>().write(0xc3);
        check(libc::mprotect(page, 4096, libc::PROT_READ | libc::PROT_EXEC).into())?;
        check(libc::munmap(page, 4096).into()).map(drop)
    }
}

fn memory_of_processes(_: &Path) -> io::Result<()> {
    File::open("/proc/self/mem")?;
    OpenOptions::new().write(true).open("/proc/self/mem").map(drop)
}

fn programs(_: &Path) -> io::Result<()> {
    Command::new("true").env("LD_PRELOAD", "/none.so").status()?;
    let program = fs::read("/bin/true")?;
    let (name, empty) = (c_string("memory")?, c_string("")?);
    let argv = [name.as_ptr(), std::ptr::null()];
    let nothing = [std::ptr::null::<libc::c_char>()];
    in_a_child(|| {
        // SAFETY: strings with their NUL; the descriptor is ours alone.
        unsafe {
            let memory = check(libc::memfd_create(name.as_ptr(), 0).into())? as i32;
            let mut file = File::from_raw_fd(memory);
            file.write_all(&program)?;
            let (argv, envp) = (argv.as_ptr(), nothing.as_ptr());
            libc::syscall(libc::SYS_execveat, memory, empty.as_ptr(), argv, envp, libc::AT_EMPTY_PATH);
        }
        Err(io::Error::last_os_error())
    })
}

/// Becomes a shell, as a process that was called `nginx`.
fn web_server(_: &Path) -> io::Result<()> {
    in_a_child(|| {
        name_self("nginx")?;
        become_shell()
    })
}

fn become_shell() -> io::Result<()> {
    let words = [c_string("sh")?, c_string("-c")?, c_string("true")?];
    let path = c_string("/bin/sh")?;
    let argv = [words[0].as_ptr(), words[1].as_ptr(), words[2].as_ptr(), std::ptr::null()];
    // SAFETY: strings with their NUL.
    unsafe { libc::execv(path.as_ptr(), argv.as_ptr()) };
    Err(io::Error::last_os_error())
}

fn sockets(_: &Path) -> io::Result<()> {
    let listener = TcpListener::bind("127.0.0.1:0")?;
    in_a_child(|| {
        let stream = TcpStream::connect(listener.local_addr()?)?;
        for standard in 0..3 {
            // SAFETY: descriptors of our own.
            check(unsafe { libc::dup2(stream.as_raw_fd(), standard) }.into())?;
        }
        become_shell()
    })
}

fn logs(_: &Path) -> io::Result<()> {
    in_a_child(|| {
        // SAFETY: a plain number.
        check(unsafe { libc::unshare(libc::CLONE_NEWNS) }.into())?;
        empty("/var/log")?;
        fs::write("/var/log/auth.log", b"x")?;
        fs::remove_file("/var/log/auth.log")
    })
}
