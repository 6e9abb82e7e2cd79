use super::*;

fn key(cookie: u64) -> Key<u8> {
    Key { host: 0, cookie, direction: 0, source: (1, 4242), destination: (2, 80) }
}

/// What a stream of these segments gives: of each its place in the stream, what was kept, and its length on the wire.
fn read(protocol: Protocol, segments: &[(u32, &[u8], u32)]) -> Vec<(String, bool)> {
    let (mut streams, mut found) = (Streams::default(), Vec::new());
    for (at, kept, length) in segments {
        // Numbers wrap in the middle of it.
        let sequence = (u32::MAX - 20).wrapping_add(*at);
        let segment = Segment { sequence, kept, length: *length, ..Segment::default() };
        streams.feed(key(1), protocol, segment, || (), &mut found);
    }
    found.extend(streams.finish(0).into_iter().flat_map(|((), messages)| messages));
    assert!(streams.is_empty() && streams.held() == 0);
    found.into_iter().map(|it| (String::from_utf8_lossy(&it.bytes).into_owned(), it.is_cut)).collect()
}

/// All of a stream, in segments that end at these places.
fn segments<'a>(stream: &'a [u8], ends: &[usize]) -> Vec<(u32, &'a [u8], u32)> {
    let mut from = 0;
    let ends = ends.iter().copied().chain([stream.len()]);
    ends.map(|end| {
        let part = &stream[from..end];
        let segment = (from as u32, part, part.len() as u32);
        from = end;
        segment
    })
    .collect()
}

fn dns_message(text: &str) -> Vec<u8> {
    let length = (text.len() as u16).to_be_bytes();
    [&length[..], text.as_bytes()].concat()
}

const FIRST: &str = "GET /first HTTP/1.1\r\nHost: a\r\n\r\n";
const POST: &str = "POST /x HTTP/1.1\r\nContent-Length: 12\r\n\r\nGET / HTTP/1";
const SECOND: &str = "DELETE /second HTTP/1.1\r\n\r\n";
const CHUNKED: &str = "HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip, chunked\r\n\r\n\
    5\r\nHTTP/\r\na;x=y\r\nGET / HTTP\r\n0\r\nTrailer: x\r\n\r\nHTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n";

#[test]
fn messages_are_the_same_however_the_stream_is_cut_into_segments() {
    let requests = [FIRST, POST, SECOND, FIRST].concat();
    let of_requests = [FIRST, "POST /x HTTP/1.1\r\nContent-Length: 12\r\n\r\n", SECOND, FIRST];
    let responses = CHUNKED.to_owned();
    let of_responses = [&CHUNKED[..53], "HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n"];
    let texts = ["twelve bytes", "a longer message than that", "another, 12 and more"];
    let messages: Vec<u8> = texts.iter().flat_map(|text| dns_message(text)).collect();
    let streams: [(Protocol, &[u8], &[&str]); 3] = [
        (Protocol::Http, requests.as_bytes(), &of_requests),
        (Protocol::Http, responses.as_bytes(), &of_responses),
        (Protocol::Dns, &messages, &texts),
    ];
    for (protocol, stream, expected) in streams {
        let expected: Vec<(String, bool)> = expected.iter().map(|text| ((*text).to_owned(), false)).collect();
        for a in 1..stream.len() {
            assert_eq!(read(protocol, &segments(stream, &[a])), expected, "cut at {a}");
            for b in (a + 1..stream.len()).step_by(7) {
                let three = segments(stream, &[a, b]);
                assert_eq!(read(protocol, &three), expected, "cut at {a} and {b}");
                // The middle one late, sent twice, and sent again together with the first.
                let late = [three[0], three[2], three[1], three[1]];
                assert_eq!(read(protocol, &late), expected, "cut at {a} and {b}, in another order");
                let again = [three[0], (0, &stream[..b], b as u32), three[2]];
                assert_eq!(read(protocol, &again), expected, "cut at {a} and {b}, sent again");
            }
        }
        let bytes: Vec<usize> = (1..stream.len()).collect();
        assert_eq!(read(protocol, &segments(stream, &bytes)), expected, "byte by byte");
    }
}

#[test]
fn what_was_not_kept_cuts_the_message_that_it_belongs_to_and_no_other() {
    let long = format!("GET /{} HTTP/1.1\r\nHost: a\r\n\r\n", "x".repeat(900));
    let kept = &long.as_bytes()[..256];
    let next = long.len() as u32;
    let segments = [(0, kept, next), (next, SECOND.as_bytes(), SECOND.len() as u32)];
    let expected = [(long[..256].to_owned(), true), (SECOND.to_owned(), false)];
    assert_eq!(read(Protocol::Http, &segments), expected);

    // The body of a request was not kept: its length says where the next one begins.
    let post = "POST /x HTTP/1.1\r\nContent-Length: 1000\r\n\r\n";
    let length = post.len() as u32 + 1000;
    let segments = [(0, post.as_bytes(), length), (length, SECOND.as_bytes(), SECOND.len() as u32)];
    assert_eq!(read(Protocol::Http, &segments), [(post.to_owned(), false), (SECOND.to_owned(), false)]);

    let big = dns_message(&"y".repeat(600));
    let small = dns_message("a small message");
    let length = big.len() as u32;
    let segments = [(0, &big[..100], length), (length, &small[..], small.len() as u32)];
    let expected = [("y".repeat(98), true), ("a small message".to_owned(), false)];
    assert_eq!(read(Protocol::Dns, &segments), expected);
}

