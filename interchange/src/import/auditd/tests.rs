use std::io::BufReader;

use replay::import::Log;

use super::*;

fn read(text: &[u8]) -> Vec<Result<Line, String>> {
    let mut log = Auditd::new(BufReader::new(text));
    let mut lines = Vec::new();
    while let Some((_, line)) = log.next().expect("it reads") {
        lines.push(line);
    }
    lines
}

fn told(text: &str) -> Vec<String> {
    let tell = |line: Result<Line, String>| match line {
        Err(reason) => reason,
        Ok(line) => {
            let args = line.args.iter().filter(|arg| !arg.value.is_null());
            let args: Vec<String> = args.map(|arg| format!("{}={}", arg.name, arg.value)).collect();
            format!("{} {} [{}]", line.event_name, line.return_value, args.join(" "))
        }
    };
    read(text.as_bytes()).into_iter().map(tell).collect()
}

#[test]
fn records_of_one_serial_are_one_call_though_others_stand_between() {
    let log = r#"type=SYSCALL msg=audit(100.001:7): arch=c000003e syscall=59 success=yes exit=0 a0=55d0 a1=55d1 a2=55d2 a3=8 items=2 ppid=10 pid=11 auid=1000 uid=0 comm="ls" exe="/usr/bin/ls" key="run"
type=SYSCALL msg=audit(100.002:8): arch=c000003e syscall=257 success=no exit=-13 a0=ffffff9c a1=7ffd a2=90800 a3=0 items=1 ppid=10 pid=12 uid=1000 comm="find" exe="/usr/bin/find" key=(null)
type=EXECVE msg=audit(100.001:7): argc=3 a0="ls" a1=2D6C2078 a2_len=6 a2[0]="abc" a2[1]="def"
type=PATH msg=audit(100.002:8): item=0 name="/root/x" inode=1 nametype=NORMAL
type=CWD msg=audit(100.001:7): cwd="/"
type=PATH msg=audit(100.001:7): item=0 name="/bin/ls" inode=2 nametype=NORMAL
type=PATH msg=audit(100.001:7): item=1 name="/lib64/ld-linux-x86-64.so.2" inode=3 nametype=NORMAL
type=EOE msg=audit(100.001:7):
"#;
    let expected = [
        r#"execve 0 [pathname="/bin/ls" argv=["ls","-l x","abcdef"] envp=21970]"#,
        r#"sched_process_exec 0 [cmdpath="/bin/ls" pathname="/usr/bin/ls" argv=["ls","-l x","abcdef"]]"#,
        r#"openat -13 [dirfd=-100 pathname="/root/x" flags=591872 mode=0]"#,
    ];
    assert_eq!(told(log), expected);
    let first = &read(log.as_bytes())[0];
    assert_eq!(first.as_ref().map(|line| &line.matched_policies[..]), Ok(&["run".to_owned()][..]));
}

#[test]
fn files_that_a_rename_looked_up_are_its_arguments() {
    let log = r#"type=SYSCALL msg=audit(1.0:1): arch=c000003e syscall=82 success=yes exit=0 a0=1 a1=2 items=5 pid=5 uid=0
type=PATH msg=audit(1.0:1): item=0 name="/a/" nametype=PARENT
type=PATH msg=audit(1.0:1): item=1 name="/b/" nametype=PARENT
type=PATH msg=audit(1.0:1): item=2 name="/a/x" nametype=DELETE
type=PATH msg=audit(1.0:1): item=3 name="/b/y" nametype=DELETE
type=PATH msg=audit(1.0:1): item=4 name="/b/y" nametype=CREATE
"#;
    assert_eq!(told(log), [r#"rename 0 [oldpath="/a/x" newpath="/b/y"]"#]);
}

#[test]
fn addresses_are_read_from_their_bytes() {
    let log = |saddr: &str| {
        format!(
            "type=SYSCALL msg=audit(1.0:1): arch=c000003e syscall=42 success=yes exit=0 a0=3 a1=7ffe a2=10 pid=5 uid=0\n\
             type=SOCKADDR msg=audit(1.0:1): saddr={saddr}\n"
        )
    };
    for (saddr, said) in [
        ("020000357F0000010000000000000000", [r#""sin_addr":"127.0.0.1""#, r#""sin_port":"53""#]),
        ("01002F72756E2F7800", [r#""sa_family":"AF_UNIX""#, r#""sun_path":"/run/x""#]),
        (
            "0A0001BB00000000000000000000000000000000000000010000",
            [r#""sin6_addr":"::1""#, r#""sin6_port":"443""#],
        ),
    ] {
        let told = told(&log(saddr));
        assert!(said.iter().all(|said| told[0].contains(said)), "{told:?}");
    }
}

#[test]
fn what_programs_say_is_an_event_of_its_own() {
    let log = r#"type=USER_LOGIN msg=audit(1.0:1): pid=9 uid=0 auid=4294967295 msg='op=login acct=726F6F74 exe="/usr/sbin/sshd" addr=10.0.0.1 terminal=ssh res=failed'
"#;
    let told = told(log);
    assert!(told[0].starts_with("audit_user_login -1 ["), "{told:?}");
    assert!(told[0].contains(r#"acct="root""#) && told[0].contains(r#"addr="10.0.0.1""#), "{told:?}");
}

#[test]
fn calls_of_unknown_numbers_keep_what_was_said_of_them() {
    let log = "type=SYSCALL msg=audit(1.0:1): arch=c0000015 syscall=11 success=yes exit=0 a0=3 pid=5 uid=0\n";
    let told = told(log);
    assert!(told[0].starts_with("audit_syscall 0 [") && told[0].contains(r#"arch="c0000015""#), "{told:?}");
}

#[test]
fn events_come_in_order_of_time_and_what_is_held_is_bounded() {
    let mut log = String::new();
    for serial in (0..40_000u32).rev() {
        log += &format!("type=USER_CMD msg=audit({}.0:{serial}): pid=1 uid=0\n", 100 + serial / 10_000);
    }
    let lines = read(log.as_bytes());
    assert_eq!(lines.len(), 40_000);
}
