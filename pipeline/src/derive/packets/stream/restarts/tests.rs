use proptest::prelude::*;

use super::super::Message;
use super::*;

/// A packet of the one stream: its place in what is sent, its bytes, how many of them were kept, and its flags.
#[derive(Clone, Debug)]
struct Sent {
    sequence: u32,
    payload: Vec<u8>,
    kept: usize,
    syn: bool,
    ends: bool,
}

const KEY: Key<u8> = Key { host: 0, cookie: 1, direction: 0, source: (1, 2), destination: (3, 4) };

fn segment(sent: &Sent) -> Segment<'_> {
    let kept = sent.payload.get(..sent.kept).unwrap_or(&sent.payload);
    let Sent { sequence, syn, ends, .. } = *sent;
    Segment { sequence, syn, ends, kept, length: sent.payload.len() as u32 }
}

/// Messages by the packet that completed them, and those that nothing did.
fn messages(protocol: Protocol, packets: &[(usize, &Sent)]) -> Vec<(usize, Message)> {
    let mut streams: Streams<u8, usize> = Streams::default();
    let mut told = Vec::new();
    for (number, sent) in packets {
        let mut found = Vec::new();
        streams.feed(KEY, protocol, segment(sent), || *number, &mut found);
        told.extend(found.into_iter().map(|message| (*number, message)));
    }
    for (last, found) in streams.finish(0) {
        told.extend(found.into_iter().map(|message| (1000 + last, message)));
    }
    told
}

fn stream(protocol: Protocol) -> impl Strategy<Value = Vec<u8>> {
    let message = match protocol {
        Protocol::Dns => prop_oneof![
            4 => (12usize..40).prop_map(|length| [&(length as u16).to_be_bytes()[..], &vec![7; length]].concat()),
            1 => Just(vec![0, 3, 1]),
        ]
        .boxed(),
        Protocol::Http => prop_oneof![
            3 => (0usize..30).prop_map(|body| {
                [format!("POST /a HTTP/1.1\r\nContent-Length: {body}\r\n\r\n").as_bytes(), &vec![b'x'; body]].concat()
            }),
            2 => Just(b"GET /b HTTP/1.1\r\n\r\n".to_vec()),
            1 => Just(b"HTTP/1.1 200 OK\r\n\r\nbody without a length".to_vec()),
            1 => Just(b"\r\n".to_vec()),
            1 => Just(b"no HTTP".to_vec()),
        ]
        .boxed(),
    };
    proptest::collection::vec(message, 1..8).prop_map(|messages| messages.concat())
}

/// Packets of a stream, some of them late, again, cut, or never.
fn packets(protocol: Protocol) -> impl Strategy<Value = Vec<Sent>> {
    let piece = (1usize..40, 0u8..20, 0usize..4, 0u8..12);
    (stream(protocol), proptest::collection::vec(piece, 1..30)).prop_map(|(stream, pieces)| {
        let mut all: Vec<Sent> = Vec::new();
        let mut at = 0;
        for (length, fate, back, kept) in pieces {
            let end = (at + length).min(stream.len());
            // A segment that is sent again may begin earlier and end later.
            let from = if fate == 0 { at.saturating_sub(back * 7) } else { at };
            let payload = stream[from..end].to_vec();
            let kept = if kept == 0 { payload.len() / 2 } else { payload.len() };
            let sent = Sent { sequence: 1000 + from as u32, payload, kept, syn: fate == 1, ends: fate == 2 };
            match fate {
                3 if !all.is_empty() => all.push(all[all.len() - 1].clone()),
                4 => all.insert(all.len().saturating_sub(back), sent),
                5 => {}
                _ => all.push(sent),
            }
            at = end;
        }
        all
    })
}

fn holds(protocol: Protocol, all: &[Sent], begin: usize, ties: usize) -> Result<(), TestCaseError> {
    let begin = begin.min(all.len());
    // Several packets of one time, but none across the beginning of the part.
    let time = |at: usize| (at / ties.max(1) * ties.max(1)) as u64;
    let begin = time(begin) as usize;
    let mut restarts = Restarts::default();
    for (at, sent) in all.iter().enumerate().take(begin) {
        restarts.feed(KEY, protocol, segment(sent), time(at), false);
    }
    if begin < all.len() {
        restarts.goes_on(&KEY);
    }
    let since = restarts.needed().get(&KEY).copied();
    let numbered: Vec<(usize, &Sent)> = all.iter().enumerate().collect();
    let part: Vec<_> = numbered
        .iter()
        .filter(|(at, _)| *at >= begin || since.is_some_and(|since| time(*at) >= since))
        .copied()
        .collect();
    let of_part =
        |told: Vec<(usize, Message)>| -> Vec<_> { told.into_iter().filter(|(at, _)| *at >= begin).collect() };
    prop_assert_eq!(of_part(messages(protocol, &part)), of_part(messages(protocol, &numbered)));
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2000))]

    #[test]
    fn a_part_with_the_packets_that_it_needs_gives_the_messages_of_the_whole(
        http in packets(Protocol::Http),
        dns in packets(Protocol::Dns),
        begin in 0usize..30,
        ties in 1usize..4,
    ) {
        holds(Protocol::Http, &http, begin, ties)?;
        holds(Protocol::Dns, &dns, begin, ties)?;
    }
}
