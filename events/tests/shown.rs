//! Values as tables show them, and as filters find their members.

use events::show::{self, Leaf, Parts, Shape};
use events::{ArgKind, Len, Names, Raw, StructKind, Value, catalogue};

/// The argument of an event as a table shows it, given some of its arguments by name.
fn table(event: &str, shown: &str, args: &[(&str, Raw<'_>)], named: bool) -> String {
    let event = catalogue::by_name(event).expect("an event of the catalogue");
    let (position, _) = event.arg(shown).expect("an argument of the event");
    let arg = |at: usize| {
        let name = event.args.get(at).map(|arg| arg.name);
        args.iter().find(|(known, _)| Some(*known) == name).map_or(Raw::Missing, |(_, raw)| *raw)
    };
    show::shown(event, position, &arg, named).to_string()
}

fn one(event: &str, name: &str, raw: Raw<'_>) -> String {
    table(event, name, &[(name, raw)], true)
}

fn inet(port: u16, address: [u8; 4]) -> Vec<u8> {
    let mut bytes = vec![2, 0];
    bytes.extend(port.to_be_bytes());
    bytes.extend(address);
    bytes.extend([0; 8]);
    bytes
}

#[test]
fn strings_are_bare_and_lists_stand_in_brackets() {
    assert_eq!(one("openat", "pathname", Raw::Bytes(b"/etc/ld.so.cache")), "/etc/ld.so.cache");
    assert_eq!(one("openat", "pathname", Raw::Bytes(b"caf\xe9")), "caf\\xe9");
    assert_eq!(one("openat", "pathname", Raw::Missing), "<nil>");
    assert_eq!(one("execve", "argv", Raw::Bytes(b"ls\0--color=auto\0")), "[ls --color=auto]");
    assert_eq!(one("execve", "argv", Raw::Bytes(b"")), "[]");
    assert_eq!(one("write", "buf", Raw::Bytes(b"hi\n")), "[104 105 10]");
    assert_eq!(one("readlink", "buf", Raw::Bytes(b"/usr/bin/dash")), "/usr/bin/dash");
    assert_eq!(one("listxattr", "list", Raw::Bytes(b"user.a\0user.b\0")), "[user.a user.b]");
}

#[test]
fn a_buffer_of_any_length_is_shown_as_its_numbers() {
    let buffer: Vec<u8> = (0..=255).chain(0..=70).collect();
    for start in [0, 7, 95] {
        for end in start..buffer.len() {
            let bytes = &buffer[start..end];
            let numbers: Vec<String> = bytes.iter().map(u8::to_string).collect();
            assert_eq!(one("write", "buf", Raw::Bytes(bytes)), format!("[{}]", numbers.join(" ")));
        }
    }
}

#[test]
fn numbers_are_shown_by_name_or_raw() {
    let number = |n: i64| Raw::Number(n as u64);
    let both = |event, name, n| {
        let args = [(name, number(n))];
        (table(event, name, &args, true), table(event, name, &args, false))
    };
    let pair = |named: &str, raw: &str| (named.to_owned(), raw.to_owned());
    assert_eq!(both("openat", "dirfd", -100), pair("AT_FDCWD", "-100"));
    assert_eq!(both("openat", "flags", 0o2000000), pair("O_RDONLY|O_CLOEXEC", "524288"));
    assert_eq!(both("mmap", "prot", 5), pair("PROT_READ|PROT_EXEC", "5"));
    assert_eq!(both("mmap", "addr", 0), pair("0x0", "0x0"));
    assert_eq!(both("ptrace", "request", 0), pair("PTRACE_TRACEME", "0"));
    assert_eq!(both("anti_debugging", "request", 0), pair("PTRACE_TRACEME", "0"));
    assert_eq!(both("sched_process_exec", "stdin_type", 0o20000), pair("S_IFCHR", "8192"));
    assert_eq!(both("sched_process_exit", "process_group_exit", 1), pair("true", "true"));
    assert_eq!(both("kill", "sig", 9), pair("SIGKILL", "9"));
    assert_eq!(both("ioctl", "request", 0x541b), pair("FIONREAD", "21531"));
    assert_eq!(both("inet_sock_set_state", "new_state", 10), pair("TCP_LISTEN", "10"));
    assert_eq!(both("access", "mode", 0), pair("F_OK", "0"));
    assert_eq!(both("faccessat", "flags", 7), pair("<nil>", "<nil>"));
}

#[test]
fn an_option_of_a_socket_is_named_by_its_level() {
    let args = |level, option| [("level", Raw::Number(level)), ("optname", Raw::Number(option))];
    assert_eq!(table("setsockopt", "optname", &args(6, 1), true), "TCP_NODELAY");
    assert_eq!(table("setsockopt", "optname", &args(1, 2), true), "SO_REUSEADDR");
    assert_eq!(table("setsockopt", "optname", &args(41, 26), true), "IPV6_V6ONLY");
    assert_eq!(table("setsockopt", "optname", &args(99, 26), true), "26");
}

#[test]
fn socket_addresses_are_maps_of_their_members() {
    let connect = |bytes: &[u8]| one("connect", "addr", Raw::Bytes(bytes));
    assert_eq!(connect(&inet(80, [127, 0, 0, 1])), "map[sa_family:AF_INET sin_addr:127.0.0.1 sin_port:80]");
    let mut v6 = vec![10, 0, 0x1f, 0x90, 0, 0, 0, 7];
    v6.extend([0; 15]);
    v6.extend([1, 3, 0, 0, 0]);
    assert_eq!(
        connect(&v6),
        "map[sa_family:AF_INET6 sin6_addr:::1 sin6_flowinfo:7 sin6_port:8080 sin6_scopeid:3]"
    );
    assert_eq!(connect(b"\x01\0/run/x\0junk"), "map[sa_family:AF_UNIX sun_path:/run/x]");
    assert_eq!(connect(b"\x01\0\0bus"), "map[sa_family:AF_UNIX sun_path:@bus]");
    assert_eq!(connect(b"\x01\0"), "map[sa_family:AF_UNIX sun_path:]");
    assert_eq!(connect(b"\x10\0\0\0\x07\0\0\0\x01\0\0\0"), "map[sa_family:AF_NETLINK nl_groups:1 nl_pid:7]");
    let vsock = b"\x28\0\0\0\x00\x04\0\0\x02\0\0\0\0\0\0\0";
    assert_eq!(connect(vsock), "map[sa_family:AF_VSOCK svm_cid:2 svm_port:1024]");
    let packet = b"\x11\0\x08\x00\x02\0\0\0\x01\0\x00\x06\x02\x42\xac\x11\0\x02\0\0";
    assert_eq!(
        connect(packet),
        "map[sa_family:AF_PACKET sll_addr:02:42:ac:11:00:02 sll_hatype:1 sll_ifindex:2 sll_pkttype:0 sll_protocol:2048]"
    );
    assert_eq!(connect(b"\x00\0"), "map[sa_family:AF_UNSPEC]");
    assert_eq!(connect(b"\xff\x01"), "map[sa_family:511]");
    assert_eq!(connect(b"\x02"), "<nil>");
    assert_eq!(connect(b"\x02\0\0\x50"), "map[sa_family:AF_INET sin_port:80]");
}

#[test]
fn structures_stand_in_braces() {
    let mut time = Vec::new();
    time.extend(1i64.to_le_bytes());
    time.extend(500i64.to_le_bytes());
    assert_eq!(one("nanosleep", "req", Raw::Bytes(&time)), "{tv_sec:1 tv_nsec:500}");
    assert_eq!(one("nanosleep", "req", Raw::Bytes(&time[..12])), "{tv_sec:1}");
    assert_eq!(one("pipe2", "pipefd", Raw::Bytes(&[3, 0, 0, 0, 4, 0, 0, 0])), "[3 4]");
    assert_eq!(one("wait4", "wstatus", Raw::Bytes(&[0, 1, 0, 0])), "256");
    assert_eq!(one("rt_sigprocmask", "set", Raw::Bytes(&[2, 0, 1, 0, 0, 0, 0, 0])), "[SIGINT SIGCHLD]");
    let poll = [5, 0, 0, 0, 1, 0, 0x11, 0];
    assert_eq!(one("poll", "fds", Raw::Bytes(&poll)), "[{fd:5 events:POLLIN revents:POLLIN|POLLHUP}]");
    assert_eq!(one("select", "readfds", Raw::Bytes(&[0x18, 0, 0, 0, 0, 0, 0, 0])), "[3 4]");
    let mut how = Vec::new();
    for number in [0o2000000u64, 0, 8] {
        how.extend(number.to_le_bytes());
    }
    assert_eq!(
        one("openat2", "how", Raw::Bytes(&how)),
        "{flags:O_RDONLY|O_CLOEXEC mode:0 resolve:RESOLVE_BENEATH}"
    );
    let mut name = vec![0u8; 390];
    name[..5].copy_from_slice(b"Linux");
    name[130..136].copy_from_slice(b"6.18.0");
    assert_eq!(
        one("uname", "buf", Raw::Bytes(&name)),
        "{sysname:Linux nodename: release:6.18.0 version: machine: domainname:}"
    );
    let cred: Vec<u8> = (0..80).map(|at| u8::from(at % 4 == 0 && at < 40)).collect();
    assert_eq!(one("commit_creds", "new_cred", Raw::Bytes(&cred)), "{1 1 1 1 1 1 1 1 1 1 0 0 0 0 0}");
}

#[test]
fn a_number_or_pointer_is_what_the_request_says() {
    let any = |number: u64, pointed: &[u8]| [&number.to_le_bytes()[..], pointed].concat();
    let prctl = |option, bytes: &[u8]| {
        table("prctl", "arg2", &[("option", Raw::Number(option)), ("arg2", Raw::Bytes(bytes))], true)
    };
    assert_eq!(prctl(15, &any(0x7ffd_0000, b"worker")), "worker");
    assert_eq!(prctl(15, &any(0x7ffd_0000, b"")), "");
    assert_eq!(prctl(4, &any(1, b"")), "1");
    assert_eq!(prctl(15, b"short"), "<nil>");
    let nonblock = any(0o4000, b"");
    let flags = [("cmd", Raw::Number(4)), ("arg", Raw::Bytes(&nonblock))];
    assert_eq!(table("fcntl", "arg", &flags, true), "O_RDONLY|O_NONBLOCK");
    assert_eq!(table("fcntl", "arg", &flags, false), "2048");
    let winsize = any(0x7ffd_0000, &[24, 0, 80, 0, 0, 0, 0, 0]);
    let ioctl = [("request", Raw::Number(0x5413)), ("arg", Raw::Bytes(&winsize))];
    assert_eq!(table("ioctl", "arg", &ioctl, true), "{ws_row:24 ws_col:80 ws_xpixel:0 ws_ypixel:0}");
    assert_eq!(table("ioctl", "request", &ioctl, true), "TIOCGWINSZ");
    let load: Vec<u8> = [&5u32.to_le_bytes()[..], &2u32.to_le_bytes()].concat();
    let bpf = [("cmd", Raw::Number(5)), ("attr", Raw::Bytes(&load))];
    assert_eq!(table("bpf", "attr", &bpf, true), "{prog_type:BPF_PROG_TYPE_TRACEPOINT insn_cnt:2}");
}

#[test]
fn vectors_show_what_was_kept_of_them() {
    let mut stored = 1u32.to_le_bytes().to_vec();
    stored.extend(0x10u64.to_le_bytes());
    stored.extend(3u64.to_le_bytes());
    stored.extend(b"ab");
    assert_eq!(one("writev", "iov", Raw::Bytes(&stored)), "[{iov_base:[97 98] iov_len:3}]");
    assert_eq!(one("writev", "iov", Raw::Bytes(&stored[..9])), "<nil>");
    let mut message = vec![0u8; 16 + 56];
    message[0] = 16;
    message[16 + 8] = 16;
    message.extend(inet(53, [8, 8, 8, 8]));
    assert_eq!(
        one("sendmsg", "msg", Raw::Bytes(&message)),
        "{msg_name:map[sa_family:AF_INET sin_addr:8.8.8.8 sin_port:53] msg_namelen:16 msg_iov:[] \
         msg_iovlen:0 msg_control:<nil> msg_controllen:0 \
         msg_flags:0}"
    );
}

#[test]
fn trees_show_their_values_in_order_of_their_fields() {
    let mut tree = vec![7, 4, 0];
    for (name, value) in
        [("type", &b"\x04\x0b\0EchoRequest"[..]), ("checksum", &[2, 1, 0x8d, 0, 0, 0, 0, 0, 0])]
    {
        tree.push(name.len() as u8);
        tree.extend(name.as_bytes());
        tree.extend(value);
    }
    for (name, number) in [("id", 22u64), ("seq", 1)] {
        tree.push(name.len() as u8);
        tree.extend(name.as_bytes());
        tree.push(2);
        tree.extend(number.to_le_bytes());
    }
    assert_eq!(one("net_packet_icmp", "proto_icmp", Raw::Bytes(&tree)), "{EchoRequest 36097 22 1}");
}

#[test]
fn filters_find_members_by_path() {
    let found = |event: &str, name: &str, bytes: &[u8], path: &str| {
        let event = catalogue::by_name(event).expect("an event");
        let (position, _) = event.arg(name).expect("an argument");
        let mut all = Vec::new();
        let arg = |at: usize| if at == position { Raw::Bytes(bytes) } else { Raw::Missing };
        show::find(event, position, &arg, path, &mut |leaf: Leaf<'_>| all.push(leaf.to_string()));
        all
    };
    let address = inet(80, [127, 0, 0, 1]);
    assert_eq!(found("security_socket_connect", "remote_addr", &address, "sin_addr"), ["127.0.0.1"]);
    assert_eq!(found("security_socket_connect", "remote_addr", &address, "sin_port"), ["80"]);
    assert!(found("security_socket_connect", "remote_addr", &address, "sin6_addr").is_empty());
    assert!(found("security_socket_connect", "remote_addr", &address, "sin_addr.x").is_empty());
    assert_eq!(found("security_socket_connect", "remote_addr", &address, "").len(), 3);
    let timer: Vec<u8> = [1i64, 2, 3, 4].iter().flat_map(|n| n.to_le_bytes()).collect();
    assert_eq!(found("timer_settime", "new_value", &timer, "it_value.tv_sec"), ["3"]);
    assert_eq!(found("timer_settime", "new_value", &timer, "it_interval"), ["1", "2"]);
    assert!(found("timer_settime", "new_value", &timer, "tv_sec").is_empty());
    assert_eq!(found("execve", "argv", b"sh\0-c\0", ""), ["sh", "-c"]);
}

/// Holds a walk to its promises.
#[derive(Default)]
struct Strict {
    open: Vec<(Shape, bool)>,
    values: usize,
}

impl Strict {
    fn value(&mut self) {
        match self.open.last_mut() {
            None => self.values += 1,
            Some((Shape::List, _)) => {}
            Some((_, announced)) => assert!(std::mem::take(announced), "a value without a name"),
        }
    }
}

impl Parts for Strict {
    fn leaf(&mut self, leaf: Leaf<'_>) {
        self.value();
        let _ = leaf.to_string();
    }

    fn open(&mut self, shape: Shape) {
        self.value();
        self.open.push((shape, false));
    }

    fn member(&mut self, _: &str) {
        let (shape, announced) = self.open.last_mut().expect("a name outside of a structure");
        assert_ne!(*shape, Shape::List);
        assert!(!std::mem::replace(announced, true), "two names for a value");
    }

    fn close(&mut self, shape: Shape) {
        assert_eq!(
            self.open.pop(),
            Some((shape, false)),
            "closed what was not open, or a name without a value"
        );
    }
}

#[test]
fn any_bytes_give_one_whole_value_and_no_panic() {
    let mut kinds: Vec<ArgKind> =
        catalogue::events().flat_map(|event| event.args).map(|arg| arg.kind).collect();
    kinds.extend(
        StructKind::ALL.iter().flat_map(|kind| [ArgKind::Struct(*kind), ArgKind::Array(*kind, Len::Return)]),
    );
    kinds.extend([
        ArgKind::Tree,
        ArgKind::Msghdr,
        ArgKind::Mmsghdr(Len::Return),
        ArgKind::Iovec(Len::Return),
    ]);
    kinds.sort_by_key(|kind| format!("{kind:?}"));
    kinds.dedup();
    let mut seed = 0x2545_f491_4f6c_dd1d_u64;
    let mut next = |below: u64| {
        seed ^= seed << 13;
        seed ^= seed >> 7;
        seed ^= seed << 17;
        seed % below
    };
    for _ in 0..300 {
        let small = next(3) == 0;
        let length = next(if small { 24 } else { 300 });
        let bytes: Vec<u8> =
            (0..length).map(|_| if next(3) == 0 { next(256) } else { next(9) } as u8).collect();
        for kind in &kinds {
            let mut strict = Strict::default();
            show::value(Value::read(*kind, Raw::Bytes(&bytes)), Names::None, &mut strict);
            assert_eq!((strict.values, strict.open.len()), (1, 0), "{kind:?} of {bytes:?}");
        }
    }
}
