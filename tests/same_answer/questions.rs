//! Filters that are made up, from what worlds are made of.

use crate::random::Random;
use crate::world::{COMMS, EXES};

const EVENTS: [&str; 12] = [
    "openat",
    "write",
    "close",
    "connect",
    "ptrace",
    "sched_process_exec",
    "sched_process_fork",
    "sched_process_exit",
    "net_packet_dns",
    "net_packet_http_request",
    "anti_debugging",
    "security_file_open",
];

/// A filter of one scope that is about processes, events, arguments, results or marks.
pub fn filter(random: &mut Random) -> String {
    let pid = *random.of(&[1, 20, 21, 30, 101, 103, 107, 10_101, 99_999]);
    let comparison = *random.of(&["=", "!=", "<", ">", "<=", ">="]);
    let equality = *random.of(&["=", "!="]);
    match random.below(38) {
        0 => format!("pid{comparison}{pid}"),
        1 => format!("tid{equality}{pid}"),
        2 => format!("ppid{comparison}{pid}"),
        3 => format!("uid{comparison}{}", random.of(&["0", "500", "1000", "alice"])),
        4 => format!("comm{equality}{}", random.of(&COMMS)),
        5 => format!("comm={},{}", random.of(&COMMS), random.of(&COMMS)),
        6 => format!("comm{equality}{}", random.of(&["*s*", "m*", "*h", "s*d", "caf*"])),
        7 => format!("binary{equality}{}", random.of(&EXES)),
        8 => format!("binary{equality}{}", random.of(&["/usr/*", "*s*"])),
        9 => format!("event={}", random.of(&EVENTS)),
        10 => format!("event={},{}", random.of(&EVENTS), random.of(&EVENTS)),
        11 => format!("event!={}", random.of(&EVENTS)),
        12 => format!("event={}", random.of(&["*", "sched_*", "net_packet*", "*open*"])),
        13 => random
            .of(&[
                "container",
                "!container",
                "container=pinger",
                "container!=pinger",
                "uts=web1",
                "host=web1",
                "host!=web*",
            ])
            .to_string(),
        30 => format!("cwd{equality}{}", random.of(&["/srv", "/home/*", r"/tmp/\xff", "*s*"])),
        31 => format!("session{comparison}{pid}"),
        32 => format!("tty{equality}{}", random.of(&["pts/0", "none", "pts/*", "/dev/pts/1"])),
        33 => format!("loginuid{equality}{}", random.of(&["500", "unset", "alice"])),
        34 => format!(
            "{}{comparison}{}",
            random.of(&["euid", "suid", "fsuid", "egid"]),
            random.of(&["0", "1", "500"])
        ),
        35 => format!(
            "cap{equality}{}",
            random.of(&["CAP_SYS_ADMIN", "net_raw", "0", "33", "sys_admin,net_raw"])
        ),
        36 => format!("capPermitted{equality}{}", random.of(&["sys_admin", "1"])),
        37 => format!(
            "{}{comparison}{}",
            random.of(&["pgid", "auditSession", "gid"]),
            random.of(&["0", "30", "500"])
        ),
        14 => format!("tree{equality}{pid}"),
        15 => "follow".to_owned(),
        16 => format!(
            "openat.pathname{equality}{}",
            random.of(&["/etc/*", "/etc/passwd", "*notes*", r"/tmp/\xff*"])
        ),
        17 => format!("{}.retval{comparison}0", random.of(&["openat", "write", "close"])),
        18 => format!("connect.addr.sin_addr{equality}10.1.2.{}", random.below(4)),
        19 => format!("write.buf{equality}{}", random.of(&["*hunter2*", "GET*", "*world*"])),
        20 => format!("write.fd{equality}{}", random.of(&["/etc/*", "tcp*", "3", "pipe*"])),
        21 => "sched_process_exec.argv=*hunter2*".to_owned(),
        22 => random.of(&["cut", "!cut", "write.buf.cut", "nsPid<100", "pidns!=4026531836"]).to_string(),
        23 => format!("openat.flags{equality}{}", random.of(&["O_CREAT|O_WRONLY|O_TRUNC", "*O_CREAT*", "0"])),
        24 => format!("set={}", random.of(&["fs", "proc", "network_events", "syscalls"])),
        28 => "net_packet_dns.src=10.1.2.3".to_owned(),
        25 => format!(
            "file{equality}{}",
            random.of(&[
                "/etc/passwd",
                "/etc/*",
                "*notes*",
                "/run/x",
                r"/tmp/\xff*",
                "/etc//./shadow",
                "memfd:x"
            ])
        ),
        26 => format!(
            "peer{equality}{}",
            random.of(&[
                "10.0.0.2",
                "10.0.0.2:443",
                "10.1.0.0/16",
                ":443",
                ":53",
                "8.8.8.8",
                "10.1.2.*",
                "10.1.2.2,10.0.0.2"
            ])
        ),
        27 => random
            .of(&[
                "connect.peer=10.1.2.0/30",
                "write.file=/etc/*",
                "openat.file!=/etc/passwd",
                "net_packet_dns.peer=8.8.8.8",
            ])
            .to_string(),
        _ => format!("peer{equality}{}", random.of(&["example.org", "*.internal", "db.internal:443"])),
    }
}

/// What durations are compared with, ns: `(">=", 5_000_000)` is `duration>=5ms`.
pub type Bound = (&'static str, u64);

pub fn bound(random: &mut Random) -> Bound {
    let operator = *random.of(&["=", "!=", "<", ">", "<=", ">="]);
    // What nothing can be below is refused.
    let least = u64::from(operator == "<");
    (operator, *random.of(&[least, 1, 999, 5_000, 5_000_000, 1_500_000_000, 3_600_000_000_000]))
}

/// A bound as people write it, in one of the units in which it has no more than three digits behind the point.
pub fn time((operator, ns): Bound, random: &mut Random) -> String {
    let units = [("us", 1_000), ("ms", 1_000_000), ("s", 1_000_000_000)];
    let (unit, scale) = *random.of(&units);
    match ns % (scale / 1_000) {
        0 => format!("{operator}{}.{:03}{unit}", ns / scale, ns % scale / (scale / 1_000)),
        _ => format!("{operator}{ns}ns"),
    }
}

/// Filters of one scope. Not every mixture can match something, and some are refused.
pub fn scope(random: &mut Random) -> Vec<String> {
    let count = 1 + random.below(3);
    let mut filters: Vec<String> = (0..count).map(|_| filter(random)).collect();
    if random.one_in(4) {
        filters.push("event=*".into());
    }
    filters.dedup();
    filters
}
