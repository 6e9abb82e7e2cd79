//! Whatever stands in a capture's values, every printer comes back, and a row stays one line.

use events::{Context, Marks, Raw, catalogue};
use pipeline::source::Host;
use pipeline::{Args, EventView, Output};
use replay::render::clock::Clock;
use replay::render::{Format, Printer, Style};

/// Numbers that look random and are the same every time (xorshift).
fn random() -> impl FnMut() -> u64 {
    let mut state = 0x9e37_79b9_7f4a_7c15u64;
    move || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        state
    }
}

fn styles() -> Vec<Style> {
    let mut styles = Vec::new();
    for (parse, raw) in [(false, false), (true, false), (false, true)] {
        styles.push(Style {
            clock: Clock::Utc,
            parse_arguments: parse,
            raw_arguments: raw,
            errno: parse,
            containers: raw,
            ..Style::default()
        });
    }
    styles
}

#[test]
fn any_value_of_any_argument_prints_as_one_line() {
    let mut next = random();
    let styles = styles();
    let host = Host::default();
    let mut bytes: Vec<Vec<u8>> = Vec::new();
    for event in catalogue::events() {
        for round in 0..24 {
            bytes.clear();
            // Lengths around those of structures and headers, and contents that are zeros, text or noise.
            for _ in event.args {
                let length = (next() % [9, 70, 400][round % 3]) as usize;
                let kind = next() % 4;
                let value = (0..length).map(|at| match kind {
                    0 => 0,
                    1 => b"\x07/\n\0a\xff\x1b,"[at % 8],
                    // Small numbers are counts and lengths that fit, nearly.
                    2 => (next() % 9) as u8,
                    _ => next() as u8,
                });
                bytes.push(value.collect());
            }
            let args: Vec<Raw<'_>> = bytes
                .iter()
                .map(|bytes| match next() % 5 {
                    0 => Raw::Missing,
                    1 => Raw::Number(next() >> (next() % 64)),
                    _ => Raw::Bytes(bytes),
                })
                .collect();
            let text: Vec<u8> = (0..20).map(|_| next() as u8).collect();
            let context = Context {
                pid: next() as u32,
                comm: &text[..16],
                exe: &text,
                uts: &text[4..],
                process_start_ns: next(),
                ..Context::default()
            };
            let view = EventView {
                at: pipeline::RowRef::default(),
                event,
                context: &context,
                time_ns: next(),
                wall_ns: next() as i64,
                context_index: 0,
                cpu: 0,
                ret: next() as i64,
                marks: Marks(next() as u32),
                scopes: next(),
                duration_ns: None,
                recorded: 0,
                host: &host,
                container: None,
                args: Args::List(&args),
                base: None,
            };
            for style in &styles {
                for format in [Format::Json, Format::Table, Format::TableVerbose] {
                    let mut out = Vec::new();
                    let printer = Printer { format, style: style.clone() };
                    let mut renderer = printer.renderer();
                    renderer.block();
                    renderer.event(&view, &mut out);
                    let lines = out.iter().filter(|byte| **byte == b'\n').count();
                    assert!(lines == 1 && out.ends_with(b"\n"), "{}: {}", event.name, out.escape_ascii());
                    let text = String::from_utf8(out).expect("output is UTF-8");
                    if format == Format::Json {
                        serde_json::from_str::<serde_json::Value>(&text).expect(&text);
                    } else {
                        let control = text.trim_end().chars().find(|c| c.is_control());
                        assert_eq!(control, None, "{}: a terminal would obey {text:?}", event.name);
                    }
                }
            }
        }
    }
}
