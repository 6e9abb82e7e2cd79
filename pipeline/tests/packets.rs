//! What is told of packets: whole ones, cut ones, and ones that nobody should have sent.

use std::fmt::Write as _;

use etherparse::PacketBuilder;
use events::{Raw, catalogue};
use pipeline::Args;
use pipeline::derive::packets::segment;
use pipeline::derive::packets::stream::{Key, Message, Streams};
use pipeline::derive::{Base, Derived, Rules};
use proptest::prelude::*;

/// Everything that is derived from a packet that is alone in its stream.
fn told(packet: &[u8]) -> String {
    let (mut streams, mut messages) = (Streams::default(), Vec::new());
    if let Some(part) = segment(packet, packet.len() as u64) {
        let key =
            Key { host: 0, cookie: 0, direction: 0, source: part.source, destination: part.destination };
        streams.feed(key, part.protocol, part.segment, || (), &mut messages);
        messages.extend(streams.finish(0).into_iter().flat_map(|((), messages)| messages));
    }
    let messages: Vec<_> = messages.into_iter().map(|message| (0, message)).collect();
    derived_from(packet, &messages)
}

/// Everything that is derived from a packet with what it completed of its stream, a line for each event: its name and values
/// in order.
fn derived_from(packet: &[u8], messages: &[(u32, Message)]) -> String {
    let base = catalogue::by_name("net_packet").expect("the catalogue has packets");
    let rules = Rules::new(|_| 1);
    let values = [Raw::Bytes(packet), Raw::Number(packet.len() as u64), Raw::Number(0), Raw::Number(2)];
    let mut derived = Derived::default();
    rules.derive(
        &Base { event: base, args: Args::List(&values), ret: 0, exe: b"", messages, only_messages: false },
        1,
        &mut derived,
    );
    let mut text = String::new();
    for index in 0..derived.len() {
        let mut values = Vec::new();
        let event = derived.get(index, &mut values).expect("below its length");
        write!(text, "{}", event.name).expect("a string");
        for (arg, value) in event.args.iter().zip(values) {
            let value = match value {
                Raw::Missing => "-".to_owned(),
                Raw::Number(number) => number.to_string(),
                Raw::Bytes(bytes) if arg.kind == events::ArgKind::Tree => {
                    tree(&mut &*bytes).expect("a whole tree")
                }
                Raw::Bytes(bytes) => String::from_utf8_lossy(bytes).into_owned(),
            };
            write!(text, " {}={value}", arg.name).expect("a string");
        }
        text.push('\n');
    }
    text
}

/// Reads a tree as `events::tree` specifies it, by other code than wrote it.
fn tree(bytes: &mut &[u8]) -> Option<String> {
    fn take<'a>(bytes: &mut &'a [u8], count: usize) -> Option<&'a [u8]> {
        let (taken, rest) = bytes.split_at_checked(count)?;
        *bytes = rest;
        Some(taken)
    }
    fn count(bytes: &mut &[u8]) -> Option<usize> {
        Some(u16::from_le_bytes(take(bytes, 2)?.try_into().ok()?).into())
    }
    match take(bytes, 1)?[0] {
        2 => Some(u64::from_le_bytes(take(bytes, 8)?.try_into().ok()?).to_string()),
        4 => {
            let length = count(bytes)?;
            Some(String::from_utf8_lossy(take(bytes, length)?).into_owned())
        }
        6 => {
            let items: Option<Vec<_>> = (0..count(bytes)?).map(|_| tree(bytes)).collect();
            Some(format!("[{}]", items?.join(" ")))
        }
        7 => {
            let members: Option<Vec<_>> = (0..count(bytes)?)
                .map(|_| {
                    let length = take(bytes, 1)?[0].into();
                    let name = String::from_utf8_lossy(take(bytes, length)?).into_owned();
                    Some(format!("{name}:{}", tree(bytes)?))
                })
                .collect();
            Some(format!("{{{}}}", members?.join(" ")))
        }
        _ => None,
    }
}

fn built<L>(
    builder: etherparse::PacketBuilderStep<L>,
    write: impl FnOnce(etherparse::PacketBuilderStep<L>, &mut Vec<u8>),
) -> Vec<u8> {
    let mut packet = Vec::new();
    write(builder, &mut packet);
    packet
}

fn udp(from: u16, to: u16, payload: &[u8]) -> Vec<u8> {
    let step = PacketBuilder::ipv4([172, 17, 0, 2], [8, 8, 8, 8], 64).udp(from, to);
    built(step, |step, packet| step.write(packet, payload).expect("a packet"))
}

fn tcp(from: u16, to: u16, payload: &[u8]) -> Vec<u8> {
    let step = PacketBuilder::ipv6([1; 16], [2; 16], 64).tcp(from, to, 7, 1024).psh().ack(9);
    built(step, |step, packet| step.write(packet, payload).expect("a packet"))
}

fn ping() -> Vec<u8> {
    let step = PacketBuilder::ipv4([172, 17, 0, 2], [8, 8, 8, 8], 64).icmpv4_echo_request(8, 0);
    built(step, |step, packet| step.write(packet, b"abcdefgh").expect("a packet"))
}

fn question() -> Vec<u8> {
    let mut query = vec![0x12, 0x34, 1, 0, 0, 1, 0, 0, 0, 0, 0, 0];
    query.extend_from_slice(b"\x07example\x03org\0\0\x01\0\x01");
    query
}

