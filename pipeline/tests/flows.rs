//! Where TCP connections begin and end, from the states of their sockets.

use events::{Raw, catalogue};
use pipeline::Args;
use pipeline::derive::{Base, Derived, Rules};

const V4: [[u8; 16]; 2] = [
    *b"\x02\0\x9c\x40\x0a\0\0\x05\0\0\0\0\0\0\0\0", // 10.0.0.5:40000
    *b"\x02\0\x01\xbb\x0a\0\0\x09\0\0\0\0\0\0\0\0", // 10.0.0.9:443
];

/// The event that a change of state gives, its values in order; empty when it gives none.
fn told(old: u64, new: u64, protocol: u64, direction: u64, local: &[u8], remote: &[u8]) -> String {
    let base = catalogue::by_name("inet_sock_set_state").expect("the catalogue has states");
    let values = [
        Raw::Number(old),
        Raw::Number(new),
        Raw::Number(protocol),
        Raw::Bytes(local),
        Raw::Bytes(remote),
        Raw::Number(direction),
        Raw::Number(7),
    ];
    let mut derived = Derived::default();
    Rules::new(|_| 1).derive(
        &Base {
            event: base,
            args: Args::List(&values),
            ret: 0,
            exe: b"",
            messages: &[],
            only_messages: false,
        },
        1,
        &mut derived,
    );
    assert!(derived.len() <= 1);
    let mut values = Vec::new();
    let Some(event) = derived.get(0, &mut values) else { return String::new() };
    let values = values.iter().map(|value| match value {
        Raw::Missing => "-".to_owned(),
        Raw::Number(number) => number.to_string(),
        Raw::Bytes(bytes) => String::from_utf8_lossy(bytes).into_owned(),
    });
    format!("{} {}", event.name, values.collect::<Vec<_>>().join(" "))
}

#[test]
fn a_connection_is_told_from_the_end_that_asked_for_it() {
    let [mine, other] = &V4;
    let outgoing = "outgoing 10.0.0.5 10.0.0.9 40000 443 - -";
    assert_eq!(told(2, 1, 6, 1, mine, other), format!("net_flow_tcp_begin {outgoing}"));
    assert_eq!(told(1, 4, 6, 1, mine, other), format!("net_flow_tcp_end {outgoing}"));
    let incoming = "incoming 10.0.0.5 10.0.0.9 40000 443 - -";
    assert_eq!(told(3, 1, 6, 2, other, mine), format!("net_flow_tcp_begin {incoming}"));
    assert_eq!(told(1, 8, 6, 2, other, mine), format!("net_flow_tcp_end {incoming}"));
}

#[test]
fn a_connection_is_asked_for_when_its_first_packet_goes_out() {
    let [mine, other] = &V4;
    assert_eq!(told(7, 2, 6, 1, mine, other), "net_tcp_connect 10.0.0.9 443 -");
    assert_eq!(told(7, 2, 132, 1, mine, other), "");
    assert_eq!(told(7, 10, 6, 1, mine, other), "");
}

#[test]
fn the_end_of_an_older_connection_says_no_direction() {
    let [mine, other] = &V4;
    assert_eq!(told(1, 7, 6, 0, mine, other), "net_flow_tcp_end - 10.0.0.5 10.0.0.9 40000 443 - -");
}

#[test]
fn other_states_and_protocols_and_torn_addresses_tell_nothing() {
    let [mine, other] = &V4;
    assert_eq!(told(4, 5, 6, 1, mine, other), "");
    assert_eq!(told(2, 7, 6, 1, mine, other), "");
    assert_eq!(told(2, 1, 132, 1, mine, other), "");
    assert_eq!(told(2, 1, 6, 1, &mine[..5], other), "");
}
