//! `file` and `peer`: what any argument of an event names.

use events::{Raw, catalogue};
use scopes::{Plan, ScopeSet};

fn plan(filters: &[&str]) -> Plan {
    match ScopeSet::parse(filters) {
        Ok(set) => Plan::compile(&set),
        Err(wrong) => panic!("{filters:?}: {}", wrong[0]),
    }
}

/// A descriptor as files store it.
fn fd(stands_for: &str) -> Vec<u8> {
    [&3u64.to_le_bytes()[..], stands_for.as_bytes()].concat()
}

/// The scopes that an event with these arguments passes.
fn mask(filters: &[&str], event: &str, args: &[(&str, Raw<'_>)]) -> u64 {
    let plan = plan(filters);
    let event = catalogue::by_name(event).expect("an event");
    let value = |position: usize| {
        let named = args.iter().find(|(name, _)| event.arg(name).is_some_and(|(at, _)| at == position));
        named.map_or(Raw::Missing, |(_, value)| *value)
    };
    plan.event_mask(event.id) & plan.things_mask(event.id, &value)
}

fn wrong(filter: &str) -> String {
    ScopeSet::parse(&[filter]).expect_err("a mistake")[0].to_string()
}

#[test]
fn a_file_is_named_by_paths_directories_and_descriptors() {
    let open = |directory: &str, path: &str| {
        let directory = fd(directory);
        mask(
            &["1:file=/etc/shadow", "2:file=/etc/*", "3:file!=/etc/shadow", "4:file=*shadow"],
            "openat",
            &[("dirfd", Raw::Bytes(&directory)), ("pathname", Raw::Bytes(path.as_bytes()))],
        )
    };
    assert_eq!(open("", "/etc/shadow"), 0b1011);
    assert_eq!(open("/etc", "shadow"), 0b1011);
    assert_eq!(open("/etc/ssl", "../shadow"), 0b1011);
    assert_eq!(open("", "/etc//./shadow"), 0b1011);
    assert_eq!(open("/tmp", "/etc/passwd"), 0b0110);
    assert_eq!(open("", "shadow"), 0b1100, "relative to nobody knows where");
    let read =
        |text: &str| mask(&["file=/tmp/x", "2:file!=/tmp/x"], "read", &[("fd", Raw::Bytes(&fd(text)))]);
    assert_eq!((read("/tmp/x"), read("/tmp/x (deleted)"), read("/tmp/y")), (1, 1, 2));
    assert_eq!(read("tcp 10.0.0.1:1->10.0.0.2:2"), 2);
    let unix = fd("unix ->/run/docker.sock");
    assert_eq!(mask(&["file=/run/docker.sock"], "connect", &[("sockfd", Raw::Bytes(&unix))]), 1);
    let address = |path: &str| [&1u16.to_le_bytes()[..], path.as_bytes(), b"\0"].concat();
    for path in ["/run/docker.sock", "/run//./docker.sock"] {
        let refused = [("addr", Raw::Bytes(&address(path)))];
        assert_eq!(mask(&["file=/run/docker.sock", "2:file!=/run/*"], "connect", &refused), 1, "{path}");
    }
    let abstract_one = [("addr", Raw::Bytes(&address("\0/run/docker.sock")))];
    assert_eq!(mask(&["file=*docker.sock", "2:file!=*docker.sock"], "connect", &abstract_one), 2, "no file");
    let memory = fd("memfd:x");
    assert_eq!(mask(&["file=memfd:*"], "execveat", &[("dirfd", Raw::Bytes(&memory))]), 1);
    let renamed = [("old_path", Raw::Bytes(b"/tmp/a")), ("new_path", Raw::Bytes(b"/tmp/b"))];
    assert_eq!(
        mask(&["1:file=/tmp/a", "2:file=/tmp/b", "3:file=/tmp/c"], "security_inode_rename", &renamed),
        0b011
    );
}

#[test]
fn events_that_name_no_file_are_none_of_one_and_stay_where_one_is_excluded() {
    let filters = ["1:file=/etc/shadow", "2:file!=/etc/shadow", "3:peer=10.0.0.9", "4:peer!=10.0.0.9"];
    assert_eq!(mask(&filters, "getpid", &[]), 0b1010);
    assert_eq!(plan(&filters).stored_event_mask(catalogue::by_name("getpid").unwrap().id), 0b1010);
    assert!(wrong("getpid.file=/x").contains("getpid names no file"));
    let both =
        ScopeSet::parse(&["event=getpid", "file=/etc/shadow"]).expect_err("nothing matches")[0].to_string();
    assert!(both.contains("can never match"), "{both}");
}

#[test]
fn a_peer_is_named_by_descriptors_addresses_and_packets() {
    let filters = [
        "1:peer=10.0.0.9",
        "2:peer=10.0.0.0/8",
        "3:peer=10.0.0.9:443",
        "4:peer=:443",
        "5:peer=10.0.0.*",
        "6:peer!=10.0.0.9",
        "7:peer=::1",
    ];
    let of = |text: &str| mask(&filters, "write", &[("fd", Raw::Bytes(&fd(text)))]);
    assert_eq!(of("tcp 10.1.1.1:5000->10.0.0.9:443"), 0b0011111);
    assert_eq!(of("tcp [::ffff:10.1.1.1]:5000->[::ffff:10.0.0.9]:443"), 0b0011111);
    assert_eq!(of("tcp 10.0.0.9:443->10.1.1.1:5000"), 0b0100010, "its own end is no peer");
    assert_eq!(of("udp [::]:5->[::1]:53"), 0b1100000);
    assert_eq!(of("/etc/passwd"), 0b0100000);
    let address = [2, 0, 1, 187, 10, 0, 0, 9, 0, 0, 0, 0, 0, 0, 0, 0];
    assert_eq!(mask(&filters, "connect", &[("addr", Raw::Bytes(&address))]), 0b0011111);
    assert_eq!(mask(&filters, "bind", &[("addr", Raw::Bytes(&address))]), 0b0100000);
    let mut packet = vec![0x45, 0, 0, 40, 0, 0, 0, 0, 64, 6, 0, 0, 10, 1, 2, 3, 10, 0, 0, 9];
    packet.extend([0x13, 0x88, 0x01, 0xbb, 0, 0, 0, 0, 0, 0, 0, 0, 0x50, 0, 0, 0, 0, 0, 0, 0]);
    assert_eq!(mask(&filters, "net_packet", &[("data", Raw::Bytes(&packet))]), 0b0011111);
    let flow = [
        ("src", Raw::Bytes(b"10.1.2.3")),
        ("dst", Raw::Bytes(b"10.0.0.9")),
        ("src_port", Raw::Number(5000)),
        ("dst_port", Raw::Number(443)),
    ];
    let asked: Vec<String> = filters
        .iter()
        .map(|it| it.to_string())
        .chain((1..=7).map(|n| format!("{n}:event=net_flow_tcp_begin")))
        .collect();
    let asked: Vec<&str> = asked.iter().map(String::as_str).collect();
    assert_eq!(mask(&asked, "net_flow_tcp_begin", &flow), 0b0011111);
}

#[test]
fn names_are_those_that_answers_gave() {
    let resolved = |filters: &[&str], text: &str| {
        let mut set = ScopeSet::parse(filters).expect("filters");
        assert!(set.names_peers());
        let names =
            [("Evil.example.com.", "10.0.0.9"), ("cdn.example.com", "10.0.0.9"), ("other.org", "10.0.0.7")];
        let unknown = set
            .resolve_peers(names.iter().map(|(name, address)| (*name, address.parse().expect("an address"))));
        let plan = Plan::compile(&set);
        let write = catalogue::by_name("write").expect("an event");
        let text = fd(text);
        (plan.things_mask(write.id, &|_| Raw::Bytes(&text)) & plan.scopes(), unknown)
    };
    let end = "tcp 10.1.1.1:5000->10.0.0.9:443";
    let filters =
        ["1:peer=evil.example.com", "2:peer=*.example.com", "3:peer=other.org", "4:peer=evil.example.com:80"];
    assert_eq!(resolved(&filters, end), (0b0011, vec![]));
    assert_eq!(
        resolved(&["1:peer=nobody.org", "2:peer!=EVIL.example.com"], end),
        (0, vec!["nobody.org".to_owned()])
    );
}

#[test]
fn mistakes_are_told_with_what_may_stand_there() {
    assert!(
        wrong("file=etc/shadow").contains("did you mean \"*/etc/shadow\"?"),
        "{}",
        wrong("file=etc/shadow")
    );
    assert!(wrong("file<3").contains("does not fit"));
    assert!(wrong("file").contains("needs an operator"));
    assert!(wrong("file=*").contains("a lone `*`"));
    assert!(wrong("peer=/run/x.sock").contains("file=PATH"));
    assert!(wrong("peer=10.0.0").contains("is no address"));
    assert!(wrong("peer=10.0.0.1:99999").contains("is no port"));
    assert!(wrong("peer=10.0.0.0/99").contains("0 to 32"));
    assert!(wrong("fil=/x").contains("did you mean \"file\"?"), "{}", wrong("fil=/x"));
}

/// Who asks for a file asks for all that was recorded of it, and names no event that could be missing.
#[test]
fn what_events_name_chooses_no_events() {
    let plan = plan(&[
        "1:file=/etc/shadow",
        "2:event=openat",
        "3:event!=close",
        "4:connect.peer=10.0.0.9",
        "5:event=*",
    ]);
    assert_eq!(plan.choosing(), 0b01010);
}

#[test]
fn policies_ask_for_files_and_peers_of_the_scope_and_of_single_events() {
    let policy = "type: policy\nname: x\nscope: [file!=/etc/passwd]\nrules:\n  - event: openat\n    filters: [file=/etc/*]\n  - \
                  event: connect\n    filters: [peer=10.0.0.0/8]\n";
    let none: [&str; 0] = [];
    let set =
        ScopeSet::with_policies(&none, &[("x.yaml", policy)]).unwrap_or_else(|wrong| panic!("{}", wrong[0]));
    let plan = Plan::compile(&set);
    let ask = |event: &str, name: &str, value: &[u8]| {
        let event = catalogue::by_name(event).expect("an event");
        let position = event.arg(name).expect("an argument").0;
        let value = |at: usize| if at == position { Raw::Bytes(value) } else { Raw::Missing };
        plan.event_mask(event.id) & plan.things_mask(event.id, &value)
    };
    assert_eq!(ask("openat", "pathname", b"/etc/shadow"), 1);
    assert_eq!(ask("openat", "pathname", b"/etc/passwd"), 0);
    assert_eq!(ask("openat", "pathname", b"/tmp/x"), 0);
    assert_eq!(ask("connect", "sockfd", &fd("tcp 1.1.1.1:1->10.2.3.4:80")), 1);
    assert_eq!(ask("connect", "sockfd", &fd("tcp 1.1.1.1:1->11.2.3.4:80")), 0);
    assert_eq!(ask("close", "fd", &fd("/etc/shadow")), 0);
    let wrong =
        ScopeSet::with_policies(&none, &[("x.yaml", policy.replace("event: connect", "event: getpid"))]);
    let wrong = wrong.expect_err("getpid has no peer")[0].to_string();
    assert!(wrong.contains("getpid names no peer"), "{wrong}");
}
