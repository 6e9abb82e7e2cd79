//! What the host was at the time of an event.

use pipeline::History;
use views::clock::Hand;
use views::state::{Listed, Object, Since, State, Value, Wants};

use super::{Desk, Made, table};
use crate::page::{Field, Line, Target, shown};
use crate::study::Kind;

pub fn page(desk: &Desk<'_>, kind: Kind, wall_ns: i64) -> Made {
    let shared = &desk.query.shared;
    let wants = Wants {
        files: matches!(kind, Kind::Descriptors | Kind::Sockets),
        mounts: kind == Kind::Mounts,
        facts: matches!(kind, Kind::Processes | Kind::Descriptors),
        ended: false,
    };
    let state = State::new(&shared.source, wants, None);
    let reads = state.reads();
    let history = History {
        threads: desk.state.threads,
        cancellation: desk.cancellation.clone(),
        ..History::new(&shared.source, &reads)
    };
    let listed = match kind {
        Kind::Processes => Listed::Processes,
        Kind::Descriptors => Listed::Descriptors,
        Kind::Sockets => Listed::Sockets,
        Kind::Mounts => Listed::Mounts,
        Kind::Containers => Listed::Containers,
    };
    let mut objects = Vec::new();
    let mut left_out = 0;
    let gaps = history.at(&[wall_ns], state, &mut |_, state: &mut State<'_>| {
        objects = state.list(listed, None, &shared.known, wall_ns);
        left_out = state.left_out();
    });
    let gaps = gaps.map_err(|error| error.to_string())?;
    let mut hand = Hand::new(&desk.style.look.clock, true);
    let mut at = Vec::new();
    hand.write(wall_ns, &mut at);
    let name = Kind::ALL.iter().find(|(known, _)| *known == kind).map_or("", |(_, name)| name);
    let title = format!("{name} at {}", String::from_utf8_lossy(&at));
    let headers: Vec<&str> = objects
        .first()
        .map(|it| it.fields.iter().filter_map(|field| field.header).collect())
        .unwrap_or_default();
    let rows = objects.iter().map(|object| (cells(object, &mut hand), line(object))).collect();
    let mut page = table::page(title, &headers, rows);
    page.note = match (gaps.is_empty(), left_out, kind) {
        (false, ..) => format!("{} blocks could not be read: some of it may be missing", gaps.len()),
        (_, 1.., _) => format!("{left_out} more were not kept"),
        (.., Kind::Mounts) => "those of before the recording are not in captures".into(),
        _ => String::new(),
    };
    if page.lines.is_empty() {
        page.lines.push(Line::quiet("none is known"));
    }
    Ok(page)
}

/// What `+` and `Enter` take of an object: its process.
fn line(object: &Object) -> Line {
    let pid = object.fields.iter().find(|field| field.name == "pid").map(|field| &field.value);
    match pid {
        Some(Value::Number(pid)) => {
            let field = Field::new("pid", pid.to_string());
            Line { target: Target::Filter(field.filter(false)), field: Some(field), ..Line::default() }
        }
        _ => Line::default(),
    }
}

fn cells(object: &Object, hand: &mut Hand<'_>) -> Vec<table::Cell> {
    let shown = object.fields.iter().filter(|field| field.header.is_some());
    shown.map(|field| (text(&field.value, hand), field.is_right)).collect()
}

fn text(value: &Value, hand: &mut Hand<'_>) -> String {
    let mut time = |ns: i64| {
        let mut out = Vec::new();
        hand.write(ns, &mut out);
        String::from_utf8_lossy(&out).into_owned()
    };
    match value {
        Value::Unknown => "?".into(),
        Value::Nothing => "-".into(),
        Value::Text(text) => shown(text),
        Value::Number(number) => number.to_string(),
        Value::Flag(flag) => (if *flag { "yes" } else { "no" }).into(),
        Value::Time(ns) => time(*ns),
        Value::Since(since, is_doubtful) => {
            let since = match since {
                Since::Before => "before".into(),
                Since::At(ns) => time(*ns),
                Since::Seen(ns) => format!("<={}", time(*ns)),
            };
            if *is_doubtful { since + "?" } else { since }
        }
        Value::Texts(texts) => texts.iter().map(|text| shown(text)).collect::<Vec<_>>().join(" "),
    }
}
