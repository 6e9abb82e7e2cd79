//! What `tracer info` says of a capture.

mod synthetic;

use replay::Info;
use synthetic::{Event, Made, container, process};

#[test]
fn counts_losses_and_clocks_are_told() {
    let mut made = Made::new();
    made.sides.push(container());
    made.sides.push(format::Side::Losses(vec![format::Loss {
        host: 0,
        from_ns: synthetic::BOOT + 5,
        to_ns: synthetic::BOOT + 9,
        cpu: Some(1),
        event: events::catalogue::by_name("openat").map(|event| event.id),
        count: 1234,
        cause: "buffer full".into(),
    }]));
    made.header.recording.filters = vec!["9:comm=ls".into()];
    let ls = process(510, 500, 1000, "ls", "/usr/bin/ls");
    for at in 0..3 {
        let name = if at == 1 { "close" } else { "openat" };
        made.push(&Event {
            at: at * 1_000_000_000,
            name,
            context: ls,
            ret: 0,
            scopes: 256,
            marks: events::Marks(0),
            args: &[],
        });
    }
    let capture = format::Capture::from_bytes(made.bytes()).expect("our own capture");
    let info = Info::of("c.trz".into(), &capture);
    assert_eq!((info.events, info.lost), (3, 1234));
    let size = regex(&info.text());
    insta::assert_snapshot!(size);
    let json = serde_json::to_value(&info).expect("plain data");
    assert_eq!(json["by_event"], serde_json::json!({"openat": 2, "close": 1}));
    assert_eq!(json["bytes"], capture.bytes());
    assert_eq!(json["start"], "2022-11-15T20:09:15.041923000Z");
    assert_eq!(json["filters"], serde_json::json!(["9:comm=ls"]));
}

/// Hides what depends on how well the file compresses.
fn regex(text: &str) -> String {
    let line = |line: &str| {
        if line.starts_with("Size") { "Size           [...]".to_owned() } else { line.to_owned() }
    };
    text.lines().map(line).collect::<Vec<_>>().join("\n")
}
