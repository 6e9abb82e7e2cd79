//! Stretches in which events were lost, shown where they were.

use events::EventId;
use pipeline::Source;
use views::clock::Hand;
use views::{Look, digits, text};

use super::json_text;

/// Events that happened and are not in the capture.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Loss {
    /// Wall clock, ns since the epoch.
    pub from_ns: i64,
    pub to_ns: i64,
    pub host: String,
    pub cpu: Option<u16>,
    /// The event's name, where it is known which were lost.
    pub event: Option<&'static str>,
    pub count: u64,
    pub cause: String,
}

/// The losses of all files, in order of their beginnings.
pub fn of(source: &Source) -> Vec<Loss> {
    let mut losses = Vec::new();
    for file in source.files() {
        let name = |id: EventId| file.capture.schema().event(id).map(|event| event.name);
        losses.extend(file.capture.losses().iter().map(|loss| Loss {
            from_ns: file.wall(loss.host, loss.from_ns),
            to_ns: file.wall(loss.host, loss.to_ns),
            host: file.host(loss.host).map(|host| host.name.clone()).unwrap_or_default(),
            cpu: loss.cpu,
            event: loss.event.and_then(name),
            count: loss.count,
            cause: loss.cause.clone(),
        }));
    }
    losses.sort_by(|a, b| (a.from_ns, a.to_ns, &a.host, a.cpu).cmp(&(b.from_ns, b.to_ns, &b.host, b.cpu)));
    losses
}

/// `20:09:15:041923 -- 1204 events lost up to 20:09:15:141923 on CPU 3: buffer full`.
pub fn text(loss: &Loss, look: &Look, out: &mut Vec<u8>) {
    let mut hand = Hand::new(&look.clock, look.dates);
    hand.write(loss.from_ns, out);
    out.extend_from_slice(b" -- ");
    digits::unsigned(loss.count, out);
    out.extend_from_slice(if loss.count == 1 { b" event" } else { b" events" });
    if let Some(event) = loss.event {
        out.extend_from_slice(b" (");
        text::shown(event.as_bytes(), out);
        out.push(b')');
    }
    out.extend_from_slice(b" lost up to ");
    hand.write(loss.to_ns, out);
    if let Some(cpu) = loss.cpu {
        out.extend_from_slice(b" on CPU ");
        digits::unsigned(cpu.into(), out);
    }
    out.extend_from_slice(b": ");
    text::shown(loss.cause.as_bytes(), out);
}

/// `{"lost":{"from":...,"to":...,"count":...,"host":"...","cpu":null,"event":null,"cause":"..."}}`.
pub fn json(loss: &Loss, out: &mut Vec<u8>) {
    let quoted = |text: &str, out: &mut Vec<u8>| json_text::quoted(text.as_bytes(), out);
    out.extend_from_slice(b"{\"lost\":{\"from\":");
    digits::signed(loss.from_ns, out);
    out.extend_from_slice(b",\"to\":");
    digits::signed(loss.to_ns, out);
    out.extend_from_slice(b",\"count\":");
    digits::unsigned(loss.count, out);
    out.extend_from_slice(b",\"host\":");
    quoted(&loss.host, out);
    out.extend_from_slice(b",\"cpu\":");
    match loss.cpu {
        Some(cpu) => digits::unsigned(cpu.into(), out),
        None => out.extend_from_slice(b"null"),
    }
    out.extend_from_slice(b",\"event\":");
    match loss.event {
        Some(event) => quoted(event, out),
        None => out.extend_from_slice(b"null"),
    }
    out.extend_from_slice(b",\"cause\":");
    quoted(&loss.cause, out);
    out.extend_from_slice(b"}}\n");
}