#[test]
fn a_segment_that_never_comes_is_a_hole_in_the_end() {
    let stream = [FIRST, SECOND].concat();
    let parts = segments(stream.as_bytes(), &[10, 20]);
    let without_middle = [parts[0], parts[2]];
    assert_eq!(read(Protocol::Http, &without_middle), [("GET /first".to_owned(), true)]);
    // More follow than are waited with.
    let mut more = vec![parts[0]];
    for n in 0..EARLY as u32 + 1 {
        more.push((1000 + n * SECOND.len() as u32, SECOND.as_bytes(), SECOND.len() as u32));
    }
    let found = read(Protocol::Http, &more);
    assert_eq!(found.len(), EARLY + 2);
    assert_eq!((found[0].1, found[1].1, found[1].0.as_str()), (true, false, SECOND));
}

#[test]
fn streams_that_are_neither_cost_nothing() {
    let (mut streams, mut found) = (Streams::default(), Vec::new());
    for n in 0..10_000u64 {
        let kept = [0x16, 3, 1, n as u8];
        let segment = Segment { sequence: 7, kept: &kept, length: 1400, ..Segment::default() };
        streams.feed(key(n), Protocol::Http, segment, || (), &mut found);
    }
    assert!(streams.is_empty() && found.is_empty());
}

#[test]
fn what_is_held_is_bounded_whatever_comes() {
    let (mut streams, mut found) = (Streams::within(100, 10_000), Vec::new());
    for n in 0..1000u64 {
        let kept = [b"GET /".as_slice(), &[b'x'; 500]].concat();
        let segment = Segment { sequence: 7, kept: &kept, length: 505, ..Segment::default() };
        streams.feed(key(n), Protocol::Http, segment, || (), &mut found);
        assert!(streams.held() <= 10_000 && streams.streams.len() <= 100);
    }
    // What found no room is told, as far as it came.
    assert_eq!(found.len(), 1000 - streams.streams.len());
    assert!(found.iter().all(|message| message.is_cut));
    // Segments that wait are bounded as well.
    let mut streams = Streams::default();
    for n in 1..100_000u32 {
        let sequence = 7 + n.wrapping_mul(97) % 1_000_000;
        let segment = Segment { sequence, kept: &[b'y'; 100], length: 100, ..Segment::default() };
        streams.feed(key(1), Protocol::Dns, segment, || (), &mut found);
        assert!(streams.held() <= EARLY_BYTES + (64 << 10) + 200, "{}", streams.held());
    }
}

#[test]
fn an_answer_to_head_has_no_body_whatever_it_announces() {
    let head = "HTTP/1.1 200 OK\r\nContent-Length: 5000\r\n\r\n";
    let (first, second) = (head.as_bytes(), head.len() as u32);
    let segments = [(0, first, second), (second, first, second)];
    assert_eq!(read(Protocol::Http, &segments).len(), 2);
}

#[test]
fn the_end_of_a_connection_ends_its_message() {
    let (mut streams, mut found) = (Streams::default(), Vec::new());
    let kept = b"GET /a HTT";
    streams.feed(
        key(1),
        Protocol::Http,
        Segment { sequence: 1, kept, length: 10, ..Segment::default() },
        || (),
        &mut found,
    );
    assert!(found.is_empty());
    streams.feed(
        key(1),
        Protocol::Http,
        Segment { sequence: 11, ends: true, ..Segment::default() },
        || (),
        &mut found,
    );
    assert_eq!(found, [Message { protocol: Protocol::Http, bytes: kept.to_vec(), is_cut: true }]);
    assert_eq!(streams.held(), 0);
    // Sent again, it is no other message; behind a SYN it is.
    let again = Segment { sequence: 1, kept, length: 10, ends: true, ..Segment::default() };
    streams.feed(key(1), Protocol::Http, again, || (), &mut found);
    assert_eq!(found.len(), 1);
    streams.feed(
        key(1),
        Protocol::Http,
        Segment { sequence: 0, syn: true, ..Segment::default() },
        || (),
        &mut found,
    );
    streams.feed(key(1), Protocol::Http, again, || (), &mut found);
    assert_eq!(found.len(), 2);
}