fn answers(count: u8) -> Vec<u8> {
    let mut reply = question();
    reply[2] = 0x81;
    reply[3] = 0x80;
    reply[7] = count;
    for last in 0..count {
        reply.extend_from_slice(&[0xc0, 12, 0, 1, 0, 1, 0, 0, 0, 60, 0, 4, 192, 0, 2, last]);
    }
    reply
}

#[test]
fn a_ping_has_type_checksum_id_and_sequence() {
    insta::assert_snapshot!(told(&ping()));
}

#[test]
fn dns_questions_and_answers_are_told_with_their_names() {
    insta::assert_snapshot!(told(&udp(40000, 53, &question())) + &told(&udp(53, 40000, &answers(2))));
}

#[test]
fn an_answer_that_the_snap_length_cut_is_told_up_to_its_last_whole_record() {
    let whole = udp(53, 40000, &answers(9));
    let cut = &whole[..whole.len() - 16 * 6 - 3];
    let dns = told(cut).lines().find(|line| line.starts_with("net_packet_dns_response")).map(str::to_owned);
    let dns = dns.expect("a response");
    assert!(dns.contains("192.0.2.1") && !dns.contains("192.0.2.3"), "{dns}");
}

#[test]
fn http_heads_are_told_on_any_port() {
    let request = b"GET /index.html HTTP/1.1\r\nHost: example.org\r\nContent-Length: 3\r\n\r\nabc";
    let response = b"HTTP/1.1 404 Not Found\r\nServer: x\r\nServer: y\r\n\r\n";
    insta::assert_snapshot!(told(&tcp(40000, 8080, request)) + &told(&tcp(8080, 40000, response)));
    // The rest of a body is no head.
    assert!(!told(&tcp(8080, 40000, b"<html>GET / HTTP/1.1")).contains("http"));
}

#[test]
fn packets_cut_or_flipped_anywhere_are_read_without_harm() {
    let packets = [ping(), udp(53, 40000, &answers(3)), tcp(1, 80, b"POST / HTTP/1.1\r\nHost: a\r\n\r\n")];
    for packet in packets {
        for end in 0..packet.len() {
            told(&packet[..end]);
        }
        for at in 0..packet.len() {
            for bit in 0..8 {
                let mut flipped = packet.clone();
                flipped[at] ^= 1 << bit;
                told(&flipped);
            }
        }
    }
}

/// Bytes that a parser takes for more than they are: a valid message, with some of its bytes changed, cut anywhere.
fn damaged(message: Vec<u8>) -> impl Strategy<Value = Vec<u8>> {
    let length = message.len();
    let changes = proptest::collection::vec((0..length, any::<u8>()), 0..6);
    (changes, 0..=length).prop_map(move |(changes, end)| {
        let mut message = message.clone();
        for (at, byte) in changes {
            message[at] = byte;
        }
        message.truncate(end);
        message
    })
}

fn http() -> Vec<u8> {
    b"GET /a HTTP/1.1\r\nHost: a\r\nhost: b\r\nContent-Length: 99999999999999999999\r\n\r\n".to_vec()
}

fn payloads() -> impl Strategy<Value = Vec<u8>> {
    prop_oneof![
        proptest::collection::vec(any::<u8>(), 0..300),
        damaged(answers(4)),
        damaged(http()),
        damaged(b"HTTP/1.1 200 OK\r\nA: b\r\nA: c\r\n\r\n".to_vec()),
    ]
}

proptest! {
    #[test]
    fn whatever_is_sent_what_is_told_of_it_is_well_formed(payload in payloads(), cut in 0..2000usize) {
        let packets = [
            payload.clone(),
            udp(40000, 53, &payload),
            tcp(40000, 53, &payload),
            tcp(80, 40000, &payload),
            tcp(40000, 80, &payload),
        ];
        for mut packet in packets {
            // `told` reads every structure back, and fails when one is torn.
            told(&packet);
            packet.truncate(cut);
            told(&packet);
        }
    }

    #[test]
    fn damaged_headers_are_read_without_harm(packet in prop_oneof![
        damaged(ping()),
        damaged(udp(53, 40000, &answers(3))),
        damaged(tcp(1, 80, &http())),
    ]) {
        told(&packet);
    }
}

#[test]
fn nothing_is_computed_that_nobody_wants() {
    let base = catalogue::by_name("net_packet").expect("the catalogue has packets");
    let icmp = |event: &events::Event| if event.name == "net_packet_icmp" { 0b100 } else { 0 };
    let rules = Rules::new(icmp);
    assert_eq!(rules.needed(base), 0b100);
    assert_eq!(rules.needed(catalogue::by_name("ptrace").expect("a system call")), 0);
    let packet = ping();
    let values = [Raw::Bytes(&packet)];
    let base = Base {
        event: base,
        args: Args::List(&values),
        ret: 0,
        exe: b"",
        messages: &[],
        only_messages: false,
    };
    let mut derived = Derived::default();
    rules.derive(&base, 0b100, &mut derived);
    assert_eq!(derived.len(), 1);
    // The context of this packet passes other scopes only.
    rules.derive(&base, 0b011, &mut derived);
    assert!(derived.is_empty());
    assert!(Rules::new(|_| 0).is_empty());
}
