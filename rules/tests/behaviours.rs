//! The rules that are part of the program: each fires on its trigger, is silent on a near miss, and is the same as an event of
//! filters where it has one.

#[path = "../../replay/tests/synthetic/mod.rs"]
mod synthetic;

use std::collections::BTreeMap;

use events::{Context, Marks, Raw};
use format::Capture;
use pipeline::{Matcher, Question, Source};
use rules::Rule;
use rules::scan::{Asking, Scan};
use scopes::{Plan, ScopeSet};
use synthetic::{Event, Made, process};

/// What of an argument is given.
#[derive(Clone, Copy)]
enum Given {
    Text(&'static str),
    /// A list of texts, each with its NUL.
    Bytes(&'static [u8]),
    Number(u64),
    /// A descriptor of this number.
    Fd(&'static [u8]),
}

use Given::{Bytes, Fd, Number, Text};

type Args = &'static [(&'static str, Given)];
/// An event, its arguments, and the program that did it.
type Row = (&'static str, &'static str, Args);

struct Case {
    rule: &'static str,
    in_container: bool,
    trigger: &'static [Row],
    near_miss: &'static [Row],
}

const WRITE: u64 = 1;
const READ: u64 = 0;
/// 10.0.0.9, port 4444 and port 0.
const PEER: &[u8] = &[2, 0, 0x11, 0x5c, 10, 0, 0, 9, 0, 0, 0, 0, 0, 0, 0, 0];
const NO_PORT: &[u8] = &[2, 0, 0, 0, 10, 0, 0, 9, 0, 0, 0, 0, 0, 0, 0, 0];
const POOL: &[u8] = &[2, 0, 0x0d, 0x05, 93, 184, 216, 34, 0, 0, 0, 0, 0, 0, 0, 0];
const OTHER_PORT: &[u8] = &[2, 0, 0x01, 0xbb, 93, 184, 216, 34, 0, 0, 0, 0, 0, 0, 0, 0];
const DOCKER: &[u8] = b"\x01\0/var/run/docker.sock";
const OTHER_SOCKET: &[u8] = b"\x01\0/run/other.sock";
const ZERO: Given = Fd(&[0, 0, 0, 0, 0, 0, 0, 0]);
const FIVE: Given = Fd(&[5, 0, 0, 0, 0, 0, 0, 0]);

macro_rules! open {
    ($path:literal, $flags:expr) => {
        ("security_file_open", "x", &[("pathname", Text($path)), ("flags", Number($flags))])
    };
    ($comm:literal, $path:literal, $flags:expr) => {
        ("security_file_open", $comm, &[("pathname", Text($path)), ("flags", Number($flags))])
    };
}

macro_rules! rename {
    ($old:literal, $new:literal) => {
        ("security_inode_rename", "x", &[("old_path", Text($old)), ("new_path", Text($new))])
    };
}

macro_rules! exec {
    ($path:literal, $argv:literal) => {
        ("sched_process_exec", "x", &[("pathname", Text($path)), ("argv", Bytes($argv))])
    };
}

const fn case(rule: &'static str, trigger: &'static [Row], near_miss: &'static [Row]) -> Case {
    Case { rule, in_container: false, trigger, near_miss }
}

const fn contained(rule: &'static str, trigger: &'static [Row], near_miss: &'static [Row]) -> Case {
    Case { rule, in_container: true, trigger, near_miss }
}

const CASES: &[Case] = &[
    case(
        "TRC-101",
        &[
            ("security_socket_connect", "x", &[("sockfd", ZERO), ("remote_addr", Bytes(PEER))]),
            ("socket_dup", "x", &[("oldfd", FIVE), ("newfd", ZERO), ("remote_addr", Bytes(PEER))]),
        ],
        &[
            ("security_socket_connect", "x", &[("sockfd", FIVE), ("remote_addr", Bytes(PEER))]),
            ("socket_dup", "x", &[("oldfd", FIVE), ("newfd", ZERO), ("remote_addr", Bytes(NO_PORT))]),
        ],
    ),
    case(
        "TRC-102",
        &[("ptrace", "x", &[("request", Number(0))])],
        &[("ptrace", "x", &[("request", Number(16))])],
    ),
    case(
        "TRC-103",
        &[("ptrace", "x", &[("request", Number(4))]), ("ptrace", "x", &[("request", Number(5))])],
        &[("ptrace", "x", &[("request", Number(1))])],
    ),
    case(
        "TRC-104",
        &[("mem_prot_alert", "x", &[("alert", Number(4))])],
        &[("mem_prot_alert", "x", &[("alert", Number(3))])],
    ),
    case(
        "TRC-105",
        &[exec!("memfd:x", b"x\0"), exec!("/dev/shm/x", b"x\0")],
        &[exec!("/usr/bin/memfd:x", b"x\0"), exec!("/dev/shmx", b"x\0")],
    ),
    case(
        "TRC-107",
        &[
            (
                "sched_process_exec",
                "x",
                &[("pathname", Text("/bin/x")), ("env", Bytes(b"A=b\0LD_PRELOAD=/x.so\0"))],
            ),
            open!("/etc/ld.so.preload", WRITE),
            rename!("/tmp/x", "/etc/ld.so.preload"),
        ],
        &[
            (
                "sched_process_exec",
                "x",
                &[("pathname", Text("/bin/x")), ("env", Bytes(b"XLD_PRELOAD=/x.so\0"))],
            ),
            open!("/etc/ld.so.preload", READ),
            rename!("/etc/ld.so.preload", "/tmp/x"),
        ],
    ),
    case(
        "TRC-109",
        &[open!("/proc/sys/kernel/randomize_va_space", READ)],
        &[open!("/proc/sys/kernel/randomize_va_space", WRITE)],
    ),
    case(
        "TRC-1012",
        &[
            open!("/usr/lib/x86_64-linux-gnu/ld-linux-x86-64.so.2", WRITE),
            open!("/lib64/ld-linux-x86-64.so.2", 2),
            rename!("/tmp/x", "/lib/ld-musl-x86_64.so.1"),
        ],
        &[open!("/lib64/ld-linux-x86-64.so.2", READ), open!("/usr/lib/libld.so", WRITE)],
    ),
    case(
        "TRC-1015",
        &[("magic_write", "x", &[("pathname", Text("/tmp/.x")), ("bytes", Bytes(b"\x7fELF\x02"))])],
        &[
            ("magic_write", "x", &[("pathname", Text("/tmp/x")), ("bytes", Bytes(b"\x7fELF\x02"))]),
            ("magic_write", "x", &[("pathname", Text("/tmp/.x")), ("bytes", Bytes(b"#!/bin/sh"))]),
        ],
    ),
    case(
        "TRC-1016",
        &[("sched_process_exec", "x", &[("pathname", Text("/bin/sh")), ("prev_comm", Text("nginx"))])],
        &[
            ("sched_process_exec", "x", &[("pathname", Text("/bin/sh")), ("prev_comm", Text("cron"))]),
            ("sched_process_exec", "x", &[("pathname", Text("/bin/ls")), ("prev_comm", Text("nginx"))]),
        ],
    ),
    case("TRC-1017", &[("module_load", "x", &[("name", Text("evil"))])], &[("module_free", "x", &[])]),
    case(
        "TRC-1018",
        &[open!("/etc/kubernetes/pki/ca.key", READ), rename!("/etc/kubernetes/pki/ca.key", "/tmp/x")],
        &[open!("etcd", "/etc/kubernetes/pki/ca.key", READ), open!("/etc/kubernetes/pkix", READ)],
    ),
    case(
        "TRC-1023",
        &[open!("/proc/4711/mem", READ), open!("/proc/self/mem", 2)],
        &[open!("/proc/meminfo", READ), open!("/proc/4711/maps", READ)],
    ),
    case("TRC-1024", &[open!("/proc/4711/mem", WRITE)], &[open!("/proc/4711/mem", READ)]),
    case(
        "TRC-1025",
        &[("process_vm_writev", "x", &[("pid", Number(7))])],
        &[("process_vm_readv", "x", &[("pid", Number(7))])],
    ),
    case(
        "TRC-1026",
        &[
            open!("/etc/init.d/x", WRITE),
            open!("/etc/rc3.d/S01x", WRITE),
            rename!("/tmp/x", "/etc/rc.local"),
            exec!("/usr/sbin/update-rc.d", b"update-rc.d\0"),
        ],
        &[open!("/etc/init.d/x", READ), rename!("/etc/rc.local", "/tmp/x"), open!("/etc/rc.localx", WRITE)],
    ),
    case(
        "TRC-1027",
        &[
            open!("/etc/crontab", WRITE),
            open!("/var/spool/cron/crontabs/root", 2),
            rename!("/tmp/x", "/etc/cron.d/x"),
            exec!("/usr/bin/crontab", b"crontab\0-e\0"),
        ],
        &[open!("/etc/crontab", READ), open!("/etc/cron.dx", WRITE), exec!("/usr/bin/cat", b"cat\0")],
    ),
    case(
        "TRC-1028",
        &[open!("/etc/sudoers", WRITE), open!("/etc/sudoers.d/x", 2), rename!("/tmp/x", "/etc/sudoers")],
        &[open!("/etc/sudoers", READ), open!("/etc/sudoersx", WRITE)],
    ),
    contained(
        "TRC-106",
        &[open!("/sys/fs/cgroup/rdma/x/notify_on_release", WRITE)],
        &[open!("/sys/fs/cgroup/rdma/x/notify_on_release", READ)],
    ),
    contained(
        "TRC-108",
        &[open!("/run/secrets/kubernetes.io/serviceaccount/..2026/token", READ)],
        &[open!("coredns", "/run/secrets/kubernetes.io/serviceaccount/token", READ)],
    ),
    contained(
        "TRC-1010",
        &[open!("/sys/fs/cgroup/rdma/release_agent", WRITE), rename!("/tmp/x", "/mnt/release_agent")],
        &[open!("/sys/fs/cgroup/rdma/release_agent", READ)],
    ),
    contained(
        "TRC-1011",
        &[open!("/proc/sys/kernel/core_pattern", WRITE)],
        &[open!("/proc/sys/kernel/core_pattern", READ)],
    ),
    contained(
        "TRC-1013",
        &[
            (
                "sched_process_exec",
                "x",
                &[("pathname", Text("/bin/x")), ("env", Bytes(b"KUBERNETES_SERVICE_HOST=10.0.0.9\0"))],
            ),
            ("security_socket_connect", "x", &[("sockfd", FIVE), ("remote_addr", Bytes(PEER))]),
        ],
        &[
            (
                "sched_process_exec",
                "x",
                &[("pathname", Text("/bin/x")), ("env", Bytes(b"KUBERNETES_SERVICE_HOST=10.0.0.9\0"))],
            ),
            ("security_socket_connect", "x", &[("sockfd", FIVE), ("remote_addr", Bytes(POOL))]),
        ],
    ),
    contained(
        "TRC-1014",
        &[("security_sb_mount", "x", &[("dev_name", Text("/dev/sda1")), ("path", Text("/mnt"))])],
        &[("security_sb_mount", "x", &[("dev_name", Text("tmpfs")), ("path", Text("/mnt"))])],
    ),
    contained(
        "TRC-1019",
        &[
            open!("/var/run/docker.sock", 2),
            ("security_socket_connect", "x", &[("sockfd", FIVE), ("remote_addr", Bytes(DOCKER))]),
        ],
        &[("security_socket_connect", "x", &[("sockfd", FIVE), ("remote_addr", Bytes(OTHER_SOCKET))])],
    ),
    contained("TRC-1021", &[open!("/proc/kcore", READ)], &[open!("/proc/kcore", WRITE)]),
    contained(
        "TRC-1022",
        &[("magic_write", "x", &[("pathname", Text("/tmp/x")), ("bytes", Bytes(b"\x7fELF\x02"))])],
        &[
            ("magic_write", "x", &[("pathname", Text("memfd:x")), ("bytes", Bytes(b"\x7fELF\x02"))]),
            ("magic_write", "x", &[("pathname", Text("/tmp/x")), ("bytes", Bytes(b"ELF"))]),
        ],
    ),
    contained("TRC-1029", &[open!("/proc/sched_debug", READ)], &[open!("/proc/schedstat", READ)]),
    contained("TRC-1031", &[open!("/proc/sysrq-trigger", WRITE)], &[open!("/proc/sys/kernel/sysrq", READ)]),
    case(
        "shell_on_socket",
        &[("sched_process_exec", "x", &[("pathname", Text("/bin/sh")), ("stdin_type", Number(0o140_777))])],
        &[
            ("sched_process_exec", "x", &[("pathname", Text("/bin/sh")), ("stdin_type", Number(0o020_620))]),
            ("sched_process_exec", "x", &[("pathname", Text("/bin/cat")), ("stdin_type", Number(0o140_777))]),
        ],
    ),
    case(
        "miner_pool",
        &[(
            "inet_sock_set_state",
            "x",
            &[("remote_addr", Bytes(POOL)), ("old_state", Number(2)), ("new_state", Number(1))],
        )],
        &[
            (
                "inet_sock_set_state",
                "x",
                &[("remote_addr", Bytes(OTHER_PORT)), ("old_state", Number(2)), ("new_state", Number(1))],
            ),
            (
                "inet_sock_set_state",
                "x",
                &[("remote_addr", Bytes(PEER)), ("old_state", Number(2)), ("new_state", Number(1))],
            ),
        ],
    ),
    case(
        "ebpf_by_unknown",
        &[("security_bpf_prog", "x", &[("name", Text("spy")), ("load", Number(1))])],
        &[
            ("security_bpf_prog", "bpftool", &[("name", Text("spy")), ("load", Number(1))]),
            ("security_bpf_prog", "x", &[("name", Text("spy")), ("load", Number(0))]),
        ],
    ),
    case(
        "miner_command",
        &[
            exec!("/tmp/x", b"x\0-o\0stratum+tcp://pool:3333\0"),
            exec!("/tmp/y", b"y\0--nicehash\0"),
            exec!("/opt/xmrig-6", b"xmrig-6\0"),
        ],
        &[exec!("/usr/bin/curl", b"curl\0http://stratum/\0")],
    ),
    case(
        "credentials_read",
        &[
            open!("/etc/shadow", READ),
            open!("/home/u/.ssh/id_rsa", READ),
            open!("/root/.aws/credentials", READ),
        ],
        &[
            open!("sudo", "/etc/shadow", READ),
            open!("ssh", "/home/u/.ssh/id_rsa", READ),
            open!("/home/u/.ssh/id_rsa.pub", READ),
        ],
    ),
    case(
        "log_tampering",
        &[
            ("security_inode_unlink", "x", &[("pathname", Text("/var/log/app.log"))]),
            ("security_inode_unlink", "rm", &[("pathname", Text("/var/log/auth.log"))]),
            ("do_truncate", "x", &[("pathname", Text("/var/log/syslog")), ("length", Number(0))]),
            (
                "security_inode_symlink",
                "x",
                &[("linkpath", Text("/root/.bash_history")), ("target", Text("/dev/null"))],
            ),
        ],
        &[
            ("security_inode_unlink", "logrotate", &[("pathname", Text("/var/log/app.log"))]),
            ("security_inode_unlink", "rm", &[("pathname", Text("/var/log/app.log"))]),
            ("do_truncate", "x", &[("pathname", Text("/var/log/syslog")), ("length", Number(5))]),
            ("do_truncate", "bash", &[("pathname", Text("/root/.bash_history")), ("length", Number(0))]),
        ],
    ),
    case(
        "io_uring_files",
        &[(
            "security_file_open",
            "x",
            &[("pathname", Text("/etc/shadow")), ("syscall", Text("io_uring_enter"))],
        )],
        &[("security_file_open", "sudo", &[("pathname", Text("/etc/shadow")), ("syscall", Text("openat"))])],
    ),
    contained(
        "container_enters_host",
        &[
            (
                "security_file_open",
                "x",
                &[("pathname", Text("mnt:[4026531841]")), ("syscall_pathname", Text("/proc/1/ns/mnt"))],
            ),
            exec!("/usr/bin/nsenter", b"nsenter\0-t\x001\0-m\0sh\0"),
        ],
        &[(
            "security_file_open",
            "x",
            &[("pathname", Text("mnt:[4026531841]")), ("syscall_pathname", Text("/proc/7/ns/mnt"))],
        )],
    ),
    contained(
        "container_mounts_after_unshare",
        &[
            ("unshare", "x", &[("flags", Number(0x1000_0000))]),
            ("security_sb_mount", "x", &[("dev_name", Text("proc")), ("path", Text("/mnt"))]),
        ],
        &[
            ("unshare", "x", &[("flags", Number(0x0002_0000))]),
            ("security_sb_mount", "x", &[("dev_name", Text("proc")), ("path", Text("/mnt"))]),
        ],
    ),
    case(
        "reverse_shell",
        &[
            ("security_socket_connect", "x", &[("sockfd", FIVE), ("remote_addr", Bytes(PEER))]),
            ("socket_dup", "x", &[("oldfd", FIVE), ("newfd", ZERO), ("remote_addr", Bytes(PEER))]),
            exec!("/bin/bash", b"bash\0-i\0"),
        ],
        &[
            ("security_socket_connect", "x", &[("sockfd", FIVE), ("remote_addr", Bytes(PEER))]),
            ("socket_dup", "x", &[("oldfd", FIVE), ("newfd", FIVE), ("remote_addr", Bytes(PEER))]),
            exec!("/bin/bash", b"bash\0-i\0"),
        ],
    ),
    case(
        "download_and_execute",
        &[open!("curl", "/tmp/x", 0o101), exec!("/tmp/x", b"x\0")],
        &[open!("vim", "/tmp/x", 0o101), exec!("/tmp/x", b"x\0")],
    ),
];

fn source(case: &Case, rows: &[Row]) -> Source {
    let mut made = Made::new();
    made.sides.push(synthetic::container());
    for (at, (name, comm, given)) in (1u64..).zip(rows) {
        let exe = format!("/usr/bin/{comm}");
        let mut context: Context<'_> = process(100, 1, 1000, comm, &exe);
        if case.in_container {
            context.cgroup_id = synthetic::CONTAINER_CGROUP;
        }
        let args: Vec<(&str, Raw<'_>)> = given
            .iter()
            .map(|(name, given)| {
                let raw = match given {
                    Text(text) => Raw::Bytes(text.as_bytes()),
                    Bytes(bytes) | Fd(bytes) => Raw::Bytes(bytes),
                    Number(number) => Raw::Number(*number),
                };
                (*name, raw)
            })
            .collect();
        let event =
            Event { at: at * 1_000_000, name, context, ret: 0, scopes: 1, marks: Marks(0), args: &args };
        made.push(&event);
    }
    Source::new(vec![("made".into(), Capture::from_bytes(made.bytes()).expect("a capture"))])
}

/// Findings by rule.
fn found(all: &[Rule], source: &Source) -> BTreeMap<String, usize> {
    let mut found = BTreeMap::new();
    let scan = Scan::new(all, source);
    scan.run(Asking::default(), &mut |finding| *found.entry(all[finding.rule].id.clone()).or_insert(0) += 1)
        .expect("an answer");
    found
}

/// How often filters see the event of a rule.
fn derived(event: &str, source: &Source) -> u64 {
    rules::behaviours::install();
    let plan = Plan::compile(&ScopeSet::parse(&[format!("event={event}")]).expect("a filter"));
    Question::new(source, vec![Matcher::new(&plan)]).count().expect("an answer").matched
}

#[test]
fn each_fires_on_its_trigger_and_is_silent_on_a_near_miss() {
    let corpus = rules::behaviours::corpus();
    let mut wrong = Vec::new();
    for case in CASES {
        let event =
            corpus.rules.iter().find(|rule| rule.id == case.rule).and_then(rules::behaviours::event_of);
        let is_sequence = !case.rule.starts_with("TRC-");
        let hit = source(case, case.trigger);
        let count = found(&corpus.rules, &hit).get(case.rule).copied().unwrap_or_default();
        let expected = if matches!(
            case.rule,
            "TRC-1013" | "reverse_shell" | "download_and_execute" | "container_mounts_after_unshare"
        ) {
            1
        } else {
            case.trigger.len()
        };
        if count != expected {
            wrong.push(format!("{}: {count} findings of {expected}", case.rule));
        }
        let miss = source(case, case.near_miss);
        if let Some(count) = found(&corpus.rules, &miss).get(case.rule) {
            wrong.push(format!("{}: {count} findings of a near miss", case.rule));
        }
        if let Some(event) = event.filter(|_| !is_sequence) {
            let (hits, misses) = (derived(event.name, &hit), derived(event.name, &miss));
            if hits != expected as u64 || misses != 0 {
                wrong.push(format!("{}: filters see {hits} and {misses}", event.name));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn what_containers_do_is_not_told_of_the_host() {
    let corpus = rules::behaviours::corpus();
    for case in CASES.iter().filter(|case| case.in_container) {
        let outside = Case { in_container: false, ..*case };
        assert_eq!(
            found(&corpus.rules, &source(&outside, case.trigger)).get(case.rule),
            None,
            "{}",
            case.rule
        );
    }
}

/// Ids of a task: real, saved and effective user.
fn credentials(uid: u32, suid: u32, euid: u32) -> Vec<u8> {
    let mut bytes = vec![0; 80];
    for (at, id) in [(0, uid), (8, suid), (16, euid)] {
        bytes[at..at + 4].copy_from_slice(&id.to_le_bytes());
    }
    bytes
}

#[test]
fn root_without_a_program_that_may_give_it_is_told() {
    let corpus = rules::behaviours::corpus();
    let changed = |old: &[u8], new: &[u8], call: &str| {
        let mut made = Made::new();
        let args = [
            ("old_cred", Raw::Bytes(old)),
            ("new_cred", Raw::Bytes(new)),
            ("syscall", Raw::Bytes(call.as_bytes())),
        ];
        let context = process(100, 1, 1000, "x", "/tmp/x");
        made.push(&Event {
            at: 1,
            name: "commit_creds",
            context,
            ret: 0,
            scopes: 1,
            marks: Marks(0),
            args: &args,
        });
        let source =
            Source::new(vec![("made".into(), Capture::from_bytes(made.bytes()).expect("a capture"))]);
        found(&corpus.rules, &source).get("privilege_without_setuid").copied().unwrap_or_default()
    };
    let (user, root) = (credentials(1000, 1000, 1000), credentials(0, 0, 0));
    assert_eq!(changed(&user, &root, "bpf"), 1);
    // A program with the bit, a daemon that had put its rights aside, and one that gives them up.
    assert_eq!(changed(&user, &credentials(1000, 0, 0), "execve"), 0);
    assert_eq!(changed(&credentials(1000, 0, 1000), &root, "setuid"), 0);
    assert_eq!(changed(&root, &user, "setuid"), 0);
}

#[test]
fn every_rule_has_a_case() {
    // Credentials are made below.
    let without = ["privilege_without_setuid"];
    for rule in &rules::behaviours::corpus().rules {
        let has = CASES.iter().any(|case| case.rule == rule.id) || without.contains(&rule.id.as_str());
        assert!(has, "{} has no trigger", rule.id);
    }
}
